//! What is allowed and hardly meant: each is said, and what is good is not.

use std::sync::Arc;

use tidewatch_rules::cases::parse;
use tidewatch_rules::warnings::{FileOfFormat, of_detector, of_formats};

const MEASURES: &str = r#"
failures = { count = "attempts", where = { outcome = "failure" } }
unknown_failures = { count = "attempts", where = { outcome = "failure", user_known = false } }
successes = { count = "attempts", where = { outcome = "success" } }
tries = { sum = "attempts" }
users = { distinct = "user" }
failed_users = { distinct = "user", where = { outcome = "failure" } }
"#;

/// The warnings about a detector with these severities and conditions.
fn of(key: &str, window: &str, raises: &[(&str, &[&str])]) -> Vec<String> {
    let raises = raises.iter().map(|(severity, when)| {
        let when: Vec<String> = when.iter().map(|c| format!("{c:?}")).collect();
        format!("[[raise]]\nseverity = \"{severity}\"\nwhen = [{}]\n", when.join(", "))
    });
    let text = format!(
        "id = \"x\"\ntitle = \"x\"\nsignal = \"auth\"\nkey = \"{key}\"\nwindow = \"{window}\"\n\
         [measure]{MEASURES}{}",
        raises.collect::<String>()
    );
    let detector = tidewatch_rules::parse("x.toml", &text).unwrap_or_else(|e| panic!("{}", e[0]));
    of_detector("x.toml", &detector, &[]).into_iter().map(|warning| warning.what).collect()
}

#[track_caller]
fn check(raises: &[(&str, &[&str])], says: &[&str]) {
    let found = of("source.ip", "10m", raises);
    assert_eq!(found.len(), says.len(), "{found:?}");
    for (found, says) in found.iter().zip(says) {
        assert!(found.contains(says), "{found}");
    }
}

#[test]
fn conditions_that_never_hold_together_are_told() {
    check(&[("high", &["failures >= 10", "failures <= 20"])], &[]);
    check(&[("high", &["failures >= 10", "failures < 10"])], &["high can never be raised"]);
    check(&[("high", &["failed_users > users"])], &["high can never be raised"]);
    check(&[("high", &["failed_users >= 1", "failed_users >= 1.1 * users"])], &["never"]);
    check(&[("high", &["failures > tries"])], &["high can never be raised"]);
    // Both are parts of all tries.
    let shares: &[&str] = &["failures > 0.6 * tries", "successes > 0.5 * tries"];
    check(&[("high", shares)], &["high can never be raised"]);
    check(&[("high", &["failures > 0.4 * tries", "successes > 0.5 * tries"])], &[]);
    // Different names and tries are counted differently.
    check(&[("high", &["users > tries"])], &[]);
    let chain: &[&str] = &["unknown_failures >= 30", "tries < 30"];
    check(&[("high", chain)], &["high can never be raised"]);
}

#[test]
fn a_severity_that_a_worse_one_always_outdoes_is_told() {
    let high: (&str, &[&str]) = ("high", &["failures >= 10"]);
    check(&[high, ("low", &["failures >= 5"])], &[]);
    check(&[high, ("low", &["failures >= 10", "users >= 3"])], &["low is never seen"]);
    check(&[high, ("low", &["unknown_failures >= 12"])], &["low is never seen"]);
    check(&[("high", &["failures >= 10", "users >= 2"]), ("low", &["failures >= 20"])], &[]);
}

#[test]
fn one_user_has_one_name_and_the_function_has_its_limits() {
    assert!(of("user", "10m", &[("high", &["users >= 2"])])[0].contains("never"));
    assert!(of("source.ip", "10m", &[("high", &["users >= 2"])]).is_empty());
    let short = of("source.ip", "90s", &[("high", &["failures >= 2"])]);
    assert!(short[0].contains("the deployed function refuses it"), "{short:?}");
}

/// The warnings about formats, each given as id, needle, pattern and cases.
fn about(formats: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let text = |(id, needle, pattern, _): &(&str, &str, &str, &str)| {
        let line = format!("[[line]]\ntext = '{pattern}'\noutcome = \"failure\"\n");
        (format!("{id}.toml"), format!("id = \"{id}\"\nneedles = ['{needle}']\n{line}"))
    };
    let loaded = tidewatch_rules::formats(formats.iter().map(text));
    let loaded = Arc::new(loaded.unwrap_or_else(|errors| panic!("{}", errors[0])));
    let files = formats.iter().map(|(id, _, _, cases)| FileOfFormat {
        file: format!("{id}.toml"),
        id: (*id).to_owned(),
        cases: Some(parse("x.cases", cases, id).expect("good cases")),
    });
    let warnings = of_formats(&files.collect::<Vec<_>>(), &loaded);
    warnings.into_iter().map(|warning| format!("{}: {}", warning.file, warning.what)).collect()
}

#[test]
fn formats_that_stand_in_each_others_way_are_told() {
    let case = "entry of ann is refused\n-> failure user=ann\n";
    let own = "entry of (?<user>.+) is refused";
    let good = ("a", "entry of ", own, case);
    assert_eq!(about(&[good]), [""; 0]);
    let longer = about(&[
        good,
        ("b", "entry of ann", own, "entry of ann is refused\n-> failure user=ann\n"),
    ]);
    assert_eq!(longer.len(), 1, "{longer:?}");
    assert!(longer[0].starts_with("a.toml: the case at line 1 is read by `b`"), "{longer:?}");
    let apart = about(&[good, ("b", "is refuse", "gate (?<user>.+) is refused", "")]);
    assert_eq!(apart, [""; 0]);
}

#[test]
fn needles_of_everyday_lines_and_lines_that_come_too_late_are_told() {
    let own = "entry of (?<user>.+) is refused";
    let common = about(&[("a", "RequestId", own, "")]);
    assert!(common[0].contains("the needle `RequestId` is in everyday lines, 3 of "), "{common:?}");
    // Those that it reads are its own.
    assert_eq!(about(&[("a", "START RequestId", "START RequestId: (?<user>.+) V", "")]), [""; 0]);
    let twice = format!(
        "id = \"a\"\nneedles = ['entry of']\n{0}{0}",
        format_args!("[[line]]\ntext = '{own}'\noutcome = \"failure\"\n")
    );
    let loaded = tidewatch_rules::formats([("a.toml".to_owned(), twice)]).expect("good");
    let file = FileOfFormat { file: "a.toml".to_owned(), id: "a".to_owned(), cases: None };
    let warnings = of_formats(&[file], &Arc::new(loaded));
    let what: Vec<&str> = warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(
        what,
        ["line 2 is never asked: line 1 takes all that it could read", "has no cases"]
    );
}

#[test]
fn what_is_shipped_is_meant() {
    let detectors = tidewatch_rules::load(tidewatch_rules::shipped()).expect("good");
    let loaded: Vec<&str> = detectors.iter().map(|detector| detector.id.as_str()).collect();
    for detector in &detectors {
        assert_eq!(of_detector(&detector.id, detector, &loaded), []);
    }
    let files = tidewatch_rules::shipped_formats();
    let formats = Arc::new(tidewatch_rules::formats(files.clone()).expect("good"));
    let cases = tidewatch_rules::shipped_cases();
    let of = |(file, _): &(String, String)| {
        let id = file.trim_end_matches(".toml").to_owned();
        let (_, text) = cases.iter().find(|(name, _)| name == file).expect("cases");
        FileOfFormat { file: file.clone(), cases: Some(parse(file, text, &id).expect("good")), id }
    };
    assert_eq!(of_formats(&files.iter().map(of).collect::<Vec<_>>(), &formats), []);
}
