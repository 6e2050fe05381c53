//! From what a line says of its time to a point in time: the zone it leaves out, and the year.
//!
//! The first line of an input without a year has the year the user gives, or the latest that does not
//! lie in the future; every later line has the year nearest to the line before it, so that a log may
//! run over New Year in either direction.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tidewatch_core::signal::Signal;
use tidewatch_core::time::Time;
use tidewatch_ingest::problem::Problem;
use tidewatch_ingest::when::{Civil, When};
use tidewatch_ingest::{Tally, Undated};

/// How far back a first 29 February looks for its leap year.
const LEAP_YEARS_BACK: i16 = 8;

/// Resolves the times of one input.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    first_year: Option<i16>,
    latest: Time,
    before: Option<DateTime>,
}

impl Calendar {
    /// For times in `zone`; `first_year` is what the user said, `latest` is where the future begins.
    pub fn new(zone: TimeZone, first_year: Option<i16>, latest: Time) -> Calendar {
        Calendar { zone, first_year, latest, before: None }
    }

    /// The point in time, or `None` if there is no such day. Lines must come in input order.
    pub fn resolve(&mut self, when: When) -> Option<Time> {
        match when {
            When::At(time) => Some(time),
            When::Civil(civil) => {
                let reading = match civil.year {
                    Some(year) => date_time(civil, year)?,
                    None => self.with_year(civil)?,
                };
                self.time(reading)
            }
        }
    }

    /// Takes note of a line that holds no signal, so that the year follows it.
    pub fn note(&mut self, civil: Civil) {
        if civil.year.is_none() {
            self.with_year(civil);
        }
    }

    /// Signals with their points in time; those that have none are counted in `tally`.
    pub fn date(&mut self, undated: Vec<Undated>, tally: &mut Tally) -> Vec<Signal> {
        let mut dated = Vec::with_capacity(undated.len());
        for undated in undated {
            match self.resolve(undated.when) {
                Some(time) => dated.push(undated.at(time)),
                None => {
                    let origin = &undated.origin;
                    let place = format!("{}:{}", origin.stream.stream, origin.id);
                    tally.reject(Problem::TimeUnreadable, place);
                }
            }
        }
        dated
    }

    fn with_year(&mut self, civil: Civil) -> Option<DateTime> {
        let reading = match self.before {
            Some(before) => nearest(civil, before),
            None => self.first(civil),
        }?;
        self.before = Some(reading);
        Some(reading)
    }

    fn first(&self, civil: Civil) -> Option<DateTime> {
        if let Some(year) = self.first_year {
            return date_time(civil, year);
        }
        let latest = jiff::Timestamp::from_millisecond(self.latest.0).ok()?;
        let this_year = latest.to_zoned(self.zone.clone()).year();
        (this_year - LEAP_YEARS_BACK..=this_year)
            .rev()
            .filter_map(|year| date_time(civil, year))
            .find(|reading| self.time(*reading).is_some_and(|time| time <= self.latest))
    }

    fn time(&self, reading: DateTime) -> Option<Time> {
        let zoned = self.zone.to_ambiguous_timestamp(reading).compatible().ok()?;
        Some(Time(zoned.as_millisecond()))
    }
}

fn nearest(civil: Civil, before: DateTime) -> Option<DateTime> {
    let year = before.year();
    // Within half a year of the line before, its own year is the nearest.
    let months = i32::from(civil.month) - i32::from(before.month());
    if months.abs() < 5
        && let Some(reading) = date_time(civil, year)
    {
        return Some(reading);
    }
    let distance = |reading: &DateTime| before.duration_until(*reading).abs();
    (year.saturating_sub(1)..=year.saturating_add(1))
        .filter_map(|year| date_time(civil, year))
        .min_by_key(distance)
}

/// A leap second reads as the second before it.
fn date_time(civil: Civil, year: i16) -> Option<DateTime> {
    DateTime::new(
        year,
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second.min(59),
        i32::from(civil.millisecond) * 1_000_000,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(month: i8, day: i8, hour: i8) -> Civil {
        Civil { year: None, month, day, hour, minute: 0, second: 0, millisecond: 0 }
    }

    fn years(first_year: Option<i16>, now: &str, lines: &[(i8, i8, i8)]) -> Vec<String> {
        let latest = Time(now.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let mut calendar = Calendar::new(TimeZone::UTC, first_year, latest);
        lines
            .iter()
            .map(|(month, day, hour)| {
                match calendar.resolve(When::Civil(reading(*month, *day, *hour))) {
                    Some(time) => jiff::Timestamp::from_millisecond(time.0).unwrap().to_string()
                        [..13]
                        .to_owned(),
                    None => "none".to_owned(),
                }
            })
            .collect()
    }

    #[test]
    fn the_first_year_is_the_latest_that_is_not_in_the_future() {
        let now = "2026-11-22T12:00:00Z";
        assert_eq!(years(None, now, &[(11, 22, 12)]), ["2026-11-22T12"]);
        assert_eq!(years(None, now, &[(11, 22, 13)]), ["2025-11-22T13"]);
        assert_eq!(years(None, now, &[(12, 10, 6)]), ["2025-12-10T06"]);
        assert_eq!(years(None, now, &[(2, 29, 6)]), ["2024-02-29T06"]);
        assert_eq!(years(Some(2017), now, &[(12, 10, 6)]), ["2017-12-10T06"]);
        assert_eq!(years(Some(2017), now, &[(2, 29, 6)]), ["none"]);
    }

    #[test]
    fn later_years_are_the_nearest_to_the_line_before() {
        let now = "2026-11-22T12:00:00Z";
        assert_eq!(
            years(Some(2016), now, &[(12, 31, 23), (1, 1, 0), (12, 31, 22), (3, 1, 0), (7, 1, 0)]),
            ["2016-12-31T23", "2017-01-01T00", "2016-12-31T22", "2017-03-01T00", "2017-07-01T00"]
        );
        assert_eq!(
            years(Some(2023), now, &[(12, 30, 0), (2, 29, 0), (2, 30, 0), (3, 1, 0)]),
            ["2023-12-30T00", "2024-02-29T00", "none", "2024-03-01T00"]
        );
    }

    #[test]
    fn a_zone_moves_times_and_an_hour_that_is_missing_or_doubled_still_has_one_time() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut calendar = Calendar::new(zone, Some(2026), Time(i64::MAX));
        let mut at = |month, day, hour| {
            let civil = Civil { year: Some(2026), ..reading(month, day, hour) };
            let time = calendar.resolve(When::Civil(civil)).unwrap();
            jiff::Timestamp::from_millisecond(time.0).unwrap().to_string()
        };
        assert_eq!(at(1, 15, 12), "2026-01-15T11:00:00Z");
        assert_eq!(at(3, 29, 2), "2026-03-29T01:00:00Z");
        assert_eq!(at(10, 25, 2), "2026-10-25T00:00:00Z");
    }
}
