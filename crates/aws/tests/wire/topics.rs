//! The topics: what a finding becomes, and what becomes of it when SNS does not take it.

use std::collections::BTreeMap;

use tidewatch_alert::{Context, attributes, notice, ocsf};
use tidewatch_aws::client::SNS_TIMEOUT;
use tidewatch_aws::topics::{CONFIRM_MARGIN, NOTICES_TIME_MAX, NOTICES_WAITING_MAX, Told, Topics};
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::Key;
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::replay::{Replay, Sent};
use crate::until;

const ALERT: &str = "arn:aws:sns:eu-west-1:123456789012:alerts";
const NOTICE: &str = "arn:aws:sns:eu-west-1:123456789012:notices";

fn context() -> Context {
    Context { version: "9.9.9", region: Some("eu-west-1".to_owned()), simulated: true }
}

fn finding(last: Time) -> Finding {
    Finding {
        uid: "0123456789abcdef0123456789abcdef".to_owned(),
        activity: Activity::Create,
        severity: Severity::High,
        detector: "password-spray".to_owned(),
        title: "A title & more".to_owned(),
        description: "What it is".to_owned(),
        advice: "What to do".to_owned(),
        attacks: Vec::new(),
        key: Key::source_ip("192.0.2.1".parse().expect("an address")),
        agent: None,
        time: last,
        start: last,
        first_seen: last,
        last,
        window: Span::minutes(15),
        quiet: Span::minutes(15),
        measures: Vec::new(),
        decided: Vec::new(),
        peak: 7.0,
        sources: vec!["192.0.2.1".parse().expect("an address")],
        sources_total: 1,
        accounts: Vec::new(),
        confidence: None,
        since: Vec::new(),
        listed: Vec::new(),
        also: Vec::new(),
        members: Vec::new(),
        spending: None,
        samples: Vec::new(),
    }
}

fn topics(http: &Replay) -> Topics {
    Topics::new(&http.config(), ALERT.to_owned(), Some(NOTICE.to_owned()), context())
}

fn taken() -> (u16, String) {
    let body = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                <MessageId>m</MessageId></PublishResult></PublishResponse>";
    (200, body.to_owned())
}

fn refused(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    (status, body)
}

/// Topic, subject and message of a request.
fn told(sent: &Sent) -> (String, Option<String>, String) {
    let mut form = sent.form();
    let mut take = |name: &str| form.remove(name);
    (take("TopicArn").expect("a topic"), take("Subject"), take("Message").expect("a message"))
}

#[tokio::test(start_paused = true)]
async fn a_finding_is_a_document_with_attributes_and_a_text_with_the_same_ones() {
    let http = Replay::of([taken(), taken()]);
    let topics = topics(&http);
    let (pace, deadline) = until(30);
    let finding = finding(pace.now().minus(Span(4_321)));
    let mut sink = topics.sink(&pace, deadline);
    sink.publish(&finding).await.unwrap();
    let sent = http.sent();
    assert_eq!(sent.len(), 2);
    let document = ocsf(&finding, &context()).to_string();
    assert_eq!(told(&sent[0]), (ALERT.to_owned(), None, document));
    let text = notice(&finding, &context());
    assert_eq!(told(&sent[1]), (NOTICE.to_owned(), Some(text.subject), text.body));
    for sent in &sent {
        assert_eq!(sent.method, "POST");
        let mut form = sent.form();
        for name in ["TopicArn", "Subject", "Message"] {
            form.remove(name);
        }
        assert_eq!(form.remove("Action").as_deref(), Some("Publish"));
        assert_eq!(form.remove("Version").as_deref(), Some("2010-03-31"));
        // The rest is attributes, in no order.
        let mut found = BTreeMap::new();
        for number in 1..=8 {
            let mut take = |field: &str| {
                let field = form.remove(&format!("MessageAttributes.entry.{number}.{field}"));
                field.unwrap_or_else(|| panic!("no {number}"))
            };
            found.insert(take("Name"), (take("Value.StringValue"), take("Value.DataType")));
        }
        assert_eq!(form, BTreeMap::new());
        let expected = attributes(&finding, &context()).into_iter().map(|attribute| {
            let kind = if attribute.is_number { "Number" } else { "String" };
            (attribute.name.to_owned(), (attribute.value, kind.to_owned()))
        });
        assert_eq!(found, expected.collect());
    }
    let expected = Told {
        published: 1,
        noticed: 1,
        opened: [0, 0, 0, 1, 0],
        event_to_publish_ms: vec![4_321],
        ..Told::default()
    };
    assert_eq!(sink.told(), &expected);
}

