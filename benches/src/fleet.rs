//! Execution environments over one priced table: one for each shard and one for the tick, each with a
//! store that lives on and an engine for every batch.
//!
//! Events go to shards at random, each as a record of its own under a 56-digit sequence number. A shard
//! is read every 5 s, the shards one after the other within them; the tick comes every minute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::Record;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key_ring::{KeyRing, LiveKey, Phase};
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::store::{Settings, SharedStore};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tokio::runtime::Runtime;

use crate::dynamo::{Clock, PricedTable, Request};
use crate::load::{Load, START, Try};

/// Time between two batches of a shard.
pub const BATCH_MS: i64 = 5_000;

/// Time between two ticks.
const TICK: Span = Span::minutes(1);

/// How long an invocation may take: nothing here waits.
const DEADLINE: Span = Span::seconds(30);

/// A store of an environment.
pub type Store<'a> = SharedStore<&'a PricedTable, &'a Clock>;

/// What one step, a batch or a tick, asked and told.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The requests.
    pub requests: Vec<Request>,
    /// The keys that the batch had something for, as the table has them; none for a tick.
    pub keys: BTreeSet<Vec<u8>>,
    /// The messages that left: key and what about.
    pub told: Vec<(Vec<u8>, Activity)>,
}

/// The environments.
#[derive(Debug)]
pub struct Fleet<'a> {
    plan: Arc<Plan>,
    clock: &'a Clock,
    table: &'a PricedTable,
    stores: Vec<Store<'a>>,
    tick: Store<'a>,
    keys: Phase,
    runtime: Runtime,
}

impl<'a> Fleet<'a> {
    /// Environments that have seen nothing, for `shards`.
    ///
    /// # Errors
    /// If there is no runtime to be had.
    pub fn new(
        plan: &Arc<Plan>,
        table: &'a PricedTable,
        clock: &'a Clock,
        shards: u32,
    ) -> std::io::Result<Fleet<'a>> {
        let store = || SharedStore::new(Arc::clone(plan), table, clock, Settings::default());
        Ok(Fleet {
            plan: Arc::clone(plan),
            clock,
            table,
            stores: (0..shards).map(|_| store()).collect(),
            tick: store(),
            keys: Phase::from(TagKey::new([7; 16])),
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
        })
    }

    /// The same under these keys.
    pub fn under(self, keys: Phase) -> Fleet<'a> {
        Fleet { keys, ..self }
    }

    /// Replaces a shard's environment by one that remembers nothing.
    pub fn restart(&mut self, shard: u32) {
        let settings = Settings::default();
        let store = SharedStore::new(Arc::clone(&self.plan), self.table, self.clock, settings);
        self.stores[shard as usize] = store;
    }

    /// One batch.
    ///
    /// # Panics
    /// If it was not dealt with as a whole: nothing can fail here.
    pub fn deliver(&self, shard: u32, records: &[Record], now: Time) -> Step {
        self.clock.set(now);
        let store = &self.stores[shard as usize];
        let invocation = store.invocation(ShardId(shard), now.plus(DEADLINE));
        let sink: Vec<Finding> = Vec::new();
        let admission = Admission::until(now);
        let mut engine =
            Engine::new(Arc::clone(&self.plan), invocation, sink, self.keys, admission);
        let acknowledged = self.runtime.block_on(engine.deliver(records, now));
        assert_eq!(acknowledged.fault, None, "a batch at {now:?} was not dealt with");
        self.step(std::mem::take(engine.sink()))
    }

    /// One tick.
    ///
    /// # Panics
    /// If it fails, which nothing here can.
    pub fn tick(&self, now: Time) -> Step {
        self.clock.set(now);
        let invocation = self.tick.invocation(ShardId::TICK, now.plus(DEADLINE));
        let sink: Vec<Finding> = Vec::new();
        let admission = Admission::until(now);
        let mut engine =
            Engine::new(Arc::clone(&self.plan), invocation, sink, self.keys, admission);
        let ticked = self.runtime.block_on(engine.tick(now));
        assert_eq!(ticked, Ok(()), "the tick at {now:?} failed");
        self.step(std::mem::take(engine.sink()))
    }

    /// A load from its first batch until nothing is open any more; `each` sees every step, and whether
    /// it was a tick.
    pub fn run(&self, load: &Load, seed: u64, mut each: impl FnMut(&Step, bool)) {
        let (mut ticked, mut open) = (START, 0i64);
        let mut note = |step: &Step, tick: bool| {
            each(step, tick);
            for (_, activity) in &step.told {
                open += match activity {
                    Activity::Create => 1,
                    Activity::Update => 0,
                    Activity::Close => -1,
                };
            }
            open
        };
        let mut left = 0;
        for ((end, shard), tries) in batches(load, seed) {
            while ticked.plus(TICK) <= end {
                ticked = ticked.plus(TICK);
                note(&self.tick(ticked), true);
            }
            let records: Vec<Record> =
                tries.iter().map(|(nth, t)| record(&self.keys, shard, *nth, t)).collect();
            let keys = tries.iter().map(|(_, t)| self.key(t)).collect();
            let step = Step { keys, ..self.deliver(shard, &records, end) };
            left = note(&step, false);
        }
        // The longest quiet is a day; a few ticks more let every claim be confirmed.
        let last = ticked.plus(Span::minutes(2 * 24 * 60));
        while left > 0 && ticked < last {
            ticked = ticked.plus(TICK);
            left = note(&self.tick(ticked), true);
        }
        assert_eq!(left, 0, "{}: an episode was never closed", load.name);
    }

    fn key(&self, t: &Try) -> Vec<u8> {
        bytes(&tidewatch_core::key::Key::source_ip(t.source.into()))
    }

    fn step(&self, findings: Vec<Finding>) -> Step {
        let told = findings.iter().map(|f| (bytes(&f.key), f.activity)).collect();
        Step { requests: self.table.take_log(), keys: BTreeSet::new(), told }
    }
}

