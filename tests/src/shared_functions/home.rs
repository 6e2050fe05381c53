//! The shared home of functions in calm weather: one environment, one shard, a table that answers at once, and time as it is
//! told. What it has made of some weeks can be put into another table, so that a deployed function goes on from there.

use std::sync::Arc;

use tidewatch_core::delivery::Record;
use tidewatch_core::finding::Finding;
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::Signal;
use tidewatch_core::spend::watch::Weighing;
use tidewatch_core::table_store::functions::FunctionCounts;
use tidewatch_core::table_store::store::SharedStore;
use tidewatch_core::table_store::table::{Indexing, ItemKey, Table, Write, Written};
use tidewatch_core::time::{Span, Time};

use crate::simulator::executor::{Clock, Executor};
use crate::simulator::weather::{Chance, Stream};
use crate::unlucky_table::{Fate, UnluckyPace, UnluckyTable};

/// The home, and what it has told.
pub struct Home {
    clock: Clock,
    /// The table.
    pub table: UnluckyTable,
    store: SharedStore<UnluckyTable, UnluckyPace>,
    /// By what functions are weighed.
    pub weighing: Weighing,
    /// The findings.
    pub told: Vec<Finding>,
    /// What was done.
    pub counts: FunctionCounts,
    records: u64,
}

fn environment(clock: &Clock, table: &UnluckyTable) -> SharedStore<UnluckyTable, UnluckyPace> {
    let chance = Chance::new(1, Stream::Weather);
    let pace = UnluckyPace { clock: clock.clone(), ahead_ms: 0, chance };
    SharedStore::new(Arc::new(Plan::default()), table.clone(), pace, Default::default())
}

impl Home {
    /// One that knows nothing.
    pub fn new(weighing: Weighing) -> Home {
        let clock = Executor::new(0).clock();
        let table = UnluckyTable::new(clock.clone());
        table.set_fate(|_, _| Fate::Arrives);
        let store = environment(&clock, &table);
        let (told, counts) = (Vec::new(), FunctionCounts::default());
        Home { clock, table, store, weighing, told, counts, records: 0 }
    }

    /// Another environment takes over, which remembers nothing.
    pub fn begin_anew(&mut self) {
        self.store = environment(&self.clock, &self.table);
    }

    fn deadline(&self) -> Time {
        Time(self.clock.now_ms()).plus(Span::seconds(60))
    }

    /// Counts a record that arrives on the first shard.
    ///
    /// # Panics
    /// If not all of it is counted.
    pub async fn hear(&mut self, arrival: Time, signals: Vec<Signal>) {
        self.records += 1;
        let sequence = Sequence::of(self.records);
        let record = Record { sequence, arrival, signals, again: Vec::new() };
        let invocation = self.store.invocation(ShardId(0), self.deadline());
        let (acknowledged, counts) = invocation.count_functions(&self.weighing, &[record]).await;
        assert_eq!(acknowledged.first_unapplied, None);
        self.counts.add(&counts);
    }

    /// Closes what is over at a time.
    ///
    /// # Panics
    /// If something fails.
    pub async fn tick(&mut self, now: Time) {
        let invocation = self.store.invocation(ShardId::TICK, self.deadline());
        let (counts, fault) = invocation.weigh_functions(&self.weighing, &mut self.told, now).await;
        assert_eq!(fault, None);
        self.counts.add(&counts);
    }

    /// Puts items into another table, to be kept until a time; how many.
    ///
    /// # Panics
    /// If that table has one of them already.
    pub async fn put_into(
        &self,
        table: &impl Table,
        expires: Time,
        is_put: impl Fn(&ItemKey) -> bool,
    ) -> usize {
        let mut count = 0;
        for (key, item, due) in self.table.inner().all() {
            if !is_put(&key) {
                continue;
            }
            let write = Write {
                item: key,
                expected: item.values.keys().map(|of| (*of, None)).collect(),
                version: None,
                set: item.values.into_iter().collect(),
                removed: Vec::new(),
                index: due.map_or(Indexing::Keep, Indexing::Set),
                expires,
            };
            let written = table.write(&write).await.expect("it answers");
            assert!(matches!(written, Written::Applied(_)), "{written:?}");
            count += 1;
        }
        count
    }
}
