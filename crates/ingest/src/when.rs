//! The time a line gives. Some formats leave out the zone, and syslog leaves out the year too: those
//! are resolved by the caller, who knows the line before and what the user said.

use tidewatch_core::time::Time;

/// The time of an event, as far as the line or its envelope says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A point in time.
    At(Time),
    /// A wall-clock reading without a zone, perhaps without a year.
    Civil(Civil),
}

/// A wall-clock reading. Fields are in their ranges (month 1–12, day 1–31, hour 0–23, minute 0–59,
/// second 0–60), but the day may not exist in a given year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Missing in classic syslog.
    pub year: Option<i16>,
    /// 1–12.
    pub month: i8,
    /// 1–31.
    pub day: i8,
    /// 0–23.
    pub hour: i8,
    /// 0–59.
    pub minute: i8,
    /// 0–60.
    pub second: i8,
    /// 0–999.
    pub millisecond: i16,
}
