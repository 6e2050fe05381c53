//! How a deployed stack does: a verdict for each of its parts and for each log group.
//!
//! Asking and judging are apart: what was answered is turned into a verdict by a function of the answer alone.
//! Invariants: what could not be asked is unknown, never healthy; every verdict that is not healthy says why,
//! and what to do.

mod groups;
mod metrics;
mod parts;
mod secret;

use aws_config::SdkConfig;

use crate::failure::Failure;
use crate::pace::TokioPace;
use crate::stack::{Stack, StackError};

/// What is thought of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does what it is there for, as far as one can see.
    Healthy,
    /// Something is not seen, or not told.
    Blind {
        /// What is wrong.
        why: String,
        /// What mends it.
        todo: String,
    },
    /// It could not be asked.
    Unknown {
        /// Why not, and what to do.
        why: String,
    },
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A part of the stack, or a log group, by its name.
    pub about: String,
    /// Whether it is a log group.
    pub is_group: bool,
    /// Of a log group: whether it is sent to this stack.
    pub is_subscribed: bool,
    /// What is thought of it.
    pub verdict: Verdict,
    /// What is known of it: a name and a value each.
    pub facts: Vec<(&'static str, String)>,
}

impl Verdict {
    /// `healthy`, `blind` or `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Healthy => "healthy",
            Verdict::Blind { .. } => "blind",
            Verdict::Unknown { .. } => "unknown",
        }
    }

    /// Something is not seen, and what mends it.
    pub fn blind(why: impl Into<String>, todo: impl Into<String>) -> Verdict {
        Verdict::Blind { why: why.into(), todo: todo.into() }
    }

    /// Of what could not be asked: what is not there is not seen.
    pub fn of(failure: Failure) -> Verdict {
        match failure {
            Failure::Missing(why) => Verdict::blind(why, "deploy the stack again"),
            failure => Verdict::Unknown { why: failure.to_string() },
        }
    }
}

impl Line {
    /// Of a part of the stack.
    pub fn part(about: &str, verdict: Verdict, facts: Vec<(&'static str, String)>) -> Line {
        Line { about: about.to_owned(), is_group: false, is_subscribed: false, verdict, facts }
    }
}

/// Whom to ask about a stack.
#[derive(Clone, Debug)]
pub struct Status<'a> {
    config: &'a SdkConfig,
    stack: &'a Stack,
    pace: TokioPace,
}

impl<'a> Status<'a> {
    /// About `stack`. Sends nothing yet.
    pub fn new(config: &'a SdkConfig, stack: &'a Stack, pace: TokioPace) -> Status<'a> {
        Status { config, stack, pace }
    }

    /// All parts, and the log groups that fit one of `globs`.
    ///
    /// # Errors
    /// If the stack is none of ours, or log groups cannot be listed.
    pub async fn ask(&self, globs: &[String]) -> Result<Vec<Line>, StackError> {
        let mut lines = self.parts().await?;
        lines.extend(self.groups(globs).await?);
        Ok(lines)
    }
}
