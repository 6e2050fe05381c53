//! What is done by the clock and not by a batch: hot keys are judged, and episodes that have been quiet
//! or were left unconfirmed are found by the sparse index.
//!
//! A hot key (everything, or a subnet) is written by every batch of every shard, each to an item of its
//! own with a mark in the index; the tick merges all of them and takes the marks away where nothing was
//! written meanwhile.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::limits::{DUE_ITEMS_MAX, REDELIVERY_MAX};
use crate::shared::key_bytes;
use crate::shared::latches::Latches;
use crate::shared::store::{Invocation, partition};
use crate::shared::table::{self, INDEX_PARTITIONS, Indexing, ItemKey, Pace, Part, Table, Write};
use crate::shared::view::View;
use crate::store::{Due, Place, StoreError, WindowStore};
use crate::time::Time;
use crate::window::Window;

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// As [`WindowStore::due`].
    pub(crate) async fn due_now<J>(&self, now: Time, judge: &mut J) -> Result<Vec<Due>, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        let mut due: Vec<Due> = Vec::new();
        for (key, [main, marked]) in self.due_items(now).await? {
            let known = key_bytes::decode(&key).ok();
            let Some(place) = known.and_then(|known| key_bytes::place(&self.store.plan, known))
            else {
                // No detector counts by such keys any more.
                self.reindex(&key, None).await?;
                continue;
            };
            let view = match marked {
                true => self.hot_view(place).await?,
                false => self.view(place, None).await?,
            };
            if marked {
                view.show(&self.store.plan, place, Time::MIN, |window| judge(place, window));
            }
            let (lease, claimant) = (self.store.settings.lease, self.claimant());
            let before = due.len();
            let pending = view.state.episodes.iter().filter(|(_, episode)| episode.is_pending());
            for (detector, episode) in pending {
                let over = episode.due(self.store.plan.detector(*detector).quiet);
                let ours = claimant.may_publish(episode, now);
                if (!episode.closed && over <= now) || (episode.is_unconfirmed() && ours) {
                    due.push(Due { place, detector: *detector, episode: episode.clone() });
                }
            }
            if main && due.len() == before {
                let latches = Latches::new(view.state.episodes.clone());
                let next = latches.due(&self.store.plan, lease);
                // What falls due only later was indexed too early; what is due is somebody's already.
                self.reindex(&key, next).await?;
            }
        }
        due.sort_by_key(|due| (due.episode.last, due.place, due.detector, due.episode.start));
        Ok(due)
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
            let mut patience = self.patience();
            // Refused: it was written again, and is judged at the next tick.
            while let Err(error) = self.write(&write).await {
                patience.after(error).await?;
            }
        }
        Ok(())
    }

    /// Remembers which marked shares of a hot key the tick is shown.
    async fn hot_view(&self, place: Place) -> Result<View, StoreError> {
        let key = key_bytes::encode(&place.1);
        let items = self.query(&key).await?;
        let marked = items.iter().filter(|(part, _)| matches!(part, Part::Share(_)));
        let marked =
            marked.map(|(part, item)| (ItemKey { key: key.clone(), part: *part }, item.version));
        let marked = marked.collect();
        self.store.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(place, marked);
        // Read again rather than kept: what is judged is at least as new as what is cleared.
        self.view(place, None).await
    }

    /// The keys of the index entries that are due: each with whether a share of it is marked.
    async fn due_items(&self, now: Time) -> Result<BTreeMap<Vec<u8>, [bool; 2]>, StoreError> {
        let mut found: BTreeMap<Vec<u8>, [bool; 2]> = BTreeMap::new();
        for partition in 0..INDEX_PARTITIONS {
            let mut patience = self.patience();
            let items = loop {
                self.store.stats.queries.add(1);
                match self.store.table.due(partition, now, DUE_ITEMS_MAX).await {
                    Ok(items) => break items,
                    Err(error) => patience.after(error).await?,
                }
            };
            for item in items {
                let [main, marked] = found.entry(item.key).or_default();
                match item.part {
                    Part::Main => *main = true,
                    Part::Share(_) => *marked = true,
                    Part::Sketches => {}
                }
            }
        }
        Ok(found)
    }

    /// Puts an index entry right that is due although nothing is: the detectors may have changed.
    async fn reindex(&self, key: &[u8], due: Option<Time>) -> Result<(), StoreError> {
        let item = ItemKey { key: key.to_vec(), part: Part::Main };
        let Some(image) = self.get(&item).await? else { return Ok(()) };
        let partition = partition(&item);
        let index = due.map_or(Indexing::Clear, |at| Indexing::Set(table::Due { partition, at }));
        let expires = self.store.pace.now().plus(REDELIVERY_MAX);
        let version = Some(image.version);
        let (expected, set, removed) = (Vec::new(), Vec::new(), Vec::new());
        let write = Write { item, expected, version, set, removed, index, expires };
        match self.write(&write).await {
            // Somebody else wrote it: then it is indexed as they see it.
            Ok(_) => Ok(()),
            Err(error) => self.patience().after(error).await,
        }
    }
}
