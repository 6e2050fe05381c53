//! What one invocation did: counted once, told as metrics and as the one summary line, which are the same
//! JSON object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidewatch_aws::topics::Told;
use tidewatch_core::admission::{Gate, Rejected};
use tidewatch_core::allow::{Allowed, Held};
use tidewatch_core::counts::Counts;
use tidewatch_core::limits::FUNCTIONS_WATCHED_MAX;
use tidewatch_core::signal::{EventId, Origin};
use tidewatch_core::table_store::functions::FunctionCounts;
use tidewatch_ingest::Tally;
use tidewatch_ingest::tally::printable;

use crate::log;
use crate::metrics::{Metric, Metrics};

/// Findings that began, by severity, informational first.
const OPENED: [Metric; 5] = [
    Metric::FindingsInformational,
    Metric::FindingsLow,
    Metric::FindingsMedium,
    Metric::FindingsHigh,
    Metric::FindingsCritical,
];

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
        let passed_over = tally.passed_over.iter().map(|(format, lines)| {
            let first = tidewatch_alert::printable(&lines.first).into_owned();
            (format.clone(), json!({ "count": lines.count, "first": first }))
        });
        let passed_over: Map<String, Value> = passed_over.collect();
        if !passed_over.is_empty() {
            self.note("passed_over", passed_over);
        }
    }

    /// Counts what the engine did.
    pub fn counted(&mut self, counts: &Counts, gate: &Gate) {
        let metrics = &mut self.metrics;
        metrics.add(Metric::Signals, counts.signals());
        metrics.add(Metric::FindingsOpened, counts.created);
        metrics.add(Metric::FindingsUpdated, counts.updated);
        metrics.add(Metric::FindingsClosed, counts.closed);
        metrics.add(Metric::FindingsSuppressed, counts.suppressed);
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

    /// Counts what was done about functions. What has a metric adds to it; the rest stands in the line.
    pub fn functions(&mut self, counts: &FunctionCounts) {
        let [opened, updated, closed] = counts.told;
        let metrics = &mut self.metrics;
        metrics.add(Metric::FindingsOpened, opened);
        metrics.add(Metric::FindingsUpdated, updated);
        metrics.add(Metric::FindingsClosed, closed);
        metrics.add(Metric::Late, counts.late);
        metrics.add(Metric::Repeated, counts.repeated);
        metrics.add(Metric::Rejected, counts.rejected);
        metrics.add(Metric::Shed, counts.refused);
        metrics.add(Metric::SharesLost, counts.lost);
        let notes = [
            ("invocations", counts.lines),
            ("callers_heard", counts.heard),
            ("callers_unheard", counts.unheard),
            ("functions", counts.looked_at),
            ("panes_closed", counts.closed_panes),
            ("panes_incomplete", counts.incomplete_panes),
            ("functions_unwatched", counts.unwatched),
            ("functions_unbudgeted", counts.unbudgeted),
        ];
        for (name, count) in notes.into_iter().filter(|(_, count)| *count > 0) {
            self.note(name, count);
        }
        if counts.unwatched > 0 {
            log::error(
                "functions_unwatched",
                format_args!(
                    "there are more than {FUNCTIONS_WATCHED_MAX} functions, the rest are looked at late or \
                     not at all: send the logs of fewer, or weigh none (WeighFunctions)"
                ),
            );
        }
        if counts.unbudgeted > 0 {
            log::error(
                "functions_unbudgeted",
                format_args!(
                    "more than {FUNCTIONS_WATCHED_MAX} functions cost something of late: the rest are not in the \
                     budget of all functions together"
                ),
            );
        }
    }

    /// Counts what the allowlist held back: by the place of each entry, which tells neither who is allowed
    /// nor why.
    pub fn held_back<'a>(&mut self, entries: impl Iterator<Item = (&'a Allowed, Held)>) {
        let held = entries.filter(|(_, held)| held.findings > 0);
        let held: Vec<_> = held.map(|(entry, held)| (entry.place.clone(), held.findings)).collect();
        self.suppressed_by(held);
    }

    /// The same of functions: in how many of their panes.
    pub fn functions_held_back(&mut self, entries: &[Allowed], counts: &FunctionCounts) {
        let held = counts.held_back.iter();
        let held: Vec<_> = held
            .filter_map(|(entry, panes)| Some((entries.get(*entry)?.place.clone(), *panes)))
            .collect();
        let panes = held.iter().map(|(_, panes)| panes).sum();
        self.metrics.add(Metric::FindingsSuppressed, panes);
        self.suppressed_by(held);
    }

    fn suppressed_by(&mut self, held: Vec<(String, u64)>) {
        if held.is_empty() {
            return;
        }
        let known = self.notes.entry("suppressed_by").or_insert_with(|| json!({}));
        for (place, count) in held {
            let before = known[&place].as_u64().unwrap_or(0);
            known[&place] = json!(before + count);
        }
    }

    /// Counts what left.
    pub fn published(&mut self, told: &Told) {
        for (metric, opened) in OPENED.into_iter().zip(told.opened) {
            self.metrics.add(metric, opened);
        }
        self.metrics.add(Metric::PublishFailed, told.failed + told.notices_failed);
        let latencies = told.event_to_publish_ms.iter().map(|ms| *ms as f64);
        self.metrics.sample(Metric::EventToPublishMs, latencies);
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

/// Where a log event stands: names only, never what it says. Cut and escaped as all other places of
/// problems are, for the names are whatever somebody put on the stream.
fn place(origin: &Origin) -> String {
    let stream = &*origin.stream;
    printable(&match &origin.id {
        EventId::CloudWatch(id) => format!("{} {}: event {id}", stream.group, stream.stream),
        EventId::Offset(offset) => format!("{}: byte {offset}", stream.stream),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use tidewatch_core::signal::LogStream;
    use tidewatch_ingest::limits::SAMPLE_CHARS_MAX;

    #[test]
    fn a_place_is_as_short_as_all_others_whatever_the_names() {
        let stream =
            |group: &str| Arc::new(LogStream { group: group.to_owned(), ..LogStream::default() });
        let event = EventId::CloudWatch("7".into());
        let short = Origin { stream: stream("/app\u{1b}"), id: event.clone() };
        assert_eq!(place(&short), "/app\\u{1b} : event 7");
        let long = Origin { stream: stream(&"g".repeat(100_000)), id: event };
        assert_eq!(place(&long).len(), SAMPLE_CHARS_MAX);
    }
}
