//! Cases: what files must do, beside the files: `gitea.cases` beside `gitea.toml`, run by
//! `tidewatch test`. Those of a format are lines and what each must be read as:
//!
//! ```text
//! # A comment, or the page a line was taken from.
//! Failed authentication attempt for ann from 192.0.2.1:39522: user does not exist
//! -> failure user=ann known=no source=192.0.2.1
//!
//! ann signed out
//! -> nothing
//! ```
//!
//! What an expectation does not name is not there: no user, no source, whether the account exists not
//! told. `time=` is compared only where it is given. `format=` names the format that must read the line,
//! if it is not the file's own; `group=` is the log group it stands in.
//!
//! Those of a detector are scenarios: lines with their pace, and what must be raised in the end.
//!
//! ```text
//! # A list of names, one every ten seconds.
//! 30 times, every 10s:
//! {"event":"login","outcome":"failure","reason":"no such user","user":"{user}","ip":"192.0.2.1"}
//! -> high 192.0.2.1
//! ```
//!
//! `{user}` and `{address}` are new each time, `{user:3}` is one of three in turn, `{n}` counts from 1.
//! `after 20m:` lets time pass. Lines without a pace follow one another by a second. `-> quiet` expects
//! nothing; else there is one `->` for each episode, its worst severity and its key.
//!
//! Scenarios of a detector about invocations are the same with reports, which all stand in the log of the function
//! `checkout`: that is their key. `budget 10:` says what it may cost, in dollars a calendar month.
//!
//! Any case can be [varied](Variation): other addresses, names and times from a seed, the same outcome.
//! What holds only as it is written was fitted.

mod line;
mod names;
mod scenario;
mod spending;
mod variation;

pub use line::{Case, Expected, Runner, Signal, parse};
pub use scenario::{
    Lines, Raised, SCENARIO_LINES_MAX, SCENARIO_SPAN_MAX, Scenario, Step, scenarios,
};
pub use variation::Variation;

/// A case file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {why}")]
pub struct CaseError {
    /// The file, as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub why: String,
}

/// A case that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the case says.
    pub expected: String,
    /// What came of the line.
    pub found: String,
}

/// Words at blanks; in one with `="…"` blanks are part of it, and `\"` is a quote.
pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let blank = rest.find(' ').unwrap_or(rest.len());
        match rest.find("=\"").filter(|at| *at < blank) {
            Some(at) => {
                let mut values =
                    serde_json::Deserializer::from_str(&rest[at + 1..]).into_iter::<String>();
                let value = values.next().and_then(Result::ok);
                let value = value.ok_or_else(|| format!("`{rest}`: a quote that never closes"))?;
                words.push(format!("{}={value}", &rest[..at]));
                rest = &rest[at + 1 + values.byte_offset()..];
            }
            None => {
                words.push(rest[..blank].to_owned());
                rest = &rest[blank..];
            }
        }
        rest = rest.trim_start();
    }
    Ok(words)
}
