//! Guesses at passwords: stuffing of leaked pairs, spraying of one password, brute force on one account.
//!
//! Leaked lists hold each address once, so the honeypot's popularity of names has no say here; its pauses do.
//! How often a leaked pair fits is told by who sells protection against it: 0.1 to 2 % of tries. Here a fifth of
//! the addresses have an account, and one account in twenty still has that password: 1 %.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::attempt::{Attempt, Outcome};
use super::super::{HOUR_MS, MINUTE_MS};
use super::honeypot::{burst_gap_ms, gap_ms};
use super::{Scene, exponential_ms, web_door};

/// The share of a leak's addresses that have an account here.
const LEAKED_WITH_ACCOUNT: f64 = 0.2;

/// The share of those whose password still is the leaked one.
const LEAKED_AND_KEPT: f64 = 0.05;

const STUFFER: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 HeadlessChrome/120.0";
const SPRAYER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0";
const GUESSER: &str = "Go-http-client/1.1";

/// One source tries 1,500 leaked pairs at the pace of a burst.
pub(super) fn stuffing(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let mut time_ms = scene.days.at(rng.random_range(0.15..0.5));
    let mut attempts = Vec::new();
    for _ in 0..1_500 {
        attempts.push(leaked_pair(scene, time_ms, scene.host(1), rng));
        time_ms += burst_gap_ms(rng);
    }
    ("one address tries 1,500 leaked pairs of name and password".to_owned(), attempts)
}

/// Four hundred rented addresses try five to ten pairs each, at the honeypot's pace, within three hours.
pub(super) fn stuffing_by_proxies(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    const PROXIES: u32 = 400;
    let from = scene.days.at(rng.random_range(0.1..0.25));
    let mut attempts = Vec::new();
    for proxy in 0..PROXIES {
        let mut time_ms = from + rng.random_range(0..3 * HOUR_MS);
        for _ in 0..rng.random_range(5..=10) {
            attempts.push(leaked_pair(scene, time_ms, scene.bot(proxy), rng));
            time_ms += gap_ms(rng);
        }
    }
    ("400 rented addresses try five to ten leaked pairs each".to_owned(), attempts)
}

fn leaked_pair(scene: &Scene, time_ms: i64, source: IpAddr, rng: &mut ChaCha8Rng) -> Attempt {
    let (user, outcome) = if rng.random_bool(LEAKED_WITH_ACCOUNT) {
        let fits = rng.random_bool(LEAKED_AND_KEPT);
        (scene.account(rng), if fits { Outcome::Success } else { Outcome::WrongPassword })
    } else {
        // A mail domain no customer uses.
        (format!("m{:07}@mail.example", rng.random_range(0..10_000_000)), Outcome::UnknownUser)
    };
    Attempt { time_ms, source, user, outcome, door: web_door(rng), agent: STUFFER }
}

/// One source tries one password after the other on two hundred accounts, for an hour.
pub(super) fn spray(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let what = "one address tries two or three passwords on 200 accounts each, within an hour";
    (what.to_owned(), sprayed(scene, 1, rng))
}

/// The same from twelve addresses of one /24, which call themselves alike.
pub(super) fn spray_from_a_subnet(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let what = "twelve addresses of one /24 try two or three passwords on 200 accounts each, within an hour";
    (what.to_owned(), sprayed(scene, 12, rng))
}

/// A round a password: at so many tries an hour the mean pause, 7.2 s, is about the honeypot's median.
fn sprayed(scene: &Scene, hosts: u8, rng: &mut ChaCha8Rng) -> Vec<Attempt> {
    const ROUNDS: i64 = 3;
    let from = scene.days.at(rng.random_range(0.2..0.7));
    let users: Vec<String> = (0..200).map(|_| scene.account(rng)).collect();
    let mut attempts = Vec::new();
    for round in 0..ROUNDS {
        for user in &users {
            // One in six is locked, or skipped, in a round.
            if rng.random_bool(1.0 / 6.0) {
                continue;
            }
            attempts.push(Attempt {
                time_ms: from + round * 20 * MINUTE_MS + rng.random_range(0..20 * MINUTE_MS),
                source: scene.host(rng.random_range(1..=hosts)),
                user: user.clone(),
                outcome: Outcome::WrongPassword,
                door: web_door(rng),
                agent: SPRAYER,
            });
        }
    }
    attempts
}

/// One source guesses one account's password at the pace of a burst.
pub(super) fn brute_force(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let mut time_ms = scene.days.at(rng.random_range(0.2..0.6));
    let user = scene.account(rng);
    let mut attempts = Vec::new();
    for _ in 0..600 {
        attempts.push(guess(time_ms, scene.host(1), &user, rng));
        time_ms += burst_gap_ms(rng);
    }
    ("one address guesses the password of one account 600 times".to_owned(), attempts)
}

/// Three hundred sources guess one account's password two to four times each within two hours.
pub(super) fn brute_force_by_many(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    const SOURCES: u32 = 300;
    let from = scene.days.at(rng.random_range(0.2..0.6));
    let user = scene.account(rng);
    let mut attempts = Vec::new();
    for bot in 0..SOURCES {
        let mut time_ms = from + rng.random_range(0..2 * HOUR_MS);
        for _ in 0..rng.random_range(2..=4) {
            attempts.push(guess(time_ms, scene.bot(bot), &user, rng));
            time_ms += 1_000 + exponential_ms(16_000.0, rng);
        }
    }
    ("300 addresses guess the password of one account two to four times each".to_owned(), attempts)
}

fn guess(time_ms: i64, source: IpAddr, user: &str, rng: &mut ChaCha8Rng) -> Attempt {
    let outcome = Outcome::WrongPassword;
    Attempt { time_ms, source, user: user.to_owned(), outcome, door: web_door(rng), agent: GUESSER }
}
