//! Episodes: one attack by one key, as one detector sees it, from the line that raised it until it has
//! been quiet.
//!
//! The episode is the latch, and the only state that is compare-and-set. Its start comes from the
//! first writer and is never recomputed, so the uid made from it is the same whoever publishes, and
//! however often. `claimed` runs ahead of `published` between claiming a message and confirming that
//! it left: whoever finds them apart publishes again.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::detector::Severity;
use crate::key::Key;
use crate::limits::SAMPLES_MAX;
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
    /// Log events that decided.
    pub samples: SmallVec<[Origin; SAMPLES_MAX]>,
}

impl Episode {
    /// Whether something raised at `time` belongs to this episode.
    pub fn covers(&self, time: Time, quiet: Span) -> bool {
        time > self.start.minus(quiet) && time < self.last.plus(quiet)
    }

    /// Whether something is still to be told about it: its end, or a message that was claimed and is
    /// not known to have left.
    pub fn is_pending(&self) -> bool {
        !self.closed || self.published < self.claimed
    }

    /// When it will have been quiet for long enough to close.
    pub fn due(&self, quiet: Span) -> Time {
        self.last.plus(quiet)
    }
}

/// The uid of the episode of `detector` about `key` that began at `start`: the first 128 bits of
/// SHA-256 over all three, in hexadecimal.
pub fn uid(detector: &str, key: &Key, start: Time) -> String {
    let digest = Sha256::digest(format!("{detector}\n{key}\n{}", start.0));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
