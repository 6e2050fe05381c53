//! One run, from its seed to its verdict.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::signal::LogStream;
use tidewatch_core::store::{Place, WindowStore};
use tidewatch_core::table_store::store::{Layout, Settings};
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Window;

use super::detectors;
use super::environment::{Fleet, Work};
use super::executor::{Clock, Executor, Reply, Stopped, lock, until};
use super::figures::Figures;
use super::laws::{self, Broken, Law, Shown};
use super::oracle::{Histories, histories};
use super::poller::{Log, Mapping};
use super::rotation::{Known, Rotation, first_key};
use super::source::{Found, Source};
use super::table::Items;
use super::topic::Topic;
use super::trace::Trace;
use super::weather::{Chance, Level, Stream, Weather};
use super::world::{Phase, World};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// More polls and timers than any sound run takes.
const STEPS_MAX: u64 = 5_000_000;

/// How many runs replace the key of tags.
const ROTATING: f64 = 0.3;

/// How long after the last record everything must be quiet.
const SETTLING_MS_MAX: i64 = 48 * HOUR;

/// How a run differs from the sound protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// What keeps the state exact.
    pub safeguards: Safeguards,
    /// Batches of one shard under way at once beyond the first.
    pub parallel_more: usize,
    /// Whether the key of tags is replaced, where that is not drawn.
    pub rotates: Option<bool>,
    /// For how long both keys are written, instead of long enough.
    pub overlap: Option<Span>,
    /// The weather, where it is not drawn.
    pub level: Option<Level>,
    /// Whether to keep the trace.
    pub traced: bool,
}

/// What became of a run.
#[derive(Debug)]
pub struct Run {
    /// The laws it broke.
    pub broken: Vec<Broken>,
    /// What happened, if it was kept.
    pub trace: String,
    /// What was measured.
    pub figures: Figures,
}

/// Everything of a run.
struct Play {
    seed: u64,
    clock: Clock,
    weather: Weather,
    trace: Trace,
    source: Arc<Source>,
    fleet: Arc<Fleet>,
    mapping: Arc<Mapping>,
    audits: Mutex<Vec<(i64, Vec<Shown>)>>,
    stopped: Mutex<bool>,
}

/// Plays the run of a seed, and judges it.
pub fn run(seed: u64, setup: &Setup) -> Run {
    let chance = Chance::new(seed, Stream::World);
    let begun_ms = 1_700_000_000_000 + chance.within(0..24 * HOUR);
    let mut executor = Executor::new(begun_ms);
    let clock = executor.clock();
    let weather = Weather::new(clock.clone(), Chance::new(seed, Stream::Weather), setup.level);
    let trace = Trace::new(clock.clone(), setup.traced);
    let world = World::new(&chance, weather.level);
    trace.note("run", || format!("seed {seed}, {:?}, {} shards", weather.level, world.shards));
    let keys_chance = Chance::new(seed, Stream::Keys);
    let rotates = keys_chance.happens(ROTATING);
    let rotation = match setup.rotates.unwrap_or(rotates) {
        true => Rotation::drawn(&keys_chance, begun_ms, world.length_ms(), setup.overlap),
        false => Rotation::none(),
    };
    trace.note("run", || rotation.story());
    let outside = (clock.clone(), weather, trace);
    let play = Arc::new(Play::new((seed, setup), &world, (rotation, keys_chance), outside));
    let director = Arc::clone(&play);
    clock.spawn(async move { director.direct(world).await });
    let stopped = executor.run(STEPS_MAX);
    play.judged(stopped)
}

impl Play {
    fn new(
        (seed, setup): (u64, &Setup),
        world: &World,
        (rotation, keys_chance): (Rotation, Chance),
        (clock, weather, trace): (Clock, Weather, Trace),
    ) -> Play {
        let chance = &weather.chance;
        let settings = Settings {
            layout: if chance.happens(0.2) { Layout::Apart } else { Layout::Together },
            concurrency: chance.within(1..9) as usize,
            lease: Span::minutes([60, 60, 5][chance.below(3)]),
            cached_keys_max: [0, 3, 1_000][chance.below(3)],
            cache_seed: 7,
            safeguards: setup.safeguards,
        };
        trace.note("run", || format!("{settings:?}"));
        let fleet = Arc::new(Fleet {
            clock: clock.clone(),
            weather: weather.clone(),
            trace: trace.clone(),
            plan: detectors::plan(),
            settings,
            items: Arc::new(Mutex::new(Items::new(chance.within(0..20 * SECOND)))),
            topic: Topic::default(),
            rotation,
            keys_chance,
            limit_ms: [10 * SECOND, 30 * SECOND, 60 * SECOND][chance.below(3)],
            environments: Mutex::default(),
            started: AtomicU32::new(0),
            invocations: AtomicU32::new(0),
            misfortunes: Mutex::default(),
        });
        let source = Arc::new(Source::new(world.shards));
        let mapping = Arc::new(Mapping {
            source: Arc::clone(&source),
            fleet: Arc::clone(&fleet),
            batch_records_max: chance.within(1..30) as usize,
            window_ms: chance.within(0..10 * SECOND),
            parallel: 1 + setup.parallel_more,
            log: Mutex::new(Log::default()),
        });
        let (audits, stopped) = (Mutex::default(), Mutex::default());
        Play { seed, clock, weather, trace, source, fleet, mapping, audits, stopped }
    }

