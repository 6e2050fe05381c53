//! A list of what was seen when. Where it is long an index beside it finds an entry by its name, and the one seen
//! longest ago, without going through the list each time.
//!
//! Names are found by prints, four bytes of each: a whole list of them takes a few vector instructions. The oldest
//! entries are looked for some at a time and put down; one that was seen again since is passed over. What is
//! found is what a search through the list finds, however late what comes is.

use std::net::IpAddr;

use crate::seen::Seen;
use crate::sources::Behind;
use crate::time::Time;

/// Shorter lists are searched as they are.
const INDEXED_MIN: usize = 64;

/// Names that are compared without a branch between them, in a short list.
const LOOKED_AT_TOGETHER: usize = 16;

/// Prints that are compared without a branch between them.
const COMPARED_TOGETHER: usize = 32;

/// Of the oldest so many are looked for at once.
const OLDEST_TOGETHER: usize = 16;

/// Something that was seen, by a name that stands once in its list.
pub(crate) trait Dated: Copy {
    /// What tells it from others; of two seen at one time the lesser is the older.
    type Name: Copy + Ord + std::fmt::Debug;

    /// Its name.
    fn name(&self) -> Self::Name;

    /// When it was seen last.
    fn last(&self) -> Time;

    /// Four bytes of a name that hardly another one of a list has.
    fn print(name: Self::Name) -> u32;

    /// By age.
    fn age(&self) -> (Time, Self::Name) {
        (self.last(), self.name())
    }
}

/// Entries in no order, no two of one name.
#[derive(Clone, Debug)]
pub(crate) struct Recent<E: Dated> {
    entries: Vec<E>,
    /// Of `entries` as they are; none where they are few.
    index: Option<Box<Index<E>>>,
}

impl<E: Dated> Default for Recent<E> {
    fn default() -> Recent<E> {
        Recent { entries: Vec::new(), index: None }
    }
}

impl<E: Dated> Recent<E> {
    /// All of them, in no order.
    pub(crate) fn entries(&self) -> &[E] {
        &self.entries
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether one more takes new memory.
    pub(crate) fn is_at_capacity(&self) -> bool {
        self.entries.len() == self.entries.capacity()
    }

    /// Where an entry stands.
    #[inline]
    pub(crate) fn find(&self, name: E::Name) -> Option<usize> {
        if let Some(index) = &self.index {
            return index.find(&self.entries, name);
        }
        // Most names that come are new to their list, so all of it is looked at: some at once, the newest, which
        // come last as a rule, first.
        let mut end = self.entries.len();
        for together in self.entries.rchunks(LOOKED_AT_TOGETHER) {
            let start = end - together.len();
            let same = together.iter().enumerate();
            let same =
                same.fold(0u32, |same, (at, entry)| same | u32::from(entry.name() == name) << at);
            if same != 0 {
                return Some(start + same.trailing_zeros() as usize);
            }
            end = start;
        }
        None
    }

    /// The same, where it may well stand at `likely`.
    #[inline]
    pub(crate) fn find_near(&self, name: E::Name, likely: usize) -> Option<usize> {
        let stands = self.entries.get(likely).is_some_and(|entry| entry.name() == name);
        if stands { Some(likely) } else { self.find(name) }
    }

    /// The entry at `at`, to be seen again: its name must stay, and it must not become older.
    pub(crate) fn seen_again(&mut self, at: usize) -> &mut E {
        &mut self.entries[at]
    }

    /// Adds an entry whose name is not there.
    pub(crate) fn push(&mut self, new: E) {
        self.entries.push(new);
        match &mut self.index {
            Some(index) => index.pushed(&new),
            None if self.entries.len() == INDEXED_MIN => self.index = Index::of(&self.entries),
            None => {}
        }
    }

    /// Where the oldest of all stands; among equals the one with the smallest name.
    pub(crate) fn oldest(&mut self) -> Option<usize> {
        match &mut self.index {
            Some(index) => Some(index.oldest(&self.entries)),
            None => (0..self.entries.len()).min_by_key(|at| self.entries[*at].age()),
        }
    }

    /// Puts an entry whose name is not there where another stands, which it gives back.
    pub(crate) fn replace(&mut self, at: usize, new: E) -> E {
        if let Some(index) = &mut self.index {
            index.replaced(at, &new);
        }
        std::mem::replace(&mut self.entries[at], new)
    }

    /// Leaves those that `keep` says.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&E) -> bool) {
        let listed = self.entries.len();
        self.entries.retain(keep);
        if self.entries.len() < listed {
            self.index = Index::of(&self.entries);
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<E>()
            + self.index.as_ref().map_or(0, |index| index.bytes())
    }
}

/// What is known about the order of a list.
#[derive(Clone, Debug)]
struct Index<E: Dated> {
    /// Of each entry, in the list's order.
    prints: Vec<u32>,
    /// The oldest last; none of the others was older than these when they were put down, nor came since.
    oldest: Vec<(Time, E::Name)>,
}

impl<E: Dated> Index<E> {
    /// That of a list, where it is long enough to need one.
    fn of(list: &[E]) -> Option<Box<Index<E>>> {
        let print = |entry: &E| E::print(entry.name());
        (list.len() >= INDEXED_MIN).then(|| {
            Box::new(Index { prints: list.iter().map(print).collect(), oldest: Vec::new() })
        })
    }

