//! OCSF documents against the schema's own list of attributes: what is required is there, what is
//! there is allowed, of the right type and in its enumeration, at every level.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::sample::{address, bare, burnt, context, document, finding, spent};
use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use tidewatch_alert::{Context, ocsf};
use tidewatch_core::finding::{Activity, Finding, Member};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::spend::detector::{Number, Rule};

const LIST: &str = include_str!("../../ocsf-1.6.0-required.txt");

struct Attribute {
    required: bool,
    kind: String,
    values: Option<Vec<i64>>,
}

#[derive(Default)]
struct Owner {
    attributes: BTreeMap<String, Attribute>,
    at_least_one: Vec<String>,
}

fn schema() -> BTreeMap<String, Owner> {
    let mut owners: BTreeMap<String, Owner> = BTreeMap::new();
    for line in LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        let owner = owners.entry(words[0].to_owned()).or_default();
        match words[1..] {
            ["at_least_one", names] => {
                owner.at_least_one = names.split(',').map(str::to_owned).collect();
            }
            [name, requirement, kind, values] => {
                let number = |value: &str| value.parse().expect("enumerations are of integers");
                let values = (values != "-").then(|| values.split(',').map(number).collect());
                let required = requirement == "required";
                let kind = kind.to_owned();
                owner.attributes.insert(name.to_owned(), Attribute { required, kind, values });
            }
            _ => panic!("{line}"),
        }
    }
    owners
}

/// Everything about `value` that an object of class or type `owner` must not be.
fn faults(schema: &BTreeMap<String, Owner>, owner: &str, path: &str, value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else { return vec![format!("{path}: no object")] };
    let Some(known) = schema.get(owner) else { return vec![format!("{path}: {owner} not listed")] };
    let mut faults = Vec::new();
    for (name, attribute) in &known.attributes {
        if attribute.required && !object.contains_key(name) {
            faults.push(format!("{path}.{name}: required"));
        }
    }
    let one = &known.at_least_one;
    if !one.is_empty() && !one.iter().any(|name| object.contains_key(name)) {
        faults.push(format!("{path}: needs one of {one:?}"));
    }
    for (name, value) in object {
        let path = format!("{path}.{name}");
        let Some(attribute) = known.attributes.get(name) else {
            faults.push(format!("{path}: unknown"));
            continue;
        };
        let Some(kind) = attribute.kind.strip_suffix("[]") else {
            faults.extend(value_faults(schema, attribute, &attribute.kind, &path, value));
            continue;
        };
        let Some(array) = value.as_array() else {
            faults.push(format!("{path}: no array"));
            continue;
        };
        for item in array {
            faults.extend(value_faults(schema, attribute, kind, &path, item));
        }
    }
    faults
}

fn value_faults(
    schema: &BTreeMap<String, Owner>,
    attribute: &Attribute,
    kind: &str,
    path: &str,
    value: &Value,
) -> Vec<String> {
    let fits = match kind {
        // The one object whose content is the product's own.
        "object:object" => value.is_object(),
        "integer_t" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "long_t" | "timestamp_t" => value.is_i64(),
        "boolean_t" => value.is_boolean(),
        "ip_t" => value.as_str().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
        "url_t" => value.as_str().is_some_and(|url| url.starts_with("https://")),
        "string_t" | "resource_uid_t" => value.as_str().is_some_and(|text| !text.is_empty()),
        _ => match kind.strip_prefix("object:") {
            Some(owner) => return faults(schema, owner, path, value),
            None => panic!("{path}: no check for {kind}"),
        },
    };
    let mut faults = Vec::new();
    if !fits {
        faults.push(format!("{path}: {value} is no {kind}"));
    }
    if let Some(values) = &attribute.values
        && value.as_i64().is_none_or(|number| !values.contains(&number))
    {
        faults.push(format!("{path}: {value} is not in its enumeration"));
    }
    faults
}

fn findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    for activity in [Activity::Create, Activity::Update, Activity::Close] {
        findings.push(finding(activity));
        findings.push(bare(activity));
        findings.push(spent(activity, Number::Dollars, Rule::Driven));
        findings.push(spent(activity, Number::Dollars, Rule::Riding));
        findings.push(burnt(activity));
        findings.push(Finding {
            key: Key::of(KeyPart::Global),
            measures: Vec::new(),
            decided: Vec::new(),
            sources: Vec::new(),
            sources_total: 0,
            samples: Vec::new(),
            members: vec![Member { source: address("203.0.113.9"), failures: 9, raised: None }],
            ..bare(activity)
        });
    }
    findings
}

#[test]
fn every_document_fits_the_schema() {
    let schema = schema();
    for finding in findings() {
        let document = document(&finding);
        let found = faults(&schema, "detection_finding", "", &document);
        assert!(found.is_empty(), "{found:#?}\n{document:#}");
    }
}

