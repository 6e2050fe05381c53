//! Distinct tags over every window at once: a recency-capped list, and a sketch beyond its cap.
//!
//! A list keeps the most recent (tag, last seen), up to its home's cap. Merging takes the newest
//! time of each tag and then the newest tags: a semilattice, so order, splits and repeats change
//! nothing. `evicted` is the newest last-seen time of any tag that had to go: a window that begins at
//! or after it is counted exactly from the list, one that begins before it needs the sketch.
//!
//! Sketches are kept per pane from the first eviction on, and hold every tag in the pane of its last
//! sighting: the union of a window's panes is then exactly the window's set, up to one pane at its
//! old end. They go as soon as the last eviction is older than anything kept.
//!
//! Only the last sighting is kept, so a window that ends before the newest event is a lower bound.

use crate::panes::Resolution;
use crate::recency::{INDEXED_MIN, Index};
use crate::retention::Retention;
use crate::sketch::Sketch;
use crate::time::Time;

/// A tag and when it was seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Event time of the newest sighting.
    pub last: Time,
    /// The tag.
    pub tag: u64,
}

/// Tags that are compared without a branch between them.
const LOOKED_AT_TOGETHER: usize = 16;

/// The tags of one class of one key.
#[derive(Clone, Debug, Default)]
pub struct DistinctList {
    seen: Vec<Seen>,
    /// Of `seen` as it is, or none.
    index: Option<Box<Index<Seen>>>,
    evicted: Option<Time>,
    sketches: Option<Box<PaneSketches>>,
}

/// What a list needs to know of its key: where panes are cut and how far back anything matters.
#[derive(Clone, Copy, Debug)]
pub struct Keeping<'a> {
    /// What its home keeps.
    pub retention: &'a Retention,
    /// The newest event time of the key.
    pub head: Time,
    /// What memory is left for.
    pub room: Room,
}

/// What a key may still grow by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Lists up to their cap, and sketches beyond.
    Plenty,
    /// Lists up to their cap, no new sketches.
    NoSketches,
}

impl Keeping<'_> {
    /// Nothing at or before this time matters any more.
    fn horizon(&self) -> Time {
        self.head.minus(self.retention.kept)
    }
}

/// One sketch a pane, one ring a resolution, panes sorted; a ring reaches back one window from the
/// newest event, so it holds a bounded number of sketches whatever the times are.
#[derive(Clone, Debug)]
struct PaneSketches {
    rings: Vec<Vec<(i64, Sketch)>>,
}

impl DistinctList {
    /// Notes that `tag` was seen at `time`. Says whether a sketch was needed and not allowed.
    pub fn insert(&mut self, tag: u64, time: Time, keeping: Keeping<'_>) -> bool {
        if let Some(sketches) = &mut self.sketches {
            sketches.insert(tag, time, keeping);
        }
        if let Some(at) = self.position(tag) {
            self.seen[at].last = self.seen[at].last.max(time);
            return false;
        }
        let tags_max = keeping.retention.list_tags_max;
        if self.seen.len() >= tags_max {
            self.forget_at_cap(keeping);
        } else if self.seen.len() == self.seen.capacity() {
            self.forget(keeping);
        }
        if self.seen.len() < tags_max {
            self.push(Seen { last: time, tag });
            return false;
        }
        let refused = self.begin_sketches(keeping);
        if let Some(sketches) = &mut self.sketches {
            sketches.insert(tag, time, keeping);
        }
        self.replace_oldest(Seen { last: time, tag });
        refused
    }

    /// Takes in everything `other` saw.
    pub fn merge(&mut self, other: &DistinctList, keeping: Keeping<'_>) {
        if let Some(theirs) = &other.sketches {
            self.begin_sketches(keeping);
            if let Some(mine) = &mut self.sketches {
                mine.merge(theirs, keeping);
            }
        } else if other.evicted.is_some() {
            // Theirs lost tags that no sketch holds, so ours would be short of them too.
            self.sketches = None;
        }
        self.evicted = self.evicted.max(other.evicted);
        for seen in &other.seen {
            self.insert(seen.tag, seen.last, keeping);
        }
    }

