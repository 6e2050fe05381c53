//! STUB, to be overwritten by the format half of ingest.
#![allow(missing_docs)]
use crate::when::{Civil, When};
use tidewatch_core::time::Time;

fn number(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

pub fn rfc3339(text: &[u8]) -> Option<(When, usize)> {
    let shape = text.get(..19)?;
    if shape[4] != b'-' || shape[7] != b'-' || !matches!(shape[10], b'T' | b' ') {
        return None;
    }
    let mut at = 19;
    let mut millisecond = 0;
    if text.get(19) == Some(&b'.') {
        let digits = text[20..].iter().take_while(|b| b.is_ascii_digit()).count();
        at = 20 + digits;
        let mut scale = 100;
        for b in &text[20..at.min(23)] {
            millisecond += i64::from(b - b'0') * scale;
            scale /= 10;
        }
    }
    let civil = Civil {
        year: Some(number(&shape[..4])? as i16),
        month: number(&shape[5..7])? as i8,
        day: number(&shape[8..10])? as i8,
        hour: number(&shape[11..13])? as i8,
        minute: number(&shape[14..16])? as i8,
        second: number(&shape[17..19])? as i8,
        millisecond: millisecond as i16,
    };
    let date = jiff::civil::DateTime::new(
        civil.year?,
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        0,
    )
    .ok()?;
    let utc = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let time = Time(utc + millisecond);
    match text.get(at) {
        Some(b'Z') => Some((When::At(time), at + 1)),
        Some(b'+') if text.get(at..at + 6) == Some(b"+00:00") => Some((When::At(time), at + 6)),
        _ => Some((When::Civil(civil), at)),
    }
}

pub fn syslog(text: &[u8]) -> Option<(Civil, usize)> {
    let shape = text.get(..15)?;
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|m| m.as_bytes() == &shape[..3])? as i8 + 1;
    let day = if shape[4] == b' ' { number(&shape[5..6])? } else { number(&shape[4..6])? } as i8;
    Some((
        Civil {
            year: None,
            month,
            day,
            hour: number(&shape[7..9])? as i8,
            minute: number(&shape[10..12])? as i8,
            second: number(&shape[13..15])? as i8,
            millisecond: 0,
        },
        15,
    ))
}
