//! A tag with its last sighting and, in lists of those who got in, its first: sixteen bytes either way, so that a
//! list of failures costs nothing for what it does not keep.
//!
//! The last sighting is kept to the millisecond (deployed to the second). The first is kept in steps of
//! [`FIRST_STEP`], rounded up, and no further back than [`FIRST_REACH`] before the last: what is older counts as that
//! old. A step is told by its lowest 14 bits, which are enough for whoever knows the last sighting.
//!
//! Law: [`Seen::join`] takes the earlier first and the later last, so order, splits and repeats change nothing.

use std::cmp::Ordering;
use std::fmt;

use crate::time::{Span, Time};

/// First sightings are kept in steps of this, rounded up.
pub const FIRST_STEP: Span = Span::minutes(2);

/// Bits of a first sighting's step that are kept. Two bytes hold them as a number of 7 bits a byte.
const FIRST_BITS: u32 = 14;

const FIRST_MASK: i64 = (1 << FIRST_BITS) - 1;

/// How far before the last sighting the first may lie; one that lies further back counts as this old: 22 days.
pub const FIRST_REACH: Span = Span(FIRST_STEP.0 * FIRST_MASK);

/// The times that can be kept, in milliseconds: from the year −15,870 to the year 19,809.
const LAST_MIN: i64 = i64::MIN >> FIRST_BITS;
const LAST_MAX: i64 = i64::MAX >> FIRST_BITS;

/// A tag and when it was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The last sighting, and in the lowest 14 bits those of the first one's step; none in a list that keeps none.
    when: i64,
    /// The tag.
    pub tag: u64,
}

impl Seen {
    /// A tag in a list that keeps last sightings only.
    pub fn last_at(tag: u64, last: Time) -> Seen {
        Seen { when: last.0.clamp(LAST_MIN, LAST_MAX) << FIRST_BITS, tag }
    }

    /// A tag that was seen once, in a list that keeps first sightings.
    pub fn once_at(tag: u64, time: Time) -> Seen {
        Seen::of(tag, time, step(time))
    }

    /// A tag whose first sighting lies `steps` steps before its last, at most those of [`FIRST_REACH`]; `None`
    /// where that was never written, or the time cannot be kept.
    pub(crate) fn since(tag: u64, last: Time, steps: u64) -> Option<Seen> {
        let steps = i64::try_from(steps).ok().filter(|steps| *steps <= FIRST_MASK)?;
        let kept = (LAST_MIN..=LAST_MAX).contains(&last.0);
        kept.then(|| Seen::of(tag, last, step(last) - steps))
    }

    fn of(tag: u64, last: Time, first: i64) -> Seen {
        let last = Time(last.0.clamp(LAST_MIN, LAST_MAX));
        let first = first.max(step(last) - FIRST_MASK);
        Seen { when: last.0 << FIRST_BITS | first & FIRST_MASK, tag }
    }

    /// Event time of the newest sighting.
    pub fn last(&self) -> Time {
        Time(self.when >> FIRST_BITS)
    }

    /// Event time of the oldest sighting, at most [`FIRST_STEP`] later than it was. Says nothing in a list that
    /// keeps none.
    pub fn first(&self) -> Time {
        Time(self.first_step() * FIRST_STEP.0)
    }

    /// How many steps before the last sighting the first one lies.
    pub(crate) fn steps(&self) -> u64 {
        ((step(self.last()) - self.when) & FIRST_MASK) as u64
    }

    fn first_step(&self) -> i64 {
        step(self.last()) - self.steps() as i64
    }

    /// Takes in what else was seen of the tag, in a list that keeps first sightings.
    pub(crate) fn join(&mut self, other: Seen) {
        let first = self.first_step().min(other.first_step());
        *self = Seen::of(self.tag, self.last().max(other.last()), first);
    }

    /// The same in a list that keeps none.
    pub(crate) fn join_last(&mut self, other: Seen) {
        self.when = self.when.max(other.when);
    }

