//! One campaign is one finding: what a subnet's finding speaks for, and what it does not. Each guard is also
//! taken away, to show what it is for.

mod world;

use std::net::IpAddr;
use std::sync::Arc;

use tidewatch_core::change::Change;
use tidewatch_core::detector::{Detector, Filter, Measure, Severity};
use tidewatch_core::finding::{Activity, Finding, Member};
use tidewatch_core::key::{KeyField, KeyFields};
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::Outcome;
use tidewatch_core::time::Span;
use world::*;

fn by(field: KeyField) -> KeyFields {
    [field].into_iter().collect()
}

/// Five failures of one source.
fn source() -> Detector {
    let mut rule = detector("source", (60, 60), &[FAILURES], &[at_least(0, 5)]);
    rule.raises[0].severity = Severity::Medium;
    rule
}

/// Twelve failures of one subnet; it speaks for its sources.
fn subnet() -> Detector {
    let mut rule = detector("subnet", (60, 60), &[FAILURES], &[at_least(0, 12)]);
    rule.raises[0].severity = Severity::Medium;
    Detector { key: by(KeyField::SourceSubnet), covers: by(KeyField::SourceIp), ..rule }
}

/// One failure a second, by each source in turn.
fn failures(seconds: std::ops::Range<i64>, sources: &[u8]) -> Vec<Try> {
    let source = |n: i64| sources[n as usize % sources.len()];
    seconds.map(|n| Try { known: Some(true), ..unknown(n * 1_000, source(n), 1) }).collect()
}

fn played(plan: Plan, tries: &[Try], then: Span) -> Vec<Finding> {
    let mut engine = planned(Arc::new(plan), ROOMY);
    feed(&mut engine, tries, then);
    std::mem::take(engine.sink())
}

fn plan_of(detectors: &[Detector]) -> Plan {
    Plan::new(detectors.to_vec()).expect("few measures").folding()
}

fn opened(findings: &[Finding]) -> Vec<(String, String)> {
    let created = findings.iter().filter(|f| f.activity == Activity::Create);
    created.map(|f| (f.detector.clone(), f.key.to_string())).collect()
}

fn check(detectors: &[Detector], tries: &[Try], expected: &[(&str, &str)]) -> Vec<Finding> {
    let found = played(plan_of(detectors), tries, Span(0));
    let owned = |(id, key): &(&str, &str)| ((*id).to_owned(), (*key).to_owned());
    assert_eq!(opened(&found), expected.iter().map(owned).collect::<Vec<_>>());
    found
}

#[test]
fn neighbours_that_raise_together_are_one_finding() {
    let both = [source(), subnet()];
    let four = failures(0..40, &[1, 2, 3, 4]);
    let found = check(&both, &four, &[("subnet", "198.51.100.0/24")]);
    // Each raises on its own by now, and is listed with what it did.
    let last = found.iter().rfind(|f| f.activity == Activity::Update).expect("it went on");
    let member = |n, failures, raised| Member { source: v4(n), failures, raised };
    assert!(last.members.len() == 4, "{:?}", last.members);
    assert!(last.members.iter().all(|m| m.failures >= 5 && m.raised == Some(Severity::Medium)));
    assert_eq!(found[0].members[..2], [member(1, 3, None), member(2, 3, None)]);
    // Without it each is a finding of its own: so it is with plans that do not fold.
    let unfolded = played(Plan::new(both.to_vec()).expect("few"), &four, Span(0));
    assert_eq!(opened(&unfolded).len(), 5);
}

#[test]
fn what_is_worse_or_elsewhere_or_somebody_getting_in_is_told_all_the_same() {
    let four = failures(0..40, &[1, 2, 3, 4]);
    let mut worse = source();
    worse.raises[0].severity = Severity::High;
    let found = played(plan_of(&[worse, subnet()]), &four, Span(0));
    assert_eq!(opened(&found).len(), 5, "the sources are worse than their subnet");
    // Another subnet is not spoken for.
    let elsewhere = |t: Try| Try { source: IpAddr::from([203, 0, 113, 9]), ..t };
    let other = failures(40..50, &[1]).into_iter().map(elsewhere);
    let tries: Vec<Try> = four.iter().cloned().chain(other).collect();
    let expected = [("subnet", "198.51.100.0/24"), ("source", "203.0.113.9")];
    check(&[source(), subnet()], &tries, &expected);
    // Who gets in is told for the source.
    let got_in = Filter { outcome: Some(Outcome::Success), user_known: None };
    let measure = Measure::Count(tidewatch_core::signal::Role::Attempt, got_in);
    let takeover = detector("takeover", (60, 60), &[measure], &[at_least(0, 1)]);
    let takeover = Detector { after: vec!["source".to_owned()], ..takeover };
    let tries = [four, vec![success(40_000, 2, 7)]].concat();
    let expected = [("subnet", "198.51.100.0/24"), ("takeover", "198.51.100.2")];
    check(&[source(), subnet(), takeover], &tries, &expected);
}

