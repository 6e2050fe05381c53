//! What a test of the hub expects.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use tidewatch_core::signal::canonical;

/// An event that a parser took out of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// From where.
    pub source: Option<IpAddr>,
    /// Who.
    pub user: Option<String>,
    /// When, as it is written.
    pub at: String,
}

/// A scenario that overflowed.
#[derive(Clone, Debug)]
pub struct Overflow {
    /// Its name.
    pub scenario: String,
    /// What it counts by: `Ip` mostly.
    pub scope: String,
    /// The addresses.
    pub sources: Vec<String>,
    /// How many events it took.
    pub events: u64,
}

/// What a test expects.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Events, each as often as it is expected.
    pub events: Vec<Event>,
    /// Whether they come from `parsed_events`, and not from overflows.
    pub is_parsed: bool,
    /// Overflows.
    pub overflows: Vec<Overflow>,
}

impl Expected {
    /// The log's name and the expectation in `json`; `None` where either is missing or null.
    pub fn of(json: &Value) -> Option<(String, Expected)> {
        let log = json["log"].as_str()?.to_owned();
        let overflows = json["overflows"].as_array();
        let parsed = json["parsed_events"].as_array();
        if overflows.is_none() && parsed.is_none() {
            return None;
        }
        let overflows = overflows.cloned().unwrap_or_default();
        let mut events = parsed.map_or(Vec::new(), |parsed| of_parsed(parsed));
        let is_parsed = !events.is_empty();
        if !is_parsed {
            events = of_overflows(&overflows);
        }
        events.retain(|event| event.source.is_some() || event.user.is_some());
        let overflow = |json: &Value| Overflow {
            scenario: text(&json["scenario"]).unwrap_or_default(),
            scope: text(&json["scope"]).unwrap_or_default(),
            sources: json["sources"].as_array().into_iter().flatten().filter_map(text).collect(),
            events: json["events_count"].as_u64().unwrap_or_default(),
        };
        Some((
            log,
            Expected { events, is_parsed, overflows: overflows.iter().map(overflow).collect() },
        ))
    }
}

/// The events of `parsed_events`. The list may hold one event as two: what a parser saw of its line without
/// a time, and its time without the line; such halves are one.
fn of_parsed(parsed: &[Value]) -> Vec<Event> {
    let has_line = |json: &Value| !json["parsed"]["message"].is_null();
    let has_time = |json: &Value| text(&json["meta"]["timestamp"]).is_some();
    let mut halves = parsed.iter().filter(|json| !has_line(json) && has_time(json)).count();
    let mut events = Vec::new();
    for json in parsed {
        // What has neither a line nor a time is half of nothing.
        let is_half = has_line(json) && !has_time(json) && halves > 0;
        halves -= usize::from(is_half);
        if !is_half {
            events.push(event_of(&json["meta"]));
        }
    }
    events
}

/// The events of overflows: one line may be in several, and counts once.
fn of_overflows(overflows: &[Value]) -> Vec<Event> {
    let mut most: BTreeMap<Event, usize> = BTreeMap::new();
    for overflow in overflows {
        let mut here: BTreeMap<Event, usize> = BTreeMap::new();
        for event in overflow["events"].as_array().into_iter().flatten() {
            *here.entry(event_of(event)).or_default() += 1;
        }
        for (event, count) in here {
            let known = most.entry(event).or_default();
            *known = count.max(*known);
        }
    }
    most.into_iter().flat_map(|(event, count)| std::iter::repeat_n(event, count)).collect()
}

fn event_of(json: &Value) -> Event {
    let source = text(&json["source_ip"]).and_then(|ip| ip.parse().ok()).map(canonical);
    let user = text(&json["target_user"]).or_else(|| text(&json["user"]));
    Event { source, user, at: text(&json["timestamp"]).unwrap_or_default() }
}

fn text(json: &Value) -> Option<String> {
    json.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn halves_of_an_event_are_one() {
        let meta = |at: Option<&str>| json!({ "source_ip": "192.0.2.1", "timestamp": at });
        let json = json!({ "log": "a.log", "parsed_events": [
            { "parsed": { "message": "x" }, "meta": meta(Some("t")) },
            { "meta": meta(Some("u")) },
            { "parsed": { "message": "y" }, "meta": meta(None) },
        ]});
        let (_, expected) = Expected::of(&json).expect("an expectation");
        assert_eq!((expected.events.len(), expected.is_parsed), (2, true));
    }

    #[test]
    fn an_event_in_two_overflows_is_one_and_twice_in_one_is_two() {
        let event = json!({ "source_ip": "192.0.2.1", "user": "ann", "timestamp": "t" });
        let json = json!({ "log": "a.log", "overflows": [
            { "scope": "Ip", "events_count": 2, "events": [event, event] },
            { "scope": "Ip", "events_count": 1, "events": [event, { "timestamp": "u" }] },
        ]});
        let (log, expected) = Expected::of(&json).expect("an expectation");
        assert_eq!(
            (log.as_str(), expected.events.len(), expected.overflows.len()),
            ("a.log", 2, 2)
        );
        assert_eq!(expected.events[0].user.as_deref(), Some("ann"));
        assert!(Expected::of(&json!({ "log": "a.log", "overflows": null })).is_none());
    }
}
