//! Who may do what: every statement of every policy of the translated template, one line for each action
//! and resource, against infra/permissions.txt. `UPDATE_EXPECT=1` rewrites that file; the change is then
//! for a reader to judge.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

use crate::translated;

/// Every `*` in an action or a resource, and why nothing narrower does.
const STARS: &[(&str, &str, &str)] = &[
    ("kms:*", "*", "in a key's policy `*` is that key; without it nobody could administer the key"),
    ("kms:Decrypt", "*", "in a key's policy `*` is that key"),
    ("kms:GenerateDataKey", "*", "in a key's policy `*` is that key"),
    ("s3:*", "Bucket", "a denial, of whatever is asked without TLS"),
    ("s3:*", "Bucket/*", "a denial, of whatever is asked without TLS"),
    ("s3:GetObject", "Bucket/detectors/*", "objects below a prefix"),
    ("s3:GetObject", "Bucket/last-good/*", "objects below a prefix"),
    ("s3:GetObject", "Bucket/lists/*", "objects below a prefix"),
    ("s3:PutObject", "Bucket/last-good/*", "objects below a prefix"),
    ("s3:PutObject", "Bucket/quarantine/*", "objects below a prefix"),
    ("s3:PutObject", "Bucket/aws/lambda/*", "objects below a prefix"),
];

const HEAD: &str = "\
# Who may do what in the stack of template.yaml, every statement of every policy: what each role may do,
# and then what resources say of others. A test compares this file with the translated template, so
# nothing is allowed that is not in a line here. `X`, `X.Arn` and `X.Id` are the resource X there.
";

/// A statement's part for one action and one resource.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    who: String,
    effect: String,
    action: String,
    resource: String,
    condition: String,
    /// Whose policy says so, where it is not the role's own.
    source: Option<String>,
}

impl Line {
    fn text(&self) -> String {
        let Line { who, effect, action, resource, condition, source } = self;
        let mut text = format!("{who:<53} {effect:<5} {action:<39} {resource}");
        if !condition.is_empty() {
            text += &format!("   if {condition}");
        }
        if let Some(source) = source {
            text += &format!("   says {source}");
        }
        if self.has_star() {
            text += &format!("   # {}", self.reason());
        }
        text + "\n"
    }

    fn has_star(&self) -> bool {
        self.action.contains('*') || self.resource.contains('*')
    }

    /// # Panics
    /// If its `*` has none.
    fn reason(&self) -> &'static str {
        let resource = self.resource.replace(".Arn", "").replace("${", "").replace('}', "");
        let mut known =
            STARS.iter().filter(|(action, of, _)| *action == self.action && *of == resource);
        let (_, _, why) = known.next().unwrap_or_else(|| panic!("why is there a * in {self:?}?"));
        why
    }
}

/// A value of the template as a reader would write it: `Ref` and `GetAtt` by name.
fn readable(value: &Value) -> String {
    let function = |name: &str| value.get(name);
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(name) = function("Ref") {
        return readable(name);
    }
    if let Some(path) = function("Fn::GetAtt").and_then(Value::as_array) {
        return path.iter().map(readable).collect::<Vec<_>>().join(".");
    }
    if let Some(text) = function("Fn::Sub") {
        return readable(text);
    }
    if let Some(inner) = value.as_object() {
        let parts: Vec<String> =
            inner.iter().map(|(name, value)| format!("{name} {}", readable(value))).collect();
        return parts.join(", ");
    }
    value.to_string()
}

fn each(value: &Value) -> Vec<String> {
    match value.as_array() {
        Some(values) => values.iter().map(readable).collect(),
        None => vec![readable(value)],
    }
}

/// The statements of the policy of `name`: of a role, or of a resource that says what others may do.
fn lines(name: &str, policy: &Value, lines: &mut BTreeSet<Line>) {
    for statement in policy["Statement"].as_array().expect("statements") {
        for unread in ["NotAction", "NotResource", "NotPrincipal"] {
            assert!(statement[unread].is_null(), "{name}: {unread} is not read here");
        }
        let (who, source) = match &statement["Principal"] {
            Value::Null => (name.to_owned(), None),
            principal => (readable(principal), Some(name.to_owned())),
        };
        let resources = match &statement["Resource"] {
            Value::Null => vec!["the role".to_owned()],
            resources => each(resources),
        };
        let condition = match &statement["Condition"] {
            Value::Null => String::new(),
            condition => readable(condition),
        };
        for action in each(&statement["Action"]) {
            for resource in &resources {
                let effect = readable(&statement["Effect"]).to_lowercase();
                let (who, action, resource) = (who.clone(), action.clone(), resource.clone());
                let (condition, source) = (condition.clone(), source.clone());
                lines.insert(Line { who, effect, action, resource, condition, source });
            }
        }
    }
}

/// Everything the template permits or denies.
fn permissions() -> String {
    let mut roles = BTreeSet::new();
    let mut policies = BTreeSet::new();
    for (name, resource) in translated()["Resources"].as_object().expect("resources") {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().expect("a type") {
            "AWS::IAM::Role" => {
                let managed = &properties["ManagedPolicyArns"];
                assert!(managed.is_null(), "{name} has policies that are not ours: {managed}");
                lines(name, &properties["AssumeRolePolicyDocument"], &mut policies);
                for policy in properties["Policies"].as_array().expect("policies") {
                    lines(name, &policy["PolicyDocument"], &mut roles);
                }
            }
            "AWS::KMS::Key" => lines(name, &properties["KeyPolicy"], &mut policies),
            "AWS::S3::BucketPolicy" | "AWS::SNS::TopicPolicy" => {
                lines(name, &properties["PolicyDocument"], &mut policies);
            }
            "AWS::Lambda::Permission" => {
                let limits = ["SourceArn", "SourceAccount"].into_iter();
                let limits = limits.filter(|limit| !properties[limit].is_null());
                let limits: Vec<String> = limits
                    .map(|limit| format!("{limit} {}", readable(&properties[limit])))
                    .collect();
                assert!(!limits.is_empty(), "{name}: anybody's {}", properties["Principal"]);
                policies.insert(Line {
                    who: format!("Service {}", readable(&properties["Principal"])),
                    effect: "allow".to_owned(),
                    action: readable(&properties["Action"]),
                    resource: readable(&properties["FunctionName"]),
                    condition: limits.join(", "),
                    source: Some(name.clone()),
                });
            }
            other => {
                let policy = other.contains("Policy") || other.contains("::IAM::");
                assert!(!policy, "{name}: {other} is not read here");
            }
        }
    }
    let text = |lines: &BTreeSet<Line>| lines.iter().map(Line::text).collect::<String>();
    format!("{HEAD}\n{}\n{}", text(&roles), text(&policies))
}

#[test]
fn nobody_may_do_what_is_not_listed() {
    expect_file!["../../../infra/permissions.txt"].assert_eq(&permissions());
}

#[test]
fn every_star_that_is_explained_is_there() {
    let all = permissions();
    for (action, resource, why) in STARS {
        let explained = all.lines().any(|line| line.contains(action) && line.contains(why));
        assert!(explained, "{action} on {resource} is explained, but nowhere allowed");
    }
}
