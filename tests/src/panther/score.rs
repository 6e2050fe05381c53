//! What is heard in each event, compared with what is true of it, by log type.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tidewatch_core::signal::Auth;
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};

use super::Event;
use super::truth::{Expected, Truth, truth};

/// Of one log type, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Events.
    pub events: usize,
    /// Sign-ins whose end is told.
    pub sign_ins: usize,
    /// Those that we read as a signal.
    pub read: usize,
    /// Of those, how many with the right name, or rightly without one.
    pub actor: usize,
    /// With the right address, or rightly without one.
    pub source: usize,
    /// With the right end.
    pub outcome: usize,
    /// With all three.
    pub all: usize,
    /// Sign-ins whose end is not told, and how many of them we read as a signal.
    pub undecided: (usize, usize),
    /// Events about no sign-in, and how many of them we read as a signal.
    pub others: (usize, usize),
    /// Events of services that are in no table, and how many of them we read as a signal.
    pub unknown: (usize, usize),
}

/// What was read wrongly, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The event's type.
    pub log_type: String,
    /// The test's name.
    pub test: String,
    /// What is wrong.
    pub what: String,
}

/// The scores by log type, and all faults, in the order of the file.
pub fn scores(events: &[Event], formats: &Arc<Formats>) -> (BTreeMap<String, Score>, Vec<Fault>) {
    let naming = Naming { key: TagKey::new([7; 16]), usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(formats) });
    let (mut scores, mut faults) = (BTreeMap::<String, Score>::new(), Vec::new());
    for event in events {
        let (said, format) = ingest.hear(&event.log.to_string(), "");
        let auth = if let Said::Signal { auth, .. } = said { Some(auth) } else { None };
        let score = scores.entry(event.log_type.clone()).or_default();
        score.events += 1;
        let what = match truth(&event.log_type, &event.log) {
            Truth::SignIn(expected) => score.compare(&expected, auth.as_ref(), &naming),
            Truth::Undecided => count(&mut score.undecided, auth.as_ref(), "its end is not told"),
            Truth::Other => count(&mut score.others, auth.as_ref(), "it is no sign-in"),
            Truth::Unknown => {
                count(&mut score.unknown, auth.as_ref(), "its service is in no table")
            }
        };
        if let Some(what) = what {
            let what = format.map_or(what.clone(), |format| format!("{what} ({format})"));
            let (log_type, test) = (event.log_type.clone(), event.test.clone());
            faults.push(Fault { log_type, test, what });
        }
    }
    (scores, faults)
}

/// Counts an event that should not be read; says what is wrong if it is.
fn count((events, read): &mut (usize, usize), auth: Option<&Auth>, why: &str) -> Option<String> {
    *events += 1;
    auth.map(|auth| {
        *read += 1;
        format!("read as a {:?} although {why}", auth.outcome).to_lowercase()
    })
}

impl Score {
    fn compare(
        &mut self,
        expected: &Expected,
        auth: Option<&Auth>,
        naming: &Naming,
    ) -> Option<String> {
        self.sign_ins += 1;
        let Some(auth) = auth else { return Some("not read".to_owned()) };
        self.read += 1;
        let named = expected.actors.iter().any(|name| auth.user == Some(naming.tag(name)));
        let actor = named || (expected.actors.is_empty() && auth.user.is_none());
        let from = auth.source.is_some_and(|source| expected.sources.contains(&source));
        let source = from || (expected.sources.is_empty() && auth.source.is_none());
        let outcome = auth.outcome == expected.outcome;
        self.actor += usize::from(actor);
        self.source += usize::from(source);
        self.outcome += usize::from(outcome);
        self.all += usize::from(actor && source && outcome);
        let parts = [(actor, "actor"), (source, "source"), (outcome, "outcome")];
        let wrong: Vec<&str> =
            parts.iter().filter(|(right, _)| !right).map(|(_, part)| *part).collect();
        (!wrong.is_empty()).then(|| format!("wrong {}", wrong.join(", ")))
    }

    /// Adds another.
    fn add(&mut self, other: &Score) {
        let pair = |one: &mut (usize, usize), other: (usize, usize)| {
            *one = (one.0 + other.0, one.1 + other.1);
        };
        self.events += other.events;
        self.sign_ins += other.sign_ins;
        self.read += other.read;
        self.actor += other.actor;
        self.source += other.source;
        self.outcome += other.outcome;
        self.all += other.all;
        pair(&mut self.undecided, other.undecided);
        pair(&mut self.others, other.others);
        pair(&mut self.unknown, other.unknown);
    }

