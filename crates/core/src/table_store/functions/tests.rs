//! What the items of functions hold comes back from their bytes, and damaged bytes are refused.

use std::sync::Arc;

use proptest::prelude::*;

use super::chronicle::{Chronicle, Past};
use super::numbers::{read_pane, write_pane};
use super::share::{FunctionShare, Point};
use super::{Closed, message};
use crate::detector::Severity;
use crate::finding::Finding;
use crate::invocation::{Ending, Invocation, Report};
use crate::key::{Key, KeyPart};
use crate::meter::attribution::{DriverKind, DriverName};
use crate::meter::ledger::{Function, Ledger, Limits};
use crate::meter::money::Price;
use crate::meter::panes::Pane;
use crate::meter::tariff::{Rates, Tariff, Terms, Tier};
use crate::safeguards::Safeguards;
use crate::sequence::Sequence;
use crate::signal::{Body, EventId, LogStream, Origin, Signal};
use crate::spend::all::all;
use crate::spend::budget::Budgets;
use crate::spend::callers::Caller;
use crate::spend::course::pane_of;
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::Driver;
use crate::spend::episodes::{Episode, Latch};
use crate::spend::spending::Ride;
use crate::spend::watch::{Prices, Watch};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::tag::{EventTag, RequestTag, TagKey, UserTag};
use crate::time::{Span, Time};

const START: Time = Time(1_760_000_100_000);

fn function() -> Function {
    Function { account: "123456789012".into(), name: "checkout".into() }
}

fn stream(version: u8) -> Arc<LogStream> {
    Arc::new(LogStream {
        account: "123456789012".to_owned(),
        group: "/aws/lambda/checkout".to_owned(),
        stream: format!("2026/11/29/[{version}]5f"),
    })
}

prop_compose! {
    fn invocations()(
        duration_us in 0u32..900_000_000,
        billed_ms in 0u32..900_000,
        memory_mb in 128u16..10_240,
        used_mb in 1u16..128,
        cold_us in prop::option::of(0u32..1_000_000),
        ending in prop_oneof![Just(Ending::Finished), Just(Ending::Timeout), Just(Ending::OutOfMemory)],
        kind in 0u8..6,
    ) -> Invocation {
        let report = Report { duration_us, billed_ms, memory_mb, used_mb, cold_us };
        let request = (kind > 0).then_some(RequestTag(7));
        Invocation { request, ending, report: (kind > 1).then_some(report) }
    }
}

/// Lines: invocation, seconds from the start, version.
fn lines() -> impl Strategy<Value = Vec<(Invocation, i64, u8)>> {
    prop::collection::vec((invocations(), 0i64..3 * 3_600, 0u8..6), 1..40)
}

fn take(share: &mut FunctionShare, lines: &[(Invocation, i64, u8)], from: usize, until: usize) {
    let origins: Vec<Origin> = lines
        .iter()
        .enumerate()
        .map(|(nth, (_, _, version))| {
            let id = EventId::CloudWatch(format!("3905{nth}").into());
            Origin { stream: stream(*version), id }
        })
        .collect();
    let points: Vec<Point<'_>> = lines
        .iter()
        .zip(&origins)
        .enumerate()
        .map(|(nth, ((invocation, second, _), origin))| Point {
            sequence: Sequence::of(nth as u64 / 3 + 1),
            time: START.plus(Span::seconds(*second)),
            event: EventTag((nth as u64 + 1) << 40),
            invocation,
            origin,
        })
        .collect();
    share.take(&points[from..until], None, &Safeguards::default());
}

/// The first point behind the record of `at`.
fn record_end(at: usize, points: usize) -> usize {
    (at.div_ceil(3) * 3).min(points)
}

