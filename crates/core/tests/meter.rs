//! Laws of the meter: dollars are exact, a ledger is a function of its signals, and what is bounded keeps its
//! bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_core::access::Access;
use tidewatch_core::invocation::{Ending, ErrorType, Invocation, Report, Written};
use tidewatch_core::limits::{REQUESTS_WAITING_MAX, VERSIONS_MAX};
use tidewatch_core::meter::attribution::{Attribution, DriverKind, DriverName};
use tidewatch_core::meter::breakdown::Breakdown;
use tidewatch_core::meter::drivers::Drivers;
use tidewatch_core::meter::durations::{Durations, ERROR};
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::meter::money::{Money, Price};
use tidewatch_core::meter::sums::Sums;
use tidewatch_core::meter::tariff::{Architecture, Rates, Tariff, Terms, Tier};
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::tag::{EventTag, RequestTag, TagKey, UserTag};
use tidewatch_core::time::Time;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn tariff() -> Tariff {
    let rates = |first, request, storage| Rates {
        tiers: vec![Tier { from_gb_s: 0, price: Price(first) }],
        request: Price(request),
        storage: Price(storage),
    };
    Tariff {
        region: "us-east-1".to_owned(),
        x86_64: rates(16_666_700, 200_000, 30_900),
        arm64: rates(13_333_400, 200_000, 30_900),
    }
}

/// A line about an invocation, as numbers.
#[derive(Clone, Debug)]
struct Line {
    at: i64,
    function: u8,
    version: u8,
    invocation: Invocation,
}

