//! The fields of one JSON object, sorted into the parts they play in an authentication event.
//!
//! Borrowed text into a fixed struct: this is the hottest code after inflating. Simple objects are read by
//! [`super::flat`], all others by [`super::json_object`]. A field's name is compared in lower case and
//! without `_ - . @` and blanks. Objects inside each other are read one by one and then merged, so that
//! each value knows how deep it stands and in which object.
//!
//! Invariant: the order of fields in a line never decides. Where several could play a part, a value that
//! says something (an address, a readable time, a decided outcome) comes before one that does not, then
//! outer before inner, then the first in its list of names; a name that stands twice in one object, or in two
//! equally deep, and says different things says nothing.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use tidewatch_core::signal::Outcome;

use super::address::endpoint;
use super::json_names::{ERROR, EVENT_OF_KIND, Part, USER};
use super::memo::Memos;
use super::words::Words;
use crate::networks::number;
use crate::stamp;
use crate::when::When;

/// How many fields of a line that name the event are looked at: as many as the Elastic Common Schema has.
const EVENTS_MAX: usize = 4;

/// A field's value, as far as it can play a part.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// An object, or a list of more than one value.
    Nested,
}

/// In which of a line's objects a field stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holder {
    /// How many objects are around it.
    pub(super) depth: u8,
    /// Tells objects of one line apart.
    pub(super) id: u8,
}

/// In which objects of one depth a value stands: in several, where all of them say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holders {
    /// How many objects are around it.
    pub(super) depth: u8,
    /// Bits of the objects, of which the first 64 of a line have one.
    objects: u64,
}

impl Holders {
    /// Whether one object holds both values.
    pub(super) fn meet(self, other: Holders) -> bool {
        self.depth == other.depth && self.objects & other.objects != 0
    }
}

impl Holder {
    fn bit(self) -> u64 {
        1u64.checked_shl(u32::from(self.id)).unwrap_or(0)
    }
}

/// The best value for a part so far.
#[derive(Clone, Debug)]
pub(super) struct Best<T> {
    best: Option<Held<T>>,
}

#[derive(Clone, Debug)]
struct Held<T> {
    /// How good it is: whether it says nothing, how deep it stands, its place in the list of names.
    rank: u16,
    /// Bits of the objects it stands in.
    holders: u64,
    /// Whether another object as deep says something else.
    is_torn: bool,
    value: T,
}

/// Of a rank: that the value says nothing.
const SAYS_NOTHING: u16 = 0x8000;

impl<T: PartialEq> Best<T> {
    /// Takes a value of an object in.
    fn offer(&mut self, holder: Holder, place: u8, says: bool, value: T) {
        let silent = if says { 0 } else { SAYS_NOTHING };
        let rank = silent | u16::from(holder.depth) << 8 | u16::from(place);
        match &self.best {
            Some(held) if held.rank < rank => {}
            // The same name in the same object: whoever writes JSON by a template, without escaping, lets a
            // username add fields. Neither counts where they differ.
            Some(held) if held.holders == holder.bit() && held.rank == rank => {
                let is_torn = held.is_torn || held.value != value;
                self.best = Some(Held { rank, holders: holder.bit(), is_torn, value });
            }
            _ => {
                self.best = Some(Held { rank, holders: holder.bit(), is_torn: false, value });
            }
        }
    }

    /// Takes in what an object inside this one says.
    fn merge(&mut self, inner: Best<T>) {
        let Some(inner) = inner.best else { return };
        let Some(held) = &mut self.best else { return self.best = Some(inner) };
        match (held.rank >> 8).cmp(&(inner.rank >> 8)) {
            Ordering::Less => {}
            Ordering::Greater => *held = inner,
            Ordering::Equal => {
                let differ = held.value != inner.value || inner.is_torn;
                held.is_torn |= differ && held.rank < SAYS_NOTHING;
                match inner.rank.cmp(&held.rank) {
                    Ordering::Less => *held = Held { is_torn: held.is_torn, ..inner },
                    // Said in both.
                    Ordering::Equal => held.holders |= inner.holders,
                    Ordering::Greater => {}
                }
            }
        }
    }
}

