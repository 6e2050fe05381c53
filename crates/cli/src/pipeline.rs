//! Running inputs through the core: one thread reads and parses, this one counts, judges and prints.
//!
//! The order of signals is that of one input, or of time where there are several, so the two threads
//! change nothing but the waiting.

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidewatch_alert::printable;
use tidewatch_core::admission::{Gate, Rejected};
use tidewatch_core::allow::{Allowed, Held};
use tidewatch_core::counts::Counts;
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::key::KeyField;
use tidewatch_core::limits::FUTURE_MAX;
use tidewatch_core::memory::{MemoryStore, Usage};
use tidewatch_core::signal::Signal;
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::spend::watch::Watch;
use tidewatch_core::store::WindowStore;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::Tally;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::commands::started;
use crate::comparison::Comparison;
use crate::hearing::Hearing;
use crate::input::{Input, Merged, Step, Stepped};
use crate::keeper::Keeper;
use crate::metering::Metering;
use crate::output::say;
use crate::standing::Standing;
use crate::summary::{explanation, place};
use crate::windows::{OutOfMemory, Windows};

/// Steps that may wait between the threads.
const STEPS_WAITING: usize = 2;

/// Signals of several inputs that travel together.
const SIGNALS_TOGETHER: usize = 4_096;

/// How often a live run looks at the clock: for episodes that have been quiet, and for how far in
/// the future an event may lie.
const TICK: Duration = Duration::from_millis(500);

/// A message from the reading thread.
#[derive(Default)]
pub struct Parcel {
    pub signals: Vec<Signal>,
    pub tally: Tally,
    pub faults: Vec<String>,
    /// What to write down once it has been dealt with.
    pub mark: Option<String>,
}

/// The reading thread and what it sends.
pub struct Reader {
    parcels: mpsc::Receiver<Parcel>,
    thread: JoinHandle<()>,
    /// Where marks go.
    keeper: Option<Keeper>,
}

/// Reads whatever `reads` sends, on a thread of its own; marks go to `keeper`.
pub fn read_by(
    reads: impl FnOnce(mpsc::Sender<Parcel>) + Send + 'static,
    keeper: Option<Keeper>,
) -> Reader {
    let (sender, parcels) = mpsc::channel(STEPS_WAITING);
    Reader { parcels, thread: std::thread::spawn(move || reads(sender)), keeper }
}

/// Reads `inputs` on a thread of their own.
pub fn read(inputs: Vec<Input>, mut hearing: Hearing) -> Reader {
    let reads = move |sender| match <[Input; 1]>::try_from(inputs) {
        Ok([input]) => read_one(input, &mut hearing, &sender),
        Err(inputs) => read_together(inputs, &mut hearing, &sender),
    };
    read_by(reads, None)
}

fn read_one(mut input: Input, hearing: &mut Hearing, sender: &mpsc::Sender<Parcel>) {
    while let Some(step) = input.next(hearing) {
        let mut parcel = Parcel::default();
        parcel.take(input.name(), step);
        // The receiver is gone when the run was interrupted.
        if sender.blocking_send(parcel).is_err() {
            return;
        }
    }
}

/// Sends what `inputs` hold in order of time.
pub fn read_together<I: Stepped>(
    inputs: Vec<I>,
    hearing: &mut Hearing,
    sender: &mpsc::Sender<Parcel>,
) {
    let mut parcel = Parcel::default();
    let mut merged = Merged::new(inputs, hearing, &mut |name, step| parcel.take(name, step));
    while let Some(signal) = merged.next(hearing, &mut |name, step| parcel.take(name, step)) {
        parcel.signals.push(signal);
        if parcel.signals.len() >= SIGNALS_TOGETHER
            && sender.blocking_send(std::mem::take(&mut parcel)).is_err()
        {
            return;
        }
    }
    let _ = sender.blocking_send(parcel);
}

impl Parcel {
    fn take(&mut self, name: &str, step: Step) {
        self.signals.extend(step.signals);
        self.tally.merge(step.tally);
        self.faults.extend(step.fault.map(|error| format!("{name}: {error}")));
    }
}

/// What signals are run through.
pub enum Work<A> {
    /// Detectors.
    Detect(Box<Engine<MemoryStore, A>>),
    /// Tumbling counts.
    Count(Box<Counting>),
    /// Detectors, and how near each key came.
    Explain(Box<Standing>),
    /// Two sets of detectors beside each other.
    Compare(Box<Comparison>),
    /// What functions cost.
    Meter(Box<Metering>),
}

