//! The laws every run is held to, and what a run that breaks one says.

use std::collections::BTreeMap;

use tidewatch_core::detector::{Detector, Measure};
use tidewatch_core::episode::uid;
use tidewatch_core::finding::{Accuracy, Activity, Value};
use tidewatch_core::key::Key;
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::store::Place;

use super::oracle::{Histories, History, pane_ms, rests};
use super::rotation::LATE_MS_MAX;
use super::topic::Message;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// Every measure is what the oracle counts, within the bounds of this very run.
    Counts,
    /// What is certainly over its thresholds while its key is at rest has been published.
    Published,
    /// One episode has one uid, made from its start.
    OneUid,
    /// Every episode begins with its opening and ends with its closing.
    Closed,
    /// Nothing is published that cannot have been over its thresholds.
    Planted,
    /// Every shard is read to its end, and nothing is asked for that was not delivered.
    Read,
    /// In the end nothing is pending.
    Settled,
    /// While nothing goes wrong nothing is said twice.
    Once,
}

/// A law that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// What happened instead.
    pub what: String,
}

/// What a fresh process reads of a key.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whose.
    pub place: Place,
    /// Whether the second key's tags are judged.
    pub second: bool,
    /// The newest event it knows.
    pub head_ms: i64,
    /// By detector and measure.
    pub values: Vec<(usize, usize, Value)>,
    /// Episodes of which something is still to be told.
    pub pending: usize,
}

/// The laws of counting, for everything that was read at one time.
pub fn counts(plan: &Plan, histories: &Histories, shown: &[Shown], read_ms: i64) -> Vec<Broken> {
    let mut broken = Vec::new();
    let by_place: BTreeMap<Place, &Shown> = shown.iter().map(|one| (one.place, one)).collect();
    for (place, history) in histories {
        let history = history.arrived(read_ms);
        if history.sightings.is_empty() {
            continue;
        }
        let longest_ms = windows_ms(plan, place.0).max().unwrap_or(0);
        // No window of today reaches what is older; it may go, and shard by shard.
        if read_ms - history.head_ms() > 2 * longest_ms {
            continue;
        }
        match by_place.get(place) {
            // Nobody judges it any more: what was read before the new key was used is not under it.
            Some(shown) if shown.second && read_ms - history.head_ms() > LATE_MS_MAX => {}
            Some(shown) => compare(plan, &history, shown, &mut broken),
            None if read_ms - history.head_ms() > longest_ms => {}
            None => broken.push(Broken {
                law: Law::Counts,
                what: format!("{} has events and no state", place.1),
            }),
        }
    }
    broken
}

fn windows_ms(plan: &Plan, KeyPlanId(id): KeyPlanId) -> impl Iterator<Item = i64> {
    let fields = &plan.keys[usize::from(id)].fields;
    plan.detectors.iter().filter(move |d| d.key == *fields).map(|d| d.window.0)
}

fn compare(plan: &Plan, history: &History, shown: &Shown, broken: &mut Vec<Broken>) {
    let key = shown.place.1;
    let mut tell = |what: String| broken.push(Broken { law: Law::Counts, what });
    if shown.head_ms != history.head_ms() {
        tell(format!("{key}: newest event {}, not {}", shown.head_ms, history.head_ms()));
        return;
    }
    for (detector, measure, value) in &shown.values {
        let detector = &plan.detectors[*detector];
        let named = &detector.measures[*measure];
        let span_ms = detector.window.0;
        let expected = history.shown(named.measure, span_ms);
        let Value { amount, error } = *value;
        let within = expected.low <= amount && amount <= expected.high;
        let fits = match (error, named.measure) {
            (Accuracy::Exact, Measure::Distinct(..)) => {
                expected.truth <= amount && amount <= expected.high
            }
            (Accuracy::Exact, Measure::Sequential(_)) => {
                expected.low - 1e-9 <= amount && amount <= expected.high + 1e-9
            }
            (Accuracy::AtLeast, Measure::Sequential(_)) => expected.full,
            // Under a new key nobody has been seen before it was used.
            (Accuracy::Exact, Measure::FirstSeen(..)) if shown.second => amount <= expected.high,
            (Accuracy::Exact, Measure::FirstSeen(..)) => within,
            (Accuracy::AtMost | Accuracy::AtLeast, Measure::FirstSeen(..)) => {
                expected.full && within
            }
            (Accuracy::Pane(_), Measure::Count(..) | Measure::Sum(..)) => within,
            (Accuracy::AtLeast, Measure::Distinct(..)) => expected.full && within,
            (Accuracy::Sketch { .. }, Measure::Distinct(field, filter)) => {
                let (low, high) = history.estimated(field, filter, (span_ms, shown.second));
                expected.full && low <= amount && amount <= high
            }
            _ => false,
        };
        if !fits {
            tell(format!(
                "{key} {} {}: shows {amount} ({error:?}), the oracle says {expected:?}",
                detector.id, named.name
            ));
        }
    }
}

/// How long a key that is judged at the tick only must be at rest, so that one has surely come by.
const TICK_MS_MAX: i64 = 45 * 60_000;

