//! The stack in the local cloud.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidewatch_aws::client::{dynamodb, local};
use tidewatch_aws::schema;
use tidewatch_tests::binary::root;
use tidewatch_tests::cloud::{bytes, bytes_of, until};
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::stack::{Stack, pack, watches_math};

use crate::{resource, translated};

/// A function that calls what its event says, packed into `folder`.
fn caller(folder: &TempDir) -> PathBuf {
    let source = std::fs::read_to_string(root().join("tests/cloud/caller.py")).expect("the source");
    let python = std::env::var("TIDEWATCH_PYTHON").expect("set by ./test.sh");
    let (executable, zip) = (folder.path().join("caller"), folder.path().join("caller.zip"));
    std::fs::write(&executable, format!("#!{python}\n{source}")).expect("written");
    pack(&executable, &zip);
    zip
}

/// The keys, types and index of the table `name`, as DynamoDB describes it.
fn shape(stack: &Stack, name: &str) -> Value {
    let described = stack.cloud.must("dynamodb", "DescribeTable", json!({ "TableName": name }));
    let table = &described["Table"];
    let index = &table["GlobalSecondaryIndexes"][0];
    let mut types = table["AttributeDefinitions"].as_array().expect("attributes").clone();
    types.sort_by_key(|attribute| attribute["AttributeName"].to_string());
    json!({
        "types": types,
        "keys": table["KeySchema"],
        "index": [index["IndexName"], index["KeySchema"], index["Projection"]],
        "billing": table["BillingModeSummary"]["BillingMode"],
        "others": table["GlobalSecondaryIndexes"].as_array().map(Vec::len),
    })
}

#[tokio::test]
async fn the_stack_deploys_and_its_table_is_the_one_the_code_expects() {
    let ministack = Ministack::start();
    let folder = tempfile::tempdir().expect("a folder");
    let stack = Stack::deploy(&ministack, &caller(&folder), &[]);

    let made = stack.resources();
    for (name, resource) in translated()["Resources"].as_object().expect("resources") {
        // All that have a condition are off by default, but for the rotation, which the local cloud lacks.
        let is_left_out = !resource["Condition"].is_null() || watches_math(resource);
        assert_eq!(made.contains_key(name), !is_left_out, "{name}");
    }
    let expected = schema::create_table(&dynamodb(&local(&ministack.endpoint())), "expected").await;
    expected.expect("it can be made");
    assert_eq!(shape(&stack, &stack.outputs["TableName"]), shape(&stack, "expected"));
    assert_eq!(stack.outputs["StreamArn"].matches(":stream/").count(), 1);
}

/// What the detector's role may do, and what of its own stack it may not.
fn asked(stack: &Stack) -> Vec<(bool, &'static str, &'static str, Value)> {
    let made = stack.resources();
    let (table, bucket) = (&stack.outputs["TableName"], &stack.outputs["BucketName"]);
    let secret = &made["Secret"].1;
    let stream = &stack.outputs["StreamArn"];
    let key = json!({ "k": { "B": "a" }, "r": { "B": "b" } });
    let object = |key: &str| json!({ "Bucket": bucket, "Key": key });
    let put = |key: &str| json!({ "Bucket": bucket, "Key": key, "Body": "x" });
    let due = json!({
        "TableName": table, "IndexName": schema::INDEX, "KeyConditionExpression": "q = :q",
        "ExpressionAttributeValues": { ":q": { "S": "q0" } },
    });
    vec![
        (true, "dynamodb", "GetItem", json!({ "TableName": table, "Key": key })),
        (true, "dynamodb", "UpdateItem", json!({ "TableName": table, "Key": key })),
        (true, "dynamodb", "Query", due),
        (false, "dynamodb", "DeleteItem", json!({ "TableName": table, "Key": key })),
        (false, "dynamodb", "Scan", json!({ "TableName": table })),
        (
            true,
            "sns",
            "Publish",
            json!({ "TopicArn": stack.outputs["AlertTopicArn"], "Message": "x" }),
        ),
        (
            true,
            "sns",
            "Publish",
            json!({ "TopicArn": stack.outputs["NoticeTopicArn"], "Message": "x" }),
        ),
        (false, "sns", "DeleteTopic", json!({ "TopicArn": stack.outputs["AlertTopicArn"] })),
        (true, "secretsmanager", "GetSecretValue", json!({ "SecretId": secret })),
        (
            false,
            "secretsmanager",
            "PutSecretValue",
            json!({ "SecretId": secret, "SecretString": "x" }),
        ),
        (true, "s3", "PutObject", put("last-good/x")),
        (true, "s3", "GetObject", object("last-good/x")),
        (true, "s3", "PutObject", put("quarantine/x")),
        (false, "s3", "GetObject", object("quarantine/x")),
        (false, "s3", "DeleteObject", object("quarantine/x")),
        (false, "s3", "PutObject", put("detectors/x")),
        (true, "s3", "GetObject", object("users/known.users")),
        (false, "s3", "GetObject", object("users/x")),
        (false, "s3", "PutObject", put("users/known.users")),
        (false, "s3", "PutObject", put("allow.toml")),
        (true, "s3", "ListObjectsV2", json!({ "Bucket": bucket, "Prefix": "detectors/" })),
        (true, "kinesis", "DescribeStreamSummary", json!({ "StreamARN": stream })),
        (
            false,
            "kinesis",
            "PutRecord",
            json!({ "StreamARN": stream, "Data": "x", "PartitionKey": "x" }),
        ),
    ]
}

