//! Panes, versions and places in logs as bytes, as shares and chronicles hold them. Numbers are as in
//! [`crate::table_store::bytes`].
//!
//! ```text
//! sums: a bit for each field, lowest first; the fields that are not 0
//! pane: sums · buckets: number; each: how far behind the one before, its count
//! versions: number; each: name, minutes from the head (signed)
//! place: 0, or 1 · stream · 0, an id of decimal digits as a number; 1, any other id; or 2, an offset
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event_ring::EventRing;
use crate::invocation::FUNCTION_GROUP;
use crate::limits::EVENT_RING_TAGS;
use crate::meter::durations::{BUCKETS_MAX, Durations};
use crate::meter::ledger::Function;
use crate::meter::panes::Pane;
use crate::meter::sums::{Endings, Sums};
use crate::sequence::Sequence;
use crate::signal::{EventId, LogStream, Origin};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::time::{Span, Time};

/// The longest name of a version, log stream or log event that is kept.
const NAME_BYTES_MAX: usize = 512;

/// Versions by name, with the minute each was first seen in.
pub type Versions = BTreeMap<Box<str>, Time>;

const FIELDS: usize = 19;

fn fields(sums: &Sums) -> [u64; FIELDS] {
    let Sums { reported, mentioned, .. } = sums;
    [
        sums.invocations,
        sums.billed_ms,
        sums.mb_ms,
        u64::from(sums.used_mb_max),
        u64::from(sums.memory_mb_max),
        sums.cold_starts,
        sums.cold_us,
        sums.start_ms,
        sums.start_mb_ms,
        sums.failed,
        sums.failed_ms,
        sums.failed_mb_ms,
        reported.timeouts,
        reported.errors,
        reported.out_of_memory,
        mentioned.timeouts,
        mentioned.errors,
        mentioned.out_of_memory,
        sums.failed_starts,
    ]
}

fn sums_of(fields: [u64; FIELDS]) -> Option<Sums> {
    let endings = |at: usize| Endings {
        timeouts: fields[at],
        errors: fields[at + 1],
        out_of_memory: fields[at + 2],
    };
    Some(Sums {
        invocations: fields[0],
        billed_ms: fields[1],
        mb_ms: fields[2],
        used_mb_max: u16::try_from(fields[3]).ok()?,
        memory_mb_max: u16::try_from(fields[4]).ok()?,
        cold_starts: fields[5],
        cold_us: fields[6],
        start_ms: fields[7],
        start_mb_ms: fields[8],
        failed: fields[9],
        failed_ms: fields[10],
        failed_mb_ms: fields[11],
        reported: endings(12),
        mentioned: endings(15),
        failed_starts: fields[18],
    })
}

pub(super) fn write_sums(out: &mut Writer, sums: &Sums) {
    let fields = fields(sums);
    let there = fields.iter().enumerate().filter(|(_, field)| **field > 0);
    out.number(there.clone().map(|(nth, _)| 1 << nth).sum());
    there.for_each(|(_, field)| out.number(*field));
}

pub(super) fn read_sums(from: &mut Reader<'_>) -> Result<Sums, Unreadable> {
    let there = from.number("sums")?;
    let mut fields = [0; FIELDS];
    for (nth, field) in fields.iter_mut().enumerate() {
        if there >> nth & 1 == 1 {
            // Whatever is added to it stays within 64 bits.
            *field = from.number("sums")?.min(u64::MAX >> 8);
        }
    }
    sums_of(fields).filter(|_| there >> FIELDS == 0).ok_or(Unreadable::Damaged("sums"))
}

pub(super) fn write_pane(out: &mut Writer, pane: &Pane) {
    write_sums(out, &pane.sums);
    write_durations(out, &pane.durations);
}

pub(super) fn write_durations(out: &mut Writer, durations: &Durations) {
    let buckets = durations.buckets();
    out.number(buckets.len() as u64);
    let mut before = 0;
    for (bucket, count) in buckets {
        out.byte(bucket - before);
        out.number(u64::from(*count));
        before = *bucket;
    }
}

pub(super) fn read_pane(from: &mut Reader<'_>) -> Result<Pane, Unreadable> {
    Ok(Pane { sums: read_sums(from)?, durations: read_durations(from)? })
}

pub(super) fn read_durations(from: &mut Reader<'_>) -> Result<Durations, Unreadable> {
    let damaged = || Unreadable::Damaged("durations");
    let (mut buckets, mut bucket) = (Vec::new(), 0u8);
    for _ in 0..from.count(BUCKETS_MAX, "durations")? {
        bucket = bucket.checked_add(from.byte("durations")?).ok_or_else(damaged)?;
        let count = u32::try_from(from.number("durations")?).map_err(|_| damaged())?;
        buckets.push((bucket, count));
    }
    Durations::of_buckets(buckets).ok_or_else(damaged)
}

/// Notes that a version was seen in a minute, and forgets the oldest beyond `most`.
pub(super) fn see(versions: &mut Versions, name: &str, minute: Time, most: usize) {
    let known = versions.entry(name.into()).or_insert(minute);
    *known = minute.min(*known);
    if versions.len() > most {
        let oldest = versions.iter().min_by_key(|(name, first)| (**first, *name));
        if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
            versions.remove(&oldest);
        }
    }
}

