//! What a store asked of its table, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::table_store::table::{TableError, Written};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Requests by kind and by answer.
#[derive(Debug, Default)]
pub struct Stats {
    /// Writes that were applied.
    pub applied: Counter,
    /// Writes that were refused because somebody else had been faster, or this one had been applied
    /// before.
    pub refused: Counter,
    /// Writes turned away because the table was busy.
    pub throttled: Counter,
    /// Writes without an answer.
    pub unanswered: Counter,
    /// Writes of items that would be too large.
    pub too_large: Counter,
    /// Writes that failed otherwise.
    pub failed: Counter,
    /// Single items read.
    pub reads: Counter,
    /// Queries, of keys and of the index.
    pub queries: Counter,
    /// Shares removed because no window reaches them any more.
    pub collected: Counter,
}

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stats {
    /// Counts a write by its answer.
    pub fn note(&self, written: &Result<Written, TableError>) {
        let counter = match written {
            Ok(Written::Applied(_)) => &self.applied,
            Ok(Written::Refused(_)) => &self.refused,
            Err(TableError::Throttled(_)) => &self.throttled,
            Err(TableError::Unanswered(_)) => &self.unanswered,
            Err(TableError::TooLarge(_)) => &self.too_large,
            Err(TableError::Unusable(_) | TableError::Fatal(_)) => &self.failed,
        };
        counter.add(1);
    }
}
