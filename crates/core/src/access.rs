//! What an application or a gateway says of who asked for something.
//!
//! Such a line costs nothing itself. Where it names the invocation that served the request, it says whose that
//! invocation was; and by what was sent back detectors tell what somebody has got hold of.

use std::net::IpAddr;

use crate::signal::{Auth, Outcome, Role, SignalKind, canonical};
use crate::tag::{RequestTag, UserTag};

/// Who asked for what, as far as the line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The invocation of a Lambda function that served it.
    pub request: Option<RequestTag>,
    /// Who asked: a user, a tenant, a role; tagged as usernames are.
    pub principal: Option<UserTag>,
    /// The key that was shown, or its id; tagged as usernames are.
    pub api_key: Option<UserTag>,
    /// Where from.
    pub source: Option<IpAddr>,
    /// What for: a route, not the path with its parameters where both are told. At most
    /// [`ROUTE_BYTES_MAX`](crate::limits::ROUTE_BYTES_MAX).
    pub route: Option<Box<str>>,
    /// How many bytes were sent back, at most [`BYTES_OUT_MAX`](crate::limits::BYTES_OUT_MAX).
    pub bytes_out: u64,
    /// Whether the line says so, be it that there were none.
    pub tells_bytes: bool,
    /// Whether it was refused.
    pub refused: bool,
    /// What was asked for, as one thing among many of its kind: the path, or an object of a bucket, tagged.
    pub resource: Option<u64>,
}

impl Access {
    /// As what detectors count: a try of its principal from its source, that got what it asked for or not.
    pub fn tried(&self) -> Auth {
        Auth {
            action: SignalKind::Access,
            role: Role::Attempt,
            outcome: if self.refused { Outcome::Failure } else { Outcome::Success },
            user_known: None,
            user: self.principal,
            source: self.source.map(canonical),
            asn: None,
            agent: None,
            attempts: 1,
        }
    }
}
