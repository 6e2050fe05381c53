//! Since when a key has seen a value: whether somebody gets in as ever, or for the first time.
//!
//! Lists of successes keep the first sighting of each tag beside its last, and keep tags for [`REMEMBERED`] after the
//! last. A tag is *new* for some hours after its first sighting, and *known* from then on, as long as it comes back
//! before it is forgotten.
//!
//! What is kept of a tag is never earlier than its first sighting was, and whoever is said to be known was seen that
//! long ago. A tag that a full list put out is new when it comes back: so a count of new ones is never too low, and
//! no higher than that of all. Only where a list has lost tags, or a tag stayed away for nearly as long as it is
//! remembered, does it depend on the order and on the shards what of it was lost.
//!
//! [`REMEMBERED`]: crate::limits::REMEMBERED

use crate::detector::DistinctField;
use crate::plan::DetectorPlan;
use crate::seen::{FIRST_STEP, Seen};
use crate::shape::Class;
use crate::time::{Span, Time};
use crate::window::{Bounds, Window};

/// By when they were seen first, which values count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Since {
    /// Those of the window that were first seen less than so long before its end.
    NewWithin(Span),
    /// Those that were first seen so long before its end or longer, and are remembered, in the window or not.
    KnownFor(Span),
}

impl Since {
    /// The span.
    pub fn span(self) -> Span {
        match self {
            Since::NewWithin(span) | Since::KnownFor(span) => span,
        }
    }
}

impl Window<'_> {
    /// What is certain about how many values count.
    pub(crate) fn since_bounds(
        &self,
        (field, class): (DistinctField, Class),
        since: Since,
        detector: &DetectorPlan,
    ) -> Bounds {
        let (after, until) = self.ends(detector);
        let lists = || self.lists(field, class);
        match since {
            Since::KnownFor(_) => {
                let known = self.since((field, class), since, self.everything()).len() as f64;
                let lost = self.has_lost(field, class);
                Bounds { low: known, high: if lost { f64::INFINITY } else { known } }
            }
            Since::NewWithin(_) => {
                let new = |until| self.since((field, class), since, (after, until)).len() as f64;
                let low = new(until);
                let high = match lists().all(|list| list.is_exact(after)) {
                    false => f64::INFINITY,
                    // Who was seen again since may have been in the window, if he came before its end.
                    true if self.at < self.state.head => new(self.newest()),
                    true => low,
                };
                Bounds { low, high }
            }
        }
    }

    /// At most how many values of the window are new; infinite where lists do not say.
    pub(crate) fn new_at_most(
        &self,
        (field, class): (DistinctField, Class),
        since: Since,
        detector: &DetectorPlan,
    ) -> f64 {
        let (Since::NewWithin(span), after) = (since, self.ends(detector).0) else {
            return f64::INFINITY;
        };
        let begun = self.at.minus(span);
        let new = self.lists(field, class).map(|list| {
            let within = list.within(after, self.newest());
            let new = within.filter(|seen| seen.first() > begun).count() as f64;
            if list.is_exact(after) { new } else { f64::INFINITY }
        });
        new.sum()
    }

    /// How many values of the window are known for as long as others are new.
    pub(crate) fn known_within(
        &self,
        (field, class): (DistinctField, Class),
        span: Span,
        detector: &DetectorPlan,
    ) -> usize {
        self.since((field, class), Since::KnownFor(span), self.ends(detector)).len()
    }

    /// Whether lists have lost values that may have been known.
    pub(crate) fn has_lost(&self, field: DistinctField, class: Class) -> bool {
        let forgotten = self.everything().0;
        self.lists(field, class).any(|list| !list.is_exact(forgotten))
    }

    /// The earliest first sighting among the values that count.
    pub(crate) fn first_of(
        &self,
        (field, class): (DistinctField, Class),
        since: Since,
        detector: &DetectorPlan,
    ) -> Option<Time> {
        let span = match since {
            Since::NewWithin(_) => self.ends(detector),
            Since::KnownFor(_) => self.everything(),
        };
        // The first is kept rounded up.
        let firsts = self.since((field, class), since, span).into_iter();
        firsts.map(|seen| seen.first().min(seen.last())).min()
    }

    /// The values seen in (after, until] that count, each once: with its first and last sighting.
    pub(crate) fn since(
        &self,
        (field, class): (DistinctField, Class),
        since: Since,
        (after, until): (Time, Time),
    ) -> Vec<Seen> {
        let begun = self.at.minus(since.span());
        let ended = self.plan.retention.step(self.at).plus(FIRST_STEP);
        let counts = |seen: &Seen| match since {
            // Whoever came after the window's end was not in it.
            Since::NewWithin(_) => seen.first() > begun && seen.first() <= ended,
            Since::KnownFor(_) => seen.first() <= begun,
        };
        let mut lists = self.lists(field, class).filter(|list| !list.is_empty());
        let Some(first) = lists.next() else { return Vec::new() };
        let Some(second) = lists.next() else {
            let within = first.within(after.max(self.everything().0), until);
            return within.filter(|seen| counts(seen)).copied().collect();
        };
        // A value may be in several lists: which holds its first sighting need not have its last.
        let (forgotten, end) = self.everything();
        let all = [first, second].into_iter().chain(lists);
        let mut all: Vec<Seen> =
            all.flat_map(|list| list.within(forgotten, end)).copied().collect();
        all.sort_unstable_by_key(|seen| seen.tag);
        let together = all.chunk_by(|one, other| one.tag == other.tag);
        let within = |seen: &&Seen| seen.last() > after && seen.last() <= until;
        let joined = together.filter(|of| of.iter().any(|seen| within(&seen))).map(|of| {
            let mut joined = of[0];
            of[1..].iter().for_each(|other| joined.join(*other));
            joined
        });
        joined.filter(counts).collect()
    }

    /// From what is not yet forgotten to the newest sighting.
    fn everything(&self) -> (Time, Time) {
        (self.state.head.minus(self.plan.retention.remembered), self.newest())
    }
}
