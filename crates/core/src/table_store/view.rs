//! A view: the shares of all shards merged, as one strongly consistent answer of the table shows them.

use crate::distinct::Room;
use crate::key::Key;
use crate::key_ring::Generation;
use crate::plan::{KeyPlan, KeyPlanId, Plan};
use crate::sequence::ShardId;
use crate::state::{ClassList, KeyState};
use crate::store::{LostShare, Place};
use crate::table_store::bytes::Unreadable;
use crate::table_store::latches::Latches;
use crate::table_store::share::{Share, list_code};
use crate::table_store::sketches::ListSketches;
use crate::table_store::table::{Attribute, Item};
use crate::time::Time;
use crate::window::Window;

/// A key as all shards together know it.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The merged state, with its episodes.
    pub state: KeyState,
    /// The version of the key's main item.
    pub version: u64,
    /// Shares that could not be read, and are missing in `state`.
    pub lost: Vec<LostShare>,
    /// Whose tags it shows, once it has been made ready to be judged.
    generation: Generation,
    /// The newest event of each share.
    heads: Vec<(ShardId, Time)>,
    /// The tags of all shares, for lists that are too short for them.
    tags: Vec<(u8, u64, Time)>,
}

/// The key's items do not say what they hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {of} has {why}")]
pub struct TooNew {
    what: String,
    /// A key by its kind: its value may be an address.
    of: String,
    why: Unreadable,
}

