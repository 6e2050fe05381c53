//! What a detector asks for beside its conditions, and what its signals can tell: checked when it is loaded, so that
//! none waits for ever for what no line says.

use tidewatch_core::detector::{
    Comparison, DistinctField, Measure, NamedMeasure, NumberField, Operand, Share,
};
use tidewatch_core::key::{KeyField, KeyFields};
use tidewatch_core::signal::{Role, SignalKind};
use tidewatch_core::time::Span;

use crate::condition;
use crate::fault::{Fault, Faults};
use crate::raw::RawMeasure;
use crate::tree::{Placed, Text};
use crate::validate::span;

const SHARE_HELP: &str = "Write a sum or a count and a share of 0.001 to 1, like \"bytes >= 0.2\", for a key \
                          that is not `global`.";

/// `bytes >= 0.2`: the share of everything that a measure must make; `None` with a fault.
pub(crate) fn share(
    text: &Text,
    names: &[&str],
    measures: &[Option<NamedMeasure>],
    key: &Option<KeyFields>,
    faults: &mut Faults,
) -> Option<Option<Share>> {
    let condition = condition::parse(text, names, faults)?;
    let measure = measures.get(condition.measure)?.as_ref()?;
    let adds = matches!(measure.measure, Measure::Sum(..) | Measure::Count(Role::Attempt, _));
    let is_global = key.as_ref()?.as_slice() == [KeyField::Global];
    match (condition.comparison, condition.operand) {
        (Comparison::AtLeast, Operand::Number(number))
            if adds && !is_global && (0.001..=1.0).contains(&number) =>
        {
            let thousandths = (number * 1_000.0).round() as u16;
            Some(Some(Share { measure: condition.measure, thousandths }))
        }
        _ => {
            let fault = Fault::BadShare { value: text.value.clone() };
            faults.add(text.place.clone(), fault, SHARE_HELP);
            None
        }
    }
}

/// For how long the findings of the detectors in `after` count; as long as they are open where nothing is said.
/// `None` with a fault.
pub(crate) fn after_within(
    text: Option<Text>,
    after: Option<&Placed<Vec<Text>>>,
    faults: &mut Faults,
) -> Option<Span> {
    let Some(text) = text else { return Some(Span(0)) };
    if after.is_none_or(|after| after.value.is_empty()) && !faults.names("after") {
        let help = "Name the detectors whose findings count so long in `after`, or take it out.";
        faults.add(text.place, Fault::WithinOfNone, help);
        return None;
    }
    span("after_within", &text, faults)
}

/// `successes`: what the log must hold that the newest event of a window stands in; `None` with a fault.
pub(crate) fn log_holds(
    text: &Text,
    signal: Option<SignalKind>,
    key: &Option<KeyFields>,
    faults: &mut Faults,
) -> Option<bool> {
    // What is wider is judged by the clock, not with an event of some log.
    let is_narrow = |field: &KeyField| matches!(field, KeyField::SourceIp | KeyField::User);
    let has_event = key.as_ref()?.iter().any(is_narrow);
    if text.value == "successes" && signal? == SignalKind::Auth && has_event {
        return Some(true);
    }
    let help =
        "Write `log_holds = \"successes\"`, of a detector of logins by `source.ip` or `user`.";
    faults.add(text.place.clone(), Fault::BadLogHolds { value: text.value.clone() }, help);
    None
}

/// Whether signals of the kind tell what is counted, and what it is counted by; `None` with a fault.
pub(crate) fn of_signal(
    signal: Option<SignalKind>,
    key: &Option<KeyFields>,
    measures: &[Option<NamedMeasure>],
    raw: &[RawMeasure],
    faults: &mut Faults,
) -> Option<()> {
    let signal = signal?;
    let is_access = signal == SignalKind::Access;
    let untold = |measure: &Measure| {
        let (bytes, resource) = (NumberField::Bytes, DistinctField::Resource);
        let filter = match measure {
            Measure::Sum(field, filter) | Measure::Busiest(field, filter) => {
                return (*field == bytes && !is_access)
                    .then_some("bytes")
                    .or((is_access && filter.user_known.is_some()).then_some("user_known"));
            }
            Measure::Distinct(field, _) | Measure::FirstSeen(field, ..)
                if (*field == resource) != is_access =>
            {
                match field {
                    DistinctField::Resource => return Some("resource"),
                    DistinctField::User => return Some("user"),
                    DistinctField::SourceIp => return None,
                }
            }
            Measure::Sequential(_) if is_access => return Some("sequential"),
            Measure::Change(_) if is_access => return Some("change"),
            Measure::Count(Role::Mention, _) if is_access => return Some("mentions"),
            Measure::Count(_, filter)
            | Measure::Distinct(_, filter)
            | Measure::FirstSeen(_, filter, _) => *filter,
            Measure::Sequential(_) | Measure::Change(_) => return None,
        };
        (is_access && filter.user_known.is_some()).then_some("user_known")
    };
    let mut fits = true;
    for (measure, raw) in measures.iter().zip(raw) {
        let Some(what) = measure.as_ref().and_then(|named| untold(&named.measure)) else {
            continue;
        };
        let fault = Fault::NotOfSignal { what: what.to_owned(), signal: signal.name() };
        let help = "Accesses tell attempts, bytes, resources and sources; logins, resets and sign-ups tell \
                    attempts, mentions, users and sources.";
        faults.add(raw.place.clone(), fault, help);
        fits = false;
    }
    let by = |field: &&KeyField| matches!(field, KeyField::UserAgent | KeyField::SourceAsn);
    if let Some(field) = key.iter().flatten().find(by).filter(|_| is_access) {
        let fault = Fault::NotOfSignal { what: field.name().to_owned(), signal: signal.name() };
        let help = "Count accesses by `source.ip`, `source.subnet`, `user` or `global`.";
        faults.add(0..faults.text().len(), fault, help);
        fits = false;
    }
    fits.then_some(())
}
