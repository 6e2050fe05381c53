//! The shared state under everything that can go wrong, by seed. What must hold is in the simulator's
//! laws; here are the seeds, the replay of one, and the controls: each safeguard switched off must
//! break its law on some of the seeds on which the whole protocol breaks none.
//!
//! `TIDEWATCH_SEEDS=0..100000` plays a range, `TIDEWATCH_SEED=7` replays one with its trace:
//! `TIDEWATCH_SEED=7 cargo test --release -p tidewatch-tests --test simulation -- replay --nocapture`.
//! With `TIDEWATCH_WITHOUT=whole_batch_guard`, or another name of [`CONTROLS`], it is replayed as that
//! control plays it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tidewatch_core::safeguards::Guard;
use tidewatch_core::time::Span;
use tidewatch_tests::binary::root;
use tidewatch_tests::plain_table::PlainTable;
use tidewatch_tests::simulator::executor::{Executor, Stopped};
use tidewatch_tests::simulator::figures::Figures;
use tidewatch_tests::simulator::laws::{Broken, Law};
use tidewatch_tests::simulator::table::{Items, ModelTable};
use tidewatch_tests::simulator::trace::Trace;
use tidewatch_tests::simulator::weather::{Chance, Level, Stream, Weather};
use tidewatch_tests::simulator::{Run, Setup, run};
use tidewatch_tests::table_contract::{agree, contract};

/// Seeds played where nobody asks for others.
const SEEDS: Range<u64> = 0..1_500;

/// Seeds each control is given, until enough of them have gone red.
const CONTROL_SEEDS: Range<u64> = 0..1_000;

/// Red seeds that are enough.
const CONTROL_RED: usize = 3;

/// A seed played often between two lines of progress.
const PROGRESS: u64 = 10_000;

/// Failing seeds that are told one by one.
const FAILURES_TOLD: usize = 20;

/// A name, a change of the setup, and laws.
type Control = (&'static str, fn(&mut Setup), &'static [Law]);

/// Each safeguard switched off, what that does to the setup, and the laws it must break.
const CONTROLS: [Control; 13] = [
    ("whole_batch_guard", |s| s.safeguards.guard = Guard::WholeBatch, &[Law::Counts]),
    ("no_guard", |s| s.safeguards.guard = Guard::None, &[Law::Counts]),
    ("blind_writes", |s| s.safeguards.compare_and_set = false, &[Law::Counts]),
    ("no_event_ring", |s| s.safeguards.event_ring = false, &[Law::Counts]),
    ("no_claim", |s| s.safeguards.claim = false, &[Law::OneUid, Law::Closed]),
    (
        "confirm_first",
        |s| s.safeguards.publish_before_confirm = false,
        &[Law::Published, Law::Closed],
    ),
    ("judge_fresh_only", |s| s.safeguards.judge_always = false, &[Law::Published]),
    ("no_tombstones", |s| s.safeguards.tombstones = false, &[Law::OneUid, Law::Planted]),
    (
        "acknowledge_all",
        |s| s.safeguards.partial_acknowledgement = false,
        &[Law::Counts, Law::Published],
    ),
    ("sketch_late", |s| s.safeguards.sketch_before_share = false, &[Law::Counts]),
    ("forget_firsts", |s| s.safeguards.keep_firsts = false, &[Law::Counts]),
    ("two_at_once", |s| (s.parallel_more, s.level) = (1, None), &[Law::Counts]),
    ("no_overlap", |s| (s.rotates, s.overlap) = (Some(true), Some(Span(0))), &[Law::Counts]),
];

/// Says which seed it was if a run panics.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", replay_command(self.0));
        }
    }
}

fn replay_command(seed: u64) -> String {
    format!(
        "seed {seed} fails; replay it with: TIDEWATCH_SEED={seed} cargo test --release \
         -p tidewatch-tests --test simulation -- replay --nocapture"
    )
}

fn told(broken: &[Broken]) -> String {
    let lines = broken.iter().map(|broken| format!("  {:?}: {}", broken.law, broken.what));
    lines.collect::<Vec<_>>().join("\n")
}

