//! State is only ever merged: whatever way points are split over states, and in whatever order those
//! are merged, the head shows the same, and it is what an oracle counts.

mod world;

use proptest::prelude::*;
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::{Accuracy, Value};
use tidewatch_core::key::Key;
use tidewatch_core::limits::DISTINCT_LIST_TAGS_MAX;
use tidewatch_core::plan::{Counted, KeyPlan, KeyPlanId, Plan};
use tidewatch_core::state::KeyState;
use tidewatch_core::time::{Span, Time};
use world::*;

const MEASURES: [tidewatch_core::detector::Measure; 8] = [
    UNKNOWN_USERS,
    FAILED_USERS,
    USERS,
    SOURCES,
    FAILURES,
    TRIES,
    FAILED_MENTIONS,
    UNKNOWN_MENTIONS,
];

/// Two windows on one key, all measures in both.
fn two_windows() -> std::sync::Arc<Plan> {
    plan(vec![
        detector("short", (60, 60), &MEASURES, &[at_least(0, 1)]),
        detector("long", (300, 60), &MEASURES, &[at_least(0, 1)]),
    ])
}

fn the_key() -> Key {
    Key::source_ip(v6(1, 1))
}

fn absorb<'a>(plan: &KeyPlan, tries: impl IntoIterator<Item = &'a Try>) -> KeyState {
    let mut state = KeyState::default();
    for t in tries {
        state.absorb(plan, &the_key(), &t.point(&tag_key("a key")), Room::Plenty);
    }
    state
}

fn merged(plan: &KeyPlan, mut left: KeyState, right: &KeyState) -> KeyState {
    left.merge(plan, &the_key(), right, Room::Plenty);
    left
}

fn values(plan: &KeyPlan, state: &KeyState) -> Vec<(Counted, Value)> {
    shown(plan, &the_key(), state, state.head).map(|(_, c, value)| (c, value)).collect()
}

