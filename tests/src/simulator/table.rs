//! A model of DynamoDB, as far as the shared state relies on it: atomic writes under conditions on
//! exact values, strongly consistent reads, a sparse index that lags behind, items that expire late,
//! and the 400 KB limit.
//!
//! A request travels. It is applied when it arrives, whether or not whoever sent it is still there,
//! and its answer travels back. Invariant: what a caller learns is never more than DynamoDB tells.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tidewatch_core::table_store::table::{
    Attribute, Due, Indexing, Item, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::Time;

use super::executor::{Clock, Reply, lock};
use super::trace::Trace;
use super::weather::{Chance, Fate, Weather};

/// The largest item DynamoDB takes, in bytes.
pub const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// Expired items are deleted within this time.
const DELETION_MS_MAX: i64 = 48 * 3_600_000;

/// The table itself.
#[derive(Debug)]
pub struct Items {
    items: BTreeMap<ItemKey, Stored>,
    /// What the index will have shown of an item, and from when on; the newest last.
    index: BTreeMap<ItemKey, Vec<(i64, Option<Due>)>>,
    index_lag_ms_max: i64,
    /// Given once when something that is due is next put in the index.
    pub indexing: Option<Reply<()>>,
    /// What it was asked for.
    pub requests: Requests,
    calls: BTreeMap<(u32, Vec<u8>), Calls>,
}

#[derive(Debug)]
struct Stored {
    item: Item,
    due: Option<Due>,
    expires: Time,
    deletion_ms: i64,
    writer: String,
}

/// Requests by kind, and by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Writes that were applied.
    pub applied: u64,
    /// Writes whose expectations did not hold.
    pub refused: u64,
    /// Reads of one item.
    pub gets: u64,
    /// Reads of all items of a key.
    pub queries: u64,
    /// Reads of the index.
    pub index_reads: u64,
    /// Requests refused for want of capacity.
    pub throttled: u64,
    /// Requests that were lost, or their answers.
    pub unanswered: u64,
    /// Writes refused for an item's size.
    pub too_large: u64,
}

/// What one invocation asked for one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Requests.
    pub requests: u64,
    /// Whether the key was in the index before the first of them.
    pub indexed_before: bool,
    /// Whether it was put there by one of them.
    pub indexed_since: bool,
    /// Whether the key's shares live apart.
    pub apart: bool,
}

/// The invocation of everything but batches.
pub const NO_BATCH: u32 = u32::MAX;

/// One process's way to the table.
#[derive(Clone, Debug)]
pub struct ModelTable {
    items: Arc<Mutex<Items>>,
    clock: Clock,
    weather: Weather,
    trace: Trace,
    /// Who writes, as the trace tells it.
    caller: Arc<str>,
    /// The number of the invocation it serves.
    invocation: Arc<AtomicU32>,
}

impl Items {
    /// An empty table whose index lags behind by up to `index_lag_ms_max`.
    pub fn new(index_lag_ms_max: i64) -> Items {
        Items {
            items: BTreeMap::new(),
            index: BTreeMap::new(),
            index_lag_ms_max,
            indexing: None,
            requests: Requests::default(),
            calls: BTreeMap::new(),
        }
    }

    /// The earliest time at which the index says somebody should look, or will say so.
    pub fn due_earliest(&self) -> Option<Time> {
        let entries = self.index.values().flatten();
        entries.filter_map(|(_, due)| due.map(|due| due.at)).min()
    }

    /// Whether no item is in the index.
    pub fn is_settled(&self) -> bool {
        self.items.values().all(|stored| stored.due.is_none())
    }

    /// The items that are in the index.
    pub fn indexed(&self) -> Vec<ItemKey> {
        let indexed = self.items.iter().filter(|(_, stored)| stored.due.is_some());
        indexed.map(|(key, _)| key.clone()).collect()
    }

    /// What each invocation asked for each key.
    pub fn calls(&self) -> impl Iterator<Item = &Calls> {
        self.calls.values()
    }

    /// The largest item, in bytes.
    pub fn largest_bytes(&self) -> usize {
        self.items.iter().map(|(key, stored)| bytes(key, &stored.item)).max().unwrap_or(0)
    }

    /// Notes what an invocation asks for a key; a tick's requests belong to no batch.
    fn call(&mut self, invocation: u32, key: &[u8], apart: bool) {
        if invocation == NO_BATCH {
            return;
        }
        let place = (invocation, key.to_vec());
        if !self.calls.contains_key(&place) {
            let main = ItemKey { key: key.to_vec(), part: Part::Main };
            let indexed_before = self.items.get(&main).is_some_and(|stored| stored.due.is_some());
            self.calls.insert(place.clone(), Calls { indexed_before, ..Calls::default() });
        }
        let calls = self.calls.entry(place).or_default();
        calls.requests += 1;
        calls.apart |= apart;
    }

