//! A serverless shop under attack, simulated from a seed: what `tidewatch demo` runs on, and what
//! `tidewatch simulate` writes.
//!
//! The simulator writes BYTES, for the demo the gzip CloudWatch envelopes a subscription filter would have put
//! into the stream, so that everything after it is the real pipeline and nothing can be handed round it. It
//! knows no detector and no threshold: attackers are paced as attackers are, and what the shipped
//! detectors then miss is reported as missed. Beside the bytes it returns what it planted, with the
//! exact sliding maxima a perfect per-source counter would have seen, so that a miss can be explained.
//!
//! The way of the data: people and attackers make login attempts (`population`, and the `acts` of a
//! `scenario`), the shop's log groups turn them into lines among other lines (`shop`, `lines`), `envelopes` packs
//! the lines. A long world is written a slice at a time: its acts and one slice's lines are all that is in
//! memory. A function's log streams and the bastion end with their slice.
//!
//! Invariants: the world is a pure function of the plan: no clock, no order taken from a hash table, and
//! each part draws from a random strand of its own, so that a change in one leaves the others alone. A
//! log event's time is its attempt's time, so that what is planted and what is written agree to the
//! millisecond.

mod acts;
mod attempt;
mod envelopes;
pub(crate) mod fleet;
mod gateway;
mod lines;
mod names;
mod oracle;
mod population;
mod scenario;
mod shop;
mod truth;

use std::net::IpAddr;

use acts::Act;
use attempt::Attempt;
pub(crate) use oracle::Busiest;
use population::Population;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
pub(crate) use scenario::{DEMO, EXFILTRATION, SCENARIOS, Scenario, find};

/// How many hours a world lasts unless told otherwise: long enough for a scanner of one name every few
/// minutes to be seen, or missed, over many windows.
pub(crate) const HOURS_DEFAULT: u32 = 4;

/// What to simulate. The same plan gives the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Decides everything that is left to chance.
    pub(crate) seed: u64,
    /// When the world begins, in milliseconds since 1970 UTC. The shop keeps UTC as its local time.
    pub(crate) start_ms: i64,
    /// How long it lasts; 0 counts as 1.
    pub(crate) hours: u32,
    /// What is planted.
    pub(crate) scenario: &'static Scenario,
    /// How big the shop is.
    pub(crate) scale: Scale,
}

/// Whether a good detector should report what was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlantedKind {
    /// Somebody means harm.
    Attack,
    /// Nobody does, however it looks.
    Benign,
}

/// One thing that was planted in the traffic, and what can be known about it from outside.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// A short name, the same for every seed.
    pub(crate) name: &'static str,
    /// What it does, in one sentence.
    pub(crate) what: String,
    /// Whether it is an attack.
    pub(crate) kind: PlantedKind,
    /// Every address it used, sorted.
    pub(crate) sources: Vec<IpAddr>,
    /// The time of its first attempt.
    pub(crate) start_ms: i64,
    /// The time of its last attempt.
    pub(crate) end_ms: i64,
    /// How many logins it attempted; each has one deciding line in the logs.
    pub(crate) attempts: u64,
    /// How many distinct unknown names it tried, over all its sources and the whole time.
    pub(crate) unknown_names: u64,
    /// The most that any one of its sources did within ten minutes.
    pub(crate) busiest_10m: Busiest,
}

/// In which form the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Kinesis items: each the gzip of a CloudWatch `DATA_MESSAGE` envelope.
    Records,
    /// The envelopes themselves, one a line.
    Envelopes,
    /// The log events, as `aws logs tail --format detailed` prints them.
    Lines,
}

/// One item of the form asked for, line end included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// When a record or envelope reached the stream, or a line was logged.
    pub(crate) time_ms: i64,
    /// What was written.
    pub(crate) bytes: Vec<u8>,
}

/// A simulated world, all of it at once.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// What was planted, in the order it is told.
    pub(crate) planted: Vec<Planted>,
    /// The stream's records, sorted by arrival.
    pub(crate) records: Vec<Written>,
}

