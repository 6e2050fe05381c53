//! Budgets whose month ends, or whose functions fall silent, while no tick runs: what was told of is over all the same, at what
//! it came to. And stored items that say what is not over yet by any clock: they are begun anew.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::limits::FUTURE_MAX;
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::spend::budget::{Budgets, Month};
use tidewatch_core::spend::watch::Weighing;
use tidewatch_core::table_store::bytes::{Reader, Writer};
use tidewatch_core::table_store::functions::all_bytes::AllChronicle;
use tidewatch_core::table_store::functions::chronicle::Chronicle;
use tidewatch_core::table_store::functions::rider_bytes::RiderChronicle;
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::table::{
    Attribute, Indexing, ItemKey, Part, Table, Write, Written,
};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::shared_functions::home::Home;
use tidewatch_tests::shared_functions::{PANE_MS, asked, report, weighing};

const MINUTE: Span = Span::minutes(1);
const HOUR: i64 = 60;

/// Ten invocations a pane of each of two functions, ten cents each: so many dollars a pane of both.
const OF_BOTH: f64 = 2.0;

/// The shared home of two functions.
struct World {
    home: Home,
    nth: u64,
    start: Time,
}

impl World {
    /// One whose functions may spend $20 a month together, and the first by itself $10; minutes are counted from `start`.
    fn new(start: Time) -> World {
        let of = Arc::new(|name: &str| (name == "f0").then_some(10.0));
        let budgets = Budgets { of, all: Some(20.0) };
        World { home: Home::new(Weighing { budgets, ..weighing() }), nth: 0, start }
    }

    fn at(&self, minute: i64) -> Time {
        self.start.plus(Span::minutes(minute))
    }

    /// Plays minutes, with reports and with ticks in some of them.
    async fn play(
        &mut self,
        minutes: RangeInclusive<i64>,
        reports: impl Fn(i64) -> bool,
        ticks: impl Fn(i64) -> bool,
    ) {
        for minute in minutes {
            let now = self.at(minute);
            if now.0 % PANE_MS == MINUTE.0 && reports(minute) {
                self.report(now).await;
            }
            if ticks(minute) {
                self.home.tick(now).await;
            }
        }
    }

    async fn report(&mut self, time: Time) {
        let mut signals = Vec::new();
        for function in 0..2 {
            for caller in 0..10 {
                self.nth += 1;
                if function == 0 {
                    signals.push(asked(self.nth, time, function, UserTag(caller % 3)));
                }
                signals.push(report(self.nth, time, function));
            }
        }
        self.home.hear(time, signals).await;
    }

    /// What was told of a budget, all functions' or the first one's: what was done, of which month, and dollars spent.
    fn burns(&self, of_all: bool) -> Vec<(Activity, u8, f64)> {
        let is_one = |finding: &&Finding| {
            finding.detector == "burn" && (finding.key == Key::of(KeyPart::Global)) == of_all
        };
        let burn = |finding: &Finding| {
            let spending = finding.spending.as_deref().expect("about functions");
            let burn = spending.budget.as_ref().expect("about a budget");
            (finding.activity, burn.month.month, burn.spent)
        };
        self.home.told.iter().filter(is_one).map(burn).collect()
    }

    /// The one closing of what was opened, and nothing of the month behind it.
    fn closed(&self, of_all: bool, month: u8) -> f64 {
        let of_month = self.burns(of_all).into_iter().filter(|(_, of, _)| *of == month);
        let all: Vec<_> = of_month.collect();
        let closings: Vec<_> = all.iter().filter(|(of, ..)| *of == Activity::Close).collect();
        assert_eq!(all[0].0, Activity::Create, "{all:?}");
        assert_eq!(closings.len(), 1, "{all:?}");
        assert_eq!(all.last().map(|(of, ..)| *of), Some(Activity::Close), "{all:?}");
        closings[0].2
    }

    /// Replaces what is stored under an attribute of an item.
    async fn replace(&self, key: &[u8], (part, of): (Part, Attribute), bytes: Vec<u8>) {
        let write = Write {
            item: ItemKey { key: key.to_vec(), part },
            expected: Vec::new(),
            version: None,
            set: vec![(of, bytes)],
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: Time(i64::MAX / 8),
        };
        let written = self.home.table.inner().write(&write).await.expect("it answers");
        assert!(matches!(written, Written::Applied(_)));
    }

