//! Detector files about what functions take (`signal = "invocation"`): the same fields for people as other
//! detectors have, and instead of measures one number and what about it is odd.
//!
//! ```toml
//! signal = "invocation"
//! key = "function"
//! quiet = "1h"
//!
//! [series]
//! of = "dollars"      # a number of each pane of five minutes
//! is = "above"        # above, driven, creeping, silent, runaway
//!
//! [[raise]]
//! severity = "high"
//! above = 2.5         # dollars an hour above usual
//! ```
//!
//! A detector of callers has `key = "principal"` and `is = "riding"`.
//!
//! A detector of budgets, `is = "over-budget"`, says instead of `above` from what share of the budget on it raises:
//! `projected = 1.0` by the end of the month, `spent = 1.0` so far, or both, as either raises.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tidewatch_core::detector::Severity;
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};

use crate::fault::{Fault, Faults, Place, RuleError};
use crate::raw::number;
use crate::tree::{
    Node, Placed, Text, in_file_order, parse, string, strings, table, unknown_field, wrong_type,
};
use crate::validate::{attack, choice, detector_id, prose, span};

/// What the field `signal` says in such a file.
pub const SIGNAL: &str = "invocation";

const FIELDS: [&str; 10] =
    ["id", "title", "description", "advice", "attack", "signal", "key", "quiet", "series", "raise"];
const SERIES_FIELDS: [&str; 3] = ["of", "is", "share"];
const RAISE_FIELDS: [&str; 4] = ["severity", "above", "projected", "spent"];

/// The largest share of a budget that can be asked for.
const BUDGETS_MAX: f64 = 100.0;

/// Whether the text of a detector file is about invocations; a file that is no TOML is not.
pub fn is_about_invocations(text: &str) -> bool {
    let tree = parse(text, &mut Faults::new("", text));
    let signal = tree.as_ref().and_then(|tree| tree.get_ref().get("signal"));
    signal.is_some_and(|signal| signal.get_ref().as_str() == Some(SIGNAL))
}

/// The detectors about invocations in the texts of several files, in the given order; other files are left out.
///
/// # Errors
/// The faults of all files, and ids that are used twice. At least one.
pub fn load_spending(
    files: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<SpendDetector>, Vec<RuleError>> {
    let (mut detectors, mut errors) = (Vec::new(), Vec::new());
    let mut first_use_of_id: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in files.into_iter().filter(|(_, text)| is_about_invocations(text)) {
        let mut faults = Faults::new(&name, &text);
        let detector = read(&text, &mut faults);
        if let Some((detector, place)) = detector {
            if let Some(other) = first_use_of_id.get(&detector.id) {
                let fault = Fault::DuplicateId { id: detector.id.clone(), other: other.clone() };
                faults.add(place, fault, "An id names one detector. Choose another.");
            }
            first_use_of_id.entry(detector.id.clone()).or_insert(name);
            detectors.push(detector);
        }
        faults.list.sort_by_key(|error| error.span.offset());
        errors.extend(faults.list);
    }
    if errors.is_empty() { Ok(detectors) } else { Err(errors) }
}

/// A file as it is written.
#[derive(Default)]
struct Raw {
    id: Option<Text>,
    title: Option<Text>,
    description: Option<Text>,
    advice: Option<Text>,
    attacks: Vec<Text>,
    key: Option<Text>,
    quiet: Option<Text>,
    of: Option<Text>,
    is: Option<Text>,
    share: Option<Placed<f64>>,
    raises: Vec<RawRaise>,
}

/// A raise as it is written.
#[derive(Default)]
struct RawRaise {
    place: Place,
    severity: Option<Text>,
    above: Option<Placed<f64>>,
    projected: Option<Placed<f64>>,
    spent: Option<Placed<f64>>,
}

fn read(text: &str, faults: &mut Faults) -> Option<(SpendDetector, Place)> {
    let tree = parse(text, faults)?;
    let mut raw = Raw::default();
    for (name, node) in in_file_order(tree.get_ref()) {
        let field = name.get_ref().as_ref();
        match field {
            "id" => raw.id = string(field, node, faults),
            "title" => raw.title = string(field, node, faults),
            "description" => raw.description = string(field, node, faults),
            "advice" => raw.advice = string(field, node, faults),
            "attack" => raw.attacks = strings(field, node, faults).map_or(Vec::new(), |s| s.value),
            "signal" => {}
            "key" => raw.key = string(field, node, faults),
            "quiet" => raw.quiet = string(field, node, faults),
            "series" => series(&mut raw, node, faults),
            "raise" => raises(&mut raw, node, faults),
            _ => unknown_field(name.span(), field, "a detector of invocations", &FIELDS, faults),
        }
    }
    let place = raw.id.as_ref().map_or(0..0, |id| id.place.clone());
    let detector = detector(raw, faults)?;
    faults.list.is_empty().then_some((detector, place))
}

fn series(raw: &mut Raw, node: Node<'_, '_>, faults: &mut Faults) {
    let Some(table) = table("series", node, faults) else { return };
    for (name, node) in in_file_order(table) {
        let field = name.get_ref().as_ref();
        match field {
            "of" => raw.of = string(field, node, faults),
            "is" => raw.is = string(field, node, faults),
            "share" => raw.share = number(field, node, faults),
            _ => unknown_field(name.span(), field, "`series`", &SERIES_FIELDS, faults),
        }
    }
}

fn raises(raw: &mut Raw, node: Node<'_, '_>, faults: &mut Faults) {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type("raise", "a list of tables, each headed [[raise]]", node, faults);
        return;
    };
    for node in array.iter() {
        let Some(table) = table("raise", node, faults) else { continue };
        let mut raise = RawRaise { place: node.span(), ..RawRaise::default() };
        for (name, node) in in_file_order(table) {
            let field = name.get_ref().as_ref();
            match field {
                "severity" => raise.severity = string(field, node, faults),
                "above" => raise.above = number(field, node, faults),
                "projected" => raise.projected = number(field, node, faults),
                "spent" => raise.spent = number(field, node, faults),
                _ => unknown_field(name.span(), field, "a raise", &RAISE_FIELDS, faults),
            }
        }
        raw.raises.push(raise);
    }
}

