//! A key that is judged only when its slack is used up tells what it tells when it is judged at every event:
//! the shipped detectors, on streams of all densities and on simulated days.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::admission::Admission;
use tidewatch_core::counts::Counts;
use tidewatch_core::detector::Detector;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::store::WindowStore;
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;
use tidewatch_tests::campaigns::Day;
use tidewatch_tests::campaigns::play::{scaled, signals};
use tidewatch_tests::watched::Watched;

const BUDGET_BYTES: usize = 4 << 30;
const START_MS: i64 = 1_760_000_000_000;

fn shipped() -> Vec<Detector> {
    tidewatch_rules::load(tidewatch_rules::shipped()).expect("what is shipped is valid")
}

fn told<S: WindowStore>(plan: &Arc<Plan>, store: S, signals: &[Signal]) -> (Vec<Finding>, Counts) {
    let key = TagKey::new([5; 16]);
    let admission = Admission::until(Time(i64::MAX));
    let mut engine = Engine::new(Arc::clone(plan), store, Vec::new(), key, admission);
    for signal in signals {
        engine.observe(signal).now_or_never().expect("memory is ready").expect("memory is roomy");
    }
    (std::mem::take(engine.sink()), engine.counts())
}

/// What is told, the same whether each event is judged or not, and so is what was counted; no window that is said to
/// have slack raises anything.
fn both(detectors: Vec<Detector>, signals: &[Signal]) -> Vec<Finding> {
    let plan = Arc::new(Plan::new(detectors).expect("few measures").folding());
    let store = || MemoryStore::new(Arc::clone(&plan), BUDGET_BYTES, 1);
    let (seen, doubted) = (Arc::new(Mutex::new(Vec::new())), Some(Arc::clone(&plan)));
    let always = Watched { inner: store(), seen, doubted };
    let (lazily, counted) = told(&plan, store(), signals);
    let (always, counted_always) = told(&plan, always, signals);
    assert_eq!(counted, counted_always);
    assert_eq!(lazily.len(), always.len());
    for (lazily, always) in lazily.iter().zip(&always) {
        assert_eq!(lazily, always);
    }
    lazily
}

/// Sources that come and go, each at its own pace and share of success; some lines come late, and some events twice.
fn stream(seed: u64) -> Vec<Signal> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let tags = TagKey::new([7; 16]);
    let stream = Arc::new(LogStream::default());
    let kinds: Vec<(f64, u64, Option<bool>)> = (0..12)
        .map(|_| {
            let known = [Some(true), Some(false), None][rng.random_range(0..3)];
            (rng.random_range(0.0..1.0), rng.random_range(1..60), known)
        })
        .collect();
    let pace_ms = 10f64.powf(rng.random_range(1.5..5.0));
    let mut now = START_MS;
    (0..2_500u64)
        .map(|nth| {
            if rng.random_bool(0.002) {
                now += rng.random_range(0..7_200_000);
            }
            now += (-rng.random_range(1e-9f64..1.0).ln() * pace_ms) as i64;
            let source = rng.random_range(0..kinds.len());
            let (success, names, known) = kinds[source];
            let outcome = match rng.random_bool(success) {
                true => Outcome::Success,
                false => Outcome::Failure,
            };
            let late = if rng.random_bool(0.03) { rng.random_range(0..900_000) } else { 0 };
            let auth = Auth {
                action: SignalKind::Auth,
                role: if rng.random_bool(0.05) { Role::Mention } else { Role::Attempt },
                outcome,
                user_known: known,
                user: Some(tags.user(&rng.random_range(0..names).to_be_bytes())),
                source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, source as u8 % 3, source as u8))),
                asn: None,
                agent: None,
                attempts: if rng.random_bool(0.05) { rng.random_range(1..9) } else { 1 },
            };
            let copied = if rng.random_bool(0.03) { rng.random_range(0..40) } else { 0 };
            let event = nth.saturating_sub(copied);
            Signal {
                time: Time(now - late),
                event: tags.event(0, &event.to_be_bytes()),
                origin: Origin { stream: Arc::clone(&stream), id: EventId::Offset(nth) },
                body: Body::Auth(auth),
            }
        })
        .collect()
}

#[test]
fn within_its_slack_no_key_raises() {
    let mut by_detector = std::collections::BTreeMap::<String, u64>::new();
    for seed in 0..60 {
        let scale = [0.08, 0.2, 0.5][seed as usize % 3];
        for finding in both(scaled(&shipped(), scale), &stream(seed)) {
            if finding.activity == Activity::Create {
                *by_detector.entry(finding.detector).or_default() += 1;
            }
        }
    }
    // It says something only of detectors that raise.
    assert!(by_detector.len() >= 8, "{by_detector:?}");
}

