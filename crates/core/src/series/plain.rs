//! The same by definition, slowly: what `Series` must agree with, and its laws. In tests a series looks back on
//! a few hundred panes, so that it slides over its whole length many times.

use proptest::prelude::*;

use super::novelty::{MEAN_PANES, MEANS_MIN, SHAPE_PANES, SHAPES_MIN, VALUES_MIN, mean};
use super::rank::{COMMON, DISTANCES_MIN, Rank, rank};
use super::steps::Step;
use super::*;

const HORIZON: usize = 300;

/// The distances by value, shape and hours of pane `i`.
fn away(steps: &[Step], horizon: usize, i: usize) -> [Option<f32>; 3] {
    let numbers: Vec<f32> = steps.iter().map(|step| step.or_far()).collect();
    let back = |panes: usize| i.saturating_sub(panes);
    let value = {
        let before: Vec<f32> =
            numbers[back(horizon)..i].iter().copied().filter(|n| n.is_finite()).collect();
        let enough = before.len() >= VALUES_MIN && numbers[i].is_finite();
        (enough, before)
    };
    let nearest = |before: &[f32], number: f32| {
        before.iter().map(|other| (other - number).abs()).min_by(f32::total_cmp)
    };
    let mean_at = |j: usize| match j + 1 >= MEAN_PANES {
        true => mean(&numbers[j + 1 - MEAN_PANES..=j]).number(),
        false => None,
    };
    let hours = (i >= MEAN_PANES).then(|| {
        let means: Vec<f32> = (back(horizon)..=i - MEAN_PANES).filter_map(mean_at).collect();
        let now = mean_at(i).filter(|_| means.len() >= MEANS_MIN);
        now.and_then(|now| nearest(&means, now))
    });
    let shape_at = |j: usize| match j + 1 >= SHAPE_PANES {
        true => Some(&numbers[j + 1 - SHAPE_PANES..=j]).filter(|s| s.iter().all(|n| n.is_finite())),
        false => None,
    };
    let shape = shape_at(i).filter(|_| i >= SHAPE_PANES && value.1.len() >= VALUES_MIN);
    let shape = shape.and_then(|now| {
        let before = (back(horizon + SHAPE_PANES)..=i - SHAPE_PANES).filter_map(shape_at);
        let farthest =
            |other: &[f32]| other.iter().zip(now).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let mut far: Vec<f32> = before.map(farthest).collect();
        far.sort_by(f32::total_cmp);
        (far.len() >= SHAPES_MIN).then(|| far[2])
    });
    [value.0.then(|| nearest(&value.1, numbers[i])).flatten(), shape, hours.flatten()]
}

/// The ranks of every pane.
fn ranks(steps: &[Step], horizon: usize) -> Vec<[Option<Rank>; 3]> {
    let all: Vec<[Option<f32>; 3]> = (0..steps.len()).map(|i| away(steps, horizon, i)).collect();
    let of = |i: usize, channel: usize| {
        let distance = all[i][channel]?;
        let before = &all[(i + 1).saturating_sub(horizon)..i];
        let before: Vec<f32> = before.iter().filter_map(|d| d[channel]).collect();
        let as_far = before.iter().filter(|other| **other >= distance).count().min(COMMON);
        let of = before.len();
        let rank = rank(distance, as_far, of);
        (of >= DISTANCES_MIN).then_some(Rank { distance, as_far, of, rank })
    };
    (0..steps.len()).map(|i| [0, 1, 2].map(|channel| of(i, channel))).collect()
}

fn of_novelty(novelty: Novelty) -> [Option<Rank>; 3] {
    [novelty.value, novelty.shape, novelty.hours]
}

/// What a stretch is like, how long, on which level, and a seed.
type Run = (usize, usize, u32, u64);

/// Runs of noise on a few levels, of constants and of nothing, so that ties, jumps and gaps all happen.
fn runs() -> impl Strategy<Value = Vec<Run>> {
    proptest::collection::vec((0usize..6, 1usize..90, 0u32..5, any::<u64>()), 12..24)
}

