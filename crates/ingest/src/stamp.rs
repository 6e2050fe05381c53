//! Reads the ways in which logs write a time: ISO 8601 with its relatives, classic syslog, and the
//! strings and numbers that JSON loggers put into a time field.
//!
//! The two that stand on nearly every line are written by hand, without an allocation: a general
//! date library costs more than all other work on a line. Invariant: a time is either in range in
//! every field, the day existing in its month, or it is not read at all; nothing is guessed but the
//! unit of a bare number.

use tidewatch_core::time::Time;

use crate::when::{Civil, When};

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// An ISO 8601 / RFC 3339 date-time at the start of `text`, and how many bytes it takes. Separator
/// `T`, `t` or a space; fraction after `.` or `,`, cut to milliseconds; zone `Z`, `z`, `+hh:mm`,
/// `+hhmm`, `+hh`, or none: then the reading is civil. Second 60 is accepted (a leap second).
pub fn rfc3339(text: &[u8]) -> Option<(When, usize)> {
    let (civil, end) = civil_at(text, b'-')?;
    match zone(&text[end..])? {
        (None, _) => Some((When::Civil(civil), end)),
        (Some(east), length) => Some((at(&civil, east)?, end + length)),
    }
}

/// A classic syslog stamp, `Mon dd hh:mm:ss` or `Mon  d hh:mm:ss`, at the start of `text`, and how
/// many bytes it takes. A fraction, as journald's precise output has one, is read too. No year: the
/// day is only known to exist in a leap year.
pub fn syslog(text: &[u8]) -> Option<(Civil, usize)> {
    if text.get(5) == Some(&b' ') && text.get(3) == Some(&b' ') && text.get(8) == Some(&b':') {
        return unpadded_syslog(text);
    }
    let head = text.get(..15)?;
    if [head[3], head[6], head[9], head[12]] != *b"  ::" {
        return None;
    }
    let month = month(&head[..3])?;
    let day = if head[4] == b' ' { digits(&head[5..6])? } else { digits(&head[4..6])? };
    if day == 0 || day > days_in_month(2000, month) {
        return None;
    }
    let mut civil = Civil {
        year: None,
        month: month as i8,
        day: day as i8,
        hour: 0,
        minute: 0,
        second: 0,
        millisecond: 0,
    };
    clock(&head[7..15], &mut civil)?;
    let (millisecond, length) = fraction(&text[15..]);
    civil.millisecond = millisecond;
    Some((civil, 15 + length))
}

/// A day of one digit that was not padded, `Jun 1 06:00:00`, read as if it was.
fn unpadded_syslog(text: &[u8]) -> Option<(Civil, usize)> {
    let mut padded = [b' '; 40];
    let length = text.len().min(padded.len() - 1);
    padded[..4].copy_from_slice(text.get(..4)?);
    padded[5..=length].copy_from_slice(text.get(4..length)?);
    let (civil, end) = syslog(&padded[..=length])?;
    Some((civil, end - 1))
}

/// The time that a JSON string gives: RFC 3339 and its relatives (blanks before the zone, `/` in the
/// date, `UTC`, a zone's name in brackets behind the offset), a bare epoch number, the Common Log
/// Format, RFC 2822, `ctime` or classic syslog. The whole string must be the time.
pub fn json_text(text: &str) -> Option<When> {
    let text = text.trim().as_bytes();
    if let Some((when, end)) = rfc3339(text)
        && (end == text.len() || (matches!(when, When::At(_)) && bracketed(&text[end..])))
    {
        return Some(when);
    }
    let dated = civil_at(text, b'-').or_else(|| civil_at(text, b'/'));
    if let Some((civil, end)) = dated {
        return zoned(civil, &text[end..]);
    }
    if let Some((civil, end)) = syslog(text)
        && end == text.len()
    {
        return Some(When::Civil(civil));
    }
    number(text).or_else(|| common_log(text)).or_else(|| worded(text))
}

