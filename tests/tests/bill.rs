//! `tidewatch bill`, as the real binary: dollars against an independent computation, what is not counted, and
//! the inputs it takes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::tempdir;
use tidewatch_tests::binary::{Ran, run, run_keyed};

/// 2026-11-10T06:00:00Z.
const START: i64 = 1_794_290_400_000;

fn bill(arguments: &[&str], input: &str) -> Ran {
    let ran = run(&[&["bill"], arguments, &["-"]].concat(), input.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn json_bill(arguments: &[&str], input: &str) -> Value {
    let ran = bill(&[&["--output", "json"], arguments].concat(), input);
    serde_json::from_str(&ran.stdout).expect("one JSON object")
}

fn envelope(group: &str, stream: &str, events: &[(i64, String)]) -> String {
    let events = events.iter().enumerate().map(|(nth, (at, message))| {
        let id = format!("{}-{nth}-{at}", group.len() + stream.len());
        json!({"id": format!("{group}{stream}{id}"), "timestamp": START + at, "message": message})
    });
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": group,
        "logStream": stream, "subscriptionFilters": ["all"],
        "logEvents": events.collect::<Vec<_>>(),
    });
    format!("{envelope}\n")
}

fn id(nth: u64) -> String {
    format!("{nth:08x}-0000-4697-b07a-ac58fc914c95")
}

fn report(nth: u64, ms: u64, billed: u64, memory: u64, used: u64) -> String {
    format!(
        "REPORT RequestId: {}\tDuration: {ms}.00 ms\tBilled Duration: {billed} ms\tMemory Size: {memory} MB\t\
         Max Memory Used: {used} MB\t\n",
        id(nth)
    )
}

