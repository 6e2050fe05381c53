//! Everything that can be wrong with input: each fault is counted under its name, costs what it stands
//! in and nothing else, and takes bounded memory. Every good event around it is counted.

use std::fs;

use serde_json::{Value, json};
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::containers::{
    envelope, gzip, gzip_zeros, kinesis_event, node, record, record_base64,
};
use tidewatch_tests::events::{Event, PROFILE_SPAN_MS, crossings, log, shop};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

fn replay(arguments: &[&str], input: &[u8]) -> Ran {
    let fixed =
        ["replay", "--stats", "--output", "json", "--detectors", "tests/profiles/distinct20"];
    run(&[&fixed[..], arguments].concat(), input)
}

/// 600 good events that hold findings, in two halves.
fn good() -> (Vec<Event>, Vec<Event>) {
    let mut first = shop(41);
    first.truncate(2_000);
    let second = first.split_off(1_000);
    (first, second)
}

/// Checks that of an input with `bad` in its middle all the good events are counted, their findings
/// made, and `reasons` counted.
fn check(what: &str, ran: &Ran, reasons: &Value) {
    let (first, second) = good();
    let all = [first, second].concat();
    let truth = crossings(&all, PROFILE_SPAN_MS, 20);
    assert!(!truth.is_empty(), "the good events hold findings");
    let stats = ran.stats();
    assert_eq!(ran.code, 0, "{what}: {}", ran.stderr);
    assert_eq!(stats["signals"]["auth_attempt"], all.len(), "{what}: {stats}");
    assert_eq!(&stats["quarantined"], reasons, "{what}: {stats}");
    assert_eq!(ran.openings(), truth, "{what}");
    for reason in reasons.as_object().expect("reasons").keys() {
        let explained = format!("× {reason} (");
        assert!(ran.stderr.contains(&explained), "{what} is explained: {}", ran.stderr);
    }
}

/// A bad line among good ones.
fn check_line(what: &str, bad: &[u8], reasons: Value) {
    let (first, second) = good();
    let [first, second] = [first, second].map(|events| log(&events, Event::json));
    for end in ["\n", "\r\n"] {
        let input = [first.as_bytes(), bad, end.as_bytes(), second.as_bytes()].concat();
        check(what, &replay(&["-"], &input), &reasons);
    }
    // The last line of an input may lack its end.
    let input = [first.as_bytes(), second.as_bytes(), bad].concat();
    check(what, &replay(&["-"], &input), &reasons);
}

/// A bad record among good ones.
fn check_record(what: &str, bad: &Value, reasons: Value) {
    let (first, second) = good();
    let pack = |nth: usize, events: &[Event]| {
        let envelope = envelope(nth, events, Event::json);
        record(nth, &gzip(envelope.as_bytes()))
    };
    let records = [pack(1, &first), bad.clone(), pack(3, &second)];
    let ran = replay(&["-"], kinesis_event(&records).as_bytes());
    check(what, &ran, &reasons);
    assert_eq!(ran.stats()["records"], 3, "{what}");
}

/// A login whose name is the JSON `user`.
fn login(user: &str) -> String {
    format!(
        "{{\"timestamp\":\"2024-05-14T07:00:00Z\",\"event\":\"login_failed\",\"reason\":\
         \"unknown_user\",\"user\":{user},\"src_ip\":\"192.0.2.200\"}}"
    )
}

