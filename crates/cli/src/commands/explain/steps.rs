//! A line's way, step by step: needles, formats, what it says, and what it adds to.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::{printable, rfc3339};
use tidewatch_core::allow::Allowed;
use tidewatch_core::detector::DistinctField;
use tidewatch_core::invocation::{Ending, Invocation};
use tidewatch_core::plan::{Counted, ShapePlan};
use tidewatch_core::shape::Shape;
use tidewatch_core::signal::{Auth, Body, Outcome, Role, Signal, SignalKind};
use tidewatch_ingest::format::Said;
use tidewatch_ingest::trace::{Answer, Trace};

use crate::standing::Standing;
use crate::users::FilterFile;

/// Characters of a line that are shown.
const LINE_CHARS_SHOWN_MAX: usize = 400;

/// The steps of one line, ready to be shown.
pub struct Steps {
    line: String,
    /// Where it stands, for a line of a file.
    pub at: Option<String>,
    needles: Vec<(String, String)>,
    asked: Vec<(String, String)>,
    says: String,
    adds: Vec<String>,
    pub hint: Option<String>,
}

impl Steps {
    /// The steps of `line`, without a trace of an envelope; `users` is who may have said whether the account
    /// exists.
    pub fn new(line: &str, trace: Option<&Trace<'_>>, users: Option<&FilterFile>) -> Steps {
        let mut cut: String = line.chars().take(LINE_CHARS_SHOWN_MAX).collect();
        if cut.len() < line.len() {
            cut.push('…');
        }
        let owned = |(needle, format): &(&str, &str)| ((*needle).to_owned(), (*format).to_owned());
        let asked = trace.iter().flat_map(|trace| &trace.asked);
        Steps {
            line: printable(&cut).into_owned(),
            at: None,
            needles: trace.map_or(Vec::new(), |trace| trace.needles.iter().map(owned).collect()),
            asked: asked.map(|asked| (asked.format.to_owned(), answer(asked.answer))).collect(),
            says: match trace {
                Some(trace) => says(trace, users),
                None => {
                    "is an envelope or event; what stands in it is read line by line".to_owned()
                }
            },
            adds: Vec::new(),
            hint: None,
        }
    }

    /// Says why the line's signal is not counted.
    pub fn is_not_counted(&mut self, why: &str) {
        let _ = write!(self.says, "; {why}, so it is not counted");
    }

