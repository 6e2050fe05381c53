//! The budget of all functions together, and how far along all budgets are. Both homes judge by what is here: one process
//! with what it watches, the shared table with what its ticks have taken in.

use crate::episode::uid;
use crate::finding::{Activity, Finding};
use crate::key::{Key, KeyPart};
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::panes::Pane;
use crate::meter::sums::Sums;
use crate::signal::Origin;
use crate::spend::budget::{Burn, Month};
use crate::spend::burning::{self, Said, Whose};
use crate::spend::course::{Around, Course, Look, Noted, Weighing, start};
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::Driver;
use crate::spend::episodes::{Episode, Latch};
use crate::spend::judged::Seen;
use crate::spend::reasons::{Explained, Reasons};
use crate::spend::tally::{Tally, Told};
use crate::spend::watch::{Watch, Watched};
use crate::time::Time;

/// Nobody in particular.
pub(crate) fn all() -> Function {
    Function { account: "".into(), name: "".into() }
}

/// Whether any detector asks for it.
pub(crate) fn burns(detectors: &[SpendDetector]) -> bool {
    detectors.iter().any(|rule| rule.rule == Rule::Budget)
}

/// What is known of all functions besides what they spent.
pub(crate) struct Together(pub(crate) Option<Origin>);

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

/// Takes the next pane of a tally as over for all, and tells what follows about the budget; `latches` has one for each
/// detector. What was decided by is noted if that is asked for.
pub(crate) fn burn(
    tally: &mut Tally,
    latches: &mut [Latch],
    weighing: &Weighing,
    (budget, now): (f64, Time),
    (sample, noted): (Option<Origin>, &Noted),
) -> Vec<Finding> {
    let cost = tally.close();
    let pane = tally.over;
    let (around, of_pane, mut findings) = (Together(sample), Pane::default(), Vec::new());
    let look = Look { pane, of_pane: &of_pane, around: &around, now, noted };
    let rules = weighing.detectors.iter().zip(latches).enumerate();
    for (nth, (rule, latch)) in rules.filter(|(_, (rule, _))| rule.rule == Rule::Budget) {
        let mut reasons = None;
        let said = Said {
            progress: |month, with_ahead| tally.progress(month, with_ahead),
            is_held: false,
            reasons: &mut reasons,
        };
        let news = burning::news(rule, latch, budget, (pane, tally.last), said);
        let told = news.as_ref().map(|(activity, episode, _)| (*activity, *episode));
        explain(noted, (nth, rule, pane), reasons, told);
        let Some((activity, episode, progress)) = news else { continue };
        let course = Course::new(all(), weighing, pane);
        let most = Some(tally.most(progress.month));
        let Look { around, now, .. } = look;
        let seen = Seen { pane, of_pane: &of_pane, around, cost, now, noted };
        let (whose, said) = (Whose { course: &course, most }, (activity, episode, &progress));
        findings.push(burning::finding(&whose, rule, said, (budget, &seen)));
    }
    tally.forget();
    findings
}

/// Notes why, if somebody asks.
fn explain(
    noted: &Noted,
    (nth, rule, pane): (usize, &SpendDetector, i64),
    reasons: Option<Reasons>,
    told: Option<(Activity, Episode)>,
) {
    let (Some(reasons), Some(notes)) = (reasons, &noted.explained) else { return };
    let uid = |episode: Episode| uid(&rule.id, &Key::of(KeyPart::Global), episode.start);
    notes.borrow_mut().push(Explained {
        nth,
        function: all(),
        pane,
        severity: reasons.severity(rule),
        reasons,
        told_by: None,
        held_back: None,
        told: told.map(|(activity, episode)| (uid(episode), activity)),
    });
}

impl Watch {
    /// What follows about the budget of all from a pane that was closed of each function.
    pub(super) fn burn_all(&mut self, pane: i64) -> Vec<Finding> {
        let Some(budget) = self.weighing.budgets.all else { return Vec::new() };
        let mut tally = self.tally.take().unwrap_or_else(|| Tally::new(pane - 1));
        for Watched { course, .. } in self.functions.iter().filter(|of| of.course.takes(pane)) {
            let Some(series) = course.series.get(&Number::Dollars) else { continue };
            tally.take(
                &Told {
                    function: course.function.clone(),
                    first: course.first_pane,
                    last: course.last_pane,
                    closed: pane,
                    from: pane,
                    dollars: vec![series.history().at(pane)],
                },
                true,
            );
        }
        let sample = self.functions.iter().max_by_key(|watched| watched.course.last_pane);
        let sample = sample.and_then(|watched| watched.sample.clone());
        let noted = Noted {
            explained: self.lookout.as_ref().map(|_| Default::default()),
            ..Noted::default()
        };
        let mut findings = Vec::new();
        while tally.over < pane && !tally.is_idle() {
            let (latches, state) = (&mut self.of_all, (sample.clone(), &noted));
            findings.extend(burn(
                &mut tally,
                latches,
                &self.weighing,
                (budget, self.newest),
                state,
            ));
        }
        self.tally = Some(tally);
        if let (Some(notes), Some(lookout)) = (noted.explained, &mut self.lookout) {
            lookout.take(notes.into_inner(), &self.weighing.detectors);
        }
        findings
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
        if let Some((budget, tally)) = self.weighing.budgets.all.zip(self.tally.as_ref()) {
            let most = Some(tally.most(month));
            let burn = tally.progress(month, true).burn(budget, pane, most);
            burns.insert(0, (all(), burn));
        }
        burns
    }
}
