//! A forward-only scanner for JSON bytes: finds where values lie without building them.
//!
//! Most log events hold no signal, so most of an envelope is only stepped over. General parsers spend
//! most of their time on what nobody reads; this one hops from quote to quote and knows nothing
//! else about a string. It is strict about structure and lenient about what is inside strings and
//! numbers it steps over: `None` means "let serde decide", and on valid JSON it never disagrees with
//! serde (a differential test in envelope.rs holds that). It never goes deeper than
//! [`JSON_NESTING_MAX`], so it cannot overflow the stack.

use std::ops::Range;

use crate::limits::JSON_NESTING_MAX;
use crate::marks::Marks;

/// So many digits fit into an `i64` whatever they are.
const DIGITS_SURE: usize = 18;

/// A cursor over bytes that should be JSON.
pub(crate) struct Scan<'p> {
    bytes: &'p [u8],
    /// Of `bytes`; without them quotes are looked for, which is better for a look at a few keys.
    marks: Option<&'p Marks>,
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
        Scan { bytes, marks: None, at, depth: 0 }
    }

    /// A cursor at `at` over bytes that are marked.
    pub(crate) fn marked(bytes: &'p [u8], marks: &'p Marks, at: usize) -> Scan<'p> {
        Scan { bytes, marks: Some(marks), at, depth: 0 }
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

    /// Steps over these bytes, if just they come.
    #[inline]
    pub(crate) fn literal(&mut self, bytes: &[u8]) -> Option<()> {
        let comes = self.bytes.get(self.at..)?.starts_with(bytes);
        self.at += if comes { bytes.len() } else { 0 };
        comes.then_some(())
    }

    /// Steps over a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<Text> {
        if !self.eat(b'"') {
            return None;
        }
        let start = self.at;
        let (end, escaped) = match self.marks {
            Some(marks) => {
                let end = marks.quote_from(start)?;
                (end, marks.any_escape(start..end))
            }
            None => string_end(self.bytes, start)?,
        };
        self.at = end + 1;
        Some(Text { range: start..end, escaped })
    }

    /// Steps over an integer: no fraction, no exponent, not beyond 64 bits.
    #[inline]
    pub(crate) fn integer(&mut self) -> Option<i64> {
        self.peek()?;
        if let Some((value, digits)) = short(&self.bytes[self.at..]) {
            self.at += digits;
            return Some(value);
        }
        let (negative, digits) = match self.number() {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') {
            return None;
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = digits.iter().map(|byte| i64::from(byte - b'0'));
        if digits.len() <= DIGITS_SURE {
            let value = digits.fold(0, |value, digit| value * 10 + digit);
            return Some(if negative { -value } else { value });
        }
        digits.try_fold(0i64, |value, digit| {
            let value = value.checked_mul(10)?;
            if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
        })
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
        let len = rest.iter().position(|byte| !in_number(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }
}

/// Whether a byte may be in a number.
fn in_number(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// The number at the start and how many digits it has, if it is written as times are: a few digits, no sign, no
/// zero in front, and nothing else of a number behind.
#[inline]
fn short(bytes: &[u8]) -> Option<(i64, usize)> {
    let (mut value, mut count) = (0, 0);
    while let Some(digit @ b'0'..=b'9') = bytes.get(count) {
        if count == DIGITS_SURE {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
        count += 1;
    }
    let is_whole =
        matches!(bytes.first(), Some(b'1'..=b'9')) && !bytes.get(count).is_some_and(in_number);
    is_whole.then_some((value, count))
}

/// Where the string that begins at `at` ends, and whether it holds an escape.
fn string_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
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
        assert_eq!(read("-999999999999999999"), Some(-999_999_999_999_999_999));
        assert_eq!(read("9223372036854775807"), Some(i64::MAX));
        assert_eq!(read("-9223372036854775808"), Some(i64::MIN));
        for odd in [
            "9223372036854775808",
            "1-",
            "1.0",
            "1e3",
            "01",
            "+1",
            "",
            "\"1\"",
            "99999999999999999999",
            "-",
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn marks_change_nothing(bytes in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b'\\'), Just(b'['), Just(b']'), Just(b','), any::<u8>()],
            0..200)) {
            let mut marks = Marks::default();
            // Outside strings a backslash is an error anyway, so marks may disagree after one.
            marks.mark(&bytes);
            let (mut plain, mut marked) = (Scan::new(&bytes, 0), Scan::marked(&bytes, &marks, 0));
            let (first, second) = (plain.skip(), marked.skip());
            prop_assert_eq!(first, second);
            if first.is_some() {
                prop_assert_eq!(plain.at, marked.at);
            }
        }

        #[test]
        fn a_short_integer_is_read_as_any_other(text in "-?[0-9]{1,20}[-+.eE,} ]?[0-9]?") {
            let read = |text: &str| {
                let mut scan = Scan::new(text.as_bytes(), 0);
                (scan.integer(), scan.at)
            };
            let number = text.split([',', '}', ' ']).next().unwrap_or_default();
            let plain = number.parse::<i64>().ok().filter(|n| n.to_string() == number || number == "-0");
            let (found, end) = read(&text);
            prop_assert_eq!(found, plain);
            prop_assert!(found.is_none() || end == number.len());
        }

        #[test]
        fn anything_is_survived(bytes in any::<Vec<u8>>()) {
            Scan::new(&bytes, 0).skip();
            Scan::new(&bytes, 0).integer();
        }
    }
}
