//! `tidewatch prove` at a deployed stack: what comes through and what does not, that every trace of it is
//! removed however it ends, and that whoever reads alerts can tell a proof from an attack.
//!
//! The local cloud keeps subscription filters and delivers nothing by them to a stream. A thread here plays that
//! part: of each log group with a filter to the stack's stream it packs what is new, and puts it there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, run_as, run_at};
use tidewatch_tests::cloud::{Cloud, bytes, until};
use tidewatch_tests::containers::gzip;
use tidewatch_tests::live::start_at;
use tidewatch_tests::outline::somebody_without;
use tidewatch_tests::stack::NAME;

use super::world::{World, attribute, document};

/// Subscribed, and delivered.
const LOGIN: &str = "/aws/lambda/login";
/// Subscribed, and never delivered.
const SILENT: &str = "/aws/lambda/silent";
/// Not subscribed.
const ALONE: &str = "/aws/lambda/alone";

const OWN: &str = "/aws/lambda/tidewatch-test-detector";

/// Plays CloudWatch Logs until it is told to stop.
fn deliver(cloud: &Cloud, stream_arn: &str, stop: &AtomicBool) {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let groups = cloud.must("logs", "DescribeLogGroups", json!({}));
        for group in groups["logGroups"].as_array().expect("groups") {
            let name = group["logGroupName"].as_str().expect("a name");
            if name != SILENT {
                // It may be deleted under way.
                let _ = deliver_group(cloud, name, stream_arn, &mut seen);
            }
        }
        std::thread::yield_now();
    }
}

fn deliver_group(
    cloud: &Cloud,
    group: &str,
    stream_arn: &str,
    seen: &mut BTreeSet<String>,
) -> Option<()> {
    let named = json!({ "logGroupName": group });
    let filters = cloud.call("logs", "DescribeSubscriptionFilters", named.clone()).ok()?;
    let filters = filters["subscriptionFilters"].as_array()?.clone();
    filters.iter().find(|filter| filter["destinationArn"] == stream_arn)?;
    let found = cloud.call("logs", "FilterLogEvents", named).ok()?;
    let new: Vec<&Value> = found["events"]
        .as_array()?
        .iter()
        .filter(|event| seen.insert(event["eventId"].as_str().unwrap_or_default().to_owned()))
        .collect();
    for stream in new.iter().map(|event| &event["logStreamName"]).collect::<Vec<_>>() {
        let events: Vec<Value> = new
            .iter()
            .filter(|event| event["logStreamName"] == *stream)
            .map(|event| {
                json!({ "id": event["eventId"], "timestamp": event["timestamp"], "message": event["message"] })
            })
            .collect();
        let envelope = json!({
            "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": group, "logStream": stream,
            "subscriptionFilters": ["tidewatch"], "logEvents": events,
        });
        let name = stream_arn.rsplit('/').next()?;
        let data = bytes(&gzip(envelope.to_string().as_bytes()));
        let ask = json!({ "StreamName": name, "Data": data, "PartitionKey": stream });
        cloud.must("kinesis", "PutRecord", ask);
    }
    Some(())
}

