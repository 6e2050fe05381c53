//! The course of one function: the series of its numbers and its findings, and how a pane that is over moves both
//! on. Both homes, one process and the shared table, judge by what is here and by nothing else.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::allow::Allowlist;
use crate::detector::Severity;
use crate::episode::uid;
use crate::finding::{Activity, Finding};
use crate::meter::book::FINE;
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::meter::tariff::{Tariff, Terms};
use crate::series::Series;
use crate::signal::Origin;
use crate::spend::budget::Budgets;
use crate::spend::burning::{self, Said, Spent, Whose};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::Driver;
use crate::spend::episodes::{Episode, Latch, Raise};
use crate::spend::judged::{self, Judged, Seen};
use crate::spend::lookout::Notes;
use crate::spend::reasons::{Explained, Reasons};
use crate::time::{Span, Time};

/// How long after its end a pane is over.
pub const LATENESS: Span = Span::seconds(60);

/// How long after its last report a function is looked at.
pub(crate) const IDLE_PANES: i64 = 24 * 60 * 60_000 / FINE.0;

/// Panes in an hour.
pub(crate) const PANES_AN_HOUR: i64 = 60 * 60_000 / FINE.0;

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

/// What functions are weighed by.
#[derive(Clone, Debug)]
pub struct Weighing {
    /// What is odd.
    pub detectors: Arc<[SpendDetector]>,
    /// What things cost.
    pub prices: Prices,
    /// What may be spent.
    pub budgets: Budgets,
    /// Which functions are allowed what.
    pub allow: Arc<Allowlist>,
}

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) function: Function,
    pub(crate) terms: Terms,
    pub(crate) series: BTreeMap<Number, Series>,
    /// One for each detector.
    pub(crate) latches: Vec<Latch>,
    /// The pane of its first report.
    pub(crate) first_pane: i64,
    /// The newest pane with a report.
    pub(crate) last_pane: i64,
    /// What may be spent in a month.
    pub(crate) budget: Option<f64>,
    pub(crate) spent: Spent,
}

/// What a finding says of a pane besides its numbers; asked only where there is one.
pub(crate) trait Around {
    /// What the panes of the hour before took together.
    fn hour_before(&self, pane: i64) -> Sums;
    /// The function's versions and the minute each was first seen in, by that.
    fn versions(&self) -> Vec<(Box<str>, Time)>;
    /// Who made the pane's cost.
    fn drivers(&self, pane: i64, cost: Money) -> Vec<Driver>;
    /// A report of the newest pane.
    fn sample(&self) -> Option<Origin>;
}

/// A pane, and when it is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) pane: i64,
    pub(crate) of_pane: &'a Pane,
    pub(crate) around: &'a dyn Around,
    pub(crate) now: Time,
    pub(crate) noted: &'a Noted,
}

/// What is noted while a pane is judged, besides what is told.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// What detectors made of it, where somebody asks.
    pub(crate) explained: Option<Notes>,
    /// What was held back: by which entry of the allowlist, of which detector.
    pub(crate) held: RefCell<Vec<(usize, usize)>>,
}

/// What came of a detector's reasons: the worst other finding, what is news, and which entry holds it back.
type Outcome = (Option<(String, Severity)>, Option<(Activity, Episode)>, Option<usize>);

impl Course {
    /// That of a function whose first report is in `pane`.
    pub(crate) fn new(function: Function, weighing: &Weighing, pane: i64) -> Course {
        Course {
            terms: (weighing.prices.terms)(&function.name),
            budget: (weighing.budgets.of)(&function.name),
            spent: Spent::default(),
            function,
            series: BTreeMap::new(),
            latches: vec![Latch::default(); weighing.detectors.len()],
            first_pane: pane,
            last_pane: i64::MIN,
        }
    }

    /// Whether a pane that is over is taken in: it is neither before the first report nor a day after the last.
    pub(crate) fn takes(&self, pane: i64) -> bool {
        pane >= self.first_pane && pane - self.last_pane <= IDLE_PANES
    }

