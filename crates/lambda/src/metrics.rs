//! Metrics in CloudWatch's embedded format: a JSON line in the log that CloudWatch takes numbers out of,
//! so that telling them costs no call
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Invariant: the one dimension is the stack. Nothing that a log can choose (an address, a user, a
//! detector's name) is a dimension or a metric's name, so nobody can make metrics that cost money.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Where the metrics are found in CloudWatch.
pub const NAMESPACE: &str = "Tidewatch";

/// The one dimension.
pub const DIMENSION: &str = "Stack";

/// Values of one metric in one line; the format takes no more.
pub const VALUES_MAX: usize = 100;

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their explanations are what `Metric::explanation` returns")]
pub enum Metric {
    Records,
    Lines,
    Signals,
    FindingsOpened,
    FindingsUpdated,
    FindingsClosed,
    FindingsSuppressed,
    FindingsInformational,
    FindingsLow,
    FindingsMedium,
    FindingsHigh,
    FindingsCritical,
    Late,
    Repeated,
    Rejected,
    Quarantined,
    QuarantineFailed,
    Shed,
    SharesLost,
    Unacknowledged,
    PublishFailed,
    OwnLogGroup,
    StoreCalls,
    StoreThrottled,
    StoreMs,
    BatchMs,
    EventToPublishMs,
    Ticks,
    OverridesRejected,
    KeyAgeDays,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 30] = [
        Metric::Records,
        Metric::Lines,
        Metric::Signals,
        Metric::FindingsOpened,
        Metric::FindingsUpdated,
        Metric::FindingsClosed,
        Metric::FindingsSuppressed,
        Metric::FindingsInformational,
        Metric::FindingsLow,
        Metric::FindingsMedium,
        Metric::FindingsHigh,
        Metric::FindingsCritical,
        Metric::Late,
        Metric::Repeated,
        Metric::Rejected,
        Metric::Quarantined,
        Metric::QuarantineFailed,
        Metric::Shed,
        Metric::SharesLost,
        Metric::Unacknowledged,
        Metric::PublishFailed,
        Metric::OwnLogGroup,
        Metric::StoreCalls,
        Metric::StoreThrottled,
        Metric::StoreMs,
        Metric::BatchMs,
        Metric::EventToPublishMs,
        Metric::Ticks,
        Metric::OverridesRejected,
        Metric::KeyAgeDays,
    ];

    /// The name in CloudWatch, which alarms and the dashboard use.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The unit, as CloudWatch spells it.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::StoreMs | Metric::BatchMs | Metric::EventToPublishMs => "Milliseconds",
            Metric::KeyAgeDays => "None",
            _ => "Count",
        }
    }

    /// What it counts, for the documentation.
    pub fn explanation(self) -> &'static str {
        match self {
            Metric::Records => "records of the stream",
            Metric::Lines => "log events in them",
            Metric::Signals => "login attempts and mentions among these",
            Metric::FindingsOpened => "findings that began",
            Metric::FindingsUpdated => "findings that got worse",
            Metric::FindingsClosed => "findings that ended",
            Metric::FindingsSuppressed => {
                "findings that the allowlist held back, in each batch they went on in"
            }
            Metric::FindingsInformational => "findings that began as informational",
            Metric::FindingsLow => "findings that began as low",
            Metric::FindingsMedium => "findings that began as medium",
            Metric::FindingsHigh => "findings that began as high",
            Metric::FindingsCritical => "findings that began as critical",
            Metric::Late => "log events behind everything that is kept",
            Metric::Repeated => "log events delivered twice and counted once",
            Metric::Rejected => "log events that could not be read or whose time is not believed",
            Metric::Quarantined => "records that could not be read and are kept in the bucket",
            Metric::QuarantineFailed => "such records that could not be kept and come again",
            Metric::Shed => "log events not counted for a key, for want of room",
            Metric::SharesLost => "parts of the shared state that could not be read",
            Metric::Unacknowledged => "records that were asked for again",
            Metric::PublishFailed => {
                "findings that did not leave and will be tried again, and notices that did not"
            }
            Metric::OwnLogGroup => {
                "envelopes of the function's own log group: a subscription to end"
            }
            Metric::StoreCalls => "requests to the table",
            Metric::StoreThrottled => "writes that the table turned away",
            Metric::StoreMs => "milliseconds a request to the table takes",
            Metric::BatchMs => "milliseconds an invocation takes",
            Metric::EventToPublishMs => {
                "milliseconds from a log event's time to its finding's leaving"
            }
            Metric::Ticks => "times that quiet findings were looked for",
            Metric::OverridesRejected => {
                "invocations that went on without faulty override detectors, allowlist or known users"
            }
            Metric::KeyAgeDays => "days since the tag key was made",
        }
    }
}

