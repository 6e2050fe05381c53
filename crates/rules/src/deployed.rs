//! Which detectors a deployed function makes of the files in its bucket. Here, so that whoever asks about a
//! stack from outside answers as the function does.

use tidewatch_core::plan::Plan;

use crate::{RuleError, load};

/// The plan of detector files for counts that many processes share.
///
/// # Errors
/// All that is wrong with them and what to do, on one line.
pub fn plan(files: Vec<(String, String)>) -> Result<Plan, String> {
    let detectors = load(files).map_err(|faults| told(&faults))?;
    if detectors.is_empty() {
        // Detectors about invocations are for `tidewatch watch`; alone they would leave nothing here.
        return Err(
            "no detector of logins is among the files. Add one, or remove them all".to_owned()
        );
    }
    Plan::shared(detectors).map(Plan::folding).map_err(|error| error.to_string())
}

/// All that is wrong with files and what to do, on one line.
pub fn told(faults: &[RuleError]) -> String {
    let told = faults.iter().map(|fault| format!("{fault}. {}", fault.help));
    told.collect::<Vec<_>>().join("; ")
}
