//! A delivered batch: records of one shard in order, and how far it was dealt with.

use crate::contribution::Contribution;
use crate::fault::Fault;
#[cfg(doc)]
use crate::key_ring::Phase;
use crate::sequence::Sequence;
use crate::signal::Signal;
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
    /// The same signals in the same order, tagged under [`Phase::other`]; empty where there is none.
    pub again: Vec<Signal>,
}

/// How far a batch was dealt with: everything before `first_unapplied` need not come again. As Lambda's
/// partial batch response has it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// The lowest sequence number that must be delivered again, with all after it; `None`: the whole
    /// batch is done.
    pub first_unapplied: Option<Sequence>,
    /// Why, the first fault met.
    pub fault: Option<Fault>,
}

impl Acknowledged {
    /// Asks for all records of a contribution again.
    pub(crate) fn give_back(&mut self, contribution: &Contribution, fault: Fault) {
        self.ask_again(contribution.sequences().map(|(first, _)| first), fault);
    }

    /// Asks for all from a record on again.
    pub(crate) fn ask_again(&mut self, first: Option<Sequence>, fault: Fault) {
        self.first_unapplied = match (self.first_unapplied, first) {
            (Some(known), Some(first)) => Some(known.min(first)),
            (known, first) => known.or(first),
        };
        self.fault.get_or_insert(fault);
    }
}
