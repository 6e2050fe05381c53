//! `tidewatch demo`: a simulated shop under attack, as bytes, through the whole pipeline; then what
//! was planted beside what was found.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use jiff::{Timestamp, ToSpan};
use tidewatch_core::admission::Admission;
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::KeyField;
use tidewatch_core::limits::FUTURE_MAX;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::problem::Problem;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Tally};
use tidewatch_ingest::{Config, Ingest};

use crate::args::{self, DemoArgs, Output};
use crate::exit::{Exit, Failure};
use crate::output::{Stdout, print, say};
use crate::progress::Progress;
use crate::settings::{self, Reporting};
use crate::simulator::{self, HOURS_DEFAULT, Planted, PlantedKind, World};
use crate::summary::{Summary, grouped};

/// When the simulated time begins: a fixed morning, so that a seed always prints the same.
const START: Time = Time(1_794_294_000_000);

/// How wide the table's text is.
const WIDTH: usize = 96;

/// Prints findings and keeps them for the table.
struct Keeping {
    stdout: Stdout,
    findings: Vec<Finding>,
}

impl AlertSink for Keeping {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.stdout.publish(finding).await?;
        self.findings.push(finding.clone());
        Ok(())
    }
}

/// Runs the simulation.
///
/// # Errors
/// If the command line or a detector file is faulty.
pub async fn run(args: DemoArgs) -> Result<Exit, Failure> {
    // Simulated names need no secret, and a sketch's estimate depends on the key: it comes from the
    // seed, so that a seed always prints the same.
    let key = TagKey::from_passphrase(&format!("demo {}", args.seed));
    let reporting = settings::reporting(&args.report, key, None)?;
    let usernames = match args.report.usernames {
        Some(args::Usernames::Exact) => Usernames::Exact,
        _ => Usernames::Fold,
    };
    let begun = Instant::now();
    say(format_args!(
        "simulating {HOURS_DEFAULT} hours of a shop under attack, seed {} ...",
        args.seed
    ));
    let plan = simulator::Plan {
        seed: args.seed,
        start_ms: START.0,
        hours: HOURS_DEFAULT,
        scenario: &simulator::DEMO,
        scale: simulator::SHOP,
    };
    let world = simulator::simulate(&plan);
    let naming = Naming { key, usernames };
    let (mut engine, tally) = match detect(&world, &reporting, naming).await {
        Ok(done) => done,
        Err(Fault::Sink(SinkError::Closed)) => return Ok(Exit::Done),
        Err(error) => {
            say(format_args!("tidewatch: {error}"));
            return Ok(Exit::Failed);
        }
    };
    let findings = std::mem::take(&mut engine.sink().findings);
    let table = table(&world.planted, &findings, &reporting.plan);
    match reporting.output {
        // A reader who has gone away has seen enough.
        Output::Text => drop(print(&table)),
        Output::Json => say(format_args!("{}", table.trim_end())),
    }
    let summary = Summary {
        inputs: 1,
        bytes_in: world.records.iter().map(|record| record.bytes.len() as u64).sum(),
        elapsed: begun.elapsed(),
        tally,
        gate: engine.gate().clone(),
        counts: engine.counts(),
        held_back: engine.held_back().map(|(entry, held)| (entry.clone(), held)).collect(),
        usage: engine.store().usage(),
        open_episodes: engine.store().open_episodes(),
        by_system: engine.plan().detectors_by(KeyField::SourceAsn).map(str::to_owned).collect(),
    };
    say(format_args!("\n{}", summary.text().trim_end()));
    if reporting.stats {
        say(format_args!("{}", summary.json()));
    }
    Ok(Exit::Done)
}

/// Pushes every record's bytes through the pipeline, on the clock of their arrival.
async fn detect(
    world: &World,
    reporting: &Reporting,
    naming: Naming,
) -> Result<(Engine<MemoryStore, Keeping>, Tally), Fault> {
    let Reporting { output, plan, key, memory_bytes, .. } = reporting;
    let newest = world.records.last().map_or(START, |record| Time(record.time_ms));
    let admission = Admission::until(newest.plus(FUTURE_MAX));
    let store = MemoryStore::new(Arc::clone(plan), *memory_bytes, key.map_seed());
    let stdout = Stdout::new(*output, Progress::new(false));
    let sink = Keeping { stdout, findings: Vec::new() };
    let mut engine = Engine::new(Arc::clone(plan), store, sink, *key, admission);
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Default::default() });
    let mut tally = Tally::default();
    let mut buffers = Buffers::default();
    for record in &world.records {
        let mut batch = Batch::default();
        ingest.record(&record.bytes, "", &mut buffers, &mut batch);
        engine.tick(Time(record.time_ms)).await?;
        for signal in batch.signals {
            match signal.when {
                When::At(time) => engine.observe(&signal.at(time)).await?,
                When::Civil(_) => batch.tally.reject(Problem::TimeMissing, "record"),
            }
        }
        tally.merge(batch.tally);
    }
    // An hour more without a line, so that what has been quiet closes.
    engine.tick(newest.plus(Span::minutes(60))).await?;
    Ok((engine, tally))
}

