//! What memory the function holds, however many sources there are: the real `bootstrap` over services
//! that answer at once, first over a million sources in ordinary batches, then over the fullest event
//! that Lambda sends, in which every line has a source of its own.
//!
//! Exits 1 where the peak is more than [`MEMORY_MB`] less what Lambda's own runtime takes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tidewatch_benches::instant_aws;
use tidewatch_tests::binary::build;
use tidewatch_tests::containers::{envelope, gzip, shard_record};
use tidewatch_tests::environment::{Answer, Environment};
use tidewatch_tests::events::{Event, Said};

/// The smallest memory that README.md names, in MB.
const MEMORY_MB: f64 = 256.0;

/// What is left to the environment around the process, in MB.
const AROUND_MB: f64 = 30.0;

/// Sources of ordinary batches.
const SOURCES: usize = 1_000_000;

/// Log events in a record, records in an ordinary batch.
const EVENTS_PER_RECORD: usize = 100;
const RECORDS_PER_BATCH: usize = 100;

/// What Lambda sends at most, in bytes of JSON.
const EVENT_BYTES_MAX: usize = 6 << 20;

/// The function's timeout in infra/template.yaml.
const TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let executable = build("tidewatch-lambda", "bootstrap", &["--release"]);
    let variables = [
        ("AWS_ENDPOINT_URL", instant_aws::serve()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("TIDEWATCH_TABLE", "t".to_owned()),
        ("TIDEWATCH_ALERT_TOPIC", "arn:aws:sns:us-east-1:123456789012:alerts".to_owned()),
        ("TIDEWATCH_SECRET", "s".to_owned()),
        ("TIDEWATCH_BUCKET", "bucket".to_owned()),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut environment = Environment::start(&executable, &variables);
    println!("peak memory of the function's process, MB");
    say(&environment, "started");
    let per_batch = EVENTS_PER_RECORD * RECORDS_PER_BATCH;
    let mut said = 1;
    for batch in 0..SOURCES / per_batch {
        let first = batch * per_batch;
        let records = (0..RECORDS_PER_BATCH).map(|nth| record(first + nth * EVENTS_PER_RECORD));
        deliver(&mut environment, records.collect());
        let sources = first + per_batch;
        if sources == said * per_batch {
            say(&environment, &format!("{sources} sources"));
            said *= 10;
        }
    }
    let (mut full, mut bytes) = (Vec::new(), 0);
    while bytes < EVENT_BYTES_MAX {
        let record = record(SOURCES + full.len() * EVENTS_PER_RECORD);
        // Base64, and a third of a kilobyte of JSON around it.
        bytes += record.1.len().div_ceil(3) * 4 + 400;
        full.push(record);
    }
    full.pop();
    let sources = full.len() * EVENTS_PER_RECORD;
    deliver(&mut environment, full);
    let peak = say(&environment, &format!("and {sources} in one event of 6 MB"));
    println!(
        "  {MEMORY_MB} MB are {}",
        if peak <= MEMORY_MB - AROUND_MB { "enough" } else { "too little" }
    );
    if peak <= MEMORY_MB - AROUND_MB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A record's number, and its data: failures of as many sources as it has events, from the `first`.
fn record(first: usize) -> (usize, Vec<u8>) {
    let now = now_ms();
    let event = |nth: usize| Event {
        ms: now - 1_000,
        source: std::net::Ipv4Addr::from(0x0b00_0000 + (first + nth) as u32).to_string(),
        user: "a".to_owned(),
        said: Said::UnknownUser,
    };
    let events: Vec<Event> = (0..EVENTS_PER_RECORD).map(event).collect();
    (first, gzip(envelope(first, &events, Event::json).as_bytes()))
}

/// Delivers records until they are dealt with, as Lambda does.
fn deliver(environment: &mut Environment, mut records: Vec<(usize, Vec<u8>)>) {
    while !records.is_empty() {
        let all: Vec<_> = records
            .iter()
            .map(|(nth, data)| shard_record(0, &sequence(*nth), now_ms(), data))
            .collect();
        let event = json!({ "Records": all });
        let Answer::Done(answer) = environment.invoke(&event, TIMEOUT) else {
            panic!("the function failed: {:?}", environment.lines().last())
        };
        let again = answer["batchItemFailures"][0]["itemIdentifier"].as_str().map(str::to_owned);
        let Some(again) = again else { return };
        let left = records.len();
        records.retain(|(nth, _)| sequence(*nth) >= again);
        assert!(records.len() < left, "no way on: {:?}", environment.lines().last());
    }
}

fn sequence(nth: usize) -> String {
    format!("4954663{nth:049}")
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// Prints the peak of the resident memory so far, in MB; and what it is.
fn say(environment: &Environment, when: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", environment.pid()));
    let status = status.expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = peak
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse().ok())
        .expect("Linux tells it");
    let mb = kib / 1024.0;
    println!("  {mb:6.1}  {when}");
    mb
}
