//! What is allowed in a file and still hardly meant: formats that others shadow, needles in everyday
//! lines, severities that can never be raised. `tidewatch check` prints these.
//!
//! Invariant: a warning is certain of what it says. What could only be suspected is left out, so that a
//! folder without warnings is something to insist on.

mod allow;
mod detectors;
mod everyday;
mod formats;
mod linear;

pub use allow::of_allow;
pub use detectors::of_detector;
pub use formats::{FileOfFormat, of_formats};

/// Something that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file it is about.
    pub file: String,
    /// What it is.
    pub what: String,
    /// What to do.
    pub help: String,
}
