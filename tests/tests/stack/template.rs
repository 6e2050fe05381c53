//! What the code, the counts and the operator rest on, in the translated template.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidewatch_aws::schema;
use tidewatch_core::limits::REDELIVERY_MAX;
use tidewatch_tests::binary::root;

use tidewatch_lambda::metrics::Metric;

use crate::{all_of, resource, translated};

/// The metrics that the function writes, in the namespace `Tidewatch`.
fn written() -> BTreeSet<String> {
    Metric::ALL.iter().map(|metric| metric.name()).collect()
}

/// What the function asks its environment for.
const ENVIRONMENT: &[&str] = &[
    "TIDEWATCH_ALERT_TOPIC",
    "TIDEWATCH_BUCKET",
    "TIDEWATCH_LAYOUT",
    "TIDEWATCH_NOTICE_TOPIC",
    "TIDEWATCH_SECRET",
    "TIDEWATCH_STACK",
    "TIDEWATCH_TABLE",
    "TIDEWATCH_WEIGH_FUNCTIONS",
];

/// How many shards one item of the table holds at most: more would make its writes dear.
const TOGETHER_MAX: u64 = 32;

#[test]
fn the_source_keeps_what_the_counts_rest_on() {
    let source = resource("Source");
    let expected = [
        ("ParallelizationFactor", json!(1)),
        ("FunctionResponseTypes", json!(["ReportBatchItemFailures"])),
        ("BisectBatchOnFunctionError", json!(true)),
        // Without end: a refusal that comes at once would use any number of tries up in minutes.
        ("MaximumRetryAttempts", json!(-1)),
        ("StartingPosition", json!("TRIM_HORIZON")),
        (
            "DestinationConfig",
            json!({ "OnFailure": { "Destination": { "Fn::GetAtt": ["Bucket", "Arn"] } } }),
        ),
        ("FilterCriteria", Value::Null),
        ("TumblingWindowInSeconds", Value::Null),
    ];
    for (name, value) in expected {
        assert_eq!(source[name], value, "{name}");
    }
    // What ends the tries instead: before the records leave the stream or what is known of them the table.
    let age_s = source["MaximumRecordAgeInSeconds"].as_i64().expect("seconds");
    assert!(age_s > 0 && age_s * 1_000 < REDELIVERY_MAX.0, "{age_s} s");
    let retention_h = translated()["Parameters"]["StreamRetentionHours"]["MinValue"].as_i64();
    assert!(retention_h.is_some_and(|hours| age_s < hours * 3_600), "{retention_h:?} h");
    assert_eq!(all_of("AWS::Lambda::EventSourceMapping").count(), 1);
}

