//! What one shard says of one function: its panes that are not over yet.
//!
//! Invariant: a share is a function of its shard's records up to `applied`, but for panes that are closed, which are
//! left out as soon as that is known. So whoever serves the shard next, however often a record comes again and
//! wherever batches are cut, writes the same of every pane that is still to be closed.
//!
//! Encoding, version 1: version · applied: length, bytes · head, in milliseconds · event tags: number, 3 bytes each,
//! oldest first · panes: number; each: how far behind the one before, the first from the head's (signed); the pane ·
//! versions · the place of the first report of the newest pane; the rest as in [`super::numbers`].

use std::collections::BTreeMap;

use crate::event_ring::EventRing;
use crate::invocation::Invocation;
use crate::limits::{OPEN_PANES_MAX, SHARED_VERSIONS_MAX};
use crate::meter::ledger::Function;
use crate::meter::panes::Pane;
use crate::safeguards::{Guard, Safeguards};
use crate::sequence::Sequence;
use crate::signal::Origin;
use crate::spend::course::pane_of;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::newest_pane;
use crate::table_store::functions::numbers::{
    self, Versions, read_head, read_pane, read_pane_number, read_place, read_versions, write_head,
    write_pane, write_place, write_versions,
};
use crate::tag::EventTag;
use crate::time::Time;

/// The newest version of the encoding.
pub const VERSION: u8 = 1;

/// Three of an event tag's bytes are kept.
const TAG_MASK: u32 = 0xffff_ff00;

/// One line about an invocation, and which record it came in.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The record.
    pub sequence: Sequence,
    /// Event time, as it is believed.
    pub time: Time,
    /// The event, for recognising a second delivery.
    pub event: EventTag,
    /// What it says.
    pub invocation: &'a Invocation,
    /// Where it stands.
    pub origin: &'a Origin,
}

/// One shard's share in what a function takes.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionShare {
    /// The last record that is counted in it.
    pub applied: Sequence,
    /// Its newest line.
    pub head: Time,
    /// The panes that are not known to be closed, by number.
    pub panes: BTreeMap<i64, Pane>,
    /// When versions were first seen in these.
    pub versions: Versions,
    /// The first line of the newest pane.
    pub sample: Option<Origin>,
    events: EventRing,
}

/// What became of some points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether the share has changed.
    pub fresh: bool,
    /// Points of panes that are closed, or too old to be kept open.
    pub late: u64,
    /// Points of events that had been counted.
    pub repeated: u64,
    /// Panes that became too old to be kept open, each with its reports; they may have been closed by now.
    pub dropped: Vec<(i64, u64)>,
}

impl Default for FunctionShare {
    fn default() -> FunctionShare {
        FunctionShare {
            applied: Sequence::ZERO,
            head: Time::MIN,
            panes: BTreeMap::new(),
            versions: Versions::new(),
            sample: None,
            events: EventRing::default(),
        }
    }
}

impl FunctionShare {
    /// Counts what is new among points in the order of their records, where panes up to `closed` are closed.
    pub fn take(
        &mut self,
        points: &[Point<'_>],
        closed: Option<i64>,
        safeguards: &Safeguards,
    ) -> Taken {
        let Some(last) = points.last().map(|point| point.sequence) else {
            return Taken::default();
        };
        let start = match safeguards.guard {
            Guard::EachPoint => points.partition_point(|point| point.sequence <= self.applied),
            Guard::WholeBatch if last <= self.applied => points.len(),
            Guard::WholeBatch | Guard::None => 0,
        };
        let points = &points[start..];
        let mut taken = Taken { fresh: !points.is_empty(), ..Taken::default() };
        for point in points {
            if safeguards.event_ring && !self.events.note(point.event, TAG_MASK) {
                taken.repeated += 1;
                continue;
            }
            self.note(point, closed, &mut taken);
        }
        self.applied = self.applied.max(last);
        self.leave_out(closed, &mut taken);
        taken
    }

    /// Counts a point, but not one of a pane that is closed or too old.
    fn note(&mut self, point: &Point<'_>, closed: Option<i64>, taken: &mut Taken) {
        let pane = pane_of(point.time);
        let oldest = pane_of(self.head) - OPEN_PANES_MAX;
        if closed.is_some_and(|closed| pane <= closed) || pane <= oldest {
            taken.late += 1;
            return;
        }
        self.head = self.head.max(point.time);
        if self.panes.keys().next_back().is_none_or(|newest| *newest < pane) {
            // At once and not when the batch ends, or it would matter where that is.
            self.leave_out(closed, taken);
            self.sample = Some(point.origin.clone());
        }
        self.panes.entry(pane).or_default().note(point.invocation, true);
        if let Some(version) = point.origin.stream.version() {
            let minute = numbers::minute(point.time);
            numbers::see(&mut self.versions, version, minute, SHARED_VERSIONS_MAX);
        }
    }

    /// Leaves out panes that are closed or too old, and versions that are older than all that are left.
    fn leave_out(&mut self, closed: Option<i64>, taken: &mut Taken) {
        let closed = closed.unwrap_or(i64::MIN);
        let oldest = (pane_of(self.head) - OPEN_PANES_MAX).max(closed);
        let dropped = self.panes.iter().filter(|(pane, _)| (closed + 1..=oldest).contains(pane));
        taken.dropped.extend(dropped.map(|(number, pane)| (*number, pane.sums.invocations)));
        self.panes.retain(|pane, _| *pane > oldest);
        self.versions.retain(|_, first| pane_of(*first) > oldest);
        if self.panes.is_empty() {
            self.sample = None;
        }
    }

    /// The same, unless it says that there are reports of panes to come.
    ///
    /// # Errors
    /// If it does, as damaged bytes may: by them all panes until then would be over, of every function.
    pub(super) fn believed(self, now: Time) -> Result<FunctionShare, Unreadable> {
        let newest = self.panes.keys().copied().chain([pane_of(self.head)]).max();
        if newest > Some(newest_pane(now)) { Err(Unreadable::Damaged("times")) } else { Ok(self) }
    }

    /// The share as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        write_head(&mut out, self.applied, self.head, &self.events);
        out.number(self.panes.len() as u64);
        let mut before = pane_of(self.head);
        for (number, pane) in &self.panes {
            out.signed(number - before);
            write_pane(&mut out, pane);
            before = *number;
        }
        write_versions(&mut out, &self.versions, self.head);
        write_place(&mut out, self.sample.as_ref());
        out.bytes
    }

    /// Reads what [`FunctionShare::encode`] wrote.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(function: &Function, bytes: &[u8]) -> Result<FunctionShare, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let (applied, head, events) = read_head(&mut from)?;
        let mut share = FunctionShare { applied, head, events, ..FunctionShare::default() };
        let mut number = pane_of(head);
        for _ in 0..from.count(OPEN_PANES_MAX as usize, "panes")? {
            number += read_pane_number(&mut from)?;
            share.panes.insert(number, read_pane(&mut from)?);
        }
        share.versions = read_versions(&mut from, head, SHARED_VERSIONS_MAX)?;
        share.sample = read_place(&mut from, function)?;
        from.end()?;
        Ok(share)
    }
}
