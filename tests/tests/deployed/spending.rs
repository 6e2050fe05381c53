//! What functions cost, deployed: REPORT lines on both shards, a spike among them, and the tick that tells it in
//! dollars, although its topic is gone when it is found; and lines of the application that name who drove it.

use serde_json::{Value, json};
use tidewatch_core::tag::{TagKey, UserTag};
use tidewatch_ingest::name_lists::NameLists;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_tests::binary::run_at;
use tidewatch_tests::cloud::bytes_of;
use tidewatch_tests::containers::gzip;
use tidewatch_tests::stack::NAME;

use super::world::{SHARDS, World, attribute, document, now_ms};

pub const MINUTE_MS: i64 = 60_000;
pub const PANE_MS: i64 = 5 * MINUTE_MS;
const FUNCTION: &str = "checkout-api";

/// How long an invocation is billed, and with how much memory.
#[derive(Clone, Copy)]
pub struct Took {
    pub ms: u32,
    pub memory_mb: u16,
}

/// Ten seconds with 1 GB.
const USUAL: Took = Took { ms: 10_000, memory_mb: 1_024 };

/// A record with reports of `count` such invocations, within a minute of `from`.
fn reports(nth: &mut u64, from_ms: i64, count: i64) -> Vec<u8> {
    reports_of(FUNCTION, nth, from_ms, count)
}

/// The same of a function.
fn reports_of(function: &str, nth: &mut u64, from_ms: i64, count: i64) -> Vec<u8> {
    requests_of((function, USUAL), nth, from_ms, count, |_| None)
}

/// The same with a line in front of each that says who asked, where that is told.
fn requests(
    nth: &mut u64,
    from_ms: i64,
    count: i64,
    who: impl Fn(i64) -> Option<String>,
) -> Vec<u8> {
    requests_of((FUNCTION, USUAL), nth, from_ms, count, who)
}

/// The same of a function whose invocations take so much.
pub fn requests_of(
    (function, took): (&str, Took),
    nth: &mut u64,
    from_ms: i64,
    count: i64,
    who: impl Fn(i64) -> Option<String>,
) -> Vec<u8> {
    let Took { ms, memory_mb } = took;
    let events = (0..count).flat_map(|at| {
        *nth += 1;
        let report = format!(
            "REPORT RequestId: 00000000-0000-4000-8000-{nth:012x}\tDuration: {}.50 ms\tBilled Duration: \
             {ms} ms\tMemory Size: {memory_mb} MB\tMax Memory Used: 100 MB\t\n",
            ms - 1
        );
        let asked = who(at).map(|who| {
            let said = json!({ "msg": "an order", "principalId": who, "sourceIp": "203.0.113.9" });
            format!("2026-11-29T12:00:00.000Z\t00000000-0000-4000-8000-{nth:012x}\tINFO\t{said}\n")
        });
        let timestamp = from_ms + at * MINUTE_MS / count;
        let lines = [asked.map(|line| (1, line)), Some((2, report))].into_iter().flatten();
        let event = |(half, line)| json!({ "id": format!("{half}{nth:055}"), "timestamp": timestamp, "message": line });
        lines.map(event).collect::<Vec<Value>>()
    });
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012",
        "logGroup": format!("/aws/lambda/{function}"), "logStream": "2026/11/29/[$LATEST]5f",
        "subscriptionFilters": ["tidewatch"], "logEvents": events.collect::<Vec<Value>>(),
    });
    gzip(envelope.to_string().as_bytes())
}

/// A name's tag by the stack's key.
pub fn tag_of(world: &World, name: &str) -> UserTag {
    let ask = json!({ "SecretId": world.resource("Secret") });
    let secret = world.stack.cloud.must("secretsmanager", "GetSecretValue", ask);
    let secret: Value =
        serde_json::from_str(secret["SecretString"].as_str().expect("text")).expect("JSON");
    let passphrase = secret["passphrase"].as_str().expect("a passphrase");
    let key = TagKey::from_passphrase(passphrase);
    let tag = Naming { key, usernames: Usernames::Fold }.tag(name);
    // Tags that are kept have room for lists.
    NameLists::kept(Vec::new()).expect("none").mark(tag, name)
}

