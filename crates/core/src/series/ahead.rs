//! What usually comes in the panes to come, of a number that adds up: so a month's end is told before it is there.
//!
//! The days before a pane are taken as they lie before it, each of 24 hours, and not from midnight on: so the rest of
//! this day and the days behind it are looked for at the same times of day. A day to come is taken to be
//!
//! - from seven days on the same day of the last week, but no more than [`DAY_TIMES`] times the middle one of that
//!   week, unless the same day a week earlier came to more: one spike does not come again each week, what
//!   comes each week does;
//! - from two days on the middle one of those there are; of an even number the lower;
//! - of less than two days, the middle one of the last 24 hours, each hour alike.
//!
//! A lasting change counts in full once it has lasted for four days. It is a function of the numbers of two weeks;
//! nothing is learnt. Where there is a job now and then its day counts as a whole, so that it does not matter which
//! panes it is in, as it would in a sum of medians of hours.

use super::history::History;
use crate::time::Span;

/// How many times the middle day of a week a day of it counts at most, where the week before does not bear it out.
pub const DAY_TIMES: f64 = 1.25;

/// Days of a week.
const WEEK: usize = 7;

const DAY_HOURS: usize = 24;

/// Hours that anything is taken from.
pub(crate) const HOURS_MAX: usize = 2 * WEEK * DAY_HOURS;

const HOUR: i64 = 3_600_000;

/// What is taken to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each day of the last week.
    Weekdays,
    /// The middle one of so many days, two to six.
    Days(u8),
    /// The middle one of so many hours, 24 at most.
    Hours(u8),
}

/// What usually comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Ahead {
    /// From what it is taken.
    pub pace: Pace,
    /// Of each hour to come; the last may be shorter.
    pub hours: Vec<f64>,
}

impl Ahead {
    /// All of it together.
    pub fn sum(&self) -> f64 {
        self.hours.iter().sum()
    }

    /// In which of the hours it comes to more than `amount`.
    pub fn reaches(&self, amount: f64) -> Option<usize> {
        let mut sum = 0.0;
        self.hours.iter().position(|hour| {
            sum += hour;
            sum > amount
        })
    }

    /// The panes behind `pane` and before `end`; nothing in the first hour of a history.
    pub(super) fn of(history: &History, pane: i64, end: i64, width: Span) -> Option<Ahead> {
        let (first, _) = history.iter().next()?;
        let in_hour = (HOUR / width.0).max(1);
        let known = usize::try_from((pane + 1 - first).div_euclid(in_hour)).ok()?;
        // By hours, the last first.
        let before = (0..known.min(HOURS_MAX) as i64).map(|back| {
            let from = pane + 1 - (back + 1) * in_hour;
            (from..from + in_hour).filter_map(|at| history.at(at).number()).map(f64::from).sum()
        });
        let before: Vec<f64> = before.collect();
        let to_come = (end - pane - 1).max(0) as f64 / in_hour as f64;
        Ahead::of_hours(&before, 0.0, to_come)
    }

    /// What usually comes in `to_come` hours behind those of `before`, the last of which comes first there; of the first
    /// hour to come the share `passed` is over, and is left out. Nothing before the first hour.
    pub(crate) fn of_hours(before: &[f64], passed: f64, to_come: f64) -> Option<Ahead> {
        let pace = match before.len() {
            0 => return None,
            few if few < 2 * DAY_HOURS => Pace::Hours(few.min(DAY_HOURS) as u8),
            some if some < WEEK * DAY_HOURS => Pace::Days((some / DAY_HOURS) as u8),
            _ => Pace::Weekdays,
        };
        let usual = usual(pace, before);
        let hours = (0..to_come.ceil() as usize).map(|at| {
            let share = (to_come - at as f64).min(1.0) - if at == 0 { passed } else { 0.0 };
            usual[at % usual.len()] * share.max(0.0)
        });
        Some(Ahead { pace, hours: hours.collect() })
    }
}

/// The hours that come again and again, from hours before, the last first.
fn usual(pace: Pace, before: &[f64]) -> Vec<f64> {
    let day = |ago: usize| before.get(ago * DAY_HOURS..(ago + 1) * DAY_HOURS);
    let total = |ago: usize| day(ago).map(|hours| hours.iter().sum::<f64>());
    let in_order = |ago: usize| day(ago).unwrap_or_default().iter().rev().copied();
    match pace {
        Pace::Hours(hours) => vec![lower_middle(&before[..usize::from(hours)])],
        Pace::Days(days) => {
            let totals: Vec<f64> = (0..usize::from(days)).filter_map(total).collect();
            let middle = lower_middle(&totals);
            let ago = totals.iter().position(|total| *total == middle).unwrap_or(0);
            in_order(ago).collect()
        }
        Pace::Weekdays => {
            let totals: Vec<f64> = (0..WEEK).filter_map(total).collect();
            let most = DAY_TIMES * lower_middle(&totals);
            let days = (0..WEEK).rev().flat_map(|ago| {
                let borne_out = most.max(total(ago + WEEK).unwrap_or(0.0));
                let share = if totals[ago] > borne_out { borne_out / totals[ago] } else { 1.0 };
                in_order(ago).map(move |hour| hour * share)
            });
            days.collect()
        }
    }
}

