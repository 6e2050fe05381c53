//! What goes to topics: the link read back by a decoder of its own, letters, attributes, sizes.

use std::sync::Arc;

use expect_test::expect;
use tidewatch_alert::{
    ATTRIBUTES_MAX, Context, MESSAGE_BYTES_MAX, SUBJECT_CHARS_MAX, attributes, insights_link,
    notice, ocsf,
};
use tidewatch_core::finding::{Accuracy, Activity, Finding};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::signal::{EventId, LogStream, Origin};
use tidewatch_core::time::Span;

use crate::sample::{address, bare, context, finding, measured};

/// The object in a link, as the console reads it: `$` for `%`, decoded twice, then `*xx` inside texts.
fn read_back(link: &str) -> Vec<(String, Vec<String>)> {
    let (_, fragment) = link.split_once('#').expect("a fragment");
    let decoded = percent(&fragment.replace('$', "%"));
    let detail = decoded.strip_prefix("logsV2:logs-insights?queryDetail=").expect("the page");
    let object = percent(detail);
    let inner = object.strip_prefix("~(").and_then(|rest| rest.strip_suffix(')')).expect("~(…)");
    let (head, groups) = inner.split_once("~source~(~").expect("the source comes last");
    let words: Vec<&str> = head.split('~').collect();
    let mut fields: Vec<(String, Vec<String>)> =
        words.chunks(2).map(|pair| (pair[0].to_owned(), vec![text(pair[1])])).collect();
    let groups = groups.strip_suffix(')').expect("it is closed");
    fields.push(("source".to_owned(), groups.split('~').map(text).collect()));
    fields
}

fn text(value: &str) -> String {
    percent(&value.strip_prefix('\'').expect("a text").replace('*', "%"))
}

