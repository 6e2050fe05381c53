//! A change of tag key under the real engine and store, against an oracle that knows raw names: at every
//! window that is judged, before the change, during it and after, every count is what the oracle counts.
//! Several environments learn of the new key at different times and have clocks of their own; records are
//! cut into batches at random, come again, and some events come twice.
//!
//! Event times are whole seconds, so that nothing is rounded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::Record;
use tidewatch_core::detector::{
    Detector, DistinctField, Filter, Measure, NamedMeasure, Operand, Raise, Severity,
};
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::key::{Key, KeyField, KeyPart};
use tidewatch_core::key_ring::{KeyRing, LiveKey, Phase};
use tidewatch_core::limits::ROTATION_OVERLAP;
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::table_store::store::{Layout, Settings, SharedStore};
use tidewatch_core::table_store::table::{
    Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Bounds;
use tidewatch_tests::plain_table::PlainTable;
use tidewatch_tests::watched::{Seen, Watched};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const BEGUN: i64 = 1_700_000_000_000;
const DAY: Span = Span::minutes(24 * 60);

const ENVIRONMENTS: usize = 3;
const SHARDS: usize = 3;

const ALL: Filter = Filter { outcome: None, user_known: None };
const FAILED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
const MEASURES: [Measure; 4] = [
    Measure::Distinct(DistinctField::User, ALL),
    Measure::Distinct(DistinctField::User, FAILED),
    Measure::Distinct(DistinctField::SourceIp, FAILED),
    Measure::Count(ALL),
];

/// One log event.
#[derive(Clone, Copy, Debug)]
struct Try {
    id: u64,
    time: Time,
    user: u8,
    source: u8,
    failed: bool,
}

/// What happens next: time passes, an event comes, and maybe its shard's records are delivered.
#[derive(Clone, Copy, Debug)]
struct Step {
    gap_s: i64,
    late_s: i64,
    user: u8,
    source: u8,
    failed: bool,
    shard: usize,
    environment: usize,
    delivers: bool,
    again: usize,
    copy: bool,
}

/// The table of all environments.
struct Common(Arc<PlainTable>);

/// The clock an environment goes by; it never waits.
struct Still(Arc<Mutex<Time>>);

/// Who listens to findings.
struct Nobody;

type Store = SharedStore<Common, Still>;

fn detector(id: &str, key: &[KeyField], window: Span) -> Detector {
    let named = MEASURES.iter().enumerate();
    let named = named.map(|(i, m)| NamedMeasure { name: format!("m{i}"), measure: *m });
    let condition = tidewatch_core::detector::Condition {
        measure: 0,
        comparison: tidewatch_core::detector::Comparison::AtLeast,
        operand: Operand::Number(3.0),
    };
    Detector {
        id: id.to_owned(),
        title: id.to_owned(),
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        signal: SignalKind::Auth,
        key: key.iter().copied().collect(),
        window,
        quiet: Span::minutes(60),
        measures: named.collect(),
        raises: vec![Raise { severity: Severity::High, when: vec![condition] }],
    }
}

fn detectors() -> Vec<Detector> {
    vec![
        detector("source-1h", &[KeyField::SourceIp], Span::minutes(60)),
        detector("source-24h", &[KeyField::SourceIp], DAY),
        detector("user-24h", &[KeyField::User], DAY),
        detector("both-24h", &[KeyField::User, KeyField::SourceIp], DAY),
        detector("all-24h", &[KeyField::Global], DAY),
    ]
}

fn address(source: u8) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, source).into()
}

impl Try {
    /// As ingest reads it under a key.
    fn signal(&self, key: &LiveKey) -> Signal {
        let key = key.key;
        let stream = key.stream("1", "group", "other");
        Signal {
            time: self.time,
            event: key.event(stream, &self.id.to_be_bytes()),
            origin: Origin { stream: Arc::new(LogStream::default()), id: EventId::Offset(self.id) },
            body: Body::Auth(Auth {
                role: Role::Attempt,
                outcome: if self.failed { Outcome::Failure } else { Outcome::Success },
                user_known: Some(true),
                user: Some(key.user(&[self.user])),
                source: Some(address(self.source)),
                attempts: 1,
            }),
        }
    }