    /// By age: of what was seen last at one time the smaller tag is the older.
    fn age(&self) -> (Time, u64, i64) {
        (self.last(), self.tag, self.when)
    }
}

/// The step that ends at or after a time.
fn step(time: Time) -> i64 {
    (time.0 + FIRST_STEP.0 - 1).div_euclid(FIRST_STEP.0)
}

impl Ord for Seen {
    fn cmp(&self, other: &Seen) -> Ordering {
        self.age().cmp(&other.age())
    }
}

impl PartialOrd for Seen {
    fn partial_cmp(&self, other: &Seen) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} at {}", self.tag, self.last().0)?;
        match self.when & FIRST_MASK {
            0 => Ok(()),
            _ => write!(f, " since {}", self.first().0),
        }
    }
}

/// Last sightings after one time, up to another, compared as they are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    after: i64,
    until: i64,
}

impl Between {
    pub(crate) fn new(after: Time, until: Time) -> Between {
        let ending = |time: Time| time.0.clamp(LAST_MIN, LAST_MAX) << FIRST_BITS | FIRST_MASK;
        Between { after: ending(after), until: ending(until) }
    }

    #[inline]
    pub(crate) fn has(self, seen: &Seen) -> bool {
        seen.when > self.after && seen.when <= self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tag_takes_sixteen_bytes() {
        assert_eq!(size_of::<Seen>(), 16);
        assert_eq!(FIRST_REACH.to_string(), Span::minutes(32_766).to_string());
    }

    #[test]
    fn what_was_never_written_is_none() {
        let at = Time(1_700_000_000_000);
        assert_eq!(Seen::since(1, at, 0), Some(Seen::once_at(1, at)));
        assert!(Seen::since(1, at, FIRST_MASK as u64).is_some());
        assert_eq!(Seen::since(1, at, FIRST_MASK as u64 + 1), None);
        assert_eq!(Seen::since(1, Time(LAST_MAX + 1), 0), None);
        // A forged time is kept as the last one that can be.
        assert_eq!(Seen::last_at(1, Time(i64::MAX)).last(), Time(LAST_MAX));
        assert_eq!(Seen::once_at(1, Time(i64::MAX / 4)).last(), Time(LAST_MAX));
    }

    proptest! {
        #[test]
        fn joined_in_any_order_and_twice_it_has_the_first_and_the_last(
            mut times in prop::collection::vec(-4_000_000_000i64..4_000_000_000, 1..20),
            order in any::<prop::sample::Index>(),
        ) {
            let joined = |times: &[i64]| {
                let mut seen = Seen::once_at(7, Time(times[0]));
                times.iter().for_each(|time| seen.join(Seen::once_at(7, Time(*time))));
                seen
            };
            let whole = joined(&times);
            let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
            let (first, last) = (first.expect("some"), last.expect("some"));
            prop_assert_eq!(whole.last(), Time(last));
            let told = whole.first().0;
            match last - first <= FIRST_REACH.0 - FIRST_STEP.0 {
                true => prop_assert!((first..first + FIRST_STEP.0).contains(&told), "{told}"),
                false => prop_assert!(first <= told && told <= last, "{told}"),
            }
            prop_assert_eq!(Seen::since(7, whole.last(), whole.steps()), Some(whole));
            let at = order.index(times.len());
            let (mut left, right) = (joined(&times[..=at]), joined(&times[at..]));
            left.join(right);
            left.join(right);
            prop_assert_eq!(left, whole);
            times.reverse();
            prop_assert_eq!(joined(&times), whole);
        }

        #[test]
        fn a_span_has_what_was_last_seen_in_it(
            last in -50i64..50, after in -60i64..60, until in -60i64..60, once in any::<bool>(),
        ) {
            let make = if once { Seen::once_at } else { Seen::last_at };
            let within = Between::new(Time(after), Time(until)).has(&make(1, Time(last)));
            prop_assert_eq!(within, after < last && last <= until);
            prop_assert!(Between::new(Time(i64::MIN), Time(i64::MAX)).has(&make(1, Time(last))));
        }
    }
}
