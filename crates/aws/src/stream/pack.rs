//! Log lines as a subscription of CloudWatch Logs would deliver them: gzipped envelopes, each of one log
//! stream, cut and named so that the same lines always make the same records.
//!
//! That is what lets a feed be ended at any moment and gone on with: a record that may have been taken
//! already is put again under the same name with the same events, and whoever reads knows it for a copy,
//! `tidewatch watch` by the name and the deployed function by the ids of the events. So nothing here depends
//! on a clock: where blocks end is decided by the lines alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::iter::Peekable;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidewatch_core::time::{Span, Time};

use super::{Entry, RECORD_BYTES_MAX};

/// How the partition keys of fed records begin.
const FED: &str = "tidewatch-feed";

/// Lines of a block, at most.
pub const BLOCK_LINES_MAX: usize = 1_000;

/// Bytes of a block's messages, at most; but a line that is longer is a block.
pub const BLOCK_BYTES_MAX: usize = 512 << 10;

/// Bytes of an envelope before it is gzipped. gzip adds some bytes to what cannot be made smaller, and the
/// partition key counts too: with this much room left the record fits whatever is in it.
const ENVELOPE_BYTES_MAX: usize = RECORD_BYTES_MAX - 4_096;

/// Records that a block may make of one log stream, so that numbers of records are apart.
const BLOCK_RECORDS_MAX: u64 = 4_096;

const _: () = assert!(BLOCK_LINES_MAX < BLOCK_RECORDS_MAX as usize);

/// A line of a log, to be put on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub time: Time,
    /// The log group it is said to stand in.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// The text.
    pub message: String,
}

/// Lines that are put, and taken note of, together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which of its input, from 1.
    pub number: u64,
    /// How many lines of the input came before.
    pub lines_before: u64,
    /// At least one.
    pub lines: Vec<LogLine>,
}

/// Where blocks end, besides at [`BLOCK_LINES_MAX`] and [`BLOCK_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Lines of a block at most.
    pub lines_max: usize,
    /// How far apart the times of its lines may be; `None` for any distance.
    pub span: Option<Span>,
}

/// The lines of one input, a block at a time.
#[derive(Debug)]
pub struct Blocks<I: Iterator<Item = LogLine>> {
    lines: Peekable<I>,
    cut: Cut,
    blocks: u64,
    taken: u64,
}

impl<I: Iterator<Item = LogLine>> Blocks<I> {
    /// Cuts `lines`.
    pub fn new(lines: I, cut: Cut) -> Blocks<I> {
        Blocks { lines: lines.peekable(), cut, blocks: 0, taken: 0 }
    }
}

impl<I: Iterator<Item = LogLine>> Iterator for Blocks<I> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let first = self.lines.next()?;
        let (begun, mut bytes) = (first.time, first.message.len());
        let lines_max = self.cut.lines_max.clamp(1, BLOCK_LINES_MAX);
        let span = self.cut.span.map(|span| span.0);
        let mut lines = vec![first];
        while lines.len() < lines_max {
            let fits = |line: &LogLine| {
                let apart = line.time.0.abs_diff(begun.0);
                bytes + line.message.len() <= BLOCK_BYTES_MAX
                    && span.is_none_or(|span| apart < span.unsigned_abs())
            };
            let Some(line) = self.lines.next_if(fits) else { break };
            bytes += line.message.len();
            lines.push(line);
        }
        self.blocks += 1;
        let lines_before = self.taken;
        self.taken += lines.len() as u64;
        Some(Block { number: self.blocks, lines_before, lines })
    }
}

/// Whose lines they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The account's number that envelopes name as the owner.
    pub owner: String,
    /// Names the feed among all others; the same when one is gone on with.
    pub run: u64,
    /// Which of its inputs.
    pub input: u32,
}

/// What was made of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// In the order of their lines; those of one log stream have one hash key and rising numbers.
    pub entries: Vec<Entry>,
    /// Which lines of the input, from 1, are too long for a record, and were left out.
    pub too_long: Vec<u64>,
}

