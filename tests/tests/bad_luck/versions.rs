//! Values that an older or a newer version of this program wrote.

use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{Accuracy, Activity};
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::store::StoreError;
use tidewatch_core::table_store::share;
use tidewatch_core::table_store::table::{Attribute, Due, Indexing, ItemKey, Part};
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::luck::{
    Dealt, Luck, START, item, logins, main_item, many_names, play, records, scans,
};

use Activity::{Close, Create, Update};

const GOLDEN_SHARE: &str = include_str!("../../../crates/core/tests/golden/share-1.hex");
const GOLDEN_LATCHES: &str = include_str!("../../../crates/core/tests/golden/latches-1.hex");

/// The newest event of the golden share.
const GOLDEN_HEAD: Time = Time(1_700_000_000_777 + 2 * 3_600_000 + 102_000);

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.trim();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Given back for now, with words that name the version.
fn is_too_new(dealt: &Dealt) -> bool {
    let retryable =
        matches!(dealt.acknowledged.fault, Some(Fault::Store(StoreError::Retryable(_))));
    retryable && dealt.says().contains("a later version of Tidewatch wrote")
}

#[test]
fn a_share_of_version_1_is_read_and_counted_on() {
    // Its lists reach back a day, so the detector must.
    play(vec![many_names()], |luck| async move {
        let own = Attribute::Share(ShardId(7));
        luck.put(&main_item(1), own, bytes(GOLDEN_SHARE)).await;
        let environment = luck.environment();
        assert_eq!(luck.counted(1).await, Some((4, 304)));
        luck.wait_until(GOLDEN_HEAD.plus(Span::minutes(1))).await;
        // Up to record 1003 all is counted already; 1004 is new.
        let batch = records(1_000, 1, &logins(1, 100..105, GOLDEN_HEAD));
        let dealt = environment.deliver(7, &batch).await;
        assert!(dealt.is_done(), "{}", dealt.says());
        assert_eq!(dealt.counts.shares_lost, 0);
        assert_eq!(luck.counted(1).await, Some((5, 305)));
        // Another shard counts beside it.
        let batch = records(1, 1, &logins(1, 200..203, GOLDEN_HEAD));
        assert!(luck.environment().deliver(3, &batch).await.is_done());
        assert_eq!(luck.counted(1).await, Some((8, 308)));
    });
}

#[test]
fn episodes_of_version_1_are_read_told_and_closed() {
    play(vec![scans()], |luck| async move {
        // One closed at 1,700,000,000, one open since 5,000 seconds later of which a message is
        // claimed by shard 3 and not known to have left, with a share that still raises it.
        let opened = Time(1_700_005_000_777);
        let main = main_item(1);
        let batch = records(1, 1, &logins(1, 0..9, opened.minus(Span::seconds(8))));
        luck.wait_until(opened).await;
        let due = Due { partition: 0, at: opened };
        luck.put_indexed(&main, Attribute::Latch, bytes(GOLDEN_LATCHES), Indexing::Set(due)).await;
        let environment = luck.environment();
        assert!(environment.deliver(3, &batch).await.is_done());
        luck.wait_until(opened.plus(Span::minutes(120))).await;
        luck.settle(&environment).await;
        let told = luck.topic.told(1);
        assert_eq!(told, [Update, Close]);
        assert_eq!(luck.topic.about(1)[0].start, opened);
    });
}

