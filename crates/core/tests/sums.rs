//! Sums of bytes: exact whatever the order, the splits and the deliveries, in either home and through the bytes of a
//! share; and what an access is counted as.

mod world;

use proptest::prelude::*;
use smallvec::SmallVec;
use tidewatch_core::access::Access;
use tidewatch_core::contribution::{Amount, Contribution, Part, Point, Source};
use tidewatch_core::detector::{
    Detector, DistinctField, Filter, Measure, NumberField, Share as OfAll,
};
use tidewatch_core::distinct::Room;
use tidewatch_core::key::{Key, KeyField};
use tidewatch_core::key_ring::Generation;
use tidewatch_core::limits::BYTES_OUT_MAX;
use tidewatch_core::plan::{KeyPlan, KeyPlanId, Plan};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::shape::Shape;
use tidewatch_core::signal::{Outcome, Role, SignalKind};
use tidewatch_core::state::KeyState;
use tidewatch_core::table_store::share::Share;
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::Time;
use world::*;

const SENT: Filter = Filter { outcome: Some(Outcome::Success), user_known: None };
const REFUSED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
const ANY: Filter = Filter { outcome: None, user_known: None };

/// What is counted, each with what it comes to of accesses counted one by one.
const MEASURES: [Measure; 6] = [
    Measure::Sum(NumberField::Bytes, SENT),
    Measure::Sum(NumberField::Bytes, REFUSED),
    Measure::Sum(NumberField::Bytes, ANY),
    Measure::Count(Role::Attempt, SENT),
    Measure::Count(Role::Attempt, ANY),
    Measure::Distinct(DistinctField::Resource, SENT),
];

#[derive(Clone, Copy, Debug)]
struct Asked {
    ms: i64,
    bytes: u64,
    resource: u64,
    refused: bool,
}

impl Asked {
    fn access(&self) -> Access {
        let source = Some(the_source());
        let (refused, resource) = (self.refused, Some(self.resource << 40 | 1 << 63));
        Access { source, bytes_out: self.bytes, refused, resource, ..Access::default() }
    }

    fn point(&self, nth: usize) -> Point {
        let access = self.access();
        Point {
            time: at(self.ms),
            generation: Generation::Even,
            event: event_tag(nth as u64),
            shape: Shape::of(&access.tried()),
            amount: Amount::of(access.bytes_out),
            user: access.resource.map(UserTag),
            source: Some(Source { address: the_source(), tag: 0 }),
        }
    }
}

fn the_source() -> std::net::IpAddr {
    std::net::Ipv4Addr::new(192, 0, 2, 1).into()
}

fn asked() -> impl Strategy<Value = Asked> {
    let bytes = prop_oneof![1u64..3_000, 1_000_000u64..9_000_000, Just(BYTES_OUT_MAX / 64)];
    (0i64..3_000_000, bytes, 0u64..40, any::<bool>())
        .prop_map(|(ms, bytes, resource, refused)| Asked { ms, bytes, resource, refused })
}

fn of_accesses() -> Detector {
    let rule = detector("sums", (3_600, 3_600), &MEASURES, &[at_least(0, 1)]);
    Detector { signal: SignalKind::Access, ..rule }
}

/// What a measure comes to, by the definition.
fn counted(all: &[Asked], measure: Measure) -> f64 {
    let (filter, of): (Filter, fn(&Asked) -> u64) = match measure {
        Measure::Sum(_, filter) => (filter, |asked| asked.bytes),
        Measure::Count(_, filter) => (filter, |_| 1),
        Measure::Distinct(_, filter) => {
            let passing =
                all.iter().filter(|a| filter.outcome != Some(Outcome::Failure) && !a.refused);
            let mut resources: Vec<u64> = passing.map(|asked| asked.resource).collect();
            resources.sort_unstable();
            resources.dedup();
            return resources.len() as f64;
        }
        other => panic!("{other:?}"),
    };
    let passes = |asked: &&Asked| {
        filter.outcome.is_none_or(|outcome| (outcome == Outcome::Failure) == asked.refused)
    };
    all.iter().filter(passes).map(of).sum::<u64>() as f64
}