#[tokio::test]
async fn a_spike_of_cost_is_told_in_dollars_although_its_topic_was_gone() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    world
        .store("functions.toml", "[[function]]\nname = \"checkout-*\"\narchitecture = \"arm64\"\n");
    let first = now_ms() / PANE_MS * PANE_MS - 36 * PANE_MS;
    let mut nth = 0;
    // Ten minutes ago there were sixty times as many as ever.
    let mut put = |panes: std::ops::Range<i64>| {
        for pane in panes {
            let count = if pane == 34 { 300 } else { 5 };
            let record = reports(&mut nth, first + pane * PANE_MS, count);
            world.put(pane as usize % SHARDS, &record);
        }
        world.drained();
    };
    // Those that are more than an hour old are over by the clock.
    put(1..25);
    let tick = || world.invoke(&json!({ "tidewatch": "tick" }));
    assert_eq!(tick()["FunctionError"], Value::Null);
    put(25..37);

    let topic = world.stack.outputs["AlertTopicArn"].clone();
    world.stack.cloud.must("sns", "DeleteTopic", json!({ "TopicArn": topic }));
    assert_ne!(tick()["FunctionError"], Value::Null);
    let name = topic.rsplit(':').next().expect("a name");
    world.stack.cloud.must("sns", "CreateTopic", json!({ "Name": name }));
    let queue = world.subscribe("costs", "AlertTopicArn", &json!({ "detector": ["cost-spike"] }));
    assert_eq!(tick()["FunctionError"], Value::Null);
    let opened = world.message(&queue, "the alert", |finding| finding["activity_id"] == 1);
    assert_eq!(attribute(&opened, "activity"), "create");

    let finding = document(&opened);
    let spending = &finding["unmapped"]["tidewatch"]["spending"];
    assert_eq!(spending["function"], FUNCTION);
    // 300 times 10 s of 1 GB on arm64, twelve times an hour: $0.0000133334 a GB-second, $0.20 a million requests.
    let dollars = 300.0 * 12.0 * (10.0 * 0.000_013_333_4 + 0.000_000_2);
    let told = spending["dollars_an_hour"].as_f64().expect("dollars");
    assert!((told / dollars - 1.0).abs() < 1e-6, "{told}, not {dollars}: {spending:#}");
    let says = finding["message"].as_str().expect("a sentence");
    assert!(says.contains("an hour, 60 times its usual"), "{says}");
    assert_eq!(finding["start_time"], first + 34 * PANE_MS);

    // Told once: another tick has nothing to say.
    assert_eq!(tick()["FunctionError"], Value::Null);
    assert_eq!(world.messages(&queue).len(), 1);
    let said = world.said("batch");
    let heard: f64 = said.iter().filter_map(|batch| batch["invocations"].as_f64()).sum();
    assert_eq!(heard, (35 * 5 + 300) as f64);
    let late: f64 = said.iter().filter_map(|batch| batch["Late"].as_f64()).sum();
    assert_eq!(late, 0.0);
}

