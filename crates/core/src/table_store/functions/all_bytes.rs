//! What the shared home knows of all functions together, as bytes. The tick alone writes it, under its version.
//!
//! ```text
//! version · the last pane that is over; the first and the newest with a report, from there (signed)
//!   · hours: number; the first, from that pane's; what each came to, one after the other
//!   · panes that wait: number; each: from the last one that is over, what it came to
//!   · accounts: number; each: its name · functions: number; each: name · taken in up to, and newest with a report, from
//!     there (signed) · months: number; each: its first pane, from there (signed), what was spent
//!   · episodes: number; each: detector's id, episode as of a function · messages: number; each: bytes
//! ```

use std::collections::BTreeMap;

use crate::limits::FUNCTIONS_WATCHED_MAX;
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::series::ahead::HOURS_MAX;
use crate::spend::course::PANES_AN_HOUR;
use crate::spend::tally::{Share, Tally};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::callers::read_money;
use crate::table_store::functions::chronicle::{Latches, are_ahead, read_told, write_told};
use crate::table_store::functions::newest_pane;
use crate::table_store::functions::numbers::{read_pane_number, read_text};
use crate::time::Time;

/// The newest version of the encoding.
const VERSION: u8 = 1;

/// The most panes that wait: what functions close in some ticks.
const WAITING_MAX: usize = 8_192;

/// Months of one function, at most.
const MONTHS_MAX: usize = 64;

/// What is known of all functions together.
#[derive(Clone, Debug, PartialEq)]
pub struct AllChronicle {
    pub(super) tally: Tally,
    /// Episodes about the budget of all, by detector.
    pub(super) latches: Latches,
    /// Messages that are not known to have left, in order.
    pub(super) pending: Vec<Vec<u8>>,
}

fn write_money(out: &mut Writer, amount: Money) {
    out.wide(amount.units().unsigned_abs());
}

impl AllChronicle {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Tally { first, last, over, functions, hours, waiting } = &self.tally;
        let mut out = Writer::default();
        out.byte(VERSION);
        out.signed(*over);
        out.signed(first - over);
        out.signed(last - over);
        let hour = over.div_euclid(PANES_AN_HOUR);
        let oldest = hours.keys().next().copied().unwrap_or(hour);
        let newest = hours.keys().next_back().map_or(oldest, |newest| newest + 1);
        out.number((newest - oldest).unsigned_abs());
        out.signed(oldest - hour);
        for hour in oldest..newest {
            write_money(&mut out, hours.get(&hour).copied().unwrap_or_default());
        }
        out.number(waiting.len() as u64);
        for (pane, amount) in waiting {
            out.signed(pane - over);
            write_money(&mut out, *amount);
        }
        let mut accounts = BTreeMap::<&str, Vec<(&str, &Share)>>::new();
        for (Function { account, name }, share) in functions {
            accounts.entry(account).or_default().push((name, share));
        }
        out.number(accounts.len() as u64);
        for (account, functions) in accounts {
            out.counted(account.as_bytes());
            out.number(functions.len() as u64);
            for (name, share) in functions {
                out.counted(name.as_bytes());
                write_share(&mut out, share, *over);
            }
        }
        write_told(&mut out, &self.latches, &self.pending);
        out.bytes
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// If a later version wrote it, or nobody did.
    pub fn decode(bytes: &[u8]) -> Result<AllChronicle, Unreadable> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let over = read_pane_number(&mut from)?;
        let mut tally = Tally::new(over);
        tally.first = over + read_pane_number(&mut from)?;
        tally.last = over + read_pane_number(&mut from)?;
        let hours = from.count(HOURS_MAX + 2, "hours")?;
        let hour = over.div_euclid(PANES_AN_HOUR);
        let oldest = hour + read_pane_number(&mut from)?;
        if hours > 0 && oldest + hours as i64 - 1 > hour {
            return Err(Unreadable::Damaged("hours"));
        }
        for hour in (oldest..).take(hours) {
            let amount = read_money(&mut from)?;
            if amount != Money::ZERO {
                tally.hours.insert(hour, amount);
            }
        }
        for _ in 0..from.count(WAITING_MAX, "panes")? {
            let pane = over + read_pane_number(&mut from)?;
            if pane <= over {
                return Err(Unreadable::Damaged("panes"));
            }
            tally.waiting.insert(pane, read_money(&mut from)?);
        }
        for _ in 0..from.count(FUNCTIONS_WATCHED_MAX, "accounts")? {
            let account = read_text(&mut from, "account")?;
            for _ in 0..from.count(FUNCTIONS_WATCHED_MAX, "functions")? {
                let name = read_text(&mut from, "function")?;
                let share = read_share(&mut from, over)?;
                tally.functions.insert(Function { account: account.clone(), name }, share);
            }
        }
        let (latches, pending) = read_told(&mut from)?;
        from.end()?;
        Ok(AllChronicle { tally, latches, pending })
    }

    /// The same, unless it says of panes to come that they are over, or were reported of.
    ///
    /// # Errors
    /// If it does, as damaged bytes may: nothing would be judged until these panes are over.
    pub(super) fn believed(self, now: Time) -> Result<AllChronicle, Unreadable> {
        let Tally { first, last, over, functions, hours: _, waiting } = &self.tally;
        let of_functions = functions
            .values()
            .flat_map(|share| share.months.keys().copied().chain([share.taken, share.last]));
        let panes = waiting.keys().copied().chain([*first, *last, *over]).chain(of_functions);
        let newest = newest_pane(now);
        let is_ahead = panes.max() > Some(newest) || are_ahead(self.latches.values(), newest);
        if is_ahead { Err(Unreadable::Damaged("times")) } else { Ok(self) }
    }

    /// Of each function up to which pane it was taken in, and what that came to by the first pane of a month.
    pub fn taken(&self) -> impl Iterator<Item = (&Function, i64, &BTreeMap<i64, Money>)> {
        let functions = self.tally.functions.iter();
        functions.map(|(function, share)| (function, share.taken, &share.months))
    }

    /// The last pane that is over for all, and what all hours and panes that wait came to.
    pub fn sums(&self) -> (i64, Money) {
        let Tally { over, hours, waiting, .. } = &self.tally;
        (*over, hours.values().chain(waiting.values()).copied().sum())
    }
}

fn write_share(out: &mut Writer, share: &Share, over: i64) {
    out.signed(share.taken - over);
    out.signed(share.last - over);
    out.number(share.months.len() as u64);
    for (month, amount) in &share.months {
        out.signed(month - over);
        write_money(out, *amount);
    }
}

fn read_share(from: &mut Reader<'_>, over: i64) -> Result<Share, Unreadable> {
    let taken = over + read_pane_number(from)?;
    let last = over + read_pane_number(from)?;
    let mut months = BTreeMap::new();
    for _ in 0..from.count(MONTHS_MAX, "months")? {
        let month = over + read_pane_number(from)?;
        months.insert(month, read_money(from)?);
    }
    Ok(Share { taken, last, months })
}
