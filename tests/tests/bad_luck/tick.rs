//! What the tick meets in the index.

use tidewatch_core::finding::Activity;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::table::{
    Attribute, Due, INDEX_PARTITIONS, Indexing, ItemKey, Part,
};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{START, logins, main_item, play, records, scans};
use tidewatch_tests::unlucky_table::Fate;

use Activity::{Close, Create};

#[test]
fn keys_of_no_known_kind_and_keys_nobody_counts_by_leave_the_index() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let batch = records(1, 9, &logins(1, 0..9, START));
        assert!(environment.deliver(0, &batch).await.is_done());
        // A kind of a later version, one cut short, a user, everything, two fields, and none of ours.
        let strange: [&[u8]; 6] = [
            &[99, 1, 2, 3],
            &[1, 198, 51],
            &[5, 0, 0, 0, 0, 0, 0, 0, 9],
            &[6],
            &[1, 198, 51, 100, 1, 5, 0, 0, 0, 0, 0, 0, 0, 9],
            b"something else",
        ];
        let parts = [Part::Main, Part::Share(ShardId(3)), Part::Sketches];
        for (nth, key) in strange.iter().enumerate() {
            let item = ItemKey { key: key.to_vec(), part: parts[nth % parts.len()] };
            let due = Due { partition: nth as u8 % INDEX_PARTITIONS, at: START };
            let bytes = vec![nth as u8; 9];
            luck.put_indexed(&item, Attribute::Latch, bytes, Indexing::Set(due)).await;
        }
        luck.wait_until(START.plus(Span::minutes(60))).await;
        let ticked = environment.tick().await;
        assert!(ticked.is_done(), "{}", ticked.says());
        assert_eq!(luck.topic.told(1), [Create, Close]);
        assert_eq!(luck.indexed().await, []);
        // Only the entry in the index is gone.
        for (nth, key) in strange.iter().enumerate() {
            let item = ItemKey { key: key.to_vec(), part: parts[nth % parts.len()] };
            let kept = luck.value(&item, Attribute::Latch).await;
            assert_eq!(kept, Some(vec![nth as u8; 9]));
        }
    });
}

#[test]
fn one_key_that_cannot_be_read_keeps_the_tick_from_no_other() {
    for fate in [Fate::Gone, Fate::Throttled, Fate::Unusable] {
        play(vec![scans()], move |luck| async move {
            let environment = luck.environment();
            for source in 1..=20 {
                let batch = records(source.into(), 9, &logins(source, 0..9, START));
                assert!(environment.deliver(0, &batch).await.is_done());
            }
            luck.wait_until(START.plus(Span::minutes(60))).await;
            let bad = main_item(7).key;
            luck.fate(
                move |request, _| {
                    if request.key() == Some(&bad) { fate } else { Fate::Arrives }
                },
            );
            let ticked = environment.tick().await;
            assert_eq!(ticked.counts.closed, 19, "{ticked:?}");
            assert!(!ticked.is_done() && ticked.requests < 200, "{ticked:?}");
            assert_eq!(luck.indexed().await, [main_item(7)]);
            luck.clears_up();
            assert!(environment.tick().await.is_done());
            assert!((1..=20).all(|source| luck.topic.told(source) == [Create, Close]));
            assert_eq!(luck.indexed().await, []);
        });
    }
}

#[test]
fn two_ticks_at_once_close_each_finding_once_or_repeat_it() {
    play(vec![scans()], |luck| async move {
        let (one, two) = (luck.environment(), luck.environment());
        for source in 1..=20 {
            let batch = records(source.into(), 9, &logins(source, 0..9, START));
            assert!(one.deliver(0, &batch).await.is_done());
        }
        luck.wait_until(START.plus(Span::minutes(60))).await;
        luck.fate(|_, _| Fate::Slow(5));
        let ticked = futures_util::future::join(one.tick(), two.tick()).await;
        assert!(ticked.0.is_done() && ticked.1.is_done(), "{ticked:?}");
        luck.settle(&one).await;
        for source in 1..=20 {
            let told = luck.topic.told(source);
            assert_eq!((&told[..1], told.last()), (&[Create][..], Some(&Close)), "{told:?}");
        }
        assert_eq!(luck.indexed().await, []);
    });
}
