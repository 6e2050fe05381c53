//! The shared state by itself: how large its items are and what DynamoDB would charge for them, how many
//! requests each outcome takes, and what counting and judging cost the processor.
//!
//! The real encoder and the real protocol run on a table in memory (`tidewatch_benches::dynamo`), seeded.
//! Exit code 1 if an item that must be written for one unit a write is larger than 1,024 bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tidewatch_benches::anatomy::{Anatomy, SECTIONS};
use tidewatch_benches::cost::{self, STEPS};
use tidewatch_benches::dynamo::{Clock, Kind, PricedTable, Request, Stored};
use tidewatch_benches::fleet::{self, Fleet, Step};
use tidewatch_benches::load::{self, Load, Names, Try};
use tidewatch_benches::options::Options;
use tidewatch_benches::{detectors, subject, table};
use tidewatch_core::finding::Activity;
use tidewatch_core::key_ring::Phase;
use tidewatch_core::plan::Plan;
use tidewatch_core::table_store::table::ItemKey;
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Span;

/// One write unit.
const UNIT_BYTES: usize = 1_024;

/// What a load came to.
struct Sized {
    load: Load,
    key: ItemKey,
    largest: Stored,
    keys: Phase,
    bytes: usize,
    batches: u64,
    writes: u64,
    refused: u64,
    units: f64,
    calls: u64,
    told: [u64; 3],
}

fn main() -> Result<ExitCode> {
    let Some(options) = Options::parsed() else { return Ok(ExitCode::SUCCESS) };
    let corpus = format!(
        "generated, seed {}; three detectors on source.ip over 10 min, 1 h and 24 h; batches every 5 s",
        options.seed
    );
    table::heading("shared", &corpus, &[subject::version()]);
    let plan = detectors::plan(&detectors::ALL, None)?;
    let sized = sizes(&plan, options.seed)?;
    anatomies(&sized)?;
    outcomes(options.seed)?;
    costs(&plan, &sized, options.runs)?;
    Ok(gate(&sized))
}

/// The loads, with what was measured for them when the layout was planned: bytes and write units.
fn loads(seed: u64) -> Vec<(Load, &'static str)> {
    let mut loads = vec![(load::three_failures(), "199 / 1")];
    for (shards, planned) in [(1, ""), (4, "971 / 1.00"), (16, "2.8 K / 2.9")] {
        loads.push((load::hour(Names::Of(30), shards), planned));
        loads.push((load::hour(Names::New, shards), planned));
    }
    loads.extend([
        (load::slow(45, 4), "969 / 1.00"),
        (load::slow(20, 4), ""),
        (load::office(4, seed), "1.4 K / 1.85"),
        (load::flood(4), "1.2 K / 1.65"),
        (load::flood(16), "3.2 K / 2.9"),
    ]);
    loads
}

fn sizes(plan: &Arc<Plan>, seed: u64) -> Result<Vec<Sized>> {
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for (load, planned) in loads(seed) {
        let sized = size(plan, load, seed, one_key())?;
        rows.push(size_row(&sized, planned));
        all.push(sized);
    }
    for window in detectors::ALL {
        let one = detectors::plan(&[window], None)?;
        let hour = load::hour(Names::New, 4);
        let name = format!("the same over 4, {} only", window.0);
        let sized = size(&one, Load { name, ..hour }, seed, one_key())?;
        rows.push(size_row(&sized, ""));
        all.push(sized);
    }
    for load in [load::three_failures(), load::hour(Names::New, 4), load::slow(45, 4)] {
        let name = format!("two keys: {}", load.name);
        let sized = size(plan, Load { name, ..load }, seed, fleet::both_keys())?;
        rows.push(size_row(&sized, ""));
        all.push(sized);
    }
    let sketched = detectors::plan(&detectors::ALL, Some(1_000))?;
    let name = "100,000 names, 4 shards, sketches behind".to_owned();
    let flood = size(&sketched, Load { name, ..load::flood(4) }, seed, one_key())?;
    rows.push(size_row(&flood, ""));
    println!("Items and what a write of them costs; messages: created, updated, closed:\n");
    let head = [
        "",
        "peak bytes",
        "WCU a write",
        "planned",
        "writes",
        "refused",
        "reads",
        "calls a (key, batch)",
        "messages",
    ];
    table::print(&head, &rows);
    Ok(all)
}

