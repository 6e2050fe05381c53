//! What the lines of AWS Lambda's platform say of one invocation: how long it took, what is billed, and how
//! it ended.
//!
//! A report is told once an invocation and is all that money is counted by. Older runtimes report no status:
//! there a line of its own says that the invocation timed out or that its process died. Such a line mentions
//! an ending and costs nothing. Which function and version it was stands in the names of the log group and
//! the log stream ([`LogStream::function`], [`LogStream::version`]), so that a signal carries no text.
//!
//! Invariant: a [`Report`] holds only what an invocation can have: [`Report::checked`] is the only way to one
//! from numbers that somebody else wrote.

use crate::limits::{
    INIT_MS_MAX, INVOCATION_MS_MAX, MEMORY_MB_MAX, MEMORY_MB_MIN, UNTOLD_INIT_MS_MAX,
};
use crate::signal::LogStream;
use crate::tag::RequestTag;

/// What log groups of functions are called by AWS, before the function's name.
pub const FUNCTION_GROUP: &str = "/aws/lambda/";

/// One line about an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which invocation; `None` of an environment that failed to start and served none.
    pub request: Option<RequestTag>,
    /// How it ended.
    pub ending: Ending,
    /// What it took; `None` where the line only mentions how it ended.
    pub report: Option<Report>,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It gave an answer, as far as the line says: text reports do not tell an exception that a handler
    /// threw from a success.
    Finished,
    /// It was cut off at its time limit.
    Timeout,
    /// It failed.
    Error(ErrorType),
    /// Its process was killed for want of memory.
    OutOfMemory,
}

/// The types of errors that Lambda's platform names (AWS, "Telemetry API" and "troubleshooting invocation").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorType {
    /// The runtime's process ended.
    Exit,
    /// The handler's module cannot be loaded.
    ImportModule,
    /// The handler is not in its module.
    HandlerNotFound,
    /// The handler's source is no program.
    Syntax,
    /// The image's entry point cannot be run.
    InvalidEntrypoint,
    /// An extension died.
    Extension,
    /// Any other, or one that is not told.
    Other,
}

/// What one invocation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How long the handler ran, in microseconds.
    pub duration_us: u32,
    /// Milliseconds that are billed: since August 2025 with those of the start.
    pub billed_ms: u32,
    /// Memory as configured, in MB (2^20 bytes).
    pub memory_mb: u16,
    /// The most memory the environment has used so far, in MB.
    pub used_mb: u16,
    /// How long a new environment took to start, in microseconds: its code, or its snapshot. `None` where the
    /// environment was there already.
    pub cold_us: Option<u32>,
}

/// A report's numbers as they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// In microseconds.
    pub duration_us: u64,
    /// In microseconds: some tools write fractions of a millisecond.
    pub billed_us: u64,
    /// In MB.
    pub memory_mb: u64,
    /// In MB.
    pub used_mb: u64,
    /// In microseconds.
    pub init_us: Option<u64>,
    /// In microseconds.
    pub restore_us: Option<u64>,
}

impl Report {
    /// The report, if an invocation can have these numbers: at most 15 minutes, memory as functions may have
    /// it, and billed what it ran and no more than its start adds. Only where it was cut off at its limit,
    /// which is whole seconds, less is billed than it ran.
    pub fn checked(written: Written) -> Option<Report> {
        let Written { duration_us, billed_us, memory_mb, used_mb, init_us, restore_us } = written;
        let cold_us = match (init_us, restore_us) {
            (None, None) => None,
            (init, restore) => Some(init.unwrap_or(0).checked_add(restore.unwrap_or(0))?),
        };
        let within = duration_us <= INVOCATION_MS_MAX * 1_000
            && cold_us.is_none_or(|us| us <= INIT_MS_MAX * 1_000)
            && (MEMORY_MB_MIN..=MEMORY_MB_MAX).contains(&memory_mb)
            // The process is killed at its limit; what it took last may be counted.
            && used_mb <= memory_mb * 2;
        let most_us = duration_us
            .checked_add(cold_us.unwrap_or(0))?
            .checked_add(UNTOLD_INIT_MS_MAX * 1_000)?;
        if !within || billed_us > most_us {
            return None;
        }
        let billed_ms = billed_us.div_ceil(1_000);
        let report = Report {
            duration_us: u32::try_from(duration_us).ok()?,
            billed_ms: u32::try_from(billed_ms).ok()?,
            memory_mb: u16::try_from(memory_mb).ok()?,
            used_mb: u16::try_from(used_mb).ok()?,
            cold_us: cold_us.map(u32::try_from).transpose().ok()?,
        };
        let is_short = u64::from(report.billed_ms) * 1_000 < duration_us;
        (!is_short || report.was_cut_off()).then_some(report)
    }

