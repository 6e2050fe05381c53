//! The command line as it is typed. What it means is [`crate::settings`]'s business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Watches the logs of serverless applications while they flow, and says within seconds who is
/// scanning credentials, from where, and how far they have got.
#[derive(Debug, Parser)]
#[command(name = "tidewatch", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidewatch demo
  tidewatch replay /var/log/auth.log /var/log/auth.log.2.gz
  aws logs tail /aws/lambda/login --follow --format detailed | tidewatch watch -

Exit codes: 0 finished, whatever was found; 1 an input could not be opened, or memory ran out;
2 a usage or configuration error.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulates some hours of a shop under attack and shows what is found, and what is not
    #[command(after_help = "\
Examples:
  tidewatch demo
  tidewatch demo --seed 7 --output json")]
    Demo(DemoArgs),
    /// Runs past logs from files or standard input
    #[command(after_help = "\
Examples:
  tidewatch replay /var/log/auth.log*
  tidewatch replay --year 2024 --tz Europe/Berlin old-auth.log.gz
  aws logs tail /aws/lambda/login --since 2d --format detailed | tidewatch replay -
  tidewatch replay --output json --detectors my-detectors/ events.json > findings.jsonl
  tidewatch replay --windows 5m --usernames exact auth.log > counts.csv")]
    Replay(ReplayArgs),
    /// Runs a live pipe: a finding appears as soon as the line that decides it arrives
    #[command(after_help = "\
Examples:
  aws logs tail /aws/lambda/login --follow --format detailed | tidewatch watch -
  journalctl -f -o short -u ssh | tidewatch watch - --output json

Ctrl-C prints the summary and ends with exit code 0.")]
    Watch(WatchArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Number that decides everything that is random in the simulation
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Files to read, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print tumbling counts as CSV instead of findings, in windows this long (e.g. 300s, 5m, 1h)
    #[arg(long, value_name = "SPAN")]
    pub windows: Option<String>,
    /// What --windows counts by: source.ip, source.subnet, user or global
    #[arg(long, value_name = "FIELD", default_value = "source.ip", requires = "windows")]
    pub key: String,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What to read: `-` for standard input, or a named pipe
    #[arg(value_name = "INPUT", default_value = "-")]
    pub input: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// How input is read.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// What the input is: auto, lines, aws-tail, envelopes or kinesis-events
    #[arg(long = "input", value_name = "KIND", default_value = "auto")]
    pub input_kind: String,
    /// Use the format files (*.toml) of this folder INSTEAD of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub formats: Option<PathBuf>,
    /// Year of the first syslog line [default: the latest that is not in the future]
    #[arg(long, value_name = "Y")]
    pub year: Option<i16>,
    /// Time zone of times that name none, e.g. Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: String,
    /// Reject event times after this RFC 3339 time [default: two hours after now]
    #[arg(long, value_name = "TIME")]
    pub not_after: Option<String>,
}

/// How results are reported.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Findings as text, or as one OCSF 1.6 JSON object a line
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Use the detector files (*.toml) of this folder INSTEAD of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub detectors: Option<PathBuf>,
    /// Whether `Root`, `root ` and `ｒｏｏｔ` are one username [default: fold; exact with --windows]
    #[arg(long, value_enum)]
    pub usernames: Option<Usernames>,
    /// Memory for state, e.g. 512MiB; beyond it new keys are refused and counted
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: String,
    /// Print statistics as one JSON object, the last line on standard error
    #[arg(long)]
    pub stats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Usernames {
    /// NFKC, case fold, trim
    Fold,
    /// Byte for byte
    Exact,
}
