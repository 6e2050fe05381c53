//! A table in memory that does what the seam says and nothing else: the oracle for the differential
//! test of DynamoDB, and, with a [`Fault`], the proof that the contract notices.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use tidewatch_core::table_store::table::{
    Due, Indexing, Item, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::Time;

/// A way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The version is no condition.
    AnyVersion,
    /// A value that must be absent may be there.
    AbsenceIgnored,
    /// Only the first condition counts.
    FirstConditionOnly,
    /// A refusal shows no item.
    RefusalShowsNothing,
    /// A refused write changes the index all the same.
    RefusedIndexes,
    /// A write that keeps the index entry clears it.
    KeepClears,
    /// The index is in the order of its keys.
    DueUnordered,
    /// The index has no limit.
    DueUnlimited,
    /// Keys that begin alike are one key.
    QueryByPrefix,
    /// Nothing is removed.
    RemovesNothing,
    /// The version stays.
    VersionStays,
    /// Between reading and writing, others write.
    LostUpdates,
}

/// The table.
#[derive(Debug, Default)]
pub struct PlainTable {
    items: Mutex<BTreeMap<ItemKey, (Item, Option<Due>)>>,
    fault: Option<Fault>,
}

impl PlainTable {
    /// One with a fault.
    pub fn faulty(fault: Fault) -> PlainTable {
        PlainTable { fault: Some(fault), ..PlainTable::default() }
    }

    /// Everything, in the order of keys.
    pub fn all(&self) -> Vec<(ItemKey, Item, Option<Due>)> {
        let items = self.items();
        items.iter().map(|(key, (item, due))| (key.clone(), item.clone(), *due)).collect()
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<ItemKey, (Item, Option<Due>)>> {
        self.items.lock().expect("nobody panics inside")
    }

    fn holds(&self, write: &Write, item: Option<&Item>) -> bool {
        let considered = match self.has(Fault::FirstConditionOnly) {
            true => write.expected.len().min(1),
            false => write.expected.len(),
        };
        let values = write.expected[..considered].iter().all(|(attribute, expected)| {
            let is = item.and_then(|item| item.values.get(attribute));
            is == expected.as_ref() || expected.is_none() && self.has(Fault::AbsenceIgnored)
        });
        let version = write.version.is_none_or(|version| {
            item.is_some_and(|item| item.version == version) || self.has(Fault::AnyVersion)
        });
        values && version
    }
}

impl Table for PlainTable {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let mut known = self.items().get(&write.item).cloned();
        let holds = self.holds(write, known.as_ref().map(|(item, _)| item));
        // Others have their turn here, as on the way to a server; then it is judged anew.
        YieldOnce::default().await;
        let mut items = self.items();
        let holds = match self.has(Fault::LostUpdates) {
            true => holds,
            false => {
                known = items.get(&write.item).cloned();
                self.holds(write, known.as_ref().map(|(item, _)| item))
            }
        };
        if !holds && !self.has(Fault::RefusedIndexes) {
            let shown = known.filter(|_| !self.has(Fault::RefusalShowsNothing));
            return Ok(Written::Refused(shown.map(|(item, _)| item)));
        }
        let (mut item, mut due) = known.clone().unwrap_or_default();
        match write.index {
            Indexing::Set(entry) => due = Some(entry),
            Indexing::Clear => due = None,
            Indexing::Keep if self.has(Fault::KeepClears) => due = None,
            Indexing::Keep => {}
        }
        if !holds {
            if let Some((item, _)) = &known {
                items.insert(write.item.clone(), (item.clone(), due));
            }
            return Ok(Written::Refused(known.map(|(item, _)| item)));
        }
        item.values.extend(write.set.iter().cloned());
        if !self.has(Fault::RemovesNothing) {
            item.values.retain(|attribute, _| !write.removed.contains(attribute));
        }
        item.version += u64::from(!self.has(Fault::VersionStays) || item.version == 0);
        items.insert(write.item.clone(), (item.clone(), due));
        Ok(Written::Applied(item))
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        Ok(self.items().get(item).map(|(item, _)| item.clone()))
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let by_prefix = self.has(Fault::QueryByPrefix);
        let of_key = |of: &ItemKey| of.key == key || by_prefix && of.key.starts_with(key);
        let items = self.items();
        let found = items.iter().filter(|(of, _)| of_key(of));
        Ok(found.map(|(of, (item, _))| (of.part, item.clone())).collect())
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        let items = self.items();
        let mut due: Vec<(Time, &ItemKey)> = items
            .iter()
            .filter_map(|(key, (_, due))| due.map(|due| (due, key)))
            .filter(|(due, _)| due.partition == partition && due.at <= until)
            .map(|(due, key)| (due.at, key))
            .collect();
        if !self.has(Fault::DueUnordered) {
            due.sort();
        }
        if !self.has(Fault::DueUnlimited) {
            due.truncate(limit);
        }
        Ok(due.into_iter().map(|(_, key)| key.clone()).collect())
    }
}

/// Is not ready the first time it is asked.
#[derive(Debug, Default)]
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}
