//! Lines of every kind, and the law that cutting an input changes nothing.

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::check::{check, envelope, gzip, ingest, kinesis_event, read, refusal, sshd, timeless};

#[test]
fn each_line_is_what_it_looks_like() {
    let message = [refusal("192.0.2.7")];
    let record = gzip(envelope(8, &[refusal("192.0.2.8")]).to_string());
    let input = [
        sshd("192.0.2.1") + "\r",
        "  \r".to_owned(),
        refusal("192.0.2.2"),
        "nothing of interest".to_owned(),
        format!("2026-11-10T06:00:00.5+00:00 host sshd[9]: {}", &sshd("192.0.2.3")[31..]),
        format!(
            "2026-11-10T06:00:01.500000+00:00 2026/11/10/[$LATEST]ab {}",
            timeless("192.0.2.4")
        ),
        format!("2026-11-10T06:00:02 {}", timeless("192.0.2.5")),
        format!("2026-11-10T06:00:03+00:00 stream {}", sshd("192.0.2.6")),
        format!("{0}{0}", envelope(7, &message)),
        kinesis_event(&[record]).to_string(),
        format!("2026-11-10T06:00:04 2026-11-10T06:00:09.1Z\treq\tINFO\t{}", timeless("192.0.2.9")),
        format!(
            "2026-11-10T06:00:05+00:00 s [INFO]\t2026-11-10T06:00:09Z\tr\t{}",
            timeless("192.0.2.10")
        ),
        sshd("192.0.2.11"),
    ];
    let batch = read(InputKind::Auto, input.join("\n").as_bytes());
    check(
        &batch,
        expect![[r#"
            192.0.2.1 Failure in.log 0 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
            192.0.2.2 Failure in.log 88 At(Time(1794290400013))
            192.0.2.3 Failure in.log 231 At(Time(1794290400500))
            192.0.2.4 Failure 2026/11/10/[$LATEST]ab 325 At(Time(1794290401500))
            192.0.2.5 Failure in.log 465 At(Time(1794290402000))
            192.0.2.6 Failure stream 569 At(Time(1794290403000))
            192.0.2.7 Failure i-0 e7 At(Time(0))
            192.0.2.7 Failure i-0 e7 At(Time(0))
            192.0.2.8 Failure i-0 e8 At(Time(0))
            192.0.2.9 Failure in.log 1738 At(Time(1794290404000))
            192.0.2.10 Failure s 1874 At(Time(1794290405000))
            192.0.2.11 Failure in.log 2017 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
            bytes_inflated 319
            envelopes 3
            records 1
            lines 13
        "#]],
    );
    assert_eq!(batch.first_civil.map(|civil| (civil.year, civil.second)), Some((None, 5)));
}

#[test]
fn only_top_level_keys_make_an_event_line() {
    let event = kinesis_event(&[gzip(envelope(1, &[refusal("192.0.2.1")]).to_string())]);
    let logged = |body: serde_json::Value| {
        let mut line: serde_json::Value =
            serde_json::from_str(&refusal("192.0.2.2")).expect("JSON");
        line["body"] = body;
        line["messageType"] = "auth".into();
        line.to_string()
    };
    let input =
        [logged(event.clone()), logged(envelope(1, &[refusal("192.0.2.3")])), event.to_string()];
    check(
        &read(InputKind::Auto, input.join("\n").as_bytes()),
        expect![[r#"
        192.0.2.2 Failure in.log 0 At(Time(1794290400013))
        192.0.2.2 Failure in.log 561 At(Time(1794290400013))
        192.0.2.1 Failure i-0 e1 At(Time(0))
        bytes_inflated 319
        envelopes 1
        records 1
        lines 3
    "#]],
    );
}

#[test]
fn an_unreadable_line_costs_that_line() {
    let input: Vec<Vec<u8>> = vec![
        sshd("192.0.2.1").into_bytes(),
        b"\xff\xfe sshd[".to_vec(),
        b"Nov 10 06:00:00 caf\xe9".to_vec(),
        vec![b'x'; LOG_LINE_BYTES_MAX],
        vec![b'x'; LOG_LINE_BYTES_MAX + 1],
        "[".repeat(10_000).into_bytes(),
        [&b"{\"login\":"[..], &b"[".repeat(10_000)].concat(),
        refusal("192.0.2.2").replace('}', "").into_bytes(),
        timeless("192.0.2.3").into_bytes(),
        [&b"{\"messageType\":\"DATA_MESSAGE\",\""[..], &vec![b'x'; EVENT_LINE_BYTES_MAX], b"\"}"]
            .concat(),
        [&b"{\"Records\":[\"kinesis\","[..], &vec![b'1'; EVENT_LINE_BYTES_MAX], b"]}"].concat(),
        sshd("192.0.2.4").into_bytes(),
    ];
    check(
        &read(InputKind::Auto, &input.join(&b'\n')),
        expect![[r#"
        192.0.2.1 Failure in.log 0 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        192.0.2.4 Failure in.log 35671976 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        lines 10
        not_utf8 2 [in.log: byte 83]
        line_too_long 1 [in.log: byte 1048690]
        event_too_long 2 [in.log: byte 2117485]
        nesting 2 [in.log: byte 2097268]
        json 1 [in.log: byte 2117279]
        time_missing 1 [in.log: byte 2117401]
    "#]],
    );
}

#[test]
fn a_name_full_of_brackets_hides_nothing() {
    let line = refusal("192.0.2.1").replace("ann", &"[".repeat(100));
    check(
        &read(InputKind::Auto, line.as_bytes()),
        expect![[r#"
        192.0.2.1 Failure in.log 0 At(Time(1794290400013))
        lines 1
    "#]],
    );
}

#[test]
fn a_forced_kind_refuses_what_does_not_fit() {
    let record = gzip(envelope(1, &[refusal("192.0.2.1")]).to_string());
    let input = [
        sshd("192.0.2.2"),
        refusal("192.0.2.3"),
        format!("2026-11-10T06:00:02 {}", timeless("192.0.2.4")),
        envelope(1, &[refusal("192.0.2.5")]).to_string(),
        kinesis_event(&[record]).to_string(),
        "\n".to_owned(),
    ]
    .join("\n");
    let read = |kind: InputKind| read(kind, input.as_bytes());
    check(
        &read(InputKind::Lines),
        expect![[r#"
        192.0.2.2 Failure in.log 0 Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 5, millisecond: 0 })
        192.0.2.3 Failure in.log 83 At(Time(1794290400013))
        lines 5
        wrong_kind 2 [in.log: byte 310]
    "#]],
    );
    check(
        &read(InputKind::AwsTail),
        expect![[r#"
        192.0.2.4 Failure in.log 206 At(Time(1794290402000))
        lines 5
        wrong_kind 4 [in.log: byte 0]
    "#]],
    );
    check(
        &read(InputKind::Envelopes),
        expect![[r#"
        192.0.2.5 Failure i-0 e1 At(Time(0))
        envelopes 1
        lines 5
        wrong_kind 4 [in.log: byte 0]
    "#]],
    );
    check(
        &read(InputKind::KinesisEvents),
        expect![[r#"
        192.0.2.1 Failure i-0 e1 At(Time(0))
        bytes_inflated 319
        envelopes 1
        records 1
        lines 5
        wrong_kind 4 [in.log: byte 0]
    "#]],
    );
}

#[test]
fn kinds_have_names() {
    for kind in InputKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert_eq!("AUTO".parse::<InputKind>(), Err(UnknownInputKind));
    expect!["not an input kind; use one of auto, lines, aws-tail, envelopes, kinesis-events"]
        .assert_eq(&UnknownInputKind.to_string());
}

#[test]
fn a_line_is_named_by_input_and_offset() {
    let text = format!("{}\n{}\n", sshd("192.0.2.1"), sshd("192.0.2.1"));
    let events = |input: &str, offset| -> Vec<_> {
        let stream = Arc::new(LogStream { stream: input.to_owned(), ..LogStream::default() });
        let mut batch = Batch::default();
        let (kind, buffers) = (InputKind::Auto, &mut Buffers::default());
        ingest().lines(kind, text.as_bytes(), offset, &stream, buffers, &mut batch);
        batch.signals.iter().map(|signal| signal.event).collect()
    };
    assert_ne!(events("a", 0)[0], events("a", 0)[1]);
    assert_ne!(events("a", 0)[0], events("b", 0)[0]);
    assert_eq!(events("a", 0)[1], events("a", text.len() as u64 / 2)[0]);
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let packed = gzip(envelope(1, &[refusal("192.0.2.1")]).to_string());
    let text = prop_oneof![
        Just(sshd("192.0.2.1")),
        Just(refusal("192.0.2.2")),
        Just(timeless("192.0.2.3")),
        Just(format!("2026-11-10T06:00:02 {}", timeless("192.0.2.4"))),
        Just(envelope(1, &[refusal("192.0.2.5"), "login".to_owned()]).to_string()),
        Just(kinesis_event(&[packed, b"rotten".to_vec()]).to_string()),
        Just(String::new()),
        "[\\[{\"]{0,20}",
        any::<String>(),
    ];
    prop_oneof![9 => text.prop_map(String::into_bytes), 1 => any::<Vec<u8>>()]
}

proptest! {
    #[test]
    fn cutting_an_input_changes_nothing(
        lines in proptest::collection::vec(any_line(), 0..12), crlf in any::<bool>(),
        cut in any::<prop::sample::Index>(), kind in prop::sample::select(InputKind::ALL.to_vec()))
    {
        let end = if crlf { &b"\r\n"[..] } else { b"\n" };
        let input: Vec<u8> = lines.iter().flat_map(|line| [line, end].concat()).collect();
        let ends: Vec<usize> = (0..=input.len())
            .filter(|at| *at == 0 || input[at - 1] == b'\n')
            .collect();
        let cut = ends[cut.index(ends.len())];
        let stream = Arc::new(LogStream { stream: "in.log".to_owned(), ..LogStream::default() });
        let (mut buffers, mut first, mut second) = (Buffers::default(), Batch::default(), Batch::default());
        ingest().lines(kind, &input[..cut], 0, &stream, &mut buffers, &mut first);
        ingest().lines(kind, &input[cut..], cut as u64, &stream, &mut buffers, &mut second);
        first.signals.extend(second.signals);
        first.tally.merge(second.tally);
        first.first_civil = first.first_civil.or(second.first_civil);
        prop_assert_eq!(first, read(kind, &input));
    }

    #[test]
    fn any_input_is_survived(bytes in any::<Vec<u8>>(), kind in prop::sample::select(InputKind::ALL.to_vec())) {
        read(kind, &bytes);
    }
}
