//! Findings cannot leave.

use tidewatch_core::fault::Fault;
use tidewatch_core::finding::Activity;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{START, key, logins, play, records, scans};

use Activity::{Close, Create};

#[test]
fn a_batch_whose_finding_does_not_leave_is_given_back_and_the_retry_tells_it() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let batch = records(1, 1, &logins(1, 0..12, START));
        luck.topic.refuse(|_| true);
        for environment in [&environment, &environment, &luck.environment()] {
            let dealt = environment.deliver(0, &batch).await;
            assert_eq!(dealt.first_unapplied(), Some(Sequence::of(1)));
            assert!(matches!(dealt.acknowledged.fault, Some(Fault::Sink(_))), "{}", dealt.says());
            assert_eq!(dealt.counts.created, 0);
            assert!(dealt.requests <= 4 && dealt.took_ms == 0, "{dealt:?}");
            assert_eq!(luck.counted(1).await, Some((12, 12)));
        }
        luck.topic.refuse(|_| false);
        let dealt = luck.environment().deliver(0, &batch).await;
        assert!(dealt.is_done(), "{}", dealt.says());
        assert_eq!((dealt.counts.created, luck.topic.told(1)), (1, vec![Create]));
        // The record that raised it, whichever delivery told it.
        let start = luck.topic.about(1)[0].start;
        let eighth = START.plus(Span::seconds(6)) < start && start <= START.plus(Span::seconds(7));
        assert!(eighth, "{start:?}");
        assert!(luck.environment().deliver(0, &batch).await.is_done());
        assert_eq!(luck.topic.told(1), [Create]);
    });
}

#[test]
fn one_key_whose_finding_does_not_leave_keeps_no_other_from_leaving() {
    play(vec![scans()], |luck| async move {
        let environment = luck.environment();
        let parts = [logins(1, 0..9, START), logins(2, 0..9, START), logins(3, 0..9, START)];
        let batch = records(1, 9, &parts.concat());
        luck.topic.refuse(|finding| finding.key == key(2));
        let dealt = environment.deliver(0, &batch).await;
        assert_eq!(dealt.first_unapplied(), Some(Sequence::of(2)));
        assert_eq!(dealt.counts.created, 2);
        let told = |luck: &tidewatch_tests::luck::Luck| [1, 2, 3].map(|n| luck.topic.told(n));
        assert_eq!(told(&luck), [vec![Create], vec![], vec![Create]]);
        luck.topic.refuse(|_| false);
        assert!(environment.deliver(0, &batch[1..]).await.is_done());
        assert_eq!(told(&luck), [[Create]; 3]);
        // At the tick as well.
        luck.wait_until(START.plus(Span::minutes(40))).await;
        luck.topic.refuse(|finding| finding.key == key(2));
        let ticked = environment.tick().await;
        assert!(matches!(ticked.acknowledged.fault, Some(Fault::Sink(_))), "{}", ticked.says());
        let closed = vec![Create, Close];
        assert_eq!(told(&luck), [closed.clone(), vec![Create], closed.clone()]);
        luck.topic.refuse(|_| false);
        luck.settle(&luck.environment()).await;
        assert_eq!(told(&luck), [closed.clone(), closed.clone(), closed]);
        for source in [1, 2, 3] {
            assert_eq!(luck.counted(source).await, Some((9, 9)));
        }
    });
}

#[test]
fn a_finding_whose_batch_never_comes_again_is_told_by_the_tick() {
    play(vec![scans()], |luck| async move {
        luck.topic.refuse(|_| true);
        let batch = records(1, 1, &logins(1, 0..9, START));
        assert!(!luck.environment().deliver(0, &batch).await.is_done());
        luck.topic.refuse(|_| false);
        // Its shard is gone with all it held. When the attack has been over for as long as it takes to
        // close it, it is opened first, lease or not.
        luck.settle(&luck.environment()).await;
        assert_eq!(luck.topic.told(1), [Create, Close]);
        assert!(luck.clock.now_ms() >= START.plus(Span::minutes(30)).0);
    });
}
