//! The bill for people, as tables that README quotes, and for programs, as JSON.

use serde_json::{Map, Value, json};

use crate::cost::assumptions::*;
use crate::cost::prices::Prices;
use crate::cost::{Architecture, Bill, Fixed, Load, Million, Stream, Usage, bill, million, usage};

/// What is shown: GB of log text a day.
const SHOWN_GB: [f64; 2] = [1.0, 100.0];

/// What is shown for a million logins: writes of each, and when that is so.
const SHOWN_WRITES: [(f64, &str); 3] = [
    (ITEMS_PER_LOGIN, "3 writes each: the function remembers source, network and user"),
    (ITEMS_PER_LOGIN + 2.0, "5 writes each: every one opens a finding"),
    (2.0 * ITEMS_PER_LOGIN, "6 writes each: it remembers none of them, and the table does"),
];

/// Each row of a bill: its name and how it is read.
type Row = (&'static str, fn(&Bill) -> f64);

const ROWS: [Row; 8] = [
    ("stream (Kinesis)", |bill| bill.stream),
    ("function (Lambda, arm64)", |bill| bill.function),
    ("table (DynamoDB)", |bill| bill.table),
    ("findings (SNS)", |bill| bill.findings),
    ("the function's own log", |bill| bill.own_log),
    ("requests that come with time (S3, KMS, Secrets Manager)", |bill| bill.upkeep),
    ("fixed", |bill| bill.fixed.total()),
    ("**all**", Bill::total),
];

/// The tables, in Markdown.
pub fn markdown(prices: &Prices) -> String {
    let loads: Vec<Load> = SHOWN_GB
        .into_iter()
        .flat_map(|gb_per_day| {
            let load = |stream| Load { gb_per_day, stream, architecture: Architecture::Arm64 };
            [load(Stream::Provisioned), load(Stream::OnDemand)]
        })
        .collect();
    let bills: Vec<Bill> = loads.iter().map(|load| bill(load, prices)).collect();
    let used: Vec<Usage> = loads.iter().map(usage).collect();

    let mut text = String::from("| dollars a month |");
    for (load, used) in loads.iter().zip(&used) {
        let stream = match load.stream {
            Stream::Provisioned => format!("{} shard{}", used.shards, plural(used.shards)),
            Stream::OnDemand => "on demand".to_owned(),
        };
        text += &format!(" {} GB a day, {stream} |", load.gb_per_day);
    }
    text += &format!("\n|---|{}\n", "---:|".repeat(loads.len()));
    for (name, read) in ROWS {
        text += &format!("| {name} |");
        for bill in &bills {
            text += &format!(" {} |", dollars(read(bill)));
        }
        text.push('\n');
    }
    text += &fixed(&bills[0].fixed);
    text += &logins(prices);
    text += &sentences(prices, &used);
    text
}

fn fixed(fixed: &Fixed) -> String {
    let metrics = format!("{METRICS} metrics, if all are told all month");
    let alarms = format!("{ALARMS} alarms, one of them over {LOG_GROUPS} subscribed log groups");
    let rows = [
        ("a KMS key", fixed.key),
        ("a secret", fixed.secret),
        (metrics.as_str(), fixed.metrics),
        (alarms.as_str(), fixed.alarms),
        ("a dashboard", fixed.dashboard),
    ];
    let mut text = String::from("\n| fixed | dollars a month |\n|---|---:|\n");
    for (name, usd) in rows {
        text += &format!("| {name} | {} |\n", dollars(usd));
    }
    text
}

fn logins(prices: &Prices) -> String {
    let mut text = String::from(
        "\n| dollars for a million logins | table | function | stream on demand | all |\n\
         |---|---:|---:|---:|---:|\n",
    );
    for (writes, name) in SHOWN_WRITES {
        let Million { table, function, stream } = million(writes, prices);
        let cells = [table, function, stream, table + function + stream].map(dollars);
        text += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    text
}

fn sentences(prices: &Prices, used: &[Usage]) -> String {
    let ceiling = WRITE_CEILING * MONTH_SECONDS * prices.dynamodb_write_unit.usd;
    let [least, most] = SHOWN_GB;
    let ingest = |gb: f64| dollars(gb * MONTH_DAYS * prices.logs_ingest_gb.usd);
    let busiest = used.iter().map(|used| used.write_units / MONTH_SECONDS).fold(0.0, f64::max);
    let enough = match busiest > WRITE_CEILING {
        true => "; so much text needs a higher one",
        false => "",
    };
    format!(
        "\nAt {most} GB a day the table takes {busiest:.0} write units a second on average; `WriteCeiling` is \
         {WRITE_CEILING}\nunless you change it, which bounds the table's writes, and its index's, to about \
         ${} a month each{enough}.\nTaking the same text in costs at most ${} ({least} GB a day) or ${} ({most}) \
         in CloudWatch Logs, with or without\nTidewatch.\n",
        dollars(ceiling),
        ingest(least),
        ingest(most),
    )
}

/// The same as JSON, for both architectures, with what is used and the prices.
pub fn json(prices: &Prices) -> Value {
    let mut bills = Vec::new();
    for gb_per_day in SHOWN_GB {
        for (stream, stream_name) in
            [(Stream::Provisioned, "PROVISIONED"), (Stream::OnDemand, "ON_DEMAND")]
        {
            for (architecture, name) in
                [(Architecture::Arm64, "arm64"), (Architecture::X86, "x86_64")]
            {
                let load = Load { gb_per_day, stream, architecture };
                bills.push(one(&load, stream_name, name, prices));
            }
        }
    }
    let logins = SHOWN_WRITES.map(|(writes, _)| {
        let Million { table, function, stream } = million(writes, prices);
        json!({ "writes_each": writes, "table": table, "function": function, "stream": stream })
    });
    json!({ "currency": "USD", "month": bills, "million_logins": logins })
}

fn one(load: &Load, stream: &str, architecture: &str, prices: &Prices) -> Value {
    let (bill, used) = (bill(load, prices), usage(load));
    let rows: Map<String, Value> = [
        ("stream", bill.stream),
        ("function", bill.function),
        ("table", bill.table),
        ("findings", bill.findings),
        ("own_log", bill.own_log),
        ("upkeep", bill.upkeep),
        ("fixed", bill.fixed.total()),
        ("all", bill.total()),
    ]
    .into_iter()
    .map(|(name, usd)| (name.to_owned(), json!(usd)))
    .collect();
    json!({
        "gb_per_day": load.gb_per_day,
        "stream_mode": stream,
        "architecture": architecture,
        "dollars": rows,
        "uses": {
            "shards": used.shards,
            "records": used.records,
            "stream_gb": used.stream_gb,
            "logins": used.logins,
            "invocations": used.invocations,
            "gb_seconds": used.gb_seconds,
            "write_units": used.write_units,
            "table_gb": used.table_gb,
        },
    })
}

fn plural(n: f64) -> &'static str {
    if n == 1.0 { "" } else { "s" }
}

/// Dollars and cents, thousands apart.
fn dollars(usd: f64) -> String {
    let cents = (usd * 100.0).round() as u64;
    let (whole, cents) = (cents / 100, cents % 100);
    match whole {
        0..1_000 => format!("{whole}.{cents:02}"),
        _ => format!("{},{:03}.{cents:02}", whole / 1_000, whole % 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_two_decimals() {
        for (usd, text) in
            [(0.0, "0.00"), (0.005, "0.01"), (999.994, "999.99"), (1_020.5, "1,020.50")]
        {
            assert_eq!(dollars(usd), text);
        }
    }
}
