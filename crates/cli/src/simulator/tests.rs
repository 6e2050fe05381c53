//! The simulator's promises, each checked on what comes out of it: bytes, inflated and parsed again.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::net::IpAddr;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::*;

/// 2026-11-10T07:00:00Z.
const START_MS: i64 = 1_794_294_000_000;

const SMALL: Scale = Scale {
    sources: 800,
    accounts: 2_000,
    visits_per_hour: 1_500,
    errands_per_hour: 400,
    agents: false,
    gateway: false,
};

fn plan(seed: u64) -> Plan {
    Plan { seed, start_ms: START_MS, hours: 4, scenario: &DEMO, scale: SMALL }
}

fn small(seed: u64) -> World {
    simulate(&plan(seed))
}

struct Event {
    id: String,
    time_ms: i64,
    stream: String,
    message: String,
}

fn events(record: &Written) -> Vec<Event> {
    let mut text = String::new();
    GzDecoder::new(record.bytes.as_slice()).read_to_string(&mut text).unwrap();
    let envelope: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(envelope["messageType"], "DATA_MESSAGE");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let event = |event: &Value| Event {
        id: text(&event["id"]),
        time_ms: event["timestamp"].as_i64().unwrap(),
        stream: text(&envelope["logGroup"]) + " " + &text(&envelope["logStream"]),
        message: text(&event["message"]),
    };
    envelope["logEvents"].as_array().unwrap().iter().map(event).collect()
}

/// Reads a line as its reader would, by means of its own: source, user, whether it succeeded, and
/// whether the user is unknown. `None` for a line that decides no attempt.
fn decided(message: &str) -> Option<(IpAddr, String, bool, bool)> {
    if let Some((_, body)) = message.split_once("]: ") {
        let mut words = body.split(' ');
        let success = match (words.next()?, words.next()?) {
            ("Accepted", _) => true,
            ("Failed", _) => false,
            _ => return None,
        };
        let words: Vec<&str> = words.collect();
        let from = words.iter().position(|word| *word == "from")?;
        let unknown = words.contains(&"invalid");
        return Some((words[from + 1].parse().ok()?, words[from - 1].to_owned(), success, unknown));
    }
    let json: Value = serde_json::from_str(message[message.find('{')?..].trim_end()).unwrap();
    let field = |names: [&str; 3]| names.iter().find_map(|name| json[name].as_str());
    let success = match field(["event", "outcome", "status"])? {
        "login_success" | "success" | "SUCCESS" => true,
        "login_failed" | "failure" | "FAILURE" => false,
        _ => return None,
    };
    let source = field(["src_ip", "clientIp", "ip"])?.parse().ok()?;
    let user = field(["user", "username", "user_name"])?.to_owned();
    let reason = field(["reason", "error", "reason"]);
    let unknown = matches!(reason, Some("unknown_user" | "user_not_found" | "no_such_user"));
    Some((source, user, success, unknown))
}

#[test]
fn a_seed_decides_every_byte() {
    let (one, same, other) = (small(1), small(1), small(2));
    assert!(one.records == same.records, "the same seed wrote other bytes");
    assert!(one.records != other.records, "another seed wrote the same bytes");
    let (one, other) = (one.planted.iter(), other.planted.iter());
    assert!(one.map(|p| p.name).eq(other.map(|p| p.name)));
}

#[test]
fn envelopes_decode_and_ids_are_unique() {
    let world = small(3);
    assert!(world.records.is_sorted_by_key(|record| record.time_ms));
    let mut ids = HashSet::new();
    let mut streams: BTreeMap<String, i64> = BTreeMap::new();
    for record in &world.records {
        let events = events(record);
        assert!((1..=60).contains(&events.len()));
        let delay_ms = record.time_ms - events.last().unwrap().time_ms;
        assert!((1_000..10_000).contains(&delay_ms), "{delay_ms} ms");
        for event in events {
            assert_eq!(event.id.len(), 56);
            assert!(ids.insert(event.id));
            let last_ms = streams.entry(event.stream).or_insert(i64::MIN);
            assert!(*last_ms <= event.time_ms, "a log stream went back in time");
            *last_ms = event.time_ms;
        }
    }
    assert!(streams.len() > 20, "{} log streams", streams.len());
}

