//! `tidewatch subscribe` and `tidewatch unsubscribe` in the local cloud: which log groups end up with which
//! filters, and what is said of each.
//!
//! The local cloud has no account policies and never throttles: those are in crates/aws/tests/wire. It also
//! takes any number of filters, so that what is refused here is refused before it is asked.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, run_as, run_at};
use tidewatch_tests::cloud::{Cloud, bytes};
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::outline::{Outline, somebody};
use tidewatch_tests::stack::pack;

const STACK: &str = "watch";
const OURS: Outline = Outline { name: STACK, filter: "to-watch" };

/// Log groups, and a stack that has the outputs of ours and nothing else.
struct World {
    cloud: Cloud,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

impl World {
    fn start(ministack: Ministack, groups: &[&str]) -> World {
        let cloud = Cloud::start(&ministack);
        OURS.deploy(&cloud);
        for group in groups {
            cloud.must("logs", "CreateLogGroup", json!({ "logGroupName": group }));
        }
        World { cloud, ministack }
    }

    /// Runs a command with the stack; what it says, and what became of each log group.
    fn run(&self, command: &str, arguments: &[&str]) -> (Ran, BTreeMap<String, String>) {
        let all = [&[command, "--stack", STACK, "--output", "json"], arguments].concat();
        let ran = run_at(&self.ministack, &all, b"");
        let told = became(&ran);
        (ran, told)
    }

    fn filters(&self, group: &str) -> Vec<Value> {
        let ask = json!({ "logGroupName": group });
        let told = self.cloud.must("logs", "DescribeSubscriptionFilters", ask);
        told["subscriptionFilters"].as_array().expect("filters").clone()
    }

    fn add_filter(&self, group: &str, name: &str, destination: &str) {
        let ask = json!({
            "logGroupName": group, "filterName": name, "filterPattern": "x", "destinationArn": destination,
        });
        self.cloud.must("logs", "PutSubscriptionFilter", ask);
    }
}

/// What became of each log group.
fn became(ran: &Ran) -> BTreeMap<String, String> {
    let told: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ran.stdout, ran.stderr));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let groups = told["log_groups"].as_array().expect("a list").iter();
    groups.map(|group| (text(&group["log_group"]), text(&group["became"]))).collect()
}

fn count(told: &BTreeMap<String, String>, became: &str) -> usize {
    told.values().filter(|value| *value == became).count()
}

