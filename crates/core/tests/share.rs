//! Shares of the shared state: a function of a shard's records and nothing else, small, and legible to
//! every later version.

mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use smallvec::SmallVec;
use tidewatch_core::contribution::{Contribution, Part, Point};
use tidewatch_core::detector::{Comparison, Condition, Detector, Measure};
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::Accuracy;
use tidewatch_core::key::Key;
use tidewatch_core::limits::SHARED_LIST_TAGS_MAX;
use tidewatch_core::plan::{KeyPlan, KeyPlanId, Plan, PlanError};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::state::KeyState;
use tidewatch_core::table_store::bytes::Unreadable;
use tidewatch_core::table_store::share::Share;
use tidewatch_core::time::Span;
use world::*;

const MEASURES: [Measure; 6] = [UNKNOWN_USERS, FAILED_USERS, USERS, SOURCES, FAILURES, TRIES];

/// 10 minutes, an hour and a day on one key, all measures in each.
fn shared_plan(windows_s: &[i64]) -> Plan {
    let of = |s: &i64| detector(&format!("w{s}"), (*s, *s), &MEASURES, &[at_least(0, 1)]);
    Plan::shared(windows_s.iter().map(of).collect()).expect("the shared home takes them")
}

fn three_windows() -> Plan {
    shared_plan(&[600, 3_600, 86_400])
}

fn the_key() -> Key {
    Key::source_ip(v6(1, 1))
}

/// The points of `tries` in records of `sizes`, numbered from `first` on.
fn contribution(tries: &[Try], sizes: &[usize], first: u64) -> Contribution {
    let points: SmallVec<[Point; 1]> = tries.iter().map(|t| t.point(&tag_key("a key"))).collect();
    let mut parts = Vec::new();
    let mut end = 0;
    for (nth, size) in sizes.iter().cycle().enumerate() {
        if end == points.len() {
            break;
        }
        end = (end + size.max(&1)).min(points.len());
        parts.push(Part { sequence: Sequence::of(first + nth as u64), end });
    }
    Contribution { points, parts, ..Contribution::to(KeyPlanId(0), the_key()) }
}

/// The records `from..to` of a contribution, as a delivery of their own.
fn cut(whole: &Contribution, from: usize, to: usize) -> Contribution {
    let start = from.checked_sub(1).map_or(0, |last| whole.parts[last].end);
    let end = to.checked_sub(1).map_or(0, |last| whole.parts[last].end);
    let parts = whole.parts[from..to].iter().map(|part| Part { end: part.end - start, ..*part });
    Contribution {
        points: whole.points[start..end].iter().copied().collect(),
        parts: parts.collect(),
        ..whole.clone()
    }
}

fn take(plan: &KeyPlan, share: &mut Share, contribution: &Contribution) {
    share.take(plan, contribution, &Safeguards::default());
}

