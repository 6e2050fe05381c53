//! Networks: address prefixes, IPv4 up to single addresses, IPv6 up to a /64, because that is what an IPv6
//! source is counted as (see [`crate::key`]).
//!
//! Invariant: no bit behind the prefix is set, so equal networks are equal values; an IPv4-mapped IPv6
//! address is IPv4, as everywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::key::KeyPart;
use crate::signal::canonical;

/// The longest prefix of an IPv6 network.
pub const IPV6_PREFIX_MAX: u8 = 64;

/// An address prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Net {
    /// The first address, and how many of its bits all have, 0 to 32.
    Ipv4(Ipv4Addr, u8),
    /// The upper 64 bits of the first address, and how many of them all have, 0 to 64.
    Ipv6(u64, u8),
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Neither an address nor `address/length`.
    #[error("it is no address, and no network such as 198.51.100.0/24")]
    Malformed,
    /// Bits behind the prefix are set; this is the network without them.
    #[error("it has bits set behind its prefix: the network is {0}")]
    BitsBehind(Net),
    /// Longer than [`IPV6_PREFIX_MAX`]; this is the network an address of it is counted in.
    #[error("an IPv6 source is counted as its /64, here {0}")]
    TooFine(Net),
}

impl Net {
    /// The network that a source address is counted as.
    pub fn of(address: IpAddr) -> Net {
        match canonical(address) {
            IpAddr::V4(v4) => Net::Ipv4(v4, 32),
            IpAddr::V6(v6) => Net::Ipv6((v6.to_bits() >> 64) as u64, IPV6_PREFIX_MAX),
        }
    }

    /// The first `length` bits of it, which must not be more than it has.
    pub fn shortened(self, length: u8) -> Net {
        match self {
            Net::Ipv4(first, own) => {
                let length = length.min(own);
                Net::Ipv4(Ipv4Addr::from_bits(first.to_bits() & mask32(length)), length)
            }
            Net::Ipv6(upper, own) => {
                let length = length.min(own);
                Net::Ipv6(upper & mask64(length), length)
            }
        }
    }

    /// How many bits all its addresses share.
    pub fn length(self) -> u8 {
        match self {
            Net::Ipv4(_, length) | Net::Ipv6(_, length) => length,
        }
    }

    /// Whether it is one of IPv4 addresses.
    pub fn is_ipv4(self) -> bool {
        matches!(self, Net::Ipv4(..))
    }

    /// Whether all of `other` is in it.
    pub fn covers(self, other: Net) -> bool {
        self.is_ipv4() == other.is_ipv4()
            && self.length() <= other.length()
            && other.shortened(self.length()) == self
    }

    /// Whether all that a part of a key stands for is in it; never so for a part that is no source.
    pub fn covers_part(self, part: KeyPart) -> bool {
        match part {
            KeyPart::Ipv4(v4) => self.covers(Net::Ipv4(v4, 32)),
            KeyPart::SubnetIpv4(v4) => self.covers(Net::Ipv4(v4, 24)),
            KeyPart::Ipv6Net(upper) | KeyPart::SubnetIpv6(upper) => {
                self.covers(Net::Ipv6(upper, IPV6_PREFIX_MAX))
            }
            KeyPart::Asn(_)
            | KeyPart::Agent(_)
            | KeyPart::Log(_)
            | KeyPart::User(_)
            | KeyPart::Function(_)
            | KeyPart::Global => false,
        }
    }

    /// `address/length`, also for a single address.
    pub fn cidr(self) -> String {
        match self {
            Net::Ipv4(first, length) => format!("{first}/{length}"),
            Net::Ipv6(upper, length) => {
                format!("{}/{length}", Ipv6Addr::from_bits(u128::from(upper) << 64))
            }
        }
    }

