//! `tidewatch explain` as the real binary, over lines, files and standard input.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use expect_test::expect;
use serde_json::Value;
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run, run_into, run_keyed};
use tidewatch_tests::live;

const FORMAT: &str = r#"
id = "gate"
needles = ["entry refused"]
[[line]]
text = 'entry refused for (?<user>\S+) at (?<source>\S+)'
outcome = "failure"
user_known = false
"#;

const DETECTOR: &str = r#"
id = "gate-user"
title = "x"
signal = "auth"
key = "user"
window = "10m"
[measure]
failures = { count = "attempts", where = { outcome = "failure" } }
[[raise]]
severity = "low"
when = ["failures >= 3"]
"#;

/// A folder with a format, a detector that counts by user, and a log.
fn folder(log: &str) -> tempfile::TempDir {
    let folder = tempdir().expect("a folder");
    for (name, text) in [("gate.toml", FORMAT), ("user.toml", DETECTOR), ("app.log", log)] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", ran.stdout, ran.stderr))
}

/// Five tries of one user, a second apart.
fn log() -> String {
    let line = |n: u32| format!("2024-05-14T07:00:0{n}Z entry refused for ann at 192.0.2.1\n");
    (0..5).map(line).collect()
}

/// The first `user:` tag in `text`.
fn tag(text: &str) -> String {
    let at = text.find("user:").unwrap_or_else(|| panic!("no tag in {text}"));
    text[at..at + "user:".len() + 16].to_owned()
}

#[test]
fn a_name_has_the_tag_of_its_finding_and_another_in_the_next_run() {
    let rules = folder(&log());
    let path = rules.path().join("app.log");
    let arguments = ["explain", "--output", "json", "--with", shown(rules.path()), shown(&path)];
    let tags = |ran: Ran| {
        let document = json(&ran);
        let all = document["detectors"].as_array().expect("detectors");
        let own = all.iter().find(|of| of["detector"] == "gate-user").expect("ours");
        let says = tag(document["lines"][0]["says"].as_str().expect("text"));
        assert_eq!(own["keys"][0]["key"], says.as_str());
        says
    };
    let [one, other] = [(), ()].map(|()| tags(run(&arguments, b"")));
    assert_ne!(one, other, "a random key each run");
    let [one, other] = [(), ()].map(|()| tags(run_keyed("a secret", &arguments, b"")));
    assert_eq!(one, other);
}

#[test]
fn standard_input_and_pipes_are_shown_like_files() {
    let rules = folder(&log());
    let path = rules.path().join("app.log");
    let explain = |subject: &str, input: &[u8]| {
        let ran = run(&["explain", "--with", shown(rules.path()), subject], input);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("of 5 lines are read by a format: gate 5\n"), "{}", ran.stdout);
        assert!(ran.stdout.contains(&format!("at        {subject}:1\n")), "{}", ran.stdout);
    };
    explain(shown(&path), b"");
    explain("-", log().as_bytes());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(log().as_bytes()).expect("packed");
    let packed = packed.finish().expect("packed");
    explain("-", &packed);
    fs::write(&path, &packed).expect("a log");
    explain(shown(&path), b"");
    explain("/dev/stdin", log().as_bytes());
}

#[test]
fn a_line_without_a_time_is_said_not_to_be_counted() {
    let rules = folder(
        "entry refused for ann at 192.0.2.1\n\
         2024-05-14T07:00:00Z entry refused for ann at 192.0.2.1\n\
         2094-05-14T07:00:00Z entry refused for ann at 192.0.2.1\n\
         2024-05-14T07:00:01Z 2024/05/14/[$LATEST]ab [INFO] entry refused for ann at 192.0.2.1\n",
    );
    let path = rules.path().join("app.log");
    let fixed = ["explain", "--lines", "4", "--with", shown(rules.path()), shown(&path)];
    let ran = run(&fixed, b"");
    let says = |what: &str| assert!(ran.stdout.contains(what), "{what} in {}", ran.stdout);
    says("from 192.0.2.1; it has no time of its own, so it is not counted\n");
    says("from 192.0.2.1; at 2024-05-14T07:00:00Z\nadds to   ");
    says("its time, 2094-05-14T07:00:00Z, is outside what is believed, so it is not counted\n");
    says("from 192.0.2.1; at 2024-05-14T07:00:01Z\n");
    says("gate 4 (of which 1 have no time and are not counted)\n");
    let document = json(&run(&[&["explain", "--output", "json"], &fixed[1..]].concat(), b""));
    assert_eq!(document["read_by"]["gate"], 4);
    assert_eq!(document["without_time"]["gate"], 1);
    assert_eq!(document["partial"], false);
}

#[test]
fn what_looks_like_a_path_and_names_no_file_is_an_error() {
    for missing in ["auht.log", "no/such", "app.log.gz", "events.json", "a.txt"] {
        let ran = run(&["explain", missing], b"");
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        assert!(ran.stderr.contains(&format!("there is no file `{missing}`")), "{}", ran.stderr);
    }
    for line in ["{\"path\":\"/x\"}", "status=401", "GET /x.json"] {
        assert_eq!(run(&["explain", line], b"").code, 0, "{line}");
    }
}

