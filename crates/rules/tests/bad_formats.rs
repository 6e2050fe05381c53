//! Format files with faults: each is named with its place and what to do, and no format comes of the file.

use tidewatch_rules::formats;

/// The first fault of a file with this body behind a good head.
fn fault(body: &str) -> String {
    let text = format!("id = \"x\"\nneedles = [\"login\"]\n{body}");
    let faults = formats([("x.toml".to_owned(), text)]).expect_err("faulty");
    format!("{} | {}", faults[0], faults[0].help)
}

#[track_caller]
fn check(body: &str, says: &[&str]) {
    let fault = fault(body);
    for part in says {
        assert!(fault.contains(part), "{fault}");
    }
}

#[test]
fn a_line_says_what_it_lacks() {
    let good = "text = 'login (?<user>\\S+)'";
    check(&format!("[[line]]\n{good}"), &["x.toml:3:", "the line has no `outcome`"]);
    check("[[line]]\noutcome = \"failure\"", &["exactly one of `text`, `json` and `pairs`"]);
    check(
        "[[line]]\ntext = 'login'\noutcome = \"failure\"",
        &["the line has no `source`", "capture"],
    );
    check(
        &format!("[[line]]\n{good}\noutcome = \"fail\""),
        &["x.toml:5:", "Did you mean `failure`?"],
    );
    check(&format!("[[line]]\n{good}\noutcom = \"failure\""), &["Did you mean `outcome`?"]);
    check("title = \"x\"", &["the format has no `line`"]);
}

#[test]
fn an_action_is_one_that_is_counted() {
    let line = |action: &str| {
        format!("[[line]]\ntext = 'reset (?<user>\\S+)'\noutcome = \"success\"\naction = {action}")
    };
    check(&line("\"resett\""), &["x.toml:6:", "is no action", "Did you mean `reset`?"]);
    check(&line("{ reset = [\"x\"] }"), &["action has no `field`"]);
    check(&line("{ field = \"user\", signup = [\"x\"] }"), &["Did you mean `sign-up`?"]);
    check(&line("{ field = \"usr\", reset = [\"x\"] }"), &["`usr` is captured by no pattern"]);
}

#[test]
fn a_pattern_is_linear_and_its_captures_are_there() {
    let line = |text: &str, more: &str| {
        format!("[[line]]\ntext = '{text}'\noutcome = \"failure\"\n{more}")
    };
    check(&line("(?=x)(?<user>x)", ""), &["x.toml:4:", "look-around"]);
    check(&line("(?<user>x)\\1", ""), &["backreferences are not supported"]);
    check(&line("(?<user>x", ""), &["unclosed group"]);
    check(&line("(?<user>(?:x{1000}){1000})", ""), &["not a pattern", "size limit"]);
    check(
        &line("(?<user>x)", "source = \"sorce\""),
        &["`sorce` is captured by no pattern", "`user`"],
    );
    check(&line("(?<user>x)", "time_as = \"%Q\""), &["`time_as` is no format of a time"]);
    check(&line("(?<user>x)", "proxies = 99"), &["`proxies` must be a number from 0 to 16"]);
}

#[test]
fn a_needle_is_long_enough_and_the_same_wherever_it_stands() {
    let with = |needles: &str| {
        let line = "[[line]]\ntext = '(?<user>x)'\noutcome = \"failure\"";
        let text = format!("id = \"x\"\nneedles = {needles}\n{line}");
        formats([("x.toml".to_owned(), text)]).expect_err("faulty")[0].to_string()
    };
    assert!(with("[\"ab\"]").contains("the needle `ab` is shorter than 3 bytes"));
    assert!(with("['\"user\"']").contains("holds a quote"));
    assert!(with("[]").contains("`needles` is empty"));
}

#[test]
fn an_id_names_one_format() {
    let text =
        "id = \"x\"\nneedles = [\"login\"]\n[[line]]\ntext = '(?<user>x)'\noutcome = \"failure\"";
    let files = ["a.toml", "b.toml"].map(|name| (name.to_owned(), text.to_owned()));
    let faults = formats(files).expect_err("faulty");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].to_string(), "b.toml:1:6: the id `x` is taken by a.toml");
}