proptest! {
    #[test]
    fn a_share_comes_back_and_does_not_depend_on_where_batches_were_cut(
        lines in lines(),
        cuts in prop::collection::vec((0usize..40, 0usize..40), 0..8),
    ) {
        let mut whole = FunctionShare::default();
        take(&mut whole, &lines, 0, lines.len());
        let bytes = whole.encode();
        let again = FunctionShare::decode(&function(), &bytes);
        prop_assert_eq!(again.as_ref(), Ok(&whole));
        prop_assert_eq!(again.map(|share| share.encode()), Ok(bytes));
        // Batches begin and end with records, come again, and never leave a record out.
        let (mut share, mut done) = (FunctionShare::default(), 0);
        for (back, more) in cuts {
            let from = done - done.min(back) / 3 * 3;
            done = record_end((done + more).min(lines.len()), lines.len());
            take(&mut share, &lines, from / 3 * 3, done);
            share = FunctionShare::decode(&function(), &share.encode()).expect("its own bytes");
        }
        take(&mut share, &lines, done / 3 * 3, lines.len());
        prop_assert_eq!(share, whole);
    }

    #[test]
    fn panes_of_shards_add_up_to_the_pane_of_all(lines in lines(), shards in 1usize..5) {
        let mut of_shards = vec![Pane::default(); shards];
        let mut all = Pane::default();
        for (nth, (invocation, ..)) in lines.iter().enumerate() {
            of_shards[nth % shards].note(invocation, true);
            all.note(invocation, true);
        }
        let mut sum = Pane::default();
        for pane in &of_shards {
            let mut out = Writer::default();
            write_pane(&mut out, pane);
            let mut from = Reader::new(&out.bytes);
            sum.add(&read_pane(&mut from).expect("its own bytes"));
            prop_assert_eq!(from.end(), Ok(()));
        }
        prop_assert_eq!(sum, all);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[1], bytes.as_slice()].concat();
        let _ = FunctionShare::decode(&function(), &bytes);
        let _ = Chronicle::decode(&function(), &bytes);
        let _ = Closed::decode(&bytes);
        let _ = message::decode(&function(), &[], &bytes);
    }

    #[test]
    fn damaged_bytes_are_read_or_refused(lines in lines(), at: prop::sample::Index, byte: u8) {
        let mut share = FunctionShare::default();
        take(&mut share, &lines, 0, lines.len());
        let mut bytes = share.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = FunctionShare::decode(&function(), &bytes);
        prop_assert!(FunctionShare::decode(&function(), &share.encode()[..at]).is_err());
    }

    #[test]
    fn a_chronicle_comes_back(lines in lines(), gap in 1i64..400, told: bool, stored in 0i64..20) {
        let mut chronicle = chronicle(&lines, gap, told);
        // Environments of before can read what no pane waits in.
        let version = if chronicle.pool.0.is_empty() { 1 } else { 2 };
        prop_assert_eq!(chronicle.encode()[0], version);
        prop_assert_eq!(Chronicle::decode(&function(), &chronicle.encode()), Ok(chronicle.clone()));
        let last = chronicle.first + stored.min(chronicle.closed - chronicle.first);
        let kept: Vec<_> = (last + 1..=chronicle.closed)
            .map(|pane| Number::ALL.map(|number| chronicle.step(number, pane)))
            .collect();
        chronicle.forget_up_to(Past { last, numbers: 0x1ff });
        let chronicle = Chronicle::decode(&function(), &chronicle.encode()).expect("its own bytes");
        for (pane, steps) in (last + 1..=chronicle.closed).zip(kept) {
            prop_assert_eq!(Number::ALL.map(|number| chronicle.step(number, pane)), steps);
        }
    }
}

fn chronicle(lines: &[(Invocation, i64, u8)], gap: i64, told: bool) -> Chronicle {
    let mut share = FunctionShare::default();
    take(&mut share, lines, 0, lines.len());
    let first = pane_of(START);
    let mut chronicle = Chronicle::new(first);
    for (pane, of_pane) in &share.panes {
        chronicle.pool.measure(*pane, of_pane.clone());
    }
    chronicle.see(&share.versions);
    chronicle.sample = share.sample.clone();
    for (pane, of_pane) in &share.panes {
        chronicle.note(*pane, of_pane, of_pane.sums.billed_ms as f64 / 1e6);
    }
    chronicle.note(chronicle.closed + gap, &Pane::default(), 0.0);
    chronicle.last = chronicle.closed + 1;
    let episode = Episode {
        start: START,
        severity: Severity::High,
        peak: 1.5,
        opened: chronicle.closed - 3,
        last: chronicle.closed,
        told_excess: 0.25,
        told,
        closed: false,
    };
    chronicle.latches.insert("cost-spike".into(), Latch { episode: Some(episode) });
    chronicle.pending.push(vec![1, 2, 3]);
    chronicle
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    for version in [2, 200] {
        let bytes = [version, 0, 0, 0];
        let newer = Err(Unreadable::Newer(version));
        assert_eq!(FunctionShare::decode(&function(), &bytes).map(drop), newer);
        assert_eq!(Closed::decode(&bytes).map(drop), newer);
    }
    let newer = Err(Unreadable::Newer(3));
    assert_eq!(Chronicle::decode(&function(), &[3, 0, 0, 0]).map(drop), newer);
    let newer = Err(Unreadable::Newer(5));
    assert_eq!(message::decode(&function(), &[], &[5, 0, 0, 0]).map(drop), newer);
}

