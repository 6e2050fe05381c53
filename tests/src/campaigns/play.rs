//! A simulated day through the real core, and, where asked, through the real reading of bytes before it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use tidewatch_core::admission::Admission;
use tidewatch_core::agents::AgentNames;
use tidewatch_core::detector::{Detector, Operand};
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::Key;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::tag::{AgentTag, TagKey};
use tidewatch_core::time::Time;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, InputKind};

use super::agents::agent;
use super::systems::asn;
use super::world::{End, Log, START_MS, Try, name};

/// State of a day.
const MEMORY_BYTES: usize = 4 << 30;

/// How names are tagged.
pub fn naming() -> Naming {
    Naming { key: TagKey::new([5; 16]), usernames: Usernames::Fold }
}

/// A finding: from its first message to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it opened, in milliseconds after midnight.
    pub ms: i64,
    /// When it closed; at the end of time where the day ended before.
    pub until: i64,
    /// The detector's id.
    pub detector: String,
    /// Whom it is about.
    pub key: Key,
}

/// Keeps what opened, and the place of what is open.
#[derive(Default)]
struct Findings {
    told: Vec<Told>,
    open: HashMap<String, usize>,
}

impl AlertSink for Findings {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        let ms = finding.time.0 - START_MS;
        match finding.activity {
            Activity::Create => {
                self.open.insert(finding.uid.clone(), self.told.len());
                let (detector, key) = (finding.detector.clone(), finding.key);
                self.told.push(Told { ms, until: i64::MAX, detector, key });
            }
            Activity::Close => {
                if let Some(told) = self.open.remove(&finding.uid) {
                    self.told[told].until = ms;
                }
            }
            Activity::Update => {}
        }
        Ok(())
    }
}

/// The detectors with every number that a measure is compared with `scale` times as large. Shares stay, and so does
/// 1, which says "any at all".
pub fn scaled(detectors: &[Detector], scale: f64) -> Vec<Detector> {
    let mut detectors = detectors.to_vec();
    let raises = detectors.iter_mut().flat_map(|detector| &mut detector.raises);
    for condition in raises.flat_map(|raise| &mut raise.when) {
        if let Operand::Number(number) = &mut condition.operand
            && *number > 1.0
        {
            *number *= scale;
        }
    }
    detectors
}

/// Each application has a log of its own.
fn streams() -> [(Log, Arc<LogStream>); 4] {
    Log::ALL.map(|log| {
        (log, Arc::new(LogStream { stream: log.name().to_owned(), ..LogStream::default() }))
    })
}

fn stream_of(streams: &[(Log, Arc<LogStream>)], log: Log) -> Arc<LogStream> {
    let of = streams.iter().find(|(of, _)| *of == log).expect("each has one");
    Arc::clone(&of.1)
}

/// What the tries say, in their order.
pub fn signals(tries: &[Try]) -> Vec<Signal> {
    let (streams, naming) = (streams(), naming());
    let logged = tries.iter().filter(|tried| tried.is_logged()).zip(0u64..);
    let signal = |(tried, nth): (&Try, u64)| {
        let outcome = if tried.end == End::In { Outcome::Success } else { Outcome::Failure };
        let known = tried.end != End::NoAccount;
        let auth = Auth {
            action: SignalKind::Auth,
            role: Role::Attempt,
            outcome,
            user_known: Some(known).filter(|_| outcome == Outcome::Success || tried.log.tells()),
            user: Some(naming.tag(&name(tried.user))),
            source: Some(tried.source),
            asn: Some(asn(tried.source)),
            agent: Some(AgentTag::of(&agent(tried))),
            attempts: 1,
        };
        Signal {
            time: Time(START_MS + tried.ms),
            event: naming.key.event(0, &nth.to_be_bytes()),
            origin: Origin { stream: stream_of(&streams, tried.log), id: EventId::Offset(nth) },
            body: Body::Auth(auth),
        }
    };
    logged.map(signal).collect()
}

/// The same tries as log lines, each with the log it stands in.
pub fn lines(tries: &[Try]) -> Vec<(Log, String)> {
    let mut lines = Vec::new();
    for tried in tries.iter().filter(|tried| tried.is_logged()) {
        let said = match tried.end {
            End::In => r#""outcome":"success""#,
            End::NoAccount if tried.log.tells() => {
                r#""outcome":"failure","reason":"user_not_found""#
            }
            End::WrongPassword if tried.log.tells() => {
                r#""outcome":"failure","reason":"bad_password""#
            }
            _ => r#""outcome":"failure","reason":"invalid_credentials""#,
        };
        let (ms, user, source) = (START_MS + tried.ms, name(tried.user), tried.source);
        let (agent, asn) = (agent(tried), asn(tried.source));
        let line = format!(
            r#"{{"timestamp":{ms},"event":"login",{said},"user":"{user}","ip":"{source}","user_agent":"{agent}","asn":{asn}}}"#
        );
        lines.push((tried.log, line));
    }
    lines
}

/// What the real reading makes of those lines.
///
/// # Panics
/// If it cannot read one.
pub fn read(lines: &[(Log, String)]) -> Vec<Signal> {
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats());
    let formats = Arc::new(formats.expect("the shipped formats are good"));
    let mut ingest = Ingest::new(Config { naming: naming(), own_group: None, formats });
    ingest.hear_agents(AgentNames::default());
    let (mut buffers, mut batch) = (Buffers::default(), Batch::default());
    let streams = streams();
    // Lines at one place in a log are one event.
    for ((log, line), place) in lines.iter().zip(0u64..) {
        let stream = stream_of(&streams, *log);
        ingest.lines(InputKind::Lines, line.as_bytes(), place, &stream, &mut buffers, &mut batch);
    }
    let dated = batch.signals.into_iter().map(|signal| match signal.when {
        When::At(time) => signal.at(time),
        other => panic!("a line of ours has a whole time: {other:?}"),
    });
    dated.collect()
}

/// What `detectors` open over `signals`.
///
/// # Panics
/// If the detectors do not go together, or memory runs out.
pub fn play(signals: &[Signal], detectors: Vec<Detector>) -> Vec<Told> {
    // As it ships: one attack is one finding.
    let plan = Plan::new(detectors).expect("the shipped detectors go together").folding();
    let plan = Arc::new(plan);
    let store = MemoryStore::new(Arc::clone(&plan), MEMORY_BYTES, 0);
    let admission = Admission::until(Time(i64::MAX));
    let mut engine = Engine::new(plan, store, Findings::default(), naming().key, admission);
    for signal in signals {
        let observed = engine.observe(signal).now_or_never();
        observed.expect("memory never waits").expect("memory does not fail");
    }
    assert_eq!(engine.counts().points_refused, 0, "memory is enough for a day");
    std::mem::take(&mut engine.sink().told)
}
