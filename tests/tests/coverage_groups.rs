//! `tidewatch coverage` of log groups in the local cloud: what it says of each against what was written into it,
//! which are sent to a stack, and what becomes of the others where one may not be read.
//!
//! The local cloud has no account policies, gives all events in one page and never throttles: those are in
//! crates/aws/tests/wire.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidewatch_tests::binary::{Ran, run_as, run_at};
use tidewatch_tests::cloud::Cloud;
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::outline::{Outline, somebody, somebody_without};

const OURS: Outline = Outline { name: "watch", filter: "to-watch" };

struct World {
    cloud: Cloud,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

fn login(user: &str) -> String {
    format!(
        r#"{{"event":"login_failed","reason":"bad_password","user":"{user}","src_ip":"192.0.2.7"}}"#
    )
}

fn report(nth: usize) -> String {
    format!(
        "REPORT RequestId: {nth:08x}-0000-4697-b07a-ac58fc914c95\tDuration: 1.00 ms\tBilled Duration: 2 ms\t\
         Memory Size: 128 MB\tMax Memory Used: 30 MB\t\n"
    )
}

impl World {
    /// Log groups of several kinds, of which one with logins is sent and another is not.
    fn start(ministack: Ministack) -> World {
        let cloud = Cloud::start(&ministack);
        OURS.deploy(&cloud);
        let world = World { cloud, ministack };
        let mails = login("ann@shop.example");
        world.write("/shop/sent", "a", 60, &[login("ann"), login("bob"), "cart opened".to_owned()]);
        world.write("/shop/sent", "b", 30, &[login("ann")]);
        world.write("/shop/unsent", "a", 60, &[mails, "password=c0rrect-horse".to_owned()]);
        // Written before the time that is asked about.
        world.write("/shop/unsent", "old", 7_200, &[login("dan"), login("dan")]);
        world.write("/aws/lambda/resize", "a", 60, &[report(1), report(2)]);
        world.write("/jobs", "a", 60, &["job 1 started".to_owned()]);
        world.write("/empty", "a", 7_200, &[login("eve")]);
        world.write(&OURS.detector_logs(), "a", 60, &[login("loop")]);
        let ran = run_at(
            &world.ministack,
            &["subscribe", "--stack", OURS.name, "/shop/sent", "/jobs"],
            b"",
        );
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        world
    }

    /// Writes lines into a log stream, `ago` seconds before now.
    fn write(&self, group: &str, stream: &str, ago: u64, lines: &[String]) {
        let _ = self.cloud.call("logs", "CreateLogGroup", json!({ "logGroupName": group }));
        let place = json!({ "logGroupName": group, "logStreamName": stream });
        self.cloud.must("logs", "CreateLogStream", place.clone());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let events =
            lines.iter().map(|line| json!({ "timestamp": (now - ago) * 1_000, "message": line }));
        let mut ask = place;
        ask["logEvents"] = events.collect();
        self.cloud.must("logs", "PutLogEvents", ask);
    }

    fn run(&self, arguments: &[&str]) -> (Ran, Value) {
        let all = [&["coverage", "--output", "json"], arguments].concat();
        let ran = run_at(&self.ministack, &all, b"");
        let told = told(&ran);
        (ran, told)
    }
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr))
}

/// Of each group: name, verdict, lines, and whether it is sent.
fn shown(told: &Value) -> Vec<(String, String, u64, Option<bool>)> {
    let groups = told["groups"].as_array().expect("groups").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    groups
        .map(|group| {
            let lines = group["lines"].as_u64().expect("a count");
            (text(&group["name"]), text(&group["verdict"]), lines, group["is_sent"].as_bool())
        })
        .collect()
}

