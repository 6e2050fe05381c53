//! Where the time goes between a record and a finding: the same records through one stage more at a
//! time, in one thread, as MB/s of text and as a multiple of inflating alone.
//!
//! The envelope stage is measured on the same records in disguise, so that no format is asked
//! anything; what formats cost is then the difference.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tidewatch_benches::clock::{median, timed};
use tidewatch_benches::lambda_logs::{self, Service};
use tidewatch_benches::options::Options;
use tidewatch_benches::peers::Peers;
use tidewatch_benches::records::{self, Inflater};
use tidewatch_benches::{subject, table};
use tidewatch_core::admission::Admission;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{LogStream, Signal};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, InputKind};

/// Records of a profile, 100 log events each.
const RECORDS: usize = 1_000;

/// Records in one Lambda event.
const RECORDS_PER_EVENT: usize = 100;

/// Memory for state; none of the profiles comes near.
const MEMORY_BYTES: usize = 1 << 30;

/// The stages, each with all before it but for the event, which the engines do without.
const STAGES: [&str; 7] = [
    "inflate",
    "+ envelope, needles",
    "+ formats",
    "+ formats, REPORT lines heard",
    "+ formats, from event JSON",
    "+ formats, engine: distinct20",
    "+ formats, engine: shipped",
];

struct Profile {
    name: &'static str,
    records: Vec<Vec<u8>>,
    disguised: Vec<Vec<u8>>,
    events: Vec<Vec<u8>>,
}

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let mut profiles = Vec::new();
    if let Some(peers) = Peers::named()? {
        let corpus = peers.mixed(options.lines, options.seed)?;
        let mut records = records::read(&corpus.packed)?;
        records.truncate(RECORDS);
        profiles.push(profile("a: all logins", records)?);
    }
    let lambda = lambda_logs::records(Service::Lambda, RECORDS, options.seed)?;
    profiles.push(profile("b: a Lambda's log, 3 % logins", lambda)?);
    let api = lambda_logs::records(Service::Api, RECORDS, options.seed)?;
    profiles.push(profile("c: access log, 20 % logins", api)?);
    let corpus = "1,000 records of 100 log events; a: mixed (TIDEWATCH_PEERS), b and c: generated";
    table::heading("stages", corpus, &[subject::version()]);
    let shipped = subject::root().join("infra/detectors");
    let [yardstick, shipped] = [subject::yardstick(), shipped].map(|folder| subject::plan(&folder));
    let plans = [Arc::new(yardstick?), Arc::new(shipped?)];
    for profile in &profiles {
        measure(profile, &plans, options.runs)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn profile(name: &'static str, records: Vec<Vec<u8>>) -> Result<Profile> {
    let disguised = lambda_logs::disguised(&records)?;
    let events = records.chunks(RECORDS_PER_EVENT).map(lambda_logs::event_line).collect();
    Ok(Profile { name, records, disguised, events })
}

fn measure(profile: &Profile, plans: &[Arc<Plan>; 2], rounds: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut seconds: [Vec<f64>; 7] = Default::default();
    let (mut text_bytes, mut signals, mut findings) = (0, [0; 3], [0; 2]);
    for _ in 0..rounds {
        let (took, inflated) = timed(|| inflate(&profile.records));
        text_bytes = inflated?;
        seconds[0].push(took);
        let (took, count) = timed(|| read(&ingest(), &profile.disguised, |_| {}));
        signals[0] = count;
        seconds[1].push(took);
        let (took, count) = timed(|| read(&ingest(), &profile.records, |_| {}));
        signals[1] = count;
        seconds[2].push(took);
        let mut hearing = ingest();
        hearing.hear_invocations();
        let (took, count) = timed(|| read(&hearing, &profile.records, |_| {}));
        signals[2] = count;
        seconds[3].push(took);
        seconds[4].push(timed(|| read_events(&profile.events)).0);
        for (at, plan) in plans.iter().enumerate() {
            let (took, raised) = timed(|| detect(&profile.records, plan, &runtime));
            findings[at] = raised;
            seconds[5 + at].push(took);
        }
    }
    ensure!(signals[0] == 0, "the disguise of profile {} is seen through", profile.name);
    println!(
        "Profile {}: {:.1} MB of text, {} signals, {} with REPORT lines; findings: distinct20 {}, \
         shipped {}\n",
        profile.name,
        text_bytes as f64 / 1e6,
        signals[1],
        signals[2],
        findings[0],
        findings[1]
    );
    let limit_s = median(seconds[0].clone());
    let rows: Vec<Vec<String>> = STAGES
        .iter()
        .zip(seconds)
        .map(|(stage, seconds)| {
            let cpu_s = median(seconds);
            let ratio = format!("{:.2}", cpu_s / limit_s);
            vec![(*stage).to_owned(), format!("{:.0}", text_bytes as f64 / cpu_s / 1e6), ratio]
        })
        .collect();
    table::print(&["stage", "MB/s", "× inflate"], &rows);
    Ok(())
}

fn inflate(records: &[Vec<u8>]) -> Result<usize> {
    let mut inflater = Inflater::default();
    records.iter().map(|record| Ok(inflater.inflate(record)?.len())).sum()
}

fn key() -> TagKey {
    TagKey::new([7; 16])
}

fn ingest() -> Ingest {
    Ingest::new(Config {
        naming: Naming { key: key(), usernames: Usernames::Fold },
        own_group: None,
        formats: Default::default(),
    })
}

/// Reads the records and hands each batch on; returns how many signals there were.
fn read(ingest: &Ingest, records: &[Vec<u8>], mut each: impl FnMut(Batch)) -> usize {
    let mut buffers = Buffers::default();
    let mut signals = 0;
    for event in records.chunks(RECORDS_PER_EVENT) {
        let mut batch = Batch::default();
        event.iter().for_each(|record| ingest.record(record, "", &mut buffers, &mut batch));
        signals += batch.signals.len();
        each(batch);
    }
    signals
}

fn read_events(events: &[Vec<u8>]) -> usize {
    let (ingest, mut buffers) = (ingest(), Buffers::default());
    let name = Arc::new(LogStream::default());
    let mut signals = 0;
    for line in events {
        let mut batch = Batch::default();
        ingest.lines(InputKind::KinesisEvents, line, 0, &name, &mut buffers, &mut batch);
        signals += batch.signals.len();
    }
    signals
}

fn detect(records: &[Vec<u8>], plan: &Arc<Plan>, runtime: &tokio::runtime::Runtime) -> u64 {
    let store = MemoryStore::new(Arc::clone(plan), MEMORY_BYTES, 7);
    let admission = Admission::until(Time(i64::MAX / 4));
    let sink: Vec<Finding> = Vec::new();
    let mut engine = Engine::new(Arc::clone(plan), store, sink, key(), admission);
    read(&ingest(), records, |batch| {
        let dated = batch.signals.into_iter().filter_map(|undated| match undated.when {
            When::At(time) => Some(undated.at(time)),
            When::Civil(_) => None,
        });
        let signals: Vec<Signal> = dated.collect();
        runtime.block_on(async {
            for signal in &signals {
                engine.observe(signal).await.expect("nothing can fail in memory");
            }
        });
    });
    engine.counts().created
}
