//! CloudWatch Logs envelopes: what a subscription filter puts into a Kinesis record (AWS, "Log group
//! level subscription filters": messageType, owner, logGroup, logStream, subscriptionFilters,
//! logEvents of id, timestamp, message).
//!
//! Where its fields lie is found by [`places`]. Only messages that hold a needle are read, and only those of
//! them unescaped that cannot be read as they stand.
//!
//! Invariant: an event that cannot be read costs that event, an envelope that cannot be read costs that
//! envelope, and what stands around either is read.

use std::borrow::Cow;
use std::sync::Arc;

use tidewatch_core::signal::{EventId, LogStream, Origin};
use tidewatch_core::time::Time;

use crate::batch::{Batch, Piece, TextBuffers};
use crate::format::{self, Said};
use crate::limits::DAMAGED_ENVELOPES_MAX;
use crate::marks::Marks;
use crate::needles::Hits;
use crate::problem::Problem;
use crate::scan::{Scan, Text};
use crate::survey::{Sayings, Survey, Surveyed};
use crate::tally::Place;
use crate::unescape::unescape;
use crate::when::When;
use crate::{Ingest, Nets};

use places::{Envelope, next_envelope};
pub(crate) use places::{Event, raw_string, string_field};

mod places;

/// An envelope's names, and what its signals share.
struct Header<'p> {
    group: Cow<'p, str>,
    stream: Cow<'p, str>,
    log_stream: Arc<LogStream>,
    salt: u64,
}

impl Ingest {
    /// Reads a payload of one or several envelopes. `place` is where the payload stands.
    pub(crate) fn read_envelopes(
        &self,
        payload: Piece<'_>,
        place: Place<'_>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        // One walk over the whole payload, so that many small envelopes do not search it many times.
        let mut hits = Hits::new(&self.needles, payload.bytes);
        buffers.marks.mark(payload.bytes);
        let mut damaged = 0;
        let mut at = 0;
        while Scan::new(payload.bytes, at).peek().is_some() && damaged < DAMAGED_ENVELOPES_MAX {
            match next_envelope(payload, &buffers.marks, at, &mut buffers.events) {
                Ok((envelope, end)) => {
                    at = end;
                    match header(payload, &envelope, &self.names.naming.key) {
                        Ok(None) => batch.tally.control_messages += 1,
                        Ok(Some(header)) if self.is_own(&header) => {
                            batch.tally.own_envelopes += 1;
                            buffers.events = envelope.events.unwrap_or_default();
                        }
                        Ok(Some(header)) => {
                            batch.tally.envelopes += 1;
                            let events = envelope.events.unwrap_or_default();
                            self.read_events(payload, &header, &events, &mut hits, buffers, batch);
                            buffers.events = events;
                        }
                        Err(problem) => batch.tally.reject(problem, place),
                    }
                }
                Err((problem, resume)) => {
                    batch.tally.reject(problem, place);
                    damaged += 1;
                    at = resume;
                }
            }
        }
    }

    fn is_own(&self, header: &Header<'_>) -> bool {
        let own = self.own_group.as_ref();
        own.is_some_and(|own| own.name == header.group && own.account == header.log_stream.account)
    }

    fn read_events(
        &self,
        payload: Piece<'_>,
        header: &Header<'_>,
        events: &[Option<Event>],
        hits: &mut Hits<'_>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let (group, stream) = (&*header.group, &*header.stream);
        let at_sight = batch.survey.is_none() && self.reads_at_sight(group);
        for (index, event) in events.iter().enumerate() {
            batch.tally.lines += 1;
            let unnamed = Place::Unnamed { group, stream, index };
            let Some(event) = event else {
                batch.tally.reject(Problem::Envelope, unnamed);
                continue;
            };
            if batch.survey.is_some() {
                let promising = hits.any_in(event.message.range.start, event.message.range.end);
                self.survey_event((payload, event, promising), header, unnamed, buffers, batch);
                continue;
            }
            if at_sight && let Some(said) = self.read_at_sight(payload, event, hits, buffers) {
                self.accept(Ok(said), (payload, event), header, unnamed, batch);
                continue;
            }
            let message = &payload.bytes[event.message.range.clone()];
            if self.asks(message) || self.asks_whose(group, message) {
                self.ask_in_event(payload, (event, index), header, buffers, batch);
            }
            // In a payload that is not UTF-8 every event is looked at, else only the promising.
            let promising = hits.any_in(event.message.range.start, event.message.range.end);
            if !promising && payload.text.is_some() {
                continue;
            }
            let said = self.said_in_event(payload, event, group, buffers, promising);
            self.accept(said, (payload, event), header, unnamed, batch);
        }
    }

