//! The pure core of Tidewatch: signals in, findings out.
//!
//! It has no IO, no clock, no randomness, no async runtime and no file format, so that everything it
//! does can be tested by law and by oracle, and runs the same embedded and deployed. Read it in the
//! order of the data's way: [`signal`] → [`contribution`] → [`state`] → [`window`] → [`judge`] →
//! [`finding`]; [`engine`] runs them in that order.

pub mod access;
pub mod accounts;
pub mod admission;
pub mod agents;
pub mod allow;
pub mod change;
pub mod contribution;
pub mod counts;
pub mod delivery;
pub mod detector;
pub mod distinct;
pub mod engine;
pub mod episode;
pub mod event_ring;
pub mod fault;
pub mod finding;
pub mod first_seen;
mod gathered;
pub mod glob;
pub mod grounds;
pub mod invocation;
pub mod judge;
pub mod key;
pub mod key_ring;
pub mod limits;
pub mod lists;
pub mod memory;
pub mod meter;
pub mod net;
pub mod outbox;
pub mod panes;
pub mod plan;
mod points;
mod reading;
mod recency;
pub mod refusal;
pub mod retention;
pub mod safeguards;
pub mod seen;
pub mod sequence;
pub mod series;

pub mod shape;
pub mod signal;
pub mod sink;
pub mod sketch;
pub mod slack;
pub mod sources;
pub mod spend;
pub mod standing;
pub mod state;
pub mod store;
pub mod table_store;
pub mod tag;
pub mod time;
pub mod umbrella;
pub mod walk;
pub mod window;
