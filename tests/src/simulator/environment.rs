//! Execution environments: processes that serve one invocation at a time, each with its own warm cache
//! and its own clock, that appear when they are needed and go when the platform likes.
//!
//! An invocation may die at any await, stand still at any await, or take too long. A timed-out one is
//! dropped, or stands still and goes on much later, when newer batches have long been dealt with.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::{Acknowledged, Record};
use tidewatch_core::engine::Engine;
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::store::{Settings, SharedStore};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use super::executor::{Clock, Reply, TaskId, lock, until};
use super::poller::tail;
use super::rotation::{Known, Rotation};
use super::table::{Items, ModelTable, NO_BATCH};
use super::topic::{Publisher, Topic};
use super::trace::Trace;
use super::weather::{Chance, Level, Weather};

/// Environments alive at once.
const ENVIRONMENTS_MAX: usize = 6;

/// All environments, and what they share.
#[derive(Debug)]
pub struct Fleet {
    /// Virtual time.
    pub clock: Clock,
    /// What goes wrong.
    pub weather: Weather,
    /// Where it is noted.
    pub trace: Trace,
    /// What is detected.
    pub plan: Arc<Plan>,
    /// How the store works.
    pub settings: Settings,
    /// The table.
    pub items: Arc<Mutex<Items>>,
    /// Where findings go.
    pub topic: Topic,
    /// The key of tags, and the one that replaces it.
    pub rotation: Rotation,
    /// When who learns of it.
    pub keys_chance: Chance,
    /// How long an invocation may usually take.
    pub limit_ms: i64,
    /// Those there are.
    pub environments: Mutex<Vec<Environment>>,
    /// How many there ever were.
    pub started: AtomicU32,
    /// How many invocations there were.
    pub invocations: AtomicU32,
    /// What befell them.
    pub misfortunes: Mutex<Misfortunes>,
}

/// What befell invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misfortunes {
    /// They died.
    pub died: u64,
    /// They took too long.
    pub timed_out: u64,
    /// They stood still, and went on when the platform had long given them up.
    pub resumed: u64,
    /// What they had come to was not learnt.
    pub endings_lost: u64,
}

/// One process.
#[derive(Debug)]
pub struct Environment {
    number: u32,
    store: Arc<SharedStore<ModelTable, EnvironmentPace>>,
    clock_ahead_ms: i64,
    known: Known,
    invocation: Arc<AtomicU32>,
    busy: bool,
    tasks: Vec<TaskId>,
}

/// A process's clock, and its chance.
#[derive(Clone, Debug)]
pub struct EnvironmentPace {
    clock: Clock,
    ahead_ms: i64,
    chance: Chance,
}

/// What an invocation is about.
#[derive(Clone, Debug)]
pub enum Work {
    /// Records of a shard.
    Batch(ShardId, Vec<Arc<Record>>),
    /// The scheduled tick.
    Tick,
}

/// What the platform learns of how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered.
    Acknowledged(Acknowledged),
    /// It did not, in time or at all.
    Failed(&'static str),
}

/// When an invocation dies or stands still, counted in times it was polled.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    dies_at_poll: Option<u64>,
    stands_at_poll: Option<u64>,
    stands_for_ms: i64,
}

/// An invocation's future with what befalls it.
struct Befallen<F> {
    inner: Pin<Box<F>>,
    clock: Clock,
    polls: u64,
    trouble: Trouble,
    /// Until when it stands still; the platform sets it too.
    stands_until_ms: Arc<Mutex<i64>>,
    stood: bool,
    fleet: Arc<Fleet>,
    number: u32,
}

impl Fleet {
    /// Has an environment do the work, and tells how that ended. `protected`: nothing befalls it, so
    /// that no shard is retried for ever.
    pub async fn invoke(self: &Arc<Fleet>, work: Work, protected: bool) -> Ending {
        let (number, task_place) = self.take(&work);
        let odds = if protected { Default::default() } else { self.weather.odds() };
        let chance = &self.weather.chance;
        let limit_ms = match chance.happens(odds.hasty) {
            true => chance.within(200..3_000),
            false => self.limit_ms,
        };
        let trouble = Trouble {
            dies_at_poll: chance.happens(odds.crash).then(|| chance.skewed(1..60) as u64),
            stands_at_poll: chance.happens(odds.freeze).then(|| chance.skewed(1..60) as u64),
            stands_for_ms: chance.skewed(1_000..30 * 60_000),
        };
        let reply = Reply::new();
        let stands_until_ms = Arc::default();
        let inner = Box::pin(self.serve(&task_place, work, limit_ms, reply.clone()));
        let befallen = Befallen {
            inner,
            clock: self.clock.clone(),
            polls: 0,
            trouble,
            stands_until_ms: Arc::clone(&stands_until_ms),
            stood: false,
            fleet: Arc::clone(self),
            number,
        };
        let died = reply.clone();
        let task = self.clock.spawn(async move {
            if !befallen.await {
                died.give(Ending::Failed("died"));
            }
        });
        self.with(number, |environment| environment.tasks.push(task));
        let ending = until(&self.clock, self.clock.now_ms() + limit_ms, reply).await;
        self.ended(number, task, ending, &stands_until_ms)
    }

