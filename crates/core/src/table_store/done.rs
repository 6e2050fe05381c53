//! What an execution environment has done of batches that come again: the keys whose points were counted,
//! judged and told, by shard and key, with the last record that had any.
//!
//! Lambda can be asked for a whole record again, not for a part of one. So without this a record with
//! more keys than an invocation has time for would never be done: its first keys would take all the time
//! at each delivery. With it each delivery that the same environment gets goes on where the last one
//! stopped. An environment that knows nothing does everything anew, and no count depends on it, for the
//! shares in the table know what was applied.
//!
//! Invariant: a key is here only if nothing that its shard's records say of it up to the one beside it
//! is left to do. Nothing is kept of a shard whose last batch was dealt with wholly, nor more than
//! [`KEYS_MAX`] keys.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::contribution::Contribution;
use crate::sequence::{Sequence, ShardId};
use crate::store::Place;

/// Keys remembered, some 30 MB of them: about what the largest record can name. What is done beyond is
/// done again at the next delivery.
const KEYS_MAX: usize = 200_000;

/// The keys, and the last record that is done of each.
#[derive(Debug, Default)]
pub(crate) struct Done(Mutex<BTreeMap<ShardId, BTreeMap<Place, Sequence>>>);

impl Done {
    /// Of each of these contributions of `shard`, whether nothing is left to do of it.
    pub(crate) fn of(&self, shard: ShardId, contributions: &[Contribution]) -> Vec<bool> {
        let shards = self.shards();
        let Some(known) = shards.get(&shard) else { return vec![false; contributions.len()] };
        let is_done = |contribution: &Contribution| {
            let known = known.get(&(contribution.plan, contribution.key));
            let last = contribution.sequences().map(|(_, last)| last);
            known.zip(last).is_some_and(|(known, last)| last <= *known)
        };
        contributions.iter().map(is_done).collect()
    }

    /// Forgets a shard, whose batch was dealt with wholly: later ones hold other records.
    pub(crate) fn forget(&self, shard: ShardId) {
        self.shards().remove(&shard);
    }

    /// Notes what is done of a batch of `shard` that comes again.
    pub(crate) fn note(&self, shard: ShardId, done: &[&Contribution]) {
        let mut shards = self.shards();
        let mut room = KEYS_MAX - shards.values().map(BTreeMap::len).sum::<usize>();
        let known = shards.entry(shard).or_default();
        for contribution in done {
            let Some((_, last)) = contribution.sequences() else { continue };
            let place = (contribution.plan, contribution.key);
            match known.get_mut(&place) {
                Some(known) => *known = last.max(*known),
                None if room > 0 => {
                    known.insert(place, last);
                    room -= 1;
                }
                None => {}
            }
        }
    }

    fn shards(&self) -> MutexGuard<'_, BTreeMap<ShardId, BTreeMap<Place, Sequence>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
