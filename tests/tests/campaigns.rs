//! Simulated days with planted attacks, through the shipped detectors: a small edition of
//! `cargo run --release -p tidewatch-tests --bin campaigns`.

use tidewatch_tests::campaigns::{Day, Run, play, run, table};

/// Thresholds a fifth lower, as shipped, and a fifth higher.
const SCALES: [f64; 3] = [0.8, 1.0, 1.2];

const SMALL: Run<'static> = Run {
    seed: 1,
    days: 4,
    logins_per_day: 20_000,
    scales: &SCALES,
    reads_bytes: false,
    threads: 2,
};

#[test]
fn what_can_be_told_is_found_and_nobody_else_is_raised() {
    let detectors = tidewatch_rules::load(tidewatch_rules::shipped()).expect("good ones");
    let scores = run(SMALL, &detectors);
    for score in &scores {
        let text = || table::text(std::slice::from_ref(score));
        let [planted, found] = score.above();
        assert!(planted >= 40, "{planted} attacks above the bound:\n{}", text());
        // Of two campaigns at once the second may be told as part of the first.
        assert!(found * 100 >= planted * 97, "{found} of {planted} planted:\n{}", text());
        assert!(score.false_a_day() <= 1.0, "{}", text());
        let [got_in, told] = score.takeovers();
        assert!(got_in >= 8 && told == got_in, "{told} of {got_in} takeovers:\n{}", text());
    }
}

/// Each day is scored by what is planted in it: without detectors nothing is found, with thresholds at a
/// tenth everybody is raised.
#[test]
fn the_score_tells_bad_detectors_from_good_ones() {
    let detectors = tidewatch_rules::load(tidewatch_rules::shipped()).expect("good ones");
    let day = Run { days: 1, scales: &[0.1, 30.0], ..SMALL };
    let [eager, deaf] = run(day, &detectors).try_into().expect("two scores");
    assert!(eager.false_a_day() > 10.0, "{}", table::text(&[eager]));
    assert!(deaf.above()[1] * 2 < deaf.above()[0], "{}", table::text(&[deaf]));
}

#[test]
fn lines_that_are_read_say_what_signals_say() {
    let detectors = tidewatch_rules::load(tidewatch_rules::shipped()).expect("good ones");
    let day = Day::new(7, 5_000);
    let of_signals = play::play(&play::signals(&day.tries), detectors.clone());
    let of_lines = play::play(&play::read(&play::lines(&day.tries)), detectors);
    assert!(of_signals.len() > 10, "{of_signals:?}");
    assert_eq!(of_lines, of_signals);
}
