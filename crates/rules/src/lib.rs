//! Detector files (TOML) to validated detectors.
//!
//! The way of a file: bytes of TOML → a tree with spans → `raw`, which knows field names and types
//! but no meaning → `validate`, which makes a [`Detector`] out of it. Each step goes on after a
//! fault, so that one run of the program shows all that is wrong with all files, and every fault
//! points at the value that has to change.
//!
//! Invariants: a [`Detector`] that leaves this crate is one the core can run without asking anything
//! again (tests/good.rs); a file with a fault yields no detector at all (tests/malformed). This
//! crate reads no file: names and texts are given to it.

pub mod allow;
pub mod cases;
mod condition;
pub mod deployed;
pub mod duration;
mod fault;
mod first_seen;
mod format;
pub mod functions;
mod grounds;
pub mod prices;
mod raw;
mod shipped;
pub mod spend;
mod suggest;
mod tree;
mod validate;
pub mod warnings;

use std::collections::BTreeMap;

use tidewatch_core::detector::Detector;
use tidewatch_core::limits::DETECTORS_MAX;

pub use fault::{Fault, RuleError};
pub use format::{FORMATS_MAX, NEEDLE_BYTES_MIN, formats};
pub use shipped::{packaged, shipped, shipped_cases, shipped_formats};
pub use spend::load_spending;

use fault::Faults;

/// A detector file may be this long, in bytes. Written by hand, one has about a thousand; the limit
/// bounds everything else in it.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// The detector in the text of one file; `file_name` is for messages only.
///
/// # Errors
/// All faults of the file that can be told in one go, in the order of their places; at least one.
pub fn parse(file_name: &str, text: &str) -> Result<Detector, Vec<RuleError>> {
    parse_placed(file_name, text).map(|placed| placed.detector)
}

/// The detectors in the texts of several files, in the given order; files about invocations are for
/// [`spend::load_spending`].
///
/// # Errors
/// The faults of all files, and those that only show between files: an id used twice, more than
/// [`DETECTORS_MAX`] detectors. At least one.
pub fn load(
    files: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Detector>, Vec<RuleError>> {
    let mut detectors = Vec::new();
    let mut errors = Vec::new();
    let mut first_use_of_id = BTreeMap::new();
    for (name, text) in files.into_iter().filter(|(_, text)| !spend::is_about_invocations(text)) {
        let placed = match parse_placed(&name, &text) {
            Ok(placed) => placed,
            Err(faults) => {
                errors.extend(faults);
                continue;
            }
        };
        let mut faults = Faults::new(&name, &text);
        check_id(&placed, &name, &mut first_use_of_id, &mut faults);
        if detectors.len() == DETECTORS_MAX {
            faults.add(placed.id, Fault::TooManyDetectors, "Keep fewer files in this directory.");
        }
        errors.extend(faults.list);
        detectors.push(placed.detector);
        if errors.last().is_some_and(|error| matches!(error.fault, Fault::TooManyDetectors)) {
            break;
        }
    }
    if errors.is_empty() { Ok(detectors) } else { Err(errors) }
}

/// A detector, and where in its file stands what can clash with another file.
struct Placed {
    detector: Detector,
    id: fault::Place,
}

fn parse_placed(file_name: &str, text: &str) -> Result<Placed, Vec<RuleError>> {
    let mut faults = Faults::new(file_name, text);
    if text.len() > FILE_BYTES_MAX {
        faults.add(
            0..0,
            Fault::TooLong { bytes: text.len() },
            "A detector file holds one detector.",
        );
        return Err(faults.list);
    }
    let raw = raw::read(text, &mut faults);
    let placed = raw.and_then(|raw| {
        let id = raw.id_place();
        let detector = validate::detector(raw, &mut faults)?;
        Some(Placed { detector, id })
    });
    match placed {
        Some(placed) if faults.list.is_empty() => Ok(placed),
        _ => {
            faults.list.sort_by_key(|error| error.span.offset());
            assert!(!faults.list.is_empty(), "a refused detector file has a fault");
            Err(faults.list)
        }
    }
}

fn check_id(
    placed: &Placed,
    file_name: &str,
    first_use_of_id: &mut BTreeMap<String, String>,
    faults: &mut Faults,
) {
    let id = &placed.detector.id;
    if let Some(other) = first_use_of_id.get(id) {
        faults.add(
            placed.id.clone(),
            Fault::DuplicateId { id: id.clone(), other: other.clone() },
            "An id names one detector: it is part of a finding's uid. Choose another.",
        );
    } else {
        first_use_of_id.insert(id.clone(), file_name.to_owned());
    }
}
