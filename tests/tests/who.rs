//! `tidewatch who`, as the real binary: findings of a run, a list of names, and the key that run had.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run, run_keyed};

const KEY: &str = "a secret of sixteen characters";

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// Logins of one source, a second apart: what each line says besides time and source.
fn log(rest: impl Iterator<Item = String>) -> String {
    let line = |(n, rest): (usize, String)| {
        format!(
            "{{\"timestamp\":\"2026-11-10T06:{:02}:{:02}Z\",\"src_ip\":\"203.0.113.9\",{rest}}}\n",
            n / 60,
            n % 60
        )
    };
    rest.enumerate().map(line).collect()
}

/// A scan of names of which three have an account, one of them with a control character in it; Ann's is taken
/// over.
fn attack() -> String {
    let failed = |name: &str, reason: &str| {
        format!("\"event\":\"login_failed\",\"reason\":\"{reason}\",\"user\":\"{name}\"")
    };
    let unknown = (0..40).map(|n| failed(&format!("nobody{n}"), "unknown user"));
    let known =
        ["ann", "Bob@Shop.example", r"eve\u001b[31m"].map(|name| failed(name, "bad password"));
    let taken = "\"event\":\"login_success\",\"user\":\"ANN\"".to_owned();
    log(unknown
        .take(35)
        .chain(known)
        .chain([taken])
        .chain((0..3).map(|n| failed(&format!("last{n}"), "unknown user"))))
}

/// A folder with the findings of that attack and a list of users.
fn folder() -> TempDir {
    let folder = tempdir().expect("a folder");
    let ran = run_keyed(KEY, &["replay", "--output", "json", "-"], attack().as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("account-takeover"), "{}", ran.stdout);
    fs::write(folder.path().join("findings.jsonl"), &ran.stdout).expect("findings");
    let others: String = (0..500).map(|n| format!("customer{n}\n")).collect();
    fs::write(
        folder.path().join("users.txt"),
        format!("{others}Ann\nbob@shop.example\neve\u{1b}[31m\n"),
    )
    .expect("a list");
    folder
}

fn who(folder: &TempDir, key: &str, arguments: &[&str]) -> Ran {
    let users = folder.path().join("users.txt");
    let findings = folder.path().join("findings.jsonl");
    let fixed = ["who", shown(&findings), "--users", shown(&users)];
    run_keyed(key, &[&fixed[..], arguments].concat(), b"")
}

