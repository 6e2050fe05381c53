//! The world: who delivers what to whom, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tidewatch_core::delivery::{Acknowledged, Record};
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::meter::attribution::DriverName;
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::plan::Plan;
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::spend::course::LATENESS;
use tidewatch_core::spend::watch::{Watch, Weighing};
use tidewatch_core::table_store::functions::FunctionCounts;
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::store::{Layout, Settings, SharedStore};
use tidewatch_core::tag::{TagKey, UserTag};
use tidewatch_core::time::{Span, Time};

use super::spy::{ByCaller, Panes, Spy};
use super::{PANE_MS, START, asked, report, weighing};
use crate::simulator::executor::{Clock, Executor, Reply, Stopped, lock};
use crate::simulator::weather::{Chance, Stream};
use crate::unlucky_table::{Fate, Request, UnluckyPace, UnluckyTable};

const MINUTE_MS: i64 = 60_000;

/// How long an invocation may take.
const LIMIT_MS: i64 = 30_000;

/// Functions, and shards before and after the one split.
const FUNCTIONS: usize = 2;
const SHARDS: [std::ops::Range<u32>; 2] = [0..2, 2..5];

/// More polls and timers than any run takes.
const STEPS_MAX: u64 = 20_000_000;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Decides everything.
    pub seed: u64,
    /// How long reports come.
    pub hours: i64,
    /// How often something goes wrong: 0 never, 1 as often as anybody could stand.
    pub badness: f64,
    /// From which minute on, and for how many, nobody can look at the first function.
    pub outage: Option<(i64, i64)>,
    /// Where shares live.
    pub layout: Layout,
    /// All on, but where a control shows what happens without one.
    pub safeguards: Safeguards,
}

/// What became of it.
#[derive(Debug)]
pub struct Played {
    /// What broke a law, or could not be finished.
    pub broken: Vec<String>,
    /// Messages, in the order they left.
    pub told: Vec<Finding>,
    /// What was done.
    pub counts: FunctionCounts,
    /// Shares that were held to the law.
    pub shares: u64,
    /// The largest items, in bytes.
    pub bytes: BTreeMap<&'static str, usize>,
    /// Of each function, the panes that were closed.
    pub closed: BTreeMap<String, Panes>,
    /// What reports say of them.
    pub truth: BTreeMap<String, Panes>,
    /// Shares of callers that were held to the law.
    pub callers: u64,
    /// Items about all functions together that were.
    pub of_all: u64,
    /// Who asked for the first function.
    pub asked: ByCaller,
    /// What of that was laid to them.
    pub laid: ByCaller,
    /// Panes whose callers were judged before they were laid to them.
    pub late: Vec<i64>,
}

/// What there is to tell.
struct Source {
    records: BTreeMap<ShardId, Vec<Record>>,
    truth: BTreeMap<String, Panes>,
    asked: ByCaller,
}

#[derive(Clone)]
struct World {
    story: Story,
    clock: Clock,
    chance: Chance,
    weighing: Weighing,
    environments: Arc<Vec<SharedStore<Spy, UnluckyPace>>>,
    topic: Topic,
    counts: Arc<Mutex<FunctionCounts>>,
}

/// Where findings go; it may refuse.
#[derive(Clone)]
struct Topic {
    told: Arc<Mutex<Vec<Finding>>>,
    clock: Clock,
    chance: Chance,
    badness: f64,
}

impl AlertSink for Topic {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.clock.sleep(self.chance.within(5..200)).await;
        if self.chance.happens(0.2 * self.badness) {
            return Err(SinkError::Failed("by the story".to_owned()));
        }
        lock(&self.told).push(finding.clone());
        self.clock.sleep(self.chance.within(5..200)).await;
        Ok(())
    }
}

