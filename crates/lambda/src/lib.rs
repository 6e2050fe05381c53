//! The deployed function: batches of a Kinesis stream to findings on a topic.
//!
//! ```text
//! event → reading → engine ──────────────→ report → metrics
//!   bytes   signals   counts, findings       one line
//! ```
//!
//! [`function`] owns the control flow and is the file to read first. Nothing an environment remembers
//! between two invocations matters for correctness: it may be frozen, thrown away, or serve another shard
//! next.
//!
//! Invariants: every record of a batch is counted, kept in quarantine, or asked for again; and whatever
//! somebody must act on is one ERROR line and one metric.

pub mod allowing;
pub mod event;
pub mod function;
mod lists;
pub mod log;
pub mod metrics;
pub mod reading;
pub mod report;
pub mod rotation;
pub mod rules;
pub mod settings;
pub mod users;
pub mod weighing;
