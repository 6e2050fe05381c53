//! How much may still happen at a key before any of its detectors could raise: while it lasts, nobody need
//! look at its windows. Most keys are far below every threshold, and judging them at each event was most of
//! what an event cost.
//!
//! A raise needs all its conditions, so one that fails, and must fail for `k` attempts more, keeps it quiet for
//! `k` attempts more. Such a condition asks a count to grow to a number: nothing but new attempts lets it grow,
//! each by one, and time only takes away. Where two numbers are compared that both slide, that holds for a
//! while: of counters as long as no pane leaves the window, of names for what is seen that long.
//! Most conditions ask only failures to grow, and most attempts of most keys get in: so failures are told apart.
//!
//! Invariant: within its slack no window of a key that ends at its newest event raises. It is a pure function
//! of the window, and forgetting it costs time only.

use smallvec::SmallVec;

use crate::detector::{Comparison, Condition, DistinctField, Operand, Raise};
use crate::first_seen::Since;
use crate::key::{Key, KeyPart};
use crate::panes::Slots;
use crate::plan::{Counted, DetectorPlan, KeyPlan, Plan, ShapePlan};
use crate::reading::{Cost, Looked, Reading};
use crate::shape::{Class, Shape};
use crate::signal::Outcome;
use crate::state::KeyState;
use crate::time::{Span, Time};
use crate::window::Window;

/// Attempts that may still be counted, and failures among them, and until when, without any detector of the key
/// raising.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    attempts: u32,
    failures: u32,
    until: Time,
}

/// How many attempts are enough not to look for a condition that needs more of them: by the names it needs, by
/// panes that leave, and by names that leave, which costs most.
const ENOUGH: [u32; 3] = [256, 128, 16];

/// Raises of a key that need no memory of their own while they are put in order.
const RAISES_USUAL: usize = 32;

/// The newest panes by which it is told how fast attempts come.
const PACE_PANES: usize = 4;

/// For so many attempts a failure is reckoned, where slack for failures is compared with slack for attempts.
const ATTEMPTS_PER_FAILURE: u32 = 4;

/// For how long a comparison of names is decided ahead: this part of its window.
const SLIDES_PER_WINDOW: i64 = 8;

impl Default for Slack {
    fn default() -> Slack {
        Slack::NONE
    }
}

impl Slack {
    /// Nothing is known: a detector may raise now.
    pub const NONE: Slack = Slack { attempts: 0, failures: 0, until: Time::MIN };

    const ENDLESS: Slack = Slack { attempts: u32::MAX, failures: u32::MAX, until: Time(i64::MAX) };

    /// The slack of a key by a window that ends with its newest event; of any other window none. `looked` is what is
    /// known of the window already.
    pub(crate) fn of(plan: &Plan, window: &Window<'_>, looked: &mut Looked) -> Slack {
        if window.at < window.state.head {
            return Slack::NONE;
        }
        let leading = window.plan.detectors.iter().filter(|detector| {
            // Whoever comes after others is as quiet as they are, as long as no finding of theirs counts.
            detector.after.is_empty() || follows(detector, window)
        });
        let pace = Pace::of(window);
        let mut raises: SmallVec<[(u32, &DetectorPlan, &Raise, Slack); RAISES_USUAL]> =
            SmallVec::new();
        for detector in leading {
            let mut reading = Reading::new(detector, window, looked);
            raises.extend(plan.detector(detector.id).raises.iter().map(|raise| {
                let slack = by_counters(raise, &mut reading, pace);
                (pace.worth(slack), detector, raise, slack)
            }));
        }
        // The least decides, so whoever seems to have least is looked at first, and others no further than to
        // see that they have more.
        raises.sort_by_key(|(worth, ..)| *worth);
        let mut least = Slack::ENDLESS;
        for (_, detector, raise, slack) in raises {
            let mut reading = Reading::new(detector, window, looked);
            least = of_raise(raise, &mut reading, (slack, least), pace);
            if least.is_none() {
                break;
            }
        }
        least
    }

