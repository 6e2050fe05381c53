//! `tidewatch backtest`: which findings appear, vanish or change when one set of detectors replaces
//! another.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use tidewatch_alert::rfc3339;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::spend::watch::Watch;
use tidewatch_ingest::username::Usernames;

use crate::args::{BacktestArgs, Output};
use crate::commands::replay::drive;
use crate::commands::{counted, started};
use crate::comparison::{Change, Comparison, Episode};
use crate::exit::{Exit, Failure};
use crate::files;
use crate::output::{deliver, say};
use crate::pipeline::Work;
use crate::progress::Progress;
use crate::settings::{self, Reporting};

/// Runs both sets of detectors over the files.
///
/// # Errors
/// If the command line or a file is faulty.
pub async fn run(args: BacktestArgs) -> Result<Exit, Failure> {
    let key = settings::tag_key()?;
    let mut reading = settings::reading(&args.read, &args.report, key, Usernames::Fold, started())?;
    let reporting = settings::reporting(&args.report, key, Some(&mut reading))?;
    let files = settings::inputs(&args.files)?;
    let choice = files::Choice { instead: args.against.as_deref(), with: &[] };
    let mut against = files::detectors(choice, "--against")?;
    // What is compared are detectors: whoever is allowed something is so under both.
    against.allow = reporting.plan.allow.clone();
    against.agents = reporting.plan.agents.clone();
    if against.needs_agents() {
        reading.agents = Some(against.agents.clone());
    }
    let against = Arc::new(against);
    let spend_detectors = files::spend_detectors(choice, "--against")?;
    let engine = |plan: &Arc<Plan>, watch: Option<Watch>| {
        // Two states share the memory.
        let bytes = reporting.memory_bytes / 2;
        let store = MemoryStore::new(Arc::clone(plan), bytes, key.map_seed());
        let sink = Vec::<Finding>::new();
        Engine::new(Arc::clone(plan), store, sink, key, reading.admission).watching(watch)
    };
    let others = Reporting { spend_detectors, ..reporting.clone() };
    let comparison = Comparison {
        ours: engine(&reporting.plan, reporting.watch()),
        theirs: engine(&against, others.watch()),
    };
    let mut work: Work<Vec<Finding>> = Work::Compare(Box::new(comparison));
    let progress = Progress::new(true);
    let driven = drive(files, &reading, &progress, &mut work, None).await;
    let exit = driven.told();
    let Work::Compare(mut comparison) = work else { return Ok(Exit::Failed) };
    let changes = comparison.changes();
    let text = match args.report.output {
        Output::Text => text(&changes),
        Output::Json => document(&changes).to_string(),
    };
    let exit = deliver(&text, exit);
    say(format_args!("{}", driven.summary.text().trim_end()));
    if args.report.stats {
        say(format_args!("{}", driven.summary.json()));
    }
    Ok(exit)
}

const KINDS: [&str; 4] = ["appears", "vanishes", "severity", "same"];

fn count(changes: &[Change], kind: &str) -> usize {
    changes.iter().filter(|change| change.name() == kind).count()
}

/// What changes, a line each; what stays the same is only counted.
fn text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes.iter().filter(|change| !matches!(change, Change::Same { .. })) {
        let Episode { detector, key, severity, opened, .. } = change.episode();
        let severity = match change {
            Change::Severity { ours, theirs } => {
                format!("{} instead of {}", ours.severity.name(), theirs.severity.name())
            }
            _ => severity.name().to_owned(),
        };
        let name = change.name();
        let _ = writeln!(text, "{name:<8}  {} {detector}: {key}  {severity}", rfc3339(*opened));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let [appear, vanish, other, same] = KINDS.map(|kind| count(changes, kind));
    let s = |count: usize| if count == 1 { "s" } else { "" };
    text + &format!(
        "{} appear{}, {vanish} vanish{}, {other} change{} in severity, {same} stay{} the same",
        counted(appear as u64, "finding"),
        s(appear),
        if vanish == 1 { "es" } else { "" },
        s(other),
        s(same)
    )
}

fn document(changes: &[Change]) -> Value {
    let episode = |episode: &Episode| {
        json!({
            "uid": episode.uid, "severity": episode.severity.name(),
            "opened": rfc3339(episode.opened), "last": rfc3339(episode.last),
        })
    };
    let all = changes.iter().map(|change| {
        let (ours, theirs) = match change {
            Change::Appears(ours) => (episode(ours), Value::Null),
            Change::Vanishes(theirs) => (Value::Null, episode(theirs)),
            Change::Severity { ours, theirs } | Change::Same { ours, theirs } => {
                (episode(ours), episode(theirs))
            }
        };
        let about = change.episode();
        json!({
            "change": change.name(), "detector": about.detector, "key": about.key.to_string(),
            "detectors": ours, "against": theirs,
        })
    });
    let all: Vec<Value> = all.collect();
    let counts = KINDS.map(|kind| (kind.to_owned(), json!(count(changes, kind))));
    json!({ "counts": counts.into_iter().collect::<serde_json::Map<_, _>>(), "changes": all })
}
