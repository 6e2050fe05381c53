//! Files about what functions take: what is wrong with one is said with its place and what to do, and all of it in
//! one go.

use expect_test::{Expect, expect};
use tidewatch_core::detector::Severity;
use tidewatch_core::spend::detector::{Number, Rule};
use tidewatch_rules::load_spending;

const GOOD: &str = r#"id = "cost-spike"
title = "A function costs far more than usual"
signal = "invocation"
key = "function"
quiet = "1h"

[series]
of = "dollars"
is = "driven"
share = 0.5

[[raise]]
severity = "low"
above = 1

[[raise]]
severity = "high"
above = 2.5
"#;

#[test]
fn a_good_file_is_what_it_says() {
    let loaded = load_spending([("good.toml".to_owned(), GOOD.to_owned())]).expect("good");
    let [detector] = loaded.as_slice() else { panic!("{loaded:?}") };
    assert_eq!((detector.of, detector.rule, detector.share), (Number::Dollars, Rule::Driven, 0.5));
    assert_eq!(detector.raises, [(Severity::High, 2.5), (Severity::Low, 1.0)]);
    assert_eq!(
        [0.9, 1.0, 2.4, 2.5].map(|excess| detector.severity(excess)),
        [None, Some(Severity::Low), Some(Severity::Low), Some(Severity::High)]
    );
}

