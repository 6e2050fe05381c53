//! Puts records on a stream until all are there, each log stream's in order.
//!
//! `PutRecords` promises no order and may take some records of a request and not others
//! (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>). So a request holds at
//! most one record of each log stream, and the next one of it goes out when that is known to be there. What
//! was not taken is put again, and nothing else; after a request that nobody answered all of it is, for any
//! of it may be missing: those records may then be there twice, under the same name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;

use super::{Entry, PUT_BYTES_MAX, PUT_RECORDS_MAX, Stream};
use crate::failure::Failure;

/// How long it is tried at least without a single record being taken, before it is given up.
pub const GIVEN_UP_AFTER: Span = Span::minutes(5);

/// The first wait after records were not taken is at most this, and none is longer than the second.
const WAIT_MIN: Span = Span(200);
const WAIT_MAX: Span = Span(10_000);

/// Puts records.
#[derive(Debug)]
pub struct Feeder<S, P> {
    stream: S,
    pace: P,
    told: Told,
}

/// What came of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Records that are on the stream.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were put again, because they had not been taken or nobody had answered.
    pub again: u64,
    /// Why, the last time.
    pub trouble: Option<String>,
}

impl<S: Stream, P: Pace> Feeder<S, P> {
    /// Puts records on `stream`. Sends nothing yet.
    pub fn new(stream: S, pace: P) -> Feeder<S, P> {
        Feeder { stream, pace, told: Told::default() }
    }

    /// What came of it so far.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// The clock it goes by.
    pub fn pace(&self) -> &P {
        &self.pace
    }

    /// Puts `entries`, whose hash keys tell their log streams apart, and waits until all of them are there.
    ///
    /// # Errors
    /// If somebody must act, or nothing at all was taken for [`GIVEN_UP_AFTER`].
    pub async fn put(&mut self, entries: &[Entry]) -> Result<(), Failure> {
        let mut waiting: Vec<&Entry> = entries.iter().collect();
        let mut moved = self.pace.now();
        let mut tries = 0;
        while !waiting.is_empty() {
            let chosen = choose(&waiting);
            let request: Vec<&Entry> = chosen.iter().map(|nth| waiting[*nth]).collect();
            let (taken, trouble) = match self.stream.put(&request).await {
                Ok(became) => {
                    let done = chosen.iter().zip(&became).filter(|(_, became)| became.is_ok());
                    let done: BTreeSet<usize> = done.map(|(nth, _)| *nth).collect();
                    let refused = became.into_iter().find_map(Result::err);
                    (done, refused.map(|refused| Failure::Throttled(refused.why)))
                }
                Err(failure) if failure.is_passing() => (BTreeSet::new(), Some(failure)),
                Err(failure) => return Err(failure),
            };
            for nth in &taken {
                self.told.records += 1;
                self.told.bytes += waiting[*nth].data.len() as u64;
            }
            self.told.again += (chosen.len() - taken.len()) as u64;
            if !taken.is_empty() {
                moved = self.pace.now();
                tries = 0;
            }
            let mut nth = 0;
            waiting.retain(|_| {
                nth += 1;
                !taken.contains(&(nth - 1))
            });
            if let Some(failure) = trouble {
                self.told.trouble = Some(failure.to_string());
                if self.pace.now() >= moved.plus(GIVEN_UP_AFTER) {
                    return Err(failure);
                }
                self.pause(tries).await;
                tries += 1;
            }
        }
        Ok(())
    }

    /// A shard that is too busy has room again within the second; the waits are drawn from a range that
    /// doubles, so that several feeds do not come back together.
    async fn pause(&self, tries: u32) {
        let most = Span(WAIT_MIN.0 << tries.min(10)).min(WAIT_MAX);
        let wait = (self.pace.chance() * most.0 as f64) as i64;
        self.pace.wait(Span(wait.max(1))).await;
    }
}

/// Which of `waiting` go into the next request: the first of each log stream, as many as fit.
fn choose(waiting: &[&Entry]) -> Vec<usize> {
    let mut streams = BTreeSet::new();
    let mut bytes = 0;
    let mut chosen = Vec::new();
    for (nth, entry) in waiting.iter().enumerate() {
        let size = entry.data.len() + entry.partition_key.len();
        if chosen.len() == PUT_RECORDS_MAX || bytes + size > PUT_BYTES_MAX {
            break;
        }
        if streams.insert(entry.hash_key) {
            bytes += size;
            chosen.push(nth);
        }
    }
    chosen
}

/// How far a feed has come, for going on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedCheckpoint {
    /// Names the feed; its records have this name wherever it was gone on with.
    pub run: u64,
    /// What was asked for. Anything else would cut other blocks.
    pub asked: String,
    /// By input: how many of its blocks are on the stream.
    pub blocks: BTreeMap<String, u64>,
}

impl FeedCheckpoint {
    /// Before anything.
    pub fn begin(run: u64, asked: String) -> FeedCheckpoint {
        FeedCheckpoint { run, asked, blocks: BTreeMap::new() }
    }

    /// How many blocks of `input` are on the stream.
    pub fn done(&self, input: &str) -> u64 {
        self.blocks.get(input).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_one_record_of_each_log_stream_and_no_more_than_it_may() {
        let entry = |hash_key, bytes: usize| Entry {
            partition_key: "k".to_owned(),
            hash_key,
            data: vec![0; bytes],
        };
        let check = |entries: &[Entry], expected: &[usize]| {
            assert_eq!(choose(&entries.iter().collect::<Vec<_>>()), expected);
        };
        check(&[], &[]);
        check(&[entry(1, 9), entry(1, 9), entry(2, 9), entry(1, 9), entry(2, 9)], &[0, 2]);
        let many: Vec<Entry> = (0..600).map(|n| entry(n, 1)).collect();
        check(&many, &(0..PUT_RECORDS_MAX).collect::<Vec<_>>());
        let large: Vec<Entry> = (0..7).map(|n| entry(n, (1 << 20) - 1)).collect();
        check(&large, &[0, 1, 2, 3, 4]);
    }
}
