//! The real `bootstrap` as Lambda runs it, with everything that can go wrong around it: what it answers,
//! which decides what Lambda delivers again, and what it says, which somebody is woken by.
//!
//! Each misfortune ends in an answer within the deadline, in one ERROR line that says what to do, and in
//! a metric; what it kept from being done is done when the same records come again.

mod events;
mod host;
mod lists;
mod logs;
mod misfortune;
mod users;
