//! Whom a finding names: the addresses behind each kind of key, and how many there were.

mod world;

use std::net::{IpAddr, Ipv4Addr};

use smallvec::smallvec;
use tidewatch_core::detector::Detector;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::KeyField::{self, Global, SourceIp, SourceSubnet, User};
use tidewatch_core::time::Span;
use world::*;

/// The finding that the last of `tries` opens, over a key of `fields`.
fn opened(fields: &[KeyField], tries: &[Try]) -> Finding {
    let measures = [FAILURES, SOURCES];
    let when = [at_least(0, tries.iter().map(|t| t.attempts).sum())];
    let key = fields.iter().copied().collect();
    let detector = Detector { key, ..detector("some", (60, 60), &measures, &when) };
    let found = findings(vec![detector], tries, Span(0));
    assert_eq!(found.iter().map(|f| f.activity).collect::<Vec<_>>(), [Activity::Create]);
    found.into_iter().next().expect("one was just seen")
}

/// (key, sources named, sources in all)
fn evidence(fields: &[KeyField], tries: &[Try]) -> (String, Vec<IpAddr>, u64) {
    let found = opened(fields, tries);
    (found.key.to_string(), found.sources, found.sources_total)
}

/// A try a millisecond on one user, `attempts(i)` times each, from the sources given.
fn from(sources: impl Iterator<Item = IpAddr>, attempts: fn(usize) -> u32) -> Vec<Try> {
    let of = |(i, source)| Try { source, attempts: attempts(i), ..unknown(i as i64, 0, 1) };
    sources.enumerate().map(of).collect()
}

