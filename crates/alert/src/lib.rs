//! Findings as the outside reads them: OCSF JSON for machines, text for a terminal, a letter for people,
//! and attributes to filter by.
//!
//! All are pure functions of a [`Finding`](tidewatch_core::finding::Finding) and its [`Context`]: the same
//! finding gives the same bytes, so that publishing one twice is recognisable. Invariants: a document holds
//! every attribute OCSF 1.6.0 requires and none it does not know (tests/alert/schema.rs against
//! ocsf-1.6.0-required.txt); nothing that came from a log reaches a terminal or a document with
//! control or direction characters in it ([`printable`]); no message is larger than a topic takes
//! ([`MESSAGE_BYTES_MAX`]).

mod attributes;
mod budget;
mod context;
mod insights;
mod notice;
mod number;
mod ocsf;
mod printable;
mod sentence;
mod spending;
mod text;

pub use attributes::{ATTRIBUTES_MAX, Attribute, attributes};
pub use budget::goes_on;
pub use context::Context;
pub use insights::insights_link;
pub use notice::{Notice, SUBJECT_CHARS_MAX, notice};
pub use number::rfc3339;
pub use ocsf::{Ocsf, ocsf};
pub use printable::printable;
pub use text::text;

/// What a topic takes of a message with its attributes
/// (<https://docs.aws.amazon.com/general/latest/gr/sns.html>).
pub const MESSAGE_BYTES_MAX: usize = 256 * 1_024;
