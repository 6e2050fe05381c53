//! Allowlists: whose attacks are no news, why, and until when. A penetration test, a scanner of one's own,
//! a health check with a stale password.
//!
//! What an allowed source or user does is counted under its own keys, and findings about these are held
//! back and counted. Under no other key is it counted, so that it raises no campaign. An entry that names
//! detectors holds back only theirs, and its signals count everywhere.
//!
//! An entry is in force by event time. Held back is decided anew for each window and remembered nowhere: no
//! episode is latched, so the first window that raises after the end opens a finding as if there had been
//! no entry. Functions are allowed by their names: findings about what they take are held back, and what they take counts
//! in the bill and in the budget of all. (In the shared home the ends of windows before the newest event are known to the second, and so
//! is then the end of an entry.) Invariant: under keys that no entry names, all is as if the log had no line
//! of those who are allowed (tests/allow.rs).

use std::collections::BTreeMap;
use std::fmt;

use crate::glob::Glob;
use crate::key::{FunctionTag, Key, KeyPart};
use crate::limits::HELD_BACK_MAX;
use crate::net::Net;
use crate::plan::DetectorId;
use crate::signal::Auth;
use crate::store::Place;
use crate::tag::{AgentTag, UserTag};
use crate::time::{Span, Time};

/// Entries, in the order of their files: the first that holds something back is the one that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowlist {
    /// The entries.
    pub entries: Vec<Allowed>,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// For whom.
    pub who: Who,
    /// Ids of the detectors whose findings are held back; none: those of all.
    pub detectors: Vec<String>,
    /// Why, in the words of whoever allowed it.
    pub reason: String,
    /// The first event time at which it is in force no more; `None`: it has no end.
    pub until: Option<Time>,
    /// Where it stands, as `file:line`.
    pub place: String,
}

/// Who is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// All sources in a network.
    Source(Net),
    /// A user, by the tags of the name under all keys that are in use.
    User(Vec<UserTag>),
    /// Clients that say they are this, from anywhere or from a network.
    Agent(AgentTag, Option<Net>),
    /// Lambda functions of these names.
    Function(Glob),
}

/// What an entry has held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Findings, each once as long as it goes on.
    pub findings: u64,
    /// Signals that were counted under the keys of their source or user alone.
    pub signals: u64,
}

/// What all entries have held back so far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    held: Vec<Held>,
    /// The findings that go on, each with the last time it was held back.
    going_on: BTreeMap<(Place, DetectorId), Time>,
    /// The same of functions, by the detector's place among those about them.
    functions: BTreeMap<(FunctionTag, usize), Time>,
}

impl Allowlist {
    /// Whether nobody is allowed anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry by which a signal is counted under keys of its own source or user alone.
    #[inline]
    pub fn of_signal(&self, auth: &Auth, time: Time) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let source = auth.source.map(KeyPart::source_ip);
        let user = auth.user.map(KeyPart::User);
        self.first(|entry| {
            entry.detectors.is_empty()
                && entry.is_in_force(time)
                && match &entry.who {
                    Who::Agent(agent, net) => {
                        let is_there = |net: &Net| source.is_some_and(|part| net.covers_part(part));
                        auth.agent == Some(*agent) && net.as_ref().is_none_or(is_there)
                    }
                    Who::Function(_) => false,
                    Who::Source(_) | Who::User(_) => {
                        [source, user].into_iter().flatten().any(|part| entry.is_of(part))
                    }
                }
        })
    }

    /// Whether a signal that is allowed counts under `key`: where the key is its source or user itself.
    pub fn counts(&self, key: &Key, time: Time) -> bool {
        self.entries.iter().any(|entry| {
            entry.detectors.is_empty() && entry.is_in_force(time) && entry.is_about(key)
        })
    }

    /// The entry that holds back what `detector` says of `key` as of a time.
    pub fn holds_back(&self, key: &Key, detector: &str, at: Time) -> Option<usize> {
        self.first(|entry| {
            let detectors = &entry.detectors;
            entry.is_in_force(at)
                && (detectors.is_empty() || detectors.iter().any(|id| id == detector))
                && entry.is_about(key)
        })
    }

    /// The entry that holds back what `detector` says of a function as of a time.
    pub fn holds_back_function(&self, function: &str, detector: &str, at: Time) -> Option<usize> {
        self.first(|entry| {
            let detectors = &entry.detectors;
            matches!(&entry.who, Who::Function(glob) if glob.fits(function))
                && entry.is_in_force(at)
                && (detectors.is_empty() || detectors.iter().any(|id| id == detector))
        })
    }

    fn first(&self, of: impl Fn(&Allowed) -> bool) -> Option<usize> {
        self.entries.iter().position(of)
    }
}

