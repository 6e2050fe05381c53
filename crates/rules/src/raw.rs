//! A detector file as it is written: fields with their types and places, without meaning.
//!
//! The TOML tree is walked by hand and not through serde, because serde stops at the first fault and
//! forgets where a value stood. Invariant: every field of the format is named in exactly one of the
//! lists below, and what is not in its list is a fault.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::{Fault, Faults, Place};
use crate::suggest;

const DETECTOR_FIELDS: [&str; 11] = [
    "id",
    "title",
    "description",
    "advice",
    "attack",
    "signal",
    "key",
    "window",
    "quiet",
    "measure",
    "raise",
];
const MEASURE_FIELDS: [&str; 4] = ["count", "sum", "distinct", "where"];
const WHERE_FIELDS: [&str; 2] = ["outcome", "user_known"];
const RAISE_FIELDS: [&str; 2] = ["severity", "when"];

/// A value and where it stands in the file.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// A string and where it stands, quotes included.
pub(crate) type Text = Placed<String>;

/// A detector file, syntactically.
#[derive(Debug, Default)]
pub(crate) struct RawDetector {
    pub(crate) id: Option<Text>,
    pub(crate) title: Option<Text>,
    pub(crate) description: Option<Text>,
    pub(crate) advice: Option<Text>,
    pub(crate) attack: Vec<Text>,
    pub(crate) signal: Option<Text>,
    pub(crate) key: Option<Placed<Vec<Text>>>,
    pub(crate) window: Option<Text>,
    pub(crate) quiet: Option<Text>,
    /// `None` where the file has no `measure`; in the order of the file.
    pub(crate) measures: Option<Placed<Vec<RawMeasure>>>,
    /// `None` where the file has no `raise`; in the order of the file.
    pub(crate) raises: Option<Placed<Vec<RawRaise>>>,
}

#[derive(Debug)]
pub(crate) struct RawMeasure {
    pub(crate) name: Text,
    pub(crate) place: Place,
    /// Something in it is reported already, so what it lacks need not be.
    pub(crate) faulty: bool,
    pub(crate) count: Option<Text>,
    pub(crate) sum: Option<Text>,
    pub(crate) distinct: Option<Text>,
    pub(crate) outcome: Option<Text>,
    pub(crate) user_known: Option<bool>,
}

#[derive(Debug)]
pub(crate) struct RawRaise {
    pub(crate) place: Place,
    /// As for a measure.
    pub(crate) faulty: bool,
    pub(crate) severity: Option<Text>,
    pub(crate) when: Option<Placed<Vec<Text>>>,
}

impl RawDetector {
    /// Where the id stands; the file's start without one.
    pub(crate) fn id_place(&self) -> Place {
        self.id.as_ref().map_or(0..0, |id| id.place.clone())
    }
}

type Node<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// The file's fields; `None` where it is not TOML. Faults go to `faults`.
pub(crate) fn read(text: &str, faults: &mut Faults) -> Option<RawDetector> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let fault = Fault::Syntax { message: error.message().trim().replace('\n', "; ") };
        let help = "See https://toml.io for the syntax; the detectors that come with Tidewatch are \
                    examples of the format.";
        faults.add(error.span().unwrap_or(0..0), fault, help);
    }
    if !errors.is_empty() {
        return None;
    }
    let mut raw = RawDetector::default();
    for (name, node) in in_file_order(tree.get_ref()) {
        let field = name.get_ref().as_ref();
        match field {
            "id" => raw.id = string(field, node, faults),
            "title" => raw.title = string(field, node, faults),
            "description" => raw.description = string(field, node, faults),
            "advice" => raw.advice = string(field, node, faults),
            "attack" => raw.attack = strings(field, node, faults).map_or(Vec::new(), |s| s.value),
            "signal" => raw.signal = string(field, node, faults),
            "key" => raw.key = one_or_more(field, node, faults),
            "window" => raw.window = string(field, node, faults),
            "quiet" => raw.quiet = string(field, node, faults),
            "measure" => raw.measures = measures(node, faults),
            "raise" => raw.raises = raises(node, faults),
            _ => unknown_field(name.span(), field, "a detector", &DETECTOR_FIELDS, faults),
        }
    }
    Some(raw)
}

fn measures(node: Node<'_, '_>, faults: &mut Faults) -> Option<Placed<Vec<RawMeasure>>> {
    let table = table("measure", node, faults)?;
    let mut measures = Vec::new();
    for (name, node) in in_file_order(table) {
        let name = Placed { value: name.get_ref().clone().into_owned(), place: name.span() };
        measures.push(measure(name, node, faults));
    }
    Some(Placed { value: measures, place: node.span() })
}

