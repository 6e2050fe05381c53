//! Patterns: regular expressions without backtracking, with names for what they take out.
//!
//! A pattern is checked when it is loaded and compiled when it is first asked: most runs meet the lines of
//! a few formats only, and compiling is what costs. So whether a pattern is too large is told from its
//! syntax alone, by a weight that bounds what compiling may take.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// What a pattern may weigh: one for each byte it spells and each range of letters it allows, as often as
/// they are repeated. `\w` weighs some 800, `\d` some 70.
const WEIGHT_MAX: usize = 20_000;

/// More than compiling takes for a weight of one, in bytes: a range of letters becomes up to seven ranges
/// of up to four bytes each.
const BYTES_PER_WEIGHT_MAX: usize = 1 << 10;

/// What its lazily built automaton may take, in bytes; then it is thrown away and begun again.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// A pattern that can be compiled: the syntax of the Rust crate `regex`.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    captures: Vec<String>,
    /// Whether it may match a message that begins with a brace, as objects do.
    may_match_object: bool,
    /// `None` inside would be a pattern that passed the checks and still does not compile: it matches
    /// nothing.
    regex: OnceLock<Option<Regex>>,
}

/// Not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

impl Pattern {
    /// Checks all that can be wrong with it.
    ///
    /// # Errors
    /// Says what is wrong with it and where, in one line.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let hir = regex_syntax::parse(text).map_err(|error| PatternError(reason(&error)))?;
        let mut captures = Vec::new();
        let weight = weigh(&hir, &mut captures);
        if weight > WEIGHT_MAX {
            let why = format!(
                "it is over the size limit: it weighs {weight} of at most {WEIGHT_MAX}, and what is \
                 repeated in braces weighs as often"
            );
            return Err(PatternError(why));
        }
        let may_match_object = may_match_behind(&hir, '{');
        Ok(Pattern { text: text.to_owned(), captures, may_match_object, regex: OnceLock::new() })
    }

    /// Whether it may match a message that begins with a brace; most of ours begin with what stands before a
    /// daemon's words.
    pub(super) fn may_match_object(&self) -> bool {
        self.may_match_object
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(String::as_str)
    }

    /// The named captures that are in its leftmost match, in order; `None` if it does not match.
    pub(crate) fn take<'p, 'm>(&'p self, message: &'m str) -> Option<Vec<(&'p str, &'m str)>> {
        let captures = self.regex()?.captures(message)?;
        let taken = self.captures().filter_map(|name| Some((name, captures.name(name)?.as_str())));
        Some(taken.collect())
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            RegexBuilder::new(&self.text)
                .size_limit(WEIGHT_MAX * BYTES_PER_WEIGHT_MAX)
                .dfa_size_limit(AUTOMATON_BYTES_MAX)
                .build()
                .ok()
        };
        self.regex.get_or_init(compile).as_ref()
    }
}

/// The weight of a part of a pattern, and the names of its captures. Parts inside each other are bounded by
/// the parser.
fn weigh(hir: &Hir, captures: &mut Vec<String>) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Capture(capture) => {
            captures.extend(capture.name.as_deref().map(str::to_owned));
            1 + weigh(&capture.sub, captures)
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1));
            let times = usize::try_from(times).unwrap_or(usize::MAX).max(1);
            weigh(&repetition.sub, captures).saturating_add(1).saturating_mul(times)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(1usize, |weight, part| weight.saturating_add(weigh(part, captures)))
        }
    }
}

/// Whether a pattern may match a text that begins with `first`, as far as its own beginning tells.
fn may_match_behind(hir: &Hir, first: char) -> bool {
    let is_anchored = hir.properties().look_set_prefix().contains(Look::Start);
    let begins = begins(hir, first);
    !is_anchored || begins.with || begins.empty
}

/// What a part of a pattern may match.
#[derive(Clone, Copy)]
struct Begins {
    /// Something that begins with the letter.
    with: bool,
    /// Nothing, so that what follows it begins.
    empty: bool,
}

