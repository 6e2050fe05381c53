//! One thing missing at a time, and made again.

use std::time::Duration;

use serde_json::{Value, json};
use tidewatch_tests::binary::root;
use tidewatch_tests::cloud::bytes;
use tidewatch_tests::environment::{Answer, Environment};

use super::host::{Host, LIMIT, Part, again_from, batch, binary, complaint, packed, scan};

const SOURCE: &str = "203.0.113.5";

/// A batch in which `SOURCE` is found out at the third record.
fn attack() -> Value {
    let events = scan(SOURCE, 0..45);
    let data: Vec<Vec<u8>> =
        events.chunks(15).enumerate().map(|(nth, events)| packed(nth, events)).collect();
    batch(1, &data)
}

/// Invokes with the attack until it is found, and checks that it was told once, and counted once.
async fn found(host: &Host, environment: &mut Environment, queue: &Value) {
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(None));
    let findings = host.findings(queue);
    let [opened] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(opened["activity_id"], 1);
    let measures = opened["unmapped"]["tidewatch"]["measures"].as_array().expect("measures");
    let failures = measures.iter().find(|measure| measure["name"] == "failures");
    // Judged at every window end of the batch: the numbers are those of the one that decided.
    assert!(failures.is_some_and(|found| found["value"].as_f64() <= Some(45.0)), "{opened:#}");
    // Once more, as after an answer that was lost: nothing is counted or told again.
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(host.findings(queue), Vec::<Value>::new());
}

#[tokio::test]
async fn with_everything_at_hand_an_attack_is_told_once() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let mut environment = host.environment();
    found(&host, &mut environment, &queue).await;
    let told = environment.said("batch", 0);
    let expected = [
        ("Records", json!(3)),
        ("Lines", json!(45)),
        ("Signals", json!(45)),
        ("Stack", json!("prod")),
        ("shard", json!(0)),
        ("detectors", json!("packaged")),
        ("level", json!("INFO")),
    ];
    for (name, value) in expected {
        assert_eq!(told[name], value, "{name}: {told:#}");
    }
    // One; or two, where a minute ends after the first names and they are told as an early sign.
    assert!((1..=2).contains(&told["FindingsOpened"].as_u64().unwrap_or(0)), "{told:#}");
    assert!(told["StoreCalls"].as_u64() >= Some(3), "{told:#}");
    assert!(!told["EventToPublishMs"].is_null(), "{told:#}");
    assert_eq!(told["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]));
    environment.said("batch", 1);
    assert!(!environment.lines().concat().contains("nobody"), "no name leaves");
    assert!(!environment.lines().concat().contains(SOURCE), "no address is logged");
}

#[tokio::test]
async fn without_its_table_a_batch_comes_again_and_is_counted_then() {
    let host = Host::without(Some(Part::Table)).await;
    let queue = host.alerts();
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(Some(1)));
    let why = complaint(&environment, "batch_given_back", 0);
    assert!(why.contains("`state`") && why.contains("create it"), "{why}");
    assert_eq!(environment.said("batch", 0)["Unacknowledged"], 3);
    host.make(Part::Table).await;
    found(&host, &mut environment, &queue).await;
}

#[tokio::test]
async fn without_its_secret_nothing_begins() {
    let mut host = Host::without(Some(Part::Secret)).await;
    let queue = host.alerts();
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(Some(1)));
    let why = complaint(&environment, "not_ready", 0);
    assert!(why.contains("tag-key") && !why.contains("nothing but a test"), "{why}");
    let ticked = environment.invoke(&json!({ "tidewatch": "tick" }), LIMIT);
    assert!(
        matches!(&ticked, Answer::Failed(error) if error.to_string().contains("tag-key")),
        "{ticked:?}"
    );
    host.make(Part::Secret).await;
    found(&host, &mut environment, &queue).await;

    // One that is to be deleted is as good as none; an environment that knows the key goes on.
    let ask = json!({ "SecretId": "tag-key", "RecoveryWindowInDays": 7 });
    host.cloud.must("secretsmanager", "DeleteSecret", ask);
    let later = batch(9, &[packed(9, &scan("203.0.113.6", 0..3))]);
    assert_eq!(environment.invoke(&later, LIMIT), again_from(None));
    let mut cold = host.environment();
    assert_eq!(cold.invoke(&later, LIMIT), again_from(Some(9)));

    // Nor is one that makes no sense, and what it says is never repeated.
    let ask = json!({ "Name": "other", "SecretString": "{\"id\":1,\"pass\":\"hidden-words\"}" });
    host.cloud.must("secretsmanager", "CreateSecret", ask);
    host.variables.insert("TIDEWATCH_SECRET".to_owned(), "other".to_owned());
    let mut cold = host.environment();
    assert_eq!(cold.invoke(&later, LIMIT), again_from(Some(9)));
    let why = complaint(&cold, "not_ready", 0);
    assert!(why.contains("other") && !why.contains("hidden-words"), "{why}");
}

