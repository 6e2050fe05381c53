//! An item near 400 KB.

use tidewatch_core::finding::Activity;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::table::{Attribute, Indexing};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{Luck, START, logins, main_item, play, records, scans};
use tidewatch_tests::simulator::table::{ITEM_BYTES_MAX, bytes};

use Activity::{Close, Create};

/// The first of the shards whose shares fill an item.
const FILLING: u32 = 1_000;

/// Fills the item of source 1 with shares of shards that are gone, up to `room` bytes; each tells the
/// same five names. Gives the time of their newest event.
async fn fill(luck: &Luck, room: usize) {
    let batch = records(1, 5, &logins(1, 0..5, START));
    assert!(luck.environment().deliver(FILLING, &batch).await.is_done());
    let main = main_item(1);
    let share = luck.value(&main, Attribute::Share(ShardId(FILLING))).await.expect("a share");
    let item = luck.item(&main).await.expect("the share's");
    let (begun, each) = (bytes(&main, &item), share.len() + "s1000".len());
    let more = ((ITEM_BYTES_MAX - room - begun) / each) as u32;
    let shares =
        (FILLING + 1..=FILLING + more).map(|n| (Attribute::Share(ShardId(n)), share.clone()));
    luck.put_all(&main, shares.collect(), Indexing::Keep).await;
    // What is left to the byte was put aside by a person.
    let aside = Attribute::Unreadable(ShardId(0));
    let left = ITEM_BYTES_MAX - room - bytes(&main, &luck.item(&main).await.expect("its shares"));
    if left > aside.name().len() {
        luck.put(&main, aside, vec![0; left - aside.name().len()]).await;
    }
}

#[test]
fn what_does_not_fit_is_counted_as_refused_and_the_shard_goes_on() {
    play(vec![scans()], |luck| async move {
        fill(&luck, 20).await;
        let environment = luck.environment();
        for (first, environment) in
            [(1, &environment), (11, &environment), (21, &luck.environment())]
        {
            // Source 2 in the same batch has room.
            let names = first as u16 * 2..first as u16 * 2 + 3;
            let tries = [logins(1, names.clone(), START), logins(2, names, START)].concat();
            let dealt = environment.deliver(7, &records(first, 2, &tries)).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!((dealt.counts.points_refused, dealt.counts.shares_lost), (3, 0));
            assert!(dealt.requests <= 6 && dealt.took_ms == 0, "{dealt:?}");
        }
        assert_eq!(luck.counted(1).await.map(|(names, _)| names), Some(5));
        assert_eq!(luck.counted(2).await, Some((9, 9)));
        assert_eq!((luck.topic.told(1), luck.topic.told(2)), (vec![], vec![Create]));
    });
}

#[test]
fn shares_that_no_window_reaches_make_room_for_those_of_today() {
    for warm in [false, true] {
        play(vec![scans()], move |luck| async move {
            fill(&luck, 20).await;
            let environment = luck.environment();
            if warm {
                let dealt = environment.deliver(7, &records(1, 1, &logins(1, 10..12, START))).await;
                assert_eq!(dealt.counts.points_refused, 2);
            }
            let later = START.plus(Span::minutes(60));
            luck.wait_until(later).await;
            let batch = records(11, 3, &logins(1, 20..29, later));
            let dealt = environment.deliver(7, &batch).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!(dealt.counts.points_refused, 0);
            assert_eq!(luck.counted(1).await, Some((9, 9)));
            assert_eq!(luck.topic.told(1), [Create]);
            let left = luck.item(&main_item(1)).await.expect("the item").values.len();
            assert!(left <= 3, "{left} values");
            luck.wait_until(later.plus(Span::minutes(60))).await;
            luck.settle(&environment).await;
            assert_eq!(luck.topic.told(1), [Create, Close]);
        });
    }
}

#[test]
fn a_share_never_takes_the_room_of_the_episodes() {
    // From an item that has no room for a share to one that has room for a share and episodes.
    for room in (0..900).step_by(60) {
        play(vec![scans()], move |luck| async move {
            fill(&luck, room).await;
            let environment = luck.environment();
            let batch = records(1, 1, &logins(1, 10..20, START));
            // One that remembers the item, as it does after its first write or refusal.
            let first = environment.deliver(7, &batch[..1]).await;
            assert!(first.is_done(), "{room}: {}", first.says());
            let dealt = environment.deliver(7, &batch[1..]).await;
            assert!(dealt.is_done(), "{room}: {}", dealt.says());
            let refused = first.counts.points_refused + dealt.counts.points_refused;
            let (names, _) = luck.counted(1).await.expect("it is counted");
            assert_eq!(names, 15 - refused, "{room}");
            let told = if names >= 8 { vec![Create] } else { vec![] };
            assert_eq!(luck.topic.told(1), told, "{room}");
        });
    }
}
