use aws_lambda_events::event::kinesis::KinesisEvent;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(json: &str) -> Event {
    serde_json::from_str(json).expect("an event")
}

#[track_caller]
fn refused(json: &str, says: &str) {
    let error = serde_json::from_str::<Event>(json).expect_err("no event").to_string();
    assert!(error.contains(says), "{error}");
}

/// An event as Lambda makes it, and as it may in time, with fields that nobody knows.
fn event(records: &[(String, Vec<u8>, f64)]) -> String {
    let record = |(sequence, data, arrival): &(String, Vec<u8>, f64)| {
        json!({
            "awsRegion": "eu-central-1",
            "eventID": format!("shardId-000000000006:{sequence}"),
            "eventName": "aws:kinesis:record",
            "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/logs",
            "eventVersion": "1.0",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/r",
            "somethingNew": [1, { "kinesis": 2 }],
            "kinesis": {
                "approximateArrivalTimestamp": arrival,
                "data": base64_simd::STANDARD.encode_to_string(data),
                "encryptionType": "KMS",
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a \"key\"\u{7f}\u{e9}",
                "sequenceNumber": sequence,
            },
        })
    };
    json!({ "Records": records.iter().map(record).collect::<Vec<_>>() }).to_string()
}

/// A time in seconds with no or three decimals. Of others the official types (1.2.1) take the decimals
/// for milliseconds as they stand: `.66` for 66, and a fourth digit for more than a second.
fn arrival() -> impl Strategy<Value = f64> {
    let three = |ms: &i64| ms % 10 != 0 || ms % 1_000 == 0;
    let ms = (0..4_000_000_000_000i64).prop_filter("no or three decimals", three);
    ms.prop_map(|ms| ms as f64 / 1_000.0)
}

proptest! {
    /// What AWS's own types read, with the escapes that other encoders make as well.
    #[test]
    fn batches_are_read_as_by_the_official_types(
        records in prop::collection::vec(
            ("[0-9]{1,129}", prop::collection::vec(any::<u8>(), 0..300), arrival()),
            0..6,
        ),
        slashes_escaped: bool,
    ) {
        let mut json = event(&records);
        if slashes_escaped {
            json = json.replace('/', "\\/");
        }
        let official: KinesisEvent = serde_json::from_str(&json).expect("an event to them");
        let Event::Batch(ours) = read(&json) else { panic!("no batch") };
        prop_assert_eq!(ours.len(), official.records.len());
        for (ours, theirs) in ours.iter().zip(official.records) {
            prop_assert_eq!(&ours.data, &Data::Bytes(theirs.kinesis.data.0));
            prop_assert_eq!(&ours.sequence, &theirs.kinesis.sequence_number);
            prop_assert_eq!(&ours.partition_key, &theirs.kinesis.partition_key);
            prop_assert_eq!(Some(&ours.event_id), theirs.event_id.as_ref());
            let arrival = theirs.kinesis.approximate_arrival_timestamp.0.timestamp_millis();
            // They cut to a millisecond what we round to one.
            let apart = ours.arrival.expect("a time").0 - arrival;
            prop_assert!((0..=1).contains(&apart), "{} ms", apart);
            prop_assert_eq!(ours.shard(), Some(ShardId(6)));
        }
    }
}

#[test]
fn a_record_that_lacks_something_leaves_its_neighbours() {
    let json = json!({ "Records": [
        { "eventID": "shardId-1:1", "kinesis": { "sequenceNumber": "1", "data": "not base64!" } },
        { "eventID": "nonsense" },
        { "kinesis": { "approximateArrivalTimestamp": -1.0, "data": "aGk=" } },
        {},
    ] });
    let Event::Batch(records) = read(&json.to_string()) else { panic!("no batch") };
    let data: Vec<&Data> = records.iter().map(|record| &record.data).collect();
    let bytes = |bytes: &[u8]| Data::Bytes(bytes.to_vec());
    let undecoded = Data::Undecoded("not base64!".to_owned());
    assert_eq!(data, [&undecoded, &bytes(b""), &bytes(b"hi"), &bytes(b"")]);
    assert_eq!(records[0].shard(), Some(ShardId(1)));
    assert!(records[1..].iter().all(|record| record.shard().is_none()));
    assert!(records.iter().all(|record| record.arrival.is_none()));
}

#[test]
fn the_event_tells_what_it_is_for() {
    assert_eq!(read(r#"{"tidewatch":"tick"}"#), Event::Tick);
    assert_eq!(read(r#"{"Records":[]}"#), Event::Batch(Vec::new()));
    let rotation = read(
        r#"{"Step":"createSecret","SecretId":"arn:s","ClientRequestToken":"t","RotationToken":"x"}"#,
    );
    let (step, secret) = ("createSecret".to_owned(), "arn:s".to_owned());
    assert_eq!(rotation, Event::Rotation(RotationStep { step, secret, token: "t".to_owned() }));
    refused(r#"{"tidewatch":"tock"}"#, "no such task: tock; there is `tick`");
    refused(r#"{"Step":"createSecret","SecretId":"arn:s"}"#, "not for");
    refused(r#"{"awslogs":{"data":"H4sI"}}"#, "map a Kinesis stream");
    refused("[]", "an event of a Kinesis stream");
}
