//! The list prices of infra/prices.toml, each a field of its own: one that is missing, unknown or said twice
//! is a fault of the file and not a zero on a bill.

use serde::Deserialize;

/// The file, as it was when this was built.
const FILE: &str = include_str!("../../../infra/prices.toml");

/// A price.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for one unit.
    pub usd: f64,
    /// What they are paid for.
    pub unit: String,
    /// Where AWS says it.
    pub page: String,
    /// Where and when it was read.
    pub seen: String,
}

/// All of them; units are said in the file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says what each is")]
pub struct Prices {
    pub kinesis_on_demand_hour: Price,
    pub kinesis_on_demand_gb_in: Price,
    pub kinesis_on_demand_gb_out: Price,
    pub kinesis_shard_hour: Price,
    pub kinesis_put_unit: Price,
    pub logs_subscription_gb: Price,
    pub logs_ingest_gb: Price,
    pub logs_storage_gb_month: Price,
    pub lambda_gb_second_arm64: Price,
    pub lambda_gb_second_x86_64: Price,
    pub lambda_request: Price,
    pub dynamodb_write_unit: Price,
    pub dynamodb_read_unit: Price,
    pub dynamodb_storage_gb_month: Price,
    pub sns_publish: Price,
    pub sns_email: Price,
    pub s3_put_or_list: Price,
    pub s3_get: Price,
    pub kms_key_month: Price,
    pub kms_request: Price,
    pub secret_month: Price,
    pub secret_request: Price,
    pub metric_month: Price,
    pub alarm_metric_month: Price,
    pub alarm_query_metric_month: Price,
    pub dashboard_month: Price,
    pub scheduled_event: Price,
}

impl Prices {
    /// Those of the file.
    ///
    /// # Errors
    /// If the file is not as described, with the line.
    pub fn listed() -> Result<Prices, toml::de::Error> {
        toml::from_str(FILE)
    }
}
