//! Whom costs are laid to, whatever functions they use: each caller with its dollars, pane by pane, and since when it
//! uses which function.
//!
//! A caller is a principal where a function's log has ever named one, else a key, else an address: the same
//! request is laid to one of them only. The heaviest [`CALLERS_WATCHED_MAX`] are kept, by their dollars of late; what
//! others cost is summed and judged by nobody.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::key::{Key, KeyPart};
use crate::limits::{CALLER_FUNCTIONS_MAX, CALLERS_WATCHED_MAX};
use crate::meter::attribution::{DriverKind, DriverName};
use crate::meter::book::FINE;
use crate::meter::drivers::Drivers;
use crate::meter::money::Money;
use crate::series::{Gap, Series};
use crate::spend::course::PANES_AN_HOUR;
use crate::spend::episodes::Latch;
use crate::tag::UserTag;

/// Panes in a day.
pub(crate) const DAY_PANES: i64 = 24 * PANES_AN_HOUR;

/// Who a request is laid to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// What it is: a principal, a key or an address.
    pub kind: DriverKind,
    /// Who.
    pub name: DriverName,
}

/// All that are kept.
#[derive(Debug)]
pub(crate) struct Callers {
    pub(crate) kept: BTreeMap<Caller, Kept>,
    /// How many are kept at most.
    kept_max: usize,
    /// The day's dollars of those who are not kept, in units of money.
    beyond: Drivers<Caller>,
    pub(crate) day: i64,
    /// Panes of callers that were judged by nobody.
    pub(crate) unjudged: u64,
    /// In which pane a function's log first named somebody of a kind.
    pub(crate) heard: BTreeMap<(usize, DriverKind), i64>,
    /// Whom the open finding of a function is about, as far as that is known.
    pub(crate) told_of: BTreeMap<usize, Caller>,
}

/// One that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Dollars of each pane.
    pub(crate) series: Series,
    pub(crate) first_pane: i64,
    /// The newest pane that was above all its past.
    pub(crate) odd: Option<i64>,
    /// One for each detector.
    pub(crate) latches: Vec<Latch>,
    /// Dollars of late: each day's count half as much as the next one's.
    pub(crate) weight: f64,
    /// Dollars by function, of the panes of an hour.
    hour: VecDeque<(i64, Vec<(usize, f64)>)>,
    /// The functions it uses, with the pane of the first use.
    pub(crate) used: BTreeMap<usize, i64>,
}

/// What a pane cost, by caller and function.
pub(crate) type Costs = BTreeMap<Caller, Vec<(usize, Money)>>;

impl Callers {
    /// None yet, of whom so many will be kept at most.
    pub(crate) fn new(kept_max: usize) -> Callers {
        Callers {
            kept: BTreeMap::new(),
            kept_max,
            beyond: Drivers::new(kept_max),
            day: 0,
            unjudged: 0,
            heard: BTreeMap::new(),
            told_of: BTreeMap::new(),
        }
    }

    /// Takes in what a pane that is over cost, `latches` being the number of detectors.
    pub(crate) fn take_in(&mut self, pane: i64, costs: &Costs, latches: usize) {
        self.begin_day(pane.div_euclid(DAY_PANES));
        for (caller, of_functions) in costs {
            for (function, _) in of_functions {
                self.heard.entry((*function, caller.kind)).or_insert(pane);
            }
        }
        let mut newcomers: Vec<(u128, &Caller)> = Vec::new();
        for (caller, of_functions) in costs {
            match self.kept.get_mut(caller) {
                Some(kept) => kept.take_in(pane, of_functions),
                None => {
                    let units = units(of_functions);
                    self.beyond.note(caller, units);
                    // What it has cost today decides whether it is kept.
                    newcomers.push((self.beyond.weight(caller), caller));
                }
            }
        }
        newcomers.sort_by(|a, b| b.cmp(a));
        let mut lightest = self.lightest(newcomers.len());
        for (units, caller) in newcomers {
            let weight = dollars(units);
            if self.kept.len() >= self.kept_max {
                match lightest.pop_front() {
                    Some((lighter, out)) if lighter < weight => self.kept.remove(&out),
                    _ => {
                        self.unjudged += 1;
                        continue;
                    }
                };
            }
            let mut kept = Kept::new(pane, latches);
            kept.take_in(pane, &costs[caller]);
            kept.weight = weight;
            self.kept.insert(caller.clone(), kept);
        }
    }

