//! Numbers as bytes: LEB128 varints, zigzag for those that may be negative (the encoding of Protocol
//! Buffers, <https://protobuf.dev/programming-guides/encoding/>), and a reader that trusts nothing.

use crate::time::Time;

/// Appends numbers.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

/// Takes numbers back off.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// Bytes that are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A later version of this program wrote them.
    #[error("version {0} of its encoding, which a later version of Tidewatch wrote")]
    Newer(u8),
    /// Nobody wrote them.
    #[error("damaged at its {0}")]
    Damaged(&'static str),
}

impl Writer {
    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number of 7 bits a byte, lowest first.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// A number of up to 128 bits, likewise.
    pub fn wide(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// A number that may be negative.
    pub fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    /// Bytes, behind their number.
    pub fn counted(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// Reads the version byte.
    ///
    /// # Errors
    /// If there is none, or one above `newest`, or 0.
    pub fn version(&mut self, newest: u8) -> Result<u8, Unreadable> {
        match self.byte("version")? {
            0 => Err(Unreadable::Damaged("version")),
            version if version > newest => Err(Unreadable::Newer(version)),
            version => Ok(version),
        }
    }

    /// One byte; `what` names it in an error.
    ///
    /// # Errors
    /// If there is none.
    pub fn byte(&mut self, what: &'static str) -> Result<u8, Unreadable> {
        let (first, rest) = self.bytes.split_first().ok_or(Unreadable::Damaged(what))?;
        self.bytes = rest;
        Ok(*first)
    }

    /// `N` bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Unreadable> {
        let (first, rest) = self.bytes.split_first_chunk().ok_or(Unreadable::Damaged(what))?;
        self.bytes = rest;
        Ok(*first)
    }

    /// A number.
    ///
    /// # Errors
    /// If it is cut off or has more than 64 bits.
    pub fn number(&mut self, what: &'static str) -> Result<u64, Unreadable> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable::Damaged(what))
    }

    /// A number of up to 128 bits.
    ///
    /// # Errors
    /// If it is cut off or has more.
    pub fn wide(&mut self, what: &'static str) -> Result<u128, Unreadable> {
        let mut number = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u128::from(byte & 0x7f);
            if shift == 126 && bits > 3 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable::Damaged(what))
    }

    /// A number of things, at most `most`.
    ///
    /// # Errors
    /// If it is no number, or more.
    pub fn count(&mut self, most: usize, what: &'static str) -> Result<usize, Unreadable> {
        let count = usize::try_from(self.number(what)?);
        count.ok().filter(|count| *count <= most).ok_or(Unreadable::Damaged(what))
    }

    /// A number that may be negative.
    ///
    /// # Errors
    /// If it is no number.
    pub fn signed(&mut self, what: &'static str) -> Result<i64, Unreadable> {
        let number = self.number(what)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A time, `ago` milliseconds in steps of `step` before `from`.
    ///
    /// # Errors
    /// If it is no number or no time.
    pub fn ago(&mut self, from: Time, step: i64, what: &'static str) -> Result<Time, Unreadable> {
        let steps = i64::try_from(self.number(what)?).ok();
        let time = steps.and_then(|steps| from.0.checked_sub(steps.checked_mul(step)?));
        time.filter(|time| *time > Time::MIN.0).map(Time).ok_or(Unreadable::Damaged(what))
    }

    /// Bytes behind their number, at most `most`.
    ///
    /// # Errors
    /// If they are cut off, or more.
    pub fn counted(&mut self, most: usize, what: &'static str) -> Result<&'a [u8], Unreadable> {
        let count = self.count(most, what)?;
        let (first, rest) = self.bytes.split_at_checked(count).ok_or(Unreadable::Damaged(what))?;
        self.bytes = rest;
        Ok(first)
    }

    /// Says that this is the end.
    ///
    /// # Errors
    /// If it is not.
    pub fn end(&self) -> Result<(), Unreadable> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Unreadable::Damaged("end")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(number: u64, signed: i64, bytes: Vec<u8>) {
            let mut writer = Writer::default();
            writer.number(number);
            writer.signed(signed);
            writer.counted(&bytes);
            let mut reader = Reader::new(&writer.bytes);
            prop_assert_eq!(reader.number("a"), Ok(number));
            prop_assert_eq!(reader.signed("b"), Ok(signed));
            prop_assert_eq!(reader.counted(bytes.len(), "c"), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_none() {
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&longest).number("n"), Ok(u64::MAX));
        for last in [0x02, 0x81] {
            let mut bytes = longest;
            bytes[9] = last;
            assert_eq!(Reader::new(&bytes).number("n"), Err(Unreadable::Damaged("n")));
        }
        assert_eq!(Reader::new(&[0x80]).number("n"), Err(Unreadable::Damaged("n")));
    }
}
