//! Files (TOML) that say what a log does not of functions: what they run on, their ephemeral storage, and what they
//! may cost.
//!
//! ```toml
//! budget = 1000               # dollars a calendar month (UTC) for all functions that are watched, together
//!
//! [[function]]
//! name = ["checkout-*", "resize"]
//! architecture = "arm64"      # or "x86_64"
//! storage_mb = 2048           # 512 unless given
//! budget = 500                # dollars a calendar month (UTC) for each function that fits
//! ```
//!
//! Of the entries that fit a function the first decides, for each of the three fields by itself.

use tidewatch_core::meter::tariff::{Architecture, STORAGE_FREE_MB, STORAGE_MB_MAX, Terms};
use tidewatch_ingest::declared::Glob;

use crate::FILE_BYTES_MAX;
use crate::fault::{Fault, Faults, RuleError};
use crate::prices::whole;
use crate::raw::number;
use crate::suggest;
use crate::tree::{
    Node, in_file_order, one_or_more, parse, string, table, unknown_field, wrong_type,
};

const FILE_FIELDS: [&str; 2] = ["budget", "function"];
const FIELDS: [&str; 4] = ["name", "architecture", "storage_mb", "budget"];

/// The least budget: a cent.
pub const BUDGET_MIN: f64 = 0.01;

/// The largest, in dollars a month.
pub const BUDGET_MAX: f64 = 1e9;

/// What is said of functions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Functions {
    entries: Vec<Entry>,
    /// What all functions together may cost, in dollars a calendar month.
    pub budget: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    names: Vec<Glob>,
    architecture: Option<Architecture>,
    storage_mb: Option<u16>,
    budget: Option<f64>,
}

impl Functions {
    fn fitting(&self, name: &str) -> impl Iterator<Item = &Entry> {
        let fits = move |entry: &&Entry| entry.names.iter().any(|glob| glob.fits(name));
        self.entries.iter().filter(fits)
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many of them state a budget.
    pub fn budgets(&self) -> usize {
        self.entries.iter().filter(|entry| entry.budget.is_some()).count()
    }

    /// What a function may cost, in dollars a calendar month.
    pub fn budget_of(&self, name: &str) -> Option<f64> {
        self.fitting(name).find_map(|entry| entry.budget)
    }

    /// What is said of a function; of what is not said, `otherwise` is.
    pub fn terms(&self, name: &str, otherwise: Terms) -> Terms {
        let architecture = self.fitting(name).find_map(|entry| entry.architecture);
        let storage_mb = self.fitting(name).find_map(|entry| entry.storage_mb);
        Terms {
            architecture: architecture.unwrap_or(otherwise.architecture),
            storage_mb: storage_mb.unwrap_or(otherwise.storage_mb),
        }
    }
}

/// The architecture of that name.
///
/// # Errors
/// Says which there are.
pub fn architecture(name: &str) -> Result<Architecture, String> {
    let found = Architecture::ALL.into_iter().find(|known| known.name() == name);
    found.ok_or_else(|| {
        suggest::help(name, "Architectures", &Architecture::ALL.map(Architecture::name))
    })
}

/// A budget that is no budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a budget is dollars a calendar month, from 0.01 to 1000000000, such as 1000")]
pub struct NoBudget;

/// A budget on the command line.
///
/// # Errors
/// If it is none.
pub fn budget(text: &str) -> Result<f64, NoBudget> {
    let number = text.trim().trim_start_matches('$').parse::<f64>().map_err(|_| NoBudget)?;
    (BUDGET_MIN..=BUDGET_MAX).contains(&number).then_some(number).ok_or(NoBudget)
}

/// What the text of a file says of functions.
///
/// # Errors
/// All faults of the file; at least one.
pub fn functions(file: &str, text: &str) -> Result<Functions, Vec<RuleError>> {
    let mut faults = Faults::new(file, text);
    let mut all = Functions::default();
    let tree = match text.len() > FILE_BYTES_MAX {
        true => {
            faults.add(0..0, Fault::TooLong { bytes: text.len() }, "Leave out what is not needed.");
            None
        }
        false => parse(text, &mut faults),
    };
    for (name, node) in tree.iter().flat_map(|tree| in_file_order(tree.get_ref())) {
        match &**name.get_ref() {
            "budget" => all.budget = dollars(node, &mut faults),
            "function" => match node.get_ref().as_array() {
                Some(list) => {
                    all.entries.extend(list.iter().filter_map(|node| entry(node, &mut faults)));
                }
                None => {
                    let expected = "a list of tables, each with its head in [[…]]";
                    wrong_type("function", expected, node, &mut faults);
                }
            },
            other => {
                let of = "a file about functions";
                unknown_field(name.span(), other, of, &FILE_FIELDS, &mut faults);
            }
        }
    }
    if faults.list.is_empty() {
        return Ok(all);
    }
    faults.list.sort_by_key(|error| error.span.offset());
    Err(faults.list)
}

fn entry(node: Node<'_, '_>, faults: &mut Faults) -> Option<Entry> {
    let table = table("function", node, faults)?;
    let mut entry = Entry::default();
    let mut named = false;
    for (name, node) in in_file_order(table) {
        match &**name.get_ref() {
            "name" => {
                named = true;
                let names = one_or_more("name", node, faults);
                let names = names.map_or(Vec::new(), |names| names.value);
                entry.names = names.iter().map(|name| Glob::new(&name.value)).collect();
            }
            "architecture" => {
                let Some(text) = string("architecture", node, faults) else { continue };
                match architecture(&text.value) {
                    Ok(known) => entry.architecture = Some(known),
                    Err(help) => {
                        let (field, value) = ("architecture".to_owned(), text.value);
                        let fault = Fault::UnknownValue { field, what: "architecture", value };
                        faults.add(text.place, fault, help);
                    }
                }
            }
            "storage_mb" => entry.storage_mb = storage(node, faults),
            "budget" => entry.budget = dollars(node, faults),
            other => unknown_field(name.span(), other, "a function", &FIELDS, faults),
        }
    }
    if !named {
        let help = "Name functions, `name = \"checkout-*\"`; `*` stands for any text.";
        let fault = Fault::MissingField { field: "name", of: "the entry" };
        faults.add(node.span(), fault, help);
    }
    Some(entry)
}

fn storage(node: Node<'_, '_>, faults: &mut Faults) -> Option<u16> {
    let value = whole("storage_mb", node, faults)?;
    let within = u64::from(STORAGE_FREE_MB)..=u64::from(STORAGE_MB_MAX);
    if within.contains(&value) {
        return u16::try_from(value).ok();
    }
    let [min, max] = [within.start(), within.end()].map(u64::to_string);
    let (field, value) = ("storage_mb", value.to_string());
    let fault = Fault::DurationOutOfRange { field, value, min, max };
    faults.add(node.span(), fault, "That is what a function may have, in MB.");
    None
}

fn dollars(node: Node<'_, '_>, faults: &mut Faults) -> Option<f64> {
    let number = number("budget", node, faults)?;
    if (BUDGET_MIN..=BUDGET_MAX).contains(&number.value) {
        return Some(number.value);
    }
    let [min, max] = [BUDGET_MIN, BUDGET_MAX].map(|bound| bound.to_string());
    let (field, value) = ("budget", number.value.to_string());
    let fault = Fault::DurationOutOfRange { field, value, min, max };
    faults.add(node.span(), fault, "A budget is in dollars a calendar month (UTC), like 500.");
    None
}
