//! infra/operator-permissions.txt against what the commands do: under just the permissions that it lists for a
//! command nothing is denied, and without each of them something is.
//!
//! What the local cloud does not ask about is named here. What `watch --stream` asks for, which goes on until it is
//! ended, is read out of the code.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, root, run_as};
use tidewatch_tests::cloud::bytes;
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::outline::somebody;
use tidewatch_tests::stack::{NAME, Stack, pack};

/// Listed, and not asked about by the local cloud: it checks the use of keys, the passing of roles, numbers and
/// the owner's own topics for nobody, and has no policies of accounts, of which AWS wants two permissions.
const NOT_ASKED: [(&str, &str); 14] = [
    ("feed", "kms:GenerateDataKey"),
    ("prove", "kms:Decrypt"),
    ("prove", "iam:PassRole"),
    ("prove", "sns:Subscribe"),
    ("prove", "sns:Unsubscribe"),
    ("status", "cloudwatch:GetMetricData"),
    ("status", "kms:Decrypt"),
    ("status", "sns:GetTopicAttributes"),
    ("subscribe", "iam:PassRole"),
    ("subscribe --account", "logs:PutSubscriptionFilter"),
    ("unsubscribe --account", "logs:DeleteAccountPolicy"),
    ("unsubscribe --account", "logs:DeleteSubscriptionFilter"),
    ("unsubscribe --account", "logs:DescribeAccountPolicies"),
    ("watch --stream", "kms:Decrypt"),
];

/// The actions of each command.
fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("infra/operator-permissions.txt"));
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.expect("the file").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let [command, action, _about] = columns[..] else { panic!("three columns: {line}") };
        let is_new = all.entry(command.to_owned()).or_default().insert(action.to_owned());
        assert!(is_new, "listed twice: {line}");
    }
    all
}

struct World {
    stack: Stack,
    people: Cell<usize>,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

impl World {
    /// A stack without work whose own log is read by somebody else's function, and a log group.
    fn start() -> World {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let zip = folder.path().join("bootstrap.zip");
        pack(Path::new("/bin/true"), &zip);
        let ministack = Ministack::guarded();
        let parameters =
            [("StreamMode", "PROVISIONED"), ("ShardCount", "1"), ("Architecture", "x86_64")];
        let stack = Stack::deploy(&ministack, &zip, &parameters);
        let world = World { stack, people: Cell::new(0), ministack };
        world.must("logs", "CreateLogGroup", json!({ "logGroupName": "/a/one" }));
        world.must("kinesis", "CreateStream", json!({ "StreamName": "else", "ShardCount": 1 }));
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/else";
        let code = json!({ "ZipFile": bytes(&std::fs::read(&zip).expect("it was packed")) });
        let lambda = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        let ask = json!({ "RoleName": "else", "AssumeRolePolicyDocument": lambda.to_string() });
        let role = world.must("iam", "CreateRole", ask)["Role"]["Arn"].clone();
        let reads = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "kinesis:*", "Resource": "*",
        }] });
        let ask = json!({
            "RoleName": "else", "PolicyName": "reads", "PolicyDocument": reads.to_string(),
        });
        world.must("iam", "PutRolePolicy", ask);
        let ask = json!({
            "FunctionName": "else", "Runtime": "provided.al2023", "Handler": "x", "Code": code, "Role": role,
        });
        world.must("lambda", "CreateFunction", ask);
        let ask = json!({
            "FunctionName": "else", "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON", "Enabled": false,
        });
        world.must("lambda", "CreateEventSourceMapping", ask);
        world.filter(&world.stack.outputs["DetectorLogGroup"], "else", arn);
        world
    }

    fn must(&self, service: &str, operation: &str, parameters: Value) -> Value {
        self.stack.cloud.must(service, operation, parameters)
    }

    fn filter(&self, group: &str, name: &str, destination: &str) {
        let ask = json!({
            "logGroupName": group, "filterName": name, "filterPattern": "", "destinationArn": destination,
            "roleArn": self.stack.outputs["SubscriptionRoleArn"], "distribution": "ByLogStream",
        });
        self.must("logs", "PutSubscriptionFilter", ask);
    }

    /// Puts the log group's filter there, or takes it away.
    fn subscribed(&self, is: bool) {
        if is {
            return self.filter("/a/one", "tidewatch", &self.stack.outputs["StreamArn"]);
        }
        let ask = json!({ "logGroupName": "/a/one", "filterName": "tidewatch" });
        let _ = self.stack.cloud.call("logs", "DeleteSubscriptionFilter", ask);
    }

    /// Runs a command as somebody new who may do `actions`.
    fn run(&self, actions: &BTreeSet<String>, arguments: &[&str]) -> Ran {
        let nth = self.people.get() + 1;
        self.people.set(nth);
        let statements = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
        let (id, secret) = somebody(&self.stack.cloud, &format!("user-{nth}"), &statements);
        run_as(&self.ministack, (&id, &secret), arguments)
    }
}

