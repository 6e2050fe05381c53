//! Log groups of the account as inputs of a bill: those of functions, read whole and together in order of time, and
//! what Lambda says that each function runs on.
//!
//! Only lines that count are asked for, unless others say whose invocations they were. What is not read is kept, so
//! that the bill says what it leaves out: a log group that is denied costs that one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use tidewatch_aws::functions::{Functions, RunsOn};
use tidewatch_aws::log_groups::{LogGroup, Paged};
use tidewatch_aws::subscriptions::Way;
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::invocation::{FUNCTION_GROUP, function_of};
use tidewatch_core::limits::FUNCTIONS_WATCHED_MAX;
use tidewatch_core::meter::tariff::{STORAGE_FREE_MB, STORAGE_MB_MAX, Terms};
use tidewatch_core::signal::LogStream;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;
use tidewatch_ingest::{Batch, Buffers, INVOCATION_PHRASES, InputKind};
use tidewatch_rules::functions;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::untold::Untold;
use crate::args::BillArgs;
use crate::calendar::Calendar;
use crate::hearing::Hearing;
use crate::input::{Step, Stepped};
use crate::log_groups::{Chosen, SAID_EVERY, envelopes};
use crate::output::say;
use crate::pipeline::{Parcel, Reader, read_by, read_together};
use crate::progress::Progress;
use crate::settings::Reading;

/// What is kept about log groups while they are read.
pub(super) type Shared = Arc<Mutex<Untold>>;

/// Log groups that are to be read.
pub(super) struct Account {
    chosen: Chosen,
    functions: Functions,
    span: (Time, Time),
    events_max: usize,
    /// The Region they are in.
    pub region: Option<String>,
    /// What is left out so far.
    pub untold: Untold,
}

/// Finds the log groups.
///
/// # Errors
/// If there are none, or they cannot be asked for.
pub(super) async fn begin(args: &BillArgs, since: Time) -> Result<Account> {
    let config = client::from_environment().await?;
    let pace = TokioPace::start()?;
    let span = (since, pace.now());
    let all = [format!("{FUNCTION_GROUP}*")];
    let globs = if args.group.is_empty() { &all[..] } else { &args.group };
    let mut chosen = Chosen::find(&config, pace.clone(), args.stack.as_deref(), globs).await?;
    let mut untold = Untold::default();
    // Elsewhere no report counts, and who asked is of use only beside reports.
    let hears_others = super::drivers::kind(args.by).is_some();
    chosen.groups.retain(|group| hears_others || function_of(&group.name).is_some());
    if args.stack.is_some() {
        chosen.groups = sent(&chosen, &mut untold).await;
    }
    if chosen.groups.is_empty() && untold.is_whole() {
        bail!("no log group of a function ({FUNCTION_GROUP}*) is among those that were named");
    }
    if chosen.groups.len() > FUNCTIONS_WATCHED_MAX {
        let count = chosen.groups.len();
        bail!(
            "{count} log groups: at most {FUNCTIONS_WATCHED_MAX} at once; name some with --group"
        );
    }
    let region = config.region().map(ToString::to_string);
    let functions = Functions::new(&config, pace);
    Ok(Account { chosen, functions, span, events_max: args.events, region, untold })
}

/// Those that are sent to the stack.
async fn sent(chosen: &Chosen, untold: &mut Untold) -> Vec<LogGroup> {
    let mut sent = Vec::new();
    for group in &chosen.groups {
        match chosen.way(&group.name).await {
            (Some(Way::Filter(_) | Way::Policy(_)), _) => sent.push(group.clone()),
            (Some(Way::None), _) => {}
            (None, _) if chosen.is_own(&group.name) => {}
            (None, why) => untold.not_read(&group.name, why.join("; ")),
        }
    }
    sent
}

