//! The lines of one invocation, as the platform and the application write them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::super::envelopes::LogEvent;
use super::super::lines::{request_id, rfc3339};
use super::functions::{Function, normal};
use super::plants::{More, Now};
use super::{DAY_MS, HOUR_MS, MINUTE_MS};

/// How long a function may run: whatever would take longer is cut off.
const TIME_LIMIT_MS: f64 = 60_000.0;

/// The share of invocations that wait for a new environment; and in the first minutes of a version.
const COLD_SHARES: [f64; 2] = [0.01, 0.3];

/// One invocation to be.
pub(super) struct Play<'a> {
    pub(super) function: &'a Function,
    pub(super) now: &'a Now<'a>,
    /// What it is part of, if it is not one of the usual.
    pub(super) planted: Option<More<'a>>,
    pub(super) start_ms: i64,
}

/// How it ended, and what it took.
struct Outcome {
    status: &'static str,
    duration_ms: f64,
    billed_ms: u64,
    init_ms: Option<f64>,
    used_mb: u32,
}

impl Play<'_> {
    /// The log stream, and the lines in order.
    pub(super) fn lines(&self, chance: &mut ChaCha8Rng) -> (String, Vec<LogEvent>) {
        let (version, age_ms) = self.function.version(self.start_ms);
        let request = request_id(chance);
        let outcome = self.outcome(age_ms, chance);
        let end_ms = self.start_ms + outcome.duration_ms as i64;
        let mut lines = vec![(self.start_ms, self.start(&request, version))];
        lines.push((self.start_ms + 1, self.said(&request, chance)));
        lines.extend(self.ended(&request, end_ms, &outcome).into_iter().map(|line| (end_ms, line)));
        let events = lines.into_iter().map(|(time_ms, message)| LogEvent { time_ms, message });
        (self.stream(version, chance), events.collect())
    }

    fn outcome(&self, age_ms: i64, chance: &mut ChaCha8Rng) -> Outcome {
        let Function { median_ms, spread, memory_mb, error_share, .. } = *self.function;
        let is_new = age_ms < 5 * MINUTE_MS;
        let init_ms = chance
            .random_bool(COLD_SHARES[usize::from(is_new)])
            .then(|| (150.0 + 350.0 * chance.random::<f64>()) * 100.0)
            .map(|hundredths| hundredths.round() / 100.0);
        let took = median_ms * self.now.slower * (spread * normal(chance)).exp();
        let duration_ms = (took.clamp(0.8, TIME_LIMIT_MS) * 100.0).round() / 100.0;
        let fails = chance.random_bool(self.now.error_share.unwrap_or(error_share).min(1.0));
        let status = match (took >= TIME_LIMIT_MS, fails) {
            (true, _) => "timeout",
            (_, true) => "error",
            _ => "success",
        };
        let billed_ms = (duration_ms + init_ms.unwrap_or(0.0)).ceil() as u64;
        let used_mb = memory_mb / 3 + chance.random_range(0..memory_mb / 8);
        Outcome { status, duration_ms, billed_ms, init_ms, used_mb }
    }

    /// The environment it runs in: each lives for hours, and traffic has some beside each other.
    fn stream(&self, version: u32, chance: &mut ChaCha8Rng) -> String {
        let started = self.start_ms.div_euclid(2 * HOUR_MS);
        let environment = chance.random_range(0..4u64);
        let name = self.function.name.bytes();
        let mix = |hash: u64, byte: u64| (hash ^ byte).wrapping_mul(0x0100_0000_01b3);
        let parts = name.map(u64::from).chain([u64::from(version), started as u64, environment]);
        let hash = parts.fold(0xcbf2_9ce4_8422_2325, mix);
        let day = rfc3339((started * 2 * HOUR_MS).div_euclid(DAY_MS) * DAY_MS);
        let day = day.get(..10).unwrap_or_default().replace('-', "/");
        format!("{day}/[{version}]{hash:016x}{:016x}", mix(hash, 1))
    }

    fn start(&self, request: &str, version: u32) -> String {
        if self.function.is_json {
            let record = json!({"requestId": request, "version": version.to_string()});
            return self.event(self.start_ms, "platform.start", &record);
        }
        format!("START RequestId: {request} Version: {version}\n")
    }

    fn event(&self, time_ms: i64, kind: &str, record: &serde_json::Value) -> String {
        json!({"time": rfc3339(time_ms), "type": kind, "record": record}).to_string()
    }

    /// What the application says: who asked for what, and from where.
    fn said(&self, request: &str, chance: &mut ChaCha8Rng) -> String {
        let time = rfc3339(self.start_ms + 1);
        // Few ask often, many now and then.
        let rank = (chance.random::<f64>().powi(3) * 400.0) as u32;
        let (principal, source) = match self.planted.and_then(|planted| planted.principal) {
            Some(principal) => (principal.to_owned(), "198.51.100.23".to_owned()),
            None => {
                let address = format!("81.4.{}.{}", rank / 200, rank % 200 + 1);
                (format!("tenant-{rank:04}"), address)
            }
        };
        let route = ["GET /items", "GET /items/{id}", "POST /orders", "GET /status"];
        let route = route[chance.random_range(0..route.len())];
        let bytes = chance.random_range(200..20_000);
        if self.function.is_json {
            return json!({
                "timestamp": time, "level": "INFO", "requestId": request, "message": "request served",
                "principalId": principal, "sourceIp": source, "routeKey": route, "responseLength": bytes,
            })
            .to_string();
        }
        let said = json!({
            "msg": "request served", "principalId": principal, "sourceIp": source,
            "routeKey": route, "responseLength": bytes,
        });
        format!("{time}\t{request}\tINFO\t{said}\n")
    }

    /// What the platform writes at the end.
    fn ended(&self, request: &str, end_ms: i64, outcome: &Outcome) -> Vec<String> {
        let Outcome { status, duration_ms, billed_ms, init_ms, used_mb } = *outcome;
        let memory_mb = self.function.memory_mb;
        if self.function.is_json {
            let mut metrics = json!({
                "durationMs": duration_ms, "billedDurationMs": billed_ms, "memorySizeMB": memory_mb,
                "maxMemoryUsedMB": used_mb,
            });
            if let Some(init_ms) = init_ms {
                metrics["initDurationMs"] = init_ms.into();
            }
            let mut record = json!({"requestId": request, "metrics": metrics, "status": status});
            if status == "error" {
                record["errorType"] = "Runtime.ExitError".into();
            }
            return vec![self.event(end_ms, "platform.report", &record)];
        }
        let tells = self.function.tells_status;
        let mut lines = Vec::new();
        match status {
            "timeout" => lines.push(format!(
                "{} {request} Task timed out after {:.2} seconds\n\n",
                rfc3339(end_ms),
                duration_ms / 1e3
            )),
            "error" => lines.push(format!(
                "RequestId: {request} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n"
            )),
            _ => {}
        }
        lines.push(format!("END RequestId: {request}\n"));
        let init = init_ms.map_or(String::new(), |ms| format!("Init Duration: {ms:.2} ms\t"));
        let ending = match status {
            "timeout" if tells => "Status: timeout",
            "error" if tells => "Status: error\tError Type: Runtime.ExitError",
            _ => "",
        };
        lines.push(format!(
            "REPORT RequestId: {request}\tDuration: {duration_ms:.2} ms\tBilled Duration: {billed_ms} ms\t\
             Memory Size: {memory_mb} MB\tMax Memory Used: {used_mb} MB\t{init}{ending}\n"
        ));
        lines
    }
}
