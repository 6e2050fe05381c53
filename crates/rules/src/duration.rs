//! Durations as detector files write them: a whole number and one unit, `90s`, `10m`, `24h`, `1d`.
//!
//! One unit only, so that equal spans look equal. A day is 24 hours: windows slide, they do not
//! follow a calendar.

use tidewatch_core::time::Span;

/// What to write instead.
pub const HELP: &str = "Write a whole number and a unit (ms, s, m, h or d), like \"300s\", \"10m\", \"24h\" or \"1d\".";

/// The span `text` stands for, or `None` where it is no duration or too long for any limit.
pub fn parse(text: &str) -> Option<Span> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    number.checked_mul(unit_ms).map(Span)
}
