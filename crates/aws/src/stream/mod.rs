//! A Kinesis stream as operators use it: what is put on it, what is read from it, and what is kept of how
//! far that has come.
//!
//! [`Stream`] is the seam: [`kinesis::KinesisStream`] asks AWS, and the tests have a model whose every
//! failure is seeded. [`feed::Feeder`] puts log lines on a stream as CloudWatch Logs would;
//! [`follow::Follower`] reads all shards of one, as the deployed function would. Both keep no clock and
//! no randomness of their own: they are given a [`Pace`](tidewatch_core::table_store::table::Pace).

pub mod checkpoint;
pub mod feed;
pub mod follow;
mod kinesis;
pub mod pack;

use std::future::Future;

use tidewatch_core::time::Time;

use crate::failure::Failure;

pub use kinesis::KinesisStream;

/// A record's data and partition key together, at most
/// (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>). Streams may be set to
/// take more; this one fits all.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Records of one `PutRecords`.
pub const PUT_RECORDS_MAX: usize = 500;

/// Bytes of one `PutRecords`, partition keys included. AWS says 10 MiB since 2025 and said 5 before.
pub const PUT_BYTES_MAX: usize = 5 << 20;

/// A shard: an ordered part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// `shardId-000000000012`.
    pub id: String,
    /// Those it was split from or merged of: none, one or two. All of theirs was put before any of its.
    pub parents: Vec<String>,
}

/// Where reading a shard begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the oldest record there is.
    Start,
    /// At the first record that arrived then or later.
    At(Time),
    /// Behind the record of this sequence number.
    After(String),
}

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the shard.
    pub sequence: String,
    /// What it was put under.
    pub partition_key: String,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// What one request for records brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In their order; may be none although there are more.
    pub records: Vec<Record>,
    /// What to ask with next; `None` where the shard has ended, split or merged.
    pub next: Option<String>,
    /// How far behind the newest record of the shard this is, in milliseconds.
    pub behind_ms: i64,
}

/// Why there are no records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The iterator is older than five minutes: another is needed.
    Expired,
    /// Anything else.
    Failed(Failure),
}

/// A record to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names the record; not what decides its shard.
    pub partition_key: String,
    /// Decides the shard: records of one log stream have the same.
    pub hash_key: u128,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Why one record of several was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// What the service says.
    pub why: String,
}

/// A stream that can be read and written.
pub trait Stream: Send + Sync {
    /// All shards that still hold records, ended ones too.
    fn shards(&self) -> impl Future<Output = Result<Vec<Shard>, Failure>> + Send;

    /// What to ask for the records of `shard` with, from `position` on. [`Failure::Missing`] where there is
    /// no such shard.
    fn iterator(
        &self,
        shard: &str,
        position: &Position,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Records from `iterator` on.
    fn records(&self, iterator: &str) -> impl Future<Output = Result<Page, ReadError>> + Send;

    /// Puts records, at most [`PUT_RECORDS_MAX`] of [`PUT_BYTES_MAX`]; what became of each, in the order of
    /// `entries`. Some may be taken and others not, in any order.
    fn put(
        &self,
        entries: &[&Entry],
    ) -> impl Future<Output = Result<Vec<Result<(), NotTaken>>, Failure>> + Send;
}
