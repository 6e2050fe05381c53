//! What a signal adds to each key that it is counted by.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Access;
use crate::contribution::{Amount, Point, Source};
use crate::key::{Key, KeyField, KeyPart};
use crate::key_ring::Generation;
use crate::plan::{KeyPlan, Plan};
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

/// What a signal adds to the keys that it is counted by, one key after the other.
pub(crate) struct Points<'s> {
    /// The signal.
    pub signal: &'s Signal,
    auth: &'s Auth,
    /// Plans that were asked for a key.
    asked: usize,
    /// What it adds to the key that came last.
    pub point: Point,
}

impl<'s> Points<'s> {
    /// Those of a signal, whose source address `key` tags.
    pub(crate) fn of(signal: &'s Signal, auth: &'s Auth, key: &TagKey) -> Points<'s> {
        let said = (signal, auth, Shape::of(auth));
        let point = point_of(said, Generation::Even, |address| key.source(address));
        Points { signal, auth, asked: 0, point }
    }

    /// The next key, and [`Points::point`] what is added to it; `plan` must always be the same.
    #[inline(always)]
    pub(crate) fn next(&mut self, plan: &Plan, log: &mut LatestLog) -> Option<Place> {
        while let Some(id) = plan.selecting(self.auth.action, self.point.shape).get(self.asked) {
            self.asked += 1;
            let plan = plan.key(*id);
            if let Some(key) = key_of(plan, (self.signal, self.auth), log) {
                if let Body::Access(access) = &self.signal.body {
                    self.point.amount = amount_of(plan, access);
                }
                return Some((*id, key));
            }
        }
        None
    }
}

/// What `signal` adds to the keys of a plan that selects it; `None` where it lacks a field of the key.
pub(crate) fn point(
    plan: &KeyPlan,
    (mut tag, generation): (impl FnMut(IpAddr) -> u64, Generation),
    (signal, auth, shape): (&Signal, &Auth, Shape),
    log: &mut LatestLog,
) -> Option<(Key, Point)> {
    let key = key_of(plan, (signal, auth), log)?;
    let tagged = plan.counts_sources() || plan.lists_source(key.first, shape);
    let tag = |address| if tagged { tag(address) } else { 0 };
    let mut point = point_of((signal, auth, shape), generation, tag);
    if let Body::Access(access) = &signal.body {
        point.amount = amount_of(plan, access);
    }
    Some((key, point))
}

/// The key of a signal under a plan; `None` where it lacks a field of it.
#[inline(always)]
fn key_of(plan: &KeyPlan, (signal, auth): (&Signal, &Auth), log: &mut LatestLog) -> Option<Key> {
    match plan.fields.as_slice() {
        [KeyField::Log] => Some(Key::of(KeyPart::Log(log.of(&signal.origin)))),
        fields => Key::of_auth(fields, auth),
    }
}

/// What a signal adds to any key; of an access, once.
fn point_of(
    (signal, auth, shape): (&Signal, &Auth, Shape),
    generation: Generation,
    tag: impl FnOnce(IpAddr) -> u64,
) -> Point {
    let source = auth.source.map(|address| Source { address, tag: tag(address) });
    let (user, amount) = match &signal.body {
        Body::Access(access) => (access.resource.map(UserTag), 1),
        _ => (auth.user, u64::from(auth.attempts)),
    };
    let (time, event, amount) = (signal.time, signal.event, Amount::of(amount));
    Point { time, generation, event, shape, amount, user, source }
}

/// How much an access adds to the keys of a plan.
fn amount_of(plan: &KeyPlan, access: &Access) -> Amount {
    Amount::of(if plan.sums() { access.bytes_out } else { 1 })
}
