//! `tidewatch bill` of log groups in the local cloud: the same as of a file with their lines, what it says of those that
//! it cannot read or not to their end, and what it takes functions to run on.
//!
//! The local cloud searches by no patterns and gives no pages: that is done before it, and throttling is in
//! crates/aws/tests/wire.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, run, run_searched};
use tidewatch_tests::cloud::{Cloud, bytes};
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::outline::{Outline, somebody};
use tidewatch_tests::searched::Searched;
use tidewatch_tests::stack::pack;

const OURS: Outline = Outline { name: "watch", filter: "to-watch" };

/// What functions run on, as a file says it.
const FUNCTIONS: &str =
    "[[function]]\nname = \"resize\"\narchitecture = \"arm64\"\nstorage_mb = 2048\n";

struct World {
    cloud: Cloud,
    logs: Searched,
    /// The same lines as envelopes.
    envelopes: String,
    now_ms: u64,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

fn id(nth: u64) -> String {
    format!("{nth:08x}-0000-4697-b07a-ac58fc914c95")
}

fn report(nth: u64, ms: u64) -> String {
    let id = id(nth);
    format!(
        "REPORT RequestId: {id}\tDuration: {ms}.00 ms\tBilled Duration: {ms} ms\tMemory Size: 512 MB\t\
         Max Memory Used: 90 MB\t\n"
    )
}

/// As a function that logs JSON has it, with its name of who asked.
fn asked_by(nth: u64, who: &str) -> String {
    json!({ "requestId": id(nth), "principalId": who, "message": "served" }).to_string()
}

fn report_json(nth: u64) -> String {
    let metrics = json!({ "durationMs": 700.0, "billedDurationMs": 700, "memorySizeMB": 1024, "maxMemoryUsedMB": 80 });
    let record = json!({ "requestId": id(nth), "metrics": metrics, "status": "error" });
    json!({ "type": "platform.report", "record": record }).to_string()
}

impl World {
    /// Two functions with logs, of which one is sent to a stack and the other there to be asked about.
    fn start(ministack: Ministack) -> World {
        let cloud = Cloud::start(&ministack);
        OURS.deploy(&cloud);
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let zip = folder.path().join("bootstrap.zip");
        pack(Path::new("/bin/true"), &zip);
        let role = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        let ask = json!({ "RoleName": "runs", "AssumeRolePolicyDocument": role.to_string() });
        let role = cloud.must("iam", "CreateRole", ask)["Role"]["Arn"].clone();
        let code = json!({ "ZipFile": bytes(&std::fs::read(&zip).expect("it was packed")) });
        let ask = json!({
            "FunctionName": "resize", "Runtime": "provided.al2023", "Handler": "x", "Code": code, "Role": role,
            "Architectures": ["arm64"], "EphemeralStorage": { "Size": 2048 },
        });
        cloud.must("lambda", "CreateFunction", ask);
        let logs = Searched::start(&ministack);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now_ms = u64::try_from(now.as_millis()).expect("a time");
        let mut world = World { cloud, logs, envelopes: String::new(), now_ms, ministack };
        let stream = |name: &str| format!("2026/11/29/[7]{name}");
        world.write("/aws/lambda/resize", &stream("c"), 7_200, &[report(8, 2_000), report(9, 10)]);
        let lines: Vec<String> = (1..=5)
            .flat_map(|nth| [asked_by(nth, "ann"), "START".to_owned(), report(nth, nth * 100)])
            .collect();
        world.write("/aws/lambda/checkout", &stream("a"), 3_000, &lines);
        let timed_out =
            format!("2026-11-29T10:00:00.000Z {} Task timed out after 3.00 seconds\n", id(6));
        let lines =
            [asked_by(6, "bob"), timed_out, report(6, 3_000), report_json(7), "noise".to_owned()];
        world.write("/aws/lambda/checkout", &stream("b"), 1_800, &lines);
        // Not in the bill: elsewhere, and before the time that is asked about.
        world.write("/shop/app", "a", 60, &[report(10, 900)]);
        world.write("/aws/lambda/old", &stream("d"), 30 * 3_600, &[report(11, 900_000)]);
        let ran = world.run(&["subscribe", "--stack", OURS.name, "/aws/lambda/checkout"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        world
    }

    /// Writes lines into a log stream, a second apart, from `ago` seconds before now on.
    fn write(&mut self, group: &str, stream: &str, ago: u64, lines: &[String]) {
        let _ = self.cloud.call("logs", "CreateLogGroup", json!({ "logGroupName": group }));
        let mut ask = json!({ "logGroupName": group, "logStreamName": stream });
        self.cloud.must("logs", "CreateLogStream", ask.clone());
        let at = |nth: usize| self.now_ms - ago * 1_000 + nth as u64 * 1_000;
        let events = lines.iter().enumerate();
        let events = events.map(|(nth, line)| json!({ "timestamp": at(nth), "message": line }));
        let mut events: Vec<Value> = events.collect();
        ask["logEvents"] = json!(events);
        self.cloud.must("logs", "PutLogEvents", ask);
        for (nth, event) in events.iter_mut().enumerate() {
            event["id"] = json!(format!("{group}-{stream}-{nth}"));
        }
        if group != "/aws/lambda/old" && group != "/shop/app" {
            let envelope = json!({
                "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": group, "logStream": stream,
                "subscriptionFilters": ["all"], "logEvents": events,
            });
            self.envelopes += &format!("{envelope}\n");
        }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run_searched(&self.ministack, &self.logs, None, arguments)
    }

    fn bill(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["bill", "--output", "json"], arguments].concat());
        (ran.code, told(&ran))
    }
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

/// The names of the rows.
fn functions(bill: &Value) -> Vec<&str> {
    let rows = bill["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["function"].as_str().expect("a name")).collect()
}

#[test]
fn a_bill_of_log_groups_is_that_of_a_file_with_their_lines() {
    let world = World::start(Ministack::start());
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let file = folder.path().join("functions.toml");
    std::fs::write(&file, FUNCTIONS).expect("it is written");
    let file = file.to_str().expect("UTF-8");
    let of_file = |arguments: &[&str]| {
        let all = [&["bill", "--output", "json", "--functions", file], arguments, &["-"]].concat();
        told(&run(&all, world.envelopes.as_bytes()))
    };
    let (code, all) = world.bill(&["--group", "/aws/lambda/*"]);
    assert_eq!((code, functions(&all)), (0, vec!["checkout", "resize"]), "{all:#}");
    let expected = of_file(&[]);
    for part in ["total", "months", "from", "until", "region"] {
        assert_eq!(all[part], expected[part], "{part}");
    }
    for (row, expected) in
        all["rows"].as_array().expect("rows").iter().zip(expected["rows"].as_array().expect("rows"))
    {
        let mut row = row.clone();
        let by = if row["function"] == "resize" { "lambda" } else { "options" };
        assert_eq!(row["runs_on_by"], by);
        row["runs_on_by"] = expected["runs_on_by"].clone();
        assert_eq!(row, *expected);
    }
    assert_eq!((&all["total"]["invocations"], &all["total"]["timeouts"]), (&json!(9), &json!(1)));
    assert_eq!(all["log_groups"]["is_whole"], true);
    assert_eq!(all["log_groups"]["functions_told_by_lambda"], 1);
    let asked = world.logs.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked["filterPattern"].as_str().is_some_and(|it| it.contains("REPORT")))
    );
    assert!(asked.iter().any(|asked| asked["nextToken"].is_string()), "{asked:?}");

