//! What the outside reads, as a whole and against OCSF's schema. One test program, because both halves
//! look at the same findings.

mod message;
mod sample;
mod schema;
mod spending;
mod text;
