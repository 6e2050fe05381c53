//! Functions in the shared home while everything fails: some functions whose reports come to shards that are split
//! once, batches that are cut anew and come again, environments that die or go on after their time, ticks that
//! overlap, a table that is slow, throttles and loses answers, and a topic that refuses. All of it follows from a
//! seed, in virtual time.
//!
//! The log of the first function names who asks, that of the other nobody. Five laws must hold, whatever happens ([`spy`],
//! [`world::Played::untold`], [`world::Played::misnamed`]):
//!
//! - a share's open panes are what its shard's records up to `applied` say, each event once; and so are those of a share
//!   of callers, from the second pane after it began on;
//! - a pane is closed once, with what all shards' shares say in one look at them;
//! - what is known of all functions together is what these panes came to, each once;
//! - what is told is what one process would have told of these panes: each message at least once, and no other; but of
//!   callers across functions some messages may be missing where a pane was judged by what was laid to them before a
//!   function that came more than 15 minutes late had said what it lays;
//! - nobody is named for more than they asked for, and of a function whose log names nobody nothing is kept.

pub mod home;
pub mod spy;
pub mod world;

use std::sync::Arc;

use tidewatch_core::access::Access;
use tidewatch_core::detector::Severity;
use tidewatch_core::invocation::{Ending, Invocation, Report};
use tidewatch_core::meter::money::Price;
use tidewatch_core::meter::tariff::{Rates, Tariff, Terms, Tier};
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::spend::watch::{Prices, Weighing};
use tidewatch_core::tag::{RequestTag, TagKey, UserTag};
use tidewatch_core::time::{Span, Time};

/// How wide a pane is.
pub const PANE_MS: i64 = 300_000;

/// When all begins: late on a Sunday, so that a day ends soon.
pub const START: Time = Time(1_760_299_200_000);

/// What is looked for: money, silence, who rides, a budget of one function, and one of all.
pub fn weighing() -> Weighing {
    let rule = |id: &str, of, rule, least| SpendDetector {
        id: id.to_owned(),
        title: String::new(),
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        of,
        rule,
        share: 0.0,
        quiet: Span::minutes(30),
        raises: vec![(Severity::High, 10.0 * least), (Severity::Low, least)],
        spent: Vec::new(),
    };
    let detectors = vec![
        rule("spike", Number::Dollars, Rule::Above, 10.0),
        rule("silent", Number::Invocations, Rule::Silent, 5.0),
        rule("rider", Number::Dollars, Rule::Riding, 2.0),
        SpendDetector {
            spent: vec![(Severity::Critical, 1.0)],
            ..rule("burn", Number::Dollars, Rule::Budget, 1.0)
        },
    ];
    // A dollar a GB-second, so that numbers are easy to read.
    let rates = || Rates {
        tiers: vec![Tier { from_gb_s: 0, price: Price(1_000_000_000_000) }],
        request: Price(0),
        storage: Price(0),
    };
    let tariff = Tariff { region: "nowhere".to_owned(), x86_64: rates(), arm64: rates() };
    let prices = Prices { tariff, terms: Arc::new(|_| Terms::default()) };
    // That is too little for a month, and for the hours that are played enough.
    let of = Arc::new(|name: &str| (name == "f1").then_some(400.0));
    let budgets = Budgets { of, all: Some(350.0) };
    Weighing { detectors: detectors.into(), prices, budgets, allow: Arc::default() }
}

/// The shipped detectors, and list prices of us-east-1.
///
/// # Panics
/// If they are faulty.
pub fn shipped(budgets: Budgets) -> Weighing {
    let detectors = tidewatch_rules::load_spending(tidewatch_rules::shipped()).expect("shipped");
    let (file, text) = tidewatch_rules::prices::shipped_prices();
    let prices = tidewatch_rules::prices::prices(&file, &text).expect("shipped");
    let tariff = prices.region("us-east-1").expect("a region").clone();
    let prices = Prices { tariff, terms: Arc::new(|_| Terms::default()) };
    Weighing { detectors: detectors.into(), prices, budgets, allow: Arc::default() }
}

/// The report of the invocation `nth` of a function: 100 ms with 1 GB.
pub fn report(nth: u64, time: Time, function: usize) -> Signal {
    let report = Report {
        duration_us: 100_000,
        billed_ms: 100,
        memory_mb: 1_024,
        used_mb: 100,
        cold_us: None,
    };
    let stream = LogStream {
        account: "123456789012".to_owned(),
        group: format!("/aws/lambda/f{function}"),
        stream: "2025/10/12/[1]5f".to_owned(),
    };
    let request = Some(request(nth));
    let invocation = Invocation { request, ending: Ending::Finished, report: Some(report) };
    Signal {
        time,
        event: TagKey::new([2; 16]).event(0, &nth.to_be_bytes()),
        origin: Origin { stream: Arc::new(stream), id: EventId::Offset(nth) },
        body: Body::Invocation(invocation),
    }
}

/// The request of the invocation `nth`.
pub fn request(nth: u64) -> RequestTag {
    TagKey::new([3; 16]).request(u128::from(nth))
}

/// What the application says while it serves the invocation `nth`: who asked for it.
pub fn asked(nth: u64, time: Time, function: usize, who: UserTag) -> Signal {
    let access = Access { request: Some(request(nth)), principal: Some(who), ..Access::default() };
    let signal = report(nth, time, function);
    Signal {
        event: TagKey::new([4; 16]).event(0, &nth.to_be_bytes()),
        body: Body::Access(Box::new(access)),
        ..signal
    }
}
