//! Raw fields to a detector: what they mean, and whether they make sense together.
//!
//! Invariant: a function here that returns `None` has added a fault. Required fields that are
//! missing are reported here and not while reading, so that there is one place that knows them.

use tidewatch_core::change::Change;
use tidewatch_core::detector::{
    Attack, Condition, Confidence, Detector, DistinctField, Filter, Measure, NamedMeasure,
    NumberField, Raise, Severity,
};
use tidewatch_core::key::{KEY_FIELDS_MAX, KeyField, KeyFields};
use tidewatch_core::limits::{MEASURES_PER_KEY_MAX, WINDOW_MAX, WINDOW_MIN};
use tidewatch_core::signal::{Outcome, Role, SignalKind};
use tidewatch_core::time::Span;
use tidewatch_core::walk::Rates;

use crate::condition;
use crate::duration;
use crate::fault::{Fault, Faults};
use crate::first_seen;
use crate::grounds;
use crate::raw::{RawDetector, RawMeasure, RawRaise};
use crate::suggest;
use crate::tree::{Placed, Text};

/// An id or a measure's name may be this long, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// How many different measures the format can spell: three kinds over what they take, times three
/// outcomes and three values of `user_known`, each with "not asked"; a walk counts two of them. The core has
/// a bit for each, so detectors on one key can never have too many between them, only one file in itself.
const MEASURES_SPELLABLE: usize = (2 + 1 + 2) * 3 * 3 + 2;
const _: () = assert!(MEASURES_SPELLABLE <= MEASURES_PER_KEY_MAX);

/// The detector that `raw` describes, or `None` and at least one fault.
pub(crate) fn detector(raw: RawDetector, faults: &mut Faults) -> Option<Detector> {
    let id = required("id", raw.id, faults).and_then(|id| detector_id(id, faults));
    let title = required("title", raw.title, faults).and_then(|t| prose("title", &t, faults));
    let description = raw.description.map(|text| prose("description", &text, faults));
    let advice = raw.advice.map(|text| prose("advice", &text, faults));
    let attacks: Vec<_> = raw.attack.iter().map(|text| attack(text, faults)).collect();
    let signal = required("signal", raw.signal, faults).and_then(|s| signal(&s, faults));
    let key = required("key", raw.key, faults).and_then(|fields| key(&fields, faults));
    let window = required("window", raw.window, faults).and_then(|w| span("window", &w, faults));
    let quiet = raw.quiet.map_or(window, |text| span("quiet", &text, faults));

    let after_within = grounds::after_within(raw.after_within, raw.after.as_ref(), faults);
    let after = others("after", raw.after, &id, faults);
    let unless = others("unless", raw.unless, &id, faults);
    let covers = covers(raw.covers, &key, faults);

    let raw_measures = some_measures(raw.measures, faults);
    let names: Vec<_> = raw_measures.iter().map(|raw| raw.name.value.as_str()).collect();
    let raises: Vec<_> =
        some_raises(raw.raises, faults).iter().map(|raw| raise(raw, &names, faults)).collect();
    let measures: Vec<_> = raw_measures.iter().map(|raw| measure(raw, window, faults)).collect();

    let share = raw.share.map(|text| grounds::share(&text, &names, &measures, &key, faults));
    let log_holds = raw.log_holds.map(|text| grounds::log_holds(&text, signal, &key, faults));
    grounds::of_signal(signal, &key, &measures, &raw_measures, faults)?;

    let mut raises: Vec<Raise> = raises.into_iter().collect::<Option<_>>()?;
    raises.sort_by_key(|raise| std::cmp::Reverse(raise.severity));
    Some(Detector {
        id: id?,
        title: title?,
        description: description.unwrap_or(Some(String::new()))?,
        advice: advice.unwrap_or(Some(String::new()))?,
        attacks: attacks.into_iter().collect::<Option<_>>()?,
        signal: signal?,
        key: key?,
        window: window?,
        quiet: quiet?,
        measures: measures.into_iter().collect::<Option<_>>()?,
        raises,
        after: after?,
        after_within: after_within?,
        unless: unless?,
        covers: covers?,
        share: share.unwrap_or(Some(None))?,
        log_holds_successes: log_holds.unwrap_or(Some(false))?,
    })
}

