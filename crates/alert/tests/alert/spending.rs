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
    expect![[r#"
        checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on.
        checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on. The principal user:00000000000000ab makes 83 % of it.
        checkout-api: $41.25 an hour on the mean of a week, $3.40 an hour the week before; +$27,631 a month if it goes on.
        checkout-api is not invoked any more; usual at this hour are $3.40 an hour.
        checkout-api was invoked 41.25 times within 10m; no other such span of the last five weeks had more than 22."#]].assert_eq(&all);
    let closed = [Rule::Above, Rule::Silent];
    let all = closed.map(|rule| said(Activity::Close, Number::Invocations, rule)).join("\n");
    expect![[r#"
        checkout-api has been as usual for 30m; at worst it was 41 invocations an hour.
        checkout-api is invoked again."#]]
    .assert_eq(&all);
}

#[test]
fn each_number_has_its_unit() {
    let all = Number::ALL.map(|number| said(Activity::Create, number, Rule::Above)).join("\n");
    expect![[r#"
        checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on.
        checkout-api takes 41 ms, 12 times its usual 3 ms at this hour; +$27,631 a month if it goes on.
        checkout-api takes 41 ms, 12 times its usual 3 ms at this hour; +$27,631 a month if it goes on.
        checkout-api takes 41 ms, 12 times its usual 3 ms at this hour; +$27,631 a month if it goes on.
        checkout-api has 41 invocations an hour, 12 times its usual 3.4 invocations an hour at this hour; +$27,631 a month if it goes on.
        checkout-api has 41 errors an hour, 12 times its usual 3.4 errors an hour at this hour; +$27,631 a month if it goes on.
        checkout-api has 41 timeouts an hour, 12 times its usual 3.4 timeouts an hour at this hour; +$27,631 a month if it goes on.
        checkout-api has 41 invocations out of memory an hour, 12 times its usual 3.4 invocations out of memory an hour at this hour; +$27,631 a month if it goes on.
        checkout-api has 41 cold starts an hour, 12 times its usual 3.4 cold starts an hour at this hour; +$27,631 a month if it goes on."#]].assert_eq(&all);
}

#[test]
fn the_whole_text_says_what_it_costs_why_and_who_and_steers_no_terminal() {
    let text = text(&spent(Activity::Create, Number::Dollars, Rule::Driven));
    assert!(!text.contains('\u{1b}'), "{text}");
    expect![[r#"
        2026-11-22T10:15:30Z OPEN high A function costs far more than usual: checkout-api
                       checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on. The principal user:00000000000000ab makes 83 % of it.
            costs      $41.25 an hour, $37.85 more than usual
            why        more invocations +$30.00, longer durations +$8.00 an hour, of +$37.85 against the hour before
            driven by  principal user:00000000000000ab 83 %, source 203.0.113.9 80 %
            deployed   version 71\u{1b}[2J was first seen at 2026-11-22T10:15:30Z
            how rare   3 panes of 9800 in five weeks were as far from all others; the nearest was $22.10 an hour
            counted    dollars_an_hour 41.25 in 10m
            seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
            events     /aws/lambda/login 2026/11/22/[$LATEST]aa 3811
                       /aws/lambda/login 2026/11/22/[$LATEST]bb 3812
                       /aws/lambda/login 2026/11/22/[$LATEST]aa 3813
            advice     Block the source.
            uid        0123456789abcdef0123456789abcdef
    "#]].assert_eq(&text);
}

#[test]
fn the_document_has_all_of_it() {
    let document = ocsf(&spent(Activity::Create, Number::Dollars, Rule::Driven), &context());
    let spending = &document["unmapped"]["tidewatch"]["spending"];
    expect![[r#"
        {
          "account": "123456789012",
          "amount": 41.25,
          "as_far": {
            "of": 9800,
            "panes": 3
          },
          "change": [
            {
              "dollars_an_hour": 30.0,
              "part": "more invocations"
            },
            {
              "dollars_an_hour": 8.0,
              "part": "longer durations"
            },
            {
              "dollars_an_hour": 0.0,
              "part": "more memory"
            },
            {
              "dollars_an_hour": -0.15,
              "part": "failures"
            },
            {
              "dollars_an_hour": 0.0,
              "part": "cold starts"
            }
          ],
          "deployment": {
            "first_seen": 1795342530000,
            "version": "71\\u{1b}[2J"
          },
          "dollars_a_month_above": 27630.5,
          "dollars_an_hour": 41.25,
          "dollars_an_hour_above": 37.85,
          "drivers": [
            {
              "error": 0.0,
              "kind": "principal",
              "name": "user:00000000000000ab",
              "share": 0.83
            },
            {
              "error": 0.0,
              "kind": "source",
              "name": "203.0.113.9",
              "share": 0.8
            }
          ],
          "function": "checkout-api",
          "is": "driven",
          "nearest": 22.1,
          "of": "dollars",
          "usual": 3.4
        }"#]]
    .assert_eq(&format!("{spending:#}"));
}