    fn is_of(&self, key: Key, reading: &TagKey) -> bool {
        let of = |part: KeyPart| match part {
            KeyPart::User(tag) => reading.user(&[self.user]) == tag,
            KeyPart::Global => true,
            other => KeyPart::source_ip(address(self.source)) == other,
        };
        [Some(key.first), key.second].into_iter().flatten().all(of)
    }
}

/// What is true of a measure over (after, until].
fn truth<'a>(
    events: impl Iterator<Item = &'a Try>,
    measure: Measure,
    (after, until): (Time, Time),
) -> f64 {
    let (Measure::Distinct(_, filter) | Measure::Count(filter) | Measure::Sum(_, filter)) = measure;
    let counted = events.filter(|t| t.time > after && t.time <= until);
    let counted = counted.filter(|t| filter.outcome.is_none() || t.failed);
    match measure {
        Measure::Distinct(DistinctField::User, _) => {
            counted.map(|t| t.user).collect::<BTreeSet<u8>>().len() as f64
        }
        Measure::Distinct(DistinctField::SourceIp, _) => {
            counted.map(|t| t.source).collect::<BTreeSet<u8>>().len() as f64
        }
        _ => counted.count() as f64,
    }
}

/// Everything of one run.
struct World {
    plan: Arc<Plan>,
    ring: KeyRing,
    overlap: Span,
    /// How late an event may be and still be counted right.
    promised: Span,
    clock: Arc<Mutex<Time>>,
    /// By environment: its store, how far its clock is ahead, how late it learns of the new key.
    environments: Vec<(Store, Span, Span)>,
    shards: Vec<Vec<(Time, Try)>>,
    delivered: Vec<usize>,
    /// What was delivered at least once, each event once.
    known: BTreeMap<u64, Try>,
    judged_after_switch: usize,
}

impl World {
    fn new(layout: Layout, from: Time, id: u32, overlap: Span) -> World {
        let plan = Arc::new(Plan::shared(detectors()).expect("the shared home serves them"));
        let (table, clock) = (Arc::new(PlainTable::default()), Arc::new(Mutex::new(Time::MIN)));
        let environments = (0..ENVIRONMENTS as i64).map(|nth| {
            let settings = Settings { layout, ..Settings::default() };
            let (common, pace) = (Common(Arc::clone(&table)), Still(Arc::clone(&clock)));
            let store = SharedStore::new(Arc::clone(&plan), common, pace, settings);
            (store, Span((nth - 1) * 20 * MINUTE), Span(nth * 7 * MINUTE))
        });
        let environments = environments.collect();
        let key = |id, name, from| LiveKey { id, key: TagKey::from_passphrase(name), from };
        let ring = KeyRing {
            current: key(id + 1, "new", from),
            previous: Some(key(id, "old", Time::MIN)),
        };
        World {
            plan,
            ring,
            overlap,
            promised: DAY,
            clock,
            environments,
            shards: vec![Vec::new(); SHARDS],
            delivered: vec![0; SHARDS],
            known: BTreeMap::new(),
            judged_after_switch: 0,
        }
    }

    fn phase(&self, environment: usize, now: Time) -> (Phase, Time) {
        let (_, ahead, learns) = self.environments[environment];
        let clock = now.plus(ahead);
        let knows = now >= self.ring.current.from.plus(learns);
        let alone = KeyRing { current: self.ring.previous.expect("there is one"), previous: None };
        let ring = if knows { self.ring } else { alone };
        (ring.phase_with(clock, self.overlap), clock)
    }

