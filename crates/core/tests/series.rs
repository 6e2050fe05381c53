//! What a series says about its newest pane, in whole stories: what is told, and by which numbers.

use tidewatch_core::series::rank::COMMON;
use tidewatch_core::series::season::Basis;
use tidewatch_core::series::steps::ERROR;
use tidewatch_core::series::weighed::Channel;
use tidewatch_core::series::*;

const DAY: i64 = 24 * 12;
const WEEK: i64 = 7 * DAY;

/// Dollars by day and night, and a little less on two days of the week, with a ripple.
fn dollars(pane: i64) -> f64 {
    let day = if (pane % DAY) < DAY / 2 { 1.0 } else { 10.0 };
    let weekend = if (pane / DAY) % 7 >= 5 { 0.5 } else { 1.0 };
    day * weekend * (1.0 + 0.05 * ((pane * 7919 % 101) as f64 / 101.0))
}

fn series(panes: i64) -> Series {
    let mut series = Series::new(PANE, Gap::Zero);
    for pane in 0..panes {
        series.close(pane, Some(dollars(pane))).expect("in order");
    }
    series
}

fn weighed(series: &Series, settings: &Settings) -> Weighed {
    weigh(series, settings).expect("measured")
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() <= 2.0 * ERROR, "{found} is not {expected}");
}

#[test]
fn a_spike_is_explained_by_numbers() {
    let mut series = series(4 * WEEK);
    series.close(4 * WEEK, Some(41.0)).expect("in order");
    let weighed = weighed(&series, &DOLLARS);
    let usual = weighed.usual.expect("four weeks are known");
    assert_eq!((usual.basis, usual.panes), (Basis::HourOfWeek, 4 * 12));
    assert!((1.0..1.05).contains(&usual.median), "{usual:?}");
    near(weighed.number, 41.0);
    near(weighed.excess(), 41.0 - usual.median);
    let largest = weighed.largest.expect("of four weeks");
    assert!((10.0..10.6).contains(&largest) && weighed.nearest == Some(largest), "{weighed:?}");
    let rank = weighed.novelty.value.expect("enough");
    near(f64::from(rank.distance), 41.0 - largest);
    assert_eq!((rank.as_far, rank.of), (0, 4 * 2016 - novelty::VALUES_MIN));
    assert!(weighed.raised.novel.is_some() && weighed.raised.excessive);
}

#[test]
fn at_night_what_is_usual_by_day_is_excessive() {
    let mut series = series(4 * WEEK + 40);
    series.close(4 * WEEK + 40, Some(10.0)).expect("in order");
    let weighed = weighed(&series, &DOLLARS);
    assert_eq!(weighed.novelty.value.map(|rank| rank.rank < 4.0), Some(true), "{weighed:?}");
    assert!(weighed.raised.excessive);
}

#[test]
fn the_less_is_known_the_wider_the_bound_and_half_an_hour_is_enough() {
    assert_eq!(weighed(&series(6), &DOLLARS).usual, None);
    let bound = |panes: i64| {
        let series = series(panes);
        let quiet = quiet_max(&series, &DOLLARS).expect("a pane");
        (series.usual_at(panes).map(|usual| usual.basis), quiet.excessive)
    };
    assert_eq!(bound(5), (None, None));
    let (level, young) = bound(40);
    let (day, older) = bound(DAY + 40);
    let (week, old) = bound(2 * WEEK + 40);
    assert_eq!(
        [level, day, week],
        [Some(Basis::Level), Some(Basis::HourOfDay), Some(Basis::HourOfWeek)]
    );
    assert!(young > older && older > old && old.is_some(), "{young:?} {older:?} {old:?}");
    // A spike in the first hour.
    let mut series = series(8);
    series.close(8, Some(12.0)).expect("in order");
    assert!(weighed(&series, &DOLLARS).raised.excessive);
}

#[test]
fn cents_wake_nobody() {
    let mut series = Series::new(PANE, Gap::Zero);
    for pane in 0..2 * WEEK {
        series.close(pane, Some(dollars(pane) / 10_000.0)).expect("in order");
    }
    series.close(2 * WEEK, Some(0.08)).expect("in order");
    assert!(weighed(&series, &PAGING).raised.at_once());
    assert!(!weighed(&series, &DOLLARS).raised.is_raised());
}

