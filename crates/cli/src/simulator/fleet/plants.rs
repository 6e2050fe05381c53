//! What may be planted in a fleet, each in one function.

use rand::Rng;

use super::functions::Function;
use super::{HOUR_MS, MINUTE_MS, Plan, strand};

/// A fleet with a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// As it is asked for.
    pub(crate) name: &'static str,
    /// What it shows, in one sentence.
    pub(crate) what: &'static str,
    /// How long its world lasts unless told otherwise: a week and more, for the seasons.
    pub(crate) hours: u32,
}

const fn fleet(name: &'static str, what: &'static str) -> Scenario {
    Scenario { name, what, hours: 8 * 24 }
}

/// All that can be asked for, in the order they are listed.
pub(crate) const FLEETS: [Scenario; 10] = [
    fleet("lambda-quiet", "Lambda functions with daily and weekly season, and deployments."),
    fleet("lambda-spike", "The same, and one runs 12 times as often for two hours."),
    fleet("lambda-slow", "The same, and a new version of one takes 30 s instead of 3 s."),
    fleet("lambda-creep", "The same, and one runs 2 % more often each day."),
    fleet("lambda-recursion", "The same, and one calls itself, twice as often each minute."),
    fleet("lambda-errors", "The same, and for an hour two of three invocations of one fail."),
    fleet("lambda-silent", "The same, and one is not called any more."),
    fleet("lambda-wallet", "The same, and one principal calls one 12 times as often as all do."),
    fleet(
        "lambda-rider",
        "The same, and for three hours one customer calls one a third as often as all do.",
    ),
    fleet(
        "lambda-customer",
        "The same, and the largest customer calls one a tenth more often each day.",
    ),
];

/// The scenario of that name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    FLEETS.iter().find(|scenario| scenario.name == name)
}

/// What was planted.
#[derive(Clone, Debug)]
pub(super) struct Plant {
    pub(super) scenario: &'static str,
    pub(super) what: &'static str,
    /// Its place in the fleet.
    pub(super) function: usize,
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    /// Who drives it, if somebody does.
    pub(super) principal: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Spike,
    Slow,
    Creep,
    Recursion,
    Errors,
    Silent,
    Wallet,
    Rider,
    Customer,
}

/// What is different in a minute.
#[derive(Clone, Debug)]
pub(super) struct Now<'p> {
    /// The share of the usual invocations that there are.
    pub(super) kept: f64,
    /// Invocations besides.
    pub(super) more: Option<More<'p>>,
    /// How much longer they take.
    pub(super) slower: f64,
    /// The share that fails, if another than usual.
    pub(super) error_share: Option<f64>,
}

/// Invocations besides the usual ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct More<'p> {
    /// So many times the usual ones.
    pub(super) times: f64,
    /// And so many a minute.
    pub(super) a_minute: f64,
    /// Whose they are.
    pub(super) principal: Option<&'p str>,
}

/// How long a regression makes half of the invocations take, before and after.
const SLOW_MS: [f64; 2] = [3_000.0, 30_000.0];

/// The most a loop runs a minute: where its concurrency ends.
const LOOP_A_MINUTE: f64 = 3_000.0;

/// How often a free rider calls, by how often all do.
const RIDES: f64 = 1.0 / 3.0;

/// What the largest customer has of all calls.
const CUSTOMERS_SHARE: f64 = 0.136;

