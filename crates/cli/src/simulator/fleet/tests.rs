//! What a fleet is, and that what is planted is there.

use std::collections::BTreeMap;

use super::*;

/// Monday, 2026-01-05T00:00:00Z.
const START: i64 = 1_767_571_200_000;

fn plan(name: &str, hours: u32) -> Plan {
    let scenario = find(name).expect("a scenario");
    Plan { seed: 5, start_ms: START, hours, scenario, functions: 6, invocations_per_day: 6_000 }
}

fn all(plan: &Plan, form: Form) -> (Fleet, Vec<Written>) {
    let mut fleet = Fleet::begin(plan);
    let mut written = Vec::new();
    while let Some(slice) = fleet.next(form) {
        written.extend(slice);
    }
    (fleet, written)
}

/// Reports, by function and time.
fn reports(written: &[Written]) -> BTreeMap<String, Vec<(i64, String)>> {
    let mut by: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for line in written {
        let envelope: Value = serde_json::from_slice(&line.bytes).expect("an envelope");
        let group = envelope["logGroup"].as_str().expect("a group");
        for event in envelope["logEvents"].as_array().expect("events") {
            let message = event["message"].as_str().expect("text");
            if message.starts_with("REPORT") || message.contains("platform.report") {
                let at = event["timestamp"].as_i64().expect("a time");
                by.entry(group.to_owned()).or_default().push((at, message.to_owned()));
            }
        }
    }
    by
}

#[test]
fn a_seed_decides_every_byte_and_another_another_world() {
    let quiet = plan("lambda-quiet", 5);
    let (_, one) = all(&quiet, Form::Envelopes);
    assert_eq!(one, all(&quiet, Form::Envelopes).1);
    assert_ne!(one, all(&Plan { seed: 6, ..quiet }, Form::Envelopes).1);
    assert!(!all(&quiet, Form::Lines).1.is_empty());
}

#[test]
fn traffic_is_as_much_as_was_asked_for_and_follows_day_and_week() {
    let quiet = plan("lambda-quiet", 7 * 24);
    let (_, written) = all(&quiet, Form::Envelopes);
    let reports = reports(&written);
    let times: Vec<i64> = reports.values().flatten().map(|(at, _)| *at).collect();
    assert!((38_000..46_000).contains(&times.len()), "{}", times.len());
    assert_eq!(reports.len(), 6);
    let hours = |from: i64, until: i64| {
        let of_day = |at: &&i64| (from..until).contains(&((**at).rem_euclid(DAY_MS) / HOUR_MS));
        times.iter().filter(of_day).count()
    };
    assert!(hours(11, 15) * 2 > hours(0, 4) * 3);
}

#[test]
fn what_is_planted_is_there_and_nothing_else_changes_before() {
    let quiet = reports(&all(&plan("lambda-quiet", 48), Form::Envelopes).1);
    for scenario in FLEETS.iter().skip(1) {
        let (fleet, written) = all(&plan(scenario.name, 48), Form::Envelopes);
        let reports = reports(&written);
        let plant = fleet.plant.as_ref().expect("something is planted");
        let group = format!("/aws/lambda/{}", fleet.functions[plant.function].name);
        let [theirs, usual] =
            [&reports, &quiet].map(|all| all.get(&group).cloned().unwrap_or_default());
        let before =
            |all: &[(i64, String)]| all.iter().filter(|(at, _)| *at < plant.from_ms).count();
        // A regression makes its function slower from the start, and so moves the ends of invocations.
        if scenario.name != "lambda-slow" {
            assert_eq!(before(&theirs), before(&usual), "{}", scenario.name);
        }
        let within = |all: &[(i64, String)]| {
            let span = plant.from_ms..plant.until_ms;
            all.iter().filter(|(at, _)| span.contains(at)).cloned().collect::<Vec<_>>()
        };
        let (theirs, usual) = (within(&theirs), within(&usual));
        let failed =
            |all: &[(i64, String)]| all.iter().filter(|(_, text)| text.contains("error")).count();
        match scenario.name {
            "lambda-spike" | "lambda-wallet" => {
                let times = theirs.len() as f64 / usual.len() as f64;
                assert!((8.0..17.0).contains(&times), "{}: {times}", scenario.name);
            }
            "lambda-recursion" => assert!(theirs.len() > 40_000, "{}", theirs.len()),
            "lambda-silent" => assert_eq!(theirs.len(), 0),
            "lambda-errors" => {
                let told = fleet.functions[plant.function].tells_status
                    || fleet.functions[plant.function].is_json;
                assert!(!told || failed(&theirs) * 3 > theirs.len(), "{}", failed(&theirs));
            }
            "lambda-creep" | "lambda-rider" | "lambda-customer" => {
                assert!(theirs.len() > usual.len())
            }
            _ => {
                let slow = theirs.iter().filter(|(_, text)| !text.contains("Duration: 3")).count();
                assert!(slow > 0 && fleet.functions[plant.function].version(plant.from_ms).1 == 0);
            }
        }
    }
}
