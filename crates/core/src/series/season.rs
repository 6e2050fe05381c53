//! What is usual at an hour, from the days that are over.
//!
//! From two whole weeks on the hour of the week is what a pane is compared with, over the last two to four
//! weeks; from one whole day on the hour of the day; before that all there is. The less is known the farther a
//! number must be from it ([`Basis::width`]), so that nothing waits for a profile: half an hour is enough to be
//! sane. Where most panes of these days were not measured no hour has enough to be compared with, and all of two weeks is
//! what there is.
//!
//! Of an hour three numbers are kept: its median; the number 19 of 20 stay below, in it or in an hour next to
//! it; and the largest, likewise, but of all weeks (or days) save the one with the largest. So what happened in
//! one week alone is not usual, and an incident that comes again at the same hour is still one.
//!
//! A season is a function of the panes before the day it is for; nothing is learnt or moved. Days begin at
//! midnight UTC.

use super::history::History;
use super::steps::Step;
use crate::time::Span;

/// Weeks that a season looks back on.
pub const WEEKS: i64 = 4;

/// From as many whole days on there is an hour of the week.
pub const WEEK_DAYS_MIN: i64 = 14;

/// From as many panes of the same hour of the week on: two weeks of five minutes.
pub const PANES_OF_WEEK_MIN: i64 = 24;

/// From as many panes of the same hour of the day on there is an hour of the day: one day of five minutes.
pub const PANES_OF_DAY_MIN: i64 = 12;

/// With fewer panes nothing is said about what is usual.
pub const PANES_MIN: usize = 6;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// All panes of two weeks: there is no whole day yet, or most were not measured.
    Level,
    /// The same hour of each whole day, with those next to it: there are no two weeks yet.
    HourOfDay,
    /// The same hour of each whole week, with those next to it.
    HourOfWeek,
}

/// How far a number must be from what is usual to be excessive; all three count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Width {
    /// How many times the way from the median to what 19 of 20 stay below.
    pub spreads: f64,
    /// How many times the largest number that is usual.
    pub times_most: f64,
    /// How many times the median.
    pub times_usual: f64,
}

impl Basis {
    /// What so many whole days are enough for: two weeks of five minutes, one day of them, or as many panes.
    fn by(days: i64, width: Span) -> Basis {
        let panes = |rounds: i64| rounds * HOUR / width.0;
        match days {
            WEEK_DAYS_MIN.. if panes(days / 7) >= PANES_OF_WEEK_MIN => Basis::HourOfWeek,
            1.. if panes(days) >= PANES_OF_DAY_MIN => Basis::HourOfDay,
            _ => Basis::Level,
        }
    }

    /// The same, or a wider one, where not all panes of these days were measured: an hour of the week needs as many that
    /// were as two whole weeks have, but for a tenth of them.
    fn of_measured(self, measured: usize, panes: usize) -> Basis {
        let of_weeks = PANES_OF_WEEK_MIN as usize * 7 * 24;
        match self {
            _ if measured * 2 < panes => Basis::Level,
            Basis::HourOfWeek if measured * 10 < of_weeks * 9 => Basis::HourOfDay,
            basis => basis,
        }
    }

    /// Wider where less is known.
    pub const fn width(self) -> Width {
        match self {
            Basis::Level => Width { spreads: 8.0, times_most: 3.0, times_usual: 5.0 },
            Basis::HourOfDay => Width { spreads: 6.0, times_most: 2.0, times_usual: 3.0 },
            Basis::HourOfWeek => Width { spreads: 4.0, times_most: 1.5, times_usual: 2.0 },
        }
    }
}

/// What is usual at an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median.
    pub median: f64,
    /// What 19 of 20 stay below.
    pub high: f64,
    /// The largest, but for the week (or day) with the largest.
    pub most: f64,
    /// What it is taken from.
    pub basis: Basis,
    /// How many panes it is taken from.
    pub panes: usize,
}

impl Usual {
    /// The number from which on a pane is excessive.
    pub fn excessive(&self) -> f64 {
        let width = self.basis.width();
        let spread = self.median + width.spreads * (self.high - self.median);
        spread.max(width.times_most * self.most).max(width.times_usual * self.median)
    }
}

/// The profile of a day that is not over, from those that are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Season {
    /// The day, in days since 1970.
    pub(super) day: i64,
    basis: Basis,
    hours: Vec<Option<Usual>>,
}

/// The day a pane begins in.
pub(super) fn day(pane: i64, width: Span) -> i64 {
    (pane * width.0).div_euclid(DAY)
}

/// The first pane that begins in a day or later.
pub(super) fn first_of(day: i64, width: Span) -> i64 {
    (day * DAY + width.0 - 1).div_euclid(width.0)
}

/// How many whole days are kept before `today`.
pub(super) fn closed_days(history: &History, today: i64, width: Span) -> i64 {
    let Some((oldest, _)) = history.iter().next() else { return 0 };
    let first = day(oldest - 1, width) + 1;
    (today - first).max(0)
}

