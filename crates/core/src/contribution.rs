//! Contributions: one batch's share for one key.
//!
//! A point is what one signal adds; points stay in input order, because embedded every point is judged
//! at its own event time. Embedded a batch is one log event, so that nothing depends on where input is
//! cut; deployed it is a Lambda batch, and each point knows which record it came in.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::detector::DistinctField;
use crate::key::Key;
use crate::key_ring::Generation;
use crate::plan::KeyPlanId;
use crate::sequence::Sequence;
use crate::shape::Shape;
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
    /// The tags of the points under the key that is not judged, one for each; none where nothing is
    /// written under it.
    pub again: Vec<Again>,
    /// Whether the key is judged: not where it is made of a tag that is not.
    pub judged: bool,
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
    /// Nothing yet, to a key that is judged.
    pub fn to(plan: KeyPlanId, key: Key) -> Contribution {
        let (points, again, parts) = (SmallVec::new(), Vec::new(), Vec::new());
        Contribution { plan, key, points, again, judged: true, parts }
    }

    /// The first and the last record with a share in it.
    pub fn sequences(&self) -> Option<(Sequence, Sequence)> {
        Some((self.parts.first()?.sequence, self.parts.last()?.sequence))
    }

    /// Where the points of records after `applied` begin.
    pub fn start_after(&self, applied: Sequence) -> usize {
        let old = self.parts.partition_point(|part| part.sequence <= applied);
        old.checked_sub(1).map_or(0, |last| self.parts[last].end)
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
    /// Of the key that tagged it.
    pub generation: Generation,
    /// The event, for recognising a second delivery.
    pub event: EventTag,
    /// Which measures it satisfies, by way of the plan.
    pub shape: Shape,
    /// How much it adds.
    pub amount: Amount,
    /// The name tried, where it is known; of an access what was asked for.
    pub user: Option<UserTag>,
    /// Where it came from, where that is known.
    pub source: Option<Source>,
}

/// How many tries a point stands for, or how many bytes were sent back where these are summed; at least 1. In 48
/// bits, so that a point has room for it beside its shape: a key may have many points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount([u8; 6]);

impl Amount {
    /// Of a number; what is beyond 48 bits is cut to the largest there is.
    pub fn of(number: u64) -> Amount {
        let [low @ .., _, _] = number.clamp(1, (1 << 48) - 1).to_le_bytes();
        Amount(low)
    }

    /// The number.
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    /// By how much it may let any measure grow at most; `u32::MAX` where it is that or more.
    pub fn weight(self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }
}

/// A source address and its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The whole address.
    pub address: IpAddr,
    /// Its tag; 0 where the key has no use for it.
    pub tag: u64,
}

/// The tags of a point under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Of the other key.
    pub generation: Generation,
    /// The name's.
    pub user: Option<UserTag>,
    /// The source's; 0 where the key has no use for it.
    pub source: Option<u64>,
}

impl Again {
    /// The tags of a point that is the same signal under the other key.
    pub fn of(point: &Point) -> Again {
        let Point { generation, user, source, .. } = *point;
        Again { generation, user, source: source.map(|source| source.tag) }
    }

    /// The tag of `field`, where the signal has one.
    pub fn tag(&self, field: DistinctField) -> Option<u64> {
        match field {
            DistinctField::User | DistinctField::Resource => self.user.map(|UserTag(tag)| tag),
            DistinctField::SourceIp => self.source,
        }
    }
}

impl Point {
    /// The tag of `field`, where the signal has one.
    pub fn tag(&self, field: DistinctField) -> Option<u64> {
        match field {
            DistinctField::User | DistinctField::Resource => self.user.map(|UserTag(tag)| tag),
            DistinctField::SourceIp => self.source.map(|source| source.tag),
        }
    }
}