    /// Lets everything happen.
    async fn direct(self: Arc<Play>, world: World) {
        (0..world.shards).for_each(|shard| self.mapping.read(ShardId(shard)));
        let ticking = Arc::clone(&self);
        self.clock.spawn(async move { ticking.tick().await });
        for phase in world.phases {
            self.clock.sleep(phase.pause_ms).await;
            self.trace.note("run", || "a phase begins".to_owned());
            self.phase(phase).await;
            self.source.changed.wait(|| self.source.shards().is_drained()).await;
            self.trace.note("run", || "all is dealt with".to_owned());
            self.audit().await;
        }
        self.clock.sleep(self.weather.chance.within(0..30 * MINUTE)).await;
        self.trace.note("run", || "the weather clears up".to_owned());
        self.weather.clear_up();
        self.source.end();
        let over_ms = self.clock.now_ms() + SETTLING_MS_MAX;
        loop {
            self.clock.sleep(10 * MINUTE).await;
            let settled = lock(&self.fleet.items).is_settled();
            if settled || self.clock.now_ms() > over_ms {
                break;
            }
        }
        *lock(&self.stopped) = true;
        self.audit().await;
    }

    /// Puts in what the phase has.
    async fn phase(&self, phase: Phase) {
        let begun_ms = self.clock.now_ms();
        for (at_ms, for_ms) in &phase.throttled {
            self.weather.throttle(begun_ms + at_ms, *for_ms);
        }
        let stream = Arc::new(LogStream::default());
        let mut reshards = phase.reshards.into_iter().peekable();
        for put in phase.puts {
            while let Some((at_ms, chosen, merge)) = reshards.next_if(|next| next.0 <= put.at_ms) {
                self.clock.sleep_until(begun_ms + at_ms).await;
                let children = self.source.reshard(chosen, merge);
                self.trace.note("stream", || format!("opens {children:?}"));
                children.into_iter().for_each(|child| self.mapping.read(child));
            }
            self.clock.sleep_until(begun_ms + put.at_ms).await;
            let signal = |one: &super::world::Try| one.signal(begun_ms, &first_key(), &stream);
            let signals: Vec<_> = put.tries.iter().map(signal).collect();
            let ids: Vec<u64> = put.tries.iter().map(|one| one.id).collect();
            let shard = self.source.put(put.hash, put.gap, Time(self.clock.now_ms()), signals);
            self.trace.note("stream", || format!("shard{} gets events {ids:?}", shard.0));
        }
    }

    /// The scheduled tick: each minute, sometimes twice, sometimes late. Where the index has nothing
    /// that is due even by the fastest clock, most are left out: they would find nothing.
    async fn tick(self: Arc<Play>) {
        let ahead_ms = if self.weather.level == Level::Wild { 61 * MINUTE } else { 2 * MINUTE };
        while !*lock(&self.stopped) {
            self.nap(ahead_ms).await;
            self.clock.sleep(MINUTE).await;
            let due = lock(&self.fleet.items).due_earliest();
            let chance = &self.weather.chance;
            let any = due.is_some_and(|due| due.0 <= self.clock.now_ms() + ahead_ms);
            if !any && !chance.happens(0.02) {
                continue;
            }
            let calm = self.weather.level == Level::Calm;
            let times = if !calm && chance.happens(0.05) { 2 } else { 1 };
            for _ in 0..times {
                let fleet = Arc::clone(&self.fleet);
                let late_ms = if calm { 0 } else { chance.skewed(0..50 * SECOND) };
                self.clock.spawn(async move {
                    fleet.clock.sleep(late_ms).await;
                    fleet.invoke(Work::Tick, false).await;
                });
            }
        }
    }

