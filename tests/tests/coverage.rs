//! `tidewatch coverage`, as the real binary: what it says of each group against what was written into it, in
//! every form of input; samples against the lines they are of; and no value of what should not be logged,
//! anywhere in what it prints.

use std::fs;

use base64_simd::STANDARD;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::containers::gzip;

/// What should not be logged, each kind with a value of it and the line around.
const SPILLED: [(&str, &str, &str); 8] = [
    ("password", "c0rrect-horse", r#"{"msg":"got","body":{"password":"@"}}"#),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl", "token @ refused"),
    ("bearer_token", "7c9e6679f4f0a1b2c3d4e5f6", "authorization: Bearer @"),
    ("aws_access_key_id", "AKIAIOSFODNN7EXAMPLE", "signed with @"),
    ("aws_secret_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key=@"),
    ("card_number", "4111 1111 1111 1111", "card number: @ was declined"),
    ("session_cookie", "0123456789ABCDEF0123", "cookie: theme=dark; JSESSIONID=@"),
    ("email_address", "bob.lee@shop.example", "receipt sent to @"),
];

fn coverage(arguments: &[&str], input: &[u8]) -> Ran {
    let ran = run(&[&["coverage"], arguments, &["-"]].concat(), input);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// The groups in JSON.
fn groups(arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let ran = coverage(&[&["--output", "json"], arguments].concat(), input);
    let whole: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    whole["groups"].as_array().expect("groups").clone()
}

fn envelope(group: &str, messages: &[String]) -> String {
    let events = messages.iter().enumerate().map(|(nth, message)| {
        json!({"id": format!("{group}-{nth}"), "timestamp": 1_794_290_400_000u64 + nth as u64, "message": message})
    });
    json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group, "logStream": "s1",
        "subscriptionFilters": ["all"], "logEvents": events.collect::<Vec<_>>(),
    })
    .to_string()
}

fn login(user: &str, more: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-10T06:00:00Z","event":"login_failed","reason":"bad_password","user":"{user}"{more}}}"#
    )
}

fn report(nth: u64) -> String {
    format!(
        "REPORT RequestId: {nth:08x}-0000-4697-b07a-ac58fc914c95\tDuration: 1.00 ms\tBilled Duration: 2 ms\t\
         Memory Size: 128 MB\tMax Memory Used: 30 MB\t\n"
    )
}

