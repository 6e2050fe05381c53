//! How far the newest pane is from everything of the last five weeks, in three ways.
//!
//! - **value**: to the nearest value; from [`VALUES_MIN`] earlier values on.
//! - **shape**: of the last [`SHAPE_PANES`] panes to the third nearest shape that ended before them, by the
//!   largest difference of a pane; from [`SHAPES_MIN`] shapes and `VALUES_MIN` values on.
//! - **hours**: of the mean of the last [`MEAN_PANES`] panes to the nearest such mean that shares no pane with
//!   it; from [`MEANS_MIN`] means on.
//!
//! The idea of a distance to the nearest past is that of discords (Keogh, Lin and Fu, "HOT SAX", ICDM 2005);
//! the ranks are ours. What is here is derived from the history and can be made of it again at any time: the
//! numbers as `f32`, and values and means in order, so that the nearest is next to where a number would stand.
//! Shapes are compared one by one, 64 at a time; a block is left as soon as a few panes show that none in it
//! can be near enough.

use super::steps::Step;

/// Panes of a shape: an hour.
pub const SHAPE_PANES: usize = 12;

/// Panes of a mean: two hours.
pub const MEAN_PANES: usize = 24;

/// Of which at least as many must have been measured.
pub const MEAN_PANES_MIN: usize = 12;

/// How much further back than the horizon the oldest mean and shape reach.
pub const REACH_PANES: usize = SHAPE_PANES + MEAN_PANES;

/// Earlier values from which on a value has a distance.
pub const VALUES_MIN: usize = 100;

/// Earlier shapes from which on a shape has one.
pub const SHAPES_MIN: usize = 60;

/// Earlier means from which on a mean has one.
pub const MEANS_MIN: usize = 60;

/// How many shapes must be near: two like it are not usual yet.
const NEAR: usize = 3;

/// Shapes compared at a time.
const BLOCK: usize = 64;

/// After how many panes a block is asked whether any of it can still be near.
const PANES_FIRST: usize = 4;

/// The mean of the panes that were measured, as a step; absent if too few were.
pub fn mean(panes: &[f32]) -> Step {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in panes.iter().filter(|value| value.is_finite()) {
        sum += f64::from(*value);
        count += 1;
    }
    if count < MEAN_PANES_MIN {
        return Step::ABSENT;
    }
    Step::of(sum / count as f64)
}

/// The history, so arranged that distances are quick.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// The numbers of the last panes, infinite where absent; only the end of it is history.
    numbers: Vec<f32>,
    /// How many panes there ever were, up to what is kept.
    panes: usize,
    /// How many panes back a pane is compared with.
    horizon: usize,
    values: Sorted,
    means: Sorted,
    /// How many whole shapes end inside the history and before the newest one.
    shapes: usize,
}

/// The distances of one pane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Away {
    pub(super) value: Option<f32>,
    pub(super) shape: Option<f32>,
    pub(super) hours: Option<f32>,
}

impl Reference {
    pub(super) fn of(horizon: usize, steps: impl Iterator<Item = Step>) -> Reference {
        let numbers: Vec<f32> = steps.map(Step::or_far).collect();
        let (values, means) = (Sorted::default(), Sorted::default());
        let panes = numbers.len();
        let mut reference = Reference { numbers, panes, horizon, values, means, shapes: 0 };
        reference.arrange();
        reference
    }

    /// Arranges what the newest pane was compared with, and that pane.
    fn arrange(&mut self) {
        let Some(newest) = self.numbers.len().checked_sub(1) else { return };
        let oldest = newest.saturating_sub(self.horizon);
        self.values = Sorted::of(self.numbers[oldest..].iter().map(|number| step(*number)));
        let means = oldest..(newest + 1).saturating_sub(MEAN_PANES);
        self.means = Sorted::of(means.map(|at| self.mean_at(at)));
        let oldest = newest.saturating_sub(self.horizon + SHAPE_PANES);
        let shapes = oldest..(newest + 1).saturating_sub(SHAPE_PANES);
        self.shapes = shapes.filter(|at| self.is_shape(*at)).count();
    }

    /// The mean of the panes that end at `at`; absent before there are that many.
    fn mean_at(&self, at: usize) -> Step {
        match (at + 1).checked_sub(MEAN_PANES) {
            Some(from) => mean(&self.numbers[from..=at]),
            None => Step::ABSENT,
        }
    }

    /// Whether all panes of the shape that ends at `at` were measured.
    fn is_shape(&self, at: usize) -> bool {
        let from = (at + 1).checked_sub(SHAPE_PANES);
        from.is_some_and(|from| self.numbers[from..=at].iter().all(|number| number.is_finite()))
    }

    /// Takes the next pane in, and says how far it is from those before.
    pub(super) fn push(&mut self, pane: Step) -> Away {
        let kept = self.horizon + REACH_PANES;
        if self.numbers.len() > kept + kept / 8 {
            self.numbers.drain(..self.numbers.len() - kept);
        }
        self.numbers.push(pane.or_far());
        self.panes = (self.panes + 1).min(kept);
        let now = self.numbers.len() - 1;
        self.slide(now);
        let away = Away { value: self.value(now), shape: self.shape(now), hours: self.hours(now) };
        self.values.insert(pane);
        away
    }

