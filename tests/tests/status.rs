//! `tidewatch status` over a stack in the local cloud that is broken on purpose, one thing at a time: the line
//! of that thing changes, and no other.
//!
//! The local cloud measures nothing: what CloudWatch would be told is put there.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, run_as, run_at};
use tidewatch_tests::cloud::bytes;
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::outline::somebody_without;
use tidewatch_tests::stack::{NAME, Stack, pack};

const GROUPS: [&str; 2] = ["/a/*", "/aws/lambda/*"];

struct World {
    stack: Stack,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

/// Each line by what it is about: the verdict, and why.
type Lines = BTreeMap<String, (String, String)>;

impl World {
    /// A stack without work, a log group that is subscribed, and a subscriber of its alerts.
    fn start() -> World {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let zip = folder.path().join("bootstrap.zip");
        pack(std::path::Path::new("/bin/true"), &zip);
        let ministack = Ministack::guarded();
        let parameters =
            [("StreamMode", "PROVISIONED"), ("ShardCount", "1"), ("Architecture", "x86_64")];
        let stack = Stack::deploy(&ministack, &zip, &parameters);
        let world = World { stack, ministack };
        world.must("logs", "CreateLogGroup", json!({ "logGroupName": "/a/one" }));
        let subscribed = run_at(&world.ministack, &["subscribe", "--stack", NAME, "/a/*"], b"");
        assert_eq!(subscribed.code, 0, "{}{}", subscribed.stdout, subscribed.stderr);
        let queue = world.must("sqs", "CreateQueue", json!({ "QueueName": "alerts" }));
        let ask = json!({ "QueueUrl": queue["QueueUrl"], "AttributeNames": ["QueueArn"] });
        let arn = world.must("sqs", "GetQueueAttributes", ask)["Attributes"]["QueueArn"].clone();
        let ask = json!({ "TopicArn": world.output("AlertTopicArn"), "Protocol": "sqs", "Endpoint": arn });
        world.must("sns", "Subscribe", ask);
        world
    }

    fn must(&self, service: &str, operation: &str, parameters: Value) -> Value {
        self.stack.cloud.must(service, operation, parameters)
    }

    fn output(&self, name: &str) -> &str {
        &self.stack.outputs[name]
    }

    /// Tells CloudWatch a number of now.
    fn measure(&self, namespace: &str, metric: &str, dimensions: &[(&str, &str)], value: f64) {
        let dimensions: Vec<Value> = dimensions
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let datum = json!({
            "MetricName": metric, "Dimensions": dimensions, "Value": value, "Timestamp": now,
        });
        let ask = json!({ "Namespace": namespace, "MetricData": [datum] });
        self.must("cloudwatch", "PutMetricData", ask);
    }

    fn of_stack(&self, metric: &str) {
        self.measure("Tidewatch", metric, &[("Stack", NAME)], 1.0);
    }

    fn of_function(&self, metric: &str, value: f64) {
        let function = self.output("FunctionName");
        self.measure("AWS/Lambda", metric, &[("FunctionName", function)], value);
    }

    fn store(&self, key: &str) {
        self.store_text(key, "x");
    }

    fn store_text(&self, key: &str, text: &str) {
        let body = bytes(text.as_bytes());
        let ask = json!({ "Bucket": self.output("BucketName"), "Key": key, "Body": body });
        self.must("s3", "PutObject", ask);
    }

    /// The uuid of what reads the stream.
    fn source(&self) -> Value {
        let ask = json!({ "FunctionName": self.output("FunctionName") });
        let listed = self.must("lambda", "ListEventSourceMappings", ask);
        listed["EventSourceMappings"][0]["UUID"].clone()
    }

    fn subscribe_group(&self, group: &str, role: &str) {
        let ask = json!({
            "logGroupName": group, "filterName": "tidewatch", "filterPattern": "",
            "destinationArn": self.output("StreamArn"), "roleArn": role, "distribution": "ByLogStream",
        });
        self.must("logs", "PutSubscriptionFilter", ask);
    }

