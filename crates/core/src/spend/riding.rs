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
use crate::series::{PAGING, weigh};
use crate::spend::all::Together;
use crate::spend::callers::{Caller, Callers, Costs, DAY_PANES, Kept};
use crate::spend::course::{Noted, PANES_AN_HOUR, start};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::episodes::{Episode, Raise};
use crate::spend::judged::{self, Judged, Seen, message};
use crate::spend::reasons::{Explained, Reasons};
use crate::spend::spending::{Ride, Spending};
use crate::spend::watch::Watch;
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

impl Watch {
    /// What follows about callers from a pane that is over for each function.
    pub(super) fn ride(&mut self, pane: i64) -> Vec<Finding> {
        let detectors = std::sync::Arc::clone(&self.weighing.detectors);
        if detectors.iter().all(|rule| rule.rule != Rule::Riding) {
            return Vec::new();
        }
        let costs = self.costs(pane);
        let mut callers = std::mem::take(&mut self.callers);
        callers.take_in(pane, &costs, detectors.len());
        self.note_told(&mut callers, &costs);
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
                    findings.extend(self.ride_one(&mut callers, &caller, (nth, rule), pane));
                }
            }
        }
        self.callers = callers;
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

    /// Notes whom the open findings about functions are about: who makes most of what they cost when they open.
    fn note_told(&self, callers: &mut Callers, costs: &Costs) {
        let open = |at: &usize| !self.telling(*at).is_empty();
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

    /// The open findings that say that a function costs more than usual now.
    fn telling(&self, at: usize) -> Vec<Also> {
        let course = &self.functions[at].course;
        let all = self.weighing.detectors.iter().zip(&course.latches);
        let of_cost = |rule: &SpendDetector| {
            rule.rule == Rule::Runaway || rule.rule.is_sudden() && rule.of == Number::Dollars
        };
        all.filter(|(rule, _)| of_cost(rule))
            .filter_map(|(rule, latch)| Some(judged::also(course, rule, latch.open()?)))
            .collect()
    }

    /// The message that follows about one caller, if any does.
    fn ride_one(
        &mut self,
        callers: &mut Callers,
        caller: &Caller,
        (nth, rule): (usize, &SpendDetector),
        pane: i64,
    ) -> Option<Finding> {
        let hour = callers.hour(caller, pane)?;
        let most = hour.by_function.first().map(|(at, _)| *at);
        // Whom a finding about a function is about is told by that, if it is there that it spends.
        let told_of = most.filter(|at| callers.told_of.get(at) == Some(caller));
        let also = told_of.map_or(Vec::new(), |at| self.telling(at));
        let kept = callers.kept.get_mut(caller)?;
        let reasons = reasons(rule, kept, &hour, pane);
        let judged = reasons.judged(rule);
        let raised = judged.as_ref().and_then(|judged| {
            let Judged { amount, excess, .. } = *judged;
            Some(Raise { pane, severity: rule.severity(excess)?, amount, excess })
        });
        let held = raised.and_then(|_| self.ride_held(caller, most, (nth, rule), pane));
        let latch = &mut kept.latches[nth];
        let told_by = (!also.is_empty()).then_some(Severity::Critical);
        let said = match raised.filter(|_| held.is_none()) {
            Some(raise) => latch.raised(raise, rule, told_by, FINE),
            None => latch.quiet(pane, rule, FINE).map(|episode| (Activity::Close, episode)),
        };
        self.explain_ride(caller, (nth, rule, pane), reasons, (also.first(), said, held));
        let said = said?;
        let spending = self.riding(caller, kept, (rule, judged), &hour, said.1);
        let sample = most.and_then(|at| self.functions[at].sample.clone());
        let (of_pane, around, noted) = (Pane::default(), Together(sample), Noted::default());
        let (cost, now) = (Money::ZERO, self.newest);
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
    fn ride_held(
        &mut self,
        caller: &Caller,
        most: Option<usize>,
        (nth, rule): (usize, &SpendDetector),
        pane: i64,
    ) -> Option<usize> {
        let allow = &self.weighing.allow;
        let name = most.map(|at| &self.functions[at].course.function.name);
        let of_function =
            || name.and_then(|name| allow.holds_back_function(name, &rule.id, start(pane)));
        let entry = allow.holds_back(&caller.key(), &rule.id, start(pane)).or_else(of_function)?;
        let of = (FunctionTag::of(&as_function(caller)), nth);
        let is_new = self.held_back.note_function(of, rule.quiet, start(pane), entry);
        self.suppressed += u64::from(is_new);
        Some(entry)
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
        let function = |at: usize| self.functions[at].course.function.clone();
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

    /// Keeps why, if somebody asks.
    fn explain_ride(
        &mut self,
        caller: &Caller,
        (nth, rule, pane): (usize, &SpendDetector, i64),
        reasons: Reasons,
        (also, said, held): (Option<&Also>, Option<(Activity, Episode)>, Option<usize>),
    ) {
        let Some(lookout) = &mut self.lookout else { return };
        let uid = |start: Time| uid(&rule.id, &caller.key(), start);
        let severity = reasons.severity(rule);
        let told_by = also.filter(|_| severity.is_some() && said.is_none() && held.is_none());
        let explained = Explained {
            nth,
            function: as_function(caller),
            pane,
            told_by: told_by.map(|also| (also.detector.clone(), also.severity)),
            severity,
            reasons,
            held_back: held,
            told: said.map(|(activity, episode)| (uid(episode.start), activity)),
        };
        lookout.take(vec![explained], &self.weighing.detectors);
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
    let floor = rule.floor() / PANES_AN_HOUR as f64;
    let Some(weighed) = weigh(&kept.series, &PAGING.with_floors(floor, floor)) else {
        return Reasons::Nothing;
    };
    let panes = pane - kept.first_pane;
    if weighed.raised.at_once() && panes >= DAY_PANES {
        kept.odd = Some(pane);
    }
    Reasons::Riding {
        weighed: Box::new(weighed),
        panes,
        odd: kept.odd.map(|odd| pane - odd).filter(|ago| *ago < PANES_AN_HOUR),
        hour: hour.known,
        new: hour.new.map(|(_, _, dollars)| dollars),
    }
}

fn nobody() -> Function {
    Function { account: "".into(), name: "".into() }
}

/// A caller in the place of a function, for those who keep by function.
fn as_function(caller: &Caller) -> Function {
    Function { account: "".into(), name: caller.to_string().into() }
}
