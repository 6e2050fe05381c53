//! All declared formats of a run, and which of them claim a line.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Declared;
use super::asked::{Asked, FieldSet};
use super::json::Json;
use crate::format::Said;
use crate::needles::{Needles, shortest};
use crate::username::Names;

/// The formats of a run.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    all: Vec<Declared>,
    /// Finds all needles, also those that overlap; `None` without formats.
    needles: Option<AhoCorasick>,
    /// Finds those that are of no general format; `None` without such.
    special: Option<Needles>,
    /// Of each of these: the formats that have it, or one that holds it.
    special_of: Vec<Vec<usize>>,
    /// Those of formats that may take an object for text and are not general, but none that holds another.
    textual: Vec<String>,
    /// Finds these; `None` without such.
    textual_needles: Option<Needles>,
    /// The fields that formats ask objects for.
    asked: Arc<Asked>,
    /// Of each reading of objects, in formats that are not general: the format, and the fields it needs.
    needed: Vec<(usize, FieldSet)>,
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
        let specials = || all.iter().filter(|format| !format.is_general);
        let special = shortest(specials().flat_map(|format| &format.needles).map(String::as_str));
        let textual = specials().filter(|format| format.may_read_object_as_text());
        let textual = shortest(textual.flat_map(|format| &format.needles).map(String::as_str));
        let has = |format: &Declared, needle: &str| {
            !format.is_general && format.needles.iter().any(|other| other.contains(needle))
        };
        let holders = |needle: &&str| (0..all.len()).filter(|at| has(&all[*at], needle)).collect();
        let special_of = special.iter().map(holders).collect();
        let compiled = |needles: &BTreeSet<&str>| {
            (!needles.is_empty()).then(|| Needles::new(needles.iter().copied()))
        };
        let (asked, needed) = Asked::of(&all);
        Formats {
            needles: automaton(&texts),
            special: compiled(&special),
            special_of,
            textual_needles: compiled(&textual),
            textual: textual.into_iter().map(str::to_owned).collect(),
            asked: Arc::new(asked),
            needed,
            all,
            of,
        }
    }

    /// All of them, by id.
    pub fn all(&self) -> &[Declared] {
        &self.all
    }

    /// The needles of all.
    pub(crate) fn needles(&self) -> impl Iterator<Item = &str> {
        self.all.iter().flat_map(|format| format.needles.iter().map(String::as_str))
    }

    /// The fields that formats ask objects for.
    pub(crate) fn asked(&self) -> &Arc<Asked> {
        &self.asked
    }

    /// Whether a format that is not general may claim `text`, which may be escaped, as far as needles tell.
    pub(crate) fn may_claim(&self, text: &str) -> bool {
        let special = self.special.as_ref();
        special.is_some_and(|needles| needles.find(text.as_bytes(), 0).is_some())
    }

    /// Needles of all formats that may read an object as text and are not general.
    pub(crate) fn textual(&self) -> impl Iterator<Item = &str> {
        self.textual.iter().map(String::as_str)
    }

    /// Whether a format that is not general may have a reading for `text`, a flat object that has just these of
    /// the fields that formats ask for; it may be escaped, and begins with its brace.
    pub(crate) fn may_read(&self, text: &str, fields: FieldSet) -> bool {
        let textual = self.textual_needles.as_ref();
        if textual.is_some_and(|needles| needles.find(text.as_bytes(), 0).is_some()) {
            return true;
        }
        if !self.may_fit(fields) {
            return false;
        }
        let fits = |format: &usize| {
            let mut of_format = self.needed.iter().filter(|(of, _)| of == format);
            of_format.any(|(_, needed)| needed.is_in(fields))
        };
        let mut hits = self.special.iter().flat_map(|needles| needles.all(text.as_bytes()));
        hits.any(|hit| self.special_of[hit.needle].iter().any(fits))
    }

    /// Whether one of those may have a reading for a flat object as an object, if it holds a needle. Most lack
    /// some name of each reading, and then nothing need be searched.
    #[inline]
    pub(crate) fn may_fit(&self, fields: FieldSet) -> bool {
        self.needed.iter().any(|(_, needed)| needed.is_in(fields))
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

/// For the few lines that some format claims: small and soon built, where a full table would be faster.
fn automaton(needles: &[&str]) -> Option<AhoCorasick> {
    if needles.is_empty() {
        return None;
    }
    let built = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(needles);
    Some(built.expect("some kilobytes of literals make an automaton"))
}
