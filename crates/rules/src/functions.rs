//! Files (TOML) that say what a log does not of functions: what they run on, and their ephemeral storage.
//!
//! ```toml
//! [[function]]
//! name = ["checkout-*", "resize"]
//! architecture = "arm64"      # or "x86_64"
//! storage_mb = 2048           # 512 unless given
//! ```
//!
//! Of the entries that fit a function the first decides, for each of the two fields by itself.

use tidewatch_core::meter::tariff::{Architecture, STORAGE_FREE_MB, STORAGE_MB_MAX, Terms};
use tidewatch_ingest::declared::Glob;

use crate::fault::{Fault, Faults, RuleError};
use crate::prices::{tables, whole};
use crate::suggest;
use crate::tree::{in_file_order, one_or_more, string, table, unknown_field};

const FIELDS: [&str; 3] = ["name", "architecture", "storage_mb"];

/// What is said of functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    names: Vec<Glob>,
    architecture: Option<Architecture>,
    storage_mb: Option<u16>,
}

impl Functions {
    /// What is said of a function; of what is not said, `otherwise` is.
    pub fn terms(&self, name: &str, otherwise: Terms) -> Terms {
        let fitting = || {
            let fits = |entry: &&Entry| entry.names.iter().any(|glob| glob.fits(name));
            self.entries.iter().filter(fits)
        };
        let architecture = fitting().find_map(|entry| entry.architecture);
        let storage_mb = fitting().find_map(|entry| entry.storage_mb);
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

/// What the text of a file says of functions.
///
/// # Errors
/// All faults of the file; at least one.
pub fn functions(file: &str, text: &str) -> Result<Functions, Vec<RuleError>> {
    let mut faults = Faults::new(file, text);
    let mut all = Functions::default();
    for node in tables(text, "function", "a file about functions", &mut faults) {
        let Some(table) = table("function", &node, &mut faults) else { continue };
        let mut entry = Entry { names: Vec::new(), architecture: None, storage_mb: None };
        let mut named = false;
        for (name, node) in in_file_order(table) {
            match &**name.get_ref() {
                "name" => {
                    named = true;
                    let names = one_or_more("name", node, &mut faults);
                    let names = names.map_or(Vec::new(), |names| names.value);
                    entry.names = names.iter().map(|name| Glob::new(&name.value)).collect();
                }
                "architecture" => {
                    let Some(text) = string("architecture", node, &mut faults) else { continue };
                    match architecture(&text.value) {
                        Ok(known) => entry.architecture = Some(known),
                        Err(help) => {
                            let (field, value) = ("architecture".to_owned(), text.value);
                            let fault = Fault::UnknownValue { field, what: "architecture", value };
                            faults.add(text.place, fault, help);
                        }
                    }
                }
                "storage_mb" => {
                    let Some(value) = whole("storage_mb", node, &mut faults) else { continue };
                    let within = u64::from(STORAGE_FREE_MB)..=u64::from(STORAGE_MB_MAX);
                    if within.contains(&value) {
                        entry.storage_mb = u16::try_from(value).ok();
                        continue;
                    }
                    let [min, max] = [within.start(), within.end()].map(u64::to_string);
                    let (field, value) = ("storage_mb", value.to_string());
                    let fault = Fault::DurationOutOfRange { field, value, min, max };
                    faults.add(node.span(), fault, "That is what a function may have, in MB.");
                }
                other => unknown_field(name.span(), other, "a function", &FIELDS, &mut faults),
            }
        }
        if !named {
            let help = "Name functions, `name = \"checkout-*\"`; `*` stands for any text.";
            let fault = Fault::MissingField { field: "name", of: "the entry" };
            faults.add(node.span(), fault, help);
        }
        all.entries.push(entry);
    }
    if faults.list.is_empty() {
        return Ok(all);
    }
    faults.list.sort_by_key(|error| error.span.offset());
    Err(faults.list)
}
