//! Lines as the platform writes them (shapes from AWS's documentation and from logs in public repositories),
//! and lines that only look so.

use proptest::prelude::*;

use super::*;
use crate::check::naming;

const ID: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";
const GROUP: &str = "/aws/lambda/checkout-api";

fn names() -> Names {
    Names::new(naming())
}

/// What a line says, in a few words: how it ended, then duration, billed, memory, used and start.
fn shown(said: Option<Said>) -> String {
    let invocation = match said {
        None => return "-".to_owned(),
        Some(Said::Invocation { invocation, .. }) => invocation,
        Some(Said::Unreadable(problem)) => return problem.name().to_owned(),
        Some(other) => return format!("{other:?}"),
    };
    let request = invocation.request.map(|tag| tag == naming().key.request(uuid(ID).expect("one")));
    assert!(request != Some(false), "another request");
    let ending = format!("{:?}", invocation.ending);
    match invocation.report {
        None => format!("{ending}{}", if request.is_none() { " of no request" } else { "" }),
        Some(report) => {
            let cold = report.cold_us.map_or(String::new(), |us| format!(" +{us}"));
            let Report { duration_us, billed_ms, memory_mb, used_mb, .. } = report;
            format!("{ending} {duration_us} {billed_ms} {memory_mb} {used_mb}{cold}")
        }
    }
}

fn check(message: &str, expected: &str) {
    let message = message.replace("ID", ID);
    let plain = read(&message, GROUP, &names());
    assert_eq!(shown(plain), expected, "{message}");
    let counts = matches!(plain, Some(Said::Invocation { .. }));
    assert!(!counts || PHRASES.iter().any(|phrase| message.contains(phrase)), "{message}");
    let json = serde_json::Value::from(message.as_str()).to_string();
    let escaped = read_escaped(&json[1..json.len() - 1], GROUP, &names());
    // Reports are read escaped too, to the same; of other lines nothing is guessed.
    if message.starts_with(REPORT) {
        assert_eq!(escaped, plain, "{message}");
    } else {
        assert_eq!(escaped, None, "{message}");
    }
}

#[test]
fn reports_in_all_their_shapes() {
    for (message, expected) in [
        (
            "REPORT RequestId: ID\tDuration: 3.20 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 50 MB\t\n",
            "Finished 3200 4 128 50",
        ),
        (
            "REPORT RequestId: ID\tDuration: 2.37 ms\tBilled Duration: 427 ms\tMemory Size: 1024 MB\t\
             Max Memory Used: 95 MB\tInit Duration: 423.98 ms\t\nXRAY TraceId: 1-6ac7d554-62c6be2f\t\
             SegmentId: 854892f93105b5ae\tSampled: true\t\n",
            "Finished 2370 427 1024 95 +423980",
        ),
        (
            "REPORT RequestId: ID\tDuration: 127.10 ms\tBilled Duration: 154 ms\tMemory Size: 2048 MB\t\
             Max Memory Used: 212 MB\tRestore Duration: 325.93 ms\tBilled Restore Duration: 26 ms\t",
            "Finished 127100 154 2048 212 +325930",
        ),
        (
            "REPORT RequestId: ID\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 1024 MB\t\
             Max Memory Used: 64 MB\tStatus: timeout\n",
            "Timeout 3000000 3000 1024 64",
        ),
        (
            "REPORT RequestId: ID\tDuration: 10935.70 ms\tBilled Duration: 10936 ms\t\
             Memory Size: 1024 MB\tMax Memory Used: 1024 MB\tStatus: error\t\
             Error Type: Runtime.OutOfMemory\n",
            "OutOfMemory 10935700 10936 1024 1024",
        ),
        (
            "REPORT RequestId: ID\tDuration: 35.50 ms\tBilled Duration: 36 ms\tMemory Size: 512 MB\t\
             Max Memory Used: 3 MB\tStatus: error\tError Type: Runtime.ExitError\n",
            "Error(Exit) 35500 36 512 3",
        ),
        // What older runtimes write of a timeout.
        (
            "REPORT RequestId: ID\tDuration: 3018.67 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 85 MB\tInit Duration: 502.96 ms\t\n",
            "Timeout 3018670 3000 128 85 +502960",
        ),
        // As it was billed before December 2020, and a process at its limit.
        (
            "REPORT RequestId: ID\tDuration: 24792.85 ms\tBilled Duration: 24800 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 129 MB\t\n",
            "Finished 24792850 24800 128 129",
        ),
        // From the local tool, and from a page: other orders and blanks.
        (
            "REPORT RequestId: ID\tInit Duration: 0.13 ms\tDuration: 2932.37 ms\t\
             Billed Duration: 3000 ms\tMemory Size: 2048 MB\tMax Memory Used: 2048 MB\n",
            "Finished 2932370 3000 2048 2048 +130",
        ),
        (
            "REPORT RequestId: ID Duration: 306.34 ms    Billed Duration: 610 ms Memory Size: 3009 MB \
             Max Memory Used: 155 MB",
            "Finished 306340 610 3009 155",
        ),
        // A field that is not known yet.
        (
            "REPORT RequestId: ID\tDuration: 3 ms\tSome New Field: 7 of 9\tBilled Duration: 4 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 50 MB\tStatus: success\n",
            "Finished 3000 4 128 50",
        ),
    ] {
        check(message, expected);
    }
}

