//! Judging a pane of one function: pure functions from its series to numbers, and from these to a finding.

use crate::detector::Comparison;
use crate::episode::uid;
use crate::finding::{Accuracy, Activity, Also, Decided, Finding, Measured, Value};
use crate::key::{FunctionTag, Key, KeyPart};
use crate::meter::book::FINE;
use crate::meter::breakdown::Breakdown;
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::meter::tariff::Tariff;
use crate::series::season::{Basis, Usual};
use crate::series::{PAGING, Weighed, weigh};
use crate::spend::course::{Around, Course, Noted, PANES_AN_HOUR, start};
use crate::spend::detector::{Number, RUNAWAY_TIMES, Rule, SpendDetector};
use crate::spend::drivers::Driver;
use crate::spend::episodes::Episode;
use crate::spend::reasons::Reasons;
use crate::spend::spending::Spending;
use crate::time::Time;

/// Nothing is told of silence, and nobody runs away, in a shorter history than this, in panes.
pub(crate) const HISTORY_MIN: usize = 12;

/// Silence is told of after a day.
pub(crate) const SILENCE_HISTORY_MIN: usize = 24 * 12;

/// And after so many silent panes.
pub(crate) const SILENT_PANES_MIN: usize = 3;

/// How far back a deployment coincides, in panes.
const DEPLOYMENT_PANES: i64 = 3;

/// A pane and what it is part of.
pub(crate) struct Seen<'a> {
    pub(crate) pane: i64,
    pub(crate) of_pane: &'a Pane,
    pub(crate) around: &'a dyn Around,
    pub(crate) cost: Money,
    pub(crate) now: Time,
    pub(crate) noted: &'a Noted,
}

impl Seen<'_> {
    /// Who made the pane's cost.
    pub(crate) fn drivers(&self) -> Vec<Driver> {
        self.around.drivers(self.pane, self.cost)
    }
}

/// What is odd, in the number's unit: dollars and counts by the hour.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) amount: f64,
    pub(crate) excess: f64,
    pub(crate) usual: Option<f64>,
    pub(crate) basis: Option<Basis>,
    pub(crate) nearest: Option<f64>,
    pub(crate) as_far: Option<(usize, usize)>,
}

impl Judged {
    /// An amount and how much of it is odd, and nothing besides.
    pub(crate) fn of(amount: f64, excess: f64) -> Judged {
        Judged { amount, excess, usual: None, basis: None, nearest: None, as_far: None }
    }
}

/// What a pane's number is multiplied by: durations are as they are, the others are told by the hour.
pub(crate) fn by_the_hour(number: Number) -> f64 {
    if number.is_duration() { 1.0 } else { PANES_AN_HOUR as f64 }
}

fn weighed(rule: &SpendDetector, course: &Course) -> Option<Weighed> {
    let series = course.series.get(&rule.of)?;
    let floor = rule.floor() / by_the_hour(rule.of);
    weigh(series, &PAGING.with_floors(floor, floor))
}

/// What a detector decides by, of a pane that was taken in, or that is not over.
pub(crate) fn reasons(rule: &SpendDetector, course: &Course, seen: &Seen<'_>) -> Reasons {
    match rule.rule {
        Rule::Above | Rule::Driven => above(rule, course, seen),
        Rule::Creeping => weighed(rule, course).map_or(Reasons::Nothing, |weighed| {
            Reasons::Creeping { creep: weighed.creep, creeps: weighed.raised.creeps }
        }),
        Rule::Silent => {
            let panes = course.series.get(&rule.of).map_or(0, |series| series.history().panes());
            weighed(rule, course).map_or(Reasons::Nothing, |weighed| Reasons::Silent {
                silence: weighed.silence,
                panes,
            })
        }
        Rule::Runaway => runaway(rule, course, seen),
        // One is decided by the month and not by the pane, the other is about no function.
        Rule::Budget | Rule::Riding => Reasons::Nothing,
    }
}

/// Of a pane that is above everything, or above what is usual at its hour; and of one that somebody makes most of.
fn above(rule: &SpendDetector, course: &Course, seen: &Seen<'_>) -> Reasons {
    let Some(weighed) = weighed(rule, course) else { return Reasons::Nothing };
    let invocations = seen.of_pane.sums.invocations.max(1) as f64;
    let share = rule.of.is_count().then(|| (weighed.number / invocations, rule.share));
    let driven = (rule.rule == Rule::Driven).then(|| {
        // Who it is matters only where the pane does.
        let drivers = if weighed.raised.at_once() { seen.drivers() } else { Vec::new() };
        let most = drivers.first().map_or(0.0, |driver| driver.share);
        (most, rule.share.max(f64::MIN_POSITIVE))
    });
    let share = share.filter(|_| rule.rule == Rule::Above);
    Reasons::Above { weighed: Box::new(weighed), share, driven }
}

