//! Price files (TOML) to tariffs, in the way of detector files: all that is wrong is told at once, each fault at
//! the value that has to change.
//!
//! A price is read as it is written, digit by digit, and never as a binary fraction: 0.0000166667 is just
//! that. The shipped file is infra/prices/lambda.toml, where the fields are described.

use std::collections::BTreeMap;

use tidewatch_core::meter::money::Price;
use tidewatch_core::meter::tariff::{Rates, Tariff, Tier};
use toml::de::DeTable;

use crate::FILE_BYTES_MAX;
use crate::fault::{Fault, Faults, Place, RuleError};
use crate::suggest;
use crate::tree::{
    self, Node, Placed, Text, in_file_order, one_or_more, string, table, unknown_field, wrong_type,
};

const FIELDS: [&str; 7] =
    ["regions", "request", "storage_gb_second", "x86_64", "arm64", "page", "seen"];

/// Prices of some regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Where they are from.
    pub file: String,
    /// In the order of the file; at least one.
    pub tariffs: Vec<Tariff>,
}

/// A region of which there are no prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} has no prices of `{region}`. {help}")]
pub struct UnknownRegion {
    /// The file.
    pub file: String,
    /// What was asked for.
    pub region: String,
    /// The regions there are, and the one that may be meant.
    pub help: String,
}

/// The prices that come with the program: name and text of their file.
pub fn shipped_prices() -> (String, String) {
    let text = include_str!("../../../infra/prices/lambda.toml");
    ("infra/prices/lambda.toml".to_owned(), text.to_owned())
}

impl Prices {
    /// The prices of a region.
    ///
    /// # Errors
    /// If there are none; names those there are.
    pub fn region(&self, region: &str) -> Result<&Tariff, UnknownRegion> {
        let found = self.tariffs.iter().find(|tariff| tariff.region == region);
        found.ok_or_else(|| {
            let known: Vec<&str> = self.tariffs.iter().map(|tariff| &*tariff.region).collect();
            let help = suggest::help(region, "Regions", &known);
            UnknownRegion { file: self.file.clone(), region: region.to_owned(), help }
        })
    }
}

/// The prices in the text of a file.
///
/// # Errors
/// All faults of the file; at least one.
pub fn prices(file: &str, text: &str) -> Result<Prices, Vec<RuleError>> {
    let mut faults = Faults::new(file, text);
    let tariffs = tariffs(text, &mut faults);
    if faults.list.is_empty() && tariffs.is_empty() {
        let help = "Head the prices of some regions [[prices]]; infra/prices/lambda.toml is an \
                    example.";
        faults.add(0..0, Fault::MissingField { field: "prices", of: "the price file" }, help);
    }
    if faults.list.is_empty() {
        return Ok(Prices { file: file.to_owned(), tariffs });
    }
    faults.list.sort_by_key(|error| error.span.offset());
    Err(faults.list)
}

fn tariffs(text: &str, faults: &mut Faults) -> Vec<Tariff> {
    let mut all = Vec::new();
    let mut seen = BTreeMap::new();
    for node in tables(text, "prices", "a price file", faults) {
        let Some(table) = table("prices", &node, faults) else { continue };
        let Some((regions, tariff)) = entry(table, node.span(), faults) else { continue };
        for region in regions.value {
            if seen.insert(region.value.clone(), ()).is_some() {
                let fault = Fault::DuplicateRegion { region: region.value };
                faults.add(region.place, fault, "Keep one of them.");
                continue;
            }
            all.push(Tariff { region: region.value, ..tariff.clone() });
        }
    }
    all
}

/// The tables of a file that has one list of them, `[[field]]`.
fn tables<'t>(
    text: &'t str,
    field: &'static str,
    of: &'static str,
    faults: &mut Faults,
) -> Vec<toml::Spanned<toml::de::DeValue<'t>>> {
    if text.len() > FILE_BYTES_MAX {
        faults.add(0..0, Fault::TooLong { bytes: text.len() }, "Leave out what is not needed.");
        return Vec::new();
    }
    let Some(tree) = tree::parse(text, faults) else { return Vec::new() };
    let mut all = Vec::new();
    for (name, node) in in_file_order(tree.get_ref()) {
        if name.get_ref() != field {
            unknown_field(name.span(), name.get_ref(), of, &[field], faults);
            continue;
        }
        match node.get_ref().as_array() {
            Some(list) => all.extend(list.iter().cloned()),
            None => {
                wrong_type(field, "a list of tables, each with its head in [[…]]", node, faults)
            }
        }
    }
    all
}

