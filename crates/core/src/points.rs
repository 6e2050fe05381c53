//! What a signal adds to each key that it is counted by.

use std::net::IpAddr;
use std::sync::Arc;

use crate::contribution::{Amount, Point, Source};
use crate::key::{Key, KeyField, KeyPart};
use crate::key_ring::Generation;
use crate::plan::{KeyPlan, KeyPlanId, Plan};
use crate::shape::Shape;
use crate::signal::{Auth, Body, LogStream, Origin, Signal, SignalKind};
use crate::store::Place;
use crate::tag::{LogTag, TagKey, UserTag};

/// The log of the latest signal: most come one after the other from the same.
#[derive(Debug, Default)]
pub(crate) struct LatestLog(Option<(Arc<LogStream>, LogTag)>);

impl LatestLog {
    fn of(&mut self, origin: &Origin) -> LogTag {
        match &self.0 {
            Some((stream, log)) if Arc::ptr_eq(stream, &origin.stream) => *log,
            _ => {
                let log = origin.stream.log();
                self.0 = Some((Arc::clone(&origin.stream), log));
                log
            }
        }
    }
}

/// What a signal is counted as, if detectors count such signals.
pub(crate) fn tried(plan: &Plan, signal: &Signal) -> Option<Auth> {
    match &signal.body {
        Body::Auth(auth) => Some(*auth),
        Body::Access(access) if plan.counts(SignalKind::Access) => Some(access.tried()),
        Body::Access(_) | Body::Invocation(_) => None,
    }
}

/// What a signal adds to the keys that it is counted by, one after the other.
pub(crate) struct Points<'p> {
    plan: &'p Plan,
    /// The signal.
    pub signal: &'p Signal,
    auth: &'p Auth,
    shape: Shape,
    selecting: &'p [KeyPlanId],
    source: Option<u64>,
}

impl<'p> Points<'p> {
    pub(crate) fn of(plan: &'p Plan, signal: &'p Signal, auth: &'p Auth) -> Points<'p> {
        let shape = Shape::of(auth);
        let selecting = plan.selecting(auth.action, shape);
        Points { plan, signal, auth, shape, selecting, source: None }
    }

    /// The next; `key` tags source addresses.
    #[inline(always)]
    pub(crate) fn next(&mut self, key: &TagKey, log: &mut LatestLog) -> Option<(Place, Point)> {
        while let Some((id, rest)) = self.selecting.split_first() {
            self.selecting = rest;
            let tag = |address| *self.source.get_or_insert_with(|| key.source(address));
            let said = (self.signal, self.auth, self.shape);
            if let Some((key, point)) =
                point(self.plan.key(*id), (tag, Generation::Even), said, log)
            {
                return Some(((*id, key), point));
            }
        }
        None
    }
}

/// What `signal` adds to the keys of a plan that selects it; `None` where it lacks a field of the key.
#[inline(always)]
pub(crate) fn point(
    plan: &KeyPlan,
    (mut tag, generation): (impl FnMut(IpAddr) -> u64, Generation),
    (signal, auth, shape): (&Signal, &Auth, Shape),
    log: &mut LatestLog,
) -> Option<(Key, Point)> {
    let key = match plan.fields.as_slice() {
        [KeyField::Log] => Key::of(KeyPart::Log(log.of(&signal.origin))),
        fields => Key::of_auth(fields, auth)?,
    };
    let tagged = plan.counts_sources() || plan.lists_source(key.first, shape);
    let source =
        auth.source.map(|address| Source { address, tag: if tagged { tag(address) } else { 0 } });
    let (user, amount) = match &signal.body {
        Body::Access(access) if plan.sums() => (access.resource.map(UserTag), access.bytes_out),
        Body::Access(access) => (access.resource.map(UserTag), 1),
        _ => (auth.user, u64::from(auth.attempts)),
    };
    let (time, event, amount) = (signal.time, signal.event, Amount::of(amount));
    Some((key, Point { time, generation, event, shape, amount, user, source }))
}
