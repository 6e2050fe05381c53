//! Objects as Node and Python print them, by a printer of our own, and what somebody may try with a name.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::json_auth;
use super::super::{Memos, Said};
use super::*;
use crate::username::{Names, Naming, Usernames};
use tidewatch_core::tag::TagKey;

fn naming() -> Names {
    let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Exact };
    Names::new(naming)
}

fn read(message: &str) -> Said {
    json_auth::read(message, false, &naming(), &mut Memos::default())
}

/// What a text is as JSON, by words and value.
fn printed(text: &str) -> Option<(&str, Value)> {
    let printed = Printed::of(text)?;
    let value = serde_json::from_str(&printed.json);
    Some((printed.words, value.unwrap_or_else(|error| panic!("{}: {error}", printed.json))))
}

/// Which quotes a language chooses for a text.
fn quote(text: &str, may: &[char]) -> char {
    may.iter().copied().find(|quote| !text.contains(*quote)).unwrap_or(may[0])
}

fn escaped(text: &str, quote: char) -> String {
    let escape = |c: char| match c {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\\' => "\\\\".to_owned(),
        _ if c == quote => format!("\\{c}"),
        '\0'..' ' | '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
        _ => c.to_string(),
    };
    format!("{quote}{}{quote}", text.chars().map(escape).collect::<String>())
}

/// As Node's `util.inspect` prints it, over several lines where `wide`.
fn inspected(value: &Value, wide: bool) -> String {
    let (open, close, joined) = if wide { ("\n  ", "\n", ",\n  ") } else { (" ", " ", ", ") };
    match value {
        Value::String(text) if wide && text.contains('\n') => {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let each = lines.iter().map(|line| escaped(line, quote(line, &['\'', '"', '`'])));
            each.collect::<Vec<_>>().join(" +\n    ")
        }
        Value::String(text) => escaped(text, quote(text, &['\'', '"', '`'])),
        Value::Array(list) if list.is_empty() => "[]".to_owned(),
        Value::Array(list) => {
            let each: Vec<String> = list.iter().map(|value| inspected(value, wide)).collect();
            format!("[{open}{}{close}]", each.join(joined))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| {
                let is_bare = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let name = if is_bare { name.clone() } else { escaped(name, '\'') };
                format!("{name}: {}", inspected(value, wide))
            });
            format!("{{{open}{}{close}}}", each.collect::<Vec<_>>().join(joined))
        }
        other => other.to_string(),
    }
}

