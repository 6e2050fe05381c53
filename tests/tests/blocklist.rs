//! `tidewatch blocklist`, as the real binary, behind a replay.

use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run, run_into};
use tidewatch_tests::scans::{log, scan, unknown};

/// While all findings of [`findings`] are open, and when the last of their events is.
const NOW: &str = "2026-11-10T06:30:00Z";

/// Two neighbours, one from another network, one by IPv6; one name from many addresses.
fn findings() -> String {
    let many = (0..40).map(|n| unknown(n * 10, &format!("192.0.2.{n}"), "shared"));
    let log = log([
        scan("203.0.113.8", 0, 40, 5),
        scan("203.0.113.9", 2, 40, 5),
        scan("198.51.100.7", 3, 12, 9),
        scan("2001:db8::1", 4, 40, 5),
        many.collect(),
    ]);
    let ran = run(&["replay", "--output", "json", "-"], log.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

fn blocklist(more: &[&str], findings: &str) -> Ran {
    let ran = run(&[&["blocklist", "--now", NOW], more, &["-"]].concat(), findings.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().collect()
}

const ALL: [&str; 4] = ["198.51.100.7", "203.0.113.8", "203.0.113.9", "2001:db8::/64"];

#[test]
fn the_sources_of_open_findings_are_listed_in_each_form() {
    let findings = findings();
    let ran = blocklist(&[], &findings);
    assert_eq!(lines(&ran), ALL);
    assert!(ran.stderr.contains("about a user, a subnet or everything"), "{}", ran.stderr);
    let cidr = ["198.51.100.7/32", "203.0.113.8/31", "2001:db8::/64"];
    assert_eq!(lines(&blocklist(&["--as", "cidr"], &findings)), cidr);

    let sets: Value =
        serde_json::from_str(&blocklist(&["--as", "waf-ip-set"], &findings).stdout).expect("JSON");
    let expected = json!({
        "IPV4": { "Addresses": cidr[..2] }, "IPV6": { "Addresses": cidr[2..] },
    });
    assert_eq!(sets, expected);

    let list: Value =
        serde_json::from_str(&blocklist(&["--as", "json"], &findings).stdout).expect("JSON");
    assert_eq!(list["now"], NOW);
    let sources = list["sources"].as_array().expect("sources");
    assert_eq!(sources.iter().map(|one| &one["source"]).collect::<Vec<_>>(), ALL);
    // Its last message is about its tenth name, 84 s after the start, and the list is for a day.
    assert_eq!(sources[0]["until"], "2026-11-11T06:01:24Z");
    let of = |finding: &Value| {
        let known = findings.lines().map(|line| serde_json::from_str(line).expect("a finding"));
        known.into_iter().any(|told: Value| {
            told["finding_info"]["uid"] == finding["uid"]
                && told["finding_info"]["analytic"]["uid"] == finding["detector"]
        })
    };
    let named = sources.iter().flat_map(|one| one["findings"].as_array().expect("findings"));
    assert!(named.clone().count() >= 4 && named.into_iter().all(of), "{list:#}");
}

#[test]
fn a_finding_that_is_over_or_too_old_drops_out() {
    let findings = findings();
    let after = |now: &str, more: &[&str]| {
        let arguments = [&["blocklist", "--now", now], more, &["-"]].concat();
        let ran = run(&arguments, findings.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.lines().count()
    };
    assert_eq!(after("2026-11-11T06:01:23Z", &[]), 4);
    // To the second, a day after the last event that was told.
    assert_eq!(after("2026-11-11T06:01:24Z", &[]), 3);
    assert_eq!(after("2026-11-12T06:00:00Z", &[]), 0);
    assert_eq!(after("2026-11-12T06:00:00Z", &["--for", "7d"]), 4);
    assert_eq!(after(NOW, &["--for", "10m"]), 0);

    // The last message counts, in whatever order they come: here each is closed.
    let closed = |findings: &str| {
        let close = |line: &str| {
            let mut told: Value = serde_json::from_str(line).expect("a finding");
            told["activity_id"] = json!(3);
            let made = told["finding_info"]["modified_time"].as_i64().expect("a time");
            told["finding_info"]["modified_time"] = json!(made + 3_600_000);
            format!("{told}\n")
        };
        findings.lines().map(close).collect::<String>()
    };
    let [before, behind] = [closed(&findings) + &findings, findings.clone() + &closed(&findings)];
    for all in [before, behind] {
        let ran = blocklist(&[], &all);
        assert_eq!((ran.stdout.as_str(), ran.code), ("", 0), "{}", ran.stderr);
        assert!(ran.stderr.contains("closed, or longer ago than --for"), "{}", ran.stderr);
    }
}

#[test]
fn severities_detectors_and_campaigns_are_chosen() {
    let findings = findings();
    let high = blocklist(&["--min-severity", "high"], &findings);
    assert_eq!(lines(&high), ALL[1..], "twelve names are no high finding");
    let none = blocklist(&["--detector", "no-such"], &findings);
    assert_eq!(none.stdout, "");
    let scans = ["--detector", "no-such", "--detector", "credential-scan"];
    assert_eq!(lines(&blocklist(&scans, &findings)), ALL);
    // One name from many addresses: these are named only where somebody asks for it.
    let campaign = blocklist(&["--campaigns", "--detector", "distributed-scan"], &findings);
    assert!(lines(&campaign).len() >= 12, "{}", campaign.stdout);
    assert!(lines(&campaign).iter().all(|line| line.starts_with("192.0.2.")));
    let ran = run(&["blocklist", "--min-severity", "hgh", "-"], b"");
    assert!(ran.code == 2 && ran.stderr.contains("critical"), "{}", ran.stderr);
    for wrong in [["--for", "soon"], ["--now", "noon"], ["--as", "xml"]] {
        assert_eq!(run(&[&["blocklist"], &wrong[..], &["-"]].concat(), b"").code, 2, "{wrong:?}");
    }
}

#[test]
fn sources_of_a_network_of_ones_own_are_pointed_out() {
    let listed = |source: &str| {
        let log = log([scan(source, 0, 40, 5)]);
        blocklist(&[], &run(&["replay", "--output", "json", "-"], log.as_bytes()).stdout)
    };
    for source in ["10.0.0.1", "127.0.0.1", "192.168.7.7", "fe80::1", "fd00:1::1"] {
        let ran = listed(source);
        assert_eq!(lines(&ran).len(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("note: 1 source of a private network"), "{}", ran.stderr);
    }
    assert!(!listed("198.51.100.7").stderr.contains("private network"));
}

#[test]
fn nobody_who_is_allowed_now_is_listed() {
    let findings = findings();
    let allow = |source: &str, more: &str| {
        format!(
            "[[allow]]\nsource = \"{source}\"\nreason = \"x\"\nuntil = \"2026-11-10T07:00:00Z\"\n{more}"
        )
    };
    let with = |allow: &str, now: &str| {
        let folder = tempdir().expect("a folder");
        fs::write(folder.path().join("allow.toml"), allow).expect("a file");
        let own = folder.path().to_str().expect("a path");
        let ran = run(&["blocklist", "--with", own, "--now", now, "-"], findings.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    };
    let ran = with(&allow("203.0.113.0/24", ""), NOW);
    assert_eq!(lines(&ran), [ALL[0], ALL[3]]);
    assert!(ran.stderr.contains("left out: 2 sources: allowed"), "{}", ran.stderr);
    assert_eq!(lines(&with(&allow("2001:db8::/48", ""), NOW)), ALL[..3]);
    // The entry has ended since.
    assert_eq!(lines(&with(&allow("203.0.113.0/24", ""), "2026-11-10T07:00:00Z")), ALL);
    // Other detectors raise about it too.
    let one = allow("203.0.113.8", "detectors = \"brute-force\"\n");
    assert_eq!(lines(&with(&one, NOW)), ALL);
}

#[test]
fn what_is_no_finding_is_counted_and_told() {
    let findings = findings();
    let (first, rest) = findings.split_once('\n').expect("lines");
    let cut = &first[..first.len() / 2];
    let noise = "{\"class_uid\":2004}\n\n[]\nno finding\n";
    let ran = blocklist(&[], &format!("{cut}\n{noise}{first}\n{rest}"));
    assert_eq!(lines(&ran), ALL);
    assert!(ran.stderr.contains("not read: 4 lines, "), "{}", ran.stderr);
    assert!(ran.stderr.contains("first at -:1"), "{}", ran.stderr);
    // A file that holds no finding at all is the wrong one: nobody is to be let in for it.
    for form in ["lines", "waf-ip-set"] {
        let ran = run(&["blocklist", "--as", form, "-"], noise.as_bytes());
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("not read: 3 lines, "), "{}", ran.stderr);
    }
    let ran = run(&["blocklist", "no-such-file"], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot read no-such-file"), "{}", ran.stderr);
    let ran = run(&["blocklist"], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("no line to read"), "{}", ran.stderr);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("findings.jsonl");
    fs::write(&path, &findings).expect("a file");
    let path = path.to_str().expect("a path");
    let ran = run_into(&["blocklist", "--now", NOW, path], full.into());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}
