//! The shared home of windows: one conditional write for each key of a batch.
//!
//! A write replaces the own shard's share if it is still the one that was read, and is answered with
//! the whole item: the shares of all shards, whose merge is judged. A refused write is answered with
//! the item too; what of the batch is already counted there is left out, and the rest tried again. So
//! it is judged whether this write was applied, had been applied before, or by somebody else.
//!
//! Invariants: a share changes only by compare-and-set, so replays, zombies and changes of environment
//! cannot count anything twice or lose it; nothing depends on the cache; every wait ends at the
//! deadline, and what it cut off is named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt};

use crate::contribution::Contribution;
use crate::episode::Episode;
use crate::key::Key;
use crate::limits::{EPISODES_BYTES, ITEM_BYTES_MAX, REDELIVERY_MAX};
use crate::plan::{DetectorId, KeyPlan, KeyPlanId, Plan};
use crate::sequence::ShardId;
use crate::store::{Claimant, DueNow, Latched, LostShare, Merged, Place, StoreError, WindowStore};
use crate::table_store::bytes::Unreadable;
use crate::table_store::cache::Cache;
use crate::table_store::key_bytes;
use crate::table_store::latches::Latches;
use crate::table_store::patience::Patience;
use crate::table_store::safeguards::Safeguards;
use crate::table_store::share::{Share, Taken};
use crate::table_store::stats::Stats;
use crate::table_store::table::{
    self, Attribute, INDEX_PARTITIONS, Indexing, Item, ItemKey, Pace, Part, Table, TableError,
    Write, Written,
};
use crate::table_store::view::{TooNew, View};
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
}

/// One invocation's view of it: the shard it serves and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a, T, P> {
    pub(crate) store: &'a SharedStore<T, P>,
    pub(crate) shard: ShardId,
    deadline: Time,
}

/// What became of one contribution.
struct Outcome {
    taken: Taken,
    refused: u64,
    lost: Vec<LostShare>,
    /// What is to be judged; nothing for a key that is judged at the tick.
    view: Option<View>,
}

impl<T: Table, P: Pace> SharedStore<T, P> {
    /// A store that has seen nothing. `plan` must be one for the shared home.
    pub fn new(plan: Arc<Plan>, table: T, pace: P, settings: Settings) -> SharedStore<T, P> {
        let cache = Cache::new(settings.cached_keys_max, settings.cache_seed);
        let (stats, shown) = (Stats::default(), Mutex::default());
        SharedStore { plan, table, pace, settings, cache, stats, shown }
    }

