//! One key in memory: what was counted, and what is put down to be counted with it soon.

use crate::contribution::Point;
use crate::event_ring;
use crate::plan::KeyPlan;
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
}

impl Kept {
    /// A key of which nothing is known, with the slack of an empty window.
    pub(super) fn new(slack: Slack) -> Kept {
        Kept { state: None, put_down: Vec::new(), newest: Time::MIN, bytes: 0, slack }
    }

    /// Puts a point down, if it is the newest, may raise nothing and is no copy; the bytes that takes, or `None`
    /// where it must be counted now.
    pub(super) fn put_down(&mut self, plan: &KeyPlan, point: &Point) -> Option<usize> {
        let is_full = self.put_down.len() >= PUT_DOWN_MAX;
        if point.time < self.newest || is_full || self.may_be_a_copy(plan, point) {
            return None;
        }
        if !self.slack.take(point.time, point.amount.weight()) {
            return None;
        }
        let capacity = self.put_down.capacity();
        if self.put_down.len() == capacity {
            // Most keys are seen a few times only.
            self.put_down.reserve_exact(capacity.max(1));
        }
        self.put_down.push(*point);
        self.newest = point.time;
        Some((self.put_down.capacity() - capacity) * size_of::<Point>())
    }

    /// Whether a point's event is among the latest, as far as their tags tell.
    fn may_be_a_copy(&self, plan: &KeyPlan, point: &Point) -> bool {
        let tag = |point: &Point| event_ring::kept(point.event, plan.retention.event_mask);
        let own = tag(point);
        let counted = self.state.as_ref().map_or(&[][..], |state| state.events.tags());
        let is_down = || self.put_down.iter().any(|point| tag(point) == own);
        plan.counts() && (is_down() || counted.contains(&own))
    }
}
