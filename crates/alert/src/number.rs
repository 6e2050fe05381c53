//! Numbers as people read them, with what is known about their error, and times.
//!
//! Invariant: an inexact number is never printed as if it were exact.

use jiff::Timestamp;
use tidewatch_core::finding::{Accuracy, Value};
use tidewatch_core::grounds::SHARE;
use tidewatch_core::time::Time;

/// The largest integer below which every integer is an `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// An integer where it is whole, else at most two decimals.
pub(crate) fn number(amount: f64) -> String {
    let rounded = (amount * 100.0).round() / 100.0;
    match whole(rounded) {
        Some(whole) => whole.to_string(),
        None => rounded.to_string(),
    }
}

/// The integer that `amount` is, where it is one.
pub(crate) fn whole(amount: f64) -> Option<i64> {
    let is_whole = amount.fract() == 0.0 && amount.abs() < WHOLE_MAX;
    is_whole.then_some(amount as i64)
}

/// A measure's number in its unit, which its name tells: `152.4 MB` of `bytes`, `62 %` of [`SHARE`].
pub(crate) fn of_measure(name: &str, amount: f64) -> String {
    if name == SHARE {
        return format!("{} %", number((amount * 1_000.0).round() / 10.0));
    }
    if !is_bytes(name) {
        return number(amount);
    }
    let large = BYTES.iter().find(|(least, _)| amount >= *least);
    large.map_or_else(
        || format!("{} bytes", number(amount)),
        |(least, unit)| format!("{} {unit}", number((amount / least * 10.0).round() / 10.0)),
    )
}

/// Whether a measure counts bytes, by its name.
pub(crate) fn is_bytes(name: &str) -> bool {
    name == "bytes" || name.ends_with("_bytes")
}

/// Powers of a thousand, as disks and networks count.
const BYTES: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];

/// `34`, `about 3600`, `at least 256`: for a sentence.
pub(crate) fn short(name: &str, value: &Value) -> String {
    match value.error {
        Accuracy::Exact | Accuracy::Pane(_) => of_measure(name, value.amount),
        Accuracy::Sketch { .. } => format!("about {}", number(value.amount.round())),
        Accuracy::AtLeast => format!("at least {}", of_measure(name, value.amount)),
        Accuracy::AtMost => format!("at most {}", of_measure(name, value.amount)),
    }
}

/// The same with the size of the error: `34 (window + at most 20s)`, `about 3600 (±1.6 %, …)`.
pub(crate) fn long(name: &str, value: &Value) -> String {
    let short = short(name, value);
    match value.error {
        Accuracy::Exact | Accuracy::AtLeast | Accuracy::AtMost => short,
        Accuracy::Pane(pane) => format!("{short} (window + at most {pane})"),
        Accuracy::Sketch { relative, pane } => {
            format!("{short} (±{} %, window + at most {pane})", number(relative * 100.0))
        }
    }
}

/// RFC 3339, UTC; the bare milliseconds for a time beyond the year 9999.
pub fn rfc3339(time: Time) -> String {
    match Timestamp::from_millisecond(time.0) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => format!("{} ms", time.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidewatch_core::time::Span;

    #[test]
    fn numbers_show_what_is_known_of_them() {
        for (amount, error, expected_short, expected_long) in [
            (34.0, Accuracy::Exact, "34", "34"),
            (0.5, Accuracy::Exact, "0.5", "0.5"),
            (17.333_3, Accuracy::Exact, "17.33", "17.33"),
            (34.0, Accuracy::Pane(Span::seconds(20)), "34", "34 (window + at most 20s)"),
            (
                3_600.2,
                Accuracy::Sketch { relative: 0.01625, pane: Span::seconds(20) },
                "about 3600",
                "about 3600 (±1.63 %, window + at most 20s)",
            ),
            (256.0, Accuracy::AtLeast, "at least 256", "at least 256"),
            (3.0, Accuracy::AtMost, "at most 3", "at most 3"),
            (1e300, Accuracy::Exact, &format!("{}", 1e300), &format!("{}", 1e300)),
        ] {
            let value = Value { amount, error };
            assert_eq!(short("users", &value), expected_short);
            assert_eq!(long("users", &value), expected_long);
        }
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(rfc3339(Time(1_795_342_530_000)), "2026-11-22T10:15:30Z");
        assert_eq!(rfc3339(Time(1_795_342_530_250)), "2026-11-22T10:15:30.25Z");
        assert_eq!(rfc3339(Time(i64::MAX)), "9223372036854775807 ms");
    }

    #[test]
    fn bytes_and_shares_have_their_units() {
        let of = |amount| of_measure("usual_bytes", amount);
        assert_eq!([of(0.0), of(999.0), of(152_444_000.0)], ["0 bytes", "999 bytes", "152.4 MB"]);
        assert_eq!([of(1e9), of(2.5e13)], ["1 GB", "25 TB"]);
        assert_eq!([of_measure(SHARE, 0.6234), of_measure("users", 1e6)], ["62.3 %", "1000000"]);
    }
}
