//! The embedded home of windows: a concurrent map under a memory budget.
//!
//! Invariants. A key is refused, and counted, rather than let the budget be passed, and so is a point
//! that would make its key grow past it; the last eighth is left to keys that are in already. A key
//! that is in is never put out for one that is not, so a flood cannot hide an attacker who is already
//! watched. Only keys that no window can reach any more are forgotten, and what time it is for that is
//! settled by many events, never by one with a forged time. Where memory is short that includes those of which
//! no more is known than who used to get in.
//!
//! A key that can raise nothing yet need not be counted yet: as long as its slack lasts, what comes in order is
//! put down and counted together, in that order, as soon as somebody looks or some have come. Most of the time is
//! spent on fetching what a key has from memory, and so it is fetched once for many; and a key that is seen a few
//! times, as most are, never gets a state. Only the key of everything, and a log's, count at once: they are always
//! at hand.

mod budget;
mod kept;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::{DashMap, Entry};
use foldhash::quality::SeedableRandomState;

use crate::contribution::{Contribution, Point};
use crate::distinct::Room;
use crate::episode::Episode;
use crate::key_ring::Generation;
use crate::memory::budget::Budget;
use crate::memory::kept::Kept;
use crate::panes::Resolution;
use crate::plan::{DetectorId, KeyPlan, Plan};
use crate::safeguards::Safeguards;
use crate::sequence::ShardId;
use crate::sketch::PRECISION;
use crate::slack::Slack;
use crate::state::Absorbed;
use crate::store::{Claimant, Due, DueNow, Latched, Merged, Place, StoreError, WindowStore};
use crate::time::{Span, Time};
use crate::window::Window;

/// Points in a block whose minimum time settles the clock for forgetting.
const SETTLING_POINTS: u32 = 1_024;

/// Blocks the clock for forgetting looks back on: one laggard does not hold it back, and it goes back
/// with an older input that is read after a newer one.
const SETTLING_BLOCKS: usize = 16;

/// Keys below which nothing is ever swept.
const SWEEP_KEYS_MIN: usize = 1 << 16;

/// Points between two sweeps for want of memory.
const SWEEP_POINTS: u64 = 1 << 16;

/// Keeps all windows in memory.
#[derive(Debug)]
pub struct MemoryStore {
    plan: Arc<Plan>,
    states: DashMap<Place, Kept, SeedableRandomState>,
    budget: Budget,
    keys_seen: AtomicU64,
    forgotten_early: AtomicU64,
    /// The slack of a key of each plan that has seen nothing.
    fresh: Vec<Slack>,
    /// Nothing is due before this; so most ticks need not look.
    due_earliest: AtomicI64,
    /// Points that came since the last block was full.
    block_points: AtomicU32,
    /// The earliest time of theirs.
    block_earliest: AtomicI64,
    upkeep: Mutex<Upkeep>,
}

/// What is looked at once per block of points and per episode, under one lock.
#[derive(Debug)]
struct Upkeep {
    /// Each pending episode, at the time it was due when it was last looked at or before.
    pending: BTreeSet<(Time, Place, DetectorId)>,
    settled: [Time; SETTLING_BLOCKS],
    blocks: usize,
    sweep_at_keys: usize,
    sweep_in_points: u64,
}

/// How full the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Keys held now.
    pub keys: u64,
    /// Keys ever taken in.
    pub keys_seen: u64,
    /// Keys of which was forgotten, for want of memory, who used to get in, so that whoever comes back is new, or a
    /// closed finding that counted still.
    pub forgotten_early: u64,
    /// Bytes charged against the budget: what the structures ask for, with the map's own share.
    pub used_bytes: usize,
}

