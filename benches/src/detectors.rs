//! Detectors for the shared state: four measures of one source over several windows, so that a share
//! holds everything a source can have in it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use tidewatch_core::plan::Plan;

/// Windows with their quiet gaps.
pub const ALL: [(&str, &str); 3] = [("10m", "30m"), ("1h", "3h"), ("24h", "24h")];

/// The plan of one detector a window; with `beyond`, the last one also asks for that many names, so
/// that sketches are kept behind its lists.
///
/// # Errors
/// Never: the detectors have no faults.
pub fn plan(windows: &[(&str, &str)], beyond: Option<u32>) -> Result<Arc<Plan>> {
    let last = windows.len().saturating_sub(1);
    let file = |(nth, (window, quiet)): (usize, &(&str, &str))| {
        let beyond = beyond.filter(|_| nth == last);
        (format!("{window}.toml"), detector(window, quiet, beyond))
    };
    let files: Vec<(String, String)> = windows.iter().enumerate().map(file).collect();
    let detectors = tidewatch_rules::load(files).map_err(|errors| anyhow!("{errors:?}"))?;
    Ok(Arc::new(Plan::shared(detectors)?))
}

fn detector(window: &str, quiet: &str, beyond: Option<u32>) -> String {
    let critical = beyond.map_or_else(String::new, |names| {
        format!("[[raise]]\nseverity = \"critical\"\nwhen = [\"unknown_users >= {names}\"]\n")
    });
    format!(
        r#"
id = "over-{window}"
title = "Names that do not exist over {window}"
signal = "auth"
key = "source.ip"
window = "{window}"
quiet = "{quiet}"
[measure]
unknown_users = {{ distinct = "user", where = {{ outcome = "failure", user_known = false }} }}
users = {{ distinct = "user" }}
failures = {{ count = "attempts", where = {{ outcome = "failure" }} }}
successes = {{ count = "attempts", where = {{ outcome = "success" }} }}
[[raise]]
severity = "medium"
when = ["unknown_users >= 10", "unknown_users >= 0.5 * users", "failures > successes"]
[[raise]]
severity = "high"
when = ["unknown_users >= 30", "unknown_users >= 0.5 * users", "failures > successes"]
{critical}"#
    )
}