    /// Delivers what waits of a shard, from `again` records before, and ticks; says what was miscounted.
    fn deliver(
        &mut self,
        shard: usize,
        environment: usize,
        again: usize,
        now: Time,
    ) -> Vec<String> {
        let (phase, clock) = self.phase(environment, now);
        let records = &self.shards[shard];
        let first = self.delivered[shard].saturating_sub(again);
        let record = |nth: usize| {
            let (arrival, t) = &records[nth];
            let again = phase.other.iter().map(|key| t.signal(key)).collect();
            let signals = vec![t.signal(&phase.reading)];
            Record { sequence: Sequence::of(nth as u64 + 1), arrival: *arrival, signals, again }
        };
        let batch: Vec<Record> = (first..records.len()).map(record).collect();
        self.known.extend(records[first..].iter().map(|(_, t)| (t.id, *t)));
        self.delivered[shard] = records.len();
        let store = &self.environments[environment].0;
        *self.clock.lock().expect("nobody panics inside") = clock;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let engine = |shard| {
            let deadline = clock.plus(Span::minutes(5));
            let inner = store.invocation(shard, deadline);
            let watched = Watched { inner, seen: Arc::clone(&seen) };
            let admission = Admission::until(clock);
            Engine::new(Arc::clone(&self.plan), watched, Nobody, phase, admission)
        };
        let mut faults = Vec::new();
        let acknowledged = ready(engine(ShardId(shard as u32)).deliver(&batch, clock));
        faults.extend(acknowledged.fault.map(|fault| format!("{fault}")));
        faults
            .extend(ready(engine(ShardId::TICK).tick(clock)).err().map(|fault| format!("{fault}")));
        let seen = std::mem::take(&mut *seen.lock().expect("nobody panics inside"));
        if phase.reading.id == self.ring.current.id {
            self.judged_after_switch += seen.len();
        }
        faults.extend(seen.iter().flat_map(|seen| self.miscounts(seen, &phase.reading, now)));
        faults
    }

    /// What a judged window says that is not so.
    fn miscounts(&self, seen: &Seen, reading: &LiveKey, now: Time) -> Vec<String> {
        // Windows that reach back beyond what is kept are lower bounds with one key too.
        if seen.at < seen.head.minus(DAY) || seen.at < now.minus(self.promised) {
            return Vec::new();
        }
        let of_key: Vec<&Try> =
            self.known.values().filter(|t| t.is_of(seen.key, &reading.key)).collect();
        let mut wrong = Vec::new();
        if of_key.is_empty() {
            wrong.push(format!("{} is nobody's key under key {}", seen.key, reading.id));
        }
        for (id, nth, bounds) in &seen.bounds {
            let (detector, measure) = (self.plan.detector(*id), MEASURES[*nth]);
            let from = seen.at.minus(detector.window);
            let count_until = |after, until| truth(of_key.iter().copied(), measure, (after, until));
            let count = |after| count_until(after, seen.at);
            let least = count(from);
            let fits = match measure {
                // A window that ends before the newest event has panes that lie in it in part.
                Measure::Count(_) if seen.at < seen.head => true,
                // The oldest pane is counted whole: an hour at most.
                Measure::Count(_) => {
                    bounds.high >= least && bounds.low <= count(from.minus(Span::minutes(60)))
                }
                _ if seen.at == seen.head => bounds == &Bounds { low: least, high: least },
                // The end of a pane lies a millisecond before a second, and sightings are kept by seconds.
                _ => bounds.low <= count_until(from, seen.at.plus(Span(1))) && least <= bounds.high,
            };
            if !fits {
                let Seen { key, at, .. } = seen;
                let after_h = (at.0 - self.ring.current.from.0) as f64 / HOUR as f64;
                wrong.push(format!(
                    "{} of {key}, m{nth} at {after_h:.1} h: {bounds:?}, not {least}",
                    detector.id
                ));
            }
        }
        wrong
    }

    /// Plays all steps, and says what was miscounted first.
    fn play(&mut self, steps: &[Step]) -> Vec<String> {
        let mut now = Time(BEGUN);
        for (id, step) in (1..).zip(steps) {
            now = now.plus(Span(step.gap_s * SECOND));
            let Step { user, source, failed, shard, .. } = *step;
            let time = now.minus(Span(step.late_s * SECOND));
            let new = Try { id, time, user, source, failed };
            let last = self.shards[shard].last().map(|(_, t)| *t);
            let t = last.filter(|_| step.copy).unwrap_or(new);
            self.shards[shard].push((now, t));
            let waiting = self.shards[shard].len() - self.delivered[shard];
            if step.delivers || waiting > 3 {
                let wrong = self.deliver(shard, step.environment, step.again, now);
                if !wrong.is_empty() {
                    return wrong;
                }
            }
        }
        Vec::new()
    }
}