fn check(from: &str, to: &str, expected: Expect) {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "{from} stands in the file");
    let faults = load_spending([("bad.toml".to_owned(), text)]).expect_err("a fault");
    let told = faults.iter().map(|fault| format!("{fault}\n  {}\n", fault.help));
    expected.assert_eq(&told.collect::<String>());
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    check(
        "\"dollars\"",
        "\"dolars\"",
        expect![[r#"
        bad.toml:8:6: `dolars` is no number of a pane (field `of`)
          Did you mean `dollars`? Allowed values: `dollars`, `duration_p50`, `duration_p95`, `duration_p99`, `invocations`, `errors`, `timeouts`, `out_of_memory`, `cold_starts`.
    "#]],
    );
    check(
        "\"driven\"",
        "\"abov\"",
        expect![[r#"
        bad.toml:9:6: `abov` is no way to be odd (field `is`)
          Did you mean `above`? Allowed values: `above`, `driven`, `creeping`, `silent`, `runaway`, `over-budget`, `riding`.
    "#]],
    );
    check(
        "share = 0.5",
        "share = 1.5",
        expect![[r#"
            bad.toml:10:9: `share` is 1.5, outside 0 to 1
              Write a number from 0 to 1.
        "#]],
    );
    check(
        "above = 2.5",
        "above = -1",
        expect![[r#"
            bad.toml:18:9: `above` is -1, outside 0 to 1000000000000
              Write a number from 0 to 1000000000000.
        "#]],
    );
    check(
        "above = 2.5",
        "above = \"2.5\"",
        expect![[r#"
        bad.toml:18:9: `above` must be a number, not string
          Make `above` a number.
    "#]],
    );
    check(
        "severity = \"low\"",
        "severty = \"low\"",
        expect![[r#"
        bad.toml:13:1: `severty` is no field of a raise
          Did you mean `severity`? Allowed fields: `severity`, `above`, `projected`, `spent`.
    "#]],
    );
    check(
        "key = \"function\"",
        "key = \"user\"",
        expect![[r#"
        bad.toml:4:7: `user` is no key field (field `key`)
          Allowed values: `function`, `principal`.
    "#]],
    );
    check(
        "quiet = \"1h\"\n",
        "window = \"1h\"\n",
        expect![[r#"
        bad.toml:1:1: the detector has no `quiet`
          Add a line like `quiet = "1h"`.
        bad.toml:5:1: `window` is no field of a detector of invocations
          Allowed fields: `id`, `title`, `description`, `advice`, `attack`, `signal`, `key`, `quiet`, `series`, `raise`.
    "#]],
    );
    check(
        "quiet = \"1h\"",
        "quiet = \"0s\"",
        expect![[r#"
        bad.toml:5:9: `quiet` is 0s, outside 1s to 168h
          Write a duration from 1s to 168h.
    "#]],
    );
    check(
        "[series]\nof = \"dollars\"\nis = \"driven\"\nshare = 0.5",
        "",
        expect![[r#"
        bad.toml:1:1: the detector has no `of`
          Add a line like `of = "dollars"` below `[series]`.
        bad.toml:1:1: the detector has no `is`
          Add a line like `is = "above"` below `[series]`.
    "#]],
    );
}

#[test]
fn an_id_names_one_detector() {
    let twice = ["a.toml", "b.toml"].map(|name| (name.to_owned(), GOOD.to_owned()));
    let faults = load_spending(twice).expect_err("the same id");
    assert!(faults[0].to_string().contains("`cost-spike` is taken by a.toml"), "{}", faults[0]);
}

const BUDGET: &str = r#"id = "burn"
title = "A budget"
signal = "invocation"
key = "function"
quiet = "1h"

[series]
of = "dollars"
is = "over-budget"

[[raise]]
severity = "critical"
spent = 1.0

[[raise]]
severity = "high"
projected = 1.0
spent = 0.9
"#;

#[test]
fn a_detector_of_budgets_says_from_what_share_on() {
    let loaded = load_spending([("burn.toml".to_owned(), BUDGET.to_owned())]).expect("good");
    assert_eq!(loaded[0].rule, Rule::Budget);
    assert_eq!(loaded[0].raises, [(Severity::High, 1.0)]);
    assert_eq!(loaded[0].spent, [(Severity::Critical, 1.0), (Severity::High, 0.9)]);
    let check = |from: &str, to: &str, expected: Expect| {
        let text = BUDGET.replacen(from, to, 1);
        assert_ne!(text, BUDGET, "{from} stands in the file");
        let faults = load_spending([("bad.toml".to_owned(), text)]).expect_err("a fault");
        let told = faults.iter().map(|fault| format!("{fault}\n  {}\n", fault.help));
        expected.assert_eq(&told.collect::<String>());
    };
    check(
        "spent = 1.0",
        "above = 1.0",
        expect![[r#"
            bad.toml:13:9: `above` goes with `is = "above"` only
              Write from what share of the budget on, `projected = 1.0` or `spent = 1.0`.
        "#]],
    );
    check(
        "spent = 1.0",
        "",
        expect![[r#"
        bad.toml:11:1: the raise has no `projected`
          Write from what share of the budget on, `projected = 1.0` or `spent = 1.0`.
    "#]],
    );
    check(
        "spent = 0.9",
        "spent = 900",
        expect![[r#"
        bad.toml:18:9: `spent` is 900, outside 0 to 100
          Write a number from 0 to 100.
    "#]],
    );
    check(
        "\"dollars\"",
        "\"errors\"",
        expect![[r#"
        bad.toml:8:6: `is = "over-budget"` goes with `of = "dollars"` only
          Budgets are in dollars, and `errors` are not.
    "#]],
    );
    check(
        "\"over-budget\"",
        "\"above\"",
        expect![[r#"
        bad.toml:1:1: the detector has no `above`
          Add a line like `above = 2.5` below `[[raise]]`.
        bad.toml:1:1: the detector has no `above`
          Add a line like `above = 2.5` below `[[raise]]`.
        bad.toml:13:9: `spent` goes with `is = "over-budget"` only
          Write `above = 2.5` instead.
        bad.toml:17:13: `projected` goes with `is = "over-budget"` only
          Write `above = 2.5` instead.
        bad.toml:18:9: `spent` goes with `is = "over-budget"` only
          Write `above = 2.5` instead.
    "#]],
    );
}

const RIDER: &str = r#"id = "rider"
title = "A caller"
signal = "invocation"
key = "principal"
quiet = "1h"

[series]
of = "dollars"
is = "riding"

[[raise]]
severity = "high"
above = 1
"#;

#[test]
fn a_detector_of_callers_is_keyed_by_them_and_weighs_dollars() {
    let loaded = load_spending([("rider.toml".to_owned(), RIDER.to_owned())]).expect("good");
    assert_eq!((loaded[0].rule, loaded[0].of), (Rule::Riding, Number::Dollars));
    let check = |from: &str, to: &str, expected: Expect| {
        let text = RIDER.replacen(from, to, 1);
        assert_ne!(text, RIDER, "{from} stands in the file");
        let faults = load_spending([("bad.toml".to_owned(), text)]).expect_err("a fault");
        let told = faults.iter().map(|fault| format!("{fault}\n  {}\n", fault.help));
        expected.assert_eq(&told.collect::<String>());
    };
    check(
        "\"principal\"",
        "\"function\"",
        expect![[r#"
        bad.toml:4:7: `key = "function"` goes with `is = "above" and the like` only
          Write `key = "principal"`.
    "#]],
    );
    check(
        "\"riding\"",
        "\"above\"",
        expect![[r#"
        bad.toml:4:7: `key = "principal"` goes with `is = "riding"` only
          Write `is = "riding"`, or `key = "function"`.
    "#]],
    );
    check(
        "\"dollars\"",
        "\"errors\"",
        expect![[r#"
        bad.toml:8:6: `is = "riding"` goes with `of = "dollars"` only
          Callers are weighed in dollars, and `errors` are not.
    "#]],
    );
}
