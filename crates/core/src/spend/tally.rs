//! What all functions together have spent: by hours, of two weeks, and by function, of this month.
//!
//! It is made of the panes of functions that are over, as their series keep them ([`crate::series::steps`]), each taken in
//! once: a function says up to which pane it was, and what comes again is left out. So it does not matter who takes a pane
//! in, how often, or in which order functions come; and amounts are whole numbers, so that adding them rounds nothing.
//!
//! A pane is over for all once each function has told it. What functions tell of later panes waits until then; what
//! one tells that was not waited for counts from then on, in the hour that it belongs to.
//!
//! Invariant: what is spent of a month is the sum of what functions were taken in for, less what waits.

use std::collections::BTreeMap;

use crate::limits::{FUNCTIONS_WATCHED_MAX, TALLY_NAMES_BYTES_MAX};
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::series::ahead::{Ahead, HOURS_MAX};
use crate::series::steps::Step;
use crate::spend::budget::{MOST_NAMED, Month, since};
use crate::spend::burning::Progress;
use crate::spend::course::{IDLE_PANES, PANES_AN_HOUR, start};

/// How long after its last report a function is kept: while any of its dollars is in an hour that is. One that came again
/// after it was forgotten would otherwise be counted with its past once more.
const KEPT_PANES: i64 = HOURS_MAX as i64 * PANES_AN_HOUR + IDLE_PANES;

/// Before all panes.
const NEVER: i64 = i64::MIN / 4;

/// What all functions have spent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tally {
    /// The pane of the first report of any.
    pub(crate) first: i64,
    /// The newest pane with a report of any.
    pub(crate) last: i64,
    /// The last pane that is over for all.
    pub(crate) over: i64,
    pub(crate) functions: BTreeMap<Function, Share>,
    /// Of panes up to the last one that is over, by hours since 1970.
    pub(crate) hours: BTreeMap<i64, Money>,
    /// Of panes behind that.
    pub(crate) waiting: BTreeMap<i64, Money>,
}

/// What one function has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Share {
    /// Up to this pane it was taken in.
    pub(crate) taken: i64,
    /// The newest pane with a report.
    pub(crate) last: i64,
    /// What it spent in a month, by the month's first pane.
    pub(crate) months: BTreeMap<i64, Money>,
}

/// Panes of a function that are over.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) function: Function,
    /// The pane of its first report, and the newest with one.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The last pane that is over.
    pub(crate) closed: i64,
    /// What panes came to, one after the other from this one on.
    pub(crate) from: i64,
    pub(crate) dollars: Vec<Step>,
}

impl Tally {
    /// One that has seen nothing up to a pane.
    pub(crate) fn new(over: i64) -> Tally {
        let (functions, hours, waiting) = Default::default();
        Tally { first: i64::MAX, last: NEVER, over, functions, hours, waiting }
    }

    /// Takes in the panes of a function that were not, or all that are told if it is not `guarded`. How many functions
    /// there was no room for: one or none.
    pub(crate) fn take(&mut self, told: &Told, guarded: bool) -> u64 {
        let Told { function, first, last, closed, from, dollars } = told;
        let is_known = self.functions.contains_key(function);
        // There may be room by now for one whose panes were left out for want of it.
        let is_whole = from + dollars.len() as i64 > *closed;
        if !is_known && (!is_whole || !self.has_room_for(function)) {
            return 1;
        }
        let (was_idle, is_new, over) = (self.is_idle(), self.last == NEVER, self.over);
        let share = self.functions.entry(function.clone()).or_default();
        if !is_known {
            share.taken = first - 1;
        }
        let taken = if guarded { share.taken } else { i64::MIN };
        let oldest = over.div_euclid(PANES_AN_HOUR) - HOURS_MAX as i64;
        for (pane, step) in (*from..).zip(dollars).filter(|(pane, _)| *pane > taken) {
            let amount = Money::of_dollars(f64::from(step.number().unwrap_or(0.0)));
            if amount == Money::ZERO {
                continue;
            }
            *share.months.entry(Month::of(start(pane)).panes().0).or_default() += amount;
            let hour = pane.div_euclid(PANES_AN_HOUR);
            match pane > over {
                true => *self.waiting.entry(pane).or_default() += amount,
                false if hour > oldest => *self.hours.entry(hour).or_default() += amount,
                false => {}
            }
        }
        share.taken = share.taken.max(*closed);
        share.last = share.last.max(*last);
        self.first = self.first.min(*first);
        self.last = self.last.max(*last);
        let waits = self.waiting.keys().next().copied();
        // Of a first function nothing may wait yet: what it spent is older.
        if was_idle && let Some(next) = waits.or((!is_new).then_some(*closed)) {
            // Nobody waits for the panes of a silence that was longer than functions are looked at.
            self.over = self.over.max(next.min(*closed) - 1);
            self.forget_hours();
        }
        0
    }

