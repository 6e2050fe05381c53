//! The `tidewatch` program: the core over files, pipes and a simulation.
//!
//! Standard output carries findings (or counts, or a simulated log) and nothing else; everything said about the run goes
//! to standard error. Exit codes are [`exit::Exit`].

mod args;
mod blocklist;
mod calendar;
mod chunks;
mod commands;
mod comparison;
mod exit;
mod feeding;
mod files;
mod following;
mod hearing;
mod in_force;
mod input;
mod keeper;
mod lines;
mod lists;
mod log_groups;
mod metering;
mod output;
mod pipeline;
mod pricing;
mod progress;
mod settings;
mod simulator;
mod standing;
mod summary;
mod told;
mod users;
mod whole_file;
mod windows;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::output::say;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two threads: this one drives the core, the other waits for Ctrl-C.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("tidewatch: cannot start: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => commands::demo::run(args).await,
            Command::Simulate(args) => commands::simulate::run(&args),
            Command::Replay(args) => commands::replay::replay(args).await,
            Command::Watch(args) => commands::replay::watch(args).await,
            Command::Explain(args) => commands::explain::run(args).await,
            Command::Test(args) => commands::test::run(args).await,
            Command::Check(args) => commands::check::run(args),
            Command::Coverage(args) => commands::coverage::run(args).await,
            Command::Feed(args) => commands::feed::run(args).await,
            Command::Subscribe(args) => commands::subscribe::run(&args, false).await,
            Command::Unsubscribe(args) => commands::subscribe::run(&args, true).await,
            Command::Prove(args) => commands::prove::run(&args).await,
            Command::Status(args) => commands::status::run(&args).await,
            Command::Backtest(args) => commands::backtest::run(args).await,
            Command::Bill(args) => commands::bill::run(args).await,
            Command::Users(args) => commands::users::run(args),
            Command::Lists(args) => commands::lists::run(args),
            Command::Blocklist(args) => commands::blocklist::run(&args),
            Command::Who(args) => commands::who::run(&args),
            Command::Completions(args) => Ok(commands::manual::completions(&args)),
            Command::Man => Ok(commands::manual::man()),
        }
    });
    // A thread may still wait for standard input, or for a stream, which it can only while there is a runtime:
    // leave without either.
    std::mem::forget(runtime);
    let exit = exit.unwrap_or_else(|failure| {
        failure.report();
        Exit::Usage
    });
    ExitCode::from(exit as u8)
}
