//! A finding: a verdict with who, when, where and what, as one episode with one uid.
//!
//! The uid is a pure function of detector, key and the episode's start, and does not depend on the
//! tagging key for keys that are addresses: two runs over the same log give the same uids.

use std::net::IpAddr;

use crate::accounts::Account;
use crate::detector::{Attack, Comparison, Confidence, Severity};
use crate::key::Key;
use crate::lists::Listed;
use crate::signal::Origin;
use crate::spend::spending::Spending;
use crate::time::{Span, Time};

/// One message about an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// 32 hexadecimal digits, the same in every message of one episode.
    pub uid: String,
    /// Opened, still going on, or over.
    pub activity: Activity,
    /// How bad it is at its worst so far.
    pub severity: Severity,
    /// How sure it is, where its detector says so.
    pub confidence: Option<Confidence>,
    /// [`crate::detector::Detector::id`].
    pub detector: String,
    /// [`crate::detector::Detector::title`].
    pub title: String,
    /// [`crate::detector::Detector::description`].
    pub description: String,
    /// [`crate::detector::Detector::advice`].
    pub advice: String,
    /// [`crate::detector::Detector::attacks`].
    pub attacks: Vec<Attack>,
    /// Whom it is about.
    pub key: Key,
    /// What the client in the key calls itself, at most [`crate::limits::AGENT_BYTES_SHOWN_MAX`] bytes; `None` where
    /// the key has none, or this process has not seen it.
    pub agent: Option<Box<str>>,
    /// When this message was made, on the clock that was passed in.
    pub time: Time,
    /// The event time of the line that opened the episode.
    pub start: Time,
    /// The earliest event of the window that opened it, as far as it is kept.
    pub first_seen: Time,
    /// The event time of the latest line that kept the episode going.
    pub last: Time,
    /// The span the numbers are counted over.
    pub window: Span,
    /// How long it must be quiet to close.
    pub quiet: Span,
    /// Every measure of the detector, as counted when this message was made.
    pub measures: Vec<Measured>,
    /// Since when values that are new, or known, are seen.
    pub since: Vec<SeenSince>,
    /// The conditions of the severity raised, with the numbers that met them.
    pub decided: Vec<Decided>,
    /// The largest number the first of the conditions has seen in any window of the episode, as far
    /// as it was looked at: once a pane, a thirtieth of the window.
    pub peak: f64,
    /// Source addresses: the key itself for an IPv4 source, up to 8 recent ones for a /64, the top
    /// 32 by attempts for other keys.
    pub sources: Vec<IpAddr>,
    /// How many sources there were in the window; more than `sources` where that is capped.
    pub sources_total: u64,
    /// Log events that decided, the opening one first, at most [`crate::limits::SAMPLES_MAX`].
    pub samples: Vec<Origin>,
    /// Names that were tried in the window, at most [`crate::limits::ACCOUNTS_MAX`]; none where the key is a
    /// user itself.
    pub accounts: Vec<Account>,
    /// The lists that more of these names stand on than chance brings there.
    pub listed: Vec<Listed>,
    /// The other detectors that raise about the same key.
    pub also: Vec<Also>,
    /// The sources behind a finding that speaks for many, those with most failures first, at most
    /// [`crate::limits::MEMBERS_MAX`]: all of a /24 that raise on their own, and those of `sources`.
    pub members: Vec<Member>,
    /// What a finding about a function says besides.
    pub spending: Option<Box<Spending>>,
}

/// A source behind a finding that speaks for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The source; of an IPv6 one the first address of its /64.
    pub source: IpAddr,
    /// Its failed attempts in the window.
    pub failures: u64,
    /// How badly it raises on its own.
    pub raised: Option<Severity>,
}

/// Another detector that raises about the key of a finding, or did: see [`crate::detector::Detector::after_within`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Also {
    /// [`crate::detector::Detector::id`].
    pub detector: String,
    /// How bad it finds it.
    pub severity: Severity,
    /// Its own finding, where one was told and is open, or counts still for the detector that names it.
    pub uid: Option<String>,
}

/// Which message of an episode this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The first.
    Create,
    /// A worse severity, or twice the number of the last message, or an episode taken up again.
    Update,
    /// The last: it has been quiet.
    Close,
}

/// A measure and its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The measure's name.
    pub name: String,
    /// Its number.
    pub value: Value,
}

/// Since when one of the values that a measure counts is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSince {
    /// The measure's name.
    pub measure: String,
    /// The earliest first sighting among them.
    pub first: Time,
    /// Whether they are new, else known.
    pub is_new: bool,
}

/// A number and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The number reported.
    pub amount: f64,
    /// How far it may be off.
    pub error: Accuracy,
}

/// How far a number may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// Not at all.
    Exact,
    /// It counts a span at most this much longer than the window: the oldest pane is counted whole.
    Pane(Span),
    /// Estimated by a sketch over a span at most `pane` longer than the window.
    Sketch {
        /// Relative standard error, e.g. 0.023.
        relative: f64,
        /// The oldest pane, which is taken whole.
        pane: Span,
    },
    /// At least this many; no sketch stands behind the full list.
    AtLeast,
    /// At most this many: of those that count as new some may have been lost by a full list.
    AtMost,
}

/// A condition that held.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The measure's name.
    pub measure: String,
    /// Its number.
    pub amount: f64,
    /// How it was compared.
    pub comparison: Comparison,
    /// The number it was compared with, a factor already applied.
    pub threshold: f64,
    /// The condition as the file writes it, e.g. `unknown_users >= 0.5 * users`.
    pub condition: String,
}