    /// Notes that an invocation put a key into the index.
    fn indexed_by(&mut self, invocation: u32, item: &ItemKey) {
        if let (Part::Main, Some(calls)) =
            (item.part, self.calls.get_mut(&(invocation, item.key.clone())))
        {
            calls.indexed_since = true;
        }
    }

    /// Deletes the item if it has expired for long enough.
    fn expire(&mut self, key: &ItemKey, now_ms: i64) {
        let expired = |stored: &Stored| now_ms > stored.expires.0 + stored.deletion_ms;
        if self.items.get(key).is_some_and(expired) {
            self.items.remove(key);
            self.index.remove(key);
        }
    }

    /// What holds or does not, and where not, who has written last.
    fn write(&mut self, write: &Write, asked: &Asked<'_>) -> Result<(Written, String), TableError> {
        self.expire(&write.item, asked.now_ms);
        let both = write.set.iter().any(|(attribute, _)| write.removed.contains(attribute));
        if both || write.item.key.is_empty() {
            return Err(TableError::Fatal(format!("ValidationException: {write:?}")));
        }
        let stored = self.items.get(&write.item);
        let found = stored.map(|stored| &stored.item);
        if !holds(write, found) {
            self.requests.refused += 1;
            let writer = stored.map_or("nobody", |stored| &stored.writer).to_owned();
            return Ok((Written::Refused(found.cloned()), writer));
        }
        let mut item = found.cloned().unwrap_or_default();
        item.values.extend(write.set.iter().cloned());
        item.values.retain(|attribute, _| !write.removed.contains(attribute));
        item.version += 1;
        if bytes(&write.item, &item) > ITEM_BYTES_MAX {
            self.requests.too_large += 1;
            return Err(TableError::TooLarge(format!("{} bytes", bytes(&write.item, &item))));
        }
        let known = stored.and_then(|stored| stored.due);
        let due = match write.index {
            Indexing::Keep => known,
            Indexing::Set(due) => Some(due),
            Indexing::Clear => None,
        };
        if due != known {
            self.show(&write.item, due, asked);
        }
        self.requests.applied += 1;
        let writer = asked.caller.to_owned();
        let deletion_ms = asked.chance.within(0..DELETION_MS_MAX);
        let expires = write.expires;
        let stored = Stored { item: item.clone(), due, expires, deletion_ms, writer };
        self.items.insert(write.item.clone(), stored);
        Ok((Written::Applied(item), String::new()))
    }

    /// Lets the index show it later, and in the order of writes.
    fn show(&mut self, key: &ItemKey, due: Option<Due>, asked: &Asked<'_>) {
        let views = self.index.entry(key.clone()).or_default();
        let after_ms = views.last().map_or(i64::MIN, |(from_ms, _)| *from_ms);
        let lag_ms = asked.chance.skewed(0..self.index_lag_ms_max + 1);
        views.push(((asked.now_ms + lag_ms).max(after_ms), due));
        if let Some(indexing) = self.indexing.take_if(|_| due.is_some()) {
            indexing.give(());
        }
    }

    fn due(&mut self, partition: u8, until: Time, limit: usize, now_ms: i64) -> Vec<ItemKey> {
        let mut due = Vec::new();
        for (key, views) in &mut self.index {
            let shown = views.iter().rposition(|(from_ms, _)| *from_ms <= now_ms);
            let Some(shown) = shown else { continue };
            views.drain(..shown);
            if let Some(entry) = views[0].1
                && entry.partition == partition
                && entry.at <= until
            {
                due.push((entry.at, key.clone()));
            }
        }
        self.index.retain(|_, views| views.len() > 1 || views[0].1.is_some());
        due.sort();
        due.truncate(limit);
        due.into_iter().map(|(_, key)| key).collect()
    }
}

/// Who asks, and when.
#[derive(Debug)]
struct Asked<'a> {
    now_ms: i64,
    caller: &'a str,
    chance: &'a Chance,
}

fn holds(write: &Write, found: Option<&Item>) -> bool {
    let value = |attribute| found.and_then(|item| item.values.get(attribute));
    let version = found.map(|item| item.version);
    write.version.is_none_or(|wanted| version == Some(wanted))
        && write.expected.iter().all(|(attribute, wanted)| value(attribute) == wanted.as_ref())
}

