//! Where the fields of an envelope lie.
//!
//! Finding them is done twice: by the scanner, in any key order and past unknown keys, and by serde where the
//! scanner gives up (an escape in a key, a key twice, an error in the JSON). Both give the same [`Envelope`]; a
//! test holds them together.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::batch::Piece;
use crate::marks::Marks;
use crate::nesting::{Extent, extent};
use crate::problem::Problem;
use crate::scan::{Scan, Text};

/// Where an envelope's fields lie in the payload; `None` is missing or of the wrong type.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope {
    pub(super) message_type: Option<Text>,
    pub(super) owner: Option<Text>,
    pub(super) group: Option<Text>,
    pub(super) stream: Option<Text>,
    /// `None` for an event that lacks a field.
    pub(super) events: Option<Vec<Option<Event>>>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Text,
    pub(crate) timestamp_ms: i64,
    pub(crate) message: Text,
}

/// The envelope at `at` and where it ends; or what is wrong with it and where to go on. `spare` is
/// memory for its events.
pub(super) fn next_envelope(
    payload: Piece<'_>,
    marks: &Marks,
    at: usize,
    spare: &mut Vec<Option<Event>>,
) -> Result<(Envelope, usize), (Problem, usize)> {
    if let Some(found) = scan_envelope(payload.bytes, marks, at, spare) {
        return Ok(found);
    }
    let found = extent(payload.bytes, at);
    let end = match found {
        Extent::Whole(end) => end,
        // Quotes inside a message are escaped, so these bytes stand only where an envelope begins.
        Extent::TooDeep | Extent::Unclosed => {
            memmem::find(&payload.bytes[at + 1..], b"{\"messageType\"")
                .map_or(payload.bytes.len(), |found| at + 1 + found)
        }
    };
    let problem = match (found, payload.part(at..end).text) {
        (Extent::Whole(_), Some(json)) => match serde_envelope(json, at) {
            Some(envelope) => return Ok((envelope, end)),
            None => Problem::Envelope,
        },
        (Extent::TooDeep, _) => Problem::Nesting,
        (_, None) => Problem::NotUtf8,
        (Extent::Unclosed, Some(_)) => Problem::Envelope,
    };
    Err((problem, end))
}

pub(super) fn scan_envelope(
    bytes: &[u8],
    marks: &Marks,
    at: usize,
    spare: &mut Vec<Option<Event>>,
) -> Option<(Envelope, usize)> {
    let mut envelope = Envelope::default();
    let mut scan = Scan::marked(bytes, marks, at);
    scan.object(|scan, key| match key {
        b"messageType" => string_field(scan, &mut envelope.message_type),
        b"owner" => string_field(scan, &mut envelope.owner),
        b"logGroup" => string_field(scan, &mut envelope.group),
        b"logStream" => string_field(scan, &mut envelope.stream),
        b"logEvents" if envelope.events.is_some() => None,
        b"logEvents" if scan.peek() == Some(b'[') => {
            let events = envelope.events.insert(std::mem::take(spare));
            events.clear();
            scan.array(|scan| scan_event(scan).map(|event| events.push(event)))
        }
        _ => scan.skip(),
    })?;
    Some((envelope, scan.at))
}

/// The event under the cursor; the outer `None` is serde's to decide.
fn scan_event(scan: &mut Scan<'_>) -> Option<Option<Event>> {
    if let Some(event) = usual_event(scan) {
        return Some(Some(event));
    }
    if scan.peek() != Some(b'{') {
        return scan.skip().map(|()| None);
    }
    let (mut id, mut timestamp_ms, mut message) = (None, None, None);
    scan.object(|scan, key| match key {
        b"id" if matches!(scan.peek(), Some(b'-' | b'0'..=b'9')) => {
            let start = scan.at;
            scan.integer()?;
            let number = Text { range: start..scan.at, escaped: false };
            id.replace(number).is_none().then_some(())
        }
        b"id" => string_field(scan, &mut id),
        b"timestamp" if matches!(scan.peek(), Some(b'-' | b'0'..=b'9')) => {
            timestamp_ms.replace(scan.integer()?).is_none().then_some(())
        }
        b"message" => string_field(scan, &mut message),
        _ => scan.skip(),
    })?;
    Some(event(id, timestamp_ms, message))
}

