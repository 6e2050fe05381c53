//! Distinct tags over every window at once: a recency-capped list, and a sketch beyond its cap.
//!
//! A list keeps the most recent (tag, last seen), up to its home's cap. Merging takes the newest
//! time of each tag and then the newest tags: a semilattice, so order, splits and repeats change
//! nothing. `evicted` is the newest last-seen time of any tag that had to go: a window that begins at
//! or after it is counted exactly from the list, one that begins before it needs the sketch.
//!
//! Sketches are kept per pane from the first eviction on, and hold every tag in the pane of its last
//! sighting: the union of a window's panes is then exactly the window's set, up to one pane at its
//! old end. They go as soon as the last eviction is older than any window.
//!
//! Of the sightings between the first and the last nothing is kept, so a window that ends before the newest event is
//! a lower bound.
//!
//! A list of successes also keeps since when each tag is seen, and keeps its tags longer than windows ask for: see
//! [`crate::first_seen`]. A tag that was put out or forgotten and comes back is a new one.

use crate::panes::Resolution;
use crate::recency::Recent;
use crate::retention::Retention;
use crate::seen::{Between, Seen};
use crate::sketch::Sketch;
use crate::time::Time;

/// The tags of one class of one key.
#[derive(Clone, Debug, Default)]
pub struct DistinctList {
    seen: Recent<Seen>,
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
    /// Whether the list keeps first sightings.
    pub firsts: bool,
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
    /// No window reaches anything at or before this time.
    fn reached(&self) -> Time {
        self.head.minus(self.retention.kept)
    }

    /// The list knows nothing that was seen last at or before this time.
    fn horizon(&self) -> Time {
        if self.firsts { self.head.minus(self.retention.remembered) } else { self.reached() }
    }

    /// How many tags the list keeps.
    fn tags_max(&self) -> usize {
        let Retention { list_tags_max, remembered_tags_max, .. } = *self.retention;
        if self.firsts { remembered_tags_max } else { list_tags_max }
    }

    /// A tag that is seen at `time`, for the first time as far as is known.
    fn seen(&self, tag: u64, time: Time) -> Seen {
        if self.firsts { Seen::once_at(tag, time) } else { Seen::last_at(tag, time) }
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
        self.insert_near(tag, time, usize::MAX, keeping)
    }

    /// The same, where the tag may well stand at `likely` in the list.
    pub(crate) fn insert_near(
        &mut self,
        tag: u64,
        time: Time,
        likely: usize,
        keeping: Keeping<'_>,
    ) -> bool {
        self.take(keeping.seen(tag, time), likely, keeping)
    }

    fn take(&mut self, new: Seen, likely: usize, keeping: Keeping<'_>) -> bool {
        if let Some(sketches) = &mut self.sketches {
            sketches.insert(new.tag, new.last(), keeping);
        }
        if let Some(at) = self.seen.find_near(new.tag, likely) {
            let known = self.seen.seen_again(at);
            match keeping.firsts {
                false => known.join_last(new),
                // It is forgotten, though it still stands here.
                true if known.last() <= keeping.horizon() => *known = new,
                true => known.join(new),
            }
            return false;
        }
        let mut oldest = None;
        if self.seen.len() >= keeping.tags_max() {
            oldest = self.seen.oldest().map(|at| (at, self.seen.entries()[at]));
            match oldest {
                // A full list need not be gone through as long as its oldest matters.
                Some((_, seen)) if seen.last() > keeping.horizon() => self.forget_evicted(keeping),
                _ => {
                    self.forget(keeping);
                    oldest = None;
                }
            }
        } else if self.seen.is_at_capacity() {
            self.forget(keeping);
        }
        let Some((at, oldest)) = oldest else {
            self.seen.push(new);
            return false;
        };
        let mut refused = false;
        if oldest.min(new).last() > keeping.reached() {
            refused = self.begin_sketches(keeping);
            if let Some(sketches) = &mut self.sketches {
                sketches.insert(new.tag, new.last(), keeping);
            }
        }
        // The older of the two goes; among equals the smaller tag, so that order of arrival does not matter.
        let gone = if oldest < new { self.seen.replace(at, new) } else { new };
        self.evicted = self.evicted.max(Some(gone.last()));
        refused
    }

    /// Takes in everything `other` saw.
    pub fn merge(&mut self, other: &DistinctList, keeping: Keeping<'_>) {
        if let Some(theirs) = &other.sketches {
            self.begin_sketches(keeping);
            if let Some(mine) = &mut self.sketches {
                mine.merge(theirs, keeping);
            }
        } else if other.evicted > Some(keeping.reached()) {
            // Theirs lost tags that no sketch holds, so ours would be short of them too.
            self.sketches = None;
        }
        self.evicted = self.evicted.max(other.evicted);
        for seen in other.seen.entries() {
            // What is forgotten tells nothing of when a tag was seen first.
            if !keeping.firsts || seen.last() > keeping.horizon() {
                self.take(*seen, usize::MAX, keeping);
            }
        }
    }

