//! Whether the share that some attempts have of all attempts has risen, and how sure that is: a cumulative
//! sum over counter panes (Page, "Continuous Inspection Schemes", Biometrika 1954; used like this against
//! distributed guessing by Javed and Paxson, "Detecting Stealthy, Distributed SSH Brute-Forcing", CCS 2013).
//!
//! Of each pane the selected attempts x among all n are weighed: are they Poisson with the usual share p of
//! n, or with `times` that share? A pane adds x · ln(times) − (times − 1) · p · n to the odds. What is
//! reported is the best stretch of panes that ends now, never below 1, in powers of ten: so a quiet hour saves
//! nothing up, and neither how many customers there are nor the time of day matters, only the share.
//!
//! The usual share is what four of five panes of the day before the window stay below; never less than `usual`,
//! so that a single typo at night is no change, and three times that where there is no such day yet. A short
//! attack cannot make itself usual; one that goes on for days can.
//!
//! A rush says nothing: a pane with far more attempts than the busiest of the day before brings newcomers and
//! hurry with it, which raise the share as an attack does. What an attack adds is less, or shows by itself.
//!
//! It is a function of counters, and so of merged state, like every other measure.

use smallvec::SmallVec;

use crate::detector::Filter;
use crate::time::Span;

/// How far back the usual share is looked for, from the newest event.
pub const HISTORY: Span = Span::minutes(24 * 60);

/// A pane of the day before with fewer attempts says nothing about the share.
pub const TRIES_MIN: u64 = 30;

/// With fewer panes that say something there is no usual share yet.
pub const PANES_MIN: usize = 4;

/// By how much more than `usual` is taken for usual then.
pub const UNKNOWN_FACTOR: f64 = 3.0;

/// How many times the attempts of the busiest time of the day before are a rush.
pub const RUSH_TIMES: f64 = 1.5;

/// By how many standard deviations more a pane must exceed that, since few attempts come in no even stream.
const RUSH_DEVIATIONS: f64 = 4.0;

/// What a change is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The attempts whose share it is.
    pub filter: Filter,
    /// How many times the usual share is a change, in tenths; more than 10.
    pub times_tenths: u16,
    /// The least share that is taken for usual, in thousandths; more than 0, less than 1,000.
    pub usual_thousandths: u16,
}

/// From how many attempts on a pane is a rush where the busiest of the day before had `busiest` in as long a time;
/// from none on where there is no such day yet.
pub fn rush(busiest: f64) -> f64 {
    let most = RUSH_TIMES * busiest;
    if busiest > 0.0 { most + RUSH_DEVIATIONS * most.sqrt() } else { f64::INFINITY }
}

/// A pane's attempts: the selected ones, and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Those whose share it is.
    pub selected: u64,
    /// All.
    pub all: u64,
}

impl Change {
    /// The usual share, by the panes of the day before the window.
    pub fn usual(self, before: impl Iterator<Item = Tries>) -> f64 {
        let least = f64::from(self.usual_thousandths) / 1_000.0;
        let telling = before.filter(|tries| tries.all >= TRIES_MIN);
        let mut shares: SmallVec<[f64; 64]> =
            telling.map(|tries| tries.selected as f64 / tries.all as f64).collect();
        if shares.len() < PANES_MIN {
            return (least * UNKNOWN_FACTOR).min(1.0);
        }
        let fourth_of_five = shares.len() * 4 / 5;
        let (_, share, _) = shares.select_nth_unstable_by(fourth_of_five, f64::total_cmp);
        share.max(least)
    }

    /// What one selected attempt adds to the evidence at most, in powers of ten.
    pub fn step(self) -> f64 {
        (f64::from(self.times_tenths) / 10.0).log10()
    }