#[test]
fn a_thousand_log_groups_are_subscribed_once_but_for_the_detectors_own() {
    let names: Vec<String> = (0..1_000).map(|n| format!("/shop/{n:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::start(Ministack::start(), &names);
    let (ran, told) = world.run("subscribe", &["--dry-run", "*"]);
    assert_eq!((ran.code, count(&told, "subscribed"), count(&told, "skipped")), (0, 1_000, 2));
    assert!(world.filters("/shop/0000").is_empty(), "a dry run does nothing");
    let (ran, told) = world.run("subscribe", &["*"]);
    assert_eq!((ran.code, count(&told, "subscribed"), count(&told, "skipped")), (0, 1_000, 2));
    for group in ["/shop/0000", "/shop/0999"] {
        let [filter] = &world.filters(group)[..] else { panic!("{group}") };
        assert_eq!(filter["filterName"], "to-watch");
        assert_eq!(filter["destinationArn"], OURS.stream_arn());
        assert_eq!(filter["roleArn"], OURS.role_arn());
        assert_eq!(filter["filterPattern"], "");
        assert_eq!(filter["distribution"], "ByLogStream");
    }
    assert!(world.filters("/aws/lambda/watch-detector").is_empty());
    let (ran, told) = world.run("subscribe", &["*"]);
    assert_eq!((ran.code, count(&told, "unchanged"), count(&told, "skipped")), (0, 1_000, 2));
}

#[test]
fn each_log_group_is_told_what_became_of_it() {
    let groups = ["/a/one", "/a/two", "/a/full", "/a/double", "/b/three"];
    let world = World::start(Ministack::start(), &groups);
    world.add_filter("/a/two", "to-watch", "arn:aws:kinesis:us-east-1:000000000000:stream/old");
    world.add_filter("/a/full", "mine", "arn:aws:lambda:us-east-1:000000000000:function:a");
    world.add_filter("/a/full", "yours", "arn:aws:lambda:us-east-1:000000000000:function:b");
    world.add_filter("/a/double", "by-hand", &OURS.stream_arn());
    let (ran, told) = world.run("subscribe", &["/a/*", "/b/thre?"]);
    assert_eq!(ran.code, 1, "not all is as asked");
    let expected = [
        ("/a/double", "refused"),
        ("/a/full", "refused"),
        ("/a/one", "subscribed"),
        ("/a/two", "replaced"),
        ("/b/three", "subscribed"),
    ];
    let expected = expected.map(|(group, became)| (group.to_owned(), became.to_owned()));
    assert_eq!(told, BTreeMap::from(expected));
    for why in
        ["it has 2 filters already (mine, yours)", "--account", "each event would come twice"]
    {
        assert!(ran.stdout.contains(why), "{why}: {}", ran.stdout);
    }
    assert_eq!(world.filters("/a/full").len(), 2);
    assert_eq!(world.filters("/a/two")[0]["destinationArn"], OURS.stream_arn());

    // Another pattern replaces the filter.
    let (ran, told) = world.run("subscribe", &["/a/one", "--filter-pattern", "login"]);
    assert_eq!((ran.code, told["/a/one"].as_str()), (0, "replaced"));
    assert_eq!(world.filters("/a/one")[0]["filterPattern"], "login");

    let (ran, told) = world.run("unsubscribe", &["*"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((count(&told, "removed"), count(&told, "unchanged")), (3, 4));
    assert!(world.filters("/a/one").is_empty());
    assert_eq!(world.filters("/a/full").len(), 2, "other filters are nobody's business");
    let (_, told) = world.run("unsubscribe", &["*"]);
    assert_eq!(count(&told, "unchanged"), 7);
}

#[test]
fn what_would_loop_or_is_not_there_is_refused() {
    let world = World::start(Ministack::start(), &["/a/one"]);
    let (ran, told) = world.run("subscribe", &["/aws/lambda/watch-detector"]);
    assert_eq!((ran.code, told["/aws/lambda/watch-detector"].as_str()), (1, "refused"));
    assert!(ran.stdout.contains("each line it writes would be its next input"), "{}", ran.stdout);
    assert!(world.filters("/aws/lambda/watch-detector").is_empty());
    for (arguments, code, says) in [
        (
            &["subscribe", "--stack", STACK, "/nothing/*", "/a/one"][..],
            1,
            "no log group fits /nothing/*",
        ),
        (&["subscribe", "--stack", "other", "*"], 1, "other"),
        (&["subscribe", "--stack", STACK], 2, "--account"),
        (&["subscribe", "--stack", STACK, "--account", "*"], 2, "--account"),
    ] {
        let ran = run_at(&world.ministack, arguments, b"");
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    assert!(world.filters("/a/one").is_empty(), "nothing is done where something is misspelt");
}

/// One permission that is missing on one of many log groups costs that one, and is named.
#[test]
fn a_permission_that_is_missing_is_said_with_the_statement_to_add() {
    let world = World::start(Ministack::guarded(), &["/a/one", "/a/secret", "/a/two"]);
    let statement = |effect: &str, action: Value, resource: &str| json!({ "Effect": effect, "Action": action, "Resource": resource });
    let all = json!(["cloudformation:DescribeStacks", "logs:Describe*", "iam:PassRole"]);
    let statements = json!([
        statement("Allow", all, "*"),
        statement(
            "Allow",
            json!("logs:PutSubscriptionFilter"),
            "arn:aws:logs:*:*:log-group:/a/one*"
        ),
        statement(
            "Allow",
            json!("logs:PutSubscriptionFilter"),
            "arn:aws:logs:*:*:log-group:/a/two*"
        ),
    ]);
    let key = somebody(&world.cloud, "ann", &statements);
    let arguments = ["subscribe", "--stack", STACK, "--output", "json", "/a/*"];
    let ran = run_as(&world.ministack, (&key.0, &key.1), &arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let told = became(&ran);
    assert_eq!(told["/a/one"], "subscribed", "{}", ran.stdout);
    assert_eq!((told["/a/secret"].as_str(), told["/a/two"].as_str()), ("failed", "subscribed"));
    for says in [
        "allow logs:PutSubscriptionFilter on log group `/a/secret`",
        r#"\"Action\":\"logs:PutSubscriptionFilter\""#,
        r#"\"Effect\":\"Allow\""#,
    ] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
}

/// Two stacks that read each other's logs would write for ever, and so would any function in between.
#[test]
fn what_would_run_in_a_circle_is_refused() {
    let world = World::start(Ministack::start(), &["/a/one", "/aws/lambda/between"]);
    let other = Outline { name: "other", filter: "to-other" };
    other.deploy(&world.cloud);
    let reads = |function: &str, stream: &str| {
        let zip = python_zip();
        let code = json!({ "ZipFile": bytes(&zip) });
        let ask = json!({
            "FunctionName": function, "Runtime": "python3.12", "Handler": "main.handler", "Code": code,
            "Role": "arn:aws:iam::000000000000:role/any",
        });
        world.cloud.must("lambda", "CreateFunction", ask);
        world.cloud.must(
            "kinesis",
            "CreateStream",
            json!({ "StreamName": stream, "ShardCount": 1 }),
        );
        let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}");
        let ask = json!({
            "FunctionName": function, "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON", "Enabled": false,
        });
        world.cloud.must("lambda", "CreateEventSourceMapping", ask);
        arn
    };
    let (own, theirs) = (OURS.detector_logs(), other.detector_logs());
    let run_other = |group: &str| {
        let arguments = ["subscribe", "--stack", "other", "--output", "json", group];
        became(&run_at(&world.ministack, &arguments, b""))
    };
    reads("other-detector", "other-logs");
    reads("watch-detector", "watch-logs");
    // One way is no circle.
    assert_eq!(run_other(&own)[&own], "subscribed");
    let (ran, told) = world.run("subscribe", &[&theirs, "/a/one"]);
    assert_eq!(
        (ran.code, told[&theirs].as_str(), told["/a/one"].as_str()),
        (1, "refused", "subscribed")
    );
    assert!(ran.stdout.contains("each line would make the next one for ever"), "{}", ran.stdout);
    assert!(world.filters(&theirs).is_empty());
    let (ran, _) = world.run("subscribe", &["--account"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("/aws/lambda/other-detector, so that"), "{}", ran.stdout);

    // Of three the last that would close it.
    let between = reads("between", "between-logs");
    world.add_filter(&theirs, "on", &between);
    let (ran, told) = world.run("subscribe", &["/aws/lambda/between"]);
    assert_eq!((ran.code, told["/aws/lambda/between"].as_str()), (1, "refused"), "{}", ran.stdout);
    // With the first step taken back there is none.
    let ask = json!({ "logGroupName": own, "filterName": "to-other" });
    world.cloud.must("logs", "DeleteSubscriptionFilter", ask);
    let (ran, told) = world.run("subscribe", &[&theirs]);
    assert_eq!((ran.code, told[&theirs].as_str()), (0, "subscribed"), "{}", ran.stdout);
    assert_eq!(run_other(&own)[&own], "refused");
}

/// The code of a function that nobody calls.
fn python_zip() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let zip = folder.path().join("code.zip");
    pack(Path::new("/bin/true"), &zip);
    std::fs::read(zip).expect("it was packed")
}