    /// Adds what the signal of the line adds to.
    pub fn counts(&mut self, standing: &Standing, signal: &Signal, timed: bool) {
        self.adds = adds(standing, signal);
        let _ = write!(self.says, "; at {}", rfc3339(signal.time));
        if !timed {
            self.says += ", for want of a time of its own: in a file it would not be counted, in CloudWatch \
                          its event has one";
        }
        let Body::Auth(auth) = &signal.body else {
            let adds = "what its function takes, which is weighed once its five minutes are over";
            self.adds.push(adds.to_owned());
            return;
        };
        let allow = &standing.plan.allow;
        if let Some(entry) = allow.of_signal(auth, signal.time) {
            let Allowed { who, place, reason, .. } = &allow.entries[entry];
            let place = printable(place);
            self.adds.push(format!("no other key: {place} allows {who} ({reason})"));
        }
        if self.adds.is_empty() {
            self.adds.push(
                "nothing: no detector counts such a signal, or it lacks what they count by"
                    .to_owned(),
            );
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut row = |label: &str, what: &str| {
            let _ = writeln!(text, "{label:<8}  {what}");
        };
        if let Some(at) = &self.at {
            row("at", at);
        }
        row("line", &self.line);
        let needles = self.needles.iter().map(|(needle, format)| format!("`{needle}` of {format}"));
        let needles = needles.collect::<Vec<_>>().join(", ");
        row("needles", if needles.is_empty() { "none, so it is not looked at" } else { &needles });
        for (nth, (format, answer)) in self.asked.iter().enumerate() {
            row(if nth == 0 { "formats" } else { "" }, &format!("{format} {answer}"));
        }
        row("says", &self.says);
        for (nth, adds) in self.adds.iter().enumerate() {
            row(if nth == 0 { "adds to" } else { "" }, adds);
        }
        if let Some(hint) = &self.hint {
            row("hint", hint);
        }
        text
    }

    pub fn json(&self) -> Value {
        let needles = self.needles.iter().map(|(needle, of)| json!({ "needle": needle, "of": of }));
        let asked = self.asked.iter().map(|(of, answer)| json!({ "format": of, "answer": answer }));
        json!({
            "at": self.at, "line": self.line, "needles": needles.collect::<Vec<_>>(),
            "formats": asked.collect::<Vec<_>>(), "says": self.says, "adds_to": self.adds,
        })
    }
}

fn answer(answer: Answer) -> String {
    match answer {
        Answer::Reads(None) => "reads it".to_owned(),
        Answer::Reads(Some(nth)) => format!("reads it, by line kind {nth} of its file"),
        Answer::ReadsToo => "could read it too, but is asked after the one that does".to_owned(),
        Answer::CannotRead => "cannot read it".to_owned(),
        Answer::OtherGroups => "is not asked: it is for other log groups".to_owned(),
        Answer::NotAboutJson => "is not asked: it is general, and this is a JSON object".to_owned(),
    }
}

fn says(trace: &Trace<'_>, users: Option<&FilterFile>) -> String {
    match &trace.said {
        Said::Nothing if trace.by.is_some() => {
            "nothing: what this is about is not counted".to_owned()
        }
        Said::Nothing => "nothing".to_owned(),
        Said::Signal { auth, .. } => {
            auth_text(auth, users.filter(|_| trace.known_by_users).map(FilterFile::name))
        }
        Said::Invocation { invocation, .. } => invocation_text(invocation),
        Said::HostnameSource => "a try from a host that is named and not addressed".to_owned(),
        Said::PassedOver(_) => "nothing that a format can read: counted as passed over".to_owned(),
        Said::Unreadable(problem) => format!("unreadable: {}", problem.name()),
    }
}

fn invocation_text(invocation: &Invocation) -> String {
    let ending = match invocation.ending {
        Ending::Finished => "finished",
        Ending::Timeout => "timed out",
        Ending::Error(_) => "failed",
        Ending::OutOfMemory => "ran out of memory",
    };
    let Some(report) = invocation.report else {
        return match invocation.request {
            Some(_) => format!("that an invocation {ending}, besides its report"),
            None => format!("that an environment did not start: it {ending}"),
        };
    };
    let ms = |us: u32| f64::from(us) / 1e3;
    let cold = report.cold_us.map_or(String::new(), |us| format!(", {} ms of start", ms(us)));
    format!(
        "an invocation that {ending}: {} ms, {} ms billed, {} of {} MB used{cold}",
        ms(report.duration_us),
        report.billed_ms,
        report.used_mb,
        report.memory_mb
    )
}

/// `known_by` is the filter that says whether the account exists, if the line does not.
fn auth_text(auth: &Auth, known_by: Option<String>) -> String {
    let action = match auth.action {
        SignalKind::Auth | SignalKind::Access => String::new(),
        other => format!("{} ", other.action()),
    };
    let outcome = match auth.outcome {
        Outcome::Failure => "failure",
        Outcome::Success => "success",
    };
    let mention = match auth.role {
        Role::Attempt => "",
        Role::Mention => " (another line about a try that a line of its own decides)",
    };
    let user = match auth.user {
        None => "no name".to_owned(),
        Some(tag) => format!("user:{:016x}", tag.0),
    };
    let known = match (auth.user_known, known_by) {
        (None, _) => "whether the account exists is not told".to_owned(),
        (Some(true), None) => "the account exists".to_owned(),
        (Some(false), None) => "there is no such account".to_owned(),
        (Some(true), Some(filter)) => format!("known=yes (by {filter})"),
        (Some(false), Some(filter)) => format!("known=no (by {filter})"),
    };
    let source = auth.source.map_or("no address".to_owned(), |source| source.to_string());
    let attempts = match auth.attempts {
        1 => String::new(),
        attempts => format!(", {attempts} times"),
    };
    format!("{action}{outcome}{mention}{attempts}, {user}, {known}, from {source}")
}

/// The detectors and measures that a signal adds to, a text for each.
fn adds(standing: &Standing, signal: &Signal) -> Vec<String> {
    let Body::Auth(auth) = &signal.body else { return Vec::new() };
    let mut adds = Vec::new();
    for (id, key) in standing.places(signal) {
        let plan = standing.plan.key(id);
        let shape = plan.shape(Shape::of(auth));
        for detector in &plan.detectors {
            let rule = standing.plan.detector(detector.id);
            let measures = rule.measures.iter().zip(&detector.measures);
            let added = measures.filter(|(_, counted)| is_added(**counted, shape, auth));
            let names: Vec<&str> = added.map(|(named, _)| named.name.as_str()).collect();
            if !names.is_empty() {
                adds.push(format!("{} of {key}: {}", rule.id, names.join(", ")));
            }
        }
    }
    adds
}

fn is_added(counted: Counted, shape: &ShapePlan, auth: &Auth) -> bool {
    match counted {
        Counted::Busiest(_) | Counted::Sum(_) => false,
        Counted::Counter(slots) => shape.counters.iter().any(|slot| slots >> slot & 1 == 1),
        Counted::Change { selected, all, .. } => {
            is_added(Counted::Counter(selected | all), shape, auth)
        }
        Counted::Sequential { failed, succeeded, .. } => {
            let class = failed | succeeded;
            is_added(Counted::Distinct(DistinctField::User, class), shape, auth)
        }
        Counted::Distinct(field, class) | Counted::FirstSeen(field, class, _) => {
            let there = match field {
                DistinctField::User | DistinctField::Resource => auth.user.is_some(),
                DistinctField::SourceIp => auth.source.is_some(),
            };
            there && shape.classes.iter().any(|(of, classes)| *of == field && classes & class != 0)
        }
    }
}
