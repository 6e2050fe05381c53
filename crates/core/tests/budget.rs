//! Budgets: when they are told, updated, taken up again and closed; of a function and of all together.

mod functions;

use std::sync::Arc;

use functions::{DAY, MINUTE, report, stream_of, watch};
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::signal::Signal;
use tidewatch_core::spend::budget::{Budgets, Burn, Month};
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::time::Time;

const HOUR: i64 = 60 * MINUTE;

/// 2025-11-01T00:00:00Z.
const NOVEMBER: i64 = 1_761_955_200_000;

fn detector() -> SpendDetector {
    SpendDetector {
        spent: vec![(Severity::Critical, 1.0)],
        ..functions::rule("burn", Number::Dollars, Rule::Budget, &[(Severity::High, 1.0)])
    }
}

/// Reports of functions from a time on until another, ten an hour: so many dollars an hour.
fn reports(
    names: &[&str],
    (from, until): (i64, i64),
    dollars: impl Fn(&str, i64) -> f64,
) -> Vec<Signal> {
    let streams: Vec<_> = names.iter().map(|name| (*name, stream_of(name))).collect();
    let mut all = Vec::new();
    let mut at = from;
    while at < until {
        for (name, stream) in &streams {
            let ms = dollars(name, at) * 1_000.0 / 10.0;
            if ms >= 1.0 {
                all.push(report(all.len() as u64, at, ms as u64, stream));
            }
        }
        at += 6 * MINUTE;
    }
    all
}

fn told(of: Option<f64>, all: Option<f64>, signals: &[Signal]) -> Vec<Finding> {
    let budgets = Budgets { of: Arc::new(move |_| of), all };
    let mut watch = watch(vec![detector()]).budgeted(budgets);
    let mut findings: Vec<Finding> = signals.iter().flat_map(|s| watch.observe(s)).collect();
    findings.extend(watch.ended());
    findings
}

fn said(findings: &[Finding]) -> Vec<(Activity, Severity)> {
    findings.iter().map(|finding| (finding.activity, finding.severity)).collect()
}

fn burn(finding: &Finding) -> &Burn {
    let spending = finding.spending.as_deref().expect("about functions");
    spending.budget.as_ref().expect("about a budget")
}

fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 0.01, "{found} for {expected}");
}

#[test]
fn a_month_is_projected_then_spent_then_over() {
    // A dollar an hour makes $720 in November; December begins the same way.
    let month = reports(&["f"], (NOVEMBER, NOVEMBER + 33 * DAY), |_, _| 1.0);
    let findings = told(Some(600.0), None, &month);
    assert_eq!(
        said(&findings),
        [
            (Activity::Create, Severity::High),
            (Activity::Update, Severity::Critical),
            (Activity::Close, Severity::Critical),
            (Activity::Create, Severity::High),
        ]
    );
    let [opened, spent, over, next] = findings.as_slice() else { unreachable!() };
    // After a day: before, hours say nothing of days.
    assert_eq!(opened.time.0, NOVEMBER + DAY + 6 * MINUTE);
    near(burn(opened).projected.expect("a day is known"), 720.0);
    near(burn(opened).spent, 24.0);
    assert_eq!(burn(opened).month.day(burn(opened).used_up.expect("it is")), 26);
    assert_eq!(burn(opened).since, None);
    assert_eq!((spent.time.0 - NOVEMBER) / HOUR, 600);
    assert_eq!(burn(spent).used_up, None);
    near(burn(over).spent, 720.0);
    assert_eq!(over.time.0, NOVEMBER + 30 * DAY + 6 * MINUTE);
    assert_eq!((&opened.uid, &spent.uid), (&over.uid, &opened.uid));
    assert_ne!(next.uid, opened.uid);
    assert_eq!((opened.start.0, next.start.0), (NOVEMBER, NOVEMBER + 30 * DAY));
    // What is in the budget is not told, nor what has none.
    assert_eq!(told(Some(800.0), None, &month), []);
    assert_eq!(told(None, None, &month), []);
}

