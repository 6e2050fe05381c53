//! Distinct counts and key states by themselves: our sketch against the `hyperloglogplus` crate used as
//! it comes, and what one event costs a key that is new, busy, or past its list. Bytes are what the
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
use tidewatch_core::contribution::{Point, Source};
use tidewatch_core::detector::Severity;
use tidewatch_core::distinct::Room;
use tidewatch_core::episode::Episode;
use tidewatch_core::judge::judge;
use tidewatch_core::key::Key;
use tidewatch_core::plan::{DetectorId, KeyPlan, Plan, Shape};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::signal::{Auth, Outcome, Role};
use tidewatch_core::sketch::{PRECISION, Sketch};
use tidewatch_core::state::KeyState;
use tidewatch_core::tag::{EventTag, UserTag};
use tidewatch_core::time::Time;
use tidewatch_core::window::Window;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Numbers of different tags.
const SIZES: [u64; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

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

fn sketches(runs: usize) {
    let mut rows = Vec::new();
    for n in SIZES {
        let mut ours: [Vec<f64>; 3] = Default::default();
        let mut theirs: [Vec<f64>; 3] = Default::default();
        let mut bytes = [0; 2];
        for _ in 0..runs {
            let before = ALLOCATOR.allocated();
            let mut sketch = Sketch::new(PRECISION);
            ours[0].push(timed(|| (0..n).filter(|i| sketch.insert(hash(*i))).count()).0);
            bytes[0] = ALLOCATOR.allocated() - before;
            ours[1].push(timed(|| black_box(sketch.estimate())).0);
            let mut union = sketch.clone();
            ours[2].push(timed(|| union.merge(black_box(&sketch))).0);

            let before = ALLOCATOR.allocated();
            let hasher = RandomState::new();
            let mut plus = Theirs::new(PRECISION, hasher.clone()).expect("a precision it takes");
            theirs[0].push(timed(|| (0..n).for_each(|i| plus.insert_any(&hash(i)))).0);
            bytes[1] = ALLOCATOR.allocated() - before;
            theirs[1].push(timed(|| black_box(plus.count())).0);
            let mut union = plus.clone();
            theirs[2].push(timed(|| union.merge(black_box(&plus)).expect("one precision")).0);
        }
        for (name, seconds, bytes) in [("ours", ours, bytes[0]), ("crate", theirs, bytes[1])] {
            let [insert, estimate, merge] = seconds.map(median);
            rows.push(vec![
                format!("{name}, {n}"),
                format!("{:.1}", insert / n as f64 * 1e9),
                format!("{:.1}", estimate * 1e6),
                format!("{:.1}", merge * 1e6),
                bytes.to_string(),
            ]);
        }
    }
    table::print(&["precision 11, tags", "insert ns", "estimate µs", "merge µs", "bytes"], &rows);
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
        role: Role::Attempt,
        outcome: if hot { Outcome::Success } else { Outcome::Failure },
        user_known: Some(hot),
        user: Some(UserTag(hash(name))),
        source: Some(key().1),
        attempts: 1,
    };
    Point {
        time: Time(START + i as i64 * 20),
        event: EventTag(i),
        shape: Shape::of(&auth),
        attempts: 1,
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
    for detector in &key_plan.detectors {
        black_box(judge(plan, detector, &window));
    }
}

/// SplitMix64, a uniform 64-bit hash (Steele, Lea and Flood 2014).
fn hash(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