    fn status(&self) -> Lines {
        let arguments = [&["status", "--stack", NAME, "--output", "json"], &GROUPS[..]].concat();
        lines(&run_at(&self.ministack, &arguments, b""))
    }
}

fn lines(ran: &Ran) -> Lines {
    let told: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = told["lines"].as_array().expect("lines").iter();
    let is_blind = |line: &Value| line["verdict"] == "blind";
    let code = i32::from(all.clone().any(is_blind));
    assert_eq!(ran.code, code, "{}", ran.stdout);
    for line in all.clone().filter(|line| is_blind(line)) {
        assert!(!text(&line["why"]).is_empty() && !text(&line["what_to_do"]).is_empty(), "{line}");
    }
    all.map(|line| (text(&line["about"]), (text(&line["verdict"]), text(&line["why"])))).collect()
}

/// What is different: about what, its verdict, why.
fn changed(before: &Lines, after: &Lines) -> Vec<(String, String, String)> {
    assert_eq!(before.len(), after.len());
    let differing = after.iter().filter(|(about, says)| before.get(*about) != Some(says));
    differing.map(|(about, (verdict, why))| (about.clone(), verdict.clone(), why.clone())).collect()
}

#[test]
fn what_is_broken_is_named_and_nothing_else() {
    let world = World::start();
    let begun = world.status();
    let parts = [
        "/a/one",
        "/aws/lambda/tidewatch-test-detector",
        "/aws/lambda/tidewatch-test-rotation",
        "findings",
        "function",
        "functions",
        "on-failure",
        "overrides",
        "quarantine",
        "rules",
        "secret",
        "source",
        "stack",
        "stream",
        "table",
        "tick",
        "topics",
    ];
    assert_eq!(begun.keys().collect::<Vec<_>>(), parts);
    for (about, (verdict, why)) in &begun {
        // Nothing ticks here, and tells that it has the key.
        let expected = match about.as_str() {
            "tick" => "blind",
            "secret" => "unknown",
            _ => "healthy",
        };
        assert_eq!(verdict, expected, "{about}: {why}");
    }
    let mut before = begun;
    let mut step = |about: &str, verdict: &str, why: &str, change: &dyn Fn()| {
        change();
        let after = world.status();
        let differing = changed(&before, &after);
        let [(found, is, because)] = &differing[..] else {
            panic!("{about}, {why}: {differing:?}")
        };
        assert_eq!((found.as_str(), is.as_str()), (about, verdict), "{because}");
        assert!(because.contains(why), "{about}: {because}");
        before = after;
    };
    let detector = "/aws/lambda/tidewatch-test-detector";
    let role = world.output("SubscriptionRoleArn");
    let of_function = json!({ "FunctionName": world.output("FunctionName") });
    let enable = |is: bool| {
        let ask = json!({ "UUID": world.source(), "Enabled": is });
        world.must("lambda", "UpdateEventSourceMapping", ask);
    };
    let concurrency = |of: u32| {
        let mut ask = of_function.clone();
        ask["ReservedConcurrentExecutions"] = json!(of);
        world.must("lambda", "PutFunctionConcurrency", ask);
    };
    let remove = |group: &str| {
        let ask = json!({ "logGroupName": group, "filterName": "tidewatch" });
        world.must("logs", "DeleteSubscriptionFilter", ask);
    };
    let delivery =
        [("LogGroupName", "/a/one"), ("DestinationType", "Kinesis"), ("FilterName", "tidewatch")];

    step("tick", "healthy", "", &|| world.of_stack("Ticks"));
    step("secret", "healthy", "", &|| {
        world.measure("Tidewatch", "KeyAgeDays", &[("Stack", NAME)], 3.0);
    });
    step("/a/one", "blind", "nothing of it is sent", &|| remove("/a/one"));
    step("/a/one", "blind", "under the role arn:other", &|| {
        world.subscribe_group("/a/one", "arn:other")
    });
    step("/a/one", "healthy", "", &|| world.subscribe_group("/a/one", role));
    step("/a/one", "blind", "3 deliveries failed", &|| {
        world.measure("AWS/Logs", "DeliveryErrors", &delivery, 3.0);
    });
    step(detector, "blind", "own log", &|| world.subscribe_group(detector, role));
    step(detector, "healthy", "", &|| remove(detector));
    step("source", "blind", "Disabled: nothing reads the stream", &|| enable(false));
    step("source", "healthy", "", &|| enable(true));
    step("source", "blind", "records wait 400 s", &|| world.of_function("IteratorAge", 400_000.0));
    step("function", "blind", "reserved concurrency is 0", &|| concurrency(0));
    step("function", "healthy", "", &|| concurrency(3));
    step("function", "blind", "1 calls were throttled", &|| world.of_function("Throttles", 1.0));
    step("function", "blind", "2 calls failed", &|| world.of_function("Errors", 2.0));
    step("quarantine", "blind", "1 objects with records that could not be read", &|| {
        world.store("quarantine/2026/shard");
    });
    step("on-failure", "blind", "1 batches were given up", &|| world.store("aws/lambda/x"));
    step("overrides", "blind", "has a fault", &|| world.of_stack("OverridesRejected"));
    step("functions", "blind", "functions.toml:1:", &|| world.store("functions.toml"));
    step("rules", "blind", "one.toml", &|| world.store("detectors/one.toml"));
    step("topics", "blind", "could not be published", &|| world.of_stack("PublishFailed"));
    step("table", "blind", "5 writes were throttled", &|| {
        let table = world.output("TableName");
        world.measure("AWS/DynamoDB", "WriteThrottleEvents", &[("TableName", table)], 5.0);
    });
    step("table", "blind", "there is no table", &|| {
        world.must("dynamodb", "DeleteTable", json!({ "TableName": world.output("TableName") }));
    });
    step("topics", "blind", "alerts reach nobody", &|| {
        let all = world.must("sns", "ListSubscriptions", json!({}));
        let arn = all["Subscriptions"][0]["SubscriptionArn"].clone();
        world.must("sns", "Unsubscribe", json!({ "SubscriptionArn": arn }));
    });
    step("secret", "blind", "to be deleted", &|| {
        world.must(
            "secretsmanager",
            "DeleteSecret",
            json!({ "SecretId": world.output("SecretArn") }),
        );
    });
    step("stream", "blind", "there is no stream", &|| {
        let name = world.output("StreamArn").rsplit('/').next().expect("a name");
        world.must("kinesis", "DeleteStream", json!({ "StreamName": name }));
    });
}

/// What may not be asked is unknown, with what is missing, and everything else is told.
#[test]
fn what_may_not_be_asked_is_unknown() {
    let world = World::start();
    world.of_stack("Ticks");
    world.measure("Tidewatch", "KeyAgeDays", &[("Stack", NAME)], 3.0);
    let (detector, rotation) =
        ("/aws/lambda/tidewatch-test-detector", "/aws/lambda/tidewatch-test-rotation");
    let cases: [(&str, &[&str]); 5] = [
        ("dynamodb:DescribeTimeToLive", &["table"]),
        ("secretsmanager:DescribeSecret", &["secret"]),
        ("s3:GetObject", &["functions", "rules"]),
        // A log group with a filter is sent by that.
        ("logs:DescribeAccountPolicies", &[detector, rotation]),
        ("s3:ListBucket", &["on-failure", "overrides", "quarantine", "rules"]),
    ];
    let all = world.status();
    for (nth, (denied, unknown)) in cases.into_iter().enumerate() {
        let name = format!("user-{nth}");
        let key = somebody_without(&world.ministack, &world.stack.cloud, &name, &[denied]);
        let arguments = [&["status", "--stack", NAME, "--output", "json"], &GROUPS[..]].concat();
        let told = lines(&run_as(&world.ministack, (&key.0, &key.1), &arguments));
        let differing = changed(&all, &told);
        let about: Vec<&str> = differing.iter().map(|(about, ..)| about.as_str()).collect();
        assert_eq!(about, unknown, "{denied}: {differing:?}");
        for (about, verdict, why) in &differing {
            assert_eq!(verdict, "unknown", "{denied}: {about}: {why}");
            assert!(why.contains(denied) && why.contains(r#""Effect":"Allow""#), "{denied}: {why}");
        }
    }
}

/// What is in force is told, and nothing that is not: of a file with a fault what was read before it, if that was kept.
#[test]
fn budgets_are_told_as_they_are_in_force() {
    let world = World::start();
    let check = |verdict: &str, [in_force, entries, budgets, of_all]: [&str; 4]| {
        let ran = run_at(&world.ministack, &["status", "--stack", NAME, "--output", "json"], b"");
        let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let lines = told["lines"].as_array().expect("lines");
        let line = lines.iter().find(|line| line["about"] == "functions").expect("a line");
        let facts = &line["facts"];
        assert_eq!(line["verdict"], verdict, "{line}");
        let said = ["in_force", "entries", "budgets", "budget_of_all"].map(|of| &facts[of]);
        assert_eq!(said, [in_force, entries, budgets, of_all], "{line}");
        let ran = run_at(&world.ministack, &["status", "--stack", NAME], b"");
        let line = ran.stdout.lines().find(|line| line.contains(" functions")).expect("a line");
        assert!(line.contains(&format!("budget_of_all={of_all}")), "{line}");
    };
    const STATED: &str = "budget = 1000.5\n[[function]]\nname = \"a-*\"\nbudget = 3\n\
                          [[function]]\nname = \"b\"\narchitecture = \"arm64\"\n";
    check("healthy", ["none", "0", "0", "none"]);
    world.store_text("functions.toml", STATED);
    check("healthy", ["functions.toml", "2", "1", "$1000.5"]);
    // Of functions alone there is none of all.
    world.store_text("functions.toml", "[[function]]\nname = \"a\"\nbudget = 3\n");
    check("healthy", ["functions.toml", "1", "1", "none"]);
    world.store_text("functions.toml", "budget = -3\n");
    check("blind", ["none", "0", "0", "none"]);
    world.store_text("last-good/functions.toml", STATED);
    check("blind", ["last good functions.toml", "2", "1", "$1000.5"]);
}
