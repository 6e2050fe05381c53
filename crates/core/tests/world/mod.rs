//! The small world of these tests: tries, detectors, and the oracle that counts them by looking at
//! all of them every time.

// Each test binary compiles its own copy and uses its own part of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use smallvec::smallvec;
use tidewatch_core::admission::Admission;
use tidewatch_core::contribution::{Amount, Point, Source};
use tidewatch_core::detector::{
    Comparison, Condition, Detector, DistinctField, Filter, Measure, NamedMeasure, Operand, Raise,
    Severity,
};
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{Key, KeyField};
use tidewatch_core::key_ring::Generation;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::{Counted, DetectorPlan, KeyPlan, Plan};
use tidewatch_core::shape::Shape;
use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::state::KeyState;
use tidewatch_core::tag::{EventTag, TagKey, UserTag};
use tidewatch_core::time::{Span, Time};
use tidewatch_core::walk::Rates;
use tidewatch_core::window::Window;

/// When these worlds begin: no pane of any window used here begins exactly then.
pub(crate) const START: i64 = 1_700_000_000_777;

/// A budget nothing here comes near.
pub(crate) const ROOMY: usize = 1 << 30;

/// One line of a log, as far as it says something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// Milliseconds after [`START`].
    pub(crate) ms: i64,
    pub(crate) source: IpAddr,
    pub(crate) user: Option<u64>,
    pub(crate) success: bool,
    pub(crate) known: Option<bool>,
    pub(crate) mention: bool,
    pub(crate) attempts: u32,
}

/// A failed try on a user that does not exist.
pub(crate) fn unknown(ms: i64, source: u8, user: u64) -> Try {
    Try {
        ms,
        source: v4(source),
        user: Some(user),
        success: false,
        known: Some(false),
        mention: false,
        attempts: 1,
    }
}

/// A success of a user.
pub(crate) fn success(ms: i64, source: u8, user: u64) -> Try {
    Try { success: true, known: Some(true), ..unknown(ms, source, user) }
}

pub(crate) fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, last).into()
}

pub(crate) fn v6(network: u16, host: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host).into()
}

pub(crate) fn at(ms: i64) -> Time {
    Time(START + ms)
}

pub(crate) fn tag_key(passphrase: &str) -> TagKey {
    TagKey::from_passphrase(passphrase)
}

/// A tag whose upper half tells events apart, as a hash does.
pub(crate) fn event_tag(n: u64) -> EventTag {
    EventTag(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Try {
    /// A tag of its own: no two tries of a world are all the same.
    fn event(&self) -> EventTag {
        let source = match self.source {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits() as u64 ^ (v6.to_bits() >> 64) as u64,
        };
        let shape = u64::from(self.attempts) << 4 | u64::from(self.success) << 3;
        let known = self.known.map_or(2, u64::from) | u64::from(self.mention) << 2;
        let user = self.user.map_or(u64::MAX, |user| user);
        tag_key("events").event(
            self.ms as u64 ^ source.rotate_left(32),
            &user.wrapping_mul(31).wrapping_add(shape | known).to_be_bytes(),
        )
    }

    pub(crate) fn time(&self) -> Time {
        at(self.ms)
    }

    fn auth(&self, key: &TagKey) -> Auth {
        Auth {
            action: SignalKind::Auth,
            role: if self.mention { Role::Mention } else { Role::Attempt },
            outcome: if self.success { Outcome::Success } else { Outcome::Failure },
            user_known: self.known,
            user: self.user.map(|user| key.user(&user.to_be_bytes())),
            source: Some(self.source),
            asn: None,
            agent: None,
            attempts: self.attempts,
        }
    }

    pub(crate) fn signal(&self, key: &TagKey, offset: u64) -> Signal {
        let stream = Arc::new(LogStream { stream: "world".to_owned(), ..LogStream::default() });
        Signal {
            time: self.time(),
            event: event_tag(offset),
            origin: Origin { stream, id: EventId::Offset(offset) },
            body: Body::Auth(self.auth(key)),
        }
    }

    pub(crate) fn point(&self, key: &TagKey) -> Point {
        let auth = self.auth(key);
        Point {
            time: self.time(),
            generation: Generation::Even,
            event: self.event(),
            shape: Shape::of(&auth),
            amount: Amount::of(u64::from(self.attempts)),
            user: auth.user,
            source: Some(Source { address: self.source, tag: key.source(self.source) }),
        }
    }

    /// Whether a measure with this filter takes it.
    fn passes(&self, filter: Filter) -> bool {
        filter.outcome.is_none_or(|wanted| (wanted == Outcome::Success) == self.success)
            && filter.user_known.is_none_or(|wanted| self.known == Some(wanted))
    }
}

/// The measure over the tries of (from, to], counted by looking.
pub(crate) fn oracle<'a>(
    tries: impl IntoIterator<Item = &'a Try>,
    measure: Measure,
    from: Time,
    to: Time,
) -> u64 {
    let within = tries.into_iter().filter(|t| t.time() > from && t.time() <= to);
    match measure {
        Measure::Count(Role::Mention, filter) => {
            within.filter(|t| t.passes(filter) && t.mention).map(|t| u64::from(t.attempts)).sum()
        }
        Measure::Count(Role::Attempt, filter) | Measure::Sum(_, filter) => {
            within.filter(|t| t.passes(filter) && !t.mention).map(|t| u64::from(t.attempts)).sum()
        }
        Measure::Distinct(DistinctField::User, filter) => {
            let users = within.filter(|t| t.passes(filter)).filter_map(|t| t.user);
            users.collect::<BTreeSet<_>>().len() as u64
        }
        Measure::Distinct(DistinctField::Resource, _) => panic!("no login asks for a resource"),
        Measure::Distinct(DistinctField::SourceIp, filter) => {
            let sources = within.filter(|t| t.passes(filter)).map(|t| t.source);
            sources.collect::<BTreeSet<_>>().len() as u64
        }
        Measure::FirstSeen(..) => panic!("see `first_seen`"),
        Measure::Sequential(_) => panic!("a walk is no number of tries: see `walked`"),
        Measure::Change(_) | Measure::Busiest(..) => {
            panic!("a change is no number of tries: see tests/change.rs")
        }
    }
}

/// The walk over the tries of (from, to], by its definition: the best of all stretches that end now.
pub(crate) fn walked<'a>(
    tries: impl IntoIterator<Item = &'a Try>,
    rates: Rates,
    from: Time,
    to: Time,
) -> f64 {
    let within = tries.into_iter().filter(|t| t.time() > from && t.time() <= to);
    let mut names: BTreeMap<u64, (Time, bool)> = BTreeMap::new();
    for (t, user) in within.filter_map(|t| Some((t, t.user?))) {
        let (last, got_in) = names.entry(user).or_insert((t.time(), t.success));
        *last = t.time().max(*last);
        *got_in |= t.success;
    }
    let stretch = |begin: Time| {
        let in_it = names.values().filter(|(last, _)| *last >= begin);
        in_it.map(|(_, got_in)| if *got_in { rates.success() } else { rates.failure() }).sum()
    };
    names.values().map(|(last, _)| stretch(*last)).fold(0.0, f64::max)
}

