//! One contribution into the table: the write, what is made of its refusal, and the view it is judged by.

use crate::contribution::Contribution;
use crate::limits::{EPISODES_BYTES, ITEM_BYTES_MAX};
use crate::state::KeyState;
use crate::store::{LostShare, Place, StoreError};
use crate::table_store::bytes::Unreadable;
use crate::table_store::index;
use crate::table_store::key_bytes;
use crate::table_store::share::{Share, Taken};
use crate::table_store::store::Invocation;
use crate::table_store::table::{
    Attribute, Indexing, Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};
use crate::table_store::view::View;

/// What became of one contribution.
pub(crate) struct Outcome {
    pub taken: Taken,
    pub refused: u64,
    pub lost: Vec<LostShare>,
    /// What is to be judged; nothing for a key that is judged at the tick.
    pub view: Option<View>,
}

impl Outcome {
    /// Nothing was new, and this is to be judged.
    fn of(view: Option<View>) -> Outcome {
        let lost = view.as_ref().map_or_else(Vec::new, |view| view.lost.clone());
        Outcome { taken: Taken::default(), refused: 0, lost, view }
    }

    /// None of it can be counted.
    fn refused(contribution: &Contribution) -> Outcome {
        Outcome { refused: contribution.points.len() as u64, ..Outcome::of(None) }
    }
}

/// A share as it is to be written.
struct Draft {
    place: Place,
    share: Share,
    taken: Taken,
    /// What it was, where sketches stand behind its lists.
    before: Option<KeyState>,
    /// What the other shards have, where that lives in the same item.
    others: Option<View>,
    /// What to tell of the share that could not be read.
    unreadable: Option<LostShare>,
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Counts a contribution and gives what its key then looks like. One spoilt key must not hold up
    /// its shard: it is reported, and its points are refused.
    pub(crate) async fn merge_one(
        &self,
        contribution: &Contribution,
    ) -> Result<Outcome, StoreError> {
        match self.try_merge(contribution).await {
            Err(StoreError::Unusable(why)) => {
                let place = (contribution.plan, contribution.key);
                let lost = vec![LostShare { place, shard: self.shard, why }];
                Ok(Outcome { lost, ..Outcome::refused(contribution) })
            }
            outcome => outcome,
        }
    }

