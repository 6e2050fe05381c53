//! A change of tag key under the real engine and store: several environments learn of the new key at
//! different times and have clocks of their own. At every window that is judged, an oracle that knows raw
//! names says what must be counted.
//!
//! Event times are whole seconds, so that nothing is rounded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::plain_table::PlainTable;
use crate::watched::{Seen, Watched};
use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::Record;
use tidewatch_core::detector::{
    Comparison, Condition, Detector, DistinctField, Filter, Measure, NamedMeasure, Operand, Raise,
    Severity,
};
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::key::{Key, KeyField, KeyPart};
use tidewatch_core::key_ring::{KeyRing, LiveKey, Phase};
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

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
/// In milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// When every run begins.
pub const BEGUN: i64 = 1_700_000_000_000;
/// The longest window.
pub const DAY: Span = Span::minutes(24 * 60);

/// Execution environments; the second one's clock is right.
pub const ENVIRONMENTS: usize = 3;
/// Shards.
pub const SHARDS: usize = 3;

const ALL: Filter = Filter { outcome: None, user_known: None };
const FAILED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
const MEASURES: [Measure; 4] = [
    Measure::Distinct(DistinctField::User, ALL),
    Measure::Distinct(DistinctField::User, FAILED),
    Measure::Distinct(DistinctField::SourceIp, FAILED),
    Measure::Count(Role::Attempt, ALL),
];

/// One log event.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    id: u64,
    time: Time,
    user: u8,
    source: u8,
    failed: bool,
}

/// What happens next: time passes, an event comes, and maybe its shard's records are delivered.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Seconds that pass first.
    pub gap_s: i64,
    /// By how much the event is late.
    pub late_s: i64,
    /// Who is tried.
    pub user: u8,
    /// From where.
    pub source: u8,
    /// How it ends.
    pub failed: bool,
    /// Which shard takes it.
    pub shard: usize,
    /// Who deals with it.
    pub environment: usize,
    /// Whether it is dealt with at once.
    pub delivers: bool,
    /// How many records come again with it.
    pub again: usize,
    /// Whether it is the last event of the shard once more.
    pub copy: bool,
}

/// The table of all environments.
struct Common(Arc<PlainTable>);

/// The clock an environment goes by; it never waits.
struct Still(Arc<Mutex<Time>>);

/// Who listens to findings.
struct Listener(Arc<Mutex<Vec<Finding>>>);

type Store = SharedStore<Common, Still>;

fn detector(id: &str, key: &[KeyField], window: Span) -> Detector {
    let named = MEASURES.iter().enumerate();
    let named = named.map(|(i, m)| NamedMeasure { name: format!("m{i}"), measure: *m });
    let three = |measure| Condition {
        measure,
        comparison: Comparison::AtLeast,
        operand: Operand::Number(3.0),
    };
    let raise =
        |(severity, measure)| Raise { severity, confidence: None, when: vec![three(measure)] };
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
        raises: [(Severity::High, 0), (Severity::Medium, 2)].map(raise).to_vec(),
        after: Vec::new(),
        after_within: Span(0),
        unless: Vec::new(),
        covers: Default::default(),
        share: None,
        log_holds_successes: false,
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
                action: SignalKind::Auth,
                role: Role::Attempt,
                outcome: if self.failed { Outcome::Failure } else { Outcome::Success },
                user_known: Some(true),
                user: Some(key.user(&[self.user])),
                source: Some(address(self.source)),
                asn: None,
                agent: None,
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
    let filter = match measure {
        Measure::Distinct(_, filter) | Measure::Count(_, filter) | Measure::Sum(_, filter) => {
            filter
        }
        Measure::FirstSeen(_, filter, _) => filter,
        Measure::Sequential(_) | Measure::Change(_) | Measure::Busiest(..) => ALL,
    };
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
pub struct World {
    plan: Arc<Plan>,
    ring: KeyRing,
    overlap: Span,
    /// How late an event may be and still be counted right.
    pub promised: Span,
    now: Time,
    clock: Arc<Mutex<Time>>,
    /// By environment: its store, how far its clock is ahead, how late it learns of the new key.
    environments: Vec<(Store, Span, Span)>,
    shards: Vec<Vec<(Time, Try)>>,
    delivered: Vec<usize>,
    /// What was delivered at least once, each event once.
    known: BTreeMap<u64, Try>,
    /// Windows that were judged by the new key's tags.
    pub judged_after_switch: usize,
    /// What was published.
    pub findings: Arc<Mutex<Vec<Finding>>>,
}

impl World {
    /// Nothing has happened; key `id` is replaced at `from`.
    pub fn new(layout: Layout, from: Time, id: u32, overlap: Span) -> World {
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
            now: Time(BEGUN),
            clock,
            environments,
            shards: vec![Vec::new(); SHARDS],
            delivered: vec![0; SHARDS],
            known: BTreeMap::new(),
            judged_after_switch: 0,
            findings: Arc::default(),
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
            let watched = Watched { inner, seen: Arc::clone(&seen), doubted: None };
            let admission = Admission::until(clock);
            Engine::new(
                Arc::clone(&self.plan),
                watched,
                Listener(Arc::clone(&self.findings)),
                phase,
                admission,
            )
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
                Measure::Count(..) if seen.at < seen.head => true,
                // The oldest pane is counted whole: an hour at most.
                Measure::Count(..) => {
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

    /// Goes on with these steps, and says what was miscounted first.
    pub fn play(&mut self, steps: &[Step]) -> Vec<String> {
        for step in steps {
            self.now = self.now.plus(Span(step.gap_s * SECOND));
            let now = self.now;
            let id = self.shards.iter().map(Vec::len).sum::<usize>() as u64;
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

impl AlertSink for Listener {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.0.lock().expect("nobody panics inside").push(finding.clone());
        Ok(())
    }
}
