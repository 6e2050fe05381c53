//! The pure core of Tidewatch: signals in, findings out.
//!
//! It has no IO, no clock, no randomness, no async runtime and no file format, so that everything it
//! does can be tested by law and by oracle, and runs the same embedded and deployed.

pub mod detector;
pub mod finding;
pub mod key;
pub mod limits;
pub mod signal;
pub mod tag;
pub mod time;
