//! Lines of a local input, or of a record that holds plain lines: what each is, and what it says.
//!
//! A line is recognised by its content alone, each by itself, so an input may be cut at any line end
//! and mixed at will. A JSON line is an envelope or a Kinesis event only by its TOP-LEVEL keys: an
//! attacker can put any word into a logged body, but not there. A record's lines never open records
//! again, or a record inside itself would never end.

use std::sync::Arc;

use memchr::memmem;
use tidewatch_core::access::Access;
use tidewatch_core::signal::{EventId, LogStream, Origin};

use crate::batch::{Batch, Buffers, Decoders, Piece, TextBuffers};
use crate::format::{self, Memos, Said};
use crate::limits::{EVENT_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX};
use crate::needles::Hits;
use crate::nesting::too_deep;
use crate::problem::Problem;
use crate::scan::Scan;
use crate::stamp;
use crate::survey::{Sayings, Survey, Surveyed};
use crate::tail;
use crate::tally::Place;
use crate::when::{Civil, When};
use crate::{Ingest, Nets};

/// Keys, quotes included, without one of which no line is an envelope or a Kinesis event.
pub(crate) const EVENT_KEYS: [&str; 3] = ["\"Records\"", "\"messageType\"", "\"logEvents\""];

/// What an input's lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Whatever each line looks like.
    Auto,
    /// syslog or JSON log lines.
    Lines,
    /// What `aws logs tail` prints with `--format detailed` or `short`.
    AwsTail,
    /// CloudWatch Logs envelopes, one or several a line.
    Envelopes,
    /// Lambda's Kinesis events, one a line.
    KinesisEvents,
}

impl InputKind {
    /// All of them.
    pub const ALL: [InputKind; 5] = [
        InputKind::Auto,
        InputKind::Lines,
        InputKind::AwsTail,
        InputKind::Envelopes,
        InputKind::KinesisEvents,
    ];

    /// The name, as `--input` takes it.
    pub fn name(self) -> &'static str {
        match self {
            InputKind::Auto => "auto",
            InputKind::Lines => "lines",
            InputKind::AwsTail => "aws-tail",
            InputKind::Envelopes => "envelopes",
            InputKind::KinesisEvents => "kinesis-events",
        }
    }
}

/// Not the name of an input kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownInputKind;

impl std::fmt::Display for UnknownInputKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "not an input kind; use one of {}",
            InputKind::ALL.map(InputKind::name).join(", ")
        )
    }
}

impl std::error::Error for UnknownInputKind {}

impl std::str::FromStr for InputKind {
    type Err = UnknownInputKind;

    fn from_str(name: &str) -> Result<InputKind, UnknownInputKind> {
        InputKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownInputKind)
    }
}

/// Where lines come from.
pub(crate) struct Source<'a> {
    pub(crate) kind: InputKind,
    pub(crate) stream: &'a Arc<LogStream>,
    /// What the tags of the lines start from.
    pub(crate) salt: u64,
    /// Of the first byte, in the input or in the record.
    pub(crate) offset: u64,
    /// The record that the lines stand in, if they do.
    pub(crate) record: Option<Place<'a>>,
}

/// Who asked for something, and the time that the message itself gives.
type Asked = (Access, Option<When>);

/// One line, without its line end.
struct Line<'l> {
    piece: Piece<'l>,
    offset: u64,
    /// Whether it holds a needle or an event key.
    promising: bool,
}

/// What a JSON line is by its top-level keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Envelope,
    KinesisEvent,
    Other,
}

impl Ingest {
    /// Reads complete lines of a local input; the last may lack its line end. `offset` is where the
    /// chunk begins in the input, after decompression.
    pub fn lines(
        &self,
        kind: InputKind,
        chunk: &[u8],
        offset: u64,
        stream: &Arc<LogStream>,
        buffers: &mut Buffers,
        batch: &mut Batch,
    ) {
        let salt = self.names.naming.key.stream("", "", &stream.stream);
        let source = Source { kind, stream, salt, offset, record: None };
        let Buffers { decoders, text } = buffers;
        self.read_lines(Piece::new(chunk), &source, Some(decoders), text, batch);
    }

    /// The same, for any source. Without `decoders` Kinesis events are not opened.
    pub(crate) fn read_lines(
        &self,
        chunk: Piece<'_>,
        source: &Source<'_>,
        mut decoders: Option<&mut Decoders>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let mut hits = Hits::new(&self.line_needles, chunk.bytes);
        let mut start = 0;
        while start < chunk.bytes.len() {
            let found = memchr::memchr(b'\n', &chunk.bytes[start..]);
            let end = found.map_or(chunk.bytes.len(), |len| start + len);
            let content = start..end - usize::from(chunk.bytes[start..end].ends_with(b"\r"));
            if !chunk.bytes[content.clone()].iter().all(u8::is_ascii_whitespace) {
                let promising = hits.any_in(start, end);
                let offset = source.offset + start as u64;
                let line = Line { piece: chunk.part(content), offset, promising };
                self.read_line(&line, source, decoders.as_deref_mut(), buffers, batch);
            }
            start = end + 1;
        }
    }

