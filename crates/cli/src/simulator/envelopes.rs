//! Packs log streams into records as a CloudWatch Logs subscription filter does: one stream's events in
//! order, some tens of them or a few seconds' worth, as one `DATA_MESSAGE` envelope, gzipped; or writes them as
//! `aws logs tail` prints them.
//!
//! A record arrives 1–4 s after its last event. Streams are packed apart, so over the whole sequence of
//! records event times step back and forth by some seconds, as they do in reality.
//!
//! Invariant: no two events of a world have the same id; within a log stream records arrive in order.

use std::borrow::Cow;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lines::rfc3339;
use super::{Form, Written};

/// A log stream with everything written to it.
pub(super) struct StreamLog {
    pub(super) group: Cow<'static, str>,
    pub(super) stream: String,
    /// Sorted by time.
    pub(super) events: Vec<LogEvent>,
}

/// One log event; its id is given when it is packed.
pub(super) struct LogEvent {
    pub(super) time_ms: i64,
    pub(super) message: String,
}

/// The account the shop runs in: AWS's own example number.
const OWNER: &str = "123456789012";

/// Writes each stream. What is written comes stream by stream, to be sorted by the caller.
pub(super) fn write(logs: Vec<StreamLog>, form: Form, rng: &mut ChaCha8Rng) -> Vec<Written> {
    match form {
        Form::Records => pack(logs, rng, gzip),
        Form::Envelopes => pack(logs, rng, |text| Ok([text, b"\n"].concat())),
        Form::Lines => logs.into_iter().flat_map(tail).collect(),
    }
}

fn pack(
    logs: Vec<StreamLog>,
    rng: &mut ChaCha8Rng,
    wrap: fn(&[u8]) -> io::Result<Vec<u8>>,
) -> Vec<Written> {
    let mut written = Vec::new();
    let mut text = Vec::new();
    for log in logs {
        let mut rest = log.events.as_slice();
        let mut time_ms = i64::MIN;
        while let (Some(batch), after) = next_batch(rest, rng) {
            rest = after;
            let last_ms = batch.last().map_or(0, |event| event.time_ms);
            time_ms = time_ms.max(last_ms + rng.random_range(1_000..4_000));
            text.clear();
            let bytes = envelope(&log, batch, rng, &mut text).and_then(|()| wrap(&text));
            written.push(Written { time_ms, bytes: bytes.expect("memory takes any bytes") });
        }
    }
    written
}

/// What `aws logs tail --format detailed` prints: the time, the log stream, the message.
fn tail(log: StreamLog) -> impl Iterator<Item = Written> {
    let StreamLog { stream, events, .. } = log;
    events.into_iter().map(move |LogEvent { time_ms, message }| {
        let time = rfc3339(time_ms);
        let (time, message) = (time.trim_end_matches('Z'), message.trim_end_matches('\n'));
        let bytes = format!("{time}000+00:00 {stream} {message}\n").into_bytes();
        Written { time_ms, bytes }
    })
}

/// The events that go into one envelope, and those after them.
fn next_batch<'a>(
    events: &'a [LogEvent],
    rng: &mut ChaCha8Rng,
) -> (Option<&'a [LogEvent]>, &'a [LogEvent]) {
    let Some(first) = events.first() else { return (None, events) };
    let count_max = rng.random_range(20..=60);
    let until_ms = first.time_ms + rng.random_range(2_000..5_000);
    let few = &events[..events.len().min(count_max)];
    let (batch, rest) = events.split_at(few.partition_point(|event| event.time_ms <= until_ms));
    (Some(batch), rest)
}

fn envelope(
    log: &StreamLog,
    batch: &[LogEvent],
    rng: &mut ChaCha8Rng,
    text: &mut Vec<u8>,
) -> io::Result<()> {
    write!(
        text,
        r#"{{"messageType":"DATA_MESSAGE","owner":"{OWNER}","logGroup":"{}","logStream":"{}","subscriptionFilters":["all"],"logEvents":["#,
        log.group, log.stream
    )?;
    for (index, event) in batch.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let LogEvent { time_ms, message } = event;
        let id = event_id(*time_ms, rng);
        write!(text, r#"{comma}{{"id":"{id}","timestamp":{time_ms},"message":"#)?;
        serde_json::to_writer(&mut *text, message)?;
        text.push(b'}');
    }
    text.extend_from_slice(b"]}");
    Ok(())
}

/// 56 digits, as CloudWatch's: the time first, then 127 random bits, of which two are never the same
/// in a world of this size.
fn event_id(time_ms: i64, rng: &mut ChaCha8Rng) -> String {
    format!("3{time_ms:016}{:039}", rng.random::<u128>() >> 1)
}

fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::new(6));
    encoder.write_all(text)?;
    encoder.finish()
}