    /// Whether less is billed than it ran, which happens only to what is cut off at its limit: a whole number
    /// of seconds is billed, and stopping it took less than one more.
    pub fn was_cut_off(&self) -> bool {
        let billed_us = u64::from(self.billed_ms) * 1_000;
        let over_us = u64::from(self.duration_us).saturating_sub(billed_us);
        self.billed_ms > 0
            && self.billed_ms.is_multiple_of(1_000)
            && (1..1_000_000).contains(&over_us)
    }

    /// Memory times billed time, in MB ms: what money is counted by.
    pub fn mb_ms(&self) -> u64 {
        u64::from(self.memory_mb) * u64::from(self.billed_ms)
    }
}

impl ErrorType {
    /// The type of that name.
    pub fn named(name: &str) -> ErrorType {
        match name {
            "Runtime.ExitError" => ErrorType::Exit,
            "Runtime.ImportModuleError" => ErrorType::ImportModule,
            "Runtime.HandlerNotFound"
            | "Runtime.NoSuchHandler"
            | "Runtime.MalformedHandlerName" => ErrorType::HandlerNotFound,
            "Runtime.UserCodeSyntaxError" => ErrorType::Syntax,
            "Runtime.InvalidEntrypoint" => ErrorType::InvalidEntrypoint,
            "Extension.Crash" | "Extension.ExitError" | "Extension.InitError" => {
                ErrorType::Extension
            }
            _ => ErrorType::Other,
        }
    }
}

impl Ending {
    /// What a line's status and type of error say together; `None` where the status is none.
    pub fn told(status: &str, error_type: Option<&str>) -> Option<Ending> {
        match (status, error_type) {
            ("success", _) => Some(Ending::Finished),
            ("timeout", _) => Some(Ending::Timeout),
            ("error" | "failure", Some("Runtime.OutOfMemory")) => Some(Ending::OutOfMemory),
            ("error" | "failure", Some("Sandbox.Timedout")) => Some(Ending::Timeout),
            ("error" | "failure", error_type) => {
                Some(Ending::Error(error_type.map_or(ErrorType::Other, ErrorType::named)))
            }
            _ => None,
        }
    }
}

impl LogStream {
    /// The function whose log this is, by the group's name; `None` where it is no function's.
    pub fn function(&self) -> Option<&str> {
        function_of(&self.group)
    }

    /// The version of the function, as Lambda writes it into the stream's name: `2026/11/29/[$LATEST]5f…`,
    /// `2026/11/29/[12]5f…`, or with the function's name before the bracket.
    pub fn version(&self) -> Option<&str> {
        let (day, rest) = self.stream.split_at_checked("2026/11/29/".len())?;
        let digits = |byte: &u8| byte.is_ascii_digit();
        let shape = day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 | 10 => byte == b'/',
            _ => digits(&byte),
        });
        let (_, behind) = rest.split_once('[')?;
        let (version, _) = behind.split_once(']')?;
        let is_version = version == "$LATEST" || version.as_bytes().iter().all(digits);
        (shape && is_version && !version.is_empty()).then_some(version)
    }
}

