//! What one invocation did: counted once, told as metrics and as the one summary line, which are the same
//! JSON object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidewatch_core::admission::{Gate, Rejected};
use tidewatch_core::counts::Counts;
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::signal::{EventId, Origin};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_ingest::Tally;

use crate::metrics::{Metric, Metrics};

/// What an invocation did.
#[derive(Debug, Default)]
pub struct Report {
    /// The numbers.
    pub metrics: Metrics,
    /// What stands beside them in the line.
    notes: Map<String, Value>,
    /// What could not be read or believed, by stable name: how often, and where first.
    problems: BTreeMap<&'static str, (u64, String)>,
}

impl Report {
    /// Something beside the numbers.
    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.notes.insert(name.to_owned(), value.into());
    }

    /// Counts what was read.
    pub fn read(&mut self, tally: &Tally) {
        self.metrics.add(Metric::Records, tally.records);
        self.metrics.add(Metric::Lines, tally.lines);
        self.metrics.add(Metric::OwnLogGroup, tally.own_envelopes);
        for (problem, rejected) in &tally.problems {
            self.problem(problem.name(), rejected.count, rejected.first.clone());
        }
    }

    /// Counts what the engine did.
    pub fn counted(&mut self, counts: &Counts, gate: &Gate) {
        let metrics = &mut self.metrics;
        metrics.add(Metric::Signals, counts.attempts + counts.mentions);
        metrics.add(Metric::FindingsOpened, counts.created);
        metrics.add(Metric::FindingsUpdated, counts.updated);
        metrics.add(Metric::FindingsClosed, counts.closed);
        metrics.add(Metric::Late, counts.late);
        metrics.add(Metric::Repeated, counts.repeated);
        metrics.add(Metric::Shed, counts.points_refused + counts.sketches_refused);
        metrics.add(Metric::SharesLost, counts.shares_lost);
        for reason in Rejected::ALL {
            let turned_away = gate.turned_away(reason);
            let first = turned_away.first.as_ref().map(place).unwrap_or_default();
            self.problem(reason.name(), turned_away.count, first);
        }
    }

    fn problem(&mut self, name: &'static str, count: u64, first: String) {
        if count > 0 {
            self.metrics.add(Metric::Rejected, count);
            self.problems.entry(name).or_insert((0, first)).0 += count;
        }
    }

    /// The line.
    pub fn document(self, stack: &str, at_ms: i64) -> Map<String, Value> {
        let mut document = self.metrics.document(stack, at_ms);
        document.extend(self.notes);
        if !self.problems.is_empty() {
            let told = self.problems.into_iter().map(|(name, (count, first))| {
                let first = tidewatch_alert::printable(&first).into_owned();
                (name.to_owned(), json!({ "count": count, "first": first }))
            });
            document.insert("problems".to_owned(), Value::Object(told.collect()));
        }
        document
    }
}

/// Where a log event stands: names only, never what it says.
fn place(origin: &Origin) -> String {
    let stream = &*origin.stream;
    match &origin.id {
        EventId::CloudWatch(id) => format!("{} {}: event {id}", stream.group, stream.stream),
        EventId::Offset(offset) => format!("{}: byte {offset}", stream.stream),
    }
}

/// A sink that counts by severity what leaves through another.
#[derive(Debug)]
pub struct Graded<A> {
    /// Where findings go.
    pub inner: A,
    opened: [u64; Severity::ALL.len()],
    failed: u64,
}

impl<A> Graded<A> {
    /// Nothing has left yet.
    pub fn new(inner: A) -> Graded<A> {
        Graded { inner, opened: Default::default(), failed: 0 }
    }

    /// Tells what has left.
    pub fn tell(&self, metrics: &mut Metrics) {
        for (severity, opened) in Severity::ALL.into_iter().zip(self.opened) {
            metrics.add(metric(severity), opened);
        }
        metrics.add(Metric::PublishFailed, self.failed);
    }
}

fn metric(severity: Severity) -> Metric {
    match severity {
        Severity::Informational => Metric::FindingsInformational,
        Severity::Low => Metric::FindingsLow,
        Severity::Medium => Metric::FindingsMedium,
        Severity::High => Metric::FindingsHigh,
        Severity::Critical => Metric::FindingsCritical,
    }
}

impl<A: AlertSink> AlertSink for Graded<A> {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        let published = self.inner.publish(finding).await;
        let at = Severity::ALL.iter().position(|severity| *severity == finding.severity);
        match (&published, at) {
            (Err(_), _) => self.failed += 1,
            (Ok(()), Some(at)) if finding.activity != Activity::Close => self.opened[at] += 1,
            (Ok(()), _) => {}
        }
        published
    }
}