    fn read_line(
        &self,
        line: &Line<'_>,
        source: &Source<'_>,
        decoders: Option<&mut Decoders>,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let place = place(line, source);
        let bytes = line.piece.bytes;
        if batch.first_civil.is_none() {
            batch.first_civil = civil_at_start(bytes);
        }
        let shape = if line.promising && self.event_keys.find(bytes, 0).is_some() {
            shape(bytes)
        } else {
            Shape::Other
        };
        match (shape, source.kind, decoders) {
            (Shape::Envelope | Shape::KinesisEvent, InputKind::Auto, _)
            | (Shape::Envelope, InputKind::Envelopes, _)
            | (Shape::KinesisEvent, InputKind::KinesisEvents, _)
                if bytes.len() > EVENT_LINE_BYTES_MAX =>
            {
                batch.tally.reject(Problem::EventTooLong, place);
            }
            (Shape::Envelope, InputKind::Auto | InputKind::Envelopes, _) => {
                self.read_envelopes(line.piece, place, buffers, batch);
            }
            (Shape::KinesisEvent, InputKind::Auto | InputKind::KinesisEvents, Some(decoders)) => {
                self.read_kinesis_event(line.piece, place, decoders, buffers, batch);
            }
            (Shape::Other, InputKind::Auto | InputKind::Lines, _)
            | (Shape::KinesisEvent, InputKind::Auto, None)
            | (_, InputKind::AwsTail, _) => {
                batch.tally.lines += 1;
                if batch.survey.is_some() {
                    return self.survey_line(line, source, &mut buffers.memos, batch);
                }
                if let Err(problem) = self.read_log_line(line, source, &mut buffers.memos, batch) {
                    batch.tally.reject(problem, place);
                }
            }
            _ => {
                batch.tally.lines += 1;
                batch.tally.reject(Problem::WrongKind, place);
            }
        }
    }

    fn read_log_line(
        &self,
        line: &Line<'_>,
        source: &Source<'_>,
        memos: &mut Memos,
        batch: &mut Batch,
    ) -> Result<(), Problem> {
        let text = line.text()?;
        let tails = matches!(source.kind, InputKind::Auto | InputKind::AwsTail);
        let asks = self.asks(line.piece.bytes);
        let looks = line.promising || asks;
        let split = if tails && (looks || source.kind == InputKind::AwsTail) {
            tail::split(text)
        } else {
            None
        };
        if source.kind == InputKind::AwsTail && split.is_none() {
            return Err(Problem::WrongKind);
        }
        if asks {
            self.ask_in_line(text, split.as_ref(), line.offset, source, batch);
        }
        if !line.promising {
            return Ok(());
        }
        let (said, time, log_stream) = match &split {
            Some(tail) => {
                let ((said, _), time, log_stream) = self.heard_in_tail(tail, memos);
                (said, time, log_stream)
            }
            None => {
                let said = self.said_in_line(text, memos);
                let said = said.unwrap_or_else(|| self.said(text, "", (false, Nets::Too), memos));
                (said, None, None)
            }
        };
        batch.accept(said, time, place(line, source), &self.formats, || {
            let event = self.names.naming.key.event(source.salt, &line.offset.to_be_bytes());
            let named = log_stream.map(|stream| {
                Arc::new(LogStream { stream: stream.to_owned(), ..LogStream::clone(source.stream) })
            });
            let stream = named.unwrap_or_else(|| Arc::clone(source.stream));
            (event, Origin { stream, id: EventId::Offset(line.offset) })
        });
        Ok(())
    }

    /// Takes in who asked for something, if a line says so.
    fn ask_in_line(
        &self,
        text: &str,
        tail: Option<&tail::Tail<'_>>,
        offset: u64,
        source: &Source<'_>,
        batch: &mut Batch,
    ) {
        if let Some((access, time)) = self.access_in_line(text, tail) {
            let place =
                source.record.unwrap_or(Place::Line { input: &source.stream.stream, offset });
            batch.ask(access, time, place, || {
                let event = self.names.naming.key.event(source.salt, &offset.to_be_bytes());
                let stream = Arc::clone(source.stream);
                (event, Origin { stream, id: EventId::Offset(offset) })
            });
        }
    }

    /// Who asked for something, as a line says, and when.
    fn access_in_line(
        &self,
        text: &str,
        tail: Option<&tail::Tail<'_>>,
    ) -> Option<(Asked, Option<When>)> {
        let read = |message| format::read_access(message, "", &self.names);
        let readings = tail.into_iter().flat_map(|tail| tail.readings());
        let tailed = readings.filter_map(|reading| Some((read(reading.message)?, reading.time)));
        let found = tailed.into_iter().find(|(_, time)| time.is_some());
        found.or_else(|| Some((read(text)?, None)))
    }

