//! The access log of the gateway in front of the shop: what is asked for after a login, and how many bytes are sent
//! back, as an API Gateway that is told to log these fields writes it.
//!
//! A customer looks at some pages and at orders of his own. Who has got in by an attack asks for one order after the
//! other, whosever they are.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::attempt::{Attempt, Door, Outcome};
use super::envelopes::{LogEvent, StreamLog};
use super::{MINUTE_MS, lines};

/// Requests of an attacker who has got in, and at what distance.
const COLLECTED: u32 = 600;
const COLLECTED_EVERY_MS: i64 = MINUTE_MS / 30;

/// What follows from the logins, sorted by time.
pub(super) fn log(group: &'static str, attempts: &[Attempt], rng: &mut ChaCha8Rng) -> StreamLog {
    let mut events = Vec::new();
    let got_in =
        |attempt: &&Attempt| attempt.outcome == Outcome::Success && attempt.door != Door::Bastion;
    for attempt in attempts.iter().filter(got_in) {
        let mut time_ms = attempt.time_ms;
        if is_planted(attempt.source) {
            for order in 0..COLLECTED {
                time_ms += COLLECTED_EVERY_MS;
                let path = format!("/orders/{}", 100_000 + order);
                events.push(request(
                    attempt,
                    time_ms,
                    &path,
                    rng.random_range(80_000..120_000),
                    rng,
                ));
            }
            continue;
        }
        for _ in 0..rng.random_range(2..8) {
            time_ms += rng.random_range(2_000..MINUTE_MS);
            let path = match rng.random_range(0..4u8) {
                0 => format!("/orders/{}", 100_000 + rng.random_range(0..50_000)),
                _ => format!("/items/{}", rng.random_range(0..3_000)),
            };
            // Most answers are small, and few are large.
            let bytes = 2_000.0 * (rng.random_range(0.0..4.0f64)).exp();
            events.push(request(attempt, time_ms, &path, bytes as u64, rng));
        }
    }
    events.sort_by_key(|event| event.time_ms);
    StreamLog { group: group.into(), stream: "access".to_owned(), events }
}

/// Whether it is an act's address: in the range for benchmarks (RFC 2544).
fn is_planted(source: IpAddr) -> bool {
    matches!(source, IpAddr::V4(v4) if v4.octets()[..2] == [198, 18])
}

fn request(
    attempt: &Attempt,
    time_ms: i64,
    path: &str,
    bytes: u64,
    rng: &mut ChaCha8Rng,
) -> LogEvent {
    let (Attempt { source, user, .. }, id) = (attempt, lines::request_id(rng));
    let route = path.rsplit_once('/').map_or(path, |(route, _)| route);
    let message = format!(
        r#"{{"requestId":"{id}","ip":"{source}","principalId":"{user}","httpMethod":"GET","resourcePath":"{route}/{{id}}","path":"{path}","status":"200","protocol":"HTTP/1.1","responseLength":"{bytes}"}}"#
    );
    LogEvent { time_ms, message }
}