/// The minute of a time.
pub(super) fn minute(time: Time) -> Time {
    Time(time.0 - time.0.rem_euclid(Span::minutes(1).0))
}

pub(super) fn write_versions(out: &mut Writer, versions: &Versions, head: Time) {
    out.number(versions.len() as u64);
    for (name, first) in versions {
        out.counted(name.as_bytes());
        out.signed((minute(head).0 - first.0) / Span::minutes(1).0);
    }
}

pub(super) fn read_versions(
    from: &mut Reader<'_>,
    head: Time,
    most: usize,
) -> Result<Versions, Unreadable> {
    let mut versions = Versions::new();
    for _ in 0..from.count(most, "versions")? {
        let name = read_text(from, "version")?;
        let ago = from.signed("version")?.checked_mul(Span::minutes(1).0);
        let first = ago.and_then(|ago| minute(head).0.checked_sub(ago));
        versions.insert(name, first.map(Time).ok_or(Unreadable::Damaged("version"))?);
    }
    Ok(versions)
}

/// Writes what shares of all kinds begin with: the last record that is counted, the newest line, the last events.
pub(super) fn write_head(out: &mut Writer, applied: Sequence, head: Time, events: &EventRing) {
    out.counted(applied.bytes());
    out.signed(head.0);
    let tags = events.tags();
    out.number(tags.len() as u64);
    tags.for_each(|tag| out.bytes.extend_from_slice(&tag.to_be_bytes()[..3]));
}

pub(super) fn read_head(from: &mut Reader<'_>) -> Result<(Sequence, Time, EventRing), Unreadable> {
    let applied = Sequence::from_bytes(from.counted(NAME_BYTES_MAX, "sequence number")?);
    let applied = applied.ok_or(Unreadable::Damaged("sequence number"))?;
    let head = Time(from.signed("newest time")?);
    if !(Time::MIN..Time(i64::MAX / 4)).contains(&head) {
        return Err(Unreadable::Damaged("newest time"));
    }
    let mut events = EventRing::default();
    for _ in 0..from.count(EVENT_RING_TAGS, "event tags")? {
        let [a, b, c] = from.array("event tag")?;
        events.push(u32::from_be_bytes([a, b, c, 0]));
    }
    Ok((applied, head, events))
}

/// A text of a usual length.
pub(super) fn read_text(from: &mut Reader<'_>, what: &'static str) -> Result<Box<str>, Unreadable> {
    let bytes = from.counted(NAME_BYTES_MAX, what)?;
    std::str::from_utf8(bytes).map(Box::from).map_err(|_| Unreadable::Damaged(what))
}

/// Writes where a log event of the function stands; nowhere, if its names are longer than any are.
pub(super) fn write_place(out: &mut Writer, place: Option<&Origin>) {
    let short = |origin: &&Origin| match &origin.id {
        EventId::CloudWatch(id) if id.len() > NAME_BYTES_MAX => false,
        _ => origin.stream.stream.len() <= NAME_BYTES_MAX,
    };
    let Some(origin) = place.filter(short) else { return out.byte(0) };
    out.byte(1);
    out.counted(origin.stream.stream.as_bytes());
    match &origin.id {
        EventId::CloudWatch(id) => match Sequence::parse(id).ok().filter(|n| n.to_string() == **id)
        {
            Some(number) => {
                out.byte(0);
                out.counted(number.bytes());
            }
            None => {
                out.byte(1);
                out.counted(id.as_bytes());
            }
        },
        EventId::Offset(offset) => {
            out.byte(2);
            out.number(*offset);
        }
    }
}

pub(super) fn read_place(
    from: &mut Reader<'_>,
    function: &Function,
) -> Result<Option<Origin>, Unreadable> {
    let damaged = Unreadable::Damaged("place");
    match from.byte("place")? {
        0 => return Ok(None),
        1 => {}
        _ => return Err(damaged),
    }
    let stream = LogStream {
        account: function.account.to_string(),
        group: format!("{FUNCTION_GROUP}{}", function.name),
        stream: read_text(from, "place")?.into(),
    };
    let id = match from.byte("place")? {
        0 => {
            let number = Sequence::from_bytes(from.counted(NAME_BYTES_MAX, "place")?);
            EventId::CloudWatch(number.ok_or(damaged)?.to_string().into())
        }
        1 => EventId::CloudWatch(read_text(from, "place")?),
        2 => EventId::Offset(from.number("place")?),
        _ => return Err(damaged),
    };
    Ok(Some(Origin { stream: Arc::new(stream), id }))
}

/// A number with a fraction, in eight bytes.
pub(super) fn write_f64(out: &mut Writer, number: f64) {
    out.bytes.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn read_f64(from: &mut Reader<'_>, what: &'static str) -> Result<f64, Unreadable> {
    Ok(f64::from_le_bytes(from.array(what)?))
}

/// A pane's number, where panes are.
pub(super) fn read_pane_number(from: &mut Reader<'_>) -> Result<i64, Unreadable> {
    let pane = from.signed("pane")?;
    // Five minutes each, and times have 62 bits.
    if pane.unsigned_abs() < 1 << 40 { Ok(pane) } else { Err(Unreadable::Damaged("pane")) }
}
