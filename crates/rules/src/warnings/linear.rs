//! Whether linear conditions over numbers that are at least 0 can hold together, by elimination of one
//! number after the other (Fourier and Motzkin; Schrijver, Theory of Linear and Integer Programming,
//! 12.2). Conditions of detectors are few and short; where they are not, nothing is said.

/// Inequalities that elimination may produce before it is given up.
const INEQUALITIES_MAX: usize = 4_096;

/// `sum of factors[i] × number[i] + constant`, which is at least 0, or more than 0 if `strict`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Inequality {
    pub(super) factors: Vec<f64>,
    pub(super) constant: f64,
    pub(super) strict: bool,
}

impl Inequality {
    /// What holds exactly where this one does not.
    pub(super) fn denied(&self) -> Inequality {
        let factors = self.factors.iter().map(|factor| -factor).collect();
        Inequality { factors, constant: -self.constant, strict: !self.strict }
    }
}

/// Whether no numbers at least 0 satisfy all of them. `false` also where it takes too long to tell.
pub(super) fn contradict(inequalities: &[Inequality]) -> bool {
    let numbers = inequalities.first().map_or(0, |first| first.factors.len());
    let positive = (0..numbers).map(|at| {
        let factors = (0..numbers).map(|other| f64::from(u8::from(other == at))).collect();
        Inequality { factors, constant: 0.0, strict: false }
    });
    let mut all: Vec<Inequality> = inequalities.iter().cloned().chain(positive).collect();
    for at in 0..numbers {
        let (free, bound): (Vec<_>, Vec<_>) = all.into_iter().partition(|i| i.factors[at] == 0.0);
        let (below, above): (Vec<_>, Vec<_>) = bound.into_iter().partition(|i| i.factors[at] > 0.0);
        if free.len() + below.len() * above.len() > INEQUALITIES_MAX {
            return false;
        }
        all = free;
        for low in &below {
            all.extend(above.iter().map(|high| sum(low, -high.factors[at], high, low.factors[at])));
        }
        all.dedup();
    }
    all.iter().any(|left| left.constant < 0.0 || (left.strict && left.constant == 0.0))
}

/// `one × by + other × times`, both factors above 0.
fn sum(one: &Inequality, by: f64, other: &Inequality, times: f64) -> Inequality {
    let pairs = one.factors.iter().zip(&other.factors);
    Inequality {
        factors: pairs.map(|(one, other)| one * by + other * times).collect(),
        constant: one.constant * by + other.constant * times,
        strict: one.strict || other.strict,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_least(factors: &[f64], constant: f64, strict: bool) -> Inequality {
        Inequality { factors: factors.to_vec(), constant, strict }
    }

    #[test]
    fn what_cannot_hold_together_is_told() {
        let (x_ge_10, x_lt_10) =
            (at_least(&[1.0, 0.0], -10.0, false), at_least(&[-1.0, 0.0], 10.0, true));
        assert!(contradict(&[x_ge_10.clone(), x_lt_10.clone()]));
        assert_eq!(x_ge_10.denied(), x_lt_10);
        assert!(!contradict(&[x_ge_10.clone(), at_least(&[-1.0, 0.0], 10.0, false)]));
        // x ≤ y, x ≥ 2 y, x ≥ 10.
        let (x_le_y, x_ge_2y) =
            (at_least(&[-1.0, 1.0], 0.0, false), at_least(&[1.0, -2.0], 0.0, false));
        assert!(contradict(&[x_le_y.clone(), x_ge_2y.clone(), x_ge_10]));
        assert!(!contradict(&[x_le_y, x_ge_2y]), "0 and 0");
        assert!(contradict(&[at_least(&[-1.0], 0.0, true)]), "less than 0");
        assert!(!contradict(&[]));
    }

    proptest! {
        #[test]
        fn what_some_whole_numbers_satisfy_is_no_contradiction(
            rows in proptest::collection::vec(
                (proptest::collection::vec(-2i8..3, 3), -6i8..7, any::<bool>()), 1..5),
        ) {
            let all: Vec<Inequality> = rows
                .iter()
                .map(|(factors, constant, strict)| Inequality {
                    factors: factors.iter().map(|f| f64::from(*f)).collect(),
                    constant: f64::from(*constant),
                    strict: *strict,
                })
                .collect();
            let holds = |numbers: [f64; 3]| all.iter().all(|i| {
                let sum: f64 = i.factors.iter().zip(numbers).map(|(f, n)| f * n).sum::<f64>();
                let left = sum + i.constant;
                left > 0.0 || (left == 0.0 && !i.strict)
            });
            let some = (0..512).any(|n: u32| {
                holds([n % 8, n / 8 % 8, n / 64].map(f64::from))
            });
            prop_assert!(!(some && contradict(&all)));
        }
    }
}
