//! What invocations took, as sums: those of different invocations add to those of all.
//!
//! Endings that a line of their own mentions are counted apart from those that a report tells, since newer
//! runtimes write both: an ending is counted as often as the one or the other says, whichever says more.

use crate::invocation::{Ending, Invocation, Report};

/// Sums over some invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Reports.
    pub invocations: u64,
    /// Milliseconds that are billed.
    pub billed_ms: u64,
    /// Memory times milliseconds that are billed, in MB ms.
    pub mb_ms: u64,
    /// Invocations that waited for a new environment.
    pub cold_starts: u64,
    /// How long these took to start, in microseconds.
    pub cold_us: u64,
    /// Milliseconds billed for starting, of those that did not fail.
    pub start_ms: u64,
    /// The same times memory, in MB ms.
    pub start_mb_ms: u64,
    /// Reports of invocations that failed: that timed out, ran out of memory or ended in an error.
    pub failed: u64,
    /// Milliseconds billed for these.
    pub failed_ms: u64,
    /// The same times memory, in MB ms.
    pub failed_mb_ms: u64,
    /// Endings that reports tell.
    pub reported: Endings,
    /// Endings that other lines mention.
    pub mentioned: Endings,
    /// Environments that did not start, and served no invocation.
    pub failed_starts: u64,
    /// The most memory used, in MB.
    pub used_mb_max: u16,
    /// The most memory configured, in MB.
    pub memory_mb_max: u16,
}

/// How many invocations ended badly, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// Cut off at their time limit.
    pub timeouts: u64,
    /// Failed otherwise.
    pub errors: u64,
    /// Killed for want of memory.
    pub out_of_memory: u64,
}

impl Sums {
    /// Counts one line about an invocation.
    pub fn note(&mut self, invocation: &Invocation) {
        match (&invocation.report, invocation.request) {
            (Some(report), _) => self.note_report(report, invocation.ending),
            (None, Some(_)) => self.mentioned.note(invocation.ending),
            (None, None) => self.failed_starts += 1,
        }
    }

    fn note_report(&mut self, report: &Report, ending: Ending) {
        let (billed_ms, mb_ms) = (u64::from(report.billed_ms), report.mb_ms());
        self.invocations += 1;
        self.billed_ms += billed_ms;
        self.mb_ms += mb_ms;
        self.used_mb_max = self.used_mb_max.max(report.used_mb);
        self.memory_mb_max = self.memory_mb_max.max(report.memory_mb);
        if let Some(us) = report.cold_us {
            self.cold_starts += 1;
            self.cold_us += u64::from(us);
        }
        self.reported.note(ending);
        if ending != Ending::Finished {
            self.failed += 1;
            self.failed_ms += billed_ms;
            self.failed_mb_ms += mb_ms;
        } else if report.cold_us.is_some() {
            let ran_ms = u64::from(report.duration_us.div_ceil(1_000));
            let start_ms = billed_ms.saturating_sub(ran_ms);
            self.start_ms += start_ms;
            self.start_mb_ms += start_ms * u64::from(report.memory_mb);
        }
    }

    /// Adds the sums of other invocations.
    pub fn add(&mut self, other: &Sums) {
        self.invocations += other.invocations;
        self.billed_ms += other.billed_ms;
        self.mb_ms += other.mb_ms;
        self.cold_starts += other.cold_starts;
        self.cold_us += other.cold_us;
        self.start_ms += other.start_ms;
        self.start_mb_ms += other.start_mb_ms;
        self.failed += other.failed;
        self.failed_ms += other.failed_ms;
        self.failed_mb_ms += other.failed_mb_ms;
        self.reported.add(other.reported);
        self.mentioned.add(other.mentioned);
        self.failed_starts += other.failed_starts;
        self.used_mb_max = self.used_mb_max.max(other.used_mb_max);
        self.memory_mb_max = self.memory_mb_max.max(other.memory_mb_max);
    }

    /// How many ended badly, by reports or by other lines, whichever tell more of an ending.
    pub fn endings(&self) -> Endings {
        let (told, mentioned) = (self.reported, self.mentioned);
        Endings {
            timeouts: told.timeouts.max(mentioned.timeouts),
            errors: told.errors.max(mentioned.errors),
            out_of_memory: told.out_of_memory.max(mentioned.out_of_memory),
        }
    }
}

impl Endings {
    fn note(&mut self, ending: Ending) {
        match ending {
            Ending::Finished => {}
            Ending::Timeout => self.timeouts += 1,
            Ending::Error(_) => self.errors += 1,
            Ending::OutOfMemory => self.out_of_memory += 1,
        }
    }

    fn add(&mut self, other: Endings) {
        self.timeouts += other.timeouts;
        self.errors += other.errors;
        self.out_of_memory += other.out_of_memory;
    }
}
