//! What functions take, watched: findings do not depend on the order in which reports of a minute come, each episode
//! is told once, opened and closed, and the worst of several findings about one function tells.

mod functions;

use std::sync::Arc;

use functions::{DAY, MINUTE, report, rule, stream_of, watch};
use proptest::prelude::*;
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::signal::{EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::tag::TagKey;

const START: i64 = 1_760_000_100_000;

/// Two days of `usual` invocations of 100 ms every five minutes, then an hour of `spike` of them, then a day.
fn spiked(usual: u64, spike: u64) -> Vec<Signal> {
    let (stream, mut all) = (stream_of("checkout"), Vec::new());
    for pane in 0..2 * 288 + 12 + 288 {
        let invocations = if (576..588).contains(&pane) { spike } else { usual };
        for n in 0..invocations {
            let at = START + pane * 5 * MINUTE + (n as i64) * 5 * MINUTE / invocations as i64;
            all.push(report(all.len() as u64, at, 100, &stream));
        }
    }
    all
}

fn told(detectors: Vec<SpendDetector>, signals: &[Signal]) -> Vec<Finding> {
    let mut watch = watch(detectors);
    let mut findings: Vec<Finding> = signals.iter().flat_map(|s| watch.observe(s)).collect();
    findings.extend(watch.ended());
    findings
}

fn said(findings: &[Finding]) -> Vec<(String, Activity, Severity)> {
    findings.iter().map(|f| (f.detector.clone(), f.activity, f.severity)).collect()
}

fn spike() -> SpendDetector {
    rule("spike", Number::Dollars, Rule::Above, &[(Severity::High, 5.0), (Severity::Low, 1.0)])
}

#[test]
fn an_episode_is_told_once_opened_and_closed_with_dollars_and_reasons() {
    let findings = told(vec![spike()], &spiked(5, 60));
    let expected = [("spike", Activity::Create), ("spike", Activity::Close)];
    let said: Vec<_> = findings.iter().map(|f| (f.detector.as_str(), f.activity)).collect();
    assert_eq!(said, expected);
    let [opened, closed] = findings.as_slice() else { unreachable!() };
    assert_eq!(opened.uid, closed.uid);
    // 60 invocations of 0.1 GB-s in five minutes are 72 dollars an hour; 5 are 6.
    let spending = opened.spending.as_deref().expect("about a function");
    assert!((spending.dollars - 72.0).abs() < 1e-6, "{}", spending.dollars);
    assert!((spending.usual.expect("known") - 6.0).abs() < 0.02, "{spending:?}");
    assert!((spending.month() - 66.0 * 730.0).abs() < 20.0, "{}", spending.month());
    let change: f64 = spending.parts.iter().map(|(_, part)| part).sum();
    assert!((change - 66.0).abs() < 1e-6, "{:?}", spending.parts);
    assert_eq!(spending.parts[0].0, "more invocations");
    assert!((spending.parts[0].1 - 66.0).abs() < 1e-6, "{:?}", spending.parts);
    // It is over once it has been quiet for an hour.
    let quiet = closed.time.0 - (START + 2 * DAY + 60 * MINUTE);
    assert!((55 * MINUTE..75 * MINUTE).contains(&quiet), "{quiet}");
}

#[test]
fn below_its_floor_nothing_is_told_and_the_severity_is_that_of_the_excess() {
    let with = |raises: &[(Severity, f64)]| {
        told(vec![rule("spike", Number::Dollars, Rule::Above, raises)], &spiked(5, 60))
    };
    assert_eq!(said(&with(&[(Severity::High, 80.0)])), []);
    let raises = [(Severity::High, 60.0), (Severity::Low, 1.0)];
    assert_eq!(with(&raises)[0].severity, Severity::High);
    let raises = [(Severity::High, 80.0), (Severity::Low, 1.0)];
    assert_eq!(with(&raises)[0].severity, Severity::Low);
}

#[test]
fn the_worst_tells_and_lists_the_others_that_are_open() {
    let count =
        |severity, least| rule("count", Number::Invocations, Rule::Above, &[(severity, least)]);
    for order in [[0, 1], [1, 0]] {
        let both = [spike(), count(Severity::Medium, 10.0)];
        let detectors = order.map(|at: usize| both[at].clone()).to_vec();
        let findings = told(detectors, &spiked(5, 60));
        let said = said(&findings);
        let names: Vec<&str> = said.iter().map(|(id, ..)| id.as_str()).collect();
        assert_eq!(names, ["spike", "spike"], "{order:?}");
    }
    // What is worse is told beside it, and says so.
    let findings = told(vec![spike(), count(Severity::Critical, 600.0)], &spiked(5, 60));
    assert_eq!(findings[0].detector, "count");
    // What creeps or is silent is another matter.
    let silent = rule("silent", Number::Invocations, Rule::Silent, &[(Severity::Low, 10.0)]);
    let mut signals = spiked(5, 60);
    let until = 2 * DAY + 60 * MINUTE;
    signals.retain(|s| s.time.0 < START + until || s.time.0 > START + until + 3 * 60 * MINUTE);
    let findings = told(vec![spike(), silent], &signals);
    let opened = findings.iter().filter(|f| f.activity == Activity::Create);
    assert_eq!(opened.map(|f| f.detector.as_str()).collect::<Vec<_>>(), ["spike", "silent"]);
}

#[test]
fn what_comes_twice_counts_once_and_what_is_of_another_account_apart() {
    let signals = spiked(5, 60);
    let twice: Vec<Signal> = signals.iter().flat_map(|s| [s.clone(), s.clone()]).collect();
    let [once, again] = [told(vec![spike()], &signals), told(vec![spike()], &twice)];
    assert_eq!(said(&once), said(&again));
    assert_eq!(once[0].spending, again[0].spending);
    let other = Arc::new(LogStream {
        account: "210987654321".to_owned(),
        ..(*stream_of("checkout")).clone()
    });
    let both: Vec<Signal> = signals
        .iter()
        .zip(1_000_000u64..)
        .flat_map(|(s, nth)| {
            let origin = Origin { stream: Arc::clone(&other), id: EventId::Offset(nth) };
            [
                s.clone(),
                Signal {
                    origin,
                    event: TagKey::new([3; 16]).event(0, &nth.to_be_bytes()),
                    ..s.clone()
                },
            ]
        })
        .collect();
    let findings = told(vec![spike()], &both);
    assert_eq!(findings.len(), 4);
    assert_ne!(findings[0].uid, findings[1].uid);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn in_whatever_order_the_reports_of_half_a_minute_come(seed in any::<u64>()) {
        let signals = spiked(5, 60);
        let expected = told(vec![spike()], &signals);
        let mut shuffled: Vec<(i64, Signal)> = signals
            .into_iter()
            .enumerate()
            .map(|(nth, s)| {
                let late = (nth as u64).wrapping_add(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 49;
                (s.time.0 + (late % 30_000) as i64, s)
            })
            .collect();
        shuffled.sort_by_key(|(arrives, _)| *arrives);
        let shuffled: Vec<Signal> = shuffled.into_iter().map(|(_, s)| s).collect();
        let found = told(vec![spike()], &shuffled);
        prop_assert_eq!(said(&found), said(&expected));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(&found.uid, &expected.uid);
            prop_assert_eq!(found.peak, expected.peak);
        }
    }
}
