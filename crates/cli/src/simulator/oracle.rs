//! The exact counts of what was planted: what a perfect counter per source would have seen.
//!
//! A source is an IPv4 address or the /64 of an IPv6 one. A window SPAN ending at t covers
//! (t - SPAN, t]. It is written apart from the detectors' own counting on purpose: it must not share
//! their mistakes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use super::attempt::{Attempt, Outcome};

/// Ten minutes.
pub(super) const SPAN_10M_MS: i64 = 10 * 60_000;

/// The largest counts of any one source within any window of a span. Each number is a maximum of its
/// own: they may come from different windows and, where there are many sources, from different ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Busiest {
    /// Distinct names tried that do not exist.
    pub(crate) unknown_names: u64,
    /// Distinct names tried.
    pub(crate) names: u64,
    /// Failed attempts.
    pub(crate) failures: u64,
    /// Successful attempts.
    pub(crate) successes: u64,
}

impl Busiest {
    fn raise_to(&mut self, window: Busiest) {
        self.unknown_names = self.unknown_names.max(window.unknown_names);
        self.names = self.names.max(window.names);
        self.failures = self.failures.max(window.failures);
        self.successes = self.successes.max(window.successes);
    }
}

/// The maxima over all sources and all windows of `span_ms`. `attempts` in any order.
pub(super) fn busiest(attempts: &[Attempt], span_ms: i64) -> Busiest {
    let mut by_source: BTreeMap<IpAddr, Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts {
        by_source.entry(source_of(attempt.source)).or_default().push(attempt);
    }
    let mut busiest = Busiest::default();
    for attempts in by_source.values_mut() {
        attempts.sort_by_key(|attempt| attempt.time_ms);
        let mut window = Window::default();
        let mut oldest = 0;
        for attempt in attempts.iter() {
            window.add(attempt);
            while attempts[oldest].time_ms <= attempt.time_ms - span_ms {
                window.remove(attempts[oldest]);
                oldest += 1;
            }
            busiest.raise_to(window.counts());
        }
    }
    busiest
}

/// How many distinct names that do not exist were tried.
pub(super) fn unknown_names(attempts: &[Attempt]) -> u64 {
    let unknown = attempts.iter().filter(|attempt| attempt.outcome == Outcome::UnknownUser);
    unknown.map(|attempt| attempt.user.as_str()).collect::<HashSet<_>>().len() as u64
}

/// One window's contents: how often each name is in it.
#[derive(Default)]
struct Window<'a> {
    names: HashMap<&'a str, u32>,
    unknown_names: HashMap<&'a str, u32>,
    failures: u64,
    successes: u64,
}

impl<'a> Window<'a> {
    fn add(&mut self, attempt: &'a Attempt) {
        *self.names.entry(&attempt.user).or_default() += 1;
        if attempt.outcome == Outcome::UnknownUser {
            *self.unknown_names.entry(&attempt.user).or_default() += 1;
        }
        match attempt.outcome {
            Outcome::Success => self.successes += 1,
            _ => self.failures += 1,
        }
    }

    fn remove(&mut self, attempt: &'a Attempt) {
        take_one(&mut self.names, &attempt.user);
        if attempt.outcome == Outcome::UnknownUser {
            take_one(&mut self.unknown_names, &attempt.user);
        }
        match attempt.outcome {
            Outcome::Success => self.successes -= 1,
            _ => self.failures -= 1,
        }
    }

    fn counts(&self) -> Busiest {
        Busiest {
            unknown_names: self.unknown_names.len() as u64,
            names: self.names.len() as u64,
            failures: self.failures,
            successes: self.successes,
        }
    }
}

fn take_one<'a>(counts: &mut HashMap<&'a str, u32>, name: &'a str) {
    let count = counts.get_mut(name).expect("a name leaves the window after it has come in");
    *count -= 1;
    if *count == 0 {
        counts.remove(name);
    }
}

fn source_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::simulator::attempt::Door;
    use crate::simulator::{Strand, strand};

    /// Every window that ends at an attempt, counted from nothing.
    fn busiest_by_definition(attempts: &[Attempt], span_ms: i64) -> Busiest {
        let mut busiest = Busiest::default();
        for last in attempts {
            let inside: Vec<&Attempt> = attempts
                .iter()
                .filter(|a| source_of(a.source) == source_of(last.source))
                .filter(|a| a.time_ms > last.time_ms - span_ms && a.time_ms <= last.time_ms)
                .collect();
            let unknown = inside.iter().filter(|a| a.outcome == Outcome::UnknownUser);
            let successes = inside.iter().filter(|a| a.outcome == Outcome::Success).count();
            busiest.raise_to(Busiest {
                unknown_names: unknown.map(|a| &a.user).collect::<HashSet<_>>().len() as u64,
                names: inside.iter().map(|a| &a.user).collect::<HashSet<_>>().len() as u64,
                failures: (inside.len() - successes) as u64,
                successes: successes as u64,
            });
        }
        busiest
    }

    #[test]
    fn agrees_with_the_definition_on_small_worlds() {
        for seed in 0..40 {
            let mut rng = strand(seed, Strand::Visits, 0);
            let attempts: Vec<Attempt> = (0..120)
                .map(|_| Attempt {
                    // Coarse times, so that ties and exact window edges occur.
                    time_ms: rng.random_range(0..60) * 50,
                    source: match rng.random_range(0..4u8) {
                        0 => IpAddr::from([203, 0, 113, 1]),
                        1 => IpAddr::from([203, 0, 113, 2]),
                        host => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
                    },
                    user: format!("name{}", rng.random_range(0..12u8)),
                    outcome: match rng.random_range(0..3u8) {
                        0 => Outcome::Success,
                        1 => Outcome::WrongPassword,
                        _ => Outcome::UnknownUser,
                    },
                    door: Door::Web,
                    agent: "",
                })
                .collect();
            for span_ms in [1, 50, 300, 1_000, 10_000] {
                let expected = busiest_by_definition(&attempts, span_ms);
                assert_eq!(busiest(&attempts, span_ms), expected, "seed {seed}, span {span_ms}");
            }
        }
    }
}
