//! Invocations that were too few in their panes for percentiles, until they are enough together.
//!
//! A pane with [`DURATIONS_MIN`] of them is measured by itself. Of a function that is invoked less often the panes that were
//! not measured yet are taken together, the last [`POOL_PANES`] of them, and the pane in which they come to so many is
//! measured by all of them. No invocation is in two measured panes, so that what is measured is as independent as it is
//! of functions that are invoked often.
//!
//! Invariant: it is a function of the panes that are over, so that both homes measure the same.

use std::collections::VecDeque;

use crate::meter::durations::Durations;
use crate::meter::panes::Pane;
use crate::spend::detector::DURATIONS_MIN;

/// How many panes are taken together at most: three hours. So from some four invocations an hour on a function's durations
/// are measured.
pub const POOL_PANES: i64 = 36;

/// Panes that were not measured, with their invocations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pool(pub(crate) VecDeque<(i64, Durations)>);

impl Pool {
    /// A pane that is over, with the durations that it is measured by; panes come in order.
    pub(crate) fn measure(&mut self, pane: i64, of_pane: Pane) -> Pane {
        let count = of_pane.durations.count();
        if count == 0 {
            return of_pane;
        }
        if count >= DURATIONS_MIN {
            self.0.clear();
            return of_pane;
        }
        while self.0.front().is_some_and(|(before, _)| *before <= pane - POOL_PANES) {
            self.0.pop_front();
        }
        let all: u64 = self.0.iter().map(|(_, before)| before.count()).sum();
        if all + count < DURATIONS_MIN {
            self.0.push_back((pane, of_pane.durations.clone()));
            return of_pane;
        }
        let Pane { sums, mut durations } = of_pane;
        self.0.drain(..).for_each(|(_, before)| durations.add(&before));
        Pane { sums, durations }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spend::detector::Number;

    fn of(count: u64, us: u32) -> Pane {
        let mut pane = Pane::default();
        (0..count).for_each(|_| assert!(pane.durations.note(us, true)));
        pane
    }

    fn measured(panes: &[(i64, u64, u32)]) -> Vec<(i64, u64)> {
        let mut pool = Pool::default();
        let all = panes.iter().filter_map(|(pane, count, us)| {
            let measured = pool.measure(*pane, of(*count, *us));
            Number::DurationP50.of(&measured, 0.0)?;
            Some((*pane, measured.durations.count()))
        });
        all.collect()
    }

    #[test]
    fn few_invocations_are_measured_together_and_many_by_themselves() {
        assert_eq!(measured(&[(0, 10, 1), (1, 30, 1)]), [(0, 10), (1, 30)]);
        // Five in each pane, as where there is one a minute.
        assert_eq!(measured(&[(0, 5, 1), (1, 5, 1), (2, 5, 1), (3, 5, 1)]), [(1, 10), (3, 10)]);
        // One that is measured by itself leaves none of those before it over.
        assert_eq!(measured(&[(0, 9, 1), (1, 10, 1), (2, 1, 1)]), [(1, 10)]);
        // So old ones say nothing of now.
        assert_eq!(measured(&[(0, 9, 1), (36, 1, 1)]), []);
        assert_eq!(measured(&[(0, 9, 1), (35, 1, 1)]), [(35, 10)]);
        assert_eq!(measured(&[(0, 9, 1), (20, 0, 1), (35, 1, 1)]), [(35, 10)]);
    }

    proptest! {
        #[test]
        fn no_invocation_is_measured_twice(counts in prop::collection::vec(0u64..14, 1..200)) {
            let panes: Vec<(i64, u64, u32)> =
                (0..).zip(&counts).map(|(pane, count)| (pane, *count, 5)).collect();
            let found = measured(&panes);
            prop_assert!(found.iter().all(|(_, count)| *count >= DURATIONS_MIN));
            let all: u64 = found.iter().map(|(_, count)| count).sum();
            prop_assert!(all <= counts.iter().sum::<u64>());
            // Nor is any pane with enough left out.
            let enough = panes.iter().filter(|(_, count, _)| *count >= DURATIONS_MIN);
            for (pane, count, _) in enough {
                prop_assert!(found.contains(&(*pane, *count)));
            }
        }
    }
}
