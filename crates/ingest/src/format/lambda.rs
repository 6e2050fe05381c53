//! What AWS Lambda's platform writes about invocations: its REPORT lines and the lines around them that say
//! how one ended, as text, and `platform.report` and its relatives where a function logs JSON (AWS, "Lambda
//! function logs" and "Telemetry API Event schema reference").
//!
//! A report is money, and whoever can write to a log group can write one. So it is read only where the whole
//! message is one, in the log group of a function or in none; with its request id, its numbers and each of its
//! fields once. A report's text anywhere else is told as forged. Fields come in any order and unknown ones are
//! passed over: the platform has added some, and tools that run functions locally put others first.
//!
//! Text is read still escaped as it is ([`read_escaped`]): that is how nearly all reports arrive.

use serde::Deserialize;
use tidewatch_core::invocation::{Ending, ErrorType, Invocation, Report, Written, function_of};

use super::Said;
use crate::problem::Problem;
use crate::stamp;
use crate::username::Names;
use crate::when::When;

/// One of them is in every line that is read. They are few, because each makes the pass that looks for them stop
/// more often for nothing.
pub(super) const NEEDLES: &[&str] =
    &["REPORT ", TIMED_OUT, "exited with", "exited before", "platform.r", "platform.initR"];

/// One of them is in every line that counts, as whole words: whoever searches a log by words finds these lines by them.
pub const PHRASES: [&str; 8] = [
    "REPORT RequestId",
    "INIT_REPORT Init Duration",
    "Task timed out after",
    "Runtime exited with",
    "Process exited before completing request",
    "platform.report",
    "platform.runtimeDone",
    "platform.initReport",
];

const REPORT: &str = "REPORT RequestId: ";
const TIMED_OUT: &str = " Task timed out after ";
const EXITED: &str = " Error: Runtime exited with";
const EXITED_EARLY: &str = " Process exited before completing request";

/// Length of a request id: a UUID.
const ID_BYTES: usize = 36;

/// The longest name of a field that is passed over.
const UNKNOWN_NAME_BYTES_MAX: usize = 40;

/// What a line of the platform is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    /// A report.
    Report { request: u128, ending: Ending, written: Written },
    /// It mentions how an invocation ended, or that an environment did not start.
    Ending { request: Option<u128>, ending: Ending },
    /// It says nothing that is counted.
    Nothing,
}

/// Reads one message; `None` where it is not the platform's.
pub(super) fn read(message: &str, log_group: &str, names: &Names) -> Option<Said> {
    let (line, when) = match message.as_bytes().first()? {
        b'R' if message.starts_with(REPORT) => (report::<false>(message)?, None),
        b'R' => (exit(message)?, None),
        b'I' => (init_report(message)?, None),
        b'{' => json(message)?,
        b'0'..=b'9' => time_out(message)?,
        _ => return None,
    };
    said(line, when, log_group, names)
}

/// Reads a message that is a report and still escaped as a JSON string; `None` where it is none, or has to be
/// unescaped to know.
#[inline]
pub(super) fn read_escaped(message: &str, log_group: &str, names: &Names) -> Option<Said> {
    said(report::<true>(message)?, None, log_group, names)
}

/// Whether a message that is no report has the text of one in it.
pub(super) fn imitates(message: &str) -> bool {
    let both = |one: &str, other: &str| message.contains(one) && message.contains(other);
    both(REPORT, "Billed Duration: ") || both("platform.report", "billedDurationMs")
}