/// Runs `work` while what is subscribed is delivered.
fn delivering<T>(world: &World, work: impl FnOnce() -> T) -> T {
    let (cloud, stop) = (Cloud::start(&world.ministack), AtomicBool::new(false));
    let arn = world.stack.outputs["StreamArn"].clone();
    std::thread::scope(|scope| {
        scope.spawn(|| deliver(&cloud, &arn, &stop));
        // Also where it panics, or the thread would be waited for.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn world() -> World {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    for group in [LOGIN, SILENT, ALONE] {
        world.stack.cloud.must("logs", "CreateLogGroup", json!({ "logGroupName": group }));
    }
    let ran = run_at(&world.ministack, &["subscribe", "--stack", NAME, LOGIN, SILENT], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    world
}

/// Log groups, log streams in those of the user, queues and subscriptions: all that a proof makes.
fn traces(world: &World) -> BTreeSet<String> {
    let cloud = &world.stack.cloud;
    let mut traces = BTreeSet::new();
    let mut add = |what: &str, list: &Value, name: &str| {
        let all = list.as_array().cloned().unwrap_or_default();
        traces.extend(all.iter().map(|one| match one.get(name) {
            Some(value) => format!("{what} {value}"),
            None => format!("{what} {one}"),
        }));
    };
    let groups = cloud.must("logs", "DescribeLogGroups", json!({}));
    add("group", &groups["logGroups"], "logGroupName");
    for group in [LOGIN, SILENT, ALONE] {
        let named = json!({ "logGroupName": group });
        let streams = cloud.must("logs", "DescribeLogStreams", named.clone());
        add(group, &streams["logStreams"], "logStreamName");
        let filters = cloud.must("logs", "DescribeSubscriptionFilters", named);
        add(group, &filters["subscriptionFilters"], "filterName");
    }
    add("queue", &cloud.must("sqs", "ListQueues", json!({}))["QueueUrls"], "");
    let subscriptions = cloud.must("sns", "ListSubscriptions", json!({}));
    add("subscription", &subscriptions["Subscriptions"], "SubscriptionArn");
    traces
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

fn group<'t>(told: &'t Value, name: &str) -> &'t Value {
    let all = told["log_groups"].as_array().expect("log groups");
    let found =
        all.iter().find(|one| one["log_group"].as_str().is_some_and(|of| of.starts_with(name)));
    found.unwrap_or_else(|| panic!("{name}: {told:#}"))
}

#[test]
fn a_proof_tells_what_comes_through_and_leaves_nothing_behind() {
    let world = world();
    let alerts = world.subscribe("alerts", "AlertTopicArn", &json!({ "category": ["credential"] }));
    let before = traces(&world);
    let prove = ["prove", "--stack", NAME, "--rounds", "2", "--wait", "20", "--output", "json"];
    let groups = [LOGIN, SILENT, ALONE, OWN, "/nowhere"];
    let groups = groups.iter().flat_map(|group| ["--group", group]);
    let arguments: Vec<&str> = prove.into_iter().chain(groups).collect();
    let ran = delivering(&world, || run_at(&world.ministack, &arguments, b""));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let all = told(&ran);
    for name in ["/tidewatch/prove/tidewatch-test-", LOGIN] {
        let of = group(&all, name);
        assert_eq!(
            (&of["proved"], &of["lost"]),
            (&json!(true), &json!(0)),
            "{of:#} {}",
            ran.stderr
        );
        assert_eq!(of["took_ms"].as_array().map(Vec::len), Some(2), "{of:#}");
        assert!(of["distribution_ms"]["max"].as_i64().is_some_and(|ms| ms > 0), "{of:#}");
        let by = of["told_by"].to_string();
        assert!(by.contains("credential-scan") || by.contains("first-contacts"), "{by}");
    }
    assert!(group(&all, "/tidewatch")["ready_ms"].as_i64().is_some());
    let failed = |name: &str, lost: u64, why: &str, todo: &str| {
        let of = group(&all, name);
        assert_eq!((&of["proved"], &of["lost"]), (&json!(false), &json!(lost)), "{of:#}");
        assert!(of["why"].as_str().is_some_and(|text| text.contains(why)), "{of:#}");
        let told = of["what_to_do"].as_str().unwrap_or_default();
        assert!(told.contains(todo), "{of:#}");
    };
    failed(SILENT, 1, "no message within 20 s", "tidewatch status --stack tidewatch-test");
    failed(ALONE, 0, "tidewatch subscribe --stack tidewatch-test '/aws/lambda/alone'", "");
    failed(OWN, 0, "its next input", "");
    failed("/nowhere", 0, "no such log group", "");
    assert_eq!(all["distribution_ms"]["count"], 4, "{all:#}");
    assert_eq!((&all["lost"], &all["left_behind"]), (&json!(1), &json!([])));
    assert_eq!(traces(&world), before);

    // Whoever reads alerts can drop them, each and every one.
    let messages = world.messages(&alerts);
    assert!(messages.len() >= 4, "{messages:#?}");
    for message in &messages {
        assert_eq!(attribute(message, "simulated"), "true", "{message:#}");
        let key = &document(message)["unmapped"]["tidewatch"]["key"];
        assert!(key.as_str().is_some_and(|key| key.starts_with("2001:db8:")), "{key}");
    }

    // What raises at nothing is said before anything is written; a higher threshold takes a larger scan.
    let shipped = tidewatch_rules::shipped();
    let text = |id: &str| {
        let found = shipped.iter().find(|(name, _)| name == id);
        found.expect("it is shipped").1.clone()
    };
    world.store("detectors/one.toml", &text("account-under-attack.toml"));
    let ran = run_at(&world.ministack, &prove, b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("overrides: account-under-attack"), "{}", ran.stderr);
    assert!(ran.stderr.contains("raise at no scan"), "{}", ran.stderr);
    let higher =
        text("credential-scan.toml").replace("unknown_users >= 10\"", "unknown_users >= 29\"");
    world.store("detectors/one.toml", &higher);
    let prove = ["prove", "--stack", NAME, "--rounds", "1", "--wait", "120"];
    let ran = delivering(&world, || run_at(&world.ministack, &prove, b""));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("tries 50 names"), "{}", ran.stderr);
    assert!(ran.stdout.contains("1 came through, marked as simulated, 0 lost"), "{}", ran.stdout);
    assert_eq!(traces(&world), before);
}

