//! What looks like an attack and is none: people with expired passwords, a rush of customers, programs nobody
//! has told the new password, and testers who were asked to come.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::attempt::{Attempt, Door, Outcome};
use super::super::population::{self, OFFICE_AGENT, STAFF, Slips, Visit};
use super::super::{HOUR_MS, MINUTE_MS};
use super::honeypot::{burst_gap_ms, gap_ms};
use super::{Scene, unknown, web_door};

/// Another office of the same size, on the day when a third of its passwords expire. Whoever is told so tries
/// again once or twice, sets a new one, and gets in minutes later.
pub(super) fn password_expiry(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let source = IpAddr::from([198, 19, 18, 18]);
    let nine = scene.days.nine_o_clock();
    let mut attempts = Vec::new();
    for number in STAFF..2 * STAFF {
        let bell: i64 = (0..3).map(|_| rng.random_range(-20 * MINUTE_MS..20 * MINUTE_MS)).sum();
        let door = Door::of_shop(rng.random());
        let user = population::staff(number);
        let mut time_ms = nine + bell;
        if rng.random_bool(1.0 / 3.0) {
            for _ in 0..rng.random_range(1..=3) {
                let (outcome, user) = (Outcome::ExpiredPassword, user.clone());
                let agent = OFFICE_AGENT;
                attempts.push(Attempt { time_ms, source, user, outcome, door, agent });
                time_ms += rng.random_range(5_000..30_000);
            }
            time_ms += rng.random_range(MINUTE_MS..6 * MINUTE_MS);
        }
        let slips = Slips { typo: 0.04, wrong: 0.06, expired: 0.0 };
        let visit = Visit { time_ms, source, door, agent: OFFICE_AGENT, slips };
        scene.population.play(&visit, &user, rng, &mut attempts);
    }
    let what =
        format!("{STAFF} people behind one IPv4 address, a third of them with an expired password");
    (what, attempts)
}

/// Ten times the usual logins for an hour, by people in more of a hurry.
pub(super) fn marketing_spike(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    const TIMES: u32 = 10;
    let from = scene.days.at(0.6);
    let slips = Slips { typo: 0.06, wrong: 0.1, expired: 0.0 };
    let mut attempts = Vec::new();
    for _ in 0..TIMES * scene.population.visits_per_hour() {
        let time_ms = from + rng.random_range(0..HOUR_MS);
        scene.population.visit_from_anywhere(time_ms, slips, rng, &mut attempts);
    }
    ("ten times the usual customers for an hour, with more typos".to_owned(), attempts)
}

pub(super) fn broken_client_5s(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    broken_client(scene, "price-feed@example.net", 5_000, rng)
}

pub(super) fn broken_client_30s(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    broken_client(scene, "label-printer@example.net", 30_000, rng)
}

pub(super) fn broken_client_5min(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    broken_client(scene, "ledger-export@example.net", 5 * MINUTE_MS, rng)
}

/// A program with a stale password, trying again after every `pause_ms`, for up to eight hours.
fn broken_client(
    scene: &Scene,
    user: &str,
    pause_ms: i64,
    rng: &mut ChaCha8Rng,
) -> (String, Vec<Attempt>) {
    let mut time_ms = scene.days.at(rng.random_range(0.1..0.3));
    let until = scene.days.end_ms.min(time_ms + 8 * HOUR_MS);
    let mut attempts = Vec::new();
    while time_ms < until {
        attempts.push(Attempt {
            time_ms,
            source: scene.host(1),
            user: user.to_owned(),
            outcome: Outcome::WrongPassword,
            door: Door::Partner,
            agent: "okhttp/4.9.3",
        });
        time_ms += pause_ms + rng.random_range(-pause_ms / 20..=pause_ms / 20);
    }
    let what =
        format!("a program retries one account with a stale password every {} s", pause_ms / 1_000);
    (what, attempts)
}

/// Testers from a range they have named beforehand: a scan, a spray and some guessing. An attack in all but
/// intent, so only a list of ranges can keep it quiet.
pub(super) fn pentest(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let host = |number| IpAddr::from([192, 0, 2, number]);
    let from = scene.days.at(rng.random_range(0.3..0.5));
    let mut attempts = Vec::new();
    let mut time_ms = from;
    for name in scene.wordlist.draw(200, rng) {
        attempts.push(unknown(time_ms, host(10), name, web_door(rng)));
        time_ms += gap_ms(rng);
    }
    let victim = scene.account(rng);
    let users: Vec<String> = (0..100).map(|_| scene.account(rng)).collect();
    let guesses = std::iter::repeat_n(&victim, 200).map(|user| (12, user));
    time_ms = from + 20 * MINUTE_MS;
    for (number, user) in users.iter().map(|user| (11, user)).chain(guesses) {
        attempts.push(Attempt {
            time_ms,
            source: host(number),
            user: user.clone(),
            outcome: Outcome::WrongPassword,
            door: web_door(rng),
            agent: "",
        });
        time_ms += burst_gap_ms(rng);
    }
    for attempt in &mut attempts {
        attempt.agent = "Mozilla/5.0 (pentest 2026-01)";
    }
    let what = "testers who were asked to come scan, spray and guess from 192.0.2.0/24";
    (what.to_owned(), attempts)
}
