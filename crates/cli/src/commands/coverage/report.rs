//! What was surveyed, as text or as one JSON object. Names of groups and places come from logs and are escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use tidewatch_alert::printable;
use tidewatch_core::signal::{EventId, Origin};
use tidewatch_ingest::Batch;
use tidewatch_ingest::secrets::Secret;
use tidewatch_ingest::survey::{Attribute, Coverage, Spilled};

use super::Told;
use super::sending::Sending;
use super::verdict::{Verdict, advice};
use crate::args::{CoverageArgs, Output};
use crate::commands::counted;
use crate::summary::grouped;

/// The whole result.
pub fn report(batch: &Batch, args: &CoverageArgs, told: &Told) -> String {
    let groups = batch.survey.as_deref().map(|survey| survey.coverage()).unwrap_or_default();
    let sending = told.account.as_ref().map(|account| Sending { account });
    let problems = batch.tally.problems.iter();
    let problems: Vec<(&str, u64, &str)> =
        problems.map(|(problem, it)| (problem.name(), it.count, it.first.as_str())).collect();
    if args.output == Output::Json {
        let unreadable = problems.iter().map(|(name, count, first)| {
            ((*name).to_owned(), json!({ "count": count, "first": first }))
        });
        let objects = groups.iter().map(|group| object(group, sending.as_ref()));
        let mut whole = json!({
            "sample": args.sample,
            "partial": told.is_partial,
            "groups": objects.collect::<Vec<_>>(),
            "unreadable": unreadable.collect::<Map<String, Value>>(),
        });
        if let Some(sending) = &sending {
            sending.add_to(&mut whole, &groups);
        }
        return whole.to_string();
    }
    let mut text: Vec<String> = groups.iter().map(|group| shown(group, sending.as_ref())).collect();
    match &sending {
        None if groups.is_empty() => text.push("there are no lines in these inputs\n".to_owned()),
        None => {}
        Some(sending) => text.extend(sending.further(&groups)),
    }
    for (name, count, first) in problems {
        text.push(format!(
            "not read: {} × {name}, first at {}\n",
            grouped(count),
            printable(first)
        ));
    }
    text.join("\n")
}

fn shown(group: &Coverage, sending: Option<&Sending<'_>>) -> String {
    let mut text = String::new();
    let account =
        if group.account.is_empty() { String::new() } else { format!(" in {}", group.account) };
    let name = format!("{}{account}", group.name);
    let _ = writeln!(text, "{}: {}", printable(&name), Verdict::of(group).name());
    let looked = match group.every {
        1 => String::new(),
        every => format!(", of which one in {every} was looked at: {}", grouped(group.looked_at)),
    };
    let _ = writeln!(text, "  lines      {}{looked}", grouped(group.lines));
    if let Some(sending) = sending {
        text.push_str(&sending.lines(&group.name));
    }
    let share = |lines: u64| format!("{} ({})", grouped(lines), percent(lines, group.looked_at));
    let by = |counts: &BTreeMap<String, u64>| {
        let each = counts.iter().map(|(format, lines)| format!("{format} {}", grouped(*lines)));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut row = |title: &str, lines: u64, more: String| {
        if lines > 0 {
            let _ = writeln!(text, "  {title:<10} {}{more}", share(lines));
        }
    };
    row("logins", group.auth_lines(), format!(": {}", by(&group.auth)));
    row("undecided", group.undecided, ": a login is named, and no outcome".to_owned());
    row("reports", group.invocations, ": lambda".to_owned());
    row("access", group.access, ": who asked for something".to_owned());
    row("not read", group.unread.values().sum(), format!(": {}", by(&group.unread)));
    let events = group.auth_lines() + group.undecided;
    let lacks: Vec<String> = lacking(group)
        .map(|(attribute, lacks)| {
            format!("{} {} ({})", attribute.name(), grouped(lacks), percent(lacks, events))
        })
        .collect();
    if events > 0 {
        let lacks = if lacks.is_empty() { "nothing".to_owned() } else { lacks.join(", ") };
        let _ = writeln!(text, "  they lack  {lacks}");
    }
    for (kind, spilled) in &group.secrets {
        let _ = writeln!(text, "  {}", printable(&held(*kind, spilled)));
    }
    for todo in advised(group, sending) {
        let _ = writeln!(text, "  -> {}", printable(&todo));
    }
    text
}

/// What to do about a group; where it is known whether it is sent, that first.
fn advised(group: &Coverage, sending: Option<&Sending<'_>>) -> Vec<String> {
    let mut advised = advice(group);
    if let (Some(known), Some(first)) =
        (sending.and_then(|of| of.advice(group)), advised.first_mut())
    {
        *first = known;
    }
    advised
}

fn held(kind: Secret, spilled: &Spilled) -> String {
    let Origin { stream, id } = &spilled.first;
    let place = match stream.group.is_empty() {
        true => format!("byte {id} of {}", stream.stream),
        false => format!("event {id} of {}", stream.stream),
    };
    let lines = counted(spilled.lines, "line");
    format!("{lines} with {}, the first at {place}", kind.noun())
}

/// What events lack, and how often.
fn lacking(group: &Coverage) -> impl Iterator<Item = (Attribute, u64)> {
    let each = Attribute::ALL.into_iter().map(|it| (it, group.lacks[it as usize]));
    each.filter(|(_, lacks)| *lacks > 0)
}

/// A share in per cent; what is there is never shown as nothing.
fn percent(part: u64, of: u64) -> String {
    let share = 100.0 * part as f64 / of.max(1) as f64;
    if part > 0 && share < 0.05 { "<0.1 %".to_owned() } else { format!("{share:.1} %") }
}

fn offset(id: &EventId) -> Option<u64> {
    match id {
        EventId::Offset(offset) => Some(*offset),
        EventId::CloudWatch(_) => None,
    }
}

fn object(group: &Coverage, sending: Option<&Sending<'_>>) -> Value {
    let secrets = group.secrets.iter().map(|(kind, spilled)| {
        let Origin { stream, id } = &spilled.first;
        let first = match stream.group.is_empty() {
            true => json!({ "input": stream.stream, "offset": offset(id) }),
            false => json!({ "log_stream": stream.stream, "event_id": id.to_string() }),
        };
        let found = json!({ "lines": spilled.lines, "values": spilled.values, "first": first });
        (kind.name().to_owned(), found)
    });
    let lacks = Attribute::ALL.map(|it| (it.name().to_owned(), json!(group.lacks[it as usize])));
    let mut object = json!({
        "name": group.name,
        "account": group.account,
        "kind": if group.is_log_group { "log_group" } else { "input" },
        "verdict": Verdict::of(group).name(),
        "what_to_do": advised(group, sending),
        "lines": group.lines,
        "looked_at": group.looked_at,
        "every": group.every,
        "auth": { "lines": group.auth_lines(), "formats": group.auth },
        "undecided": group.undecided,
        "invocations": group.invocations,
        "access": group.access,
        "unread": group.unread,
        "auth_events": group.auth_lines() + group.undecided,
        "lack": lacks.into_iter().collect::<Map<String, Value>>(),
        "should_not_be_logged": secrets.collect::<Map<String, Value>>(),
    });
    if let Some(sending) = sending {
        sending.add_to_group(&mut object, &group.name);
    }
    object
}
