//! The command line as other programs rely on it: exit codes, what goes to which stream, what each
//! option does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, root, run, run_keyed};
use tidewatch_tests::containers::{envelopes, gzip};
use tidewatch_tests::events::{Event, PROFILE_SPAN_MS, START_MS, Said, crossings, log, scan, shop};

const DISTINCT20: [&str; 2] = ["--detectors", "tests/profiles/distinct20"];

fn replay(more: &[&str], input: &[u8]) -> Ran {
    let mut arguments = vec!["replay", "-", "--output", "json", "--stats"];
    arguments.extend(more);
    run(&arguments, input)
}

fn scan_log() -> String {
    log(&scan("203.0.113.9").0, Event::json)
}

/// Findings by all that tells one from another.
fn told(ran: &Ran) -> BTreeSet<String> {
    let told = ran.findings().into_iter().map(|mut finding| {
        // Samples name the input, which differs between a file and its parts.
        finding["unmapped"]["tidewatch"]["samples"] = Value::Null;
        finding["unmapped"]["tidewatch"]["where"] = Value::Null;
        // Tags of names depend on the key, which is another in each run.
        finding["unmapped"]["tidewatch"]["accounts"] = Value::Null;
        finding["resources"] = Value::Null;
        finding.to_string()
    });
    told.collect()
}

#[test]
fn findings_and_rejected_lines_are_exit_code_0() {
    let input = [scan_log().as_bytes(), b"{\"event\":\"login_failed\", \xff}\n"].concat();
    let ran = replay(&DISTINCT20, &input);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.raised_sources(), ["203.0.113.9"]);
    assert_eq!(ran.quarantined("not_utf8"), 1);
}

#[test]
fn an_input_that_cannot_be_opened_is_exit_code_1_and_the_others_are_processed() {
    let folder = tempdir().expect("a folder");
    let good = folder.path().join("good.log");
    fs::write(&good, scan_log()).expect("a file");
    let good = good.to_str().expect("a path");
    let missing = folder.path().join("missing.log");
    for bad in [missing.to_str().expect("a path"), folder.path().to_str().expect("a path")] {
        for files in [[good, bad], [bad, good]] {
            let mut arguments = vec!["replay", "--output", "json", "--stats"];
            arguments.extend(DISTINCT20.iter().chain(&files));
            let ran = run(&arguments, b"");
            assert_eq!(ran.code, 1, "{files:?}: {}", ran.stderr);
            assert!(ran.stderr.contains(bad), "{files:?}: {}", ran.stderr);
            assert_eq!(ran.raised_sources(), ["203.0.113.9"], "{files:?}");
        }
        let ran = run(&["replay", bad, "--stats"], b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{bad} alone");
    }
}

#[test]
fn what_is_not_understood_is_exit_code_2_and_the_message_says_what_would_be() {
    let cases: &[(&[&str], &str)] = &[
        (&["replay", "-", "--no-such-option"], "--no-such-option"),
        (&["rplay", "-"], "replay"),
        (&["replay"], "FILE"),
        (&[], "replay"),
        (&["replay", "-", "--input", "json"], "aws-tail"),
        (&["replay", "-", "--tz", "Mars/Olympus"], "Europe/Berlin"),
        (&["replay", "-", "--year", "soon"], "--year"),
        (&["replay", "-", "--year", "1969"], "2000"),
        (&["replay", "-", "--year", "99999"], "--year"),
        (&["replay", "-", "--memory", "much"], "512MiB"),
        (&["replay", "-", "--memory", "0"], "--memory"),
        (&["replay", "-", "--not-after", "tomorrow"], "RFC 3339"),
        (&["replay", "-", "--windows", "fortnight"], "300s"),
        (&["replay", "-", "--windows", "0s"], "--windows"),
        (&["replay", "-", "--windows", "99999999999d"], "--windows"),
        (&["replay", "-", "--windows", "5m", "--key", "ip"], "source.ip"),
        (&["replay", "-", "--key", "user"], "--windows"),
        (&["replay", "-", "-"], "only once"),
        (&["replay", "-", "--output", "xml"], "json"),
        (&["replay", "-", "--usernames", "lower"], "fold"),
        (&["replay", "-", "--detectors", "no/such/folder"], "no/such/folder"),
        (&["watch", "-", "--input", "json"], "aws-tail"),
        (&["watch", "-", "--windows", "5m"], "--windows"),
        (&["demo", "--seed", "one"], "--seed"),
    ];
    for (arguments, says) in cases {
        let ran = run(arguments, scan_log().as_bytes());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains(says), "{arguments:?} should say {says}: {}", ran.stderr);
    }
    assert_eq!(run_keyed("", &["replay", "-"], b"").code, 2, "an empty TIDEWATCH_KEY");
}