/// Plants what the scenario says, in one of the three busiest functions.
pub(super) fn plant(plan: &Plan, end_ms: i64, functions: &mut [Function]) -> Option<Plant> {
    let kind = match plan.scenario.name {
        "lambda-spike" => Kind::Spike,
        "lambda-slow" => Kind::Slow,
        "lambda-creep" => Kind::Creep,
        "lambda-recursion" => Kind::Recursion,
        "lambda-errors" => Kind::Errors,
        "lambda-silent" => Kind::Silent,
        "lambda-wallet" => Kind::Wallet,
        "lambda-rider" => Kind::Rider,
        "lambda-customer" => Kind::Customer,
        _ => return None,
    };
    let mut chance = strand(plan.seed, 3);
    let any = chance.random_range(0..functions.len().min(3));
    let function = match kind {
        // A customer matters where it costs.
        Kind::Rider | Kind::Customer => dearest(functions),
        _ => any,
    };
    let length_ms = end_ms - plan.start_ms;
    // In the last quarter of the world, so that there is something to compare with, on a full minute.
    let begins_early = matches!(kind, Kind::Creep | Kind::Customer);
    let share = if begins_early { 0.25 } else { chance.random_range(0.78..0.9) };
    let from_ms = plan.start_ms + (length_ms as f64 * share) as i64 / MINUTE_MS * MINUTE_MS;
    let lasts_ms = match kind {
        Kind::Spike | Kind::Wallet => 2 * HOUR_MS,
        Kind::Errors => HOUR_MS,
        Kind::Recursion => 30 * MINUTE_MS,
        Kind::Rider => 3 * HOUR_MS,
        Kind::Slow | Kind::Creep | Kind::Silent | Kind::Customer => length_ms,
    };
    if kind == Kind::Slow {
        let slow = &mut functions[function];
        slow.median_ms = SLOW_MS[0];
        let version = slow.deployments.last().map_or(1, |(_, version)| version + 1);
        slow.deployments.retain(|(at_ms, _)| *at_ms < from_ms);
        slow.deployments.push((from_ms, version));
    }
    let name = |chance: &mut rand_chacha::ChaCha8Rng| {
        format!("tenant-{:04}", chance.random_range(9_000..10_000))
    };
    let principal = match kind {
        Kind::Wallet => Some(name(&mut chance)),
        // One of those who ask now and then, and the one who asks most.
        Kind::Rider => Some(format!("tenant-{:04}", chance.random_range(20..80))),
        Kind::Customer => Some("tenant-0000".to_owned()),
        _ => None,
    };
    Some(Plant {
        scenario: plan.scenario.name,
        what: plan.scenario.what,
        function,
        from_ms,
        until_ms: end_ms.min(from_ms + lasts_ms),
        principal,
        kind,
    })
}

/// Which of the three busiest functions takes most memory and time.
fn dearest(functions: &[Function]) -> usize {
    let takes = |of: &Function| of.per_day * of.median_ms * f64::from(of.memory_mb);
    let busiest = functions.iter().take(3).enumerate();
    busiest.max_by(|a, b| takes(a.1).total_cmp(&takes(b.1))).map_or(0, |(at, _)| at)
}

impl<'p> Now<'p> {
    /// What `plant` makes of a minute.
    pub(super) fn of(plant: Option<&'p Plant>, minute: i64) -> Now<'p> {
        let mut now = Now { kept: 1.0, more: None, slower: 1.0, error_share: None };
        let within = |plant: &&Plant| (plant.from_ms..plant.until_ms).contains(&minute);
        let Some(plant) = plant.filter(within) else { return now };
        let more =
            |times, a_minute| Some(More { times, a_minute, principal: plant.principal.as_deref() });
        let minutes = (minute - plant.from_ms) / MINUTE_MS;
        match plant.kind {
            // Eleven more make twelve.
            Kind::Spike | Kind::Wallet => now.more = more(11.0, 0.0),
            Kind::Slow => now.slower = SLOW_MS[1] / SLOW_MS[0],
            Kind::Rider => now.more = more(RIDES, 0.0),
            Kind::Customer => {
                let days = minutes as f64 / 1_440.0;
                now.more = more(CUSTOMERS_SHARE * (1.1f64.powf(days) - 1.0), 0.0);
            }
            Kind::Creep => {
                let days = minutes as f64 / 1_440.0;
                now.more = more(1.02f64.powf(days) - 1.0, 0.0);
            }
            Kind::Recursion => {
                let doubled = 2f64.powf(minutes as f64).min(LOOP_A_MINUTE);
                now.more = more(0.0, doubled);
            }
            Kind::Errors => now.error_share = Some(2.0 / 3.0),
            Kind::Silent => now.kept = 0.0,
        }
        now
    }
}
