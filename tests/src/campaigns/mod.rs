//! Whole days of a shop with planted attacks and planted innocents, through the real core with all shipped
//! detectors: how many of the attacks are found, how soon, and what is raised about people who did nothing.
//!
//! `cargo run --release -p tidewatch-tests --bin campaigns` prints the tables. The command line's simulator
//! writes one of each attack as bytes for whoever tries detectors out; here each has many sizes and paces, also
//! such as nobody could find, so that a number says how good a set of detectors is.
//!
//! The way of a day: customers ([`people`]), what looks like an attack ([`innocents`]) and attacks ([`attacks`],
//! paced by [`laws`]) make tries ([`world`]); these become signals, or lines that are read, and are played
//! ([`play`]); findings are matched with what was planted ([`score`]), attacks being asked for from a stated
//! [`bound`] on, and false ones told with the traffic [`behind`] them; [`table`] tells it.

pub mod agents;
pub mod attacks;
pub mod behind;
pub mod bound;
pub mod crowd;
pub mod innocents;
pub mod laws;
pub mod people;
pub mod play;
pub mod score;
pub mod systems;
pub mod table;
pub mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tidewatch_core::detector::Detector;

use attacks::Attack;
use innocents::Innocent;
use score::Score;
use world::{DAY_MS, Try, strand};

/// One simulated day.
pub struct Day {
    /// What it was made of.
    pub seed: u64,
    /// All tries, in order of time.
    pub tries: Vec<Try>,
    /// Who attacks.
    pub attacks: Vec<Attack>,
    /// Who only looks so.
    pub innocents: Vec<Innocent>,
    /// Addresses that are customers' homes.
    pub homes: u64,
}

impl Day {
    /// The day of a seed.
    pub fn new(seed: u64, logins_per_day: u64) -> Day {
        let shop = people::Shop::new(logins_per_day, &mut strand(seed, 0));
        let names = laws::Names::new();
        let mut tries = shop.day(&mut strand(seed, 1));
        let innocents = innocents::of_a_day(&shop, &names, &mut strand(seed, 2));
        let attacks = attacks::of_a_day(&shop, &names, &mut strand(seed, 3));
        tries.extend(innocents.iter().flat_map(|innocent| &innocent.tries));
        tries.extend(attacks.iter().flat_map(|attack| &attack.tries));
        tries.retain(|tried| (0..DAY_MS).contains(&tried.ms));
        tries.sort_by_key(|tried| tried.ms);
        Day { seed, tries, attacks, innocents, homes: shop.homes() }
    }
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The first day's seed; the others follow.
    pub seed: u64,
    /// How many days.
    pub days: u64,
    /// How many logins customers make in one.
    pub logins_per_day: u64,
    /// By how much thresholds are multiplied, in turn.
    pub scales: &'a [f64],
    /// Whether tries are written as log lines and read, not handed over as signals.
    pub reads_bytes: bool,
    /// How many days at a time.
    pub threads: usize,
}

/// Plays all days with all scales, and gives a score for each scale.
pub fn run(run: Run<'_>, detectors: &[Detector]) -> Vec<Score> {
    let next = AtomicU64::new(0);
    let scores: Mutex<Vec<Score>> =
        Mutex::new(run.scales.iter().map(|scale| Score::new(*scale)).collect());
    std::thread::scope(|scope| {
        for _ in 0..run.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= run.days {
                        return;
                    }
                    let of_day = one_day(run.seed + nth, run, detectors);
                    let mut scores = scores.lock().expect("no player panics holding it");
                    scores.iter_mut().zip(of_day).for_each(|(all, day)| all.add(day));
                }
            });
        }
    });
    scores.into_inner().expect("no player panics holding it")
}

fn one_day(seed: u64, run: Run<'_>, detectors: &[Detector]) -> Vec<Score> {
    let day = Day::new(seed, run.logins_per_day);
    let signals = match run.reads_bytes {
        true => play::read(&play::lines(&day.tries)),
        false => play::signals(&day.tries),
    };
    let traffic = bound::Traffic::of(&day.tries);
    let of_scale = |scale: &f64| {
        let scaled = play::scaled(detectors, *scale);
        let told = play::play(&signals, scaled.clone());
        Score::of_day(*scale, &day, &traffic, &told, &scaled)
    };
    run.scales.iter().map(of_scale).collect()
}