    /// Lets in what is old enough to be compared with the pane at `now`, and out what is too old.
    fn slide(&mut self, now: usize) {
        let back = |panes: usize| now.checked_sub(panes).filter(|_| panes < self.panes);
        if let Some(gone) = back(self.horizon + 1) {
            self.values.remove(step(self.numbers[gone]));
            let mean = self.mean_at(gone);
            self.means.remove(mean);
        }
        if let Some(come) = back(MEAN_PANES) {
            let mean = self.mean_at(come);
            self.means.insert(mean);
        }
        let shape = |at: Option<usize>| usize::from(at.is_some_and(|at| self.is_shape(at)));
        let (come, gone) = (shape(back(SHAPE_PANES)), shape(back(self.horizon + SHAPE_PANES + 1)));
        self.shapes = self.shapes + come - gone;
    }

    fn value(&self, now: usize) -> Option<f32> {
        (self.values.len() >= VALUES_MIN).then(|| self.values.nearest(step(self.numbers[now])))?
    }

    fn hours(&self, now: usize) -> Option<f32> {
        (self.means.len() >= MEANS_MIN).then(|| self.means.nearest(self.mean_at(now)))?
    }

    /// The distance to the third nearest shape.
    fn shape(&self, now: usize) -> Option<f32> {
        let enough = self.shapes >= SHAPES_MIN && self.values.len() >= VALUES_MIN;
        if !enough || !self.is_shape(now) {
            return None;
        }
        let oldest = now + 1 - self.panes;
        let last = now - SHAPE_PANES;
        let first = (now.saturating_sub(self.horizon + SHAPE_PANES)).max(oldest + SHAPE_PANES - 1);
        let shape: &[f32; SHAPE_PANES] =
            self.numbers[now + 1 - SHAPE_PANES..=now].try_into().ok()?;
        Some(near(&self.numbers[first + 1 - SHAPE_PANES..=last], shape))
    }
}

/// The step of a number that came of one.
fn step(number: f32) -> Step {
    match number.is_finite() {
        true => Step::of(f64::from(number)),
        false => Step::ABSENT,
    }
}

/// The distance of `shape` to the third nearest of the shapes in `panes`.
fn near(panes: &[f32], shape: &[f32; SHAPE_PANES]) -> f32 {
    let mut nearest = [f32::INFINITY; NEAR];
    let shapes = panes.len() + 1 - SHAPE_PANES;
    let blocks = shapes / BLOCK;
    for block in (0..blocks).rev() {
        let start = shapes - (blocks - block) * BLOCK;
        let mut farthest = [0.0; BLOCK];
        widen::<BLOCK>(&mut farthest, &panes[start..], shape, 0..PANES_FIRST);
        if farthest.iter().all(|far| *far >= nearest[NEAR - 1]) {
            continue;
        }
        widen::<BLOCK>(&mut farthest, &panes[start..], shape, PANES_FIRST..SHAPE_PANES);
        keep(&mut nearest, &farthest);
        if nearest[NEAR - 1] == 0.0 {
            return 0.0;
        }
    }
    for start in 0..shapes % BLOCK {
        let mut farthest = [0.0; 1];
        widen::<1>(&mut farthest, &panes[start..], shape, 0..SHAPE_PANES);
        keep(&mut nearest, &farthest);
    }
    nearest[NEAR - 1]
}

/// Widens the largest differences of neighbouring shapes by those of some of their panes.
fn widen<const N: usize>(
    farthest: &mut [f32; N],
    panes: &[f32],
    shape: &[f32; SHAPE_PANES],
    range: std::ops::Range<usize>,
) {
    for at in range {
        let against = shape[at];
        for (far, pane) in farthest.iter_mut().zip(&panes[at..at + N]) {
            let difference = (pane - against).abs();
            // Not `max`: absent panes are infinite, never NaN, and this is one instruction.
            *far = if difference > *far { difference } else { *far };
        }
    }
}

fn keep(nearest: &mut [f32; NEAR], farthest: &[f32]) {
    for far in farthest {
        if *far < nearest[NEAR - 1] {
            nearest[NEAR - 1] = *far;
            nearest.sort_unstable_by(f32::total_cmp);
        }
    }
}

/// Steps in order; absent ones are not in it.
#[derive(Clone, Debug, Default)]
struct Sorted(Vec<Step>);

impl Sorted {
    fn of(steps: impl Iterator<Item = Step>) -> Sorted {
        let mut steps: Vec<Step> = steps.filter(|step| *step != Step::ABSENT).collect();
        steps.sort_unstable();
        Sorted(steps)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn insert(&mut self, step: Step) {
        if step != Step::ABSENT {
            let at = self.0.partition_point(|other| *other < step);
            self.0.insert(at, step);
        }
    }

    fn remove(&mut self, step: Step) {
        if let Ok(at) = self.0.binary_search(&step) {
            self.0.remove(at);
        }
    }

    /// How far the nearest is; nothing if there is none.
    fn nearest(&self, step: Step) -> Option<f32> {
        let number = step.number()?;
        let at = self.0.partition_point(|other| *other < step);
        let around = self.0[at.saturating_sub(1)..].iter().take(2);
        let far = around.filter_map(|other| other.number()).map(|other| (other - number).abs());
        far.min_by(f32::total_cmp)
    }
}
