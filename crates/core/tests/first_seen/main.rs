//! Since when a key sees who gets in: whatever way sightings are split, ordered, repeated and written, what is new
//! and what is known is what an oracle says who looks at all of them. Beyond what a list holds, and where a tag
//! stayed away for longer than it is remembered, it is new again, and nobody new is ever taken for known.

mod shares;
#[path = "../world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;
use tidewatch_core::detector::{Confidence, Detector, DistinctField, Filter, Measure};
use tidewatch_core::distinct::Room;
use tidewatch_core::finding::{Accuracy, Activity, Finding, Value};
use tidewatch_core::first_seen::Since;
use tidewatch_core::key::Key;
use tidewatch_core::limits::{REMEMBERED, REMEMBERED_TAGS_MAX, SHARED_LIST_TAGS_MAX};
use tidewatch_core::plan::{KeyPlan, KeyPlanId, Plan};
use tidewatch_core::seen::FIRST_STEP;
use tidewatch_core::signal::Outcome;
use tidewatch_core::state::{ClassList, KeyState};
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Window;
use world::*;

const EXISTING: Filter = Filter { outcome: Some(Outcome::Success), user_known: Some(true) };
const HOUR: i64 = 3_600_000;

const fn hours(hours: i64) -> Span {
    Span::minutes(hours * 60)
}

const fn new(field: DistinctField, filter: Filter, within: Span) -> Measure {
    Measure::FirstSeen(field, filter, Since::NewWithin(within))
}

const fn known(field: DistinctField, filter: Filter, since: Span) -> Measure {
    Measure::FirstSeen(field, filter, Since::KnownFor(since))
}

const USER: DistinctField = DistinctField::User;
const SOURCE: DistinctField = DistinctField::SourceIp;

const MEASURES: [Measure; 6] = [
    new(USER, SUCCEEDED, hours(24)),
    known(USER, SUCCEEDED, hours(24)),
    new(USER, EXISTING, hours(36)),
    known(USER, EXISTING, hours(36)),
    new(SOURCE, SUCCEEDED, hours(24)),
    known(SOURCE, SUCCEEDED, hours(30)),
];

fn detectors() -> Vec<Detector> {
    let of = |id, s: i64| detector(id, (s, s), &MEASURES, &[at_least(0, 1)]);
    vec![of("hour", 3_600), of("day", 86_400)]
}

fn plans() -> [Plan; 2] {
    [Plan::new(detectors()).expect("few"), Plan::shared(detectors()).expect("few")]
}

fn the_key() -> Key {
    Key::source_ip(v6(1, 1))
}

fn absorb<'a>(plan: &KeyPlan, tries: impl IntoIterator<Item = &'a Try>) -> KeyState {
    let mut state = KeyState::default();
    for t in tries {
        state.absorb(plan, &the_key(), &t.point(&tag_key("a key")), Room::NoSketches);
    }
    state
}

fn merged(plan: &KeyPlan, mut left: KeyState, right: &KeyState) -> KeyState {
    left.merge(plan, &the_key(), right, Room::NoSketches);
    left
}

fn values(plan: &KeyPlan, state: &KeyState) -> Vec<Value> {
    shown(plan, &the_key(), state, state.head).map(|(_, _, value)| value).collect()
}

/// What is true of a value.
struct Sighted {
    /// Its first sighting, back from the last as far as it was seen again before it was forgotten.
    first: Time,
    last: Time,
    /// Whether it was seen at a time in this span.
    within: bool,
}

/// All values that pass; `span` is that of [`Sighted::within`].
fn sightings<'a>(
    tries: impl IntoIterator<Item = &'a Try>,
    (field, filter): (DistinctField, Filter),
    span: (Time, Time),
) -> BTreeMap<u64, Sighted> {
    let key = tag_key("a key");
    let mut all: Vec<(Time, u64)> = tries
        .into_iter()
        .filter(|t| t.success && filter.user_known.is_none_or(|known| t.known == Some(known)))
        .filter_map(|t| {
            let value = match field {
                DistinctField::SourceIp => Some(key.source(t.source)),
                _ => t.user,
            };
            Some((t.time(), value?))
        })
        .collect();
    all.sort_unstable();
    let mut seen = BTreeMap::new();
    for (time, value) in all {
        let of = seen.entry(value).or_insert(Sighted { first: time, last: time, within: false });
        if of.last <= time.minus(REMEMBERED) {
            of.first = time;
        }
        of.last = time;
        of.within |= time > span.0 && time <= span.1;
    }
    seen
}