#[test]
fn a_faulty_detector_file_is_exit_code_2_and_is_explained() {
    let profile = root().join("tests/profiles/distinct20/distinct20.toml");
    let good = fs::read_to_string(profile).expect("the profile");
    let line_of = |part: &str| good[..good.find(part).expect(part)].matches('\n').count() + 1;
    let cases = [
        ("window = \"300s\"", "widow = \"300s\"", "widow", "`window`"),
        ("distinct = \"user\"", "distnct = \"user\"", "distnct", "`distinct`"),
        ("distinct = \"user\"", "distinct = \"usr\"", "usr", "`user`"),
        ("\"unknown_users >= 20\"", "\"unknown_user >= 20\"", "unknown_user", "`unknown_users`"),
        ("severity = \"medium\"", "severity = \"midium\"", "midium", "`medium`"),
        ("key = \"source.ip\"", "key = \"sourceip\"", "sourceip", "`source.ip`"),
    ];
    for (right, wrong, field, suggestion) in cases {
        let folder = tempdir().expect("a folder");
        fs::write(folder.path().join("mine.toml"), good.replace(right, wrong)).expect("a file");
        let path = folder.path().to_str().expect("a path");
        let ran = replay(&["--detectors", path], scan_log().as_bytes());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{wrong}: {}", ran.stderr);
        let place = format!("mine.toml:{}:", line_of(right));
        // The message is wrapped to the terminal's width, so it is read without its line ends.
        let said = ran.stderr.split_whitespace().collect::<String>();
        for part in [&place, field, &format!("Didyoumean{suggestion}")] {
            let part = part.replace(' ', "");
            assert!(said.contains(&part), "{wrong}: no {part} in {}", ran.stderr);
        }
    }
    let empty = tempdir().expect("a folder");
    fs::write(empty.path().join("README.md"), "no detector").expect("a file");
    let ran = replay(&["--detectors", empty.path().to_str().expect("a path")], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("*.toml"), "{}", ran.stderr);
}

#[test]
fn json_output_is_one_ocsf_finding_a_line_and_nothing_else() {
    let events = shop(21);
    let ran = replay(&[], log(&events, Event::json).as_bytes());
    let required = fs::read_to_string(root().join("crates/alert/ocsf-1.6.0-required.txt"));
    let required = required.expect("the committed field list");
    let fields: Vec<&str> = required
        .lines()
        .filter_map(|line| line.strip_prefix("detection_finding ")?.split_once(" required "))
        .map(|(field, _)| field)
        .collect();
    assert!(fields.contains(&"finding_info"), "the list is a list of fields");
    let mut activities: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for finding in ran.findings() {
        for field in &fields {
            assert!(!finding[*field].is_null(), "{field} of {finding}");
        }
        for (field, value) in [("class_uid", 2004), ("category_uid", 2)] {
            assert_eq!(finding[field], value, "{finding}");
        }
        let activity = finding["activity_id"].as_i64().expect("activity_id");
        assert_eq!(finding["type_uid"], 200_400 + activity);
        assert!((1..=5).contains(&finding["severity_id"].as_i64().expect("severity_id")));
        assert_eq!(finding["metadata"]["version"], "1.6.0");
        assert_eq!(finding["metadata"]["product"]["vendor_name"], "Tidewatch");
        for field in ["uid", "title", "desc", "analytic", "attacks"] {
            assert!(!finding["finding_info"][field].is_null(), "{field} of {finding}");
        }
        for field in ["time", "message", "start_time", "end_time", "count", "remediation"] {
            assert!(!finding[field].is_null(), "{field} of {finding}");
        }
        let uid = finding["finding_info"]["uid"].as_str().expect("a uid").to_owned();
        activities.entry(uid).or_default().push(activity);
    }
    assert!(activities.len() > 5, "findings: {}", activities.len());
    for (uid, activities) in &activities {
        assert_eq!(activities[0], 1, "{uid} opens first: {activities:?}");
        assert_eq!(activities.iter().filter(|activity| **activity == 1).count(), 1, "{uid}");
    }
    let count = |id: i64| activities.values().flatten().filter(|activity| **activity == id).count();
    let stats = ran.stats();
    assert_eq!(stats["findings"], count(1));
    assert_eq!(stats["findings_updated"], count(2));
    assert_eq!(stats["findings_closed"], count(3));
}

