//! The engine against an oracle that looks at everything delivered so far: who is found, and when
//! first; in order, out of order, however signals are grouped, and at the edges of time.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tidewatch_core::admission::{Admission, Rejected};
use tidewatch_core::contribution::Contribution;
use tidewatch_core::detector::{Condition, Detector};
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::{Activity, Value};
use tidewatch_core::judge::judge;
use tidewatch_core::key::Key;
use tidewatch_core::limits::TIME_MIN;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::KeyPlanId;
use tidewatch_core::slack::Slack;
use tidewatch_core::state::KeyState;
use tidewatch_core::store::WindowStore;
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Window;
use world::*;

const MEASURES: [tidewatch_core::detector::Measure; 2] = [UNKNOWN_USERS, USERS];

/// Unknown users alone, and unknown users that are also most of the users.
fn rules() -> [(&'static str, i64, u64, f64); 3] {
    // (id, window in seconds, unknown users, their share of all users)
    [("few", 20, 4, 0.0), ("many", 60, 7, 0.0), ("most", 30, 4, 0.6)]
}

fn detectors() -> Vec<Detector> {
    let when = |n, share| -> Vec<Condition> { vec![at_least(0, n), at_least_share(0, share, 1)] };
    let of = |(id, window, n, share): (&str, i64, u64, f64)| {
        detector(id, (window, 3_600), &MEASURES, &when(n as u32, share))
    };
    rules().map(of).to_vec()
}

/// Whether the rule holds for a source's tries at a time.
fn holds(tries: &[Try], (_, window, n, share): (&str, i64, u64, f64), at: Time) -> bool {
    let count = |measure| oracle(tries, measure, at.minus(Span::seconds(window)), at);
    count(UNKNOWN_USERS) >= n && count(UNKNOWN_USERS) as f64 >= share * count(USERS) as f64
}

/// After which try somebody must have been found, and as of when they may be.
type Expected = (Option<usize>, BTreeSet<Time>);

/// Walks through the tries as delivered; for each (rule, source): the first try after which the rule
/// holds at the newest event (it must be found by then), and the times at which it holds either there
/// or at the try's own time (it may be found then).
fn by_oracle(tries: &[Try]) -> BTreeMap<(&'static str, IpAddr), Expected> {
    let mut delivered: BTreeMap<IpAddr, Vec<Try>> = BTreeMap::new();
    let mut found: BTreeMap<_, Expected> = BTreeMap::new();
    for (i, t) in tries.iter().enumerate() {
        let mine = delivered.entry(t.source).or_default();
        mine.push(*t);
        let head = mine.iter().map(Try::time).fold(Time::MIN, Time::max);
        for rule in rules() {
            let (must, may) = found.entry((rule.0, t.source)).or_default();
            for at in [t.time(), head].into_iter().filter(|at| holds(mine, rule, *at)) {
                may.insert(at);
                if at == head {
                    must.get_or_insert(i);
                }
            }
        }
    }
    found
}

/// Feeds the tries one by one: after which try, and as of when, each (rule, source) was created.
fn by_engine(tries: &[Try]) -> BTreeMap<(String, String), (usize, Time)> {
    let mut engine = engine(detectors(), ROOMY);
    let mut created = BTreeMap::new();
    for (i, t) in tries.iter().enumerate() {
        feed(&mut engine, &[*t], Span(0));
        for finding in engine.sink().drain(..).filter(|f| f.activity == Activity::Create) {
            let who = (finding.detector, finding.key.to_string());
            created.entry(who).or_insert((i, finding.start));
        }
    }
    created
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn in_order_the_first_finding_is_at_the_first_event_over_the_threshold(
        mut tries in tries(240, 6, 30, 1..200),
    ) {
        tries.sort_by_key(|t| t.ms);
        let created = by_engine(&tries);
        for ((rule, source), (must, may)) in by_oracle(&tries) {
            let found = created.get(&(rule.to_owned(), source.to_string()));
            prop_assert_eq!(found.map(|(i, _)| *i), must, "{} {}", rule, source);
            prop_assert_eq!(found.map(|(_, time)| time), may.first(), "{} {}", rule, source);
        }
    }

    #[test]
    fn out_of_order_nobody_over_the_threshold_is_missed_and_nobody_else_is_raised(
        mut tries in tries(120, 2, 12, 1..200),
        delays in prop::collection::vec(0i64..8_000, 200),
    ) {
        let mut order: Vec<usize> = (0..tries.len()).collect();
        order.sort_by_key(|i| tries[*i].ms + delays[*i]);
        tries = order.into_iter().map(|i| tries[i]).collect();
        let created = by_engine(&tries);
        for ((rule, source), (must, may)) in by_oracle(&tries) {
            let found = created.get(&(rule.to_owned(), source.to_string()));
            match (found, must) {
                (None, Some(i)) => prop_assert!(false, "{rule} missed {source} at try {i}"),
                (Some((found, _)), Some(i)) => prop_assert!(*found <= i, "{rule} late for {source}"),
                _ => {}
            }
            if let Some((i, time)) = found {
                prop_assert!(may.contains(time), "{rule} raised {source} wrongly at try {i}");
            }
        }
    }

    #[test]
    fn however_points_are_grouped_the_judge_sees_the_same_windows(
        tries in tries(240, 4, 30, 1..120),
        cuts in prop::collection::vec(1usize..20, 120),
    ) {
        let one_by_one = windows_seen(&tries, &vec![1; tries.len()]);
        prop_assert_eq!(windows_seen(&tries, &cuts), one_by_one);
    }
}

/// Every window the judge is shown for each key, in order, where batch i has `sizes[i]` tries, those
/// of one key as one contribution.
fn windows_seen(tries: &[Try], sizes: &[usize]) -> BTreeMap<Key, Vec<(Time, Vec<Value>)>> {
    let plan = plan(detectors());
    let store = MemoryStore::new(plan.clone(), ROOMY, 7);
    let mut seen: BTreeMap<Key, Vec<(Time, Vec<Value>)>> = BTreeMap::new();
    let mut rest = tries;
    for size in sizes {
        let (batch, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        let mut contributions: BTreeMap<Key, Contribution> = BTreeMap::new();
        for t in batch {
            let key = Key::source_ip(t.source);
            let of = || Contribution::to(KeyPlanId(0), key);
            contributions.entry(key).or_insert_with(of).points.push(t.point(&tag_key("a key")));
        }
        let contributions: Vec<Contribution> = contributions.into_values().collect();
        let merging = pin!(store.merge(&contributions, at(0), |_, window| {
            let values = shown(window.plan, window.key, window.state, window.at);
            let values = values.map(|(_, _, value)| value).collect();
            seen.entry(*window.key).or_default().push((window.at, values));
            Slack::NONE
        }));
        let merged = merging.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(merged, Poll::Ready(Ok(_))), "memory is always ready");
    }
    seen
}

#[test]
fn times_outside_the_admission_move_nothing_and_are_counted() {
    let admission = Admission::until(at(1_000));
    assert_eq!(admission.admit(TIME_MIN), Ok(TIME_MIN));
    assert_eq!(admission.admit(Time(TIME_MIN.0 - 1)), Err(Rejected::TooEarly));
    assert_eq!(admission.admit(at(1_000)), Ok(at(1_000)));
    assert_eq!(admission.admit(at(1_001)), Err(Rejected::InFuture));

    let in_1970 = Try { ms: -START, ..unknown(0, 1, 1) };
    let in_2099 = Try { ms: 4_000_000_000_000 - START, ..unknown(0, 1, 2) };
    let mut engine = engine(vec![scan(10, 30, 3)], ROOMY);
    let tries =
        [in_1970, unknown(0, 1, 3), in_2099, unknown(1_000, 1, 4), in_1970, unknown(2_000, 1, 5)];
    feed(&mut engine, &tries, Span(0));
    let counts = engine.counts();
    let turned_away = |reason| engine.gate().turned_away(reason).count;
    let rejected = (turned_away(Rejected::TooEarly), turned_away(Rejected::InFuture));
    assert_eq!((rejected, counts.attempts), ((2, 1), 3));
    assert_eq!(engine.now(), at(2_000));
    assert_eq!(told(engine.sink()), [(Activity::Create, "198.51.100.1".to_owned(), 2)]);
}

#[test]
fn a_clock_running_backwards_counts_inside_kept_time_and_is_told_beyond() {
    // Kept time is twice the window: 20 s.
    let cases = [
        // (tries by milliseconds, late, found)
        (vec![5_000, 4_000, 3_000], 0, true),
        (vec![30_000, 20_001, 20_002], 0, true),
        // A late event is judged at its own time and at the newest: here no window that ends at
        // either holds all three, the second time round the window at 15 s does.
        (vec![30_000, 15_000, 14_000, 13_000], 0, false),
        (vec![30_000, 13_000, 14_000, 15_000], 0, true),
        (vec![30_000, 10_001, 10_001], 0, false),
        (vec![30_000, 10_000, 9_000, 8_000], 3, false),
    ];
    for (times, late, found) in cases {
        let tries: Vec<Try> =
            times.iter().enumerate().map(|(i, ms)| unknown(*ms, 1, i as u64)).collect();
        let mut engine = engine(vec![scan(10, 30, 3)], ROOMY);
        feed(&mut engine, &tries, Span(0));
        assert_eq!(engine.counts().late, late, "{times:?}");
        assert_eq!(engine.counts().attempts, times.len() as u64);
        assert_eq!(!engine.sink().is_empty(), found, "{times:?}");
    }
}

#[test]
fn users_seen_again_since_still_count_against_a_share_as_of_a_late_time() {
    // Ten customers before and after; five unknown names are never most of the users.
    let customers = |ms: i64| (0..10).map(move |user| success(ms + user, 1, 100 + user as u64));
    let mut tries: Vec<Try> = customers(0).collect();
    tries.extend((0..4).map(|user| unknown(1_000 + user as i64, 1, user)));
    tries.extend(customers(5_000));
    tries.push(unknown(2_000, 1, 4));
    let when = [at_least(0, 5), at_least_share(0, 0.5, 1)];
    let share = detector("share", (20, 30), &MEASURES, &when);
    assert_eq!(told(&findings(vec![share], &tries, Span(0))), []);
}

#[test]
fn a_share_of_a_flood_is_decided_by_what_is_certain() {
    // `names` unknown ones and `customers` of the same source, all in one window: beyond 256 each.
    let found = |names: u64, customers: u64, share: f64| {
        let flood = (0..names).map(|n| unknown(n as i64 * 3, 1, n));
        let calm = (0..customers).map(|n| success(n as i64 * 3 + 1, 1, 1_000_000 + n));
        let mut tries: Vec<Try> = flood.chain(calm).collect();
        tries.sort_by_key(|t| t.ms);
        // It may only be raised where all are in.
        let all = (names + customers) as u32;
        let measures = [UNKNOWN_USERS, USERS, TRIES];
        let when = [at_least(2, all), at_least_share(0, share, 1)];
        !findings(vec![detector("share", (60, 60), &measures, &when)], &tries, Span(0)).is_empty()
    };
    assert!(found(2_000, 0, 1.0), "no other names: it is all of them, whatever a sketch would say");
    assert!(found(2_000, 200, 0.5));
    assert!(found(255, 255, 0.5), "exact on both sides");
    assert!(!found(254, 256, 0.5));
    assert!(!found(200, 2_000, 0.5));
    // 1,200 of 2,400 and more customers than a list holds: only sketches can tell.
    assert!(found(1_200, 1_200, 0.4));
    assert!(!found(1_200, 1_200, 0.6));
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn beyond_what_lists_hold_no_order_of_conditions_or_detectors_decides(
        flood in prop::collection::vec((0u64..1_500, 0u8..4), 400..1_600),
        (names, share) in (240u32..900, 0.2f64..0.9),
    ) {
        let tries: Vec<Try> = (0..).zip(&flood).map(|(ms, (name, kind))| match kind {
            0 => success(ms * 10, 1, *name),
            1 => Try { known: Some(true), ..unknown(ms * 10, 1, *name) },
            _ => unknown(ms * 10, 1, *name),
        }).collect();
        // Each compares what a sketch estimates: with a number, and with another estimate.
        let when = [at_least(0, names), at_least_share(0, share, 1), at_least_share(2, share, 1)];
        let measures = [UNKNOWN_USERS, USERS, FAILED_USERS];
        let of = |id: &str, order: [usize; 3]| {
            detector(id, (60, 3_600), &measures, &order.map(|at| when[at].clone()))
        };
        let others = [
            detector("some", (60, 60), &measures, &[at_least(1, names)]),
            detector("most", (60, 60), &measures, &[at_least_share(2, 0.5, 1), at_least(2, 300)]),
        ];
        let created = |rules: Vec<Detector>| -> BTreeMap<String, Time> {
            let told = findings(rules, &tries, Span(0)).into_iter();
            let first = told.filter(|f| f.activity == Activity::Create);
            first.map(|finding| (finding.detector, finding.start)).collect()
        };
        let alone = created(vec![of("all", [0, 1, 2])]);
        prop_assume!(!alone.is_empty());
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let [some, most] = others.clone();
            let all = created(vec![some, of("all", order), most]);
            prop_assert_eq!(all.get("all"), alone.get("all"), "{:?}", order);
            let [some, most] = others.clone();
            prop_assert_eq!(all, created(vec![most, of("all", [0, 1, 2]), some]));
        }
    }
}

