//! What is true of a run, by definition: counted anew from everything that was put into the shards,
//! by looking at all of it every time.
//!
//! Whatever the product may legally be off by is computed from the very records of the run: the pane a
//! window begins in, the second a sighting is rounded up to, the names a full list must forget, and
//! the copies of log events that came again when too many others lay between.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tidewatch_core::detector::{
    Comparison, Condition, Detector, DistinctField, Filter, Measure, NamedMeasure, Operand,
};
use tidewatch_core::key::{Key, KeyField, KeyPart};
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::retention::SHARED_TAG_MASK;
use tidewatch_core::signal::{Outcome, Role, Signal};
use tidewatch_core::sketch::{SHARED_PRECISION, Sketch};
use tidewatch_core::tag::UserTag;
use tidewatch_core::walk::Rates;

use super::rotation::second_user;
use super::source::Shards;

mod episodes;
mod since;

pub use episodes::rests;

const MINUTE: i64 = 60_000;

/// Later events of a key and shard after which a copy is not known as one any more.
const COPIES_KNOWN: usize = 16;

/// Names a list keeps.
pub const LIST_NAMES_MAX: usize = 48;

/// How wide the panes of sketches are.
const SKETCH_PANE_MS: i64 = 360 * MINUTE;

/// A sketch of 256 registers is off by less than this factor: five standard errors and a bit.
const SKETCH_SLACK: f64 = 1.4;

/// One delivery of one log event, as one key sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Event time, but no later than the arrival.
    pub time_ms: i64,
    /// Which log event.
    pub event: u64,
    user: u64,
    source: IpAddr,
    failed: bool,
    known: Option<bool>,
    mention: bool,
    attempts: u32,
    /// When its record arrived.
    pub arrived_ms: i64,
    /// When its record needed not come again.
    pub acknowledged_ms: i64,
    /// Whether counters count it: it is no copy that is known as such.
    counted: bool,
}

/// Everything about one key, by event time.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Sorted by time.
    pub sightings: Vec<Sighting>,
}

/// A number that lies within both, inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
    /// What is true, whatever a list had to forget.
    pub truth: f64,
    /// Whether a list had to forget names of the window.
    pub full: bool,
}

/// The histories of all keys of all plans.
pub type Histories = BTreeMap<(KeyPlanId, Key), History>;

/// Everything the shards hold, by key. `acknowledged_ms`: by shard and record.
pub fn histories(plan: &Plan, shards: &Shards, acknowledged_ms: &[Vec<i64>]) -> Histories {
    let mut histories = Histories::new();
    for (index, key_plan) in plan.keys.iter().enumerate() {
        let id = KeyPlanId(index as u16);
        let own = |d: &&Detector| d.key == key_plan.fields;
        let measures: Vec<Measure> = plan.detectors.iter().filter(own).flat_map(measures).collect();
        for (at, shard) in shards.all.iter().enumerate() {
            let mut rings: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
            for (record, nth) in shard.records.iter().zip(0..) {
                let times = acknowledged_ms.get(at).and_then(|times: &Vec<i64>| times.get(nth));
                let acknowledged_ms = times.copied().unwrap_or(i64::MAX);
                for signal in &record.signals {
                    let mut sighting = sighting(signal, record.arrival.0, acknowledged_ms);
                    if !measures.iter().any(|measure| sighting.is_selected(*measure)) {
                        continue;
                    }
                    let key = key(key_plan.fields[0], &sighting);
                    let ring = rings.entry(key).or_default();
                    sighting.counted = note(ring, sighting.event);
                    histories.entry((id, key)).or_default().sightings.push(sighting);
                }
            }
        }
    }
    for history in histories.values_mut() {
        history.sightings.sort_by_key(|sighting| (sighting.time_ms, sighting.event));
    }
    histories
}

fn measures(detector: &Detector) -> Vec<Measure> {
    detector.measures.iter().map(|named| named.measure).collect()
}

/// Whether an event is not among the last that were counted; it is then.
fn note(counted: &mut Vec<u64>, event: u64) -> bool {
    let latest = &counted[counted.len().saturating_sub(COPIES_KNOWN)..];
    let new = !latest.contains(&event);
    if new {
        counted.push(event);
    }
    new
}

