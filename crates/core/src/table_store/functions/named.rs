//! Who made a pane's cost, as the shares of all shards say together.
//!
//! A request whose two halves came by two shards is brought together here, as long as both wait.

use std::collections::BTreeMap;

use crate::limits::DRIVERS_MAX;
use crate::meter::attribution::{DriverName, dearest};
use crate::meter::drivers::Drivers;
use crate::meter::money::Money;
use crate::spend::drivers::{Driver, Laid, WHO, drivers};
use crate::table_store::functions::callers::{Asked, KINDS, Unlaid, lay};

/// Who made one pane's cost.
#[derive(Clone, Debug)]
pub(super) struct Named {
    costs: [Drivers<DriverName>; KINDS],
    /// How much more anybody may have cost whose requests there was no room for.
    unlaid: Money,
}

impl Named {
    /// What shards say of one pane.
    pub(super) fn of<'a>(shards: impl Iterator<Item = &'a Asked>) -> Named {
        let mut costs = std::array::from_fn(|_| Drivers::new(DRIVERS_MAX));
        let (mut asks, mut paid) = (BTreeMap::new(), Vec::new());
        let (mut given_up, mut unlaid) = (0, Unlaid::default());
        for asked in shards {
            for (all, of_shard) in costs.iter_mut().zip(&asked.costs) {
                all.add(of_shard);
            }
            asks.extend(asked.asks.iter().map(|(request, names)| (*request, names)));
            paid.extend(asked.paid.iter().copied());
            given_up += asked.asks_given_up;
            let Unlaid { count, sum, most } = asked.unlaid;
            unlaid.count += count;
            unlaid.sum += sum;
            unlaid.most = unlaid.most.max(most);
        }
        // Where lines were given up, it may be theirs what nobody is named for, and the other way round; else these are
        // requests that one of the panes beside has the other half of.
        let are_asks_whole = given_up == 0;
        if unlaid.count > 0 {
            given_up += asks.len() as u64;
        }
        for (request, cost) in paid {
            match asks.remove(&request) {
                Some(names) => lay(&mut costs, names, cost),
                None if are_asks_whole => {}
                None => unlaid.add(cost),
            }
        }
        let each = unlaid.most.units().saturating_mul(i128::from(given_up));
        Named { costs, unlaid: unlaid.sum.min(Money::of_units(each)) }
    }

    /// What those of a kind cost, at least, by its place in [`WHO`].
    pub(super) fn of_kind(&self, kind: usize) -> Vec<(DriverName, Money)> {
        let all = dearest(&self.costs[kind], usize::MAX).into_iter();
        all.map(|laid| (laid.name, laid.cost)).collect()
    }

    /// Those who drove the pane's cost, the largest shares first.
    pub(super) fn drivers(&self, cost: Money) -> Vec<Driver> {
        let laid = WHO.iter().zip(&self.costs).map(|(kind, costs)| {
            let error = Money::of_units(i128::try_from(costs.error()).unwrap_or(i128::MAX));
            Laid { kind: *kind, costs, error: error + self.unlaid }
        });
        drivers(laid, cost)
    }
}
