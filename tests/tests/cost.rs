//! What is said about cost: README and docs/aws.md quote what is calculated, and the calculation repeats what the template,
//! the code and README's benchmark say.

use std::process::Command;

use tidewatch_tests::binary::root;
use tidewatch_tests::cost::assumptions::*;
use tidewatch_tests::cost::prices::Prices;
use tidewatch_tests::cost::{Architecture, Load, Stream, bill, million, report, usage};

fn prices() -> Prices {
    Prices::listed().expect("infra/prices.toml")
}

fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn load(gb_per_day: f64, stream: Stream) -> Load {
    Load { gb_per_day, stream, architecture: Architecture::Arm64 }
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < expected.abs() * 1e-3, "{found} is not {expected}");
}

#[test]
fn readme_quotes_what_is_calculated() {
    let readme = file("docs/aws.md");
    let (_, after) =
        readme.split_once("<!-- cost -->\n").expect("docs/aws.md has the mark <!-- cost -->");
    let (quoted, _) = after.split_once("<!-- /cost -->").expect("and <!-- /cost -->");
    let calculated = report::markdown(&prices());
    assert!(
        quoted == calculated,
        "docs/aws.md quotes other costs than `cargo run -p tidewatch-tests --bin cost` prints:\n{calculated}"
    );
}

#[test]
fn readme_tells_the_smallest_and_the_largest_bill() {
    let calculated = report::markdown(&prices());
    let all = calculated.lines().find(|line| line.starts_with("| **all** |")).expect("a total");
    let totals: Vec<&str> = all.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let readme = file("README.md");
    for total in [totals[1], totals[totals.len() - 1]] {
        assert!(readme.contains(&format!("${total}")), "README does not tell ${total}");
    }
}

#[test]
fn the_command_prints_the_tables_and_the_same_as_json() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cost")).args(arguments).output();
        output.expect("the command starts")
    };
    let tables = run(&[]);
    assert!(tables.status.success());
    assert_eq!(String::from_utf8_lossy(&tables.stdout), report::markdown(&prices()));
    let json = run(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let all = &json["month"][0]["dollars"]["all"];
    let bill = bill(&load(1.0, Stream::Provisioned), &prices());
    near(all.as_f64().expect("a number"), bill.total());
    assert_eq!(run(&["--yaml"]).status.code(), Some(2));
}

#[test]
fn every_price_says_where_it_comes_from() {
    let text = file("infra/prices.toml");
    let table: toml::Table = text.parse().expect("TOML");
    assert!(table.len() > 20, "only {} prices", table.len());
    for (name, price) in &table {
        let usd = price["usd"].as_float().unwrap_or_else(|| panic!("{name} has no number"));
        assert!((0.0..=10.0).contains(&usd), "{name}: {usd}");
        let text = |field: &str| price[field].as_str().unwrap_or_default();
        assert!(text("page").starts_with("https://aws.amazon.com/"), "{name} names no page of AWS");
        assert!(!text("unit").is_empty() && text("seen").contains("20"), "{name} has no date");
    }
}

/// The default of a parameter of the template.
fn default_of(template: &str, parameter: &str) -> f64 {
    let (_, after) = template.split_once(&format!("\n  {parameter}:\n")).expect(parameter);
    let (_, after) = after.split_once("Default: ").expect(parameter);
    let value = after.lines().next().unwrap_or_default();
    value.trim_matches('"').parse().expect(parameter)
}

#[test]
fn the_assumptions_are_those_of_the_template() {
    let template = file("infra/template.yaml");
    for (parameter, assumed) in [
        ("BatchingWindowSeconds", WINDOW_SECONDS),
        ("Memory", MEMORY_MB),
        ("WriteCeiling", WRITE_CEILING),
        ("LogRetentionDays", LOG_DAYS),
    ] {
        assert_eq!(default_of(&template, parameter), assumed, "{parameter}");
    }
    assert!(template.contains(&format!("\n      BatchSize: {BATCH_RECORDS}\n")));
    assert!(template.contains("\n      ScheduleExpression: rate(1 minute)\n"));
    for kind in ["AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::CloudWatch::Dashboard"] {
        assert_eq!(template.matches(&format!("Type: {kind}\n")).count(), 1, "{kind}");
    }

    let (_, alarms) = template.split_once("# ---- Alarms").expect("the alarms");
    let (alarms, _) = alarms.split_once("# ----").expect("their end");
    let queries = alarms.matches("SELECT ").count() as f64;
    let alone = alarms.matches("\n      MetricName: ").count() as f64;
    let added_up = alarms.matches("MetricStat:").count() as f64;
    assert_eq!(alarms.matches("Type: AWS::CloudWatch::Alarm").count() as f64, ALARMS);
    assert_eq!((queries, added_up), (ALARM_QUERIES, TABLE_ALARM_METRICS));
    assert_eq!(alone + added_up, ALARM_METRICS);
}

