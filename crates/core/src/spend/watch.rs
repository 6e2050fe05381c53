//! All functions, each with its course: from reports to findings, as the clock goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allow::{self, Allowlist};
use crate::finding::Finding;
use crate::key::FunctionTag;
use crate::limits::FUNCTIONS_WATCHED_MAX;
use crate::meter::book::Book;
use crate::meter::ledger::{Function, Ledger};
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::series::{PAGING, quiet_max};
use crate::signal::{Body, LogStream, Origin, Signal};
use crate::spend::budget::Budgets;
use crate::spend::callers::Callers;
use crate::spend::course::{
    Around, Course, IDLE_PANES, Look, Noted, PANES_AN_HOUR, last_over, pane_of, start,
};
pub use crate::spend::course::{LATENESS, Prices, Weighing};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::{Driver, Recent};
use crate::spend::episodes::Latch;
use crate::spend::lookout::{Asked, Lookout, Notes};
use crate::spend::pool::Pool;
use crate::spend::reasons::Explained;
use crate::spend::tally::Tally;
use crate::time::{Span, Time};

/// A function that runs away is looked for each time its pane has so many reports more.
const RUNAWAY_EVERY: u64 = 128;

/// Watches what functions take.
#[derive(Debug)]
pub struct Watch {
    pub(super) weighing: Weighing,
    numbers: BTreeSet<Number>,
    pub(super) ledger: Ledger,
    pub(super) functions: Vec<Watched>,
    by_function: BTreeMap<Function, usize>,
    /// The stream of the last report, and which function that is.
    latest: Option<(Arc<LogStream>, Option<usize>)>,
    pub(super) newest: Time,
    /// The last pane that is over.
    pub(super) over: Option<i64>,
    unwatched: u64,
    /// Episodes about the budget of all functions together, one for each detector.
    pub(super) of_all: Vec<Latch>,
    /// What all functions have spent together, where that has a budget.
    pub(super) tally: Option<Tally>,
    /// Whom costs are laid to.
    pub(super) callers: Callers,
    /// What is kept for somebody who asks why.
    pub(super) lookout: Option<Lookout>,
    /// What was held back of findings.
    pub(super) held_back: allow::Ledger,
    pub(super) suppressed: u64,
    /// The function of what stands in no log group.
    unnamed: String,
}

/// One function.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) course: Course,
    /// The last report.
    pub(super) sample: Option<Origin>,
    pub(super) drivers: Recent,
    /// Reports in the newest pane that has any.
    in_pane: u64,
    pool: Pool,
}

/// What a function's book and who asked for it say of a pane.
struct Told<'a> {
    book: &'a Book,
    drivers: &'a Recent,
    sample: Option<&'a Origin>,
}

impl Watch {
    /// One that has seen nothing.
    pub fn new(detectors: Vec<SpendDetector>, prices: Prices, ledger: Ledger) -> Watch {
        let mut numbers = BTreeSet::from([Number::Dollars]);
        numbers.extend(detectors.iter().map(|detector| detector.of));
        Watch {
            of_all: vec![Latch::default(); detectors.len()],
            tally: None,
            weighing: Weighing {
                detectors: detectors.into(),
                prices,
                budgets: Budgets::default(),
                allow: Arc::default(),
            },
            callers: Callers::default(),
            lookout: None,
            held_back: allow::Ledger::default(),
            suppressed: 0,
            numbers,
            ledger,
            functions: Vec::new(),
            by_function: BTreeMap::new(),
            latest: None,
            newest: Time::MIN,
            over: None,
            unwatched: 0,
            unnamed: String::new(),
        }
    }

    /// The same, by which what stands in no log group is of this function.
    pub fn naming(self, unnamed: String) -> Watch {
        Watch { unnamed, ..self }
    }

    /// The same, by which so much may be spent. To be said before there is any function.
    pub fn budgeted(mut self, budgets: Budgets) -> Watch {
        self.weighing.budgets = budgets;
        self
    }

    /// The same, by which functions are allowed what.
    pub fn allowing(mut self, allow: Arc<Allowlist>) -> Watch {
        self.weighing.allow = allow;
        self
    }

    /// The same, which keeps what is asked.
    pub fn explaining(self, asked: Asked) -> Watch {
        Watch { lookout: Some(Lookout::new(asked)), ..self }
    }

    /// What was kept for who asks.
    pub fn explained(&self) -> &[Explained] {
        self.lookout.as_ref().map_or(&[], |lookout| &lookout.found)
    }

    /// The detectors.
    pub fn detectors(&self) -> &[SpendDetector] {
        &self.weighing.detectors
    }

