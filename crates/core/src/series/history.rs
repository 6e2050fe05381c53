//! The numbers of a series, one for each pane, as they are kept: five weeks and what the oldest shape and mean
//! of them reach back further.

use std::collections::VecDeque;

use super::steps::Step;

/// Numbers of panes next to each other, the newest last.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    steps: VecDeque<Step>,
    /// The pane behind the newest.
    next: i64,
    /// How many panes are kept.
    most: usize,
}

impl History {
    pub(super) fn new(most: usize) -> History {
        History { steps: VecDeque::new(), next: 0, most }
    }

    /// The newest pane; nothing before the first.
    pub fn newest(&self) -> Option<i64> {
        (!self.steps.is_empty()).then(|| self.next - 1)
    }

    /// How many panes are kept.
    pub fn panes(&self) -> usize {
        self.steps.len()
    }

    /// The pane `index`; absent if it is not kept.
    pub fn at(&self, index: i64) -> Step {
        let back = usize::try_from(self.next - index).ok();
        let at = back.and_then(|back| self.steps.len().checked_sub(back));
        at.and_then(|at| self.steps.get(at)).copied().unwrap_or(Step::ABSENT)
    }

    /// The oldest pane that can be kept beside `pane`.
    pub(super) fn oldest_beside(&self, pane: i64) -> i64 {
        pane + 1 - self.most as i64
    }

    /// All panes, oldest first, with their indexes.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, Step)> + ExactSizeIterator {
        let oldest = self.next - self.steps.len() as i64;
        self.steps.iter().enumerate().map(move |(at, step)| (oldest + at as i64, *step))
    }

    /// The panes from `first` on and before `end` that are kept.
    pub fn between(&self, first: i64, end: i64) -> impl Iterator<Item = Step> {
        let oldest = self.next - self.steps.len() as i64;
        let at = |pane: i64| (pane - oldest).clamp(0, self.steps.len() as i64) as usize;
        let (first, end) = (at(first), at(end));
        self.steps.range(first..end.max(first)).copied()
    }

    pub(super) fn begin(&mut self, first: i64) {
        self.steps.clear();
        self.next = first;
    }

    pub(super) fn push(&mut self, step: Step) {
        if self.steps.len() == self.most {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
        self.next += 1;
    }
}