/// The least and the most that a measure may show: first sightings are kept up to a step later than they were, last
/// ones up to `grain`. Who is in one list only is known for as long as he was refreshed; who is in several may only
/// be known by what none of them has forgotten.
fn oracle_since(
    tries: &[Try],
    measure: Measure,
    (at, span, grain): (Time, Span, Span),
) -> (usize, usize) {
    let Measure::FirstSeen(field, filter, since) = measure else { panic!("no other is asked") };
    let begun = at.minus(since.span());
    let (remembered, surely) = (at.minus(REMEMBERED), begun.minus(FIRST_STEP));
    let seen = sightings(tries, (field, filter), (remembered, surely));
    let is_one_list = tries.iter().all(|t| t.known == tries[0].known);
    let known = |of: &Sighted| of.within || (is_one_list && of.first <= surely);
    let count = |counts: &dyn Fn(&Sighted) -> bool| seen.values().filter(|of| counts(of)).count();
    let (begins, edge) = (at.minus(span), at.minus(span).minus(grain));
    match since {
        Since::NewWithin(_) => (
            count(&|of| of.last > begins && of.first > begun),
            count(&|of| of.last > edge && !known(of)),
        ),
        Since::KnownFor(_) => (
            count(&|of| of.last > remembered && known(of)),
            count(&|of| of.last > remembered.minus(grain) && of.first <= begun),
        ),
    }
}

/// Every measure of `state` at its head against the oracle; nothing may be lost.
fn check(plan: &KeyPlan, state: &KeyState, tries: &[Try]) -> Result<(), TestCaseError> {
    let key = the_key();
    for (i, (detector, _, value)) in shown(plan, &key, state, state.head).enumerate() {
        let measure = MEASURES[i % MEASURES.len()];
        let (least, most) =
            oracle_since(tries, measure, (state.head, detector.span, plan.retention.grain));
        let amount = value.amount as usize;
        prop_assert_eq!(value.error, Accuracy::Exact);
        prop_assert!(
            least <= amount && amount <= most,
            "{:?} in {}: {} <= {} <= {}",
            measure,
            detector.span,
            least,
            amount,
            most
        );
    }
    Ok(())
}

