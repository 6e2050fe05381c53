//! Detector files that must be refused: every message as the user sees it, with line and suggestion.
//! A file here is a good one with one part replaced, so that nothing else can be what is refused.

mod allow;
mod damaged;
mod since;

use expect_test::{Expect, expect};
use tidewatch_core::limits::DETECTORS_MAX;
use tidewatch_rules::{FILE_BYTES_MAX, Fault, RuleError, load, parse};

const GOOD: &str = r#"id = "scan"
title = "A scan"
signal = "auth"
key = "source.ip"
window = "10m"
[measure]
unknown_users = { distinct = "user", where = { outcome = "failure", user_known = false } }
users = { distinct = "user" }
[[raise]]
severity = "high"
when = ["unknown_users >= 30", "unknown_users >= 0.5 * users"]
"#;

const USERS: &str = "\nusers = { distinct = \"user\" }";
const WHEN: &str = r#"when = ["unknown_users >= 30", "unknown_users >= 0.5 * users"]"#;

const RAISE: &str = r#"[[raise]]
severity = "high"
when = ["unknown_users >= 30", "unknown_users >= 0.5 * users"]
"#;
const MEASURE: &str = r#"[measure]
unknown_users = { distinct = "user", where = { outcome = "failure", user_known = false } }
users = { distinct = "user" }
"#;

/// Each fault as `line:column message`, the text pointed at, and what to do.
fn show(errors: &[RuleError], text: &str) -> String {
    let mut shown = String::new();
    for error in errors {
        let place = &text[error.span.offset()..error.span.offset() + error.span.len()];
        let (line, column) = (error.line, error.column);
        shown += &format!("{line}:{column} {}\n    at {place}\n    {}\n", error.fault, error.help);
    }
    shown
}

/// Replaces one part of the good file by another, for each case.
fn check(cases: &[(&str, &str)], expected: Expect) {
    let mut shown = String::new();
    for (from, to) in cases {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} stands once in the good file");
        let text = GOOD.replace(from, to);
        let errors = parse("scan.toml", &text).expect_err("a malformed file");
        shown += &show(&errors, &text);
    }
    expected.assert_eq(&shown);
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(parse("scan.toml", GOOD).expect("good").id, "scan");
}

