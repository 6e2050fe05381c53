//! Events that are read while they are still escaped, and lines, against the same messages read the long way.

use proptest::prelude::*;

use super::*;
use crate::Batch;
use crate::check::reading;
use crate::declared::{Body, Condition, Declared, Formats, Glob, Pattern};
use crate::format::Memos;

fn json(conditions: &[(&str, &str)]) -> Body {
    let condition = |(field, value): &(&str, &str)| Condition {
        field: (*field).to_owned(),
        values: vec![Glob::new(value)],
    };
    Body::Json(conditions.iter().map(condition).collect())
}

fn format(id: &str, needles: &[&str], is_general: bool, bodies: Vec<Body>) -> Declared {
    Declared {
        id: id.to_owned(),
        log_groups: Vec::new(),
        needles: needles.iter().map(|needle| (*needle).to_owned()).collect(),
        is_general,
        readings: bodies.into_iter().map(reading).collect(),
    }
}

/// Formats of all sorts; one of them reads any object that holds its needle, and only where there is none such
/// is anything read at sight.
fn formats(with_any: bool) -> Formats {
    let text = Pattern::new("enied to (?<who>[a-z]+)").expect("a pattern");
    let text = Body::Text { pattern: text, also: Vec::new() };
    let any = Pattern::new("(?<who>ann)").expect("a pattern");
    let general = Body::Text { pattern: any, also: Vec::new() };
    let pairs = Body::Pairs(vec![Condition { field: "who".to_owned(), values: Vec::new() }]);
    let mut formats = vec![
        format(
            "dotted",
            &["login_failed"],
            false,
            vec![json(&[("actor.id", "*"), ("kind", "a*")])],
        ),
        format("last", &["login_fail", "zebra"], false, vec![json(&[("details.kind", "*")])]),
        format("whole", &["giraffe"], false, vec![json(&[("$", "*bob*"), ("kind", "*")])]),
        format("both", &["walrus"], false, vec![json(&[("event", "walrus")]), text]),
        format("pairs", &["who="], false, vec![pairs]),
        format("net", &["login"], true, vec![general]),
    ];
    formats.extend(with_any.then(|| format("any", &["ostrich"], false, vec![json(&[])])));
    Formats::new(formats)
}

/// What each message says the long way.
fn the_long_way(ingest: &Ingest, messages: &[String]) -> Batch {
    let mut batch = Batch::default();
    let mut memos = Memos::default();
    for (n, message) in messages.iter().enumerate() {
        batch.tally.lines += 1;
        let message = message.trim_end_matches(['\r', '\n']);
        let said = match ingest.needles.find(message.as_bytes(), 0) {
            Some(_) => ingest.said(message, "/app/auth", (true, Nets::Too), &mut memos),
            None => Said::Nothing,
        };
        let id = format!("e{}", 1 + n);
        let place = Place::Event { group: "/app/auth", stream: "i-0", id: &id };
        let time = When::At(Time(1_000 * n as i64));
        let key = ingest.names.naming.key;
        batch.accept(said, Some(time), place, &ingest.formats, || {
            let stream = LogStream {
                account: "123456789012".to_owned(),
                group: "/app/auth".to_owned(),
                stream: "i-0".to_owned(),
            };
            let salt = key.stream(&stream.account, &stream.group, &stream.stream);
            let id_of = EventId::CloudWatch(id.as_str().into());
            (key.event(salt, id.as_bytes()), Origin { stream: Arc::new(stream), id: id_of })
        });
    }
    batch
}