/// The batches of a load by their ends and shards, each event with its number.
fn batches(load: &Load, seed: u64) -> BTreeMap<(Time, u32), Vec<(u64, Try)>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut batches: BTreeMap<(Time, u32), Vec<(u64, Try)>> = BTreeMap::new();
    for (nth, t) in load.tries.iter().enumerate() {
        let shard = random.random_range(0..load.shards);
        let offset = i64::from(shard) * BATCH_MS / i64::from(load.shards);
        let since = t.at.0 - START.0 - offset;
        let end = START.plus(Span(offset + (since.div_euclid(BATCH_MS) + 1) * BATCH_MS));
        batches.entry((end, shard)).or_default().push((nth as u64, *t));
    }
    batches
}

/// The keys while one is being replaced, for as long as a load goes on.
pub fn both_keys() -> Phase {
    let key = |id, byte, from| LiveKey { id, key: TagKey::new([byte; 16]), from };
    let ring = KeyRing { current: key(1, 8, START), previous: Some(key(0, 7, Time::MIN)) };
    ring.phase(START)
}

/// A try as a record of its own.
///
/// # Panics
/// Never: the sequence number is one.
pub fn record(keys: &Phase, shard: u32, nth: u64, t: &Try) -> Record {
    let digits = format!("4959{:014}{:038}", 3_382_714_902_566 + u64::from(shard), nth + (1 << 60));
    let sequence = Sequence::parse(&digits).expect("56 digits are a sequence number");
    let stream = Arc::new(LogStream { group: "shop".to_owned(), ..LogStream::default() });
    let signal = |key: &LiveKey| Signal {
        time: t.at,
        event: key.key.event(u64::from(shard), &nth.to_be_bytes()),
        origin: Origin { stream: Arc::clone(&stream), id: EventId::Offset(nth) },
        body: Body::Auth(Auth {
            action: SignalKind::Auth,
            role: Role::Attempt,
            outcome: if t.success { Outcome::Success } else { Outcome::Failure },
            user_known: Some(t.known),
            user: Some(key.key.user(&t.name.to_be_bytes())),
            source: Some(t.source.into()),
            asn: None,
            agent: None,
            attempts: 1,
        }),
    };
    let again = keys.other.iter().map(&signal).collect();
    Record { sequence, arrival: t.at, signals: vec![signal(&keys.reading)], again }
}

/// The bytes of a key that counts logins.
fn bytes(key: &tidewatch_core::key::Key) -> Vec<u8> {
    key_bytes::encode(SignalKind::Auth, key)
}
