//! A finding as an OCSF 1.6.0 Detection Finding (<https://schema.ocsf.io/1.6.0/classes/detection_finding>).
//!
//! What OCSF has an attribute for stands there; the numbers behind the decision, for which it has
//! none, stand under `unmapped.tidewatch`. `confidence_id` is there only where a detector's file states
//! it for what raised: nothing here measures how often a detector is right, and a made-up constant
//! would be read as if something did.
//!
//! Invariant: the keys of every object are sorted (serde_json's map), so equal findings are equal
//! bytes. No raw username can be here, because a [`Finding`] holds none.

use serde_json::{Map, Value as Json, json};
use tidewatch_core::accounts::Account;
use tidewatch_core::detector::{Attack, Confidence, Severity};
use tidewatch_core::finding::{
    Accuracy, Activity, Also, Decided, Finding, Measured, Member, SeenSince,
};
use tidewatch_core::key::KeyPart;
use tidewatch_core::lists::Listed;
use tidewatch_core::signal::{EventId, Origin, Outcome};
use tidewatch_core::time::Span;

use crate::context::Context;
use crate::insights::insights_link;
use crate::number::whole;
use crate::printable::{name, printable};
use crate::sentence::{leading, sentence};
use crate::spending;

const VERSION: &str = "1.6.0";
const CLASS_UID: i64 = 2004;

/// The document of one message about `finding`, a JSON object.
pub fn ocsf(finding: &Finding, context: &Context) -> Json {
    let (activity_id, activity_name) = activity(finding.activity);
    let (status_id, status) = status(finding.activity);
    let mut document = json!({
        "activity_id": activity_id,
        "activity_name": activity_name,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Detection Finding",
        "class_uid": CLASS_UID,
        "end_time": finding.last.0,
        "finding_info": finding_info(finding, context),
        "is_alert": finding.activity != Activity::Close,
        "message": printable(&sentence(finding)),
        "metadata": {
            "product": {
                "name": "Tidewatch",
                "vendor_name": "Tidewatch",
                "version": context.version,
            },
            "version": VERSION,
        },
        "severity": severity(finding.severity),
        "severity_id": finding.severity as i64,
        "start_time": finding.first_seen.0,
        "status": status,
        "status_id": status_id,
        "time": finding.time.0,
        "type_name": format!("Detection Finding: {activity_name}"),
        "type_uid": CLASS_UID * 100 + activity_id,
        "unmapped": { "tidewatch": unmapped(finding, context) },
    });
    if let Some(leading) = leading(finding) {
        // OCSF's integer_t has 32 bits; the whole number is under `unmapped`.
        document["count"] = json!(leading.value.amount.round() as i32);
    }
    if let Some(confidence) = finding.confidence {
        document["confidence"] = json!(caption(confidence));
        document["confidence_id"] = json!(confidence as i64);
    }
    if context.is_simulated(finding) {
        document["metadata"]["labels"] = json!(["simulated"]);
    }
    if !finding.advice.is_empty() {
        document["remediation"] = json!({ "desc": printable(&finding.advice) });
    }
    if let Some(spending) = &finding.spending {
        document["unmapped"]["tidewatch"]["spending"] = spending::document(spending);
    }
    insert_some(&mut document, "evidences", evidences(finding));
    insert_some(&mut document, "observables", observables(finding));
    insert_some(&mut document, "resources", resources(finding));
    document
}

