//! Simulated spend: small editions of `cargo run --release -p tidewatch-tests --bin spend`.

use tidewatch_tests::spend::planted::{creep, incidents};
use tidewatch_tests::spend::{innocent, projected, seldom};

/// A tenth of a fleet: an hourly job, two nightly ones, and functions that serve people.
#[test]
fn four_weeks_without_anything_wrong_are_quiet() {
    let told = innocent(0..20, 4);
    assert!(told.is_empty(), "{told:?}");
}

/// Functions that are invoked four to a hundred times an hour, with durations of a heavy tail.
#[test]
fn four_weeks_of_functions_that_are_seldom_invoked_are_quiet() {
    let told = seldom::innocent(0..20, 4);
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn ten_times_the_duration_of_a_function_that_is_seldom_invoked_is_told_within_hours() {
    // By invocations an hour, the most minutes that it takes: two spans of ten invocations, to the ends of panes.
    for (an_hour, most) in [(60, 31), (6, 216)] {
        for seed in 0..6 {
            let minutes = seldom::longer(seed, an_hour);
            println!("{an_hour} an hour, seed {seed}: {minutes:?} minutes");
            assert!(
                minutes.is_some_and(|minutes| minutes <= most),
                "{an_hour} {seed}: {minutes:?}"
            );
        }
    }
}

/// A fleet with days, weekends, holidays and deployments that change costs by a twelfth.
#[test]
fn a_month_is_projected_within_some_per_cent() {
    // How far half of the functions are off at most, and nine of ten, after a day of the month.
    let check = |known: usize, days: &[(usize, [f64; 2])]| {
        let all: Vec<Vec<f64>> = (0..20).map(|seed| projected(seed, known)).collect();
        for (day, most) in days {
            let off = all.iter().filter_map(|errors| Some(errors.get(day - 2)?.abs()));
            let mut off: Vec<f64> = off.collect();
            off.sort_by(f64::total_cmp);
            let off = [off[off.len() / 2], off[off.len() * 9 / 10]];
            println!("{known} days before, day {day}: {off:.3?}");
            assert!(off[0] <= most[0] && off[1] <= most[1], "{known} {day}: {off:?}");
        }
    };
    // Two days are no week: weekends are not known.
    check(0, &[(2, [0.20, 0.35]), (8, [0.08, 0.15])]);
    check(14, &[(8, [0.08, 0.15]), (20, [0.03, 0.06])]);
}

#[test]
fn two_per_cent_a_day_are_told_within_ten_days() {
    for seed in 0..6 {
        let day = creep(seed);
        assert!(day.is_some_and(|day| day <= 10), "seed {seed}: day {day:?}");
    }
}

#[test]
fn nothing_above_what_was_said_beforehand_goes_unseen() {
    for seed in 0..4 {
        let [any, repeated] = incidents(seed);
        assert!(any.planted >= 25 && any.above == any.planted, "seed {seed}: {any:?}");
        assert_eq!(any.raised, any.planted, "seed {seed}");
        // One that repeats becomes usual at its hour, and the bound says so.
        assert_eq!(repeated.unseen, 0, "seed {seed}: {repeated:?}");
        assert!(repeated.raised * 2 >= repeated.planted, "seed {seed}: {repeated:?}");
    }
}