    /// The slack of a key that has seen nothing: for however long, since nothing but attempts makes a count grow.
    pub fn fresh(plan: &Plan, key_plan: &KeyPlan) -> Slack {
        let (key, state) = (Key::of(KeyPart::Global), KeyState::default());
        let at = Time(0);
        let empty = Window { plan: key_plan, key: &key, state: &state, at, told: at, version: 0 };
        // Whoever comes after others is as quiet as they are.
        let leading = key_plan.detectors.iter().filter(|detector| detector.after.is_empty());
        let raises = leading.flat_map(|detector| {
            plan.detector(detector.id).raises.iter().map(move |raise| (raise, detector))
        });
        let (pace, mut looked) = (Pace::of(&empty), Looked::new(key_plan));
        raises.fold(Slack::ENDLESS, |least, (raise, detector)| {
            let mut reading = Reading::new(detector, &empty, &mut looked);
            let growing = raise.when.iter().map(|condition| growing(condition, &mut reading));
            least.and(growing.fold(Slack::NONE, |one, other| pace.longer(one, other)))
        })
    }

    /// Whether anything is known.
    pub fn is_none(self) -> bool {
        self == Slack::NONE
    }

    /// Takes attempts at `time` off; `false` where they are more than there is slack for, or than can be told.
    pub fn take(&mut self, time: Time, outcome: Outcome, attempts: u32) -> bool {
        let failures = if outcome == Outcome::Failure { attempts } else { 0 };
        let enough = attempts <= self.attempts && failures <= self.failures;
        let lasts = time <= self.until && enough && attempts < u32::MAX;
        match lasts {
            true if self.attempts == u32::MAX => self.failures -= failures,
            true => {
                self.attempts -= attempts;
                self.failures -= failures;
            }
            false => *self = Slack::NONE,
        }
        lasts
    }

    /// Slack for so many attempts, of failures alone or of both.
    fn for_attempts(attempts: u32, failures_only: bool, until: Time) -> Slack {
        match failures_only {
            true => Slack { failures: attempts, until, ..Slack::ENDLESS },
            false => Slack { attempts, until, ..Slack::ENDLESS },
        }
    }

    /// As long as both last.
    fn and(self, other: Slack) -> Slack {
        Slack {
            attempts: self.attempts.min(other.attempts),
            failures: self.failures.min(other.failures),
            until: self.until.min(other.until),
        }
    }

    /// About how many attempts it lasts for.
    fn worth(self) -> u32 {
        self.attempts.min(self.failures.saturating_mul(ATTEMPTS_PER_FAILURE))
    }
}

/// Whether only failures add to a measure. Who gets in after all lowers the odds of a walk, whenever they failed.
pub(crate) fn of_failures(plan: &KeyPlan, counted: Counted) -> bool {
    let adds = |shape: &ShapePlan| match counted {
        Counted::Counter(slots) => adds_to(shape, slots),
        Counted::Change { selected, .. } => adds_to(shape, selected),
        Counted::Distinct(field, class) | Counted::FirstSeen(field, class, _) => {
            shape.classes.iter().any(|(of, classes)| *of == field && classes & class != 0)
        }
        Counted::Sequential { .. } => false,
        Counted::Sum(_) | Counted::Busiest(_) => true,
    };
    !successes(plan).any(adds)
}

/// Whether only failures add to what the second measure counts and the first does not.
fn only_by_failures(plan: &KeyPlan, first: Counted, second: Counted) -> bool {
    let (Counted::Distinct(of, first), Counted::Distinct(field, second)) = (first, second) else {
        return false;
    };
    let adds = |(to, classes): &(DistinctField, Class)| {
        *to == field && classes & second != 0 && (of != field || classes & first == 0)
    };
    !successes(plan).any(|shape| shape.classes.iter().any(adds))
}