/// As Python's `repr` prints it.
fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(yes) => if *yes { "True" } else { "False" }.to_owned(),
        Value::String(text) => escaped(text, quote(text, &['\'', '"'])),
        Value::Array(list) => {
            format!("[{}]", list.iter().map(repr).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let name = |name: &str| escaped(name, quote(name, &['\'', '"']));
            let each = fields.iter().map(|(of, value)| format!("{}: {}", name(of), repr(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[test]
fn what_node_and_python_print_is_read() {
    let cases = [
        ("{}", json!({})),
        ("{ a: 1, 'b-c': -0.5, d: 12n, e: undefined }", json!({"a":1,"b-c":-0.5,"d":12,"e":null})),
        (
            "{\n  a: 'x\\n' +\n    'y',\n  b: [ 1, 2, ... 3 more items ]\n}",
            json!({"a":"x\ny","b":[1,2,null]}),
        ),
        (
            "{ a: [Object], b: [ [Array] ], c: [Function: f], d: [class A extends B], e: [Function (anonymous)] }",
            json!({"a":null,"b":[null],"c":null,"d":null,"e":null}),
        ),
        (
            "{ a: 2026-11-10T06:00:00.000Z, b: Login { c: true }, d: Uint8Array(2) [ 1, 2 ] }",
            json!({"a":"2026-11-10T06:00:00.000Z","b":{"c":true},"d":[1,2]}),
        ),
        ("<ref *1> { a: [Circular *1], b: 'xx'... 9 more characters }", json!({"a":null,"b":"xx"})),
        ("{ a: [Object: null prototype] { b: '1' } }", json!({"a":{"b":"1"}})),
        (
            "{ a: '\\x1B\\u00e9\\uD83D\\uDE00\\uD83D', b: `it's \"so\"` }",
            json!({"a":"\u{1b}é😀\u{fffd}","b":"it's \"so\""}),
        ),
        (
            "{'a': None, 'b': True, \"it's\": b'x', 'c': ('y',), 1: [False]}",
            json!({"a":null,"b":true,"it's":"x","c":["y"],"1":[false]}),
        ),
        (
            "{'a': Decimal('3'), 'b': datetime.datetime(2026, 11, 10, tzinfo=datetime.timezone(x='u'))}",
            json!({"a":["3"],"b":[2026,11,10,[ "u" ]]}),
        ),
        ("{\"a\": \"b\\/c\"}", json!({"a":"b/c"})),
    ];
    for (text, expected) in cases {
        let at_start = text.starts_with("{");
        assert_eq!(printed(text).map(|(_, value)| value), Some(expected.clone()), "{text}");
        if at_start {
            let behind = format!("login failed: {text}\n");
            assert_eq!(printed(&behind), Some(("login failed:", expected)), "{text}");
        }
    }
    for text in [
        "",
        "}",
        "{ a: }",
        "{ a 1 }",
        "{ a: 'x }",
        "{ a: 1 } then",
        "{ a: 1, }",
        "{ a: 1 } { b: 2 }",
        // An error's message may say anything.
        "{ a: [Error: x], b: 1 }",
        "{ a: Error: x\n    at f (g.js:1:2), b: 1 }",
        "{ a: [TypeError: x { b: [1], c: 2 }",
        "{ a: <Buffer 01>, b: 1 }",
        "{ a: '\\q' }",
        "{ a: 'x\ny' }",
        "from 192.0.2.1 { a: 1 }",
        "from 2001:db8::1 { a: 1 }",
    ] {
        assert_eq!(printed(text), None, "{text}");
    }
}

#[test]
fn logins_are_read_as_from_json() {
    let json =
        r#"{"event":"login_failed","user":"bob","ip":"203.0.113.9","req":{"method":"POST"}}"#;
    let expected = read(json);
    assert!(matches!(expected, Said::Signal { .. }));
    let plain =
        "{ event: 'login_failed', user: 'bob', ip: '203.0.113.9', req: { method: 'POST' } }";
    let prefix = "7f3c-1c2e\tWARN\t";
    for text in [
        plain.to_owned(),
        plain.replace(", ", ",\n  "),
        format!("{prefix}{plain}"),
        format!("{prefix}login failed {plain}\n"),
        format!(
            "[WARNING]\t7f3c-1c2e\tno entry {}",
            repr(&serde_json::from_str(json).expect("JSON"))
        ),
        format!("login failed {json}"),
    ] {
        assert_eq!(read(&text), expected, "{text}");
    }
    // Words before an object are its message.
    let worded = "Login failed { user: 'bob', ip: '203.0.113.9' }";
    assert_eq!(read(worded), read(r#"{"message":"Login failed","user":"bob","ip":"203.0.113.9"}"#));
    assert!(matches!(read(worded), Said::Signal { .. }));
    // Without a name or an address in the object they may say more than it.
    assert_eq!(read("Login failed for bob { ip: '203.0.113.9' }"), Said::Nothing);
    // What `aws logs tail` puts before it is not of the message, and the message is read without.
    assert_eq!(read(&format!("2026-11-10T06:00:00 {plain}")), Said::Nothing);
    let stamped = format!("2026-11-10T06:00:00.123Z\t{prefix}{plain}");
    assert!(matches!(read(&stamped), Said::Signal { when: Some(_), .. }));
}

#[test]
fn nesting_and_length_are_bounded() {
    let nested = |depth: usize| "{ a: ".repeat(depth) + "1" + &" }".repeat(depth);
    assert!(printed(&nested(JSON_NESTING_MAX)).is_some());
    assert_eq!(printed(&nested(JSON_NESTING_MAX + 1)), None);
    assert_eq!(printed(&nested(100_000)), None);
    assert_eq!(printed(&format!("{{ a: {}1{} }}", "[".repeat(100_000), "]".repeat(100_000))), None);
    assert_eq!(printed(&format!("{}{{ a: 1 }}", "x".repeat(WORDS_BYTES_MAX + 1))), None);
    // Each of these would take hours where a place were looked at once for each place before it.
    for part in ["{ ", "'", "\\'", "\\\\'", "}", "' }", "`\"'", "[", "(x=", "+ ''", "...", "a{"] {
        let text = part.repeat(300_000);
        for text in [format!("{{ a: {text} }}"), format!("{{ a: '{text}' }}"), format!("{text}}}")]
        {
            let _ = printed(&text);
        }
    }
}

/// Values as applications log them, hostile ones among them.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z0-9 .]{0,6}",
        "['\"`\\\\{}:, \\[\\]\n\u{1}é+$]{0,12}",
        Just("', ip: '198.51.100.66', x: '".to_owned()),
        Just("` { event: 'login_failed', user: \"x\", ip: '198.51.100.66' }".to_owned()),
        Just("{\"ip\":\"198.51.100.66\",\"user\":\"x\",\"q\":\"".to_owned()),
        Just("bob".to_owned()),
    ];
    let leaf = prop_oneof![
        3 => text.prop_map(Value::String),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let name = prop_oneof![
        "(user|ip|event|reason|status|success|message|request|src_ip|x-y|it's|a)",
        "[a-z'\"]{0,4}"
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            2 => proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_what_was_there(
        name in any_value(), rest in any_value(), wide in any::<bool>(), words in "[a-z ,.]{0,12}") {
        let object = json!({
            "event": "login_failed", "user": name, "ip": "203.0.113.9", "more": rest, "agent": rest,
        });
        let expected = read(&object.to_string());
        for text in [inspected(&object, wide), repr(&object)] {
            prop_assert_eq!(printed(&text), Some(("", object.clone())), "{}", text);
            prop_assert_eq!(read(&text), expected);
            let behind = format!("{words} {text}");
            prop_assert_eq!(printed(&behind), Some((words.trim(), object.clone())), "{}", behind);
        }
    }

    #[test]
    fn no_name_in_words_or_object_moves_the_source(name in any_value(), after in any_value()) {
        let object = json!({
            "event": "login_failed", "user": name, "ip": "203.0.113.9", "agent": after,
        });
        let bare = name.as_str().unwrap_or("x");
        for text in [inspected(&object, false), repr(&object)] {
            let message = format!("login failed for {bare} {text}");
            if let Some((_, value)) = printed(&message) {
                prop_assert_eq!(&value, &object);
            }
            if let Said::Signal { auth, .. } = read(&message) {
                prop_assert_eq!(auth.source, "203.0.113.9".parse().ok());
            }
        }
    }

    #[test]
    fn damage_is_survived(value in any_value(), at in 0..200usize, by in "[{}'\"`\\\\,:é\\[(]{0,3}", cut in any::<bool>()) {
        for mut text in [inspected(&value, false), repr(&value)] {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            if cut {
                text.truncate(at);
            }
            text.insert_str(at.min(text.len()), &by);
            read(&text);
            let _ = printed(&text);
        }
    }

    #[test]
    fn any_text_is_survived(text in ".*", inside in "[{}\\[\\]'\"`:,a-z0-9\\\\ +.<>()]{0,60}") {
        let _ = printed(&text);
        let _ = printed(&format!("{{ {inside} }}"));
    }
}