    /// What the likeliest reading of a tailed line says, and which format says so, with its time and log stream. A reading that
    /// says something goes before one that a format could not make sense of.
    fn heard_in_tail<'l>(
        &self,
        tail: &tail::Tail<'l>,
        memos: &mut Memos,
    ) -> ((Said, Option<&str>), Option<When>, Option<&'l str>) {
        let mut unreadable = Said::Nothing;
        // The nets would take any reading, so they are asked when nothing else makes sense of one.
        let rounds = [Nets::Not, Nets::Too];
        for (nets, reading) in rounds.iter().flat_map(|n| tail.readings().map(move |r| (*n, r))) {
            let place = ("", (reading.time.is_some(), nets));
            let (said, by) = self.heard(reading.message, place.0, place.1, &self.names, memos);
            match said {
                Said::Nothing => {}
                Said::Unreadable(_) | Said::PassedOver(_) => {
                    if matches!(unreadable, Said::Nothing) {
                        unreadable = said;
                    }
                }
                _ => return ((said, by), reading.time, reading.log_stream),
            }
        }
        ((unreadable, None), None, None)
    }

    /// Takes a line down in the survey.
    fn survey_line(
        &self,
        line: &Line<'_>,
        source: &Source<'_>,
        memos: &mut Memos,
        batch: &mut Batch,
    ) {
        let name = Surveyed { account: "", name: &source.stream.stream, is_log_group: false };
        let origin =
            || Origin { stream: Arc::clone(source.stream), id: EventId::Offset(line.offset) };
        let found = |survey: &mut Survey| {
            let text = line.text()?;
            let split = tail::split(text);
            let (heard, time) = match &split {
                _ if !line.promising => ((Said::Nothing, None), None),
                Some(tail) => {
                    let (heard, time, _) = self.heard_in_tail(tail, memos);
                    (heard, time)
                }
                None => (self.heard(text, "", (false, Nets::Too), &self.names, memos), None),
            };
            let message = split.iter().flat_map(|tail| tail.readings()).next();
            let message = message.map_or(text, |reading| reading.message);
            let said = Sayings {
                heard,
                is_timed: time.is_some(),
                asks: || self.access_in_line(text, split.as_ref()).is_some(),
                lacks_outcome: line.promising && format::lacks_outcome(message, memos),
            };
            Ok(self.facts(survey, text, said, origin))
        };
        self.survey(name, found, place(line, source), batch);
    }
}

impl<'l> Line<'l> {
    /// The line as text, if it can be read at all.
    fn text(&self) -> Result<&'l str, Problem> {
        if self.piece.bytes.len() > LOG_LINE_BYTES_MAX {
            return Err(Problem::LineTooLong);
        }
        let text = self.piece.text.ok_or(Problem::NotUtf8)?;
        if too_deep(text.as_bytes()) { Err(Problem::Nesting) } else { Ok(text) }
    }
}

fn place<'a>(line: &Line<'_>, source: &Source<'a>) -> Place<'a> {
    source.record.unwrap_or(Place::Line { input: &source.stream.stream, offset: line.offset })
}

/// The stamp at the start of a line, if it lacks a year or a zone.
fn civil_at_start(line: &[u8]) -> Option<Civil> {
    match line.first()? {
        b'A'..=b'Z' => stamp::syslog(line).map(|(civil, _)| civil),
        b'0'..=b'9' => match stamp::rfc3339(line)? {
            (When::Civil(civil), _) => Some(civil),
            (When::At(_), _) => None,
        },
        _ => None,
    }
}

/// What JSON is by its top-level keys. It may break off: the first key that decides is enough.
pub(crate) fn shape(json: &[u8]) -> Shape {
    let mut shape = Shape::Other;
    let mut scan = Scan::new(json, 0);
    // An answer ends the scan, as an error would.
    let _ = scan.object(|scan, key| {
        let opens_array = scan.peek() == Some(b'[');
        match key {
            // CloudTrail's files have records too, but none of Kinesis.
            b"Records" if opens_array && memmem::find(json, b"\"kinesis\"").is_some() => {
                shape = Shape::KinesisEvent;
            }
            b"logEvents" if opens_array => shape = Shape::Envelope,
            b"messageType" if scan.peek() == Some(b'"') => {
                let value = scan.string()?;
                if matches!(&json[value.range], b"DATA_MESSAGE" | b"CONTROL_MESSAGE") {
                    shape = Shape::Envelope;
                }
                return (shape == Shape::Other).then_some(());
            }
            _ => return scan.skip(),
        }
        None
    });
    shape
}

#[cfg(test)]
mod tests;