#[test]
fn what_is_no_whole_report_is_none() {
    let whole = "REPORT RequestId: ID\tDuration: 3.20 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 50 MB";
    check(whole, "Finished 3200 4 128 50");
    for (part, instead) in [
        ("REPORT", " REPORT"),
        ("ID\t", "ID"),
        ("ID", "none"),
        ("ID", "8f507cfc-0000-4697-b07a-ac58fc914c9x"),
        ("Duration: 3.20 ms\t", ""),
        ("Billed Duration: 4 ms\t", ""),
        ("Memory Size: 128 MB\t", ""),
        ("\tMax Memory Used: 50 MB", ""),
        ("3.20 ms", "3.20 s"),
        ("3.20 ms", "3.20"),
        ("3.20", "3."),
        ("3.20", "0x3"),
        ("3.20", "NaN"),
        ("50 MB", "50 MB of text"),
        ("50 MB", "50 MB\tDuration: 3.20 ms"),
        ("50 MB", "50 MB\tand more"),
        ("50 MB", "50 MB\tStatus: error\tStatus: error"),
    ] {
        check(&whole.replacen(part, instead, 1), "-");
    }
    for (part, instead) in [
        ("3.20", "-3.20"),
        ("3.20", "99999999999999999999999.5"),
        ("Billed Duration: 4", "Billed Duration: 3"),
        ("Billed Duration: 4", "Billed Duration: 900000"),
        ("128", "100"),
        ("128", "32768"),
        ("50", "-1"),
        ("50", "18446744073709551616"),
    ] {
        check(&whole.replacen(part, instead, 1), "report_absurd");
    }
    let elsewhere = read(&whole.replace("ID", ID), "/ecs/shop", &names());
    assert_eq!(shown(elsewhere), "report_forged");
    let nowhere = read(&whole.replace("ID", ID), "", &names());
    assert_eq!(shown(nowhere), "Finished 3200 4 128 50");
}

#[test]
fn lines_besides_a_report() {
    for (message, expected) in [
        ("2024-07-07T08:48:35.401Z ID Task timed out after 3.02 seconds\n\n", "Timeout"),
        ("2024-07-07T08:48:35.401Z ID Task timed out after 3.02 seconds, ann", "-"),
        ("2024-07-07T08:48:35.401Z\tID\tINFO\tTask timed out after 3.02 seconds", "-"),
        (
            "RequestId: ID Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
            "OutOfMemory",
        ),
        (
            "RequestId: ID Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n",
            "Error(Exit)",
        ),
        (
            "RequestId: ID Error: Runtime exited with error: exit status 137\nRuntime.OutOfMemory",
            "OutOfMemory",
        ),
        (
            "RequestId: ID Error: Runtime exited without providing a reason\nRuntime.ExitError\n",
            "Error(Exit)",
        ),
        ("RequestId: ID Process exited before completing request\n", "Error(Exit)"),
        ("RequestId: ID Error: Runtime exited with error: a joke", "-"),
        ("RequestId: ID Error: Runtime exited with error: exit status 1\nof an app\n", "-"),
        (
            "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout\n",
            "Timeout of no request",
        ),
        (
            "INIT_REPORT Init Duration: 10.17 ms\tPhase: init\tStatus: error\tError Type: \
             Runtime.ImportModuleError",
            "Error(ImportModule) of no request",
        ),
        ("INIT_REPORT Init Duration: 412.55 ms", "Nothing"),
    ] {
        check(message, expected);
    }
}