/// The metrics of one invocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    values: BTreeMap<Metric, Vec<f64>>,
}

impl Metrics {
    /// Adds to a number; what never had anything added is not told, for CloudWatch counts data points.
    pub fn add(&mut self, metric: Metric, n: u64) {
        if n > 0 {
            match self.values.entry(metric).or_default().first_mut() {
                Some(value) => *value += n as f64,
                None => self.set(metric, n as f64),
            }
        }
    }

    /// Tells a number, even zero.
    pub fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, vec![value]);
    }

    /// Tells many numbers of one kind, at most [`VALUES_MAX`] of them.
    pub fn sample(&mut self, metric: Metric, values: impl IntoIterator<Item = f64>) {
        let told = self.values.entry(metric).or_default();
        let room = VALUES_MAX.saturating_sub(told.len());
        told.extend(values.into_iter().take(room));
        if told.is_empty() {
            self.values.remove(&metric);
        }
    }

    /// What was added up or set for `metric`.
    pub fn get(&self, metric: Metric) -> f64 {
        self.values.get(&metric).map_or(0.0, |values| values.iter().sum())
    }

    /// The line's object: the numbers by name, and where CloudWatch finds them. `at_ms` is when they were
    /// taken, in milliseconds since 1970.
    pub fn document(&self, stack: &str, at_ms: i64) -> Map<String, Value> {
        let told: Vec<Value> = self
            .values
            .keys()
            .map(|metric| json!({ "Name": metric.name(), "Unit": metric.unit() }))
            .collect();
        let mut document = Map::new();
        document.insert(
            "_aws".to_owned(),
            json!({
                "CloudWatchMetrics": [{
                    "Dimensions": [[DIMENSION]],
                    "Metrics": told,
                    "Namespace": NAMESPACE,
                }],
                "Timestamp": at_ms,
            }),
        );
        document.insert(DIMENSION.to_owned(), json!(stack));
        for (metric, values) in &self.values {
            let value = match values.as_slice() {
                [one] => number(*one),
                many => many.iter().map(|value| number(*value)).collect(),
            };
            document.insert(metric.name(), value);
        }
        document
    }
}

/// Whole numbers without a decimal point.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_is_in_the_embedded_format() {
        let mut metrics = Metrics::default();
        metrics.add(Metric::Records, 2);
        metrics.add(Metric::Records, 3);
        metrics.add(Metric::Late, 0);
        metrics.sample(Metric::StoreMs, [1.5, 2.0]);
        metrics.sample(Metric::EventToPublishMs, []);
        metrics.set(Metric::KeyAgeDays, 0.0);
        let document = Value::Object(metrics.document("prod", 7));
        let told = json!([
            { "Name": "Records", "Unit": "Count" },
            { "Name": "StoreMs", "Unit": "Milliseconds" },
            { "Name": "KeyAgeDays", "Unit": "None" },
        ]);
        assert_eq!(
            document,
            json!({
                "_aws": {
                    "CloudWatchMetrics": [
                        { "Dimensions": [["Stack"]], "Metrics": told, "Namespace": "Tidewatch" }
                    ],
                    "Timestamp": 7,
                },
                "KeyAgeDays": 0,
                "Records": 5,
                "Stack": "prod",
                "StoreMs": [1.5, 2],
            })
        );
    }

    #[test]
    fn a_line_has_no_more_values_than_cloudwatch_reads() {
        let mut metrics = Metrics::default();
        for _ in 0..3 {
            metrics.sample(Metric::StoreMs, (0..60).map(f64::from));
        }
        let document = metrics.document("s", 0);
        assert_eq!(document["StoreMs"].as_array().map(Vec::len), Some(VALUES_MAX));
    }

    #[test]
    fn all_metrics_are_listed_and_named_apart() {
        let names: BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::KeyAgeDays as usize + 1);
        assert!(Metric::ALL.iter().all(|metric| !metric.explanation().is_empty()));
    }
}
