//! JSON string contents to text (RFC 8259, section 7).
//!
//! Only messages that hold a needle come here. Whole words are copied and the cursor is moved by as
//! many bytes as were clean, because escapes stand close together in JSON that is logged as text. A
//! lone surrogate becomes U+FFFD instead of an error: nobody shall hide a line by putting half a
//! character in it. The text is never longer than the escaped form.

use crate::problem::Problem;
use crate::scan::clean_bytes;

/// The text of `raw`, the bytes between a JSON string's quotes. `buffer` is reused and only grows. A
/// bad escape is [`Problem::Json`].
pub(crate) fn unescape<'b>(raw: &[u8], buffer: &'b mut Vec<u8>) -> Result<&'b str, Problem> {
    // Words are written whole, so the last one may reach over the end.
    if buffer.len() < raw.len() + 8 {
        buffer.resize(raw.len() + 8, 0);
    }
    let (mut at, mut len) = (0, 0);
    loop {
        while let Some(word) = raw[at..].first_chunk::<8>() {
            buffer[len..len + 8].copy_from_slice(word);
            let clean = clean_bytes(word);
            at += clean;
            len += clean;
            if clean < 8 {
                break;
            }
        }
        match raw[at..] {
            [] => break,
            [b'\\', b'u', ..] => {
                let (character, used) = code_point(&raw[at..]).ok_or(Problem::Json)?;
                len += character.encode_utf8(&mut buffer[len..]).len();
                at += used;
            }
            [b'\\', letter, ..] => {
                buffer[len] = escaped(letter).ok_or(Problem::Json)?;
                len += 1;
                at += 2;
            }
            [b'\\'] => return Err(Problem::Json),
            [byte, ..] => {
                buffer[len] = byte;
                len += 1;
                at += 1;
            }
        }
    }
    simdutf8::basic::from_utf8(&buffer[..len]).map_err(|_| Problem::NotUtf8)
}

fn escaped(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        _ => return None,
    })
}

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

    fn check(raw: &str, expected: Result<&str, Problem>) {
        assert_eq!(unescape(raw.as_bytes(), &mut Vec::new()), expected, "{raw}");
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
        assert_eq!(unescape(b"a\xffb", &mut Vec::new()), Err(Problem::NotUtf8));
    }

    proptest! {
        #[test]
        fn serde_reads_the_same(text in any::<String>()) {
            let json = serde_json::to_string(&text).expect("a string");
            let raw = &json[1..json.len() - 1];
            let mut buffer = Vec::new();
            prop_assert_eq!(unescape(raw.as_bytes(), &mut buffer), Ok(&text[..]));
        }

        #[test]
        fn anything_is_survived(raw in any::<Vec<u8>>()) {
            let _ = unescape(&raw, &mut Vec::new());
        }
    }
}