impl Account {
    /// What Lambda says that the functions run on; of which it does not, and why, is kept.
    pub(super) async fn runs_on(&mut self) -> BTreeMap<String, Terms> {
        let mut told = BTreeMap::new();
        let names = self.chosen.groups.iter().filter_map(|group| function_of(&group.name));
        for (nth, name) in names.enumerate() {
            let answer = self.functions.runs_on(name).await;
            match answer.map_err(|failure| failure.to_string()).and_then(|it| terms(&it)) {
                Ok(terms) => drop(told.insert(name.to_owned(), terms)),
                Err(why) => self.untold.runs_on_unknown(name, why),
            }
            if (nth + 1) % SAID_EVERY == 0 {
                say(format_args!("tidewatch: asked what {} functions run on", nth + 1));
            }
        }
        self.untold.functions_told = told.len();
        told
    }

    /// Reads them all, on a thread of its own.
    pub(super) fn read(self, reading: &Reading, progress: &Progress) -> (Reader, usize, Shared) {
        let Account { chosen, span, events_max, untold, .. } = self;
        let shared = Shared::new(Mutex::new(untold));
        let pattern = if reading.hears_access { String::new() } else { pattern() };
        let count = chosen.groups.len();
        let mut hearing = Hearing::new(reading, false);
        let calendar = Calendar::new(reading.zone.clone(), None, reading.admission.latest);
        let (runtime, progress) = (Handle::current(), progress.clone());
        let kept = Arc::clone(&shared);
        let reads = move |sender: mpsc::Sender<Parcel>| {
            let groups = chosen.groups.into_iter().map(|group| Group {
                source: Arc::new(LogStream { stream: group.name.clone(), ..LogStream::default() }),
                paged: chosen.log_groups.paged(&group.name, span, &pattern, events_max),
                group,
                calendar: calendar.clone(),
                buffers: Buffers::default(),
                runtime: runtime.clone(),
                sender: sender.clone(),
                progress: progress.clone(),
                kept: Arc::clone(&kept),
            });
            read_together(groups.collect(), &mut hearing, &sender);
        };
        (read_by(reads, None), count, shared)
    }
}

/// Which log events count, in the words of CloudWatch Logs: any of these phrases is in them
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>).
fn pattern() -> String {
    INVOCATION_PHRASES.map(|phrase| format!("?\"{phrase}\"")).join(" ")
}

/// What a function runs on, if it is known to the prices.
fn terms(told: &RunsOn) -> Result<Terms, String> {
    let architecture = functions::architecture(&told.architecture);
    let architecture = architecture
        .map_err(|_| format!("it runs on {}, of which no price is known", told.architecture))?;
    let storage_mb = told.storage_mb.unwrap_or(STORAGE_FREE_MB.into());
    let within = u16::try_from(storage_mb).ok();
    match within.filter(|mb| (STORAGE_FREE_MB..=STORAGE_MB_MAX).contains(mb)) {
        Some(storage_mb) => Ok(Terms { architecture, storage_mb }),
        None => {
            Err(format!("it has {storage_mb} MB of ephemeral storage, of which no price is known"))
        }
    }
}

/// A log group that is read.
struct Group {
    group: LogGroup,
    source: Arc<LogStream>,
    paged: Paged,
    calendar: Calendar,
    buffers: Buffers,
    runtime: Handle,
    /// Closed when nobody takes anything any more.
    sender: mpsc::Sender<Parcel>,
    progress: Progress,
    kept: Shared,
}

impl Stepped for Group {
    fn name(&self) -> &str {
        &self.group.name
    }

    fn next(&mut self, hearing: &mut Hearing) -> Option<Step> {
        let page = async {
            tokio::select! {
                () = self.sender.closed() => None,
                page = self.paged.next() => page.transpose(),
            }
        };
        let page = self.runtime.block_on(page);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let events = match page? {
            Ok(events) => events,
            Err(failure) => {
                kept.not_read(&self.group.name, failure.to_string());
                return None;
            }
        };
        if let Some(until) = self.paged.cut() {
            kept.cut(&self.group.name, until);
        }
        drop(kept);
        let mut batch = Batch::default();
        for envelope in envelopes(&self.group, &events) {
            let bytes = envelope.as_bytes();
            self.progress.add(bytes.len() as u64);
            let kind = InputKind::Envelopes;
            hearing.now().lines(kind, bytes, 0, &self.source, &mut self.buffers, &mut batch);
        }
        let Batch { signals, mut tally, .. } = batch;
        let signals = self.calendar.date(signals, &mut tally);
        Some(Step { signals, tally, fault: None })
    }
}
