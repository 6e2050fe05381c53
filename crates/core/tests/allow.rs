//! Allowlists: what is held back is counted, what is not held back is as if those who are allowed had never
//! been there, and what outlasts an entry is told.

mod world;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use smallvec::smallvec;
use tidewatch_core::admission::Admission;
use tidewatch_core::allow::{Allowed, Allowlist, Held, Who};
use tidewatch_core::detector::Detector;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{Key, KeyField, KeyPart};
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::time::Time;
use world::*;

fn entry(who: Who) -> Allowed {
    Allowed {
        who,
        detectors: Vec::new(),
        reason: "a test".to_owned(),
        until: None,
        place: String::new(),
    }
}

fn source(text: &str) -> Allowed {
    entry(Who::Source(text.parse().expect("a network")))
}

fn user(user: u64) -> Allowed {
    entry(Who::User(vec![user_tag(user)]))
}

/// Everything that is told of the tries while some are allowed, and the engine as it then is.
fn told_with(
    detectors: Vec<Detector>,
    allowed: Vec<Allowed>,
    tries: &[Try],
) -> (Vec<Finding>, Embedded) {
    let plan = Plan::new(detectors).expect("few measures");
    let plan = Arc::new(Plan { allow: Allowlist { entries: allowed }, ..plan });
    let store = MemoryStore::new(Arc::clone(&plan), ROOMY, 7);
    let admission = Admission::until(at(365 * 24 * 3_600_000));
    let mut engine = Engine::new(plan, store, Vec::new(), tag_key("a key"), admission);
    // An event's place in the log is its own, whichever others are left out.
    let key = tag_key("a key");
    run(async {
        for t in tries {
            engine.observe(&t.signal(&key, t.ms as u64 * 1_000 + t.user.unwrap_or(999))).await?;
        }
        engine.tick(at(10_000_000)).await
    })
    .expect("a store in memory and a Vec do not fail");
    (std::mem::take(engine.sink()), engine)
}

/// What each entry has held back.
fn held(engine: &Embedded) -> Vec<Held> {
    engine.held_back().map(|(_, held)| held).collect()
}

/// Detectors by every kind of key, all of which raise soon.
fn by_all_keys() -> Vec<Detector> {
    use KeyField::{Global, SourceIp, SourceSubnet, User};
    let keys: [&[KeyField]; 6] = [
        &[SourceIp],
        &[SourceSubnet],
        &[User],
        &[Global],
        &[SourceIp, User],
        &[User, SourceSubnet],
    ];
    let of = |(nth, fields): (usize, &&[KeyField])| {
        let measures = [FAILURES, UNKNOWN_USERS, SOURCES];
        let rule = detector(&format!("d{nth}"), (30, 40), &measures, &[at_least(0, 4)]);
        Detector { key: fields.iter().copied().collect(), ..rule }
    };
    keys.iter().enumerate().map(of).collect()
}

/// Tries of several subnets and both families.
fn spread(mut tries: Vec<Try>) -> Vec<Try> {
    for (nth, t) in tries.iter_mut().enumerate() {
        let IpAddr::V4(address) = t.source else { continue };
        let last = address.octets()[3];
        t.source = match last {
            0..4 => v4(last),
            4..6 => IpAddr::from([192, 0, 2, last]),
            _ => v6(u16::from(last), nth as u16),
        };
    }
    tries.sort_by_key(|t| t.ms);
    tries
}

fn outline(findings: &[Finding]) -> BTreeSet<(Activity2, String, String, Time)> {
    let of =
        |f: &Finding| (Activity2(f.activity as u8), f.detector.clone(), f.key.to_string(), f.start);
    findings.iter().map(of).collect()
}

/// An activity that sorts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Activity2(u8);

