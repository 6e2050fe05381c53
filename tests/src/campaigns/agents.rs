//! What the clients of a simulated day call themselves.
//!
//! A few versions of a few browsers make most of it, as browsers cut their names down on purpose (Chrome tells neither
//! the build nor the device: https://www.chromium.org/updates/ua-reduction/), and a long tail of old builds and apps the
//! rest. A person has one device, a household two; a company manages one browser. Half of attackers with addresses of
//! their own leave a library's name, a quarter take one browser's, a quarter another for each try; bots send what
//! everybody does. Shares are assumptions, on the side of more people under one name.
//!
//! Invariant: it is a function of who tries, so that one person keeps one client, and takes no chance from the rest of
//! the day.

use std::net::IpAddr;

use super::world::{TYPO, Try};

/// The names most clients have, and how many in a thousand.
const COMMON: [(&str, u64); 9] = [
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36",
        300,
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
        200,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
        190,
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0",
        70,
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
        50,
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
        40,
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0", 30),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
        20,
    ),
    ("shop-app/7.4.1 (iOS)", 40),
];

/// Different names in the tail.
const TAIL: u64 = 3_000;

/// What a script sends that says nothing else.
const LIBRARIES: [&str; 3] = ["python-requests/2.32.5", "Go-http-client/1.1", "okhttp/4.12.0"];

/// What the client of a try calls itself.
pub fn agent(tried: &Try) -> String {
    match origin(tried.source) {
        Origin::Office(network) => common(mixed(network)),
        // A household has two devices, and a slip of the finger stays on its own.
        Origin::Home(source) => common(mixed(source ^ (mixed(tried.user.min(TYPO)) % 2))),
        Origin::Carrier => common(mixed(tried.user)),
        Origin::Planted(network) | Origin::Rented(network) => match mixed(network) % 4 {
            0 | 1 => LIBRARIES[(mixed(network) / 4 % 3) as usize].to_owned(),
            2 => common(mixed(network + 1)),
            _ => common(mixed(tried.ms as u64)),
        },
    }
}

/// Whose a source is.
pub(super) enum Origin {
    /// An office's address.
    Office(u64),
    /// A home's.
    Home(u64),
    /// A mobile carrier's.
    Carrier,
    /// Of an attacker's own network.
    Planted(u64),
    /// Of what an attacker rents all over one provider.
    Rented(u64),
}

/// By the ranges that addresses are given out from.
pub(super) fn origin(source: IpAddr) -> Origin {
    match source {
        IpAddr::V6(v6) => Origin::Home((v6.to_bits() >> 64) as u64),
        IpAddr::V4(v4) => {
            let bits = u64::from(v4.to_bits());
            match v4.octets() {
                [0x50, ..] => Origin::Office(bits),
                [0x64, ..] => Origin::Carrier,
                [0xc6, ..] => Origin::Planted(bits >> 8),
                [0x2d, place, ..] => Origin::Rented(place.into()),
                _ => Origin::Home(bits),
            }
        }
    }
}

/// A client by its popularity, for a roll.
fn common(roll: u64) -> String {
    let mut left = roll % 1_000;
    for (name, share) in COMMON {
        match left.checked_sub(share) {
            Some(less) => left = less,
            None => return name.to_owned(),
        }
    }
    format!("Mozilla/5.0 (build {}) old", mixed(roll) % TAIL)
}

/// SplitMix64's finaliser (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
pub(super) fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::world::{End, Log, carrier, home, office, planted};

    fn of(source: IpAddr, user: u64) -> String {
        agent(&Try { ms: user as i64, source, user, log: Log::Tells, end: End::In })
    }

    #[test]
    fn most_people_have_one_of_a_few_names_and_a_company_has_one() {
        let names = |source: fn(u64) -> IpAddr| {
            let mut all: Vec<String> = (0..20_000).map(|nth| of(source(nth), nth)).collect();
            all.sort();
            let mut counts: Vec<usize> = all.chunk_by(|a, b| a == b).map(<[String]>::len).collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            counts
        };
        for counts in [names(home), names(|nth| carrier(nth % 100))] {
            let most: usize = counts.iter().take(COMMON.len()).sum();
            assert!((18_000..19_500).contains(&most), "{most}");
            assert!(counts.len() > 500, "{} names", counts.len());
        }
        assert_eq!(names(|_| office(7)).len(), 1);
    }

    #[test]
    fn a_person_keeps_a_client_and_half_of_attackers_leave_a_librarys_name() {
        assert_eq!(of(home(9), 12), of(home(9), 12));
        let scripted =
            (0..1_000).filter(|place| LIBRARIES.contains(&of(planted(*place, 1), 5).as_str()));
        assert!((450..550).contains(&scripted.count()));
    }
}
