//! What functions take, in the shared home: exact whatever fails; and without its safeguards not.

use tidewatch_core::safeguards::{Guard, Safeguards};
use tidewatch_core::table_store::store::Layout;
use tidewatch_tests::shared_functions::world::{Story, play};

fn story(seed: u64, badness: f64, safeguards: Safeguards) -> Story {
    Story { seed, hours: 32, badness, layout: Layout::Together, safeguards }
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
        // Of each function a spike and a silence, opened and closed, and the silence at the end; and of one its budget.
        assert_eq!(played.told.len(), 11, "{:?}", played.told);
        assert!(played.shares > 1_000);
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
        }
    }
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
fn a_chronicle_that_forgets_what_is_to_be_told_loses_messages() {
    breaks(Safeguards { publish_before_confirm: false, ..Safeguards::default() }, "not told");
}
