//! All declared formats of a run, and which of them claim a line.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Declared;
use super::json::Json;
use crate::format::Said;
use crate::username::Names;

/// The formats of a run.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    all: Vec<Declared>,
    /// Finds all needles, also those that overlap; `None` without formats.
    needles: Option<AhoCorasick>,
    /// The same without general formats.
    special: Option<AhoCorasick>,
    /// Of each needle: its format, and its length.
    of: Vec<(usize, usize)>,
}

/// A format that claims a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its place among [`Formats::all`].
    pub format: usize,
    /// The longest of its needles that the line holds, in bytes.
    pub needle_bytes: usize,
}

/// What the formats make of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// None of them claims it.
    Unclaimed,
    /// The one that read it, and what it says.
    By(usize, Said),
    /// The first that claims it, no general one: none of those that do can read it.
    Unread(usize),
}

impl Formats {
    /// The formats, ready to be asked; in whatever order.
    ///
    /// # Panics
    /// If the needles have so many bytes in all that no automaton can be made of them; a loader that
    /// bounds files and needles never comes near.
    pub fn new(mut all: Vec<Declared>) -> Formats {
        all.sort_by(|one, other| one.id.cmp(&other.id));
        let mut of = Vec::new();
        let mut texts = Vec::new();
        for (format, declared) in all.iter().enumerate() {
            for needle in &declared.needles {
                of.push((format, needle.len()));
                texts.push(needle.as_str());
            }
        }
        let special = all.iter().filter(|format| !format.is_general);
        let special = automaton(special.flat_map(|format| &format.needles));
        Formats { needles: automaton(&texts), special, all, of }
    }

    /// All of them, by id.
    pub fn all(&self) -> &[Declared] {
        &self.all
    }

    /// The needles of all.
    pub(crate) fn needles(&self) -> impl Iterator<Item = &str> {
        self.all.iter().flat_map(|format| format.needles.iter().map(String::as_str))
    }

    /// Whether `text`, which may be escaped, holds a needle of any that is not general.
    #[inline]
    pub(crate) fn is_claimed(&self, text: &str) -> bool {
        self.special.as_ref().is_some_and(|needles| needles.is_match(text))
    }

    /// The formats that claim a message, in the order in which they are asked: the longest needle first,
    /// then by id, general ones last, and not at all for a JSON object. `log_group` is empty where there is none.
    pub fn claims(&self, message: &str, log_group: &str) -> Vec<Claim> {
        let Some(needles) = &self.needles else { return Vec::new() };
        let mut longest: BTreeMap<usize, usize> = BTreeMap::new();
        for hit in needles.find_overlapping_iter(message) {
            let (format, bytes) = self.of[hit.pattern().as_usize()];
            let known = longest.entry(format).or_default();
            *known = bytes.max(*known);
        }
        let json = message.starts_with('{');
        let is_for = |format: &usize| {
            if json && self.all[*format].is_general {
                return false;
            }
            let groups = &self.all[*format].log_groups;
            log_group.is_empty() || groups.is_empty() || groups.iter().any(|g| g.fits(log_group))
        };
        let claims = longest.into_iter().filter(|(format, _)| is_for(format));
        let claims = claims.map(|(format, needle_bytes)| Claim { format, needle_bytes });
        let mut claims: Vec<Claim> = claims.collect();
        let is_general = |claim: &Claim| self.all[claim.format].is_general;
        claims.sort_by_key(|claim| (is_general(claim), Reverse(claim.needle_bytes), claim.format));
        claims
    }

    /// Those of a message's claims that know what they read, and the general ones behind them.
    pub(crate) fn split<'c>(&self, claims: &'c [Claim]) -> (&'c [Claim], &'c [Claim]) {
        claims.split_at(claims.partition_point(|claim| !self.all[claim.format].is_general))
    }

    /// What the first of these formats says that can read the message.
    pub(crate) fn read(&self, claims: &[Claim], message: &str, timed: bool, names: &Names) -> Read {
        let json = Json::of(message);
        for claim in claims {
            if let Some((_, said)) = self.all[claim.format].read(message, &json, timed, names) {
                return Read::By(claim.format, said);
            }
        }
        claims.first().map_or(Read::Unclaimed, |claim| Read::Unread(claim.format))
    }
}

fn automaton(needles: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Option<AhoCorasick> {
    let mut needles = needles.into_iter().peekable();
    needles.peek()?;
    let built = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(needles);
    Some(built.expect("some kilobytes of literals make an automaton"))
}
