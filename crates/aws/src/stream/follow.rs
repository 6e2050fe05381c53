//! Follows a stream: all of its shards, each in order, parents before children, for as long as one asks.
//!
//! The rules are those of AWS's own consumers
//! (<https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html>): a shard
//! is begun once all of its parents have been read to their end; an iterator that expired is replaced by one
//! behind the last record that was read; a shard is asked for records five times a second at most, and no
//! more than 2 MB of them a second (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>).
//!
//! Invariants: between two awaits the checkpoint and what was delivered agree, so that a follower may be
//! dropped at any of them; a record is delivered once, in the order of its shard; nothing is skipped in
//! silence: a shard that is gone before it was read to its end is named.

use std::collections::{BTreeMap, BTreeSet};

use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use super::checkpoint::{Checkpoint, Progress};
use super::{Page, ReadError, Record, Shard, Stream};
use crate::failure::Failure;

/// How long a shard is left alone after an answer: 4 requests a second leave one of the 5 to somebody else.
pub const READ_PAUSE: Span = Span(250);

/// The same where the answer was that there is nothing new.
pub const IDLE_PAUSE: Span = Span(1_000);

/// Bytes a second that may be read of a shard.
const READ_BYTES_PER_SECOND: i64 = 2_000_000;

/// How long a shard is left alone after a failure, at first and at most; doubled from one to the next.
const FAILED_PAUSE_MIN: Span = Span(500);
const FAILED_PAUSE_MAX: Span = Span(30_000);

/// How often it is looked for new shards, though none has ended: somebody may have added some while their
/// parents expired.
const SHARDS_LISTED_EVERY: Span = Span(60_000);

/// Follows a stream from a checkpoint on.
#[derive(Debug)]
pub struct Follower<S, P> {
    stream: S,
    pace: P,
    checkpoint: Checkpoint,
    /// Those that still hold records, with their parents.
    shards: BTreeMap<String, Shard>,
    reading: BTreeMap<String, Reading>,
    list_at: Time,
    list_failures: u32,
}

/// A shard that is being read.
#[derive(Debug)]
struct Reading {
    iterator: Option<String>,
    /// When it may be asked next.
    at: Time,
    failures: u32,
    /// Whether it was said not to be there.
    missed: bool,
}

impl Reading {
    fn from(iterator: Option<String>, at: Time) -> Reading {
        Reading { iterator, at, failures: 0, missed: false }
    }
}

/// What one step brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// New records of one shard, in order; often none.
    pub records: Vec<Record>,
    /// Records that had come before under the same name, and were left out.
    pub copies: u64,
    /// How far behind the shard's newest record this is, in milliseconds.
    pub behind_ms: i64,
    /// Why there is nothing, where that may pass; it will be tried again.
    pub trouble: Option<String>,
    /// Shards that are gone, with what of them was not read.
    pub lost: Vec<String>,
}

impl<S: Stream, P: Pace> Follower<S, P> {
    /// Goes on from `checkpoint`. Sends nothing yet.
    pub fn new(stream: S, pace: P, checkpoint: Checkpoint) -> Follower<S, P> {
        Follower {
            stream,
            pace,
            checkpoint,
            shards: BTreeMap::new(),
            reading: BTreeMap::new(),
            list_at: Time::MIN,
            list_failures: 0,
        }
    }

    /// How far it has come: behind everything that was delivered.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Waits for the next thing to do, and does it. May be dropped at any await.
    ///
    /// # Errors
    /// If somebody must act before there can be records.
    pub async fn next(&mut self) -> Result<Delivery, Failure> {
        let due = self.reading.iter().min_by_key(|(_, reading)| reading.at);
        let due = due.map(|(shard, reading)| (shard.clone(), reading.at));
        let now = self.pace.now();
        match due {
            Some((shard, at)) if at < self.list_at => {
                self.pace.wait(left(now, at)).await;
                self.read(&shard).await
            }
            _ => {
                self.pace.wait(left(now, self.list_at)).await;
                self.list().await
            }
        }
    }

    /// Looks which shards there are, and begins those whose turn it is.
    async fn list(&mut self) -> Result<Delivery, Failure> {
        let listed = match self.stream.shards().await {
            Ok(listed) => listed,
            Err(failure) if failure.is_passing() => {
                self.list_at = self.pace.now().plus(pause_after(self.list_failures));
                self.list_failures += 1;
                return Ok(Delivery { trouble: Some(failure.to_string()), ..Delivery::default() });
            }
            Err(failure) => return Err(failure),
        };
        self.list_failures = 0;
        self.list_at = self.pace.now().plus(SHARDS_LISTED_EVERY);
        self.shards = listed.into_iter().map(|shard| (shard.id.clone(), shard)).collect();
        let lost = self.forget_gone();
        self.begin_ready();
        Ok(Delivery { lost, ..Delivery::default() })
    }

