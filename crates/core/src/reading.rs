//! What is read of a window: its measures, each looked at once whichever detectors ask, and whether conditions on
//! them hold.
//!
//! Detectors on one key ask for the same over and over: a measure over a span is looked up in the window once, for
//! its slack and for all verdicts. What a sketch says of it is kept apart from what is certain, so that what a
//! detector reads does not depend on what others have asked.

use smallvec::SmallVec;

use crate::detector::{Comparison, Condition, Operand};
use crate::finding::Accuracy;
use crate::plan::{Counted, DetectorPlan, KeyPlan};
use crate::window::{Bounds, Window};

/// Measures of a key, each over its span, that need no memory of their own.
const LOOKS_USUAL: usize = 40;

/// A number that nobody has looked at yet.
const UNSEEN: f64 = f64::NAN;

/// What was looked at of one window, by the places that a plan gives to measures: see [`DetectorPlan::looks_at`].
pub(crate) struct Looked {
    bounds: SmallVec<[Bounds; LOOKS_USUAL]>,
    at_most: SmallVec<[f64; LOOKS_USUAL]>,
    estimated: SmallVec<[f64; LOOKS_USUAL]>,
}

impl Looked {
    /// Nothing yet.
    pub(crate) fn new(plan: &KeyPlan) -> Looked {
        Looked {
            bounds: SmallVec::from_elem(Bounds { low: UNSEEN, high: UNSEEN }, plan.looks),
            at_most: SmallVec::from_elem(UNSEEN, plan.looks),
            estimated: SmallVec::from_elem(UNSEEN, plan.looks),
        }
    }
}

/// What a condition asks for, from cheap to dear.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cost {
    /// Counters are looked up.
    Counter,
    /// Names are told apart.
    Names,
    /// Names are put in order, or all panes are looked at.
    History,
}

impl Cost {
    /// All there are.
    pub(crate) const ALL: [Cost; 3] = [Cost::Counter, Cost::Names, Cost::History];

    /// What it costs to tell whether a condition holds.
    pub(crate) fn of(condition: &Condition, detector: &DetectorPlan) -> Cost {
        let cost = |measure: usize| match detector.measures[measure] {
            Counted::Counter(_) | Counted::Sum(_) => Cost::Counter,
            Counted::Distinct(..) | Counted::FirstSeen(..) => Cost::Names,
            Counted::Busiest(_) | Counted::Change { .. } | Counted::Sequential { .. } => {
                Cost::History
            }
        };
        let left = cost(condition.measure);
        match condition.operand {
            Operand::Number(_) => left,
            Operand::Scaled { measure, .. } => left.max(cost(measure)),
        }
    }
}

/// One detector's view of a window.
pub(crate) struct Reading<'a, 'l> {
    /// Whose.
    pub(crate) detector: &'a DetectorPlan,
    /// Of what.
    pub(crate) window: &'a Window<'a>,
    looked: &'l mut Looked,
}

impl<'a, 'l> Reading<'a, 'l> {
    /// `looked` is what is known of the window already.
    pub(crate) fn new(
        detector: &'a DetectorPlan,
        window: &'a Window<'a>,
        looked: &'l mut Looked,
    ) -> Reading<'a, 'l> {
        Reading { detector, window, looked }
    }

    /// What a measure counts.
    pub(crate) fn counted(&self, measure: usize) -> Counted {
        self.detector.measures[measure]
    }

    /// Whether a measure must come to more than it can, by the lengths of its lists: so most sources are done
    /// with, without their names being counted.
    fn is_out_of_reach(&mut self, condition: &Condition) -> bool {
        let Operand::Number(number) = condition.operand else { return false };
        let reaching = matches!(condition.comparison, Comparison::AtLeast | Comparison::MoreThan);
        reaching && self.at_most(condition.measure) < number
    }

    // Judging is most of what an event costs, and its conditions are few.
    #[inline(always)]
    pub(crate) fn holds(&mut self, condition: &Condition) -> bool {
        if self.is_out_of_reach(condition) {
            return false;
        }
        let left = self.bounds(condition.measure);
        let right = match condition.operand {
            Operand::Number(number) => Bounds { low: number, high: number },
            Operand::Scaled { factor, measure } => scaled(self.bounds(measure), factor),
        };
        match compare(condition.comparison, left, right) {
            Some(certain) => certain,
            None => self.holds_by_parts(condition) || self.holds_by_sketch(condition),
        }
    }

