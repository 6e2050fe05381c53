//! What is known of one function beside its open panes: up to which pane it is closed, its numbers since the last day
//! that is stored by itself, its episodes, and the messages that are not known to have left. Only the tick writes it,
//! under the condition that it is still the one that was read.
//!
//! Invariant: the numbers of a pane never change once they were written. So whoever remembers the series up to a
//! pane goes on from there, and whoever remembers nothing puts the same together again.
//!
//! Encoding, version 1: version · panes: first, last with a report from there, closed from there (signed) · the stored
//! past: 0, or 1 · its last pane from the first, a bit for each number that it has · of each number, by its code, the
//! steps since: what each differs by from the one before (signed); a 0 is followed by how many more do not differ ·
//! the panes of the last hour: number; each: panes before the closed one · sums · versions · place · episodes: number;
//! each: detector's id, flags, start, peak, opening and last pane, the excess that was told · messages: number;
//! each: length, bytes.
//!
//! Version 2, where there are panes that were too few to be measured: that, and behind it these: number; each: panes before the
//! closed one, durations.

use std::collections::BTreeMap;

use crate::detector::Severity;
use crate::limits::{DETECTORS_MAX, VERSIONS_MAX};
use crate::meter::ledger::Function;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::series::episode::lasts;
use crate::series::steps::Step;
use crate::series::{HISTORY_PANES, PANE};
use crate::signal::Origin;
use crate::spend::budget::Month;
use crate::spend::course::{IDLE_PANES, PANES_AN_HOUR, pane_of, start};
use crate::spend::detector::{DURATIONS_MIN, Number};
use crate::spend::episodes::{Episode, Latch};
use crate::spend::pool::Pool;
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::message::severity;
use crate::table_store::functions::newest_pane;
use crate::table_store::functions::numbers::{
    self, Versions, read_durations, read_f64, read_pane_number, read_place, read_sums, read_text,
    read_versions, write_durations, write_f64, write_place, write_sums, write_versions,
};
use crate::time::Time;

/// The newest version of the encoding.
pub const VERSION: u8 = 2;

/// The version of one in which no pane waits to be measured.
const WITHOUT_POOL: u8 = 1;

/// Panes in a day.
pub(super) const DAY_PANES: i64 = 24 * PANES_AN_HOUR;

/// More steps than this no chronicle has: days that are stored, and a silence of five weeks.
const STEPS_MAX: usize = 2 * HISTORY_PANES;

/// The most messages, and bytes of one.
const MESSAGES_MAX: usize = 4 * DETECTORS_MAX;
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Episodes by detector.
pub(super) type Latches = BTreeMap<Box<str>, Latch>;

const TOLD: u8 = 0x08;
const CLOSED: u8 = 0x10;

/// The chronicle of one function.
#[derive(Clone, Debug, PartialEq)]
pub struct Chronicle {
    /// The pane of its first report.
    pub first: i64,
    /// The newest pane with a report.
    pub last: i64,
    /// The last pane that is closed.
    pub closed: i64,
    /// The past that is stored by itself.
    pub(super) past: Option<Past>,
    /// Of each number, by its code, the panes since: up to the closed one.
    pub(super) steps: [Vec<Step>; Number::ALL.len()],
    /// The closed panes of the last hour in which there was something.
    pub(super) hour: BTreeMap<i64, Sums>,
    pub(super) versions: Versions,
    pub(super) sample: Option<Origin>,
    /// Panes with too few invocations to be measured by themselves.
    pub(super) pool: Pool,
    /// By the detector's id.
    pub(super) latches: Latches,
    /// Messages that are not known to have left, in order.
    pub pending: Vec<Vec<u8>>,
}

/// What of the past is stored by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    /// Up to this pane.
    pub(super) last: i64,
    /// A bit for each number, by its code.
    pub(super) numbers: u16,
}