#[test]
fn what_falls_clearly_below_closes_and_is_taken_up_again_in_its_month() {
    let of = |_: &str, at: i64| match (at - NOVEMBER) / DAY {
        0..6 => 2.0,
        6..16 => 0.5,
        _ => 3.0,
    };
    let findings = told(Some(1_000.0), None, &reports(&["f"], (NOVEMBER, NOVEMBER + 29 * DAY), of));
    let activities: Vec<Activity> = findings.iter().map(|finding| finding.activity).collect();
    let expected = [Activity::Create, Activity::Close, Activity::Update, Activity::Update];
    assert_eq!(activities, expected, "{:?}", said(&findings));
    let uids = findings.iter().map(|finding| &finding.uid);
    assert!(uids.into_iter().all(|uid| *uid == findings[0].uid), "a month has one uid");
    assert_eq!(findings[3].severity, Severity::Critical);
    assert!(burn(&findings[1]).projected.expect("it goes on") < 900.0);
}

#[test]
fn one_spike_is_not_taken_for_what_goes_on() {
    for hour in [30, 60, 100, 200] {
        let of = |_: &str, at: i64| if (at - NOVEMBER) / HOUR == hour { 50.0 } else { 1.0 };
        let month = reports(&["f"], (NOVEMBER, NOVEMBER + 30 * DAY), of);
        // It costs 49 more, once.
        assert_eq!(told(Some(800.0), None, &month), [], "hour {hour}");
    }
}

#[test]
fn what_was_before_the_first_report_is_not_counted_and_that_is_said() {
    let from = NOVEMBER + 11 * DAY + 7 * HOUR;
    let findings = told(Some(100.0), None, &reports(&["f"], (from, from + 2 * DAY), |_, _| 1.0));
    let since = burn(&findings[0]).since.expect("the month began before");
    assert_eq!((since, Month::of(since).day(since)), (Time(from), 12));
    near(burn(&findings[0]).projected.expect("a day is known"), (18.0 * 24.0) + 17.0);
}

#[test]
fn all_together_have_a_budget_of_their_own() {
    let names = ["a", "b", "c"];
    let of = |name: &str, _: i64| if name == "b" { 2.0 } else { 0.5 };
    let month = reports(&names, (NOVEMBER, NOVEMBER + 30 * DAY + HOUR), of);
    let findings = told(None, Some(2_000.0), &month);
    assert_eq!(
        said(&findings),
        [
            (Activity::Create, Severity::High),
            (Activity::Update, Severity::Critical),
            (Activity::Close, Severity::Critical),
        ]
    );
    let opened = &findings[0];
    assert_eq!(opened.key, Key::of(KeyPart::Global));
    near(burn(opened).projected.expect("a day is known"), 2_160.0);
    let most: Vec<&str> = burn(opened).most.iter().map(|(function, _)| &*function.name).collect();
    assert_eq!(most, ["b", "a", "c"]);
    near(burn(opened).most[0].1, 48.0);
    // Each by itself is in the same budget.
    assert_eq!(told(Some(2_000.0), None, &month), []);
    assert_eq!(told(None, Some(2_500.0), &month), []);
}

#[test]
fn nothing_invoked_for_a_day_closes() {
    let two_days = reports(&["f", "g"], (NOVEMBER, NOVEMBER + 5 * DAY), |name, at| {
        if name == "f" && at >= NOVEMBER + 2 * DAY { 0.0 } else { 1.0 }
    });
    let findings = told(Some(40.0), None, &two_days);
    let f: Vec<_> = findings
        .iter()
        .filter(|finding| &*finding.spending.as_deref().expect("spending").function.name == "f")
        .map(|finding| (finding.activity, (finding.time.0 - NOVEMBER) / HOUR))
        .collect();
    assert_eq!(f, [(Activity::Create, 24), (Activity::Update, 40), (Activity::Close, 72)]);
}

#[test]
fn how_far_along_budgets_are_can_be_asked() {
    let month = reports(&["a", "b"], (NOVEMBER, NOVEMBER + 10 * DAY), |_, _| 1.0);
    let of = |name: &str| (name == "a").then_some(1_000.0);
    let mut watch = watch(Vec::new()).budgeted(Budgets { of: Arc::new(of), all: Some(1_200.0) });
    assert_eq!(watch.burns(), []);
    month.iter().for_each(|signal| drop(watch.observe(signal)));
    watch.ended();
    let burns = watch.burns();
    let names: Vec<&str> = burns.iter().map(|(function, _)| &*function.name).collect();
    assert_eq!(names, ["", "a"]);
    near(burns[0].1.projected.expect("known"), 1_440.0);
    near(burns[1].1.spent, 240.0);
}
