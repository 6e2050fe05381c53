//! What is explained about functions is what was decided by; and what is allowed is held back, counted, and told once the
//! entry is over.

mod functions;

use std::collections::BTreeSet;
use std::sync::Arc;

use functions::{DAY, MINUTE, report, rule, stream_of, watch};
use tidewatch_core::allow::{Allowed, Allowlist, Who};
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::glob::Glob;
use tidewatch_core::signal::Signal;
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::spend::lookout::Asked;
use tidewatch_core::spend::reasons::{Explained, Step};
use tidewatch_core::spend::watch::Watch;
use tidewatch_core::time::Time;

const START: i64 = 1_760_054_400_000;
const PANE: i64 = 5 * MINUTE;

fn detectors() -> Vec<SpendDetector> {
    let low = Severity::Low;
    let count = SpendDetector {
        share: 0.5,
        ..rule("count", Number::ColdStarts, Rule::Above, &[(low, 1.0)])
    };
    let budget = SpendDetector {
        spent: vec![(Severity::High, 0.5)],
        ..rule("budget", Number::Dollars, Rule::Budget, &[(low, 1.0)])
    };
    vec![
        rule("spike", Number::Dollars, Rule::Above, &[(Severity::High, 60.0), (low, 1.0)]),
        rule("longer", Number::DurationP50, Rule::Above, &[(low, 50.0)]),
        SpendDetector {
            share: 0.5,
            ..rule("driven", Number::Dollars, Rule::Driven, &[(low, 1.0)])
        },
        rule("creeping", Number::Dollars, Rule::Creeping, &[(low, 0.1)]),
        rule("silent", Number::Invocations, Rule::Silent, &[(low, 5.0)]),
        rule("runaway", Number::Invocations, Rule::Runaway, &[(Severity::Critical, 50.0)]),
        count,
        budget,
    ]
}

/// A function that is steady for two weeks and grows then; with spikes of many sizes, a slow hour, a loop, and silence.
fn signals() -> Vec<Signal> {
    let (stream, mut all) = (stream_of("checkout"), Vec::new());
    for pane in 0..24 * DAY / PANE {
        let growth = 1.0 + (pane - 14 * 288).max(0) as f64 / (5.0 * 288.0);
        let (count, ms) = match pane {
            900..912 => (60, 100),
            1_500..1_503 => (700, 100),
            2_000..2_012 => (11, 1_500),
            2_600..2_700 => (0, 100),
            3_000..3_012 => (26, 100),
            _ => (11, (100.0 * growth) as u64),
        };
        for n in 0..count {
            let at = START + pane * PANE + n * PANE / count;
            all.push(report(all.len() as u64, at, ms, &stream));
        }
    }
    all
}

fn played(watch: Watch, signals: &[Signal]) -> (Vec<Finding>, Watch) {
    let mut watch = watch.budgeted(Budgets { of: Arc::new(|_| Some(5_000.0)), all: None });
    let mut findings: Vec<Finding> = signals.iter().flat_map(|s| watch.observe(s)).collect();
    findings.extend(watch.ended());
    (findings, watch)
}

/// Whether the steps lead to a raise: what is said of each, and nothing else.
fn raised_by(rule: &SpendDetector, steps: &[Step]) -> bool {
    let holds = |what: &str| {
        let step = steps.iter().find(|step| step.what == what);
        step.and_then(|step| {
            // A step says what its numbers say.
            let compared = step.amount.zip(step.least).map(|(is, least)| is >= least);
            assert!(step.holds.is_none() || step.holds == compared, "{step:?}");
            step.holds
        })
    };
    let is = |what| holds(what) == Some(true);
    let all = |whats: &[&str]| whats.iter().all(|what| holds(what) != Some(false));
    match rule.rule {
        Rule::Above | Rule::Driven => {
            (is("novel") && is("novel and matters") || is("excessive"))
                && all(&["share of invocations", "one driver's share", "above usual"])
        }
        Rule::Creeping => is("rise of the middle day") && is("days that rose") && is("above usual"),
        Rule::Silent => is("silent panes") && is("panes of history") && is("above usual"),
        Rule::Runaway => is("in the pane"),
        Rule::Riding => unreachable!("it is about no function"),
        Rule::Budget => is("spent") || is("projected"),
    }
}