#[test]
fn on_simulated_days_neither() {
    for seed in 0..2 {
        let day = Day::new(seed, 20_000);
        let told = both(shipped(), &signals(&day.tries));
        assert!(told.iter().filter(|finding| finding.activity == Activity::Create).count() > 5);
    }
}

/// By who is new and who is known alone.
const NEWCOMERS: &str = r#"
id = "newcomers"
title = "Newcomers"
signal = "auth"
key = "source.ip"
window = "10m"
[measure]
newcomers = { distinct = "user", where = { outcome = "success" }, new_within = "1h" }
known = { distinct = "user", where = { outcome = "success" }, known_for = "1h" }
users = { distinct = "user" }
[[raise]]
severity = "high"
when = ["newcomers >= 6", "newcomers <= 0.5 * users"]
[[raise]]
severity = "medium"
when = ["newcomers >= 2", "known >= 4"]
[[raise]]
severity = "low"
when = ["known >= 12"]
"#;

#[test]
fn nor_by_who_is_new_and_who_is_known() {
    let mut raised = std::collections::BTreeMap::new();
    // Time alone makes a value known, so beside such a raise there is no slack: without it there is.
    let (newer, _) = NEWCOMERS.rsplit_once("[[raise]]").expect("three");
    for (seed, text) in (0..40).flat_map(|seed| [(seed, NEWCOMERS), (seed, newer)]) {
        let detector = tidewatch_rules::parse("newcomers.toml", text).expect("a detector");
        for finding in both(vec![detector], &stream(1_000 + seed)) {
            if finding.activity == Activity::Create {
                *raised.entry(finding.severity).or_insert(0) += 1;
            }
        }
    }
    assert!(raised.len() == 3 && raised.values().all(|times| *times > 3), "{raised:?}");
}

/// Failures beside successes; both counted in panes of 2 min, those of the last 20 min in panes of 20 s.
const BESIDE: [&str; 2] = [
    r#"
id = "soon"
title = "Soon"
signal = "auth"
key = "source.ip"
window = "10m"
[measure]
failures = { count = "attempts", where = { outcome = "failure" } }
[[raise]]
severity = "low"
when = ["failures >= 1000"]
"#,
    r#"
id = "beside"
title = "Beside"
signal = "auth"
key = "source.ip"
window = "1h"
[measure]
users = { distinct = "user" }
failures = { count = "attempts", where = { outcome = "failure" } }
successes = { count = "attempts", where = { outcome = "success" } }
[[raise]]
severity = "low"
when = ["users >= 1", "failures >= 20", "failures >= 0.5 * successes"]
"#,
];

/// The successes of some seconds leave the window in the pane they were counted in, also where nothing has been counted
/// since: names are only mentioned.
#[test]
fn nor_while_names_are_only_mentioned() {
    let tags = TagKey::new([7; 16]);
    let stream = Arc::new(LogStream::default());
    for start_ms in (0..12).map(|nth| START_MS + nth * 17_000) {
        let successes = (0..60).map(|nth| (nth * 150, Role::Attempt, Outcome::Success));
        let failures = (0..25).map(|nth| (60_000 + nth * 33_000, Role::Attempt, Outcome::Failure));
        let mentions =
            (0..250).map(|nth| (900_000 + nth * 15_000, Role::Mention, Outcome::Failure));
        let signal = |(nth, (after, role, outcome)): (usize, (i64, Role, Outcome))| Signal {
            time: Time(start_ms + after),
            event: tags.event(0, &nth.to_be_bytes()),
            origin: Origin { stream: Arc::clone(&stream), id: EventId::Offset(nth as u64) },
            body: Body::Auth(Auth {
                action: SignalKind::Auth,
                role,
                outcome,
                user_known: None,
                user: Some(tags.user(b"ann")),
                source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
                asn: None,
                agent: None,
                attempts: 1,
            }),
        };
        let signals: Vec<Signal> =
            successes.chain(failures).chain(mentions).enumerate().map(signal).collect();
        let detectors = BESIDE.map(|text| tidewatch_rules::parse("b.toml", text).expect("valid"));
        let told = both(detectors.into(), &signals);
        let opened = told.iter().find(|finding| finding.activity == Activity::Create);
        let after = opened.expect("when the successes are gone").time.0 - start_ms;
        // Up to a pane later, and the next mention.
        assert!((3_600_000..3_735_000).contains(&after), "{after}");
    }
}
