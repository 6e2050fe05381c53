//! The shared home of windows: a table that many writers change, none of which can be relied on.
//!
//! Read [`share`] for what a shard keeps of a key, [`store`] for how it is written, [`view`] for how the
//! shares of all shards become one window, [`latches`] for episodes, and [`table`] for the seam below.
//! [`functions`] is the same for what functions take. SHARED-STATE.md explains the protocol and why nothing simpler counts right.

pub mod bytes;
pub mod cache;
mod done;
pub mod functions;
mod index;
pub mod key_bytes;
pub mod latches;
mod latching;
mod merging;
pub mod patience;
pub mod share;
pub mod sketches;
pub mod stats;
pub mod store;
pub mod table;
mod tick;
pub mod view;
