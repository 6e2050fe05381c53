//! The known-users filter: whether a name has an account, for logs that do not say so themselves.
//!
//! It is a binary fuse filter (Graf and Lemire, 2022, <https://arxiv.org/abs/2201.01174>) over 64-bit hashes
//! of folded names, keyed by a salt of its own: 2.3 bytes a name, whatever the names are. Every name it was
//! built of is known to it; of all others a small share, which it states, is too. 16 bits a name rather than
//! 8: a list of 100,000 foreign names then has one or two false accounts in it, and not 400.
//!
//! The form of version 1, all numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `TWUSERS` and 0x1a |
//! | 4 | version, 1 |
//! | 1 | folding: 0 exact, 1 folded |
//! | 1 | bits of a fingerprint, 16 |
//! | 2 | zero |
//! | 16 | salt |
//! | 8 | names |
//! | 8 | false-positive rate, IEEE 754 |
//! | 8, 4, 4 | the filter's seed, length of a segment, length of all segments but the last two |
//! | 8 | fingerprints |
//! | 2 each | fingerprints |
//! | 32 | SHA-256 of all before |
//!
//! Invariants: no name is in it, but whoever has it can test a guess; a damaged file is refused whole
//! ([`KnownUsers::parse`]), and no file that is accepted can make a lookup fail.

use sha2::{Digest, Sha256};
use tidewatch_core::tag::TagKey;
use xorf::{BinaryFuse16, Descriptor, Filter};

use crate::username::{Naming, Usernames};

/// Names a filter may have. Building takes 38 bytes a name at the most.
pub const NAMES_MAX: usize = 100_000_000;

/// The share of other names that are known to a filter too: one in 65,536.
pub const FALSE_POSITIVE_RATE: f64 = 1.0 / 65_536.0;

const MAGIC: [u8; 8] = *b"TWUSERS\x1a";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 72;
const CHECKSUM_BYTES: usize = 32;
const FINGERPRINT_BITS: u8 = 16;
const FINGERPRINT_BYTES: usize = 2;

/// Segments are no longer than this (section 4 of the paper).
const SEGMENT_LENGTH_MAX: u32 = 1 << 18;

/// How names become the hashes that a filter holds.
#[derive(Clone, Copy, Debug)]
pub struct Hashing {
    /// Random, so that two filters of the same names cannot be compared.
    pub salt: [u8; 16],
    /// Which spellings are one name.
    pub usernames: Usernames,
}

impl Hashing {
    /// The hash of a raw name.
    pub fn hash(&self, name: &str) -> u64 {
        self.naming().tag(name).0
    }

    fn naming(&self) -> Naming {
        Naming { key: TagKey::new(self.salt), usernames: self.usernames }
    }
}

/// Knows names, as far as a filter can.
#[derive(Clone)]
pub struct KnownUsers {
    hashing: Hashing,
    naming: Naming,
    names: u64,
    rate: f64,
    filter: BinaryFuse16,
}

/// Why there is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is something else.
    #[error("it is no filter of known users{hint}")]
    Foreign {
        /// What it may be, and what to do.
        hint: &'static str,
    },
    /// A later version of the program wrote it.
    #[error(
        "it is a filter of known users in form {version}, and this program reads form {VERSION}: build it \
         again with this version, or use a newer one"
    )]
    Newer {
        /// The version of its form.
        version: u32,
    },
    /// It is not as long as it says.
    #[error(
        "it has {found} bytes instead of {wanted}: it was not copied or written to its end; copy or build it again"
    )]
    Length {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        wanted: u64,
    },
    /// Its checksum does not fit, or it contradicts itself.
    #[error("it is damaged ({why}): copy or build it again")]
    Damaged {
        /// What does not fit.
        why: &'static str,
    },
    /// There is no name to build it of.
    #[error("there is no name to build a filter of")]
    NoNames,
    /// There are too many.
    #[error("there are more than {NAMES_MAX} names")]
    TooMany,
    /// The construction did not come to an end.
    #[error("no filter was found for these names; build it again, it will have another salt")]
    NotFound,
}