/// What the detector is told when it calls `operation` with its own role: an error's code, or nothing.
fn told(stack: &Stack, service: &str, operation: &str, parameters: &Value) -> Option<String> {
    let event = json!({ "service": service, "operation": operation, "parameters": parameters });
    let ask = json!({
        "FunctionName": stack.outputs["FunctionName"],
        "Payload": bytes(event.to_string().as_bytes()),
    });
    let answer = stack.cloud.must("lambda", "Invoke", ask);
    let code = bytes_of(&answer["Payload"]).expect("bytes");
    let code: Value = serde_json::from_slice(&code).expect("JSON");
    assert!(code.is_null() || code.is_string(), "{event}: {code}");
    code.as_str().map(str::to_owned)
}

/// How DynamoDB, S3, SNS and the others say no.
fn is_denial(code: Option<String>) -> bool {
    let codes = ["AccessDenied", "AccessDeniedException", "AuthorizationError"];
    code.is_some_and(|code| codes.contains(&code.as_str()))
}

#[test]
fn the_detectors_role_may_do_what_it_needs_and_no_more() {
    let ministack = Ministack::guarded();
    let folder = tempfile::tempdir().expect("a folder");
    let parameters =
        [("AlertEmail", "a@example.com"), ("StreamMode", "PROVISIONED"), ("ShardCount", "2")];
    let stack = Stack::deploy(&ministack, &caller(&folder), &parameters);
    assert!(stack.resources().contains_key("AlertEmailSubscription"));
    let users = json!({
        "Bucket": stack.outputs["BucketName"], "Key": "users/known.users", "Body": "x",
    });
    stack.cloud.must("s3", "PutObject", users);
    for (may, service, operation, parameters) in asked(&stack) {
        let code = told(&stack, service, operation, &parameters);
        match may {
            true => assert_eq!(code, None, "{service} {operation} {parameters}"),
            false => assert!(is_denial(code), "{service} {operation} {parameters}"),
        }
    }
}

/// The statements about TLS, put back into a cloud that speaks none.
#[test]
fn whatever_is_asked_without_tls_is_denied() {
    let ministack = Ministack::guarded();
    let folder = tempfile::tempdir().expect("a folder");
    let stack = Stack::deploy(&ministack, &caller(&folder), &[]);
    let bucket = &stack.outputs["BucketName"];
    let topic = |output: &str| stack.outputs[output].clone();
    let publish = |output: &str| json!({ "TopicArn": topic(output), "Message": "x" });
    let put = json!({ "Bucket": bucket, "Key": "quarantine/x", "Body": "x" });
    let policy = |name: &str, resources: &[String]| {
        let statement = &resource(name)["PolicyDocument"]["Statement"][0];
        assert_eq!(statement["Sid"], "OnlyOverTls");
        let mut statement = statement.clone();
        statement["Resource"] = json!(resources);
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    };
    for (name, output) in
        [("AlertTopicPolicy", "AlertTopicArn"), ("NoticeTopicPolicy", "NoticeTopicArn")]
    {
        assert_eq!(told(&stack, "sns", "Publish", &publish(output)), None);
        let ask = json!({
            "TopicArn": topic(output),
            "AttributeName": "Policy",
            "AttributeValue": policy(name, &[topic(output)]),
        });
        stack.cloud.must("sns", "SetTopicAttributes", ask);
        assert!(is_denial(told(&stack, "sns", "Publish", &publish(output))), "{name}");
    }
    assert_eq!(told(&stack, "s3", "PutObject", &put), None);
    let arns = [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")];
    let ask = json!({ "Bucket": bucket, "Policy": policy("BucketPolicy", &arns) });
    stack.cloud.must("s3", "PutBucketPolicy", ask);
    assert!(is_denial(told(&stack, "s3", "PutObject", &put)));
}

/// The environment that an event source mapping calls is a process of its own, and made anew when it has
/// ended: what a test needs that kills it.
#[test]
fn an_environment_is_a_process_that_is_made_anew() {
    let ministack = Ministack::start();
    let folder = tempfile::tempdir().expect("a folder");
    let stack = Stack::deploy(&ministack, &caller(&folder), &[]);
    // Its first call after the death may still meet the dying one, and fail.
    let invoke = || {
        let event = json!({ "service": "sts", "operation": "GetCallerIdentity", "parameters": {} });
        let ask = json!({
            "FunctionName": stack.outputs["FunctionName"],
            "Payload": bytes(event.to_string().as_bytes()),
        });
        let told = stack.cloud.must("lambda", "Invoke", ask);
        told["FunctionError"].is_null().then_some(())
    };
    until("a first answer", invoke);
    let first = ministack.environments();
    assert_eq!(first.len(), 1);
    until("a second answer", invoke);
    assert_eq!(ministack.environments(), first);
    ministack.kill_environment(first[0]);
    until("an answer of another", invoke);
    let second = ministack.environments();
    assert_eq!(second.len(), 1);
    assert_ne!(second, first);
}
