//! How dollars come from usage: the prices of a region, and what functions run on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use tidewatch_core::meter::tariff::{Tariff, Terms};
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::watch::Prices;
use tidewatch_rules::functions::{self, Functions};
use tidewatch_rules::prices::{self, shipped_prices};

use crate::args::PricingArgs;
use crate::exit::Failure;

/// The region whose prices count where nothing says which.
const REGION: &str = "us-east-1";

/// How dollars come from usage.
pub struct Pricing {
    pub tariff: Tariff,
    /// The file the prices are from.
    pub file: String,
    pub functions: Functions,
    /// What Lambda says that functions run on; it goes before everything else.
    pub told: BTreeMap<String, Terms>,
    /// What a function runs on of which nothing is said.
    pub otherwise: Terms,
    /// What all functions together may cost, in dollars a calendar month: that of `--budget`, or of the file.
    pub budget: Option<f64>,
}

impl Pricing {
    /// What a function runs on.
    pub fn terms(&self, function: &str) -> Terms {
        terms_of(&self.told, &self.functions, self.otherwise, function)
    }

    /// The same, for whoever watches.
    pub fn prices(&self) -> Prices {
        let (told, functions) = (self.told.clone(), self.functions.clone());
        let otherwise = self.otherwise;
        let terms =
            Arc::new(move |function: &str| terms_of(&told, &functions, otherwise, function));
        Prices { tariff: self.tariff.clone(), terms }
    }

    /// What may be spent.
    pub fn budgets(&self) -> Budgets {
        let functions = self.functions.clone();
        let of = Arc::new(move |function: &str| functions.budget_of(function));
        Budgets { of, all: self.budget }
    }

    /// What the command line asks for.
    ///
    /// # Errors
    /// If there is no such region or architecture, or a file is faulty.
    pub fn asked_for(args: &PricingArgs) -> Result<Pricing, Failure> {
        let (file, text) = match &args.prices {
            Some(path) => named(path, "--prices")?,
            None => shipped_prices(),
        };
        let prices = prices::prices(&file, &text).map_err(Failure::Rules)?;
        let tariff = prices
            .region(args.region.as_deref().unwrap_or(REGION))
            .map_err(|error| anyhow!("--region: {error}"))?;
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
        let budget = args
            .budget
            .as_deref()
            .map(|text| functions::budget(text).with_context(|| format!("--budget {text}")));
        let budget = budget.transpose()?.or(functions.budget);
        let (tariff, told) = (tariff.clone(), BTreeMap::new());
        Ok(Pricing { tariff, file, functions, told, otherwise, budget })
    }
}

fn terms_of(
    told: &BTreeMap<String, Terms>,
    functions: &Functions,
    otherwise: Terms,
    function: &str,
) -> Terms {
    told.get(function).copied().unwrap_or_else(|| functions.terms(function, otherwise))
}

/// Name and text of a file.
fn named(path: &Path, option: &str) -> Result<(String, String), anyhow::Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("{option} {shown}"))?;
    Ok((shown, text))
}
