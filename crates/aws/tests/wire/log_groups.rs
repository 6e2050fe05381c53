//! What is read back of a log group, where the local cloud cannot show it: pages, limits and throttling.

use serde_json::{Value, json};
use tidewatch_aws::TokioPace;
use tidewatch_aws::log_groups::{EVENTS_MAX, LogGroups, PAGES_MAX, SPANS};
use tidewatch_core::time::Time;

use crate::replay::{Replay, replay};

fn log_groups(http: &Replay) -> LogGroups {
    LogGroups::new(&http.config(), TokioPace::start().expect("chance"))
}

fn page(count: usize, token: Option<&str>) -> (u16, Value) {
    let event = |nth: usize| {
        json!({
            "eventId": nth.to_string(), "logStreamName": "s", "timestamp": 1_000 + nth, "message": "m",
        })
    };
    let events: Vec<Value> = (0..count).map(event).collect();
    (200, json!({ "events": events, "nextToken": token }))
}

#[tokio::test(start_paused = true)]
async fn a_quiet_log_group_is_read_whole_through_pages_and_throttling() {
    let throttled = (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }));
    let http = replay(&[page(2, Some("a")), throttled, page(0, Some("b")), page(1, None)]);
    let lately = log_groups(&http).lately("/a", Time(1_000), Time(5_000)).await.expect("events");
    assert_eq!((lately.events.len(), lately.is_cut), (3, false));
    assert_eq!((lately.events[1].id.as_str(), lately.events[1].time), ("1", Time(1_001)));
    let sent: Vec<Value> = http.sent().iter().map(|sent| sent.json()).collect();
    let tokens: Vec<&Value> = sent.iter().map(|sent| &sent["nextToken"]).collect();
    assert_eq!(tokens, [&json!(null), &json!("a"), &json!("a"), &json!("b")]);
    // An end is taken in, so that the next span begins behind it.
    assert_eq!((&sent[0]["startTime"], &sent[0]["endTime"]), (&json!(1_000), &json!(4_999)));
    assert_eq!(
        (&sent[0]["limit"], &sent[3]["limit"]),
        (&json!(EVENTS_MAX), &json!(EVENTS_MAX - 2))
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_busy_log_group_some_of_each_span_are_read() {
    let mut answers = vec![page(EVENTS_MAX, Some("more"))];
    answers.extend((0..SPANS).map(|nth| match nth {
        3 => page(7, None),
        _ => page(EVENTS_MAX, Some("more")),
    }));
    let http = replay(&answers);
    let lately = log_groups(&http).lately("/a", Time(0), Time(1_205)).await.expect("events");
    assert_eq!((lately.events.len(), lately.is_cut), (EVENTS_MAX * (SPANS - 1) + 7, true));
    let spans: Vec<(i64, i64)> = http.sent()[1..]
        .iter()
        .map(|sent| sent.json())
        .map(|sent| {
            (sent["startTime"].as_i64().expect("ms"), sent["endTime"].as_i64().expect("ms"))
        })
        .collect();
    assert_eq!((spans[0].0, spans[SPANS - 1].1), (0, 1_204));
    assert!(spans.windows(2).all(|two| two[0].1 + 1 == two[1].0), "{spans:?}");
}

/// CloudWatch Logs may go on answering that it has found nothing yet.
#[tokio::test(start_paused = true)]
async fn empty_pages_are_not_asked_for_without_end() {
    let pages = PAGES_MAX * (SPANS + 1);
    let http = replay(&vec![page(0, Some("more")); pages]);
    let lately = log_groups(&http).lately("/a", Time(0), Time(5_000)).await.expect("events");
    assert_eq!((lately.events.len(), lately.is_cut), (0, true));
    assert_eq!(http.sent().len(), pages);
}

#[tokio::test(start_paused = true)]
async fn what_has_to_be_whole_is_read_to_its_end_through_empty_pages_and_throttling() {
    let throttled = (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }));
    let mut answers = vec![page(0, Some("more")); PAGES_MAX];
    answers.extend([page(2, Some("a")), throttled, page(1, None)]);
    let http = replay(&answers);
    let mut paged = log_groups(&http).paged("/a", (Time(1_000), Time(5_000)), "?\"b c\"", 5_000);
    let mut events = 0;
    while let Some(page) = paged.next().await.expect("events") {
        events += page.len();
    }
    assert_eq!((events, paged.cut()), (3, None));
    let sent: Vec<Value> = http.sent().iter().map(|sent| sent.json()).collect();
    assert_eq!(sent.len(), answers.len());
    let last = &sent[sent.len() - 1];
    assert_eq!((&last["nextToken"], &last["filterPattern"]), (&json!("a"), &json!("?\"b c\"")));
    assert_eq!((&last["startTime"], &last["endTime"]), (&json!(1_000), &json!(4_999)));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_more_than_may_be_read_it_is_said_from_when_on() {
    let check = async |answers: &[(u16, Value)], expected: (usize, Option<Time>)| {
        let http = replay(answers);
        let mut paged = log_groups(&http).paged("/a", (Time(0), Time(5_000)), "", 3);
        let mut events = 0;
        while let Some(page) = paged.next().await.expect("events") {
            events += page.len();
        }
        assert_eq!((events, paged.cut()), expected);
        assert_eq!(http.sent().len(), answers.len());
    };
    check(&[page(2, Some("a")), page(1, None)], (3, None)).await;
    check(&[page(2, Some("a")), page(1, Some("b")), page(0, None)], (3, None)).await;
    check(&[page(2, Some("a")), page(2, Some("b"))], (3, Some(Time(1_001)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_group_that_fails_half_way_has_ended() {
    let denied = (400, json!({ "__type": "AccessDeniedException", "message": "no" }));
    let http = replay(&[page(2, Some("a")), denied]);
    let mut paged = log_groups(&http).paged("/a", (Time(0), Time(5_000)), "", 3);
    assert_eq!(paged.next().await.expect("events").map(|it| it.len()), Some(2));
    assert!(paged.next().await.is_err());
    assert_eq!(paged.next().await, Ok(None));
}
