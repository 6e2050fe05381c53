//! What a declared format makes of one message.

use std::net::IpAddr;

use tidewatch_core::signal::Auth;

use super::fields::Fields;
use super::json::Json;
use super::{Body, Choice, Declared, Reading, Told};
use crate::format::{Said, endpoint};
use crate::networks::number;
use crate::stamp;
use crate::username::{Names, is_placeholder};
use crate::when::When;

/// How far from its start a line's own time may begin, in bytes: behind a priority, a bracket, a host.
const STAMP_WITHIN_BYTES: usize = 64;

impl Declared {
    /// The first of its readings that fits a message, by its place; to explain.
    pub(crate) fn reading(&self, message: &str, names: &Names) -> Option<usize> {
        self.read(message, &Json::of(message), false, names).map(|(nth, _)| nth)
    }

    /// Whether it has a reading that may fit a message which begins as an object does, and takes it for text.
    pub(super) fn may_read_object_as_text(&self) -> bool {
        self.readings.iter().any(|reading| match &reading.body {
            Body::Text { pattern, .. } => pattern.may_match_object(),
            Body::Pairs(_) => true,
            Body::Json(_) => false,
        })
    }

    /// What the first reading that fits says, and which it is; `None` if none fits. A message that is
    /// `timed` from outside is not searched for a time.
    pub(super) fn read(
        &self,
        message: &str,
        json: &Json<'_>,
        timed: bool,
        names: &Names,
    ) -> Option<(usize, Said)> {
        let said = |reading: &Reading| reading.read(message, json, timed, names);
        self.readings.iter().enumerate().find_map(|(nth, reading)| Some((nth, said(reading)?)))
    }
}

impl Reading {
    fn read(&self, message: &str, json: &Json<'_>, timed: bool, names: &Names) -> Option<Said> {
        let fields = Fields::of(&self.body, message, json)?;
        let outcome = match self.outcome.of(&fields)? {
            Told::Outcome(outcome) => outcome,
            Told::Nothing => return Some(Said::Nothing),
        };
        let is_hidden =
            |name: &str| is_placeholder(name) || self.no_user.iter().any(|glob| glob.fits(name));
        let name = fields.first(&self.user).filter(|name| !is_hidden(name));
        let source = fields.first(&self.source).and_then(|text| self.source(&text));
        let attempts = self.attempts.as_ref().and_then(|name| fields.get(name)?.parse().ok());
        let (when, time_unreadable) =
            if timed { (None, false) } else { self.time(&fields, message) };
        let action = self.action.of(&fields).unwrap_or_default();
        let told = self.user_known.of(&fields);
        let auth = Auth {
            action,
            role: self.role,
            outcome,
            user_known: names.user_known(action, told, outcome, name.as_deref()),
            user: name.map(|name| names.tag(&name)),
            source,
            asn: names.asn(source, fields.first(&self.asn).and_then(|text| number(&text))),
            agent: names.agent(fields.first(&self.agent).as_deref()),
            attempts: attempts.unwrap_or(1).max(1),
        };
        Some(Said::Signal { when, time_unreadable, auth })
    }

    /// The address in a field. Of a list, the last but for those that trusted proxies appended.
    fn source(&self, text: &str) -> Option<IpAddr> {
        if self.proxies == 0 {
            return endpoint(text);
        }
        endpoint(text.rsplit(',').nth(self.proxies)?)
    }

    /// The time of the fields, or at the message's start; and whether there is one that cannot be read.
    fn time(&self, fields: &Fields<'_>, message: &str) -> (Option<When>, bool) {
        if let Some(text) = fields.first(&self.time) {
            let when = match &self.time_as {
                Some(format) => format.read(&text),
                None => stamp::json_text(&text),
            };
            return (when, when.is_none());
        }
        (fields.prefix_time.or_else(|| leading(message)), false)
    }
}

impl<T: Copy> Choice<T> {
    fn of(&self, fields: &Fields<'_>) -> Option<T> {
        match self {
            Choice::Untold => None,
            Choice::Always(told) => Some(*told),
            Choice::By { fields: names, entries, otherwise } => {
                let value = fields.first(names);
                let fits = |globs: &[super::Glob]| {
                    value.as_ref().is_some_and(|value| globs.iter().any(|glob| glob.fits(value)))
                };
                let found = entries.iter().find(|(globs, _)| fits(globs)).map(|(_, told)| *told);
                found.or(*otherwise)
            }
        }
    }
}

/// The first time that begins within a line's first bytes, at the start of a word.
fn leading(message: &str) -> Option<When> {
    let bytes = message.as_bytes();
    let begins = |at: &usize| {
        let first = bytes[*at].is_ascii_digit() || bytes[*at].is_ascii_uppercase();
        first && (*at == 0 || !bytes[*at - 1].is_ascii_alphanumeric())
    };
    let places = (0..bytes.len().min(STAMP_WITHIN_BYTES)).filter(begins);
    places.into_iter().find_map(|at| stamp::leading(&bytes[at..]))
}
