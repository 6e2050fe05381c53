//! Which autonomous system announces an address of a simulated day.
//!
//! A few access providers have most homes, and many have some: shares fall as one over the rank, an assumption that
//! is near what is published of most countries. Attackers rent at a few hosting companies, at which one office in
//! ten has its remote desktops and its way out too. Numbers are those for private use (RFC 6996).
//!
//! Invariant: it is a function of the address, so it takes no chance from the rest of the day.

use std::net::IpAddr;

use super::agents::{Origin, mixed, origin};

/// Access providers.
const PROVIDERS: f64 = 60.0;
/// Mobile carriers.
const CARRIERS: u64 = 3;
/// Providers of offices.
const OF_OFFICES: u64 = 20;
/// Hosting companies.
const HOSTS: u64 = 8;

const FIRST: u32 = 64_512;
const CARRIER: u32 = FIRST + 100;
const OFFICE: u32 = FIRST + 200;
const HOST: u32 = FIRST + 300;

/// The number of the system.
pub fn asn(source: IpAddr) -> u32 {
    match origin(source) {
        // Providers announce blocks of many networks.
        Origin::Home(bits) => FIRST + by_rank(mixed(bits >> 14)),
        Origin::Carrier => CARRIER + (bits(source) % CARRIERS) as u32,
        Origin::Office(bits) if mixed(bits).is_multiple_of(10) => hosting(mixed(bits + 1)),
        Origin::Office(bits) => OFFICE + (mixed(bits + 1) % OF_OFFICES) as u32,
        Origin::Planted(network) => hosting(mixed(network)),
        Origin::Rented(place) => hosting(place),
    }
}

/// Whether hardly anybody but attackers comes from a system.
pub fn is_hosting(asn: u32) -> bool {
    asn >= HOST
}

fn hosting(number: u64) -> u32 {
    HOST + (number % HOSTS) as u32
}

fn bits(source: IpAddr) -> u64 {
    match source {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

/// A rank from 0, by a roll: log-uniform, so each has a share of about one over it.
fn by_rank(roll: u64) -> u32 {
    let uniform = (roll >> 11) as f64 / (1u64 << 53) as f64;
    (PROVIDERS.powf(uniform) - 1.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::world::{carrier, home, office, planted, rented};
    use std::collections::HashMap;

    #[test]
    fn the_largest_provider_has_a_sixth_of_homes_and_hosting_companies_have_none() {
        let mut shares: HashMap<u32, u32> = HashMap::new();
        (0..200_000).for_each(|nth| *shares.entry(asn(home(nth))).or_default() += 1);
        let most = shares.values().max().expect("providers");
        assert!((20_000..60_000).contains(most), "{most}");
        assert!(shares.len() > 30 && !shares.keys().any(|system| is_hosting(*system)));
        let of_offices = (0..1_000).filter(|nth| is_hosting(asn(office(*nth)))).count();
        assert!((60..150).contains(&of_offices), "{of_offices}");
        assert!(!is_hosting(asn(carrier(7))) && is_hosting(asn(planted(3, 1))));
        // All that one attacker rents is of one company.
        let systems: Vec<u32> = (0..500).map(|nth| asn(rented(5, nth * 131))).collect();
        assert!(systems.windows(2).all(|pair| pair[0] == pair[1]) && is_hosting(systems[0]));
    }
}