/// A measure that is no table is kept by its name, so that conditions on it are no faults too.
fn measure(name: Text, node: Node<'_, '_>, faults: &mut Faults) -> RawMeasure {
    let faults_before = faults.list.len();
    let table = table(&name.value, node, faults);
    let mut raw = RawMeasure {
        name,
        place: node.span(),
        faulty: false,
        count: None,
        sum: None,
        distinct: None,
        outcome: None,
        user_known: None,
    };
    for (name, node) in table.map_or(Vec::new(), in_file_order) {
        let field = name.get_ref().as_ref();
        match field {
            "count" => raw.count = string(field, node, faults),
            "sum" => raw.sum = string(field, node, faults),
            "distinct" => raw.distinct = string(field, node, faults),
            "where" => read_where(&mut raw, node, faults),
            _ => unknown_field(name.span(), field, "a measure", &MEASURE_FIELDS, faults),
        }
    }
    raw.faulty = faults.list.len() > faults_before;
    raw
}

fn read_where(raw: &mut RawMeasure, node: Node<'_, '_>, faults: &mut Faults) {
    let Some(table) = table("where", node, faults) else { return };
    for (name, node) in in_file_order(table) {
        let field = name.get_ref().as_ref();
        match field {
            "outcome" => raw.outcome = string(field, node, faults),
            "user_known" => match node.get_ref().as_bool() {
                Some(known) => raw.user_known = Some(known),
                None => wrong_type(field, "true or false", node, faults),
            },
            _ => unknown_field(name.span(), field, "`where`", &WHERE_FIELDS, faults),
        }
    }
}

fn raises(node: Node<'_, '_>, faults: &mut Faults) -> Option<Placed<Vec<RawRaise>>> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type("raise", "a list of tables, each headed [[raise]]", node, faults);
        return None;
    };
    let mut raises = Vec::new();
    for node in array.iter() {
        let Some(table) = table("raise", node, faults) else { continue };
        let faults_before = faults.list.len();
        let mut raw = RawRaise { place: node.span(), faulty: false, severity: None, when: None };
        for (name, node) in in_file_order(table) {
            let field = name.get_ref().as_ref();
            match field {
                "severity" => raw.severity = string(field, node, faults),
                "when" => raw.when = strings(field, node, faults),
                _ => unknown_field(name.span(), field, "a raise", &RAISE_FIELDS, faults),
            }
        }
        raw.faulty = faults.list.len() > faults_before;
        raises.push(raw);
    }
    Some(Placed { value: raises, place: node.span() })
}

/// The fields of a table by their place: the tree sorts them by name.
fn in_file_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, Node<'a, 'i>)> {
    let mut fields: Vec<_> = table.iter().collect();
    fields.sort_by_key(|(name, _)| name.span().start);
    fields
}

fn string(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Text> {
    match node.get_ref().as_str() {
        Some(text) => Some(Placed { value: text.to_owned(), place: node.span() }),
        None => {
            wrong_type(field, "a string", node, faults);
            None
        }
    }
}

fn strings(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Placed<Vec<Text>>> {
    let Some(array) = node.get_ref().as_array() else {
        wrong_type(field, "a list of strings", node, faults);
        return None;
    };
    let value = array.iter().filter_map(|item| string(field, item, faults)).collect::<Vec<_>>();
    // A list that lost an item to a fault must not look like a shorter, perhaps empty one.
    (value.len() == array.len()).then(|| Placed { value, place: node.span() })
}

fn one_or_more(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Placed<Vec<Text>>> {
    if node.get_ref().is_str() {
        let value = string(field, node, faults).into_iter().collect();
        return Some(Placed { value, place: node.span() });
    }
    strings(field, node, faults)
}

fn table<'a, 'i>(field: &str, node: Node<'a, 'i>, faults: &mut Faults) -> Option<&'a DeTable<'i>> {
    let table = node.get_ref().as_table();
    if table.is_none() {
        wrong_type(field, "a table", node, faults);
    }
    table
}

fn wrong_type(field: &str, expected: &'static str, node: Node<'_, '_>, faults: &mut Faults) {
    let found = node.get_ref().type_str();
    let help = match (expected, found) {
        ("a string", "integer" | "float" | "boolean") => {
            format!("Put it in quotes: `{field} = \"…\"`.")
        }
        ("a list of strings", "string") => format!("Put it in brackets: `{field} = [\"…\"]`."),
        ("a table", _) => format!("Write `{field} = {{ … }}` or head it [{field}]."),
        ("true or false", _) => format!("Write `{field} = true` or `{field} = false`, unquoted."),
        _ => format!("Make `{field}` {expected}."),
    };
    let fault = Fault::WrongType { field: field.to_owned(), expected, found };
    faults.add(node.span(), fault, help);
}

fn unknown_field(
    place: Place,
    field: &str,
    of: &'static str,
    allowed: &[&str],
    faults: &mut Faults,
) {
    let help = suggest::help(field, "Allowed fields", allowed);
    let meant = suggest::nearest(field, allowed).map(str::to_owned);
    faults.add(place, Fault::UnknownField { field: field.to_owned(), of, meant }, help);
}
