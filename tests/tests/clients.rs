//! Clients and networks, as the real binary: detectors by what a client calls itself and by who announces its
//! address, and clients that are allowed.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::mmdb;

const BY_CLIENT: &str = r#"
id = "busy-client"
title = "One client fails with many accounts"
signal = "auth"
key = "user_agent"
window = "1h"
quiet = "1h"

[measure]
users = { distinct = "user", where = { outcome = "failure" } }

[[raise]]
severity = "medium"
when = ["users >= 20"]
"#;

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A folder with rules of these detectors.
fn rules(detectors: &[&str]) -> TempDir {
    let folder = tempdir().expect("a folder");
    for (nth, text) in detectors.iter().enumerate() {
        fs::write(folder.path().join(format!("{nth}.toml")), text).expect("a file");
    }
    folder
}

/// Forty logins refused, each by another address: of `network`, with `agent`.
fn log(network: &str, agent: &str) -> String {
    let line = |n: u32| {
        format!(
            "{{\"timestamp\":\"2026-11-10T06:{n:02}:00Z\",\"event\":\"login_failed\",\"user\":\"u{n}\",\
             \"src_ip\":\"{network}.{}\",\"user_agent\":\"{agent}\"}}\n",
            n + 1
        )
    };
    (0..40).map(line).collect()
}