#[test]
fn each_log_group_is_told_by_what_it_carries_and_whether_it_is_sent() {
    let world = World::start(Ministack::start());
    let (ran, all) = world.run(&["--stack", OURS.name]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let expected = [
        ("/aws/lambda/resize", "carries costs only", 2, Some(false)),
        ("/jobs", "nothing Tidewatch reads", 1, Some(true)),
        ("/shop/sent", "carries logins", 4, Some(true)),
        ("/shop/unsent", "carries logins", 2, Some(false)),
    ];
    let expected = expected
        .map(|(name, verdict, lines, sent)| (name.to_owned(), verdict.to_owned(), lines, sent));
    assert_eq!(shown(&all), expected);
    let [_, jobs, sent, unsent] = &all["groups"].as_array().expect("groups")[..] else {
        panic!("four: {all:#}")
    };
    assert_eq!((&sent["auth"]["lines"], &sent["account"]), (&json!(3), &json!("000000000000")));
    assert_eq!(sent["sent_by"], json!({ "filter": "to-watch" }));
    assert_eq!(sent["what_to_do"][0], "it is sent, and its logins are read");
    assert!(
        jobs["what_to_do"][0].as_str().is_some_and(|todo| todo.contains("unsubscribe")),
        "{jobs}"
    );
    let spilled = &unsent["should_not_be_logged"];
    assert_eq!(spilled["password"]["first"]["log_stream"], "a", "{spilled}");
    assert!(!ran.stdout.contains("c0rrect-horse"), "{}", ran.stdout);
    let todo = unsent["what_to_do"][0].as_str().expect("what to do");
    assert!(todo.contains("tidewatch subscribe --stack watch '/shop/unsent'"), "{todo}");
    assert_eq!(all["carry_logins_and_are_not_sent"], json!(["/shop/unsent"]));

    // Log groups by name, without a stack; the old ones too.
    let (ran, all) = world.run(&["--group", "/shop/*", "--group", "/empty", "--since", "3h"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let names: Vec<(String, u64)> =
        shown(&all).into_iter().map(|(name, _, lines, _)| (name, lines)).collect();
    let expected = [("/empty", 1), ("/shop/sent", 4), ("/shop/unsent", 4)];
    assert_eq!(names, expected.map(|(name, lines)| (name.to_owned(), lines)));
    let (_, all) = world.run(&["--group", "/shop/unsent", "--since", "3h", "--sample", "2"]);
    assert_eq!(
        (&all["groups"][0]["looked_at"], &all["groups"][0]["every"]),
        (&json!(2), &json!(2))
    );
    let (_, all) = world.run(&["--group", "/empty"]);
    assert_eq!((&all["groups"], &all["nothing_written"]), (&json!([]), &json!(["/empty"])));

    let text = run_at(&world.ministack, &["coverage", "--stack", OURS.name], b"").stdout;
    for part in [
        "/shop/sent in 000000000000: carries logins\n  lines      4\n  sent       to watch, by filter to-watch\n",
        "/shop/unsent in 000000000000: carries logins\n  lines      2\n  sent       not to watch\n",
        "/empty: nothing was written to it in this time\n",
        "carry logins and are not sent to watch: /shop/unsent\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("-detector"), "what the stack says itself is nobody's: {text}");
}

#[test]
fn a_log_group_that_may_not_be_read_costs_no_other() {
    let world = World::start(Ministack::guarded());
    let statements = json!([
        { "Effect": "Allow", "Action": ["cloudformation:DescribeStacks", "logs:*"], "Resource": "*" },
        { "Effect": "Deny", "Action": "logs:FilterLogEvents", "Resource": "arn:aws:logs:*:*:log-group:/shop/unsent*" },
    ]);
    let key = somebody(&world.cloud, "ann", &statements);
    let arguments = ["coverage", "--output", "json", "--group", "/shop/*"];
    let ran = run_as(&world.ministack, (&key.0, &key.1), &arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let all = told(&ran);
    let names: Vec<String> = shown(&all).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["/shop/sent"]);
    let refused = &all["not_read"][0];
    assert_eq!(refused["log_group"], "/shop/unsent");
    let why = refused["why"][0].as_str().expect("why");
    assert!(why.contains("logs:FilterLogEvents on log group `/shop/unsent`"), "{why}");

    // What the account's policy sends is unknown to who may not ask for it, and nothing is said to be unsent.
    let denied = ["logs:DescribeAccountPolicies"];
    let key = somebody_without(&world.ministack, &world.cloud, "bob", &denied);
    let arguments = ["coverage", "--output", "json", "--stack", OURS.name];
    let ran = run_as(&world.ministack, (&key.0, &key.1), &arguments);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let all = told(&ran);
    let sent: Vec<Option<bool>> = shown(&all).into_iter().map(|(.., sent)| sent).collect();
    assert_eq!(sent, [None, Some(true), Some(true), None], "{all:#}");
    assert_eq!(all["carry_logins_and_are_not_sent"], json!([]));
    let why = all["groups"][3]["unknown"][0].as_str().expect("why");
    assert!(why.contains("allow logs:DescribeAccountPolicies"), "{why}");

    for (arguments, code, says) in [
        (&["--group", "/nothing/*"][..], 1, "no log group fits /nothing/*"),
        (&["--stack", "other"], 1, "other"),
        (&["--stack", "watch", "--since", "yesterday"], 2, "--since yesterday"),
        (&["--stack", "watch", "-"], 2, "cannot be used with"),
        (&[], 2, "required"),
    ] {
        let ran = run_at(&world.ministack, &[&["coverage"], arguments].concat(), b"");
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
}