impl Line {
    fn signal(&self, nth: u64) -> Signal {
        let stream = LogStream {
            account: "123456789012".to_owned(),
            group: format!("/aws/lambda/f{}", self.function),
            stream: format!("2026/11/10/[{}]ab", self.version),
        };
        Signal {
            time: Time(1_794_290_400_000 + self.at),
            event: EventTag(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            origin: Origin { stream: Arc::new(stream), id: EventId::Offset(nth) },
            body: Body::Invocation(self.invocation),
        }
    }
}

prop_compose! {
    fn any_invocation()(
        us in 0..900_000_000u64, memory in 128..=10_240u64, used in 0.0..1.0f64,
        start in proptest::option::of(0..9_000_000u64), ending in 0..6u8, is_report in 0..5u8,
    ) -> Invocation {
        let ending = match ending {
            0 => Ending::Timeout,
            1 => Ending::OutOfMemory,
            2 => Ending::Error(ErrorType::Exit),
            _ => Ending::Finished,
        };
        let billed_us = (us + start.unwrap_or(0)).div_ceil(1_000) * 1_000;
        let written = Written {
            duration_us: us, billed_us, memory_mb: memory, used_mb: (memory as f64 * used) as u64,
            init_us: start, restore_us: None,
        };
        let report = Report::checked(written).expect("numbers that an invocation can have");
        let request = (is_report != 1).then_some(RequestTag(us));
        Invocation { request, ending, report: (is_report > 1).then_some(report) }
    }
}

prop_compose! {
    fn any_line(span: i64)(
        at in 0..span, function in 0..4u8, version in 1..40u8, invocation in any_invocation(),
    ) -> Line {
        Line { at, function, version, invocation }
    }
}

fn ledger(lines: &[(u64, Line)], limits: Limits) -> Ledger {
    let mut ledger = Ledger::new(limits, TagKey::new([7; 16]));
    lines.iter().for_each(|(nth, line)| ledger.observe(&line.signal(*nth), ""));
    ledger
}

fn numbered(lines: Vec<Line>) -> Vec<(u64, Line)> {
    (0..).zip(lines).collect()
}

/// The sums of all in a ledger.
fn all(ledger: &Ledger) -> Sums {
    let mut all = Sums::default();
    ledger.functions().for_each(|(_, account)| all.add(&account.whole.sums));
    ledger.others().iter().for_each(|(account, _)| all.add(&account.whole.sums));
    all
}

proptest! {
    #[test]
    fn functions_and_hours_sum_to_the_total_and_each_to_what_its_reports_cost(
        lines in proptest::collection::vec(any_line(2 * DAY), 0..60), storage_mb in 512..=10_240u16)
    {
        let tariff = tariff();
        let lines = numbered(lines);
        let ledger = ledger(&lines, Limits::default());
        for architecture in Architecture::ALL {
            let terms = Terms { architecture, storage_mb };
            // Dollars by other means: whole numbers of 10^-15 dollars, each report rounded.
            let price = if architecture == Architecture::Arm64 { 13_333_400 } else { 16_666_700u128 };
            let expected: u128 = lines.iter().filter_map(|(_, line)| line.invocation.report).map(|report| {
                let ms = u128::from(report.billed_ms);
                let gb = |mb: u16, price: u128| {
                    (ms * u128::from(mb) * price * 1_000 + 512_000) / 1_024_000
                };
                200_000_000 + gb(report.memory_mb, price) + gb(storage_mb - 512, 30_900)
            }).sum();
            let total = tariff.cost(&all(&ledger), terms);
            prop_assert!((total.dollars() - expected as f64 / 1e15).abs() < 1e-9);
            let whole: Money =
                ledger.functions().map(|(_, of)| tariff.cost(&of.whole.sums, terms)).sum();
            let hours: Money = ledger.functions().flat_map(|(_, of)| of.coarse.all())
                .map(|(_, pane)| tariff.cost(&pane.sums, terms)).sum();
            prop_assert_eq!(whole, total);
            prop_assert_eq!(hours, total);
        }
    }

    #[test]
    fn a_ledger_is_a_function_of_its_lines(
        lines in proptest::collection::vec(any_line(50 * DAY), 1..60), cuts in any::<[u8; 2]>(),
        seed in any::<u64>())
    {
        // As many versions as are remembered: of more, the newest are.
        let bounded = |line: &Line| Line { version: line.version % VERSIONS_MAX as u8, ..line.clone() };
        let lines = numbered(lines.iter().map(bounded).collect());
        let expected = ledger(&lines, Limits::default());
        let mut shuffled = lines.clone();
        shuffled.sort_by_key(|(nth, _)| (nth ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        prop_assert_eq!(&ledger(&shuffled, Limits::default()), &expected);
        let mut cuts = cuts.map(|cut| usize::from(cut) % (lines.len() + 1));
        cuts.sort_unstable();
        let [a, b, c] = [&shuffled[..cuts[0]], &shuffled[cuts[0]..cuts[1]], &shuffled[cuts[1]..]]
            .map(|part| ledger(part, Limits::default()));
        let merged = |parts: [&Ledger; 3]| {
            let mut all = parts[0].clone();
            parts[1..].iter().for_each(|part| all.add(part));
            all
        };
        prop_assert_eq!(&merged([&a, &b, &c]), &expected);
        prop_assert_eq!(&merged([&c, &a, &b]), &expected);
        let mut nested = b.clone();
        nested.add(&c);
        let mut first = a.clone();
        first.add(&nested);
        prop_assert_eq!(&first, &expected);
    }

    #[test]
    fn beyond_its_limits_a_ledger_loses_no_dollar(
        lines in proptest::collection::vec(any_line(DAY), 1..60), functions in 0..4usize)
    {
        let lines = numbered(lines);
        let limits = Limits { functions, ..Limits::default() };
        let whole = ledger(&lines, Limits::default());
        let bounded = ledger(&lines, limits);
        prop_assert_eq!(all(&bounded), all(&whole));
        prop_assert!(bounded.functions().count() <= functions);
        let (first, second) = lines.split_at(lines.len() / 2);
        let mut merged = ledger(first, limits);
        merged.add(&ledger(second, limits));
        prop_assert_eq!(all(&merged), all(&whole));
        prop_assert!(merged.functions().count() <= functions);
    }

    #[test]
    fn a_quantile_is_off_by_no_more_than_is_stated(
        mut us in proptest::collection::vec(0..900_000_000u32, 1..200), at in 0.0..=1.0f64)
    {
        let mut durations = Durations::default();
        us.iter().for_each(|us| { durations.note(*us, true); });
        us.sort_unstable();
        let rank = ((at * us.len() as f64).ceil() as usize).max(1);
        let truth = f64::from(us[rank - 1]);
        let told = durations.quantile(at).expect("there are some");
        prop_assert!((told - truth).abs() <= truth * ERROR + 1e-6, "{} for {}", told, truth);
    }

    #[test]
    fn the_parts_of_a_change_sum_to_it(
        before in proptest::collection::vec(any_invocation(), 0..20),
        after in proptest::collection::vec(any_invocation(), 0..20))
    {
        let (tariff, terms) = (tariff(), Terms { storage_mb: 1_024, ..Terms::default() });
        let sums = |all: &[Invocation]| {
            let mut sums = Sums::default();
            all.iter().for_each(|invocation| sums.note(invocation));
            sums
        };
        let (before, after) = (sums(&before), sums(&after));
        let change = Breakdown::between(&before, &after, &tariff, terms);
        prop_assert_eq!(change.total, tariff.cost(&after, terms) - tariff.cost(&before, terms));
        prop_assert_eq!(change.parts().into_iter().map(|(_, part)| part).sum::<Money>(), change.total);
        // The way back is the way there with its signs turned, but for a rounding.
        let back = Breakdown::between(&after, &before, &tariff, terms);
        for ((_, there), (_, back)) in change.parts().into_iter().zip(back.parts()) {
            prop_assert!((there + back).dollars().abs() < 1e-9, "{:?} {:?}", there, back);
        }
    }

    #[test]
    fn no_driver_is_named_for_more_than_it_did_nor_missed_by_more_than_the_error(
        notes in proptest::collection::vec((0..60u32, 1..1_000u128), 0..300), kept in 1..20usize,
        parts in 1..5usize)
    {
        let mut truth: BTreeMap<u32, u128> = BTreeMap::new();
        let mut summaries = vec![Drivers::new(kept); parts];
        for (nth, (name, weight)) in notes.iter().enumerate() {
            *truth.entry(*name).or_default() += weight;
            summaries[nth % parts].note(name, *weight);
        }
        let mut all = summaries.pop().expect("at least one");
        summaries.iter().for_each(|summary| all.add(summary));
        let total: u128 = truth.values().sum();
        prop_assert_eq!(all.total(), total);
        prop_assert!(all.len() <= 2 * kept);
        prop_assert!(all.error() * (kept as u128 + 1) <= total);
        let told: BTreeMap<u32, u128> =
            all.top(usize::MAX).into_iter().map(|driver| (*driver.name, driver.weight)).collect();
        for (name, weight) in &truth {
            let told = told.get(name).copied().unwrap_or(0);
            prop_assert!(told <= *weight && *weight <= told + all.error());
        }
        if truth.len() <= 2 * kept {
            prop_assert_eq!(all.error(), 0);
        }
    }
}

#[test]
fn each_part_of_a_change_is_what_changed() {
    let (tariff, terms) = (tariff(), Terms::default());
    let sums = |number: u64, ms: u64, memory: u64| Sums {
        invocations: number,
        billed_ms: number * ms,
        mb_ms: number * ms * memory,
        ..Sums::default()
    };
    let check = |after: Sums, expected: &str| {
        let change = Breakdown::between(&sums(1_000, 100, 512), &after, &tariff, terms);
        let parts = change.parts().map(|(name, part)| format!("{name} {}", part.decimal(9)));
        let shown: Vec<&str> = parts
            .iter()
            .filter(|part| !part.ends_with("0.000000000"))
            .map(String::as_str)
            .collect();
        assert_eq!(shown.join(", "), expected);
    };
    check(sums(2_000, 100, 512), "more invocations 0.001033335");
    check(sums(1_000, 1_000, 512), "longer durations 0.007500015");
    check(sums(1_000, 100, 1_024), "more memory 0.000833335");
    check(sums(1_000, 100, 512), "");
    let mut failed = sums(1_100, 100, 512);
    (failed.failed, failed.failed_ms, failed.failed_mb_ms) = (100, 10_000, 5_120_000);
    check(failed, "failures 0.000103334");
    let mut cold = sums(1_000, 150, 512);
    (cold.start_ms, cold.start_mb_ms) = (50_000, 25_600_000);
    check(cold, "cold starts 0.000416668");
    // Twice as many, twice as long: each alone, and half of what both do together.
    check(sums(2_000, 200, 512), "more invocations 0.001450003, longer durations 0.001250003");
    check(Sums::default(), "more invocations -0.001033335");
}

#[test]
fn a_version_is_noted_with_its_first_minute() {
    let invocation = Invocation { request: None, ending: Ending::Timeout, report: None };
    let line = |at, version| Line { at, function: 1, version, invocation };
    let lines = [line(90_000, 2), line(5_000, 1), line(70_000, 2), line(200_000, 1)];
    let ledger = ledger(&numbered(lines.to_vec()), Limits::default());
    let (_, account) = ledger.functions().next().expect("one");
    let versions = account.versions();
    let start = 1_794_290_400_000;
    assert_eq!(versions, [("1", Time(start)), ("2", Time(start + MINUTE))]);
}

#[test]
fn a_flood_of_names_is_bounded_and_reported() {
    let report =
        Report { duration_us: 5_000, billed_ms: 5, memory_mb: 128, used_mb: 60, cold_us: None };
    let invocation =
        Invocation { request: Some(RequestTag(1)), ending: Ending::Finished, report: Some(report) };
    let limits = Limits { functions: 1_000, ..Limits::default() };
    let mut ledger = Ledger::new(limits, TagKey::new([7; 16]));
    let line = Line { at: 0, function: 1, version: 1, invocation };
    for nth in 0..20_000u64 {
        let mut signal = line.signal(nth);
        let group = format!("/aws/lambda/flood-{nth}");
        signal.origin.stream = Arc::new(LogStream { group, ..LogStream::default() });
        ledger.observe(&signal, "");
    }
    assert_eq!(ledger.functions().count(), 1_000);
    let (others, names) = ledger.others().expect("those beyond the limit");
    assert_eq!(others.whole.sums.invocations, 19_000);
    assert!((15_000..23_000).contains(&names), "{names}");
    assert!(ledger.bytes() < 2_000_000, "{}", ledger.bytes());
}

#[test]
fn without_memory_functions_and_durations_are_left_out_and_counted() {
    let report =
        |us| Report { duration_us: us, billed_ms: 900, memory_mb: 128, used_mb: 60, cold_us: None };
    let mut ledger = Ledger::new(Limits { bytes: 0, ..Limits::default() }, TagKey::new([7; 16]));
    for nth in 0..3 {
        let invocation = Invocation {
            request: Some(RequestTag(nth)),
            ending: Ending::Finished,
            report: Some(report(nth as u32)),
        };
        ledger.observe(&Line { at: 0, function: 1, version: 1, invocation }.signal(nth), "");
    }
    assert_eq!(ledger.functions().count(), 0);
    assert_eq!(ledger.without_duration(), 3);
    assert_eq!(all(&ledger).invocations, 3);
}

#[test]
fn a_function_that_never_rests_takes_what_is_stated() {
    let mut ledger = Ledger::new(Limits::default(), TagKey::new([7; 16]));
    // Ten a minute for five weeks, of durations over a factor of a hundred.
    for nth in 0..(35 * 24 * 60 * 10u64) {
        let us = 20_000 + (nth.wrapping_mul(2_654_435_761) % 100).pow(3) as u32;
        let report = Report {
            duration_us: us,
            billed_ms: us.div_ceil(1_000),
            memory_mb: 128,
            used_mb: 60,
            cold_us: None,
        };
        let invocation = Invocation {
            request: Some(RequestTag(nth)),
            ending: Ending::Finished,
            report: Some(report),
        };
        ledger.observe(
            &Line { at: nth as i64 * 6_000, function: 1, version: 1, invocation }.signal(nth),
            "",
        );
    }
    let (_, account) = ledger.functions().next().expect("one");
    assert_eq!((account.fine.all().count(), account.coarse.all().count()), (288, 840));
    // What ARCHITECTURE.md says it takes.
    assert!((400_000..1_000_000).contains(&account.bytes()), "{}", account.bytes());
}

#[test]
fn what_is_delivered_twice_is_counted_once() {
    let report =
        Report { duration_us: 5_000, billed_ms: 5, memory_mb: 128, used_mb: 60, cold_us: None };
    let invocation =
        Invocation { request: Some(RequestTag(1)), ending: Ending::Finished, report: Some(report) };
    let line = Line { at: 0, function: 1, version: 1, invocation };
    let twice = [(1, line.clone()), (1, line.clone()), (2, line)];
    let ledger = ledger(&twice, Limits::default());
    assert_eq!((all(&ledger).invocations, ledger.repeated()), (2, 1));
}

proptest! {
    #[test]
    fn whose_an_invocation_was_does_not_depend_on_the_order_of_lines(
        lines in proptest::collection::vec((0..8u64, proptest::option::of(0..3u64), 1..100u64), 0..40),
        seed in any::<u64>())
    {
        // A request has one principal; it may be told often, and paid for often, in any order.
        let principal = |request: u64| UserTag(request % 3);
        let attribution = |lines: &[(u64, Option<u64>, u64)]| {
            let mut attribution = Attribution::default();
            for (request, told, units) in lines {
                match told {
                    Some(_) => attribution.ask(&Access {
                        request: Some(RequestTag(*request)),
                        principal: Some(principal(*request)),
                        ..Access::default()
                    }),
                    None => attribution.pay(RequestTag(*request), Money::of(*units, Price(7))),
                }
            }
            attribution
        };
        let one = attribution(&lines);
        let mut shuffled = lines.clone();
        shuffled.sort_by_key(|(request, _, units)| (request ^ units ^ seed).wrapping_mul(0x9e37_79b9));
        let other = attribution(&shuffled);
        let of = |attribution: &Attribution| attribution.of(DriverKind::Principal).clone();
        prop_assert_eq!(of(&one), of(&other));
        let told: Vec<u64> = lines.iter().filter(|line| line.1.is_some()).map(|line| line.0).collect();
        let paid = lines.iter().filter(|line| line.1.is_none() && told.contains(&line.0));
        let expected: Money = paid.map(|line| Money::of(line.2, Price(7))).sum();
        prop_assert_eq!(of(&one).cost(), expected);
        prop_assert_eq!(of(&one).error(), Money::ZERO);
        for attributed in of(&one).dearest(9) {
            let DriverName::Tag(tag) = &attributed.name else { panic!("no principal: {attributed:?}") };
            let theirs = lines.iter().filter(|line| line.1.is_none() && principal(line.0) == *tag);
            let theirs = theirs.filter(|line| told.contains(&line.0));
            prop_assert_eq!(attributed.cost, theirs.map(|line| Money::of(line.2, Price(7))).sum());
        }
    }
}

#[test]
fn a_request_that_waits_too_long_is_given_up_and_counted() {
    let mut attribution = Attribution::default();
    let most = REQUESTS_WAITING_MAX as u64;
    for request in 0..=most {
        attribution.pay(RequestTag(request), Money::of(1, Price(1)));
    }
    assert_eq!(attribution.given_up(), 1);
    let ask = |request| Access {
        request: Some(RequestTag(request)),
        route: Some("GET /".into()),
        bytes_out: 10,
        ..Access::default()
    };
    attribution.ask(&ask(most));
    let routes = attribution.of(DriverKind::Route);
    assert_eq!(routes.cost(), Money::of(1, Price(1)));
    attribution.ask(&ask(0));
    let routes = attribution.of(DriverKind::Route);
    assert_eq!(routes.cost(), Money::of(1, Price(1)));
    let name = DriverName::Route("GET /".into());
    assert_eq!((routes.requests_of(&name), routes.bytes_of(&name)), (2, 20));
}
