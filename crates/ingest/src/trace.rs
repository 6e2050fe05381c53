//! How a message was read, step by step: for whoever writes a format and wonders where a line went.

use crate::Ingest;
use crate::declared::{Claim, Declared};
use crate::format::{self, Format, Memos, Said};
use crate::lines;
use crate::tail;
use crate::username::Names;

/// The steps from a message to what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace<'a> {
    /// The needles it holds, each with the format it is of. Without any it is not looked at.
    pub needles: Vec<(&'a str, &'a str)>,
    /// The formats with a needle in it, in the order in which they are asked.
    pub asked: Vec<Asked<'a>>,
    /// What it says.
    pub said: Said,
    /// The format that says so.
    pub by: Option<&'a str>,
    /// Whether it is the known users who say whether the account exists, and not the message.
    pub known_by_users: bool,
}

/// A format with a needle in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its id.
    pub format: &'a str,
    /// Its longest needle in the message.
    pub needle: &'a str,
    /// Whether it is a net behind the others.
    pub is_general: bool,
    /// What it answered.
    pub answer: Answer,
}

/// What a format makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It reads it; a declared format by the line of its file with this number, from 1.
    Reads(Option<usize>),
    /// It cannot read it.
    CannotRead,
    /// It is for other log groups.
    OtherGroups,
    /// It is general, and not asked about JSON objects.
    NotAboutJson,
    /// It could read it too, but comes after the one that does.
    ReadsToo,
}

