//! A fleet of Lambda functions, simulated from a seed: the other world `tidewatch simulate` writes, for whoever
//! watches what functions cost.
//!
//! Functions differ in traffic, memory, how long they run and how they log; traffic follows the day and the
//! week, deployments come about once a week each, and something may be planted: a spike, a slow release, a
//! loop. The lines are the platform's own around a line of the application's that says who asked. The world
//! knows no detector and no price.
//!
//! Invariants: the log is a pure function of the plan; each function, and what is planted, draws from a strand
//! of its own, so that planting something changes no line before it begins; a slice's lines are all that is in
//! memory.

mod functions;
mod invocation;
mod plants;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::envelopes::{self, LogEvent, StreamLog};
use super::{DAY_MS, Form, HOUR_MS, MINUTE_MS, Written};
use functions::Function;
use plants::Plant;
pub(crate) use plants::{FLEETS, Scenario, find};

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Decides everything that is left to chance.
    pub(crate) seed: u64,
    /// When the world begins, in milliseconds since 1970 UTC: a Monday's midnight keeps its weeks whole.
    pub(crate) start_ms: i64,
    /// How long it lasts.
    pub(crate) hours: u32,
    /// What is planted.
    pub(crate) scenario: &'static Scenario,
    /// How many functions there are.
    pub(crate) functions: u32,
    /// How often all of them together run on an average day.
    pub(crate) invocations_per_day: u32,
}

/// How many functions there may be.
pub(crate) const FUNCTIONS: std::ops::RangeInclusive<u32> = 1..=2_000;

/// A fleet that is written a slice at a time.
pub(crate) struct Fleet {
    plan: Plan,
    end_ms: i64,
    functions: Vec<Function>,
    plant: Option<Plant>,
    /// One for each function.
    chances: Vec<ChaCha8Rng>,
    /// For packing.
    packing: ChaCha8Rng,
    /// Lines of invocations that a slice began and a later one ends: function, stream, line.
    held: Vec<(usize, String, LogEvent)>,
    next_ms: i64,
}

impl Fleet {
    /// Builds the fleet, and writes nothing yet.
    pub(crate) fn begin(plan: &Plan) -> Fleet {
        let end_ms = plan.start_ms + i64::from(plan.hours.max(1)) * HOUR_MS;
        let mut functions = functions::fleet(plan, end_ms);
        let plant = plants::plant(plan, end_ms, &mut functions);
        let chances = (0..functions.len()).map(|nth| strand(plan.seed, 0x100 + nth as u64));
        Fleet {
            plan: *plan,
            end_ms,
            chances: chances.collect(),
            functions,
            plant,
            packing: strand(plan.seed, 1),
            held: Vec::new(),
            next_ms: plan.start_ms,
        }
    }

    /// The next part of the log in order of time; `None` at its end. As lines, which name no log group, only
    /// the log of the function that something happens to is written, or of the first.
    pub(crate) fn next(&mut self, form: Form) -> Option<Vec<Written>> {
        let from_ms = self.next_ms;
        if from_ms >= self.end_ms {
            return None;
        }
        let until_ms = (from_ms + HOUR_MS).min(self.end_ms);
        self.next_ms = until_ms;
        let mut lines = std::mem::take(&mut self.held);
        for nth in 0..self.functions.len() {
            let mut minute = from_ms;
            while minute < until_ms {
                self.minute(nth, minute, &mut lines);
                minute += MINUTE_MS;
            }
        }
        let is_over = until_ms == self.end_ms;
        let due = |(_, _, line): &mut (usize, String, LogEvent)| is_over || line.time_ms < until_ms;
        let mut due: Vec<_> = lines.extract_if(.., due).collect();
        self.held = lines;
        if form == Form::Lines {
            let only = self.plant.as_ref().map_or(0, |plant| plant.function);
            due.retain(|(function, _, _)| *function == only);
        }
        let mut written = envelopes::write(self.streams(due), form, &mut self.packing);
        written.sort_by_key(|written| written.time_ms);
        Some(written)
    }

