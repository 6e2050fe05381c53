//! Panes of one width, as far back from the newest as they are kept.
//!
//! Invariant: what is kept is a function of what was added, in whatever order: sums by pane, of the panes
//! nearer to the newest than `kept` of them.

use std::collections::BTreeMap;

use crate::invocation::Invocation;
use crate::meter::durations::Durations;
use crate::meter::sums::Sums;
use crate::time::{Span, Time};

/// Bytes that a tree takes for a pane besides the pane: its key, and the room in half-filled nodes.
const NODE_BYTES: usize = 48;

/// Sums over the invocations of one span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pane {
    /// What they took.
    pub sums: Sums,
    /// How long they took.
    pub durations: Durations,
}

/// Panes by their start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panes {
    width: Span,
    kept: i64,
    by_number: BTreeMap<i64, Pane>,
}

impl Pane {
    /// Counts a line. `may_grow` is whether there is memory for another bucket of durations; says whether
    /// the duration was counted.
    pub fn note(&mut self, invocation: &Invocation, may_grow: bool) -> bool {
        self.sums.note(invocation);
        match &invocation.report {
            Some(report) => self.durations.note(report.duration_us, may_grow),
            None => true,
        }
    }

    /// Adds another pane.
    pub fn add(&mut self, other: &Pane) {
        self.sums.add(&other.sums);
        self.durations.add(&other.durations);
    }

    fn bytes(&self) -> usize {
        size_of::<Pane>() + NODE_BYTES + self.durations.heap_bytes()
    }
}

impl Panes {
    /// None yet, of which `kept` will be.
    pub fn new(width: Span, kept: i64) -> Panes {
        Panes { width, kept, by_number: BTreeMap::new() }
    }

    fn number(&self, time: Time) -> i64 {
        time.0.div_euclid(self.width.0)
    }

    /// Counts a line at `time`, unless it lies before what is kept. Says whether the duration was counted.
    pub fn note(&mut self, time: Time, invocation: &Invocation, may_grow: bool) -> bool {
        let number = self.number(time);
        if number <= self.oldest_forgotten() {
            return true;
        }
        let counted = self.by_number.entry(number).or_default().note(invocation, may_grow);
        self.forget();
        counted
    }

    /// Adds the panes of other invocations.
    pub fn add(&mut self, other: &Panes) {
        for (number, pane) in &other.by_number {
            self.by_number.entry(*number).or_default().add(pane);
        }
        self.forget();
    }

    fn oldest_forgotten(&self) -> i64 {
        self.by_number.last_key_value().map_or(i64::MIN, |(newest, _)| newest - self.kept)
    }

    fn forget(&mut self) {
        let forgotten = self.oldest_forgotten();
        while self.by_number.first_key_value().is_some_and(|(first, _)| *first <= forgotten) {
            self.by_number.pop_first();
        }
    }

    /// How wide a pane is.
    pub fn width(&self) -> Span {
        self.width
    }

    /// Those with something in them, by their start.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (Time, &Pane)> {
        self.by_number.iter().map(|(number, pane)| (Time(number * self.width.0), pane))
    }

    /// The sum of those that begin from `from` on and before `until`.
    pub fn between(&self, from: Time, until: Time) -> Pane {
        let mut sum = Pane::default();
        if from < until {
            // The first pane that begins no earlier than a time.
            let first = |time: Time| -(-time.0).div_euclid(self.width.0);
            self.by_number.range(first(from)..first(until)).for_each(|(_, pane)| sum.add(pane));
        }
        sum
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.by_number.values().map(Pane::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Ending;

    #[test]
    fn a_span_is_the_panes_that_begin_in_it() {
        let mut panes = Panes::new(Span(100), 4);
        let mention = Invocation { request: None, ending: Ending::Timeout, report: None };
        for time in [-150, 0, 99, 100, 250, 420] {
            panes.note(Time(time), &mention, true);
        }
        let between =
            |panes: &Panes, from, until| panes.between(Time(from), Time(until)).sums.failed_starts;
        // The pane of 420 is the newest of four: what began before 100 is forgotten.
        assert_eq!(panes.all().map(|(time, _)| time.0).collect::<Vec<_>>(), [100, 200, 400]);
        let spans = [(100, 300), (101, 300), (100, 401), (300, 100), (-500, 900)];
        let found = spans.map(|(from, until)| between(&panes, from, until));
        assert_eq!(found, [2, 1, 3, 0, 3]);
        panes.note(Time(50), &mention, true);
        assert_eq!(between(&panes, -500, 900), 3);
    }
}
