//! A small world for bad luck: environments with the real engine over a table that fails when told to, in virtual
//! time. Where the simulator draws what goes wrong, a story here says it, and so what must then be counted.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tidewatch_core::admission::Admission;
use tidewatch_core::counts::Counts;
use tidewatch_core::delivery::{Acknowledged, Record};
use tidewatch_core::detector::{Detector, Severity};
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{Activity, Finding, Value};
use tidewatch_core::key::{Key, KeyField, KeyPart};
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::{Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::store::WindowStore;
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::store::{Settings, SharedStore};
use tidewatch_core::table_store::table::{
    Attribute, INDEX_PARTITIONS, Indexing, Item, ItemKey, Part, Table, Write,
};
use tidewatch_core::tag::{EventTag, TagKey};
use tidewatch_core::time::{Span, Time};

use crate::simulator::detectors::{FAILURES, UNKNOWN_USERS, at_least, detector, raise};
use crate::simulator::executor::{Clock, Executor, Stopped, lock};
use crate::simulator::weather::{Chance, Stream};
use crate::unlucky_table::{Fate, Request, UnluckyPace, UnluckyTable};

/// When every story begins.
pub const START: Time = Time(1_700_000_400_000);

/// How long an invocation may take where its story does not say.
pub const LIMIT_MS: i64 = 30_000;

/// More polls and timers than any story takes: beyond, something is tried for ever.
const STEPS_MAX: u64 = 1_000_000;

/// How often a batch is delivered before it counts as one that blocks its shard.
const DELIVERIES_MAX: usize = 100;

/// One login that failed, of a name that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// When.
    pub time: Time,
    /// From `198.51.100.<source>`.
    pub source: u8,
    /// Which name; with the source it names the log event.
    pub user: u16,
}

/// What a story is played with.
#[derive(Clone, Debug)]
pub struct Luck {
    /// Virtual time.
    pub clock: Clock,
    /// What is detected.
    pub plan: Arc<Plan>,
    /// How stores work.
    pub settings: Settings,
    /// The table.
    pub table: UnluckyTable,
    /// Where findings go.
    pub topic: Topic,
}

/// One execution environment.
#[derive(Debug)]
pub struct Environment {
    luck: Luck,
    store: SharedStore<UnluckyTable, UnluckyPace>,
    ahead_ms: i64,
}

/// What became of a batch or a tick.
#[derive(Clone, Debug, Default)]
pub struct Dealt {
    /// How far it came; for a tick only its fault.
    pub acknowledged: Acknowledged,
    /// What the engine counted.
    pub counts: Counts,
    /// Requests made.
    pub requests: u64,
    /// Virtual time taken.
    pub took_ms: i64,
}

/// A topic that takes or refuses messages.
#[derive(Clone)]
pub struct Topic {
    messages: Arc<Mutex<Vec<Finding>>>,
    refuses: Arc<Mutex<Refuses>>,
}

type Refuses = Box<dyn FnMut(&Finding) -> bool + Send>;

/// Plays a story to its end.
///
/// # Panics
/// If it does not come to its end, or something is tried for ever.
pub fn play<F, Fut>(detectors: Vec<Detector>, story: F)
where
    F: FnOnce(Luck) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut executor = Executor::new(START.0);
    let clock = executor.clock();
    let told = Arc::new(AtomicBool::new(false));
    let (ends, luck) = (Arc::clone(&told), Luck::new(clock.clone(), detectors));
    let story = story(luck);
    clock.spawn(async move {
        story.await;
        ends.store(true, Ordering::Relaxed);
    });
    assert_eq!(executor.run(STEPS_MAX), Stopped::Idle, "something is tried for ever");
    assert!(told.load(Ordering::Relaxed), "the story waits for what never comes");
}

/// Eight names within 10 minutes. It has the name that the golden episodes are told under.
pub fn scans() -> Detector {
    let raises = vec![raise(Severity::High, vec![at_least(0, 8)])];
    let (key, window_min, quiet_min) = (KeyField::SourceIp, 10, 30);
    detector("credential-scan", (key, window_min, quiet_min), &[UNKNOWN_USERS, FAILURES], raises)
}

