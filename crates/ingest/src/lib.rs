//! Log bytes to signals: the only code that touches hostile bytes and raw usernames.
//!
//! Parsing never fails: whatever cannot be read is a counted [`problem::Problem`], and everything
//! around it is still read. No IO, no clock, and no state between two lines.

pub mod format;
pub mod problem;
pub mod stamp;
pub mod username;
pub mod when;
