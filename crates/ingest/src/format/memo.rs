//! What was found out about short texts, for the few that stand on nearly every line: the names of
//! fields, and words like `login_success`.
//!
//! A text of up to 32 bytes is compared as four machine words, with no call and no loop, which is
//! several times cheaper than finding out again. Invariant: only answers of pure functions are kept, so
//! what a line says does not depend on the lines before it, and a text that pushes another out of its
//! slot costs only time. Which formats are asked about is part of the question: of others all answers are
//! forgotten.

use std::sync::Arc;

use super::json_auth::NEEDLES;
use super::json_names::{Part, part_of};
use super::words::Words;
use crate::declared::{Asked, FieldSet};

/// How many texts are kept of each kind; a power of two.
const SLOTS: usize = 256;
const SHORT_BYTES_MAX: usize = 32;

/// How many of an object's names are kept in their order.
const ROW: usize = 16;
/// The longest name that is, in bytes, with its quotes and its colon.
const WRITTEN_BYTES_MAX: usize = 32;

/// Answers kept from line to line.
#[derive(Default)]
pub(crate) struct Memos {
    names: Memo<FieldName>,
    words: Memo<Words>,
    /// Of the formats that all but `words` is about.
    asked: Arc<Asked>,
    /// Fields of an object that no reading of these formats may fit.
    unfit: Option<FieldSet>,
    /// The names of the last object, in its order: the next one has mostly the same. Those of the last that was
    /// still escaped stand by themselves, as they are written otherwise.
    rows: [[WrittenName; ROW]; 2],
}

/// A name as it stands in an object, from its quote to its colon; empty for none.
#[derive(Clone, Copy, Default)]
struct WrittenName {
    bytes: [u8; WRITTEN_BYTES_MAX],
    length: usize,
    name: FieldName,
}

/// What is known of the name of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FieldName {
    /// See [`part_of`].
    pub(super) part: Option<(Part, u8)>,
    /// See [`Asked::set`].
    pub(super) asked: FieldSet,
    /// Whether it holds one of [`NEEDLES`].
    pub(super) holds_needle: bool,
}

impl FieldName {
    fn of(name: &str, asked: &Asked) -> FieldName {
        let holds_needle = NEEDLES.iter().any(|needle| name.contains(needle));
        FieldName { part: part_of(name), asked: asked.set(name), holds_needle }
    }
}

impl Memos {
    /// From now on names are those that these formats ask for.
    #[inline]
    pub(crate) fn ask_for(&mut self, asked: &Arc<Asked>) {
        // Kept alive here, so no other formats are ever taken for these.
        if !Arc::ptr_eq(&self.asked, asked) {
            self.asked = Arc::clone(asked);
            self.names = Memo::default();
            self.rows = Default::default();
            self.unfit = None;
        }
    }

    /// What `may_fit` says of an object's fields, always the same function of these formats.
    #[inline]
    pub(crate) fn may_fit(
        &mut self,
        fields: FieldSet,
        may_fit: impl FnOnce(FieldSet) -> bool,
    ) -> bool {
        if self.unfit == Some(fields) {
            return false;
        }
        let fits = may_fit(fields);
        if !fits {
            self.unfit = Some(fields);
        }
        fits
    }

    /// The name that the nth field of the last object had that was `ESCAPED` or not, and the bytes it takes, if
    /// `text` begins with it as it stood there.
    #[inline]
    pub(super) fn same_name<const ESCAPED: bool>(
        &self,
        nth: usize,
        text: &[u8],
    ) -> Option<(FieldName, usize)> {
        let known = self.rows[usize::from(ESCAPED)].get(nth)?;
        let bytes = known.bytes.get(..known.length).filter(|bytes| !bytes.is_empty())?;
        text.starts_with(bytes).then_some((known.name, known.length))
    }

    /// Keeps the nth name of an object as it is written, from its quote to its colon.
    pub(super) fn keep_name<const ESCAPED: bool>(
        &mut self,
        nth: usize,
        written: &[u8],
        name: FieldName,
    ) {
        if let Some(known) = self.rows[usize::from(ESCAPED)].get_mut(nth) {
            let mut bytes = [0; WRITTEN_BYTES_MAX];
            let room = bytes.get_mut(..written.len());
            let length = room.map_or(0, |room| {
                room.copy_from_slice(written);
                written.len()
            });
            *known = WrittenName { bytes, length, name };
        }
    }

