//! Seeded log text of two services, as CloudWatch sends it, for measuring where most lines say nothing:
//! a Lambda function's own log, and an API's access log.

use std::io::Write as _;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Log events in one envelope.
const EVENTS_PER_RECORD: usize = 100;

/// 2026-11-10T06:00:00Z, in milliseconds.
const START_MS: i64 = 1_794_290_400_000;

/// Which service logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A Lambda function: START, END and REPORT, application noise, 3 % authentication events.
    Lambda,
    /// An API's access log: 20 % are logins.
    Api,
}

/// `records` gzipped envelopes of the service's log.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn records(service: Service, records: usize, seed: u64) -> Result<Vec<Vec<u8>>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut clock_ms = START_MS;
    (0..records)
        .map(|number| {
            let events = (0..EVENTS_PER_RECORD).map(|event| {
                clock_ms += random.random_range(0..20);
                let message = match service {
                    Service::Lambda => lambda(&mut random, clock_ms),
                    Service::Api => api(&mut random, clock_ms),
                };
                let id = format!("{:056}", number * EVENTS_PER_RECORD + event);
                json!({"id": id, "timestamp": clock_ms, "message": message})
            });
            envelope(events.collect())
        })
        .collect()
}

/// The same records with the letters of every message moved 13 places in the alphabet: as long, as
/// compressible and with the same quotes and escapes, but without a word that any format looks for.
///
/// # Errors
/// If a record is no envelope.
pub fn disguised(records: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut inflater = crate::records::Inflater::default();
    records
        .iter()
        .map(|record| {
            let mut envelope: Value = serde_json::from_slice(inflater.inflate(record)?)?;
            for event in envelope["logEvents"].as_array_mut().into_iter().flatten() {
                if let Value::String(message) = &mut event["message"] {
                    *message = message.chars().map(rotated).collect();
                }
            }
            gzip(&serde_json::to_vec(&envelope)?)
        })
        .collect()
}

/// One Lambda Kinesis event of `records`, as one line.
pub fn event_line(records: &[Vec<u8>]) -> Vec<u8> {
    let record = |(number, data): (usize, &Vec<u8>)| {
        let data = base64_simd::STANDARD.encode_to_string(data);
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": number.to_string(),
                "sequenceNumber": format!("{number:056}"),
                "data": data,
                "approximateArrivalTimestamp": 1_794_290_400.5,
            },
            "eventSource": "aws:kinesis",
            "eventName": "aws:kinesis:record",
            "awsRegion": "eu-west-1",
        })
    };
    let records: Vec<Value> = records.iter().enumerate().map(record).collect();
    let mut line = json!({ "Records": records }).to_string().into_bytes();
    line.push(b'\n');
    line
}

fn rotated(letter: char) -> char {
    let turn = |first: u8| char::from((letter as u8 - first + 13) % 26 + first);
    match letter {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        other => other,
    }
}

fn envelope(events: Vec<Value>) -> Result<Vec<u8>> {
    gzip(&serde_json::to_vec(&json!({
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/shop",
        "logStream": "2026/11/10/[$LATEST]0a1b",
        "subscriptionFilters": ["all"],
        "logEvents": events,
    }))?)
}

fn gzip(text: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(text)?;
    Ok(encoder.finish()?)
}

fn lambda(random: &mut ChaCha8Rng, ms: i64) -> String {
    let id = request_id(random);
    let stamp = stamp(ms);
    match random.random_range(0..100) {
        0..3 => format!("{stamp}\t{id}\tINFO\t{}\n", login(random, &stamp)),
        3..20 => format!("START RequestId: {id} Version: $LATEST\n"),
        20..37 => format!("END RequestId: {id}\n"),
        37..54 => {
            let took = random.random_range(1.0..900.0);
            format!(
                "REPORT RequestId: {id}\tDuration: {took:.2} ms\tBilled Duration: {:.0} ms\t\
                 Memory Size: 512 MB\tMax Memory Used: {} MB\t\n",
                f64::ceil(took),
                random.random_range(80..400)
            )
        }
        54..80 => {
            let fields = json!({
                "level": "INFO", "msg": "order priced", "orderId": random.random_range(0..1_000_000),
                "items": random.random_range(1..9), "total": random.random_range(500..90_000),
                "currency": "EUR", "coldStart": false,
            });
            format!("{stamp}\t{id}\tINFO\t{fields}\n")
        }
        _ => format!(
            "{stamp}\t{id}\tDEBUG\tcache hit for product {} in shard {}, age {} ms\n",
            random.random_range(0..50_000),
            random.random_range(0..16),
            random.random_range(0..60_000)
        ),
    }
}

fn api(random: &mut ChaCha8Rng, ms: i64) -> String {
    if random.random_bool(0.2) {
        return login(random, &stamp(ms));
    }
    json!({
        "requestId": request_id(random),
        "ip": address(random),
        "requestTime": stamp(ms),
        "httpMethod": "GET",
        "routeKey": "GET /products/{id}",
        "path": format!("/products/{}", random.random_range(0..50_000)),
        "status": "200",
        "protocol": "HTTP/1.1",
        "responseLength": random.random_range(200..20_000).to_string(),
        "integrationLatency": random.random_range(2..400).to_string(),
    })
    .to_string()
}

/// A flat authentication event: nine in ten succeed.
fn login(random: &mut ChaCha8Rng, stamp: &str) -> String {
    let (event, reason) = match random.random_range(0..100) {
        0..90 => ("login_success", "ok"),
        90..98 => ("login_failed", "bad_password"),
        _ => ("login_failed", "unknown_user"),
    };
    json!({
        "timestamp": stamp, "event": event, "reason": reason,
        "user": format!("customer{}", random.random_range(0..20_000)),
        "src_ip": address(random), "service": "login",
    })
    .to_string()
}

fn address(random: &mut ChaCha8Rng) -> String {
    let [b, c] = random.random::<[u8; 2]>();
    format!("81.{}.{b}.{c}", random.random_range(0..4))
}

fn request_id(random: &mut ChaCha8Rng) -> String {
    let n: u128 = random.random();
    let hex = format!("{n:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The time of day is enough: all of it happens on one day.
fn stamp(ms: i64) -> String {
    let of_day = (ms - START_MS) + 6 * 3_600_000;
    let (h, m, s) = (of_day / 3_600_000 % 24, of_day / 60_000 % 60, of_day / 1_000 % 60);
    format!("2026-11-10T{h:02}:{m:02}:{s:02}.{:03}Z", of_day % 1_000)
}