fn adds_to(shape: &ShapePlan, slots: Slots) -> bool {
    shape.counters.iter().any(|slot| slots >> slot & 1 == 1)
}

/// What those who get in add to.
fn successes(plan: &KeyPlan) -> impl Iterator<Item = &ShapePlan> {
    let shapes = (0..Shape::COUNT).map(Shape);
    shapes.filter(|shape| shape.outcome() == Outcome::Success).map(|shape| plan.shape(shape))
}

/// Whether one of the detectors that `detector` comes after has an open finding, or one that still counts for it.
fn follows(detector: &DetectorPlan, window: &Window<'_>) -> bool {
    let mut episodes = detector.after.iter().flat_map(|id| window.state.episodes.of(*id));
    episodes.any(|episode| !episode.closed || window.at < episode.last.plus(detector.after_within))
}

/// How fast attempts come at a key: only a guess, of what is worth looking for.
#[derive(Clone, Copy)]
struct Pace {
    now: Time,
    per_ms: f64,
}

impl Pace {
    /// By the newest panes; where nothing is counted as if an attempt came each millisecond.
    fn of(window: &Window<'_>) -> Pace {
        let now = window.at;
        let newest = window.state.rings.first().map(|ring| ring.panes().rev().take(PACE_PANES));
        let panes = newest.into_iter().flatten();
        let (since, attempts) = panes.fold((now, 0), |(_, attempts), (_, first, counts)| {
            (first, attempts + counts.iter().map(|count| u64::from(*count)).sum::<u64>())
        });
        let ms = now.0.saturating_sub(since.0).max(1);
        Pace { now, per_ms: attempts.max(1) as f64 / ms as f64 }
    }

    /// About how many attempts a slack lasts for.
    fn worth(self, slack: Slack) -> u32 {
        let ms = slack.until.0.saturating_sub(self.now.0).max(0);
        slack.worth().min((ms as f64 * self.per_ms) as u32)
    }

    /// The one that lasts for more attempts.
    fn longer(self, one: Slack, other: Slack) -> Slack {
        if self.worth(other) > self.worth(one) || one.is_none() { other } else { one }
    }
}

/// What the conditions of a raise that ask for counters come to.
fn by_counters(raise: &Raise, reading: &mut Reading<'_, '_>, pace: Pace) -> Slack {
    let (mut slack, detector) = (Slack::NONE, reading.detector);
    for condition in raise.when.iter().filter(|c| Cost::of(c, detector) == Cost::Counter) {
        slack = pace.longer(slack, growing(condition, reading));
    }
    slack
}

/// The least of `least` and the slack of a raise, of which `slack` is known already.
fn of_raise(
    raise: &Raise,
    reading: &mut Reading<'_, '_>,
    (mut slack, least): (Slack, Slack),
    pace: Pace,
) -> Slack {
    let enough = pace.worth(least);
    let looks: [fn(&Condition, &mut Reading<'_, '_>) -> Slack; 3] = [growing, steady, sliding];
    for (look, plenty) in looks.into_iter().zip(ENOUGH) {
        for condition in &raise.when {
            let both = least.and(slack);
            if pace.worth(slack) >= plenty || pace.worth(both) >= enough {
                return both;
            }
            slack = pace.longer(slack, look(condition, reading));
        }
    }
    least.and(slack)
}

