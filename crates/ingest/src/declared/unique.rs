//! JSON whose names mean one thing: a name that stands twice in an object with different values has none.
//!
//! A pipeline that writes JSON by a template, without escaping, lets whoever chooses a username or a user agent
//! close the string and add fields: `x","ip":"203.0.113.9`. serde_json keeps the last of two equal names, and
//! so would take the attacker's. Here neither counts, as if the field were not there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value, in whose objects a contradicted name is null.
pub(super) struct Unique(pub Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        deserializer.deserialize_any(Reader).map(Unique)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(value)) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = access.next_entry::<String, Unique>()? {
            match object.get_mut(&name) {
                None => {
                    object.insert(name, value);
                }
                Some(known) if *known == value => {}
                Some(known) => *known = Value::Null,
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let Unique(value) = serde_json::from_str(text).expect("JSON");
        value.to_string()
    }

    #[test]
    fn a_name_that_stands_twice_with_different_values_has_none() {
        let cases = [
            (r#"{"a":1,"b":[true,null,1.5,-2,"x"]}"#, r#"{"a":1,"b":[true,null,1.5,-2,"x"]}"#),
            (r#"{"ip":"192.0.2.1","user":"x","ip":"203.0.113.9"}"#, r#"{"ip":null,"user":"x"}"#),
            (r#"{"ip":"192.0.2.1","ip":"192.0.2.1"}"#, r#"{"ip":"192.0.2.1"}"#),
            (r#"{"ip":1,"ip":2,"ip":2}"#, r#"{"ip":null}"#),
            (r#"{"a":{"b":{"ip":1,"ip":2}}}"#, r#"{"a":{"b":{"ip":null}}}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