pub(crate) const ALL: Filter = Filter { outcome: None, user_known: None };
pub(crate) const FAILED: Filter = Filter { outcome: Some(Outcome::Failure), user_known: None };
pub(crate) const SUCCEEDED: Filter = Filter { outcome: Some(Outcome::Success), user_known: None };
pub(crate) const UNKNOWN: Filter =
    Filter { outcome: Some(Outcome::Failure), user_known: Some(false) };

pub(crate) const UNKNOWN_USERS: Measure = Measure::Distinct(DistinctField::User, UNKNOWN);
pub(crate) const FAILED_USERS: Measure = Measure::Distinct(DistinctField::User, FAILED);
pub(crate) const USERS: Measure = Measure::Distinct(DistinctField::User, ALL);
pub(crate) const SOURCES: Measure = Measure::Distinct(DistinctField::SourceIp, ALL);
pub(crate) const FAILURES: Measure = Measure::Count(Role::Attempt, FAILED);
pub(crate) const SUCCESSES: Measure = Measure::Count(Role::Attempt, SUCCEEDED);
pub(crate) const TRIES: Measure = Measure::Count(Role::Attempt, ALL);
pub(crate) const FAILED_MENTIONS: Measure = Measure::Count(Role::Mention, FAILED);
pub(crate) const UNKNOWN_MENTIONS: Measure = Measure::Count(Role::Mention, UNKNOWN);

/// A detector by source address with a window and quiet of some seconds that raises high where all
/// of `when` hold.
pub(crate) fn detector(
    id: &str,
    (window_s, quiet_s): (i64, i64),
    measures: &[Measure],
    when: &[Condition],
) -> Detector {
    Detector {
        id: id.to_owned(),
        title: "A title".to_owned(),
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        signal: SignalKind::Auth,
        key: smallvec![KeyField::SourceIp],
        window: Span::seconds(window_s),
        quiet: Span::seconds(quiet_s),
        measures: measures
            .iter()
            .enumerate()
            .map(|(i, measure)| NamedMeasure { name: format!("m{i}"), measure: *measure })
            .collect(),
        raises: vec![Raise { severity: Severity::High, confidence: None, when: when.to_vec() }],
        after: Vec::new(),
        after_within: Span(0),
        unless: Vec::new(),
        covers: Default::default(),
        share: None,
        log_holds_successes: false,
    }
}

/// "`threshold` different unknown users within `window_s`".
pub(crate) fn scan(window_s: i64, quiet_s: i64, threshold: u32) -> Detector {
    detector("scan", (window_s, quiet_s), &[UNKNOWN_USERS], &[at_least(0, threshold)])
}

