//! What the benches need. A bench states its corpus and its machine, and runs its subject and what it
//! is compared with in turn in one run, because a shared machine's seconds mean nothing by
//! themselves: the ratios are the result.
//!
//! Whole programs are measured by the CPU seconds of the child process (user and system, all its
//! threads), never by the wall. Linux counts what a child held between fork
//! and exec into its peak memory, so the process that starts them stays small, and a peak below its
//! own is printed as a bound.
//!
//! Generators and Python baselines are not part of the repository; TIDEWATCH_PEERS names their
//! folder. What they generate is kept in the user's cache.

pub mod anatomy;
pub mod child;
pub mod clock;
pub mod cost;
pub mod detectors;
pub mod dynamo;
pub mod fleet;
pub mod instant_aws;
pub mod lambda_logs;
pub mod load;
pub mod options;
pub mod peers;
pub mod python;
pub mod records;
pub mod subject;
pub mod table;
