//! All functions of all accounts, each with its [`Book`].
//!
//! Function names are written by whoever makes functions, or forges envelopes: beyond
//! [`FUNCTIONS_MAX`](crate::limits::FUNCTIONS_MAX) of them, or where the memory is used up, what further ones
//! take is counted together, with about how many names they have. So a flood of names costs bounded memory,
//! loses no dollar, and takes nothing from the functions that are there already.

use std::collections::BTreeMap;

use crate::limits::{BOOK_HOURS_KEPT, FUNCTIONS_MAX};
use crate::meter::book::{Book, Noted};
use crate::signal::{Body, LogStream, Signal};
use crate::sketch::Sketch;
use crate::tag::{EventTag, TagKey};
use crate::time::{Span, Time};

/// Reports between two counts of the memory that is used.
const RECOUNT_EVERY: u32 = 1 << 16;

/// The precision of the sketch of names that are not kept apart: an error of 6.5 %.
const NAMES_PRECISION: u8 = 8;

/// What a ledger may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Functions that are kept apart.
    pub functions: usize,
    /// Bytes beyond which no function and no bucket of durations is added. Panes of the functions that are
    /// there still are.
    pub bytes: usize,
    /// How long panes of an hour are kept.
    pub hours_kept: Span,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { functions: FUNCTIONS_MAX, bytes: 1 << 30, hours_kept: BOOK_HOURS_KEPT }
    }
}

/// Names a function: one name may be in several accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// The AWS account, empty where the log does not say.
    pub account: Box<str>,
    /// Its name, empty where the log does not say.
    pub name: Box<str>,
}

/// What functions took.
#[derive(Clone, Debug)]
pub struct Ledger {
    limits: Limits,
    by_account: BTreeMap<Box<str>, BTreeMap<Box<str>, Book>>,
    functions: usize,
    /// All functions beyond the limits together.
    others: Option<Book>,
    other_names: Sketch,
    names_key: TagKey,
    /// Reports that were delivered before.
    repeated: u64,
    /// Reports whose duration is in no bucket, for want of memory.
    without_duration: u64,
    used_bytes: usize,
    since_recount: u32,
}

impl PartialEq for Ledger {
    fn eq(&self, other: &Ledger) -> bool {
        self.by_account == other.by_account
            && self.others == other.others
            && self.other_names == other.other_names
            && (self.repeated, self.without_duration) == (other.repeated, other.without_duration)
    }
}

impl Ledger {
    /// An empty one; `key` keeps whoever makes names from crafting any that count as one.
    pub fn new(limits: Limits, key: TagKey) -> Ledger {
        Ledger {
            limits,
            by_account: BTreeMap::new(),
            functions: 0,
            others: None,
            other_names: Sketch::new(NAMES_PRECISION),
            names_key: key,
            repeated: 0,
            without_duration: 0,
            used_bytes: 0,
            since_recount: 0,
        }
    }

    /// Counts a signal, if it is about an invocation. `unnamed` is the function of what stands in no log
    /// group.
    pub fn observe(&mut self, signal: &Signal, unnamed: &str) {
        let Body::Invocation(invocation) = &signal.body else { return };
        let stream: &LogStream = &signal.origin.stream;
        let name = stream.function().unwrap_or(unnamed);
        let at = (signal.time, signal.event);
        let may_grow = self.used_bytes < self.limits.bytes;
        let book = self.book_mut(&stream.account, name, at, may_grow);
        match book.note(at, invocation, stream.version(), may_grow) {
            Noted::Counted => {}
            Noted::WithoutDuration => self.without_duration += 1,
            Noted::Repeated => self.repeated += 1,
        }
        self.since_recount += 1;
        if self.since_recount >= RECOUNT_EVERY {
            self.since_recount = 0;
            self.used_bytes = self.bytes();
        }
    }

    /// The book of a function, which is opened if there is room; else that of all others.
    fn book_mut(
        &mut self,
        account: &str,
        name: &str,
        at: (Time, EventTag),
        may_grow: bool,
    ) -> &mut Book {
        let opened = || Book::opened(at.0, self.limits.hours_kept);
        let is_known =
            self.by_account.get(account).is_some_and(|functions| functions.contains_key(name));
        if !is_known && self.functions < self.limits.functions && may_grow {
            self.functions += 1;
            let functions = self.by_account.entry(account.into()).or_default();
            functions.insert(name.into(), opened());
        } else if !is_known {
            self.other_names.insert(self.names_key.stream(account, name, ""));
        }
        let functions = self.by_account.get_mut(account);
        match functions.and_then(|functions| functions.get_mut(name)) {
            Some(book) => book,
            None => self.others.get_or_insert_with(opened),
        }
    }

    /// Adds a ledger of other signals. Of too many functions those that were seen first are kept apart.
    pub fn add(&mut self, other: &Ledger) {
        for (account, functions) in &other.by_account {
            let mine = self.by_account.entry(account.clone()).or_default();
            for (name, theirs) in functions {
                match mine.get_mut(name) {
                    Some(known) => known.add(theirs),
                    None => {
                        mine.insert(name.clone(), theirs.clone());
                        self.functions += 1;
                    }
                }
            }
        }
        if let Some(theirs) = &other.others {
            self.others
                .get_or_insert_with(|| Book::opened(theirs.first, self.limits.hours_kept))
                .add(theirs);
        }
        self.other_names.merge(&other.other_names);
        self.repeated += other.repeated;
        self.without_duration += other.without_duration;
        self.fold();
        self.used_bytes = self.bytes();
    }

    /// Counts the functions that are too many together.
    fn fold(&mut self) {
        if self.functions <= self.limits.functions {
            return;
        }
        let all = self.functions();
        let mut all: Vec<_> = all.map(|(function, of)| (of.first, function)).collect();
        all.sort();
        for (_, Function { account, name }) in all.split_off(self.limits.functions) {
            let functions = self.by_account.get_mut(&account);
            let Some(folded) = functions.and_then(|functions| functions.remove(&name)) else {
                continue;
            };
            self.other_names.insert(self.names_key.stream(&account, &name, ""));
            self.others
                .get_or_insert_with(|| Book::opened(folded.first, self.limits.hours_kept))
                .add(&folded);
        }
        self.by_account.retain(|_, functions| !functions.is_empty());
        self.functions = self.limits.functions;
    }

    /// The functions that are kept apart, by account and name.
    pub fn functions(&self) -> impl Iterator<Item = (Function, &Book)> {
        self.by_account.iter().flat_map(|(account, functions)| {
            functions
                .iter()
                .map(|(name, of)| (Function { account: account.clone(), name: name.clone() }, of))
        })
    }

    /// What is kept of one of them.
    pub fn get(&self, account: &str, name: &str) -> Option<&Book> {
        self.by_account.get(account)?.get(name)
    }

    /// What all functions beyond the limits took together, if there are any, and about how many they are.
    pub fn others(&self) -> Option<(&Book, u64)> {
        let others = self.others.as_ref()?;
        Some((others, self.other_names.estimate().round() as u64))
    }

    /// Reports that were not counted again, because they were delivered before.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Reports that percentiles leave out, for want of memory.
    pub fn without_duration(&self) -> u64 {
        self.without_duration
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let functions = self.by_account.values().flatten();
        let apart: usize = functions.map(|(name, of)| name.len() + of.bytes()).sum();
        apart + self.others.as_ref().map_or(0, Book::bytes)
    }
}
