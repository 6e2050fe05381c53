//! `tidewatch feed`: log files onto a Kinesis stream, packed as a subscription of CloudWatch Logs packs them.
//!
//! Blocks of all files go in order of time, one after the other; how far each file has come is written down
//! when a block is on the stream. Ended in between, a block is put again under the same names.

use std::cell::RefCell;
use std::iter::Peekable;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use tidewatch_alert::printable;
use tidewatch_aws::stream::KinesisStream;
use tidewatch_aws::stream::feed::{FeedCheckpoint, Feeder};
use tidewatch_aws::stream::pack::{Block, Blocks, Cut, Feed};
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::limits::FUTURE_MAX;
use tidewatch_core::signal::LogStream;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::Ingest;
use tidewatch_ingest::username::Usernames;

use crate::args::{FeedArgs, Output, PricingArgs, ReadArgs, ReportArgs};
use crate::calendar::Calendar;
use crate::commands::{counted, started};
use crate::exit::{Exit, Failure};
use crate::feeding::{Faults, Feeding};
use crate::hearing;
use crate::lines::Lines;
use crate::output::say;
use crate::pipeline::interrupted;
use crate::progress::Progress;
use crate::settings::{self, Reading};
use crate::whole_file;

/// The account that fed events are said to be of, where they are not a rehearsal's: none.
const NO_ACCOUNT: &str = "000000000000";

/// The oldest events that the deployed function counts: what CloudWatch Logs itself takes.
const TOO_OLD: Span = Span::minutes(14 * 24 * 60);

/// Seconds between two lines said about the run where there is no terminal to draw on.
const SAID_EVERY: Span = Span::seconds(30);

/// When lines are put, and how they are dated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pacing {
    /// At once, with the times they have.
    AtOnce,
    /// As many a second, dated when they are put.
    Rate(f64),
    /// At the distances they have, the first one now.
    AsRecorded,
}

/// A file on its way.
struct Source<'i> {
    name: String,
    feed: Feed,
    blocks: Peekable<Blocks<Feeding<'i>>>,
}

/// What is said in the end.
#[derive(Default)]
struct Total {
    lines: u64,
    too_long: u64,
    oldest: Option<Time>,
}

/// Feeds.
///
/// # Errors
/// If the command line is faulty, or a checkpoint is another feed's.
pub async fn run(args: FeedArgs) -> Result<Exit, Failure> {
    let pacing = pacing(&args)?;
    settings::inputs(&args.files)?;
    let reading = reading(&args)?;
    let mut checkpoint = checkpoint(&args)?;
    let config = client::from_environment().await.context("AWS")?;
    let pace = TokioPace::start().context("feed")?;
    let feeder = Feeder::new(KinesisStream::new(&config, &args.stream), pace);
    let ingest = hearing::ingest(&reading);
    let (progress, faults) = (Progress::new(true), Faults::default());
    let mut exit = Exit::Done;
    let mut sources = Vec::new();
    for (nth, path) in args.files.iter().enumerate() {
        let opened = open(path, &progress);
        match opened {
            Ok(lines) => {
                let reads = (&ingest, &reading, &faults);
                sources.push(source(&args, pacing, checkpoint.run, (nth, path), lines, reads));
            }
            Err(error) => {
                let name = path.display().to_string();
                say(format_args!("tidewatch: cannot open {}: {error}", printable(&name)));
                exit = Exit::Failed;
            }
        }
    }
    let mut feeding =
        Run { args: &args, pacing, feeder, total: Total::default(), shift: None, said: started() };
    let fed = tokio::select! {
        fed = feeding.all(&mut sources, &mut checkpoint) => Some(fed),
        () = interrupted() => None,
    };
    progress.finish();
    for fault in faults.borrow().iter() {
        say(format_args!("tidewatch: {}", printable(fault)));
        exit = Exit::Failed;
    }
    match &fed {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            exit = Exit::Failed;
        }
        None => say(format_args!("tidewatch: interrupted; this is the part until then")),
    }
    feeding.tell(matches!(fed, Some(Ok(()))));
    Ok(exit)
}

