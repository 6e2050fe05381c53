//! Allowlists, as the real binary: `--with` a folder that has an allow.toml.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run, run_keyed};
use tidewatch_tests::scans::{log, scan, success, unknown};

const TESTER: &str = "198.51.100.7";
const ATTACKER: &str = "203.0.113.9";

const ENTRY: &str = "[[allow]]\nsource = \"198.51.100.0/24\"\nreason = \"penetration test, ticket 4711\"\n\
                     until = \"never\"\n";

/// Something that everybody who fails adds to.
const EVERYTHING: &str = "id = \"everything\"\ntitle = \"x\"\nsignal = \"auth\"\nkey = \"global\"\n\
     window = \"10m\"\n[measure]\nfailures = { count = \"attempts\", where = { outcome = \"failure\" } }\n\
     [[raise]]\nseverity = \"low\"\nwhen = [\"failures >= 100\"]\n";

/// A folder with a log, and two folders of rules: `rules` with an allowlist and `plain` without.
fn folder(allow: &str, log: &str) -> TempDir {
    let folder = tempdir().expect("a folder");
    for rules in ["rules", "plain"] {
        fs::create_dir(folder.path().join(rules)).expect("a folder");
        fs::write(folder.path().join(rules).join("all.toml"), EVERYTHING).expect("a file");
    }
    fs::write(folder.path().join("rules/allow.toml"), allow).expect("a file");
    fs::write(folder.path().join("app.log"), log).expect("a file");
    folder
}

/// Paths of the rules with the allowlist, and of the log.
fn paths(folder: &TempDir) -> [String; 2] {
    ["rules", "app.log"].map(|name| shown(&folder.path().join(name)))
}

fn shown(path: &Path) -> String {
    path.to_str().expect("a path").to_owned()
}