#[test]
fn a_proof_that_is_interrupted_or_refused_removes_what_it_made() {
    let world = world();
    let before = traces(&world);
    let arguments = ["prove", "--stack", NAME, "--group", LOGIN, "--output", "json"];

    // Nobody delivers: it waits for the first scan.
    let live = start_at(&world.ministack, &arguments);
    let written = until("a scan to be written", || {
        let named = |trace: &&String| trace.starts_with("group \"/tidewatch/prove/");
        traces(&world).iter().find(named)?;
        let log_groups = world.stack.cloud.must("logs", "DescribeLogGroups", json!({}));
        let all = log_groups["logGroups"].as_array().expect("groups").clone();
        let name = all.iter().find_map(|group| {
            group["logGroupName"].as_str().filter(|name| name.starts_with("/tidewatch/prove/"))
        })?;
        let ask = json!({ "logGroupName": name });
        let found = world.stack.cloud.call("logs", "FilterLogEvents", ask).ok()?;
        found["events"].as_array().filter(|events| !events.is_empty()).map(Vec::len)
    });
    assert_eq!(written, 12);
    assert_ne!(traces(&world), before);
    live.interrupt();
    let ran = live.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let all = told(&ran);
    assert_eq!((&all["partial"], &all["left_behind"]), (&json!(true), &json!([])), "{all:#}");
    assert_eq!(traces(&world), before);

    // Who may not do one thing is told which, and what was made before that is gone.
    let soon = [&arguments[..], &["--wait", "2"]].concat();
    let refused = |nth: usize, denied: &[&str]| run_as_without(&world, nth, denied, &soon);
    for (nth, denied) in ["sqs:CreateQueue", "sqs:ReceiveMessage"].into_iter().enumerate() {
        let ran = refused(nth, &[denied]);
        assert_eq!(ran.code, 1, "{denied}: {}", ran.stderr);
        let says = format!(r#""Action":"{denied}","Effect":"Allow""#);
        assert!(ran.stderr.contains(&says), "{denied}: {}", ran.stderr);
        assert_eq!(traces(&world), before, "{denied}");
    }
    // What is about one log group is told of that one.
    let ran = refused(2, &["logs:PutLogEvents"]);
    let why = group(&told(&ran), "/tidewatch/prove/")["why"].to_string();
    assert!(why.contains("allow logs:PutLogEvents on log group"), "{why}");
    assert_eq!(traces(&world), before);
    // What cannot be removed is named.
    let ran = refused(3, &["logs:DeleteLogGroup", "logs:PutLogEvents"]);
    let all = told(&ran);
    let [left] = &all["left_behind"].as_array().expect("a list")[..] else { panic!("{all:#}") };
    let what = left["what"].as_str().expect("text");
    assert!(what.starts_with("log group `/tidewatch/prove/tidewatch-test-"), "{left}");
    assert!(left["why"].as_str().is_some_and(|why| why.contains("logs:DeleteLogGroup")), "{left}");
    let now = traces(&world);
    assert_eq!(now.difference(&before).count(), 1, "{now:?}");
    // And the next proof says that it is there.
    let ran = refused(4, &["sqs:CreateQueue"]);
    assert!(ran.stderr.contains("is another proof's"), "{}", ran.stderr);
}

/// Runs it as somebody who may do all but `denied`; `nth` tells them from others.
fn run_as_without(world: &World, nth: usize, denied: &[&str], arguments: &[&str]) -> Ran {
    let name = format!("user-{nth}");
    let key = somebody_without(&world.ministack, &world.stack.cloud, &name, denied);
    run_as(&world.ministack, (&key.0, &key.1), arguments)
}
