//! `tidewatch explain`: what becomes of lines step by step, and why a detector raised or did not.
//!
//! Lines given as arguments are shown one by one and then weighed together, each taken as said now where it
//! has no time. Files are replayed as `replay` replays them; of each detector the keys that came nearest
//! are shown, or with `--finding` the windows behind one finding.

pub mod functions;
mod of_files;
mod steps;
mod weighed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::meter::book::FINE;
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::lookout::Asked;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::Usernames;
use tidewatch_ingest::when::When;

use crate::args::{ExplainArgs, Output};
use crate::calendar::Calendar;
use crate::commands::replay::{Driven, drive};
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::hearing::ingest;
use crate::input::Copy;
use crate::output::{deliver, say};
use crate::pipeline::{self, Work};
use crate::progress::Progress;
use crate::settings::{self, Reading, Reporting};
use crate::standing::Standing;
use of_files::{Look, OfFiles, of_files};
use steps::Steps;

/// Findings that are named where the wanted one is not among them.
const OTHERS_SHOWN_MAX: usize = 10;

/// Explains.
///
/// # Errors
/// If the command line or a file is faulty.
pub async fn run(args: ExplainArgs) -> Result<Exit, Failure> {
    let key = settings::tag_key()?;
    let mut reading = settings::reading(&args.read, &args.report, key, Usernames::Fold, started())?;
    let reporting = settings::reporting(&args.report, key, Some(&mut reading))?;
    let standing = standing(&reading, &reporting, asked(&args)?);
    let is_file = |subject: &&String| *subject == "-" || Path::new(subject).exists();
    let is_meant = |subject: &&String| !is_file(subject) && looks_like_a_path(subject);
    if let Some(path) = args.subjects.iter().find(is_meant) {
        let path = printable(path);
        let why = anyhow!(
            "there is no file `{path}`; a line that looks like this is explained behind a pipe, \
             `… | tidewatch explain -`"
        );
        return Err(why.into());
    }
    let files = args.subjects.iter().filter(is_file).count();
    if files == 0 && args.finding.is_none() && args.function.is_none() {
        return lines(&args, &reading, standing).await;
    }
    if let Some(line) = args.subjects.iter().find(|subject| !is_file(subject)) {
        let line = printable(line);
        return Err(anyhow!(
            "there is no file `{line}`; lines are explained by themselves, not together with files"
        )
        .into());
    }
    let paths: Vec<PathBuf> = args.subjects.iter().map(PathBuf::from).collect();
    reading.copies = copies(settings::inputs(&paths)?)?;
    files_of(&args, &paths, &reading, standing).await
}

/// Whether an argument is meant to name a file, although none of its name is there.
fn looks_like_a_path(subject: &str) -> bool {
    let is_line = subject.contains(|c: char| c.is_whitespace() || "{}\"=".contains(c));
    let ends = [".log", ".gz", ".json", ".txt"];
    !is_line && (subject.contains('/') || ends.iter().any(|end| subject.ends_with(end)))
}