    /// Whether another function could be taken in.
    pub(crate) fn has_room_for(&self, function: &Function) -> bool {
        let bytes = |of: &Function| of.account.len() + of.name.len();
        let taken: usize = self.functions.keys().map(bytes).sum();
        self.functions.len() < FUNCTIONS_WATCHED_MAX
            && taken + bytes(function) <= TALLY_NAMES_BYTES_MAX
    }

    /// Up to which pane a function was taken in.
    pub(crate) fn taken(&self, function: &Function) -> Option<i64> {
        self.functions.get(function).map(|share| share.taken)
    }

    /// Whether nothing was invoked for so long that no pane is looked at any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.over - IDLE_PANES >= self.last
    }

    /// Whether the pane behind the last one that is over is still to be told by a function that told that.
    pub(crate) fn is_waiting(&self) -> bool {
        let pane = self.over + 1;
        let is_due = |share: &Share| share.taken == self.over && pane <= share.last + IDLE_PANES;
        self.functions.values().any(is_due)
    }

    /// Takes the next pane as over for all; what it came to.
    pub(crate) fn close(&mut self) -> Money {
        self.over += 1;
        let of_pane = self.waiting.remove(&self.over).unwrap_or_default();
        if of_pane != Money::ZERO {
            *self.hours.entry(self.over.div_euclid(PANES_AN_HOUR)).or_default() += of_pane;
        }
        of_pane
    }

    /// Takes all panes up to one as over for all, of which nothing is to be said any more.
    pub(crate) fn pass_to(&mut self, pane: i64) {
        let later = self.waiting.split_off(&(pane + 1));
        for (pane, amount) in std::mem::replace(&mut self.waiting, later) {
            *self.hours.entry(pane.div_euclid(PANES_AN_HOUR)).or_default() += amount;
        }
        self.over = self.over.max(pane);
        self.forget();
    }

    fn forget_hours(&mut self) {
        let oldest = self.over.div_euclid(PANES_AN_HOUR) - HOURS_MAX as i64;
        self.hours = self.hours.split_off(&oldest);
    }

    /// Lets go what no month and no pace needs, once the last pane was judged.
    pub(crate) fn forget(&mut self) {
        self.forget_hours();
        let month = Month::of(start(self.over)).panes().0;
        let over = self.over;
        self.functions.retain(|_, share| {
            share.months.retain(|of, _| *of >= month);
            !share.months.is_empty() || share.last + KEPT_PANES > over
        });
    }

    /// How far along a month is, and what comes until it ends, if that is asked for.
    pub(crate) fn progress(&self, month: Month, with_ahead: bool) -> Progress {
        let (from, end) = month.panes();
        let of_functions = self.functions.values().filter_map(|share| share.months.get(&from));
        let waiting = self.waiting.range(from..end).map(|(_, amount)| *amount).sum();
        let spent = of_functions.copied().sum::<Money>() - waiting;
        let ahead = if with_ahead { self.ahead(end) } else { None };
        Progress { month, since: since(month, start(self.first)), spent: spent.dollars(), ahead }
    }

    /// What usually comes before `end`: of whole hours by the clock, as the last two weeks had them.
    fn ahead(&self, end: i64) -> Option<Ahead> {
        let whole = |pane: i64| pane.div_euclid(PANES_AN_HOUR);
        let (first, goes_on) = (-whole(-self.first), whole(self.over + 1));
        let known = usize::try_from(goes_on - first).unwrap_or(0).min(HOURS_MAX) as i64;
        let dollars = |hour| self.hours.get(&hour).map_or(0.0, |amount| amount.dollars());
        let before: Vec<f64> = (1..=known).map(|back| dollars(goes_on - back)).collect();
        let passed = (self.over + 1).rem_euclid(PANES_AN_HOUR) as f64 / PANES_AN_HOUR as f64;
        Ahead::of_hours(&before, passed, (whole(end) - goes_on).max(0) as f64)
    }

    /// The functions with most of what was spent in a month.
    pub(crate) fn most(&self, month: Month) -> Vec<(Function, f64)> {
        let (from, _) = month.panes();
        let mut most: Vec<(&Function, Money)> = self
            .functions
            .iter()
            .filter_map(|(function, share)| Some((function, *share.months.get(&from)?)))
            .collect();
        most.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        most.truncate(MOST_NAMED);
        most.into_iter().map(|(function, amount)| (function.clone(), amount.dollars())).collect()
    }
}

