//! What an environment does with time and with keys, without a network.

use super::*;
use tidewatch_core::key_ring::LiveKey;
use tidewatch_core::tag::TagKey;

fn detector() -> Detector {
    let variable = |name: &str| match name {
        "TIDEWATCH_LAYOUT" | "TIDEWATCH_WEIGH_FUNCTIONS" => None,
        "TIDEWATCH_ALERT_TOPIC" => Some("arn:aws:sns:eu-west-1:123456789012:alerts".to_owned()),
        name => Some(name.to_owned()),
    };
    let settings = Settings::read(variable).expect("all are set");
    Detector::new(settings, &client::local("http://127.0.0.1:9")).expect("chance")
}

fn key_ring() -> KeyRing {
    let key = LiveKey { id: 1, key: TagKey::new([1; 16]), from: Time::MIN };
    KeyRing { current: key, previous: None }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_tried_again_in_a_minute_and_not_at_once() {
    let mut detector = detector();
    let (arn, why) = ("arn:s".to_owned(), "it is no JSON");
    let fails = || Err(SecretError::Malformed { arn: arn.clone(), why });
    let now = Time(1_764_072_000_000);
    // Without any key nothing can begin, and the next invocation tries at once.
    assert!(detector.take_keys(fails(), now).is_err());
    assert!(now >= detector.keys_due);
    assert!(detector.take_keys(Ok((key_ring(), Some(now))), now).is_ok());
    assert_eq!(detector.keys_due, now.plus(SECRET_REREAD));
    let later = now.plus(SECRET_REREAD);
    assert!(detector.take_keys(fails(), later).is_ok());
    assert_eq!(detector.keys_due, later.plus(Span::minutes(1)));
    assert!(detector.keys.is_some() && detector.keys_stale.is_some());
    let at_last = detector.keys_due;
    assert!(detector.take_keys(Ok((key_ring(), None)), at_last).is_ok());
    assert_eq!((detector.keys_due, &detector.keys_stale), (at_last.plus(SECRET_REREAD), &None));
}

#[tokio::test(start_paused = true)]
async fn the_store_has_the_time_that_the_function_has() {
    let detector = detector();
    let plan = Arc::new(Plan::default());
    let store = detector.store(plan, &key_ring());
    // The next invocation begins after an hour that the two clocks of this test disagree about.
    tokio::time::advance(Duration::from_secs(3_600)).await;
    detector.pace.anchor();
    let now = detector.pace.now();
    assert!(store.invocation(ShardId(0), now.plus(Span::seconds(60))).has_time());
    assert!(!store.invocation(ShardId(0), now.minus(Span::seconds(60))).has_time());
}
