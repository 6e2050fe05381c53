//! The first seam: where windows live. [`crate::memory::MemoryStore`] is their home in one process,
//! [`crate::table_store::store::SharedStore`] in a table that many processes write.
//!
//! Merged windows are lent to a pure function instead of returned: a copy of every key's panes would
//! cost more than the judgement. Whatever a store does, it shows the state after its own write and
//! everybody else's, whether this write was applied or had been applied before.

use std::future::Future;

use crate::contribution::{Contribution, Point};
use crate::episode::{Episode, Slots};
use crate::key::Key;
use crate::key_ring::Generation;
use crate::limits::TICK_LEASE;
use crate::plan::{DetectorId, KeyPlanId};
use crate::safeguards::Safeguards;
use crate::sequence::ShardId;
use crate::slack::Slack;
use crate::time::{Span, Time};
use crate::window::Window;

/// One key of one plan.
pub type Place = (KeyPlanId, Key);

/// Keeps the state of all keys.
pub trait WindowStore: Send + Sync {
    /// Puts a point down, to be counted before anybody looks at its key, or counts it, where nothing can be raised by it
    /// and the store does such things; else says `false` and has it merged. `merged` takes what became of points that were put
    /// down before.
    fn put_down(&mut self, _place: &Place, _point: &Point, _merged: &mut Merged) -> bool {
        false
    }

    /// Merges a batch and shows `judge`, with the index of the contribution, each window of its key
    /// that the contribution may have changed, in the order of their ends. Embedded that is one or
    /// two for every point in turn, but for those within the slack that `judge` answers with: while it
    /// lasts, nothing of the key need be judged, and a store may leave it out.
    fn merge<J>(
        &self,
        contributions: &[Contribution],
        now: Time,
        judge: J,
    ) -> impl Future<Output = Result<Merged, StoreError>> + Send
    where
        J: FnMut(usize, &Window<'_>) -> Slack + Send;

    /// Shows `view` the window of each of `keys` that has any state, as of its newest event.
    fn read<V>(
        &self,
        keys: &[Place],
        view: V,
    ) -> impl Future<Output = Result<(), StoreError>> + Send
    where
        V: FnMut(&Window<'_>) + Send;

    /// Whether [`WindowStore::due`] may have anything to say at `now`, for stores that know it without looking.
    fn may_be_due(&self, _now: Time) -> bool {
        true
    }

    /// The episodes that will have been quiet for long enough at `now` and are open, or of which a
    /// message is not known to have left; oldest first. Keys that are judged at the tick only are
    /// shown to `judge` first.
    fn due<J>(
        &self,
        now: Time,
        judge: J,
    ) -> impl Future<Output = Result<DueNow, StoreError>> + Send
    where
        J: FnMut(Place, &Window<'_>) + Send;

    /// Says that what [`WindowStore::due`] showed of `place` has been dealt with.
    fn dealt_with(&self, place: Place) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts `new` among the episodes of (place, detector) if these are still `expected`, and, where
    /// it is given, the state's version is still `version`.
    fn latch(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        version: Option<u64>,
    ) -> impl Future<Output = Result<Latched, StoreError>> + Send;

    /// Says how a batch ended: which of its contributions were merged, judged and told, and whether the
    /// batch comes again all the same, for the sake of others. The next [`WindowStore::merge`] of this
    /// process may pass those over. To a store whose batches never come again this says nothing.
    fn ended(&self, _done: &[&Contribution], _comes_again: bool) {}

    /// The store as one who judges tags of `generation` sees it.
    fn reading(self, generation: Generation) -> Self
    where
        Self: Sized;

    /// On whose behalf messages are claimed.
    fn claimant(&self) -> Claimant;

    /// Whether there is time left: a process that was stopped and goes on after its deadline speaks for
    /// nobody any more.
    fn has_time(&self) -> bool;
}

/// Who claims messages, and on what terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Who.
    pub who: ShardId,
    /// How long a message that somebody else claimed is left to them.
    pub lease: Span,
    /// What keeps it exact.
    pub safeguards: Safeguards,
}

impl Claimant {
    /// Whether a claimed message of `episode` that is not known to have left may be published on this
    /// one's behalf: a shard's claim by who serves the shard, whose batch comes again until it is
    /// confirmed; anybody's once its lease has run out.
    pub fn may_publish(&self, episode: &Episode, now: Time) -> bool {
        let same = episode.claimant == self.who && self.who != ShardId::TICK;
        same || now >= free_at(episode, self.lease)
    }
}

/// When a claim of `episode` is free to all.
pub fn free_at(episode: &Episode, lease: Span) -> Time {
    let lease = if episode.claimant == ShardId::TICK { TICK_LEASE } else { lease };
    episode.claimed_at.plus(lease)
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Points that lay behind everything kept.
    pub late: u64,
    /// Points of events that had been counted, delivered once more.
    pub repeated: u64,
    /// Points not counted for want of memory or room, for their key or for more of it.
    pub points_refused: u64,
    /// Points whose distinct list was cut without a sketch for want of memory.
    pub sketches_refused: u64,
    /// Shares that were not legible and are begun anew, so that their keys count too little for a
    /// while.
    pub shares_lost: Vec<LostShare>,
    /// The contributions that are not known to be applied and judged, by index.
    pub unapplied: Vec<(usize, StoreError)>,
}

/// A share that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostShare {
    /// Whose.
    pub place: Place,
    /// Which shard's.
    pub shard: ShardId,
    /// What was wrong with it.
    pub why: String,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DueNow {
    /// Episodes, oldest first.
    pub due: Vec<Due>,
    /// Why something about a key could not be told; it stays due.
    pub failed: Vec<StoreError>,
    /// Shares, and episodes, that were not legible.
    pub shares_lost: Vec<LostShare>,
}

/// An episode that may close.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Whose episode.
    pub place: Place,
    /// Which detector's.
    pub detector: DetectorId,
    /// The episode as it was found.
    pub episode: Episode,
}

/// The outcome of a compare-and-set.
#[derive(Clone, Debug, PartialEq)]
pub enum Latched {
    /// It was as expected, and the detector's episodes are these now.
    Won(Slots),
    /// It was not; these are the detector's episodes.
    Lost(Slots),
}

/// A fault of the store's host. Its text goes to the log of whoever runs the program, and names no source
/// and no user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Trying again later may help.
    #[error("the store cannot take this now: {0}")]
    Retryable(String),
    /// A key's state is in a form that another program wrote; trying again will not help, but with
    /// other keys nothing is wrong.
    #[error("the store cannot use what it holds: {0}")]
    Unusable(String),
    /// Trying again will not help.
    #[error("the store failed: {0}")]
    Fatal(String),
}
