//! How far along budgets are, below a bill: what of the calendar month of its last report is spent, what it will come
//! to, and what was stated.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::{goes_on, printable, rfc3339};
use tidewatch_core::meter::ledger::Function;
use tidewatch_core::series::ahead::Pace;
use tidewatch_core::spend::budget::Burn;

/// How far along each is.
pub(super) type Burns = [(Function, Burn)];

const HEADER: [&str; 5] = ["budgets", "spent $", "projected $", "budget $", ""];

/// For a person; nothing where no budget is stated, or nothing was reported.
pub(super) fn text(burns: &Burns) -> String {
    let Some((_, first)) = burns.first() else { return String::new() };
    let mut lines = vec![HEADER.map(str::to_owned)];
    lines[0][0] = format!("{} {} (UTC)", first.month.name(), first.month.year);
    lines.extend(burns.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADER.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::from("\n");
    for line in &lines {
        let mut shown = format!("{:<width$}", line[0], width = widths[0]);
        for (cell, width) in line[1..4].iter().zip(&widths[1..]) {
            let _ = write!(shown, "  {cell:>width$}");
        }
        let _ = writeln!(text, "{}", format!("{shown}  {}", line[4]).trim_end());
    }
    let (with_pace, _): (Vec<_>, Vec<_>) = burns.iter().partition(|(_, burn)| burn.pace.is_some());
    if let Some(pace) = with_pace.first().and_then(|(_, burn)| burn.pace) {
        let _ = writeln!(text, "projected: {}", goes_on(pace));
    }
    if let Some(since) = burns.iter().filter_map(|(_, burn)| burn.since).min() {
        let since = rfc3339(since);
        let _ =
            writeln!(text, "counted since {since}: what the month had before is in no log here");
    }
    text
}

fn name(function: &Function, burn: &Burn) -> String {
    match (burn.of_all, &*function.name) {
        (true, _) => "everything".to_owned(),
        (false, name) => printable(name).into_owned(),
    }
}

fn cells((function, burn): &(Function, Burn)) -> [String; 5] {
    let dollars = |amount: f64| format!("{amount:.2}");
    let said = match (burn.used_up, burn.projected) {
        _ if burn.spent >= burn.budget => "is used up".to_owned(),
        (Some(at), _) => {
            format!("is used up on {} {}", burn.month.day(at), burn.month.name())
        }
        (None, Some(_)) => "is enough".to_owned(),
        (None, None) => String::new(),
    };
    [
        name(function, burn),
        dollars(burn.spent),
        burn.projected.map_or(String::new(), dollars),
        dollars(burn.budget),
        said,
    ]
}

/// For programs.
pub(super) fn json(burns: &Burns) -> Value {
    let all = burns.iter().map(|(function, burn)| {
        json!({
            "of": if burn.of_all { "all" } else { "function" },
            "account": function.account, "function": function.name,
            "month": format!("{}-{:02}", burn.month.year, burn.month.month),
            "spent_dollars": burn.spent,
            "projected_dollars": burn.projected,
            "projected_by": burn.pace.map(pace),
            "budget_dollars": burn.budget,
            "used_up": burn.used_up.map(rfc3339),
            "since": burn.since.map(rfc3339),
        })
    });
    all.collect()
}

fn pace(pace: Pace) -> String {
    match pace {
        Pace::Weekdays => "the days of the last week".to_owned(),
        Pace::Days(days) => format!("the middle one of {days} days"),
        Pace::Hours(hours) => format!("the middle one of {hours} hours"),
    }
}
