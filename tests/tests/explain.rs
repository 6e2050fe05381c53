//! `tidewatch explain` as the real binary, over lines, files and standard input.

use std::fs;
use std::io::Write as _;
use std::path::Path;

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
