//! One attack is one finding: of the detectors that raise about a key the worst tells, and the others are
//! listed. Each test also runs without folding, so that it shows what folding is for.

mod world;

use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_core::detector::{Detector, Severity};
use tidewatch_core::finding::{Activity, Also, Finding};
use tidewatch_core::plan::Plan;
use tidewatch_core::time::{Span, Time};
use world::*;

const ALL: [Severity; 3] = [Severity::Low, Severity::Medium, Severity::High];

/// A detector of failures: it raises with the first number at the first severity, with three times as many
/// one severity worse.
fn of(id: &str, threshold: u32, severity: Severity) -> Detector {
    let mut rule = detector(id, (60, 60), &[FAILURES], &[at_least(0, threshold)]);
    let mut worse = rule.raises[0].clone();
    rule.raises[0].severity = severity;
    worse.severity = match severity {
        Severity::Low => Severity::Medium,
        _ => Severity::High,
    };
    worse.when = vec![at_least(0, 3 * threshold)];
    rule.raises.insert(0, worse);
    rule
}

fn played(plan: Plan, tries: &[Try]) -> Vec<Finding> {
    let mut engine = planned(Arc::new(plan), ROOMY);
    feed(&mut engine, tries, Span::seconds(600));
    std::mem::take(engine.sink())
}

fn folded(detectors: Vec<Detector>, tries: &[Try]) -> Vec<Finding> {
    played(Plan::new(detectors).expect("few measures").folding(), tries)
}

/// Who says what, with the seconds of the try that it says it at.
fn said(findings: &[Finding]) -> Vec<(&str, Activity, Severity, i64)> {
    let seconds = |time: Time| (time.0 - START) / 1_000;
    let of = |f: &Finding| seconds(f.time);
    findings.iter().map(|f| (f.detector.as_str(), f.activity, f.severity, of(f))).collect()
}

fn failures(seconds: std::ops::Range<i64>) -> Vec<Try> {
    let one = |n: i64| Try { known: Some(true), ..unknown(n * 1_000, 1, 1) };
    seconds.map(one).collect()
}

#[test]
fn one_attack_is_told_by_the_worst_detector_and_lists_the_others() {
    use Activity::*;
    use Severity::*;
    let detectors = vec![of("early", 2, Low), of("late", 4, Low), of("sure", 6, Medium)];
    let all = folded(detectors.clone(), &failures(0..10));
    // "late" is no worse than "early", which is open; "sure" is worse, and tells from then on.
    let told = [("early", Create, Low, 1), ("early", Update, Low, 3), ("early", Update, Medium, 5)];
    assert_eq!(said(&all)[..3], told);
    assert!(all.iter().all(|f| f.detector == "early"), "as bad as it: {:?}", said(&all));
    let unfolded = played(Plan::new(detectors.clone()).expect("few"), &failures(0..10));
    let creates = |all: &[Finding]| all.iter().filter(|f| f.activity == Create).count();
    assert_eq!((creates(&all), creates(&unfolded)), (1, 3));
    // What grows worse under another detector is told by it, with the finding before under its uid.
    let grown = folded(detectors, &failures(0..20));
    let sure = grown.iter().find(|f| f.detector == "sure").expect("18 failures are high");
    assert_eq!((sure.activity, sure.severity), (Create, High));
    let early = grown.iter().find(|f| f.detector == "early").expect("it came first");
    let also = |detector: &str, severity, uid: Option<&String>| Also {
        detector: detector.to_owned(),
        severity,
        uid: uid.cloned(),
    };
    assert_eq!(sure.also, [also("early", Medium, Some(&early.uid)), also("late", Medium, None)]);
    // The first one says no more but that it is over.
    let later = grown.iter().filter(|f| f.detector == "early" && f.time >= sure.time);
    assert_eq!(later.map(|f| f.activity).collect::<Vec<_>>(), [Close]);
}

#[test]
fn one_that_tells_it_better_takes_over_what_is_equally_bad() {
    let mut guess = of("guess", 2, Severity::Medium);
    guess.unless = vec!["sure".to_owned()];
    let both = vec![guess, of("sure", 4, Severity::Medium)];
    let all = folded(both, &failures(0..5));
    let creates = all.iter().filter(|f| f.activity == Activity::Create);
    assert_eq!(creates.map(|f| f.detector.as_str()).collect::<Vec<_>>(), ["guess", "sure"]);
    // Two that each leave it to the other: one of them tells.
    let [mut a, mut b] = [of("a", 2, Severity::Low), of("b", 2, Severity::Low)];
    (a.unless, b.unless) = (vec!["b".to_owned()], vec!["a".to_owned()]);
    assert_eq!(folded(vec![a, b], &failures(0..3)).len(), 0, "as their files ask for");
}

#[test]
fn folding_is_by_key_and_one_attacker_hides_no_other() {
    let detectors = vec![of("early", 2, Severity::Low), of("late", 4, Severity::Low)];
    let other = failures(20..26).into_iter().map(|t| Try { source: v4(2), ..t });
    let tries: Vec<Try> = failures(0..10).into_iter().chain(other).collect();
    let all = folded(detectors, &tries);
    let creates = all.iter().filter(|f| f.activity == Activity::Create).map(|f| f.key.to_string());
    assert_eq!(creates.collect::<Vec<_>>(), ["198.51.100.1", "198.51.100.2"]);
}

proptest! {
    #![proptest_config(cases(256))]

    /// Whatever is raised is told by somebody, as badly or worse; and no finding opens beside one that is as
    /// bad.
    #[test]
    fn nothing_is_hidden_and_nothing_is_told_twice(
        tries in tries(240, 3, 9, 1..160),
        thresholds in prop::collection::vec((1u32..12, 0usize..3), 2..5),
    ) {
        let rules = thresholds.iter().enumerate();
        let detectors: Vec<Detector> =
            rules.map(|(n, (at, bad))| of(&format!("d{n}"), *at, ALL[*bad])).collect();
        let mut tries = tries;
        tries.sort_by_key(|t| t.ms);
        let plain = played(Plan::new(detectors.clone()).expect("few"), &tries);
        let told = folded(detectors, &tries);
        let quiet = Span::seconds(60);
        // From its opening until it has been quiet.
        let covers = |f: &Finding, time: Time| {
            let end = told.iter().find(|e| e.uid == f.uid && e.activity == Activity::Close);
            f.time <= time && end.is_some_and(|end| time < end.last.plus(quiet))
        };
        for raised in plain.iter().filter(|f| f.activity != Activity::Close) {
            let leads = told.iter().any(|f| {
                f.key == raised.key && f.severity >= raised.severity && covers(f, raised.time)
            });
            prop_assert!(leads, "nobody tells {:?} of {:?}", said(std::slice::from_ref(raised)), said(&told));
        }
        for (n, opened) in told.iter().enumerate().filter(|(_, f)| f.activity == Activity::Create) {
            let before = &told[..n];
            let latest = |uid: &str| before.iter().rfind(|f| f.uid == uid);
            let open = before.iter().filter(|f| {
                f.key == opened.key
                    && f.uid != opened.uid
                    && latest(&f.uid).is_some_and(|l| l.activity != Activity::Close)
            });
            for other in open {
                let other = latest(&other.uid).expect("it is there");
                let over = opened.start >= other.last.plus(quiet);
                prop_assert!(over || other.severity < opened.severity, "{:?}", said(&told));
            }
        }
    }
}
