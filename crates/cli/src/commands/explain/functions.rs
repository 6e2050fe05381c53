//! Why detectors of what functions take raised, or did not: step by step, the numbers that were decided by.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::{printable, rfc3339};
use tidewatch_core::allow::Allowlist;
use tidewatch_core::finding::Activity;
use tidewatch_core::meter::book::FINE;
use tidewatch_core::spend::detector::{Rule, SpendDetector};
use tidewatch_core::spend::reasons::{Explained, Step, Unit};
use tidewatch_core::time::Time;

use crate::standing::Functions;

/// What was kept of functions, and what is to be known to show it.
pub struct Shown<'a> {
    pub functions: &'a Functions,
    pub allow: &'a Allowlist,
}

impl Shown<'_> {
    /// Each detector with the functions that came nearest; nothing where no function is watched.
    pub fn nearest_text(&self) -> String {
        if self.functions.watched == 0 {
            return String::new();
        }
        let mut text = String::new();
        for (nth, rule) in self.functions.detectors.iter().enumerate() {
            let by = if rule.rule == Rule::Riding { "caller" } else { "function" };
            let _ = writeln!(text, "\n{} (by {by}, in {FINE})", rule.id);
            let mut all = self.functions.explained.iter().filter(|of| of.nth == nth).peekable();
            if all.peek().is_none() {
                text += "    nothing near\n";
            }
            for of in all {
                let (who, said) = (who(of), self.said(of));
                let at = rfc3339(start(of.pane));
                let _ = writeln!(text, "    {who}: {said}; nearest at {at}");
                text += &steps_text(of, rule, "        ");
            }
        }
        text
    }

    /// Panes, one after the other, each with what detectors made of it.
    pub fn panes_text(&self) -> String {
        let mut text = String::new();
        for of in &self.functions.explained {
            let rule = &self.functions.detectors[of.nth];
            let (at, who, said) = (rfc3339(start(of.pane)), who(of), self.said(of));
            let _ = writeln!(text, "{at} {} {who}: {said}", rule.id);
            text += &steps_text(of, rule, "    ");
            text.push('\n');
        }
        text.trim_end().to_owned()
    }

    /// What became of it.
    fn said(&self, of: &Explained) -> String {
        let severity = of.severity.map_or("quiet", |severity| severity.name());
        if let Some((uid, activity)) = &of.told {
            return match activity {
                Activity::Close => format!("CLOSE, finding {uid}"),
                Activity::Create => format!("OPEN {severity}, finding {uid}"),
                Activity::Update => format!("UPDATE {severity}, finding {uid}"),
            };
        }
        if let Some(entry) = of.held_back.and_then(|entry| self.allow.entries.get(entry)) {
            let (place, reason) = (printable(&entry.place), printable(&entry.reason));
            let until = entry
                .until
                .map_or("for good".to_owned(), |until| format!("until {}", rfc3339(until)));
            return format!("{severity}, held back {until} by {place} ({reason})");
        }
        match (&of.told_by, of.severity) {
            (Some((id, worst)), _) => format!("{severity}, told by {id} ({})", worst.name()),
            (None, Some(_)) => format!("{severity}, of a finding that was told before"),
            (None, None) => severity.to_owned(),
        }
    }

    /// All that was kept.
    pub fn json(&self) -> Value {
        let all = self.functions.explained.iter().map(|of| {
            let rule = &self.functions.detectors[of.nth];
            let held = of.held_back.and_then(|entry| self.allow.entries.get(entry));
            json!({
                "detector": rule.id,
                "account": of.function.account,
                "function": of.function.name,
                "pane_from": rfc3339(start(of.pane)),
                "raised": of.severity.map(|severity| severity.name()),
                "told_by": of.told_by.as_ref().map(|(id, _)| id),
                "held_back": held.map(|entry| json!({ "entry": entry.place, "reason": entry.reason })),
                "finding_uid": of.told.as_ref().map(|(uid, _)| uid),
                "activity": of.told.as_ref().map(|(_, activity)| match activity {
                    Activity::Create => "open",
                    Activity::Update => "update",
                    Activity::Close => "close",
                }),
                "steps": of.reasons.steps(rule).iter().map(step_json).collect::<Vec<_>>(),
            })
        });
        all.collect()
    }
}

fn start(pane: i64) -> Time {
    Time(pane * FINE.0)
}

fn who(of: &Explained) -> String {
    match &*of.function.name {
        "" => "everything".to_owned(),
        name => printable(name).into_owned(),
    }
}

fn steps_text(of: &Explained, rule: &SpendDetector, indent: &str) -> String {
    let mut text = String::new();
    for step in of.reasons.steps(rule) {
        let holds = step.holds.map_or("", |holds| if holds { "yes" } else { "no" });
        let numbers = match (step.amount, step.least) {
            (Some(is), Some(least)) => {
                format!("{} against {}", shown(is, step.unit), shown(least, step.unit))
            }
            (Some(is), None) => shown(is, step.unit),
            (None, _) => String::new(),
        };
        let numbers = match (numbers.as_str(), step.note.as_str()) {
            ("", note) => note.to_owned(),
            (_, "") => numbers,
            (_, note) => format!("{numbers}; {note}"),
        };
        let _ = writeln!(text, "{indent}{:<22}  {holds:<4} {numbers}", step.what);
    }
    text
}

/// A number with its unit.
fn shown(number: f64, unit: Unit) -> String {
    let rounded = |number: f64| {
        let places = if number.abs() >= 100.0 { 0 } else { 2 };
        let places = if number.abs() < 0.1 && number != 0.0 { 5 } else { places };
        let text = format!("{number:.places$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    match unit {
        Unit::Plain => rounded(number),
        Unit::Share => format!("{} %", rounded(number * 100.0)),
        Unit::Dollars => format!("${}", rounded(number)),
        Unit::Own(of) if of.is_duration() => format!("{} ms", rounded(number)),
        Unit::Own(of) if of.is_count() => format!("{} an hour", rounded(number)),
        Unit::Own(_) => format!("${} an hour", rounded(number)),
    }
}

fn step_json(step: &Step) -> Value {
    let unit = match step.unit {
        Unit::Plain => "number",
        Unit::Share => "share",
        Unit::Dollars => "dollars",
        Unit::Own(of) if of.is_duration() => "ms",
        Unit::Own(of) if of.is_count() => "an hour",
        Unit::Own(_) => "dollars an hour",
    };
    json!({
        "step": step.what, "amount": step.amount, "least": step.least, "holds": step.holds,
        "unit": unit, "note": step.note,
    })
}
