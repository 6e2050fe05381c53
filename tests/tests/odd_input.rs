//! Input that is unusual rather than wrong, and clocks that are wrong rather than broken.

use std::fs;
use std::process::Command;

use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::containers::gzip;
use tidewatch_tests::events::{Event, Said, log, scan};

fn replay(arguments: &[&str], input: &[u8]) -> Ran {
    let fixed =
        ["replay", "--stats", "--output", "json", "--detectors", "tests/profiles/distinct20"];
    run(&[&fixed[..], arguments].concat(), input)
}

fn attempts(ran: &Ran) -> u64 {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stats()["signals"]["auth_attempt"].as_u64().expect("a count")
}

/// What editors, terminals and Windows leave around a line does not hide what is in it.
#[test]
fn line_ends_marks_and_margins() {
    let events = scan("203.0.113.9").0;
    let text = log(&events, Event::json);
    let cases = [
        ("as it is", text.clone()),
        ("no end on the last line", text.trim_end().to_owned()),
        ("CRLF", text.replace('\n', "\r\n")),
        ("empty lines between", text.replace('\n', "\n\n\r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("margins", text.replace("}\n", "} \t\n").replace("{\"time", "  {\"time")),
    ];
    for (what, text) in &cases {
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let ran = replay(&["-"], &bytes);
            assert_eq!(attempts(&ran), events.len() as u64, "{what}: {}", ran.stderr);
            assert_eq!(ran.raised_sources(), ["203.0.113.9"], "{what}");
        }
    }
}

/// What is no login is counted as what it is, and raises no detector of logins.
#[test]
fn resets_and_sign_ups_are_no_logins() {
    let line = |event: &str, n: usize| {
        let time = format!("2026-11-10T06:{:02}:{:02}Z", n / 60, n % 60);
        format!(
            r#"{{"timestamp":"{time}","event":"{event}","reason":"unknown_user","user":"u{n}","src_ip":"203.0.113.9"}}"#
        )
    };
    let lines = |event: &str, times: usize| -> String {
        (0..times).map(|n| line(event, n) + "\n").collect()
    };
    let text = lines("password_reset_failed", 60) + &lines("signup_failed", 50);
    let ran = replay(&["-"], text.as_bytes());
    assert_eq!(attempts(&ran), 0);
    let signals = &ran.stats()["signals"];
    assert_eq!((&signals["reset"], &signals["sign_up"]), (&60.into(), &50.into()), "{signals}");
    assert_eq!(ran.raised_sources(), [""; 0]);
    assert!(!ran.stderr.contains("no login was recognised"), "{}", ran.stderr);
    let ran = replay(&["-"], lines("login_failed", 60).as_bytes());
    assert_eq!((attempts(&ran), &ran.raised_sources()[..]), (60, &["203.0.113.9".to_owned()][..]));
}

/// Text that is not in a form we read is not an error, but nobody should take the silence for peace.
#[test]
fn a_log_without_a_recognised_login_is_pointed_out() {
    let text = log(&scan("203.0.113.9").0, Event::json);
    let pretty = text.replace(',', ",\n  ");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [pretty.as_bytes(), &utf16, b"nothing to see here\n"] {
        let ran = replay(&["-"], bytes);
        assert_eq!(attempts(&ran), 0);
        assert!(ran.stderr.contains("no login was recognised"), "{}", ran.stderr);
    }
    let ran = replay(&["-"], text.as_bytes());
    assert!(!ran.stderr.contains("no login was recognised"), "{}", ran.stderr);
    assert!(!replay(&["-"], b"").stderr.contains("no login"), "an empty input says nothing");
}

#[test]
fn a_named_pipe_is_an_input() {
    let folder = tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let path = pipe.to_str().expect("a path").to_owned();
    let (events, opens) = scan("203.0.113.9");
    for command in ["watch", "replay"] {
        let (pipe, text) = (pipe.clone(), log(&events, Event::json));
        let writer = std::thread::spawn(move || fs::write(pipe, text));
        let arguments = [command, &path, "--output", "json"];
        let ran =
            run(&[&arguments[..], &["--detectors", "tests/profiles/distinct20"]].concat(), b"");
        writer.join().expect("the writer").expect("the pipe takes it");
        assert_eq!(ran.openings().into_values().collect::<Vec<_>>(), [opens], "{command}");
    }
}

