//! Growth too slow to be novel on any day: each of the last seven days against the same day of the week before.
//!
//! A day has risen by as much as it is above the larger of the same days one and two weeks before it, so that
//! the week after a holiday is no rise. It creeps where the middle one of the last seven rises is at least
//! [`RISE_MIN`], is [`TIMES_RESTLESS`] times as large as the changes of the seven days before differ, and six of the
//! seven days have risen by [`RISE_EACH_MIN`]: neither one dear day nor a restless series creeps. Two per cent a day
//! are told on the ninth or tenth day; what grows by less than a tenth a week is not.
//!
//! It is a function of the days that are over. Of these it needs fourteen; the third and the fourth week before
//! make it surer where they are known.

use super::history::History;
use super::season::{closed_days, first_of};
use crate::time::Span;

/// Days that are compared.
pub const DAYS: usize = 7;

/// How much the middle one of the rises must be, of the day before.
pub const RISE_MIN: f64 = 0.1;

/// How many times as large as days usually differ in how they change in a week.
pub const TIMES_RESTLESS: f64 = 3.0;

/// How much six of the seven must have risen.
pub const RISE_EACH_MIN: f64 = 0.04;

/// How many days a finding about a creep lasts at least: what creeps on is the same news.
pub const LASTS_DAYS: i64 = 28;

/// How many of the seven need not have risen.
const EXCEPTIONS: usize = 1;

/// A week against the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Creep {
    /// The mean pane of the last seven days.
    pub mean: f64,
    /// The mean pane of what they are compared with.
    pub before: f64,
    /// The middle one of the rises of single days, of the day before.
    pub rise: f64,
    /// How many of the seven days have risen.
    pub days: usize,
    /// How far the changes in a week of the seven days before are from their middle one, in the middle; of less than
    /// three weeks that is not known, and taken for as much as a rise of a fifth must be above.
    pub restless: f64,
}

impl Creep {
    /// Whether the days creep, by at least `floor` in a mean pane.
    pub fn creeps(&self, floor: f64) -> bool {
        let rises = self.rise >= RISE_MIN.max(TIMES_RESTLESS * self.restless);
        rises && self.days + EXCEPTIONS >= DAYS && self.mean - self.before >= floor
    }

    /// The last seven whole days before `today`; nothing while there are fewer than fourteen, or where one of
    /// them was not measured.
    pub(super) fn of(history: &History, today: i64, width: Span) -> Option<Creep> {
        let days = closed_days(history, today, width);
        let of = |ago: i64| (ago <= days).then(|| day_mean(history, today - ago, width))?;
        let mut rises = [0.0; DAYS];
        let (mut mean, mut before) = (0.0, 0.0);
        for (ago, rise) in (1..).zip(&mut rises) {
            let now = of(ago)?;
            let then = of(ago + 7)?.max(of(ago + 14).unwrap_or(0.0));
            *rise = if then > 0.0 { now / then - 1.0 } else { 0.0 };
            mean += now / DAYS as f64;
            before += then / DAYS as f64;
        }
        let days = rises.iter().filter(|rise| **rise >= RISE_EACH_MIN).count();
        let change = |ago: i64| Some(of(ago)? / of(ago + 7).filter(|then| *then > 0.0)? - 1.0);
        let changes: Option<Vec<f64>> = (8..8 + DAYS as i64).map(change).collect();
        let restless = changes.map_or(2.0 * RISE_MIN / TIMES_RESTLESS, |changes| {
            let usual = middle(changes.clone());
            middle(changes.iter().map(|change| (change - usual).abs()).collect())
        });
        Some(Creep { mean, before, rise: middle(rises.to_vec()), days, restless })
    }
}

/// The middle one of some numbers.
fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The mean of the panes of a day that were measured.
fn day_mean(history: &History, day: i64, width: Span) -> Option<f64> {
    let panes = first_of(day, width)..first_of(day + 1, width);
    let (mut sum, mut count) = (0.0, 0usize);
    for number in panes.filter_map(|pane| history.at(pane).number()) {
        sum += f64::from(number);
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}
