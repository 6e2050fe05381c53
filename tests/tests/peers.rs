//! A large generated log with exact truth, where TIDEWATCH_PEERS names its generator: every source that
//! crosses, no other, exactly.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::events::{Event, PROFILE_SPAN_MS, Said, crossings};
use tidewatch_tests::labelled::peers;

const LINES: &str = "120000";
const YEAR: &str = "2026";

fn python(script: &Path, arguments: &[&str]) {
    let status = Command::new("python3").arg(script).args(arguments).status();
    assert!(status.expect("python3").success(), "{} {arguments:?}", script.display());
}

/// The generated log of `seed` in a folder of its own.
fn mixed(peers: &Path, seed: &str) -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let out = path.to_str().expect("a path");
    // Fewer sources and less time than by default, for as many crossings on fewer lines.
    let size = ["--lines", LINES, "--ips", "5000", "--hours", "1"];
    python(&peers.join("gen_auth.py"), &[&["mixed", out, "--seed", seed], &size[..]].concat());
    (folder, path)
}

fn truth(folder: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join("mixed.truth.json")).expect("the truth");
    let truth: Value = serde_json::from_str(&text).expect("JSON");
    let crossed = truth["first_cross"].as_object().expect("first_cross");
    crossed.keys().cloned().collect()
}

fn replay(file: &Path) -> Ran {
    let file = file.to_str().expect("a path");
    // The generator's days may still be to come.
    let arguments = ["replay", file, "--output", "json", "--stats", "--year", YEAR];
    let more = ["--not-after", "2027-01-01T00:00:00Z", "--detectors", "tests/profiles/distinct20"];
    let ran = run(&[&arguments[..], &more].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stats()["signals"]["auth_attempt"].to_string(), LINES);
    ran
}

#[test]
fn packed_logs_find_every_crossing_source_and_no_other() {
    let Some(peers) = peers() else { return };
    for seed in ["101", "102"] {
        let (_folder, path) = mixed(&peers, seed);
        let [plain, packed] = ["mixed.jsonl", "packed.json"].map(|name| path.join(name));
        let names = [&plain, &packed].map(|path| path.to_str().expect("a path"));
        python(&peers.join("pack_cw.py"), &names);
        let truth = truth(&path);
        assert!(truth.len() >= 5, "seed {seed}: {} sources cross", truth.len());
        let found: BTreeSet<String> = replay(&packed).openings().into_keys().collect();
        assert_eq!(found, truth, "seed {seed}, packed");
        if seed == "101" {
            let found: BTreeSet<String> = replay(&plain).openings().into_keys().collect();
            assert_eq!(found, truth, "seed {seed}, plain");
        }
    }
}

/// sshd's times are whole seconds, so the oracle reads the same lines, split at spaces.
#[test]
fn sshd_lines_find_what_an_oracle_reads_from_them() {
    let Some(peers) = peers() else { return };
    let (_folder, path) = mixed(&peers, "103");
    let log = path.join("mixed.ssh.log");
    let events: Vec<Event> =
        fs::read_to_string(&log).expect("the log").lines().filter_map(unknown_user).collect();
    let truth = crossings(&events, PROFILE_SPAN_MS, 20);
    assert!(truth.len() >= 5, "{} sources cross", truth.len());
    assert_eq!(replay(&log).openings(), truth);
}

/// `Mon DD HH:MM:SS host sshd[pid]: Failed password for invalid user NAME from IP port N ssh2`.
fn unknown_user(line: &str) -> Option<Event> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["Failed", "password", "for", "invalid", "user", user, "from", source, ..] = words[5..]
    else {
        return None;
    };
    let time = [&[YEAR], &words[..3]].concat().join(" ");
    let time: DateTime = strtime::parse("%Y %b %d %H:%M:%S", time).ok()?.to_datetime().ok()?;
    let ms = time.in_tz("UTC").ok()?.timestamp().as_millisecond();
    Some(Event { ms, source: source.to_owned(), user: user.to_owned(), said: Said::UnknownUser })
}
