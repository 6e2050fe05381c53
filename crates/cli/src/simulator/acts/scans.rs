//! Scans: whoever tries names to learn which of them exist, at one pace or another.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::MINUTE_MS;
use super::super::attempt::Attempt;
use super::honeypot::{burst_gap_ms, gap_ms, times_in_a_row};
use super::{Scene, unknown, web_door};

/// What scanners' libraries call themselves.
const AGENT: &str = "python-requests/2.32.3";

/// One source works through a list at the honeypot's pace.
pub(super) fn scan(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let what = "one address works through 400 unknown names, one every 18 seconds on average";
    let from = scene.days.at(rng.random_range(0.1..0.3));
    (what.to_owned(), list(scene, [400, from], gap_ms, rng))
}

/// The same at the pace of the honeypot's bursts.
pub(super) fn burst(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let what = "one address works through 600 unknown names in a quarter of an hour";
    let from = scene.days.at(rng.random_range(0.4..0.7));
    (what.to_owned(), list(scene, [600, from], burst_gap_ms, rng))
}

/// One name every twenty minutes, give or take five, for the whole time.
pub(super) fn slow(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    let mut time_ms = scene.days.start_ms + rng.random_range(0..20 * MINUTE_MS);
    let tries = (scene.days.length_ms() / (15 * MINUTE_MS)) as usize + 1;
    let mut attempts = Vec::new();
    for name in scene.wordlist.draw(tries, rng) {
        attempts.push(by_script(unknown(time_ms, scene.host(1), name, web_door(rng))));
        time_ms += rng.random_range(15 * MINUTE_MS..25 * MINUTE_MS);
    }
    ("one address tries one unknown name every twenty minutes, all the time".to_owned(), attempts)
}

/// Ten thousand sources, one try each, at random times of two thirds of the world. Nobody keeps account of who has
/// tried which name, so popular ones come as often as the honeypot saw them.
pub(super) fn distributed(scene: &Scene, rng: &mut ChaCha8Rng) -> (String, Vec<Attempt>) {
    const SOURCES: u32 = 10_000;
    let [from, until] = [0.17, 0.83].map(|share| scene.days.at(share));
    let attempts = (0..SOURCES).map(|bot| {
        let time_ms = rng.random_range(from..until);
        let name = scene.wordlist.pick(rng);
        by_script(unknown(time_ms, scene.bot(bot), name, web_door(rng)))
    });
    ("10,000 addresses try one unknown name each".to_owned(), attempts.collect())
}

/// `names` unknown names from one source, some several times in a row, beginning at `from_ms`.
pub(super) fn list(
    scene: &Scene,
    [names, from_ms]: [i64; 2],
    pause_ms: fn(&mut ChaCha8Rng) -> i64,
    rng: &mut ChaCha8Rng,
) -> Vec<Attempt> {
    let mut time_ms = from_ms;
    let mut attempts = Vec::new();
    for name in scene.wordlist.draw(names as usize, rng) {
        for _ in 0..times_in_a_row(rng) {
            attempts.push(by_script(unknown(time_ms, scene.host(1), name, web_door(rng))));
            time_ms += pause_ms(rng);
        }
    }
    attempts
}

fn by_script(attempt: Attempt) -> Attempt {
    Attempt { agent: AGENT, ..attempt }
}
