//! Who drives a function's cost, pane by pane: of the newest pane and the one before it.

use crate::access::Access;
use crate::invocation::Invocation;
use crate::meter::attribution::{Attribution, DriverKind, DriverName, dearest};
use crate::meter::drivers::Drivers;
use crate::meter::money::Money;
use crate::spend::callers::Caller;

/// Those who may drive cost: what they ask for does not.
pub(crate) const WHO: [DriverKind; 3] =
    [DriverKind::Principal, DriverKind::ApiKey, DriverKind::Source];

/// Drivers that a finding names, of all kinds together.
const NAMED_MAX: usize = 5;

/// A driver is named from this share on.
const SHARE_MIN: f64 = 0.1;

/// Who drives the cost of one function, as far as lines about requests say.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    newest: i64,
    panes: [Option<Box<Attribution>>; 2],
    /// The kind that requests are laid to, by its place in [`WHO`]: the first that any line has named.
    laid_to: Option<usize>,
}

/// Somebody with their share of a pane's cost, by list price.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// What it is.
    pub kind: DriverKind,
    /// Who.
    pub name: DriverName,
    /// Of all the function cost, 0 to 1; at least this, and as much more as `error` at most.
    pub share: f64,
    /// How much more it may be.
    pub error: f64,
}

impl Recent {
    /// Takes in who asked for something in a pane.
    pub(crate) fn ask(&mut self, pane: i64, access: &Access) {
        // A line about no request lays nothing to anybody.
        let named = [access.principal.is_some(), access.api_key.is_some(), access.source.is_some()];
        let first = named.into_iter().position(|is_named| is_named && access.request.is_some());
        self.laid_to = self.laid_to.into_iter().chain(first).min();
        if let Some(of_pane) = self.of_pane(pane, true) {
            of_pane.ask(access);
        }
    }

    /// Takes in what an invocation cost. Where no line says who asks, nothing is kept.
    pub(crate) fn pay(&mut self, pane: i64, invocation: &Invocation, cost: impl FnOnce() -> Money) {
        let request = invocation.request.filter(|_| invocation.report.is_some());
        if let Some((request, of_pane)) = request.zip(self.of_pane(pane, false)) {
            of_pane.pay(request, cost());
        }
    }

    fn of_pane(&mut self, pane: i64, begins: bool) -> Option<&mut Attribution> {
        let heard = self.panes.iter().any(Option::is_some);
        if pane > self.newest && (begins || heard) {
            let before = self.panes[0].take().filter(|_| pane == self.newest + 1);
            self.panes = [Some(Box::default()), before];
            self.newest = pane;
        }
        let back = usize::try_from(self.newest - pane).ok()?;
        self.panes.get_mut(back)?.as_deref_mut()
    }

    /// What each caller cost in a pane, as far as lines about requests say: at least so much.
    pub(crate) fn callers(&self, pane: i64) -> Vec<(Caller, Money)> {
        let back = usize::try_from(self.newest - pane).ok();
        let of_pane = back.and_then(|back| self.panes.get(back)?.as_deref());
        let Some((of_pane, kind)) = of_pane.zip(self.laid_to.map(|at| WHO[at])) else {
            return Vec::new();
        };
        let all = of_pane.of(kind).dearest(usize::MAX).into_iter();
        all.map(|driver| (Caller { kind, name: driver.name }, driver.cost)).collect()
    }

    /// Those who drove the cost of a pane, the largest shares first.
    pub(crate) fn of(&self, pane: i64, cost: Money) -> Vec<Driver> {
        let back = usize::try_from(self.newest - pane).ok();
        let of_pane = back.and_then(|back| self.panes.get(back)?.as_deref());
        let Some(of_pane) = of_pane else { return Vec::new() };
        let laid = |kind| {
            let of_kind = of_pane.of(kind);
            Laid { kind, costs: of_kind.costs(), error: of_kind.error() }
        };
        drivers(WHO.into_iter().map(laid), cost)
    }
}

/// What is laid to callers of one kind.
pub(crate) struct Laid<'a> {
    pub(crate) kind: DriverKind,
    /// In units of money.
    pub(crate) costs: &'a Drivers<DriverName>,
    /// How much more each may have cost.
    pub(crate) error: Money,
}

/// Those who drove a cost, the largest shares first.
pub(crate) fn drivers<'a>(laid: impl Iterator<Item = Laid<'a>>, cost: Money) -> Vec<Driver> {
    let mut drivers = Vec::new();
    if cost.dollars() <= 0.0 {
        return drivers;
    }
    for Laid { kind, costs, error } in laid {
        let error = error.dollars() / cost.dollars();
        drivers.extend(dearest(costs, NAMED_MAX).into_iter().map(|driver| Driver {
            kind,
            share: driver.cost.dollars() / cost.dollars(),
            name: driver.name,
            error,
        }));
    }
    drivers.retain(|driver| driver.share >= SHARE_MIN);
    drivers.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.kind.cmp(&b.kind)));
    drivers.truncate(NAMED_MAX);
    drivers
}
