//! Writes beside the shares: the latches of a key, and its sketches.

use crate::contribution::{Again, Contribution};
use crate::episode::Episode;
use crate::plan::DetectorId;
use crate::state::KeyState;
use crate::store::{Latched, Place, StoreError};
use crate::table_store::bytes::Unreadable;
use crate::table_store::index::{indexing, main_item};
use crate::table_store::key_bytes;
use crate::table_store::latches::{Latches, next_report};
use crate::table_store::share::list_code;
use crate::table_store::sketches::ListSketches;
use crate::table_store::store::Invocation;
use crate::table_store::table::{
    Attribute, Indexing, Item, ItemKey, Pace, Part, Table, Write, Written,
};
use crate::table_store::view::{needs_sketch, sketched_tags};
use crate::time::Time;

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Puts `new` among the episodes of (place, detector) if these are still `expected`.
    ///
    /// The value is replaced as a whole, so another detector's change refuses the write too; then it is
    /// tried again on what is there. After a write without an answer the item may show `new` already:
    /// then it was ours.
    pub(crate) async fn latch_one(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        version: Option<u64>,
    ) -> Result<Latched, StoreError> {
        let store = self.store;
        let (plan, key_plan) = (&store.plan, store.plan.key(place.0));
        let item_key = main_item(plan, place);
        let mut patience = self.patience();
        if new.is_unconfirmed() {
            // Nothing is claimed that could not be published and confirmed in time.
            patience.begin()?;
        }
        let mut image = store.cache.get(&item_key);
        let (mut seen, mut unanswered) = (false, false);
        loop {
            let (mut latches, unreadable) = self.latches(place, image.as_ref())?;
            let slots = latches.episodes.slots(detector);
            let moved_on =
                version.is_some_and(|version| image.as_ref().map_or(0, |i| i.version) != version);
            if slots.as_slice() != expected || moved_on {
                if seen {
                    return Ok(Latched::Lost(slots));
                }
                image = self.get(&item_key).await?;
                seen = true;
                continue;
            }
            let start = new.start;
            let put = latches.episodes.put(detector, new.clone());
            put.map_err(|full| StoreError::Retryable(full.to_string()))?;
            if !store.settings.safeguards.tombstones && !new.is_pending() {
                latches.episodes.remove(detector, start);
            }
            let old = image.as_ref().and_then(|item| item.values.get(&Attribute::Latch)).cloned();
            let mut set = vec![(Attribute::Latch, latches.encode(plan))];
            if let (true, Some(bytes)) = (unreadable, &old) {
                set.push((Attribute::Unreadable(crate::sequence::ShardId::TICK), bytes.clone()));
            }
            let write = Write {
                item: item_key.clone(),
                expected: vec![(Attribute::Latch, old)],
                version,
                set,
                removed: Vec::new(),
                index: indexing(plan, &latches, &item_key, store.settings.lease),
                expires: store.expires(key_plan),
            };
            match self.write(&write).await {
                Ok(Written::Applied(item)) => {
                    let (latches, _) = self.latches(place, Some(&item))?;
                    return Ok(Latched::Won(latches.episodes.slots(detector)));
                }
                Ok(Written::Refused(item)) => {
                    (image, seen) = (item, true);
                    let (latches, _) = self.latches(place, image.as_ref())?;
                    let slots = latches.episodes.slots(detector);
                    if unanswered && slots.contains(&stored(&new)) {
                        return Ok(Latched::Won(slots));
                    }
                    unanswered = false;
                    patience.after_refusal().await?;
                }
                Err(error) => {
                    unanswered = true;
                    patience.after(error).await?;
                }
            }
        }
    }

    /// The latches of an item, and whether there are some that cannot be read.
    pub(crate) fn latches(
        &self,
        place: Place,
        image: Option<&Item>,
    ) -> Result<(Latches, bool), StoreError> {
        let Some(bytes) = image.and_then(|item| item.values.get(&Attribute::Latch)) else {
            return Ok((Latches::default(), false));
        };
        let plan = &self.store.plan;
        match Latches::decode(plan, plan.key(place.0), bytes) {
            Ok(latches) => Ok((latches, false)),
            Err(why @ Unreadable::Newer(_)) => {
                Err(StoreError::Retryable(format!("the episodes of {} have {why}", place.1.kind())))
            }
            Err(Unreadable::Damaged(_)) => Ok((Latches::default(), true)),
        }
    }

    /// Brings the tags into the sketches that a list is about to forget: all it held `before` and all
    /// the contribution brings, whether or not they are counted already. Does nothing while no list
    /// that sketches are kept behind is too short.
    pub(crate) async fn sketch(
        &self,
        contribution: &Contribution,
        before: Option<&KeyState>,
        after: &KeyState,
    ) -> Result<(), StoreError> {
        let place = (contribution.plan, contribution.key);
        let plan = self.store.plan.key(place.0);
        if !after.lists.iter().any(|list| needs_sketch(plan, list, after.head)) {
            return Ok(());
        }
        let before = before.into_iter().flat_map(|before| sketched_tags(plan, before));
        let mut tags: Vec<(u8, u64, Time)> = before.collect();
        for (nth, point) in contribution.points.iter().enumerate() {
            let seen = plan.retention.step(point.time);
            let both = [Some(Again::of(point)), contribution.again.get(nth).copied()];
            for of in both.into_iter().flatten() {
                for (field, class) in &plan.shape(point.shape).classes {
                    let class = of.generation.class(*class);
                    let tag = of.tag(*field).filter(|_| plan.is_sketched(*field, class));
                    let tag = tag.map(|tag| tag & plan.retention.tag_mask);
                    tags.extend(tag.map(|tag| (list_code(*field, class), tag, seen)));
                }
            }
        }
        let key = key_bytes::of_place(&self.store.plan, place);
        let item = ItemKey { key, part: Part::Sketches };
        self.grow(item, self.store.expires(plan), &tags).await
    }

    /// Writes sketches that have seen `tags`, if some register grows by them.
    async fn grow(
        &self,
        item: ItemKey,
        expires: Time,
        tags: &[(u8, u64, Time)],
    ) -> Result<(), StoreError> {
        let mut patience = self.patience();
        let mut image = self.store.cache.get(&item);
        if image.is_none() {
            image = self.get(&item).await?;
        }
        loop {
            let (mut expected, mut set) = (Vec::new(), Vec::new());
            let mut codes: Vec<u8> = tags.iter().map(|(code, ..)| *code).collect();
            codes.sort_unstable();
            codes.dedup();
            for code in codes {
                let attribute = Attribute::Sketch(code);
                let bytes = image.as_ref().and_then(|item| item.values.get(&attribute)).cloned();
                let mut sketches = match bytes.as_deref().map(ListSketches::decode) {
                    Some(Ok(sketches)) => sketches,
                    Some(Err(why @ Unreadable::Newer(_))) => {
                        return Err(StoreError::Retryable(format!("sketches have {why}")));
                    }
                    // Begun anew they would pass for whole: the list is a lower bound without them.
                    Some(Err(Unreadable::Damaged(_))) => continue,
                    None => ListSketches::default(),
                };
                let of_code = tags.iter().filter(|(of, ..)| *of == code);
                let grown = of_code.filter(|(_, tag, time)| sketches.insert(*tag, *time)).count();
                if grown > 0 {
                    expected.push((attribute, bytes));
                    set.push((attribute, sketches.encode()));
                }
            }
            if set.is_empty() {
                return Ok(());
            }
            let (item, index, removed) = (item.clone(), Indexing::Keep, Vec::new());
            let write = Write { item, expected, version: None, set, removed, index, expires };
            match self.write(&write).await {
                Ok(Written::Applied(_)) => return Ok(()),
                Ok(Written::Refused(item)) => {
                    image = item;
                    patience.after_refusal().await?;
                }
                Err(error) => patience.after(error).await?,
            }
        }
    }
}

/// An episode as the table gives it back.
fn stored(episode: &Episode) -> Episode {
    let seconds = |time: Time| {
        let since = time.0.saturating_sub(episode.start.0).div_euclid(1_000);
        Time(episode.start.0.saturating_add(since.saturating_mul(1_000)))
    };
    Episode {
        first_seen: seconds(episode.first_seen),
        claimed_at: seconds(episode.claimed_at),
        next_report: next_report(episode.last),
        reported: episode.reported.round(),
        peak: episode.peak.round(),
        samples: Default::default(),
        ..episode.clone()
    }
}
