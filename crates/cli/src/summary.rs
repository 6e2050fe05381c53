//! What a run did, for a person and for a program.

use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::{Map, Value, json};
use tidewatch_core::admission::{Gate, Rejected};
use tidewatch_core::allow::{Allowed, Held};
use tidewatch_core::counts::Counts;
use tidewatch_core::memory::Usage;
use tidewatch_core::signal::{EventId, Origin};
use tidewatch_ingest::Tally;
use tidewatch_ingest::problem::Problem;

use crate::commands::counted;

/// Everything that is counted in a run.
#[derive(Debug)]
pub struct Summary {
    pub inputs: usize,
    pub bytes_in: u64,
    pub elapsed: Duration,
    pub tally: Tally,
    pub gate: Gate,
    pub counts: Counts,
    /// The entries of the allowlist, and what each held back.
    pub held_back: Vec<(Allowed, Held)>,
    pub usage: Usage,
    pub open_episodes: u64,
    /// The detectors by autonomous system.
    pub by_system: Vec<String>,
}

impl Summary {
    /// What could not be counted, by stable name, with how often and where first.
    fn quarantined(&self) -> Vec<(&'static str, u64, String)> {
        let problems = Problem::ALL.into_iter().filter_map(|problem| {
            let rejected = self.tally.problems.get(&problem)?;
            Some((problem.name(), rejected.count, rejected.first.clone()))
        });
        let rejected = Rejected::ALL.into_iter().filter_map(|reason| {
            let turned_away = self.gate.turned_away(reason);
            let first = turned_away.first.as_ref();
            let first = first.map(place);
            (turned_away.count > 0)
                .then(|| (reason.name(), turned_away.count, first.unwrap_or_default()))
        });
        problems.chain(rejected).collect()
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let quarantined: Map<String, Value> = self
            .quarantined()
            .into_iter()
            .map(|(name, count, _)| (name.to_owned(), json!(count)))
            .collect();
        json!({
            "bytes_in": self.bytes_in,
            "bytes_inflated": self.tally.bytes_inflated,
            "records": self.tally.records,
            "envelopes": self.tally.envelopes,
            "control_messages": self.tally.control_messages,
            "lines": self.tally.lines,
            "signals": {
                "auth_attempt": self.counts.attempts,
                "auth_mention": self.counts.mentions,
                "reset": self.counts.resets,
                "sign_up": self.counts.sign_ups,
                "access": self.counts.accesses,
                "invocation": self.counts.invocations,
                "invocation_ending": self.counts.endings,
            },
            "hostname_sources": self.tally.hostname_sources,
            "findings": self.counts.created,
            "findings_updated": self.counts.updated,
            "findings_closed": self.counts.closed,
            "findings_open": self.open_episodes,
            "suppressed": self.counts.suppressed,
            "suppressed_by": self.held_back.iter().map(held_json).collect::<Vec<_>>(),
            "disabled": self.disabled(),
            "late": self.counts.late,
            "repeated": self.counts.repeated,
            "quarantined": quarantined,
            "passed_over": self.tally.passed_over.iter().map(|(format, lines)| {
                (format.clone(), json!(lines.count))
            }).collect::<Map<String, Value>>(),
            "keys": self.usage.keys_seen,
            "state_bytes": self.usage.used_bytes,
            "overflow": {
                "points_refused": self.counts.points_refused,
                "sketches_refused": self.counts.sketches_refused,
                "forgotten_early": self.usage.forgotten_early,
            },
        })
    }

    /// The detectors that could count nothing, for want of what they count by.
    fn disabled(&self) -> &[String] {
        if self.counts.signals() > 0 && self.counts.systems == 0 { &self.by_system } else { &[] }
    }

    /// What was read, a line.
    fn read(&self) -> String {
        let mut text = String::new();
        let inputs = if self.inputs == 1 { "input" } else { "inputs" };
        let inflated = match self.tally.bytes_inflated {
            0 => String::new(),
            bytes => format!(", {} inflated", ByteSize(bytes)),
        };
        let _ = writeln!(
            text,
            "read {} lines ({}{inflated}) from {} {inputs} in {:.1} s",
            grouped(self.tally.lines),
            ByteSize(self.bytes_in),
            self.inputs,
            self.elapsed.as_secs_f64(),
        );
        text
    }

    /// Some lines of text about a bill.
    pub fn bill_text(&self) -> String {
        let mut text = self.read();
        if self.tally.lines > 0 && self.counts.invocations == 0 {
            let _ =
                writeln!(text, "note: no report of an invocation was recognised in these lines");
        }
        self.write_losses(&mut text);
        text
    }

