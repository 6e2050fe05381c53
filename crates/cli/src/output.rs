//! Standard output: findings as text, or as one OCSF object a line and nothing else. Standard error:
//! what is said about the run.

use std::fmt;
use std::io::{self, Write};

use tidewatch_alert::Context;
use tidewatch_core::finding::Finding;
use tidewatch_core::sink::{AlertSink, SinkError};

use crate::args::Output;
use crate::exit::Exit;
use crate::progress::Progress;

/// Prints findings.
#[derive(Debug)]
pub struct Stdout {
    output: Output,
    progress: Progress,
}

impl Stdout {
    /// Prints as `output` says.
    pub fn new(output: Output, progress: Progress) -> Stdout {
        Stdout { output, progress }
    }
}

impl AlertSink for Stdout {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        let text = match self.output {
            Output::Text => tidewatch_alert::text(finding),
            Output::Json => {
                let context = Context::embedded(env!("CARGO_PKG_VERSION"));
                tidewatch_alert::ocsf(finding, &context).to_string()
            }
        };
        self.progress.aside(|| print(&text))
    }
}

/// Prints a line, and sees to it that it arrives now.
pub fn print(text: &str) -> Result<(), SinkError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()).map_err(closed)
}

/// Prints a command's whole result, and says how the program ends: with `exit`, also where the reader has
/// gone away and so has seen enough; as failed where it cannot be written.
pub fn deliver(text: &str, exit: Exit) -> Exit {
    match print(text) {
        Ok(()) | Err(SinkError::Closed) => exit,
        Err(SinkError::Failed(why)) => {
            say(format_args!("tidewatch: {why}"));
            Exit::Failed
        }
    }
}

/// Says something about the run on standard error. Nobody need listen: where it is closed, as behind
/// `2>&1 | head`, the run goes on.
pub fn say(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{what}");
}

/// A broken pipe is a reader who has seen enough, not a fault.
pub fn closed(error: io::Error) -> SinkError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => SinkError::Closed,
        _ => SinkError::Failed(format!("standard output: {error}")),
    }
}