    /// Where an entry stands in its list.
    #[inline]
    fn find(&self, list: &[E], name: E::Name) -> Option<usize> {
        let print = E::print(name);
        let mut start = 0;
        for together in self.prints.chunks(COMPARED_TOGETHER) {
            if together.iter().fold(false, |any, known| any | (*known == print)) {
                let alike = (start..).zip(together).filter(|(_, known)| **known == print);
                let mut alike = alike.map(|(at, _)| at);
                if let Some(at) = alike.find(|at| list[*at].name() == name) {
                    return Some(at);
                }
            }
            start += together.len();
        }
        None
    }

    /// To be told of an entry that was added at the list's end.
    fn pushed(&mut self, new: &E) {
        self.prints.push(E::print(new.name()));
        self.came(new);
    }

    /// To be told of an entry that stands where another stood, at `at`.
    fn replaced(&mut self, at: usize, new: &E) {
        self.prints[at] = E::print(new.name());
        self.came(new);
    }

    fn came(&mut self, new: &E) {
        if self.oldest.first().is_some_and(|youngest| new.age() < *youngest) {
            self.oldest.clear();
        }
    }

    /// Where the oldest of a list stands, which must not be empty.
    fn oldest(&mut self, list: &[E]) -> usize {
        loop {
            if self.oldest.is_empty() {
                let mut ages: Vec<(Time, E::Name)> = list.iter().map(Dated::age).collect();
                let some = OLDEST_TOGETHER.min(ages.len());
                ages.select_nth_unstable(some - 1);
                ages.truncate(some);
                ages.sort_unstable_by(|one, other| other.cmp(one));
                self.oldest.extend(ages);
            }
            while let Some((last, name)) = self.oldest.last().copied() {
                match self.find(list, name) {
                    Some(at) if list[at].last() == last => return at,
                    // Seen again, but long ago: it may be the oldest still.
                    Some(at) if list[at].age() < self.oldest[0] => self.oldest.clear(),
                    Some(_) | None => drop(self.oldest.pop()),
                }
            }
        }
    }

    /// Bytes it takes, itself included.
    fn bytes(&self) -> usize {
        size_of::<Index<E>>()
            + self.prints.capacity() * size_of::<u32>()
            + self.oldest.capacity() * size_of::<(Time, E::Name)>()
    }
}

impl Dated for Seen {
    type Name = u64;

    fn name(&self) -> u64 {
        self.tag
    }

    fn last(&self) -> Time {
        Seen::last(self)
    }

    fn print(tag: u64) -> u32 {
        // A tag is a keyed hash; the shared home keeps its lower bits.
        tag as u32
    }
}

impl Dated for Behind {
    type Name = IpAddr;

    fn name(&self) -> IpAddr {
        self.address
    }

    fn last(&self) -> Time {
        self.last
    }

    fn print(address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(address) => address.to_bits(),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                let half = (bits >> 64) as u64 ^ bits as u64;
                (half >> 32) as u32 ^ half as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn behind((last, address): (i64, u32)) -> Behind {
        let address = IpAddr::V4(Ipv4Addr::from_bits(address));
        Behind { last: Time(last), address, attempts: 1 }
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_search_finds(
            first in proptest::collection::btree_map(0u32..400, 0i64..50, 0..150),
            then in proptest::collection::vec((0u32..400, 0i64..70, 0u8..8), 0..300),
        ) {
            let mut list = Recent::default();
            let mut plain: Vec<Behind> = Vec::new();
            for new in first.into_iter().map(|(address, last)| behind((last, address))) {
                list.push(new);
                plain.push(new);
            }
            for (address, last, turn) in then {
                let new = behind((last, address));
                let known = plain.iter().position(|known| known.address == new.address);
                prop_assert_eq!(list.find(new.address), known);
                let oldest = (0..plain.len()).min_by_key(|at| plain[*at].age());
                match known {
                    Some(at) => {
                        plain[at].last = plain[at].last.max(new.last);
                        list.seen_again(at).last = plain[at].last;
                    }
                    None if turn < 4 => {
                        plain.push(new);
                        list.push(new);
                    }
                    None if turn == 4 => {
                        plain.retain(|known| known.last >= new.last);
                        list.retain(|known| known.last >= new.last);
                    }
                    None => {
                        prop_assert_eq!(list.oldest(), oldest);
                        let Some(oldest) = oldest else { continue };
                        prop_assert_eq!(list.replace(oldest, new), plain[oldest]);
                        plain[oldest] = new;
                    }
                }
                prop_assert_eq!(list.entries(), &plain[..]);
            }
        }
    }

    #[test]
    fn a_short_list_has_none_and_alike_prints_are_told_apart() {
        assert!(Index::of(&[behind((1, 1)); INDEXED_MIN - 1]).is_none());
        let seen = |nth: u64| Seen::last_at(nth << 32, Time(nth as i64));
        let list: Vec<Seen> = (0..100).map(seen).collect();
        let mut index = Index::of(&list).expect("long enough");
        assert_eq!(index.find(&list, 70 << 32), Some(70));
        assert_eq!(index.find(&list, 100 << 32), None);
        assert_eq!(index.oldest(&list), 0);
        assert!(index.bytes() > 100 * 4);
    }
}
