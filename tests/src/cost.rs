//! What a deployed stack costs in a month: a calculation from list prices (infra/prices.toml) and from
//! what `assumptions` takes for granted.
//!
//! Invariant: pure. The same prices and the same load give the same bill. Free allowances, savings plans
//! and taxes are left out, and where a number is not known the dearer guess is taken. GB and KB are 2^30
//! and 2^10 bytes, as AWS bills them.

pub mod assumptions;
pub mod prices;
pub mod report;

use crate::cost::assumptions::*;
use crate::cost::prices::Prices;

/// How the stream is paid for: parameter StreamMode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// By shard.
    Provisioned,
    /// By GB.
    OnDemand,
}

/// What the function was built for: parameter Architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// The template's own choice.
    Arm64,
    /// The other.
    X86,
}

/// What is to be paid for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// GB of inflated log text a day.
    pub gb_per_day: f64,
    /// How the stream is paid for.
    pub stream: Stream,
    /// What the function was built for.
    pub architecture: Architecture,
}

/// What a month of a load uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Shards of the stream.
    pub shards: f64,
    /// Records.
    pub records: f64,
    /// GB on the stream, each record rounded up to a KB.
    pub stream_gb: f64,
    /// Logins.
    pub logins: f64,
    /// Invocations of the detector by batches and ticks.
    pub invocations: f64,
    /// GB-seconds of them.
    pub gb_seconds: f64,
    /// Write units of the table.
    pub write_units: f64,
    /// Read units of its index.
    pub read_units: f64,
    /// GB in the table.
    pub table_gb: f64,
    /// Execution environments that live at a time: one a shard, and one for the tick.
    pub environments: f64,
}

/// Dollars a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bill {
    /// Kinesis.
    pub stream: f64,
    /// Lambda: the detector. The key's rotation runs a few times a year.
    pub function: f64,
    /// DynamoDB: the table and its index.
    pub table: f64,
    /// SNS: findings, and e-mails to one reader.
    pub findings: f64,
    /// CloudWatch Logs: the function's own lines.
    pub own_log: f64,
    /// Requests to KMS, Secrets Manager and S3 that come with time, not with logs.
    pub upkeep: f64,
    /// What is paid for being there.
    pub fixed: Fixed,
}

/// Dollars a month that no load changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed {
    /// The KMS key, not rotated yet.
    pub key: f64,
    /// The secret.
    pub secret: f64,
    /// All metrics of the function.
    pub metrics: f64,
    /// The alarms.
    pub alarms: f64,
    /// The dashboard.
    pub dashboard: f64,
}

impl Fixed {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.key + self.secret + self.metrics + self.alarms + self.dashboard
    }
}

impl Bill {
    /// All of it.
    pub fn total(&self) -> f64 {
        let running = self.stream + self.function + self.table + self.findings;
        running + self.own_log + self.upkeep + self.fixed.total()
    }
}

/// What a month of `load` uses.
pub fn usage(load: &Load) -> Usage {
    let record_text = LINE_BYTES * LINES_PER_RECORD;
    let records = load.gb_per_day * MONTH_DAYS * GB / record_text;
    let records_a_second = records / MONTH_SECONDS;
    let by_bytes = records_a_second * PEAK * record_billed() / SHARD_BYTES;
    let needed = by_bytes.max(records_a_second * PEAK / SHARD_RECORDS).ceil().max(1.0);
    let shards = match load.stream {
        Stream::Provisioned => needed,
        Stream::OnDemand => needed.max(ON_DEMAND_SHARDS),
    };

    // A shard's batch begins with a record and is handed over when the window ends or it is full.
    let of_a_shard = records_a_second / shards;
    let full = of_a_shard / BATCH_RECORDS;
    let batches_of_a_shard = (1.0 / (WINDOW_SECONDS + 1.0 / of_a_shard)).max(full);
    let batches = batches_of_a_shard * shards * MONTH_SECONDS;
    let ticks = MONTH_SECONDS / TICK_SECONDS;

    let logins = records * LINES_PER_RECORD * LOGIN_SHARE;
    let writes = logins * WRITES_PER_LOGIN;
    let index_queries = ticks * INDEX_PARTITIONS;
    let text_mb = records * record_text / 1e6;
    let rounds = batches * (writes / batches / REQUESTS_AT_ONCE).ceil() + index_queries;
    let seconds = working_seconds(text_mb, writes + index_queries)
        + rounds * REQUEST_SECONDS
        + (batches + ticks) * INVOCATION_SECONDS;
    Usage {
        shards,
        records,
        stream_gb: records * record_billed() / GB,
        logins,
        invocations: batches + ticks,
        gb_seconds: seconds * MEMORY_MB / KB,
        write_units: writes * UNITS_PER_WRITE,
        // Eventually consistent, and nothing is due as a rule.
        read_units: index_queries / 2.0,
        table_gb: logins / MONTH_DAYS * ITEM_DAYS * ITEMS_PER_LOGIN * ITEM_BYTES / GB,
        environments: shards + 1.0,
    }
}

