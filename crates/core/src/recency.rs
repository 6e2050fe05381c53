//! Beside a long list of what was seen when: finds an entry by its name, and the one seen longest ago, without
//! going through the list each time.
//!
//! Names are found by prints, four bytes of each: a whole list of them takes a few vector instructions. The oldest
//! entries are looked for some at a time and put down; one that was seen again since is passed over. What is
//! found is what a search through the list finds, however late what comes is.

use std::net::IpAddr;

use crate::distinct::Seen;
use crate::sources::Behind;
use crate::time::Time;

/// Shorter lists are searched as they are.
pub(crate) const INDEXED_MIN: usize = 64;

/// Prints that are compared without a branch between them.
const COMPARED_TOGETHER: usize = 32;

/// Of the oldest so many are looked for at once.
const OLDEST_TOGETHER: usize = 16;

/// Something that was seen, by a name that stands once in its list.
pub(crate) trait Dated: Copy {
    /// What tells it from others; of two seen at one time the lesser is the older.
    type Name: Copy + Ord;

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

/// What is known about the order of a list.
#[derive(Clone, Debug)]
pub(crate) struct Index<E: Dated> {
    /// Of each entry, in the list's order.
    prints: Vec<u32>,
    /// The oldest last; none of the others was older than these when they were put down, nor came since.
    oldest: Vec<(Time, E::Name)>,
}

impl<E: Dated> Index<E> {
    /// That of a list, where it is long enough to need one.
    pub(crate) fn of(list: &[E]) -> Option<Box<Index<E>>> {
        let print = |entry: &E| E::print(entry.name());
        (list.len() >= INDEXED_MIN).then(|| {
            Box::new(Index { prints: list.iter().map(print).collect(), oldest: Vec::new() })
        })
    }

    /// Where an entry stands in its list.
    #[inline]
    pub(crate) fn find(&self, list: &[E], name: E::Name) -> Option<usize> {
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
    pub(crate) fn pushed(&mut self, new: &E) {
        self.prints.push(E::print(new.name()));
        self.came(new);
    }

    /// To be told of an entry that stands where another stood, at `at`.
    pub(crate) fn replaced(&mut self, at: usize, new: &E) {
        self.prints[at] = E::print(new.name());
        self.came(new);
    }

    fn came(&mut self, new: &E) {
        if self.oldest.first().is_some_and(|youngest| new.age() < *youngest) {
            self.oldest.clear();
        }
    }

    /// Where the oldest of a list stands, which must not be empty.
    pub(crate) fn oldest(&mut self, list: &[E]) -> usize {
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
    pub(crate) fn bytes(&self) -> usize {
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
        self.last
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
            first in proptest::collection::btree_map(0u32..400, 0i64..50, INDEXED_MIN..150),
            then in proptest::collection::vec((0u32..400, 0i64..70, any::<bool>()), 0..300),
        ) {
            let mut list: Vec<Behind> = first.into_iter().map(|(a, t)| behind((t, a))).collect();
            let mut index = Index::of(&list).expect("long enough");
            for (address, last, may_push) in then {
                let new = behind((last, address));
                let known = list.iter().position(|known| known.address == new.address);
                prop_assert_eq!(index.find(&list, new.address), known);
                let oldest = (0..list.len()).min_by_key(|at| list[*at].age()).expect("one");
                match known {
                    Some(at) => list[at].last = list[at].last.max(new.last),
                    None if may_push => {
                        list.push(new);
                        index.pushed(&new);
                    }
                    None => {
                        prop_assert_eq!(index.oldest(&list), oldest);
                        list[oldest] = new;
                        index.replaced(oldest, &new);
                    }
                }
            }
        }
    }

    #[test]
    fn a_short_list_has_none_and_alike_prints_are_told_apart() {
        assert!(Index::of(&[behind((1, 1)); INDEXED_MIN - 1]).is_none());
        let seen = |nth: u64| Seen { last: Time(nth as i64), tag: nth << 32 };
        let list: Vec<Seen> = (0..100).map(seen).collect();
        let mut index = Index::of(&list).expect("long enough");
        assert_eq!(index.find(&list, 70 << 32), Some(70));
        assert_eq!(index.find(&list, 100 << 32), None);
        assert_eq!(index.oldest(&list), 0);
        assert!(index.bytes() > 100 * 4);
    }
}