/// Plays a story.
///
/// # Panics
/// If it does not come to an end.
pub fn play(story: Story) -> Played {
    let mut executor = Executor::new(START.0);
    let clock = executor.clock();
    let chance = Chance::new(story.seed, Stream::Weather);
    let source = source(story, &Chance::new(story.seed, Stream::World));
    let Source { records, truth, asked } = source;
    let records = Arc::new(records);
    let table = UnluckyTable::new(clock.clone());
    let fate = chance.clone();
    table.set_fate(move |request, now| {
        if story.is_out(request, now) {
            return Fate::Throttled;
        }
        match fate.unit() / story.badness.max(f64::MIN_POSITIVE) {
            unit if unit < 0.02 => Fate::AnswerLost,
            unit if unit < 0.05 => Fate::Throttled,
            unit if unit < 0.10 => Fate::Slow(fate.within(1_000..20_000)),
            _ => Fate::Slow(fate.within(2..40)),
        }
    });
    let spy = Spy::new(table, Arc::clone(&records));
    let settings =
        Settings { layout: story.layout, safeguards: story.safeguards, ..Settings::default() };
    let environment = |_| {
        let pace = UnluckyPace { clock: clock.clone(), ahead_ms: 0, chance: chance.clone() };
        SharedStore::new(Arc::new(Plan::default()), spy.clone(), pace, settings)
    };
    let environments = Arc::new((0..3).map(environment).collect());
    let topic = Topic {
        told: Arc::default(),
        clock: clock.clone(),
        chance: chance.clone(),
        badness: story.badness,
    };
    let world = World {
        story,
        clock: clock.clone(),
        chance,
        weighing: weighing(),
        environments,
        topic,
        counts: Arc::default(),
    };
    for shard in records.keys() {
        clock.spawn(world.clone().poll(*shard, Arc::clone(&records)));
    }
    clock.spawn(world.clone().tick_for(story.hours + 3));
    assert_eq!(executor.run(STEPS_MAX), Stopped::Idle, "{story:?}");
    let notes = spy.notes();
    let mut notes = lock(&notes);
    let by_name = std::mem::take(&mut notes.closed).into_iter();
    Played {
        broken: std::mem::take(&mut notes.broken),
        told: std::mem::take(&mut *lock(&world.topic.told)),
        counts: lock(&world.counts).clone(),
        shares: notes.shares,
        bytes: notes.bytes.clone(),
        closed: by_name.map(|(function, panes)| (function.name.to_string(), panes)).collect(),
        truth,
        callers: notes.callers,
        of_all: notes.of_all,
        asked,
        late: notes.late.clone(),
        laid: std::mem::take(&mut notes.laid).into_values().next().unwrap_or_default(),
    }
}

impl Story {
    /// Whether a request is a look at the first function, and that fails.
    fn is_out(self, request: &Request<'_>, now: Time) -> bool {
        let Some((from, minutes)) = self.outage else { return false };
        let minute = (now.0 - START.0) / MINUTE_MS;
        let is_first = |key: &[u8]| key_bytes::function(key).is_some_and(|of| &*of.name == "f0");
        matches!(request, Request::Query(key) if is_first(key))
            && (from..from + minutes).contains(&minute)
    }
}

/// Who asks for the first function's `nth` invocation: in the hour of many mostly one, in another hour one of those
/// who ask by turns else.
fn caller(nth: usize, is_spike: bool, is_ride: bool) -> UserTag {
    match (is_spike, is_ride) {
        (true, _) if !nth.is_multiple_of(5) => UserTag(7),
        (_, true) => UserTag(1),
        _ => UserTag(nth as u64 % 5 + 1),
    }
}

/// The records of all shards, and how many invocations there are of each function in each pane. Each function has
/// some in each pane, many in an hour of the last day, and none in another. Of the first the log names who asks, a moment
/// before, and mostly by the same shard.
fn source(story: Story, chance: &Chance) -> Source {
    let (mut events, mut truth) = (Vec::new(), BTreeMap::<String, Panes>::new());
    let mut by_caller = ByCaller::new();
    let first = START.0 / PANE_MS;
    let panes = story.hours * 12;
    for function in 0..FUNCTIONS {
        let spike = panes - 60 + 12 * function as i64;
        for pane in 0..panes {
            let count = match pane - spike {
                0..12 => 50,
                24..36 => 0,
                // One rides, which is no spike yet.
                -24..-12 if function == 0 => 10,
                _ => chance.within(3..6),
            };
            for _ in 0..count {
                let time = Time((first + pane) * PANE_MS + chance.within(0..PANE_MS));
                let [is_spike, is_ride] =
                    [0, -24].map(|from| (from..from + 12).contains(&(pane - spike)));
                events.push((time, function, (is_spike, is_ride)));
                *truth
                    .entry(format!("f{function}"))
                    .or_default()
                    .entry(first + pane)
                    .or_default() += 1;
            }
        }
    }
    events.sort();
    let split = START.0 + story.hours * 1_800_000;
    let mut records: BTreeMap<ShardId, Vec<Record>> = BTreeMap::new();
    let mut said = Vec::new();
    for (nth, (time, function, (is_spike, is_ride))) in events.into_iter().enumerate() {
        let arrival = time.plus(Span(chance.within(100..15_000)));
        let shards = SHARDS[usize::from(arrival.0 > split)].clone();
        let shard = ShardId(shards.start + chance.below(shards.len()) as u32);
        if function == 0 {
            let who = caller(nth, is_spike, is_ride);
            let pane = by_caller.entry(time.0 / PANE_MS).or_default();
            *pane.entry(who).or_default() += 1;
            // Nothing arrives before it happens.
            let before = time.max(arrival.minus(Span(chance.within(0..900))));
            let elsewhere = chance.happens(0.1);
            let by = if elsewhere { ShardId(shards.start) } else { shard };
            said.push((before, by, asked(nth as u64, time, 0, who)));
        }
        said.push((arrival, shard, report(nth as u64, time, function)));
    }
    said.sort_by_key(|(arrival, shard, _)| (*arrival, *shard));
    for (arrival, shard, signal) in said {
        // CloudWatch delivers some events twice, under a new sequence number.
        for _ in 0..1 + usize::from(chance.happens(0.05 * story.badness)) {
            let of_shard = records.entry(shard).or_default();
            let joins = of_shard
                .last()
                .is_some_and(|last| last.signals.len() < 3 && arrival.0 - last.arrival.0 < 5_000);
            match of_shard.last_mut().filter(|_| joins && chance.happens(0.5)) {
                Some(last) => {
                    last.signals.push(signal.clone());
                    last.arrival = last.arrival.max(arrival);
                }
                None => {
                    let after = of_shard.last().map_or(Time::MIN, |last| last.arrival);
                    let sequence = Sequence::of(of_shard.len() as u64 + 1);
                    let (signals, again) = (vec![signal.clone()], Vec::new());
                    of_shard.push(Record { sequence, arrival: arrival.max(after), signals, again });
                }
            }
        }
    }
    Source { records, truth, asked: by_caller }
}