fn begins(hir: &Hir, first: char) -> Begins {
    let with = |with| Begins { with, empty: false };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Begins { with: false, empty: true },
        HirKind::Literal(literal) => {
            with(literal.0.first() == first.encode_utf8(&mut [0; 4]).as_bytes().first())
        }
        HirKind::Class(Class::Unicode(class)) => {
            with(class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&first)))
        }
        // Not ruled out: patterns are of text, and have none.
        HirKind::Class(Class::Bytes(_)) => with(true),
        HirKind::Capture(capture) => begins(&capture.sub, first),
        HirKind::Repetition(repetition) => {
            let sub = begins(&repetition.sub, first);
            Begins { empty: sub.empty || repetition.min == 0, ..sub }
        }
        HirKind::Concat(parts) => {
            let mut all = Begins { with: false, empty: true };
            for part in parts.iter().map(|part| begins(part, first)) {
                all.with |= all.empty && part.with;
                all.empty &= part.empty;
            }
            all
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| begins(part, first));
            parts.fold(with(false), |all, part| Begins {
                with: all.with || part.with,
                empty: all.empty || part.empty,
            })
        }
    }
}

/// The last line of the library's message, which names the fault; the lines before draw it.
fn reason(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or("not a pattern");
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_is_checked_whole_before_it_is_compiled() {
        let cases = [
            (r"(?<a>x", "unclosed group"),
            (r"(?=x)", "look-around"),
            (r"\p{Nonsense}", "nicode"),
            (r"(?<a>x)(?<a>y)", "duplicate"),
            (r"\w{100}", "size limit"),
            (r"((a{999}){999}){999}", "size limit"),
        ];
        for (text, why) in cases {
            let error = Pattern::new(text).expect_err(text);
            assert!(error.0.contains(why) && !error.0.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn captures_are_those_of_the_compiled_pattern() {
        for text in
            [r"(?<b>x)(y)|(?<a>(?<c>z)?)", r"(?<n>\d{1,3}){0,2}", r"(?:a|(?<k>b)){0}", "plain"]
        {
            let pattern = Pattern::new(text).expect(text);
            let compiled = Regex::new(text).expect(text);
            let names: Vec<&str> = compiled.capture_names().flatten().collect();
            assert_eq!(pattern.captures().collect::<Vec<_>>(), names, "{text}");
        }
        let pattern = Pattern::new("(?<user>[a-z]+) (?<source>[0-9.]+)").expect("a pattern");
        let taken = pattern.take("by ann 192.0.2.1.").expect("a match");
        assert_eq!(taken, [("user", "ann"), ("source", "192.0.2.1.")]);
        assert_eq!(pattern.take("nobody"), None);
    }

    #[test]
    fn what_may_match_an_object_is_told_from_how_a_pattern_begins() {
        let cases = [
            (r"^(?:<[0-9]+>)?(?:[A-Z][a-z]{2} )?sshd: (?<a>.*)$", false),
            (r"(?s)^x|^(?:[a-z]|y*z)", false),
            (r"^[0-9]{4}\{", false),
            (r"^\b(?<a>[^{]+)\{", false),
            (r"^\s*\{", true),
            (r"^(?:<[0-9]+>)?\S+ x", true),
            (r"^(?:x|\{)", true),
            (r"^x*", true),
            (r"^x*$", true),
            (r"^.", true),
            (r"x", true),
            (r"^x|y", true),
            (r"(?m)^x", true),
            (r"(?<a>^)x", false),
        ];
        for (text, may) in cases {
            let pattern = Pattern::new(text).expect(text);
            assert_eq!(pattern.may_match_object(), may, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_ruled_out_matches_no_object(
            parts in proptest::collection::vec(
                prop_oneof![Just("^"), Just("x"), Just("\\{"), Just("|"), Just("(?:x|\\{)?"), Just("(?:^a|b)"),
                    Just("[^x]"), Just("$"), Just("(?:x*y)+"), Just("\\b"), Just("(?m:^)")], 0..6),
            inside in "[xyab{\n]{0,5}") {
            let text = parts.concat();
            let pattern = Pattern::new(&text).expect("a pattern");
            let matches = pattern.take(&format!("{{{inside}")).is_some();
            prop_assert!(pattern.may_match_object() || !matches, "{}", text);
        }

        /// The heaviest that are let through, of the parts that cost most to compile.
        #[test]
        fn whatever_passes_compiles(
            parts in proptest::collection::vec(
                prop_oneof![Just(r"\w"), Just(r"\W"), Just(r"(?i:[k-z])"), Just("."), Just(r"\S"), Just(r"[^a]")],
                1..4),
            times in 1..400usize) {
            let text = format!("(?<all>(?:{}){{{times}}})", parts.concat());
            if let Ok(pattern) = Pattern::new(&text) {
                prop_assert!(pattern.regex().is_some(), "{}", text);
            }
        }
    }
}
