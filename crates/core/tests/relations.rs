//! Detectors that depend on one another, and what a finding tells besides its numbers: the accounts behind
//! it and who else raises.

mod world;

use tidewatch_core::detector::{Detector, Measure};
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::plan::{Plan, PlanError};
use tidewatch_core::signal::Outcome;
use tidewatch_core::time::{Span, Time};
use tidewatch_core::walk::Rates;
use world::*;

const RATES: Rates = Rates { people: 950, attackers: 300 };

fn scan_of(threshold: u32) -> Detector {
    Detector { id: "scan".to_owned(), ..scan(60, 60, threshold) }
}

/// Somebody gets in where "scan" stands.
fn takeover() -> Detector {
    let rule = detector("takeover", (60, 60), &[SUCCESSES], &[at_least(0, 1)]);
    Detector { after: vec!["scan".to_owned()], ..rule }
}

/// Failures, where "scan" does not tell it better.
fn guessing() -> Detector {
    let rule = detector("guessing", (60, 60), &[FAILURES], &[at_least(0, 3)]);
    Detector { unless: vec!["scan".to_owned()], ..rule }
}

/// Who opens what, by detector and source, in order.
fn opened(detectors: Vec<Detector>, tries: &[Try]) -> Vec<(String, i64)> {
    let findings = findings(detectors, tries, Span::seconds(600));
    let created = findings.into_iter().filter(|finding| finding.activity == Activity::Create);
    created.map(|finding| (finding.detector, (finding.start.0 - START) / 1_000)).collect()
}

fn names(range: std::ops::Range<i64>) -> Vec<Try> {
    range.map(|n| unknown(n * 1_000, 1, n as u64)).collect()
}