fn said(line: Line, when: Option<(When, bool)>, log_group: &str, names: &Names) -> Option<Said> {
    let is_elsewhere = !log_group.is_empty() && function_of(log_group).is_none();
    let invocation = match line {
        Line::Nothing => return Some(Said::Nothing),
        Line::Report { .. } if is_elsewhere => {
            return Some(Said::Unreadable(Problem::ReportForged));
        }
        Line::Ending { .. } if is_elsewhere => return None,
        Line::Report { request, ending, written } => {
            let Some(report) = Report::checked(written) else {
                return Some(Said::Unreadable(Problem::ReportAbsurd));
            };
            // Older runtimes do not say so, but what they bill does.
            let cut_off = ending == Ending::Finished && report.was_cut_off();
            let ending = if cut_off { Ending::Timeout } else { ending };
            let request = Some(names.naming.key.request(request));
            Invocation { request, ending, report: Some(report) }
        }
        Line::Ending { request, ending } => {
            let request = request.map(|id| names.naming.key.request(id));
            Invocation { request, ending, report: None }
        }
    };
    let time_unreadable = when.is_some_and(|(_, readable)| !readable);
    let when = when.filter(|(_, readable)| *readable).map(|(when, _)| when);
    Some(Said::Invocation { when, time_unreadable, invocation })
}

/// The fields of a text report.
#[derive(Default)]
struct Fields<'m> {
    written: Written,
    seen: u16,
    status: Option<&'m str>,
    error_type: Option<&'m str>,
}

/// Fields by their names, the number of each being its place here.
const NAMES: [&str; 13] = [
    "Duration: ",
    "Billed Duration: ",
    "Memory Size: ",
    "Max Memory Used: ",
    "Init Duration: ",
    "Restore Duration: ",
    "Billed Restore Duration: ",
    "XRAY TraceId: ",
    "SegmentId: ",
    "Sampled: ",
    "Status: ",
    "Error Type: ",
    "Phase: ",
];

/// The first four, without which nothing is a report.
const REQUIRED: u16 = 0b1111;

#[inline]
fn report<const ESCAPED: bool>(message: &str) -> Option<Line> {
    let (id, rest) = message.strip_prefix(REPORT)?.split_at_checked(ID_BYTES)?;
    let request = uuid(id)?;
    let fields = Fields::read::<ESCAPED>(rest)?;
    if fields.seen & REQUIRED != REQUIRED {
        return None;
    }
    let ending = fields.ending().unwrap_or(Ending::Finished);
    Some(Line::Report { request, ending, written: fields.written })
}

impl<'m> Fields<'m> {
    /// All fields of `rest`, each behind a gap; `None` where something else stands there.
    #[inline]
    fn read<const ESCAPED: bool>(mut rest: &'m str) -> Option<Fields<'m>> {
        let mut fields = Fields::default();
        loop {
            let next = after_gap::<ESCAPED>(rest);
            if next.is_empty() {
                return Some(fields);
            }
            if next.len() == rest.len() {
                return None;
            }
            rest = fields.take::<ESCAPED>(next)?;
        }
    }

    /// What status and type of error say together.
    fn ending(&self) -> Option<Ending> {
        self.status.and_then(|status| Ending::told(status, self.error_type))
    }

    /// Takes the field that `text` begins with; what follows it, `None` where there is none.
    #[inline]
    fn take<const ESCAPED: bool>(&mut self, text: &'m str) -> Option<&'m str> {
        let named = NAMES.iter().position(|name| text.starts_with(name));
        let Some(nth) = named else { return after_unknown::<ESCAPED>(text) };
        let value = &text[NAMES[nth].len()..];
        let bit = 1 << nth;
        if self.seen & bit != 0 {
            return None;
        }
        self.seen |= bit;
        let (thousandths, unit) = match nth {
            2 | 3 => (false, "MB"),
            0..=6 => (true, "ms"),
            _ => {
                let (token, rest) = token::<ESCAPED>(value);
                match nth {
                    10 => self.status = Some(token),
                    11 => self.error_type = Some(token),
                    _ => {}
                }
                return Some(rest);
            }
        };
        let (value, rest) = number(value, thousandths)?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix(unit)?;
        let written = &mut self.written;
        match nth {
            0 => written.duration_us = value,
            1 => written.billed_us = value,
            2 => written.memory_mb = value,
            3 => written.used_mb = value,
            4 => written.init_us = Some(value),
            5 => written.restore_us = Some(value),
            _ => {}
        }
        Some(rest)
    }
}

/// What follows the blanks, tabs and line ends at the start.
#[inline]
fn after_gap<const ESCAPED: bool>(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at..) {
            Some([b' ' | b'\t' | b'\n' | b'\r', ..]) => at += 1,
            Some([b'\\', b't' | b'n' | b'r', ..]) if ESCAPED => at += 2,
            _ => return &text[at..],
        }
    }
}

