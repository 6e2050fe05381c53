//! A bill for programs: CSV, and JSON. Dollars have twelve decimals.

use serde_json::{Map, Value, json};
use tidewatch_alert::rfc3339;
use tidewatch_core::meter::advice::Advice;
use tidewatch_core::meter::durations::ERROR;
use tidewatch_core::meter::money::{MB_MS_PER_GB_S, Money};

use super::budgets::Columns;
use super::rows::{Bill, Label, Row};
use crate::args::BillBy;
use crate::pricing::Pricing;

/// Decimals of dollars.
const PLACES: u32 = 12;

/// A value of a row.
enum Cell {
    Text(String),
    Number(Value),
    /// In CSV with all its places; in JSON a number, which readers take for a binary fraction.
    Dollars(Money),
    Missing,
}

/// One object.
pub(super) fn json(bill: &Bill, pricing: &Pricing) -> Value {
    let object = |row: &Row| -> Value {
        let cells = cells(bill, row).into_iter();
        let fields = cells.map(|(name, cell)| {
            let value = match cell {
                Cell::Text(text) => Value::from(text),
                Cell::Number(number) => number,
                Cell::Dollars(money) => dollars(money),
                Cell::Missing => Value::Null,
            };
            (name.to_owned(), value)
        });
        let mut object: Map<String, Value> = fields.collect();
        if let Label::Function(label) = &row.label {
            let versions = label.versions.iter();
            let versions =
                versions.map(|(name, at)| json!({"version": name, "from": rfc3339(*at)}));
            object.insert("versions".to_owned(), versions.collect());
            let told = pricing.told.contains_key(&*label.function.name);
            object.insert("runs_on_by".to_owned(), json!(if told { "lambda" } else { "options" }));
            object.insert("untold_dollars_an_hour_max".to_owned(), json!(label.quiet_max));
        }
        Value::Object(object)
    };
    let months = bill.months.iter().map(|month| {
        json!({
            "month": format!("{}-{:02}", month.year, month.month),
            "architecture": month.architecture.name(),
            "gb_seconds": gb_seconds(month.mb_ms),
            "duration_dollars_list": dollars(month.list),
            "duration_dollars_tiered": dollars(month.tiered),
            "marginal_dollars_per_gb_second": month.marginal.decimal(),
        })
    });
    json!({
        "region": pricing.tariff.region,
        "prices": pricing.file,
        "from": bill.span.map(|(first, _)| rfc3339(first)),
        "until": bill.span.map(|(_, last)| rfc3339(last)),
        "by": if bill.by == BillBy::Hour { "hour" } else { "function" },
        "rows": bill.rows.iter().map(object).collect::<Vec<Value>>(),
        "total": object(&bill.all),
        "months": months.collect::<Vec<Value>>(),
        "functions_counted_together": bill.others,
        "invocations_in_no_percentile": bill.without_duration,
        "percentile_error": ERROR,
    })
}

/// Comma-separated, a line a row; of functions with how far along budgets are.
pub(super) fn csv(bill: &Bill, budgets: &Columns<'_>) -> String {
    let header = cells(bill, bill.rows.first().unwrap_or(&bill.all));
    let mut names = header.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    names.extend(budgets.names());
    let values = bill.rows.iter().map(|row| {
        let value = |(_, cell): (&str, Cell)| match cell {
            Cell::Text(text) => text,
            Cell::Number(number) => number.to_string(),
            Cell::Dollars(money) => money.decimal(PLACES),
            Cell::Missing => String::new(),
        };
        let function = match &row.label {
            Label::Function(of) => Some(&of.function),
            Label::Others | Label::All | Label::Hour(_) => None,
        };
        let cells = cells(bill, row).into_iter().map(value);
        cells.chain(budgets.cells(function)).collect::<Vec<_>>()
    });
    written(std::iter::once(names).chain(values))
}

