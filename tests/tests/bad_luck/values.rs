//! Values that nobody can read: damaged bytes, and types that are not ours.

use tidewatch_core::finding::{Accuracy, Activity};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::store::{Layout, Settings};
use tidewatch_core::table_store::table::{Attribute, Part};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{
    LIMIT_MS, Luck, START, item, logins, main_item, many_names, play, records, scans,
};
use tidewatch_tests::unlucky_table::{Fate, Request};

use Activity::{Close, Create};

/// Cuts a value short, so that nothing can read it.
fn damage(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() / 2);
}

#[test]
fn a_damaged_share_of_ones_own_is_kept_and_begun_anew() {
    for layout in [Layout::Together, Layout::Apart] {
        play(vec![scans()], move |luck| async move {
            let luck = Luck { settings: Settings { layout, ..luck.settings }, ..luck };
            let environment = luck.environment();
            // Source 1 has shares of two shards, source 2 one.
            let first = records(1, 3, &[logins(1, 0..6, START), logins(2, 0..6, START)].concat());
            assert!(environment.deliver(7, &first).await.is_done());
            let other = records(1, 3, &logins(1, 20..23, START));
            assert!(environment.deliver(3, &other).await.is_done());
            assert_eq!(luck.counted(1).await, Some((9, 9)));
            let part = match layout {
                Layout::Together => Part::Main,
                Layout::Apart => Part::Share(ShardId(7)),
            };
            let at = item(1, part);
            let whole = luck.spoil(&at, Attribute::Share(ShardId(7)), damage).await;
            let damaged = luck.value(&at, Attribute::Share(ShardId(7))).await.expect("it is there");
            assert!(damaged.len() < whole.len());
            // Two more names of each: with what shard 3 has, 5 of source 1 and 8 of source 2.
            let later = START.plus(Span::minutes(1));
            let tries = [logins(1, 30..32, later), logins(2, 30..32, later)].concat();
            let batch = records(10, 2, &tries);
            let dealt = environment.deliver(7, &batch).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!(dealt.counts.shares_lost, 1);
            assert_eq!(luck.value(&at, Attribute::Unreadable(ShardId(7))).await, Some(damaged));
            assert_eq!(luck.counted(1).await, Some((5, 5)));
            assert_eq!(luck.counted(2).await, Some((8, 8)));
            // Source 1 was told when 9 names were there; told once more it is not.
            assert_eq!([luck.topic.told(1), luck.topic.told(2)], [[Create], [Create]]);
            // A replay counts nothing, and nothing is reported any more.
            let again = luck.environment().deliver(7, &batch).await;
            assert!(again.is_done(), "{}", again.says());
            assert_eq!((again.counts.shares_lost, luck.counted(1).await), (0, Some((5, 5))));
            let batch = records(20, 4, &logins(1, 40..48, later.plus(Span::minutes(1))));
            assert!(environment.deliver(7, &batch).await.is_done());
            assert_eq!(luck.counted(1).await, Some((13, 13)));
        });
    }
}

#[test]
fn the_finding_still_comes_once_enough_is_there_again() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        assert!(environment.deliver(7, &records(1, 1, &logins(1, 0..7, START))).await.is_done());
        luck.spoil(&main_item(1), Attribute::Share(ShardId(7)), damage).await;
        let batch = records(10, 1, &logins(1, 10..20, START.plus(Span::minutes(1))));
        let dealt = luck.environment().deliver(7, &batch[..7]).await;
        assert_eq!((dealt.counts.shares_lost, luck.topic.told(1)), (1, vec![]));
        assert!(luck.environment().deliver(7, &batch[7..]).await.is_done());
        assert_eq!((luck.counted(1).await, luck.topic.told(1)), (Some((10, 10)), vec![Create]));
        luck.wait_until(START.plus(Span::minutes(60))).await;
        luck.settle(&environment).await;
        assert_eq!(luck.topic.told(1), [Create, Close]);
    });
}

