//! `tidewatch replay` and `tidewatch watch`: logs from files and pipes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tidewatch_alert::printable;
use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::engine::Engine;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_ingest::username::Usernames;

use crate::args::{ReplayArgs, WatchArgs};
use crate::calendar::Calendar;
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::following::{self, Following};
use crate::hearing::Hearing;
use crate::input::Input;
use crate::output::{Stdout, closed, say};
use crate::pipeline::{self, Counting, Live, Outcome, Reader, Stopped, Work};
use crate::progress::Progress;
use crate::settings::{self, Reading, Reporting, Tumbling};
use crate::summary::Summary;
use crate::windows::Windows;

/// Everything a run is told.
struct Run<'a> {
    from: From<'a>,
    reading: Reading,
    reporting: Reporting,
    tumbling: Option<Tumbling>,
    live: Option<Live>,
}

/// Where a run reads from.
enum From<'a> {
    Files(&'a [PathBuf]),
    Stream(Box<Following>),
}

/// Runs past logs.
///
/// # Errors
/// If the command line or a detector file is faulty.
pub async fn replay(args: ReplayArgs) -> Result<Exit, Failure> {
    let tumbling = match &args.windows {
        Some(span) => Some(settings::tumbling(span, &args.key)?),
        None => None,
    };
    let usernames = if tumbling.is_some() { Usernames::Exact } else { Usernames::Fold };
    let key = settings::tag_key()?;
    let mut reading = settings::reading(&args.read, &args.report, key, usernames, started())?;
    let reporting = settings::reporting(&args.report, key, Some(&mut reading))?;
    let files = settings::inputs(&args.files)?;
    let from = From::Files(files);
    execute(Run { from, reading, reporting, tumbling, live: None }).await
}

/// Runs a live pipe, or follows a stream.
///
/// # Errors
/// If the command line or a detector file is faulty.
pub async fn watch(args: WatchArgs) -> Result<Exit, Failure> {
    let key = settings::tag_key()?;
    let mut reading = settings::reading(&args.read, &args.report, key, Usernames::Fold, started())?;
    let reporting = settings::reporting(&args.report, key, Some(&mut reading))?;
    let from = match &args.follow.stream {
        None => From::Files(std::slice::from_ref(&args.input)),
        Some(name) => From::Stream(Box::new(following::begin(name, &args.follow).await?)),
    };
    let live =
        Live { not_after: args.read.not_after.is_some().then_some(reading.admission.latest) };
    execute(Run { from, reading, reporting, tumbling: None, live: Some(live) }).await
}

async fn execute(run: Run<'_>) -> Result<Exit, Failure> {
    let progress = Progress::new(run.live.is_none());
    let mut work = work(&run, &progress);
    let Run { from, reading, reporting, live, .. } = run;
    let driven = match from {
        From::Files(files) => drive(files, &reading, &progress, &mut work, live).await,
        From::Stream(following) => {
            let reader = following.read(&reading, &progress);
            conclude(reader, (1, Exit::Done), &progress, &mut work, live).await
        }
    };
    let exit = end(&reporting, &driven.outcome, &work, driven.exit);
    say(format_args!("{}", driven.summary.text().trim_end()));
    if reporting.stats {
        say(format_args!("{}", driven.summary.json()));
    }
    // The process ends: what is kept of each key need not be given back piece by piece.
    std::mem::forget(work);
    Ok(exit)
}

/// What came of driving inputs through work.
pub struct Driven {
    pub outcome: Outcome,
    pub exit: Exit,
    pub summary: Summary,
}

impl Driven {
    /// Says why it ended before its inputs did, for a command that shows what there is until then; the exit
    /// code with that.
    pub fn told(&self) -> Exit {
        match &self.outcome.stopped {
            Some(Stopped::Failed(error)) => {
                say(format_args!("tidewatch: {error}"));
                Exit::Failed
            }
            Some(Stopped::Gracefully) => {
                say(format_args!("tidewatch: interrupted; this is the part until then"));
                self.exit
            }
            Some(_) => Exit::Failed,
            None => self.exit,
        }
    }
}