fn detector(raw: Raw, faults: &mut Faults) -> Option<SpendDetector> {
    let id = needed("id", raw.id, faults).and_then(|id| detector_id(id, faults));
    let title = needed("title", raw.title, faults).and_then(|text| prose("title", &text, faults));
    let description = raw.description.map(|text| prose("description", &text, faults));
    let advice = raw.advice.map(|text| prose("advice", &text, faults));
    let attacks: Vec<_> = raw.attacks.iter().map(|text| attack(text, faults)).collect();
    let key = needed("key", raw.key, faults).and_then(|key| keyed(&key, raw.is.as_ref(), faults));
    let quiet = needed("quiet", raw.quiet, faults).and_then(|text| span("quiet", &text, faults));
    let numbers = Number::ALL.map(|number| (number.name(), number));
    let of = needed("of", raw.of.clone(), faults)
        .and_then(|of| choice("of", "number of a pane", &of, &numbers, faults));
    let rules = Rule::ALL.map(|rule| (rule.name(), rule));
    let rule = needed("is", raw.is.clone(), faults)
        .and_then(|is| choice("is", "way to be odd", &is, &rules, faults));
    let share = match &raw.share {
        Some(share) => within("share", share, 1.0, faults),
        None => Some(0.0),
    };
    if raw.raises.is_empty() && !faults.names("raise") {
        let help = "Add `[[raise]]` and below it `severity = \"high\"` and `above = 2.5`.";
        faults.add(0..faults.text().len(), Fault::NoRaises, help);
    }
    if rule == Some(Rule::Riding) {
        only_dollars(
            of,
            raw.of.as_ref(),
            "is = \"riding\"",
            "Callers are weighed in dollars",
            faults,
        );
    }
    let (raises, spent) = match rule {
        Some(Rule::Budget) => of_budget(raw.raises, of, raw.of.as_ref(), faults),
        _ => (of_amount(raw.raises, faults), Some(Vec::new())),
    };
    key?;
    Some(SpendDetector {
        id: id?,
        title: title?,
        description: description.unwrap_or(Some(String::new()))?,
        advice: advice.unwrap_or(Some(String::new()))?,
        attacks: attacks.into_iter().collect::<Option<_>>()?,
        of: of?,
        rule: rule?,
        share: share?,
        quiet: quiet?,
        raises: raises?,
        spent: spent?,
    })
}

/// What the detector is keyed by, which goes with what is odd: callers ride, and functions do all else.
fn keyed(key: &Text, is: Option<&Text>, faults: &mut Faults) -> Option<()> {
    let rides =
        choice("key", "key field", key, &[("function", false), ("principal", true)], faults)?;
    let riding = is.map(|is| is.value == Rule::Riding.name());
    if riding.is_some_and(|riding| riding != rides) {
        let (goes_with, help) = match rides {
            true => ("is = \"riding\"", "Write `is = \"riding\"`, or `key = \"function\"`."),
            false => ("is = \"above\" and the like", "Write `key = \"principal\"`."),
        };
        let field = if rides { "key = \"principal\"" } else { "key = \"function\"" };
        faults.add(key.place.clone(), Fault::OutOfPlace { field, goes_with }, help);
        return None;
    }
    Some(())
}

