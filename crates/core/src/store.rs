//! The first seam: where windows live. [`crate::memory::MemoryStore`] is their home in one process;
//! the methods are futures, so that a home may as well be a database shared by many.
//!
//! Merged windows are lent to a pure function instead of returned: a copy of every key's panes would
//! cost more than the judgement. Whatever a store does, it shows the state after its own write and
//! everybody else's, whether this write was applied or had been applied before.

use std::future::Future;

use crate::contribution::{Contribution, Point};
use crate::episode::Episode;
use crate::key::Key;
use crate::plan::{DetectorId, KeyPlanId};
use crate::time::Time;
use crate::window::Window;

/// Keeps the state of all keys.
pub trait WindowStore: Send + Sync {
    /// Merges a batch and shows `judge` each key's window with the point it is to be judged for.
    /// Embedded that is every point in turn, at its own time.
    fn merge<J>(
        &self,
        contributions: &[Contribution],
        now: Time,
        judge: J,
    ) -> impl Future<Output = Result<Merged, StoreError>> + Send
    where
        J: FnMut(&Window<'_>, &Point) + Send;

    /// Shows `view` the window of each of `keys` that has any state, as of its newest event.
    fn read<V>(
        &self,
        keys: &[(KeyPlanId, Key)],
        view: V,
    ) -> impl Future<Output = Result<(), StoreError>> + Send
    where
        V: FnMut(&Window<'_>) + Send;

    /// The episodes that will have been quiet for long enough at `now` and are open, or closed by
    /// a message that is not known to have left; oldest first.
    fn due(&self, now: Time) -> impl Future<Output = Result<Vec<Due>, StoreError>> + Send;

    /// Replaces the latest episode of (key, detector) by `new` if it is still `expected`.
    fn latch(
        &self,
        plan: KeyPlanId,
        key: &Key,
        detector: DetectorId,
        expected: Option<&Episode>,
        new: Episode,
    ) -> impl Future<Output = Result<Latched, StoreError>> + Send;
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Points that lay behind everything kept.
    pub late: u64,
    /// Points not counted for want of memory, for their key or for more of it.
    pub points_refused: u64,
    /// Points whose distinct list was cut without a sketch for want of memory.
    pub sketches_refused: u64,
}

/// An episode that may close.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The key's plan.
    pub plan: KeyPlanId,
    /// Whose episode.
    pub key: Key,
    /// Which detector's.
    pub detector: DetectorId,
    /// The episode as it was found.
    pub episode: Episode,
}

/// The outcome of a compare-and-set.
#[derive(Clone, Debug, PartialEq)]
pub enum Latched {
    /// It was as expected, and is replaced.
    Won,
    /// It was this.
    Lost(Option<Episode>),
}

/// A fault of the store's host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Trying again later may help; nothing, or only part, was applied.
    #[error("the store cannot take this now: {0}")]
    Retryable(String),
    /// Trying again will not help.
    #[error("the store failed: {0}")]
    Fatal(String),
}
