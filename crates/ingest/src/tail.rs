//! Lines of `aws logs tail`: a time, with `--format detailed` a log stream, and the message, separated
//! by single spaces (awscli, customizations/logs/tail.py: `detailed` prints the time with its zone,
//! `short` prints it in UTC without one; microseconds are left out when they are zero).
//!
//! `sam logs` prints the log stream first, which for a function looks like nothing else
//! (`2026/11/29/[$LATEST]5f…`), then the time.
//!
//! Nothing in the other lines says which of the two it is, and a syslog line with an ISO time looks the same.
//! So the line is offered to the formats in every reading that makes sense, the most telling first.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidewatch_core::time::Time;

use crate::stamp;
use crate::when::{Civil, When};

/// A line that begins with an ISO time and a space.
#[derive(Debug, PartialEq)]
pub(crate) struct Tail<'l> {
    line: &'l str,
    time: When,
    rest: &'l str,
    /// The log stream, where it stands in front of the time.
    log_stream: Option<&'l str>,
}

/// One way to understand it.
#[derive(Debug, PartialEq)]
pub(crate) struct Reading<'l> {
    /// The message.
    pub(crate) message: &'l str,
    /// The time of the event, `None` where the message holds it.
    pub(crate) time: Option<When>,
    /// The log stream, if the line names it.
    pub(crate) log_stream: Option<&'l str>,
}

/// Splits the time off, if there is one.
pub(crate) fn split(line: &str) -> Option<Tail<'_>> {
    line.as_bytes().first().filter(|byte| byte.is_ascii_digit())?;
    let (log_stream, timed) = match behind_stream(line) {
        Some((log_stream, timed)) => (Some(log_stream), timed),
        None => (None, line),
    };
    let (when, len) = stamp::rfc3339(timed.as_bytes())?;
    let rest = timed.get(len..)?.strip_prefix(' ')?;
    let time = match when {
        When::At(time) => time,
        When::Civil(civil) => utc(civil)?,
    };
    Some(Tail { line, time: When::At(time), rest, log_stream })
}

/// The log stream of a function that a line begins with, and what stands behind the blank.
fn behind_stream(line: &str) -> Option<(&str, &str)> {
    // A date with slashes and a slash behind it is no time.
    (line.as_bytes().get(10) == Some(&b'/')).then_some(())?;
    let (log_stream, rest) = line.split_once(' ')?;
    (log_stream.as_bytes().get(4) == Some(&b'/') && log_stream.contains("["))
        .then_some((log_stream, rest))
}

/// A line of `aws logs tail` taken apart: its time, its log stream where it names one, and the message;
/// `None` where the line may as well be another program's.
pub fn tail_line(line: &str) -> Option<(When, Option<&str>, &str)> {
    let Reading { message, time, log_stream } = split(line)?.readings().next()?;
    Some((time?, log_stream, message))
}

impl<'l> Tail<'l> {
    /// The readings, the most telling first.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Reading<'l>> {
        let read = |message, log_stream| Reading { message, time: Some(self.time), log_stream };
        let short = read(self.rest, None);
        let syslog = Reading { message: self.line, time: None, log_stream: None };
        let detailed = self.rest.split_once(' ').map(|(name, rest)| read(rest, Some(name)));
        let readings = if self.log_stream.is_some() {
            [Some(read(self.rest, self.log_stream)), None, None]
        } else if begins_a_message(self.rest) {
            [Some(short), detailed, None]
        } else if detailed.as_ref().is_some_and(|detailed| begins_a_message(detailed.message)) {
            [detailed, Some(short), None]
        } else {
            [Some(syslog), detailed, Some(short)]
        };
        readings.into_iter().flatten()
    }
}

