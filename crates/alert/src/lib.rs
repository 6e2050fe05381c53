//! Findings as the outside reads them: OCSF JSON for machines, text for a terminal.
//!
//! Both are pure functions of a [`Finding`](tidewatch_core::finding::Finding): the same finding gives
//! the same bytes, so that publishing one twice is recognisable. Invariants: a document holds every
//! attribute OCSF 1.6.0 requires and none it does not know (tests/alert/schema.rs against
//! ocsf-1.6.0-required.txt); nothing that came from a log reaches a terminal or a document with
//! control or direction characters in it ([`printable`]).

mod number;
mod ocsf;
mod printable;
mod seam;
mod sentence;
mod text;

pub use printable::printable;
pub use seam::{Attribute, Context, Notice, attributes, notice, ocsf};
pub use text::text;