/// An empty array says less than none.
fn insert_some(document: &mut Json, name: &str, array: Vec<Json>) {
    if !array.is_empty() {
        document[name] = Json::Array(array);
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
fn caption(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "Low",
        Confidence::Medium => "Medium",
        Confidence::High => "High",
    }
}

fn finding_info(finding: &Finding, context: &Context) -> Json {
    let title = printable(&finding.title);
    let mut info = json!({
        "analytic": { "name": title, "type": "Rule", "type_id": 1, "uid": finding.detector },
        "created_time": finding.start.0,
        "first_seen_time": finding.first_seen.0,
        "last_seen_time": finding.last.0,
        "modified_time": finding.time.0,
        "title": title,
        "uid": finding.uid,
    });
    if !finding.description.is_empty() {
        info["desc"] = json!(printable(&finding.description));
    }
    let link = context.region.as_deref().and_then(|region| insights_link(finding, region));
    if let Some(link) = link {
        info["src_url"] = json!(link);
    }
    insert_some(&mut info, "attacks", finding.attacks.iter().map(attack).collect());
    info
}

/// OCSF names a sub-technique beside its technique, and the technique by its number alone where only
/// the sub-technique's name is known.
fn attack(attack: &Attack) -> Json {
    let this = json!({ "name": attack.name, "uid": attack.technique });
    match attack.technique.split_once('.') {
        None => json!({ "technique": this }),
        Some((technique, _)) => json!({ "sub_technique": this, "technique": { "uid": technique } }),
    }
}

fn evidences(finding: &Finding) -> Vec<Json> {
    let evidence = |source| json!({ "src_endpoint": { "ip": source } });
    finding.sources.iter().map(evidence).collect()
}

/// The addresses, each by the attribute that holds it, and the networks in the key: whoever blocks a
/// /64 needs it as such.
fn observables(finding: &Finding) -> Vec<Json> {
    let mut observables = Vec::new();
    for (nth, source) in finding.sources.iter().enumerate() {
        observables.push(json!({
            "name": format!("evidences[{nth}].src_endpoint.ip"),
            "type": "IP Address",
            "type_id": 2,
            "value": source,
        }));
    }
    for part in std::iter::once(finding.key.first).chain(finding.key.second) {
        if matches!(part, KeyPart::Ipv6Net(_) | KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_)) {
            observables.push(json!({
                "name": "unmapped.tidewatch.key",
                "type": "Subnet",
                "type_id": 12,
                "value": part.to_string(),
            }));
        }
    }
    observables
}

