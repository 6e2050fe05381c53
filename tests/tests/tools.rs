//! The tools for whoever writes detectors and formats, as the real binary: test, check, explain, backtest,
//! and what it says of itself.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run};

const FORMAT: &str = r#"
id = "gate"
needles = ["entry refused"]
[[line]]
text = 'entry refused for (?<user>\S+) at (?<source>\S+)'
outcome = "failure"
user_known = false
"#;

const CASES: &str = "\
entry refused for ann at 192.0.2.1
-> failure user=ann known=no source=192.0.2.1
";

fn detector(threshold: u32, severity: &str) -> String {
    format!(
        "id = \"gate-scan\"\ntitle = \"x\"\nsignal = \"auth\"\nkey = \"source.ip\"\nwindow = \"10m\"\n\
         [measure]\nusers = {{ distinct = \"user\" }}\n[[raise]]\nseverity = \"{severity}\"\n\
         when = [\"users >= {threshold}\"]\n"
    )
}

/// A folder with a format, a detector of 5 names, and their cases.
fn folder(cases: &str, scenario: &str) -> tempfile::TempDir {
    let folder = tempdir().expect("a folder");
    let files = [
        ("gate.toml", FORMAT.to_owned()),
        ("gate.cases", cases.to_owned()),
        ("gate-scan.toml", detector(5, "low")),
        ("gate-scan.cases", scenario.to_owned()),
    ];
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

const SCENARIO: &str = "\
# Six names in a minute.
6 times, every 10s:
entry refused for {user} at 192.0.2.1
-> low 192.0.2.1
";

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", ran.stdout, ran.stderr))
}

#[test]
fn test_runs_what_is_shipped_and_what_is_in_infra() {
    for arguments in [&["test"][..], &["test", "infra"]] {
        let ran = run(arguments, b"");
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let last = ran.stdout.lines().last().expect("a line");
        assert!(last.ends_with("hold, 0 failed"), "{last}");
        let cases: usize = last.split(' ').next().expect("a number").parse().expect("a number");
        assert!(cases >= 100, "{last}");
    }
}

