//! Scores series on a folder laid out like Microsoft's cloud-monitoring-dataset:
//! `cargo run --release -p tidewatch-tests --bin monitoring -- DIR [--json] [--floor N]`.
//! What is scored, and how, is in tests/src/monitoring.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use tidewatch_tests::monitoring::{Outcome, SETTINGS, read, score};

/// Scores series on a folder laid out like Microsoft's cloud-monitoring-dataset.
#[derive(Parser)]
struct Arguments {
    /// A folder with FOLDER/FILE.csv.
    folder: PathBuf,
    /// How many false episodes paging may open in 1,000 rows of series without labels.
    #[arg(long, default_value_t = 0.3)]
    floor: f64,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let all = match read(&arguments.folder) {
        Ok(all) => all,
        Err(error) => {
            eprintln!("monitoring: {error}");
            return ExitCode::from(2);
        }
    };
    let mut documents = Vec::new();
    let mut paging = 0.0;
    for (name, settings) in &SETTINGS {
        let scored: Vec<_> = all.iter().map(|series| (series, score(series, settings))).collect();
        let sum = |with: &dyn Fn(&str, &Outcome) -> bool| {
            let some = scored.iter().filter(|(series, outcome)| with(&series.name, outcome));
            some.fold(Outcome::default(), |sum, (_, outcome)| sum.and(outcome))
        };
        let mut folders: Vec<&str> = all.iter().filter_map(|s| s.name.split('/').next()).collect();
        folders.dedup();
        let mut lines: Vec<(String, Outcome)> = vec![
            ("all".to_owned(), sum(&|_, _| true)),
            ("without labels".to_owned(), sum(&|_, outcome| outcome.segments == 0)),
        ];
        paging = lines[1].1.wrong_per_1000();
        lines.extend(folders.into_iter().map(|folder| {
            (folder.to_owned(), sum(&|name, _| name.split('/').next() == Some(folder)))
        }));
        if !arguments.json {
            table(name, &lines);
        }
        documents
            .push(json!({ "setting": name, "lines": lines.iter().map(line).collect::<Vec<_>>() }));
    }
    if arguments.json {
        println!("{:#}", json!(documents));
    }
    if paging > arguments.floor {
        eprintln!("monitoring: {paging:.2} false episodes in 1,000 rows without labels");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn table(setting: &str, lines: &[(String, Outcome)]) {
    println!(
        "{setting:<40} {:>8} {:>9} {:>6} {:>6} {:>5} {:>5} {:>6} {:>10}",
        "rows", "segments", "recall", "prec.", "F1", "delay", "wrong", "in 1,000"
    );
    for (name, outcome) in lines {
        let delay = outcome.delay().map_or("-".to_owned(), |rows| rows.to_string());
        println!(
            "{name:<40} {:>8} {:>9} {:>6.3} {:>6.3} {:>5.3} {delay:>5} {:>6} {:>10.2}",
            outcome.rows,
            outcome.segments,
            outcome.recall(),
            outcome.precision(),
            outcome.f1(),
            outcome.wrong,
            outcome.wrong_per_1000(),
        );
    }
    println!();
}

fn line((name, outcome): &(String, Outcome)) -> serde_json::Value {
    json!({
        "of": name, "rows": outcome.rows, "segments": outcome.segments, "found": outcome.found,
        "recall": outcome.recall(), "precision": outcome.precision(), "f1": outcome.f1(),
        "delay_rows": outcome.delay(), "wrong": outcome.wrong,
        "wrong_per_1000_rows": outcome.wrong_per_1000(),
    })
}
