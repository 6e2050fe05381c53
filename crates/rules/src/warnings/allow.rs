//! Entries of allow files that do nothing, or not what they seem to: those that ran out, and those that
//! overlap.

use tidewatch_core::time::Time;

use super::Warning;
use crate::allow::{Allow, Entry, Named};

/// What is hardly meant among all entries of a run, at the wall clock's `now`.
pub fn of_allow(allow: &Allow, now: Time) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (nth, entry) in allow.entries.iter().enumerate() {
        let file = place(entry);
        let mut warn = |what: String, help: &str| {
            warnings.push(Warning { file: file.clone(), what, help: help.to_owned() });
        };
        if entry.until.is_some_and(|until| until <= now) {
            warn(
                "the entry ran out: it holds back nothing that happens from now on".to_owned(),
                "Remove it, or give it another end. Past logs are still read with it.",
            );
        }
        let others = allow.entries[..nth].iter().filter(|earlier| overlap(earlier, entry));
        for earlier in others {
            let other = place(earlier);
            match covers(earlier, entry) {
                true => warn(
                    format!("the entry has no effect: {other} holds back all that it would"),
                    "Remove one of the two.",
                ),
                false => warn(
                    format!("the entry overlaps with {other}"),
                    "Where both hold, the first is the one that is named. Make one of the two.",
                ),
            }
        }
    }
    warnings
}

fn place(entry: &Entry) -> String {
    format!("{}:{}", entry.file, entry.line)
}

/// Whether some finding would be held back by both.
fn overlap(one: &Entry, other: &Entry) -> bool {
    let same = match (&one.who, &other.who) {
        (Named::Source(one), Named::Source(other)) => one.covers(*other) || other.covers(*one),
        (Named::Function(one), Named::Function(other)) => {
            one.fits(other.as_str()) || other.fits(one.as_str())
        }
        (one, other) => one == other,
    };
    let any = |entry: &Entry| entry.detectors.is_empty();
    same && (any(one) || any(other) || one.detectors.iter().any(|id| other.detectors.contains(id)))
}

/// Whether `one` holds back all that `other` does, for as long.
fn covers(one: &Entry, other: &Entry) -> bool {
    let who = match (&one.who, &other.who) {
        (Named::Source(one), Named::Source(other)) => one.covers(*other),
        // What fits the other's name with its stars fits whatever that does.
        (Named::Function(one), Named::Function(other)) => one.fits(other.as_str()),
        (one, other) => one == other,
    };
    let detectors = one.detectors.is_empty()
        || (!other.detectors.is_empty()
            && other.detectors.iter().all(|id| one.detectors.contains(id)));
    let longer = match (one.until, other.until) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one >= other,
    };
    who && detectors && longer
}
