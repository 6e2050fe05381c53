//! What functions cost, deployed: REPORT lines on both shards, a spike among them, and the tick that tells it in
//! dollars, although its topic is gone when it is found.

use serde_json::{Value, json};
use tidewatch_tests::containers::gzip;

use super::world::{SHARDS, World, attribute, document, now_ms};

const MINUTE_MS: i64 = 60_000;
const PANE_MS: i64 = 5 * MINUTE_MS;
const FUNCTION: &str = "checkout-api";

/// A record with reports of `count` invocations of 10 s with 1 GB, within a minute of `from`.
fn reports(nth: &mut u64, from_ms: i64, count: i64) -> Vec<u8> {
    let events = (0..count).map(|at| {
        *nth += 1;
        let line = format!(
            "REPORT RequestId: 00000000-0000-4000-8000-{nth:012x}\tDuration: 9999.50 ms\tBilled Duration: \
             10000 ms\tMemory Size: 1024 MB\tMax Memory Used: 100 MB\t\n"
        );
        let timestamp = from_ms + at * MINUTE_MS / count;
        json!({ "id": format!("{nth:056}"), "timestamp": timestamp, "message": line })
    });
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012",
        "logGroup": format!("/aws/lambda/{FUNCTION}"), "logStream": "2026/11/29/[$LATEST]5f",
        "subscriptionFilters": ["tidewatch"], "logEvents": events.collect::<Vec<Value>>(),
    });
    gzip(envelope.to_string().as_bytes())
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
