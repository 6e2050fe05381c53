//! First sightings in shares: after their bytes, on several shards that leave tags out, and beside what earlier
//! versions wrote.

use proptest::prelude::*;
use tidewatch_core::contribution::{Contribution, Part};
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::Value;
use tidewatch_core::plan::{KeyPlan, KeyPlanId, Plan};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::state::KeyState;
use tidewatch_core::table_store::share::Share;

use crate::world::*;
use crate::{HOUR, MEASURES, USER, absorb, amount, check, plans, some, the_key, values};

fn contribution(tries: &[Try], sequence: u64) -> Contribution {
    let points = tries.iter().map(|t| t.point(&tag_key("a key"))).collect();
    let parts = vec![Part { sequence: Sequence::of(sequence), end: tries.len() }];
    Contribution { points, parts, ..Contribution::to(KeyPlanId(0), the_key()) }
}

fn take(plan: &KeyPlan, share: &mut Share, tries: &[Try], sequence: u64) {
    share.take(plan, &contribution(tries, sequence), &Safeguards::default());
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_share_shows_after_its_bytes_what_it_showed_before(tries in some(47, 40, 1..150)) {
        let [_, plan] = plans();
        let plan = plan.key(KeyPlanId(0));
        let mut share = Share::default();
        take(plan, &mut share, &tries, 1);
        let read = Share::decode(plan, &share.encode()).unwrap();
        prop_assert_eq!(values(plan, &read.state), values(plan, &share.state));
        prop_assert_eq!(read.encode(), share.encode());
    }

    /// The shared home says what one process says, on whatever shards lines came and whatever shards had seen of
    /// each other when they left tags out.
    #[test]
    fn shards_that_trim_by_stale_views_know_the_first_sighting_of_all(
        steps in prop::collection::vec((0usize..4, 0usize..6, 0u64..20, 0i64..HOUR), 1..200),
    ) {
        let [memory, shared] = plans();
        let (memory, shared) = (memory.key(KeyPlanId(0)), shared.key(KeyPlanId(0)));
        let (view, all) = played(shared, &steps, &Safeguards::default());
        check(shared, &view, &all)?;
        let amounts = |values: Vec<Value>| values.iter().map(|v| v.amount).collect::<Vec<_>>();
        let embedded = absorb(memory, &all);
        for (nth, (one, other)) in
            amounts(values(shared, &view)).into_iter().zip(amounts(values(memory, &embedded))).enumerate()
        {
            // Apart from the second that a last sighting may lie beyond the old end.
            prop_assert!(one - other <= 1.0 && other <= one, "{:?}: {} {}", MEASURES[nth % 6], one, other);
        }
    }
}

/// Successes, each on a shard that has seen the others as they were some steps ago. What all shards show together in
/// the end, and what was tried.
fn played(
    plan: &KeyPlan,
    steps: &[(usize, usize, u64, i64)],
    safeguards: &Safeguards,
) -> (KeyState, Vec<Try>) {
    let mut shares: Vec<Vec<Share>> = vec![vec![Share::default()]; 4];
    let (mut all, mut ms) = (Vec::new(), 0);
    for (nth, (shard, age, user, gap)) in steps.iter().enumerate() {
        ms += gap;
        // Nothing is older than what any window reaches.
        let t = success(ms % (47 * HOUR), 1, *user);
        if ms >= 47 * HOUR {
            break;
        }
        all.push(t);
        let mut next = shares[*shard].last().expect("one").clone();
        take(plan, &mut next, &[t], nth as u64 + 1);
        let mut others = KeyState::default();
        for (_, history) in shares.iter().enumerate().filter(|(of, _)| of != shard) {
            let then = history.len().saturating_sub(1 + age);
            others.merge(plan, &the_key(), &history[then].state, Room::NoSketches);
        }
        next.trim(plan, &others, safeguards);
        shares[*shard].push(Share::decode(plan, &next.encode()).expect("just written"));
    }
    let mut view = KeyState::default();
    for history in &shares {
        let share = &history.last().expect("one").state;
        view.merge(plan, &the_key(), share, Room::NoSketches);
    }
    (view, all)
}

#[test]
fn a_shard_that_leaves_out_an_early_sighting_for_a_late_one_forgets_who_is_known() {
    let [_, plan] = plans();
    let plan = plan.key(KeyPlanId(0));
    // A user on the first shard, on the second without having seen the first, and the first once more for another.
    let steps = [(0, 0, 7, 0), (1, 9, 7, 30 * HOUR), (0, 0, 8, 1_000)];
    let shown = |safeguards: &Safeguards| {
        let (view, _) = played(plan, &steps, safeguards);
        amount(plan, &view, 0).0
    };
    assert_eq!(shown(&Safeguards::default()), 1.0, "the other is new");
    let without = Safeguards { keep_firsts: false, ..Safeguards::default() };
    assert_eq!(shown(&without), 2.0, "without the guard the first is too");
}

#[test]
fn a_shard_takes_over_what_others_knew_first_so_that_they_need_not_keep_it() {
    let [_, plan] = plans();
    let plan = plan.key(KeyPlanId(0));
    let mut one = Share::default();
    take(plan, &mut one, &[success(0, 1, 7)], 1);
    let mut two = Share::default();
    take(plan, &mut two, &[success(30 * HOUR, 1, 7)], 1);
    two.trim(plan, &one.state, &Safeguards::default());
    assert_eq!(amount(plan, &two.state, 0).0, 0.0, "it is known there too");
    take(plan, &mut one, &[success(30 * HOUR + 1_000, 1, 8)], 2);
    one.trim(plan, &two.state, &Safeguards::default());
    let tags: usize =
        one.state.lists.iter().filter(|l| l.field == USER).map(|l| l.list.len()).sum();
    assert_eq!(tags, 1);
}

#[test]
fn a_share_of_failures_is_as_it_always_was_and_a_first_sighting_takes_two_bytes_at_most() {
    let measures = [USERS, SOURCES, TRIES];
    let plan = Plan::shared(vec![detector("day", (86_400, 60), &measures, &[at_least(0, 1)])]);
    let plan = plan.expect("one");
    let plan = plan.key(KeyPlanId(0));
    let of = |tries: &[Try]| {
        let mut share = Share::default();
        take(plan, &mut share, tries, 1);
        share.encode()
    };
    let day = |success| [0, 24 * HOUR].map(|ms| Try { success, ..unknown(ms, 1, 7) });
    let (failed, got_in) = (day(false), day(true));
    assert_eq!([of(&failed)[0], of(&got_in)[0]], [1, 4]);
    // The user and the address, each in a list of its own.
    let more = |n: usize| of(&got_in[n..]).len() - of(&failed[n..]).len();
    assert_eq!([more(1), more(0)], [2, 4]);
}

#[test]
fn who_version_1_had_seen_counts_as_new_since_then() {
    let [_, plan] = plans();
    let plan = plan.key(KeyPlanId(0));
    let golden = include_str!("../golden/share-1.hex").trim();
    let byte = |at: usize| u8::from_str_radix(&golden[at..at + 2], 16).expect("hexadecimal");
    let bytes: Vec<u8> = (0..golden.len()).step_by(2).map(byte).collect();
    let mut read = Share::decode(plan, &bytes).expect("version 1");
    let users = |state: &KeyState| [0, 1].map(|nth| amount(plan, state, nth).0);
    assert_eq!(users(&read.state), [1.0, 0.0]);
    // A day later the same user is known.
    take(plan, &mut read, &[success(27 * HOUR, 1, 9)], 2_000);
    assert_eq!(users(&read.state), [0.0, 1.0]);
}
