//! What was read and what could not be: counts, and for each problem where it was met first.
//!
//! Invariant: merging the tallies of two halves of an input, in order, gives the tally of the whole.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits::SAMPLE_CHARS_MAX;
use crate::problem::Problem;

/// Counts over some input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes that gzip records inflated to.
    pub bytes_inflated: u64,
    /// `DATA_MESSAGE` envelopes read.
    pub envelopes: u64,
    /// `CONTROL_MESSAGE` envelopes skipped.
    pub control_messages: u64,
    /// Envelopes of the program's own log group, which are not read.
    pub own_envelopes: u64,
    /// Kinesis records seen, unreadable ones included.
    pub records: u64,
    /// Log events and plain lines seen, unreadable ones included; blank lines are not.
    pub lines: u64,
    /// Attempts and mentions whose source is a host name or missing.
    pub hostname_sources: u64,
    /// Lines with a needle of a declared format that no format could read, by its id.
    pub passed_over: BTreeMap<String, Rejected>,
    /// What could not be read.
    pub problems: BTreeMap<Problem, Rejected>,
}

/// How often one problem was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Records, envelopes, lines or signals not counted because of it.
    pub count: u64,
    /// Where it was met first: input and byte offset, or log group, stream and event id, or the
    /// record's sequence number. Short, and safe to print.
    pub first: String,
}

impl Tally {
    /// Counts a problem met at `place`.
    pub fn reject(&mut self, problem: Problem, place: impl fmt::Display) {
        self.problems
            .entry(problem)
            .and_modify(|rejected| rejected.count += 1)
            .or_insert_with(|| Rejected { count: 1, first: printable(&place.to_string()) });
    }

    /// Counts a line at `place` that holds a needle of `format`, and that nobody reads.
    pub(crate) fn pass_over(&mut self, format: &str, place: impl fmt::Display) {
        match self.passed_over.get_mut(format) {
            Some(known) => known.count += 1,
            None => {
                let first = Rejected { count: 1, first: printable(&place.to_string()) };
                self.passed_over.insert(format.to_owned(), first);
            }
        }
    }

    /// How often `problem` was met.
    pub fn rejected(&self, problem: Problem) -> u64 {
        self.problems.get(&problem).map_or(0, |rejected| rejected.count)
    }

    /// Adds the tally of what came later.
    pub fn merge(&mut self, later: Tally) {
        self.bytes_inflated += later.bytes_inflated;
        self.envelopes += later.envelopes;
        self.control_messages += later.control_messages;
        self.own_envelopes += later.own_envelopes;
        self.records += later.records;
        self.lines += later.lines;
        self.hostname_sources += later.hostname_sources;
        for (format, lines) in later.passed_over {
            self.passed_over
                .entry(format)
                .and_modify(|mine| mine.count += lines.count)
                .or_insert(lines);
        }
        for (problem, rejected) in later.problems {
            self.problems
                .entry(problem)
                .and_modify(|mine| mine.count += rejected.count)
                .or_insert(rejected);
        }
    }
}

/// Where something stands, for a person who wants to look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// A line of a local input.
    Line { input: &'a str, offset: u64 },
    /// A Kinesis record; its sequence number is empty where the caller alone knows it.
    Record { sequence: &'a str },
    /// A log event of an envelope.
    Event { group: &'a str, stream: &'a str, id: &'a str },
    /// A log event without a readable id: the first event of an envelope is 0.
    Unnamed { group: &'a str, stream: &'a str, index: usize },
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { input, offset } => write!(f, "{input}: byte {offset}"),
            Place::Record { sequence: "" } => write!(f, "record"),
            Place::Record { sequence } => write!(f, "record {sequence}"),
            Place::Event { group, stream, id } => write!(f, "{group} {stream}: event {id}"),
            Place::Unnamed { group, stream, index } => {
                write!(f, "{group} {stream}: event number {index}")
            }
        }
    }
}

/// The text cut to [`SAMPLE_CHARS_MAX`], with everything escaped that is not printable ASCII: names in
/// it may be an attacker's.
pub fn printable(text: &str) -> String {
    let safe = |c: char| c == ' ' || c.is_ascii_graphic();
    let escape = |c: char| if safe(c) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().take(SAMPLE_CHARS_MAX).map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_kept_and_escaped() {
        let mut tally = Tally::default();
        let place = Place::Line { input: "a\u{1b}[31m\u{202e}", offset: 7 };
        tally.reject(Problem::Json, place);
        let mut later = Tally { lines: 2, ..Tally::default() };
        later.reject(Problem::Json, Place::Record { sequence: "2" });
        later.reject(Problem::Base64, Place::Record { sequence: &"9".repeat(1_000) });
        tally.merge(later);
        assert_eq!(tally.lines, 2);
        assert_eq!(tally.rejected(Problem::Json), 2);
        assert_eq!(tally.problems[&Problem::Json].first, "a\\u{1b}[31m\\u{202e}: byte 7");
        assert_eq!(tally.problems[&Problem::Base64].first.len(), SAMPLE_CHARS_MAX);
    }
}
