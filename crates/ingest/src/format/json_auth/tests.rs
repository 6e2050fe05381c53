//! Lines of many applications, none of which exists, and what is read in them.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use tidewatch_core::tag::TagKey;

use super::super::json_names::USER;
use super::*;
use crate::username::{Naming, Usernames};

mod escaped;
mod nested;
mod tried;

fn naming() -> Names {
    let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Exact };
    Names::new(naming)
}

/// The names in the tests, so that a tag can be shown as the name it stands for.
const NAMES: [&str; 8] = ["alice", "bob", "", "4711", "x y", "null", "a\"b", "alice@shop.example"];

fn shown(said: Said) -> String {
    let Said::Signal { when, time_unreadable, auth } = said else { return format!("{said:?}") };
    let user = auth.user.map(|user| {
        NAMES.iter().find(|name| naming().tag(name) == user).copied().unwrap_or("some other name")
    });
    let time = match (when, time_unreadable) {
        (Some(When::At(time)), false) => time.0.to_string(),
        (Some(When::Civil(_)), false) => "civil".into(),
        (None, false) => "no time".into(),
        (None, true) => "time unreadable".into(),
        (Some(_), true) => "both a time and none".into(),
    };
    let known = auth.user_known.map_or("?".into(), |known| known.to_string());
    let source = auth.source.map_or("nowhere".into(), |source| source.to_string());
    let action = match auth.action {
        SignalKind::Auth => String::new(),
        other => format!("{other:?} "),
    };
    format!("{action}{:?} known={known} {user:?} from {source} at {time}", auth.outcome)
}