fn required<T>(field: &'static str, value: Option<T>, faults: &mut Faults) -> Option<T> {
    if value.is_none() && !faults.names(field) {
        let example = match field {
            "id" => "id = \"credential-scan\"",
            "title" => "title = \"One source tries many usernames that do not exist\"",
            "signal" => "signal = \"auth\"",
            "key" => "key = \"source.ip\"",
            _ => "window = \"10m\"",
        };
        let fault = Fault::MissingField { field, of: "the detector" };
        faults.add(0..faults.text().len(), fault, format!("Add a line like `{example}`."));
    }
    value
}

pub(crate) fn detector_id(id: Text, faults: &mut Faults) -> Option<String> {
    let words_fit = id.value.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    let starts_fit = id.value.starts_with(|c: char| c.is_ascii_lowercase());
    if words_fit && starts_fit && id.value.len() <= NAME_BYTES_MAX {
        return Some(id.value);
    }
    let help = format!(
        "Write lower-case words, joined by single hyphens, at most {NAME_BYTES_MAX} bytes, like \
         \"credential-scan\"."
    );
    faults.add(id.place, Fault::BadId { id: id.value }, help);
    None
}

/// Text for people: every run of white space becomes one space, so that it fits one line wherever it
/// is shown; other control characters and those that reorder text are refused.
pub(crate) fn prose(field: &'static str, text: &Text, faults: &mut Faults) -> Option<String> {
    let line = text.value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        let help = format!("Say something in `{field}`, or leave an optional field out.");
        faults.add(text.place.clone(), Fault::EmptyText { field }, help);
        return None;
    }
    let invisible = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}')
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    if let Some(found) = line.chars().find(invisible) {
        let fault = Fault::InvisibleCharacter { field, code: u32::from(found) };
        let help = "Remove it: control and direction characters are for terminals to misread.";
        faults.add(text.place.clone(), fault, help);
        return None;
    }
    Some(line)
}

/// `T1110.004 Credential Stuffing`.
pub(crate) fn attack(text: &Text, faults: &mut Faults) -> Option<Attack> {
    let line = prose("attack", text, faults)?;
    let (technique, name) = line.split_once(' ').unwrap_or((&line, ""));
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let numbered = technique.strip_prefix('T').is_some_and(|number| {
        let (main, sub) = number.split_once('.').unwrap_or((number, "000"));
        digits(main, 4) && digits(sub, 3)
    });
    if numbered && !name.is_empty() {
        return Some(Attack { technique: technique.to_owned(), name: name.to_owned() });
    }
    let help = "Write a technique of https://attack.mitre.org by number and name, like \"T1110.004 \
                Credential Stuffing\".";
    faults.add(text.place.clone(), Fault::BadAttack { value: line }, help);
    None
}

/// The value of `choices` that `text` names.
pub(crate) fn choice<T: Copy>(
    field: &str,
    what: &'static str,
    text: &Text,
    choices: &[(&str, T)],
    faults: &mut Faults,
) -> Option<T> {
    let found = choices.iter().find(|(name, _)| *name == text.value);
    if found.is_none() {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let help = suggest::help(&text.value, "Allowed values", &names);
        let (field, value) = (field.to_owned(), text.value.clone());
        faults.add(text.place.clone(), Fault::UnknownValue { field, what, value }, help);
    }
    found.map(|(_, value)| *value)
}

fn signal(text: &Text, faults: &mut Faults) -> Option<SignalKind> {
    let kinds = SignalKind::ALL.map(|kind| (kind.name(), kind));
    choice("signal", "signal", text, &kinds, faults)
}

fn key(fields: &Placed<Vec<Text>>, faults: &mut Faults) -> Option<KeyFields> {
    let count = fields.value.len();
    let choices = KeyField::ALL.map(|field| (field.name(), field));
    let found: Vec<_> = (fields.value.iter())
        .map(|text| choice("key", "key field", text, &choices, faults))
        .collect();
    if count == 0 || count > KEY_FIELDS_MAX {
        let help = "Write one field, `key = \"source.ip\"`, or a list of two.";
        faults.add(fields.place.clone(), Fault::KeyFieldCount { count }, help);
        return None;
    }
    let found: KeyFields = found.into_iter().collect::<Option<_>>()?;
    if count == 2 && found[0] == found[1] {
        let field = found[0].name().to_owned();
        faults.add(fields.value[1].place.clone(), Fault::KeyFieldTwice { field }, "Name it once.");
        return None;
    }
    Some(found)
}