/// Sixty names within 12 hours: more than a list holds, so sketches stand behind it.
pub fn many_names() -> Detector {
    let raises = vec![raise(Severity::High, vec![at_least(0, 60)])];
    detector("names-12h", (KeyField::SourceIp, 12 * 60, 60), &[UNKNOWN_USERS, FAILURES], raises)
}

/// Logins from one source, one a second.
pub fn logins(source: u8, users: Range<u16>, from: Time) -> Vec<Login> {
    let login = |user: u16| {
        let time = from.plus(Span::seconds(i64::from(user - users.start)));
        Login { time, source, user }
    };
    users.clone().map(login).collect()
}

/// Records of `each` logins, with sequence numbers from `first` on, which arrive as they happen.
pub fn records(first: u64, each: usize, logins: &[Login]) -> Vec<Record> {
    let record = |(nth, logins): (u64, &[Login])| Record {
        sequence: Sequence::of(first + nth),
        arrival: logins.iter().map(|login| login.time).max().unwrap_or(START),
        signals: logins.iter().map(|login| login.signal(Outcome::Failure)).collect(),
        again: Vec::new(),
    };
    (0..).zip(logins.chunks(each)).map(record).collect()
}

/// Adds up what engines counted.
fn add(sum: &mut Counts, more: Counts) {
    sum.attempts += more.attempts;
    sum.late += more.late;
    sum.created += more.created;
    sum.updated += more.updated;
    sum.closed += more.closed;
    sum.points_refused += more.points_refused;
    sum.repeated += more.repeated;
    sum.shares_lost += more.shares_lost;
}

/// The key of tags.
pub fn tag_key() -> TagKey {
    TagKey::new([7; 16])
}

/// The key of `198.51.100.<source>`.
pub fn key(source: u8) -> Key {
    Key::of(KeyPart::Ipv4([198, 51, 100, source].into()))
}

/// The main item of a source.
pub fn main_item(source: u8) -> ItemKey {
    item(source, Part::Main)
}

/// An item of a source.
pub fn item(source: u8, part: Part) -> ItemKey {
    ItemKey { key: key_bytes::encode(Default::default(), &key(source)), part }
}

impl Login {
    /// As ingest would have read it.
    pub fn signal(&self, outcome: Outcome) -> Signal {
        let id = u64::from(self.source) << 16 | u64::from(self.user);
        Signal {
            time: self.time,
            event: EventTag(id | id << 24 | id << 48), // Any 24 bits in a row differ.
            origin: Origin { stream: Arc::new(LogStream::default()), id: EventId::Offset(id) },
            body: Body::Auth(Auth {
                action: Default::default(),
                role: Role::Attempt,
                outcome,
                user_known: Some(outcome == Outcome::Success),
                user: Some(tag_key().user(&self.user.to_be_bytes())),
                source: Some([198, 51, 100, self.source].into()),
                asn: None,
                agent: None,
                attempts: 1,
            }),
        }
    }
}

impl Luck {
    fn new(clock: Clock, detectors: Vec<Detector>) -> Luck {
        let plan = Arc::new(Plan::shared(detectors).expect("the shared home serves them"));
        let table = UnluckyTable::new(clock.clone());
        let settings = Settings { cache_seed: 7, ..Settings::default() };
        Luck { clock, plan, settings, table, topic: Topic::default() }
    }

    /// A fresh environment whose clock is right.
    pub fn environment(&self) -> Environment {
        self.environment_ahead(0)
    }

    /// One whose clock is ahead by so much.
    pub fn environment_ahead(&self, ahead_ms: i64) -> Environment {
        let chance = Chance::new(ahead_ms.unsigned_abs(), Stream::Weather);
        let pace = UnluckyPace { clock: self.clock.clone(), ahead_ms, chance };
        let (plan, table) = (Arc::clone(&self.plan), self.table.clone());
        let store = SharedStore::new(plan, table, pace, self.settings);
        Environment { luck: self.clone(), store, ahead_ms }
    }

    /// Moves the clock forward to a time.
    pub async fn wait_until(&self, time: Time) {
        self.clock.sleep_until(time.0).await;
    }

