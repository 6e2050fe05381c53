//! The lines of a log file as events of CloudWatch Logs: each with the time at which `tidewatch replay`
//! would count it, so that following what was fed finds what replaying the file does.
//!
//! A line whose time nobody can tell has that of the line before. Envelopes are taken apart, and lines of
//! `aws logs tail` undressed: what was an event of CloudWatch Logs becomes the same event again.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde::Deserialize;
use tidewatch_aws::stream::pack::LogLine;
use tidewatch_core::signal::LogStream;
use tidewatch_core::time::Time;
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Ingest, InputKind, stamp, tail_line};

use crate::calendar::Calendar;
use crate::lines::Lines;

/// What went wrong with an input, which ends it.
pub type Faults = Rc<RefCell<Vec<String>>>;

/// The lines of one input.
pub struct Feeding<'i> {
    ingest: &'i Ingest,
    lines: Lines,
    name: Arc<LogStream>,
    group: String,
    calendar: Calendar,
    buffers: Buffers,
    before: Time,
    waiting: std::vec::IntoIter<LogLine>,
    offset: u64,
    faults: Faults,
}

/// A CloudWatch Logs envelope, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    message_type: String,
    log_group: String,
    log_stream: String,
    log_events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    timestamp: i64,
    message: String,
}

impl<'i> Feeding<'i> {
    /// The `lines` of the input `name`, in log group `group`; `now` is the time of lines before the first
    /// that tells one.
    pub fn new(
        ingest: &'i Ingest,
        lines: Lines,
        (group, name): (String, String),
        calendar: Calendar,
        now: Time,
        faults: Faults,
    ) -> Feeding<'i> {
        Feeding {
            ingest,
            lines,
            name: Arc::new(LogStream { stream: name, ..LogStream::default() }),
            group,
            calendar,
            buffers: Buffers::default(),
            before: now,
            waiting: Vec::new().into_iter(),
            offset: 0,
            faults,
        }
    }

    fn read(&mut self) -> io::Result<Option<Vec<LogLine>>> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let line = line.into_owned();
        self.offset += line.len() as u64 + 1;
        if line.trim().is_empty() {
            return Ok(Some(Vec::new()));
        }
        if let Some(events) = envelope(&line) {
            return Ok(Some(events));
        }
        let (time, stream, message) = match tail_line(&line) {
            Some((when, stream, message)) => {
                let stream = stream.map(str::to_owned);
                (self.calendar.resolve(when), stream, message.to_owned())
            }
            None => (self.time(&line), None, line),
        };
        self.before = time.unwrap_or(self.before);
        let stream = stream.unwrap_or_else(|| self.name.stream.clone());
        Ok(Some(vec![LogLine { time: self.before, group: self.group.clone(), stream, message }]))
    }

    /// The time of a line: that of what it says, or the one it begins with.
    fn time(&mut self, line: &str) -> Option<Time> {
        let mut batch = Batch::default();
        let (bytes, offset) = (line.as_bytes(), self.offset);
        let buffers = &mut self.buffers;
        self.ingest.lines(InputKind::Lines, bytes, offset, &self.name, buffers, &mut batch);
        let said = batch.signals.first().map(|signal| signal.when);
        let begins = || stamp::rfc3339(bytes).map(|(when, _)| when);
        let begins =
            || begins().or_else(|| stamp::syslog(bytes).map(|(civil, _)| When::Civil(civil)));
        self.calendar.resolve(said.or_else(begins)?)
    }
}

impl Iterator for Feeding<'_> {
    type Item = LogLine;

    fn next(&mut self) -> Option<LogLine> {
        loop {
            if let Some(line) = self.waiting.next() {
                return Some(line);
            }
            match self.read() {
                Ok(lines) => self.waiting = lines?.into_iter(),
                Err(error) => {
                    self.faults.borrow_mut().push(format!("{}: {error}", self.name.stream));
                    return None;
                }
            }
        }
    }
}

/// The events of an envelope; `None` for any other line.
fn envelope(line: &str) -> Option<Vec<LogLine>> {
    if !line.starts_with('{') || !line.contains("\"messageType\"") {
        return None;
    }
    let Envelope { message_type, log_group, log_stream, log_events } =
        serde_json::from_str(line).ok()?;
    // A control message is CloudWatch's own and says nothing.
    let events = if message_type == "DATA_MESSAGE" { log_events } else { Vec::new() };
    let line = |event: Event| LogLine {
        time: Time(event.timestamp),
        group: log_group.clone(),
        stream: log_stream.clone(),
        message: event.message,
    };
    Some(events.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use tidewatch_core::tag::TagKey;
    use tidewatch_ingest::Config;
    use tidewatch_ingest::declared::Formats;
    use tidewatch_ingest::username::{Naming, Usernames};

    use super::*;

    #[test]
    fn lines_have_the_times_they_are_counted_at() {
        let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Fold };
        let formats = Arc::new(Formats::default());
        let ingest = Ingest::new(Config { naming, own_group: None, formats });
        let log = "nothing\n\
            Nov 10 06:00:00 host sshd[1]: Failed password for root from 192.0.2.1 port 1 ssh2\n\
            \n  continued\n\
            {\"timestamp\":\"2026-11-10T06:00:05Z\",\"event\":\"login_failed\",\"user\":\"a\",\"src_ip\":\"192.0.2.1\"}\n\
            2026-11-10T06:00:06Z 2026/11/10/[$LATEST]ab {\"a\": 1}\n\
            {\"messageType\":\"DATA_MESSAGE\",\"owner\":\"1\",\"logGroup\":\"g\",\"logStream\":\"s\",\"subscriptionFilters\":[],\"logEvents\":[{\"id\":\"1\",\"timestamp\":7,\"message\":\"m\"}]}\n\
            {\"messageType\":\"CONTROL_MESSAGE\",\"owner\":\"\",\"logGroup\":\"\",\"logStream\":\"\",\"logEvents\":[{\"id\":\"\",\"timestamp\":1,\"message\":\"probe\"}]}\n";
        let lines = Lines::of(io::Cursor::new(log.as_bytes())).expect("lines");
        let latest = Time(1_796_000_000_000);
        let calendar = Calendar::new(TimeZone::UTC, Some(2026), latest);
        let named = ("/g".to_owned(), "auth.log".to_owned());
        let faults = Faults::default();
        let fed: Vec<(i64, String, String)> =
            Feeding::new(&ingest, lines, named, calendar, Time(3), Rc::clone(&faults))
                .map(|line| (line.time.0, format!("{}:{}", line.group, line.stream), line.message))
                .collect();
        let shown: Vec<(i64, &str, &str)> = fed
            .iter()
            .map(|(ms, place, text)| (*ms, &place[..], text.get(..9).unwrap_or(text)))
            .collect();
        let six = 1_794_290_400_000;
        assert_eq!(
            shown,
            [
                (3, "/g:auth.log", "nothing"),
                (six, "/g:auth.log", "Nov 10 06"),
                (six, "/g:auth.log", "  continu"),
                (six + 5_000, "/g:auth.log", "{\"timesta"),
                (six + 6_000, "/g:2026/11/10/[$LATEST]ab", "{\"a\": 1}"),
                (7, "g:s", "m"),
            ]
        );
        assert!(faults.borrow().is_empty());
    }
}
