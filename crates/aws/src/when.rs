//! Times as texts, RFC 3339 in UTC.

use jiff::Timestamp;
use tidewatch_core::time::Time;

/// `2026-11-25T12:00:00.123Z`; a time beyond the calendar's end is its last or first moment, so that the
/// text always begins with ten characters of a day.
pub(crate) fn text(time: Time) -> String {
    // The calendar's own ends have a sign or nanoseconds: the years 1 to 9999 are plain.
    const FIRST: i64 = -62_135_596_800_000;
    const LAST: i64 = 253_402_207_199_999;
    let time = time.0.clamp(FIRST, LAST);
    Timestamp::from_millisecond(time).unwrap_or_default().to_string()
}

/// Reads such a text, of any offset.
pub(crate) fn parse(text: &str) -> Option<Time> {
    text.parse::<Timestamp>().ok().map(|time| Time(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_764_072_000_120, "2025-11-25T12:00:00.12Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text(Time(ms)), expected);
            assert_eq!(parse(expected), Some(Time(ms)));
        }
        assert_eq!(parse("2025-11-25T14:00:00+02:00"), Some(Time(1_764_072_000_000)));
        for wrong in ["", "yesterday", "2025-11-25", "2025-11-25T12:00:00"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for time in [Time::MIN, Time(i64::MIN), Time(i64::MAX)] {
            let text = text(time);
            assert!(text.len() > 10 && text.as_bytes()[10] == b'T', "{text}");
        }
    }
}