/// What was planted, what was found when, what was not and why.
fn table(planted: &[Planted], findings: &[Finding], plan: &Plan) -> String {
    let mut text = String::from("\nPLANTED AND FOUND\n");
    let mut explained: BTreeSet<&str> = BTreeSet::new();
    for planted in planted {
        let about: Vec<&Finding> =
            findings.iter().filter(|finding| concerns(finding, &planted.sources)).collect();
        explained.extend(about.iter().map(|finding| finding.uid.as_str()));
        let kind = match planted.kind {
            PlantedKind::Attack => "attack",
            PlantedKind::Benign => "no attack",
        };
        let _ = writeln!(text, "\n  {} ({kind})", planted.name);
        write_wrapped(&mut text, &what_and_when(planted));
        write_wrapped(&mut text, &verdict(planted, &about, plan));
    }
    let others: BTreeSet<&str> = findings
        .iter()
        .map(|finding| finding.uid.as_str())
        .filter(|uid| !explained.contains(uid))
        .collect();
    let _ = writeln!(text, "\n  everybody else");
    let said = match others.len() {
        0 => "QUIET: no finding about any other source.".to_owned(),
        n => format!("FALSE ALARMS: {n} findings about sources where nothing was planted."),
    };
    write_wrapped(&mut text, &said);
    text
}

fn what_and_when(planted: &Planted) -> String {
    let sources = match planted.sources.as_slice() {
        [one] => one.to_string(),
        [IpAddr::V6(first), ..] => {
            format!("{} addresses such as {first}", planted.sources.len())
        }
        many => format!("{} sources", many.len()),
    };
    format!(
        "{}; from {sources}, {} to {}, {} attempts, {} different unknown names.",
        planted.what,
        clock(planted.start_ms),
        clock(planted.end_ms),
        grouped(planted.attempts),
        grouped(planted.unknown_names)
    )
}

fn verdict(planted: &Planted, about: &[&Finding], plan: &Plan) -> String {
    let opened: Vec<&&Finding> =
        about.iter().filter(|finding| finding.activity == Activity::Create).collect();
    let Some(first) = opened.first() else {
        return match planted.kind {
            PlantedKind::Attack => format!("NOT FOUND: {}", why_not(planted, plan)),
            PlantedKind::Benign => "QUIET, as it should be.".to_owned(),
        };
    };
    let detectors: BTreeSet<&str> =
        opened.iter().map(|finding| finding.detector.as_str()).collect();
    let worst = about.iter().map(|finding| finding.severity).max().unwrap_or(first.severity);
    let word = match planted.kind {
        PlantedKind::Attack => "FOUND",
        PlantedKind::Benign => "RAISED, although it is no attack,",
    };
    let delay = (first.start.0 - planted.start_ms).milliseconds();
    let delay = Timestamp::UNIX_EPOCH.checked_add(delay).unwrap_or(Timestamp::UNIX_EPOCH);
    format!(
        "{word} by {}: opened at {}, {} (h:m:s) after it began; worst severity {}.",
        detectors.into_iter().collect::<Vec<_>>().join(" and "),
        clock(first.start.0),
        delay.strftime("%H:%M:%S"),
        worst.name()
    )
}

/// The most any one of its sources did, beside where each detector begins.
fn why_not(planted: &Planted, plan: &Plan) -> String {
    let busiest = planted.busiest_10m;
    let begins: Vec<String> = plan
        .detectors
        .iter()
        .filter_map(|detector| {
            let lowest = detector.raises.iter().min_by_key(|raise| raise.severity)?;
            let condition = detector.describe(lowest.when.first()?);
            Some(format!("{} begins at {condition} in {}", detector.id, detector.window))
        })
        .collect();
    format!(
        "at its busiest one source tried {} unknown names and failed {} times within 10 minutes; {}.",
        busiest.unknown_names,
        busiest.failures,
        begins.join(", ")
    )
}

/// Whether a finding is about what these sources did: most of those that it names are among them.
fn concerns(finding: &Finding, sources: &[IpAddr]) -> bool {
    let named = finding.sources.iter();
    let among = named.filter(|source| sources.binary_search(source).is_ok()).count();
    among > 0 && among * 2 >= finding.sources.len()
}

fn clock(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%H:%M:%S").to_string()
}

/// Appends `paragraph`, indented, broken at spaces.
fn write_wrapped(text: &mut String, paragraph: &str) {
    let indented = textwrap::Options::new(WIDTH).initial_indent("    ").subsequent_indent("    ");
    let _ = writeln!(text, "{}", textwrap::fill(paragraph, indented));
}
