//! A series as bytes, version 1, little-endian: the numbers as steps, and of each channel which panes had a
//! distance and the largest distances. Bytes come from a store of ours: what does not fit is said, never guessed.

use super::history::History;
use super::rank::Distances;
use super::steps::Step;
use super::{Gap, HISTORY_BYTES, HISTORY_PANES, KEPT_PANES, Series, novelty};
use crate::time::Span;

const VERSION: u8 = 1;

/// The most that a stored series takes, where each distance is smaller than the one before for five weeks:
/// usually it is some 24 KB, 20 of them numbers.
pub const STORED_BYTES_MAX: usize =
    HISTORY_BYTES + 24 + 3 * (3 + HISTORY_PANES.div_ceil(8) + HISTORY_PANES * PAIR_BYTES);

/// A pane, counted back from the newest, and its distance.
const PAIR_BYTES: usize = 2 + 4;

/// Bytes that are no series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a series: {0}")]
pub struct Malformed(pub &'static str);

impl Series {
    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, u8::from(self.gap == Gap::Absent)];
        bytes.extend(self.width.0.to_le_bytes());
        bytes.extend(self.history.newest().unwrap_or(i64::MIN).to_le_bytes());
        bytes.extend((self.history.panes() as u32).to_le_bytes());
        for (_, step) in self.history.iter() {
            bytes.extend(step.0.to_le_bytes());
        }
        if let Some(newest) = self.history.newest() {
            for distances in [&self.value, &self.shape, &self.hours] {
                self.write(&mut bytes, distances, newest);
            }
        }
        bytes
    }

    fn write(&self, bytes: &mut Vec<u8>, distances: &Distances, newest: i64) {
        let known = |back: usize| distances.is_known(newest - back as i64);
        let run = (0..self.horizon).take_while(|back| known(*back)).count();
        let in_one_run = (run..self.horizon).all(|back| !known(back));
        bytes.push(u8::from(in_one_run));
        match in_one_run {
            true => bytes.extend((run as u16).to_le_bytes()),
            false => {
                let byte = |at: usize| {
                    let backs = (at * 8..self.horizon).take(8).enumerate();
                    backs.fold(0, |byte, (bit, back)| byte | u8::from(known(back)) << bit)
                };
                bytes.extend((0..self.horizon.div_ceil(8)).map(byte));
            }
        }
        bytes.extend((distances.largest().len() as u16).to_le_bytes());
        for far in distances.largest() {
            bytes.extend(((newest - far.pane) as u16).to_le_bytes());
            bytes.extend(far.distance.to_le_bytes());
        }
    }

    /// The series that was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Series, Malformed> {
        Series::read(HISTORY_PANES, bytes)
    }

    pub(super) fn read(horizon: usize, bytes: &[u8]) -> Result<Series, Malformed> {
        let mut rest = Bytes(bytes);
        if rest.take::<1>()? != [VERSION] {
            return Err(Malformed("an unknown version"));
        }
        let gap = match rest.take()? {
            [0] => Gap::Zero,
            [1] => Gap::Absent,
            _ => return Err(Malformed("an unknown kind of gap")),
        };
        let width = i64::from_le_bytes(rest.take()?);
        if width <= 0 {
            return Err(Malformed("panes without width"));
        }
        let mut series = Series::looking_back(horizon, Span(width), gap);
        let newest = i64::from_le_bytes(rest.take()?);
        let panes = u32::from_le_bytes(rest.take()?) as usize;
        if panes > KEPT_PANES
            || (panes > 0 && newest.checked_abs().is_none_or(|at| at > i64::MAX / 4))
        {
            return Err(Malformed("panes that cannot be"));
        }
        if panes > 0 {
            series.history = history(&mut rest, horizon, newest, panes)?;
            for channel in [&mut series.value, &mut series.shape, &mut series.hours] {
                *channel = distances(&mut rest, horizon, newest)?;
            }
        }
        rest.0.is_empty().then_some(series).ok_or(Malformed("bytes behind its end"))
    }
}

fn history(
    rest: &mut Bytes,
    horizon: usize,
    newest: i64,
    panes: usize,
) -> Result<History, Malformed> {
    let mut history = History::new(horizon + novelty::REACH_PANES);
    history.begin(newest + 1 - panes as i64);
    for _ in 0..panes {
        history.push(Step(i16::from_le_bytes(rest.take()?)));
    }
    Ok(history)
}

fn distances(rest: &mut Bytes, horizon: usize, newest: i64) -> Result<Distances, Malformed> {
    let in_one_run = rest.take::<1>()? == [1];
    let run = if in_one_run { usize::from(u16::from_le_bytes(rest.take()?)) } else { 0 };
    let bits = if in_one_run { &[] } else { rest.slice(horizon.div_ceil(8))? };
    if run > horizon {
        return Err(Malformed("more distances than panes"));
    }
    let known = |back: &usize| match in_one_run {
        true => *back < run,
        false => bits[back / 8] & 1 << (back % 8) != 0,
    };
    let panes = (0..horizon).filter(known).map(|back| newest - back as i64);
    let count = usize::from(u16::from_le_bytes(rest.take()?));
    let mut largest: Vec<(i64, f32)> = Vec::with_capacity(count.min(horizon));
    for _ in 0..count {
        let pane = newest - i64::from(u16::from_le_bytes(rest.take()?));
        let distance = f32::from_le_bytes(rest.take()?);
        let follows = largest.last().is_none_or(|(before, _)| *before < pane);
        if !follows || distance.is_nan() || newest - pane >= horizon as i64 {
            return Err(Malformed("distances out of order"));
        }
        largest.push((pane, distance));
    }
    Ok(Distances::again(horizon, newest, panes, largest))
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.slice(N)?.try_into().map_err(|_| Malformed("it ends too early"))
    }
}
