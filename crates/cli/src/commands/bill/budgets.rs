//! How far along budgets are, below a bill: what of the calendar month of its last report is spent, what it will come
//! to, and what was stated. In CSV these are columns of the functions' own rows: a row that is no function's would be added
//! to those that are by whoever sums a column.

use std::collections::BTreeMap;
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

/// What each is called in CSV, behind `budget_` or `all_budget_`, and in JSON.
const COLUMNS: [&str; 7] =
    ["dollars", "month", "spent_dollars", "projected_dollars", "projected_by", "used_up", "since"];

/// In CSV, for a row each: the columns' names, and what they are of a function. That of all together is the same in each
/// row, under names that say so; there are columns only of what is stated.
pub(super) struct Columns<'a> {
    all: Option<&'a Burn>,
    by_function: BTreeMap<&'a Function, &'a Burn>,
}

impl Columns<'_> {
    pub(super) fn of(burns: &Burns) -> Columns<'_> {
        let of = |burn: &&(Function, Burn)| !burn.1.of_all;
        let by_function = burns.iter().filter(of).map(|(function, burn)| (function, burn));
        let all = burns.iter().map(|(_, burn)| burn).find(|burn| burn.of_all);
        Columns { all, by_function: by_function.collect() }
    }

    pub(super) fn names(&self) -> Vec<String> {
        let of_function = COLUMNS.iter().filter(|_| !self.by_function.is_empty());
        let of_all = COLUMNS.iter().filter(|_| self.all.is_some());
        let of_function = of_function.map(|name| format!("budget_{name}"));
        of_function.chain(of_all.map(|name| format!("all_budget_{name}"))).collect()
    }

    /// The cells of a function's row, or of one that is no function's.
    pub(super) fn cells(&self, function: Option<&Function>) -> Vec<String> {
        let of_function = function.and_then(|function| self.by_function.get(function).copied());
        let empty = || [const { String::new() }; COLUMNS.len()];
        let mut cells = Vec::new();
        if !self.by_function.is_empty() {
            cells.extend(of_function.map_or_else(empty, of_column));
        }
        cells.extend(self.all.into_iter().flat_map(of_column));
        cells
    }
}

fn of_column(burn: &Burn) -> [String; COLUMNS.len()] {
    let some = |text: Option<String>| text.unwrap_or_default();
    [
        burn.budget.to_string(),
        format!("{}-{:02}", burn.month.year, burn.month.month),
        burn.spent.to_string(),
        some(burn.projected.map(|dollars| dollars.to_string())),
        some(burn.pace.map(pace)),
        some(burn.used_up.map(rfc3339)),
        some(burn.since.map(rfc3339)),
    ]
}

fn pace(pace: Pace) -> String {
    match pace {
        Pace::Weekdays => "the days of the last week".to_owned(),
        Pace::Days(days) => format!("the middle one of {days} days"),
        Pace::Hours(hours) => format!("the middle one of {hours} hours"),
    }
}
