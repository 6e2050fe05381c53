//! Which memory would do, from the most that was used.
//!
//! What a report calls used is the most its environment has used so far, so the largest of many reports is
//! near to what the function needs. Lambda gives CPU with memory, a whole one at 1,769 MB (AWS, "Configure
//! Lambda function memory"): below that, less memory is also slower, and may cost more. That is the risk told.

use crate::limits::{MEMORY_MB_MAX, MEMORY_MB_MIN};
use crate::meter::money::Money;
use crate::meter::sums::Sums;
use crate::meter::tariff::{Tariff, Terms};

/// Invocations without which nothing is advised: rarer needs would not have shown.
pub const SAMPLES_MIN: u64 = 100;

/// The memory at which a function has one whole CPU, in MB.
pub const WHOLE_CPU_MB: u64 = 1_769;

/// What is left free above the most that was used: a quarter.
const HEADROOM: (u64, u64) = (5, 4);

/// Memory is advised in steps of this many MB.
const STEP_MB: u64 = 64;

/// What to do about a function's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Too few invocations to tell.
    TooFew,
    /// It fits.
    Fits,
    /// So much was used that a little more would kill it, or did: it needs at least `to_mb`.
    Raise {
        /// In MB.
        to_mb: u16,
    },
    /// Less would do.
    Lower {
        /// In MB.
        to_mb: u16,
        /// What the same invocations would have cost less, if they had not run longer.
        saving: Money,
        /// What speaks against it.
        risk: Risk,
    },
}

/// What speaks against less memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// A whole CPU is left.
    Little,
    /// It would have less CPU too, so that what computes takes longer.
    Slower,
}

impl Risk {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Risk::Little => "little",
            Risk::Slower => "slower",
        }
    }
}

/// What to do about the memory of a function that took this.
pub fn advise(sums: &Sums, tariff: &Tariff, terms: Terms) -> Advice {
    let (used, memory) = (u64::from(sums.used_mb_max), u64::from(sums.memory_mb_max));
    if sums.invocations < SAMPLES_MIN {
        return Advice::TooFew;
    }
    let (above, below) = HEADROOM;
    let fitting = (used * above).div_ceil(below).div_ceil(STEP_MB) * STEP_MB;
    let fitting = fitting.clamp(MEMORY_MB_MIN, MEMORY_MB_MAX);
    let to_mb = u16::try_from(fitting).unwrap_or(u16::MAX);
    if sums.endings().out_of_memory > 0 || used * 20 >= memory * 19 {
        return if fitting > memory { Advice::Raise { to_mb } } else { Advice::Fits };
    }
    if fitting >= memory {
        return Advice::Fits;
    }
    let rates = tariff.rates(terms.architecture);
    let less_mb_ms = u128::from(sums.mb_ms) * u128::from(memory - fitting) / u128::from(memory);
    let saving = Money::of_mb_ms(less_mb_ms, rates.list());
    let risk = if fitting >= WHOLE_CPU_MB { Risk::Little } else { Risk::Slower };
    Advice::Lower { to_mb, saving, risk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::money::Price;
    use crate::meter::tariff::{Rates, Tier};

    fn check(memory: u16, used: u16, killed: u64, expected: Advice) {
        let tiers = vec![Tier { from_gb_s: 0, price: Price(1_000) }];
        let rates = Rates { tiers, request: Price(1), storage: Price(0) };
        let tariff = Tariff { region: "test".to_owned(), x86_64: rates.clone(), arm64: rates };
        let mut sums = Sums {
            invocations: 100,
            billed_ms: 1_024_000,
            mb_ms: u64::from(memory) * 1_024_000,
            used_mb_max: used,
            memory_mb_max: memory,
            ..Sums::default()
        };
        sums.reported.out_of_memory = killed;
        assert_eq!(advise(&sums, &tariff, Terms::default()), expected, "{used} of {memory}");
        sums.invocations = 99;
        assert_eq!(advise(&sums, &tariff, Terms::default()), Advice::TooFew);
    }

    #[test]
    fn memory_is_advised_by_the_most_that_was_used() {
        let lower =
            |to_mb, mb, risk| Advice::Lower { to_mb, saving: Money::of(mb, Price(1_000)), risk };
        check(1_024, 100, 0, lower(128, 896, Risk::Slower));
        check(4_096, 1_500, 0, lower(1_920, 2_176, Risk::Little));
        check(512, 400, 0, Advice::Fits);
        check(128, 60, 0, Advice::Fits);
        check(512, 500, 0, Advice::Raise { to_mb: 640 });
        check(512, 512, 3, Advice::Raise { to_mb: 640 });
        check(10_240, 10_240, 3, Advice::Fits);
    }
}