#[test]
fn a_share_of_a_flood_is_decided_without_room_for_sketches() {
    let when = [at_least(0, 30), at_least_share(0, 0.5, 1)];
    let plan = plan(vec![detector("share", (60, 60), &MEASURES, &when)]);
    let (key_plan, key) = (plan.key(KeyPlanId(0)), Key::source_ip(v4(1)));
    let raised = |tries: &mut dyn Iterator<Item = Try>| {
        let mut state = KeyState::default();
        for t in tries {
            state.absorb(key_plan, &key, &t.point(&tag_key("a key")), Room::NoSketches);
        }
        let window = Window {
            plan: key_plan,
            key: &key,
            state: &state,
            at: state.head,
            told: state.head,
            version: 0,
        };
        !judge(&plan, &window).is_empty()
    };
    let flood = |names| (0..names).map(|n| unknown(n as i64, 1, n));
    let calm = |names| (0..names).map(|n| success(n as i64, 1, 1_000_000 + n));
    assert!(raised(&mut flood(2_000)));
    assert!(raised(&mut flood(2_000).chain(calm(256))), "256 at least, of at most 256 more");
    assert!(!raised(&mut flood(2_000).chain(calm(257))), "257 may be 10,000: the interval is open");
}

#[test]
fn another_keys_newest_event_makes_nothing_late() {
    let mut tries: Vec<Try> = vec![unknown(86_400_000, 9, 0)];
    tries.extend((0..3).map(|user| unknown(user as i64 * 1_000, 1, user)));
    let mut engine = engine(vec![scan(10, 30, 3)], ROOMY);
    feed(&mut engine, &tries, Span(0));
    assert_eq!(engine.counts().late, 0);
    assert_eq!(told(engine.sink()), [(Activity::Create, "198.51.100.1".to_owned(), 2)]);
}

