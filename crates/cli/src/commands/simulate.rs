//! `tidewatch simulate`: writes the log of a shop in which something is going on, for `tidewatch replay` and
//! anything else that reads logs; and beside it what was planted.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use tidewatch_core::time::Time;

use crate::args::{SimulateArgs, SimulatedForm};
use crate::exit::{Exit, Failure};
use crate::output::{print, say};
use crate::simulator::{self, Form, LOGINS_PER_DAY, Plan, SCENARIOS, Scale, Simulation};

/// When a simulated world begins: 2026-01-05T07:00:00Z, a Monday.
const START: Time = Time(1_767_596_400_000);

/// The longest that is written, 90 days: a day later times are nearer to the reader's clock.
const HOURS_MAX: u32 = 90 * 24;

/// Runs the simulation, or lists what can be run.
///
/// # Errors
/// If the command line is faulty, or the file for the truth cannot be written.
pub fn run(args: &SimulateArgs) -> Result<Exit, Failure> {
    let Some(plan) = plan(args)? else {
        let list =
            SCENARIOS.iter().map(|scenario| format!("{:<16} {}", scenario.name, scenario.what));
        // A reader who has gone away has seen enough.
        drop(print(&list.collect::<Vec<_>>().join("\n")));
        return Ok(Exit::Done);
    };
    let mut simulation = Simulation::begin(&plan);
    if let Some(path) = &args.truth {
        write_truth(&simulation, path).with_context(|| format!("--truth {}", path.display()))?;
    }
    let form = match args.output {
        SimulatedForm::Lines => Form::Lines,
        SimulatedForm::Envelopes => Form::Envelopes,
    };
    match write_log(&mut simulation, form) {
        // A reader who has gone away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(format_args!("tidewatch: standard output: {error}"));
            Ok(Exit::Failed)
        }
        _ => Ok(Exit::Done),
    }
}

/// What is asked for; `None` for the list.
fn plan(args: &SimulateArgs) -> Result<Option<Plan>, Failure> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else { return Ok(None) };
    let scenario = simulator::find(name).ok_or_else(|| {
        anyhow!("{name}: no such scenario; `tidewatch simulate --list` lists them")
    })?;
    let hours = args.hours.unwrap_or(scenario.hours);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(anyhow!("--hours {hours}: 1 to {HOURS_MAX}").into());
    }
    if !LOGINS_PER_DAY.contains(&args.logins_per_day) {
        let [least, most] = [LOGINS_PER_DAY.start(), LOGINS_PER_DAY.end()];
        return Err(anyhow!("--logins-per-day {}: {least} to {most}", args.logins_per_day).into());
    }
    let scale = Scale::of_visits(args.logins_per_day);
    Ok(Some(Plan { seed: args.seed, start_ms: START.0, hours, scenario, scale }))
}

fn write_truth(simulation: &Simulation, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer(&mut file, &simulation.truth())?;
    file.write_all(b"\n")?;
    file.flush()
}

fn write_log(simulation: &mut Simulation, form: Form) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    while let Some(written) = simulation.next(form) {
        for written in written {
            out.write_all(&written.bytes)?;
        }
    }
    out.flush()
}