    async fn stored(&self, key: &[u8], (part, of): (Part, Attribute)) -> Vec<u8> {
        let item = ItemKey { key: key.to_vec(), part };
        let item = self.home.table.inner().get(&item).await.expect("it answers").expect("an item");
        item.values[&of].clone()
    }
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found / expected - 1.0).abs() < 0.001, "{what}: {found}, not {expected}");
}

fn month_end() -> Time {
    Month { year: 2025, month: 10 }.end()
}

/// Twelve hours before October ends both begin to spend. Ticks run until `last`, and again `again` minutes after it has ended;
/// reports come until `reports`. What all spent of October as they closed it, and what the first did.
async fn month_ends(last: i64, reports: i64, again: i64) -> [f64; 2] {
    let mut world = World::new(month_end());
    let ticks = |minute| minute <= last + 1 || minute >= again;
    world.play(-12 * HOUR..=again + HOUR, |minute| minute < reports, ticks).await;
    assert_eq!(world.home.counts.lost, 0);
    [world.closed(true, 10), world.closed(false, 10)]
}

#[tokio::test]
async fn a_month_that_ends_while_no_tick_runs_closes_at_what_it_came_to() {
    let panes = |minutes: i64| (minutes / 5) as f64;
    for (hours, last, reports, again, known) in [
        // All along: what shards keep when ticks come again is of November, and what was closed before is known.
        ("26", -4 * HOUR, 30 * HOUR, 22 * HOUR, panes(8 * HOUR)),
        // For less than a day nothing is passed over.
        ("20", -4 * HOUR, 30 * HOUR, 16 * HOUR, panes(8 * HOUR)),
        // Nothing was reported in the last two hours: what shards keep is of October, and comes with the third tick.
        ("30", -10 * HOUR, -2 * HOUR, 20 * HOUR, panes(2 * HOUR) + 24.0),
        ("100", -10 * HOUR, -2 * HOUR, 90 * HOUR, panes(2 * HOUR) + 24.0),
    ] {
        let [all, first] = month_ends(last, reports, again).await;
        near(all, known * OF_BOTH, &format!("all, {hours} hours without a tick"));
        near(first, known * OF_BOTH / 2.0, &format!("one, {hours} hours without a tick"));
    }
}

#[tokio::test]
async fn a_silence_that_no_tick_saw_closes_at_what_was_spent() {
    // Four hours in the middle of the month, three days without a tick, and nothing since.
    let mut world = World::new(month_end().minus(Span::minutes(20 * 24 * HOUR)));
    let ticks = |minute| minute <= 4 * HOUR + 1 || minute >= 76 * HOUR;
    world.play(0..=77 * HOUR, |minute| minute < 4 * HOUR, ticks).await;
    near(world.closed(true, 10), 48.0 * OF_BOTH, "all");
    near(world.closed(false, 10), 48.0 * OF_BOTH / 2.0, "one");
}

#[tokio::test]
async fn a_budget_that_is_stated_again_after_its_month_closes_it_and_says_nothing_of_weeks_ago() {
    let mut world = World::new(month_end().minus(Span::minutes(10 * 24 * HOUR)));
    let day = 24 * HOUR;
    world.play(0..=4 * HOUR + 1, |_| true, |_| true).await;
    let stated = world.home.weighing.budgets.clone();
    world.home.weighing.budgets.all = None;
    world.play(4 * HOUR + 2..=15 * day, |_| true, |_| true).await;
    world.home.weighing.budgets = stated;
    let before = world.home.told.len();
    world.play(15 * day + 1..=15 * day + 30, |_| true, |_| true).await;
    // Functions have closed all of October meanwhile, and tell it.
    near(world.closed(true, 10), 2_880.0 * OF_BOTH, "October");
    let told: Vec<_> = world.home.told[before..].iter().filter(|f| f.detector == "burn").collect();
    let said = world.burns(true);
    let said: Vec<_> = said.iter().map(|(of, month, _)| (*of, *month)).collect();
    let opened = [(Activity::Create, 10), (Activity::Close, 10), (Activity::Create, 11)];
    assert_eq!(
        said.iter().filter(|of| of.0 != Activity::Update).copied().collect::<Vec<_>>(),
        opened
    );
    let now = world.at(15 * day);
    // What is told of November is of the last hour.
    let late = told.iter().filter(|f| f.activity == Activity::Create);
    assert!(late.clone().count() > 0);
    assert!(late.into_iter().all(|f| f.last > now.minus(Span::minutes(65))), "{told:#?}");
}