pub(crate) fn span(field: &'static str, text: &Text, faults: &mut Faults) -> Option<Span> {
    let value = text.value.clone();
    let Some(span) = duration::parse(&value) else {
        faults.add(text.place.clone(), Fault::BadDuration { field, value }, duration::HELP);
        return None;
    };
    if !(WINDOW_MIN..=WINDOW_MAX).contains(&span) {
        let (min, max) = (WINDOW_MIN.to_string(), WINDOW_MAX.to_string());
        let help = format!("Write a duration from {min} to {max}.");
        let fault = Fault::DurationOutOfRange { field, value, min, max };
        faults.add(text.place.clone(), fault, help);
        return None;
    }
    Some(span)
}

fn some_measures(
    measures: Option<Placed<Vec<RawMeasure>>>,
    faults: &mut Faults,
) -> Vec<RawMeasure> {
    let Some(measures) = measures else {
        if !faults.names("measure") {
            faults.add(0..faults.text().len(), Fault::NoMeasures, MEASURE_HELP);
        }
        return Vec::new();
    };
    let count = measures.value.len();
    if count == 0 {
        faults.add(measures.place, Fault::NoMeasures, MEASURE_HELP);
    } else if count > MEASURES_PER_KEY_MAX {
        let help = "Split the detector: give some of its raises a file of their own.";
        faults.add(measures.place, Fault::TooManyMeasures { count }, help);
    }
    measures.value
}

const MEASURE_HELP: &str = "Add `[measure]` and below it a line like `failures = { count = \
                            \"attempts\", where = { outcome = \"failure\" } }`.";

fn measure(raw: &RawMeasure, window: Option<Span>, faults: &mut Faults) -> Option<NamedMeasure> {
    let name = measure_name(&raw.name, faults);
    let filter = Filter {
        outcome: match &raw.outcome {
            None => None,
            Some(text) => Some(outcome(text, faults)?),
        },
        user_known: raw.user_known,
    };
    if first_seen::asks(raw) {
        let measure = first_seen::measure(raw, filter, window, faults)?;
        return Some(NamedMeasure { name: name?, measure });
    }
    if let Some(field) = &raw.sequential {
        let measure = sequential(raw, field, faults)?;
        return Some(NamedMeasure { name: name?, measure });
    }
    if let Some(what) = &raw.change {
        let measure = change(raw, what, filter, faults)?;
        return Some(NamedMeasure { name: name?, measure });
    }
    let measure = match (&raw.count, &raw.sum, &raw.distinct) {
        (None, None, None) if raw.busiest.is_some() => {
            let what = raw.busiest.as_ref()?;
            choice("busiest", "number to add up", what, &NUMBERS, faults)
                .map(|field| Measure::Busiest(field, filter))
        }
        (Some(what), None, None) => {
            let roles = [("attempts", Role::Attempt), ("mentions", Role::Mention)];
            choice("count", "thing to count", what, &roles, faults)
                .map(|role| Measure::Count(role, filter))
        }
        (None, Some(field), None) => choice("sum", "number to add up", field, &NUMBERS, faults)
            .map(|field| Measure::Sum(field, filter)),
        (None, None, Some(field)) => {
            choice("distinct", "field to count the values of", field, &VALUES, faults)
                .map(|field| Measure::Distinct(field, filter))
        }
        _ => {
            if !raw.faulty {
                let fault = Fault::MeasureKind { name: raw.name.value.clone() };
                faults.add(raw.place.clone(), fault, KIND_HELP);
            }
            None
        }
    };
    Some(NamedMeasure { name: name?, measure: measure? })
}

/// What can be added up.
const NUMBERS: [(&str, NumberField); 2] =
    [("attempts", NumberField::Attempts), ("bytes", NumberField::Bytes)];