    /// The network of `address` and `length`.
    fn checked(address: IpAddr, length: u8) -> Result<Net, NetError> {
        match address {
            IpAddr::V4(v4) => {
                let net = Net::Ipv4(v4, 32).shortened(length);
                (net == Net::Ipv4(v4, length)).then_some(net).ok_or(NetError::BitsBehind(net))
            }
            IpAddr::V6(v6) if length > IPV6_PREFIX_MAX => {
                Err(NetError::TooFine(Net::of(v6.into())))
            }
            IpAddr::V6(v6) => {
                let net = Net::of(IpAddr::V6(v6)).shortened(length);
                let first = match net {
                    Net::Ipv6(upper, _) => Ipv6Addr::from_bits(u128::from(upper) << 64),
                    Net::Ipv4(..) => return Err(NetError::Malformed),
                };
                (first == v6).then_some(net).ok_or(NetError::BitsBehind(net))
            }
        }
    }
}

/// The upper `length` bits of 32.
fn mask32(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

/// The upper `length` bits of 64.
fn mask64(length: u8) -> u64 {
    u64::MAX.checked_shl(64 - u32::from(length)).unwrap_or(0)
}

/// An address stands for what it is counted as: itself, or its /64.
impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Net, NetError> {
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(Net::of).map_err(|_| NetError::Malformed);
        };
        let address: IpAddr = address.parse().map_err(|_| NetError::Malformed)?;
        let digits = (1..=3).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse::<u8>().ok().filter(|_| digits).ok_or(NetError::Malformed)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        match (canonical(address), address) {
            _ if length > bits => Err(NetError::Malformed),
            // A mapped prefix: its last 32 bits are IPv4's.
            (v4 @ IpAddr::V4(_), IpAddr::V6(_)) => match length.checked_sub(96) {
                Some(length) => Net::checked(v4, length),
                None => Err(NetError::Malformed),
            },
            (address, _) => Net::checked(address, length),
        }
    }
}

/// A single IPv4 address bare, everything else as `address/length`.
impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Net::Ipv4(address, 32) => write!(f, "{address}"),
            net => f.write_str(&net.cidr()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_network_or_says_what_is_meant() {
        let good = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8:0:1::/64", "2001:db8:0:1::/64"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ];
        for (text, shown) in good {
            assert_eq!(text.parse::<Net>().map(|net| net.to_string()), Ok(shown.to_owned()));
        }
        let bad = [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "192.0.2/24",
            "::/129",
            "a/8",
            "192.0.2.0/24/24",
            "::ffff:0:0/90",
            "192.0.2.0/0024",
            " 192.0.2.1",
        ];
        for text in bad {
            assert_eq!(text.parse::<Net>(), Err(NetError::Malformed), "{text}");
        }
        let behind = |text: &str| match text.parse::<Net>() {
            Err(NetError::BitsBehind(net) | NetError::TooFine(net)) => net.to_string(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(behind("192.0.2.7/24"), "192.0.2.0/24");
        assert_eq!(behind("2001:db8::1/64"), "2001:db8::/64");
        assert_eq!(behind("2001:db8:1::/32"), "2001:db8::/32");
        assert_eq!(behind("2001:db8::1/128"), "2001:db8::/64");
    }

    #[test]
    fn a_network_covers_what_is_in_it_and_no_other_family() {
        let net = |text: &str| text.parse::<Net>().expect("a network");
        let part = |text: &str| KeyPart::source_ip(text.parse().expect("an address"));
        let subnet = |text: &str| KeyPart::source_subnet(text.parse().expect("an address"));
        assert!(net("192.0.2.0/24").covers_part(part("192.0.2.255")));
        assert!(!net("192.0.2.0/24").covers_part(part("192.0.3.0")));
        assert!(net("192.0.2.0/24").covers_part(subnet("192.0.2.9")));
        assert!(!net("192.0.2.0/25").covers_part(subnet("192.0.2.9")), "others are in it too");
        assert!(!net("0.0.0.0/0").covers_part(part("2001:db8::1")));
        assert!(!net("::/0").covers_part(part("192.0.2.1")));
        assert!(net("::/0").covers_part(part("2001:db8::1")));
        assert!(net("2001:db8::/63").covers_part(part("2001:db8:0:1::1")));
        assert!(!net("2001:db8::/64").covers_part(part("2001:db8:0:1::1")));
        assert!(!net("0.0.0.0/0").covers_part(KeyPart::Global));
        assert!(net("10.0.0.0/8").covers(net("10.0.0.0/8")));
        assert!(!net("10.0.0.0/9").covers(net("10.0.0.0/8")));
    }
}
