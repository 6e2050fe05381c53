//! The objects inside an event in which loggers put its fields, and what may be read in each.
//!
//! One rule for all loggers: a field of an object is what its dotted name would be (`user.name` is
//! `username`, `event.outcome` is `eventoutcome`), and failing that what its own name is, if a field of
//! that kind belongs into such an object. So a user's object gives names and not states, a request gives
//! an address and no outcome, and what is in no list (a device, a query, a body that the client wrote)
//! gives nothing. Objects inside others give at most what all around them may give.

use super::json_names::{Name, Part};
use super::lexicon::Lexicon;

/// Objects inside each other that are looked into: a logger's envelope, its event, and what that holds.
pub(super) const DEPTH_MAX: u8 = 3;

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The event, or more of its fields.
    Event,
    /// What was around it.
    Context,
    Who,
    Where,
    Request,
    /// A request's headers: the client writes them, but for what proxies append.
    Headers,
    Response,
    /// How it ended.
    Result,
    Error,
}

/// An object: the name its fields' names are put behind, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    joined: &'static str,
    kind: Kind,
    /// Of [`Part`]s, one bit each: what may be read in it.
    allowed: u32,
}

/// What may be read in a line.
pub(super) const LINE: Object = Object { joined: "", kind: Kind::Event, allowed: u32::MAX };

const EVENTS: &[&str] = &[
    "message",
    "msg",
    "data",
    "eventdata",
    "detail",
    "details",
    "payload",
    "jsonpayload",
    "fields",
    "extra",
    "extras",
    "attributes",
    "attrs",
    "properties",
    "props",
    "record",
    "audit",
    "auth",
    "authentication",
    "login",
    "signin",
];
const CONTEXTS: &[&str] =
    &["context", "ctx", "contextmap", "mdc", "meta", "metadata", "additionaldata"];
const WHO: &[&str] =
    &["account", "actor", "principal", "identity", "subject", "member", "customer"];
/// A `requestContext` is API Gateway's; its account is that of the API.
const WHERE: &[&str] =
    &["source", "client", "peer", "remote", "network", "connection", "origin", "requestcontext"];

/// Objects by name, with the name before their fields' names.
static OBJECTS: Lexicon<(Kind, &str), 256> = same(
    same(same(same(aliases(), EVENTS, Kind::Event), CONTEXTS, Kind::Context), WHO, Kind::Who),
    WHERE,
    Kind::Where,
);

const fn aliases() -> Lexicon<(Kind, &'static str), 256> {
    Lexicon::new()
        .with(&["event", "evt"], (Kind::Event, "event"))
        .with(&["user", "usr", "targetuser"], (Kind::Who, "user"))
        .with(&["src", "srcendpoint"], (Kind::Where, "source"))
        .with(&["request", "req", "http", "httprequest"], (Kind::Request, "request"))
        .with(&["url"], (Kind::Request, "url"))
        .with(&["headers"], (Kind::Headers, ""))
        .with(&["response", "res", "httpresponse"], (Kind::Response, "response"))
        .with(&["result"], (Kind::Result, "result"))
        .with(&["outcome"], (Kind::Result, "outcome"))
        .with(&["error", "err", "exception"], (Kind::Error, "error"))
}

const fn same(
    mut objects: Lexicon<(Kind, &'static str), 256>,
    names: &[&'static str],
    kind: Kind,
) -> Lexicon<(Kind, &'static str), 256> {
    let mut at = 0;
    while at < names.len() {
        objects = objects.and(names[at], (kind, names[at]));
        at += 1;
    }
    objects
}

impl Kind {
    /// What may stand in it; responses and requests stand in `http` objects, so a request is allowed a
    /// status.
    const fn allowed(self) -> u32 {
        use Part::*;
        let parts: &[Part] = match self {
            Kind::Event => return u32::MAX,
            Kind::Context => &[Source, User, Path, Method, Status],
            Kind::Who => &[User, Source, Known, Unknown],
            Kind::Where | Kind::Headers => &[Source],
            Kind::Request => &[Source, User, Path, Method, Status],
            Kind::Response => &[Status],
            Kind::Result => &[Outcome, Passed, Failed, Status, Reason, Error, Known, Unknown],
            Kind::Error => &[Error, Reason, Status],
        };
        let (mut bits, mut at) = (0, 0);
        while at < parts.len() {
            bits |= 1 << parts[at] as u32;
            at += 1;
        }
        bits
    }
}

impl Object {
    /// The part that a field of this object plays, and its place among the names.
    pub(super) fn part_of(&self, name: &Name) -> Option<(Part, u8)> {
        if self.kind == Kind::Headers {
            return name.part().filter(|_| name.bytes() == b"xforwardedfor");
        }
        let joined = (!self.joined.is_empty()).then(|| name.behind(self.joined)).flatten();
        let known = joined.and_then(|joined| joined.part()).or_else(|| {
            let own = name.part()?;
            (self.kind.allowed() & 1 << own.0 as u32 != 0).then_some(own)
        });
        known.filter(|(part, _)| self.allowed & 1 << *part as u32 != 0)
    }

    /// The object that is a field of this one; `None` if nothing is to be read in it.
    pub(super) fn inside(&self, name: &Name) -> Option<Object> {
        if self.kind == Kind::Headers {
            return None;
        }
        let (kind, joined) = OBJECTS.get(name.bytes())?;
        let allowed = self.allowed & self.kind.allowed();
        (allowed & kind.allowed() != 0).then_some(Object { joined, kind, allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a field at the end of a path of names plays.
    fn part(path: &str) -> Option<Part> {
        let (around, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut object = LINE;
        for step in around.split('/').filter(|step| !step.is_empty()) {
            object = object.inside(&Name::of(step)?)?;
        }
        object.part_of(&Name::of(name)?).map(|(part, _)| part)
    }

    #[test]
    fn objects_give_what_belongs_into_them() {
        use Part::*;
        let cases = [
            ("user/name", Some(User)),
            ("user/status", None),
            ("user/type", None),
            ("user/created_at", None),
            ("user/exists", Some(Known)),
            ("actor/user/email", Some(User)),
            ("source/ip", Some(Source)),
            ("source/user", None),
            ("src_endpoint/ip", Some(Source)),
            ("event/outcome", Some(Outcome)),
            ("message/event/action", Some(Event)),
            ("data/type", Some(Event)),
            ("context/type", None),
            ("context/status", None),
            ("context/client/ip", Some(Source)),
            ("requestContext/identity/sourceIp", Some(Source)),
            ("requestContext/accountId", None),
            ("req/remoteAddress", Some(Source)),
            ("req/body/ip", None),
            ("req/headers/x-forwarded-for", Some(Source)),
            ("req/headers/x-client-ip", None),
            ("req/headers/user/ip", None),
            ("res/statusCode", Some(Status)),
            ("http/response/status_code", Some(Status)),
            ("error/message", Some(Error)),
            ("err/user", None),
            ("outcome/result", Some(Outcome)),
            ("device/ip", None),
            ("query/user", None),
        ];
        for (path, expected) in cases {
            assert_eq!(part(path), expected, "{path}");
        }
    }
}
