//! How much memory all keys together may use.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::distinct::Room;

/// What may be used, and what is.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    /// More than one point can make a key grow by.
    step_bytes: usize,
    used_bytes: AtomicUsize,
}

impl Budget {
    /// One of which nothing is used.
    pub(super) fn new(bytes: usize, step_bytes: usize) -> Budget {
        Budget { bytes, step_bytes, used_bytes: AtomicUsize::new(0) }
    }

    /// Bytes that are used.
    pub(super) fn used(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Charges what something has grown by, modulo 2^64 where it has shrunk.
    pub(super) fn charge(&self, bytes: usize) {
        if bytes > 0 {
            self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes back what was charged for something that is no more.
    pub(super) fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What there is room for.
    pub(super) fn room(&self) -> Room {
        if self.used() < self.bytes - self.bytes / 8 { Room::Plenty } else { Room::NoSketches }
    }

    /// Whether `bytes` more stay inside what points may use: all but a 64th, which is left to the
    /// latches, since no finding is ever withheld for want of memory.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.used().saturating_add(bytes) <= self.bytes - self.bytes / 64
    }

    /// Whether whatever so many points make keys grow by stays inside that.
    pub(super) fn fits_steps(&self, points: usize) -> bool {
        self.fits(self.step_bytes.saturating_mul(points))
    }
}