/// The slack of a condition that asks a count to reach a number.
fn growing(condition: &Condition, reading: &mut Reading<'_, '_>) -> Slack {
    let Operand::Number(number) = condition.operand else { return Slack::NONE };
    let counted = reading.counted(condition.measure);
    let (most, step) = match counted {
        // A point weighs as much as it adds to any of these.
        Counted::Counter(_) | Counted::Sum(_) => (reading.bounds(condition.measure).high, 1.0),
        // More than a list holds is estimated, and an estimate may be too high.
        Counted::Distinct(..) | Counted::FirstSeen(..)
            if number > reading.window.plan.retention.list_tags_max as f64 =>
        {
            return Slack::NONE;
        }
        // Time alone makes a value one that is known, but none that is new.
        Counted::FirstSeen(.., Since::KnownFor(_)) => return Slack::NONE,
        Counted::Distinct(..) | Counted::FirstSeen(..) => (reading.at_most(condition.measure), 1.0),
        Counted::Sequential { rates, .. } => (reading.at_most(condition.measure), rates.failure()),
        Counted::Change { .. } | Counted::Busiest(_) => return Slack::NONE,
    };
    let until = Time(i64::MAX);
    match steps(condition.comparison, most, number, step) {
        Some(attempts) => {
            Slack::for_attempts(attempts, reading.detector.of_failures[condition.measure], until)
        }
        None => Slack::NONE,
    }
}

/// The slack of a condition that can be met by a pane's leaving, but not before.
fn steady(condition: &Condition, reading: &mut Reading<'_, '_>) -> Slack {
    let (detector, window) = (reading.detector, reading.window);
    let left = detector.measures[condition.measure];
    let step = match left {
        Counted::Counter(_) | Counted::Sum(_) => 1.0,
        Counted::Change { change, .. } => change.step(),
        Counted::Distinct(..)
        | Counted::FirstSeen(..)
        | Counted::Sequential { .. }
        | Counted::Busiest(_) => return Slack::NONE,
    };
    let is_counter = |counted| matches!(counted, Counted::Counter(_) | Counted::Sum(_));
    let right = match condition.operand {
        Operand::Number(_) => None,
        Operand::Scaled { measure, .. } => Some(detector.measures[measure]),
    };
    let number = match condition.operand {
        Operand::Number(number) => number,
        Operand::Scaled { factor, measure } => match detector.measures[measure] {
            Counted::Counter(_) | Counted::Sum(_) if factor >= 0.0 => {
                factor * reading.bounds(measure).low
            }
            // It looks at the day before only.
            Counted::Busiest(_) => factor * reading.bounds(measure).low,
            _ => return Slack::NONE,
        },
    };
    let bounds = reading.bounds(condition.measure);
    let grows_with_left = right.is_some_and(is_counter);
    let attempts = match condition.comparison {
        Comparison::AtLeast | Comparison::MoreThan => {
            steps(condition.comparison, bounds.high, number, step)
        }
        // It is above already, and only grows; so may a counter on the right.
        Comparison::AtMost if bounds.low > number && !grows_with_left => Some(u32::MAX),
        Comparison::LessThan if bounds.low >= number && !grows_with_left => Some(u32::MAX),
        Comparison::AtMost | Comparison::LessThan => None,
    };
    match attempts {
        Some(attempts) => {
            let retention = &window.plan.retention;
            // Whatever looks behind the window, or at single panes, changes with each of them.
            let until = match is_counter(left) && right.is_none_or(is_counter) {
                true => retention.leaves_at(window.at, detector.span),
                false => retention.steady_until(window.at, detector.span),
            };
            Slack::for_attempts(attempts, detector.of_failures[condition.measure], until)
        }
        None => Slack::NONE,
    }
}