    /// The lines by log stream, each in order of time.
    fn streams(&self, mut lines: Vec<(usize, String, LogEvent)>) -> Vec<StreamLog> {
        lines.sort_by(|(f, s, line), (g, t, other)| {
            (f, s, line.time_ms).cmp(&(g, t, other.time_ms))
        });
        let mut logs: Vec<StreamLog> = Vec::new();
        let mut of = None;
        for (function, stream, line) in lines {
            if of.as_ref() != Some(&(function, stream.clone())) {
                let group = format!("/aws/lambda/{}", self.functions[function].name).into();
                logs.push(StreamLog { group, stream: stream.clone(), events: Vec::new() });
                of = Some((function, stream));
            }
            logs.last_mut().expect("one was pushed").events.push(line);
        }
        logs
    }

    /// Plays a minute of one function.
    fn minute(&mut self, nth: usize, minute: i64, lines: &mut Vec<(usize, String, LogEvent)>) {
        let (function, chance) = (&self.functions[nth], &mut self.chances[nth]);
        let usual = function.per_minute(minute);
        let now =
            plants::Now::of(self.plant.as_ref().filter(|plant| plant.function == nth), minute);
        let count = poisson(usual * now.kept, chance);
        let (more, mut theirs) = match now.more {
            Some(more) => {
                let mut theirs = strand(self.plan.seed, 0x10_000 + (minute / MINUTE_MS) as u64);
                (poisson(usual * more.times + more.a_minute, &mut theirs), theirs)
            }
            None => (0, strand(self.plan.seed, 2)),
        };
        for turn in 0..count + more {
            let (planted, chance) = match turn < count {
                true => (None, &mut *chance),
                false => (now.more, &mut theirs),
            };
            let start_ms = minute + chance.random_range(0..MINUTE_MS);
            let play = invocation::Play { function, now: &now, planted, start_ms };
            let (stream, written) = play.lines(chance);
            lines.extend(written.into_iter().map(|line| (nth, stream.clone(), line)));
        }
    }

    /// What the log does not say, as JSON: the functions, their deployments, and what was planted.
    pub(crate) fn truth(&self) -> Value {
        let functions = self.functions.iter().map(|function| {
            json!({
                "name": function.name, "memory_mb": function.memory_mb,
                "architecture": function.architecture, "median_ms": function.median_ms,
                "invocations_per_day": function.per_day,
            })
        });
        let deployments = self.functions.iter().flat_map(|function| {
            function.deployments.iter().map(|(at_ms, version)| {
                json!({"function": function.name, "version": version.to_string(), "at_ms": at_ms})
            })
        });
        let planted = self.plant.iter().map(|plant| {
            json!({
                "name": plant.scenario, "what": plant.what,
                "function": self.functions[plant.function].name,
                "from_ms": plant.from_ms, "until_ms": plant.until_ms, "principal": plant.principal,
            })
        });
        json!({
            "scenario": self.plan.scenario.name, "seed": self.plan.seed,
            "start_ms": self.plan.start_ms, "end_ms": self.end_ms,
            "functions": functions.collect::<Vec<Value>>(),
            "deployments": deployments.collect::<Vec<Value>>(),
            "planted": planted.collect::<Vec<Value>>(),
        })
    }
}

/// An independent source of chance under the seed.
fn strand(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xf1ee7);
    rng.set_stream(number);
    rng
}

/// A number of events of which so many are expected: Poisson's law, by Knuth's product of chances for few,
/// and the normal law, which it then resembles, for many.
fn poisson(expected: f64, chance: &mut ChaCha8Rng) -> u32 {
    if expected <= 0.0 {
        return 0;
    }
    if expected > 50.0 {
        let normal = functions::normal(chance);
        return (expected + expected.sqrt() * normal).round().max(0.0) as u32;
    }
    let (floor, mut product, mut count) = ((-expected).exp(), 1.0, 0);
    loop {
        product *= chance.random::<f64>();
        if product <= floor {
            return count;
        }
        count += 1;
    }
}

/// The day of the week, Monday being 0, and the share of the day that has passed.
fn day_and_time(time_ms: i64) -> (i64, f64) {
    // 1970-01-01 was a Thursday.
    let weekday = (time_ms.div_euclid(DAY_MS) + 3).rem_euclid(7);
    (weekday, time_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64)
}

#[cfg(test)]
mod tests;
