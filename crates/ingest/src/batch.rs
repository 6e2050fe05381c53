//! What reading some bytes gave: signals in input order, their tally, and the buffers that are reused
//! from one reading to the next.

use tidewatch_core::access::Access;
use tidewatch_core::limits::BYTES_OUT_MAX;
use tidewatch_core::signal::{Body, Origin, Signal};
use tidewatch_core::tag::EventTag;
use tidewatch_core::time::Time;

use crate::declared::Formats;
use crate::envelope::Event;
use crate::format::{Memos, Said};
use crate::inflate::Inflater;
use crate::marks::Marks;
use crate::problem::Problem;
use crate::survey::Survey;
use crate::tally::{Place, Tally};
use crate::when::{Civil, When};

/// What some records or lines said. Reading appends, so one batch may take many records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// In input order.
    pub signals: Vec<Undated>,
    /// Everything that was seen, signal or not.
    pub tally: Tally,
    /// The first stamp without a year or a zone at the start of a line, signal or not: the caller's
    /// year clock follows the log even where nothing in it matters.
    pub first_civil: Option<Civil>,
    /// Where there is one, each line is taken down in it, and makes no signal.
    pub survey: Option<Box<Survey>>,
}

/// A signal whose time may still need a year or a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undated {
    /// The time as the event gives it.
    pub when: When,
    /// See [`Signal::event`].
    pub event: EventTag,
    /// See [`Signal::origin`].
    pub origin: Origin,
    /// See [`Signal::body`].
    pub body: Body,
}

impl Undated {
    /// The signal, with the time that `when` was resolved to.
    pub fn at(self, time: Time) -> Signal {
        Signal { time, event: self.event, origin: self.origin, body: self.body }
    }
}

impl Batch {
    /// Takes in what a format said about one log event. `time` is the envelope's or the line prefix's
    /// and goes before the format's own; `formats` are those that
    /// read it; `name` is asked for only if there is a signal.
    pub(crate) fn accept(
        &mut self,
        said: Said,
        time: Option<When>,
        place: Place<'_>,
        formats: &Formats,
        name: impl FnOnce() -> (EventTag, Origin),
    ) {
        match said {
            Said::Nothing => {}
            Said::HostnameSource => self.tally.hostname_sources += 1,
            Said::PassedOver(format) => self.tally.pass_over(&formats.all()[format].id, place),
            Said::Unreadable(problem) => self.tally.reject(problem, place),
            Said::Signal { when, time_unreadable, auth } => {
                self.tally.hostname_sources += u64::from(auth.source.is_none());
                let when = time.or(when).ok_or(untimed(time_unreadable));
                self.date(when, Body::Auth(auth), place, name);
            }
            Said::Invocation { when, time_unreadable, invocation } => {
                let when = time.or(when).ok_or(untimed(time_unreadable));
                self.date(when, Body::Invocation(invocation), place, name);
            }
        }
    }

    /// Takes in who asked for something, if it has a time; it is no loss if it has none.
    pub(crate) fn ask(
        &mut self,
        (access, own): (Access, Option<When>),
        time: Option<When>,
        place: Place<'_>,
        name: impl FnOnce() -> (EventTag, Origin),
    ) {
        if access.bytes_out > BYTES_OUT_MAX {
            return self.tally.reject(Problem::AbsurdBytes, place);
        }
        let Some(when) = time.or(own) else { return };
        let (event, origin) = name();
        self.signals.push(Undated { when, event, origin, body: Body::Access(Box::new(access)) });
    }

    /// Takes in a signal if it has a time.
    fn date(
        &mut self,
        when: Result<When, Problem>,
        body: Body,
        place: Place<'_>,
        name: impl FnOnce() -> (EventTag, Origin),
    ) {
        match when {
            Ok(when) => {
                let (event, origin) = name();
                self.signals.push(Undated { when, event, origin, body });
            }
            Err(problem) => self.tally.reject(problem, place),
        }
    }
}

/// Why a signal has no time.
fn untimed(unreadable: bool) -> Problem {
    if unreadable { Problem::TimeUnreadable } else { Problem::TimeMissing }
}

/// Memory reused from reading to reading; nothing that the next one says depends on what it holds. One a
/// thread.
#[derive(Default)]
pub struct Buffers {
    pub(crate) decoders: Decoders,
    pub(crate) text: TextBuffers,
}

/// What it takes to read an envelope.
#[derive(Default)]
pub(crate) struct TextBuffers {
    /// Of the payload.
    pub(crate) marks: Marks,
    /// The places of an envelope's events.
    pub(crate) events: Vec<Option<Event>>,
    /// An unescaped message.
    pub(crate) message: Vec<u8>,
    /// What the formats found out about texts that come again and again.
    pub(crate) memos: Memos,
    /// How many logins were read the long way since an event last could not be read at sight.
    pub(crate) logins: u8,
}

/// What it takes to open a Kinesis record.
#[derive(Default)]
pub(crate) struct Decoders {
    /// A record's data out of base64.
    pub(crate) data: Vec<u8>,
    /// gzip, and what it gave.
    pub(crate) inflater: Inflater,
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buffers")
    }
}

/// Bytes that may be UTF-8: checked once, as a whole, because that is where checking is fast.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'p> {
    pub(crate) bytes: &'p [u8],
    /// The same as text, if all of it is.
    pub(crate) text: Option<&'p str>,
}

impl<'p> Piece<'p> {
    /// Checks the bytes.
    pub(crate) fn new(bytes: &'p [u8]) -> Piece<'p> {
        Piece { bytes, text: simdutf8::basic::from_utf8(bytes).ok() }
    }

    /// A part that begins and ends at ASCII characters.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Piece<'p> {
        match self.text {
            Some(text) => Piece { bytes: &self.bytes[range.clone()], text: text.get(range) },
            None => Piece::new(&self.bytes[range]),
        }
    }
}
