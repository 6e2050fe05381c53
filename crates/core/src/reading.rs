//! One detector's view of a window: its measures, each looked at once, and whether conditions on them hold.

use crate::detector::{Comparison, Condition, Operand};
use crate::finding::Accuracy;
use crate::plan::{Counted, DetectorPlan};
use crate::window::{Bounds, Window};

/// Measures of a detector that are remembered; those behind them are looked at each time.
const MEASURES_KEPT: usize = 12;

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

/// One judgement's view of a window.
pub(crate) struct Reading<'a> {
    /// Whose.
    pub(crate) detector: &'a DetectorPlan,
    /// Of what.
    pub(crate) window: &'a Window<'a>,
    bounds: [Option<Bounds>; MEASURES_KEPT],
    at_most: [Option<f64>; MEASURES_KEPT],
}

impl<'a> Reading<'a> {
    pub(crate) fn new(detector: &'a DetectorPlan, window: &'a Window<'a>) -> Reading<'a> {
        let (bounds, at_most) = ([None; MEASURES_KEPT], [None; MEASURES_KEPT]);
        Reading { detector, window, bounds, at_most }
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
        let look = || self.window.bounds(self.detector.measures[measure], self.detector);
        match self.bounds.get_mut(measure) {
            Some(known) => *known.get_or_insert_with(look),
            None => look(),
        }
    }

    /// What a measure cannot be more than, as far as is told without telling names apart.
    pub(crate) fn at_most(&mut self, measure: usize) -> f64 {
        let look = || self.window.at_most(self.detector.measures[measure], self.detector);
        match self.at_most.get_mut(measure) {
            Some(known) => *known.get_or_insert_with(look),
            None => look(),
        }
    }

    fn estimated(&mut self, measure: usize) -> Bounds {
        let bounds = self.bounds(measure);
        if bounds.low == bounds.high {
            return bounds;
        }
        let value = self.window.value(self.detector.measures[measure], self.detector);
        let estimated = match value.error {
            Accuracy::AtLeast => bounds,
            _ => Bounds { low: value.amount, high: value.amount },
        };
        if let Some(known) = self.bounds.get_mut(measure) {
            *known = Some(estimated);
        }
        estimated
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
