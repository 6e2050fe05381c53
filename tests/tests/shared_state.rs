//! The protocol of the shared state against a DynamoDB: several sources on four shards, each shard
//! served by whatever environment is at hand, all at once, on real tasks. Less can go wrong here than
//! in the simulator and nothing is deterministic but what is done; what must hold is the same.
//!
//! Event times, arrivals and `now` are data. Nothing waits but the store for its own retries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_aws::{DynamoStore, DynamoTable, TokioPace};
use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::{Acknowledged, Record};
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Accuracy, Activity, Finding};
use tidewatch_core::key::Key;
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::safeguards::{Guard, Safeguards};
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::{Outcome, Signal};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::store::{Place, WindowStore};
use tidewatch_core::table_store::store::{Layout, Settings};
use tidewatch_core::table_store::table::{INDEX_PARTITIONS, Pace, Table};
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::luck::{Login, START, key, scans, tag_key};
use tidewatch_tests::ministack::Ministack;

/// The seeds; every other one is played in the other layout.
const SEEDS: Range<u64> = 0..6;

const SHARDS: u32 = 4;

/// Execution environments; each serves any shard, several at once.
const ENVIRONMENTS: usize = 3;

/// Records of each shard, and the seconds between them: more events of a source than a shard remembers,
/// all within one window.
const RECORDS: u64 = 40;
const APART_S: i64 = 12;

/// Sources that scan; those after them try less than that.
const SCANNERS: u8 = 3;
const SOURCES: u8 = 6;

/// How often a batch may come back before it counts as one that blocks its shard.
const DELIVERIES_MAX: usize = 200;

/// How long an invocation may take, on the wall clock.
const LIMIT: Span = Span::seconds(20);

/// How the stores of a run work.
type Terms = (Layout, Safeguards);

/// What all environments of a run share.
struct World {
    plan: Arc<Plan>,
    environments: Vec<DynamoStore>,
    /// The clock that deadlines are on.
    clock: TokioPace,
    topic: Mutex<Vec<Finding>>,
}

/// The topic, as an environment sees it.
struct Publisher(Arc<World>);

/// What is in the stream, and what is true of it.
struct Stream {
    shards: Vec<Vec<Record>>,
    /// By source: names tried, events.
    truth: BTreeMap<u8, (BTreeSet<u16>, u64)>,
}

/// A future that stops for ever when it has been polled so often, and says so.
struct HalfWay<F> {
    inner: Pin<Box<F>>,
    polls_left: u32,
    stopped: Option<tokio::sync::oneshot::Sender<()>>,
}

impl<F: Future> Future for HalfWay<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.polls_left == 0 {
            // Whoever listens aborts the task; if nobody does any more, that is as well.
            let _ = self.stopped.take().map(|stopped| stopped.send(()));
            return Poll::Pending;
        }
        self.polls_left -= 1;
        self.inner.as_mut().poll(context)
    }
}

impl AlertSink for Publisher {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.0.topic.lock().expect("nobody panics inside").push(finding.clone());
        Ok(())
    }
}

impl World {
    fn new(table: &DynamoTable, (layout, safeguards): Terms) -> World {
        let plan = Arc::new(Plan::shared(vec![scans()]).expect("the shared home serves it"));
        let settings = Settings { layout, concurrency: 4, safeguards, ..Settings::default() };
        let pace = || TokioPace::start().expect("the system has chance");
        let environment = |_| DynamoStore::new(Arc::clone(&plan), table.clone(), pace(), settings);
        let environments = (0..ENVIRONMENTS).map(environment).collect();
        World { plan: Arc::clone(&plan), environments, clock: pace(), topic: Mutex::default() }
    }

    fn engine(
        self: &Arc<World>,
        store: &DynamoStore,
        shard: ShardId,
    ) -> Engine<impl WindowStore, Publisher> {
        let invocation = store.invocation(shard, self.clock.now().plus(LIMIT));
        let admission = Admission::until(Time(i64::MAX / 4));
        Engine::new(
            Arc::clone(&self.plan),
            invocation,
            Publisher(Arc::clone(self)),
            tag_key(),
            admission,
        )
    }

    /// One invocation about a batch.
    async fn deliver(
        self: Arc<World>,
        environment: usize,
        shard: u32,
        batch: Vec<Record>,
    ) -> Acknowledged {
        let now = batch.last().map_or(START, |record| record.arrival);
        let store = &self.environments[environment];
        self.engine(store, ShardId(shard)).deliver(&batch, now).await
    }

    async fn tick(self: &Arc<World>, environment: usize, now: Time) {
        let store = &self.environments[environment];
        // What one tick does not manage the next one does.
        let _ = self.engine(store, ShardId::TICK).tick(now).await;
    }