fn any_message() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => Just(String::new()),
        4 => "(actor\\.id|Actor\\.ID|kind|KIND|details\\.kind|who|from|event|\\$|id|actor)",
        2 => "(user|ip|uSeR|note|message|acct|x)",
        1 => "[a-z]{40,45}",
    ];
    let value = prop_oneof![
        6 => "\"(login_failed|login_fail|login_success|loGIN|failed|ok|zebra|giraffe|ostrich|walrus|ann|bob)\"",
        2 => "\"(sshd\\[9\\]: Failed password for ann from 192\\.0\\.2\\.7 port 22 ssh2|abc|denied to ann|denied to ann walrus|who=ann|login who=bob x|\\{\\}|\\{ \\}|192\\.0\\.2\\.1)\"",
        1 => "([0-9]{1,3}|true|null|\\{\"kind\":\"a\"\\}|\\[1\\]|\"\\\\u0061\"|\"a\\\\nb\")",
    ];
    let fields = proptest::collection::vec((name, value), 0..5);
    // Most are logins of the application's own, with what else may stand in them.
    let login = proptest::option::weighted(0.8, "(login_failed|login_success|signin|sign_in|none)");
    (login, fields, "(user|User|uSeR|who|acct)", "(\n|\r\n|)").prop_map(
        |(login, fields, user, end)| {
            let own = login.map(|event| {
                format!(r#""event":"{event}","outcome":"ok","ip":"192.0.2.1","{user}":"ann""#)
            });
            let named = |(n, (name, value)): (usize, &(String, String))| match name.as_str() {
                "" => format!(r#""n{n}":{value}"#),
                name => format!(r#""{name}":{value}"#),
            };
            let all: Vec<_> = own.into_iter().chain(fields.iter().enumerate().map(named)).collect();
            format!("{{{}}}{end}", all.join(","))
        },
    )
}

#[test]
fn a_login_without_a_needle_is_none_behind_others_either() {
    let odd = r#"{"event":"sign_in","outcome":"ok","ip":"192.0.2.2","uSeR":"ann"}"#.to_owned();
    let read = |messages: &[String]| {
        let payload = envelope(1, messages).to_string();
        crate::check::read_record(payload.as_bytes()).signals.len()
    };
    assert!(matches!(
        crate::check::ingest().said(&odd, "", (true, Nets::Too), &mut Memos::default()),
        Said::Signal { .. }
    ));
    let row = vec![refusal("192.0.2.1"); 20];
    assert_eq!(read(&[row.clone(), vec![odd], row.clone()].concat()), 40);
    // Behind the first of them the others were read at sight: these are not counted again.
    let mut buffers = crate::Buffers::default();
    let payload = envelope(1, &row).to_string();
    crate::check::ingest().record(payload.as_bytes(), "", &mut buffers, &mut Batch::default());
    assert_eq!(buffers.text.logins, 4);
}

#[test]
fn nothing_is_read_at_sight_where_all_are_asked_who_asked() {
    let mut ingest = crate::check::ingest();
    assert!(ingest.reads_at_sight("/aws/lambda/login"));
    ingest.hear_callers();
    assert!(!ingest.reads_at_sight("/aws/lambda/login") && ingest.reads_at_sight("/app/login"));
    ingest.hear_access();
    assert!(!ingest.reads_at_sight("/app/login"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn an_event_says_escaped_what_it_says_the_long_way(
        messages in proptest::collection::vec(
            prop_oneof![12 => any_message(), 1 => Just(refusal("192.0.2.9")), 1 => Just(sshd("192.0.2.8"))], 1..24),
        hears_invocations in any::<bool>(), hears_bytes in any::<bool>(), with_any in proptest::bool::weighted(0.2),
    ) {
        let formats = Arc::new(formats(with_any));
        let config = Config { naming: naming(), own_group: None, formats };
        let mut ingest = Ingest::new(config);
        if hears_invocations {
            ingest.hear_invocations();
        }
        if hears_bytes {
            ingest.hear_bytes();
        }
        let mut batch = Batch::default();
        let payload = envelope(1, &messages).to_string();
        ingest.record(payload.as_bytes(), "", &mut crate::Buffers::default(), &mut batch);
        let expected = the_long_way(&ingest, &messages);
        prop_assert_eq!(&batch.signals, &expected.signals);
        prop_assert_eq!(&batch.tally.passed_over, &expected.tally.passed_over);
        prop_assert_eq!(&batch.tally.problems, &expected.tally.problems);
        prop_assert_eq!(batch.tally.hostname_sources, expected.tally.hostname_sources);
    }

    #[test]
    fn a_line_says_what_it_says_the_long_way(
        messages in proptest::collection::vec(any_message(), 1..12),
        hears_invocations in any::<bool>(), with_any in proptest::bool::weighted(0.2),
    ) {
        let formats = Arc::new(formats(with_any));
        let mut ingest = Ingest::new(Config { naming: naming(), own_group: None, formats });
        if hears_invocations {
            ingest.hear_invocations();
        }
        let mut memos = Memos::default();
        for line in &messages {
            let line = line.trim_end_matches(['\r', '\n']);
            if ingest.needles.find(line.as_bytes(), 0).is_some()
                && let Some(said) = ingest.said_in_line(line, &mut memos)
            {
                let long = ingest.said(line, "", (false, Nets::Too), &mut Memos::default());
                prop_assert_eq!(said, long, "{}", line);
            }
        }
    }
}