/// Of more in a pane that need not be over than in any before, many times over. The number is what is in the pane.
fn runaway(rule: &SpendDetector, course: &Course, seen: &Seen<'_>) -> Reasons {
    let Some(amount) = rule.of.of(seen.of_pane, seen.cost.dollars()) else {
        return Reasons::Nothing;
    };
    let usual = course.series.get(&rule.of).and_then(|series| series.usual_at(seen.pane));
    let usual = usual.map(|usual| usual.median);
    Reasons::Runaway { amount, from: runs_from(rule, course, seen.pane), usual }
}

/// From how much in `pane` on a function runs away, and the largest pane before it; nothing while its history is
/// short.
pub(crate) fn runs_from(rule: &SpendDetector, course: &Course, pane: i64) -> Option<(f64, f64)> {
    let series = course.series.get(&rule.of)?;
    let before = series.history().iter().filter(|(before, _)| *before < pane);
    let largest = before.filter_map(|(_, step)| step.number()).fold(0.0f32, f32::max);
    let largest = f64::from(largest);
    let from = rule.floor().max(RUNAWAY_TIMES * largest);
    (series.history().panes() >= HISTORY_MIN).then_some((from, largest))
}

/// An open finding about a function, as another one lists it.
pub(crate) fn also(course: &Course, of: &SpendDetector, episode: &Episode) -> Also {
    let uid = uid(&of.id, &key_of(&course.function), episode.start);
    Also { detector: of.id.clone(), severity: episode.severity, uid: Some(uid) }
}

/// What findings about a function are about.
pub(crate) fn key_of(function: &Function) -> Key {
    Key::of(KeyPart::Function(FunctionTag::of(function)))
}

/// What a finding is about that says this: a function, all of them, or a caller.
pub(crate) fn key(spending: &Spending) -> Key {
    if let Some(ride) = &spending.ride {
        return ride.caller.key();
    }
    match spending.is_of_all() {
        true => Key::of(KeyPart::Global),
        false => key_of(&spending.function),
    }
}

/// The message about what is odd.
pub(crate) fn finding(
    course: &Course,
    rule: &SpendDetector,
    said: (Activity, Episode),
    judged: Option<Judged>,
    tariff: &Tariff,
    seen: &Seen<'_>,
) -> Finding {
    let spending = spending(course, rule, judged.as_ref(), tariff, seen);
    let decided = judged
        .iter()
        .map(|judged| decided(rule, spending.amount, judged.usual.unwrap_or(0.0)))
        .collect();
    message(rule, said, decided, spending, seen)
}

/// The message that says `spending`.
pub(crate) fn message(
    rule: &SpendDetector,
    (activity, episode): (Activity, Episode),
    decided: Vec<Decided>,
    spending: Spending,
    seen: &Seen<'_>,
) -> Finding {
    let key = key(&spending);
    let (start_of, end) = (start(seen.pane), Time(start(seen.pane + 1).0 - 1));
    let (first_seen, last) = match activity {
        // What is raised for a span of its own has begun with that.
        Activity::Create => (start_of.min(episode.start), end.min(seen.now)),
        Activity::Update => (episode.start, end.min(seen.now)),
        Activity::Close => (episode.start, Time(start(episode.last() + 1).0 - 1)),
    };
    Finding {
        uid: uid(&rule.id, &key, episode.start),
        activity,
        severity: episode.severity,
        detector: rule.id.clone(),
        title: rule.title.clone(),
        description: rule.description.clone(),
        advice: rule.advice.clone(),
        attacks: rule.attacks.clone(),
        key,
        agent: None,
        time: seen.now,
        start: episode.start,
        first_seen,
        last,
        window: FINE,
        quiet: rule.quiet,
        measures: measures(&seen.of_pane.sums, seen, &spending),
        decided,
        peak: episode.peak,
        sources: Vec::new(),
        sources_total: 0,
        samples: seen.around.sample().into_iter().collect(),
        accounts: Vec::new(),
        confidence: None,
        since: Vec::new(),
        listed: Vec::new(),
        also: Vec::new(),
        members: Vec::new(),
        spending: Some(Box::new(spending)),
    }
}

