//! The command line as it is typed. What it means is [`crate::settings`]'s business.

mod acting;
mod bill;
mod coverage;
mod names;
mod operators;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use acting::{BlocklistArgs, BlocklistForm, WhoArgs};
pub use bill::{BillArgs, BillBy, BillForm, PricingArgs};
pub use coverage::CoverageArgs;
pub use names::{ListsBuildArgs, ListsCommand, UsersBuildArgs, UsersCommand};
pub use operators::{FeedArgs, FollowArgs, ProveArgs, StatusArgs, SubscribeArgs};

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

Exit codes: 0 finished, whatever was found; 1 an input could not be opened, memory ran out, or a case
does not hold; 2 a usage or configuration error.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Simulates some hours of a shop under attack and shows what is found, and what is not
    #[command(after_help = "\
Examples:
  tidewatch demo
  tidewatch demo --seed 7 --output json")]
    Demo(DemoArgs),
    /// Writes the simulated log of a shop in which something is going on
    #[command(after_help = "\
Examples:
  tidewatch simulate --list
  tidewatch simulate scan | tidewatch replay -
  tidewatch simulate all --hours 24 --logins-per-day 1000000 --output envelopes --truth truth.json > day.json
  tidewatch simulate lambda-spike --functions 50 --output envelopes | tidewatch bill -

The same seed writes the same log. Times begin on Monday, 2026-01-05, of the shop at 07:00:00Z, of a fleet of
functions (lambda-*) at midnight. Lines name no log group: as such a fleet writes only the log of the function
that something happens to.")]
    Simulate(SimulateArgs),
    /// Runs past logs from files or standard input
    #[command(after_help = "\
Examples:
  tidewatch replay /var/log/auth.log*
  tidewatch replay --year 2024 --tz Europe/Berlin old-auth.log.gz
  aws logs tail /aws/lambda/login --since 2d --format detailed | tidewatch replay -
  tidewatch replay --output json --detectors my-detectors/ events.json > findings.jsonl
  tidewatch replay --windows 5m --usernames exact auth.log > counts.csv")]
    Replay(ReplayArgs),
    /// Runs a live pipe or a Kinesis stream: a finding appears as soon as the line that decides it arrives
    #[command(after_help = operators::WATCH)]
    Watch(WatchArgs),
    /// Shows step by step what becomes of lines, and why a detector raised or did not
    #[command(after_help = "\
Examples:
  tidewatch explain 'login failed for user ann from 192.0.2.7'
  tidewatch explain auth.log
  tidewatch explain --finding 0123456789abcdef0123456789abcdef auth.log
  tidewatch explain --function checkout-api --at 2026-11-22T18:03:00Z envelopes.json
  tidewatch explain --with my-rules/ --output json auth.log

An argument that names a file is read as a file, any other is a line. A finding's uid is the last line
of its text; for one about a user, set TIDEWATCH_KEY as in the run that found it.")]
    Explain(ExplainArgs),
    /// Runs the cases beside detectors and formats, as they are written and varied
    #[command(after_help = "\
Examples:
  tidewatch test my-rules/
  tidewatch test my-rules/gate.toml
  tidewatch test --vary 20 --seed 7 my-rules/
  tidewatch test --output json infra > results.json

Beside x.toml stands x.cases. Exit codes: 0 all cases hold; 1 one does not; 2 a file is faulty.")]
    Test(TestArgs),
    /// Validates detector, format and allow files, and warns about what is hardly meant
    #[command(after_help = "\
Examples:
  tidewatch check my-rules/
  tidewatch check --strict --log /var/log/app.log my-rules/

Entries of an allow.toml that ran out, or overlap, are warned about.

Exit codes: 0 no errors; 1 warnings, with --strict; 2 errors.")]
    Check(CheckArgs),
    /// Says which findings appear, vanish or change when one set of detectors replaces another
    #[command(after_help = "\