fn size_row(sized: &Sized, planned: &str) -> Vec<String> {
    let [created, updated, closed] = sized.told;
    vec![
        sized.load.name.clone(),
        sized.bytes.to_string(),
        format!("{:.2}", sized.units / sized.writes as f64),
        planned.to_owned(),
        sized.writes.to_string(),
        sized.refused.to_string(),
        (sized.calls - sized.writes).to_string(),
        format!("{:.3}", sized.calls as f64 / sized.batches as f64),
        format!("{created}, {updated}, {closed}"),
    ]
}

/// Runs a load to its end. Writes and calls are those of batches; messages also those of ticks.
fn size(plan: &Arc<Plan>, load: Load, seed: u64, keys: Phase) -> Result<Sized> {
    let (table, clock) = (PricedTable::default(), Clock::default());
    let fleet = Fleet::new(plan, &table, &clock, load.shards)?.under(keys);
    let (mut batches, mut calls, mut told) = (0, 0, [0; 3]);
    let (mut writes, mut refused, mut units) = (0, 0, 0.0);
    fleet.run(&load, seed, |step, tick| {
        for (_, activity) in &step.told {
            told[place(*activity)] += 1;
        }
        if tick {
            return;
        }
        batches += step.keys.len() as u64;
        calls += step.requests.len() as u64;
        for request in step.requests.iter().filter(|r| is_write(r.kind)) {
            writes += 1;
            refused += u64::from(request.kind == Kind::Refused);
            units += request.units;
        }
    });
    let (bytes, key, largest) = table.largest().context("nothing was written")?;
    Ok(Sized { load, key, largest, keys, bytes, batches, writes, refused, units, calls, told })
}

fn one_key() -> Phase {
    Phase::from(TagKey::new([7; 16]))
}

fn is_write(kind: Kind) -> bool {
    matches!(kind, Kind::Applied | Kind::Refused)
}

fn place(activity: Activity) -> usize {
    match activity {
        Activity::Create => 0,
        Activity::Update => 1,
        Activity::Close => 2,
    }
}

/// What the largest item of each load is made of.
fn anatomies(sized: &[Sized]) -> Result<()> {
    let mut rows = Vec::new();
    for sized in sized {
        let anatomy = Anatomy::of(&sized.key, &sized.largest)?;
        let mut row = vec![sized.load.name.clone()];
        row.extend(anatomy.bytes.map(|bytes| bytes.to_string()));
        row.push(anatomy.total().to_string());
        row.extend([anatomy.events, anatomy.panes, anatomy.tags].map(|n| n.to_string()));
        rows.push(row);
    }
    println!("What the largest item of each load is made of, bytes over all its shares:\n");
    let mut head = vec![""];
    head.extend(SECTIONS);
    head.extend(["all", "number of event tags", "of panes", "of tags"]);
    table::print(&head, &rows);
    Ok(())
}

/// Requests of one outcome.
#[derive(Default)]
struct Tally {
    steps: u64,
    kinds: BTreeMap<Kind, u64>,
    units: f64,
    index_units: f64,
    published: u64,
}

impl Tally {
    fn add<'a>(&mut self, requests: impl Iterator<Item = &'a Request>, published: u64) {
        self.steps += 1;
        self.published += published;
        for request in requests {
            *self.kinds.entry(request.kind).or_default() += 1;
            self.index_units += request.index_units;
            self.units += if is_write(request.kind) { request.units } else { 0.0 };
        }
    }

    fn row(&self, name: &str, planned: &str) -> Vec<String> {
        let each = |n: f64| format!("{:.2}", n / self.steps.max(1) as f64);
        let of = |kind| self.kinds.get(&kind).copied().unwrap_or(0) as f64;
        let calls: u64 = self.kinds.values().sum();
        let mut row = vec![name.to_owned(), self.steps.to_string(), each(calls as f64)];
        row.push(planned.to_owned());
        let kinds = [Kind::Applied, Kind::Refused, Kind::Get, Kind::Query, Kind::Due];
        row.extend(kinds.map(|kind| each(of(kind))));
        row.extend([each(self.units), each(self.index_units), each(self.published as f64)]);
        row
    }
}

