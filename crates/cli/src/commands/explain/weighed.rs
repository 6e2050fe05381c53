//! Detectors' numbers against their thresholds, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::{printable, rfc3339};
use tidewatch_core::allow::Allowed;
use tidewatch_core::detector::{Detector, Severity};
use tidewatch_core::finding::{Accuracy, Activity, Decided};
use tidewatch_core::judge::{Relation, Weighed, WeighedRaise};
use tidewatch_core::time::Time;

use crate::standing::{Behind, Near, Standing};

/// Panes of a measure that are shown.
const PANES_SHOWN_MAX: usize = 40;

/// Of each detector the keys that came nearest; `all` severities of each, or only the one that tells most.
pub fn text(standing: &Standing, all: bool) -> String {
    let mut text = String::new();
    for (rule, nearest) in standing.plan.detectors.iter().zip(&standing.nearest) {
        let by = rule.key.iter().map(|field| field.name()).collect::<Vec<_>>().join(" + ");
        let _ = writeln!(text, "{} (by {by}, in {})", rule.id, rule.window);
        if nearest.is_empty() {
            text += "    nothing to count\n";
        }
        for near in nearest {
            let said = standing
                .found
                .iter()
                .find(|finding| finding.detector == rule.id && finding.key == near.place.1);
            let said = match said {
                Some(finding) => {
                    format!("raised {}, finding {}", finding.severity.name(), finding.uid)
                }
                None => match held_back(standing, rule, near) {
                    Some((severity, by)) => {
                        let (place, reason) = (printable(&by.place), &by.reason);
                        let until = by.until.map_or("for good".to_owned(), |until| {
                            format!("until {}", rfc3339(until))
                        });
                        let severity = severity.name();
                        format!("{severity}, held back {until} by {place} ({reason})")
                    }
                    None => "quiet".to_owned(),
                },
            };
            let _ = writeln!(text, "    {}: {said}; nearest at {}", near.place.1, rfc3339(near.at));
            let raises = near.weighed.raises.iter();
            let telling = telling(&near.weighed);
            for raise in raises.filter(|raise| all || Some(raise.severity) == telling) {
                text += &raise_text(raise, "        ");
            }
            text += &others_text(standing, &near.weighed, "        ");
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The severity that is raised where a key came nearest, and the entry of the allowlist that holds it back.
fn held_back<'a>(
    standing: &'a Standing,
    rule: &Detector,
    near: &Near,
) -> Option<(Severity, &'a Allowed)> {
    let allow = &standing.plan.allow;
    let entry = allow.holds_back(&near.place.1, &rule.id, near.at)?;
    Some((near.weighed.raised()?, &allow.entries[entry]))
}

/// The severity that holds, or else the one that would come first.
fn telling(weighed: &Weighed) -> Option<Severity> {
    let holding = weighed.raises.iter().find(|raise| raise.holds());
    holding.or(weighed.raises.last()).map(|raise| raise.severity)
}

/// The detectors it raises only after, and those it is quiet beside, as far as they matter here.
fn others_text(standing: &Standing, weighed: &Weighed, indent: &str) -> String {
    let id = |other: &Relation| standing.plan.detector(other.detector).id.as_str();
    let after: Vec<&Relation> = weighed.others.iter().filter(|other| other.after).collect();
    let mut text = String::new();
    if !after.is_empty() && after.iter().all(|other| other.stands.is_none()) {
        let ids = after.iter().map(|other| id(other)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "{indent}waits for one of {ids}");
    }
    for other in weighed.others.iter().filter(|other| !other.after) {
        if let Some(severity) = other.stands {
            let (id, severity) = (id(other), severity.name());
            let _ = writeln!(text, "{indent}quiet up to {severity}: {id} tells it");
        }
    }
    if let Some(leader) = weighed.told_by.filter(|_| weighed.raises.iter().any(WeighedRaise::holds))
    {
        let leader = &standing.plan.detector(leader).id;
        let _ = writeln!(text, "{indent}folded: {leader} tells of this key");
    }
    text
}

fn raise_text(raise: &WeighedRaise, indent: &str) -> String {
    let mut text = String::new();
    for (nth, (decided, holds)) in raise.when.iter().enumerate() {
        let severity = if nth == 0 { raise.severity.name() } else { "" };
        let holds = if *holds { "yes" } else { "no" };
        let _ = writeln!(
            text,
            "{indent}{severity:<13}  {:<32}  {:<4} {}",
            decided.condition,
            holds,
            numbers(decided)
        );
    }
    text
}

fn numbers(decided: &Decided) -> String {
    let round = |amount: f64| (amount * 100.0).round() / 100.0;
    format!("{} against {}", round(decided.amount), round(decided.threshold))
}

pub fn json(standing: &Standing) -> Value {
    let detectors = standing.plan.detectors.iter().zip(&standing.nearest);
    let all = detectors.map(|(rule, nearest)| {
        let keys = nearest.iter().map(|near: &Near| {
            let found = standing
                .found
                .iter()
                .find(|finding| finding.detector == rule.id && finding.key == near.place.1);
            let held = held_back(standing, rule, near).map(|(severity, by)| {
                json!({
                    "severity": severity.name(), "entry": by.place, "reason": by.reason,
                    "until": by.until.map(rfc3339),
                })
            });
            json!({
                "held_back": held,
                "key": near.place.1.to_string(), "nearest_at": rfc3339(near.at),
                "raised": found.map(|finding| finding.severity.name()),
                "finding_uid": found.map(|finding| &finding.uid),
                "severities": raises_json(&near.weighed),
                "others": others_json(standing, &near.weighed),
                "told_by": near.weighed.told_by.map(|leader| &standing.plan.detector(leader).id),
                "measures": measures_json(&near.weighed),
            })
        });
        json!({ "detector": rule.id, "keys": keys.collect::<Vec<_>>() })
    });
    all.collect()
}

fn raises_json(weighed: &Weighed) -> Value {
    let of = |raise: &WeighedRaise| {
        let when = raise.when.iter().map(|(decided, holds)| {
            json!({
                "condition": decided.condition, "amount": decided.amount,
                "threshold": decided.threshold, "holds": holds,
            })
        });
        json!({ "severity": raise.severity.name(), "when": when.collect::<Vec<_>>() })
    };
    weighed.raises.iter().map(of).collect()
}

fn others_json(standing: &Standing, weighed: &Weighed) -> Value {
    let of = |other: &Relation| {
        json!({
            "detector": standing.plan.detector(other.detector).id,
            "relation": if other.after { "after" } else { "unless" },
            "raised": other.stands.map(|severity| severity.name()),
        })
    };
    weighed.others.iter().map(of).collect()
}

fn measures_json(weighed: &Weighed) -> Value {
    let of = |measured: &tidewatch_core::finding::Measured| {
        let error = match measured.value.error {
            Accuracy::Exact => json!({ "kind": "exact" }),
            Accuracy::Pane(pane) => json!({ "kind": "pane", "pane": pane.to_string() }),
            Accuracy::Sketch { relative, pane } => {
                json!({ "kind": "sketch", "relative": relative, "pane": pane.to_string() })
            }
            Accuracy::AtLeast => json!({ "kind": "at_least" }),
            Accuracy::AtMost => json!({ "kind": "at_most" }),
        };
        json!({ "name": measured.name, "amount": measured.value.amount, "error": error })
    };
    weighed.measures.iter().map(of).collect()
}

fn activity(behind: &Behind) -> &'static str {
    match behind.finding.activity {
        Activity::Create => "OPEN",
        Activity::Update => "UPDATE",
        Activity::Close => "CLOSE",
    }
}

/// The windows behind each message of a finding.
pub fn behind_text(standing: &Standing) -> String {
    let mut text = String::new();
    for behind in &standing.behind {
        let finding = &behind.finding;
        let _ = writeln!(
            text,
            "{} {} {} {}: {}",
            rfc3339(finding.last),
            activity(behind),
            finding.severity.name(),
            finding.detector,
            finding.key
        );
        if finding.activity == Activity::Close {
            let _ = writeln!(text, "    quiet for {}\n", finding.quiet);
            continue;
        }
        for raise in &behind.weighed.raises {
            text += &raise_text(raise, "    ");
        }
        let rule = standing.plan.detectors.iter().find(|rule| rule.id == finding.detector);
        if let Some(rule) = rule {
            text.push('\n');
            text += &panes_text(rule, behind);
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The panes of all measures of a window as columns, oldest first.
fn panes_text(rule: &Detector, behind: &Behind) -> String {
    let mut starts: Vec<Time> = behind.panes.iter().flatten().map(|(start, _)| *start).collect();
    starts.sort();
    starts.dedup();
    let names = rule.measures.iter().map(|named| named.name.as_str());
    let widths: Vec<usize> = names.clone().map(|name| name.len().max(6)).collect();
    let mut text = format!("    {:<24}", "pane from");
    for (name, width) in names.zip(&widths) {
        let _ = write!(text, "  {name:>width$}");
    }
    text.push('\n');
    let left_out = starts.len().saturating_sub(PANES_SHOWN_MAX);
    if left_out > 0 {
        let _ = writeln!(text, "    ({left_out} older panes)");
    }
    for start in starts.into_iter().skip(left_out) {
        let _ = write!(text, "    {:<24}", rfc3339(start));
        for (panes, width) in behind.panes.iter().zip(&widths) {
            let amount = panes.iter().find(|(of, _)| *of == start).map(|(_, amount)| *amount);
            let shown = amount.map_or(String::new(), |amount| amount.to_string());
            let _ = write!(text, "  {shown:>width$}");
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text + "    (of distinct values: those last seen in the pane, as far as they are listed)\n"
}

pub fn behind_json(standing: &Standing) -> Value {
    let messages = standing.behind.iter().map(|behind| {
        let finding = &behind.finding;
        let measures =
            behind.weighed.measures.iter().zip(&behind.panes).map(|(measured, panes)| {
                let panes = panes
                    .iter()
                    .map(|(start, amount)| json!({ "from": rfc3339(*start), "amount": amount }));
                json!({ "measure": measured.name, "panes": panes.collect::<Vec<_>>() })
            });
        json!({
            "uid": finding.uid, "activity": activity(behind).to_lowercase(),
            "severity": finding.severity.name(), "detector": finding.detector,
            "key": finding.key.to_string(), "at": rfc3339(finding.last),
            "severities": raises_json(&behind.weighed),
            "measures": measures_json(&behind.weighed),
            "panes": measures.collect::<Vec<_>>(),
        })
    });
    json!({ "messages": messages.collect::<Vec<_>>() })
}
