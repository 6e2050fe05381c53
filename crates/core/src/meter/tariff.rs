//! Prices of AWS Lambda in one region, and what invocations cost by them (AWS, "Lambda pricing"): for each
//! invocation a request; for memory times billed time GB-seconds, of which those beyond some billions a month
//! are cheaper; and ephemeral storage beyond 512 MB by the same time.
//!
//! The list price of an invocation is that of the first tier: it does not depend on what else ran that month,
//! so that functions sum to the total. What the month's tiers take off is told beside it.

use crate::invocation::Invocation;
use crate::meter::money::{MB_MS_PER_GB_S, Money, Price};
use crate::meter::sums::Sums;

/// Ephemeral storage that costs nothing, in MB.
pub const STORAGE_FREE_MB: u16 = 512;

/// The most ephemeral storage a function may have, in MB.
pub const STORAGE_MB_MAX: u16 = 10_240;

/// The processors a function may run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// The default of a new function.
    #[default]
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// Both.
    pub const ALL: [Architecture; 2] = [Architecture::X86_64, Architecture::Arm64];

    /// The name AWS gives it.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        }
    }
}

/// What a log does not say of a function and its price depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What it runs on.
    pub architecture: Architecture,
    /// Its ephemeral storage in MB, 512 to 10,240.
    pub storage_mb: u16,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { architecture: Architecture::default(), storage_mb: STORAGE_FREE_MB }
    }
}

/// GB-seconds from so many a month on, and their price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// GB-seconds a month and architecture; 0 for the first.
    pub from_gb_s: u64,
    /// Of a GB-second.
    pub price: Price,
}

/// Prices for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// At least one, the first from 0, each further one from more.
    pub tiers: Vec<Tier>,
    /// Of an invocation.
    pub request: Price,
    /// Of a GB-second of ephemeral storage beyond what is free.
    pub storage: Price,
}

/// Prices of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The region's name.
    pub region: String,
    /// On x86-64.
    pub x86_64: Rates,
    /// On arm64.
    pub arm64: Rates,
}

impl Tariff {
    /// The prices for an architecture.
    pub fn rates(&self, architecture: Architecture) -> &Rates {
        match architecture {
            Architecture::X86_64 => &self.x86_64,
            Architecture::Arm64 => &self.arm64,
        }
    }

    /// What `sums` cost at list prices.
    pub fn cost(&self, sums: &Sums, terms: Terms) -> Money {
        self.rates(terms.architecture).cost(sums.invocations, sums.mb_ms, sums.billed_ms, terms)
    }

    /// What one invocation costs at list prices.
    pub fn cost_of(&self, invocation: &Invocation, terms: Terms) -> Money {
        let mut sums = Sums::default();
        sums.note(invocation);
        self.cost(&sums, terms)
    }
}

impl Rates {
    /// The first tier's price of a GB-second.
    pub fn list(&self) -> Price {
        self.tiers[0].price
    }

    /// What so many invocations, MB ms and ms cost at list prices.
    pub fn cost(&self, invocations: u64, mb_ms: u64, billed_ms: u64, terms: Terms) -> Money {
        let storage_mb = terms.storage_mb.saturating_sub(STORAGE_FREE_MB);
        let storage_mb_ms = u128::from(storage_mb) * u128::from(billed_ms);
        Money::of(invocations, self.request)
            + Money::of_mb_ms(u128::from(mb_ms), self.list())
            + Money::of_mb_ms(storage_mb_ms, self.storage)
    }

    /// What a month's MB ms cost by its tiers.
    pub fn tiered(&self, mb_ms: u128) -> Money {
        let from = |tier: &Tier| u128::from(tier.from_gb_s) * u128::from(MB_MS_PER_GB_S);
        let ends = self.tiers.iter().skip(1).map(from).chain([u128::MAX]);
        let parts = self.tiers.iter().zip(ends).map(|(tier, end)| {
            let within = mb_ms.min(end).saturating_sub(from(tier));
            Money::of_mb_ms(within, tier.price)
        });
        parts.sum()
    }

    /// The price of the next GB-second of a month that has had so many MB ms: the marginal price.
    pub fn marginal(&self, mb_ms: u128) -> Price {
        let gb_s = mb_ms / u128::from(MB_MS_PER_GB_S);
        let reached = self.tiers.iter().rev().find(|tier| gb_s >= u128::from(tier.from_gb_s));
        reached.map_or(self.list(), |tier| tier.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let tier = |from_gb_s, price| Tier { from_gb_s, price: Price(price) };
        Rates {
            tiers: vec![tier(0, 100), tier(10, 90), tier(30, 80)],
            request: Price(7),
            storage: Price(3),
        }
    }

    #[test]
    fn a_months_tiers_take_off_what_is_beyond_them() {
        let gb_s = |n: u64| u128::from(n * MB_MS_PER_GB_S);
        let check = |n: u64, pico: u64, next: u64| {
            assert_eq!(rates().tiered(gb_s(n)), Money::of(1, Price(pico)), "{n}");
            assert_eq!(rates().marginal(gb_s(n)), Price(next), "{n}");
        };
        check(0, 0, 100);
        check(9, 900, 100);
        check(10, 1_000, 90);
        check(11, 1_090, 90);
        check(30, 2_800, 80);
        check(40, 3_600, 80);
    }

    #[test]
    fn storage_costs_beyond_what_is_free() {
        let terms = |storage_mb| Terms { storage_mb, ..Terms::default() };
        let cost = |storage_mb| rates().cost(2, 0, 1_000, terms(storage_mb));
        assert_eq!(cost(512), Money::of(2, Price(7)));
        assert_eq!(cost(0), Money::of(2, Price(7)));
        assert_eq!(cost(512 + 1_024), Money::of(1, Price(17)));
    }
}
