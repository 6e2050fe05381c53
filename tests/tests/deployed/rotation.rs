//! A new key in the place of the old one, made by the deployed function, and a scan that goes on across
//! the change: told once, counted exactly under both.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidewatch_core::key_ring::Generation;
use tidewatch_tests::events::Event;

use super::alert::{SCANNER, check_counts, put_all};
use super::world::{World, attribute, now_ms, scan};

/// The version that Secrets Manager makes for a rotation.
const TOKEN: &str = "3f1a2b4c-0000-4000-8000-00000000000a";

#[tokio::test]
async fn a_rotation_leaves_an_attack_one_finding_and_its_counts_exact() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    let alerts = world.subscribe(
        "alerts",
        "AlertTopicArn",
        &json!({ "detector": ["credential-scan"], "activity": ["create", "update"] }),
    );
    let before = scan(SCANNER, 0..40, now_ms(), 500);
    put_all(&world, &before, 5);
    world.message(&alerts, "the alert", |finding| finding["activity_id"] == 1);

    rotate(&world);
    let rotated = current(&world);
    assert_eq!((&rotated["id"], &rotated["previous"]["id"]), (&json!(2), &json!(1)));
    let from: Timestamp = rotated["from"].as_str().expect("a time").parse().expect("RFC 3339");
    let lead_ms = from.as_millisecond() - now_ms();
    assert!((13 * 60_000..=15 * 60_000).contains(&lead_ms), "used in {lead_ms} ms");

    // A quarter of an hour later: both keys are in use.
    let mut in_use = rotated;
    let begun = Timestamp::from_millisecond(now_ms() - 1_000).expect("a time");
    in_use["from"] = json!(begun.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let ask = json!({ "SecretId": world.resource("Secret"), "SecretString": in_use.to_string() });
    world.stack.cloud.must("secretsmanager", "PutSecretValue", ask);
    world.drained();
    world.kill();
    let after = scan(SCANNER, 40..60, now_ms(), 500);
    put_all(&world, &after, 5);
    world.drained();

    let all: Vec<Event> = [before, after.clone()].concat();
    check_counts(&world, Generation::Odd, &all).await;
    // Under the new key what came since is known by name; counters are the same for both.
    let counted = world.counted(SCANNER, "credential-scan", Generation::Even).await;
    let of = |name: &str| counted.iter().find(|(of, _)| of == name).map(|(_, count)| *count);
    assert_eq!(of("unknown_users"), Some(after.len() as f64), "{counted:?}");
    assert_eq!(of("failures"), Some(all.len() as f64), "{counted:?}");
    let told = world.messages(&alerts);
    let uids: BTreeSet<&str> =
        told.iter().map(|message| attribute(message, "finding_uid")).collect();
    assert_eq!(uids.len(), 1, "{told:#?}");
    let openings = told.iter().filter(|message| attribute(message, "activity") == "create");
    assert_eq!(openings.count(), 1, "{told:#?}");
    assert_eq!(world.complaints(), Vec::<Value>::new());
}

/// Plays Secrets Manager: an empty version that waits, and the four steps.
fn rotate(world: &World) {
    let (secret, cloud) = (world.resource("Secret"), &world.stack.cloud);
    let ask = json!({
        "SecretId": secret, "ClientRequestToken": TOKEN, "VersionStages": ["AWSPENDING"],
    });
    cloud.must("secretsmanager", "PutSecretValue", ask);
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        let event = json!({ "Step": step, "SecretId": secret, "ClientRequestToken": TOKEN });
        let answer = world.invoke_function("RotationFunctionName", &event);
        assert_eq!(answer["FunctionError"], json!(null), "{step}: {answer}");
    }
}

/// The current value of the stack's secret.
fn current(world: &World) -> Value {
    let ask = json!({ "SecretId": world.resource("Secret") });
    let value = world.stack.cloud.must("secretsmanager", "GetSecretValue", ask);
    serde_json::from_str(value["SecretString"].as_str().expect("text")).expect("JSON")
}