impl Feed {
    /// The records of `block`.
    pub fn pack(&self, block: &Block) -> Packed {
        let mut by_stream: BTreeMap<(&str, &str), Vec<(u64, &LogLine)>> = BTreeMap::new();
        for (nth, line) in block.lines.iter().enumerate() {
            let stream = by_stream.entry((&line.group, &line.stream)).or_default();
            stream.push((block.lines_before + nth as u64 + 1, line));
        }
        let mut packed = Packed::default();
        for ((group, stream), lines) in by_stream {
            let name = StreamName::of(group, stream);
            let mut number = (block.number - 1) * BLOCK_RECORDS_MAX + 1;
            let mut rest = lines.as_slice();
            while !rest.is_empty() {
                let (events, taken) = self.events(rest);
                let nth = rest[0].0;
                rest = &rest[taken..];
                let data = gzip(&self.envelope(group, stream, events));
                let partition_key =
                    format!("{FED}/{:016x}-{}-{}/{number}", self.run, self.input, name.short);
                if data.len() + partition_key.len() > RECORD_BYTES_MAX {
                    packed.too_long.push(nth);
                    continue;
                }
                packed.entries.push(Entry { partition_key, hash_key: name.hash_key, data });
                number += 1;
            }
        }
        packed
    }

    /// As many of `lines` as an envelope has room for, at least one.
    fn events(&self, lines: &[(u64, &LogLine)]) -> (Vec<Value>, usize) {
        let mut bytes = 0;
        let mut events = Vec::new();
        for (nth, line) in lines {
            let event = json!({
                "id": self.event_id(*nth), "timestamp": line.time.0, "message": line.message,
            });
            bytes += event.to_string().len() + 1;
            if bytes > ENVELOPE_BYTES_MAX && !events.is_empty() {
                break;
            }
            events.push(event);
        }
        let taken = events.len();
        (events, taken)
    }

    /// 56 digits, as CloudWatch's: which feed, which of its inputs, which line.
    fn event_id(&self, nth: u64) -> String {
        format!("{:020}{:06}{nth:030}", self.run, self.input)
    }

    fn envelope(&self, group: &str, stream: &str, events: Vec<Value>) -> String {
        let owner = serde_json::to_string(&self.owner).unwrap_or_default();
        let (group, stream) = (Value::from(group), Value::from(stream));
        // The fields in the order in which CloudWatch Logs writes them.
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":{owner},"logGroup":{group},"logStream":{stream},"subscriptionFilters":["{FED}"],"logEvents":{}}}"#,
            Value::from(events)
        )
    }
}

/// A log stream by a hash of its name.
struct StreamName {
    hash_key: u128,
    short: String,
}

impl StreamName {
    fn of(group: &str, stream: &str) -> StreamName {
        let hash = Sha256::new().chain_update(group).chain_update([0]).chain_update(stream);
        let hash = hash.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        let hash_key = u128::from_be_bytes(first);
        StreamName { hash_key, short: format!("{:016x}", hash_key >> 64) }
    }
}

/// The partition key of a fed record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FedName<'n> {
    /// Names feed, input and log stream.
    pub(super) stream: &'n str,
    /// Which record of it; from 1, and rising.
    pub(super) number: u64,
}

