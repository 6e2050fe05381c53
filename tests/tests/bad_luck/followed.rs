//! A finding that is closed and counts still, for those that come after it.

use tidewatch_core::delivery::Record;
use tidewatch_core::detector::{
    Comparison, Condition, Detector, Filter, Measure, NamedMeasure, Operand, Raise, Severity,
};
use tidewatch_core::finding::Activity;
use tidewatch_core::signal::{Outcome, Role};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{Login, START, logins, play, records, scans};

/// An environment that has seen nothing of the attack finds its closed finding in the table.
#[test]
fn who_gets_in_after_a_finding_is_closed_is_told_for_as_long_as_it_counts() {
    let successes = Filter { outcome: Some(Outcome::Success), user_known: None };
    let measure = Measure::Count(Role::Attempt, successes);
    let any =
        Condition { measure: 0, comparison: Comparison::AtLeast, operand: Operand::Number(1.0) };
    let takeover = |after_within: Span| Detector {
        id: "takeover".to_owned(),
        measures: vec![NamedMeasure { name: "successes".to_owned(), measure }],
        raises: vec![Raise {
            severity: Severity::Critical,
            confidence: None,
            when: vec![any.clone()],
        }],
        after: vec![scans().id],
        after_within,
        ..scans()
    };
    let hour = 60 * 60;
    for (hours, came_after_s, told) in
        [(24, 5 * hour, true), (24, 24 * hour + 20, false), (0, 5 * hour, false)]
    {
        play(vec![scans(), takeover(Span::minutes(hours * 60))], move |luck| async move {
            let at = |seconds: i64| START.plus(Span::seconds(seconds));
            let attack = records(1, 4, &logins(1, 0..12, START));
            assert!(luck.environment().deliver(0, &attack).await.is_done());
            luck.wait_until(at(2 * hour)).await;
            luck.settle(&luck.environment()).await;
            assert_eq!(luck.topic.told(1), [Activity::Create, Activity::Close]);

            luck.wait_until(at(came_after_s)).await;
            let login = Login { time: at(came_after_s), source: 1, user: 99 };
            let record = Record {
                signals: vec![login.signal(Outcome::Success)],
                ..records(9, 1, &[login]).remove(0)
            };
            assert!(luck.environment().deliver(0, &[record]).await.is_done());
            let found = luck.topic.about(1).into_iter().filter(|f| f.detector == "takeover");
            assert_eq!(found.count(), usize::from(told), "{hours} h, after {came_after_s} s");
        });
    }
}