#[test]
fn test_tells_which_case_fails_and_how() {
    let good = folder(CASES, SCENARIO);
    let ran = run(&["test", shown(good.path())], b"");
    assert_eq!(
        (ran.code, ran.stdout.lines().last()),
        (0, Some("2 cases of 2 files, each varied 3 times: 2 hold, 0 failed"))
    );

    let wrong =
        folder(&CASES.replace("known=no", "known=yes"), &SCENARIO.replace("6 times", "4 times"));
    let ran = run(&["test", "--output", "json", shown(wrong.path())], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let found = json(&ran);
    assert_eq!((&found["cases"], &found["failed"]), (&json!(2), &json!(2)));
    let failures = [0, 1].map(|nth| found["files"][nth]["failures"][0].clone());
    assert_eq!(failures[0]["line"], 1);
    assert_eq!(
        failures[0]["expected"],
        "failure user=\"ann\" known=yes source=192.0.2.1 (format gate)"
    );
    assert_eq!(
        failures[0]["found"],
        "failure user=\"ann\" known=no source=192.0.2.1 (format gate)"
    );
    assert_eq!(
        (&failures[1]["expected"], &failures[1]["line"]),
        (&json!("low 192.0.2.1"), &json!(2))
    );
    assert_eq!(failures[1]["found"], "quiet; 4 of 4 lines say something");
    let rival = folder(CASES, SCENARIO);
    fs::write(rival.path().join("b.toml"), FORMAT.replace("gate", "b")).expect("a file");
    let ran = run(&["test", shown(rival.path())], b"");
    assert_eq!(ran.code, 1);
    let says = "two formats claim it with needles of one length, `b` (`entry refused`) and `gate`";
    assert!(ran.stdout.contains(says), "{}", ran.stdout);
    let text = run(&["test", shown(wrong.path())], b"").stdout;
    assert!(
        text.contains(
            "gate.cases:1\n    entry refused for ann at 192.0.2.1\n    expected  failure"
        ),
        "{text}"
    );
}

#[test]
fn test_shows_times_and_names_as_they_are_read() {
    let check = |cases: &str, found: &str| {
        let folder = folder(cases, SCENARIO);
        let ran = run(&["test", "--output", "json", shown(folder.path())], b"");
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let failure = json(&ran)["files"][0]["failures"][0].clone();
        assert_eq!(failure["found"], format!("{found} known=no source=192.0.2.1 (format gate)"));
    };
    let line = "entry refused for j.doe at 192.0.2.1\n-> failure known=no source=192.0.2.1";
    check(&format!("{line} user=doe\n"), "failure user=\"j.doe\"");
    check(line, "failure user=\"j.doe\"");
    let timed = |stamp: &str, found: &str| {
        let folder =
            folder(&format!("{stamp} {line} user=j.doe time=2000-01-01T00:00:00Z\n"), SCENARIO);
        let text = run(&["test", shown(folder.path())], b"").stdout;
        assert!(
            text.contains("source=192.0.2.1 time=2000-01-01T00:00:00Z (format gate)\n"),
            "{text}"
        );
        assert!(text.contains(&format!("source=192.0.2.1 time={found} (format gate)\n")), "{text}");
        assert!(!text.contains("user:"), "no tags: {text}");
    };
    timed("2024-05-14T07:00:00+02:00", "2024-05-14T05:00:00Z");
    timed("2024-05-14 07:00:00.5", "2024-05-14T07:00:00.500");
    timed("May  4 07:00:00", "\"May  4 07:00:00\"");
}

#[test]
fn test_varies_cases_so_that_none_is_fitted() {
    // The pattern knows one name only.
    let fitted = folder(CASES, SCENARIO);
    let format = FORMAT.replace(r"(?<user>\S+)", "(?<user>ann)");
    fs::write(fitted.path().join("gate.toml"), format).expect("a file");
    fs::remove_file(fitted.path().join("gate-scan.toml")).expect("a file");
    fs::remove_file(fitted.path().join("gate-scan.cases")).expect("a file");
    let test = |more: &[&str]| run(&[&["test", shown(fitted.path())], more].concat(), b"");
    assert_eq!(test(&["--vary", "0"]).code, 0);
    let ran = test(&["--seed", "5"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("holds as written, not with --vary 1 --seed 5"), "{}", ran.stdout);
}

#[test]
fn test_and_check_say_what_they_cannot_use() {
    let check = |command: &str, prepare: &dyn Fn(&Path), says: &str| {
        let folder = folder(CASES, SCENARIO);
        prepare(folder.path());
        let ran = run(&[command, shown(folder.path())], b"");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 2, "{said}");
        assert!(said.contains(says), "{said}");
    };
    let write = |name: &'static str, text: &'static str| {
        move |folder: &Path| fs::write(folder.join(name), text).expect("a file")
    };
    for command in ["test", "check"] {
        check(
            command,
            &write("gate.cases", "a line\n"),
            "gate.cases:1: this line lacks its `-> …`",
        );
        check(
            command,
            &write("gate-scan.cases", "a\n-> loud\n"),
            "gate-scan.cases:2: `loud`: write",
        );
        check(
            command,
            &write("gate.toml", "id = \"gate\"\nneedles = [\"a\"]\n"),
            "shorter than 3 bytes",
        );
        check(command, &write("b.toml", FORMAT), "the id `gate` is taken");
    }
    check("test", &write("other.cases", "a\n-> nothing\n"), "other.cases stands beside nothing");
    for command in ["test", "check"] {
        let empty = tempdir().expect("a folder");
        let ran = run(&[command, shown(empty.path())], b"");
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains("no detector or format file (*.toml) in it"), "{}", ran.stderr);
    }
}

