//! The quarantine: one PUT a batch, and what each answer means.

use serde_json::{Value, json};
use tidewatch_aws::failure::Failure;
use tidewatch_aws::quarantine::{Kept, Quarantine, Rotten};
use tidewatch_core::time::Time;

use crate::replay::Replay;
use crate::until;

const SHARD: &str = "shardId-000000000003";

fn records() -> [Rotten<'static>; 2] {
    let first = Rotten {
        sequence: "49668899005861511444",
        arrival: Time(1_764_072_000_123),
        partition_key: "stream-7",
        reason: "it is no gzip",
        data: &[0x1f, 0x00, 0xff],
    };
    [first, Rotten { sequence: "49668899005861511445", data: b"", ..first }]
}

async fn keep(http: &Replay, records: &[Rotten<'_>]) -> Result<Kept, Failure> {
    let (pace, deadline) = until(20);
    let quarantine = Quarantine::new(&http.config(), "bucket".to_owned());
    quarantine.keep(SHARD, records, &pace, deadline).await
}

fn taken() -> (u16, String) {
    (200, String::new())
}

fn refused(status: u16, code: &str, message: &str) -> (u16, String) {
    (status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

#[tokio::test(start_paused = true)]
async fn the_records_of_a_batch_are_one_object_of_one_name() {
    let http = Replay::of([taken(), taken(), taken()]);
    let kept = keep(&http, &records()).await.unwrap();
    assert_eq!((kept.records, kept.cut), (2, 0));
    let key = kept.key.clone().expect("a key");
    let prefix = format!("quarantine/2025/11/25/{SHARD}-49668899005861511444-");
    let hash = key.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".jsonl"));
    assert!(hash.is_some_and(|hash| hash.len() == 16), "{key}");
    let sent = http.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].method, "PUT");
    let path = format!("http://127.0.0.1:9/bucket/{key}");
    assert_eq!(sent[0].uri.split('?').next(), Some(path.as_str()));
    let lines: Vec<Value> =
        sent[0].body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |sequence: &str, bytes: usize, data: &str| {
        json!({
            "sequence": sequence, "arrival": "2025-11-25T12:00:00.123Z", "bytes": bytes, "data": data,
            "partition_key": "stream-7", "reason": "it is no gzip",
        })
    };
    let expected = [line("49668899005861511444", 3, "HwD/"), line("49668899005861511445", 0, "")];
    assert_eq!(lines, expected);
    // The same records are the same object, others are another.
    assert_eq!(keep(&http, &records()).await.unwrap(), kept);
    assert_ne!(keep(&http, &records()[..1]).await.unwrap().key, kept.key);
    // Nothing is no object.
    assert_eq!(keep(&http, &[]).await.unwrap(), Kept::default());
    assert_eq!(http.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_with_the_same_bytes_until_the_deadline() {
    let busy = [refused(503, "SlowDown", "busy"), (502, "<html>".to_owned())];
    let http = Replay::of(busy.into_iter().chain([taken()]));
    keep(&http, &records()).await.unwrap();
    let sent = http.sent();
    assert_eq!(sent.len(), 3);
    assert!(!sent[0].body.is_empty() && sent.iter().all(|each| each.body == sent[0].body));
    let http = Replay::of([]);
    let failure = keep(&http, &records()).await.unwrap_err();
    assert!(failure.is_passing(), "{failure}");
    assert_eq!(http.sent().len(), 2, "ten seconds, and what is left of twenty");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_retry_mends_says_what_to_do() {
    let kms = "User: r is not authorized to perform: kms:GenerateDataKey on resource: k";
    let cases = [
        (
            403,
            "AccessDenied",
            "Access Denied",
            "allow the role s3:PutObject on object `bucket/quarantine/",
        ),
        (
            403,
            "AccessDenied",
            kms,
            "allow the role kms:GenerateDataKey and kms:Decrypt on the KMS key",
        ),
        (404, "NoSuchBucket", "gone", "there is no bucket `bucket`"),
        (400, "KMS.DisabledException", "disabled", "the KMS key of object `bucket/quarantine/"),
        (400, "EntityTooLarge", "too large", "EntityTooLarge"),
    ];
    for (status, code, message, advice) in cases {
        let http = Replay::of([refused(status, code, message)]);
        let failure = keep(&http, &records()).await.unwrap_err();
        assert!(!failure.is_passing() && failure.to_string().contains(advice), "{failure}");
        assert_eq!(http.sent().len(), 1, "{code} is tried again");
    }
}
