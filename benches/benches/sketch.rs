//! Distinct counts and key states by themselves: our sketch against the `hyperloglogplus` crate used as
//! it comes, in time, bytes and error, and what one event costs a key that is new, busy, or past its list. Bytes are what the
//! allocator handed out, next to what the state says of itself.

use std::alloc::System;
use std::collections::hash_map::RandomState;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Result;
use cap::Cap;
use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};
use tidewatch_benches::clock::{median, timed};
use tidewatch_benches::options::Options;
use tidewatch_benches::{subject, table};
use tidewatch_core::contribution::{Amount, Point, Source};
use tidewatch_core::detector::Severity;
use tidewatch_core::distinct::Room;
use tidewatch_core::episode::Episode;
use tidewatch_core::judge::judge;
use tidewatch_core::key::Key;
use tidewatch_core::key_ring::Generation;
use tidewatch_core::plan::{DetectorId, KeyPlan, Plan};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::shape::Shape;
use tidewatch_core::signal::{Auth, Outcome, Role, SignalKind};
use tidewatch_core::sketch::{PRECISION, PRECISION_MAX, SHARED_PRECISION, Sketch};
use tidewatch_core::state::KeyState;
use tidewatch_core::tag::{EventTag, UserTag};
use tidewatch_core::time::Time;
use tidewatch_core::window::Window;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Numbers of different tags.
const SIZES: [u64; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// Sketches that are estimated, and merged, in one measurement.
const REPEATS: usize = 100;

/// Events of one key state measurement.
const EVENTS: u64 = 100_000;

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let corpus = "SplitMix64 tags; a key with events of one source, 20 ms apart";
    table::heading("sketch", corpus, &[subject::version(), "hyperloglogplus 0.4.1".to_owned()]);
    sketches(options.runs);
    for (name, folder) in
        [("distinct20", subject::yardstick()), ("shipped", subject::root().join("infra/detectors"))]
    {
        keys(name, &subject::plan(&folder)?, options.runs);
    }
    Ok(ExitCode::SUCCESS)
}

type Theirs = HyperLogLogPlus<u64, RandomState>;

/// The shared home's, the memory's, and the largest there is.
const PRECISIONS: [u8; 3] = [SHARED_PRECISION, PRECISION, PRECISION_MAX];

/// What one contender takes: seconds to insert all, to estimate and to merge, each run; bytes; and its
/// relative error with each seed.
#[derive(Default)]
struct Measured {
    seconds: [Vec<f64>; 3],
    bytes: usize,
    errors: Vec<f64>,
}

fn sketches(runs: usize) {
    for precision in PRECISIONS {
        let mut rows = Vec::new();
        for n in SIZES {
            let [mut ours, mut theirs] = [Measured::default(), Measured::default()];
            for _ in 0..runs {
                run_ours(precision, n, &mut ours);
                run_theirs(precision, n, &mut theirs);
            }
            for seed in 1..=seeds(n) {
                errors(precision, n, seed, &mut ours, &mut theirs);
            }
            rows.extend([row("ours", n, ours), row("crate", n, theirs)]);
        }
        let first = format!("precision {precision}, tags");
        let last = "RMS error %";
        table::print(&[&first, "insert ns", "estimate µs", "merge µs", "bytes", last], &rows);
    }
}

/// Sketches that are filled in one measurement: reading the clock takes as long as some insertions.
fn copies(n: u64) -> usize {
    (10_000 / n).max(1) as usize
}

/// Seeds that the error is measured over.
fn seeds(n: u64) -> u64 {
    if n < 1_000_000 { 30 } else { 5 }
}

impl Measured {
    /// Notes what [`copies`] sketches took to fill, and [`REPEATS`] to estimate and to merge.
    fn note(&mut self, n: u64, [insert, estimate, merge]: [f64; 3]) {
        let repeats = REPEATS as f64;
        let each = [insert / copies(n) as f64, estimate / repeats, merge / repeats];
        self.seconds.iter_mut().zip(each).for_each(|(all, each)| all.push(each));
    }
}