fn pacing(args: &FeedArgs) -> Result<Pacing> {
    match args.rate {
        Some(rate) if rate > 0.0 && rate.is_finite() => Ok(Pacing::Rate(rate)),
        Some(rate) => bail!("--rate {rate}: lines a second, more than 0"),
        None if args.as_recorded => Ok(Pacing::AsRecorded),
        None => Ok(Pacing::AtOnce),
    }
}

/// Lines are read as `replay` would, under a key that is used for nothing else.
fn reading(args: &FeedArgs) -> Result<Reading, Failure> {
    let read = ReadArgs {
        input_kind: "auto".to_owned(),
        formats: None,
        lists: Vec::new(),
        asn_db: None,
        users: None,
        drivers: false,
        year: args.year,
        tz: args.tz.clone(),
        not_after: None,
    };
    let report = ReportArgs {
        output: Output::Text,
        detectors: None,
        with: Vec::new(),
        pricing: PricingArgs::default(),
        usernames: None,
        memory: String::new(),
        stats: false,
    };
    settings::reading(&read, &report, settings::tag_key()?, Usernames::Fold, started())
}

/// The one that is there, if it is of this very feed; else a new one.
fn checkpoint(args: &FeedArgs) -> Result<FeedCheckpoint> {
    let files: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
    let asked = format!(
        "{} {:?} {} {} {} {}",
        args.stream,
        args.rate,
        args.as_recorded,
        args.simulated,
        args.log_group,
        files.join(" ")
    );
    let Some(path) = &args.checkpoint else { return Ok(FeedCheckpoint::begin(chance()?, asked)) };
    let named = || format!("--checkpoint {}", path.display());
    let Some(text) = whole_file::read(path).with_context(named)? else {
        return Ok(FeedCheckpoint::begin(chance()?, asked));
    };
    let read: FeedCheckpoint = serde_json::from_str(&text)
        .with_context(|| format!("{}: it is no checkpoint of `tidewatch feed`", named()))?;
    if read.asked != asked {
        bail!(
            "{}: it is of another feed ({}); name the same stream, files and options, or another checkpoint",
            named(),
            printable(&read.asked)
        );
    }
    Ok(read)
}

fn chance() -> Result<u64> {
    getrandom::u64().map_err(|error| anyhow!("the system has no random bytes: {error}"))
}

fn open(path: &Path, progress: &Progress) -> std::io::Result<Lines> {
    if path == Path::new("-") {
        return Lines::of(progress.counted(std::io::stdin()));
    }
    let file = std::fs::File::open(path)?;
    progress.expect(file.metadata()?.len());
    Lines::of(progress.counted(file))
}

fn source<'i>(
    args: &FeedArgs,
    pacing: Pacing,
    run: u64,
    (nth, path): (usize, &Path),
    lines: Lines,
    (ingest, reading, faults): (&'i Ingest, &Reading, &Rc<RefCell<Vec<String>>>),
) -> Source<'i> {
    let name = path.display().to_string();
    let calendar = Calendar::new(reading.zone.clone(), reading.year, started().plus(FUTURE_MAX));
    let named = (args.log_group.clone(), name.clone());
    let lines = Feeding::new(ingest, lines, named, calendar, started(), Rc::clone(faults));
    let owner = if args.simulated { LogStream::SIMULATED } else { NO_ACCOUNT };
    let cut = match pacing {
        Pacing::AtOnce => Cut { lines_max: usize::MAX, span: None },
        // Twice a second, or line by line.
        Pacing::Rate(rate) => Cut { lines_max: (rate / 2.0) as usize, span: None },
        Pacing::AsRecorded => Cut { lines_max: usize::MAX, span: Some(Span::seconds(1)) },
    };
    Source {
        name,
        feed: Feed { owner: owner.to_owned(), run, input: nth as u32 },
        blocks: Blocks::new(lines, cut).peekable(),
    }
}

struct Run<'a> {
    args: &'a FeedArgs,
    pacing: Pacing,
    feeder: Feeder<KinesisStream, TokioPace>,
    total: Total,
    /// From the times of lines to those at which they are put.
    shift: Option<Span>,
    said: Time,
}

