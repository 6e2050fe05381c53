//! The stream and its shards: what producers put in, in which order each shard keeps it, and how
//! shards split and merge while they are read.
//!
//! A log stream's records go to the open shard whose range of hashes covers it. A shard that was split
//! or merged takes no more; its children are read only once all their parents have been read to the
//! end. Invariant: within a shard sequence numbers grow, and nothing ever changes what was put in.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use tidewatch_core::delivery::Record;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::Signal;
use tidewatch_core::time::Time;

use super::executor::{Notice, lock};

/// Hashes of log streams lie below this.
pub const HASHES: u32 = 1 << 16;

/// A Kinesis stream.
#[derive(Debug, Default)]
pub struct Source {
    shards: Mutex<Shards>,
    /// Told whenever records came in, shards changed, or something was read to its end.
    pub changed: Notice,
}

/// All shards there ever were; a shard's number is its place.
#[derive(Debug, Default)]
pub struct Shards {
    /// The shards.
    pub all: Vec<Shard>,
    last_sequence: u64,
    ended: bool,
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    /// Its number.
    pub id: ShardId,
    /// The hashes it takes.
    pub hashes: Range<u32>,
    /// Shards that have to be read to their end first.
    pub parents: Vec<ShardId>,
    /// What it holds.
    pub records: Vec<Arc<Record>>,
    /// Whether it takes no more.
    pub closed: bool,
    /// How many records were read and need not come again.
    pub checkpoint: usize,
}

/// What the reader of a shard finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its parents are not read to their end yet, or nothing new is there.
    Nothing,
    /// This many records wait.
    Records(usize),
    /// It was read to its end, and nothing will come any more.
    End,
}

impl Source {
    /// A stream of `shards` shards.
    pub fn new(shards: u32) -> Source {
        let source = Source::default();
        let width = HASHES / shards;
        for shard in 0..shards {
            let end = if shard + 1 == shards { HASHES } else { (shard + 1) * width };
            lock(&source.shards).open(shard * width..end, Vec::new());
        }
        source
    }

    /// The shards as they are.
    pub fn shards(&self) -> MutexGuard<'_, Shards> {
        lock(&self.shards)
    }

    /// Puts a record in, `gap` sequence numbers after the last, and tells which shard took it.
    ///
    /// # Panics
    /// If the stream has ended.
    pub fn put(&self, hash: u32, gap: u64, arrival: Time, signals: Vec<Signal>) -> ShardId {
        let id = {
            let mut shards = self.shards();
            assert!(!shards.ended, "a record after the end");
            shards.last_sequence += gap.max(1);
            let sequence = sequence(shards.last_sequence);
            let takes = |shard: &&mut Shard| !shard.closed && shard.hashes.contains(&hash);
            let shard = shards.all.iter_mut().find(takes).expect("open shards cover all hashes");
            shard.records.push(Arc::new(Record { sequence, arrival, signals, again: Vec::new() }));
            shard.id
        };
        self.changed.tell();
        id
    }

    /// Splits an open shard in two, or merges it with its neighbour; gives the children.
    pub fn reshard(&self, chosen: usize, merge: bool) -> Vec<ShardId> {
        let children = self.shards().reshard(chosen, merge);
        self.changed.tell();
        children
    }

    /// Closes all shards: nothing will come any more.
    pub fn end(&self) {
        let mut shards = self.shards();
        shards.ended = true;
        shards.all.iter_mut().for_each(|shard| shard.closed = true);
        drop(shards);
        self.changed.tell();
    }

    /// Moves a shard's checkpoint; never back.
    pub fn checkpoint(&self, id: ShardId, to: usize) {
        let mut shards = self.shards();
        let shard = shards.shard(id);
        shard.checkpoint = shard.checkpoint.max(to);
        drop(shards);
        self.changed.tell();
    }
}

impl Shards {
    fn open(&mut self, hashes: Range<u32>, parents: Vec<ShardId>) -> ShardId {
        let id = ShardId(self.all.len() as u32);
        let shard =
            Shard { id, hashes, parents, records: Vec::new(), closed: false, checkpoint: 0 };
        self.all.push(shard);
        id
    }