Examples:
  tidewatch backtest --detectors my-detectors/ auth.log*
  tidewatch backtest --detectors new/ --against old/ --output json events.json.gz")]
    Backtest(BacktestArgs),
    /// Says what Lambda functions cost, by their own reports: dollars, durations, failures, memory to spare
    #[command(after_help = bill::EXAMPLES)]
    Bill(BillArgs),
    /// Says of each log group what its lines carry, what its logins leave out, and what should not be logged
    #[command(after_help = coverage::EXAMPLES)]
    Coverage(CoverageArgs),
    /// Puts logs on a Kinesis stream as CloudWatch Logs would, to rehearse an attack in your own account
    #[command(after_help = operators::FEED)]
    Feed(FeedArgs),
    /// Sends log groups of your account to a stack
    #[command(after_help = operators::SUBSCRIBE)]
    Subscribe(SubscribeArgs),
    /// Takes back what `subscribe` did
    #[command(after_help = operators::UNSUBSCRIBE)]
    Unsubscribe(SubscribeArgs),
    /// Says of each part of a stack, and of each log group, whether it sees what it should
    #[command(after_help = operators::STATUS)]
    Status(StatusArgs),
    /// Sends a marked scan through a real log group, and times it from the log line to the message
    #[command(after_help = operators::PROVE)]
    Prove(ProveArgs),
    /// Makes filters of known users, for logs that do not say whether an account exists
    #[command(subcommand)]
    Users(UsersCommand),
    /// Makes lists of leaked names that findings can tell of
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Prints the sources of open findings, for a firewall; nothing is blocked by this itself
    #[command(after_help = "\
Examples:
  tidewatch replay --output json auth.log | tidewatch blocklist -
  tidewatch blocklist --with my-rules/ --min-severity high --for 12h --as cidr findings.jsonl
  tidewatch blocklist --as waf-ip-set findings.jsonl | jq .IPV4 > ipv4.json
  aws wafv2 update-ip-set --name N --scope REGIONAL --id ID --lock-token T --cli-input-json file://ipv4.json

Reads findings as --output json and the alert topic give them, one a line; the last message of each counts.
A source drops out when its finding closes, or --for after the last event it tells of, so run it again and
replace the list. Sources that an allow.toml allows now are never on it.")]
    Blocklist(BlocklistArgs),
    /// Names those of your users who are behind the account tags of findings
    #[command(after_help = "\
Examples:
  TIDEWATCH_KEY=... tidewatch replay --output json app.log > findings.jsonl
  TIDEWATCH_KEY=... tidewatch who findings.jsonl --users users.txt
  tidewatch who 0123456789abcdef0123456789abcdef findings.jsonl --users users.txt --key secret.json

Names stay on this machine: each is tagged under the key and compared. A file for --key holds a
passphrase, or the secret of the stack, as `aws secretsmanager get-secret-value --query
SecretString --output text` prints it.

Exit codes: 0 somebody is named, or the findings say that nobody who was tried exists; 1 no tag
belongs to any of your names, or an input could not be read; 2 a usage error, or no key.")]
    Who(WhoArgs),
    /// Prints the completion script of a shell
    #[command(after_help = "\
Examples:
  tidewatch completions bash > /etc/bash_completion.d/tidewatch
  tidewatch completions zsh > ~/.zfunc/_tidewatch")]
    Completions(CompletionsArgs),
    /// Prints the manual page, as roff
    #[command(after_help = "\
