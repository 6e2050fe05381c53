//! What can never be raised: conditions that no counts satisfy, and severities that a worse one always
//! outdoes. Counts obey laws: they are at least 0, a measure whose filter takes more counts no less,
//! attempts of two kinds are no more than those of both.

use tidewatch_core::detector::{
    Comparison, Condition, Detector, DistinctField, Filter, Measure, Operand, Raise,
};
use tidewatch_core::first_seen::Since;
use tidewatch_core::key::KeyField;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::Role;

use super::Warning;
use super::linear::{Inequality, contradict};

/// What is hardly meant in the detector of `file`, which is loaded with those of the ids `loaded`.
pub fn of_detector(file: &str, detector: &Detector, loaded: &[&str]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |what: String, help: &str| {
        warnings.push(Warning { file: file.to_owned(), what, help: help.to_owned() });
    };
    let laws = laws(detector);
    for (nth, raise) in detector.raises.iter().enumerate() {
        let name = raise.severity.name();
        let own = conditions(detector, raise);
        if contradict(&[laws.clone(), own.clone()].concat()) {
            let written = raise.when.iter().map(|c| format!("`{}`", detector.describe(c)));
            let written = written.collect::<Vec<_>>().join(" and ");
            warn(
                format!("{name} can never be raised: {written} never hold together"),
                "Compare what these measures count; a measure with a wider `where` is never smaller.",
            );
            continue;
        }
        let implied = |worse: &&Raise| {
            conditions(detector, worse)
                .iter()
                .all(|c| contradict(&[&laws[..], &own[..], &[c.denied()]].concat()))
        };
        if let Some(worse) = detector.raises[..nth].iter().find(implied) {
            let worse = worse.severity.name();
            warn(
                format!("{name} is never seen: whenever its conditions hold, those of {worse} do"),
                "Give the worse severity the stricter conditions.",
            );
        }
    }
    for (field, ids) in [("after", &detector.after), ("unless", &detector.unless)] {
        for id in ids.iter().filter(|id| !loaded.contains(&id.as_str())) {
            warn(
                format!("`{field}` names `{id}`, and there is no such detector"),
                "It has no effect. Name detectors by their ids.",
            );
        }
    }
    let alone = Detector { after: Vec::new(), ..detector.clone() };
    if let Err(error) = Plan::shared(vec![alone]) {
        warn(
            format!("the deployed function refuses it: {error}"),
            "It runs on one machine (replay, watch) as it is.",
        );
    }
    warnings
}

fn conditions(detector: &Detector, raise: &Raise) -> Vec<Inequality> {
    raise.when.iter().map(|condition| inequality(detector, condition)).collect()
}

/// `left - right`, or the other way round for an upper bound.
fn inequality(detector: &Detector, condition: &Condition) -> Inequality {
    let mut factors = vec![0.0; detector.measures.len()];
    factors[condition.measure] += 1.0;
    let mut constant = 0.0;
    match condition.operand {
        Operand::Number(number) => constant -= number,
        Operand::Scaled { factor, measure } => factors[measure] -= factor,
    }
    let (sign, strict) = match condition.comparison {
        Comparison::AtLeast => (1.0, false),
        Comparison::MoreThan => (1.0, true),
        Comparison::AtMost => (-1.0, false),
        Comparison::LessThan => (-1.0, true),
    };
    factors.iter_mut().for_each(|factor| *factor *= sign);
    Inequality { factors, constant: constant * sign, strict }
}

/// What always holds between the measures.
fn laws(detector: &Detector) -> Vec<Inequality> {
    let measures: Vec<Measure> = detector.measures.iter().map(|named| named.measure).collect();
    let law = |terms: &[(usize, f64)], constant: f64| {
        let mut factors = vec![0.0; measures.len()];
        terms.iter().for_each(|(at, factor)| factors[*at] += factor);
        Inequality { factors, constant, strict: false }
    };
    let mut laws = Vec::new();
    for (whole, of) in measures.iter().enumerate() {
        let parts = || measures.iter().enumerate().filter(move |(_, part)| takes(*of, **part));
        for (part, first) in parts().filter(|(part, _)| *part != whole) {
            laws.push(law(&[(whole, 1.0), (part, -1.0)], 0.0));
            let others = parts().filter(|(other, second)| {
                *other > part && is_counter(*first) && disjoint(*first, **second)
            });
            laws.extend(
                others.map(|(other, _)| law(&[(whole, 1.0), (part, -1.0), (other, -1.0)], 0.0)),
            );
        }
        let one_user = detector.key.contains(&KeyField::User);
        if one_user
            && matches!(
                of,
                Measure::Distinct(DistinctField::User, _)
                    | Measure::FirstSeen(DistinctField::User, ..)
            )
        {
            laws.push(law(&[(whole, -1.0)], 1.0));
        }
    }
    laws
}

fn is_counter(measure: Measure) -> bool {
    role(measure).is_some()
}

/// What a counter counts: attempts, which a sum adds up too, or mentions.
fn role(measure: Measure) -> Option<Role> {
    match measure {
        Measure::Count(role, _) => Some(role),
        Measure::Sum(..) => Some(Role::Attempt),
        Measure::Distinct(..)
        | Measure::FirstSeen(..)
        | Measure::Sequential(_)
        | Measure::Change(_)
        | Measure::Busiest(..) => None,
    }
}

fn filter(measure: Measure) -> Filter {
    match measure {
        Measure::Count(_, filter)
        | Measure::Sum(_, filter)
        | Measure::Distinct(_, filter)
        | Measure::FirstSeen(_, filter, _) => filter,
        Measure::Change(change) => change.filter,
        Measure::Busiest(_, filter) => filter,
        Measure::Sequential(_) => Filter::default(),
    }
}

/// Whether `whole` counts everything that `part` counts, in the same way.
fn takes(whole: Measure, part: Measure) -> bool {
    let same = match (whole, part) {
        (Measure::Distinct(one, _), Measure::Distinct(other, _)) => one == other,
        // Whoever is new is in the window; whoever is known need not be.
        (Measure::Distinct(one, _), Measure::FirstSeen(other, _, Since::NewWithin(_))) => {
            one == other
        }
        (Measure::FirstSeen(one, _, as_wide), Measure::FirstSeen(other, _, as_narrow)) => {
            one == other && as_wide == as_narrow
        }
        // A count of attempts sums them; a walk is like nothing else.
        (one, other) => is_counter(one) && role(one) == role(other),
    };
    let (wide, narrow) = (filter(whole), filter(part));
    same && (wide.outcome.is_none() || wide.outcome == narrow.outcome)
        && (wide.user_known.is_none() || wide.user_known == narrow.user_known)
}

/// Whether nothing is counted by both.
fn disjoint(one: Measure, other: Measure) -> bool {
    let (one, other) = (filter(one), filter(other));
    let differ = |a: Option<bool>, b: Option<bool>| a.zip(b).is_some_and(|(a, b)| a != b);
    let outcomes = one.outcome.zip(other.outcome);
    outcomes.is_some_and(|(a, b)| a != b) || differ(one.user_known, other.user_known)
}