/// The numbers that make a shop big or small. The tests use a small one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Home and mobile addresses customers come from, at most [`SOURCES_MAX`].
    sources: u32,
    /// Customers with an account.
    accounts: u32,
    /// Visits an hour in which a customer logs in, averaged over a day.
    visits_per_hour: u32,
    /// Invocations an hour of the functions nobody logs in to, averaged over a day.
    errands_per_hour: u32,
    /// Whether the shop's lines tell the client's user agent.
    agents: bool,
    /// Whether a gateway in front of it logs what is sent back.
    gateway: bool,
}

/// Addresses of customers: the other carrier addresses are bots'.
const SOURCES_MAX: u32 = 3 << 20;

/// Customers' logins a day: fewer make no shop, more no addresses.
pub(crate) const LOGINS_PER_DAY: std::ops::RangeInclusive<u32> = 1_000..=50_000_000;

/// The demo's shop: 600,000 visits a day. Four hours from 7:00 are about 446,000 log events, 55,000
/// records, 122 MB before gzip and 45 MB after.
pub(crate) const SHOP: Scale = Scale { agents: false, ..Scale::of_visits(600_000) };

impl Scale {
    /// The same shop, in a scenario that may want a gateway's log.
    pub(crate) fn for_scenario(self, scenario: &Scenario) -> Scale {
        Scale { gateway: scenario.name == EXFILTRATION, ..self }
    }

    /// A shop with so many logins a day, and everything else in the demo's proportions. Its lines tell user agents.
    pub(crate) const fn of_visits(per_day: u32) -> Scale {
        let visits_per_hour = per_day / 24;
        Scale {
            sources: per_day / 20,
            accounts: per_day / 10,
            visits_per_hour,
            errands_per_hour: visits_per_hour / 5 * 2,
            agents: true,
            gateway: false,
        }
    }
}

/// A world that is written a slice at a time.
pub(crate) struct Simulation {
    plan: Plan,
    days: Days,
    population: Population,
    acts: Vec<Act>,
    /// What the acts will do, and the tries of customers that the slices written so far have left over.
    ahead: Vec<Attempt>,
    /// What is written but may still have to follow something.
    held: Vec<Written>,
    slice: u64,
}

/// How much of a world is in memory at a time.
const SLICE_MS: i64 = 4 * HOUR_MS;

/// The same for a shop of more than [`BIG`] logins an hour.
const SLICE_OF_BIG_MS: i64 = HOUR_MS;
const BIG: u32 = 30_000;

/// Nothing of a slice is written earlier than so long before it: the longest an invocation takes until it decides.
const EARLY_MAX_MS: i64 = 1_000;

impl Simulation {
    /// Plays the acts, and writes nothing yet.
    pub(crate) fn begin(plan: &Plan) -> Simulation {
        let days = Days::of(plan);
        let population = Population::new(&plan.scale);
        let acts = acts::acts(plan.scenario, plan.seed, days, &population);
        let ahead = acts.iter().flat_map(|act| act.attempts.iter().cloned()).collect();
        let (held, slice) = (Vec::new(), 0);
        Simulation { plan: *plan, days, population, acts, ahead, held, slice }
    }

    /// What is planted, in the order it is told.
    pub(crate) fn planted(&self) -> Vec<Planted> {
        self.acts.iter().map(planted).collect()
    }

    /// The next part of the log in order of time; `None` at its end.
    pub(crate) fn next(&mut self, form: Form) -> Option<Vec<Written>> {
        let is_big = self.plan.scale.visits_per_hour > BIG;
        self.next_slice(form, if is_big { SLICE_OF_BIG_MS } else { SLICE_MS })
    }

    fn next_slice(&mut self, form: Form, length_ms: i64) -> Option<Vec<Written>> {
        let Simulation { plan, population, .. } = self;
        let start_ms = self.days.start_ms + self.slice as i64 * length_ms;
        if start_ms >= self.days.end_ms {
            return None;
        }
        let slice = Days { start_ms, end_ms: self.days.end_ms.min(start_ms + length_ms) };
        let mut attempts =
            population.visits(slice, &mut strand(plan.seed, Strand::Visits, self.slice));
        attempts.retain(|attempt| self.days.contains(attempt.time_ms));
        attempts.append(&mut self.ahead);
        attempts.sort_by_key(|attempt| attempt.time_ms);
        let due = attempts.partition_point(|attempt| attempt.time_ms < slice.end_ms);
        self.ahead = attempts.split_off(due);

        let of_slice = [plan.seed, self.slice];
        let mut written = std::mem::take(&mut self.held);
        written.extend(shop::written(of_slice, slice, &plan.scale, &attempts, form));
        written.sort_by_key(|written| written.time_ms);
        if slice.end_ms < self.days.end_ms {
            let until_ms = slice.end_ms - EARLY_MAX_MS;
            let safe = written.partition_point(|written| written.time_ms < until_ms);
            self.held = written.split_off(safe);
        }
        self.slice += 1;
        Some(written)
    }
}

