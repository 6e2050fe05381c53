//! The state of one key: everything all detectors on it need, and nothing that is not merged.
//!
//! Law: a state depends on the points that went in, not on their order or on how they were split
//! (apart from points that came too late to be kept, which depends on what came before).

use crate::contribution::Point;
use crate::detector::DistinctField;
use crate::distinct::{DistinctList, Keeping, Room};
use crate::episode::Episode;
use crate::key::Key;
use crate::panes::Ring;
use crate::plan::{Class, DetectorId, KeyPlan};
use crate::sources::Sources;
use crate::time::{Span, Time};

/// What is known about one key.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// The newest event time.
    pub head: Time,
    /// One list for each (field, class) that has occurred.
    pub lists: Vec<ClassList>,
    /// One ring for each of the plan's resolutions; none before the first counter.
    pub rings: Vec<Ring>,
    /// The addresses behind a key that is not one itself.
    pub sources: Option<Box<Sources>>,
    /// The latest episode of each detector that ever raised here.
    pub episodes: Vec<(DetectorId, Episode)>,
}

/// The distinct tags of one class.
#[derive(Clone, Debug)]
pub struct ClassList {
    /// Whose tags.
    pub field: DistinctField,
    /// Which measures they count for.
    pub class: Class,
    /// The tags.
    pub list: DistinctList,
}

/// What became of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absorbed {
    /// It lay behind what some window of its key keeps, and was not counted there.
    pub late: bool,
    /// It lay behind everything kept, and was not counted at all.
    pub dropped: bool,
    /// A list outgrew its cap and there was no memory for sketches.
    pub sketch_refused: bool,
}

impl Default for KeyState {
    fn default() -> KeyState {
        KeyState {
            head: Time::MIN,
            lists: Vec::new(),
            rings: Vec::new(),
            sources: None,
            episodes: Vec::new(),
        }
    }
}

impl KeyState {
    /// Adds one point of `key`.
    pub fn absorb(&mut self, plan: &KeyPlan, key: &Key, point: &Point, room: Room) -> Absorbed {
        if point.time <= self.head.minus(plan.kept) {
            return Absorbed { late: true, dropped: true, sketch_refused: false };
        }
        self.head = self.head.max(point.time);
        let keeping = self.keeping(plan, room);
        let shape = plan.shape(point.shape);
        let mut sketch_refused = false;
        for (field, class) in &shape.classes {
            if let Some(tag) = point.tag(*field) {
                sketch_refused |= self.list(*field, *class).insert(tag, point.time, keeping);
            }
        }
        let late = !shape.counters.is_empty() && !self.count(plan, point);
        if let Some(source) = point.source.filter(|_| !plan.tells_source(key.first)) {
            let sources = self.sources.get_or_insert_default();
            sketch_refused |= sources.add(key.first, source, point.time, point.attempts, keeping);
        }
        Absorbed { late, dropped: false, sketch_refused }
    }

    /// Takes in everything `other`, a state of the same key, has absorbed. Episodes are not merged:
    /// they are latched.
    pub fn merge(&mut self, plan: &KeyPlan, key: &Key, other: &KeyState, room: Room) {
        self.head = self.head.max(other.head);
        let keeping = self.keeping(plan, room);
        for theirs in &other.lists {
            self.list(theirs.field, theirs.class).merge(&theirs.list, keeping);
        }
        if self.rings.len() < other.rings.len() {
            self.rings.resize_with(other.rings.len(), Ring::default);
        }
        for (mine, theirs) in self.rings.iter_mut().zip(&other.rings) {
            mine.merge(theirs);
        }
        self.forget_panes(plan);
        if let Some(theirs) = &other.sources {
            self.sources.get_or_insert_default().merge(key.first, theirs, keeping);
        }
    }

    /// The latest episode of `detector`.
    pub fn episode(&self, detector: DetectorId) -> Option<&Episode> {
        self.episodes.iter().find(|(id, _)| *id == detector).map(|(_, episode)| episode)
    }

    /// Replaces the latest episode of `detector`.
    pub fn set_episode(&mut self, detector: DetectorId, episode: Episode) {
        match self.episodes.iter_mut().find(|(id, _)| *id == detector) {
            Some((_, known)) => *known = episode,
            None => {
                self.episodes.reserve_exact(1);
                self.episodes.push((detector, episode));
            }
        }
    }

    /// Bytes it takes, itself included, as far as its own structures know.
    pub fn bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(|list| list.list.heap_bytes()).sum();
        let rings: usize = self.rings.iter().map(Ring::heap_bytes).sum();
        let sources = self.sources.as_ref().map_or(0, |s| size_of::<Sources>() + s.heap_bytes());
        size_of::<KeyState>()
            + self.lists.capacity() * size_of::<ClassList>()
            + lists
            + self.rings.capacity() * size_of::<Ring>()
            + rings
            + sources
            + self.episodes.capacity() * size_of::<(DetectorId, Episode)>()
    }

    fn keeping<'a>(&self, plan: &'a KeyPlan, room: Room) -> Keeping<'a> {
        Keeping { resolutions: &plan.resolutions, head: self.head, kept: plan.kept, room }
    }

    fn list(&mut self, field: DistinctField, class: Class) -> &mut DistinctList {
        let at = self.lists.iter().position(|list| list.field == field && list.class == class);
        let at = at.unwrap_or_else(|| {
            self.lists.reserve_exact(1);
            self.lists.push(ClassList { field, class, list: DistinctList::default() });
            self.lists.len() - 1
        });
        &mut self.lists[at].list
    }

    /// Adds to the counters, and says whether the point lay inside what every ring keeps.
    fn count(&mut self, plan: &KeyPlan, point: &Point) -> bool {
        if self.rings.is_empty() {
            self.rings = vec![Ring::default(); plan.resolutions.len()];
        }
        let slots = plan.counters.len();
        let (head, mut inside) = (self.head, true);
        for (ring, resolution) in self.rings.iter_mut().zip(&plan.resolutions) {
            let index = resolution.index(point.time);
            if index < resolution.window(head, Span(resolution.span.0 * 2)).0 {
                inside = false;
                continue;
            }
            for slot in &plan.shape(point.shape).counters {
                ring.add(index, point.time, *slot, slots, u64::from(point.attempts));
            }
        }
        self.forget_panes(plan);
        inside
    }

    fn forget_panes(&mut self, plan: &KeyPlan) {
        for (ring, resolution) in self.rings.iter_mut().zip(&plan.resolutions) {
            let kept = Span(resolution.span.0 * 2);
            ring.forget_before(resolution.window(self.head, kept).0);
        }
    }
}
