//! The commands, a module each: `demo`, and `simulate`, which writes its world; `replay` with its live twin `watch`; those for whoever writes
//! detectors and formats: `explain`, `test`, `check` and `backtest`; `users`, `lists` and `who`, for whoever knows who
//! has an account, or whose names were leaked; `blocklist`, for whoever acts on findings; `bill`, for whoever pays; `coverage`, for whoever decides what is logged and sent; `feed`, `subscribe`,
//! `status` and `prove`, for whoever runs a stack; and what the program says of itself.

pub mod backtest;
pub mod bill;
pub mod blocklist;
pub mod check;
pub mod coverage;
pub mod demo;
pub mod explain;
pub mod feed;
pub mod lists;
pub mod manual;
pub mod prove;
pub mod replay;
pub mod simulate;
pub mod status;
pub mod subscribe;
pub mod test;
pub mod users;
pub mod who;

use std::time::{SystemTime, UNIX_EPOCH};

use tidewatch_core::time::Time;

/// The wall clock, read once when a command starts.
pub fn started() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// `1 file`, `2 files`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
