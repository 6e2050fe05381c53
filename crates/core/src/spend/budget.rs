//! Budgets: what may be spent in a calendar month (UTC), by each function or by all together; and how far along one is.
//!
//! What is spent is the sum of the panes of the month that are over, as their series keep them (off by
//! [`crate::series::steps::ERROR`] at most); what is to come is what usually does ([`crate::series::ahead`]). Nothing
//! is kept for it besides the series, so that both homes say the same.

use std::fmt;
use std::sync::Arc;

use crate::meter::book::FINE;
use crate::meter::ledger::Function;
use crate::series::ahead::Pace;
use crate::time::{Span, Time};

const DAY: i64 = 24 * 60 * 60_000;

/// A calendar month, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// The year.
    pub year: i32,
    /// From 1 to 12.
    pub month: u8,
}

/// What a function may cost, by its name, if that is stated.
pub type OfFunction = dyn Fn(&str) -> Option<f64> + Send + Sync;

/// Who may spend how much, in dollars a calendar month.
#[derive(Clone)]
pub struct Budgets {
    /// A function, by its name.
    pub of: Arc<OfFunction>,
    /// All functions that are watched, together.
    pub all: Option<f64>,
}

/// How far along a budget is.
#[derive(Clone, Debug, PartialEq)]
pub struct Burn {
    /// Dollars a month.
    pub budget: f64,
    /// Whether it is that of all functions together.
    pub of_all: bool,
    /// Which month.
    pub month: Month,
    /// From when on reports are counted, where the month began before.
    pub since: Option<Time>,
    /// Dollars so far.
    pub spent: f64,
    /// Dollars by the end of the month, if it goes on; nothing where it is over, or too little is known.
    pub projected: Option<f64>,
    /// What goes on.
    pub pace: Option<Pace>,
    /// When the budget is used up, if that lies ahead and in the month.
    pub used_up: Option<Time>,
    /// Of all functions together: those with most of what is spent, the first with most.
    pub most: Vec<(Function, f64)>,
}

/// Functions that are named with most of what is spent.
pub const MOST_NAMED: usize = 5;

impl Month {
    /// The month that holds a time. The way from days to years is that of Howard Hinnant ("chrono-Compatible Low-Level
    /// Date Algorithms", `civil_from_days`): years begin in March, so that the day that may be missing is the last.
    pub fn of(time: Time) -> Month {
        let days = time.0.div_euclid(DAY) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096).div_euclid(365);
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Month { year: year as i32, month: month as u8 }
    }

    /// Its first moment; the same algorithms' `days_from_civil`.
    pub fn start(self) -> Time {
        let (year, month) =
            (i64::from(self.year) - i64::from(self.month <= 2), i64::from(self.month));
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = if month > 2 { month - 3 } else { month + 9 };
        let of_year = (153 * from_march + 2) / 5;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        Time((era * 146_097 + of_era - 719_468) * DAY)
    }

    /// The one behind it.
    pub fn next(self) -> Month {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { month: month + 1, ..self },
        }
    }

    /// The first moment behind it.
    pub fn end(self) -> Time {
        self.next().start()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        NAMES[usize::from(self.month - 1) % NAMES.len()]
    }

    /// Its first pane, and that behind its last.
    pub(crate) fn panes(self) -> (i64, i64) {
        (self.start().0 / FINE.0, self.end().0 / FINE.0)
    }

    /// The day of the month that holds a time, where it is in the month.
    pub fn day(self, time: Time) -> i64 {
        (time.0 - self.start().0).div_euclid(DAY) + 1
    }
}

/// None is stated.
impl Default for Budgets {
    fn default() -> Budgets {
        Budgets { of: Arc::new(|_| None), all: None }
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("all", &self.all).finish_non_exhaustive()
    }
}

impl Burn {
    /// What is spent, and what of the budget that is.
    pub fn spent_share(&self) -> f64 {
        self.spent / self.budget
    }

    /// What is projected, of the budget, where a whole day is known: days have hours of their own.
    pub fn projected_share(&self) -> Option<f64> {
        let told = match self.pace? {
            Pace::Weekdays | Pace::Days(_) => true,
            Pace::Hours(hours) => hours >= 24,
        };
        self.projected.filter(|_| told).map(|projected| projected / self.budget)
    }
}

/// Whether a pane is the last of an hour: then it is asked what comes until the month ends.
pub(crate) fn ends_hour(pane: i64) -> bool {
    (pane + 1).rem_euclid(Span::minutes(60).0 / FINE.0) == 0
}

/// From when on is counted, where the month began before; days matter, not hours.
pub(crate) fn since(month: Month, first: Time) -> Option<Time> {
    (first >= month.start().plus(Span(DAY))).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let cases = [
            (1970, 1, 0),
            (2000, 2, 949_363_200_000),
            (2024, 2, 1_706_745_600_000),
            (2024, 3, 1_709_251_200_000),
            (2026, 1, 1_767_225_600_000),
            (2026, 11, 1_793_491_200_000),
            (2100, 3, 4_107_542_400_000),
        ];
        for (year, month, start) in cases {
            let month = Month { year, month };
            assert_eq!(month.start(), Time(start), "{month:?}");
            assert_eq!(Month::of(Time(start)), month);
            assert_ne!(Month::of(Time(start - 1)), month);
        }
        let november = Month { year: 2026, month: 11 };
        assert_eq!((november.name(), november.day(Time(1_795_392_000_000))), ("November", 23));
    }

    proptest! {
        #[test]
        fn each_moment_is_in_one_month(time in -2_000_000_000_000i64..20_000_000_000_000) {
            let month = Month::of(Time(time));
            prop_assert!(month.start().0 <= time && time < month.end().0, "{month:?}");
            let days = (month.end().0 - month.start().0) / DAY;
            prop_assert!((28..=31).contains(&days), "{month:?}");
        }
    }
}