    /// From now on requests fare as `fate` says.
    pub fn fate(&self, fate: impl FnMut(&Request<'_>, Time) -> Fate + Send + 'static) {
        self.table.set_fate(fate);
    }

    /// From now on all is well.
    pub fn clears_up(&self) {
        self.table.set_fate(|_, _| Fate::Arrives);
    }

    /// The measures of the first detector about a source, as a new process reads them; `None` without a state.
    pub async fn values(&self, source: u8) -> Option<Vec<Value>> {
        let table = UnluckyTable::over(self.clock.clone(), self.table.inner());
        let luck = Luck { table, ..self.clone() };
        let mut found = None;
        let reader = luck.environment();
        let invocation = reader.store.invocation(ShardId::TICK, Time(i64::MAX));
        let place = [(KeyPlanId(0), key(source))];
        let read = invocation.read(&place, |window| {
            let detector = &window.plan.detectors[0];
            let value = |counted: &_| window.value(*counted, detector);
            found = Some(detector.measures.iter().map(value).collect());
        });
        read.await.expect("it can be read");
        found
    }

    /// How many names and how many failures are counted of a source.
    pub async fn counted(&self, source: u8) -> Option<(u64, u64)> {
        let values = self.values(source).await?;
        Some((values[0].amount as u64, values[1].amount as u64))
    }

    /// An item as it is.
    pub async fn item(&self, item: &ItemKey) -> Option<Item> {
        self.table.inner().get(item).await.expect("a plain table answers")
    }

    /// One value of an item.
    pub async fn value(&self, item: &ItemKey, attribute: Attribute) -> Option<Vec<u8>> {
        self.item(item).await?.values.get(&attribute).cloned()
    }

    /// Puts bytes where they do not belong.
    pub async fn put(&self, item: &ItemKey, attribute: Attribute, bytes: Vec<u8>) {
        self.put_indexed(item, attribute, bytes, Indexing::Keep).await;
    }

    /// The same, with an entry in the index.
    pub async fn put_indexed(
        &self,
        item: &ItemKey,
        attribute: Attribute,
        bytes: Vec<u8>,
        index: Indexing,
    ) {
        self.put_all(item, vec![(attribute, bytes)], index).await;
    }

    /// Puts several values at once.
    pub async fn put_all(&self, item: &ItemKey, set: Vec<(Attribute, Vec<u8>)>, index: Indexing) {
        let write = Write {
            item: item.clone(),
            expected: Vec::new(),
            version: None,
            set,
            removed: Vec::new(),
            index,
            expires: Time(i64::MAX / 4),
        };
        self.table.inner().write(&write).await.expect("a plain table answers");
    }

    /// Changes one value, and gives it as it was.
    pub async fn spoil(
        &self,
        item: &ItemKey,
        attribute: Attribute,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let old = self.value(item, attribute).await.expect("there is something to change");
        let mut new = old.clone();
        change(&mut new);
        self.put(item, attribute, new).await;
        old
    }

    /// The items in the index.
    pub async fn indexed(&self) -> Vec<ItemKey> {
        let mut all = Vec::new();
        for partition in 0..INDEX_PARTITIONS {
            let due = self.table.inner().due(partition, Time(i64::MAX), usize::MAX).await;
            all.extend(due.expect("a plain table answers"));
        }
        all
    }

    /// Ticks once a minute until nothing is due any more, and says how many messages left in it.
    ///
    /// # Panics
    /// If that takes more than a day.
    pub async fn settle(&self, environment: &Environment) -> Counts {
        let mut counts = Counts::default();
        for _ in 0..24 * 60 {
            add(&mut counts, environment.tick().await.counts);
            if self.indexed().await.is_empty() {
                return counts;
            }
            self.clock.sleep(60_000).await;
        }
        panic!("after a day there is still {:?} in the index", self.indexed().await);
    }
}

impl Environment {
    /// Requests its store made, answered or not.
    fn requests(&self) -> u64 {
        self.luck.table.requests()
    }

    fn now(&self) -> Time {
        Time(self.luck.clock.now_ms() + self.ahead_ms)
    }

    fn engine(&self, shard: ShardId, limit_ms: i64) -> Engine<impl WindowStore + '_, Topic> {
        let invocation = self.store.invocation(shard, self.now().plus(Span(limit_ms)));
        let admission = Admission::until(self.now().plus(Span::minutes(120)));
        Engine::new(
            Arc::clone(&self.luck.plan),
            invocation,
            self.luck.topic.clone(),
            tag_key(),
            admission,
        )
    }

