//! Simulated fleets through the shared home: it tells what one process tells of the same logs.

use std::sync::Arc;

use tidewatch_core::allow::{Allowed, Allowlist, Who};
use tidewatch_core::delivery::Record;
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::Finding;
use tidewatch_core::glob::Glob;
use tidewatch_core::meter::ledger::{Function, Ledger, Limits};
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::signal::Signal;
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::spend::drivers::Driver;
use tidewatch_core::spend::spending::Ride;
use tidewatch_core::spend::watch::{Watch, Weighing};
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::store::SharedStore;
use tidewatch_core::table_store::table::{ItemKey, Part, Table};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest};
use tidewatch_tests::binary::run;
use tidewatch_tests::shared_functions::shipped;
use tidewatch_tests::simulator::executor::Executor;
use tidewatch_tests::simulator::table::bytes;
use tidewatch_tests::simulator::weather::{Chance, Stream};
use tidewatch_tests::unlucky_table::{Fate, UnluckyPace, UnluckyTable};

const MINUTE: Span = Span::minutes(1);

/// The shipped detectors and prices; a small fleet costs cents, so that half a thousandth of a dollar an hour matters here.
fn weighing() -> Weighing {
    let shipped = shipped(Budgets { of: Arc::new(|_| Some(0.3)), all: None });
    let lower = |rule: &SpendDetector| {
        // Shares of a budget are no dollars.
        let is_dollars = rule.of == Number::Dollars && rule.rule != Rule::Budget;
        let times = if is_dollars { 0.005 } else { 1.0 };
        let raises = rule.raises.iter().map(|(severity, least)| (*severity, least * times));
        SpendDetector { raises: raises.collect(), ..rule.clone() }
    };
    Weighing { detectors: shipped.detectors.iter().map(lower).collect(), ..shipped }
}

/// The invocations in a simulated fleet's log, by envelope.
fn envelopes(scenario: &str, seed: &str) -> Vec<Vec<Signal>> {
    envelopes_of(scenario, seed, "60")
}

fn envelopes_of(scenario: &str, seed: &str, hours: &str) -> Vec<Vec<Signal>> {
    envelopes_at(scenario, seed, hours, "40000")
}

fn envelopes_at(scenario: &str, seed: &str, hours: &str, a_day: &str) -> Vec<Vec<Signal>> {
    let log = run(
        &[
            "simulate",
            scenario,
            "--seed",
            seed,
            "--functions",
            "3",
            "--invocations-per-day",
            a_day,
            "--hours",
            hours,
            "--output",
            "envelopes",
        ],
        b"",
    );
    assert_eq!(log.code, 0, "{}", log.stderr);
    let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Fold };
    let config = Config { naming, own_group: None, formats: Arc::default() };
    let mut ingest = Ingest::new(config);
    ingest.hear_invocations();
    ingest.hear_callers();
    let mut buffers = Buffers::default();
    let read = |line: &str| {
        let mut batch = Batch::default();
        ingest.record(line.as_bytes(), "1", &mut buffers, &mut batch);
        let dated = batch.signals.into_iter().map(|signal| match signal.when {
            When::At(time) => signal.at(time),
            When::Civil(_) => panic!("envelopes tell times"),
        });
        dated.collect()
    };
    log.stdout.lines().map(read).collect()
}

/// What is the same in both homes.
type Said = (String, String, u8, Time);

fn said(finding: &Finding) -> Said {
    let spending = finding.spending.as_deref().expect("about a function");
    let function = spending.function.name.to_string();
    let what = format!("{} {:?} {}", finding.detector, finding.activity, finding.uid);
    (function, what, finding.severity as u8, finding.start)
}

/// What is told, of whom each finding says that they drive the cost, which caller it is about, and the text that people
/// read, but for when it was told and the event it names.
type Told = (Said, Vec<Driver>, Option<Ride>, String);

