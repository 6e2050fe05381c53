//! What is odd about a series, scored on labelled ones: small editions of the commands nab, monitoring and drift.
//! Floors are what was measured, less what another order of rounding may cost.

use tidewatch_core::series::NAB;
use tidewatch_tests::labelled;
use tidewatch_tests::monitoring::{self, Outcome, SETTINGS};
use tidewatch_tests::nab::clean;
use tidewatch_tests::nab::corpus::Corpus;
use tidewatch_tests::nab::published::Published;
use tidewatch_tests::nab::standing::Scores;
use tidewatch_tests::nab::table::STANDARD;
use tidewatch_tests::{drift, spend::planted};

#[test]
fn the_scorer_reproduces_what_was_published() {
    let Some(folder) = labelled::data().map(|folder| folder.join("nab")) else { return };
    let corpus = Corpus::read(&folder).expect("a corpus");
    let published = Published::read(&folder, &corpus).expect("the published scores");
    assert!(published.totals >= 100 && published.single >= 400, "{published:?}");
    // And would not, were an error to cost more, or a row of the probation scored.
    let mut dearer = corpus.clone();
    for profile in dearer.profiles.values_mut() {
        profile.wrong *= 1.01;
        profile.missed *= 1.01;
    }
    assert!(Published::read(&folder, &dearer).is_err());
    let mut shorter = corpus;
    shorter.files[0].values.pop();
    assert!(Published::read(&folder, &shorter).is_err());
}

#[test]
fn one_threshold_scores_78_on_cloudwatch_metrics_and_76_wherever_they_begin() {
    let Some(folder) = labelled::data().map(|folder| folder.join("nab")) else { return };
    let mut corpus = Corpus::read(&folder).expect("a corpus");
    corpus.files.retain(|file| file.category() == "realAWSCloudwatch");
    let profile = corpus.profiles[STANDARD];
    let scores = Scores::of(&corpus);
    let standing = scores.standing(None, &profile, NAB.threshold).expect("windows");
    assert!(standing.score >= 78.0 && standing.averaged >= 76.0, "{standing:?}");
    let left_out = scores.left_out(&profile);
    let score = scores.left_out_score(&left_out, None, &profile).expect("windows");
    assert!(score >= 75.0, "each file with the threshold best on the others: {score}");
}

#[test]
fn series_without_labels_hardly_page() {
    let Some(folder) = labelled::data().map(|folder| folder.join("cloud_monitoring")) else {
        return;
    };
    let all = monitoring::read(&folder).expect("series");
    let paging = SETTINGS[1].1;
    let sum = |some: &dyn Fn(&monitoring::Labelled) -> bool| {
        let some = all.iter().filter(|series| series.rows.len() < 8_000 && some(series));
        some.fold(Outcome::default(), |sum, s| sum.and(&monitoring::score(s, &paging)))
    };
    let labelled = |series: &monitoring::Labelled| series.rows.iter().any(|(_, label)| *label);
    let without = sum(&|series| !labelled(series));
    assert!(without.rows > 1_500 && without.wrong <= 1, "{without:?}");
    let with = sum(&labelled);
    assert!(with.precision() >= 0.6 && with.recall() >= 0.15, "{with:?}");
}

#[test]
fn years_of_real_functions_are_told_once_a_quarter_at_most_and_bursts_are_found() {
    let Some(folder) = labelled::data().map(|folder| folder.join("serverless")) else { return };
    let daily = drift::daily(&folder).expect("days");
    assert!(daily.len() >= 70, "{}", daily.len());
    for of in &daily {
        assert!(of.days > 800 && of.per_quarter() <= 1.0, "{of:?}");
    }
    let bursts = drift::bursts(&folder).expect("bursts");
    assert!(
        bursts.bursts.len() >= 14 && bursts.bursts.iter().all(|burst| burst.found),
        "{bursts:?}"
    );
    assert_eq!((bursts.wrong, bursts.longer_after_panes), (0, Some(0)));
}

/// Two kinds of four weeks, in which a rank of five weeks' panes is not yet reached.
#[test]
fn clean_series_hardly_open_episodes() {
    let settings = [NAB, SETTINGS[1].1];
    for kind in [0, 3] {
        let [nab, paging] = clean::raised(kind, 2, 4, &settings).try_into().expect("two settings");
        assert!(
            nab.novel > paging.novel,
            "the lower threshold costs something: {nab:?} {paging:?}"
        );
        assert!(paging.novel <= 0.5 && paging.told <= 0.2, "{paging:?}");
    }
}

#[test]
fn what_is_planted_in_spend_is_found_in_time() {
    for seed in 0..12 {
        let panes = planted::spike(seed);
        assert!(panes.is_some_and(|panes| panes <= 2), "seed {seed}: 12 times, pane {panes:?}");
        let panes = planted::longer(seed);
        assert!(panes.is_some_and(|panes| panes <= 3), "seed {seed}: 3 s to 30 s, pane {panes:?}");
    }
}
