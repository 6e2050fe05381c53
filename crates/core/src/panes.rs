//! Counter panes: sums per slice of time, so that a sliding window forgets by dropping slices.
//!
//! A ring holds panes of one width, one rung of the ladder in [`crate::retention`], aligned to the
//! epoch, sorted, only those with something in them.
//! Merging adds pane by pane, so it is commutative and associative; it is not idempotent, which is why
//! the shared state guards counters by sequence number.
//!
//! Law: for a window (t − SPAN, t] with t the newest event, oracle(SPAN) ≤ sum ≤ oracle(SPAN + pane).

use smallvec::SmallVec;

use crate::time::{Span, Time};

/// How wide panes are and how far back they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The width of a pane.
    pub pane: Span,
    /// How far back they are kept.
    pub span: Span,
}

impl Resolution {
    /// The pane that holds `time`.
    pub fn index(&self, time: Time) -> i64 {
        time.0.div_euclid(self.pane.0)
    }

    /// The first and the last pane of the window (at − span, at].
    pub fn window(&self, at: Time, span: Span) -> (i64, i64) {
        (self.index(Time(at.minus(span).0 + 1)), self.index(at))
    }
}

/// A set of counters: bit i is counter i.
pub type Slots = u64;

/// A sum in two sets of counters, because a counter has 32 bits and a sum of bytes needs more: what one adds to
/// both is split by [`Part::of`], so adding them up is as exact as adding the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Those that count ones.
    pub ones: Slots,
    /// Those that count units of 1,024.
    pub kibs: Slots,
}

/// What a counter holds of each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How many numbers there are, or their sum where they are small.
    Whole,
    /// The units of 1,024.
    Kibs,
    /// The rest.
    Rest,
}

/// Ones in a unit of [`Part::Kibs`].
const KIB: u64 = 1_024;

impl Part {
    /// The part of a number.
    pub fn of(self, number: u64) -> u64 {
        match self {
            Part::Whole => number,
            Part::Kibs => number / KIB,
            Part::Rest => number % KIB,
        }
    }
}

impl Sum {
    /// A sum of small numbers.
    pub fn of_ones(ones: Slots) -> Sum {
        Sum { ones, kibs: 0 }
    }

    /// The sum over panes `first..=last` of a ring.
    pub fn over(self, ring: &Ring, panes: (i64, i64)) -> u64 {
        let kibs = if self.kibs == 0 { 0 } else { ring.sum(self.kibs, panes) };
        ring.sum(self.ones, panes).saturating_add(kibs.saturating_mul(KIB))
    }
}

/// Counters that a pane holds in itself: as many as there are kinds of signal, and the shipped detectors need.
const COUNTS_INLINE: usize = 6;

/// One slice of time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pane {
    index: i64,
    first: Time,
    /// Saturated; the first of a key's counters without an allocation of their own.
    counts: SmallVec<[u32; COUNTS_INLINE]>,
}

/// The counters of one key at one resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    panes: Vec<Pane>,
}

impl Ring {
    /// The pane that holds `time`, which is the newest one as a rule: that is told without a division.
    #[inline]
    pub(crate) fn index_of(&self, time: Time, resolution: Resolution) -> i64 {
        let width = resolution.pane.0;
        let in_newest =
            |pane: &&Pane| (0..width).contains(&time.0.saturating_sub(pane.index * width));
        self.panes
            .last()
            .filter(in_newest)
            .map_or_else(|| resolution.index(time), |pane| pane.index)
    }

    /// Adds `amount`, seen at `time`, to counter `slot` of `slots` in pane `index`. Sums saturate.
    pub fn add(&mut self, index: i64, time: Time, slot: usize, slots: usize, amount: u64) {
        self.pane(index, time, slots).add(slot, amount);
    }

    /// Adds `amount`, seen at `time`, to each of the counters `which`, of `slots`, in pane `index`.
    pub fn add_to_all(
        &mut self,
        index: i64,
        time: Time,
        (which, slots): (&[usize], usize),
        amount: u64,
    ) {
        let counts = self.pane(index, time, slots).counts.as_mut_slice();
        which.iter().for_each(|slot| add(&mut counts[*slot], amount));
    }

    /// The pane of `index` for something seen at `time`, made where it is missing.
    #[inline]
    fn pane(&mut self, index: i64, time: Time, slots: usize) -> &mut Pane {
        let is_newest = self.panes.last().is_some_and(|last| last.index == index);
        let at = if is_newest { self.panes.len() - 1 } else { self.place(index, time, slots) };
        let pane = &mut self.panes[at];
        pane.first = pane.first.min(time);
        pane
    }

    /// Where a pane stands that is not the newest, made where it is missing.
    fn place(&mut self, index: i64, time: Time, slots: usize) -> usize {
        let found = match self.panes.last() {
            Some(last) if last.index > index => {
                self.panes.binary_search_by_key(&index, |pane| pane.index)
            }
            _ => Err(self.panes.len()),
        };
        found.unwrap_or_else(|at| {
            self.panes.insert(at, Pane::new(index, time, slots));
            at
        })
    }

