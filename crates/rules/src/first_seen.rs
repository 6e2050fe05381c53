//! Measures that ask since when a value is seen: `new_within` and `known_for`.

use tidewatch_core::detector::{DistinctField, Filter, Measure};
use tidewatch_core::first_seen::Since;
use tidewatch_core::limits::NEW_WITHIN_MAX;
use tidewatch_core::signal::Outcome;
use tidewatch_core::time::Span;

use crate::duration;
use crate::fault::{Fault, Faults};
use crate::raw::RawMeasure;
use crate::tree::Text;
use crate::validate::{VALUES, choice};

const HELP: &str = "Write for example `{ distinct = \"user\", where = { outcome = \"success\" }, new_within = \
                    \"20h\" }`: of `distinct = \"user\"` or \"source.ip\", with the outcome \"success\".";

/// Whether a measure asks since when something is seen.
pub(crate) fn asks(raw: &RawMeasure) -> bool {
    raw.new_within.is_some() || raw.known_for.is_some()
}

/// The measure that `raw` describes; `None` with a fault.
pub(crate) fn measure(
    raw: &RawMeasure,
    filter: Filter,
    window: Option<Span>,
    faults: &mut Faults,
) -> Option<Measure> {
    let name = || raw.name.value.clone();
    let others = [&raw.count, &raw.sum, &raw.sequential, &raw.change, &raw.busiest];
    let field = raw.distinct.as_ref().filter(|_| others.iter().all(|other| other.is_none()));
    let Some(field) = field else {
        if !raw.faulty {
            faults.add(raw.place.clone(), Fault::SinceOfOthers { name: name() }, HELP);
        }
        return None;
    };
    let field = choice("distinct", "field to count the values of", field, &VALUES, faults)?;
    if filter.outcome != Some(Outcome::Success) || field == DistinctField::Resource {
        faults.add(raw.place.clone(), Fault::SinceOfOthers { name: name() }, HELP);
        return None;
    }
    let since = match (&raw.new_within, &raw.known_for) {
        (Some(text), None) => Since::NewWithin(span("new_within", text, window, faults)?),
        (None, Some(text)) => Since::KnownFor(span("known_for", text, window, faults)?),
        _ => {
            let help = "Write two measures: whoever is not new is known.";
            faults.add(raw.place.clone(), Fault::SinceTwice { name: name() }, help);
            return None;
        }
    };
    Some(Measure::FirstSeen(field, filter, since))
}

/// A duration from the window, in which everything is new, to half of what is remembered.
fn span(
    field: &'static str,
    text: &Text,
    window: Option<Span>,
    faults: &mut Faults,
) -> Option<Span> {
    let value = text.value.clone();
    let Some(span) = duration::parse(&value) else {
        faults.add(text.place.clone(), Fault::BadDuration { field, value }, duration::HELP);
        return None;
    };
    let least = window?;
    if !(least..=NEW_WITHIN_MAX).contains(&span) {
        let (min, max) = (least.to_string(), NEW_WITHIN_MAX.to_string());
        let help = format!("Write a duration from the window, {min}, to {max}.");
        faults.add(text.place.clone(), Fault::DurationOutOfRange { field, value, min, max }, help);
        return None;
    }
    Some(span)
}
