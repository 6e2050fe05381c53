//! `tidewatch blocklist`: the sources of open findings, for a firewall. It prints, and blocks nothing.

use std::net::Ipv6Addr;
use std::path::Path;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tidewatch_alert::printable;
use tidewatch_core::allow::Allowlist;
use tidewatch_core::net::Net;
use tidewatch_core::time::Time;

use crate::args::{BlocklistArgs, BlocklistForm};
use crate::blocklist::{Blocklist, LeftOut, Terms, WAF_ADDRESSES_MAX};
use crate::commands::{counted, started};
use crate::exit::{Exit, Failure};
use crate::files::{self, Folder};
use crate::lines::Lines;
use crate::output::{deliver, say};
use crate::settings;
use crate::told::{Latest, Told};

/// What was read.
#[derive(Default)]
struct Read {
    latest: Latest,
    lines: u64,
    /// Lines that hold no finding, and where the first stands.
    damaged: u64,
    first_damaged: String,
    /// Whether an input could not be read to its end.
    failed: bool,
}

/// Prints the list.
///
/// # Errors
/// If the command line or an allow file is faulty.
pub fn run(args: &BlocklistArgs) -> Result<Exit, Failure> {
    let terms = terms(args)?;
    let mut read = Read::default();
    for path in settings::inputs(&args.findings)? {
        read.file(path);
    }
    // Whoever blocks by what is printed shall not let everybody in for a file that was the wrong one.
    if read.damaged > 0 && read.latest.all().count() == 0 {
        tell(&read, &Blocklist::default(), 0);
        return Ok(Exit::Failed);
    }
    let list = Blocklist::of(&read.latest, &terms);
    let (text, without_room) = match args.form {
        BlocklistForm::Lines => (list.lines(), 0),
        BlocklistForm::Cidr => (list.cidr(), 0),
        BlocklistForm::Json => (list.json(terms.now).to_string(), 0),
        BlocklistForm::WafIpSet => {
            let (sets, without_room) = list.waf_ip_sets();
            (sets.to_string(), without_room)
        }
    };
    let exit = if read.failed { Exit::Failed } else { Exit::Done };
    // An empty list is no line, not an empty one.
    let exit = if text.is_empty() { exit } else { deliver(&text, exit) };
    tell(&read, &list, without_room);
    Ok(exit)
}

fn terms(args: &BlocklistArgs) -> Result<Terms, Failure> {
    let lasts = tidewatch_rules::duration::parse(&args.lasts).ok_or_else(|| {
        anyhow!("--for {}: not a span. {}", args.lasts, tidewatch_rules::duration::HELP)
    })?;
    let now = match &args.now {
        None => started(),
        Some(text) => {
            let time: Timestamp = text.parse().with_context(|| {
                format!("--now {text}: not an RFC 3339 time such as 2026-11-22T18:00:00Z")
            })?;
            Time(time.as_millisecond())
        }
    };
    Ok(Terms {
        now,
        lasts,
        severity_min: args.min_severity,
        detectors: args.detector.clone(),
        campaigns: args.campaigns,
        allow: allowlist(args.with.as_deref())?,
    })
}

/// The allowlist of a folder of rules. Users have no addresses, so no key is needed.
fn allowlist(with: Option<&Path>) -> Result<Allowlist, Failure> {
    let Some(with) = with else { return Ok(Allowlist::default()) };
    let folder = Folder::open(with)?;
    let ids = folder.detectors.iter().map(|file| file.id());
    let allow = files::allowed(&folder, ids, started()).map_err(Failure::Rules)?;
    Ok(allow.tagged(|_| Vec::new()))
}

impl Read {
    /// Reads what a file holds, and says on standard error what cannot be read.
    fn file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        if let Err(error) = self.lines(path, &shown) {
            say(format_args!("tidewatch: cannot read {}: {error}", printable(&shown)));
            self.failed = true;
        }
    }

    fn lines(&mut self, path: &Path, shown: &str) -> std::io::Result<()> {
        let mut lines = Lines::open(path)?;
        let mut nth = 0u64;
        while let Some(line) = lines.next()? {
            nth += 1;
            if line.trim().is_empty() {
                continue;
            }
            self.lines += 1;
            match Told::read(&line) {
                Some(told) => self.latest.take(told),
                None => {
                    if self.damaged == 0 {
                        self.first_damaged = format!("{shown}:{nth}");
                    }
                    self.damaged += 1;
                }
            }
        }
        Ok(())
    }
}

/// Whether an address is routed nowhere but within a network of one's own (RFC 1918, RFC 4193, RFC 4291).
fn is_own(source: &Net) -> bool {
    match *source {
        Net::Ipv4(v4, _) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        Net::Ipv6(upper, _) => {
            let v6 = Ipv6Addr::from_bits(u128::from(upper) << 64);
            v6.is_unique_local() || v6.is_unicast_link_local() || upper == 0
        }
    }
}

/// Says on standard error what the list is made of.
fn tell(read: &Read, list: &Blocklist<'_>, without_room: usize) {
    let LeftOut { over, campaigns, unasked, allowed } = list.left_out;
    let findings = counted(read.latest.all().count() as u64, "finding");
    say(format_args!("{} of {findings}", counted(list.sources.len() as u64, "source")));
    for (count, noun, what) in [
        (over, "finding", "closed, or longer ago than --for"),
        (campaigns, "finding", "about a user, a subnet or everything, see --campaigns"),
        (unasked, "finding", "not asked for: too mild, of another detector, or made up"),
        (allowed, "source", "allowed"),
        (without_room as u64, "source", "beyond what a set takes"),
    ] {
        if count > 0 {
            say(format_args!("left out: {}: {what}", counted(count, noun)));
        }
    }
    if without_room > 0 {
        say(format_args!(
            "note: a set takes {WAF_ADDRESSES_MAX} networks; the mildest and oldest are missing, see --min-severity"
        ));
    }
    let own = list.sources.keys().filter(|source| is_own(source)).count();
    if own > 0 {
        say(format_args!(
            "note: {} of a private network or this machine: perhaps your own proxy, which brings everybody; see allow files",
            counted(own as u64, "source")
        ));
    }
    if read.damaged > 0 {
        say(format_args!(
            "not read: {}, no findings as --output json prints them, first at {}",
            counted(read.damaged, "line"),
            printable(&read.first_damaged)
        ));
    }
    if read.lines == 0 {
        say(format_args!("note: there was no line to read"));
    }
}