fn play(seed: u64, setup: &Setup) -> Run {
    let _playing = Playing(seed);
    run(seed, setup)
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

/// Nanoseconds this thread has been on a CPU, where the system says.
fn cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Plays all seeds on all CPUs, and gives the figures, the CPU seconds, and what broke.
fn play_all(seeds: Range<u64>) -> (Figures, f64, BTreeMap<u64, Vec<Broken>>) {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let (played, failing) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let work = |worker: u64| {
        let (mut figures, mut failed) = (Figures::default(), BTreeMap::new());
        for seed in seeds.clone().filter(|seed| seed % workers == worker) {
            let run = play(seed, &Setup::default());
            figures.add(run.figures);
            if !run.broken.is_empty() {
                failing.fetch_add(1, Ordering::Relaxed);
                failed.insert(seed, run.broken);
            }
            let played = played.fetch_add(1, Ordering::Relaxed) + 1;
            if played.is_multiple_of(PROGRESS) {
                let per_s = played as f64 / began.elapsed().as_secs_f64();
                let failing = failing.load(Ordering::Relaxed);
                eprintln!("{played} seeds, {per_s:.0} a second, {failing} fail");
            }
        }
        let cpu_s = cpu_ns().map_or(began.elapsed().as_secs_f64(), |ns| ns as f64 / 1e9);
        (figures, cpu_s, failed)
    };
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        let mut all = (Figures::default(), 0.0, BTreeMap::new());
        for thread in threads {
            let (figures, cpu_s, failed) = thread.join().expect("a run panicked");
            all.0.add(figures);
            all.1 += cpu_s;
            all.2.extend(failed);
        }
        all
    })
}

