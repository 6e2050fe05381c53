//! Keys: what is counted by. A key is one or two fields of a signal, small and `Copy`.
//!
//! Invariant: one source has one key. IPv4-mapped IPv6 is IPv4, and an IPv6 source counts as its /64,
//! because one subscriber owns a whole /64 and can change address at will inside it (RFC 6177).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::meter::ledger::Function;
use crate::signal::Auth;
use crate::tag::{AgentTag, LogTag, UserTag};

/// A field a detector can be keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyField {
    /// `source.ip`: an IPv4 address, or the /64 of an IPv6 one.
    SourceIp,
    /// `source.subnet`: the /24 of an IPv4 address, or the /64 of an IPv6 one.
    SourceSubnet,
    /// `source.asn`: the autonomous system that announces the address.
    SourceAsn,
    /// `user_agent`: what the client says it is.
    UserAgent,
    /// `user`: the tag of the normalised username.
    User,
    /// `function`: a Lambda function of an account.
    Function,
    /// `log`: the log that an event stands in; no detector's key, but what some ask of it is counted by it.
    Log,
    /// `global`: one key for everything.
    Global,
}

/// How many fields a key may have.
pub const KEY_FIELDS_MAX: usize = 2;

/// Which fields a key is made of, in the order the detector file gives them.
pub type KeyFields = SmallVec<[KeyField; KEY_FIELDS_MAX]>;

/// One field's value. All have the same place in memory, so that a key that was just made is never read in other pieces
/// than it was written in: for that a processor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum KeyPart {
    /// An IPv4 source.
    Ipv4(Ipv4Addr),
    /// The upper 64 bits of an IPv6 source.
    Ipv6Net(u64),
    /// A /24 with its last byte zero.
    SubnetIpv4(Ipv4Addr),
    /// The upper 64 bits of an IPv6 source, as a subnet.
    SubnetIpv6(u64),
    /// An autonomous system, by its number.
    Asn(u32),
    /// A user agent.
    Agent(AgentTag),
    /// A user.
    User(UserTag),
    /// A Lambda function.
    Function(FunctionTag),
    /// A log group, or an input.
    Log(LogTag),
    /// Everything.
    Global,
}

/// Stands for a function of an account: the first 64 bits of SHA-256 over both names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionTag(pub u64);

impl FunctionTag {
    /// That of a function.
    pub fn of(function: &Function) -> FunctionTag {
        let Function { account, name } = function;
        let digest = Sha256::digest(format!("{account}\n{name}"));
        FunctionTag(digest[..8].iter().fold(0, |tag, byte| tag << 8 | u64::from(*byte)))
    }
}

/// What one item of state stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The first field's value.
    pub first: KeyPart,
    /// The second field's value, where the key has two fields.
    pub second: Option<KeyPart>,
}

impl Key {
    /// A key of one field.
    pub fn of(first: KeyPart) -> Key {
        Key { first, second: None }
    }

    /// The key of a source address under [`KeyField::SourceIp`].
    pub fn source_ip(address: IpAddr) -> Key {
        Key::of(KeyPart::source_ip(address))
    }

    /// What it is counted by, without the values, for a text that anybody may read: `a key by source.ip`.
    pub fn kind(&self) -> String {
        let fields = std::iter::once(self.first).chain(self.second).map(|part| part.field().name());
        format!("a key by {}", fields.collect::<Vec<_>>().join(" and "))
    }

    /// The key of a try under `fields`, or `None` where it lacks one of them.
    // Inlined, so that a key is never put into memory in parts and copied as a whole: the processor would wait for it.
    #[inline(always)]
    pub fn of_auth(fields: &[KeyField], auth: &Auth) -> Option<Key> {
        let part = |field: KeyField| KeyPart::of_auth(field, auth);
        match *fields {
            [field] => Some(Key::of(part(field)?)),
            [first, second] => Some(Key { first: part(first)?, second: Some(part(second)?) }),
            _ => None,
        }
    }
}

/// As one number and the kind of value: keys are looked up several times for each login.
impl Hash for KeyPart {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let value = match *self {
            KeyPart::Ipv4(v4) | KeyPart::SubnetIpv4(v4) => u64::from(v4.to_bits()),
            KeyPart::Ipv6Net(upper) | KeyPart::SubnetIpv6(upper) => upper,
            KeyPart::Asn(number) => u64::from(number),
            KeyPart::Agent(AgentTag(tag)) => tag,
            KeyPart::User(UserTag(tag)) => tag,
            KeyPart::Function(FunctionTag(tag)) => tag,
            KeyPart::Log(LogTag(tag)) => tag,
            KeyPart::Global => 0,
        };
        state.write_u64(value);
        std::mem::discriminant(self).hash(state);
    }
}