    /// The shard `id` names.
    pub fn shard(&mut self, ShardId(id): ShardId) -> &mut Shard {
        &mut self.all[id as usize]
    }

    /// What the reader of `id` finds.
    pub fn found(&self, ShardId(id): ShardId) -> Found {
        let shard = &self.all[id as usize];
        let read = |ShardId(parent): &ShardId| self.all[*parent as usize].is_read();
        if !shard.parents.iter().all(read) {
            return Found::Nothing;
        }
        match shard.records.len() - shard.checkpoint {
            0 if shard.closed => Found::End,
            0 => Found::Nothing,
            waiting => Found::Records(waiting),
        }
    }

    /// Whether everything put in so far has been dealt with.
    pub fn is_drained(&self) -> bool {
        self.all.iter().all(|shard| shard.checkpoint == shard.records.len())
    }

    fn reshard(&mut self, chosen: usize, merge: bool) -> Vec<ShardId> {
        let mut open: Vec<usize> =
            (0..self.all.len()).filter(|index| !self.all[*index].closed).collect();
        open.sort_by_key(|index| self.all[*index].hashes.start);
        let chosen = chosen % open.len();
        let Shard { id, hashes, .. } = &self.all[open[chosen]];
        let (id, hashes) = (*id, hashes.clone());
        let next = open.get(chosen + 1).copied();
        match next {
            Some(next) if merge => {
                let (other, end) = (self.all[next].id, self.all[next].hashes.end);
                self.all[next].closed = true;
                self.shard(id).closed = true;
                vec![self.open(hashes.start..end, vec![id, other])]
            }
            _ if hashes.len() >= 2 => {
                self.shard(id).closed = true;
                let middle = hashes.start + (hashes.end - hashes.start) / 2;
                let halves = [hashes.start..middle, middle..hashes.end];
                halves.into_iter().map(|half| self.open(half, vec![id])).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Shard {
    fn is_read(&self) -> bool {
        self.closed && self.checkpoint == self.records.len()
    }
}

/// A sequence number as wide as Kinesis's usually are.
fn sequence(number: u64) -> Sequence {
    let mut bytes = [0; 24];
    bytes[..4].copy_from_slice(&[2, 5, 9, 1]);
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    Sequence::from_bytes(&bytes).expect("24 bytes fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(source: &Source, hash: u32) -> ShardId {
        source.put(hash, 3, Time(0), Vec::new())
    }

    #[test]
    fn children_are_read_after_all_their_parents() {
        let source = Source::new(2);
        assert_eq!(put(&source, 0), ShardId(0));
        assert_eq!(put(&source, HASHES - 1), ShardId(1));
        assert_eq!(source.reshard(0, true), [ShardId(2)]);
        assert_eq!(put(&source, 0), ShardId(2));
        assert_eq!(source.reshard(0, false), [ShardId(3), ShardId(4)]);
        assert_eq!(put(&source, HASHES - 1), ShardId(4));
        assert_eq!(source.shards().found(ShardId(2)), Found::Nothing);
        source.checkpoint(ShardId(0), 1);
        assert_eq!(source.shards().found(ShardId(2)), Found::Nothing);
        source.checkpoint(ShardId(1), 1);
        assert_eq!(source.shards().found(ShardId(2)), Found::Records(1));
        assert_eq!(source.shards().found(ShardId(4)), Found::Nothing);
        source.checkpoint(ShardId(2), 1);
        assert_eq!(source.shards().found(ShardId(2)), Found::End);
        assert_eq!(source.shards().found(ShardId(4)), Found::Records(1));
        assert!(!source.shards().is_drained());
    }

    #[test]
    fn sequence_numbers_grow() {
        let source = Source::new(1);
        (0..300).for_each(|_| _ = put(&source, 9));
        let shards = source.shards();
        assert!(shards.all[0].records.windows(2).all(|two| two[0].sequence < two[1].sequence));
    }
}
