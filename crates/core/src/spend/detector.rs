//! A detector of what functions take: one number of each pane, and what about it is odd.

use crate::detector::{Attack, Severity};
use crate::meter::panes::Pane;
use crate::series::Gap;
use crate::time::Span;

/// One rule, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct SpendDetector {
    /// Unique, kebab-case, stable: it is part of a finding's uid.
    pub id: String,
    /// One sentence.
    pub title: String,
    /// Why it matters, for the person who gets the alert.
    pub description: String,
    /// What to do next.
    pub advice: String,
    /// ATT&CK techniques, at least none.
    pub attacks: Vec<Attack>,
    /// What is weighed.
    pub of: Number,
    /// What about it is odd.
    pub rule: Rule,
    /// Of a count: the least share of the pane's invocations it must have; 0 where any will do. Of what is driven:
    /// the least share of one driver.
    pub share: f64,
    /// How long nothing must be raised for the finding to close.
    pub quiet: Span,
    /// From how much above usual on it is how bad, from high to low, at least one: in the number's unit, dollars
    /// and counts by the hour. Below the last nothing is raised.
    /// Of a budget: from what share of it on, projected by the end of the month.
    pub raises: Vec<(Severity, f64)>,
    /// Of a budget: from what share of it on, spent, is how bad, from high to low; of anything else none.
    pub spent: Vec<(Severity, f64)>,
}

impl SpendDetector {
    /// How bad so much above usual is.
    pub fn severity(&self, excess: f64) -> Option<Severity> {
        self.raises.iter().find(|(_, least)| excess >= *least).map(|(severity, _)| *severity)
    }

    /// The least that is raised.
    pub fn floor(&self) -> f64 {
        self.raises.iter().map(|(_, least)| *least).fold(f64::INFINITY, f64::min)
    }
}

/// What is odd about a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A pane is above everything in five weeks, or above what is usual at its hour.
    Above,
    /// The same, and one principal, API key or address makes most of it: at least the share.
    Driven,
    /// The days have crept up for a week.
    Creeping,
    /// Nothing has come for longer than ever, where something usually does. It is raised by how much.
    Silent,
    /// It is [`RUNAWAY_TIMES`] the largest pane of five weeks before the pane is even over. It is raised by how
    /// much there is in the pane.
    Runaway,
    /// A budget is passed, or will be by the end of the month.
    Budget,
    /// A caller costs far more than it ever did, or a function it never used before.
    Riding,
}

/// How many times the largest pane of five weeks runs away.
pub const RUNAWAY_TIMES: f64 = 8.0;

/// A number of a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Number {
    /// Dollars by list price.
    Dollars,
    /// The median duration, in milliseconds.
    DurationP50,
    /// What 95 of 100 invocations are done within, in milliseconds.
    DurationP95,
    /// What 99 of 100 are.
    DurationP99,
    /// Invocations.
    Invocations,
    /// Invocations that failed, but for the following two.
    Errors,
    /// Those that were cut off at their time limit.
    Timeouts,
    /// Those whose process was killed for want of memory.
    OutOfMemory,
    /// Those that waited for a new environment.
    ColdStarts,
}

/// With fewer invocations a pane's percentiles say nothing.
pub const DURATIONS_MIN: u64 = 10;

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 7] = [
        Rule::Above,
        Rule::Driven,
        Rule::Creeping,
        Rule::Silent,
        Rule::Runaway,
        Rule::Budget,
        Rule::Riding,
    ];

    /// Whether it says that something is going on now: of several findings that do, about one function, the worst
    /// tells.
    pub fn is_sudden(self) -> bool {
        matches!(self, Rule::Above | Rule::Driven | Rule::Runaway)
    }

    /// The name in detector files.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Above => "above",
            Rule::Driven => "driven",
            Rule::Creeping => "creeping",
            Rule::Silent => "silent",
            Rule::Runaway => "runaway",
            Rule::Budget => "over-budget",
            Rule::Riding => "riding",
        }
    }
}

impl Number {
    /// All of them.
    pub const ALL: [Number; 9] = [
        Number::Dollars,
        Number::DurationP50,
        Number::DurationP95,
        Number::DurationP99,
        Number::Invocations,
        Number::Errors,
        Number::Timeouts,
        Number::OutOfMemory,
        Number::ColdStarts,
    ];

    /// What it is called in the table, for ever.
    pub fn code(self) -> u8 {
        match self {
            Number::Dollars => 0,
            Number::DurationP50 => 1,
            Number::DurationP95 => 2,
            Number::DurationP99 => 3,
            Number::Invocations => 4,
            Number::Errors => 5,
            Number::Timeouts => 6,
            Number::OutOfMemory => 7,
            Number::ColdStarts => 8,
        }
    }

    /// The name in detector files and findings.
    pub fn name(self) -> &'static str {
        match self {
            Number::Dollars => "dollars",
            Number::DurationP50 => "duration_p50",
            Number::DurationP95 => "duration_p95",
            Number::DurationP99 => "duration_p99",
            Number::Invocations => "invocations",
            Number::Errors => "errors",
            Number::Timeouts => "timeouts",
            Number::OutOfMemory => "out_of_memory",
            Number::ColdStarts => "cold_starts",
        }
    }

    /// Whether it is a duration, in milliseconds; else it adds up over time.
    pub fn is_duration(self) -> bool {
        matches!(self, Number::DurationP50 | Number::DurationP95 | Number::DurationP99)
    }

    /// Whether it counts invocations of some kind.
    pub fn is_count(self) -> bool {
        !self.is_duration() && self != Number::Dollars
    }

    /// What a pane without invocations is.
    pub fn gap(self) -> Gap {
        if self.is_duration() { Gap::Absent } else { Gap::Zero }
    }

    /// The number of a pane that cost so many dollars; nothing where it has none.
    pub fn of(self, pane: &Pane, dollars: f64) -> Option<f64> {
        let endings = pane.sums.endings();
        let quantile = |at: f64| {
            let enough = pane.durations.count() >= DURATIONS_MIN;
            pane.durations.quantile(at).filter(|_| enough).map(|us| us / 1e3)
        };
        match self {
            Number::Dollars => Some(dollars),
            Number::DurationP50 => quantile(0.5),
            Number::DurationP95 => quantile(0.95),
            Number::DurationP99 => quantile(0.99),
            Number::Invocations => Some(pane.sums.invocations as f64),
            Number::Errors => Some(endings.errors as f64),
            Number::Timeouts => Some(endings.timeouts as f64),
            Number::OutOfMemory => Some(endings.out_of_memory as f64),
            Number::ColdStarts => Some(pane.sums.cold_starts as f64),
        }
    }
}
