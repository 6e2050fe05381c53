//! Findings as text and as one sentence, whole, as a user sees them.

use crate::sample::{address, bare, document, finding, local, measured};
use expect_test::{Expect, expect};
use tidewatch_alert::text;
use tidewatch_core::finding::{Accuracy, Activity, Finding};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::Span;

fn check(finding: &Finding, expected: Expect) {
    let message = document(finding)["message"].as_str().expect("a sentence").to_owned();
    expected.assert_eq(&format!("{}\n{message}\n", text(finding)));
}

#[test]
fn an_episode_opens_goes_on_and_closes() {
    check(
        &finding(Activity::Create),
        expect![[r#"
            2026-11-22T10:15:30Z OPEN high One source tries many usernames that do not exist: 203.0.113.9
                counted    unknown_users 34, users 41 in 10m
                raised by  unknown_users >= 0.5 * users (= 20.5), unknown_users >= 30, confidence medium
                since      newcomers first seen here 2026-11-22T10:15:30Z
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                sources    203.0.113.9
                accounts   got in: user:00000000000000a1 (first here 2026-11-22T10:15:30Z); as ever: 1
                listed     82 % ± 10 of the 60 names tried are on breach\u{1b}[2J 2019 (your own users: 3 %)
                listed     82 % ± 10 of the 60 names tried are on combo (your own users were not compared with it)
                also       brute-force
                events     /aws/lambda/login 2026/11/22/[$LATEST]aa 3811
                           /aws/lambda/login 2026/11/22/[$LATEST]bb 3812
                           /aws/lambda/login 2026/11/22/[$LATEST]aa 3813
                advice     Block the source.
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: 203.0.113.9 reached 34 unknown users in 10m (threshold 30).
        "#]],
    );
    check(
        &finding(Activity::Update),
        expect![[r#"
            2026-11-22T10:15:30Z UPDATE high One source tries many usernames that do not exist: 203.0.113.9
                counted    unknown_users 34, users 41 in 10m
                raised by  unknown_users >= 0.5 * users (= 20.5), unknown_users >= 30, confidence medium
                since      newcomers first seen here 2026-11-22T10:15:30Z
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                sources    203.0.113.9
                accounts   got in: user:00000000000000a1 (first here 2026-11-22T10:15:30Z); as ever: 1
                listed     82 % ± 10 of the 60 names tried are on breach\u{1b}[2J 2019 (your own users: 3 %)
                listed     82 % ± 10 of the 60 names tried are on combo (your own users were not compared with it)
                also       brute-force
                events     /aws/lambda/login 2026/11/22/[$LATEST]aa 3811
                           /aws/lambda/login 2026/11/22/[$LATEST]bb 3812
                           /aws/lambda/login 2026/11/22/[$LATEST]aa 3813
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: 203.0.113.9 goes on, 34 unknown users in 10m (threshold 30).
        "#]],
    );
    check(
        &finding(Activity::Close),
        expect![[r#"
            2026-11-22T10:15:30Z CLOSE high One source tries many usernames that do not exist: 203.0.113.9
                counted    unknown_users 34, users 41 in 10m
                at worst   unknown_users 61 in 10m
                raised by  unknown_users >= 0.5 * users (= 20.5), unknown_users >= 30, confidence medium
                since      newcomers first seen here 2026-11-22T10:15:30Z
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                sources    203.0.113.9
                accounts   got in: user:00000000000000a1 (first here 2026-11-22T10:15:30Z); as ever: 1
                listed     82 % ± 10 of the 60 names tried are on breach\u{1b}[2J 2019 (your own users: 3 %)
                listed     82 % ± 10 of the 60 names tried are on combo (your own users were not compared with it)
                also       brute-force
                events     /aws/lambda/login 2026/11/22/[$LATEST]aa 3811
                           /aws/lambda/login 2026/11/22/[$LATEST]bb 3812
                           /aws/lambda/login 2026/11/22/[$LATEST]aa 3813
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: 203.0.113.9 has been quiet for 30m after 34 unknown users in 10m (threshold 30).
        "#]],
    );
}

#[test]
fn inexact_numbers_hostile_names_and_missing_parts() {
    check(
        &bare(Activity::Create),
        expect![[r#"
            2026-11-22T10:15:30Z OPEN high One source tries many usernames that do not exist: 2001:db8:1:2::/64
                counted    unknown_users about 3600 (±1.6 %, window + at most 20s), failures 9000 (window + at most 20s), users at least 256 in 10m
                raised by  unknown_users >= 30
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                sources    2001:db8:1:2::1, 2001:db8:1:2::2, 2001:db8:1:2::3, 2001:db8:1:2::4, 2001:db8:1:2::5, 2001:db8:1:2::6, 2001:db8:1:2::7, 2001:db8:1:2::8 and 4 more
                events     auth\u{1b}[2J\u{202e}gol at byte 4096
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: 2001:db8:1:2::/64 reached about 3600 unknown users in 10m (threshold 30).
        "#]],
    );
}

#[test]
fn many_sources_of_one_user() {
    let many = Finding {
        key: Key { first: KeyPart::User(UserTag(0xabc)), second: Some(KeyPart::Global) },
        sources: (1..=32).map(|n| address(&format!("198.51.100.{n}"))).collect(),
        sources_total: 10_000,
        samples: vec![local("-", 0), local("-", 90)],
        ..finding(Activity::Update)
    };
    check(
        &many,
        expect![[r#"
            2026-11-22T10:15:30Z UPDATE high One source tries many usernames that do not exist: user:0000000000000abc + global
                counted    unknown_users 34, users 41 in 10m
                raised by  unknown_users >= 0.5 * users (= 20.5), unknown_users >= 30, confidence medium
                since      newcomers first seen here 2026-11-22T10:15:30Z
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                sources    198.51.100.1, 198.51.100.2, 198.51.100.3, 198.51.100.4, 198.51.100.5, 198.51.100.6, 198.51.100.7, 198.51.100.8 and 9992 more
                accounts   got in: user:00000000000000a1 (first here 2026-11-22T10:15:30Z); as ever: 1
                listed     82 % ± 10 of the 60 names tried are on breach\u{1b}[2J 2019 (your own users: 3 %)
                listed     82 % ± 10 of the 60 names tried are on combo (your own users were not compared with it)
                also       brute-force
                events     - at byte 0
                           - at byte 90
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: user:0000000000000abc + global goes on, 34 unknown users in 10m (threshold 30).
        "#]],
    );
}

#[test]
fn nothing_but_a_measure() {
    let little = Finding {
        key: Key::of(KeyPart::Global),
        decided: Vec::new(),
        sources: Vec::new(),
        sources_total: 0,
        samples: Vec::new(),
        measures: vec![measured("tries", 1.5, Accuracy::Pane(Span::seconds(20)))],
        ..finding(Activity::Create)
    };
    check(
        &little,
        expect![[r#"
            2026-11-22T10:15:30Z OPEN high One source tries many usernames that do not exist: global
                counted    tries 1.5 (window + at most 20s) in 10m
                raised by  confidence medium
                since      newcomers first seen here 2026-11-22T10:15:30Z
                seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
                accounts   got in: user:00000000000000a1 (first here 2026-11-22T10:15:30Z); as ever: 1
                listed     82 % ± 10 of the 60 names tried are on breach\u{1b}[2J 2019 (your own users: 3 %)
                listed     82 % ± 10 of the 60 names tried are on combo (your own users were not compared with it)
                also       brute-force
                advice     Block the source.
                uid        0123456789abcdef0123456789abcdef

            One source tries many usernames that do not exist: all traffic together reached 1.5 tries in 10m.
        "#]],
    );
}

/// Whatever stands in a log, a finding is as many lines as it would be without.
#[test]
fn log_text_cannot_forge_a_line() {
    for hostile in ["\n2026-11-22T10:15:30Z OPEN critical forged", "\r", "\u{85}", "\u{2028}"] {
        let samples = vec![local(hostile, 1)];
        let text = text(&Finding { samples, ..finding(Activity::Create) });
        assert!(!text.contains(['\r', '\u{85}', '\u{2028}']), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("    ")), "{text}");
    }
}