    /// How many findings the nth entry of the allowlist has held back, each once as long as it goes on.
    pub fn held_back(&self, entry: usize) -> u64 {
        self.held_back.of(entry).findings
    }

    /// How many all of them have.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// What a function may cost above which the next pane raises for certain, by a detector of dollars with this
    /// floor, in dollars by the hour: so no more goes untold. Nothing in the first half hour of a function, and of
    /// one that is not watched.
    pub fn quiet_max(&self, function: &Function, floor: f64) -> Option<f64> {
        let watched = &self.functions[*self.by_function.get(function)?];
        let series = watched.course.series.get(&Number::Dollars)?;
        let floor = floor / PANES_AN_HOUR as f64;
        let bound = quiet_max(series, &PAGING.with_floors(floor, floor))?.bound()?;
        Some(bound * PANES_AN_HOUR as f64)
    }

    /// What functions took.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many functions are watched, and the reports of those beyond
    /// [`FUNCTIONS_WATCHED_MAX`], which are counted in the ledger and weighed by nobody.
    pub fn watched(&self) -> (usize, u64) {
        (self.functions.len(), self.unwatched)
    }

    /// How many callers are watched, and how many panes of further ones were judged by nobody, for there were
    /// [`crate::limits::CALLERS_WATCHED_MAX`] heavier ones.
    pub fn callers(&self) -> (usize, u64) {
        (self.callers.kept.len(), self.callers.unjudged)
    }

    /// How many findings are open.
    pub fn open(&self) -> usize {
        let latches = self.functions.iter().flat_map(|watched| &watched.course.latches);
        let of_callers = self.callers.kept.values().flat_map(|kept| &kept.latches);
        let latches = latches.chain(&self.of_all).chain(of_callers);
        latches.filter(|latch| latch.open().is_some()).count()
    }

    /// Counts a report, and tells what follows from it and from the panes that are over by its time.
    pub fn observe(&mut self, signal: &Signal) -> Vec<Finding> {
        let invocation = match &signal.body {
            Body::Invocation(invocation) => invocation,
            Body::Access(access) => {
                // Who asks does not make a function one that is watched.
                let Some(at) = self.known(&signal.origin.stream) else { return Vec::new() };
                // Panes are closed before who asked in them is let go.
                let findings = self.advance(signal.time);
                self.functions[at].drivers.ask(pane_of(signal.time), access);
                return findings;
            }
            Body::Auth(_) => return Vec::new(),
        };
        let mut findings = self.advance(signal.time);
        self.ledger.observe(signal, &self.unnamed);
        let Some(at) = self.index(signal) else {
            self.unwatched += 1;
            return findings;
        };
        let pane = pane_of(signal.time);
        let watched = &mut self.functions[at];
        if pane > watched.course.last_pane {
            (watched.course.last_pane, watched.in_pane) = (pane, 0);
            watched.sample = Some(signal.origin.clone());
        }
        let (tariff, terms) = (&self.weighing.prices.tariff, watched.course.terms);
        watched.drivers.pay(pane, invocation, || tariff.cost_of(invocation, terms));
        if pane == watched.course.last_pane && invocation.report.is_some() {
            watched.in_pane += 1;
            if watched.in_pane.is_multiple_of(RUNAWAY_EVERY) {
                findings.extend(self.judge_open(at, pane, signal.time));
            }
        }
        findings
    }

    /// Moves the clock on, and tells what follows from the panes that are over then.
    pub fn advance(&mut self, now: Time) -> Vec<Finding> {
        self.newest = self.newest.max(now);
        let target = last_over(self.newest);
        let mut pane = self.over.map_or(target, |over| over + 1);
        let mut findings = Vec::new();
        while pane <= target {
            let active = self.functions.iter().map(|watched| watched.course.last_pane).max();
            if active.is_none_or(|active| pane - active > IDLE_PANES) {
                // Nobody has anything to close: series fill in what is left out.
                break;
            }
            for at in 0..self.functions.len() {
                findings.extend(self.close(at, pane));
            }
            findings.extend(self.burn_all(pane));
            findings.extend(self.ride(pane));
            pane += 1;
        }
        self.over = self.over.max(Some(target));
        findings
    }

    /// Tells what follows from the panes that are over although nobody knows of the time after them: to be
    /// called at the end of an input.
    pub fn ended(&mut self) -> Vec<Finding> {
        if self.newest == Time::MIN { Vec::new() } else { self.advance(self.newest.plus(LATENESS)) }
    }