fn numbers(plan: &KeyPlan, state: &KeyState) -> Vec<(f64, Accuracy)> {
    let key = the_key();
    let values = shown(plan, &key, state, state.head);
    values.map(|(_, _, value)| (value.amount, value.error)).collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_share_is_a_function_of_its_records_however_they_were_delivered(
        mut tries in tries(4_000, 5, 80, 1..150),
        sizes in prop::collection::vec(1usize..6, 1..8),
        deliveries in prop::collection::vec((any::<prop::sample::Index>(), 1usize..12), 0..40),
    ) {
        tries.sort_by_key(|t| t.ms / 60_000);
        let plan = three_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let whole = contribution(&tries, &sizes, 1);
        let mut once = Share::default();
        take(key_plan, &mut once, &whole);
        // Delivered again and again, in pieces that begin at most where everything before is applied.
        let mut often = Share::default();
        let mut applied = 0;
        for (start, length) in deliveries {
            let from = start.index(applied + 1).min(whole.parts.len() - 1);
            let to = (from + length).min(whole.parts.len());
            take(key_plan, &mut often, &cut(&whole, from, to));
            // Each environment reads what the last one wrote.
            often = Share::decode(key_plan, &often.encode()).unwrap();
            applied = applied.max(to);
        }
        take(key_plan, &mut often, &cut(&whole, applied.min(whole.parts.len() - 1), whole.parts.len()));
        prop_assert_eq!(often.encode(), once.encode());
        prop_assert_eq!(often.applied, whole.parts.last().unwrap().sequence);
    }

    #[test]
    fn a_share_shows_the_oracle_after_its_bytes_as_before(tries in tries(80_000, 5, 40, 1..150)) {
        let plan = three_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let mut share = Share::default();
        take(key_plan, &mut share, &contribution(&tries, &[1], 1));
        let read = Share::decode(key_plan, &share.encode()).unwrap();
        prop_assert_eq!(numbers(key_plan, &read.state), numbers(key_plan, &share.state));
        prop_assert_eq!(read.encode(), share.encode());
        let state = &read.state;
        for (i, (detector, _, value)) in shown(key_plan, &the_key(), state, state.head).enumerate() {
            let measure = MEASURES[i % MEASURES.len()];
            let from = state.head.minus(detector.span);
            let least = oracle(&tries, measure, from, state.head) as f64;
            let edge = match value.error {
                Accuracy::Exact => Span::seconds(1),
                Accuracy::Pane(pane) => pane,
                other => panic!("{other:?} for at most 40 names"),
            };
            let most = oracle(&tries, measure, from.minus(edge), state.head) as f64;
            prop_assert!(
                least <= value.amount && value.amount <= most,
                "{:?} over {}: {} <= {} <= {}", measure, detector.span, least, value.amount, most
            );
        }
    }

    #[test]
    fn moving_panes_up_changes_no_total(tries in tries(86_000, 3, 10, 1..150)) {
        let mut tries: Vec<Try> = tries.into_iter().map(|t| Try { mention: false, ..t }).collect();
        tries.sort_by_key(|t| t.ms);
        let plan = three_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let mut share = Share::default();
        take(key_plan, &mut share, &contribution(&tries, &[3], 1));
        let panes = share.state.rings.iter().flat_map(|ring| ring.panes().collect::<Vec<_>>());
        let total: u64 = panes.map(|(_, _, counts)| counts.iter().map(|n| u64::from(*n)).sum::<u64>()).sum();
        prop_assert_eq!(total, tries.iter().map(|t| u64::from(t.attempts)).sum::<u64>());
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_some_share(
        tries in tries(4_000, 5, 80, 1..60),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let plan = three_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let mut share = Share::default();
        take(key_plan, &mut share, &contribution(&tries, &[1], 1));
        let bytes = share.encode();
        prop_assert!(Share::decode(key_plan, &bytes[..cut.index(bytes.len())]).is_err());
        let mut flipped = bytes.clone();
        for (at, byte) in flips {
            let at = at.index(flipped.len());
            flipped[at] = byte;
        }
        if let Ok(mut read) = Share::decode(key_plan, &flipped) {
            // Whatever it says, it can be used, counted on and written.
            let _ = numbers(key_plan, &read.state);
            read.state.ends_since(key_plan, at(0));
            take(key_plan, &mut read, &contribution(&tries, &[1], 1_000_000));
            let again = read.encode();
            prop_assert!(Share::decode(key_plan, &again).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_as_some_share(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let plan = three_windows();
        let versioned = [1, 4].map(|version| [&[version], &bytes[..]].concat());
        for bytes in [vec![bytes], versioned.to_vec()].concat() {
            if let Ok(read) = Share::decode(plan.key(KeyPlanId(0)), &bytes) {
                let _ = read.encode();
            }
        }
    }

    /// Shards trim by what they have last seen of the others, however long ago.
    #[test]
    fn trimming_by_any_stale_view_keeps_the_newest_names_of_all(
        steps in prop::collection::vec((0usize..4, 0usize..40, 0u64..140, 0i64..5_000), 1..400),
    ) {
        let plan = shared_plan(&[86_400]);
        let key_plan = plan.key(KeyPlanId(0));
        let mut shares: Vec<Vec<Share>> = vec![vec![Share::default()]; 4];
        let mut all: Vec<Try> = Vec::new();
        let mut ms = 0;
        for (nth, (shard, age, user, gap)) in steps.into_iter().enumerate() {
            ms += gap;
            let t = unknown(ms, 1, user);
            all.push(t);
            let mut next = shares[shard].last().unwrap().clone();
            take(key_plan, &mut next, &contribution(&[t], &[1], nth as u64 + 1));
            // Each of the other shards as it was some time ago.
            let mut others = KeyState::default();
            for (_, history) in shares.iter().enumerate().filter(|(of, _)| *of != shard) {
                let then = history.len().saturating_sub(1 + age);
                others.merge(key_plan, &the_key(), &history[then].state, Room::NoSketches);
            }
            next.trim(key_plan, &others, &Safeguards::default());
            shares[shard].push(next);
            let mut view = KeyState::default();
            for history in &shares {
                let share = &history.last().unwrap().state;
                view.merge(key_plan, &the_key(), share, Room::NoSketches);
            }
            let listed: BTreeSet<u64> =
                view.lists[0].list.seen().iter().map(|seen| seen.tag).collect();
            let mut newest: Vec<u64> = Vec::new();
            for user in all.iter().rev().filter_map(|t| t.user) {
                if !newest.contains(&user) {
                    newest.push(user);
                }
            }
            // Those last seen within one second of the last that fits may go either way.
            let kept = newest.len().min(SHARED_LIST_TAGS_MAX);
            prop_assert_eq!(listed.len(), kept);
            let shown: Vec<_> = numbers(key_plan, &view);
            match shown[0] {
                (amount, Accuracy::Exact) => prop_assert_eq!(amount, newest.len() as f64),
                (amount, Accuracy::AtLeast) => {
                    prop_assert!(newest.len() > SHARED_LIST_TAGS_MAX, "{} names", newest.len());
                    prop_assert_eq!(amount, SHARED_LIST_TAGS_MAX as f64);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn a_second_delivery_of_an_event_is_counted_once_within_the_ring() {
    let plan = three_windows();
    let key_plan = plan.key(KeyPlanId(0));
    for (between, expected) in [(0, 1), (15, 16), (16, 18)] {
        let first = unknown(0, 1, 0);
        let mut tries = vec![first];
        tries.extend((0..between).map(|n| unknown(1_000 + n, 1, 1 + n as u64)));
        tries.push(first);
        let mut share = Share::default();
        take(key_plan, &mut share, &contribution(&tries, &[1], 1));
        // Failures over 10 minutes, each try once but for a copy beyond the ring.
        assert_eq!(numbers(key_plan, &share.state)[4].0, f64::from(expected), "{between} between");
        assert_eq!(numbers(key_plan, &share.state)[0].0, (between + 1) as f64);
    }
}

#[test]
fn what_versions_1_and_4_wrote_is_read_for_ever() {
    let plan = three_windows();
    let key_plan = plan.key(KeyPlanId(0));
    let hours = |h: i64, n: i64| h * 3_600_000 + n * 1_700;
    let mut tries: Vec<Try> = (0..4).map(|n| unknown(hours(0, n), 1, n as u64)).collect();
    tries.extend((0..3).map(|n| Try { source: v6(1, n), ..success(hours(2, i64::from(n)), 1, 9) }));
    tries.push(Try { user: None, known: None, attempts: 300, ..unknown(hours(2, 60), 1, 0) });
    let mut share = Share::default();
    take(key_plan, &mut share, &contribution(&tries, &[2], 1_000));
    let [old, golden] =
        [include_str!("golden/share-1.hex"), include_str!("golden/share-4.hex")].map(str::trim);
    let hex: String = share.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden);
    for golden in [old, golden] {
        let bytes: Vec<u8> = (0..golden.len() / 2)
            .map(|at| u8::from_str_radix(&golden[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
            .collect();
        let read = Share::decode(key_plan, &bytes).expect("a share");
        assert_eq!(read.applied, Sequence::of(1_003));
        let numbers = numbers(key_plan, &read.state);
        let over_a_day: Vec<f64> = numbers[12..].iter().map(|n| n.0).collect();
        assert_eq!(over_a_day, [4.0, 4.0, 5.0, 4.0, 304.0, 307.0]);
    }
}

#[test]
fn bytes_of_a_later_version_are_told_from_damaged_ones() {
    let plan = three_windows();
    let mut bytes = Share::default().encode();
    bytes[0] = 7;
    let read = |bytes: &[u8]| Share::decode(plan.key(KeyPlanId(0)), bytes).map(|_| ());
    assert_eq!(read(&bytes), Err(Unreadable::Newer(7)));
    bytes[0] = 0;
    assert_eq!(read(&bytes), Err(Unreadable::Damaged("version")));
    assert_eq!(read(&[]), Err(Unreadable::Damaged("version")));
}

#[test]
fn a_share_outlives_the_detectors_it_was_counted_for() {
    let (small, large) = (shared_plan(&[600]), three_windows());
    let tries: Vec<Try> = (0..40).map(|n| unknown(n * 30_000, 1, n as u64)).collect();
    let through = |first: &Plan, then: &Plan| {
        let mut share = Share::default();
        take(first.key(KeyPlanId(0)), &mut share, &contribution(&tries[..30], &[1], 1));
        let then = then.key(KeyPlanId(0));
        let mut share = Share::decode(then, &share.encode()).unwrap();
        take(then, &mut share, &contribution(&tries[30..], &[1], 31));
        numbers(then, &share.state)
    };
    // A new detector with the old window finds what was counted for others.
    let ten_minutes = |numbers: Vec<(f64, Accuracy)>| numbers[..6].to_vec();
    let whole = ten_minutes(through(&large, &large));
    assert_eq!(ten_minutes(through(&small, &large)), whole);
    assert_eq!(ten_minutes(through(&large, &small)), whole);
}

#[test]
fn what_the_shared_home_cannot_decide_is_refused_with_what_to_do() {
    let over = |window_s: i64, measure: Measure, threshold: u32| {
        let when: Vec<Condition> = vec![at_least(0, threshold)];
        Plan::shared(vec![detector("over", (window_s, window_s), &[measure], &when)]).map(|_| ())
    };
    assert_eq!(over(600, UNKNOWN_USERS, 32), Ok(()));
    assert_eq!(over(600, FAILURES, 100_000), Ok(()));
    // From six hours on a sketch stands behind the list.
    assert_eq!(over(6 * 3_600, UNKNOWN_USERS, 5_000), Ok(()));
    let error = over(600, UNKNOWN_USERS, 33).expect_err("no list tells 33 for sure");
    assert!(matches!(error, PlanError::Undecidable { .. }));
    let text = error.to_string();
    for part in ["over", "m0 >= 33", "up to 32", "Count attempts instead"] {
        assert!(text.contains(part), "{text}");
    }
    for window_s in [60, 301, 25 * 3_600] {
        let error = over(window_s, FAILURES, 5).expect_err("no such window");
        assert!(matches!(error, PlanError::Window { .. }), "{error}");
    }
    // Below a number one may ask for less: an interval decides that.
    let fewer = Condition { comparison: Comparison::LessThan, ..at_least(0, 500) };
    let rule: Detector = detector("fewer", (600, 600), &[USERS], &[at_least(0, 1), fewer]);
    assert!(Plan::shared(vec![rule]).is_ok());
}

#[test]
fn a_count_of_mentions_is_refused_and_says_what_to_use() {
    let rule = detector("probes", (600, 600), &[TRIES, FAILED_MENTIONS], &[at_least(1, 6)]);
    let error = Plan::shared(vec![rule.clone()]).expect_err("the table counts attempts");
    assert_eq!(
        error.to_string(),
        "detector `probes`: the measure `m1` counts mentions; shared state counts attempts only. \
         Count them instead, or names with `distinct = \"user\"`, which takes mentions too"
    );
    assert!(Plan::new(vec![rule]).is_ok());
}
