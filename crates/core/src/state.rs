//! The state of one key: everything all detectors on it need, and nothing that is not merged.
//!
//! Law: a state depends on the points that went in, not on their order or on how they were split
//! (apart from points that came too late to be kept, which depends on what came before).

use crate::contribution::{Again, Point};
use crate::detector::DistinctField;
use crate::distinct::{DistinctList, Keeping, Room};
use crate::episode::Episodes;
use crate::event_ring::{self, EventRing};
use crate::key::Key;
use crate::key_ring::Generation;
use crate::panes::Ring;
use crate::plan::KeyPlan;
use crate::shape::Class;
use crate::sources::Sources;
use crate::time::{Span, Time};

/// What is known about one key.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// The newest event time.
    pub head: Time,
    /// One list for each (field, class) that has occurred.
    pub lists: Vec<ClassList>,
    /// One ring for each rung of counters; none before the first counter.
    pub rings: Vec<Ring>,
    /// No pane is to be moved before the newest event is later than this.
    pub(crate) settled_until: Time,
    /// The events counted last, so that none of them is counted twice.
    pub events: EventRing,
    /// The addresses behind a key that is not one itself.
    pub sources: Option<Box<Sources>>,
    /// The latest episodes of each detector that ever raised here.
    pub episodes: Episodes,
}

/// The distinct tags of one class.
#[derive(Clone, Debug)]
pub struct ClassList {
    /// Whose tags.
    pub field: DistinctField,
    /// Which measures they count for.
    pub class: Class,
    /// Whether it keeps since when its tags are seen: see [`KeyPlan::keeps_firsts`].
    pub firsts: bool,
    /// The tags.
    pub list: DistinctList,
}

/// Where a window ends, and the event it is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The newest event in it, as far as is known: not after it, and for a counter pane, of whose
    /// events the times are not kept, at most the pane before it.
    pub told: Time,
    /// The end.
    pub at: Time,
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
    /// It is an event that was counted already, delivered once more.
    pub repeated: bool,
}

impl Default for KeyState {
    fn default() -> KeyState {
        KeyState {
            head: Time::MIN,
            lists: Vec::new(),
            rings: Vec::new(),
            settled_until: Time::MIN,
            events: EventRing::default(),
            sources: None,
            episodes: Episodes::default(),
        }
    }
}

impl KeyState {
    /// Adds one point of `key`.
    pub fn absorb(&mut self, plan: &KeyPlan, key: &Key, point: &Point, room: Room) -> Absorbed {
        self.take(plan, key, (point, false), room)
    }

    /// Adds one point of `key`, which is known to be no copy of any that was counted last.
    pub(crate) fn absorb_new(
        &mut self,
        plan: &KeyPlan,
        key: &Key,
        point: &Point,
        room: Room,
    ) -> Absorbed {
        self.take(plan, key, (point, true), room)
    }

    #[inline]
    fn take(
        &mut self,
        plan: &KeyPlan,
        key: &Key,
        (point, is_new): (&Point, bool),
        room: Room,
    ) -> Absorbed {
        let mut absorbed = Absorbed::default();
        if point.time <= self.head.minus(plan.retention.kept) {
            return Absorbed { late: true, dropped: true, ..absorbed };
        }
        self.head = self.head.max(point.time);
        // Also what counts nothing lets time go on, and panes are where their age says.
        if self.head > self.settled_until {
            self.move_panes(plan);
        }
        let keeping = self.keeping(plan, room);
        let shape = plan.shape(point.shape);
        let seen = plan.retention.step(point.time);
        for (nth, (field, class)) in shape.classes.iter().enumerate() {
            if let Some(tag) = point.tag(*field) {
                let tag = tag & plan.retention.tag_mask;
                let firsts = plan.keeps_firsts(point.shape, nth);
                let list = self.list(*field, point.generation.class(*class), firsts);
                absorbed.sketch_refused |= list.insert(tag, seen, Keeping { firsts, ..keeping });
            }
        }
        if plan.counts() {
            let tag = event_ring::kept(point.event, plan.retention.event_mask);
            debug_assert!(!is_new || !self.events.has(tag), "whoever says so has looked");
            if !is_new && self.events.has(tag) {
                return Absorbed { repeated: true, ..absorbed };
            }
            self.events.push(tag);
        }
        absorbed.late = shape.counts() && !self.count(plan, point);
        if let Some(source) = point.source.filter(|_| plan.lists_source(key.first, point.shape)) {
            let sources = self.sources.get_or_insert_default();
            absorbed.sketch_refused |= sources.add(
                key.first,
                (source, point.generation),
                point.time,
                plan.tries(point),
                keeping,
            );
        }
        absorbed
    }