/// Bytes with the number at an offset moved ahead.
fn moved(bytes: &[u8], at: usize, by: i64) -> Vec<u8> {
    let mut rest = Reader::new(&bytes[at..]);
    let number = rest.signed("number").expect("a number");
    let mut out = Writer { bytes: bytes[..at].to_vec() };
    out.signed(number + by);
    let mut old = Writer::default();
    old.signed(number);
    out.bytes.extend_from_slice(&bytes[at + old.bytes.len()..]);
    out.bytes
}

#[tokio::test]
async fn what_tells_of_times_to_come_is_begun_anew_and_counted() {
    let function = Function { account: "123456789012".into(), name: "f0".into() };
    let of_function = key_bytes::of_function(&function).expect("a name");
    let chronicle = (Part::Chronicle, Attribute::Chronicle);
    let ahead = FUTURE_MAX.0 / PANE_MS;
    // What an item is, and whether it says that the newest pane is over.
    let is_over = |key: &[u8], bytes: &[u8], pane: i64| match key {
        _ if *key == key_bytes::ALL => {
            AllChronicle::decode(bytes).expect("legible").sums().0 == pane
        }
        _ if *key == key_bytes::RIDERS => {
            RiderChronicle::decode(bytes).expect("legible").closed == pane
        }
        _ => Chronicle::decode(&function, bytes).expect("legible").closed == pane,
    };
    for key in [&key_bytes::ALL[..], &key_bytes::RIDERS[..], &of_function] {
        for (by, lost) in [(ahead - 2, 0), (ahead + 4, 1), (400 * 288, 1)] {
            let mut world = World::new(month_end().minus(Span::minutes(10 * 24 * HOUR)));
            world.play(0..=4 * HOUR + 1, |_| true, |_| true).await;
            let pane = world.at(4 * HOUR).0 / PANE_MS - 1;
            let bytes = world.stored(key, chronicle).await;
            assert!(is_over(key, &bytes, pane), "{key:?}");
            world.replace(key, chronicle, moved(&bytes, 1, by)).await;
            world.play(4 * HOUR + 2..=4 * HOUR + 12, |_| true, |_| true).await;
            assert_eq!(world.home.counts.lost, lost, "{key:?}, {by} panes ahead");
            let is_judged = is_over(key, &world.stored(key, chronicle).await, pane + 2);
            assert_eq!(is_judged, lost > 0, "{key:?}, {by} panes ahead");
        }
    }
}

#[tokio::test]
async fn a_budget_whose_tally_was_lost_is_told_again_under_its_uid() {
    let chronicle = (Part::Chronicle, Attribute::Chronicle);
    let mut world = World::new(month_end().minus(Span::minutes(10 * 24 * HOUR)));
    world.play(0..=4 * HOUR + 1, |_| true, |_| true).await;
    let bytes = world.stored(&key_bytes::ALL, chronicle).await;
    world.replace(&key_bytes::ALL, chronicle, moved(&bytes, 1, 1_000)).await;
    let before = world.home.told.len();
    world.play(4 * HOUR + 2..=4 * HOUR + 12, |_| true, |_| true).await;
    let of_all =
        |finding: &&Finding| finding.detector == "burn" && finding.key == Key::of(KeyPart::Global);
    let first = world.home.told.iter().find(of_all).expect("told");
    let again = world.home.told[before..].iter().find(of_all).expect("told again");
    assert_eq!((&again.uid, again.activity), (&first.uid, Activity::Create));
    let spent = again.spending.as_deref().and_then(|s| s.budget.as_ref()).expect("it is").spent;
    // What functions had closed is in their series; it is judged from the hour before on.
    near(spent, 38.0 * OF_BOTH, "told again");
}
