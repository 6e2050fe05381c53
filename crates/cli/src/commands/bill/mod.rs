//! `tidewatch bill`: what Lambda functions cost, from the reports in their logs.
//!
//! The way of the data: inputs → reports → the ledger (core's meter) → [`rows`] with their dollars → [`text`],
//! or [`tables`] for programs. Everything is worked out of the ledger when the inputs have ended.

mod drivers;
mod rows;
mod tables;
mod text;

use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::finding::Finding;
use tidewatch_core::meter::attribution::Attribution;
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::spend::watch::Watch;
use tidewatch_core::time::Span;

use crate::args::{BillArgs, BillForm};
use crate::commands::replay::drive;
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::metering::Metering;
use crate::output::{deliver, say};
use crate::pipeline::Work;
use crate::pricing::Pricing;
use crate::progress::Progress;
use crate::settings;

/// How long hours are kept apart: a year and a day.
const HOURS_KEPT: Span = Span::minutes(367 * 24 * 60);

/// Reads the inputs and prints the bill.
///
/// # Errors
/// If the command line, or a file it names, is faulty.
pub async fn run(args: BillArgs) -> Result<Exit, Failure> {
    let pricing = Pricing::asked_for(&args.pricing)?;
    let drivers = drivers::kind(args.by);
    let named = drivers::Named::read(args.users.as_deref(), drivers)?;
    let bytes = settings::memory_bytes(&args.memory)?;
    let key = settings::tag_key()?;
    let (kind, not_after) = (&args.input_kind, args.not_after.as_deref());
    let mut reading = settings::metering(kind, not_after, key, started())?;
    reading.hears_access = drivers.is_some();
    let files = settings::inputs(&args.files)?;
    let limits = Limits { bytes, hours_kept: HOURS_KEPT, ..Limits::default() };
    let mut work: Work<Vec<Finding>> = Work::Meter(Box::new(Metering {
        watch: Watch::new(Vec::new(), pricing.prices(), Ledger::new(limits, key))
            .naming(args.function.clone()),
        gate: Gate::new(reading.admission),
        counts: Counts::default(),
        unnamed: args.function.clone(),
        attribution: drivers.map(|_| Attribution::default()),
        pricing,
    }));
    let progress = Progress::new(true);
    let driven = drive(files, &reading, &progress, &mut work, None).await;
    let exit = driven.told();
    let Work::Meter(mut metering) = work else { return Ok(Exit::Failed) };
    metering.watch.ended();
    let Metering { watch, pricing, attribution, .. } = &*metering;
    let ledger = watch.ledger();
    let text = match drivers.zip(attribution.as_ref()) {
        Some((kind, attribution)) => {
            let named = named.tagged(reading.naming);
            let bill = drivers::Bill::of(ledger, attribution.of(kind), kind, pricing, &named);
            match args.output {
                BillForm::Text => bill.text(attribution.given_up()),
                BillForm::Csv => bill.csv(),
                BillForm::Json => bill.json().to_string(),
            }
        }
        None => {
            let bill = rows::Bill::of(watch, pricing, args.by);
            match args.output {
                BillForm::Text => text::text(&bill, pricing),
                BillForm::Csv => tables::csv(&bill),
                BillForm::Json => tables::json(&bill, pricing).to_string(),
            }
        }
    };
    let exit = deliver(&text, exit);
    say(format_args!("{}", driven.summary.bill_text().trim_end()));
    if args.stats {
        say(format_args!("{}", driven.summary.json()));
    }
    Ok(exit)
}
