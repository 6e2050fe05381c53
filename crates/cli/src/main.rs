//! The `tidewatch` binary. So far it only holds the simulator the demo will run on.

#[allow(dead_code, reason = "the demo that calls it is not written yet")]
mod simulator;

fn main() {}