/// The value of a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("it waits for something")
}

impl Table for Common {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        self.0.write(write).await
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        self.0.get(item).await
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        self.0.query(key).await
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        self.0.due(partition, until, limit).await
    }
}

impl Pace for Still {
    fn now(&self) -> Time {
        *self.0.lock().expect("nobody panics inside")
    }

    async fn wait(&self, _: Span) {}

    fn chance(&self) -> f64 {
        0.5
    }
}

impl AlertSink for Nobody {
    async fn publish(&mut self, _: &Finding) -> Result<(), SinkError> {
        Ok(())
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late_s = prop_oneof![4 => 0i64..60, 1 => 0i64..18 * 3_600];
    let step = (
        (0i64..2 * 3_600, late_s, 0u8..14, 0u8..4),
        (any::<bool>(), 0..SHARDS, 0..ENVIRONMENTS, prop::bool::weighted(0.6)),
        (0usize..4, prop::bool::weighted(0.15)),
    );
    let step = step.prop_map(|((gap_s, late_s, user, source), of, (again, copy))| {
        let (failed, shard, environment, delivers) = of;
        Step { gap_s, late_s, user, source, failed, shard, environment, delivers, again, copy }
    });
    prop::collection::vec(step, 100..260)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(40),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_window_is_counted_right_before_during_and_after_a_change_of_key(
        steps in steps(),
        from_h in -30i64..80,
        id in 0u32..2,
        apart: bool,
    ) {
        let layout = if apart { Layout::Apart } else { Layout::Together };
        let from = Time(BEGUN + from_h * HOUR);
        let mut world = World::new(layout, from, id, ROTATION_OVERLAP);
        prop_assert_eq!(world.play(&steps), Vec::<String>::new());
    }
}

/// A name every hour from one source for `hours`, and then one `gap_h` later that is late by `late_h`.
fn a_name_an_hour(hours: i64, gap_h: i64, late_h: i64) -> Vec<Step> {
    let step = Step {
        gap_s: 3_600,
        late_s: 0,
        user: 0,
        source: 1,
        failed: true,
        shard: 0,
        environment: 1,
        delivers: true,
        again: 1,
        copy: false,
    };
    let of = |hour| Step { user: (hour % 30) as u8, shard: hour as usize % SHARDS, ..step };
    let last = Step { gap_s: gap_h * 3_600, late_s: late_h * 3_600, again: 0, ..of(hours) };
    (0..hours).map(of).chain([last]).collect()
}

#[test]
fn the_overlap_is_as_long_as_it_has_to_be() {
    let miscounts = |overlap_h: i64, (hours, gap_h, late_h): (i64, i64, i64)| {
        let from = Time(BEGUN + 40 * HOUR);
        let mut world = World::new(Layout::Together, from, 0, Span::minutes(overlap_h * 60));
        world.promised = Span(late_h * HOUR).max(DAY);
        let wrong = world.play(&a_name_an_hour(hours, gap_h, late_h));
        assert!(!wrong.is_empty() || world.judged_after_switch > 0);
        wrong.first().cloned()
    };
    assert_eq!(miscounts(49, (150, 1, 0)), None);
    // Two hours after the switch, what is a day late is still counted right. What is later is not: its
    // window reaches back to names that were seen before the new key was used.
    assert_eq!(miscounts(49, (46, 45, 24)), None);
    assert!(miscounts(49, (46, 45, 30)).is_some());
    // With less than a day names are missed at the switch, and with nothing at once.
    assert!(miscounts(22, (150, 1, 0)).is_some());
    assert!(miscounts(0, (150, 1, 0)).is_some());
}