fn replay(rules: &Path, log: &str, more: &[&str]) -> Ran {
    let arguments = [&["replay", "--detectors", shown(rules), "--output", "json"], more, &["-"]];
    let ran = run(&arguments.concat(), log.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// The findings that were opened.
fn opened(ran: &Ran) -> Vec<Value> {
    ran.findings().into_iter().filter(|finding| finding["activity_name"] == "Create").collect()
}

#[test]
fn a_detector_by_client_says_what_the_client_calls_itself() {
    let rules = rules(&[BY_CLIENT]);
    let both = log("192.0.2", "Go-http-client/1.1") + &log("198.51.100", "  Go-http-client/1.1");
    let ran = replay(rules.path(), &both, &[]);
    let [finding] = &opened(&ran)[..] else { panic!("not one: {}", ran.findings().len()) };
    let about = &finding["unmapped"]["tidewatch"];
    assert_eq!(about["who"]["user_agent"], "Go-http-client/1.1");
    assert!(about["key"].as_str().expect("a key").starts_with("agent:"), "{about}");
    // It is the same in every run, whatever the key of tags.
    let again = replay(rules.path(), &both, &[]);
    let uid = |ran: &Ran| ran.findings()[0]["finding_info"]["uid"].clone();
    assert_eq!(uid(&ran), uid(&again));
    let text = run(&["replay", "--detectors", shown(rules.path()), "-"], both.as_bytes());
    assert!(text.stdout.contains("client     Go-http-client/1.1"), "{}", text.stdout);
    // The same tries by forty clients are nobody's.
    let others =
        |n: usize| both.lines().nth(n).expect("a line").replace("Go-http", &format!("{n}"));
    let others: Vec<String> = (0..80).map(others).collect();
    assert!(replay(rules.path(), &others.join("\n"), &[]).findings().is_empty());
}

#[test]
fn what_a_client_calls_itself_cannot_steer_a_terminal() {
    let rules = rules(&[BY_CLIENT]);
    let hostile = log("192.0.2", r"\u001b[2J\nOPEN critical");
    let text = run(&["replay", "--detectors", shown(rules.path()), "-"], hostile.as_bytes());
    assert!(text.stdout.contains("client"), "{}", text.stdout);
    assert!(!text.stdout.contains('\u{1b}'), "{}", text.stdout);
    assert!(!text.stdout.lines().any(|line| line.starts_with("OPEN")), "{}", text.stdout);
}

#[test]
fn a_client_is_allowed_where_it_is_meant_to_come_from_and_nowhere_else() {
    let allow = "[[allow]]\nuser_agent = \"Pentest/2.1\"\nsource = \"192.0.2.0/24\"\nreason = \"a test\"\n\
                 until = \"never\"\n";
    let rules = rules(&[BY_CLIENT]);
    let with = tempdir().expect("a folder");
    fs::write(with.path().join("allow.toml"), allow).expect("a file");
    let allowed = ["--with", shown(with.path())];
    assert!(replay(rules.path(), &log("192.0.2", "Pentest/2.1"), &allowed).findings().is_empty());
    assert_eq!(opened(&replay(rules.path(), &log("192.0.2", "Pentest/2.1"), &[])).len(), 1);
    assert_eq!(opened(&replay(rules.path(), &log("198.51.100", "Pentest/2.1"), &allowed)).len(), 1);
    assert_eq!(opened(&replay(rules.path(), &log("192.0.2", "Pentest/2.2"), &allowed)).len(), 1);
    // From anywhere only by force, for anybody can send it.
    let anywhere = allow.replace("source = \"192.0.2.0/24\"\n", "");
    fs::write(with.path().join("allow.toml"), &anywhere).expect("a file");
    let ran = run(&["replay", "--with", shown(with.path()), "-"], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("Whoever attacks can send it too"), "{}", ran.stderr);
    fs::write(with.path().join("allow.toml"), anywhere + "force = true\n").expect("a file");
    assert!(
        replay(rules.path(), &log("198.51.100", "Pentest/2.1"), &allowed).findings().is_empty()
    );
}

#[test]
fn a_detector_by_network_needs_a_database_or_a_log_that_tells_and_says_so() {
    let by_network = BY_CLIENT
        .replace("key = \"user_agent\"", "key = \"source.asn\"")
        .replace("busy-client", "busy-network");
    let rules = rules(&[&by_network]);
    let spread = log("192.0.2", "a") + &log("198.51.100", "b") + &log("203.0.113", "c");
    let without = replay(rules.path(), &spread, &["--stats"]);
    assert!(without.findings().is_empty());
    let disabled = "note: busy-network counted nothing: no line tells an autonomous system";
    assert!(without.stderr.contains(disabled), "{}", without.stderr);
    assert!(without.stderr.contains(r#""disabled":["busy-network"]"#), "{}", without.stderr);

    let folder = tempdir().expect("a folder");
    let database = folder.path().join("asn.mmdb");
    let systems = [([192, 0, 2], 64_496), ([198, 51, 100], 64_496)];
    fs::write(&database, mmdb::systems("GeoLite2-ASN", &systems)).expect("a database");
    let with = replay(rules.path(), &spread, &["--asn-db", shown(&database)]);
    assert!(!with.stderr.contains("counted nothing"), "{}", with.stderr);
    let [finding] = &opened(&with)[..] else { panic!("not one: {}", with.findings().len()) };
    let about = &finding["unmapped"]["tidewatch"];
    assert_eq!(about["key"], "AS64496");

    // A log that tells it needs none; and what the database knows goes before what is told.
    let told =
        spread.replace("\"user_agent\"", "\"asn\":\"AS64500 Example Hosting\",\"user_agent\"");
    let keys = |more: &[&str]| -> Vec<String> {
        let about =
            |finding: &Value| finding["unmapped"]["tidewatch"]["key"].as_str().map(str::to_owned);
        opened(&replay(rules.path(), &told, more)).iter().filter_map(about).collect()
    };
    assert_eq!(keys(&[]), ["AS64500"]);
    assert_eq!(keys(&["--asn-db", shown(&database)]), ["AS64496", "AS64500"]);

    for (bytes, why) in [
        (mmdb::systems("GeoLite2-City", &systems), "not of autonomous systems"),
        (b"1.0.0.0/24,13335".to_vec(), "it is no MMDB file"),
    ] {
        fs::write(&database, bytes).expect("a file");
        let ran = run(&["replay", "--asn-db", shown(&database), "-"], b"");
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}
