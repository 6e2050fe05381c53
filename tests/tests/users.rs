//! Known users, as the real binary: a filter of them is made, tells what a log does not, and may be replaced
//! while a log is watched.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::live;
use tidewatch_tests::refused::{lists_in, refused};

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A folder with a list of 200 customers and the filter of it.
fn folder() -> TempDir {
    let folder = tempdir().expect("a folder");
    let list: String = (0..200).map(|n| format!("customer{n}@shop.example\n")).collect();
    fs::write(folder.path().join("users.txt"), list).expect("a list");
    let ran = build(&folder, &["users.txt"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    folder
}

/// Builds `known.users` from lists of the folder, or from `input`.
fn build(folder: &TempDir, arguments: &[&str], input: &[u8]) -> Ran {
    let paths = lists_in(folder.path(), arguments);
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let out = folder.path().join("known.users");
    run(&[&["users", "build", "-o", shown(&out)], &paths[..]].concat(), input)
}

/// Refused logins that do not say whether the account exists, one a second.
fn log(name: impl Fn(u32) -> String, count: u32) -> String {
    refused(name, count, "")
}

fn detectors(ran: &Ran) -> Vec<String> {
    let detector = |finding: &Value| {
        finding["finding_info"]["analytic"]["uid"].as_str().expect("a detector").to_owned()
    };
    ran.findings().iter().map(detector).collect()
}

#[test]
fn a_scan_is_found_in_a_log_that_never_says_who_exists() {
    let folder = folder();
    let filter = folder.path().join("known.users");
    let replay = |users: &[&str], log: &str| {
        let ran = run(&[&["replay", "--output", "json"], users, &["-"]].concat(), log.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        detectors(&ran)
    };
    let users = ["--users", shown(&filter)];
    let scan = || "credential-scan".to_owned();
    let strangers = log(|n| format!("stranger{n}"), 60);
    assert!(!replay(&[], &strangers).contains(&scan()));
    assert!(replay(&users, &strangers).contains(&scan()));
    // Customers, however they write their names, are no strangers.
    let customers = log(|n| format!(" CUSTOMER{n}@Shop.Example"), 60);
    assert!(!replay(&users, &customers).contains(&scan()));
    // What a line says itself counts, and a hidden name is nobody's.
    let told = strangers.replace("\"event\"", "\"reason\":\"bad password\",\"event\"");
    assert!(!replay(&users, &told).contains(&scan()));
    let hidden = log(|_| "HIDDEN_DUE_TO_SECURITY_REASONS".to_owned(), 60);
    assert!(!replay(&users, &hidden).contains(&scan()));
}

#[test]
fn explain_says_who_told_that_an_account_exists() {
    let folder = folder();
    let filter = folder.path().join("known.users");
    let says = |line: &str, what: &str| {
        for users in [&["--users", shown(&filter)][..], &[]] {
            let ran = run(&[&["explain"], users, &[line]].concat(), b"");
            let by_filter = what.contains("(by known.users)");
            let is_said = ran.stdout.contains(what);
            assert_eq!(is_said, !(by_filter && users.is_empty()), "{what} in {}", ran.stdout);
        }
    };
    let line =
        |rest: &str| format!("{{\"event\":\"login_failed\",\"src_ip\":\"192.0.2.1\",{rest}}}");
    says(&line("\"user\":\"ann\""), "known=no (by known.users), from 192.0.2.1");
    says(
        &line("\"user\":\"Customer7@shop.example\""),
        "known=yes (by known.users), from 192.0.2.1",
    );
    says(
        &line("\"user\":\"ann\",\"reason\":\"bad password\""),
        "the account exists, from 192.0.2.1",
    );
    says(&line("\"user\":\"***\""), "no name, whether the account exists is not told");
    let file = folder.path().join("app.log");
    fs::write(&file, log(|n| format!("stranger{n}"), 2)).expect("a log");
    let ran = run(&["explain", "--users", shown(&filter), shown(&file)], b"");
    assert_eq!(ran.stdout.matches("known=no (by known.users)").count(), 2, "{}", ran.stdout);
}

#[test]
fn build_tells_what_it_took_and_what_not() {
    let folder = tempdir().expect("a folder");
    let says = |arguments: &[&str], input: &[u8], lines: &[&str]| {
        let ran = build(&folder, &[arguments, &["-"]].concat(), input);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found: Vec<&str> = ran.stdout.lines().collect();
        let fits =
            |(found, wanted): (&&str, &&str)| found.ends_with(wanted) || found.contains(wanted);
        assert_eq!(found.len(), lines.len(), "{found:?}");
        assert!(found.iter().zip(lines).all(fits), "{found:?}");
    };
    let long = "x".repeat(1_025);
    let line = "y".repeat(100_000);
    let list = format!("ann\r\nAnn\n\nbob\n***\n{{\"user\":1}}\na\0b\n{long}\n{line}\ncarl");
    let list = [list.as_bytes(), b"\n\xff\xfe\n"].concat();
    says(
        &[],
        &list,
        &[
            "known.users: 3 users, folded, ",
            "1 name the same as another",
            "not taken: 1 line, first -:3: blank",
            "not taken: 1 line, first -:11: not UTF-8",
            "not taken: 2 lines, first -:8: too long",
            "not taken: 1 line, first -:7: NUL characters",
            "not taken: 1 line, first -:5: a name that is hidden",
            "not taken: 1 line, first -:6: JSON: say with --column",
        ],
    );
    says(&["--usernames", "exact"], b"ann\nAnn\n", &["known.users: 2 users, byte for byte, "]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"\xef\xbb\xbfann\nbob\n").expect("packed");
    let packed = packed.finish().expect("packed");
    says(&[], &packed, &["known.users: 2 users"]);
    let mail = ["--column", "mail"];
    says(
        &mail,
        b"id,mail\n1,a@b.c\n2,\"x, y\"\n3\n4,\"z\n",
        &[
            "known.users: 2 users",
            "not taken: 2 lines, first -:4: neither a JSON object nor a row like the first",
        ],
    );
    says(&mail, b"mail;id\na@b.c;1\n", &["known.users: 1 user, "]);
    says(
        &mail,
        b"{\"mail\":\"a\"}\n{\"mail\":7}\n{\"id\":7}\n[]\n",
        &[
            "known.users: 2 users",
            "not taken: 2 lines, first -:3: no text or whole number in that column",
        ],
    );
}

#[test]
fn what_cannot_be_built_leaves_the_filter_that_is_there() {
    let folder = folder();
    let filter = folder.path().join("known.users");
    let before = fs::read(&filter).expect("a filter");
    let check = |arguments: &[&str], input: &[u8], code: i32, says: &str| {
        let ran = build(&folder, arguments, input);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{says} in {}", ran.stderr);
        assert_eq!(fs::read(&filter).expect("a filter"), before);
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 2, "nothing half done is left");
    };
    check(&["-"], b"", 1, "there is no name to build a filter of");
    check(&["-"], b"\n***\n", 1, "not taken: 1 line, first -:1: blank");
    check(&["users.txt", "missing.txt"], b"", 1, "missing.txt: No such file");
    check(&["--column", "mail", "-"], b"id,name\n1,ann\n", 1, "-:1: no column `mail`");
    check(&["-"], b"\x1f\x8b\x08\x00broken", 1, "cannot read -");
    check(&["-", "-"], b"ann\n", 2, "can be read only once");
    let ran = run(&["users", "build", "-o", shown(folder.path()), "-"], b"ann\n");
    assert_eq!((ran.code, ran.stderr.contains("it is a folder")), (2, true));
    // Nobody else may read a new one; one that others may read stays so.
    let mode = || fs::metadata(&filter).expect("a filter").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&filter, fs::Permissions::from_mode(0o640)).expect("permissions");
    assert_eq!(build(&folder, &["-"], b"ann\n").code, 0);
    assert_eq!((mode(), fs::read(&filter).expect("a filter") == before), (0o640, false));
}

#[test]
fn what_is_no_filter_is_a_clear_error() {
    let folder = folder();
    let whole = fs::read(folder.path().join("known.users")).expect("a filter");
    let other = folder.path().join("other");
    let check = |bytes: &[u8], says: &str| {
        fs::write(&other, bytes).expect("a file");
        for command in ["replay", "watch", "explain", "backtest"] {
            let ran = run(&[command, "--users", shown(&other), "-"], b"");
            assert_eq!(ran.code, 2, "{}", ran.stderr);
            assert!(ran.stderr.contains(says), "{says} in {}", ran.stderr);
        }
    };
    check(b"ann\nbob\n", "other: it is no filter of known users: it looks like text");
    check(&whole[..whole.len() - 1], "it was not copied or written to its end");
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    check(&damaged, "it is damaged (its checksum does not fit)");
    let mut newer = whole;
    newer[8] = 9;
    check(&newer, "in form 9, and this program reads form 1");
    let ran = run(&["replay", "--users", "no/such", "-"], b"");
    assert_eq!((ran.code, ran.stderr.contains("--users no/such: No such file")), (2, true));
}

/// A finding at the first name that has no account.
const FIRST: &str = r#"
id = "first-stranger"
title = "x"
signal = "auth"
key = "source.ip"
window = "10m"
[measure]
strangers = { distinct = "user", where = { outcome = "failure", user_known = false } }
[[raise]]
severity = "low"
when = ["strangers >= 1"]
"#;

#[test]
fn a_filter_that_is_replaced_is_taken_in_while_a_log_is_watched() {
    let folder = folder();
    let filter = folder.path().join("known.users");
    let detector = folder.path().join("first.toml");
    fs::write(&detector, FIRST).expect("a detector");
    let mut watch = live::start(&[
        "watch",
        "--output",
        "json",
        "--detectors",
        shown(&detector),
        "--users",
        shown(&filter),
        "-",
    ]);
    let line = |source: &str, name: &str, rest: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-10T06:00:00Z\",\"event\":\"login_failed\",\"user\":\"{name}\",\
             \"src_ip\":\"{source}\"{rest}}}\n"
        )
    };
    let key = |found: &str| {
        let finding: Value = serde_json::from_str(found).expect("a finding");
        finding["unmapped"]["tidewatch"]["key"].as_str().expect("a key").to_owned()
    };
    // Of each round the second line is a stranger's by its own word: its finding says that the first was read.
    let mut rounds = 0..60_000_u32;
    let mut is_stranger = || {
        let n = rounds.next().expect("the new filter is never taken in");
        let [tried, told] = [0, 1].map(|part| format!("198.{}.{}.{}", 18 + part, n / 250, n % 250));
        let said = line(&told, "x", ",\"reason\":\"unknown user\"");
        watch.send((line(&tried, "customer7@shop.example", "") + &said).as_bytes());
        let first = key(&watch.next_line());
        if first == told {
            return false;
        }
        assert_eq!((first, key(&watch.next_line())), (tried, told));
        true
    };
    assert!(!is_stranger());
    assert_eq!(build(&folder, &["-"], b"somebody else\n").code, 0);
    while !is_stranger() {}
    watch.interrupt();
    let ran = watch.wait();
    let says = "known.users was replaced: from now on it knows 1 user\n";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
}
