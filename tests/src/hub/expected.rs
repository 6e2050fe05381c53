//! What a test of the hub expects.
//!
//! Only events that name a source or a user, and whose log type speaks of authentication, are scored; the
//! others are counted by log type, so that nothing is left out silently.

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

/// Parts of log types that speak of authentication. Types that name a log and not what happened (`imap`,
/// `http_access-log`, `aws-cloudtrail`) do not, and neither does a type that is missing.
const SPEAK_OF_AUTHENTICATION: [&str; 6] = ["auth", "login", "bad_user", "password", "mfa", "2fa"];

/// What counts of a log type that an event does not have.
const NO_TYPE: &str = "(no log type)";

/// What counts of events that name nobody.
const NOBODY: &str = "(no source and no user)";

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
    /// Events that are scored, each as often as it is expected.
    pub events: Vec<Event>,
    /// Events that name somebody and are not scored, for what their log type says.
    pub unscored: Vec<Event>,
    /// How many are not scored, by log type or reason.
    pub left_out: BTreeMap<String, usize>,
    /// Entries of `parsed_events` that were halves of another.
    pub halves: usize,
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
        let parsed = parsed.cloned().unwrap_or_default();
        let mut listed = of_parsed(&parsed);
        let is_parsed = !listed.is_empty();
        let halves = parsed.len() - listed.len();
        if !is_parsed {
            listed = of_overflows(&overflows);
        }
        let mut expected = Expected { is_parsed, halves, ..Expected::default() };
        for (event, log_type) in listed {
            expected.take(event, log_type);
        }
        let overflow = |json: &Value| Overflow {
            scenario: text(&json["scenario"]).unwrap_or_default(),
            scope: text(&json["scope"]).unwrap_or_default(),
            sources: json["sources"].as_array().into_iter().flatten().filter_map(text).collect(),
            events: json["events_count"].as_u64().unwrap_or_default(),
        };
        expected.overflows = overflows.iter().map(overflow).collect();
        Some((log, expected))
    }

    fn take(&mut self, event: Event, log_type: Option<String>) {
        let is_somebody = event.source.is_some() || event.user.is_some();
        if is_somebody && log_type.as_deref().is_some_and(speaks_of_authentication) {
            self.events.push(event);
            return;
        }
        let why =
            if is_somebody { log_type.unwrap_or(NO_TYPE.to_owned()) } else { NOBODY.to_owned() };
        *self.left_out.entry(why).or_default() += 1;
        if is_somebody {
            self.unscored.push(event);
        }
    }
}

fn speaks_of_authentication(log_type: &str) -> bool {
    let log_type = log_type.to_lowercase();
    SPEAK_OF_AUTHENTICATION.iter().any(|part| log_type.contains(part))
}

/// The events of `parsed_events`. The list may hold one event as two: what a parser saw of its line without
/// a time, and its time without the line; such halves are one.
fn of_parsed(parsed: &[Value]) -> Vec<(Event, Option<String>)> {
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

/// The events of overflows: one line may be in several, and counts as often as in the one that has it most.
/// Its log type is the first that is met.
fn of_overflows(overflows: &[Value]) -> Vec<(Event, Option<String>)> {
    let mut most: BTreeMap<Event, (usize, Option<String>)> = BTreeMap::new();
    for overflow in overflows {
        let mut here: BTreeMap<Event, (usize, Option<String>)> = BTreeMap::new();
        for json in overflow["events"].as_array().into_iter().flatten() {
            let (event, log_type) = event_of(json);
            here.entry(event).or_insert((0, log_type)).0 += 1;
        }
        for (event, (count, log_type)) in here {
            let known = most.entry(event).or_insert((0, log_type));
            known.0 = count.max(known.0);
        }
    }
    let repeated = |(event, (count, log_type))| std::iter::repeat_n((event, log_type), count);
    most.into_iter().flat_map(repeated).collect()
}

/// An event and its log type.
fn event_of(json: &Value) -> (Event, Option<String>) {
    let source = text(&json["source_ip"]).and_then(|ip| ip.parse().ok()).map(canonical);
    let user = text(&json["target_user"]).or_else(|| text(&json["user"]));
    let at = text(&json["timestamp"]).unwrap_or_default();
    (Event { source, user, at }, text(&json["log_type"]))
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
        let meta = |at: Option<&str>| {
            json!({
                "source_ip": "192.0.2.1", "timestamp": at, "log_type": "x_failed_auth",
            })
        };
        let json = json!({ "log": "a.log", "parsed_events": [
            { "parsed": { "message": "x" }, "meta": meta(Some("t")) },
            { "meta": meta(Some("u")) },
            { "parsed": { "message": "y" }, "meta": meta(None) },
        ]});
        let (_, expected) = Expected::of(&json).expect("an expectation");
        assert_eq!((expected.events.len(), expected.halves, expected.is_parsed), (2, 1, true));
    }

    #[test]
    fn an_event_in_two_overflows_is_one_and_twice_in_one_is_two() {
        let event = json!({
            "source_ip": "192.0.2.1", "user": "ann", "timestamp": "t", "log_type": "x_login",
        });
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
        assert_eq!(expected.left_out, BTreeMap::from([(NOBODY.to_owned(), 1)]));
        assert!(Expected::of(&json!({ "log": "a.log", "overflows": null })).is_none());
    }

    #[test]
    fn what_does_not_speak_of_authentication_is_counted_and_not_scored() {
        let event = |log_type: Option<&str>| {
            json!({
                "meta": { "source_ip": "192.0.2.1", "timestamp": "t", "log_type": log_type },
                "parsed": { "message": "x" },
            })
        };
        let types = [Some("LOGIN_ERROR"), Some("x_2fa"), Some("imap"), Some("imap"), None];
        let parsed: Vec<Value> = types.into_iter().map(event).collect();
        let json = json!({ "log": "a.log", "parsed_events": parsed });
        let (_, expected) = Expected::of(&json).expect("an expectation");
        assert_eq!((expected.events.len(), expected.unscored.len()), (2, 3));
        let left_out = [("imap".to_owned(), 2), (NO_TYPE.to_owned(), 1)];
        assert_eq!(expected.left_out, BTreeMap::from(left_out));
    }
}
