//! Allow files: what good ones mean, every fault as the user sees it, and the warnings of `tidewatch check`.

use expect_test::{Expect, expect};
use tidewatch_core::allow::Who;
use tidewatch_core::limits::ALLOWED_MAX;
use tidewatch_core::tag::{TagKey, UserTag};
use tidewatch_core::time::Time;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_rules::allow::{Allow, Named, allow};
use tidewatch_rules::warnings::of_allow;
use tidewatch_rules::{FILE_BYTES_MAX, Fault, RuleError};

use super::damaged;

/// 2026-11-29T12:00:00Z.
const NOW: Time = Time(1_795_953_600_000);
const IDS: [&str; 2] = ["brute-force", "credential-scan"];

const GOOD: &str = r#"[[allow]]
source = "198.51.100.0/24"
reason = "penetration test, ticket 4711"
until = "2026-12-24"
"#;

fn load(text: &str) -> Result<Allow, Vec<RuleError>> {
    allow([("allow.toml".to_owned(), text.to_owned())], &IDS, NOW)
}

fn good(text: &str) -> Allow {
    load(text).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

#[test]
fn a_good_file_means_what_it_says() {
    let allow = good(
        "[[allow]]\nsource = '2001:db8::7'\ndetectors = 'brute-force'\nreason = ' a  b '\nuntil = 'never'\n\
         [[allow]]\nuser = 'Health Check'\ndetectors = ['brute-force', 'credential-scan']\nreason = 'c'\n\
         until = '2026-12-24T18:00:00+01:00'\n[[allow]]\nuser_tag = 'user:00000000000000fF'\nreason = 'd'\n\
         until = 2026-12-24\n",
    );
    let who: Vec<&Named> = allow.entries.iter().map(|entry| &entry.who).collect();
    let net = "2001:db8::/64".parse().expect("a network");
    let tag = UserTag(255);
    assert_eq!(
        who,
        [&Named::Source(net), &Named::User("Health Check".to_owned()), &Named::Tag(tag)]
    );
    let until: Vec<Option<Time>> = allow.entries.iter().map(|entry| entry.until).collect();
    // A date counts to its end.
    let ends = [None, Some(Time(1_798_131_600_000)), Some(Time(1_798_156_800_000))];
    assert_eq!(until, ends);
    let lines: Vec<usize> = allow.entries.iter().map(|entry| entry.line).collect();
    assert_eq!((lines, allow.entries[0].reason.as_str()), (vec![1, 6, 11], "a b"));
    assert_eq!(allow.entries[1].detectors, IDS);
    assert!(allow.names_users() && !good(GOOD).names_users());
    assert_eq!(good(""), Allow::default());

    // A name has the tags it has in logs, under every key.
    let namings = [1, 2].map(|n| Naming { key: TagKey::new([n; 16]), usernames: Usernames::Fold });
    let list = allow.tagged(|name| namings.iter().map(|naming| naming.tag(name)).collect());
    let tags = namings.map(|naming| naming.tag("health check")).to_vec();
    assert_eq!(list.entries[1].who, Who::User(tags));
    assert_eq!(list.entries[2].who, Who::User(vec![tag]));
    assert_eq!(list.entries[2].place, "allow.toml:11");
}

/// Replaces one part of the good file by another, for each case.
fn check(cases: &[(&str, &str)], expected: Expect) {
    let mut shown = String::new();
    for (from, to) in cases {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} stands once in the good file");
        let text = GOOD.replace(from, to);
        for error in load(&text).expect_err("a malformed file") {
            let place = &text[error.span.offset()..error.span.offset() + error.span.len()];
            let (line, column) = (error.line, error.column);
            shown += &format!("{line}:{column} {} [{place}]\n    {}\n", error.fault, error.help);
        }
    }
    expected.assert_eq(&shown);
}

const SOURCE: &str = r#"source = "198.51.100.0/24""#;

