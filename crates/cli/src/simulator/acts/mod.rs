//! What is planted in the traffic: attacks, and harmless things that look like attacks, each an act.
//!
//! No detector's threshold went into any act. How attackers pace themselves is [`honeypot`]'s; whom they try is
//! their own business: names of a [`Wordlist`] that have no account here, or accounts that a leak has told them.
//!
//! Invariant: no planted source is used by anybody else, so all lines of a source are its act's. The one
//! exception is a crowd of customers, whose sources are customers'; of it no source is told.

mod crowds;
mod demo;
mod guesses;
mod honeypot;
mod scans;
mod takeovers;

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::attempt::{Attempt, Door, Outcome};
use super::names::Wordlist;
use super::population::{self, Population};
use super::scenario::{EXFILTRATION, Scenario};
use super::{Days, PlantedKind, Strand, strand};

/// One thing planted: its attempts, not sorted.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) what: String,
    pub(super) kind: PlantedKind,
    pub(super) attempts: Vec<Attempt>,
}

/// What an act may look at.
struct Scene<'a> {
    days: Days,
    population: &'a Population,
    wordlist: &'a Wordlist,
    /// The act's place in [`ACTS`], from which it has addresses of its own.
    place: u8,
}

/// Writes one act's attempts and says what it does.
type Script = fn(&Scene, &mut ChaCha8Rng) -> (String, Vec<Attempt>);

/// An act as it stands in the programme.
struct Entry {
    name: &'static str,
    kind: PlantedKind,
    /// The scenarios it is part of, besides `all` and `quiet`.
    scenarios: &'static [&'static str],
    script: Script,
}