fn told(findings: &[Finding]) -> Vec<Told> {
    let one = |finding: &Finding| {
        let spending = finding.spending.as_deref().expect("about a function");
        let bare = Finding { time: finding.start, samples: Vec::new(), ..finding.clone() };
        let text = tidewatch_alert::text(&bare);
        (said(finding), spending.drivers.clone(), spending.ride.clone(), text)
    };
    let mut told: Vec<_> = findings.iter().map(one).collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

/// Both homes say the same; where there were more callers than a shard keeps, each is told with a share that the true
/// one is at least, and with a bound that it is at most.
fn alike(shared: &Told, embedded: &Told) {
    assert_eq!(shared.0, embedded.0);
    if let (Some(ride), Some(truth)) = (&shared.2, &embedded.2) {
        return alike_rides(ride, truth);
    }
    assert_eq!(shared.2, embedded.2);
    if shared.1.iter().all(|driver| driver.error == 0.0) {
        return assert_eq!(shared, embedded);
    }
    for driver in &shared.1 {
        let same = |of: &&Driver| (of.kind, &of.name) == (driver.kind, &driver.name);
        let truth = embedded.1.iter().find(same).map(|of| of.share);
        let (least, most) = (driver.share - 1e-9, driver.share + driver.error + 1e-9);
        assert!(
            truth.is_some_and(|truth| (least..=most).contains(&truth)),
            "{driver:?}: {truth:?}"
        );
        // At most one in 33 of all.
        assert!(driver.error <= 1.0 / 33.0, "{driver:?}");
    }
}

/// It is the same caller since the same time; what it cost is told within a tenth, and never as more.
fn alike_rides(shared: &Ride, embedded: &Ride) {
    let what = |of: &Ride| (of.caller.clone(), of.new.clone(), of.since);
    assert_eq!(what(shared), what(embedded));
    let sum = |of: &Ride| of.functions.iter().map(|(_, dollars)| dollars).sum::<f64>();
    let (least, truth) = (sum(shared), sum(embedded));
    assert!((0.9 * truth..=truth + 1e-9).contains(&least), "{shared:?} instead of {embedded:?}");
}

/// What one process tells.
fn embedded(envelopes: &[Vec<Signal>]) -> Vec<Finding> {
    embedded_by(&weighing(), envelopes)
}

fn embedded_by(weighing: &Weighing, envelopes: &[Vec<Signal>]) -> Vec<Finding> {
    let Weighing { detectors, prices, budgets, allow } = weighing.clone();
    let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
    let watch = Watch::new(detectors.to_vec(), prices, ledger);
    let mut watch = watch.budgeted(budgets).allowing(allow);
    let mut told: Vec<Finding> =
        envelopes.iter().flatten().flat_map(|signal| watch.observe(signal)).collect();
    told.extend(watch.ended());
    told
}

/// What the shared home tells of the same records on two shards, by two environments that take turns.
async fn shared(envelopes: &[Vec<Signal>]) -> (Vec<Finding>, Sizes) {
    shared_by(&weighing(), envelopes).await
}

async fn shared_by(weighing: &Weighing, envelopes: &[Vec<Signal>]) -> (Vec<Finding>, Sizes) {
    shared_as(|_| weighing, envelopes).await
}

/// The same by what is in force at a time.
async fn shared_as<'a>(
    in_force: impl Fn(Time) -> &'a Weighing,
    envelopes: &[Vec<Signal>],
) -> (Vec<Finding>, Sizes) {
    let clock = Executor::new(0).clock();
    let table = UnluckyTable::new(clock.clone());
    table.set_fate(|_, _| Fate::Arrives);
    let chance = Chance::new(1, Stream::Weather);
    let environment = |_| {
        let pace = UnluckyPace { clock: clock.clone(), ahead_ms: 0, chance: chance.clone() };
        SharedStore::new(Arc::new(Plan::default()), table.clone(), pace, Default::default())
    };
    let mut environments: Vec<_> = (0..2).map(environment).collect();
    let (mut told, mut sizes) = (Vec::new(), Sizes::default());
    let (mut next, mut now, mut turn) = (0, Time::MIN, 0);
    let newest = |signals: &Vec<Signal>| signals.iter().map(|signal| signal.time).max();
    let end = envelopes.iter().filter_map(newest).max().expect("signals");
    while now <= end.plus(Span::minutes(7)) {
        let mut batches = [Vec::new(), Vec::new()];
        while let Some(signals) = envelopes.get(next).filter(|s| newest(s) <= Some(now)) {
            let arrival = newest(signals).unwrap_or(now);
            let (sequence, again) = (Sequence::of(next as u64 + 1), Vec::new());
            // All of a log stream comes by one shard.
            let stream = signals.first().map_or("", |signal| &signal.origin.stream.stream);
            batches[stream.bytes().map(usize::from).sum::<usize>() % 2].push(Record {
                sequence,
                arrival,
                signals: signals.clone(),
                again,
            });
            next += 1;
        }
        if now == Time::MIN {
            now = newest(&envelopes[0]).expect("signals");
            now = Time(now.0 - now.0 % MINUTE.0);
            continue;
        }
        let (deadline, weighing) = (Time(clock.now_ms()).plus(MINUTE), in_force(now));
        if now.0 / MINUTE.0 % 400 == 0 {
            // Lambda takes one away, and begins another that knows nothing.
            let ended = std::mem::replace(&mut environments[0], environment(0));
            sizes.writes += ended.stats().applied.get();
        }
        for (shard, records) in (0..).zip(&batches) {
            turn += 1;
            let invocation = environments[turn % 2].invocation(ShardId(shard), deadline);
            let (acknowledged, counts) = invocation.count_functions(weighing, records).await;
            assert_eq!((acknowledged.first_unapplied, counts.late), (None, 0));
        }
        let invocation = environments[turn / 2 % 2].invocation(ShardId::TICK, deadline);
        let (counts, fault) = invocation.weigh_functions(weighing, &mut told, now).await;
        assert_eq!((fault, counts.lost, counts.unwatched), (None, 0, 0));
        assert_eq!((counts.incomplete_panes, counts.unbudgeted), (0, 0));
        sizes.panes += counts.closed_panes;
        sizes.held_back += counts.held_back.values().sum::<u64>();
        sizes.note(&table, envelopes[0][0].origin.stream.function().expect("a function's")).await;
        now = now.plus(MINUTE);
    }
    sizes.writes +=
        environments.iter().map(|environment| environment.stats().applied.get()).sum::<u64>();
    (told, sizes)
}

