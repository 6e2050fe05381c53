//! Known users in the bucket: they tell what a log does not, and a faulty filter leaves the last good one.

use serde_json::{Value, json};
use tidewatch_aws::TokioPace;
use tidewatch_aws::client::local;
use tidewatch_aws::users::UsersSource;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;
use tidewatch_ingest::known_users::{Hashing, KnownUsers};
use tidewatch_ingest::username::Usernames;
use tidewatch_lambda::users::{Origin, refresh};
use tidewatch_tests::cloud::bytes;
use tidewatch_tests::containers::{envelope, gzip};
use tidewatch_tests::environment::{Answer, Environment};

use super::host::{Host, LIMIT, again_from, batch, complaint, scan};

const KEY: &str = "users/known.users";

fn filter(names: &[&str]) -> Vec<u8> {
    let hashing = Hashing { salt: [5; 16], usernames: Usernames::Fold };
    let hashes = names.iter().map(|name| hashing.hash(name)).collect();
    KnownUsers::build(hashing, hashes).expect("names").to_bytes()
}

fn put(host: &Host, content: &[u8]) {
    let bucket = &host.variables["TIDEWATCH_BUCKET"];
    let object = json!({ "Bucket": bucket, "Key": KEY, "Body": bytes(content) });
    host.cloud.must("s3", "PutObject", object);
}

fn remove(host: &Host) {
    let object = json!({ "Bucket": host.variables["TIDEWATCH_BUCKET"], "Key": KEY });
    host.cloud.must("s3", "DeleteObject", object);
}

/// A scan in a log that does not say whether accounts exist, numbered from `first`.
fn untold(first: u64, source: &str) -> Value {
    let events = scan(source, 0..45);
    let write = |event: &tidewatch_tests::events::Event| {
        let told = event.json();
        let untold = told.replace("\"reason\":\"unknown_user\",", "");
        assert_ne!(told, untold);
        untold
    };
    batch(first, &[gzip(envelope(first as usize, &events, write).as_bytes())])
}

#[tokio::test]
async fn known_users_tell_what_a_log_does_not() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&untold(1, "203.0.113.20"), LIMIT), again_from(None));
    assert_eq!(environment.said("batch", 0)["known_users"], "none");
    assert_eq!(host.findings(&queue), Vec::<Value>::new());

    put(&host, &filter(&["ann", "bob"]));
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&untold(2, "203.0.113.21"), LIMIT), again_from(None));
    assert_eq!(environment.said("batch", 0)["known_users"], KEY);
    let findings = host.findings(&queue);
    let keys: Vec<&Value> = findings.iter().map(|f| &f["unmapped"]["tidewatch"]["key"]).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| **key == "203.0.113.21"), "{keys:?}");
}

#[tokio::test]
async fn a_faulty_filter_leaves_the_last_good_one_and_says_what_to_do() {
    let host = Host::without(None).await;
    let in_force = |environment: &mut Environment| {
        let tick = json!({ "tidewatch": "tick" });
        assert_eq!(environment.invoke(&tick, LIMIT), Answer::Done(Value::Null));
        let told = environment.said("tick", 0);
        (told["known_users"].clone(), told["OverridesRejected"].clone())
    };
    // A metric that is zero is not told.
    let good = (json!(KEY), Value::Null);
    put(&host, &filter(&["ann"]));
    assert_eq!(in_force(&mut host.environment()), good);
    put(&host, b"ann\n");
    let mut faulty = host.environment();
    assert_eq!(in_force(&mut faulty), (json!("last good"), json!(1)));
    let why = complaint(&faulty, "users_rejected", 0);
    assert!(why.contains(KEY) && why.contains("`tidewatch users build` makes one"), "{why}");
    // What the user has removed does not come back with the next fault.
    remove(&host);
    assert_eq!(in_force(&mut host.environment()), (json!("none"), Value::Null));
    put(&host, b"ann\n");
    assert_eq!(in_force(&mut host.environment()), (json!("none"), json!(1)));
    put(&host, &filter(&["bob"]));
    assert_eq!(in_force(&mut host.environment()), good);
}

#[tokio::test]
async fn an_environment_follows_the_filter_in_the_bucket() {
    let host = Host::without(None).await;
    let bucket = host.variables["TIDEWATCH_BUCKET"].clone();
    let source = UsersSource::new(&local(&host.ministack.endpoint()), bucket);
    let pace = TokioPace::start().expect("chance");
    let deadline = pace.now().plus(Span::seconds(60));
    let users = refresh(None, &source, &pace, deadline).await;
    assert_eq!((users.origin, users.known.is_none()), (Origin::None, true));
    put(&host, &filter(&["ann"]));
    let users = refresh(Some(users), &source, &pace, deadline).await;
    let first = users.known.clone().expect("a filter");
    assert!(users.origin == Origin::Bucket && first.knows("ann") && !first.knows("bob"));
    // It is the same one, not read again.
    let users = refresh(Some(users), &source, &pace, deadline).await;
    assert!(users.known.as_ref().is_some_and(|known| std::sync::Arc::ptr_eq(known, &first)));
    put(&host, &filter(&["bob", "carl"]));
    let users = refresh(Some(users), &source, &pace, deadline).await;
    assert!(users.known.as_ref().is_some_and(|known| known.knows("bob") && !known.knows("ann")));
    // A fault is told as long as it lasts, and what was in force goes on.
    let cut = filter(&["dora"]);
    put(&host, &cut[..cut.len() - 1]);
    let mut users = users;
    for _ in 0..2 {
        users = refresh(Some(users), &source, &pace, deadline).await;
        assert!(users.rejected.as_ref().is_some_and(|why| why.contains("copy or build it again")));
        assert!(users.known.as_ref().is_some_and(|known| known.knows("bob")));
    }
    // So it is while the bucket cannot be read.
    let late = pace.now().minus(Span::seconds(1));
    users = refresh(Some(users), &source, &pace, late).await;
    assert!(users.known.as_ref().is_some_and(|known| known.knows("bob")));
    remove(&host);
    users = refresh(Some(users), &source, &pace, deadline).await;
    assert!(users.known.is_none() && users.rejected.is_none());
}