    /// Some lines of text.
    pub fn text(&self) -> String {
        let mut text = self.read();
        let Counts { attempts, mentions, resets, sign_ups, accesses, .. } = self.counts;
        let others = match resets + sign_ups {
            0 => String::new(),
            _ => format!(", resets: {}, sign-ups: {}", grouped(resets), grouped(sign_ups)),
        };
        let others = match accesses {
            0 => others,
            _ => format!("{others}, accesses: {}", grouped(accesses)),
        };
        let _ = writeln!(
            text,
            "login attempts: {}, further mentions: {}{others}, keys watched: {}",
            grouped(attempts),
            grouped(mentions),
            grouped(self.usage.keys_seen)
        );
        if self.counts.invocations > 0 {
            let _ = writeln!(text, "invocations: {}", grouped(self.counts.invocations));
        }
        let _ = writeln!(
            text,
            "findings: {} opened, {} closed, {} still open",
            self.counts.created, self.counts.closed, self.open_episodes
        );
        let held = |(_, held): &&(Allowed, Held)| *held != Held::default();
        for (entry, held) in self.held_back.iter().filter(held) {
            let away = match held.signals {
                0 => String::new(),
                signals => {
                    format!("; {} left out of others' counts", counted(signals, "log event"))
                }
            };
            let (findings, who) = (counted(held.findings, "finding"), &entry.who);
            let (place, reason) = (tidewatch_alert::printable(&entry.place), &entry.reason);
            let _ = writeln!(text, "held back: {findings} about {who} by {place} ({reason}){away}");
        }
        // Silence from a log in a form that is not read must not look like peace.
        if self.tally.lines > 0 && self.counts.signals() == 0 {
            let _ = writeln!(text, "note: no login was recognised in these lines");
        }
        if let [first, ..] = self.disabled() {
            let all = if self.by_system.len() == 1 { first } else { &self.by_system.join(", ") };
            let _ = writeln!(
                text,
                "note: {all} counted nothing: no line tells an autonomous system; --asn-db FILE looks it up"
            );
        }
        self.write_losses(&mut text);
        text
    }

    fn write_losses(&self, text: &mut String) {
        for (name, count, sample) in self.quarantined() {
            let at = if sample.is_empty() { sample } else { format!(", first at {sample}") };
            let _ = writeln!(
                text,
                "not counted: {} × {name} ({}){}",
                grouped(count),
                explanation(name),
                tidewatch_alert::printable(&at)
            );
        }
        for (format, lines) in &self.tally.passed_over {
            let _ = writeln!(
                text,
                "note: {} line(s) look like format {format} and say nothing that it knows, first at {}",
                grouped(lines.count),
                tidewatch_alert::printable(&lines.first)
            );
        }
        for (count, what) in [
            (self.counts.late, "came too late for their key's windows"),
            (self.counts.repeated, "were delivered twice and counted once"),
            (
                self.tally.hostname_sources,
                "give no address as their source (a host name, or nothing)",
            ),
            (
                self.counts.points_refused,
                "were not counted for a key, for want of memory (--memory)",
            ),
            (self.counts.sketches_refused, "are counted as lower bounds only, for want of memory"),
        ] {
            if count > 0 {
                let _ = writeln!(text, "note: {} log event(s) {what}", grouped(count));
            }
        }
        if self.usage.forgotten_early > 0 {
            let _ = writeln!(
                text,
                "note: of {} key(s) was forgotten who used to get in, or that they attacked, for want of memory (--memory)",
                grouped(self.usage.forgotten_early)
            );
        }
    }
}

/// An entry of the allowlist and what it held back.
fn held_json((entry, held): &(Allowed, Held)) -> Value {
    json!({
        "entry": entry.place, "who": entry.who.to_string(), "reason": entry.reason,
        "until": entry.until.map(tidewatch_alert::rfc3339),
        "findings": held.findings, "signals": held.signals,
    })
}

/// Where a log event stands, as ingest says it of what it cannot read.
pub fn place(origin: &Origin) -> String {
    let stream = &origin.stream.stream;
    match &origin.id {
        EventId::Offset(offset) => format!("{stream}: byte {offset}"),
        EventId::CloudWatch(id) => format!("{} {stream}: event {id}", origin.stream.group),
    }
}

/// Why something of that name is not counted.
pub fn explanation(name: &str) -> &'static str {
    let problem = Problem::ALL.into_iter().find(|problem| problem.name() == name);
    match problem {
        Some(problem) => problem.explanation(),
        None if name == Rejected::TooEarly.name() => "event time before 2000",
        None => "event time too far in the future, see --not-after",
    }
}

/// 1234567 → 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let numbers = [0, 7, 999, 1_000, 123_456, 1_234_567];
        assert_eq!(
            numbers.map(grouped),
            ["0", "7", "999", "1,000", "123,456", "1,234,567"].map(str::to_owned)
        );
    }
}