    /// Takes a pane in that is over, and judges it.
    pub(crate) fn close(
        &mut self,
        weighing: &Weighing,
        numbers: &BTreeSet<Number>,
        look: Look<'_>,
    ) -> Vec<Finding> {
        let seen = self.seen(weighing, look);
        for number in numbers {
            self.take_in(*number, look.pane, number.of(look.of_pane, seen.cost.dollars()));
        }
        self.judge(weighing, &seen)
    }

    /// Judges a pane that is not over: whether the function runs away.
    pub(crate) fn judge_open(&mut self, weighing: &Weighing, look: Look<'_>) -> Vec<Finding> {
        let seen = self.seen(weighing, look);
        let mut findings = Vec::new();
        let all = weighing.detectors.iter().enumerate();
        for (nth, rule) in all.filter(|(_, rule)| rule.rule == Rule::Runaway) {
            let reasons = judged::reasons(rule, self, &seen);
            findings.extend(self.raise(weighing, nth, reasons, &seen));
        }
        findings
    }

    fn seen<'a>(&self, weighing: &Weighing, look: Look<'a>) -> Seen<'a> {
        let Look { pane, of_pane, around, now, noted } = look;
        let cost = weighing.prices.tariff.cost(&of_pane.sums, self.terms);
        Seen { pane, of_pane, around, cost, now, noted }
    }

    /// Puts a number at the end of its series. A count's series begins when there is something to count, and with
    /// the function.
    pub(crate) fn take_in(&mut self, number: Number, pane: i64, value: Option<f64>) {
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

    fn judge(&mut self, weighing: &Weighing, seen: &Seen<'_>) -> Vec<Finding> {
        let budgets =
            (0..weighing.detectors.len()).filter_map(|nth| self.burn(weighing, nth, seen));
        let budgets: Vec<Finding> = budgets.collect();
        let odd = weighing.detectors.iter().enumerate();
        let odd = odd.filter(|(_, rule)| !matches!(rule.rule, Rule::Budget | Rule::Riding));
        let odd = odd.map(|(nth, rule)| (nth, judged::reasons(rule, self, seen)));
        let mut odd: Vec<(usize, Reasons)> = odd.collect();
        // The worst comes first: it tells, and the others need not.
        odd.sort_by_key(|(nth, reasons)| Reverse(reasons.severity(&weighing.detectors[*nth])));
        let odd = odd.into_iter();
        let odd = odd.filter_map(|(nth, reasons)| self.raise(weighing, nth, reasons, seen));
        odd.chain(budgets).collect()
    }

    /// The message that follows about the function's budget, if it has one and any does.
    fn burn(&mut self, weighing: &Weighing, nth: usize, seen: &Seen<'_>) -> Option<Finding> {
        let rule = weighing.detectors.get(nth).filter(|rule| rule.rule == Rule::Budget)?;
        let budget = self.budget?;
        let mut latch = std::mem::take(&mut self.latches[nth]);
        let held = self.held_by(weighing, nth, seen);
        let (mut reasons, last_pane) = (None, self.last_pane);
        let news = burning::news(
            rule,
            &mut latch,
            budget,
            (seen.pane, last_pane),
            Said {
                progress: |month, with_ahead| self.progress(month, seen.pane, with_ahead),
                is_held: held.is_some(),
                reasons: &mut reasons,
            },
        );
        self.latches[nth] = latch;
        if let Some(reasons) = reasons {
            let held_back = held.filter(|_| reasons.severity(rule).is_some());
            seen.noted.held.borrow_mut().extend(held_back.map(|entry| (entry, nth)));
            let told = news.as_ref().map(|(activity, episode, _)| (*activity, *episode));
            self.explain(weighing, (nth, reasons), (None, told, held), seen);
        }
        let (activity, episode, progress) = news?;
        let whose = Whose { course: self, most: None };
        let said = (activity, episode, &progress);
        let finding = burning::finding(&whose, rule, said, (budget, seen));
        let others = self.open(&weighing.detectors, nth);
        let also = others.iter().map(|(of, episode)| judged::also(self, of, episode)).collect();
        Some(Finding { also, ..finding })
    }

    /// The entry of the allowlist that holds back what a detector says of a pane.
    fn held_by(&self, weighing: &Weighing, nth: usize, seen: &Seen<'_>) -> Option<usize> {
        let (name, id) = (&self.function.name, &weighing.detectors[nth].id);
        weighing.allow.holds_back_function(name, id, start(seen.pane))
    }

    /// The message that follows, if any does.
    fn raise(
        &mut self,
        weighing: &Weighing,
        nth: usize,
        reasons: Reasons,
        seen: &Seen<'_>,
    ) -> Option<Finding> {
        let detectors = &weighing.detectors;
        let rule = &detectors[nth];
        let judged = reasons.judged(rule);
        let raised = judged.as_ref().and_then(|judged| {
            let severity = rule.severity(judged.excess)?;
            let Judged { amount, excess, .. } = *judged;
            Some(Raise { pane: seen.pane, severity, amount, excess })
        });
        let held = raised.and_then(|_| self.held_by(weighing, nth, seen));
        seen.noted.held.borrow_mut().extend(held.map(|entry| (entry, nth)));
        let others = self.open(detectors, nth);
        // What creeps, or is silent, is another matter.
        let same = others.iter().filter(|_| rule.rule.is_sudden());
        let worst = same.filter(|(of, _)| of.rule.is_sudden()).max_by_key(|(_, e)| e.severity);
        let worst = worst.map(|(of, episode)| (of.id.clone(), episode.severity));
        let said = self.latch(rule, nth, raised.filter(|_| held.is_none()), worst.as_ref(), seen);
        self.explain(weighing, (nth, reasons), (worst, said, held), seen);
        let said = said?;
        let also = others.iter().map(|(of, episode)| judged::also(self, of, episode)).collect();
        let tariff = &weighing.prices.tariff;
        let finding = judged::finding(self, rule, said, judged, tariff, seen);
        Some(Finding { also, ..finding })
    }

    /// What is news of a pane that raises, or does not.
    fn latch(
        &mut self,
        rule: &SpendDetector,
        nth: usize,
        raised: Option<Raise>,
        worst: Option<&(String, Severity)>,
        seen: &Seen<'_>,
    ) -> Option<(Activity, Episode)> {
        let is_measured = rule.of.of(seen.of_pane, seen.cost.dollars()).is_some();
        let latch = &mut self.latches[nth];
        match raised {
            Some(raise) => latch.raised(raise, rule, worst.map(|(_, severity)| *severity), FINE),
            // What was not measured may go on; but not for longer than a function is looked at.
            None if !is_measured && latch.since(seen.pane) < IDLE_PANES => None,
            None => Some((Activity::Close, latch.quiet(seen.pane, rule, FINE)?)),
        }
    }

    /// Notes what was made of a pane, if somebody asks.
    fn explain(
        &self,
        weighing: &Weighing,
        (nth, reasons): (usize, Reasons),
        (worst, said, held): Outcome,
        seen: &Seen<'_>,
    ) {
        let Some(notes) = &seen.noted.explained else { return };
        let rule = &weighing.detectors[nth];
        let severity = reasons.severity(rule);
        let is_folded = severity.is_some() && said.is_none() && held.is_none();
        let key = judged::key_of(&self.function);
        notes.borrow_mut().push(Explained {
            nth,
            function: self.function.clone(),
            pane: seen.pane,
            told_by: worst.filter(|(_, worst)| is_folded && severity <= Some(*worst)),
            severity,
            held_back: held.filter(|_| severity.is_some()),
            told: said.map(|(activity, episode)| (uid(&rule.id, &key, episode.start), activity)),
            reasons,
        });
    }

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
}

/// When a pane begins.
pub(crate) fn start(pane: i64) -> Time {
    Time(pane * FINE.0)
}

/// The pane that holds `time`.
pub(crate) fn pane_of(time: Time) -> i64 {
    time.0.div_euclid(FINE.0)
}

/// The last pane that is over where reports have come up to `newest`.
pub(crate) fn last_over(newest: Time) -> i64 {
    pane_of(newest.minus(LATENESS)) - 1
}
