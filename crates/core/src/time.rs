//! Event time and spans, both in whole milliseconds, because that is what CloudWatch Logs carries.
//! Time is data here: this crate has no clock, `now` is always passed in.

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl Time {
    /// Earlier than every real time.
    pub const MIN: Time = Time(i64::MIN / 4);

    /// The time `span` later.
    pub fn plus(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }

    /// The time `span` earlier.
    pub fn minus(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: i64) -> Span {
        Span(seconds * 1_000)
    }

    /// A span of whole minutes.
    pub const fn minutes(minutes: i64) -> Span {
        Span::seconds(minutes * 60)
    }
}

/// Prints the span in its largest whole unit: `90s`, `10m`, `24h`, `1500ms`.
impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ms if ms % 3_600_000 == 0 && ms != 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 && ms != 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}