/// What each outcome of a (key, batch) asks of the table.
fn outcomes(seed: u64) -> Result<()> {
    let load = load::scanners(200, 4);
    for (name, windows) in [("one detector", &detectors::ALL[..1]), ("three", &detectors::ALL[..])]
    {
        let plan = detectors::plan(windows, None)?;
        let (table, clock) = (PricedTable::default(), Clock::default());
        let fleet = Fleet::new(&plan, &table, &clock, load.shards)?;
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        let mut open: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        fleet.run(&load, seed, |step, tick| tally(step, tick, &mut open, &mut tallies));
        println!("Requests by outcome, {name} ({}), a (key, batch) or a (key, tick):\n", load.name);
        let planned = [("quiet", "1.00"), ("already open", "1.02"), ("crossing", "2.8")];
        let planned = BTreeMap::from(planned);
        let row = |(outcome, tally): (&&str, &Tally)| {
            tally.row(outcome, planned.get(outcome).copied().unwrap_or(""))
        };
        print_outcomes(&tallies.iter().map(row).collect::<Vec<_>>());
    }
    println!("Requests of single batches, one detector:\n");
    print_outcomes(&single_batches()?);
    Ok(())
}

fn print_outcomes(rows: &[Vec<String>]) {
    let head = [
        "",
        "number",
        "calls",
        "planned",
        "applied",
        "refused",
        "get",
        "query",
        "index query",
        "WCU",
        "index WCU",
        "published",
    ];
    table::print(&head, rows);
}

/// Sorts the keys of a step by what became of them.
fn tally(
    step: &Step,
    tick: bool,
    open: &mut BTreeMap<Vec<u8>, i64>,
    tallies: &mut BTreeMap<&'static str, Tally>,
) {
    let asked = step.requests.iter().map(|request| request.key.clone());
    let keys: BTreeSet<Vec<u8>> = asked.chain(step.keys.iter().cloned()).collect();
    for key in keys {
        let mut told = [0; 3];
        step.told.iter().filter(|(of, _)| *of == key).for_each(|(_, a)| told[place(*a)] += 1);
        let before = open.entry(key.clone()).or_default();
        let outcome = match (tick, told) {
            (true, _) if key.is_empty() => "each tick: the index",
            (true, [0, 0, 0]) => "tick: looked at, not over",
            (true, [0, 0, _]) => "tick: closing",
            (false, [0, 0, 0]) if *before == 0 => "quiet",
            (false, [0, 0, 0]) => "already open",
            (false, [1, 0, 0]) => "crossing",
            (false, [_, 0, 0]) => "crossing, several detectors",
            (false, [0, _, 0]) => "doubling or worse",
            _ => "other",
        };
        *before += told[0] - told[2];
        let requests = step.requests.iter().filter(|request| request.key == key);
        let published = told.iter().sum::<i64>() as u64;
        tallies.entry(outcome).or_default().add(requests, published);
    }
}