    /// For a batch of `shard`, or the tick ([`ShardId::TICK`]); `deadline` is on the clock of the pace.
    pub fn invocation(&self, shard: ShardId, deadline: Time) -> Invocation<'_, T, P> {
        Invocation { store: self, shard, deadline }
    }

    /// Requests made so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn is_apart(&self, plan: &KeyPlan) -> bool {
        self.settings.layout == Layout::Apart || plan.is_hot()
    }

    /// From when on an item that is written now may be deleted: no window reaches its contents, and no
    /// record comes again.
    pub(crate) fn expires(&self, plan: &KeyPlan) -> Time {
        self.pace.now().plus(plan.retention.kept).plus(REDELIVERY_MAX)
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

    /// Counts a contribution and gives what its key then looks like. One spoilt key must not hold up
    /// its shard: it is reported, and its points are refused.
    async fn merge_one(&self, contribution: &Contribution) -> Result<Outcome, StoreError> {
        match self.try_merge(contribution).await {
            Err(StoreError::Unusable(why)) => {
                let place = (contribution.plan, contribution.key);
                let refused = contribution.points.len() as u64;
                let lost = vec![LostShare { place, shard: self.shard, why }];
                Ok(Outcome { taken: Taken::default(), refused, lost, view: None })
            }
            outcome => outcome,
        }
    }

    async fn try_merge(&self, contribution: &Contribution) -> Result<Outcome, StoreError> {
        let place = (contribution.plan, contribution.key);
        let plan = self.store.plan.key(place.0);
        let apart = self.store.is_apart(plan);
        let part = if apart { Part::Share(self.shard) } else { Part::Main };
        let item_key = ItemKey { key: key_bytes::encode(&place.1), part };
        let mut patience = self.patience();
        let mut image = self.store.cache.get(&item_key);
        // Whether `image` is an answer of this call, and not a memory.
        let mut seen = false;
        let (mut collect, mut full) = (!apart, false);
        let mut outcome =
            Outcome { taken: Taken::default(), refused: 0, lost: Vec::new(), view: None };
        loop {
            let (mut share, unreadable) = self.own_share(place, image.as_ref())?;
            let before = share.state.clone();
            let taken = share.take(plan, contribution, &self.store.settings.safeguards);
            if !taken.fresh {
                if seen {
                    break;
                }
                // All of it was counted before: judge what the table says, not what was remembered.
                image = self.get(&item_key).await?;
                seen = true;
                continue;
            }
            let view = match image.as_ref().filter(|_| !apart) {
                Some(item) => Some(self.others(place, item)?),
                None => None,
            };
            if let Some(view) = &view {
                share.trim(plan, &view.state);
            }
            let late_sketch = !self.store.settings.safeguards.sketch_before_share;
            if !late_sketch {
                self.sketch(place, contribution, &before, &share.state).await?;
            }
            let expired = view.as_ref().filter(|_| collect);
            let expired = expired.map(|view| view.expired(plan, share.state.head));
            let expired = expired.unwrap_or_default();
            let write = self.share_write(
                &item_key,
                plan,
                image.as_ref(),
                &share,
                unreadable.clone(),
                &expired,
            );
            let written = match apart || has_room(&write, image.as_ref()) {
                true => self.write(&write).await,
                false => Err(TableError::TooLarge("no room for episodes would be left".into())),
            };
            match written {
                Ok(Written::Applied(item)) => {
                    self.store.stats.collected.add(expired.len() as u64);
                    (outcome.taken, image) = (taken, Some(item));
                    outcome.lost.extend(unreadable);
                    if late_sketch {
                        self.sketch(place, contribution, &before, &share.state).await?;
                    }
                    break;
                }
                Ok(Written::Refused(item)) => {
                    (image, seen, collect) = (item, true, false);
                    patience.after_refusal().await?;
                }
                Err(TableError::TooLarge(_)) if !apart && !full => {
                    // The whole item may show shares that need not be there.
                    image = self.get(&item_key).await?;
                    (seen, collect, full) = (true, true, true);
                }
                Err(TableError::TooLarge(_)) => {
                    // It cannot be counted, now or later: better said than tried for ever.
                    outcome.refused = contribution.points.len() as u64;
                    break;
                }
                Err(error) => patience.after(error).await?,
            }
        }
        if !plan.is_hot() && (outcome.taken.fresh || self.store.settings.safeguards.judge_always) {
            let main = image.filter(|_| !apart);
            let view = self.view(place, main).await?;
            if outcome.taken.fresh {
                // Behind what any shard's newest event keeps, not only this one's.
                let horizon = view.state.head.minus(plan.retention.kept);
                let late = contribution.points.iter().filter(|point| point.time <= horizon);
                outcome.taken.late = late.count() as u64;
            }
            outcome.lost.extend(view.lost.iter().cloned());
            outcome.view = Some(view);
        }
        Ok(outcome)
    }

    /// This shard's share as the item has it, and what to tell if it cannot be read.
    fn own_share(
        &self,
        place: Place,
        image: Option<&Item>,
    ) -> Result<(Share, Option<LostShare>), StoreError> {
        let attribute = Attribute::Share(self.shard);
        let Some(bytes) = image.and_then(|item| item.values.get(&attribute)) else {
            return Ok((Share::default(), None));
        };
        match Share::decode(self.store.plan.key(place.0), bytes) {
            Ok(share) => Ok((share, None)),
            Err(why @ Unreadable::Newer(_)) => {
                Err(StoreError::Retryable(format!("the share of {} has {why}", place.1)))
            }
            Err(why) => {
                let lost = LostShare { place, shard: self.shard, why: why.to_string() };
                Ok((Share::default(), Some(lost)))
            }
        }
    }

    /// What the other shards have in the item.
    fn others(&self, place: Place, item: &Item) -> Result<View, StoreError> {
        let mut others = item.clone();
        others.values.remove(&Attribute::Share(self.shard));
        Ok(View::of(&self.store.plan, place, [&others])?)
    }

    fn share_write(
        &self,
        item: &ItemKey,
        plan: &KeyPlan,
        image: Option<&Item>,
        share: &Share,
        unreadable: Option<LostShare>,
        expired: &[ShardId],
    ) -> Write {
        let own = Attribute::Share(self.shard);
        let value = |attribute| image.and_then(|item| item.values.get(&attribute)).cloned();
        let mut set = vec![(own, share.encode())];
        if let Some(bytes) = unreadable.and_then(|_| value(own)) {
            set.push((Attribute::Unreadable(self.shard), bytes));
        }
        let others = expired.iter().map(|shard| Attribute::Share(*shard));
        let mut expected: Vec<_> = others.clone().map(|old| (old, value(old))).collect();
        if self.store.settings.safeguards.compare_and_set {
            expected.push((own, value(own)));
        }
        let index = match plan.is_hot() {
            true => Indexing::Set(table::Due { partition: partition(item), at: Time(0) }),
            false => Indexing::Keep,
        };
        let (item, removed, expires) = (item.clone(), others.collect(), self.store.expires(plan));
        Write { item, expected, version: None, set, removed, index, expires }
    }

    /// All shards' view of a key; `main` where its only item was just seen.
    pub(crate) async fn view(&self, place: Place, main: Option<Item>) -> Result<View, StoreError> {
        let plan = self.store.plan.key(place.0);
        let key = key_bytes::encode(&place.1);
        let mut view = if self.store.is_apart(plan) {
            let items = self.query(&key).await?;
            let main = items.iter().find(|(part, _)| *part == Part::Main).map(|(_, item)| item);
            let empty = Item::default();
            let shares = items.iter().filter(|(part, _)| matches!(part, Part::Share(_)));
            let all = std::iter::once(main.unwrap_or(&empty)).chain(shares.map(|(_, item)| item));
            View::of(&self.store.plan, place, all)?
        } else {
            let item = match main {
                Some(item) => Some(item),
                None => self.get(&ItemKey { key: key.clone(), part: Part::Main }).await?,
            };
            View::of(&self.store.plan, place, &item)?
        };
        if view.needs_sketches(plan) {
            let sketches = self.get(&ItemKey { key, part: Part::Sketches }).await?;
            view.stand_behind(plan, place, sketches.as_ref())?;
        }
        Ok(view)
    }
}