#[test]
fn each_step_of_a_pane_leads_to_what_was_decided() {
    let signals = signals();
    let (findings, _) = played(watch(detectors()), &signals);
    let opened: BTreeSet<&str> = findings.iter().map(|f| f.detector.as_str()).collect();
    let expected = ["budget", "creeping", "longer", "runaway", "silent", "spike"];
    assert_eq!(opened.into_iter().collect::<Vec<_>>(), expected);
    let first = START / PANE;
    let mut raised = BTreeSet::new();
    // Around all that happens, and now and then elsewhere.
    let near = [900, 1_500, 2_000, 2_600, 3_000].into_iter().flat_map(|at| [at - 1, at, at + 3]);
    for pane in near.chain((0..24 * 288).step_by(997)) {
        let asked = Asked::At("checkout".into(), first + pane);
        let (told, watch) = played(watch(detectors()).explaining(asked), &signals);
        // Whoever asks changes nothing.
        assert_eq!(told.len(), findings.len());
        let explained: &[Explained] = watch.explained();
        for of in explained {
            let rule = &watch.detectors()[of.nth];
            let steps = of.reasons.steps(rule);
            assert_eq!(raised_by(rule, &steps), of.severity.is_some(), "{} {steps:?}", rule.id);
            assert!(!steps.is_empty(), "{}", rule.id);
            raised.extend(of.severity.map(|_| rule.id.clone()));
            let nearness = of.reasons.nearness(rule);
            assert_eq!(nearness >= 1.0, of.severity.is_some(), "{} {nearness}", rule.id);
        }
        let uids = explained.iter().filter_map(|of| of.told.as_ref());
        assert!(uids.into_iter().all(|(uid, _)| findings.iter().any(|f| f.uid == *uid)));
    }
    assert_eq!(raised.len(), expected.len(), "{raised:?}");
}

#[test]
fn the_panes_behind_each_message_of_a_finding_are_kept_and_no_others() {
    let signals = signals();
    let (findings, _) = played(watch(detectors()), &signals);
    for uid in findings.iter().map(|finding| &finding.uid).collect::<BTreeSet<_>>() {
        let (_, watch) =
            played(watch(detectors()).explaining(Asked::Finding(uid.clone())), &signals);
        let told: Vec<Activity> = watch
            .explained()
            .iter()
            .filter_map(|of| of.told.as_ref().map(|(_, activity)| *activity))
            .collect();
        let messages: Vec<Activity> =
            findings.iter().filter(|f| f.uid == *uid).map(|f| f.activity).collect();
        assert_eq!((told.len(), told), (watch.explained().len(), messages), "{uid}");
    }
}

fn allow(glob: &str, detectors: &[&str], until: Option<i64>) -> Arc<Allowlist> {
    let entry = Allowed {
        who: Who::Function(Glob::new(glob)),
        detectors: detectors.iter().map(|id| (*id).to_owned()).collect(),
        reason: "a load test".to_owned(),
        until: until.map(Time),
        place: "allow.toml:1".to_owned(),
    };
    Arc::new(Allowlist { entries: vec![entry] })
}

/// A spike of hours on the third day, of two functions.
fn spiked() -> Vec<Signal> {
    let streams = [stream_of("load-test-1"), stream_of("checkout")];
    let mut all = Vec::new();
    for pane in 0..3 * 288i64 {
        let count = if (600..648).contains(&pane) { 60 } else { 5 };
        for n in 0..count {
            for stream in &streams {
                let at = START + pane * PANE + n * PANE / count;
                all.push(report(all.len() as u64, at, 100, stream));
            }
        }
    }
    all
}

fn spikes(allow: Option<Arc<Allowlist>>) -> (Vec<(String, Activity, i64)>, u64) {
    let rule = rule("spike", Number::Dollars, Rule::Above, &[(Severity::High, 5.0)]);
    let mut watch = watch(vec![rule]);
    if let Some(allow) = allow {
        watch = watch.allowing(allow);
    }
    let signals = spiked();
    let mut findings: Vec<Finding> = signals.iter().flat_map(|s| watch.observe(s)).collect();
    findings.extend(watch.ended());
    let said = findings.iter().map(|finding| {
        let function = &finding.spending.as_deref().expect("about a function").function;
        (function.name.to_string(), finding.activity, (finding.start.0 - START) / PANE)
    });
    let held = watch.held_back(0);
    assert_eq!(held, watch.suppressed());
    (said.collect(), held)
}

#[test]
fn findings_about_allowed_functions_are_held_back_and_counted_and_no_others() {
    let (all, none) = spikes(None);
    assert_eq!((all.len(), none), (4, 0));
    let others: Vec<_> = all.iter().filter(|(name, ..)| name == "checkout").cloned().collect();
    let (told, held) = spikes(Some(allow("load-test-*", &[], None)));
    assert_eq!((told, held), (others.clone(), 1));
    let (told, held) = spikes(Some(allow("load-test-*", &["spike"], None)));
    assert_eq!((told, held), (others.clone(), 1));
    let (told, held) = spikes(Some(allow("load-test-*", &["another"], None)));
    assert_eq!((told, held), (all.clone(), 0));
    let (told, held) = spikes(Some(allow("*", &[], None)));
    assert_eq!((told, held), (Vec::new(), 2));
}

#[test]
fn what_outlasts_the_entry_is_told_and_what_was_told_before_ends() {
    // It ends in the middle of the spike.
    let until = START + 620 * PANE;
    let (told, held) = spikes(Some(allow("load-test-*", &[], Some(until))));
    let of_test: Vec<_> = told.iter().filter(|(name, ..)| name != "checkout").collect();
    assert_eq!(held, 1);
    let starts: Vec<(Activity, i64)> = of_test.iter().map(|(_, of, at)| (*of, *at)).collect();
    assert_eq!(starts, [(Activity::Create, 620), (Activity::Close, 620)]);
}
