//! Functions that are invoked so seldom that no pane of five minutes has ten invocations: how often the shipped detector
//! of durations is wrong about them, and how soon it finds ten times the duration. Amounts and shapes are assumptions, as of
//! [`super`]: durations are log-normal, each thirtieth ten times as long, and each week a deployment changes them by up to
//! a twelfth.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::invocation::{Ending, Invocation, Report};
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::meter::tariff::Terms;
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::detector::{Number, SpendDetector};
use tidewatch_core::spend::watch::{Prices, Watch};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};

use crate::nab::clean::{WEEK_PANES, busy, normal};

const MINUTE_MS: f64 = 60_000.0;
const HOUR_MS: f64 = 60.0 * MINUTE_MS;
const PANE_MS: f64 = 5.0 * MINUTE_MS;
const WEEK_MS: f64 = WEEK_PANES as f64 * PANE_MS;

/// A Monday.
const START: Time = Time(1_767_571_200_000);

/// How long one of ten of these takes than the others do.
const TAIL_TIMES: f64 = 10.0;

/// One function.
struct Seldom {
    /// Invocations an hour by day.
    an_hour: f64,
    /// How much of it follows the day.
    season: f64,
    /// The middle duration, and the spread of the logarithm.
    ms: f64,
    spread: f64,
    /// How many of all take far longer.
    tail: f64,
    /// When a version is deployed, and by what it multiplies durations.
    deployments: Vec<(f64, f64)>,
}

impl Seldom {
    fn new(random: &mut ChaCha8Rng, weeks: usize) -> Seldom {
        let deployments = (0..weeks).map(|week| {
            let at = (week as f64 + random.random::<f64>()) * WEEK_MS;
            (at, random.random_range(0.92..1.085))
        });
        let deployments = deployments.collect();
        Seldom {
            an_hour: 10f64.powf(random.random_range(0.6..2.05)),
            season: random.random_range(0.0..1.0),
            ms: 10f64.powf(random.random_range(1.7..4.0)),
            spread: random.random_range(0.1..0.9),
            tail: if random.random::<f64>() < 0.5 { 1.0 / 30.0 } else { 0.0 },
            deployments,
        }
    }

    fn duration_ms(&self, at: f64, random: &mut ChaCha8Rng) -> f64 {
        let deployed = self.deployments.iter().take_while(|(from, _)| *from <= at);
        let factor: f64 = deployed.map(|(_, times)| times).product();
        let tail = if random.random::<f64>() < self.tail { TAIL_TIMES } else { 1.0 };
        self.ms * factor * tail * (self.spread * normal(random)).exp()
    }
}

/// The shipped detector of durations, alone.
fn watch() -> Watch {
    let shipped = tidewatch_rules::load_spending(tidewatch_rules::shipped()).expect("shipped");
    let of_durations = |rule: &SpendDetector| rule.of == Number::DurationP50;
    let detectors: Vec<SpendDetector> = shipped.into_iter().filter(of_durations).collect();
    assert_eq!(detectors.len(), 1, "{detectors:?}");
    let (file, text) = tidewatch_rules::prices::shipped_prices();
    let prices = tidewatch_rules::prices::prices(&file, &text).expect("shipped");
    let tariff = prices.region("us-east-1").expect("a region").clone();
    let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
    Watch::new(detectors, Prices { tariff, terms: Arc::new(|_| Terms::default()) }, ledger)
}

fn report(nth: u64, at_ms: f64, ms: f64, stream: &Arc<LogStream>) -> Signal {
    let ms = ms.clamp(1.0, 900_000.0);
    let report = Report {
        duration_us: (ms * 1e3) as u32,
        billed_ms: ms.ceil() as u32,
        memory_mb: 512,
        used_mb: 100,
        cold_us: None,
    };
    let invocation = Invocation { request: None, ending: Ending::Finished, report: Some(report) };
    Signal {
        time: START.plus(Span(at_ms as i64)),
        event: TagKey::new([2; 16]).event(0, &nth.to_be_bytes()),
        origin: Origin { stream: Arc::clone(stream), id: EventId::Offset(nth) },
        body: Body::Invocation(invocation),
    }
}

/// What is told of invocations at some times, each of so many milliseconds.
fn told(invocations: impl Iterator<Item = (f64, f64)>) -> Vec<Finding> {
    let stream = Arc::new(LogStream {
        account: "123456789012".to_owned(),
        group: "/aws/lambda/seldom".to_owned(),
        stream: "2026/01/05/[1]5f".to_owned(),
    });
    let mut watch = watch();
    let signals = (0..).zip(invocations).map(|(nth, (at, ms))| report(nth, at, ms, &stream));
    let mut told: Vec<Finding> = signals.flat_map(|signal| watch.observe(&signal)).collect();
    told.extend(watch.ended());
    told.retain(|finding| finding.activity == Activity::Create);
    told
}

/// What is opened about functions of which nothing is wrong: the seed, and after how many hours.
pub fn innocent(seeds: std::ops::Range<u64>, weeks: usize) -> Vec<(u64, f64)> {
    let of = |seed: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5e1d);
        let function = Seldom::new(&mut random, weeks);
        let mut at = 0.0;
        let invocations = std::iter::from_fn(move || {
            loop {
                at -= random.random::<f64>().max(1e-12).ln() * HOUR_MS / function.an_hour;
                let share = 1.0 - function.season + function.season * busy((at / PANE_MS) as usize);
                if random.random::<f64>() < share {
                    break;
                }
            }
            (at < weeks as f64 * WEEK_MS).then(|| (at, function.duration_ms(at, &mut random)))
        });
        let hours = |finding: &Finding| (finding.time.0 - START.0) as f64 / HOUR_MS;
        told(invocations).iter().map(|finding| (seed, hours(finding))).collect::<Vec<_>>()
    };
    seeds.flat_map(of).collect()
}

/// How many minutes it takes until three seconds that have become thirty are told, of a function invoked so many times
/// an hour for two days to four weeks; nothing if they are not within six hours, or something else was before.
pub fn longer(seed: u64, an_hour: u32) -> Option<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x10e6);
    let days = random.random_range(2.0..28.0);
    let from = days * 24.0 * HOUR_MS;
    let gap = HOUR_MS / f64::from(an_hour);
    let invocations = (0..).map(move |nth| {
        let at = (f64::from(nth) + random.random::<f64>()) * gap;
        let times = if at < from { 1.0 } else { 10.0 };
        (at, times * 3_000.0 * (0.25 * normal(&mut random)).exp())
    });
    let told = told(invocations.take_while(|(at, _)| *at < from + 6.0 * HOUR_MS));
    let after = (told.first()?.time.0 - START.0) as f64 - from;
    (after > 0.0).then_some((after / MINUTE_MS).ceil() as usize)
}
