//! Pipes: findings while the input is still open, Ctrl-C, and readers who go away early.

use std::process::{Command, Stdio};

use serde_json::Value;
use tidewatch_tests::binary::{path, root, run};
use tidewatch_tests::containers::{gzip, tail_detailed};
use tidewatch_tests::events::{Event, log, scan, shop};
use tidewatch_tests::live::{Live, start};

const WATCH: [&str; 6] =
    ["watch", "-", "--output", "json", "--detectors", "tests/profiles/distinct20"];

fn watch(more: &[&str]) -> Live {
    start(&[&WATCH[..], more].concat())
}

fn opened(line: &str) -> (i64, String) {
    let finding: Value = serde_json::from_str(line).expect("a finding");
    let ip = finding["evidences"][0]["src_endpoint"]["ip"].as_str().expect("an address");
    (finding["finding_info"]["created_time"].as_i64().expect("a time"), ip.to_owned())
}

#[test]
fn a_finding_appears_as_soon_as_the_line_that_decides_it_arrives() {
    let (events, opens) = scan("203.0.113.9");
    for write in [Event::json, Event::sshd, tail_detailed] {
        let mut live = watch(&[]);
        // The 20th name decides; each line is its own write, and nothing follows.
        for event in &events[..20] {
            live.send((write(event) + "\n").as_bytes());
        }
        assert_eq!(opened(&live.next_line()), (opens, "203.0.113.9".to_owned()));
        // A line may arrive in pieces.
        let (second, opens) = scan("198.51.100.7");
        for event in &second[..20] {
            let line = write(event) + "\n";
            let (head, tail) = line.as_bytes().split_at(line.len() / 2);
            live.send(head);
            live.send(tail);
        }
        assert_eq!(opened(&live.next_line()), (opens, "198.51.100.7".to_owned()));
        let ran = live.finish();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("findings: 2 opened"), "{}", ran.stderr);
    }
}

/// Text findings are not held back in a buffer either.
#[test]
fn text_findings_appear_at_once_too() {
    let mut live = start(&["watch", "--detectors", "tests/profiles/distinct20"]);
    live.send(log(&scan("203.0.113.9").0[..20], Event::json).as_bytes());
    let mut said = live.next_line();
    while !said.contains("203.0.113.9") {
        said += &live.next_line();
    }
    assert_eq!(live.finish().code, 0);
}

#[test]
fn gzip_streams_too() {
    let mut live = watch(&[]);
    // Whole members, each its own write; a member is decoded when it is there.
    for event in &scan("203.0.113.9").0[..20] {
        live.send(&gzip((event.json() + "\n").as_bytes()));
    }
    assert_eq!(opened(&live.next_line()).1, "203.0.113.9");
    assert_eq!(live.finish().code, 0);
}

/// A live run's clock goes on from the newest event, however old the log.
#[test]
fn an_episode_closes_although_no_further_line_comes() {
    let profile = root().join("tests/profiles/distinct20/distinct20.toml");
    let detector = std::fs::read_to_string(profile).expect("the profile");
    let folder = tempfile::tempdir().expect("a folder");
    let brief = detector.replace("window = \"300s\"", "window = \"300s\"\nquiet = \"1s\"");
    std::fs::write(folder.path().join("brief.toml"), brief).expect("a file");
    let folder = folder.path().to_str().expect("a plain path");
    let mut live = start(&["watch", "--output", "json", "--detectors", folder]);
    live.send(log(&scan("203.0.113.9").0[..20], Event::json).as_bytes());
    let activity = |line: &str| -> Value {
        let finding: Value = serde_json::from_str(line).expect("a finding");
        finding["activity_id"].clone()
    };
    assert_eq!(activity(&live.next_line()), 1);
    assert_eq!(activity(&live.next_line()), 3);
    let ran = live.finish();
    assert!(ran.stderr.contains("1 opened, 1 closed, 0 still open"), "{}", ran.stderr);
}

/// The summary of a live run may be days away.
#[test]
fn trouble_is_told_when_it_first_occurs() {
    let mut live = watch(&[]);
    live.send(b"{\"event\":\"login_failed\",\"user\":\"cut\n");
    let (mut events, _) = scan("203.0.113.9");
    events[0].ms = 1_000;
    live.send(log(&events[..1], Event::json).as_bytes());
    live.send(log(&scan("198.51.100.7").0[..20], Event::json).as_bytes());
    live.next_line();
    live.interrupt();
    let ran = live.wait();
    let place = |part: &str| ran.stderr.find(part).unwrap_or_else(|| panic!("{}", ran.stderr));
    let summary = place("read 22 lines");
    assert!(place("not counted: json (broken JSON), first at -: byte 0") < summary);
    assert!(place("not counted: time_too_early") < summary);
}

