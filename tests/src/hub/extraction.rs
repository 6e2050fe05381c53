//! How many of the expected events are found: those that ingest makes signals of, as a deployment would
//! read the log. Beside it stands what each line says when heard alone, without regard to its time: some
//! logs of the hub have no times, and ingest counts no login without one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use tidewatch_core::signal::LogStream;
use tidewatch_core::tag::{TagKey, UserTag};
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, InputKind};

use super::Test;
use super::expected::Event;

/// Whom a signal names.
type Named = (Option<IpAddr>, Option<UserTag>);

/// Of one test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Its name.
    pub test: String,
    /// Events that are scored.
    pub expected: usize,
    /// Those of them that ingest makes signals of.
    pub found: usize,
    /// Those of them that lines say, heard alone.
    pub heard: usize,
    /// Events whatever their log type says, and those of them that are found.
    pub of_all: (usize, usize),
    /// Whether the test lists events; else those of its overflows are taken.
    pub is_parsed: bool,
    /// Signals in its log.
    pub signals: usize,
    /// Events that are not scored, by log type or reason.
    pub left_out: BTreeMap<String, usize>,
    /// Entries that were halves of another.
    pub halves: usize,
    /// The first event that is not found.
    pub missing: Option<Event>,
    /// What ingest could not count, and how often.
    pub problems: String,
}

/// Traps for whole sessions, which log no logins.
pub fn is_apart(test: &str) -> bool {
    test.starts_with("endlessh") || test.starts_with("sshesame")
}

/// Which share of a test a mean is of: found and expected events.
pub type Part = fn(&Score) -> (usize, usize);

/// Events that are scored, and signals of ingest.
pub const FOUND: Part = |score| (score.found, score.expected);
/// Events that are scored, and lines heard alone.
pub const HEARD: Part = |score| (score.heard, score.expected);
/// Events whatever their log type says.
pub const OF_ALL: Part = |score| (score.of_all.1, score.of_all.0);

/// The mean share over the tests that expect anything, traps left out; and over how many tests.
pub fn mean<'a>(scores: impl IntoIterator<Item = &'a Score>, part: Part) -> (f64, usize) {
    let scored = scores.into_iter().filter(|score| !is_apart(&score.test)).map(part);
    let shares: Vec<f64> = scored
        .filter(|(_, expected)| *expected > 0)
        .map(|(found, expected)| found as f64 / expected as f64)
        .collect();
    (shares.iter().sum::<f64>() / shares.len().max(1) as f64, shares.len())
}

/// Reads a test's log with `formats` and compares.
///
/// # Errors
/// If the log cannot be read.
pub fn score(test: &Test, formats: &Arc<Formats>) -> std::io::Result<Score> {
    let naming = Naming { key: TagKey::new([7; 16]), usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(formats) });
    let log = std::fs::read(&test.log)?;
    let mut batch = Batch::default();
    let stream = Arc::new(LogStream { stream: test.name.clone(), ..LogStream::default() });
    ingest.lines(InputKind::Lines, &log, 0, &stream, &mut Buffers::default(), &mut batch);
    let named = batch.signals.iter().map(|signal| {
        let auth = signal.body.auth().expect("a try");
        (auth.source, auth.user)
    });
    let named: Vec<Named> = named.collect();
    let text = String::from_utf8_lossy(&log);
    let alone = text.lines().filter_map(|line| match ingest.hear(line, "").0 {
        Said::Signal { auth, .. } => Some((auth.source, auth.user)),
        _ => None,
    });
    let (found, missing) = matched(&test.expected.events, named.clone(), naming);
    let (heard, _) = matched(&test.expected.events, alone.collect(), naming);
    let all = [&test.expected.events[..], &test.expected.unscored[..]].concat();
    let (found_of_all, _) = matched(&all, named, naming);
    let problems = batch.tally.problems.iter();
    let problems = problems.map(|(problem, met)| format!("{problem:?} {}", met.count));
    Ok(Score {
        test: test.name.clone(),
        expected: test.expected.events.len(),
        found,
        heard,
        of_all: (all.len(), found_of_all),
        is_parsed: test.expected.is_parsed,
        signals: batch.signals.len(),
        left_out: test.expected.left_out.clone(),
        halves: test.expected.halves,
        missing,
        problems: problems.collect::<Vec<_>>().join(", "),
    })
}

/// How many of `events` have a signal of their own among `left`, and the first that has none.
fn matched(events: &[Event], mut left: Vec<Named>, naming: Naming) -> (usize, Option<Event>) {
    // Those with the most to compare take their pick first.
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| (event.user.is_none(), event.source.is_none()));
    let (mut found, mut missing) = (0, None);
    for event in events {
        let user = event.user.as_ref().map(|name| naming.tag(name));
        let fits = |(source, name): &Named| {
            (event.source.is_none() || *source == event.source) && (user.is_none() || *name == user)
        };
        match left.iter().position(fits) {
            Some(at) => {
                left.swap_remove(at);
                found += 1;
            }
            None => missing = missing.or(Some(event.clone())),
        }
    }
    (found, missing)
}

