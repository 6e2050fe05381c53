//! What a finding about a function says, in words: what it costs or takes, what is usual, what that comes to in a
//! month, and why.

use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::meter::attribution::DriverName;
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::series::season::Basis;
use tidewatch_core::spend::detector::{Number, Rule};
use tidewatch_core::spend::drivers::Driver;
use tidewatch_core::spend::spending::{Ride, Spending};
use tidewatch_core::tag::UserTag;

use crate::budget;
use crate::number::{number, rfc3339};
use crate::printable::name;

/// A part of a change is named if it is at least this share of what is above usual.
const PART_SHARE_MIN: f64 = 0.1;

/// Who it is about.
pub(crate) fn who(function: &Function) -> String {
    match &*function.name {
        "" => "the function of this log".to_owned(),
        named => name(named).into_owned(),
    }
}

/// Whom a finding is about.
pub(crate) fn whom(spending: &Spending) -> String {
    if let Some(ride) = &spending.ride {
        return ride.caller.to_string();
    }
    match &spending.budget {
        Some(burn) if burn.of_all => "everything watched".to_owned(),
        _ => who(&spending.function),
    }
}

/// The sentence, without the detector's title.
pub(crate) fn sentence(finding: &Finding, spending: &Spending) -> String {
    let who = whom(spending);
    if let Some(burn) = &spending.budget {
        return budget::sentence(finding, &who, burn);
    }
    match (finding.activity, spending.rule) {
        (Activity::Close, Rule::Silent) => format!("{who} is invoked again."),
        (Activity::Close, _) => {
            let (quiet, amount) = (finding.quiet, amount(spending.number, finding.peak));
            format!("{who} has been as usual for {quiet}; at worst it was {amount}.")
        }
        (_, Rule::Silent) => {
            let usual = amount(spending.number, spending.usual.unwrap_or(0.0));
            format!("{who} is not invoked any more; usual at this hour are {usual}.")
        }
        (_, Rule::Runaway) => {
            let (count, largest) = (spending.amount, spending.nearest.unwrap_or(0.0));
            format!(
                "{who} was invoked {} times within {}; no other such span of the last five weeks had more than {}.",
                grouped(count),
                finding.window,
                grouped(largest.round())
            )
        }
        (_, Rule::Creeping) => {
            let (now, before) = (spending.amount, spending.usual.unwrap_or(0.0));
            let month = month(now - before, spending.number);
            format!(
                "{who}: {} on the mean of a week, {} the week before{month}.",
                amount(spending.number, now),
                amount(spending.number, before)
            )
        }
        (_, Rule::Riding) => {
            let new = spending.ride.as_ref().and_then(|ride| ride.new.as_ref());
            let new = new.map_or(String::new(), |(function, _)| {
                format!(" It never used {} before.", self::who(function))
            });
            above(&who, spending) + &new
        }
        // One of a budget says how far along it is, and is told above.
        (_, Rule::Above | Rule::Budget) => above(&who, spending),
        (_, Rule::Driven) => {
            let by = spending.drivers.first().map_or(String::new(), |driver| {
                format!(" The {} makes {} of it.", driver_name(driver), percent(driver.share))
            });
            above(&who, spending) + &by
        }
    }
}

fn above(who: &str, spending: &Spending) -> String {
    let now = amount(spending.number, spending.amount);
    let usual = spending.usual.unwrap_or(0.0);
    let hour = match spending.basis {
        Some(Basis::HourOfDay | Basis::HourOfWeek) => " at this hour",
        _ => "",
    };
    let against = match usual > 0.0 {
        true => {
            let (times, usual) = (spending.amount / usual, amount(spending.number, usual));
            format!("{} times its usual {usual}{hour}", number(round(times)))
        }
        false => format!("where nothing is usual{hour}"),
    };
    let month = month(spending.dollars_above, Number::Dollars);
    let verb = match spending.number {
        Number::Dollars => "costs",
        number if number.is_duration() => "takes",
        _ => "has",
    };
    format!("{who} {verb} {now}, {against}{month}.")
}

/// What goes on for a month, if it is worth telling.
fn month(dollars_an_hour: f64, number: Number) -> String {
    let month = dollars_an_hour * tidewatch_core::spend::spending::HOURS_A_MONTH;
    match number == Number::Dollars && month >= 1.0 {
        true => format!("; +{} a month if it goes on", dollars(month)),
        false => String::new(),
    }
}

