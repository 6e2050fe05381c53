//! The walk over a JSON object of an event and those inside it, by serde_json.
//!
//! What is in no list of names is stepped over, and so are objects deeper than [`DEPTH_MAX`] and all in
//! lists, but that a list of one value is that value. A `message` that is itself an object written as a
//! string, which is what `console.log(JSON.stringify(…))` leaves in Lambda's JSON logs, is read like an
//! object. Invariant: an object is merged into the one around it when all of it was read, so the order of
//! fields does not matter.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::borrow::Cow;

use super::json_fields::{Fields, Holder, Value};
use super::json_holders::{DEPTH_MAX, LINE, Object};
use super::json_names::{Name, Part};
use super::memo::Memos;
use crate::nesting;

/// Reads the object that is all of `json`, which is not too deep, into `fields`.
pub(super) fn read<'a>(
    json: &'a str,
    fields: &mut Fields<'a>,
    memos: &mut Memos,
) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    ReadObject { fields, object: LINE, objects: &mut 0, memos }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Reads an object into the fields where they stand: moving them about costs more than many fields.
struct ReadObject<'f, 'de> {
    fields: &'f mut Fields<'de>,
    object: Object,
    /// How many objects of the line were begun.
    objects: &'f mut u8,
    memos: &'f mut Memos,
}

impl<'de> DeserializeSeed<'de> for ReadObject<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadObject<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(FieldName(name)) = map.next_key()? {
            let part = name.and_then(|name| self.object.part_of(&name));
            let inside = name.and_then(|name| self.object.inside(&name));
            if part.is_none() && inside.is_none() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(ReadField { around: &mut self, part, inside })?;
        }
        Ok(())
    }
}

/// Reads a field's value into the object around it.
struct ReadField<'o, 'f, 'de> {
    around: &'o mut ReadObject<'f, 'de>,
    part: Option<(Part, u8)>,
    /// What it is if it is an object.
    inside: Option<Object>,
}

impl<'de> ReadField<'_, '_, 'de> {
    fn offer(self, value: Value<'de>) {
        if let Some((part, place)) = self.part {
            self.around.fields.offer(part, place, value, self.around.memos);
        }
    }

    /// The object's kind and place, if it is one to be looked into.
    fn begin(&mut self) -> Option<(Object, Holder)> {
        let depth = self.around.fields.depth() + 1;
        let object = self.inside.filter(|_| depth <= DEPTH_MAX)?;
        *self.around.objects = self.around.objects.checked_add(1)?;
        Some((object, Holder { depth, id: *self.around.objects }))
    }

    /// Takes in the object that `read` reads.
    fn descend<E>(
        &mut self,
        (object, holder): (Object, Holder),
        read: impl FnOnce(ReadObject<'_, 'de>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ReadObject { fields, objects, memos, .. } = &mut *self.around;
        let mut inner = fields.inside(holder);
        read(ReadObject { fields: &mut inner, object, objects, memos })?;
        fields.merge(inner);
        Ok(())
    }

    /// Reads an object that is written as a string; whether it is one.
    fn read_text(&mut self, text: &str) -> bool {
        let is_message = self.part.is_some_and(|(part, _)| part == Part::Message);
        let like_json = text.starts_with('{') && text.contains('"');
        if !is_message || self.around.fields.depth() > 0 || !like_json {
            return false;
        }
        if nesting::too_deep(text.as_bytes()) {
            return false;
        }
        let Some(begun) = self.begin() else { return false };
        // From a reader nothing is borrowed: the text may be gone before the fields are.
        let mut json = serde_json::Deserializer::from_reader(text.as_bytes());
        self.descend(begun, |object| object.deserialize(&mut json).and_then(|()| json.end()))
            .is_ok()
    }
}

impl<'de> DeserializeSeed<'de> for ReadField<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadField<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.offer(Value::Null);
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.offer(Value::Bool(truth));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.offer(Value::Integer(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.offer(whole(number));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.offer(Value::Float(number));
        Ok(())
    }

    fn visit_borrowed_str<E>(mut self, text: &'de str) -> Result<(), E> {
        if !self.read_text(text) {
            self.offer(Value::Text(Cow::Borrowed(text)));
        }
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        if !self.read_text(text) {
            self.offer(Value::Text(Cow::Owned(text.to_owned())));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        match self.begin() {
            Some(begun) => self.descend(begun, |object| object.visit_map(map))?,
            None => while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {},
        }
        self.offer(Value::Nested);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let only = list.next_element::<Element<'de>>()?;
        let mut is_one = true;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_one = false;
        }
        let only = only.filter(|_| is_one);
        self.offer(only.map_or(Value::Nested, |Element(value)| value));
        Ok(())
    }
}

/// A field's name, if it may be one of ours.
struct FieldName(Option<Name>);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = FieldName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName, E> {
                Ok(FieldName(Name::of(name)))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

fn whole<'a>(number: u64) -> Value<'a> {
    i64::try_from(number).map_or(Value::Float(number as f64), Value::Integer)
}

/// A value in a list.
struct Element<'a>(Value<'a>);

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadElement).map(Element)
    }
}

struct ReadElement;

impl<'de> Visitor<'de> for ReadElement {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(whole(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }
}