#[test]
fn whole_addresses_are_in_the_evidence() {
    let addresses = |key: &str| {
        let (mut events, _) = scan("192.0.2.1");
        for (nth, event) in events.iter_mut().enumerate() {
            event.source = match key {
                "v4" => "198.51.100.7".to_owned(),
                "mapped" => "::ffff:198.51.100.7".to_owned(),
                _ => format!("2001:db8:1:2::{:x}", nth % 12 + 1),
            };
        }
        let ran = replay(&DISTINCT20, log(&events, Event::json).as_bytes());
        let finding = ran.findings().remove(0);
        let evidence = finding["evidences"].as_array().expect("evidences").clone();
        let ips: Vec<String> = evidence
            .iter()
            .map(|e| e["src_endpoint"]["ip"].as_str().expect("an address").to_owned())
            .collect();
        (finding["unmapped"]["tidewatch"]["key"].as_str().expect("a key").to_owned(), ips)
    };
    assert_eq!(addresses("v4"), ("198.51.100.7".to_owned(), vec!["198.51.100.7".to_owned()]));
    assert_eq!(addresses("mapped"), ("198.51.100.7".to_owned(), vec!["198.51.100.7".to_owned()]));
    let (key, ips) = addresses("v6");
    assert_eq!(key, "2001:db8:1:2::/64");
    // The 20th event opens it. Each address was seen by then, the last eight most recently.
    let recent: BTreeSet<String> =
        (12..20).map(|nth| format!("2001:db8:1:2::{:x}", nth % 12 + 1)).collect();
    assert_eq!(ips.into_iter().collect::<BTreeSet<_>>(), recent);
}

#[test]
fn statistics_are_the_last_line_on_stderr_and_hold_what_is_promised() {
    let events = shop(22);
    let text = envelopes(&events, 50).join("\n");
    for more in [&[][..], &DISTINCT20, &["--windows", "5m"]] {
        let mut arguments = vec!["replay", "-", "--stats"];
        arguments.extend(more);
        let packed = gzip(text.as_bytes());
        let ran = run(&arguments, &packed);
        let stats = ran.stats();
        assert_eq!(stats["bytes_in"], packed.len());
        assert_eq!(stats["bytes_inflated"], text.len());
        assert_eq!(stats["envelopes"], text.lines().count());
        assert_eq!(stats["lines"], events.len());
        assert_eq!(stats["signals"]["auth_attempt"], events.len());
        for field in ["findings", "late", "keys"] {
            assert!(stats[field].is_u64(), "{field} of {stats}");
        }
        for field in ["quarantined", "overflow", "signals"] {
            assert!(stats[field].is_object(), "{field} of {stats}");
        }
    }
    let ran = run(&["replay", "-"], text.as_bytes());
    assert!(!ran.stderr.contains('{'), "without --stats there are none: {}", ran.stderr);
}

#[test]
fn uids_do_not_depend_on_the_secret_key() {
    let text = log(&shop(23), Event::json);
    let arguments = ["replay", "-", "--output", "json"];
    // Names are tags, so findings about a user have other keys under another secret, and so have accounts.
    let about_sources = |ran: &Ran| -> BTreeSet<String> {
        told(ran).into_iter().filter(|finding| !finding.contains("\"key\":\"user:")).collect()
    };
    let first = run_keyed("one secret", &arguments, text.as_bytes());
    assert!(about_sources(&first).len() > 5);
    let same = run_keyed("one secret", &arguments, text.as_bytes());
    assert_eq!(same.stdout, first.stdout, "the same secret gives the same bytes");
    for other in [
        run_keyed("another secret", &arguments, text.as_bytes()),
        run(&arguments, text.as_bytes()),
        run(&arguments, text.as_bytes()),
    ] {
        assert_eq!(about_sources(&other), about_sources(&first));
    }
}

#[test]
fn detectors_of_a_folder_replace_the_shipped_ones() {
    let text = log(&shop(24), Event::json);
    let detectors = |more: &[&str]| -> BTreeSet<String> {
        let findings = replay(more, text.as_bytes()).findings();
        let uid = |f: &Value| f["finding_info"]["analytic"]["uid"].as_str().map(str::to_owned);
        findings.iter().map(|finding| uid(finding).expect("a detector")).collect()
    };
    assert_eq!(
        detectors(&["--detectors", "tests/profiles/distinct5"]),
        ["distinct5".into()].into()
    );
    let shipped = detectors(&[]);
    assert!(shipped.contains("brute-force") && shipped.contains("credential-scan"), "{shipped:?}");
    assert_eq!(detectors(&["--detectors", "infra/detectors"]), shipped);
}

