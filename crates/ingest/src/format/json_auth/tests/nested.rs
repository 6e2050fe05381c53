//! Lines as common loggers write them, with fields in objects inside the line.

use super::*;

/// Each line with what it must be read as.
fn check_each(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (line, expected) in cases {
        let found = shown(read(line, false, &naming(), &mut Memos::default()));
        if found != *expected {
            wrong += &format!("{line}\n  expected {expected}\n  found    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const AT: &str = "at 1794290400123";

#[test]
fn loggers() {
    let failed = format!("Failure known=? Some(\"bob\") from 192.0.2.1 {AT}");
    let unknown = format!("Failure known=false Some(\"bob\") from 192.0.2.1 {AT}");
    let passed = format!("Success known=true Some(\"alice\") from 192.0.2.1 {AT}");
    check_each(&[
        // AWS Lambda Powertools: extra keys, an object of them, and an object as the message.
        (
            r#"{"level":"WARNING","location":"login:41","message":"Login failed","timestamp":"2026-11-10T06:00:00.123Z","service":"shop","user":"bob","source_ip":"192.0.2.1","xray_trace_id":"1-a-b"}"#,
            &failed,
        ),
        (
            r#"{"level":"WARN","message":"Login failed","timestamp":"2026-11-10T06:00:00.123Z","service":"shop","cold_start":true,"details":{"user":{"name":"bob"},"client":{"ip":"192.0.2.1"},"reason":"user_not_found"}}"#,
            &unknown,
        ),
        (
            r#"{"level":"INFO","location":"handler:9","message":{"event":"login","result":"success","username":"alice","ip":"192.0.2.1"},"timestamp":"2026-11-10T06:00:00.123Z","service":"shop"}"#,
            &passed,
        ),
        // pino, with its request.
        (
            r#"{"level":40,"time":1794290400123,"pid":8,"hostname":"h","req":{"id":1,"method":"POST","url":"/login","headers":{"user-agent":"x","x-forwarded-for":"203.0.113.9"},"remoteAddress":"192.0.2.1","remotePort":4000},"user":"bob","msg":"login failed"}"#,
            &failed,
        ),
        (
            r#"{"level":30,"time":1794290400123,"req":{"method":"POST","url":"/api/login","remoteAddress":"192.0.2.1"},"res":{"statusCode":200},"username":"alice","responseTime":7,"msg":"request completed"}"#,
            &passed,
        ),
        (
            r#"{"level":50,"time":1794290400123,"event":"signin","user":{"id":7,"login":"bob"},"ip":"192.0.2.1","err":{"type":"Error","message":"no such user","stack":"Error: no such user\n    at x"}}"#,
            &unknown,
        ),
        // structlog, winston, zap.
        (
            r#"{"event":"login_failed","user":"bob","ip":"192.0.2.1","level":"warning","timestamp":"2026-11-10T06:00:00.123Z"}"#,
            &failed,
        ),
        (
            r#"{"level":"warn","message":"sign-in","meta":{"user":{"username":"bob"},"ip":"192.0.2.1"},"success":false,"timestamp":"2026-11-10T06:00:00.123Z"}"#,
            &failed,
        ),
        (
            r#"{"level":"info","ts":1794290400.123,"caller":"auth/login.go:42","msg":"login succeeded","fields":{"user":"alice","remote_addr":"192.0.2.1:4000"}}"#,
            &passed,
        ),
        // Lambda's own JSON logs: an object, a text, and an object as text.
        (
            r#"{"timestamp":"2026-11-10T06:00:00.123Z","level":"INFO","requestId":"7f-a9","message":{"event":"login_failed","user":"bob","ip":"192.0.2.1"}}"#,
            &failed,
        ),
        (
            r#"{"timestamp":"2026-11-10T06:00:00.123Z","level":"INFO","requestId":"7f-a9","message":"{\"event\":\"login_failed\",\"user\":{\"name\":\"bob\"},\"ip\":\"192.0.2.1\"}"}"#,
            &failed,
        ),
        (
            "2026-11-10T06:00:00.123Z\t0f-1a\tWARN\t{\"event\":{\"action\":\"login\",\"outcome\":\"failure\"},\"user\":{\"name\":\"bob\"},\"source\":{\"ip\":\"192.0.2.1\"}}",
            &failed,
        ),
        // The Elastic Common Schema, dotted and as objects.
        (
            r#"{"@timestamp":"2026-11-10T06:00:00.123Z","event.action":"user_login","event.outcome":"success","user.name":"alice","source.ip":"192.0.2.1"}"#,
            &passed,
        ),
        (
            r#"{"@timestamp":"2026-11-10T06:00:00.123Z","ecs":{"version":"8.11"},"event":{"kind":"event","category":["authentication"],"type":["start"],"outcome":"failure","reason":"unknown user"},"user":{"name":"bob"},"source":{"ip":"192.0.2.1","port":4000}}"#,
            &unknown,
        ),
        // OCSF's class Authentication.
        (
            r#"{"class_name":"Authentication","class_uid":3002,"activity_id":1,"activity_name":"Logon","time":1794290400123,"status":"Failure","status_id":2,"status_detail":"Unknown user","user":{"name":"bob","uid":"9"},"src_endpoint":{"ip":"192.0.2.1","port":4000},"dst_endpoint":{"ip":"203.0.113.1"},"device":{"ip":"203.0.113.2"}}"#,
            &unknown,
        ),
        // EventBridge, and API Gateway's context.
        (
            r#"{"version":"0","detail-type":"User Login","source":"shop.auth","account":"123456789012","time":"2026-11-10T06:00:00.123Z","detail":{"username":"bob","ip":"192.0.2.1","outcome":"failure"}}"#,
            "Failure known=? Some(\"some other name\") from 192.0.2.1 at 1794290400123",
        ),
        (
            r#"{"timestamp":"2026-11-10T06:00:00.123Z","message":"login failed","username":"bob","requestContext":{"accountId":"123456789012","identity":{"sourceIp":"192.0.2.1"}}}"#,
            &failed,
        ),
    ]);
}

#[test]
fn outer_beats_inner_and_two_that_differ_are_none() {
    let by = |who: &str, from: &str| format!("Failure known=? {who} from {from} at no time");
    let (bob, none) = ("Some(\"bob\")", "None");
    check_each(&[
        (
            r#"{"event":"login_failed","user":"bob","data":{"user":"alice","ip":"192.0.2.1"}}"#,
            &by(bob, "192.0.2.1"),
        ),
        (
            r#"{"data":{"user":"alice","ip":"192.0.2.1"},"event":"login_failed","user":"bob"}"#,
            &by(bob, "192.0.2.1"),
        ),
        // What says nothing gives way to what is further in.
        (
            r#"{"event":"login_failed","user":null,"source":"web","data":{"user":"bob","ip":"192.0.2.1"}}"#,
            &by(bob, "192.0.2.1"),
        ),
        (
            r#"{"event":"login_failed","data":{"user":"bob"},"extra":{"username":"alice"}}"#,
            &by(none, "nowhere"),
        ),
        (
            r#"{"event":"login_failed","data":{"user":"bob","ip":"192.0.2.1"},"extra":{"user":"bob","src_ip":"203.0.113.9"}}"#,
            &by(bob, "nowhere"),
        ),
        (
            r#"{"event":"login_failed","source":{"ip":"192.0.2.1"},"client":{"ip":"192.0.2.1"},"user":"bob"}"#,
            &by(bob, "192.0.2.1"),
        ),
        // One object may say the same thing in several ways: the first name counts, whatever their order.
        (
            r#"{"event":"login_failed","user":{"email":"alice@shop.example","name":"bob"},"actor":{"user":{"name":"alice"}}}"#,
            &by(bob, "nowhere"),
        ),
        (
            r#"{"event":"login_failed","data":{"email":"alice@shop.example","user":"bob"},"extra":{"user":"bob","email":"x"}}"#,
            &by(bob, "nowhere"),
        ),
        // Two that differ are not decided by a third, but by one further out.
        (
            r#"{"event":"login_failed","data":{"user":"bob"},"extra":{"user":"alice"},"detail":{"user":"bob"}}"#,
            &by(none, "nowhere"),
        ),
        (
            r#"{"event":"login_failed","data":{"user":"alice"},"extra":{"user":"4711"},"user":"bob"}"#,
            &by(bob, "nowhere"),
        ),
        (
            r#"{"event":"login","data":{"success":true},"extra":{"success":false},"user":"bob"}"#,
            "Nothing",
        ),
        // A client writes bodies, queries and headers.
        (
            r#"{"event":"login_failed","user":"bob","body":{"ip":"203.0.113.9"},"query":{"ip":"203.0.113.9"},"headers":{"client-ip":"203.0.113.9","x-forwarded-for":"203.0.113.9, 192.0.2.1"}}"#,
            &by(bob, "192.0.2.1"),
        ),
        // Deeper than is looked.
        (
            r#"{"event":"login_failed","data":{"data":{"data":{"user":"bob","data":{"ip":"192.0.2.1"}}}}}"#,
            &by(bob, "nowhere"),
        ),
        // An outer message decides over an inner event, an inner event over a message about something else.
        (r#"{"msg":"login failed","user":"bob","data":{"type":"web"}}"#, &by(bob, "nowhere")),
        (
            r#"{"msg":"handled request 7","user":"bob","data":{"event":"login_failed"}}"#,
            &by(bob, "nowhere"),
        ),
    ]);
}

#[test]
fn lines_about_something_around_logins() {
    let lines = [
        r#"{"level":"INFO","message":"Login page viewed","user":{"name":"alice"},"client":{"ip":"192.0.2.1"},"res":{"statusCode":200}}"#,
        r#"{"level":30,"req":{"method":"GET","url":"/login","remoteAddress":"192.0.2.1"},"res":{"statusCode":200},"user":"alice","msg":"request completed"}"#,
        r#"{"event":{"action":"session_refresh","outcome":"success"},"user":{"name":"alice"},"source":{"ip":"192.0.2.1"}}"#,
        r#"{"event":{"action":"user-logout","category":["authentication"],"outcome":"success"},"user":{"name":"alice"},"source":{"ip":"192.0.2.1"}}"#,
        r#"{"event":{"action":"password-change","outcome":"failure"},"user":{"name":"alice"}}"#,
        r#"{"class_uid":3002,"activity_name":"Logoff","status":"Success","user":{"name":"alice"},"src_endpoint":{"ip":"192.0.2.1"}}"#,
        r#"{"class_uid":2004,"class_name":"Detection Finding","message":"192.0.2.1 tried many names","status":"New","src_endpoint":{"ip":"192.0.2.1"},"user":{"name":"alice"},"finding_info":{"title":"Many login failures"}}"#,
        r#"{"message":"Order placed","user":{"name":"alice"},"client":{"ip":"192.0.2.1"},"result":{"success":true}}"#,
        r#"{"user":{"name":"alice"},"request":{"ip":"192.0.2.1"},"result":{"success":true}}"#,
        r#"{"user":{"name":"alice","status":"active"},"client":{"ip":"192.0.2.1"}}"#,
        r#"{"user":{"name":"alice","success":true},"ip":"192.0.2.1"}"#,
        r#"{"msg":"auth service started","user":{"name":"alice"},"status":"ok"}"#,
        r#"{"event":"payment","user":"alice","ip":"192.0.2.1","data":{"event":"login","success":true}}"#,
        r#"{"message":"token refreshed","auth":{"user":"alice","success":true},"ip":"192.0.2.1"}"#,
        r#"{"data":{"url":"/login"},"user":"alice","ip":"192.0.2.1","status":403}"#,
        r#"{"message":"user profile loaded","context":{"event":"login","success":true,"user":"alice"}}"#,
        r#"{"message":"webhook received","query":{"event":"login_failed","user":"bob"}}"#,
        r#"{"message":"webhook received","data":{"message":"{\"event\":\"login_failed\",\"user\":\"bob\"}"}}"#,
        r#"{"level":"INFO","message":"cold start","function_name":"login-handler","user":"alice"}"#,
    ];
    check_each(&lines.map(|line| (line, "Nothing")));
}

#[test]
fn damage_inside() {
    let deep = format!(r#"{{"event":"login_failed","data":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    let text = format!(
        r#"{{"message":"{{\"event\":\"login_failed\",\"x\":{}","user":"bob"}}"#,
        "[".repeat(9_000)
    );
    let many = format!(
        r#"{{"event":"login_failed","user":"bob"{}}}"#,
        r#","data":{"ip":"192.0.2.1"}"#.repeat(9_000)
    );
    let read = |line: &str| shown(read(line, false, &naming(), &mut Memos::default()));
    assert_eq!(read(&deep), "Failure known=? None from nowhere at no time");
    assert_eq!(read(&text), "Failure known=? Some(\"bob\") from nowhere at no time");
    assert_eq!(read(&many), "Failure known=? Some(\"bob\") from 192.0.2.1 at no time");
    assert_eq!(read(r#"{"event":"login_failed","data":{"user":"bob"}"#), "Unreadable(Json)");
}

#[test]
fn an_address_that_two_objects_tell_stands_in_both() {
    let (login, other) =
        (r#""event":{"user":"bob","ok":true,"ip":"192.0.2.1"}"#, r#""data":{"ip":"192.0.2.1"}"#);
    let passed = "Success known=true Some(\"bob\") from 192.0.2.1 at no time";
    let lines = [format!("{{{login},{other}}}"), format!("{{{other},{login}}}")];
    check_each(&lines.each_ref().map(|line| (line.as_str(), passed)));
    // Where they differ it is not known, and beside another address than its own nothing has ended.
    let differ = format!("{{{login},{}}}", other.replace(".1", ".2"));
    check_each(&[(&differ, "Nothing")]);
}

prop_compose! {
    /// A field that is perhaps an object, some levels of it.
    fn any_nested(levels: u32)(
        field in proptest::sample::select(vec!["user", "name", "ip", "event", "type", "msg", "ok", "status"]),
        holder in proptest::sample::select(vec!["data", "user", "source", "req", "result", "event", "x"]),
        value in proptest::sample::select(vec!["\"bob\"", "\"192.0.2.1\"", "\"login\"", "true", "null", "\"failed\""]),
        is_nested in any::<bool>(),
        inner in if levels == 0 { Just(Vec::new()).boxed() } else { proptest::collection::vec(any_nested(levels - 1), 0..4).boxed() },
    ) -> (String, String) {
        if is_nested && levels > 0 {
            let (forward, backward) = object_both_ways(&inner);
            (format!("\"{holder}\":{forward}"), format!("\"{holder}\":{backward}"))
        } else {
            (format!("\"{field}\":{value}"), format!("\"{field}\":{value}"))
        }
    }
}

/// An object with its fields in this order and the other way round; of a name that stands twice, only the
/// first.
fn object_both_ways(fields: &[(String, String)]) -> (String, String) {
    let mut names = std::collections::BTreeSet::new();
    let name = |field: &str| field.split(':').next().unwrap_or_default().to_owned();
    let fields: Vec<_> = fields.iter().filter(|(field, _)| names.insert(name(field))).collect();
    let forward: Vec<&str> = fields.iter().map(|(forward, _)| forward.as_str()).collect();
    let backward: Vec<&str> = fields.iter().rev().map(|(_, backward)| backward.as_str()).collect();
    (format!("{{{}}}", forward.join(",")), format!("{{{}}}", backward.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_order_of_fields_never_decides(fields in proptest::collection::vec(any_nested(3), 0..6)) {
        let (forward, backward) = object_both_ways(&fields);
        let read = |line: &str| read(line, false, &naming(), &mut Memos::default());
        prop_assert_eq!(read(&forward), read(&backward), "{} {}", forward, backward);
    }
}
