//! Judging a caller: who costs far more than it ever did, or a function it never used before, although the
//! function's own bill need not be odd.
//!
//! A pane of a caller is weighed as one of a function is; what it raises by is what was really spent in the hour that
//! ends with it, so that one dear request is no finding. A function whose log has named callers for less than
//! a day is in no such sum: that it begins to is no news of anybody.

use crate::detector::Severity;
use crate::episode::uid;
use crate::finding::{Activity, Also, Finding};
use crate::key::FunctionTag;
use crate::meter::book::FINE;
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::series::{PAGING, Weighed, weigh};
use crate::signal::Origin;
use crate::spend::all::Together;
use crate::spend::callers::{Caller, Callers, Costs, DAY_PANES, Kept};
use crate::spend::course::{Course, Noted, PANES_AN_HOUR, Weighing, start};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::episodes::{Episode, Raise};
use crate::spend::judged::{self, Judged, Seen, message};
use crate::spend::reasons::{Explained, Reasons};
use crate::spend::spending::{Ride, Spending};
use crate::spend::watch::{Watch, Watched};
use crate::time::Time;

/// Functions that a finding names.
const FUNCTIONS_NAMED_MAX: usize = 5;

/// What is known of a caller's hour.
struct Hour {
    /// Dollars by function, the dearest first.
    by_function: Vec<(usize, f64)>,
    /// Those of functions whose logs have named callers for a day.
    known: f64,
    /// A function it never used before: which, since which pane, and its dollars.
    new: Option<(usize, i64, f64)>,
}

/// What is known of functions while callers are judged, by their places in the costs.
pub(crate) trait Ridden {
    /// Which one it is.
    fn function(&self, at: usize) -> Function;
    /// The open findings that say that it costs more than usual now.
    fn telling(&self, at: usize) -> Vec<Also>;
    /// A report of it.
    fn sample(&self, at: usize) -> Option<Origin>;
}

/// By what callers are judged.
pub(crate) struct Riding<'a> {
    pub(crate) weighing: &'a Weighing,
    pub(crate) functions: &'a dyn Ridden,
    pub(crate) now: Time,
}

/// What is noted while they are, besides what is told.
#[derive(Debug, Default)]
pub(crate) struct Rode {
    /// What was held back: of whom, by which detector and which entry of the allowlist.
    pub(crate) held: Vec<(Caller, usize, usize)>,
    /// What detectors made of it, where somebody asks.
    pub(crate) explained: Option<Vec<Explained>>,
}

impl Watch {
    /// What follows about callers from a pane that is over for each function.
    pub(super) fn ride(&mut self, pane: i64) -> Vec<Finding> {
        let detectors = std::sync::Arc::clone(&self.weighing.detectors);
        if !rides(&detectors) {
            return Vec::new();
        }
        let costs = self.costs(pane);
        let mut callers = std::mem::take(&mut self.callers);
        let explained = self.lookout.as_ref().map(|_| Vec::new());
        let mut rode = Rode { explained, ..Rode::default() };
        let functions = Watching { functions: &self.functions, detectors: &detectors };
        let riding = Riding { weighing: &self.weighing, functions: &functions, now: self.newest };
        let findings = riding.close(&mut callers, &costs, pane, &mut rode);
        self.callers = callers;
        for (caller, nth, entry) in rode.held {
            let of = (FunctionTag::of(&as_function(&caller)), nth);
            let is_new = self.held_back.note_function(of, detectors[nth].quiet, start(pane), entry);
            self.suppressed += u64::from(is_new);
        }
        if let (Some(explained), Some(lookout)) = (rode.explained, &mut self.lookout) {
            lookout.take(explained, &detectors);
        }
        findings
    }

    /// What a pane cost, by caller and function.
    fn costs(&self, pane: i64) -> Costs {
        let mut costs = Costs::new();
        for (at, watched) in self.functions.iter().enumerate() {
            for (caller, cost) in watched.drivers.callers(pane) {
                costs.entry(caller).or_default().push((at, cost));
            }
        }
        costs
    }
}

/// Whether any detector is about callers.
pub(crate) fn rides(detectors: &[SpendDetector]) -> bool {
    detectors.iter().any(|rule| rule.rule == Rule::Riding)
}

/// The functions that one process watches.
struct Watching<'a> {
    functions: &'a [Watched],
    detectors: &'a [SpendDetector],
}

impl Ridden for Watching<'_> {
    fn function(&self, at: usize) -> Function {
        self.functions[at].course.function.clone()
    }

    fn telling(&self, at: usize) -> Vec<Also> {
        telling(&self.functions[at].course, self.detectors)
    }

    fn sample(&self, at: usize) -> Option<Origin> {
        self.functions[at].sample.clone()
    }
}

/// The open findings that say that a function costs more than usual now.
pub(crate) fn telling(course: &Course, detectors: &[SpendDetector]) -> Vec<Also> {
    let of_cost = |rule: &SpendDetector| {
        rule.rule == Rule::Runaway || rule.rule.is_sudden() && rule.of == Number::Dollars
    };
    let all = detectors.iter().zip(&course.latches).filter(|(rule, _)| of_cost(rule));
    all.filter_map(|(rule, latch)| Some(judged::also(course, rule, latch.open()?))).collect()
}

