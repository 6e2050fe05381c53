//! The key of tags, which is replaced in the middle of some runs, and what processes know of that: they
//! read the secret when they start and again every few minutes, so they learn of a new key at different
//! times, and each goes by its own clock.
//!
//! What is in the stream is tagged under the first key; that is also how the oracle tells names and events
//! apart. Under the second key a name is the second key's tag of its first tag.

use tidewatch_core::delivery::Record;
use tidewatch_core::key_ring::{KeyRing, LiveKey, Phase};
use tidewatch_core::limits::ROTATION_OVERLAP;
use tidewatch_core::signal::{Body, Signal};
use tidewatch_core::tag::{EventTag, TagKey, UserTag};
use tidewatch_core::time::{Span, Time};

use super::weather::Chance;

const MINUTE: i64 = 60_000;

/// How long a process goes by the secret it has read, at most.
pub const KNOWN_MS_MAX: i64 = 15 * MINUTE;

/// An event that is judged is no later than this.
pub const LATE_MS_MAX: i64 = 9 * 60 * MINUTE;

/// Overlaps runs are played with. The shorter is sound here: the longest window is a day, clocks and secrets
/// are behind by less than three hours, and [`LATE_MS_MAX`].
const OVERLAPS: [Span; 2] = [Span::minutes(36 * 60), ROTATION_OVERLAP];

/// The key of a run, and the one that replaces it.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    first: LiveKey,
    second: Option<Second>,
    overlap: Span,
}

/// A key that replaces the first.
#[derive(Clone, Copy, Debug)]
struct Second {
    key: LiveKey,
    /// When it was put into the secret.
    put_ms: i64,
}

/// What a process knows of the secret.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    read_ms: i64,
    for_ms: i64,
}

impl Rotation {
    /// One key for the whole run.
    pub fn none() -> Rotation {
        let first = KeyRing::single(first_key()).current;
        Rotation { first, second: None, overlap: ROTATION_OVERLAP }
    }

    /// Draws when the key is replaced in a run of about `length_ms` from `begun_ms` on: either the new
    /// key begins to be used in it, or to be judged, or both. `overlap` instead of a sound one.
    pub fn drawn(
        chance: &Chance,
        begun_ms: i64,
        length_ms: i64,
        overlap: Option<Span>,
    ) -> Rotation {
        let sound = OVERLAPS[chance.below(OVERLAPS.len())];
        let overlap = overlap.unwrap_or(sound);
        let within_ms = begun_ms + chance.within(0..length_ms.max(1));
        let from_ms = if chance.happens(0.5) { within_ms } else { within_ms - overlap.0 };
        let put_ms = from_ms - [0, 0, KNOWN_MS_MAX][chance.below(3)];
        let id = chance.within(1..3) as u32;
        let first = LiveKey { id, key: first_key(), from: Time::MIN };
        let key = LiveKey { id: id + 1, key: second_key(), from: Time(from_ms) };
        Rotation { first, second: Some(Second { key, put_ms }), overlap }
    }

    /// What a process makes of the secret as it read it last, at `now` by its own clock.
    pub fn phase(&self, known: Known, now: Time) -> Phase {
        let put = self.second.filter(|second| second.put_ms <= known.read_ms);
        let ring = match put {
            None => KeyRing { current: self.first, previous: None },
            Some(second) => KeyRing { current: second.key, previous: Some(self.first) },
        };
        ring.phase_with(now, self.overlap)
    }

    /// A record as a process reads it in a phase.
    pub fn read(&self, record: &Record, phase: &Phase) -> Record {
        let under = |key: &LiveKey| {
            let signals = record.signals.iter();
            if key.id == self.first.id {
                signals.cloned().collect()
            } else {
                signals.map(second).collect()
            }
        };
        let again = phase.other.as_ref().map_or_else(Vec::new, under);
        Record { signals: under(&phase.reading), again, ..record.clone() }
    }

    /// Whether the second key's tags are judged in a phase.
    pub fn is_second(&self, phase: &Phase) -> bool {
        phase.reading.id != self.first.id
    }

    /// What happens when, for the trace.
    pub fn story(&self) -> String {
        match &self.second {
            None => "one key".to_owned(),
            Some(Second { key, put_ms }) => {
                let switch_ms = key.from.plus(self.overlap).0;
                format!(
                    "key {} is put at {put_ms}, used from {}, judged from {switch_ms}",
                    key.id, key.from.0
                )
            }
        }
    }
}

impl Known {
    /// The secret as a process that starts reads it.
    pub fn at(now_ms: i64, chance: &Chance) -> Known {
        Known { read_ms: now_ms, for_ms: chance.within(MINUTE..KNOWN_MS_MAX) }
    }

    /// The same as it is read again, if it is time.
    pub fn later(self, now_ms: i64) -> Known {
        if now_ms < self.read_ms + self.for_ms { self } else { Known { read_ms: now_ms, ..self } }
    }
}

/// The key of what is in the stream.
pub fn first_key() -> TagKey {
    TagKey::new([7; 16])
}

fn second_key() -> TagKey {
    TagKey::new([8; 16])
}

/// The second tag of a name with this first one.
pub fn second_user(first: u64) -> u64 {
    let UserTag(second) = second_key().user(&first.to_be_bytes());
    second
}

/// A signal under the second key.
fn second(signal: &Signal) -> Signal {
    let auth = *signal.body.auth().expect("a try");
    let user = auth.user.map(|UserTag(first)| UserTag(second_user(first)));
    let body = Body::Auth(tidewatch_core::signal::Auth { user, ..auth });
    // No two events have the same, as under the first key, nor one of each.
    let EventTag(first) = signal.event;
    Signal { event: EventTag(!first), body, ..signal.clone() }
}
