//! The fields of one message, whatever they were taken from.

use std::borrow::Cow;

use serde_json::Value;

use super::json::{self, Json};
use super::pairs::pairs;
use super::{Body, Condition};
use crate::when::When;

/// The name of the field that is the whole message.
pub const WHOLE: &str = "$";

/// Fields by name, and the time that stood before them.
pub(super) struct Fields<'m> {
    message: &'m str,
    of: Of<'m>,
    /// Of Lambda's prefix.
    pub(super) prefix_time: Option<When>,
}

enum Of<'m> {
    Named(Vec<(&'m str, &'m str)>),
    Json(&'m Value),
}

impl<'m> Fields<'m> {
    /// The fields that `body` takes from `message`, which is `json` if it is an object; `None` if it does not fit.
    pub(super) fn of(body: &'m Body, message: &'m str, json: &'m Json<'m>) -> Option<Fields<'m>> {
        let (fields, conditions) = match body {
            Body::Text { pattern, also } => {
                let mut named = pattern.take(message)?;
                for pattern in also {
                    named.extend(pattern.take(message).unwrap_or_default());
                }
                (Fields { message, of: Of::Named(named), prefix_time: None }, &[][..])
            }
            Body::Pairs(conditions) => {
                let of = Of::Named(pairs(message).collect());
                (Fields { message, of, prefix_time: None }, &conditions[..])
            }
            Body::Json(conditions) => {
                // Most objects that some word claims lack the names: they need not be taken apart.
                if !conditions.iter().all(|condition| condition.may_hold(message)) {
                    return None;
                }
                let (prefix_time, value) = json.get()?;
                (Fields { message, of: Of::Json(value), prefix_time }, &conditions[..])
            }
        };
        conditions.iter().all(|condition| fields.hold(condition)).then_some(fields)
    }

    fn hold(&self, condition: &Condition) -> bool {
        self.get(&condition.field).is_some_and(|value| {
            condition.values.is_empty() || condition.values.iter().any(|glob| glob.fits(&value))
        })
    }

    /// A field's value as text; `None` where it is not there, is null, an object or a list, or stands
    /// twice with different values.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if name == WHOLE {
            return Some(Cow::Borrowed(self.message));
        }
        match &self.of {
            Of::Named(named) => {
                let mut values = named.iter().filter(|(known, _)| *known == name);
                let (_, value) = values.next()?;
                values.all(|(_, other)| other == value).then_some(Cow::Borrowed(*value))
            }
            Of::Json(value) => json::at(value, name),
        }
    }

    /// The first of `names` that is there.
    pub(super) fn first(&self, names: &[String]) -> Option<Cow<'_, str>> {
        names.iter().find_map(|name| self.get(name))
    }
}

impl Condition {
    /// Whether the field may be in a message that is an object, as far as its name tells: the last name of
    /// its path stands there, in whatever case. An escape may write any letter, so with one nothing is sure.
    pub(super) fn may_hold(&self, message: &str) -> bool {
        let is_name = |part: &&str| part.parse::<usize>().is_err();
        let name = self.field.rsplit('.').find(is_name).filter(|_| self.field != WHOLE);
        let stands = |name: &str| {
            let Some((first, rest)) = name.as_bytes().split_first() else { return true };
            let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
            memchr::memchr2_iter(lower, upper, message.as_bytes()).any(|at| {
                let next = message.as_bytes()[at + 1..].get(..rest.len());
                next.is_some_and(|next| next.eq_ignore_ascii_case(rest))
            })
        };
        name.is_none_or(stands) || message.contains("\\u")
    }
}