    /// Takes in what an event says.
    #[inline]
    fn accept(
        &self,
        said: Result<Said, Problem>,
        (payload, event): (Piece<'_>, &Event),
        header: &Header<'_>,
        unnamed: Place<'_>,
        batch: &mut Batch,
    ) {
        let (id, said) = match (text(payload, &event.id), said) {
            (Ok(id), Ok(said)) => (id, said),
            (Err(problem), _) | (_, Err(problem)) => return batch.tally.reject(problem, unnamed),
        };
        let time = When::At(Time(event.timestamp_ms));
        let place = Place::Event { group: &header.group, stream: &header.stream, id: &id };
        batch.accept(said, Some(time), place, &self.formats, || {
            let origin = Origin {
                stream: Arc::clone(&header.log_stream),
                id: EventId::CloudWatch(Box::from(&*id)),
            };
            (self.names.naming.key.event(header.salt, id.as_bytes()), origin)
        });
    }
}

impl Ingest {
    /// Takes in who asked for something, if an event says so.
    fn ask_in_event(
        &self,
        payload: Piece<'_>,
        (event, index): (&Event, usize),
        header: &Header<'_>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let place = Place::Unnamed { group: &header.group, stream: &header.stream, index };
        let TextBuffers { marks, message, .. } = buffers;
        let message = event.text(payload, marks, message).ok();
        let access = message.and_then(|text| format::read_access(text, &header.group, &self.names));
        if let (Some(access), Ok(id)) = (access, text(payload, &event.id)) {
            let time = When::At(Time(event.timestamp_ms));
            batch.ask(access, Some(time), place, || {
                let origin = Origin {
                    stream: Arc::clone(&header.log_stream),
                    id: EventId::CloudWatch(Box::from(&*id)),
                };
                (self.names.naming.key.event(header.salt, id.as_bytes()), origin)
            });
        }
    }

    /// What an event says: nothing if it is not promising, but even then it has to be text.
    fn said_in_event(
        &self,
        payload: Piece<'_>,
        event: &Event,
        log_group: &str,
        buffers: &mut TextBuffers,
        promising: bool,
    ) -> Result<Said, Problem> {
        let range = event.message.range.clone();
        if self.hears_invocations
            && promising
            && let Some(raw) = payload.text.and_then(|text| text.get(range.clone()))
            && let Some(said) = format::read_escaped_report(raw, log_group, &self.names)
        {
            return Ok(said);
        }
        if let Some(raw) = payload.text.and_then(|text| text.get(range.clone()))
            && promising
            && event.message.escaped
            && let Some(said) = self.said_escaped(raw, buffers)
        {
            return Ok(said);
        }
        let message = event.text(payload, &buffers.marks, &mut buffers.message)?;
        if !promising {
            return Ok(Said::Nothing);
        }
        Ok(self.said(
            message.trim_end_matches(['\r', '\n']),
            log_group,
            (true, Nets::Too),
            &mut buffers.memos,
        ))
    }
}

impl Ingest {
    /// Takes an event down in the survey; `promising` is whether it holds a needle.
    fn survey_event(
        &self,
        (payload, event, promising): (Piece<'_>, &Event, bool),
        header: &Header<'_>,
        place: Place<'_>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let account = &*header.log_stream.account;
        let name = Surveyed { account, name: &header.group, is_log_group: true };
        let TextBuffers { marks, message, memos, .. } = buffers;
        let found = |survey: &mut Survey| {
            let message = event.text(payload, marks, message)?.trim_end_matches(['\r', '\n']);
            let heard = match promising {
                true => self.heard(message, &header.group, (true, Nets::Too), &self.names, memos),
                false => (Said::Nothing, None),
            };
            let said = Sayings {
                heard,
                is_timed: true,
                asks: || format::read_access(message, &header.group, &self.names).is_some(),
                lacks_outcome: promising && format::lacks_outcome(message, memos),
            };
            Ok(self.facts(survey, message, said, || {
                let id = text(payload, &event.id).unwrap_or_default();
                let stream = Arc::clone(&header.log_stream);
                Origin { stream, id: EventId::CloudWatch(Box::from(&*id)) }
            }))
        };
        self.survey(name, found, place, batch);
    }
}

impl Event {
    /// The message, unescaped.
    fn text<'p>(
        &self,
        payload: Piece<'p>,
        marks: &Marks,
        buffer: &'p mut Vec<u8>,
    ) -> Result<&'p str, Problem> {
        let range = self.message.range.clone();
        match self.message.escaped {
            true => unescape(payload.bytes, range, marks, buffer),
            false => payload.part(range).text.ok_or(Problem::NotUtf8),
        }
    }
}

/// The names of a data envelope, `None` for a control message.
fn header<'p>(
    payload: Piece<'p>,
    envelope: &Envelope,
    key: &tidewatch_core::tag::TagKey,
) -> Result<Option<Header<'p>>, Problem> {
    let field = |field: &Option<Text>| text(payload, field.as_ref().ok_or(Problem::Envelope)?);
    match &*field(&envelope.message_type)? {
        "CONTROL_MESSAGE" => return Ok(None),
        "DATA_MESSAGE" if envelope.events.is_some() => {}
        _ => return Err(Problem::Envelope),
    }
    let (owner, group, stream) =
        (field(&envelope.owner)?, field(&envelope.group)?, field(&envelope.stream)?);
    let salt = key.stream(&owner, &group, &stream);
    let log_stream = Arc::new(LogStream {
        account: owner.into_owned(),
        group: group.clone().into_owned(),
        stream: stream.clone().into_owned(),
    });
    Ok(Some(Header { group, stream, log_stream, salt }))
}

/// A short string of the payload, owned if it had to be unescaped.
pub(crate) fn text<'p>(payload: Piece<'p>, text: &Text) -> Result<Cow<'p, str>, Problem> {
    if text.escaped {
        let mut marks = Marks::default();
        let raw = &payload.bytes[text.range.clone()];
        marks.mark(raw);
        let text = unescape(raw, 0..raw.len(), &marks, &mut Vec::new())?.to_owned();
        return Ok(Cow::Owned(text));
    }
    payload.part(text.range.clone()).text.map(Cow::Borrowed).ok_or(Problem::NotUtf8)
}

#[cfg(test)]
mod tests;
