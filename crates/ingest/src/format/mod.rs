//! Formats: what turns one log message into what it says.
//!
//! Each format has literal needles, for the pass that finds candidate lines, and a reader, which
//! takes the message apart. Everything that is special to a format stands in its own module, because
//! formats become data files later. Invariants: a reader keeps no state between lines, never panics,
//! and would rather say nothing than a wrong name or a wrong source.

mod access;
mod address;
mod flat;
mod json_auth;
mod json_fields;
mod json_holders;
mod json_names;
mod json_object;
mod lambda;
mod lexicon;
mod memo;
mod printed;
mod sshd;
mod words;

use tidewatch_core::access::Access;
use tidewatch_core::invocation::Invocation;
use tidewatch_core::signal::Auth;

pub(crate) use access::{CALLER_NEEDLES, NEEDLES as BYTES_NEEDLES};
pub(crate) use address::endpoint;
pub(crate) use flat::Seen;
pub(crate) use json_auth::{is_printed, object};
pub use lambda::PHRASES as INVOCATION_PHRASES;
pub(crate) use memo::Memos;

use crate::problem::Problem;
use crate::username::Names;
use crate::when::When;

/// The formats that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// OpenSSH's sshd through syslog.
    Sshd,
    /// Authentication events of applications as JSON objects, one a line.
    JsonAuth,
    /// What AWS Lambda's platform writes about invocations; read only where that is asked for.
    Lambda,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 3] = [Format::Lambda, Format::Sshd, Format::JsonAuth];

    /// Names it, as ids name declared formats.
    pub fn name(self) -> &'static str {
        match self {
            Format::Sshd => "sshd",
            Format::JsonAuth => "json",
            Format::Lambda => "lambda",
        }
    }

    /// Literal substrings, at least one of which is in every line that the format can read. They
    /// hold neither quotes nor backslashes, so they are found in raw and in JSON-escaped text alike.
    pub fn needles(self) -> &'static [&'static str] {
        match self {
            Format::Sshd => sshd::NEEDLES,
            Format::JsonAuth => json_auth::NEEDLES,
            Format::Lambda => lambda::NEEDLES,
        }
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// Nothing that is counted.
    Nothing,
    /// A signal.
    Signal {
        /// The time the message itself gives, as far as it was looked for.
        when: Option<When>,
        /// Whether the message gives a time that cannot be read: then, where no envelope gives one
        /// either, the line is rejected for that reason and not for having no time.
        time_unreadable: bool,
        /// What was tried.
        auth: Auth,
    },
    /// A signal about an invocation, its fields as those of [`Said::Signal`].
    #[expect(missing_docs, reason = "said above")]
    Invocation { when: Option<When>, time_unreadable: bool, invocation: Invocation },
    /// A line that repeats an attempt, from a source that is given by host name: counted, so that
    /// the summary can say what addresses leave out.
    HostnameSource,
    /// A line with a needle of a declared format, by its place, that neither it nor any other reads.
    PassedOver(usize),
    /// A line that should be readable and is not.
    Unreadable(Problem),
}

/// Reads one log message: unescaped, without its line end; it may carry Lambda's text prefix. `log_group` is
/// empty where there is none. For a message that is `timed` from outside, a reader need not look for a time
/// in it.
pub(crate) fn read(
    format: Format,
    message: &str,
    (log_group, timed): (&str, bool),
    names: &Names,
    memos: &mut Memos,
) -> Said {
    match format {
        Format::Sshd => sshd::read(message, names),
        Format::JsonAuth => json_auth::read(message, timed, names, memos),
        Format::Lambda => lambda::read(message, log_group, names).unwrap_or(Said::Nothing),
    }
}

/// What a message that is still escaped says if it is a text report of Lambda's; `None` where it has to be
/// unescaped to know.
#[inline]
pub(crate) fn read_escaped_report(message: &str, log_group: &str, names: &Names) -> Option<Said> {
    lambda::read_escaped(message, log_group, names)
}

/// Who asked for something, and the time that the message gives, if it says so.
pub(crate) fn read_access(
    message: &str,
    log_group: &str,
    names: &Names,
) -> Option<(Access, Option<When>)> {
    access::read(message, log_group, names)
}

/// Whether a message names a login, and tells nowhere how it ended; for messages that say nothing.
pub(crate) fn lacks_outcome(message: &str, memos: &mut Memos) -> bool {
    json_auth::lacks_outcome(message, memos)
}

/// Whether a message that nobody reads has the text of one of Lambda's reports in it.
pub(crate) fn imitates_report(message: &str) -> bool {
    lambda::imitates(message)
}

/// What all built-in formats make of a flat object, which may be still `ESCAPED` as a JSON string; `None` where it
/// is none and takes more to know.
pub(crate) fn read_flat<const ESCAPED: bool>(
    message: &str,
    timed: bool,
    names: &Names,
    memos: &mut Memos,
) -> Option<(Said, Seen)> {
    // Of an object that is read at all, only one format makes anything.
    json_auth::read_flat::<ESCAPED>(message, timed, names, memos)
}
