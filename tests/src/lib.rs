//! What the end-to-end tests need: the real binary, run as a user runs it; login events with exact
//! oracles; the containers that logs come in; labelled logs where there are any; a local cloud, and the
//! stack in it; and, for the shared state, the contract that every home of it keeps, a simulator of its
//! world, and stories of bad luck in it; what a deployed stack costs; days without an attack in the lines of
//! every shipped format; days of a big shop with attacks and innocents planted in them; what becomes of simulated
//! spend; and the score of what is odd about a series on labelled ones.

pub mod benign;
pub mod binary;
pub mod campaigns;
pub mod cloud;
pub mod containers;
pub mod cost;
pub mod drift;
pub mod environment;
pub mod events;
pub mod hub;
pub mod key_change;
pub mod labelled;
pub mod live;
pub mod luck;
pub mod ministack;
pub mod mmdb;
pub mod monitoring;
pub mod nab;
pub mod outline;
pub mod panther;
pub mod plain_table;
pub mod refused;
pub mod scans;
pub mod searched;
pub mod shared_functions;
pub mod simulated_stream;
pub mod simulator;
pub mod spend;
pub mod stack;
pub mod table_contract;
pub mod unlucky_table;
pub mod watched;
