//! The seeded simulator of the shared state: the real pipeline, over a model of DynamoDB and of
//! Kinesis with Lambda, in a world where whatever can go wrong does.
//!
//! A run is a pure function of its seed. [`run`] plays it; the [`laws`] say what must hold afterwards;
//! the [`oracle`] knows what is true. Read them in the order [`world`] → [`source`] → [`poller`] →
//! [`environment`] → [`table`], which is the way of a log event.

pub mod detectors;
pub mod environment;
pub mod executor;
pub mod figures;
pub mod laws;
pub mod oracle;
pub mod play;
pub mod poller;
pub mod rotation;
pub mod source;
pub mod table;
pub mod topic;
pub mod trace;
pub mod weather;
pub mod world;

pub use play::{Run, Setup, run};
