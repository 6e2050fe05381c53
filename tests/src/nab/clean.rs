//! Clean synthetic series: nothing is wrong in them, and what is raised all the same is the price of a threshold.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::series::{Gap, PANE, Series, Settings, episode, weigh};

/// Panes in a week.
pub const WEEK_PANES: usize = 7 * 24 * 12;

/// What a clean series is like.
pub const KINDS: [&str; 5] = [
    "noise around a level",
    "noise that lingers",
    "a daily season",
    "a week of shops",
    "a trickle",
];

/// How often series of one kind are raised in a week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raised {
    /// Episodes by the novelty score alone, in both directions.
    pub novel: f64,
    /// Episodes with all that a setting asks for.
    pub told: f64,
}

/// A normal deviate, by Box and Muller.
pub fn normal(random: &mut impl Rng) -> f64 {
    let (radius, angle) = (1.0 - random.random::<f64>(), random.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// How busy a shop is at a pane, 1 on average: quiet nights, quieter weekends.
pub fn busy(pane: usize) -> f64 {
    let hour = pane as f64 / 12.0;
    let day = 1.0 - 0.8 * (std::f64::consts::TAU * (hour - 2.0) / 24.0).cos();
    // Pane 0 is a Thursday, as 1970 began.
    let weekend = matches!((pane / (24 * 12)) % 7, 2 | 3);
    day * if weekend { 0.6 } else { 1.16 }
}

/// A series of a kind, by its place in [`KINDS`].
pub fn series(kind: usize, seed: u64, panes: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed * 10 + kind as u64);
    let mut lingers = 0.0;
    let mut pane = |pane: usize| {
        let noise = normal(&mut random);
        lingers = 0.95 * lingers + noise;
        match kind {
            0 => 100.0 + 10.0 * noise,
            1 => 100.0 + 3.0 * lingers,
            2 => 100.0 * busy(pane % (24 * 12)) + 5.0 * noise,
            3 => 100.0 * busy(pane) * (0.1 * noise).exp(),
            // Calls that come one by one: the number of them, about four a pane.
            _ => (4.0 * busy(pane) + 2.0 * busy(pane).sqrt() * noise).round().max(0.0),
        }
    };
    (0..panes).map(&mut pane).collect()
}

/// Episodes a series and week by each of some settings.
pub fn raised(kind: usize, seeds: u64, weeks: usize, settings: &[Settings]) -> Vec<Raised> {
    let mut counts = vec![(0usize, 0usize); settings.len()];
    for seed in 0..seeds {
        let mut state = vec![(None, None); settings.len()];
        let mut history = Series::new(PANE, Gap::Zero);
        for (pane, number) in series(kind, seed, weeks * WEEK_PANES).into_iter().enumerate() {
            let pane = pane as i64;
            history.close(pane, Some(number)).expect("in order");
            for ((setting, state), count) in settings.iter().zip(&mut state).zip(&mut counts) {
                let Some(weighed) = weigh(&history, setting) else { continue };
                let lasts = state.0.is_some_and(|opened| episode::lasts(opened, pane, PANE));
                if weighed.novelty.score() >= setting.threshold && !lasts {
                    state.0 = Some(pane);
                    count.0 += 1;
                }
                if let Some((news, told)) = episode::news(state.1, &weighed, PANE) {
                    state.1 = Some(told);
                    count.1 += usize::from(news == episode::News::Opens);
                }
            }
        }
    }
    let each = |count: usize| count as f64 / (seeds as usize * weeks) as f64;
    counts
        .into_iter()
        .map(|(novel, told)| Raised { novel: each(novel), told: each(told) })
        .collect()
}
