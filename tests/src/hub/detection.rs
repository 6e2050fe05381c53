//! Whether the detectors raise for the addresses that overflowed a scenario.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Test;
use crate::binary::root;

/// What overflows are asked for: fewer events than this are no brute force.
const EVENTS_MIN: u64 = 6;

/// Scenarios about something else than logins, by a part of their names: connections that end before a
/// login, traps, and pages that are asked for.
const NO_LOGINS: [&str; 3] = ["endlessh", "keyexchange", "wordpress_user-enum"];

/// In gitea's log this address's clock runs backwards by an hour.
const EXCEPTED: (&str, &str) = ("gitea", "2.2.2.2");

/// An overflow, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The test.
    pub test: String,
    /// The scenario.
    pub scenario: String,
    /// The address.
    pub source: String,
    /// Whether we raise; `None` where that is not asked.
    pub raised: Option<bool>,
    /// Why it is not asked.
    pub why: &'static str,
}

/// Runs `tidewatch` over a test's log with the detectors of tests/profiles/crowdsec.
///
/// # Errors
/// If the program fails; says how.
pub fn verdicts(test: &Test, tidewatch: &Path) -> Result<Vec<Verdict>, String> {
    if test.expected.overflows.is_empty() {
        return Ok(Vec::new());
    }
    let raised = raised(test, tidewatch)?;
    let mut verdicts = Vec::new();
    for overflow in &test.expected.overflows {
        let verdict = |source: &str, why: &'static str| Verdict {
            test: test.name.clone(),
            scenario: overflow.scenario.clone(),
            source: source.to_owned(),
            raised: why.is_empty().then(|| raised.contains(source)),
            why,
        };
        if overflow.scope != "Ip" {
            verdicts.push(verdict("-", "not of an address"));
        } else if overflow.events < EVENTS_MIN {
            verdicts.push(verdict(&overflow.sources.join(","), "fewer than 6 events"));
        } else if overflow.sources.is_empty() {
            verdicts.push(verdict("-", "names no source"));
        } else {
            verdicts.extend(overflow.sources.iter().map(|source| {
                let excepted = test.name.contains(EXCEPTED.0) && source == EXCEPTED.1;
                let no_login = NO_LOGINS.iter().any(|part| overflow.scenario.contains(part));
                let why = match (excepted, no_login) {
                    (true, _) => "its clock runs backwards",
                    (_, true) => "no login",
                    _ => "",
                };
                verdict(source, why)
            }));
        }
    }
    Ok(verdicts)
}

fn raised(test: &Test, tidewatch: &Path) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new(tidewatch);
    command.args(["replay", "--output", "json", "--input", "lines", "--detectors"]);
    command.arg(root().join("tests/profiles/crowdsec")).arg(&test.log);
    let ran = command.output().map_err(|error| error.to_string())?;
    if !ran.status.success() {
        return Err(format!("{}: {}", test.name, String::from_utf8_lossy(&ran.stderr)));
    }
    let mut sources = BTreeSet::new();
    for line in ran.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let finding: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        for evidence in finding["evidences"].as_array().into_iter().flatten() {
            sources.extend(evidence["src_endpoint"]["ip"].as_str().map(str::to_owned));
        }
    }
    Ok(sources)
}

/// The verdicts as a table: what is not raised, and what is not asked.
pub fn table(verdicts: &[Verdict]) -> String {
    let asked: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.raised.is_some()).collect();
    let raised = asked.iter().filter(|verdict| verdict.raised == Some(true)).count();
    let mut text = format!("\ndetection: {raised} of {} overflows are raised\n", asked.len());
    for verdict in asked.iter().filter(|verdict| verdict.raised == Some(false)) {
        text +=
            &format!("  not raised: {} {} {}\n", verdict.test, verdict.scenario, verdict.source);
    }
    for verdict in verdicts.iter().filter(|verdict| verdict.raised.is_none()) {
        text += &format!(
            "  not asked ({}): {} {} {}\n",
            verdict.why, verdict.test, verdict.scenario, verdict.source
        );
    }
    text
}
