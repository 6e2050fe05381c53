//! Envelopes, damaged ones too, and the scanner against serde.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::places::{scan_envelope, serde_envelope};
use super::*;
use crate::check::{check, envelope, gzip, naming, read_record, refusal, sshd};
use crate::nesting::{Extent, extent};
use crate::{Config, OwnGroup};

mod shortcuts;

fn two() -> Value {
    envelope(1, &[refusal("192.0.2.1"), sshd("192.0.2.2")])
}

#[test]
fn events_become_signals_at_the_envelopes_time() {
    let mut odd = envelope(5, &["START RequestId: 1\n".to_owned(), refusal("192.0.2.5") + "\n"]);
    odd["@aws.account"] = json!({"deep": [1, {"id": "x"}]});
    odd["logEvents"][1]["extractedFields"] = json!({"id": "no", "message": refusal("192.0.2.9")});
    odd["logEvents"][1]["id"] = json!(37);
    let control = json!({"messageType": "CONTROL_MESSAGE", "logEvents": []});
    let payload = format!("{}\n{control} {odd:#}\n\n", two());
    check(
        &read_record(&gzip(payload)),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.2 Failure i-0 e2 At(Time(1000))
        192.0.2.5 Failure i-0 37 At(Time(1000))
        bytes_inflated 1288
        envelopes 2
        control_messages 1
        records 1
        lines 4
    "#]],
    );
}

#[test]
fn a_damaged_event_costs_that_event() {
    let mut payload = envelope(1, &[refusal("192.0.2.1"), refusal("192.0.2.2")]);
    let good = payload["logEvents"][1].clone();
    let mut events = vec![payload["logEvents"][0].clone(), json!(1), json!([]), json!(null)];
    for field in ["id", "timestamp", "message"] {
        let mut missing = good.clone();
        missing.as_object_mut().expect("an object").remove(field);
        events.push(missing);
        for wrong in [json!(null), json!({}), json!(1.5), json!([good])] {
            let mut event = good.clone();
            event[field] = wrong;
            events.push(event);
        }
    }
    let mut broken_json = good.clone();
    broken_json["message"] = json!(refusal("192.0.2.3").replace("}", ""));
    let mut deep = good.clone();
    deep["message"] = json!(format!("{{\"login\":{}", "[".repeat(10_000)));
    events.extend([broken_json, deep, good]);
    payload["logEvents"] = json!(events);
    check(
        &read_record(payload.to_string().as_bytes()),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.2 Failure i-0 e2 At(Time(1000))
        envelopes 1
        records 1
        lines 22
        nesting 1 [/app/auth i-0: event e2]
        json 1 [/app/auth i-0: event e2]
        envelope 18 [/app/auth i-0: event number 1]
    "#]],
    );
}

#[test]
fn a_damaged_envelope_costs_that_envelope() {
    let mut all = two().to_string();
    for field in ["messageType", "owner", "logGroup", "logStream", "logEvents"] {
        for wrong in [None, Some(json!(null)), Some(json!(7)), Some(json!({}))] {
            let mut envelope = two();
            match wrong {
                None => drop(envelope.as_object_mut().expect("an object").remove(field)),
                Some(wrong) => envelope[field] = wrong,
            }
            all += &envelope.to_string();
        }
    }
    all += &envelope(3, &[refusal("192.0.2.3")]).to_string();
    check(
        &read_record(all.as_bytes()),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.2 Failure i-0 e2 At(Time(1000))
        192.0.2.3 Failure i-0 e3 At(Time(0))
        envelopes 2
        records 1
        lines 3
        envelope 20 [record]
    "#]],
    );
}