fn run_ours(precision: u8, n: u64, measured: &mut Measured) {
    let before = ALLOCATOR.allocated();
    let first = black_box(Sketch::new(precision));
    measured.bytes = ALLOCATOR.allocated() - before;
    let mut fresh = vec![first; copies(n)];
    let insert = timed(|| {
        for sketch in &mut fresh {
            (0..n).filter(|i| sketch.insert(hash(*i))).count();
        }
    });
    let full = vec![fresh.swap_remove(0); REPEATS];
    let estimate = timed(|| black_box(full.iter().map(Sketch::estimate).sum::<f64>()));
    let mut unions = full.clone();
    let merge = timed(|| unions.iter_mut().zip(&full).for_each(|(union, full)| union.merge(full)));
    measured.note(n, [insert.0, estimate.0, merge.0]);
}

fn run_theirs(precision: u8, n: u64, measured: &mut Measured) {
    let new = || Theirs::new(precision, RandomState::new()).expect("a precision it takes");
    let mut fresh: Vec<Theirs> = (0..copies(n)).map(|_| new()).collect();
    let insert = timed(|| {
        for plus in &mut fresh {
            (0..n).for_each(|i| plus.insert_any(&hash(i)));
        }
    });
    let before = ALLOCATOR.allocated();
    let mut first = new();
    (0..n).for_each(|i| first.insert_any(&hash(i)));
    measured.bytes = ALLOCATOR.allocated() - before;
    let full = vec![first; REPEATS];
    // The first count of a sparse one packs what waits: each is counted once.
    let mut counted = full.clone();
    let estimate = timed(|| black_box(counted.iter_mut().map(|plus| plus.count()).sum::<f64>()));
    let mut unions = full.clone();
    let merge = timed(|| {
        let both = unions.iter_mut().zip(&full);
        both.for_each(|(union, full)| union.merge(full).expect("one precision"));
    });
    measured.note(n, [insert.0, estimate.0, merge.0]);
}

/// Both on the same tags; the crate hashes them once more, with a random key.
fn errors(precision: u8, n: u64, seed: u64, ours: &mut Measured, theirs: &mut Measured) {
    let mut sketch = Sketch::new(precision);
    let mut plus = Theirs::new(precision, RandomState::new()).expect("a precision it takes");
    for i in 0..n {
        let tag = hash(seed << 40 | i);
        sketch.insert(tag);
        plus.insert_any(&tag);
    }
    ours.errors.push(sketch.estimate() / n as f64 - 1.0);
    theirs.errors.push(plus.count() / n as f64 - 1.0);
}

fn row(name: &str, n: u64, measured: Measured) -> Vec<String> {
    let Measured { seconds, bytes, errors } = measured;
    let [insert, estimate, merge] = seconds.map(median);
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    vec![
        format!("{name}, {n}"),
        format!("{:.1}", insert / n as f64 * 1e9),
        format!("{:.2}", estimate * 1e6),
        format!("{:.2}", merge * 1e6),
        bytes.to_string(),
        format!("{:.2}", (squares / errors.len() as f64).sqrt() * 100.0),
    ]
}

/// What an event costs a key of each kind.
fn keys(name: &str, plan: &Plan, runs: usize) {
    let mut rows = Vec::new();
    for (kind, history) in [
        ("cold: a key's first event", 0),
        ("warm: 5 unknown names, one again", 5),
        ("hot: 40 known names, logging in", 40),
        ("full: 256 unknown names, one again", 256),
        ("saturated: a new unknown name each", 20_000),
    ] {
        let mut seconds: [Vec<f64>; 3] = Default::default();
        let mut bytes = (0, 0);
        for _ in 0..runs {
            let before = ALLOCATOR.allocated();
            let state = prepared(plan, history.max(1));
            bytes = (ALLOCATOR.allocated() - before, state.bytes() - size_of::<KeyState>());
            for (step, seconds) in seconds.iter_mut().enumerate() {
                seconds.push(events(plan, &state, history, step) / EVENTS as f64);
            }
        }
        let [absorb, judged, sized] =
            seconds.map(|seconds| format!("{:.0}", median(seconds) * 1e9));
        rows.push(vec![
            kind.to_owned(),
            absorb,
            judged,
            sized,
            bytes.0.to_string(),
            bytes.1.to_string(),
        ]);
    }
    println!("Key states under {name}, ns an event:\n");
    let head = ["", "absorb", "+ judge", "+ bytes() twice", "heap bytes", "bytes() says"];
    table::print(&head, &rows);
}

