//! The detectors of the simulated world: three windows on one source, one with a share, one on a
//! subnet that needs a sketch, one on a subnet by addresses, and one on everything.

use std::sync::{Arc, LazyLock};

use tidewatch_core::detector::{
    Comparison, Condition, Detector, DistinctField, Filter, Measure, NamedMeasure, Operand, Raise,
    Severity,
};
use tidewatch_core::first_seen::Since;
use tidewatch_core::key::KeyField;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{Outcome, Role, SignalKind};
use tidewatch_core::time::Span;
use tidewatch_core::walk::Rates;

const ALL: Filter = Filter { outcome: None, user_known: None };
const FAILED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
const SUCCEEDED: Filter = Filter { outcome: Some(Outcome::Success), user_known: None };
const UNKNOWN: Filter = Filter { outcome: Some(Outcome::Failure), user_known: Some(false) };

pub(crate) const UNKNOWN_USERS: Measure = Measure::Distinct(DistinctField::User, UNKNOWN);
const FAILED_USERS: Measure = Measure::Distinct(DistinctField::User, FAILED);
const USERS: Measure = Measure::Distinct(DistinctField::User, ALL);
const FAILED_SOURCES: Measure = Measure::Distinct(DistinctField::SourceIp, FAILED);
const NEW_USERS: Measure =
    Measure::FirstSeen(DistinctField::User, SUCCEEDED, Since::NewWithin(Span::minutes(20)));
const KNOWN_USERS: Measure =
    Measure::FirstSeen(DistinctField::User, SUCCEEDED, Since::KnownFor(Span::minutes(20)));
pub(crate) const FAILURES: Measure = Measure::Count(Role::Attempt, FAILED);
const TRIES: Measure = Measure::Count(Role::Attempt, ALL);

/// The plan of all of them; made once, since it is the same in every run.
///
/// # Panics
/// If the shared home cannot serve them.
pub fn plan() -> Arc<Plan> {
    static PLAN: LazyLock<Arc<Plan>> =
        LazyLock::new(|| Arc::new(Plan::shared(detectors()).expect("the shared home serves them")));
    Arc::clone(&PLAN)
}

fn detectors() -> Vec<Detector> {
    vec![
        detector(
            "scan-10m",
            (KeyField::SourceIp, 10, 30),
            &[UNKNOWN_USERS, TRIES],
            vec![
                raise(Severity::High, vec![at_least(0, 20)]),
                raise(Severity::Medium, vec![at_least(0, 8)]),
            ],
        ),
        detector(
            "guess-1h",
            (KeyField::SourceIp, 60, 60),
            &[FAILURES],
            vec![raise(Severity::High, vec![at_least(0, 20)])],
        ),
        detector(
            "slow-24h",
            (KeyField::SourceIp, 24 * 60, 4 * 60),
            &[FAILED_USERS, USERS, FAILURES],
            vec![raise(Severity::High, vec![at_least(0, 14), at_least_share(0, 0.5, 1)])],
        ),
        detector(
            "walk-10m",
            (KeyField::SourceIp, 10, 20),
            &[Measure::Sequential(Rates { people: 900, attackers: 300 }), NEW_USERS, KNOWN_USERS],
            vec![raise(Severity::High, vec![at_least(0, 4)])],
        ),
        detector(
            "addresses-1h",
            (KeyField::SourceSubnet, 60, 60),
            &[FAILED_SOURCES, FAILURES],
            vec![raise(Severity::High, vec![at_least(0, 10)])],
        ),
        detector(
            "names-12h",
            (KeyField::SourceSubnet, 12 * 60, 3 * 60),
            &[UNKNOWN_USERS],
            vec![raise(Severity::Critical, vec![at_least(0, 90)])],
        ),
        detector(
            "everywhere-3h",
            (KeyField::Global, 3 * 60, 2 * 60),
            &[FAILED_SOURCES, FAILURES],
            vec![raise(Severity::High, vec![at_least(0, 18), at_least(1, 24)])],
        ),
    ]
}

pub(crate) fn detector(
    id: &str,
    (key, window_min, quiet_min): (KeyField, i64, i64),
    measures: &[Measure],
    raises: Vec<Raise>,
) -> Detector {
    let named =
        |(i, measure): (usize, &Measure)| NamedMeasure { name: format!("m{i}"), measure: *measure };
    Detector {
        id: id.to_owned(),
        title: id.to_owned(),
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        signal: SignalKind::Auth,
        key: [key].into_iter().collect(),
        window: Span::minutes(window_min),
        quiet: Span::minutes(quiet_min),
        measures: measures.iter().enumerate().map(named).collect(),
        raises,
        after: Vec::new(),
        after_within: Span(0),
        unless: Vec::new(),
        covers: Default::default(),
        share: None,
        log_holds_successes: false,
    }
}

pub(crate) fn raise(severity: Severity, when: Vec<Condition>) -> Raise {
    Raise { severity, confidence: None, when }
}

pub(crate) fn at_least(measure: usize, number: u32) -> Condition {
    let operand = Operand::Number(f64::from(number));
    Condition { measure, comparison: Comparison::AtLeast, operand }
}

fn at_least_share(measure: usize, factor: f64, of: usize) -> Condition {
    let operand = Operand::Scaled { factor, measure: of };
    Condition { measure, comparison: Comparison::AtLeast, operand }
}