    async fn try_merge(&self, contribution: &Contribution) -> Result<Outcome, StoreError> {
        let place = (contribution.plan, contribution.key);
        let plan = self.store.plan.key(place.0);
        let apart = self.store.is_apart(plan);
        let part = if apart { Part::Share(self.shard) } else { Part::Main };
        let item_key = ItemKey { key: key_bytes::of_place(&self.store.plan, place), part };
        let safeguards = self.store.settings.safeguards;
        let mut patience = self.patience();
        let mut image = self.store.cache.get(&item_key);
        // Whether `image` is an answer of this call, and not a memory; whether old shares go too.
        let (mut seen, mut collect, mut full) = (false, true, false);
        loop {
            let draft = self.draft(contribution, image.as_ref(), apart)?;
            if !draft.taken.fresh {
                if seen {
                    let judged = !plan.is_hot() && contribution.judged;
                    let view = judged && safeguards.judge_always;
                    let main = image.filter(|_| !apart);
                    let view = if view { Some(self.view(place, main).await?) } else { None };
                    return Ok(Outcome::of(view));
                }
                // All of it was counted before: judge what the table says, not what was remembered.
                image = self.get(&item_key).await?;
                seen = true;
                continue;
            }
            if safeguards.sketch_before_share {
                self.sketch(contribution, draft.before.as_ref(), &draft.share.state).await?;
            }
            let write = self.share_write(&item_key, image.as_ref(), &draft, collect);
            let written = match apart || has_room(&write, image.as_ref()) {
                true => self.write(&write).await,
                false => Err(TableError::TooLarge("no room for episodes would be left".into())),
            };
            match written {
                Ok(Written::Applied(item)) => {
                    self.store.stats.collected.add(write.removed.len() as u64);
                    if !safeguards.sketch_before_share {
                        self.sketch(contribution, draft.before.as_ref(), &draft.share.state)
                            .await?;
                    }
                    return self.counted(contribution, draft, image, item).await;
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
                // It cannot be counted, now or later: better said than tried for ever.
                Err(TableError::TooLarge(_)) => return Ok(Outcome::refused(contribution)),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// The share with what is new in the contribution, as `image` lets one think.
    fn draft(
        &self,
        contribution: &Contribution,
        image: Option<&Item>,
        apart: bool,
    ) -> Result<Draft, StoreError> {
        let place = (contribution.plan, contribution.key);
        let plan = self.store.plan.key(place.0);
        let (mut share, unreadable) = self.own_share(place, image)?;
        let before = (!plan.sketched.is_empty()).then(|| share.state.clone());
        let taken = share.take(plan, contribution, &self.store.settings.safeguards);
        let mut others = None;
        if let Some(item) = image.filter(|_| taken.fresh && !apart) {
            let view = View::of(&self.store.plan, place, [item], Some(self.shard))?;
            share.trim(plan, &view.state, &self.store.settings.safeguards);
            others = Some(view);
        }
        Ok(Draft { place, share, taken, before, others, unreadable })
    }

    /// What a key looks like after a write of its share was applied: `item`, where `image` was before.
    async fn counted(
        &self,
        contribution: &Contribution,
        draft: Draft,
        image: Option<Item>,
        item: Item,
    ) -> Result<Outcome, StoreError> {
        let Draft { share, taken, others, unreadable, .. } = draft;
        let place = (contribution.plan, contribution.key);
        let plan = self.store.plan.key(place.0);
        let mut outcome = Outcome { taken, ..Outcome::of(None) };
        outcome.lost.extend(unreadable);
        if plan.is_hot() || !contribution.judged {
            return Ok(outcome);
        }
        let own = Attribute::Share(self.shard);
        let before = |attribute| image.as_ref().and_then(|image| image.values.get(attribute));
        let mut shares = item.values.iter().filter(|(attribute, _)| {
            **attribute != own && matches!(attribute, Attribute::Share(_))
        });
        let view = match others {
            // Nobody else wrote meanwhile: the other shards' view need not be made again.
            Some(others) if shares.all(|(other, bytes)| before(other) == Some(bytes)) => {
                let view = others.with(&self.store.plan, place, &share, &item)?;
                self.with_sketches(place, view).await?
            }
            _ => self.view(place, Some(item).filter(|_| !self.store.is_apart(plan))).await?,
        };
        // Late is what lies behind any shard's newest event, not only this one's.
        let horizon = view.state.head.minus(plan.retention.kept);
        let late = contribution.points.iter().filter(|point| point.time <= horizon);
        outcome.taken.late = late.count() as u64;
        outcome.lost.extend(view.lost.iter().cloned());
        outcome.view = Some(view);
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
                Err(StoreError::Retryable(format!("the share of {} has {why}", place.1.kind())))
            }
            Err(why) => {
                let lost = LostShare { place, shard: self.shard, why: why.to_string() };
                Ok((Share::default(), Some(lost)))
            }
        }
    }

    fn share_write(
        &self,
        item: &ItemKey,
        image: Option<&Item>,
        draft: &Draft,
        collect: bool,
    ) -> Write {
        let own = Attribute::Share(self.shard);
        let value = |attribute| image.and_then(|item| item.values.get(&attribute)).cloned();
        let mut set = vec![(own, draft.share.encode())];
        if let Some(bytes) = draft.unreadable.as_ref().and_then(|_| value(own)) {
            set.push((Attribute::Unreadable(self.shard), bytes));
        }
        let plan = self.store.plan.key(draft.place.0);
        let others = draft.others.iter().filter(|_| collect);
        let expired = others.flat_map(|others| others.expired(plan, draft.share.state.head));
        let removed: Vec<Attribute> = expired.map(Attribute::Share).collect();
        let mut expected: Vec<_> = removed.iter().map(|old| (*old, value(*old))).collect();
        if self.store.settings.safeguards.compare_and_set {
            expected.push((own, value(own)));
        }
        // What is only asked about is judged by nobody.
        let index = match plan.is_hot() && !plan.detectors.is_empty() {
            true => index::mark(item),
            false => Indexing::Keep,
        };
        let (item, expires) = (item.clone(), self.store.expires(plan));
        Write { item, expected, version: None, set, removed, index, expires }
    }

    /// All shards' view of a key; `main` where its only item was just seen.
    pub(crate) async fn view(&self, place: Place, main: Option<Item>) -> Result<View, StoreError> {
        let plan = self.store.plan.key(place.0);
        let key = key_bytes::of_place(&self.store.plan, place);
        let view = if self.store.is_apart(plan) {
            let items = self.query(&key).await?;
            let main = items.iter().find(|(part, _)| *part == Part::Main).map(|(_, item)| item);
            let empty = Item::default();
            let shares = items.iter().filter(|(part, _)| matches!(part, Part::Share(_)));
            let all = std::iter::once(main.unwrap_or(&empty)).chain(shares.map(|(_, item)| item));
            View::of(&self.store.plan, place, all, None)?
        } else {
            let item = match main {
                Some(item) => Some(item),
                None => self.get(&ItemKey { key: key.clone(), part: Part::Main }).await?,
            };
            View::of(&self.store.plan, place, &item, None)?
        };
        self.with_sketches(place, view).await
    }

    /// The view as it is judged: the tags of one generation, with sketches behind lists that are too
    /// short.
    async fn with_sketches(&self, place: Place, mut view: View) -> Result<View, StoreError> {
        let plan = self.store.plan.key(place.0);
        view.read(self.reading);
        if view.needs_sketches(plan) {
            let key = key_bytes::of_place(&self.store.plan, place);
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