impl Riding<'_> {
    /// Takes in what a pane that is over cost, and tells what follows about callers.
    pub(crate) fn close(
        &self,
        callers: &mut Callers,
        costs: &Costs,
        pane: i64,
        rode: &mut Rode,
    ) -> Vec<Finding> {
        let detectors = &self.weighing.detectors;
        callers.take_in(pane, costs, detectors.len());
        self.note_told(callers, costs);
        let is_due = |(caller, kept): (&Caller, &mut Kept)| {
            let rests = !costs.contains_key(caller);
            if rests && kept.is_told() {
                kept.rest(pane);
            }
            (!rests || kept.is_told()).then(|| caller.clone())
        };
        let due: Vec<Caller> = callers.kept.iter_mut().filter_map(is_due).collect();
        let mut findings = Vec::new();
        for caller in due {
            for (nth, rule) in detectors.iter().enumerate() {
                if rule.rule == Rule::Riding {
                    let said = self.ride_one(callers, &caller, (nth, rule), (pane, rode));
                    findings.extend(said);
                }
            }
        }
        findings
    }

    /// Takes in a pane that somebody else has told of. Whether it was odd matters for an hour: then it `is_recent`.
    pub(crate) fn catch_up(
        &self,
        callers: &mut Callers,
        costs: &Costs,
        (pane, is_recent): (i64, bool),
    ) {
        let detectors = &self.weighing.detectors;
        callers.take_in(pane, costs, detectors.len());
        if !is_recent {
            return;
        }
        for rule in detectors.iter().filter(|rule| rule.rule == Rule::Riding) {
            for caller in costs.keys() {
                if let Some(kept) = callers.kept.get_mut(caller) {
                    odd(rule, kept, pane);
                }
            }
        }
    }

    /// Notes whom the open findings about functions are about: who makes most of what they cost when they open.
    fn note_told(&self, callers: &mut Callers, costs: &Costs) {
        let open = |at: &usize| !self.functions.telling(*at).is_empty();
        callers.told_of.retain(|at, _| open(at));
        let mut dearest: std::collections::BTreeMap<usize, (Money, &Caller)> = Default::default();
        for (caller, of_functions) in costs {
            for (at, cost) in of_functions {
                let most = dearest.entry(*at).or_insert((*cost, caller));
                if *cost > most.0 {
                    *most = (*cost, caller);
                }
            }
        }
        for (at, (_, caller)) in dearest.into_iter().filter(|(at, _)| open(at)) {
            callers.told_of.entry(at).or_insert_with(|| caller.clone());
        }
    }

    /// The message that follows about one caller, if any does.
    fn ride_one(
        &self,
        callers: &mut Callers,
        caller: &Caller,
        (nth, rule): (usize, &SpendDetector),
        (pane, rode): (i64, &mut Rode),
    ) -> Option<Finding> {
        let hour = callers.hour(caller, pane)?;
        let most = hour.by_function.first().map(|(at, _)| *at);
        // Whom a finding about a function is about is told by that, if it is there that it spends.
        let told_of = most.filter(|at| callers.told_of.get(at) == Some(caller));
        let also = told_of.map_or(Vec::new(), |at| self.functions.telling(at));
        let kept = callers.kept.get_mut(caller)?;
        let reasons = reasons(rule, kept, &hour, pane);
        let judged = reasons.judged(rule);
        let raised = judged.as_ref().and_then(|judged| {
            let Judged { amount, excess, .. } = *judged;
            Some(Raise { pane, severity: rule.severity(excess)?, amount, excess })
        });
        let held = raised.and_then(|_| self.held_by(caller, most, rule, pane));
        rode.held.extend(held.map(|entry| (caller.clone(), nth, entry)));
        let latch = &mut kept.latches[nth];
        let told_by = (!also.is_empty()).then_some(Severity::Critical);
        let said = match raised.filter(|_| held.is_none()) {
            Some(raise) => latch.raised(raise, rule, told_by, FINE),
            None => latch.quiet(pane, rule, FINE).map(|episode| (Activity::Close, episode)),
        };
        if let Some(explained) = &mut rode.explained {
            let outcome = (also.first(), said, held);
            explained.push(explain(caller, (nth, rule, pane), reasons, outcome));
        }
        let said = said?;
        let spending = self.riding(caller, kept, (rule, judged), &hour, said.1);
        let sample = most.and_then(|at| self.functions.sample(at));
        let (of_pane, around, noted) = (Pane::default(), Together(sample), Noted::default());
        let (cost, now) = (Money::ZERO, self.now);
        let seen = Seen { pane, of_pane: &of_pane, around: &around, cost, now, noted: &noted };
        let usual = spending.usual.unwrap_or(0.0);
        let decided = vec![judged::decided(rule, spending.amount, usual)];
        let mut finding = message(rule, said, decided, spending, &seen);
        // Of what the pane of a function has only the dollars are a caller's.
        finding.measures.truncate(1);
        Some(Finding { also, ..finding })
    }

    /// The entry of the allowlist that holds back what is raised: one about the caller, or about the function that it
    /// spends most at.
    fn held_by(
        &self,
        caller: &Caller,
        most: Option<usize>,
        rule: &SpendDetector,
        pane: i64,
    ) -> Option<usize> {
        let allow = &self.weighing.allow;
        let name = most.map(|at| self.functions.function(at).name);
        let of_function =
            || name.and_then(|name| allow.holds_back_function(&name, &rule.id, start(pane)));
        allow.holds_back(&caller.key(), &rule.id, start(pane)).or_else(of_function)
    }

    /// What a finding about a caller says besides.
    fn riding(
        &self,
        caller: &Caller,
        kept: &Kept,
        (rule, judged): (&SpendDetector, Option<Judged>),
        hour: &Hour,
        episode: Episode,
    ) -> Spending {
        let function = |at: usize| self.functions.function(at);
        let dollars: f64 = hour.by_function.iter().map(|(_, dollars)| dollars).sum();
        let named = hour.by_function.iter().take(FUNCTIONS_NAMED_MAX);
        let usual = kept.series.history().newest().and_then(|pane| kept.series.usual_at(pane));
        let usual = usual.map(|usual| (usual.median * PANES_AN_HOUR as f64, usual.basis));
        Spending {
            function: hour.by_function.first().map_or_else(nobody, |(at, _)| function(*at)),
            number: rule.of,
            rule: rule.rule,
            amount: judged.as_ref().map_or(dollars, |judged| judged.amount),
            usual: usual.map(|(usual, _)| usual),
            basis: usual.map(|(_, basis)| basis),
            nearest: judged.as_ref().and_then(|judged| judged.nearest),
            as_far: judged.as_ref().and_then(|judged| judged.as_far),
            dollars,
            dollars_above: dollars - usual.map_or(0.0, |(usual, _)| usual),
            parts: Vec::new(),
            drivers: Vec::new(),
            deployment: None,
            budget: None,
            ride: Some(Ride {
                caller: caller.clone(),
                functions: named.map(|(at, dollars)| (function(*at), *dollars)).collect(),
                new: hour.new.map(|(at, first, _)| (function(at), start(first))),
                since: episode.start,
            }),
        }
    }
}