    /// Which function a signal is about; `None` where there are too many.
    fn index(&mut self, signal: &Signal) -> Option<usize> {
        let stream = &signal.origin.stream;
        if let Some((known, at)) = &self.latest
            && Arc::ptr_eq(known, stream)
        {
            return *at;
        }
        let function = function_of(stream, &self.unnamed);
        let at = self.by_function.get(&function).copied().or_else(|| {
            let pane = pane_of(signal.time);
            (self.functions.len() < FUNCTIONS_WATCHED_MAX).then(|| self.watch(function, pane))
        });
        self.latest = Some((Arc::clone(stream), at));
        at
    }

    /// The function of a stream, if it is watched already.
    fn known(&self, stream: &Arc<LogStream>) -> Option<usize> {
        match &self.latest {
            Some((known, at)) if Arc::ptr_eq(known, stream) => *at,
            _ => self.by_function.get(&function_of(stream, &self.unnamed)).copied(),
        }
    }

    fn watch(&mut self, function: Function, pane: i64) -> usize {
        let at = self.functions.len();
        self.by_function.insert(function.clone(), at);
        self.functions.push(Watched {
            course: Course::new(function, &self.weighing, pane),
            sample: None,
            drivers: Recent::default(),
            in_pane: 0,
            pool: Pool::default(),
        });
        at
    }

    /// Takes a pane of one function in, and judges it.
    fn close(&mut self, at: usize, pane: i64) -> Vec<Finding> {
        if !self.functions[at].course.takes(pane) {
            return Vec::new();
        }
        let now = self.newest;
        let Some(of_pane) = self.of_pane(at, pane) else { return Vec::new() };
        let of_pane = self.functions[at].pool.measure(pane, of_pane);
        self.look(at, (pane, now), &of_pane, |course, weighing, numbers, look| {
            course.close(weighing, numbers, look)
        })
    }

    /// Judges a pane that is not over: whether a function runs away.
    fn judge_open(&mut self, at: usize, pane: i64, now: Time) -> Vec<Finding> {
        let Some(of_pane) = self.of_pane(at, pane) else { return Vec::new() };
        self.look(at, (pane, now), &of_pane, |course, weighing, _, look| {
            course.judge_open(weighing, look)
        })
    }

    /// What a function took in a pane.
    fn of_pane(&self, at: usize, pane: i64) -> Option<Pane> {
        let Function { account, name } = &self.functions[at].course.function;
        let book = self.ledger.get(account, name)?;
        Some(book.fine.between(start(pane), start(pane + 1)))
    }

    fn look(
        &mut self,
        at: usize,
        (pane, now): (i64, Time),
        of_pane: &Pane,
        judge: impl FnOnce(&mut Course, &Weighing, &BTreeSet<Number>, Look<'_>) -> Vec<Finding>,
    ) -> Vec<Finding> {
        let Watched { course, sample, drivers, .. } = &mut self.functions[at];
        let Function { account, name } = &course.function;
        let Some(book) = self.ledger.get(account, name) else { return Vec::new() };
        let around = Told { book, drivers, sample: sample.as_ref() };
        let noted = Noted {
            explained: self.lookout.as_ref().map(|_| Notes::default()),
            ..Noted::default()
        };
        let look = Look { pane, of_pane, around: &around, now, noted: &noted };
        let findings = judge(course, &self.weighing, &self.numbers, look);
        let detectors = &self.weighing.detectors;
        for (entry, nth) in noted.held.into_inner() {
            let of = (FunctionTag::of(&course.function), nth);
            // A budget is looked at once an hour.
            let quiet = match detectors[nth].rule {
                Rule::Budget => detectors[nth].quiet.max(Span::minutes(120)),
                _ => detectors[nth].quiet,
            };
            let is_new = self.held_back.note_function(of, quiet, start(pane), entry);
            self.suppressed += u64::from(is_new);
        }
        if let (Some(notes), Some(lookout)) = (noted.explained, &mut self.lookout) {
            lookout.take(notes.into_inner(), detectors);
        }
        findings
    }
}

impl Around for Told<'_> {
    fn hour_before(&self, pane: i64) -> Sums {
        self.book.fine.between(start(pane - PANES_AN_HOUR), start(pane)).sums
    }

    fn versions(&self) -> Vec<(Box<str>, Time)> {
        let all = self.book.versions().into_iter();
        all.map(|(name, first)| (name.into(), first)).collect()
    }

    fn drivers(&self, pane: i64, cost: Money) -> Vec<Driver> {
        self.drivers.of(pane, cost)
    }

    fn sample(&self) -> Option<Origin> {
        self.sample.cloned()
    }
}

fn function_of(stream: &LogStream, unnamed: &str) -> Function {
    let name = stream.function().unwrap_or(unnamed);
    Function { account: stream.account.as_str().into(), name: name.into() }
}
