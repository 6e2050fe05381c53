//! Judging a budget: from how far along it is to what is told of it.
//!
//! What is spent is looked at with each pane, what is to come with the last of each hour; between the two nothing is
//! said either way. An episode is the calendar month: it begins with it whenever it is raised, so that it has one uid,
//! is taken up again if it was closed, and closes once the month is over, what is projected has fallen clearly below,
//! or nothing has been invoked for a day.

use crate::detector::Severity;
use crate::finding::{Activity, Decided, Finding};
use crate::meter::ledger::Function;
use crate::series::ahead::Ahead;
use crate::series::steps::Step;
use crate::spend::budget::{Burn, Month, ends_hour, since};
use crate::spend::course::{Course, IDLE_PANES, PANES_AN_HOUR, start};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::episodes::{Episode, Latch, Raise};
use crate::spend::judged::{Seen, dollars_an_hour, message};
use crate::spend::reasons::Reasons;
use crate::spend::spending::Spending;
use crate::time::{Span, Time};

/// How far below what raises the projection must fall for a finding to close.
pub const CLEARLY_BELOW: f64 = 0.9;

/// What is known of a month's spend at the end of a pane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    pub(crate) month: Month,
    pub(crate) since: Option<Time>,
    pub(crate) spent: f64,
    /// What usually comes until the month ends; nothing of one that is over.
    pub(crate) ahead: Option<Ahead>,
}

/// What a detector says of a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Opinion {
    /// It is passed, or will be.
    Raised(Severity),
    /// It is not, by far enough.
    Below,
    /// Neither.
    Neither,
}

/// What is spent of a month up to a pane, added up pane by pane. It can be made anew of the series at any time, and
/// comes to the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    month: i64,
    next: i64,
    dollars: f64,
}

impl Course {
    /// How far along a month is after a pane, and what comes until it ends, if that is asked for.
    pub(crate) fn progress(&mut self, month: Month, pane: i64, with_ahead: bool) -> Progress {
        let (first, end) = month.panes();
        let mut spent = self.spent;
        if spent.month != first || spent.next > pane + 1 {
            spent = Spent { month: first, next: first, dollars: 0.0 };
        }
        let series = self.series.get(&Number::Dollars);
        let until = end.min(pane + 1);
        if let Some(series) = series.filter(|_| spent.next < until) {
            // One by one, so that it does not matter when it was asked before.
            let panes = series.history().between(spent.next, until).filter_map(Step::number);
            spent.dollars = panes.fold(spent.dollars, |sum, pane| sum + f64::from(pane));
            spent.next = until;
        }
        self.spent = spent;
        let ahead = series.filter(|_| with_ahead).and_then(|series| series.ahead(pane, end));
        Progress { month, since: since(month, start(self.first_pane)), spent: spent.dollars, ahead }
    }
}

impl Progress {
    /// The same against a budget.
    pub(crate) fn burn(&self, budget: f64, pane: i64, most: Option<Vec<(Function, f64)>>) -> Burn {
        let Progress { month, since, spent, ref ahead } = *self;
        let left = budget - spent;
        let used_up = ahead.as_ref().filter(|_| left >= 0.0).and_then(|ahead| {
            let hours = ahead.reaches(left)? as i64;
            // Within that hour; it is told by the day.
            let at = start(pane + 1).plus(Span::minutes(60 * hours + 30));
            Some(at.min(Time(month.end().0 - 1)))
        });
        Burn {
            budget,
            of_all: most.is_some(),
            month,
            since,
            spent,
            projected: ahead.as_ref().map(|ahead| spent + ahead.sum()),
            pace: ahead.as_ref().map(|ahead| ahead.pace),
            used_up,
            most: most.unwrap_or_default(),
        }
    }
}

/// What a detector says of how far along a budget is.
pub(crate) fn opinion(rule: &SpendDetector, burn: &Burn) -> Opinion {
    let spent = rule.spent.iter().find(|(_, least)| burn.spent_share() >= *least);
    let projected = burn.projected_share();
    let by_pace = rule.raises.iter().find(|(_, least)| projected >= Some(*least));
    let worst = [spent, by_pace].into_iter().flatten().map(|(severity, _)| *severity).max();
    match (worst, projected) {
        (Some(severity), _) => Opinion::Raised(severity),
        (None, Some(projected)) if projected < CLEARLY_BELOW * rule.floor() => Opinion::Below,
        _ => Opinion::Neither,
    }
}

