//! The rows of a bill, with their dollars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidewatch_core::meter::advice::{Advice, advise};
use tidewatch_core::meter::book::Book;
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::meter::money::{Money, Price};
use tidewatch_core::meter::panes::Pane;
use tidewatch_core::meter::sums::Sums;
use tidewatch_core::meter::tariff::{Architecture, Terms};
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::watch::Watch;
use tidewatch_core::time::{Span, Time};

use crate::args::BillBy;
use crate::pricing::Pricing;

/// The shortest log of which a month is told.
const PROJECTED_FROM: Span = Span::minutes(60);

/// A month, as AWS reckons prices a month: 730 hours.
const MONTH: Span = Span::minutes(730 * 60);

/// All of a bill.
pub(crate) struct Bill {
    pub by: BillBy,
    pub rows: Vec<Row>,
    /// Everything together.
    pub all: Row,
    /// The first and the last line that was counted.
    pub span: Option<(Time, Time)>,
    /// What was counted together, and about how many functions it is of.
    pub others: Option<u64>,
    /// Reports that percentiles leave out.
    pub without_duration: u64,
    pub months: Vec<Month>,
}

/// One line of it.
pub(crate) struct Row {
    pub label: Label,
    pub pane: Pane,
    pub dollars: Money,
    /// Of these, for invocations that failed.
    pub wasted: Money,
}

/// What a row is about.
pub(crate) enum Label {
    /// Everything.
    All,
    /// Functions beyond the limits, together.
    Others,
    Function(FunctionLabel),
    Hour(Time),
}

/// A function, and what is told of it besides its sums.
pub(crate) struct FunctionLabel {
    pub function: Function,
    pub terms: Terms,
    pub advice: Advice,
    /// Dollars an hour above which `cost-spike` tells for certain; nothing of a log that is too short.
    pub quiet_max: Option<f64>,
    /// Its versions and when each was first seen.
    pub versions: Vec<(String, Time)>,
}

/// What all functions on one architecture had in a calendar month, UTC.
pub(crate) struct Month {
    pub year: i16,
    pub month: i8,
    pub architecture: Architecture,
    pub mb_ms: u128,
    /// Duration at list prices.
    pub list: Money,
    /// The same by the month's tiers.
    pub tiered: Money,
    /// What the next GB-second costs.
    pub marginal: Price,
}

impl Bill {
    /// The bill of what was watched.
    pub fn of(watch: &Watch, pricing: &Pricing, by: BillBy) -> Bill {
        let ledger = watch.ledger();
        let floor = spike_floor();
        let quiet_max = |function: &Function| watch.quiet_max(function, floor?);
        let functions = ledger.functions();
        let apart = functions.map(|(function, book)| {
            let terms = pricing.terms(&function.name);
            (Some(function), terms, book)
        });
        let others = ledger.others();
        let together = others.map(|(book, _)| (None, pricing.otherwise, book));
        let books: Vec<_> = apart.chain(together).collect();
        let mut all = Row::empty(Label::All);
        let mut months = BTreeMap::new();
        for (_, terms, book) in &books {
            all.add(&book.whole, pricing, *terms);
            for (time, pane) in book.coarse.all() {
                let sum: &mut u128 = months.entry((month(time), terms.architecture)).or_default();
                *sum += u128::from(pane.sums.mb_ms);
            }
        }
        let rows = match by {
            BillBy::Hour => hours_of(&books, pricing),
            _ => functions_of(&books, pricing, quiet_max),
        };
        let first = books.iter().map(|(_, _, book)| book.first).min();
        let last = books.iter().map(|(_, _, book)| book.last).max();
        Bill {
            by,
            rows,
            all,
            span: first.zip(last),
            others: others.map(|(_, names)| names),
            without_duration: ledger.without_duration(),
            months: months.into_iter().map(|(of, mb_ms)| priced(of, mb_ms, pricing)).collect(),
        }
    }

    /// What an amount of the bill makes in a month, if it goes on; `None` of a log that is too short.
    pub fn a_month(&self, dollars: Money) -> Option<Money> {
        let (first, last) = self.span?;
        let span = u64::try_from(last.0 - first.0).ok()?;
        let whole = u64::try_from(MONTH.0).ok()?;
        (span >= PROJECTED_FROM.0.unsigned_abs()).then(|| dollars.scaled(whole, span))
    }
}

type Books<'a> = [(Option<Function>, Terms, &'a Book)];

/// From how many dollars an hour above usual on `cost-spike` tells.
fn spike_floor() -> Option<f64> {
    let shipped = tidewatch_rules::load_spending(tidewatch_rules::shipped()).ok()?;
    shipped.iter().find(|detector| detector.id == "cost-spike").map(SpendDetector::floor)
}

fn functions_of(
    books: &Books<'_>,
    pricing: &Pricing,
    quiet_max: impl Fn(&Function) -> Option<f64>,
) -> Vec<Row> {
    let rows = books.iter().map(|(function, terms, book)| {
        let label = match function {
            None => Label::Others,
            Some(function) => Label::Function(FunctionLabel {
                function: function.clone(),
                quiet_max: quiet_max(function),
                terms: *terms,
                advice: advise(&book.whole.sums, &pricing.tariff, *terms),
                versions: book.versions().iter().map(|(n, at)| ((*n).to_owned(), *at)).collect(),
            }),
        };
        let mut row = Row::empty(label);
        row.add(&book.whole, pricing, *terms);
        row
    });
    let mut rows: Vec<Row> = rows.collect();
    // The dearest first; equal ones stay in the order of their names.
    rows.sort_by_key(|row| std::cmp::Reverse(row.dollars));
    rows
}

fn hours_of(books: &Books<'_>, pricing: &Pricing) -> Vec<Row> {
    let mut hours: BTreeMap<Time, Row> = BTreeMap::new();
    for (_, terms, book) in books {
        for (time, pane) in book.coarse.all() {
            let row = hours.entry(time).or_insert_with(|| Row::empty(Label::Hour(time)));
            row.add(pane, pricing, *terms);
        }
    }
    hours.into_values().collect()
}

impl Row {
    fn empty(label: Label) -> Row {
        Row { label, pane: Pane::default(), dollars: Money::ZERO, wasted: Money::ZERO }
    }

    fn add(&mut self, pane: &Pane, pricing: &Pricing, terms: Terms) {
        let Sums { failed, failed_ms, failed_mb_ms, .. } = pane.sums;
        let rates = pricing.tariff.rates(terms.architecture);
        self.pane.add(pane);
        self.dollars += pricing.tariff.cost(&pane.sums, terms);
        self.wasted += rates.cost(failed, failed_mb_ms, failed_ms, terms);
    }

    /// The milliseconds that this share of invocations does not exceed.
    pub fn quantile_ms(&self, at: f64) -> Option<f64> {
        self.pane.durations.quantile(at).map(|us| us / 1e3)
    }
}

fn month(time: Time) -> (i16, i8) {
    let timestamp = Timestamp::from_millisecond(time.0).unwrap_or_default();
    let date = timestamp.to_zoned(TimeZone::UTC).date();
    (date.year(), date.month())
}

fn priced(
    ((year, month), architecture): ((i16, i8), Architecture),
    mb_ms: u128,
    pricing: &Pricing,
) -> Month {
    let rates = pricing.tariff.rates(architecture);
    Month {
        year,
        month,
        architecture,
        mb_ms,
        list: Money::of_mb_ms(mb_ms, rates.list()),
        tiered: rates.tiered(mb_ms),
        marginal: rates.marginal(mb_ms),
    }
}
