//! The phases of a change of key, at every border; and what of a share belongs to which generation.

mod world;

use proptest::prelude::*;
use tidewatch_core::contribution::{Again, Contribution, Part, Point};
use tidewatch_core::key::Key;
use tidewatch_core::key_ring::{Generation, KeyRing, LiveKey, Phase};
use tidewatch_core::limits::{ROTATION_OVERLAP, ROTATION_TRAIL};
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::retention::SHARED_TAG_MASK;
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::signal::Signal;
use tidewatch_core::table_store::share::Share;
use tidewatch_core::tag::EventTag;
use tidewatch_core::time::{Span, Time};
use world::*;

const HOUR: i64 = 3_600_000;

fn ring(id: u32, from: Time) -> KeyRing {
    let previous = LiveKey { id: id - 1, key: tag_key("old"), from: Time::MIN };
    KeyRing { current: LiveKey { id, key: tag_key("new"), from }, previous: Some(previous) }
}

/// Which key is judged, which else there is, and which else is written.
fn told(phase: &Phase, now: Time) -> (u32, Option<u32>, Option<u32>) {
    let id = |key: LiveKey| key.id;
    (phase.reading.id, phase.other.map(id), phase.writing(now).map(id))
}

#[test]
fn every_border_of_a_change_of_key_is_where_it_should_be() {
    let from = at(0);
    let switch = from.plus(ROTATION_OVERLAP);
    let trailed = switch.plus(ROTATION_TRAIL);
    let over = switch.plus(ROTATION_OVERLAP);
    assert_eq!((ROTATION_OVERLAP, switch.0 - from.0), (Span(49 * HOUR), 49 * HOUR));
    let before = |time: Time| Time(time.0 - 1);
    for (now, expected) in [
        (Time::MIN, (1, None, None)),
        (before(from), (1, None, None)),
        (from, (1, Some(2), Some(2))),
        (before(switch), (1, Some(2), Some(2))),
        (switch, (2, Some(1), Some(1))),
        (before(trailed), (2, Some(1), Some(1))),
        (trailed, (2, Some(1), None)),
        (before(over), (2, Some(1), None)),
        (over, (2, None, None)),
        (Time(i64::MAX / 4), (2, None, None)),
    ] {
        let phase = ring(2, from).phase(now);
        assert_eq!(told(&phase, now), expected, "at {}", now.0 - from.0);
        assert_eq!(ring(2, from).is_settled(now), now >= over, "at {}", now.0 - from.0);
    }
}

#[test]
fn one_key_is_used_alone_for_ever() {
    let single = KeyRing::single(tag_key("only"));
    for now in [Time::MIN, at(0), Time(i64::MAX / 4)] {
        assert_eq!(told(&single.phase(now), now), (0, None, None));
        assert!(single.is_settled(now));
    }
    assert_eq!(single.current.generation(), Generation::Even);
    assert_eq!(told(&Phase::from(tag_key("only")), at(0)), (0, None, None));
    let ids = [0, 1, 2, 3].map(|id| LiveKey { id, ..single.current }.generation() as u8);
    assert_eq!(ids, [0, 1, 0, 1]);
}

