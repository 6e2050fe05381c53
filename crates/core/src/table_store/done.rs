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

/// Keys remembered, 30 MB of them at most: about what the largest record can name. What is done beyond is
/// done again at the next delivery.
const KEYS_MAX: usize = 200_000;

// Without what the map itself takes, which is a half more at most.
const _: () = assert!(KEYS_MAX * (size_of::<Place>() + size_of::<Sequence>()) <= 20 << 20);

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

    /// Notes what is done of a batch of `shard` that comes again. Where there is no room for it, other
    /// shards make some: they may long be served by others.
    pub(crate) fn note(&self, shard: ShardId, done: &[&Contribution]) {
        let mut shards = self.shards();
        if shards.values().map(BTreeMap::len).sum::<usize>() + done.len() > KEYS_MAX {
            shards.retain(|known, _| *known == shard);
        }
        let known = shards.entry(shard).or_default();
        for contribution in done {
            let Some((_, last)) = contribution.sequences() else { continue };
            let place = (contribution.plan, contribution.key);
            let room = known.len() < KEYS_MAX;
            match known.get_mut(&place) {
                Some(known) => *known = last.max(*known),
                None if room => drop(known.insert(place, last)),
                None => {}
            }
        }
    }

    fn shards(&self) -> MutexGuard<'_, BTreeMap<ShardId, BTreeMap<Place, Sequence>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::contribution::Part;
    use crate::key::Key;
    use crate::plan::KeyPlanId;

    const SHARD: ShardId = ShardId(1);

    /// What records up to `last` say of one source.
    fn of(source: u32, last: u64) -> Contribution {
        let key = Key::source_ip(Ipv4Addr::from(source).into());
        let parts = vec![Part { sequence: Sequence::of(last), end: 1 }];
        Contribution { parts, ..Contribution::to(KeyPlanId(0), key) }
    }

    #[test]
    fn only_what_was_done_of_the_same_shard_and_key_is_passed_over() {
        let done = Done::default();
        let batch = [of(1, 5), of(1, 6), of(2, 5), of(1, 4)];
        assert_eq!(done.of(SHARD, &batch), [false; 4]);
        done.note(SHARD, &[&of(1, 5)]);
        assert_eq!(done.of(SHARD, &batch), [true, false, false, true]);
        assert_eq!(done.of(ShardId(2), &batch), [false; 4]);
        // Cut shorter, a batch makes nothing undone.
        done.note(SHARD, &[&of(1, 3), &of(2, 3)]);
        assert_eq!(done.of(SHARD, &batch), [true, false, false, true]);
        done.forget(ShardId(2));
        assert_eq!(done.of(SHARD, &batch), [true, false, false, true]);
        done.forget(SHARD);
        assert_eq!(done.of(SHARD, &batch), [false; 4]);
    }

    #[test]
    fn memory_is_bounded_and_the_shard_at_hand_has_it() {
        let (done, over) = (Done::default(), 10);
        done.note(ShardId(2), &[&of(1, 5)]);
        let batch: Vec<Contribution> = (0..KEYS_MAX as u32 + over).map(|n| of(n, 5)).collect();
        done.note(SHARD, &batch.iter().collect::<Vec<_>>());
        let known = done.of(SHARD, &batch);
        assert_eq!(known.iter().filter(|is_done| !**is_done).count(), over as usize);
        assert_eq!(done.of(ShardId(2), &[of(1, 5)]), [false]);
    }
}
