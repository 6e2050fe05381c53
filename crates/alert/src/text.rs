//! A finding for a terminal: one headline to scan by eye, then indented what to act on.
//!
//! Invariant: every line but the headline is indented, and no text from a log can start a line, so
//! that what looks like a headline is one.

use std::fmt::Write;

use tidewatch_core::accounts::Account;
use tidewatch_core::finding::{Activity, Decided, Finding, SeenSince};
use tidewatch_core::lists::Listed;
use tidewatch_core::signal::{EventId, Origin, Outcome};

use crate::number::{long, number, of_measure, rfc3339};
use crate::printable::{name, printable};
use crate::sentence::{is_plain, sentence};
use crate::spending;

/// Sources named in text; the JSON document has them all.
const SOURCES_SHOWN_MAX: usize = 8;

/// Accounts named in text, likewise.
const ACCOUNTS_SHOWN_MAX: usize = 4;

/// Columns of running text, behind the label: 100 in all.
const TEXT_COLUMNS: usize = 85;

/// The finding as text, each line ended by a newline.
pub fn text(finding: &Finding) -> String {
    let mut out = String::new();
    let activity = match finding.activity {
        Activity::Create => "OPEN",
        Activity::Update => "UPDATE",
        Activity::Close => "CLOSE",
    };
    let (time, severity) = (rfc3339(finding.time), finding.severity.name());
    let who = match &finding.spending {
        Some(spending) => spending::whom(spending),
        None => finding.key.to_string(),
    };
    let headline = format!("{time} {activity} {severity} {}: {who}", printable(&finding.title));
    let _ = writeln!(out, "{headline}");

    if let Some(spending) = &finding.spending {
        line(&mut out, "", &sentence(finding));
        for (label, what) in spending::lines(spending) {
            line(&mut out, label, &what);
        }
    }
    let measures =
        finding.measures.iter().map(|m| format!("{} {}", m.name, long(&m.name, &m.value)));
    line(&mut out, "counted", &format!("{} in {}", joined(measures), finding.window));
    let spends = finding.spending.is_some();
    if let (false, Activity::Close, Some(leading)) =
        (spends, finding.activity, finding.decided.first())
    {
        let peak = of_measure(&leading.measure, finding.peak.max(leading.amount));
        line(&mut out, "at worst", &format!("{} {peak} in {}", leading.measure, finding.window));
    }
    if !spends {
        let confidence = finding.confidence.map(|sure| format!("confidence {}", sure.name()));
        line(
            &mut out,
            "raised by",
            &joined(finding.decided.iter().map(condition).chain(confidence)),
        );
        line(&mut out, "since", &joined(finding.since.iter().map(since)));
    }
    let (first, last) = (rfc3339(finding.first_seen), rfc3339(finding.last));
    line(&mut out, "seen", &format!("{first} to {last}"));
    let agent = finding.agent.as_deref().unwrap_or_default();
    line(&mut out, "client", &printable(agent));
    line(&mut out, "sources", &sources(finding));
    line(&mut out, "accounts", &accounts(finding));
    for listed in &finding.listed {
        line(&mut out, "listed", &on_list(listed));
    }
    line(
        &mut out,
        "also",
        &joined(finding.also.iter().map(|also| printable(&also.detector).into_owned())),
    );
    for (nth, origin) in finding.samples.iter().enumerate() {
        line(&mut out, if nth == 0 { "events" } else { "" }, &event(origin));
    }
    if finding.activity == Activity::Create {
        let advice = textwrap::fill(&printable(&finding.advice), TEXT_COLUMNS);
        for (nth, part) in advice.lines().enumerate() {
            line(&mut out, if nth == 0 { "advice" } else { "" }, part);
        }
    }
    line(&mut out, "uid", &finding.uid);
    out
}

/// One indented line; nothing where there is nothing to say.
fn line(out: &mut String, label: &str, what: &str) {
    if !what.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "    {label:<9}  {what}");
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// The condition as the detector writes it, with the number a share came to.
fn condition(decided: &Decided) -> String {
    if is_plain(decided) {
        return decided.condition.clone();
    }
    let threshold = of_measure(&decided.measure, decided.threshold);
    format!("{} (= {threshold})", decided.condition)
}

