//! The meter: what functions cost, from the reports of their invocations.
//!
//! The way of the data: an invocation's report → [`sums`], sums that add → [`panes`] of five minutes and of an
//! hour, with [`durations`] → a function's [`book`] → the [`ledger`] of all of them. Dollars are kept
//! nowhere: they are a linear function of a pane's sums under a [`tariff`], so that functions and hours sum to
//! the total to the last digit, and what was counted can be priced anew. [`breakdown`] says why two spans cost
//! differently, [`attribution`] and [`drivers`] whose they were, [`advice`] which memory would do.
//!
//! Invariant: a ledger below its limits is a function of its signals, however they were ordered, split and
//! merged; beyond them its sums still are.

pub mod advice;
pub mod attribution;
pub mod book;
pub mod breakdown;
pub mod drivers;
pub mod durations;
pub mod ledger;
pub mod money;
pub mod panes;
pub mod sums;
pub mod tariff;
