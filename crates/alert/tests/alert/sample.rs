//! Findings for the tests of this crate: one made of everything, from which each test takes away.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value as Json;
use tidewatch_alert::{Context, ocsf};
use tidewatch_core::accounts::Account;
use tidewatch_core::detector::{Attack, Comparison, Confidence, Severity};
use tidewatch_core::finding::{
    Accuracy, Activity, Also, Decided, Finding, Measured, SeenSince, Value,
};
use tidewatch_core::key::{FunctionTag, Key, KeyPart};
use tidewatch_core::lists::Listed;
use tidewatch_core::meter::attribution::{DriverKind, DriverName};
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::series::ahead::Pace;
use tidewatch_core::series::season::Basis;
use tidewatch_core::signal::{EventId, LogStream, Origin, Outcome};
use tidewatch_core::spend::budget::{Burn, Month};
use tidewatch_core::spend::callers::Caller;
use tidewatch_core::spend::detector::{Number, Rule};
use tidewatch_core::spend::drivers::Driver;
use tidewatch_core::spend::spending::{Ride, Spending};
use tidewatch_core::tag::UserTag;
use tidewatch_core::time::{Span, Time};

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn context() -> Context {
    Context { version: "0.1.0", region: Some("eu-central-1".to_owned()), simulated: false }
}

/// The document about a finding, as a reader of its text has it.
pub(crate) fn document(finding: &Finding) -> Json {
    ocsf(finding, &context()).to_string().parse().expect("a document is JSON")
}

/// 2026-11-22T10:15:30Z.
pub(crate) const NOW: Time = Time(1_795_342_530_000);

fn attack(technique: &str, name: &str) -> Attack {
    Attack { technique: technique.to_owned(), name: name.to_owned() }
}

pub(crate) fn measured(name: &str, amount: f64, error: Accuracy) -> Measured {
    Measured { name: name.to_owned(), value: Value { amount, error } }
}

fn decided(amount: f64, threshold: f64, condition: &str) -> Decided {
    Decided {
        measure: "unknown_users".to_owned(),
        amount,
        comparison: Comparison::AtLeast,
        threshold,
        condition: condition.to_owned(),
    }
}

fn cloudwatch(stream: &str, id: &str) -> Origin {
    let stream = LogStream {
        account: "123456789012".to_owned(),
        group: "/aws/lambda/login".to_owned(),
        stream: stream.to_owned(),
    };
    Origin { stream: Arc::new(stream), id: EventId::CloudWatch(id.into()) }
}

pub(crate) fn local(input: &str, offset: u64) -> Origin {
    let stream = LogStream { stream: input.to_owned(), ..LogStream::default() };
    Origin { stream: Arc::new(stream), id: EventId::Offset(offset) }
}

pub(crate) fn finding(activity: Activity) -> Finding {
    Finding {
        uid: "0123456789abcdef0123456789abcdef".to_owned(),
        activity,
        severity: Severity::High,
        confidence: Some(Confidence::Medium),
        detector: "credential-scan".to_owned(),
        title: "One source tries many usernames that do not exist".to_owned(),
        description: "A list of names is tried out.".to_owned(),
        advice: "Block the source.".to_owned(),
        attacks: vec![
            attack("T1589", "Gather Victim Identity Information"),
            attack("T1110.004", "Credential Stuffing"),
        ],
        key: Key::source_ip(address("203.0.113.9")),
        agent: None,
        time: NOW,
        start: NOW,
        first_seen: NOW.minus(Span::seconds(200)),
        last: NOW,
        window: Span::minutes(10),
        quiet: Span::minutes(30),
        measures: vec![
            measured("unknown_users", 34.0, Accuracy::Exact),
            measured("users", 41.0, Accuracy::Exact),
        ],
        since: vec![SeenSince { measure: "newcomers".to_owned(), first: NOW, is_new: true }],
        peak: 61.0,
        decided: vec![
            decided(34.0, 20.5, "unknown_users >= 0.5 * users"),
            decided(34.0, 30.0, "unknown_users >= 30"),
        ],
        sources: vec![address("203.0.113.9")],
        sources_total: 1,
        accounts: vec![
            account(0xa1, Some(Outcome::Success), Some(true)),
            Account { as_ever: true, ..account(0xd4, Some(Outcome::Success), Some(true)) },
            account(0xb2, Some(Outcome::Failure), Some(false)),
            account(0xc3, Some(Outcome::Failure), None),
        ],
        listed: vec![listed("breach\u{1b}[2J 2019", Some(0.03)), listed("combo", None)],
        also: vec![Also {
            detector: "brute-force".to_owned(),
            severity: Severity::Medium,
            uid: Some("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf".to_owned()),
        }],
        members: Vec::new(),
        spending: None,
        samples: vec![
            cloudwatch("2026/11/22/[$LATEST]aa", "3811"),
            cloudwatch("2026/11/22/[$LATEST]bb", "3812"),
            cloudwatch("2026/11/22/[$LATEST]aa", "3813"),
        ],
    }
}

