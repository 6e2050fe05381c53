//! The store in memory under pressure: the budget is kept, what is watched stays watched, and what is
//! not counted is told.

mod world;

use std::net::{IpAddr, Ipv4Addr};

use tidewatch_core::detector::Detector;
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::Activity;
use tidewatch_core::key::Key;
use tidewatch_core::plan::KeyPlanId;
use tidewatch_core::state::KeyState;
use tidewatch_core::time::Span;
use world::*;

/// A source of its own for each number.
fn nth(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

/// Unknown users and failures, the threshold out of the flood's reach.
fn rules() -> Vec<Detector> {
    let when = [at_least(0, 20)];
    vec![detector("scan", (300, 600), &[UNKNOWN_USERS, USERS, FAILURES], &when)]
}

/// `keys` sources, `rounds` tries each, a new name each time, one source after the other.
fn flood(keys: u32, rounds: u32, step_ms: i64) -> impl Iterator<Item = Try> {
    (0..rounds).flat_map(move |round| {
        (0..keys).map(move |n| {
            let i = round * keys + n;
            Try { source: nth(n), ..unknown(i64::from(i) * step_ms, 0, u64::from(i)) }
        })
    })
}

#[test]
fn the_budget_is_kept_whatever_the_flood_and_what_it_costs_is_told() {
    // (budget, keys, tries of each): one-off keys, keys that fill their lists, and keys that need
    // sketches.
    let cases = [
        (1 << 20, 20_000, 1),
        (1 << 20, 3_000, 12),
        (1 << 20, 1_000, 40),
        (1 << 20, 60, 400),
        (1 << 20, 1, 40_000),
        (1 << 14, 100, 100),
        (0, 10, 10),
    ];
    for (budget, keys, rounds) in cases {
        let mut engine = engine(rules(), budget);
        let mut most = 0;
        let tries: Vec<Try> = flood(keys, rounds, 1).collect();
        for chunk in tries.chunks(100) {
            feed(&mut engine, chunk, Span(0));
            most = most.max(engine.store().usage().used_bytes);
        }
        let case = format!("{keys} keys, {rounds} rounds under {budget} bytes");
        assert!(most <= budget, "{most} bytes used by {case}");
        let (usage, counts) = (engine.store().usage(), engine.counts());
        assert!(usage.keys <= u64::from(keys) && usage.keys == usage.keys_seen, "{case}");
        let crowded = u64::from(keys) > usage.keys;
        assert_eq!(
            counts.points_refused > 0,
            crowded || most > budget / 8 * 7,
            "{case} {counts:?}"
        );
        let in_vain = counts.points_refused > 0 && most < budget / 2;
        assert!(
            !in_vain,
            "{most} bytes used and {} points refused by {case}",
            counts.points_refused
        );
    }
}

#[test]
fn a_watched_attacker_outlives_any_flood_of_keys_seen_once() {
    let mut engine = engine(rules(), 4 << 20);
    // The attacker's 19 names, one short of the threshold; the flood; and the twentieth.
    let mut tries: Vec<Try> = (0..19).map(|n| unknown(n, 1, n as u64)).collect();
    tries.extend(flood(50_000, 1, 2).map(|t| Try { ms: t.ms + 1_000, ..t }));
    feed(&mut engine, &tries, Span(0));
    assert!(engine.counts().points_refused > 10_000, "the flood was too small");
    assert_eq!(told(engine.sink()), []);
    feed(&mut engine, &[unknown(200_000, 1, 19)], Span(0));
    assert_eq!(told(engine.sink()), [(Activity::Create, "198.51.100.1".to_owned(), 200)]);
}

#[test]
fn sweeping_forgets_only_what_no_window_can_reach() {
    // Twice the keys below which nothing is swept, over 600 s: kept time.
    let mut engine = engine(rules(), ROOMY);
    let mut tries: Vec<Try> = (0..19).map(|n| unknown(n, 1, n as u64)).collect();
    tries.extend(flood(140_000, 1, 2).map(|t| Try { ms: t.ms + 100, ..t }));
    feed(&mut engine, &tries, Span(0));
    let usage = engine.store().usage();
    assert_eq!((usage.keys, usage.keys_seen), (140_001, 140_001));
    feed(&mut engine, &[unknown(299_999, 1, 19)], Span(0));
    assert_eq!(told(engine.sink()), [(Activity::Create, "198.51.100.1".to_owned(), 299)]);

    // A day on, all of them but the one whose episode is open may go, and do.
    let later = |t: Try| Try { ms: t.ms + 86_400_000, ..t };
    let other = |t: Try| Try { source: nth(t.user.unwrap_or(0) as u32 + 1_000_000), ..t };
    let later: Vec<Try> = flood(200_000, 1, 2).map(later).map(other).collect();
    feed(&mut engine, &later, Span(0));
    let usage = engine.store().usage();
    assert_eq!((usage.keys, usage.keys_seen), (200_000, 340_001));
    // And what they were charged is given back: what is left is what the later ones take alone.
    let mut alone = world::engine(rules(), ROOMY);
    feed(&mut alone, &later, Span(0));
    assert_eq!(usage.used_bytes, alone.store().usage().used_bytes);
}

#[test]
fn an_open_episode_is_not_swept_away_and_closes() {
    // Quiet is much longer than anything is kept for windows.
    let mut engine = engine(vec![scan(10, 600, 3)], ROOMY);
    let mut tries: Vec<Try> = (0..3).map(|n| unknown(n, 1, n as u64)).collect();
    tries.extend(flood(140_000, 1, 4).map(|t| Try { ms: t.ms + 100, ..t }));
    feed(&mut engine, &tries, Span::seconds(60));
    let usage = engine.store().usage();
    assert!(usage.keys < usage.keys_seen, "nothing was swept: {usage:?}");
    let told: Vec<_> = engine.sink().iter().map(|f| f.activity).collect();
    assert_eq!(told, [Activity::Create, Activity::Close]);
}

#[test]
fn a_finding_that_others_come_after_is_remembered_for_as_long_as_it_counts() {
    // Windows reach twenty seconds back, and a flood of keys makes the store forget what lies behind.
    let opened = |after_within: Span, budget_bytes: usize| {
        let rule = detector("takeover", (10, 10), &[SUCCESSES], &[at_least(0, 1)]);
        let takeover = Detector { after: vec!["scan".to_owned()], after_within, ..rule };
        let mut engine = engine(vec![scan(10, 10, 3), takeover], budget_bytes);
        let mut tries: Vec<Try> = (0..3).map(|n| unknown(n, 1, n as u64)).collect();
        tries.extend(flood(140_000, 1, 4).map(|t| Try { ms: t.ms + 100, ..t }));
        tries.push(success(590_000, 1, 9));
        feed(&mut engine, &tries, Span(0));
        let usage = engine.store().usage();
        assert!(usage.keys < usage.keys_seen, "nothing was swept: {usage:?}");
        let told = engine.sink().iter().filter(|f| f.activity == Activity::Create).count();
        (told, usage.forgotten_early)
    };
    assert_eq!(opened(Span::seconds(600), ROOMY), (2, 0));
    assert_eq!(opened(Span(0), ROOMY), (1, 0));
    assert_eq!(opened(Span::seconds(580), ROOMY), (1, 0), "it counts no more");
    // Where memory is short it is forgotten, and that is counted.
    assert_eq!(opened(Span::seconds(600), 8 << 20), (1, 1));
}

#[test]
fn a_forged_future_time_makes_nobody_forgotten() {
    let mut engine = engine(rules(), 4 << 20);
    let mut tries: Vec<Try> = (0..19).map(|n| unknown(n, 1, n as u64)).collect();
    // One source claims tomorrow, again and again, while memory runs out.
    for (i, t) in flood(60_000, 1, 2).enumerate() {
        tries.push(t);
        if i % 2 == 0 {
            tries.push(unknown(86_400_000 + i as i64, 9, i as u64 % 7));
        }
    }
    tries.push(unknown(200_000, 1, 19));
    feed(&mut engine, &tries, Span(0));
    assert!(engine.counts().points_refused > 0, "the flood was too small");
    assert_eq!(told(engine.sink()), [(Activity::Create, "198.51.100.1".to_owned(), 200)]);
}

#[test]
fn older_inputs_read_later_are_watched_like_newer_ones() {
    // `auth.log` comes before `auth.log.1` in a directory: the newer file is read first.
    let mut engine = engine(rules(), ROOMY);
    let day = 86_400_000;
    let newer: Vec<Try> = flood(70_000, 1, 10).map(|t| Try { ms: t.ms + day, ..t }).collect();
    feed(&mut engine, &newer, Span(0));
    let mut older: Vec<Try> = Vec::new();
    let mut name = 0;
    for (i, t) in flood(140_000, 1, 2).enumerate() {
        let source = v6(i as u16, (i >> 16) as u16);
        older.push(Try { source, ..t });
        if i % 7_000 == 0 {
            older.push(unknown(t.ms, 1, name));
            name += 1;
        }
    }
    feed(&mut engine, &older, Span(0));
    let found: Vec<_> = engine.sink().iter().map(|f| f.key.to_string()).collect();
    assert_eq!(found, [v4(1).to_string()]);
}

#[test]
fn forty_thousand_names_take_bounded_memory() {
    let plan = plan(rules());
    let key_plan = plan.key(KeyPlanId(0));
    let key = Key::source_ip(v4(1));
    let bytes_after = |names: u32, ms_in_all: i64| {
        let mut state = KeyState::default();
        let mut most = 0;
        for n in 0..names {
            let ms = i64::from(n) * ms_in_all / i64::from(names);
            let t = unknown(ms, 1, u64::from(n));
            state.absorb(key_plan, &key, &t.point(&tag_key("a key")), Room::Plenty);
            most = most.max(state.bytes());
        }
        assert_eq!(state.lists.len(), 1);
        (most, state.lists[0].list.len())
    };
    let (ten, ten_listed) = bytes_after(10_000, 299_000);
    let (forty, forty_listed) = bytes_after(40_000, 299_000);
    let (long, long_listed) = bytes_after(40_000, 6_000_000);
    assert_eq!((ten_listed, forty_listed, long_listed), (256, 256, 256));
    assert!(forty <= ten, "{forty} bytes, {ten} for a quarter of the names");
    // 32 panes of 2 KiB, a list of 256 tags of 16 bytes, counter panes of two windows.
    let most = 32 * 2_100 + 256 * 16 + 64 * 40 + 1_000;
    assert!(forty <= most && long <= most, "{forty} and {long} bytes, at most {most}");
}

#[test]
fn merging_forgets_as_counting_does() {
    let plan = plan(rules());
    let key_plan = plan.key(KeyPlanId(0));
    let key = Key::source_ip(v4(1));
    let mut state = KeyState::default();
    for n in 0..2_000 {
        let mut other = KeyState::default();
        let t = unknown(n * 10_000, 1, n as u64);
        other.absorb(key_plan, &key, &t.point(&tag_key("a key")), Room::Plenty);
        state.merge(key_plan, &key, &other, Room::Plenty);
        assert!(state.bytes() <= 10_000, "{} bytes after {n} merges", state.bytes());
    }
}

#[test]
fn hostile_times_cannot_grow_a_key_either() {
    let plan = plan(rules());
    let key_plan = plan.key(KeyPlanId(0));
    let key = Key::source_ip(v4(1));
    let mut state = KeyState::default();
    for n in 0..20_000u32 {
        // Jumps all over a day, ever later.
        let ms = i64::from(n.wrapping_mul(2_654_435_761) % 86_400_000) + i64::from(n) * 10_000;
        let t = unknown(ms, 1, u64::from(n));
        state.absorb(key_plan, &key, &t.point(&tag_key("a key")), Room::Plenty);
        assert!(state.bytes() <= 100_000, "{} bytes", state.bytes());
    }
}