/// Whose different values can be counted.
pub(crate) const VALUES: [(&str, DistinctField); 3] = [
    ("user", DistinctField::User),
    ("source.ip", DistinctField::SourceIp),
    ("resource", DistinctField::Resource),
];

const KIND_HELP: &str = "Write one of `count = \"attempts\"`, `count = \"mentions\"`, `sum = \
                         \"attempts\"`, `distinct = \"user\"`, `distinct = \"source.ip\"`, \
                         `sequential = \"user\"`, `change = \"attempts\"` and `busiest = \"attempts\"`.";

const RATES_HELP: &str = "Write for example `{ sequential = \"user\", people = 0.95, attackers = \
                          0.3 }`: the shares of people's and of attackers' first tries that succeed, \
                          between 0 and 1, the second smaller.";

fn sequential(raw: &RawMeasure, field: &Text, faults: &mut Faults) -> Option<Measure> {
    choice("sequential", "field to walk over", field, &[("user", ())], faults)?;
    let others = raw.count.is_some() || raw.sum.is_some() || raw.distinct.is_some();
    if others || raw.outcome.is_some() || raw.user_known.is_some() {
        let fault = Fault::MeasureKind { name: raw.name.value.clone() };
        faults.add(raw.place.clone(), fault, "A walk takes all tries; leave `where` out.");
        return None;
    }
    let thousandths = |share: &Option<Placed<f64>>| {
        let share = share.as_ref()?.value * 1_000.0;
        (1.0..=999.0).contains(&share).then_some(share.round() as u16)
    };
    match (thousandths(&raw.people), thousandths(&raw.attackers)) {
        (Some(people), Some(attackers)) if attackers < people => {
            Some(Measure::Sequential(Rates { people, attackers }))
        }
        _ => {
            if !raw.faulty {
                let fault = Fault::BadRates { name: raw.name.value.clone() };
                faults.add(raw.place.clone(), fault, RATES_HELP);
            }
            None
        }
    }
}

const CHANGE_HELP: &str = "Write for example `{ change = \"attempts\", where = { outcome = \"failure\" }, \
                           times = 2.0, usual = 0.03 }`: how many times the usual share is a change, 1.1 \
                           to 100, and the least share that is taken for usual, 0.001 to 0.5.";

fn change(raw: &RawMeasure, what: &Text, filter: Filter, faults: &mut Faults) -> Option<Measure> {
    choice("change", "thing whose share changes", what, &[("attempts", ())], faults)?;
    let others = raw.count.is_some() || raw.sum.is_some() || raw.distinct.is_some();
    let within = |value: &Option<Placed<f64>>, per_one: f64, from: f64, to: f64| {
        let value = value.as_ref()?.value;
        (from..=to).contains(&value).then_some((value * per_one).round() as u16)
    };
    let times = within(&raw.times, 10.0, 1.1, 100.0);
    let usual = within(&raw.usual, 1_000.0, 0.001, 0.5);
    match (times, usual) {
        (Some(times_tenths), Some(usual_thousandths)) if !others && filter != Filter::default() => {
            Some(Measure::Change(Change { filter, times_tenths, usual_thousandths }))
        }
        _ => {
            if !raw.faulty {
                let fault = Fault::BadChange { name: raw.name.value.clone() };
                faults.add(raw.place.clone(), fault, CHANGE_HELP);
            }
            None
        }
    }
}

/// The keys whose findings a detector by `key` speaks for.
fn covers(
    fields: Option<Placed<Vec<Text>>>,
    key: &Option<KeyFields>,
    faults: &mut Faults,
) -> Option<KeyFields> {
    let mut covers = KeyFields::new();
    let choices = KeyField::ALL.map(|field| (field.name(), field));
    for text in fields.map_or(Vec::new(), |fields| fields.value) {
        let covered = choice("covers", "key field", &text, &choices, faults)?;
        let own = key.as_ref()?;
        let wider = match own.as_slice() {
            [KeyField::Global] => covered != KeyField::Global,
            [KeyField::SourceSubnet] => {
                matches!(covered, KeyField::SourceIp | KeyField::UserAgent)
            }
            _ => false,
        };
        if !wider {
            let key = own.iter().map(|field| field.name()).collect::<Vec<_>>().join(" and ");
            let fault = Fault::Covers { key, covered: text.value.clone() };
            let help = "`global` may cover all others, and `source.subnet` may cover \"source.ip\" and \
                        \"user_agent\", which is what one client does in it.";
            faults.add(text.place.clone(), fault, help);
            return None;
        }
        if !covers.contains(&covered) {
            covers.push(covered);
        }
    }
    Some(covers)
}

