//! What functions take, in the shared home: exact whatever fails; and without its safeguards not.

use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::meter::attribution::DriverName;
use tidewatch_core::safeguards::{Guard, Safeguards};
use tidewatch_core::table_store::store::Layout;
use tidewatch_core::tag::UserTag;
use tidewatch_tests::shared_functions::world::{Story, play};

fn story(seed: u64, badness: f64, safeguards: Safeguards) -> Story {
    Story { seed, hours: 32, badness, outage: None, layout: Layout::Together, safeguards }
}

#[test]
fn in_calm_weather_each_pane_is_what_reports_say_and_each_message_leaves_once() {
    for layout in [Layout::Together, Layout::Apart] {
        let played = play(Story { layout, ..story(0, 0.0, Safeguards::default()) });
        assert_eq!(played.faults(), Vec::<String>::new());
        for (function, panes) in &played.truth {
            for (pane, count) in panes {
                let closed = played.closed[function].get(pane);
                assert_eq!(closed, Some(count), "{function}, pane {pane}, {layout:?}");
            }
        }
        assert_eq!((played.counts.late, played.counts.refused, played.counts.lost), (0, 0, 0));
        // Of each function a spike and a silence, opened and closed, and the silence at the end; of one its budget, and of
        // one of its callers that it rode; and the budget of both, projected and spent.
        let (rides, others): (Vec<_>, Vec<_>) =
            played.told.iter().partition(|told| told.detector == "rider");
        assert_eq!(others.len(), 13, "{others:?}");
        let budget = |told: &&&Finding| told.key == Key::of(KeyPart::Global);
        let severities: Vec<_> = others.iter().filter(budget).map(|told| told.severity).collect();
        assert_eq!(severities, [Severity::High, Severity::Critical]);
        let rides: Vec<_> =
            rides.iter().map(|ride| (ride.activity, ride.key.to_string())).collect();
        let of_first = |activity| (activity, "user:0000000000000001".to_owned());
        assert!(rides.contains(&of_first(Activity::Create)), "{rides:?}");
        assert!(rides.contains(&of_first(Activity::Close)), "{rides:?}");
        assert!(played.shares > 1_000);
        // Who drives the first one's spike is named with all they asked for, whichever shards it came by.
        let spike = played
            .told
            .iter()
            .find(|told| told.spending.as_deref().is_some_and(|s| !s.drivers.is_empty()));
        let drivers = &spike.expect("a spike").spending.as_deref().expect("it is").drivers;
        let pane = spike.expect("a spike").last.0 / 300_000;
        let truth = played.asked[&pane][&UserTag(7)] as f64 / played.truth["f0"][&pane] as f64;
        assert_eq!(drivers[0].name, DriverName::Tag(UserTag(7)));
        assert!((drivers[0].share - truth).abs() < 1e-9, "{drivers:?}, not {truth}");
        assert_eq!(drivers[0].error, 0.0);
        assert!(played.callers > 1_000 && played.counts.heard > 1_000);
        assert!(played.of_all > 300 && played.counts.incomplete_panes == 0);
        assert!(played.bytes["callers"] < 2_048, "{:?}", played.bytes);
        // One KB of shares is one unit of a write.
        assert!(played.bytes["shares"] < 2_048, "{:?}", played.bytes);
        assert!(played.bytes["chronicle"] < 6_144, "{:?}", played.bytes);
    }
}

#[test]
fn whatever_fails_panes_are_exact_and_each_message_leaves() {
    for seed in 0..6 {
        for layout in [Layout::Together, Layout::Apart] {
            let played = play(Story { layout, ..story(seed, 1.0, Safeguards::default()) });
            assert_eq!(played.faults(), Vec::<String>::new(), "seed {seed}, {layout:?}");
            assert!(played.told.len() >= 10, "seed {seed}: {:?}", played.told.len());
            // Nothing was so late that a ride may be missed, and so none is.
            assert_eq!(played.late, Vec::<i64>::new(), "seed {seed}, {layout:?}");
        }
    }
}

#[test]
fn who_cannot_be_looked_at_is_waited_for_and_what_is_judged_without_it_is_counted() {
    // In the hour of the ride; before it the budget of all is told of as projected, after it as spent.
    let out = |minutes| {
        let outage = Some((25 * 60, minutes));
        play(Story { outage, ..story(0, 0.0, Safeguards::default()) })
    };
    for minutes in [12, 55] {
        let played = out(minutes);
        assert_eq!(played.faults(), Vec::<String>::new(), "{minutes}");
        for (function, panes) in &played.truth {
            for (pane, count) in panes {
                assert_eq!(played.closed[function].get(pane), Some(count), "{function} {pane}");
            }
        }
        // A quarter of an hour is waited. What is judged later is laid late, and is in the budget all the same.
        assert_eq!(played.late.is_empty(), minutes < 15, "{:?}", played.late);
        assert_eq!(played.counts.incomplete_panes == 0, minutes < 15, "{minutes}");
        let of_all = played.told.iter().filter(|told| told.key == Key::of(KeyPart::Global));
        let severities: Vec<_> = of_all.map(|told| told.severity).collect();
        assert_eq!(severities, [Severity::High, Severity::Critical], "{minutes}");
        let rides = played.told.iter().filter(|told| told.detector == "rider").count();
        assert!(rides >= 2 || minutes > 15, "{minutes}: {rides}");
    }
}

#[test]
fn without_compare_and_set_and_sequence_numbers_callers_are_wrong() {
    breaks(Safeguards { compare_and_set: false, ..Safeguards::default() }, "callers of");
    let safeguards = Safeguards { guard: Guard::None, event_ring: false, ..Safeguards::default() };
    breaks(safeguards, "callers of");
}

/// Some seed breaks a law without a safeguard.
fn breaks(safeguards: Safeguards, what: &str) {
    let broken = (0..12).find_map(|seed| {
        let faults = play(story(seed, 1.0, safeguards)).faults();
        faults.into_iter().find(|fault| fault.contains(what))
    });
    assert!(broken.is_some(), "nothing breaks without it");
}

#[test]
fn without_compare_and_set_shares_are_wrong() {
    breaks(Safeguards { compare_and_set: false, ..Safeguards::default() }, "instead of");
}

#[test]
fn without_sequence_numbers_shares_are_wrong() {
    // The event tags would know most that come again.
    let safeguards = Safeguards { guard: Guard::None, event_ring: false, ..Safeguards::default() };
    breaks(safeguards, "instead of");
}

#[test]
fn without_event_tags_second_deliveries_are_counted() {
    breaks(Safeguards { event_ring: false, ..Safeguards::default() }, "instead of");
}

#[test]
fn without_the_panes_that_functions_were_taken_in_up_to_dollars_count_twice() {
    let safeguards = Safeguards { guard: Guard::None, ..Safeguards::default() };
    breaks(safeguards, "spent");
}

#[test]
fn a_chronicle_that_forgets_what_is_to_be_told_loses_messages() {
    breaks(Safeguards { publish_before_confirm: false, ..Safeguards::default() }, "not told");
}
