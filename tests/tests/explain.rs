//! `tidewatch explain` as the real binary, over lines, files and standard input.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run, run_keyed};

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