/// The function whose log the group of this name is; `None` where it is no function's.
pub fn function_of(group: &str) -> Option<&str> {
    let name = group.strip_prefix(FUNCTION_GROUP)?;
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!name.is_empty() && name.len() <= 140 && name.bytes().all(usual)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Written = Written {
        duration_us: 3_200,
        billed_us: 4_000,
        memory_mb: 128,
        used_mb: 50,
        init_us: None,
        restore_us: None,
    };

    #[test]
    fn what_no_invocation_can_have_is_no_report() {
        let plain = Report::checked(PLAIN).expect("a report");
        assert_eq!((plain.billed_ms, plain.mb_ms(), plain.was_cut_off()), (4, 512, false));
        for absurd in [
            Written { duration_us: 901_000_001, billed_us: 901_001_000, ..PLAIN },
            Written { duration_us: u64::MAX, billed_us: u64::MAX, ..PLAIN },
            Written { billed_us: 3_000, ..PLAIN },
            Written { billed_us: 10_004_000, ..PLAIN },
            Written { billed_us: 0, ..PLAIN },
            Written { memory_mb: 127, ..PLAIN },
            Written { memory_mb: 10_241, ..PLAIN },
            Written { memory_mb: 0, used_mb: 0, ..PLAIN },
            Written { used_mb: 257, ..PLAIN },
            Written { init_us: Some(u64::MAX), restore_us: Some(1), ..PLAIN },
            Written { init_us: Some(900_000_001), ..PLAIN },
        ] {
            assert_eq!(Report::checked(absurd), None, "{absurd:?}");
        }
    }

    #[test]
    fn what_was_cut_off_is_billed_less_than_it_ran() {
        let cut = Written { duration_us: 3_003_170, billed_us: 3_000_000, ..PLAIN };
        assert!(Report::checked(cut).expect("a report").was_cut_off());
        let long = Written { duration_us: 4_003_170, billed_us: 3_000_000, ..PLAIN };
        assert_eq!(Report::checked(long), None);
        let not_seconds = Written { duration_us: 3_003_170, billed_us: 3_001_000, ..PLAIN };
        assert_eq!(Report::checked(not_seconds), None);
    }

    #[test]
    fn a_start_may_be_billed_and_need_not_be() {
        let restored = Written { duration_us: 127_100, billed_us: 154_000, ..PLAIN };
        let restored = Written { restore_us: Some(325_930), ..restored };
        assert_eq!(Report::checked(restored).and_then(|r| r.cold_us), Some(325_930));
        let init = Written { billed_us: 484_000, init_us: Some(480_250), ..PLAIN };
        assert_eq!(Report::checked(init).map(|r| r.billed_ms), Some(484));
        assert!(Report::checked(Written { billed_us: 4_000, ..init }).is_some());
    }

    #[test]
    fn groups_and_streams_name_the_function_and_its_version() {
        let check = |group: &str, stream: &str, function: Option<&str>, version: Option<&str>| {
            let (group, stream) = (group.to_owned(), stream.to_owned());
            let log = LogStream { account: String::new(), group, stream };
            assert_eq!((log.function(), log.version()), (function, version), "{log:?}");
        };
        check("/aws/lambda/a-b_1", "2026/11/29/[$LATEST]5f", Some("a-b_1"), Some("$LATEST"));
        check(
            "/aws/lambda/us-east-1.edge",
            "2026/11/29/[12]5f",
            Some("us-east-1.edge"),
            Some("12"),
        );
        check("shared", "2026/11/29/name[7]5f", None, Some("7"));
        check("/aws/lambda/", "2026/11/29/[]5f", None, None);
        check("/aws/lambda/a/b", "2026-11-29/[7]5f", None, None);
        check("/aws/lambda/a b", "2026/11/29/[7", None, None);
        check("/aws/lambda-insights", "2026/11/2é/[7]", None, None);
    }

    #[test]
    fn a_status_says_how_it_ended() {
        assert_eq!(Ending::told("success", None), Some(Ending::Finished));
        assert_eq!(Ending::told("timeout", None), Some(Ending::Timeout));
        assert_eq!(Ending::told("error", Some("Runtime.OutOfMemory")), Some(Ending::OutOfMemory));
        let exit = Some(Ending::Error(ErrorType::Exit));
        assert_eq!(Ending::told("failure", Some("Runtime.ExitError")), exit);
        assert_eq!(Ending::told("error", None), Some(Ending::Error(ErrorType::Other)));
        assert_eq!(Ending::told("fine", None), None);
    }
}