/// Tumbling counts, with what the engine would count besides.
pub struct Counting {
    pub windows: Windows,
    pub gate: Gate,
    pub counts: Counts,
}

/// Why a run ended before its inputs did.
#[derive(Debug)]
pub enum Stopped {
    /// Ctrl-C, or nobody reads the output any more: a good end.
    Gracefully,
    /// The counts did not fit the memory.
    OutOfMemory(OutOfMemory),
    /// The core failed.
    Failed(Fault),
    /// The reading thread panicked: a fault of this program.
    Panicked,
}

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    pub tally: Tally,
    pub faults: Vec<String>,
    pub stopped: Option<Stopped>,
}

/// Takes parcels until the inputs end or the run is stopped. A live run's clock goes on by itself
/// from the newest event, so that episodes close although no line comes.
pub async fn run<A: AlertSink>(
    mut reader: Reader,
    work: &mut Work<A>,
    live: Option<Live>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let interrupt = interrupted();
    tokio::pin!(interrupt);
    let mut ticks = tokio::time::interval(TICK);
    let mut arrived = (Time::MIN, Instant::now());
    let mut health = Health::default();
    let mut keeper = reader.keeper.take();
    loop {
        let step = tokio::select! {
            biased;
            () = &mut interrupt => Err(Stopped::Gracefully),
            parcel = reader.parcels.recv() => match parcel {
                // The thread has let go of its end: it is done, or it has panicked and said so.
                None => {
                    let joined = reader.thread.join();
                    outcome.stopped = joined.err().map(|_| Stopped::Panicked);
                    if outcome.stopped.is_none() {
                        outcome.stopped = work.ended().await.err();
                    }
                    break;
                }
                Some(parcel) => {
                    outcome.tally.merge(parcel.tally);
                    outcome.faults.extend(parcel.faults);
                    let step = work.take_all(&parcel.signals).await;
                    if let (Ok(()), Some(keeper), Some(mark)) = (&step, &mut keeper, parcel.mark) {
                        outcome.faults.extend(keeper.keep(mark));
                    }
                    arrived = (work.now(), Instant::now());
                    step
                }
            },
            _ = ticks.tick(), if live.is_some() => {
                if let Some(Live { not_after: None }) = live {
                    work.believe_until(started().plus(FUTURE_MAX));
                }
                let (newest, at) = arrived;
                let passed = Span(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX));
                work.tick(newest.plus(passed)).await
            }
        };
        outcome.faults.extend(keeper.as_mut().and_then(Keeper::catch_up));
        if live.is_some() {
            health.tell(&outcome.tally, work);
        }
        if let Err(stopped) = step {
            outcome.stopped = Some(stopped);
            break;
        }
    }
    outcome.faults.extend(keeper.and_then(Keeper::finish));
    outcome
}

/// Resolves when the user presses Ctrl-C, or the system asks the program to end.
pub async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => if pressed.is_err() {
            std::future::pending::<()>().await;
        },
        _ = terminate.recv() => {}
    }
}

/// What is particular to a live run.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The user's own limit on event times; without one it goes with the clock.
    pub not_after: Option<Time>,
}

/// What a live run has already said about its input: each trouble once, when it first occurs, since
/// the summary may be days away.
#[derive(Debug, Default)]
struct Health {
    told: BTreeSet<&'static str>,
}

impl Health {
    fn tell<A: AlertSink>(&mut self, tally: &Tally, work: &Work<A>) {
        let rejected = Rejected::ALL.into_iter().filter_map(|reason| {
            let first = work.gate().turned_away(reason).first.as_ref()?;
            Some((reason.name(), place(first)))
        });
        let problems = tally.problems.iter();
        let problems = problems.map(|(problem, found)| (problem.name(), found.first.clone()));
        for (name, first) in problems.chain(rejected) {
            if self.told.insert(name) {
                let (why, first) = (explanation(name), printable(&first));
                say(format_args!("tidewatch: not counted: {name} ({why}), first at {first}"));
            }
        }
    }
}

impl<A: AlertSink> Work<A> {
    async fn take_all(&mut self, signals: &[Signal]) -> Result<(), Stopped> {
        for signal in signals {
            match self {
                Work::Detect(engine) => engine.observe(signal).await?,
                Work::Count(counting) => counting.take(signal)?,
                Work::Explain(standing) => standing.observe(signal).await?,
                Work::Compare(comparison) => comparison.observe(signal).await?,
                Work::Meter(metering) => metering.take(signal),
            }
        }
        Ok(())
    }

