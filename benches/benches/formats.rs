//! What many formats cost: CPU of reading the same records with one declared format beside the two that
//! are built in, and with all that are shipped.
//!
//! Exits 1 where all cost more than [`RATIO_MAX`] times the few.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tidewatch_benches::clock::{median, timed};
use tidewatch_benches::lambda_logs::{self, Service};
use tidewatch_benches::options::Options;
use tidewatch_benches::records::Inflater;
use tidewatch_benches::{subject, table};
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Batch, Buffers, Config, Ingest};

/// Records of a profile, 100 log events each.
const RECORDS: usize = 1_000;

/// What all formats may cost, as a multiple of the few.
const RATIO_MAX: f64 = 1.3;

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let all = tidewatch_rules::shipped_formats();
    let few = all.iter().filter(|(name, _)| name == "gitea.toml").cloned().collect::<Vec<_>>();
    let load = |files| {
        let formats = tidewatch_rules::formats(files);
        formats.map(Arc::new).map_err(|faults| anyhow::anyhow!("{}", faults[0]))
    };
    let (took, many) = timed(|| load(all.clone()));
    let (few, many) = (load(few)?, many?);
    let corpus = format!("1,000 records of 100 log events; {} shipped formats", many.all().len());
    table::heading("formats", &corpus, &[subject::version()]);
    let mut rows = Vec::new();
    let mut worst = 0.0f64;
    let profiles = [
        ("b: a Lambda's log, 3 % logins", Service::Lambda),
        ("c: access log, 20 % logins", Service::Api),
    ];
    for (name, service) in profiles {
        let records = lambda_logs::records(service, RECORDS, options.seed)?;
        let mut inflater = Inflater::default();
        let lengths = records.iter().map(|record| Ok(inflater.inflate(record)?.len()));
        let mb = lengths.sum::<Result<usize>>()? as f64 / 1e6;
        let mut seconds: [Vec<f64>; 2] = Default::default();
        let mut signals = [0; 2];
        for _ in 0..options.runs {
            for (at, formats) in [&few, &many].into_iter().enumerate() {
                let (took, read) = timed(|| read(&records, formats));
                seconds[at].push(took);
                signals[at] = read;
            }
        }
        let [few_s, many_s] = seconds.map(median);
        worst = worst.max(many_s / few_s);
        rows.push(vec![
            name.to_owned(),
            format!("{:.2}", few_s * 1e3 / mb),
            format!("{:.2}", many_s * 1e3 / mb),
            format!("{:.2}", many_s / few_s),
            format!("{} and {}", signals[0], signals[1]),
        ]);
    }
    table::print(&["CPU ms per MB of text", "3 formats", "all", "ratio", "signals"], &rows);
    println!("\nloading all: {:.1} ms", took * 1e3);
    Ok(if worst <= RATIO_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(records: &[Vec<u8>], formats: &Arc<Formats>) -> usize {
    let naming = Naming { key: TagKey::new([7; 16]), usernames: Usernames::Fold };
    let config = Config { naming, own_group: None, formats: Arc::clone(formats) };
    let mut ingest = Ingest::new(config);
    ingest.hear_invocations();
    let mut buffers = Buffers::default();
    let read = records.iter().map(|record| {
        let mut batch = Batch::default();
        ingest.record(record, "", &mut buffers, &mut batch);
        batch.signals.len()
    });
    read.sum()
}