/// Since when the first of what a measure counts is seen here.
fn since(since: &SeenSince) -> String {
    let first = rfc3339(since.first);
    let how = if since.is_new { "first seen here" } else { "known here since" };
    format!("{} {how} {first}", since.measure)
}

fn sources(finding: &Finding) -> String {
    if !finding.members.is_empty() {
        return members(finding);
    }
    let shown = finding.sources.iter().take(SOURCES_SHOWN_MAX).map(|ip| ip.to_string());
    let mut out = joined(shown);
    let count = finding.sources.len().min(SOURCES_SHOWN_MAX) as u64;
    if finding.sources_total > count && count > 0 {
        let _ = write!(out, " and {} more", finding.sources_total - count);
    }
    out
}

/// Of a finding that speaks for many: those with most failures, and how many raise on their own.
fn members(finding: &Finding) -> String {
    let all = &finding.members;
    let shown = all.iter().take(SOURCES_SHOWN_MAX).map(|member| {
        let raised =
            member.raised.map_or(String::new(), |severity| format!(", {}", severity.name()));
        format!("{} ({} failures{raised})", member.source, member.failures)
    });
    let mut out = joined(shown);
    let total = finding.sources_total.max(all.len() as u64);
    if total > all.len().min(SOURCES_SHOWN_MAX) as u64 {
        let _ = write!(out, " and {} more", total - all.len().min(SOURCES_SHOWN_MAX) as u64);
    }
    let raised = all.iter().filter(|member| member.raised.is_some()).count();
    if raised > 0 {
        let _ = write!(out, "; {raised} of them raise on their own");
    }
    out
}

/// The tags of those that got in and were not seen here before: those to look at first; and how many others did.
fn accounts(finding: &Finding) -> String {
    let got_in = finding.accounts.iter().filter(|a| a.outcome == Some(Outcome::Success));
    let (as_ever, new): (Vec<&Account>, Vec<&Account>) = got_in.partition(|a| a.as_ever);
    let as_ever = match as_ever.len() {
        0 => String::new(),
        others => format!("as ever: {others}"),
    };
    let tags: Vec<String> = new.iter().map(|account| got_in_as(account, finding)).collect();
    if tags.is_empty() {
        return as_ever;
    }
    let as_ever = if as_ever.is_empty() { as_ever } else { format!("; {as_ever}") };
    let shown = joined(tags.iter().take(ACCOUNTS_SHOWN_MAX).cloned());
    let more = match tags.len().saturating_sub(ACCOUNTS_SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("got in: {shown}{more}{as_ever}")
}

/// An account that got in, and since when, where its detector asks.
fn got_in_as(account: &Account, finding: &Finding) -> String {
    let first = account.first.filter(|_| finding.since.iter().any(|since| since.is_new));
    let first = first.map_or(String::new(), |first| format!(" (first here {})", rfc3339(first)));
    format!("user:{:016x}{first}", account.tag)
}

/// How many of the names tried stand on a list from elsewhere.
fn on_list(listed: &Listed) -> String {
    let per_cent = |share: f64| number((share * 100.0).round());
    let usual = match listed.usual {
        Some(usual) => format!(" (your own users: {} %)", number((usual * 1_000.0).round() / 10.0)),
        None => " (your own users were not compared with it)".to_owned(),
    };
    let Listed { list, of, .. } = listed;
    let (share, error) = (per_cent(listed.share()), per_cent(listed.error()));
    format!("{share} % ± {error} of the {of} names tried are on {}{usual}", printable(list))
}

fn event(origin: &Origin) -> String {
    let (stream, group) = (name(&origin.stream.stream), name(&origin.stream.group));
    match &origin.id {
        EventId::CloudWatch(id) => format!("{group} {stream} {}", name(id)),
        EventId::Offset(offset) => format!("{stream} at byte {offset}"),
    }
}