#[tokio::test]
async fn who_drives_a_spike_of_cost_is_named_by_the_tag_that_the_stacks_key_gives_them() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    let first = now_ms() / PANE_MS * PANE_MS - 36 * PANE_MS;
    let mut nth = 0;
    // Ten minutes ago one of five asked for four of five of sixty times as many as ever.
    let mut put = |panes: std::ops::Range<i64>| {
        for pane in panes {
            let (count, most) = if pane == 34 { (300, 240) } else { (5, 0) };
            let who = |at: i64| {
                let one = if at < most { 0 } else { at % 5 };
                Some(format!("Tenant-{one}"))
            };
            let record = requests(&mut nth, first + pane * PANE_MS, count, who);
            // The lines of one stream of a log come by one shard.
            world.put(0, &record);
        }
        world.drained();
    };
    put(1..25);
    let tick = || world.invoke(&json!({ "tidewatch": "tick" }));
    assert_eq!(tick()["FunctionError"], Value::Null);
    put(25..37);
    let filter = json!({ "detector": ["denial-of-wallet"] });
    let queue = world.subscribe("costs", "AlertTopicArn", &filter);
    assert_eq!(tick()["FunctionError"], Value::Null);
    let opened = world.message(&queue, "the alert", |finding| finding["activity_id"] == 1);

    let finding = document(&opened);
    let spending = &finding["unmapped"]["tidewatch"]["spending"];
    let UserTag(tag) = tag_of(&world, "Tenant-0");
    let drivers = spending["drivers"].as_array().expect("drivers");
    let named = |kind: &str, name: &str| {
        let found = drivers.iter().find(|driver| driver["kind"] == kind && driver["name"] == name);
        let share = found.and_then(|driver| driver["share"].as_f64());
        share.unwrap_or_else(|| panic!("no {kind} {name}: {drivers:#?}"))
    };
    // 240, and each fifth of the other 60.
    assert!((named("principal", &format!("user:{tag:016x}")) - 252.0 / 300.0).abs() < 1e-9);
    assert!((named("source", "203.0.113.9") - 1.0).abs() < 1e-9);
    let says = finding["message"].as_str().expect("a sentence");
    assert!(says.contains(" makes "), "{says}");

    let said = world.said("batch");
    let sum = |what: &str| said.iter().filter_map(|batch| batch[what].as_f64()).sum::<f64>();
    // Nobody is heard before the tick knows the function.
    assert_eq!(sum("callers_unheard") + sum("callers_heard"), 35.0 * 5.0 + 300.0);
    assert!(sum("callers_heard") >= 11.0 * 5.0 + 300.0, "{said:#?}");
    // Names are nowhere in the table.
    let table = world.resource("Table");
    let items = world.stack.cloud.must("dynamodb", "Scan", json!({ "TableName": table }));
    let items = items["Items"].as_array().expect("items");
    let values = items.iter().flat_map(|item| item.as_object().expect("an item").values());
    let stored: Vec<Vec<u8>> = values.filter_map(|value| bytes_of(&value["B"])).collect();
    assert!(stored.len() > 4, "{} values", stored.len());
    let names = |value: &Vec<u8>| value.to_ascii_lowercase().windows(8).any(|of| of == b"tenant-0");
    assert!(!stored.iter().any(names));
    assert_eq!(world.complaints(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_budget_of_all_functions_together_is_told_once_it_is_spent() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    // Each invocation is $0.00017, so that each function by itself spends less in the first hours.
    world.store("functions.toml", "budget = 0.05\n");
    let filter = json!({ "detector": ["budget-burn"] });
    let queue = world.subscribe("budget", "AlertTopicArn", &filter);
    let first = now_ms() / PANE_MS * PANE_MS - 36 * PANE_MS;
    let mut nth = 0;
    for pane in 1..20 {
        for (shard, function) in (0..SHARDS).zip(["checkout-api", "login-api"]) {
            let count = if shard == 0 { 20 } else { 10 };
            world.put(shard, &reports_of(function, &mut nth, first + pane * PANE_MS, count));
        }
    }
    world.drained();
    let tick = || world.invoke(&json!({ "tidewatch": "tick" }));
    assert_eq!(tick()["FunctionError"], Value::Null);
    let opened = world.message(&queue, "the alert", |finding| finding["activity_id"] == 1);
    let finding = document(&opened);
    let budget = &finding["unmapped"]["tidewatch"]["spending"]["budget"];
    assert_eq!((&budget["of"], &budget["budget_dollars"]), (&json!("all"), &json!(0.05)));
    let says = finding["message"].as_str().expect("a sentence");
    assert!(says.starts_with("everything watched: $"), "{says}");
    assert_eq!(finding["severity"], "Critical");
    // Panes of this month alone; where it has just begun some are of the one before.
    let spent = budget["spent_dollars"].as_f64().expect("dollars");
    let all = 19.0 * 30.0 * (10.0 * 0.000_016_666_7 + 0.000_000_2);
    assert!(spent >= 0.05 && spent <= all * 1.001, "{spent} of {all}: {budget}");
    let most = budget["most"].as_array().expect("functions");
    let names: Vec<_> = most.iter().map(|of| of["function"].as_str().expect("a name")).collect();
    assert_eq!(names, ["checkout-api", "login-api"]);
    // Another tick has nothing to add, and all that was told is about one month.
    let told = world.messages(&queue);
    let uids = told.iter().map(|of| document(of)["finding_info"]["uid"].clone());
    assert!(uids.into_iter().all(|uid| uid == finding["finding_info"]["uid"]));
    assert_eq!(tick()["FunctionError"], Value::Null);
    assert_eq!(world.messages(&queue).len(), told.len());
    assert_eq!(world.complaints(), Vec::<Value>::new());
    // What is in force is told, also where the file has a fault since: what the function remembers of it.
    for (text, in_force) in
        [(None, "functions.toml"), (Some("budget ="), "last good functions.toml")]
    {
        if let Some(text) = text {
            world.store("functions.toml", text);
        }
        let ran = run_at(&world.ministack, &["status", "--stack", NAME], b"");
        let line = ran.stdout.lines().find(|line| line.contains(" functions")).expect("a line");
        let facts = format!("in_force={in_force}, entries=0, budgets=0, budget_of_all=$0.05");
        assert!(line.contains(&facts), "{line}");
    }
}