#[test]
fn what_shards_are_told_comes_back() {
    let runs_from = vec![(Number::Invocations, 2_000.0), (Number::Dollars, 0.125)];
    let closed = Closed { pane: 5_866_667, runs_from };
    assert_eq!(Closed::decode(&closed.encode()), Ok(closed));
}

fn detectors() -> Vec<SpendDetector> {
    let rule = |id: &str, of, rule, least| SpendDetector {
        id: id.to_owned(),
        title: format!("{id}: a title"),
        description: "What it is.".to_owned(),
        advice: "What to do.".to_owned(),
        attacks: Vec::new(),
        of,
        rule,
        share: 0.0,
        quiet: Span::minutes(30),
        raises: vec![(Severity::Critical, 50.0 * least), (Severity::Low, least)],
        spent: Vec::new(),
    };
    vec![
        rule("spike", Number::Dollars, Rule::Above, 1.0),
        rule("longer", Number::DurationP50, Rule::Above, 10.0),
        rule("silent", Number::Invocations, Rule::Silent, 10.0),
        rule("runaway", Number::Invocations, Rule::Runaway, 100.0),
        rule("creeping", Number::Dollars, Rule::Creeping, 0.01),
        SpendDetector {
            spent: vec![(Severity::Critical, 1.0)],
            ..rule("budget", Number::Dollars, Rule::Budget, 1.0)
        },
    ]
}

/// Findings of all kinds about a function that is busy, then silent for hours, then back.
fn findings() -> Vec<Finding> {
    let rates = || Rates {
        tiers: vec![Tier { from_gb_s: 0, price: Price(1_000_000_000_000) }],
        request: Price(0),
        storage: Price(0),
    };
    let tariff = Tariff { region: "nowhere".to_owned(), x86_64: rates(), arm64: rates() };
    let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
    let prices = Prices { tariff, terms: Arc::new(|_| Terms::default()) };
    let budgets = Budgets { of: Arc::new(|_| Some(10_000.0)), all: None };
    let mut watch = Watch::new(detectors(), prices, ledger).budgeted(budgets);
    let (mut all, mut nth) = (Vec::new(), 0u64);
    for pane in 0..30 * 288i64 {
        let (count, ms, version) = match pane {
            500..512 => (12, 100, 1),
            600..610 => (1_000, 100, 1),
            700..800 => (0, 100, 1),
            1_800..1_812 => (12, 15_000, 2),
            _ => (12, 100 + pane as u64 / 60, 1),
        };
        for n in 0..count {
            nth += 1;
            let report = Report {
                duration_us: ms as u32 * 1_000,
                billed_ms: ms as u32,
                memory_mb: 1_024,
                used_mb: 100,
                cold_us: None,
            };
            let invocation =
                Invocation { request: None, ending: Ending::Finished, report: Some(report) };
            let id = EventId::CloudWatch(format!("39057{nth}").into());
            let signal = Signal {
                time: START.plus(Span(pane * 300_000 + n * 300_000 / count)),
                event: TagKey::new([2; 16]).event(0, &nth.to_be_bytes()),
                origin: Origin { stream: stream(version), id },
                body: Body::Invocation(invocation),
            };
            all.extend(watch.observe(&signal));
        }
    }
    all.extend(watch.ended());
    all
}

#[test]
fn a_message_comes_back_the_very_same() {
    let findings = findings();
    let mut rules: Vec<&str> = Vec::new();
    for finding in &findings {
        let spending = finding.spending.as_deref().expect("about a function");
        rules.push(spending.rule.name());
        let bytes = message::encode(finding, spending);
        assert_eq!(message::decode(&function(), &detectors(), &bytes).as_ref(), Ok(finding));
        for cut in 0..bytes.len() {
            assert!(message::decode(&function(), &detectors(), &bytes[..cut]).is_err());
        }
        // Of a detector that is not loaded any more it still says what is what.
        let bare = message::decode(&function(), &[], &bytes).expect("legible");
        assert_eq!((&bare.uid, bare.severity), (&finding.uid, finding.severity));
    }
    rules.sort_unstable();
    rules.dedup();
    assert_eq!(rules, ["above", "creeping", "over-budget", "runaway", "silent"]);
    let mut deployed = findings.iter().filter_map(|finding| finding.spending.as_deref());
    assert!(deployed.any(|spending| spending.deployment.is_some()));
    // After half a week of history a pane may be novel, and says how many were as far.
    let mut novel = findings[0].clone();
    let spending = novel.spending.as_deref_mut().expect("about a function");
    (spending.as_far, spending.nearest) = (Some((3, 9_800)), Some(0.5));
    let bytes = message::encode(&novel, novel.spending.as_deref().expect("about a function"));
    assert_eq!(message::decode(&function(), &detectors(), &bytes), Ok(novel));
}

