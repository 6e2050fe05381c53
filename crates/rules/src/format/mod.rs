//! Format files (TOML) to declared formats, in the way of detector files: all that is wrong with all
//! files is told at once, each fault at the value that has to change.

mod line;

use std::collections::BTreeMap;

use tidewatch_ingest::declared::{Declared, Formats, Glob};

use crate::fault::{Fault, Faults, Place, RuleError};
use crate::tree::{
    self, Placed, Text, in_file_order, one_or_more, string, table, unknown_field, wrong_type,
};
use crate::{FILE_BYTES_MAX, validate};

/// Formats of a run.
pub const FORMATS_MAX: usize = 256;

/// A needle must have so many bytes, or it would be in every line.
pub const NEEDLE_BYTES_MIN: usize = 3;

/// Needles, and lines, of a format.
pub const PARTS_MAX: usize = 64;

const FIELDS: [&str; 7] =
    ["id", "title", "documentation", "log_groups", "needles", "general", "line"];

/// The formats in the texts of several files: name and text of each.
///
/// # Errors
/// The faults of all files, and those that only show between files: an id used twice, more than
/// [`FORMATS_MAX`] formats. At least one.
pub fn formats(
    files: impl IntoIterator<Item = (String, String)>,
) -> Result<Formats, Vec<RuleError>> {
    let mut all = Vec::new();
    let mut errors = Vec::new();
    let mut first_use_of_id: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in files {
        let mut faults = Faults::new(&name, &text);
        if let Some((format, id)) = format(&text, &mut faults) {
            if let Some(other) = first_use_of_id.insert(format.id.clone(), name.clone()) {
                let fault = Fault::DuplicateId { id: format.id.clone(), other };
                faults.add(id, fault, "An id names one format. Choose another.");
            } else if all.len() == FORMATS_MAX {
                faults.add(id, Fault::TooManyFormats, "Keep fewer files in this directory.");
            } else {
                all.push(format);
            }
        }
        faults.list.sort_by_key(|error| error.span.offset());
        errors.extend(faults.list);
    }
    if errors.is_empty() { Ok(Formats::new(all)) } else { Err(errors) }
}

/// The format of one file, and where its id stands; nothing where there is any fault.
fn format(text: &str, faults: &mut Faults) -> Option<(Declared, Place)> {
    if text.len() > FILE_BYTES_MAX {
        faults.add(0..0, Fault::TooLong { bytes: text.len() }, "A format file holds one format.");
        return None;
    }
    let tree = tree::parse(text, faults)?;
    let mut is_general = false;
    let (mut id, mut groups, mut needles, mut lines) = (None, None, None, None);
    for (name, node) in in_file_order(tree.get_ref()) {
        let field = name.get_ref().as_ref();
        match field {
            "id" => id = string(field, node, faults),
            "title" | "documentation" => drop(string(field, node, faults)),
            "log_groups" => groups = one_or_more(field, node, faults),
            "needles" => needles = one_or_more(field, node, faults),
            "general" => match node.get_ref().as_bool() {
                Some(yes) => is_general = yes,
                None => wrong_type(field, "true or false", node, faults),
            },
            "line" => match node.get_ref().as_array() {
                None => wrong_type(field, "a list of tables, each headed [[line]]", node, faults),
                Some(list) => {
                    let mut read = Vec::new();
                    for node in list.iter() {
                        let Some(table) = table(field, node, faults) else { continue };
                        read.extend(line::line(table, &node.span(), faults));
                    }
                    lines = Some(Placed { value: read, place: node.span() });
                }
            },
            _ => unknown_field(name.span(), field, "a format", &FIELDS, faults),
        }
    }
    let missing = |field: &'static str, there: bool, faults: &mut Faults| {
        if !there && !faults.names(field) {
            let help = format!("Add `{field}`; the formats that come with Tidewatch are examples.");
            faults.add(0..0, Fault::MissingField { field, of: "the format" }, help);
        }
    };
    missing("id", id.is_some(), faults);
    missing("needles", needles.is_some(), faults);
    missing("line", lines.is_some(), faults);
    let id_place = id.as_ref().map(|id| id.place.clone());
    let id = id.and_then(|id| validate::detector_id(id, faults));
    let needles = needles.map(|needles| valid_needles(needles, faults));
    if !faults.list.is_empty() {
        return None;
    }
    let log_groups = groups.map_or(Vec::new(), |groups| globs(&groups.value));
    let format =
        Declared { id: id?, log_groups, needles: needles?, is_general, readings: lines?.value };
    Some((format, id_place?))
}

fn valid_needles(needles: Placed<Vec<Text>>, faults: &mut Faults) -> Vec<String> {
    if needles.value.is_empty() || needles.value.len() > PARTS_MAX {
        let help = format!("Give 1 to {PARTS_MAX} texts; one of them must be in every line.");
        faults.add(needles.place.clone(), Fault::NeedleCount, help);
    }
    for needle in &needles.value {
        if needle.value.len() < NEEDLE_BYTES_MIN {
            let fault = Fault::ShortNeedle { needle: needle.value.clone() };
            let help = "A text so short is in nearly every line, and all of them would be read. \
                        Choose a longer part of the line that never changes.";
            faults.add(needle.place.clone(), fault, help);
        }
        if needle.value.contains(['"', '\\']) || needle.value.chars().any(char::is_control) {
            let fault = Fault::QuotedNeedle { needle: needle.value.clone() };
            let help = "Inside an envelope lines are written as JSON strings, where quotes, \
                        backslashes and control characters look different. Choose a part without.";
            faults.add(needle.place.clone(), fault, help);
        }
    }
    needles.value.into_iter().map(|needle| needle.value).collect()
}

fn globs(texts: &[Text]) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(&text.value)).collect()
}
