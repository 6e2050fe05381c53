//! All functions, each with its series and its findings: from reports to findings, as the clock goes on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::finding::{Activity, Finding};
use crate::limits::FUNCTIONS_WATCHED_MAX;
use crate::meter::book::FINE;
use crate::meter::ledger::{Function, Ledger};
use crate::meter::panes::Pane;
use crate::meter::tariff::{Tariff, Terms};
use crate::series::{PAGING, Series, quiet_max};
use crate::signal::{Body, LogStream, Origin, Signal};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::{Driver, Recent};
use crate::spend::episodes::{Episode, Latch, Raise};
use crate::spend::judged::{self, Judged, Seen};
use crate::time::{Span, Time};

/// How long after its end a pane is over.
pub const LATENESS: Span = Span::seconds(60);

/// How long after its last report a function is looked at.
const IDLE_PANES: i64 = 24 * 60 * 60_000 / FINE.0;

/// A function that runs away is looked for each time its pane has so many reports more.
const RUNAWAY_EVERY: u64 = 128;

/// By which prices, and on which terms functions run.
#[derive(Clone)]
pub struct Prices {
    /// Those of the region.
    pub tariff: Tariff,
    /// The terms of a function, by its name.
    pub terms: Arc<dyn Fn(&str) -> Terms + Send + Sync>,
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prices").field("tariff", &self.tariff.region).finish_non_exhaustive()
    }
}

/// Watches what functions take.
#[derive(Debug)]
pub struct Watch {
    detectors: Arc<[SpendDetector]>,
    numbers: BTreeSet<Number>,
    prices: Prices,
    ledger: Ledger,
    functions: Vec<Watched>,
    by_function: BTreeMap<Function, usize>,
    /// The stream of the last report, and which function that is.
    latest: Option<(Arc<LogStream>, Option<usize>)>,
    newest: Time,
    /// The last pane that is over.
    over: Option<i64>,
    unwatched: u64,
    /// The function of what stands in no log group.
    unnamed: String,
}

/// One function.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) function: Function,
    pub(crate) terms: Terms,
    pub(crate) series: BTreeMap<Number, Series>,
    /// The last report.
    pub(crate) sample: Option<Origin>,
    pub(crate) drivers: Recent,
    latches: Vec<Latch>,
    first_pane: i64,
    last_pane: i64,
    /// Reports in the newest pane that has any.
    in_pane: u64,
}