#[test]
fn who_is_allowed() {
    let cases = [
        (SOURCE, r#"source = "198.51.100.0/33""#),
        (SOURCE, r#"source = "198.51.100.7/24""#),
        (SOURCE, r#"source = "2001:db8::1/128""#),
        (SOURCE, r#"source = "0.0.0.0/0""#),
        (SOURCE, r#"source = "10.0.0.0/15""#),
        (SOURCE, r#"source = "2001:db8::/47""#),
        (SOURCE, r#"sourc = "198.51.100.0/24""#),
        (SOURCE, "source = 7"),
        (SOURCE, r#"user = " ""#),
        (SOURCE, r#"user_tag = "0123""#),
        (SOURCE, r#"source = "192.0.2.1"; "#),
        (SOURCE, "user = \"a\"\nuser_tag = \"0123456789abcdef\""),
        (SOURCE, ""),
    ];
    check(
        &cases,
        expect![[r#"
            2:10 `198.51.100.0/33` is no network to allow: it is no address, and no network such as 198.51.100.0/24 (field `source`) ["198.51.100.0/33"]
                Write an address or a network, like "198.51.100.7", "198.51.100.0/24" or "2001:db8:0:1::/64".
            2:10 `198.51.100.7/24` is no network to allow: it has bits set behind its prefix: the network is 198.51.100.0/24 (field `source`) ["198.51.100.7/24"]
                Write "198.51.100.0/24" if all of it is meant.
            2:10 `2001:db8::1/128` is no network to allow: an IPv6 source is counted as its /64, here 2001:db8::/64 (field `source`) ["2001:db8::1/128"]
                Write "2001:db8::/64" if all of it is meant.
            2:10 `0.0.0.0/0` is wider than /16 (field `source`) ["0.0.0.0/0"]
                Whoever attacks from there is not told of. Name the networks that are meant, or say `force = true` beside it.
            2:10 `10.0.0.0/15` is wider than /16 (field `source`) ["10.0.0.0/15"]
                Whoever attacks from there is not told of. Name the networks that are meant, or say `force = true` beside it.
            2:10 `2001:db8::/47` is wider than /48 (field `source`) ["2001:db8::/47"]
                Whoever attacks from there is not told of. Name the networks that are meant, or say `force = true` beside it.
            2:1 `sourc` is no field of an entry [sourc]
                Did you mean `source`? Allowed fields: `source`, `user`, `user_tag`, `user_agent`, `function`, `detectors`, `reason`, `until`, `force`.
            2:10 `source` must be a string, not integer [7]
                Put it in quotes: `source = "…"`.
            2:8 `user` is empty [" "]
                Name the user; an empty name would allow every try without one.
            2:12 `0123` is no tag of a user (field `user_tag`) ["0123"]
                Copy the 16 hexadecimal digits behind `user:` in a finding. They are another user's, or nobody's, under another TIDEWATCH_KEY.
            2:21 this is not TOML: unexpected key or value, expected newline, `#` []
                See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
            1:1 an entry must have exactly one of `source`, `user`, `user_tag`, `user_agent` and `function` [[[allow]]]
                Name one: `source = "198.51.100.0/24"`, `user = "healthcheck"`, the tag of a finding, `user_tag = "0123456789abcdef"`, `user_agent = "scanner/2"`, with a `source` beside it, or `function = "load-test-*"`. Write an entry for each.
            1:1 an entry must have exactly one of `source`, `user`, `user_tag`, `user_agent` and `function` [[[allow]]]
                Name one: `source = "198.51.100.0/24"`, `user = "healthcheck"`, the tag of a finding, `user_tag = "0123456789abcdef"`, `user_agent = "scanner/2"`, with a `source` beside it, or `function = "load-test-*"`. Write an entry for each.
        "#]],
    );
    for wide in ["0.0.0.0/0", "10.0.0.0/15", "::/0"] {
        good(&GOOD.replace(SOURCE, &format!("source = \"{wide}\"\nforce = true")));
    }
    for narrow in ["10.0.0.0/16", "2001:db8::/48", "192.0.2.1"] {
        good(&GOOD.replace(SOURCE, &format!("source = \"{narrow}\"")));
    }
}

#[test]
fn why_and_until_when() {
    let until = r#"until = "2026-12-24""#;
    let reason = "reason = \"penetration test, ticket 4711\"\n";
    let cases = [
        (until, ""),
        (until, r#"until = "tomorrow""#),
        (until, r#"until = "2026-13-24""#),
        (until, r#"until = "2026-12-24T18:00:00""#),
        (until, "until = 2026-12-24T18:00:00"),
        (until, r#"until = "2062-12-24""#),
        (until, "until = true"),
        (reason, ""),
        (reason, "reason = \"\"\n"),
        (reason, "reason = \"a\\u202Eb\"\n"),
        (reason, "reason = \"a\"\ndetectors = [\"credential-scna\"]\n"),
        (reason, "reason = \"a\"\ndetectors = []\n"),
        (reason, "reason = \"a\"\nforce = \"yes\"\n"),
        ("[[allow]]", "[allow]"),
        ("[[allow]]", "[[allows]]"),
        ("[[allow]]", "["),
    ];
    check(
        &cases,
        expect![[r#"
        1:1 the entry has no `until` [[[allow]]]
            Add a line like `until = "2027-01-31"`.
        4:9 `tomorrow` is no end (field `until`) ["tomorrow"]
            Write a date, which counts to its end (UTC), like "2026-12-24", a time with its zone, like "2026-12-24T18:00:00Z", or "never".
        4:9 `2026-13-24` is no end (field `until`) ["2026-13-24"]
            Write a date, which counts to its end (UTC), like "2026-12-24", a time with its zone, like "2026-12-24T18:00:00Z", or "never".
        4:9 `2026-12-24T18:00:00` is no end (field `until`) ["2026-12-24T18:00:00"]
            Write a date, which counts to its end (UTC), like "2026-12-24", a time with its zone, like "2026-12-24T18:00:00Z", or "never".
        4:9 `2026-12-24T18:00:00` is no end (field `until`) [2026-12-24T18:00:00]
            Write a date, which counts to its end (UTC), like "2026-12-24", a time with its zone, like "2026-12-24T18:00:00Z", or "never".
        4:9 `2062-12-24` is more than a year ahead (field `until`) ["2062-12-24"]
            An exception is looked at again once a year. Choose a nearer end, or "never" for what shall stand for good.
        4:9 `until` must be a string, not boolean [true]
            Put it in quotes: `until = "…"`.
        1:1 the entry has no `reason` [[[allow]]]
            Add a line like `reason = "penetration test, ticket 4711"`.
        3:10 `reason` is empty [""]
            Say something in `reason`, or leave an optional field out.
        3:10 `reason` holds the invisible character U+202E ["a\u202Eb"]
            Remove it: control and direction characters are for terminals to misread.
        4:14 `credential-scna` is no detector (field `detectors`) ["credential-scna"]
            Did you mean `credential-scan`? Detectors: `brute-force`, `credential-scan`.
        4:13 `detectors` is empty [[]]
            Name detectors by their ids, or leave `detectors` out for all of them.
        4:9 `force` must be true or false, not string ["yes"]
            Write `force = true` or `force = false`, unquoted.
        1:1 `allow` must be a list of tables, each headed [[allow]], not table [[allow]]
            Make `allow` a list of tables, each headed [[allow]].
        1:3 `allows` is no field of an allow file [allows]
            Did you mean `allow`? Allowed fields: `allow`.
        1:2 this is not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_` []
            See https://toml.io for the syntax; the files that come with Tidewatch are examples of the format.
    "#]],
    );
    // To the day: a leap year's length ahead.
    good(&GOOD.replace("2026-12-24", "2027-11-29"));
    assert!(load(&GOOD.replace("2026-12-24", "2027-11-30")).is_err());
}

#[test]
fn a_file_has_limits() {
    let most = GOOD.replace("\"penetration test, ticket 4711\"", "\"a\"");
    let number = FILE_BYTES_MAX / most.len() + 1;
    let errors = load(&most.repeat(number)).expect_err("too long");
    assert!(matches!(errors[0].fault, Fault::TooLong { .. }));
    let each = 600;
    let files = |count: usize| {
        (0..count).map(|n| (format!("{n}.toml"), most.repeat(each))).collect::<Vec<_>>()
    };
    assert_eq!(allow(files(1), &IDS, NOW).expect("fits").entries.len(), each);
    let errors = allow(files(2), &IDS, NOW).expect_err("too many");
    let [error] = &errors[..] else { panic!("{}", errors.len()) };
    assert_eq!(error.fault, Fault::TooManyAllowed);
    assert_eq!((error.file.as_str(), error.line), ("1.toml", (ALLOWED_MAX - each) * 4 + 1));
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    damaged::check(GOOD, load);
}

#[test]
fn what_ran_out_or_overlaps_is_warned_about() {
    let entry = |who: &str, until: &str, more: &str| {
        format!("[[allow]]\n{who}\nreason = \"a\"\nuntil = \"{until}\"\n{more}")
    };
    let warnings = |entries: &[String]| {
        let warnings = of_allow(&good(&entries.concat()), NOW);
        assert!(warnings.iter().all(|warning| !warning.help.is_empty()));
        let all = warnings.into_iter().map(|warning| format!("{}: {}", warning.file, warning.what));
        all.collect::<Vec<_>>()
    };
    let (wide, narrow) = ("source = \"192.0.2.0/24\"", "source = \"192.0.2.7\"");
    let soon = |who| entry(who, "2026-12-24", "");
    assert_eq!(warnings(&[soon(wide)]), Vec::<String>::new());
    assert_eq!(warnings(&[soon(wide), soon("source = \"192.0.3.0/24\"")]), Vec::<String>::new());
    assert_eq!(
        warnings(&[entry(wide, "2026-11-28", "")]),
        ["allow.toml:1: the entry ran out: it holds back nothing that happens from now on"]
    );
    assert_eq!(warnings(&[entry(wide, "2026-11-29", "")]), Vec::<String>::new(), "today counts");
    let covered =
        "allow.toml:5: the entry has no effect: allow.toml:1 holds back all that it would";
    let overlaps = "allow.toml:5: the entry overlaps with allow.toml:1";
    assert_eq!(warnings(&[soon(wide), soon(narrow)]), [covered]);
    assert_eq!(warnings(&[soon(narrow), soon(wide)]), [overlaps]);
    assert_eq!(warnings(&[soon(wide), entry(narrow, "never", "")]), [overlaps]);
    let only = "detectors = \"brute-force\"\n";
    assert_eq!(warnings(&[soon(wide), entry(narrow, "2026-12-24", only)]), [covered]);
    let user = "user = \"a\"";
    assert_eq!(warnings(&[soon(user), soon(user)]), [covered]);
    assert_eq!(warnings(&[soon(user), soon("user = \"b\"")]), Vec::<String>::new());
    let other = "detectors = \"credential-scan\"\n";
    let both = [entry(wide, "never", only), entry(wide, "never", other)];
    assert_eq!(warnings(&both), Vec::<String>::new(), "of other detectors each");
}

#[test]
fn functions_are_allowed_by_name_and_all_of_them_only_by_force() {
    let entry =
        |what: &str| format!("[[allow]]\n{what}\nreason = 'a load test'\nuntil = 'never'\n");
    let allow = good(&entry("function = 'Load-Test-*'"));
    let list = allow.tagged(|_| Vec::new());
    let held = |function: &str| list.holds_back_function(function, "cost-spike", NOW);
    assert_eq!([held("load-test-7"), held("checkout")], [Some(0), None]);
    assert_eq!(list.entries[0].who.to_string(), "functions load-test-*");
    assert!(load(&entry("function = '*'\nforce = true")).is_ok());
    let told = |what: &str| {
        let errors = load(&entry(what)).expect_err("a fault");
        errors.iter().map(|error| format!("{error}\n  {}\n", error.help)).collect::<String>()
    };
    let all = [
        told("function = '*'"),
        told("function = '**'"),
        told("function = ' '"),
        told("function = 'a'\nuser = 'b'"),
    ];
    expect![[r#"
        allow.toml:2:12: `*` is every function (field `function`)
          Whatever a function costs or does is not told of then. Name those that are meant, or say `force = true` beside it.
        allow.toml:2:12: `**` is every function (field `function`)
          Whatever a function costs or does is not told of then. Name those that are meant, or say `force = true` beside it.
        allow.toml:2:12: `function` is empty
          Name functions, like "load-test-*"; `*` stands for any text.
        allow.toml:1:1: an entry must have exactly one of `source`, `user`, `user_tag`, `user_agent` and `function`
          Name one: `source = "198.51.100.0/24"`, `user = "healthcheck"`, the tag of a finding, `user_tag = "0123456789abcdef"`, `user_agent = "scanner/2"`, with a `source` beside it, or `function = "load-test-*"`. Write an entry for each.
    "#]].assert_eq(&all.concat());
    let twice = entry("function = 'load-*'") + &entry("function = 'load-test-*'");
    let warnings = of_allow(&good(&twice), NOW);
    assert!(warnings[0].what.contains("has no effect"), "{}", warnings[0].what);
}
