//! A message's JSON object, and the values at paths in it, `a.b.0`.
//!
//! Pipelines change names on the way: they write them in lower or upper case, join them with dots
//! (`{"source.ip": …}`), and write objects as strings. So a path finds its value in all these ways; what
//! is spelled exactly comes first, and two names that differ only in case are none, nor is a name that stands twice
//! with different values: see [`super::unique`].

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::unique::Unique;
use crate::format::object;
use crate::nesting;
use crate::when::When;

/// The object of a message, perhaps behind Lambda's prefix; read when it is first asked for, once for all
/// formats.
pub(super) struct Json<'m> {
    message: &'m str,
    read: OnceCell<Option<(Option<When>, Value)>>,
}

impl<'m> Json<'m> {
    /// Of a message.
    pub(super) fn of(message: &'m str) -> Json<'m> {
        Json { message, read: OnceCell::new() }
    }

    /// The time of the prefix, and the object; `None` if the message is none.
    pub(super) fn get(&self) -> Option<(Option<When>, &Value)> {
        let read = || {
            let (prefix_time, json) = object(self.message)?;
            let Unique(value) = serde_json::from_str(json).ok()?;
            Some((prefix_time, value))
        };
        self.read.get_or_init(read).as_ref().map(|(time, value)| (*time, value))
    }
}

/// The value at a path as text; `None` where it is not there, is null, an object or a list.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> Option<Cow<'v, str>> {
    match value {
        Value::Object(object) => {
            let inside = path
                .match_indices('.')
                .find_map(|(dot, _)| at(named(object, &path[..dot])?, &path[dot + 1..]));
            inside.or_else(|| scalar(named(object, path)?))
        }
        Value::Array(list) => {
            let (index, rest) = path.split_once('.').unwrap_or((path, ""));
            let element = list.get(index.parse::<usize>().ok()?)?;
            if rest.is_empty() { scalar(element) } else { at(element, rest) }
        }
        Value::String(text) if text.starts_with('{') && !nesting::too_deep(text.as_bytes()) => {
            let Unique(inside) = serde_json::from_str(text).ok()?;
            at(&inside, path).map(|found| Cow::Owned(found.into_owned()))
        }
        _ => None,
    }
}

/// The field of this name, or the only one whose name differs from it in case alone.
fn named<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| {
        let mut alike = object.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) = alike.next()?;
        alike.next().is_none().then_some(value)
    })
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(yes) => Some(Cow::Borrowed(if *yes { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_finds_its_value_however_the_names_are_written() {
        let json = json!({
            "a": { "b": "nested", "c": [{ "d": 7 }, true], "e": null },
            "addr.remote": "dotted", "x.y": { "z": "half" }, "a.b": "less",
            "EventType": "cased", "Twice": 1, "TWICE": 2, "twice": 3, "One": 1, "ONE": 2,
            "text": "{\"inner\": {\"ip\": \"written\"}}", "broken": "{\"inner\"",
            "deep": format!("{{\"inner\":{}1{}}}", "[".repeat(100), "]".repeat(100)),
        });
        let cases = [
            ("a.b", Some("nested")),
            ("a.c.0.d", Some("7")),
            ("a.c.1", Some("true")),
            ("a.c.2", None),
            ("a.c", None),
            ("a.e", None),
            ("addr.remote", Some("dotted")),
            ("x.y.z", Some("half")),
            ("eventtype", Some("cased")),
            ("A.B", Some("nested")),
            ("twice", Some("3")),
            ("one", None),
            ("text.inner.ip", Some("written")),
            ("broken.inner", None),
            ("deep.inner", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(at(&json, path).as_deref(), expected, "{path}");
        }
    }
}
