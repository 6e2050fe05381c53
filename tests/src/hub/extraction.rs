//! How many of the expected events are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};

use super::Test;
use super::expected::Event;

/// Of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Its name.
    pub test: String,
    /// Events it expects.
    pub expected: usize,
    /// Those that are found.
    pub found: usize,
    /// Whether the test lists events; else those of its overflows are taken.
    pub is_parsed: bool,
    /// Signals in its log.
    pub signals: usize,
    /// The first event that is not found.
    pub missing: Option<Event>,
}

impl Score {
    /// The share that is found, 0 to 1.
    pub fn share(&self) -> f64 {
        self.found as f64 / self.expected.max(1) as f64
    }
}

/// Traps for whole sessions, which log no logins.
pub fn is_apart(test: &str) -> bool {
    test.starts_with("endlessh") || test.starts_with("sshesame")
}

/// The mean share over the tests that list events (`is_parsed`), or over the others; traps left out.
pub fn mean(scores: &[Score], is_parsed: bool) -> f64 {
    let scored: Vec<f64> = scores
        .iter()
        .filter(|score| score.is_parsed == is_parsed)
        .filter(|score| score.expected > 0 && !is_apart(&score.test))
        .map(Score::share)
        .collect();
    scored.iter().sum::<f64>() / scored.len().max(1) as f64
}

/// Reads a test's log with `formats` and compares.
///
/// # Errors
/// If the log cannot be read.
pub fn score(test: &Test, formats: &Arc<Formats>) -> std::io::Result<Score> {
    let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(formats) });
    // Line by line and without regard to time, which envelopes give: some logs of the hub have none.
    let log = std::fs::read(&test.log)?;
    let log = String::from_utf8_lossy(&log);
    let found = log.lines().filter_map(|line| match ingest.hear(line, "").0 {
        Said::Signal { auth, .. } => Some((auth.source, auth.user)),
        _ => None,
    });
    let mut left: Vec<_> = found.collect();
    let signals = left.len();
    // Those with the most to compare take their pick first.
    let mut events = test.expected.events.clone();
    events.sort_by_key(|event| (event.user.is_none(), event.source.is_none()));
    let mut missing = None;
    let mut found = 0;
    for event in &events {
        let user = event.user.as_ref().map(|name| naming.tag(name));
        let fits = |(source, name): &(Option<_>, Option<_>)| {
            (event.source.is_none() || *source == event.source) && (user.is_none() || *name == user)
        };
        match left.iter().position(fits) {
            Some(at) => {
                left.swap_remove(at);
                found += 1;
            }
            None => {
                missing.get_or_insert(event.clone());
            }
        }
    }
    Ok(Score {
        test: test.name.clone(),
        expected: events.len(),
        found,
        is_parsed: test.expected.is_parsed,
        signals,
        missing,
    })
}

/// The scores as a table.
pub fn table(scores: &[Score]) -> String {
    let mut apart: BTreeMap<bool, Vec<&Score>> = BTreeMap::new();
    for score in scores.iter().filter(|score| score.expected > 0) {
        apart.entry(is_apart(&score.test)).or_default().push(score);
    }
    let mut text = String::new();
    for (is_apart, scores) in apart {
        let head = if is_apart { "\napart: traps\n" } else { "extraction\n" };
        text += head;
        for score in scores {
            let missing = score.missing.as_ref().map_or(String::new(), |event| {
                let source = event.source.map_or("-".to_owned(), |source| source.to_string());
                format!(
                    "  not found: {source} {:?} {}",
                    event.user.as_deref().unwrap_or("-"),
                    event.at
                )
            });
            text += &format!(
                "  {:32} {:3} of {:3}  {:4} signals{missing}\n",
                score.test, score.found, score.expected, score.signals
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(test: &str, expected: usize, found: usize) -> Score {
        Score {
            test: test.to_owned(),
            expected,
            found,
            is_parsed: true,
            signals: found,
            missing: None,
        }
    }

    #[test]
    fn the_mean_is_over_tests_and_leaves_traps_and_empty_ones_out() {
        let scores =
            [score("a", 10, 10), score("b", 2, 1), score("empty", 0, 0), score("sshesame", 9, 0)];
        assert_eq!((mean(&scores, true), mean(&scores, false)), (0.75, 0.0));
    }
}