#[test]
fn an_interrupt_ends_it_with_the_part_until_then() {
    let rules = folder("");
    let live = live::start(&["explain", "--with", shown(rules.path()), "-"]);
    live.wait_until_it_catches_interrupts();
    live.interrupt();
    let ran = live.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("interrupted; this is the part until then"), "{}", ran.stderr);
    assert!(ran.stdout.contains("interrupted, so this is only a part:\n"), "{}", ran.stdout);
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_closed_pipe_is_none() {
    let rules = folder(&log());
    let (rules, log) = (shown(rules.path()), rules.path().join("app.log"));
    let commands: [&[&str]; 5] = [
        &["explain", "a line"],
        &["explain", "--with", rules, shown(&log)],
        &["test", rules],
        &["check", rules],
        &["backtest", "--with", rules, shown(&log)],
    ];
    for arguments in commands {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let ran = run_into(arguments, full.into());
        assert_eq!(ran.code, 1, "{arguments:?} {}", ran.stderr);
        assert!(ran.stderr.contains("standard output: "), "{arguments:?} {}", ran.stderr);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = run_into(arguments, writer.into());
        assert_eq!(ran.code, 0, "{arguments:?} {}", ran.stderr);
    }
}

/// A cent each five minutes for two days, then fifteen for half an hour.
fn spike() -> String {
    let report = "REPORT RequestId: 5f0c1a2b-3d4e-4f60-8182-93a4b5c6d7e8\tDuration: 60000.00 ms\t\
                  Billed Duration: 60000 ms\tMemory Size: 10240 MB\tMax Memory Used: 900 MB\n";
    let mut log = String::new();
    for pane in 0..594i64 {
        let times = if (576..582).contains(&pane) { 15 } else { 1 };
        let events: Vec<Value> = (0..times)
            .map(|n| {
                let at = 1_767_603_600_000i64 + pane * 300_000;
                serde_json::json!({"id": format!("{pane}-{n}"), "timestamp": at, "message": report})
            })
            .collect();
        let envelope = serde_json::json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/load-test-1",
            "logStream": "2026/01/05/[7]5f0c1a2b3d4e5f60718293a4b5c6d7e8",
            "subscriptionFilters": ["all"], "logEvents": events,
        });
        log += &format!("{envelope}\n");
    }
    log
}

#[test]
fn why_a_function_was_raised_is_told_step_by_step() {
    let folder = tempdir().expect("a folder");
    let log = folder.path().join("spike.json");
    fs::write(&log, spike()).expect("a log");
    let log = shown(&log);
    let found = run(&["replay", "--output", "json", log], b"").findings();
    let uid = found[0]["finding_info"]["uid"].as_str().expect("a uid");
    let ran = run(&["explain", "--finding", uid, log], b"");
    expect![[r#"
        2026-01-07T09:00:00Z cost-spike load-test-1: OPEN high, finding UID
            number                       $1.8 an hour
            usual                        $0.12 an hour; the middle one of 12 panes at this hour of the days before
            novel                   no   4.34 against 4.5; by number: 0 of 476 panes were as far from all before them
            novel and matters       yes  $1.8 an hour against $0.3 an hour
            excessive               yes  $1.8 an hour against $0.36 an hour
            above usual             yes  $1.68 an hour against $0.1 an hour
    "#]].assert_eq(&ran.stdout.replace(uid, "UID"));
    let document = json(&run(&["explain", "--output", "json", "--finding", uid, log], b""));
    let steps = document["messages"][0]["steps"].as_array().expect("steps");
    let excessive = steps.iter().find(|step| step["step"] == "excessive").expect("it is");
    assert_eq!(
        (excessive["holds"].as_bool(), excessive["unit"].as_str()),
        (Some(true), Some("dollars an hour"))
    );
    // The pane before is quiet, and says why.
    let at = "2026-01-07T08:58:00Z";
    let ran = run(&["explain", "--function", "load-test-1", "--at", at, log], b"");
    assert!(
        ran.stdout.contains("2026-01-07T08:55:00Z cost-spike load-test-1: quiet\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("    excessive               no "), "{}", ran.stdout);
    let ran = run(&["explain", "--lines", "0", log], b"");
    assert!(
        ran.stdout.contains(&format!("load-test-1: OPEN high, finding {uid}; nearest at")),
        "{}",
        ran.stdout
    );
    let ran = run(&["explain", "--function", "nobody", "--at", at, log], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("nothing was made of `nobody` at that time"), "{}", ran.stderr);
    let ran = run(&["explain", "--function", "f", "--at", "then", log], b"");
    assert_eq!(ran.code, 2);
}

#[test]
fn an_allowed_function_is_held_back_counted_and_explained() {
    let folder = tempdir().expect("a folder");
    let log = folder.path().join("spike.json");
    fs::write(&log, spike()).expect("a log");
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).expect("a folder");
    let entry = "[[allow]]\nfunction = 'load-test-*'\ndetectors = 'cost-spike'\nreason = 'ticket 12'\nuntil = 'never'\n";
    fs::write(rules.join("allow.toml"), entry).expect("an allow file");
    let with = ["--with", shown(&rules), shown(&log)];
    let ran = run(&[&["replay", "--stats"][..], &with].concat(), b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let stats = ran.stats();
    assert_eq!(stats["suppressed"], 1, "{stats}");
    assert_eq!(stats["suppressed_by"][0]["findings"], 1, "{stats}");
    let ran = run(&[&["explain", "--lines", "0"][..], &with].concat(), b"");
    assert!(ran.stdout.contains("load-test-1: high, held back for good by"), "{}", ran.stdout);
    assert!(ran.stdout.contains("(ticket 12)"), "{}", ran.stdout);
}