/// The log groups and streams that the samples stand in, each once, in the order of the samples.
fn resources(finding: &Finding) -> Vec<Json> {
    let mut resources = Vec::new();
    for origin in &finding.samples {
        let stream = &*origin.stream;
        let (account, group) = (name(&stream.account), name(&stream.group));
        let name = name(&stream.stream);
        let related = |kind: &str, name: &str, uid: String| json!({ "name": name, "role": "Related", "role_id": 4, "type": kind, "uid": uid });
        let found = match &origin.id {
            EventId::CloudWatch(_) => vec![
                related("AWS::Logs::LogGroup", &group, format!("{account}:{group}")),
                related("AWS::Logs::LogStream", &name, format!("{account}:{group}:{name}")),
            ],
            EventId::Offset(_) => vec![related("log input", &name, name.clone())],
        };
        for resource in found {
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
    }
    resources
}

/// The numbers, and when, where, who and what, as whoever logs security events should say them (OWASP
/// Logging Cheat Sheet, "Event attributes").
fn unmapped(finding: &Finding, context: &Context) -> Json {
    let (mut accounts, mut groups) = (Vec::new(), Vec::new());
    let (mut streams, mut inputs) = (Vec::new(), Vec::new());
    for origin in &finding.samples {
        let stream = &*origin.stream;
        let is_input = matches!(origin.id, EventId::Offset(_));
        let found = [
            (&mut accounts, &stream.account),
            (&mut groups, &stream.group),
            (if is_input { &mut inputs } else { &mut streams }, &stream.stream),
        ];
        for (all, text) in found {
            let name = name(text);
            if !name.is_empty() && !all.contains(&name) {
                all.push(name);
            }
        }
    }
    json!({
        "when": {
            "first_seen": finding.first_seen.0,
            "last_seen": finding.last.0,
            "start": finding.start.0,
        },
        "where": {
            "accounts": accounts,
            "inputs": inputs,
            "log_groups": groups,
            "log_streams": streams,
            "region": context.region,
        },
        "who": {
            "key": finding.key.to_string(),
            "sources": finding.sources,
            "sources_total": finding.sources_total,
            "user_agent": finding.agent.as_deref().map(printable),
        },
        "what": {
            "activity": activity(finding.activity).1,
            "detector": finding.detector,
            "severity": severity(finding.severity),
            "title": printable(&finding.title),
        },
        "accounts": names_tried(finding),
        "also": finding.also.iter().map(also).collect::<Vec<_>>(),
        "conditions": finding.decided.iter().map(condition).collect::<Vec<_>>(),
        "key": finding.key.to_string(),
        "lists": finding.listed.iter().map(on_list).collect::<Vec<_>>(),
        "members": finding.members.iter().map(member).collect::<Vec<_>>(),
        "measures": finding.measures.iter().map(measure).collect::<Vec<_>>(),
        "peak": amount(finding.peak),
        "quiet_s": seconds(finding.quiet),
        "samples": finding.samples.iter().map(sample).collect::<Vec<_>>(),
        "since": finding.since.iter().map(since).collect::<Vec<_>>(),
        "sources_total": finding.sources_total,
        "window_s": seconds(finding.window),
    })
}

/// Tags of the names that were tried, each once: whoever got in, whoever did so as ever, whose account exists,
/// whose does not, and of whom nothing is told.
fn names_tried(finding: &Finding) -> Json {
    let tags = |of: &dyn Fn(&Account) -> bool| {
        let tags = finding.accounts.iter().filter(|account| of(account));
        tags.map(|account| format!("{:016x}", account.tag)).collect::<Vec<_>>()
    };
    let got_in = |account: &Account| account.outcome == Some(Outcome::Success);
    json!({
        "got_in": tags(&|account| got_in(account) && !account.as_ever),
        "got_in_as_ever": tags(&|account| got_in(account) && account.as_ever),
        "exist": tags(&|account| !got_in(account) && account.known == Some(true)),
        "unknown": tags(&|account| !got_in(account) && account.known == Some(false)),
        "untold": tags(&|account| !got_in(account) && account.known.is_none()),
    })
}

/// Since when the first of the values that a measure counts is seen.
fn since(since: &SeenSince) -> Json {
    json!({ "first_seen": since.first.0, "measure": since.measure, "new": since.is_new })
}

fn on_list(listed: &Listed) -> Json {
    json!({
        "list": printable(&listed.list),
        "names_on_it": listed.on,
        "names_tried": listed.of,
        "share": listed.share(),
        "error": listed.error(),
        "own_users": listed.usual,
        "chance": listed.chance,
    })
}

fn member(member: &Member) -> Json {
    json!({
        "source": member.source,
        "failures": member.failures,
        "raised": member.raised.map(severity),
    })
}

fn also(also: &Also) -> Json {
    json!({
        "detector": also.detector,
        "severity": severity(also.severity),
        "finding_uid": also.uid,
    })
}

fn condition(decided: &Decided) -> Json {
    json!({
        "comparison": decided.comparison.symbol(),
        "condition": decided.condition,
        "measure": decided.measure,
        "threshold": amount(decided.threshold),
        "value": amount(decided.amount),
    })
}

/// A measure with how far it may be off: `pane` counts up to `extra_s` seconds more than the window,
/// `sketch` has a relative standard error, `at_least` is a lower bound, `at_most` an upper one.
fn measure(measured: &Measured) -> Json {
    let error = match measured.value.error {
        Accuracy::Exact => json!({ "kind": "exact" }),
        Accuracy::Pane(pane) => json!({ "extra_s": seconds(pane), "kind": "pane" }),
        Accuracy::Sketch { relative, pane } => {
            json!({ "kind": "sketch", "relative": relative, "pane_s": seconds(pane) })
        }
        Accuracy::AtLeast => json!({ "kind": "at_least" }),
        Accuracy::AtMost => json!({ "kind": "at_most" }),
    };
    json!({ "error": error, "name": measured.name, "value": amount(measured.value.amount) })
}

fn sample(origin: &Origin) -> Json {
    let stream = &*origin.stream;
    let mut sample = Map::new();
    match &origin.id {
        EventId::CloudWatch(id) => {
            sample.insert("account".to_owned(), json!(name(&stream.account)));
            sample.insert("event_id".to_owned(), json!(name(id)));
            sample.insert("log_group".to_owned(), json!(name(&stream.group)));
            sample.insert("log_stream".to_owned(), json!(name(&stream.stream)));
        }
        EventId::Offset(offset) => {
            sample.insert("input".to_owned(), json!(name(&stream.stream)));
            sample.insert("offset".to_owned(), json!(offset));
        }
    }
    Json::Object(sample)
}

/// Whole numbers without a decimal point: `34`, not `34.0`.
fn amount(amount: f64) -> Json {
    whole(amount).map_or_else(|| json!(amount), |whole| json!(whole))
}

fn seconds(span: Span) -> Json {
    amount(span.0 as f64 / 1_000.0)
}