impl Chronicle {
    /// That of a function whose first report is in `first`.
    pub(super) fn new(first: i64) -> Chronicle {
        Chronicle {
            first,
            last: first,
            closed: first - 1,
            past: None,
            steps: Default::default(),
            hour: BTreeMap::new(),
            versions: Versions::new(),
            sample: None,
            pool: Pool::default(),
            latches: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// The pane of the first step.
    pub(super) fn steps_from(&self) -> i64 {
        self.past.map_or(self.first, |past| past.last + 1)
    }

    /// The step of a closed pane that is not stored by itself.
    pub(super) fn step(&self, number: Number, pane: i64) -> Step {
        let at = usize::try_from(pane - self.steps_from()).ok();
        let steps = &self.steps[usize::from(number.code())];
        at.and_then(|at| steps.get(at)).copied().unwrap_or(Step::ABSENT)
    }

    /// A number of a closed pane, as it is kept; nothing of one that was not measured, or that is stored by itself.
    pub fn number(&self, number: Number, pane: i64) -> Option<f32> {
        self.step(number, pane).number()
    }

    /// Notes what a pane came to that is closed now, and nothing of those between it and the one before.
    pub(super) fn note(&mut self, pane: i64, of_pane: &Pane, dollars: f64) {
        for number in Number::ALL {
            let steps = &mut self.steps[usize::from(number.code())];
            let step = |value: Option<f64>| value.map_or(Step::ABSENT, Step::of);
            let nothing = step(number.of(&Pane::default(), 0.0));
            steps.extend((self.closed + 1..pane).map(|_| nothing));
            steps.push(step(number.of(of_pane, dollars)));
        }
        self.closed = pane;
        if of_pane.sums != Sums::default() {
            self.hour.insert(pane, of_pane.sums);
        }
        self.hour.retain(|before, _| *before > pane - PANES_AN_HOUR);
        self.latches.retain(|_, latch| {
            let known = latch.episode.as_ref();
            // That of a budget is its month's, and is taken up again in it.
            let is_months = |of: &Episode| of.start == Month::of(start(pane + 1)).start();
            known.is_some_and(|of| !of.closed || lasts(of.opened, pane + 1, PANE) || is_months(of))
        });
    }

    /// Forgets the steps up to a pane, which are stored now.
    pub(super) fn forget_up_to(&mut self, past: Past) {
        let stored = usize::try_from(past.last + 1 - self.steps_from()).unwrap_or(0);
        for steps in &mut self.steps {
            steps.drain(..stored.min(steps.len()));
        }
        self.past = Some(past);
    }

    /// The next pane to close: the one behind the last, or, of a function that was silent for longer than it is
    /// looked at, its first new one.
    pub(super) fn next(&self, first_open: Option<i64>) -> i64 {
        let next = self.closed + 1;
        match first_open {
            Some(open) if self.closed >= self.last + IDLE_PANES => open.max(next),
            _ => next,
        }
    }

    /// The last pane that is looked at.
    pub(super) fn until(&self) -> i64 {
        self.last + IDLE_PANES
    }

    /// The chronicle as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(if self.pool.0.is_empty() { WITHOUT_POOL } else { VERSION });
        out.signed(self.first);
        out.signed(self.last - self.first);
        out.signed(self.closed - self.first);
        match self.past {
            None => out.byte(0),
            Some(past) => {
                out.byte(1);
                out.signed(past.last - self.first);
                out.number(u64::from(past.numbers));
            }
        }
        for steps in &self.steps {
            write_steps(&mut out, steps);
        }
        out.number(self.hour.len() as u64);
        for (pane, sums) in &self.hour {
            out.signed(self.closed - pane);
            write_sums(&mut out, sums);
        }
        write_versions(&mut out, &self.versions, start(self.closed));
        write_place(&mut out, self.sample.as_ref());
        write_told(&mut out, &self.latches, &self.pending);
        if !self.pool.0.is_empty() {
            out.number(self.pool.0.len() as u64);
            for (pane, durations) in &self.pool.0 {
                out.signed(self.closed - pane);
                write_durations(&mut out, durations);
            }
        }
        out.bytes
    }

    /// Reads what [`Chronicle::encode`] wrote.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(function: &Function, bytes: &[u8]) -> Result<Chronicle, Unreadable> {
        let mut from = Reader::new(bytes);
        let version = from.version(VERSION)?;
        let first = read_pane_number(&mut from)?;
        let mut chronicle = Chronicle::new(first);
        chronicle.last = first + read_pane_number(&mut from)?;
        chronicle.closed = first + read_pane_number(&mut from)?;
        chronicle.past = match from.byte("past")? {
            0 => None,
            _ => Some(Past {
                last: first + read_pane_number(&mut from)?,
                numbers: from.count(0x1ff, "past")? as u16,
            }),
        };
        let count = usize::try_from(chronicle.closed + 1 - chronicle.steps_from()).ok();
        let count = count.filter(|count| *count <= STEPS_MAX);
        let count = count.ok_or(Unreadable::Damaged("closed pane"))?;
        for steps in &mut chronicle.steps {
            *steps = read_steps(&mut from, count)?;
        }
        for _ in 0..from.count(PANES_AN_HOUR as usize, "hour")? {
            let pane = chronicle.closed - read_pane_number(&mut from)?;
            chronicle.hour.insert(pane, read_sums(&mut from)?);
        }
        chronicle.versions = read_versions(&mut from, start(chronicle.closed), VERSIONS_MAX)?;
        chronicle.sample = read_place(&mut from, function)?;
        (chronicle.latches, chronicle.pending) = read_told(&mut from)?;
        if version > WITHOUT_POOL {
            for _ in 0..from.count(DURATIONS_MIN as usize, "durations")? {
                let pane = chronicle.closed - read_pane_number(&mut from)?;
                chronicle.pool.0.push_back((pane, read_durations(&mut from)?));
            }
        }
        from.end()?;
        Ok(chronicle)
    }

