//! A bill for a person: a table, then what follows from it.

use std::fmt::Write as _;

use tidewatch_alert::{printable, rfc3339};
use tidewatch_core::meter::advice::{Advice, Risk};
use tidewatch_core::meter::money::{MB_MS_PER_GB_S, Money};
use tidewatch_core::meter::tariff::STORAGE_FREE_MB;

use super::rows::{Bill, FunctionLabel, Label, Row};
use crate::args::BillBy;
use crate::pricing::Pricing;
use crate::summary::grouped;

/// Below this, in dollars a month, less memory is not worth a line.
const SAVING_MIN: f64 = 0.01;

/// Functions whose bound is told in text; the JSON document has them all.
const BOUNDS_SHOWN: usize = 5;

/// The whole text.
pub(super) fn text(bill: &Bill, pricing: &Pricing) -> String {
    let mut text = String::new();
    let Some((first, last)) = bill.span else {
        return "no invocation was reported: nothing to bill".to_owned();
    };
    let month = bill.a_month(bill.all.dollars);
    let month = month.map_or(String::new(), |dollars| {
        format!(", ${} a month if it goes on", dollars.decimal(2))
    });
    let _ = writeln!(
        text,
        "${}{month}: {} invocations from {} to {}\n\
         list prices of {} ({}), {} where nothing else is said\n",
        bill.all.dollars.decimal(4),
        grouped(bill.all.pane.sums.invocations),
        rfc3339(first),
        rfc3339(last),
        pricing.tariff.region,
        pricing.file,
        pricing.otherwise.architecture.name(),
    );
    text += &table(bill);
    write_tiers(&mut text, bill);
    write_advice(&mut text, bill);
    write_deployments(&mut text, bill);
    write_bounds(&mut text, bill);
    write_limits(&mut text, bill);
    text
}

const HEADER: [&str; 12] = [
    "",
    "dollars",
    "share",
    "invocations",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "cold",
    "timeouts",
    "errors",
    "out of memory",
    "wasted $",
];

fn table(bill: &Bill) -> String {
    let mut lines = vec![HEADER.map(str::to_owned)];
    lines[0][0] = if bill.by == BillBy::Hour { "hour" } else { "function" }.to_owned();
    let several = several_accounts(bill);
    for row in bill.rows.iter().chain([&bill.all]) {
        lines.push(cells(row, bill.all.dollars, several));
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADER.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let mut shown = format!("{:<width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(shown, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", shown.trim_end());
    }
    text
}

/// Whether functions of several accounts are billed, so that each is told with its account.
fn several_accounts(bill: &Bill) -> bool {
    let mut accounts = bill.rows.iter().filter_map(|row| match &row.label {
        Label::Function(of) => Some(&of.function.account),
        _ => None,
    });
    let first = accounts.next();
    accounts.any(|account| Some(account) != first)
}

fn cells(row: &Row, all: Money, several: bool) -> [String; HEADER.len()] {
    let sums = &row.pane.sums;
    let endings = sums.endings();
    let ms = |at: f64| row.quantile_ms(at).map_or(String::new(), ms);
    let count = |count: u64| if count == 0 { String::new() } else { grouped(count) };
    let share = row.dollars.dollars() / all.dollars();
    let share = if share.is_finite() { format!("{:.1} %", share * 100.0) } else { String::new() };
    let wasted = if row.wasted == Money::ZERO { String::new() } else { row.wasted.decimal(4) };
    [
        name(&row.label, several),
        row.dollars.decimal(4),
        share,
        grouped(sums.invocations),
        ms(0.5),
        ms(0.95),
        ms(0.99),
        count(sums.cold_starts),
        count(endings.timeouts),
        count(endings.errors),
        count(endings.out_of_memory),
        wasted,
    ]
}

fn name(label: &Label, several: bool) -> String {
    match label {
        Label::All => "all".to_owned(),
        Label::Others => "(all further functions)".to_owned(),
        Label::Hour(time) => rfc3339(*time),
        Label::Function(FunctionLabel { function, .. }) => {
            let account = match several {
                true => format!("{}/", printable(&function.account)),
                false => String::new(),
            };
            format!("{account}{}", printable(&function.name))
        }
    }
}

fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => grouped(ms.round() as u64),
    }
}

/// What a month's tiers take off, where they are reached.
fn write_tiers(text: &mut String, bill: &Bill) {
    for month in bill.months.iter().filter(|month| month.tiered < month.list) {
        let gb_s = u64::try_from(month.mb_ms / u128::from(MB_MS_PER_GB_S)).unwrap_or(u64::MAX);
        let _ = writeln!(
            text,
            "\n{}-{:02}, {}: {} GB-seconds reach a cheaper tier: ${} instead of ${}; the next GB-second costs ${}",
            month.year,
            month.month,
            month.architecture.name(),
            grouped(gb_s),
            month.tiered.decimal(2),
            month.list.decimal(2),
            month.marginal.decimal(),
        );
    }
}

fn functions(bill: &Bill) -> impl Iterator<Item = (&Row, &FunctionLabel)> {
    bill.rows.iter().filter_map(|row| match &row.label {
        Label::Function(label) => Some((row, label)),
        _ => None,
    })
}

fn write_advice(text: &mut String, bill: &Bill) {
    let mut lines = Vec::new();
    for (row, label) in functions(bill) {
        let sums = &row.pane.sums;
        let name = printable(&label.function.name);
        let has = format!("{name}: {} MB, at most {} used", sums.memory_mb_max, sums.used_mb_max);
        match label.advice {
            Advice::Raise { to_mb } => {
                let killed = sums.endings().out_of_memory;
                let killed = match killed {
                    0 => "it is about to be killed for it".to_owned(),
                    killed => format!("killed for it {} times", grouped(killed)),
                };
                lines.push(format!("  {has}: {killed}; give it {to_mb} MB or more"));
            }
            Advice::Lower { to_mb, saving, risk } => {
                let Some(saving) = bill.a_month(saving) else { continue };
                if saving.dollars() < SAVING_MIN {
                    continue;
                }
                let risk = match risk {
                    Risk::Little => "it keeps a whole CPU",
                    Risk::Slower => "with less CPU it may run longer: measure it",
                };
                let saving = saving.decimal(2);
                lines.push(format!("  {has}: {to_mb} MB would do, ${saving} a month less; {risk}"));
            }
            Advice::Fits | Advice::TooFew => {}
        }
    }
    if !lines.is_empty() {
        let _ = writeln!(text, "\nmemory\n{}", lines.join("\n"));
    }
}

fn write_deployments(text: &mut String, bill: &Bill) {
    let lines = functions(bill).flat_map(|(_, label)| {
        let name = printable(&label.function.name);
        let new = label.versions.iter().skip(1);
        new.map(move |(version, at)| {
            format!("  {name}: version {} from {} on", printable(version), rfc3339(*at))
        })
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = writeln!(text, "\nnew versions\n{}", lines.join("\n"));
    }
}

/// What may be spent without `cost-spike` telling of it, of the functions that cost most.
fn write_bounds(text: &mut String, bill: &Bill) {
    let bounds = functions(bill).filter_map(|(_, label)| Some((label, label.quiet_max?)));
    let bounds: Vec<String> = bounds
        .take(BOUNDS_SHOWN)
        .map(|(label, bound)| format!("{} ${bound:.2}", printable(&label.function.name)))
        .collect();
    if !bounds.is_empty() {
        let _ = writeln!(
            text,
            "\nmore than this an hour is told by cost-spike within five minutes, whatever it looks like: {}",
            bounds.join(", ")
        );
    }
}

fn write_limits(text: &mut String, bill: &Bill) {
    let storage = functions(bill).any(|(_, label)| label.terms.storage_mb > STORAGE_FREE_MB);
    let stored = if storage { ", with ephemeral storage" } else { "" };
    let _ = writeln!(
        text,
        "\nrequests and duration{stored}; no free allowance, Savings Plan or tier is taken off; percentiles are within 6 %"
    );
    if let Some(names) = bill.others {
        let _ = writeln!(text, "about {} further functions are counted together", grouped(names));
    }
    if bill.without_duration > 0 {
        let _ = writeln!(
            text,
            "{} invocations are in no percentile, for want of memory (--memory)",
            grouped(bill.without_duration)
        );
    }
}
