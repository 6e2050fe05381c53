//! The table is busy, gone, or slow.

use tidewatch_core::fault::Fault;
use tidewatch_core::finding::Activity;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::signal::Outcome;
use tidewatch_core::store::StoreError;
use tidewatch_core::table_store::store::{Layout, Settings};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{
    LIMIT_MS, Login, Luck, START, logins, main_item, play, records, scans,
};
use tidewatch_tests::unlucky_table::{Fate, Request};

use Activity::{Close, Create};

#[test]
fn throttled_for_minutes_a_batch_is_given_back_from_its_first_unapplied_record() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        // Record 2 is about a source whose partition is throttled, 1 and 3 are not.
        let parts = [logins(1, 0..9, START), logins(2, 0..9, START), logins(3, 0..9, START)];
        let batch = records(1, 9, &parts.concat());
        let (busy, until) = (main_item(2).key, START.plus(Span::minutes(5)));
        luck.fate(move |request, now| match request.key() == Some(&busy) && now < until {
            true => Fate::Throttled,
            false => Fate::Arrives,
        });
        let dealt = environment.deliver(0, &batch).await;
        assert_eq!(dealt.first_unapplied(), Some(Sequence::of(2)));
        let retryable = |fault: &Fault| matches!(fault, Fault::Store(StoreError::Retryable(_)));
        assert!(dealt.acknowledged.fault.as_ref().is_some_and(retryable), "{}", dealt.says());
        assert!(dealt.says().contains("the table is throttled"), "{}", dealt.says());
        assert!(dealt.took_ms < LIMIT_MS, "{} ms", dealt.took_ms);
        // With full jitter up to 2 s the waits are a second on average.
        assert!((20..100).contains(&dealt.requests), "{} requests", dealt.requests);
        // The others were counted and told all the same.
        assert_eq!([luck.counted(1).await, luck.counted(2).await], [Some((9, 9)), None]);
        assert_eq!([luck.topic.told(1), luck.topic.told(3)], [[Create], [Create]]);
        let (deliveries, counts) = environment.deliver_until_done(LIMIT_MS, 0, &batch[1..]).await;
        assert!((5..30).contains(&deliveries), "{deliveries}");
        assert!(luck.clock.now_ms() < until.plus(Span::minutes(1)).0);
        assert_eq!((counts.points_refused, counts.shares_lost), (0, 0));
        for source in [1, 2, 3] {
            assert_eq!(luck.counted(source).await, Some((9, 9)), "source {source}");
            assert_eq!(luck.topic.told(source), [Create], "source {source}");
        }
    });
}

#[test]
fn throttled_between_its_count_and_its_claim_a_finding_is_told_by_the_retry() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let batch = records(1, 1, &logins(1, 0..9, START));
        let mut writes = 0;
        luck.fate(move |request, now| {
            writes += u64::from(matches!(request, Request::Write(_)));
            let busy = writes > 1 && now < START.plus(Span::minutes(3));
            if busy { Fate::Throttled } else { Fate::Arrives }
        });
        let dealt = environment.deliver(0, &batch).await;
        assert_eq!(dealt.first_unapplied(), Some(Sequence::of(1)));
        assert_eq!(luck.counted(1).await, Some((9, 9)));
        assert_eq!(luck.topic.told(1), []);
        // Another environment, which remembers nothing of it.
        luck.environment().deliver_until_done(LIMIT_MS, 0, &batch).await;
        assert_eq!(luck.counted(1).await, Some((9, 9)));
        assert_eq!(luck.topic.told(1), [Create]);
    });
}

