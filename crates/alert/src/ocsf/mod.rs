//! A finding as an OCSF 1.6.0 Detection Finding (<https://schema.ocsf.io/1.6.0/classes/detection_finding>).
//!
//! What OCSF has an attribute for stands there; the numbers behind the decision, for which it has
//! none, stand under `unmapped.tidewatch`. `confidence_id` is there only where a detector's file states
//! it for what raised: nothing here measures how often a detector is right, and a made-up constant
//! would be read as if something did.
//!
//! The structs read as the document does, and borrow from the finding what they can: a document is written
//! once and then dropped, and a map for each of its objects would cost several times the writing.
//!
//! Invariant: the keys of every object are sorted, because each struct has its fields in the order of their
//! names, so equal findings are equal bytes and a reader's sorted map writes the same
//! (`every_object_has_its_keys_in_order`). No raw username can be here, because a [`Finding`] holds none.

mod spending;
mod unmapped;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use tidewatch_core::detector::{Attack, Confidence, Severity};
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::KeyPart;
use tidewatch_core::signal::EventId;

use crate::context::Context;
use crate::insights::insights_link;
use crate::printable::{name, printable};
use crate::sentence::{leading, sentence};
use unmapped::Unmapped;

const VERSION: &str = "1.6.0";
const CLASS_UID: i64 = 2004;

/// The document of one message about a finding: displayed, it is one line of JSON, and it serializes to the
/// same anywhere else. Times are milliseconds since 1970, UTC.
#[derive(Debug, Serialize)]
pub struct Ocsf<'a> {
    activity_id: i64,
    activity_name: &'static str,
    category_name: &'static str,
    category_uid: i64,
    class_name: &'static str,
    class_uid: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence_id: Option<i64>,
    /// OCSF's integer_t has 32 bits; the whole number is under `unmapped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i32>,
    end_time: i64,
    // An empty array says less than none: these three, and the attacks, are left out then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidences: Vec<Evidence>,
    finding_info: FindingInfo<'a>,
    is_alert: bool,
    message: String,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observables: Vec<Observable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<Remediation<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'a>>,
    severity: &'static str,
    severity_id: i64,
    start_time: i64,
    status: &'static str,
    status_id: i64,
    time: i64,
    type_name: String,
    type_uid: i64,
    unmapped: Unmapped<'a>,
}

impl fmt::Display for Ocsf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[derive(Debug, Serialize)]
struct Evidence {
    src_endpoint: Endpoint,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    ip: IpAddr,
}

#[derive(Debug, Serialize)]
struct FindingInfo<'a> {
    analytic: Analytic<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attacks: Vec<Attacked<'a>>,
    created_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<Cow<'a, str>>,
    first_seen_time: i64,
    last_seen_time: i64,
    modified_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_url: Option<String>,
    title: Cow<'a, str>,
    uid: &'a str,
}

#[derive(Debug, Serialize)]
struct Analytic<'a> {
    name: Cow<'a, str>,
    r#type: &'static str,
    type_id: i64,
    uid: &'a str,
}

/// OCSF names a sub-technique beside its technique, and the technique by its number alone where only
/// the sub-technique's name is known.
#[derive(Debug, Serialize)]
struct Attacked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_technique: Option<Technique<'a>>,
    technique: Technique<'a>,
}

#[derive(Debug, Serialize)]
struct Technique<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    uid: &'a str,
}

#[derive(Debug, Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<[&'static str; 1]>,
    product: Product,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Observable {
    /// The attribute of this document that holds the value.
    #[serde(serialize_with = "displayed")]
    name: Holder,
    r#type: &'static str,
    type_id: i64,
    value: Observed,
}

