//! Who drives the cost: names with the largest weights, of any number of names, in bounded memory.
//!
//! A summary of Misra and Gries (1982), weighted, merged as Agarwal et al. show ("Mergeable Summaries", 2012):
//! weights add; where there are twice as many names as are kept, the weight of the first that is not kept is
//! taken off all, and those without any left are forgotten. What was taken off is the error, told with it:
//! a name's true weight lies between its own and that plus the error, so nobody is named for more than they
//! did, and with `k` names kept the error is at most one (k + 1)th of all.
//!
//! Invariant: the bound holds however names were ordered, split and merged; as long as no more than `k` names
//! were met the weights are exact.

use std::collections::BTreeMap;

/// Weights by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drivers<K: Ord> {
    kept: usize,
    weights: BTreeMap<K, u128>,
    total: u128,
    error: u128,
}

/// A name with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver<'a, K> {
    /// The name.
    pub name: &'a K,
    /// At least this, and at most the summary's error more.
    pub weight: u128,
}

impl<K: Ord + Clone> Drivers<K> {
    /// A summary that keeps `kept` names, at least 1.
    pub fn new(kept: usize) -> Drivers<K> {
        Drivers { kept: kept.max(1), weights: BTreeMap::new(), total: 0, error: 0 }
    }

    /// Adds to a name's weight.
    pub fn note(&mut self, name: &K, weight: u128) {
        self.total = self.total.saturating_add(weight);
        match self.weights.get_mut(name) {
            Some(known) => *known = known.saturating_add(weight),
            None if weight > 0 => {
                self.weights.insert(name.clone(), weight);
                self.compress_if(2 * self.kept);
            }
            None => {}
        }
    }

    /// Adds the weights that another summary has.
    pub fn add(&mut self, other: &Drivers<K>) {
        for (name, weight) in &other.weights {
            let known = self.weights.entry(name.clone()).or_default();
            *known = known.saturating_add(*weight);
        }
        self.total = self.total.saturating_add(other.total);
        self.error = self.error.saturating_add(other.error);
        self.compress_if(2 * self.kept);
    }

    fn compress_if(&mut self, names_max: usize) {
        if self.weights.len() <= names_max {
            return;
        }
        let mut weights: Vec<u128> = self.weights.values().copied().collect();
        let (_, taken, _) = weights.select_nth_unstable_by(self.kept, |a, b| b.cmp(a));
        let taken = *taken;
        self.weights.retain(|_, weight| {
            *weight = weight.saturating_sub(taken);
            *weight > 0
        });
        self.error = self.error.saturating_add(taken);
    }

    /// The names with the largest weights, the heaviest first.
    pub fn top(&self, names: usize) -> Vec<Driver<'_, K>> {
        let all = self.weights.iter().map(|(name, weight)| Driver { name, weight: *weight });
        let mut all: Vec<Driver<'_, K>> = all.collect();
        all.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(b.name)));
        all.truncate(names);
        all
    }

    /// What is told of a name: at least this, and at most the error more.
    pub fn weight(&self, name: &K) -> u128 {
        self.weights.get(name).copied().unwrap_or(0)
    }

    /// The weight of all names together, exactly.
    pub fn total(&self) -> u128 {
        self.total
    }

    /// How much more than it says a name's weight may be at most, or that of a name that is not there.
    pub fn error(&self) -> u128 {
        self.error
    }

    /// What is told of all names, by name.
    pub(crate) fn weights(&self) -> impl ExactSizeIterator<Item = (&K, u128)> {
        self.weights.iter().map(|(name, weight)| (name, *weight))
    }

    /// One that keeps `kept` names and tells these weights, at most `error` too small. Its total is theirs.
    pub(crate) fn of_weights(kept: usize, weights: BTreeMap<K, u128>, error: u128) -> Drivers<K> {
        let total = weights.values().fold(0u128, |sum, weight| sum.saturating_add(*weight));
        Drivers { kept: kept.max(1), weights, total, error }
    }

    /// How many names are kept now.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}