#[test]
fn the_function_is_told_what_it_asks_for() {
    let told = |function: &str| -> BTreeSet<&str> {
        let variables = resource(function)["Environment"]["Variables"].as_object();
        variables.expect("variables").keys().map(String::as_str).collect()
    };
    assert_eq!(told("Detector"), ENVIRONMENT.iter().copied().collect());
    assert_eq!(told("Rotation"), BTreeSet::from(["TIDEWATCH_SECRET"]));
    assert_eq!(resource("Tick")["Targets"][0]["Input"], r#"{"tidewatch":"tick"}"#);
}

#[test]
fn concurrency_and_layout_follow_from_the_shards() {
    let shards = translated()["Mappings"]["Shards"].as_object().expect("a mapping");
    for (count, follows) in shards {
        let count: u64 = count.parse().expect("a number");
        let concurrency = follows["Concurrency"].as_u64().expect("a number");
        assert!(concurrency > count, "{count} shards and the tick have {concurrency}");
        let layout = if count <= TOGETHER_MAX { "together" } else { "apart" };
        assert_eq!(follows["Layout"], layout, "{count} shards");
    }
    let offered = translated()["Parameters"]["ShardCount"]["AllowedValues"].as_array();
    let offered: BTreeSet<&str> =
        offered.expect("values").iter().filter_map(Value::as_str).collect();
    assert_eq!(offered, shards.keys().map(String::as_str).collect());
}

/// A table keeps the layout it began with; a name cannot change without a new table.
#[test]
fn another_layout_makes_another_table() {
    let layout = json!({ "Fn::FindInMap": ["Shards", { "Ref": "ShardCount" }, "Layout"] });
    let name = &resource("Table")["TableName"]["Fn::Sub"];
    assert_eq!(*name, json!(["${AWS::StackName}-${Layout}", { "Layout": layout }]));
    assert_eq!(resource("Detector")["Environment"]["Variables"]["TIDEWATCH_LAYOUT"], layout);
}

#[test]
fn the_table_expires_items_and_has_a_ceiling() {
    let table = resource("Table");
    let expiry = json!({ "AttributeName": schema::EXPIRES, "Enabled": true });
    assert_eq!(table["TimeToLiveSpecification"], expiry);
    let index = &table["GlobalSecondaryIndexes"][0];
    for (what, limited) in [("the table", table), ("its index", index)] {
        let most = &limited["OnDemandThroughput"]["MaxWriteRequestUnits"];
        assert_eq!(*most, json!({ "Ref": "WriteCeiling" }), "{what}");
    }
}

#[test]
fn each_alarm_watches_what_there_is_and_says_what_to_do() {
    let mut watched = BTreeSet::new();
    for (name, alarm) in all_of("AWS::CloudWatch::Alarm") {
        if alarm["Namespace"] == "Tidewatch" {
            let metric = alarm["MetricName"].as_str().expect("a metric");
            assert!(written().contains(metric), "{name} watches {metric}, which nobody writes");
            let dimensions = json!([{ "Name": "Stack", "Value": { "Ref": "AWS::StackName" } }]);
            assert_eq!(alarm["Dimensions"], dimensions, "{name}");
            watched.insert(metric);
        }
        let says = &alarm["AlarmDescription"];
        let says = says.as_str().or(says["Fn::Sub"].as_str()).expect("a description");
        assert!((60..=1024).contains(&says.len()), "{name} says {says:?}");
        assert_eq!(alarm["AlarmActions"], json!([{ "Ref": "NoticeTopic" }]), "{name}");
        let missing = if name == "TickMissingAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
    }
    let must = [
        "OverridesRejected",
        "OwnLogGroup",
        "PublishFailed",
        "QuarantineFailed",
        "Quarantined",
        "Ticks",
        "Unacknowledged",
    ];
    assert_eq!(watched, BTreeSet::from(must));
}

#[test]
fn the_dashboard_is_json_and_shows_what_there_is() {
    let body = resource("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().expect("a text");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let mut shown = BTreeSet::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        // A point stands for what stands there in the line above.
        let mut above: Vec<&str> = Vec::new();
        for line in widget["properties"]["metrics"].as_array().expect("metrics") {
            let words: Vec<&str> =
                line.as_array().expect("a line").iter().filter_map(Value::as_str).collect();
            if words.is_empty() || words == ["..."] {
                continue;
            }
            let full = words.iter().enumerate();
            let full = full.map(|(at, word)| if *word == "." { above[at] } else { word });
            let words: Vec<&str> = full.collect();
            if words[0] == "Tidewatch" {
                assert_eq!(words[2..], ["Stack", "${AWS::StackName}"], "{words:?}");
                shown.insert(words[1].to_owned());
            }
            above = words;
        }
    }
    let stray: Vec<&String> = shown.iter().filter(|metric| !written().contains(*metric)).collect();
    assert!(stray.is_empty(), "nobody writes {stray:?}");
    assert!(shown.len() >= 20, "it shows {shown:?}");
}

#[test]
fn nothing_of_the_stack_outlives_it() {
    for (name, resource) in translated()["Resources"].as_object().expect("resources") {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            let says = resource[policy].as_str().unwrap_or("Delete");
            assert_eq!(says, "Delete", "{name}");
        }
    }
    let rules = resource("Bucket")["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
    for prefix in ["quarantine/", "aws/lambda/"] {
        let expires = rules.iter().any(|rule| {
            rule["Prefix"] == prefix
                && rule["ExpirationInDays"] == json!({ "Ref": "QuarantineDays" })
        });
        assert!(expires, "{prefix} stays for ever");
    }
    assert!(resource("Bucket")["VersioningConfiguration"].is_null(), "what is deleted is gone");
}

/// What the account policy leaves out are the groups that the stack says are its own.
#[test]
fn the_account_policy_leaves_our_own_log_groups_out() {
    let source = root().join("infra/account-subscription.yaml");
    let account = tidewatch_tests::stack::translate(&source, &BTreeMap::new());
    let policy = &account["Resources"]["Subscription"]["Properties"];
    let left_out = policy["SelectionCriteria"]["Fn::Sub"].as_str().expect("a text");
    let outputs = translated()["Outputs"].as_object().expect("outputs");
    let groups: Vec<&String> = all_of("AWS::Logs::LogGroup").map(|(name, _)| name).collect();
    assert_eq!(groups.len(), 2);
    for group in groups {
        let told = outputs.iter().find(|(_, output)| output["Value"] == json!({ "Ref": group }));
        let (output, _) = told.unwrap_or_else(|| panic!("no output names {group}"));
        assert!(left_out.contains(&format!("\"${{{output}}}\"")), "{left_out} lets {group} in");
    }
    let document = policy["PolicyDocument"]["Fn::Sub"].as_str().expect("a text");
    let document: Value = serde_json::from_str(document).expect("JSON");
    assert_eq!(document["FilterPattern"], "");
}
