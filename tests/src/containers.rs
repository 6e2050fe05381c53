//! The containers that log lines come in, written from their specifications and not with the code that
//! reads them: gzip, CloudWatch Logs envelopes, Lambda's Kinesis events, `aws logs tail`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::events::Event;

/// A log stream's name as Lambda makes them.
pub const LOG_STREAM: &str = "2024/05/14/[$LATEST]6f1e0bd7ce3f4f35a4c7f7d5d8e3c2a1";

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// The same bytes in `members` gzip members, cut wherever it falls.
pub fn gzip_members(bytes: &[u8], members: usize) -> Vec<u8> {
    bytes.chunks(bytes.len().div_ceil(members)).flat_map(gzip).collect()
}

/// `bytes` zeros as one gzip member: a bomb.
pub fn gzip_zeros(bytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut left = bytes;
    while left > 0 {
        let now = left.min(zeros.len());
        encoder.write_all(&zeros[..now]).expect("memory takes it");
        left -= now;
    }
    encoder.finish().expect("memory takes it")
}

/// Behind the prefix that Lambda's Node runtime puts before a message.
pub fn node(event: &Event) -> String {
    format!("{}\tc0ffee00-1111-2222-3333-444455556666\tINFO\t{}", event.time(), event.json())
}

/// Behind the prefix of Lambda's Python runtime.
pub fn python(event: &Event) -> String {
    format!("[INFO]\t{}\tc0ffee00-1111-2222-3333-444455556666\t{}", event.time(), event.json())
}

/// As `aws logs tail --format detailed` prints it: Python's isoformat, which leaves out a fraction of
/// zero.
pub fn tail_detailed(event: &Event) -> String {
    let time = Timestamp::from_millisecond(event.ms).expect("a time");
    let fraction = if event.ms % 1_000 == 0 { "" } else { "%.6f" };
    let time = time.strftime(&format!("%Y-%m-%dT%H:%M:%S{fraction}+00:00")).to_string();
    format!("{time} {LOG_STREAM} {}", event.json())
}

/// As `--format short` prints it: whole seconds.
pub fn tail_short(event: &Event) -> String {
    let time = Timestamp::from_millisecond(event.ms).expect("a time");
    format!("{} {}", time.strftime("%Y-%m-%dT%H:%M:%S"), event.json())
}

/// An envelope of the `nth` hundred events, keys in the order AWS writes them.
pub fn envelope(nth: usize, events: &[Event], write: impl Fn(&Event) -> String) -> String {
    let log_events: Vec<String> = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            let message = Value::from(write(event));
            let id = nth * 1_000 + index;
            format!("{{\"id\":\"{id:056}\",\"timestamp\":{},\"message\":{message}}}", event.ms)
        })
        .collect();
    format!(
        "{{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"123456789012\",\"logGroup\":\
         \"/aws/lambda/login\",\"logStream\":\"{LOG_STREAM}\",\"subscriptionFilters\":[\"all\"],\
         \"logEvents\":[{}]}}",
        log_events.join(",")
    )
}

/// All events in envelopes of `per`.
pub fn envelopes(events: &[Event], per: usize) -> Vec<String> {
    let chunks = events.chunks(per).enumerate();
    chunks.map(|(nth, events)| envelope(nth, events, Event::json)).collect()
}

/// A Kinesis record with these bytes as its data, as Lambda receives it.
pub fn record(nth: usize, data: &[u8]) -> Value {
    record_base64(nth, &base64_simd::STANDARD.encode_to_string(data))
}

/// A Kinesis record whose data is this text, base64 or not.
pub fn record_base64(nth: usize, data: &str) -> Value {
    let sequence = format!("{nth:056}");
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": nth.to_string(),
            "sequenceNumber": sequence,
            "data": data,
            "approximateArrivalTimestamp": 1_715_666_400.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{sequence}"),
        "eventName": "aws:kinesis:record",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/auth",
    })
}

/// A record of `shard` as Lambda delivers it, taken in at `arrival_ms`.
pub fn shard_record(shard: u32, sequence: &str, arrival_ms: i64, data: &[u8]) -> Value {
    let mut record = record(0, data);
    record["eventID"] = json!(format!("shardId-{shard:012}:{sequence}"));
    record["kinesis"]["sequenceNumber"] = json!(sequence);
    record["kinesis"]["approximateArrivalTimestamp"] = json!(arrival_ms as f64 / 1_000.0);
    record
}

/// One Lambda event of these records, a line without its end.
pub fn kinesis_event(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

/// All events in Lambda events, one a line: `per` log events an envelope, ten records an event.
pub fn kinesis_events(events: &[Event], per: usize) -> String {
    let envelopes = envelopes(events, per);
    let packed: Vec<Value> = envelopes
        .iter()
        .enumerate()
        .map(|(nth, envelope)| record(nth, &gzip(envelope.as_bytes())))
        .collect();
    packed.chunks(10).map(|records| kinesis_event(records) + "\n").collect()
}