    /// How much likelier a stretch of `panes` that ends with the newest, which comes first, is with `times` the
    /// usual share, in powers of ten; at least 0. Each pane comes with the attempts from which on it is a rush.
    pub fn evidence(self, panes: impl Iterator<Item = (Tries, f64)>, usual: f64) -> f64 {
        let times = f64::from(self.times_tenths) / 10.0;
        let (gain, cost) = (times.ln(), (times - 1.0) * usual);
        let (mut sum, mut best) = (0.0, 0.0f64);
        for (tries, rush) in panes {
            let said = tries.selected as f64 * gain - tries.all as f64 * cost;
            // Never more for one attempt more than that attempt can say: a share below the usual one still counts.
            sum += if tries.all as f64 > rush { said.min(0.0) } else { said };
            best = best.max(sum);
        }
        best / std::f64::consts::LN_10
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANGE: Change = Change {
        filter: Filter { outcome: None, user_known: None },
        times_tenths: 20,
        usual_thousandths: 30,
    };

    fn tries(selected: u64, all: u64) -> Tries {
        Tries { selected, all }
    }

    fn evidence(panes: &[Tries], usual: f64) -> f64 {
        CHANGE.evidence(panes.iter().map(|tries| (*tries, f64::INFINITY)), usual)
    }

    #[test]
    fn a_rush_says_nothing_but_what_came_before_it_does() {
        let usual = vec![tries(30, 1_000); 20];
        let spike = tries(600, 5_000);
        let all = |panes: &[Tries]| {
            CHANGE.evidence(panes.iter().map(|tries| (*tries, rush(1_000.0))), 0.03)
        };
        assert_eq!(all(&[vec![spike; 3], usual.clone()].concat()), 0.0);
        assert!(evidence(&[vec![spike; 3], usual.clone()].concat(), 0.03) > 20.0);
        let attacked = [vec![spike; 3], vec![tries(120, 1_000); 3], usual].concat();
        assert_eq!(all(&attacked), evidence(&attacked[3..], 0.03));
        // A rush of people who all get in speaks against it.
        let calm = [vec![tries(0, 5_000)], attacked[3..].to_vec()].concat();
        assert!(all(&calm) < all(&attacked));
        assert_eq!(rush(0.0), f64::INFINITY);
        assert!((rush(100.0) - 150.0 - 4.0 * 150f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn what_is_usual_is_what_four_of_five_panes_stay_below() {
        let usual = |panes: &[Tries]| CHANGE.usual(panes.iter().copied());
        let day: Vec<Tries> = (1..=10).map(|percent| tries(percent * 10, 1_000)).collect();
        assert_eq!(usual(&day), 0.09);
        // Never less than the least; three times it where too little is known.
        assert_eq!(usual(&[tries(1, 1_000); 10]), 0.03);
        assert_eq!(usual(&[]), 0.09);
        assert_eq!(usual(&[tries(20, 29); 24]), 0.09, "too few tries to say");
        // Two hours of an attack are not usual.
        let attacked = [vec![tries(20, 1_000); 22], vec![tries(900, 1_000); 2]].concat();
        assert_eq!(usual(&attacked), 0.03);
    }

    #[test]
    fn a_share_as_ever_says_nothing_and_a_higher_one_soon_does() {
        let usual = vec![tries(30, 1_000); 30];
        assert_eq!(evidence(&usual, 0.03), 0.0);
        assert_eq!(evidence(&[tries(300, 10_000)], 0.03), 0.0, "more customers");
        let risen = [vec![tries(60, 1_000); 3], usual.clone()].concat();
        let expected = 3.0 * (60.0 * 2f64.ln() - 30.0) / 10f64.ln();
        assert!((evidence(&risen, 0.03) - expected).abs() < 1e-9);
        // What was quiet before saves nothing up.
        let quiet = [vec![tries(60, 1_000); 3], vec![tries(0, 1_000); 27]].concat();
        assert_eq!(evidence(&quiet, 0.03), evidence(&risen, 0.03));
        // What is over does not count.
        let over = [vec![tries(0, 1_000); 20], vec![tries(60, 1_000); 10]].concat();
        assert_eq!(evidence(&over, 0.03), 0.0);
    }

    proptest! {
        #[test]
        fn it_is_the_best_stretch_that_ends_now(
            panes in proptest::collection::vec((0u64..90, 0u64..900), 0..30),
            usual in 0.03f64..0.3,
        ) {
            let panes: Vec<Tries> = panes.iter().map(|(some, more)| tries(*some, some + more)).collect();
            let stretch = |length: usize| panes[..length].iter().map(|tries| {
                tries.selected as f64 * 2f64.ln() - tries.all as f64 * usual
            }).sum::<f64>();
            let best = (0..=panes.len()).map(stretch).fold(0.0, f64::max) / 10f64.ln();
            prop_assert!((evidence(&panes, usual) - best).abs() < 1e-9);
        }
    }
}
