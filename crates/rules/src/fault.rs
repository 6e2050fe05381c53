//! What can be wrong with a detector file, and the error that says so.
//!
//! Everything here is for the person who wrote the file: what is wrong, where (file, line, column),
//! and what to do. Invariant: an error's help is never empty.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;
use tidewatch_core::limits::{ALLOWED_MAX, DETECTORS_MAX, MEASURES_PER_KEY_MAX};

/// Bytes of the file's text.
pub(crate) type Place = Range<usize>;

/// One fault of one detector file. Printed plainly it is one line; as a [`miette::Diagnostic`] it
/// shows the place in the file and says what to do.
#[derive(Clone, Debug, Diagnostic)]
pub struct RuleError {
    /// What is wrong.
    pub fault: Fault,
    /// The file's name as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The offending value, in bytes of the text.
    #[label("{}", self.fault.label())]
    pub span: SourceSpan,
    /// What to do.
    #[help]
    pub help: String,
    /// The file's whole text.
    #[source_code]
    pub text: NamedSource<Arc<str>>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.fault)
    }
}

impl std::error::Error for RuleError {}

/// What can be wrong with a detector file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum Fault {
    #[error("this is not TOML: {message}")]
    Syntax { message: String },
    #[error("the file has {bytes} bytes, more than {}", crate::FILE_BYTES_MAX)]
    TooLong { bytes: usize },
    #[error("`{field}` is no field of {of}")]
    UnknownField { field: String, of: &'static str, meant: Option<String> },
    #[error("{of} has no `{field}`")]
    MissingField { field: &'static str, of: &'static str },
    #[error("`{field}` must be {expected}, not {found}")]
    WrongType { field: String, expected: &'static str, found: &'static str },
    #[error("`{value}` is no {what} (field `{field}`)")]
    UnknownValue { field: String, what: &'static str, value: String },
    #[error("`{value}` is no duration (field `{field}`)")]
    BadDuration { field: &'static str, value: String },
    #[error("`{field}` is {value}, outside {min} to {max}")]
    DurationOutOfRange { field: &'static str, value: String, min: String, max: String },
    #[error("`{id}` is no detector id (field `id`)")]
    BadId { id: String },
    #[error("`{name}` is no name for a measure")]
    BadMeasureName { name: String },
    #[error("`{field}` is empty")]
    EmptyText { field: &'static str },
    #[error("`{field}` holds the invisible character U+{code:04X}")]
    InvisibleCharacter { field: &'static str, code: u32 },
    #[error("`{value}` is no technique (field `attack`)")]
    BadAttack { value: String },
    #[error("`key` has {count} fields, not 1 or {}", tidewatch_core::key::KEY_FIELDS_MAX)]
    KeyFieldCount { count: usize },
    #[error("`key` names `{field}` twice")]
    KeyFieldTwice { field: String },
    #[error("`{field}` names this detector itself")]
    OwnId { field: &'static str },
    #[error("`after_within` says how long other findings count, and `after` names none")]
    WithinOfNone,
    #[error("the measure `{name}` needs `people` and `attackers`, shares with attackers < people")]
    BadRates { name: String },
    #[error("the measure `{name}` needs a `where`, `times` and `usual`, and nothing else to count")]
    BadChange { name: String },
    #[error(
        "the measure `{name}` asks since when something is seen, which is known of users and addresses that got in only"
    )]
    SinceOfOthers { name: String },
    #[error("the measure `{name}` has both `new_within` and `known_for`")]
    SinceTwice { name: String },
    #[error("a detector by `{key}` cannot speak for findings by `{covered}`")]
    Covers { key: String, covered: String },
    #[error("`{what}` is nothing that signals of `{signal}` tell")]
    NotOfSignal { what: String, signal: &'static str },
    #[error("`log_holds` asks for nothing that can be told: `{value}`")]
    BadLogHolds { value: String },
    #[error("`share` is no share of a number over everything: `{value}`")]
    BadShare { value: String },
    #[error(
        "the measure `{name}` must have exactly one of `count`, `sum`, `distinct`, `sequential`, `change` and `busiest`"
    )]
    MeasureKind { name: String },
    #[error("the detector measures nothing")]
    NoMeasures,
    #[error("the detector has {count} measures, more than {}", MEASURES_PER_KEY_MAX)]
    TooManyMeasures { count: usize },
    #[error("the detector never raises")]
    NoRaises,
    #[error("`when` is empty")]
    EmptyWhen,
    #[error("`{condition}` is no condition (field `when`)")]
    BadCondition { condition: String },
    #[error("`{op}` is no comparison (field `when`)")]
    UnknownOp { op: String },
    #[error("`{name}` is no measure of this detector (field `when`)")]
    UnknownMeasure { name: String },
    #[error("`{number}` is not a number a measure can be compared with (field `when`)")]
    BadNumber { number: String },
    #[error("`{field}` is {value}, outside 0 to {max}")]
    NumberOutOfRange { field: &'static str, value: String, max: String },
    #[error("`{condition}` never holds (field `when`)")]
    NeverHolds { condition: String },
    #[error("`when` holds for a window with nothing in it")]
    RaisesOnSilence,
    #[error("`{field}` goes with `{goes_with}` only")]
    OutOfPlace { field: &'static str, goes_with: &'static str },
    #[error("the id `{id}` is taken by {other}")]
    DuplicateId { id: String, other: String },
    #[error("more than {} detectors", DETECTORS_MAX)]
    TooManyDetectors,
    #[error("more than {} formats", crate::FORMATS_MAX)]
    TooManyFormats,
    #[error("`needles` is empty or too long")]
    NeedleCount,
    #[error("the needle `{needle}` is shorter than {} bytes", crate::NEEDLE_BYTES_MIN)]
    ShortNeedle { needle: String },
    #[error("the needle `{needle}` holds a quote, a backslash or a control character")]
    QuotedNeedle { needle: String },
    #[error("a line must have exactly one of `text`, `json` and `pairs`")]
    LineKind,
    #[error("this is not a pattern: {why}")]
    BadPattern { why: String },
    #[error("`time_as` is no format of a time: {why}")]
    BadTimeFormat { why: String },
    #[error("`{name}` is captured by no pattern of this line")]
    NoCapture { name: String },
    #[error(
        "an entry must have exactly one of `source`, `user`, `user_tag`, `user_agent` and `function`"
    )]
    AllowedWho,
    #[error("`{value}` is no network to allow: {why} (field `source`)")]
    BadNetwork { value: String, why: String },
    #[error("`{value}` is wider than /{min} (field `source`)")]
    TooWide { value: String, min: u8 },
    #[error("`{value}` from anywhere (field `user_agent`)")]
    AgentOfAnywhere { value: String },
    #[error("`{value}` is every function (field `function`)")]
    EveryFunction { value: String },
    #[error("`{value}` is no tag of a user (field `user_tag`)")]
    BadTag { value: String },
    #[error("`{value}` is no end (field `until`)")]
    BadEnd { value: String },
    #[error("`{value}` is more than a year ahead (field `until`)")]
    EndTooFar { value: String },
    #[error("more than {} entries", ALLOWED_MAX)]
    TooManyAllowed,
    #[error("`{value}` is no price (field `{field}`)")]
    BadPrice { field: &'static str, value: String },
    #[error("tiers out of order")]
    TierOrder,
    #[error("prices of `{region}` stand twice in this file")]
    DuplicateRegion { region: String },
}

impl Fault {
    /// What stands at the place, in a few words.
    fn label(&self) -> &'static str {
        match self {
            Fault::Syntax { .. } => "the parser stopped here",
            Fault::TooLong { .. }
            | Fault::TooManyDetectors
            | Fault::TooManyFormats
            | Fault::TooManyAllowed => "one too many",
            Fault::UnknownField { .. } => "unknown field",
            Fault::MissingField { .. } => "something is missing here",
            Fault::WrongType { .. } => "wrong type",
            Fault::UnknownValue { .. } | Fault::UnknownOp { .. } => "unknown",
            Fault::OutOfPlace { .. } => "not here",
            Fault::UnknownMeasure { .. } => "no such measure",
            Fault::DurationOutOfRange { .. } => "out of range",
            Fault::DuplicateId { .. }
            | Fault::KeyFieldTwice { .. }
            | Fault::DuplicateRegion { .. } => "used before",
            Fault::NeverHolds { .. } => "a count is never below 0",
            Fault::RaisesOnSilence => "every count is 0 when nothing happens",
            Fault::EmptyText { .. } | Fault::EmptyWhen => "empty",
            Fault::NoMeasures | Fault::NoRaises => "in this file",
            _ => "here",
        }
    }
}

/// The faults found so far in one file.
pub(crate) struct Faults {
    file: String,
    text: Arc<str>,
    pub(crate) list: Vec<RuleError>,
}

impl Faults {
    pub(crate) fn new(file: &str, text: &str) -> Faults {
        Faults { file: file.to_owned(), text: text.into(), list: Vec::new() }
    }

    /// The text the places are in.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds `fault` at `place`, which is cut to its first line: a fault of a whole table would
    /// otherwise underline all of it.
    pub(crate) fn add(&mut self, place: Place, fault: Fault, help: impl Into<String>) {
        let text = &self.text;
        let start = text.floor_char_boundary(place.start.min(text.len()));
        let end = text.floor_char_boundary(place.end.min(text.len())).max(start);
        let length = text[start..end].find(['\r', '\n']).unwrap_or(end - start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.list.push(RuleError {
            fault,
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: (start, length).into(),
            help: help.into(),
            text: NamedSource::new(&self.file, Arc::clone(text)).with_language("TOML"),
        });
    }

    /// Whether a fault says already that `field` is there, but misspelt or of the wrong type.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.list.iter().any(|error| match &error.fault {
            Fault::WrongType { field: named, .. } => named == field,
            Fault::UnknownField { meant: Some(meant), .. } => meant == field,
            _ => false,
        })
    }
}
