//! `tidewatch bill`: what Lambda functions cost, from the reports in their logs.
//!
//! The way of the data: inputs, or [`groups`] of the account → reports → the ledger (core's meter) → [`rows`] with their dollars → [`text`],
//! or [`tables`] for programs. Everything is worked out of the ledger when the inputs have ended.

mod budgets;
mod drivers;
mod groups;
mod rows;
mod tables;
mod text;
mod untold;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::PoisonError;

use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::finding::Finding;
use tidewatch_core::meter::attribution::{Attribution, DriverKind};
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::spend::watch::Watch;
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::Span;

use self::groups::Account;
use self::untold::Untold;
use crate::args::{BillArgs, BillBy, BillForm};
use crate::commands::replay::{conclude, drive};
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::following::since;
use crate::log_groups;
use crate::metering::Metering;
use crate::output::{deliver, say};
use crate::pipeline::{Reader, Work, interrupted};
use crate::pricing::Pricing;
use crate::progress::Progress;
use crate::settings;

/// How long hours are kept apart: a year and a day.
const HOURS_KEPT: Span = Span::minutes(367 * 24 * 60);

/// Reads the inputs and prints the bill.
///
/// # Errors
/// If the command line, or a file it names, is faulty.
pub async fn run(mut args: BillArgs) -> Result<Exit, Failure> {
    if !args.files.is_empty() {
        return bill(&args, None).await;
    }
    let since = since(&args.since)?;
    if since >= started() {
        return Err(anyhow::anyhow!("--since {}: that is not before now", args.since).into());
    }
    let begun = tokio::select! {
        biased;
        () = interrupted() => return Ok(Exit::Done),
        begun = groups::begin(&args, since) => begun,
    };
    match begun {
        Err(error) => {
            log_groups::refused(&error);
            Ok(Exit::Failed)
        }
        Ok(account) => {
            args.pricing.region = args.pricing.region.or_else(|| account.region.clone());
            bill(&args, Some(account)).await
        }
    }
}

async fn bill(args: &BillArgs, account: Option<Account>) -> Result<Exit, Failure> {
    let mut pricing = Pricing::asked_for(&args.pricing)?;
    let drivers = drivers::kind(args.by);
    let named = drivers::Named::read(args.users.as_deref(), drivers)?;
    let bytes = settings::memory_bytes(&args.memory)?;
    let key = settings::tag_key()?;
    let (kind, not_after) = (&args.input_kind, args.not_after.as_deref());
    let mut reading = settings::metering(kind, not_after, key, started())?;
    reading.hears_access = drivers.is_some();
    let progress = Progress::new(true);
    let from = match account {
        None => From::Files(settings::inputs(&args.files)?),
        Some(mut account) => {
            tokio::select! {
                biased;
                () = interrupted() => return Ok(Exit::Done),
                told = account.runs_on() => pricing.told = told,
            }
            From::Groups(account.read(&reading, &progress))
        }
    };
    let limits = Limits { bytes, hours_kept: HOURS_KEPT, ..Limits::default() };
    let mut work: Work<Vec<Finding>> = Work::Meter(Box::new(Metering {
        watch: Watch::new(Vec::new(), pricing.prices(), Ledger::new(limits, key))
            .naming(args.function.clone())
            .budgeted(pricing.budgets()),
        gate: Gate::new(reading.admission),
        counts: Counts::default(),
        unnamed: args.function.clone(),
        attribution: drivers.map(|_| Attribution::default()),
        pricing,
    }));
    let (driven, untold) = match from {
        From::Files(files) => (drive(files, &reading, &progress, &mut work, None).await, None),
        From::Groups((reader, count, untold)) => {
            let opened = (count, Exit::Done);
            (conclude(reader, opened, &progress, &mut work, None).await, Some(untold))
        }
    };
    let mut exit = driven.told();
    let Work::Meter(mut metering) = work else { return Ok(Exit::Failed) };
    metering.watch.ended();
    let burns = metering.watch.burns();
    let named = drivers.map(|kind| (kind, named.tagged(reading.naming)));
    let mut untold =
        untold.as_deref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(untold) = &mut untold {
        untold.is_interrupted = driven.outcome.stopped.is_some();
    }
    if untold.as_ref().is_some_and(|untold| !untold.is_whole()) {
        exit = Exit::Failed;
    }
    let exit = deliver(&shown((&metering, &burns), args, named, untold.as_deref()), exit);
    say(format_args!("{}", driven.summary.bill_text().trim_end()));
    if args.stats {
        say(format_args!("{}", driven.summary.json()));
    }
    Ok(exit)
}

/// Where a bill is from.
enum From<'a> {
    Files(&'a [PathBuf]),
    Groups((Reader, usize, groups::Shared)),
}

/// A bill, with what it leaves out.
fn shown(
    (metering, burns): (&Metering, &budgets::Burns),
    args: &BillArgs,
    drivers: Option<(DriverKind, BTreeMap<UserTag, String>)>,
    untold: Option<&Untold>,
) -> String {
    let Metering { watch, pricing, attribution, .. } = metering;
    let of_drivers = drivers.zip(attribution.as_ref()).map(|((kind, named), attribution)| {
        let bill = drivers::Bill::of(watch.ledger(), attribution.of(kind), kind, pricing, &named);
        (bill, attribution.given_up())
    });
    let of_rows = || rows::Bill::of(watch, pricing, args.by);
    match args.output {
        BillForm::Text => {
            let text = match &of_drivers {
                Some((bill, given_up)) => bill.text(*given_up),
                None => text::text(&of_rows(), pricing),
            };
            let text = format!("{text}{}", budgets::text(burns));
            format!("{}{text}", untold.map(|it| it.text(pricing)).unwrap_or_default())
        }
        BillForm::Csv => {
            // A table has no room for it.
            if let Some(untold) = untold {
                say(format_args!("{}", untold.text(pricing).trim_end()));
            }
            // Budgets are columns of functions' rows; where there are none they are told beside it, too.
            let budgets = if args.by == BillBy::Function { burns } else { &[][..] };
            if budgets.is_empty() && !burns.is_empty() {
                say(format_args!("{}", budgets::text(burns).trim()));
            }
            match &of_drivers {
                Some((bill, _)) => bill.csv(),
                None => tables::csv(&of_rows(), &budgets::Columns::of(budgets)),
            }
        }
        BillForm::Json => {
            let mut whole = match &of_drivers {
                Some((bill, _)) => bill.json(),
                None => tables::json(&of_rows(), pricing),
            };
            if !burns.is_empty() {
                whole["budgets"] = budgets::json(burns);
            }
            if let Some(untold) = untold {
                whole["log_groups"] = untold.json();
            }
            whole.to_string()
        }
    }
}