/// The time at the start of `text`, whatever stands behind it: as [`json_text`] reads one, but for bare
/// numbers and those with a month's name among blanks.
pub(crate) fn leading(text: &[u8]) -> Option<When> {
    let (civil, end) = civil_at(text, b'-')
        .or_else(|| civil_at(text, b'/'))
        .or_else(|| common_log_at(text))
        .or_else(|| syslog(text))?;
    let rest = &text[end..];
    let blanks = rest.len() - rest.trim_ascii_start().len();
    let token = rest[blanks.min(1)..].split(|b| !(b.is_ascii_alphanumeric() || b"+-:".contains(b)));
    // What follows a time without a zone may look like none, and then is none.
    let zone = token.into_iter().next().unwrap_or_default();
    let zoned = civil.year.and_then(|_| zoned(civil, zone));
    Some(zoned.unwrap_or(When::Civil(civil)))
}

/// The time that a JSON integer gives: seconds, milliseconds, microseconds or nanoseconds since
/// 1970, told apart by magnitude (10¹¹ seconds lie in the year 5138, 10¹¹ milliseconds in 1973).
pub fn json_integer(value: i64) -> When {
    When::At(Time(match value.unsigned_abs() {
        0..100_000_000_000 => value * 1_000,
        100_000_000_000..100_000_000_000_000 => value,
        100_000_000_000_000..100_000_000_000_000_000 => value.div_euclid(1_000),
        _ => value.div_euclid(1_000_000),
    }))
}

/// The time that a JSON number with a fraction gives, in the units of [`json_integer`], rounded to
/// milliseconds.
pub fn json_float(value: f64) -> Option<When> {
    let ms = match value.abs() {
        size if size < 1e11 => value * 1e3,
        size if size < 1e14 => value,
        size if size < 1e17 => value / 1e3,
        size if size < 9e18 => value / 1e6,
        _ => return None,
    };
    Some(When::At(Time(ms.round() as i64)))
}

/// `YYYY-MM-DD hh:mm:ss[.fff]` with the given separator in the date.
fn civil_at(text: &[u8], separator: u8) -> Option<(Civil, usize)> {
    let head = text.get(..19)?;
    let separators = [head[4], head[7], head[13], head[16]];
    if separators != [separator, separator, b':', b':'] || !matches!(head[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (digits(&head[..4])?, digits(&head[5..7])?, digits(&head[8..10])?);
    let mut civil = date(year, month, day)?;
    clock(&head[11..19], &mut civil)?;
    let (millisecond, length) = fraction(&text[19..]);
    civil.millisecond = millisecond;
    Some((civil, 19 + length))
}

fn date(year: u32, month: u32, day: u32) -> Option<Civil> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some(Civil {
        year: Some(i16::try_from(year).ok()?),
        month: month as i8,
        day: day as i8,
        hour: 0,
        minute: 0,
        second: 0,
        millisecond: 0,
    })
}

/// `hh:mm:ss`, into `civil`.
fn clock(text: &[u8], civil: &mut Civil) -> Option<()> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text else { return None };
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[m1, m2])?, digits(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    (civil.hour, civil.minute, civil.second) = (hour as i8, minute as i8, second as i8);
    Some(())
}

/// A fraction of a second in milliseconds, further digits cut off, and its length; `(0, 0)` if there
/// is none.
fn fraction(text: &[u8]) -> (i16, usize) {
    if !matches!(text, [b'.' | b',', b'0'..=b'9', ..]) {
        return (0, 0);
    }
    let count = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digit = |place: usize| if place < count { i16::from(text[1 + place] - b'0') } else { 0 };
    (digit(0) * 100 + digit(1) * 10 + digit(2), 1 + count)
}