    /// Drops what is kept of shards that hold no records any more; those that were not read to their end are
    /// named.
    fn forget_gone(&mut self) -> Vec<String> {
        // What had ended is kept until the children are there, or they would count as without parents.
        let parents: BTreeSet<&String> =
            self.shards.values().flat_map(|shard| &shard.parents).collect();
        let mut lost = Vec::new();
        for (shard, progress) in &mut self.checkpoint.shards {
            if self.shards.contains_key(shard) || *progress == Progress::Ended {
                continue;
            }
            lost.push(match progress {
                Progress::After(sequence) => format!("{shard}, behind {sequence}"),
                _ => shard.clone(),
            });
            *progress = Progress::Ended;
        }
        let shards = &self.shards;
        self.checkpoint
            .shards
            .retain(|shard, _| shards.contains_key(shard) || parents.contains(shard));
        self.reading.retain(|shard, _| shards.contains_key(shard));
        lost
    }

    /// Begins to read the shards whose parents have been read to their end, or are gone.
    fn begin_ready(&mut self) {
        for (id, shard) in &self.shards {
            if self.checkpoint.has_ended(id) || self.reading.contains_key(id) {
                continue;
            }
            let known = &self.checkpoint.shards;
            let waits = |parent: &String| {
                self.shards.contains_key(parent) && !self.checkpoint.has_ended(parent)
            };
            if shard.parents.iter().any(waits) {
                continue;
            }
            let follows = shard.parents.iter().any(|parent| known.contains_key(parent));
            let progress = if follows { Progress::Begun } else { Progress::Waiting };
            self.checkpoint.shards.entry(id.clone()).or_insert(progress);
            self.reading.insert(id.clone(), Reading::from(None, Time::MIN));
        }
    }

    /// Asks `shard` for records.
    async fn read(&mut self, shard: &str) -> Result<Delivery, Failure> {
        let answer = match self.reading.get(shard).and_then(|reading| reading.iterator.clone()) {
            Some(iterator) => self.stream.records(&iterator).await,
            None => {
                let position = self.checkpoint.position(shard);
                match self.stream.iterator(shard, &position).await {
                    Ok(iterator) => {
                        // Not counted as a request for records: it has a limit of its own, as high.
                        self.reading_of(shard).iterator = Some(iterator);
                        return Ok(Delivery::default());
                    }
                    Err(failure) => Err(ReadError::Failed(failure)),
                }
            }
        };
        match answer {
            Ok(page) => Ok(self.take(shard, page)),
            Err(ReadError::Expired) => {
                // The request counts against the limit as any other.
                let at = self.pace.now().plus(READ_PAUSE);
                *self.reading_of(shard) = Reading::from(None, at);
                Ok(Delivery::default())
            }
            Err(ReadError::Failed(failure)) if failure.is_passing() => {
                let now = self.pace.now();
                let reading = self.reading_of(shard);
                reading.at = now.plus(pause_after(reading.failures));
                reading.failures += 1;
                Ok(Delivery { trouble: Some(failure.to_string()), ..Delivery::default() })
            }
            // The shard is gone, or the stream: the list tells which.
            Err(ReadError::Failed(Failure::Missing(says))) if !self.reading_of(shard).missed => {
                self.reading_of(shard).missed = true;
                self.list_at = Time::MIN;
                Ok(Delivery { trouble: Some(says), ..Delivery::default() })
            }
            Err(ReadError::Failed(failure)) => Err(failure),
        }
    }

    fn reading_of(&mut self, shard: &str) -> &mut Reading {
        let begun = || Reading::from(None, Time::MIN);
        self.reading.entry(shard.to_owned()).or_insert_with(begun)
    }

    /// Takes in what was answered.
    fn take(&mut self, shard: &str, page: Page) -> Delivery {
        let Page { records, next, behind_ms } = page;
        let bytes: usize = records.iter().map(|record| record.data.len()).sum();
        self.checkpoint.deliver();
        if let Some(last) = records.last() {
            let after = Progress::After(last.sequence.clone());
            self.checkpoint.shards.insert(shard.to_owned(), after);
        }
        let before = records.len();
        let is_idle = before == 0 && behind_ms == 0;
        let new = |record: &Record| !self.checkpoint.is_copy(&record.partition_key);
        let records: Vec<Record> = records.into_iter().filter(new).collect();
        let copies = (before - records.len()) as u64;
        match next {
            Some(next) => {
                let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                let rest = bytes.saturating_mul(1_000) / READ_BYTES_PER_SECOND;
                let pause = if is_idle { IDLE_PAUSE } else { READ_PAUSE.max(Span(rest)) };
                let at = self.pace.now().plus(pause);
                self.reading.insert(shard.to_owned(), Reading::from(Some(next), at));
            }
            None => {
                self.checkpoint.shards.insert(shard.to_owned(), Progress::Ended);
                self.reading.remove(shard);
                // Its children may be known already, or have to be looked for.
                self.list_at = Time::MIN;
            }
        }
        Delivery { records, copies, behind_ms, ..Delivery::default() }
    }
}

fn left(now: Time, at: Time) -> Span {
    Span(at.0.saturating_sub(now.0).max(0))
}

fn pause_after(failures: u32) -> Span {
    Span(FAILED_PAUSE_MIN.0 << failures.min(10)).min(FAILED_PAUSE_MAX)
}
