//! What happened, one line each: virtual time, who, what. Only kept when somebody wants to read it;
//! the same seed gives the same lines, byte for byte.

use std::fmt::Display;
use std::sync::{Arc, Mutex};

use super::executor::{Clock, lock};

/// Where everybody notes what they do.
#[derive(Clone, Debug)]
pub struct Trace {
    clock: Clock,
    begun_ms: i64,
    lines: Option<Arc<Mutex<String>>>,
}

impl Trace {
    /// A trace that keeps its lines, or not.
    pub fn new(clock: Clock, kept: bool) -> Trace {
        let begun_ms = clock.now_ms();
        Trace { clock, begun_ms, lines: kept.then(Arc::default) }
    }

    /// Notes that `who` did `what`, which is only put into words if it is kept.
    pub fn note<W: Display>(&self, who: W, what: impl FnOnce() -> String) {
        let Some(lines) = &self.lines else { return };
        let ms = self.clock.now_ms() - self.begun_ms;
        let (seconds, ms) = (ms / 1_000, ms % 1_000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let time = format!("{:02}:{:02}:{seconds:02}.{ms:03}", minutes / 60, minutes % 60);
        lock(lines).push_str(&format!("{time} {who:<12} {}\n", what()));
    }

    /// All lines so far.
    pub fn text(&self) -> String {
        self.lines.as_ref().map(|lines| lock(lines).clone()).unwrap_or_default()
    }
}
