//! What functions take, watched while it flows: whose cost, duration or failures are not what they usually are.
//!
//! The way of the data: a report → [`crate::meter::ledger`], sums by pane of five minutes → once a pane is over,
//! one number of it for each [`detector::Number`] → [`crate::series`], which weighs it against the past → a
//! [`detector::SpendDetector`] that raises or does not → an episode → a finding with what is usual, what it would
//! come to in a month, why it changed and whether a deployment coincides ([`spending`]).
//!
//! [`watch::Watch`] runs these steps, and [`course`] the last of them for both homes. A pane is over [`watch::LATENESS`] after its end; what comes later is counted
//! in the ledger and in no series. Only a function that runs away is judged within its pane.
//!
//! Invariant: what is told is a function of the reports and of how far the clock has come when each pane is closed.

pub mod all;
pub mod budget;
pub(crate) mod burning;
pub mod callers;
pub mod course;
pub mod detector;
pub mod drivers;
pub(crate) mod episodes;
pub(crate) mod judged;
pub mod lookout;
pub(crate) mod pool;
pub mod reasons;
pub(crate) mod riding;
pub mod spending;
pub(crate) mod tally;
pub mod watch;
