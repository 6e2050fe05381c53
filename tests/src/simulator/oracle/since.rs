//! Since when values are seen, by definition: by looking at all that was ever seen of them.
//!
//! A first sighting may legally be kept as much as two minutes later than it was. What is older than anything that
//! is surely counted, or what a list had to put out, need not be known.

use std::collections::BTreeMap;

use tidewatch_core::detector::{DistinctField, Filter};
use tidewatch_core::first_seen::Since;
use tidewatch_core::limits::REMEMBERED;
use tidewatch_core::seen::FIRST_STEP;

use super::{History, Interval, MINUTE, value};

/// How late an event may come and be counted all the same: twice the longest window.
const LATE_MS: i64 = 2 * 24 * 60 * MINUTE;

/// What is true of a value.
struct Sighted {
    first_ms: i64,
    /// Whether it was seen early enough to be known, and late enough to be counted for certain.
    surely_known: bool,
    /// Up to the window's end.
    last_ms: i64,
}

impl History {
    /// How many values are new, or known, by when they were seen first, in the window that ends at a time; `full`
    /// where a list had to put some out.
    pub fn since(
        &self,
        (field, filter): (DistinctField, Filter),
        since: Since,
        (span_ms, at_ms): (i64, i64),
    ) -> Interval {
        let head_ms = self.head_ms();
        let begun_ms = at_ms - since.span().0;
        let mut seen: BTreeMap<u64, Sighted> = BTreeMap::new();
        for sighting in self.within(i64::MIN, at_ms).iter().filter(|s| s.passes(filter)) {
            let ms = sighting.time_ms;
            let of = seen.entry(value(sighting, field)).or_insert(Sighted {
                first_ms: ms,
                surely_known: false,
                last_ms: ms,
            });
            let is_old = head_ms - LATE_MS < ms && ms <= begun_ms - FIRST_STEP.0;
            of.surely_known |= is_old;
            of.last_ms = ms;
        }
        let full = self.is_full(field, filter, head_ms - REMEMBERED.0 - 1_000, head_ms);
        let count = |counts: &dyn Fn(&Sighted) -> bool| {
            seen.values().filter(|of| counts(of)).count() as f64
        };
        let after_ms = at_ms - span_ms;
        let (low, high) = match since {
            Since::NewWithin(_) => (
                count(&|of| of.last_ms > after_ms && of.first_ms > begun_ms),
                count(&|of| of.last_ms > after_ms - 1_000 && (full || !of.surely_known)),
            ),
            Since::KnownFor(_) => (
                count(&|of| of.surely_known),
                count(&|of| of.first_ms <= begun_ms && of.last_ms > head_ms - REMEMBERED.0 - 1_000),
            ),
        };
        let low = if full { 0.0 } else { low };
        Interval { low, high, truth: low, full }
    }
}