    // Whose the invocations were is in lines of any kind.
    let (_, by_principal) = world.bill(&["--group", "/aws/lambda/*", "--by", "principal"]);
    let dollars = |bill: &Value| {
        let rows = bill["rows"].as_array().expect("rows").iter();
        rows.map(|row| (row["dollars"].clone(), row["requests"].clone())).collect::<Vec<_>>()
    };
    let expected = of_file(&["--by", "principal"]);
    assert_eq!((dollars(&by_principal).len(), dollars(&by_principal)), (2, dollars(&expected)));
    assert!(world.logs.asked().iter().all(|asked| asked["filterPattern"].is_null()));

    let (_, sent) = world.bill(&["--stack", OURS.name]);
    assert_eq!(functions(&sent), ["checkout"]);
    let (_, earlier) = world.bill(&["--group", "/aws/lambda/*", "--since", "2d"]);
    assert_eq!(functions(&earlier), ["old", "checkout", "resize"]);
    let (_, elsewhere) = world.bill(&["--group", "/aws/lambda/*", "--region", "eu-west-1"]);
    assert_eq!(elsewhere["region"], "eu-west-1");
}

#[test]
fn what_a_bill_leaves_out_is_said_first_and_what_it_assumes_too() {
    let world = World::start(Ministack::guarded());
    let ran = world.run(&["bill", "--group", "/aws/lambda/*", "--events", "2"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let partial =
        "PARTIAL: /aws/lambda/checkout has more events than --events allows and is billed until ";
    assert!(ran.stdout.starts_with(partial), "{}", ran.stdout);
    let (code, cut) = world.bill(&["--group", "/aws/lambda/*", "--events", "2"]);
    let rows = cut["rows"].as_array().expect("rows").iter();
    let rows: Vec<&Value> = rows.map(|row| &row["invocations"]).collect();
    assert_eq!((code, rows), (1, vec![&json!(2), &json!(2)]));
    let groups = &cut["log_groups"]["cut"];
    assert_eq!(
        (groups.as_array().map(Vec::len), &groups[0]["log_group"]),
        (Some(1), &json!("/aws/lambda/checkout"))
    );
    // As many as may be read are all there are.
    let (code, whole) = world.bill(&["--group", "/aws/lambda/resize", "--events", "2"]);
    assert_eq!((code, &whole["log_groups"]["is_whole"]), (0, &json!(true)));

    let statements = json!([
        { "Effect": "Allow", "Action": "logs:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "logs:FilterLogEvents", "Resource": "arn:aws:logs:*:*:log-group:/aws/lambda/checkout*" },
    ]);
    let (id, secret) = somebody(&world.cloud, "ann", &statements);
    let arguments = ["bill", "--output", "json", "--group", "/aws/lambda/*"];
    let ran = run_searched(&world.ministack, &world.logs, Some((&id, &secret)), &arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let bill = told(&ran);
    assert_eq!(functions(&bill), ["resize"], "{bill:#}");
    let refused = &bill["log_groups"]["not_read"][0];
    assert_eq!(refused["log_group"], "/aws/lambda/checkout");
    let why = refused["why"].as_str().expect("why");
    assert!(why.contains("logs:FilterLogEvents on log group `/aws/lambda/checkout`"), "{why}");
    // Nor may she ask what it runs on.
    let row = &bill["rows"][0];
    assert_eq!((&row["architecture"], &row["storage_mb"]), (&json!("x86_64"), &json!(512)));
    let unknown = bill["log_groups"]["functions_not_told_by_lambda"].as_array().expect("some");
    let resize = unknown.iter().find(|it| it["function"] == "resize").expect("it is told");
    assert!(
        resize["why"].as_str().is_some_and(|it| it.contains("lambda:GetFunctionConfiguration")),
        "{resize}"
    );

    for (arguments, code, says) in [
        (&["--group", "/nothing/*"][..], 1, "no log group fits /nothing/*"),
        (&["--group", "/shop/*"], 1, "no log group of a function"),
        (&["--stack", "other"], 1, "other"),
        (&["--stack", "watch", "--since", "yesterday"], 2, "--since yesterday"),
        (&["--stack", "watch", "--since", "2100-01-01T00:00:00Z"], 2, "not before now"),
        (&["--stack", "watch", "--region", "nowhere"], 2, "--region"),
        (&["--stack", "watch", "-"], 2, "cannot be used with"),
        (&[], 2, "required"),
    ] {
        let ran = world.run(&[&["bill"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
}
