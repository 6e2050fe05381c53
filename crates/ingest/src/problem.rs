//! What can be wrong with input, each with a stable name and a sentence for the person who reads the
//! summary.

/// Why a record, an envelope, a line or a signal was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// gzip data ends before its end.
    GzipTruncated,
    /// gzip data is damaged.
    GzipCorrupt,
    /// A record inflates to more than its cap.
    InflateCap,
    /// A line is not UTF-8.
    NotUtf8,
    /// A log line is longer than its cap.
    LineTooLong,
    /// An event-JSON or envelope line is longer than its cap.
    EventTooLong,
    /// JSON nested deeper than its cap.
    Nesting,
    /// A line that should be JSON is not.
    Json,
    /// An envelope lacks a field or has one of the wrong type.
    Envelope,
    /// A Kinesis event lacks a field or has one of the wrong type.
    KinesisEvent,
    /// A Kinesis record's data is not base64.
    Base64,
    /// A line that holds a signal has no time.
    TimeMissing,
    /// A line that holds a signal has a time that cannot be read.
    TimeUnreadable,
    /// The text of a report of Lambda's where the platform writes none: within another line, in a log group
    /// that is no function's, or not whole.
    ReportForged,
    /// A report with numbers that no invocation can have.
    ReportAbsurd,
    /// More bytes sent back at once than any response has.
    AbsurdBytes,
    /// An input was not of the kind that `--input` said.
    WrongKind,
}

impl Problem {
    /// All of them.
    pub const ALL: [Problem; 17] = [
        Problem::GzipTruncated,
        Problem::GzipCorrupt,
        Problem::InflateCap,
        Problem::NotUtf8,
        Problem::LineTooLong,
        Problem::EventTooLong,
        Problem::Nesting,
        Problem::Json,
        Problem::Envelope,
        Problem::KinesisEvent,
        Problem::Base64,
        Problem::TimeMissing,
        Problem::TimeUnreadable,
        Problem::ReportForged,
        Problem::ReportAbsurd,
        Problem::AbsurdBytes,
        Problem::WrongKind,
    ];

    /// The stable name, as statistics print it.
    pub fn name(self) -> &'static str {
        match self {
            Problem::GzipTruncated => "gzip_truncated",
            Problem::GzipCorrupt => "gzip_corrupt",
            Problem::InflateCap => "inflate_cap",
            Problem::NotUtf8 => "not_utf8",
            Problem::LineTooLong => "line_too_long",
            Problem::EventTooLong => "event_too_long",
            Problem::Nesting => "nesting",
            Problem::Json => "json",
            Problem::Envelope => "envelope",
            Problem::KinesisEvent => "kinesis_event",
            Problem::Base64 => "base64",
            Problem::TimeMissing => "time_missing",
            Problem::TimeUnreadable => "time_unreadable",
            Problem::ReportForged => "report_forged",
            Problem::ReportAbsurd => "report_absurd",
            Problem::AbsurdBytes => "bytes_absurd",
            Problem::WrongKind => "wrong_kind",
        }
    }

    /// Whether it is a fault of a record, or of an envelope in it, and not of what an application wrote:
    /// such a record is worth keeping, since what lost it can be mended.
    pub fn is_of_the_record(self) -> bool {
        match self {
            Problem::GzipTruncated
            | Problem::GzipCorrupt
            | Problem::InflateCap
            | Problem::NotUtf8
            | Problem::EventTooLong
            | Problem::Envelope
            | Problem::KinesisEvent
            | Problem::Base64 => true,
            Problem::LineTooLong
            | Problem::Nesting
            | Problem::Json
            | Problem::TimeMissing
            | Problem::TimeUnreadable
            | Problem::ReportForged
            | Problem::ReportAbsurd
            | Problem::AbsurdBytes
            | Problem::WrongKind => false,
        }
    }

    /// What it means, for a person.
    pub fn explanation(self) -> &'static str {
        match self {
            Problem::GzipTruncated => {
                "gzip data that ends before its end: a record is lost, a file is read up to there"
            }
            Problem::GzipCorrupt => {
                "damaged gzip data: a record is lost, a file is read up to there"
            }
            Problem::InflateCap => {
                "a record inflates to more than 16 MiB, or its event to more than 256 MiB"
            }
            Problem::NotUtf8 => "not UTF-8",
            Problem::LineTooLong => "a log line longer than 1 MiB",
            Problem::EventTooLong => "an event or envelope line longer than 16 MiB",
            Problem::Nesting => "JSON nested deeper than 64 levels",
            Problem::Json => "broken JSON",
            Problem::Envelope => "an envelope or one of its events lacks a field",
            Problem::KinesisEvent => "a Kinesis event lacks a field",
            Problem::Base64 => "a record's data is not base64",
            Problem::TimeMissing => "a login or a report without a time",
            Problem::TimeUnreadable => "a login or a report with a time that cannot be read",
            Problem::ReportForged => {
                "the text of a Lambda report where Lambda writes none: within another line, in a log group \
                 that is no function's, or not whole"
            }
            Problem::ReportAbsurd => "a Lambda report with numbers that no invocation can have",
            Problem::AbsurdBytes => "more than 1 TiB sent back at once",
            Problem::WrongKind => "not what --input says it is",
        }
    }
}
