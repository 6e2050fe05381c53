//! Which addresses stand behind a key that is not one address itself: kept so that a finding can name
//! them.
//!
//! The most recent ones are kept, with their attempts; how many there were in all is a distinct count
//! of its own.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::contribution::Source;
use crate::distinct::{DistinctList, Keeping};
use crate::key::KeyPart;
use crate::key_ring::Generation;
use crate::limits::{SOURCES_NAMED_MAX, SOURCES_OF_NET_MAX};
use crate::recency::{Dated, Recent};
use crate::time::Time;

/// The sources of one key.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    recent: Recent<Behind>,
    all: DistinctList,
    /// The same under keys of the other generation; there only while a key is being replaced, or after.
    odd: Option<Box<DistinctList>>,
}

/// One address behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// When it was seen last.
    pub last: Time,
    /// The address.
    pub address: IpAddr,
    /// Its attempts since it is kept.
    pub attempts: u64,
}

/// How many addresses a key keeps, of the `most` its home does.
fn kept_max(first: KeyPart, most: usize) -> usize {
    match first {
        KeyPart::Ipv6Net(_) => SOURCES_OF_NET_MAX.min(most),
        _ => most,
    }
}

/// How many addresses of a key are named.
fn named_max(first: KeyPart) -> usize {
    match first {
        KeyPart::Ipv6Net(_) => SOURCES_OF_NET_MAX,
        _ => SOURCES_NAMED_MAX,
    }
}

impl Sources {
    /// Notes `attempts` from `source` at `time`. Says whether a sketch was needed and not allowed.
    pub fn add(
        &mut self,
        first: KeyPart,
        (source, generation): (Source, Generation),
        time: Time,
        attempts: u32,
        keeping: Keeping<'_>,
    ) -> bool {
        let last = keeping.retention.step(time);
        let behind = Behind { last, address: source.address, attempts: u64::from(attempts) };
        let at = self.add_behind(first, behind, keeping.retention.sources_max);
        // Both lists take the same in the same order, so it stands in the same place until one of them is full.
        self.count_near((generation, source.tag), time, at, keeping)
    }

    /// Counts an address by its tag. Says whether a sketch was needed and not allowed.
    pub(crate) fn count(
        &mut self,
        generation: Generation,
        tag: u64,
        time: Time,
        keeping: Keeping<'_>,
    ) -> bool {
        self.count_near((generation, tag), time, usize::MAX, keeping)
    }

    /// The same, where the tag may well stand at `likely`.
    fn count_near(
        &mut self,
        (generation, tag): (Generation, u64),
        time: Time,
        likely: usize,
        keeping: Keeping<'_>,
    ) -> bool {
        let (tag, seen) = (tag & keeping.retention.tag_mask, keeping.retention.step(time));
        self.all_mut(generation).insert_near(tag, seen, likely, keeping)
    }

    /// Takes in everything `other` saw.
    pub fn merge(&mut self, first: KeyPart, other: &Sources, keeping: Keeping<'_>) {
        for behind in other.recent.entries() {
            self.add_behind(first, *behind, keeping.retention.sources_max);
        }
        self.all.merge(&other.all, keeping);
        if let Some(theirs) = &other.odd {
            self.all_mut(Generation::Odd).merge(theirs, keeping);
        }
    }

    /// The addresses last seen in (after, until], most attempts first, capped.
    pub fn top(&self, first: KeyPart, after: Time, until: Time) -> Vec<IpAddr> {
        let within = |behind: &&Behind| behind.last > after && behind.last <= until;
        let mut within: Vec<&Behind> = self.recent.entries().iter().filter(within).collect();
        within
            .sort_by_key(|behind| (Reverse(behind.attempts), Reverse(behind.last), behind.address));
        within.iter().take(named_max(first)).map(|behind| behind.address).collect()
    }

    /// Every address seen, as a distinct list; of an even generation where there are two.
    pub fn all(&self) -> &DistinctList {
        &self.all
    }

    /// The addresses kept, in no order.
    pub fn recent(&self) -> &[Behind] {
        self.recent.entries()
    }

    /// Every address seen, by the tags of one generation.
    pub(crate) fn all_of(&self, generation: Generation) -> Option<&DistinctList> {
        match generation {
            Generation::Even => Some(&self.all),
            Generation::Odd => self.odd.as_deref(),
        }
    }

    pub(crate) fn all_mut(&mut self, generation: Generation) -> &mut DistinctList {
        match generation {
            Generation::Even => &mut self.all,
            Generation::Odd => self.odd.get_or_insert_default(),
        }
    }

    /// Drops what no window can reach any more.
    pub(crate) fn forget(&mut self, keeping: Keeping<'_>) {
        self.all.forget(keeping);
        if let Some(odd) = &mut self.odd {
            odd.forget(keeping);
        }
    }

    /// Leaves the addresses of one generation, as if there were no other.
    pub(crate) fn read(&mut self, generation: Generation) {
        let odd = self.odd.take();
        if generation == Generation::Odd {
            self.all = odd.map_or_else(DistinctList::default, |odd| *odd);
        }
    }

    /// Puts back an address that was kept, as it was.
    pub(crate) fn restore(&mut self, behind: Behind) {
        self.recent.push(behind);
    }

    /// As [`DistinctList::leave_out`], for the count of all addresses.
    pub(crate) fn leave_out(&mut self, other: &Sources, keeping: Keeping<'_>) {
        self.all.leave_out(&other.all, keeping);
        if let (Some(mine), Some(theirs)) = (&mut self.odd, &other.odd) {
            mine.leave_out(theirs, keeping);
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let odd = self.odd.as_ref().map_or(0, |odd| size_of::<DistinctList>() + odd.heap_bytes());
        self.recent.heap_bytes() + self.all.heap_bytes() + odd
    }

    /// Takes in an address; says where it stands now, `usize::MAX` if it is not kept.
    fn add_behind(&mut self, first: KeyPart, new: Behind, most: usize) -> usize {
        if let Some(at) = self.recent.find(new.address) {
            let known = self.recent.seen_again(at);
            known.last = known.last.max(new.last);
            known.attempts = known.attempts.saturating_add(new.attempts);
            return at;
        }
        if self.recent.len() < kept_max(first, most) {
            self.recent.push(new);
            return self.recent.len() - 1;
        }
        let oldest = self.recent.oldest();
        let older = oldest.filter(|at| self.recent.entries()[*at].age() < new.age());
        match older {
            Some(at) => {
                self.recent.replace(at, new);
                at
            }
            None => usize::MAX,
        }
    }
}