fn nth(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

#[test]
fn an_ipv4_source_is_its_own_evidence() {
    let tries = from((0..5).map(|_| v4(7)), |_| 1);
    assert_eq!(evidence(&[SourceIp], &tries), ("198.51.100.7".to_owned(), vec![v4(7)], 1));
}

#[test]
fn an_ipv4_mapped_source_is_the_ipv4_source() {
    let IpAddr::V4(plain) = v4(7) else { unreachable!("it is IPv4") };
    let mapped: IpAddr = plain.to_ipv6_mapped().into();
    let found = evidence(&[SourceIp], &from([v4(7), mapped, v4(7)].into_iter(), |_| 1));
    assert_eq!(found, ("198.51.100.7".to_owned(), vec![v4(7)], 1));
    let found = opened(&[SourceSubnet], &from([v4(8), mapped].into_iter(), |_| 1));
    assert_eq!(found.key.to_string(), "198.51.100.0/24");
}

#[test]
fn a_64_names_its_8_most_recent_addresses_and_counts_all() {
    let all = || (0..20).map(|host| v6(5, host));
    let (key, mut named, total) = evidence(&[SourceIp], &from(all(), |i| 1 + (i as u32 + 3) % 4));
    named.sort();
    assert_eq!((key.as_str(), total), ("2001:db8:0:5::/64", 20));
    assert_eq!(named, all().skip(12).collect::<Vec<_>>());
}

#[test]
fn a_finding_about_everything_names_who_fails_and_not_who_gets_in() {
    let in_turn = |i: u32| {
        let of = Try { source: nth(i), ..unknown(i.into(), 0, 1) };
        if i % 5 == 4 { of } else { Try { source: nth(i), ..success(i.into(), 0, 1) } }
    };
    let tries: Vec<Try> = (0..20).map(in_turn).collect();
    let fails = |fields: &[KeyField]| {
        let when = [at_least(0, 4)];
        let key = fields.iter().copied().collect();
        let detector = Detector { key, ..detector("some", (60, 60), &[FAILURES, SOURCES], &when) };
        let found = findings(vec![detector], &tries, Span(0));
        let finding = found.into_iter().next().expect("the fourth failure opens it");
        (
            finding.sources.contains(&nth(0)),
            finding.sources.contains(&nth(4)),
            finding.sources_total,
        )
    };
    assert_eq!(fails(&[Global]), (false, true, 4));
    assert_eq!(fails(&[User]), (true, true, 20));
}

#[test]
fn other_keys_name_the_top_32_and_count_all() {
    let top = |most: u32| (0..32).map(|i| nth(most - 1 - i)).collect::<Vec<_>>();
    let attempts = |i| i as u32 / 2 + 1;
    for (fields, key) in [
        (&[Global][..], "global".to_owned()),
        (&[User], format!("user:{:016x}", user_tag(1).0)),
        (&[SourceSubnet], "10.0.0.0/24".to_owned()),
        (&[User, Global], format!("user:{:016x} + global", user_tag(1).0)),
    ] {
        let found = evidence(fields, &from((0..100).map(nth), attempts));
        assert_eq!(found, (key, top(100), 100));
    }
    // A few heavy ones among many, in the order of their attempts.
    let heavy = |i| if i % 25 == 3 { 100 + i as u32 } else { 1 };
    let (_, named, total) = evidence(&[Global], &from((0..120).map(nth), heavy));
    assert_eq!((&named[..5], total), (&[103, 78, 53, 28, 3].map(nth)[..], 120));
    assert_eq!(named.len(), 32);
}

#[test]
fn a_campaign_of_ten_thousand_sources_states_its_size_within_the_error() {
    let (key, named, total) = evidence(&[Global], &from((0..10_000).map(nth), |_| 1));
    assert_eq!((key.as_str(), named.len()), ("global", 32));
    assert!((8_850..=11_150).contains(&total), "{total}");
}

#[test]
fn sources_from_before_the_window_are_not_named() {
    let mut tries = from((0..3).map(nth), |_| 1);
    tries.push(Try { source: v4(1), ..unknown(70_000, 0, 1) });
    tries.push(Try { source: v4(2), ..unknown(73_000, 0, 1) });
    let when = [at_least(1, 4)];
    let rule = |when: &[_]| Detector {
        key: smallvec![Global],
        ..detector("some", (60, 60), &[FAILURES, SOURCES], when)
    };
    assert_eq!(told(&findings(vec![rule(&when)], &tries, Span(0))), []);
    let found = findings(vec![rule(&[at_least(1, 1)])], &tries, Span(0));
    let named: Vec<_> = found.iter().map(|f| (f.activity, f.sources.clone())).collect();
    // The first of all opens it, quiet closes it, and the two of now open another.
    assert_eq!(named.last(), Some(&(Activity::Update, vec![v4(2), v4(1)])), "{named:?}");
}

#[test]
fn a_composite_key_is_one_source_and_one_user() {
    let user = format!("user:{:016x}", user_tag(1).0);
    let tries = from((0..5).map(|_| v4(7)), |_| 1);
    let both = (format!("198.51.100.7 + {user}"), vec![v4(7)], 1);
    assert_eq!(evidence(&[SourceIp, User], &tries), both);
    let both = (format!("{user} + 198.51.100.7"), vec![v4(7)], 1);
    assert_eq!(evidence(&[User, SourceIp], &tries), both);

    // Five users of one source, five sources of one user: no pair has three.
    let users = (0..5).map(|user| unknown(user, 1, user as u64));
    let sources = (0..5).map(|n| unknown(100 + n, n as u8, 1));
    let tries: Vec<Try> = users.chain(sources).collect();
    let pair = Detector {
        key: smallvec![SourceIp, User],
        ..detector("pair", (60, 60), &[FAILURES], &[at_least(0, 3)])
    };
    assert_eq!(told(&findings(vec![pair], &tries, Span(0))), []);
}

#[test]
fn a_signal_without_a_keys_field_is_not_counted_for_it() {
    let hidden: Vec<Try> = (0..5).map(|ms| Try { user: None, ..unknown(ms, 1, 0) }).collect();
    let of = |field: KeyField| Detector {
        id: field.name().to_owned(),
        key: smallvec![field],
        ..detector("", (60, 60), &[FAILURES, FAILED_USERS], &[at_least(0, 5)])
    };
    let found = findings(KeyField::ALL.map(of).to_vec(), &hidden, Span(0));
    let by: Vec<&str> = found.iter().map(|f| f.detector.as_str()).collect();
    assert_eq!(by, ["source.ip", "source.subnet", "global"]);
    // A hidden name is a failure, and never a distinct name.
    assert!(found.iter().all(|f| f.measures[0].value.amount == 5.0));
    assert!(found.iter().all(|f| f.measures[1].value.amount == 0.0));
}

#[test]
fn samples_name_the_log_events_that_decided() {
    let tries: Vec<Try> = (0..80).map(|n| unknown(n * 400, 1, n as u64)).collect();
    let found = findings(vec![scan(10, 30, 3)], &tries, Span(0));
    let ids: Vec<String> =
        found.last().unwrap().samples.iter().map(|origin| origin.id.to_string()).collect();
    // feed() numbers them: the one that opened it, and those that doubled the number.
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!(ids[0], "2");
}