fn check(lines: &[&str], expected: Expect) {
    let lines = lines.iter().map(|line| {
        format!("{line}\n  {}\n", shown(read(line, false, &naming(), &mut Memos::default())))
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn shapes() {
    check(
        &[
            r#"{"timestamp":"2026-11-10T06:00:00.123Z","event":"login_failed","reason":"unknown_user","user":"bob","src_ip":"192.0.2.1"}"#,
            r#"{"ts":1794290400,"action":"LOGIN","result":"SUCCESS","userName":"alice","clientIp":"192.0.2.1:5000"}"#,
            r#"{"time":1794290400123,"eventType":"UserLogin","success":false,"failure_reason":"WRONG_PASSWORD","email":"alice@shop.example","ip":"::ffff:192.0.2.1"}"#,
            r#"{"@timestamp":"2026-11-10 06:00:00,123","type":"auth","outcome":"failure","user.name":"bob","source.ip":"2001:db8::1","error":"No such user"}"#,
            r#"{"date":"10/Nov/2026:06:00:00 +0000","message":"Login failed for bob: user not found","account":"bob","remote_addr":"203.0.113.9, 192.0.2.1"}"#,
            r#"{"ts":1794290400.5,"event":"signin","status":401,"login":"bob","ip":"192.0.2.1","user_exists":false}"#,
            r#"{"ts":1794290400,"method":"POST","path":"/api/login","status":200,"user":"alice","ip":"192.0.2.1"}"#,
            r#"{"ts":1794290400,"user":"alice","ip":"192.0.2.1","authenticated":true}"#,
            r#"{"ts":1794290400,"event":"user_logged_in","user_id":4711,"client_ip":"192.0.2.1"}"#,
            r#"{"ts":1794290400,"event":"login","user":{"name":"bob"},"ctx":[{"ip":"203.0.113.9"}],"outcome":"denied","ip":"192.0.2.1"}"#,
            r#"{"ts":1794290400,"event":"login_failed","code":"UserNotFoundException","username":"bob","ip":"host.example"}"#,
            r#"{"ts":1794290400,"event_id":"7f-a9","user":"bob","ip":"192.0.2.1","result":"NOT_FOUND"}"#,
            r#"{"ts":1794290400,"evt":"auth","ok":0,"usr":"bob","ip":"192.0.2.1","err":"invalid username or password"}"#,
        ],
        expect![[r#"
            {"timestamp":"2026-11-10T06:00:00.123Z","event":"login_failed","reason":"unknown_user","user":"bob","src_ip":"192.0.2.1"}
              Failure known=false Some("bob") from 192.0.2.1 at 1794290400123
            {"ts":1794290400,"action":"LOGIN","result":"SUCCESS","userName":"alice","clientIp":"192.0.2.1:5000"}
              Success known=true Some("alice") from 192.0.2.1 at 1794290400000
            {"time":1794290400123,"eventType":"UserLogin","success":false,"failure_reason":"WRONG_PASSWORD","email":"alice@shop.example","ip":"::ffff:192.0.2.1"}
              Failure known=true Some("alice@shop.example") from 192.0.2.1 at 1794290400123
            {"@timestamp":"2026-11-10 06:00:00,123","type":"auth","outcome":"failure","user.name":"bob","source.ip":"2001:db8::1","error":"No such user"}
              Failure known=false Some("bob") from 2001:db8::1 at civil
            {"date":"10/Nov/2026:06:00:00 +0000","message":"Login failed for bob: user not found","account":"bob","remote_addr":"203.0.113.9, 192.0.2.1"}
              Failure known=false Some("bob") from 192.0.2.1 at 1794290400000
            {"ts":1794290400.5,"event":"signin","status":401,"login":"bob","ip":"192.0.2.1","user_exists":false}
              Failure known=false Some("bob") from 192.0.2.1 at 1794290400500
            {"ts":1794290400,"method":"POST","path":"/api/login","status":200,"user":"alice","ip":"192.0.2.1"}
              Success known=true Some("alice") from 192.0.2.1 at 1794290400000
            {"ts":1794290400,"user":"alice","ip":"192.0.2.1","authenticated":true}
              Success known=true Some("alice") from 192.0.2.1 at 1794290400000
            {"ts":1794290400,"event":"user_logged_in","user_id":4711,"client_ip":"192.0.2.1"}
              Success known=true Some("4711") from 192.0.2.1 at 1794290400000
            {"ts":1794290400,"event":"login","user":{"name":"bob"},"ctx":[{"ip":"203.0.113.9"}],"outcome":"denied","ip":"192.0.2.1"}
              Failure known=? Some("bob") from 192.0.2.1 at 1794290400000
            {"ts":1794290400,"event":"login_failed","code":"UserNotFoundException","username":"bob","ip":"host.example"}
              Failure known=false Some("bob") from nowhere at 1794290400000
            {"ts":1794290400,"event_id":"7f-a9","user":"bob","ip":"192.0.2.1","result":"NOT_FOUND"}
              Failure known=? Some("bob") from 192.0.2.1 at 1794290400000
            {"ts":1794290400,"evt":"auth","ok":0,"usr":"bob","ip":"192.0.2.1","err":"invalid username or password"}
              Failure known=? Some("bob") from 192.0.2.1 at 1794290400000
        "#]],
    );
}

#[test]
fn prefixes() {
    check(
        &[
            "2026-11-10T06:00:00.123Z\t0f-1a\tINFO\t{\"event\":\"login_failed\",\"user\":\"bob\"}",
            "2026-11-10T06:00:00.123Z\tundefined\tWARN\t{\"event\":\"login_failed\",\"time\":1}",
            "[WARNING]\t2026-11-10T06:00:00.123Z\t0f-1a\t{\"event\":\"login_failed\",\"time\":\"x\"}",
            "2026-11-10T06:00:00.123Z\t0f-1a\tINFO\tlogin {\"event\":\"login_failed\"}",
            "2026-11-10T06:00:00.123Z\t0f-1a\tINFO\t{ event: 'login_failed', user: 'bob' }",
            "a b\t{\"event\":\"login_failed\"}",
            "login_failed",
            "",
        ],
        expect![[r#"
            2026-11-10T06:00:00.123Z	0f-1a	INFO	{"event":"login_failed","user":"bob"}
              Failure known=? Some("bob") from nowhere at 1794290400123
            2026-11-10T06:00:00.123Z	undefined	WARN	{"event":"login_failed","time":1}
              Failure known=? None from nowhere at 1000
            [WARNING]	2026-11-10T06:00:00.123Z	0f-1a	{"event":"login_failed","time":"x"}
              Failure known=? None from nowhere at 1794290400123
            2026-11-10T06:00:00.123Z	0f-1a	INFO	login {"event":"login_failed"}
              Nothing
            2026-11-10T06:00:00.123Z	0f-1a	INFO	{ event: 'login_failed', user: 'bob' }
              Failure known=? Some("bob") from nowhere at 1794290400123
            a b	{"event":"login_failed"}
              Nothing
            login_failed
              Nothing

              Nothing
        "#]],
    );
}

#[test]
fn names_and_sources() {
    check(
        &[
            r#"{"event":"login_failed","ip":"192.0.2.1"}"#,
            r#"{"event":"login_failed","user":null,"ip":"192.0.2.1"}"#,
            r#"{"event":"login_failed","user":null,"email":"alice@shop.example"}"#,
            r#"{"event":"login_failed","user":"","ip":"-"}"#,
            r#"{"event":"login_failed","user":"null","ip":null}"#,
            r#"{"event":"login_failed","user":"***","ip":"[::1]:443"}"#,
            r#"{"event":"login_failed","user":"HIDDEN_DUE_TO_SECURITY_REASONS","ip":"fe80::1%eth0"}"#,
            r#"{"event":"login_failed","user":"a\"b","ip":"192.0.2.1"}"#,
            r#"{"event":"login_failed","email":"alice@shop.example","user":"bob","client":"app","addr":"192.0.2.1"}"#,
            r#"{"event":"login_failed","user":"alice","user":"bob","ip":"203.0.113.9","ip":"192.0.2.1"}"#,
            r#"{"event":"login_failed","user":"x y","time":"soon"}"#,
            r#"{"event":"login_failed","user":"bob","time":"soon","ts":1794290400}"#,
            r#"{"event":"login_failed","user":"bob","userKnown":"false"}"#,
            r#"{"event":"login_failed","user":"bob","unknown_user":true,"reason":"bad_password"}"#,
            r#"{"event":"login_success","user":"bob","reason":"bad_password"}"#,
            r#"{"event":"login_failed","user":"bob","reason":"denied","message":"unknown user"}"#,
        ],
        expect![[r#"
            {"event":"login_failed","ip":"192.0.2.1"}
              Failure known=? None from 192.0.2.1 at no time
            {"event":"login_failed","user":null,"ip":"192.0.2.1"}
              Failure known=? None from 192.0.2.1 at no time
            {"event":"login_failed","user":null,"email":"alice@shop.example"}
              Failure known=? Some("alice@shop.example") from nowhere at no time
            {"event":"login_failed","user":"","ip":"-"}
              Failure known=? Some("") from nowhere at no time
            {"event":"login_failed","user":"null","ip":null}
              Failure known=? Some("null") from nowhere at no time
            {"event":"login_failed","user":"***","ip":"[::1]:443"}
              Failure known=? None from ::1 at no time
            {"event":"login_failed","user":"HIDDEN_DUE_TO_SECURITY_REASONS","ip":"fe80::1%eth0"}
              Failure known=? None from fe80::1 at no time
            {"event":"login_failed","user":"a\"b","ip":"192.0.2.1"}
              Failure known=? Some("a\"b") from 192.0.2.1 at no time
            {"event":"login_failed","email":"alice@shop.example","user":"bob","client":"app","addr":"192.0.2.1"}
              Failure known=? Some("bob") from 192.0.2.1 at no time
            {"event":"login_failed","user":"alice","user":"bob","ip":"203.0.113.9","ip":"192.0.2.1"}
              Failure known=? None from nowhere at no time
            {"event":"login_failed","user":"x y","time":"soon"}
              Failure known=? Some("x y") from nowhere at time unreadable
            {"event":"login_failed","user":"bob","time":"soon","ts":1794290400}
              Failure known=? Some("bob") from nowhere at 1794290400000
            {"event":"login_failed","user":"bob","userKnown":"false"}
              Failure known=false Some("bob") from nowhere at no time
            {"event":"login_failed","user":"bob","unknown_user":true,"reason":"bad_password"}
              Failure known=false Some("bob") from nowhere at no time
            {"event":"login_success","user":"bob","reason":"bad_password"}
              Success known=true Some("bob") from nowhere at no time
            {"event":"login_failed","user":"bob","reason":"denied","message":"unknown user"}
              Failure known=? Some("bob") from nowhere at no time
        "#]],
    );
}

#[test]
fn lines_that_are_no_decided_login() {
    check(
        &[
            r#"{"path":"/login","status":200}"#,
            r#"{"path":"/login","method":"GET","status":200,"user":"alice","ip":"192.0.2.1"}"#,
            r#"{"path":"/search?q=login","status":200,"user":"alice","ip":"192.0.2.1"}"#,
            r#"{"path":"/orders","status":403,"user":"alice","ip":"192.0.2.1"}"#,
            r#"{"user":"alice","ip":"192.0.2.1","status":200}"#,
            r#"{"user":"alice","ip":"host.example","success":true}"#,
            r#"{"event":"logout","user":"alice","ip":"192.0.2.1","success":true}"#,
            r#"{"event":"payment","user":"alice","ip":"192.0.2.1","status":"failed"}"#,
            r#"{"event":"auth","action":"delete_order","user":"alice","ip":"192.0.2.1","ok":true}"#,
            r#"{"event":"login","user":"alice","ip":"192.0.2.1"}"#,
            r#"{"event":"login","user":"alice","ip":"192.0.2.1","status":503}"#,
            r#"{"event":"login","user":"alice","ip":"192.0.2.1","outcome":"pending"}"#,
            r#"{"user":"alice","message":"cart updated"}"#,
            r#"{"user":"alice","ip":"192.0.2.1","ok":true,"message":"order placed"}"#,
            r#"{}"#,
        ],
        expect![[r#"
            {"path":"/login","status":200}
              Nothing
            {"path":"/login","method":"GET","status":200,"user":"alice","ip":"192.0.2.1"}
              Nothing
            {"path":"/search?q=login","status":200,"user":"alice","ip":"192.0.2.1"}
              Nothing
            {"path":"/orders","status":403,"user":"alice","ip":"192.0.2.1"}
              Nothing
            {"user":"alice","ip":"192.0.2.1","status":200}
              Nothing
            {"user":"alice","ip":"host.example","success":true}
              Nothing
            {"event":"logout","user":"alice","ip":"192.0.2.1","success":true}
              Nothing
            {"event":"payment","user":"alice","ip":"192.0.2.1","status":"failed"}
              Nothing
            {"event":"auth","action":"delete_order","user":"alice","ip":"192.0.2.1","ok":true}
              Nothing
            {"event":"login","user":"alice","ip":"192.0.2.1"}
              Nothing
            {"event":"login","user":"alice","ip":"192.0.2.1","status":503}
              Nothing
            {"event":"login","user":"alice","ip":"192.0.2.1","outcome":"pending"}
              Nothing
            {"user":"alice","message":"cart updated"}
              Nothing
            {"user":"alice","ip":"192.0.2.1","ok":true,"message":"order placed"}
              Nothing
            {}
              Nothing
        "#]],
    );
}

#[test]
fn damaged_lines() {
    let deep = format!(r#"{{"event":"login_failed","x":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let quoted = format!(r#"{{"event":"login_failed","x":"{}"}}"#, "[".repeat(100));
    let unclosed = format!(r#"{{"event":"login","x":{}"#, "[".repeat(10_000));
    let read = |line: &str| shown(read(line, false, &naming(), &mut Memos::default()));
    assert_eq!(read(&deep), "Unreadable(Nesting)");
    assert_eq!(read(&unclosed), "Unreadable(Nesting)");
    assert_eq!(read(&quoted), "Failure known=? None from nowhere at no time");
    assert_eq!(read(r#"{"event":"login_failed","user":"bo"#), "Unreadable(Json)");
    assert_eq!(read(r#"{"event":"login_failed"} trailing"#), "Unreadable(Json)");
    assert_eq!(read(r#"{"event":"login_failed","ts":1e999}"#), "Unreadable(Json)");
    assert_eq!(read("{user} logged in"), "Nothing");
}

/// Every spelling in which a name is usually written.
fn spellings(words: &[&str]) -> Vec<String> {
    let capital = |word: &str| {
        let mut word = word.to_owned();
        word[..1].make_ascii_uppercase();
        word
    };
    let joined = |separator: &str| words.join(separator);
    let capitals = words.iter().map(|word| capital(word)).collect::<String>();
    let camel = capitals[..1].to_lowercase() + &capitals[1..];
    let mut all = vec![joined(""), joined("_"), joined("-"), joined(" "), capitals, camel];
    all.extend([capital(&joined(" ")), capital(&joined("")), capital(&joined("_"))]);
    all.extend([joined("").to_uppercase(), joined("_").to_uppercase()]);
    all
}

#[test]
fn what_can_be_read_holds_a_needle() {
    let events: [&[&str]; 14] = [
        &["login"],
        &["log", "in"],
        &["log", "on"],
        &["logged", "in"],
        &["sign", "in"],
        &["signed", "in"],
        &["sign", "on"],
        &["sso"],
        &["authenticate"],
        &["authenticated"],
        &["authn"],
        &["oauth"],
        &["password", "check"],
        &["credential", "check"],
    ];
    let holds = |text: &str| NEEDLES.iter().any(|needle| text.contains(needle));
    for words in events {
        let lost = spellings(words).into_iter().find(|text| {
            let line = format!(r#"{{"event":"{text}","outcome":"failed"}}"#);
            matches!(read(&line, false, &naming(), &mut Memos::default()), Said::Signal { .. })
                && !holds(text)
        });
        assert_eq!(lost, None, "{words:?}");
    }
    for name in USER {
        let lost = spellings(&[name]).into_iter().find(|name| !holds(name));
        assert_eq!(lost, None);
    }
}

#[test]
fn needles_are_found_in_escaped_text_too() {
    for needle in NEEDLES.iter().chain(super::super::sshd::NEEDLES) {
        assert!(needle.len() >= 3 && !needle.contains(['"', '\\']), "{needle}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in ".*", inside in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,60}") {
        let _ = read(&text, false, &naming(), &mut Memos::default());
        let _ = read(&format!(r#"{{"event":"login_failed",{inside}}}"#), false, &naming(), &mut Memos::default());
    }

    #[test]
    fn any_name_is_itself(name in ".*", message in ".*") {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let line = format!(
            r#"{{"msg":{},"user":{},"ip":"192.0.2.1","event":"login_failed"}}"#,
            quoted(&message), quoted(&name),
        );
        let Said::Signal { auth, .. } = read(&line, false, &naming(), &mut Memos::default()) else {
            return Err(TestCaseError::fail("not read"));
        };
        prop_assert_eq!(auth.source, "192.0.2.1".parse().ok());
        prop_assert_eq!(auth.outcome, Outcome::Failure);
        prop_assert_eq!(auth.user, (!is_placeholder(&name)).then(|| naming().tag(&name)));
    }
}

/// The message as it stands in an envelope.
fn escaped(message: &str) -> String {
    let quoted = serde_json::Value::from(message).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[test]
fn ordinary_lines_are_read_where_they_stand() {
    let simple = [
        r#"{"timestamp":"2026-11-10T06:00:00.123Z","event":"login_failed","user":"bob","n":7}"#,
        r#"{ "event" : "login_failed" , "user" : "ä" , "ok" : false , "no" : null , "port" : 0 } "#,
        r#"{"login":true}"#,
        "{}",
    ];
    for line in simple {
        let mut fields = Fields::new(false);
        assert!(flat::read::<false>(line, &mut fields, &mut Memos::default()).is_some(), "{line}");
        assert!(
            read_flat::<true>(&escaped(line), false, &naming(), &mut Memos::default()).is_some(),
            "{line}"
        );
    }
    let others = [
        r#"{"user":"a\"b"}"#,
        r#"{"user":"a\u0062"}"#,
        r#"{"user":["bob"]}"#,
        r#"{"ts":1794290400.5}"#,
        r#"{"ts":-1}"#,
        r#"{"ts":01}"#,
        r#"{"ts":1234567890123456789}"#,
        r#"{"user":"bob"} x"#,
        r#"{"user":"bob",}"#,
        r#"{"user":"bob"#,
        r#"{"user""bob"}"#,
        r#"{"user":tru}"#,
        "{\"user\":\"a\tb\"}",
        "[]",
        "{",
        "",
    ];
    for line in others {
        let mut fields = Fields::new(false);
        assert!(flat::read::<false>(line, &mut fields, &mut Memos::default()).is_none(), "{line}");
        assert!(
            read_flat::<true>(&escaped(line), false, &naming(), &mut Memos::default()).is_none(),
            "{line}"
        );
    }
}

prop_compose! {
    /// A field that may play a part, now and then of a value or in a spelling that is not simple.
    fn any_field()(
        name in prop_oneof![
            9 => proptest::sample::select(vec!["ts", "src_ip", "client", "user", "login", "Result",
                "status", "code", "reason", "err", "msg", "event", "type", "success", "user_known"]),
            1 => proptest::sample::select(vec!["us\\u0065r", "x", "", "user\\n", "ü"]),
        ],
        value in prop_oneof![
            8 => "\"(login|logged in|failed|ok|unknown user|bad_password|bob|192\\.0\\.2\\.1|401|0)\"",
            1 => "\"(2026-11-10T06:00:00Z|[a-z:, ü\u{1f600}\t\u{7f}]{0,24})\"",
            1 => "(true|false|null|[0-9]{1,20})",
            1 => "(\"(\\\\\"|\\\\n|\\\\u00e9|\\\\x|\\\\)\"|-?[0-9]\\.[0-9]|-0|01|1e9|\\[1\\]|\\{\"user\":1\\}|nul|)",
        ],
        blank in "[ \t]{0,1}",
    ) -> String {
        format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}")
    }
}

fn damage_is_json(line: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() || !is_printed(line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn serde_says_the_same(
        fields in proptest::collection::vec(any_field(), 0..7), timed in any::<bool>(),
        damage in proptest::option::weighted(0.2, (any::<prop::sample::Index>(), "[{}\\[\\]\":,\\\\ ]?")),
    ) {
        let mut line = format!("{{{}}}", fields.join(","));
        if let Some((at, instead)) = damage {
            let (at, _) = *at.get(&line.char_indices().collect::<Vec<_>>());
            line.replace_range(at..=line.ceil_char_boundary(at + 1) - 1, &instead);
        }
        // What damage makes of it may be what Python prints.
        prop_assume!(damage_is_json(&line));
        let by_serde = match object(&line) {
            Some((time, json)) => read_any(json, time, timed, &naming(), &mut Memos::default()),
            None => Said::Nothing,
        };
        prop_assert_eq!(read(&line, timed, &naming(), &mut Memos::default()), by_serde);
        // Inside an envelope all that must be escaped is, or only what would end the string.
        let lax = line.replace('\\', r"\\").replace('"', "\\\"");
        for message in [escaped(&line), lax] {
            if let Some((said, _)) = read_flat::<true>(&message, timed, &naming(), &mut Memos::default()) {
                prop_assert_eq!(said, by_serde);
            }
        }
    }
}

/// Whoever writes JSON by a template, without escaping, lets a username close its string and add fields.
#[test]
fn a_field_that_a_name_adds_moves_nothing() {
    let before = r#"{"event":"login_failed","outcome":"failure","ip":"192.0.2.1","user":"x""#;
    let after = r#"{"user":"x""#;
    let rest = r#","event":"login_failed","outcome":"failure","ip":"192.0.2.1"}"#;
    let added = [
        r#","ip":"203.0.113.9""#,
        r#","outcome":"success""#,
        r#","event":"login_succeeded""#,
        r#","ip":"203.0.113.9","outcome":"success","event":"login_succeeded""#,
    ];
    for added in added {
        for line in [format!("{before}{added}}}"), format!("{after}{added}{rest}")] {
            let said = read(&line, false, &naming(), &mut Memos::default());
            if let Said::Signal { auth, .. } = said {
                assert_eq!(auth.outcome, Outcome::Failure, "{line}");
                let own: std::net::IpAddr = "192.0.2.1".parse().expect("an address");
                assert!(auth.source.is_none_or(|source| source == own), "{line}");
            }
        }
    }
    // The same twice is no contradiction.
    let twice = format!(r#"{before},"ip":"192.0.2.1"}}"#);
    let Said::Signal { auth, .. } = read(&twice, false, &naming(), &mut Memos::default()) else {
        panic!("a login")
    };
    assert!(auth.source.is_some());
}

#[test]
fn the_system_that_announces_an_address_is_read_where_it_is_told() {
    let asn = |fields: &str| {
        let line = format!(r#"{{"event":"login_failed","user":"ann","ip":"192.0.2.1",{fields}}}"#);
        match read(&line, false, &naming(), &mut Memos::default()) {
            Said::Signal { auth, .. } => auth.asn,
            other => panic!("{fields}: {other:?}"),
        }
    };
    for fields in [
        r#""asn":64496"#,
        r#""client_asn":"AS64496""#,
        r#""autonomous_system_number":64496"#,
        r#""asn":"AS64496 Example Hosting, Inc.""#,
        // What is none says nothing, and another name may.
        r#""asn":"","source_asn":64496"#,
    ] {
        assert_eq!(asn(fields), Some(64_496), "{fields}");
    }
    for fields in
        [r#""asn":0"#, r#""asn":-1"#, r#""asn":4294967296"#, r#""asn":true"#, r#""asn":1,"asn":2"#]
    {
        assert_eq!(asn(fields), None, "{fields}");
    }
}
