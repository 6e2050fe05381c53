//! A serverless shop under attack, simulated from a seed: what `tidewatch demo` runs on.
//!
//! The simulator writes BYTES, the gzip CloudWatch envelopes a subscription filter would have put into
//! the stream, so that everything after it is the real pipeline and nothing can be handed round it. It
//! knows no detector and no threshold: attackers are paced as attackers are, and what the shipped
//! detectors then miss is reported as missed. Beside the bytes it returns what it planted, with the
//! exact sliding maxima a perfect per-source counter would have seen, so that a miss can be explained.
//!
//! The way of the data: people and attackers make login attempts (`population`, `attackers`), the
//! shop's log groups turn them into lines among other lines (`shop`, `lines`), `envelopes` packs the
//! lines into records.
//!
//! Invariants: the world is a pure function of the plan: no clock, no order taken from a hash table, and
//! each part draws from a random strand of its own, so that a change in one leaves the others alone. A
//! log event's time is its attempt's time, so that what is planted and what is written agree to the
//! millisecond.

mod attackers;
mod attempt;
mod envelopes;
mod lines;
mod names;
mod oracle;
mod population;
mod shop;

use std::net::IpAddr;

use attackers::Act;
pub(crate) use oracle::Busiest;
use population::Population;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

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

/// One Kinesis item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When it reached the stream.
    pub(crate) arrival_ms: i64,
    /// The gzip of a CloudWatch `DATA_MESSAGE` envelope.
    pub(crate) data: Vec<u8>,
}

/// A simulated world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// What was planted, in the order it is told.
    pub(crate) planted: Vec<Planted>,
    /// The stream's records, sorted by arrival.
    pub(crate) records: Vec<Record>,
}

/// The numbers that make a world big or small. The tests use a small one.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Home and mobile addresses customers come from.
    sources: u32,
    /// Customers with an account.
    accounts: u32,
    /// Visits an hour in which a customer logs in, averaged over a day.
    visits_per_hour: u32,
    /// Invocations an hour of the functions nobody logs in to, averaged over a day.
    errands_per_hour: u32,
}

/// The demo's shop: 600,000 visits a day. Four hours from 7:00 are about 446,000 log events, 55,000
/// records, 122 MB before gzip and 45 MB after.
const SHOP: Scale =
    Scale { sources: 30_000, accounts: 60_000, visits_per_hour: 25_000, errands_per_hour: 10_000 };

/// Simulates the shop.
pub(crate) fn simulate(plan: &Plan) -> World {
    simulate_at(plan, &SHOP)
}

fn simulate_at(plan: &Plan, scale: &Scale) -> World {
    let days = Days::of(plan);
    let population = Population::new(scale);
    let acts = attackers::acts(plan.seed, days, &population);
    let planted = acts.iter().map(planted).collect();

    let mut attempts = population.visits(plan.seed, days, scale);
    attempts.extend(acts.into_iter().flat_map(|act| act.attempts));
    attempts.sort_by_key(|attempt| attempt.time_ms);

    World { planted, records: shop::records(plan.seed, days, scale, &attempts) }
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

fn strand(seed: u64, strand: Strand) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match strand {
        Strand::Visits => 0,
        Strand::Act(act) => 0x100 + u64::from(act),
        Strand::Group(group) => 0x200 + u64::from(group),
    });
    rng
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what does not parse fails the test")]
mod tests;
