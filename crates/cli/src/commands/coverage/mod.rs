//! `tidewatch coverage`: what the lines of each log group carry, what logins in them leave out, and what should
//! not be logged at all.
//!
//! The way of the data: inputs, one after the other, or [`groups`] of the account → ingest's survey → a [`verdict`] for
//! each group → text, or one JSON object. Nothing is counted into windows, so lines need no times and no order.

mod groups;
mod report;
mod sending;
mod verdict;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidewatch_alert::printable;
use tidewatch_ingest::survey::Survey;
use tidewatch_ingest::{Batch, Ingest};

use self::groups::Account;
use crate::args::CoverageArgs;
use crate::calendar::Calendar;
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::following::since;
use crate::hearing;
use crate::input::Input;
use crate::log_groups;
use crate::output::{deliver, say};
use crate::pipeline::interrupted;
use crate::progress::Progress;
use crate::settings::{self, Reading};

/// What has been surveyed so far. It is held while a chunk is looked at, and never while one is waited for.
type Shared = Arc<Mutex<Batch>>;

/// Surveys the inputs and prints what they hold.
///
/// # Errors
/// If the command line or a format file is faulty.
pub async fn run(args: CoverageArgs) -> Result<Exit, Failure> {
    let reading = settings::surveying(&args, settings::tag_key()?, started())?;
    let survey = Some(Box::new(Survey::new(args.sample)));
    let shared = Shared::new(Mutex::new(Batch { survey, ..Batch::default() }));
    if args.files.is_empty() {
        return of_groups(&args, &reading, &shared).await;
    }
    let files = settings::inputs(&args.files)?.to_vec();
    let progress = Progress::new(true);
    let task = {
        let (shared, progress) = (Arc::clone(&shared), progress.clone());
        tokio::task::spawn_blocking(move || read(&files, &reading, &shared, &progress))
    };
    let ended = tokio::select! {
        biased;
        () = interrupted() => None,
        ended = task => Some(ended.unwrap_or(Exit::Failed)),
    };
    progress.finish();
    let told = Told { account: None, is_partial: ended.is_none() };
    Ok(tell(&args, &shared, &told, ended.unwrap_or(Exit::Done)))
}

/// What is told besides the survey.
struct Told {
    /// The log groups that were asked for, if they were.
    account: Option<Account>,
    is_partial: bool,
}

fn tell(args: &CoverageArgs, shared: &Shared, told: &Told, exit: Exit) -> Exit {
    if told.is_partial {
        say(format_args!("tidewatch: interrupted; this is the part until then"));
    }
    let batch = std::mem::take(&mut *held(shared));
    deliver(&report::report(&batch, args, told), exit)
}

/// Surveys log groups of the account.
async fn of_groups(
    args: &CoverageArgs,
    reading: &Reading,
    shared: &Shared,
) -> Result<Exit, Failure> {
    let since = since(&args.since)?;
    let ingest = hearing::ingest(reading);
    let mut account = Account { stack: args.stack.clone(), ..Account::default() };
    let looked = async {
        let asking = groups::begin(args, since).await?;
        asking.look(&ingest, shared, &mut account).await;
        anyhow::Ok(())
    };
    let ended = tokio::select! {
        biased;
        () = interrupted() => None,
        ended = looked => Some(ended),
    };
    if let Some(Err(error)) = &ended {
        log_groups::refused(error);
        return Ok(Exit::Failed);
    }
    let is_whole = account.looked.iter().all(|group| group.faults.is_empty());
    let exit = if is_whole { Exit::Done } else { Exit::Failed };
    let told = Told { account: Some(account), is_partial: ended.is_none() };
    Ok(tell(args, shared, &told, exit))
}

/// A fault of the reading thread leaves what it has taken down whole enough to be shown.
fn held(shared: &Shared) -> MutexGuard<'_, Batch> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads all inputs, and says what cannot be opened or read.
fn read(files: &[PathBuf], reading: &Reading, shared: &Shared, progress: &Progress) -> Exit {
    let ingest: Ingest = hearing::ingest(reading);
    let mut exit = Exit::Done;
    for path in files {
        let calendar = Calendar::new(reading.zone.clone(), None, reading.admission.latest);
        let fault = match Input::open(path, reading.kind, calendar, progress, None) {
            Ok(mut input) => loop {
                match input.take_in(|| (&ingest, held(shared))) {
                    None => break None,
                    Some(Some(error)) => break Some(error),
                    Some(None) => {}
                }
            },
            Err(error) => Some(error),
        };
        if let Some(error) = fault {
            let name = path.display().to_string();
            progress.aside(|| {
                say(format_args!("tidewatch: cannot read {}: {error}", printable(&name)));
            });
            exit = Exit::Failed;
        }
    }
    exit
}