/// The lines of text below the headline: label and what.
pub(crate) fn lines(spending: &Spending) -> Vec<(&'static str, String)> {
    let mut lines = vec![("costs", costs(spending))];
    lines.extend(spending.budget.iter().flat_map(budget::lines));
    if let Some(ride) = &spending.ride {
        lines.push(("since", rfc3339(ride.since)));
        lines.push(("functions", functions(ride, spending.dollars)));
    }
    let why = why(spending);
    if !why.is_empty() {
        lines.push(("why", why));
    }
    let drivers = spending.drivers.iter();
    let drivers: Vec<String> =
        drivers.map(|driver| format!("{} {}", driver_name(driver), share(driver))).collect();
    if !drivers.is_empty() {
        lines.push(("driven by", drivers.join(", ")));
    }
    if let Some((version, first)) = &spending.deployment {
        let (version, first) = (name(version), rfc3339(*first));
        lines.push(("deployed", format!("version {version} was first seen at {first}")));
    }
    if let Some((as_far, of)) = spending.as_far {
        let panes = if as_far == 1 { "pane" } else { "panes" };
        let nearest = spending.nearest.map_or(String::new(), |nearest| {
            format!("; the nearest was {}", amount(spending.number, nearest))
        });
        lines.push((
            "how rare",
            format!(
                "{as_far} {panes} of {} in five weeks were as far from all others{nearest}",
                number(of as f64)
            ),
        ));
    }
    lines
}

/// The functions a caller uses, each with its share of what it costs.
fn functions(ride: &Ride, dollars: f64) -> String {
    let all = ride.functions.iter().map(|(function, of_it)| {
        let new = match &ride.new {
            Some((new, first)) if new == function => format!(", new since {}", rfc3339(*first)),
            _ => String::new(),
        };
        format!("{} {}{new}", who(function), percent(of_it / dollars))
    });
    all.collect::<Vec<_>>().join(", ")
}

fn costs(spending: &Spending) -> String {
    let now = format!("{} an hour", dollars(spending.dollars));
    match spending.dollars_above >= 0.005 && spending.budget.is_none() {
        true => format!("{now}, {} more than usual", dollars(spending.dollars_above)),
        false => now,
    }
}

/// The parts of the change that matter, the largest first.
fn why(spending: &Spending) -> String {
    let change: f64 = spending.parts.iter().map(|(_, part)| part).sum();
    let mut parts: Vec<_> = spending
        .parts
        .iter()
        .filter(|(_, part)| part.abs() >= PART_SHARE_MIN * change.abs())
        .collect();
    if change.abs() < 0.005 {
        return String::new();
    }
    parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let told: Vec<String> =
        parts.into_iter().map(|(name, part)| format!("{name} {}", signed(*part))).collect();
    format!("{} an hour, of {} against the hour before", told.join(", "), signed(change))
}

/// A driver as it is printed; a principal and a key by the tag `tidewatch who` finds the name of.
pub(crate) fn shown(of: &DriverName) -> String {
    match of {
        DriverName::Tag(UserTag(tag)) => format!("user:{tag:016x}"),
        DriverName::Address(address) => address.to_string(),
        DriverName::Route(route) => name(route).into_owned(),
    }
}

fn driver_name(driver: &Driver) -> String {
    format!("{} {}", driver.kind.name(), shown(&driver.name))
}

/// A driver's share; where it may be more by what can be seen, as far as it may.
fn share(driver: &Driver) -> String {
    let (least, most) = (percent(driver.share), percent((driver.share + driver.error).min(1.0)));
    if least == most { least } else { format!("{least}, at most {most}") }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// An amount with its unit: `$41 an hour`, `3.2 s`, `1,200 timeouts an hour`.
pub(crate) fn amount(of: Number, amount: f64) -> String {
    match of {
        Number::Dollars => format!("{} an hour", dollars(amount)),
        of if of.is_duration() => duration(amount),
        Number::OutOfMemory => {
            format!("{} invocations out of memory an hour", grouped(round(amount)))
        }
        of => format!("{} {} an hour", grouped(round(amount)), of.name().replace('_', " ")),
    }
}

fn duration(ms: f64) -> String {
    match ms {
        ms if ms >= 60_000.0 => format!("{:.1} min", ms / 60_000.0),
        ms if ms >= 1_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!("{ms:.0} ms"),
    }
}

/// `$1,234`, `$41.20`, `$0.034`.
pub(crate) fn dollars(amount: f64) -> String {
    match amount.abs() {
        size if size >= 100.0 => format!("${}", grouped(amount.round())),
        size if size >= 0.1 || size == 0.0 => format!("${amount:.2}"),
        _ => format!("${amount:.4}"),
    }
}

fn signed(amount: f64) -> String {
    let sign = if amount < 0.0 { "−" } else { "+" };
    format!("{sign}{}", dollars(amount.abs()))
}

/// A number with its thousands apart.
fn grouped(amount: f64) -> String {
    let text = number(amount);
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (nth, digit) in whole.char_indices() {
        if nth > 0 && (whole.len() - nth).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// With one decimal below 10, with none above.
fn round(amount: f64) -> f64 {
    if amount < 10.0 { (amount * 10.0).round() / 10.0 } else { amount.round() }
}