    /// Lists the tags of a point, which was absorbed and not dropped, under another key too.
    pub(crate) fn list_again(&mut self, plan: &KeyPlan, key: &Key, point: &Point, again: &Again) {
        let keeping = self.keeping(plan, Room::NoSketches);
        let seen = plan.retention.step(point.time);
        for (nth, (field, class)) in plan.shape(point.shape).classes.iter().enumerate() {
            if let Some(tag) = again.tag(*field) {
                let tag = tag & plan.retention.tag_mask;
                let firsts = plan.keeps_firsts(point.shape, nth);
                let list = self.list(*field, again.generation.class(*class), firsts);
                list.insert(tag, seen, Keeping { firsts, ..keeping });
            }
        }
        if let Some(tag) = again.source.filter(|_| plan.lists_source(key.first, point.shape)) {
            let sources = self.sources.get_or_insert_default();
            sources.count(again.generation, tag, point.time, keeping);
        }
    }

    /// Leaves the tags of one generation, as if there were no other.
    pub(crate) fn read(&mut self, generation: Generation) {
        self.lists.retain_mut(|list| {
            let (of, even) = Generation::of(list.class);
            list.class = even;
            of == generation
        });
        if let Some(sources) = &mut self.sources {
            sources.read(generation);
        }
    }

    /// Takes in everything `other`, a state of the same key, has absorbed. Episodes are not merged:
    /// they are latched. Nor are the latest events: they tell repetitions in one shard's order.
    pub fn merge(&mut self, plan: &KeyPlan, key: &Key, other: &KeyState, room: Room) {
        self.head = self.head.max(other.head);
        let keeping = self.keeping(plan, room);
        for theirs in &other.lists {
            let ClassList { field, class, firsts, list } = theirs;
            self.list(*field, *class, *firsts).merge(list, Keeping { firsts: *firsts, ..keeping });
        }
        if self.rings.len() < other.rings.len() {
            self.rings.resize_with(other.rings.len(), Ring::default);
        }
        for (mine, theirs) in self.rings.iter_mut().zip(&other.rings) {
            mine.merge(theirs);
        }
        self.move_panes(plan);
        if let Some(theirs) = &other.sources {
            self.sources.get_or_insert_default().merge(key.first, theirs, keeping);
        }
    }

    /// The ends of all windows that could show something new once an event at `from` was counted, by
    /// what is still known: each last sighting and each counter pane from then on, and the newest
    /// event. Sorted, each once.
    pub fn ends_since(&self, plan: &KeyPlan, from: Time) -> Vec<End> {
        let of_lists = self.lists.iter().flat_map(|list| list.list.seen());
        let mut sightings: Vec<Time> = of_lists.map(|seen| seen.last().min(self.head)).collect();
        sightings.sort_unstable();
        sightings.dedup();
        // A sighting is kept as the end of the step it lies in: it was not before the step began.
        let began = |last: &Time| last.minus(Span(plan.retention.grain.0 - 1));
        let mut ends: Vec<End> =
            sightings.iter().map(|last| End { told: began(last), at: *last }).collect();
        for (ring, rung) in self.rings.iter().zip(&plan.retention.counters) {
            ends.extend(ring.panes().map(|(index, _, _)| {
                let (start, end) = (index * rung.pane.0, (index + 1) * rung.pane.0 - 1);
                let before = sightings.partition_point(|last| last.0 <= end);
                let seen = sightings[..before].last().filter(|last| last.0 >= start);
                let told =
                    if end >= self.head.0 { self.head } else { seen.map_or(Time(start), began) };
                End { told, at: Time(end).min(self.head) }
            }));
        }
        let kept = self.head.minus(plan.retention.kept);
        ends.retain(|end| end.at >= from && end.at > kept && end.at < self.head);
        ends.push(End { told: self.head, at: self.head });
        ends.sort_unstable();
        ends.dedup();
        ends
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
            + self.episodes.heap_bytes()
    }