#[test]
fn a_throttled_tick_says_so_and_the_next_one_does_it() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let batch = records(1, 1, &logins(1, 0..9, START));
        assert!(environment.deliver(0, &batch).await.is_done());
        luck.wait_until(START.plus(Span::minutes(40))).await;
        luck.fate(|_, _| Fate::Throttled);
        let ticked = environment.tick().await;
        assert!(ticked.says().contains("the table is throttled"), "{}", ticked.says());
        assert!(ticked.took_ms < LIMIT_MS && ticked.requests < 100, "{ticked:?}");
        luck.clears_up();
        assert!(environment.tick().await.is_done());
        assert_eq!(luck.topic.told(1), [Create, Close]);
        assert_eq!(luck.indexed().await, []);
    });
}

#[test]
fn without_its_table_a_batch_is_given_back_at_once_and_a_new_table_counts_on() {
    for layout in [Layout::Together, Layout::Apart] {
        play(vec![scans()], move |luck| async move {
            let settings = Settings { layout, ..luck.settings };
            let luck = Luck { settings, ..luck };
            let environment = luck.environment();
            let tries = logins(1, 0..30, START);
            let batch = records(1, 1, &tries);
            assert!(environment.deliver(0, &batch[..5]).await.is_done());
            luck.fate(|_, _| Fate::Gone);
            for _ in 0..3 {
                let dealt = environment.deliver(0, &batch[5..14]).await;
                assert_eq!(dealt.first_unapplied(), Some(Sequence::of(6)));
                assert!(dealt.says().contains("there is no table `luck`"), "{}", dealt.says());
                assert_eq!((dealt.requests, dealt.took_ms), (1, 0));
                let ticked = environment.tick().await;
                assert!(ticked.says().contains("there is no table `luck`"), "{}", ticked.says());
                assert_eq!((ticked.requests, ticked.took_ms), (1, 0));
            }
            luck.table.make_anew();
            luck.clears_up();
            // What was counted before went with the table; what comes from now on is all there, from
            // an environment that remembers the old one, and from one that does not.
            assert!(environment.deliver(0, &batch[5..14]).await.is_done());
            assert_eq!(luck.counted(1).await, Some((9, 9)));
            assert!(luck.environment().deliver(0, &batch[14..20]).await.is_done());
            assert!(environment.deliver(0, &batch[5..20]).await.is_done());
            assert_eq!(luck.counted(1).await, Some((15, 15)));
            assert_eq!(luck.topic.told(1), [Create]);
            luck.wait_until(START.plus(Span::minutes(40))).await;
            luck.settle(&environment).await;
            assert_eq!(luck.topic.told(1), [Create, Close]);
        });
    }
}

#[test]
fn lost_answers_count_nothing_twice_and_tell_one_uid() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let batch = records(1, 3, &logins(1, 0..30, START));
        let mut asked = 0;
        // Of three answers two are lost.
        luck.fate(move |_, _| {
            asked += 1;
            if asked % 3 == 0 { Fate::Arrives } else { Fate::AnswerLost }
        });
        environment.deliver_until_done(LIMIT_MS, 0, &batch).await;
        assert_eq!(luck.counted(1).await, Some((30, 30)));
        luck.wait_until(START.plus(Span::minutes(90))).await;
        luck.settle(&environment).await;
        let told = luck.topic.told(1);
        assert_eq!((told.first(), told.last()), (Some(&Create), Some(&Close)), "{told:?}");
    });
}

