//! The event source mapping, as Lambda has it: one reader a shard, batches strictly in order, the next
//! one only after the one before has been dealt with, whatever it takes.
//!
//! A failed batch is delivered again, with its boundaries moved or cut in half; one that was dealt with
//! in part, from the first record that was not. Delivery is therefore at least once, never in order
//! beyond the shard, and never once.

use std::sync::{Arc, Mutex};

use tidewatch_core::delivery::{Acknowledged, Record};
use tidewatch_core::sequence::{Sequence, ShardId};

use super::environment::{Ending, Fleet, Work};
use super::executor::{Clock, Notice, lock};
use super::source::{Found, Source};

/// Failures in a row after which a batch is spared further bad luck of its own.
const FAILURES_MAX: u32 = 6;

/// Reads all shards of a stream.
#[derive(Debug)]
pub struct Mapping {
    /// What it reads.
    pub source: Arc<Source>,
    /// Who deals with it.
    pub fleet: Arc<Fleet>,
    /// The most records of a batch.
    pub batch_records_max: usize,
    /// How long a batch is gathered for.
    pub window_ms: i64,
    /// Batches of one shard that are under way at once: Lambda's ParallelizationFactor. Anything but 1
    /// breaks the order of a shard.
    pub parallel: usize,
    /// What it saw.
    pub log: Mutex<Log>,
}

/// What the readers saw.
#[derive(Debug, Default)]
pub struct Log {
    /// Deliveries.
    pub deliveries: u64,
    /// Deliveries that failed as a whole.
    pub failures: u64,
    /// Deliveries that were dealt with in part.
    pub partial: u64,
    /// Answers that no sound product gives.
    pub faults: Vec<String>,
    /// For each shard and each of its records: when it needed not come again.
    pub acknowledged_ms: Vec<Vec<i64>>,
}

impl Mapping {
    /// Starts a reader for a shard.
    pub fn read(self: &Arc<Mapping>, shard: ShardId) {
        let mapping = Arc::clone(self);
        self.clock().spawn(async move { mapping.reader(shard).await });
    }

    fn clock(&self) -> &Clock {
        &self.fleet.clock
    }

    async fn reader(self: &Arc<Mapping>, shard: ShardId) {
        loop {
            let source = &self.source;
            source.changed.wait(|| source.shards().found(shard) != Found::Nothing).await;
            if source.shards().found(shard) == Found::End {
                return;
            }
            self.clock().sleep(self.window_ms).await;
            let batch = self.waiting(shard, usize::MAX);
            if self.parallel == 1 {
                let read = self.deal(shard, &batch).await;
                self.dealt(shard, read);
                continue;
            }
            self.deal_at_once(shard, batch).await;
        }
    }

    /// Records that wait, at most as many as a batch takes.
    fn waiting(&self, shard: ShardId, most: usize) -> Vec<Arc<Record>> {
        let mut shards = self.source.shards();
        let shard = shards.shard(shard);
        let most = most.min(self.batch_records_max);
        shard.records[shard.checkpoint..].iter().take(most).cloned().collect()
    }

    /// Delivers the head of what waits until some of it has been dealt with; gives how many records
    /// were.
    async fn deal(&self, shard: ShardId, batch: &[Arc<Record>]) -> usize {
        let chance = &self.fleet.weather.chance;
        let mut most = self.batch_records_max;
        let mut batch = batch.to_vec();
        let mut failures = 0;
        loop {
            if failures > 0 && self.parallel == 1 {
                // A retry takes what waits now: its boundaries have moved.
                batch = self.waiting(shard, most);
            }
            self.fleet.trace.note(format!("shard{}", shard.0), || {
                let ends = [&batch[0], &batch[batch.len() - 1]].map(|record| tail(record.sequence));
                let len = batch.len();
                format!("delivers {len} records, {}..{}, failed {failures} times", ends[0], ends[1])
            });
            lock(&self.log).deliveries += 1;
            let work = Work::Batch(shard, batch.clone());
            match self.fleet.invoke(work, failures >= FAILURES_MAX).await {
                Ending::Acknowledged(acknowledged) => {
                    let read = self.read_of(&batch, &acknowledged);
                    if read > 0 {
                        return read;
                    }
                }
                Ending::Failed(_) => {
                    lock(&self.log).failures += 1;
                    if chance.happens(0.4) {
                        most = batch.len().div_ceil(2);
                    }
                }
            }
            failures += 1;
            let pause_ms = (200i64 << failures.min(7)).min(30_000);
            self.clock().sleep(chance.within(pause_ms / 2..pause_ms)).await;
        }
    }

    /// How many records of a batch need not come again.
    fn read_of(&self, batch: &[Arc<Record>], acknowledged: &Acknowledged) -> usize {
        let Some(first) = acknowledged.first_unapplied else { return batch.len() };
        let mut log = lock(&self.log);
        log.partial += 1;
        let place = batch.iter().position(|record| record.sequence == first);
        if place.is_none() {
            // Lambda takes an unknown identifier for "the whole batch failed".
            log.faults.push(format!("{first} is no record of the batch that was acknowledged"));
        }
        place.unwrap_or(0)
    }

    /// Moves the checkpoint, and notes when.
    fn dealt(&self, shard: ShardId, read: usize) {
        let to = self.source.shards().shard(shard).checkpoint + read;
        let now_ms = self.clock().now_ms();
        let mut log = lock(&self.log);
        let index = shard.0 as usize;
        if log.acknowledged_ms.len() <= index {
            log.acknowledged_ms.resize(index + 1, Vec::new());
        }
        log.acknowledged_ms[index].resize(to, now_ms);
        drop(log);
        self.fleet
            .trace
            .note(format!("shard{index}"), || format!("is read up to its {to}th record"));
        self.source.checkpoint(shard, to);
    }

    /// The control: what waits is cut into lanes that are dealt with at the same time.
    async fn deal_at_once(self: &Arc<Mapping>, shard: ShardId, batch: Vec<Arc<Record>>) {
        let len = batch.len();
        let left = Arc::new((Mutex::new(0usize), Notice::default()));
        for lane in 0..self.parallel {
            let records: Vec<Arc<Record>> =
                batch.iter().skip(lane).step_by(self.parallel).cloned().collect();
            if records.is_empty() {
                continue;
            }
            *lock(&left.0) += 1;
            let (mapping, left) = (Arc::clone(self), Arc::clone(&left));
            self.clock().spawn(async move {
                let mut from = 0;
                while from < records.len() {
                    from += mapping.deal(shard, &records[from..]).await;
                }
                *lock(&left.0) -= 1;
                left.1.tell();
            });
        }
        left.1.wait(|| *lock(&left.0) == 0).await;
        self.dealt(shard, len);
    }
}

/// Enough of a sequence number to tell it from others of its run.
pub fn tail(sequence: Sequence) -> String {
    let digits = sequence.to_string();
    format!("…{}", &digits[digits.len().saturating_sub(8)..])
}
