//! `tidewatch simulate`: writes the log of a shop in which something is going on, or of a fleet of Lambda
//! functions, for `tidewatch replay`, `tidewatch bill` and anything else that reads logs; and beside it what
//! was planted.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, anyhow};
use serde_json::Value;
use tidewatch_core::time::Time;

use crate::args::{SimulateArgs, SimulatedForm};
use crate::exit::{Exit, Failure};
use crate::output::{print, say};
use crate::simulator::fleet::{self, FLEETS, FUNCTIONS, Fleet};
use crate::simulator::{self, Form, LOGINS_PER_DAY, Plan, SCENARIOS, Scale, Simulation, Written};

/// When a simulated world begins: 2026-01-05T07:00:00Z, a Monday.
const START: Time = Time(1_767_596_400_000);

/// When a simulated fleet begins: the same day's midnight.
const FLEET_START: Time = Time(1_767_571_200_000);

/// The most invocations a day of a fleet.
const INVOCATIONS_PER_DAY_MAX: u32 = 50_000_000;

/// The longest that is written, 90 days: a day later times are nearer to the reader's clock.
const HOURS_MAX: u32 = 90 * 24;

/// Runs the simulation, or lists what can be run.
///
/// # Errors
/// If the command line is faulty, or the file for the truth cannot be written.
pub fn run(args: &SimulateArgs) -> Result<Exit, Failure> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else {
        let shop = SCENARIOS.iter().map(|scenario| (scenario.name, scenario.what));
        let fleets = FLEETS.iter().map(|scenario| (scenario.name, scenario.what));
        let list = shop.chain(fleets).map(|(name, what)| format!("{name:<16} {what}"));
        // A reader who has gone away has seen enough.
        drop(print(&list.collect::<Vec<_>>().join("\n")));
        return Ok(Exit::Done);
    };
    let form = match args.output {
        SimulatedForm::Lines => Form::Lines,
        SimulatedForm::Envelopes => Form::Envelopes,
    };
    if let Some(scenario) = fleet::find(name) {
        let mut fleet = Fleet::begin(&fleet_plan(args, scenario)?);
        write_truth(args, || fleet.truth())?;
        return Ok(written(|| fleet.next(form)));
    }
    let mut simulation = Simulation::begin(&plan(args, name)?);
    write_truth(args, || simulation.truth())?;
    Ok(written(|| simulation.next(form)))
}

/// How long it lasts.
fn hours(args: &SimulateArgs, usual: u32) -> Result<u32, Failure> {
    let hours = args.hours.unwrap_or(usual);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(anyhow!("--hours {hours}: 1 to {HOURS_MAX}").into());
    }
    Ok(hours)
}

/// The fleet that is asked for.
fn fleet_plan(
    args: &SimulateArgs,
    scenario: &'static fleet::Scenario,
) -> Result<fleet::Plan, Failure> {
    let SimulateArgs { functions, invocations_per_day, seed, .. } = *args;
    if !FUNCTIONS.contains(&functions) {
        let [least, most] = [FUNCTIONS.start(), FUNCTIONS.end()];
        return Err(anyhow!("--functions {functions}: {least} to {most}").into());
    }
    if !(1..=INVOCATIONS_PER_DAY_MAX).contains(&invocations_per_day) {
        let most = INVOCATIONS_PER_DAY_MAX;
        return Err(anyhow!("--invocations-per-day {invocations_per_day}: 1 to {most}").into());
    }
    let hours = hours(args, scenario.hours)?;
    Ok(fleet::Plan {
        seed,
        start_ms: FLEET_START.0,
        hours,
        scenario,
        functions,
        invocations_per_day,
    })
}

/// The shop that is asked for.
fn plan(args: &SimulateArgs, name: &str) -> Result<Plan, Failure> {
    let scenario = simulator::find(name).ok_or_else(|| {
        anyhow!("{name}: no such scenario; `tidewatch simulate --list` lists them")
    })?;
    let hours = hours(args, scenario.hours)?;
    if !LOGINS_PER_DAY.contains(&args.logins_per_day) {
        let [least, most] = [LOGINS_PER_DAY.start(), LOGINS_PER_DAY.end()];
        return Err(anyhow!("--logins-per-day {}: {least} to {most}", args.logins_per_day).into());
    }
    let scale = Scale::of_visits(args.logins_per_day).for_scenario(scenario);
    Ok(Plan { seed: args.seed, start_ms: START.0, hours, scenario, scale })
}

/// Writes what the log does not say, where that is asked for.
fn write_truth(args: &SimulateArgs, truth: impl FnOnce() -> Value) -> Result<(), Failure> {
    let Some(path) = &args.truth else { return Ok(()) };
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, &truth())?;
        file.write_all(b"\n")?;
        file.flush()
    };
    Ok(write().with_context(|| format!("--truth {}", path.display()))?)
}

/// Writes the log, and says how the program ends.
fn written(slices: impl FnMut() -> Option<Vec<Written>>) -> Exit {
    match write_log(slices) {
        // A reader who has gone away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(format_args!("tidewatch: standard output: {error}"));
            Exit::Failed
        }
        _ => Exit::Done,
    }
}

fn write_log(mut slices: impl FnMut() -> Option<Vec<Written>>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    while let Some(written) = slices() {
        for written in written {
            out.write_all(&written.bytes)?;
        }
    }
    out.flush()
}