/// A report in one of its shapes, its billed ms and memory.
fn any_report(nth: u64, random: &mut ChaCha8Rng) -> (String, u64, u64) {
    let ms = random.random_range(0..900_000u64) / 10u64.pow(random.random_range(0..5));
    let memory = random.random_range(128..=10_240u64);
    let used = random.random_range(1..=memory);
    let start = random.random_range(1..9_000u64);
    let (id, tab) = (id(nth), if random.random() { "\t" } else { "   " });
    let plain = |billed: u64| {
        format!(
            "REPORT RequestId: {id}{tab}Duration: {ms}.00 ms{tab}Billed Duration: {billed} ms{tab}\
             Memory Size: {memory} MB{tab}Max Memory Used: {used} MB"
        )
    };
    let metrics = |billed: u64, more: Value| {
        let mut metrics = json!({
            "durationMs": ms as f64, "billedDurationMs": billed, "memorySizeMB": memory,
            "maxMemoryUsedMB": used,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            metrics[name] = value.clone();
        }
        json!({
            "time": "2026-11-10T06:00:00.000Z", "type": "platform.report",
            "record": {"requestId": id, "metrics": metrics, "status": "success"},
        })
        .to_string()
    };
    let billed = ms.max(1);
    let (message, billed) = match random.random_range(0..7) {
        0 => (plain(billed) + "\t\n", billed),
        1 => {
            (format!("{}\tInit Duration: {start}.00 ms\t\n", plain(billed + start)), billed + start)
        }
        2 => {
            let restored = "Restore Duration: 412.10 ms\tBilled Restore Duration: 33 ms\t\n";
            (format!("{}\t{restored}", plain(billed + 33)), billed + 33)
        }
        3 => {
            let trace = "XRAY TraceId: 1-5f\tSegmentId: 3a\tSampled: true\t\n";
            (format!("{}\t\n{trace}", plain(billed)), billed)
        }
        4 => (plain(billed) + "\tStatus: error\tError Type: Runtime.ExitError\n", billed),
        5 => (metrics(billed, json!({})), billed),
        _ => (metrics(billed + start, json!({"initDurationMs": start})), billed + start),
    };
    (message, billed, memory)
}

#[test]
fn dollars_are_those_of_an_independent_computation() {
    for seed in 1..=3 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // In units of 10^-10 dollars / 1,024,000, by whole numbers.
        let mut expected: BTreeMap<String, i128> = BTreeMap::new();
        let mut log = String::new();
        for function in 0..6 {
            let name = format!("{}-{function}", if function % 2 == 0 { "arm" } else { "intel" });
            let (price, storage) = if function % 2 == 0 { (133_334, 1_536) } else { (166_667, 0) };
            let mut events = Vec::new();
            for nth in 0..120 {
                let (message, billed, memory) = any_report(function * 1_000 + nth, &mut random);
                let [billed, memory] = [billed, memory].map(i128::from);
                *expected.entry(name.clone()).or_default() +=
                    2_000 * 1_024_000 + billed * memory * price + billed * storage * 309;
                events.push((random.random_range(0..86_400_000), message));
            }
            log += &envelope(&format!("/aws/lambda/{name}"), "2026/11/10/[$LATEST]ab", &events);
        }
        let folder = tempdir().expect("a folder");
        let file = folder.path().join("functions.toml");
        let about = "[[function]]\nname = \"ARM-*\"\narchitecture = \"arm64\"\nstorage_mb = 2048\n";
        fs::write(&file, about).expect("written");
        let functions = ["--functions", file.to_str().expect("UTF-8")];
        let bill = json_bill(&functions, &log);
        let dollars = |units: i128| units as f64 / 1e10 / 1_024_000.0;
        let rows = bill["rows"].as_array().expect("rows");
        assert_eq!(rows.len(), 6, "seed {seed}");
        // Storage has prices of eight more places than compute: 309 of its units are 0.0000000309.
        let mut sum = 0.0;
        for row in rows {
            let name = row["function"].as_str().expect("a name");
            let told = row["dollars"].as_f64().expect("dollars");
            let expected = dollars(expected[name]);
            assert!((told - expected).abs() < 1e-9, "seed {seed}: {name} {told} {expected}");
            sum += told;
        }
        let total = bill["total"]["dollars"].as_f64().expect("dollars");
        assert!((sum - total).abs() < 1e-9, "seed {seed}");
        let hours = json_bill(&[&functions[..], &["--by", "hour"]].concat(), &log);
        let hours = hours["rows"].as_array().expect("rows").iter();
        let by_hour: f64 = hours.map(|row| row["dollars"].as_f64().expect("dollars")).sum();
        assert!((by_hour - total).abs() < 1e-9, "seed {seed}");
    }
}

#[test]
fn what_is_forged_or_absurd_is_told_and_costs_nothing() {
    let group = "/aws/lambda/shop";
    let real = report(1, 100, 100, 1_024, 90);
    let quoted = format!("2026-11-10T06:00:00.000Z\t{}\tINFO\t{}", id(2), report(2, 9, 9, 128, 9));
    let json = json!({"level": "info", "message": report(3, 9, 9, 128, 9)}).to_string();
    let events = [
        (0, real),
        (1, quoted),
        (2, json),
        (3, report(4, 9, 9, 99, 9)),
        (4, report(5, 9, 8, 128, 9)),
        (5, report(6, 9, 9, 128, 9).replace("Duration: 9", "Duration: -9")),
        (6, report(7, 9, 9, 128, 9).replace("9 MB\t\n", "9 MB and more")),
    ];
    let log = envelope(group, "2026/11/10/[1]ab", &events)
        + &envelope("/ecs/shop", "a", &[(7, report(8, 9, 9, 128, 9))]);
    let ran = bill(&["--output", "json", "--stats"], &log);
    let bill: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(bill["total"]["invocations"], 1);
    assert_eq!(bill["rows"][0]["function"], "shop");
    let stats = ran.stderr.lines().last().expect("statistics");
    let stats: Value = serde_json::from_str(stats).expect("JSON");
    assert_eq!(stats["quarantined"], json!({"report_forged": 4, "report_absurd": 3}));
    assert!(ran.stderr.contains("not counted: 4 × report_forged (the text of a Lambda report"));
    assert!(ran.stderr.contains("first at /aws/lambda/shop 2026/11/10/[1]ab: event "));
}

