//! Variations of a case: other addresses, names and times, the same outcome. Everything is drawn from a
//! seed by SHA-256, so a seed says which variation failed.
//!
//! Addresses are replaced by ones of the same family; those of one network stay in one network, and
//! different ones stay different, because detectors count by both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::{Case, Signal};

/// Which variation of a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// The case as it is written.
    None,
    /// The one of this seed.
    Seed(u64),
}

/// Stems of names, some of them in other alphabets.
const STEMS: [&str; 12] = [
    "maria",
    "j.smith",
    "svc-backup",
    "Chen",
    "o_brien",
    "müller",
    "admin",
    "test",
    "k2",
    "noemi.k",
    "оксана",
    "reza",
];

/// How a name goes on: a number makes each different from all others.
const ENDS: [&str; 4] = ["", "-", ".", "_"];

impl Variation {
    /// 64 bits that depend on the seed, on `what` is drawn and on `n`.
    pub(super) fn draw(self, what: &str, n: u64) -> u64 {
        let mut hash = Sha256::new();
        if let Variation::Seed(seed) = self {
            hash.update(seed.to_be_bytes());
        }
        hash.update(n.to_be_bytes());
        hash.update(what);
        let digest = hash.finalize();
        digest[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    /// The `n`-th name; no two are the same.
    pub fn user(self, n: u64) -> String {
        match self {
            Variation::None => format!("user{n}"),
            Variation::Seed(_) => {
                let drawn = self.draw("user", n);
                let stem = STEMS[(drawn % STEMS.len() as u64) as usize];
                let end = ENDS[(drawn >> 32) as usize % ENDS.len()];
                format!("{stem}{end}{n}")
            }
        }
    }

    /// The `n`-th address, of 16 million; no two of them are in one /24.
    pub fn address(self, n: u64) -> IpAddr {
        let n = (n & 0xff_ffff) as u32;
        let plain = Ipv4Addr::from_bits((n << 8).wrapping_add(0x0101_0109));
        self.other(IpAddr::V4(plain))
    }

    /// What stands for `address`: the same address always gives the same one.
    pub fn other(self, address: IpAddr) -> IpAddr {
        if self == Variation::None {
            return address;
        }
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, host] = v4.octets();
                let network = self.draw("network", u64::from(u32::from_be_bytes([0, a, b, c])));
                let [.., x, y, z] = network.to_be_bytes();
                let host = host ^ self.draw("host", 4) as u8;
                // A first byte that is no private, loopback or multicast network, and no placeholder.
                let first = [23, 45, 91, 146, 185, 203][usize::from(x) % 6];
                IpAddr::V4(Ipv4Addr::new(first, y, z, host))
            }
            IpAddr::V6(v6) => {
                let [upper, lower] = [v6.to_bits() >> 64, v6.to_bits()].map(|bits| bits as u64);
                let network = self.draw("network", upper) >> 16 | 0x2a00 << 48;
                let host = lower ^ self.draw("host", 6);
                IpAddr::V6(Ipv6Addr::from_bits(u128::from(network) << 64 | u128::from(host)))
            }
        }
    }

    /// `text` with each address in it replaced; one that names a whole network, as `192.0.2.0/24`, by a
    /// whole network.
    pub fn addresses(self, text: &str) -> String {
        let mut varied = String::new();
        let mut rest = text;
        let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
        while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit() || c == ':') {
            let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
            // A sentence may end behind an address, and a port follow it.
            let whole = &rest[start..end];
            let ends = [whole.len(), whole.trim_end_matches(['.', ':']).len()];
            let address = |end: &usize| whole[..*end].parse::<IpAddr>().is_ok();
            let port = whole.rfind(':').unwrap_or(whole.len());
            let (word, behind) = whole.split_at(ends.into_iter().find(address).unwrap_or(port));
            let inside = start > 0 && rest[..start].ends_with(|c: char| c.is_alphanumeric());
            varied += &rest[..start];
            match word.parse::<IpAddr>().ok().filter(|_| !inside && word.len() > 3) {
                Some(address) => {
                    varied += &self.network_or_host(address, &rest[end..]);
                    varied += behind;
                }
                None => varied += whole,
            }
            rest = &rest[end..];
        }
        varied + rest
    }

    fn network_or_host(self, address: IpAddr, behind: &str) -> String {
        let other = self.other(address);
        match other {
            IpAddr::V4(v4) if behind.starts_with("/24") => {
                let [a, b, c, _] = v4.octets();
                Ipv4Addr::new(a, b, c, 0).to_string()
            }
            IpAddr::V6(v6) if behind.starts_with("/64") => {
                Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).to_string()
            }
            other => other.to_string(),
        }
    }

    /// `text` with each time of day in it, `18:15:54`, replaced by another.
    pub fn times(self, text: &str) -> String {
        if self == Variation::None {
            return text.to_owned();
        }
        let drawn = self.draw("time of day", 0) % 86_400;
        let other = format!("{:02}:{:02}:{:02}", drawn / 3_600, drawn / 60 % 60, drawn % 60);
        let mut varied = text.to_owned();
        for at in 0..text.len().saturating_sub(7) {
            if is_time_of_day(text.as_bytes(), at) {
                varied.replace_range(at..at + 8, &other);
            }
        }
        varied
    }

    /// The variations of a format's case one of which must hold, see [`Case::with`]. Empty where there is
    /// nothing to vary.
    pub fn of_case(self, case: &Case) -> Vec<Case> {
        if self == Variation::None {
            return vec![case.clone()];
        }
        let mut base = case.clone();
        base.line = self.times(&base.line);
        let source = base.expected.as_mut().and_then(|signal| {
            signal.time = None;
            signal.source
        });
        let user = self.user(self.draw("name", 0) % 1_000);
        let all = base.with(&user, source.map(|source| self.other(source)));
        if all == [case.clone()] { Vec::new() } else { all }
    }
}

