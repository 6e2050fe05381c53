//! What the shared home knows of callers across functions, as bytes.
//!
//! ```text
//! costs of a function in a pane: version · account · name · a byte: 0, or 1 and the kind · names and costs: number; each
//!   · findings about it that are open: number; each: detector, severity, uid · place
//! chronicle: version · the closed pane · heard: number; each: function's tag, kind, panes before the closed one (signed)
//!   · told of: number; each: function's tag, caller · episodes: number; each: caller, detector, episode as of a function
//!   · messages: number; each: account and name of the function, bytes
//! past: version · caller · its last and first pane, the latter from there back (signed) · weight · functions: number;
//!   each: tag, pane of the first use from the last pane back (signed) · the series
//! caller: kind, name
//! ```

use std::collections::BTreeMap;

use crate::finding::Also;
use crate::key::FunctionTag;
use crate::limits::{
    CALLER_FUNCTIONS_MAX, CALLERS_WATCHED_MAX, DETECTORS_MAX, DRIVERS_MAX, FUNCTIONS_WATCHED_MAX,
};
use crate::meter::attribution::DriverName;
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::series::{STORED_BYTES_MAX, Series};
use crate::signal::Origin;
use crate::spend::callers::Caller;
use crate::spend::drivers::WHO;
use crate::spend::episodes::Latch;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::callers::{read_money, read_name, write_name};
use crate::table_store::functions::chronicle::{are_ahead, read_latch, write_latch};
use crate::table_store::functions::message::severity;
use crate::table_store::functions::newest_pane;
use crate::table_store::functions::numbers::{
    read_f64, read_pane_number, read_place, read_text, write_f64, write_place,
};
use crate::time::Time;

/// The newest version of each encoding.
const VERSION: u8 = 1;

/// The most messages that wait to leave, and bytes of one.
pub(super) const MESSAGES_MAX: usize = 2 * CALLERS_WATCHED_MAX;
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Functions of which it is known since when they name callers of a kind, at most.
pub(super) const HEARD_MAX: usize = FUNCTIONS_WATCHED_MAX;

/// What callers cost in one function and pane.
#[derive(Clone, Debug, PartialEq)]
pub struct OfFunction {
    /// Which.
    pub function: Function,
    /// The place in [`WHO`] of what requests are laid to, where anybody is named.
    pub kind: Option<usize>,
    /// What each cost, at least.
    pub costs: Vec<(DriverName, Money)>,
    /// The open findings that say that it costs more than usual.
    pub telling: Vec<Also>,
    /// A report.
    pub sample: Option<Origin>,
}

/// What is known of callers but for their pasts; the tick alone writes it, under its version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RiderChronicle {
    /// The last pane that callers were judged by.
    pub closed: i64,
    /// Since which pane a function's log names callers of a kind.
    pub(super) heard: BTreeMap<(FunctionTag, usize), i64>,
    /// Whom the open finding of a function is about.
    pub(super) told_of: BTreeMap<FunctionTag, Caller>,
    /// Episodes, by detector.
    pub(super) latches: BTreeMap<(Caller, Box<str>), Latch>,
    /// Messages that are not known to have left, each with the function it names first.
    pub(super) pending: Vec<(Function, Vec<u8>)>,
}

/// The past of one caller.
#[derive(Clone, Debug)]
pub(super) struct RiderPast {
    pub(super) caller: Caller,
    /// Up to this pane.
    pub(super) last: i64,
    pub(super) first: i64,
    pub(super) weight: f64,
    pub(super) used: BTreeMap<FunctionTag, i64>,
    pub(super) series: Series,
}

/// Writes which function.
pub(super) fn write_function(out: &mut Writer, function: &Function) {
    out.counted(function.account.as_bytes());
    out.counted(function.name.as_bytes());
}

/// Reads what [`write_function`] wrote.
pub(super) fn read_function(from: &mut Reader<'_>) -> Result<Function, Unreadable> {
    Ok(Function { account: read_text(from, "account")?, name: read_text(from, "function")? })
}

fn write_tag(out: &mut Writer, FunctionTag(tag): FunctionTag) {
    out.bytes.extend_from_slice(&tag.to_be_bytes());
}

fn read_tag(from: &mut Reader<'_>) -> Result<FunctionTag, Unreadable> {
    Ok(FunctionTag(u64::from_be_bytes(from.array("function")?)))
}

fn read_kind(from: &mut Reader<'_>) -> Result<usize, Unreadable> {
    let kind = usize::from(from.byte("kind")?);
    if kind < WHO.len() { Ok(kind) } else { Err(Unreadable::Damaged("kind")) }
}

/// Writes who a request is laid to.
pub(super) fn write_caller(out: &mut Writer, caller: &Caller) {
    let kind = WHO.iter().position(|kind| *kind == caller.kind);
    out.byte(kind.unwrap_or_default() as u8);
    write_name(out, &caller.name);
}

/// Reads what [`write_caller`] wrote.
pub(super) fn read_caller(from: &mut Reader<'_>) -> Result<Caller, Unreadable> {
    let kind = read_kind(from)?;
    Ok(Caller { kind: WHO[kind], name: read_name(from, kind)? })
}

