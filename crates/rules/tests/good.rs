//! Detector files that must load, and what they become; among them every file the repository ships,
//! so that no one can commit one the program would refuse.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use tidewatch_core::detector::{Comparison, Condition, Detector, Operand, Severity};
use tidewatch_core::time::Span;
use tidewatch_rules::spend::is_about_invocations;
use tidewatch_rules::{load, load_spending, parse};

const FULL: &str = r#"
id = "credential-scan"
title = """  One source,
  many names  """
description = "Why."
advice = "What now."
attack = ["T1589 Gather Victim Identity Information", "T1110.004 Credential Stuffing"]
signal = "auth"
key = ["source.subnet", "user"]
window = "10m"
quiet = "1d"
[measure]
unknown_users = { distinct = "user", where = { outcome = "failure", user_known = false } }
users         = { distinct = "user" }
failures      = { count = "attempts", where = { outcome = "failure" } }
tries         = { sum = "attempts" }
mentions      = { count = "mentions", where = { user_known = false } }
sources       = { distinct = "source.ip", where = { outcome = "success", user_known = true } }
[[raise]]
severity = "low"
when = ["failures>2.5", "unknown_users <= 3"]
[[raise]]
severity = "high"
when = ["unknown_users >= 30", "unknown_users >= users * 0.5", "users < tries"]
[[raise]]
severity = "high"
when = ["failures >= 1e3"]
"#;

fn good(text: &str) -> Detector {
    parse("test.toml", text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn check(text: &str, expected: Expect) {
    let detector = good(text);
    let names: Vec<_> = detector.measures.iter().map(|m| m.name.as_str()).collect();
    let mut shown = format!(
        "{} | {} | {} | {}\n{:?}\n{:?} {:?} {} {}\n",
        detector.id,
        detector.title,
        detector.description,
        detector.advice,
        detector.attacks,
        detector.signal,
        detector.key,
        detector.window,
        detector.quiet,
    );
    for measure in &detector.measures {
        shown += &format!("{} = {:?}\n", measure.name, measure.measure);
    }
    for raise in &detector.raises {
        let when: Vec<_> = raise.when.iter().map(|c| spell(c, &names)).collect();
        shown += &format!("{:?}: {}\n", raise.severity, when.join(" and "));
    }
    expected.assert_eq(&shown);
}

fn spell(condition: &Condition, names: &[&str]) -> String {
    let operand = match condition.operand {
        Operand::Number(number) => number.to_string(),
        Operand::Scaled { factor, measure } => format!("{factor} * {}", names[measure]),
    };
    format!("{} {} {operand}", names[condition.measure], condition.comparison.symbol())
}

#[test]
fn every_field_arrives_and_raises_go_from_high_to_low() {
    check(
        FULL,
        expect![[r#"
        credential-scan | One source, many names | Why. | What now.
        [Attack { technique: "T1589", name: "Gather Victim Identity Information" }, Attack { technique: "T1110.004", name: "Credential Stuffing" }]
        Auth [SourceSubnet, User] 10m 24h
        unknown_users = Distinct(User, Filter { outcome: Some(Failure), user_known: Some(false) })
        users = Distinct(User, Filter { outcome: None, user_known: None })
        failures = Count(Attempt, Filter { outcome: Some(Failure), user_known: None })
        tries = Sum(Attempts, Filter { outcome: None, user_known: None })
        mentions = Count(Mention, Filter { outcome: None, user_known: Some(false) })
        sources = Distinct(SourceIp, Filter { outcome: Some(Success), user_known: Some(true) })
        High: unknown_users >= 30 and unknown_users >= 0.5 * users and users < 1 * tries
        High: failures >= 1000
        Low: failures > 2.5 and unknown_users <= 3
    "#]],
    );
}

#[test]
fn what_is_optional_has_its_default() {
    let text = r#"
        id = "a"
        title = "A"
        signal = "auth"
        key = "global"
        window = "90s"
        measure.n.count = "attempts"
        raise = [{ severity = "low", when = ["n >= 1"] }]
    "#;
    check(
        text,
        expect![[r#"
        a | A |  | 
        []
        Auth [Global] 90s 90s
        n = Count(Attempt, Filter { outcome: None, user_known: None })
        Low: n >= 1
    "#]],
    );
}

#[test]
fn durations_have_one_number_and_one_unit() {
    for (written, ms) in [
        ("1000ms", 1_000),
        ("300s", 300_000),
        ("10m", 600_000),
        ("24h", 86_400_000),
        ("1d", 86_400_000),
        ("7d", 604_800_000),
    ] {
        let text = FULL.replace("\"10m\"", &format!("\"{written}\""));
        assert_eq!(good(&text).window, Span(ms), "{written}");
    }
}

#[test]
fn the_order_of_files_is_the_order_of_detectors() {
    let files = ["b", "a"].map(|id| {
        (format!("{id}.toml"), FULL.replace("\"credential-scan\"", &format!("\"{id}\"")))
    });
    let ids: Vec<_> = load(files).expect("two good files").into_iter().map(|d| d.id).collect();
    assert_eq!(ids, ["b", "a"]);
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn detector_files(directory: &str) -> Vec<(String, String)> {
    let directory = repository().join(directory);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).expect("the directory is part of the repository") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            files.push((name, std::fs::read_to_string(&path).expect("readable")));
        }
    }
    files.sort();
    files
}

#[test]
fn every_shipped_detector_loads_and_explains_itself() {
    let (spending, files): (Vec<_>, Vec<_>) = detector_files("infra/detectors")
        .into_iter()
        .partition(|(_, text)| is_about_invocations(text));
    let names: Vec<_> = spending.iter().map(|(name, _)| name.clone()).collect();
    let detectors = load_spending(spending).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(detectors.len() >= 10, "{names:?}");
    for (name, detector) in names.iter().zip(&detectors) {
        assert_eq!(&detector.id, name, "a shipped file is named by its id");
        assert!(!detector.description.is_empty(), "{name} has a description");
        assert!(!detector.advice.is_empty(), "{name} says what to do");
        let falls = detector.raises.windows(2).all(|pair| pair[0].1 > pair[1].1);
        assert!(falls, "{name} is worse where there is more");
    }
    let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let detectors = load(files).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(detectors.len() >= 2, "credential-scan and brute-force at least: {names:?}");
    for (name, detector) in names.iter().zip(&detectors) {
        assert_eq!(&detector.id, name, "a shipped file is named by its id");
        assert!(!detector.description.is_empty(), "{name} has a description");
        assert!(!detector.advice.is_empty(), "{name} says what to do");
        assert!(!detector.attacks.is_empty(), "{name} names its techniques");
        assert!(detector.quiet >= detector.window, "{name} outlasts its own window");
    }
}

#[test]
fn the_yardsticks_are_one_condition_each() {
    for (count, name) in [(5.0, "distinct5"), (20.0, "distinct20")] {
        let files = detector_files(&format!("tests/profiles/{name}"));
        let detectors = load(files).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let [detector] = detectors.as_slice() else { panic!("one detector in {name}") };
        let [raise] = detector.raises.as_slice() else { panic!("one raise in {name}") };
        let condition = Condition {
            measure: 0,
            comparison: Comparison::AtLeast,
            operand: Operand::Number(count),
        };
        assert_eq!((raise.severity, raise.when.as_slice()), (Severity::Medium, &[condition][..]));
        assert_eq!(detector.window, Span::seconds(300));
    }
}
