//! The shared home of windows: many writers, none of which can be relied on.
pub mod safeguards;
pub mod table;
