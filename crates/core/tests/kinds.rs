//! Logins, resets and sign-ups are counted apart: what is found in a log of all kinds is what is found in the
//! lines of each kind alone.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_core::detector::Detector;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{KeyField, KeyFields};
use tidewatch_core::plan::{Plan, PlanError};
use tidewatch_core::signal::{Auth, Body, Signal, SignalKind};
use world::*;

const KINDS: [SignalKind; 3] = SignalKind::TRIED;

/// Two detectors of a kind by source, one that speaks for its subnet, and one by user.
fn detectors(kind: SignalKind) -> Vec<Detector> {
    let by = |field| -> KeyFields { [field].into_iter().collect() };
    let named = |id: &str, rule: Detector| Detector {
        id: format!("{}-{id}", kind.name()),
        signal: kind,
        ..rule
    };
    let few = detector("", (20, 30), &[UNKNOWN_USERS, USERS], &[at_least(0, 4)]);
    let many = detector("", (60, 60), &[TRIES], &[at_least(0, 12)]);
    let subnet = detector("", (60, 60), &[FAILURES], &[at_least(0, 25)]);
    let user = detector("", (30, 30), &[SOURCES], &[at_least(0, 3)]);
    vec![
        named("few", few),
        named("many", many),
        named(
            "subnet",
            Detector { key: by(KeyField::SourceSubnet), covers: by(KeyField::SourceIp), ..subnet },
        ),
        named("user", Detector { key: by(KeyField::User), ..user }),
    ]
}

fn of_kind(signal: Signal, kind: SignalKind) -> Signal {
    let auth = *signal.body.auth().expect("a try");
    Signal { body: Body::Auth(Auth { action: kind, ..auth }), ..signal }
}

/// What is told of the signals: all but when a message was made, for time passes with other signals, too.
type Told = BTreeSet<(String, String, String, String, String)>;

fn told(signals: &[Signal], folding: bool) -> Told {
    let plan = Plan::new(KINDS.map(detectors).concat()).expect("few measures");
    let plan = if folding { plan.folding() } else { plan };
    let mut engine = planned(Arc::new(plan), ROOMY);
    run(async {
        for signal in signals {
            engine.observe(signal).await?;
        }
        engine.tick(at(10 * 3_600_000)).await
    })
    .expect("a store in memory and a Vec do not fail");
    let message = |f: &Finding| {
        let numbers = match f.activity {
            // Counted when time passed, which is when any signal came.
            Activity::Close => String::new(),
            _ => format!("{:?} {:?} {:?} {:?}", f.measures, f.accounts, f.also, f.members),
        };
        let about = format!("{} from {:?} to {:?}", f.key, f.start, f.last);
        (f.uid.clone(), f.detector.clone(), format!("{:?}", f.activity), about, numbers)
    };
    engine.sink().iter().map(message).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_log_of_all_kinds_tells_what_each_kind_alone_does(
        mut all in tries(300, 6, 12, 0..300),
        kinds in prop::collection::vec(0usize..3, 300),
        folding: bool,
    ) {
        all.sort_by_key(|t| t.ms);
        let key = tag_key("a key");
        let signals: Vec<Signal> = all
            .iter()
            .zip(&kinds)
            .enumerate()
            .map(|(nth, (t, kind))| of_kind(t.signal(&key, nth as u64), KINDS[*kind]))
            .collect();
        let alone = KINDS.map(|kind| {
            let is_of = |signal: &&Signal| {
                signal.body.auth().is_some_and(|auth| auth.action == kind)
            };
            let own: Vec<Signal> = signals.iter().filter(is_of).cloned().collect();
            let told = told(&own, folding);
            let foreign = |told: &&(String, String, String, String, String)| !told.1.starts_with(kind.name());
            assert_eq!(told.iter().find(foreign), None, "a kind raises its own detectors only");
            told
        });
        prop_assert_eq!(told(&signals, folding), alone.into_iter().flatten().collect::<Told>());
    }
}

#[test]
fn each_kind_is_found_and_by_its_own_detector_only() {
    for kind in KINDS {
        let key = tag_key("a key");
        let scan = (0..6).map(|n| unknown(n * 1_000, 1, n as u64).signal(&key, n as u64));
        let signals: Vec<Signal> = scan.map(|signal| of_kind(signal, kind)).collect();
        let found: BTreeSet<String> = told(&signals, false).into_iter().map(|t| t.1).collect();
        assert_eq!(found, BTreeSet::from([format!("{}-few", kind.name())]));
    }
}

#[test]
fn detectors_of_two_kinds_are_no_relatives() {
    let [login, reset, _] = KINDS;
    let mut after = detectors(reset).remove(0);
    after.after = vec!["auth-few".to_owned()];
    let both = [detectors(login), vec![after]].concat();
    let error = Plan::new(both).expect_err("nothing to be after");
    assert!(matches!(error, PlanError::Alone { .. }), "{error}");
    assert!(error.to_string().contains("the same signals"), "{error}");
    let plan = Plan::new(KINDS.map(detectors).concat()).expect("few measures");
    assert_eq!(plan.keys.len(), 9, "each kind has plans of its own");
}