fn contribution(points: &[Point], first: u64) -> Contribution {
    let ends = 1..=points.len();
    let parts = ends.map(|end| Part { sequence: Sequence::of(first + end as u64), end });
    let (points, parts) = (SmallVec::from_slice(points), parts.collect());
    Contribution { points, parts, ..Contribution::to(KeyPlanId(0), Key::source_ip(the_source())) }
}

fn numbers(plan: &KeyPlan, state: &KeyState) -> Vec<f64> {
    shown(plan, &Key::source_ip(the_source()), state, state.head)
        .map(|(.., value)| value.amount)
        .collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_sum_is_what_its_accesses_come_to_in_either_home_however_they_are_split(
        mut all in prop::collection::vec(asked(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        // Whatever came late is counted all the same: all lie within one window.
        let points: Vec<Point> = all.iter().enumerate().map(|(nth, asked)| asked.point(nth)).collect();
        let expected: Vec<f64> = MEASURES.iter().map(|measure| counted(&all, *measure)).collect();

        let memory = Plan::new(vec![of_accesses()]).expect("few measures");
        let plan = memory.key(KeyPlanId(0));
        let key = Key::source_ip(the_source());
        let cut = cut.index(points.len());
        let mut halves = [&points[..cut], &points[cut..]].map(|half| {
            let mut state = KeyState::default();
            half.iter().for_each(|point| { state.absorb(plan, &key, point, Room::Plenty); });
            state
        });
        let [one, other] = &mut halves;
        one.merge(plan, &key, other, Room::Plenty);
        prop_assert_eq!(numbers(plan, one), expected.clone());

        let shared = Plan::shared(vec![of_accesses()]).expect("decidable");
        let plan = shared.key(KeyPlanId(0));
        let mut share = Share::default();
        // Delivered twice, and read back from its bytes between.
        let (first, second) = (contribution(&points[..cut], 0), contribution(&points[cut..], cut as u64));
        for delivery in [&first, &second, &first, &second] {
            share.take(plan, delivery, &Safeguards::default());
            share = Share::decode(plan, &share.encode()).expect("its own bytes");
        }
        prop_assert_eq!(numbers(plan, &share.state), expected);
        all.clear();
    }

    #[test]
    fn an_amount_comes_back(number in 1u64..1 << 48) {
        prop_assert_eq!(Amount::of(number).number(), number);
        let weight = u64::from(Amount::of(number).weight());
        prop_assert_eq!(weight, number.min(u64::from(u32::MAX)));
    }
}

#[test]
fn sums_saturate_and_nothing_is_less_than_one() {
    assert_eq!(Amount::of(0).number(), 1);
    assert_eq!(Amount::of(u64::MAX).number(), (1 << 48) - 1);
    // As many of the largest responses as counters hold, and more.
    let memory = Plan::new(vec![of_accesses()]).expect("few measures");
    let (plan, key) = (memory.key(KeyPlanId(0)), Key::source_ip(the_source()));
    let mut state = KeyState::default();
    for nth in 0..5_000 {
        let asked = Asked { ms: 0, bytes: BYTES_OUT_MAX, resource: 1, refused: false };
        state.absorb(plan, &key, &asked.point(nth), Room::Plenty);
    }
    assert_eq!(numbers(plan, &state)[0], f64::from(u32::MAX) * 1_024.0);
}

#[test]
fn what_nobody_counts_touches_no_state() {
    let logins = Plan::new(vec![detector("logins", (600, 600), &[TRIES], &[at_least(0, 1)])]);
    assert!(!logins.expect("few measures").counts(SignalKind::Access));
}

#[test]
fn what_a_share_is_asked_of_is_counted_over_everything() {
    let share = Some(OfAll { measure: 0, thousandths: 200 });
    let plan = Plan::shared(vec![Detector { share, ..of_accesses() }]).expect("decidable");
    let all = plan.keys.iter().find(|key| key.fields.as_slice() == [KeyField::Global]);
    let all = all.expect("everything is counted");
    assert!(all.signal == SignalKind::Access && all.sums() && all.is_hot());
    // A day back, so that what is usual is known.
    let day = Time(86_400_000);
    assert!(all.retention.first_kept(all.retention.counters.len() - 1, day) <= 0);
}