/// The walk above can fail: each of these breaks a good document in one way.
#[test]
fn the_schema_walk_notices() {
    let schema = schema();
    let good = document(&finding(Activity::Create));
    let cases: [(&str, Value); 8] = [
        ("/time", json!("2026-11-22T10:15:30Z")),
        ("/severity_id", json!(7)),
        ("/is_alert", json!(1)),
        ("/metadata", json!({ "version": "1.6.0" })),
        ("/metadata/product", json!({ "version": "0.1.0" })),
        ("/evidences/0/src_endpoint/ip", json!("203.0.113.0/24")),
        ("/observables/0", json!({ "name": "x", "type_id": 2, "colour": "red" })),
        ("/resources", json!({})),
    ];
    let mut shown = String::new();
    for (pointer, value) in cases {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("it is there") = value;
        shown += &format!("{:?}\n", faults(&schema, "detection_finding", "", &bad));
    }
    expect![[r#"
        [".time: \"2026-11-22T10:15:30Z\" is no timestamp_t"]
        [".severity_id: 7 is not in its enumeration"]
        [".is_alert: 1 is no boolean_t"]
        [".metadata.product: required"]
        [".metadata.product: needs one of [\"name\", \"uid\"]"]
        [".evidences.src_endpoint.ip: \"203.0.113.0/24\" is no ip_t"]
        [".observables.colour: unknown"]
        [".resources: no array"]
    "#]]
    .assert_eq(&shown);
}

#[test]
fn no_document_carries_control_or_direction_characters() {
    for finding in findings() {
        let document = ocsf(&finding, &context()).to_string();
        let bad = |c: char| {
            c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!document.contains(bad), "{document}");
        // Nor as JSON's own escapes, which a reader would turn back into them.
        assert!(!document.contains("\\u001b") && !document.contains("\\u202e"), "{document}");
    }
}

/// A map sorts its keys, so that one of another order would be another text.
#[test]
fn every_object_has_its_keys_in_order() {
    let context = Context { simulated: true, ..context() };
    for finding in findings() {
        let document = ocsf(&finding, &context);
        let sorted = serde_json::to_value(&document).expect("a document is JSON");
        assert_eq!(document.to_string(), sorted.to_string());
    }
}

#[test]
fn a_whole_document() {
    let document = document(&finding(Activity::Create));
    expect_file!["document.json"].assert_eq(&format!("{document:#}\n"));
}

#[test]
fn what_a_bare_finding_says_of_its_numbers_and_places() {
    let document = document(&bare(Activity::Close));
    let parts = ["unmapped", "resources", "observables"].map(|name| document[name].to_string());
    expect![[r#"
        {"tidewatch":{"accounts":{"exist":[],"got_in":[],"got_in_as_ever":[],"unknown":[],"untold":[]},"also":[],"conditions":[{"comparison":">=","condition":"unknown_users >= 30","measure":"unknown_users","threshold":30,"value":3600.4}],"key":"2001:db8:1:2::/64","lists":[],"measures":[{"error":{"kind":"sketch","pane_s":20,"relative":0.016},"name":"unknown_users","value":3600.4},{"error":{"extra_s":20,"kind":"pane"},"name":"failures","value":9000},{"error":{"kind":"at_least"},"name":"users","value":256}],"members":[],"peak":61,"quiet_s":1800,"samples":[{"input":"auth\\u{1b}[2J\\u{202e}gol","offset":4096}],"since":[],"sources_total":12,"what":{"activity":"Close","detector":"credential-scan","severity":"High","title":"One source tries many usernames that do not exist"},"when":{"first_seen":1795342330000,"last_seen":1795342530000,"start":1795342530000},"where":{"accounts":[],"inputs":["auth\\u{1b}[2J\\u{202e}gol"],"log_groups":[],"log_streams":[],"region":"eu-central-1"},"who":{"key":"2001:db8:1:2::/64","sources":["2001:db8:1:2::1","2001:db8:1:2::2","2001:db8:1:2::3","2001:db8:1:2::4","2001:db8:1:2::5","2001:db8:1:2::6","2001:db8:1:2::7","2001:db8:1:2::8"],"sources_total":12,"user_agent":null},"window_s":600}}
        [{"name":"auth\\u{1b}[2J\\u{202e}gol","role":"Related","role_id":4,"type":"log input","uid":"auth\\u{1b}[2J\\u{202e}gol"}]
        [{"name":"evidences[0].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::1"},{"name":"evidences[1].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::2"},{"name":"evidences[2].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::3"},{"name":"evidences[3].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::4"},{"name":"evidences[4].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::5"},{"name":"evidences[5].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::6"},{"name":"evidences[6].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::7"},{"name":"evidences[7].src_endpoint.ip","type":"IP Address","type_id":2,"value":"2001:db8:1:2::8"},{"name":"unmapped.tidewatch.key","type":"Subnet","type_id":12,"value":"2001:db8:1:2::/64"}]"#]].assert_eq(&parts.join("\n"));
}