/// Hours are those of the clock, and months end with one.
const _: () = assert!(PANES_AN_HOUR == 12);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::series::ahead::Pace;

    /// 2025-11-01.
    const NOVEMBER: Month = Month { year: 2025, month: 11 };

    fn told(name: &str, first: i64, panes: std::ops::Range<i64>, dollars: f64) -> Told {
        Told {
            function: Function { account: "1".into(), name: name.into() },
            first,
            last: panes.end - 1,
            closed: panes.end - 1,
            from: panes.start,
            dollars: panes.map(|_| Step::of(dollars)).collect(),
        }
    }

    fn close_up_to(tally: &mut Tally, pane: i64) {
        while tally.over < pane {
            tally.close();
            tally.forget();
        }
    }

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 0.001, "{found} for {expected}");
    }

    #[test]
    fn a_month_begins_with_nothing_and_what_came_before_it_is_in_the_pace() {
        let (from, _) = NOVEMBER.panes();
        let days = |days: i64| from + days * 288;
        let mut tally = Tally::new(days(-10) - 1);
        assert_eq!(tally.take(&told("a", days(-10), days(-10)..days(3), 1.0), true), 0);
        tally.take(&told("b", days(-10), days(-10)..days(3), 0.5), true);
        close_up_to(&mut tally, from - 1);
        let october = tally.progress(Month { year: 2025, month: 10 }, false);
        near(october.spent, 10.0 * 288.0 * 1.5);
        // What is not over for all is not spent.
        assert_eq!(tally.progress(NOVEMBER, false).spent, 0.0);
        close_up_to(&mut tally, days(3) - 1);
        let november = tally.progress(NOVEMBER, true);
        near(november.spent, 3.0 * 288.0 * 1.5);
        let ahead = november.ahead.expect("days are known");
        assert_eq!(ahead.pace, Pace::Weekdays);
        near(ahead.sum(), 27.0 * 288.0 * 1.5);
        let most = tally.most(NOVEMBER);
        assert_eq!(most.iter().map(|(of, _)| &*of.name).collect::<Vec<_>>(), ["a", "b"]);
        near(most[1].1, 3.0 * 288.0 * 0.5);
    }

    #[test]
    fn who_is_late_is_waited_for_and_counts_in_its_hours_when_it_was_not() {
        let (from, _) = NOVEMBER.panes();
        let mut tally = Tally::new(from - 1);
        tally.take(&told("a", from, from..from + 30, 1.0), true);
        tally.take(&told("b", from, from..from + 6, 1.0), true);
        close_up_to(&mut tally, from + 4);
        assert!(!tally.is_waiting());
        close_up_to(&mut tally, from + 5);
        assert!(tally.is_waiting());
        near(tally.progress(NOVEMBER, false).spent, 12.0);
        // Nobody waits any more.
        close_up_to(&mut tally, from + 23);
        assert!(!tally.is_waiting());
        near(tally.progress(NOVEMBER, false).spent, 30.0);
        tally.take(&told("b", from, from..from + 24, 1.0), true);
        assert!(tally.is_waiting());
        near(tally.progress(NOVEMBER, false).spent, 48.0);
        near(tally.hours[&(from / 12 + 1)].dollars(), 24.0);
    }

    #[test]
    fn after_a_silence_it_goes_on_with_the_next_report() {
        let (from, _) = NOVEMBER.panes();
        let mut tally = Tally::new(from - 1);
        tally.take(&told("a", from, from..from + 6, 1.0), true);
        close_up_to(&mut tally, from + 5 + IDLE_PANES);
        assert!(tally.is_idle());
        tally.take(&told("a", from, from + 3_000..from + 3_002, 1.0), true);
        assert_eq!(tally.over, from + 2_999);
        close_up_to(&mut tally, from + 3_001);
        near(tally.progress(NOVEMBER, false).spent, 8.0);
    }

    #[test]
    fn nobody_waits_through_a_silence_whose_end_is_not_over_yet() {
        let (from, _) = NOVEMBER.panes();
        let mut tally = Tally::new(from - 1);
        tally.take(&told("a", from, from..from + 6, 1.0), true);
        close_up_to(&mut tally, from + 5 + IDLE_PANES);
        // It comes in the pane behind, of which nothing is told.
        let silent =
            Told { last: from + 9_001, ..told("a", from, from + 9_000..from + 9_001, 0.0) };
        tally.take(&silent, true);
        assert_eq!((tally.over, tally.is_idle()), (from + 8_999, false));
        // The hours of before are too old to be kept beside new ones.
        assert!(tally.hours.is_empty());
        tally.take(&told("b", from + 8_990, from + 8_990..from + 9_001, 1.0), true);
        assert!(tally.hours.len() <= 2);
    }

    #[test]
    fn what_is_passed_over_is_spent_and_nothing_of_a_month_before_is_kept() {
        let (from, end) = NOVEMBER.panes();
        let mut tally = Tally::new(from - 1);
        tally.take(&told("a", from, end - 24..end + 12, 1.0), true);
        tally.pass_to(end + 5);
        let december = Month { year: 2025, month: 12 };
        near(tally.progress(december, false).spent, 6.0);
        assert_eq!(tally.progress(NOVEMBER, false).spent, 0.0);
        near(tally.hours[&(end / 12 - 1)].dollars(), 12.0);
        near(tally.hours[&(end / 12)].dollars(), 6.0);
    }

    #[test]
    fn functions_beyond_the_limit_are_refused_and_forgotten_ones_make_room() {
        let (from, _) = NOVEMBER.panes();
        let mut tally = Tally::new(from - 1);
        let name = |nth: usize| format!("f{nth}");
        for nth in 0..FUNCTIONS_WATCHED_MAX {
            assert_eq!(tally.take(&told(&name(nth), from, from..from + 1, 1.0), true), 0);
        }
        assert_eq!(tally.take(&told("g", from, from..from + 1, 1.0), true), 1);
        let refused = Told { dollars: Vec::new(), ..told("g", from, from..from + 1, 1.0) };
        close_up_to(&mut tally, from + 1);
        near(tally.progress(NOVEMBER, false).spent, FUNCTIONS_WATCHED_MAX as f64);
        close_up_to(&mut tally, NOVEMBER.panes().1);
        assert_eq!(tally.functions.len(), 0);
        assert_eq!(tally.hours.len(), 0);
        // What was left out is not taken for nothing once there is room.
        assert_eq!(tally.take(&refused, true), 1);
        assert_eq!(tally.functions.len(), 0);
    }

    proptest! {
        /// However panes are told, in whichever pieces and how often, each counts once.
        #[test]
        fn panes_count_once_in_whichever_order_they_are_told(
            pieces in prop::collection::vec((0usize..3, 0i64..60, 0i64..60), 1..40),
        ) {
            let (from, _) = NOVEMBER.panes();
            let amount = |function: usize, pane: i64| Step::of(0.01 * (function as i64 * 100 + pane + 1) as f64);
            let piece = |function: usize, (a, b): (i64, i64)| Told {
                function: Function { account: "1".into(), name: format!("f{function}").into() },
                first: from,
                last: from + 59,
                closed: from + b,
                from: from + a,
                dollars: (a..=b).map(|pane| amount(function, pane)).collect(),
            };
            let mut tally = Tally::new(from - 1);
            let mut closed = [-1i64; 3];
            for (function, upto, over) in pieces {
                // What is told begins where it was taken in, or before.
                let begin = (closed[function] + 1 - upto % 5).max(0);
                if begin <= upto {
                    tally.take(&piece(function, (begin, upto)), true);
                    closed[function] = closed[function].max(upto);
                }
                close_up_to(&mut tally, from + over);
                let expected: Money = (0..3)
                    .flat_map(|function| (0..=closed[function].min(tally.over - from)).map(move |pane| (function, pane)))
                    .map(|(function, pane)| Money::of_dollars(f64::from(amount(function, pane).number().expect("a number"))))
                    .sum();
                prop_assert_eq!(tally.progress(NOVEMBER, false).spent, expected.dollars());
                prop_assert_eq!(tally.hours.values().copied().sum::<Money>(), expected);
            }
        }
    }
}