impl Run<'_> {
    /// Puts all blocks, the earliest first.
    async fn all(
        &mut self,
        sources: &mut [Source<'_>],
        checkpoint: &mut FeedCheckpoint,
    ) -> Result<()> {
        for source in &mut *sources {
            for _ in 0..checkpoint.done(&source.name) {
                source.blocks.next();
            }
        }
        loop {
            let begins =
                |source: &mut Source<'_>| source.blocks.peek().map(|block| block.lines[0].time);
            let dated = sources.iter_mut().filter_map(|source| Some((begins(source)?, source)));
            let Some((_, source)) = dated.min_by_key(|(time, _)| *time) else { return Ok(()) };
            let Some(block) = source.blocks.next() else { return Ok(()) };
            let (number, lines) = (block.number, block.lines.len() as u64);
            let packed = source.feed.pack(&self.dated(block).await);
            self.feeder.put(&packed.entries).await?;
            for line in &packed.too_long {
                let name = printable(&source.name);
                say(format_args!(
                    "tidewatch: {name}: line {line} is too long for a record, and left out"
                ));
            }
            self.total.lines += lines;
            self.total.too_long += packed.too_long.len() as u64;
            checkpoint.blocks.insert(source.name.clone(), number);
            self.keep(checkpoint)?;
            self.tell_now_and_then();
        }
    }

    /// Waits until it is the block's turn, and gives its lines the times they are put with.
    async fn dated(&mut self, mut block: Block) -> Block {
        let first = block.lines[0].time;
        self.total.oldest = self.total.oldest.map_or(Some(first), |oldest| Some(oldest.min(first)));
        match self.pacing {
            Pacing::AtOnce => {}
            Pacing::AsRecorded => {
                let now = self.feeder.pace().now();
                let shift = *self.shift.get_or_insert(Span(now.0 - first.0));
                let due = first.plus(shift);
                self.feeder.pace().wait(Span(due.0.saturating_sub(now.0).max(0))).await;
                block.lines.iter_mut().for_each(|line| line.time = line.time.plus(shift));
            }
            Pacing::Rate(rate) => {
                let now = self.feeder.pace().now();
                let begun = now.0 - self.shift.get_or_insert(Span(now.0)).0;
                let due = (self.total.lines as f64 / rate * 1_000.0) as i64;
                self.feeder.pace().wait(Span((due - begun).max(0))).await;
                let now = self.feeder.pace().now();
                block.lines.iter_mut().for_each(|line| line.time = now);
            }
        }
        block
    }

    fn keep(&self, checkpoint: &FeedCheckpoint) -> Result<()> {
        let Some(path) = &self.args.checkpoint else { return Ok(()) };
        let json = serde_json::to_vec(checkpoint)?;
        whole_file::replace(path, &json).with_context(|| format!("--checkpoint {}", path.display()))
    }

    fn tell_now_and_then(&mut self) {
        let now = self.feeder.pace().now();
        if now >= self.said.plus(SAID_EVERY) {
            self.said = now;
            let (lines, told) = (self.total.lines, self.feeder.told());
            say(format_args!("tidewatch: {lines} lines so far, {} records put again", told.again));
        }
    }

    /// The end of it.
    fn tell(&self, is_whole: bool) {
        let told = self.feeder.told();
        let mut text = format!(
            "fed {} as {} ({}) to {}",
            counted(self.total.lines, "line"),
            counted(told.records, "record"),
            bytesize::ByteSize(told.bytes),
            printable(&self.args.stream)
        );
        if told.again > 0 {
            let last = told.trouble.as_deref().unwrap_or("no answer");
            text.push_str(&format!(
                "; {} put again, last because of: {}",
                told.again,
                printable(last)
            ));
        }
        if self.total.too_long > 0 {
            text.push_str(&format!(
                "; {} too long, left out",
                counted(self.total.too_long, "line")
            ));
        }
        say(format_args!("{text}"));
        let too_old = started().minus(TOO_OLD);
        if self.pacing == Pacing::AtOnce && self.total.oldest.is_some_and(|oldest| oldest < too_old)
        {
            say(format_args!(
                "some are more than 14 days old: the deployed function counts none of these; with --as-recorded or \
                 --rate lines are dated now"
            ));
        }
        if let (false, Some(path)) = (is_whole, &self.args.checkpoint) {
            let path = path.display().to_string();
            say(format_args!("the same command goes on from {}", printable(&path)));
        }
    }
}
