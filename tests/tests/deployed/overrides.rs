//! Detectors of the user's own, taken in without a new deployment, and what a typo in them does: nothing
//! but to be told.

use serde_json::json;

use super::alert::print_delays;
use super::world::{World, now_ms, scan};

/// A detector that raises at six names.
const OWN: &str = r#"
id = "own-scan"
title = "A handful of unknown names"
signal = "auth"
key = "source.ip"
window = "10m"
[measure]
unknown_users = { distinct = "user", where = { outcome = "failure", user_known = false } }
[[raise]]
severity = "low"
when = ["unknown_users >= 6"]
"#;

#[tokio::test]
async fn overrides_are_taken_in_and_a_typo_leaves_the_last_good_ones() {
    let world = World::deploy(&[("BatchingWindowSeconds", "1")]);
    print_delays(&world, "1");
    let own = world.subscribe("own", "AlertTopicArn", &json!({ "detector": ["own-scan"] }));
    let all = world.said("batch");
    assert_eq!(all.last().expect("a batch")["detectors"], "packaged");

    world.store("detectors/own.toml", OWN);
    world.kill();
    world.put(0, &world.packed(&scan("203.0.113.1", 0..8, now_ms(), 100)));
    world.message(&own, "the own detector's alert", |finding| {
        finding["unmapped"]["tidewatch"]["key"] == "203.0.113.1"
    });
    world.drained();
    assert_eq!(world.said("batch").last().expect("a batch")["detectors"], "overrides");

    // A new environment starts while the newest set is faulty.
    world.store("detectors/own.toml", &OWN.replace("distinct", "distnct"));
    world.kill();
    world.put(0, &world.packed(&scan("203.0.113.2", 0..8, now_ms(), 100)));
    world.message(&own, "the last good detector's alert", |finding| {
        finding["unmapped"]["tidewatch"]["key"] == "203.0.113.2"
    });
    world.drained();
    let batches = world.said("batch");
    let last = batches.last().expect("a batch");
    assert_eq!(
        (&last["detectors"], &last["OverridesRejected"]),
        (&json!("last good overrides"), &json!(1))
    );
    let why = world.said("overrides_rejected");
    let why = why.last().expect("it is told")["why"].as_str().expect("a sentence").to_owned();
    assert!(why.contains("own.toml:8:") && why.contains("distnct"), "{why}");
}
