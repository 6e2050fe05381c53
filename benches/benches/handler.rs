//! What the deployed function costs for each megabyte of logs, beside the embedded pipeline over the same
//! Lambda events: CPU of one thread, in turn. The function reads the event's JSON into records, inflates
//! and parses them, gathers what they say by key and judges; what its table costs stands apart, with an
//! in-memory table that answers at once.
//!
//! Exits 1 where the function without its table takes more than [`RATIO_MAX`] times the embedded pipeline.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tidewatch_benches::clock::{median, timed};
use tidewatch_benches::dynamo::{Clock, PricedTable};
use tidewatch_benches::lambda_logs::{self, Service};
use tidewatch_benches::options::Options;
use tidewatch_benches::peers::Peers;
use tidewatch_benches::records::{self, Inflater};
use tidewatch_benches::{subject, table};
use tidewatch_core::admission::Admission;
use tidewatch_core::contribution::Contribution;
use tidewatch_core::engine::Engine;
use tidewatch_core::episode::Episode;
use tidewatch_core::finding::Finding;
use tidewatch_core::key_ring::{Generation, KeyRing};
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::{DetectorId, Plan};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::signal::LogStream;
use tidewatch_core::slack::Slack;
use tidewatch_core::store::{Claimant, DueNow, Latched, Merged, Place, StoreError, WindowStore};
use tidewatch_core::table_store::store::{Settings, SharedStore};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Window;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, InputKind};
use tidewatch_lambda::event::Event;
use tidewatch_lambda::reading::Reader;

/// Records of a profile, 100 log events each.
const RECORDS: usize = 1_000;

/// Records in one Lambda event.
const RECORDS_PER_EVENT: usize = 100;

/// What the function may take of the embedded pipeline's CPU.
const RATIO_MAX: f64 = 1.3;

/// A table of no cost at all: nothing is kept, and nothing said of it.
struct NoStore;

impl WindowStore for NoStore {
    fn reading(self, _: Generation) -> NoStore {
        self
    }

