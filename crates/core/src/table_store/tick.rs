//! What is done by the clock and not by a batch: hot keys are judged, and episodes that have been quiet
//! or were left unconfirmed are found by the sparse index.
//!
//! A hot key (everything, or a subnet) is written by every batch of every shard, each to an item of its
//! own with a mark in the index; the tick merges all of them and takes the marks away where nothing was
//! written meanwhile.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures_util::stream::{self, StreamExt};

use crate::limits::{DUE_ITEMS_MAX, REDELIVERY_MAX};
use crate::store::{Due, DueNow, LostShare, Place, StoreError, WindowStore};
use crate::table_store::index::indexing;
use crate::table_store::key_bytes;
use crate::table_store::store::Invocation;
use crate::table_store::table::{INDEX_PARTITIONS, Indexing, ItemKey, Pace, Part, Table, Write};
use crate::table_store::view::View;
use crate::time::Time;
use crate::window::Window;

/// What a look at one key found.
#[derive(Default)]
struct Found {
    due: Vec<Due>,
    lost: Vec<LostShare>,
    /// What is to be judged.
    show: Option<(Place, View)>,
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// As [`WindowStore::due`]. What fails about one key keeps no other from being looked at.
    pub(crate) async fn due_now<J>(&self, now: Time, judge: &mut J) -> Result<DueNow, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        let items: Vec<(Vec<u8>, Vec<Part>)> = self.due_items(now).await?.into_iter().collect();
        // Half of the time is for telling what was found: what is not reached stays due.
        let (patience, end) = (&self.patience(), self.patience().turns_end());
        let one = |at: usize| {
            let (key, parts) = &items[at];
            async move {
                patience.begin_before(end)?;
                self.due_of(key, parts, now).await
            }
        };
        let concurrency = self.store.settings.concurrency.max(1);
        let mut all = std::pin::pin!(stream::iter(0..items.len()).map(one).buffered(concurrency));
        let mut look = DueNow::default();
        while let Some(found) = all.next().await {
            match found {
                Err(error) => look.failed.push(error),
                Ok(Found { due, lost, show }) => {
                    look.due.extend(due);
                    look.shares_lost.extend(lost);
                    if let Some((place, view)) = show {
                        let from = Time::MIN;
                        view.show(&self.store.plan, place, from, |window| judge(place, window));
                    }
                }
            }
        }
        look.due.sort_by_key(|due| (due.episode.last, due.place, due.detector, due.episode.start));
        Ok(look)
    }

    /// What is due of one key, of which these items are indexed.
    async fn due_of(&self, key: &[u8], parts: &[Part], now: Time) -> Result<Found, StoreError> {
        let mut found = Found::default();
        let known = key_bytes::decode(key).ok();
        let Some(place) = known.and_then(|known| key_bytes::place(&self.store.plan, known)) else {
            // No detector counts by such keys any more.
            for part in parts {
                self.reindex(None, ItemKey { key: key.to_vec(), part: *part }).await?;
            }
            return Ok(found);
        };
        let marked = parts.iter().any(|part| matches!(part, Part::Share(_)));
        let view = match marked {
            true => self.hot_view(place, parts).await?,
            false => self.view(place, None).await?,
        };
        found.lost.extend(view.lost.iter().cloned());
        let claimant = self.claimant();
        for (detector, episode) in view.state.episodes.iter() {
            let over = episode.due(self.store.plan.detector(*detector).quiet);
            let over = !episode.closed && over <= now;
            if over || (episode.is_unconfirmed() && claimant.may_publish(episode, now)) {
                found.due.push(Due { place, detector: *detector, episode: episode.clone() });
            }
        }
        if found.due.is_empty() && parts.contains(&Part::Main) {
            // It was indexed for an earlier time: the detectors may have changed.
            self.reindex(Some(place), ItemKey { key: key.to_vec(), part: Part::Main }).await?;
        }
        found.show = marked.then_some((place, view));
        Ok(found)
    }

    /// As [`WindowStore::dealt_with`].
    pub(crate) async fn clear_marks(&self, place: Place) -> Result<(), StoreError> {
        let shown = self.store.shown.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
        let expires = self.store.expires(self.store.plan.key(place.0));
        for (item, version) in shown.into_iter().flatten() {
            let write = Write {
                item,
                expected: Vec::new(),
                version: Some(version),
                set: Vec::new(),
                removed: Vec::new(),
                index: Indexing::Clear,
                expires,
            };
            // Refused: it was written again, and is judged at the next tick.
            self.insist(&write).await?;
        }
        Ok(())
    }

    /// The view of a hot key. Remembers the versions of its marked items from before, so that what is
    /// judged is at least as new as what is later cleared.
    async fn hot_view(&self, place: Place, parts: &[Part]) -> Result<View, StoreError> {
        let key = key_bytes::of_place(&self.store.plan, place);
        let items = self.query(&key).await?;
        let marked = |part: &Part| matches!(part, Part::Share(_)) && parts.contains(part);
        let marked = items.iter().filter(|(part, _)| marked(part));
        let marked =
            marked.map(|(part, item)| (ItemKey { key: key.clone(), part: *part }, item.version));
        let marked = marked.collect();
        self.store.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(place, marked);
        self.view(place, None).await
    }

    /// The keys of the index entries that are due, each with the items that are indexed.
    async fn due_items(&self, now: Time) -> Result<BTreeMap<Vec<u8>, Vec<Part>>, StoreError> {
        let mut found: BTreeMap<Vec<u8>, Vec<Part>> = BTreeMap::new();
        for partition in 0..INDEX_PARTITIONS {
            for ItemKey { key, part } in self.due_in(partition, now, DUE_ITEMS_MAX).await? {
                found.entry(key).or_default().push(part);
            }
        }
        Ok(found)
    }

    /// The items of one partition of the index that are due.
    pub(crate) async fn due_in(
        &self,
        partition: u8,
        now: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, StoreError> {
        let mut patience = self.patience();
        loop {
            self.store.stats.queries.add(1);
            match self.store.table.due(partition, now, limit).await {
                Ok(items) => return Ok(items),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// Puts right the index entry of an item, by what the item itself says; it goes where no detector
    /// counts by such keys.
    async fn reindex(&self, place: Option<Place>, item: ItemKey) -> Result<(), StoreError> {
        let Some(image) = self.get(&item).await? else { return Ok(()) };
        let index = match place {
            None => Indexing::Clear,
            Some(place) => {
                let (latches, _) = self.latches(place, Some(&image))?;
                indexing(&self.store.plan, &latches, &item, self.store.settings.lease)
            }
        };
        let expires = match place {
            None => self.store.pace.now().plus(REDELIVERY_MAX),
            Some((id, _)) => self.store.expires(self.store.plan.key(id)),
        };
        let version = Some(image.version);
        let (expected, set, removed) = (Vec::new(), Vec::new(), Vec::new());
        let write = Write { item, expected, version, set, removed, index, expires };
        // Refused: somebody else wrote it, and it is indexed as they see it.
        self.insist(&write).await?;
        Ok(())
    }
}