/// A clock that runs backwards: what still falls inside kept time counts, in whatever order.
#[test]
fn a_clock_running_backwards_is_no_error() {
    let mut events = scan("203.0.113.9").0;
    events.reverse();
    let ran = replay(&["-"], log(&events, Event::json).as_bytes());
    assert_eq!(attempts(&ran), 25);
    assert_eq!(ran.stats()["late"], 0);
    assert_eq!(ran.raised_sources(), ["203.0.113.9"]);
    // By two days it is late, and only that: its neighbours and other sources are not.
    let mut events = scan("203.0.113.9").0;
    let old = Event { ms: events[0].ms - 2 * 86_400_000, ..events[0].clone() };
    let other = Event { source: "198.51.100.7".to_owned(), ..old.clone() };
    events.insert(10, old);
    events.insert(10, other);
    let ran = replay(&["-"], log(&events, Event::json).as_bytes());
    assert_eq!(attempts(&ran), 27);
    assert_eq!(ran.stats()["late"], 1);
    assert_eq!(ran.raised_sources(), ["203.0.113.9"]);
    assert!(ran.stderr.contains("too late"), "{}", ran.stderr);
}

/// Out-of-order events within the window find the same set as ordered ones.
#[test]
fn shuffled_lines_find_the_same_sources() {
    for source in ["203.0.113.9", "2001:db8:1:2::3"] {
        let (events, _) = scan(source);
        for step in [2, 3, 7, 11] {
            // 25 is coprime to each of them, so this visits every event once.
            let shuffled: Vec<Event> = (0..25).map(|nth| events[nth * step % 25].clone()).collect();
            let ran = replay(&["-"], log(&shuffled, Event::sshd).as_bytes());
            assert_eq!(ran.openings().len(), 1, "every {step}th of {source}: {}", ran.stderr);
        }
    }
}

/// Whatever a client types as its name, its line says who it is.
#[test]
fn names_that_look_like_log_lines_do_not_change_the_source() {
    let names = [
        "root from 192.0.2.1 port 22 ssh2",
        "x from 192.0.2.1",
        "invalid user y from 192.0.2.1 port 1 ssh2",
        "\",\"src_ip\":\"192.0.2.1\",\"x\":\"",
        "a\tb",
        "{\"src_ip\":\"192.0.2.1\"}",
        "Accepted password for root from 192.0.2.1 port 22 ssh2",
        "",
        " ",
    ];
    for write in [Event::json, Event::sshd] {
        let (mut events, _) = scan("203.0.113.9");
        for (nth, event) in events.iter_mut().enumerate() {
            event.user = names[nth % names.len()].to_owned();
            event.said = Said::UnknownUser;
        }
        let arguments = ["replay", "-", "--windows", "1h"];
        let ran = run(&arguments, log(&events, write).as_bytes());
        let rows: Vec<&str> = ran.stdout.lines().skip(1).collect();
        let names = names.len();
        let expected = format!("2024-05-14T06:00:00Z,203.0.113.9,25,0,{names},{names}");
        assert_eq!(rows, [expected], "{}", ran.stderr);
    }
}

/// Nothing a log says reaches a terminal as a control sequence.
#[test]
fn control_characters_of_a_log_are_not_printed() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("evil\u{1b}[31m\u{202e}.log");
    fs::write(&path, log(&scan("203.0.113.9").0, Event::json) + "{\"event\":\"login\" \x1b[2J}\n")
        .expect("a file");
    let path = path.to_str().expect("a path");
    for output in ["text", "json"] {
        let arguments = ["replay", path, "--output", output, "--stats"];
        let ran =
            run(&[&arguments[..], &["--detectors", "tests/profiles/distinct5"]].concat(), b"");
        assert_eq!(ran.code, 0);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        }
        assert!(ran.stdout.contains("203.0.113.9"), "{}", ran.stdout);
    }
    let missing = format!("{path}.missing");
    let ran = run(&["replay", &missing], b"");
    assert_eq!(ran.code, 1);
    assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stderr);
}
