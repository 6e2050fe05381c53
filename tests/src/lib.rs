//! What the end-to-end tests need: the real binary, run as a user runs it; login events with exact
//! oracles; the containers that logs come in; labelled logs where there are any; and, for the shared
//! state, a local cloud, the contract that every home of it keeps, a simulator of its world, and stories
//! of bad luck in it.

pub mod binary;
pub mod containers;
pub mod events;
pub mod key_change;
pub mod labelled;
pub mod live;
pub mod luck;
pub mod ministack;
pub mod plain_table;
pub mod simulator;
pub mod table_contract;
pub mod unlucky_table;
pub mod watched;
