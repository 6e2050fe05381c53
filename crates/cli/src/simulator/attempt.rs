//! A login attempt as it happened, before any log line tells of it: the truth the lines are written
//! from and the oracle counts.
//!
//! Invariant: names are lower-case ASCII without blanks, so that folding a name or not cannot change a
//! distinct count.

use std::net::IpAddr;

/// One decided try to log in.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// When it was decided; whole seconds at the bastion, whose syslog has no finer time.
    pub(super) time_ms: i64,
    pub(super) source: IpAddr,
    pub(super) user: String,
    pub(super) outcome: Outcome,
    pub(super) door: Door,
    /// What the client calls itself; empty where the line does not tell.
    pub(super) agent: &'static str,
}

/// How it ended, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    WrongPassword,
    ExpiredPassword,
    UnknownUser,
}

/// Where somebody may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The web shop.
    Web,
    /// The mobile app's own endpoint.
    Mobile,
    /// The endpoint partners and scripts use.
    Partner,
    /// ssh on the bastion host.
    Bastion,
}

impl Door {
    /// The doors of the shop, with the share of the logins each sees.
    pub(super) fn of_shop(roll: f64) -> Door {
        match roll {
            roll if roll < 0.5 => Door::Web,
            roll if roll < 0.8 => Door::Mobile,
            _ => Door::Partner,
        }
    }
}
