//! The fields of one flat JSON object, sorted into the parts they play in an authentication event.
//!
//! One pass over borrowed text, into a fixed struct: this is the hottest code after inflating. Simple
//! objects are read by [`super::flat`], all others here by serde_json. A field's name is compared in lower case and without `_ - . @` and blanks. Invariant:
//! the order of fields in a line never decides. Where several could play a part, the first in its
//! list of names does, but a value that says something (an address, a readable time, a decided outcome)
//! before one that does not; of a name that stands twice, the last counts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use tidewatch_core::signal::Outcome;

use super::address::endpoint;
use super::json_names::{ERROR, EVENT_OF_KIND, Part, USER, part_of};
use super::memo::Memos;
use super::words::Words;
use crate::stamp;
use crate::when::When;

/// How many fields of a line that name the event are looked at.
const EVENTS_MAX: usize = 3;

/// A field's value, as far as it can play a part.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// An object or a list.
    Nested,
}

/// The best value for a part so far.
#[derive(Clone, Debug)]
pub(super) struct Best<T> {
    /// The value, and how good it is: its place in the list, those that say nothing behind all
    /// others.
    best: Option<(u16, T)>,
}

impl<T> Best<T> {
    fn offer(&mut self, place: u8, says: bool, value: T) {
        let penalty = if says { 0 } else { 256 };
        let goodness = u16::from(place) + penalty;
        match &self.best {
            Some((other, _)) if *other % 256 != u16::from(place) && *other < goodness => {}
            _ => self.best = Some((goodness, value)),
        }
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.best.as_ref().map(|(_, value)| value)
    }
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Best { best: None }
    }
}

/// An outcome field: what it says, and its words.
pub(super) struct Told {
    pub(super) outcome: Option<Outcome>,
    pub(super) words: Option<Words>,
}

/// The fields of a line by the part they play.
#[derive(Default)]
pub(super) struct Fields<'a> {
    /// Whether the time is known from outside, so that no field need be read as one.
    timed: bool,
    /// `None` inside: a time that cannot be read.
    pub(super) time: Best<Option<When>>,
    /// `None` inside: a source that is no address.
    pub(super) source: Best<Option<IpAddr>>,
    pub(super) user: Best<Value<'a>>,
    pub(super) outcome: Best<Told>,
    pub(super) passed: Best<bool>,
    pub(super) failed: Best<bool>,
    /// An HTTP status.
    pub(super) status: Best<i64>,
    pub(super) reason: Best<Cow<'a, str>>,
    pub(super) error: Best<Cow<'a, str>>,
    pub(super) message: Best<Cow<'a, str>>,
    events: [Best<Cow<'a, str>>; EVENTS_MAX],
    pub(super) path: Best<Cow<'a, str>>,
    pub(super) method: Best<Cow<'a, str>>,
    pub(super) user_known: Best<bool>,
}

