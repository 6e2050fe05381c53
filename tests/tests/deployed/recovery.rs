//! A topic that is gone and comes back: the finding is told by whoever next has to do with its source.
//! And the tick, which closes what went quiet.

use serde_json::json;

use super::world::{World, attribute, now_ms, scan};

#[tokio::test]
async fn a_finding_outlives_its_topic_and_the_tick_closes_it() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    let topic = world.stack.outputs["AlertTopicArn"].clone();
    let source = "203.0.113.9";

    // The scan is over for so long that it is quiet already when it is read.
    let ended = now_ms() - 45 * 60_000;
    world.stack.cloud.must("sns", "DeleteTopic", json!({ "TopicArn": topic }));
    world.put(0, &world.packed(&scan(source, 0..40, ended, 1_000)));
    world.drained();
    let failed = world.said("batch");
    assert!(failed.iter().any(|batch| batch["PublishFailed"].as_f64() > Some(0.0)), "{failed:#?}");
    assert!(failed.iter().any(|batch| batch["Unacknowledged"] == 1), "{failed:#?}");
    let complaints = world.complaints();
    let told = |word: &str| {
        complaints.iter().any(|line| line["why"].as_str().is_some_and(|why| why.contains(word)))
    };
    assert!(told(&topic), "{complaints:#?}");

    // This cloud drops what Lambda would deliver again; one event more of the source stands for it.
    let name = topic.rsplit(':').next().expect("a name");
    world.stack.cloud.must("sns", "CreateTopic", json!({ "Name": name }));
    let queue =
        world.subscribe("again", "AlertTopicArn", &json!({ "detector": ["credential-scan"] }));
    world.put(0, &world.packed(&scan(source, 40..41, ended + 1_000, 1_000)));
    let opened = world.message(&queue, "the alert", |finding| finding["activity_id"] == 1);
    world.drained();

    let ticked = world.invoke(&json!({ "tidewatch": "tick" }));
    assert_eq!(ticked["FunctionError"], json!(null), "{ticked}");
    let closed = world.message(&queue, "its end", |finding| finding["activity_id"] == 3);
    assert_eq!(attribute(&closed, "finding_uid"), attribute(&opened, "finding_uid"));
    assert_eq!(attribute(&closed, "activity"), "close");
    // Said once: another tick has nothing to do.
    world.invoke(&json!({ "tidewatch": "tick" }));
    let closings = world.messages(&queue);
    let closings = closings.iter().filter(|message| attribute(message, "activity") == "close");
    assert_eq!(closings.count(), 1);
}
