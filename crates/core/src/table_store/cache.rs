//! The items an execution environment has seen last, so that its next write needs no read first.
//!
//! Nothing depends on it: a stale entry costs one refused write, which answers with the item as it is.
//! Entries live in two generations; when the younger one is full the older one is dropped, so what is
//! used stays and the number is bounded.

use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::table_store::table::{Item, ItemKey};

/// Items by key.
#[derive(Debug)]
pub struct Cache {
    generations: [DashMap<ItemKey, Item, SeedableRandomState>; 2],
    young: AtomicUsize,
    items_max: usize,
}

impl Cache {
    /// An empty cache of at most `items_max` items. `seed` should be secret: it keeps the maps' layout
    /// from being attacked.
    pub fn new(items_max: usize, seed: u64) -> Cache {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        let map = || DashMap::with_hasher_and_shard_amount(hasher.clone(), 4);
        Cache { generations: [map(), map()], young: AtomicUsize::new(0), items_max }
    }

    /// The item as it was last seen.
    pub fn get(&self, key: &ItemKey) -> Option<Item> {
        let young = self.young.load(Ordering::Relaxed) & 1;
        if let Some(item) = self.generations[young].get(key) {
            return Some(item.value().clone());
        }
        let (key, item) = self.generations[young ^ 1].remove(key)?;
        self.put(key, item.clone());
        Some(item)
    }

    /// Notes an item as it is now.
    pub fn put(&self, key: ItemKey, item: Item) {
        let young = self.young.load(Ordering::Relaxed) & 1;
        if self.generations[young].len() >= self.items_max / 2 {
            self.generations[young ^ 1].clear();
            self.young.store(young ^ 1, Ordering::Relaxed);
            self.generations[young ^ 1].insert(key, item);
            return;
        }
        self.generations[young].insert(key, item);
    }

    /// Forgets an item.
    pub fn forget(&self, key: &ItemKey) {
        self.generations.iter().for_each(|generation| {
            generation.remove(key);
        });
    }

    /// Items held.
    pub fn len(&self) -> usize {
        self.generations.iter().map(DashMap::len).sum()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table_store::table::Part;

    fn key(n: u32) -> ItemKey {
        ItemKey { key: n.to_be_bytes().to_vec(), part: Part::Main }
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(100, 7);
        cache.put(key(0), Item { version: 7, ..Item::default() });
        for n in 1..10_000 {
            cache.put(key(n), Item::default());
            assert_eq!(cache.get(&key(0)).map(|item| item.version), Some(7), "after {n}");
            assert!(cache.len() <= 100, "{} items", cache.len());
        }
        assert_eq!(cache.get(&key(1)), None);
        cache.forget(&key(0));
        assert_eq!(cache.get(&key(0)), None);
    }
}