    /// The same, unless it says of panes to come that they are over, or were reported of.
    ///
    /// # Errors
    /// If it does, as damaged bytes may: the function would not be looked at until these panes are over.
    pub(super) fn believed(self, now: Time) -> Result<Chronicle, Unreadable> {
        let newest = newest_pane(now);
        let is_ahead = self.first.max(self.last).max(self.closed) > newest;
        match is_ahead || are_ahead(self.latches.values(), newest) {
            true => Err(Unreadable::Damaged("times")),
            false => Ok(self),
        }
    }

    /// Notes versions that shards have seen.
    pub(super) fn see(&mut self, versions: &Versions) {
        for (name, first) in versions {
            numbers::see(&mut self.versions, name, *first, VERSIONS_MAX);
        }
    }
}

fn write_steps(out: &mut Writer, steps: &[Step]) {
    let mut before = 0;
    let mut rest = steps;
    while let [step, behind @ ..] = rest {
        out.signed(i64::from(step.0) - before);
        rest = behind;
        if i64::from(step.0) == before {
            let same = rest.iter().take_while(|step| i64::from(step.0) == before).count();
            out.number(same as u64);
            rest = &rest[same..];
        }
        before = i64::from(step.0);
    }
}

fn read_steps(from: &mut Reader<'_>, count: usize) -> Result<Vec<Step>, Unreadable> {
    const WHAT: &str = "steps";
    let (mut steps, mut before) = (Vec::new(), 0i64);
    while steps.len() < count {
        let change = from.signed(WHAT)?;
        let step = before.checked_add(change).and_then(|step| i16::try_from(step).ok());
        let step = step.ok_or(Unreadable::Damaged(WHAT))?;
        before = i64::from(step);
        steps.push(Step(step));
        if change == 0 {
            let same = from.count(count - steps.len(), WHAT)?;
            steps.extend((0..same).map(|_| Step(step)));
        }
    }
    Ok(steps)
}

/// Whether any episode is about a pane behind the newest there can be.
pub(super) fn are_ahead<'a>(latches: impl Iterator<Item = &'a Latch>, newest: i64) -> bool {
    let mut episodes = latches.filter_map(|latch| latch.episode);
    episodes.any(|of| of.opened.max(of.last).max(pane_of(of.start)) > newest)
}

/// Writes the episodes by detector, and the messages that wait.
pub(super) fn write_told(out: &mut Writer, latches: &Latches, pending: &[Vec<u8>]) {
    out.number(latches.len() as u64);
    for (id, latch) in latches {
        out.counted(id.as_bytes());
        write_latch(out, latch);
    }
    out.number(pending.len() as u64);
    pending.iter().for_each(|message| out.counted(message));
}

/// Reads what [`write_told`] wrote.
pub(super) fn read_told(from: &mut Reader<'_>) -> Result<(Latches, Vec<Vec<u8>>), Unreadable> {
    let (mut latches, mut pending) = (BTreeMap::new(), Vec::new());
    for _ in 0..from.count(DETECTORS_MAX, "episodes")? {
        let id = read_text(from, "detector")?;
        latches.insert(id, read_latch(from)?);
    }
    for _ in 0..from.count(MESSAGES_MAX, "messages")? {
        pending.push(from.counted(MESSAGE_BYTES_MAX, "message")?.to_vec());
    }
    Ok((latches, pending))
}

pub(super) fn write_latch(out: &mut Writer, latch: &Latch) {
    // Latches without an episode are not kept.
    let Some(episode) = &latch.episode else { return out.byte(0) };
    let told = if episode.told { TOLD } else { 0 };
    let closed = if episode.closed { CLOSED } else { 0 };
    out.byte(episode.severity as u8 | told | closed);
    out.signed(episode.start.0);
    write_f64(out, episode.peak);
    out.signed(episode.opened);
    out.signed(episode.last() - episode.opened);
    write_f64(out, episode.told_excess);
}

pub(super) fn read_latch(from: &mut Reader<'_>) -> Result<Latch, Unreadable> {
    const WHAT: &str = "episode";
    let flags = from.byte(WHAT)?;
    if flags == 0 {
        return Ok(Latch::default());
    }
    let severity: Severity = severity(flags & !TOLD & !CLOSED)?;
    let start = Time(from.signed(WHAT)?);
    let peak = read_f64(from, WHAT)?;
    let opened = read_pane_number(from)?;
    let last = opened + read_pane_number(from)?;
    let told_excess = read_f64(from, WHAT)?;
    let (told, closed) = (flags & TOLD != 0, flags & CLOSED != 0);
    let episode = Episode { start, severity, peak, opened, last, told_excess, told, closed };
    Ok(Latch { episode: Some(episode) })
}