/// What is planted is read back from the lines, not from the attempts the lines were made of.
#[test]
fn what_is_planted_is_what_is_written() {
    for seed in [4, 5] {
        let world = small(seed);
        let mut written: BTreeMap<IpAddr, Vec<(i64, String, bool)>> = BTreeMap::new();
        let mut streams: BTreeMap<IpAddr, HashSet<String>> = BTreeMap::new();
        for event in world.records.iter().flat_map(events) {
            if let Some((source, user, _, unknown)) = decided(&event.message) {
                written.entry(source).or_default().push((event.time_ms, user, unknown));
                streams.entry(source).or_default().insert(event.stream);
            }
        }
        for planted in &world.planted {
            let lines: Vec<_> = planted.sources.iter().flat_map(|ip| &written[ip]).collect();
            let unknown: HashSet<&str> =
                lines.iter().filter(|line| line.2).map(|line| line.1.as_str()).collect();
            assert_eq!(lines.len() as u64, planted.attempts, "seed {seed}, {}", planted.name);
            assert_eq!(unknown.len() as u64, planted.unknown_names, "{}", planted.name);
            assert_eq!(lines.iter().map(|line| line.0).min(), Some(planted.start_ms));
            assert_eq!(lines.iter().map(|line| line.0).max(), Some(planted.end_ms));
        }
        let fast = IpAddr::from([203, 0, 113, 66]);
        assert!(streams[&fast].len() > 5, "one source is spread over log streams");
    }
}

/// Everybody's lines but the planted ones: what the population's comments promise.
#[test]
fn customers_mostly_get_in() {
    let world = small(6);
    let planted: HashSet<IpAddr> =
        world.planted.iter().flat_map(|planted| planted.sources.iter().copied()).collect();
    let (mut all, mut successes, mut unknowns) = (0.0, 0.0, 0.0);
    for event in world.records.iter().flat_map(events) {
        match decided(&event.message) {
            Some((source, _, success, unknown)) if !planted.contains(&source) => {
                all += 1.0;
                successes += f64::from(u8::from(success));
                unknowns += f64::from(u8::from(unknown));
            }
            _ => (),
        }
    }
    let (success, unknown) = (successes / all, unknowns / all);
    assert!((0.90..0.94).contains(&success), "{success} of {all} attempts succeed");
    assert!((0.015..0.025).contains(&unknown), "{unknown} of {all} names are unknown");
}

/// No attack is empty, and none shares an address with another or a customer, at any hour or length.
#[test]
fn every_act_is_played_in_any_world() {
    for (hours, start_ms) in [(1, START_MS), (2, START_MS + 17 * HOUR_MS), (9, START_MS)] {
        let tiny = Scale {
            sources: 50,
            accounts: 100,
            visits_per_hour: 60,
            errands_per_hour: 50,
            agents: false,
            gateway: false,
        };
        let world = simulate(&Plan { seed: 7, start_ms, hours, scenario: &DEMO, scale: tiny });
        let mut sources = HashSet::new();
        for planted in &world.planted {
            assert!(planted.attempts >= 10, "{hours} h: {} {planted:?}", planted.name);
            assert!(planted.sources.iter().all(|source| sources.insert(*source)));
            assert!(start_ms <= planted.start_ms);
            assert!(planted.end_ms < start_ms + i64::from(hours) * HOUR_MS);
        }
    }
}

/// What `scenario` writes into a small shop in `hours`, slice by slice.
fn slices(scenario: &str, hours: u32, form: Form) -> (Simulation, Vec<Vec<Written>>) {
    let scale = Scale { agents: true, ..SMALL };
    let scenario = find(scenario).unwrap();
    let plan = Plan { seed: 8, start_ms: START_MS, hours, scenario, scale };
    let mut simulation = Simulation::begin(&plan);
    let slices = std::iter::from_fn(|| simulation.next(form)).collect();
    (simulation, slices)
}

