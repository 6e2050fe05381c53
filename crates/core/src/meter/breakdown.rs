//! Why one span of a function cost more than another, in parts that sum to the change exactly.
//!
//! Cost falls into three: what failed, what starting took of the others, and what these ran. Of the first two
//! the change is a part as it is. The third is requests, which change with their number, and a product:
//! invocations × milliseconds each × dollars a millisecond, the last of which follows memory. Its change is
//! split by Shapley's value (Shorrocks, 2013): each factor's share is its effect averaged over all orders in
//! which the factors may change, so that no order is preferred. The last part is what the others leave, so that
//! rounding loses nothing.

use crate::meter::money::Money;
use crate::meter::sums::Sums;
use crate::meter::tariff::{Tariff, Terms};

/// Why the cost changed; the parts sum to `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// What the later span cost more, or less.
    pub total: Money,
    /// Because there were more invocations.
    pub invocations: Money,
    /// Because they ran longer.
    pub durations: Money,
    /// Because they had more memory.
    pub memory: Money,
    /// Because more failed, or failed later: timeouts, errors, tries again.
    pub failures: Money,
    /// Because starting took more.
    pub cold_starts: Money,
}

/// What the parts are called, in the order they are told.
pub const PARTS: [&str; 5] =
    ["more invocations", "longer durations", "more memory", "failures", "cold starts"];

impl Breakdown {
    /// From `before` to `after`, of a function on these terms. The spans should be equally long.
    pub fn between(before: &Sums, after: &Sums, tariff: &Tariff, terms: Terms) -> Breakdown {
        let [before, after] = [before, after].map(|sums| Split::of(sums, tariff, terms));
        let failures = after.failed - before.failed;
        let cold_starts = after.starting - before.starting;
        let requests = after.requests - before.requests;
        let ran = after.ran - before.ran;
        let [by_number, by_duration] = before.shares_to(&after);
        let total = failures + cold_starts + requests + ran;
        Breakdown {
            total,
            invocations: requests + by_number,
            durations: by_duration,
            memory: ran - by_number - by_duration,
            failures,
            cold_starts,
        }
    }

    /// The parts by name, in the order they are told.
    pub fn parts(&self) -> [(&'static str, Money); 5] {
        let Breakdown { invocations, durations, memory, failures, cold_starts, .. } = *self;
        let parts = [invocations, durations, memory, failures, cold_starts];
        std::array::from_fn(|nth| (PARTS[nth], parts[nth]))
    }

    /// Adds the change of another function.
    pub fn add(&mut self, other: &Breakdown) {
        self.total += other.total;
        self.invocations += other.invocations;
        self.durations += other.durations;
        self.memory += other.memory;
        self.failures += other.failures;
        self.cold_starts += other.cold_starts;
    }
}

/// The cost of a span, split.
struct Split {
    /// Of those that failed, with their requests.
    failed: Money,
    /// Of starting.
    starting: Money,
    /// Of the requests that did not fail.
    requests: Money,
    /// Of what these ran.
    ran: Money,
    /// How many these are.
    number: u64,
    /// How long they ran, in billed ms.
    ms: u64,
}

impl Split {
    fn of(sums: &Sums, tariff: &Tariff, terms: Terms) -> Split {
        let rates = tariff.rates(terms.architecture);
        let cost = |number, mb_ms, ms| rates.cost(number, mb_ms, ms, terms);
        let Sums { failed, failed_ms, failed_mb_ms, start_ms, start_mb_ms, .. } = *sums;
        let number = sums.invocations.saturating_sub(failed);
        let ms = sums.billed_ms.saturating_sub(failed_ms).saturating_sub(start_ms);
        let mb_ms = sums.mb_ms.saturating_sub(failed_mb_ms).saturating_sub(start_mb_ms);
        Split {
            failed: cost(failed, failed_mb_ms, failed_ms),
            starting: cost(0, start_mb_ms, start_ms),
            requests: cost(number, 0, 0),
            ran: cost(0, mb_ms, ms),
            number,
            ms,
        }
    }

    /// What of the change of `ran` is due to the number of invocations, and to how long each ran.
    fn shares_to(&self, after: &Split) -> [Money; 2] {
        // Where nothing ran before or after, there is no telling but that something ran.
        if self.number == 0 || after.number == 0 || self.ms == 0 || after.ms == 0 {
            return [after.ran - self.ran, Money::ZERO];
        }
        let each = |split: &Split| split.ms as f64 / split.number as f64;
        let rate = |split: &Split| split.ran.units() as f64 / split.ms as f64;
        let (n0, n1) = (self.number as f64, after.number as f64);
        let (d0, d1, m0, m1) = (each(self), each(after), rate(self), rate(after));
        let shapley = |from: f64, to: f64, a: [f64; 2], b: [f64; 2]| {
            (to - from) * ((a[0] * b[0] + a[1] * b[1]) / 3.0 + (a[0] * b[1] + a[1] * b[0]) / 6.0)
        };
        // A cast of a float saturates.
        let money = |units: f64| Money::of_units(units.round() as i128);
        [money(shapley(n0, n1, [d0, d1], [m0, m1])), money(shapley(d0, d1, [n0, n1], [m0, m1]))]
    }
}