/// An item's size by DynamoDB's rules: names and values, and about 10 bytes for each number.
pub fn bytes(key: &ItemKey, item: &Item) -> usize {
    let values: usize =
        item.values.iter().map(|(attribute, value)| attribute.name().len() + value.len()).sum();
    1 + key.key.len() + 1 + key.part.bytes().len() + values + 2 * (1 + 10)
}

impl ModelTable {
    /// A way to `items` for the process `caller`, whose present invocation is `invocation`.
    pub fn new(
        items: Arc<Mutex<Items>>,
        (clock, weather, trace): (Clock, Weather, Trace),
        caller: String,
        invocation: Arc<AtomicU32>,
    ) -> ModelTable {
        ModelTable { items, clock, weather, trace, caller: caller.into(), invocation }
    }

    /// Sends a request about `key`, and waits for its answer.
    async fn request<T: Send + 'static>(
        &self,
        key: Option<(&[u8], bool)>,
        apply: impl FnOnce(&mut Items, &Asked<'_>) -> Result<(T, String), TableError> + Send + 'static,
    ) -> Result<T, TableError> {
        let journey = self.weather.journey();
        let reply = Reply::new();
        let given = reply.clone();
        let ModelTable { items, clock, weather, trace, caller, invocation } = self.clone();
        let key = key.map(|(key, apart)| (key.to_vec(), apart));
        let number = invocation.load(Ordering::Relaxed);
        self.clock.call_in(journey.there_ms, move || {
            let mut items = lock(&items);
            if let Some((key, apart)) = &key {
                items.call(number, key, *apart);
            }
            let asked = Asked { now_ms: clock.now_ms(), caller: &caller, chance: &weather.chance };
            let answer = match journey.fate {
                Fate::Arrives => apply(&mut items, &asked),
                Fate::Throttled => {
                    items.requests.throttled += 1;
                    Err(TableError::Throttled("by the weather".to_owned()))
                }
                Fate::Lost | Fate::AnswerLost => {
                    items.requests.unanswered += 1;
                    let lost = match journey.fate {
                        Fate::AnswerLost => apply(&mut items, &asked).map(|(_, said)| said),
                        _ => Ok("never arrived".to_owned()),
                    };
                    trace.note(&caller, || format!("request or answer lost ({lost:?})"));
                    Err(TableError::Unanswered("by the weather".to_owned()))
                }
            };
            drop(items);
            if let Err(error @ (TableError::Throttled(_) | TableError::TooLarge(_))) = &answer {
                trace.note(&caller, || error.to_string());
            }
            let answer = answer.map(|(answer, _)| answer);
            clock.call_in(journey.back_ms, move || given.give(answer));
        });
        reply.await
    }
}

impl Table for ModelTable {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let (trace, caller) = (self.trace.clone(), Arc::clone(&self.caller));
        let (write, number) = (write.clone(), self.invocation.load(Ordering::Relaxed));
        let key = write.item.key.clone();
        let apart = matches!(write.item.part, Part::Share(_));
        self.request(Some((&key, apart)), move |items, asked| {
            let indexed = matches!(write.index, Indexing::Set(_));
            let (written, writer) = items.write(&write, asked)?;
            let applied = matches!(written, Written::Applied(_));
            if applied && indexed {
                items.indexed_by(number, &write.item);
            }
            trace.note(&caller, || told(&write, applied.then_some(()).ok_or(&writer)));
            Ok((written, writer))
        })
        .await
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        let item = item.clone();
        self.request(Some((&item.key.clone(), false)), move |items, asked| {
            items.expire(&item, asked.now_ms);
            items.requests.gets += 1;
            Ok((items.items.get(&item).map(|stored| stored.item.clone()), String::new()))
        })
        .await
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let wanted = key.to_vec();
        self.request(Some((key, true)), move |items, asked| {
            items.requests.queries += 1;
            let from = ItemKey { key: wanted.clone(), part: Part::Main };
            let of_key = |(key, _): &(&ItemKey, &Stored)| key.key == wanted;
            let keys: Vec<ItemKey> =
                items.items.range(from..).take_while(of_key).map(|(key, _)| key.clone()).collect();
            keys.iter().for_each(|key| items.expire(key, asked.now_ms));
            let item =
                |key: ItemKey| items.items.get(&key).map(|stored| (key.part, stored.item.clone()));
            Ok((keys.into_iter().filter_map(item).collect(), String::new()))
        })
        .await
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        self.request(None, move |items, asked| {
            items.requests.index_reads += 1;
            Ok((items.due(partition, until, limit, asked.now_ms), String::new()))
        })
        .await
    }
}