fn sighting(signal: &Signal, arrived_ms: i64, acknowledged_ms: i64) -> Sighting {
    let auth = signal.body.auth().expect("a try");
    let UserTag(user) = auth.user.expect("all have names here");
    Sighting {
        time_ms: signal.time.0.min(arrived_ms),
        event: signal.event.0,
        user,
        source: auth.source.expect("all have sources here"),
        failed: auth.outcome == Outcome::Failure,
        known: auth.user_known,
        mention: auth.role == Role::Mention,
        attempts: auth.attempts,
        arrived_ms,
        acknowledged_ms,
        counted: true,
    }
}

fn key(field: KeyField, sighting: &Sighting) -> Key {
    let part = match (field, sighting.source) {
        (KeyField::User, _) => KeyPart::User(UserTag(sighting.user)),
        (KeyField::SourceIp, IpAddr::V4(v4)) => KeyPart::Ipv4(v4),
        (KeyField::SourceSubnet, IpAddr::V4(v4)) => {
            KeyPart::SubnetIpv4((u32::from(v4) & 0xffff_ff00).into())
        }
        (KeyField::SourceIp, IpAddr::V6(v6)) => KeyPart::Ipv6Net((u128::from(v6) >> 64) as u64),
        (KeyField::SourceSubnet, IpAddr::V6(v6)) => {
            KeyPart::SubnetIpv6((u128::from(v6) >> 64) as u64)
        }
        _ => KeyPart::Global,
    };
    Key::of(part)
}

impl Sighting {
    fn passes(&self, filter: Filter) -> bool {
        filter.outcome.is_none_or(|wanted| (wanted == Outcome::Failure) == self.failed)
            && filter.user_known.is_none_or(|wanted| self.known == Some(wanted))
    }

    fn is_selected(&self, measure: Measure) -> bool {
        match measure {
            Measure::Distinct(_, filter) | Measure::FirstSeen(_, filter, _) => self.passes(filter),
            Measure::Sequential(_) | Measure::Change(_) | Measure::Busiest(..) => true,
            Measure::Count(_, filter) | Measure::Sum(_, filter) => {
                !self.mention && self.passes(filter)
            }
        }
    }

    /// Names are listed by kind: how it ended, and whether the user exists.
    fn kind(&self) -> (bool, Option<bool>) {
        (self.failed, self.known)
    }
}

const FAILED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
const SUCCEEDED: Filter = Filter { outcome: Some(Outcome::Success), user_known: None };

/// The walk over those that failed among the first and those that got in among the second, by its
/// definition: the best of all stretches that end now. Sightings are kept by the second that ends them.
fn walk(failed: &[Sighting], succeeded: &[Sighting], rates: Rates) -> f64 {
    let mut names: BTreeMap<u64, (i64, bool)> = BTreeMap::new();
    let failed = failed.iter().filter(|sighting| sighting.failed);
    for sighting in failed.chain(succeeded.iter().filter(|sighting| !sighting.failed)) {
        let second = (sighting.time_ms + 999).div_euclid(1_000);
        let name = value(sighting, DistinctField::User);
        let (last, got_in) = names.entry(name).or_insert((second, !sighting.failed));
        *last = second.max(*last);
        *got_in |= !sighting.failed;
    }
    let stretch = |begin: i64| {
        let in_it = names.values().filter(|(last, _)| *last >= begin);
        in_it.map(|(_, got_in)| if *got_in { rates.success() } else { rates.failure() }).sum()
    };
    names.values().map(|(last, _)| stretch(*last)).fold(0.0, f64::max)
}

/// How wide the pane is that a window begins in.
pub fn pane_ms(span_ms: i64) -> i64 {
    match span_ms / MINUTE {
        ..=15 => MINUTE,
        16..=180 => 10 * MINUTE,
        _ => 60 * MINUTE,
    }
}

impl History {
    /// The newest event.
    pub fn head_ms(&self) -> i64 {
        self.sightings.last().map_or(0, |sighting| sighting.time_ms)
    }

    /// Only what arrived up to a time.
    pub fn arrived(&self, until_ms: i64) -> History {
        let arrived = |sighting: &&Sighting| sighting.arrived_ms <= until_ms;
        History { sightings: self.sightings.iter().filter(arrived).copied().collect() }
    }

    /// The sightings of (after, until].
    fn within(&self, after_ms: i64, until_ms: i64) -> &[Sighting] {
        let place = |ms| self.sightings.partition_point(|sighting| sighting.time_ms <= ms);
        &self.sightings[place(after_ms)..place(until_ms).max(place(after_ms))]
    }