/// Successes of a few users, over `hours`; sources and whether the user exists vary.
fn some(hours: i64, users: u64, number: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Try>> {
    let tries = tries(hours * 3_600, 6, users, number);
    tries.prop_map(|all| {
        let success = |(nth, t): (usize, Try)| Try { success: nth % 4 > 0, ..t };
        all.into_iter().enumerate().map(success).collect()
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_split_and_any_order_of_merging_show_what_the_oracle_says(
        mut tries in some(90, 12, 1..150),
        parts in prop::collection::vec(0usize..4, 150),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        for plan in plans() {
            let plan = plan.key(KeyPlanId(0));
            // Nothing is late here: whether something is depends on what came before.
            let head = tries.iter().map(|t| t.ms).max().unwrap();
            tries.retain(|t| t.ms > head - plan.retention.kept.0);
            let part = |n| absorb(
                plan,
                tries.iter().zip(&parts).filter(|(_, part)| **part == n).map(|(t, _)| t),
            );
            let whole = absorb(plan, &tries);
            check(plan, &whole, &tries)?;
            let [a, b, c, d] = order.map(part);
            let chain = merged(plan, merged(plan, merged(plan, a.clone(), &b), &c), &d);
            let right = merged(plan, merged(plan, d, &c), &b);
            let tree = merged(plan, right, &a);
            prop_assert_eq!(values(plan, &chain), values(plan, &whole));
            prop_assert_eq!(values(plan, &tree), values(plan, &whole));
            // Once more changes nothing, and neither does being written down.
            prop_assert_eq!(values(plan, &merged(plan, chain.clone(), &whole)), values(plan, &whole));
        }
    }

    #[test]
    fn a_first_sighting_reaches_back_as_long_as_it_was_refreshed(
        mut tries in some(30 * 24, 8, 1..120),
        told in any::<bool>(),
    ) {
        tries.sort_by_key(|t| t.ms);
        if told {
            tries.iter_mut().for_each(|t| t.known = Some(true));
        }
        for plan in plans() {
            let plan = plan.key(KeyPlanId(0));
            let mut state = KeyState::default();
            for (i, t) in tries.iter().enumerate() {
                state.absorb(plan, &the_key(), &t.point(&tag_key("a key")), Room::NoSketches);
                check(plan, &state, &tries[..=i])?;
                // Forgetting at once or as it happens is the same.
                if i % 3 == 0 {
                    state = merged(plan, KeyState::default(), &state);
                    check(plan, &state, &tries[..=i])?;
                }
            }
        }
    }

    #[test]
    fn a_window_that_ends_before_the_newest_event_is_an_interval_that_holds_it(
        mut tries in some(60, 12, 2..100),
        before in 0i64..20 * HOUR,
    ) {
        for plan in plans() {
            let plan = plan.key(KeyPlanId(0));
            let head = tries.iter().map(|t| t.ms).max().unwrap();
            tries.retain(|t| t.ms > head - plan.retention.kept.0);
            let state = absorb(plan, &tries);
            let at = state.head.minus(Span(before));
            let then: Vec<Try> = tries.iter().filter(|t| t.time() <= at).copied().collect();
            let key = the_key();
            let window = Window { plan, key: &key, state: &state, at, told: at, version: 0 };
            for detector in &plan.detectors {
                for (counted, measure) in detector.measures.iter().zip(MEASURES) {
                    let bounds = window.bounds(*counted, detector);
                    let (least, most) =
                        oracle_since(&then, measure, (at, detector.span, plan.retention.grain));
                    let (low, high) = (bounds.low as usize, bounds.high);
                    prop_assert!(low <= most, "{measure:?}: {low} of at most {most}");
                    prop_assert!(high >= least as f64, "{measure:?}: {high} of at least {least}");
                }
            }
        }
    }

    #[test]
    fn beyond_what_a_list_holds_nobody_new_is_taken_for_known(
        users in 400u64..900,
        step in 1u64..40,
        seconds in 20i64..200,
    ) {
        for plan in plans() {
            let plan = plan.key(KeyPlanId(0));
            let user = |nth: u64| nth * step % users;
            let all: Vec<Try> =
                (0..1_500).map(|nth| success(nth as i64 * seconds * 1_000, 1, user(nth))).collect();
            let mut state = KeyState::default();
            for (i, t) in all.iter().enumerate() {
                state.absorb(plan, &the_key(), &t.point(&tag_key("a key")), Room::NoSketches);
                if i % 250 < 249 {
                    continue;
                }
                let (day, of_day) = (&plan.detectors[1], (state.head, plan.detectors[1].span, Span(1_000)));
                let value = values(plan, &state)[MEASURES.len()];
                let (least, _) = oracle_since(&all[..=i], MEASURES[0], of_day);
                let listed = absorb(plan, &all[..=i]).lists.iter().map(|l| l.list.len()).max();
                let most = plan.retention.remembered_tags_max;
                prop_assert!(listed <= Some(most));
                match value.error {
                    Accuracy::Exact => prop_assert!(value.amount as usize >= least),
                    // Some of these may be known.
                    Accuracy::AtMost => prop_assert!(value.amount as usize >= least),
                    // More of this very window than a list holds.
                    Accuracy::AtLeast => prop_assert!(state.lists[0].list.evicted() > Some(state.head.minus(day.span))),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }
}

/// One amount of the window of an hour.
fn amount(plan: &KeyPlan, state: &KeyState, measure: usize) -> (f64, Accuracy) {
    let value = values(plan, state)[measure];
    (value.amount, value.error)
}

#[test]
fn who_was_put_out_and_comes_back_is_new_and_that_is_said() {
    for (plan, most) in plans().iter().zip([REMEMBERED_TAGS_MAX, SHARED_LIST_TAGS_MAX]) {
        let plan = plan.key(KeyPlanId(0));
        assert_eq!(plan.retention.remembered_tags_max, most);
        let first = success(0, 1, 0);
        let others = |n: usize| (1..=n as u64).map(|n| success(HOUR + n as i64 * 1_000, 1, n));
        let back = success(30 * HOUR, 1, 0);
        let of = |n: usize| {
            let tries: Vec<Try> = [first].into_iter().chain(others(n)).chain([back]).collect();
            amount(plan, &absorb(plan, &tries), 0)
        };
        assert_eq!(of(most - 1), (0.0, Accuracy::Exact));
        assert_eq!(of(most), (1.0, Accuracy::AtMost));
    }
}

#[test]
fn who_stays_away_for_longer_than_is_remembered_is_new() {
    for plan in plans() {
        let plan = plan.key(KeyPlanId(0));
        let of = |away: i64| {
            let tries = [success(0, 1, 7), success(away, 1, 7), success(away + HOUR / 2, 1, 7)];
            amount(plan, &absorb(plan, &tries), 0)
        };
        assert_eq!(of(REMEMBERED.0 - 1), (0.0, Accuracy::Exact));
        assert_eq!(of(REMEMBERED.0 + 1_000), (1.0, Accuracy::Exact));
    }
}

#[test]
fn only_lists_of_who_got_in_keep_first_sightings_and_none_is_larger_for_it() {
    let [memory, shared] = plans();
    let tries =
        [success(0, 1, 1), unknown(1_000, 1, 2), Try { known: None, ..success(2_000, 1, 3) }];
    for plan in [memory, shared] {
        let plan = plan.key(KeyPlanId(0));
        for ClassList { field, class, firsts, .. } in absorb(plan, &tries).lists {
            assert_eq!(firsts, plan.told_by(field, class).0 == Some(Outcome::Success));
        }
    }
    // A list beside its class, as it was before it kept any.
    assert_eq!(size_of::<ClassList>(), 72);
    // Where measures do not tell how a try ended, there is one list of all, which keeps none.
    let plan =
        Plan::new(vec![detector("all", (60, 60), &[USERS], &[at_least(0, 1)])]).expect("one");
    let state = absorb(plan.key(KeyPlanId(0)), &tries);
    assert_eq!(state.lists.iter().map(|list| list.firsts).collect::<Vec<_>>(), [false]);
    assert_eq!(plan.key(KeyPlanId(0)).retention.remembered, Span::seconds(120));
}

#[test]
fn where_memory_is_short_who_used_to_get_in_is_forgotten_and_counted() {
    let (source, later) = (|n: u32| IpAddr::from(n.to_be_bytes()), 60 * HOUR);
    let get_in = |n: u32, ms: i64| Try { source: source(n), ..success(ms, 1, u64::from(n)) };
    // More keys than are kept without looking for old ones, two and a half days before the others.
    let early = (0..40_000).map(|n| get_in(n, i64::from(n)));
    let late = (40_000..110_000).map(|n| get_in(n, later + i64::from(n)));
    let tries: Vec<Try> = early.chain(late).collect();
    let left = |budget_bytes: usize| {
        let mut engine = engine(detectors(), budget_bytes);
        feed(&mut engine, &tries, Span(0));
        let usage = engine.store().usage();
        (usage.keys >= 100_000, usage.forgotten_early > 0)
    };
    assert_eq!(left(ROOMY), (true, false));
    assert_eq!(left(48 << 20), (false, true));
}

#[test]
fn a_finding_says_who_is_new_since_when_and_how_sure_it_is() {
    let measures = [new(USER, SUCCEEDED, hours(20)), known(USER, SUCCEEDED, hours(20))];
    let mut rule = detector("takeover", (3_600, 3_600), &measures, &[at_least(0, 1)]);
    rule.raises[0].confidence = Some(Confidence::Medium);
    let owner = [success(0, 1, 7), success(23 * HOUR, 1, 7)];
    let newcomer = success(23 * HOUR + 1_000, 1, 8);
    // On the first day everybody is new; on the second the owner alone raises nothing.
    let told = findings(vec![rule.clone()], &owner, Span(0));
    let opened = |all: &[Finding]| all.iter().filter(|f| f.activity == Activity::Create).count();
    assert_eq!(opened(&told), 1);
    let told = findings(vec![rule], &[owner[0], owner[1], newcomer], Span(0));
    assert_eq!(opened(&told), 2);
    let last = told.last().expect("two");
    assert_eq!((last.activity, last.confidence), (Activity::Create, Some(Confidence::Medium)));
    let accounts: Vec<_> = last.accounts.iter().map(|a| (a.tag, a.first, a.as_ever)).collect();
    let first = |t: &Try| t.time().0.div_euclid(FIRST_STEP.0) * FIRST_STEP.0 + FIRST_STEP.0;
    let expected = [
        (user_tag(8).0, Some(newcomer.time()), false),
        (user_tag(7).0, Some(Time(first(&owner[0]))), true),
    ];
    assert_eq!(accounts, expected);
    let since: Vec<_> = last.since.iter().map(|s| (&*s.measure, s.first, s.is_new)).collect();
    assert_eq!(since, [("m0", newcomer.time(), true), ("m1", Time(first(&owner[0])), false)]);
}