/// That a detector of dollars weighs no other number.
fn only_dollars(
    of: Option<Number>,
    text: Option<&Text>,
    field: &'static str,
    why: &str,
    faults: &mut Faults,
) {
    let (Some(other), Some(text)) = (of.filter(|of| *of != Number::Dollars), text) else { return };
    let fault = Fault::OutOfPlace { field, goes_with: "of = \"dollars\"" };
    faults.add(text.place.clone(), fault, format!("{why}, and `{}` are not.", other.name()));
}

/// Severities with what they are raised from on, from high to low.
type Raises = Vec<(Severity, f64)>;

fn severity_of(raise: &mut RawRaise, faults: &mut Faults) -> Option<Severity> {
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let severity = needed("severity", raise.severity.take(), faults)?;
    choice("severity", "severity", &severity, &severities, faults)
}

/// The raises of a detector of what is above usual.
fn of_amount(raises: Vec<RawRaise>, faults: &mut Faults) -> Option<Raises> {
    let raises: Vec<_> = raises
        .into_iter()
        .map(|mut raise| {
            let severity = severity_of(&mut raise, faults);
            let out_of_place = [("projected", &raise.projected), ("spent", &raise.spent)];
            for (field, number) in out_of_place {
                let Some(number) = number else { continue };
                let fault = Fault::OutOfPlace { field, goes_with: "is = \"over-budget\"" };
                faults.add(number.place.clone(), fault, "Write `above = 2.5` instead.");
            }
            let above = needed("above", raise.above, faults)
                .and_then(|number| within("above", &number, 1e12, faults));
            Some((severity?, above?))
        })
        .collect();
    raises.into_iter().collect::<Option<Raises>>().map(sorted)
}

/// Those of a detector of budgets: by what is projected, and by what is spent.
fn of_budget(
    raises: Vec<RawRaise>,
    of: Option<Number>,
    of_text: Option<&Text>,
    faults: &mut Faults,
) -> (Option<Raises>, Option<Raises>) {
    only_dollars(of, of_text, "is = \"over-budget\"", "Budgets are in dollars", faults);
    let (mut projected, mut spent) = (Some(Vec::new()), Some(Vec::new()));
    for mut raise in raises {
        let severity = severity_of(&mut raise, faults);
        if let Some(above) = &raise.above {
            let fault = Fault::OutOfPlace { field: "above", goes_with: "is = \"above\"" };
            let help =
                "Write from what share of the budget on, `projected = 1.0` or `spent = 1.0`.";
            faults.add(above.place.clone(), fault, help);
        } else if raise.projected.is_none() && raise.spent.is_none() {
            let fault = Fault::MissingField { field: "projected", of: "the raise" };
            let help =
                "Write from what share of the budget on, `projected = 1.0` or `spent = 1.0`.";
            faults.add(raise.place.clone(), fault, help);
        }
        for (all, field, number) in
            [(&mut projected, "projected", raise.projected), (&mut spent, "spent", raise.spent)]
        {
            let Some(number) = number else { continue };
            let least = within(field, &number, BUDGETS_MAX, faults);
            match (severity, least, all.as_mut()) {
                (Some(severity), Some(least), Some(all)) => all.push((severity, least)),
                _ => *all = None,
            }
        }
    }
    (projected.map(sorted), spent.map(sorted))
}

fn sorted(mut raises: Raises) -> Raises {
    raises.sort_by_key(|(severity, _)| Reverse(*severity));
    raises
}

/// A number that is not negative and at most `most`.
fn within(
    field: &'static str,
    number: &Placed<f64>,
    most: f64,
    faults: &mut Faults,
) -> Option<f64> {
    let fits = (0.0..=most).contains(&number.value);
    if !fits {
        let (value, max) = (number.value.to_string(), most.to_string());
        let fault = Fault::NumberOutOfRange { field, value, max };
        faults.add(number.place.clone(), fault, format!("Write a number from 0 to {most}."));
    }
    fits.then_some(number.value)
}

fn needed<T>(field: &'static str, value: Option<T>, faults: &mut Faults) -> Option<T> {
    if value.is_none() && !faults.names(field) {
        let example = match field {
            "id" => "id = \"cost-spike\"",
            "title" => "title = \"A function costs far more than usual\"",
            "key" => "key = \"function\"",
            "quiet" => "quiet = \"1h\"",
            "of" => "of = \"dollars\"` below `[series]",
            "is" => "is = \"above\"` below `[series]",
            "severity" => "severity = \"high\"` below `[[raise]]",
            _ => "above = 2.5` below `[[raise]]",
        };
        let fault = Fault::MissingField { field, of: "the detector" };
        faults.add(0..faults.text().len(), fault, format!("Add a line like `{example}`."));
    }
    value
}