/// What a loaded run does not show: environments that remember nothing, and batches that come again.
fn single_batches() -> Result<Vec<Vec<String>>> {
    let plan = detectors::plan(&detectors::ALL[..1], None)?;
    let (table, clock) = (PricedTable::default(), Clock::default());
    let mut fleet = Fleet::new(&plan, &table, &clock, 2)?;
    let keys = one_key();
    let tries = load::hour(Names::New, 1).tries;
    let batch = |shard: u32, nth: usize| vec![fleet::record(&keys, shard, nth as u64, &tries[nth])];
    let at = |nth: usize| tries[nth].at.plus(Span::seconds(5));
    let mut rows = Vec::new();
    let mut row = |name: &str, step: &Step| {
        let mut tally = Tally::default();
        tally.add(step.requests.iter(), step.told.len() as u64);
        rows.push(tally.row(name, ""));
    };
    row("a key's first batch", &fleet.deliver(0, &batch(0, 0), at(0)));
    row("its next", &fleet.deliver(0, &batch(0, 1), at(1)));
    row("another shard's first batch, nothing remembered", &fleet.deliver(1, &batch(1, 2), at(2)));
    fleet.restart(0);
    row("the next, by a new environment", &fleet.deliver(0, &batch(0, 3), at(3)));
    row("the same batch once more", &fleet.deliver(0, &batch(0, 3), at(4)));
    fleet.restart(0);
    row("once more, by a new environment", &fleet.deliver(0, &batch(0, 3), at(5)));
    let yardstick = subject::plan(&subject::yardstick())?;
    let failures_only = Arc::new(Plan::shared(yardstick.detectors)?);
    let fleet = Fleet::new(&failures_only, &table, &clock, 1)?;
    let success = Try { success: true, known: true, ..tries[6] };
    let step = fleet.deliver(0, &[fleet::record(&keys, 0, 6, &success)], at(6));
    row("a batch that no measure selects", &step);
    Ok(rows)
}

/// What one (key, batch) costs the processor, in all and by step.
fn costs(plan: &Arc<Plan>, sized: &[Sized], runs: usize) -> Result<()> {
    let of = |name: &str| {
        let found = sized.iter().find(|sized| sized.load.name.starts_with(name));
        found.ok_or_else(|| anyhow!("no load is called {name}"))
    };
    let hour = of("1 a second for 1 h, a new name each, 4")?;
    let cases = [
        ("3 failures, 1 shard", of("3 failures")?, 0),
        ("48 tags, 1 shard", of("1 a second for 1 h, a new name each, 1 shard")?, 0),
        ("24 h, 4 shards", of("slow scan, every 45")?, 0),
        ("24 h, every 20 min, 4 shards", of("slow scan, every 20")?, 0),
        ("1 h, 4 shards", hour, 0),
        ("1 h, 4 shards, 10 min late", hour, 600),
        ("1 h, 16 shards", of("1 a second for 1 h, a new name each, 16")?, 0),
        ("flood, 4 shards", of("100,000 names in 10 min, 4")?, 0),
        ("two keys, 3 failures, 1 shard", of("two keys: 3 failures")?, 0),
        ("two keys, 24 h, 4 shards", of("two keys: slow")?, 0),
        ("two keys, 1 h, 4 shards", of("two keys: 1 a second")?, 0),
    ];
    let mut rows = Vec::new();
    for (name, sized, late_s) in cases {
        let (item, source) = (&sized.largest.item, sized.load.tries[0].source);
        let cost = cost::of(plan, item, source, Span::seconds(late_s), &sized.keys, runs)?;
        let mut row = vec![name.to_owned(), cost.share_bytes.to_string()];
        row.extend(cost.steps_ns.map(|ns| format!("{ns:.0}")));
        row.push(cost.ends.to_string());
        let rest = cost.whole_ns - cost.steps_ns.iter().sum::<f64>();
        row.extend([rest, cost.whole_ns].map(|ns| format!("{:.1}", ns / 1e3)));
        rows.push(row);
    }
    println!("CPU time a (key, batch) of one new event, ns but for the last two:\n");
    let mut head = vec!["", "share bytes"];
    head.extend(STEPS);
    head.extend(["window ends", "rest µs", "all µs"]);
    table::print(&head, &rows);
    Ok(())
}

/// Says whether the items that must be written for one unit a write are small enough.
fn gate(sized: &[Sized]) -> ExitCode {
    let bound = |name: &str| {
        let two = name.starts_with("two keys");
        let slow = name.contains("every 45 min") && !two;
        slow || name.starts_with("1 a second for 1 h, a new name each, 4")
    };
    let mut passed = true;
    for sized in sized.iter().filter(|sized| bound(&sized.load.name)) {
        let within = sized.bytes <= UNIT_BYTES;
        let verdict = if within { "within" } else { "MORE THAN" };
        println!("{}: {} bytes, {verdict} {UNIT_BYTES}", sized.load.name, sized.bytes);
        passed &= within;
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
