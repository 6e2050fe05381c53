//! The threshold random walk: how much likelier an attacker's first contacts are than a person's (Jung,
//! Paxson, Berger and Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis Testing", IEEE
//! S&P 2004, after Wald's sequential test).
//!
//! Each name counts once, as a success if it got in at all within the window and else as a failure, at the
//! time it was last tried. A failure multiplies the odds by (1 − attackers) / (1 − people), a success by
//! attackers / people. What is reported is the best of all the stretches that end now, never below 1: so
//! nobody can save up successes for a scan later, and a name that gets in again and again helps once.
//!
//! It is a function of the lists of names, and so of merged state, like every other measure.

use std::cmp::Reverse;

use smallvec::SmallVec;

use crate::seen::Seen;
use crate::time::Time;

/// Names of a list that need no memory of their own while they are weighed.
const NAMES_USUAL: usize = 64;

/// How often a first contact succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Of people, in thousandths; more than `attackers`, less than 1,000.
    pub people: u16,
    /// Of attackers, in thousandths; more than 0.
    pub attackers: u16,
}

impl Rates {
    /// What a failure adds to the odds, in powers of ten; positive.
    pub fn failure(self) -> f64 {
        let fails = |thousandths: u16| 1.0 - f64::from(thousandths) / 1_000.0;
        (fails(self.attackers) / fails(self.people)).log10()
    }

    /// What a success adds, in powers of ten; negative.
    pub fn success(self) -> f64 {
        (f64::from(self.attackers) / f64::from(self.people)).log10()
    }
}

/// The odds, in powers of ten, that the names failing and succeeding are an attacker's; at least 0. A name may
/// be in several lists, and once in each.
pub fn odds<'a, L: Iterator<Item = &'a Seen>>(
    failed: impl Iterator<Item = L>,
    succeeded: impl Iterator<Item = L>,
    rates: Rates,
) -> f64 {
    let mut failed = names(failed);
    if failed.is_empty() {
        return 0.0;
    }
    let mut succeeded = names(succeeded);
    if succeeded.is_empty() {
        // Each adds to the odds, so the best stretch is the one that has all of them.
        return failed.len() as f64 * rates.failure();
    }
    failed.sort_unstable();
    // Who got in has not failed.
    for (tag, last) in &mut succeeded {
        if let Ok(at) = failed.binary_search_by_key(tag, |(tag, _)| *tag) {
            *last = (*last).max(failed[at].1);
            failed[at].1 = Time::MIN;
        }
    }
    let mut tried: SmallVec<[Time; NAMES_USUAL]> =
        failed.iter().map(|(_, last)| *last).filter(|last| *last > Time::MIN).collect();
    tried.sort_unstable_by_key(|last| Reverse(*last));
    // The best stretch begins with a failure. Who got in lies in those that begin at `tried[at]` and before.
    let mut got_in: SmallVec<[u32; NAMES_USUAL]> = SmallVec::from_elem(0, tried.len() + 1);
    for (_, last) in &succeeded {
        got_in[tried.partition_point(|failure| failure > last)] += 1;
    }
    let (failure, success) = (rates.failure(), rates.success());
    let (mut successes, mut best) = (0, 0.0f64);
    for (at, last) in tried.iter().enumerate() {
        successes += got_in[at];
        // What was seen at one time is one step: there is no order within it.
        if tried.get(at + 1) != Some(last) {
            best = best.max((at + 1) as f64 * failure + f64::from(successes) * success);
        }
    }
    best
}

/// Each name once, with when it was last seen, in no order.
fn names<'a, L: Iterator<Item = &'a Seen>>(
    lists: impl Iterator<Item = L>,
) -> SmallVec<[(u64, Time); NAMES_USUAL]> {
    let mut all: SmallVec<[(u64, Time); NAMES_USUAL]> = SmallVec::new();
    let mut filled = 0;
    for list in lists {
        let before = all.len();
        all.extend(list.map(|seen| (seen.tag, seen.last())));
        filled += usize::from(all.len() > before);
    }
    if filled > 1 {
        all.sort_unstable();
        all.dedup_by(|next, known| {
            let same = next.0 == known.0;
            if same {
                known.1 = next.1;
            }
            same
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const RATES: Rates = Rates { people: 950, attackers: 300 };

    /// A list, which has each name once.
    fn seen(names: &[(i64, u64)]) -> Vec<Seen> {
        let mut lasts = BTreeMap::new();
        for (last, tag) in names {
            let known = lasts.entry(*tag).or_insert(*last);
            *known = (*known).max(*last);
        }
        lasts.into_iter().map(|(tag, last)| Seen::last_at(tag, Time(last))).collect()
    }

    fn of(failed: &[(i64, u64)], succeeded: &[(i64, u64)]) -> f64 {
        let (failed, succeeded) = (seen(failed), seen(succeeded));
        let once = odds([failed.iter()].into_iter(), [succeeded.iter()].into_iter(), RATES);
        // In two lists each name is still one.
        let twice = |list: &'_ [Seen]| [list.to_vec(), list.to_vec()];
        let (failed, succeeded) = (twice(&failed), twice(&succeeded));
        let both = odds(
            failed.iter().map(|list| list.iter()),
            succeeded.iter().map(|list| list.iter()),
            RATES,
        );
        assert_eq!(once, both);
        once
    }

    #[test]
    fn failures_add_up_and_successes_before_them_do_not_help() {
        let (f, s) = (RATES.failure(), RATES.success());
        assert!(f > 1.1 && s < -0.5);
        assert_eq!(of(&[], &[]), 0.0);
        assert_eq!(of(&[(1, 1), (2, 2)], &[]), 2.0 * f);
        // Saved up before: no help. In between: only for the longer stretch. The same name again: no more.
        assert_eq!(of(&[(11, 1), (12, 2)], &[(1, 3), (2, 4), (3, 5)]), 2.0 * f);
        assert_eq!(of(&[(1, 1), (3, 2)], &[(2, 3)]), (2.0 * f + s).max(f));
        assert_eq!(of(&[(1, 1), (3, 2)], &[(4, 3)]), 2.0 * f + s);
        // Whoever gets in has not failed.
        assert_eq!(of(&[(1, 1), (2, 2)], &[(3, 1)]), f + s);
        assert_eq!(of(&[], &[(1, 1)]), 0.0);
    }

    proptest! {
        #[test]
        fn it_is_the_best_stretch_that_ends_now_whatever_the_order(
            failed in proptest::collection::vec((0i64..20, 0u64..12), 0..12),
            succeeded in proptest::collection::vec((0i64..20, 0u64..12), 0..12),
        ) {
            let newest = |names: &[(i64, u64)], tag: u64| {
                names.iter().filter(|(_, of)| *of == tag).map(|(last, _)| *last).max()
            };
            // By definition: for every start of a stretch, what lies in it.
            let stretch = |from: i64| (0..12).filter_map(|tag| {
                let last = newest(&failed, tag).max(newest(&succeeded, tag))?;
                let in_it = last >= from;
                let got_in = newest(&succeeded, tag).is_some();
                in_it.then(|| if got_in { RATES.success() } else { RATES.failure() })
            }).sum::<f64>();
            let best = (0..=20).map(stretch).fold(0.0, f64::max);
            let (mut back, mut forth) = (failed.clone(), succeeded.clone());
            back.reverse();
            forth.reverse();
            prop_assert!((of(&failed, &succeeded) - best).abs() < 1e-9);
            prop_assert_eq!(of(&failed, &succeeded), of(&back, &forth));
        }
    }
}