/// Every scenario has acts, and no two acts share an address, in a world of an hour as in one of a day.
#[test]
fn every_scenario_is_played_and_no_source_is_shared() {
    for (hours, scenario) in [1, 24].into_iter().flat_map(|h| SCENARIOS.iter().map(move |s| (h, s)))
    {
        let plan = Plan { seed: 9, start_ms: START_MS, hours, scenario, scale: SMALL };
        let planted = Simulation::begin(&plan).planted();
        assert!(!planted.is_empty(), "{}", scenario.name);
        let mut sources = HashSet::new();
        for planted in planted.iter().filter(|planted| planted.name != acts::CROWD) {
            let (name, hours) = (planted.name, plan.hours);
            assert!(planted.attempts >= 2, "{name} in {hours} h: {} attempts", planted.attempts);
            assert!(planted.sources.iter().all(|source| sources.insert(*source)), "{name}");
        }
    }
}

/// Where a world is cut into slices nothing is lost, told twice or told out of order.
#[test]
fn a_world_in_slices_is_one_world() {
    let (simulation, slices) = slices("all", 13, Form::Lines);
    assert_eq!(slices.len(), 4);
    let lines: Vec<&Written> = slices.iter().flatten().collect();
    assert!(lines.is_sorted_by_key(|line| line.time_ms));
    let mut written: BTreeMap<IpAddr, u64> = BTreeMap::new();
    for line in &lines {
        let line = std::str::from_utf8(&line.bytes).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with("+00:00") && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        let message = rest.split_once(' ').unwrap().1;
        if let Some((source, ..)) = decided(message) {
            *written.entry(source).or_default() += 1;
        }
    }
    for planted in simulation.planted().iter().filter(|planted| planted.name != acts::CROWD) {
        let count: u64 = planted.sources.iter().map(|source| written[source]).sum();
        assert_eq!(count, planted.attempts, "{}", planted.name);
    }
}

/// What the truth says of an act adds up.
#[test]
fn the_truth_tells_every_try() {
    let (simulation, _) = slices("all", 13, Form::Envelopes);
    let truth = simulation.truth();
    for act in truth["planted"].as_array().unwrap() {
        let list = |name: &str| act[name].as_array().unwrap();
        let (name, tries) = (act["name"].as_str().unwrap(), list("tries"));
        if name == acts::CROWD {
            assert!(tries.is_empty() && list("sources").is_empty());
            assert!(act["attempts"].as_u64() > Some(10_000));
            continue;
        }
        assert_eq!(Some(tries.len() as u64), act["attempts"].as_u64(), "{name}");
        let length_ms = act["end_ms"].as_i64().unwrap() - act["start_ms"].as_i64().unwrap();
        assert_eq!(
            (tries[0][0].as_i64(), tries[tries.len() - 1][0].as_i64()),
            (Some(0), Some(length_ms))
        );
        let names = |letter: &str| -> HashSet<&str> {
            let tries = tries.iter().filter(|a_try| a_try[3] == letter);
            tries
                .map(|t| list("users_tried")[t[2].as_u64().unwrap() as usize].as_str().unwrap())
                .collect()
        };
        assert_eq!(names("s").len(), list("users_got_into").len(), "{name}");
        assert_eq!(Some(names("u").len() as u64), act["unknown_names"].as_u64(), "{name}");
        assert!(!name.starts_with("takeover") || !names("s").is_empty(), "{name}");
    }
}

/// A leaked pair fits in about one of a hundred tries.
#[test]
fn stuffing_rarely_gets_in() {
    let (simulation, _) = slices("stuffing", 4, Form::Envelopes);
    let (mut tries, mut successes) = (0.0, 0.0);
    for act in &simulation.acts {
        tries += act.attempts.len() as f64;
        let is_success = |attempt: &&Attempt| attempt.outcome == attempt::Outcome::Success;
        successes += act.attempts.iter().filter(is_success).count() as f64;
    }
    assert!((0.005..0.02).contains(&(successes / tries)), "{successes} of {tries}");
}