const START: i64 = 1_794_290_400_000;

fn key() -> (Key, IpAddr) {
    let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    (Key::source_ip(address), address)
}

/// The i-th event of a key whose history had `names` names.
fn point(i: u64, names: u64) -> Point {
    let hot = names == 40;
    let name = if names > 256 { i } else { i % names.max(1) };
    let auth = Auth {
        action: SignalKind::Auth,
        role: Role::Attempt,
        outcome: if hot { Outcome::Success } else { Outcome::Failure },
        user_known: Some(hot),
        user: Some(UserTag(hash(name))),
        source: Some(key().1),
        asn: None,
        agent: None,
        attempts: 1,
    };
    Point {
        time: Time(START + i as i64 * 20),
        generation: Generation::Even,
        event: EventTag(i),
        shape: Shape::of(&auth),
        amount: Amount::of(1),
        user: auth.user,
        source: Some(Source { address: key().1, tag: 0 }),
    }
}

/// A key's state after its history. Past its first event every detector has an open episode at the
/// worst severity, so that no judgement writes a report: the engine would have latched by then.
fn prepared(plan: &Plan, names: u64) -> KeyState {
    let key_plan = &plan.keys[0];
    let mut state = KeyState::default();
    for i in 0..names {
        state.absorb(key_plan, &key().0, &point(i, names), Room::Plenty);
    }
    if names > 1 {
        for index in 0..plan.detectors.len() {
            let put = state.episodes.put(DetectorId(index as u16), open_episode());
            put.expect("it is the first");
        }
    }
    state
}

fn open_episode() -> Episode {
    Episode {
        start: Time(START),
        first_seen: Time(START),
        last: Time(START),
        severity: Severity::Critical,
        reported: 0.0,
        peak: 0.0,
        next_report: Time(i64::MAX / 4),
        claimed: 1,
        published: 1,
        closed: false,
        claimant: ShardId(0),
        claimed_at: Time(START),
        samples: smallvec::SmallVec::new(),
    }
}

/// CPU seconds of [`EVENTS`] events: absorbed; and judged; and measured as the store does.
fn events(plan: &Plan, state: &KeyState, names: u64, step: usize) -> f64 {
    let key_plan = &plan.keys[0];
    let mut hot = state.clone();
    let event = |state: &mut KeyState, i: u64| {
        let point = point(names + i, names);
        if step == 2 {
            black_box(state.bytes());
        }
        state.absorb(key_plan, &key().0, &point, Room::Plenty);
        if step == 2 {
            black_box(state.bytes());
        }
        if step >= 1 {
            judged(plan, key_plan, state, point.time);
        }
        if names > 0 {
            // As the engine does when an episode goes on.
            for index in 0..plan.detectors.len() {
                let id = DetectorId(index as u16);
                let latest = state.episodes.of(id).last().expect("it was put there").clone();
                let put = state.episodes.put(id, Episode { last: point.time, ..latest });
                put.expect("it is there");
            }
        }
    };
    let (seconds, ()) = timed(|| {
        for i in 0..EVENTS {
            match names {
                0 => event(black_box(&mut KeyState::default()), i),
                _ => event(&mut hot, i),
            }
        }
    });
    seconds
}

fn judged(plan: &Plan, key_plan: &KeyPlan, state: &KeyState, at: Time) {
    let key = key().0;
    let window = Window { plan: key_plan, key: &key, state, at, told: at, version: 0 };
    black_box(judge(plan, &window));
}

/// SplitMix64, a uniform 64-bit hash (Steele, Lea and Flood 2014).
fn hash(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
