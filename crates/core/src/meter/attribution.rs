//! Whose the invocations were: reports and what applications say of requests, brought together by request id.
//!
//! A line that names who asked comes before the report of the invocation that served it, or after it; so either
//! waits for the other. What waits is bounded, the oldest is given up first: its cost is nobody's.
//!
//! Invariant: as long as no request is given up, sums do not depend on the order of lines, and what of the cost
//! is named is counted once for each kind of driver, however many lines name it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::access::Access;
use crate::limits::{DRIVERS_MAX, REQUESTS_WAITING_MAX};
use crate::meter::drivers::Drivers;
use crate::meter::money::Money;
use crate::tag::{RequestTag, UserTag};

/// The kinds of what may drive cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriverKind {
    /// Who asked.
    Principal,
    /// The key that was shown.
    ApiKey,
    /// Where from.
    Source,
    /// What for.
    Route,
}

impl DriverKind {
    /// All of them.
    pub const ALL: [DriverKind; 4] =
        [DriverKind::Principal, DriverKind::ApiKey, DriverKind::Source, DriverKind::Route];

    /// The name, as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            DriverKind::Principal => "principal",
            DriverKind::ApiKey => "api-key",
            DriverKind::Source => "source",
            DriverKind::Route => "route",
        }
    }
}

/// One of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriverName {
    /// Of a principal or a key.
    Tag(UserTag),
    /// Of a source.
    Address(IpAddr),
    /// Of a route.
    Route(Box<str>),
}

/// What is known of the drivers of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfKind {
    /// Units of [`Money`] by name.
    cost: Drivers<DriverName>,
    /// Requests by name.
    pub requests: Drivers<DriverName>,
    /// Bytes sent back, by name.
    pub bytes_out: Drivers<DriverName>,
}

/// A driver with what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributed {
    /// Who.
    pub name: DriverName,
    /// At least so much; at most the error more.
    pub cost: Money,
}

/// Costs by who drove them.
#[derive(Clone, Debug)]
pub struct Attribution {
    kinds: [OfKind; DriverKind::ALL.len()],
    waiting: BTreeMap<RequestTag, Waiting>,
    /// In the order they came, the oldest first.
    order: VecDeque<RequestTag>,
    given_up: u64,
}

/// A request of which more may come.
#[derive(Clone, Debug, Default)]
struct Waiting {
    names: [Option<DriverName>; DriverKind::ALL.len()],
    /// Cost that no name of a kind has taken yet.
    unnamed: [Money; DriverKind::ALL.len()],
}

impl Default for Attribution {
    fn default() -> Attribution {
        let drivers = || Drivers::new(DRIVERS_MAX);
        let of_kind = || OfKind { cost: drivers(), requests: drivers(), bytes_out: drivers() };
        Attribution {
            kinds: [of_kind(), of_kind(), of_kind(), of_kind()],
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            given_up: 0,
        }
    }
}

impl Attribution {
    /// Takes in who asked for something.
    pub fn ask(&mut self, access: &Access) {
        let tag = |tag: Option<UserTag>| tag.map(DriverName::Tag);
        let names = [
            tag(access.principal),
            tag(access.api_key),
            access.source.map(DriverName::Address),
            access.route.clone().map(DriverName::Route),
        ];
        if let Some(request) = access.request {
            self.wait_for(request);
        }
        let mut waiting = access.request.and_then(|request| self.waiting.get_mut(&request));
        for (nth, name) in names.into_iter().enumerate() {
            let Some(name) = name else { continue };
            let of_kind = &mut self.kinds[nth];
            of_kind.bytes_out.note(&name, u128::from(access.bytes_out));
            match &mut waiting {
                // Another line about the same request.
                Some(waiting) if waiting.names[nth].is_some() => {}
                Some(waiting) => {
                    let cost = std::mem::take(&mut waiting.unnamed[nth]);
                    of_kind.requests.note(&name, 1);
                    of_kind.cost.note(&name, cost.units().unsigned_abs());
                    waiting.names[nth] = Some(name);
                }
                None => of_kind.requests.note(&name, 1),
            }
        }
    }

    /// Takes in what an invocation cost. Tries again have the same request, and add to it.
    pub fn pay(&mut self, request: RequestTag, cost: Money) {
        self.wait_for(request);
        let Some(waiting) = self.waiting.get_mut(&request) else { return };
        for (nth, name) in waiting.names.iter().enumerate() {
            match name {
                Some(name) => self.kinds[nth].cost.note(name, cost.units().unsigned_abs()),
                None => waiting.unnamed[nth] += cost,
            }
        }
    }

    fn wait_for(&mut self, request: RequestTag) {
        if self.waiting.contains_key(&request) {
            return;
        }
        if self.waiting.len() >= REQUESTS_WAITING_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.waiting.remove(&oldest);
            self.given_up += 1;
        }
        self.waiting.insert(request, Waiting::default());
        self.order.push_back(request);
    }

    /// What is known of the drivers of a kind.
    pub fn of(&self, kind: DriverKind) -> &OfKind {
        &self.kinds[kind as usize]
    }

    /// Requests of which nothing more was waited for.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }
}

impl OfKind {
    /// Those that cost most, the dearest first.
    pub fn dearest(&self, names: usize) -> Vec<Attributed> {
        dearest(&self.cost, names)
    }

    /// What is laid to whom, in units of [`Money`].
    pub(crate) fn costs(&self) -> &Drivers<DriverName> {
        &self.cost
    }

    /// How much more a driver may have cost than is told.
    pub fn error(&self) -> Money {
        money(self.cost.error())
    }

    /// The cost of all of the kind together.
    pub fn cost(&self) -> Money {
        money(self.cost.total())
    }

    /// How many requests are told of a name, at least.
    pub fn requests_of(&self, name: &DriverName) -> u64 {
        u64::try_from(self.requests.weight(name)).unwrap_or(u64::MAX)
    }

    /// How many bytes are told of a name, at least.
    pub fn bytes_of(&self, name: &DriverName) -> u64 {
        u64::try_from(self.bytes_out.weight(name)).unwrap_or(u64::MAX)
    }
}

/// Those that cost most, the dearest first, of units of [`Money`] by name.
pub(crate) fn dearest(costs: &Drivers<DriverName>, names: usize) -> Vec<Attributed> {
    let top = costs.top(names).into_iter();
    top.map(|driver| Attributed { name: driver.name.clone(), cost: money(driver.weight) }).collect()
}

fn money(units: u128) -> Money {
    Money::of_units(i128::try_from(units).unwrap_or(i128::MAX))
}