    fn json(&self) -> Value {
        let pair = |(events, read): (usize, usize)| json!({ "events": events, "read": read });
        json!({
            "events": self.events, "sign_ins": self.sign_ins, "read": self.read,
            "actor_right": self.actor, "source_right": self.source,
            "outcome_right": self.outcome, "all_right": self.all,
            "undecided": pair(self.undecided), "no_sign_in": pair(self.others),
            "in_no_table": pair(self.unknown),
        })
    }
}

/// All scores together.
pub fn total(scores: &BTreeMap<String, Score>) -> Score {
    let mut total = Score::default();
    scores.values().for_each(|score| total.add(score));
    total
}

/// The scores as a table, and below it the faults.
pub fn table(scores: &BTreeMap<String, Score>, faults: &[Fault]) -> String {
    let mut text = format!(
        "{:38} {:>6} {:>8} {:>5} {:>6} {:>7} {:>8} {:>5}   {:>10} {:>11} {:>9}\n",
        "log type",
        "events",
        "sign-ins",
        "read",
        "actor",
        "source",
        "outcome",
        "all",
        "undecided",
        "no sign-in",
        "no table"
    );
    let total = ("all".to_owned(), total(scores));
    for (name, score) in scores.iter().chain([(&total.0, &total.1)]) {
        let pair = |(events, read): (usize, usize)| format!("{read} of {events}");
        let Score { events, sign_ins, read, actor, source, outcome, all, .. } = score;
        text += &format!(
            "{name:38} {events:6} {sign_ins:8} {read:5} {actor:6} {source:7} {outcome:8} {all:5}   {:>10} {:>11} {:>9}\n",
            pair(score.undecided),
            pair(score.others),
            pair(score.unknown)
        );
    }
    text += "the last three columns: how many of such events are read as a sign-in\n";
    for Fault { log_type, test, what } in faults {
        text += &format!("  {log_type}: {test}: {what}\n");
    }
    text
}

/// The same as one JSON document.
pub fn document(scores: &BTreeMap<String, Score>, faults: &[Fault]) -> Value {
    let by_type: serde_json::Map<String, Value> =
        scores.iter().map(|(name, score)| (name.clone(), score.json())).collect();
    let faults = faults.iter().map(|Fault { log_type, test, what }| {
        json!({ "log_type": log_type, "test": test, "what": what })
    });
    json!({
        "log_types": by_type, "all": total(scores).json(),
        "faults": faults.collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(log_type: &str, log: Value) -> Event {
        Event { log_type: log_type.to_owned(), test: "t".to_owned(), log }
    }

    #[test]
    fn what_is_read_is_compared_and_what_is_wrongly_read_is_told() {
        let slack = |action: &str, name: &str, ip: &str| {
            json!({
                "action": action, "actor": { "user": { "email": name } },
                "context": { "ip_address": ip }, "event": action, "outcome": "failed",
                "user": "ann@example.com", "ip": "192.0.2.7",
            })
        };
        // Without declared formats the fields that JSON logins usually have are read.
        let events = [
            event("Slack.AuditLogs", slack("user_login_failed", "Ann@example.com", "192.0.2.7")),
            event("Slack.AuditLogs", slack("user_login_failed", "bob@example.com", "192.0.2.8")),
            event("Slack.AuditLogs", slack("user_login", "ann@example.com", "192.0.2.7")),
            event("Slack.AuditLogs", json!({ "action": "user_logout" })),
            event("Slack.AuditLogs", json!({ "action": "file_shared", "event": "login_failed" })),
            event("Nobody.Knows", json!({ "event": "login_failed" })),
            event("OneLogin.Events", json!({ "event_type_id": 6, "user_name": "ann" })),
        ];
        let (scores, faults) = scores(&events, &Arc::default());
        let slack = Score {
            events: 5,
            sign_ins: 3,
            read: 3,
            actor: 2,
            source: 2,
            outcome: 2,
            all: 1,
            others: (2, 1),
            ..Score::default()
        };
        assert_eq!(scores["Slack.AuditLogs"], slack);
        let whats: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
        let expected = [
            "wrong actor, source (json)",
            "wrong outcome (json)",
            "read as a failure although it is no sign-in (json)",
            "read as a failure although its service is in no table (json)",
            "not read",
        ];
        assert_eq!(whats, expected);
        let total = total(&scores);
        assert_eq!((total.events, total.sign_ins, total.unknown), (7, 4, (1, 1)));
        assert_eq!(document(&scores, &faults)["all"]["no_sign_in"]["read"], 1);
        assert!(table(&scores, &faults).contains("Nobody.Knows: t: read as a failure"));
    }
}