/// The ids of other detectors.
fn others(
    field: &'static str,
    names: Option<Placed<Vec<Text>>>,
    own: &Option<String>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let names = names.map_or(Vec::new(), |names| names.value);
    let mut ids = Vec::new();
    for name in names {
        let place = name.place.clone();
        let id = detector_id(name, faults)?;
        if own.as_ref() == Some(&id) {
            let help = "Name other detectors, by their ids.";
            faults.add(place, Fault::OwnId { field }, help);
            return None;
        }
        ids.push(id);
    }
    Some(ids)
}

fn measure_name(name: &Text, faults: &mut Faults) -> Option<String> {
    let bytes = name.value.as_bytes();
    let fits = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
        && bytes.len() <= NAME_BYTES_MAX;
    if fits {
        return Some(name.value.clone());
    }
    let help = format!(
        "Write lower-case letters, digits and `_`, a letter first, at most {NAME_BYTES_MAX}, like \
         `unknown_users`."
    );
    faults.add(name.place.clone(), Fault::BadMeasureName { name: name.value.clone() }, help);
    None
}

fn outcome(text: &Text, faults: &mut Faults) -> Option<Outcome> {
    let outcomes = [("failure", Outcome::Failure), ("success", Outcome::Success)];
    choice("outcome", "outcome", text, &outcomes, faults)
}

fn some_raises(raises: Option<Placed<Vec<RawRaise>>>, faults: &mut Faults) -> Vec<RawRaise> {
    let help =
        "Add `[[raise]]` and below it `severity = \"high\"` and `when = [\"failures >= 30\"]`.";
    let (raises, place) = match raises {
        Some(raises) => (raises.value, raises.place),
        None => (Vec::new(), 0..faults.text().len()),
    };
    if raises.is_empty() && !faults.names("raise") {
        faults.add(place, Fault::NoRaises, help);
    }
    raises
}

fn raise(raw: &RawRaise, names: &[&str], faults: &mut Faults) -> Option<Raise> {
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let severity = match &raw.severity {
        Some(text) => choice("severity", "severity", text, &severities, faults),
        None => missing_in_raise("severity", "severity = \"high\"", raw, faults),
    };
    let levels = Confidence::ALL.map(|confidence| (confidence.name(), confidence));
    let confidence = match &raw.confidence {
        Some(text) => Some(choice("confidence", "confidence", text, &levels, faults)),
        None => None,
    };
    let Some(when) = &raw.when else {
        return missing_in_raise("when", "when = [\"failures >= 30\"]", raw, faults);
    };
    let conditions: Vec<_> =
        when.value.iter().map(|text| condition::parse(text, names, faults)).collect();
    let conditions: Vec<Condition> = conditions.into_iter().collect::<Option<_>>()?;
    if conditions.is_empty() {
        let help = "Add a condition, like \"failures >= 30\"; all conditions of a raise must hold.";
        faults.add(when.place.clone(), Fault::EmptyWhen, help);
        return None;
    }
    if conditions.iter().all(condition::holds_on_silence) {
        let help = "Add a condition with a lower bound above 0, like \"failures >= 30\": upper \
                    bounds (`<`, `<=`) and shares alone also hold when nothing happens.";
        faults.add(when.place.clone(), Fault::RaisesOnSilence, help);
        return None;
    }
    let confidence = confidence.map_or(Some(None), |said| said.map(Some))?;
    Some(Raise { severity: severity?, confidence, when: conditions })
}

/// Reports a missing field, unless the raise is faulty: then it may be there, but misspelt.
fn missing_in_raise<T>(
    field: &'static str,
    example: &str,
    raw: &RawRaise,
    faults: &mut Faults,
) -> Option<T> {
    if !raw.faulty {
        let fault = Fault::MissingField { field, of: "this raise" };
        faults.add(raw.place.clone(), fault, format!("Add a line like `{example}`."));
    }
    None
}