/// The slack of a condition that compares how many different names there are of two kinds, or weighs those of
/// a walk: a part of the window ahead, since those seen so long after its beginning stay in it until then.
fn sliding(condition: &Condition, reading: &mut Reading<'_, '_>) -> Slack {
    let (detector, window) = (reading.detector, reading.window);
    let until = window.at.plus(Span(detector.span.0 / SLIDES_PER_WINDOW));
    let left = detector.measures[condition.measure];
    let (factor, measure) = match (condition.operand, left) {
        (Operand::Scaled { factor, measure }, _) => (factor, measure),
        (Operand::Number(number), Counted::Sequential { rates, .. }) => {
            let most = window.odds_at_most(left, detector, until);
            let attempts = steps(condition.comparison, most, number, rates.failure());
            return attempts.map_or(Slack::NONE, |attempts| {
                Slack::for_attempts(attempts, detector.of_failures[condition.measure], until)
            });
        }
        (Operand::Number(_), _) => return Slack::NONE,
    };
    let right = detector.measures[measure];
    let (attempts, failures_only) = match condition.comparison {
        Comparison::AtLeast | Comparison::MoreThan => {
            let most = match left {
                Counted::Distinct(..) => reading.at_most(condition.measure),
                _ => return Slack::NONE,
            };
            let number = factor * window.at_least(right, detector, until);
            (
                steps(condition.comparison, most, number, 1.0),
                detector.of_failures[condition.measure],
            )
        }
        // Right is at most left and what only right counts: so left ≤ factor × right asks for
        // (1 − factor) × left ≤ factor × that.
        Comparison::AtMost | Comparison::LessThan if factor < 1.0 => {
            let least = (1.0 - factor) * window.at_least(left, detector, until);
            let only_right = window.only_in_second((left, right), detector);
            let attempts = steps(Comparison::AtLeast, factor * only_right, least, factor);
            (attempts, only_by_failures(window.plan, left, right))
        }
        Comparison::AtMost | Comparison::LessThan => return Slack::NONE,
    };
    attempts.map_or(Slack::NONE, |attempts| Slack::for_attempts(attempts, failures_only, until))
}

/// How many steps may be added to `most` before it reaches `number`; `None` where it has.
fn steps(comparison: Comparison, most: f64, number: f64, step: f64) -> Option<u32> {
    // Sums of logarithms are not exact.
    let steps = (number - most) / step - 1e-9;
    let left = match comparison {
        Comparison::AtLeast => steps.ceil() - 1.0,
        Comparison::MoreThan => steps.floor(),
        Comparison::AtMost | Comparison::LessThan => return None,
    };
    // Infinite where a list does not say; a float beyond the type's range saturates.
    (left >= 0.0).then_some(left as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_that_do_not_reach() {
        let of = |comparison, most, step| steps(comparison, most, 20.0, step);
        assert_eq!(of(Comparison::AtLeast, 3.0, 1.0), Some(16));
        assert_eq!(of(Comparison::AtLeast, 19.0, 1.0), Some(0));
        assert_eq!(of(Comparison::AtLeast, 20.0, 1.0), None);
        assert_eq!(of(Comparison::AtLeast, f64::INFINITY, 1.0), None);
        assert_eq!(of(Comparison::MoreThan, 19.5, 1.0), Some(0));
        assert_eq!(of(Comparison::AtLeast, 19.0, 0.3), Some(3));
        assert_eq!(of(Comparison::AtMost, 3.0, 1.0), None);
    }

    #[test]
    fn attempts_are_taken_off_until_there_are_none() {
        use Outcome::{Failure, Success};
        let slack = Slack { attempts: 3, failures: 9, until: Time(10) };
        let mut left = slack;
        assert!(left.take(Time(5), Success, 2) && left.take(Time(10), Failure, 1));
        assert!(!left.take(Time(10), Success, 1) && left.is_none());
        let mut left = slack;
        assert!(!left.take(Time(11), Success, 1) && !left.take(Time(5), Success, 1));
    }

    #[test]
    fn where_only_failures_count_successes_are_free() {
        use Outcome::{Failure, Success};
        let mut left = Slack::for_attempts(2, true, Time(10));
        assert!((0..100).all(|_| left.take(Time(5), Success, 1_000)));
        assert!(left.take(Time(5), Failure, 1) && left.take(Time(5), Failure, 1));
        assert!(!left.take(Time(5), Failure, 1) && left.is_none());
        let both =
            Slack::for_attempts(2, true, Time(10)).and(Slack::for_attempts(5, false, Time(9)));
        assert_eq!(both, Slack { attempts: 5, failures: 2, until: Time(9) });
    }
}
