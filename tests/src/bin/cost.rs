//! What a deployed stack costs: `cargo run -p tidewatch-tests --bin cost` prints the tables that README
//! quotes; with `--json` the same and what is used, for programs. tests/src/cost.rs says how it is
//! calculated.

use std::process::ExitCode;

use tidewatch_tests::cost::prices::Prices;
use tidewatch_tests::cost::report;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        _ => {
            eprintln!("usage: cost [--json]");
            return ExitCode::from(2);
        }
    };
    match Prices::listed() {
        Ok(prices) if as_json => println!("{:#}", report::json(&prices)),
        Ok(prices) => print!("{}", report::markdown(&prices)),
        Err(fault) => {
            eprintln!("infra/prices.toml: {fault}");
            return ExitCode::from(1);
        }
    }
    ExitCode::SUCCESS
}
