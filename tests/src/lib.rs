//! What the end-to-end tests need: the real binary, run as a user runs it; login events with exact
//! oracles; the containers that logs come in; and labelled logs where there are any.

pub mod binary;
pub mod containers;
pub mod events;
pub mod labelled;
pub mod live;
pub mod simulator;
