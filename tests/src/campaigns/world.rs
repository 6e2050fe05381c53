//! What happens in a simulated day: tries to log in, who planted them, and what the log says of them.
//!
//! Names are numbers here and become text only where a log is written; so a day of a million logins is made in
//! a second. Invariant: a day is a function of its seed and size alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// 2026-01-05T00:00:00Z, a Monday.
pub const START_MS: i64 = 1_767_571_200_000;
/// A minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day: how long a world lasts.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// One try to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Milliseconds after midnight.
    pub ms: i64,
    /// Where from.
    pub source: IpAddr,
    /// The name tried: an account below [`TYPO`], and none from there on.
    pub user: u64,
    /// Which log it stands in.
    pub log: Log,
    /// How it ended.
    pub end: End,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It got in.
    In,
    /// The account exists, the password was wrong, old or expired.
    WrongPassword,
    /// There is no such account.
    NoAccount,
}

/// What an application's log tells of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// Everything, and whether the account exists.
    Tells,
    /// Successes and failures, but not whether the account exists.
    Hides,
    /// Failures only, and whether the account exists.
    FailuresTell,
    /// Failures only, and nothing else of them.
    FailuresHide,
}

impl Log {
    /// All.
    pub const ALL: [Log; 4] = [Log::Tells, Log::Hides, Log::FailuresTell, Log::FailuresHide];

    /// Whether it says which accounts exist.
    pub fn tells(self) -> bool {
        matches!(self, Log::Tells | Log::FailuresTell)
    }

    /// Whether it has successes.
    pub fn has_successes(self) -> bool {
        matches!(self, Log::Tells | Log::Hides)
    }

    /// Whose log an account's application writes. Six in ten tell all; logs of failures only are the rarest.
    pub fn of_account(account: u64) -> Log {
        match account % 20 {
            0..=11 => Log::Tells,
            12..=16 => Log::Hides,
            17 => Log::FailuresTell,
            _ => Log::FailuresHide,
        }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Log::Tells => "tells all",
            Log::Hides => "hides who exists",
            Log::FailuresTell => "failures only",
            Log::FailuresHide => "failures only, hides",
        }
    }
}

/// From here on names are slips of somebody's finger.
pub const TYPO: u64 = 1 << 40;
/// From here on they are those of attackers' word lists, by rank.
pub const WORD: u64 = 1 << 41;
/// From here on they are those of a leak from elsewhere.
pub const LEAKED: u64 = 1 << 42;

/// A name as text.
pub fn name(user: u64) -> String {
    match user {
        0..TYPO => format!("customer{user}@example.com"),
        TYPO..WORD => format!("cstomer{}@example.com", user - TYPO),
        WORD..LEAKED => format!("word{}", user - WORD),
        _ => format!("m{}@mail.example", user - LEAKED),
    }
}

impl Try {
    /// Whether its log has a line about it.
    pub fn is_logged(&self) -> bool {
        self.log.has_successes() || self.end != End::In
    }

    /// Whether its log says that it is no account.
    pub fn is_known_to_be_none(&self) -> bool {
        self.log.tells() && self.end == End::NoAccount
    }
}

/// Home addresses, in /24s of ten customers each; one in seven is an IPv6 /64.
pub fn home(number: u64) -> IpAddr {
    let (net, host) = (number / 10, number % 10 * 25 + number % 7);
    if number % 7 == 3 {
        let [high, low] = [(net >> 16) as u16, net as u16];
        return Ipv6Addr::new(0x2001, 0xdb8, 0x4000 | high, low, 0, 0, 0, 1 + host as u16).into();
    }
    Ipv4Addr::from_bits(0x1800_0000 + ((net as u32) << 8) + host as u32).into()
}

/// Addresses of mobile carriers, each shared by thousands.
pub fn carrier(number: u64) -> IpAddr {
    Ipv4Addr::from_bits(0x6440_0000 + number as u32).into()
}

/// Addresses of offices.
pub fn office(number: u64) -> IpAddr {
    Ipv4Addr::from_bits(0x5000_0000 + ((number as u32) << 4)).into()
}

/// Addresses of what is planted, a /24 for each: from the range for benchmarks (RFC 2544).
pub fn planted(place: u64, host: u64) -> IpAddr {
    Ipv4Addr::from_bits(0xc612_0000 + ((place as u32) << 8) + host as u32).into()
}

/// Addresses rented all over one provider: a /16 for each place, 256 of them.
pub fn rented(place: u64, number: u64) -> IpAddr {
    let (place, number) = (place as u32 & 0xff, number as u32 & 0xffff);
    Ipv4Addr::from_bits(0x2d00_0000 | place << 16 | number).into()
}

/// A source of chance of its own for each part of a world.
pub fn strand(seed: u64, part: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(part);
    rng
}
