//! The accounts behind a key: which names were tried in a window, and which of them got in. They are tags,
//! as all names are here; who has the names and the tagging key can tell whose they are.
//!
//! They come from the lists that measures are counted by, so a name is there as far as some measure of the
//! key counts names, and its outcome is told as far as measures tell outcomes apart.

use std::collections::BTreeMap;

use crate::detector::DistinctField;
use crate::first_seen::Since;
use crate::limits::ACCOUNTS_MAX;
use crate::plan::{Counted, DetectorPlan};
use crate::signal::{Outcome, SignalKind};
use crate::time::Time;
use crate::window::Window;

/// A name that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The upper bits of its tag, as many as its home keeps; the others are zero.
    pub tag: u64,
    /// Whether it got in at all; `None` where no measure tells, and of what is no login.
    pub outcome: Option<Outcome>,
    /// Whether there is such an account; `None` where that is not told.
    pub known: Option<bool>,
    /// When it was tried last.
    pub last: Time,
    /// Since when it gets in here, where that is kept.
    pub first: Option<Time>,
    /// Whether it gets in here as ever: long enough for the detector not to call it new.
    pub as_ever: bool,
}

/// The names tried in the window of `detector`, those that got in first and then the latest, at most
/// [`ACCOUNTS_MAX`].
pub fn accounts(window: &Window<'_>, detector: &DetectorPlan) -> Vec<Account> {
    if window.plan.names_users() {
        return Vec::new();
    }
    let (after, until) = window.ends(detector);
    let mut all: BTreeMap<u64, Account> = BTreeMap::new();
    for list in window.state.lists.iter().filter(|list| list.field == DistinctField::User) {
        let (outcome, known) = window.plan.told_by(list.field, list.class);
        // Who asks for a reset or an account has got into none.
        let outcome = outcome.filter(|_| window.plan.signal == SignalKind::Auth);
        for seen in list.list.within(after, until) {
            let first = list.firsts.then(|| seen.first().min(seen.last()));
            let (last, as_ever) = (seen.last(), false);
            let new = Account { tag: seen.tag, outcome, known, last, first, as_ever };
            all.entry(seen.tag).and_modify(|account| account.merge(&new)).or_insert(new);
        }
    }
    let got_in = |account: Account| match account.outcome {
        // Whoever gets in exists.
        Some(Outcome::Success) => Account { known: Some(true), ..account },
        _ => account,
    };
    let mut all: Vec<Account> = all.into_values().map(got_in).collect();
    for account in &mut all {
        account.as_ever =
            account.first.zip(new_since(window, detector)).is_some_and(|(a, b)| a <= b);
    }
    all.sort_by_key(|account| {
        let got_in = account.outcome == Some(Outcome::Success);
        (!got_in, account.as_ever, std::cmp::Reverse(account.last), account.tag)
    });
    all.truncate(ACCOUNTS_MAX);
    all
}

/// Who got in first at this time or before is not new to `detector`; `None` where it calls nobody new.
fn new_since(window: &Window<'_>, detector: &DetectorPlan) -> Option<Time> {
    let spans = detector.measures.iter().filter_map(|counted| match counted {
        Counted::FirstSeen(DistinctField::User, _, Since::NewWithin(span)) => Some(*span),
        _ => None,
    });
    spans.max().map(|span| window.at.minus(span))
}

impl Account {
    /// What two lists tell of one name: it got in if it ever did, and exists if anything says so.
    fn merge(&mut self, other: &Account) {
        let success = Some(Outcome::Success);
        self.outcome = match (self.outcome, other.outcome) {
            (one, two) if one == success || two == success => success,
            (one, two) => one.or(two),
        };
        self.known = match (self.known, other.known) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (one, two) => one.or(two),
        };
        self.last = self.last.max(other.last);
        self.first = self.first.into_iter().chain(other.first).min();
    }
}
