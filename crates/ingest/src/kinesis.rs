//! Kinesis events as Lambda receives them, one JSON object a line (AWS, "Process Amazon Kinesis Data
//! Streams records with Lambda": Records of kinesis.data in base64 and kinesis.sequenceNumber), and
//! the records in them.
//!
//! Invariant: a record that cannot be read costs that record. In an event that breaks off, the records
//! before the break are read.

use std::borrow::Cow;

use base64_simd::AsOut;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Ingest;
use crate::batch::{Batch, Buffers, Decoders, Piece, TextBuffers};
use crate::envelope::{raw_string, string_field, text};
use crate::inflate::{Inflater, is_gzip};
use crate::limits::EVENT_INFLATED_BYTES_MAX;
use crate::lines::{InputKind, Shape, Source, shape};
use crate::nesting::{Extent, extent};
use crate::problem::Problem;
use crate::scan::{Scan, Text};
use crate::tally::Place;

/// Where a record's fields lie in the event; `None` is missing or of the wrong type.
#[derive(Debug, Default, PartialEq)]
struct Record {
    data: Option<Text>,
    sequence: Option<Text>,
}

impl Ingest {
    /// Reads an event line. `place` is where it stands.
    pub(crate) fn read_kinesis_event(
        &self,
        line: Piece<'_>,
        place: Place<'_>,
        decoders: &mut Decoders,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let (records, problem) = records(line);
        let inflated_before = batch.tally.bytes_inflated;
        for record in &records {
            batch.tally.records += 1;
            let sequence = record.sequence.as_ref().and_then(|found| text(line, found).ok());
            let sequence = sequence.unwrap_or_default();
            let place =
                if sequence.is_empty() { place } else { Place::Record { sequence: &sequence } };
            let inflated = batch.tally.bytes_inflated - inflated_before;
            match data(line, record, &mut decoders.data) {
                Ok(_) if inflated > EVENT_INFLATED_BYTES_MAX => {
                    batch.tally.reject(Problem::InflateCap, place);
                }
                Ok(len) => {
                    let salt = Some(self.names.naming.key.stream("", "kinesis", &sequence));
                    let Decoders { data, inflater } = decoders;
                    self.read_record(&data[..len], salt, place, inflater, buffers, batch);
                }
                Err(problem) => batch.tally.reject(problem, place),
            }
        }
        if let Some(problem) = problem {
            batch.tally.reject(problem, place);
        }
    }

    /// Reads the data of a record. `salt` starts the tags of its lines, should it hold lines; without
    /// one the payload itself does.
    pub(crate) fn read_record(
        &self,
        data: &[u8],
        salt: Option<u64>,
        place: Place<'_>,
        inflater: &mut Inflater,
        buffers: &mut TextBuffers,
        batch: &mut Batch,
    ) {
        let payload = if is_gzip(data) {
            let (inflated, problem) = inflater.inflate(data);
            batch.tally.bytes_inflated += inflated.len() as u64;
            if let Some(problem) = problem {
                batch.tally.reject(problem, place);
            }
            inflated
        } else {
            data
        };
        let payload = Piece::new(payload);
        if shape(payload.bytes) == Shape::Envelope {
            return self.read_envelopes(payload, place, buffers, batch);
        }
        let salt = salt.unwrap_or_else(|| self.names.naming.key.event(0, payload.bytes).0);
        let source = Source {
            kind: InputKind::Auto,
            stream: &self.kinesis,
            salt,
            offset: 0,
            record: Some(place),
        };
        self.read_lines(payload, &source, None, buffers, batch);
    }

    /// Reads one Kinesis record's data: gzip of envelopes or lines, or the same unpacked.
    ///
    /// A plain line has no id of its own: the record's content names it, so a second delivery of the
    /// record is recognised. `sequence` says where the record stands, for messages; it may be empty.
    pub fn record(&self, data: &[u8], sequence: &str, buffers: &mut Buffers, batch: &mut Batch) {
        batch.tally.records += 1;
        let Buffers { decoders, text } = buffers;
        let place = Place::Record { sequence };
        self.read_record(data, None, place, &mut decoders.inflater, text, batch);
    }
}

