//! `tidewatch bill`: what Lambda functions cost, from the reports in their logs.
//!
//! The way of the data: inputs → reports → the ledger (core's meter) → [`rows`] with their dollars → [`text`],
//! or [`tables`] for programs. Everything is worked out of the ledger when the inputs have ended.

mod rows;
mod tables;
mod text;

use std::path::Path;

use anyhow::{Context, anyhow};
use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::finding::Finding;
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::meter::tariff::{Tariff, Terms};
use tidewatch_core::time::Span;
use tidewatch_rules::functions::{self, Functions};
use tidewatch_rules::prices::{self, shipped_prices};

use crate::args::{BillArgs, BillForm};
use crate::commands::replay::drive;
use crate::commands::started;
use crate::exit::{Exit, Failure};
use crate::metering::Metering;
use crate::output::{deliver, say};
use crate::pipeline::Work;
use crate::progress::Progress;
use crate::settings;

/// How long hours are kept apart: a year and a day.
const HOURS_KEPT: Span = Span::minutes(367 * 24 * 60);

/// How dollars come from usage.
pub(crate) struct Pricing {
    pub tariff: Tariff,
    /// The file the prices are from.
    pub file: String,
    pub functions: Functions,
    /// What a function runs on of which nothing is said.
    pub otherwise: Terms,
}

impl Pricing {
    /// What a function runs on.
    pub fn terms(&self, function: &str) -> Terms {
        self.functions.terms(function, self.otherwise)
    }
}

/// Reads the inputs and prints the bill.
///
/// # Errors
/// If the command line, or a file it names, is faulty.
pub async fn run(args: BillArgs) -> Result<Exit, Failure> {
    let pricing = pricing(&args)?;
    let bytes = settings::memory_bytes(&args.memory)?;
    let key = settings::tag_key()?;
    let (kind, not_after) = (&args.input_kind, args.not_after.as_deref());
    let reading = settings::metering(kind, not_after, key, started())?;
    let files = settings::inputs(&args.files)?;
    let limits = Limits { bytes, hours_kept: HOURS_KEPT, ..Limits::default() };
    let mut work: Work<Vec<Finding>> = Work::Meter(Box::new(Metering {
        ledger: Ledger::new(limits, key),
        gate: Gate::new(reading.admission),
        counts: Counts::default(),
        unnamed: args.function.clone(),
    }));
    let progress = Progress::new(true);
    let driven = drive(files, &reading, &progress, &mut work, None).await;
    let exit = driven.told();
    let Work::Meter(metering) = work else { return Ok(Exit::Failed) };
    let bill = rows::Bill::of(&metering.ledger, &pricing, args.by);
    let text = match args.output {
        BillForm::Text => text::text(&bill, &pricing),
        BillForm::Csv => tables::csv(&bill),
        BillForm::Json => tables::json(&bill, &pricing).to_string(),
    };
    let exit = deliver(&text, exit);
    say(format_args!("{}", driven.summary.bill_text().trim_end()));
    if args.stats {
        say(format_args!("{}", driven.summary.json()));
    }
    Ok(exit)
}

fn pricing(args: &BillArgs) -> Result<Pricing, Failure> {
    let (file, text) = match &args.prices {
        Some(path) => named(path, "--prices")?,
        None => shipped_prices(),
    };
    let prices = prices::prices(&file, &text).map_err(Failure::Rules)?;
    let tariff = prices.region(&args.region).map_err(|error| anyhow!("--region: {error}"))?;
    let functions = match &args.functions {
        None => Functions::default(),
        Some(path) => {
            let (file, text) = named(path, "--functions")?;
            functions::functions(&file, &text).map_err(Failure::Rules)?
        }
    };
    let architecture = functions::architecture(&args.architecture).map_err(|help| {
        anyhow!("--architecture {}: no such architecture. {help}", args.architecture)
    })?;
    let otherwise = Terms { architecture, ..Terms::default() };
    Ok(Pricing { tariff: tariff.clone(), file, functions, otherwise })
}

/// Name and text of a file.
fn named(path: &Path, option: &str) -> Result<(String, String), anyhow::Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("{option} {shown}"))?;
    Ok((shown, text))
}
