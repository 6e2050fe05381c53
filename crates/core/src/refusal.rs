//! Why detectors cannot run together, or not in the home they are planned for: told when they are loaded, so
//! that none waits for ever for what cannot be counted there.

use crate::detector::{Comparison, Condition, Detector, Measure, NamedMeasure, Operand};
use crate::limits::{
    MEASURES_PER_KEY_MAX, SHARED_THRESHOLD_MAX, SHARED_WINDOW_MAX, SHARED_WINDOW_MIN,
};
use crate::retention::SHARED_SKETCH;
use crate::signal::Role;
use crate::time::Span;

/// Detectors that cannot run together, or not in this home.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// One key has too many measures.
    #[error(
        "detector `{detector}` brings its key to more than {MEASURES_PER_KEY_MAX} different measures of a kind"
    )]
    TooManyMeasures {
        /// The first detector that does not fit.
        detector: String,
    },
    /// It depends on another detector that is not there, or counts something else or by something else.
    #[error(
        "detector `{detector}` raises only after one of {after}, and none of these counts the same signals by the same key here: load one of them too, or take `after` out"
    )]
    Alone {
        /// The one that depends.
        detector: String,
        /// What it depends on.
        after: String,
    },
    /// The shared home has no panes for this window.
    #[error(
        "detector `{detector}`: a window of {window}; shared state serves windows of whole minutes from {SHARED_WINDOW_MIN} to {SHARED_WINDOW_MAX}"
    )]
    Window {
        /// Whose.
        detector: String,
        /// Its window.
        window: Span,
    },
    /// The shared home keeps no count of mentions: its table holds a counter for each kind of attempt.
    #[error(
        "detector `{detector}`: the measure `{measure}` counts mentions; shared state counts attempts only. Count them instead, or names with `distinct = \"user\"`, which takes mentions too"
    )]
    Mentions {
        /// Whose.
        detector: String,
        /// The measure's name.
        measure: String,
    },
    /// The shared home cannot count that far.
    #[error(
        "detector `{detector}`: `{condition}` can never be decided: shared state counts distinct values up to {SHARED_THRESHOLD_MAX}, and beyond that over windows of 6h and more. Count attempts instead, or widen the window"
    )]
    Undecidable {
        /// Whose.
        detector: String,
        /// The condition as its file writes it.
        condition: String,
    },
}

/// Whether the shared home can decide every condition of `detector`.
pub(crate) fn decidable(detector: &Detector) -> Result<(), PlanError> {
    let window = detector.window;
    let served = (SHARED_WINDOW_MIN..=SHARED_WINDOW_MAX).contains(&window);
    if !served || window.0 % Span::minutes(1).0 != 0 {
        return Err(PlanError::Window { detector: detector.id.clone(), window });
    }
    let of_mentions =
        |named: &&NamedMeasure| matches!(named.measure, Measure::Count(Role::Mention, _));
    if let Some(named) = detector.measures.iter().find(of_mentions) {
        let (detector, measure) = (detector.id.clone(), named.name.clone());
        return Err(PlanError::Mentions { detector, measure });
    }
    match beyond_lists(detector).next() {
        Some(condition) if window < SHARED_SKETCH.pane => Err(PlanError::Undecidable {
            detector: detector.id.clone(),
            condition: detector.describe(condition),
        }),
        _ => Ok(()),
    }
}

/// The conditions that need a distinct count beyond what a list of the shared home can tell.
pub(crate) fn beyond_lists(detector: &Detector) -> impl Iterator<Item = &Condition> {
    let conditions = detector.raises.iter().flat_map(|raise| &raise.when);
    conditions.filter(|condition| {
        let raising = matches!(condition.comparison, Comparison::AtLeast | Comparison::MoreThan);
        let far = |per_name: f64| match condition.operand {
            Operand::Number(number) => number > SHARED_THRESHOLD_MAX as f64 * per_name,
            Operand::Scaled { .. } => false,
        };
        raising
            && match detector.measures[condition.measure].measure {
                Measure::Distinct(..) | Measure::FirstSeen(..) => far(1.0),
                Measure::Sequential(rates) => far(rates.failure()),
                Measure::Count(..)
                | Measure::Sum(..)
                | Measure::Change(_)
                | Measure::Busiest(..) => false,
            }
    })
}
