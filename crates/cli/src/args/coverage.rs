//! The options of `tidewatch coverage`.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// Behind the options.
pub const EXAMPLES: &str = "\
Examples:
  tidewatch coverage /var/log/auth.log app.log.gz
  aws logs tail /aws/lambda/login --since 1d --format detailed | tidewatch coverage -
  tidewatch coverage --sample 10000 --output json envelopes.json.gz | jq '.groups[] | {name, verdict}'
  tidewatch coverage --stack tidewatch --since 6h
  tidewatch coverage --stack tidewatch --group '/aws/lambda/*' --group '/ecs/*'

Lines of envelopes and Kinesis events are told apart by their log groups, others by their input. With --sample
one of each 2, 4, 8, … lines of a group is looked at, of as few as give at most N; without it all are. Of what
should not be logged, kind, count and the first place are printed, never the value.

With --stack or --group log groups of your account are read instead: of each what was written since --since, all
of it or, where that is much, 1,000 events from each twelfth of the time. With --stack it is also said which are
not sent to the stack.

Exit codes: 0 finished, whatever was found; 1 an input or a log group could not be read; 2 a usage error, or a format file is
faulty.";

/// `tidewatch coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Files to read, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["stack", "group"])]
    pub files: Vec<PathBuf>,
    /// Read the log groups of your account, and say which are not sent to this stack
    #[arg(long, value_name = "NAME", conflicts_with = "files")]
    pub stack: Option<String>,
    /// Read these log groups by their whole names, in which `*` stands for anything and `?` for one character; may
    /// be given again [default with --stack: all]
    #[arg(long, value_name = "GLOB", conflicts_with = "files")]
    pub group: Vec<String>,
    /// Read what log groups were written since then: an RFC 3339 time, or a span before now
    #[arg(long, value_name = "T", default_value = "1h", conflicts_with = "files")]
    pub since: String,
    /// Look at no more than so many lines of each log group, spread over the input [default: all]
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// What the input is: auto, lines, aws-tail, envelopes or kinesis-events
    #[arg(long = "input", value_name = "KIND", default_value = "auto")]
    pub input_kind: String,
    /// Use the format files (*.toml) of this folder, or one, INSTEAD of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub formats: Option<PathBuf>,
    /// Use the format files (*.toml) of this folder, or one, BESIDES the shipped ones; may be given again
    #[arg(long, value_name = "DIR")]
    pub with: Vec<PathBuf>,
    /// Text, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
