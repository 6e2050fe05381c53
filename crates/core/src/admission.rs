//! Which event times are believed. A rejected time moves nothing: neither `now`, nor a key's head.

use crate::limits::TIME_MIN;
use crate::time::Time;

/// The accepted range of event times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Nothing before this.
    pub earliest: Time,
    /// Nothing after this.
    pub latest: Time,
}

/// Why an event time was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejected {
    /// It lies before the accepted range.
    TooEarly,
    /// It lies after the accepted range.
    InFuture,
}

impl Admission {
    /// For past logs: from [`TIME_MIN`] to `latest`.
    pub fn until(latest: Time) -> Admission {
        Admission { earliest: TIME_MIN, latest }
    }

    /// The time, if it is believed.
    ///
    /// # Errors
    /// Says on which side of the range it lies.
    pub fn admit(&self, time: Time) -> Result<Time, Rejected> {
        if time < self.earliest {
            Err(Rejected::TooEarly)
        } else if time > self.latest {
            Err(Rejected::InFuture)
        } else {
            Ok(time)
        }
    }
}

impl Rejected {
    /// Both.
    pub const ALL: [Rejected; 2] = [Rejected::TooEarly, Rejected::InFuture];

    /// The stable name, as statistics print it.
    pub fn name(self) -> &'static str {
        match self {
            Rejected::TooEarly => "time_too_early",
            Rejected::InFuture => "time_in_future",
        }
    }
}
