//! The budget of all functions together, and how far along all budgets are: what one process knows of all it watches.

use crate::episode::uid;
use crate::finding::{Activity, Finding};
use crate::key::{Key, KeyPart};
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::series::ahead::Ahead;
use crate::signal::Origin;
use crate::spend::budget::{Burn, MOST_NAMED, Month, since};
use crate::spend::burning::{self, Progress, Said, Whose};
use crate::spend::course::{Around, Course, Noted, start};
use crate::spend::detector::Rule;
use crate::spend::drivers::Driver;
use crate::spend::episodes::Episode;
use crate::spend::judged::Seen;
use crate::spend::reasons::{Explained, Reasons};
use crate::spend::watch::{Watch, Watched};
use crate::time::Time;

/// Nobody in particular.
fn all() -> Function {
    Function { account: "".into(), name: "".into() }
}

/// What is known of all functions besides their sums.
pub(super) struct Together(pub(super) Option<Origin>);

impl Around for Together {
    fn hour_before(&self, _: i64) -> Sums {
        Sums::default()
    }

    fn versions(&self) -> Vec<(Box<str>, Time)> {
        Vec::new()
    }

    fn drivers(&self, _: i64, _: Money) -> Vec<Driver> {
        Vec::new()
    }

    fn sample(&self) -> Option<Origin> {
        self.0.clone()
    }
}

impl Watch {
    /// What follows about the budget of all from a pane that is over for each; `active` is the newest with a report.
    pub(super) fn burn_all(&mut self, pane: i64, active: i64) -> Vec<Finding> {
        let Some(budget) = self.weighing.budgets.all else { return Vec::new() };
        let detectors = std::sync::Arc::clone(&self.weighing.detectors);
        let mut findings = Vec::new();
        for (nth, rule) in detectors.iter().enumerate() {
            if rule.rule != Rule::Budget {
                continue;
            }
            let mut latch = std::mem::take(&mut self.of_all[nth]);
            let mut reasons = None;
            let news = burning::news(
                rule,
                &mut latch,
                budget,
                (pane, active),
                Said {
                    progress: |month, ahead| progress(&mut self.functions, month, pane, ahead),
                    is_held: false,
                    reasons: &mut reasons,
                },
            );
            self.of_all[nth] = latch;
            self.explain_all((nth, pane), reasons, news.as_ref().map(|(said, of, _)| (*said, *of)));
            let Some((activity, episode, progress)) = news else { continue };
            let (of_pane, cost) = self.pane_of_all(pane);
            let most = self.most(progress.month, pane);
            let course = Course::new(all(), &self.weighing, pane);
            let sample = self.functions.iter().max_by_key(|watched| watched.course.last_pane);
            let around = Together(sample.and_then(|watched| watched.sample.clone()));
            let (now, noted) = (self.newest, &Noted::default());
            let seen = Seen { pane, of_pane: &of_pane, around: &around, cost, now, noted };
            let whose = Whose { course: &course, most: Some(most) };
            let said = (activity, episode, &progress);
            findings.push(burning::finding(&whose, rule, said, (budget, &seen)));
        }
        findings
    }

    /// Keeps why, if somebody asks.
    fn explain_all(
        &mut self,
        (nth, pane): (usize, i64),
        reasons: Option<Reasons>,
        told: Option<(Activity, Episode)>,
    ) {
        let (Some(reasons), Some(lookout)) = (reasons, &mut self.lookout) else { return };
        let detectors = &self.weighing.detectors;
        let rule = &detectors[nth];
        let uid = |episode: Episode| uid(&rule.id, &Key::of(KeyPart::Global), episode.start);
        let explained = Explained {
            nth,
            function: all(),
            pane,
            severity: reasons.severity(rule),
            reasons,
            told_by: None,
            held_back: None,
            told: told.map(|(activity, episode)| (uid(episode), activity)),
        };
        lookout.take(vec![explained], detectors);
    }

    /// What all functions took in a pane.
    fn pane_of_all(&self, pane: i64) -> (Pane, Money) {
        let (mut all, mut cost) = (Pane::default(), Money::ZERO);
        for Watched { course, .. } in &self.functions {
            let Function { account, name } = &course.function;
            let Some(book) = self.ledger.get(account, name) else { continue };
            let of_pane = book.fine.between(start(pane), start(pane + 1));
            cost += self.weighing.prices.tariff.cost(&of_pane.sums, course.terms);
            all.add(&of_pane);
        }
        (all, cost)
    }

    /// The functions with most of what was spent in a month.
    fn most(&mut self, month: Month, pane: i64) -> Vec<(Function, f64)> {
        let mut most: Vec<(Function, f64)> = self
            .functions
            .iter_mut()
            .map(|Watched { course, .. }| {
                let spent = course.progress(month, pane, false).spent;
                (course.function.clone(), spent)
            })
            .collect();
        most.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        most.truncate(MOST_NAMED);
        most
    }

    /// How far along all budgets are at the last pane that is over: that of all together first, then functions by
    /// their names. Nothing before a pane is.
    pub fn burns(&mut self) -> Vec<(Function, Burn)> {
        let Some(pane) = self.over.filter(|_| !self.functions.is_empty()) else {
            return Vec::new();
        };
        // Of the month of the last report: who looks at a log of the past wants to know of its end.
        let last = self.functions.iter().map(|watched| watched.course.last_pane).max();
        let month = Month::of(start(last.unwrap_or(pane)));
        let mut burns = Vec::new();
        for Watched { course, .. } in &mut self.functions {
            let Some(budget) = course.budget else { continue };
            let progress = course.progress(month, pane, true);
            burns.push((course.function.clone(), progress.burn(budget, pane, None)));
        }
        burns.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(budget) = self.weighing.budgets.all {
            let most = self.most(month, pane);
            let progress = progress(&mut self.functions, month, pane, true);
            burns.insert(0, (all(), progress.burn(budget, pane, Some(most))));
        }
        burns
    }
}

/// How far along a month is for all functions together.
fn progress(functions: &mut [Watched], month: Month, pane: i64, with_ahead: bool) -> Progress {
    // The oldest first: what is known of it says what is known.
    let mut order: Vec<&mut Watched> = functions.iter_mut().collect();
    order.sort_by_key(|watched| watched.course.first_pane);
    let first = order.first().map_or(pane, |watched| watched.course.first_pane);
    let (mut spent, mut ahead) = (0.0, None::<Ahead>);
    for Watched { course, .. } in order {
        let of = course.progress(month, pane, with_ahead);
        spent += of.spent;
        match (&mut ahead, of.ahead) {
            (Some(ahead), Some(more)) => ahead.add(&more),
            (none, some) => *none = none.take().or(some),
        }
    }
    Progress { month, since: since(month, start(first)), spent, ahead }
}