#[test]
fn help_is_on_stdout_and_holds_examples() {
    for arguments in [&["--help"][..], &["demo", "--help"], &["replay", "--help"], &["watch", "-h"]]
    {
        let ran = run(arguments, b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(ran.stdout.contains("Examples:\n  "), "{arguments:?}: {}", ran.stdout);
        assert!(ran.stdout.contains("tidewatch "), "{arguments:?}");
    }
    let help = run(&["--help"], b"").stdout;
    assert!(help.contains("Exit codes"), "{help}");
    assert!(run(&["--version"], b"").stdout.starts_with("tidewatch "));
}

#[test]
fn several_inputs_are_read_in_order_of_time_whatever_their_order() {
    let folder = tempdir().expect("a folder");
    let events = shop(25);
    let truth = crossings(&events, PROFILE_SPAN_MS, 20);
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let all = write("all", log(&events, Event::json).as_bytes());
    let third =
        |nth: usize| -> Vec<Event> { events.iter().skip(nth).step_by(3).cloned().collect() };
    let half = events.len() / 2;
    let splits = [
        // By turns, in three containers: as three hosts would write them.
        vec![
            write("a", log(&third(0), Event::json).as_bytes()),
            write("b.gz", &gzip(log(&third(1), Event::sshd).as_bytes())),
            write("c", envelopes(&third(2), 10).join("\n").as_bytes()),
        ],
        // One after the other: as logrotate leaves them.
        vec![
            write("auth.log", log(&events[half..], Event::json).as_bytes()),
            write("auth.log.1.gz", &gzip(log(&events[..half], Event::json).as_bytes())),
        ],
    ];
    let run = |files: &[&String]| {
        let mut arguments = vec!["replay", "--output", "json"];
        arguments.extend(DISTINCT20);
        arguments.extend(files.iter().map(|file| file.as_str()));
        run(&arguments, b"")
    };
    let whole = run(&[&all]);
    assert_eq!(whole.openings(), truth);
    for files in &splits {
        let forth: Vec<&String> = files.iter().collect();
        let back: Vec<&String> = files.iter().rev().collect();
        for files in [forth, back] {
            assert_eq!(told(&run(&files)), told(&whole), "{files:?}");
        }
    }
}

#[test]
fn usernames_are_folded_unless_told_otherwise() {
    let spellings = [
        "root",
        "Root",
        "ROOT",
        " root",
        "root ",
        "ｒｏｏｔ",
        "straße",
        "STRASSE",
        "\u{c5}",
        "A\u{30a}",
    ];
    let (mut events, _) = scan("203.0.113.9");
    for (nth, event) in events.iter_mut().enumerate() {
        event.user = spellings[nth % spellings.len()].to_owned();
    }
    let text = log(&events, Event::json);
    let users = |more: &[&str]| {
        let mut arguments = vec!["replay", "-", "--windows", "1h"];
        arguments.extend(more);
        let csv = run(&arguments, text.as_bytes()).stdout;
        let row = csv.lines().nth(1).expect("a row").to_owned();
        row.split(',').nth(4).expect("distinct_users").to_owned()
    };
    assert_eq!(users(&[]), "10", "--windows counts exact names");
    assert_eq!(users(&["--usernames", "exact"]), "10");
    assert_eq!(users(&["--usernames", "fold"]), "3");
    let five = ["--detectors", "tests/profiles/distinct5"];
    assert!(replay(&five, text.as_bytes()).openings().is_empty(), "detectors fold");
    let exact = [&five[..], &["--usernames", "exact"]].concat();
    assert_eq!(replay(&exact, text.as_bytes()).openings().len(), 1);
}

#[test]
fn year_zone_and_latest_time_are_as_told() {
    let starts = |more: &[&str], text: &str| -> Vec<String> {
        let mut arguments = vec!["replay", "-", "--windows", "1h", "--stats"];
        arguments.extend(more);
        let ran = run(&arguments, text.as_bytes());
        let rows = ran.stdout.lines().skip(1);
        rows.map(|row| row.split(',').next().unwrap_or(row).to_owned()).collect()
    };
    let line = |time: &str| {
        format!("{time} web-1 sshd[1]: Failed password for root from 203.0.113.9 port 22 ssh2\n")
    };
    let new_year = line("Dec 31 23:59:58") + &line("Jan  1 00:00:01") + &line("Dec 31 22:10:00");
    let expected = ["2016-12-31T22:00:00Z", "2016-12-31T23:00:00Z", "2017-01-01T00:00:00Z"];
    assert_eq!(starts(&["--year", "2016"], &new_year), expected);
    let summer = line("Jul  1 12:30:00") + &line("Jan  1 12:30:00");
    assert_eq!(
        starts(&["--year", "2024", "--tz", "Europe/Berlin"], &summer),
        ["2024-01-01T11:00:00Z", "2024-07-01T10:00:00Z"]
    );
    // What names its zone does not ask.
    let zoned = line("2024-07-01T12:30:00+02:00") + &line("2024-07-01T12:30:00Z");
    assert_eq!(
        starts(&["--year", "2020", "--tz", "Asia/Tokyo"], &zoned),
        ["2024-07-01T10:00:00Z", "2024-07-01T12:00:00Z"]
    );
    let late = ["--not-after", "2024-07-01T11:00:00Z"];
    assert_eq!(starts(&late, &zoned), ["2024-07-01T10:00:00Z"]);
    let ran = replay(&late, zoned.as_bytes());
    assert_eq!((ran.code, ran.quarantined("time_in_future")), (0, 1));
    // Without a year it is the latest that is not in the future.
    let default = starts(&[], &line("Jan  1 00:00:01"));
    let year: i16 = default[0][..4].parse().expect("a year");
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    assert!((now - 1..=now).contains(&year), "{default:?} in {now}");
}

#[test]
fn hidden_names_count_as_failures_and_never_as_names() {
    let (mut events, _) = scan("203.0.113.9");
    for event in &mut events {
        event.user = "HIDDEN_DUE_TO_SECURITY_REASONS".to_owned();
        event.said = Said::UnknownUser;
    }
    let csv = run(&["replay", "-", "--windows", "1h"], log(&events, Event::json).as_bytes()).stdout;
    assert_eq!(csv.lines().nth(1), Some("2024-05-14T06:00:00Z,203.0.113.9,25,0,0,0"));
}

#[test]
fn no_username_leaves_the_program() {
    let (mut events, _) = scan("203.0.113.9");
    events.iter_mut().for_each(|event| event.user.insert_str(0, "hunter"));
    let good = log(&events, Event::json);
    let input =
        good.clone() + &good.replace("\"event\":", "\"event\"") + &good.replace("2024", "1924");
    for output in ["json", "text"] {
        let ran = run(&["replay", "-", "--stats", "--output", output], input.as_bytes());
        assert!(ran.stdout.contains("203.0.113.9"), "{}", ran.stdout);
        assert_eq!((ran.quarantined("json"), ran.quarantined("time_too_early")), (25, 25));
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains("hunter"), "{text}");
        }
    }
}