#[tokio::test(start_paused = true)]
async fn times_and_openings_are_told_of_what_has_them() {
    let http = Replay::of(std::iter::repeat_n(taken(), 3));
    let topics = Topics::new(&http.config(), ALERT.to_owned(), None, context());
    let (pace, deadline) = until(30);
    let mut sink = topics.sink(&pace, deadline);
    let ahead = finding(pace.now().plus(Span::seconds(9)));
    sink.publish(&Finding { activity: Activity::Update, ..ahead.clone() }).await.unwrap();
    sink.publish(&Finding { activity: Activity::Close, ..ahead.clone() }).await.unwrap();
    sink.publish(&Finding { severity: Severity::Informational, ..ahead }).await.unwrap();
    let told = sink.told();
    assert_eq!((told.published, told.opened), (3, [1, 0, 0, 0, 0]));
    assert_eq!(told.event_to_publish_ms, [0, 0], "a clock ahead is no negative time");
    assert_eq!(http.sent().len(), 3, "without a notice topic nobody is notified");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let passing = [
        refused(400, "Throttled", "Rate exceeded"),
        refused(400, "KMSThrottling", "slow down"),
        refused(500, "InternalError", "oops"),
        (503, "<html>".to_owned()),
    ];
    let http = Replay::of(passing.into_iter().chain([taken(), taken()]));
    let topics = topics(&http);
    let (pace, deadline) = until(30);
    let mut sink = topics.sink(&pace, deadline);
    let finding = finding(pace.now());
    sink.publish(&finding).await.unwrap();
    assert_eq!(http.sent().len(), 6);
    let told = sink.told();
    assert_eq!((told.published, told.failed, told.retried, told.noticed), (1, 0, 4, 1));
    let waited = told.event_to_publish_ms[0];
    assert!((4..=20 + 40 + 80 + 160 + 4).contains(&waited), "waits are drawn: {waited} ms");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_never_answers_leaves_time_to_give_the_batch_back() {
    let http = Replay::of([]);
    let topics = topics(&http);
    let (pace, deadline) = until(8);
    let mut sink = topics.sink(&pace, deadline);
    let error = sink.publish(&finding(pace.now())).await.unwrap_err();
    let SinkError::Failed(says) = &error else { panic!("{error}") };
    assert!(says.starts_with(&format!("Publish on topic `{ALERT}`")), "{says}");
    // Three seconds, three more, and what is left of eight but the margin.
    assert_eq!(http.sent().len(), 3);
    assert!(SNS_TIMEOUT.as_secs() == 3 && CONFIRM_MARGIN == Span(500));
    let left = deadline.0 - pace.now().0;
    assert!((CONFIRM_MARGIN.0 - 10..=CONFIRM_MARGIN.0 + 2_000).contains(&left), "{left} ms left");
    assert_eq!((sink.told().published, sink.told().failed), (0, 1));
    // The next finding of the batch is not begun.
    let (pace, deadline) = until(0);
    topics.sink(&pace, deadline).publish(&finding(pace.now())).await.unwrap_err();
    assert_eq!(http.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_retry_mends_says_what_to_do() {
    let cases = [
        (
            403,
            "AuthorizationError",
            "User: r is not authorized to perform: SNS:Publish on resource: t",
            "allow the role sns:Publish on topic `arn:aws:sns:eu-west-1:123456789012:alerts`, and \
             kms:GenerateDataKey and kms:Decrypt on its KMS key",
        ),
        (
            400,
            "KMSAccessDenied",
            "not allowed",
            "allow the role kms:GenerateDataKey and kms:Decrypt on the KMS key of topic",
        ),
        (
            403,
            "AuthorizationError",
            "not authorized to perform: kms:GenerateDataKey",
            "allow the role kms:GenerateDataKey and kms:Decrypt on the KMS key of topic",
        ),
        (400, "KMSDisabled", "disabled", "the KMS key of topic `arn:aws:sns"),
        (400, "KMSNotFound", "gone", "the KMS key of topic `arn:aws:sns"),
        (400, "KMSInvalidState", "pending deletion", "enable it, or give the topic another"),
        (404, "NotFound", "Topic does not exist", "there is no topic `arn:aws:sns"),
        (403, "InvalidClientTokenId", "bad", "check the credentials"),
        (400, "InvalidParameter", "Invalid parameter: TopicArn", "check that the ARN"),
        (400, "InvalidParameter", "Invalid parameter: Message too long", "Message too long"),
    ];
    for (status, code, message, advice) in cases {
        let http = Replay::of([refused(status, code, message)]);
        let topics = topics(&http);
        let (pace, deadline) = until(30);
        let mut sink = topics.sink(&pace, deadline);
        let Err(SinkError::Failed(says)) = sink.publish(&finding(pace.now())).await else {
            panic!("{code} is no error")
        };
        assert!(says.contains(advice), "{says}");
        assert_eq!(http.sent().len(), 1, "{code} is tried again");
        assert_eq!((sink.told().failed, sink.told().retried), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_fails_fails_no_finding() {
    let http = Replay::of([taken(), refused(404, "NotFound", "gone"), taken(), taken()]);
    let topics = topics(&http);
    let (pace, deadline) = until(30);
    let mut sink = topics.sink(&pace, deadline);
    sink.publish(&finding(pace.now())).await.unwrap();
    sink.publish(&finding(pace.now())).await.unwrap();
    sink.finish().await;
    let told = sink.told();
    assert_eq!((told.published, told.noticed, told.notices_failed), (2, 1, 1));
    let fault = told.notice_fault.as_deref().unwrap_or_default();
    assert!(fault.contains(&format!("there is no topic `{NOTICE}`")), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn notices_wait_for_each_other_and_never_hold_an_alert_up() {
    let busy = refused(400, "Throttled", "Rate exceeded");
    // Alert, notice (throttled); two alerts whose notices wait; then the three, one throttled again.
    let answers = [taken(), busy.clone(), taken(), taken(), taken(), busy, taken(), taken()];
    let http = Replay::of(answers);
    let topics = topics(&http);
    let (pace, deadline) = until(30);
    let mut sink = topics.sink(&pace, deadline);
    for uid in ["a", "b", "c"] {
        sink.publish(&Finding { uid: uid.to_owned(), ..finding(pace.now()) }).await.unwrap();
    }
    assert_eq!((sink.told().published, sink.told().noticed), (3, 0));
    sink.finish().await;
    assert_eq!((sink.told().noticed, sink.told().notices_failed), (3, 0));
    assert_eq!(sink.told().retried, 4);
    let order: Vec<String> = http.sent().iter().map(|sent| told(sent).0).collect();
    let (a, n) = (ALERT.to_owned(), NOTICE.to_owned());
    assert_eq!(order, [&a, &n, &a, &a, &n, &n, &n, &n].map(String::clone));
    sink.finish().await;
    assert_eq!(http.sent().len(), 8, "what left is not sent again");
}

#[tokio::test(start_paused = true)]
async fn a_notice_topic_that_takes_nothing_costs_a_batch_three_seconds() {
    let busy = || refused(400, "Throttled", "Rate exceeded");
    // Throttled all the time; or no answer ever.
    for throttled in [1_000, 0] {
        // The first notice is refused, so that the second waits behind it.
        let first = [taken(), busy(), taken()];
        let http = Replay::of(first.into_iter().chain(std::iter::repeat_n(busy(), throttled)));
        let topics = topics(&http);
        let (pace, deadline) = until(60);
        let mut sink = topics.sink(&pace, deadline);
        for _ in 0..2 {
            sink.publish(&finding(pace.now())).await.unwrap();
        }
        let begun = pace.now();
        sink.finish().await;
        let told = sink.told();
        assert_eq!((told.published, told.noticed, told.notices_failed), (2, 0, 2));
        assert!(pace.now() <= begun.plus(NOTICES_TIME_MAX).plus(Span(10)));
        assert_eq!(NOTICES_TIME_MAX.0 as u128, SNS_TIMEOUT.as_millis());
    }
}

#[tokio::test(start_paused = true)]
async fn notices_that_have_no_time_or_no_room_are_counted() {
    let alerts = NOTICES_WAITING_MAX + 2;
    let busy = refused(400, "Throttled", "Rate exceeded");
    let http =
        Replay::of([taken(), busy].into_iter().chain(std::iter::repeat_n(taken(), alerts - 1)));
    let topics = topics(&http);
    let (pace, deadline) = until(30);
    let mut sink = topics.sink(&pace, deadline);
    for _ in 0..alerts {
        sink.publish(&finding(pace.now())).await.unwrap();
    }
    assert_eq!((sink.told().published, sink.told().notices_failed), (alerts as u64, 2));
    let fault = sink.told().notice_fault.clone().unwrap_or_default();
    assert!(fault.contains("100 others wait already"), "{fault}");
    sink.finish().await;
    let told = sink.told();
    assert_eq!((told.noticed, told.notices_failed), (0, alerts as u64));
    let left = deadline.0 - pace.now().0;
    assert!(left >= CONFIRM_MARGIN.0 - 10, "{left} ms left");
}