#[test]
fn within_200_ms_a_slow_table_gets_as_far_as_it_can_and_all_is_done_in_some_invocations() {
    for layout in [Layout::Together, Layout::Apart] {
        play(vec![scans()], move |luck| async move {
            const LIMIT: i64 = 200;
            const SLOW: i64 = 60;
            let settings = Settings { layout, concurrency: 2, ..luck.settings };
            let luck = Luck { settings, ..luck };
            // The keys in the order of records are not in the order of addresses.
            let sources: Vec<u8> = (0..40u32).map(|nth| (nth * 97 % 251) as u8).collect();
            let tries: Vec<Login> =
                sources.iter().flat_map(|source| logins(*source, 0..9, START)).collect();
            let batch = records(1, 9, &tries);
            luck.fate(|_, _| Fate::Slow(SLOW));
            let mut left = batch.as_slice();
            let mut invocations = 0;
            while !left.is_empty() {
                invocations += 1;
                assert!(invocations < 100, "{} records are never done", left.len());
                // A fresh environment each time: nothing may depend on what one remembers.
                let dealt = luck.environment().deliver_within(LIMIT, 0, left).await;
                assert!(dealt.took_ms <= 2 * LIMIT, "{} ms", dealt.took_ms);
                let first = dealt.first_unapplied();
                assert_eq!(first.is_none(), dealt.says().is_empty());
                let done = first.map_or(left.len(), |first| {
                    left.partition_point(|record| record.sequence < first)
                });
                left = &left[done..];
            }
            assert!(invocations > 3, "{invocations}");
            luck.clears_up();
            for source in sources {
                assert_eq!(luck.counted(source).await, Some((9, 9)), "source {source}");
                assert_eq!(luck.topic.told(source)[0], Create, "source {source}");
            }
        });
    }
}

#[test]
fn one_record_of_more_keys_than_there_is_time_for_is_done_in_some_invocations() {
    for layout in [Layout::Together, Layout::Apart] {
        play(vec![scans()], move |luck| async move {
            const LIMIT: i64 = 500;
            let settings = Settings { layout, concurrency: 2, ..luck.settings };
            let luck = Luck { settings, ..luck };
            let environment = luck.environment();
            let sources: Vec<u8> = (1..40).collect();
            // Every third is told, which takes requests more; the first two messages are refused.
            let tries: Vec<Login> = sources
                .iter()
                .flat_map(|source| logins(*source, 0..if source % 3 == 0 { 9 } else { 2 }, START))
                .collect();
            let batch = records(1, tries.len(), &tries);
            assert_eq!(batch.len(), 1);
            luck.fate(|_, _| Fate::Slow(40));
            let mut refused = 0;
            luck.topic.refuse(move |_| {
                refused += 1;
                refused < 3
            });
            let (deliveries, counts) = environment.deliver_until_done(LIMIT, 0, &batch).await;
            assert!((3..20).contains(&deliveries), "{deliveries}");
            assert_eq!((counts.points_refused, counts.shares_lost), (0, 0));
            luck.clears_up();
            for source in sources {
                let (tried, told) = if source % 3 == 0 { (9, &[Create][..]) } else { (2, &[][..]) };
                assert_eq!(luck.counted(source).await, Some((tried, tried)), "source {source}");
                assert_eq!(luck.topic.told(source), told, "source {source}");
            }
            // Nothing is passed over that comes for the first time, nor counted that comes once more.
            let more = records(1, 100, &[tries.clone(), logins(1, 2..4, START)].concat());
            assert!(environment.deliver(0, &more).await.is_done());
            assert_eq!(luck.counted(1).await, Some((4, 4)));
            assert_eq!(luck.counted(3).await, Some((9, 9)));
        });
    }
}

#[test]
fn a_batch_that_no_measure_selects_asks_for_nothing() {
    play(vec![scans()], |luck| async move {
        luck.fate(|_, _| Fate::Gone);
        let mut batch = records(1, 4, &logins(1, 0..40, START));
        for (record, tries) in batch.iter_mut().zip(logins(1, 0..40, START).chunks(4)) {
            let success = |login: &Login| login.signal(Outcome::Success);
            record.signals = tries.iter().map(success).collect();
        }
        let dealt = luck.environment().deliver(0, &batch).await;
        assert!(dealt.is_done(), "{}", dealt.says());
        assert_eq!((dealt.requests, dealt.counts.attempts), (0, 40));
        let dealt = luck.environment().deliver(0, &[]).await;
        assert!(dealt.is_done() && dealt.requests == 0, "{dealt:?}");
        assert_eq!(luck.item(&main_item(1)).await, None);
    });
}
