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

/// Letters, the commonest in logs first.
const COMMON: &[u8; 26] = b"etaonisrlducmpghfbvykwxjqz";

impl Condition {
    /// Whether the field may be in a message that is an object, as far as its name tells: the last name of
    /// its path stands there, in whatever case. An escape may write any letter, so with one nothing is sure.
    pub(super) fn may_hold(&self, message: &str) -> bool {
        let is_name = |part: &&str| part.parse::<usize>().is_err();
        let name = self.field.rsplit('.').find(is_name).filter(|_| self.field != WHOLE);
        name.is_none_or(|name| stands_in(message, name)) || message.contains("\\u")
    }
}

/// Whether a name stands in a message, in whatever case: it is looked for by its rarest letter.
fn stands_in(message: &str, name: &str) -> bool {
    let (bytes, name) = (message.as_bytes(), name.as_bytes());
    let rank = |byte: &u8| COMMON.iter().position(|c| *c == byte.to_ascii_lowercase());
    let rarest =
        (0..name.len()).max_by_key(|at| rank(&name[*at]).map_or(COMMON.len(), |rank| rank));
    let Some(rarest) = rarest else { return true };
    let letter = name[rarest];
    let stands = |at: usize| {
        let start = at.checked_sub(rarest);
        let there = start.and_then(|start| bytes.get(start..)?.get(..name.len()));
        there.is_some_and(|there| there.eq_ignore_ascii_case(name))
    };
    let (lower, upper) = (letter.to_ascii_lowercase(), letter.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, bytes).any(stands)
}
