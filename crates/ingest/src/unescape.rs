//! JSON string contents to text (RFC 8259, section 7).
//!
//! Only messages that hold a needle come here. A lone surrogate becomes U+FFFD instead of an error:
//! nobody shall hide a line by putting half a character in it. The text is never longer than its
//! escaped form.

use std::ops::Range;

use crate::marks::Marks;
use crate::problem::Problem;

/// Bytes copied at once, most runs between two escapes being shorter.
const RUN_BYTES: usize = 32;

/// The text of a JSON string: `range` of `bytes` is what lies between the quotes, `marks` are of
/// `bytes`. `buffer` is reused and only grows. A bad escape is [`Problem::Json`].
pub(crate) fn unescape<'b>(
    bytes: &[u8],
    range: Range<usize>,
    marks: &Marks,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b str, Problem> {
    // Runs are written by RUN_BYTES, so the last one may reach over the end.
    if buffer.len() < range.len() + RUN_BYTES {
        buffer.resize(range.len() + RUN_BYTES, 0);
    }
    let (mut from, mut len) = (range.start, 0);
    for (base, mut escapes) in marks.escapes_in(range.clone()) {
        while escapes != 0 {
            let at = base + escapes.trailing_zeros() as usize;
            escapes &= escapes - 1;
            // The second half of a surrogate pair is read with the first.
            if at < from {
                continue;
            }
            copy_run(bytes, from..at, &mut buffer[len..]);
            len += at - from;
            let simple =
                bytes[..range.end].get(at + 1).map_or(0, |letter| SIMPLE[*letter as usize]);
            if simple != 0 {
                buffer[len] = simple;
                len += 1;
                from = at + 2;
            } else {
                let (character, used) = code_point(&bytes[at..range.end]).ok_or(Problem::Json)?;
                len += character.encode_utf8(&mut buffer[len..]).len();
                from = at + used;
            }
        }
    }
    copy_run(bytes, from..range.end, &mut buffer[len..]);
    len += range.end - from;
    simdutf8::basic::from_utf8(&buffer[..len]).map_err(|_| Problem::NotUtf8)
}

/// Copies a run, short ones whole words at a time.
#[inline]
fn copy_run(bytes: &[u8], run: Range<usize>, to: &mut [u8]) {
    match (bytes[run.start..].first_chunk::<RUN_BYTES>(), to.first_chunk_mut::<RUN_BYTES>()) {
        (Some(word), Some(space)) if run.len() <= RUN_BYTES => *space = *word,
        _ => to[..run.len()].copy_from_slice(&bytes[run]),
    }
}

/// What the byte after a backslash stands for, 0 if it is no simple escape.
const SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'n' as usize] = b'\n';
    table[b't' as usize] = b'\t';
    table[b'r' as usize] = b'\r';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0c;
    table
};

/// The character of the `\uXXXX` or surrogate pair at the start, and how many bytes it takes.
fn code_point(raw: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(raw)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 6));
    }
    let second = raw.get(6..).and_then(code_unit);
    if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (first, second) {
        let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        return Some((char::from_u32(scalar)?, 12));
    }
    Some((char::REPLACEMENT_CHARACTER, 6))
}

fn code_unit(raw: &[u8]) -> Option<u32> {
    let [b'\\', b'u', hex @ ..] = raw else { return None };
    hex.first_chunk::<4>()?
        .iter()
        .try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Unescapes `raw` at some distance from the start, something else after it.
    fn read(raw: &[u8], distance: usize) -> Result<String, Problem> {
        let bytes = [&vec![b'x'; distance], raw, b"\",\"user\": 1"].concat();
        let mut marks = Marks::default();
        marks.mark(&bytes);
        let range = distance..distance + raw.len();
        unescape(&bytes, range, &marks, &mut Vec::new()).map(str::to_owned)
    }

    fn check(raw: &str, expected: Result<&str, Problem>) {
        for distance in [0, 50, 63, 64] {
            let expected = expected.map(str::to_owned);
            assert_eq!(read(raw.as_bytes(), distance), expected, "{raw} at {distance}");
        }
    }

    #[test]
    fn escapes_become_characters() {
        check("", Ok(""));
        check(r#"{\"user\":\"a\",\"n\":1}\n"#, Ok("{\"user\":\"a\",\"n\":1}\n"));
        check(r"\\\/\b\f\n\r\t", Ok("\\/\u{8}\u{c}\n\r\t"));
        check(r"\u00e9\u20AC\uD83D\uDE00é", Ok("é€😀é"));
        check(r"a\ud83dz", Ok("a\u{fffd}z"));
        check(r"\udc00\ud83d\ud83d\ude00", Ok("\u{fffd}\u{fffd}😀"));
    }

    #[test]
    fn bad_escapes_are_a_problem() {
        for raw in [r"\", r"abcdefgh\", r"\x", r"\u", r"\u12", r"\u12g4", r"\u+123"] {
            check(raw, Err(Problem::Json));
        }
        assert_eq!(read(b"a\xffb", 3), Err(Problem::NotUtf8));
    }

    proptest! {
        #[test]
        fn serde_reads_the_same(text in any::<String>(), distance in 0..70usize) {
            let json = serde_json::to_string(&text).expect("a string");
            prop_assert_eq!(read(&json.as_bytes()[1..json.len() - 1], distance), Ok(text));
        }

        #[test]
        fn anything_is_survived(raw in any::<Vec<u8>>()) {
            let _ = read(&raw, 7);
        }
    }
}