    /// Decides what becomes of the environment.
    fn ended(
        &self,
        number: u32,
        task: TaskId,
        ending: Option<Ending>,
        stands_until_ms: &Mutex<i64>,
    ) -> Ending {
        let (chance, odds) = (&self.weather.chance, self.weather.odds());
        let who = format!("env{number}");
        match ending {
            Some(Ending::Failed(why)) => {
                lock(&self.misfortunes).died += 1;
                self.trace.note(who, || why.to_owned());
                self.stop(number);
                Ending::Failed(why)
            }
            Some(ending) => {
                self.with(number, |environment| {
                    environment.busy = false;
                    environment.tasks.retain(|known| *known != task);
                });
                if chance.happens(odds.replaced) {
                    self.trace.note(&who, || "replaced".to_owned());
                    self.stop(number);
                }
                if chance.happens(odds.ending_lost) {
                    lock(&self.misfortunes).endings_lost += 1;
                    self.trace.note(who, || "its ending is not learnt".to_owned());
                    return Ending::Failed("its ending was lost");
                }
                ending
            }
            None => {
                lock(&self.misfortunes).timed_out += 1;
                if chance.happens(0.4) {
                    self.trace.note(who, || "timed out, stopped".to_owned());
                    self.stop(number);
                } else {
                    let for_ms = chance.skewed(1_000..45 * 60_000);
                    self.trace.note(who, || format!("timed out, stands still for {for_ms} ms"));
                    *lock(stands_until_ms) = self.clock.now_ms() + for_ms;
                    // It may serve again while its old invocation is still in it.
                    let serves = chance.happens(0.5);
                    self.with(number, |environment| environment.busy = !serves);
                }
                Ending::Failed("timed out")
            }
        }
    }

    /// The invocation itself, as the Lambda's code drives the product.
    fn serve(
        &self,
        place: &Taken,
        work: Work,
        limit_ms: i64,
        reply: Reply<Ending>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let Taken { store, ahead_ms, known, caller } = place.clone();
        let (clock, topic) = (self.clock.clone(), self.topic.clone());
        let (weather, trace) = (self.weather.clone(), self.trace.clone());
        let caller: Arc<str> = match &work {
            Work::Batch(ShardId(shard), _) => format!("{caller}/shard{shard}").into(),
            Work::Tick => format!("{caller}/tick").into(),
        };
        let sink = Publisher { topic, clock: clock.clone(), weather, trace: trace.clone(), caller };
        let (plan, rotation) = (Arc::clone(&self.plan), self.rotation);
        async move {
            let now = Time(clock.now_ms() + ahead_ms);
            let deadline = now.plus(Span(limit_ms - (limit_ms / 10).min(1_000)));
            let admission = Admission::until(now.plus(Span::minutes(120)));
            let phase = rotation.phase(known, now);
            let who = Arc::clone(&sink.caller);
            let ending = match work {
                Work::Batch(shard, records) => {
                    let records: Vec<Record> =
                        records.iter().map(|r| rotation.read(r, &phase)).collect();
                    let invocation = store.invocation(shard, deadline);
                    let mut engine = Engine::new(plan, invocation, sink, phase, admission);
                    let acknowledged = engine.deliver(&records, now).await;
                    trace.note(who, || match &acknowledged.first_unapplied {
                        None => format!("acknowledges all {}", records.len()),
                        Some(first) => {
                            format!("acknowledges up to {}: {:?}", tail(*first), acknowledged.fault)
                        }
                    });
                    acknowledged
                }
                Work::Tick => {
                    let invocation = store.invocation(ShardId::TICK, deadline);
                    let mut engine = Engine::new(plan, invocation, sink, phase, admission);
                    if let Err(error) = engine.tick(now).await {
                        trace.note(who, || format!("tick fails: {error}"));
                    }
                    Acknowledged::default()
                }
            };
            reply.give(Ending::Acknowledged(ending));
        }
    }

