//! A number in two bytes: a sign and a logarithmic step, or that there was nothing to measure.
//!
//! A step is 1/384 of an octave, so that what is read back is within [`ERROR`] of what was written, and the
//! 85 octaves reach from [`LEAST`], a tenth of the price of one short invocation in dollars, to 3.6e16, which
//! holds bytes and milliseconds too. Steps are ordered as the numbers are, and each decodes to a number of its
//! own: two panes with the same step are the same pane to everything that compares them.

/// One number, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(pub i16);

/// What a number takes.
pub const BYTES: usize = size_of::<Step>();

/// Steps to a doubling.
const PER_OCTAVE: f64 = 384.0;

/// The exponent of the least number that is not kept as zero.
const LEAST_EXPONENT: f64 = -30.0;

/// Less than this, either side of zero, is kept as zero: 2^-30.
pub const LEAST: f64 = 1.0 / (1u64 << 30) as f64;

/// How far a number read back may be from what was written, of it: half a step, and what an `f32` rounds off.
/// Numbers beyond the last step are kept as that.
pub const ERROR: f64 = 0.000_91;

impl Step {
    /// A pane in which there was nothing to measure.
    pub const ABSENT: Step = Step(i16::MIN);

    /// The step nearest to `number`; what is no number is absent.
    pub fn of(number: f64) -> Step {
        if number.is_nan() {
            return Step::ABSENT;
        }
        if number.abs() < LEAST {
            return Step(0);
        }
        let steps = (number.abs().log2() - LEAST_EXPONENT) * PER_OCTAVE;
        // A cast saturates: infinity becomes the last step.
        let steps = (steps.round() as i32).clamp(0, i32::from(i16::MAX) - 1) as i16 + 1;
        Step(if number < 0.0 { -steps } else { steps })
    }

    /// The number it stands for; nothing if absent.
    pub fn number(self) -> Option<f32> {
        match self {
            Step::ABSENT => None,
            Step(0) => Some(0.0),
            Step(steps) => {
                let octaves = (f64::from(steps.unsigned_abs()) - 1.0) / PER_OCTAVE;
                let number = (octaves + LEAST_EXPONENT).exp2() as f32;
                Some(if steps < 0 { -number } else { number })
            }
        }
    }

    /// The number it stands for, and for an absent one infinity: farther from anything than any number.
    pub(super) fn or_far(self) -> f32 {
        self.number().unwrap_or(f32::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_step_is_read_back_as_itself_and_they_are_ordered_as_their_numbers() {
        let mut before = f32::NEG_INFINITY;
        for steps in i16::MIN + 1..=i16::MAX {
            let number = Step(steps).number().expect("a number");
            assert_eq!(Step::of(f64::from(number)), Step(steps), "{number}");
            assert!(number > before, "{number} after {before}");
            before = number;
        }
        assert_eq!(Step::of(f64::NAN), Step::ABSENT);
        assert_eq!(Step::ABSENT.number(), None);
        assert_eq!(Step::of(f64::INFINITY), Step(i16::MAX));
        assert_eq!(Step::of(f64::NEG_INFINITY), Step(-i16::MAX));
        assert_eq!(Step::of(LEAST / 2.0), Step(0));
    }

    proptest! {
        #[test]
        fn a_number_is_read_back_within_the_stated_error(
            mantissa in 1.0f64..10.0,
            exponent in -9i32..16,
            negative: bool,
        ) {
            let number = mantissa * 10f64.powi(exponent) * if negative { -1.0 } else { 1.0 };
            let back = f64::from(Step::of(number).number().expect("a number"));
            prop_assert!((back / number - 1.0).abs() <= ERROR, "{number} became {back}");
        }
    }
}
