//! What all tests of reading share: inputs as AWS makes them, and a batch as text to compare with.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use base64_simd::STANDARD;
use expect_test::Expect;
use serde_json::{Value, json};
use tidewatch_core::signal::{LogStream, Outcome, Role};
use tidewatch_core::tag::TagKey;

use crate::declared::{Body, Choice, Reading, Told};
use crate::username::{Naming, Usernames};
use crate::{Batch, Buffers, Config, Ingest, InputKind};

pub(crate) fn naming() -> Naming {
    Naming { key: TagKey::new([7; 16]), usernames: Usernames::Fold }
}

pub(crate) fn ingest() -> Ingest {
    Ingest::new(Config { naming: naming(), own_group: None, formats: Default::default() })
}

/// A reading of refused logins, whose users and sources stand in `who` and `from`, or else `user` and `ip`.
pub(crate) fn reading(body: Body) -> Reading {
    Reading {
        body,
        action: Choice::Untold,
        outcome: Choice::Always(Told::Outcome(Outcome::Failure)),
        user_known: Choice::Untold,
        role: Role::Attempt,
        user: vec!["who".to_owned(), "user".to_owned()],
        source: vec!["from".to_owned(), "ip".to_owned()],
        agent: Vec::new(),
        asn: Vec::new(),
        time: Vec::new(),
        time_as: None,
        attempts: None,
        no_user: Vec::new(),
        proxies: 0,
    }
}

/// An application's line about a refused login.
pub(crate) fn refusal(source: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-10T06:00:00.013Z","event":"login_failure","reason":"bad_password","user":"ann","src_ip":"{source}"}}"#
    )
}

/// The same without a time of its own.
pub(crate) fn timeless(source: &str) -> String {
    refusal(source).replace(r#""timestamp":"2026-11-10T06:00:00.013Z","#, "")
}

/// sshd's line about a refused login, as syslog writes it.
pub(crate) fn sshd(source: &str) -> String {
    format!("Nov 10 06:00:05 host sshd[99]: Failed password for ann from {source} port 22 ssh2")
}

/// An envelope of events with ids from `first` on, a second apart.
pub(crate) fn envelope(first: usize, messages: &[String]) -> Value {
    let events: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(n, m)| json!({"id": format!("e{}", first + n), "timestamp": 1000 * n, "message": m}))
        .collect();
    json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/app/auth",
        "logStream": "i-0", "subscriptionFilters": ["all"], "logEvents": events,
    })
}

pub(crate) fn gzip(data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data.as_ref()).expect("memory");
    encoder.finish().expect("memory")
}

/// A Kinesis event of records numbered from 1.
pub(crate) fn kinesis_event(records: &[Vec<u8>]) -> Value {
    let record = |(n, data): (usize, &Vec<u8>)| {
        let data = STANDARD.encode_to_string(data);
        json!({"kinesis": {"sequenceNumber": format!("s{}", n + 1), "data": data}, "eventID": "x"})
    };
    json!({"Records": records.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// Reads `chunk` as the input `in.log`.
pub(crate) fn read(kind: InputKind, chunk: &[u8]) -> Batch {
    let mut batch = Batch::default();
    let stream = Arc::new(LogStream { stream: "in.log".to_owned(), ..LogStream::default() });
    ingest().lines(kind, chunk, 0, &stream, &mut Buffers::default(), &mut batch);
    batch
}

/// Reads `data` as one record.
pub(crate) fn read_record(data: &[u8]) -> Batch {
    let mut batch = Batch::default();
    ingest().record(data, "", &mut Buffers::default(), &mut batch);
    batch
}

/// The batch as text: a line a signal, then whatever counts are not zero.
pub(crate) fn check(batch: &Batch, expected: Expect) {
    let mut text = String::new();
    for signal in &batch.signals {
        let (origin, when) = (&signal.origin, &signal.when);
        let stream = &origin.stream.stream;
        let Some(auth) = signal.body.auth() else {
            writeln!(text, "{:?} {stream} {} {when:?}", signal.body, origin.id).expect("memory");
            continue;
        };
        let source = auth.source.map_or("-".to_owned(), |source| source.to_string());
        writeln!(text, "{source} {:?} {stream} {} {when:?}", auth.outcome, origin.id)
            .expect("memory");
    }
    let tally = &batch.tally;
    let counts = [
        ("bytes_inflated", tally.bytes_inflated),
        ("envelopes", tally.envelopes),
        ("control_messages", tally.control_messages),
        ("records", tally.records),
        ("lines", tally.lines),
        ("hostname_sources", tally.hostname_sources),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count != 0) {
        writeln!(text, "{name} {count}").expect("memory");
    }
    for (problem, rejected) in &tally.problems {
        writeln!(text, "{} {} [{}]", problem.name(), rejected.count, rejected.first)
            .expect("memory");
    }
    expected.assert_eq(&text);
}