    /// The sum of the counters in `slots` over panes `first..=last`.
    pub fn sum(&self, slots: Slots, (first, last): (i64, i64)) -> u64 {
        let panes = self.panes.iter().rev().skip_while(|pane| pane.index > last);
        let panes = panes.take_while(|pane| pane.index >= first);
        match slots.is_power_of_two() {
            true => {
                let slot = slots.trailing_zeros() as usize;
                panes.fold(0, |sum, pane| sum.saturating_add(u64::from(pane.counts[slot])))
            }
            false => panes.fold(0, |sum, pane| sum.saturating_add(pane.sum(slots))),
        }
    }

    /// The panes: index, earliest event time, counters by slot.
    pub fn panes(&self) -> impl DoubleEndedIterator<Item = (i64, Time, &[u32])> {
        self.panes.iter().map(|pane| (pane.index, pane.first, pane.counts.as_slice()))
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// The earliest time counted in panes `first..=last`.
    pub fn first(&self, (first, last): (i64, i64)) -> Option<Time> {
        let within = self.panes.iter().find(|pane| (first..=last).contains(&pane.index));
        within.map(|pane| pane.first)
    }

    /// Drops panes before `first`.
    pub fn forget_before(&mut self, first: i64) {
        if self.panes.first().is_some_and(|pane| pane.index < first) {
            self.panes.retain(|pane| pane.index >= first);
        }
    }

    /// Moves panes before `first` into `upper`, whose panes are `ratio` times as wide.
    pub fn move_up_before(&mut self, first: i64, upper: &mut Ring, ratio: i64) {
        if self.panes.first().is_none_or(|pane| pane.index >= first) {
            return;
        }
        let moving = self.panes.partition_point(|pane| pane.index < first);
        for pane in self.panes.drain(..moving) {
            upper.add_pane(pane.index.div_euclid(ratio), &pane);
        }
    }

    /// Adds everything `other` counted.
    pub fn merge(&mut self, other: &Ring) {
        for pane in &other.panes {
            self.add_pane(pane.index, pane);
        }
    }

    fn add_pane(&mut self, index: i64, theirs: &Pane) {
        let pane = self.pane(index, theirs.first, theirs.counts.len());
        for (slot, amount) in theirs.counts.iter().enumerate() {
            pane.add(slot, u64::from(*amount));
        }
    }

    /// Bytes on the heap. All panes have the same number of slots, so the first one tells whether
    /// their counts are on the heap too.
    pub fn heap_bytes(&self) -> usize {
        let spilled = match self.panes.first() {
            Some(pane) if pane.counts.spilled() => pane.counts.capacity() * size_of::<u32>(),
            _ => 0,
        };
        self.panes.capacity() * size_of::<Pane>() + self.panes.len() * spilled
    }
}

impl Pane {
    fn new(index: i64, first: Time, slots: usize) -> Pane {
        Pane { index, first, counts: SmallVec::from_elem(0, slots) }
    }

    fn add(&mut self, slot: usize, amount: u64) {
        add(&mut self.counts[slot], amount);
    }

    fn sum(&self, slots: Slots) -> u64 {
        let slot = |(slot, amount): (usize, &u32)| (slots >> slot & 1) * u64::from(*amount);
        self.counts.iter().enumerate().map(slot).fold(0, u64::saturating_add)
    }
}

fn add(count: &mut u32, amount: u64) {
    *count = count.saturating_add(u32::try_from(amount).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RESOLUTION: Resolution = Resolution { pane: Span::seconds(10), span: Span::seconds(300) };

    fn ring(events: &[(i64, u64)]) -> Ring {
        let mut ring = Ring::default();
        for (time, amount) in events {
            // Told by the newest pane or not, it is the pane.
            let width = RESOLUTION.pane.0;
            for time in [*time, time - time.rem_euclid(width) - 1, time - time.rem_euclid(width)] {
                let time = Time(time);
                assert_eq!(ring.index_of(time, RESOLUTION), RESOLUTION.index(time));
            }
            ring.add(RESOLUTION.index(Time(*time)), Time(*time), 0, 1, *amount);
        }
        ring
    }

    fn oracle(events: &[(i64, u64)], at: i64, span: i64) -> u64 {
        events.iter().filter(|(t, _)| *t > at - span && *t <= at).map(|(_, n)| n).sum()
    }

    proptest! {
        #[test]
        fn sums_lie_between_the_oracle_and_one_pane_more(
            events in proptest::collection::vec((0i64..2_000_000, 1u64..5), 1..60),
        ) {
            let at = events.iter().map(|(t, _)| *t).max().unwrap();
            let window = RESOLUTION.window(Time(at), RESOLUTION.span);
            let sum = ring(&events).sum(1, window);
            prop_assert!(oracle(&events, at, 300_000) <= sum);
            prop_assert!(sum <= oracle(&events, at, 310_000));
        }

        #[test]
        fn merging_adds_and_does_not_depend_on_order(
            events in proptest::collection::vec((-50_000i64..900_000, 1u64..5), 1..60),
            cut in 0usize..60,
        ) {
            let (left, right) = events.split_at(cut.min(events.len()));
            let mut ab = ring(left);
            ab.merge(&ring(right));
            let mut ba = ring(right);
            ba.merge(&ring(left));
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(&ab, &ring(&events));
        }
    }
}