    /// Takes an idle environment, or starts one.
    fn take(&self, work: &Work) -> (u32, Taken) {
        let chance = &self.weather.chance;
        let mut environments = lock(&self.environments);
        let idle: Vec<usize> =
            (0..environments.len()).filter(|index| !environments[*index].busy).collect();
        let cold = idle.is_empty()
            || environments.len() < ENVIRONMENTS_MAX && chance.happens(0.08 / idle.len() as f64);
        let index = if cold {
            environments.push(self.start());
            environments.len() - 1
        } else {
            idle[chance.below(idle.len())]
        };
        let environment = &mut environments[index];
        environment.busy = true;
        environment.known = environment.known.later(self.clock.now_ms());
        let invocation = match work {
            Work::Batch(..) => self.invocations.fetch_add(1, Ordering::Relaxed),
            Work::Tick => NO_BATCH,
        };
        environment.invocation.store(invocation, Ordering::Relaxed);
        let number = environment.number;
        let taken = Taken {
            store: Arc::clone(&environment.store),
            ahead_ms: environment.clock_ahead_ms,
            known: environment.known,
            caller: format!("env{number}"),
        };
        (number, taken)
    }

    fn start(&self) -> Environment {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let clock_ahead_ms = self.clock_ahead_ms();
        let invocation = Arc::new(AtomicU32::new(0));
        let store = self.store(format!("env{number}"), clock_ahead_ms, &invocation, &self.weather);
        let store = Arc::new(store);
        self.trace.note(format!("env{number}"), || {
            format!("starts, its clock {clock_ahead_ms} ms ahead")
        });
        let known = Known::at(self.clock.now_ms(), &self.keys_chance);
        let (busy, tasks) = (false, Vec::new());
        Environment { number, store, clock_ahead_ms, known, invocation, busy, tasks }
    }

    /// A store as a fresh process has it.
    pub fn store(
        &self,
        caller: String,
        ahead_ms: i64,
        invocation: &Arc<AtomicU32>,
        weather: &Weather,
    ) -> SharedStore<ModelTable, EnvironmentPace> {
        let parts = (self.clock.clone(), weather.clone(), self.trace.clone());
        let table = ModelTable::new(Arc::clone(&self.items), parts, caller, Arc::clone(invocation));
        let chance = self.weather.chance.clone();
        let pace = EnvironmentPace { clock: self.clock.clone(), ahead_ms, chance };
        SharedStore::new(Arc::clone(&self.plan), table, pace, self.settings)
    }

    fn clock_ahead_ms(&self) -> i64 {
        let chance = &self.weather.chance;
        match self.weather.level {
            Level::Calm => chance.within(-50..51),
            Level::Light | Level::Heavy => chance.within(-2_000..2_001),
            Level::Wild if chance.happens(0.1) => chance.within(-3_600_000..3_600_001),
            Level::Wild => chance.within(-90_000..90_001),
        }
    }

    fn stop(&self, number: u32) {
        let tasks = {
            let mut environments = lock(&self.environments);
            let place = environments.iter().position(|known| known.number == number);
            place.map(|place| environments.remove(place).tasks).unwrap_or_default()
        };
        tasks.into_iter().for_each(|task| self.clock.cancel(task));
    }

    fn with(&self, number: u32, change: impl FnOnce(&mut Environment)) {
        let mut environments = lock(&self.environments);
        if let Some(known) = environments.iter_mut().find(|known| known.number == number) {
            change(known);
        }
    }
}

/// What an invocation needs of its environment.
#[derive(Clone, Debug)]
struct Taken {
    store: Arc<SharedStore<ModelTable, EnvironmentPace>>,
    ahead_ms: i64,
    known: Known,
    caller: String,
}

impl<F: Future<Output = ()>> Future for Befallen<F> {
    /// Whether it came to its end; `false` if it died.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let now_ms = self.clock.now_ms();
        self.polls += 1;
        if self.trouble.stands_at_poll == Some(self.polls) {
            let until_ms = now_ms + self.trouble.stands_for_ms;
            let mut stands = lock(&self.stands_until_ms);
            *stands = until_ms.max(*stands);
        }
        let stands_until_ms = *lock(&self.stands_until_ms);
        if now_ms < stands_until_ms {
            self.clock.wake_at(stands_until_ms, context.waker().clone());
            self.stood = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut self.stood) {
            lock(&self.fleet.misfortunes).resumed += 1;
            self.fleet.trace.note(format!("env{}", self.number), || "goes on again".to_owned());
        }
        if self.trouble.dies_at_poll.is_some_and(|poll| self.polls >= poll) {
            return Poll::Ready(false);
        }
        self.inner.as_mut().poll(context).map(|()| true)
    }
}

impl Pace for EnvironmentPace {
    fn now(&self) -> Time {
        Time(self.clock.now_ms() + self.ahead_ms)
    }

    fn wait(&self, span: Span) -> impl Future<Output = ()> + Send {
        self.clock.sleep(span.0)
    }

    fn chance(&self) -> f64 {
        self.chance.unit()
    }
}
