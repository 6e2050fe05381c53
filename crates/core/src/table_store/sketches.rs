//! The sketches behind the lists of one key: one item that all shards write together.
//!
//! Registers only ever grow, so a write may be repeated, and whoever is refused takes in what won and
//! tries again. A write is made only where it makes some register grow.
//!
//! Encoding of one list, version 1: version · panes, newest first: number; each: 6-hour panes older
//! than the last (of the epoch at first, signed), 2^8 registers of 6 bits, first register first.

use crate::limits::SKETCH_PANES_MAX;
use crate::retention::SHARED_SKETCH;
use crate::sketch::{SHARED_PRECISION, Sketch};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::time::Time;

/// The newest version of the encoding.
pub const VERSION: u8 = 1;

/// The registers of a pane as bytes: 6 bits each.
const PACKED_BYTES: usize = (1 << SHARED_PRECISION) * 6 / 8;

/// The sketches of one list, by pane, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListSketches {
    panes: Vec<(i64, Sketch)>,
}

impl ListSketches {
    /// Notes a tag last seen at `time`. Says whether some register grew.
    pub fn insert(&mut self, tag: u64, time: Time) -> bool {
        let index = SHARED_SKETCH.index(time);
        let at = match self.panes.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(at) => at,
            Err(0) if self.panes.len() == SKETCH_PANES_MAX => return false,
            Err(at) => {
                self.panes.insert(at, (index, Sketch::new(SHARED_PRECISION)));
                if self.panes.len() > SKETCH_PANES_MAX {
                    self.panes.remove(0);
                    at - 1
                } else {
                    at
                }
            }
        };
        self.panes[at].1.insert(tag)
    }

    /// The panes, oldest first.
    pub fn into_panes(self) -> Vec<(i64, Sketch)> {
        self.panes
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        out.number(self.panes.len() as u64);
        let mut last = 0;
        for (index, sketch) in self.panes.iter().rev() {
            out.signed(last - index);
            last = *index;
            for four in sketch.registers().chunks_exact(4) {
                let bits = four.iter().fold(0u32, |bits, rank| bits << 6 | u32::from(*rank & 63));
                out.bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
            }
        }
        out.bytes
    }

    /// Reads what [`ListSketches::encode`] wrote.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(bytes: &[u8]) -> Result<ListSketches, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let mut panes = Vec::new();
        let mut last = 0i64;
        for nth in 0..from.count(SKETCH_PANES_MAX, "panes")? {
            let older = from.signed("pane")?;
            let index = last.checked_sub(older).ok_or(Unreadable::Damaged("pane"))?;
            if nth > 0 && index >= last {
                return Err(Unreadable::Damaged("pane"));
            }
            last = index;
            let packed: [u8; PACKED_BYTES] = from.array("registers")?;
            let ranks = packed.chunks_exact(3).flat_map(|three| {
                let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
                [18, 12, 6, 0].map(|shift| (bits >> shift & 63) as u8)
            });
            let sketch = Sketch::from_registers(ranks.collect());
            panes.push((index, sketch.ok_or(Unreadable::Damaged("registers"))?));
        }
        from.end()?;
        panes.reverse();
        Ok(ListSketches { panes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sketches_come_back_and_keep_the_newest_panes(
            seen in prop::collection::vec((any::<u64>(), -100i64..100), 0..200),
        ) {
            let mut sketches = ListSketches::default();
            for (tag, hours) in &seen {
                sketches.insert(*tag, Time(hours * 3_600_000));
            }
            prop_assert!(sketches.panes.len() <= SKETCH_PANES_MAX);
            let newest = seen.iter().map(|(_, hours)| hours.div_euclid(6)).max();
            prop_assert_eq!(sketches.panes.last().map(|(index, _)| *index), newest);
            prop_assert_eq!(ListSketches::decode(&sketches.encode()), Ok(sketches.clone()));
            // Once more changes nothing.
            for (tag, hours) in &seen {
                prop_assert!(!sketches.insert(*tag, Time(hours * 3_600_000)));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            if let Ok(read) = ListSketches::decode(&bytes) {
                prop_assert_eq!(ListSketches::decode(&read.encode()), Ok(read));
            }
        }
    }
}
