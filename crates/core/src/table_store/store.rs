//! The shared home of windows: one conditional write for each key of a batch.
//!
//! A write replaces the own shard's share if it is still the one that was read, and is answered with
//! the whole item: the shares of all shards, whose merge is judged. A refused write is answered with
//! the item too; what of the batch is already counted there is left out, and the rest tried again. So
//! it is judged whether this write was applied, had been applied before, or by somebody else.
//!
//! Invariants: a share changes only by compare-and-set, so replays, zombies and changes of environment
//! cannot count anything twice or lose it; no count depends on what is remembered; every wait ends at
//! the deadline, and what it cut off is named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt};

use crate::contribution::Contribution;
use crate::episode::Episode;
use crate::key_ring::Generation;
use crate::limits::REDELIVERY_MAX;
use crate::plan::{DetectorId, KeyPlan, Plan};
use crate::safeguards::Safeguards;
use crate::sequence::ShardId;
use crate::slack::Slack;
use crate::store::{Claimant, DueNow, Latched, Merged, Place, StoreError, WindowStore};
use crate::table_store::cache::Cache;
use crate::table_store::done::Done;
use crate::table_store::functions::{Remembered, RememberedRiders};
use crate::table_store::merging::Outcome;
use crate::table_store::patience::Patience;
use crate::table_store::stats::Stats;
use crate::table_store::table::{Item, ItemKey, Pace, Part, Table, TableError, Write, Written};
use crate::table_store::view::TooNew;
use crate::time::{Span, Time};
use crate::window::Window;

/// Where a key's shares live. A table keeps the layout it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All in one item: one round trip, for streams of up to 32 shards.
    Together,
    /// Each in an item of its own, read back with a query: for more shards.
    Apart,
}

/// How a store works.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Where shares live.
    pub layout: Layout,
    /// Keys written at once.
    pub concurrency: usize,
    /// How long a claimed message may stay unconfirmed before somebody else publishes it.
    pub lease: Span,
    /// Items remembered between batches.
    pub cached_keys_max: usize,
    /// A secret seed for the maps that remember them.
    pub cache_seed: u64,
    /// All on, but in tests.
    pub safeguards: Safeguards,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            layout: Layout::Together,
            concurrency: 32,
            lease: Span::minutes(60),
            cached_keys_max: 20_000,
            cache_seed: 0,
            safeguards: Safeguards::default(),
        }
    }
}

/// One execution environment's view of the table; lives as long as the environment.
#[derive(Debug)]
pub struct SharedStore<T, P> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) table: T,
    pub(crate) pace: P,
    pub(crate) settings: Settings,
    pub(crate) cache: Cache,
    pub(crate) stats: Stats,
    /// The marked shares that the tick was shown, with their versions.
    pub(crate) shown: Mutex<BTreeMap<Place, Vec<(ItemKey, u64)>>>,
    /// What need not be done again of the batches that come again.
    done: Done,
    /// What need not be read again of functions.
    pub(crate) functions: Remembered,
    /// And of callers.
    pub(crate) riders: RememberedRiders,
}

/// One invocation's view of it: the shard it serves and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a, T, P> {
    pub(crate) store: &'a SharedStore<T, P>,
    pub(crate) shard: ShardId,
    /// Whose tags are judged.
    pub(crate) reading: Generation,
    deadline: Time,
}

impl<T: Table, P: Pace> SharedStore<T, P> {
    /// A store that has seen nothing. `plan` must be one for the shared home.
    pub fn new(plan: Arc<Plan>, table: T, pace: P, settings: Settings) -> SharedStore<T, P> {
        let cache = Cache::new(settings.cached_keys_max, settings.cache_seed);
        let (stats, shown, done) = (Stats::default(), Mutex::default(), Done::default());
        let (functions, riders) = (Remembered::default(), RememberedRiders::default());
        SharedStore { plan, table, pace, settings, cache, stats, shown, done, functions, riders }
    }

