//! A table in memory that answers at once and writes down what DynamoDB would charge for each request.
//!
//! Sizes are by the rules of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>: an
//! item is the sum of its attributes' names and values; strings and binaries are their length, a number
//! about a byte for every two significant digits and one more, zeros at its ends trimmed. Units are by
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>: a
//! write takes one for each started KB of the larger of the item before and after, applied or refused; a
//! strongly consistent read one for each started 4 KB, also where there is nothing, and an eventually
//! consistent one half of that. The index holds keys only: an entry that is made or removed takes one
//! write unit of the index, one that moves two. Attribute names and types are those of crates/aws.
//!
//! Invariant: it is atomic and strongly consistent, and never throttled; so what it counts is what the
//! protocol needs, and not what weather adds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidewatch_core::table_store::table::{
    Attribute, Due, Indexing, Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::{Span, Time};

/// One kind of request, with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// UpdateItem, applied.
    Applied,
    /// UpdateItem whose condition failed.
    Refused,
    /// GetItem.
    Get,
    /// Query of a key.
    Query,
    /// Query of the index.
    Due,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What was asked, and how it was answered.
    pub kind: Kind,
    /// The partition key it was about; empty for a query of the index.
    pub key: Vec<u8>,
    /// Read or write units of the table, or read units of the index.
    pub units: f64,
    /// Write units of the index.
    pub index_units: f64,
}

/// An item with what the store does not read back.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What an answer shows.
    pub item: Item,
    /// `t`.
    pub expires: Time,
    /// `q` and `d`.
    pub due: Option<Due>,
}

/// The table.
#[derive(Debug, Default)]
pub struct PricedTable {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    items: BTreeMap<ItemKey, Stored>,
    largest: Option<(usize, ItemKey, Stored)>,
    log: Vec<Request>,
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct Clock(AtomicI64);

impl Stored {
    /// Bytes of the attributes that are no values of ours: keys, version, expiry and index.
    pub fn overhead_bytes(&self, key: &ItemKey) -> usize {
        let keys = 1 + key.key.len() + 1 + key.part.bytes().len();
        let expires = self.expires.0.div_euclid(1_000) + 1;
        let index = self.due.map_or(0, |due| 1 + 2 + 1 + number_bytes(due.at.0.unsigned_abs()));
        keys + 1
            + number_bytes(self.item.version)
            + 1
            + number_bytes(expires.unsigned_abs())
            + index
    }

    /// Bytes of the item as DynamoDB counts them.
    pub fn bytes(&self, key: &ItemKey) -> usize {
        let value =
            |(attribute, value): (&Attribute, &Vec<u8>)| attribute.name().len() + value.len();
        self.overhead_bytes(key) + self.item.values.iter().map(value).sum::<usize>()
    }
}

impl PricedTable {
    /// The requests since the last call.
    pub fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut self.contents().log)
    }

    /// The largest item there ever was: bytes, key, and the item as it then was.
    pub fn largest(&self) -> Option<(usize, ItemKey, Stored)> {
        self.contents().largest.clone()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn note(&mut self, kind: Kind, key: &[u8], units: f64, index_units: f64) {
        self.log.push(Request { kind, key: key.to_vec(), units, index_units });
    }

    fn write(&mut self, write: &Write) -> Written {
        let old = self.items.get(&write.item);
        let new = written(old, write);
        let before = old.map_or(0, |old| old.bytes(&write.item));
        let units = started(before.max(new.bytes(&write.item)), 1_024);
        if !holds(old.map(|old| &old.item), write) {
            let answer = Written::Refused(old.map(|old| old.item.clone()));
            self.note(Kind::Refused, &write.item.key, units, 0.0);
            return answer;
        }
        let index_units = match (old.and_then(|old| old.due), new.due) {
            (known, due) if known == due => 0.0,
            (Some(_), Some(_)) => 2.0,
            _ => 1.0,
        };
        self.note(Kind::Applied, &write.item.key, units, index_units);
        let bytes = new.bytes(&write.item);
        if self.largest.as_ref().is_none_or(|(most, ..)| bytes > *most) {
            self.largest = Some((bytes, write.item.clone(), new.clone()));
        }
        let answer = Written::Applied(new.item.clone());
        self.items.insert(write.item.clone(), new);
        answer
    }
}

