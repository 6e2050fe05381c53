//! The seeded simulator of the shared state.

pub mod environment;
pub mod executor;
pub mod poller;
pub mod source;
pub mod table;
pub mod topic;
pub mod trace;
pub mod weather;
