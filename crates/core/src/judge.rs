//! Judging: a pure function from a window to a verdict. It sees only merged state, so it does not
//! matter who asks, or whether this batch or another one brought the last point.
//!
//! A condition over an interval holds only if it holds for all of it. Where the interval does not
//! decide and a sketch stands behind it, the sketch's estimate decides, and the finding says so.

use smallvec::SmallVec;

use crate::accounts::{Account, accounts};
use crate::detector::{Condition, Confidence, Detector, Operand, Raise, Severity};
use crate::episode::{Slots, covering};
use crate::finding::{Decided, Measured, SeenSince, Value};
use crate::first_seen::Since;
use crate::lists::{Listed, listed};
use crate::plan::{Counted, DetectorId, DetectorPlan, Plan};
use crate::reading::{Cost, Looked, Reading};
use crate::standing::{Other, Standing};
use crate::time::Time;
use crate::window::Window;

/// What a detector says of a window that is over its thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Who says it.
    pub detector: DetectorId,
    /// How bad it is.
    pub severity: Severity,
    /// The newest event of the window that was judged.
    pub at: Time,
    /// The detector's episodes known when it was judged.
    pub episodes: Slots,
    /// The numbers, where a message may have to be published.
    pub report: Option<Report>,
    /// The entry of the allowlist that holds it back, if one does: then nothing else is told of it.
    pub held_back: Option<usize>,
}

/// The numbers of a window, for a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Every measure.
    pub measures: Vec<Measured>,
    /// The conditions that held.
    pub decided: Vec<Decided>,
    /// The earliest event known.
    pub first_seen: Time,
    /// Addresses behind the key.
    pub sources: Vec<std::net::IpAddr>,
    /// How many there were.
    pub sources_total: u64,
    /// Names that were tried.
    pub accounts: Vec<Account>,
    /// The lists that more of them stand on than chance brings there.
    pub listed: Vec<Listed>,
    /// The other detectors that raise for the same key in the same window, or have a finding about it that is open, or
    /// that this one comes after.
    pub also: Vec<Other>,
    /// How sure it is, where its detector says so.
    pub confidence: Option<Confidence>,
    /// Since when values that are new, or known, are seen.
    pub since: Vec<SeenSince>,
}

impl Verdict {
    /// The addresses behind the key, where the numbers were written down.
    pub(crate) fn sources(&self) -> Vec<std::net::IpAddr> {
        self.report.as_ref().map_or(Vec::new(), |report| report.sources.clone())
    }
}

impl Report {
    /// The number of the first condition: what the finding is mainly about.
    pub fn leading(&self) -> f64 {
        self.decided.first().map_or(0.0, |decided| decided.amount)
    }
}

/// What all detectors of a window's key say of it, those that have something to say.
pub fn judge(plan: &Plan, window: &Window<'_>) -> SmallVec<[Verdict; 1]> {
    judge_looked(plan, window, &mut Looked::new(window.plan))
}

/// The same, where some of the window was `looked` at already.
pub(crate) fn judge_looked(
    plan: &Plan,
    window: &Window<'_>,
    looked: &mut Looked,
) -> SmallVec<[Verdict; 1]> {
    let detectors = &window.plan.detectors;
    let raises = detectors.iter().map(|detector| held(plan, detector, window, looked));
    let raises: SmallVec<[Option<&Raise>; 16]> = raises.collect();
    if raises.iter().all(Option::is_none) {
        return SmallVec::new();
    }
    let standing = Standing::of(plan, window, &raises);
    let raised = detectors.iter().zip(&raises).filter_map(|(d, raise)| Some((d, (*raise)?)));
    raised
        .filter(|(detector, raise)| standing.lets(plan, detector, raise.severity))
        .filter_map(|(detector, raise)| verdict(plan, detector, raise, window, &standing))
        .collect()
}

