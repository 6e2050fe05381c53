//! Contributions: one batch's share for one key.
//!
//! A point is what one signal adds; points stay in input order, because embedded every point is judged
//! at its own event time. Embedded a batch is one log event, so that nothing depends on where input is
//! cut; deployed it is a Lambda batch, and each point knows which record it came in.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::detector::DistinctField;
use crate::key::Key;
use crate::plan::{KeyPlanId, Shape};
use crate::sequence::Sequence;
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
    /// Which records the points came in, in order; none where there are no records.
    pub parts: Vec<Part>,
}

/// The points of one record, which follow those of the part before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The record.
    pub sequence: Sequence,
    /// Where its points end in [`Contribution::points`].
    pub end: usize,
}

impl Contribution {
    /// The first and the last record with a share in it.
    pub fn sequences(&self) -> Option<(Sequence, Sequence)> {
        Some((self.parts.first()?.sequence, self.parts.last()?.sequence))
    }

    /// The points of records after `applied`.
    pub fn points_after(&self, applied: Sequence) -> &[Point] {
        let old = self.parts.partition_point(|part| part.sequence <= applied);
        let start = old.checked_sub(1).map_or(0, |last| self.parts[last].end);
        &self.points[start..]
    }

    /// The earliest event time among its points.
    pub fn earliest(&self) -> Time {
        self.points.iter().map(|point| point.time).min().unwrap_or(Time::MIN)
    }
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