impl Case {
    /// The case with another name and address in its line and in what is expected, where they stand in the
    /// line as they are expected. Which of several places that read like the name are the name, only the
    /// format knows: of the cases returned, at least one, some one must hold.
    pub fn with(&self, user: &str, address: Option<IpAddr>) -> Vec<Case> {
        let mut base = self.clone();
        let Some(signal) = &mut base.expected else { return vec![base] };
        if let Some((old, new)) = signal.source.zip(address)
            && base.line.contains(&old.to_string())
        {
            base.line = base.line.replace(&old.to_string(), &new.to_string());
            signal.source = Some(new);
        }
        let Some(old) = signal.user.clone().filter(|user| !user.is_empty()) else {
            return vec![base];
        };
        // Whatever an attacker's name goes on with, a blank and an address, is what the case is about.
        let behind = old.find(char::is_whitespace).map_or("", |at| &old[at..]);
        let new = user.to_owned() + behind;
        let places = words(&base.line, &old);
        let singles = places.iter().map(|place| vec![*place]);
        let sets = std::iter::once(places.clone()).chain(singles).filter(|set| !set.is_empty());
        let with = |places: Vec<usize>| {
            let mut varied = base.clone();
            for place in places.iter().rev() {
                varied.line.replace_range(*place..place + old.len(), &new);
            }
            varied.expected =
                varied.expected.map(|signal| Signal { user: Some(new.clone()), ..signal });
            varied
        };
        let all: Vec<Case> = sets.map(with).collect();
        if all.is_empty() { vec![base] } else { all }
    }
}

/// Where `word` stands in `text` with no letter or digit beside it.
fn words(text: &str, word: &str) -> Vec<usize> {
    let beside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let places = text.match_indices(word).map(|(at, _)| at);
    let alone = places.filter(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !beside(before) && !beside(after)
    });
    alone.collect()
}

fn is_time_of_day(bytes: &[u8], at: usize) -> bool {
    let beside = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b':');
    let before = at.checked_sub(1).and_then(|at| bytes.get(at)).filter(|byte| **byte != b'T');
    let after = bytes.get(at + 8).filter(|byte| **byte != b'Z');
    let digits = |n: usize| bytes[at + n].is_ascii_digit() && bytes[at + n + 1].is_ascii_digit();
    bytes.len() >= at + 8
        && [0, 3, 6].into_iter().all(digits)
        && bytes[at + 2] == b':'
        && bytes[at + 5] == b':'
        && !beside(before)
        && !beside(after)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_change_networks_stay_networks_and_nothing_else_moves() {
        let seed = Variation::Seed(7);
        let [a, b, c] = ["192.0.2.1", "192.0.2.9", "2001:db8::1"].map(|text| {
            let other = seed.other(text.parse().expect("an address"));
            assert_ne!(other.to_string(), text);
            other.to_string()
        });
        let network = |text: &str| text.rsplit_once('.').map(|(network, _)| network.to_owned());
        assert_eq!(network(&a), network(&b));
        let check = |text: &str, expected: String| assert_eq!(seed.addresses(text), expected);
        check("from 192.0.2.1:22, [2001:db8::1]:9.", format!("from {a}:22, [{c}]:9."));
        check("192.0.2.9", b.clone());
        let net = c.parse::<Ipv6Addr>().expect("an address").to_bits() >> 64 << 64;
        check("2001:db8::/64", format!("{}/64", Ipv6Addr::from_bits(net)));
        check("a 192.0.2.9. B", format!("a {b}. B"));
        check("192.0.2.0/24", format!("{}.0/24", network(&b).expect("a network")));
        for same in ["", "18:15:54 face 1.2.3 v1.2.3.4 a:b 12", "::", "x192.0.2.1"] {
            check(same, same.to_owned());
        }
        assert_eq!(Variation::None.addresses("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn names_and_addresses_are_all_different() {
        for variation in [Variation::None, Variation::Seed(1), Variation::Seed(2)] {
            let names: BTreeSet<_> = (0..5_000).map(|n| variation.user(n)).collect();
            let addresses: BTreeSet<_> = (0..500).map(|n| variation.address(n)).collect();
            assert_eq!((names.len(), addresses.len()), (5_000, 500), "{variation:?}");
        }
    }

    #[test]
    fn times_of_day_change_and_what_looks_like_them_does_not() {
        let varied =
            Variation::Seed(3).times("2026-01-05T09:00:00Z [09:00:00] 2001:10:20:30 09:00:001");
        let time = varied.get(11..19).expect("a time").to_owned();
        assert_ne!(time, "09:00:00");
        let expected = format!("2026-01-05T{time}Z [{time}] 2001:10:20:30 09:00:001");
        assert_eq!(varied, expected);
    }
}
