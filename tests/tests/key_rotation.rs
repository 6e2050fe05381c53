//! A change of tag key, against an oracle that knows raw names: at every window that is judged, before the
//! change, during it and after, every count is what the oracle counts. Records are cut into batches at
//! random, come again, and some events come twice.

use proptest::prelude::*;
use tidewatch_core::finding::Activity;
use tidewatch_core::limits::{ROTATION_OVERLAP, ROTATION_TRAIL};
use tidewatch_core::table_store::store::Layout;
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::key_change::{BEGUN, DAY, ENVIRONMENTS, HOUR, SHARDS, Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late_s = prop_oneof![4 => 0i64..60, 1 => 0i64..18 * 3_600];
    let step = (
        (0i64..2 * 3_600, late_s, 0u8..14, 0u8..4),
        (any::<bool>(), 0..SHARDS, 0..ENVIRONMENTS, prop::bool::weighted(0.6)),
        (0usize..4, prop::bool::weighted(0.15)),
    );
    let step = step.prop_map(|((gap_s, late_s, user, source), of, (again, copy))| {
        let (failed, shard, environment, delivers) = of;
        Step { gap_s, late_s, user, source, failed, shard, environment, delivers, again, copy }
    });
    prop::collection::vec(step, 100..260)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(40),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_window_is_counted_right_before_during_and_after_a_change_of_key(
        steps in steps(),
        from_h in -30i64..80,
        id in 0u32..2,
        apart: bool,
    ) {
        let layout = if apart { Layout::Apart } else { Layout::Together };
        let from = Time(BEGUN + from_h * HOUR);
        let mut world = World::new(layout, from, id, ROTATION_OVERLAP);
        prop_assert_eq!(world.play(&steps), Vec::<String>::new());
    }
}

/// A name every hour from one source for `hours`, and then one `gap_h` later that is late by `late_h`.
fn a_name_an_hour(hours: i64, gap_h: i64, late_h: i64) -> Vec<Step> {
    let step = Step {
        gap_s: 3_600,
        late_s: 0,
        user: 0,
        source: 1,
        failed: true,
        shard: 0,
        environment: 1,
        delivers: true,
        again: 1,
        copy: false,
    };
    let of = |hour| Step { user: (hour % 30) as u8, shard: hour as usize % SHARDS, ..step };
    let last = Step { gap_s: gap_h * 3_600, late_s: late_h * 3_600, again: 0, ..of(hours) };
    (0..hours).map(of).chain([last]).collect()
}

#[test]
fn the_overlap_is_as_long_as_it_has_to_be() {
    let miscounts = |overlap_h: i64, (hours, gap_h, late_h): (i64, i64, i64)| {
        let from = Time(BEGUN + 40 * HOUR);
        let mut world = World::new(Layout::Together, from, 0, Span::minutes(overlap_h * 60));
        world.promised = Span(late_h * HOUR).max(DAY);
        let wrong = world.play(&a_name_an_hour(hours, gap_h, late_h));
        assert!(!wrong.is_empty() || world.judged_after_switch > 0);
        wrong.first().cloned()
    };
    assert_eq!(miscounts(49, (150, 1, 0)), None);
    // Two hours after the switch, what is a day late is still counted right. What is later is not: its
    // window reaches back to names that were seen before the new key was used.
    assert_eq!(miscounts(49, (46, 45, 24)), None);
    assert!(miscounts(49, (46, 45, 30)).is_some());
    // With less than a day names are missed at the switch, and with nothing at once.
    assert!(miscounts(22, (150, 1, 0)).is_some());
    assert!(miscounts(0, (150, 1, 0)).is_some());
}

#[test]
fn a_finding_about_a_user_is_told_once_more_under_the_new_tag() {
    let from = Time(BEGUN + 10 * HOUR);
    let switch = from.plus(ROTATION_OVERLAP);
    let mut world = World::new(Layout::Together, from, 0, ROTATION_OVERLAP);
    // Four sources try one user in turn, every half hour, until long after the switch.
    let tries = a_name_an_hour(170, 1, 0).into_iter().zip(0..);
    let tries = tries.map(|(step, nth)| Step { gap_s: 1_800, source: nth % 4, user: 1, ..step });
    assert_eq!(world.play(&tries.collect::<Vec<_>>()), Vec::<String>::new());
    let findings = world.findings.lock().expect("nobody panics inside");
    let told = |detector: &str| -> Vec<(Activity, bool)> {
        let of = findings.iter().filter(|finding| finding.detector == detector);
        let of = of.filter(|finding| finding.activity != Activity::Update);
        of.map(|finding| (finding.activity, finding.time >= switch)).collect()
    };
    let (opened, closed) = (Activity::Create, Activity::Close);
    // What is about everything goes on as if nothing had happened.
    assert_eq!(told("all-24h"), [(opened, false)]);
    assert_eq!(told("user-24h"), [(opened, false), (opened, true), (closed, true)]);
    let about = findings.iter().filter(|finding| finding.detector == "user-24h");
    let about: Vec<_> = about.filter(|finding| finding.activity != Activity::Update).collect();
    assert_ne!(about[0].key, about[1].key);
    assert_eq!(about[0].uid, about[2].uid);
    // The old one ends soon after its tag is no longer written.
    let ended = about[2].time.0 - switch.0;
    assert!(ended < ROTATION_TRAIL.0 + 3 * HOUR, "after {ended} ms");
}

#[test]
fn whose_clock_is_behind_still_finds_all_under_the_old_key() {
    let from = Time(BEGUN);
    let mut world = World::new(Layout::Together, from, 0, ROTATION_OVERLAP);
    // Ten minutes before the switch somebody is past it by his clock, and ten minutes after it somebody
    // else is not.
    let ten_before = ROTATION_OVERLAP.0 - 600_000;
    let [first, second] =
        [(0, ten_before, 2), (1, 1_200_000, 0)].map(|(user, gap_ms, environment)| Step {
            gap_s: gap_ms / 1_000,
            user,
            environment,
            again: 0,
            ..a_name_an_hour(1, 1, 0)[0]
        });
    assert_eq!(world.play(&[first]), Vec::<String>::new());
    assert!(world.judged_after_switch > 0, "his clock is past the switch");
    let judged = world.judged_after_switch;
    assert_eq!(world.play(&[second]), Vec::<String>::new());
    assert_eq!(world.judged_after_switch, judged, "the other's is not");
}
