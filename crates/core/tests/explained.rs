//! Explanations: what is told of a window is what it is judged by.

mod world;

use proptest::prelude::*;
use tidewatch_core::detector::{Detector, Raise, Severity};
use tidewatch_core::finding::Accuracy;
use tidewatch_core::judge::{raises, weigh};
use tidewatch_core::store::WindowStore;
use tidewatch_core::time::Span;
use world::*;

const MEASURES: [tidewatch_core::detector::Measure; 4] = [UNKNOWN_USERS, USERS, FAILURES, SOURCES];

fn detectors() -> Vec<Detector> {
    let of = |id, window| {
        let mut rule = detector(id, (window, 600), &MEASURES, &[at_least(2, 9)]);
        let when = vec![at_least(0, 3), at_least_share(0, 0.5, 1)];
        rule.raises.push(Raise { severity: Severity::Low, confidence: None, when });
        rule
    };
    vec![of("short", 20), of("long", 90)]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_is_weighed_raises_when_it_is_judged_to_and_its_panes_add_up(
        mut tries in tries(200, 3, 20, 1..120),
    ) {
        tries.sort_by_key(|t| t.ms);
        let mut engine = engine(detectors(), ROOMY);
        feed(&mut engine, &tries, Span(0));
        let plan = plan(detectors());
        let keys = tries.iter().map(|t| tidewatch_core::key::Key::source_ip(t.source));
        let places: Vec<_> = keys.map(|key| (tidewatch_core::plan::KeyPlanId(0), key)).collect();
        let mut wrong = String::new();
        run(async {
            let read = engine.store().read(&places, |window| {
                for detector in &window.plan.detectors {
                    let weighed = weigh(&plan, detector, window);
                    let says = weighed.raised().is_some();
                    if says != raises(&plan, detector, window) {
                        wrong += &format!("{weighed:?}\n");
                    }
                    for (counted, measured) in detector.measures.iter().zip(&weighed.measures) {
                        let panes = window.timeline(*counted, detector);
                        let sum: u64 = panes.iter().map(|(_, amount)| amount).sum();
                        let exact = measured.value.error != Accuracy::AtLeast;
                        if exact && sum as f64 != measured.value.amount {
                            wrong += &format!("{measured:?} is {panes:?}\n");
                        }
                    }
                }
            });
            Ok(read.await?)
        }).expect("memory does not fail");
        prop_assert!(wrong.is_empty(), "{wrong}");
    }
}
