//! What a finding about a function, a caller or a budget says for programs, under
//! `unmapped.tidewatch.spending`.
//!
//! Invariant: as in the whole document, each struct has its fields in the order of their names. What is not
//! known is null. Times are milliseconds since 1970, UTC.

use std::borrow::Cow;

use serde::Serialize;
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::spend::budget::Burn;
use tidewatch_core::spend::drivers::Driver;
use tidewatch_core::spend::spending::{Ride, Spending};

use crate::budget::goes_on;
use crate::printable::name;
use crate::spending::shown;

/// `amount`, `usual` and `nearest` are of what `of` names: dollars and counts by the hour, durations in
/// milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Spent<'a> {
    account: Cow<'a, str>,
    amount: f64,
    as_far: Option<AsFar>,
    budget: Option<Budget<'a>>,
    caller: Option<Caller<'a>>,
    /// Why it costs what it does against the hour before.
    change: Vec<Part>,
    deployment: Option<Deployment<'a>>,
    dollars_a_month_above: f64,
    dollars_an_hour: f64,
    dollars_an_hour_above: f64,
    drivers: Vec<DrivenBy>,
    function: Cow<'a, str>,
    /// In what way it is odd.
    is: &'static str,
    /// The nearest that a pane of the last five weeks came to.
    nearest: Option<f64>,
    of: &'static str,
    usual: Option<f64>,
}

/// So many panes of all were as far from everything before them.
#[derive(Debug, Serialize)]
struct AsFar {
    of: usize,
    panes: usize,
}

#[derive(Debug, Serialize)]
struct Budget<'a> {
    budget_dollars: f64,
    /// Year and month: `2026-11`.
    month: String,
    most: Vec<Share<'a>>,
    /// `all`, or the one `function`.
    of: &'static str,
    /// What is taken to go on, in words.
    pace: Option<String>,
    projected_dollars: Option<f64>,
    /// From when on it is counted, where the month began before.
    since: Option<i64>,
    spent_dollars: f64,
    /// When nothing is left of it, at this pace.
    used_up: Option<i64>,
}

/// What a function has of a month's spend.
#[derive(Debug, Serialize)]
struct Share<'a> {
    account: Cow<'a, str>,
    function: Cow<'a, str>,
    spent_dollars: f64,
}

#[derive(Debug, Serialize)]
struct Caller<'a> {
    functions: Vec<Used<'a>>,
    kind: &'static str,
    name: String,
    new_function: Option<New<'a>>,
    since: i64,
}

/// A function that a caller uses, with the caller's dollars there and their share of all the caller's.
#[derive(Debug, Serialize)]
struct Used<'a> {
    account: Cow<'a, str>,
    dollars: f64,
    function: Cow<'a, str>,
    share: f64,
}

/// The function that a caller never used before.
#[derive(Debug, Serialize)]
struct New<'a> {
    first_used: i64,
    function: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct Part {
    dollars_an_hour: f64,
    part: &'static str,
}

#[derive(Debug, Serialize)]
struct Deployment<'a> {
    first_seen: i64,
    version: Cow<'a, str>,
}

/// Who asked for what it cost, with the share of it and how much more that may be.
#[derive(Debug, Serialize)]
struct DrivenBy {
    error: f64,
    kind: &'static str,
    name: String,
    share: f64,
}

pub(super) fn spent(spending: &Spending) -> Spent<'_> {
    let part = |&(part, dollars_an_hour): &(&'static str, f64)| Part { dollars_an_hour, part };
    Spent {
        account: name(&spending.function.account),
        amount: spending.amount,
        as_far: spending.as_far.map(|(panes, of)| AsFar { of, panes }),
        budget: spending.budget.as_ref().map(budget),
        caller: spending.ride.as_ref().map(|ride| caller(ride, spending.dollars)),
        change: spending.parts.iter().map(part).collect(),
        deployment: spending
            .deployment
            .as_ref()
            .map(|(version, first)| Deployment { first_seen: first.0, version: name(version) }),
        dollars_a_month_above: spending.month(),
        dollars_an_hour: spending.dollars,
        dollars_an_hour_above: spending.dollars_above,
        drivers: spending.drivers.iter().map(driven_by).collect(),
        function: name(&spending.function.name),
        is: spending.rule.name(),
        nearest: spending.nearest,
        of: spending.number.name(),
        usual: spending.usual,
    }
}

fn budget(burn: &Burn) -> Budget<'_> {
    Budget {
        budget_dollars: burn.budget,
        month: format!("{}-{:02}", burn.month.year, burn.month.month),
        most: burn.most.iter().map(of_month).collect(),
        of: if burn.of_all { "all" } else { "function" },
        pace: burn.pace.map(goes_on),
        projected_dollars: burn.projected,
        since: burn.since.map(|since| since.0),
        spent_dollars: burn.spent,
        used_up: burn.used_up.map(|at| at.0),
    }
}

fn of_month((function, spent): &(Function, f64)) -> Share<'_> {
    Share {
        account: name(&function.account),
        function: name(&function.name),
        spent_dollars: *spent,
    }
}

fn caller(ride: &Ride, all_dollars: f64) -> Caller<'_> {
    let used = ride.functions.iter().map(|(function, dollars)| Used {
        account: name(&function.account),
        dollars: *dollars,
        function: name(&function.name),
        share: dollars / all_dollars,
    });
    Caller {
        functions: used.collect(),
        kind: ride.caller.kind.name(),
        name: shown(&ride.caller.name),
        new_function: ride
            .new
            .as_ref()
            .map(|(function, first)| New { first_used: first.0, function: name(&function.name) }),
        since: ride.since.0,
    }
}

fn driven_by(driver: &Driver) -> DrivenBy {
    DrivenBy {
        error: driver.error,
        kind: driver.kind.name(),
        name: shown(&driver.name),
        share: driver.share,
    }
}