#[test]
fn bad_lines() {
    let quoted = |bytes: &[u8]| {
        let (head, tail) = login("\"@\"")
            .split_once('@')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a name");
        [head.as_bytes(), bytes, tail.as_bytes()].concat()
    };
    check_line("a name that is not UTF-8", &quoted(b"\xff\xfe"), json!({ "not_utf8": 1 }));
    check_line("half a character", &quoted(b"\xe2\x82"), json!({ "not_utf8": 1 }));
    check_line("a surrogate", &quoted(b"\xed\xa0\x80"), json!({ "not_utf8": 1 }));
    check_line("random bytes", &[0x80, 0, 0xfe, 0x1f, 0x8b], json!({ "not_utf8": 1 }));
    let long = quoted(&vec![b'x'; 2 * MIB]);
    check_line("a login of 2 MiB", &long, json!({ "line_too_long": 1 }));
    check_line("2 MiB of nothing", &vec![b' '; 2 * MIB], json!({}));
    check_line("2 MiB of x", &vec![b'x'; 2 * MIB], json!({ "line_too_long": 1 }));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    check_line("nested 10,000 deep", login(&deep).as_bytes(), json!({ "nesting": 1 }));
    let objects = format!("{}1{}", "{\"user\":".repeat(10_000), "}".repeat(10_000));
    check_line("10,000 objects", objects.as_bytes(), json!({ "nesting": 1 }));
    check_line("10,000 open brackets", "[{".repeat(5_000).as_bytes(), json!({ "nesting": 1 }));
    let prefixed = format!("[INFO]\t2024-05-14T07:00:00.000Z\treq\t{}", login(&deep));
    check_line("behind Lambda's prefix", prefixed.as_bytes(), json!({ "nesting": 1 }));
    let tailed = format!("2024-05-14T07:00:00 {}", login(&deep));
    check_line("behind a tail's time", tailed.as_bytes(), json!({ "nesting": 1 }));
    let broken = login("\"x\"").replace("\"src_ip\":", "\"src_ip\"");
    check_line("broken JSON", broken.as_bytes(), json!({ "json": 1 }));
    let cut = login("\"x\"");
    check_line("cut JSON", &cut.as_bytes()[..cut.len() - 3], json!({ "json": 1 }));
}

#[test]
fn bad_times() {
    let at = |time: &str| login("\"x\"").replace("2024-05-14T07:00:00Z", time);
    for time in ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z"] {
        check_line(time, at(time).as_bytes(), json!({ "time_too_early": 1 }));
    }
    for time in ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        check_line(time, at(time).as_bytes(), json!({ "time_in_future": 1 }));
    }
    for time in ["yesterday", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "12024-05-14T07:00Z"]
    {
        check_line(time, at(time).as_bytes(), json!({ "time_unreadable": 1 }));
    }
    let number = |n: &str| at("@").replace("\"@\"", n);
    check_line("the epoch", number("0").as_bytes(), json!({ "time_too_early": 1 }));
    check_line("a time before time", number("-5").as_bytes(), json!({ "time_too_early": 1 }));
    check_line("null", number("null").as_bytes(), json!({ "time_missing": 1 }));
    check_line("1e999", number("1e999").as_bytes(), json!({ "json": 1 }));
    let missing = at("@").replace("\"timestamp\":\"@\",", "");
    check_line("no time", missing.as_bytes(), json!({ "time_missing": 1 }));
    // A rejected time moves nothing: good events after one of 2099 are not late.
    let (first, second) = good();
    let input = at("2099-01-01T00:00:00Z") + "\n" + &log(&first, Event::json);
    let ran = replay(&["-"], (input + &log(&second, Event::json)).as_bytes());
    check("2099 first", &ran, &json!({ "time_in_future": 1 }));
    assert_eq!(ran.stats()["late"], 0);
}

#[test]
fn bad_envelopes() {
    let (first, _) = good();
    let event = Event { source: "192.0.2.200".to_owned(), ..first[0].clone() };
    let envelope = envelope(9, &[event], Event::json);
    let without = |field: &str| {
        let mut value: Value = serde_json::from_str(&envelope).expect("JSON");
        value.as_object_mut().expect("an object").remove(field).expect("the field");
        value.to_string()
    };
    for field in ["messageType", "owner", "logGroup", "logStream", "logEvents"] {
        let bad = without(field);
        check_line(field, bad.as_bytes(), json!({ "envelope": 1 }));
        check_record(field, &record(2, &gzip(bad.as_bytes())), json!({ "envelope": 1 }));
    }
    for (field, value) in [("owner", json!(7)), ("logEvents", json!({})), ("logStream", json!([]))]
    {
        let mut bad: Value = serde_json::from_str(&envelope).expect("JSON");
        bad[field] = value;
        check_record(field, &record(2, bad.to_string().as_bytes()), json!({ "envelope": 1 }));
    }
    let cut = &envelope.as_bytes()[..envelope.len() - 40];
    check_line("a cut envelope", cut, json!({ "envelope": 1 }));
    check_record("a cut envelope", &record(2, cut), json!({ "envelope": 1 }));
    let deep = envelope.replace("[\"all\"]", &"[".repeat(10_000));
    check_record("a deep envelope", &record(2, deep.as_bytes()), json!({ "nesting": 1 }));
    check_line("a deep envelope", deep.as_bytes(), json!({ "nesting": 1 }));
    let early = envelope.replace("\"timestamp\":1", "\"timestamp\":-1");
    let early = record(2, early.as_bytes());
    check_record("an event of before 1970", &early, json!({ "time_too_early": 1 }));
}