#[test]
fn a_damaged_share_of_another_shard_is_reported_and_left_to_it() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        assert!(environment.deliver(3, &records(1, 1, &logins(1, 0..6, START))).await.is_done());
        let theirs = Attribute::Share(ShardId(3));
        luck.spoil(&main_item(1), theirs, damage).await;
        let damaged = luck.value(&main_item(1), theirs).await;
        let own = records(1, 2, &logins(1, 10..18, START.plus(Span::minutes(1))));
        for (nth, record) in own.iter().enumerate() {
            let record = std::slice::from_ref(record);
            let dealt = luck.environment().deliver(7, record).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!(dealt.counts.shares_lost, 1, "record {nth}");
        }
        assert_eq!(luck.value(&main_item(1), theirs).await, damaged);
        assert_eq!((luck.counted(1).await, luck.topic.told(1)), (Some((8, 8)), vec![Create]));
        let batch = records(9, 1, &logins(1, 30..33, START.plus(Span::minutes(2))));
        assert_eq!(environment.deliver(3, &batch).await.counts.shares_lost, 1);
        let kept = Attribute::Unreadable(ShardId(3));
        assert_eq!(luck.value(&main_item(1), kept).await, damaged);
        assert_eq!(luck.counted(1).await, Some((11, 11)));
    });
}

#[test]
fn damaged_episodes_lose_no_finding_and_are_kept() {
    for claimed_only in [false, true] {
        play(vec![scans()], move |luck| async move {
            let environment = luck.environment();
            // Told, or claimed by a batch that is given back.
            luck.topic.refuse(move |_| claimed_only);
            let batch = records(1, 1, &logins(1, 0..9, START));
            assert_eq!(environment.deliver(0, &batch).await.is_done(), !claimed_only);
            luck.topic.refuse(|_| false);
            luck.spoil(&main_item(1), Attribute::Latch, damage).await;
            let damaged = luck.value(&main_item(1), Attribute::Latch).await;
            let more = records(20, 1, &logins(1, 20..23, START.plus(Span::minutes(1))));
            let batch = if claimed_only { &batch } else { &more };
            let dealt = luck.environment().deliver(0, batch).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!(dealt.counts.shares_lost, 1);
            let kept = Attribute::Unreadable(ShardId::TICK);
            assert_eq!(luck.value(&main_item(1), kept).await, damaged);
            assert!(environment.deliver(0, &more).await.is_done());
            assert_eq!(luck.counted(1).await, Some((12, 12)));
            luck.wait_until(START.plus(Span::minutes(60))).await;
            luck.settle(&environment).await;
            // What was open may be opened under a new uid: its start is lost. It is told to its end.
            let messages = luck.topic.about(1);
            let told: Vec<Activity> = messages.iter().map(|finding| finding.activity).collect();
            let (first, last) = (told.first(), told.last());
            assert_eq!((first, last), (Some(&Create), Some(&Close)), "{told:?}");
        });
    }
}

#[test]
fn a_tick_with_nothing_to_close_reports_what_it_could_not_read() {
    play(vec![scans()], |luck| async move {
        let batch = records(1, 9, &logins(1, 0..9, START));
        assert!(luck.environment().deliver(0, &batch).await.is_done());
        luck.spoil(&main_item(1), Attribute::Latch, damage).await;
        luck.wait_until(START.plus(Span::minutes(60))).await;
        let ticked = luck.environment().tick().await;
        assert_eq!((ticked.counts.shares_lost, ticked.counts.closed), (1, 0), "{ticked:?}");
    });
}

