//! A series: one number for each pane of five minutes, five weeks back, and what is odd about the newest.
//!
//! It is what detectors of cost and duration decide by, so what they need of it is what there is:
//!
//! | detector | its series | what it reads of [`Weighed`] |
//! |---|---|---|
//! | cost-spike | dollars of a function, or of a principal | `raised.at_once()`, `usual`, `nearest`, `novelty`; [`episode::news`] |
//! | cost-drift | dollars | `raised.creeps`, `creep` |
//! | duration-regression | p50, p95, p99 in milliseconds, absent without invocations | as cost-spike |
//! | timeout-storm, error-storm, cold-start-storm | their counts, with a floor in counts | as cost-spike |
//! | went-silent | invocations | `silence` |
//! | budget-burn | dollars | the sum of the month so far and [`Series::ahead`] of the rest of it |
//!
//! [`Series::close`] takes each pane in once, when it is over, and [`weigh`] says what it is: how far it is from
//! everything before ([`novelty`]), how rare that is ([`rank`]), what is usual at its hour ([`season`]), whether
//! the days creep ([`creep`]). [`quiet_max`] says beforehand how much would go unalerted.
//!
//! All of that is a function of the numbers. The history is kept as two bytes a pane ([`steps`]), and beside it
//! the largest distances: facts about single panes that never change, for which ten weeks would have to be kept
//! otherwise. What makes it quick is derived from these when it is needed, and may be let go ([`Series::rest`]).
//! Hence whoever starts from a stored series, or from the numbers of ten weeks and three hours, says what a process
//! that never stopped would have said.
//!
//! What was tried and is not here: to keep alerted panes out of what a pane is compared with. It makes a repeated
//! incident novel again, and each lasting change an alert twice a day: 65 points instead of 74 on the open files
//! of the Numenta Anomaly Benchmark by value alone, 55 where their distances are kept out too. A repeated incident
//! is found by its hour instead: see [`season`].

pub mod ahead;
pub mod creep;
pub mod episode;
pub mod history;
mod kept;
pub mod novelty;
#[cfg(test)]
mod plain;
pub mod rank;
pub mod season;
pub mod settings;
pub mod steps;
pub mod weighed;

use std::borrow::Cow;

pub use kept::{Malformed, STORED_BYTES_MAX};
pub use settings::{DOLLARS, NAB, PAGING, Settings};
pub use weighed::{Bounds, Novelty, QuietMax, Raised, Weighed, quiet_max, weigh};

use ahead::Ahead;
use creep::Creep;
use history::History;
use novelty::Reference;
use rank::Distances;
use season::{Season, Usual};
use steps::Step;

use crate::time::{Span, Time};

/// How wide panes usually are.
pub const PANE: Span = Span::minutes(5);

/// Panes that a pane is compared with: five weeks of five minutes.
pub const HISTORY_PANES: usize = 5 * 7 * 24 * 12;

/// Panes that are kept: those, and what the oldest shape and mean reach back further.
pub const KEPT_PANES: usize = HISTORY_PANES + novelty::REACH_PANES;

/// What the numbers of a series take: 20 KB.
pub const HISTORY_BYTES: usize = KEPT_PANES * steps::BYTES;

/// What a pane is in which nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Nothing: no invocation costs no dollars.
    Zero,
    /// Not measured: no invocation has no duration.
    Absent,
}

/// A pane that was closed before, or is older than all that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pane {0} is closed already")]
pub struct Closed(pub i64);

/// One number for each pane, and the distances that can still matter.
#[derive(Clone, Debug)]
pub struct Series {
    width: Span,
    gap: Gap,
    horizon: usize,
    history: History,
    value: Distances,
    shape: Distances,
    hours: Distances,
    reference: Option<Box<Reference>>,
    days: Option<Box<ClosedDays>>,
}

/// What only changes when a day is over.
#[derive(Clone, Debug, PartialEq)]
struct ClosedDays {
    season: Season,
    creep: Option<Creep>,
}

impl Series {
    /// An empty series of panes of `width`.
    pub fn new(width: Span, gap: Gap) -> Series {
        Series::looking_back(HISTORY_PANES, width, gap)
    }

