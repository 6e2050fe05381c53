//! What is known of all functions together comes back from its bytes, and takes the room that is stated.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::all_bytes::AllChronicle;
use crate::detector::Severity;
use crate::limits::{FUNCTIONS_WATCHED_MAX, ITEM_BYTES_MAX, TALLY_NAMES_BYTES_MAX};
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::series::ahead::HOURS_MAX;
use crate::series::steps::Step;
use crate::spend::budget::Month;
use crate::spend::episodes::{Episode, Latch};
use crate::spend::tally::{Share, Tally, Told};
use crate::table_store::bytes::Unreadable;
use crate::time::Time;

/// The first pane of November 2026.
fn november() -> i64 {
    Month { year: 2026, month: 11 }.panes().0
}

/// Two weeks of so many functions, each with a cent in each tenth pane; the last panes wait.
fn chronicle(functions: usize, name: impl Fn(usize) -> String) -> AllChronicle {
    let (first, last) = (november() - 288 * 5, november() + 288 * 9);
    let mut tally = Tally::new(first - 1);
    for nth in 0..functions {
        let spent = |pane: i64| (pane - first) % 10 == nth as i64 % 10;
        let step = |pane| if spent(pane) { Step::of(0.01) } else { Step::ABSENT };
        tally.take(
            &Told {
                function: Function {
                    account: format!("{:012}", nth % 2).into(),
                    name: name(nth).into(),
                },
                first,
                last,
                closed: last - nth as i64 % 3,
                from: first,
                dollars: (first..=last).map(step).collect(),
            },
            true,
        );
    }
    for _ in first..last - 20 {
        tally.close();
    }
    tally.forget();
    AllChronicle { tally, latches: BTreeMap::new(), pending: Vec::new() }
}

/// Prints what SHARED-STATE.md says of the item.
#[test]
fn the_item_is_as_large_as_is_stated_and_never_too_large() {
    let bytes =
        |functions| chronicle(functions, |nth| format!("checkout-service-{nth:03}")).encode().len();
    let (few, many, most) = (bytes(20), bytes(200), bytes(FUNCTIONS_WATCHED_MAX));
    println!("{few} bytes of 20 functions, {many} of 200, {most} of 2,000");
    assert!(few < 5 * 1_024 && many < 13 * 1_024 && most < 96 * 1_024, "{few} {many} {most}");
    // The longest names that have a key; how many fit is limited by what they take together.
    let largest = chronicle(FUNCTIONS_WATCHED_MAX, |nth| format!("{nth:0>188}"));
    let names = |of: &Function| of.account.len() + of.name.len();
    let taken = largest.tally.functions.keys().map(names).sum::<usize>();
    assert!((TALLY_NAMES_BYTES_MAX - 200..=TALLY_NAMES_BYTES_MAX).contains(&taken), "{taken}");
    assert!(largest.encode().len() < ITEM_BYTES_MAX / 2 + 64 * 1_024);
}

proptest! {
    #[test]
    fn what_is_known_of_all_functions_comes_back(
        functions in 1usize..20,
        episode in any::<bool>(),
        pending in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3),
    ) {
        let mut all = chronicle(functions, |nth| format!("f{nth}"));
        if episode {
            let opened = november() + 3;
            let episode = Episode {
                start: Month { year: 2026, month: 11 }.start(),
                severity: Severity::High,
                peak: 1.25,
                opened,
                last: opened + 5,
                told_excess: 0.5,
                told: true,
                closed: false,
            };
            all.latches.insert("budget-burn".into(), Latch { episode: Some(episode) });
        }
        all.pending = pending;
        let bytes = all.encode();
        let again = AllChronicle::decode(&bytes);
        prop_assert_eq!(again.as_ref(), Ok(&all));
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
            prop_assert!(AllChronicle::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[1], bytes.as_slice()].concat();
        let _ = AllChronicle::decode(&bytes).map(|all| all.sums());
    }
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    assert_eq!(AllChronicle::decode(&[2, 0, 0]), Err(Unreadable::Newer(2)));
}

#[test]
fn more_hours_than_are_kept_are_refused() {
    let mut all = chronicle(1, |_| "f".to_owned());
    let hour = all.tally.over.div_euclid(12);
    let cent = all.tally.hours.values().next().copied().expect("hours");
    all.tally.hours.insert(hour - HOURS_MAX as i64 - 2, cent);
    assert_eq!(AllChronicle::decode(&all.encode()), Err(Unreadable::Damaged("hours")));
}

/// What makes something known be about a pane.
type Change = fn(&mut AllChronicle, i64);

#[test]
fn what_is_about_panes_to_come_is_not_believed() {
    let all = chronicle(2, |nth| format!("f{nth}"));
    let over = all.tally.over;
    // The newest pane that clocks which differ by two hours can speak of.
    let (now, newest) = (Time(over * 300_000), over + 24);
    assert_eq!(all.clone().believed(now).as_ref(), Ok(&all));
    let changes: [(&str, Change); 9] = [
        ("over", |all, to| all.tally.over = to),
        ("first", |all, to| all.tally.first = to),
        ("last", |all, to| all.tally.last = to),
        ("waiting", |all, to| all.tally.waiting.extend([(to, Money::ZERO)])),
        ("taken", |all, to| share(all).taken = to),
        ("last of one", |all, to| share(all).last = to),
        ("month", |all, to| share(all).months.extend([(to, Money::ZERO)])),
        ("opened", |all, to| episode(all, (0, to, 0))),
        ("start", |all, to| episode(all, (to * 300_000, 0, 0))),
    ];
    for (what, change) in changes {
        for (to, is_believed) in [(newest, true), (newest + 1, false), (newest + 100_000, false)] {
            let mut all = all.clone();
            change(&mut all, to);
            assert_eq!(all.believed(now).is_ok(), is_believed, "{what}, {} panes", to - over);
        }
    }
}

fn share(all: &mut AllChronicle) -> &mut Share {
    all.tally.functions.values_mut().next().expect("functions")
}

fn episode(all: &mut AllChronicle, (start, opened, last): (i64, i64, i64)) {
    let episode = Episode {
        start: Time(start),
        severity: Severity::High,
        peak: 1.25,
        opened,
        last,
        told_excess: 0.5,
        told: true,
        closed: false,
    };
    all.latches.insert("budget-burn".into(), Latch { episode: Some(episode) });
}

#[test]
fn hours_to_come_and_panes_that_wait_for_nothing_are_refused() {
    let all = chronicle(1, |_| "f".to_owned());
    let (over, cent) = (all.tally.over, *all.tally.hours.values().next().expect("hours"));
    let mut ahead = all.clone();
    ahead.tally.hours.insert(over.div_euclid(12) + 1, cent);
    assert_eq!(AllChronicle::decode(&ahead.encode()), Err(Unreadable::Damaged("hours")));
    let mut behind = all;
    behind.tally.waiting.insert(over, cent);
    assert_eq!(AllChronicle::decode(&behind.encode()), Err(Unreadable::Damaged("panes")));
}