#[test]
fn damaged_episodes_of_an_attack_that_is_over_are_reported_by_the_tick() {
    play(vec![scans()], |luck| async move {
        for source in [1, 2] {
            let batch = records(source.into(), 9, &logins(source, 0..9, START));
            assert!(luck.environment().deliver(0, &batch).await.is_done());
        }
        luck.spoil(&main_item(1), Attribute::Latch, damage).await;
        luck.wait_until(START.plus(Span::minutes(60))).await;
        let ticked = luck.environment().tick().await;
        assert_eq!((ticked.counts.shares_lost, ticked.counts.closed), (1, 1), "{ticked:?}");
        assert_eq!(luck.topic.told(2), [Create, Close]);
        assert_eq!(luck.indexed().await, []);
    });
}

#[test]
fn without_its_sketches_a_count_is_a_lower_bound_and_never_a_wrong_estimate() {
    play(vec![many_names()], |luck| async move {
        let environment = luck.environment();
        assert!(environment.deliver(0, &records(1, 10, &logins(1, 0..58, START))).await.is_done());
        assert_eq!(luck.topic.told(1), []);
        let sketches = item(1, Part::Sketches);
        let whole = luck.item(&sketches).await.expect("sketches");
        let sketch = *whole.values.keys().next().expect("a sketch");
        luck.spoil(&sketches, sketch, damage).await;
        // Truly 58 then 98 names; the list holds 48.
        for (first, users) in [(10, 58..59), (20, 59..98)] {
            let later = START.plus(Span::minutes(i64::from(users.start)));
            let batch = records(first, 10, &logins(1, users, later));
            let dealt = luck.environment().deliver(0, &batch).await;
            assert!(dealt.is_done(), "{}", dealt.says());
            assert_eq!(dealt.counts.shares_lost, 1);
            let value = luck.values(1).await.expect("it is counted")[0];
            assert_eq!((value.amount, value.error), (48.0, Accuracy::AtLeast));
        }
        // Nothing of it is overwritten: what is left of it is for a person to look at.
        assert!(luck.value(&sketches, sketch).await.is_some_and(|bytes| bytes.len() > 90));
    });
}

/// Whether a request is about source 1.
fn about_first(request: &Request<'_>) -> bool {
    request.key() == Some(&main_item(1).key)
}

#[test]
fn a_value_of_the_wrong_type_is_reported_and_holds_up_nothing() {
    for layout in [Layout::Together, Layout::Apart] {
        // Whether every answer shows it, or only those to reads.
        for reads_only in [false, true] {
            play(vec![scans()], move |luck| async move {
                let luck = Luck { settings: Settings { layout, ..luck.settings }, ..luck };
                let environment = luck.environment();
                let begun = records(1, 9, &logins(1, 0..3, START));
                assert!(environment.deliver(0, &begun).await.is_done());
                luck.fate(move |request, _| {
                    let read = !matches!(request, Request::Write(_));
                    let shown = about_first(request) && (read || !reads_only);
                    if shown { Fate::Unusable } else { Fate::Arrives }
                });
                let tries = [logins(1, 10..13, START), logins(2, 0..9, START)].concat();
                let mut batch = records(10, 3, &tries);
                // The replay reads; so does an environment that remembers nothing.
                batch.insert(0, begun[0].clone());
                for environment in [&environment, &environment, &luck.environment()] {
                    let (deliveries, counts) =
                        environment.deliver_until_done(LIMIT_MS, 0, &batch).await;
                    assert_eq!(deliveries, 1);
                    let shown = counts.shares_lost > 0 || reads_only;
                    assert!(shown, "{layout:?} {reads_only} {counts:?}");
                }
                assert_eq!(luck.counted(2).await, Some((9, 9)));
                assert_eq!(luck.topic.told(2), [Create]);
                // The tick names it, and closes the other.
                luck.wait_until(START.plus(Span::minutes(60))).await;
                environment.tick().await;
                assert_eq!(luck.topic.told(2), [Create, Close]);
                luck.clears_up();
                let batch = records(20, 1, &logins(1, 20..29, START.plus(Span::minutes(59))));
                assert!(environment.deliver(0, &batch).await.is_done());
                assert_eq!(luck.topic.told(1), [Create]);
            });
        }
    }
}
