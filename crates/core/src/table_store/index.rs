//! The sparse index: which keys somebody should look at, and when. An entry is written with the latches
//! it follows from, in the same write, so it says what they say.

use crate::plan::Plan;
use crate::store::Place;
use crate::table_store::key_bytes;
use crate::table_store::latches::Latches;
use crate::table_store::table::{Due, INDEX_PARTITIONS, Indexing, ItemKey, Part};
use crate::time::{Span, Time};

/// Episodes have the first half of the partitions and marks the second, so that however many keys are
/// marked, none of them keeps an episode from being looked at.
const HALF: u8 = INDEX_PARTITIONS / 2;

/// Any fixed function of an item's key that spreads them over half of the partitions.
fn spread(item: &ItemKey) -> u8 {
    let sum = item.key.iter().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    sum % HALF
}

/// The mark of a share whose key the tick is to judge: due at once, and the same however often it is
/// set, so that only the first write changes the index.
pub(crate) fn mark(item: &ItemKey) -> Indexing {
    Indexing::Set(Due { partition: HALF + spread(item), at: Time(0) })
}

/// The index entry that says when to look at a key with these latches.
pub(crate) fn indexing(plan: &Plan, latches: &Latches, item: &ItemKey, lease: Span) -> Indexing {
    match latches.due(plan, lease) {
        Some(at) => Indexing::Set(Due { partition: spread(item), at }),
        None => Indexing::Clear,
    }
}

/// Names a place's main item.
pub(crate) fn main_item(plan: &Plan, place: Place) -> ItemKey {
    ItemKey { key: key_bytes::of_place(plan, place), part: Part::Main }
}