/// What the items of one function take, in bytes at each tick; and what was written of all.
#[derive(Default)]
struct Sizes {
    shares: Vec<usize>,
    /// Of one shard.
    callers: Vec<usize>,
    chronicle: Vec<usize>,
    writes: u64,
    panes: u64,
    held_back: u64,
}

impl Sizes {
    async fn note(&mut self, table: &UnluckyTable, function: &str) {
        let function = Function { account: "123456789012".into(), name: function.into() };
        let key = key_bytes::of_function(&function).expect("a name");
        for (part, item) in table.inner().query(&key).await.expect("it answers") {
            let of_part = match part {
                Part::Chronicle => &mut self.chronicle,
                Part::Callers(_) => &mut self.callers,
                _ => &mut self.shares,
            };
            of_part.push(bytes(&ItemKey { key: key.clone(), part }, &item));
        }
    }
}

async fn equal(scenario: &str, seed: &str) {
    // Where hundreds of callers cost more at once, and a fraction of a cent is enough, who is told of depends on
    // the few that a shard's summary leaves out.
    equal_for(scenario, seed, "60", |finding| finding.detector != "free-rider").await;
}

async fn equal_for(scenario: &str, seed: &str, hours: &str, matters: fn(&Finding) -> bool) {
    alike_in_both((scenario, seed), &envelopes_of(scenario, seed, hours), matters).await;
}

async fn alike_in_both(
    (scenario, seed): (&str, &str),
    envelopes: &[Vec<Signal>],
    matters: fn(&Finding) -> bool,
) {
    let that_matter = |mut findings: Vec<Finding>| {
        findings.retain(matters);
        told(&findings)
    };
    let shared = that_matter(shared(envelopes).await.0);
    let embedded = that_matter(embedded(envelopes));
    let said = |told: &[Told]| told.iter().map(|told| told.0.clone()).collect::<Vec<_>>();
    assert_eq!(said(&shared), said(&embedded), "{scenario}, seed {seed}");
    assert!(!embedded.is_empty(), "{scenario}: nothing was told");
    shared.iter().zip(&embedded).for_each(|(shared, embedded)| alike(shared, embedded));
}

