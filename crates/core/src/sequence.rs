//! Where a record stands: its shard, and its sequence number in the shard.
//!
//! A Kinesis sequence number has up to 129 decimal digits, usually 56: too many for any machine
//! number, and as text it misorders where lengths differ. It is kept as a big-endian integer of fixed
//! width, which orders as the number does.

use std::fmt;

/// The number of a shard: `12` for `shardId-000000000012`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// The longest sequence number, in decimal digits
/// (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html>).
pub const SEQUENCE_DIGITS_MAX: usize = 129;

/// The bytes 129 decimal digits may need: ⌈129 · log2(10) / 8⌉.
const WIDTH: usize = 54;

impl Default for Sequence {
    fn default() -> Sequence {
        Sequence::ZERO
    }
}

/// A sequence number. Two of different shards must not be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence([u8; WIDTH]);

/// A text that is no shard id or no sequence number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not `shardId-` and a number below 2^32.
    #[error("`{0}` is no shard id: expected `shardId-` and up to 12 digits")]
    ShardId(String),
    /// Not 1 to [`SEQUENCE_DIGITS_MAX`] decimal digits.
    #[error("`{0}` is no sequence number: expected 1 to {SEQUENCE_DIGITS_MAX} decimal digits")]
    Sequence(String),
}

impl ShardId {
    /// Who claims what no shard does: the scheduled tick.
    pub const TICK: ShardId = ShardId(u32::MAX);

    /// Reads `shardId-000000000012`.
    ///
    /// # Errors
    /// If it is anything else, or a number that is kept for [`ShardId::TICK`].
    pub fn parse(text: &str) -> Result<ShardId, Malformed> {
        let malformed = || Malformed::ShardId(excerpt(text));
        let digits = text.strip_prefix("shardId-").ok_or_else(malformed)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let number = digits.parse().map_err(|_| malformed())?;
        if number == u32::MAX { Err(malformed()) } else { Ok(ShardId(number)) }
    }
}

impl Sequence {
    /// Before every record.
    pub const ZERO: Sequence = Sequence([0; WIDTH]);

    /// Reads decimal digits.
    ///
    /// # Errors
    /// If there are none, too many, or something else.
    pub fn parse(text: &str) -> Result<Sequence, Malformed> {
        let decimal = !text.is_empty()
            && text.len() <= SEQUENCE_DIGITS_MAX
            && text.bytes().all(|byte| byte.is_ascii_digit());
        if !decimal {
            return Err(Malformed::Sequence(excerpt(text)));
        }
        let mut number = [0; WIDTH];
        for digit in text.bytes() {
            let mut carry = u16::from(digit - b'0');
            for byte in number.iter_mut().rev() {
                let next = u16::from(*byte) * 10 + carry;
                *byte = next as u8;
                carry = next >> 8;
            }
        }
        Ok(Sequence(number))
    }

    /// The number `n`.
    pub fn of(n: u64) -> Sequence {
        let mut number = [0; WIDTH];
        number[WIDTH - 8..].copy_from_slice(&n.to_be_bytes());
        Sequence(number)
    }

    /// Its bytes, most significant first, without leading zeros; none for zero.
    pub fn bytes(&self) -> &[u8] {
        let leading = self.0.iter().take_while(|byte| **byte == 0).count();
        &self.0[leading..]
    }

    /// The number of [`Sequence::bytes`]; `None` where there are more than fit.
    pub fn from_bytes(bytes: &[u8]) -> Option<Sequence> {
        let mut number = [0; WIDTH];
        let start = WIDTH.checked_sub(bytes.len())?;
        number[start..].copy_from_slice(bytes);
        Some(Sequence(number))
    }
}

/// Decimal, as Kinesis writes it.
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = self.0;
        let mut digits = Vec::with_capacity(SEQUENCE_DIGITS_MAX);
        while number.iter().any(|byte| *byte != 0) {
            let mut rest = 0u16;
            for byte in &mut number {
                let next = rest << 8 | u16::from(*byte);
                *byte = (next / 10) as u8;
                rest = next % 10;
            }
            digits.push(b'0' + rest as u8);
        }
        if digits.is_empty() {
            digits.push(b'0');
        }
        digits.iter().rev().try_for_each(|digit| write!(f, "{}", *digit as char))
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequence({self})")
    }
}

/// Enough of a faulty text to find it again.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shard_ids_are_read_and_nothing_else_is() {
        assert_eq!(ShardId::parse("shardId-000000000012"), Ok(ShardId(12)));
        for text in ["", "shardId-", "shard-1", "shardId-x1", "shardId-+1", "shardId-4294967295"] {
            assert_eq!(ShardId::parse(text), Err(Malformed::ShardId(text.to_owned())));
        }
    }

    #[test]
    fn a_sequence_number_that_is_none_is_refused() {
        let long = "9".repeat(SEQUENCE_DIGITS_MAX + 1);
        for text in ["", "-1", "12a", "１", &long] {
            assert!(Sequence::parse(text).is_err(), "{text}");
        }
        let longest = "9".repeat(SEQUENCE_DIGITS_MAX);
        assert_eq!(Sequence::parse(&longest).unwrap().to_string(), longest);
    }

    proptest! {
        #[test]
        fn sequence_numbers_order_as_numbers_and_print_as_they_were(
            a in "[1-9][0-9]{0,128}",
            b in "[1-9][0-9]{0,128}",
        ) {
            let (x, y) = (Sequence::parse(&a).unwrap(), Sequence::parse(&b).unwrap());
            prop_assert_eq!(x.cmp(&y), (a.len(), &a).cmp(&(b.len(), &b)));
            prop_assert_eq!(x.to_string(), a);
            prop_assert_eq!(Sequence::from_bytes(x.bytes()), Some(x));
        }
    }

    #[test]
    fn a_usual_sequence_number_takes_24_bytes() {
        let usual = Sequence::parse("49590338271490256608559692538361571095921575989136588898");
        assert_eq!(usual.unwrap().bytes().len(), 24);
        assert_eq!(Sequence::of(0), Sequence::ZERO);
        assert_eq!(Sequence::ZERO.to_string(), "0");
        assert_eq!(Sequence::parse("256").unwrap(), Sequence::of(256));
        assert_eq!(Sequence::from_bytes(&[0; 55]), None);
    }
}
