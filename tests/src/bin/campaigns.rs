//! Scores the shipped detectors on simulated days:
//! `cargo run --release -p tidewatch-tests --bin campaigns -- [--days N] [--seed S] [--logins-per-day N] [--json]`.
//! What is simulated, and how it is scored, is in tests/src/campaigns.

use std::process::ExitCode;

use clap::Parser;
use tidewatch_tests::campaigns::{Run, run, table};

/// Scores the shipped detectors on simulated days with planted attacks and planted innocents.
#[derive(Parser)]
struct Arguments {
    /// How many days.
    #[arg(long, default_value_t = 20)]
    days: u64,
    /// The first day's seed; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Logins customers make in a day.
    #[arg(long, default_value_t = 1_000_000)]
    logins_per_day: u64,
    /// By how much all thresholds are multiplied, in turn; shares stay.
    #[arg(long, value_delimiter = ',', default_value = "0.8,1,1.2")]
    scales: Vec<f64>,
    /// Write log lines and read them, instead of handing signals over.
    #[arg(long)]
    bytes: bool,
    /// Detectors from this folder, not the shipped ones.
    #[arg(long)]
    detectors: Option<std::path::PathBuf>,
    /// Days at a time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let files = match arguments.detectors.as_deref().map(files) {
        None => tidewatch_rules::shipped(),
        Some(Ok(files)) => files,
        Some(Err(error)) => {
            eprintln!("campaigns: {error}");
            return ExitCode::from(2);
        }
    };
    let detectors = match tidewatch_rules::load(files) {
        Ok(detectors) => detectors,
        Err(faults) => {
            eprintln!("campaigns: {}", faults[0]);
            return ExitCode::from(2);
        }
    };
    let scores = run(
        Run {
            seed: arguments.seed,
            days: arguments.days,
            logins_per_day: arguments.logins_per_day,
            scales: &arguments.scales,
            reads_bytes: arguments.bytes,
            threads: arguments.threads,
        },
        &detectors,
    );
    if arguments.json {
        println!("{:#}", table::document(&scores));
    } else {
        print!("{}", table::text(&scores));
    }
    ExitCode::SUCCESS
}

fn files(folder: &std::path::Path) -> std::io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}