#[test]
fn sketches_of_version_1_are_read_and_grow_on() {
    play(vec![many_names()], |luck| async move {
        // One pane, the one that the story begins in, all of whose 256 registers are 1.
        let pane = u64::try_from(START.0 / (6 * 3_600_000)).expect("after 1970");
        let mut version_1 = vec![1, 1];
        let mut zigzag = 2 * pane - 1;
        while zigzag >= 0x80 {
            version_1.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        version_1.push(zigzag as u8);
        version_1.extend([0x04, 0x10, 0x41].repeat(64));
        // The list of names that do not exist and failed.
        luck.put(&item(1, Part::Sketches), Attribute::Sketch(1), version_1).await;
        let environment = luck.environment();
        assert!(environment.deliver(0, &records(1, 12, &logins(1, 0..48, START))).await.is_done());
        let value = luck.values(1).await.expect("it is counted")[0];
        assert_eq!((value.amount, value.error), (48.0, Accuracy::Exact));
        let batch = records(10, 1, &logins(1, 48..49, START.plus(Span::minutes(1))));
        let dealt = environment.deliver(0, &batch).await;
        assert!(dealt.is_done(), "{}", dealt.says());
        assert_eq!(dealt.counts.shares_lost, 0);
        // By the estimate for such registers and what these names add, 300 to 500 names.
        let value = luck.values(1).await.expect("it is counted")[0];
        assert!(matches!(value.error, Accuracy::Sketch { .. }), "{value:?}");
        assert!((300.0..500.0).contains(&value.amount), "{value:?}");
        assert_eq!(luck.topic.told(1), [Create]);
    });
}

#[test]
fn a_share_of_a_newer_version_is_left_alone_and_its_batch_given_back() {
    for (spoilt, serving) in [(7, 7), (3, 7)] {
        play(vec![scans()], move |luck| async move {
            let old = luck.environment();
            for shard in [3, 7] {
                let source = logins(1, shard * 10..shard * 10 + 3, START);
                let batch = records(1, 1, &source);
                assert!(old.deliver(shard.into(), &batch).await.is_done());
            }
            let (main, share) = (main_item(1), Attribute::Share(ShardId(spoilt)));
            let legible = luck.spoil(&main, share, |bytes| bytes[0] = share::VERSION + 1).await;
            let newer = luck.value(&main, share).await;
            let batch = records(4, 1, &logins(1, 100..109, START));
            // A process that remembers the key as it was, and one that does not.
            for environment in [&old, &luck.environment()] {
                for _ in 0..2 {
                    let dealt = environment.deliver(serving, &batch).await;
                    assert_eq!(dealt.first_unapplied(), Some(Sequence::of(4)));
                    assert!(is_too_new(&dealt), "{}", dealt.says());
                    assert!(dealt.requests <= 3 && dealt.took_ms == 0, "{dealt:?}");
                    assert_eq!(dealt.counts.shares_lost, 0);
                    assert_eq!(luck.value(&main, share).await, newer);
                }
            }
            assert_eq!(luck.topic.told(1), []);
            // To an environment that can read it nothing is wrong.
            luck.put(&main, share, legible.clone()).await;
            assert!(luck.environment().deliver(serving, &batch).await.is_done());
            assert_eq!(luck.counted(1).await, Some((15, 15)));
            assert_eq!(luck.topic.told(1), [Create]);
        });
    }
}

#[test]
fn episodes_of_a_newer_version_are_left_alone_by_batches_and_by_the_tick() {
    play(vec![scans()], |luck| async move {
        let old = luck.environment();
        for source in [1, 2] {
            let batch = records(u64::from(source), 9, &logins(source, 0..9, START));
            assert!(old.deliver(0, &batch).await.is_done());
        }
        let main = main_item(1);
        let legible = luck.spoil(&main, Attribute::Latch, |bytes| bytes[0] += 1).await;
        let newer = luck.value(&main, Attribute::Latch).await;
        let batch = records(3, 9, &logins(1, 20..29, START.plus(Span::minutes(1))));
        for environment in [&old, &luck.environment()] {
            let dealt = environment.deliver(0, &batch).await;
            assert_eq!(dealt.first_unapplied(), Some(Sequence::of(3)));
            assert!(is_too_new(&dealt), "{}", dealt.says());
        }
        luck.wait_until(START.plus(Span::minutes(40))).await;
        let ticked = luck.environment().tick().await;
        assert!(is_too_new(&ticked), "{}", ticked.says());
        // The other source's finding is closed; this one waits for who can read it.
        assert_eq!([luck.topic.told(1), luck.topic.told(2)], [vec![Create], vec![Create, Close]]);
        assert_eq!(luck.value(&main, Attribute::Latch).await, newer);
        assert_eq!(luck.indexed().await, std::slice::from_ref(&main));
        luck.put(&main, Attribute::Latch, legible).await;
        let new = luck.environment();
        assert!(new.deliver(0, &batch).await.is_done());
        assert_eq!(luck.counted(1).await, Some((18, 18)));
        luck.settle(&new).await;
        assert_eq!(luck.topic.told(1), [Create, Update, Close]);
    });
}

#[test]
fn sketches_of_a_newer_version_are_left_alone_and_their_batch_given_back() {
    play(vec![many_names()], |luck| async move {
        let old = luck.environment();
        assert!(old.deliver(0, &records(1, 10, &logins(1, 0..55, START))).await.is_done());
        let sketches = item(1, Part::Sketches);
        let sketch = sketch(&luck, &sketches).await;
        let legible = luck.spoil(&sketches, sketch, |bytes| bytes[0] += 1).await;
        let newer = luck.item(&sketches).await;
        let batch = records(10, 10, &logins(1, 60..75, START.plus(Span::minutes(1))));
        for environment in [&luck.environment(), &luck.environment()] {
            let dealt = environment.deliver(0, &batch).await;
            assert_eq!(dealt.first_unapplied(), Some(Sequence::of(10)));
            assert!(is_too_new(&dealt), "{}", dealt.says());
            assert_eq!(luck.item(&sketches).await, newer);
        }
        assert_eq!(luck.topic.told(1), []);
        luck.put(&sketches, sketch, legible).await;
        assert!(luck.environment().deliver(0, &batch).await.is_done());
        assert_eq!(luck.topic.told(1), [Create]);
    });
}

/// The only sketch of an item.
async fn sketch(luck: &Luck, sketches: &ItemKey) -> Attribute {
    let item = luck.item(sketches).await.expect("a list that is too short has sketches");
    *item.values.keys().next().expect("a sketch")
}