impl OfFunction {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        write_function(&mut out, &self.function);
        out.byte(self.kind.map_or(0, |kind| kind as u8 + 1));
        out.number(self.costs.len() as u64);
        for (name, cost) in &self.costs {
            write_name(&mut out, name);
            out.wide(cost.units().unsigned_abs());
        }
        out.number(self.telling.len() as u64);
        for also in &self.telling {
            out.counted(also.detector.as_bytes());
            out.byte(also.severity as u8);
            out.counted(also.uid.as_deref().unwrap_or_default().as_bytes());
        }
        write_place(&mut out, self.sample.as_ref());
        out.bytes
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(bytes: &[u8]) -> Result<OfFunction, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let function = read_function(&mut from)?;
        let kind = usize::from(from.byte("kind")?).checked_sub(1);
        if kind.is_some_and(|kind| kind >= WHO.len()) {
            return Err(Unreadable::Damaged("kind"));
        }
        let (mut costs, mut telling) = (Vec::new(), Vec::new());
        for _ in 0..from.count(if kind.is_some() { 2 * DRIVERS_MAX } else { 0 }, "costs")? {
            let name = read_name(&mut from, kind.unwrap_or_default())?;
            costs.push((name, read_money(&mut from)?));
        }
        for _ in 0..from.count(DETECTORS_MAX, "findings")? {
            let detector = read_text(&mut from, "finding")?.into();
            let severity = severity(from.byte("finding")?)?;
            let uid = Some(read_text(&mut from, "finding")?.into());
            telling.push(Also { detector, severity, uid });
        }
        let sample = read_place(&mut from, &function)?;
        from.end()?;
        Ok(OfFunction { function, kind, costs, telling, sample })
    }
}

impl RiderChronicle {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        out.signed(self.closed);
        out.number(self.heard.len() as u64);
        for ((function, kind), since) in &self.heard {
            write_tag(&mut out, *function);
            out.byte(*kind as u8);
            out.signed(self.closed - since);
        }
        out.number(self.told_of.len() as u64);
        for (function, caller) in &self.told_of {
            write_tag(&mut out, *function);
            write_caller(&mut out, caller);
        }
        out.number(self.latches.len() as u64);
        for ((caller, detector), latch) in &self.latches {
            write_caller(&mut out, caller);
            out.counted(detector.as_bytes());
            write_latch(&mut out, latch);
        }
        out.number(self.pending.len() as u64);
        for (function, message) in &self.pending {
            write_function(&mut out, function);
            out.counted(message);
        }
        out.bytes
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(bytes: &[u8]) -> Result<RiderChronicle, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let closed = read_pane_number(&mut from)?;
        let mut chronicle = RiderChronicle { closed, ..RiderChronicle::default() };
        for _ in 0..from.count(HEARD_MAX, "functions")? {
            let function = read_tag(&mut from)?;
            let kind = read_kind(&mut from)?;
            let since = closed - read_pane_number(&mut from)?;
            chronicle.heard.insert((function, kind), since);
        }
        for _ in 0..from.count(FUNCTIONS_WATCHED_MAX, "functions")? {
            let function = read_tag(&mut from)?;
            chronicle.told_of.insert(function, read_caller(&mut from)?);
        }
        for _ in 0..from.count(DETECTORS_MAX * CALLERS_WATCHED_MAX, "episodes")? {
            let caller = read_caller(&mut from)?;
            let detector = read_text(&mut from, "detector")?;
            chronicle.latches.insert((caller, detector), read_latch(&mut from)?);
        }
        for _ in 0..from.count(MESSAGES_MAX, "messages")? {
            let function = read_function(&mut from)?;
            let message = from.counted(MESSAGE_BYTES_MAX, "message")?.to_vec();
            chronicle.pending.push((function, message));
        }
        from.end()?;
        Ok(chronicle)
    }

    /// The same, unless it says of panes to come that callers were judged by them.
    ///
    /// # Errors
    /// If it does, as damaged bytes may: nobody would be judged until these panes are over.
    pub(super) fn believed(self, now: Time) -> Result<RiderChronicle, Unreadable> {
        let newest = newest_pane(now);
        let heard = self.heard.values().copied().max();
        let is_ahead = heard.max(Some(self.closed)) > Some(newest);
        match is_ahead || are_ahead(self.latches.values(), newest) {
            true => Err(Unreadable::Damaged("times")),
            false => Ok(self),
        }
    }
}

impl RiderPast {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        write_caller(&mut out, &self.caller);
        out.signed(self.last);
        out.signed(self.last - self.first);
        write_f64(&mut out, self.weight);
        out.number(self.used.len() as u64);
        for (function, first) in &self.used {
            write_tag(&mut out, *function);
            out.signed(self.last - first);
        }
        out.counted(&self.series.to_bytes());
        out.bytes
    }

    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub(super) fn decode(bytes: &[u8]) -> Result<RiderPast, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let caller = read_caller(&mut from)?;
        let last = read_pane_number(&mut from)?;
        let first = last - read_pane_number(&mut from)?;
        let weight = read_f64(&mut from, "weight")?;
        let mut used = BTreeMap::new();
        for _ in 0..from.count(CALLER_FUNCTIONS_MAX, "functions")? {
            let function = read_tag(&mut from)?;
            used.insert(function, last - read_pane_number(&mut from)?);
        }
        let series = Series::from_bytes(from.counted(STORED_BYTES_MAX, "series")?);
        let series = series.map_err(|_| Unreadable::Damaged("series"))?;
        from.end()?;
        let is_whole =
            weight.is_finite() && series.history().newest().is_none_or(|pane| pane <= last);
        if !is_whole {
            return Err(Unreadable::Damaged("series"));
        }
        Ok(RiderPast { caller, last, first, weight, used, series })
    }
}
