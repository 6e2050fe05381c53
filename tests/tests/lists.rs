//! Lists of leaked names, as the real binary: they are made of lists of names, and findings tell how many of the
//! names tried stand on them.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run, run_keyed};
use tidewatch_tests::refused::{lists_in, refused};

const KEY: &str = "a secret of this test";

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A folder with a leak of 1,000 names, 200 users of ours, six of whom are on it, and the list of it.
fn folder() -> TempDir {
    let folder = tempdir().expect("a folder");
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).expect(name);
    write("leak.txt", (0..1_000).map(|n| format!("victim{n}@mail.example\n")).collect());
    let on = (0..6).map(|n| format!("Victim{n}@mail.example\n"));
    let off = (6..200).map(|n| format!("customer{n}@shop.example\n"));
    write("users.txt", on.chain(off).collect());
    let ran = build(&folder, &["leak of 2019", "leak.txt", "--own-users", "users.txt"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("1,000 names"), "{}", ran.stdout);
    assert!(ran.stdout.contains("of your 200 users 6 are on it (3.0 %)"), "{}", ran.stdout);
    folder
}

/// Builds `leak.names` of files of the folder.
fn build(folder: &TempDir, arguments: &[&str]) -> Ran {
    let paths = lists_in(folder.path(), arguments);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let out = folder.path().join("leak.names");
    run(&[&["lists", "build", "-o", shown(&out)], &paths[..]].concat(), b"")
}

/// Logins refused for names that do not exist, one a second.
fn log(name: impl Fn(u32) -> String, count: u32) -> String {
    refused(name, count, r#","reason":"unknown user""#)
}

fn replay(folder: &TempDir, log: &str, more: &[&str]) -> Ran {
    let list = folder.path().join("leak.names");
    let arguments = [&["replay", "--output", "json", "--list", shown(&list)], more, &["-"]];
    let ran = run(&arguments.concat(), log.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// What the last message of each finding says of lists.
fn told(ran: &Ran) -> Vec<Value> {
    let lists = |finding: &Value| finding["unmapped"]["tidewatch"]["lists"].clone();
    ran.findings().iter().map(lists).collect()
}

#[test]
fn a_finding_says_how_many_of_the_names_tried_are_on_a_list() {
    let folder = folder();
    // Four of five are on it, in whatever spelling.
    let name = |n| match n % 5 {
        0 => format!("stranger{n}@mail.example"),
        _ => format!("VICTIM{n}@mail.example"),
    };
    let ran = replay(&folder, &log(name, 60), &[]);
    let lists = told(&ran);
    let last = &lists.last().expect("a finding")[0];
    assert_eq!(last["list"], "leak of 2019");
    let (on, of) =
        (last["names_on_it"].as_u64().expect("on"), last["names_tried"].as_u64().expect("of"));
    assert!(of >= 20 && (on as f64 / of as f64 - 0.8).abs() < 0.05, "{on} of {of}");
    assert!(last["chance"].as_f64().expect("a chance") < 1e-10);
    let text = folder.path().join("log");
    fs::write(&text, log(name, 60)).expect("a log");
    let list = folder.path().join("leak.names");
    let ran = run(&["replay", "--list", shown(&list), shown(&text)], b"");
    assert!(
        ran.stdout.contains("names tried are on leak of 2019 (your own users: 3."),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_finding_about_other_names_says_nothing_and_all_else_is_the_same() {
    let folder = folder();
    // As many as among our own users.
    let log =
        log(|n| if n % 33 == 0 { format!("victim{n}@mail.example") } else { format!("x{n}") }, 66);
    let with = replay(&folder, &log, &[]);
    assert!(told(&with).iter().all(|lists| lists == &Value::Array(Vec::new())));
    let without = run(&["replay", "--output", "json", "-"], log.as_bytes());
    let uids = |ran: &Ran| -> Vec<Value> {
        let all = ran.findings();
        all.iter().map(|f| f["finding_info"]["uid"].clone()).collect()
    };
    let counted = |ran: &Ran| -> Vec<Value> {
        let all = ran.findings();
        all.iter().map(|f| f["unmapped"]["tidewatch"]["measures"].clone()).collect()
    };
    assert!(!uids(&with).is_empty());
    assert_eq!(uids(&with), uids(&without));
    assert_eq!(counted(&with), counted(&without));
}

#[test]
fn users_are_named_and_allowed_with_lists_as_without() {
    let folder = folder();
    let log = log(|n| format!("victim{n}@mail.example"), 60);
    let findings = folder.path().join("findings.jsonl");
    let list = folder.path().join("leak.names");
    let arguments = ["replay", "--output", "json", "--list", shown(&list), "-"];
    let ran = run_keyed(KEY, &arguments, log.as_bytes());
    fs::write(&findings, &ran.stdout).expect("findings");
    let users = folder.path().join("users.txt");
    let arguments = ["who", shown(&findings), "--users", shown(&users)];
    let ran = run_keyed(KEY, &arguments, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for n in 0..6 {
        assert!(ran.stdout.contains(&format!("Victim{n}@mail.example")), "{}", ran.stdout);
    }
    fs::create_dir(folder.path().join("rules")).expect("a folder");
    let allow =
        "[[allow]]\nuser = \"victim7@mail.example\"\nreason = \"a test\"\nuntil = \"never\"\n";
    fs::write(folder.path().join("rules/allow.toml"), allow).expect("an allow file");
    let rules = folder.path().join("rules");
    let one = log_of_one_user();
    let held = replay(&folder, &one, &["--with", shown(&rules)]);
    assert!(held.findings().is_empty(), "{}", held.stdout);
    assert!(!replay(&folder, &one, &[]).findings().is_empty());
}

/// One user's password is tried again and again.
fn log_of_one_user() -> String {
    let line = |n: u32| {
        format!(
            "{{\"timestamp\":\"2026-11-10T06:{:02}:{:02}Z\",\"event\":\"login_failed\",\
             \"user\":\"victim7@mail.example\",\"reason\":\"wrong password\",\"src_ip\":\"203.0.113.{}\"}}\n",
            n / 60,
            n % 60,
            n % 50
        )
    };
    (0..300).map(line).collect()
}

#[test]
fn what_is_no_list_is_refused_with_a_word_on_how_to_make_one() {
    let folder = folder();
    let text = folder.path().join("leak.txt");
    let ran = run(&["replay", "--list", shown(&text), "-"], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("tidewatch lists build"), "{}", ran.stderr);
    let list = folder.path().join("leak.names");
    let many: Vec<&str> = ["--list", shown(&list)].repeat(2);
    let ran = run(&[&["replay"], &many[..], &["-"]].concat(), b"");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("two lists are called `leak of 2019`"), "{}", ran.stderr);
    let before = fs::read(&list).expect("a list");
    let junk: Vec<u8> =
        (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(folder.path().join("junk.txt"), [&b"\xff\xfe\n"[..], &junk].concat()).expect("junk");
    let ran = build(&folder, &["junk", "junk.txt"]);
    assert!(
        ran.stderr.contains("not UTF-8") || ran.stdout.contains("not UTF-8"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    fs::write(&list, before).expect("as before");
    let ran = build(&folder, &["a\nb", "leak.txt"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