/// An event that cannot be read costs that event, not its envelope.
#[test]
fn bad_events_in_good_envelopes() {
    let (first, second) = good();
    let all = [first, second].concat();
    for bad in [
        json!({ "timestamp": 1, "message": "login" }),
        json!({ "id": "1", "message": "login" }),
        json!({ "id": "1", "timestamp": 1 }),
        json!({ "id": "1", "timestamp": "soon", "message": "login" }),
        json!({ "id": "1", "timestamp": 1.5, "message": "login" }),
        json!({ "id": "1", "timestamp": 1, "message": ["login"] }),
        json!({ "id": null, "timestamp": 1, "message": "login" }),
        json!("login"),
        json!(null),
        json!([[]]),
    ] {
        let mut value: Value =
            serde_json::from_str(&envelope(1, &all, Event::json)).expect("an envelope");
        let events = value["logEvents"].as_array_mut().expect("events");
        events.insert(700, bad.clone());
        let ran = replay(&["-"], value.to_string().as_bytes());
        check(&bad.to_string(), &ran, &json!({ "envelope": 1 }));
    }
}

#[test]
fn bad_records() {
    let (first, _) = good();
    let event = Event { source: "192.0.2.200".to_owned(), ..first[0].clone() };
    let packed = gzip(envelope(9, std::slice::from_ref(&event), Event::json).as_bytes());
    let cut = record(2, &packed[..packed.len() / 2]);
    check_record("a truncated record", &cut, json!({ "gzip_truncated": 1 }));
    let only_head = record(2, &packed[..5]);
    check_record("a gzip header", &only_head, json!({ "gzip_truncated": 1 }));
    let mut damaged = packed.clone();
    damaged[20..24].fill(0xff);
    let found = replay(&["-"], kinesis_event(&[record(2, &damaged)]).as_bytes());
    assert_eq!((found.code, found.quarantined("gzip_corrupt")), (0, 1), "{}", found.stderr);
    for rotten in ["!!!!", "AAA", "H4sI AAAA", "Zm9v\\u0000", "\u{20ac}"] {
        check_record(rotten, &record_base64(2, rotten), json!({ "base64": 1 }));
    }
    check_record("no data", &record_base64(2, ""), json!({}));
    for broken in [json!({}), json!({ "kinesis": {} }), json!({ "kinesis": { "data": 7 } })] {
        check_record(&broken.to_string(), &broken, json!({ "kinesis_event": 1 }));
    }
    for broken in [json!(null), json!(7), json!([])] {
        check_record(&broken.to_string(), &broken, json!({ "kinesis_event": 1 }));
    }
    let inside = kinesis_event(&[record(7, &packed)]);
    check_record("a record in a record", &record(2, inside.as_bytes()), json!({}));
}

#[test]
fn control_messages_are_skipped_and_counted() {
    let control = json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{ "id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health" }],
    });
    check_line("a control message", control.to_string().as_bytes(), json!({}));
    check_record("a control message", &record(2, &gzip(control.to_string().as_bytes())), json!({}));
    let ran = replay(&["-"], control.to_string().as_bytes());
    assert_eq!(ran.stats()["control_messages"], 1);
    assert_eq!(ran.stats()["lines"], 0);
}

