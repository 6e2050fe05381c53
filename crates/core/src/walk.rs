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

/// Names, when they were last tried, and whether they got in.
type Contacts = SmallVec<[(u64, Time, bool); 64]>;

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

/// The odds, in powers of ten, that the names failing and succeeding are an attacker's; at least 0.
pub fn odds<'a>(
    failed: impl Iterator<Item = &'a Seen>,
    succeeded: impl Iterator<Item = &'a Seen>,
    rates: Rates,
) -> f64 {
    let failed: Contacts = failed.map(|seen| (seen.tag, seen.last(), false)).collect();
    let mut contacts: Contacts = succeeded.map(|seen| (seen.tag, seen.last(), true)).collect();
    contacts.extend(failed);
    // A name may be in several lists.
    contacts.sort_unstable();
    contacts.dedup_by(|next, known| {
        let same = next.0 == known.0;
        if same {
            known.1 = known.1.max(next.1);
            known.2 |= next.2;
        }
        same
    });
    contacts.sort_unstable_by_key(|(_, last, _)| Reverse(*last));
    let (failure, success) = (rates.failure(), rates.success());
    let (mut sum, mut best) = (0.0, 0.0f64);
    // What was seen at one time is one step: there is no order within it.
    for together in contacts.chunk_by(|a, b| a.1 == b.1) {
        sum += together
            .iter()
            .map(|(_, _, got_in)| if *got_in { success } else { failure })
            .sum::<f64>();
        best = best.max(sum);
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATES: Rates = Rates { people: 950, attackers: 300 };

    fn seen(names: &[(i64, u64)]) -> Vec<Seen> {
        names.iter().map(|(last, tag)| Seen::last_at(*tag, Time(*last))).collect()
    }

    fn of(failed: &[(i64, u64)], succeeded: &[(i64, u64)]) -> f64 {
        odds(seen(failed).iter(), seen(succeeded).iter(), RATES)
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
