//! What the tick looks at: the functions that are due, each as its items show it.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::DUE_ITEMS_MAX;
use crate::meter::ledger::Function;
use crate::meter::panes::Pane;
use crate::signal::Origin;
use crate::spend::course::Weighing;
use crate::spend::detector::Number;
use crate::store::StoreError;
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::Closed;
use crate::table_store::functions::callers::CallerShare;
use crate::table_store::functions::chronicle::Chronicle;
use crate::table_store::functions::numbers::Versions;
use crate::table_store::functions::share::FunctionShare;
use crate::table_store::key_bytes;
use crate::table_store::store::Invocation;
use crate::table_store::table::{Attribute, FUNCTION_PARTITIONS, Item, ItemKey, Pace, Part, Table};
use crate::time::Time;

/// A function as the table shows it.
pub(super) struct Known {
    pub(super) key: Vec<u8>,
    pub(super) function: Function,
    /// The items with shares.
    pub(super) shares: Vec<(Part, Item)>,
    /// What of them is indexed.
    pub(super) marked: BTreeSet<Part>,
    /// The version of the item with the chronicle, if there is one.
    pub(super) version: Option<u64>,
    pub(super) chronicle: Option<Chronicle>,
    /// The bytes of a chronicle that cannot be read.
    pub(super) unreadable: Option<Vec<u8>>,
    /// All shards' panes that are not closed.
    pub(super) open: BTreeMap<i64, Pane>,
    pub(super) versions: Versions,
    pub(super) head: Time,
    pub(super) sample: Option<Origin>,
    /// Who asked, as each shard says.
    pub(super) callers: Vec<CallerShare>,
    pub(super) lost: u64,
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// The functions that are due, each with its items that are indexed.
    pub(super) async fn due_functions(
        &self,
        now: Time,
    ) -> Result<BTreeMap<Vec<u8>, BTreeSet<Part>>, StoreError> {
        let mut found: BTreeMap<Vec<u8>, BTreeSet<Part>> = BTreeMap::new();
        for partition in FUNCTION_PARTITIONS {
            for ItemKey { key, part } in self.due_in(partition, now, DUE_ITEMS_MAX).await? {
                found.entry(key).or_default().insert(part);
            }
        }
        Ok(found)
    }

    /// A function as it is now; nothing of a key that is no function's.
    pub(super) async fn known(
        &self,
        key: Vec<u8>,
        marked: BTreeSet<Part>,
        now: Time,
    ) -> Result<Option<Known>, StoreError> {
        let Some(function) = key_bytes::function(&key) else { return Ok(None) };
        let items = self.query(&key).await?;
        let mut known = Known {
            key,
            function,
            shares: Vec::new(),
            marked,
            version: None,
            chronicle: None,
            unreadable: None,
            open: BTreeMap::new(),
            versions: Versions::new(),
            head: Time::MIN,
            sample: None,
            callers: Vec::new(),
            lost: 0,
        };
        for (part, item) in items {
            match part {
                Part::Chronicle => known.read_chronicle(item, now)?,
                Part::Main | Part::Share(_) => known.shares.push((part, item)),
                Part::Callers(_) => known.read_callers(&item)?,
                Part::Sketches | Part::Past { .. } | Part::Costs(_) | Part::Caller(_) => {}
            }
        }
        known.read_shares(now)?;
        Ok(Some(known))
    }
}

impl Known {
    fn read_chronicle(&mut self, item: Item, now: Time) -> Result<(), StoreError> {
        self.version = Some(item.version);
        let Some(bytes) = item.values.get(&Attribute::Chronicle) else { return Ok(()) };
        let read = Chronicle::decode(&self.function, bytes);
        match read.and_then(|chronicle| chronicle.believed(now)) {
            Ok(chronicle) => self.chronicle = Some(chronicle),
            Err(why @ Unreadable::Newer(_)) => {
                return Err(StoreError::Retryable(format!(
                    "the chronicle of a function has {why}"
                )));
            }
            Err(Unreadable::Damaged(_)) => {
                self.lost += 1;
                self.unreadable = Some(bytes.clone());
            }
        }
        Ok(())
    }

    fn read_callers(&mut self, item: &Item) -> Result<(), StoreError> {
        let Some(bytes) = item.values.get(&Attribute::Callers) else { return Ok(()) };
        match CallerShare::decode(bytes) {
            Ok(share) => self.callers.push(share),
            Err(why @ Unreadable::Newer(_)) => {
                let why = format!("what a shard says of callers has {why}");
                return Err(StoreError::Retryable(why));
            }
            Err(Unreadable::Damaged(_)) => self.lost += 1,
        }
        Ok(())
    }

    /// Merges the shares of all shards, but for panes that are closed.
    fn read_shares(&mut self, now: Time) -> Result<(), StoreError> {
        let told = self.shares.iter().filter_map(|(_, item)| Closed::of(Some(item)));
        let told = told.map(|closed| closed.pane).max();
        let closed = self.chronicle.as_ref().map(|chronicle| chronicle.closed).or(told);
        for (attribute, bytes) in self.shares.iter().flat_map(|(_, item)| &item.values) {
            let Attribute::Share(_) = attribute else { continue };
            let share = FunctionShare::decode(&self.function, bytes);
            let share = match share.and_then(|share| share.believed(now)) {
                Ok(share) => share,
                Err(why @ Unreadable::Newer(_)) => {
                    return Err(StoreError::Retryable(format!(
                        "the share of a function has {why}"
                    )));
                }
                Err(Unreadable::Damaged(_)) => {
                    self.lost += 1;
                    continue;
                }
            };
            for (number, pane) in share.panes.iter().filter(|(pane, _)| Some(**pane) > closed) {
                self.open.entry(*number).or_default().add(pane);
            }
            for (name, first) in share.versions {
                let known = self.versions.entry(name).or_insert(first);
                *known = first.min(*known);
            }
            if share.head > self.head {
                self.head = share.head;
                self.sample = share.sample.or(self.sample.take());
            }
        }
        Ok(())
    }

    /// The open panes that have come to what shards were told is a runaway's.
    pub(super) fn runs_away(&self, weighing: &Weighing) -> Vec<i64> {
        let levels = self.shares.iter().filter_map(|(_, item)| Closed::of(Some(item)));
        let levels: Vec<(Number, f64)> = levels.flat_map(|closed| closed.runs_from).collect();
        let terms = (weighing.prices.terms)(&self.function.name);
        let runs = |pane: &Pane| {
            let dollars = weighing.prices.tariff.cost(&pane.sums, terms).dollars();
            levels.iter().any(|(of, from)| of.of(pane, dollars).is_some_and(|is| is >= *from))
        };
        let open = self.open.iter().filter(|(_, pane)| runs(pane));
        open.map(|(number, _)| *number).collect()
    }
}