pub(crate) fn at_least(measure: usize, number: u32) -> Condition {
    let operand = Operand::Number(f64::from(number));
    Condition { measure, comparison: Comparison::AtLeast, operand }
}

pub(crate) fn at_least_share(measure: usize, factor: f64, of: usize) -> Condition {
    let operand = Operand::Scaled { factor, measure: of };
    Condition { measure, comparison: Comparison::AtLeast, operand }
}

pub(crate) fn plan(detectors: Vec<Detector>) -> Arc<Plan> {
    Arc::new(Plan::new(detectors).expect("few measures"))
}

/// What every measure of every detector of a key says of a state, as of a time.
pub(crate) fn shown<'a>(
    plan: &'a KeyPlan,
    key: &'a Key,
    state: &'a KeyState,
    at: Time,
) -> impl Iterator<Item = (&'a DetectorPlan, Counted, tidewatch_core::finding::Value)> {
    let window = Window { plan, key, state, at, told: at, version: 0 };
    plan.detectors.iter().flat_map(move |detector| {
        let value = move |c: &Counted| (detector, *c, window.value(*c, detector));
        detector.measures.iter().map(value)
    })
}

pub(crate) type Embedded = Engine<MemoryStore, Vec<Finding>>;

/// An engine over a [`MemoryStore`] and a `Vec`, as replay has it.
pub(crate) fn engine(detectors: Vec<Detector>, budget_bytes: usize) -> Embedded {
    engine_with(detectors, budget_bytes, Vec::new(), "a key")
}

pub(crate) fn engine_with<A: tidewatch_core::sink::AlertSink>(
    detectors: Vec<Detector>,
    budget_bytes: usize,
    sink: A,
    passphrase: &str,
) -> Engine<MemoryStore, A> {
    over(plan(detectors), budget_bytes, sink, passphrase)
}

/// An engine over a plan that is not just its detectors.
pub(crate) fn planned(plan: Arc<Plan>, budget_bytes: usize) -> Embedded {
    over(plan, budget_bytes, Vec::new(), "a key")
}

fn over<A: tidewatch_core::sink::AlertSink>(
    plan: Arc<Plan>,
    budget_bytes: usize,
    sink: A,
    passphrase: &str,
) -> Engine<MemoryStore, A> {
    let store = MemoryStore::new(Arc::clone(&plan), budget_bytes, 7);
    let admission = Admission::until(at(365 * 24 * 3_600_000));
    Engine::new(plan, store, sink, tag_key(passphrase), admission)
}

/// Passes the tries through an engine, and after the last one moves time on by `then`.
pub(crate) fn feed(engine: &mut Embedded, tries: &[Try], then: Span) {
    let key = tag_key("a key");
    let signals = tries.iter().enumerate().map(|(i, t)| t.signal(&key, i as u64));
    run(async {
        for signal in signals {
            engine.observe(&signal).await?;
        }
        let end = engine.now().plus(then);
        if then.0 > 0 { engine.tick(end).await } else { Ok(()) }
    })
    .expect("a store in memory and a Vec do not fail");
}

/// Passes the tries through a new engine and gives the findings.
pub(crate) fn findings(detectors: Vec<Detector>, tries: &[Try], then: Span) -> Vec<Finding> {
    let mut engine = engine(detectors, ROOMY);
    feed(&mut engine, tries, then);
    std::mem::take(engine.sink())
}

pub(crate) fn run<T>(future: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// (activity, source, seconds after [`START`] of the last raise) of each finding.
pub(crate) fn told(findings: &[Finding]) -> Vec<(Activity, String, i64)> {
    let seconds = |time: Time| (time.0 - START).div_euclid(1_000);
    findings.iter().map(|f| (f.activity, f.key.to_string(), seconds(f.last))).collect()
}

/// Tries of a few sources, users and kinds, times anywhere in the first `seconds`, in any order.
pub(crate) fn tries(
    seconds: i64,
    sources: u8,
    users: u64,
    number: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Try>> {
    let known = prop_oneof![4 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)];
    let one = (
        0..seconds * 1_000,
        0..sources,
        prop::option::weighted(0.95, 0..users),
        prop::bool::weighted(0.25),
        known,
        prop::bool::weighted(0.2),
        1u32..4,
    );
    let one = one.prop_map(|(ms, source, user, success, known, mention, attempts)| Try {
        user,
        success,
        known,
        mention,
        attempts,
        ..unknown(ms, source, 0)
    });
    prop::collection::vec(one, number)
}

/// Seeded the same in every run: what fails, fails for everybody.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(u64::from(cases)),
        ..ProptestConfig::default()
    }
}

/// The user tag a try would have; for tests that look inside.
pub(crate) fn user_tag(user: u64) -> UserTag {
    tag_key("a key").user(&user.to_be_bytes())
}
