//! The score of the novelty rank on the Numenta Anomaly Benchmark, or any folder laid out like it: printed by
//! `cargo run --release -p tidewatch-tests --bin nab -- DIR`.
//!
//! The scorer first reproduces published totals from the published scores of single files. Then ours are told
//! beside them: at one threshold for all files; averaged over where files begin, which is the honest figure; with
//! the threshold of each file chosen on the others; and how often clean synthetic series are raised.
//!
//! The detector reads values in order and nothing else. Rows are taken as panes, whatever time lies between them.

pub mod clean;
pub mod corpus;
pub mod detector;
pub mod published;
pub mod scoring;
pub mod standing;
pub mod table;
