//! Cases of a format: a line, and what it must be read as.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tidewatch_core::agents::AgentNames;
use tidewatch_core::signal::{Auth, Outcome, Role, SignalKind, canonical};
use tidewatch_core::tag::{AgentTag, TagKey};
use tidewatch_ingest::Ingest;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::trace::{Answer, Asked};
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::{Civil, When};
use tidewatch_ingest::{Config, stamp};

use super::names::{self, ANOTHER};
use super::{CaseError, Difference, Variation, words};

/// A line and what it must be read as.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The line.
    pub line: String,
    /// Where it stands in its file, from 1.
    pub at: usize,
    /// What it says.
    pub expected: Expected,
    /// The format that must read it.
    pub format: String,
    /// The log group it stands in; empty for none.
    pub group: String,
}

/// What a line must be read as; `None` in [`Case::expected`] stands for nothing.
pub type Expected = Option<Signal>;

/// A signal as cases write it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// What was tried.
    pub action: SignalKind,
    /// Whether the try was let in.
    pub is_success: bool,
    /// Whether the line only mentions a try.
    pub is_mention: bool,
    /// The name.
    pub user: Option<String>,
    /// Whether the account exists.
    pub known: Option<bool>,
    /// The address.
    pub source: Option<IpAddr>,
    /// What the client calls itself; not compared where it is not given.
    pub agent: Option<String>,
    /// The autonomous system that announces the address; not compared where it is not given.
    pub asn: Option<u32>,
    /// How many tries.
    pub attempts: Option<u32>,
    /// The line's own time; not compared where it is not given.
    pub time: Option<When>,
}

/// The cases in the text of a file; `format` is the id of the format they belong to.
///
/// # Errors
/// At the first line that is neither a case nor a comment.
pub fn parse(file: &str, text: &str, format: &str) -> Result<Vec<Case>, CaseError> {
    let mut cases = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let error = |why: String| CaseError { file: file.to_owned(), line: at, why };
        match (line.strip_prefix("-> "), open) {
            (Some(expected), Some((at, of))) => {
                cases.push(case(of, at, expected, format).map_err(error)?);
                open = None;
            }
            (Some(_), None) => return Err(error("`->` stands behind no line".to_owned())),
            (None, Some((_, _))) => {
                let why =
                    "the line before lacks its `-> …`: write what it must be read as below it";
                return Err(error(why.to_owned()));
            }
            (None, None) if line.trim().is_empty() || line.starts_with("# ") => {}
            (None, None) => open = Some((at, line)),
        }
    }
    match open {
        Some((line, _)) => {
            let why = "this line lacks its `-> …`".to_owned();
            Err(CaseError { file: file.to_owned(), line, why })
        }
        None => Ok(cases),
    }
}

fn case(line: &str, at: usize, expected: &str, format: &str) -> Result<Case, String> {
    let mut case = Case {
        line: line.to_owned(),
        at,
        expected: None,
        format: format.to_owned(),
        group: String::new(),
    };
    let mut signal = Signal::default();
    let mut words = words(expected)?.into_iter();
    let mut outcome = words.next().unwrap_or_default();
    // Logins go without saying.
    let named = SignalKind::TRIED.into_iter().find(|kind| kind.action() == outcome);
    if let Some(action) = named.filter(|kind| *kind != SignalKind::Auth) {
        (signal.action, outcome) = (action, words.next().unwrap_or_default());
    }
    for word in words {
        if word == "mention" {
            signal.is_mention = true;
            continue;
        }
        let (name, value) = word.split_once('=').ok_or_else(|| unknown(&word))?;
        let value = value.to_owned();
        let bad = |what: &str| format!("`{word}`: {what}");
        match name {
            "user" => signal.user = Some(value),
            "known" if value == "yes" => signal.known = Some(true),
            "known" if value == "no" => signal.known = Some(false),
            "source" => {
                let address = value.parse().map_err(|_| bad("not an address"))?;
                signal.source = Some(canonical(address));
            }
            "agent" => signal.agent = Some(value),
            "asn" => signal.asn = Some(value.parse().map_err(|_| bad("not a number"))?),
            "attempts" => {
                let attempts = value.parse().map_err(|_| bad("not a number"))?;
                signal.attempts = Some(attempts);
            }
            "time" => {
                let when = stamp::json_text(&value).ok_or_else(|| bad("not a time"))?;
                signal.time = Some(when);
            }
            "format" => case.format = value,
            "group" => case.group = value,
            _ => return Err(unknown(&word)),
        }
    }
    match outcome.as_str() {
        "nothing" if signal.action == SignalKind::Auth => {}
        "failure" => case.expected = Some(signal),
        "success" => case.expected = Some(Signal { is_success: true, ..signal }),
        other => {
            return Err(format!(
                "`{other}`: write `failure`, `success` or `nothing` first, or behind `reset` or `sign-up`"
            ));
        }
    }
    Ok(case)
}

