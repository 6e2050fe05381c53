//! Scores a folder laid out like CrowdSec's hub tests:
//! `cargo run --release -p tidewatch-tests --bin hub -- DIR [--json]`. What is scored, and how, is in
//! tests/src/hub.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use tidewatch_tests::binary::build;
use tidewatch_tests::hub::{detection, extraction, tests};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    arguments.retain(|argument| argument != "--json");
    let [folder] = &arguments[..] else {
        eprintln!("usage: hub DIR [--json]");
        return ExitCode::from(2);
    };
    match run(&PathBuf::from(folder), as_json) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("hub: {why}");
            ExitCode::from(1)
        }
    }
}

fn run(folder: &std::path::Path, as_json: bool) -> Result<String, String> {
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats());
    let formats = Arc::new(formats.map_err(|faults| faults[0].to_string())?);
    let tidewatch = build("tidewatch", "tidewatch", &["--release"]);
    let (mut scores, mut verdicts) = (Vec::new(), Vec::new());
    for test in tests(folder)? {
        let scored = extraction::score(&test, &formats);
        scores.push(scored.map_err(|error| format!("{}: {error}", test.log.display()))?);
        verdicts.extend(detection::verdicts(&test, &tidewatch)?);
    }
    let means = [true, false].map(|is_parsed| extraction::mean(&scores, is_parsed));
    if !as_json {
        return Ok(format!(
            "{}{}\nmean extraction: {:.4} where events are listed, {:.4} where they are taken from overflows",
            extraction::table(&scores),
            detection::table(&verdicts),
            means[0],
            means[1]
        ));
    }
    let scores = scores.iter().map(|score| {
        json!({
            "test": score.test, "expected": score.expected, "found": score.found,
            "signals": score.signals, "listed": score.is_parsed, "apart": extraction::is_apart(&score.test),
        })
    });
    let verdicts = verdicts.iter().map(|verdict| {
        json!({
            "test": verdict.test, "scenario": verdict.scenario, "source": verdict.source,
            "raised": verdict.raised, "why": verdict.why,
        })
    });
    let document = json!({
        "mean_extraction": means[0],
        "mean_extraction_of_overflows": means[1],
        "extraction": scores.collect::<Vec<Value>>(),
        "detection": verdicts.collect::<Vec<Value>>(),
    });
    Ok(document.to_string())
}
