//! The acts of the demo: attacks, and harmless things that look like attacks.
//!
//! Paces are assumptions about how such tools and people behave, not measurements of single sources (a
//! honeypot's log gives all sources together), and no threshold of a detector went into any of them. A
//! scanner's names come from [`super::super::names::Wordlist`]; none of them has an account here.

use std::net::{IpAddr, Ipv6Addr};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::MINUTE_MS;
use super::super::attempt::{Attempt, Door, Outcome};
use super::super::population::{self, OFFICE_AGENT, STAFF, STALE_ACCOUNT, Slips};
use super::{Scene, exponential_ms, unknown, web_door};

/// Works through a list from one address as fast as a careful script does, some names twice.
pub(super) fn fast_scanner(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([203, 0, 113, 66]);
    let mut time_ms = scene.days.at(0.3);
    let mut attempts = Vec::new();
    for name in scene.wordlist.draw(340, rng) {
        for _ in 0..if rng.random_bool(0.15) { 2 } else { 1 } {
            attempts.push(unknown(time_ms, source, name, web_door(rng)));
            time_ms += exponential_ms(900.0, rng);
        }
    }
    ("one IPv4 address works through 340 unknown names at about one a second".to_owned(), attempts)
}

/// The same with a subscriber's whole /64 to hide in: a fresh address every few tries.
pub(super) fn ipv6_scanner(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let mut time_ms = scene.days.at(0.55);
    let mut attempts = Vec::new();
    let mut source = in_scanner_net(rng);
    for name in scene.wordlist.draw(260, rng) {
        if rng.random_bool(0.5) {
            source = in_scanner_net(rng);
        }
        attempts.push(unknown(time_ms, source, name, web_door(rng)));
        time_ms += exponential_ms(3_500.0, rng);
    }
    (
        "260 unknown names in a quarter of an hour, changing address inside one IPv6 /64"
            .to_owned(),
        attempts,
    )
}

/// Guesses one account's password, three tries a connection as sshd's clients do by default.
pub(super) fn ssh_brute_force(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([198, 51, 100, 99]);
    let mut time_ms = scene.days.at(0.2);
    let mut attempts = Vec::new();
    for number in 0..900 {
        attempts.push(Attempt {
            time_ms: time_ms - time_ms.rem_euclid(1_000),
            source,
            user: "deploy".to_owned(),
            outcome: Outcome::WrongPassword,
            door: Door::Bastion,
            agent: "",
        });
        let pause_ms = if number % 3 == 2 { 4_000.0 } else { 2_200.0 };
        time_ms += 500 + exponential_ms(pause_ms, rng);
    }
    ("one IPv4 address guesses the password of one known account over ssh".to_owned(), attempts)
}

/// One name every three to five minutes for the whole time, or until the word list ends (after some 68
/// hours): patient, and in no hurry.
pub(super) fn slow_scanner(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([198, 51, 100, 23]);
    let mut time_ms = scene.days.start_ms + rng.random_range(0..3 * MINUTE_MS);
    let tries_max = (scene.days.length_ms() / (3 * MINUTE_MS)) as usize + 1;
    let mut attempts = Vec::new();
    for name in scene.wordlist.draw(tries_max, rng) {
        attempts.push(unknown(time_ms, source, name, web_door(rng)));
        time_ms += rng.random_range(3 * MINUTE_MS..5 * MINUTE_MS);
    }
    (
        "one IPv4 address tries one unknown name every three to five minutes, all the time"
            .to_owned(),
        attempts,
    )
}

/// Many addresses, one to three names each. They look like customers' addresses, as a botnet's do.
pub(super) fn distributed_scan(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    const SOURCES: u32 = 300;
    let from = scene.days.at(0.45);
    let until = from + 40 * MINUTE_MS;
    let mut attempts = Vec::new();
    for bot in 0..SOURCES {
        let source = population::carrier_address(scene.population.sources() + bot);
        let mut time_ms = rng.random_range(from..until);
        let tries = rng.random_range(1..=3);
        for name in scene.wordlist.draw(tries, rng) {
            attempts.push(unknown(time_ms, source, name, web_door(rng)));
            time_ms += 2_000 + exponential_ms(20_000.0, rng);
        }
    }
    (
        format!("{SOURCES} addresses try one to three unknown names each within forty minutes"),
        attempts,
    )
}

/// Monday morning behind one address: most people come around nine, more typos than at home, and one
/// password in eight has expired over the weekend.
pub(super) fn office(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([198, 19, 17, 17]);
    let nine = scene.days.nine_o_clock();
    let mut attempts = Vec::new();
    for number in 0..STAFF {
        // The sum of three uniform variates: a bell 20 minutes wide (one sigma), no tail beyond an hour.
        let bell: i64 = (0..3).map(|_| rng.random_range(-20 * MINUTE_MS..20 * MINUTE_MS)).sum();
        let door = Door::of_shop(rng.random());
        let slips = Slips { typo: 0.04, wrong: 0.06, expired: 0.12 };
        let visit =
            population::Visit { time_ms: nine + bell, source, door, agent: OFFICE_AGENT, slips };
        scene.population.play(&visit, &population::staff(number), rng, &mut attempts);
    }
    let what = format!(
        "{STAFF} people behind one IPv4 address log in around nine, with typos and expired passwords"
    );
    (what, attempts)
}

/// A program nobody has told the new password, trying again every ten seconds. Harmless, yet one known
/// account failing from one source without end is what a brute force looks like too.
pub(super) fn broken_client(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([198, 19, 77, 77]);
    let mut time_ms = scene.days.at(0.1);
    let mut attempts = Vec::new();
    while time_ms < scene.days.end_ms {
        attempts.push(Attempt {
            time_ms,
            source,
            user: STALE_ACCOUNT.to_owned(),
            outcome: Outcome::WrongPassword,
            door: Door::Partner,
            agent: "",
        });
        time_ms += rng.random_range(9_500..10_500);
    }
    let what = "a program retries one known account with a stale password every ten seconds; a count of \
                failures cannot tell it from a brute force";
    (what.to_owned(), attempts)
}

/// A new address in the IPv6 scanner's /64.
fn in_scanner_net(rng: &mut ChaCha8Rng) -> IpAddr {
    let net = Ipv6Addr::new(0x2001, 0xdb8, 0x5ca, 7, 0, 0, 0, 0).to_bits();
    Ipv6Addr::from_bits(net | u128::from(rng.random::<u64>())).into()
}