    fn begin_day(&mut self, day: i64) {
        if day <= self.day {
            return;
        }
        let days = i32::try_from(day - self.day).unwrap_or(i32::MAX);
        self.kept.values_mut().for_each(|kept| kept.weight *= 0.5f64.powi(days));
        self.beyond = Drivers::new(self.kept_max);
        self.day = day;
    }

    /// The lightest that are kept, of whom nothing is told; none while there is room.
    fn lightest(&self, at_most: usize) -> VecDeque<(f64, Caller)> {
        if self.kept.len() + at_most <= self.kept_max {
            return VecDeque::new();
        }
        let quiet = self.kept.iter().filter(|(_, kept)| !kept.is_told());
        let mut all: Vec<(f64, &Caller)> =
            quiet.map(|(caller, kept)| (kept.weight, caller)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        all.into_iter().take(at_most).map(|(weight, caller)| (weight, caller.clone())).collect()
    }

    /// Whether a function's log has named callers of a kind for a day before `pane`.
    pub(crate) fn heard_for_a_day(&self, function: usize, kind: DriverKind, pane: i64) -> bool {
        let first = self.heard.get(&(function, kind));
        first.is_some_and(|first| pane - first >= DAY_PANES)
    }
}

impl Default for Callers {
    fn default() -> Callers {
        Callers::new(CALLERS_WATCHED_MAX)
    }
}

impl Kept {
    pub(crate) fn new(pane: i64, latches: usize) -> Kept {
        Kept {
            series: Series::new(FINE, Gap::Zero),
            first_pane: pane,
            odd: None,
            latches: vec![Latch::default(); latches],
            weight: 0.0,
            hour: VecDeque::new(),
            used: BTreeMap::new(),
        }
    }

    fn take_in(&mut self, pane: i64, of_functions: &[(usize, Money)]) {
        let sum: f64 = of_functions.iter().map(|(_, cost)| cost.dollars()).sum();
        // Panes come in order, and each once.
        let _ = self.series.close(pane, Some(sum));
        self.weight += sum;
        for (function, _) in of_functions {
            if self.used.len() < CALLER_FUNCTIONS_MAX {
                self.used.entry(*function).or_insert(pane);
            }
        }
        let dollars = of_functions.iter().map(|(function, cost)| (*function, cost.dollars()));
        self.hour.push_back((pane, dollars.collect()));
        self.forget(pane);
    }

    /// Takes in that nothing was asked for.
    pub(crate) fn rest(&mut self, pane: i64) {
        let _ = self.series.close(pane, Some(0.0));
        self.forget(pane);
    }

    fn forget(&mut self, pane: i64) {
        while self.hour.front().is_some_and(|(of, _)| *of <= pane - PANES_AN_HOUR) {
            self.hour.pop_front();
        }
    }

    /// Dollars of the last hour by function, the dearest first.
    pub(crate) fn hour(&self) -> Vec<(usize, f64)> {
        let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
        for (function, dollars) in self.hour.iter().flat_map(|(_, of_pane)| of_pane) {
            *sums.entry(*function).or_default() += dollars;
        }
        let mut sums: Vec<(usize, f64)> = sums.into_iter().collect();
        sums.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sums
    }

    /// When it first used a function, if that was within the last hour and a day after it was first seen.
    pub(crate) fn newly_used(&self, function: usize, pane: i64) -> Option<i64> {
        let first = *self.used.get(&function)?;
        let is_new = pane - first < PANES_AN_HOUR && first - self.first_pane >= DAY_PANES;
        is_new.then_some(first)
    }

