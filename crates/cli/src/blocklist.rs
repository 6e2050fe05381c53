//! The sources of open findings as a list to block by: which of them, until when, and in which form.
//!
//! Invariants: nobody is on it whom an allowlist names now; every address in it is a source of a finding,
//! since neighbours are put together only where both are whole; the same findings give the same list.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tidewatch_alert::rfc3339;
use tidewatch_core::allow::{Allowlist, Who};
use tidewatch_core::detector::Severity;
use tidewatch_core::net::Net;
use tidewatch_core::time::{Span, Time};

use crate::told::{Latest, Told};

/// Addresses and networks that an IP set of AWS WAF takes
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/limits.html>).
pub const WAF_ADDRESSES_MAX: usize = 10_000;

/// Which findings count.
#[derive(Clone, Debug)]
pub struct Terms {
    pub now: Time,
    /// How long after its last event a finding's sources are listed.
    pub lasts: Span,
    pub severity_min: Severity,
    /// Only findings of these detectors; none: of all.
    pub detectors: Vec<String>,
    /// Whether sources count that findings about something else name.
    pub campaigns: bool,
    pub allow: Allowlist,
}

/// A source to block.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocked<'a> {
    pub until: Time,
    pub severity: Severity,
    pub findings: Vec<&'a Told>,
}

/// What findings were left out for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Closed, or too long ago.
    pub over: u64,
    /// About a user, a subnet or everything.
    pub campaigns: u64,
    /// Too mild, of another detector, or made up.
    pub unasked: u64,
    /// Sources that are allowed, not findings.
    pub allowed: u64,
}

/// The list.
#[derive(Debug, Default)]
pub struct Blocklist<'a> {
    pub sources: BTreeMap<Net, Blocked<'a>>,
    pub left_out: LeftOut,
}

impl<'a> Blocklist<'a> {
    /// The sources of the findings that count.
    pub fn of(latest: &'a Latest, terms: &Terms) -> Blocklist<'a> {
        let mut list = Blocklist::default();
        let mut allowed: BTreeSet<Net> = BTreeSet::new();
        for told in latest.all() {
            let until = told.last.plus(terms.lasts);
            let of_detector =
                terms.detectors.is_empty() || terms.detectors.contains(&told.detector);
            if told.simulated || told.severity < terms.severity_min || !of_detector {
                list.left_out.unasked += 1;
                continue;
            }
            if told.closed || until <= terms.now {
                list.left_out.over += 1;
                continue;
            }
            let sources = match told.source {
                Some(source) => vec![source],
                None if terms.campaigns => told.sources.iter().copied().map(Net::of).collect(),
                None => {
                    list.left_out.campaigns += 1;
                    continue;
                }
            };
            for source in sources {
                match is_allowed(source, told, terms) {
                    true => drop(allowed.insert(source)),
                    false => list.add(source, told, until),
                }
            }
        }
        list.left_out.allowed = allowed.len() as u64;
        list
    }

    fn add(&mut self, source: Net, told: &'a Told, until: Time) {
        let new = Blocked { until, severity: told.severity, findings: Vec::new() };
        let known = self.sources.entry(source).or_insert(new);
        known.until = known.until.max(until);
        known.severity = known.severity.max(told.severity);
        if known.findings.last().is_none_or(|last| last.uid != told.uid) {
            known.findings.push(told);
        }
    }

    /// A source a line.
    pub fn lines(&self) -> String {
        let lines = self.sources.keys().map(|net| format!("{net}\n"));
        lines.collect()
    }

    /// A network a line, neighbours put together.
    pub fn cidr(&self) -> String {
        let lines = collapsed(self.sources.keys().copied());
        lines.into_iter().map(|net| format!("{}\n", net.cidr())).collect()
    }

    /// Everything there is to say about each source.
    pub fn json(&self, now: Time) -> Value {
        let findings = |blocked: &Blocked<'_>| {
            let of = |told: &&Told| {
                let severity = told.severity.name();
                json!({ "uid": told.uid, "detector": told.detector, "severity": severity })
            };
            blocked.findings.iter().map(of).collect::<Vec<_>>()
        };
        let sources = self.sources.iter().map(|(net, blocked)| {
            json!({
                "source": net.to_string(), "cidr": net.cidr(), "until": rfc3339(blocked.until),
                "severity": blocked.severity.name(), "findings": findings(blocked),
            })
        });
        json!({ "now": rfc3339(now), "sources": sources.collect::<Vec<_>>() })
    }

