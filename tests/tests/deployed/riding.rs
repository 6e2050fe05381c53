//! What takes a day of history, or two thousand functions, deployed: played in memory by the code of the shared home and put
//! into the stack's table, from which the real function goes on with records of its stream.

use std::sync::Arc;

use serde_json::{Value, json};
use tidewatch_core::access::Access;
use tidewatch_core::invocation::{Ending, Invocation, Report};
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::tag::{RequestTag, TagKey, UserTag};
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::cloud::until;
use tidewatch_tests::shared_functions::home::Home;
use tidewatch_tests::shared_functions::shipped;

use super::spending::{MINUTE_MS, PANE_MS, Took, requests_of, tag_of};
use super::world::{World, attribute, document, now_ms};

/// Some $0.10 an invocation, and some $0.0002.
const DEAR: Took = Took { ms: 600_000, memory_mb: 10_240 };
const CHEAP: Took = Took { ms: 10_000, memory_mb: 1_024 };

/// What a log says of a request: who asked, where that is told, and what it took.
fn request(
    (function, took): (&str, Took),
    (nth, time): (u64, Time),
    who: Option<UserTag>,
) -> Vec<Signal> {
    let stream = LogStream {
        account: "123456789012".to_owned(),
        group: format!("/aws/lambda/{function}"),
        stream: "2026/11/29/[$LATEST]5f".to_owned(),
    };
    let stream = Arc::new(stream);
    let request = Some(RequestTag(nth + 1));
    let report = Report {
        duration_us: took.ms * 1_000,
        billed_ms: took.ms,
        memory_mb: took.memory_mb,
        used_mb: 100,
        cold_us: None,
    };
    let took = Invocation { request, ending: Ending::Finished, report: Some(report) };
    let asked = Access { request, principal: who, ..Access::default() };
    let asked = who.map(|_| Body::Access(Box::new(asked)));
    let bodies = asked.into_iter().chain([Body::Invocation(took)]).enumerate();
    let signal = |(half, body): (usize, Body)| Signal {
        time,
        event: TagKey::new([half as u8; 16]).event(0, &nth.to_be_bytes()),
        origin: Origin { stream: Arc::clone(&stream), id: EventId::Offset(nth) },
        body,
    };
    bodies.map(signal).collect()
}

