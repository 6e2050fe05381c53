//! The options of commands for whoever acts on findings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tidewatch_core::detector::Severity;

use super::{Output, Usernames};

#[derive(Debug, Args)]
pub struct BlocklistArgs {
    /// Files of findings, plain or gzipped; `-` is standard input
    #[arg(value_name = "FINDINGS", default_value = "-")]
    pub findings: Vec<PathBuf>,
    /// What is printed
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t = BlocklistForm::Lines)]
    pub form: BlocklistForm,
    /// How long a source is listed after the last event that its finding tells of
    #[arg(long = "for", value_name = "SPAN", default_value = "24h")]
    pub lasts: String,
    /// The time it is, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Leave out the sources that the allow.toml of this folder allows
    #[arg(long, value_name = "DIR")]
    pub with: Option<PathBuf>,
    /// Only findings as bad as this or worse
    #[arg(long, value_name = "SEVERITY", value_parser = severity, default_value = "informational")]
    pub min_severity: Severity,
    /// Only findings of this detector; may be given several times
    #[arg(long, value_name = "ID")]
    pub detector: Vec<String>,
    /// Also the sources that findings about a user, a subnet or everything name. Innocents may be among
    /// them: such a finding says what was tried from all these together, not that each of them attacks
    #[arg(long)]
    pub campaigns: bool,
}

/// What a list to block by looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BlocklistForm {
    /// A source a line: an IPv4 address, or the /64 of an IPv6 one
    Lines,
    /// A network a line, neighbours put together where no other address is between
    Cidr,
    /// One object with each source, its findings and when it drops out
    Json,
    /// One object with the `Addresses` of an IPV4 and an IPV6 set of AWS WAF
    WafIpSet,
}

/// A severity by its name.
fn severity(name: &str) -> Result<Severity, String> {
    let all = Severity::ALL.map(Severity::name).join(", ");
    let found = Severity::ALL.into_iter().find(|severity| severity.name() == name);
    found.ok_or_else(|| format!("there are {all}"))
}

#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Findings, as `--output json` and the alert topic print them, one a line; `-` is standard input; and uids,
    /// if only some of them are meant
    #[arg(value_name = "FINDING", required = true)]
    pub findings: Vec<PathBuf>,
    /// Lists of your usernames, one a line, plain or gzipped; `-` is standard input
    #[arg(long, value_name = "FILE", required = true)]
    pub users: Vec<PathBuf>,
    /// File with the key of the tags [default: the environment's TIDEWATCH_KEY]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The column of CSV, or the field of JSON objects, that is the name
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Whether `Root`, `root ` and `ｒｏｏｔ` are one username, as in the run that found it
    #[arg(long, value_enum, default_value_t = Usernames::Fold)]
    pub usernames: Usernames,
    /// Names as a table or as one JSON object
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}
