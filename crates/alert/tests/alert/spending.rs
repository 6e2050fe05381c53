//! Findings about functions in words: every rule, every kind of number, opened and closed.

use expect_test::expect;
use tidewatch_alert::{ocsf, text};
use tidewatch_core::finding::Activity;
use tidewatch_core::spend::detector::{Number, Rule};

use crate::sample::{context, spent};

/// The sentence of a finding.
fn said(activity: Activity, number: Number, rule: Rule) -> String {
    let document = ocsf(&spent(activity, number, rule), &context());
    document["message"].as_str().expect("a sentence").to_owned()
}

#[test]
fn each_rule_has_its_sentence() {
    let all = Rule::ALL.map(|rule| said(Activity::Create, Number::Dollars, rule)).join("\n");
    expect![[r#""#]].assert_eq(&all);
    let closed = [Rule::Above, Rule::Silent];
    let all = closed.map(|rule| said(Activity::Close, Number::Invocations, rule)).join("\n");
    expect![[r#""#]].assert_eq(&all);
}

#[test]
fn each_number_has_its_unit() {
    let all = Number::ALL.map(|number| said(Activity::Create, number, Rule::Above)).join("\n");
    expect![[r#""#]].assert_eq(&all);
}

#[test]
fn the_whole_text_says_what_it_costs_why_and_who_and_steers_no_terminal() {
    let text = text(&spent(Activity::Create, Number::Dollars, Rule::Driven));
    assert!(!text.contains('\u{1b}'), "{text}");
    expect![[r#""#]].assert_eq(&text);
}

#[test]
fn the_document_has_all_of_it() {
    let document = ocsf(&spent(Activity::Create, Number::Dollars, Rule::Driven), &context());
    let spending = &document["unmapped"]["tidewatch"]["spending"];
    expect![[r#""#]].assert_eq(&format!("{spending:#}"));
}