/// The event under the cursor if it is laid out as CloudWatch Logs does it, with these fields in this order and
/// nothing between them; else the cursor stays. Its keys need not be told from any others.
#[inline]
fn usual_event(scan: &mut Scan<'_>) -> Option<Event> {
    let start = scan.at;
    let mut read = || {
        scan.literal(b"{\"id\":")?;
        let id = scan.string()?;
        scan.literal(b",\"timestamp\":")?;
        let timestamp_ms = scan.integer()?;
        scan.literal(b",\"message\":")?;
        let message = scan.string()?;
        scan.literal(b"}")?;
        Some(Event { id, timestamp_ms, message })
    };
    let event = read();
    if event.is_none() {
        scan.at = start;
    }
    event
}

fn event(id: Option<Text>, timestamp_ms: Option<i64>, message: Option<Text>) -> Option<Event> {
    Some(Event { id: id?, timestamp_ms: timestamp_ms?, message: message? })
}

/// A field that should be a string; a second one of the name is serde's to judge.
pub(crate) fn string_field(scan: &mut Scan<'_>, field: &mut Option<Text>) -> Option<()> {
    if scan.peek() != Some(b'"') {
        return scan.skip();
    }
    field.replace(scan.string()?).is_none().then_some(())
}

/// The same envelope by serde: `json` is the whole of it and begins at `base` in the payload.
pub(super) fn serde_envelope(json: &str, base: usize) -> Option<Envelope> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'p> {
        #[serde(borrow)]
        message_type: Option<&'p RawValue>,
        #[serde(borrow)]
        owner: Option<&'p RawValue>,
        #[serde(borrow)]
        log_group: Option<&'p RawValue>,
        #[serde(borrow)]
        log_stream: Option<&'p RawValue>,
        #[serde(borrow)]
        log_events: Option<&'p RawValue>,
    }
    #[derive(Deserialize)]
    struct EventFields<'p> {
        #[serde(borrow)]
        id: Option<&'p RawValue>,
        #[serde(borrow)]
        timestamp: Option<&'p RawValue>,
        #[serde(borrow)]
        message: Option<&'p RawValue>,
    }
    let fields: Fields<'_> = serde_json::from_str(json).ok()?;
    let string = |value: Option<&RawValue>| raw_string(json, base, value?);
    let read = |raw: &RawValue| {
        let fields: EventFields<'_> = serde_json::from_str(raw.get()).ok()?;
        let timestamp = fields.timestamp.and_then(|raw| raw.get().parse().ok());
        let id = fields.id.and_then(|raw| match raw.get().parse::<i64>() {
            Ok(_) => Some(raw_text(json, base, raw.get())),
            Err(_) => raw_string(json, base, raw),
        });
        event(id, timestamp, string(fields.message))
    };
    let events = fields.log_events.and_then(|raw| {
        let events: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        Some(events.into_iter().map(read).collect())
    });
    Some(Envelope {
        message_type: string(fields.message_type),
        owner: string(fields.owner),
        group: string(fields.log_group),
        stream: string(fields.log_stream),
        events,
    })
}

/// What lies between the quotes of `value`, a part of `json`, if it is a string.
pub(crate) fn raw_string(json: &str, base: usize, value: &RawValue) -> Option<Text> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    Some(raw_text(json, base, inner))
}

fn raw_text(json: &str, base: usize, part: &str) -> Text {
    let start = base + (part.as_ptr() as usize - json.as_ptr() as usize);
    Text { range: start..start + part.len(), escaped: part.contains('\\') }
}
