//! Which detectors a deployed function makes of the files in its bucket. Here, so that whoever asks about a
//! stack from outside answers as the function does.

use tidewatch_core::plan::Plan;
use tidewatch_core::spend::detector::SpendDetector;

use crate::{RuleError, load, load_spending, shipped};

/// The plan of detector files for counts that many processes share.
///
/// # Errors
/// All that is wrong with them and what to do, on one line; also with those about functions, for a set is in force as
/// a whole or not at all.
pub fn plan(files: Vec<(String, String)>) -> Result<Plan, String> {
    spending(files.clone())?;
    let detectors = load(files).map_err(|faults| told(&faults))?;
    if detectors.is_empty() {
        // Detectors about functions alone would leave logins unwatched.
        return Err(
            "no detector of logins is among the files. Add one, or remove them all".to_owned()
        );
    }
    Plan::shared(detectors).map(Plan::folding).map_err(|error| error.to_string())
}

/// The detectors about functions among detector files; the packaged ones where there are none.
///
/// # Errors
/// All that is wrong with them and what to do, on one line.
pub fn spending(files: Vec<(String, String)>) -> Result<Vec<SpendDetector>, String> {
    let spending = load_spending(files).map_err(|faults| told(&faults))?;
    if spending.is_empty() {
        load_spending(shipped()).map_err(|faults| told(&faults))
    } else {
        Ok(spending)
    }
}

/// All that is wrong with files and what to do, on one line.
pub fn told(faults: &[RuleError]) -> String {
    let told = faults.iter().map(|fault| format!("{fault}. {}", fault.help));
    told.collect::<Vec<_>>().join("; ")
}
