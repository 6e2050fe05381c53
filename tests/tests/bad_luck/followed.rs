//! A finding that is closed and counts still, for those that come after it.

use tidewatch_core::delivery::Record;
use tidewatch_core::detector::{
    Comparison, Condition, Detector, Filter, Measure, NamedMeasure, Operand, Raise, Severity,
};
use tidewatch_core::finding::Activity;
use tidewatch_core::signal::{Outcome, Role};
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::luck::{Login, Luck, START, logins, many_names, play, records, scans};

/// Somebody gets in from a source, where "credential-scan" stands or so long after its last raise.
fn takeover(after_within: Span) -> Detector {
    let successes = Filter { outcome: Some(Outcome::Success), user_known: None };
    let measure = Measure::Count(Role::Attempt, successes);
    let when = vec![Condition {
        measure: 0,
        comparison: Comparison::AtLeast,
        operand: Operand::Number(1.0),
    }];
    Detector {
        id: "takeover".to_owned(),
        measures: vec![NamedMeasure { name: "successes".to_owned(), measure }],
        raises: vec![Raise { severity: Severity::Critical, confidence: None, when }],
        after: vec![scans().id],
        after_within,
        ..scans()
    }
}

const HOUR_S: i64 = 60 * 60;

fn at(seconds: i64) -> Time {
    START.plus(Span::seconds(seconds))
}

/// A login that succeeds, in a record of its own.
fn gets_in(seconds: i64) -> Record {
    let login = Login { time: at(seconds), source: 1, user: 99 };
    let signals = vec![login.signal(Outcome::Success)];
    Record { signals, ..records(99, 1, &[login]).remove(0) }
}

/// What opened about the source, in order.
fn opened(luck: &Luck) -> Vec<String> {
    let told = luck.topic.about(1).into_iter();
    told.filter(|f| f.activity == Activity::Create).map(|finding| finding.detector).collect()
}

/// An environment that has seen nothing of the attack finds its closed finding in the table.
#[test]
fn who_gets_in_after_a_finding_is_closed_is_told_for_as_long_as_it_counts() {
    for (hours, came_after_s, told) in
        [(24, 5 * HOUR_S, true), (24, 24 * HOUR_S + 20, false), (0, 5 * HOUR_S, false)]
    {
        play(vec![scans(), takeover(Span::minutes(hours * 60))], move |luck| async move {
            let attack = records(1, 4, &logins(1, 0..12, START));
            assert!(luck.environment().deliver(0, &attack).await.is_done());
            luck.wait_until(at(2 * HOUR_S)).await;
            luck.settle(&luck.environment()).await;
            assert_eq!(luck.topic.told(1), [Activity::Create, Activity::Close]);

            luck.wait_until(at(came_after_s)).await;
            assert!(luck.environment().deliver(0, &[gets_in(came_after_s)]).await.is_done());
            let both = opened(&luck).len() == 2;
            assert_eq!(both, told, "{hours} h, after {came_after_s} s");
        });
    }
}

/// A shard was held up for hours: the attack and who got in behind it come at once, or one after the other from two.
#[test]
fn what_comes_late_together_is_told_as_if_it_had_come_in_time() {
    for shards in [[0, 0], [0, 1]] {
        for hours in [24, 0] {
            // Within the time that the finding would have been open, and long after.
            for came_after_s in [20 * 60, 5 * HOUR_S] {
                // With a detector that looks as far back, as it must to count what comes hours late.
                let all = vec![scans(), many_names(), takeover(Span::minutes(hours * 60))];
                play(all, move |luck| async move {
                    luck.wait_until(at(6 * HOUR_S)).await;
                    let attack = records(1, 4, &logins(1, 0..12, START));
                    let environment = luck.environment();
                    if shards[0] == shards[1] {
                        let all = [attack, vec![gets_in(came_after_s)]].concat();
                        assert!(environment.deliver(0, &all).await.is_done());
                    } else {
                        let login = [gets_in(came_after_s)];
                        assert!(environment.deliver(1, &login).await.is_done());
                        assert!(environment.deliver(0, &attack).await.is_done());
                    }
                    let told = hours == 24 || came_after_s < HOUR_S;
                    let expected: &[&str] =
                        if told { &["credential-scan", "takeover"] } else { &["credential-scan"] };
                    assert_eq!(opened(&luck), expected, "{shards:?} {hours} h, {came_after_s} s");
                    let takeover = luck.topic.about(1).into_iter();
                    let mut takeover = takeover.filter(|finding| finding.detector == "takeover");
                    let start = takeover.next().map(|finding| finding.start);
                    assert_eq!(start.is_some(), told);
                    assert!(start.is_none_or(|start| start == at(came_after_s)));
                });
            }
        }
    }
}