impl<'a> Fields<'a> {
    /// No fields yet, of a line whose time is known from outside if it is `timed`.
    pub(super) fn new(timed: bool) -> Fields<'a> {
        Fields { timed, ..Fields::default() }
    }

    /// Reads the object that is all of `json` into these fields.
    pub(super) fn read(&mut self, json: &'a str, memos: &mut Memos) -> serde_json::Result<()> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        ReadFields { fields: self, memos }.deserialize(&mut deserializer)?;
        deserializer.end()
    }

    /// The fields that name the event, best first, and whether they may name nothing but an event.
    pub(super) fn events(&self) -> impl Iterator<Item = (&str, bool)> {
        let places = self.events.iter().filter_map(|event| event.best.as_ref());
        places.map(|(place, text)| (text.as_ref(), usize::from(*place) < EVENT_OF_KIND))
    }

    /// Whether the user's name stands in a field that says by itself that it is one.
    pub(super) fn has_plain_user(&self) -> bool {
        self.user.best.as_ref().is_some_and(|(place, _)| usize::from(place % 256) < USER.len())
    }

    /// Takes a field in, if its value is better than those before it.
    pub(super) fn offer(&mut self, part: Part, place: u8, value: Value<'a>, memos: &mut Memos) {
        match (part, value) {
            (Part::Time, _) if self.timed => {}
            (Part::Time, value) => self.offer_time(place, &value),
            (Part::Source, value) => {
                let address = if let Value::Text(text) = &value { endpoint(text) } else { None };
                self.source.offer(place, address.is_some(), address);
            }
            (Part::User, Value::Bool(_) | Value::Nested) => {}
            (Part::User, value) => self.user.offer(place, value != Value::Null, value),
            (Part::Outcome, value) => self.offer_outcome(place, &value, memos),
            (Part::Status, Value::Text(text)) if text.parse::<i64>().is_err() => {
                // A code that is a word explains a failure, behind what is called an error.
                self.error.offer(place + ERROR.len() as u8, !text.is_empty(), text);
            }
            (Part::Status, value) => self.offer_status(place, &value),
            (Part::Event, Value::Text(text)) => self.offer_event(place, text),
            (Part::Reason, Value::Text(text)) => self.reason.offer(place, !text.is_empty(), text),
            (Part::Error, Value::Text(text)) => self.error.offer(place, !text.is_empty(), text),
            (Part::Message, Value::Text(text)) => self.message.offer(place, !text.is_empty(), text),
            (Part::Path, Value::Text(text)) => self.path.offer(place, !text.is_empty(), text),
            (Part::Method, Value::Text(text)) => self.method.offer(place, true, text),
            (part, value) => {
                let Some(truth) = truth(&value) else { return };
                match part {
                    Part::Passed => self.passed.offer(place, true, truth),
                    Part::Failed => self.failed.offer(place, true, truth),
                    Part::Known => self.user_known.offer(place, true, truth),
                    // Names that say the opposite come behind all that say it straight.
                    Part::Unknown => self.user_known.offer(place + 128, true, !truth),
                    _ => {}
                }
            }
        }
    }

    fn offer_time(&mut self, place: u8, value: &Value<'a>) {
        let when = match value {
            Value::Null => return,
            Value::Text(text) => stamp::json_text(text),
            Value::Integer(number) => Some(stamp::json_integer(*number)),
            Value::Float(number) => stamp::json_float(*number),
            Value::Bool(_) | Value::Nested => None,
        };
        self.time.offer(place, when.is_some(), when);
    }

    fn offer_outcome(&mut self, place: u8, value: &Value<'a>, memos: &mut Memos) {
        let said = match value {
            Value::Text(text) if text.parse::<i64>().is_ok() => {
                return self.offer_status(place, value);
            }
            Value::Integer(_) => return self.offer_status(place, value),
            Value::Text(text) => {
                let words = memos.words(text);
                Told { outcome: words.outcome(), words: Some(words) }
            }
            Value::Bool(passed) => Told { outcome: Some(passed_or_not(*passed)), words: None },
            Value::Null | Value::Float(_) | Value::Nested => return,
        };
        self.outcome.offer(place, said.outcome.is_some(), said);
    }

    fn offer_status(&mut self, place: u8, value: &Value<'a>) {
        let status = match value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if let Some(status) = status.filter(|status| (100..600).contains(status)) {
            self.status.offer(place, true, status);
        }
    }

    /// Keeps the best few in order.
    fn offer_event(&mut self, place: u8, text: Cow<'a, str>) {
        let mut coming = Best { best: Some((u16::from(place), text)) };
        for slot in &mut self.events {
            let goodness =
                |best: &Best<_>| best.best.as_ref().map_or(u16::MAX, |(place, _)| *place);
            match goodness(&coming).cmp(&goodness(slot)) {
                Ordering::Less => std::mem::swap(slot, &mut coming),
                Ordering::Equal => return *slot = coming,
                Ordering::Greater => {}
            }
        }
    }
}

pub(super) fn passed_or_not(passed: bool) -> Outcome {
    if passed { Outcome::Success } else { Outcome::Failure }
}

/// A truth value, also written as a word or as 0 and 1.
fn truth(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Integer(number @ (0 | 1)) => Some(*number == 1),
        Value::Text(text) => {
            let any = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            match (any(&["true", "yes", "y", "1"]), any(&["false", "no", "n", "0"])) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            }
        }
        _ => None,
    }
}

struct Name(Option<(Part, u8)>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(part_of(name)))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadValue)
    }
}

struct ReadValue;

impl<'de> Visitor<'de> for ReadValue {
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
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
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

/// Reads an object into the fields where they stand: moving them about costs more than many fields.
struct ReadFields<'f, 'de> {
    fields: &'f mut Fields<'de>,
    memos: &'f mut Memos,
}

impl<'de> DeserializeSeed<'de> for ReadFields<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadFields<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(part)) = map.next_key()? {
            match part {
                Some((part, place)) => {
                    self.fields.offer(part, place, map.next_value()?, self.memos)
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