#[test]
fn an_incident_that_comes_again_is_told_again_and_a_weekly_job_is_not() {
    let mut series = series(3 * WEEK);
    let mut told = Vec::new();
    for pane in 3 * WEEK..6 * WEEK {
        let incident = pane % WEEK == 2 * DAY + 30;
        series.close(pane, Some(if incident { 30.0 } else { dollars(pane) })).expect("in order");
        if weighed(&series, &DOLLARS).raised.at_once() {
            told.push(pane / WEEK);
        }
    }
    assert_eq!(told, [3, 4], "the third time it is usual at its hour");
}

#[test]
fn an_episode_is_one_news_and_a_much_worse_pane_another() {
    let mut series = series(3 * WEEK);
    let (mut episode, mut news) = (None, Vec::new());
    let mut incident = vec![40.0; 20];
    incident[10] = 200.0;
    for (at, number) in (0..).zip(incident) {
        series.close(3 * WEEK + at, Some(number)).expect("in order");
        let weighed = weighed(&series, &DOLLARS);
        if let Some((what, told)) = episode::news(episode, &weighed, PANE) {
            episode = Some(told);
            news.push((at, what));
        }
    }
    assert_eq!(news, [(0, episode::News::Opens), (10, episode::News::Worsens)]);
    assert_eq!(episode::panes(PANE), 144);
    assert!(episode::lasts(0, 143, PANE) && !episode::lasts(0, 144, PANE));
}

#[test]
fn silence_is_told_with_the_longest_before() {
    let mut series = series(2 * WEEK);
    series.close(2 * WEEK + 11, None).expect("in order");
    let silence = weighed(&series, &DOLLARS).silence.expect("twelve empty panes");
    assert_eq!((silence.panes, silence.longest_before), (12, 0));
    assert!((12.0..12.6).contains(&silence.usual), "{silence:?}");
    series.close(2 * WEEK + 12, Some(1.0)).expect("in order");
    assert_eq!(weighed(&series, &DOLLARS).silence, None);
}

#[test]
fn a_pane_is_closed_once() {
    let mut series = series(10);
    assert_eq!(series.close(9, Some(1.0)), Err(Closed(9)));
    assert_eq!(series.history().panes(), 10);
    near(series.sum(0, 9), (0..10).map(dollars).sum());
    // After three months of nothing only that is known.
    series.close(3 * 30 * DAY, Some(1.0)).expect("in order");
    assert_eq!(series.history().panes(), KEPT_PANES);
    assert_eq!(weighed(&series, &PAGING).largest, Some(0.0));
}

#[test]
fn five_weeks_are_stored_in_some_20_kilobytes_and_go_on_as_if_never_stopped() {
    assert_eq!(HISTORY_BYTES, 20_232);
    let mut going = series(6 * WEEK + 100);
    let bytes = going.to_bytes();
    assert!(bytes.len() < 28_000, "{}", bytes.len());
    let mut stored = Series::from_bytes(&bytes).expect("a series");
    // A day on, so that what is known of whole days is made anew as well.
    for pane in 6 * WEEK + 100..7 * WEEK {
        for series in [&mut going, &mut stored] {
            series.close(pane, Some(dollars(pane))).expect("in order");
        }
    }
    assert_eq!(weigh(&stored, &DOLLARS), weigh(&going, &DOLLARS));
    assert_eq!(quiet_max(&stored, &DOLLARS), quiet_max(&going, &DOLLARS));
    stored.rest();
    assert_eq!(weigh(&stored, &DOLLARS), weigh(&going, &DOLLARS), "derived anew");
    for cut in [0, 1, 9, 17, 21, 500, bytes.len() - 1] {
        assert!(Series::from_bytes(&bytes[..cut]).is_err(), "{cut} bytes");
    }
}

#[test]
fn a_common_distance_has_no_rank() {
    assert_eq!(rank::rank(1.0, COMMON, 10_000), 0.0);
    assert_eq!(rank::rank(0.0, 0, 10_000), 0.0);
    assert!(
        rank::rank(1.0, 0, 999) >= PAGING.threshold && rank::rank(1.0, 0, 997) < PAGING.threshold
    );
    assert_eq!(Novelty::default().most(), None::<(Channel, f64)>);
}