/// What findings tell of a pane.
pub(crate) const MEASURES: [&str; 7] = [
    "dollars_an_hour",
    "invocations_an_hour",
    "duration_p95_ms",
    "errors_an_hour",
    "timeouts_an_hour",
    "out_of_memory_an_hour",
    "cold_starts_an_hour",
];

/// What the pane came to, by the hour.
fn measures(sums: &Sums, seen: &Seen<'_>, spending: &Spending) -> Vec<Measured> {
    let endings = sums.endings();
    let by_hour = |count: u64| count as f64 * PANES_AN_HOUR as f64;
    let p95 = seen.of_pane.durations.quantile(0.95).map(|us| us / 1e3);
    let all = [
        Some(spending.dollars),
        // Of all together it is not added up how often they were invoked.
        Some(by_hour(sums.invocations)).filter(|_| !spending.is_of_all()),
        p95,
        Some(by_hour(endings.errors)).filter(|n| *n > 0.0),
        Some(by_hour(endings.timeouts)).filter(|n| *n > 0.0),
        Some(by_hour(endings.out_of_memory)).filter(|n| *n > 0.0),
        Some(by_hour(sums.cold_starts)).filter(|n| *n > 0.0),
    ];
    let told = MEASURES.into_iter().zip(all).filter_map(|(name, amount)| Some((name, amount?)));
    told.map(|(name, amount)| Measured {
        name: name.to_owned(),
        value: Value { amount, error: Accuracy::Exact },
    })
    .collect()
}

/// What decided, if it was `amount` where `threshold` is usual.
pub(crate) fn decided(rule: &SpendDetector, amount: f64, threshold: f64) -> Decided {
    Decided {
        measure: rule.of.name().to_owned(),
        amount,
        comparison: Comparison::MoreThan,
        threshold,
        condition: format!("{} is {}", rule.of.name(), rule.rule.name()),
    }
}

fn spending(
    course: &Course,
    rule: &SpendDetector,
    judged: Option<&Judged>,
    tariff: &Tariff,
    seen: &Seen<'_>,
) -> Spending {
    let (dollars, dollars_above) = dollars_an_hour(course, seen);
    let now = rule.of.of(seen.of_pane, seen.cost.dollars()).unwrap_or(0.0) * by_the_hour(rule.of);
    Spending {
        function: course.function.clone(),
        number: rule.of,
        rule: rule.rule,
        amount: judged.map_or(now, |judged| judged.amount),
        usual: judged.and_then(|judged| judged.usual),
        basis: judged.and_then(|judged| judged.basis),
        nearest: judged.and_then(|judged| judged.nearest),
        as_far: judged.and_then(|judged| judged.as_far),
        dollars,
        dollars_above,
        parts: parts(course, tariff, seen),
        drivers: seen.drivers(),
        deployment: deployment(seen),
        budget: None,
        ride: None,
    }
}

/// What the pane's dollars make in an hour, and how much of that is above usual.
pub(crate) fn dollars_an_hour(course: &Course, seen: &Seen<'_>) -> (f64, f64) {
    let cost = course.series.get(&Number::Dollars);
    let usual: Option<Usual> = cost.and_then(|series| series.usual_at(seen.pane));
    let hour = PANES_AN_HOUR as f64;
    let dollars = seen.cost.dollars() * hour;
    (dollars, dollars - usual.map_or(0.0, |usual| usual.median * hour))
}

/// The change of an hour like this pane against the hour before it.
fn parts(course: &Course, tariff: &Tariff, seen: &Seen<'_>) -> Vec<(&'static str, f64)> {
    let mut hour = Sums::default();
    (0..PANES_AN_HOUR).for_each(|_| hour.add(&seen.of_pane.sums));
    let change =
        Breakdown::between(&seen.around.hour_before(seen.pane), &hour, tariff, course.terms);
    change.parts().map(|(name, money)| (name, money.dollars())).to_vec()
}

/// A version that was first seen in the pane or shortly before, other than the function's first.
fn deployment(seen: &Seen<'_>) -> Option<(Box<str>, Time)> {
    let from = start(seen.pane - DEPLOYMENT_PANES);
    let coincides = |(_, first): &(Box<str>, Time)| *first >= from && *first < start(seen.pane + 1);
    seen.around.versions().into_iter().skip(1).rev().find(coincides)
}