    /// The tags last seen in (after, until] that the list holds, in no order.
    pub fn within(&self, after: Time, until: Time) -> impl Iterator<Item = &Seen> {
        let between = Between::new(after, until);
        self.seen.entries().iter().filter(move |seen| between.has(seen))
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
        self.seen.entries()
    }

    /// The newest last sighting that is listed no more, if any still matters.
    pub fn evicted(&self) -> Option<Time> {
        self.evicted
    }

    /// Puts back a tag that was listed, as it was.
    pub(crate) fn restore(&mut self, seen: Seen) {
        self.seen.push(seen);
    }

    /// Notes that a tag last seen at `time` is listed no more.
    pub(crate) fn forgotten(&mut self, time: Time) {
        self.evicted = self.evicted.max(Some(time));
    }

    /// Puts sketches behind the list, one ring, panes sorted.
    pub(crate) fn stand_behind(&mut self, panes: Vec<(i64, Sketch)>) {
        self.sketches = Some(Box::new(PaneSketches { rings: vec![panes] }));
    }

    /// Leaves out the tags of which `other` knows all that is known here, and those that are not among the most
    /// recent of both, as many as a list keeps. Ties go as in a full list. Where first sightings are kept, an earlier
    /// one that `other` knows of a tag is taken over: then the other has none that must stay.
    pub(crate) fn leave_out(&mut self, other: &DistinctList, keeping: Keeping<'_>) {
        let theirs = |tag| other.seen.find(tag).map(|at| other.seen.entries()[at]);
        if keeping.firsts {
            for at in 0..self.seen.len() {
                let mine = self.seen.seen_again(at);
                let known = theirs(mine.tag).filter(|known| known.last() > keeping.horizon());
                if let Some(known) = known.filter(|known| known.last() <= mine.last()) {
                    mine.join(known);
                }
            }
        }
        let told = |mine: &Seen, theirs: &Seen| {
            let newer = theirs.last() > mine.last();
            newer && (!keeping.firsts || theirs.first() <= mine.first())
        };
        self.seen.retain(|mine| theirs(mine.tag).is_none_or(|theirs| !told(mine, &theirs)));
        let most = keeping.tags_max();
        let newest = |mine: &Seen| theirs(mine.tag).map_or(*mine, |theirs| theirs.max(*mine));
        let only_there = other.seen.entries().iter().filter(|s| self.seen.find(s.tag).is_none());
        let here = self.seen.entries().iter().map(newest);
        let mut both: Vec<Seen> = here.chain(only_there.copied()).collect();
        if both.len() <= most {
            return;
        }
        let (_, oldest, _) = both.select_nth_unstable_by(most - 1, |a, b| b.cmp(a));
        let oldest = *oldest;
        let gone = self.seen.entries().iter().filter(|mine| newest(mine) < oldest);
        self.evicted = self.evicted.max(gone.map(Seen::last).max());
        self.seen.retain(|mine| newest(mine) >= oldest);
    }

    /// How many tags are listed, whatever their age.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.seen.len() == 0
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.seen.heap_bytes()
            + self.sketches.as_ref().map_or(0, |s| size_of::<PaneSketches>() + s.heap_bytes())
    }

    /// Drops what the list need not know any more.
    pub(crate) fn forget(&mut self, keeping: Keeping<'_>) {
        let horizon = keeping.horizon();
        self.seen.retain(|seen| seen.last() > horizon);
        self.forget_evicted(keeping);
    }

    fn forget_evicted(&mut self, keeping: Keeping<'_>) {
        if self.evicted.is_some_and(|evicted| evicted <= keeping.reached()) {
            self.sketches = None;
        }
        if self.evicted.is_some_and(|evicted| evicted <= keeping.horizon()) {
            self.evicted = None;
        }
    }

    /// Starts sketches from what the list holds. Says whether that was needed and not allowed.
    fn begin_sketches(&mut self, keeping: Keeping<'_>) -> bool {
        if self.sketches.is_some() {
            return false;
        }
        // Once something is gone that no sketch holds, a sketch would be short of it.
        if keeping.room != Room::Plenty || self.evicted > Some(keeping.reached()) {
            return true;
        }
        let mut sketches =
            PaneSketches { rings: vec![Vec::new(); keeping.retention.sketches.len()] };
        for seen in self.seen.entries() {
            sketches.insert(seen.tag, seen.last(), keeping);
        }
        self.sketches = Some(Box::new(sketches));
        false
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