#[test]
fn one_sources_attack_is_told_by_its_own_finding() {
    let both = [source(), subnet()];
    check(&both, &failures(0..40, &[1]), &[("source", "198.51.100.1")]);
    // A second one joins: as soon as none makes half of it, it is the subnet's.
    let joined = [failures(0..13, &[1]), failures(13..41, &[2, 3, 4, 5, 6, 7, 8])].concat();
    let found = check(&both, &joined, &[("source", "198.51.100.1"), ("subnet", "198.51.100.0/24")]);
    let subnet = found.iter().find(|f| f.detector == "subnet").expect("it is there");
    let most = subnet.members.iter().map(|m| m.failures).max().expect("members");
    let all: u64 = subnet.members.iter().map(|m| m.failures).sum();
    assert!(2 * most < all, "{:?}", subnet.members);
}

#[test]
fn what_was_spoken_for_opens_once_the_campaign_is_over() {
    let both = [source(), subnet()];
    let four = failures(0..16, &[1, 2, 3, 4]);
    // Three are quiet from here on, and one goes on: first the subnet's finding goes on, then its own opens.
    let at = |n: i64| 16_000 + n * 10_000;
    let one = (0..20).map(|n| Try { known: Some(true), ..unknown(at(n), 4, 1) });
    let tries: Vec<Try> = four.into_iter().chain(one).collect();
    let found = check(&both, &tries, &[("subnet", "198.51.100.0/24"), ("source", "198.51.100.4")]);
    let own = found.iter().find(|f| f.detector == "source").expect("it is there");
    let closed = found.iter().find(|f| f.detector == "subnet" && f.activity == Activity::Close);
    let closed = closed.expect("it is over");
    assert!(own.time >= closed.last.plus(Span::seconds(60)), "{own:?}\n{closed:?}");
}

#[test]
fn a_rise_of_the_share_is_found_whatever_the_traffic_and_a_busy_day_is_none() {
    let failed = Filter { outcome: Some(Outcome::Failure), user_known: None };
    let change = Change { filter: failed, times_tenths: 20, usual_thousandths: 20 };
    let mut rule = detector("rise", (3_600, 3_600), &[Measure::Change(change)], &[at_least(0, 20)]);
    rule.key = by(KeyField::Global);
    // One login in twenty fails; from `risen` on one in five, if at all. A day before, and an hour.
    let day = |risen: i64, per_hour: i64, busy: i64| -> Vec<Try> {
        let hour = |hour: i64| {
            let number = if hour == 24 { per_hour * busy } else { per_hour };
            (0..number).map(move |n| {
                let ms = hour * 3_600_000 + n * 3_600_000 / number;
                let every = if hour >= risen { 5 } else { 20 };
                match n % every {
                    0 => unknown(ms, (n % 200) as u8, n as u64),
                    _ => success(ms, (n % 200) as u8, n as u64),
                }
            })
        };
        (0..25).flat_map(hour).collect()
    };
    let found = |tries: &[Try]| played(plan_of(std::slice::from_ref(&rule)), tries, Span(0));
    for per_hour in [1_000, 4_000] {
        assert_eq!(found(&day(99, per_hour, 1)), [], "as ever");
        assert_eq!(found(&day(99, per_hour, 10)), [], "ten times the customers");
        let risen = found(&day(24, per_hour, 1));
        assert_eq!(opened(&risen).len(), 1, "four times the share");
        let minutes = (risen[0].start.0 - START) / 60_000 - 24 * 60;
        assert!((0..40).contains(&minutes), "after {minutes} minutes");
    }
}