proptest! {
    #![proptest_config(cases(150))]

    /// The law: under all keys that are not allowed, every message is the same to the last bit as over a
    /// log without the lines of those who are; under those that are, nothing is told.
    #[test]
    fn others_findings_are_as_if_the_allowed_had_not_been_there(
        tries in tries(200, 8, 6, 40..160),
        net in prop::sample::select(vec![
            "198.51.100.1", "198.51.100.0/24", "198.51.100.0/31", "192.0.2.4", "2001:db8:0:6::/64",
            "2001:db8::/32",
        ]),
        by_user in prop::option::of(0u64..6),
    ) {
        let tries = spread(tries);
        let mut allowed = vec![source(net)];
        allowed.extend(by_user.map(user));
        let plan = Plan::new(by_all_keys()).expect("few measures");
        let key = tag_key("a key");
        let is_allowed = |t: &&Try| {
            let signal = t.signal(&key, 0);
            let auth = signal.body.auth().expect("a login");
            let keys = plan.keys.iter().filter_map(|p| Key::of_auth(&p.fields, auth));
            let single = keys.filter(|key| key.second.is_none());
            single.into_iter().any(|key| allowed.iter().any(|entry| entry.is_about(&key)))
        };
        let without: Vec<Try> = tries.iter().filter(|t| !is_allowed(t)).copied().collect();
        let (with, engine) = told_with(by_all_keys(), allowed.clone(), &tries);
        let (expected, _) = told_with(by_all_keys(), Vec::new(), &without);
        prop_assert_eq!(&with, &expected);
        prop_assert!(with.iter().all(|f| !allowed.iter().any(|entry| entry.is_about(&f.key))));
        let signals: u64 = held(&engine).iter().map(|held| held.signals).sum();
        prop_assert_eq!(signals, (tries.len() - without.len()) as u64);
    }

    /// As many findings are counted as held back as there would have been.
    #[test]
    fn as_many_findings_are_held_back_as_would_have_been_told(
        tries in tries(400, 3, 6, 20..160),
        until in prop::option::of(0i64..400),
    ) {
        let mut tries = tries;
        tries.sort_by_key(|t| t.ms);
        let rules = || vec![detector("d", (30, 40), &[FAILURES], &[at_least(0, 4)])];
        let key = Key::source_ip(v4(1));
        let until = until.map(|s| at(s * 1_000));
        let allowed = Allowed { until, ..source("198.51.100.1") };
        let (with, engine) = told_with(rules(), vec![allowed], &tries);
        let (all, _) = told_with(rules(), Vec::new(), &tries);
        let opened = |findings: &[Finding], until: Option<Time>| {
            let of = |f: &&Finding| {
                f.activity == Activity::Create && f.key == key && until.is_none_or(|u| f.start < u)
            };
            findings.iter().filter(of).count() as u64
        };
        prop_assert_eq!(engine.counts().suppressed, opened(&all, until));
        prop_assert_eq!(opened(&with, until), 0);
        // Others are told, and this one from the end on.
        let others = |findings: &[Finding]| {
            outline(&findings.iter().filter(|f| f.key != key).cloned().collect::<Vec<_>>())
        };
        prop_assert_eq!(others(&with), others(&all));
        if let Some(until) = until {
            let raised_after = all.iter().any(|f| {
                f.key == key && f.activity == Activity::Close && f.last >= until
            });
            let told = with.iter().any(|f| f.key == key && f.activity == Activity::Create);
            prop_assert!(told || !raised_after, "what outlasts the entry is told");
        }
    }
}

fn names(from_s: i64, number: i64) -> Vec<Try> {
    (0..number).map(|n| unknown((from_s + n) * 1_000, 1, (from_s + n) as u64)).collect()
}

#[test]
fn what_outlasts_the_entry_opens_with_the_first_event_after_it() {
    let until = Some(at(10_000));
    let allowed = Allowed { until, ..source("198.51.100.0/24") };
    let (findings, engine) = told_with(vec![scan(60, 60, 5)], vec![allowed.clone()], &names(0, 30));
    let source = "198.51.100.1".to_owned();
    assert_eq!(
        told(&findings)[..2],
        [(Activity::Create, source.clone(), 10), (Activity::Update, source, 22)]
    );
    // The window reaches back: all eleven names are in it.
    assert_eq!(findings[0].measures[0].value.amount, 11.0);
    assert_eq!(engine.counts().suppressed, 1);
    // The try at the very end is not allowed any more.
    assert_eq!(held(&engine), [Held { findings: 1, signals: 10 }]);
    // An attack that is over by then is never told.
    let (findings, _) = told_with(vec![scan(60, 60, 5)], vec![allowed], &names(0, 9));
    assert_eq!(findings, []);
}

