//! Clocks that are an hour off.

use tidewatch_core::finding::Activity;
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{START, logins, play, records, scans};

use Activity::{Close, Create};

const HOUR_MS: i64 = 3_600_000;

#[test]
fn clocks_an_hour_off_in_both_directions_change_no_count_and_no_uid() {
    play(vec![scans()], |luck| async move {
        let fast = luck.environment_ahead(HOUR_MS);
        let slow = luck.environment_ahead(-HOUR_MS);
        let environments = [&fast, &slow];
        // An attack of 50 minutes, a name every 30 seconds, one shard served in turn, every batch
        // delivered to both, and a tick of one of them each minute.
        let mut names = 0;
        for minute in 0..50i64 {
            let time = START.plus(Span::minutes(minute));
            luck.wait_until(time.plus(Span::seconds(40))).await;
            let mut tries = logins(1, names..names + 1, time);
            tries.extend(logins(1, names + 1..names + 2, time.plus(Span::seconds(30))));
            names += 2;
            let batch = records(1 + 2 * minute as u64, 1, &tries);
            let first = minute as usize % 2;
            for environment in [environments[first], environments[1 - first]] {
                let dealt = environment.deliver(0, &batch).await;
                assert!(dealt.is_done(), "minute {minute}: {}", dealt.says());
                assert_eq!((dealt.counts.late, dealt.counts.points_refused), (0, 0));
            }
            let ticked = environments[minute as usize / 3 % 2].tick().await;
            assert!(ticked.is_done(), "minute {minute}: {}", ticked.says());
            // Ten minutes hold 20 names; counters take their oldest pane whole.
            let (counted, failures) = luck.counted(1).await.expect("it is counted");
            assert_eq!(counted, u64::from(names).min(20), "minute {minute}");
            assert!((counted..=counted + 2).contains(&failures), "minute {minute}: {failures}");
        }
        luck.wait_until(START.plus(Span::minutes(120))).await;
        luck.settle(&slow).await;
        luck.settle(&fast).await;
        // One uid, which `told` sees to; opened first and closed last, and in between at most repeated
        // and closed too early by the fast clock.
        let told = luck.topic.told(1);
        assert_eq!((told.first(), told.last()), (Some(&Create), Some(&Close)), "{told:?}");
        assert_eq!(told.iter().filter(|activity| **activity == Create).count(), 1, "{told:?}");
        assert!(told.len() < 120, "{} messages", told.len());
    });
}

#[test]
fn a_claim_by_a_clock_an_hour_ahead_is_published_by_who_serves_the_shard_next() {
    for (first, second) in [(HOUR_MS, -HOUR_MS), (-HOUR_MS, HOUR_MS)] {
        play(vec![scans()], move |luck| async move {
            let batch = records(1, 1, &logins(1, 0..9, START));
            luck.topic.refuse(|_| true);
            assert!(!luck.environment_ahead(first).deliver(0, &batch).await.is_done());
            luck.topic.refuse(|_| false);
            assert!(luck.environment_ahead(second).deliver(0, &batch).await.is_done());
            assert_eq!(luck.topic.told(1), [Create]);
            assert_eq!(luck.counted(1).await, Some((9, 9)));
            luck.wait_until(START.plus(Span::minutes(150))).await;
            luck.settle(&luck.environment_ahead(first)).await;
            assert_eq!(luck.topic.told(1), [Create, Close]);
        });
    }
}
