//! Formats: what turns one log message into what it says.
//!
//! Each format has literal needles, for the pass that finds candidate lines, and a reader, which
//! takes the message apart. Everything that is special to a format stands in its own module, because
//! formats become data files later. Invariants: a reader keeps no state between lines, never panics,
//! and would rather say nothing than a wrong name or a wrong source.

mod address;
mod json_auth;
mod json_fields;
mod json_names;
mod lexicon;
mod sshd;
mod words;

use tidewatch_core::signal::Auth;

use crate::problem::Problem;
use crate::username::Naming;
use crate::when::When;

/// The formats that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// OpenSSH's sshd through syslog.
    Sshd,
    /// Authentication events of applications as flat JSON objects, one a line.
    JsonAuth,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 2] = [Format::Sshd, Format::JsonAuth];

    /// Literal substrings, at least one of which is in every line that the format can read. They
    /// hold neither quotes nor backslashes, so they are found in raw and in JSON-escaped text alike.
    pub fn needles(self) -> &'static [&'static str] {
        match self {
            Format::Sshd => sshd::NEEDLES,
            Format::JsonAuth => json_auth::NEEDLES,
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
        /// The time the message itself gives.
        when: Option<When>,
        /// Whether the message gives a time that cannot be read: then, where no envelope gives one
        /// either, the line is rejected for that reason and not for having no time.
        time_unreadable: bool,
        /// What was tried.
        auth: Auth,
    },
    /// A line that repeats an attempt, from a source that is given by host name: counted, so that
    /// the summary can say what addresses leave out.
    HostnameSource,
    /// A line that should be readable and is not.
    Unreadable(Problem),
}

/// Reads one log message: unescaped, without its line end; it may carry Lambda's text prefix.
pub fn read(format: Format, message: &str, naming: &Naming) -> Said {
    match format {
        Format::Sshd => sshd::read(message, naming),
        Format::JsonAuth => json_auth::read(message, naming),
    }
}