impl World {
    /// Delivers the records of a shard, each until it is acknowledged.
    async fn poll(self, shard: ShardId, records: Arc<BTreeMap<ShardId, Vec<Record>>>) {
        let records = &records[&shard];
        let mut next = 0;
        while next < records.len() {
            let arrival = records[next].arrival.0;
            self.clock.sleep_until(arrival + self.chance.within(0..10_000)).await;
            let now = self.clock.now_ms();
            let arrived = records[next..].iter().take_while(|r| r.arrival.0 <= now).count();
            let is_cut = self.chance.happens(0.3 * self.story.badness);
            let some = if is_cut { self.chance.below(arrived) + 1 } else { 20 };
            let batch = records[next..next + arrived.clamp(1, some)].to_vec();
            let (size, first) = (batch.len(), batch[0].sequence);
            let world = self.clone();
            let told = self.invoke(async move {
                let environment = world.environment();
                let deadline = Time(world.clock.now_ms() + LIMIT_MS);
                let invocation = environment.invocation(shard, deadline);
                let (told, counts) = invocation.count_functions(&world.weighing, &batch).await;
                world.count(&counts);
                told
            });
            next += match told.await {
                None => 0,
                Some(Acknowledged { first_unapplied: None, .. }) => size,
                Some(Acknowledged { first_unapplied: Some(again), .. }) => {
                    records[next..].iter().take_while(|r| r.sequence < again.max(first)).count()
                }
            };
        }
    }

    /// Ticks each minute, and now and then twice.
    async fn tick_for(self, hours: i64) {
        for _ in 0..hours * 60 {
            self.clock.sleep(MINUTE_MS).await;
            let both = self.chance.happens(0.2 * self.story.badness);
            for _ in 0..1 + usize::from(both) {
                let world = self.clone();
                let ended = self.invoke(async move {
                    let now = Time(world.clock.now_ms());
                    let deadline = now.plus(Span(LIMIT_MS));
                    let invocation = world.environment().invocation(ShardId::TICK, deadline);
                    let mut topic = world.topic.clone();
                    let told = invocation.weigh_functions(&world.weighing, &mut topic, now).await;
                    world.count(&told.0);
                });
                self.clock.spawn(async move {
                    ended.await;
                });
            }
        }
    }

    fn environment(&self) -> &SharedStore<Spy, UnluckyPace> {
        &self.environments[self.chance.below(self.environments.len())]
    }

    fn count(&self, counts: &FunctionCounts) {
        lock(&self.counts).add(counts);
    }