impl View {
    /// Merges the shares in `items`, the main item first, but for that of `without`.
    ///
    /// # Errors
    /// If a later version of this program wrote one of them: without it nothing can be judged.
    pub fn of<'a>(
        plan: &Plan,
        place: Place,
        items: impl IntoIterator<Item = &'a Item>,
        without: Option<ShardId>,
    ) -> Result<View, TooNew> {
        let (key_plan, key) = (plan.key(place.0), place.1);
        let mut view = View::default();
        for (nth, item) in items.into_iter().enumerate() {
            if nth == 0 {
                view.read_main(plan, place, item)?;
            }
            for (attribute, bytes) in &item.values {
                let Attribute::Share(shard) = *attribute else { continue };
                if without == Some(shard) {
                    continue;
                }
                match Share::decode(key_plan, bytes) {
                    Ok(share) => {
                        view.heads.push((shard, share.state.head));
                        view.take(key_plan, &key, &share);
                    }
                    Err(why) => view.miss(place, *attribute, shard, why)?,
                }
            }
        }
        view.state.forget_tags(key_plan);
        Ok(view)
    }

    /// This view of all other shards with `share` of the one that was left out, as `item` shows it,
    /// which has the same shares of the others.
    ///
    /// # Errors
    /// As [`View::of`].
    pub fn with(
        mut self,
        plan: &Plan,
        place: Place,
        share: &Share,
        item: &Item,
    ) -> Result<View, TooNew> {
        let key_plan = plan.key(place.0);
        self.lost.retain(|lost| lost.shard != ShardId::TICK);
        self.read_main(plan, place, item)?;
        self.take(key_plan, &place.1, share);
        self.state.forget_tags(key_plan);
        Ok(self)
    }

    /// Reads the episodes and the version of the main item.
    fn read_main(&mut self, plan: &Plan, place: Place, item: &Item) -> Result<(), TooNew> {
        self.version = item.version;
        let Some(bytes) = item.values.get(&Attribute::Latch) else { return Ok(()) };
        match Latches::decode(plan, plan.key(place.0), bytes) {
            Ok(latches) => self.state.episodes = latches.episodes,
            Err(why) => self.miss(place, Attribute::Latch, ShardId::TICK, why)?,
        }
        Ok(())
    }

    /// Goes on without a value that nobody can read; not without one that a later version can.
    fn miss(
        &mut self,
        place: Place,
        attribute: Attribute,
        shard: ShardId,
        why: Unreadable,
    ) -> Result<(), TooNew> {
        if let Unreadable::Newer(_) = why {
            return Err(TooNew { what: attribute.name(), of: place.1.kind(), why });
        }
        self.lost.push(LostShare { place, shard, why: why.to_string() });
        Ok(())
    }

    fn take(&mut self, plan: &KeyPlan, key: &Key, share: &Share) {
        self.state.merge(plan, key, &share.state, Room::NoSketches);
        if !plan.sketched.is_empty() {
            self.tags.extend(sketched_tags(plan, &share.state));
        }
    }

    /// The shards all of whose share is too old for any window, given an event at `newest`, which the
    /// view need not show.
    pub fn expired(&self, plan: &KeyPlan, newest: Time) -> Vec<ShardId> {
        let horizon = self.state.head.max(newest).minus(plan.retention.remembered);
        let expired = self.heads.iter().filter(|(_, head)| *head <= horizon);
        expired.map(|(shard, _)| *shard).collect()
    }

    /// Leaves the tags of one generation: what is judged.
    pub(crate) fn read(&mut self, generation: Generation) {
        self.generation = generation;
        self.state.read(generation);
    }

    /// Whether a list that sketches are kept behind is too short to say.
    pub fn needs_sketches(&self, plan: &KeyPlan) -> bool {
        self.state.lists.iter().any(|list| needs_sketch(plan, list, self.state.head))
    }

    /// Puts the sketches of `item` behind the lists that are too short, with the tags of all shares:
    /// a shard whose own list is not yet full has written none of its tags there.
    ///
    /// # Errors
    /// If a later version of this program wrote them.
    pub fn stand_behind(
        &mut self,
        plan: &KeyPlan,
        place: Place,
        item: Option<&Item>,
    ) -> Result<(), TooNew> {
        let (tags, head) = (&self.tags, self.state.head);
        for list in &mut self.state.lists {
            if !needs_sketch(plan, list, head) {
                continue;
            }
            let code = list_code(list.field, self.generation.class(list.class));
            let attribute = Attribute::Sketch(code);
            let bytes = item.and_then(|item| item.values.get(&attribute));
            let mut sketches = match bytes.map(|bytes| ListSketches::decode(bytes)) {
                None => ListSketches::default(),
                Some(Ok(sketches)) => sketches,
                Some(Err(why @ Unreadable::Newer(_))) => {
                    return Err(TooNew { what: attribute.name(), of: place.1.kind(), why });
                }
                // What it held is gone: the list stays a lower bound.
                Some(Err(why)) => {
                    let (shard, why) = (ShardId::TICK, why.to_string());
                    self.lost.push(LostShare { place, shard, why });
                    continue;
                }
            };
            for (_, tag, time) in tags.iter().filter(|(of, ..)| *of == code) {
                sketches.insert(*tag, *time);
            }
            list.list.stand_behind(sketches.into_panes());
        }
        Ok(())
    }

    /// Shows `judge` each window that may have changed since an event at `from` was counted.
    pub fn show(
        &self,
        plan: &Plan,
        (id, key): (KeyPlanId, Key),
        from: Time,
        mut judge: impl FnMut(&Window<'_>),
    ) {
        self.window(plan.key(id), &key).changed_since(from).for_each(|window| judge(&window));
    }

    /// The window that ends at the newest event.
    pub fn window<'a>(&'a self, plan: &'a KeyPlan, key: &'a Key) -> Window<'a> {
        let (state, at) = (&self.state, self.state.head);
        Window { plan, key, state, at, told: at, version: self.version }
    }
}

/// Whether a list has forgotten tags that a window reaches, and a sketch is kept behind it.
pub(crate) fn needs_sketch(plan: &KeyPlan, list: &ClassList, head: Time) -> bool {
    let reached = head.minus(plan.retention.kept);
    list.list.evicted() > Some(reached) && plan.is_sketched(list.field, list.class)
}

/// The tags of the lists that sketches are kept behind, as far as windows reach: list, tag, last seen.
pub fn sketched_tags<'a>(
    plan: &'a KeyPlan,
    state: &'a KeyState,
) -> impl Iterator<Item = (u8, u64, Time)> + 'a {
    let reached = state.head.minus(plan.retention.kept);
    let lists = state.lists.iter().filter(|list| plan.is_sketched(list.field, list.class));
    lists.flat_map(move |list| {
        let code = list_code(list.field, list.class);
        let reached = list.list.within(reached, Time(i64::MAX));
        reached.map(move |seen| (code, seen.tag, seen.last()))
    })
}
