//! Simulated spend: the dollars that functions cost in panes of five minutes, with days, weekends, holidays,
//! deployments and jobs; and what is planted in it. Nothing here is taken from a real account; amounts and shapes
//! are assumptions, stated where they stand. Everything follows from a seed. `cargo run --release -p
//! tidewatch-tests --bin spend` prints what becomes of it.

pub mod planted;
pub mod seldom;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::series::{DOLLARS, Gap, PANE, Series, creep, episode, weigh};

use crate::nab::clean::{WEEK_PANES, busy, normal};

/// Panes in a day.
pub const DAY_PANES: usize = WEEK_PANES / 7;

/// What one function costs without anything wrong.
#[derive(Clone, Debug)]
pub struct Function {
    /// Dollars in a pane on average: from a cent to thirty dollars an hour, as many in each tenfold.
    pub level: f64,
    /// How much of it follows the day; a shop's is 1.
    season: f64,
    /// Dollars an invocation: what comes one by one makes small functions uneven.
    each: f64,
    /// The spread of what invocations cost together, in a pane.
    noise: f64,
    /// Panes between runs, and how many panes one takes, of a function that is a job.
    job: Option<(usize, usize)>,
    /// The first panes of days on which hardly anybody shops.
    holidays: Vec<usize>,
    /// The panes of deployments, and by what each multiplies the cost from then on.
    deployments: Vec<(usize, f64)>,
    random: ChaCha8Rng,
}

/// Findings about a fleet without anything wrong: of seed, and what was told.
pub fn innocent(seeds: std::ops::Range<u64>, weeks: usize) -> Vec<(u64, Finding)> {
    let of = |seed: u64| {
        let mut function = Function::new(seed, weeks);
        let findings = findings((0..weeks * WEEK_PANES).map(|pane| function.dollars(pane)));
        findings.into_iter().map(move |finding| (seed, finding))
    };
    seeds.flat_map(of).collect()
}

impl Function {
    /// One of a fleet: of twenty, one is an hourly job, two are nightly ones, and seventeen serve people. Each week
    /// has a deployment that changes costs by up to a twelfth, and each month two holidays.
    pub fn new(seed: u64, weeks: usize) -> Function {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let job = match seed % 20 {
            0 => Some((12, 2)),
            1 | 2 => Some((DAY_PANES, 3 + seed as usize % 5)),
            _ => None,
        };
        let level = 10f64.powf(random.random_range(-3.1..0.4));
        let days = weeks * 7;
        let holidays = (0..days.div_ceil(14)).map(|at| at * 14 + random.random_range(0..14));
        let holidays = holidays.map(|day| day * DAY_PANES).collect();
        let deployments = (0..weeks).map(|week| {
            let pane = week * WEEK_PANES + random.random_range(0..WEEK_PANES);
            (pane, random.random_range(0.92..1.085))
        });
        let deployments = deployments.collect();
        Function {
            level,
            season: random.random_range(0.0..1.0),
            each: level / 10f64.powf(random.random_range(0.5..4.0)),
            noise: random.random_range(0.02..0.2),
            job,
            holidays,
            deployments,
            random,
        }
    }

    /// What it costs in a pane; asked in order.
    pub fn dollars(&mut self, pane: usize) -> f64 {
        let deployed = self.deployments.iter().take_while(|(at, _)| *at <= pane);
        let (mut factor, mut cold) = (1.0, 1.0);
        for (at, times) in deployed {
            factor *= times;
            // New environments for ten minutes.
            cold = if pane - at < 2 { 1.3 } else { 1.0 };
        }
        let noise = (self.noise * normal(&mut self.random)).exp();
        if let Some((every, takes)) = self.job {
            // A run begins up to a pane early or late.
            let shift = (pane / every).wrapping_mul(2_654_435_761) % 3;
            let runs = (pane + shift) % every < takes;
            return if runs { self.level * 12.0 * factor * noise } else { 0.0 };
        }
        let day = 1.0 - self.season + self.season * busy(pane);
        let holiday = self.holidays.iter().any(|day| (*day..day + DAY_PANES).contains(&pane));
        let load = day * if holiday { 1.0 - 0.6 * self.season } else { 1.0 };
        let calls = load * self.level / self.each;
        let calls = (calls + calls.sqrt() * normal(&mut self.random)).round().max(0.0);
        calls * self.each * factor * cold * noise
    }
}

/// How far off a month of 30 days is that is projected at the end of each of its days from the second on, of what it
/// comes to, by the days before it too: `known` of them. Nothing of a function that costs nothing.
pub fn projected(seed: u64, known: usize) -> Vec<f64> {
    let (weeks, month) = ((known + 30).div_ceil(7), 30 * DAY_PANES);
    let mut function = Function::new(seed, weeks + 1);
    let first = known * DAY_PANES;
    let dollars: Vec<f64> = (0..first + month).map(|pane| function.dollars(pane)).collect();
    let total: f64 = dollars[first..].iter().sum();
    let mut series = Series::new(PANE, Gap::Zero);
    let mut errors = Vec::new();
    for (pane, dollars) in dollars.iter().enumerate() {
        series.close(pane as i64, Some(*dollars)).expect("in order");
        let over = pane + 1;
        if over % DAY_PANES == 0 && over > first + DAY_PANES && total > 0.0 {
            let ahead = series.ahead(pane as i64, (first + month) as i64).expect("a day");
            let spent = series.sum(first as i64, pane as i64);
            errors.push((spent + ahead.sum()) / total - 1.0);
        }
    }
    errors
}

/// Something that was told about a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// In which pane.
    pub pane: usize,
    /// Whether the days before it creep, and not the pane itself.
    pub creeps: bool,
}

/// Findings about some dollars, pane after pane, by [`DOLLARS`].
pub fn findings(dollars: impl Iterator<Item = f64>) -> Vec<Finding> {
    let mut series = Series::new(PANE, Gap::Zero);
    let (mut episode, mut creeping) = (None, None::<usize>);
    let mut findings = Vec::new();
    for (pane, dollars) in dollars.enumerate() {
        series.close(pane as i64, Some(dollars)).expect("in order");
        let weighed = weigh(&series, &DOLLARS).expect("measured");
        if let Some((news, told)) = episode::news(episode, &weighed, PANE) {
            episode = Some(told);
            if news == episode::News::Opens {
                findings.push(Finding { pane, creeps: false });
            }
        }
        if weighed.raised.creeps {
            let lasts = creep::LASTS_DAYS as usize * DAY_PANES;
            if creeping.is_none_or(|last| pane - last > lasts) {
                findings.push(Finding { pane, creeps: true });
            }
            creeping = Some(pane);
        }
    }
    findings
}
