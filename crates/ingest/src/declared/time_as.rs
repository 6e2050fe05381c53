//! Times in no usual form, by a format of `strptime`.

use jiff::civil::DateTime;
use jiff::fmt::strtime;

use crate::when::{Civil, When};

/// A format of `strptime`, as jiff reads it, of a date and a time of day, perhaps with a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeAs(String);

impl TimeAs {
    /// The format, if it can hold a time.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(format: &str) -> Result<TimeAs, String> {
        let sample = jiff::civil::date(2026, 11, 25).at(18, 7, 9, 0).in_tz("UTC");
        let sample = sample.map_err(|error| error.to_string())?;
        let text = strtime::format(format, &sample).map_err(|error| error.to_string())?;
        let new = TimeAs(format.to_owned());
        let whole = match new.read(&text) {
            Some(When::At(time)) => time.0 == sample.timestamp().as_millisecond(),
            Some(when) => when == civil(sample.datetime()),
            None => false,
        };
        match whole {
            true => Ok(new),
            false => Err("it gives no whole date and time of day to the second".to_owned()),
        }
    }

    /// The time that is all of `text`.
    pub(crate) fn read(&self, text: &str) -> Option<When> {
        let broken = strtime::parse(&self.0, text).ok()?;
        if let Ok(time) = broken.to_timestamp() {
            return Some(When::At(tidewatch_core::time::Time(time.as_millisecond())));
        }
        broken.to_datetime().ok().map(civil)
    }
}

fn civil(at: DateTime) -> When {
    When::Civil(Civil {
        year: Some(at.year()),
        month: at.month(),
        day: at.day(),
        hour: at.hour(),
        minute: at.minute(),
        second: at.second(),
        millisecond: at.millisecond(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_times_are_read_and_useless_formats_refused() {
        let cases = [
            ("%m/%d/%Y, %I:%M:%S %p", "08/02/2026, 7:32:47 PM"),
            ("%Y/%m/%d - %H:%M:%S", "2026/08/02 - 19:32:47"),
        ];
        let at = jiff::civil::date(2026, 8, 2).at(19, 32, 47, 0);
        for (format, text) in cases {
            assert_eq!(TimeAs::new(format).map(|format| format.read(text)), Ok(Some(civil(at))));
        }
        let zoned =
            TimeAs::new("%Y%m%d %H%M%S %z").map(|format| format.read("20260802 193247 +0200"));
        assert!(matches!(zoned, Ok(Some(When::At(_)))), "{zoned:?}");
        for bad in ["%H:%M:%S", "%Y-%m-%d", "%Q", "no time"] {
            assert!(TimeAs::new(bad).is_err(), "{bad}");
        }
    }
}