    /// The tags last seen in (after, until] that the list holds, in no order.
    pub fn within(&self, after: Time, until: Time) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| seen.last > after && seen.last <= until)
    }

    /// Whether the list holds every tag last seen after `after`.
    pub fn is_exact(&self, after: Time) -> bool {
        self.evicted.is_none_or(|evicted| evicted <= after)
    }

    /// Takes the window's panes into `union`; `false` if there is no sketch to take.
    pub fn sketch_into(&self, union: &mut Sketch, ring: usize, panes: (i64, i64)) -> bool {
        let Some(sketches) = &self.sketches else { return false };
        for (index, sketch) in &sketches.rings[ring] {
            if (panes.0..=panes.1).contains(index) {
                union.merge(sketch);
            }
        }
        true
    }

    /// All tags listed, in no order.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The newest last sighting that is listed no more, if any still matters.
    pub fn evicted(&self) -> Option<Time> {
        self.evicted
    }

    /// Puts back a tag that was listed, as it was.
    pub(crate) fn restore(&mut self, seen: Seen) {
        self.push(seen);
    }

    /// Notes that a tag last seen at `time` is listed no more.
    pub(crate) fn forgotten(&mut self, time: Time) {
        self.evicted = self.evicted.max(Some(time));
    }

    /// Puts sketches behind the list, one ring, panes sorted.
    pub(crate) fn stand_behind(&mut self, panes: Vec<(i64, Sketch)>) {
        self.sketches = Some(Box::new(PaneSketches { rings: vec![panes] }));
    }

    /// Leaves out the tags that `other` has seen more recently, and those that are not among the
    /// `most` most recent of both. Ties go as in a full list.
    pub(crate) fn leave_out(&mut self, other: &DistinctList, most: usize) {
        let newer = |mine: &Seen| {
            other.seen.iter().any(|theirs| theirs.tag == mine.tag && theirs.last > mine.last)
        };
        self.seen.retain(|mine| !newer(mine));
        self.index = Index::of(&self.seen);
        let listed_here = |theirs: &&Seen| self.seen.iter().any(|mine| mine.tag == theirs.tag);
        let only_there = other.seen.iter().filter(|theirs| !listed_here(theirs));
        let mut both: Vec<Seen> = self.seen.iter().chain(only_there).copied().collect();
        if both.len() <= most {
            return;
        }
        let (_, oldest, _) = both.select_nth_unstable_by(most - 1, |a, b| b.cmp(a));
        let oldest = *oldest;
        let gone = self.seen.iter().filter(|seen| **seen < oldest).map(|seen| seen.last).max();
        self.evicted = self.evicted.max(gone);
        self.seen.retain(|seen| *seen >= oldest);
        self.index = Index::of(&self.seen);
    }

    /// How many tags are listed, whatever their age.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.seen.capacity() * size_of::<Seen>()
            + self.index.as_ref().map_or(0, |index| index.bytes())
            + self.sketches.as_ref().map_or(0, |s| size_of::<PaneSketches>() + s.heap_bytes())
    }

    /// Drops what no window can reach any more.
    pub(crate) fn forget(&mut self, keeping: Keeping<'_>) {
        let (horizon, listed) = (keeping.horizon(), self.seen.len());
        self.seen.retain(|seen| seen.last > horizon);
        if self.seen.len() < listed {
            self.index = Index::of(&self.seen);
        }
        self.forget_evicted(horizon);
    }

    /// The same for a full list, which need not be gone through as long as its oldest matters.
    fn forget_at_cap(&mut self, keeping: Keeping<'_>) {
        let horizon = keeping.horizon();
        if self.oldest().is_none_or(|at| self.seen[at].last <= horizon) {
            return self.forget(keeping);
        }
        self.forget_evicted(horizon);
    }

    fn forget_evicted(&mut self, horizon: Time) {
        if self.evicted.is_some_and(|evicted| evicted <= horizon) {
            self.evicted = None;
            self.sketches = None;
        }
    }

    /// Starts sketches from what the list holds. Says whether that was needed and not allowed.
    fn begin_sketches(&mut self, keeping: Keeping<'_>) -> bool {
        if self.sketches.is_some() {
            return false;
        }
        // Once something is gone that no sketch holds, a sketch would be short of it.
        if keeping.room != Room::Plenty || self.evicted.is_some() {
            return true;
        }
        let mut sketches =
            PaneSketches { rings: vec![Vec::new(); keeping.retention.sketches.len()] };
        for seen in &self.seen {
            sketches.insert(seen.tag, seen.last, keeping);
        }
        self.sketches = Some(Box::new(sketches));
        false
    }

    fn push(&mut self, new: Seen) {
        self.seen.push(new);
        match &mut self.index {
            Some(index) => index.pushed(&new),
            None if self.seen.len() == INDEXED_MIN => self.index = Index::of(&self.seen),
            None => {}
        }
    }

    /// Where a tag is listed.
    #[inline]
    fn position(&self, tag: u64) -> Option<usize> {
        if let Some(index) = &self.index {
            return index.find(&self.seen, tag);
        }
        // Most tags that come are new to their list, so all of it is looked at: some at once, the newest, which
        // come last as a rule, first.
        let mut end = self.seen.len();
        for together in self.seen.rchunks(LOOKED_AT_TOGETHER) {
            let start = end - together.len();
            if together.iter().fold(false, |any, seen| any | (seen.tag == tag)) {
                return together.iter().position(|seen| seen.tag == tag).map(|at| start + at);
            }
            end = start;
        }
        None
    }

    /// Where the oldest of all stands; among equals the one with the smallest tag.
    fn oldest(&mut self) -> Option<usize> {
        match &mut self.index {
            Some(index) => Some(index.oldest(&self.seen)),
            None => (0..self.seen.len()).min_by_key(|at| self.seen[*at]),
        }
    }

    /// Takes `new` in for the oldest of all, which may be itself; among equals the smallest tag goes,
    /// so that order of arrival does not matter.
    fn replace_oldest(&mut self, new: Seen) {
        let gone = match self.oldest().filter(|at| self.seen[*at] < new) {
            Some(at) => {
                if let Some(index) = &mut self.index {
                    index.replaced(at, &new);
                }
                std::mem::replace(&mut self.seen[at], new)
            }
            None => new,
        };
        self.evicted = self.evicted.max(Some(gone.last));
    }
}