proptest! {
    #![proptest_config(cases(200))]

    /// Whoever meets an event, before the switch or after, however his clock goes and whether he knows
    /// of the new key.
    #[test]
    fn an_event_has_one_tag_whoever_meets_it_and_when(
        time_h in -60i64..160,
        meetings in prop::collection::vec((0i64..49 * 60, -60i64..60, any::<bool>()), 1..8),
    ) {
        let from = at(0);
        let ring = ring(2, from);
        let switch = from.plus(ROTATION_OVERLAP);
        let under = |key: &LiveKey| Signal {
            time: from.plus(Span(time_h * HOUR)),
            event: EventTag(u64::from(key.id)),
            ..unknown(0, 1, 1).signal(&key.key, 7)
        };
        for (late_min, ahead_min, behind) in meetings {
            // He meets it when it has happened, by a clock that is up to an hour off; who has read the
            // secret before the new key was in it reads it again within a quarter of an hour.
            let now = Time(from.0 + time_h * HOUR + (late_min + ahead_min) * 60_000);
            let known = behind && now < from.plus(Span::minutes(15));
            let phase = match known {
                true => Phase { reading: ring.previous.unwrap(), other: None, switch: Time::MIN },
                false => ring.phase(now),
            };
            let again = phase.other.as_ref().map(under);
            let EventTag(tag) = phase.event(&under(&phase.reading), again.as_ref());
            let expected = if from.plus(Span(time_h * HOUR)) < switch { 1 } else { 2 };
            // Only an event so late that the old key is gone is known by the new one.
            let gone = told(&phase, now) == (2, None, None);
            prop_assert_eq!(tag, if gone { 2 } else { expected }, "met at {}", now.0 - from.0);
        }
    }

    /// A share says under every key what it says under one, and is no larger under one key than it was
    /// before keys had generations.
    #[test]
    fn shares_of_either_generation_and_of_both_come_back(
        tries in tries(80_000, 5, 40, 1..100),
        begins in any::<prop::sample::Index>(),
        ends in any::<prop::sample::Index>(),
    ) {
        let plan = plan();
        let key_plan = plan.key(KeyPlanId(0));
        let (begins, ends) = (begins.index(tries.len() + 1), ends.index(tries.len() + 1));
        let share = |generation: Generation, again: bool| {
            let mut share = Share::default();
            for (nth, t) in tries.iter().enumerate() {
                let again = again && nth >= begins && nth < ends;
                let contribution = contribution(t, nth, generation, again);
                share.take(key_plan, &contribution, &Safeguards::default());
            }
            share
        };
        let [even, odd] = Generation::ALL.map(|generation| share(generation, false));
        // First sightings are told of who got in.
        let got_in = tries.iter().any(|t| t.success);
        let told = if got_in { 3 } else { 0 };
        prop_assert_eq!(even.encode()[0], 1 + told);
        let has_lists = !even.state.lists.is_empty();
        prop_assert_eq!(odd.encode()[0], told + if has_lists { 2 } else { 1 });
        prop_assert_eq!(odd.encode().len(), even.encode().len());
        let both = share(Generation::Even, true);
        for share in [even, odd, both] {
            let read = Share::decode(key_plan, &share.encode()).unwrap();
            prop_assert_eq!(sorted(&read), sorted(&share));
            prop_assert_eq!(read.encode(), share.encode());
        }
    }
}

fn plan() -> Plan {
    let measures = [UNKNOWN_USERS, USERS, SOURCES, TRIES];
    let of = detector("day", (86_400, 3_600), &measures, &[at_least(0, 1)]);
    Plan::shared(vec![of]).expect("the shared home takes it")
}

/// One try in a record of its own, tagged under the key of a generation, and under the other's too.
fn contribution(t: &Try, nth: usize, generation: Generation, again: bool) -> Contribution {
    let other = Generation::ALL[1 - generation as usize];
    let under = |generation| {
        let name = if generation == Generation::Even { "even" } else { "odd" };
        Point { generation, event: EventTag((nth as u64) << 40), ..t.point(&tag_key(name)) }
    };
    Contribution {
        points: [under(generation)].into_iter().collect(),
        again: again.then(|| Again::of(&under(other))).into_iter().collect(),
        parts: vec![Part { sequence: Sequence::of(nth as u64 + 1), end: 1 }],
        ..Contribution::to(KeyPlanId(0), Key::source_ip(v6(1, 1)))
    }
}

/// A list's class, field, names by when they were last seen, and up to when it forgot some.
type Listed = (u64, String, Vec<(i64, u64)>, Option<Time>);

/// What the lists hold, in an order of its own.
fn sorted(share: &Share) -> Vec<Listed> {
    let mut lists: Vec<_> = share
        .state
        .lists
        .iter()
        .map(|of| {
            let seen =
                of.list.seen().iter().map(|seen| (seen.last().0, seen.tag & SHARED_TAG_MASK));
            let mut seen: Vec<_> = seen.collect();
            seen.sort_unstable();
            (of.class, format!("{:?}", of.field), seen, of.list.evicted())
        })
        .collect();
    lists.sort();
    lists
}
