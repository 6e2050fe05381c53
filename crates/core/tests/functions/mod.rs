//! Reports of functions whose dollars are easy to read, and what watches them.

// Each test that takes it in uses a part.
#![allow(dead_code)]

use std::sync::Arc;

use tidewatch_core::detector::Severity;
use tidewatch_core::invocation::{Ending, Invocation, Report, Written};
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::meter::money::Price;
use tidewatch_core::meter::tariff::{Rates, Tariff, Terms, Tier};
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::detector::{Number, Rule, SpendDetector};
use tidewatch_core::spend::watch::{Prices, Watch};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};

pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 24 * 60 * MINUTE;

pub fn rule(id: &str, of: Number, rule: Rule, raises: &[(Severity, f64)]) -> SpendDetector {
    SpendDetector {
        id: id.to_owned(),
        title: String::new(),
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        of,
        rule,
        share: 0.0,
        quiet: Span::minutes(60),
        raises: raises.to_vec(),
        spent: Vec::new(),
    }
}

/// By a dollar a GB-second.
pub fn watch(detectors: Vec<SpendDetector>) -> Watch {
    let rates = || Rates {
        tiers: vec![Tier { from_gb_s: 0, price: Price(1_000_000_000_000) }],
        request: Price(0),
        storage: Price(0),
    };
    let tariff = Tariff { region: "nowhere".to_owned(), x86_64: rates(), arm64: rates() };
    let ledger = Ledger::new(Limits::default(), TagKey::new([1; 16]));
    Watch::new(detectors, Prices { tariff, terms: Arc::new(|_| Terms::default()) }, ledger)
}

/// A report of an invocation of so many milliseconds, of a function with 1 GB.
pub fn report(nth: u64, at: i64, ms: u64, stream: &Arc<LogStream>) -> Signal {
    let report = Report::checked(Written {
        duration_us: ms * 1_000,
        billed_us: ms * 1_000,
        memory_mb: 1_024,
        used_mb: 100,
        init_us: None,
        restore_us: None,
    });
    let invocation =
        Invocation { request: None, ending: Ending::Finished, report: Some(report.expect("fits")) };
    Signal {
        time: Time(at),
        event: TagKey::new([2; 16]).event(0, &nth.to_be_bytes()),
        origin: Origin { stream: Arc::clone(stream), id: EventId::Offset(nth) },
        body: Body::Invocation(invocation),
    }
}

/// A log stream of a function.
pub fn stream_of(function: &str) -> Arc<LogStream> {
    let group = format!("/aws/lambda/{function}");
    Arc::new(LogStream { account: String::new(), group, stream: "[1]".to_owned() })
}