fn unknown(word: &str) -> String {
    format!(
        "`{word}` is none of mention, user=, known=yes|no, source=, agent=, asn=, attempts=, time=, format=, group="
    )
}

/// Reads lines as a run with these formats reads them, and compares.
pub struct Runner {
    pub(super) ingest: Ingest,
    pub(super) naming: Naming,
}

impl Runner {
    /// A runner for `formats`. Cases of formats tell names `Exact`ly; scenarios may fold them, as runs do.
    pub fn new(formats: Arc<Formats>, usernames: Usernames) -> Runner {
        let naming = Naming { key: TagKey::new([0; 16]), usernames };
        let mut ingest = Ingest::new(Config { naming, own_group: None, formats });
        ingest.hear_agents(AgentNames::default());
        ingest.hear_invocations();
        ingest.hear_bytes();
        Runner { ingest, naming }
    }

    /// What is different from what the case says; `None` if it holds, or if there is nothing in it that the
    /// variation could change.
    pub fn run(&self, case: &Case, variation: Variation) -> Option<Difference> {
        if let (Variation::None, Some(rival)) = (variation, self.rival(case)) {
            return Some(rival);
        }
        let variations = variation.of_case(case);
        let mut differences = variations.iter().map(|case| self.compare(case));
        let first = differences.next()??;
        let held = differences.any(|difference| difference.is_none());
        if held { None } else { Some(first) }
    }