impl Season {
    /// The season of `today`.
    pub(super) fn of(history: &History, today: i64, width: Span) -> Season {
        let days = closed_days(history, today, width).min(WEEKS * 7);
        let panes = first_of(today - days, width)..first_of(today, width);
        let measured = panes.clone().filter(|pane| history.at(*pane) != Step::ABSENT).count();
        let basis = Basis::by(days, width).of_measured(measured, panes.count());
        let (days, cycle) = match basis {
            Basis::Level => return Season { day: today, basis, hours: Vec::new() },
            Basis::HourOfDay => (days, 24),
            Basis::HourOfWeek => (days / 7 * 7, 7 * 24),
        };
        let mut samples: Vec<Vec<(i64, f32)>> = vec![Vec::new(); cycle as usize];
        let from = first_of(today - days, width);
        for pane in from..first_of(today, width) {
            let Some(number) = history.at(pane).number() else { continue };
            let hour = (pane * width.0).div_euclid(HOUR);
            samples[hour.rem_euclid(cycle) as usize].push((hour.div_euclid(cycle), number));
        }
        let hours: Vec<Option<Usual>> = samples.iter_mut().map(|hour| usual(hour, basis)).collect();
        let mut hours = widened(&hours);
        if let Some(most) = most_if_sparse(&mut samples) {
            hours.iter_mut().flatten().for_each(|hour| hour.most = hour.most.max(most));
        }
        Season { day: today, basis, hours }
    }

    /// What is usual in the pane `now`; nothing while too few were measured.
    pub(super) fn usual(&self, history: &History, now: i64, width: Span) -> Option<Usual> {
        if self.basis != Basis::Level {
            let hour = (now * width.0).div_euclid(HOUR).rem_euclid(self.hours.len() as i64);
            return self.hours[hour as usize];
        }
        // Two weeks of wide panes, or of those of which few were measured; else there are less than two days.
        let from = now - WEEK_DAYS_MIN * (DAY / width.0).max(1);
        // The same whether `now` is kept already or is to come, and will put out the oldest.
        let from = from.max(history.oldest_beside(now));
        let panes = history.iter().rev().skip_while(|(pane, _)| *pane >= now);
        let panes = panes.take_while(|(pane, _)| *pane >= from);
        let mut all: Vec<(i64, f32)> =
            panes.filter_map(|(pane, step)| Some((pane, step.number()?))).collect();
        usual(&mut all, Basis::Level).filter(|_| all.len() >= PANES_MIN)
    }

    /// What usually comes in some panes together, the last of which is being weighed.
    pub(super) fn sum(&self, history: &History, panes: std::ops::Range<i64>, width: Span) -> f64 {
        let median = |pane| self.usual(history, pane, width).map_or(0.0, |usual| usual.median);
        match self.basis {
            // It is the same for all of them, and dear.
            Basis::Level => median(panes.end - 1) * panes.count() as f64,
            _ => panes.map(median).sum(),
        }
    }
}

/// What is usual of numbers with the round of the cycle they are from.
fn usual(samples: &mut [(i64, f32)], basis: Basis) -> Option<Usual> {
    let most = most(samples, basis != Basis::Level)?;
    samples.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    let at =
        |share: f64| f64::from(samples[((samples.len() - 1) as f64 * share).round() as usize].1);
    Some(Usual { median: at(0.5), high: at(0.95), most, basis, panes: samples.len() })
}

/// The largest of numbers that are in order of their rounds; but for the round with the largest, if asked for
/// and there are more.
fn most(samples: &[(i64, f32)], but_one: bool) -> Option<f64> {
    let largest = |round: &[(i64, f32)]| round.iter().map(|s| s.1).fold(f32::MIN, f32::max);
    let mut rounds: Vec<f32> = samples.chunk_by(|a, b| a.0 == b.0).map(largest).collect();
    rounds.sort_unstable_by(f32::total_cmp);
    let most = match rounds.as_slice() {
        [.., second, _] if but_one => *second,
        all => *all.last()?,
    };
    Some(f64::from(most))
}

/// Where three of four panes are empty no hour has a profile of its own: the largest number of all hours, but for
/// the round with the largest.
fn most_if_sparse(samples: &mut [Vec<(i64, f32)>]) -> Option<f64> {
    let mut all: Vec<(i64, f32)> = samples.iter_mut().flat_map(std::mem::take).collect();
    let filled = all.iter().filter(|(_, number)| *number != 0.0).count();
    if filled * 4 > all.len() {
        return None;
    }
    all.sort_unstable_by_key(|(round, _)| *round);
    most(&all, true)
}

/// Each hour with what is high and most in it or next to it.
fn widened(hours: &[Option<Usual>]) -> Vec<Option<Usual>> {
    let cycle = hours.len();
    let around = |at: usize| [(at + cycle - 1) % cycle, at, (at + 1) % cycle];
    let hour = |at: usize| {
        let mut widest = hours[at]?;
        for other in around(at).into_iter().filter_map(|near| hours[near]) {
            widest.high = widest.high.max(other.high);
            widest.most = widest.most.max(other.most);
        }
        Some(widest)
    };
    (0..cycle).map(hour).collect()
}