fn numbers(runs: &[Run]) -> Vec<Option<f64>> {
    let mut all = Vec::new();
    for (kind, length, level, seed) in runs.iter().copied() {
        let mut state = seed | 1;
        for _ in 0..length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = (state >> 40) as f64 / (1u64 << 24) as f64;
            all.push(match kind {
                0 => Some(f64::from(level)),
                1 if noise < 0.1 => None,
                2 if length < 20 => None,
                3 => Some(10f64.powi(level as i32) * noise),
                _ => Some(f64::from(level * 10) + noise),
            });
        }
    }
    all
}

fn steps(numbers: &[Option<f64>]) -> Vec<Step> {
    numbers.iter().map(|number| number.map_or(Step::ABSENT, Step::of)).collect()
}

/// Of panes so narrow that no day is over.
fn small() -> Series {
    Series::looking_back(HORIZON, Span::seconds(1), Gap::Absent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_quick_ranks_are_the_plain_ones(runs in runs()) {
        let numbers = numbers(&runs);
        let plain = ranks(&steps(&numbers), HORIZON);
        let mut series = small();
        for (pane, (number, plain)) in numbers.iter().zip(plain).enumerate() {
            series.close(pane as i64, *number).expect("in order");
            let quick = of_novelty(series.novelty());
            prop_assert!(quick == plain, "pane {}: {:?} and not {:?}", pane, quick, plain);
        }
    }

    #[test]
    fn a_cold_start_says_what_a_process_that_never_stopped_says(
        runs in runs(),
        stop in 0.0f64..1.0,
    ) {
        let numbers = numbers(&runs);
        let stop = (numbers.len() as f64 * stop) as usize;
        let mut series = small();
        let mut stored = small();
        for (pane, number) in numbers.iter().enumerate() {
            series.close(pane as i64, *number).expect("in order");
            if pane < stop {
                stored.close(pane as i64, *number).expect("in order");
            }
        }
        let bytes = stored.to_bytes();
        prop_assert!(bytes.len() <= STORED_BYTES_MAX);
        let mut stored = Series::read(HORIZON, &bytes).expect("a series");
        prop_assert!(stored.to_bytes() == bytes, "bytes");
        for (pane, number) in numbers.iter().enumerate().skip(stop) {
            stored.close(pane as i64, *number).expect("in order");
            if pane % 7 == 0 {
                stored.rest();
            }
        }
        prop_assert!(weigh(&stored, &PAGING) == weigh(&series, &PAGING), "weighed");
        prop_assert_eq!(quiet_max(&stored, &PAGING), quiet_max(&series, &PAGING));
        // And from the numbers alone, of twice the horizon and what the oldest mean and shape reach back.
        let enough = 2 * HORIZON + novelty::REACH_PANES;
        let mut late = small();
        for (pane, number) in numbers.iter().enumerate().skip(numbers.len().saturating_sub(enough)) {
            late.close(pane as i64, *number).expect("in order");
        }
        prop_assert!(late.novelty() == series.novelty(), "{:?} {:?}", late.novelty(), series.novelty());
    }

    #[test]
    fn whatever_is_above_the_quiet_maximum_is_raised(runs in runs(), above in 1.002f64..3.0) {
        let numbers = numbers(&runs);
        let settings = Settings { threshold: 4.0, ..PAGING };
        let mut series = small();
        for (pane, number) in numbers.iter().enumerate() {
            let bound = quiet_max(&series, &settings).and_then(|quiet| quiet.bound());
            if let Some(bound) = bound && pane % 5 == 0 {
                let mut next = series.clone();
                next.close(pane as i64, Some((bound * above).max(0.01))).expect("in order");
                let weighed = weigh(&next, &settings).expect("measured");
                prop_assert!(weighed.raised.at_once(), "{} above {}: {:?}", above, bound, weighed);
            }
            series.close(pane as i64, *number).expect("in order");
        }
    }
}
