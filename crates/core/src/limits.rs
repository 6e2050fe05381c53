//! Every limit of the core in one place, with its unit. What happens at each is tested where it is
//! enforced, and reported in the run's statistics.

use crate::time::{Span, Time};

/// Most recent tags a distinct list keeps per class; exact below, a sketch beyond.
pub const DISTINCT_LIST_TAGS_MAX: usize = 256;

/// Log events a finding quotes.
pub const SAMPLES_MAX: usize = 4;

/// Source addresses a /64 keeps.
pub const SOURCES_OF_NET_MAX: usize = 8;

/// Source addresses a finding about another key names.
pub const SOURCES_NAMED_MAX: usize = 32;

/// Source addresses another key keeps, to find the top ones among them.
pub const SOURCES_KEPT_MAX: usize = 128;

/// Event times before this are rejected: 2000-01-01T00:00:00Z.
pub const TIME_MIN: Time = Time(946_684_800_000);

/// How far after the run's start an event time may lie (CloudWatch Logs accepts the same).
pub const FUTURE_MAX: Span = Span::minutes(120);

/// A window is cut into at least this many panes.
pub const PANES_PER_WINDOW_MIN: i64 = 30;

/// The shortest window a detector may have.
pub const WINDOW_MIN: Span = Span::seconds(1);

/// The longest window a detector may have.
pub const WINDOW_MAX: Span = Span::minutes(7 * 24 * 60);

/// Detectors that may be loaded at once.
pub const DETECTORS_MAX: usize = 1_000;

/// Measures of one kind that all detectors on one key may have together: a class is a bit set.
pub const MEASURES_PER_KEY_MAX: usize = 64;
