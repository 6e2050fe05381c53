//! Scenarios: what is written wrong is told with its line, what does not hold is told with what was found.

use std::sync::Arc;

use futures_util::FutureExt;
use tidewatch_ingest::username::Usernames;
use tidewatch_rules::cases::{Runner, Variation, scenarios};

const DETECTOR: &str = r#"
id = "x"
title = "x"
signal = "auth"
key = ["source.ip", "user"]
window = "10m"
[measure]
failures = { count = "attempts", where = { outcome = "failure" } }
[[raise]]
severity = "low"
when = ["failures >= 3"]
[[raise]]
severity = "high"
when = ["failures >= 9"]
"#;

/// What is different in the only scenario of `text`; empty if nothing is.
fn rehearsed(text: &str, variation: Variation) -> String {
    let detector = tidewatch_rules::parse("x.toml", DETECTOR).expect("a good one");
    let all = scenarios("x.cases", text).unwrap_or_else(|error| panic!("{error}"));
    let [scenario] = &all[..] else { panic!("one scenario, not {}", all.len()) };
    let runner = Runner::new(Arc::default(), Usernames::Fold);
    let rehearsed = runner.rehearse(scenario, &[detector], variation).now_or_never();
    match rehearsed.expect("memory never waits") {
        None => String::new(),
        Some(difference) => format!("{} / {}", difference.expected, difference.found),
    }
}

fn login(user: &str) -> String {
    format!(
        "{{\"event\":\"login\",\"outcome\":\"failure\",\"user\":\"{user}\",\"ip\":\"192.0.2.1\"}}\n"
    )
}

#[track_caller]
fn check(text: &str, found: &str) {
    for variation in [Variation::None, Variation::Seed(1), Variation::Seed(2)] {
        let difference = rehearsed(text, variation);
        match (found, variation) {
            ("", _) => assert_eq!(difference, "", "{variation:?}"),
            (found, Variation::None) => assert_eq!(difference, found),
            // Names and addresses are others.
            _ => assert!(!difference.is_empty(), "{variation:?}"),
        }
    }
}

#[test]
fn a_scenario_holds_or_says_what_was_found() {
    let three = format!("3 times, every 10s:\n{}", login("{user:1}"));
    check(&format!("{three}-> low"), "");
    check(&format!("{three}-> low 192.0.2.1 + user={{user:1}}"), "");
    let quiet = rehearsed(&format!("{three}-> quiet"), Variation::None);
    // The lines are their author's own: names are shown and no tags.
    assert!(quiet.starts_with("quiet / low 192.0.2.1 + user=user1000000;"), "{quiet}");
    let wrong = rehearsed(&format!("{three}-> low 192.0.2.1 + user=bob"), Variation::None);
    assert!(wrong.starts_with("low 192.0.2.1 + user=bob / low 192.0.2.1 + user=user1"), "{wrong}");
    assert!(quiet.ends_with("; 3 of 3 lines say something"), "{quiet}");
    check(&format!("{three}-> high"), &quiet.replacen("quiet", "high", 1));
    check(&format!("{three}-> low\n-> low"), &quiet.replacen("quiet", "low, low", 1));
    check(&format!("3 times, every 10s:\n{}-> quiet", login("{user}")), "");
    check(&format!("9 times, every 10s:\n{}-> high", login("{user:1}")), "");
    // Slower than the window.
    check(&format!("9 times, every 6m:\n{}-> quiet", login("{user:1}")), "");
    check(&format!("{three}after 1h:\n{three}-> low\n-> low"), "");
    let two = format!("2 times, every 10s:\n{}", login("{user:1}"));
    check(&format!("{two}after 1m:\n{two}-> low"), "");
    check(&format!("{two}after 11m:\n{two}-> quiet"), "");
    // Without a pace, a second apart.
    check(&format!("{0}{0}{0}-> low", login("{user:1}")), "");
}

#[test]
fn quiet_for_want_of_anything_to_hear_is_no_proof() {
    check(
        "9 times, every 1s:\nann is fine\n-> quiet",
        "quiet / nothing; 0 of 9 lines say something",
    );
}

#[test]
fn what_is_written_wrong_is_told_with_its_line() {
    let wrong = |text: &str, says: &str| {
        let error = scenarios("x.cases", text).expect_err(text).to_string();
        assert!(error.contains(says), "{error}");
    };
    wrong("a\n-> loud", "x.cases:2: `loud`: write `quiet`, or a severity (informational, low");
    wrong("a\n-> quiet 192.0.2.1", "x.cases:2: `quiet 192.0.2.1`: write");
    wrong("-> quiet", "x.cases:1: `->` stands behind no line");
    wrong("a\n-> quiet\n-> low", "x.cases:3: `-> quiet` stands alone");
    wrong("a\n-> low\n-> quiet", "x.cases:3: `-> quiet` stands alone");
    wrong("# b\n\na", "x.cases:3: this scenario lacks its `-> …`");
    wrong("3 times, every soon:\na\n-> quiet", "x.cases:1: `soon` is no duration");
    wrong("after lunch:\na\n-> quiet", "x.cases:1: `lunch` is no duration");
    wrong(
        "99999999999 times, every 1s:\na\n-> quiet",
        "x.cases:1: `99999999999 times, every 1s:`: from 1 to 4294967295 times",
    );
    wrong(
        "2000000 times, every 1s:\na\n-> quiet",
        "x.cases:2: a scenario has at most 1000000 lines",
    );
    wrong("0 times, every 1s:\na\n-> quiet", "x.cases:1: `0 times, every 1s:`: from 1 to");
    wrong("9 times, every 9000d:\na\n-> quiet", "x.cases:1: a scenario takes at most 3660 days");
    for typed in [
        "30 times, every 10s",
        "30 times every 10s:",
        "30 times each 10s:",
        "1 time, every 10s:",
        "30 times:",
        " 30 times, every 10s:",
        "every 10s, 30 times:",
        "after 20m",
        "after 20 minutes",
    ] {
        let says = format!(
            "x.cases:2: `{typed}`: a pace is `30 times, every 10s:`, and a pause `after 20m:`"
        );
        wrong(&format!("a\n{typed}\nb\n-> quiet"), &says);
    }
    for nothing in ["", "\nb\n", "# b\n", "after 1m:\nb\n", "2 times, every 1s:\nb\n"] {
        let says = "x.cases:2: this pace has no lines below it";
        wrong(&format!("a\n30 times, every 10s:\n{nothing}-> quiet"), says);
        wrong(&format!("a\n30 times, every 10s:\n{nothing}").replace("b\n", ""), says);
    }
    for line in ["30 timeouts", "after all", "3 failures", "every user", "2026-01-05 x"] {
        scenarios("x.cases", &format!("{line}\n-> quiet")).expect(line);
    }
}