#[test]
fn a_single_file_stands_for_its_folder() {
    let rules = folder(CASES, SCENARIO);
    let file = |name: &str| shown(&rules.path().join(name)).to_owned();
    for name in ["gate.toml", "gate.cases"] {
        let ran = run(&["test", "--output", "json", &file(name)], b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = json(&ran);
        assert_eq!((&found["cases"], &found["failed"]), (&json!(1), &json!(0)));
        let ran = run(&["check", "--strict", &file(name)], b"");
        assert_eq!((ran.code, ran.stdout.trim()), (0, "1 file: 0 errors, 0 warnings"));
    }
    let line = "2024-05-14T07:00:00Z entry refused for ann at 192.0.2.1";
    let says = |options: &[&str], what: &str, is_said: bool| {
        let ran = run(&[&["explain"], options, &[line]].concat(), b"");
        assert_eq!(ran.code, 0, "{options:?} {}", ran.stderr);
        assert_eq!(ran.stdout.contains(what), is_said, "{options:?} {}", ran.stdout);
    };
    let (format, scan) = (file("gate.toml"), file("gate-scan.cases"));
    says(&["--with", &format], "gate reads it", true);
    says(&["--with", &format], "gate-scan", false);
    says(&["--with", &format, "--with", &scan], "gate-scan of 192.0.2.1: users", true);
    says(&["--formats", &format, "--detectors", &scan], "gate-scan of 192.0.2.1: users", true);
    says(&["--formats", &format, "--detectors", &scan], "credential-scan", false);
    // Of two with one id the later counts.
    let other = rules.path().join("other.toml");
    fs::write(&other, detector(7, "low")).expect("a file");
    let both = |one: &str, two: &str| {
        let options = ["--with", &format, "--with", one, "--with", two];
        run(&[&["explain"], &options[..], &[line]].concat(), b"").stdout
    };
    assert!(both(&scan, shown(&other)).contains("1 against 7"));
    assert!(both(shown(&other), &scan).contains("1 against 5"));
}

#[test]
fn a_file_of_the_other_kind_is_named_with_the_option_for_it() {
    let rules = folder(CASES, SCENARIO);
    let check = |options: &[&str], says: &str| {
        let ran = run(&[&["replay"], options, &["-"]].concat(), b"");
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{says} in {}", ran.stderr);
    };
    let file = |name: &str| shown(&rules.path().join(name)).to_owned();
    let (format, detector) = (file("gate.toml"), file("gate-scan.toml"));
    let a_format = "gate.toml: this is a format, and --detectors takes detectors; --formats takes \
                    formats, --with both";
    let a_detector = "gate-scan.toml: this is a detector, and --formats takes formats; --detectors \
                      takes detectors, --with both";
    check(&["--detectors", &format], a_format);
    check(&["--detectors", shown(rules.path())], a_format);
    check(&["--formats", &detector], a_detector);
    check(&["--formats", shown(rules.path())], a_detector);
    check(&["--with", &file("no.toml")], "--with: ");
    check(&["--with", &file("no.toml")], "No such file");
    check(&["--with", "README.md"], "--with: README.md: neither a folder nor a detector or format");
    check(&["--detectors", "README.md"], "--detectors: README.md: neither a folder nor");
    fs::write(rules.path().join("lone.cases"), CASES).expect("a file");
    check(&["--with", &file("lone.cases")], "lone.cases stands beside nothing: there is no ");
    let ran = run(&["test", &file("lone.cases")], b"");
    assert_eq!((ran.code, ran.stderr.contains("stands beside nothing")), (2, true));
}

#[test]
fn check_warns_and_strict_makes_it_fail() {
    let clean = folder(CASES, SCENARIO);
    let ran = run(&["check", "--strict", shown(clean.path())], b"");
    assert_eq!((ran.code, ran.stdout.trim()), (0, "2 files: 0 errors, 0 warnings"));
    assert_eq!(run(&["check", "--strict", "infra"], b"").code, 0);

    let never = detector(5, "low").replace("users >= 5\"", "users >= 5\", \"users < 5\"");
    fs::write(clean.path().join("gate-scan.toml"), never).expect("a file");
    fs::remove_file(clean.path().join("gate.cases")).expect("a file");
    let ran = run(&["check", shown(clean.path())], b"");
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout.contains("low can never be raised: `users >= 5` and `users < 5`"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("gate.toml: has no cases\n    help: "), "{}", ran.stdout);
    let ran = run(&["check", "--strict", "--output", "json", shown(clean.path())], b"");
    assert_eq!((ran.code, json(&ran)["warnings"].as_array().map(Vec::len)), (1, Some(2)));
}

#[test]
fn check_holds_needles_out_to_a_log() {
    let rules = folder(CASES, SCENARIO);
    let log = rules.path().join("app.log");
    let line = "entry refused: the museum is closed\n";
    fs::write(&log, line.repeat(5) + &"a line\n".repeat(95)).expect("a log");
    let ran = run(&["check", "--log", shown(&log), shown(rules.path())], b"");
    assert!(ran.stdout.contains("5 of 100 lines of "), "{}", ran.stdout);
    let piped = line.repeat(5) + &"a line\n".repeat(95);
    let ran = run(&["check", "--log", "-", shown(rules.path())], piped.as_bytes());
    assert!(ran.stdout.contains("5 of 100 lines of - hold"), "{}", ran.stdout);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, piped.as_bytes()).expect("packed");
    fs::write(&log, packed.finish().expect("packed")).expect("a log");
    let ran = run(&["check", "--log", shown(&log), shown(rules.path())], b"");
    assert!(ran.stdout.contains("5 of 100 lines of "), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("2 files: 0 errors, 1 warning\n"), "{}", ran.stdout);
    fs::write(&log, CASES.lines().next().expect("a line")).expect("a log");
    let ran = run(&["check", "--log", shown(&log), shown(rules.path())], b"");
    assert!(ran.stdout.contains("0 warnings"), "{}", ran.stdout);
    fs::write(&log, "").expect("a log");
    let ran = run(&["check", "--log", shown(&log), shown(rules.path())], b"");
    assert_eq!(ran.code, 2, "no line in it: {}", ran.stderr);
}

