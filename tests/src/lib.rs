//! What the end-to-end tests need: the real binary, run as a user runs it, and labelled logs where
//! there are any.

pub mod binary;
pub mod labelled;