impl Table for &PricedTable {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        Ok(self.contents().write(write))
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        let mut contents = self.contents();
        let found = contents.items.get(item);
        let units = started(found.map_or(0, |found| found.bytes(item)), 4_096);
        let found = found.map(|found| found.item.clone());
        contents.note(Kind::Get, &item.key, units, 0.0);
        Ok(found)
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let mut contents = self.contents();
        let of_key = contents.items.iter().filter(|(item, _)| item.key == key);
        let (mut bytes, mut found) = (0, Vec::new());
        for (item, stored) in of_key {
            bytes += stored.bytes(item);
            found.push((item.part, stored.item.clone()));
        }
        contents.note(Kind::Query, key, started(bytes, 4_096), 0.0);
        Ok(found)
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        let mut contents = self.contents();
        let mut due: Vec<(Time, &ItemKey)> = Vec::new();
        for (item, stored) in &contents.items {
            let entry = stored.due.filter(|due| due.partition == partition && due.at <= until);
            due.extend(entry.map(|entry| (entry.at, item)));
        }
        due.sort();
        let due: Vec<ItemKey> = due.into_iter().take(limit).map(|(_, item)| item.clone()).collect();
        let bytes = due.iter().map(|item| item.key.len() + item.part.bytes().len() + 14).sum();
        contents.note(Kind::Due, &[], started(bytes, 4_096) / 2.0, 0.0);
        Ok(due)
    }
}

impl Clock {
    /// Moves it to `now`.
    pub fn set(&self, now: Time) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Pace for &Clock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }

    async fn wait(&self, span: Span) {
        self.0.fetch_add(span.0, Ordering::Relaxed);
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// Whether all expectations of a write hold.
fn holds(item: Option<&Item>, write: &Write) -> bool {
    let value = |attribute| item.and_then(|item| item.values.get(attribute));
    let version = item.map_or(0, |item| item.version);
    write.expected.iter().all(|(attribute, expected)| value(attribute) == expected.as_ref())
        && write.version.is_none_or(|expected| item.is_some() && expected == version)
}

/// The item with a write applied.
fn written(old: Option<&Stored>, write: &Write) -> Stored {
    let mut item = old.map(|old| old.item.clone()).unwrap_or_default();
    item.values.extend(write.set.iter().cloned());
    write.removed.iter().for_each(|attribute| {
        item.values.remove(attribute);
    });
    item.version += 1;
    let due = match write.index {
        Indexing::Keep => old.and_then(|old| old.due),
        Indexing::Set(due) => Some(due),
        Indexing::Clear => None,
    };
    Stored { item, expires: write.expires, due }
}

/// Started blocks of so many bytes, at least one.
fn started(bytes: usize, block: usize) -> f64 {
    bytes.div_ceil(block).max(1) as f64
}

/// A number's value: a byte for every two significant digits, and one.
fn number_bytes(number: u64) -> usize {
    let digits = number.to_string();
    digits.trim_end_matches('0').len().div_ceil(2) + 1
}

#[cfg(test)]
mod tests {
    use tidewatch_core::sequence::ShardId;

    use super::*;

    const SHARE: Attribute = Attribute::Share(ShardId(12));

    fn write(old: Option<Vec<u8>>, new: Vec<u8>) -> Write {
        Write {
            item: ItemKey { key: vec![1, 203, 0, 113, 9], part: Part::Main },
            expected: vec![(SHARE, old)],
            version: None,
            set: vec![(SHARE, new)],
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: Time(1_794_290_400_500),
        }
    }

    #[test]
    fn an_item_is_its_names_and_values() {
        let write = write(None, vec![0; 100]);
        // k 1+5, r 1+1, s12 3+100, v 1+2, t = 1794290401 1+6.
        assert_eq!(written(None, &write).bytes(&write.item), 6 + 2 + 103 + 3 + 7);
        assert_eq!([0, 7, 10, 100, 101, 1_234].map(number_bytes), [1, 2, 2, 2, 3, 3]);
    }

    #[test]
    fn the_larger_of_before_and_after_is_paid_for_applied_or_not() {
        let mut contents = Contents::default();
        contents.write(&write(None, vec![1; 1_100]));
        contents.write(&write(Some(vec![1; 1_100]), vec![2; 10]));
        contents.write(&write(None, vec![3; 3_000]));
        let log: Vec<(Kind, f64)> = contents.log.iter().map(|r| (r.kind, r.units)).collect();
        assert_eq!(log, [(Kind::Applied, 2.0), (Kind::Applied, 2.0), (Kind::Refused, 3.0)]);
        assert_eq!(contents.items[&write(None, Vec::new()).item].item.values[&SHARE], vec![2; 10]);
    }
}
