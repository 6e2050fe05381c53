//! Findings about functions in words: every rule, every kind of number, opened and closed.

use expect_test::expect;
use tidewatch_alert::{attributes, text};
use tidewatch_core::finding::Activity;
use tidewatch_core::spend::budget::{Burn, Month};
use tidewatch_core::spend::detector::{Number, Rule};
use tidewatch_core::time::Time;

use crate::sample::{burnt, context, document, spent};

/// The sentence of a finding.
fn said(activity: Activity, number: Number, rule: Rule) -> String {
    let document = document(&spent(activity, number, rule));
    document["message"].as_str().expect("a sentence").to_owned()
}

#[test]
fn each_rule_has_its_sentence() {
    let odd = Rule::ALL.into_iter().filter(|rule| *rule != Rule::Budget);
    let all: Vec<String> = odd.map(|rule| said(Activity::Create, Number::Dollars, rule)).collect();
    let all = all.join("\n");
    expect![[r#"
        checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on.
        checkout-api costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on. The principal user:00000000000000ab makes 83 % of it.
        checkout-api: $41.25 an hour on the mean of a week, $3.40 an hour the week before; +$27,631 a month if it goes on.
        checkout-api is not invoked any more; usual at this hour are $3.40 an hour.
        checkout-api was invoked 41.25 times within 10m; no other such span of the last five weeks had more than 22.
        principal user:00000000000000ab costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on. It never used checkout-api before."#]].assert_eq(&all);
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
fn a_caller_is_named_with_its_functions_and_since_when() {
    let text = text(&spent(Activity::Create, Number::Dollars, Rule::Riding));
    let lines = text.lines().skip(1).take(5).map(|line| line.strip_prefix("    ").unwrap_or(line));
    let lines: Vec<&str> = lines.collect();
    expect![[r#"
                       principal user:00000000000000ab costs $41.25 an hour, 12 times its usual $3.40 an hour at this hour; +$27,631 a month if it goes on. It never used checkout-api before.
            costs      $41.25 an hour, $37.85 more than usual
            since      2026-11-22T10:15:30Z
            functions  checkout-api 80 %, new since 2026-11-22T10:15:30Z
            why        more invocations +$30.00, longer durations +$8.00 an hour, of +$37.85 against the hour before"#]].assert_eq(&lines.join("\n"));
    let document = document(&spent(Activity::Create, Number::Dollars, Rule::Riding));
    let caller = &document["unmapped"]["tidewatch"]["spending"]["caller"];
    assert_eq!(caller["name"], "user:00000000000000ab");
    assert_eq!(caller["functions"][0]["share"], 0.8);
}

#[test]
fn filters_tell_what_is_about_money() {
    let told = attributes(&burnt(Activity::Create), &context());
    let category = told.iter().find(|one| one.name == "category").map(|one| one.value.as_str());
    assert_eq!(category, Some("cost"));
}

#[test]
fn the_document_has_all_of_it() {
    let document = document(&spent(Activity::Create, Number::Dollars, Rule::Driven));
    let spending = &document["unmapped"]["tidewatch"]["spending"];
    expect![[r#"
        {
          "account": "123456789012",
          "amount": 41.25,
          "as_far": {
            "of": 9800,
            "panes": 3
          },
          "budget": null,
          "caller": null,
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

#[test]
fn a_budget_is_told_with_what_is_spent_what_is_to_come_and_whose_it_is() {
    let said = |activity, change: fn(&mut Burn)| {
        let mut finding = burnt(activity);
        let spending = finding.spending.as_deref_mut().expect("about functions");
        change(spending.budget.as_mut().expect("about a budget"));
        document(&finding)["message"].as_str().expect("a sentence").to_owned()
    };
    let over = |burn: &mut Burn| (burn.projected, burn.pace, burn.used_up) = (None, None, None);
    let all = [
        said(Activity::Create, |_| {}),
        said(Activity::Update, |burn| burn.spent = 1_003.0),
        said(Activity::Create, |burn| burn.since = Some(Time(1_794_441_600_000))),
        said(Activity::Close, |burn| burn.projected = Some(720.0)),
        said(Activity::Close, over),
        said(Activity::Close, |burn| {
            burn.month = Month { year: 2026, month: 10 };
            (burn.projected, burn.pace, burn.used_up) = (None, None, None);
        }),
    ];
    expect![[r#"
        everything watched: $1,240 by the end of November at this pace, budget $1,000; spent so far $610; the budget is used up on 24 November.
        everything watched: $1,003 spent so far in November, more than the budget of $1,000; $1,240 by the end of November at this pace.
        everything watched: $1,240 by the end of November at this pace, budget $1,000; spent so far since 12 November $610; the budget is used up on 24 November.
        everything watched: $720 by the end of November at this pace, within the budget of $1,000 again; spent so far $610.
        everything watched: $610 spent so far in November, of a budget of $1,000; nothing has been invoked for a day.
        everything watched: October is over; it came to $610, budget $1,000."#]].assert_eq(&all.join("\n"));
    let text = text(&burnt(Activity::Create));
    expect![[r#"
        2026-11-22T10:15:30Z OPEN high A month's spend passes its budget: everything watched
                       everything watched: $1,240 by the end of November at this pace, budget $1,000; spent so far $610; the budget is used up on 24 November.
            costs      $41.25 an hour
            pace       as on the same days of the last week; months are those of UTC
            most       checkout-api $420, login\u{1b}[2J $190
            counted    dollars_an_hour 41.25 in 10m
            seen       2026-11-22T10:12:10Z to 2026-11-22T10:15:30Z
            events     /aws/lambda/login 2026/11/22/[$LATEST]aa 3811
                       /aws/lambda/login 2026/11/22/[$LATEST]bb 3812
                       /aws/lambda/login 2026/11/22/[$LATEST]aa 3813
            advice     Block the source.
            uid        0123456789abcdef0123456789abcdef
    "#]].assert_eq(&text);
    let document = document(&burnt(Activity::Create));
    let budget = &document["unmapped"]["tidewatch"]["spending"]["budget"];
    expect![[r#"
        {
          "budget_dollars": 1000.0,
          "month": "2026-11",
          "most": [
            {
              "account": "",
              "function": "checkout-api",
              "spent_dollars": 420.0
            },
            {
              "account": "",
              "function": "login\\u{1b}[2J",
              "spent_dollars": 190.0
            }
          ],
          "of": "all",
          "pace": "as on the same days of the last week",
          "projected_dollars": 1240.0,
          "since": null,
          "spent_dollars": 610.0,
          "used_up": 1795536000000
        }"#]]
    .assert_eq(&format!("{budget:#}"));
}