fn check(detectors: &[Detector], tries: &[Try], expected: &[(&str, i64)]) {
    let expected: Vec<_> = expected.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect();
    assert_eq!(opened(detectors.to_vec(), tries), expected);
    // In whatever order the two were loaded.
    let reversed = detectors.iter().rev().cloned().collect();
    let (mut found, mut expected) = (opened(reversed, tries), expected);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn who_gets_in_while_a_finding_stands_is_told_and_nobody_else() {
    let both = [scan_of(5), takeover()];
    check(&both, &names(0..5), &[("scan", 4)]);
    check(&both, &[success(0, 1, 9)], &[]);
    // After the finding, and before it within the window: then both open with one event.
    let after = [names(0..5), vec![success(20_000, 1, 9)]].concat();
    check(&both, &after, &[("scan", 4), ("takeover", 20)]);
    let before = [vec![success(0, 1, 9)], names(1..6)].concat();
    check(&both, &before, &[("scan", 5), ("takeover", 5)]);
    // Long before, or from elsewhere, or once the finding is over.
    let long_before = [vec![success(0, 1, 9)], names(70..75)].concat();
    check(&both, &long_before, &[("scan", 74)]);
    let elsewhere = [names(0..5), vec![success(20_000, 2, 9)]].concat();
    check(&both, &elsewhere, &[("scan", 4)]);
    let over = [names(0..5), vec![success(200_000, 1, 9)]].concat();
    check(&both, &over, &[("scan", 4)]);
    // While the finding is open, though its window has passed.
    let open = [names(0..5), vec![success(63_500, 1, 9)]].concat();
    check(&both, &open, &[("scan", 4), ("takeover", 63)]);
}

#[test]
fn a_finding_that_is_over_counts_for_as_long_as_is_said() {
    let late = Detector { after_within: Span::seconds(600), ..takeover() };
    let both = [scan_of(5), late];
    let then = |s: i64| [names(0..5), vec![success(s * 1_000, 1, 9)]].concat();
    // One that raised last at 30 s counts from then on.
    let raised_last = [names(0..5), vec![unknown(30_000, 1, 6)]].concat();
    let lasting = |s: i64| [raised_last.clone(), vec![success(s * 1_000, 1, 9)]].concat();
    check(&both, &then(200), &[("scan", 4), ("takeover", 200)]);
    check(&both, &then(603), &[("scan", 4), ("takeover", 603)]);
    check(&both, &then(604), &[("scan", 4)]);
    check(&both, &lasting(629), &[("scan", 4), ("takeover", 629)]);
    check(&both, &lasting(630), &[("scan", 4)]);
    // What lies before it is no more part of it than ever.
    let long_before = [vec![success(0, 1, 9)], names(70..75)].concat();
    check(&both, &long_before, &[("scan", 74)]);
    let elsewhere = [names(0..5), vec![success(200_000, 2, 9)]].concat();
    check(&both, &elsewhere, &[("scan", 4)]);

    // The finding says which one it comes after, though that one is closed and nothing of it is in the window.
    let told = findings(both.to_vec(), &then(200), Span::seconds(600));
    let order: Vec<_> = told.iter().map(|f| (&*f.detector, f.activity)).collect();
    let closed_before = [("scan", Activity::Close), ("takeover", Activity::Create)];
    assert_eq!(order[1..3], closed_before);
    let also: Vec<_> = told[2].also.iter().map(|a| (&*a.detector, a.uid.clone())).collect();
    assert_eq!(also, [("scan", Some(told[1].uid.clone()))]);
    // Where it raises anew with the same event the closed one is not the one that is meant.
    let anew = [then(200), names(210..215)].concat();
    let told = findings(both.to_vec(), &anew, Span::seconds(600));
    let scans = told.iter().filter(|f| (&*f.detector, f.activity) == ("scan", Activity::Create));
    assert_eq!(scans.count(), 2);
    let late =
        detector("late", (10, 60), &[SUCCESSES, FAILURES], &[at_least(0, 1), at_least(1, 5)]);
    let late = Detector { after: vec!["scan".to_owned()], ..late };
    let both = [scan_of(5), Detector { after_within: Span::seconds(600), ..late }];
    let anew = [names(0..5), vec![success(209_500, 1, 9)], names(210..215)].concat();
    let told = findings(both.to_vec(), &anew, Span::seconds(600));
    let late =
        told.iter().find(|f| f.detector == "late").expect("with the fifth of the second five");
    assert_eq!((late.start, late.also.len()), (at(214_000), 1));
    let uids = told.iter().filter(|f| f.detector == "scan").map(|f| f.uid.clone());
    let uids: std::collections::BTreeSet<_> = uids.collect();
    assert_eq!(uids.len(), 2);
    let first = told.iter().find(|f| f.detector == "scan").expect("the first").uid.clone();
    assert_ne!(late.also[0].uid, Some(first));
}

#[test]
fn a_detector_is_quiet_where_another_tells_it_better() {
    let known = |n: i64| Try { known: Some(true), ..unknown(n * 1_000, 1, 1) };
    let both = [scan_of(3), guessing()];
    check(&both, &(0..3).map(known).collect::<Vec<_>>(), &[("guessing", 2)]);
    // Both conditions come to hold with the same event.
    check(&both, &names(0..3), &[("scan", 2)]);
    check(&both, &names(0..20), &[("scan", 2)]);
    // It was there first, and stays until it is quiet.
    let first = [(0..3).map(known).collect(), names(5..8)].concat();
    check(&both, &first, &[("guessing", 2), ("scan", 7)]);
    // It tells what is worse than what the other tells.
    let mut mild = scan_of(3);
    mild.raises[0].severity = tidewatch_core::detector::Severity::Low;
    check(&[mild, guessing()], &names(0..3), &[("scan", 2), ("guessing", 2)]);
    // Without the other it tells.
    check(&[guessing()], &names(0..3), &[("guessing", 2)]);
}

#[test]
fn what_cannot_come_true_is_refused() {
    assert_eq!(
        Plan::new(vec![takeover()]).expect_err("nothing to come after"),
        PlanError::Alone { detector: "takeover".to_owned(), after: "scan".to_owned() }
    );
    let elsewhere =
        Detector { key: [tidewatch_core::key::KeyField::User].into_iter().collect(), ..scan_of(5) };
    assert!(Plan::new(vec![takeover(), elsewhere]).is_err(), "another key");
}

#[test]
fn a_finding_names_the_accounts_and_who_else_raises() {
    let both = [scan_of(5), takeover(), detector("many", (60, 60), &[FAILURES], &[at_least(0, 4)])];
    // The names that failed are told from those that got in by the walk's measures.
    let walk = detector("walk", (60, 60), &[Measure::Sequential(RATES)], &[at_least(0, 99)]);
    let detectors = [&both[..], &[walk]].concat();
    let tries = [names(0..5), vec![unknown(6_000, 1, 9), success(7_000, 1, 9)]].concat();
    let all = findings(detectors, &tries, Span(0));
    let of = |id: &str, activity| -> Finding {
        let found = all.iter().find(|f| f.detector == id && f.activity == activity);
        found.unwrap_or_else(|| panic!("{id}")).clone()
    };
    let scan = of("scan", Activity::Create);
    let ids = |finding: &Finding| -> Vec<String> {
        finding.also.iter().map(|also| also.detector.clone()).collect()
    };
    assert_eq!((scan.accounts.len(), ids(&scan)), (5, vec!["many".to_owned()]));
    let told = |finding: &Finding| -> Vec<(u64, Option<Outcome>, Option<bool>, Time)> {
        finding.accounts.iter().map(|a| (a.tag, a.outcome, a.known, a.last)).collect()
    };
    let takeover = of("takeover", Activity::Create);
    assert_eq!(ids(&takeover), ["scan", "many"]);
    assert_eq!(takeover.also[0].uid, Some(scan.uid), "it was told");
    let accounts = told(&takeover);
    let tag = |user| user_tag(user).0;
    assert_eq!(accounts[0], (tag(9), Some(Outcome::Success), Some(true), at(7_000)));
    assert_eq!(accounts[1], (tag(4), Some(Outcome::Failure), Some(false), at(4_000)));
    assert_eq!(accounts.len(), 6, "{accounts:?}");
}

#[test]
fn the_walk_decides_at_the_newest_event_and_not_before() {
    let walk = detector("walk", (600, 60), &[Measure::Sequential(RATES)], &[at_least(0, 5)]);
    let tries = names(0..30);
    let needed = (5.0 / RATES.failure()).ceil() as i64;
    assert_eq!(opened(vec![walk.clone()], &tries), [("walk".to_owned(), needed - 1)]);
    // Behind an office that gets in, the same names say as much: nobody can save successes up.
    let office: Vec<Try> = (0..200).map(|n| success(n * 100, 1, 1_000 + n as u64)).collect();
    let scan = (0..needed).map(|n| unknown(20_000 + n * 1_000, 1, n as u64));
    let all: Vec<Try> = office.into_iter().chain(scan).collect();
    assert_eq!(opened(vec![walk.clone()], &all).len(), 1);
    // People who mistype and then get in are no attack, however many.
    let people = (0..400).flat_map(|n| {
        let wrong = Try { known: Some(true), ..unknown(n * 500, 1, n as u64) };
        [wrong, success(n * 500 + 300, 1, n as u64)]
    });
    assert_eq!(opened(vec![walk], &people.collect::<Vec<_>>()), []);
}
