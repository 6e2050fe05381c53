//! A Kinesis stream as an input: its records read as the deployed function reads them, on a thread of their
//! own, with what to write down once they are dealt with.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use tidewatch_alert::printable;
use tidewatch_aws::stream::KinesisStream;
use tidewatch_aws::stream::checkpoint::Checkpoint;
use tidewatch_aws::stream::follow::{Delivery, Follower};
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::time::Time;
use tidewatch_ingest::{Batch, Buffers};
use tokio::sync::mpsc;

use crate::args::FollowArgs;
use crate::calendar::Calendar;
use crate::commands::started;
use crate::hearing::Hearing;
use crate::keeper::Keeper;
use crate::output::say;
use crate::pipeline::{Parcel, Reader, read_by};
use crate::progress::Progress;
use crate::settings::Reading;
use crate::whole_file;

/// A stream that is to be followed.
pub struct Following {
    follower: Follower<KinesisStream, TokioPace>,
    path: Option<PathBuf>,
}

/// What `args` ask for, of stream `name`.
///
/// # Errors
/// If they are faulty, or the checkpoint is another stream's.
pub async fn begin(name: &str, args: &FollowArgs) -> Result<Following> {
    let since = match &args.since {
        None => started(),
        Some(text) => since(text)?,
    };
    let begin = || Checkpoint::begin(name, since);
    let checkpoint = match &args.checkpoint {
        None => begin(),
        Some(path) => {
            let named = || format!("--checkpoint {}", path.display());
            match whole_file::read(path).with_context(named)? {
                None => begin(),
                Some(text) => Checkpoint::read(&text, name).with_context(named)?,
            }
        }
    };
    let config = client::from_environment().await.context("AWS")?;
    let pace = TokioPace::start().context("watch")?;
    let follower = Follower::new(KinesisStream::new(&config, name), pace, checkpoint);
    Ok(Following { follower, path: args.checkpoint.clone() })
}

/// A time, or a span before now.
///
/// # Errors
/// If it is neither.
pub fn since(text: &str) -> Result<Time> {
    if let Some(span) = tidewatch_rules::duration::parse(text) {
        return Ok(started().minus(span));
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        anyhow!("--since {text}: neither an RFC 3339 time such as 2026-11-22T18:00:00Z nor a span such as 2h")
    })?;
    Ok(Time(time.as_millisecond()))
}

impl Following {
    /// Reads it as `reading` says until the run ends.
    pub fn read(self, reading: &Reading, progress: &Progress) -> Reader {
        let calendar = Calendar::new(reading.zone.clone(), reading.year, reading.admission.latest);
        let mut taking = Taking {
            hearing: Hearing::new(reading, true),
            calendar,
            buffers: Buffers::default(),
            progress: progress.clone(),
            trouble: None,
        };
        let keeper = self.path.map(Keeper::new);
        let mut follower = self.follower;
        let runtime = tokio::runtime::Handle::current();
        let reads = move |sender: mpsc::Sender<Parcel>| {
            runtime.block_on(async move {
                loop {
                    // The run ends when nobody takes parcels any more, also while nothing comes.
                    let step = tokio::select! {
                        () = sender.closed() => return,
                        step = follower.next() => step,
                    };
                    let parcel = match step {
                        Ok(delivery) => taking.take(delivery, follower.checkpoint()),
                        Err(failure) => {
                            let faults = vec![failure.to_string()];
                            drop(sender.send(Parcel { faults, ..Parcel::default() }).await);
                            return;
                        }
                    };
                    if let Some(parcel) = parcel
                        && sender.send(parcel).await.is_err()
                    {
                        return;
                    }
                }
            });
        };
        read_by(reads, keeper)
    }
}

/// What makes signals of records.
struct Taking {
    hearing: Hearing,
    calendar: Calendar,
    buffers: Buffers,
    progress: Progress,
    /// What was said last, so that it is said once.
    trouble: Option<String>,
}

impl Taking {
    /// What of a delivery is to be dealt with; `None` where there is nothing.
    fn take(&mut self, delivery: Delivery, checkpoint: &Checkpoint) -> Option<Parcel> {
        for lost in &delivery.lost {
            say(format_args!(
                "tidewatch: {} is gone before it was read to its end: what was left in it is lost",
                printable(lost)
            ));
        }
        if let Some(trouble) = &delivery.trouble
            && self.trouble.as_ref() != Some(trouble)
        {
            say(format_args!("tidewatch: {}; trying again", printable(trouble)));
        }
        if delivery.trouble.is_some() || !delivery.records.is_empty() {
            self.trouble = delivery.trouble;
        }
        if delivery.records.is_empty() && delivery.copies == 0 {
            return None;
        }
        let mut batch = Batch::default();
        let ingest = self.hearing.now();
        for record in &delivery.records {
            self.progress.add(record.data.len() as u64);
            ingest.record(&record.data, &record.sequence, &mut self.buffers, &mut batch);
        }
        let Batch { signals, mut tally, .. } = batch;
        let dated = self.calendar.date(signals, &mut tally);
        let mark = Some(checkpoint.to_json());
        Some(Parcel { signals: dated, tally, faults: Vec::new(), mark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_span() {
        assert_eq!(since("2026-11-10T06:00:00Z").expect("a time"), Time(1_794_290_400_000));
        let hour = started().0 - since("1h").expect("a span").0;
        assert!((3_599_000..=3_600_000).contains(&hour), "{hour}");
        assert!(since("yesterday").is_err());
    }
}