/// A value without blanks, and what follows.
fn token<const ESCAPED: bool>(text: &str) -> (&str, &str) {
    let ends = |c: char| c.is_ascii_whitespace() || (ESCAPED && c == '\\');
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// What follows a field that is not known, up to the tab or line end behind it.
fn after_unknown<const ESCAPED: bool>(text: &str) -> Option<&str> {
    let ends = |c: char| matches!(c, '\t' | '\n' | '\r') || (ESCAPED && c == '\\');
    let (field, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    let (name, _) = field.split_once(": ")?;
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    (name.len() <= UNKNOWN_NAME_BYTES_MAX && name.bytes().all(in_name)).then_some(rest)
}

/// A number, in thousandths if so wanted, and what follows. What is below zero or too large is the largest
/// there is: it is a number, and no report's.
#[inline]
fn number(text: &str, thousandths: bool) -> Option<(u64, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, length) = digits_at(digits.as_bytes())?;
    let mut rest = &digits[length..];
    let mut value = if thousandths { whole.saturating_mul(1_000) } else { whole };
    if let Some(fraction) = rest.strip_prefix('.') {
        let (_, length) = digits_at(fraction.as_bytes())?;
        rest = &fraction[length..];
        let digit = |at: usize| match fraction.as_bytes().get(at) {
            Some(byte) if at < length => u64::from(byte - b'0'),
            _ => 0,
        };
        if thousandths {
            value = value.saturating_add(digit(0) * 100 + digit(1) * 10 + digit(2));
        }
    }
    Some((if negative { u64::MAX } else { value }, rest))
}

/// The digits at the start as a number, and how many they are.
#[inline]
fn digits_at(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    let mut length = 0;
    while let Some(digit @ b'0'..=b'9') = bytes.get(length) {
        value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        length += 1;
    }
    (length > 0).then_some((value, length))
}

/// A UUID as its 128 bits.
#[inline]
pub(super) fn uuid(text: &str) -> Option<u128> {
    let bytes: &[u8; ID_BYTES] = text.as_bytes().try_into().ok()?;
    let mut id = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let digit = match byte {
            b'-' if matches!(at, 8 | 13 | 18 | 23) => continue,
            _ if matches!(at, 8 | 13 | 18 | 23) => return None,
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        id = id << 4 | u128::from(digit);
    }
    Some(id)
}

/// `RequestId: ID Error: Runtime exited with error: …`, and the line with the type of error behind it; or
/// that a process exited early. A process that was killed is one that ran out of memory (AWS, "troubleshoot
/// invocation issues").
fn exit(message: &str) -> Option<Line> {
    let (id, rest) = message.strip_prefix("RequestId: ")?.split_at_checked(ID_BYTES)?;
    let request = Some(uuid(id)?);
    let (said, error_type) =
        rest.trim_ascii_end().split_once('\n').unwrap_or((rest.trim_ascii_end(), ""));
    if said == EXITED_EARLY && error_type.is_empty() {
        return Some(Line::Ending { request, ending: Ending::Error(ErrorType::Exit) });
    }
    let why = said.strip_prefix(EXITED)?;
    let known = match why.strip_prefix(" error: ") {
        Some(why) => why.starts_with("signal: ") || why.starts_with("exit status "),
        None => why == "out providing a reason",
    };
    let is_type = error_type.is_empty()
        || (error_type.contains('.') && !error_type.contains(char::is_whitespace));
    if !known || !is_type {
        return None;
    }
    let killed = why.starts_with(" error: signal: killed") || error_type == "Runtime.OutOfMemory";
    let ending = match killed {
        true => Ending::OutOfMemory,
        false if error_type.is_empty() => Ending::Error(ErrorType::Exit),
        false => Ending::Error(ErrorType::named(error_type)),
    };
    Some(Line::Ending { request, ending })
}

/// `INIT_REPORT Init Duration: 9999.79 ms<tab>Phase: init<tab>Status: timeout`: only that an environment did
/// not start is told nowhere else.
fn init_report(message: &str) -> Option<Line> {
    let fields = Fields::read::<false>(message.strip_prefix("INIT_REPORT")?)?;
    Some(failed_start(fields.ending()))
}

fn failed_start(ending: Option<Ending>) -> Line {
    match ending {
        None | Some(Ending::Finished) => Line::Nothing,
        Some(ending) => Line::Ending { request: None, ending },
    }
}

/// `TIME ID Task timed out after 3.00 seconds`.
fn time_out(message: &str) -> Option<(Line, Option<(When, bool)>)> {
    let (when, length) = stamp::rfc3339(message.as_bytes())?;
    let rest = message.get(length..)?.strip_prefix(' ')?;
    let (id, rest) = rest.split_at_checked(ID_BYTES)?;
    let request = Some(uuid(id)?);
    let (_, rest) = number(rest.strip_prefix(TIMED_OUT)?, true)?;
    let is_all = rest.trim_ascii_end() == " seconds";
    is_all.then_some((Line::Ending { request, ending: Ending::Timeout }, Some((when, true))))
}

/// An event of the platform where a function logs JSON.
#[derive(Deserialize)]
struct Event<'m> {
    #[serde(borrow)]
    time: Option<std::borrow::Cow<'m, str>>,
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'m, str>,
    #[serde(borrow)]
    record: Record<'m>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'m> {
    #[serde(borrow)]
    request_id: Option<std::borrow::Cow<'m, str>>,
    metrics: Option<Metrics>,
    #[serde(borrow)]
    status: Option<std::borrow::Cow<'m, str>>,
    #[serde(borrow)]
    error_type: Option<std::borrow::Cow<'m, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: Option<f64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<f64>,
    init_duration_ms: Option<f64>,
    restore_duration_ms: Option<f64>,
}

/// The whole of a message that is an event of the platform, and its time.
fn json(message: &str) -> Option<(Line, Option<(When, bool)>)> {
    memchr::memmem::find(message.as_bytes(), b"platform.")?;
    let event: Event<'_> = serde_json::from_str(message.trim_ascii_end()).ok()?;
    let record = event.record;
    let status = record.status.as_deref();
    let ending = status.and_then(|status| Ending::told(status, record.error_type.as_deref()));
    let request = match record.request_id.as_deref() {
        Some(id) => Some(uuid(id)?),
        None => None,
    };
    let line = match (&*event.kind, request) {
        ("platform.report", Some(request)) => {
            let metrics = record.metrics?;
            let us = |ms: f64| parts(ms, 1_000.0);
            let written = Written {
                duration_us: us(metrics.duration_ms?),
                billed_us: us(metrics.billed_duration_ms?),
                memory_mb: parts(metrics.memory_size_mb?, 1.0),
                used_mb: parts(metrics.max_memory_used_mb?, 1.0),
                init_us: metrics.init_duration_ms.map(us),
                restore_us: metrics.restore_duration_ms.map(us),
            };
            Line::Report { request, ending: ending.unwrap_or(Ending::Finished), written }
        }
        ("platform.runtimeDone", Some(_)) => match ending {
            None | Some(Ending::Finished) => Line::Nothing,
            Some(ending) => Line::Ending { request, ending },
        },
        ("platform.initReport", _) => failed_start(ending),
        _ => return None,
    };
    let when = event.time.as_deref().map(|time| match stamp::json_text(time) {
        Some(when) => (when, true),
        None => (When::At(tidewatch_core::time::Time(0)), false),
    });
    Some((line, when))
}

/// A JSON number in parts of its unit, rounded; what is below zero or no number is the largest there is.
fn parts(value: f64, of_unit: f64) -> u64 {
    // Rust's casts saturate.
    if value >= 0.0 { (value * of_unit).round() as u64 } else { u64::MAX }
}

#[cfg(test)]
mod tests;
