//! The events of one key and shard that were counted last, by tag: what is delivered a second time
//! soon after is not counted again.
//!
//! CloudWatch may deliver a log event twice, under a new sequence number; only the event's own identity
//! tells. Bound: a copy is known as such while fewer than [`EVENT_RING_TAGS`] later events of the key lie
//! between it and the original. A different event is taken for a copy with a chance of 16 in 2^24
//! (shared home) or 2^32 (memory).

use crate::limits::EVENT_RING_TAGS;
use crate::tag::EventTag;

/// The latest event tags; the upper half of each, as far as its home keeps it.
#[derive(Clone, Debug, Default)]
pub struct EventRing {
    /// The places in use come first; when all are, the oldest is overwritten.
    tags: [u32; EVENT_RING_TAGS],
    len: u8,
    /// Where the next one goes.
    next: u8,
}

impl EventRing {
    /// Notes an event; `false` if it is among the latest already.
    pub fn note(&mut self, event: EventTag, mask: u32) -> bool {
        let tag = kept(event, mask);
        if self.has(tag) {
            return false;
        }
        self.push(tag);
        true
    }

    /// Whether a tag is among the latest.
    #[inline]
    pub fn has(&self, tag: u32) -> bool {
        // All places are looked at without a branch between them; those that are still free do not count.
        let same = self.tags.iter().enumerate();
        let same = same.fold(0, |same, (at, known)| same | u32::from(*known == tag) << at);
        same & ((1 << self.len) - 1) != 0
    }

    /// Adds a tag, and forgets the oldest where there is no more room.
    #[inline]
    pub fn push(&mut self, tag: u32) {
        self.tags[usize::from(self.next) % EVENT_RING_TAGS] = tag;
        self.next = (self.next + 1) % EVENT_RING_TAGS as u8;
        self.len = (self.len + 1).min(EVENT_RING_TAGS as u8);
    }

    /// Whether the next tag goes to the first place: once in as many as there are places.
    pub(crate) fn has_come_round(&self) -> bool {
        self.next == 0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = EventRing::default();
    }

    /// The tags, oldest first.
    pub fn tags(&self) -> impl ExactSizeIterator<Item = u32> {
        let first = usize::from(self.next) + EVENT_RING_TAGS - usize::from(self.len);
        (0..usize::from(self.len)).map(move |nth| self.tags[(first + nth) % EVENT_RING_TAGS])
    }
}

// There is a bit for each place.
const _: () = assert!(EVENT_RING_TAGS < 32);

/// By the tags, wherever they stand.
impl PartialEq for EventRing {
    fn eq(&self, other: &EventRing) -> bool {
        self.tags().eq(other.tags())
    }
}

impl Eq for EventRing {}

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
    fn tags_are_told_oldest_first_and_put_back_as_they_were() {
        let mut ring = EventRing::default();
        assert!(!ring.has(0) && ring.tags().len() == 0);
        for n in 1..=40u32 {
            ring.push(n);
            let first = n.saturating_sub(EVENT_RING_TAGS as u32) + 1;
            assert!(ring.tags().eq(first..=n), "{:?}", ring.tags().collect::<Vec<_>>());
            assert!((0..60).all(|tag| ring.has(tag) == (first..=n).contains(&tag)), "{n}");
            let mut again = EventRing::default();
            ring.tags().for_each(|tag| again.push(tag));
            assert_eq!(again, ring);
            // What comes next puts out the same.
            again.push(50);
            assert!((first..=n).all(|tag| again.has(tag) == (again.tags().any(|it| it == tag))));
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