    /// Reads one shard to its end, as Lambda does, with what goes wrong.
    async fn read(self: Arc<World>, seed: u64, shard: u32, records: Vec<Record>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed << 8 | u64::from(shard));
        let (mut done, mut deliveries) = (0, 0);
        while done < records.len() {
            deliveries += 1;
            assert!(deliveries < DELIVERIES_MAX, "seed {seed}: shard {shard} is blocked at {done}");
            let end = rng.random_range(done + 1..=(done + 8).min(records.len()));
            let acknowledged = self.invoke(&mut rng, shard, &records[done..end]).await;
            if let Some(acknowledged) = acknowledged {
                done = match acknowledged.first_unapplied {
                    Some(first) => records.partition_point(|record| record.sequence < first),
                    None => end,
                };
            }
            if done > 0 && rng.random_bool(0.3) {
                // Long dealt with, and cut at other places: nothing may come of it.
                let from = rng.random_range(0..done);
                let to = rng.random_range(from..done) + 1;
                self.invoke(&mut rng, shard, &records[from..to]).await;
            }
        }
    }

    /// Has one environment deal with a batch, or two at once, or one that is dropped half way; `None`
    /// where nobody learns what came of it.
    async fn invoke(
        self: &Arc<World>,
        rng: &mut ChaCha8Rng,
        shard: u32,
        batch: &[Record],
    ) -> Option<Acknowledged> {
        let environment = rng.random_range(0..ENVIRONMENTS);
        let invocation = Arc::clone(self).deliver(environment, shard, batch.to_vec());
        match rng.random_range(0..10) {
            0..4 => Some(tokio::spawn(invocation).await.expect("it does not panic")),
            4..7 => {
                let other = (environment + rng.random_range(1..ENVIRONMENTS)) % ENVIRONMENTS;
                // The same batch, or the first half of it, as after a bisect.
                let cut = if rng.random_bool(0.5) { batch.len() } else { batch.len().div_ceil(2) };
                let zombie = Arc::clone(self).deliver(other, shard, batch[..cut].to_vec());
                let (zombie, invocation) = (tokio::spawn(zombie), tokio::spawn(invocation));
                zombie.await.expect("it does not panic");
                Some(invocation.await.expect("it does not panic"))
            }
            _ => {
                let (stopped, stops) = tokio::sync::oneshot::channel();
                let (inner, polls_left) = (Box::pin(invocation), rng.random_range(0..40));
                let task = tokio::spawn(HalfWay { inner, polls_left, stopped: Some(stopped) });
                // An error: it came to its end before.
                if stops.await.is_ok() {
                    task.abort();
                }
                task.await.ok()
            }
        }
    }

    /// Ticks until the index is empty.
    async fn settle(self: &Arc<World>, table: &DynamoTable) -> Result<(), String> {
        let mut now = START.plus(Span::minutes(8));
        for tick in 0..200 {
            self.tick(tick % ENVIRONMENTS, now).await;
            now = now.plus(Span::minutes(10));
            let mut due = 0;
            for partition in 0..INDEX_PARTITIONS {
                let of = table.due(partition, Time(i64::MAX / 4), 100).await;
                due += of.expect("it answers").len();
            }
            if due == 0 {
                return Ok(());
            }
        }
        Err("the index is never empty".to_owned())
    }

    /// What is counted of a source: names and failures, by an environment that remembers nothing; `None`
    /// if the names are not exact, or something is still to be told.
    async fn counted(&self, table: &DynamoTable, terms: Terms, source: u8) -> Option<(f64, f64)> {
        let fresh = World::new(table, terms);
        let invocation = fresh.environments[0].invocation(ShardId::TICK, Time(i64::MAX / 4));
        let place: [Place; 1] = [(KeyPlanId(0), key(source))];
        let mut counted = None;
        let read = invocation.read(&place, |window| {
            let detector = &window.plan.detectors[0];
            let value = |at: usize| window.value(detector.measures[at], detector);
            let settled = value(0).error == Accuracy::Exact && !window.state.episodes.any_pending();
            counted = settled.then_some((value(0).amount, value(1).amount));
        });
        read.await.expect("it can be read");
        counted
    }
}

impl Stream {
    /// Everything happens within the window, so that at its end all of it is counted.
    fn new(seed: u64) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut stream = Stream { shards: Vec::new(), truth: BTreeMap::new() };
        for shard in 0..SHARDS {
            let records = (0..RECORDS).map(|nth| stream.record(&mut rng, shard, nth));
            let records = records.collect();
            stream.shards.push(records);
        }
        stream
    }

    fn record(&mut self, rng: &mut ChaCha8Rng, shard: u32, nth: u64) -> Record {
        let arrival = START.plus(Span::seconds(APART_S * nth as i64 + APART_S - 1));
        let mut signals = Vec::new();
        for source in 0..SOURCES {
            // A scanner's names are its own on each shard but for a few; the others have three.
            let names: Range<u16> = match source < SCANNERS {
                true => 0..20,
                false => 0..3,
            };
            if !rng.random_bool(0.6) {
                continue;
            }
            let event = (shard as u16) << 8 | (nth as u16) << 2;
            for more in 0..rng.random_range(1..3) {
                let name = rng.random_range(names.clone());
                let time =
                    START.plus(Span::seconds(APART_S * nth as i64 + i64::from(source) + more));
                let login = Login { time, source, user: event + more as u16 };
                let signal = named(&login, name);
                let (users, events) = self.truth.entry(source).or_default();
                users.insert(name);
                *events += 1;
                signals.push(signal.clone());
                if rng.random_bool(0.2) {
                    // CloudWatch Logs delivers it once more.
                    signals.push(signal);
                }
            }
        }
        Record { sequence: Sequence::of(1_000 + 7 * nth), arrival, signals, again: Vec::new() }
    }
}

