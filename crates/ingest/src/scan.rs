//! A forward-only scanner for JSON bytes: finds where values lie without building them.
//!
//! Most log events hold no signal, so most of an envelope is only stepped over. General parsers spend
//! most of their time on what nobody reads; this one hops from quote to backslash and knows nothing
//! else about a string. It is strict about structure and lenient about what is inside strings and
//! numbers it steps over: `None` means "let serde decide", and on valid JSON it never disagrees with
//! serde (a differential test in envelope.rs holds that). It never goes deeper than
//! [`JSON_NESTING_MAX`], so it cannot overflow the stack.

use std::ops::Range;

use crate::limits::JSON_NESTING_MAX;

/// A cursor over bytes that should be JSON.
pub(crate) struct Scan<'p> {
    bytes: &'p [u8],
    /// Where the next byte is read.
    pub(crate) at: usize,
    depth: usize,
}

/// A string's place: what lies between its quotes, still escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// Byte range in the scanned bytes, without the quotes.
    pub(crate) range: Range<usize>,
    /// Whether it holds a backslash.
    pub(crate) escaped: bool,
}

impl<'p> Scan<'p> {
    /// A cursor at `at`.
    pub(crate) fn new(bytes: &'p [u8], at: usize) -> Scan<'p> {
        Scan { bytes, at, depth: 0 }
    }

    /// The next byte that is not white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Steps over `byte`, and white space before it, if that is what comes.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    /// Steps over a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<Text> {
        if !self.eat(b'"') {
            return None;
        }
        let start = self.at;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = next_special(self.bytes, at)?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Some(Text { range: start..at, escaped });
            }
            escaped = true;
            at += 2;
        }
    }

    /// Steps over an integer: no fraction, no exponent, not beyond 64 bits.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        self.peek()?;
        let token = self.number();
        let text = std::str::from_utf8(token).ok()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits == "0" || (!digits.starts_with('0') && !digits.starts_with('+'));
        text.parse().ok().filter(|_| plain)
    }

    /// Steps over an object, calling `member` with the cursor on each value and its key. A key with an
    /// escape in it is left to serde.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Scan<'p>, &'p [u8]) -> Option<()>,
    ) -> Option<()> {
        self.open(b'{')?;
        if !self.eat(b'}') {
            loop {
                let key = self.string().filter(|key| !key.escaped)?;
                if !self.eat(b':') {
                    return None;
                }
                member(self, &self.bytes[key.range])?;
                if !self.eat(b',') {
                    break;
                }
            }
            if !self.eat(b'}') {
                return None;
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// Steps over an array, calling `element` with the cursor on each value.
    #[inline]
    pub(crate) fn array(
        &mut self,
        mut element: impl FnMut(&mut Scan<'p>) -> Option<()>,
    ) -> Option<()> {
        self.open(b'[')?;
        if !self.eat(b']') {
            loop {
                element(self)?;
                if !self.eat(b',') {
                    break;
                }
            }
            if !self.eat(b']') {
                return None;
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// Steps over a value of any type.
    pub(crate) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(|scan, _| scan.skip()),
            b'[' => self.array(|scan| scan.skip()),
            b'-' | b'0'..=b'9' => {
                self.number();
                Some(())
            }
            _ => [&b"true"[..], b"false", b"null"].into_iter().find_map(|word| {
                let comes = self.bytes[self.at..].starts_with(word);
                self.at += if comes { word.len() } else { 0 };
                comes.then_some(())
            }),
        }
    }

    fn open(&mut self, bracket: u8) -> Option<()> {
        if self.depth == JSON_NESTING_MAX || !self.eat(bracket) {
            return None;
        }
        self.depth += 1;
        Some(())
    }

    /// The longest run of bytes a number may be made of.
    fn number(&mut self) -> &'p [u8] {
        let rest = &self.bytes[self.at..];
        let in_number = |b: &&u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().take_while(in_number).count();
        self.at += len;
        &rest[..len]
    }
}

/// The first quote or backslash at or after `at`. Log text that is JSON itself has one every dozen
/// bytes, other text hardly any: two words are looked at here, the vectorised search does the rest.
#[inline]
fn next_special(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let mut from = 0;
    while from < 16 {
        let Some(word) = rest[from..].first_chunk::<8>() else { break };
        let clean = clean_bytes(word);
        if clean < 8 {
            return Some(at + from + clean);
        }
        from += 8;
    }
    memchr::memchr2(b'"', b'\\', &rest[from..]).map(|found| at + from + found)
}

/// How many bytes at the start of `word` are neither quote nor backslash. The usual trick of finding
/// zero bytes in a word (Warren, Hacker's Delight, 6-1): false marks appear only above a true one.
#[inline]
pub(crate) fn clean_bytes(word: &[u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*word);
    let zeros = |x: u64| x.wrapping_sub(ONES) & !x & (ONES << 7);
    let marks = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
    (marks.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(json: &[u8]) -> bool {
        let mut scan = Scan::new(json, 0);
        scan.skip().is_some() && scan.peek().is_none()
    }

    #[test]
    fn values_are_stepped_over_whole() {
        for json in [
            "0",
            " -1.5e+3 ",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\\\"b\\\\\"",
            "{}",
            "[]",
            "[ 1 , [ ] , {\"a\" : {\"b\":[null]}} ]",
            "\"0123456789abcdef0123456789\\\\\"",
        ] {
            assert!(whole(json.as_bytes()), "{json}");
        }
        for json in ["", "{", "[1", "{\"a\"}", "{\"a\":}", "[1,]", "{,}", "\"a\\\"", "tru", "[1}"] {
            assert!(!whole(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn nesting_stops_at_its_cap() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(whole(nested(JSON_NESTING_MAX).as_bytes()));
        assert!(!whole(nested(JSON_NESTING_MAX + 1).as_bytes()));
        assert!(!whole("{\"a\":".repeat(1_000_000).as_bytes()));
    }

    #[test]
    fn integers_are_those_of_json() {
        let read = |text: &str| Scan::new(text.as_bytes(), 0).integer();
        assert_eq!(read("1794290400013,"), Some(1_794_290_400_013));
        assert_eq!(read("-5}"), Some(-5));
        assert_eq!(read("0"), Some(0));
        for odd in ["1.0", "1e3", "01", "+1", "", "\"1\"", "99999999999999999999", "-"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_quote_is_found_where_a_plain_search_finds_it(bytes in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b'\\'), any::<u8>(), Just(b'a'), Just(b'a')], 0..60)) {
            let plain = bytes.iter().position(|b| matches!(b, b'"' | b'\\'));
            prop_assert_eq!(next_special(&bytes, 0), plain);
        }

        #[test]
        fn anything_is_survived(bytes in any::<Vec<u8>>()) {
            Scan::new(&bytes, 0).skip();
            Scan::new(&bytes, 0).integer();
        }
    }
}
