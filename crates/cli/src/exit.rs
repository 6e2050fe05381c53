//! How the program ends: its exit codes, and why a command could not start.

use tidewatch_rules::RuleError;

use crate::output::say;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Finished, whatever was found or rejected; also after Ctrl-C and a broken pipe.
    Done = 0,
    /// An input could not be opened or read, memory ran out for `--windows`, or output failed.
    Failed = 1,
    /// A usage or configuration error.
    Usage = 2,
}

/// Why a command could not start.
#[derive(Debug)]
pub enum Failure {
    /// Said in one sentence.
    Usage(anyhow::Error),
    /// Faults in detector files, each with its place.
    Rules(Vec<RuleError>),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Usage(error)
    }
}

impl Failure {
    /// Says it on standard error.
    pub fn report(self) {
        match self {
            Failure::Usage(error) => say(format_args!("tidewatch: {error:#}")),
            Failure::Rules(errors) => {
                for error in errors {
                    say(format_args!("{:?}", miette::Report::new(error)));
                }
            }
        }
    }
}
