//! What an item is made of, by section of its shares.
//!
//! A share is walked by the encoding that `tidewatch_core::table_store::share` documents, and what was read is
//! written again: the walk is right if that gives the same bytes.

use tidewatch_core::table_store::bytes::{Reader, Unreadable, Writer};
use tidewatch_core::table_store::share::VERSION;
use tidewatch_core::table_store::table::{Attribute, ItemKey};

use crate::dynamo::Stored;

/// The sections, in the order of [`Anatomy::bytes`].
pub const SECTIONS: [&str; 9] = [
    "version, sequence, head",
    "event ring",
    "panes",
    "tags",
    "forgotten",
    "sources",
    "latches",
    "attribute names of those",
    "k, r, v, t, q, d",
];

/// Bytes by section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anatomy {
    /// By section.
    pub bytes: [usize; SECTIONS.len()],
    /// Tags in all shares.
    pub tags: usize,
    /// Counter panes in all shares.
    pub panes: usize,
    /// Event tags in all shares.
    pub events: usize,
}

impl Anatomy {
    /// Of a main item.
    ///
    /// # Errors
    /// If a share cannot be read.
    pub fn of(key: &ItemKey, stored: &Stored) -> Result<Anatomy, Unreadable> {
        let mut anatomy = Anatomy::default();
        for (attribute, value) in &stored.item.values {
            anatomy.bytes[7] += attribute.name().len();
            match attribute {
                Attribute::Share(_) => anatomy.add_share(value)?,
                _ => anatomy.bytes[6] += value.len(),
            }
        }
        anatomy.bytes[8] = stored.overhead_bytes(key);
        Ok(anatomy)
    }

    /// All of it.
    pub fn total(&self) -> usize {
        self.bytes.iter().sum()
    }

    fn add_share(&mut self, share: &[u8]) -> Result<(), Unreadable> {
        let (mut from, mut out) = (Reader::new(share), Writer::default());
        let mut ends = Vec::new();
        let version = from.version(VERSION)?;
        out.byte(version);
        out.counted(from.counted(share.len(), "sequence number")?);
        out.signed(from.signed("head")?);
        ends.push((0, out.bytes.len()));
        self.events += repeated(&mut from, &mut out, |from, out| {
            out.bytes.extend_from_slice(&from.array::<3>("event tag")?);
            Ok(())
        })?;
        ends.push((1, out.bytes.len()));
        let mut panes = 0;
        repeated(&mut from, &mut out, |from, out| {
            panes += repeated(from, out, pane)?;
            Ok(())
        })?;
        self.panes += panes;
        ends.push((2, out.bytes.len()));
        // The newest version is the one with lists of both generations of tag keys.
        for _ in 0..if version == VERSION { 2 } else { 1 } {
            self.tags += repeated(&mut from, &mut out, |from, out| {
                out.bytes.extend_from_slice(&from.array::<4>("tag")?);
                let first = from.byte("tag")?;
                out.byte(first);
                nibble(from, out, first)
            })?;
            ends.push((3, out.bytes.len()));
            repeated(&mut from, &mut out, |from, out| {
                out.byte(from.byte("forgotten")?);
                out.number(from.number("forgotten")?);
                Ok(())
            })?;
            ends.push((4, out.bytes.len()));
        }
        repeated(&mut from, &mut out, |from, out| {
            out.counted(from.counted(16, "source")?);
            out.number(from.number("source")?);
            out.number(from.number("source")?);
            Ok(())
        })?;
        ends.push((5, out.bytes.len()));
        from.end()?;
        if out.bytes != share {
            return Err(Unreadable::Damaged("walk"));
        }
        let mut begin = 0;
        for (section, end) in ends {
            self.bytes[section] += end - begin;
            begin = end;
        }
        Ok(())
    }
}

fn pane(from: &mut Reader<'_>, out: &mut Writer) -> Result<(), Unreadable> {
    let first = from.byte("pane")?;
    out.byte(first);
    if first & 0x80 == 0 {
        return nibble(from, out, first);
    }
    out.number(from.number("pane")?);
    for _ in 0..(first & 0x7f).count_ones() {
        out.number(from.number("count")?);
    }
    Ok(())
}

/// What follows a byte whose low four bits begin a number.
fn nibble(from: &mut Reader<'_>, out: &mut Writer, first: u8) -> Result<(), Unreadable> {
    if first & 0xf == 0xf {
        out.number(from.number("rest")?);
    }
    Ok(())
}

/// As many as the number that is read first says.
fn repeated(
    from: &mut Reader<'_>,
    out: &mut Writer,
    mut one: impl FnMut(&mut Reader<'_>, &mut Writer) -> Result<(), Unreadable>,
) -> Result<usize, Unreadable> {
    let count = from.count(usize::MAX, "number")?;
    out.number(count as u64);
    for _ in 0..count {
        one(from, out)?;
    }
    Ok(count)
}
