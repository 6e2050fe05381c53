//! Where the quotes and the escapes of JSON bytes are, as bit sets, found in one vectorised pass.
//!
//! JSON that is logged as a string has an escaped quote every six bytes or so. Hopping from one to the
//! next costs more than inflating them did; with a bit for each byte the end of a string is the next
//! bit set. The pass is the first stage of simdjson (Langdale and Lemire, "Parsing gigabytes of JSON
//! per second", 2019, section 3.1.1).

use std::ops::Range;

use wide::u8x16;

/// The marks of some bytes; the memory is reused.
#[derive(Default)]
pub(crate) struct Marks {
    /// A bit for each quote that is not escaped.
    quotes: Vec<u64>,
    /// A bit for each backslash that escapes the byte after it.
    escapes: Vec<u64>,
}

impl Marks {
    /// Marks `bytes`, forgetting what was marked before.
    pub(crate) fn mark(&mut self, bytes: &[u8]) {
        self.quotes.clear();
        self.escapes.clear();
        let words = bytes.len().div_ceil(64);
        self.quotes.reserve(words);
        self.escapes.reserve(words);
        let mut carry = 0;
        let (blocks, rest) = bytes.as_chunks::<64>();
        for block in blocks {
            self.mark_block(block, &mut carry);
        }
        if !rest.is_empty() {
            let mut block = [0; 64];
            block[..rest.len()].copy_from_slice(rest);
            self.mark_block(&block, &mut carry);
        }
    }

    #[inline]
    fn mark_block(&mut self, block: &[u8; 64], carry: &mut u64) {
        let backslashes = positions(block, b'\\');
        let (escaped, escapes) = escaped(backslashes, carry);
        self.quotes.push(positions(block, b'"') & !escaped);
        self.escapes.push(escapes);
    }

    /// The first quote at or after `at`.
    #[inline]
    pub(crate) fn quote_from(&self, at: usize) -> Option<usize> {
        let first = at / 64;
        let head = self.quotes.get(first)? >> (at % 64);
        if head != 0 {
            return Some(at + head.trailing_zeros() as usize);
        }
        let rest = self.quotes.get(first + 1..)?;
        let (word, bits) = rest.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        Some((first + 1 + word) * 64 + bits.trailing_zeros() as usize)
    }

    /// Whether an escape begins in a range of the bytes.
    #[inline]
    pub(crate) fn any_escape(&self, range: Range<usize>) -> bool {
        let (first, last) = (range.start / 64, range.end / 64);
        let head = self.escapes.get(first).map_or(0, |bits| bits >> (range.start % 64));
        if first == last {
            return head & ((1 << (range.end - range.start)) - 1) != 0;
        }
        let tail = self.escapes.get(last).map_or(0, |bits| bits & ((1 << (range.end % 64)) - 1));
        let words = self.escapes.len();
        let middle = self.escapes.get(first + 1..last.min(words)).unwrap_or_default();
        head != 0 || tail != 0 || middle.iter().any(|bits| *bits != 0)
    }

    /// The escapes that begin in a range of the bytes, 64 at a time: where each set begins, and the set.
    #[inline]
    pub(crate) fn escapes_in(&self, range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
        let words = range.start / 64..range.end.div_ceil(64);
        words.map(move |word| {
            let at = word * 64;
            let below = range.start.saturating_sub(at);
            let above = (at + 64).saturating_sub(range.end);
            let bits = self.escapes.get(word).copied().unwrap_or(0);
            // Neither shift reaches 64: an empty range has no words or is cut to nothing by both.
            (at, (bits >> below << below) << above >> above)
        })
    }
}

/// A bit for each byte of the block that is `byte`.
#[inline]
fn positions(block: &[u8; 64], byte: u8) -> u64 {
    let (vectors, _) = block.as_chunks::<16>();
    let mut bits = 0;
    for (index, vector) in vectors.iter().enumerate() {
        let equal = u8x16::new(*vector).simd_eq(u8x16::splat(byte)).to_bitmask();
        bits |= u64::from(equal) << (index * 16);
    }
    bits
}

/// Which bytes are escaped, and which backslashes escape. `carry` is 1 if the block's first byte is
/// escaped. Runs of backslashes are told odd from even by carrying through them in one subtraction.
#[inline]
fn escaped(backslashes: u64, carry: &mut u64) -> (u64, u64) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    let first = *carry;
    if backslashes == 0 {
        *carry = 0;
        return (first, 0);
    }
    let may_escape = backslashes & !first;
    let ends = ((may_escape << 1) | ODD).wrapping_sub(may_escape) ^ ODD;
    let escapes = ends & backslashes;
    *carry = escapes >> 63;
    (ends ^ (backslashes | first), escapes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_walk_byte_by_byte_finds_the_same(
            bytes in proptest::collection::vec(
                prop_oneof![3 => Just(b'\\'), 1 => Just(b'"'), 1 => any::<u8>()], 0..300),
            start in 0..310usize, end in 0..310usize)
        {
            let mut marks = Marks::default();
            marks.mark(b"\\\"something before\\");
            marks.mark(&bytes);
            let (mut quotes, mut escapes, mut at) = (vec![], vec![], 0);
            while at < bytes.len() {
                match bytes[at] {
                    b'\\' => { escapes.push(at); at += 2; continue }
                    b'"' => quotes.push(at),
                    _ => {}
                }
                at += 1;
            }
            let next = quotes.into_iter().find(|quote| *quote >= start);
            prop_assert_eq!(marks.quote_from(start), next);
            escapes.retain(|at| (start..end).contains(at));
            let found: Vec<usize> = marks
                .escapes_in(start..end)
                .flat_map(|(at, bits)| (0..64).filter(move |b| bits >> b & 1 == 1).map(move |b| at + b))
                .collect();
            if start <= end {
                prop_assert_eq!(marks.any_escape(start..end), !escapes.is_empty());
            }
            prop_assert_eq!(found, escapes);
        }
    }
}
