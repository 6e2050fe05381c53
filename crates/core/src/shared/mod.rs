//! The shared home of windows: many writers, none of which can be relied on.
pub mod safeguards;
pub mod store;
pub mod table;
