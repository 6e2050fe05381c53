//! The commands: `demo`, and `replay` with its live twin `watch`.

pub mod demo;
pub mod replay;

use std::time::{SystemTime, UNIX_EPOCH};

use tidewatch_core::time::Time;

/// The wall clock, read once when a command starts.
pub fn started() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