/// Whether the text begins as messages do and log stream names do not: JSON, Lambda's `[INFO]` or
/// `time<tab>`, its platform's report, a syslog stamp.
fn begins_a_message(text: &str) -> bool {
    let bytes = text.as_bytes();
    let lambda_time = || {
        let stamped = bytes.first().is_some_and(u8::is_ascii_digit);
        stamped && stamp::rfc3339(bytes).is_some_and(|(_, len)| bytes.get(len) == Some(&b'\t'))
    };
    matches!(bytes.first(), Some(b'{' | b'['))
        || text.starts_with("REPORT RequestId: ")
        || lambda_time()
        || stamp::syslog(bytes).is_some()
}

fn utc(civil: Civil) -> Option<Time> {
    let nanoseconds = i32::from(civil.millisecond) * 1_000_000;
    let (hour, minute, second) = (civil.hour, civil.minute, civil.second.min(59));
    let date = (civil.year?, civil.month, civil.day);
    let read = DateTime::new(date.0, date.1, date.2, hour, minute, second, nanoseconds).ok()?;
    Some(Time(read.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reading as `stream|message`, and the prefix's time.
    fn check(line: &str, expected: Option<(i64, &[&str])>) {
        let found = split(line).map(|tail| {
            let shown = |r: Reading<'_>| format!("{}|{}", r.log_stream.unwrap_or(""), r.message);
            (tail.time, tail.readings().map(shown).collect::<Vec<_>>())
        });
        let expected = expected.map(|(ms, readings)| {
            (When::At(Time(ms)), readings.iter().map(ToString::to_string).collect())
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn every_sensible_reading_is_offered() {
        check(
            "2026-11-10T06:00:00.123000+00:00 2026/11/10/[$LATEST]ab {\"a\": 1}",
            Some((
                1_794_290_400_123,
                &["2026/11/10/[$LATEST]ab|{\"a\": 1}", "|2026/11/10/[$LATEST]ab {\"a\": 1}"],
            )),
        );
        let rsyslog = "2026-11-10T06:00:00Z host sshd[1]: x";
        check(
            rsyslog,
            Some((
                1_794_290_400_000,
                &[&format!("|{rsyslog}"), "host|sshd[1]: x", "|host sshd[1]: x"],
            )),
        );
        check(
            "2026-11-10T06:00:00 {\"a\": 1}",
            Some((1_794_290_400_000, &["|{\"a\": 1}", "{\"a\":|1}"])),
        );
        let lambda = "2026-11-10T06:00:00.001Z\treq\tINFO\t{}";
        check(
            &format!("2026/11/10/[7]ab 2026-11-10T06:00:01.500000 {lambda}"),
            Some((1_794_290_401_500, &[&format!("2026/11/10/[7]ab|{lambda}")])),
        );
        check(
            &format!("2026-11-10T06:00:01 {lambda}"),
            Some((1_794_290_401_000, &[&format!("|{lambda}")])),
        );
        let syslog = "Nov 10 06:00:00 host sshd[1]: x";
        check(
            &format!("2026-11-10T06:00:02 {syslog}"),
            Some((1_794_290_402_000, &[&format!("|{syslog}"), "Nov|10 06:00:00 host sshd[1]: x"])),
        );
    }

    #[test]
    fn a_line_is_taken_apart_only_where_it_can_be_no_other() {
        let at = |ms| When::At(Time(ms));
        for (line, expected) in [
            (
                "2026-11-10T06:00:00Z 2026/11/10/[$LATEST]ab {\"a\": 1}",
                Some((at(1_794_290_400_000), Some("2026/11/10/[$LATEST]ab"), "{\"a\": 1}")),
            ),
            ("2026-11-10T06:00:00 [INFO]\tx", Some((at(1_794_290_400_000), None, "[INFO]\tx"))),
            ("2026-11-10T06:00:00Z host sshd[1]: x", None),
            ("Nov 10 06:00:00 host sshd[1]: x", None),
        ] {
            assert_eq!(tail_line(line), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_split() {
        for line in [
            "2026/11/10/a 2026-11-10T06:00:00 x",
            "2026/11/10 06:00:00 [x] y",
            "",
            "2026",
            "x 2026-11-10T06:00:00 y",
            "2026-11-10T06:00:00\tx",
            "{\"a\":1}",
        ] {
            check(line, None);
        }
    }
}