impl KnownUsers {
    /// A filter of the names with these hashes; a hash may be there more than once.
    ///
    /// # Errors
    /// If there are none, or too many.
    pub fn build(hashing: Hashing, mut hashes: Vec<u64>) -> Result<KnownUsers, FilterError> {
        hashes.sort_unstable();
        hashes.dedup();
        if hashes.is_empty() {
            return Err(FilterError::NoNames);
        }
        if hashes.len() > NAMES_MAX {
            return Err(FilterError::TooMany);
        }
        let filter =
            BinaryFuse16::try_from(hashes.as_slice()).map_err(|_| FilterError::NotFound)?;
        Ok(KnownUsers {
            hashing,
            naming: hashing.naming(),
            names: hashes.len() as u64,
            rate: FALSE_POSITIVE_RATE,
            filter,
        })
    }

    /// Whether a raw name is one of those it was built of, or one of the few that look like one.
    pub fn knows(&self, name: &str) -> bool {
        self.filter.contains(&self.naming.tag(name).0)
    }

    /// Different names it was built of.
    pub fn names(&self) -> u64 {
        self.names
    }

    /// Which spellings are one name to it.
    pub fn usernames(&self) -> Usernames {
        self.hashing.usernames
    }

    /// The share of other names that it knows too.
    pub fn false_positive_rate(&self) -> f64 {
        self.rate
    }

    /// Its form, as [`KnownUsers::parse`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let BinaryFuse16 { descriptor, fingerprints } = &self.filter;
        let length = HEADER_BYTES + fingerprints.len() * FINGERPRINT_BYTES + CHECKSUM_BYTES;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        let folding = match self.hashing.usernames {
            Usernames::Exact => 0,
            Usernames::Fold => 1,
        };
        bytes.extend([folding, FINGERPRINT_BITS, 0, 0]);
        bytes.extend(self.hashing.salt);
        bytes.extend(self.names.to_le_bytes());
        bytes.extend(self.rate.to_le_bytes());
        bytes.extend(descriptor.seed.to_le_bytes());
        bytes.extend(descriptor.segment_length.to_le_bytes());
        bytes.extend(descriptor.segment_count_length.to_le_bytes());
        bytes.extend((fingerprints.len() as u64).to_le_bytes());
        assert_eq!(bytes.len(), HEADER_BYTES, "the header has the length it is read with");
        fingerprints.iter().for_each(|fingerprint| bytes.extend(fingerprint.to_le_bytes()));
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// The filter in the bytes of a file.
    ///
    /// # Errors
    /// If it is anything else, damaged, or of a later version.
    pub fn parse(bytes: &[u8]) -> Result<KnownUsers, FilterError> {
        let head = &bytes[..bytes.len().min(MAGIC.len())];
        if bytes.is_empty() || !MAGIC.starts_with(head) {
            return Err(FilterError::Foreign { hint: hint(bytes) });
        }
        let length = |wanted: usize| FilterError::Length {
            found: bytes.len() as u64,
            wanted: wanted as u64,
        };
        let mut header = Numbers(bytes.get(MAGIC.len()..).unwrap_or_default());
        let too_short = || length(HEADER_BYTES + CHECKSUM_BYTES);
        let version = header.next().map(u32::from_le_bytes).ok_or_else(too_short)?;
        if version != VERSION {
            return Err(FilterError::Newer { version });
        }
        let header = Header::read(&mut header).ok_or_else(too_short)?;
        let wanted = usize::try_from(header.fingerprints)
            .ok()
            .and_then(|many| many.checked_mul(FINGERPRINT_BYTES))
            .and_then(|many| many.checked_add(HEADER_BYTES + CHECKSUM_BYTES));
        let wanted = wanted.ok_or(FilterError::Damaged { why: "its length cannot be" })?;
        if bytes.len() != wanted {
            return Err(length(wanted));
        }
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
        if Sha256::digest(content).as_slice() != checksum {
            return Err(FilterError::Damaged { why: "its checksum does not fit" });
        }
        header.filter(&content[HEADER_BYTES..])
    }
}