#[test]
fn a_late_event_of_the_time_in_force_is_held_back_and_the_newest_is_not() {
    let allowed = || vec![Allowed { until: Some(at(10_000)), ..source("198.51.100.1") }];
    let late = [unknown(12_000, 1, 50), unknown(5_000, 1, 51)];
    let tries = [names(0, 4), late.to_vec()].concat();
    // Five names at its own time, two at that of the newest event.
    let (findings, engine) = told_with(vec![scan(8, 60, 5)], allowed(), &tries);
    assert_eq!((findings, engine.counts().suppressed), (Vec::new(), 1));
    // Five at its own, six at that of the newest.
    let (findings, engine) = told_with(vec![scan(60, 60, 6)], allowed(), &tries);
    assert_eq!(told(&findings)[0], (Activity::Create, "198.51.100.1".to_owned(), 12));
    assert_eq!(engine.counts().suppressed, 0);
}

#[test]
fn with_detectors_only_theirs_are_held_back_and_signals_count_everywhere() {
    let global =
        Detector { id: "all".to_owned(), key: smallvec![KeyField::Global], ..scan(60, 60, 5) };
    let other = Detector { id: "other".to_owned(), ..scan(60, 60, 7) };
    let rules = vec![scan(60, 60, 5), other, global];
    let allowed = Allowed { detectors: vec!["scan".to_owned()], ..source("198.51.100.1") };
    let (findings, engine) = told_with(rules, vec![allowed], &names(0, 8));
    let opened = findings.iter().filter(|f| f.activity == Activity::Create);
    let opened: Vec<(&str, String)> = opened.map(|f| (&*f.detector, f.key.to_string())).collect();
    assert_eq!(opened, [("all", "global".to_owned()), ("other", "198.51.100.1".to_owned())]);
    assert_eq!(held(&engine), [Held { findings: 1, signals: 0 }]);
}

#[test]
fn a_detector_that_is_held_back_silences_no_other() {
    let other = Detector {
        id: "other".to_owned(),
        unless: vec!["scan".to_owned()],
        ..detector("other", (60, 60), &[FAILURES], &[at_least(0, 5)])
    };
    let rules = vec![scan(60, 60, 5), other];
    let (findings, _) = told_with(rules.clone(), Vec::new(), &names(0, 8));
    assert!(findings.iter().all(|f| f.detector == "scan"), "one tells it better");
    let allowed = Allowed { detectors: vec!["scan".to_owned()], ..source("198.51.100.1") };
    let (findings, _) = told_with(rules.clone(), vec![allowed], &names(0, 8));
    assert!(!findings.is_empty() && findings.iter().all(|f| f.detector == "other"));
    // Where both are held back, what would have been one finding is counted as one.
    let (findings, engine) = told_with(rules, vec![source("198.51.100.1")], &names(0, 8));
    assert_eq!((findings, engine.counts().suppressed), (Vec::new(), 1));
}

#[test]
fn a_user_that_is_allowed_counts_for_itself_alone() {
    // One name, from 6 sources, among them one that tries others too.
    let mut tries: Vec<Try> = (0..6).map(|n| unknown(n * 1_000, n as u8, 7)).collect();
    tries.extend((10..13).map(|n| unknown(n * 1_000, 0, n as u64)));
    let of_user = Detector {
        id: "user".to_owned(),
        key: smallvec![KeyField::User],
        ..detector("user", (60, 60), &[SOURCES], &[at_least(0, 4)])
    };
    let rules = vec![scan(60, 60, 4), of_user];
    let (findings, _) = told_with(rules.clone(), Vec::new(), &tries);
    assert_eq!(findings.iter().filter(|f| f.activity == Activity::Create).count(), 2);
    let (findings, engine) = told_with(rules, vec![user(7)], &tries);
    assert_eq!(findings, [], "three names are left of the source's four");
    assert_eq!(held(&engine), [Held { findings: 1, signals: 6 }]);
    let key = Key::of(KeyPart::User(user_tag(7)));
    assert!(user(7).is_about(&key) && !user(8).is_about(&key));
}

#[test]
fn of_two_entries_the_first_that_holds_is_counted() {
    let first = Allowed { until: Some(at(6_000)), ..source("198.51.100.1") };
    let entries = vec![first, source("198.51.100.0/24")];
    let (findings, engine) = told_with(vec![scan(60, 60, 5)], entries, &names(0, 8));
    assert_eq!(findings, []);
    // The finding goes on under the second entry, and is the same finding.
    let expected = [Held { findings: 1, signals: 6 }, Held { findings: 0, signals: 2 }];
    assert_eq!(held(&engine), expected);
}
