//! Whether the detectors raise for the addresses that overflowed a scenario.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Test;
use crate::binary::root;

/// What overflows are asked for: fewer events than this are no brute force.
const EVENTS_MIN: u64 = 6;

/// The year of times that name none.
const YEAR: &str = "2024";

/// Scenarios about something else than logins, by a part of their names: connections that end before a
/// login, traps, and pages that are asked for. They are asked for like the others, and counted apart.
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
    /// Whether the scenario is about logins.
    pub is_login: bool,
}

/// Runs `tidewatch` over a test's log with the detectors of tests/profiles/crowdsec.
///
/// # Errors
/// If the program fails; says how.
pub fn verdicts(test: &Test, tidewatch: &Path) -> Result<Vec<Verdict>, String> {
    if test.expected.overflows.is_empty() {
        return Ok(Vec::new());
    }
    Ok(judged(test, &raised(test, tidewatch)?))
}

/// What became of each overflow of a test where `raised` are the addresses that are raised for.
fn judged(test: &Test, raised: &BTreeSet<String>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for overflow in &test.expected.overflows {
        let verdict = |source: &str, why: &'static str| Verdict {
            test: test.name.clone(),
            scenario: overflow.scenario.clone(),
            source: source.to_owned(),
            raised: why.is_empty().then(|| raised.contains(source)),
            why,
            is_login: !NO_LOGINS.iter().any(|part| overflow.scenario.contains(part)),
        };
        if overflow.scope != "Ip" {
            let why =
                if overflow.scope.is_empty() { "names no scope" } else { "not of an address" };
            verdicts.push(verdict("-", why));
        } else if overflow.events < EVENTS_MIN {
            verdicts.push(verdict(&overflow.sources.join(","), "fewer than 6 events"));
        } else if overflow.sources.is_empty() {
            verdicts.push(verdict("-", "names no source"));
        } else {
            verdicts.extend(overflow.sources.iter().map(|source| {
                let excepted = test.name.contains(EXCEPTED.0) && source == EXCEPTED.1;
                verdict(source, if excepted { "its clock runs backwards" } else { "" })
            }));
        }
    }
    verdicts
}

fn raised(test: &Test, tidewatch: &Path) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new(tidewatch);
    command.args(["replay", "--output", "json", "--input", "lines", "--year", YEAR, "--detectors"]);
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

/// How many overflows are raised, and of how many that are asked.
pub fn count<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> (usize, usize) {
    let asked: Vec<bool> = verdicts.into_iter().filter_map(|verdict| verdict.raised).collect();
    (asked.iter().filter(|raised| **raised).count(), asked.len())
}

/// The verdicts as a table, a row an overflow and source.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut text = String::from("\ndetection\n");
    for verdict in verdicts {
        let said = match verdict.raised {
            Some(true) => "raised".to_owned(),
            Some(false) if verdict.is_login => "NOT RAISED".to_owned(),
            Some(false) => "NOT RAISED (not about logins)".to_owned(),
            None => format!("out of scope: {}", verdict.why),
        };
        let Verdict { test, scenario, source, .. } = verdict;
        text += &format!("  {test:32} {scenario:45} {source:20} {said}\n");
    }
    let (raised, asked) = count(verdicts);
    let (of_logins, asked_of_logins) = count(verdicts.iter().filter(|verdict| verdict.is_login));
    text + &format!(
        "detection: {raised} of {asked} overflows are raised; of those about logins {of_logins} of {asked_of_logins}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::expected::{Expected, Overflow};

    #[test]
    fn what_is_out_of_scope_says_why_and_the_rest_is_asked() {
        let overflow = |scenario: &str, scope: &str, sources: &[&str], events| Overflow {
            scenario: scenario.to_owned(),
            scope: scope.to_owned(),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            events,
        };
        let overflows = vec![
            overflow("x/bf", "Ip", &["192.0.2.1", "192.0.2.2"], 6),
            overflow("x/endlessh-bf", "Ip", &["192.0.2.2"], 6),
            overflow("x/bf", "Ip", &["192.0.2.1"], 5),
            overflow("x/bf", "Ip", &[], 6),
            overflow("x/bf", "AwsARN", &["192.0.2.1"], 6),
            overflow("x/bf", "", &["192.0.2.1"], 6),
            overflow("x/bf", "Ip", &["2.2.2.2"], 6),
        ];
        let expected = Expected { overflows, ..Expected::default() };
        let test = Test { name: "gitea-x".to_owned(), log: "x.log".into(), expected };
        let verdicts = judged(&test, &BTreeSet::from(["192.0.2.1".to_owned()]));
        let said: Vec<_> = verdicts.iter().map(|verdict| (verdict.raised, verdict.why)).collect();
        let wanted = [
            (Some(true), ""),
            (Some(false), ""),
            (Some(false), ""),
            (None, "fewer than 6 events"),
            (None, "names no source"),
            (None, "not of an address"),
            (None, "names no scope"),
            (None, "its clock runs backwards"),
        ];
        assert_eq!(said, wanted);
        assert_eq!(count(&verdicts), (1, 3));
        assert_eq!(count(verdicts.iter().filter(|verdict| verdict.is_login)), (1, 2));
    }
}