impl MemoryStore {
    /// A store for `plan` that uses at most about `budget_bytes`. `seed` should be secret: it keeps
    /// the map's layout from being attacked.
    pub fn new(plan: Arc<Plan>, budget_bytes: usize, seed: u64) -> MemoryStore {
        let step_bytes = plan.keys.iter().map(step_bytes).max().unwrap_or(0);
        let hasher = SeedableRandomState::with_seed(seed, foldhash::SharedSeed::global_fixed());
        let fresh = plan.keys.iter().map(|key| Slack::fresh(&plan, key)).collect();
        MemoryStore {
            plan,
            fresh,
            states: DashMap::with_hasher_and_shard_amount(hasher, 16),
            budget: Budget::new(budget_bytes, step_bytes),
            keys_seen: AtomicU64::new(0),
            forgotten_early: AtomicU64::new(0),
            due_earliest: AtomicI64::new(i64::MAX),
            block_points: AtomicU32::new(0),
            block_earliest: AtomicI64::new(i64::MAX),
            upkeep: Mutex::new(Upkeep {
                pending: BTreeSet::new(),
                settled: [Time::MIN; SETTLING_BLOCKS],
                blocks: 0,
                sweep_at_keys: SWEEP_KEYS_MIN,
                sweep_in_points: 0,
            }),
        }
    }

    /// How full it is.
    pub fn usage(&self) -> Usage {
        Usage {
            keys: self.states.len() as u64,
            keys_seen: self.keys_seen.load(Ordering::Relaxed),
            forgotten_early: self.forgotten_early.load(Ordering::Relaxed),
            used_bytes: self.budget.used(),
        }
    }

    /// Episodes that are open now.
    pub fn open_episodes(&self) -> u64 {
        let open = |kept: &Kept| {
            let states = kept.state.iter();
            states.flat_map(|state| state.episodes.iter()).filter(|(_, e)| !e.closed).count()
        };
        self.states.iter().map(|entry| open(entry.value()) as u64).sum()
    }

