//! The same events in every container give the same findings, and those an oracle computes from the
//! events alone. Each container is recognised by its content.

use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::containers::{
    envelope, envelopes, gzip, gzip_members, kinesis_event, kinesis_events, node, python, record,
    tail_detailed, tail_short,
};
use tidewatch_tests::events::{Event, PROFILE_SPAN_MS, Said, crossings, log, shop};

const SEEDS: [u64; 2] = [11, 12];

fn replay(more: &[&str], input: &[u8]) -> Ran {
    let mut arguments =
        vec!["replay", "-", "--detectors", "tests/profiles/distinct20", "--output", "json"];
    arguments.extend(["--stats", "--usernames", "exact"]);
    arguments.extend(more);
    run(&arguments, input)
}

/// Every form the events come in, by the `--input` that names it.
fn forms(events: &[Event]) -> Vec<(&'static str, &'static str, String)> {
    let one_a_line = envelopes(events, 37).join("\n") + "\n";
    let plain = |nth: usize, chunk: &[Event]| record(nth, log(chunk, Event::json).as_bytes());
    let twice_packed = |nth: usize, chunk: &[Event]| {
        let text = envelopes(chunk, 10).concat();
        record(nth, &gzip_members(text.as_bytes(), 3))
    };
    let chunks = |pack: &dyn Fn(usize, &[Event]) -> serde_json::Value| {
        let records: Vec<_> = events.chunks(50).enumerate().map(|(n, c)| pack(n, c)).collect();
        records.chunks(7).map(|records| kinesis_event(records) + "\n").collect::<String>()
    };
    vec![
        ("JSON lines", "lines", log(events, Event::json)),
        ("sshd with ISO times", "lines", log(events, Event::sshd)),
        ("Lambda's Node prefix", "lines", log(events, node)),
        ("Lambda's Python prefix", "lines", log(events, python)),
        ("CRLF", "lines", log(events, Event::json).replace('\n', "\r\n")),
        ("aws logs tail, detailed", "aws-tail", log(events, tail_detailed)),
        ("envelopes, one a line", "envelopes", one_a_line),
        ("envelopes without line ends", "envelopes", envelopes(events, 100).concat()),
        ("envelopes of sshd lines", "envelopes", envelope(0, events, Event::sshd)),
        ("envelopes of Node lines", "envelopes", envelope(0, events, node)),
        ("Kinesis events", "kinesis-events", kinesis_events(events, 100)),
        ("Kinesis records of plain lines", "kinesis-events", chunks(&plain)),
        ("Kinesis records of several envelopes", "kinesis-events", chunks(&twice_packed)),
    ]
}

#[test]
fn every_container_gives_what_the_oracle_says() {
    for seed in SEEDS {
        let events = shop(seed);
        let truth = crossings(&events, PROFILE_SPAN_MS, 20);
        assert!((5..40).contains(&truth.len()), "seed {seed} plants {} scans", truth.len());
        for (name, kind, text) in forms(&events) {
            let packed = [
                text.clone().into_bytes(),
                gzip(text.as_bytes()),
                gzip_members(text.as_bytes(), 5),
            ];
            for (packing, bytes) in ["plain", "gzip", "several members"].iter().zip(packed) {
                let ran = replay(&[], &bytes);
                let what = format!("seed {seed}, {name}, {packing}: {}", ran.stderr);
                assert_eq!(ran.code, 0, "{what}");
                assert_eq!(ran.openings(), truth, "{what}");
                assert_eq!(ran.stats()["signals"]["auth_attempt"], events.len(), "{what}");
                assert_eq!(ran.stats()["quarantined"], serde_json::json!({}), "{what}");
            }
            let told = replay(&["--input", kind], text.as_bytes());
            assert_eq!(told.openings(), truth, "seed {seed}, {name}, --input {kind}");
        }
    }
}

/// `--format short` prints whole seconds only, so the truth is that of whole seconds.
#[test]
fn tailed_short_lines_give_what_the_oracle_says_of_whole_seconds() {
    for seed in SEEDS {
        let events = shop(seed);
        let whole = |event: &Event| Event { ms: event.ms / 1_000 * 1_000, ..event.clone() };
        let truth = crossings(&events.iter().map(whole).collect::<Vec<_>>(), PROFILE_SPAN_MS, 20);
        let text = log(&events, tail_short);
        for (arguments, bytes) in [
            (&[][..], text.clone().into_bytes()),
            (&["--input", "aws-tail"], text.clone().into_bytes()),
            (&[], gzip(text.as_bytes())),
        ] {
            assert_eq!(replay(arguments, &bytes).openings(), truth, "seed {seed} {arguments:?}");
        }
    }
}

