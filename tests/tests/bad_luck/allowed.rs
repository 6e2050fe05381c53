//! An allowlist over the shared state: a finding that is held back is neither latched nor told and costs no
//! request, and nothing of it is lost when its entry ends, is removed, or comes while the finding is open.

use std::sync::Arc;

use tidewatch_core::allow::{Allowed, Allowlist, Who};
use tidewatch_core::detector::Detector;
use tidewatch_core::finding::Activity;
use tidewatch_core::key::KeyField;
use tidewatch_core::plan::Plan;
use tidewatch_core::table_store::table::Attribute;
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::luck::{Luck, START, logins, main_item, play, records, scans};

use Activity::{Close, Create};

/// The same world, in which 198.51.100.1 is allowed what it does until a time.
fn allowing(luck: &Luck, until: Option<Time>) -> Luck {
    let who = Who::Source("198.51.100.1".parse().expect("a network"));
    let (reason, place) = ("a test".to_owned(), "allow.toml:1".to_owned());
    let entries = vec![Allowed { who, detectors: Vec::new(), reason, until, place }];
    let plan = Plan { allow: Allowlist { entries }, ..(*luck.plan).clone() };
    Luck { plan: Arc::new(plan), ..luck.clone() }
}

fn after(seconds: i64) -> Time {
    START.plus(Span::seconds(seconds))
}

#[test]
fn what_is_held_back_costs_nothing_and_what_outlasts_the_entry_is_told() {
    play(vec![scans()], |luck| async move {
        let allowed = allowing(&luck, Some(after(20)));
        let environment = allowed.environment();
        let attack = records(1, 5, &logins(1, 0..40, START));
        // Names 0 to 14, all in force: the write of the share, and nothing else.
        let dealt = environment.deliver(0, &attack[..3]).await;
        assert!(dealt.is_done(), "{}", dealt.says());
        assert_eq!((dealt.counts.suppressed, dealt.requests), (1, 1), "{dealt:?}");
        assert_eq!(luck.counted(1).await, Some((15, 15)), "it is seen all the same");
        assert_eq!(luck.value(&main_item(1), Attribute::Latch).await, None);
        assert_eq!((luck.topic.told(1), luck.indexed().await), (vec![], vec![]));
        // Names 15 to 24: the end lies in this batch.
        let dealt = environment.deliver(0, &attack[3..5]).await;
        assert_eq!((dealt.counts.suppressed, dealt.counts.created), (1, 1), "{dealt:?}");
        let told = luck.topic.about(1);
        let [opened] = &told[..] else { panic!("{told:#?}") };
        // Of windows before the newest event the end is known to the second.
        assert!(opened.activity == Create && opened.start >= after(20), "{opened:?}");
        assert!(opened.start < after(22), "{opened:?}");
        // What comes again is not told again, and not of the time before the end.
        for batch in [&attack[..3], &attack[..5]] {
            let dealt = allowed.environment().deliver(0, batch).await;
            assert!(dealt.is_done() && dealt.counts.created == 0, "{dealt:?}");
        }
        luck.wait_until(after(60 * 60)).await;
        luck.settle(&environment).await;
        assert_eq!(luck.topic.told(1), [Create, Close]);
    });
}

#[test]
fn what_is_over_by_the_end_of_its_entry_is_never_told() {
    play(vec![scans()], |luck| async move {
        let environment = allowing(&luck, Some(after(20))).environment();
        let attack = records(1, 5, &logins(1, 0..20, START));
        for _ in 0..2 {
            assert!(environment.deliver(0, &attack).await.is_done());
        }
        luck.wait_until(after(60 * 60)).await;
        luck.settle(&environment).await;
        assert_eq!(luck.topic.told(1), []);
    });
}

#[test]
fn an_entry_that_is_removed_hides_nothing_that_goes_on() {
    play(vec![scans()], |luck| async move {
        let attack = records(1, 5, &logins(1, 0..20, START));
        assert!(allowing(&luck, None).environment().deliver(0, &attack[..3]).await.is_done());
        let dealt = luck.environment().deliver(0, &attack[3..]).await;
        assert_eq!((dealt.counts.created, dealt.counts.suppressed), (1, 0));
        let start = luck.topic.about(1)[0].start;
        assert!(after(14) < start && start <= after(15), "{start:?}");
    });
}

/// A finding was told before its source was allowed anything: it is told to its end, which its own raises
/// decide and not those that are held back.
#[test]
fn a_finding_that_is_open_when_its_entry_comes_is_closed() {
    play(vec![scans()], |luck| async move {
        let attack = records(1, 5, &logins(1, 0..10, START));
        assert!(luck.environment().deliver(0, &attack).await.is_done());
        assert_eq!(luck.topic.told(1), [Create]);
        let allowed = allowing(&luck, None);
        let environment = allowed.environment();
        // A name every 40 s: it raises all the time.
        let mut sequence = 10;
        for minute in 1..40 {
            luck.wait_until(after(minute * 60)).await;
            let names = (minute as u16 * 9)..(minute as u16 * 9 + 9);
            let batch = records(sequence, 9, &logins(1, names, after(minute * 60 - 9)));
            sequence += 1;
            let dealt = environment.deliver(0, &batch).await;
            assert!(dealt.is_done() && dealt.counts.suppressed == 1, "{dealt:?}");
            assert!(environment.tick().await.is_done());
        }
        assert_eq!(luck.topic.told(1), [Create, Close]);
        let closed = luck.topic.about(1)[1].last;
        assert!(closed < after(60), "{closed:?}");
        // The entry is removed while it goes on.
        let batch = records(sequence, 9, &logins(1, 900..909, after(40 * 60)));
        assert!(luck.environment().deliver(0, &batch).await.is_done());
        let told: Vec<Activity> = luck.topic.about(1).iter().map(|told| told.activity).collect();
        assert_eq!(told, [Create, Close, Create]);
    });
}

#[test]
fn others_counts_at_the_tick_hold_nothing_of_who_is_allowed() {
    let everything = || Detector {
        id: "everything".to_owned(),
        key: [KeyField::Global].into_iter().collect(),
        ..scans()
    };
    play(vec![everything()], |luck| async move {
        let environment = allowing(&luck, None).environment();
        let attack = records(1, 5, &logins(1, 0..20, START));
        let others = records(9, 5, &logins(2, 0..7, START));
        assert!(environment.deliver(0, &[attack.clone(), others].concat()).await.is_done());
        luck.wait_until(after(60)).await;
        let ticked = environment.tick().await;
        assert_eq!((ticked.counts.created, ticked.counts.suppressed), (0, 0), "{ticked:?}");
        // One more of somebody else's.
        assert!(environment.deliver(1, &records(1, 5, &logins(3, 90..91, START))).await.is_done());
        assert_eq!(environment.tick().await.counts.created, 1, "eight names, none of them allowed");
    });
}