#[tokio::test]
async fn a_caller_who_costs_more_than_ever_is_told_alike_in_both_homes() {
    for seed in ["1", "2"] {
        equal_for("lambda-rider", seed, "84", |_| true).await;
    }
    let told = embedded(&envelopes_of("lambda-rider", "1", "84"));
    assert!(told.iter().any(|finding| finding.detector == "free-rider"));
}

#[tokio::test]
async fn a_caller_who_drives_the_bill_is_told_alike_in_both_homes() {
    for seed in ["1", "2", "3"] {
        equal("lambda-wallet", seed).await;
        let (told, _) = shared(&envelopes("lambda-wallet", seed)).await;
        let wallet = told.iter().find(|finding| finding.detector == "denial-of-wallet");
        let driver = &wallet.expect("told").spending.as_deref().expect("it is").drivers[0];
        assert!(driver.share > 0.5 && driver.error == 0.0, "{driver:?}");
    }
}

#[tokio::test]
async fn a_spike_is_told_alike_in_both_homes() {
    equal("lambda-spike", "1").await;
    equal("lambda-spike", "2").await;
}

#[tokio::test]
async fn a_budget_is_told_alike_in_both_homes() {
    let envelopes = envelopes("lambda-quiet", "3");
    let [embedded, shared] = [embedded(&envelopes), shared(&envelopes).await.0];
    let burns = |findings: &[Finding]| {
        let of = |finding: &Finding| finding.spending.as_deref().and_then(|s| s.budget.clone());
        let mut burns: Vec<_> = findings.iter().filter_map(|f| Some((said(f), of(f)?))).collect();
        burns.sort_by(|a, b| a.0.cmp(&b.0));
        burns
    };
    assert!(!burns(&embedded).is_empty());
    assert_eq!(burns(&shared), burns(&embedded));
}

/// That of all functions together, and nothing else.
fn of_all(budget: Option<f64>) -> Weighing {
    Weighing { budgets: Budgets { of: Arc::new(|_| None), all: budget }, ..weighing() }
}

fn about_all(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.detector == "budget-burn");
    findings
}

#[tokio::test]
async fn the_budget_of_all_is_told_alike_in_both_homes() {
    let envelopes = envelopes("lambda-spike", "3");
    let weighing = of_all(Some(0.3));
    let embedded = about_all(embedded_by(&weighing, &envelopes));
    let shared = about_all(shared_by(&weighing, &envelopes).await.0);
    let severities: Vec<_> = embedded.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities.first(), Some(&Severity::High));
    assert_eq!(severities.last(), Some(&Severity::Critical));
    // To the word: uid, sentence, pace, and who spent most; and to the last digit.
    assert_eq!(told(&shared), told(&embedded));
    let burn = |finding: &Finding| finding.spending.as_deref().and_then(|s| s.budget.clone());
    let burns = |all: &[Finding]| all.iter().map(burn).collect::<Vec<_>>();
    assert_eq!(burns(&shared), burns(&embedded));
    let first = burns(&shared)[0].clone().expect("about a budget");
    assert!(first.of_all && first.most.len() == 3, "{first:?}");
}

#[tokio::test]
async fn a_budget_of_all_that_is_stated_later_knows_what_the_month_had_before() {
    let envelopes = envelopes("lambda-quiet", "3");
    let (none, stated) = (of_all(None), of_all(Some(0.01)));
    let first = envelopes[0][0].time;
    let from = first.plus(Span::minutes(40 * 60));
    let by_then = |now| if now < from { &none } else { &stated };
    let told = about_all(shared_as(by_then, &envelopes).await.0);
    // It is spent already; what it will come to is told with the next whole hour.
    let opened = &told[0];
    let spent = opened.spending.as_deref().expect("it is").budget.as_ref().expect("it is").spent;
    assert!((from..from.plus(Span::minutes(7))).contains(&opened.time), "{:?}", opened.time);
    // As one process has it that knew of the budget from the start, after the pane that it was told of.
    let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
    let Weighing { detectors, prices, budgets, .. } = stated.clone();
    let mut watch = Watch::new(detectors.to_vec(), prices, ledger).budgeted(budgets);
    let over = opened.last.plus(Span::seconds(60));
    let before = envelopes.iter().flatten().filter(|signal| signal.time <= over);
    before.for_each(|signal| drop(watch.observe(signal)));
    watch.advance(over.plus(Span(1)));
    assert_eq!(watch.burns()[0].1.spent, spent);
    assert!(spent > 0.01, "{spent}");
}

