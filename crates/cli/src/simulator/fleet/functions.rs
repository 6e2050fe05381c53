//! The functions of a fleet: what each is like, how busy it is when, and when it is deployed.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{DAY_MS, HOUR_MS, Plan, day_and_time, strand};

/// What functions are called; further ones get a number.
const NAMES: [&str; 20] = [
    "checkout-api",
    "search-api",
    "catalog-api",
    "cart-api",
    "login-api",
    "image-resize",
    "pdf-render",
    "order-events",
    "stock-sync",
    "mail-sender",
    "price-feed",
    "report-nightly",
    "webhook-in",
    "geo-lookup",
    "thumbnail",
    "session-gc",
    "export-csv",
    "fraud-score",
    "push-notify",
    "audit-trail",
];

/// One function.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) memory_mb: u32,
    pub(super) architecture: &'static str,
    /// How long half of its invocations take at most.
    pub(super) median_ms: f64,
    /// How much durations spread: the deviation of their logarithms.
    pub(super) spread: f64,
    /// Invocations on an average day.
    pub(super) per_day: f64,
    /// How much traffic follows the day, 0 to 1, and when it is busiest, as a share of the day.
    season: (f64, f64),
    /// How busy a day of the weekend is, compared with others.
    weekend: f64,
    /// The share of invocations that fail.
    pub(super) error_share: f64,
    /// Whether it logs JSON.
    pub(super) is_json: bool,
    /// Whether its runtime writes a status into reports, and type and cause of errors.
    pub(super) tells_status: bool,
    /// Since when each version runs, in order; the first since before the world.
    pub(super) deployments: Vec<(i64, u32)>,
}

/// All functions of the plan.
pub(super) fn fleet(plan: &Plan, end_ms: i64) -> Vec<Function> {
    let ranks: Vec<f64> = (1..=plan.functions.max(1)).map(|rank| 1.0 / f64::from(rank)).collect();
    let all: f64 = ranks.iter().sum();
    let share = |nth: usize| ranks[nth] / all;
    (0..ranks.len())
        .map(|nth| {
            let per_day = f64::from(plan.invocations_per_day) * share(nth);
            function(nth, per_day, plan, end_ms)
        })
        .collect()
}

fn function(nth: usize, per_day: f64, plan: &Plan, end_ms: i64) -> Function {
    let mut chance = strand(plan.seed, 0x1_000_000 + nth as u64);
    let base = NAMES[nth % NAMES.len()];
    let name = match nth / NAMES.len() {
        0 => base.to_owned(),
        more => format!("{base}-{more}"),
    };
    let memory_mb = [128, 256, 512, 1_024, 1_769, 3_008][chance.random_range(0..6usize)];
    let deployments = deployments(plan.start_ms, end_ms, &mut chance);
    Function {
        name,
        memory_mb,
        architecture: if chance.random_bool(0.4) { "arm64" } else { "x86_64" },
        median_ms: 10f64.powf(chance.random_range(0.7..3.2)),
        spread: chance.random_range(0.2..0.7),
        per_day,
        season: (chance.random_range(0.2..0.9), chance.random_range(0.4..0.75)),
        weekend: chance.random_range(0.3..1.1),
        error_share: 10f64.powf(chance.random_range(-4.0..-2.0)),
        is_json: chance.random_bool(0.25),
        tells_status: chance.random_bool(0.7),
        deployments,
    }
}

/// About one a week, on working days between nine and five.
fn deployments(start_ms: i64, end_ms: i64, chance: &mut ChaCha8Rng) -> Vec<(i64, u32)> {
    let mut version = chance.random_range(1..200);
    let mut all = vec![(i64::MIN, version)];
    let mut day = start_ms.div_euclid(DAY_MS) * DAY_MS;
    while day < end_ms {
        let (weekday, _) = day_and_time(day);
        let at_ms = day + 9 * HOUR_MS + chance.random_range(0..8 * HOUR_MS);
        let is_due = chance.random_bool(0.2);
        if weekday < 5 && is_due && (start_ms..end_ms).contains(&at_ms) {
            version += 1;
            all.push((at_ms, version));
        }
        day += DAY_MS;
    }
    all
}

impl Function {
    /// How many invocations are expected in the minute that begins then.
    pub(super) fn per_minute(&self, time_ms: i64) -> f64 {
        let (weekday, of_day) = day_and_time(time_ms);
        let (depth, peak) = self.season;
        let busy = 1.0 + depth * ((of_day - peak) * std::f64::consts::TAU).cos();
        // A week of five days and two of the weekend is seven average ones.
        let weekday_share = 7.0 / (5.0 + 2.0 * self.weekend);
        let day = if weekday < 5 { weekday_share } else { weekday_share * self.weekend };
        self.per_day / 1_440.0 * busy * day
    }

    /// The version that runs then, and for how long it has.
    pub(super) fn version(&self, time_ms: i64) -> (u32, i64) {
        let running = self.deployments.iter().rev().find(|(at_ms, _)| *at_ms <= time_ms);
        running.map_or((1, i64::MAX), |(at_ms, version)| (*version, time_ms.saturating_sub(*at_ms)))
    }
}

/// A number of the standard normal law (Box and Muller, 1958).
pub(super) fn normal(chance: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - chance.random::<f64>(), chance.random());
    (-2.0 * radius.ln()).sqrt() * (angle * std::f64::consts::TAU).cos()
}
