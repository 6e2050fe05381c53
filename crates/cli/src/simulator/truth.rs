//! What a world holds that its log does not say: the acts, as JSON.
//!
//! `{"scenario", "seed", "start_ms", "end_ms", "logins_per_day", "planted": [...]}`, and of each act its `name`,
//! `what`, `kind` (`attack` or `benign`), whether it was `announced`, its `sources`, `users_tried` and
//! `users_got_into`, `start_ms` and `end_ms` (its first and last attempt), `attempts`, `unknown_names`, the most any
//! one source did (`busiest`, by window), and each of its `tries` in order of time: milliseconds after `start_ms`,
//! the source's and the user's place in those lists, and the outcome (`s` success, `p` wrong or expired password,
//! `u` unknown user).
//!
//! Of a crowd of customers only the number of attempts and its times are told: its sources and users are
//! everybody's.

use serde_json::{Value, json};

use super::acts::{ANNOUNCED, Act, CROWD};
use super::attempt::{Attempt, Outcome};
use super::{DAY_MS, HOUR_MS, MINUTE_MS, PlantedKind, Simulation, oracle};

/// The windows of which the busiest is told.
const WINDOWS: [(&str, i64); 3] = [("10m", 10 * MINUTE_MS), ("1h", HOUR_MS), ("24h", DAY_MS)];

impl Simulation {
    /// The truth about this world.
    pub(crate) fn truth(&self) -> Value {
        json!({
            "scenario": self.plan.scenario.name,
            "seed": self.plan.seed,
            "start_ms": self.days.start_ms,
            "end_ms": self.days.end_ms,
            "logins_per_day": self.plan.scale.visits_per_hour * 24,
            "planted": self.acts.iter().map(of_act).collect::<Vec<Value>>(),
        })
    }
}

fn of_act(act: &Act) -> Value {
    let attempts = if act.name == CROWD { &[] } else { act.attempts.as_slice() };
    let mut in_order: Vec<&Attempt> = attempts.iter().collect();
    in_order.sort_by_key(|attempt| attempt.time_ms);
    let sources = sorted(in_order.iter().map(|attempt| attempt.source));
    let users = sorted(in_order.iter().map(|attempt| attempt.user.as_str()));
    let successes = in_order.iter().filter(|attempt| attempt.outcome == Outcome::Success);
    let start_ms = act.attempts.iter().map(|attempt| attempt.time_ms).min().unwrap_or_default();
    let tries = in_order.iter().map(|attempt| {
        json!([
            attempt.time_ms - start_ms,
            sources.binary_search(&attempt.source).unwrap_or_default(),
            users.binary_search(&attempt.user.as_str()).unwrap_or_default(),
            letter(attempt.outcome),
        ])
    });
    let busiest = WINDOWS.map(|(name, span_ms)| {
        let busiest = oracle::busiest(attempts, span_ms);
        let counts = json!({
            "unknown_names": busiest.unknown_names,
            "names": busiest.names,
            "failures": busiest.failures,
            "successes": busiest.successes,
        });
        (name.to_owned(), counts)
    });
    json!({
        "name": act.name,
        "what": act.what,
        "kind": match act.kind {
            PlantedKind::Attack => "attack",
            PlantedKind::Benign => "benign",
        },
        "announced": act.name == ANNOUNCED,
        "start_ms": start_ms,
        "end_ms": act.attempts.iter().map(|attempt| attempt.time_ms).max().unwrap_or_default(),
        "attempts": act.attempts.len(),
        "unknown_names": oracle::unknown_names(attempts),
        "busiest": serde_json::Map::from_iter(busiest),
        "users_got_into": sorted(successes.map(|attempt| attempt.user.as_str())),
        "tries": tries.collect::<Vec<Value>>(),
        "sources": sources,
        "users_tried": users,
    })
}

fn letter(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "s",
        Outcome::WrongPassword | Outcome::ExpiredPassword => "p",
        Outcome::UnknownUser => "u",
    }
}

fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}
