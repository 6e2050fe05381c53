//! The table, stated once: its keys, its attributes, its index.
//!
//! | attribute | type | content |
//! |---|---|---|
//! | `k` | B, partition key | what is counted by |
//! | `r` | B, sort key | which item of it (`tidewatch_core::table_store::table::Part`) |
//! | `s<shard>`, `x<shard>`, `o`, `h<list>` | B | values (`tidewatch_core::table_store::table::Attribute`) |
//! | `v` | N | how often the item was written: ADD 1 |
//! | `t` | N | the TTL: epoch seconds from when on the item may be deleted |
//! | `q` | S | `q0` to `q11`, the partition of the index; only while indexed |
//! | `d` | N | when the item is due, epoch milliseconds; only while indexed |
//!
//! The index `due` has `q` and `d` as its keys and holds keys only, so that a write which changes
//! neither costs nothing there.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use tidewatch_core::table_store::table::TableError;

use crate::asked::{Asked, Service};

/// The partition key.
pub const KEY: &str = "k";
/// The sort key.
pub const PART: &str = "r";
/// The item's version.
pub const VERSION: &str = "v";
/// The TTL attribute.
pub const EXPIRES: &str = "t";
/// The index.
pub const INDEX: &str = "due";
/// The index's partition key.
pub const INDEX_PARTITION: &str = "q";
/// The index's sort key.
pub const INDEX_DUE: &str = "d";

/// How often a new table is asked whether it is ready, and how long it is left alone in between: two
/// minutes in all; DynamoDB takes some ten seconds.
const READY_TRIES_MAX: usize = 240;
const READY_PAUSE: Duration = Duration::from_millis(500);

/// Makes the table `name`: billed by request, with the index, and, once it is active, with its TTL.
/// The TTL takes an API call of its own, because CreateTable has no parameter for it.
///
/// # Errors
/// If it exists already, if it may not be made, or if it does not become active within two minutes.
/// After an error the table may exist without TTL; then call [`enable_expiry`].
pub async fn create_table(client: &Client, name: &str) -> Result<(), TableError> {
    let asked = asking("CreateTable", name);
    let defect = |error: BuildError| TableError::Fatal(error.to_string());
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(definitions().map_err(defect)?))
        .set_key_schema(Some(keys(KEY, PART).map_err(defect)?))
        .global_secondary_indexes(index().map_err(defect)?)
        .send()
        .await
        .map_err(|error| asked.failed(&error))?;
    wait_until_active(client, name).await?;
    enable_expiry(client, name).await
}

/// Lets DynamoDB delete the items of table `name` once their `t` has passed.
///
/// # Errors
/// If DynamoDB refuses, as it does where the TTL is enabled already.
pub async fn enable_expiry(client: &Client, name: &str) -> Result<(), TableError> {
    let asked = asking("UpdateTimeToLive", name);
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES)
        .enabled(true)
        .build()
        .map_err(|error| TableError::Fatal(error.to_string()))?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(|error| asked.failed(&error))?;
    Ok(())
}

async fn wait_until_active(client: &Client, name: &str) -> Result<(), TableError> {
    let asked = asking("DescribeTable", name);
    for _ in 0..READY_TRIES_MAX {
        let described = client.describe_table().table_name(name).send().await;
        let table = described.map_err(|error| asked.failed(&error))?.table;
        if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(TableError::Unanswered(format!("table `{name}` was made, but does not become active")))
}

fn asking<'a>(operation: &'static str, table: &'a str) -> Asked<'a> {
    Asked { service: Service::DynamoDb, operation, resource: table }
}

fn definitions() -> Result<Vec<AttributeDefinition>, BuildError> {
    let types = [
        (KEY, ScalarAttributeType::B),
        (PART, ScalarAttributeType::B),
        (INDEX_PARTITION, ScalarAttributeType::S),
        (INDEX_DUE, ScalarAttributeType::N),
    ];
    let define = |(name, kind)| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
    };
    types.into_iter().map(define).collect()
}

fn keys(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element =
        |(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    [(hash, KeyType::Hash), (range, KeyType::Range)].into_iter().map(element).collect()
}

fn index() -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(INDEX)
        .set_key_schema(Some(keys(INDEX_PARTITION, INDEX_DUE)?))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
}