    /// For a batch of `shard`, or the tick ([`ShardId::TICK`]); `deadline` is on the clock of the pace.
    pub fn invocation(&self, shard: ShardId, deadline: Time) -> Invocation<'_, T, P> {
        Invocation { store: self, shard, reading: Generation::Even, deadline }
    }

    /// Requests made so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) fn is_apart(&self, plan: &KeyPlan) -> bool {
        self.settings.layout == Layout::Apart || plan.is_hot()
    }

    /// From when on an item that is written now may be deleted: no window reaches its contents, no finding
    /// in it counts, and no record comes again.
    pub(crate) fn expires(&self, plan: &KeyPlan) -> Time {
        let reached = plan.retention.remembered.max(plan.retention.followed);
        self.pace.now().plus(reached).plus(REDELIVERY_MAX)
    }
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    pub(crate) fn patience(&self) -> Patience<'_, P> {
        Patience::new(&self.store.pace, self.deadline)
    }

    /// Writes, and remembers the item as it then is.
    pub(crate) async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let written = self.store.table.write(write).await;
        self.store.stats.note(&written);
        let item = match &written {
            Ok(Written::Applied(item)) => Some(item),
            Ok(Written::Refused(item)) => item.as_ref(),
            Err(_) => return written,
        };
        match item {
            Some(item) => self.store.cache.put(write.item.clone(), item.clone()),
            None => self.store.cache.forget(&write.item),
        }
        written
    }

    /// Writes until there is an answer, or no time.
    pub(crate) async fn insist(&self, write: &Write) -> Result<Written, StoreError> {
        let mut patience = self.patience();
        loop {
            match self.write(write).await {
                Ok(written) => return Ok(written),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    pub(crate) async fn get(&self, key: &ItemKey) -> Result<Option<Item>, StoreError> {
        let mut patience = self.patience();
        loop {
            self.store.stats.reads.add(1);
            match self.store.table.get(key).await {
                Ok(item) => {
                    if let Some(item) = &item {
                        self.store.cache.put(key.clone(), item.clone());
                    }
                    return Ok(item);
                }
                Err(error) => patience.after(error).await?,
            }
        }
    }

    pub(crate) async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, StoreError> {
        let mut patience = self.patience();
        loop {
            self.store.stats.queries.add(1);
            match self.store.table.query(key).await {
                Ok(items) => return Ok(items),
                Err(error) => patience.after(error).await?,
            }
        }
    }
}

impl From<TooNew> for StoreError {
    fn from(too_new: TooNew) -> StoreError {
        StoreError::Retryable(too_new.to_string())
    }
}

impl<T: Table, P: Pace> WindowStore for Invocation<'_, T, P> {
    async fn merge<J>(
        &self,
        contributions: &[Contribution],
        _now: Time,
        mut judge: J,
    ) -> Result<Merged, StoreError>
    where
        J: FnMut(usize, &Window<'_>) -> Slack + Send,
    {
        let mut merged = Merged::default();
        // In the order of records: what a slow table leaves for the next invocation is then the end of
        // the batch, and the beginning can be acknowledged. What was left of one record is reached
        // because what was done of it is passed over.
        let done = self.store.done.of(self.shard, contributions);
        let mut order: Vec<usize> = (0..contributions.len()).filter(|at| !done[*at]).collect();
        order.sort_by_key(|at| contributions[*at].sequences());
        let (patience, end) = (&self.patience(), self.patience().turns_end());
        let one = |at: usize| async move {
            let outcome = match patience.begin_before(end) {
                Ok(()) => self.merge_one(&contributions[at]).await,
                Err(late) => Err(late),
            };
            (at, outcome)
        };
        let concurrency = self.store.settings.concurrency.max(1);
        let all = stream::iter(order).map(one).buffer_unordered(concurrency);
        let mut all = std::pin::pin!(all);
        while let Some((at, outcome)) = all.next().await {
            let contribution = &contributions[at];
            match outcome {
                Err(error) => merged.unapplied.push((at, error)),
                Ok(Outcome { taken, refused, lost, view }) => {
                    if contribution.judged {
                        merged.late += taken.late;
                        merged.repeated += taken.repeated;
                    }
                    merged.points_refused += refused;
                    merged.shares_lost.extend(lost);
                    if let Some(view) = view {
                        let place = (contribution.plan, contribution.key);
                        let from = contribution.earliest();
                        view.show(&self.store.plan, place, from, |window| {
                            judge(at, window);
                        });
                    }
                }
            }
        }
        merged.unapplied.sort_by_key(|(at, _)| *at);
        Ok(merged)
    }

    async fn read<V>(&self, keys: &[Place], mut view: V) -> Result<(), StoreError>
    where
        V: FnMut(&Window<'_>) + Send,
    {
        for place in keys {
            let seen = self.view(*place, None).await?;
            if seen.state.head > Time::MIN {
                let plan = self.store.plan.key(place.0);
                view(&seen.window(plan, &place.1));
            }
        }
        Ok(())
    }

    async fn due<J>(&self, now: Time, mut judge: J) -> Result<DueNow, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        self.due_now(now, &mut judge).await
    }

    async fn dealt_with(&self, place: Place) -> Result<(), StoreError> {
        self.clear_marks(place).await
    }

    async fn latch(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        version: Option<u64>,
    ) -> Result<Latched, StoreError> {
        self.latch_one(place, detector, expected, new, version).await
    }

    fn ended(&self, done: &[&Contribution], comes_again: bool) {
        match comes_again {
            true => self.store.done.note(self.shard, done),
            false => self.store.done.forget(self.shard),
        }
    }

    fn reading(self, generation: Generation) -> Self {
        Invocation { reading: generation, ..self }
    }

    fn claimant(&self) -> Claimant {
        let Settings { lease, safeguards, .. } = self.store.settings;
        Claimant { who: self.shard, lease, safeguards }
    }

    fn has_time(&self) -> bool {
        self.store.pace.now() < self.deadline
    }
}