/// A copy for each input that cannot be read a second time: standard input and pipes.
fn copies(paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, Copy>, anyhow::Error> {
    let is_gone = |path: &Path| {
        let about = std::fs::metadata(path);
        path == Path::new("-") || about.is_ok_and(|about| !about.is_file() && !about.is_dir())
    };
    let gone = paths.iter().filter(|path| is_gone(path));
    gone.map(|path| {
        let copy = Copy::new().with_context(|| format!("no room for a copy of {}", path.display()));
        Ok((path.clone(), copy?))
    })
    .collect()
}

/// What of functions is asked.
fn asked(args: &ExplainArgs) -> Result<Asked, anyhow::Error> {
    if let Some(uid) = &args.finding {
        return Ok(Asked::Finding(uid.clone()));
    }
    let (Some(function), Some(at)) = (&args.function, &args.at) else { return Ok(Asked::Nearest) };
    let at: Timestamp = at
        .parse()
        .with_context(|| format!("--at {at}: not an RFC 3339 time such as 2026-11-22T18:03:00Z"))?;
    let pane = at.as_millisecond().div_euclid(FINE.0);
    Ok(Asked::At(function.as_str().into(), pane))
}

fn standing(reading: &Reading, reporting: &Reporting, asked: Asked) -> Standing {
    let wanted = match &asked {
        Asked::Finding(uid) => Some(uid.clone()),
        Asked::Nearest | Asked::At(..) => None,
    };
    let Reporting { plan, key, memory_bytes, .. } = reporting;
    let store = MemoryStore::new(Arc::clone(plan), *memory_bytes, key.map_seed());
    let sink = Vec::<Finding>::new();
    let watch = reporting.watch().map(|watch| watch.explaining(asked));
    let engine =
        Engine::new(Arc::clone(plan), store, sink, *key, reading.admission).watching(watch);
    Standing::new(Arc::clone(plan), engine, wanted)
}

/// Explains lines that are given as arguments.
async fn lines(
    args: &ExplainArgs,
    reading: &Reading,
    mut standing: Standing,
) -> Result<Exit, Failure> {
    let ingest = ingest(reading);
    let latest = reading.admission.latest;
    let mut calendar = Calendar::new(reading.zone.clone(), reading.year, latest);
    let mut clock = started();
    let mut shown = Vec::new();
    for (nth, line) in args.subjects.iter().enumerate() {
        let trace = match args.log_group.is_empty() {
            true => ingest.trace_line(line),
            false => Some(ingest.trace(line, &args.log_group)),
        };
        let mut steps = Steps::new(line, trace.as_ref(), reading.users.as_ref());
        if let Some((when, body)) = trace.as_ref().and_then(|trace| body_of(trace.said)) {
            let time = when.and_then(|when| {
                if let When::Civil(civil) = when {
                    calendar.note(civil);
                }
                calendar.resolve(when)
            });
            // Without a time it is taken a second after the one before, as if it stood there.
            clock = time.unwrap_or(if nth == 0 { clock } else { clock.plus(Span::seconds(1)) });
            let signal = signal(reading, body, clock, nth as u64);
            steps.counts(&standing, &signal, time.is_some());
            standing.observe(&signal).await.map_err(|fault| anyhow!("{fault}"))?;
        } else if !line.contains(char::is_whitespace) {
            steps.hint = Some("there is no file of this name either".to_owned());
        }
        shown.push(steps);
    }
    let text = match args.report.output {
        Output::Text => {
            let lines = shown.iter().map(Steps::text).collect::<Vec<_>>().join("\n");
            format!("{lines}\n{}", weighed::text(&standing, true))
        }
        Output::Json => {
            let lines = shown.iter().map(Steps::json).collect::<Vec<Value>>();
            json!({ "lines": lines, "detectors": weighed::json(&standing) }).to_string()
        }
    };
    Ok(deliver(&text, Exit::Done))
}

/// The signal of the `nth` line.
fn signal(reading: &Reading, body: Body, time: Time, nth: u64) -> Signal {
    let stream = Arc::new(LogStream { stream: "line".to_owned(), ..LogStream::default() });
    let event = reading.naming.key.event(0, &nth.to_be_bytes());
    let origin = Origin { stream, id: EventId::Offset(nth) };
    Signal { time, event, origin, body }
}

/// What a signal says and the time it gives, if it is one.
fn body_of(said: Said) -> Option<(Option<When>, Body)> {
    match said {
        Said::Signal { when, auth, .. } => Some((when, Body::Auth(auth))),
        Said::Invocation { when, invocation, .. } => Some((when, Body::Invocation(invocation))),
        _ => None,
    }
}

/// Explains files.
async fn files_of(
    args: &ExplainArgs,
    paths: &[PathBuf],
    reading: &Reading,
    standing: Standing,
) -> Result<Exit, Failure> {
    let progress = Progress::new(true);
    let mut work: Work<Vec<Finding>> = Work::Explain(Box::new(standing));
    let paths = settings::inputs(paths)?;
    let driven = drive(paths, reading, &progress, &mut work, None).await;
    let exit = driven.told();
    let Driven { outcome, summary, .. } = driven;
    let Work::Explain(mut standing) = work else { return Ok(Exit::Failed) };
    // A day more without a line, so that what has been quiet closes.
    let end = standing.engine.now().plus(Span::minutes(24 * 60));
    standing.end(end).await.map_err(|fault| anyhow!("{fault}"))?;
    let output = args.report.output;
    let asked = match (&args.finding, &args.function) {
        (Some(uid), _) => behind(uid, &standing, output),
        (None, Some(function)) => pane_of(function, &standing, output),
        (None, None) => {
            let shown = looked_at(paths, reading, &standing, args.lines, outcome.stopped.is_some());
            Ok(whole(&shown, &standing, output))
        }
    };
    let text = match asked {
        Ok(text) => text,
        Err(why) => {
            say(format_args!("tidewatch: {why}"));
            return Ok(Exit::Failed);
        }
    };
    let exit = deliver(&text, exit);
    say(format_args!("{}", summary.text().trim_end()));
    if args.report.stats {
        say(format_args!("{}", summary.json()));
    }
    Ok(exit)
}

/// Lines, and of each detector what came nearest.
fn whole(shown: &OfFiles, standing: &Standing, output: Output) -> String {
    let functions = standing.functions();
    match output {
        Output::Text => {
            let functions = functions.map_or(String::new(), |of| of.nearest_text());
            shown.text() + &weighed::text(standing, false) + functions.trim_end()
        }
        Output::Json => {
            let mut document = shown.json();
            document["detectors"] = weighed::json(standing);
            document["functions"] = functions.map_or(Value::Null, |of| of.json());
            document.to_string()
        }
    }
}

/// What detectors made of a function in the five minutes that were asked for; why not, where nobody looked.
fn pane_of(function: &str, standing: &Standing, output: Output) -> Result<String, String> {
    let functions = standing.functions().filter(|of| !of.functions.explained.is_empty());
    let functions = functions.ok_or_else(|| {
        format!(
            "nothing was made of `{}` at that time: it has no report within a day before it, or the log ends there",
            printable(function)
        )
    })?;
    Ok(match output {
        Output::Text => functions.panes_text(),
        Output::Json => json!({ "panes": functions.json() }).to_string(),
    })
}

/// The lines of `paths`, unless the run `is_over` before they all were counted.
fn looked_at(
    paths: &[PathBuf],
    reading: &Reading,
    standing: &Standing,
    shown_max: usize,
    is_over: bool,
) -> OfFiles {
    if is_over {
        return OfFiles::cut_short();
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let pressed = Arc::clone(&interrupted);
    let listener = tokio::spawn(async move {
        pipeline::interrupted().await;
        pressed.store(true, Ordering::Relaxed);
    });
    let ingest = ingest(reading);
    let look = Look { ingest, reading, standing, shown_max, interrupted: &interrupted };
    let shown = of_files(paths, &look);
    listener.abort();
    if shown.is_partial {
        say(format_args!("tidewatch: interrupted; not all lines have been looked at"));
    }
    shown
}

/// The windows behind a finding; why not, where there are none.
fn behind(uid: &str, standing: &Standing, output: Output) -> Result<String, String> {
    let functions = standing.functions().filter(|of| !of.functions.explained.is_empty());
    if let Some(functions) = functions {
        return Ok(match output {
            Output::Text => functions.panes_text(),
            Output::Json => json!({ "messages": functions.json() }).to_string(),
        });
    }
    if standing.behind.is_empty() {
        let others = standing
            .found
            .iter()
            .take(OTHERS_SHOWN_MAX)
            .map(|finding| format!("\n  {} {} {}", finding.uid, finding.detector, finding.key));
        let others: String = others.collect();
        return Err(match standing.found.len() {
            0 => format!("no finding {uid}: nothing is raised in these files"),
            count => format!(
                "no finding {uid} in these files. With other detectors, files, --tz, --year or \
                 {} its uid is another. There are {count}:{others}",
                settings::KEY_VARIABLE
            ),
        });
    }
    Ok(match output {
        Output::Text => weighed::behind_text(standing),
        Output::Json => weighed::behind_json(standing).to_string(),
    })
}
