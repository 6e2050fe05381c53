//! What an application or a gateway says of who asked for something.
//!
//! Such a line costs nothing itself. Where it names the invocation that served the request, it says whose that
//! invocation was.

use std::net::IpAddr;

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
    /// How many bytes were sent back.
    pub bytes_out: u64,
}