/// Ten names, one every ten seconds, behind a syslog time.
fn log() -> String {
    let line = |n: u32| {
        format!(
            "2024-05-14T07:{:02}:{:02}Z entry refused for u{n} at 192.0.2.1\n",
            n / 6,
            n % 6 * 10
        )
    };
    (0..10).map(line).collect()
}

#[test]
fn explain_shows_the_way_of_a_line() {
    let rules = folder(CASES, SCENARIO);
    let lines = ["entry refused for ann at 192.0.2.1", "nothing of interest"];
    let with = ["explain", "--with", shown(rules.path())];
    let ran = run(&[&with[..], &lines].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for says in [
        "`entry refused` of gate",
        "gate reads it, by line kind 1 of its file",
        "there is no such account, from 192.0.2.1",
        "gate-scan of 192.0.2.1: users",
        "credential-scan of 192.0.2.1: unknown_users, users, failures",
        "none, so it is not looked at",
        "users >= 5                        no   1 against 5",
    ] {
        assert!(ran.stdout.contains(says), "{says} in {}", ran.stdout);
    }
    let ran = run(&[&with[..], &["--output", "json"], &lines].concat(), b"");
    let shown = json(&ran);
    assert_eq!(shown["lines"][0]["formats"][0]["format"], "gate");
    assert_eq!(shown["lines"][1]["says"], "nothing");
    let detectors = shown["detectors"].as_array().expect("detectors");
    let own = detectors.iter().find(|of| of["detector"] == "gate-scan").expect("ours");
    assert_eq!(own["keys"][0]["severities"][0]["when"][0]["amount"], 1.0);
    let ran = run(&["explain", "no-such-file"], b"");
    assert!(ran.stdout.contains("there is no file of this name either"), "{}", ran.stdout);
    assert_eq!(run(&["explain", "no-such-file", "README.md"], b"").code, 2);
}

#[test]
fn explain_replays_a_file_and_shows_the_windows_behind_a_finding() {
    let rules = folder(CASES, SCENARIO);
    let path = rules.path().join("app.log");
    fs::write(&path, log()).expect("a log");
    let with = ["--with", shown(rules.path())];
    let explain =
        |more: &[&str]| run(&[&["explain"], &with[..], more, &[shown(&path)]].concat(), b"");
    let ran = explain(&["--output", "json"]);
    let document = json(&ran);
    assert_eq!(document["read_by"], json!({ "gate": 10 }));
    assert_eq!(document["lines"].as_array().map(Vec::len), Some(3));
    let of = |detector: &str| {
        let all = document["detectors"].as_array().expect("detectors").clone();
        all.into_iter().find(|of| of["detector"] == detector).expect("it")["keys"][0].clone()
    };
    let (own, quiet) = (of("gate-scan"), of("brute-force"));
    assert_eq!(
        (&own["raised"], &own["nearest_at"]),
        (&json!("low"), &json!("2024-05-14T07:00:40Z"))
    );
    assert_eq!(quiet["raised"], Value::Null);
    assert_eq!(quiet["severities"][2]["when"][0]["amount"], 10.0);

    // The uid is the one that replay prints.
    let replayed =
        run(&[&["replay", "--output", "json"], &with[..], &[shown(&path)]].concat(), b"");
    let uid = own["finding_uid"].as_str().expect("a uid");
    assert!(replayed.findings().iter().any(|finding| finding["finding_info"]["uid"] == uid));

    let ran = explain(&["--finding", uid, "--output", "json"]);
    let messages = json(&ran)["messages"].clone();
    let first = &messages[0];
    assert_eq!(
        (&first["activity"], &first["at"]),
        (&json!("open"), &json!("2024-05-14T07:00:40Z"))
    );
    let panes = first["panes"][0]["panes"].as_array().expect("panes");
    let sum: u64 = panes.iter().filter_map(|pane| pane["amount"].as_u64()).sum();
    assert_eq!(sum, 5);
    assert_eq!(messages.as_array().and_then(|all| all.last()).expect("one")["activity"], "close");
    let text = explain(&["--finding", uid]).stdout;
    assert!(text.contains("OPEN low gate-scan: 192.0.2.1\n"), "{text}");
    assert!(text.contains("2024-05-14T07:00:00Z           2\n"), "{text}");
    let ran = explain(&["--finding", "0123456789abcdef0123456789abcdef"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(uid), "names those that there are: {}", ran.stderr);
}

#[test]
fn backtest_says_what_appears_vanishes_and_changes() {
    let rules = folder(CASES, SCENARIO);
    let path = rules.path().join("app.log");
    let mut lines = log();
    for n in 0..3 {
        let _ = writeln!(lines, "2024-05-14T09:00:0{n}Z entry refused for u{n} at 198.51.100.7");
    }
    fs::write(&path, lines).expect("a log");
    let set = |threshold: u32, severity: &str| {
        let folder = tempdir().expect("a folder");
        fs::write(folder.path().join("x.toml"), detector(threshold, severity)).expect("a file");
        folder
    };
    let check = |ours: (u32, &str), theirs: (u32, &str), expected: Value| {
        let [a, b] = [ours, theirs].map(|(threshold, severity)| set(threshold, severity));
        let fixed = ["backtest", "--output", "json", "--formats", shown(rules.path())];
        // The folder of formats may hold no detectors.
        let sets = ["--detectors", shown(a.path()), "--against", shown(b.path()), shown(&path)];
        let ran = run(&[&fixed[..], &sets].concat(), b"");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(json(&ran)["counts"], expected);
    };
    fs::remove_file(rules.path().join("gate-scan.toml")).expect("a file");
    let counts = |a: u32, v: u32, c: u32, s: u32| json!({ "appears": a, "vanishes": v, "severity": c, "same": s });
    check((5, "low"), (5, "low"), counts(0, 0, 0, 1));
    check((3, "low"), (5, "low"), counts(1, 0, 0, 1));
    check((5, "low"), (3, "low"), counts(0, 1, 0, 1));
    check((3, "low"), (3, "high"), counts(0, 0, 2, 0));
    let a = set(3, "low");
    let sets = ["--detectors", shown(a.path()), "--formats", shown(rules.path()), shown(&path)];
    let ran = run(&[&["backtest"], &sets[..]].concat(), b"");
    assert!(
        ran.stdout.contains("appears   2024-05-14T09:00:02Z gate-scan: 198.51.100.7  low"),
        "{}",
        ran.stdout
    );
    // The shipped ones are gone, which would find the scan too.
    assert!(ran.stdout.contains(" credential-scan: 192.0.2.1"), "{}", ran.stdout);
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let commands =
        ["demo", "replay", "watch", "explain", "test", "check", "backtest", "who", "coverage"];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell], b"");
        assert_eq!(ran.code, 0);
        commands
            .iter()
            .for_each(|command| assert!(ran.stdout.contains(command), "{shell}: {command}"));
    }
    let ran = run(&["man"], b"");
    assert_eq!(ran.code, 0);
    for command in commands {
        assert!(ran.stdout.contains(&format!("TIDEWATCH {}", command.to_uppercase())), "{command}");
    }
    assert!(ran.stdout.contains("TIDEWATCH USERS BUILD"), "commands below a command");
    for command in commands {
        let help = run(&[command, "--help"], b"").stdout;
        assert!(help.contains("Examples:\n  "), "{command} shows examples");
    }
}
