//! Who asked for something: JSON objects of applications and gateways that name a caller, a key, a route or an
//! address.
//!
//! There is no standard for these lines, so fields are known by many names, compared without case and
//! separators, in the object and in those that gateways put into it; of two names of one field the one that
//! stands first in the list counts. The request is Lambda's: a UUID in the text prefix, or in a field that is
//! called so; in a gateway's own log only the field that names the integration's request.

use std::net::IpAddr;

use serde_json::{Map, Value};
use tidewatch_core::access::Access;
use tidewatch_core::invocation::function_of;
use tidewatch_core::limits::ROUTE_BYTES_MAX;
use tidewatch_core::signal::canonical;

use super::address::{bare, endpoint};
use super::lambda::uuid;
use crate::nesting;
use crate::stamp;
use crate::username::{Names, is_placeholder};
use crate::when::When;

/// Objects that are looked into.
const HOLDERS: [&str; 9] = [
    "identity",
    "authorizer",
    "requestcontext",
    "message",
    "data",
    "http",
    // CloudTrail's, of objects read from buckets.
    "useridentity",
    "requestparameters",
    "additionaleventdata",
];

const PRINCIPAL: [&str; 11] = [
    "principalid",
    "principal",
    "userarn",
    "caller",
    "sub",
    "tenantid",
    "tenant",
    "customerid",
    "userid",
    "username",
    "user",
];
const API_KEY: [&str; 2] = ["apikeyid", "apikey"];
const SOURCE: [&str; 8] = [
    "sourceip",
    "sourceipaddress",
    "clientip",
    "srcip",
    "remoteip",
    "ip",
    "remoteaddr",
    "xforwardedfor",
];
const ROUTE: [&str; 4] = ["routekey", "resourcepath", "route", "path"];
const BYTES_OUT: [&str; 7] = [
    "responselength",
    "responsebytes",
    "responsesize",
    "bytesout",
    "bytessent",
    "bodybytessent",
    "bytestransferredout",
];

/// One of these is in every message that tells how many bytes were sent back, as such fields are usually spelt.
pub(crate) const NEEDLES: [&str; 14] = [
    "esponseLength",
    "esponse_length",
    "esponse-length",
    "esponseBytes",
    "esponse_bytes",
    "esponseSize",
    "esponse_size",
    "ytesOut",
    "ytes_out",
    "ytesSent",
    "ytes_sent",
    "ytesTransferredOut",
    "responselength",
    "bytessent",
];

/// One of these is in every message that names a principal, a key or an address, as such fields are usually spelt; with
/// other letters in front, or the first one large.
pub(crate) const CALLER_NEEDLES: [&str; 16] = [
    "rincipal",
    "ser",
    "aller",
    "sub",
    "enant",
    "ustomer",
    "piKey",
    "PIKey",
    "pi_key",
    "apikey",
    "Ip",
    "IP",
    "ip",
    "emoteAddr",
    "emote_addr",
    "orwarded",
];

/// Where the thing that was asked for is told, its path or the path it stands for.
const PATH: [&str; 4] = ["path", "requestpath", "requesturi", "uri"];
const STATUS: [&str; 3] = ["status", "statuscode", "responsestatus"];

const LAMBDA_REQUEST: [&str; 3] = ["integrationrequestid", "awsrequestid", "lambdarequestid"];
const TIME: [&str; 3] = ["timestamp", "time", "requesttime"];

/// The fields of an object, by their plain names.
struct Fields<'v>(Vec<(String, &'v Value)>);

/// Reads one message; `None` where it names nobody and nothing. With it the time the message gives.
pub(super) fn read(
    message: &str,
    log_group: &str,
    names: &Names,
) -> Option<(Access, Option<When>)> {
    let json_at = message.find('{')?;
    let (prefix, json) = message.split_at(json_at);
    if nesting::too_deep(json.as_bytes()) {
        return None;
    }
    let Ok(Value::Object(object)) = serde_json::from_str(json.trim_ascii_end()) else {
        return None;
    };
    let mut fields = Fields(Vec::new());
    fields.collect(&object, true);
    let tag = |name: Option<String>| name.map(|name| names.tag(&name));
    let is_function = log_group.is_empty() || function_of(log_group).is_some();
    let request = in_prefix(prefix)
        .or_else(|| fields.uuid(&LAMBDA_REQUEST))
        .or_else(|| fields.uuid(&["requestid"]).filter(|_| is_function));
    let bytes_out = fields.find(&BYTES_OUT);
    let access = Access {
        request: request.map(|id| names.naming.key.request(id)),
        principal: tag(fields.name(&PRINCIPAL)),
        api_key: tag(fields.name(&API_KEY)),
        source: fields.find(&SOURCE).and_then(Value::as_str).and_then(address),
        route: fields.route(),
        bytes_out: bytes_out.and_then(number).unwrap_or(0),
        tells_bytes: bytes_out.is_some(),
        refused: fields.is_refused(),
        resource: fields.resource().map(|name| names.naming.key.resource(name.as_bytes())),
    };
    let says = access.principal.is_some()
        || access.api_key.is_some()
        || access.source.is_some()
        || access.route.is_some();
    let when = fields.find(&TIME).and_then(Value::as_str).and_then(stamp::json_text);
    says.then_some((access, when))
}

