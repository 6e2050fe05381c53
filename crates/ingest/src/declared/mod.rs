//! Formats that are data: what a file of `infra/formats` declares, ready to read lines.
//!
//! A declared format has needles, literal pieces one of which is in every line it can read, and
//! readings, tried in order: each takes fields out of a message (a pattern's captures, JSON, or
//! `key=value` pairs) and says what they mean. All needles of all formats are looked for in one pass;
//! a line that holds needles of several formats is offered first to the one whose needle is longest,
//! general formats behind all others.
//!
//! Invariants: a reading keeps no state between lines and never panics; patterns are matched in time
//! linear in the line (finite automata, no backtracking); a field that stands twice with different
//! values is none, for then somebody else may have written it.

mod asked;
mod claims;
mod fields;
mod json;
mod pairs;
mod pattern;
mod reading;
mod time_as;
mod unique;

use tidewatch_core::signal::{Outcome, Role, SignalKind};

pub(crate) use asked::{Asked, FieldSet};
pub(crate) use claims::Read;
pub use claims::{Claim, Formats};
pub use fields::WHOLE;
pub use pattern::{Pattern, PatternError};
pub use tidewatch_core::glob::Glob;
pub use time_as::TimeAs;

/// A format as its file declares it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Names it, in statistics and files.
    pub id: String,
    /// The log groups it is for, by name; none for all. A line that is in no log group is for every
    /// format.
    pub log_groups: Vec<Glob>,
    /// At least one of these is in every line it can read. No quotes and no backslashes, so they are
    /// found in raw and in JSON-escaped text alike.
    pub needles: Vec<String>,
    /// Whether it is a net behind the others, for text: asked after all that are not, not about JSON
    /// objects, and silent about lines that it claims and cannot read.
    pub is_general: bool,
    /// Tried in order; the first that fits a message decides.
    pub readings: Vec<Reading>,
}

/// One kind of line of a format.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How fields are taken from the message.
    pub body: Body,
    /// What was tried; a login where nothing is told.
    pub action: Choice<SignalKind>,
    /// How the try ended.
    pub outcome: Choice<Told>,
    /// Whether the account exists.
    pub user_known: Choice<bool>,
    /// Whether the line decides a try or repeats one.
    pub role: Role,
    /// The fields that may hold the username, the first that is there counts.
    pub user: Vec<String>,
    /// Those that may hold the source's address.
    pub source: Vec<String>,
    /// Those that may hold what the client calls itself.
    pub agent: Vec<String>,
    /// Those that may hold the autonomous system that announces the address.
    pub asn: Vec<String>,
    /// Those that may hold the time.
    pub time: Vec<String>,
    /// How that field writes the time, where it does so in no usual way.
    pub time_as: Option<TimeAs>,
    /// The field that says how many tries the line stands for.
    pub attempts: Option<String>,
    /// Names that stand for none, as `-` and `N/A`.
    pub no_user: Vec<Glob>,
    /// How many trusted proxies append to a list of addresses: so many at its end are passed over.
    pub proxies: usize,
}

/// What a message's fields are taken from.
#[derive(Clone, Debug)]
pub enum Body {
    /// The captures of a pattern that must match, and of others that may.
    Text {
        /// Must match.
        pattern: Pattern,
        /// May match, and then add their captures.
        also: Vec<Pattern>,
    },
    /// A JSON object, perhaps behind Lambda's prefix. Fields are paths, `a.b.0`, without regard to case.
    Json(Vec<Condition>),
    /// `key=value` pairs anywhere in the message.
    Pairs(Vec<Condition>),
}

/// A field must have one of these values.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its name or path.
    pub field: String,
    /// `*` stands for anything; case does not matter. None: the field must only be there.
    pub values: Vec<Glob>,
}

/// What a line says of something.
#[derive(Clone, Debug)]
pub enum Choice<T> {
    /// Nothing.
    Untold,
    /// Always the same.
    Always(T),
    /// It depends on a field: the first entry with a glob that fits the value; without one, `otherwise`.
    By {
        /// The fields; the first that is there counts.
        fields: Vec<String>,
        /// Values and what they mean.
        entries: Vec<(Vec<Glob>, T)>,
        /// For any other value, and where none of the fields is there.
        otherwise: Option<T>,
    },
}

/// What a line says about the end of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// This.
    Outcome(Outcome),
    /// It is about no try, or about none that is over: nothing to count.
    Nothing,
}