impl Allowed {
    /// Whether it is in force at an event time.
    pub fn is_in_force(&self, time: Time) -> bool {
        self.until.is_none_or(|until| time < until)
    }

    /// Whether all that is counted under `key` is of those who are allowed.
    pub fn is_about(&self, key: &Key) -> bool {
        self.is_of(key.first) || key.second.is_some_and(|part| self.is_of(part))
    }

    fn is_of(&self, part: KeyPart) -> bool {
        match (&self.who, part) {
            (Who::Source(net), part) => net.covers_part(part),
            (Who::User(tags), KeyPart::User(tag)) => tags.contains(&tag),
            (Who::Agent(agent, None), KeyPart::Agent(tag)) => *agent == tag,
            // A key has no name of a function; see `holds_back_function`.
            (Who::User(_) | Who::Agent(..) | Who::Function(_), _) => false,
        }
    }
}

/// A network, a user by the first tag, never a name, or a user agent by its tag.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Source(net) => write!(f, "{net}"),
            Who::User(tags) => match tags.first() {
                Some(tag) => write!(f, "{}", KeyPart::User(*tag)),
                None => f.write_str("a user"),
            },
            Who::Function(glob) => write!(f, "functions {}", glob.as_str()),
            Who::Agent(agent, None) => write!(f, "{}", KeyPart::Agent(*agent)),
            Who::Agent(agent, Some(net)) => write!(f, "{} from {net}", KeyPart::Agent(*agent)),
        }
    }
}

impl Ledger {
    /// What the nth entry has held back.
    pub fn of(&self, entry: usize) -> Held {
        self.held.get(entry).copied().unwrap_or_default()
    }

    /// Counts a signal that was kept from others' keys by `entry`.
    pub(crate) fn note_signal(&mut self, entry: usize) {
        self.entry(entry).signals += 1;
    }

    /// Counts what `entry` held back as of `at`; whether it is a finding that did not go on already.
    pub(crate) fn note(
        &mut self,
        (place, detector): (Place, DetectorId),
        quiet: Span,
        at: Time,
        entry: usize,
    ) -> bool {
        if self.going_on.len() >= HELD_BACK_MAX {
            self.going_on.retain(|_, last| at < last.plus(quiet));
            if self.going_on.len() >= HELD_BACK_MAX {
                self.going_on.clear();
            }
        }
        let last = self.going_on.get(&(place, detector)).copied();
        self.going_on.insert((place, detector), last.map_or(at, |last| last.max(at)));
        let is_new = last.is_none_or(|last| at >= last.plus(quiet));
        self.entry(entry).findings += u64::from(is_new);
        is_new
    }

    /// The same about a function, of the detector `nth` of those about functions.
    pub(crate) fn note_function(
        &mut self,
        (function, nth): (FunctionTag, usize),
        quiet: Span,
        at: Time,
        entry: usize,
    ) -> bool {
        let last = self.functions.insert((function, nth), at);
        let is_new = last.is_none_or(|last| at >= last.plus(quiet));
        self.entry(entry).findings += u64::from(is_new);
        is_new
    }

    fn entry(&mut self, entry: usize) -> &mut Held {
        if self.held.len() <= entry {
            self.held.resize(entry + 1, Held::default());
        }
        &mut self.held[entry]
    }
}
