//! How rare a distance is among those of the last five weeks.
//!
//! rank = 3 + ½·log10(n + 1) − log10(c + 1), where n distances are known and c of them are at least as large:
//! of more history a largest distance says more, and each tenfold more common one is one less. The rank of the
//! largest thus grows with history, from 3.7 of 20 panes to 5.0 of five weeks.
//!
//! Only the largest distances can matter. Of a distance with more than [`COMMON`] later ones at least as large nobody
//! will ever ask: as long as it is inside the five weeks, so are they. What is left are some 220 pairs of pane and
//! distance, and the count c is exact up to `COMMON`. Which panes had a distance at all is kept as bits.
//!
//! All of it are facts about panes that never change, so that a process that reads them from a store goes on as
//! the one that wrote them would have.

/// From as many as far on, a distance is common: it has no rank.
pub const COMMON: usize = 32;

/// With fewer distances known there is no rank yet.
pub const DISTANCES_MIN: usize = 20;

/// The distances of a channel that can still matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    /// Pane and distance, oldest first, each with at most [`COMMON`] later ones at least as large.
    largest: Vec<Far>,
    /// Whether there was a distance, by pane modulo the horizon.
    known: Vec<u64>,
    count: usize,
    /// The newest pane.
    newest: i64,
    /// How many panes are looked back on.
    horizon: usize,
}

/// A pane's distance, and how many later ones are at least as large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Far {
    pub(super) pane: i64,
    pub(super) distance: f32,
    later: u8,
}

/// How far the newest pane is from what was before, and how rare that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// How far, in the unit of the series.
    pub distance: f32,
    /// How many panes of the last five weeks were at least as far from what was before them, up to [`COMMON`].
    pub as_far: usize,
    /// Of how many.
    pub of: usize,
    /// The rank; 0 where the distance is none, or common.
    pub rank: f64,
}

/// The rank of a distance that `as_far` of `of` reach.
pub fn rank(distance: f32, as_far: usize, of: usize) -> f64 {
    match distance > 0.0 && as_far < COMMON {
        true => 3.0 + 0.5 * ((of + 1) as f64).log10() - ((as_far + 1) as f64).log10(),
        false => 0.0,
    }
}

/// How many of `of` distances may reach one that still has `rank`; nothing if not even the largest has.
pub fn as_far_max(rank: f64, of: usize) -> Option<usize> {
    let most = 10f64.powf(3.0 + 0.5 * ((of + 1) as f64).log10() - rank).floor();
    (of >= DISTANCES_MIN && most >= 1.0).then(|| (most as usize - 1).min(COMMON - 1))
}

impl Distances {
    pub(super) fn new(horizon: usize) -> Distances {
        let known = vec![0; horizon.div_ceil(64)];
        Distances { largest: Vec::new(), known, count: 0, newest: i64::MIN, horizon }
    }

    /// Takes in the distance of `pane`, the one behind the newest.
    pub(super) fn push(&mut self, pane: i64, distance: Option<f32>) {
        self.newest = pane;
        let (word, bit) = self.bit(pane);
        self.count -= usize::from(self.known[word] & bit != 0);
        self.known[word] &= !bit;
        let oldest = pane - self.horizon as i64;
        self.largest.retain(|far| far.pane > oldest);
        let Some(distance) = distance else { return };
        self.known[word] |= bit;
        self.count += 1;
        self.largest.retain_mut(|far| {
            far.later += u8::from(far.distance <= distance);
            usize::from(far.later) <= COMMON
        });
        self.largest.push(Far { pane, distance, later: 0 });
    }

    /// The rank of the newest pane, if it has a distance and there are enough before it.
    pub fn newest(&self) -> Option<Rank> {
        let (newest, before) = self.largest.split_last()?;
        let of = self.count.checked_sub(1).filter(|of| *of >= DISTANCES_MIN)?;
        if newest.pane != self.newest {
            return None;
        }
        let as_far = before.iter().filter(|far| far.distance >= newest.distance).count();
        let as_far = as_far.min(COMMON);
        let rank = rank(newest.distance, as_far, of);
        Some(Rank { distance: newest.distance, as_far, of, rank })
    }

    /// The largest distance that the next pane may have and not reach `threshold`: D*. Nothing where no
    /// distance would reach it.
    pub fn quiet_max(&self, threshold: f64) -> Option<f32> {
        let gone = self.newest - self.horizon as i64 + 1;
        let of = self.count - usize::from(self.is_known(gone));
        let most = as_far_max(threshold, of)?;
        let stay = self.largest.iter().filter(|far| far.pane > gone);
        let mut distances: Vec<f32> = stay.map(|far| far.distance).collect();
        distances.sort_unstable_by(|a, b| b.total_cmp(a));
        Some(distances.get(most).copied().unwrap_or(0.0))
    }

    /// The pairs that are kept, oldest first.
    pub(super) fn largest(&self) -> &[Far] {
        &self.largest
    }

    /// Whether a pane within the horizon had a distance.
    pub(super) fn is_known(&self, pane: i64) -> bool {
        let (word, bit) = self.bit(pane);
        self.known[word] & bit != 0
    }

    fn bit(&self, pane: i64) -> (usize, u64) {
        let slot = pane.rem_euclid(self.horizon as i64) as usize;
        (slot / 64, 1 << (slot % 64))
    }

    /// What was kept, put together again: `newest`, which of the panes up to it had a distance, and the pairs.
    pub(super) fn again(
        horizon: usize,
        newest: i64,
        known: impl Iterator<Item = i64>,
        largest: Vec<(i64, f32)>,
    ) -> Distances {
        let mut distances = Distances { newest, ..Distances::new(horizon) };
        for pane in known {
            let (word, bit) = distances.bit(pane);
            distances.known[word] |= bit;
            distances.count += 1;
        }
        let later = |at: usize, than: f32| {
            largest[at + 1..].iter().filter(|(_, distance)| *distance >= than).count() as u8
        };
        let pairs = largest.iter().enumerate();
        distances.largest = pairs
            .map(|(at, (pane, distance))| Far {
                pane: *pane,
                distance: *distance,
                later: later(at, *distance),
            })
            .collect();
        distances
    }
}