    /// What a measure may show of the window that ends at the newest event.
    pub fn shown(&self, measure: Measure, span_ms: i64) -> Interval {
        self.bounds(measure, span_ms, self.head_ms())
    }

    /// Whether somebody who judges as of a time may take a measure for `number` or more, whatever has
    /// arrived by then; beyond what a list holds, by its sketch.
    fn may_reach(&self, measure: Measure, span_ms: i64, at_ms: i64, number: f64) -> bool {
        let (after_ms, until_ms) = (at_ms - span_ms, at_ms + pane_ms(span_ms));
        match measure {
            Measure::Count(_, filter) | Measure::Sum(_, filter) => {
                sum(self.within(after_ms - pane_ms(span_ms), until_ms), filter) >= number
            }
            Measure::Distinct(field, filter) if number > LIST_NAMES_MAX as f64 => {
                self.sketched(field, filter, (after_ms, until_ms)) * SKETCH_SLACK >= number
            }
            Measure::Distinct(field, filter) | Measure::FirstSeen(field, filter, _) => {
                let possible = self.within(after_ms - 1_000, until_ms);
                possible.len() as f64 >= number && distinct(possible, field, filter) >= number
            }
            Measure::Change(_) | Measure::Busiest(..) => panic!(
                "no simulated detector measures a change: its counters are what is simulated"
            ),
            // Whatever of it somebody knew who did not know all, no more names had failed.
            Measure::Sequential(rates) => {
                let possible = self.within(after_ms - 1_000, until_ms);
                distinct(possible, DistinctField::User, FAILED) * rates.failure() >= number
            }
        }
    }

    /// What a measure may show of the window that ends at `at_ms` to somebody who knows everything.
    fn bounds(&self, measure: Measure, span_ms: i64, at_ms: i64) -> Interval {
        let after_ms = at_ms - span_ms;
        let certain = self.within(after_ms, at_ms);
        match measure {
            Measure::Count(_, filter) | Measure::Sum(_, filter) => {
                let possible = self.within(after_ms - pane_ms(span_ms), at_ms);
                let low = sum(certain, filter);
                Interval { low, high: sum(possible, filter), truth: low, full: false }
            }
            Measure::Distinct(field, filter) => {
                let possible = self.within(after_ms - 1_000, at_ms);
                let full = self.is_full(field, filter, after_ms - 1_000, self.head_ms());
                let truth = distinct(certain, field, filter);
                let low = if full { LIST_NAMES_MAX as f64 } else { truth };
                Interval { low, high: distinct(possible, field, filter), truth, full }
            }
            Measure::FirstSeen(field, filter, since) => {
                self.since((field, filter), since, (span_ms, at_ms))
            }
            Measure::Change(_) | Measure::Busiest(..) => panic!(
                "no simulated detector measures a change: its counters are what is simulated"
            ),
            Measure::Sequential(rates) => {
                let possible = self.within(after_ms - 1_000, at_ms);
                let kinds = [FAILED, SUCCEEDED];
                let full = kinds.into_iter().any(|filter| {
                    self.is_full(DistinctField::User, filter, after_ms - 1_000, self.head_ms())
                });
                let low = walk(certain, possible, rates);
                let high = walk(possible, certain, rates);
                Interval { low, high, truth: low, full }
            }
        }
    }

    /// Whether some kind has more names since `after_ms` than its list holds.
    fn is_full(&self, field: DistinctField, filter: Filter, after_ms: i64, head_ms: i64) -> bool {
        let sightings = self.within(after_ms, head_ms);
        if sightings.len() <= LIST_NAMES_MAX {
            return false;
        }
        let mut kinds: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for sighting in sightings.iter().filter(|s| s.passes(filter)) {
            kinds.entry(sighting.kind()).or_default().push(value(sighting, field));
        }
        kinds.into_values().any(|names| count_distinct(names) > LIST_NAMES_MAX)
    }