/// Why what is said of a caller is.
fn explain(
    caller: &Caller,
    (nth, rule, pane): (usize, &SpendDetector, i64),
    reasons: Reasons,
    (also, said, held): (Option<&Also>, Option<(Activity, Episode)>, Option<usize>),
) -> Explained {
    let uid = |start: Time| uid(&rule.id, &caller.key(), start);
    let severity = reasons.severity(rule);
    let told_by = also.filter(|_| severity.is_some() && said.is_none() && held.is_none());
    Explained {
        nth,
        function: as_function(caller),
        pane,
        told_by: told_by.map(|also| (also.detector.clone(), also.severity)),
        severity,
        reasons,
        held_back: held,
        told: said.map(|(activity, episode)| (uid(episode.start), activity)),
    }
}

impl Callers {
    /// What is known of the hour of a caller that ends with a pane.
    fn hour(&self, caller: &Caller, pane: i64) -> Option<Hour> {
        let kept = self.kept.get(caller)?;
        let by_function = kept.hour();
        let known = |of: &&(usize, f64)| self.heard_for_a_day(of.0, caller.kind, pane);
        let sum = by_function.iter().filter(known).map(|(_, dollars)| dollars).sum();
        let new = by_function.iter().find_map(|(at, dollars)| {
            let first = kept.newly_used(*at, pane)?;
            self.heard_for_a_day(*at, caller.kind, first).then_some((*at, first, *dollars))
        });
        Some(Hour { by_function, known: sum, new })
    }
}

/// What a detector decides by, of a pane that was taken in.
fn reasons(rule: &SpendDetector, kept: &mut Kept, hour: &Hour, pane: i64) -> Reasons {
    let Some(weighed) = odd(rule, kept, pane) else { return Reasons::Nothing };
    Reasons::Riding {
        weighed: Box::new(weighed),
        panes: pane - kept.first_pane,
        odd: kept.odd.map(|odd| pane - odd).filter(|ago| *ago < PANES_AN_HOUR),
        hour: hour.known,
        new: hour.new.map(|(_, _, dollars)| dollars),
    }
}

/// Weighs a pane that was taken in, and notes if it was odd.
fn odd(rule: &SpendDetector, kept: &mut Kept, pane: i64) -> Option<Weighed> {
    let floor = rule.floor() / PANES_AN_HOUR as f64;
    let weighed = weigh(&kept.series, &PAGING.with_floors(floor, floor))?;
    if weighed.raised.at_once() && pane - kept.first_pane >= DAY_PANES {
        kept.odd = Some(pane);
    }
    Some(weighed)
}

fn nobody() -> Function {
    Function { account: "".into(), name: "".into() }
}

/// A caller in the place of a function, for those who keep by function.
fn as_function(caller: &Caller) -> Function {
    Function { account: "".into(), name: caller.to_string().into() }
}
