//! gzip to bytes, never more than asked for.
//!
//! libdeflate is twice as fast as anything that streams, but it ignores what follows the first gzip
//! member and does not say how much it read. So data in which a second member could begin goes to
//! flate2 instead, and so does data that libdeflate refuses, to learn why. gzip's own length field is
//! the sender's word: it sizes the first try and is trusted for nothing. Members that are whole before
//! the damage count; zeros or rubbish after the last member are ignored, as gzip(1) does.

use std::io::Read;

use libdeflater::{DecompressionError, Decompressor};
use memchr::memmem;

use crate::limits::{DEFLATE_RATIO_MAX, RECORD_INFLATED_BYTES_MAX};
use crate::problem::Problem;

const MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];

/// Whether data says that it is gzip.
pub(crate) fn is_gzip(data: &[u8]) -> bool {
    data.starts_with(&MAGIC[..2])
}

/// A decompressor and its output, both reused from record to record.
pub(crate) struct Inflater {
    decompressor: Decompressor,
    /// Grows to the largest record seen, at most [`RECORD_INFLATED_BYTES_MAX`], and stays.
    output: Vec<u8>,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater { decompressor: Decompressor::new(), output: Vec::new() }
    }
}

impl Inflater {
    /// What `data` inflates to, and what is wrong with the part that does not.
    pub(crate) fn inflate(&mut self, data: &[u8]) -> (&[u8], Option<Problem>) {
        let several = memmem::find(data.get(1..).unwrap_or_default(), MAGIC).is_some();
        let whole = if several { Err(None) } else { self.one_member(data) };
        let (len, problem) = match whole {
            Ok(len) => (len, None),
            Err(Some(problem)) => (0, Some(problem)),
            Err(None) => self.members(data),
        };
        (&self.output[..len], problem)
    }

    /// The fast way. `Err(None)` where the slow way has to look.
    fn one_member(&mut self, data: &[u8]) -> Result<usize, Option<Problem>> {
        self.grow_to(expected_bytes(data));
        loop {
            match self.decompressor.gzip_decompress(data, &mut self.output) {
                Ok(len) => return Ok(len),
                Err(DecompressionError::BadData) => return Err(None),
                Err(DecompressionError::InsufficientSpace) => {
                    if self.output.len() == RECORD_INFLATED_BYTES_MAX {
                        return Err(Some(Problem::InflateCap));
                    }
                    self.grow_to(self.output.len() * 2);
                }
            }
        }
    }

    /// The slow way: one member after the other, the end of the last whole one kept.
    fn members(&mut self, data: &[u8]) -> (usize, Option<Problem>) {
        let (mut rest, mut whole) = (data, 0);
        loop {
            let mut member = flate2::bufread::GzDecoder::new(rest);
            match self.member(&mut member, whole) {
                Ok(len) => whole = len,
                Err(problem) => return (whole, Some(problem)),
            }
            rest = member.into_inner();
            if !is_gzip(rest) {
                return (whole, None);
            }
        }
    }

    /// Reads one member to its checksum, into the output from `len` on; returns where it ends.
    fn member(&mut self, member: &mut impl Read, mut len: usize) -> Result<usize, Problem> {
        loop {
            if len == self.output.len() && len < RECORD_INFLATED_BYTES_MAX {
                self.grow_to((len * 2).max(1 << 16));
            }
            // At the cap one more byte decides between an end and too much.
            let mut beyond = [0];
            let full = len == self.output.len();
            let space = if full { &mut beyond[..] } else { &mut self.output[len..] };
            match member.read(space) {
                Ok(0) => return Ok(len),
                Ok(_) if full => return Err(Problem::InflateCap),
                Ok(read) => len += read,
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(Problem::GzipTruncated);
                }
                Err(_) => return Err(Problem::GzipCorrupt),
            }
        }
    }

    fn grow_to(&mut self, bytes: usize) {
        let bytes = bytes.min(RECORD_INFLATED_BYTES_MAX);
        if self.output.len() < bytes {
            self.output.resize(bytes, 0);
        }
    }
}

/// The length field at the end of a gzip member (RFC 1952, ISIZE), bounded by what deflate can do.
fn expected_bytes(data: &[u8]) -> usize {
    let said = data.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    said.clamp(1, data.len().saturating_mul(DEFLATE_RATIO_MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn check(data: &[u8], expected: &[u8], problem: Option<Problem>) {
        let mut inflater = Inflater::default();
        // Twice, because the second time the buffer is already large.
        for _ in 0..2 {
            let (bytes, found) = inflater.inflate(data);
            assert_eq!((bytes == expected, found), (true, problem), "{} bytes", bytes.len());
            assert!(inflater.output.len() <= RECORD_INFLATED_BYTES_MAX);
        }
    }

    #[test]
    fn members_are_read_whole_and_rubbish_is_named() {
        let (one, two) = (gzip(b"one"), gzip(&[b'2'; 100_000]));
        check(&one, b"one", None);
        check(&gzip(b""), b"", None);
        check(&[&one[..], &one].concat(), b"oneone", None);
        check(&[&one[..], b"\0\0\0\0"].concat(), b"one", None);
        check(&[&one[..], &two[..two.len() - 1]].concat(), b"one", Some(Problem::GzipTruncated));
        check(&two[..two.len() - 9], b"", Some(Problem::GzipTruncated));
        check(&one[..5], b"", Some(Problem::GzipTruncated));
        check(&[0x1f, 0x8b], b"", Some(Problem::GzipTruncated));
        let mut damaged = two.clone();
        let crc = damaged.len() - 6;
        damaged[crc] ^= 1;
        check(&damaged, b"", Some(Problem::GzipCorrupt));
        check(&[&one[..], &damaged].concat(), b"one", Some(Problem::GzipCorrupt));
    }

    #[test]
    fn the_cap_is_exact_and_holds_whatever_the_length_field_says() {
        let cap = RECORD_INFLATED_BYTES_MAX;
        let full = gzip(&vec![b'a'; cap]);
        check(&full, &vec![b'a'; cap], None);
        check(&gzip(&vec![b'a'; cap + 1]), b"", Some(Problem::InflateCap));
        check(&gzip(&vec![0; cap * 4]), b"", Some(Problem::InflateCap));
        let two = [&gzip(b"x")[..], &full].concat();
        check(&two, b"x", Some(Problem::InflateCap));
        let mut liar = gzip(&vec![b'a'; 100_000]);
        let at = liar.len() - 4;
        liar[at..].copy_from_slice(&[1, 0, 0, 0]);
        check(&liar, b"", Some(Problem::GzipCorrupt));
        liar[at..].copy_from_slice(&[0xff; 4]);
        check(&liar, b"", Some(Problem::GzipCorrupt));
    }

    proptest! {
        #[test]
        fn both_ways_agree(data in proptest::collection::vec(0u8..4, 0..5_000)) {
            let packed = gzip(&data);
            let mut inflater = Inflater::default();
            prop_assert_eq!(inflater.one_member(&packed), Ok(data.len()));
            prop_assert_eq!(&inflater.output[..data.len()], &data[..]);
            prop_assert_eq!(inflater.members(&packed), (data.len(), None));
            prop_assert_eq!(&inflater.output[..data.len()], &data[..]);
        }

        #[test]
        fn anything_is_survived(mut data in any::<Vec<u8>>()) {
            data.splice(0..0, MAGIC.iter().copied());
            Inflater::default().inflate(&data);
        }
    }
}
