//! The seeded simulator of the shared state.

pub mod executor;
pub mod table;
pub mod trace;
pub mod weather;
