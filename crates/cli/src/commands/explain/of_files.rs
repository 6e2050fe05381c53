//! The lines of whole files: how many each format reads, and the first of them step by step.
//!
//! Files are read a second time for this, after they have been counted, so it must end as soon as
//! somebody presses Ctrl-C; what has been looked at by then is shown, and said to be a part.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tidewatch_alert::rfc3339;
use tidewatch_ingest::Ingest;
use tidewatch_ingest::stamp;
use tidewatch_ingest::trace::Trace;

use super::signal;
use super::steps::Steps;
use crate::calendar::Calendar;
use crate::commands::counted;
use crate::lines::Lines;
use crate::settings::Reading;
use crate::standing::Standing;

/// What lines are looked at with.
pub struct Look<'a> {
    pub ingest: Ingest,
    pub reading: &'a Reading,
    pub standing: &'a Standing,
    /// Lines that are shown step by step.
    pub shown_max: usize,
    /// Set when somebody presses Ctrl-C.
    pub interrupted: &'a AtomicBool,
}

/// What the lines of files are, and the first of them step by step.
#[derive(Default)]
pub struct OfFiles {
    lines: u64,
    envelopes: u64,
    by: BTreeMap<String, Read>,
    unread: u64,
    shown: Vec<Steps>,
    /// Whether it ended before the files did.
    pub is_partial: bool,
}

/// The lines that a format reads.
#[derive(Default)]
struct Read {
    lines: u64,
    /// Of these the tries without a time, which are not counted.
    untimed: u64,
}

/// Looks at the lines of `files`.
pub fn of_files(files: &[PathBuf], look: &Look<'_>) -> OfFiles {
    let mut all = OfFiles::default();
    for path in files {
        // What cannot be read has been said already.
        let Ok(mut lines) = opened(path, look.reading) else { continue };
        let latest = look.reading.admission.latest;
        let mut calendar = Calendar::new(look.reading.zone.clone(), look.reading.year, latest);
        for nth in 1.. {
            if look.interrupted.load(Ordering::Relaxed) {
                all.is_partial = true;
                return all;
            }
            let Ok(Some(line)) = lines.next() else { break };
            if nth == 1
                && let Some((civil, _)) = stamp::syslog(line.as_bytes())
            {
                calendar.note(civil);
            }
            all.add(&line, || format!("{}:{nth}", path.display()), &mut calendar, look);
        }
    }
    all
}

/// A file once more, or the copy of what can be read only once.
fn opened(path: &Path, reading: &Reading) -> std::io::Result<Lines> {
    match reading.copies.get(path) {
        Some(copy) => copy.lines(),
        None => Lines::open(path),
    }
}

impl OfFiles {
    /// None looked at, for want of time.
    pub fn cut_short() -> OfFiles {
        OfFiles { is_partial: true, ..OfFiles::default() }
    }

    fn add(
        &mut self,
        line: &str,
        at: impl Fn() -> String,
        calendar: &mut Calendar,
        look: &Look<'_>,
    ) {
        self.lines += 1;
        let Some(trace) = look.ingest.trace_line(line) else {
            self.envelopes += 1;
            return;
        };
        if trace.needles.is_empty() {
            return;
        }
        let when = super::body_of(trace.said)
            .map(|(when, _)| when.and_then(|when| calendar.resolve(when)));
        match trace.by {
            Some(format) => {
                let read = self.by.entry(format.to_owned()).or_default();
                read.lines += 1;
                read.untimed += u64::from(when == Some(None));
            }
            None => self.unread += 1,
        }
        if self.shown.len() < look.shown_max {
            let mut steps = steps(line, &trace, when.flatten(), self.shown.len(), look);
            steps.at = Some(at());
            self.shown.push(steps);
        }
    }

    pub fn text(&self) -> String {
        let shown = self.shown.iter().map(Steps::text).collect::<Vec<_>>().join("\n");
        let by = self.by.iter().map(|(format, read)| match read.untimed {
            0 => format!("{format} {}", read.lines),
            untimed => format!(
                "{format} {} (of which {untimed} have no time and are not counted)",
                read.lines
            ),
        });
        let by = by.collect::<Vec<_>>().join(", ");
        let mut text = String::new();
        if !shown.is_empty() {
            let _ = writeln!(text, "{shown}");
        }
        if self.is_partial {
            text += "interrupted, so this is only a part:\n";
        }
        let read = if by.is_empty() { "none" } else { &by };
        let _ = writeln!(text, "of {} are read by a format: {read}", counted(self.lines, "line"));
        if self.unread > 0 {
            let _ = writeln!(text, "{} more hold a needle and are read by none", self.unread);
        }
        if self.envelopes > 0 {
            let events = self.envelopes;
            let _ = writeln!(text, "{events} are envelopes or events, with lines in them");
        }
        text + "\n"
    }

    pub fn json(&self) -> Value {
        let by = |of: fn(&Read) -> u64| -> BTreeMap<&String, u64> {
            let all = self.by.iter().map(|(format, read)| (format, of(read)));
            all.filter(|(_, lines)| *lines > 0).collect()
        };
        json!({
            "lines": self.shown.iter().map(Steps::json).collect::<Vec<_>>(),
            "lines_total": self.lines, "read_by": by(|read| read.lines),
            "without_time": by(|read| read.untimed), "needle_but_unread": self.unread,
            "envelopes": self.envelopes, "partial": self.is_partial,
        })
    }
}

/// The steps of a line of a file, whose signal has `at` for its time.
fn steps(
    line: &str,
    trace: &Trace<'_>,
    at: Option<tidewatch_core::time::Time>,
    nth: usize,
    look: &Look<'_>,
) -> Steps {
    let mut steps = Steps::new(line, Some(trace), look.reading.users.as_ref());
    match (super::body_of(trace.said), at) {
        (Some((_, body)), Some(at)) => {
            if look.reading.admission.admit(at).is_err() {
                let why = format!("its time, {}, is outside what is believed", rfc3339(at));
                steps.is_not_counted(&why);
            } else {
                let signal = signal(look.reading, body, at, nth as u64);
                steps.counts(look.standing, &signal, true);
            }
        }
        (Some(_), None) => steps.is_not_counted("it has no time of its own"),
        _ => {}
    }
    steps
}