/// The middle one of some numbers; of an even number of them the lower.
fn lower_middle(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Gap, PANE, Series};

    const DAY: i64 = 288;

    /// What comes in `days` days behind so many days, each pane of which is what `number` says.
    fn ahead(panes: i64, days: i64, number: impl Fn(i64) -> f64) -> Option<Ahead> {
        let mut series = Series::new(PANE, Gap::Zero);
        for pane in 0..panes {
            series.close(pane, Some(number(pane))).expect("in order");
        }
        series.ahead(panes - 1, panes + days * DAY)
    }

    fn sum(panes: i64, days: i64, number: impl Fn(i64) -> f64) -> f64 {
        ahead(panes, days, number).expect("there is an hour").sum()
    }

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 0.01, "{found} for {expected}");
    }

    #[test]
    fn what_goes_on_as_it_did_comes_to_as_much() {
        assert_eq!(ahead(11, 1, |_| 1.0), None);
        for (panes, pace) in [
            (12, Pace::Hours(1)),
            (40, Pace::Hours(3)),
            (DAY * 2 - 1, Pace::Hours(24)),
            (DAY * 2, Pace::Days(2)),
            (DAY * 6 + 200, Pace::Days(6)),
            (DAY * 7, Pace::Weekdays),
            (DAY * 30 + 77, Pace::Weekdays),
        ] {
            let ahead = ahead(panes, 10, |_| 2.0).expect("there is an hour");
            assert_eq!(ahead.pace, pace, "{panes}");
            near(ahead.sum(), 2.0 * 10.0 * DAY as f64);
        }
    }

    #[test]
    fn days_and_weeks_come_again_wherever_they_begin() {
        // Busy from nine to five, on five of seven days; and a job for ten minutes of each night.
        let of = |pane: i64| match (pane / DAY % 7, pane % DAY) {
            (_, 30..32) => 100.0,
            (0..5, 108..204) => 5.0,
            _ => 0.5,
        };
        let expected = |panes: i64, days: i64| -> f64 { (panes..panes + days * DAY).map(of).sum() };
        for panes in [DAY * 7 + 40, DAY * 9, DAY * 12 + 150, DAY * 20 + 31] {
            for days in [1, 3, 7, 17] {
                near(sum(panes, days, of), expected(panes, days));
            }
        }
    }

    #[test]
    fn one_spike_does_not_come_again_and_what_comes_each_week_does() {
        // An hour of fifty times as much: two days' worth.
        for panes in [DAY + 100, DAY * 2 + 100, DAY * 5, DAY * 8, DAY * 20] {
            let spike =
                |pane: i64| if (panes - 60..panes - 48).contains(&pane) { 50.0 } else { 1.0 };
            let (found, usual) = (sum(panes, 14, spike), 14.0 * DAY as f64);
            assert!((usual * 0.99..usual * 1.04).contains(&found), "{panes}: {found} for {usual}");
        }
        let weekly = |pane: i64| if pane % (7 * DAY) == 100 { 3_000.0 } else { 1.0 };
        near(sum(DAY * 20, 14, weekly), 14.0 * DAY as f64 + 6_000.0);
    }

    #[test]
    fn a_lasting_change_counts_in_full_after_four_days() {
        let doubled = |pane: i64| if pane < 20 * DAY { 1.0 } else { 2.0 };
        let per_day = |days: i64| sum(days * DAY, 7, doubled) / 7.0 / DAY as f64;
        assert!(per_day(21) < 1.05);
        near(per_day(24), (4.0 * 2.0 + 3.0) / 7.0);
        near(per_day(27), 2.0);
    }

    #[test]
    fn it_is_said_when_it_comes_to_how_much() {
        let ahead = ahead(DAY * 9, 2, |_| 1.0).expect("a week");
        assert_eq!(ahead.hours.len(), 48);
        assert_eq!(
            [0.0, 30.0, 575.0, 600.0].map(|amount| ahead.reaches(amount)),
            [Some(0), Some(2), Some(47), None]
        );
        // Of an hour that goes on only what is left of it is to come.
        let usual = [12.0; HOURS_MAX];
        let quarter_to = Ahead::of_hours(&usual, 0.75, 48.0).expect("two weeks");
        assert_eq!((quarter_to.hours.len(), quarter_to.sum()), (48, 47.25 * 12.0));
        assert_eq!(ahead.pace, Pace::Weekdays);
    }
}
