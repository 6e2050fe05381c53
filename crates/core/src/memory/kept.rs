//! One key in memory: what was counted, and what is put down to be counted with it soon. At a key of all, which nearly
//! everything adds to, nothing is put down: it is always at hand.

use crate::contribution::Point;
use crate::event_ring;
use crate::key::Key;
use crate::memory::budget::Budget;
use crate::plan::KeyPlan;
use crate::signal::Outcome;
use crate::slack::Slack;
use crate::state::{Absorbed, KeyState};
use crate::store::Merged;
use crate::time::Time;

/// Points that are put down before they are counted.
const PUT_DOWN_MAX: usize = 16;

/// By how much a full list of `capacity` points grows: most keys are seen a few times only.
fn more_for(capacity: usize) -> usize {
    match capacity {
        0 | 1 => 1,
        2..6 => 6 - capacity,
        _ => PUT_DOWN_MAX.saturating_sub(capacity).max(1),
    }
}

/// One key, and what is known of it besides its state.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// What was counted; none before the first point is.
    pub(super) state: Option<Box<KeyState>>,
    /// What comes behind it, in order, and is not counted yet.
    pub(super) put_down: Vec<Point>,
    /// The newest event time.
    pub(super) newest: Time,
    /// What `state` and `put_down` take on the heap, as charged.
    pub(super) bytes: usize,
    /// How much longer nothing need be judged.
    pub(super) slack: Slack,
    /// The events among which a copy is looked for, so that most are told to be none without looking; not at a key of
    /// all, whose ring is looked at.
    events: EventFilter,
}

/// Which tags may be among some: a Bloom filter with two bits a tag ("Space/time trade-offs in hash coding with
/// allowable errors", Communications of the ACM, 1970). Of at most 32 tags it takes one of twenty others for one of them.
#[derive(Clone, Copy, Debug, Default)]
struct EventFilter([u64; 4]);

impl EventFilter {
    /// The bits of a tag, whose upper ones are as random as the lower.
    fn bits(tag: u32) -> [(usize, u64); 2] {
        [tag >> 24, tag >> 16 & 0xff].map(|bit| ((bit >> 6) as usize, 1 << (bit & 0x3f)))
    }

    fn add(&mut self, tag: u32) {
        Self::bits(tag).into_iter().for_each(|(word, bit)| self.0[word] |= bit);
    }

    fn may_have(self, tag: u32) -> bool {
        Self::bits(tag).into_iter().all(|(word, bit)| self.0[word] & bit != 0)
    }
}

impl Kept {
    /// A key of which nothing is known, with the slack of an empty window.
    pub(super) fn new(slack: Slack) -> Kept {
        let (put_down, events) = (Vec::new(), EventFilter::default());
        Kept { state: None, put_down, newest: Time::MIN, bytes: 0, slack, events }
    }

    /// Whether it knows who got in.
    pub(super) fn remembers(&self) -> bool {
        let success = |point: &Point| point.shape.outcome() == Outcome::Success;
        let lists = self.state.iter().flat_map(|state| &state.lists);
        self.put_down.iter().any(success)
            || lists.into_iter().any(|list| list.firsts && !list.list.is_empty())
    }

    /// Puts a point down, if it is the newest, may raise nothing and is no copy, and there is memory; `false` where it
    /// must be merged. What was put down before is counted where no more can be; at a key of all the point itself is.
    pub(super) fn put_down(
        &mut self,
        (plan, key): (&KeyPlan, &Key),
        point: &Point,
        budget: &Budget,
        merged: &mut Merged,
    ) -> bool {
        let of_all = plan.is_of_all();
        let tag = event_ring::kept(point.event, plan.retention.event_mask);
        let has_room = budget.fits_steps(if of_all { 2 } else { 1 });
        let must_be_begun = of_all && self.state.is_none();
        if !has_room || must_be_begun || point.time < self.newest || self.may_be_a_copy(plan, tag) {
            return false;
        }
        if !self.slack.take(point.time, point.shape.outcome(), point.amount.weight()) {
            return false;
        }
        self.newest = point.time;
        if of_all {
            self.count_at_once((plan, key), point, budget, merged);
            return true;
        }
        if self.put_down.len() >= PUT_DOWN_MAX {
            self.catch_up((plan, key), budget, merged);
        }
        let capacity = self.put_down.capacity();
        if self.put_down.len() == capacity {
            self.put_down.reserve_exact(more_for(capacity));
            let bytes = (self.put_down.capacity() - capacity) * size_of::<Point>();
            self.bytes += bytes;
            budget.charge(bytes);
        }
        self.put_down.push(*point);
        self.events.add(tag);
        true
    }

