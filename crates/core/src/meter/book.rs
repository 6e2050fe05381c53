//! What is kept of one function: all of it together, panes of five minutes for a day, of an hour for five
//! weeks, and when each version of it was first seen.

use std::collections::BTreeMap;

use crate::event_ring::EventRing;
use crate::invocation::Invocation;
use crate::limits::{BOOK_MINUTES_KEPT, VERSIONS_MAX};
use crate::meter::panes::{Pane, Panes};
use crate::tag::EventTag;
use crate::time::{Span, Time};

/// Width of the fine panes.
pub const FINE: Span = Span::minutes(5);

/// Width of the coarse ones.
pub const COARSE: Span = Span::minutes(60);

/// What one function took. Two books are equal if they say the same, whatever they remember of deliveries.
#[derive(Clone, Debug)]
pub struct Book {
    /// Since the first line of it.
    pub whole: Pane,
    /// Panes of [`FINE`].
    pub fine: Panes,
    /// Panes of [`COARSE`].
    pub coarse: Panes,
    /// When its first line was written.
    pub first: Time,
    /// When its last one was.
    pub last: Time,
    versions: BTreeMap<Box<str>, Time>,
    ring: EventRing,
}

impl PartialEq for Book {
    fn eq(&self, other: &Book) -> bool {
        let said = |of: &Book| (of.first, of.last, of.versions.clone());
        self.whole == other.whole
            && self.fine == other.fine
            && self.coarse == other.coarse
            && said(self) == said(other)
    }
}

/// How a line was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Whole.
    Counted,
    /// But for its duration, for which there was no memory.
    WithoutDuration,
    /// Not: it was delivered before.
    Repeated,
}

impl Book {
    /// Of a function that is first seen at `time`, of which coarse panes are kept for `hours_kept`.
    pub fn opened(time: Time, hours_kept: Span) -> Book {
        Book {
            whole: Pane::default(),
            fine: Panes::new(FINE, BOOK_MINUTES_KEPT.0 / FINE.0),
            coarse: Panes::new(COARSE, hours_kept.0 / COARSE.0),
            first: time,
            last: time,
            versions: BTreeMap::new(),
            ring: EventRing::default(),
        }
    }

    /// Counts a line, unless it is among the last that were.
    pub fn note(
        &mut self,
        (time, event): (Time, EventTag),
        invocation: &Invocation,
        version: Option<&str>,
        may_grow: bool,
    ) -> Noted {
        if !self.ring.note(event, u32::MAX) {
            return Noted::Repeated;
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        if let Some(version) = version {
            self.see(version, Time(time.0 - time.0.rem_euclid(Span::minutes(1).0)));
        }
        let mut counted = self.whole.note(invocation, may_grow);
        counted &= self.fine.note(time, invocation, may_grow);
        counted &= self.coarse.note(time, invocation, may_grow);
        if counted { Noted::Counted } else { Noted::WithoutDuration }
    }

    fn see(&mut self, version: &str, minute: Time) {
        match self.versions.get_mut(version) {
            Some(first) => *first = minute.min(*first),
            None => {
                self.versions.insert(version.into(), minute);
                self.forget_versions();
            }
        }
    }

    /// Keeps the newest versions.
    fn forget_versions(&mut self) {
        while self.versions.len() > VERSIONS_MAX {
            let oldest = self.versions.iter().min_by_key(|(name, first)| (**first, *name));
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.versions.remove(&oldest);
        }
    }

    /// Adds what is kept of other lines of the function.
    pub fn add(&mut self, other: &Book) {
        self.whole.add(&other.whole);
        self.fine.add(&other.fine);
        self.coarse.add(&other.coarse);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (version, first) in &other.versions {
            let known = self.versions.entry(version.clone()).or_insert(*first);
            *known = (*known).min(*first);
        }
        self.forget_versions();
    }

    /// Its versions and the minute each was first seen in, by that: the first may have been there before,
    /// each further one is a deployment.
    pub fn versions(&self) -> Vec<(&str, Time)> {
        let mut all: Vec<(&str, Time)> =
            self.versions.iter().map(|(name, first)| (&**name, *first)).collect();
        all.sort_by_key(|(name, first)| (*first, *name));
        all
    }

    /// The sum from `from` on and before `until`, in whole panes: fine ones where they are kept, else coarse
    /// ones.
    pub fn between(&self, from: Time, until: Time) -> Pane {
        let kept_from = Time(self.last.0.div_euclid(FINE.0) * FINE.0).minus(BOOK_MINUTES_KEPT);
        if from > kept_from {
            self.fine.between(from, until)
        } else {
            self.coarse.between(from, until)
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let versions: usize = self.versions.keys().map(|name| name.len() + 64).sum();
        size_of::<Book>()
            + self.whole.durations.heap_bytes()
            + self.fine.bytes()
            + self.coarse.bytes()
            + versions
    }
}