    /// Sleeps while the index has nothing for the next minutes, ten at most.
    async fn nap(&self, ahead_ms: i64) {
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms + 10 * MINUTE;
        let indexing = Reply::new();
        {
            let mut items = lock(&self.fleet.items);
            if items.due_earliest().is_some_and(|due| due.0 <= until_ms + ahead_ms) {
                return;
            }
            items.indexing = Some(indexing.clone());
        }
        until(&self.clock, until_ms, indexing).await;
    }

    /// Reads every key as a process does that has just started, and nothing goes wrong.
    async fn audit(&self) {
        let now_ms = self.clock.now_ms();
        let places: Vec<Place> = self.histories().into_keys().collect();
        let calm = Weather::of(self.clock.clone(), self.weather.chance.clone(), Level::Calm);
        let store = self.fleet.store("audit".to_owned(), 0, &Arc::default(), &calm);
        let plan = Arc::clone(&self.fleet.plan);
        let mut all: Vec<Shown> = Vec::new();
        let rotation = self.fleet.rotation;
        let known = Known::at(now_ms, &self.fleet.keys_chance);
        let phase = rotation.phase(known, Time(now_ms));
        let second = rotation.is_second(&phase);
        let invocation = store.invocation(ShardId::TICK, Time(now_ms + HOUR));
        let invocation = invocation.reading(phase.reading.generation());
        let read = invocation.read(&places, |window| all.push(shown(&plan, window, second))).await;
        if let Err(error) = read {
            self.trace.note("audit", || format!("fails: {error}"));
        }
        lock(&self.audits).push((now_ms, all));
    }

    fn histories(&self) -> Histories {
        let log = lock(&self.mapping.log);
        histories(&self.fleet.plan, &self.source.shards(), &log.acknowledged_ms)
    }

    /// Holds the run to the laws.
    fn judged(&self, stopped: Stopped) -> Run {
        let plan = &self.fleet.plan;
        let histories = self.histories();
        let messages = self.fleet.topic.messages();
        let audits = std::mem::take(&mut *lock(&self.audits));
        let mut broken = Vec::new();
        let mut tell = |law, what: String| broken.push(Broken { law, what });
        if stopped == Stopped::Endless {
            tell(Law::Read, format!("after {STEPS_MAX} steps it is not over"));
        }
        let shards = self.source.shards();
        for (shard, index) in shards.all.iter().zip(0..) {
            if shards.found(ShardId(index)) != Found::End {
                let (read, of) = (shard.checkpoint, shard.records.len());
                tell(Law::Read, format!("shard{index} is read up to {read} of {of}"));
            }
        }
        drop(shards);
        lock(&self.mapping.log).faults.drain(..).for_each(|fault| tell(Law::Read, fault));
        for item in lock(&self.fleet.items).indexed() {
            tell(Law::Settled, format!("{item:?} is still in the index"));
        }
        let pending = audits.last().into_iter().flat_map(|(_, shown)| shown);
        for one in pending.filter(|one| one.pending > 0) {
            tell(Law::Settled, format!("{} has pending episodes", one.place.1));
        }
        for (read_ms, shown) in &audits {
            broken.extend(laws::counts(plan, &histories, shown, *read_ms));
        }
        let calm = self.weather.level == Level::Calm;
        broken.extend(laws::messages(plan, &histories, &messages, calm));
        let figures =
            Figures::of(self.seed, plan, &histories, &messages, (&self.fleet, &self.mapping));
        Run { broken, trace: self.trace.text(), figures }
    }
}

fn shown(plan: &Plan, window: &Window<'_>, second: bool) -> Shown {
    let same = |key_plan: &tidewatch_core::plan::KeyPlan| {
        (key_plan.signal, &key_plan.fields) == (window.plan.signal, &window.plan.fields)
    };
    let id = plan.keys.iter().position(same).expect("a plan's key");
    let values = window.plan.detectors.iter().flat_map(|detector| {
        let value = move |(at, counted): (usize, &_)| {
            (usize::from(detector.id.0), at, window.value(*counted, detector))
        };
        detector.measures.iter().enumerate().map(value)
    });
    Shown {
        place: (KeyPlanId(id as u16), *window.key),
        second,
        head_ms: window.at.0,
        values: values.collect(),
        pending: window.state.episodes.iter().filter(|(_, episode)| episode.is_pending()).count(),
    }
}