    /// Whether an episode goes on.
    pub(crate) fn is_told(&self) -> bool {
        let mut episodes = self.latches.iter().filter_map(|latch| latch.episode.as_ref());
        episodes.any(|episode| !episode.closed)
    }
}

impl Caller {
    /// What findings about it are about.
    pub fn key(&self) -> Key {
        match &self.name {
            DriverName::Tag(tag) => Key::of(KeyPart::User(*tag)),
            DriverName::Address(address) => Key::source_ip(*address),
            DriverName::Route(_) => Key::of(KeyPart::Global),
        }
    }
}

/// `principal user:00000000000000ab`, `source 192.0.2.1`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.name();
        match &self.name {
            DriverName::Tag(UserTag(tag)) => write!(f, "{kind} user:{tag:016x}"),
            DriverName::Address(address) => write!(f, "{kind} {address}"),
            DriverName::Route(_) => f.write_str(kind),
        }
    }
}

fn units(of_functions: &[(usize, Money)]) -> u128 {
    of_functions.iter().map(|(_, cost)| cost.units().unsigned_abs()).sum()
}

fn dollars(units: u128) -> f64 {
    Money::of_units(i128::try_from(units).unwrap_or(i128::MAX)).dollars()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(nth: u64) -> Caller {
        Caller { kind: DriverKind::Principal, name: DriverName::Tag(UserTag(nth)) }
    }

    fn costs(all: &[(u64, i128)]) -> Costs {
        let one = |(nth, units): &(u64, i128)| (caller(*nth), vec![(0, Money::of_units(*units))]);
        all.iter().map(one).collect()
    }

    fn kept(callers: &Callers) -> Vec<Caller> {
        callers.kept.keys().cloned().collect()
    }

    #[test]
    fn the_heaviest_callers_are_kept_and_what_is_beyond_is_counted() {
        let mut callers = Callers::new(2);
        callers.take_in(0, &costs(&[(1, 50), (2, 60)]), 1);
        callers.take_in(1, &costs(&[(1, 50), (3, 40), (4, 10)]), 1);
        assert_eq!((kept(&callers), callers.unjudged), (vec![caller(1), caller(2)], 2));
        // What it costs in a day, and not in a pane, puts a lighter one out.
        callers.take_in(2, &costs(&[(3, 40), (4, 10)]), 1);
        assert_eq!((kept(&callers), callers.unjudged), (vec![caller(1), caller(3)], 3));
        // Nobody of whom a finding is open is put out.
        for known in callers.kept.values_mut() {
            known.latches[0].episode = Some(crate::spend::episodes::Episode {
                start: crate::time::Time(2 * FINE.0),
                severity: crate::detector::Severity::High,
                peak: 1.0,
                opened: 2,
                last: 2,
                told_excess: 1.0,
                told: true,
                closed: false,
            });
        }
        callers.take_in(3, &costs(&[(5, 1_000_000)]), 1);
        assert_eq!((kept(&callers), callers.unjudged), (vec![caller(1), caller(3)], 4));
    }

    #[test]
    fn who_was_heavy_long_ago_gives_way() {
        let mut callers = Callers::new(1);
        callers.take_in(0, &costs(&[(1, 1_000)]), 1);
        callers.take_in(1, &costs(&[(2, 100)]), 1);
        assert_eq!(kept(&callers), [caller(1)]);
        callers.take_in(5 * DAY_PANES, &costs(&[(2, 100)]), 1);
        assert_eq!(kept(&callers), [caller(2)]);
    }

    #[test]
    fn a_function_is_new_to_a_caller_for_an_hour_and_after_a_day() {
        let mut callers = Callers::new(9);
        let of = |function| BTreeMap::from([(caller(1), vec![(function, Money::of_units(5))])]);
        callers.take_in(0, &of(0), 1);
        callers.take_in(10, &of(1), 1);
        callers.take_in(DAY_PANES + 10, &of(2), 1);
        let known = &callers.kept[&caller(1)];
        let new = |function, pane| known.newly_used(function, pane);
        assert_eq!([new(1, 11), new(2, DAY_PANES + 10)], [None, Some(DAY_PANES + 10)]);
        assert_eq!(new(2, DAY_PANES + 10 + PANES_AN_HOUR), None);
        assert!(callers.heard_for_a_day(1, DriverKind::Principal, DAY_PANES + 10));
        assert!(!callers.heard_for_a_day(2, DriverKind::Principal, DAY_PANES + 20));
    }
}
