//! The hub's tests, where TIDEWATCH_DATA names them: what is extracted and what is found does not get worse.
//! `cargo run --release -p tidewatch-tests --bin hub -- DIR` prints the tables.

use std::sync::Arc;

use tidewatch_tests::binary::path;
use tidewatch_tests::hub::extraction::{FOUND, mean, score};
use tidewatch_tests::hub::{detection, tests};
use tidewatch_tests::labelled::data;

/// The share of listed events that must be extracted, as a mean over the hub's tests.
const EXTRACTED_MIN: f64 = 0.97;

#[test]
fn what_the_hub_expects_is_extracted_and_found() {
    let Some(data) = data() else { return };
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats()).expect("good ones");
    let formats = Arc::new(formats);
    let (mut scores, mut verdicts) = (Vec::new(), Vec::new());
    for test in tests(&data.join("crowdsec_hub")).expect("the hub's tests") {
        scores.push(score(&test, &formats).expect("a readable log"));
        verdicts.extend(detection::verdicts(&test, path()).expect("a run"));
    }
    let (share, of) = mean(&scores, FOUND);
    let about_logins = verdicts.iter().filter(|verdict| verdict.is_login);
    let (raised, asked) = detection::count(about_logins);
    println!(
        "extracted {share:.4} over {of} tests; raised {raised} of {asked} overflows about logins"
    );
    assert!(of >= 40 && share >= EXTRACTED_MIN, "{share} over {of} tests");
    // Each that is missing has its reason in the table.
    assert!(asked >= 90 && raised * 100 >= asked * 94, "{raised} of {asked}");
}