fn listed(list: &str, usual: Option<f64>) -> Listed {
    let chance = usual.map(|_| 1e-9);
    Listed { list: list.to_owned(), on: 49, of: 60, usual, chance }
}

fn account(tag: u64, outcome: Option<Outcome>, known: Option<bool>) -> Account {
    Account { tag, outcome, known, last: NOW, first: Some(NOW), as_ever: false }
}

/// A finding about a /64, from a local file with a hostile name, with inexact numbers and without
/// anything a detector file may leave out.
pub(crate) fn bare(activity: Activity) -> Finding {
    Finding {
        description: String::new(),
        advice: String::new(),
        attacks: Vec::new(),
        key: Key::source_ip(address("2001:db8:1:2::77")),
        agent: None,
        confidence: None,
        since: Vec::new(),
        measures: vec![
            measured(
                "unknown_users",
                3_600.4,
                Accuracy::Sketch { relative: 0.016, pane: Span::seconds(20) },
            ),
            measured("failures", 9_000.0, Accuracy::Pane(Span::seconds(20))),
            measured("users", 256.0, Accuracy::AtLeast),
        ],
        decided: vec![decided(3_600.4, 30.0, "unknown_users >= 30")],
        sources: (1..=8).map(|n| address(&format!("2001:db8:1:2::{n}"))).collect(),
        sources_total: 12,
        accounts: Vec::new(),
        listed: Vec::new(),
        also: Vec::new(),
        members: Vec::new(),
        spending: None,
        samples: vec![local("auth\u{1b}[2J\u{202e}gol", 4_096)],
        ..finding(activity)
    }
}

/// A finding about a function with a hostile version, of which everything is known.
pub(crate) fn spent(activity: Activity, number: Number, rule: Rule) -> Finding {
    let function = Function { account: "123456789012".into(), name: "checkout-api".into() };
    let driver = |kind, name, share| Driver { kind, name, share, error: 0.0 };
    let spending = Spending {
        function: function.clone(),
        number,
        rule,
        amount: 41.25,
        usual: Some(3.4),
        basis: Some(Basis::HourOfWeek),
        nearest: Some(22.1),
        as_far: Some((3, 9_800)),
        dollars: 41.25,
        dollars_above: 37.85,
        parts: vec![
            ("more invocations", 30.0),
            ("longer durations", 8.0),
            ("more memory", 0.0),
            ("failures", -0.15),
            ("cold starts", 0.0),
        ],
        drivers: vec![
            driver(DriverKind::Principal, DriverName::Tag(UserTag(0xab)), 0.83),
            driver(DriverKind::Source, DriverName::Address(address("203.0.113.9")), 0.8),
        ],
        deployment: Some(("71\u{1b}[2J".into(), NOW)),
        budget: None,
        ride: (rule == Rule::Riding).then(|| Ride {
            caller: Caller { kind: DriverKind::Principal, name: DriverName::Tag(UserTag(0xab)) },
            functions: vec![(function.clone(), 33.0)],
            new: Some((function.clone(), NOW)),
            since: NOW,
        }),
    };
    Finding {
        key: Key::of(KeyPart::Function(FunctionTag::of(&function))),
        agent: None,
        title: "A function costs far more than usual".to_owned(),
        detector: "cost-spike".to_owned(),
        attacks: Vec::new(),
        measures: vec![measured("dollars_an_hour", 41.25, Accuracy::Exact)],
        peak: 41.25,
        sources: Vec::new(),
        sources_total: 0,
        accounts: Vec::new(),
        listed: Vec::new(),
        also: Vec::new(),
        spending: Some(Box::new(spending)),
        ..finding(activity)
    }
}

/// A finding about the budget of all functions together, in November of 2026.
pub(crate) fn burnt(activity: Activity) -> Finding {
    let function = |name: &str| Function { account: "".into(), name: name.into() };
    let burn = Burn {
        budget: 1_000.0,
        of_all: true,
        month: Month { year: 2026, month: 11 },
        since: None,
        spent: 610.0,
        projected: Some(1_240.0),
        pace: Some(Pace::Weekdays),
        used_up: Some(Time(1_795_536_000_000)),
        most: vec![(function("checkout-api"), 420.0), (function("login\u{1b}[2J"), 190.0)],
    };
    let finding = spent(activity, Number::Dollars, Rule::Budget);
    let spending = Spending {
        function: function(""),
        budget: Some(burn),
        parts: Vec::new(),
        drivers: Vec::new(),
        deployment: None,
        as_far: None,
        nearest: None,
        usual: None,
        basis: None,
        ..*finding.spending.clone().expect("about functions")
    };
    Finding {
        key: Key::of(KeyPart::Global),
        title: "A month's spend passes its budget".to_owned(),
        detector: "budget-burn".to_owned(),
        spending: Some(Box::new(spending)),
        ..finding
    }
}