    /// What is known of a field's name.
    #[inline]
    pub(super) fn field_name(&mut self, name: &str) -> FieldName {
        let asked = &self.asked;
        self.names.get(name, |name| FieldName::of(name, asked))
    }

    /// The same as [`Words::of`].
    #[inline]
    pub(super) fn words(&mut self, text: &str) -> Words {
        self.words.get(text, Words::of)
    }
}

/// Answers of one function, one slot for each value of a hash.
struct Memo<T> {
    slots: [Option<(Short, T)>; SLOTS],
}

impl<T: Copy> Default for Memo<T> {
    fn default() -> Memo<T> {
        Memo { slots: [None; SLOTS] }
    }
}

impl<T: Copy> Memo<T> {
    /// What `find` answers about `text`; always the same function.
    #[inline]
    fn get(&mut self, text: &str, find: impl Fn(&str) -> T) -> T {
        let Some(short) = Short::of(text.as_bytes()) else { return find(text) };
        let slot = &mut self.slots[short.slot()];
        match slot {
            Some((known, answer)) if known.is(short) => *answer,
            _ => slot.insert((short, find(text))).1,
        }
    }
}

/// A short text: its length, and machine words that cover all of it and overlap.
#[derive(Clone, Copy, Debug)]
struct Short {
    words: [u64; 4],
    length: usize,
}

impl Short {
    #[inline]
    fn of(text: &[u8]) -> Option<Short> {
        let length = text.len();
        let words = match length {
            0..4 => [text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0, 0, 0],
            4..8 => [half(text, 0)? << 32 | half(text, length - 4)?, 0, 0, 0],
            8..=16 => [word(text, 0)?, word(text, length - 8)?, 0, 0],
            17..=SHORT_BYTES_MAX => {
                [word(text, 0)?, word(text, 8)?, word(text, length - 16)?, word(text, length - 8)?]
            }
            _ => return None,
        };
        Some(Short { words, length })
    }

    /// Whether both are one text. Compared word by word, because words that have just been put together
    /// must not be read again as one vector: the processor would wait for them.
    #[inline]
    fn is(&self, other: Short) -> bool {
        let [first, second, third, last] = self.words;
        let differ = (first ^ other.words[0])
            | (second ^ other.words[1])
            | (third ^ other.words[2])
            | (last ^ other.words[3]);
        differ == 0 && self.length == other.length
    }

    #[inline]
    fn slot(&self) -> usize {
        let [first, second, third, last] = self.words;
        let mixed = first ^ second.rotate_left(17) ^ third.rotate_left(31) ^ last.rotate_left(47);
        // The upper bits of a product depend on all bits below (Fibonacci hashing).
        let product = (mixed ^ self.length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (product >> (64 - SLOTS.trailing_zeros())) as usize
    }
}

#[inline]
fn half(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[inline]
fn word(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn short_texts_are_told_apart(one in "[ab]{0,40}", other in "[ab]{0,40}") {
            let short = |text: &str| Short::of(text.as_bytes());
            prop_assert_eq!(short(&one).is_some(), one.len() <= SHORT_BYTES_MAX);
            if let (Some(first), Some(second)) = (short(&one), short(&other)) {
                prop_assert_eq!(first.is(second), one == other);
            }
        }

        #[test]
        fn answers_do_not_depend_on_what_was_asked_before(
            texts in proptest::collection::vec("([a-z_]|user|login|fail|ok| ){0,9}", 0..300)) {
            let mut memos = Memos::default();
            for text in texts.iter().chain(&texts) {
                prop_assert_eq!(memos.field_name(text).part, part_of(text));
                prop_assert_eq!(memos.words(text), Words::of(text));
            }
        }
    }

    #[test]
    fn every_length_is_covered_whole() {
        for length in 0..=SHORT_BYTES_MAX {
            let text = vec![b'a'; length];
            let short = |text: &[u8]| Short::of(text).expect("short");
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                assert!(!short(&text).is(short(&other)), "{at} of {length}");
            }
        }
    }
}