    /// The inputs have ended.
    async fn ended(&mut self) -> Result<(), Stopped> {
        match self {
            Work::Detect(engine) => Ok(engine.ended().await?),
            Work::Compare(comparison) => Ok(comparison.ended().await?),
            Work::Count(_) | Work::Explain(_) | Work::Meter(_) => Ok(()),
        }
    }

    async fn tick(&mut self, now: Time) -> Result<(), Stopped> {
        match self {
            Work::Detect(engine) => Ok(engine.tick(now).await?),
            Work::Count(_) | Work::Explain(_) | Work::Compare(_) | Work::Meter(_) => Ok(()),
        }
    }

    fn believe_until(&mut self, latest: Time) {
        match self {
            Work::Detect(engine) => engine.believe_until(latest),
            Work::Count(counting) => counting.gate.extend_to(latest),
            // They are never live.
            Work::Explain(_) | Work::Compare(_) | Work::Meter(_) => {}
        }
    }

    /// The signals that were not believed.
    pub fn gate(&self) -> &Gate {
        match self {
            Work::Detect(engine) => engine.gate(),
            Work::Count(counting) => &counting.gate,
            Work::Explain(standing) => standing.engine.gate(),
            Work::Compare(comparison) => comparison.ours.gate(),
            Work::Meter(metering) => &metering.gate,
        }
    }

    /// What was counted, how full the state is, and how many episodes are open.
    pub fn counts(&self) -> (Counts, Usage, u64) {
        fn of<A: AlertSink>(engine: &Engine<MemoryStore, A>) -> (Counts, Usage, u64) {
            let of_functions = engine.watch().map_or(0, Watch::open);
            let open = engine.store().open_episodes() + of_functions as u64;
            let mut counts = engine.counts();
            counts.suppressed += engine.watch().map_or(0, Watch::suppressed);
            (counts, engine.store().usage(), open)
        }
        match self {
            Work::Detect(engine) => of(engine),
            Work::Explain(standing) => of(&standing.engine),
            Work::Compare(comparison) => of(&comparison.ours),
            Work::Count(counting) => {
                let keys = counting.windows.keys();
                (counting.counts, Usage { keys, keys_seen: keys, ..Usage::default() }, 0)
            }
            Work::Meter(metering) => {
                let keys = metering.watch.ledger().functions().count() as u64;
                let used_bytes = metering.watch.ledger().bytes();
                (
                    metering.counts,
                    Usage { keys, keys_seen: keys, used_bytes, ..Usage::default() },
                    0,
                )
            }
        }
    }

    /// The detectors that count by autonomous system.
    pub fn by_system(&self) -> Vec<String> {
        let plan = match self {
            Work::Detect(engine) => engine.plan(),
            Work::Explain(standing) => standing.engine.plan(),
            Work::Compare(comparison) => comparison.ours.plan(),
            Work::Count(_) | Work::Meter(_) => return Vec::new(),
        };
        plan.detectors_by(KeyField::SourceAsn).map(str::to_owned).collect()
    }

    /// The entries of the allowlist, and what each held back.
    pub fn held_back(&self) -> Vec<(Allowed, Held)> {
        fn of<S: WindowStore, A: AlertSink>(engine: &Engine<S, A>) -> Vec<(Allowed, Held)> {
            let of_functions = |nth| engine.watch().map_or(0, |watch| watch.held_back(nth));
            let all = engine.held_back().enumerate().map(|(nth, (entry, held))| {
                let findings = held.findings + of_functions(nth);
                (entry.clone(), Held { findings, ..held })
            });
            all.collect()
        }
        match self {
            Work::Detect(engine) => of(engine),
            Work::Explain(standing) => of(&standing.engine),
            Work::Compare(comparison) => of(&comparison.ours),
            Work::Count(_) | Work::Meter(_) => Vec::new(),
        }
    }

    fn now(&self) -> Time {
        match self {
            Work::Detect(engine) => engine.now(),
            Work::Count(_) | Work::Explain(_) | Work::Compare(_) | Work::Meter(_) => Time::MIN,
        }
    }
}

impl Counting {
    fn take(&mut self, signal: &Signal) -> Result<(), Stopped> {
        if self.gate.lets_in(signal) {
            self.counts.note(signal);
            self.windows.add(signal).map_err(Stopped::OutOfMemory)?;
        }
        Ok(())
    }
}

impl From<Fault> for Stopped {
    fn from(error: Fault) -> Stopped {
        match error {
            Fault::Sink(SinkError::Closed) => Stopped::Gracefully,
            error => Stopped::Failed(error),
        }
    }
}