    /// Has it deal with a batch.
    pub async fn deliver(&self, shard: u32, records: &[Record]) -> Dealt {
        self.deliver_within(LIMIT_MS, shard, records).await
    }

    /// Has it deal with a batch until a deadline.
    pub async fn deliver_within(&self, limit_ms: i64, shard: u32, records: &[Record]) -> Dealt {
        let (begun_ms, requests) = (self.luck.clock.now_ms(), self.requests());
        let mut engine = self.engine(ShardId(shard), limit_ms);
        let acknowledged = engine.deliver(records, self.now()).await;
        Dealt {
            acknowledged,
            counts: engine.counts(),
            requests: self.requests() - requests,
            took_ms: self.luck.clock.now_ms() - begun_ms,
        }
    }

    /// Delivers a batch as Lambda does: from the first unapplied record on, until all of it is done;
    /// says how often that was.
    ///
    /// # Panics
    /// If it blocks its shard.
    pub async fn deliver_until_done(
        &self,
        limit_ms: i64,
        shard: u32,
        mut records: &[Record],
    ) -> (usize, Counts) {
        let mut counts = Counts::default();
        for deliveries in 1..=DELIVERIES_MAX {
            let dealt = self.deliver_within(limit_ms, shard, records).await;
            add(&mut counts, dealt.counts);
            let Some(first) = dealt.acknowledged.first_unapplied else {
                return (deliveries, counts);
            };
            let done = records.partition_point(|record| record.sequence < first);
            records = &records[done..];
            assert_eq!(records.first().map(|record| record.sequence), Some(first));
        }
        panic!("{} records block shard {shard}", records.len());
    }

    /// The scheduled tick.
    pub async fn tick(&self) -> Dealt {
        let (begun_ms, requests) = (self.luck.clock.now_ms(), self.requests());
        let mut engine = self.engine(ShardId::TICK, LIMIT_MS);
        let fault = engine.tick(self.now()).await.err();
        Dealt {
            acknowledged: Acknowledged { first_unapplied: None, fault },
            counts: engine.counts(),
            requests: self.requests() - requests,
            took_ms: self.luck.clock.now_ms() - begun_ms,
        }
    }
}

impl Dealt {
    /// Whether all of it is done.
    pub fn is_done(&self) -> bool {
        self.acknowledged == Acknowledged::default()
    }

    /// The first sequence number that is asked for again.
    pub fn first_unapplied(&self) -> Option<Sequence> {
        self.acknowledged.first_unapplied
    }

    /// The fault in words, as they come into the log.
    ///
    /// # Panics
    /// If they name a source.
    pub fn says(&self) -> String {
        let says = self.acknowledged.fault.as_ref().map(Fault::to_string).unwrap_or_default();
        assert!(!says.contains("198.51.100."), "{says}");
        says
    }
}

impl Default for Topic {
    fn default() -> Topic {
        let none: Refuses = Box::new(|_| false);
        Topic { messages: Arc::default(), refuses: Arc::new(Mutex::new(none)) }
    }
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic").finish_non_exhaustive()
    }
}

impl Topic {
    /// From now on messages are refused as `refuses` says.
    pub fn refuse(&self, refuses: impl FnMut(&Finding) -> bool + Send + 'static) {
        *lock(&self.refuses) = Box::new(refuses);
    }

    /// All messages about a source that left, in their order.
    pub fn about(&self, source: u8) -> Vec<Finding> {
        let messages = lock(&self.messages);
        messages.iter().filter(|finding| finding.key == key(source)).cloned().collect()
    }

    /// The activities of all messages about a source.
    ///
    /// # Panics
    /// If they do not all have one uid.
    pub fn told(&self, source: u8) -> Vec<Activity> {
        let messages = self.about(source);
        let mut uids: Vec<&String> = messages.iter().map(|finding| &finding.uid).collect();
        uids.dedup();
        assert!(uids.len() <= 1, "{uids:?}");
        messages.iter().map(|finding| finding.activity).collect()
    }
}

impl AlertSink for Topic {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        if (lock(&self.refuses))(finding) {
            return Err(SinkError::Failed("the topic is closed for the day".to_owned()));
        }
        lock(&self.messages).push(finding.clone());
        Ok(())
    }
}
