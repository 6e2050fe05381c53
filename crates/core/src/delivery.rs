//! A delivered batch: records of one shard in order, and how far it was dealt with.
use crate::sequence::Sequence;
use crate::signal::Signal;
use crate::sink::SinkError;
use crate::store::StoreError;
use crate::time::Time;

/// One record of a shard, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where it stands in its shard.
    pub sequence: Sequence,
    /// When Kinesis took it in (`approximateArrivalTimestamp`).
    pub arrival: Time,
    /// What its log events say, in their order.
    pub signals: Vec<Signal>,
}

/// How far a batch was dealt with: everything before `first_unapplied` need not come again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// The lowest sequence number that must be delivered again, with all after it; `None`: the whole
    /// batch is done.
    pub first_unapplied: Option<Sequence>,
    /// Why, the first fault met.
    pub fault: Option<Fault>,
}

/// Why a part of a batch must be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
}
