//! Scores a file laid out like the unit tests of Panther's rules:
//! `cargo run --release -p tidewatch-tests --bin panther -- FILE [--json]`. What is scored, and how, is in
//! tests/src/panther. Ends with 0, with 1 if the file cannot be read, with 2 if it was called wrongly.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tidewatch_tests::panther::{events, score};

/// Scores what is read of the events of Panther's rule tests.
#[derive(Parser)]
struct Arguments {
    /// The file: a JSON object a line, with `log_type` and `log`.
    file: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.file, arguments.json) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("panther: {why}");
            ExitCode::from(1)
        }
    }
}

fn run(file: &Path, as_json: bool) -> Result<String, String> {
    let shown = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| shown(&error))?;
    let events = events(&text).map_err(|error| shown(&error))?;
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats());
    let formats = Arc::new(formats.map_err(|faults| faults[0].to_string())?);
    let (scores, faults) = score::scores(&events, &formats);
    Ok(match as_json {
        true => format!("{}\n", score::document(&scores, &faults)),
        false => score::table(&scores, &faults),
    })
}