/// Everybody uses `checkout-api`, and `export-api` everybody but one, as for a day. Then that one exports, and nobody
/// else: what each function costs is as ever.
#[tokio::test]
async fn a_caller_that_uses_what_it_never_used_is_told_and_nobody_else() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    let tags: Vec<UserTag> = (0..4).map(|who| tag_of(&world, &format!("Tenant-{who}"))).collect();
    let mut home = Home::new(shipped(Budgets::default()));
    let now_pane = now_ms() / PANE_MS;
    let mut nth = 0;
    // The last pane that is played stays open.
    for pane in now_pane - 27 * 12..=now_pane - 4 {
        let time = Time(pane * PANE_MS + 2 * MINUTE_MS);
        let mut signals = Vec::new();
        for (who, tag) in tags.iter().enumerate() {
            for use_of in [("checkout-api", CHEAP), ("export-api", DEAR)] {
                if who > 0 || use_of.0 == "checkout-api" {
                    nth += 1;
                    signals.extend(request(use_of, (nth, time), Some(*tag)));
                }
            }
        }
        home.hear(time, signals).await;
        home.tick(time).await;
    }
    assert_eq!(home.told.len(), 0, "{:#?}", home.told);
    let expires = Time(now_ms()).plus(Span::minutes(4 * 24 * 60));
    let put = home.put_into(&world.table(), expires, |_| true).await;
    // Two functions' costs of each pane, and what is known of functions and callers.
    assert!(put > 600, "{put}");

    let queue = world.subscribe("all", "AlertTopicArn", &json!({ "category": ["cost"] }));
    for pane in now_pane - 3..now_pane {
        let at = pane * PANE_MS + 2 * MINUTE_MS;
        let rides = pane == now_pane - 2;
        let all = |who: i64| Some(format!("Tenant-{who}"));
        world.put(0, &requests_of(("checkout-api", CHEAP), &mut nth, at, 4, all));
        let dear = |who: i64| Some(format!("Tenant-{}", if rides { 0 } else { who + 1 }));
        world.put(0, &requests_of(("export-api", DEAR), &mut nth, at, 3, dear));
    }
    world.drained();
    let mut ticks = 0;
    // A new environment reads what callers cost for a day and a half, in as many ticks as that takes.
    let opened = until("the alert", || {
        ticks += 1;
        let ticked = world.invoke(&json!({ "tidewatch": "tick" }));
        assert_eq!(ticked["FunctionError"], Value::Null, "tick {ticks}");
        world.messages(&queue).into_iter().next()
    });
    println!("told by tick {ticks}");
    assert_eq!(
        (attribute(&opened, "detector"), attribute(&opened, "activity")),
        ("free-rider", "create")
    );
    let finding = document(&opened);
    let spending = &finding["unmapped"]["tidewatch"]["spending"];
    let UserTag(tag) = tags[0];
    let caller = &spending["caller"];
    assert_eq!(
        (&caller["kind"], &caller["name"]),
        (&json!("principal"), &json!(format!("user:{tag:016x}")))
    );
    assert_eq!(caller["new_function"]["function"], "export-api");
    assert_eq!(caller["new_function"]["first_used"], (now_pane - 2) * PANE_MS);
    let export = caller["functions"].as_array().expect("functions").iter();
    let export = export.clone().find(|of| of["function"] == "export-api").expect("it is named");
    let dollars = export["dollars"].as_f64().expect("dollars");
    let cost = 3.0 * 600.0 * 10.0 * 0.000_016_666_7 + 0.000_000_2;
    assert!((dollars / cost - 1.0).abs() < 0.01, "{dollars}, not {cost}: {spending:#}");
    // Who goes on as ever is in no finding, nor is either function; and once is enough.
    for _ in 0..2 {
        assert_eq!(world.invoke(&json!({ "tidewatch": "tick" }))["FunctionError"], Value::Null);
    }
    assert_eq!(world.messages(&queue).len(), 1);
    assert_eq!(world.complaints(), Vec::<Value>::new());
}

/// The longest names, of 140 bytes, and accounts of 12: 1,315 leave no room for another such.
#[tokio::test]
async fn functions_beyond_those_whose_budget_is_one_are_counted_and_told_of() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    world.store("functions.toml", "budget = 1000\n");
    let budgets = Budgets { all: Some(1_000.0), ..Budgets::default() };
    let mut home = Home::new(shipped(budgets));
    let pane = now_ms() / PANE_MS - 24;
    let name = |nth: u64| format!("{nth:0>140}");
    let time = Time(pane * PANE_MS + 2 * MINUTE_MS);
    let all = (0..1_315).flat_map(|nth| request((&name(nth), CHEAP), (nth, time), None));
    home.hear(time, all.collect()).await;
    home.tick(Time((pane + 14) * PANE_MS)).await;
    assert_eq!((home.counts.closed_panes > 0, home.counts.unbudgeted), (true, 0));
    let expires = Time(now_ms()).plus(Span::minutes(4 * 24 * 60));
    let put = home.put_into(&world.table(), expires, |item| item.key == key_bytes::ALL).await;
    assert_eq!(put, 1);

    // One that is known, and one there is no room for; both are over by the clock.
    let mut nth = 5_000;
    for function in [name(0), name(9_999)] {
        let at = (pane + 1) * PANE_MS;
        world.put(0, &requests_of((&function, CHEAP), &mut nth, at, 3, |_| None));
    }
    world.drained();
    let ticked = world.invoke(&json!({ "tidewatch": "tick" }));
    assert_eq!(ticked["FunctionError"], Value::Null);
    let said = world.said("tick");
    let unbudgeted: f64 = said.iter().filter_map(|of| of["functions_unbudgeted"].as_f64()).sum();
    assert_eq!(unbudgeted, 1.0, "{said:#?}");
    // Somebody must act, and is told what has happened.
    let complaints = world.complaints();
    assert!(!complaints.is_empty(), "{said:#?}");
    assert!(complaints.iter().all(|of| of["message"] == "functions_unbudgeted"), "{complaints:#?}");
}
