//! Faults of the two hosts a pipeline works with.

use crate::sink::SinkError;
use crate::store::StoreError;

/// Why the pipeline stopped, or a part of a batch must be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
}
