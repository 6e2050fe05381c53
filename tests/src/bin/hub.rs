//! Scores a folder laid out like CrowdSec's hub tests:
//! `cargo run --release -p tidewatch-tests --bin hub -- DIR [--json]`. What is scored, and how, is in
//! tests/src/hub.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use serde_json::{Value, json};
use tidewatch_tests::binary::build;
use tidewatch_tests::hub::detection::{self, Verdict};
use tidewatch_tests::hub::extraction::{self, FOUND, HEARD, OF_ALL, Part, Score};
use tidewatch_tests::hub::tests;

/// Scores extraction and detection on a folder of CrowdSec hub tests.
#[derive(Parser)]
struct Arguments {
    /// The folder: in it a folder a test, with a log and expected.json.
    dir: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.dir.is_dir() {
        eprintln!("hub: {} is no folder", arguments.dir.display());
        return ExitCode::from(2);
    }
    match run(&arguments.dir) {
        Ok((scores, verdicts)) if arguments.json => println!("{}", document(&scores, &verdicts)),
        Ok((scores, verdicts)) => print!("{}", tables(&scores, &verdicts)),
        Err(why) => {
            eprintln!("hub: {why}");
            return ExitCode::from(1);
        }
    }
    ExitCode::SUCCESS
}

fn run(folder: &Path) -> Result<(Vec<Score>, Vec<Verdict>), String> {
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats());
    let formats = Arc::new(formats.map_err(|faults| faults[0].to_string())?);
    let tidewatch = build("tidewatch", "tidewatch", &["--release"]);
    let (mut scores, mut verdicts) = (Vec::new(), Vec::new());
    for test in tests(folder)? {
        let scored = extraction::score(&test, &formats);
        scores.push(scored.map_err(|error| format!("{}: {error}", test.log.display()))?);
        verdicts.extend(detection::verdicts(&test, &tidewatch)?);
    }
    Ok((scores, verdicts))
}

/// The means that are told, each with its name.
const MEANS: [(&str, Part); 3] =
    [("mean_extraction", FOUND), ("mean_heard_alone", HEARD), ("mean_of_any_log_type", OF_ALL)];

fn tables(scores: &[Score], verdicts: &[Verdict]) -> String {
    let mut text = extraction::table(scores) + &detection::table(verdicts) + "\n";
    for (name, part) in MEANS {
        let (mean, tests) = extraction::mean(scores, part);
        let split = [true, false].map(|is_parsed| {
            extraction::mean(scores.iter().filter(|score| score.is_parsed == is_parsed), part).0
        });
        text += &format!(
            "{name}: {mean:.4} over {tests} tests ({:.4} where events are listed, {:.4} from overflows)\n",
            split[0], split[1]
        );
    }
    text
}

fn document(scores: &[Score], verdicts: &[Verdict]) -> Value {
    let means = MEANS.map(|(name, part)| {
        let (mean, tests) = extraction::mean(scores, part);
        json!({ "name": name, "mean": mean, "tests": tests })
    });
    let (raised, asked) = detection::count(verdicts);
    let of_logins = detection::count(verdicts.iter().filter(|verdict| verdict.is_login));
    let extraction = scores.iter().map(|score| {
        json!({
            "test": score.test, "expected": score.expected, "found": score.found,
            "heard_alone": score.heard, "expected_of_any_log_type": score.of_all.0,
            "found_of_any_log_type": score.of_all.1, "signals": score.signals,
            "listed": score.is_parsed, "apart": extraction::is_apart(&score.test),
            "left_out": score.left_out, "halves": score.halves, "not_counted": score.problems,
        })
    });
    let detection = verdicts.iter().map(|verdict| {
        json!({
            "test": verdict.test, "scenario": verdict.scenario, "source": verdict.source,
            "raised": verdict.raised, "why": verdict.why, "about_logins": verdict.is_login,
        })
    });
    json!({
        "means": means,
        "overflows": { "asked": asked, "raised": raised },
        "overflows_about_logins": { "asked": of_logins.1, "raised": of_logins.0 },
        "extraction": extraction.collect::<Vec<Value>>(),
        "detection": detection.collect::<Vec<Value>>(),
    })
}
