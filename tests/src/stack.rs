//! The stack of infra/template.yaml in the local cloud, deployed as a user deploys it: the code is put
//! into a bucket, the template is translated as AWS translates it, and CloudFormation makes it.
//!
//! The template is taken as it is. What the local cloud cannot do with it is made up for here, and
//! nowhere else:
//! - it has no rotation schedules, so `KeyRotationDays` is 0 unless the caller says otherwise; a test
//!   calls the rotation's steps itself;
//! - it refuses alarms on metric math, so those are left out;
//! - it takes the table's TTL from an API call only, so one is made;
//! - it speaks no TLS here, so in a guarded cloud the statements that deny everything else are left out;
//! - it does nothing with encryption, the batching window, retries, bisecting, item failures, the
//!   on-failure destination, metrics of its own, alarms and ceilings on throughput: these are set, kept
//!   and shown, and prove nothing there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::binary::root;
use crate::cloud::{Cloud, REGION, bytes, python, until};
use crate::ministack::Ministack;

/// The name of every stack of a test; each has a local cloud of its own.
pub const NAME: &str = "tidewatch-test";

/// Where the code is put.
const CODE_BUCKET: &str = "code";
const CODE_KEY: &str = "bootstrap.zip";

/// What the local cloud has no resource for.
const WITHOUT_ROTATION: (&str, &str) = ("KeyRotationDays", "0");

/// A deployed stack.
#[derive(Debug)]
pub struct Stack {
    /// Its outputs, by name.
    pub outputs: BTreeMap<String, String>,
    /// The client that deployed it.
    pub cloud: Cloud,
}

impl Stack {
    /// Deploys infra/template.yaml with `code_zip` as the code of both functions.
    ///
    /// # Panics
    /// If it does not come up, with what CloudFormation says of each resource that failed.
    pub fn deploy(ministack: &Ministack, code_zip: &Path, parameters: &[(&str, &str)]) -> Stack {
        let cloud = Cloud::start(ministack);
        let code = std::fs::read(code_zip).expect("the code");
        cloud.must("s3", "CreateBucket", json!({ "Bucket": CODE_BUCKET }));
        let object = json!({ "Bucket": CODE_BUCKET, "Key": CODE_KEY, "Body": bytes(&code) });
        cloud.must("s3", "PutObject", object);

        let mut values = BTreeMap::from([WITHOUT_ROTATION]);
        values.extend(parameters.iter().copied());
        let mut template = translate(&root().join("infra/template.yaml"), &values);
        let resources = template["Resources"].as_object_mut().expect("resources");
        resources.retain(|_, resource| !watches_math(resource));
        if ministack.is_guarded() {
            resources.retain(|_, resource| allow_plain_http(resource));
        }
        let given: Vec<Value> = values
            .iter()
            .map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value }))
            .collect();
        let ask = json!({
            "StackName": NAME,
            "TemplateBody": template.to_string(),
            "Parameters": given,
            "Capabilities": ["CAPABILITY_IAM"],
        });
        cloud.must("cloudformation", "CreateStack", ask);
        let outputs = until("the stack", || settled(&cloud));
        let table = json!({
            "TableName": outputs["TableName"],
            "TimeToLiveSpecification": { "AttributeName": tidewatch_aws::schema::EXPIRES, "Enabled": true },
        });
        cloud.must("dynamodb", "UpdateTimeToLive", table);
        Stack { outputs, cloud }
    }

    /// Each resource's type and physical id, by its name in the template.
    pub fn resources(&self) -> BTreeMap<String, (String, String)> {
        let ask = json!({ "StackName": NAME });
        let all = self.cloud.must("cloudformation", "DescribeStackResources", ask);
        let listed = all["StackResources"].as_array().expect("a list");
        let text = |resource: &Value, name: &str| resource[name].as_str().expect("text").to_owned();
        listed
            .iter()
            .map(|one| {
                let what = (text(one, "ResourceType"), text(one, "PhysicalResourceId"));
                (text(one, "LogicalResourceId"), what)
            })
            .collect()
    }
}

/// Takes the statements about TLS out of `resource`; whether anything of it is left.
fn allow_plain_http(resource: &mut Value) -> bool {
    let place = resource.pointer_mut("/Properties/PolicyDocument/Statement");
    let Some(statements) = place.and_then(Value::as_array_mut) else {
        return true;
    };
    statements.retain(|statement| statement["Sid"] != "OnlyOverTls");
    !statements.is_empty()
}

/// Packs `executable` as the code of a function into `zip`; how many bytes that makes.
///
/// # Panics
/// If it cannot be read or `zip` cannot be written.
pub fn pack(executable: &Path, zip: &Path) -> u64 {
    let packed = python().arg("tests/cloud/pack.py").args([executable, zip]).output();
    let packed = packed.expect("TIDEWATCH_PYTHON starts");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    String::from_utf8_lossy(&packed.stdout).trim().parse().expect("a number of bytes")
}

/// Whether `resource` is an alarm on an expression.
pub fn watches_math(resource: &Value) -> bool {
    resource["Type"] == "AWS::CloudWatch::Alarm" && !resource["Properties"]["Metrics"].is_null()
}

/// The stack's outputs, once it is whole; `None` while it is not.
///
/// # Panics
/// If it failed.
fn settled(cloud: &Cloud) -> Option<BTreeMap<String, String>> {
    let ask = json!({ "StackName": NAME });
    let stacks = cloud.must("cloudformation", "DescribeStacks", ask.clone());
    let stack = &stacks["Stacks"][0];
    match stack["StackStatus"].as_str() {
        Some("CREATE_IN_PROGRESS") => return None,
        Some("CREATE_COMPLETE") => {}
        status => {
            let events = cloud.must("cloudformation", "DescribeStackEvents", ask);
            let all = events["StackEvents"].as_array().cloned().unwrap_or_default();
            let failed = all.iter().filter(|event| event["ResourceStatusReason"].is_string());
            let failed: Vec<String> = failed
                .map(|event| {
                    format!("{} {}", event["LogicalResourceId"], event["ResourceStatusReason"])
                })
                .collect();
            panic!("the stack is {status:?}:\n{}", failed.join("\n"));
        }
    }
    let outputs = stack["Outputs"].as_array().expect("outputs").iter().map(|output| {
        let text = |name: &str| output[name].as_str().expect("text").to_owned();
        (text("OutputKey"), text("OutputValue"))
    });
    Some(outputs.collect())
}

/// `template`, translated into plain CloudFormation.
///
/// # Panics
/// If the translator refuses it.
pub fn translate(template: &Path, parameters: &BTreeMap<&str, &str>) -> Value {
    let mut translator = python()
        .arg("tests/cloud/translate.py")
        .arg(template)
        .args([REGION, CODE_BUCKET, CODE_KEY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("TIDEWATCH_PYTHON starts");
    let values = json!(parameters).to_string();
    let mut stdin = translator.stdin.take().expect("a pipe");
    stdin.write_all(values.as_bytes()).expect("translate.py reads");
    drop(stdin);
    let output = translator.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} is not translated:\n{errors}", template.display());
    serde_json::from_slice(&output.stdout).expect("JSON")
}