/// Drives all that `files` hold through `work`, and says on standard error what cannot be opened or read.
pub async fn drive<A: AlertSink>(
    files: &[PathBuf],
    reading: &Reading,
    progress: &Progress,
    work: &mut Work<A>,
    live: Option<Live>,
) -> Driven {
    // A named pipe without a writer blocks in being opened, where no Ctrl-C would be heard.
    let may_block = files.iter().any(|file| file.as_path() != Path::new("-"));
    let impatience = tokio::spawn(async move {
        if !may_block {
            return;
        }
        pipeline::interrupted().await;
        say(format_args!("tidewatch: interrupted before any input was there"));
        std::process::exit(Exit::Done as i32);
    });
    let (inputs, exit) = open(files, reading, progress);
    impatience.abort();
    let opened = (inputs.len(), exit);
    let reader = pipeline::read(inputs, Hearing::new(reading, live.is_some()));
    conclude(reader, opened, progress, work, live).await
}

/// Drives what `reader` sends through `work`; `opened` is how many inputs are open, and how well that went.
pub async fn conclude<A: AlertSink>(
    reader: Reader,
    opened: (usize, Exit),
    progress: &Progress,
    work: &mut Work<A>,
    live: Option<Live>,
) -> Driven {
    let begun = Instant::now();
    let (inputs_open, mut exit) = opened;
    let mut outcome = pipeline::run(reader, work, live).await;
    progress.finish();
    for fault in &outcome.faults {
        say(format_args!("tidewatch: {}", printable(fault)));
        exit = Exit::Failed;
    }
    let (counts, usage, open_episodes) = work.counts();
    let summary = Summary {
        inputs: inputs_open,
        bytes_in: progress.bytes(),
        elapsed: begun.elapsed(),
        tally: std::mem::take(&mut outcome.tally),
        gate: work.gate().clone(),
        counts,
        held_back: work.held_back(),
        usage,
        open_episodes,
        by_system: work.by_system(),
    };
    Driven { outcome, exit, summary }
}

/// Opens what can be opened, and says what cannot.
fn open(files: &[PathBuf], reading: &Reading, progress: &Progress) -> (Vec<Input>, Exit) {
    let latest = reading.admission.latest;
    let mut exit = Exit::Done;
    let mut inputs = Vec::new();
    for path in files {
        let calendar = Calendar::new(reading.zone.clone(), reading.year, latest);
        match Input::open(path, reading.kind, calendar, progress, reading.copies.get(path)) {
            Ok(input) => inputs.push(input),
            Err(error) => {
                let name = path.display().to_string();
                say(format_args!("tidewatch: cannot open {}: {error}", printable(&name)));
                exit = Exit::Failed;
            }
        }
    }
    (inputs, exit)
}

fn work(run: &Run<'_>, progress: &Progress) -> Work<Stdout> {
    let Reporting { output, plan, key, memory_bytes, .. } = &run.reporting;
    let admission = run.reading.admission;
    match run.tumbling {
        Some(tumbling) => Work::Count(Box::new(Counting {
            windows: Windows::new(tumbling, *memory_bytes, key.map_seed()),
            gate: Gate::new(admission),
            counts: Counts::default(),
        })),
        None => {
            let store = MemoryStore::new(Arc::clone(plan), *memory_bytes, key.map_seed());
            let sink = Stdout::new(*output, progress.clone());
            let engine = Engine::new(Arc::clone(plan), store, sink, *key, admission);
            Work::Detect(Box::new(engine.watching(run.reporting.watch())))
        }
    }
}

/// Prints what is left to print, and says why the run stopped early if it did.
fn end(reporting: &Reporting, outcome: &Outcome, work: &Work<Stdout>, exit: Exit) -> Exit {
    match &outcome.stopped {
        Some(Stopped::OutOfMemory(full)) => {
            let start = jiff::Timestamp::from_millisecond(full.window_start.0).unwrap_or_default();
            say(format_args!(
                "tidewatch: --windows does not fit --memory ({}): the window that begins at {start} \
                 was the first that did not; take shorter spans of the log, or more memory",
                bytesize::ByteSize(reporting.memory_bytes as u64)
            ));
            return Exit::Failed;
        }
        Some(Stopped::Failed(error)) => {
            say(format_args!("tidewatch: {error}"));
            return Exit::Failed;
        }
        Some(Stopped::Panicked) => {
            say(format_args!("tidewatch: reading stopped at a fault of this program (see above)"));
            return Exit::Failed;
        }
        Some(Stopped::Gracefully) | None => {}
    }
    if let Work::Count(counting) = work {
        let out = std::io::BufWriter::new(std::io::stdout().lock());
        if let Err(SinkError::Failed(error)) = counting.windows.write(out).map_err(closed) {
            say(format_args!("tidewatch: {error}"));
            return Exit::Failed;
        }
    }
    exit
}