fn percent(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = std::str::from_utf8(&bytes[at + 1..at + 3]).expect("ASCII");
            out.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

fn field(link: &str, name: &str) -> Vec<String> {
    let fields = read_back(link);
    fields.into_iter().find(|(of, _)| of == name).expect("the field").1
}

fn query(finding: &Finding) -> String {
    field(&insights_link(finding, "eu-central-1").expect("a link"), "editorString").remove(0)
}

#[test]
fn the_link_holds_the_query_the_span_and_the_groups() {
    let link = insights_link(&finding(Activity::Create), "eu-central-1").expect("a link");
    let console =
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#";
    assert!(link.starts_with(console), "{link}");
    // Nothing in it ends a link in a letter.
    assert!(
        link.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*$:/?=#".contains(&b)),
        "{link}"
    );
    expect![[r#"
        [
            (
                "end",
                [
                    "2026-11-22T10:25:30Z",
                ],
            ),
            (
                "start",
                [
                    "2026-11-22T10:02:10Z",
                ],
            ),
            (
                "timeType",
                [
                    "ABSOLUTE",
                ],
            ),
            (
                "tz",
                [
                    "UTC",
                ],
            ),
            (
                "editorString",
                [
                    "fields @timestamp, @log, @logStream, @message\n| filter @message like /\\b203\\.0\\.113\\.9\\b/\n| sort @timestamp asc\n| limit 1000",
                ],
            ),
            (
                "source",
                [
                    "/aws/lambda/login",
                ],
            ),
        ]
    "#]]
    .assert_debug_eq(&read_back(&link));
}

#[test]
fn every_kind_of_key_is_looked_for_as_logs_write_it() {
    let of = |key: Key| query(&Finding { key, ..finding(Activity::Create) });
    let v6 = "2001:db8:1:2::77";
    let expected = "/(^|[^0-9a-f:]|[^0-9a-f:]:|[g-z][a-z]*:)(2001:db8:1:2:[0-9a-f:]+)($|[^0-9a-f:]|:$|:[^0-9a-f:])/";
    assert!(of(Key::source_ip(address(v6))).contains(expected));
    let subnet = Key::of(KeyPart::source_subnet(address("203.0.113.9")));
    assert!(of(subnet).contains(r"/\b203\.0\.113\.[0-9]{1,3}\b/"));
    assert!(of(Key::of(KeyPart::Global)).contains(r"/\b203\.0\.113\.9\b/"));
    let nobody =
        Finding { key: Key::of(KeyPart::Global), sources: Vec::new(), ..bare(Activity::Close) };
    assert_eq!(insights_link(&nobody, "eu-central-1"), None, "a file is no log group");
    let nobody = Finding { samples: finding(Activity::Create).samples, ..nobody };
    assert!(!query(&nobody).contains("filter"));
}

/// What a query looks for, as a regular expression.
fn wanted(finding: &Finding) -> regex::Regex {
    let query = query(finding);
    let filter = query.lines().find_map(|line| line.strip_prefix("| filter @message like /"));
    let filter = filter.and_then(|filter| filter.strip_suffix('/')).expect("a filter");
    regex::Regex::new(filter).expect("an expression")
}

#[test]
fn an_address_is_found_in_its_lines_and_in_no_lines_of_others() {
    // The key's address; lines with it or, of an IPv6 source, its /64; and lines of others.
    let cases: [(&str, &[&str], &[&str]); 6] = [
        (
            "192.0.2.1",
            &["from 192.0.2.1 port", "::ffff:192.0.2.1", "192.0.2.1"],
            &["192.0.2.10", "192.0.2.19.", "192x0.2.1"],
        ),
        (
            "2001:db8:1:2::77",
            &[
                "2001:db8:1:2::77",
                "2001:db8:1:2:3:4:5:6",
                "ip=2001:db8:1:2::",
                "[2001:db8:1:2::1]:22",
            ],
            &["2001:db8:1:20::1", "2001:db8:1::2:0:0:1", "12001:db8:1:2::1", "3:2001:db8:1:2::"],
        ),
        (
            "2001:db8::1",
            &["2001:db8::1: no", "src:2001:db8::", "2001:db8::a:b:c:d", "2001:db8:0:0:1::"],
            &["2001:db8::1:2:3:4:5", "2001:db8:0:1::1", "2001:db80::1"],
        ),
        (
            "2001:0:0:7::1",
            &["2001::7:1:2:3:4", "2001:0:0:7::1", "2001:0:0:7:1:0:0:1"],
            &["2001::7:1", "2001::7:1:2:3:4:5", "2001::8:1:2:3:4"],
        ),
        (
            "2001:db8:9:0::1",
            &["2001:db8:9::1", "2001:db8:9:0:1::"],
            &["2001:db8:9:1::", "2001:db8::9"],
        ),
        ("::1", &["from ::1 port", "::1:2:3:4", "0:0:0:0:1::"], &["1::1", "::1:0:0:0:1", "a::"]),
    ];
    for (source, its, others) in cases {
        let key = Key::source_ip(address(source));
        let wanted = wanted(&Finding { key, ..finding(Activity::Create) });
        for line in its {
            assert!(wanted.is_match(line), "{line} of {source}: {wanted}");
        }
        for line in others {
            assert!(!wanted.is_match(line), "{line} is not of {source}: {wanted}");
        }
    }
    // Behind any other key addresses are named one by one.
    let sources = vec![address("203.0.113.9"), address("2001:db8::1"), address("2001:db8:7::")];
    let key = Key::of(KeyPart::Global);
    let wanted = wanted(&Finding { key, sources, ..finding(Activity::Create) });
    for line in ["203.0.113.9", "by 2001:db8::1, and", "2001:db8:7::"] {
        assert!(wanted.is_match(line), "{line}: {wanted}");
    }
    for line in ["203.0.113.99", "2001:db8::12", "2001:db8::1:2", "2001:db8:7::1", "f2001:db8::1"] {
        assert!(!wanted.is_match(line), "{line}: {wanted}");
    }
}

#[test]
fn no_name_breaks_out_of_the_link() {
    let of = |group: &str, region: &str| {
        let stream = LogStream { group: group.to_owned(), ..LogStream::default() };
        let id = EventId::CloudWatch("1".into());
        let samples = vec![Origin { stream: Arc::new(stream), id }];
        insights_link(&Finding { samples, ..finding(Activity::Create) }, region)
    };
    let odd = "/a-b_c.d#e/F9";
    let link = of(odd, "cn-north-1").expect("a link");
    assert!(link.starts_with("https://cn-north-1.console.amazonaws.cn/"), "{link}");
    assert_eq!(field(&link, "source"), [odd]);
    // No log group can be called that.
    for group in ["", "/a'~(b)", "x y", "\u{e9}", "a*b", &"a".repeat(513)] {
        assert_eq!(of(group, "eu-central-1"), None, "{group}");
    }
    assert_eq!(of(odd, "eu.evil.example/"), None);
}

#[test]
fn a_letter_says_first_what_matters() {
    let subjects: Vec<String> = [Activity::Create, Activity::Update, Activity::Close]
        .map(|activity| notice(&finding(activity), &context()).subject)
        .to_vec();
    expect![[r#"
        [
            "HIGH: 203.0.113.9 - One source tries many usernames that do not exist",
            "HIGH, goes on: 203.0.113.9 - One source tries many usernames that do not exist",
            "over, was HIGH: 203.0.113.9 - One source tries many usernames that do not exist",
        ]
    "#]]
    .assert_debug_eq(&subjects);
    let body = notice(&finding(Activity::Create), &context()).body;
    for part in
        ["unknown_users >= 30", "Block the source.", "/aws/lambda/login", "https://eu-central-1"]
    {
        assert!(body.contains(part), "{part}: {body}");
    }
    let rehearsal = notice(&finding(Activity::Create), &Context { simulated: true, ..context() });
    assert!(
        rehearsal.subject.starts_with("SIMULATED HIGH") && rehearsal.body.contains("rehearsal")
    );
    let title = "\u{1b}]0;\r\nSubject: \u{e9}".to_owned() + &"long ".repeat(50);
    let hostile = Finding { title, ..finding(Activity::Create) };
    let subject = notice(&hostile, &context()).subject;
    assert_eq!(subject.len(), SUBJECT_CHARS_MAX);
    assert!(subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{subject}");
}

/// A rehearsal is told by its log events; a real one among them makes the finding real.
#[test]
fn a_finding_is_a_rehearsals_if_all_of_its_samples_are() {
    let check = |places: &[(&str, &str)], expected: bool| {
        let sample = |(account, stream): &(&str, &str)| Origin {
            stream: Arc::new(LogStream {
                account: account.to_string(),
                group: "/aws/lambda/login".to_owned(),
                stream: stream.to_string(),
            }),
            id: EventId::Offset(7),
        };
        let samples = places.iter().map(sample).collect();
        let finding = Finding { samples, ..finding(Activity::Create) };
        let marks = attributes(&finding, &context());
        let mark = marks.iter().find(|one| one.name == "simulated").expect("it is always there");
        assert_eq!(mark.value, expected.to_string(), "{places:?}");
        let subject = notice(&finding, &context()).subject;
        assert_eq!(subject.starts_with("SIMULATED"), expected, "{places:?}");
    };
    let (fed, real) = ((LogStream::SIMULATED, "s"), ("123456789012", "s"));
    let proof = ("123456789012", "tidewatch-prove/7f");
    check(&[fed, fed], true);
    check(&[fed, proof], true);
    check(&[fed, real], false);
    check(&[proof, real], false);
    check(&[real], false);
    check(&[("123456789012", "2026/tidewatch-prove/7f")], false);
    // A file of such a name is no log stream.
    check(&[("", "tidewatch-prove/7f")], false);
    check(&[], false);
}

#[test]
fn filters_see_what_the_document_says() {
    let found = attributes(&finding(Activity::Update), &context());
    let told: Vec<String> = found.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
    expect![[r#"
        [
            "schema=ocsf-1.6.0",
            "detector=credential-scan",
            "category=credential",
            "severity=high",
            "severity_id=4",
            "activity=update",
            "finding_uid=0123456789abcdef0123456789abcdef",
            "simulated=false",
        ]
    "#]]
    .assert_debug_eq(&told);
    assert!(found.len() <= ATTRIBUTES_MAX && found.iter().all(|one| !one.value.is_empty()));
    let numbers: Vec<&str> = found.iter().filter(|one| one.is_number).map(|one| one.name).collect();
    assert_eq!(numbers, ["severity_id"]);
}

/// As large as anything makes it: every list full, every name too long, the texts of a detector file as
/// long as a file may be, all of it in characters that have to be escaped.
#[test]
fn the_largest_message_fits_a_topic() {
    let mut largest = finding(Activity::Create);
    let long = "\u{202e}\"\u{1b}".repeat(400_000);
    let stream = |n: u32| LogStream {
        account: format!("{n}{long}"),
        group: format!("{n}{long}"),
        stream: format!("{n}{long}"),
    };
    let sample =
        |n| Origin { stream: Arc::new(stream(n)), id: EventId::CloudWatch(long.as_str().into()) };
    largest.samples = (0..4).map(sample).collect();
    largest.sources =
        (0..32).map(|n| address(&format!("2001:db8:ffff:ffff:ffff:ffff:ffff:{n:x}"))).collect();
    largest.measures = (0..64)
        .map(|n| {
            measured(&format!("{n}{}", "m".repeat(60)), 1e15, Accuracy::Pane(Span::minutes(1)))
        })
        .collect();
    largest.advice = "advice ".repeat(64 * 1_024 / 7 / 2);
    largest.description = "why ".repeat(64 * 1_024 / 4 / 2);
    let document = ocsf(&largest, &context()).to_string();
    let letter = notice(&largest, &context());
    let extra: usize =
        attributes(&largest, &context()).iter().map(|a| a.name.len() + a.value.len() + 6).sum();
    for (what, bytes) in [("document", document.len()), ("letter", letter.body.len())] {
        assert!(bytes + extra <= MESSAGE_BYTES_MAX, "the {what} has {bytes} bytes");
    }
}