/// A write in words: what it sets, and that it was applied or by whom it was forestalled.
fn told(write: &Write, outcome: Result<(), &String>) -> String {
    let name = |(attribute, value): &(Attribute, Vec<u8>)| {
        format!("{}={}B", attribute.name(), value.len())
    };
    let mut parts: Vec<String> = write.set.iter().map(name).collect();
    parts.extend(write.removed.iter().map(|attribute| format!("-{}", attribute.name())));
    let index = match write.index {
        Indexing::Keep => String::new(),
        Indexing::Set(due) => format!(" q@{}", due.at.0),
        Indexing::Clear => " -q".to_owned(),
    };
    let key: String = write.item.key.iter().map(|byte| format!("{byte:02x}")).collect();
    let outcome = match outcome {
        Ok(()) => "applied".to_owned(),
        Err(writer) => format!("refused, after {writer}"),
    };
    format!("write {key}/{:?} {}{index}: {outcome}", write.item.part, parts.join(" "))
}

#[cfg(test)]
mod tests {
    use tidewatch_core::sequence::ShardId;

    use super::super::executor::{Executor, Stopped};
    use super::super::weather::{Level, Stream};
    use super::*;

    const PLACE: Attribute = Attribute::Share(ShardId(0));

    fn add_one(old: Option<&Vec<u8>>, conditional: bool) -> Write {
        let number = old.map_or(0, |old| old[0]) + 1;
        Write {
            item: ItemKey { key: vec![7], part: Part::Main },
            expected: if conditional { vec![(PLACE, old.cloned())] } else { Vec::new() },
            version: None,
            set: vec![(PLACE, vec![number])],
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: Time(i64::MAX / 4),
        }
    }

    /// Three processes add 10 each, as compare-and-set or blindly.
    fn counted(seed: u64, conditional: bool) -> u8 {
        let mut executor = Executor::new(0);
        let clock = executor.clock();
        let weather = Weather::of(clock.clone(), Chance::new(seed, Stream::Weather), Level::Calm);
        let trace = Trace::new(clock.clone(), false);
        let items = Arc::new(Mutex::new(Items::new(0)));
        for process in 0..3 {
            let parts = (clock.clone(), weather.clone(), trace.clone());
            let table =
                ModelTable::new(Arc::clone(&items), parts, format!("p{process}"), Arc::default());
            clock.spawn(async move {
                for _ in 0..10 {
                    let key = ItemKey { key: vec![7], part: Part::Main };
                    let mut known = table.get(&key).await.expect("it is calm");
                    loop {
                        let old = known.as_ref().and_then(|item| item.values.get(&PLACE));
                        let write = add_one(old, conditional);
                        match table.write(&write).await.expect("it is calm") {
                            Written::Applied(_) => break,
                            Written::Refused(item) => known = item,
                        }
                    }
                }
            });
        }
        assert_eq!(executor.run(100_000), Stopped::Idle);
        let items = lock(&items);
        items.items.values().next().expect("an item").item.values[&PLACE][0]
    }

    #[test]
    fn a_counter_is_exact_with_conditions_and_wrong_without() {
        for seed in 0..20 {
            assert_eq!(counted(seed, true), 30, "seed {seed}");
            assert!(counted(seed, false) < 30, "seed {seed}");
        }
    }

    #[test]
    fn the_index_follows_late_and_in_order() {
        let mut items = Items::new(50);
        let chance = Chance::new(1, Stream::Weather);
        let asked = |now_ms| Asked { now_ms, caller: "p", chance: &chance };
        let due = Due { partition: 3, at: Time(1_000) };
        let set = Write { index: Indexing::Set(due), ..add_one(None, false) };
        items.write(&set, &asked(10)).expect("it is applied");
        assert_eq!(items.due(3, Time(999), 9, 70), []);
        assert_eq!(items.due(2, Time(1_000), 9, 70), []);
        assert_eq!(items.due(3, Time(1_000), 9, 70), std::slice::from_ref(&set.item));
        assert_eq!(items.due_earliest(), Some(Time(1_000)));
        let clear = Write { index: Indexing::Clear, ..add_one(None, false) };
        items.write(&clear, &asked(80)).expect("it is applied");
        assert!(items.is_settled());
        assert_eq!(items.due(3, Time(1_000), 9, 131), []);
        assert_eq!(items.due_earliest(), None);
    }

    #[test]
    fn an_item_over_400_kb_is_refused() {
        let mut items = Items::new(0);
        let chance = Chance::new(1, Stream::Weather);
        let asked = Asked { now_ms: 0, caller: "p", chance: &chance };
        let write = Write { set: vec![(PLACE, vec![0; ITEM_BYTES_MAX])], ..add_one(None, false) };
        assert!(matches!(items.write(&write, &asked), Err(TableError::TooLarge(_))));
    }
}