impl Watch {
    /// One that has seen nothing.
    pub fn new(detectors: Vec<SpendDetector>, prices: Prices, ledger: Ledger) -> Watch {
        let mut numbers = BTreeSet::from([Number::Dollars]);
        numbers.extend(detectors.iter().map(|detector| detector.of));
        Watch {
            detectors: detectors.into(),
            numbers,
            prices,
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

    /// What a function may cost above which the next pane raises for certain, by a detector of dollars with this
    /// floor, in dollars by the hour: so no more goes untold. Nothing in the first half hour of a function, and of
    /// one that is not watched.
    pub fn quiet_max(&self, function: &Function, floor: f64) -> Option<f64> {
        let watched = &self.functions[*self.by_function.get(function)?];
        let series = watched.series.get(&Number::Dollars)?;
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

    /// How many findings are open.
    pub fn open(&self) -> usize {
        let latches = self.functions.iter().flat_map(|watched| &watched.latches);
        latches.filter(|latch| latch.open().is_some()).count()
    }

    /// Counts a report, and tells what follows from it and from the panes that are over by its time.
    pub fn observe(&mut self, signal: &Signal) -> Vec<Finding> {
        let invocation = match &signal.body {
            Body::Invocation(invocation) => invocation,
            Body::Access(access) => {
                // Who asks does not make a function one that is watched.
                if let Some(at) = self.known(&signal.origin.stream) {
                    let pane = signal.time.0.div_euclid(FINE.0);
                    self.functions[at].drivers.ask(pane, access);
                }
                return Vec::new();
            }
            Body::Auth(_) => return Vec::new(),
        };
        let mut findings = self.advance(signal.time);
        self.ledger.observe(signal, &self.unnamed);
        let Some(at) = self.index(signal) else {
            self.unwatched += 1;
            return findings;
        };
        let pane = signal.time.0.div_euclid(FINE.0);
        let watched = &mut self.functions[at];
        if pane > watched.last_pane {
            (watched.last_pane, watched.in_pane) = (pane, 0);
            watched.sample = Some(signal.origin.clone());
        }
        let (tariff, terms) = (&self.prices.tariff, watched.terms);
        watched.drivers.pay(pane, invocation, || tariff.cost_of(invocation, terms));
        if pane == watched.last_pane && invocation.report.is_some() {
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
        let target = self.newest.minus(LATENESS).0.div_euclid(FINE.0) - 1;
        let mut pane = self.over.map_or(target, |over| over + 1);
        let mut findings = Vec::new();
        while pane <= target {
            let active = self.functions.iter().map(|watched| watched.last_pane).max();
            if active.is_none_or(|active| pane - active > IDLE_PANES) {
                // Nobody has anything to close: series fill in what is left out.
                break;
            }
            for at in 0..self.functions.len() {
                findings.extend(self.close(at, pane));
            }
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
            let pane = signal.time.0.div_euclid(FINE.0);
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
            terms: (self.prices.terms)(&function.name),
            function,
            series: BTreeMap::new(),
            sample: None,
            drivers: Recent::default(),
            latches: vec![Latch::default(); self.detectors.len()],
            first_pane: pane,
            last_pane: i64::MIN,
            in_pane: 0,
        });
        at
    }

    /// Takes a pane of one function in, and judges it.
    fn close(&mut self, at: usize, pane: i64) -> Vec<Finding> {
        let watched = &mut self.functions[at];
        if pane < watched.first_pane || pane - watched.last_pane > IDLE_PANES {
            return Vec::new();
        }
        let Function { account, name } = &watched.function;
        let Some(book) = self.ledger.get(account, name) else { return Vec::new() };
        let of_pane = book.fine.between(start(pane), start(pane + 1));
        let cost = self.prices.tariff.cost(&of_pane.sums, watched.terms);
        for number in &self.numbers {
            watched.take_in(*number, pane, number.of(&of_pane, cost.dollars()));
        }
        let seen = Seen { pane, of_pane: &of_pane, book, cost, now: self.newest };
        judge(watched, &self.detectors, &self.prices.tariff, &seen)
    }

    /// Judges a pane that is not over: whether a function runs away.
    fn judge_open(&mut self, at: usize, pane: i64, now: Time) -> Vec<Finding> {
        let watched = &mut self.functions[at];
        let Function { account, name } = &watched.function;
        let Some(book) = self.ledger.get(account, name) else { return Vec::new() };
        let of_pane = book.fine.between(start(pane), start(pane + 1));
        let cost = self.prices.tariff.cost(&of_pane.sums, watched.terms);
        let seen = Seen { pane, of_pane: &of_pane, book, cost, now };
        let mut findings = Vec::new();
        let runaway =
            self.detectors.iter().enumerate().filter(|(_, rule)| rule.rule == Rule::Runaway);
        for (nth, rule) in runaway {
            let judged = judged::runaway(rule, watched, &seen);
            let of = (&*self.detectors, nth);
            findings.extend(raise(watched, of, judged, &self.prices.tariff, &seen));
        }
        findings
    }
}

impl Watched {
    /// The open findings about the function, but for those of detector `nth`.
    fn open<'a>(
        &self,
        detectors: &'a [SpendDetector],
        nth: usize,
    ) -> Vec<(&'a SpendDetector, Episode)> {
        let all = detectors.iter().zip(&self.latches).enumerate();
        let others = all.filter(|(other, _)| *other != nth);
        others.filter_map(|(_, (of, latch))| Some((of, *latch.open()?))).collect()
    }

    /// Puts a number at the end of its series. A count's series begins when there is something to count, and with
    /// the function.
    fn take_in(&mut self, number: Number, pane: i64, value: Option<f64>) {
        let series = match self.series.get_mut(&number) {
            Some(series) => series,
            None if number.is_count() && number != Number::Invocations && value == Some(0.0) => {
                return;
            }
            None => {
                let mut series = Series::new(FINE, number.gap());
                if !number.is_duration() && self.first_pane < pane {
                    // A new series takes any pane.
                    let _ = series.close(self.first_pane, Some(0.0));
                }
                self.series.entry(number).or_insert(series)
            }
        };
        // Each pane is closed once, in order; a pane that is closed already stays as it is.
        let _ = series.close(pane, value);
    }
}

/// When a pane begins.
pub(crate) fn start(pane: i64) -> Time {
    Time(pane * FINE.0)
}

fn judge(
    watched: &mut Watched,
    detectors: &[SpendDetector],
    tariff: &Tariff,
    seen: &Seen<'_>,
) -> Vec<Finding> {
    let mut judged: Vec<(usize, Option<Judged>)> = Vec::new();
    for (nth, rule) in detectors.iter().enumerate() {
        let of_rule = match rule.rule {
            Rule::Above => judged::above(rule, watched, seen),
            Rule::Driven => judged::driven(rule, watched, seen),
            Rule::Creeping => judged::creeping(rule, watched),
            Rule::Silent => judged::silent(rule, watched),
            // It is over, and may not have been looked at since.
            Rule::Runaway => judged::runaway(rule, watched, seen),
        };
        judged.push((nth, of_rule));
    }
    // The worst comes first: it tells, and the others need not.
    let severity = |(nth, judged): &(usize, Option<Judged>)| {
        judged.as_ref().and_then(|judged| detectors[*nth].severity(judged.excess))
    };
    judged.sort_by_key(|judged| Reverse(severity(judged)));
    let raised = judged.into_iter();
    raised
        .filter_map(|(nth, judged)| raise(watched, (detectors, nth), judged, tariff, seen))
        .collect()
}

/// The message that follows, if any does.
fn raise(
    watched: &mut Watched,
    (detectors, nth): (&[SpendDetector], usize),
    judged: Option<Judged>,
    tariff: &Tariff,
    seen: &Seen<'_>,
) -> Option<Finding> {
    let rule = &detectors[nth];
    let raised = judged.as_ref().and_then(|judged| {
        let severity = rule.severity(judged.excess)?;
        let Judged { amount, excess, .. } = *judged;
        Some(Raise { pane: seen.pane, severity, amount, excess })
    });
    let others = watched.open(detectors, nth);
    let is_measured = rule.of.of(seen.of_pane, seen.cost.dollars()).is_some();
    let latch = &mut watched.latches[nth];
    let (activity, episode) = match raised {
        Some(raise) => {
            // What creeps, or is silent, is another matter.
            let same = others.iter().filter(|_| rule.rule.is_sudden());
            let worst = same.filter(|(of, _)| of.rule.is_sudden()).map(|(_, e)| e.severity).max();
            latch.raised(raise, rule, worst, FINE)?
        }
        // What was not measured may go on; but not for longer than a function is looked at.
        None if !is_measured && latch.since(seen.pane) < IDLE_PANES => return None,
        None => (Activity::Close, latch.quiet(seen.pane, rule, FINE)?),
    };
    let also = others.iter().map(|(of, episode)| judged::also(watched, of, episode)).collect();
    let finding = judged::finding(watched, rule, (activity, episode), judged, tariff, seen);
    Some(Finding { also, ..finding })
}

fn function_of(stream: &LogStream, unnamed: &str) -> Function {
    let name = stream.function().unwrap_or(unnamed);
    Function { account: stream.account.as_str().into(), name: name.into() }
}

impl Seen<'_> {
    /// Who made the pane's cost.
    pub(crate) fn drivers(&self, watched: &Watched) -> Vec<Driver> {
        watched.drivers.of(self.pane, self.cost)
    }

    /// What the panes of the hour before took together.
    pub(crate) fn hour_before(&self) -> Pane {
        self.book.fine.between(start(self.pane - PANES_AN_HOUR), start(self.pane))
    }
}

/// Panes in an hour.
pub(crate) const PANES_AN_HOUR: i64 = 60 * 60_000 / FINE.0;