    /// Of a list that keeps no first sightings.
    pub(crate) fn keeping<'a>(&self, plan: &'a KeyPlan, room: Room) -> Keeping<'a> {
        Keeping { retention: &plan.retention, head: self.head, room, firsts: false }
    }

    /// The list of a class, made where it is missing.
    pub(crate) fn list(
        &mut self,
        field: DistinctField,
        class: Class,
        firsts: bool,
    ) -> &mut DistinctList {
        let at = self.lists.iter().position(|list| list.field == field && list.class == class);
        let at = at.unwrap_or_else(|| {
            self.lists.reserve_exact(1);
            self.lists.push(ClassList { field, class, firsts, list: DistinctList::default() });
            self.lists.len() - 1
        });
        &mut self.lists[at].list
    }

    /// Adds to the counters on the finest rung that reaches back to the point, and says whether that
    /// was the finest of all.
    fn count(&mut self, plan: &KeyPlan, point: &Point) -> bool {
        let (rungs, head) = (&plan.retention.counters, self.head);
        if self.rings.is_empty() {
            self.rings = vec![Ring::default(); rungs.len()];
        }
        let reaches = |rung: &usize| {
            // What is newest is always within reach.
            point.time == head
                || rungs[*rung].index(point.time) >= plan.retention.first_kept(*rung, head)
        };
        let rung = (0..rungs.len()).find(reaches);
        if let Some(rung) = rung {
            let (ring, shape) = (&mut self.rings[rung], plan.shape(point.shape));
            let index = ring.index_of(point.time, rungs[rung]);
            if !shape.counters.is_empty() {
                let attempts = u64::from(plan.tries(point));
                ring.add_to_all(index, point.time, (&shape.counters, plan.slots), attempts);
            }
            for (slot, part) in &shape.sums {
                let amount = part.of(point.amount.number());
                ring.add(index, point.time, *slot, plan.slots, amount);
            }
        }
        rung == Some(0)
    }

    /// Drops the tags that no window can reach any more, and lists that have none left.
    pub(crate) fn forget_tags(&mut self, plan: &KeyPlan) {
        let keeping = self.keeping(plan, Room::NoSketches);
        for ClassList { firsts, list, .. } in &mut self.lists {
            list.forget(Keeping { firsts: *firsts, ..keeping });
        }
        self.lists.retain(|list| !list.list.is_empty() || list.list.evicted().is_some());
        if let Some(sources) = &mut self.sources {
            sources.forget(keeping);
        }
    }

    /// Moves panes that are too old for their rung up to the next, and forgets them after the last.
    pub(crate) fn move_panes(&mut self, plan: &KeyPlan) {
        let rungs = &plan.retention.counters;
        for rung in 0..self.rings.len() {
            let first = plan.retention.first_kept(rung, self.head);
            match self.rings.split_at_mut(rung + 1) {
                ([.., ring], [upper, ..]) => {
                    let ratio = rungs[rung + 1].pane.0 / rungs[rung].pane.0;
                    ring.move_up_before(first, upper, ratio);
                }
                ([.., last], []) => last.forget_before(first),
                ([], _) => {}
            }
        }
        self.settled_until = plan.retention.settled_until(self.head);
    }
}