#[test]
fn a_wrong_input_kind_is_counted_and_nothing_else() {
    let events = &shop(SEEDS[0])[..200];
    let forms = forms(events);
    for (name, right, text) in &forms {
        for wrong in ["lines", "aws-tail", "envelopes", "kinesis-events"] {
            // What begins with a time could be a tailed line.
            if wrong == *right || (wrong == "aws-tail" && name.contains("ISO times")) {
                continue;
            }
            let ran = replay(&["--input", wrong], text.as_bytes());
            assert_eq!(ran.code, 0, "{name} as {wrong}");
            assert_eq!(ran.stats()["signals"]["auth_attempt"], 0, "{name} as {wrong}");
            // A log line may be anything at all, so a tailed line is a line that says nothing.
            if wrong == "lines" && *right == "aws-tail" {
                continue;
            }
            let lines = text.lines().count() as u64;
            assert_eq!(ran.quarantined("wrong_kind"), lines, "{name} as {wrong}: {}", ran.stderr);
            assert!(ran.stderr.contains("not what --input says it is"), "{}", ran.stderr);
        }
    }
}

#[test]
fn one_input_may_mix_all_containers() {
    let events = shop(SEEDS[1]);
    let truth = crossings(&events, PROFILE_SPAN_MS, 20);
    let mut text = String::new();
    for (nth, chunk) in events.chunks(40).enumerate() {
        text += &match nth % 6 {
            0 => log(chunk, Event::json),
            1 => log(chunk, tail_detailed),
            2 => envelope(nth, chunk, Event::json) + "\n",
            3 => kinesis_events(chunk, 10),
            4 => log(chunk, python).replace('\n', "\r\n"),
            _ => log(chunk, Event::sshd),
        };
    }
    assert_eq!(replay(&[], text.as_bytes()).openings(), truth);
}

#[test]
fn what_an_envelope_holds_besides_does_not_matter() {
    let events = shop(SEEDS[0]);
    let truth = crossings(&events, PROFILE_SPAN_MS, 20);
    let odd: Vec<String> = envelopes(&events, 64)
        .iter()
        .map(|envelope| {
            let mut value: serde_json::Value = serde_json::from_str(envelope).expect("JSON");
            value["@aws.account"] = "123456789012".into();
            value["extractedFields"] = serde_json::json!({ "logEvents": [1, { "id": "x" }] });
            // Keys come out sorted, so logEvents stand before messageType.
            serde_json::to_string_pretty(&value).expect("JSON").replace('\n', "")
        })
        .collect();
    let ran = replay(&[], odd.join("\n").as_bytes());
    assert_eq!(ran.openings(), truth, "{}", ran.stderr);
    assert_eq!(ran.stats()["envelopes"], odd.len());
}

#[test]
fn what_is_delivered_twice_is_counted_once() {
    let events: Vec<Event> = shop(SEEDS[0])
        .into_iter()
        .filter(|event| event.said == Said::UnknownUser)
        .take(15)
        .map(|event| Event { source: "203.0.113.9".to_owned(), ..event })
        .collect();
    assert_eq!(events.len(), 15);
    // The same envelope three times, under sequence numbers of their own: 45 failures would raise.
    let envelope = gzip(envelopes(&events, 100).concat().as_bytes());
    let copies: Vec<_> = (0..3).map(|nth| record(nth, &envelope)).collect();
    let ran = run(
        &["replay", "-", "--output", "json", "--stats"],
        (kinesis_event(&copies) + "\n").as_bytes(),
    );
    let stats = ran.stats();
    assert_eq!(
        (stats["signals"]["auth_attempt"].as_u64(), stats["repeated"].as_u64()),
        (Some(45), Some(30))
    );
    let failures = ran
        .findings()
        .iter()
        .all(|finding| finding["unmapped"]["tidewatch"]["detector"] != "brute-force");
    assert!(failures, "{}", ran.stdout);
    assert!(ran.stderr.contains("30 log event(s) were delivered twice and counted once"));
}
