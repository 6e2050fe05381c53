//! What `tidewatch bill` may be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What stands below the options.
pub const EXAMPLES: &str = "\
Examples:
  tidewatch bill envelopes.json.gz
  tidewatch bill --by principal --users tenants.txt envelopes.json
  tidewatch bill --by hour --region eu-west-1 --output csv envelopes.json > hours.csv
  tidewatch bill --functions functions.toml --architecture arm64 envelopes.json
  aws logs tail /aws/lambda/checkout --since 1d | tidewatch bill --function checkout -
  tidewatch bill --group '/aws/lambda/checkout-*' --since 7d
  tidewatch bill --stack tidewatch --by hour

A log does not say what a function runs on: that is --architecture, unless the file of --functions says
otherwise, as in

  [[function]]
  name = \"checkout-*\"
  architecture = \"arm64\"
  storage_mb = 2048
  budget = 500

With --group or --stack the log groups /aws/lambda/* of your account are read that fit, or are sent to the stack,
since --since. Lambda is asked what each function runs on; --functions and --architecture stand where it does not
tell. Prices are those of your Region unless --region says otherwise. A log group that cannot be read, or has more
events than --events, is named, and the exit code is 1.

Only whole REPORT lines and platform.report events count, in log groups /aws/lambda/* or in none, as in plain
files: there --function names the function. Dollars are list prices, without free allowances and Savings
Plans; percentiles are within 6 %.";

#[derive(Debug, Args)]
pub struct BillArgs {
    /// Files to read, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["stack", "group"])]
    pub files: Vec<PathBuf>,
    /// Read the log groups /aws/lambda/* of your account that are sent to this stack
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    pub stack: Option<String>,
    /// Read these log groups /aws/lambda/* by their whole names, in which `*` stands for anything and `?` for one
    /// character; may be given again [default with --stack: all]
    #[arg(long, value_name = "GLOB", conflicts_with = "files")]
    pub group: Vec<String>,
    /// Read what log groups were written since then: an RFC 3339 time, or a span before now
    #[arg(long, value_name = "T", default_value = "24h", conflicts_with = "files")]
    pub since: String,
    /// Read at most so many events of each log group
    #[arg(long, value_name = "N", default_value_t = 1_000_000, conflicts_with = "files")]
    pub events: usize,
    /// What the rows of the bill are
    #[arg(long, value_enum, default_value_t = BillBy::Function)]
    pub by: BillBy,
    /// The bill as a table, as CSV, or as one JSON object
    #[arg(long, value_enum, default_value_t = BillForm::Text)]
    pub output: BillForm,
    #[command(flatten)]
    pub pricing: PricingArgs,
    /// The function whose log this is, where there is no log group that says so
    #[arg(long, value_name = "NAME", default_value = "(no log group)")]
    pub function: String,
    /// List of your principals or keys, one a line, plain or gzipped: --by principal and --by api-key name those
    /// on it, and show tags of others
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// What the input is: auto, lines, aws-tail, envelopes or kinesis-events
    #[arg(long = "input", value_name = "KIND", default_value = "auto")]
    pub input_kind: String,
    /// Reject event times after this RFC 3339 time [default: two hours after now]
    #[arg(long, value_name = "TIME")]
    pub not_after: Option<String>,
    /// Memory for counts, e.g. 512MiB; beyond it further functions are counted together
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: String,
    /// Print statistics as one JSON object, the last line on standard error
    #[arg(long)]
    pub stats: bool,
}

/// How dollars come from usage.
#[derive(Args, Clone, Debug, Default)]
pub struct PricingArgs {
    /// The region whose prices count [default: us-east-1; of log groups of your account their own]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// What functions run on, x86_64 or arm64, where --functions does not say
    #[arg(long, value_name = "NAME", default_value = "x86_64")]
    pub architecture: String,
    /// File (TOML) that says what functions run on, their ephemeral storage, and what they may cost
    #[arg(long, value_name = "FILE")]
    pub functions: Option<PathBuf>,
    /// What all functions together may cost, in dollars a calendar month (UTC); a file of --functions may say it too,
    /// and what each may cost
    #[arg(long, value_name = "DOLLARS")]
    pub budget: Option<String>,
    /// File of prices (TOML) instead of the shipped one, infra/prices/lambda.toml
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// What a row of a bill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BillBy {
    /// A function
    Function,
    /// An hour, UTC
    Hour,
    /// Who asked, as lines of the application about the request say: principalId, tenantId, user, …
    Principal,
    /// The API key that was shown, or its id
    ApiKey,
    /// The address a request came from
    Source,
    /// What was asked for
    Route,
}

/// What a bill looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BillForm {
    /// A table, with what follows from it
    Text,
    /// Comma-separated, with a header
    Csv,
    /// One object
    Json,
}
