//! The events of one key and shard that were counted last, by tag: what is delivered a second time
//! soon after is not counted again.
//!
//! CloudWatch may deliver a log event twice, under a new sequence number; only the event's own identity
//! tells. Bound: a copy is known as such while fewer than [`EVENT_RING_TAGS`] later events of the key lie
//! between it and the original. A different event is taken for a copy with a chance of 16 in 2^24
//! (shared home) or 2^32 (memory).

use crate::limits::EVENT_RING_TAGS;
use crate::tag::EventTag;

/// The latest event tags, oldest first; the upper half of each, as far as its home keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRing {
    tags: Vec<u32>,
}

impl EventRing {
    /// Notes an event; `false` if it is among the latest already.
    pub fn note(&mut self, event: EventTag, mask: u32) -> bool {
        let tag = kept(event, mask);
        if self.tags.contains(&tag) {
            return false;
        }
        self.push(tag);
        true
    }

    /// Adds a tag, and forgets the oldest where there is no more room.
    pub fn push(&mut self, tag: u32) {
        if self.tags.len() == EVENT_RING_TAGS {
            self.tags.copy_within(1.., 0);
            self.tags.pop();
        } else if self.tags.len() == self.tags.capacity() {
            // Most keys are seen a few times only.
            self.tags.reserve_exact(self.tags.len().max(1).min(EVENT_RING_TAGS - self.tags.len()));
        }
        self.tags.push(tag);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.tags.clear();
    }

    /// The tags, oldest first.
    pub fn tags(&self) -> &[u32] {
        &self.tags
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.tags.capacity() * size_of::<u32>()
    }
}

/// The part of an event's tag that a home keeps which keeps these bits of the upper half.
pub(crate) fn kept(event: EventTag, mask: u32) -> u32 {
    (event.0 >> 32) as u32 & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(n: u64) -> EventTag {
        EventTag(n << 40 | 0xff)
    }

    #[test]
    fn a_copy_is_known_for_as_long_as_the_ring_reaches_and_no_longer() {
        for between in [0, 1, 15, 16, 40] {
            let mut ring = EventRing::default();
            assert!(ring.note(tag(0), !0));
            assert!((1..=between).all(|n| ring.note(tag(n), !0)));
            let known = !ring.note(tag(0), !0);
            assert_eq!(known, between < EVENT_RING_TAGS as u64, "{between} between");
            assert!(ring.tags().len() <= EVENT_RING_TAGS);
        }
    }

    #[test]
    fn a_copy_does_not_move_the_ring() {
        let mut ring = EventRing::default();
        (0..16).for_each(|n| {
            ring.note(tag(n), !0);
        });
        let before = ring.clone();
        assert!((0..16).all(|n| !ring.note(tag(n), !0)));
        assert_eq!(ring, before);
    }
}