/// The laws of messages.
pub fn messages(
    plan: &Plan,
    histories: &Histories,
    messages: &[Message],
    calm: bool,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut told: BTreeMap<(String, Key), BTreeMap<i64, Vec<&Message>>> = BTreeMap::new();
    for message in messages {
        let finding = &message.finding;
        let of = told.entry((finding.detector.clone(), finding.key)).or_default();
        of.entry(finding.start.0).or_default().push(message);
        if finding.uid != uid(&finding.detector, &finding.key, finding.start) {
            let what = format!("{} is not the uid of {finding:?}", finding.uid);
            broken.push(Broken { law: Law::OneUid, what });
        }
    }
    for ((id, key), history) in by_detector(plan, histories) {
        let none = BTreeMap::new();
        let episodes = told.get(&(id.id.clone(), key)).unwrap_or(&none);
        let subject = Subject { detector: id, key, history };
        subject.published(episodes, rest_ms(plan, id), &mut broken);
        subject.one_uid(episodes, &mut broken);
        for (start_ms, messages) in episodes {
            subject.told_well(*start_ms, messages, calm, &mut broken);
        }
    }
    let known = |(id, key): &(String, Key)| {
        by_detector(plan, histories).any(|((detector, of), _)| detector.id == *id && of == *key)
    };
    for (id, key) in told.keys().filter(|subject| !known(subject)) {
        let what = format!("{id} tells of {key}, who did nothing");
        broken.push(Broken { law: Law::Planted, what });
    }
    broken
}

fn rest_ms(plan: &Plan, detector: &Detector) -> i64 {
    if is_hot(plan, detector) { TICK_MS_MAX } else { 0 }
}

/// Whether a detector's keys are judged at the tick only.
pub fn is_hot(plan: &Plan, detector: &Detector) -> bool {
    plan.keys.iter().any(|key| key.fields == detector.key && key.is_hot())
}

/// Each detector with each of its keys.
pub fn by_detector<'a>(
    plan: &'a Plan,
    histories: &'a Histories,
) -> impl Iterator<Item = ((&'a Detector, Key), &'a History)> {
    histories.iter().flat_map(move |((KeyPlanId(id), key), history)| {
        let fields = &plan.keys[usize::from(*id)].fields;
        let own = plan.detectors.iter().filter(move |detector| detector.key == *fields);
        own.map(move |detector| ((detector, *key), history))
    })
}

/// Whom the messages of one detector are about.
struct Subject<'a> {
    detector: &'a Detector,
    key: Key,
    history: &'a History,
}

impl Subject<'_> {
    fn tell(&self, law: Law, what: String) -> Broken {
        Broken { law, what: format!("{} {}: {what}", self.detector.id, self.key) }
    }

    fn published(
        &self,
        episodes: &BTreeMap<i64, Vec<&Message>>,
        rest_ms: i64,
        broken: &mut Vec<Broken>,
    ) {
        if !self.history.may_raise_ever(self.detector) {
            return;
        }
        for until_ms in rests(self.history, rest_ms) {
            let arrived = self.history.arrived(until_ms);
            if !arrived.must_raise(self.detector) {
                continue;
            }
            let head_ms = arrived.head_ms();
            let from_ms = arrived.chain_start(self.detector);
            // The start of a window that ends with a pane is told by what is known of the pane.
            let told_ms = from_ms - pane_ms(self.detector.window.0);
            if episodes.range(told_ms..=head_ms).next().is_none() {
                broken.push(self.tell(
                    Law::Published,
                    format!("over its thresholds at {head_ms} and silent since {from_ms}"),
                ));
            }
        }
    }

    fn one_uid(&self, episodes: &BTreeMap<i64, Vec<&Message>>, broken: &mut Vec<Broken>) {
        let starts: Vec<i64> = episodes.keys().copied().collect();
        for pair in starts.windows(2) {
            if self.history.goes_on(self.detector, (pair[0], pair[1])) {
                let what = format!("episodes from {} and {} are one", pair[0], pair[1]);
                broken.push(self.tell(Law::OneUid, what));
            }
        }
    }

    fn told_well(
        &self,
        start_ms: i64,
        messages: &[&Message],
        calm: bool,
        broken: &mut Vec<Broken>,
    ) {
        if !self.history.may_raise(self.detector, start_ms) {
            broken.push(self.tell(Law::Planted, format!("nothing can have raised at {start_ms}")));
        }
        let activities: Vec<Activity> = messages.iter().map(|m| m.finding.activity).collect();
        if activities.first() != Some(&Activity::Create) {
            broken.push(self.tell(Law::Closed, format!("{start_ms} is told as {activities:?}")));
        }
        // What somebody who stood still says when he goes on again was said before.
        let repeated = |at: &usize| messages[..*at].iter().any(|m| says_the_same(m, messages[*at]));
        let last = (0..messages.len()).rev().find(|at| !repeated(at));
        let closed = last.is_none_or(|last| activities[last..].contains(&Activity::Close));
        if !closed {
            broken.push(self.tell(Law::Closed, format!("{start_ms} ends as {activities:?}")));
        }
        if calm && (0..messages.len()).any(|at| repeated(&at)) {
            broken.push(self.tell(Law::Once, format!("{start_ms} is told as {activities:?}")));
        }
    }
}

fn says_the_same(one: &Message, other: &Message) -> bool {
    let said = |message: &Message| {
        let finding = &message.finding;
        (finding.activity, finding.severity, finding.last, finding.measures.clone())
    };
    said(one) == said(other)
}