#[test]
fn a_message_that_names_callers_comes_back_and_one_that_does_not_is_no_longer_for_it() {
    let driver = |kind, name| Driver { kind, name, share: 0.625, error: 0.015_625 };
    let address = |text: &str| DriverName::Address(text.parse().expect("an address"));
    let drivers = vec![
        driver(DriverKind::Principal, DriverName::Tag(UserTag(0xab))),
        driver(DriverKind::ApiKey, DriverName::Tag(UserTag(u64::MAX))),
        driver(DriverKind::Source, address("192.0.2.1")),
        driver(DriverKind::Source, address("2001:db8::1")),
    ];
    let findings = findings();
    let with_budget =
        |finding: &&Finding| finding.spending.as_deref().expect("it is").budget.is_some();
    for finding in [&findings[0], findings.iter().find(with_budget).expect("one of a budget")] {
        let mut named = finding.clone();
        let spending = named.spending.as_deref_mut().expect("about a function");
        spending.drivers = drivers.clone();
        let bytes = message::encode(&named, named.spending.as_deref().expect("it is"));
        assert_eq!(message::decode(&function(), &detectors(), &bytes), Ok(named));
        for cut in 0..bytes.len() {
            assert!(message::decode(&function(), &detectors(), &bytes[..cut]).is_err());
        }
        // Environments of before that know no callers can read what names none.
        let bare = message::encode(finding, finding.spending.as_deref().expect("it is"));
        assert!(bare[0] < message::VERSION && bare.len() < bytes.len());
    }
}

#[test]
fn a_message_about_a_caller_comes_back_the_very_same() {
    let mut finding = findings().swap_remove(0);
    let other = Function { account: "".into(), name: "export".into() };
    for (caller, new) in [
        (DriverName::Tag(UserTag(7)), Some((other.clone(), START))),
        (DriverName::Address("192.0.2.1".parse().expect("an address")), None),
    ] {
        let kind = match caller {
            DriverName::Address(_) => DriverKind::Source,
            _ => DriverKind::Principal,
        };
        let caller = Caller { kind, name: caller };
        finding.key = caller.key();
        finding.uid = crate::episode::uid(&finding.detector, &finding.key, finding.start);
        finding.measures.truncate(1);
        let spending = finding.spending.as_deref_mut().expect("about a function");
        spending.parts = Vec::new();
        let functions = vec![(function(), 0.75), (other.clone(), 0.25)];
        spending.ride = Some(Ride { caller, functions, new, since: START });
        let bytes = message::encode(&finding, finding.spending.as_deref().expect("it is"));
        assert_eq!(message::decode(&function(), &detectors(), &bytes).as_ref(), Ok(&finding));
        for cut in 0..bytes.len() {
            assert!(message::decode(&function(), &detectors(), &bytes[..cut]).is_err());
        }
    }
}

#[test]
fn a_message_about_all_functions_together_comes_back_the_very_same() {
    let of_budget =
        |finding: &Finding| finding.spending.as_deref().expect("it is").budget.is_some();
    let mut finding = findings().into_iter().find(of_budget).expect("one of a budget");
    let nobody = all();
    (finding.key, finding.samples) = (Key::of(KeyPart::Global), Vec::new());
    finding.uid = crate::episode::uid(&finding.detector, &finding.key, finding.start);
    finding.measures.truncate(1);
    let spending = finding.spending.as_deref_mut().expect("about functions");
    spending.function = nobody.clone();
    let burn = spending.budget.as_mut().expect("it is");
    (burn.of_all, burn.most) = (true, vec![(function(), 610.5), (nobody.clone(), 0.25)]);
    let bytes = message::encode(&finding, finding.spending.as_deref().expect("it is"));
    assert_eq!(message::decode(&nobody, &detectors(), &bytes).as_ref(), Ok(&finding));
    for cut in 0..bytes.len() {
        assert!(message::decode(&nobody, &detectors(), &bytes[..cut]).is_err());
    }
}
