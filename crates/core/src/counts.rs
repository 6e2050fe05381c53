//! What a pipeline counts of its own work, for summaries and statistics.

use crate::finding::Activity;
use crate::invocation::Invocation;
use crate::signal::{Body, Role, Signal, SignalKind};
use crate::store::Merged;

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Signals that decide a login.
    pub attempts: u64,
    /// Signals that mention one.
    pub mentions: u64,
    /// Signals about resets.
    pub resets: u64,
    /// Signals about sign-ups.
    pub sign_ups: u64,
    /// Logins, resets and sign-ups of which the autonomous system is known.
    pub systems: u64,
    /// Reports of invocations.
    pub invocations: u64,
    /// Lines that only mention how an invocation ended.
    pub endings: u64,
    /// Lines that say who asked for something.
    pub accesses: u64,
    /// Signals that came too late for a key they belong to.
    pub late: u64,
    /// Findings opened.
    pub created: u64,
    /// Findings updated.
    pub updated: u64,
    /// Findings closed.
    pub closed: u64,
    /// Findings that an allowlist held back.
    pub suppressed: u64,
    /// Signals that were not counted for a key, because there was no memory for it.
    pub points_refused: u64,
    /// Signals whose distinct count fell back to a lower bound, because there was no memory.
    pub sketches_refused: u64,
    /// Log events that had been counted, delivered once more; those of a batch once for each key.
    pub repeated: u64,
    /// Shares of the shared state that were not legible and are begun anew.
    pub shares_lost: u64,
}

impl Counts {
    /// Counts a signal.
    pub fn note(&mut self, signal: &Signal) {
        let auth = match &signal.body {
            Body::Auth(auth) => auth,
            Body::Invocation(Invocation { report: Some(_), .. }) => {
                self.invocations += 1;
                return;
            }
            Body::Invocation(_) => {
                self.endings += 1;
                return;
            }
            Body::Access(_) => {
                self.accesses += 1;
                return;
            }
        };
        self.systems += u64::from(auth.asn.is_some());
        match (auth.action, auth.role) {
            (SignalKind::Auth, Role::Attempt) => self.attempts += 1,
            (SignalKind::Auth, Role::Mention) => self.mentions += 1,
            (SignalKind::Reset, _) => self.resets += 1,
            (SignalKind::SignUp, _) => self.sign_ups += 1,
            (SignalKind::Access, _) => self.accesses += 1,
        }
    }

    /// How many signals detectors can count there were, of all kinds.
    pub fn signals(&self) -> u64 {
        self.attempts + self.mentions + self.resets + self.sign_ups
    }

    /// Counts a finding's message that has left.
    pub(crate) fn published(&mut self, activity: Activity) {
        match activity {
            Activity::Create => self.created += 1,
            Activity::Update => self.updated += 1,
            Activity::Close => self.closed += 1,
        }
    }

    /// Counts what became of a batch; what was late is counted by signal.
    pub(crate) fn add(&mut self, merged: &Merged) {
        self.points_refused += merged.points_refused;
        self.sketches_refused += merged.sketches_refused;
        self.shares_lost += merged.shares_lost.len() as u64;
    }
}
