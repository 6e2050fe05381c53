//! A bill by who drove it: by principal, API key, source or route, as far as lines about requests name them.
//!
//! Usernames are kept as tags. Whoever has a list of the names sees them in the bill, and nobody else does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_core::meter::attribution::{DriverKind, DriverName, OfKind};
use tidewatch_core::meter::ledger::Ledger;
use tidewatch_core::meter::money::Money;
use tidewatch_core::tag::UserTag;
use tidewatch_ingest::username::Naming;

use crate::args::BillBy;
use crate::lines::Lines;
use crate::pricing::Pricing;
use crate::summary::grouped;

/// Rows of a table; CSV and JSON have all.
const ROWS_SHOWN_MAX: usize = 30;

/// What a bill of drivers is by; `None` of one by function or hour.
pub(super) fn kind(by: BillBy) -> Option<DriverKind> {
    match by {
        BillBy::Function | BillBy::Hour => None,
        BillBy::Principal => Some(DriverKind::Principal),
        BillBy::ApiKey => Some(DriverKind::ApiKey),
        BillBy::Source => Some(DriverKind::Source),
        BillBy::Route => Some(DriverKind::Route),
    }
}

/// A list of names.
pub(super) struct Named(Vec<String>);

impl Named {
    /// The names in the file of `--users`.
    pub(super) fn read(path: Option<&Path>, kind: Option<DriverKind>) -> Result<Named> {
        let Some(path) = path else { return Ok(Named(Vec::new())) };
        if !matches!(kind, Some(DriverKind::Principal | DriverKind::ApiKey)) {
            bail!("--users goes with --by principal and --by api-key");
        }
        let named = || format!("--users {}", path.display());
        let mut lines = Lines::open(path).with_context(named)?;
        let mut names = Vec::new();
        while let Some(line) = lines.next().with_context(named)? {
            if !line.is_empty() {
                names.push(line.into_owned());
            }
        }
        Ok(Named(names))
    }

    /// The names by their tags.
    pub(super) fn tagged(self, naming: Naming) -> BTreeMap<UserTag, String> {
        self.0.into_iter().map(|name| (naming.tag(&name), name)).collect()
    }
}

/// A bill by driver.
pub(super) struct Bill {
    kind: DriverKind,
    region: String,
    rows: Vec<Row>,
    /// What all invocations cost.
    total: Money,
    /// What of it somebody is named for.
    named: Money,
    /// How much more a row may be than it says.
    error: Money,
}

struct Row {
    name: String,
    cost: Money,
    requests: u64,
    bytes_out: u64,
}

impl Bill {
    /// The bill of what is known of drivers.
    pub(super) fn of(
        ledger: &Ledger,
        drivers: &OfKind,
        kind: DriverKind,
        pricing: &Pricing,
        named: &BTreeMap<UserTag, String>,
    ) -> Bill {
        let functions = ledger.functions();
        let costs = functions.map(|(function, book)| {
            pricing.tariff.cost(&book.whole.sums, pricing.terms(&function.name))
        });
        let others = ledger
            .others()
            .map(|(book, _)| pricing.tariff.cost(&book.whole.sums, pricing.otherwise));
        let rows = drivers.dearest(usize::MAX).into_iter().map(|attributed| Row {
            name: shown(&attributed.name, named),
            cost: attributed.cost,
            requests: drivers.requests_of(&attributed.name),
            bytes_out: drivers.bytes_of(&attributed.name),
        });
        Bill {
            kind,
            region: pricing.tariff.region.clone(),
            rows: rows.collect(),
            total: costs.chain(others).sum(),
            named: drivers.cost(),
            error: drivers.error(),
        }
    }

    fn share(&self, cost: Money) -> f64 {
        let share = cost.dollars() / self.total.dollars();
        if share.is_finite() { share } else { 0.0 }
    }

    /// For a person.
    pub(super) fn text(&self, given_up: u64) -> String {
        let mut text = String::new();
        let kind = self.kind.name();
        let share = self.share(self.named) * 100.0;
        let _ = writeln!(
            text,
            "${}, list prices of {}; {share:.1} % of it is named by a {kind}\n",
            self.total.decimal(4),
            self.region
        );
        let shown = &self.rows[..self.rows.len().min(ROWS_SHOWN_MAX)];
        let width = shown.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let width = width.max(kind.len());
        let _ = writeln!(
            text,
            "{kind:<width$}  {:>12}  {:>7}  {:>12}  {:>14}",
            "dollars", "share", "requests", "bytes out"
        );
        for Row { name, cost, requests, bytes_out } in shown {
            let _ = writeln!(
                text,
                "{name:<width$}  {:>12}  {:>5.1} %  {:>12}  {:>14}",
                cost.decimal(4),
                self.share(*cost) * 100.0,
                grouped(*requests),
                grouped(*bytes_out)
            );
        }
        if self.rows.is_empty() {
            let _ = writeln!(text, "no line about a request names a {kind}");
        }
        if self.rows.len() > shown.len() {
            let _ = writeln!(text, "and {} more", grouped((self.rows.len() - shown.len()) as u64));
        }
        let error = match self.error {
            Money::ZERO => "rows are exact".to_owned(),
            error => {
                format!("each row is at least so much, and at most ${} more", error.decimal(4))
            }
        };
        let _ = writeln!(
            text,
            "\n{error}; a request's cost is that of the invocation whose id it names"
        );
        if given_up > 0 {
            let _ = writeln!(text, "{} requests were not waited for any longer", grouped(given_up));
        }
        text
    }

    /// Comma-separated.
    pub(super) fn csv(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let Row { name, cost, requests, bytes_out } = row;
            [name.clone(), cost.decimal(12), requests.to_string(), bytes_out.to_string()].to_vec()
        });
        let header = [self.kind.name(), "dollars", "requests", "bytes_out"].map(str::to_owned);
        super::tables::written(std::iter::once(header.to_vec()).chain(rows))
    }

    /// One object.
    pub(super) fn json(&self) -> Value {
        let dollars = super::tables::dollars;
        let rows = self.rows.iter().map(|row| {
            json!({
                self.kind.name(): row.name, "dollars": dollars(row.cost), "share": self.share(row.cost),
                "requests": row.requests, "bytes_out": row.bytes_out,
            })
        });
        json!({
            "region": self.region, "by": self.kind.name(), "rows": rows.collect::<Vec<Value>>(),
            "dollars": dollars(self.total), "dollars_named": dollars(self.named),
            "dollars_error": dollars(self.error),
        })
    }
}

fn shown(name: &DriverName, named: &BTreeMap<UserTag, String>) -> String {
    match name {
        DriverName::Tag(tag) => match named.get(tag) {
            Some(name) => printable(name).into_owned(),
            None => format!("tag:{:016x}", tag.0),
        },
        DriverName::Address(address) => address.to_string(),
        DriverName::Route(route) => printable(route).into_owned(),
    }
}