Examples:
  tidewatch man > /usr/local/share/man/man1/tidewatch.1
  tidewatch man | man -l -")]
    Man,
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
pub struct SimulateArgs {
    /// What is going on; without it, scenarios are listed
    #[arg(value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    pub list: bool,
    /// Number that decides everything that is random in the simulation
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How long it lasts [default: 4, and a day or more where something is slow]
    #[arg(long, value_name = "H")]
    pub hours: Option<u32>,
    /// Customers' logins a day, besides what is planted; addresses and accounts follow
    #[arg(long, value_name = "N", default_value_t = 600_000)]
    pub logins_per_day: u32,
    /// Functions of a fleet (lambda-*)
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub functions: u32,
    /// How often the functions of a fleet (lambda-*) run on an average day, all together
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub invocations_per_day: u32,
    /// What is written to standard output
    #[arg(long, value_enum, default_value_t = SimulatedForm::Lines)]
    pub output: SimulatedForm,
    /// Write here what was planted, as JSON
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

/// What a simulated log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SimulatedForm {
    /// Lines as `aws logs tail --format detailed` prints them
    Lines,
    /// CloudWatch Logs envelopes, one a line, in the order they arrive
    Envelopes,
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
    pub follow: FollowArgs,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Lines, or files to read; `-` is standard input
    #[arg(value_name = "LINE|FILE", required = true)]
    pub subjects: Vec<String>,
    /// Show the windows behind this finding, instead of each line
    #[arg(long, value_name = "UID")]
    pub finding: Option<String>,
    /// Show how this Lambda function was weighed in the five minutes of --at, instead of each line
    #[arg(long, value_name = "NAME", requires = "at", conflicts_with = "finding")]
    pub function: Option<String>,
    /// The time of --function, as in 2026-11-22T18:03:00Z
    #[arg(long, value_name = "TIME", requires = "function")]
    pub at: Option<String>,
    /// The log group the lines stand in
    #[arg(long, value_name = "NAME", default_value = "")]
    pub log_group: String,
    /// Lines of a file that are shown step by step; all are counted
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub lines: usize,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Folder with detector and format files, or with the folders `detectors` and `formats`; or one such file,
    /// or its cases [default: what is shipped]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Run each case so many times more, with other addresses, names and times
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub vary: u64,
    /// The first seed of the variations
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Read lines with the formats of DIR alone, as `--formats` does, not besides the shipped ones
    #[arg(long)]
    pub alone: bool,
    /// Results as text or as one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Folder with detector and format files, or with the folders `detectors` and `formats`; or one such file,
    /// or its cases [default: what is shipped]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A log of yours, plain or gzipped, `-` for standard input: warn about formats whose needles are in many
    /// of its lines that they cannot read
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// End with exit code 1 if there are warnings
    #[arg(long)]
    pub strict: bool,
    /// Check the formats of DIR alone, as `--formats` loads them, not besides the shipped ones
    #[arg(long)]
    pub alone: bool,
    /// Results as text or as one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Files to read, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What they are compared with: detector files (*.toml) of this folder, or one [default: the shipped ones]
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// How input is read.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// What the input is: auto, lines, aws-tail, envelopes or kinesis-events
    #[arg(long = "input", value_name = "KIND", default_value = "auto")]
    pub input_kind: String,
    /// Use the format files (*.toml) of this folder, or one, INSTEAD of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub formats: Option<PathBuf>,
    /// Filter of known users, made by `tidewatch users build`: where a line does not say whether the account
    /// exists, it does
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// List of names from elsewhere, made by `tidewatch lists build`: findings say how many of the names tried
    /// stand on it; may be given up to 6 times
    #[arg(long = "list", value_name = "FILE")]
    pub lists: Vec<PathBuf>,
    /// Database of autonomous systems (MMDB, such as GeoLite2-ASN.mmdb), for detectors by `source.asn`; without it those
    /// count lines only that tell the system themselves
    #[arg(long, value_name = "FILE")]
    pub asn_db: Option<PathBuf>,
    /// Also read every line for who asks (principals, API keys, addresses), so that findings about what a function
    /// costs say who drives it; it takes longer
    #[arg(long)]
    pub drivers: bool,
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
    /// Use the detector files (*.toml) of this folder, or one, INSTEAD of the shipped ones
    #[arg(long, value_name = "DIR")]
    pub detectors: Option<PathBuf>,
    /// Use the detector and format files (*.toml) of this folder, or one, BESIDES the shipped ones; may be
    /// given again; of two with one id the later counts. An allow.toml in it holds back findings about those
    /// it names
    #[arg(long, value_name = "DIR")]
    pub with: Vec<PathBuf>,
    #[command(flatten)]
    pub pricing: PricingArgs,
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