/// Whether a share may be written to a main item: room for the episodes must be left.
fn has_room(write: &Write, image: Option<&Item>) -> bool {
    write.bytes_after(image) <= ITEM_BYTES_MAX - EPISODES_BYTES
}

/// The index partition of an item: any fixed function of its key that spreads them.
pub(crate) fn partition(item: &ItemKey) -> u8 {
    let sum = item.key.iter().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    sum % INDEX_PARTITIONS
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
        J: FnMut(usize, &Window<'_>) + Send,
    {
        let mut merged = Merged::default();
        // In the order of records: what a slow table leaves for the next invocation is then the end of
        // the batch, and the beginning can be acknowledged.
        let mut order: Vec<usize> = (0..contributions.len()).collect();
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
                    merged.late += taken.late;
                    merged.repeated += taken.repeated;
                    merged.points_refused += refused;
                    merged.shares_lost.extend(lost);
                    if let Some(view) = view {
                        let place = (contribution.plan, contribution.key);
                        let from = contribution.earliest();
                        view.show(&self.store.plan, place, from, |window| judge(at, window));
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

    fn claimant(&self) -> Claimant {
        let Settings { lease, safeguards, .. } = self.store.settings;
        Claimant { who: self.shard, lease, safeguards }
    }
}

/// The index entry that says when to look at a key with these latches.
pub(crate) fn indexing(plan: &Plan, latches: &Latches, item: &ItemKey, lease: Span) -> Indexing {
    match latches.due(plan, lease) {
        Some(at) => Indexing::Set(table::Due { partition: partition(item), at }),
        None => Indexing::Clear,
    }
}

/// Names a place's main item.
pub(crate) fn main_item((_, key): (KeyPlanId, Key)) -> ItemKey {
    ItemKey { key: key_bytes::encode(&key), part: Part::Main }
}