#[test]
fn reading_goes_on_at_the_next_envelope() {
    // As CloudWatch writes them, the type first.
    let envelope = |source: &str| {
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{{"id":"1","timestamp":1,"message":{}}}]}}"#,
            json!(sshd(source))
        )
    };
    let good = envelope("192.0.2.1");
    let cut = &good[..good.len() - 30];
    let deep = format!(r#"{{"messageType":"DATA_MESSAGE","x":{}"#, "[".repeat(10_000));
    let all = [&good, cut, &good, &deep, &good, "rubbish", &good, "{"].concat();
    check(
        &read_record(all.as_bytes()),
        expect![[r#"
        192.0.2.1 Failure s 1 At(Time(1))
        192.0.2.1 Failure s 1 At(Time(1))
        192.0.2.1 Failure s 1 At(Time(1))
        192.0.2.1 Failure s 1 At(Time(1))
        envelopes 4
        records 1
        lines 4
        nesting 1 [record]
        envelope 3 [record]
    "#]],
    );
    // Looking on has its own limit.
    let hostile = good.clone() + &r#"{"messageType"\"\""#.repeat(100_000);
    check(
        &read_record(hostile.as_bytes()),
        expect![[r#"
        192.0.2.1 Failure s 1 At(Time(1))
        envelopes 1
        records 1
        lines 1
        envelope 16 [record]
    "#]],
    );
}

#[test]
fn bytes_that_are_not_utf8_cost_their_event() {
    let messages = [sshd("192.0.2.1"), "caf\u{e9}".to_owned(), sshd("192.0.2.2")];
    let mut payload = envelope(1, &messages).to_string().into_bytes();
    let at = payload.windows(2).position(|w| w == "\u{e9}".as_bytes()).expect("the letter");
    payload[at] = 0xff;
    check(
        &read_record(&payload),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.2 Failure i-0 e3 At(Time(2000))
        envelopes 1
        records 1
        lines 3
        not_utf8 1 [/app/auth i-0: event number 1]
    "#]],
    );
}

#[test]
fn the_same_event_has_the_same_tag_wherever_it_comes_from() {
    let read = |payload: &Value| -> Vec<_> {
        let batch = read_record(&gzip(payload.to_string()));
        batch.signals.iter().map(|signal| signal.event).collect()
    };
    let mut other = two();
    assert_eq!(read(&other), read(&two()));
    other["subscriptionFilters"] = json!(["another"]);
    assert_eq!(read(&other), read(&two()));
    for field in ["owner", "logGroup", "logStream"] {
        let mut other = two();
        other[field] = json!("else");
        assert_ne!(read(&other)[0], read(&two())[0]);
    }
    assert_ne!(read(&two())[0], read(&two())[1]);
}

/// JSON text of `value` with shuffled keys, odd spaces, and characters escaped that need not be.
fn spell(value: &Value, dice: &mut impl FnMut(usize) -> usize) -> String {
    let space = |dice: &mut dyn FnMut(usize) -> usize| ["", "", "", " ", "\n\t"][dice(5)];
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for last in (1..members.len()).rev() {
                members.swap(last, dice(last + 1));
            }
            let member = |(key, value): (&String, &Value)| {
                let key =
                    if dice(9) == 0 { spell(&json!(key), dice) } else { json!(key).to_string() };
                let value = spell(value, dice);
                format!("{}{key}{}:{value}{}", space(dice), space(dice), space(dice))
            };
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(|value| spell(value, dice)).collect();
            format!("[{}{}]", space(dice), values.join(","))
        }
        Value::String(text) => {
            let mut spelt = String::from("\"");
            for c in text.chars() {
                let quoted = json!(c.to_string()).to_string();
                match dice(8) {
                    0 => c
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .for_each(|u| spelt += &format!("\\u{u:04x}")),
                    _ => spelt += &quoted[1..quoted.len() - 1],
                }
            }
            spelt + "\""
        }
        other => other.to_string(),
    }
}

prop_compose! {
    fn any_envelope()(
        messages in proptest::collection::vec(
            prop_oneof![any::<String>(), Just(refusal("192.0.2.1")), "[\\\\\"{}\\[\\], ]{0,40}"], 0..6),
        times in proptest::collection::vec(any::<i64>(), 6),
        unknown in "[a-z\"\\\\]{0,4}", words in proptest::collection::vec(".{0,6}", 3),
        damage in proptest::option::of((0..6usize, 0..3usize)),
    ) -> Value {
        let mut envelope = envelope(1, &messages);
        for (n, event) in envelope["logEvents"].as_array_mut().expect("events").iter_mut().enumerate() {
            event["timestamp"] = json!(times[n]);
            event[format!("x{unknown}")] = json!([{"id": "1"}, null, true, -1.5e3, words]);
            match damage {
                Some((at, 0)) if at == n => event["id"] = json!(n),
                Some((at, 1)) if at == n => event["timestamp"] = json!(words[0]),
                Some((at, _)) if at == n => *event = json!(words),
                _ => {}
            }
        }
        for (name, word) in ["owner", "logGroup", "logStream"].into_iter().zip(&words) {
            envelope[name] = json!(word);
        }
        envelope[format!("x{unknown}")] = json!({"logEvents": [{}], "message": [words]});
        envelope
    }
}

proptest! {
    #[test]
    fn scanner_and_serde_find_the_same(value in any_envelope(), seed in any::<u64>()) {
        let mut state = seed | 1;
        let json = spell(&value, &mut |n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n
        });
        let mut marks = Marks::default();
        marks.mark(json.as_bytes());
        let by_serde = serde_envelope(&json, 0).expect("valid JSON");
        if let Some((scanned, end)) = scan_envelope(json.as_bytes(), &marks, 0, &mut Vec::new()) {
            prop_assert_eq!(&scanned, &by_serde);
            prop_assert_eq!(end, json.len());
        }
        prop_assert_eq!(extent(json.as_bytes(), 0), Extent::Whole(json.len()));
        // And what they find is what was written.
        let read = |field: &Option<Text>| {
            field.as_ref().map(|found| text(Piece::new(json.as_bytes()), found).expect("UTF-8").into_owned())
        };
        let written = |name: &str| value[name].as_str().map(str::to_owned);
        prop_assert_eq!(read(&by_serde.owner), written("owner"));
        prop_assert_eq!(read(&by_serde.group), written("logGroup"));
        let events = by_serde.events.expect("events");
        for (event, written) in events.into_iter().zip(value["logEvents"].as_array().expect("events")) {
            let Some(event) = event else { continue };
            prop_assert_eq!(Some(event.timestamp_ms), written["timestamp"].as_i64());
            let message = read(&Some(event.message));
            prop_assert_eq!(message.as_deref(), written["message"].as_str());
        }
    }

    #[test]
    fn events_as_cloudwatch_lays_them_out_are_found_as_serde_finds_them(
        events in proptest::collection::vec(
            (any::<String>(), "(-?[0-9]{1,20}|1\\.5|01|\"1\")", any::<String>(), 0..8usize), 1..6),
    ) {
        let laid_out = |(id, time, message, odd): &(String, String, String, usize)| {
            let (id, message) = (json!(id), json!(message));
            let (space, more) = match odd {
                0 => (" ", ""),
                1 => ("", ",\"extractedFields\":{\"id\":1}"),
                2 => ("", ",\"message\":\"twice\""),
                _ => ("", ""),
            };
            format!("{{\"id\":{space}{id},\"timestamp\":{time},\"message\":{message}{more}}}")
        };
        let all: Vec<String> = events.iter().map(laid_out).collect();
        let names = r#""messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s""#;
        let json = format!("{{{names},\"logEvents\":[{}]}}", all.join(","));
        let mut marks = Marks::default();
        marks.mark(json.as_bytes());
        let scanned = scan_envelope(json.as_bytes(), &marks, 0, &mut Vec::new());
        if let (Some((scanned, end)), Some(by_serde)) = (&scanned, serde_envelope(&json, 0)) {
            prop_assert_eq!(scanned, &by_serde);
            prop_assert_eq!(*end, json.len());
        }
        let is_usual = |time: &str, odd: usize| odd > 2 && time.parse::<i64>().is_ok_and(|n| n.to_string() == time);
        if events.iter().all(|(_, time, _, odd)| is_usual(time, *odd)) {
            let found = scanned.and_then(|(envelope, _)| envelope.events).expect("nothing is odd");
            prop_assert!(found.iter().all(Option::is_some));
        }
    }

    #[test]
    fn hostile_payloads_are_survived(value in any_envelope(), at in any::<prop::sample::Index>(),
                                     byte in any::<u8>(), cut in any::<bool>()) {
        let mut payload = value.to_string().into_bytes();
        let at = at.index(payload.len());
        payload[at] = byte;
        if cut {
            payload.truncate(at);
        }
        let good = envelope(1, &[refusal("192.0.2.1")]);
        let batch = read_record(&[good.to_string().as_bytes(), &payload].concat());
        prop_assert!(!batch.signals.is_empty());
    }
}

#[test]
fn what_the_program_says_itself_is_counted_and_not_read() {
    let config = Config {
        own_group: Some(OwnGroup {
            account: "123456789012".to_owned(),
            name: "/app/auth".to_owned(),
        }),
        naming: naming(),
        formats: Default::default(),
    };
    let ingest = Ingest::new(config);
    let mut other = envelope(9, &[refusal("192.0.2.9")]);
    other["logGroup"] = json!("/app/other");
    let mut of_others = envelope(11, &[refusal("192.0.2.11")]);
    of_others["owner"] = json!("210987654321");
    let payload = format!("{}{other}{of_others}", two());
    let mut batch = Batch::default();
    ingest.record(&gzip(payload), "7", &mut crate::Buffers::default(), &mut batch);
    assert_eq!((batch.tally.own_envelopes, batch.tally.envelopes, batch.tally.lines), (1, 2, 2));
    assert_eq!(batch.signals.len(), 2);
}

#[test]
fn a_record_says_where_it_stands() {
    let mut batch = Batch::default();
    let damaged = &gzip(two().to_string())[..40];
    crate::check::ingest().record(damaged, "4711", &mut crate::Buffers::default(), &mut batch);
    let rejected = batch.tally.problems.values().next().expect("a problem");
    assert_eq!(rejected.first, "record 4711");
}