/// What a detector that raises says of `window`: `None` if its open episode already says it.
fn verdict(
    plan: &Plan,
    detector: &DetectorPlan,
    raise: &Raise,
    window: &Window<'_>,
    standing: &Standing<'_>,
) -> Option<Verdict> {
    let rule = plan.detector(detector.id);
    if let Some(entry) = standing.held_back(detector.id) {
        let (detector, severity, at) = (detector.id, raise.severity, window.told);
        let (episodes, report, held_back) = (Slots::new(), None, Some(entry));
        return Some(Verdict { detector, severity, at, episodes, report, held_back });
    }
    let episodes = &window.state.episodes;
    let verdict = |report| Verdict {
        detector: detector.id,
        severity: raise.severity,
        at: window.told,
        episodes: episodes.slots(detector.id),
        report,
        held_back: None,
    };
    match covering(episodes.of(detector.id), window.told, rule.quiet) {
        Some(known)
            if !known.closed
                && raise.severity <= known.severity
                && window.told < known.next_report
                && !known.is_unconfirmed() =>
        {
            let longer = known.last.plus(detector.lengthen);
            (window.told > longer).then(|| verdict(None))
        }
        Some(known) if known.is_told(window.told, raise.severity) => None,
        None if episodes.is_before_memory(detector.id, window.told, rule.quiet) => None,
        _ => Some(verdict(Some(report(plan, detector, raise, (window, standing))))),
    }
}

/// Whether `detector` raises at `window` and may be told of, whatever is known of its own episodes.
pub fn raises(plan: &Plan, detector: &DetectorPlan, window: &Window<'_>) -> bool {
    let looked = &mut Looked::new(window.plan);
    let Some(raise) = held(plan, detector, window, looked) else { return false };
    let standing = Standing::at(plan, window);
    standing.lets(plan, detector, raise.severity) && standing.held_back(detector.id).is_none()
}

/// The worst severity whose conditions hold.
pub(crate) fn held<'p>(
    plan: &'p Plan,
    detector: &DetectorPlan,
    window: &Window<'_>,
    looked: &mut Looked,
) -> Option<&'p Raise> {
    let rule = plan.detector(detector.id);
    let mut reading = Reading::new(detector, window, looked);
    rule.raises.iter().find(|raise| {
        // All must hold, so the order is free: what costs least comes first.
        Cost::ALL.iter().all(|cost| {
            raise.when.iter().all(|c| Cost::of(c, detector) != *cost || reading.holds(c))
        })
    })
}

/// What each condition of a detector comes to in a window, whether it raises or not: to explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// Every measure.
    pub measures: Vec<Measured>,
    /// Each severity with its conditions, from high to low.
    pub raises: Vec<WeighedRaise>,
    /// The detectors it raises only after, and those it is quiet beside: whether they stand here, and whether
    /// that lets it raise.
    pub others: Vec<Relation>,
    /// The detector that tells what is seen here in place of this one, if it is another.
    pub told_by: Option<DetectorId>,
}

/// Another detector on which one depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Which.
    pub detector: DetectorId,
    /// Whether it is one of [`Detector::after`], else of [`Detector::unless`].
    pub after: bool,
    /// How badly it raises here, or has a finding about the key that is open, or counts still.
    pub stands: Option<Severity>,
}

/// A severity and what its conditions come to.
#[derive(Clone, Debug, PartialEq)]
pub struct WeighedRaise {
    /// How bad it would be.
    pub severity: Severity,
    /// Each condition with its numbers, and whether it holds.
    pub when: Vec<(Decided, bool)>,
}

impl Weighed {
    /// The worst severity that is raised: its conditions hold, and the detectors it depends on let it.
    pub fn raised(&self) -> Option<Severity> {
        let severity = self.raises.iter().find(|raise| raise.holds())?.severity;
        let mut after = self.others.iter().filter(|other| other.after).peekable();
        let waits = after.peek().is_some() && !after.any(|other| other.stands.is_some());
        let told = self.others.iter().any(|other| !other.after && other.stands >= Some(severity));
        (!waits && !told && self.told_by.is_none()).then_some(severity)
    }
}

impl WeighedRaise {
    /// Whether it raises.
    pub fn holds(&self) -> bool {
        self.when.iter().all(|(_, holds)| *holds)
    }
}