/// Lines of up to 16 MiB may be events; beyond that they are given up, wherever they end.
#[test]
fn event_lines_beyond_the_cap() {
    let (first, _) = good();
    let event = Event { user: "x".repeat(20 * MIB), ..first[0].clone() };
    let huge = envelope(9, &[event], Event::json);
    check_line("an envelope of 20 MiB", huge.as_bytes(), json!({ "event_too_long": 1 }));
    let padded = kinesis_event(&[record(2, &vec![b'x'; 16 * MIB])]);
    check_line("an event of 22 MiB", padded.as_bytes(), json!({ "event_too_long": 1 }));
    let spaces = vec![b' '; 40 * MIB];
    check_line("40 MiB of spaces", &spaces, json!({ "event_too_long": 1 }));
    // A good event just below the cap is read.
    let (first, second) = good();
    let filler = "y".repeat(15 * MIB);
    let all = [first, second].concat();
    let mut value: Value = serde_json::from_str(&envelope(1, &all, node)).expect("JSON");
    value["padding"] = filler.into();
    check("an envelope of 15 MiB", &replay(&["-"], value.to_string().as_bytes()), &json!({}));
}

#[test]
fn broken_gzip_files_give_what_came_before_the_break() {
    let (first, second) = good();
    let [first, second] = [first, second].map(|events| log(&events, Event::json));
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("log.gz");
    let path = path.to_str().expect("a path");
    let whole = gzip((first.clone() + &second).as_bytes());
    for (what, bytes, reason) in [
        ("garbage behind", [&whole[..], b"not gzip at all"].concat(), "gzip_corrupt"),
        ("half a member behind", [&whole[..], &whole[..50]].concat(), "gzip_truncated"),
        ("without its trailer", whole[..whole.len() - 8].to_vec(), "gzip_truncated"),
    ] {
        fs::write(path, bytes).expect("a file");
        check(what, &replay(&[path], b""), &json!({ reason: 1 }));
    }
    // Cut in the middle of the deflate stream: most lines before the cut are there, the other input
    // is whole, and the exit code is 0.
    let cut = gzip(first.as_bytes());
    fs::write(path, &cut[..cut.len() / 2]).expect("a file");
    let ran = replay(&[path, "-"], second.as_bytes());
    let attempts = ran.stats()["signals"]["auth_attempt"].as_u64().expect("a count");
    assert_eq!((ran.code, ran.quarantined("gzip_truncated")), (0, 1), "{}", ran.stderr);
    assert!((1_250..1_750).contains(&attempts), "{attempts} of 2,000 attempts");
    let mut flipped = cut.clone();
    flipped[cut.len() / 2] ^= 0xff;
    fs::write(path, &flipped).expect("a file");
    let ran = replay(&[path, "-"], second.as_bytes());
    let broken = ran.quarantined("gzip_corrupt") + ran.quarantined("gzip_truncated");
    assert_eq!((ran.code, broken), (0, 1), "{}", ran.stderr);
    assert!(ran.stats()["signals"]["auth_attempt"].as_u64() >= Some(1_000), "{}", ran.stderr);
}

#[test]
fn a_bomb_as_a_record_is_counted() {
    let bomb = gzip_zeros(GIB);
    assert!(bomb.len() < 2 * MIB, "1 GiB in {} KiB", bomb.len() / KIB);
    check_record("a bomb", &record(2, &bomb), json!({ "inflate_cap": 1 }));
    // Twice the cap, in members that each fit: what fits is read, a line of 16 MiB.
    let members = record(2, &gzip_zeros(8 * MIB).repeat(4));
    check_record("many members", &members, json!({ "inflate_cap": 1, "line_too_long": 1 }));
}

#[test]
fn nothing_at_all_is_no_error() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("empty");
    let path = path.to_str().expect("a path");
    let nothing = [&b""[..], b"\n", b"\r\n\r\n", b"  \n\t\n", &gzip(b""), &gzip(b"\n\n")];
    for bytes in nothing {
        fs::write(path, bytes).expect("a file");
        let ran = replay(&[path, "/dev/null", "-"], b"");
        let stats = ran.stats();
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{bytes:?}: {}", ran.stderr);
        assert_eq!((&stats["lines"], &stats["quarantined"]), (&json!(0), &json!({})), "{bytes:?}");
    }
}
