//! The options of commands that ask AWS.

use std::path::PathBuf;

use clap::Args;

use super::Output;

/// Behind the options of `tidewatch watch`.
pub const WATCH: &str = "\
Examples:
  aws logs tail /aws/lambda/login --follow --format detailed | tidewatch watch -
  journalctl -f -o short -u ssh | tidewatch watch - --output json
  tidewatch watch --stream tidewatch-logs --since 2h --checkpoint logs.checkpoint

With --stream all shards are followed, through splits and merges. What the checkpoint says has been dealt
with; counts begin anew with each run, so begin early enough with --since where a window shall be whole.

Ctrl-C prints the summary and ends with exit code 0.";

/// Behind the options of `tidewatch feed`.
pub const FEED: &str = "\
Examples:
  tidewatch feed --stream tidewatch-logs --as-recorded --simulated old-auth.log.gz
  tidewatch simulate scan | tidewatch feed --stream tidewatch-logs --rate 200 --simulated -
  tidewatch feed --stream tidewatch-logs --checkpoint feed.checkpoint app.log*

Lines keep their times unless --rate or --as-recorded is given; the deployed function counts none that are
more than 14 days old. Each log stream keeps its order. The same command goes on from its checkpoint; what
is put twice by that is counted once.";

/// Behind the options of `tidewatch subscribe`.
pub const SUBSCRIBE: &str = "\
Examples:
  tidewatch subscribe --stack tidewatch --dry-run '/aws/lambda/*'
  tidewatch subscribe --stack tidewatch /aws/lambda/login '/ecs/shop-*'
  tidewatch subscribe --stack tidewatch --account --output json

Run again, it changes what differs and nothing else. Exit codes: 0 all is as asked; 1 some log group is not.";

/// Behind the options of `tidewatch unsubscribe`.
pub const UNSUBSCRIBE: &str = "\
Examples:
  tidewatch unsubscribe --stack tidewatch '*'
  tidewatch unsubscribe --stack tidewatch --account";

/// `tidewatch feed`.
#[derive(Debug, Args)]
pub struct FeedArgs {
    /// Logs to put on the stream, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The Kinesis stream, by its name or ARN
    #[arg(long, value_name = "NAME")]
    pub stream: String,
    /// Put so many lines a second, each dated when it is put
    #[arg(long, value_name = "N", conflicts_with = "as_recorded")]
    pub rate: Option<f64>,
    /// Put lines at the distances at which they were written, the first one now
    #[arg(long)]
    pub as_recorded: bool,
    /// Say that the log events are a rehearsal's: findings about them alone are marked as simulated
    #[arg(long)]
    pub simulated: bool,
    /// The log group that lines stand in which name none
    #[arg(long, value_name = "NAME", default_value = "/tidewatch/feed")]
    pub log_group: String,
    /// Write down here how far it has come, and go on from there when it is there already
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Year of the first syslog line [default: the latest that is not in the future]
    #[arg(long, value_name = "Y")]
    pub year: Option<i16>,
    /// Time zone of times that name none, e.g. Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
}

/// Which stream `tidewatch watch` follows, if it follows one.
#[derive(Debug, Args)]
pub struct FollowArgs {
    /// Follow this Kinesis stream, by its name or ARN, instead of reading an input
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    pub stream: Option<String>,
    /// Begin with what arrived then: an RFC 3339 time, or a span before now, e.g. 2h [default: now]
    #[arg(long, value_name = "T", requires = "stream")]
    pub since: Option<String>,
    /// Write down here what has been dealt with, and go on behind it when it is there already
    #[arg(long, value_name = "FILE", requires = "stream")]
    pub checkpoint: Option<PathBuf>,
}

/// `tidewatch subscribe` and `tidewatch unsubscribe`.
#[derive(Debug, Args)]
pub struct SubscribeArgs {
    /// Log groups by their whole names, in which `*` stands for anything and `?` for one character
    #[arg(value_name = "GLOB")]
    pub globs: Vec<String>,
    /// The stack of infra/template.yaml
    #[arg(long, value_name = "NAME")]
    pub stack: String,
    /// All log groups of the account and Region, present and future, by its one policy; not the stack's own
    #[arg(long)]
    pub account: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Send only log events that fit this pattern of CloudWatch Logs [default: all]
    #[arg(long, value_name = "PATTERN", default_value = "", hide_default_value = true)]
    pub filter_pattern: String,
    /// A line a log group, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Behind the options of `tidewatch status`.
pub const STATUS: &str = "\
Examples:
  tidewatch status --stack tidewatch
  tidewatch status --stack tidewatch '/aws/lambda/*' --output json

Each line is healthy, blind (why, and what to do) or unknown (what could not be asked). Exit codes: 0 nothing
is blind; 1 something is, or the stack cannot be asked about. A log group that is not sent to the stack
counts only where log groups are named.";

/// `tidewatch status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Log groups by their whole names, in which `*` stands for anything and `?` for one character [default: all]
    #[arg(value_name = "GLOB")]
    pub globs: Vec<String>,
    /// The stack of infra/template.yaml
    #[arg(long, value_name = "NAME")]
    pub stack: String,
    /// A line a part and log group, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Behind the options of `tidewatch prove`.
pub const PROVE: &str = "\
Examples:
  tidewatch prove --stack tidewatch
  tidewatch prove --stack tidewatch --rounds 3 --group /aws/lambda/login --output json

Makes a log group /tidewatch/prove/..., subscribes it, and a queue that hears the alert topic; writes logins that
fail, of an address for documentation, and waits for the finding about it. All that is removed again, also after
Ctrl-C. Findings are marked as simulated; what the stack says when they close is not. Into log groups of yours it
writes only where --group names them, into a log stream of its own, which is removed too.

Exit codes: 0 all came through; 1 something did not, or something could not be removed; 2 a usage error.";

/// `tidewatch prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The stack of infra/template.yaml
    #[arg(long, value_name = "NAME")]
    pub stack: String,
    /// Also prove this log group of yours, which is subscribed: lines are WRITTEN to it; may be given again
    #[arg(long, value_name = "LOG-GROUP")]
    pub group: Vec<String>,
    /// Scans into each log group, one after the other
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: u32,
    /// Seconds that a message is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub wait: u32,
    /// A line a log group, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
