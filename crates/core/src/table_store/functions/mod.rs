//! Functions in the shared home: what they take, from reports that come to any shard, at least once, to findings
//! about panes that are over. Two items for each function, and of one whose log names callers some more:
//!
//! - *shares* ([`share`]): one attribute a shard with its panes that are not closed, replaced under the condition that
//!   it is still the one that was read, as the shares of logins are ([`counting`]);
//! - its *chronicle* ([`chronicle`]): written by the tick alone, under the condition of its version, with the messages
//!   that follow from it ([`tick`]); whole days of the past move to items of their own ([`past`]);
//! - its *callers* ([`callers`]): an item a shard, written as shares are, with what each caller cost in the panes that
//!   are not closed ([`hearing`]), which the tick reads together ([`named`]).
//!
//! What callers cost in all functions together is weighed by the tick, too ([`riders`]), and so is what all functions
//! together have spent of a month ([`all`]).
//!
//! Judged is by [`crate::spend::course`], as in one process.
//!
//! Invariants: an open pane is a function of the records that shards have applied; a pane is closed once, by whoever
//! wins the chronicle; and a message is written with the chronicle it follows from before it is published, so that it
//! leaves at least once and its uid is one.

mod all;
pub mod all_bytes;
#[cfg(test)]
mod all_tests;
pub mod callers;
pub mod chronicle;
mod counting;
mod hearing;
#[cfg(test)]
mod hearing_tests;
mod known;
mod message;
mod named;
mod numbers;
mod past;
mod remembered_riders;
pub mod rider_bytes;
#[cfg(test)]
mod rider_tests;
mod riders;
pub mod share;
#[cfg(test)]
mod tests;
mod tick;

pub(crate) use past::Remembered;
pub(crate) use remembered_riders::RememberedRiders;

use std::collections::BTreeMap;

use crate::finding::Activity;
use crate::limits::{FUNCTION_KEPT, FUTURE_MAX};
use crate::spend::course::pane_of;
use crate::spend::detector::Number;
use crate::store::StoreError;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::numbers::{read_f64, read_pane_number, write_f64};
use crate::table_store::store::Invocation;
use crate::table_store::table::{
    Attribute, Due, FUNCTION_PARTITIONS, Item, ItemKey, Pace, Part, Table, Write, Written,
};
use crate::time::Time;

/// What was done about functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCounts {
    /// Lines about invocations that were believed.
    pub lines: u64,
    /// Lines of panes that were closed already, or too old to be kept open.
    pub late: u64,
    /// Lines delivered twice and counted once, as far as that was known.
    pub repeated: u64,
    /// Lines whose time is not believed.
    pub rejected: u64,
    /// Lines that were not counted, for want of room.
    pub refused: u64,
    /// Functions beyond those that one batch, or one tick, deals with.
    pub unwatched: u64,
    /// Lines that name who asked, of requests whose cost is laid to them.
    pub heard: u64,
    /// The same of functions that the tick does not know yet, or that there was no room for.
    pub unheard: u64,
    /// Functions that were looked at.
    pub looked_at: u64,
    /// Panes that were closed.
    pub closed_panes: u64,
    /// Those of which it was written down what callers cost.
    pub laid_panes: u64,
    /// Functions there was no room for among those whose budget is one.
    pub unbudgeted: u64,
    /// Panes that callers, or the budget of all functions together, were judged by although some function was not
    /// heard of in time.
    pub incomplete_panes: u64,
    /// Parts of the shared state that could not be read, and are begun anew.
    pub lost: u64,
    /// Messages that have left, by what they say.
    pub told: [u64; 3],
    /// By entry of the allowlist: in how many panes it held back a finding.
    pub held_back: BTreeMap<usize, u64>,
}

impl FunctionCounts {
    /// Counts a message that has left.
    fn told(&mut self, activity: Activity) {
        self.told[activity as usize] += 1;
    }

    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &FunctionCounts) {
        self.lines += other.lines;
        self.late += other.late;
        self.repeated += other.repeated;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.unwatched += other.unwatched;
        self.heard += other.heard;
        self.unheard += other.unheard;
        self.looked_at += other.looked_at;
        self.closed_panes += other.closed_panes;
        self.laid_panes += other.laid_panes;
        self.unbudgeted += other.unbudgeted;
        self.incomplete_panes += other.incomplete_panes;
        self.lost += other.lost;
        for (entry, panes) in &other.held_back {
            *self.held_back.entry(*entry).or_default() += panes;
        }
        self.told.iter_mut().zip(other.told).for_each(|(of, other)| *of += other);
    }
}

/// What shards are told of a function's chronicle: version 1 · the closed pane · numbers: how many; each: its code,
/// from how much in a pane on it runs away.
#[derive(Clone, Debug, Default, PartialEq)]
struct Closed {
    pane: i64,
    runs_from: Vec<(Number, f64)>,
}

const CLOSED_VERSION: u8 = 1;

impl Closed {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(CLOSED_VERSION);
        out.signed(self.pane);
        out.number(self.runs_from.len() as u64);
        for (number, from) in &self.runs_from {
            out.byte(number.code());
            write_f64(&mut out, *from);
        }
        out.bytes
    }

    fn decode(bytes: &[u8]) -> Result<Closed, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(CLOSED_VERSION)?;
        let mut closed = Closed { pane: read_pane_number(&mut from)?, runs_from: Vec::new() };
        for _ in 0..from.count(Number::ALL.len(), "numbers")? {
            let code = from.byte("number")?;
            let level = read_f64(&mut from, "number")?;
            let number = Number::ALL.into_iter().find(|number| number.code() == code);
            closed.runs_from.extend(number.map(|number| (number, level)));
        }
        from.end()?;
        Ok(closed)
    }

    /// What an item says; nothing where nobody has closed anything, or it cannot be read: it is a hint.
    fn of(item: Option<&Item>) -> Option<Closed> {
        Closed::decode(item?.values.get(&Attribute::Closed)?).ok()
    }
}

/// The newest pane that anything stored can be about at `now`: no later report is believed, whatever clocks say.
fn newest_pane(now: Time) -> i64 {
    pane_of(now.plus(FUTURE_MAX))
}

/// The index entry of a function that is to be looked at.
fn due(key: &[u8], at: Time) -> Due {
    let spread = key.iter().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    let partitions = FUNCTION_PARTITIONS.end - FUNCTION_PARTITIONS.start;
    Due { partition: FUNCTION_PARTITIONS.start + spread % partitions, at }
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Writes until there is an answer, or no time. Nothing is remembered: these items are large, and read again
    /// each time all the same.
    async fn put(&self, write: &Write) -> Result<Written, StoreError> {
        let mut patience = self.patience();
        loop {
            let written = self.store.table.write(write).await;
            self.store.stats.note(&written);
            match written {
                Ok(written) => return Ok(written),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// An item as it is; likewise.
    async fn look(&self, key: &[u8], part: Part) -> Result<Option<Item>, StoreError> {
        let item = ItemKey { key: key.to_vec(), part };
        let mut patience = self.patience();
        loop {
            self.store.stats.reads.add(1);
            match self.store.table.get(&item).await {
                Ok(item) => return Ok(item),
                Err(error) => patience.after(error).await?,
            }
        }
    }

    /// From when on what is written about a function now may be deleted.
    fn function_expires(&self) -> Time {
        self.store.pace.now().plus(FUNCTION_KEPT)
    }
}
