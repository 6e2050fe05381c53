//! Simulated spend: small editions of `cargo run --release -p tidewatch-tests --bin spend`.

use tidewatch_tests::spend::innocent;
use tidewatch_tests::spend::planted::{creep, incidents};

/// A tenth of a fleet: an hourly job, two nightly ones, and functions that serve people.
#[test]
fn four_weeks_without_anything_wrong_are_quiet() {
    let told = innocent(0..20, 4);
    assert!(told.is_empty(), "{told:?}");
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
