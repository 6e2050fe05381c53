//! Callers who cost more than they ever did: what is told of them, what is told of functions instead, and what is no
//! news.

mod functions;

use std::collections::BTreeMap;

use functions::{MINUTE, report, rule, stream_of, watch};
use tidewatch_core::access::Access;
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::signal::{Body, Signal};
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::tag::{RequestTag, UserTag};

const START: i64 = 1_760_000_100_000;
const DAY: i64 = 288;

fn rider() -> SpendDetector {
    rule("rider", Number::Dollars, Rule::Riding, &[(Severity::High, 5.0)])
}

fn spike() -> SpendDetector {
    rule("spike", Number::Dollars, Rule::Above, &[(Severity::Low, 20.0)])
}

/// Calls of functions by principals, whom the log of a function names or not.
struct World {
    signals: Vec<Signal>,
}

impl World {
    /// In each pane so many invocations of 100 ms, $0.1, of a function by a principal.
    fn calls(
        &mut self,
        panes: std::ops::Range<i64>,
        function: &str,
        who: u64,
        count: i64,
        named: bool,
    ) {
        let stream = stream_of(function);
        for pane in panes {
            for nth in 0..count {
                let at = START + pane * 5 * MINUTE + nth * 4 * MINUTE / count + who as i64;
                let id = self.signals.len() as u64;
                let mut signal = report(id, at + 100, 100, &stream);
                if let Body::Invocation(invocation) = &mut signal.body {
                    invocation.request = Some(RequestTag(id));
                }
                let access = Access {
                    request: Some(RequestTag(id)),
                    principal: Some(UserTag(who)),
                    ..Access::default()
                };
                let mut said = report(id + (1 << 40), at, 100, &stream);
                said.body = Body::Access(Box::new(access));
                self.signals.extend(named.then_some(said));
                self.signals.push(signal);
            }
        }
    }

    fn told(mut self, detectors: &[SpendDetector]) -> Vec<Finding> {
        self.signals.sort_by_key(|signal| signal.time);
        let mut watch = watch(detectors.to_vec());
        let mut findings: Vec<Finding> =
            self.signals.iter().flat_map(|signal| watch.observe(signal)).collect();
        findings.extend(watch.ended());
        findings
    }
}

/// Ten principals that call a function all the time.
fn busy(panes: i64, function: &str) -> World {
    let mut world = World { signals: Vec::new() };
    (1..=10).for_each(|who| world.calls(0..panes, function, who, 2, true));
    world
}

fn opened(findings: &[Finding]) -> Vec<&str> {
    let opened = findings.iter().filter(|finding| finding.activity == Activity::Create);
    opened.map(|finding| finding.detector.as_str()).collect()
}

#[test]
fn who_costs_more_than_ever_is_told_once_opened_and_closed_with_where_and_since_when() {
    let mut world = busy(4 * DAY, "checkout");
    // Twenty invocations a pane, and half as many more for two hours, of one who has two.
    world.calls(2 * DAY..2 * DAY + 24, "checkout", 3, 10, true);
    let findings = world.told(&[rider()]);
    let uids: BTreeMap<&str, usize> = findings.iter().map(|f| (f.uid.as_str(), 1)).collect();
    assert_eq!((opened(&findings), uids.len()), (vec!["rider"], 1));
    assert_eq!(findings.last().map(|finding| finding.activity), Some(Activity::Close));
    let finding = &findings[0];
    assert_eq!(finding.key.to_string(), "user:0000000000000003");
    let spending = finding.spending.as_deref().expect("about dollars");
    // Two invocations of 10 cents a pane are $2.40 an hour.
    assert!((spending.usual.expect("known") - 2.4).abs() < 0.01, "{spending:?}");
    // And twelve in a pane $1.20: it is told once five of these dollars are spent in an hour.
    assert!((7.4..10.0).contains(&spending.dollars), "{spending:?}");
    let ride = spending.ride.as_ref().expect("about a caller");
    assert_eq!(ride.caller.to_string(), "principal user:0000000000000003");
    assert!(ride.since.0 - (START + 2 * DAY * 5 * MINUTE) < 65 * MINUTE, "{ride:?}");
    let [(function, dollars)] = ride.functions.as_slice() else { panic!("{ride:?}") };
    assert_eq!((&*function.name, *dollars), ("checkout", spending.dollars));
    assert_eq!(ride.new, None);
    let measured: Vec<&str> = finding.measures.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(measured, ["dollars_an_hour"]);
}

#[test]
fn a_finding_about_the_function_that_the_caller_drives_tells_it() {
    let world = || {
        let mut world = busy(3 * DAY, "checkout");
        world.calls(2 * DAY..2 * DAY + 24, "checkout", 3, 100, true);
        world
    };
    assert_eq!(opened(&world().told(&[rider()])), ["rider"]);
    for both in [[rider(), spike()], [spike(), rider()]] {
        assert_eq!(opened(&world().told(&both)), ["spike"]);
    }
    // One about another function tells nothing of it.
    let mut world = busy(3 * DAY, "checkout");
    (1..=10).for_each(|who| world.calls(0..3 * DAY, "search", who + 20, 2, true));
    world.calls(2 * DAY..2 * DAY + 24, "search", 29, 100, true);
    world.calls(2 * DAY..2 * DAY + 24, "checkout", 3, 10, true);
    let mut both = opened(&world.told(&[rider(), spike()]))
        .iter()
        .map(|id| id.to_string())
        .collect::<Vec<_>>();
    both.sort();
    assert_eq!(both, ["rider", "spike"]);
}

#[test]
fn a_function_that_a_caller_never_used_is_told_although_the_caller_costs_no_more() {
    let world = |from: i64| {
        let mut world = busy(3 * DAY, "checkout");
        world.calls(0..3 * DAY, "export", 77, 20, true);
        // Somebody who moves on from one function to another.
        world.calls(from..2 * DAY, "checkout", 50, 20, true);
        world.calls(2 * DAY..2 * DAY + 24, "export", 50, 20, true);
        world.told(&[rider()])
    };
    let findings = world(0);
    assert_eq!(opened(&findings), ["rider"]);
    let ride = findings[0].spending.as_deref().and_then(|spending| spending.ride.clone());
    let (function, first) = ride.expect("about a caller").new.expect("a function");
    assert_eq!((&*function.name, first.0 >= START), ("export", true));
    // Who came within the day has no habits.
    assert_eq!(opened(&world(2 * DAY - 200)), Vec::<&str>::new());
}

#[test]
fn a_log_that_begins_to_name_callers_is_no_news_of_them() {
    let mut world = busy(4 * DAY, "checkout");
    for who in 1..=10 {
        world.calls(0..2 * DAY, "export", who, 20, false);
        world.calls(2 * DAY..4 * DAY, "export", who, 20, true);
    }
    assert_eq!(opened(&world.told(&[rider()])), Vec::<&str>::new());
}