    /// Whether a share is certain by what both measures have in common: right is at most left and
    /// what only right counts, so left ≥ factor × right where (1 − factor) × left ≥ factor × that.
    /// It settles the usual case of a flood, whose names are nearly all of a source's names, without
    /// any sketch.
    fn holds_by_parts(&mut self, condition: &Condition) -> bool {
        let Operand::Scaled { factor, measure } = condition.operand else { return false };
        if factor > 1.0 {
            return false;
        }
        let measures = (self.detector.measures[condition.measure], self.detector.measures[measure]);
        let left = (1.0 - factor) * self.bounds(condition.measure).low;
        let right = factor * self.window.only_in_second(measures, self.detector);
        match condition.comparison {
            Comparison::AtLeast => left >= right,
            Comparison::MoreThan => left > right,
            Comparison::AtMost | Comparison::LessThan => false,
        }
    }

    /// Asks the sketches; a measure without one keeps its interval, which did not decide.
    fn holds_by_sketch(&mut self, condition: &Condition) -> bool {
        let left = self.estimated(condition.measure);
        let right = match condition.operand {
            Operand::Number(number) => Bounds { low: number, high: number },
            Operand::Scaled { factor, measure } => scaled(self.estimated(measure), factor),
        };
        compare(condition.comparison, left, right).unwrap_or(false)
    }

    /// What a measure lies between.
    pub(crate) fn bounds(&mut self, measure: usize) -> Bounds {
        let known = &mut self.looked.bounds[self.detector.looks_at[measure]];
        if known.low.is_nan() {
            *known = self.window.bounds(self.detector.measures[measure], self.detector);
        }
        *known
    }

    /// What a measure cannot be more than, as far as is told without telling names apart.
    pub(crate) fn at_most(&mut self, measure: usize) -> f64 {
        let known = &mut self.looked.at_most[self.detector.looks_at[measure]];
        if known.is_nan() {
            *known = self.window.at_most(self.detector.measures[measure], self.detector);
        }
        *known
    }

    fn estimated(&mut self, measure: usize) -> Bounds {
        let bounds = self.bounds(measure);
        if bounds.low == bounds.high {
            return bounds;
        }
        let known = &mut self.looked.estimated[self.detector.looks_at[measure]];
        if known.is_nan() {
            let value = self.window.value(self.detector.measures[measure], self.detector);
            *known = if value.error == Accuracy::AtLeast { f64::INFINITY } else { value.amount };
        }
        // Nothing is estimated where no sketch stands behind it.
        if known.is_infinite() { bounds } else { Bounds { low: *known, high: *known } }
    }
}

fn scaled(bounds: Bounds, factor: f64) -> Bounds {
    Bounds { low: bounds.low * factor, high: bounds.high * factor }
}

/// Whether the comparison holds for all values of both intervals, for none, or undecided.
fn compare(comparison: Comparison, left: Bounds, right: Bounds) -> Option<bool> {
    let (always, never) = match comparison {
        Comparison::AtLeast => (left.low >= right.high, left.high < right.low),
        Comparison::MoreThan => (left.low > right.high, left.high <= right.low),
        Comparison::AtMost => (left.high <= right.low, left.low > right.high),
        Comparison::LessThan => (left.high < right.low, left.low >= right.high),
    };
    if always {
        Some(true)
    } else if never {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_decides_only_as_a_whole() {
        let of = |low, high| Bounds { low, high };
        let inf = f64::INFINITY;
        let at_least = |left, right| compare(Comparison::AtLeast, left, right);
        assert_eq!(at_least(of(256.0, inf), of(30.0, 30.0)), Some(true));
        assert_eq!(at_least(of(256.0, inf), of(300.0, 300.0)), None);
        assert_eq!(at_least(of(48.0, 48.0), of(128.0, inf)), Some(false));
        assert_eq!(at_least(of(256.0, inf), of(128.0, inf)), None);
        assert_eq!(compare(Comparison::LessThan, of(256.0, inf), of(100.0, 100.0)), Some(false));
        assert_eq!(compare(Comparison::AtMost, of(256.0, inf), of(300.0, 300.0)), None);
    }
}
