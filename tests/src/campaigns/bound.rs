//! What of a planted attack can be told at all: the stated bounds. Below them an attack looks like people, and
//! whether it is found is told but not asked for.
//!
//! The bounds are made of what people do ([`super::people`]), not of what detectors ask. One of them must hold for
//! a source, an account, a name, a network or the whole, over a span that slides. Each is so far above people that
//! thresholds a fifth higher than the shipped ones still lie below it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use super::attacks::Attack;
use super::systems::{asn, is_hosting};
use super::world::{End, HOUR_MS, MINUTE_MS, Try};

/// A bound that can be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    /// What is counted, and over which span.
    pub what: &'static str,
    /// From how many on.
    pub from: u64,
    /// Why not fewer.
    pub why: &'static str,
}

/// One source, names its log calls no accounts.
pub const UNKNOWN_10M: Bound = Bound {
    what: "unknown names of one source in 10 min",
    from: 12,
    why: "whoever does not know the account's address tries those they own: 1 + Poisson(0.86), by one visit in a \
          thousand; P(8 or more) = 3.3e-5, once in a month at 1 M logins a day; a fifth to spare at 10",
};

/// The same, slowly.
pub const UNKNOWN_24H: Bound = Bound {
    what: "unknown names of one source in 24 h",
    from: 16,
    why: "as within 10 min, and a home's slips of a day besides: 5 logins at 2.1 %, P(2 or more) = 0.5 %",
};

/// One source, where the log does not say which accounts exist.
pub const NAMES_10M: Bound = Bound {
    what: "failing names of one source in 10 min, not told whether they exist",
    from: 22,
    why: "an office of U people whose successes are not logged: U at 11 % by nine, 19 % of them in the busiest 10 \
          min: Poisson(0.021 U), 2.5 for 120; P(14 or more) = 1e-6, and 5 % for 400",
};

/// The same, slower.
pub const NAMES_1H: Bound = Bound {
    what: "failing names of one source in 1 h, not told whether they exist",
    from: 50,
    why: "the same office within an hour: Poisson(0.1 U), 12 for 120; P(30 or more) = 1e-5; and a tenth of an \
          office of 400 cannot be told from a spray of 40 accounts",
};

/// The same, all day.
pub const NAMES_24H: Bound = Bound {
    what: "failing names of one source in 24 h, not told whether they exist",
    from: 125,
    why: "a carrier's address with 600 logins a day whose successes are not logged: Poisson(0.08 x 600) = 48 names \
          fail; P(80 or more) = 2e-5",
};

/// The same, where the log shows that others get in.
pub const NAMES_BESIDE_24H: Bound = Bound {
    what: "failing names of one source in 24 h, in a log that shows who gets in",
    from: 27,
    why: "people get in by nine names in ten: of 27 names of theirs that fail, as many as that again get in, at a home, \
          an office and a carrier; a fifth to spare at 22",
};

/// One source, hardly any success.
pub const FAILURES_10M: Bound = Bound {
    what: "failures of one source in 10 min",
    from: 40,
    why: "a client that retries for 5 s makes 20; one with a stale password every 30 s makes 20 too, all day, and \
          faster ones are told as what they look like",
};

/// One account, from many addresses.
pub const ADDRESSES_1H: Bound = Bound {
    what: "addresses failing with one account in 1 h",
    from: 16,
    why: "home, mobile, office and VPN are four; a phone changes its carrier's address some times an hour",
};

/// The same, slowly.
pub const ADDRESSES_24H: Bound = Bound {
    what: "addresses failing with one account in 24 h",
    from: 36,
    why: "a forgotten password tried all day, on the way, from another address each time: a dozen at most",
};

/// One name that is no account, from many addresses.
pub const NAME_1H: Bound = Bound {
    what: "addresses trying one name that is no account in 1 h",
    from: 26,
    why: "what people mistype is their own; a name that many share is a household's or an old company account's",
};

/// A network.
pub const NETWORK_1H: Bound = Bound {
    what: "failing names of one /24 in 1 h, from 4 addresses or more",
    from: 60,
    why: "as one source in 1 h; an office may have several addresses",
};

/// A hosting company.
pub const SYSTEM_1H: Bound = Bound {
    what: "unknown names from one hosting company in 1 h, from addresses all over it",
    from: 80,
    why: "some offices leave through one, and their people mistype their names: 2.1 % of 120 logins in the busiest \
          hour, Poisson(2.5) each; ten of them at one company: P(60 or more) = 1e-9; a fifth to spare at 60",
};

/// Everything.
pub const SHARE_10M: Bound = Bound {
    what: "unknown names per 100 tries of everybody in 10 min",
    from: 22,
    why: "people's 2, 11 in a spike of customers in a hurry one in fourteen of whom has no account yet, and 18 if it \
          is one in seven; without a baseline of the shop's own no lower share is an attack; 300 at least",
};

/// All of them, in the order they are told.
pub const ALL: [Bound; 13] = [
    UNKNOWN_10M,
    UNKNOWN_24H,
    NAMES_10M,
    NAMES_1H,
    NAMES_24H,
    NAMES_BESIDE_24H,
    FAILURES_10M,
    ADDRESSES_1H,
    ADDRESSES_24H,
    NAME_1H,
    NETWORK_1H,
    SYSTEM_1H,
    SHARE_10M,
];

/// What everybody together does, minute by minute.
pub struct Traffic {
    /// Logged tries.
    tries: Vec<u64>,
    /// Those under names that are told to be none.
    unknown: Vec<u64>,
}