/// Simulates a world at once.
pub(crate) fn simulate(plan: &Plan) -> World {
    let mut simulation = Simulation::begin(plan);
    let planted = simulation.planted();
    let length_ms = simulation.days.length_ms();
    let records = simulation.next_slice(Form::Records, length_ms).unwrap_or_default();
    World { planted, records }
}

fn planted(act: &Act) -> Planted {
    let mut sources: Vec<IpAddr> = act.attempts.iter().map(|attempt| attempt.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let times = || act.attempts.iter().map(|attempt| attempt.time_ms);
    Planted {
        name: act.name,
        what: act.what.clone(),
        kind: act.kind,
        sources,
        start_ms: times().min().unwrap_or_default(),
        end_ms: times().max().unwrap_or_default(),
        attempts: act.attempts.len() as u64,
        unknown_names: oracle::unknown_names(&act.attempts),
        busiest_10m: oracle::busiest(&act.attempts, oracle::SPAN_10M_MS),
    }
}

/// The simulated time, and how busy the shop is in it.
#[derive(Clone, Copy, Debug)]
struct Days {
    start_ms: i64,
    end_ms: i64,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Days {
    fn of(plan: &Plan) -> Days {
        let hours = i64::from(plan.hours.max(1));
        Days { start_ms: plan.start_ms, end_ms: plan.start_ms + hours * HOUR_MS }
    }

    fn length_ms(self) -> i64 {
        self.end_ms - self.start_ms
    }

    /// The point this share (0–1) of the whole time after the start.
    fn at(self, share: f64) -> i64 {
        self.start_ms + (self.length_ms() as f64 * share) as i64
    }

    fn contains(self, time_ms: i64) -> bool {
        (self.start_ms..self.end_ms).contains(&time_ms)
    }

    /// The first nine o'clock, when offices begin; halfway where there is none.
    fn nine_o_clock(self) -> i64 {
        let midnight = self.start_ms - self.start_ms.rem_euclid(DAY_MS);
        [midnight + 9 * HOUR_MS, midnight + DAY_MS + 9 * HOUR_MS]
            .into_iter()
            .find(|&nine| self.contains(nine))
            .unwrap_or_else(|| self.at(0.5))
    }

    /// `per_hour` events an hour, spread over the day as a shop's are: sorted times. The curve is one
    /// sine a day, quietest at 3:00 and busiest at 15:00, with a mean of 1.
    fn times(self, per_hour: u32, rng: &mut ChaCha8Rng) -> Vec<i64> {
        use rand::Rng;
        let mut times = Vec::new();
        let mut owed = 0.0;
        let mut minute = self.start_ms;
        while minute < self.end_ms {
            let hour = minute.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
            let busy = 1.0 - 0.65 * ((hour - 3.0) / 24.0 * std::f64::consts::TAU).cos();
            owed += f64::from(per_hour) / 60.0 * busy;
            let due = owed as usize;
            owed -= due as f64;
            times.extend((0..due).map(|_| minute + rng.random_range(0..MINUTE_MS)));
            minute += MINUTE_MS;
        }
        times.sort_unstable();
        times
    }
}

/// The independent sources of chance. ChaCha's stream number keeps them apart under one seed.
#[derive(Clone, Copy, Debug)]
enum Strand {
    Visits,
    /// One for each act.
    Act(u8),
    /// One for each log group.
    Group(u8),
}

/// A strand in one slice of the world. Acts are played at once, so theirs is always the first.
fn strand(seed: u64, strand: Strand, slice: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let number = match strand {
        Strand::Visits => 0,
        Strand::Act(act) => 0x100 + u64::from(act),
        Strand::Group(group) => 0x200 + u64::from(group),
    };
    rng.set_stream(slice << 16 | number);
    rng
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what does not parse fails the test")]
mod tests;
