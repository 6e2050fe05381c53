//! The shared table in a DynamoDB: the contract of the seam, against the local cloud.
//!
//! Not shown here, because ministack has no such thing: throttling, lost answers, an index that lags
//! behind, deletion of expired items, and numbers of 38 digits, which it rounds (ours have 20 at most).
//! The wire tests of crates/aws and the simulator show what we make of them. It also lets a write set
//! and remove one attribute, which DynamoDB refuses; crates/aws asserts that nobody asks for it.

use std::process::Command;

use tidewatch_aws::client::{dynamodb, from_environment, local};
use tidewatch_aws::{DynamoTable, schema};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::table::{
    Attribute, Indexing, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::Time;
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::plain_table::PlainTable;
use tidewatch_tests::table_contract::{agree, contract};

const SEEDS: u64 = 10;

#[tokio::test]
async fn dynamodb_keeps_the_contract_of_the_shared_table() {
    let cloud = Ministack::start();
    contract(&cloud.table("contract").await).await;
}

#[tokio::test]
async fn dynamodb_answers_what_a_plain_table_answers() {
    let cloud = Ministack::start();
    for seed in 0..SEEDS {
        let table = cloud.table(&format!("agree-{seed}")).await;
        agree(&table, &PlainTable::default(), seed).await;
    }
}

fn large(bytes: usize) -> Write {
    Write {
        item: ItemKey { key: b"large".to_vec(), part: Part::Main },
        expected: Vec::new(),
        version: None,
        set: vec![(Attribute::Share(ShardId(1)), vec![7; bytes])],
        removed: Vec::new(),
        index: Indexing::Keep,
        expires: Time(4_000_000_000_000),
    }
}

#[tokio::test]
async fn what_does_not_fit_is_told_apart_from_what_never_works() {
    let cloud = Ministack::start();
    let table = cloud.table("faults").await;
    let Ok(Written::Applied(_)) = table.write(&large(400_000)).await else { panic!("it fits") };
    let found = table.write(&large(409_700)).await;
    assert!(matches!(found, Err(TableError::TooLarge(_))), "{found:?}");
    // An item grows by a second attribute, too.
    let more = Write { set: vec![(Attribute::Latch, vec![7; 20_000])], ..large(0) };
    let found = table.write(&more).await;
    assert!(matches!(found, Err(TableError::TooLarge(_))), "{found:?}");
    let key = ItemKey { key: Vec::new(), part: Part::Main };
    let found = table.write(&Write { item: key, ..large(1) }).await;
    assert!(matches!(found, Err(TableError::Fatal(_))), "an empty key: {found:?}");
    let client = dynamodb(&local(&cloud.endpoint()));
    let nowhere = DynamoTable::new(client.clone(), "nowhere");
    let Err(TableError::Fatal(says)) = nowhere.write(&large(1)).await else { panic!("no fault") };
    assert!(says.contains("there is no table `nowhere`"), "{says}");
    let twice = schema::create_table(&client, "faults").await;
    assert!(matches!(&twice, Err(TableError::Fatal(says)) if says.contains("exists")), "{twice:?}");
    drop(cloud);
    let found = table.write(&large(1)).await;
    assert!(matches!(found, Err(TableError::Unanswered(_))), "{found:?}");
}

/// Runs itself again with an environment as a user would set it, because a test must not change its
/// own.
#[tokio::test]
async fn the_environment_says_where_dynamodb_is() {
    if std::env::var_os("TIDEWATCH_INNER_RUN").is_some() {
        let table = DynamoTable::new(
            dynamodb(&from_environment().await.expect("certificates")),
            "environment",
        );
        assert!(matches!(table.write(&large(1)).await, Ok(Written::Applied(_))));
        return;
    }
    let cloud = Ministack::start();
    let table = cloud.table("environment").await;
    let run = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_environment_says_where_dynamodb_is"])
        .envs([
            ("TIDEWATCH_INNER_RUN", "1"),
            ("AWS_ENDPOINT_URL", &cloud.endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ])
        .output()
        .expect("it runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let found = table.get(&large(1).item).await.expect("an answer").expect("what it wrote");
    assert_eq!(found.version, 1);
}
