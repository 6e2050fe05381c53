//! Patterns: regular expressions without backtracking, with names for what they take out.

use regex::{Regex, RegexBuilder};

/// What a compiled pattern may take of memory, in bytes; a pattern that counts to thousands takes more.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What its lazily built automaton may take, in bytes; then it is thrown away and begun again.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// A pattern, compiled: the syntax of the Rust crate `regex`.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
}

/// Not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// Says what is wrong with it and where, in one line.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let regex = RegexBuilder::new(text)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(AUTOMATON_BYTES_MAX)
            .build();
        regex.map(|regex| Pattern { regex }).map_err(|error| PatternError(reason(&error)))
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The named captures that are in its leftmost match, in order; `None` if it does not match.
    pub(crate) fn take<'p, 'm>(&'p self, message: &'m str) -> Option<Vec<(&'p str, &'m str)>> {
        let captures = self.regex.captures(message)?;
        let taken = self.captures().filter_map(|name| Some((name, captures.name(name)?.as_str())));
        Some(taken.collect())
    }
}

/// The last line of the library's message, which names the fault; the lines before draw it.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or("not a pattern");
    last.trim().trim_start_matches("error: ").to_owned()
}