    async fn merge<J>(&self, _: &[Contribution], _: Time, _: J) -> Result<Merged, StoreError>
    where
        J: FnMut(usize, &Window<'_>) -> Slack + Send,
    {
        Ok(Merged::default())
    }

    async fn read<V>(&self, _: &[Place], _: V) -> Result<(), StoreError>
    where
        V: FnMut(&Window<'_>) + Send,
    {
        Ok(())
    }

    async fn due<J>(&self, _: Time, _: J) -> Result<DueNow, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        Ok(DueNow::default())
    }

    async fn dealt_with(&self, _: Place) -> Result<(), StoreError> {
        Ok(())
    }

    async fn latch(
        &self,
        _: Place,
        _: DetectorId,
        _: &[Episode],
        _: Episode,
        _: Option<u64>,
    ) -> Result<Latched, StoreError> {
        Err(StoreError::Fatal("nothing is judged here".to_owned()))
    }

    fn claimant(&self) -> Claimant {
        let safeguards = Safeguards::default();
        Claimant { who: ShardId(0), lease: Span::minutes(60), safeguards }
    }

    fn has_time(&self) -> bool {
        true
    }
}

struct Profile {
    name: &'static str,
    events: Vec<Vec<u8>>,
    text_bytes: usize,
}

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let mut profiles = Vec::new();
    if let Some(peers) = Peers::named()? {
        let mut records = records::read(&peers.mixed(options.lines, options.seed)?.packed)?;
        records.truncate(RECORDS);
        profiles.push(profile("a: all logins", &records)?);
    }
    let lambda = lambda_logs::records(Service::Lambda, RECORDS, options.seed)?;
    profiles.push(profile("b: a Lambda's log, 3 % logins", &lambda)?);
    let api = lambda_logs::records(Service::Api, RECORDS, options.seed)?;
    profiles.push(profile("c: access log, 20 % logins", &api)?);
    let corpus = "1,000 records of 100 log events in 10 Lambda events; a: mixed (TIDEWATCH_PEERS), b and c: generated";
    table::heading("handler", corpus, &[subject::version()]);
    let detectors = tidewatch_rules::load(tidewatch_rules::shipped());
    let detectors = detectors.map_err(|faults| anyhow::anyhow!("{}", faults[0]))?;
    let memory = Arc::new(Plan::new(detectors.clone())?);
    let shared = Arc::new(Plan::shared(detectors)?);
    let mut rows = Vec::new();
    let mut worst = 0.0f64;
    for profile in &profiles {
        let mut seconds: [Vec<f64>; 3] = Default::default();
        for _ in 0..options.runs {
            seconds[0].push(timed(|| embedded(profile, &memory)).0);
            seconds[1].push(timed(|| function(profile, &shared, |_| NoStore)).0);
            let (priced, clock) = (PricedTable::default(), Clock::default());
            clock.set(Time(1_794_290_400_500));
            let settings = Settings::default();
            let store = SharedStore::new(Arc::clone(&shared), &priced, &clock, settings);
            let invocation =
                |_| store.invocation(ShardId(0), Time(1_794_290_400_500).plus(Span::minutes(1)));
            seconds[2].push(timed(|| function(profile, &shared, invocation)).0);
        }
        let [embedded_s, alone_s, with_table_s] = seconds.map(median);
        worst = worst.max(alone_s / embedded_s);
        let ms_per_mb = |s: f64| format!("{:.2}", s * 1e3 / (profile.text_bytes as f64 / 1e6));
        rows.push(vec![
            profile.name.to_owned(),
            ms_per_mb(embedded_s),
            ms_per_mb(alone_s),
            format!("{:.2}", alone_s / embedded_s),
            ms_per_mb(with_table_s - alone_s),
        ]);
    }
    let head = ["CPU ms per MB of text", "embedded", "function", "ratio", "its table besides"];
    table::print(&head, &rows);
    Ok(if worst <= RATIO_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn profile(name: &'static str, records: &[Vec<u8>]) -> Result<Profile> {
    let mut inflater = Inflater::default();
    let lengths = records.iter().map(|record| Ok(inflater.inflate(record)?.len()));
    let text_bytes = lengths.sum::<Result<usize>>()?;
    let events = records.chunks(RECORDS_PER_EVENT).map(lambda_logs::event_line).collect();
    Ok(Profile { name, events, text_bytes })
}

fn key() -> TagKey {
    TagKey::new([7; 16])
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn admission() -> Admission {
    Admission::until(Time(i64::MAX / 4))
}

/// `tidewatch replay --input kinesis-events`, without files and threads.
fn embedded(profile: &Profile, plan: &Arc<Plan>) -> u64 {
    let naming = Naming { key: key(), usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Default::default() });
    let mut buffers = Buffers::default();
    let stream = Arc::new(LogStream::default());
    let store = MemoryStore::new(Arc::clone(plan), 1 << 30, 7);
    let sink: Vec<Finding> = Vec::new();
    let mut engine = Engine::new(Arc::clone(plan), store, sink, key(), admission());
    let runtime = runtime();
    for line in &profile.events {
        let mut batch = Batch::default();
        ingest.lines(InputKind::KinesisEvents, line, 0, &stream, &mut buffers, &mut batch);
        runtime.block_on(async {
            for signal in batch.signals {
                if let When::At(time) = signal.when {
                    let observed = engine.observe(&signal.at(time)).await;
                    observed.expect("nothing can fail in memory");
                }
            }
        });
    }
    engine.counts().attempts
}

/// The function's way with an invocation, over any store.
fn function<S: WindowStore>(
    profile: &Profile,
    plan: &Arc<Plan>,
    store: impl Fn(usize) -> S,
) -> u64 {
    let phase = KeyRing::single(key()).phase(Time(0));
    let mut reader = Reader::new(&phase, None, &Default::default(), true);
    let runtime = runtime();
    let mut signals = 0;
    for (nth, line) in profile.events.iter().enumerate() {
        let event: Event = serde_json::from_slice(line).expect("an event");
        let Event::Batch(records) = event else { panic!("no batch") };
        let mut read = reader.read(&records);
        for record in &mut read.records {
            // The corpora have dates of their own.
            let newest = record.signals.iter().map(|signal| signal.time).max();
            record.arrival = newest.unwrap_or(record.arrival);
            signals += record.signals.len() as u64;
        }
        let sink: Vec<Finding> = Vec::new();
        let mut engine = Engine::new(Arc::clone(plan), store(nth), sink, phase, admission());
        let acknowledged = runtime.block_on(engine.deliver(&read.records, Time(0)));
        assert_eq!(acknowledged.fault, None, "nothing can fail here");
    }
    signals
}