#[test]
fn ctrl_c_prints_the_summary_and_exits_0() {
    let mut live = watch(&["--stats"]);
    live.send(log(&scan("203.0.113.9").0, Event::json).as_bytes());
    live.next_line();
    live.interrupt();
    let ran = live.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("findings: 1 opened"), "{}", ran.stderr);
    assert_eq!(ran.stats()["findings"], 1);
}

/// `aws logs tail --follow` may print nothing for hours.
#[test]
fn ctrl_c_on_a_pipe_that_never_said_anything_prints_the_summary_and_exits_0() {
    for first in [&b""[..], b"{", b"\x1f"] {
        let mut live = watch(&["--stats"]);
        live.send(first);
        live.wait_until_it_catches_interrupts();
        live.interrupt();
        let ran = live.wait();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stats()["findings"], 0);
    }
}

#[test]
fn ctrl_c_during_a_replay_prints_the_summary_and_exits_0() {
    let mut live =
        start(&["replay", "-", "--output", "json", "--detectors", "tests/profiles/distinct20"]);
    live.send(log(&scan("203.0.113.9").0, Event::json).as_bytes());
    live.next_line();
    live.interrupt();
    let ran = live.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("findings: 1 opened"), "{}", ran.stderr);
}

/// Runs `tidewatch ARGUMENTS < FILE`, with `pipe` behind it, in a shell that reports its exit code.
fn piped(arguments: &str, file: &std::path::Path, pipe: &str) -> (String, String) {
    let code = tempfile::NamedTempFile::new().expect("a file");
    let script = format!(
        "{{ '{}' {arguments} < '{}'; echo $? > '{}'; }} {pipe}",
        path().display(),
        file.display(),
        code.path().display()
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let code = std::fs::read_to_string(code.path()).expect("the exit code");
    (code.trim().to_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_reader_who_goes_away_is_exit_code_0() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // More findings than a pipe holds, so that the closed end is noticed.
    let events: Vec<Event> = (0..200).flat_map(|nth| scan(&format!("198.51.{nth}.9")).0).collect();
    std::fs::write(file.path(), log(&events, Event::json)).expect("a file");
    let pipes = ["| true", "| head -n 1 > /dev/null", "2>&1 | true", "2>&1 | head -c 10"];
    for (arguments, pipes) in [
        ("replay -", &pipes[..]),
        ("replay - --output json --stats", &pipes),
        ("replay - --windows 1s", &pipes),
        ("watch - --output json", &pipes),
        ("--help", &pipes),
        ("demo", &pipes[..1]),
        ("demo --output json", &pipes[2..3]),
    ] {
        for pipe in pipes {
            let (code, stderr) = piped(arguments, file.path(), pipe);
            assert_eq!(code, "0", "tidewatch {arguments} {pipe}: {stderr}");
            assert!(!stderr.contains("panicked"), "tidewatch {arguments} {pipe}: {stderr}");
        }
    }
    // A usage error stays one, even if nobody hears of it.
    assert_eq!(piped("replay - --tz Mars", file.path(), "2>&1 | true").0, "2");
}

#[test]
fn closed_streams_do_not_matter() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log(&scan("203.0.113.9").0, Event::json)).expect("a file");
    for closed in ["2>&-", "2>/dev/null", ">/dev/null"] {
        assert_eq!(piped("replay - --stats", file.path(), closed).0, "0", "{closed}");
    }
}

/// A disk that is full is a fault of the host, not a reader who has seen enough.
#[test]
fn output_that_fails_is_exit_code_1() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log(&scan("203.0.113.9").0, Event::json)).expect("a file");
    let detectors = "--detectors tests/profiles/distinct20";
    for arguments in [format!("replay - {detectors}"), "replay - --windows 5m".to_owned()] {
        let (code, stderr) = piped(&arguments, file.path(), ">/dev/full");
        assert_eq!(code, "1", "{arguments}: {stderr}");
        assert!(stderr.contains("standard output"), "{arguments}: {stderr}");
    }
}

/// What arrives in pieces of any size says the same as what arrives at once.
#[test]
fn a_pipe_and_a_file_say_the_same() {
    let text = log(&shop(31), Event::json);
    let at_once = run(&WATCH, text.as_bytes());
    let mut live = watch(&[]);
    for piece in text.as_bytes().chunks(977) {
        live.send(piece);
    }
    let in_pieces = live.finish();
    assert_eq!(in_pieces.openings(), at_once.openings());
    let replayed = run(&[&["replay"], &WATCH[1..]].concat(), text.as_bytes());
    assert_eq!(replayed.openings(), at_once.openings());
}
