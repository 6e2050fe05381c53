//! How far a stream has been followed: what a reader needs to go on where another was ended, at whatever
//! moment that was.
//!
//! It is a value: who follows takes one with each delivery and writes it down once that is dealt with. Its
//! JSON has a version, and a file of another is refused rather than guessed at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidewatch_core::time::Time;

use super::Position;
use super::pack::FedName;

/// The version of its JSON.
const VERSION: u32 = 1;

/// Log streams of feeds whose last record is remembered; beyond it those are forgotten that nothing came
/// of for longest. A copy of what is forgotten would count again.
pub const FED_STREAMS_MAX: usize = 10_000;

/// How far a stream has been followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    version: u32,
    /// The stream's name, so that no other is gone on with.
    pub stream: String,
    /// From when on records are asked for, in milliseconds since 1970: of shards without a parent that was
    /// followed.
    pub since_ms: i64,
    /// How far each shard has been read.
    pub shards: BTreeMap<String, Progress>,
    /// Deliveries taken in, which orders `fed`.
    deliveries: u64,
    /// Of each log stream that `tidewatch feed` writes, the last record and the delivery it came with.
    fed: BTreeMap<String, (u64, u64)>,
}

/// How far a shard has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Nothing of it; it is read from its start on, since its parents were.
    Begun,
    /// Nothing of it; it is read from `since_ms` on.
    Waiting,
    /// As far as this sequence number.
    After(String),
    /// All of it.
    Ended,
}

/// A checkpoint that cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not JSON, or not ours.
    #[error(
        "it is no checkpoint of this version ({0}); name another file, or remove it to begin anew"
    )]
    Unreadable(String),
    /// Of another stream.
    #[error("it is of stream `{found}`, not of `{wanted}`; name another file")]
    OtherStream {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
}

impl Checkpoint {
    /// Before everything that arrived at `since` or later.
    pub fn begin(stream: &str, since: Time) -> Checkpoint {
        Checkpoint {
            version: VERSION,
            stream: stream.to_owned(),
            since_ms: since.0,
            shards: BTreeMap::new(),
            deliveries: 0,
            fed: BTreeMap::new(),
        }
    }

    /// Reads what [`Checkpoint::to_json`] wrote, of `stream`.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn read(json: &str, stream: &str) -> Result<Checkpoint, Unfit> {
        let read: Checkpoint =
            serde_json::from_str(json).map_err(|error| Unfit::Unreadable(error.to_string()))?;
        if read.version != VERSION {
            return Err(Unfit::Unreadable(format!("version {}", read.version)));
        }
        if read.stream != stream {
            return Err(Unfit::OtherStream { found: read.stream, wanted: stream.to_owned() });
        }
        Ok(read)
    }

    /// As a file keeps it.
    pub fn to_json(&self) -> String {
        // A map of strings cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Where to go on reading `shard`.
    pub fn position(&self, shard: &str) -> Position {
        match self.shards.get(shard) {
            Some(Progress::Begun) => Position::Start,
            Some(Progress::After(sequence)) => Position::After(sequence.clone()),
            Some(Progress::Waiting | Progress::Ended) | None => Position::At(Time(self.since_ms)),
        }
    }

    /// Whether all of `shard` has been read.
    pub fn has_ended(&self, shard: &str) -> bool {
        self.shards.get(shard) == Some(&Progress::Ended)
    }

    /// Takes note that another delivery begins.
    pub(super) fn deliver(&mut self) {
        self.deliveries += 1;
    }

    /// Whether a record put under `partition_key` has come before. Only what `tidewatch feed` puts has a
    /// name that tells; of anything else two records alike are two.
    pub(super) fn is_copy(&mut self, partition_key: &str) -> bool {
        let Some(FedName { stream, number }) = FedName::parse(partition_key) else { return false };
        let last = self.fed.entry(stream.to_owned()).or_insert((0, 0));
        last.1 = self.deliveries;
        // Numbers begin with 1, and within a log stream they come in order.
        let is_copy = number <= last.0;
        last.0 = last.0.max(number);
        if self.fed.len() > FED_STREAMS_MAX {
            let oldest = self.fed.iter().min_by_key(|(_, (_, delivery))| *delivery);
            let oldest = oldest.map(|(stream, _)| stream.clone());
            oldest.and_then(|stream| self.fed.remove(&stream));
        }
        is_copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_only_for_its_stream() {
        let mut written = Checkpoint::begin("logs", Time(7));
        written.shards.insert("shardId-000000000000".to_owned(), Progress::After("9".repeat(129)));
        written.shards.insert("shardId-000000000001".to_owned(), Progress::Ended);
        written.shards.insert("shardId-000000000002".to_owned(), Progress::Begun);
        assert!(!written.is_copy("tidewatch-feed/aa/3"));
        let json = written.to_json();
        let mut read = Checkpoint::read(&json, "logs").expect("its own");
        assert_eq!(read, written);
        assert!(read.is_copy("tidewatch-feed/aa/3"));
        let other = Checkpoint::read(&json, "other").expect_err("another stream");
        assert!(other.to_string().contains("of stream `logs`, not of `other`"), "{other}");
        for broken in [&json[..json.len() - 1], &json.replace("\"version\":1", "\"version\":2"), ""]
        {
            assert!(Checkpoint::read(broken, "logs").is_err(), "{broken}");
        }
    }

    #[test]
    fn copies_of_what_was_fed_are_known_and_nothing_else_is_a_copy() {
        let mut checkpoint = Checkpoint::begin("logs", Time(0));
        for (key, is_copy) in [
            ("tidewatch-feed/aa/1", false),
            ("tidewatch-feed/bb/1", false),
            ("tidewatch-feed/aa/2", false),
            ("tidewatch-feed/aa/1", true),
            ("tidewatch-feed/aa/2", true),
            ("tidewatch-feed/aa/3", false),
            ("somebody", false),
            ("somebody", false),
            ("tidewatch-feed/aa/x", false),
            ("tidewatch-feed/aa/x", false),
        ] {
            assert_eq!(checkpoint.is_copy(key), is_copy, "{key}");
        }
    }

    #[test]
    fn what_is_remembered_of_feeds_is_bounded() {
        let mut checkpoint = Checkpoint::begin("logs", Time(0));
        for nth in 0..=FED_STREAMS_MAX {
            checkpoint.deliver();
            assert!(!checkpoint.is_copy(&format!("tidewatch-feed/{nth}/1")));
        }
        assert_eq!(checkpoint.fed.len(), FED_STREAMS_MAX);
        assert!(checkpoint.is_copy(&format!("tidewatch-feed/{FED_STREAMS_MAX}/1")));
        assert!(!checkpoint.is_copy("tidewatch-feed/0/1"), "the oldest is forgotten");
    }
}