#[test]
fn every_seed_keeps_every_law() {
    let asked = std::env::var("TIDEWATCH_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |text| range(&text).expect("TIDEWATCH_SEEDS is FROM..TO"));
    let number = seeds.end - seeds.start;
    let (figures, cpu_s, failed) = play_all(seeds);
    eprintln!("{figures}{number} runs, {:.0} a CPU-second", number as f64 / cpu_s);
    let told: Vec<String> = failed
        .iter()
        .take(FAILURES_TOLD)
        .map(|(seed, broken)| format!("seed {seed}\n{}", told(broken)))
        .collect();
    if let Some(seed) = failed.keys().next() {
        let mut laws: BTreeMap<Law, u64> = BTreeMap::new();
        let of_seeds = failed.values().map(|broken| broken.iter().map(|one| one.law));
        let of_seeds = of_seeds.map(|of_seed| of_seed.collect::<BTreeSet<Law>>());
        of_seeds.flatten().for_each(|law| *laws.entry(law).or_default() += 1);
        eprintln!("failing seeds by law: {laws:?}");
        let (failed, told) = (failed.len(), told.join("\n"));
        panic!("{failed} of {number} seeds fail, the first:\n{told}\n{}", replay_command(*seed));
    }
}

#[test]
fn replay() {
    let Ok(seed) = std::env::var("TIDEWATCH_SEED") else { return };
    let seed = seed.parse().expect("TIDEWATCH_SEED is a number");
    let setup = match std::env::var("TIDEWATCH_WITHOUT") {
        Ok(name) => control_of(&name).0,
        Err(_) => Setup::default(),
    };
    let run = play(seed, &Setup { traced: true, ..setup });
    println!("{}", run.trace);
    assert!(run.broken.is_empty(), "seed {seed} breaks\n{}", told(&run.broken));
}

#[test]
fn the_model_keeps_the_contract_of_the_table() {
    for index_lag_ms_max in [0, 500] {
        let mut executor = Executor::new(1_700_000_000_000);
        let clock = executor.clock();
        let chance = Chance::new(1, Stream::Weather);
        let calm = Weather::new(clock.clone(), chance, Some(Level::Calm));
        let parts = (clock.clone(), calm, Trace::new(clock.clone(), false));
        let table = move || {
            let items = Arc::new(Mutex::new(Items::new(index_lag_ms_max)));
            ModelTable::new(items, parts.clone(), "contract".to_owned(), Arc::default())
        };
        let done = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&done);
        clock.spawn(async move {
            contract(&table()).await;
            for seed in 0..50 {
                agree(&table(), &PlainTable::default(), seed).await;
            }
            counted.store(1, Ordering::Relaxed);
        });
        assert_eq!(executor.run(10_000_000), Stopped::Idle);
        assert_eq!(done.load(Ordering::Relaxed), 1, "the contract did not come to its end");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let traced = Setup { traced: true, ..Setup::default() };
    for seed in 0..60 {
        let (first, second) = (play(seed, &traced), play(seed, &traced));
        assert!(first.trace.lines().count() > 20, "seed {seed} has hardly a trace");
        assert!(first.trace == second.trace, "seed {seed} gives two traces");
        assert_eq!(first.broken, second.broken);
    }
}

/// Plays seeds without a safeguard until some law of `laws` has broken a few times, and holds that on
/// these seeds the whole protocol breaks none.
fn control(name: &str) {
    let (setup, laws) = control_of(name);
    let mut red = Vec::new();
    let mut played = 0;
    for seed in CONTROL_SEEDS {
        played += 1;
        let broken = play(seed, &setup).broken;
        let Some(first) = broken.into_iter().find(|broken| laws.contains(&broken.law)) else {
            continue;
        };
        let sound = Setup { level: setup.level, rotates: setup.rotates, ..Setup::default() };
        let sound = play(seed, &sound).broken;
        assert_eq!(sound, [], "seed {seed} is red with all safeguards on");
        red.push((seed, first));
        if red.len() == CONTROL_RED {
            break;
        }
    }
    eprintln!("{played} seeds, red: {red:#?}");
    assert!(!red.is_empty(), "none of {played} seeds breaks one of {laws:?}: {setup:?}");
}

/// The setup of a control, and the laws it must break.
fn control_of(name: &str) -> (Setup, &'static [Law]) {
    let known = CONTROLS.iter().find(|(of, ..)| *of == name);
    let (_, change, laws) = known.unwrap_or_else(|| panic!("no control is called {name}"));
    let mut setup = Setup { level: Some(Level::Wild), ..Setup::default() };
    change(&mut setup);
    (setup, laws)
}

#[test]
fn blind_writes_miscount() {
    control("blind_writes");
}

#[test]
fn a_guard_for_the_whole_batch_miscounts() {
    control("whole_batch_guard");
}

#[test]
fn no_guard_miscounts() {
    control("no_guard");
}

#[test]
fn without_the_ring_copies_are_counted() {
    control("no_event_ring");
}

#[test]
fn a_start_of_ones_own_gives_two_uids() {
    control("no_claim");
}

#[test]
fn confirming_before_publishing_loses_findings() {
    control("confirm_first");
}

#[test]
fn judging_only_fresh_writes_loses_findings() {
    control("judge_fresh_only");
}

#[test]
fn without_tombstones_an_episode_begins_twice() {
    control("no_tombstones");
}

#[test]
fn acknowledging_the_whole_batch_loses_events() {
    control("acknowledge_all");
}

#[test]
fn a_sketch_after_the_share_loses_names() {
    control("sketch_late");
}

#[test]
fn a_last_sighting_for_a_first_one_forgets_who_is_known() {
    control("forget_firsts");
}

#[test]
fn two_batches_of_a_shard_at_once_miscount() {
    control("two_at_once");
}

#[test]
fn a_key_replaced_at_once_miscounts() {
    control("no_overlap");
}

#[test]
fn the_seeds_of_the_page_go_wrong_as_it_says() {
    let page = std::fs::read_to_string(root().join("SHARED-STATE.md")).expect("the page");
    for (name, ..) in CONTROLS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` | ")));
        let seed = row.and_then(|row| row.split(" | ").nth(2)?.trim().parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| panic!("the page has no seed for {name}"));
        let (setup, laws) = control_of(name);
        let broken = play(seed, &setup).broken;
        assert!(broken.iter().any(|one| laws.contains(&one.law)), "{name}: seed {seed} is green");
    }
}