#[tokio::test]
async fn without_its_topic_the_finding_waits_in_the_table() {
    let host = Host::without(Some(Part::Topics)).await;
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(Some(1)));
    let why = complaint(&environment, "batch_given_back", 0);
    assert!(why.contains(&host.variables["TIDEWATCH_ALERT_TOPIC"]), "{why}");
    assert!(environment.said("batch", 0)["PublishFailed"].as_u64() >= Some(1));
    host.make(Part::Topics).await;
    let queue = host.alerts();
    // Another environment serves the shard by now.
    found(&host, &mut host.environment(), &queue).await;
}

#[tokio::test]
async fn without_its_bucket_only_unreadable_records_come_again() {
    let host = Host::without(Some(Part::Bucket)).await;
    let mut environment = host.environment();
    let good = |nth: usize| packed(nth, &scan("203.0.113.8", nth as i64 * 9..nth as i64 * 9 + 2));
    let torn = good(7)[..50].to_vec();
    let event = batch(1, &[good(0), torn, good(1)]);
    assert_eq!(environment.invoke(&event, LIMIT), again_from(Some(2)));
    let told = environment.said("batch", 0);
    assert_eq!((&told["QuarantineFailed"], &told["Signals"]), (&json!(1), &json!(4)), "{told:#}");
    // Its overrides are out of reach as well: the packaged detectors run, and it says so.
    assert_eq!((&told["detectors"], &told["OverridesRejected"]), (&json!("packaged"), &json!(1)));
    let why = complaint(&environment, "quarantine_failed", 0);
    assert!(why.contains(&host.variables["TIDEWATCH_BUCKET"]), "{why}");
    host.make(Part::Bucket).await;
    assert_eq!(environment.invoke(&event, LIMIT), again_from(None));
    assert_eq!(environment.said("batch", 1)["Quarantined"], 1);
}

/// An override set that the user has removed, and a fault in the next one.
#[tokio::test]
async fn overrides_that_were_removed_do_not_come_back() {
    let host = Host::without(None).await;
    let put = |text: &str| {
        let bucket = &host.variables["TIDEWATCH_BUCKET"];
        let object = json!({
            "Bucket": bucket, "Key": "detectors/own.toml", "Body": bytes(text.as_bytes()),
        });
        host.cloud.must("s3", "PutObject", object);
    };
    let in_force = |environment: &mut Environment| {
        let tick = json!({ "tidewatch": "tick" });
        assert_eq!(environment.invoke(&tick, LIMIT), Answer::Done(Value::Null));
        environment.said("tick", 0)["detectors"].clone()
    };
    let own = std::fs::read_to_string(root().join("infra/detectors/brute-force.toml"));
    let own = own.expect("a detector");
    put(&own);
    assert_eq!(in_force(&mut host.environment()), "overrides");
    let fault = own.replace("window =", "windw =");
    put(&fault);
    assert_eq!(in_force(&mut host.environment()), "last good overrides");
    let object = json!({
        "Bucket": host.variables["TIDEWATCH_BUCKET"], "Key": "detectors/own.toml",
    });
    host.cloud.must("s3", "DeleteObject", object);
    assert_eq!(in_force(&mut host.environment()), "packaged");
    put(&fault);
    assert_eq!(in_force(&mut host.environment()), "packaged");
}

