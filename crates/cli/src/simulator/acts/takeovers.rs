//! Takeovers: each attack again, by somebody else, and this time it gets in.
//!
//! The success comes from the source of the attack's last try, some minutes later, and the account is used
//! once more: a list's owner looks at what the list was worth.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::MINUTE_MS;
use super::super::attempt::{Attempt, Outcome};
use super::honeypot::gap_ms;
use super::{Scene, guesses, scans};

/// A scan of 150 names, then an account.
pub(super) fn after_scan(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let from = scene.days.at(rng.random_range(0.1..0.5));
    let attempts = scans::list(scene, [150, from], gap_ms, rng);
    gets_in(scene, "one address tries 150 unknown names".to_owned(), attempts, rng)
}

/// The same when there is a day's traffic to compare with; what follows is the shop's to tell.
pub(super) fn then_collects(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let from = scene.days.at(rng.random_range(0.65..0.7));
    let attempts = scans::list(scene, [60, from], |_| MINUTE_MS / 4, rng);
    let what =
        "one address tries 60 unknown names, gets in and fetches 600 orders twice".to_owned();
    gets_in(scene, what, attempts, rng)
}

pub(super) fn after_stuffing(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, attempts) = guesses::stuffing(scene, rng);
    gets_in(scene, what, attempts, rng)
}

pub(super) fn after_spray(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, attempts) = guesses::spray(scene, rng);
    gets_in(scene, what, attempts, rng)
}

pub(super) fn after_brute_force(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, attempts) = guesses::brute_force(scene, rng);
    gets_in(scene, what, attempts, rng)
}

pub(super) fn after_many(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, attempts) = guesses::brute_force_by_many(scene, rng);
    gets_in(scene, what, attempts, rng)
}

pub(super) fn after_distributed(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, attempts) = scans::distributed(scene, rng);
    gets_in(scene, what, attempts, rng)
}

/// A slow scan that ends before the world does, so that the account is seen to be used.
pub(super) fn after_slow_scan(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let (what, mut attempts) = scans::slow(scene, rng);
    attempts.retain(|attempt| attempt.time_ms < scene.days.at(0.8));
    gets_in(scene, what, attempts, rng)
}

/// The account that was guessed last, or anybody's where only unknown names were tried.
fn gets_in(
    scene: &Scene,
    what: String,
    mut attempts: Vec<Attempt>,
    rng: &mut ChaCha8Rng,
) -> (String, Vec<Attempt>) {
    attempts.retain(|attempt| scene.days.contains(attempt.time_ms));
    attempts.sort_by_key(|attempt| attempt.time_ms);
    let Some(last) = attempts.last() else { return (what, attempts) };
    let guessed = attempts.iter().rfind(|attempt| attempt.outcome == Outcome::WrongPassword);
    let user = guessed.map_or_else(|| scene.account(rng), |attempt| attempt.user.clone());
    let mut time_ms = last.time_ms;
    let template = last.clone();
    for _ in 0..2 {
        time_ms += rng.random_range(MINUTE_MS..5 * MINUTE_MS);
        let user = user.clone();
        attempts.push(Attempt { time_ms, user, outcome: Outcome::Success, ..template.clone() });
    }
    (format!("{what}, and then gets into an account"), attempts)
}