/// A record's data out of base64, in the reused buffer; returns its length.
fn data(line: Piece<'_>, record: &Record, buffer: &mut Vec<u8>) -> Result<usize, Problem> {
    let found = record.data.as_ref().ok_or(Problem::KinesisEvent)?;
    let raw = &line.bytes[found.range.clone()];
    // Some encoders escape the slash.
    let base64 = if found.escaped {
        Cow::Owned(text(line, found).map_err(|_| Problem::Base64)?.into_owned().into_bytes())
    } else {
        Cow::Borrowed(raw)
    };
    let room = base64_simd::STANDARD.estimated_decoded_length(base64.len());
    if buffer.len() < room {
        buffer.resize(room, 0);
    }
    let decoded = base64_simd::STANDARD.decode(&base64, buffer.as_mut_slice().as_out());
    decoded.map(|bytes| bytes.len()).map_err(|_| Problem::Base64)
}

/// The event's records, and what is wrong with it.
fn records(line: Piece<'_>) -> (Vec<Record>, Option<Problem>) {
    let mut found = Vec::new();
    if scan_records(line.bytes, &mut found).is_some() {
        return (found, None);
    }
    match (extent(line.bytes, 0), line.text) {
        (Extent::TooDeep, _) => (found, Some(Problem::Nesting)),
        (_, None) => (found, Some(Problem::NotUtf8)),
        (_, Some(json)) => match serde_records(json) {
            Some(all) => (all, None),
            None => (found, Some(Problem::KinesisEvent)),
        },
    }
}

fn scan_records(bytes: &[u8], records: &mut Vec<Record>) -> Option<()> {
    let mut scan = Scan::new(bytes, 0);
    let mut seen = false;
    scan.object(|scan, key| match key {
        b"Records" if seen => None,
        b"Records" => {
            seen = true;
            scan.array(|scan| scan_record(scan).map(|record| records.push(record)))
        }
        _ => scan.skip(),
    })?;
    (seen && scan.peek().is_none()).then_some(())
}

fn scan_record(scan: &mut Scan<'_>) -> Option<Record> {
    let mut record = Record::default();
    if scan.peek() != Some(b'{') {
        return scan.skip().map(|()| record);
    }
    let mut seen = false;
    scan.object(|scan, key| match key {
        b"kinesis" if seen => None,
        b"kinesis" if scan.peek() == Some(b'{') => {
            seen = true;
            scan.object(|scan, key| match key {
                b"data" => string_field(scan, &mut record.data),
                b"sequenceNumber" => string_field(scan, &mut record.sequence),
                _ => scan.skip(),
            })
        }
        _ => scan.skip(),
    })?;
    Some(record)
}

fn serde_records(json: &str) -> Option<Vec<Record>> {
    #[derive(Deserialize)]
    struct Event<'p> {
        #[serde(borrow, rename = "Records")]
        records: Vec<&'p RawValue>,
    }
    #[derive(Deserialize)]
    struct EventRecord<'p> {
        #[serde(borrow)]
        kinesis: &'p RawValue,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'p> {
        #[serde(borrow)]
        data: Option<&'p RawValue>,
        #[serde(borrow)]
        sequence_number: Option<&'p RawValue>,
    }
    let event: Event<'_> = serde_json::from_str(json).ok()?;
    let read = |raw: &RawValue| {
        let record: EventRecord<'_> = serde_json::from_str(raw.get()).ok()?;
        let fields: Fields<'_> = serde_json::from_str(record.kinesis.get()).ok()?;
        let string = |value: Option<&RawValue>| raw_string(json, 0, value?);
        Some(Record { data: string(fields.data), sequence: string(fields.sequence_number) })
    };
    Some(event.records.into_iter().map(|raw| read(raw).unwrap_or_default()).collect())
}

#[cfg(test)]
mod tests;
