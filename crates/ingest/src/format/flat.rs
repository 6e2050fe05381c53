//! Flat JSON objects as loggers write them, read where they stand, also while they are still escaped
//! as a string inside an envelope: then a quote is `\"`, and taking the escapes out first would cost
//! more than reading.
//!
//! Nearly every event an application logs is such an object. Whatever is not (an escape in a string, a
//! nested value, a fraction, a sign, broken JSON) is left alone: `None` means "let serde decide".
//! Invariant: what is read here, serde reads in the same way; a differential test in the tests of
//! `json_auth` holds that, in both ways of writing.

use std::borrow::Cow;

use wide::u8x16;

#[cfg(doc)]
use super::json_auth::NEEDLES;
use super::json_fields::{Fields, Value};
use super::memo::{FieldName, Memos};
use crate::declared::FieldSet;

/// The digits that surely fit into 63 bits.
const DIGITS_MAX: usize = 18;

/// A cursor over an object; `ESCAPED` if its quotes are written as `\"`.
struct Flat<'a, const ESCAPED: bool> {
    text: &'a str,
    at: usize,
}

/// What the names in an object tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// Those that formats ask for: the formats that the memos are about.
    pub(crate) asked: FieldSet,
    /// Whether one of them holds one of [`NEEDLES`].
    pub(crate) holds_needle: bool,
}

/// Reads the object that is all of `json` into `fields`, which are worthless after a `None`.
pub(super) fn read<'a, const ESCAPED: bool>(
    json: &'a str,
    fields: &mut Fields<'a>,
    memos: &mut Memos,
) -> Option<Seen> {
    let mut seen = Seen::default();
    let mut flat = Flat::<ESCAPED> { text: json, at: 0 };
    flat.eat(b'{')?;
    if flat.eat(b'}').is_none() {
        for nth in 0.. {
            let name = flat.name(nth, memos)?;
            let value = flat.value()?;
            seen.asked = seen.asked.with(name.asked);
            seen.holds_needle |= name.holds_needle;
            if let Some((part, place)) = name.part {
                fields.offer(part, place, value, memos);
            }
            if flat.eat(b',').is_none() {
                break;
            }
        }
        flat.eat(b'}')?;
    }
    flat.peek().is_none().then_some(seen)
}

impl<'a, const ESCAPED: bool> Flat<'a, ESCAPED> {
    /// The next byte that is no blank.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Steps over `byte`, and blanks before it, if that is what comes.
    #[inline]
    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Steps over a quote that stands right here.
    #[inline]
    fn quote(&mut self) -> Option<()> {
        let quote: &[u8] = if ESCAPED { b"\\\"" } else { b"\"" };
        let comes = self.text.as_bytes().get(self.at..)?.starts_with(quote);
        self.at += quote.len();
        comes.then_some(())
    }

    /// Steps over the nth name and its colon.
    #[inline]
    fn name(&mut self, nth: usize, memos: &mut Memos) -> Option<FieldName> {
        self.peek()?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        if let Some((name, length)) = memos.same_name::<ESCAPED>(nth, rest) {
            self.at += length;
            return Some(name);
        }
        let name = memos.field_name(self.string()?);
        self.eat(b':')?;
        memos.keep_name::<ESCAPED>(nth, rest.get(..self.at - start)?, name);
        Some(name)
    }

    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.peek()?;
        self.quote()?;
        let start = self.at;
        self.at += plain_bytes(self.text.as_bytes().get(start..)?);
        let string = self.text.get(start..self.at)?;
        // What ends it must be its quote: no escape, no control character, not the end.
        self.quote()?;
        Some(string)
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' | b'\\' => Some(Value::Text(Cow::Borrowed(self.string()?))),
            b'0'..=b'9' => self.integer().map(Value::Integer),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => None,
        }
    }

    /// Steps over digits; what stands behind them is the caller's to judge.
    fn integer(&mut self) -> Option<i64> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count > DIGITS_MAX || (count > 1 && rest[0] == b'0') {
            return None;
        }
        self.at += count;
        Some(rest[..count].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let comes = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        comes.then_some(value)
    }
}

/// How many bytes stand before the first quote, backslash or control character.
#[inline]
fn plain_bytes(bytes: &[u8]) -> usize {
    // Most strings are short, and something stands behind them.
    if let Some(chunk) = bytes.first_chunk() {
        let bits = special(chunk);
        if bits != 0 {
            return bits.trailing_zeros() as usize;
        }
    }
    let (chunks, rest) = bytes.as_chunks();
    for (index, chunk) in chunks.iter().enumerate() {
        let bits = special(chunk);
        if bits != 0 {
            return index * 16 + bits.trailing_zeros() as usize;
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    chunks.len() * 16 + rest.iter().position(special).unwrap_or(rest.len())
}

/// A bit for each byte that is a quote, a backslash or a control character.
#[inline]
fn special(chunk: &[u8; 16]) -> u32 {
    let chunk = u8x16::new(*chunk);
    let control = chunk.max(u8x16::splat(0x1f)).simd_eq(u8x16::splat(0x1f));
    let special = chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'));
    (special | control).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_walk_byte_by_byte_finds_the_same_end(bytes in proptest::collection::vec(
            prop_oneof![30 => 0x20..=0xffu8, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => any::<u8>()],
            0..80)) {
            let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let end = bytes.iter().position(special).unwrap_or(bytes.len());
            prop_assert_eq!(plain_bytes(&bytes), end);
        }
    }
}