/// Never prints the salt, with which a filter's names could be guessed.
impl std::fmt::Debug for KnownUsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownUsers({} names)", self.names)
    }
}

/// What something that is no filter may be.
fn hint(bytes: &[u8]) -> &'static str {
    let first = &bytes[..bytes.len().min(512)];
    let is_text = first.iter().all(|byte| *byte >= 0x20 || byte.is_ascii_whitespace());
    match first {
        [] => ": it is empty",
        [0x1f, 0x8b, ..] => {
            ": it is gzip; filters are not packed, and from a list `tidewatch users build` makes one"
        }
        _ if is_text => {
            ": it looks like text; from a list of names `tidewatch users build` makes one"
        }
        _ => "",
    }
}

/// Numbers one after the other.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (first, rest) = self.0.split_first_chunk::<BYTES>()?;
        self.0 = rest;
        Some(*first)
    }
}

/// What stands between the version and the fingerprints.
struct Header {
    folding: u8,
    bits: u8,
    zero: [u8; 2],
    salt: [u8; 16],
    names: u64,
    rate: f64,
    seed: u64,
    segment_length: u32,
    segment_count_length: u32,
    fingerprints: u64,
}

impl Header {
    fn read(numbers: &mut Numbers<'_>) -> Option<Header> {
        let [folding, bits] = numbers.next()?;
        Some(Header {
            folding,
            bits,
            zero: numbers.next()?,
            salt: numbers.next()?,
            names: u64::from_le_bytes(numbers.next()?),
            rate: f64::from_le_bytes(numbers.next()?),
            seed: u64::from_le_bytes(numbers.next()?),
            segment_length: u32::from_le_bytes(numbers.next()?),
            segment_count_length: u32::from_le_bytes(numbers.next()?),
            fingerprints: u64::from_le_bytes(numbers.next()?),
        })
    }

    /// The filter with these fingerprints, if every place that a lookup can compute is among them.
    fn filter(self, fingerprints: &[u8]) -> Result<KnownUsers, FilterError> {
        let usernames = match self.folding {
            0 => Usernames::Exact,
            1 => Usernames::Fold,
            _ => return Err(FilterError::Damaged { why: "it folds names in no known way" }),
        };
        let Header { segment_length, segment_count_length, .. } = self;
        let is_segmented = segment_length.is_power_of_two()
            && segment_length <= SEGMENT_LENGTH_MAX
            && segment_count_length > 0
            && segment_count_length.is_multiple_of(segment_length)
            && u64::from(segment_count_length) + 2 * u64::from(segment_length) == self.fingerprints;
        let is_of_names = self.bits == FINGERPRINT_BITS
            && self.zero == [0; 2]
            && self.names > 0
            && self.rate > 0.0
            && self.rate < 1.0;
        if !(is_segmented && is_of_names) {
            return Err(FilterError::Damaged { why: "its numbers contradict each other" });
        }
        let descriptor = Descriptor {
            seed: self.seed,
            segment_length,
            segment_length_mask: segment_length - 1,
            segment_count_length,
        };
        let pairs = fingerprints.chunks_exact(FINGERPRINT_BYTES);
        let fingerprints = pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let filter = BinaryFuse16 { descriptor, fingerprints };
        let hashing = Hashing { salt: self.salt, usernames };
        let (naming, names, rate) = (hashing.naming(), self.names, self.rate);
        Ok(KnownUsers { hashing, naming, names, rate, filter })
    }
}

#[cfg(test)]
mod tests;