    /// Counts a point at a key that nearly everything adds to, which is always at hand: so nothing is put down there.
    /// What it grows by is charged when its ring of events has come round.
    fn count_at_once(
        &mut self,
        (plan, key): (&KeyPlan, &Key),
        point: &Point,
        budget: &Budget,
        merged: &mut Merged,
    ) {
        let state = self.state.get_or_insert_default();
        let absorbed = state.absorb_new(plan, key, point, budget.room());
        merged.sketches_refused += u64::from(absorbed.sketch_refused);
        if state.events.has_come_round() {
            budget.charge(self.grown());
        }
    }

    /// Adds a point if its key may grow by it.
    pub(super) fn absorb(
        &mut self,
        (plan, key): (&KeyPlan, &Key),
        point: &Point,
        budget: &Budget,
    ) -> Option<Absorbed> {
        let room = budget.room();
        let absorbed = if budget.fits_steps(1) {
            self.state.get_or_insert_default().absorb(plan, key, point, room)
        } else {
            // Close to the limit the growth is tried on a copy.
            let known_bytes = self.state.as_ref().map_or(0, |state| state.bytes());
            let mut next = self.state.clone().unwrap_or_default();
            let absorbed = next.absorb(plan, key, point, room);
            let grown = next.bytes().saturating_sub(known_bytes);
            if grown > 0 && !budget.fits(grown) {
                return None;
            }
            self.state = Some(next);
            absorbed
        };
        self.newest = self.newest.max(self.state.as_ref().map_or(Time::MIN, |state| state.head));
        self.counted(budget);
        Some(absorbed)
    }

    /// Counts what was put down.
    pub(super) fn catch_up(&mut self, at: (&KeyPlan, &Key), budget: &Budget, merged: &mut Merged) {
        if self.put_down.is_empty() {
            return;
        }
        let mut put_down = std::mem::take(&mut self.put_down);
        // What all of them together make it grow by is charged once, where there is room enough.
        if budget.fits_steps(2) {
            let (room, state) = (budget.room(), self.state.get_or_insert_default());
            for point in put_down.drain(..) {
                let absorbed = state.absorb_new(at.0, at.1, &point, room);
                merged.sketches_refused += u64::from(absorbed.sketch_refused);
            }
        }
        for point in put_down.drain(..) {
            match self.absorb(at, &point, budget) {
                Some(absorbed) => merged.sketches_refused += u64::from(absorbed.sketch_refused),
                None => merged.points_refused += 1,
            }
        }
        self.put_down = put_down;
        self.counted(budget);
    }

    /// To be called when what was put down has been counted, or anything else.
    fn counted(&mut self, budget: &Budget) {
        self.events = EventFilter::default();
        if let Some(state) = &self.state {
            state.events.tags().for_each(|tag| self.events.add(tag));
        }
        budget.charge(self.grown());
    }

    /// What the key takes more on the heap than was charged, modulo 2^64, which is to be charged now.
    pub(super) fn grown(&mut self) -> usize {
        let state = self.state.as_ref().map_or(0, |state| state.bytes());
        let bytes = state + self.put_down.capacity() * size_of::<Point>();
        let grown = bytes.wrapping_sub(self.bytes);
        self.bytes = bytes;
        grown
    }

    /// Whether an event is among the latest, as far as its tag tells.
    fn may_be_a_copy(&self, plan: &KeyPlan, own: u32) -> bool {
        let is_none = !plan.is_of_all() && !self.events.may_have(own);
        if !plan.counts() || is_none {
            return false;
        }
        let tag = |point: &Point| event_ring::kept(point.event, plan.retention.event_mask);
        self.put_down.iter().any(|point| tag(point) == own)
            || self.state.as_ref().is_some_and(|state| state.events.has(own))
    }
}