#[test]
fn events_of_the_platform() {
    let report = r#"{"time":"2026-11-10T06:00:00.013Z","type":"platform.report","record":{"requestId":"ID","metrics":{"durationMs":101.506,"billedDurationMs":594,"memorySizeMB":128,"maxMemoryUsedMB":33,"initDurationMs":492.02},"status":"success","tracing":{"spanId":"1"}}}"#;
    check(report, "Finished 101506 594 128 33 +492020");
    check(
        &report.replace(r#""success""#, r#""error","errorType":"Runtime.OutOfMemory""#),
        "OutOfMemory 101506 594 128 33 +492020",
    );
    check(
        &report.replace("initDurationMs", "restoreDurationMs"),
        "Finished 101506 594 128 33 +492020",
    );
    check(&report.replace("594", "-594"), "report_absurd");
    check(&report.replace("594", "1e300"), "report_absurd");
    check(&report.replace(r#""billedDurationMs":594,"#, ""), "-");
    check(&report.replace("594", r#""594""#), "-");
    check(&report.replace(r#""durationMs""#, r#""durationMs":1,"durationMs""#), "-");
    check(&format!("{report} and more"), "-");
    check(&report.replace("platform.report", "platform.start"), "-");
    let done = r#"{"time":"2026-11-10T06:00:00Z","type":"platform.runtimeDone","record":{"requestId":"ID","status":"timeout","metrics":{"durationMs":3000.0,"producedBytes":0}}}"#;
    check(done, "Timeout");
    check(&done.replace("timeout", "success"), "Nothing");
    let start = r#"{"time":"2026-11-10T06:00:00Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":12.5}}}"#;
    check(start, "Error(Exit) of no request");
    let when = |message: &str| match read(&message.replace("ID", ID), GROUP, &names()) {
        Some(Said::Invocation { when, time_unreadable, .. }) => (when, time_unreadable),
        other => panic!("{other:?}"),
    };
    let at = When::At(tidewatch_core::time::Time(1_794_290_400_013));
    assert_eq!(when(report), (Some(at), false));
    assert_eq!(when(&report.replace("2026-11", "2026-13")), (None, true));
    assert_eq!(when(&report.replace("\"time\"", "\"then\"")), (None, false));
}

#[test]
fn a_reports_text_within_another_line_imitates_one() {
    let within = format!(
        "2026-11-10T06:00:00.013Z\t{ID}\tINFO\tREPORT RequestId: {ID}\tDuration: 1 ms\tBilled Duration: 9 ms"
    );
    assert!(imitates(&within));
    let json = r#"{"message":"{\"type\":\"platform.report\",\"billedDurationMs\":9}"}"#;
    assert!(imitates(json));
    assert!(!imitates("a REPORT RequestId: is in every log"));
    assert!(!imitates("we read platform.report"));
}

proptest! {
    #[test]
    fn whatever_stands_there_plain_and_escaped_say_the_same(
        pieces in proptest::collection::vec(0..22usize, 0..14), id in "[0-9a-fx-]{35,37}", n in any::<i64>())
    {
        let number = n.to_string();
        let all = [
            "REPORT RequestId: ", ID, id.as_str(), "\t", " ", "\n", "\\", "\"", "Duration: 3.2 ms",
            "Billed Duration: 4 ms", "Memory Size: 128 MB", "Max Memory Used: 60 MB",
            "Init Duration: 1 ms", "Status: timeout", "Error Type: x", "\\t", number.as_str(), ": ", "é",
            "New: 1", "\u{1}", "Sampled: true",
        ];
        let text: String = pieces.iter().map(|nth| all[*nth]).collect();
        for message in [format!("REPORT RequestId: {ID}\t{text}"), text] {
            let json = serde_json::Value::from(message.as_str()).to_string();
            let escaped = read_escaped(&json[1..json.len() - 1], GROUP, &names());
            let plain = read(&message, GROUP, &names());
            // What is read escaped is what it says; what is not is unescaped and read again.
            if escaped.is_some() {
                prop_assert_eq!(escaped, plain, "{}", message);
            }
        }
    }

    #[test]
    fn a_report_says_what_was_written(
        (ms, hundredths) in (0..900_000u64, 0..100u64), memory in 128..=10_240u64, used in 1..128u64,
        init in proptest::option::of(1..9_000u64))
    {
        let billed = ms + u64::from(hundredths > 0) + init.unwrap_or(0);
        let start = init.map_or(String::new(), |ms| format!("Init Duration: {ms}.00 ms\t"));
        let message = format!(
            "REPORT RequestId: {ID}\tDuration: {ms}.{hundredths:02} ms\tBilled Duration: {billed} ms\t\
             Memory Size: {memory} MB\tMax Memory Used: {used} MB\t{start}\n"
        );
        let start = init.map_or(String::new(), |ms| format!(" +{}", ms * 1_000));
        let us = ms * 1_000 + hundredths * 10;
        let said = shown(read(&message, GROUP, &names()));
        prop_assert_eq!(said, format!("Finished {us} {billed} {memory} {used}{start}"));
    }
}

#[test]
fn each_line_that_is_read_holds_a_needle() {
    let id = |message: &str| message.replace("ID", ID);
    for message in [
        "REPORT RequestId: ID\tDuration: 3 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 50 MB",
        "2024-07-07T08:48:35.401Z ID Task timed out after 3.02 seconds",
        "RequestId: ID Error: Runtime exited with error: signal: killed",
        "RequestId: ID Error: Runtime exited without providing a reason",
        "RequestId: ID Process exited before completing request",
        "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout",
        r#"{"time":"2026-11-10T06:00:00Z","type":"platform.report","record":{"requestId":"ID","metrics":{"durationMs":3,"billedDurationMs":4,"memorySizeMB":128,"maxMemoryUsedMB":50}}}"#,
        r#"{"time":"2026-11-10T06:00:00Z","type":"platform.runtimeDone","record":{"requestId":"ID","status":"error"}}"#,
        r#"{"time":"2026-11-10T06:00:00Z","type":"platform.initReport","record":{"status":"error"}}"#,
    ] {
        let message = id(message);
        let said = read(&message, GROUP, &names());
        assert!(matches!(said, Some(Said::Invocation { .. })), "{message}");
        assert!(NEEDLES.iter().any(|needle| message.contains(needle)), "{message}");
    }
}