/// The numbers of `detector` in `window` against its thresholds.
pub fn weigh(plan: &Plan, detector: &DetectorPlan, window: &Window<'_>) -> Weighed {
    let rule = plan.detector(detector.id);
    let mut looked = Looked::new(window.plan);
    let mut reading = Reading::new(detector, window, &mut looked);
    let values = values(detector, window);
    let raises = rule.raises.iter().map(|raise| WeighedRaise {
        severity: raise.severity,
        when: raise
            .when
            .iter()
            .map(|condition| (decided(rule, condition, &values), reading.holds(condition)))
            .collect(),
    });
    let raises = raises.collect();
    let standing = Standing::at(plan, window);
    let standing = &standing;
    let other = |after: bool| {
        move |id: &DetectorId| {
            let stands = match after {
                true => standing.followed(plan, detector, *id),
                false => standing.tells(detector, *id),
            };
            Relation { detector: *id, after, stands }
        }
    };
    let others = detector.after.iter().map(other(true));
    let others = others.chain(detector.unless.iter().map(other(false))).collect();
    let told_by = standing.told_by(plan, detector);
    Weighed { raises, measures: measured(rule, &values), others, told_by }
}

/// The numbers of `window` for a finding that is published by the clock: by the conditions of `raise`,
/// whether they still hold or not.
pub fn report_at(
    plan: &Plan,
    detector: &DetectorPlan,
    raise: &Raise,
    window: &Window<'_>,
) -> Report {
    report(plan, detector, raise, (window, &Standing::at(plan, window)))
}

/// The numbers of `window` for a finding raised by `raise`.
fn report(
    plan: &Plan,
    detector: &DetectorPlan,
    raise: &Raise,
    (window, standing): (&Window<'_>, &Standing<'_>),
) -> Report {
    let rule = plan.detector(detector.id);
    let values = values(detector, window);
    let decided = raise.when.iter().map(|condition| decided(rule, condition, &values)).collect();
    let measures = measured(rule, &values);
    let sources = match (&window.state.sources, window.key.first) {
        (Some(sources), first) => {
            let (after, until) = window.ends(detector);
            let within = sources.top(first, after, until);
            // Only last sightings are kept: whoever went on after the window was in it all the same.
            if within.is_empty() { sources.top(first, after, Time(i64::MAX)) } else { within }
        }
        (None, crate::key::KeyPart::Ipv4(address)) => vec![address.into()],
        (None, _) => Vec::new(),
    };
    let accounts = accounts(window, detector);
    Report {
        measures,
        decided,
        first_seen: window.first_seen(detector),
        sources_total: window.sources_total(detector).max(sources.len() as u64),
        sources,
        listed: listed(&plan.lists, &accounts),
        accounts,
        also: standing.others(plan, detector),
        confidence: raise.confidence,
        since: seen_since(rule, detector, window),
    }
}

/// Of each measure that asks since when values are seen the earliest first sighting.
fn seen_since(rule: &Detector, detector: &DetectorPlan, window: &Window<'_>) -> Vec<SeenSince> {
    let measures = rule.measures.iter().zip(&detector.measures);
    let since = measures.filter_map(|(named, counted)| match counted {
        Counted::FirstSeen(field, class, since) => {
            let first = window.first_of((*field, *class), *since, detector)?;
            let is_new = matches!(since, Since::NewWithin(_));
            Some(SeenSince { measure: named.name.clone(), first, is_new })
        }
        _ => None,
    });
    since.collect()
}

fn values(detector: &DetectorPlan, window: &Window<'_>) -> Vec<Value> {
    detector.measures.iter().map(|counted| window.value(*counted, detector)).collect()
}

fn measured(rule: &Detector, values: &[Value]) -> Vec<Measured> {
    let named = rule.measures.iter().zip(values);
    named.map(|(named, value)| Measured { name: named.name.clone(), value: *value }).collect()
}

fn decided(rule: &Detector, condition: &Condition, values: &[Value]) -> Decided {
    let threshold = match condition.operand {
        Operand::Number(number) => number,
        Operand::Scaled { factor, measure } => factor * values[measure].amount,
    };
    Decided {
        measure: rule.measures[condition.measure].name.clone(),
        amount: values[condition.measure].amount,
        comparison: condition.comparison,
        threshold,
        condition: rule.describe(condition),
    }
}
