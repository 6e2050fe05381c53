//! What a log line says, typed. Ingest makes signals, this crate counts them.
//!
//! A signal holds no raw username, only its tag. A source address is kept whole: keys and evidence
//! need it.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::Access;
use crate::invocation::Invocation;
use crate::tag::{AgentTag, EventTag, LogTag, UserTag};
use crate::time::Time;

/// One log event that says something a detector may count.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// When it happened, from the event itself.
    pub time: Time,
    /// Who it is, for recognising a second delivery.
    pub event: EventTag,
    /// Where it stands, for a person who wants to read it.
    pub origin: Origin,
    /// What it says.
    pub body: Body,
}

/// What a signal says. Detectors read what is of their [`SignalKind`]; invocations are counted by the meter
/// and are of none. Who asked for something is for both.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Somebody tried to log in, to get an account's password set anew, or to get an account.
    Auth(Auth),
    /// A Lambda function ran.
    Invocation(Invocation),
    /// Somebody asked for something. In a box, because few runs ask for these.
    Access(Box<Access>),
}

impl Body {
    /// What was tried, if it is that.
    pub fn auth(&self) -> Option<&Auth> {
        match self {
            Body::Auth(auth) => Some(auth),
            Body::Invocation(_) | Body::Access(_) => None,
        }
    }
}

/// The kinds of signal. A detector reads one of them, and what is counted of one is never counted of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// A login.
    #[default]
    Auth,
    /// A new password for an account, a code or a link to set one, or a try to use such a code.
    Reset,
    /// An account of one's own, asked for, confirmed or made.
    SignUp,
    /// A request that was answered: see [`Access`].
    Access,
}

impl SignalKind {
    /// All of them.
    pub const ALL: [SignalKind; 4] =
        [SignalKind::Auth, SignalKind::Reset, SignalKind::SignUp, SignalKind::Access];

    /// Those that are tried: what formats read and call by their [`SignalKind::action`].
    pub const TRIED: [SignalKind; 3] = [SignalKind::Auth, SignalKind::Reset, SignalKind::SignUp];

    /// The name in detector files.
    pub fn name(self) -> &'static str {
        match self {
            SignalKind::Auth => "auth",
            SignalKind::Reset => "reset",
            SignalKind::SignUp => "sign-up",
            SignalKind::Access => "access",
        }
    }

    /// What somebody tried, as format files and cases name it.
    pub fn action(self) -> &'static str {
        match self {
            SignalKind::Auth => "login",
            SignalKind::Reset | SignalKind::SignUp | SignalKind::Access => self.name(),
        }
    }
}

/// An attempt, or a mention of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth {
    /// What was tried.
    pub action: SignalKind,
    /// Whether the line decides a try or repeats what another line of the same try says.
    pub role: Role,
    /// How the try ended.
    pub outcome: Outcome,
    /// Whether the account exists; `None` where the source does not say.
    pub user_known: Option<bool>,
    /// The name tried; `None` where the source hides it. An empty name is a name.
    pub user: Option<UserTag>,
    /// Where it came from, never an IPv4-mapped IPv6 address (see [`canonical`]); `None` where the
    /// line gives a host name or nothing.
    pub source: Option<IpAddr>,
    /// The number of the autonomous system that announces the source; `None` where nobody looked it up.
    pub asn: Option<u32>,
    /// What the client says it is; `None` where the line does not tell, or nobody asks.
    pub agent: Option<AgentTag>,
    /// How many tries the line stands for (a repeated line N times is N); at least 1.
    pub attempts: u32,
}

/// Attempt or mention: `sum` takes attempts only, `count` one of the two, `distinct` both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A decided try.
    Attempt,
    /// Another line about a try that a line of its own decides.
    Mention,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Refused.
    Failure,
    /// Let in; of a reset or a sign-up: taken.
    Success,
}

/// The log stream and the event in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The stream, shared by all signals of one envelope or one input.
    pub stream: Arc<LogStream>,
    /// The event in the stream.
    pub id: EventId,
}

/// Names a log stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStream {
    /// The AWS account id, empty for a local input.
    pub account: String,
    /// The log group, empty for a local input.
    pub group: String,
    /// The log stream, or the local input's name (`-` for standard input).
    pub stream: String,
}

impl LogStream {
    /// What stands in the place of the account where log events are a rehearsal's: no account's number, so
    /// that no real log can be taken for one.
    pub const SIMULATED: &str = "simulated";

    /// How the names of log streams begin that `tidewatch prove` writes to. There the account is real, for the
    /// events go through CloudWatch Logs; and what is logged cannot choose the stream it stands in.
    pub const PROVED: &str = "tidewatch-prove/";

    /// Stands for the log group, or for the input where there is none.
    pub fn log(&self) -> LogTag {
        LogTag::of(&self.account, if self.group.is_empty() { &self.stream } else { &self.group })
    }

    /// Whether its events were made up.
    pub fn is_simulated(&self) -> bool {
        let is_proof = !self.account.is_empty() && self.stream.starts_with(LogStream::PROVED);
        self.account == LogStream::SIMULATED || is_proof
    }
}

/// Names an event in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventId {
    /// CloudWatch's event id.
    CloudWatch(Box<str>),
    /// A local input's line: the byte offset of its first byte, after decompression.
    Offset(u64),
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EventId::CloudWatch(id) => f.write_str(id),
            EventId::Offset(offset) => write!(f, "{offset}"),
        }
    }
}

/// The address itself, or the IPv4 address inside an IPv4-mapped IPv6 one (RFC 4291, 2.5.5.2), so
/// that one source cannot appear under two addresses.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
