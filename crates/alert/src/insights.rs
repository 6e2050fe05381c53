//! A link that opens CloudWatch Logs Insights with the query for one finding: its log groups, its span of
//! time, its source.
//!
//! The console's address is documented nowhere; what it writes itself is an object in JSURL's manner
//! (`~(key~'text~key~(~'text))`, any byte but letters, digits, `-`, `_` and `.` as `*` and two hexadecimal
//! digits), percent-encoded twice, with `$` for `%`. The test reads it back by its own decoder.
//!
//! Limits: a link can name a source only in the forms that logs commonly have: an IPv4 address in full, a
//! /24 by its first three numbers, an IPv6 address and those of a /64 as RFC 5952 writes them, in small
//! letters and with the longest run of zeros left out. Addresses are looked for whole, so that one that is
//! the beginning or the end of another does not show the other's lines. It covers a window more on either
//! side of what was seen.

use std::net::{IpAddr, Ipv4Addr};

use tidewatch_core::finding::Finding;
use tidewatch_core::key::KeyPart;
use tidewatch_core::limits::SAMPLES_MAX;
use tidewatch_core::signal::EventId;

use crate::number::rfc3339;
use crate::printable::NAME_CHARS_MAX;

// Insights takes 50 log groups by name in one query; a finding has fewer samples than that.
const _: () = assert!(SAMPLES_MAX <= 50);

/// Log events shown.
const EVENTS_MAX: usize = 1_000;

/// The link; `None` where no sample tells a log group.
pub fn insights_link(finding: &Finding, region: &str) -> Option<String> {
    let mut groups: Vec<&str> = Vec::new();
    for origin in &finding.samples {
        let group = origin.stream.group.as_str();
        if matches!(origin.id, EventId::CloudWatch(_)) && is_name(group) && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    if groups.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let (start, end) =
        (finding.first_seen.minus(finding.window), finding.last.plus(finding.window));
    let text = |value: &str| format!("'{}", escaped(value));
    let sources: Vec<String> = groups.iter().map(|group| text(group)).collect();
    let object = format!(
        "~(end~{}~start~{}~timeType~'ABSOLUTE~tz~'UTC~editorString~{}~source~(~{}))",
        text(&rfc3339(end)),
        text(&rfc3339(start)),
        text(&query(finding)),
        sources.join("~")
    );
    let domain = match region.split('-').next() {
        Some("cn") => "console.amazonaws.cn",
        _ if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        _ => "console.aws.amazon.com",
    };
    let detail: String = object.bytes().map(twice).collect();
    Some(format!(
        "https://{region}.{domain}/cloudwatch/home?region={region}\
         #logsV2:logs-insights$3FqueryDetail$3D{detail}"
    ))
}

/// Whether CloudWatch Logs can have a log group of this name
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>). Others
/// were made up by whoever put the record on the stream.
fn is_name(group: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.#".contains(&byte);
    (1..=NAME_CHARS_MAX).contains(&group.len()) && group.bytes().all(allowed)
}

/// The query, in the language of Logs Insights.
fn query(finding: &Finding) -> String {
    let forms = forms(finding);
    let filter = match forms.is_empty() {
        true => String::new(),
        false => format!("| filter @message like /{}/\n", forms.join("|")),
    };
    format!(
        "fields @timestamp, @log, @logStream, @message\n{filter}| sort @timestamp asc\n| limit {EVENTS_MAX}"
    )
}

/// Regular expressions for how logs write the source of a finding.
fn forms(finding: &Finding) -> Vec<String> {
    let parts = std::iter::once(finding.key.first).chain(finding.key.second);
    let of_key = parts.into_iter().find_map(|part| match part {
        KeyPart::Ipv4(v4) => Some(vec![whole_ipv4(v4)]),
        KeyPart::SubnetIpv4(v4) => {
            let [a, b, c, _] = v4.octets();
            Some(vec![format!(r"\b{a}\.{b}\.{c}\.[0-9]{{1,3}}\b")])
        }
        KeyPart::Ipv6Net(upper) | KeyPart::SubnetIpv6(upper) => {
            Some(vec![whole_ipv6(&within_64(upper))])
        }
        KeyPart::Asn(_)
        | KeyPart::Agent(_)
        | KeyPart::Log(_)
        | KeyPart::User(_)
        | KeyPart::Function(_)
        | KeyPart::Global => None,
    });
    of_key.unwrap_or_else(|| {
        let (mut forms, mut ipv6) = (Vec::new(), Vec::new());
        for source in &finding.sources {
            match source {
                IpAddr::V4(v4) => forms.push(whole_ipv4(*v4)),
                IpAddr::V6(v6) => ipv6.push(v6.to_string()),
            }
        }
        if !ipv6.is_empty() {
            forms.push(whole_ipv6(&ipv6));
        }
        forms
    })
}

/// This address and no longer one.
fn whole_ipv4(v4: Ipv4Addr) -> String {
    format!(r"\b{}\b", v4.to_string().replace('.', r"\."))
}

/// One of these forms, where neither its first nor its last group goes on. A colon before it or behind it
/// may be one of the sentence, as in `src:2001:db8::1` and `2001:db8::1: refused`: then what stands beyond
/// it is no group of an address.
fn whole_ipv6(forms: &[String]) -> String {
    const BEFORE: &str = "(^|[^0-9a-f:]|[^0-9a-f:]:|[g-z][a-z]*:)";
    const BEHIND: &str = "($|[^0-9a-f:]|:$|:[^0-9a-f:])";
    format!("{BEFORE}({}){BEHIND}", forms.join("|"))
}

/// The forms of all addresses in the /64 with these upper 64 bits. Its four groups stand at the front of the
/// address, unless a run of zeros that is left out begins among them; behind such a run there are no more
/// groups than the address has room for, or it is one of another /64.
fn within_64(upper: u64) -> Vec<String> {
    const GROUP: &str = "[0-9a-f]{1,4}";
    let groups: [u16; 4] = std::array::from_fn(|nth| (upper >> (48 - 16 * nth)) as u16);
    let text = |groups: &[u16]| {
        groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":")
    };
    let mut forms = vec![format!("{}:[0-9a-f:]+", text(&groups))];
    let mut from = 0;
    while from < groups.len() {
        let zeros = groups[from..].iter().take_while(|group| **group == 0).count();
        let behind = &groups[from + zeros..];
        let before = text(&groups[..from]);
        if zeros > 0 && behind.is_empty() {
            forms.push(format!("{before}::({GROUP}(:{GROUP}){{0,3}})?"));
        } else if zeros > 1 {
            forms.push(format!("{before}::{}(:{GROUP}){{4}}", text(behind)));
        }
        from += zeros.max(1);
    }
    forms
}

/// A text inside the object.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("*{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

/// A byte of the object, percent-encoded twice, with `$` for `%`; the object has no byte that is not
/// ASCII.
fn twice(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
            char::from(byte).to_string()
        }
        byte => format!("$25{byte:02X}"),
    }
}