impl<T> Best<T> {
    pub(super) fn get(&self) -> Option<&T> {
        self.best.as_ref().filter(|held| !held.is_torn).map(|held| &held.value)
    }

    /// Where the value stands.
    pub(super) fn holders(&self) -> Option<Holders> {
        let held = self.best.as_ref()?;
        Some(Holders { depth: (held.rank >> 8 & 0x7f) as u8, objects: held.holders })
    }
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Best { best: None }
    }
}

/// An outcome field: what it says, and its words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) outcome: Option<Outcome>,
    pub(super) words: Option<Words>,
}

/// A text that names the event.
pub(super) struct Event<'f> {
    pub(super) text: &'f str,
    /// How deep it stands.
    pub(super) depth: u8,
    /// Whether its field names nothing but events.
    pub(super) names_only_events: bool,
}

/// The fields of a line by the part they play.
#[derive(Default)]
pub(super) struct Fields<'a> {
    /// Whether the time is known from outside, so that no field need be read as one.
    timed: bool,
    /// The object they stand in.
    holder: Holder,
    /// How deep the deepest object is that was merged.
    pub(super) deepest: u8,
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
    pub(super) agent: Best<Cow<'a, str>>,
    /// `None` inside: what is no autonomous system.
    pub(super) asn: Best<Option<u32>>,
    pub(super) user_known: Best<bool>,
}