/// Records as CSV.
pub(super) fn written(records: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for mut record in records {
        for cell in &mut record {
            // A spreadsheet takes what begins like a formula for one.
            if cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err() {
                cell.insert(0, '\'');
            }
        }
        writer.write_record(&record).expect("memory takes any bytes");
    }
    let bytes = writer.into_inner().expect("memory takes any bytes");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A number of dollars.
pub(super) fn dollars(money: Money) -> Value {
    money.decimal(PLACES).parse::<f64>().map_or(Value::Null, Value::from)
}

fn gb_seconds(mb_ms: u128) -> f64 {
    mb_ms as f64 / MB_MS_PER_GB_S as f64
}

fn cells(bill: &Bill, row: &Row) -> Vec<(&'static str, Cell)> {
    let sums = &row.pane.sums;
    let endings = sums.endings();
    let number = |number: u64| Cell::Number(Value::from(number));
    let money = |money: Option<Money>| money.map_or(Cell::Missing, Cell::Dollars);
    let ms = |at: f64| match row.quantile_ms(at) {
        Some(ms) => Cell::Number(Value::from((ms * 1e3).round() / 1e3)),
        None => Cell::Missing,
    };
    let mut cells = label(&row.label, bill.by);
    cells.extend([
        ("dollars", money(Some(row.dollars))),
        ("dollars_a_month", money(bill.a_month(row.dollars))),
        ("wasted_dollars", money(Some(row.wasted))),
        ("invocations", number(sums.invocations)),
        ("billed_ms", number(sums.billed_ms)),
        ("gb_seconds", Cell::Number(Value::from(gb_seconds(sums.mb_ms.into())))),
        ("p50_ms", ms(0.5)),
        ("p95_ms", ms(0.95)),
        ("p99_ms", ms(0.99)),
        ("cold_starts", number(sums.cold_starts)),
        ("cold_ms", number(sums.cold_us / 1_000)),
        ("timeouts", number(endings.timeouts)),
        ("errors", number(endings.errors)),
        ("out_of_memory", number(endings.out_of_memory)),
        ("failed_starts", number(sums.failed_starts)),
        ("memory_mb", number(sums.memory_mb_max.into())),
        ("used_mb", number(sums.used_mb_max.into())),
    ]);
    if bill.by == BillBy::Function {
        cells.extend(advice(bill, &row.label));
    }
    cells
}

/// What a row is about, by its fields.
fn label(label: &Label, by: BillBy) -> Vec<(&'static str, Cell)> {
    let text = |text: &str| Cell::Text(text.to_owned());
    if by == BillBy::Hour {
        let hour =
            if let Label::Hour(time) = label { text(&rfc3339(*time)) } else { Cell::Missing };
        return vec![("hour", hour)];
    }
    let [function, account, architecture, storage] = match label {
        Label::Function(of) => [
            text(&of.function.name),
            text(&of.function.account),
            text(of.terms.architecture.name()),
            Cell::Number(Value::from(of.terms.storage_mb)),
        ],
        Label::Others => {
            [text("(all further functions)"), Cell::Missing, Cell::Missing, Cell::Missing]
        }
        Label::All | Label::Hour(_) => [const { Cell::Missing }; 4],
    };
    vec![
        ("function", function),
        ("account", account),
        ("architecture", architecture),
        ("storage_mb", storage),
    ]
}

fn advice(bill: &Bill, label: &Label) -> [(&'static str, Cell); 3] {
    let advice = if let Label::Function(label) = label { Some(label.advice) } else { None };
    let mb = |mb: u16| Cell::Number(Value::from(mb));
    let (advised, saving, risk) = match advice {
        Some(Advice::Lower { to_mb, saving, risk }) => {
            let saving = bill.a_month(saving).map_or(Cell::Missing, Cell::Dollars);
            (mb(to_mb), saving, Cell::Text(risk.name().to_owned()))
        }
        Some(Advice::Raise { to_mb }) => {
            (mb(to_mb), Cell::Missing, Cell::Text("killed".to_owned()))
        }
        Some(Advice::Fits | Advice::TooFew) | None => (Cell::Missing, Cell::Missing, Cell::Missing),
    };
    [("advised_mb", advised), ("saving_dollars_a_month", saving), ("advice_risk", risk)]
}