/// Whose budget: what a message is about besides it.
pub(crate) struct Whose<'a> {
    pub(crate) course: &'a Course,
    /// Of all together, those with most of what is spent.
    pub(crate) most: Option<Vec<(Function, f64)>>,
}

/// What is to be known of a month for news of it.
pub(crate) struct Said<'a, F> {
    /// How far along a month is, with what is to come if asked for.
    pub(crate) progress: F,
    /// Whether what raises is held back.
    pub(crate) is_held: bool,
    /// Takes what was decided by.
    pub(crate) reasons: &'a mut Option<Reasons>,
}

/// What of a budget is news after a pane, and the progress that says so.
pub(crate) fn news(
    rule: &SpendDetector,
    latch: &mut Latch,
    budget: f64,
    (pane, last_pane): (i64, i64),
    mut said: Said<'_, impl FnMut(Month, bool) -> Progress>,
) -> Option<(Activity, Episode, Progress)> {
    let month = Month::of(start(pane));
    let is_over = latch.open().filter(|open| open.start != month.start());
    let of = is_over.map_or(month, |open| Month::of(open.start));
    if is_over.is_some() || pane - last_pane >= IDLE_PANES {
        let episode = latch.close()?;
        let progress = (said.progress)(of, false);
        let burn = progress.burn(budget, pane, None);
        *said.reasons = Some(Reasons::Budget { burn, with_pace: false });
        return Some((Activity::Close, episode, progress));
    }
    let with_pace = ends_hour(pane);
    let burn = (said.progress)(month, with_pace).burn(budget, pane, None);
    let (activity, episode) = match opinion(rule, &burn) {
        Opinion::Raised(severity) if !said.is_held => {
            let amount = burn.projected.unwrap_or(burn.spent).max(burn.spent);
            let raise = Raise { pane, severity, amount, excess: amount };
            latch.raised_for(month.start(), raise)
        }
        // What is held back ends what was told before.
        Opinion::Raised(_) | Opinion::Below => {
            latch.close().map(|episode| (Activity::Close, episode))
        }
        Opinion::Neither => None,
    }
    .unzip();
    *said.reasons = Some(Reasons::Budget { burn, with_pace });
    // What is told says what is to come, whenever it is.
    Some((activity?, episode?, (said.progress)(month, true)))
}

/// The message about a budget.
pub(crate) fn finding(
    whose: &Whose<'_>,
    rule: &SpendDetector,
    (activity, episode, progress): (Activity, Episode, &Progress),
    (budget, seen): (f64, &Seen<'_>),
) -> Finding {
    let burn = progress.burn(budget, seen.pane, whose.most.clone());
    let decided = decided(rule, &burn);
    let (dollars, above) = dollars_an_hour(whose.course, seen);
    let dollars_above = if burn.of_all { 0.0 } else { above };
    let spending = Spending {
        function: whose.course.function.clone(),
        number: Number::Dollars,
        rule: Rule::Budget,
        amount: burn.projected.unwrap_or(burn.spent),
        usual: None,
        basis: None,
        nearest: None,
        as_far: None,
        dollars,
        dollars_above,
        parts: Vec::new(),
        drivers: seen.drivers(),
        deployment: None,
        budget: Some(burn),
        ride: None,
    };
    message(rule, (activity, episode), decided, spending, seen)
}

/// What decided, in dollars.
pub(crate) fn decided(rule: &SpendDetector, burn: &Burn) -> Vec<Decided> {
    let spent = rule.spent.iter().find(|(_, least)| burn.spent_share() >= *least);
    let by_pace = rule.raises.iter().find(|(_, least)| burn.projected_share() >= Some(*least));
    let condition = |measure: &str, amount: f64, (_, least): &(Severity, f64)| Decided {
        measure: measure.to_owned(),
        amount,
        comparison: crate::detector::Comparison::AtLeast,
        threshold: least * burn.budget,
        condition: format!("{measure} >= {least} * budget"),
    };
    let spent = spent.map(|least| condition("spent", burn.spent, least));
    let by_pace = by_pace.zip(burn.projected);
    let by_pace = by_pace.map(|(least, projected)| condition("projected", projected, least));
    spent.into_iter().chain(by_pace).collect()
}

const _: () = assert!(PANES_AN_HOUR == 12, "hours to come are those of panes of five minutes");