/// Regions and their prices, under the name of none; `None` where there is a fault.
fn entry(
    table: &DeTable<'_>,
    place: Place,
    faults: &mut Faults,
) -> Option<(Placed<Vec<Text>>, Tariff)> {
    let before = faults.list.len();
    let (mut regions, mut request, mut storage) = (None, None, None);
    let (mut x86_64, mut arm64) = (None, None);
    for (name, node) in in_file_order(table) {
        match &**name.get_ref() {
            "regions" => regions = one_or_more("regions", node, faults),
            "request" => request = price("request", node, faults),
            "storage_gb_second" => storage = price("storage_gb_second", node, faults),
            "x86_64" => x86_64 = tiers("x86_64", node, faults),
            "arm64" => arm64 = tiers("arm64", node, faults),
            "page" | "seen" => drop(string(name.get_ref(), node, faults)),
            other => unknown_field(name.span(), other, "prices", &FIELDS, faults),
        }
    }
    for (field, there) in [
        ("regions", regions.is_some()),
        ("request", request.is_some()),
        ("storage_gb_second", storage.is_some()),
        ("x86_64", x86_64.is_some()),
        ("arm64", arm64.is_some()),
    ] {
        if !there && faults.list.len() == before {
            let help = "infra/prices/lambda.toml says what each field is, and is an example.";
            faults.add(place.clone(), Fault::MissingField { field, of: "the prices" }, help);
        }
    }
    if regions.as_ref().is_some_and(|regions| regions.value.is_empty()) {
        faults.add(place, Fault::EmptyText { field: "regions" }, "Name at least one region.");
    }
    let (request, storage) = (request?, storage?);
    let rates = |tiers| Rates { tiers, request, storage };
    let tariff = Tariff { region: String::new(), x86_64: rates(x86_64?), arm64: rates(arm64?) };
    (faults.list.len() == before).then_some((regions?, tariff))
}

fn tiers(field: &'static str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Vec<Tier>> {
    let Some(list) = node.get_ref().as_array() else {
        wrong_type(field, "a list of tiers, each { from = …, gb_second = … }", node, faults);
        return None;
    };
    let mut all: Vec<Tier> = Vec::new();
    for node in list.iter() {
        let (mut from, mut price_of) = (None, None);
        for (name, node) in in_file_order(table(field, node, faults)?) {
            match &**name.get_ref() {
                "from" => from = whole("from", node, faults),
                "gb_second" => price_of = price("gb_second", node, faults),
                other => {
                    unknown_field(name.span(), other, "a tier", &["from", "gb_second"], faults);
                }
            }
        }
        let (Some(from_gb_s), Some(price)) = (from, price_of) else {
            let help = "Write `{ from = 0, gb_second = 0.0000166667 }`.";
            let field = if from.is_none() { "from" } else { "gb_second" };
            if !faults.names(field) {
                faults.add(node.span(), Fault::MissingField { field, of: "the tier" }, help);
            }
            return None;
        };
        let follows = all.last().map_or(from_gb_s == 0, |last| last.from_gb_s < from_gb_s);
        if !follows {
            let help = "The first tier begins at 0, each further one at more than the one before.";
            faults.add(node.span(), Fault::TierOrder, help);
            return None;
        }
        all.push(Tier { from_gb_s, price });
    }
    if all.is_empty() {
        let help = "Give at least one tier, from 0.";
        faults.add(node.span(), Fault::TierOrder, help);
        return None;
    }
    Some(all)
}

/// A price: a number, or the same in quotes.
fn price(field: &'static str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Price> {
    let value = node.get_ref();
    let digits = value
        .as_float()
        .map(|float| float.as_str())
        .or_else(|| value.as_integer().map(|integer| integer.as_str()))
        .or_else(|| value.as_str());
    let Some(digits) = digits else {
        wrong_type(field, "a price", node, faults);
        return None;
    };
    let price = Price::parse(&digits.replace('_', ""));
    if price.is_none() {
        let help = "Write dollars with at most 12 decimals and no exponent, like 0.0000166667.";
        faults.add(node.span(), Fault::BadPrice { field, value: digits.to_owned() }, help);
    }
    price
}

/// A whole number that is not below 0.
pub(crate) fn whole(field: &'static str, node: Node<'_, '_>, faults: &mut Faults) -> Option<u64> {
    let number = node.get_ref().as_integer().filter(|number| number.radix() == 10);
    let number = number.and_then(|number| number.as_str().replace('_', "").parse().ok());
    if number.is_none() {
        wrong_type(field, "a whole number, not below 0", node, faults);
    }
    number
}
