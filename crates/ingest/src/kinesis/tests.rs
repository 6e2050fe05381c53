//! Kinesis events and records, damaged ones too.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Batch;
use crate::check::{check, envelope, gzip, kinesis_event, read, read_record, refusal, sshd};

fn packed(source: &str) -> Vec<u8> {
    gzip(envelope(1, &[refusal(source)]).to_string())
}

fn read_event(event: &serde_json::Value) -> Batch {
    read(InputKind::Auto, event.to_string().as_bytes())
}

#[test]
fn records_hold_envelopes_or_lines_packed_or_not() {
    let lines = sshd("192.0.2.3") + "\r\n\r\n" + &refusal("192.0.2.4");
    let event = kinesis_event(&[
        packed("192.0.2.1"),
        envelope(1, &[refusal("192.0.2.2")]).to_string().into_bytes(),
        lines.clone().into_bytes(),
        gzip(&lines),
        gzip(""),
        vec![],
    ]);
    check(
        &read_event(&event),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.2 Failure i-0 e1 At(Time(0))
        192.0.2.3 Failure kinesis 0 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        192.0.2.4 Failure kinesis 86 At(Time(1794290400013))
        192.0.2.3 Failure kinesis 0 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        192.0.2.4 Failure kinesis 86 At(Time(1794290400013))
        bytes_inflated 527
        envelopes 2
        records 6
        lines 6
    "#]],
    );
}

#[test]
fn a_rotten_record_costs_that_record() {
    let good = packed("192.0.2.1");
    let mut corrupt = packed("192.0.2.2");
    let at = corrupt.len() - 6;
    corrupt[at] ^= 1;
    let mut event = kinesis_event(&[
        good.clone(),
        good[..good.len() - 12].to_vec(),
        corrupt,
        gzip(vec![0; 64 << 20]),
        gzip(b"\xff login\nfine"),
        good.clone(),
        good.clone(),
        good.clone(),
        good.clone(),
        good,
    ]);
    event["Records"][5]["kinesis"]["data"] = json!("%%%%");
    event["Records"][6]["kinesis"]["data"] = json!(5);
    event["Records"][7]["kinesis"] = json!(null);
    event["Records"][8] = json!("x");
    check(
        &read_event(&event),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        192.0.2.1 Failure i-0 e1 At(Time(0))
        bytes_inflated 650
        envelopes 2
        records 10
        lines 4
        gzip_truncated 1 [record s2]
        gzip_corrupt 1 [record s3]
        inflate_cap 1 [record s4]
        not_utf8 1 [record s5]
        kinesis_event 3 [record s7]
        base64 1 [record s6]
    "#]],
    );
}

#[test]
fn an_event_that_breaks_off_is_read_up_to_there() {
    let event = kinesis_event(&[packed("192.0.2.1"), packed("192.0.2.2")]).to_string();
    let next = format!("\n{}", sshd("192.0.2.3"));
    check(
        &read(InputKind::Auto, (event[..event.len() - 90].to_owned() + &next).as_bytes()),
        expect![[r#"
            192.0.2.1 Failure i-0 e1 At(Time(0))
            192.0.2.3 Failure in.log 716 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
            bytes_inflated 319
            envelopes 1
            records 1
            lines 2
            kinesis_event 1 [in.log: byte 0]
        "#]],
    );
    let twice = event.replace("\"eventID\"", "\"kinesis\":{},\"eventID\"");
    check(
        &read(InputKind::Auto, twice.as_bytes()),
        expect![[r#"
        records 2
        kinesis_event 2 [in.log: byte 0]
    "#]],
    );
    let deep = format!("{{\"x\":{0},\"Records\":{0}", "[".repeat(10_000));
    check(
        &read(InputKind::Auto, (deep + &next).as_bytes()),
        expect![[r#"
        192.0.2.3 Failure in.log 20017 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        lines 2
        nesting 1 [in.log: byte 0]
    "#]],
    );
}

#[test]
fn a_record_inside_a_record_is_not_opened() {
    let inner = kinesis_event(&[packed("192.0.2.1")]).to_string();
    check(
        &read_event(&kinesis_event(&[gzip(inner)])),
        expect![[r#"
        bytes_inflated 409
        records 1
        lines 1
    "#]],
    );
}

#[test]
fn plain_records_are_told_apart_by_what_names_them() {
    let line = sshd("192.0.2.1").into_bytes();
    let batch = read_event(&kinesis_event(&[line.clone(), line.clone()]));
    assert_ne!(batch.signals[0].event, batch.signals[1].event);
    assert_eq!(read_record(&line).signals[0].event, read_record(&line).signals[0].event);
    let other = [&line[..], b"\nmore"].concat();
    assert_ne!(read_record(&line).signals[0].event, read_record(&other).signals[0].event);
    assert_ne!(
        read_record(&gzip(&line)).signals[0].event,
        read_record(&gzip(&other)).signals[0].event
    );
}

#[test]
fn scanner_and_serde_find_the_same_records() {
    let event = kinesis_event(&[b"a".to_vec(), b"??>".to_vec()]);
    for json in [event.to_string(), format!("{event:#}"), event.to_string().replace('/', "\\/")] {
        let mut found = Vec::new();
        assert_eq!(scan_records(json.as_bytes(), &mut found), Some(()));
        assert_eq!(Some(found), serde_records(&json));
    }
}

proptest! {
    #[test]
    fn damage_to_one_record_leaves_the_others(at in any::<prop::sample::Index>(),
                                             flip in 1..=255u8, cut in any::<bool>()) {
        let mut bad = packed("192.0.2.2");
        let at = at.index(bad.len());
        bad[at] ^= flip;
        if cut {
            bad.truncate(at);
        }
        let batch = read_event(&kinesis_event(&[packed("192.0.2.1"), bad, packed("192.0.2.3")]));
        let sources: Vec<String> = batch
            .signals
            .iter()
            .map(|signal| {
                let auth = signal.body.auth().expect("a try");
                auth.source.expect("one").to_string()
            })
            .collect();
        prop_assert_eq!(sources.first().map(String::as_str), Some("192.0.2.1"));
        prop_assert_eq!(sources.last().map(String::as_str), Some("192.0.2.3"));
    }

    #[test]
    fn any_record_is_survived(data in any::<Vec<u8>>()) {
        read_record(&data);
        read_record(&gzip(&data));
    }
}

#[test]
fn an_event_inflates_to_a_bounded_whole() {
    let mut big = envelope(1, &[refusal("192.0.2.1")]).to_string().into_bytes();
    big.resize(crate::limits::RECORD_INFLATED_BYTES_MAX, b'\n');
    let packed = gzip(&big);
    let batch = read_event(&kinesis_event(&vec![packed; 20]));
    // Whoever is first over the cap is still read, those behind it are not.
    let read = EVENT_INFLATED_BYTES_MAX / crate::limits::RECORD_INFLATED_BYTES_MAX as u64 + 1;
    assert_eq!(batch.tally.rejected(Problem::InflateCap), 20 - read);
    assert_eq!(batch.signals.len() as u64, read);
}