/// The request in Lambda's text prefix, which ends in front of the object.
fn in_prefix(prefix: &str) -> Option<u128> {
    prefix.split('\t').find_map(uuid)
}

impl<'v> Fields<'v> {
    fn collect(&mut self, object: &'v Map<String, Value>, may_hold: bool) {
        for (name, value) in object {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let plain = plain.to_ascii_lowercase();
            match value {
                Value::Object(inner) if may_hold && HOLDERS.contains(&plain.as_str()) => {
                    self.collect(inner, plain == "requestcontext");
                }
                value => self.0.push((plain, value)),
            }
        }
    }

    /// The value of the first of these names that is there.
    fn find(&self, names: &[&str]) -> Option<&'v Value> {
        names.iter().find_map(|name| {
            let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
            Some(*value)
        })
    }

    /// The text of the first of these names that has one.
    fn name(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.find(&[*name])? {
            Value::String(text) => {
                let is_told = !text.is_empty() && text != "-" && !is_placeholder(text);
                is_told.then(|| text.clone())
            }
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// Whether the status is one of an error, or an error is named.
    fn is_refused(&self) -> bool {
        let status = self.find(&STATUS).and_then(number);
        status.is_some_and(|status| status >= 400) || self.name(&["errorcode"]).is_some()
    }

    /// What was asked for: an object of a bucket, or the path without what stands behind its `?`.
    fn resource(&self) -> Option<String> {
        let object = self.name(&["bucketname"]).zip(self.name(&["key"]));
        object.map(|(bucket, key)| format!("{bucket}/{key}")).or_else(|| {
            let path = self.name(&PATH)?;
            Some(path.split(['?', '#']).next().unwrap_or(&path).to_owned())
        })
    }

    fn uuid(&self, names: &[&str]) -> Option<u128> {
        self.find(names).and_then(Value::as_str).and_then(uuid)
    }

    /// The route, behind its method where that stands apart.
    fn route(&self) -> Option<Box<str>> {
        let route = self.name(&ROUTE)?;
        let path = route.split('?').next().unwrap_or(&route);
        let method = self.name(&["httpmethod", "method"]).filter(|_| path.starts_with('/'));
        let mut route = method.map_or(path.to_owned(), |method| format!("{method} {path}"));
        route.truncate(route.floor_char_boundary(ROUTE_BYTES_MAX));
        Some(route.into())
    }
}

/// A number that is not negative; what is larger than the type holds is its largest. Some write whole numbers with a
/// point.
fn number(value: &Value) -> Option<u64> {
    let float = |float: f64| (float >= 0.0).then_some(float as u64);
    let text = |text: &str| text.parse().ok().or_else(|| float(text.parse().ok()?));
    value.as_u64().or_else(|| float(value.as_f64()?)).or_else(|| text(value.as_str()?))
}

/// The address in a field; of several the last, which the nearest proxy wrote.
fn address(text: &str) -> Option<IpAddr> {
    let last = text.rsplit(',').next()?.trim();
    bare(last).or_else(|| endpoint(last)).map(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::naming;

    const ID: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";

    fn check(message: &str, group: &str, expected: Option<(bool, &str, &str, &str, &str)>) {
        let names = Names::new(naming());
        let found = read(&message.replace("ID", ID), group, &names).map(|(access, _)| access);
        let Some((request, principal, key, source, route)) = expected else {
            return assert_eq!(found, None, "{message}");
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let found = found.expect(message);
        assert_eq!(found.request.is_some(), request, "{message}");
        assert_eq!(found.principal, some(principal).map(|name| names.tag(&name)), "{message}");
        assert_eq!(found.api_key, some(key).map(|name| names.tag(&name)), "{message}");
        assert_eq!(found.source.map(|source| source.to_string()), some(source), "{message}");
        assert_eq!(found.route.as_deref().map(str::to_owned), some(route), "{message}");
    }

    #[test]
    fn who_asks_is_read_from_what_applications_and_gateways_write() {
        let function = "/aws/lambda/shop";
        check(
            "2026-11-10T06:00:00.013Z\tID\tINFO\t{\"principalId\":\"t-1\",\"routeKey\":\"GET /x\"}\n",
            function,
            Some((true, "t-1", "", "", "GET /x")),
        );
        check(
            r#"{"level":"INFO","requestId":"ID","message":{"tenant_id":7,"client_ip":"192.0.2.1:443"}}"#,
            function,
            Some((true, "7", "", "192.0.2.1", "")),
        );
        // A gateway's own request is not the function's.
        let gateway = r#"{"requestId":"ID","ip":"192.0.2.1, ::ffff:192.0.2.9","httpMethod":"GET","resourcePath":"/items/{id}","path":"/items/7?x=1","apiKeyId":"k1","caller":"-","user":"[hidden]","responseLength":"120"}"#;
        check(
            gateway,
            "/aws/apigateway/x",
            Some((false, "", "k1", "192.0.2.9", "GET /items/{id}")),
        );
        let integrated = gateway.replace("requestId", "integrationRequestId");
        check(
            &integrated,
            "/aws/apigateway/x",
            Some((true, "", "k1", "192.0.2.9", "GET /items/{id}")),
        );
        check(r#"{"identity":{"apiKey":"k2"}}"#, "", Some((false, "", "k2", "", "")));
        check(r#"{"level":"INFO","requestId":"ID","message":"done"}"#, function, None);
        check("no object", function, None);
        check("{\"principal\":", function, None);
    }

    #[test]
    fn what_was_sent_back_and_of_what_is_read() {
        let names = Names::new(naming());
        let of = |message: &str| read(message, "", &names).expect("an access").0;
        let tag = |name: &str| Some(names.naming.key.resource(name.as_bytes()));
        let gateway =
            r#"{"ip":"192.0.2.1","path":"/orders/7?x=1","status":"200","responseLength":"1200"}"#;
        let access = of(gateway);
        assert_eq!((access.bytes_out, access.refused), (1_200, false));
        assert_eq!(access.resource, tag("/orders/7"));
        assert_eq!(of(&gateway.replace("?x=1", "#top")).resource, access.resource);
        assert!(of(&gateway.replace("200", "403")).refused);
        let bucket = r#"{"sourceIPAddress":"192.0.2.1","userIdentity":{"principalId":"AIDA:x"},"requestParameters":{"bucketName":"b","key":"k/1"},"additionalEventData":{"bytesTransferredOut":1.5e6}}"#;
        let access = of(bucket);
        assert_eq!((access.bytes_out, access.resource), (1_500_000, tag("b/k/1")));
        assert_eq!(access.principal, Some(names.tag("AIDA:x")));
        let denied = bucket.replace("{\"sourceIP", "{\"errorCode\":\"AccessDenied\",\"sourceIP");
        assert!(of(&denied).refused);
        // Neither less than nothing nor more than there is.
        let sent = |bytes: &str| of(&gateway.replace("\"1200\"", bytes)).bytes_out;
        assert_eq!([sent("-5"), sent("\"-\""), sent("1e30"), sent("12")], [0, 0, u64::MAX, 12]);
    }

    #[test]
    fn every_field_of_callers_has_a_needle() {
        for field in [
            "principalId",
            "principal_id",
            "PrincipalId",
            "principal",
            "userArn",
            "user_arn",
            "caller",
            "Caller",
            "sub",
            "tenantId",
            "tenant_id",
            "Tenant",
            "customerId",
            "customer_id",
            "userId",
            "user_id",
            "UserID",
            "userid",
            "username",
            "userName",
            "user_name",
            "UserName",
            "user",
            "apiKeyId",
            "api_key_id",
            "apiKey",
            "APIKey",
            "apikey",
            "sourceIp",
            "sourceIP",
            "source_ip",
            "sourceIPAddress",
            "clientIp",
            "client_ip",
            "src_ip",
            "srcip",
            "remoteIp",
            "remote_ip",
            "ip",
            "remoteAddr",
            "remote_addr",
            "x-forwarded-for",
            "X-Forwarded-For",
            "xForwardedFor",
        ] {
            let plain: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
            let plain = plain.to_ascii_lowercase();
            let names = PRINCIPAL.iter().chain(&API_KEY).chain(&SOURCE);
            assert!(names.clone().any(|name| *name == plain), "{field}");
            assert!(CALLER_NEEDLES.iter().any(|needle| field.contains(needle)), "{field}");
        }
    }

    #[test]
    fn every_field_of_bytes_has_a_needle() {
        for field in [
            "responseLength",
            "response_length",
            "responseSize",
            "response_bytes",
            "bytesOut",
            "bytes_out",
            "bytes_sent",
            "body_bytes_sent",
            "BytesSent",
            "bytesTransferredOut",
        ] {
            assert!(NEEDLES.iter().any(|needle| field.contains(needle)), "{field}");
            let plain: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
            assert!(BYTES_OUT.contains(&plain.to_ascii_lowercase().as_str()), "{field}");
        }
    }
}