/// Replays the log of a folder with its allowlist, or without.
fn replay(folder: &TempDir, with: bool) -> Ran {
    let with = shown(&folder.path().join(if with { "rules" } else { "plain" }));
    let [_, log] = paths(folder);
    let arguments = ["replay", "--output", "json", "--stats", "--with", &with, &log];
    let ran = run_keyed("a secret", &arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// A tester who scans and guesses, an attacker, and people.
fn mixed() -> String {
    let people = (0..40).map(|n| success(n * 20, &format!("192.0.2.{n}"), &format!("p{n}")));
    let target = (0..12).map(|n| unknown(300 + n, TESTER, &format!("shared{}", n % 2)));
    let also = (0..4).map(|n| unknown(310 + n, ATTACKER, &format!("shared{}", n % 2)));
    log([
        scan(TESTER, 10, 120, 3),
        scan(ATTACKER, 60, 60, 5),
        people.collect(),
        target.collect(),
        also.collect(),
    ])
}

/// The keys findings are about.
fn keys(ran: &Ran) -> Vec<String> {
    let key = |finding: &Value| finding["unmapped"]["tidewatch"]["key"].as_str().map(str::to_owned);
    let mut keys: Vec<String> = ran.findings().iter().filter_map(key).collect();
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn a_test_from_an_allowed_network_is_held_back_counted_and_explained() {
    let folder = folder(ENTRY, &mixed());
    let without = keys(&replay(&folder, false));
    assert!(without.contains(&TESTER.to_owned()) && without.contains(&"global".to_owned()));
    let ran = replay(&folder, true);
    assert!(!keys(&ran).contains(&TESTER.to_owned()), "{:?}", keys(&ran));
    assert!(keys(&ran).contains(&ATTACKER.to_owned()));
    let stats = ran.stats();
    let by = &stats["suppressed_by"][0];
    assert!(stats["suppressed"].as_u64() >= Some(1), "{stats}");
    assert_eq!(by["findings"], stats["suppressed"]);
    assert_eq!((&by["signals"], &by["who"]), (&json!(132), &json!("198.51.100.0/24")));
    assert_eq!(by["reason"], "penetration test, ticket 4711");
    assert_eq!(by["until"], Value::Null);
    let [own, log] = paths(&folder);
    let place = format!("{own}/allow.toml:1");
    assert_eq!(by["entry"], place);
    let says = format!("about 198.51.100.0/24 by {place} (penetration test, ticket 4711); 132 log");
    assert!(ran.stderr.contains(&says), "{}", ran.stderr);

    let ran = run(&["explain", "--with", &own, "--lines", "9", &log], b"");
    let says = format!("held back for good by {place} (penetration test, ticket 4711); nearest");
    assert!(ran.stdout.contains(&format!("{TESTER}: high, {says}")), "{}", ran.stdout);
    let says = format!("no other key: {place} allows 198.51.100.0/24");
    assert!(ran.stdout.contains(&says), "{}", ran.stdout);
    let ran = run(&["explain", "--with", &own, "--output", "json", &log], b"");
    let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let detectors = document["detectors"].as_array().expect("detectors");
    let scan = detectors.iter().find(|of| of["detector"] == "credential-scan").expect("it");
    let tester = scan["keys"].as_array().expect("keys").iter().find(|of| of["key"] == TESTER);
    let held = &tester.expect("it is shown")["held_back"];
    assert_eq!((&held["entry"], &held["severity"]), (&json!(place), &json!("high")));
}

/// Byte for byte: also places in the log, since the lines that are taken out leave as many bytes.
#[test]
fn other_findings_are_those_of_a_log_without_the_allowed_lines() {
    let all = mixed();
    let line = |line: &str| match line.contains(TESTER) {
        true => "-".repeat(line.len()) + "\n",
        false => line.to_owned() + "\n",
    };
    let rest: String = all.lines().map(line).collect();
    let folder = folder(ENTRY, "");
    let replay = |log: &str, with: &[&str]| {
        let arguments = [&["replay", "--output", "json"], with, &["-"]].concat();
        let ran = run_keyed("a secret", &arguments, log.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let without = replay(&rest, &["--with", &shown(&folder.path().join("plain"))]);
    assert!(without.contains(ATTACKER) && !without.contains(TESTER));
    assert_eq!(replay(&all, &["--with", &paths(&folder)[0]]), without);
}

#[test]
fn an_attack_that_outlasts_its_entry_is_told_from_the_end_on() {
    let ends = "until = \"2026-11-10T06:03:00Z\"";
    let folder = folder(&ENTRY.replace("until = \"never\"", ends), &mixed());
    let ran = replay(&folder, true);
    let opened = ran.openings();
    let end_ms = (tidewatch_tests::scans::BEGUN_S + 180) * 1_000;
    assert_eq!(opened.get(TESTER), Some(&(end_ms + 1_000)), "{opened:?}");
    assert!(ran.stats()["suppressed"].as_u64() >= Some(1));
}

#[test]
fn a_user_is_allowed_by_name_whatever_the_key_of_the_run() {
    let tries = (0..40).map(|n| unknown(n * 10, &format!("192.0.2.{n}"), "healthcheck"));
    let log = log([tries.collect()]);
    let user = |name: &str, more: &str| {
        format!("[[allow]]\nuser = \"{name}\"\nreason = \"a probe\"\nuntil = \"never\"\n{more}")
    };
    let told = |allow: &str| {
        let folder = folder(allow, &log);
        let [own, log] = paths(&folder);
        let ran = run(&["replay", "--output", "json", "--with", &own, &log], b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!ran.stderr.contains("healthcheck"), "no name is printed: {}", ran.stderr);
        ran.findings().len()
    };
    assert!(told(&user("somebody", "")) > 0);
    assert_eq!(told(&user("HealthCheck ", "")), 0);
    let one = user("healthcheck", "detectors = \"distributed-scan\"\n");
    assert!(told(&one) < told(&user("somebody", "")), "one detector's only");
}

#[test]
fn faults_and_what_is_hardly_meant_are_told() {
    let wide = ENTRY.replace("198.51.100.0/24", "0.0.0.0/0");
    let check = |allow: &str, arguments: &[&str]| {
        let folder = folder(allow, "a line\n");
        let [own, log] = paths(&folder);
        match arguments {
            ["check", rest @ ..] => run(&[&["check"], rest, &[&own]].concat(), b""),
            _ => run(&["replay", "--with", &own, &log], b""),
        }
    };
    for arguments in [&["check"][..], &["replay"]] {
        let ran = check(&wide, arguments);
        let says = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 2, "{says}");
        for part in ["`0.0.0.0/0` is wider than /16", "allow.toml:2:10", "force = true"] {
            assert!(says.contains(part), "{part} in {says}");
        }
        let ran = check(&format!("{wide}force = true\n"), arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let ran = check(&ENTRY.replace("until = \"never\"", "until = \"2026-01-31\""), &["check"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("allow.toml:1: the entry ran out"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("2 files: 0 errors, 2 warnings\n"), "{}", ran.stdout);
    let ran = check(&ENTRY.repeat(2), &["check", "--strict"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("allow.toml:5: the entry has no effect"), "{}", ran.stdout);
}

#[test]
fn an_allowlist_is_known_by_what_is_in_it_and_stands_beside_folders_of_rules() {
    let folder = folder("", &mixed());
    fs::write(folder.path().join("rules/testers.toml"), ENTRY).expect("a file");
    assert!(!keys(&replay(&folder, true)).contains(&TESTER.to_owned()));
    let detectors = folder.path().join("rules/detectors");
    fs::create_dir(&detectors).expect("a folder");
    let shipped = tidewatch_tests::binary::root().join("infra/detectors/brute-force.toml");
    fs::copy(shipped, detectors.join("brute-force.toml")).expect("a file");
    let ran = replay(&folder, true);
    assert!(!keys(&ran).contains(&TESTER.to_owned()));
    assert!(keys(&ran).contains(&ATTACKER.to_owned()));
}
