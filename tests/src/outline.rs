//! A stack in the local cloud that has the outputs of ours and nothing behind them, for commands that look at log
//! groups: it is there in a second.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cloud::{Cloud, until};
use crate::ministack::Ministack;

/// The outline of a stack.
#[derive(Debug)]
pub struct Outline {
    /// Its name.
    pub name: &'static str,
    /// The name of its filters.
    pub filter: &'static str,
}

impl Outline {
    /// The ARN of its stream, which is not there.
    pub fn stream_arn(&self) -> String {
        format!("arn:aws:kinesis:us-east-1:000000000000:stream/{}-logs", self.name)
    }

    /// The ARN of the role of its filters.
    pub fn role_arn(&self) -> String {
        format!("arn:aws:iam::000000000000:role/{}-subscription", self.name)
    }

    /// The log group of its detector.
    pub fn detector_logs(&self) -> String {
        format!("/aws/lambda/{}-detector", self.name)
    }

    /// The log group of its rotation.
    pub fn rotation_logs(&self) -> String {
        format!("/aws/lambda/{}-rotation", self.name)
    }

    /// Makes it, with its log groups.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn deploy(&self, cloud: &Cloud) {
        let outputs = [
            ("StreamArn", self.stream_arn()),
            ("SubscriptionRoleArn", self.role_arn()),
            ("DetectorLogGroup", self.detector_logs()),
            ("RotationLogGroup", self.rotation_logs()),
        ];
        let outputs: BTreeMap<&str, Value> =
            outputs.into_iter().map(|(name, value)| (name, json!({ "Value": value }))).collect();
        let template = json!({
            "Parameters": { "SubscriptionFilterName": { "Type": "String", "Default": self.filter } },
            "Resources": { "Topic": { "Type": "AWS::SNS::Topic" } },
            "Outputs": outputs,
        });
        let ask = json!({ "StackName": self.name, "TemplateBody": template.to_string() });
        cloud.must("cloudformation", "CreateStack", ask);
        until("the stack", || {
            let ask = json!({ "StackName": self.name });
            let told = cloud.must("cloudformation", "DescribeStacks", ask);
            (told["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE").then_some(())
        });
        for group in [self.detector_logs(), self.rotation_logs()] {
            cloud.must("logs", "CreateLogGroup", json!({ "logGroupName": group }));
        }
    }
}

/// The access key of somebody new who may do what `statements` allow.
///
/// # Panics
/// If the cloud refuses.
pub fn somebody(cloud: &Cloud, name: &str, statements: &Value) -> (String, String) {
    cloud.must("iam", "CreateUser", json!({ "UserName": name }));
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    let ask = json!({
        "UserName": name, "PolicyName": "some", "PolicyDocument": policy.to_string(),
    });
    cloud.must("iam", "PutUserPolicy", ask);
    let key = cloud.must("iam", "CreateAccessKey", json!({ "UserName": name }));
    let text = |field: &str| key["AccessKey"][field].as_str().expect("text").to_owned();
    (text("AccessKeyId"), text("SecretAccessKey"))
}

/// The same in a guarded cloud, of whom all but `denied` is allowed.
///
/// # Panics
/// If the cloud is not guarded, or refuses.
pub fn somebody_without(
    ministack: &Ministack,
    cloud: &Cloud,
    name: &str,
    denied: &[&str],
) -> (String, String) {
    assert!(ministack.is_guarded(), "nobody is denied anything here");
    let statements = json!([{ "Effect": "Allow", "NotAction": denied, "Resource": "*" }]);
    somebody(cloud, name, &statements)
}