const fn attack(name: &'static str, scenarios: &'static [&'static str], script: Script) -> Entry {
    Entry { name, kind: PlantedKind::Attack, scenarios, script }
}

const fn benign(name: &'static str, scenarios: &'static [&'static str], script: Script) -> Entry {
    Entry { name, kind: PlantedKind::Benign, scenarios, script }
}

/// All acts, in the order they are told. An act's place is its random strand: new ones go last.
const ACTS: [Entry; 31] = [
    attack("fast scanner", &["demo"], demo::fast_scanner),
    attack("IPv6 scanner", &["demo", "scan"], demo::ipv6_scanner),
    attack("ssh brute force", &["demo", "brute-force"], demo::ssh_brute_force),
    attack("slow scanner", &["demo"], demo::slow_scanner),
    attack("distributed scan", &["demo"], demo::distributed_scan),
    benign("office", &["demo", "office"], demo::office),
    benign("broken client", &["demo"], demo::broken_client),
    attack("scan", &["scan"], scans::scan),
    attack("scan, in a burst", &["scan"], scans::burst),
    attack("stuffing, one source", &["stuffing"], guesses::stuffing),
    attack("stuffing, 400 proxies", &["stuffing"], guesses::stuffing_by_proxies),
    attack("spray, one source", &["spray"], guesses::spray),
    attack("spray, one /24", &["spray"], guesses::spray_from_a_subnet),
    attack("brute force, one source", &["brute-force"], guesses::brute_force),
    attack("brute force, 300 sources", &["brute-force"], guesses::brute_force_by_many),
    attack("scan, one name in 20 min", &["slow-scan"], scans::slow),
    attack("scan, 10,000 sources", &["distributed"], scans::distributed),
    attack("takeover after a scan", &["takeover"], takeovers::after_scan),
    attack("takeover after stuffing", &["takeover"], takeovers::after_stuffing),
    attack("takeover after a spray", &["takeover"], takeovers::after_spray),
    attack("takeover after brute force", &["takeover"], takeovers::after_brute_force),
    attack("takeover after 300 sources", &["takeover"], takeovers::after_many),
    attack("takeover after a slow scan", &["takeover"], takeovers::after_slow_scan),
    attack("takeover after 10,000 sources", &["takeover"], takeovers::after_distributed),
    benign("password expiry", &["password-expiry"], crowds::password_expiry),
    benign("marketing spike", &["marketing-spike"], crowds::marketing_spike),
    benign("broken client, 5 s", &["broken-client"], crowds::broken_client_5s),
    benign("broken client, 30 s", &["broken-client"], crowds::broken_client_30s),
    benign("broken client, 5 min", &["broken-client"], crowds::broken_client_5min),
    benign("pentest", &["pentest"], crowds::pentest),
    attack("data carried off", &[EXFILTRATION], takeovers::then_collects),
];

/// The act whose people are customers at their own addresses.
pub(super) const CROWD: &str = "marketing spike";

/// The act that a deployment would be told of beforehand.
pub(super) const ANNOUNCED: &str = "pentest";

impl Entry {
    fn is_part_of(&self, scenario: &str) -> bool {
        // Without the gateway's log there would be nothing to see of what is carried off.
        let stands_alone = self.scenarios == ["demo"] || self.scenarios == [EXFILTRATION];
        match scenario {
            "all" => !stands_alone,
            "quiet" => self.kind == PlantedKind::Benign && !stands_alone && self.name != ANNOUNCED,
            scenario => self.scenarios.contains(&scenario),
        }
    }
}

/// Plays the acts of a scenario. Attempts that would fall outside the world are dropped.
pub(super) fn acts(
    scenario: &Scenario,
    seed: u64,
    days: Days,
    population: &Population,
) -> Vec<Act> {
    let wordlist = Wordlist::new();
    let places = ACTS.iter().zip(0..).filter(|(entry, _)| entry.is_part_of(scenario.name));
    let play = |(entry, place): (&Entry, u8)| {
        let scene = Scene { days, population, wordlist: &wordlist, place };
        let (what, mut attempts) = (entry.script)(&scene, &mut strand(seed, Strand::Act(place), 0));
        attempts.retain(|attempt| days.contains(attempt.time_ms));
        Act { name: entry.name, what, kind: entry.kind, attempts }
    };
    places.map(play).collect()
}

/// Bots of one act at most.
const BOTS_MAX: u32 = 1 << 14;

impl Scene<'_> {
    /// An address of this act alone, in the range for benchmarks (RFC 2544). All of an act are in one /24.
    fn host(&self, number: u8) -> IpAddr {
        IpAddr::from([198, 18, self.place, number])
    }

    /// An address of this act alone that looks like a customer's, as a botnet's and a proxy seller's do.
    fn bot(&self, number: u32) -> IpAddr {
        debug_assert!(number < BOTS_MAX);
        population::carrier_address(FIRST_BOT + u32::from(self.place) * BOTS_MAX + number)
    }

    /// The name of somebody's account.
    fn account(&self, rng: &mut ChaCha8Rng) -> String {
        population::customer(rng.random_range(0..self.population.accounts()))
    }
}

/// The first source number that is a bot's; customers have those below.
const FIRST_BOT: u32 = super::SOURCES_MAX;
const _: () = assert!(
    FIRST_BOT as u64 + ACTS.len() as u64 * BOTS_MAX as u64 <= population::CARRIER_ADDRESSES as u64
);

fn unknown(time_ms: i64, source: IpAddr, name: &str, door: Door) -> Attempt {
    Attempt {
        time_ms,
        source,
        user: name.to_owned(),
        outcome: Outcome::UnknownUser,
        door,
        agent: "",
    }
}

/// Scanners use every door of the shop, in customers' proportions.
fn web_door(rng: &mut ChaCha8Rng) -> Door {
    Door::of_shop(rng.random())
}

/// The pause to the next event of a Poisson process, in milliseconds.
fn exponential_ms(mean_ms: f64, rng: &mut ChaCha8Rng) -> i64 {
    (-(1.0 - rng.random::<f64>()).ln() * mean_ms) as i64
}