impl Traffic {
    /// Of a day's tries.
    pub fn of(tries: &[Try]) -> Traffic {
        let minutes = 24 * 60 + 1;
        let mut traffic = Traffic { tries: vec![0; minutes], unknown: vec![0; minutes] };
        for tried in tries.iter().filter(|tried| tried.is_logged()) {
            let minute = (tried.ms / MINUTE_MS) as usize;
            traffic.tries[minute] += 1;
            traffic.unknown[minute] += u64::from(tried.is_known_to_be_none());
        }
        traffic
    }

    /// The most unknown names per hundred tries in any ten minutes of the attack, if it has a large part in them.
    fn share(&self, attack: &Attack) -> u64 {
        let mut own = vec![0u64; self.tries.len()];
        for tried in attack.tries.iter().filter(|tried| tried.is_known_to_be_none()) {
            own[(tried.ms / MINUTE_MS) as usize] += 1;
        }
        let windows = own.windows(10).zip(self.unknown.windows(10)).zip(self.tries.windows(10));
        let shares = windows.map(|((own, unknown), tries)| {
            let [own, unknown, tries] = [own, unknown, tries].map(|of| of.iter().sum::<u64>());
            if own * 2 >= unknown && unknown >= 300 { 100 * unknown / tries.max(1) } else { 0 }
        });
        shares.max().unwrap_or_default()
    }
}

/// Which bounds an attack is over.
pub fn over(attack: &Attack, traffic: &Traffic) -> Vec<Bound> {
    let mut by_source: BTreeMap<IpAddr, Vec<Try>> = BTreeMap::new();
    let mut by_user: BTreeMap<u64, Vec<Try>> = BTreeMap::new();
    let failures = attack.tries.iter().filter(|tried| tried.end != End::In);
    for tried in failures.clone() {
        by_source.entry(tried.source).or_default().push(*tried);
        by_user.entry(tried.user).or_default().push(*tried);
    }
    let failures: Vec<Try> = failures.copied().collect();
    let met = |bound: &Bound| {
        let span_ms = match *bound {
            UNKNOWN_10M | NAMES_10M | FAILURES_10M | SHARE_10M => 10 * MINUTE_MS,
            NAMES_1H | ADDRESSES_1H | NAME_1H | NETWORK_1H | SYSTEM_1H => HOUR_MS,
            _ => 24 * HOUR_MS,
        };
        let of_sources = |take: fn(&Try) -> bool| {
            by_source.values().map(|tries| most(tries, span_ms, take, |tried| tried.user)).max()
        };
        let of_users = |take: fn(&Try) -> bool| {
            by_user.values().map(|tries| most(tries, span_ms, take, |tried| tried.source)).max()
        };
        let most = match *bound {
            UNKNOWN_10M | UNKNOWN_24H => of_sources(Try::is_known_to_be_none),
            NAMES_10M | NAMES_1H | NAMES_24H => of_sources(|_| true),
            NAMES_BESIDE_24H if attack.log.has_successes() => of_sources(|_| true),
            NAMES_BESIDE_24H => None,
            FAILURES_10M => {
                let each = |tries: &Vec<Try>| most(tries, span_ms, |_| true, |tried| tried.ms);
                by_source.values().map(each).max()
            }
            // Where a log does not say so, a name that is none looks like an account.
            ADDRESSES_1H | ADDRESSES_24H => of_users(|tried| !tried.is_known_to_be_none()),
            NAME_1H => of_users(Try::is_known_to_be_none),
            SHARE_10M => Some(traffic.share(attack)),
            SYSTEM_1H if is_of_a_system(&by_source) => {
                Some(most(&failures, span_ms, Try::is_known_to_be_none, |tried| tried.user))
            }
            SYSTEM_1H => None,
            _ if is_of_a_network(&by_source) => {
                Some(most(&failures, span_ms, |_| true, |tried| tried.user))
            }
            _ => None,
        };
        most.is_some_and(|most| most >= bound.from)
    };
    ALL.into_iter().filter(met).collect()
}

/// Whether four addresses or more of one /24 take part, and none of another.
fn is_of_a_network(by_source: &BTreeMap<IpAddr, Vec<Try>>) -> bool {
    let net = |source: &IpAddr| match source {
        IpAddr::V4(v4) => Some(v4.to_bits() >> 8),
        IpAddr::V6(_) => None,
    };
    let mut nets = by_source.keys().map(net);
    let first = nets.next().flatten();
    by_source.len() >= 4 && first.is_some() && nets.all(|net| net == first)
}

/// Whether more than one network of one hosting company takes part, and nobody else.
fn is_of_a_system(by_source: &BTreeMap<IpAddr, Vec<Try>>) -> bool {
    let mut systems = by_source.keys().map(|source| asn(*source));
    let first = systems.next();
    first.is_some_and(is_hosting)
        && systems.all(|system| Some(system) == first)
        && !is_of_a_network(by_source)
        && by_source.len() > 1
}

/// The most different things among the tries taken in any span; `tries` are in order of time.
fn most<T: Hash + Eq>(
    tries: &[Try],
    span_ms: i64,
    take: fn(&Try) -> bool,
    thing: fn(&Try) -> T,
) -> u64 {
    let taken: Vec<&Try> = tries.iter().filter(|tried| take(tried)).collect();
    let mut counts: HashMap<T, u32> = HashMap::new();
    let (mut from, mut most) = (0, 0);
    for tried in &taken {
        *counts.entry(thing(tried)).or_default() += 1;
        while taken[from].ms <= tried.ms - span_ms {
            let gone = thing(taken[from]);
            let left = counts.entry(gone).or_default();
            *left -= 1;
            if *left == 0 {
                counts.remove(&thing(taken[from]));
            }
            from += 1;
        }
        most = most.max(counts.len() as u64);
    }
    most
}