    /// What a sketch says that has seen every name of the window that ends at the newest event, and
    /// what one says that has seen its oldest pane whole. The instrument is the product's own, whose
    /// error is proven elsewhere; so a name that got lost on the way shows. `second`: by the second
    /// key's tags.
    pub fn estimated(
        &self,
        field: DistinctField,
        filter: Filter,
        (span_ms, second): (i64, bool),
    ) -> (f64, f64) {
        let (head_ms, after_ms) = (self.head_ms(), self.head_ms() - span_ms);
        let estimate = |after_ms: i64| {
            let mut sketch = Sketch::new(SHARED_PRECISION);
            for sighting in self.within(after_ms, head_ms).iter().filter(|s| s.passes(filter)) {
                let tag = value(sighting, field);
                let tag = if second { second_user(tag) } else { tag };
                sketch.insert(tag & SHARED_TAG_MASK);
            }
            sketch.estimate().max(LIST_NAMES_MAX as f64)
        };
        let pane_ms = (after_ms + 1).div_euclid(SKETCH_PANE_MS) * SKETCH_PANE_MS;
        // Where small counts go over into large ones an estimate may fall a little as a set grows.
        (estimate(after_ms).floor() * 0.97, estimate(pane_ms - 1_000).ceil() * 1.03)
    }

    /// What a sketch with panes of six hours may show of (after, until] at most, but for its error.
    pub fn sketched(
        &self,
        field: DistinctField,
        filter: Filter,
        (after_ms, until_ms): (i64, i64),
    ) -> f64 {
        distinct(self.within(after_ms - SKETCH_PANE_MS, until_ms), field, filter)
    }

    /// Whether `detector` certainly raises at the newest event.
    pub fn must_raise(&self, detector: &Detector) -> bool {
        self.must_raise_at(detector, self.head_ms())
    }

    /// Whether an exact judge who knew everything would certainly raise at a time.
    pub fn must_raise_at(&self, detector: &Detector, at_ms: i64) -> bool {
        let of = |measure: usize| {
            let NamedMeasure { measure, .. } = detector.measures[measure];
            self.bounds(measure, detector.window.0, at_ms)
        };
        let holds = |condition: &Condition| {
            assert_eq!(condition.comparison, Comparison::AtLeast, "no other is simulated");
            if let Operand::Number(number) = condition.operand {
                // No measure counts more than the tries there are.
                let tries = self.within(at_ms - detector.window.0, at_ms);
                if tries.iter().map(|s| f64::from(s.attempts)).sum::<f64>() < number {
                    return false;
                }
            }
            let left = of(condition.measure);
            match condition.operand {
                Operand::Number(number) if left.full && number > LIST_NAMES_MAX as f64 => {
                    left.truth >= number * SKETCH_SLACK
                }
                Operand::Number(number) => left.low >= number,
                Operand::Scaled { factor, measure } => {
                    let right = of(measure);
                    !right.full && left.low >= factor * right.high
                }
            }
        };
        detector.raises.iter().any(|raise| raise.when.iter().all(holds))
    }

    /// Whether `detector` may possibly have raised as of a time.
    pub fn may_raise(&self, detector: &Detector, at_ms: i64) -> bool {
        let span_ms = detector.window.0;
        let possible = |condition: &Condition| match condition.operand {
            // A share of what has not arrived yet is always possible.
            Operand::Scaled { .. } => true,
            Operand::Number(number) => {
                let measure = detector.measures[condition.measure].measure;
                self.may_reach(measure, span_ms, at_ms, number)
            }
        };
        detector.raises.iter().any(|raise| raise.when.iter().all(possible))
    }
}

fn sum(sightings: &[Sighting], filter: Filter) -> f64 {
    let counted = |s: &&Sighting| s.counted && !s.mention && s.passes(filter);
    sightings.iter().filter(counted).map(|s| f64::from(s.attempts)).sum()
}

fn distinct(sightings: &[Sighting], field: DistinctField, filter: Filter) -> f64 {
    let passing = sightings.iter().filter(|sighting| sighting.passes(filter));
    count_distinct(passing.map(|sighting| value(sighting, field)).collect()) as f64
}

fn count_distinct(mut names: Vec<u64>) -> usize {
    names.sort_unstable();
    names.dedup();
    names.len()
}

fn value(sighting: &Sighting, field: DistinctField) -> u64 {
    match (field, sighting.source) {
        (DistinctField::User | DistinctField::Resource, _) => sighting.user,
        (DistinctField::SourceIp, IpAddr::V4(v4)) => u64::from(u32::from(v4)),
        (DistinctField::SourceIp, IpAddr::V6(v6)) => {
            (u128::from(v6) >> 64) as u64 ^ u128::from(v6) as u64
        }
    }
}