/// The log event that `login` names, of somebody who tried `name`.
fn named(login: &Login, name: u16) -> Signal {
    let of_name = Login { user: name, ..*login }.signal(Outcome::Failure);
    Signal { body: of_name.body, ..login.signal(Outcome::Failure) }
}

impl Stream {
    /// Has some events come once more, in the record after theirs: under a new sequence number, and
    /// within the reach of what a shard remembers of a source.
    fn repeat(&mut self, mut rng: ChaCha8Rng) {
        for records in &mut self.shards {
            for nth in 1..records.len() {
                let mut copies = records[nth - 1].signals.clone();
                copies.retain(|_| rng.random_bool(0.2));
                records[nth].signals.extend(copies);
            }
        }
    }
}

/// Plays one run, and says which law it breaks, if any.
async fn play(table: DynamoTable, seed: u64, terms: Terms) -> Result<(), String> {
    let mut stream = Stream::new(seed);
    stream.repeat(ChaCha8Rng::seed_from_u64(!seed));
    let world = Arc::new(World::new(&table, terms));
    let shards = std::mem::take(&mut stream.shards);
    let readers = (0..)
        .zip(shards)
        .map(|(shard, records)| tokio::spawn(Arc::clone(&world).read(seed, shard, records)));
    for read in join_all(readers).await {
        read.unwrap_or_else(|panic| panic!("seed {seed}: {panic}"));
    }
    world.settle(&table).await?;
    for (source, (names, events)) in &stream.truth {
        let counted = world.counted(&table, terms, *source).await;
        let truth = Some((names.len() as f64, *events as f64));
        if counted != truth {
            return Err(format!("source {source} has {counted:?}, truly {truth:?}"));
        }
    }
    let planted = stream.truth.iter().filter(|(_, (names, _))| names.len() >= 8);
    let planted: BTreeSet<Key> = planted.map(|(source, _)| key(*source)).collect();
    assert_eq!(planted.len(), usize::from(SCANNERS), "seed {seed}: all that scan are planted");
    told(&planted, &world.topic.lock().expect("nobody panics inside"))
}

/// Whether these messages tell of all that was planted, and of nothing else.
fn told(planted: &BTreeSet<Key>, messages: &[Finding]) -> Result<(), String> {
    let mut told: BTreeMap<Key, Vec<&Finding>> = BTreeMap::new();
    messages.iter().for_each(|finding| told.entry(finding.key).or_default().push(finding));
    if !told.keys().eq(planted) {
        return Err(format!("told of {:?}, planted {planted:?}", told.keys()));
    }
    for (key, messages) in told {
        let uids: BTreeSet<&String> = messages.iter().map(|finding| &finding.uid).collect();
        if uids.len() != 1 {
            return Err(format!("{key} has {uids:?}"));
        }
        let told: Vec<Activity> = messages.iter().map(|finding| finding.activity).collect();
        if (told.first(), told.last()) != (Some(&Activity::Create), Some(&Activity::Close)) {
            return Err(format!("{key}: {told:?}"));
        }
    }
    Ok(())
}

fn layout(seed: u64) -> Layout {
    if seed.is_multiple_of(2) { Layout::Together } else { Layout::Apart }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_exact_and_every_scan_has_one_uid_whoever_serves_its_shards() {
    let cloud = Ministack::start();
    for seed in SEEDS {
        let table = cloud.table(&format!("shared-{seed}")).await;
        let played = play(table, seed, (layout(seed), Safeguards::default())).await;
        played.unwrap_or_else(|broken| panic!("seed {seed}, {:?}: {broken}", layout(seed)));
    }
}

/// What would go unnoticed here would prove nothing above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_safeguard_these_runs_go_wrong() {
    let cloud = Ministack::start();
    let all = Safeguards::default();
    let off = [
        ("cas", Safeguards { compare_and_set: false, ..all }),
        ("claim", Safeguards { claim: false, ..all }),
        ("guard", Safeguards { guard: Guard::None, ..all }),
        ("ring", Safeguards { event_ring: false, ..all }),
    ];
    for (name, safeguards) in off {
        let mut broken = false;
        for seed in SEEDS {
            let table = cloud.table(&format!("{name}-{seed}")).await;
            broken = play(table, seed, (layout(seed), safeguards)).await.is_err();
            if broken {
                break;
            }
        }
        assert!(broken, "without its {name} the protocol passes all seeds");
    }
}