#[test]
fn top_level_fields() {
    let cases = [
        (r#"window = "10m""#, r#"widow = "10m""#),
        (r#"window = "10m""#, "window = \"10m\"\ncolour = \"red\""),
        (r#"window = "10m""#, ""),
        ("title = \"A scan\"\n", ""),
        (r#"title = "A scan""#, r#"title = " ""#),
        (r#"title = "A scan""#, r#"title = "A \u202Escan""#),
        (r#"id = "scan""#, "id = 7"),
        (r#"id = "scan""#, r#"id = "Credential_Scan""#),
        (r#"id = "scan""#, "id = \"scan\"\nid = \"scan\""),
        (r#"id = "scan""#, "id = \"scan\"\nattack = [\"Brute Force\"]"),
    ];
    check(
        &cases,
        expect![[r#"
            5:1 `widow` is no field of a detector
                at widow
                Did you mean `window`? Allowed fields: `id`, `title`, `description`, `advice`, `attack`, `signal`, `key`, `window`, `quiet`, `after`, `after_within`, `unless`, `covers`, `share`, `log_holds`, `measure`, `raise`.
            6:1 `colour` is no field of a detector
                at colour
                Allowed fields: `id`, `title`, `description`, `advice`, `attack`, `signal`, `key`, `window`, `quiet`, `after`, `after_within`, `unless`, `covers`, `share`, `log_holds`, `measure`, `raise`.
            1:1 the detector has no `window`
                at id = "scan"
                Add a line like `window = "10m"`.
            1:1 the detector has no `title`
                at id = "scan"
                Add a line like `title = "One source tries many usernames that do not exist"`.
            2:9 `title` is empty
                at " "
                Say something in `title`, or leave an optional field out.
            2:9 `title` holds the invisible character U+202E
                at "A \u202Escan"
                Remove it: control and direction characters are for terminals to misread.
            1:6 `id` must be a string, not integer
                at 7
                Put it in quotes: `id = "…"`.
            1:6 `Credential_Scan` is no detector id (field `id`)
                at "Credential_Scan"
                Write lower-case words, joined by single hyphens, at most 64 bytes, like "credential-scan".
            2:1 this is not TOML: duplicate key
                at id
                See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
            2:11 `Brute Force` is no technique (field `attack`)
                at "Brute Force"
                Write a technique of https://attack.mitre.org by number and name, like "T1110.004 Credential Stuffing".
        "#]],
    );
}

#[test]
fn vocabulary() {
    let cases = [
        (r#"signal = "auth""#, r#"signal = "atuh""#),
        (r#"signal = "auth""#, r#"signal = "signup""#),
        (r#""source.ip""#, r#""ip""#),
        (r#""source.ip""#, r#"["source.ip", "source.ip"]"#),
        (r#""source.ip""#, r#"["source.ip", "user", "global"]"#),
        (r#""source.ip""#, "[]"),
        (r#""high""#, r#""hihg""#),
        (r#""failure""#, r#""fail""#),
        ("severity = \"high\"\n", ""),
    ];
    check(
        &cases,
        expect![[r#"
            3:10 `atuh` is no signal (field `signal`)
                at "atuh"
                Did you mean `auth`? Allowed values: `auth`, `reset`, `sign-up`, `access`.
            3:10 `signup` is no signal (field `signal`)
                at "signup"
                Did you mean `sign-up`? Allowed values: `auth`, `reset`, `sign-up`, `access`.
            4:7 `ip` is no key field (field `key`)
                at "ip"
                Did you mean `source.ip`? Allowed values: `source.ip`, `source.subnet`, `source.asn`, `user_agent`, `user`, `global`.
            4:21 `key` names `source.ip` twice
                at "source.ip"
                Name it once.
            4:7 `key` has 3 fields, not 1 or 2
                at ["source.ip", "user", "global"]
                Write one field, `key = "source.ip"`, or a list of two.
            4:7 `key` has 0 fields, not 1 or 2
                at []
                Write one field, `key = "source.ip"`, or a list of two.
            10:12 `hihg` is no severity (field `severity`)
                at "hihg"
                Did you mean `high`? Allowed values: `informational`, `low`, `medium`, `high`, `critical`.
            7:58 `fail` is no outcome (field `outcome`)
                at "fail"
                Did you mean `failure`? Allowed values: `failure`, `success`.
            9:1 this raise has no `severity`
                at [[raise]]
                Add a line like `severity = "high"`.
        "#]],
    );
}

#[test]
fn durations() {
    let cases = [
        (r#""10m""#, r#""10 minutes""#),
        (r#""10m""#, r#""1h30m""#),
        (r#""10m""#, "600"),
        (r#""10m""#, r#""8d""#),
        (r#""10m""#, r#""0s""#),
        (r#""10m""#, "\"10m\"\nquiet = \"99999999999999999999d\""),
    ];
    check(
        &cases,
        expect![[r#"
        5:10 `10 minutes` is no duration (field `window`)
            at "10 minutes"
            Write a whole number and a unit (ms, s, m, h or d), like "300s", "10m", "24h" or "1d".
        5:10 `1h30m` is no duration (field `window`)
            at "1h30m"
            Write a whole number and a unit (ms, s, m, h or d), like "300s", "10m", "24h" or "1d".
        5:10 `window` must be a string, not integer
            at 600
            Put it in quotes: `window = "…"`.
        5:10 `window` is 8d, outside 1s to 168h
            at "8d"
            Write a duration from 1s to 168h.
        5:10 `window` is 0s, outside 1s to 168h
            at "0s"
            Write a duration from 1s to 168h.
        6:9 `99999999999999999999d` is no duration (field `quiet`)
            at "99999999999999999999d"
            Write a whole number and a unit (ms, s, m, h or d), like "300s", "10m", "24h" or "1d".
    "#]],
    );
}

#[test]
fn measures() {
    let cases = [
        (USERS, "\nusers = { distnct = \"user\" }"),
        (USERS, "\nusers = { distinct = \"user\", count = \"attempts\" }"),
        (USERS, "\nusers = { where = { outcome = \"failure\" } }"),
        (USERS, "\nusers = { distinct = \"usr\" }"),
        (USERS, "\nusers = { count = \"mention\" }"),
        (USERS, "\nusers = { sum = \"mentions\" }"),
        (USERS, "\nusers = \"user\""),
        (USERS, "\nusers = { distinct = \"user\", where = { outcom = \"failure\" } }"),
        ("user_known = false", r#"user_known = "false""#),
        (USERS, "\nusers = { distinct = \"user\" }\n\"Wrong-Name\" = { sum = \"attempts\" }"),
    ];
    check(
        &cases,
        expect![[r#"
            8:11 `distnct` is no field of a measure
                at distnct
                Did you mean `distinct`? Allowed fields: `count`, `sum`, `distinct`, `new_within`, `known_for`, `sequential`, `people`, `attackers`, `change`, `busiest`, `times`, `usual`, `where`.
            8:9 the measure `users` must have exactly one of `count`, `sum`, `distinct`, `sequential`, `change` and `busiest`
                at { distinct = "user", count = "attempts" }
                Write one of `count = "attempts"`, `count = "mentions"`, `sum = "attempts"`, `distinct = "user"`, `distinct = "source.ip"`, `sequential = "user"`, `change = "attempts"` and `busiest = "attempts"`.
            8:9 the measure `users` must have exactly one of `count`, `sum`, `distinct`, `sequential`, `change` and `busiest`
                at { where = { outcome = "failure" } }
                Write one of `count = "attempts"`, `count = "mentions"`, `sum = "attempts"`, `distinct = "user"`, `distinct = "source.ip"`, `sequential = "user"`, `change = "attempts"` and `busiest = "attempts"`.
            8:22 `usr` is no field to count the values of (field `distinct`)
                at "usr"
                Did you mean `user`? Allowed values: `user`, `source.ip`, `resource`.
            8:19 `mention` is no thing to count (field `count`)
                at "mention"
                Did you mean `mentions`? Allowed values: `attempts`, `mentions`.
            8:17 `mentions` is no number to add up (field `sum`)
                at "mentions"
                Allowed values: `attempts`, `bytes`.
            8:9 `users` must be a table, not string
                at "user"
                Write `users = { … }` or head it [users].
            8:40 `outcom` is no field of `where`
                at outcom
                Did you mean `outcome`? Allowed fields: `outcome`, `user_known`.
            7:82 `user_known` must be true or false, not string
                at "false"
                Write `user_known = true` or `user_known = false`, unquoted.
            9:1 `Wrong-Name` is no name for a measure
                at "Wrong-Name"
                Write lower-case letters, digits and `_`, a letter first, at most 64, like `unknown_users`.
        "#]],
    );
}

#[test]
fn conditions() {
    let cases = [
        ("unknown_users >= 30", "unknown_user >= 30"),
        ("unknown_users >= 30", "30 <= unknown_users"),
        ("unknown_users >= 30", "unknown_users => 30"),
        ("unknown_users >= 30", "unknown_users == 30"),
        ("unknown_users >= 30", "unknown_users"),
        ("unknown_users >= 30", "10 <= unknown_users <= 30"),
        ("unknown_users >= 30", "unknown_users >= -3"),
        ("unknown_users >= 30", "unknown_users >= nan"),
        ("unknown_users >= 30", "unknown_users < 0"),
        ("0.5 * users", "0.5 users"),
        ("0.5 * users", "0 * users"),
        ("0.5 * users", "inf * users"),
        ("0.5 * users", "users * user"),
        (r#""unknown_users >= 30""#, r#""unknown\u005fuser >= 30""#),
    ];
    check(
        &cases,
        expect![[r#"
            11:10 `unknown_user` is no measure of this detector (field `when`)
                at unknown_user
                Did you mean `unknown_users`? Measures of this detector: `unknown_users`, `users`.
            11:10 `30` is no measure of this detector (field `when`)
                at 30
                Put the measure on the left. Write `measure >= number`, `measure >= factor * measure` or `measure >= measure`, for example "unknown_users >= 0.5 * users".
            11:24 `=>` is no comparison (field `when`)
                at =>
                Did you mean `>=`? Comparisons: `>=`, `>`, `<=`, `<`.
            11:24 `==` is no comparison (field `when`)
                at ==
                A count can pass a value between two judgements. Did you mean `>=`? Comparisons: `>=`, `>`, `<=`, `<`.
            11:9 `unknown_users` is no condition (field `when`)
                at "unknown_users"
                Write `measure >= number`, `measure >= factor * measure` or `measure >= measure`, for example "unknown_users >= 0.5 * users".
            11:9 `10 <= unknown_users <= 30` is no condition (field `when`)
                at "10 <= unknown_users <= 30"
                Write `measure >= number`, `measure >= factor * measure` or `measure >= measure`, for example "unknown_users >= 0.5 * users".
            11:27 `-3` is not a number a measure can be compared with (field `when`)
                at -3
                Write a finite decimal number, 0 or above, like `30` or `0.5`.
            11:27 `nan` is not a number a measure can be compared with (field `when`)
                at nan
                Write a finite decimal number, 0 or above, like `30` or `0.5`.
            11:9 `unknown_users < 0` never holds (field `when`)
                at "unknown_users < 0"
                Compare with a number above 0.
            11:50 `0.5 users` is not a number a measure can be compared with (field `when`)
                at 0.5 users
                Write a finite decimal number, 0 or above, like `30` or `0.5`.
            11:50 `0` is not a number a measure can be compared with (field `when`)
                at 0
                A factor must be above 0; to compare with 0, write the 0 alone.
            11:50 `inf` is not a number a measure can be compared with (field `when`)
                at inf
                Write a finite decimal number, 0 or above, like `30` or `0.5`.
            11:50 `users` is not a number a measure can be compared with (field `when`)
                at users
                Write a finite decimal number, 0 or above, like `30` or `0.5`.
            11:58 `user` is no measure of this detector (field `when`)
                at user
                Did you mean `users`? Measures of this detector: `unknown_users`, `users`.
            11:9 `unknown_user` is no measure of this detector (field `when`)
                at "unknown\u005fuser >= 30"
                Did you mean `unknown_users`? Measures of this detector: `unknown_users`, `users`.
        "#]],
    );
}

#[test]
fn raises() {
    let cases = [
        (WHEN, "when = []"),
        (WHEN, ""),
        (WHEN, r#"when = "unknown_users >= 30""#),
        (WHEN, r#"when = ["unknown_users <= 30", "users < 5"]"#),
        (WHEN, r#"when = ["unknown_users >= 0.5 * users"]"#),
        (WHEN, r#"whne = ["unknown_users >= 30"]"#),
        (WHEN, "when = [30]"),
        ("[[raise]]", "[raise]"),
        (RAISE, ""),
        (RAISE, "[[raises]]\nseverity = \"high\"\nwhen = [\"unknown_users >= 30\"]\n"),
        (MEASURE, ""),
        (MEASURE, "[measure]\n"),
    ];
    check(
        &cases,
        expect![[r#"
            11:8 `when` is empty
                at []
                Add a condition, like "failures >= 30"; all conditions of a raise must hold.
            9:1 this raise has no `when`
                at [[raise]]
                Add a line like `when = ["failures >= 30"]`.
            11:8 `when` must be a list of strings, not string
                at "unknown_users >= 30"
                Put it in brackets: `when = ["…"]`.
            11:8 `when` holds for a window with nothing in it
                at ["unknown_users <= 30", "users < 5"]
                Add a condition with a lower bound above 0, like "failures >= 30": upper bounds (`<`, `<=`) and shares alone also hold when nothing happens.
            11:8 `when` holds for a window with nothing in it
                at ["unknown_users >= 0.5 * users"]
                Add a condition with a lower bound above 0, like "failures >= 30": upper bounds (`<`, `<=`) and shares alone also hold when nothing happens.
            11:1 `whne` is no field of a raise
                at whne
                Did you mean `when`? Allowed fields: `severity`, `confidence`, `when`.
            11:9 `when` must be a string, not integer
                at 30
                Put it in quotes: `when = "…"`.
            9:1 `raise` must be a list of tables, each headed [[raise]], not table
                at [raise]
                Make `raise` a list of tables, each headed [[raise]].
            1:1 the detector never raises
                at id = "scan"
                Add `[[raise]]` and below it `severity = "high"` and `when = ["failures >= 30"]`.
            9:3 `raises` is no field of a detector
                at raises
                Did you mean `raise`? Allowed fields: `id`, `title`, `description`, `advice`, `attack`, `signal`, `key`, `window`, `quiet`, `after`, `after_within`, `unless`, `covers`, `share`, `log_holds`, `measure`, `raise`.
            1:1 the detector measures nothing
                at id = "scan"
                Add `[measure]` and below it a line like `failures = { count = "attempts", where = { outcome = "failure" } }`.
            6:1 the detector measures nothing
                at [measure]
                Add `[measure]` and below it a line like `failures = { count = "attempts", where = { outcome = "failure" } }`.
        "#]],
    );
}

#[test]
fn syntax() {
    let cases = [(r#"window = "10m""#, r#"window = "10m"#), (r#"window = "10m""#, "window 10m")];
    check(
        &cases,
        expect![[r#"
        5:14 this is not TOML: invalid basic string, expected `"`
            at 
            See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
        5:8 this is not TOML: key with no value, expected `=`
            at 
            See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
    "#]],
    );
}

#[test]
fn of_what_is_not_toml_only_the_first_fault_is_told() {
    let errors = tidewatch_rules::parse("x.toml", "a log line\nand another\n[and [more\n= 3\n");
    let errors = errors.expect_err("no TOML");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].line, 1);
    let formats = vec![("x.toml".to_owned(), "a log line\nand another\n[and [more\n".to_owned())];
    assert_eq!(tidewatch_rules::formats(formats).expect_err("no TOML").len(), 1);
}

#[test]
fn all_faults_of_a_file_are_reported_together() {
    let text = GOOD
        .replace("window =", "windw =")
        .replace("\"high\"", "\"hihg\"")
        .replace("= { distinct = \"user\" }", "= { distinct = \"usr\" }")
        .replace("\"scan\"", "\"Scan!\"");
    let errors = parse("scan.toml", &text).expect_err("four faults");
    expect![[r#"
        1:6 `Scan!` is no detector id (field `id`)
            at "Scan!"
            Write lower-case words, joined by single hyphens, at most 64 bytes, like "credential-scan".
        5:1 `windw` is no field of a detector
            at windw
            Did you mean `window`? Allowed fields: `id`, `title`, `description`, `advice`, `attack`, `signal`, `key`, `window`, `quiet`, `after`, `after_within`, `unless`, `covers`, `share`, `log_holds`, `measure`, `raise`.
        8:22 `usr` is no field to count the values of (field `distinct`)
            at "usr"
            Did you mean `user`? Allowed values: `user`, `source.ip`, `resource`.
        10:12 `hihg` is no severity (field `severity`)
            at "hihg"
            Did you mean `high`? Allowed values: `informational`, `low`, `medium`, `high`, `critical`.
    "#]].assert_eq(&show(&errors, &text));
}

#[test]
fn all_files_are_looked_at() {
    let files = [
        ("a.toml", GOOD.replace("auth", "atuh")),
        ("b.toml", GOOD.to_owned()),
        ("c.toml", GOOD.to_owned()),
        ("d.toml", "id = ".to_owned()),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text));
    let errors = load(files).expect_err("three bad files");
    let lines: Vec<_> = errors.iter().map(|error| format!("{error}. {}\n", error.help)).collect();
    expect![[r#"
        a.toml:3:10: `atuh` is no signal (field `signal`). Did you mean `auth`? Allowed values: `auth`, `reset`, `sign-up`, `access`.
        c.toml:1:6: the id `scan` is taken by b.toml. An id names one detector: it is part of a finding's uid. Choose another.
        d.toml:1:6: this is not TOML: string values must be quoted, expected literal string. See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
    "#]].assert_eq(&lines.concat());
}

#[test]
fn too_many_detectors() {
    let files = (0..DETECTORS_MAX + 5)
        .map(|n| (format!("{n}.toml"), GOOD.replace("\"scan\"", &format!("\"scan-{n}\""))));
    let files: Vec<_> = files.collect();
    assert_eq!(
        load(files[..DETECTORS_MAX].to_vec()).expect("as many as may be").len(),
        DETECTORS_MAX
    );
    let errors = load(files).expect_err("five too many");
    assert_eq!(errors.len(), 1, "one message, not five");
    assert_eq!(errors[0].fault, Fault::TooManyDetectors);
    assert_eq!(errors[0].file, format!("{DETECTORS_MAX}.toml"));
}

#[test]
fn too_many_measures_and_too_long_a_file() {
    let many: String = (0..65).map(|n| format!("m{n} = {{ distinct = \"user\" }}\n")).collect();
    let text = GOOD.replace("[[raise]]", &format!("{many}[[raise]]"));
    let errors = parse("scan.toml", &text).expect_err("67 measures");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].fault, Fault::TooManyMeasures { count: 67 });

    let text = format!("{GOOD}{}", "#".repeat(FILE_BYTES_MAX));
    let errors = parse("scan.toml", &text).expect_err("too long");
    assert_eq!(errors[0].fault, Fault::TooLong { bytes: text.len() });
}

#[test]
fn a_terminal_shows_the_place() {
    let text = GOOD.replace("0.5 * users", "0.5 * user");
    let errors = parse("detectors/scan.toml", &text).expect_err("a typo");
    let handler =
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
            .with_links(false)
            .with_width(100);
    let mut shown = String::new();
    handler.render_report(&mut shown, &errors[0]).expect("a string takes everything");
    expect![[r#"
        Error:
          × detectors/scan.toml:11:56: `user` is no measure of this detector (field `when`)
            ╭─[detectors/scan.toml:11:56]
         10 │ severity = "high"
         11 │ when = ["unknown_users >= 30", "unknown_users >= 0.5 * user"]
            ·                                                        ──┬─
            ·                                                          ╰── no such measure
            ╰────
          help: Did you mean `users`? Measures of this detector: `unknown_users`, `users`.
    "#]]
    .assert_eq(&format!("Error:\n{shown}"));
}