    fn looking_back(horizon: usize, width: Span, gap: Gap) -> Series {
        let distances = || Distances::new(horizon);
        Series {
            width,
            gap,
            horizon,
            history: History::new(horizon + novelty::REACH_PANES),
            value: distances(),
            shape: distances(),
            hours: distances(),
            reference: None,
            days: None,
        }
    }

    /// The pane that holds `time`.
    pub fn pane(&self, time: Time) -> i64 {
        time.0.div_euclid(self.width.0)
    }

    /// How wide panes are.
    pub fn width(&self) -> Span {
        self.width
    }

    /// The numbers.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Takes a pane in that is over, and those before it in which nothing happened. Each is taken in once; what
    /// comes late for it is not.
    pub fn close(&mut self, pane: i64, number: Option<f64>) -> Result<(), Closed> {
        let next = match self.history.newest() {
            None => pane,
            Some(newest) if pane <= newest => return Err(Closed(pane)),
            Some(newest) => newest + 1,
        };
        let empty = match self.gap {
            Gap::Zero => Step(0),
            Gap::Absent => Step::ABSENT,
        };
        // After so long nothing before the gap can matter.
        let forgotten = 2 * self.horizon as i64 + novelty::REACH_PANES as i64;
        let mut from = next;
        if pane - next > forgotten {
            *self = Series::looking_back(self.horizon, self.width, self.gap);
            from = pane - forgotten;
        }
        if self.history.newest().is_none() {
            self.history.begin(from);
        }
        for between in from..pane {
            self.push(between, empty);
        }
        self.push(pane, number.map_or(empty, Step::of));
        Ok(())
    }

    fn push(&mut self, pane: i64, step: Step) {
        let today = season::day(pane, self.width);
        if self.days.as_ref().is_none_or(|days| days.season.day != today) {
            self.days = Some(Box::new(self.closed_before(today)));
        }
        let (horizon, history) = (self.horizon, &self.history);
        let steps = || history.iter().map(|(_, step)| step);
        let reference =
            self.reference.get_or_insert_with(|| Box::new(Reference::of(horizon, steps())));
        let away = reference.push(step);
        self.history.push(step);
        self.value.push(pane, away.value);
        self.shape.push(pane, away.shape);
        self.hours.push(pane, away.hours);
    }

    /// Lets go what can be derived again: it costs a millisecond at the next pane.
    pub fn rest(&mut self) {
        self.reference = None;
        self.days = None;
    }

    /// How rare the newest pane is.
    pub fn novelty(&self) -> Novelty {
        Novelty {
            value: self.value.newest(),
            shape: self.shape.newest(),
            hours: self.hours.newest(),
        }
    }

    /// What is usual in a pane, by the days before the newest one; for panes to come too.
    pub fn usual_at(&self, pane: i64) -> Option<Usual> {
        let newest = self.history.newest()?;
        self.closed_days(newest).season.usual(&self.history, pane, self.width)
    }

    /// The sum of the panes `first..=last`, as far as they are kept.
    pub fn sum(&self, first: i64, last: i64) -> f64 {
        let numbers = self.history.between(first, last + 1).filter_map(Step::number);
        numbers.map(f64::from).sum()
    }

    /// What usually comes in the panes behind `pane`, the newest or a later one, and before `end`.
    pub fn ahead(&self, pane: i64, end: i64) -> Option<Ahead> {
        Ahead::of(&self.history, pane, end, self.width)
    }

    fn closed_before(&self, today: i64) -> ClosedDays {
        ClosedDays {
            season: Season::of(&self.history, today, self.width),
            creep: Creep::of(&self.history, today, self.width),
        }
    }

    /// What is known of the days before that of `pane`.
    fn closed_days(&self, pane: i64) -> Cow<'_, ClosedDays> {
        let today = season::day(pane, self.width);
        match &self.days {
            Some(days) if days.season.day == today => Cow::Borrowed(days),
            _ => Cow::Owned(self.closed_before(today)),
        }
    }
}
