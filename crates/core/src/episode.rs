//! Episodes: one attack by one key, as one detector sees it, from the line that raised it until it has
//! been quiet.
//!
//! The episode is the latch, and the only state that is compare-and-set. Its start comes from the
//! first writer and is never recomputed, so the uid made from it is the same whoever publishes, and
//! however often. `claimed` runs ahead of `published` between claiming a message and confirming that
//! it left: the claimant, or anybody once its lease has run out, publishes again.
//!
//! A closed episode stays, so that what raised it once raises nothing when it is delivered again.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::detector::Severity;
use crate::key::Key;
use crate::limits::{EPISODES_MAX, SAMPLES_MAX};
use crate::plan::DetectorId;
use crate::sequence::ShardId;
use crate::signal::Origin;
use crate::time::{Span, Time};

/// One episode of one (detector, key).
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Event time of the line that raised it.
    pub start: Time,
    /// The earliest event of the window that raised it.
    pub first_seen: Time,
    /// Event time of the latest line that raised it.
    pub last: Time,
    /// The worst so far.
    pub severity: Severity,
    /// The leading number of the last message.
    pub reported: f64,
    /// The largest leading number looked at so far, once a pane.
    pub peak: f64,
    /// No update before this time, unless it gets worse.
    pub next_report: Time,
    /// Messages claimed so far.
    pub claimed: u32,
    /// Messages known to have left.
    pub published: u32,
    /// Whether it is over. A closed episode stays as a tombstone until its key is forgotten.
    pub closed: bool,
    /// Who claimed the last message.
    pub claimant: ShardId,
    /// When, on the claimant's clock.
    pub claimed_at: Time,
    /// Log events that decided; kept in memory only.
    pub samples: SmallVec<[Origin; SAMPLES_MAX]>,
}

/// The episodes of one detector for one key, by start.
pub type Slots = SmallVec<[Episode; 1]>;

/// All episodes of one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Episodes {
    all: Vec<(DetectorId, Episode)>,
}

/// All of a detector's episodes are kept already, and none of them is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{EPISODES_MAX} episodes of one detector wait to be closed for one key")]
pub struct AllPending;

impl Episode {
    /// Whether something raised at `time` belongs to this episode.
    pub fn covers(&self, time: Time, quiet: Span) -> bool {
        time > self.start.minus(quiet) && time < self.last.plus(quiet)
    }

    /// Whether something is still to be told about it: its end, or a message that was claimed and is
    /// not known to have left.
    pub fn is_pending(&self) -> bool {
        !self.closed || self.is_unconfirmed()
    }

    /// Whether a message was claimed and is not known to have left.
    pub fn is_unconfirmed(&self) -> bool {
        self.published < self.claimed
    }

    /// Whether it is over and was told to its end, so that a raise of `severity` at `time` is no news: only
    /// what came after it, or is worse, takes it up again.
    pub fn is_told(&self, time: Time, severity: Severity) -> bool {
        self.closed && time <= self.last && severity <= self.severity
    }

    /// Whether what happens at `time` comes after it: while it is open, or so long `within` its last raise. What came
    /// before it is only part of it as far as it covers that.
    pub fn is_followed(&self, time: Time, quiet: Span, within: Span) -> bool {
        let is_open = !self.closed && self.covers(time, quiet);
        let counts = within > Span(0) && time < self.last.plus(within);
        is_open || (counts && time > self.start.minus(quiet))
    }

    /// When it will have been quiet for long enough to close.
    pub fn due(&self, quiet: Span) -> Time {
        self.last.plus(quiet)
    }
}

impl Episodes {
    /// Those of `detector`, by start.
    pub fn of(&self, detector: DetectorId) -> impl Iterator<Item = &Episode> {
        self.all.iter().filter(move |(id, _)| *id == detector).map(|(_, episode)| episode)
    }

    /// Copies of those of `detector`.
    pub fn slots(&self, detector: DetectorId) -> Slots {
        self.of(detector).cloned().collect()
    }

    /// All, with their detectors.
    pub fn iter(&self) -> impl Iterator<Item = &(DetectorId, Episode)> {
        self.all.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether something is still to be told about one of them.
    pub fn any_pending(&self) -> bool {
        self.all.iter().any(|(_, episode)| episode.is_pending())
    }

    /// Whether something raised at `time` is older than everything that is remembered, so that nobody
    /// can tell whether it was told already.
    pub fn is_before_memory(&self, detector: DetectorId, time: Time, quiet: Span) -> bool {
        let mut episodes = self.of(detector).peekable();
        let first = episodes.peek().is_some_and(|first| time <= first.start.minus(quiet));
        first && episodes.count() >= EPISODES_MAX
    }

    /// Puts `new` in the place of the episode of `detector` with its start, or adds it; the oldest
    /// that is done with goes where there are [`EPISODES_MAX`].
    ///
    /// # Errors
    /// If none of them is done with.
    pub fn put(&mut self, detector: DetectorId, new: Episode) -> Result<(), AllPending> {
        let place = |(id, episode): &(DetectorId, Episode)| (*id, episode.start);
        match self.all.binary_search_by_key(&(detector, new.start), place) {
            Ok(at) => self.all[at].1 = new,
            Err(_) if self.of(detector).count() >= EPISODES_MAX => {
                let done = |(id, episode): &(DetectorId, Episode)| {
                    *id == detector && !episode.is_pending()
                };
                let oldest = self.all.iter().position(done).ok_or(AllPending)?;
                self.all.remove(oldest);
                return self.put(detector, new);
            }
            Err(at) => {
                self.all.reserve_exact(1);
                self.all.insert(at, (detector, new));
            }
        }
        Ok(())
    }

    /// Forgets the episode of `detector` that began at `start`.
    pub fn remove(&mut self, detector: DetectorId, start: Time) {
        self.all.retain(|(id, episode)| *id != detector || episode.start != start);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.all.capacity() * size_of::<(DetectorId, Episode)>()
    }
}

/// The latest of `episodes` that something raised at `time` belongs to.
pub fn covering<'a>(
    episodes: impl IntoIterator<Item = &'a Episode>,
    time: Time,
    quiet: Span,
) -> Option<&'a Episode> {
    episodes.into_iter().filter(|episode| episode.covers(time, quiet)).last()
}

/// The uid of the episode of `detector` about `key` that began at `start`: the first 128 bits of
/// SHA-256 over all three, in hexadecimal.
pub fn uid(detector: &str, key: &Key, start: Time) -> String {
    let digest = Sha256::digest(format!("{detector}\n{key}\n{}", start.0));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
