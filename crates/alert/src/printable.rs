//! Text that came from a log, made safe to show.
//!
//! Whoever can name a log stream could otherwise move the cursor, recolour or retitle a terminal (C0
//! and C1 controls), or make a line read differently from what it says (direction controls: "Trojan
//! Source", CVE-2021-42574). Escaped they stay visible, which is better evidence than dropping them.

use std::borrow::Cow;

/// `text` with each control, direction or invisible character written as `\u{…}`. Backslashes stay
/// as they are: the result is for people, not for reading back.
pub fn printable(text: &str) -> Cow<'_, str> {
    // Nearly all text is ASCII, and its bytes are looked at several times faster than characters.
    let is_ascii = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_ascii || !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Characters of a name from a log: CloudWatch's names of log groups and streams have at most 512. Whoever
/// can put records on a stream could otherwise make messages that no topic takes.
pub(crate) const NAME_CHARS_MAX: usize = 512;

/// The name of an account, a log group, a stream, an event or an input: printable, and cut at
/// [`NAME_CHARS_MAX`].
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    // No more bytes than that are no more characters, and need no counting.
    if text.len() <= NAME_CHARS_MAX {
        return printable(text);
    }
    match text.char_indices().nth(NAME_CHARS_MAX) {
        None => printable(text),
        Some((end, _)) => Cow::Owned(format!("{}…", printable(&text[..end]))),
    }
}

fn is_unprintable(c: char) -> bool {
    match c {
        // C0, DEL and C1.
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => true,
        // Soft hyphen; Arabic letter mark; Mongolian vowel separator.
        '\u{AD}' | '\u{61C}' | '\u{180E}' => true,
        // Zero-width characters and direction marks.
        '\u{200B}'..='\u{200F}' => true,
        // Line and paragraph separator, embeddings and overrides.
        '\u{2028}'..='\u{202E}' => true,
        // Word joiner, invisible operators, isolates, deprecated format characters.
        '\u{2060}'..='\u{206F}' => true,
        // Byte order mark, interlinear annotation, tag characters.
        '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::printable;
    use std::borrow::Cow;

    #[test]
    fn ordinary_text_is_not_copied() {
        for text in ["", "/aws/lambda/login", "2026/11/22/[$LATEST]ab", "Zürich 東京 עברית 🙂"]
        {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn what_moves_hides_or_reorders_is_escaped() {
        let ranges = [
            0x00..=0x1F,
            0x7F..=0x9F,
            0x61C..=0x61C,
            0x200E..=0x200F,
            0x2028..=0x202E,
            0x2066..=0x2069,
            0xFEFF..=0xFEFF,
        ];
        for code in ranges.into_iter().flatten() {
            let c = char::from_u32(code).expect("no surrogate among them");
            assert_eq!(printable(&format!("a{c}b")), format!("a\\u{{{code:x}}}b"));
        }
    }

    #[test]
    fn an_attack_on_the_terminal_is_shown() {
        let title = printable("x\u{1b}]0;pwned\u{7}\r\n\u{202e}gpj.exe");
        assert_eq!(title, "x\\u{1b}]0;pwned\\u{7}\\u{d}\\u{a}\\u{202e}gpj.exe");
    }
}