/// What a month of `load` costs.
pub fn bill(load: &Load, prices: &Prices) -> Bill {
    let used = usage(load);
    let stream = match load.stream {
        Stream::Provisioned => {
            used.shards * MONTH_HOURS * prices.kinesis_shard_hour.usd
                + used.records * put_units() * prices.kinesis_put_unit.usd
        }
        Stream::OnDemand => {
            let gb = prices.kinesis_on_demand_gb_in.usd + prices.kinesis_on_demand_gb_out.usd;
            MONTH_HOURS * prices.kinesis_on_demand_hour.usd + used.stream_gb * gb
        }
    };
    let gb_second = match load.architecture {
        Architecture::Arm64 => prices.lambda_gb_second_arm64.usd,
        Architecture::X86 => prices.lambda_gb_second_x86_64.usd,
    };
    let subscription = used.stream_gb * prices.logs_subscription_gb.usd;
    let ticks = MONTH_SECONDS / TICK_SECONDS * prices.scheduled_event.usd;
    let messages = FINDINGS_PER_DAY * MONTH_DAYS * MESSAGES_PER_FINDING;
    let logged_gb = used.invocations * LOGGED_BYTES / GB;
    let kept = LOGS_STORED * LOG_DAYS / MONTH_DAYS * prices.logs_storage_gb_month.usd;
    let every = |seconds: f64| used.environments * MONTH_SECONDS / seconds;
    Bill {
        stream: stream + subscription,
        function: used.gb_seconds * gb_second
            + used.invocations * prices.lambda_request.usd
            + ticks,
        table: used.write_units * prices.dynamodb_write_unit.usd
            + used.read_units * prices.dynamodb_read_unit.usd
            + used.table_gb * prices.dynamodb_storage_gb_month.usd,
        findings: messages * (TOPICS * prices.sns_publish.usd + prices.sns_email.usd),
        own_log: logged_gb * (prices.logs_ingest_gb.usd + kept),
        upkeep: every(OVERRIDES_SECONDS)
            * (2.0 * prices.s3_put_or_list.usd + 3.0 * prices.s3_get.usd)
            + every(SECRET_SECONDS) * prices.secret_request.usd
            + every(KEY_SECONDS) * KEY_USERS * prices.kms_request.usd,
        fixed: Fixed {
            key: prices.kms_key_month.usd,
            secret: prices.secret_month.usd,
            metrics: METRICS * prices.metric_month.usd,
            alarms: ALARM_METRICS * prices.alarm_metric_month.usd
                + ALARM_QUERIES * LOG_GROUPS * prices.alarm_query_metric_month.usd,
            dashboard: prices.dashboard_month.usd,
        },
    }
}

/// PUT units of a record: started 25 KB.
fn put_units() -> f64 {
    (LINE_BYTES * LINES_PER_RECORD / GZIP_RATIO / (25.0 * KB)).ceil()
}

/// Seconds that reading `text_mb` and asking `requests` of the table keep the function's share of a
/// processor busy.
fn working_seconds(text_mb: f64, requests: f64) -> f64 {
    let cpu_seconds = text_mb * CPU_SECONDS_PER_MB + requests * REQUEST_CPU_SECONDS;
    cpu_seconds / (MEMORY_MB / PROCESSOR_MB)
}

/// Dollars that a million more logins cost where the rest is paid for already: no more invocations, and
/// an on-demand stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Million {
    /// DynamoDB.
    pub table: f64,
    /// Lambda, arm64.
    pub function: f64,
    /// Kinesis, on demand.
    pub stream: f64,
}

/// A million logins with so many writes each.
pub fn million(writes_each: f64, prices: &Prices) -> Million {
    let (logins, writes) = (1e6, 1e6 * writes_each);
    let text = logins * LINE_BYTES;
    let seconds = working_seconds(text / 1e6, writes) + writes / REQUESTS_AT_ONCE * REQUEST_SECONDS;
    let gb = prices.kinesis_on_demand_gb_in.usd + prices.kinesis_on_demand_gb_out.usd;
    let gb = gb + prices.logs_subscription_gb.usd;
    Million {
        table: writes * UNITS_PER_WRITE * prices.dynamodb_write_unit.usd,
        function: seconds * MEMORY_MB / KB * prices.lambda_gb_second_arm64.usd,
        stream: logins / LINES_PER_RECORD * record_billed() / GB * gb,
    }
}

/// Bytes of a record as an on-demand stream bills it.
fn record_billed() -> f64 {
    (LINE_BYTES * LINES_PER_RECORD / GZIP_RATIO / KB).ceil() * KB
}