/// A key that is no single source names the sources behind it: up to 32, and how many there were.
#[test]
fn a_finding_about_everybody_names_the_top_sources_and_their_number() {
    let folder = tempdir().expect("a folder");
    let profile = root().join("tests/profiles/distinct20/distinct20.toml");
    let profile = fs::read_to_string(profile).expect("the profile");
    let everybody = profile.replace("\"source.ip\"", "\"global\"").replace(">= 20", ">= 60");
    fs::write(folder.path().join("everybody.toml"), everybody).expect("a file");
    // Sixty names from forty sources; the first twenty try twice.
    let events: Vec<Event> = (0..60)
        .map(|nth| Event {
            ms: START_MS + nth * 1_000,
            source: format!("198.51.100.{}", nth % 40 + 1),
            user: format!("nobody{nth}"),
            said: Said::UnknownUser,
        })
        .collect();
    let detectors = folder.path().to_str().expect("a path");
    let ran = replay(&["--detectors", detectors], log(&events, Event::json).as_bytes());
    let [finding] = &ran.findings()[..] else { panic!("{}", ran.stdout) };
    let evidence = finding["evidences"].as_array().expect("evidences");
    let named: BTreeSet<&str> =
        evidence.iter().filter_map(|e| e["src_endpoint"]["ip"].as_str()).collect();
    assert_eq!(named.len(), 32);
    assert_eq!(finding["unmapped"]["tidewatch"]["sources_total"], 40);
    for busy in 1..=20 {
        assert!(named.contains(&*format!("198.51.100.{busy}")), "{busy} tried twice: {named:?}");
    }
}