    fn merge_point<J>(&self, place: Place, point: &Point, merged: &mut Merged, judge: &mut J)
    where
        J: FnMut(&Window<'_>) -> Slack,
    {
        self.settle(point.time);
        let plan = self.plan.key(place.0);
        let mut kept = match self.states.entry(place) {
            Entry::Occupied(entry) => entry.into_ref(),
            Entry::Vacant(entry) => {
                if self.budget.room() != Room::Plenty || !self.budget.fits(ENTRY_BYTES) {
                    merged.points_refused += 1;
                    return;
                }
                self.budget.charge(ENTRY_BYTES);
                self.keys_seen.fetch_add(1, Ordering::Relaxed);
                entry.insert(Kept::new(self.fresh[usize::from(place.0.0)]))
            }
        };
        let newest = kept.newest;
        let at = (plan, &place.1);
        if kept.put_down(at, point, &self.budget, merged) {
            return;
        }
        kept.catch_up(at, &self.budget, merged);
        let Some(Absorbed { late, dropped, sketch_refused, repeated }) =
            kept.absorb(at, point, &self.budget)
        else {
            merged.points_refused += 1;
            return;
        };
        merged.sketches_refused += u64::from(sketch_refused);
        merged.late += u64::from(late);
        merged.repeated += u64::from(repeated);
        if dropped {
            return;
        }
        // Nothing is known of the windows that end before the newest event.
        if point.time >= newest
            && kept.slack.take(point.time, point.shape.outcome(), point.amount.weight())
        {
            return;
        }
        let Kept { state: Some(state), slack, .. } = &mut *kept else { return };
        let state = &**state;
        let at = |at| Window { plan, key: &place.1, state, at, told: at, version: 0 };
        *slack = judge(&at(point.time));
        if state.head > point.time {
            // It came late: the windows that end at the newest event have changed as well.
            *slack = judge(&at(state.head));
        }
    }

    /// Moves the settled clock, and sweeps when there is reason to.
    fn settle(&self, time: Time) {
        if time.0 < self.block_earliest.load(Ordering::Relaxed) {
            self.block_earliest.fetch_min(time.0, Ordering::Relaxed);
        }
        // Of all threads the one whose point fills the block.
        if self.block_points.fetch_add(1, Ordering::Relaxed) + 1 == SETTLING_POINTS {
            self.settle_block();
        }
    }

    /// The same where nobody else is looking.
    fn settle_alone(&mut self, time: Time) {
        let earliest = self.block_earliest.get_mut();
        *earliest = time.0.min(*earliest);
        let points = self.block_points.get_mut();
        *points += 1;
        if *points == SETTLING_POINTS {
            self.settle_block();
        }
    }

    /// To be called when a block is full.
    fn settle_block(&self) {
        let mut upkeep = self.upkeep();
        let block = upkeep.blocks % SETTLING_BLOCKS;
        upkeep.settled[block] = Time(self.block_earliest.swap(i64::MAX, Ordering::Relaxed));
        self.block_points.store(0, Ordering::Relaxed);
        upkeep.blocks += 1;
        upkeep.sweep_in_points = upkeep.sweep_in_points.saturating_sub(u64::from(SETTLING_POINTS));
        let crowded = self.budget.room() != Room::Plenty && upkeep.sweep_in_points == 0;
        if crowded || self.states.len() >= upkeep.sweep_at_keys {
            let settled = upkeep.settled.into_iter().fold(Time::MIN, Time::max);
            upkeep.sweep_in_points = SWEEP_POINTS;
            drop(upkeep);
            self.sweep(settled, crowded);
            self.upkeep().sweep_at_keys = (self.states.len() * 2).max(SWEEP_KEYS_MIN);
        }
    }

    /// Forgets keys whose newest event no window can reach, unless an episode of theirs is pending, or there is
    /// room to remember who got in, or a finding that others come after.
    fn sweep(&self, settled: Time, crowded: bool) {
        self.states.retain(|(plan, _), kept| {
            let is_pending = kept.state.as_ref().is_some_and(|state| state.episodes.any_pending());
            let retention = &self.plan.key(*plan).retention;
            let reaches = |span| kept.newest >= settled.minus(span);
            let is_old = !is_pending && !reaches(retention.kept);
            let remembered = is_old && reaches(retention.remembered) && kept.remembers();
            let mut episodes = kept.state.iter().flat_map(|state| state.episodes.iter());
            let counts = |episode: &Episode| episode.last >= settled.minus(retention.followed);
            let followed = is_old && episodes.any(|(_, episode)| counts(episode));
            let idle = is_old && (crowded || !(remembered || followed));
            if idle {
                let early = u64::from(remembered || followed);
                self.forgotten_early.fetch_add(early, Ordering::Relaxed);
                self.budget.give_back(ENTRY_BYTES + kept.bytes);
            }
            !idle
        });
    }

    /// To be called whenever `pending` has changed, before its lock is given up.
    fn note_earliest(&self, upkeep: &Upkeep) {
        let earliest = upkeep.pending.first().map_or(i64::MAX, |(time, _, _)| time.0);
        self.due_earliest.store(earliest, Ordering::Release);
    }

    fn upkeep(&self) -> MutexGuard<'_, Upkeep> {
        // Nothing panics while holding it; a poisoned lock would still hold sound data.
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a key costs before anything is in it. The map keeps its slots between 7/16 and 7/8 full.
const ENTRY_BYTES: usize = (size_of::<Place>() + size_of::<Kept>()) * 16 / 7;

/// More than one point can make a key of `plan` grow by: the sketches of all its lists begin, and
/// everything else doubles.
fn step_bytes(plan: &KeyPlan) -> usize {
    let sketches = |r: &Resolution| (r.span.0 / r.pane.0 + 2) as usize * (2 << PRECISION);
    let sketches: usize = plan.retention.sketches.iter().map(sketches).sum();
    (plan.distinct.len() + 1) * sketches + (1 << 16)
}

impl WindowStore for MemoryStore {
    /// Of a key that is in already.
    fn put_down(&mut self, place: &Place, point: &Point, merged: &mut Merged) -> bool {
        // Nobody else is looking, so no lock is taken: an atomic waits for all that is being loaded.
        let hash = self.states.hash_usize(place);
        let shard = self.states.determine_shard(hash);
        let MemoryStore { states, plan, budget, .. } = self;
        let shard = states.shards_mut()[shard].get_mut();
        let found = shard.get_mut(hash as u64, |(known, _)| known == place);
        let Some((_, kept)) = found else { return false };
        let put_down =
            kept.get_mut().put_down((plan.key(place.0), &place.1), point, budget, merged);
        if put_down {
            self.settle_alone(point.time);
        }
        put_down
    }

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
        for (at, contribution) in contributions.iter().enumerate() {
            let place = (contribution.plan, contribution.key);
            for point in &contribution.points {
                self.merge_point(place, point, &mut merged, &mut |window| judge(at, window));
            }
        }
        Ok(merged)
    }

    async fn read<V>(&self, keys: &[Place], mut view: V) -> Result<(), StoreError>
    where
        V: FnMut(&Window<'_>) + Send,
    {
        for place in keys {
            if let Some(mut kept) = self.states.get_mut(place) {
                let plan = self.plan.key(place.0);
                // What is refused here was taken in before, when there was room.
                kept.catch_up((plan, &place.1), &self.budget, &mut Merged::default());
                let Some(state) = &kept.state else { continue };
                let at = state.head;
                view(&Window { plan, key: &place.1, state, at, told: at, version: 0 });
            }
        }
        Ok(())
    }

    fn may_be_due(&self, now: Time) -> bool {
        now.0 >= self.due_earliest.load(Ordering::Acquire)
    }

    async fn due<J>(&self, now: Time, _judge: J) -> Result<DueNow, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        let mut due = Vec::new();
        let mut upkeep = self.upkeep();
        while let Some((time, place, detector)) = upkeep.pending.first().copied() {
            if time > now {
                break;
            }
            upkeep.pending.pop_first();
            let quiet = self.plan.detector(detector).quiet;
            let Some(kept) = self.states.get(&place) else { continue };
            // Each pending episode has an entry of its own, at or before it is due.
            let episodes = kept.state.as_ref().map(|state| &state.episodes);
            let episodes = episodes.into_iter().flat_map(|episodes| episodes.of(detector));
            for episode in episodes.filter(|episode| episode.is_pending()) {
                if episode.due(quiet) <= time {
                    due.push(Due { place, detector, episode: episode.clone() });
                } else {
                    upkeep.pending.insert((episode.due(quiet), place, detector));
                }
            }
        }
        // Those that are due stay listed until nothing is pending about them.
        for found in &due {
            let quiet = self.plan.detector(found.detector).quiet;
            upkeep.pending.insert((found.episode.due(quiet), found.place, found.detector));
        }
        self.note_earliest(&upkeep);
        Ok(DueNow { due, ..DueNow::default() })
    }

    async fn dealt_with(&self, _place: Place) -> Result<(), StoreError> {
        Ok(())
    }

    async fn latch(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        _version: Option<u64>,
    ) -> Result<Latched, StoreError> {
        let same = |episode: &&Episode| episode.start == new.start;
        let opened = !new.closed && expected.iter().find(same).is_none_or(|known| known.closed);
        let due = new.due(self.plan.detector(detector).quiet);
        let slots = {
            let Some(mut kept) = self.states.get_mut(&place) else {
                return Err(StoreError::Fatal(format!("{} has no state to latch", place.1.kind())));
            };
            let episodes = &mut kept.state.get_or_insert_default().episodes;
            if !episodes.of(detector).eq(expected) {
                return Ok(Latched::Lost(episodes.slots(detector)));
            }
            let put = episodes.put(detector, new);
            put.map_err(|full| StoreError::Retryable(full.to_string()))?;
            let slots = episodes.slots(detector);
            // An open finding is what other detectors wait for.
            kept.slack = Slack::NONE;
            self.budget.charge(kept.grown());
            slots
        };
        if opened {
            let mut upkeep = self.upkeep();
            upkeep.pending.insert((due, place, detector));
            self.note_earliest(&upkeep);
        }
        Ok(Latched::Won(slots))
    }

    fn reading(self, _: Generation) -> MemoryStore {
        // One process has one key.
        self
    }

    fn claimant(&self) -> Claimant {
        // Nobody else writes here: whatever was claimed is ours.
        let safeguards = Safeguards::default();
        Claimant { who: ShardId(0), lease: Span(0), safeguards }
    }

    fn has_time(&self) -> bool {
        true
    }
}