#[test]
fn text_files_pipes_and_gzip_say_the_same() {
    let stamp = |second: u8| format!("2026-11-10T06:00:{second:02}");
    let line = |nth: u8| report(nth.into(), 100, 100, 1_024, 90).trim_end().to_owned();
    let lines = |of: &dyn Fn(u8) -> String| (0..10).map(of).collect::<String>();
    let detailed = lines(&|n| format!("{}+00:00 2026/11/10/[7]ab {}\n", stamp(n), line(n)));
    let sam = lines(&|n| format!("2026/11/10/[7]ab {}.000000 {}\n", stamp(n), line(n)));
    let short = lines(&|n| format!("{} {}\n", stamp(n), line(n)));
    let json = lines(&|n| {
        let metrics = json!({
            "durationMs": 100.0, "billedDurationMs": 100, "memorySizeMB": 1024, "maxMemoryUsedMB": 90,
        });
        let record = json!({"requestId": id(n.into()), "metrics": metrics});
        let time = format!("{}Z", stamp(n));
        format!("{}\n", json!({"time": time, "type": "platform.report", "record": record}))
    });
    let named = ["--function", "shop", "--output", "csv"];
    let expected = "dollars,dollars_a_month";
    let mut all = Vec::new();
    for log in [&detailed, &short, &json, &sam] {
        let ran = bill(&named, log);
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
        all.push(ran.stdout);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(log.as_bytes()).expect("memory");
        let folder = tempdir().expect("a folder");
        let file = folder.path().join("log.gz");
        fs::write(&file, encoder.finish().expect("memory")).expect("written");
        let path = file.to_str().expect("UTF-8");
        let zipped = run(&[&["bill"], &named[..], &[path]].concat(), b"");
        assert_eq!(all.last(), Some(&zipped.stdout), "{}", zipped.stderr);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!(all[0], all[3]);
    let row = all[0].lines().nth(1).expect("a row");
    assert!(row.starts_with("shop,,x86_64,512,0.000018666700,"), "{row}");
    // Without a name it is told that there is none.
    assert!(bill(&[], &short).stdout.contains("(no log group)"));
    // A line without a time is counted nowhere.
    let ran = bill(&[], &line(1));
    assert!(ran.stderr.contains("not counted: 1 × time_missing"), "{}", ran.stderr);
}

#[test]
fn endings_starts_memory_and_versions_are_told() {
    let mut events = Vec::new();
    for nth in 0..100 {
        events.push((nth * 60_000, report(nth as u64, 100, 100, 1_024, 90)));
    }
    let cold = report(200, 100, 500, 1_024, 90).replace("\t\n", "\tInit Duration: 399.50 ms\t\n");
    let timeout = report(201, 3_003, 3_000, 1_024, 90);
    let killed = format!(
        "RequestId: {} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
        id(202)
    );
    let late =
        format!("2026-11-10T06:00:03.000Z {} Task timed out after 3.00 seconds\n\n", id(201));
    let started =
        "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout\n".to_owned();
    let rest = [(1, cold), (2, timeout), (3, late), (4, killed), (5, started)];
    let log = envelope("/aws/lambda/shop", "2026/11/10/[1]ab", &events)
        + &envelope(
            "/aws/lambda/shop",
            "2026/11/10/[2]cd",
            &rest.map(|(at, m)| (at * 1_000 + 7_200_000, m)),
        );
    let found = json_bill(&[], &log);
    let row = &found["rows"][0];
    let told = |name: &str| row[name].as_u64().expect("a number");
    assert_eq!(told("invocations"), 102);
    // The timeout is told twice, and counted once.
    assert_eq!((told("timeouts"), told("errors"), told("out_of_memory")), (1, 0, 1));
    assert_eq!((told("cold_starts"), told("cold_ms"), told("failed_starts")), (1, 399, 1));
    let wasted = row["wasted_dollars"].as_f64().expect("dollars");
    assert!((wasted - (0.0000002 + 3.0 * 0.0000166667)).abs() < 1e-9);
    assert_eq!(row["versions"][1], json!({"version": "2", "from": "2026-11-10T08:00:00Z"}));
    let p99 = row["p99_ms"].as_f64().expect("ms");
    assert!((94.0..=106.0).contains(&p99), "{p99}");
    let text = bill(&[], &log).stdout;
    for part in [
        "shop: 1024 MB, at most 90 used: killed for it 1 times",
        "shop: version 2 from 2026-11-10T08:00:00Z on",
        "102 invocations from 2026-11-10T06:00:00Z to 2026-11-10T08:00:05Z",
    ] {
        // Killed with 90 MB of 1,024 used is no reason for more memory.
        assert_eq!(text.contains(part), !part.contains("killed"), "{part}\n{text}");
    }
}

#[test]
fn what_is_asked_for_wrongly_is_told_and_nothing_run() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    fs::write(&file, "[[prices]]\nregions = [\"eu-west-1\"]\nrequest = \"free\"\n")
        .expect("written");
    let path = file.to_str().expect("UTF-8");
    for (arguments, part) in [
        (
            vec!["--region", "eu-west-9"],
            "has no prices of `eu-west-9`. Did you mean `eu-west-1`? Regions: `us-east-1`,",
        ),
        (vec!["--architecture", "arm"], "no such architecture. Did you mean `arm64`?"),
        (vec!["--prices", path], "own.toml:3:11"),
        (vec!["--prices", "/nowhere.toml"], "--prices /nowhere.toml"),
        (vec!["--functions", path], "`prices` is no field of a file about"),
        (vec!["--budget", "much"], "--budget much: a budget is dollars a calendar month"),
        (vec!["--memory", "1KiB"], "--memory 1KiB: at least 1.0 MiB"),
        (vec!["--not-after", "soon"], "--not-after soon: not an RFC 3339 time"),
        (vec!["--input", "xml"], "--input xml"),
    ] {
        let ran = run(&[&["bill"], &arguments[..], &["-"]].concat(), b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    let ran = run(&["bill", "/nowhere.json"], b"");
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("nothing to bill"), "{}", ran.stdout);
    let ran = bill(&[], "no report\n");
    assert!(ran.stderr.contains("no report of an invocation was recognised"), "{}", ran.stderr);
}

#[test]
fn a_flood_of_function_names_is_bounded_and_loses_nothing() {
    let mut log = String::new();
    for nth in 0..100_000 {
        let group = format!("/aws/lambda/flood-{nth}");
        log +=
            &envelope(&group, "2026/11/10/[1]ab", &[(nth * 36, report(nth as u64, 9, 9, 128, 9))]);
    }
    let found = json_bill(&[], &log);
    assert_eq!(found["total"]["invocations"], 100_000);
    assert_eq!(found["rows"].as_array().expect("rows").len(), 10_001);
    let together = found["functions_counted_together"].as_u64().expect("a number");
    assert!((70_000..110_000).contains(&together), "{together}");
}

#[test]
fn replay_counts_invocations_and_finds_what_it_finds_without_them() {
    let world =
        run(&["simulate", "scan", "--logins-per-day", "20000", "--output", "envelopes"], b"");
    let mut without = String::new();
    let mut reports = 0;
    for line in world.stdout.lines() {
        let mut envelope: Value = serde_json::from_str(line).expect("an envelope");
        let events = envelope["logEvents"].as_array_mut().expect("events");
        let all = events.len();
        events.retain(|event| !event["message"].as_str().expect("text").starts_with("REPORT"));
        reports += all - events.len();
        without += &format!("{envelope}\n");
    }
    assert!(reports > 1_000, "{reports}");
    let replay = |log: &str| {
        let ran = run_keyed("one", &["replay", "--output", "json", "--stats", "-"], log.as_bytes());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        // When a message was made is the clock's.
        let findings = ran.stdout.lines().map(|line| {
            let mut finding: Value = serde_json::from_str(line).expect("a finding");
            finding["time"].take();
            finding["finding_info"]["modified_time"].take();
            finding
        });
        (findings.collect::<Vec<Value>>(), ran.stderr)
    };
    let (with, told) = replay(&world.stdout);
    let (without, _) = replay(&without);
    assert!(!with.is_empty());
    assert_eq!(with, without);
    let grouped = format!("invocations: {},{:03}", reports / 1_000, reports % 1_000);
    assert!(told.contains(&grouped), "{told}");
    let stats: Value = serde_json::from_str(told.lines().last().expect("one")).expect("JSON");
    assert_eq!(stats["signals"]["invocation"], reports as u64);
}

#[test]
fn who_drives_a_bill_is_told() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (truth, list) = (path("truth.json"), path("names.txt"));
    let world = [
        "--hours",
        "48",
        "--functions",
        "5",
        "--invocations-per-day",
        "4000",
        "--output",
        "envelopes",
    ];
    let arguments = [&["simulate", "lambda-wallet", "--truth", &truth], &world[..]].concat();
    let log = run(&arguments, b"").stdout;
    let truth: Value = serde_json::from_slice(&fs::read(&truth).expect("the truth")).expect("JSON");
    let planted = &truth["planted"][0];
    let principal = planted["principal"].as_str().expect("a principal");
    fs::write(&list, format!("{principal}\nsomebody else\n")).expect("written");
    let found = json_bill(&["--by", "principal", "--users", &list], &log);
    let rows = found["rows"].as_array().expect("rows");
    let theirs = rows.iter().find(|row| row["principal"] == principal).expect("their row");
    let requests = |row: &Value| row["requests"].as_u64().expect("a number");
    assert!(rows.iter().all(|row| requests(row) <= requests(theirs)), "{theirs}");
    let [all, named] =
        ["dollars", "dollars_named"].map(|name| found[name].as_f64().expect("dollars"));
    // Each invocation of this world has a line that says whose it is.
    assert!((all - named).abs() < 1e-9 * all.max(1.0), "{all} {named}");
    let share = theirs["share"].as_f64().expect("a share");
    assert!((0.05..0.5).contains(&share), "{share}");
    // Without the list there are tags only.
    let unnamed = bill(&["--by", "principal"], &log).stdout;
    assert!(!unnamed.contains(principal) && unnamed.contains("tag:"), "{unnamed}");
    let sources = json_bill(&["--by", "source"], &log);
    let mut sources = sources["rows"].as_array().expect("rows").iter();
    let source = sources.find(|row| row["source"] == "198.51.100.23").expect("their row");
    assert_eq!(
        (&source["requests"], &source["dollars"]),
        (&theirs["requests"], &theirs["dollars"])
    );
    let routes = bill(&["--by", "route", "--output", "csv"], &log).stdout;
    assert_eq!(routes.lines().count(), 5, "{routes}");
    assert!(routes.contains("\nGET /items/{id},"), "{routes}");
    let by_function = json_bill(&[], &log);
    let total = by_function["total"]["dollars"].as_f64().expect("dollars");
    assert!((total - all).abs() < 1e-9);
    let mut functions = by_function["rows"].as_array().expect("rows").iter();
    assert!(functions.any(|row| row["function"] == planted["function"]));
    let ran = run(&["bill", "--users", &list, "-"], b"");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn a_bill_says_what_is_spent_of_a_budget_and_what_the_month_will_come_to() {
    // A cent each five minutes for three days and an hour, from 10 November, 06:00, on: $2.88 a day.
    let events = |function: u64| -> Vec<(i64, String)> {
        let at = |nth: i64| {
            (nth * 300_000, report(nth as u64 * 2 + function, 60_000, 60_000, 10_240, 9_000))
        };
        (0..876).map(at).collect()
    };
    let log = envelope("/aws/lambda/checkout", "a", &events(0))
        + &envelope("/aws/lambda/login", "b", &events(1));
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("functions.toml");
    fs::write(&file, "budget = 200\n[[function]]\nname = \"check*\"\nbudget = 50.5\n")
        .expect("written");
    let path = file.to_str().expect("UTF-8");
    let text = bill(&["--functions", path], &log).stdout;
    let told = text.split("\n\n").find(|part| part.starts_with("November 2026")).expect("budgets");
    expect![[r#"
        November 2026 (UTC)  spent $  projected $  budget $
        everything              8.76        59.80    200.00  is enough
        checkout                8.75        59.79     50.50  is used up on 27 November
        projected: as on the middle one of the last 3 days
        counted since 2026-11-10T06:00:00Z: what the month had before is in no log here
    "#]]
    .assert_eq(told);
    let json = json_bill(&["--functions", path, "--budget", "100"], &log);
    let [all, checkout] = json["budgets"].as_array().expect("budgets").as_slice() else {
        panic!("{}", json["budgets"])
    };
    assert_eq!((all["of"].as_str(), all["budget_dollars"].as_f64()), (Some("all"), Some(100.0)));
    // From then on 20 days and 18 hours are left of November.
    let projected = checkout["projected_dollars"].as_f64().expect("a number");
    let expected = 0.0100002 * 12.0 * (20.0 * 24.0 + 18.0);
    assert!((projected / expected - 1.0).abs() < 0.01, "{projected} for {expected}");
    // In CSV they are columns, so that a column of dollars sums to the bill and a row stays a function.
    let csv = bill(&["--functions", path, "--budget", "100", "--output", "csv"], &log).stdout;
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let [names, rows @ ..] = rows.as_slice() else { panic!("no header") };
    let cell = |row: &[&str], name: &str| {
        assert_eq!(row.len(), names.len());
        row[names.iter().position(|of| *of == name).expect("a column")].to_owned()
    };
    let number = |cell: String| cell.parse::<f64>().expect("a number");
    assert_eq!(rows.len(), 2, "{csv}");
    for (row, function) in rows.iter().zip(["checkout", "login"]) {
        assert_eq!(cell(row, "function"), function);
        assert_eq!(cell(row, "all_budget_month"), "2026-11");
        for what in ["spent_dollars", "projected_dollars"] {
            let expected = all[what].as_f64().expect("dollars");
            assert_eq!(number(cell(row, &format!("all_budget_{what}"))), expected);
        }
        assert_eq!(cell(row, "all_budget_dollars"), "100");
        assert_eq!(cell(row, "all_budget_since"), "2026-11-10T06:00:00Z");
    }
    assert_eq!(number(cell(&rows[0], "budget_dollars")), 50.5);
    assert_eq!(number(cell(&rows[0], "budget_projected_dollars")), projected);
    assert_eq!(cell(&rows[0], "budget_used_up"), checkout["used_up"].as_str().expect("a time"));
    assert_eq!(cell(&rows[0], "budget_projected_by"), "the middle one of 3 days");
    for what in ["dollars", "month", "spent_dollars", "projected_dollars", "used_up"] {
        assert_eq!(cell(&rows[1], &format!("budget_{what}")), "", "{what}");
    }
    // Rows that are no functions' have no room for them.
    let by_hour = bill(&["--functions", path, "--by", "hour", "--output", "csv"], &log);
    assert!(!by_hour.stdout.contains("budget"), "{}", by_hour.stdout);
    assert!(by_hour.stderr.contains("everything              8.76"), "{}", by_hour.stderr);
    // What nobody has stated nobody is told of.
    assert!(!bill(&[], &log).stdout.contains("projected"));
    assert!(!bill(&["--output", "csv"], &log).stdout.contains("budget"));
    assert_eq!(json_bill(&[], &log).get("budgets"), None);
}