#[test]
fn it_names_who_got_in_and_who_was_tried() {
    let folder = folder();
    let ran = who(&folder, KEY, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().map(str::trim_end).collect();
    let begins = |at: usize, begin: &str| assert!(lines[at].starts_with(begin), "{}", ran.stdout);
    begins(0, "got in: reset these first");
    begins(1, "    Ann ");
    begins(2, "tried, and exist");
    begins(3, "    bob@shop.example  ");
    begins(4, "    eve\\u{1b}[31m     ");
    begins(5, "3 names of 503 on the list; of 38 tags in ");
    assert!(lines[5].contains("35 belong to none of them (35 have no account"), "{}", ran.stdout);
    assert!(lines[1].contains("account-takeover of 203.0.113.9"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains("customer"), "{}", ran.stdout);

    let ran = who(&folder, KEY, &["--output", "json"]);
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(found["got_in"][0]["name"], "Ann");
    assert_eq!(found["tried"][1]["name"], "eve\u{1b}[31m");
    assert_eq!((&found["names"], &found["tags"]), (&json!(503), &json!(38)));
    assert_eq!(found["not_listed"], json!({ "got_in": 0, "exist": 0, "unknown": 35, "untold": 0 }));
}

#[test]
fn another_key_fits_nobody_and_without_one_there_is_nothing_to_compare() {
    let folder = folder();
    let ran = who(&folder, "another secret", &[]);
    assert_eq!(ran.code, 1);
    let says =
        "none of the 38 tags belongs to any of your 503 names: another key, or rotated since?";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    let users = folder.path().join("users.txt");
    let ran = run(&["who", "-", "--users", shown(&users)], b"");
    assert_eq!((ran.code, ran.stderr.contains("set TIDEWATCH_KEY")), (2, true), "{}", ran.stderr);

    // The secret of a stack has two keys while one replaces the other.
    let secret = folder.path().join("secret.json");
    let with = |text: &str| {
        fs::write(&secret, text).expect("a secret");
        who(&folder, "another secret", &["--key", shown(&secret)])
    };
    let previous = json!({
        "id": 2, "from": "2026-11-25T12:00:00Z", "passphrase": "another secret",
        "previous": { "id": 1, "passphrase": KEY },
    });
    let current = json!({ "id": 1, "passphrase": KEY });
    for text in [previous.to_string(), current.to_string() + "\n", KEY.to_owned() + "\n"] {
        let ran = with(&text);
        assert_eq!((ran.code, ran.stdout.contains("    Ann ")), (0, true), "{}", ran.stderr);
    }
    for (text, says) in [("{\"id\":1}", "no `passphrase`"), ("", "neither a passphrase nor")] {
        let ran = with(text);
        assert_eq!((ran.code, ran.stderr.contains(says)), (2, true), "{}", ran.stderr);
    }
}

#[test]
fn uids_choose_among_findings() {
    let folder = folder();
    let text = fs::read_to_string(folder.path().join("findings.jsonl")).expect("findings");
    let takeover = text.lines().find(|line| line.contains("\"uid\":\"account-takeover\""));
    let takeover: Value = serde_json::from_str(takeover.expect("it")).expect("JSON");
    let uid = takeover["finding_info"]["uid"].as_str().expect("a uid");
    let ran = who(&folder, KEY, &[uid]);
    assert!(ran.stdout.contains("in 1 finding, "), "{}", ran.stdout);
    let missing = "0123456789abcdef0123456789abcdef";
    let ran = who(&folder, KEY, &[missing]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains(&format!("no finding {missing} there; there are:")),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains(&format!("{uid} account-takeover 203.0.113.9")), "{}", ran.stderr);
    let users = folder.path().join("users.txt");
    let ran = run_keyed(KEY, &["who", uid, "--users", shown(&users)], b"");
    assert_eq!((ran.code, ran.stderr.contains("name the file with the finding")), (2, true));
}

#[test]
fn findings_come_as_they_are_published_too() {
    let folder = folder();
    let users = folder.path().join("users.txt");
    let text = fs::read_to_string(folder.path().join("findings.jsonl")).expect("findings");
    let from_input =
        |input: &str| run_keyed(KEY, &["who", "-", "--users", shown(&users)], input.as_bytes());
    // In SNS' envelope, and with tags as short as the shared table keeps them.
    let sns = |line: &str| json!({ "Type": "Notification", "Message": line }).to_string() + "\n";
    let ran = from_input(&text.lines().map(sns).collect::<String>());
    assert!(ran.code == 0 && ran.stdout.contains("    Ann "), "{}", ran.stderr);
    let short = |line: &str| {
        let mut finding: Value = serde_json::from_str(line).expect("JSON");
        for list in ["got_in", "exist", "unknown", "untold"] {
            for tag in
                finding["unmapped"]["tidewatch"]["accounts"][list].as_array_mut().expect("tags")
            {
                *tag = json!(format!("{}00000000", &tag.as_str().expect("a tag")[..8]));
            }
        }
        finding.to_string() + "\n"
    };
    let ran = from_input(&text.lines().map(short).collect::<String>());
    assert!(ran.code == 0 && ran.stdout.contains("3 names of 503 on the list"), "{}", ran.stderr);
    let ran = from_input("no finding\n{}\n");
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("2 lines of the findings passed over, first -:1"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("there is no finding to look at"), "{}", ran.stderr);
    // Nobody of yours was tried, as the findings say themselves: a good end.
    let strangers = log((0..40).map(|n| {
        format!("\"event\":\"login_failed\",\"reason\":\"unknown user\",\"user\":\"nobody{n}\"")
    }));
    let ran = run_keyed(KEY, &["replay", "--output", "json", "-"], strangers.as_bytes());
    let ran = from_input(&ran.stdout);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("0 names of 503 on the list; of 30 tags in "), "{}", ran.stdout);
}

#[test]
fn a_finding_about_a_user_names_that_user() {
    let folder = tempdir().expect("a folder");
    let detector = r#"
id = "one-account"
title = "x"
signal = "auth"
key = ["source.ip", "user"]
window = "10m"
[measure]
failures = { count = "attempts", where = { outcome = "failure" } }
[[raise]]
severity = "low"
when = ["failures >= 3"]
"#;
    let path = folder.path().join("one-account.toml");
    fs::write(&path, detector).expect("a detector");
    let failed = |name: &str| format!("\"event\":\"login_failed\",\"user\":\"{name}\"");
    let tries = log(["ann", "ann", "bob", "ann"].into_iter().map(failed));
    let replay = ["replay", "--output", "json", "--detectors", shown(&path), "-"];
    let ran = run_keyed(KEY, &replay, tries.as_bytes());
    fs::write(folder.path().join("findings.jsonl"), &ran.stdout).expect("findings");
    fs::write(folder.path().join("users.txt"), "bob\nANN\n").expect("a list");
    let ran = who(&folder, KEY, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("tried, and exist\n    ANN  one-account of 203.0.113.9 + user:"),
        "{}",
        ran.stdout
    );
}