impl<'a> Fields<'a> {
    /// No fields yet, of a line whose time is known from outside if it is `timed`.
    pub(super) fn new(timed: bool) -> Fields<'a> {
        Fields { timed, ..Fields::default() }
    }

    /// No fields yet, of an object inside.
    pub(super) fn inside(&self, holder: Holder) -> Fields<'a> {
        Fields { timed: self.timed, holder, ..Fields::default() }
    }

    /// How many objects are around these fields.
    pub(super) fn depth(&self) -> u8 {
        self.holder.depth
    }

    /// Takes in the fields of an object inside this one, after all of them were read.
    pub(super) fn merge(&mut self, inner: Fields<'a>) {
        self.deepest = self.deepest.max(inner.deepest).max(inner.holder.depth);
        self.time.merge(inner.time);
        self.source.merge(inner.source);
        self.user.merge(inner.user);
        self.outcome.merge(inner.outcome);
        self.passed.merge(inner.passed);
        self.failed.merge(inner.failed);
        self.status.merge(inner.status);
        self.reason.merge(inner.reason);
        self.error.merge(inner.error);
        self.message.merge(inner.message);
        self.path.merge(inner.path);
        self.method.merge(inner.method);
        self.agent.merge(inner.agent);
        self.asn.merge(inner.asn);
        self.user_known.merge(inner.user_known);
        for event in inner.events.into_iter().filter_map(|event| event.best) {
            self.keep_event(event, |known, coming| known.value.cmp(&coming.value));
        }
    }

    /// The fields that name the event, best first.
    pub(super) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let held = self.events.iter().filter_map(|event| event.best.as_ref());
        held.filter(|held| !held.is_torn).map(|held| Event {
            text: held.value.as_ref(),
            depth: (held.rank >> 8) as u8,
            names_only_events: usize::from(held.rank % 256) < EVENT_OF_KIND,
        })
    }

    /// Whether the user's name stands in a field that says by itself that it is one.
    pub(super) fn has_plain_user(&self) -> bool {
        self.user.best.as_ref().is_some_and(|held| usize::from(held.rank % 256) < USER.len())
    }

    /// Takes a field in, if its value is better than those before it.
    pub(super) fn offer(&mut self, part: Part, place: u8, value: Value<'a>, memos: &mut Memos) {
        let holder = self.holder;
        match (part, value) {
            (Part::Time, _) if self.timed => {}
            (Part::Time, value) => self.offer_time(place, &value),
            (Part::Source, value) => {
                let address = if let Value::Text(text) = &value { endpoint(text) } else { None };
                self.source.offer(holder, place, address.is_some(), address);
            }
            (Part::User, Value::Bool(_) | Value::Nested) => {}
            (Part::User, value) => self.user.offer(holder, place, value != Value::Null, value),
            (Part::Outcome, value) => self.offer_outcome(place, &value, memos),
            (Part::Status, Value::Text(text)) if text.parse::<i64>().is_err() => {
                // A code that is a word explains a failure, behind what is called an error.
                self.error.offer(holder, place + ERROR.len() as u8, !text.is_empty(), text);
            }
            (Part::Status, value) => self.offer_status(place, &value),
            (Part::Event, Value::Text(text)) => self.offer_event(place, text),
            (Part::Reason, Value::Text(text)) => {
                self.reason.offer(holder, place, !text.is_empty(), text)
            }
            (Part::Error, Value::Text(text)) => {
                // The type of most errors only says that it is one.
                let says = !text.is_empty() && !text.eq_ignore_ascii_case("error");
                self.error.offer(holder, place, says, text)
            }
            (Part::Message, Value::Text(text)) => {
                self.message.offer(holder, place, !text.is_empty(), text)
            }
            (Part::Path, Value::Text(text)) => {
                self.path.offer(holder, place, !text.is_empty(), text)
            }
            (Part::Method, Value::Text(text)) => self.method.offer(holder, place, true, text),
            (Part::Agent, Value::Text(text)) => {
                self.agent.offer(holder, place, !text.is_empty(), text)
            }
            (Part::Asn, value) => {
                let system = match &value {
                    Value::Text(text) => number(text),
                    Value::Integer(number) => u32::try_from(*number).ok().filter(|asn| *asn != 0),
                    _ => None,
                };
                self.asn.offer(holder, place, system.is_some(), system);
            }
            (part, value) => {
                let Some(truth) = truth(&value) else { return };
                match part {
                    Part::Passed => self.passed.offer(holder, place, true, truth),
                    Part::Failed => self.failed.offer(holder, place, true, truth),
                    Part::Known => self.user_known.offer(holder, place, true, truth),
                    // Names that say the opposite come behind all that say it straight.
                    Part::Unknown => self.user_known.offer(holder, place + 128, true, !truth),
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
        self.time.offer(self.holder, place, when.is_some(), when);
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
        self.outcome.offer(self.holder, place, said.outcome.is_some(), said);
    }

    fn offer_status(&mut self, place: u8, value: &Value<'a>) {
        let status = match value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        if let Some(status) = status.filter(|status| (100..600).contains(status)) {
            self.status.offer(self.holder, place, true, status);
        }
    }

    fn offer_event(&mut self, place: u8, text: Cow<'a, str>) {
        let rank = u16::from(self.holder.depth) << 8 | u16::from(place);
        let event = Held { rank, holders: self.holder.bit(), is_torn: false, value: text };
        self.keep_event(event, |_, _| Ordering::Equal);
    }

    /// Keeps the best few in order; `tie` orders what is equally good, and what is equal is replaced.
    fn keep_event(
        &mut self,
        event: Held<Cow<'a, str>>,
        tie: impl Fn(&Held<Cow<'a, str>>, &Held<Cow<'a, str>>) -> Ordering,
    ) {
        let mut coming = Some(event);
        for slot in &mut self.events {
            let (Some(event), Some(held)) = (&coming, &slot.best) else {
                if slot.best.is_none() {
                    slot.best = coming;
                }
                return;
            };
            match held.rank.cmp(&event.rank).then_with(|| tie(held, event)) {
                Ordering::Less => {}
                // The same name again: neither counts where they differ.
                Ordering::Equal => {
                    let is_torn = held.is_torn || held.value != event.value;
                    return slot.best = coming.map(|event| Held { is_torn, ..event });
                }
                Ordering::Greater => std::mem::swap(&mut slot.best, &mut coming),
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
