//! What an event says by its service's documented fields.

use std::net::IpAddr;

use serde_json::Value;
use tidewatch_core::signal::{Outcome, canonical};
use tidewatch_ingest::username::is_placeholder;

use super::services::{End, SERVICES, SignIn};

/// What is true of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// Of a service that is in no table.
    Unknown,
    /// About no sign-in.
    Other,
    /// A sign-in whose end the event does not tell.
    Undecided,
    /// A sign-in that ended.
    SignIn(Expected),
}

/// What a sign-in must be read as.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// How it ended.
    pub outcome: Outcome,
    /// What the event calls whoever signed in: any of these; none if it hides or lacks all names.
    pub actors: Vec<String>,
    /// Where from: any of these, none if it tells no address.
    pub sources: Vec<IpAddr>,
}

/// Errors of AWS that are about a request's form, a limit or the service, by how their codes begin.
const ABOUT_NO_CREDENTIAL: [&str; 7] = [
    "Throttling",
    "Validation",
    "Malformed",
    "PackedPolicy",
    "RegionDisabled",
    "Service",
    "Internal",
];

/// What is true of an event of this type.
pub fn truth(log_type: &str, log: &Value) -> Truth {
    let Some(service) = SERVICES.iter().find(|service| service.log_type == log_type) else {
        return Truth::Unknown;
    };
    let Some(kind) = service.sign_ins.iter().find(|kind| fits(kind, log)) else {
        return Truth::Other;
    };
    let Some(outcome) = outcome(kind, log) else { return Truth::Undecided };
    let actors = kind.actor.iter().filter_map(|path| text(log, path));
    let actors = actors.filter(|name| !name.is_empty() && !is_placeholder(name)).collect();
    let sources = kind.source.iter().filter_map(|path| text(log, path));
    let sources = sources.filter_map(|text| address(&text)).collect();
    Truth::SignIn(Expected { outcome, actors, sources })
}

fn fits(kind: &SignIn, log: &Value) -> bool {
    let has = |(path, values): &(&str, &[&str])| {
        text(log, path).is_some_and(|value| values.iter().any(|it| it.eq_ignore_ascii_case(&value)))
    };
    kind.is.iter().all(has) && !kind.is_not.iter().any(has)
}

fn outcome(kind: &SignIn, log: &Value) -> Option<Outcome> {
    let (fields, successes, failures, undecided, otherwise) = match kind.end {
        End::Always(outcome) => return Some(outcome),
        End::By { fields, successes, failures, undecided, otherwise } => {
            (fields, successes, failures, undecided, otherwise)
        }
        End::Error(field) => {
            let code = text(log, field).filter(|code| !code.is_empty());
            let Some(code) = code else { return Some(Outcome::Success) };
            let is_about_it = !ABOUT_NO_CREDENTIAL.iter().any(|prefix| code.starts_with(prefix));
            return is_about_it.then_some(Outcome::Failure);
        }
    };
    let value = fields.iter().find_map(|path| text(log, path))?;
    let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(&value));
    if is(successes) {
        return Some(Outcome::Success);
    }
    if is(failures) { Some(Outcome::Failure) } else { otherwise.filter(|_| !is(undecided)) }
}

/// The address in a text, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim().parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.or_else(with_port).map(canonical)
}

/// A scalar at a path, as text. Names are compared without regard to case, which some pipelines change; a
/// name may hold dots; a string may hold an object.
fn text(log: &Value, path: &str) -> Option<String> {
    match log {
        Value::Object(fields) => {
            let of = |name: &str| fields.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
            if let Some((_, value)) = of(path) {
                return scalar(value);
            }
            path.match_indices('.').find_map(|(dot, _)| {
                let (_, value) = of(&path[..dot])?;
                text(value, &path[dot + 1..])
            })
        }
        Value::Array(list) => {
            let (index, rest) = path.split_once('.')?;
            text(list.get(index.parse::<usize>().ok()?)?, rest)
        }
        Value::String(inner) if inner.starts_with('{') => {
            text(&serde_json::from_str(inner).ok()?, path)
        }
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sign_in(outcome: Outcome, actors: &[&str], source: &str) -> Truth {
        let actors = actors.iter().map(|name| (*name).to_owned()).collect();
        let sources = source.parse().ok().into_iter().collect();
        Truth::SignIn(Expected { outcome, actors, sources })
    }

    #[test]
    fn an_event_is_what_its_service_documents() {
        let console = |end: Value| {
            json!({
                "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
                "sourceIPAddress": "192.0.2.7", "responseElements": end,
                "userIdentity": { "userName": "HIDDEN_DUE_TO_SECURITY_REASONS" },
            })
        };
        let failure = sign_in(Outcome::Failure, &[], "192.0.2.7");
        let cases = [
            ("AWS.CloudTrail", console(json!({ "ConsoleLogin": "Failure" })), failure),
            ("AWS.CloudTrail", console(json!(null)), Truth::Undecided),
            ("AWS.CloudTrail", json!({ "eventName": "ListBuckets" }), Truth::Other),
            (
                "AWS.CloudTrail",
                json!({
                    "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
                    "errorCode": "ThrottlingException",
                }),
                Truth::Undecided,
            ),
            ("Nobody.Knows", json!({ "event": "login" }), Truth::Unknown),
            (
                "Azure.Audit",
                json!({
                    "category": "SignInLogs", "resulttype": 50126, "calleripaddress": "192.0.2.7",
                    "properties": { "userPrincipalName": "ann@example.com" },
                }),
                sign_in(Outcome::Failure, &["ann@example.com"], "192.0.2.7"),
            ),
            (
                "Azure.Audit",
                json!({ "category": "SignInLogs", "resultType": "50076" }),
                Truth::Undecided,
            ),
            (
                "Gravitational.TeleportAudit",
                json!({ "event": "user.login", "success": true, "user": "ann", "addr.remote": "[2001:db8::7]:4000" }),
                sign_in(Outcome::Success, &["ann"], "2001:db8::7"),
            ),
            (
                "Duo.Administrator",
                json!({ "action": "admin_login", "username": "Ann", "description": "{\"ip_address\": \"192.0.2.7\"}" }),
                sign_in(Outcome::Success, &["Ann"], "192.0.2.7"),
            ),
            (
                "GSuite.ActivityEvent",
                json!({ "id": { "applicationName": "login" }, "events": [{ "name": "login_failure" }] }),
                sign_in(Outcome::Failure, &[], ""),
            ),
            (
                "AWS.CloudTrail",
                json!({
                    "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
                    "userIdentity": { "type": "AWSService", "invokedBy": "lambda.amazonaws.com" },
                }),
                Truth::Other,
            ),
        ];
        for (log_type, log, expected) in cases {
            assert_eq!(truth(log_type, &log), expected, "{log_type} {log}");
        }
    }
}