    /// What to say of a case that another format could read with the same right: with as long a needle, so
    /// that which one reads it hangs on their ids.
    fn rival(&self, case: &Case) -> Option<Difference> {
        let trace = self.ingest.trace(&case.line, &case.group);
        let read = |asked: &&Asked<'_>| matches!(asked.answer, Answer::Reads(Some(_)));
        let reader = trace.asked.iter().find(read)?;
        let tied = |other: &&Asked<'_>| {
            other.answer == Answer::ReadsToo
                && other.is_general == reader.is_general
                && other.needle.len() == reader.needle.len()
        };
        let rival = trace.asked.iter().filter(|_| case.expected.is_some()).find(tied)?;
        let (one, other) = (reader.format, rival.format);
        let found = format!(
            "two formats claim it with needles of one length, `{one}` (`{}`) and `{other}` (`{}`): \
             give the one that should read it a longer needle",
            reader.needle, rival.needle
        );
        Some(Difference { expected: format!("one format reads it ({})", case.format), found })
    }

    fn compare(&self, case: &Case) -> Option<Difference> {
        let (said, format) = self.ingest.hear(&case.line, &case.group);
        let (auth, when) = match said {
            Said::Signal { auth, when, .. } => (Some(auth), when),
            _ => (None, None),
        };
        let holds = match (&case.expected, &auth) {
            (None, None) => true,
            (Some(signal), Some(auth)) => {
                format == Some(&case.format) && self.is(signal, auth, when)
            }
            _ => false,
        };
        if holds {
            return None;
        }
        let found = match &auth {
            None => {
                format!("{said:?}").split([' ', '(']).next().unwrap_or("nothing").to_lowercase()
            }
            Some(auth) => {
                let found = self.signal(&case.line, auth, when, case.expected.as_ref());
                format!("{found} (format {})", format.unwrap_or("none"))
            }
        };
        let expected = case.expected.as_ref().map_or("nothing".to_owned(), Signal::to_string);
        Some(Difference { expected: format!("{expected} (format {})", case.format), found })
    }

    fn is(&self, signal: &Signal, auth: &Auth, when: Option<When>) -> bool {
        let user = signal.user.as_ref().map(|name| self.naming.tag(name));
        auth.action == signal.action
            && (auth.outcome == Outcome::Success) == signal.is_success
            && (auth.role == Role::Mention) == signal.is_mention
            && auth.user == user
            && auth.user_known == signal.known
            && auth.source == signal.source
            && signal.agent.as_deref().is_none_or(|agent| auth.agent == Some(AgentTag::of(agent)))
            && (signal.asn.is_none() || auth.asn == signal.asn)
            && auth.attempts == signal.attempts.unwrap_or(1)
            && (signal.time.is_none() || signal.time == when)
    }

    /// The signal of `line` in a case's words. Of the user only a tag is known: whether it is the expected
    /// one, or which part of the line has it.
    fn signal(
        &self,
        line: &str,
        auth: &Auth,
        when: Option<When>,
        expected: Option<&Signal>,
    ) -> Signal {
        let name = expected.and_then(|expected| expected.user.clone());
        let agent = expected.and_then(|expected| expected.agent.clone());
        let user = auth.user.map(|tag| match name {
            Some(name) if self.naming.tag(&name) == tag => name,
            _ => names::behind(&self.naming, tag, line).unwrap_or_else(|| ANOTHER.to_owned()),
        });
        Signal {
            action: auth.action,
            is_success: auth.outcome == Outcome::Success,
            is_mention: auth.role == Role::Mention,
            user,
            known: auth.user_known,
            source: auth.source,
            agent: agent.filter(|agent| auth.agent == Some(AgentTag::of(agent))),
            asn: expected.and_then(|expected| expected.asn).and(auth.asn),
            attempts: (auth.attempts != 1).then_some(auth.attempts),
            time: expected.and_then(|expected| expected.time).and(when),
        }
    }
}

/// A time as a case may give it: RFC 3339, without a zone where it has none, as in syslog where it has no
/// year.
fn time_text(when: When) -> String {
    let civil = match when {
        When::At(time) => {
            let timestamp = jiff::Timestamp::from_millisecond(time.0);
            return timestamp.map_or_else(|_| format!("{} ms", time.0), |time| time.to_string());
        }
        When::Civil(civil) => civil,
    };
    let Civil { month, day, hour, minute, second, millisecond, .. } = civil;
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    let clock = if millisecond == 0 { clock } else { format!("{clock}.{millisecond:03}") };
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = usize::try_from(month - 1).unwrap_or_default() * 3;
    match civil.year {
        Some(year) => format!("{year:04}-{month:02}-{day:02}T{clock}"),
        None => format!("\"{} {day:>2} {clock}\"", MONTHS.get(at..at + 3).unwrap_or_default()),
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.action != SignalKind::Auth {
            write!(f, "{} ", self.action.action())?;
        }
        f.write_str(if self.is_success { "success" } else { "failure" })?;
        if self.is_mention {
            f.write_str(" mention")?;
        }
        if let Some(user) = &self.user {
            write!(f, " user={}", serde_json::Value::from(user.as_str()))?;
        }
        if let Some(known) = self.known {
            write!(f, " known={}", if known { "yes" } else { "no" })?;
        }
        if let Some(source) = self.source {
            write!(f, " source={source}")?;
        }
        if let Some(agent) = &self.agent {
            write!(f, " agent={}", serde_json::Value::from(agent.as_str()))?;
        }
        if let Some(asn) = self.asn {
            write!(f, " asn={asn}")?;
        }
        if let Some(attempts) = self.attempts {
            write!(f, " attempts={attempts}")?;
        }
        if let Some(time) = self.time {
            write!(f, " time={}", time_text(time))?;
        }
        Ok(())
    }
}