/// Somebody who is allowed to attack, a typo in the file that says so, and the file's end.
#[tokio::test]
async fn an_allowlist_is_taken_in_and_a_typo_leaves_the_last_good_one() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let bucket = &host.variables["TIDEWATCH_BUCKET"];
    let put = |text: &str| {
        let body = bytes(text.as_bytes());
        let object = json!({ "Bucket": bucket, "Key": "allow.toml", "Body": body });
        host.cloud.must("s3", "PutObject", object);
    };
    let none = Vec::<Value>::new();
    let good = "[[allow]]\nsource = \"203.0.113.0/24\"\nreason = \"a test\"\nuntil = \"never\"\n";
    put(good);
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(host.findings(&queue), none);
    let told = environment.said("batch", 0);
    assert_eq!(told["FindingsOpened"], Value::Null, "{told:#}");
    assert!(told["FindingsSuppressed"].as_u64() >= Some(1), "{told:#}");
    assert_eq!(told["suppressed_by"]["allow.toml:1"], told["FindingsSuppressed"]);
    assert!(!environment.lines().concat().contains("203.0.113."), "no address is logged");

    // A new environment starts while the file is at fault.
    let typo = good.replace("source", "sorce");
    put(&typo);
    let mut cold = host.environment();
    assert_eq!(cold.invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(host.findings(&queue), none);
    assert_eq!(cold.said("batch", 0)["OverridesRejected"], 1);
    let why = complaint(&cold, "allowlist_rejected", 0);
    assert!(why.contains("allow.toml:2:1") && why.contains("sorce"), "{why}");

    // The user removes it, and what is delivered again is told: nothing was latched.
    let object = json!({ "Bucket": bucket, "Key": "allow.toml" });
    host.cloud.must("s3", "DeleteObject", object);
    found(&host, &mut host.environment(), &queue).await;
    // It does not come back with the next fault.
    put(&typo);
    let other = batch(50, &[packed(50, &scan("203.0.113.77", 0..45))]);
    assert_eq!(host.environment().invoke(&other, LIMIT), again_from(None));
    assert_eq!(host.findings(&queue).len(), 1);
}

#[tokio::test]
async fn of_functions_the_last_good_file_is_kept_and_a_typo_is_told() {
    let host = Host::without(None).await;
    let bucket = &host.variables["TIDEWATCH_BUCKET"];
    let put = |text: &str| {
        let body = bytes(text.as_bytes());
        let object = json!({ "Bucket": bucket, "Key": "functions.toml", "Body": body });
        host.cloud.must("s3", "PutObject", object);
    };
    let kept = || {
        let ask = json!({ "Bucket": bucket, "Prefix": "last-good/functions.toml" });
        let listed = host.cloud.must("s3", "ListObjectsV2", ask);
        listed["Contents"][0]["Size"].as_u64().unwrap_or(0)
    };
    let good = "[[function]]\nname = \"checkout-*\"\nbudget = 500\n";
    put(good);
    assert_eq!(host.environment().invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(kept(), good.len() as u64);

    // A new environment starts while the file is at fault.
    put(&good.replace("budget", "bugdet"));
    let mut cold = host.environment();
    assert_eq!(cold.invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(cold.said("batch", 0)["OverridesRejected"], 1);
    let why = complaint(&cold, "functions_rejected", 0);
    assert!(why.contains("functions.toml:3:1") && why.contains("bugdet"), "{why}");
    assert_eq!(kept(), good.len() as u64);

    // The user removes it, and it does not come back with the next fault.
    let object = json!({ "Bucket": bucket, "Key": "functions.toml" });
    host.cloud.must("s3", "DeleteObject", object);
    assert_eq!(host.environment().invoke(&attack(), LIMIT), again_from(None));
    assert_eq!(kept(), 0);
}

#[tokio::test]
async fn an_environment_set_up_wrongly_says_what_is_wrong() {
    let host = Host::without(None).await;
    let says = |name: &str, value: Option<&str>, words: &[&str]| {
        let mut variables = host.variables.clone();
        variables.remove(name);
        variables.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        let mut environment = Environment::start(binary(), &variables);
        let answer = environment.invoke(&attack(), LIMIT);
        assert_ne!(answer, again_from(None), "{name}");
        environment.says(words);
        environment.says(&["ERROR"]);
    };
    says("TIDEWATCH_TABLE", None, &["TIDEWATCH_TABLE", "infra/template.yaml"]);
    says("TIDEWATCH_LAYOUT", Some("round"), &["TIDEWATCH_LAYOUT", "together"]);
    says("AWS_ACCESS_KEY_ID", None, &["credentials"]);
    says("AWS_REGION", Some("eu-central-1"), &["Region"]);
    // Nobody listens there: the answer comes before the deadline all the same.
    let mut variables = host.variables.clone();
    variables.insert("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:9".to_owned());
    let mut environment = Environment::start(binary(), &variables);
    let limit = Duration::from_secs(5);
    assert_eq!(environment.invoke(&attack(), limit), again_from(Some(1)));
}
