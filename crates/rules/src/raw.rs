//! A detector file as it is written: fields with their types and places, without meaning.
//!
//! Invariant: every field of the format is named in exactly one of the
//! lists below, and what is not in its list is a fault.

use crate::fault::{Faults, Place};
use crate::tree::{
    self, Node, Placed, Text, in_file_order, one_or_more, string, strings, table, unknown_field,
    wrong_type,
};

const DETECTOR_FIELDS: [&str; 17] = [
    "id",
    "title",
    "description",
    "advice",
    "attack",
    "signal",
    "key",
    "window",
    "quiet",
    "after",
    "after_within",
    "unless",
    "covers",
    "share",
    "log_holds",
    "measure",
    "raise",
];
const MEASURE_FIELDS: [&str; 13] = [
    "count",
    "sum",
    "distinct",
    "new_within",
    "known_for",
    "sequential",
    "people",
    "attackers",
    "change",
    "busiest",
    "times",
    "usual",
    "where",
];
const WHERE_FIELDS: [&str; 2] = ["outcome", "user_known"];
const RAISE_FIELDS: [&str; 3] = ["severity", "confidence", "when"];

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
    pub(crate) after: Option<Placed<Vec<Text>>>,
    pub(crate) after_within: Option<Text>,
    pub(crate) unless: Option<Placed<Vec<Text>>>,
    pub(crate) covers: Option<Placed<Vec<Text>>>,
    pub(crate) share: Option<Text>,
    pub(crate) log_holds: Option<Text>,
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
    /// Durations.
    pub(crate) new_within: Option<Text>,
    pub(crate) known_for: Option<Text>,
    pub(crate) sequential: Option<Text>,
    /// Shares, 0 to 1.
    pub(crate) people: Option<Placed<f64>>,
    pub(crate) attackers: Option<Placed<f64>>,
    pub(crate) change: Option<Text>,
    pub(crate) busiest: Option<Text>,
    /// More than 1.
    pub(crate) times: Option<Placed<f64>>,
    /// A share, 0 to 1.
    pub(crate) usual: Option<Placed<f64>>,
    pub(crate) outcome: Option<Text>,
    pub(crate) user_known: Option<bool>,
}

#[derive(Debug)]
pub(crate) struct RawRaise {
    pub(crate) place: Place,
    /// As for a measure.
    pub(crate) faulty: bool,
    pub(crate) severity: Option<Text>,
    pub(crate) confidence: Option<Text>,
    pub(crate) when: Option<Placed<Vec<Text>>>,
}

impl RawDetector {
    /// Where the id stands; the file's start without one.
    pub(crate) fn id_place(&self) -> Place {
        self.id.as_ref().map_or(0..0, |id| id.place.clone())
    }
}

/// The file's fields; `None` where it is not TOML. Faults go to `faults`.
pub(crate) fn read(text: &str, faults: &mut Faults) -> Option<RawDetector> {
    let tree = tree::parse(text, faults)?;
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
            "after" => raw.after = one_or_more(field, node, faults),
            "after_within" => raw.after_within = string(field, node, faults),
            "unless" => raw.unless = one_or_more(field, node, faults),
            "covers" => raw.covers = one_or_more(field, node, faults),
            "share" => raw.share = string(field, node, faults),
            "log_holds" => raw.log_holds = string(field, node, faults),
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
        new_within: None,
        known_for: None,
        sequential: None,
        people: None,
        attackers: None,
        change: None,
        busiest: None,
        times: None,
        usual: None,
        outcome: None,
        user_known: None,
    };
    for (name, node) in table.map_or(Vec::new(), in_file_order) {
        let field = name.get_ref().as_ref();
        match field {
            "count" => raw.count = string(field, node, faults),
            "sum" => raw.sum = string(field, node, faults),
            "distinct" => raw.distinct = string(field, node, faults),
            "new_within" => raw.new_within = string(field, node, faults),
            "known_for" => raw.known_for = string(field, node, faults),
            "sequential" => raw.sequential = string(field, node, faults),
            "people" => raw.people = number(field, node, faults),
            "attackers" => raw.attackers = number(field, node, faults),
            "busiest" => raw.busiest = string(field, node, faults),
            "change" => raw.change = string(field, node, faults),
            "times" => raw.times = number(field, node, faults),
            "usual" => raw.usual = number(field, node, faults),
            "where" => read_where(&mut raw, node, faults),
            _ => unknown_field(name.span(), field, "a measure", &MEASURE_FIELDS, faults),
        }
    }
    raw.faulty = faults.list.len() > faults_before;
    raw
}

pub(crate) fn number(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Placed<f64>> {
    let value = node.get_ref();
    let float = value.as_float().and_then(|float| float.as_str().parse().ok());
    let whole = value.as_integer().and_then(|whole| whole.as_str().parse().ok());
    match float.or(whole) {
        Some(value) => Some(Placed { value, place: node.span() }),
        None => {
            wrong_type(field, "a number", node, faults);
            None
        }
    }
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
        let (place, faulty) = (node.span(), false);
        let mut raw = RawRaise { place, faulty, severity: None, confidence: None, when: None };
        for (name, node) in in_file_order(table) {
            let field = name.get_ref().as_ref();
            match field {
                "severity" => raw.severity = string(field, node, faults),
                "confidence" => raw.confidence = string(field, node, faults),
                "when" => raw.when = strings(field, node, faults),
                _ => unknown_field(name.span(), field, "a raise", &RAISE_FIELDS, faults),
            }
        }
        raw.faulty = faults.list.len() > faults_before;
        raises.push(raw);
    }
    Some(Placed { value: raises, place: node.span() })
}