/// The scores as a table, traps apart, and what is not scored.
pub fn table(scores: &[Score]) -> String {
    let mut text = String::from("extraction: found of expected, heard alone, signals in the log\n");
    for apart in [false, true] {
        if apart {
            text += "\napart: traps\n";
        }
        let rows = scores.iter().filter(|score| is_apart(&score.test) == apart);
        for score in rows.filter(|score| score.expected > 0) {
            text += &format!(
                "  {:32} {:3} of {:3}  {:4} heard  {:4} signals  {}\n",
                score.test,
                score.found,
                score.expected,
                score.heard,
                score.signals,
                note(score)
            );
        }
    }
    text += "\nnot scored (their log types do not speak of authentication, or they name nobody)\n";
    let mut total: BTreeMap<&str, usize> = BTreeMap::new();
    for score in scores {
        for (why, count) in &score.left_out {
            *total.entry(why).or_default() += count;
        }
    }
    for (why, count) in total {
        text += &format!("  {count:4} {why}\n");
    }
    let halves: usize = scores.iter().map(|score| score.halves).sum();
    text += &format!("  {halves:4} halves of events, taken as one with the other half\n");
    let empty = scores.iter().filter(|score| score.expected == 0);
    for score in empty {
        let (all, found) = score.of_all;
        text += &format!("  no event to score: {} ({found} of {all} found anyhow)\n", score.test);
    }
    text
}

fn note(score: &Score) -> String {
    let mut notes = Vec::new();
    if let Some(event) = &score.missing {
        let source = event.source.map_or("-".to_owned(), |source| source.to_string());
        let user = event.user.as_deref().unwrap_or("-");
        notes.push(format!("not found: {source} {user:?} {}", event.at));
    }
    if !score.problems.is_empty() {
        notes.push(format!("not counted: {}", score.problems));
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::expected::Expected;

    fn event(source: &str, user: Option<&str>) -> Event {
        let source = source.parse().ok();
        Event { source, user: user.map(str::to_owned), at: String::new() }
    }

    fn naming() -> Naming {
        Naming { key: TagKey::new([7; 16]), usernames: Usernames::Fold }
    }

    fn signal(source: &str, user: Option<&str>) -> Named {
        (source.parse().ok(), user.map(|name| naming().tag(name)))
    }

    fn check<const N: usize>(events: [&Event; N], signals: &[Named], found: usize) {
        let events = events.map(Event::clone);
        assert_eq!(matched(&events, signals.to_vec(), naming()).0, found);
    }

    #[test]
    fn a_signal_is_matched_once_and_by_all_that_is_expected() {
        let (ann, bob) = (event("192.0.2.1", Some("ann")), event("192.0.2.1", Some("bob")));
        let (anyone, nowhere) = (event("192.0.2.1", None), event("", Some("ann")));
        let one = [signal("192.0.2.1", Some("Ann "))];
        check([&ann], &one, 1);
        check([&ann, &ann], &one, 1);
        check([&bob], &one, 0);
        check([&event("192.0.2.2", Some("ann"))], &one, 0);
        check([&nowhere], &one, 1);
        check([&anyone], &[signal("192.0.2.1", None)], 1);
        check([&ann], &[signal("192.0.2.1", None)], 0);
        // Whoever is content with anyone does not take the signal that only the other can use.
        check([&anyone, &ann], &[one[0], signal("192.0.2.1", None)], 2);
    }

    #[test]
    fn the_mean_is_over_tests_and_leaves_traps_and_empty_ones_out() {
        let score = |test: &str, expected, found| Score {
            test: test.to_owned(),
            expected,
            found,
            of_all: (4, 1),
            ..Score::default()
        };
        let scores =
            [score("a", 10, 10), score("b", 2, 1), score("empty", 0, 0), score("sshesame", 9, 0)];
        assert_eq!(mean(&scores, FOUND), (0.75, 2));
        assert_eq!(mean(&scores, OF_ALL), (0.25, 3));
        assert_eq!(mean(&scores[2..], FOUND), (0.0, 0));
    }

    #[test]
    fn a_log_is_read_as_ingest_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let line =
            "Nov 10 06:00:05 host sshd[99]: Failed password for ann from 192.0.2.1 port 22 ssh2";
        let log = folder.path().join("a.log");
        std::fs::write(&log, format!("{line}\nnothing of interest\n{line}\n")).expect("a log");
        let event = event("::ffff:192.0.2.1", Some("ann"));
        let event = Event { source: event.source.map(tidewatch_core::signal::canonical), ..event };
        let events = vec![event.clone(), event.clone(), event];
        let expected = Expected { events, ..Expected::default() };
        let test = Test { name: "a".to_owned(), log, expected };
        let score = score(&test, &Arc::default()).expect("a score");
        assert_eq!((score.found, score.heard, score.expected, score.signals), (2, 2, 3, 2));
        assert!(score.missing.is_some());
    }
}
