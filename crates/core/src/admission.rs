//! Which event times are believed. A rejected time moves nothing: neither `now`, nor a key's head.

use crate::limits::{AGE_MAX, FUTURE_MAX, TIME_MIN};
use crate::signal::{Origin, Signal};
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

/// Lets signals through, and keeps count of those it turned away.
#[derive(Clone, Debug)]
pub struct Gate {
    admission: Admission,
    too_early: TurnedAway,
    in_future: TurnedAway,
}

/// Signals rejected for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// How many.
    pub count: u64,
    /// Where the first stands.
    pub first: Option<Origin>,
}

impl Gate {
    /// A gate that has turned nobody away.
    pub fn new(admission: Admission) -> Gate {
        Gate { admission, too_early: TurnedAway::default(), in_future: TurnedAway::default() }
    }

    /// Believes times up to `latest` from now on, if that is later than before: a live run's clock
    /// goes on.
    pub fn extend_to(&mut self, latest: Time) {
        self.admission.latest = self.admission.latest.max(latest);
    }

    /// Whether the signal's time is believed; if not, it is counted.
    pub fn lets_in(&mut self, signal: &Signal) -> bool {
        let turned_away = match self.admission.admit(signal.time) {
            Ok(_) => return true,
            Err(Rejected::TooEarly) => &mut self.too_early,
            Err(Rejected::InFuture) => &mut self.in_future,
        };
        turned_away.count += 1;
        turned_away.first.get_or_insert_with(|| signal.origin.clone());
        false
    }

    /// The event time of a signal that arrived at `arrival`, if it is believed; one that lies slightly
    /// ahead is the arrival's, so that no clock can own the newest event of a key.
    pub fn lets_in_live(&mut self, signal: &Signal, arrival: Time) -> Option<Time> {
        self.admission =
            Admission { earliest: arrival.minus(AGE_MAX), latest: arrival.plus(FUTURE_MAX) };
        self.lets_in(signal).then(|| signal.time.min(arrival))
    }

    /// The signals rejected for `reason`.
    pub fn turned_away(&self, reason: Rejected) -> &TurnedAway {
        match reason {
            Rejected::TooEarly => &self.too_early,
            Rejected::InFuture => &self.in_future,
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
