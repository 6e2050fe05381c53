//! Contributions: one batch's share for one key.
//!
//! A point is what one signal adds; points stay in input order, because embedded every point is judged
//! at its own event time. Embedded a batch is one log event, so that nothing depends on where input is
//! cut; deployed it is a Lambda batch with the range of sequence numbers it stands for.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::detector::DistinctField;
use crate::key::Key;
use crate::plan::{KeyPlanId, Shape};
use crate::tag::{EventTag, UserTag};
use crate::time::Time;

/// One batch's share for one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Which plan the key belongs to.
    pub plan: KeyPlanId,
    /// Whose share.
    pub key: Key,
    /// What it adds, in input order, at least one.
    pub points: SmallVec<[Point; 1]>,
}

/// What one signal adds to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Event time.
    pub time: Time,
    /// The event, for recognising a second delivery.
    pub event: EventTag,
    /// Which measures it satisfies, by way of the plan.
    pub shape: Shape,
    /// How many tries it stands for.
    pub attempts: u32,
    /// The name tried, where it is known.
    pub user: Option<UserTag>,
    /// Where it came from, where that is known.
    pub source: Option<Source>,
}

/// A source address and its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The whole address.
    pub address: IpAddr,
    /// Its tag; 0 where the key has no use for it.
    pub tag: u64,
}

impl Point {
    /// The tag of `field`, where the signal has one.
    pub fn tag(&self, field: DistinctField) -> Option<u64> {
        match field {
            DistinctField::User => self.user.map(|UserTag(tag)| tag),
            DistinctField::SourceIp => self.source.map(|source| source.tag),
        }
    }
}
