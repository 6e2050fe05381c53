//! Functions that cost, take or fail more than usual, as the real binary finds them in simulated fleets: what is
//! planted is found soon, by the detector that names it, and nothing else is.

use serde_json::Value;
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run};

/// A small fleet for two and a half days; what is planted begins on the third.
const FLEET: [&str; 8] = [
    "--functions",
    "6",
    "--invocations-per-day",
    "12000",
    "--hours",
    "60",
    "--output",
    "envelopes",
];

/// Enough in each pane for percentiles and shares to say something.
const BUSY: [&str; 8] = [
    "--functions",
    "3",
    "--invocations-per-day",
    "40000",
    "--hours",
    "60",
    "--output",
    "envelopes",
];

const MINUTE_MS: i64 = 60_000;

struct Played {
    ran: Ran,
    truth: Value,
}

impl Played {
    fn of(scenario: &str, seed: &str, fleet: &[&str], more: &[&str]) -> Played {
        let folder = tempdir().expect("a folder");
        let truth = folder.path().join("truth.json");
        let named =
            ["simulate", scenario, "--seed", seed, "--truth", truth.to_str().expect("text")];
        let log = run(&[&named, fleet].concat(), b"");
        assert_eq!(log.code, 0, "{}", log.stderr);
        let replay = [&["replay", "--output", "json", "--stats"], more, &["-"]].concat();
        let ran = run(&replay, log.stdout.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let truth = std::fs::read_to_string(truth).expect("the truth");
        Played { ran, truth: serde_json::from_str(&truth).expect("JSON") }
    }

    /// What was opened: detector, function, and how many minutes after what was planted began.
    fn opened(&self) -> Vec<(String, String, i64)> {
        let from = self.truth["planted"][0]["from_ms"].as_i64().unwrap_or(0);
        let opened = self.ran.findings().into_iter().filter(|f| f["activity_name"] == "Create");
        opened
            .map(|finding| {
                let spending = &finding["unmapped"]["tidewatch"]["spending"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let minutes = (finding["time"].as_i64().expect("a time") - from) / MINUTE_MS;
                (
                    text(&finding["finding_info"]["analytic"]["uid"]),
                    text(&spending["function"]),
                    minutes,
                )
            })
            .collect()
    }
}

/// Only `detector` speaks, of the function that something was planted in, at most so many minutes later.
fn found(scenario: &str, detector: &str, minutes: i64, fleet: &[&str]) {
    for seed in ["1", "2", "3"] {
        let played = Played::of(scenario, seed, fleet, &[]);
        let function = played.truth["planted"][0]["function"].as_str().expect("planted");
        let opened = played.opened();
        let [(by, about, after)] = opened.as_slice() else {
            panic!("{scenario}, seed {seed}: {opened:?}");
        };
        assert_eq!((by.as_str(), about.as_str()), (detector, function), "{scenario}, seed {seed}");
        assert!((0..=minutes).contains(after), "{scenario}, seed {seed}: after {after} minutes");
    }
}

#[test]
fn a_version_that_takes_ten_times_as_long_is_found_within_three_panes_and_named() {
    for seed in ["1", "2", "3"] {
        let played = Played::of("lambda-slow", seed, &BUSY, &[]);
        let function = played.truth["planted"][0]["function"].as_str().expect("planted");
        let opened = played.opened();
        // It costs more, too, which may be seen first; what is worse is told all the same.
        assert!(opened.iter().all(|(_, about, _)| about == function), "seed {seed}: {opened:?}");
        let soon = |(by, _, after): &(String, String, i64)| {
            by == "duration-regression" && (0..=16).contains(after)
        };
        assert!(opened.iter().any(soon), "seed {seed}: {opened:?}");
    }
    let played = Played::of("lambda-slow", "1", &BUSY, &[]);
    let findings = played.ran.findings();
    let stats = played.ran.stats();
    let [opened, closed, open] =
        ["findings", "findings_closed", "findings_open"].map(|name| stats[name].as_u64());
    assert_eq!(opened.zip(closed).map(|(opened, closed)| opened - closed), open, "{stats}");
    let about_duration =
        |finding: &&Value| finding["finding_info"]["analytic"]["uid"] == "duration-regression";
    let finding = findings.iter().find(about_duration).expect("it is told");
    let spending = &finding["unmapped"]["tidewatch"]["spending"];
    assert!(spending["deployment"]["version"].is_string(), "{spending}");
    let parts = spending["change"].as_array().expect("parts");
    let largest = parts.iter().max_by(|a, b| {
        let amount = |part: &Value| part["dollars_an_hour"].as_f64().expect("a number").abs();
        amount(a).total_cmp(&amount(b))
    });
    assert_eq!(largest.expect("some")["part"], "longer durations", "{parts:?}");
}

#[test]
fn a_function_that_calls_itself_is_found_before_ten_thousand_invocations() {
    found("lambda-recursion", "runaway-function", 20, &FLEET);
    let played = Played::of("lambda-recursion", "1", &FLEET, &[]);
    let spending = &played.ran.findings()[0]["unmapped"]["tidewatch"]["spending"];
    assert!(spending["amount"].as_f64().expect("a number") < 10_000.0, "{spending}");
}

#[test]
fn failures_and_silence_are_found() {
    // Two of three of some twelve in a pane fail: it takes until there are ten in one.
    found("lambda-errors", "error-storm", 60, &BUSY);
    found("lambda-silent", "went-silent", 60, &FLEET);
}

#[test]
fn a_spike_is_found_within_two_panes_and_told_in_dollars() {
    // Enough for somebody to be woken: a large fleet of one.
    let fleet = [
        "--functions",
        "1",
        "--invocations-per-day",
        "20000",
        "--hours",
        "50",
        "--output",
        "envelopes",
    ];
    let cents = tempdir().expect("a folder");
    let file = cents.path().join("cost-spike.toml");
    let shipped = std::fs::read_to_string(
        tidewatch_tests::binary::root().join("infra/detectors/cost-spike.toml"),
    );
    let lower = shipped.expect("shipped").replace("above = 0.1", "above = 0.0005");
    std::fs::write(&file, lower).expect("written");
    for seed in ["1", "2", "3"] {
        let played =
            Played::of("lambda-spike", seed, &fleet, &["--with", file.to_str().expect("text")]);
        let opened = played.opened();
        let [(by, _, after)] = opened.as_slice() else { panic!("seed {seed}: {opened:?}") };
        assert_eq!(by, "cost-spike");
        assert!((0..=11).contains(after), "seed {seed}: after {after} minutes");
    }
    // By the shipped floor it is cents, and nobody is woken.
    assert_eq!(Played::of("lambda-spike", "1", &fleet, &[]).opened(), []);
}

#[test]
fn nothing_is_found_where_nothing_was_planted() {
    for seed in ["1", "2", "3", "4"] {
        let played = Played::of("lambda-quiet", seed, &FLEET, &[]);
        assert_eq!(played.opened(), [], "seed {seed}");
        assert!(played.ran.stats()["signals"]["invocation"].as_u64().expect("counted") > 10_000);
    }
}

#[test]
fn a_budget_that_will_not_do_is_told_and_one_that_will_is_not() {
    // Two and a half days of a fleet that takes cents a day.
    let quiet = |more: &[&str]| Played::of("lambda-quiet", "2", &FLEET, more);
    let played = quiet(&["--budget", "0.5"]);
    let findings = played.ran.findings();
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding["finding_info"]["analytic"]["uid"], "budget-burn");
    let budget = &finding["unmapped"]["tidewatch"]["spending"]["budget"];
    let amount = |name: &str| budget[name].as_f64().expect("a number");
    // As much as the bill says that a month like this costs, but for the days that were before.
    assert!(amount("spent_dollars") < amount("budget_dollars"), "{budget}");
    assert!(amount("projected_dollars") >= amount("budget_dollars"), "{budget}");
    assert_eq!(budget["most"].as_array().map(Vec::len), Some(5), "{budget}");
    assert_eq!(quiet(&["--budget", "100"]).opened(), []);
}

/// A shipped file with floors for a fleet that costs cents a day, in a folder.
fn lowered(folder: &std::path::Path, id: &str) -> String {
    let file = tidewatch_tests::binary::root().join(format!("infra/detectors/{id}.toml"));
    let shipped = std::fs::read_to_string(file).expect("shipped");
    let lower = shipped.replace("above = 0.1", "above = 0.0005").replace("above = 1", "above = 10");
    let file = folder.join(format!("{id}.toml"));
    std::fs::write(&file, lower).expect("written");
    file.to_str().expect("text").to_owned()
}

#[test]
fn a_customer_who_rides_is_found_although_the_function_is_as_usual_and_one_who_grows_is_not() {
    let fleet = [
        "--functions",
        "3",
        "--invocations-per-day",
        "40000",
        "--hours",
        "84",
        "--output",
        "envelopes",
    ];
    let folder = tempdir().expect("a folder");
    let files =
        ["free-rider", "cost-spike", "denial-of-wallet"].map(|id| lowered(folder.path(), id));
    let [rider, spike, wallet] = files.each_ref().map(String::as_str);
    let with = ["--drivers", "--with", rider, "--with", spike, "--with", wallet];
    for seed in ["1", "2", "3"] {
        let played = Played::of("lambda-rider", seed, &fleet, &with);
        let function = played.truth["planted"][0]["function"].as_str().expect("planted");
        let opened = played.opened();
        let [(by, about, after)] = opened.as_slice() else { panic!("seed {seed}: {opened:?}") };
        assert_eq!((by.as_str(), about.as_str()), ("free-rider", function), "seed {seed}");
        assert!((0..=61).contains(after), "seed {seed}: after {after} minutes");
        for quiet in ["lambda-quiet", "lambda-customer"] {
            let played = Played::of(quiet, seed, &fleet, &with);
            assert_eq!(played.opened(), [], "{quiet}, seed {seed}");
        }
        // One who makes most of a function's bill is told of once.
        let played = Played::of("lambda-wallet", seed, &fleet, &with);
        let opened = played.opened();
        let [(by, ..)] = opened.as_slice() else { panic!("seed {seed}: {opened:?}") };
        assert_ne!(by, "free-rider", "seed {seed}");
    }
}
