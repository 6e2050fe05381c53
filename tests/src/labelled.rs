//! Labelled logs outside the repository: their licences differ, so a user brings them. Tests that
//! score them say loudly that they were skipped when there are none.

use std::io::Write;
use std::path::PathBuf;

/// The folder named by TIDEWATCH_DATA.
pub fn data() -> Option<PathBuf> {
    folder("TIDEWATCH_DATA", "labelled logs")
}

/// The folder named by TIDEWATCH_PEERS: generators and baselines to race.
pub fn peers() -> Option<PathBuf> {
    folder("TIDEWATCH_PEERS", "generators and baselines")
}

fn folder(variable: &str, what: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(folder) => {
            let folder = PathBuf::from(folder);
            assert!(folder.is_dir(), "{variable}={} is not a folder", folder.display());
            Some(folder)
        }
        None => {
            // Straight to the stream: what a passing test prints with println! is not shown.
            let mut stderr = std::io::stderr().lock();
            let _ = writeln!(stderr, "SKIPPED: {variable} names no folder of {what}");
            None
        }
    }
}