/// Three groups: one with logins that leave things out, one with reports alone, one with nothing.
fn account() -> [(&'static str, Vec<String>); 3] {
    let source = r#","src_ip":"192.0.2.7""#;
    let shop = vec![
        login("ann", source),
        login("bob@shop.example", source),
        login("ann", ""),
        login("***", source),
        r#"{"event":"login_attempt","user":"ann","src_ip":"192.0.2.7"}"#.to_owned(),
        "cart 17 opened".to_owned(),
        report(1),
    ];
    let resize = (0..5).map(report).chain([r#"{"path":"/x","sourceIp":"192.0.2.7"}"#.to_owned()]);
    let jobs = ["job 1 started", "job 1 ended"].map(str::to_owned);
    [
        ("/aws/lambda/jobs", jobs.to_vec()),
        ("/aws/lambda/resize", resize.collect()),
        ("/aws/lambda/shop", shop),
    ]
}

#[test]
fn each_group_is_told_by_what_it_carries() {
    let envelopes: Vec<String> =
        account().iter().map(|(name, lines)| envelope(name, lines)).collect();
    let found = groups(&[], envelopes.join("\n").as_bytes());
    let shown: Vec<(&str, &str)> = found
        .iter()
        .map(|group| {
            (group["name"].as_str().expect("a name"), group["verdict"].as_str().expect("one"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("/aws/lambda/jobs", "nothing Tidewatch reads"),
            ("/aws/lambda/resize", "carries costs only"),
            ("/aws/lambda/shop", "carries logins"),
        ]
    );
    let [jobs, resize, shop] = &found[..] else { panic!("three groups") };
    assert_eq!((&jobs["lines"], &jobs["account"]), (&json!(2), &json!("123456789012")));
    assert_eq!((&resize["invocations"], &resize["access"]), (&json!(5), &json!(1)));
    assert_eq!(shop["auth"], json!({"lines": 4, "formats": {"json": 4}}));
    assert_eq!((&shop["undecided"], &shop["auth_events"]), (&json!(1), &json!(5)));
    let lack = json!({"time": 0, "source": 1, "user": 1, "outcome": 1, "account_exists": 0});
    assert_eq!(shop["lack"], lack);
    let mails = &shop["should_not_be_logged"];
    let first = json!({"log_stream": "s1", "event_id": "/aws/lambda/shop-1"});
    assert_eq!(*mails, json!({"email_as_user": {"lines": 1, "values": 1, "first": first}}));
    let text = coverage(&[], envelopes.join("\n").as_bytes()).stdout;
    for part in [
        "/aws/lambda/shop in 123456789012: carries logins\n  lines      7\n  logins     4 (57.1 %): json 4\n",
        "they lack  source 1 (20.0 %), user 1 (20.0 %), outcome 1 (20.0 %)\n",
        "log the client's address",
        "the first at event /aws/lambda/shop-1 of s1",
        "/aws/lambda/jobs in 123456789012: nothing Tidewatch reads",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The same events in every form in which `replay` takes them say the same.
#[test]
fn every_form_of_input_says_the_same() {
    let account = account();
    let envelopes: Vec<String> =
        account.iter().map(|(name, lines)| envelope(name, lines)).collect();
    let plain = groups(&[], envelopes.join("\n").as_bytes());
    let records = envelopes.iter().enumerate().map(|(nth, envelope)| {
        let data = STANDARD.encode_to_string(gzip(envelope.as_bytes()));
        json!({"kinesis": {"sequenceNumber": nth.to_string(), "data": data}})
    });
    let event = json!({"Records": records.collect::<Vec<_>>()}).to_string();
    for (what, bytes) in [
        ("envelopes without line ends", envelopes.concat().into_bytes()),
        ("gzip", gzip(envelopes.join("\n").as_bytes())),
        ("a Kinesis event", event.into_bytes()),
    ] {
        assert_eq!(groups(&[], &bytes), plain, "{what}");
    }
    // Without log groups all lines are the input's; times and streams in front change nothing.
    let lines: Vec<&str> = account[2].1.iter().map(|line| line.trim_end()).collect();
    let tailed: Vec<String> =
        lines.iter().map(|line| format!("2026-11-10T06:00:00+00:00 s1 {line}")).collect();
    for (what, text) in [("lines", lines.join("\n")), ("aws logs tail", tailed.join("\n"))] {
        let found = groups(&[], text.as_bytes());
        let [group] = &found[..] else { panic!("{what}: {found:?}") };
        assert_eq!((&group["name"], &group["kind"]), (&json!("-"), &json!("input")), "{what}");
        for part in ["lines", "auth", "undecided", "invocations", "access", "verdict"] {
            assert_eq!(group[part], plain[2][part], "{what}: {part}");
        }
    }
}

#[test]
fn what_should_not_be_logged_is_counted_and_never_printed() {
    let folder = tempdir().expect("a folder");
    for (kind, value, line) in SPILLED {
        let line = line.replace('@', value);
        let lines = format!("started\n{line}\nnothing\n{line} {line}\n");
        let path = folder.path().join(format!("{kind}.log"));
        fs::write(&path, &lines).expect("written");
        let path = path.to_str().expect("UTF-8");
        let ran = run(&["coverage", "--output", "json", path], b"");
        let whole: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
        let mut found = whole["groups"][0]["should_not_be_logged"].clone();
        let values = found[kind]["values"].take().as_u64().expect("a count");
        let first = json!({"input": path, "offset": 8});
        assert_eq!(found, json!({kind: {"lines": 2, "values": null, "first": first}}));
        assert!((2..=3).contains(&values), "{kind}: {values}");
        let text = run(&["coverage", path], b"");
        assert!(text.stdout.contains("2 lines with "), "{kind}: {}", text.stdout);
        // Neither the value nor any four characters of it.
        let printed =
            [&ran.stdout, &ran.stderr, &text.stdout, &text.stderr].map(|it| it.replace(path, ""));
        let chars: Vec<char> = value.chars().collect();
        for part in chars.windows(4).map(|part| part.iter().collect::<String>()) {
            let is_word = part.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let shown = printed.iter().find(|printed| !is_word && printed.contains(&part));
            assert_eq!(shown, None, "{kind}: {part}");
        }
    }
}

/// What is random, in many groups: no group of ids, times and order numbers holds a secret, however many there
/// are. One in ten of such numbers passes a card's check.
#[test]
fn ids_times_and_order_numbers_are_no_secrets() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for seed in 0..40 {
        let count = random.random_range(20..400);
        let lines = (0..count).map(|_| {
            let (a, b) = (random.random::<u128>(), random.random::<u128>());
            let order = random.random_range(2_000_000_000_000_000u64..7_000_000_000_000_000);
            let ms = random.random_range(1_700_000_000_000u64..1_800_000_000_000);
            let uuid = format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a as u32, b as u16, (a >> 32) as u16, (b >> 32) as u16, a >> 80);
            format!(r#"{{"trace":"{a:032x}","id":"{uuid}","order":{order},"at":{ms},"etag":"{a:032x}{b:08x}","n":"{order}"}}"#)
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let found = groups(&[], text.as_bytes());
        assert_eq!(found[0]["should_not_be_logged"], json!({}), "seed {seed}");
    }
}

/// A number without a label is a card's where such numbers pass the check, and not by chance.
#[test]
fn numbers_without_a_label_are_told_together() {
    let cards = ["4111111111111111", "5555555555554444", "378282246310005", "6011000990139424"];
    let lines: Vec<String> = cards.iter().map(|card| format!("paid with {card} at last")).collect();
    let found = groups(&[], lines.join("\n").as_bytes());
    assert_eq!(found[0]["should_not_be_logged"]["card_number"]["lines"], 4);
}

/// A sample is one of each 2^k lines of a group, with the least k that gives no more than were asked for, wherever
/// the input is cut; and where each fourth line is a login, about a fourth of it is.
#[test]
fn a_sample_is_spread_over_the_lines_whatever_their_rhythm() {
    const LINES: usize = 12_000;
    let lines: Vec<String> = (0..LINES)
        .map(|nth| match nth % 4 {
            0 => login(&format!("user{nth}"), r#","src_ip":"192.0.2.7""#),
            1 => format!("receipt {nth} sent to ann{nth}@shop.example"),
            _ => format!("cart {nth} opened"),
        })
        .collect();
    let plain = lines.join("\n");
    let whole = groups(&[], plain.as_bytes());
    let cut: Vec<String> = lines.chunks(37).map(|part| envelope("/g", part)).collect();
    let enveloped = cut.join("\n");
    for sample in [1, 2, 10, 750, 1_000, 5_999, 6_000, LINES - 1, LINES] {
        let count = sample.to_string();
        let found = groups(&["--sample", &count], plain.as_bytes());
        let number = |field: &str| found[0][field].as_u64().expect("a number") as usize;
        let (looked_at, every) = (number("looked_at"), number("every"));
        assert_eq!(number("lines"), LINES);
        assert!(looked_at <= sample && every.is_power_of_two(), "{looked_at} of {sample}");
        assert!(looked_at.abs_diff(LINES / every) <= 1, "{looked_at}: one in {every}");
        assert!(every == 1 || LINES / (every / 2) + 1 > sample, "{sample}: one in {every}");
        let packed = groups(&["--sample", &count], enveloped.as_bytes());
        for part in ["lines", "looked_at", "every", "auth", "lack", "access", "undecided"] {
            assert_eq!(packed[0][part], found[0][part], "{sample}: {part}");
        }
        let mails = &found[0]["should_not_be_logged"]["email_address"]["lines"];
        let mails = mails.as_u64().unwrap_or(0) as usize;
        let logins = found[0]["auth"]["lines"].as_u64().expect("a number") as usize;
        if looked_at >= 700 {
            for part in [logins, mails] {
                assert!(part.abs_diff(looked_at / 4) < looked_at / 20, "{part} of {looked_at}");
            }
        }
        if sample == LINES {
            assert_eq!(found, whole);
        }
    }
}

#[test]
fn faults_are_said_and_the_rest_is_looked_at() {
    let folder = tempdir().expect("a folder");
    let there = folder.path().join("there.log");
    fs::write(&there, login("ann", "")).expect("written");
    let (there, gone) = (there.to_str().expect("UTF-8"), "/nowhere/gone.log");
    let ran = run(&["coverage", gone, there], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("cannot read /nowhere/gone.log"), "{}", ran.stderr);
    assert!(ran.stdout.contains("there.log: carries logins"), "{}", ran.stdout);
    for arguments in [
        &["coverage"][..],
        &["coverage", "--sample", "0", there],
        &["coverage", "--input", "x", there],
    ] {
        assert_eq!(run(arguments, b"").code, 2, "{arguments:?}");
    }
    assert!(run(&["coverage", "-"], b"").stdout.contains("no lines"), "nothing is there");
    // Lines that are no text, and gzip that breaks off.
    let mut bytes = b"caf\xe9 \xff\n".to_vec();
    bytes.extend_from_slice(login("ann", "").as_bytes());
    let found = groups(&[], &bytes);
    assert_eq!((&found[0]["lines"], &found[0]["unread"]), (&json!(2), &json!({"not_utf8": 1})));
    let packed = gzip(login("ann", "").as_bytes());
    let ran = coverage(&[], &packed[..packed.len() - 4]);
    assert!(ran.stdout.contains("gzip_truncated"), "{}", ran.stdout);
    // A name of a log group that would steer a terminal is shown.
    let text = coverage(&[], envelope("/g\u{1b}[31m", &["x".to_owned()]).as_bytes()).stdout;
    assert!(!text.contains('\u{1b}') && text.contains("/g"), "{text}");
}