/// The zone at the start of `text` in minutes east of Greenwich, and its length; `(None, 0)` where
/// there is none, `None` where it is out of range.
fn zone(text: &[u8]) -> Option<(Option<i64>, usize)> {
    let sign = match text {
        [b'Z' | b'z', ..] => return Some((Some(0), 1)),
        [b'+', b'0'..=b'9', ..] => 1,
        [b'-', b'0'..=b'9', ..] => -1,
        _ => return Some((None, 0)),
    };
    let hours = digits(text.get(1..3)?)?;
    let (minutes, length) = match &text[3..] {
        [b':', tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => (digits(&[*tens, *ones])?, 6),
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => (digits(&[*tens, *ones])?, 5),
        _ => (0, 3),
    };
    let in_range = hours <= 23 && minutes <= 59;
    in_range.then_some((Some(sign * i64::from(hours * 60 + minutes)), length))
}

/// The reading `east` minutes east of Greenwich as a point in time.
fn at(civil: &Civil, east: i64) -> Option<When> {
    let days = days_since_1970(civil.year?, civil.month, civil.day);
    let minutes = (days * 24 + i64::from(civil.hour)) * 60 + i64::from(civil.minute) - east;
    let seconds = minutes * 60 + i64::from(civil.second);
    Some(When::At(Time(seconds * 1_000 + i64::from(civil.millisecond))))
}

/// A reading with what stands behind it: nothing, or a zone after blanks. Anything else makes the
/// string no time.
fn zoned(civil: Civil, behind: &[u8]) -> Option<When> {
    let behind = behind.trim_ascii();
    if behind.is_empty() {
        return Some(When::Civil(civil));
    }
    if behind.eq_ignore_ascii_case(b"utc") || behind.eq_ignore_ascii_case(b"gmt") {
        return at(&civil, 0);
    }
    match zone(behind)? {
        (Some(east), length) if length == behind.len() => at(&civil, east),
        _ => None,
    }
}

/// `[Europe/Berlin]`: what Java writes behind the offset it already gave.
fn bracketed(text: &[u8]) -> bool {
    text.starts_with(b"[") && text.ends_with(b"]")
}

/// A bare number in a string.
fn number(text: &[u8]) -> Option<When> {
    if !text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    match text.parse() {
        Ok(value) => Some(json_integer(value)),
        Err(_) => json_float(text.parse().ok()?),
    }
}

/// `10/Nov/2026:06:00:00 +0000`, with or without its brackets.
fn common_log(text: &[u8]) -> Option<When> {
    let text = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
    let (civil, end) = common_log_at(text)?;
    zoned(civil, &text[end..])
}

/// `10/Nov/2026:06:00:00`, or with a blank before the hour, and its length.
fn common_log_at(text: &[u8]) -> Option<(Civil, usize)> {
    let head = text.get(..20)?;
    if [head[2], head[6]] != *b"//" || !matches!(head[11], b':' | b' ') {
        return None;
    }
    let month = month(&head[3..6])?;
    let mut civil = date(digits(&head[7..11])?, month, digits(&head[..2])?)?;
    clock(&head[12..20], &mut civil)?;
    Some((civil, 20))
}

/// The two forms with a month's name and a year among blanks: `Tue, 10 Nov 2026 06:00:00 GMT` and
/// `Tue Nov 10 06:00:00 2026`, the weekday optional and not checked.
fn worded(text: &[u8]) -> Option<When> {
    let mut parts = [&[][..]; 6];
    let mut count = 0;
    for part in text.split(|byte| matches!(byte, b' ' | b',')).filter(|part| !part.is_empty()) {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    let weekday = parts[0].len() == 3 && month(parts[0]).is_none();
    let parts = &parts[usize::from(weekday)..count.max(usize::from(weekday))];
    let (day, name, year, hms, zone) = match *parts {
        [day, name, year, hms] if month(name).is_some() => (day, name, year, hms, &[][..]),
        [day, name, year, hms, zone] if month(name).is_some() => (day, name, year, hms, zone),
        [name, day, hms, year] => (day, name, year, hms, &[][..]),
        [name, day, hms, zone, year] => (day, name, year, hms, zone),
        _ => return None,
    };
    let mut civil = date(digits(year)?, month(name)?, digits(day)?)?;
    clock(hms, &mut civil)?;
    zoned(civil, zone)
}

/// Whether the text begins with a month's short name and a blank.
pub(crate) fn begins_with_month(text: &str) -> bool {
    text.as_bytes().get(..4).is_some_and(|head| head[3] == b' ' && month(&head[..3]).is_some())
}

fn month(name: &[u8]) -> Option<u32> {
    let index = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(*month))?;
    Some(index as u32 + 1)
}

/// Up to four decimal digits.
fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Some(number * 10 + u32::from(byte - b'0')),
        _ => None,
    })
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `days_from_civil`): the year begins in March, so that the leap day is its last.
fn days_since_1970(year: i16, month: i8, day: i8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn shown(when: When) -> String {
        match when {
            When::At(Time(ms)) => jiff::Timestamp::from_millisecond(ms)
                .map_or_else(|_| format!("{ms} ms"), |stamp| stamp.to_string()),
            When::Civil(c) => format!(
                "civil {:?}-{}-{} {}:{}:{}.{}",
                c.year, c.month, c.day, c.hour, c.minute, c.second, c.millisecond
            ),
        }
    }

    fn check(texts: &[&str], read: impl Fn(&str) -> Option<String>, expected: Expect) {
        let lines = texts
            .iter()
            .map(|text| format!("{text} => {}\n", read(text).unwrap_or_else(|| "nothing".into())));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn iso_8601_at_the_start() {
        check(
            &[
                "2026-11-10T06:00:00Z",
                "2026-11-10T06:00:00.1234567Z rest",
                "2026-11-10t06:00:00,5+02:00",
                "2026-11-10 06:00:00-0130 rest",
                "2026-11-10T06:00:00+05",
                "2026-11-10 06:00:00,123 - rest",
                "2024-02-29T23:59:60z",
                "1969-12-31T23:59:59.999Z",
                "2026-02-29T00:00:00Z",
                "2026-13-01T00:00:00Z",
                "2026-11-10T24:00:00Z",
                "2026-11-10T06:00:00+24:00",
                "2026-11-10T06:00",
                "2026-11-1é06:00:00Z",
            ],
            |text| rfc3339(text.as_bytes()).map(|(when, end)| format!("{} {end}", shown(when))),
            expect![[r#"
                2026-11-10T06:00:00Z => 2026-11-10T06:00:00Z 20
                2026-11-10T06:00:00.1234567Z rest => 2026-11-10T06:00:00.123Z 28
                2026-11-10t06:00:00,5+02:00 => 2026-11-10T04:00:00.5Z 27
                2026-11-10 06:00:00-0130 rest => 2026-11-10T07:30:00Z 24
                2026-11-10T06:00:00+05 => 2026-11-10T01:00:00Z 22
                2026-11-10 06:00:00,123 - rest => civil Some(2026)-11-10 6:0:0.123 23
                2024-02-29T23:59:60z => 2024-03-01T00:00:00Z 20
                1969-12-31T23:59:59.999Z => 1969-12-31T23:59:59.999Z 24
                2026-02-29T00:00:00Z => nothing
                2026-13-01T00:00:00Z => nothing
                2026-11-10T24:00:00Z => nothing
                2026-11-10T06:00:00+24:00 => nothing
                2026-11-10T06:00 => nothing
                2026-11-1é06:00:00Z => nothing
            "#]],
        );
    }

    #[test]
    fn syslog_at_the_start() {
        check(
            &[
                "Dec  2 13:14:29 host",
                "Feb 29 00:00:00",
                "Nov 10 06:00:00.123456 host",
                "Feb 30 00:00:00",
                "Dec  2 13:14:2",
                "Foo 12 00:00:00",
                "Dec 002 13:14:29",
            ],
            |text| {
                syslog(text.as_bytes()).map(|(c, end)| format!("{} {end}", shown(When::Civil(c))))
            },
            expect![[r#"
                Dec  2 13:14:29 host => civil None-12-2 13:14:29.0 15
                Feb 29 00:00:00 => civil None-2-29 0:0:0.0 15
                Nov 10 06:00:00.123456 host => civil None-11-10 6:0:0.123 22
                Feb 30 00:00:00 => nothing
                Dec  2 13:14:2 => nothing
                Foo 12 00:00:00 => nothing
                Dec 002 13:14:29 => nothing
            "#]],
        );
    }

    #[test]
    fn strings_in_time_fields() {
        check(
            &[
                " 2026-11-10T06:00:00Z ",
                "2026-11-10 06:00:00,123",
                "2026-11-10 06:00:00.5 UTC",
                "2026-11-10 06:00:00 +0100",
                "2026/11/10 06:00:00",
                "2026-11-10T06:00:00+01:00[Europe/Berlin]",
                "10/Nov/2026:06:00:00 +0000",
                "[10/Nov/2026:06:00:00 -0800]",
                "Tue, 10 Nov 2026 06:00:00 GMT",
                "Tue Nov 10 06:00:00 2026",
                "Tue Nov  3 06:00:00 UTC 2026",
                "Nov 10 06:00:00",
                "1794290400",
                "1794290400.25",
                "1794290400123",
                "2026-11-10T06:00:00Zoo",
                "2026-11-10",
                "06:00:00",
                "yesterday",
                "1.2.3",
                "",
            ],
            |text| json_text(text).map(shown),
            expect![[r#"
                 2026-11-10T06:00:00Z  => 2026-11-10T06:00:00Z
                2026-11-10 06:00:00,123 => civil Some(2026)-11-10 6:0:0.123
                2026-11-10 06:00:00.5 UTC => 2026-11-10T06:00:00.5Z
                2026-11-10 06:00:00 +0100 => 2026-11-10T05:00:00Z
                2026/11/10 06:00:00 => civil Some(2026)-11-10 6:0:0.0
                2026-11-10T06:00:00+01:00[Europe/Berlin] => 2026-11-10T05:00:00Z
                10/Nov/2026:06:00:00 +0000 => 2026-11-10T06:00:00Z
                [10/Nov/2026:06:00:00 -0800] => 2026-11-10T14:00:00Z
                Tue, 10 Nov 2026 06:00:00 GMT => 2026-11-10T06:00:00Z
                Tue Nov 10 06:00:00 2026 => civil Some(2026)-11-10 6:0:0.0
                Tue Nov  3 06:00:00 UTC 2026 => 2026-11-03T06:00:00Z
                Nov 10 06:00:00 => civil None-11-10 6:0:0.0
                1794290400 => 2026-11-10T06:00:00Z
                1794290400.25 => 2026-11-10T06:00:00.25Z
                1794290400123 => 2026-11-10T06:00:00.123Z
                2026-11-10T06:00:00Zoo => nothing
                2026-11-10 => nothing
                06:00:00 => nothing
                yesterday => nothing
                1.2.3 => nothing
                 => nothing
            "#]],
        );
    }

    #[test]
    fn numbers_in_time_fields() {
        let same = When::At(Time(1_794_290_400_123));
        assert_eq!(json_integer(1_794_290_400), When::At(Time(1_794_290_400_000)));
        assert_eq!(json_integer(1_794_290_400_123), same);
        assert_eq!(json_integer(1_794_290_400_123_999), same);
        assert_eq!(json_integer(1_794_290_400_123_999_999), same);
        assert_eq!(json_integer(i64::MIN), When::At(Time(i64::MIN.div_euclid(1_000_000))));
        assert_eq!(json_float(1_794_290_400.123), Some(same));
        assert_eq!(json_float(1_794_290_400_123.2), Some(same));
        assert_eq!([f64::NAN, f64::INFINITY, 1e300].map(json_float), [None; 3]);
    }

    proptest! {
        #[test]
        fn days_agree_with_a_calendar(year in 0i16..=9999, month in 1i8..=12, day in 1i8..=28) {
            let epoch = jiff::civil::date(1970, 1, 1);
            let days = (jiff::civil::date(year, month, day) - epoch).get_days();
            prop_assert_eq!(days_since_1970(year, month, day), i64::from(days));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*", stamp in "[0-9TZtz:+., /A-Za-z-]{0,40}") {
            for text in [text, stamp] {
                let (_, _) = (rfc3339(text.as_bytes()), syslog(text.as_bytes()));
                let _ = json_text(&text);
            }
        }
    }
}
