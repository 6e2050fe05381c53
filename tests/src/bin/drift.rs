//! How often real serverless functions are raised: `cargo run --release -p tidewatch-tests --bin drift -- DIR`.
//! What is read, and how it is counted, is in tests/src/drift.rs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidewatch_tests::drift::{Bursts, Drifted, bursts, daily};

/// Counts findings about real serverless functions.
#[derive(Parser)]
struct Arguments {
    /// A folder with lambda_perf_daily/ and faas_parallelism_aws/.
    folder: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { folder } = Arguments::parse();
    match daily(&folder).and_then(|daily| Ok((daily, bursts(&folder)?))) {
        Ok((daily, bursts)) => say(&daily, &bursts),
        Err(error) => {
            eprintln!("drift: {error}");
            ExitCode::from(2)
        }
    }
}

fn say(daily: &[Drifted], bursts: &Bursts) -> ExitCode {
    let findings: usize = daily.iter().map(|of| of.findings.len()).sum();
    let most = daily.iter().map(Drifted::per_quarter).fold(0.0, f64::max);
    println!("{} series, {findings} findings; findings a quarter: at most {most:.2}", daily.len());
    for of in daily.iter().filter(|of| !of.findings.is_empty()) {
        let days = of.findings.iter().map(|(day, at_once)| match at_once {
            true => format!("{day}"),
            false => format!("{day} (creeps)"),
        });
        println!("    {}: days {}", of.name, days.collect::<Vec<_>>().join(", "));
    }
    let found = bursts.bursts.iter().filter(|burst| burst.found).count();
    println!("{found} of {} bursts found, {} panes wrong", bursts.bursts.len(), bursts.wrong);
    match bursts.longer_after_panes {
        Some(panes) => println!("seven times as long: raised in measured pane {}", panes + 1),
        None => println!("seven times as long: not raised"),
    }
    let good = most <= 1.0 && found == bursts.bursts.len() && bursts.longer_after_panes.is_some();
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
