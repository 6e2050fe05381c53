//! The live tag keys: one mostly, two while a key is being replaced.
//!
//! Under another key the same name has another tag, so a window that spans a change of key would count it
//! twice, or miss what it knew. Therefore everything is tagged under both keys for a while, into lists of
//! two generations, and what is judged is one generation only: the one that is complete for every window.
//!
//! ```text
//!            from              switch = from + overlap      from + 2 × overlap
//! reading    previous │ previous      │ current             │ current
//! other               │ current       │ previous            │
//! ```
//!
//! After the switch the older key's lists are written for [`ROTATION_TRAIL`] only, for those whose clocks are
//! behind; its tags of events are needed longer, to know a late copy of an event by.
//!
//! Invariant: whoever reads a generation finds in it all that was read of its windows, as long as processes
//! learn of a key within an hour, less what their clocks differ by, and no event is later than a day.

use crate::limits::{ROTATION_OVERLAP, ROTATION_TRAIL};
use crate::shape::{Class, KINDS};
use crate::signal::Signal;
use crate::tag::{EventTag, TagKey};
use crate::time::{Span, Time};

/// A tag key with its number.
#[derive(Clone, Copy, Debug)]
pub struct LiveKey {
    /// Counts the keys there were; no two that follow each other are equal modulo 2.
    pub id: u32,
    /// The key.
    pub key: TagKey,
    /// When it begins to be used beside the previous one; [`Time::MIN`] for a first key.
    pub from: Time,
}

/// Which lists the tags of a key are kept in: two keys that follow each other have different ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Keys with even numbers, and the only key of a process.
    #[default]
    Even = 0,
    /// Keys with odd numbers.
    Odd = 1,
}

/// The keys that are in use.
#[derive(Clone, Copy, Debug)]
pub struct KeyRing {
    /// The newest.
    pub current: LiveKey,
    /// The one it replaces.
    pub previous: Option<LiveKey>,
}

/// What the keys are used for at one time.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// The key whose tags are judged.
    pub reading: LiveKey,
    /// The key under which everything is tagged as well.
    pub other: Option<LiveKey>,
    /// When the newer of both becomes the one that is judged; without another, [`Time::MIN`]. Events
    /// from then on are known by the newer key's tag, earlier ones by the older's, whoever meets them.
    pub switch: Time,
}

impl LiveKey {
    /// The generation of its tags: its number modulo 2.
    pub fn generation(&self) -> Generation {
        if self.id.is_multiple_of(2) { Generation::Even } else { Generation::Odd }
    }
}

impl Generation {
    /// Both.
    pub const ALL: [Generation; 2] = [Generation::Even, Generation::Odd];

    /// A class of the shared home, of which that of an even generation is `class`.
    #[inline(always)]
    pub fn class(self, class: Class) -> Class {
        class << (self as usize * KINDS)
    }

    /// The generation of a class of the shared home, and what that class is in an even one.
    pub fn of(class: Class) -> (Generation, Class) {
        match class >> KINDS {
            0 => (Generation::Even, class),
            even => (Generation::Odd, even),
        }
    }
}

impl KeyRing {
    /// A ring of one key, number 0.
    pub fn single(key: TagKey) -> KeyRing {
        KeyRing { current: LiveKey { id: 0, key, from: Time::MIN }, previous: None }
    }

    /// What the keys are used for at `now`.
    pub fn phase(&self, now: Time) -> Phase {
        self.phase_with(now, ROTATION_OVERLAP)
    }

    /// The same, where both keys are written for `overlap` before the change and as long after it. Only
    /// a test of it has another overlap than [`ROTATION_OVERLAP`].
    pub fn phase_with(&self, now: Time, overlap: Span) -> Phase {
        let KeyRing { current, previous } = *self;
        let alone = |key| Phase { reading: key, other: None, switch: Time::MIN };
        let Some(previous) = previous else { return alone(current) };
        let switch = current.from.plus(overlap);
        if now < current.from {
            alone(previous)
        } else if now < switch {
            Phase { reading: previous, other: Some(current), switch }
        } else if now < switch.plus(overlap) {
            Phase { reading: current, other: Some(previous), switch }
        } else {
            alone(current)
        }
    }

    /// Whether nothing of an earlier key is in use any more at `now`, so that the key may be replaced. Where
    /// it is replaced earlier, counts are too low for a while.
    pub fn is_settled(&self, now: Time) -> bool {
        self.previous.is_none() || now >= self.current.from.plus(Span(2 * ROTATION_OVERLAP.0))
    }
}

impl Phase {
    /// The key whose lists are written besides those that are judged, at `now`: a newer one's, so that
    /// they are whole when they are judged; an older one's for those whose clocks are behind.
    pub fn writing(&self, now: Time) -> Option<LiveKey> {
        let other = self.other?;
        let newer = other.from > self.reading.from;
        (newer || now < self.switch.plus(ROTATION_TRAIL)).then_some(other)
    }

    /// The tag an event is known by, `again` being the same event under the other key: one and the same,
    /// whichever process meets the event, and when.
    pub fn event(&self, signal: &Signal, again: Option<&Signal>) -> EventTag {
        let (Some(other), Some(again)) = (self.other, again) else { return signal.event };
        let reading_is_newer = self.reading.from >= other.from;
        // The event's own time: that of its arrival may be another the second time.
        if reading_is_newer == (signal.time >= self.switch) { signal.event } else { again.event }
    }
}

impl From<TagKey> for Phase {
    /// One key for ever.
    fn from(key: TagKey) -> Phase {
        KeyRing::single(key).phase(Time::MIN)
    }
}