    /// Starts an invocation: it may die, or nobody may learn how it ended while it goes on.
    fn invoke<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Reply<Option<R>> {
        let reply = Reply::new();
        let given = reply.clone();
        let task = self.clock.spawn(async move { given.give(Some(work.await)) });
        let (dies, lost) = (0.08 * self.story.badness, 0.08 * self.story.badness);
        let (clock, given) = (self.clock.clone(), reply.clone());
        if self.chance.happens(dies) {
            self.clock.call_in(self.chance.within(1..400), move || {
                clock.cancel(task);
                given.give(None);
            });
        } else if self.chance.happens(lost) {
            self.clock.call_in(self.chance.within(1..2_000), move || given.give(None));
        } else {
            self.clock.call_in(2 * LIMIT_MS, move || {
                clock.cancel(task);
                given.give(None);
            });
        }
        reply
    }
}

/// What is the same in all copies of one message.
type Said = (String, String, u8, u8);

fn said(finding: &Finding) -> Said {
    let activity = match finding.activity {
        Activity::Create => 0,
        Activity::Update => 1,
        Activity::Close => 2,
    };
    (finding.detector.clone(), finding.uid.clone(), activity, finding.severity as u8)
}

impl Played {
    /// What one process that closed the same panes would have told and was not, and what else was told.
    pub fn untold(&self) -> (Vec<Said>, Vec<Said>) {
        let Weighing { detectors, prices, budgets, .. } = weighing();
        let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
        let mut watch = Watch::new(detectors.to_vec(), prices, ledger).budgeted(budgets);
        let mut signals = Vec::new();
        for (function, panes) in &self.closed {
            let function = function[1..].parse().expect("a number");
            for (pane, count) in panes {
                let laid = self.laid.get(pane).filter(|_| function == 0).into_iter().flatten();
                let who = laid.flat_map(|(who, of)| (0..*of).map(|_| *who));
                let mut who: Vec<UserTag> = who.collect();
                for nth in 0..*count {
                    let time = Time(pane * PANE_MS + nth as i64 * PANE_MS / *count as i64);
                    signals.push((time, function, who.pop()));
                }
            }
        }
        signals.sort();
        let signals = signals.into_iter().enumerate();
        let signals = signals.flat_map(|(nth, (time, function, who))| {
            let asked = who.map(|who| asked(nth as u64, time, function, who));
            [asked, Some(report(nth as u64, time, function))].into_iter().flatten()
        });
        let mut expected: Vec<Finding> = signals.flat_map(|s| watch.observe(&s)).collect();
        let last = self.closed.values().filter_map(|panes| panes.keys().next_back()).max();
        let end = last.map_or(Time::MIN, |last| Time((last + 1) * PANE_MS).plus(LATENESS));
        expected.extend(watch.advance(end));
        let expected: BTreeSet<Said> = expected.iter().map(said).collect();
        let told: BTreeSet<Said> = self.told.iter().map(said).collect();
        let less = |a: &BTreeSet<Said>, b: &BTreeSet<Said>| a.difference(b).cloned().collect();
        (less(&expected, &told), less(&told, &expected))
    }

    /// Whom messages name for more than they asked for.
    pub fn misnamed(&self) -> Vec<String> {
        let mut misnamed = Vec::new();
        // One that closes names those of a later pane than its last.
        let goes_on = |finding: &&Finding| finding.activity != Activity::Close;
        for finding in self.told.iter().filter(goes_on) {
            let Some(spending) = finding.spending.as_deref() else { continue };
            if spending.drivers.is_empty() {
                continue;
            }
            let name = spending.function.name.to_string();
            let pane = finding.last.0 / PANE_MS;
            let count = self.closed[&name].get(&pane).copied().unwrap_or(0) as f64;
            for driver in &spending.drivers {
                let DriverName::Tag(who) = driver.name else { panic!("no principal: {driver:?}") };
                let of_pane = self.asked.get(&pane).filter(|_| name == "f0");
                let truth = of_pane.and_then(|by| by.get(&who)).copied().unwrap_or(0) as f64;
                if driver.share * count > truth + 1e-6 {
                    misnamed.push(format!(
                        "{name}, pane {pane}: {driver:?} instead of {truth} of {count}"
                    ));
                }
            }
        }
        misnamed
    }

    /// Whatever broke a law.
    pub fn faults(&self) -> Vec<String> {
        let (untold, unfounded) = self.untold();
        // A pane that a function was not closed in for a quarter of an hour is judged without its callers: only then a ride
        // may be missed, and none is made up.
        let is_held = |said: &&Said| self.late.is_empty() || said.0 != "rider";
        let untold = untold.iter().filter(is_held).map(|said| format!("not told: {said:?}"));
        let unfounded = unfounded.iter().map(|said| format!("told without reason: {said:?}"));
        let misnamed = self.misnamed().into_iter();
        self.broken.iter().cloned().chain(untold).chain(unfounded).chain(misnamed).collect()
    }
}
