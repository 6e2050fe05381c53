//! What the calculation of cost takes for granted: each number with where it comes from. Those that repeat
//! the template, the code or README are held to them by a test; those that say "assumed" are guesses.

/// Bytes of a GB, as AWS bills it.
pub const GB: f64 = (1_u64 << 30) as f64;
/// Bytes of a KB, as AWS bills it.
pub const KB: f64 = 1_024.0;

/// A month, as AWS's calculators have it: 365 days by 12.
pub const MONTH_HOURS: f64 = 730.0;
pub(crate) const MONTH_SECONDS: f64 = MONTH_HOURS * 3_600.0;
pub(crate) const MONTH_DAYS: f64 = MONTH_HOURS / 24.0;

// ---- What the logs are like.

/// Bytes of a log event in an inflated envelope: the logins of README's benchmark.
pub const LINE_BYTES: f64 = BENCH_MB * 1e6 / BENCH_LINES;
/// Log events in a record, as in the benches. CloudWatch Logs decides this: fewer mean more records, and
/// a worse ratio of gzip.
pub const LINES_PER_RECORD: f64 = 100.0;
/// Inflated bytes of a record by its gzipped bytes, as measured for records of 100 log events; the
/// benchmark's own logins are at 7.0.
pub const GZIP_RATIO: f64 = 6.3;
/// Share of lines that are logins: the log of a Lambda function in the benches. A log of nothing but
/// logins has 1; see the table for a million logins.
pub const LOGIN_SHARE: f64 = 0.03;
/// The busiest minute by the mean of the month, which the shards must bear: assumed.
pub const PEAK: f64 = 5.0;

// ---- What the stack is like; a test holds these to infra/template.yaml and the code.

/// Parameter BatchingWindowSeconds, as it is unless changed.
pub const WINDOW_SECONDS: f64 = 5.0;
/// The most records of a batch.
pub const BATCH_RECORDS: f64 = 1_000.0;
/// Parameter Memory, as it is unless changed.
pub const MEMORY_MB: f64 = 512.0;
/// Parameter WriteCeiling, as it is unless changed.
pub const WRITE_CEILING: f64 = 500.0;
/// Metrics the function can tell. Those that count rare misfortunes cost only while they happen.
pub const METRICS: f64 = 30.0;
/// Alarms.
pub const ALARMS: f64 = 15.0;
/// Metrics that alarms name.
pub const ALARM_METRICS: f64 = 16.0;
/// Those of them that the one alarm on the table's throttles adds up.
pub const TABLE_ALARM_METRICS: f64 = 3.0;
/// Alarms that watch by a query over the metric of every subscribed log group.
pub const ALARM_QUERIES: f64 = 1.0;
/// Partitions of the table's index, each asked at every tick: eight for logins and four for functions.
pub const INDEX_PARTITIONS: f64 = 12.0;
/// An environment looks for overrides and for lists with one LIST each, and for an allowlist, known users and what
/// functions run on with one GET each, so often.
pub const OVERRIDES_SECONDS: f64 = 60.0;
/// An environment reads the secret, so often.
pub const SECRET_SECONDS: f64 = 300.0;
pub(crate) const TICK_SECONDS: f64 = 60.0;
/// Shards of an on-demand stream that is new
/// (<https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html>).
pub const ON_DEMAND_SHARDS: f64 = 4.0;
/// What a shard takes, bytes and records a second (the same page).
pub(crate) const SHARD_BYTES: f64 = KB * KB;
pub(crate) const SHARD_RECORDS: f64 = 1_000.0;
/// Log groups with a subscription filter: assumed. Each adds a metric to the query of an alarm.
pub const LOG_GROUPS: f64 = 10.0;

// ---- What the function does.

/// CPU seconds for each MB (10^6 bytes) of inflated text: README's benchmark with one detector, which is nearly
/// all reading, and the 1.3 that the bench `handler` allows the function beyond it. What counting and judging by
/// the shipped detectors take is in [`REQUEST_CPU_SECONDS`].
pub const CPU_SECONDS_PER_MB: f64 = BENCH_CPU_SECONDS / BENCH_MB * 1.3;
/// CPU seconds of that benchmark.
pub const BENCH_CPU_SECONDS: f64 = 1.3;
/// Its log events.
pub const BENCH_LINES: f64 = 1.2e6;
/// Their inflated text in MB.
pub const BENCH_MB: f64 = 351.0;
/// Memory at which a function has one whole processor
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>). It is taken to be as fast as
/// the benchmark's.
pub(crate) const PROCESSOR_MB: f64 = 1_769.0;
/// CPU seconds of a request to the table: signing, TLS, JSON, counting and judging. Assumed.
pub const REQUEST_CPU_SECONDS: f64 = 0.000_3;
/// Time until the table answers: assumed, from AWS's "single-digit milliseconds".
pub const REQUEST_SECONDS: f64 = 0.010;
/// Requests under way at once, as in the store's settings.
pub const REQUESTS_AT_ONCE: f64 = 32.0;
/// Time of an invocation beside its text and its requests: assumed. Cold starts are too rare to count.
pub(crate) const INVOCATION_SECONDS: f64 = 0.005;
/// Bytes the function and Lambda log about an invocation: a summary of about 1.5 KB, and START, END and
/// REPORT. Estimated from the summary's fields.
pub const LOGGED_BYTES: f64 = 2_000.0;
/// Stored log bytes by logged ones: AWS stores them compressed; the ratio is assumed.
pub(crate) const LOGS_STORED: f64 = 0.15;
/// Parameter LogRetentionDays, as it is unless changed.
pub const LOG_DAYS: f64 = 30.0;

// ---- What the table holds (SHARED-STATE.md).

/// Items a login adds to by the shipped detectors: its source's, its network's and its user's. That of everything
/// together is written once a batch.
pub const ITEMS_PER_LOGIN: f64 = 3.0;
/// Writes of a login: each of its items has one in a batch, and another is refused and paid for if the execution
/// environment does not remember an item that the table knows. Logins of one source in one batch share
/// them; that is not counted on.
pub const WRITES_PER_LOGIN: f64 = 2.0 * ITEMS_PER_LOGIN;
/// Write units of a write: items of up to 48 names are below 1 KB.
pub const UNITS_PER_WRITE: f64 = 1.0;
/// Bytes of the item of a source with a few logins, DynamoDB's own 100 included.
pub(crate) const ITEM_BYTES: f64 = 300.0;
/// Days an item stays: two until it expires and up to two until TTL has removed it.
pub(crate) const ITEM_DAYS: f64 = 4.0;

// ---- What it tells.

/// Findings a day, each opened, updated and closed once: assumed.
pub const FINDINGS_PER_DAY: f64 = 20.0;
pub(crate) const MESSAGES_PER_FINDING: f64 = 3.0;
pub(crate) const TOPICS: f64 = 2.0;
/// Who asks for the key, and how often at most: DynamoDB, Secrets Manager and the stream for each
/// environment and the stream for its writer, each once in five minutes
/// (<https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html>).
pub(crate) const KEY_USERS: f64 = 4.0;
pub(crate) const KEY_SECONDS: f64 = 300.0;