#[test]
fn mentions_are_counted_by_themselves() {
    // Six mentions of one name beside five attempts: either count sees its own, and only its own.
    let mention = |ms| Try { mention: true, ..unknown(ms, 1, 7) };
    let mut tries: Vec<Try> = (0..5).map(|n| unknown(n * 1_000 + 500, 1, 7)).collect();
    tries.extend((0..6).map(|n| mention(n * 1_000)));
    tries.sort_by_key(|t| t.ms);
    let rule = |id, measure, n| detector(id, (60, 60), &[measure], &[at_least(0, n)]);
    let raised = |rule| told(&findings(vec![rule], &tries, Span(0)));
    let created = |seconds| vec![(Activity::Create, "198.51.100.1".to_owned(), seconds)];
    assert_eq!(raised(rule("mentions", FAILED_MENTIONS, 6)), created(5));
    assert_eq!(raised(rule("mentions", FAILED_MENTIONS, 7)), []);
    assert_eq!(raised(rule("attempts", FAILURES, 5)), created(4));
    assert_eq!(raised(rule("attempts", FAILURES, 6)), []);
    // Both beside each other on one key keep a counter each.
    let both = [at_least(0, 6), at_least(1, 5)];
    let both = detector("both", (60, 60), &[FAILED_MENTIONS, FAILURES], &both);
    assert_eq!(raised(both), created(5));
}
