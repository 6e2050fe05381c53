//! A table that looks at what is written about functions, and holds it to two laws.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use tidewatch_core::delivery::Record;
use tidewatch_core::meter::attribution::DriverName;
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::meter::money::{MB_MS_PER_GB_S, PICO};
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::Body;
use tidewatch_core::spend::detector::Number;
use tidewatch_core::table_store::functions::all_bytes::AllChronicle;
use tidewatch_core::table_store::functions::callers::CallerShare;
use tidewatch_core::table_store::functions::chronicle::Chronicle;
use tidewatch_core::table_store::functions::rider_bytes::{OfFunction, RiderChronicle};
use tidewatch_core::table_store::functions::share::FunctionShare;
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::table::{
    Attribute, Item, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::Time;

use super::PANE_MS;
use crate::simulator::executor::lock;
use crate::unlucky_table::UnluckyTable;

/// Looks at all shares of a function that are remembered: a tick's last look is among them.
const LOOKS: usize = 8;

/// Invocations by pane.
pub type Panes = BTreeMap<i64, u64>;

/// The same by who asked for them.
pub type ByCaller = BTreeMap<i64, BTreeMap<UserTag, u64>>;

/// The table.
#[derive(Clone, Debug)]
pub struct Spy {
    inner: UnluckyTable,
    /// All records, by shard.
    records: Arc<BTreeMap<ShardId, Vec<Record>>>,
    notes: Arc<Mutex<Notes>>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Notes {
    /// Of each function the panes that were closed, with their invocations.
    pub closed: BTreeMap<Function, Panes>,
    /// What broke a law.
    pub broken: Vec<String>,
    /// Shares that were held to the law.
    pub shares: u64,
    /// Shares of callers that were.
    pub callers: u64,
    /// Items about all functions together that were.
    pub of_all: u64,
    /// The largest item of each part, in bytes.
    pub bytes: BTreeMap<&'static str, usize>,
    /// What was laid to callers when panes were closed.
    pub laid: BTreeMap<Function, ByCaller>,
    /// Panes that were laid to callers after these had been judged by them.
    pub late: Vec<i64>,
    ridden: Option<i64>,
    looks: BTreeMap<Function, VecDeque<Panes>>,
}

impl Spy {
    /// One that looks at what goes to `inner`.
    pub fn new(inner: UnluckyTable, records: Arc<BTreeMap<ShardId, Vec<Record>>>) -> Spy {
        Spy { inner, records, notes: Arc::default() }
    }

    /// What was seen so far.
    pub fn notes(&self) -> Arc<Mutex<Notes>> {
        Arc::clone(&self.notes)
    }

    /// What a shard's records up to a share's last one say of a function, each event once.
    fn oracle(&self, function: &Function, shard: ShardId, share: &FunctionShare) -> Panes {
        let (mut panes, mut seen) = (Panes::new(), BTreeSet::new());
        let records = self.records.get(&shard).into_iter().flatten();
        for record in records.take_while(|record| record.sequence <= share.applied) {
            let of = |name: Option<&str>| name == Some(&*function.name);
            for signal in record.signals.iter().filter(|s| of(s.origin.stream.function())) {
                let took = matches!(signal.body, Body::Invocation(_));
                if took && seen.insert(signal.event) {
                    *panes.entry(signal.time.0.div_euclid(PANE_MS)).or_default() += 1;
                }
            }
        }
        panes
    }

    /// What the same records say of who asked, where both lines of a request came by the shard.
    fn oracle_of_callers(&self, function: &Function, shard: ShardId, last: Sequence) -> ByCaller {
        let (mut asked, mut took) = (BTreeMap::new(), BTreeSet::new());
        let records = self.records.get(&shard).into_iter().flatten();
        for record in records.take_while(|record| record.sequence <= last) {
            let of = |name: Option<&str>| name == Some(&*function.name);
            for signal in record.signals.iter().filter(|s| of(s.origin.stream.function())) {
                let pane = signal.time.0.div_euclid(PANE_MS);
                match &signal.body {
                    Body::Access(access) => {
                        asked.extend(
                            access
                                .request
                                .zip(access.principal)
                                .map(|(request, who)| ((request, pane), who)),
                        );
                    }
                    Body::Invocation(invocation) => {
                        took.extend(invocation.request.map(|request| (request, pane)));
                    }
                    Body::Auth(_) => {}
                }
            }
        }
        let mut panes = ByCaller::new();
        for ((_, pane), who) in asked.into_iter().filter(|(of, _)| took.contains(of)) {
            *panes.entry(pane).or_default().entry(who).or_default() += 1;
        }
        panes
    }

    /// Holds what a shard says of callers to the law.
    fn look_at_callers(&self, notes: &mut Notes, function: &Function, shard: ShardId, item: &Item) {
        let Some(bytes) = item.values.get(&Attribute::Callers) else { return };
        let share = CallerShare::decode(bytes).expect("legible");
        let since = share.since.iter().flatten().min().copied().unwrap_or(i64::MAX);
        let closed = notes.closed.get(function).and_then(|panes| panes.keys().next_back().copied());
        let head = share.head.0.div_euclid(PANE_MS);
        let is_held = |pane: &i64| Some(*pane) > closed && *pane > since + 1 && *pane > head - 4;
        let mut expected = self.oracle_of_callers(function, shard, share.applied);
        expected.retain(|pane, _| is_held(pane));
        let each = 1.0 / (PICO * MB_MS_PER_GB_S) as f64;
        let mut said = ByCaller::new();
        for (pane, asked) in share.panes.iter().filter(|(pane, _)| is_held(pane)) {
            for driver in asked.costs[0].top(usize::MAX) {
                let DriverName::Tag(tag) = driver.name else { panic!("no principal: {driver:?}") };
                // An invocation costs ten cents.
                let dollars = driver.weight as f64 * each;
                said.entry(*pane).or_default().insert(*tag, (dollars * 10.0).round() as u64);
            }
        }
        notes.callers += 1;
        if said != expected {
            let what =
                format!("callers of {function:?}, {shard:?}: {said:?} instead of {expected:?}");
            notes.broken.push(what);
        }
    }

    /// Notes what was laid to callers of a pane that is closed.
    fn look_at_costs(&self, pane: i64, item: &Item) {
        let Some(bytes) = item.values.get(&Attribute::Costs) else { return };
        let of = OfFunction::decode(bytes).expect("legible");
        let costs = of.costs.iter().map(|(name, cost)| {
            let DriverName::Tag(tag) = name else { panic!("no principal: {name:?}") };
            (*tag, (cost.dollars() * 10.0).round() as u64)
        });
        let laid: BTreeMap<UserTag, u64> = costs.collect();
        let mut notes = lock(&self.notes);
        let is_late = notes.ridden >= Some(pane);
        let is_first = notes.laid.entry(of.function).or_default().insert(pane, laid).is_none();
        notes.late.extend((is_first && is_late).then_some(pane));
    }

    /// Holds what is known of all functions together to what was closed of each.
    fn look_at_all(&self, item: &Item) {
        let Some(bytes) = item.values.get(&Attribute::Chronicle) else { return };
        let all = AllChronicle::decode(bytes).expect("legible");
        let mut notes = lock(&self.notes);
        let mut total = 0.0;
        for (function, taken, months) in all.taken() {
            let known = months.values().map(|amount| amount.dollars()).sum::<f64>();
            total += known;
            let closed =
                notes.closed.get(function).into_iter().flat_map(|panes| panes.range(..=taken));
            // An invocation costs ten cents, and a pane is kept within a thousandth.
            let truth = closed.map(|(_, count)| *count as f64 * 0.1).sum::<f64>();
            if (known - truth).abs() > 0.001 * truth {
                let what = format!("{function:?} spent {known} instead of {truth} up to {taken}");
                notes.broken.push(what);
            }
        }
        let (over, sum) = all.sums();
        if (sum.dollars() - total).abs() > 1e-6 {
            let what =
                format!("all spent {} in hours instead of {total}, pane {over}", sum.dollars());
            notes.broken.push(what);
        }
        notes.of_all += 1;
    }

    fn look(&self, key: &[u8], part: Part, item: &Item) {
        if *key == key_bytes::ALL {
            return self.look_at_all(item);
        }
        if *key == key_bytes::RIDERS {
            let riders = item.values.get(&Attribute::Chronicle);
            let riders = riders.map(|bytes| RiderChronicle::decode(bytes).expect("legible").closed);
            let mut notes = lock(&self.notes);
            notes.ridden = notes.ridden.max(riders);
            return;
        }
        if let Some(pane) = key_bytes::pane_of_costs(key) {
            return self.look_at_costs(pane, item);
        }
        let Some(function) = key_bytes::function(key) else { return };
        let mut notes = lock(&self.notes);
        let is_named = item.values.contains_key(&Attribute::NamesCallers);
        if &*function.name != "f0" && (is_named || matches!(part, Part::Callers(_))) {
            notes.broken.push(format!("{function:?} has {part:?} although nobody is named"));
        }
        if let Part::Callers(shard) = part {
            self.look_at_callers(&mut notes, &function, shard, item);
        }
        let size: usize =
            item.values.iter().map(|(name, value)| name.name().len() + value.len()).sum();
        let of_part = match part {
            Part::Chronicle => "chronicle",
            Part::Callers(_) => "callers",
            _ => "shares",
        };
        let largest = notes.bytes.entry(of_part).or_default();
        *largest = size.max(*largest);
        if let Some(bytes) = item.values.get(&Attribute::Chronicle) {
            let chronicle = Chronicle::decode(&function, bytes).expect("legible");
            notes.closed(&function, &chronicle);
        }
        let closed =
            notes.closed.get(&function).and_then(|panes| panes.keys().next_back().copied());
        for (attribute, bytes) in &item.values {
            let Attribute::Share(shard) = *attribute else { continue };
            let share = FunctionShare::decode(&function, bytes).expect("legible");
            let head = share.head.0.div_euclid(PANE_MS);
            let open = |pane: &i64| Some(*pane) > closed && *pane > head - 20;
            let mut expected = self.oracle(&function, shard, &share);
            expected.retain(|pane, _| open(pane));
            let mut panes = invocations(&share);
            panes.retain(|pane, _| open(pane));
            notes.shares += 1;
            if panes != expected {
                let what = format!("{function:?}, {shard:?}: {panes:?} instead of {expected:?}");
                notes.broken.push(what);
            }
        }
    }
}

fn invocations(share: &FunctionShare) -> Panes {
    share.panes.iter().map(|(number, pane)| (*number, pane.sums.invocations)).collect()
}

impl Notes {
    /// Takes note of panes that were closed: each once, and all that were closed together as one look showed them.
    fn closed(&mut self, function: &Function, chronicle: &Chronicle) {
        let known = self.closed.entry(function.clone()).or_default();
        let newest = known.keys().next_back().copied().unwrap_or(chronicle.first - 1);
        let mut fresh = Panes::new();
        for pane in chronicle.first..=chronicle.closed {
            let Some(number) = chronicle.number(Number::Invocations, pane) else { continue };
            let number = number.round() as u64;
            match known.get(&pane) {
                None if pane > newest => drop(fresh.insert(pane, number)),
                Some(before) if *before == number => {}
                before => self
                    .broken
                    .push(format!("{function:?}: pane {pane} was {before:?}, is {number}")),
            }
        }
        let as_seen = |look: &Panes| {
            fresh.iter().all(|(pane, count)| look.get(pane).copied().unwrap_or(0) == *count)
        };
        let looks = self.looks.entry(function.clone()).or_default();
        if !fresh.is_empty() && !looks.iter().any(as_seen) {
            self.broken.push(format!("{function:?}: no look shows {fresh:?}, but {looks:?}"));
        }
        known.extend(fresh);
    }
}

impl Table for Spy {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let written = self.inner.write(write).await;
        if let Ok(Written::Applied(item) | Written::Refused(Some(item))) = &written {
            self.look(&write.item.key, write.item.part, item);
        }
        written
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        self.inner.get(item).await
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let items = self.inner.query(key).await?;
        if let Some(function) = key_bytes::function(key) {
            let mut look = Panes::new();
            for (attribute, bytes) in items.iter().flat_map(|(_, item)| &item.values) {
                let Attribute::Share(_) = attribute else { continue };
                let share = FunctionShare::decode(&function, bytes).expect("legible");
                for (pane, count) in invocations(&share) {
                    *look.entry(pane).or_default() += count;
                }
            }
            {
                let mut notes = lock(&self.notes);
                let looks = notes.looks.entry(function).or_default();
                looks.push_front(look);
                looks.truncate(LOOKS);
            }
            for (part, item) in &items {
                self.look(key, *part, item);
            }
        }
        Ok(items)
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        self.inner.due(partition, until, limit).await
    }
}
