//! Writes down how far a run has come, so that a later one goes on behind it, however this one ends.
//!
//! Invariant: the file says only what has been dealt with: findings printed, counts taken. It is written once
//! a second at most, and when the run ends; what came in between is dealt with again by the next run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::whole_file;

/// How often it is written at most.
const KEPT_EVERY: Duration = Duration::from_secs(1);

/// A file with the newest mark.
pub struct Keeper {
    path: PathBuf,
    kept: Option<Instant>,
    waiting: Option<String>,
}

impl Keeper {
    /// Writes to `path`.
    pub fn new(path: PathBuf) -> Keeper {
        Keeper { path, kept: None, waiting: None }
    }

    /// Takes note of a mark; what went wrong, if it could not be written.
    pub fn keep(&mut self, mark: String) -> Option<String> {
        self.waiting = Some(mark);
        self.catch_up()
    }

    /// Writes what has waited long enough; what went wrong, if it could not be written. To be asked now and
    /// then also while nothing new comes.
    pub fn catch_up(&mut self) -> Option<String> {
        if self.kept.is_some_and(|kept| kept.elapsed() < KEPT_EVERY) {
            return None;
        }
        self.write()
    }

    /// Writes what waits; what went wrong, if it could not be written.
    pub fn finish(mut self) -> Option<String> {
        self.write()
    }

    fn write(&mut self) -> Option<String> {
        let mark = self.waiting.take()?;
        self.kept = Some(Instant::now());
        let written = whole_file::replace(&self.path, mark.as_bytes());
        written.err().map(|error| format!("checkpoint {}: {error}", self.path.display()))
    }
}