    /// `Addresses` of UpdateIPSet and CreateIPSet of AWS WAF, one set for each version of addresses
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_UpdateIPSet.html>), and how many sources
    /// had no room: the mildest, of these the oldest.
    pub fn waf_ip_sets(&self) -> (Value, usize) {
        let mut left_out = 0;
        let mut set = |is_ipv4: bool| {
            let family = self.sources.iter().filter(|(net, _)| net.is_ipv4() == is_ipv4);
            let mut family: Vec<(&Net, &Blocked<'_>)> = family.collect();
            let mut nets = collapsed(family.iter().map(|(net, _)| **net));
            if nets.len() > WAF_ADDRESSES_MAX {
                family.sort_by_key(|(net, blocked)| {
                    (std::cmp::Reverse((blocked.severity, blocked.until)), **net)
                });
                left_out += family.len() - WAF_ADDRESSES_MAX;
                family.truncate(WAF_ADDRESSES_MAX);
                nets = collapsed(family.iter().map(|(net, _)| **net));
            }
            json!({ "Addresses": nets.into_iter().map(Net::cidr).collect::<Vec<_>>() })
        };
        let sets = json!({ "IPV4": set(true), "IPV6": set(false) });
        (sets, left_out)
    }
}

/// Whether an entry that is in force now is about the source, and about such findings.
fn is_allowed(source: Net, told: &Told, terms: &Terms) -> bool {
    terms.allow.entries.iter().any(|entry| {
        let of_detector = entry.detectors.is_empty() || entry.detectors.contains(&told.detector);
        let of_source = matches!(&entry.who, Who::Source(net) if net.covers(source));
        entry.is_in_force(terms.now) && of_detector && of_source
    })
}

/// The fewest networks that hold these and no other address.
fn collapsed(nets: impl IntoIterator<Item = Net>) -> BTreeSet<Net> {
    let mut done: BTreeSet<Net> = BTreeSet::new();
    let mut left: BTreeSet<Net> = nets.into_iter().collect();
    // From the longest prefixes on: two halves make a whole, which may be a half itself. Prefixes of no
    // length are left as halves, for WAF takes none.
    for length in (2..=64).rev() {
        let (now, rest) = left.into_iter().partition(|net| net.length() == length);
        left = rest;
        let now: BTreeSet<Net> = now;
        for net in &now {
            match now.contains(&sibling(*net)) {
                true => left.insert(net.shortened(length - 1)),
                false => done.insert(*net),
            };
        }
    }
    done.extend(left);
    done
}

/// The other half of the network that is one bit wider.
fn sibling(net: Net) -> Net {
    match net {
        Net::Ipv4(first, length) => {
            Net::Ipv4(Ipv4Addr::from_bits(first.to_bits() ^ (1 << (32 - length))), length)
        }
        Net::Ipv6(upper, length) => Net::Ipv6(upper ^ (1 << (64 - length)), length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(nets: &[&str], expected: &[&str]) {
        let nets = nets.iter().map(|net| net.parse().expect("a network"));
        let found: Vec<String> = collapsed(nets).into_iter().map(|net| net.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn neighbours_are_put_together_where_both_are_whole() {
        check(&[], &[]);
        check(&["192.0.2.1", "192.0.2.2"], &["192.0.2.1", "192.0.2.2"]);
        check(&["192.0.2.2", "192.0.2.3"], &["192.0.2.2/31"]);
        check(&["192.0.2.0", "192.0.2.1", "192.0.2.2"], &["192.0.2.0/31", "192.0.2.2"]);
        let four = ["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"];
        check(&four, &["192.0.2.4/30"]);
        check(&["2001:db8::/64", "2001:db8:0:1::/64"], &["2001:db8::/63"]);
        check(
            &["2001:db8:0:1::/64", "2001:db8:0:2::/64"],
            &["2001:db8:0:1::/64", "2001:db8:0:2::/64"],
        );
    }

    #[test]
    fn a_whole_subnet_is_one_network_and_holds_no_address_more() {
        let all: Vec<Net> = (0..=255).map(|n| Net::of([192, 0, 2, n].into())).collect();
        assert_eq!(collapsed(all.clone()).len(), 1);
        for missing in [0, 1, 100, 254, 255] {
            let but_one = all.iter().copied().filter(|net| *net != all[missing]);
            let nets = collapsed(but_one);
            assert_eq!(nets.len(), 8, "without .{missing}");
            assert!(!nets.iter().any(|net| net.covers(all[missing])));
            let held = all.iter().filter(|one| nets.iter().any(|net| net.covers(**one))).count();
            assert_eq!(held, 255);
        }
    }
}
