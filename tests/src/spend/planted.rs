//! What is planted in simulated spend, and how soon it is found.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::series::{DOLLARS, Gap, PAGING, PANE, Series, Weighed, quiet_max, weigh};

use super::{DAY_PANES, Function, findings};
use crate::nab::clean::{WEEK_PANES, normal};

/// How long a planted spike lasts: an hour.
const SPIKE_PANES: usize = 12;

/// A function that serves people, often enough for its cost to be even, and a generator for what is planted in it.
fn served(seed: u64, weeks: usize) -> (Function, ChaCha8Rng) {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
    let mut function = Function::new(20 * seed + 3 + seed % 17, weeks);
    function.level = 10f64.powf(random.random_range(-1.0..0.4));
    function.each = function.level / 10f64.powf(random.random_range(1.7..4.0));
    (function, random)
}

/// The number of the first pane, counted from 1, that is raised of a function whose cost is suddenly twelve times
/// what it would be, at any age from a day to four weeks; nothing if none in the hour is.
pub fn spike(seed: u64) -> Option<usize> {
    let (mut function, mut random) = served(seed, 4);
    let from = random.random_range(DAY_PANES..4 * WEEK_PANES - SPIKE_PANES);
    let mut series = Series::new(PANE, Gap::Zero);
    for pane in 0..from {
        series.close(pane as i64, Some(function.dollars(pane))).expect("in order");
    }
    (0..SPIKE_PANES)
        .position(|at| {
            let pane = from + at;
            series.close(pane as i64, Some(12.0 * function.dollars(pane))).expect("in order");
            is_raised(weigh(&series, &DOLLARS))
        })
        .map(|at| at + 1)
}

fn is_raised(weighed: Option<Weighed>) -> bool {
    weighed.is_some_and(|weighed| weighed.raised.at_once())
}

/// Likewise of a 95th percentile of durations that goes from three seconds to thirty, where in three of ten panes
/// there is no invocation; of the panes in which there is one.
pub fn longer(seed: u64) -> Option<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let from = random.random_range(DAY_PANES..4 * WEEK_PANES);
    let mut series = Series::new(PANE, Gap::Absent);
    let mut measured = 0;
    for pane in 0..from + 24 {
        let ms =
            3_000.0 * (0.25 * normal(&mut random)).exp() * if pane < from { 1.0 } else { 10.0 };
        let number = (random.random::<f64>() > 0.3).then_some(ms);
        series.close(pane as i64, number).expect("in order");
        measured += usize::from(pane >= from && number.is_some());
        if pane >= from && number.is_some() && is_raised(weigh(&series, &PAGING)) {
            return Some(measured);
        }
    }
    None
}

/// The day, counted from 1, at whose end a growth of two per cent a day is found that begins after four weeks. No
/// deployment makes it cheaper or dearer meanwhile, or in the two weeks before, and no holiday, which can make it a
/// day later.
pub fn creep(seed: u64) -> Option<usize> {
    let (mut function, _) = served(seed, 7);
    let (start, days) = (4 * WEEK_PANES, 14);
    // A week of it must come to five dollars a day.
    (function.level, function.each) = (3.0 * function.level, 3.0 * function.each);
    function.holidays.retain(|pane| *pane < start);
    function.deployments.retain(|(pane, _)| *pane < start - 2 * WEEK_PANES);
    // The pane after a day decides about it, so that one more is needed.
    let dollars = (0..start + days * DAY_PANES + 1).map(|pane| {
        let day = (pane + DAY_PANES).saturating_sub(start) / DAY_PANES;
        function.dollars(pane) * 1.02f64.powi(day as i32)
    });
    let found = findings(dollars).into_iter().find(|finding| finding.pane >= start)?;
    Some(((found.pane - start) / DAY_PANES).max(1))
}

/// Incidents of one pane: how many, how many of them raised, and how many above what was said beforehand to be the
/// most that goes unalerted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Incidents {
    /// Planted.
    pub planted: usize,
    /// Of them raised.
    pub raised: usize,
    /// Above the bound of the moment.
    pub above: usize,
    /// Above the bound, and not raised: there must be none.
    pub unseen: usize,
}

/// Plants incidents in five weeks: about one a day at any time, by up to a half above the bound of the moment; and,
/// told apart, from the third week on one of one size at the same pane of four days on end.
pub fn incidents(seed: u64) -> [Incidents; 2] {
    let (mut function, mut random) = served(seed, 5);
    let mut series = Series::new(PANE, Gap::Zero);
    let mut counts = [Incidents::default(); 2];
    let (mut next, hour) = (random.random_range(6..DAY_PANES), random.random_range(0..DAY_PANES));
    for pane in 0..5 * WEEK_PANES {
        let usual = function.dollars(pane);
        let day = pane / DAY_PANES;
        let repeats = day >= 14 && day % 7 < 4 && pane % DAY_PANES == hour;
        if !repeats && pane != next {
            series.close(pane as i64, Some(usual)).expect("in order");
            continue;
        }
        let bound =
            quiet_max(&series, &DOLLARS).and_then(|quiet| quiet.bound()).expect("half an hour");
        let dollars = match repeats {
            true => usual + 15.0 * function.level + 1.0,
            false => bound * random.random_range(1.002..1.5),
        };
        if pane == next {
            next += random.random_range(DAY_PANES / 2..DAY_PANES * 3 / 2);
        }
        series.close(pane as i64, Some(dollars)).expect("in order");
        let raised = is_raised(weigh(&series, &DOLLARS));
        let above = dollars > bound * 1.001;
        let count = &mut counts[usize::from(repeats)];
        count.planted += 1;
        count.raised += usize::from(raised);
        count.above += usize::from(above);
        count.unseen += usize::from(above && !raised);
    }
    counts
}