/// Every measure of `state` at its head against the oracle over `tries`.
fn check(plan: &Plan, state: &KeyState, tries: &[Try]) -> Result<(), TestCaseError> {
    let key_plan = plan.key(KeyPlanId(0));
    let key = the_key();
    let head = tries.iter().map(Try::time).max();
    prop_assert_eq!(Some(state.head), head);
    for (i, (detector, _, value)) in shown(key_plan, &key, state, state.head).enumerate() {
        let measure = MEASURES[i % MEASURES.len()];
        let span = plan.detector(detector.id).window;
        let pane = key_plan.pane(detector);
        let from = state.head.minus(span);
        let least = oracle(tries, measure, from, state.head) as f64;
        let most = oracle(tries, measure, from.minus(pane), state.head) as f64;
        match value.error {
            Accuracy::Exact => prop_assert_eq!(value.amount, least, "{:?} {}", measure, span),
            Accuracy::Pane(stated) => {
                prop_assert_eq!(stated, pane);
                prop_assert!(least <= value.amount && value.amount <= most, "{measure:?} {span}");
            }
            Accuracy::Sketch { relative: error, .. } => {
                prop_assert!(least > DISTINCT_LIST_TAGS_MAX as f64, "exact under the cap");
                let (low, high) = (least * (1.0 - 5.0 * error), most * (1.0 + 5.0 * error));
                prop_assert!(
                    low <= value.amount && value.amount <= high,
                    "{measure:?} {span}: {low} <= {} <= {high}",
                    value.amount
                );
            }
            other => prop_assert!(false, "{other:?}, and there was room for sketches"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_split_and_any_order_of_merging_show_what_the_oracle_counts(
        mut tries in tries(700, 5, 40, 1..150),
        parts in prop::collection::vec(0usize..4, 150),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let plan = two_windows();
        let key_plan = plan.key(KeyPlanId(0));
        // Nothing is late here: whether something is depends on what came before.
        let head = tries.iter().map(|t| t.ms).max().unwrap();
        tries.retain(|t| t.ms > head - key_plan.retention.kept.0);
        let part = |n| absorb(
            key_plan,
            tries.iter().zip(&parts).filter(|(_, part)| **part == n).map(|(t, _)| t),
        );
        let whole = absorb(key_plan, &tries);
        check(&plan, &whole, &tries)?;
        let [a, b, c, d] = order.map(part);
        let chain = merged(key_plan, merged(key_plan, merged(key_plan, a.clone(), &b), &c), &d);
        let right = merged(key_plan, merged(key_plan, d, &c), &b);
        let tree = merged(key_plan, right, &a);
        prop_assert_eq!(values(key_plan, &chain), values(key_plan, &whole));
        prop_assert_eq!(values(key_plan, &tree), values(key_plan, &whole));
    }

    #[test]
    fn distinct_counts_are_idempotent(tries in tries(700, 5, 40, 1..150)) {
        let plan = two_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let once = absorb(key_plan, &tries);
        let twice = merged(key_plan, once.clone(), &once);
        for (a, b) in values(key_plan, &once).into_iter().zip(values(key_plan, &twice)) {
            if matches!(a.0, Counted::Distinct(..)) {
                prop_assert_eq!(a, b);
            }
        }
    }
}

/// A flood of `names` different names from START on, one every `step_ms`, then calm.
fn flood(names: u64, step_ms: i64, calm_s: i64) -> Vec<Try> {
    let host = |user: u64| v6(1, (user % 1_000) as u16);
    let mut tries: Vec<Try> = (0..names)
        .map(|user| Try { source: host(user), ..unknown(user as i64 * step_ms, 0, user) })
        .collect();
    let after = tries.last().map_or(0, |t| t.ms);
    let calm = (1..=calm_s).map(|s| Try {
        source: host(s as u64 % 7),
        ..unknown(after + s * 1_000, 0, s as u64 % 20)
    });
    tries.extend(calm);
    tries
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn floods_are_estimated_within_their_error_merged_or_not_and_end(
        names in 257u64..6_000,
        step_ms in 1i64..60,
        calm_s in 0i64..400,
        stride in 1usize..5,
    ) {
        let plan = two_windows();
        let key_plan = plan.key(KeyPlanId(0));
        let tries = flood(names, step_ms, calm_s);
        // What is later than kept is late for a state that starts with the head.
        let head = tries.last().unwrap().ms;
        let tries: Vec<Try> =
            tries.into_iter().filter(|t| t.ms > head - key_plan.retention.kept.0).collect();
        let whole = absorb(key_plan, &tries);
        check(&plan, &whole, &tries)?;
        let part = |n| absorb(key_plan, tries.iter().skip(n).step_by(stride));
        let parts: Vec<KeyState> = (0..stride).map(part).collect();
        let mut forth = KeyState::default();
        let mut back = KeyState::default();
        parts.iter().for_each(|part| forth.merge(key_plan, &the_key(), part, Room::Plenty));
        parts.iter().rev().for_each(|part| back.merge(key_plan, &the_key(), part, Room::Plenty));
        check(&plan, &forth, &tries)?;
        check(&plan, &back, &tries)?;
        prop_assert_eq!(values(key_plan, &forth), values(key_plan, &back));
        prop_assert_eq!(values(key_plan, &merged(key_plan, forth.clone(), &forth))[..4].to_vec(),
            values(key_plan, &forth)[..4].to_vec());
    }

    #[test]
    fn a_stream_shows_the_oracle_at_every_event(mut tries in tries(900, 5, 60, 1..250)) {
        let plan = two_windows();
        let key_plan = plan.key(KeyPlanId(0));
        tries.sort_by_key(|t| t.ms);
        let mut state = KeyState::default();
        for (i, t) in tries.iter().enumerate() {
            state.absorb(key_plan, &the_key(), &t.point(&tag_key("a key")), Room::Plenty);
            check(&plan, &state, &tries[..=i])?;
        }
    }
}

#[test]
fn windows_are_exact_again_once_a_flood_has_passed() {
    let plan = two_windows();
    let key_plan = plan.key(KeyPlanId(0));
    let tries = flood(5_000, 10, 310);
    let mut state = KeyState::default();
    let mut exact_again = None;
    for (i, t) in tries.iter().enumerate() {
        state.absorb(key_plan, &the_key(), &t.point(&tag_key("a key")), Room::Plenty);
        let all_exact = values(key_plan, &state)
            .iter()
            .all(|(_, value)| matches!(value.error, Accuracy::Exact | Accuracy::Pane(_)));
        if i >= 5_000 && all_exact && exact_again.is_none() {
            exact_again = Some(t.ms - tries[4_999].ms);
        }
        if i % 500 == 0 || i >= 5_000 {
            check(&plan, &state, &tries[..=i]).unwrap();
        }
    }
    // As soon as no more than 256 of the flood's names lie in the longer window: 256 names are 2.56 s.
    assert_eq!(exact_again, Some(298_000));
}

#[test]
fn without_room_for_sketches_a_full_list_is_a_lower_bound_that_never_claims_more() {
    let plan = two_windows();
    let key_plan = plan.key(KeyPlanId(0));
    let tries = flood(2_000, 10, 400);
    for first_refused in [0, 100, 300] {
        let mut state = KeyState::default();
        for (i, t) in tries.iter().enumerate() {
            let room = match i {
                _ if i >= first_refused && i < 1_000 => Room::NoSketches,
                _ => Room::Plenty,
            };
            state.absorb(key_plan, &the_key(), &t.point(&tag_key("a key")), room);
            let other = absorb(key_plan, &tries[..=i.min(5)]);
            let mixed = if i % 97 == 0 { merged(key_plan, other, &state) } else { continue };
            for (j, (detector, c, value)) in
                shown(key_plan, &the_key(), &mixed, mixed.head).enumerate()
            {
                let Counted::Distinct(..) = c else { continue };
                let from = mixed.head.minus(plan.detector(detector.id).window);
                let truth = oracle(&tries[..=i], MEASURES[j % MEASURES.len()], from, mixed.head);
                match value.error {
                    Accuracy::Exact => assert_eq!(value.amount, truth as f64),
                    Accuracy::AtLeast => assert!(value.amount <= truth as f64),
                    _ => assert!((value.amount / truth as f64 - 1.0).abs() < 0.13),
                }
            }
        }
    }
}

#[test]
fn a_full_list_without_a_sketch_makes_the_merged_one_a_lower_bound_too() {
    let plan = two_windows();
    let key_plan = plan.key(KeyPlanId(0));
    let tries = flood(2_000, 10, 0);
    let (first, second) = tries.split_at(1_000);
    let sketched = absorb(key_plan, first);
    let mut listed = KeyState::default();
    for t in second {
        listed.absorb(key_plan, &the_key(), &t.point(&tag_key("a key")), Room::NoSketches);
    }
    for state in [merged(key_plan, sketched.clone(), &listed), merged(key_plan, listed, &sketched)]
    {
        let (_, unknown_users) = values(key_plan, &state)[0];
        assert_eq!(unknown_users, Value { amount: 256.0, error: Accuracy::AtLeast });
    }
}

#[test]
fn late_points_count_inside_kept_time_and_are_told_beyond_it() {
    let plan = two_windows();
    let key_plan = plan.key(KeyPlanId(0));
    assert_eq!(key_plan.retention.kept, Span::seconds(600));
    let late_by = |ms: i64| {
        let mut state = absorb(key_plan, &[unknown(0, 0, 1)]);
        let point = unknown(-ms, 0, 2).point(&tag_key("a key"));
        let absorbed = state.absorb(key_plan, &the_key(), &point, Room::Plenty);
        assert_eq!(state.head, at(0), "a late point moves no head");
        let listed = |at: Time| {
            shown(key_plan, &the_key(), &state, at).map(|(_, _, v)| v.amount).collect::<Vec<_>>()
        };
        (absorbed.late, listed(at(0))[MEASURES.len()], listed(at(-ms))[MEASURES.len()])
    };
    // (late, unknown users of the long window at the head, at the late point's own time)
    assert_eq!(late_by(0), (false, 2.0, 2.0));
    // Beyond twice the short window it is late there, and still counts in the long one.
    assert_eq!(late_by(299_999), (true, 2.0, 1.0));
    assert_eq!(late_by(300_000), (true, 1.0, 1.0));
    assert_eq!(late_by(599_999), (true, 1.0, 1.0));
    assert_eq!(late_by(600_000), (true, 1.0, 0.0));
}