impl<'n> FedName<'n> {
    pub(super) fn parse(partition_key: &'n str) -> Option<FedName<'n>> {
        let rest = partition_key.strip_prefix(FED)?.strip_prefix('/')?;
        let (stream, number) = rest.split_once('/')?;
        Some(FedName { stream, number: number.parse().ok()? })
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::new(6));
    // Writing into memory cannot fail.
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    const FEED: Feed = Feed { owner: String::new(), run: 7, input: 1 };

    fn line(ms: i64, stream: &str, message: &str) -> LogLine {
        let (group, stream) = ("/aws/lambda/login".to_owned(), stream.to_owned());
        LogLine { time: Time(ms), group, stream, message: message.to_owned() }
    }

    fn envelope(entry: &Entry) -> Value {
        let mut text = String::new();
        GzDecoder::new(&entry.data[..]).read_to_string(&mut text).expect("gzip of text");
        serde_json::from_str(&text).expect("JSON")
    }

    fn cut(lines: &[LogLine], lines_max: usize, span: Option<Span>) -> Vec<usize> {
        let blocks = Blocks::new(lines.iter().cloned(), Cut { lines_max, span });
        let blocks: Vec<Block> = blocks.collect();
        let mut before = 0;
        for (nth, block) in blocks.iter().enumerate() {
            assert_eq!((block.number, block.lines_before), (nth as u64 + 1, before));
            before += block.lines.len() as u64;
        }
        assert_eq!(before as usize, lines.len());
        blocks.iter().map(|block| block.lines.len()).collect()
    }

    #[test]
    fn blocks_end_where_the_lines_say() {
        let lines: Vec<LogLine> = (0..2_500).map(|n| line(n * 10, "a", "x")).collect();
        assert_eq!(cut(&lines, usize::MAX, None), [1_000, 1_000, 500]);
        assert_eq!(cut(&lines[..7], 3, None), [3, 3, 1]);
        assert_eq!(cut(&lines[..250], usize::MAX, Some(Span(1_000))), [100, 100, 50]);
        // A clock that steps back begins a block as well.
        let back = [line(5_000, "a", "x"), line(0, "a", "x"), line(0, "a", "x")];
        assert_eq!(cut(&back, usize::MAX, Some(Span(1_000))), [1, 2]);
        let long = "y".repeat(BLOCK_BYTES_MAX / 2);
        let long: Vec<LogLine> = (0..3).map(|_| line(0, "a", &long)).collect();
        assert_eq!(cut(&long, usize::MAX, None), [2, 1]);
        assert!(cut(&[], 1, None).is_empty());
    }

    #[test]
    fn a_block_is_an_envelope_for_each_log_stream() {
        let lines = vec![line(1, "a", "one"), line(2, "b", "tw\"o"), line(3, "a", "three")];
        let block = Block { number: 3, lines_before: 40, lines };
        let feed = Feed { owner: "123456789012".to_owned(), ..FEED };
        let packed = feed.pack(&block);
        assert_eq!(packed, feed.pack(&block), "the same lines make the same records");
        assert!(packed.too_long.is_empty());
        let [a, b] = packed.entries.as_slice() else { panic!("{packed:?}") };
        assert_ne!(a.hash_key, b.hash_key);
        let told = envelope(a);
        assert_eq!(told["owner"], "123456789012");
        assert_eq!(told["logGroup"], "/aws/lambda/login");
        assert_eq!(told["logStream"], "a");
        let events = told["logEvents"].as_array().expect("events");
        let shown: Vec<(&Value, &Value)> =
            events.iter().map(|event| (&event["timestamp"], &event["message"])).collect();
        assert_eq!(shown, [(&json!(1), &json!("one")), (&json!(3), &json!("three"))]);
        let id = events[1]["id"].as_str().expect("an id");
        assert_eq!((id.len(), &id[54..]), (56, "43"), "the 43rd line");
        let name = FedName::parse(&a.partition_key).expect("a name of ours");
        assert_eq!(name.number, 2 * BLOCK_RECORDS_MAX + 1);
        assert_ne!(name.stream, FedName::parse(&b.partition_key).expect("too").stream);
    }

    #[test]
    fn what_does_not_fit_a_record_makes_several_and_a_line_that_never_fits_is_named() {
        // Control characters take six bytes each in JSON.
        let wide = "\u{1}".repeat(120 << 10);
        let mut state = 1u64;
        let noise: String = (0..(3 << 20))
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b' ' + (state >> 58) as u8)
            })
            .collect();
        let lines = vec![line(1, "a", &wide), line(2, "a", &wide), line(3, "a", &noise)];
        let packed = FEED.pack(&Block { number: 1, lines_before: 0, lines });
        assert_eq!(packed.too_long, [3]);
        let numbers = packed.entries.iter().map(|entry| {
            assert!(entry.data.len() + entry.partition_key.len() <= RECORD_BYTES_MAX);
            FedName::parse(&entry.partition_key).expect("a name of ours").number
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2]);
    }
}