impl KeyPart {
    #[inline(always)]
    fn of_auth(field: KeyField, auth: &Auth) -> Option<KeyPart> {
        match field {
            KeyField::SourceIp => auth.source.map(KeyPart::source_ip),
            KeyField::SourceSubnet => auth.source.map(KeyPart::source_subnet),
            KeyField::SourceAsn => auth.asn.map(KeyPart::Asn),
            KeyField::UserAgent => auth.agent.map(KeyPart::Agent),
            KeyField::User => auth.user.map(KeyPart::User),
            // No login is a function's, nor does it tell its log.
            KeyField::Function | KeyField::Log => None,
            KeyField::Global => Some(KeyPart::Global),
        }
    }

    /// Which field it is a value of.
    pub fn field(&self) -> KeyField {
        match self {
            KeyPart::Ipv4(_) | KeyPart::Ipv6Net(_) => KeyField::SourceIp,
            KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_) => KeyField::SourceSubnet,
            KeyPart::Asn(_) => KeyField::SourceAsn,
            KeyPart::Agent(_) => KeyField::UserAgent,
            KeyPart::User(_) => KeyField::User,
            KeyPart::Function(_) => KeyField::Function,
            KeyPart::Log(_) => KeyField::Log,
            KeyPart::Global => KeyField::Global,
        }
    }

    /// The value of [`KeyField::SourceIp`].
    #[inline(always)]
    pub fn source_ip(address: IpAddr) -> KeyPart {
        match v4_of(address) {
            Ok(v4) => KeyPart::Ipv4(v4),
            Err(v6) => KeyPart::Ipv6Net(upper_64(v6)),
        }
    }

    /// The value of [`KeyField::SourceSubnet`].
    #[inline(always)]
    pub fn source_subnet(address: IpAddr) -> KeyPart {
        match v4_of(address) {
            Ok(v4) => KeyPart::SubnetIpv4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            Err(v6) => KeyPart::SubnetIpv6(upper_64(v6)),
        }
    }
}

/// The IPv4 address that an address is, or stands for: see [`crate::signal::canonical`].
#[inline(always)]
fn v4_of(address: IpAddr) -> Result<Ipv4Addr, Ipv6Addr> {
    match address {
        IpAddr::V4(v4) => Ok(v4),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().ok_or(v6),
    }
}

fn upper_64(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyPart::Ipv4(v4) => write!(f, "{v4}"),
            KeyPart::SubnetIpv4(v4) => write!(f, "{v4}/24"),
            KeyPart::Ipv6Net(upper) | KeyPart::SubnetIpv6(upper) => {
                write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*upper) << 64))
            }
            KeyPart::Asn(number) => write!(f, "AS{number}"),
            KeyPart::Agent(AgentTag(tag)) => write!(f, "agent:{tag:016x}"),
            KeyPart::User(UserTag(tag)) => write!(f, "user:{tag:016x}"),
            KeyPart::Function(FunctionTag(tag)) => write!(f, "function:{tag:016x}"),
            KeyPart::Log(LogTag(tag)) => write!(f, "log:{tag:016x}"),
            KeyPart::Global => f.write_str("global"),
        }
    }
}

/// IPv4 dotted, IPv6 as `2001:db8:1:2::/64`, two fields joined by ` + `.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.second {
            None => write!(f, "{}", self.first),
            Some(second) => write!(f, "{} + {second}", self.first),
        }
    }
}

impl KeyField {
    /// Those that logins are counted by.
    pub const ALL: [KeyField; 6] = [
        KeyField::SourceIp,
        KeyField::SourceSubnet,
        KeyField::SourceAsn,
        KeyField::UserAgent,
        KeyField::User,
        KeyField::Global,
    ];

    /// The name in detector files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            KeyField::SourceIp => "source.ip",
            KeyField::SourceSubnet => "source.subnet",
            KeyField::SourceAsn => "source.asn",
            KeyField::UserAgent => "user_agent",
            KeyField::User => "user",
            KeyField::Function => "function",
            KeyField::Log => "log",
            KeyField::Global => "global",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_names_the_fields_and_no_value() {
        let source = |text: &str| KeyPart::source_ip(text.parse().expect("an address"));
        let subnet = |text: &str| KeyPart::source_subnet(text.parse().expect("an address"));
        let user = KeyPart::User(UserTag(7));
        let cases = [
            (source("192.0.2.1"), None, "a key by source.ip"),
            (source("2001:db8::1"), Some(user), "a key by source.ip and user"),
            (subnet("192.0.2.1"), None, "a key by source.subnet"),
            (user, Some(subnet("2001:db8::1")), "a key by user and source.subnet"),
            (KeyPart::Global, None, "a key by global"),
        ];
        for (first, second, kind) in cases {
            assert_eq!(Key { first, second }.kind(), kind);
        }
    }
}