#[test]
fn the_assumptions_are_those_of_the_code() {
    let metrics = file("crates/lambda/src/metrics.rs");
    assert!(metrics.contains(&format!("pub const ALL: [Metric; {METRICS}]")));
    let settings = file("crates/lambda/src/settings.rs");
    let minutes = |name: &str, seconds: f64| {
        let line = format!("pub const {name}: Span = Span::minutes({});", seconds / 60.0);
        assert!(settings.contains(&line), "not in settings.rs: {line}");
    };
    minutes("OVERRIDES_REREAD", OVERRIDES_SECONDS);
    minutes("SECRET_REREAD", SECRET_SECONDS);
    let partitions = tidewatch_core::table_store::table::FUNCTION_PARTITIONS.end;
    assert_eq!(f64::from(partitions), INDEX_PARTITIONS);
    let store = tidewatch_core::table_store::store::Settings::default();
    assert_eq!(store.concurrency as f64, REQUESTS_AT_ONCE);
}

#[test]
fn the_assumptions_are_those_of_the_benchmark() {
    let readme = file("README.md");
    assert!(readme.contains(&format!(
        "| Tidewatch, one detector (20 unknown names in 300 s) | {BENCH_CPU_SECONDS} |"
    )));
    assert!(readme.contains(&format!("{BENCH_MB} MB inflated")));
    assert!(readme.contains(&format!("{} million JSON logins", BENCH_LINES / 1e6)));
}

#[test]
fn a_bill_is_what_a_pocket_calculator_says() {
    let prices = prices();
    // A GB a day: 30.417 GB a month, at 29,250 bytes a record 1,116,569 records, one shard.
    let used = usage(&load(1.0, Stream::Provisioned));
    near(used.records, 1_116_569.0);
    near(used.logins, 3_349_707.0);
    near(used.write_units, 20_098_244.0);
    assert_eq!(used.shards, 1.0);
    let small = bill(&load(1.0, Stream::Provisioned), &prices);
    near(small.stream, 730.0 * 0.015 + 1.116569 * 0.014);
    // 20.1 million writes; 350,400 index queries at half a unit; 0.37 GB.
    near(small.table, 20.098244 * 0.625 + 0.175_2 * 0.125 + 3.0 * 0.1231 * 0.25);
    // 4,643 bytes a record, billed as 5,120.
    let large = bill(&load(100.0, Stream::OnDemand), &prices);
    near(large.stream, 730.0 * 0.04 + 111_656_913.0 * 5_120.0 / 1_073_741_824.0 * 0.12);
    near(large.fixed.total(), 1.0 + 0.4 + 9.0 + 2.6 + 3.0);
    near(million(2.0, &prices).table, 1.25);
}

#[test]
fn more_logs_never_cost_less_and_arm64_costs_less() {
    let prices = prices();
    for stream in [Stream::Provisioned, Stream::OnDemand] {
        let totals: Vec<f64> = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0]
            .map(|gb| bill(&load(gb, stream), &prices).total())
            .to_vec();
        assert!(totals.is_sorted(), "{stream:?}: {totals:?}");
    }
    let arm64 = load(100.0, Stream::OnDemand);
    let x86 = Load { architecture: Architecture::X86, ..arm64 };
    assert!(bill(&arm64, &prices).function < bill(&x86, &prices).function);
}

#[test]
fn the_bill_counts_by_the_same_prices_of_lambda() {
    let (name, text) = tidewatch_rules::prices::shipped_prices();
    let prices = tidewatch_rules::prices::prices(&name, &text).expect("the shipped prices");
    let region = prices.region("us-east-1").expect("a region");
    let listed = Prices::listed().expect("infra/prices.toml");
    for (price, listed) in [
        (region.x86_64.list(), listed.lambda_gb_second_x86_64),
        (region.arm64.list(), listed.lambda_gb_second_arm64),
        (region.x86_64.request, listed.lambda_request.clone()),
        (region.arm64.request, listed.lambda_request),
    ] {
        assert_eq!(price.decimal().parse(), Ok(listed.usd), "{}", listed.unit);
    }
}
