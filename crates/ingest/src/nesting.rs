//! How deep JSON goes, before anything recurses into it.

use crate::limits::JSON_NESTING_MAX;

/// Whether `text`, if it is JSON at all, nests deeper than [`JSON_NESTING_MAX`]. Brackets are counted
/// first, which is cheap and enough for nearly every line; only then are strings told from structure.
/// What does not start as an object or a list does is not JSON and is never too deep.
pub(crate) fn too_deep(text: &[u8]) -> bool {
    // `[` and `{` differ in one bit.
    let opens = |byte: &u8| byte & !0x20 == b'[';
    let like_json = match text.split_first() {
        Some((b'{', inside)) => {
            matches!(inside.trim_ascii_start().first(), None | Some(b'"' | b'}'))
        }
        Some((first, _)) => *first == b'[',
        None => false,
    };
    like_json
        && text.len() > JSON_NESTING_MAX
        && text.chunks(128).map(|chunk| count(chunk, opens)).sum::<usize>() > JSON_NESTING_MAX
        && depth_exceeds(text)
}

/// How many of at most 255 bytes are wanted: counted in bytes, so that a vector holds many.
fn count(chunk: &[u8], wanted: impl Fn(&u8) -> bool) -> usize {
    usize::from(chunk.iter().map(|byte| u8::from(wanted(byte))).sum::<u8>())
}

fn depth_exceeds(text: &[u8]) -> bool {
    let mut depth = Depth::default();
    text.iter().any(|byte| depth.step(*byte) > JSON_NESTING_MAX)
}

/// How far a JSON object or array reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It ends before this byte offset.
    Whole(usize),
    /// It nests deeper than [`JSON_NESTING_MAX`].
    TooDeep,
    /// It does not end, or does not even begin.
    Unclosed,
}

/// The extent of the object or array at `at`, white space before it allowed. Brackets are matched, not
/// their kinds: whether it is JSON is decided by who parses it.
pub(crate) fn extent(bytes: &[u8], at: usize) -> Extent {
    let mut depth = Depth::default();
    for (index, byte) in bytes.iter().enumerate().skip(at) {
        match depth.step(*byte) {
            0 if matches!(byte, b'}' | b']') => return Extent::Whole(index + 1),
            0 if !byte.is_ascii_whitespace() => return Extent::Unclosed,
            depth if depth > JSON_NESTING_MAX => return Extent::TooDeep,
            _ => {}
        }
    }
    Extent::Unclosed
}

/// A walk over JSON that knows how deep it is.
#[derive(Default)]
struct Depth {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    /// The depth after `byte`.
    fn step(&mut self, byte: u8) -> usize {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_structure_counts() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(!too_deep(nested(JSON_NESTING_MAX).as_bytes()));
        assert!(too_deep(nested(JSON_NESTING_MAX + 1).as_bytes()));
        assert!(too_deep("{\"a\":".repeat(10_000).as_bytes()));
        assert!(!too_deep("[]".repeat(10_000).as_bytes()));
        assert!(!too_deep(format!("{{\"user\":\"\\\"{}\"}}", "[".repeat(1_000)).as_bytes()));
        assert!(!too_deep(format!("sshd {}", "[".repeat(1_000)).as_bytes()));
        // In other quotes than those of JSON.
        assert!(!too_deep(format!("{{ user: '{}' }}", "[".repeat(1_000)).as_bytes()));
        assert!(!too_deep(b""));
    }

    #[test]
    fn an_extent_ends_with_its_bracket() {
        let check =
            |json: &str, expected| assert_eq!(extent(json.as_bytes(), 0), expected, "{json}");
        check(" {\"a\":[1,\"}\\\"}\"]} {", Extent::Whole(17));
        check("{}", Extent::Whole(2));
        check("{\"a", Extent::Unclosed);
        check("x {}", Extent::Unclosed);
        check("\"{}\"", Extent::Unclosed);
        check("", Extent::Unclosed);
        check(&"[".repeat(65), Extent::TooDeep);
        check(&("[".repeat(64) + &"]".repeat(64)), Extent::Whole(128));
    }
}