impl PaneSketches {
    fn insert(&mut self, tag: u64, time: Time, keeping: Keeping<'_>) {
        for (ring, resolution) in self.rings.iter_mut().zip(&keeping.retention.sketches) {
            if let Some(sketch) = pane(ring, resolution.index(time), *resolution, keeping) {
                sketch.insert(tag);
            }
        }
    }

    fn merge(&mut self, other: &PaneSketches, keeping: Keeping<'_>) {
        for (at, resolution) in keeping.retention.sketches.iter().enumerate() {
            for (index, theirs) in &other.rings[at] {
                if let Some(sketch) = pane(&mut self.rings[at], *index, *resolution, keeping) {
                    sketch.merge(theirs);
                }
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let ring = |ring: &Vec<(i64, Sketch)>| {
            let registers: usize = ring.iter().map(|(_, sketch)| sketch.heap_bytes()).sum();
            ring.capacity() * size_of::<(i64, Sketch)>() + registers
        };
        size_of_val(self.rings.as_slice()) + self.rings.iter().map(ring).sum::<usize>()
    }
}

/// The sketch of pane `index`, made where it is missing, or `None` if it lies behind the window that
/// ends at `head`. Making one drops those that now lie behind.
fn pane<'a>(
    ring: &'a mut Vec<(i64, Sketch)>,
    index: i64,
    resolution: Resolution,
    keeping: Keeping<'_>,
) -> Option<&'a mut Sketch> {
    if ring.last().is_none_or(|(last, _)| *last != index) {
        let (first, _) = resolution.window(keeping.head, resolution.span);
        if index < first {
            return None;
        }
        if let Err(at) = ring.binary_search_by_key(&index, |(index, _)| *index) {
            ring.insert(at, (index, Sketch::new(keeping.retention.precision)));
            ring.retain(|(index, _)| *index >= first);
        }
    }
    let at = ring.binary_search_by_key(&index, |(index, _)| *index).ok()?;
    Some(&mut ring[at].1)
}
