//! What the shop's programs write: the messages of log events, each in its program's own shape.
//!
//! Three login functions say the same thing in three usual ways (one JSON object a line; Node's text
//! prefix before other field names; Python's prefix before others again), the bastion says it as sshd
//! does, and around them stand the lines nobody looks for. Platform and console lines end with a line
//! feed, as they do in CloudWatch.
//!
//! Invariant: exactly one line decides an attempt; every other line that names its source repeats it
//! (sshd's mentions) or is no attempt (a session refreshed).

use jiff::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::attempt::{Attempt, Door, Outcome};

/// A time as application logs write it: RFC 3339 in UTC with milliseconds.
pub(super) fn rfc3339(time_ms: i64) -> String {
    format!("{:.3}", timestamp(time_ms))
}

fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::MAX)
}

/// A random UUID, as Lambda names its requests.
pub(super) fn request_id(rng: &mut ChaCha8Rng) -> String {
    let bits: u128 = rng.random();
    let hex = format!("{bits:032x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// The line that decides an attempt at one of the shop's own doors.
pub(super) fn login(attempt: &Attempt, request: &str) -> String {
    let Attempt { time_ms, source, user, outcome, door, agent } = attempt;
    let time = rfc3339(*time_ms);
    let agent = match *agent {
        "" => String::new(),
        agent => format!(r#","user_agent":"{agent}""#),
    };
    match door {
        Door::Web | Door::Bastion => {
            let (event, reason) = match outcome {
                Outcome::Success => ("login_success", "ok"),
                Outcome::WrongPassword => ("login_failed", "bad_password"),
                Outcome::ExpiredPassword => ("login_failed", "password_expired"),
                Outcome::UnknownUser => ("login_failed", "unknown_user"),
            };
            format!(
                r#"{{"timestamp":"{time}","level":"info","service":"shop-login","event":"{event}","reason":"{reason}","user":"{user}","src_ip":"{source}","request_id":"{request}"{agent}}}"#
            )
        }
        Door::Mobile => {
            let (result, error) = match outcome {
                Outcome::Success => ("success", "null"),
                Outcome::WrongPassword => ("failure", r#""wrong_password""#),
                Outcome::ExpiredPassword => ("failure", r#""password_expired""#),
                Outcome::UnknownUser => ("failure", r#""user_not_found""#),
            };
            format!(
                "{time}\t{request}\tINFO\t{{\"action\":\"login\",\"outcome\":\"{result}\",\"error\":{error},\
                 \"username\":\"{user}\",\"clientIp\":\"{source}\",\"app\":\"ios 7.4.1\"{agent}}}\n"
            )
        }
        Door::Partner => {
            let (status, reason) = match outcome {
                Outcome::Success => ("SUCCESS", "none"),
                Outcome::WrongPassword => ("FAILURE", "invalid_password"),
                Outcome::ExpiredPassword => ("FAILURE", "expired_password"),
                Outcome::UnknownUser => ("FAILURE", "no_such_user"),
            };
            format!(
                "[INFO]\t{time}\t{request}\t{{\"event_type\": \"authentication\", \"status\": \"{status}\", \
                 \"reason\": \"{reason}\", \"user_name\": \"{user}\", \"ip\": \"{source}\"{agent}}}\n"
            )
        }
    }
}

/// A line with a user and an address that is no attempt: a customer's session goes on.
pub(super) fn session_refreshed(attempt: &Attempt, time_ms: i64, request: &str) -> String {
    let (time, Attempt { user, source, .. }) = (rfc3339(time_ms), attempt);
    format!(
        r#"{{"timestamp":"{time}","level":"debug","service":"shop-login","event":"session_refreshed","user":"{user}","src_ip":"{source}","request_id":"{request}"}}"#
    )
}

/// Lambda's line before an invocation.
pub(super) fn start(request: &str) -> String {
    format!("START RequestId: {request} Version: $LATEST\n")
}

/// Lambda's two lines after an invocation.
pub(super) fn end(
    request: &str,
    duration_ms: i64,
    memory_mb: u32,
    rng: &mut ChaCha8Rng,
) -> [String; 2] {
    let fraction = rng.random_range(0..100u8);
    let used_mb = memory_mb / 3 + rng.random_range(0..20);
    let report = format!(
        "REPORT RequestId: {request}\tDuration: {duration_ms}.{fraction:02} ms\tBilled Duration: {} ms\t\
         Memory Size: {memory_mb} MB\tMax Memory Used: {used_mb} MB\t\n",
        duration_ms + 1
    );
    [format!("END RequestId: {request}\n"), report]
}

/// What the cart says of a change.
pub(super) fn cart(time_ms: i64, request: &str, rng: &mut ChaCha8Rng) -> String {
    let body = json!({
        "level": "info",
        "msg": "cart updated",
        "cartId": format!("c{:08x}", rng.random::<u32>()),
        "sku": format!("SKU-{:05}", rng.random_range(0..40_000)),
        "qty": rng.random_range(1..5),
        "durationMs": rng.random_range(2..60),
    });
    format!("{}\t{request}\tINFO\t{body}\n", rfc3339(time_ms))
}

/// What the checkout says of an order; now and then it fails with a stack trace, one event of many lines.
pub(super) fn checkout(time_ms: i64, request: &str, rng: &mut ChaCha8Rng) -> String {
    let time = rfc3339(time_ms);
    if rng.random_bool(0.01) {
        return format!(
            "{time}\t{request}\tERROR\tPaymentTimeout: authorization failed, no answer within 3000 ms\n    \
             at Timeout._onTimeout (/var/task/payment.js:88:17)\n    \
             at listOnTimeout (node:internal/timers:581:17)\n    \
             at process.processTimers (node:internal/timers:519:7)\n"
        );
    }
    let cents = rng.random_range(500..30_000u32);
    let body = json!({
        "level": "info",
        "msg": "order placed",
        "orderId": format!("o{:010}", rng.random_range(0..10_000_000_000u64)),
        "total": format!("{}.{:02}", cents / 100, cents % 100),
        "currency": "EUR",
        "items": rng.random_range(1..9),
        "authorization": "approved",
    });
    format!("{time}\t{request}\tINFO\t{body}\n")
}

/// What sshd says of an attempt, all within the same second. `connection` counts the attempts of one
/// connection from 0; the third one ends it.
pub(super) fn sshd(attempt: &Attempt, connection: u32, pid: u32, port: u16) -> Vec<String> {
    let Attempt { time_ms, source, user, outcome, .. } = attempt;
    let head = syslog_head(*time_ms, "sshd", pid);
    let mut bodies = match outcome {
        Outcome::Success => {
            return [
                format!("Accepted publickey for {user} from {source} port {port} ssh2"),
                format!(
                    "pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)"
                ),
            ]
            .map(|body| format!("{head}{body}"))
            .into();
        }
        Outcome::UnknownUser => vec![
            format!("Invalid user {user} from {source} port {port}"),
            format!("Failed password for invalid user {user} from {source} port {port} ssh2"),
        ],
        Outcome::WrongPassword | Outcome::ExpiredPassword => vec![
            format!(
                "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= \
                 rhost={source}  user={user}"
            ),
            format!("Failed password for {user} from {source} port {port} ssh2"),
        ],
    };
    if connection == 2 {
        let who = if *outcome == Outcome::UnknownUser { "invalid" } else { "authenticating" };
        bodies
            .push(format!("Connection closed by {who} user {user} {source} port {port} [preauth]"));
    }
    bodies.into_iter().map(|body| format!("{head}{body}")).collect()
}

/// The bastion's clockwork.
pub(super) fn cron(time_ms: i64, pid: u32) -> String {
    let head = syslog_head(time_ms, "CRON", pid);
    format!("{head}pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")
}

fn syslog_head(time_ms: i64, program: &str, pid: u32) -> String {
    format!("{} bastion {program}[{pid}]: ", timestamp(time_ms).strftime("%b %e %H:%M:%S"))
}
