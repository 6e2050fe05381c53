//! Scores the novelty rank on a folder laid out like the Numenta Anomaly Benchmark:
//! `cargo run --release -p tidewatch-tests --bin nab -- DIR [--json] [--floor N] [--floor-averaged N]`.
//! What is scored, and how, is in tests/src/nab.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidewatch_core::series::{NAB, PAGING};
use tidewatch_tests::nab::clean::{self, KINDS};
use tidewatch_tests::nab::corpus::Corpus;
use tidewatch_tests::nab::published::Published;
use tidewatch_tests::nab::table::Report;

/// Scores the novelty rank on a folder laid out like the Numenta Anomaly Benchmark.
#[derive(Parser)]
struct Arguments {
    /// A folder with data/, labels/combined_windows.json and config_profiles.json.
    folder: PathBuf,
    /// What the standard score over all files must reach.
    #[arg(long, default_value_t = 60.0)]
    floor: f64,
    /// And averaged over beginnings.
    #[arg(long, default_value_t = 60.0)]
    floor_averaged: f64,
    /// The category that the floors are for, instead of all files.
    #[arg(long)]
    category: Option<String>,
    /// Clean synthetic series of each kind, of eight weeks; 0 for none.
    #[arg(long, default_value_t = 4)]
    clean: u64,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match report(&arguments) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("nab: {error}");
            return ExitCode::from(2);
        }
    };
    if arguments.json {
        println!("{:#}", report.document());
    } else {
        print!("{}", report.text());
    }
    let Some(standing) = report.standard(arguments.category.as_deref()) else {
        eprintln!("nab: no windows to score by");
        return ExitCode::from(2);
    };
    let floors = [
        ("score", standing.score, arguments.floor),
        ("average", standing.averaged, arguments.floor_averaged),
    ];
    let mut below = floors.into_iter().filter(|(_, score, floor)| score < floor).peekable();
    let code = if below.peek().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    for (what, score, floor) in below {
        eprintln!("nab: the standard {what} is {score:.2}, below its floor of {floor}");
    }
    code
}

fn report(arguments: &Arguments) -> Result<Report, String> {
    let corpus = Corpus::read(&arguments.folder)?;
    let published = Published::read(&arguments.folder, &corpus)?;
    let clean = match arguments.clean {
        0 => Vec::new(),
        seeds => {
            (0..KINDS.len()).map(|kind| clean::raised(kind, seeds, 8, &[NAB, PAGING])).collect()
        }
    };
    let clean = clean.into_iter().map(|raised| [raised[0], raised[1]]).collect();
    Report::of(&corpus, &published, clean)
}
