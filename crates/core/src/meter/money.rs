//! Dollars, exactly.
//!
//! Prices have at most twelve decimals, and time and memory are billed in milliseconds and MB of which
//! 1,024,000 are a GB-second. So every amount is a whole number of 1/1,024,000 of a picodollar, and adding
//! amounts never rounds. An `i128` holds 10^20 dollars of them.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

/// MB times milliseconds in a GB-second.
pub const MB_MS_PER_GB_S: u64 = 1_024 * 1_000;

/// Picodollars in a dollar.
pub const PICO: u64 = 1_000_000_000_000;

/// [`Money`]'s unit in a dollar.
const UNITS: i128 = PICO as i128 * MB_MS_PER_GB_S as i128;

/// An amount of US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

/// A price: picodollars for one of something, a GB-second or a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub u64);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// The price of `count` things.
    pub fn of(count: u64, price: Price) -> Money {
        Money(i128::from(count) * i128::from(price.0) * i128::from(MB_MS_PER_GB_S))
    }

    /// The price of so many MB ms, at a price for a GB-second.
    pub fn of_mb_ms(mb_ms: u128, price: Price) -> Money {
        let mb_ms = i128::try_from(mb_ms).unwrap_or(i128::MAX);
        Money(mb_ms.saturating_mul(i128::from(price.0)))
    }

    /// So many of its own units, of which 1,024,000 picodollars have one: for parts of an amount.
    pub(crate) fn units(self) -> i128 {
        self.0
    }

    /// The amount of so many units.
    pub(crate) fn of_units(units: i128) -> Money {
        Money(units)
    }

    /// The amount nearest to so many dollars, as a series keeps them: what is no number is nothing.
    pub(crate) fn of_dollars(dollars: f64) -> Money {
        // A cast saturates, and makes nothing of what is no number.
        Money((dollars * UNITS as f64).round() as i128)
    }

    /// The amount in dollars, for comparing and for shares; not for adding up.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / UNITS as f64
    }

    /// This amount, scaled to `whole` of `part` of something (a month of an hour), rounded down.
    pub fn scaled(self, whole: u64, part: u64) -> Money {
        Money(self.0.saturating_mul(i128::from(whole)) / i128::from(part.max(1)))
    }

    /// In dollars with so many decimals (at most 12), rounded half away from zero.
    pub fn decimal(self, places: u32) -> String {
        let steps = 10i128.pow(places.min(12));
        let half = UNITS / 2;
        let scaled = self.0.unsigned_abs().saturating_mul(steps.unsigned_abs());
        let rounded = scaled.saturating_add(half.unsigned_abs()) / UNITS.unsigned_abs();
        let steps = steps.unsigned_abs();
        let (whole, fraction) = (rounded / steps, rounded % steps);
        let sign = if self.0 < 0 && rounded > 0 { "-" } else { "" };
        match places.min(12) {
            0 => format!("{sign}{whole}"),
            places => format!("{sign}{whole}.{fraction:0width$}", width = places as usize),
        }
    }
}

impl Price {
    /// The price of so many dollars as a decimal, such as `0.0000166667`: digits, and at most 12 behind the
    /// point; `None` for anything else.
    pub fn parse(text: &str) -> Option<Price> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 6 || fraction.len() > 12 {
            return None;
        }
        if !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return None;
        }
        let padded = format!("{fraction:0<12}");
        Some(Price(whole.parse::<u64>().ok()? * PICO + padded.parse::<u64>().ok()?))
    }

    /// In dollars, with the decimals it has.
    pub fn decimal(self) -> String {
        let text = format!("{}.{:012}", self.0 / PICO, self.0 % PICO);
        let text = text.trim_end_matches('0');
        text.strip_suffix('.').unwrap_or(text).to_owned()
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Money;

    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}

impl Neg for Money {
    type Output = Money;

    fn neg(self) -> Money {
        Money(-self.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_and_written_exactly() {
        for text in ["0.0000166667", "0.20", "0", "3", "0.000000000001", "999999.999999999999"] {
            let price = Price::parse(text).expect("a price");
            let trimmed = if text.contains('.') { text.trim_end_matches('0') } else { text };
            assert_eq!(price.decimal(), trimmed);
        }
        assert_eq!(Price::parse("0.0000166667"), Some(Price(16_666_700)));
        for text in ["", ".5", "1.", "-1", "1e-6", "0.0000000000001", "1000000", "1_0", "½"] {
            assert_eq!(Price::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_rounded() {
        let one = Money::of(1, Price(PICO));
        assert_eq!(one.decimal(2), "1.00");
        assert_eq!((-one).decimal(0), "-1");
        assert_eq!(Money::of(1, Price(5_000_000_000)).decimal(2), "0.01");
        assert_eq!(Money::of(1, Price(4_999_999_999)).decimal(2), "0.00");
        assert_eq!((-Money::of(1, Price(4_999_999_999))).decimal(2), "0.00");
        // One ms of 1 MB costs a part of a picodollar, and is not lost.
        let least = Money::of_mb_ms(1, Price(16_666_700));
        assert_eq!(least.decimal(12), "0.000000000016");
        let all: Money = std::iter::repeat_n(least, 1_024_000).sum();
        assert_eq!(all, Money::of(1, Price(16_666_700)));
        assert_eq!(Money::of_mb_ms(u128::MAX, Price(1)).units(), i128::MAX);
    }
}