/// The actions that were denied.
fn denied(ran: &Ran) -> BTreeSet<String> {
    let all = format!("{}{}", ran.stdout, ran.stderr);
    let words = all.split("not authorized to perform: ").skip(1);
    let first = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    words.map(first).collect()
}

#[test]
fn each_command_needs_the_permissions_that_are_listed_and_no_other() {
    let world = World::start();
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let log = folder.path().join("app.log");
    std::fs::write(&log, "a line\n").expect("it is written");
    let stream = world.stack.outputs["StreamArn"].clone();
    let feed = ["feed", "--stream", &stream, log.to_str().expect("UTF-8")];
    let prove = ["prove", "--stack", NAME, "--rounds", "1", "--wait", "1", "--group", "/a/one"];
    // Each command, and whether the log group is subscribed before.
    let commands: [(&str, &[&str], bool); 11] = [
        ("feed", &feed, false),
        ("subscribe", &["subscribe", "--stack", NAME, "/a/one"], false),
        ("subscribe --account", &["subscribe", "--stack", NAME, "--account"], false),
        ("unsubscribe", &["unsubscribe", "--stack", NAME, "/a/one"], true),
        ("unsubscribe --account", &["unsubscribe", "--stack", NAME, "--account"], false),
        ("status", &["status", "--stack", NAME], true),
        ("prove", &prove, true),
        ("coverage --group", &["coverage", "--group", "/a/one"], false),
        ("coverage --stack", &["coverage", "--stack", NAME], false),
        ("bill --group", &["bill", "--group", "/aws/lambda/*"], false),
        ("bill --stack", &["bill", "--stack", NAME], false),
    ];
    let all = listed();
    let mut known: BTreeSet<&str> = commands.iter().map(|(command, ..)| *command).collect();
    known.insert("watch --stream");
    assert_eq!(all.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
    let mut wrong = Vec::new();
    for (command, arguments, is_subscribed) in commands {
        if command == "subscribe --account" {
            // Else a circle is told and nothing is asked for.
            let own = &world.stack.outputs["DetectorLogGroup"];
            let ask = json!({ "logGroupName": own, "filterName": "else" });
            world.must("logs", "DeleteSubscriptionFilter", ask);
        }
        if command == "bill --stack" {
            // One that is sent and one that is not, so that all is asked for.
            let ask = json!({ "logGroupName": "/aws/lambda/sent" });
            world.must("logs", "CreateLogGroup", ask);
            world.must("logs", "CreateLogGroup", json!({ "logGroupName": "/aws/lambda/unsent" }));
            world.filter("/aws/lambda/sent", "tidewatch", &world.stack.outputs["StreamArn"]);
        }
        let own = &all[command];
        let base = command.split(' ').next().and_then(|base| all.get(base)).into_iter().flatten();
        let allowed: BTreeSet<String> = own.iter().chain(base).cloned().collect();
        for action in own {
            if NOT_ASKED.contains(&(command, action)) {
                continue;
            }
            world.subscribed(is_subscribed);
            let without = allowed.iter().filter(|allowed| *allowed != action).cloned().collect();
            let ran = world.run(&without, arguments);
            let told = denied(&ran);
            if told != BTreeSet::from([action.clone()]) {
                let says = format!("{}{}", ran.stdout, ran.stderr);
                wrong.push(format!("{command} without {action}: {told:?} denied: {says}"));
            }
        }
        world.subscribed(is_subscribed);
        let ran = world.run(&allowed, arguments);
        let told = denied(&ran);
        if !told.is_empty() {
            wrong.push(format!("{command}: {told:?} denied: {}{}", ran.stdout, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is put on streams and read from them is asked for in one file.
#[test]
fn the_permissions_on_streams_are_those_that_the_code_asks_for() {
    let code = std::fs::read_to_string(root().join("crates/aws/src/stream/kinesis.rs"));
    let code = code.expect("the code");
    let asked = code.split("self.asked(\"").skip(1);
    let asked: BTreeSet<String> = asked
        .filter_map(|rest| rest.split('"').next())
        .map(|operation| format!("kinesis:{operation}"))
        .collect();
    let all = listed();
    let listed = all["feed"].iter().chain(&all["watch --stream"]);
    let listed: BTreeSet<String> =
        listed.filter(|action| action.starts_with("kinesis:")).cloned().collect();
    assert_eq!(asked, listed);
}