#[tokio::test]
async fn what_is_held_back_is_held_back_alike_in_both_homes() {
    let envelopes = envelopes("lambda-spike", "1");
    let all = embedded(&envelopes);
    let function = all[0].spending.as_deref().expect("about a function").function.name.clone();
    let entry = Allowed {
        who: Who::Function(Glob::new(&function)),
        detectors: Vec::new(),
        reason: "a load test".to_owned(),
        until: None,
        place: "allow.toml:1".to_owned(),
    };
    let allow = Arc::new(Allowlist { entries: vec![entry] });
    let weighing = Weighing { allow, ..weighing() };
    let told = embedded_by(&weighing, &envelopes);
    let (shared, sizes) = shared_by(&weighing, &envelopes).await;
    let said = |findings: &[Finding]| {
        let mut all: Vec<_> = findings.iter().map(said).collect();
        all.sort();
        all
    };
    assert_eq!(said(&shared), said(&told));
    assert!(told.iter().all(|f| f.spending.as_deref().expect("it is").function.name != function));
    assert!(told.len() < all.len() && sizes.held_back > 0, "{} {}", told.len(), sizes.held_back);
}

#[tokio::test]
async fn a_slow_version_is_told_alike_in_both_homes() {
    equal("lambda-slow", "1").await;
}

#[tokio::test]
async fn a_slow_version_of_functions_that_are_seldom_invoked_is_told_alike_in_both_homes() {
    // Some three invocations in five minutes by day.
    let envelopes = envelopes_at("lambda-slow", "1", "84", "2000");
    let of_durations = |finding: &Finding| finding.detector == "duration-regression";
    alike_in_both(("lambda-slow", "1"), &envelopes, of_durations).await;
}

#[tokio::test]
async fn failures_are_told_alike_in_both_homes() {
    equal("lambda-errors", "1").await;
}

#[tokio::test]
async fn silence_is_told_alike_in_both_homes() {
    equal("lambda-silent", "1").await;
}

#[tokio::test]
async fn a_loop_is_told_alike_in_both_homes_and_before_its_pane_is_over() {
    equal("lambda-recursion", "1").await;
    let (told, _) = shared(&envelopes("lambda-recursion", "1")).await;
    let runs = |finding: &&Finding| finding.detector == "runaway-function";
    let opened = told.iter().find(runs).expect("told");
    // Over it would be a minute after its end.
    let after = opened.time.0 - opened.start.0;
    assert!(after < Span::minutes(6).0, "{after} ms after the pane began");
}

/// Prints what SHARED-STATE.md says of items and writes.
#[tokio::test]
async fn the_items_of_a_function_are_small() {
    let (_, sizes) = shared(&envelopes("lambda-quiet", "1")).await;
    let Sizes { shares, callers, chronicle, writes, panes, .. } = sizes;
    let told = |what: &str, sizes: &[usize]| {
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        let largest = sizes.iter().max().expect("there are some");
        println!("{what}: {mean} bytes on average, {largest} at most");
        (mean, *largest)
    };
    let (mean, largest) = told("shares of two shards", &shares);
    assert!(mean < 1_024 && largest < 2_048, "{mean} {largest}");
    // Some twenty callers in a pane, by principal and by address.
    let (mean, largest) = told("callers of a shard", &callers);
    assert!(mean < 1_024 && largest < 3_072, "{mean} {largest}");
    let (mean, largest) = told("chronicle", &chronicle);
    assert!(mean < 4_096 && largest < 8_192, "{mean} {largest}");
    println!("{writes} writes of {panes} panes");
}
