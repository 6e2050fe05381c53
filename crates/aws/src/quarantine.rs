//! Where records go that cannot be read, with their bytes, so that nothing is lost without a trace.
//!
//! All of one batch are one object: a PUT a batch, however many there are. Its name is made of what is
//! in it, so that a batch that comes again writes the same object again, and no other.
//!
//! An object is lines of JSON, one a record:
//! `{"sequence":"4964…","arrival":"2026-11-25T12:00:00.123Z","partition_key":"…","reason":"…",
//! "bytes":1234,"data":"<base64>"}`. `bytes` is how many the record has; where `data` holds fewer,
//! because of [`DATA_BYTES_MAX`], there is `"cut":true`.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use tidewatch_core::time::Time;

use crate::failure::Failure;
use crate::pace::TokioPace;

/// The bytes of records, before base64, that one object keeps. Lambda hands over 6 MB of base64 at most,
/// so that all of a batch fits; memory is the reason to have a limit at all.
pub const DATA_BYTES_MAX: usize = 5 * 1_024 * 1_024;

/// Where objects are put.
pub const PREFIX: &str = "quarantine/";

/// The quarantine in one bucket.
#[derive(Clone, Debug)]
pub struct Quarantine {
    client: Client,
    bucket: String,
}

/// A record that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct Rotten<'a> {
    /// Its sequence number, as it came.
    pub sequence: &'a str,
    /// When Kinesis took it in.
    pub arrival: Time,
    /// Its partition key.
    pub partition_key: &'a str,
    /// What is wrong with it; no content of it.
    pub reason: &'a str,
    /// Its bytes.
    pub data: &'a [u8],
}

/// What was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The object's key; `None` where there was nothing to keep.
    pub key: Option<String>,
    /// Records in it.
    pub records: u64,
    /// Of these, the ones whose bytes are not all in it.
    pub cut: u64,
}

impl Quarantine {
    /// The quarantine in `bucket`. Sends nothing yet.
    pub fn new(config: &SdkConfig, bucket: String) -> Quarantine {
        Quarantine { client: crate::client::s3(config), bucket }
    }

    /// Keeps the unreadable records of one batch of `shard` (`shardId-…`), trying until `deadline`.
    ///
    /// # Errors
    /// If S3 does not take them; says what to do.
    pub async fn keep(
        &self,
        shard: &str,
        records: &[Rotten<'_>],
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Kept, Failure> {
        todo!()
    }
}
