//! Where records go that cannot be read, with their bytes, so that nothing is lost without a trace.
//!
//! All of one batch are one object: a PUT a batch, however many there are. Its name is made of what is
//! in it, so that a batch that comes again writes the same object again, and no other.
//!
//! An object is lines of JSON, one a record:
//! `{"arrival":"2026-11-25T12:00:00.123Z","bytes":1234,"data":"<base64>","partition_key":"…",
//! "reason":"…","sequence":"4964…"}`. `bytes` is how many the record has; where `data` holds fewer,
//! because of [`DATA_BYTES_MAX`], there is `"cut":true` as well.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::json;
use sha2::{Digest, Sha256};
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::when;

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
        Quarantine { client: client::s3(config), bucket }
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
        let Some(first) = records.first() else { return Ok(Kept::default()) };
        let (content, cut) = lines(records);
        let key = key(shard, first, &content);
        let resource = format!("{}/{key}", self.bucket);
        let asked = Asked { service: Service::S3, operation: "PutObject", resource: &resource };
        let body = ByteStream::from(content).into_inner();
        let put = || async {
            let copy = body.try_clone().map(ByteStream::new);
            let copy = copy.ok_or_else(|| Failure::Refused(format!("{asked}: it was read")))?;
            let request = self.client.put_object().bucket(&self.bucket).key(&key).body(copy);
            let sent = request.content_type("application/x-ndjson").send().await;
            sent.map_err(|error| asked.failed(&error))
        };
        insist(asked, pace, deadline, put).await.answer?;
        Ok(Kept { key: Some(key), records: records.len() as u64, cut })
    }
}

/// The object's content, and how many records it does not hold whole.
fn lines(records: &[Rotten<'_>]) -> (Vec<u8>, u64) {
    let mut content = String::new();
    let mut left = DATA_BYTES_MAX;
    let mut cut = 0;
    for record in records {
        let kept = &record.data[..record.data.len().min(left)];
        left -= kept.len();
        let mut line = json!({
            "arrival": when::text(record.arrival),
            "bytes": record.data.len(),
            "data": base64_simd::STANDARD.encode_to_string(kept),
            "partition_key": record.partition_key,
            "reason": record.reason,
            "sequence": record.sequence,
        });
        if kept.len() < record.data.len() {
            line["cut"] = true.into();
            cut += 1;
        }
        content += &line.to_string();
        content.push('\n');
    }
    (content.into_bytes(), cut)
}

/// `quarantine/<yyyy>/<mm>/<dd>/<shard>-<first sequence number>-<hash>.jsonl`, the day and the number
/// those of the first record, the hash the content's.
fn key(shard: &str, first: &Rotten<'_>, content: &[u8]) -> String {
    let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    let day = when::text(first.arrival)[..10].replace('-', "/");
    let digest = Sha256::digest(content);
    let hash: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{day}/{}-{}-{hash}.jsonl", plain(shard), plain(first.sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotten(data: &[u8]) -> Rotten<'_> {
        let arrival = Time(1_764_072_000_123);
        let (partition_key, reason) = ("a \"key\"", "no gzip");
        Rotten { sequence: "4966", arrival, partition_key, reason, data }
    }

    #[test]
    fn a_line_has_all_of_its_record() {
        let (content, cut) = lines(&[rotten(&[0, 255]), rotten(&[])]);
        assert_eq!(cut, 0);
        let expected = "{\"arrival\":\"2025-11-25T12:00:00.123Z\",\"bytes\":2,\"data\":\"AP8=\",\
                        \"partition_key\":\"a \\\"key\\\"\",\"reason\":\"no gzip\",\"sequence\":\"4966\"}";
        let text = String::from_utf8(content).unwrap();
        assert_eq!(text.lines().next(), Some(expected));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn what_exceeds_the_limit_is_cut_and_said_so() {
        let large = vec![7; DATA_BYTES_MAX - 1];
        let (content, cut) = lines(&[rotten(&large), rotten(b"ab"), rotten(b"cd"), rotten(b"")]);
        assert_eq!(cut, 2);
        let text = String::from_utf8(content).unwrap();
        let read = |line: &str| -> (u64, String, bool) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let data = line["data"].as_str().unwrap().to_owned();
            (line["bytes"].as_u64().unwrap(), data, line["cut"].as_bool().unwrap_or(false))
        };
        let lines: Vec<_> = text.lines().map(read).collect();
        assert_eq!(lines[0].0 as usize, DATA_BYTES_MAX - 1);
        assert!(!lines[0].2);
        assert_eq!(lines[1], (2, "YQ==".to_owned(), true));
        assert_eq!(lines[2], (2, String::new(), true));
        assert_eq!(lines[3], (0, String::new(), false));
    }

    #[test]
    fn a_key_is_made_of_the_content_and_holds_no_surprise() {
        let one = key("shardId-000000000012", &rotten(b"x"), b"x");
        assert!(one.starts_with("quarantine/2025/11/25/shardId-000000000012-4966-"), "{one}");
        assert_eq!(one, key("shardId-000000000012", &rotten(b"x"), b"x"));
        assert_ne!(one, key("shardId-000000000012", &rotten(b"x"), b"y"));
        let odd = key("../a b", &Rotten { sequence: "?", ..rotten(b"x") }, b"x");
        assert!(odd.starts_with("quarantine/2025/11/25/___a_b-_-"), "{odd}");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_a_day_all_the_same() {
        for arrival in [Time::MIN, Time(i64::MAX), Time(0)] {
            let key = key("s", &Rotten { arrival, ..rotten(b"x") }, b"x");
            assert_eq!(key.split('/').count(), 5, "{key}");
        }
    }
}