#[derive(Debug)]
enum Holder {
    /// The address of the evidence at this place.
    Evidence(usize),
    Key,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Evidence(nth) => write!(f, "evidences[{nth}].src_endpoint.ip"),
            Holder::Key => f.write_str("unmapped.tidewatch.key"),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Observed {
    Address(IpAddr),
    Network(#[serde(serialize_with = "displayed")] KeyPart),
}

#[derive(Debug, Serialize)]
struct Remediation<'a> {
    desc: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Resource<'a> {
    name: Cow<'a, str>,
    role: &'static str,
    role_id: i64,
    r#type: &'static str,
    uid: String,
}

/// The document of one message about `finding`.
pub fn ocsf<'a>(finding: &'a Finding, context: &'a Context) -> Ocsf<'a> {
    let (activity_id, activity_name) = activity(finding.activity);
    let (status_id, status) = status(finding.activity);
    Ocsf {
        activity_id,
        activity_name,
        category_name: "Findings",
        category_uid: 2,
        class_name: "Detection Finding",
        class_uid: CLASS_UID,
        confidence: finding.confidence.map(confidence),
        confidence_id: finding.confidence.map(|confidence| confidence as i64),
        count: leading(finding).map(|leading| leading.value.amount.round() as i32),
        end_time: finding.last.0,
        evidences: finding.sources.iter().map(evidence).collect(),
        finding_info: finding_info(finding, context),
        is_alert: finding.activity != Activity::Close,
        message: printable(&sentence(finding)).into_owned(),
        metadata: Metadata {
            labels: context.is_simulated(finding).then_some(["simulated"]),
            product: Product {
                name: "Tidewatch",
                vendor_name: "Tidewatch",
                version: context.version,
            },
            version: VERSION,
        },
        observables: observables(finding),
        remediation: some(&finding.advice).map(|desc| Remediation { desc }),
        resources: resources(finding),
        severity: severity(finding.severity),
        severity_id: finding.severity as i64,
        start_time: finding.first_seen.0,
        status,
        status_id,
        time: finding.time.0,
        type_name: format!("Detection Finding: {activity_name}"),
        type_uid: CLASS_UID * 100 + activity_id,
        unmapped: unmapped::unmapped(finding, context),
    }
}

fn activity(activity: Activity) -> (i64, &'static str) {
    match activity {
        Activity::Create => (1, "Create"),
        Activity::Update => (2, "Update"),
        Activity::Close => (3, "Close"),
    }
}

fn status(activity: Activity) -> (i64, &'static str) {
    match activity {
        Activity::Create => (1, "New"),
        Activity::Update => (2, "In Progress"),
        Activity::Close => (4, "Resolved"),
    }
}

/// OCSF's own captions of `severity_id`.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// OCSF's own captions of `confidence_id`.
fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "Low",
        Confidence::Medium => "Medium",
        Confidence::High => "High",
    }
}

/// What a detector's file says, where it says anything.
fn some(text: &str) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then(|| printable(text))
}

fn finding_info<'a>(finding: &'a Finding, context: &Context) -> FindingInfo<'a> {
    let title = printable(&finding.title);
    FindingInfo {
        analytic: Analytic {
            name: title.clone(),
            r#type: "Rule",
            type_id: 1,
            uid: &finding.detector,
        },
        attacks: finding.attacks.iter().map(attacked).collect(),
        created_time: finding.start.0,
        desc: some(&finding.description),
        first_seen_time: finding.first_seen.0,
        last_seen_time: finding.last.0,
        modified_time: finding.time.0,
        src_url: context.region.as_deref().and_then(|region| insights_link(finding, region)),
        title,
        uid: &finding.uid,
    }
}

fn attacked(attack: &Attack) -> Attacked<'_> {
    let this = Technique { name: Some(&attack.name), uid: &attack.technique };
    match attack.technique.split_once('.') {
        None => Attacked { sub_technique: None, technique: this },
        Some((uid, _)) => {
            Attacked { sub_technique: Some(this), technique: Technique { name: None, uid } }
        }
    }
}

fn evidence(source: &IpAddr) -> Evidence {
    Evidence { src_endpoint: Endpoint { ip: *source } }
}

/// The addresses, each by the attribute that holds it, and the networks in the key: whoever blocks a
/// /64 needs it as such.
fn observables(finding: &Finding) -> Vec<Observable> {
    let addresses = finding.sources.iter().enumerate().map(|(nth, source)| Observable {
        name: Holder::Evidence(nth),
        r#type: "IP Address",
        type_id: 2,
        value: Observed::Address(*source),
    });
    let is_network = |part: &KeyPart| {
        matches!(part, KeyPart::Ipv6Net(_) | KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_))
    };
    let parts = std::iter::once(finding.key.first).chain(finding.key.second);
    let networks = parts.filter(is_network).map(|part| Observable {
        name: Holder::Key,
        r#type: "Subnet",
        type_id: 12,
        value: Observed::Network(part),
    });
    addresses.chain(networks).collect()
}

/// The log groups and streams that the samples stand in, each once, in the order of the samples.
fn resources(finding: &Finding) -> Vec<Resource<'_>> {
    let mut resources = Vec::new();
    let mut add = |r#type, name, uid| {
        let resource = Resource { name, role: "Related", role_id: 4, r#type, uid };
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    };
    for origin in &finding.samples {
        let stream = &*origin.stream;
        let (account, group) = (name(&stream.account), name(&stream.group));
        let name = name(&stream.stream);
        match &origin.id {
            EventId::CloudWatch(_) => {
                let (of_group, of_stream) =
                    (format!("{account}:{group}"), format!("{account}:{group}:{name}"));
                add("AWS::Logs::LogGroup", group, of_group);
                add("AWS::Logs::LogStream", name, of_stream);
            }
            EventId::Offset(_) => add("log input", name.clone(), name.into_owned()),
        }
    }
    resources
}

/// A value as it is displayed.
fn displayed<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}
