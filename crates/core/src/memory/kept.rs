//! One key in memory: what was counted, and what is put down to be counted with it soon.

use crate::contribution::Point;
use crate::event_ring;
use crate::key::Key;
use crate::plan::KeyPlan;
use crate::signal::Outcome;
use crate::slack::Slack;
use crate::state::KeyState;
use crate::time::Time;

/// Points that are put down before they are counted.
const PUT_DOWN_MAX: usize = 16;

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
    /// The events among which a copy is looked for, so that most are told to be none without looking.
    events: EventFilter,
}

/// Which tags may be among some: a Bloom filter with two bits a tag ("Space/time trade-offs in hash coding with
/// allowable errors", Communications of the ACM, 1970). Of at most 32 tags it takes one of seven others for one of them.
#[derive(Clone, Copy, Debug, Default)]
struct EventFilter([u64; 2]);

impl EventFilter {
    /// The bits of a tag, whose upper ones are as random as the lower.
    fn bits(tag: u32) -> [(usize, u64); 2] {
        [tag >> 25, tag >> 18 & 0x7f].map(|bit| ((bit >> 6) as usize, 1 << (bit & 0x3f)))
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

    /// To be called when what was put down has been counted, or anything else.
    pub(super) fn counted(&mut self) {
        self.events = EventFilter::default();
        if let Some(state) = &self.state {
            state.events.tags().for_each(|tag| self.events.add(tag));
        }
    }

    /// Puts a point down, if it is the newest, may raise nothing and is no copy; the bytes that takes, modulo 2^64,
    /// or `None` where it must be counted now.
    pub(super) fn put_down(&mut self, plan: &KeyPlan, key: &Key, point: &Point) -> Option<usize> {
        if plan.is_of_all() {
            return self.count_at_once(plan, key, point);
        }
        let is_full = self.put_down.len() >= PUT_DOWN_MAX;
        let tag = event_ring::kept(point.event, plan.retention.event_mask);
        if point.time < self.newest || is_full || self.may_be_a_copy(plan, tag) {
            return None;
        }
        if !self.slack.take(point.time, point.shape.outcome(), point.amount.weight()) {
            return None;
        }
        let capacity = self.put_down.capacity();
        if self.put_down.len() == capacity {
            // Most keys are seen a few times only.
            self.put_down.reserve_exact(capacity.max(1));
        }
        self.put_down.push(*point);
        self.events.add(tag);
        self.newest = point.time;
        let bytes = (self.put_down.capacity() - capacity) * size_of::<Point>();
        self.bytes += bytes;
        Some(bytes)
    }

    /// Counts a point at a key that nearly everything adds to, which is always at hand, if nothing else is to be done
    /// with the point.
    fn count_at_once(&mut self, plan: &KeyPlan, key: &Key, point: &Point) -> Option<usize> {
        let state = self.state.as_mut()?;
        let tag = event_ring::kept(point.event, plan.retention.event_mask);
        let only_counts = plan.shape(point.shape).only_counts()
            && !plan.lists_source(key.first, point.shape);
        if !only_counts || point.time < self.newest || state.events.has(tag) {
            return None;
        }
        if !self.slack.take(point.time, point.shape.outcome(), point.amount.weight()) {
            return None;
        }
        self.newest = point.time;
        let has_grown = state.count_newest(plan, point);
        Some(if has_grown { self.grown() } else { 0 })
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
        if !plan.counts() || !self.events.may_have(own) {
            return false;
        }
        let tag = |point: &Point| event_ring::kept(point.event, plan.retention.event_mask);
        self.put_down.iter().any(|point| tag(point) == own)
            || self.state.as_ref().is_some_and(|state| state.events.has(own))
    }
}
