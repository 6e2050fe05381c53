//! What asks since when something is seen, and how sure a finding is, where that makes no sense.

use expect_test::expect;

use crate::{USERS, check};

#[test]
fn since_when_something_is_seen() {
    let users = |with: &str| format!("\nusers = {{ {with} }}");
    let of = [
        r#"distinct = "user", new_within = "20h""#,
        r#"distinct = "user", where = { outcome = "failure" }, known_for = "20h""#,
        r#"count = "attempts", where = { outcome = "success" }, new_within = "20h""#,
        r#"distinct = "resource", where = { outcome = "success" }, new_within = "20h""#,
        r#"distinct = "user", where = { outcome = "success" }, new_within = "20 hours""#,
        r#"distinct = "user", where = { outcome = "success" }, new_within = "5m""#,
        r#"distinct = "user", where = { outcome = "success" }, known_for = "49h""#,
        r#"distinct = "user", where = { outcome = "success" }, new_within = "20h", known_for = "20h""#,
    ]
    .map(users);
    let cases: Vec<(&str, &str)> = of.iter().map(|to| (USERS, to.as_str())).collect();
    check(
        &cases,
        expect![[r#"
        8:9 the measure `users` asks since when something is seen, which is known of users and addresses that got in only
            at { distinct = "user", new_within = "20h" }
            Write for example `{ distinct = "user", where = { outcome = "success" }, new_within = "20h" }`: of `distinct = "user"` or "source.ip", with the outcome "success".
        8:9 the measure `users` asks since when something is seen, which is known of users and addresses that got in only
            at { distinct = "user", where = { outcome = "failure" }, known_for = "20h" }
            Write for example `{ distinct = "user", where = { outcome = "success" }, new_within = "20h" }`: of `distinct = "user"` or "source.ip", with the outcome "success".
        8:9 the measure `users` asks since when something is seen, which is known of users and addresses that got in only
            at { count = "attempts", where = { outcome = "success" }, new_within = "20h" }
            Write for example `{ distinct = "user", where = { outcome = "success" }, new_within = "20h" }`: of `distinct = "user"` or "source.ip", with the outcome "success".
        8:9 the measure `users` asks since when something is seen, which is known of users and addresses that got in only
            at { distinct = "resource", where = { outcome = "success" }, new_within = "20h" }
            Write for example `{ distinct = "user", where = { outcome = "success" }, new_within = "20h" }`: of `distinct = "user"` or "source.ip", with the outcome "success".
        8:76 `20 hours` is no duration (field `new_within`)
            at "20 hours"
            Write a whole number and a unit (ms, s, m, h or d), like "300s", "10m", "24h" or "1d".
        8:76 `new_within` is 5m, outside 10m to 48h
            at "5m"
            Write a duration from the window, 10m, to 48h.
        8:75 `known_for` is 49h, outside 10m to 48h
            at "49h"
            Write a duration from the window, 10m, to 48h.
        8:9 the measure `users` has both `new_within` and `known_for`
            at { distinct = "user", where = { outcome = "success" }, new_within = "20h", known_for = "20h" }
            Write two measures: whoever is not new is known.
    "#]],
    );
    let sure = [
        (r#"severity = "high""#, "severity = \"high\"\nconfidence = \"sure\""),
        (r#"severity = "high""#, "severity = \"high\"\nconfidence = 0.9"),
    ];
    check(
        &sure,
        expect![[r#"
        11:14 `sure` is no confidence (field `confidence`)
            at "sure"
            Allowed values: `low`, `medium`, `high`.
        11:14 `confidence` must be a string, not float
            at 0.9
            Put it in quotes: `confidence = "…"`.
    "#]],
    );
}

#[test]
fn a_log_is_asked_for_what_can_be_told() {
    let cases = [
        ("window", "log_holds = \"failures\"\nwindow"),
        // What is wider is judged by the clock, and no event says in which log.
        ("\"source.ip\"", "\"source.subnet\"\nlog_holds = \"successes\""),
    ];
    check(
        &cases,
        expect![[r#"
            5:13 `log_holds` asks for nothing that can be told: `failures`
                at "failures"
                Write `log_holds = "successes"`, of a detector of logins by `source.ip` or `user`.
            5:13 `log_holds` asks for nothing that can be told: `successes`
                at "successes"
                Write `log_holds = "successes"`, of a detector of logins by `source.ip` or `user`.
        "#]],
    );
}

#[test]
fn for_how_long_other_findings_count() {
    let cases = [
        ("window", "after_within = \"24h\"\nwindow"),
        ("window", "after = \"other\"\nafter_within = \"a day\"\nwindow"),
        ("window", "after = \"other\"\nafter_within = \"8d\"\nwindow"),
        ("window", "after = \"other\"\nafter_within = 24\nwindow"),
    ];
    check(
        &cases,
        expect![[r#"
        5:16 `after_within` says how long other findings count, and `after` names none
            at "24h"
            Name the detectors whose findings count so long in `after`, or take it out.
        6:16 `a day` is no duration (field `after_within`)
            at "a day"
            Write a whole number and a unit (ms, s, m, h or d), like "300s", "10m", "24h" or "1d".
        6:16 `after_within` is 8d, outside 1s to 168h
            at "8d"
            Write a duration from 1s to 168h.
        6:16 `after_within` must be a string, not integer
            at 24
            Put it in quotes: `after_within = "…"`.
    "#]],
    );
}