impl Ingest {
    /// The steps of one line of a local input, behind the time and log stream of `aws logs tail` if it has
    /// them; `None` for an envelope or a Kinesis event, in which events stand, and not one.
    pub fn trace_line(&self, line: &str) -> Option<Trace<'_>> {
        if lines::shape(line.as_bytes()) != lines::Shape::Other {
            return None;
        }
        let tail = tail::split(line);
        let readings = tail.iter().flat_map(|tail| tail.readings());
        let traces = readings.map(|reading| {
            let mut trace = self.trace(reading.message, "");
            if let Said::Signal { when, .. } | Said::Invocation { when, .. } = &mut trace.said {
                // The time before the message is the event's own.
                *when = reading.time.or(*when);
            }
            trace
        });
        // As when it is read: a net's word counts where no other has one.
        let traces: Vec<Trace<'_>> = traces.collect();
        let says = |trace: &&Trace<'_>| {
            matches!(trace.said, Said::Signal { .. } | Said::Invocation { .. })
        };
        let by_net = |trace: &&Trace<'_>| {
            trace.asked.iter().any(|asked| Some(asked.format) == trace.by && asked.is_general)
        };
        let special = traces.iter().find(|trace| says(trace) && !by_net(trace));
        let best = special.or(traces.iter().find(says)).cloned();
        Some(best.unwrap_or_else(|| self.trace(line, "")))
    }

    /// The steps by which [`Ingest::hear`] comes to what `message` in `log_group` says.
    pub fn trace(&self, message: &str, log_group: &str) -> Trace<'_> {
        let (said, by) = self.hear(message, log_group);
        let known_by_users = self.known_by_users(said, message, log_group);
        let mut needles: Vec<(&str, &str)> = Vec::new();
        if self.needles.find(message.as_bytes(), 0).is_none() {
            return Trace { needles, asked: Vec::new(), said, by, known_by_users };
        }
        for format in self.built_in() {
            needles.extend(format.needles().iter().map(|needle| (*needle, format.name())));
        }
        for declared in self.formats.all() {
            needles.extend(declared.needles.iter().map(|n| (n.as_str(), declared.id.as_str())));
        }
        needles.retain(|(needle, _)| message.contains(needle));
        let longest = |id: &str| {
            let of = needles.iter().filter(|(_, format)| *format == id).map(|(needle, _)| *needle);
            of.max_by_key(|needle| needle.len())
        };
        let mut asked = Vec::new();
        let mut ask = |format, answer| {
            if let Some(needle) = longest(format) {
                let is_read = |asked: &Asked<'_>| matches!(asked.answer, Answer::Reads(_));
                let late = asked.iter().any(is_read);
                let reads = matches!(answer, Answer::Reads(_));
                let answer = if late && reads { Answer::ReadsToo } else { answer };
                let general = |declared: &&Declared| declared.id == format && declared.is_general;
                let is_general = self.formats.all().iter().any(|declared| general(&declared));
                asked.push(Asked { format, needle, is_general, answer });
            }
        };
        for format in self.built_in().filter(|format| *format != Format::JsonAuth) {
            ask(format.name(), self.answer(format, message, log_group));
        }
        let claims = self.formats.claims(message, log_group);
        let (special, general) = self.formats.split(&claims);
        let declared = |claim: &Claim| {
            let declared = &self.formats.all()[claim.format];
            let read = declared.reading(message, &self.names);
            let answer = read.map_or(Answer::CannotRead, |nth| Answer::Reads(Some(nth + 1)));
            (declared.id.as_str(), answer)
        };
        let json = (Format::JsonAuth.name(), self.answer(Format::JsonAuth, message, log_group));
        let nets = general.iter().map(declared);
        for (format, answer) in special.iter().map(declared).chain([json]).chain(nets) {
            ask(format, answer);
        }
        for (format, declared) in self.formats.all().iter().enumerate() {
            if claims.iter().all(|claim| claim.format != format) {
                let json = declared.is_general && message.starts_with('{');
                ask(&declared.id, if json { Answer::NotAboutJson } else { Answer::OtherGroups });
            }
        }
        Trace { needles, asked, said, by, known_by_users }
    }

    /// Whether `message`, which says `said`, would not say whether the account exists without known users.
    fn known_by_users(&self, said: Said, message: &str, log_group: &str) -> bool {
        let known = |said| matches!(said, Said::Signal { auth, .. } if auth.user_known.is_some());
        let names = Names { known_users: None, ..self.names.clone() };
        let has_users = self.names.known_users.is_some();
        has_users && known(said) && !known(self.hear_with(message, log_group, &names).0)
    }

    fn answer(&self, format: Format, message: &str, log_group: &str) -> Answer {
        let place = (log_group, false);
        let said = format::read(format, message, place, &self.names, &mut Memos::default());
        if said == Said::Nothing { Answer::CannotRead } else { Answer::Reads(None) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidewatch_core::signal::{Outcome, Role};
    use tidewatch_core::tag::TagKey;

    use super::*;
    use crate::Config;
    use crate::declared::{Body, Choice, Declared, Formats, Glob, Pattern, Reading, Told};
    use crate::username::{Naming, Usernames};

    fn format(id: &str, needle: &str, pattern: &str, groups: &[&str]) -> Declared {
        let reading = Reading {
            action: Choice::Untold,
            body: Body::Text {
                pattern: Pattern::new(pattern).expect("a pattern"),
                also: Vec::new(),
            },
            outcome: Choice::Always(Told::Outcome(Outcome::Failure)),
            user_known: Choice::Untold,
            role: Role::Attempt,
            user: vec!["user".to_owned()],
            agent: Vec::new(),
            asn: Vec::new(),
            source: Vec::new(),
            time: Vec::new(),
            time_as: None,
            attempts: None,
            no_user: Vec::new(),
            proxies: 0,
        };
        Declared {
            id: id.to_owned(),
            log_groups: groups.iter().map(|group| Glob::new(group)).collect(),
            needles: vec![needle.to_owned()],
            is_general: id == "net",
            readings: vec![reading],
        }
    }

    fn ingest() -> Ingest {
        let all = vec![
            format("app", "turn of ", "turn of (?<user>.+) failed", &[]),
            format("other", "turn of ann", "nothing like it", &[]),
            format("far", "turn", "turn", &["/far/*"]),
            format("net", "failed", "(?<user>ann).*failed", &[]),
        ];
        let naming = Naming { key: TagKey::new([0; 16]), usernames: Usernames::Exact };
        Ingest::new(Config { naming, own_group: None, formats: Arc::new(Formats::new(all)) })
    }

    fn check(message: &str, group: &str, by: Option<&str>, asked: &[(&str, Answer)]) {
        let ingest = ingest();
        let trace = ingest.trace(message, group);
        let found: Vec<_> = trace.asked.iter().map(|a| (a.format, a.answer)).collect();
        assert_eq!(found, asked, "{message}");
        assert_eq!(trace.by, by, "{message}");
        assert_eq!((trace.said, trace.by), ingest.hear(message, group));
        // Who reads it is who is said to.
        let reader = trace.asked.iter().find(|a| matches!(a.answer, Answer::Reads(_)));
        assert_eq!(reader.map(|a| a.format), by, "{message}");
    }

    #[test]
    fn each_step_is_told() {
        use Answer::*;
        let steps = [
            ("other", CannotRead),
            ("app", Reads(Some(1))),
            ("net", ReadsToo),
            ("far", OtherGroups),
        ];
        check("turn of ann failed", "/near/a", Some("app"), &steps);
        // In no log group each is asked; only "far" reads what says no more than "turn".
        let far = [("other", CannotRead), ("app", CannotRead), ("far", Reads(Some(1)))];
        check("turn of ann is over", "", Some("far"), &far);
        let net = [("net", Reads(Some(1)))];
        check("ann's go failed", "", Some("net"), &net);
        check("{\"go\":\"ann failed\"}", "", None, &[("net", NotAboutJson)]);
        check("nothing of interest", "", None, &[]);
        check("turn", "/near/a", None, &[("far", OtherGroups)]);
        let sshd = "Nov 10 06:00:05 h sshd[9]: Failed password for ann from 192.0.2.1 port 2 ssh2";
        check(sshd, "", Some("sshd"), &[("sshd", Reads(None))]);
    }
}
