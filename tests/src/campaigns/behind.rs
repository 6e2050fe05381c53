//! What a simulated log says of a key before a finding opens: so a false finding names the traffic that raised it.
//!
//! It is a tally of the tries themselves, apart from everything that the engine counts.

use std::collections::HashSet;
use std::fmt::Write;

use tidewatch_core::detector::Detector;
use tidewatch_core::key::{Key, KeyPart};
use tidewatch_core::tag::AgentTag;

use super::Day;
use super::agents::agent;
use super::play::{Told, naming};
use super::systems::asn;
use super::world::{End, MINUTE_MS, Try, name};

/// The logged tries of a finding's key in its detector's window until it opens, in one line.
///
/// # Panics
/// If the detector is not one of `detectors`.
pub fn described(told: &Told, day: &Day, detectors: &[Detector]) -> String {
    let detector = detectors.iter().find(|detector| detector.id == told.detector);
    let window_ms = detector.expect("it opened the finding").window.0;
    let within = |tried: &&Try| {
        (told.ms - window_ms + 1..=told.ms).contains(&tried.ms)
            && tried.is_logged()
            && is_of(told.key, tried)
    };
    let tries: Vec<&Try> = day.tries.iter().filter(within).collect();
    let of = |end: End, tells: bool| {
        tries.iter().filter(|tried| tried.end == end && tried.log.tells() == tells).count()
    };
    let failing: Vec<&&Try> = tries.iter().filter(|tried| tried.end != End::In).collect();
    let names: HashSet<u64> = failing.iter().map(|tried| tried.user).collect();
    let sources: HashSet<_> = failing.iter().map(|tried| tried.source).collect();
    let mut text = format!(
        "seed {}: {} about {} at {:02}:{:02}: in {} min {} got in, {} with a wrong password, {} with no account, {} not told which; \
         {} names from {} addresses failed",
        day.seed,
        told.detector,
        told.key,
        told.ms / (60 * MINUTE_MS),
        told.ms / MINUTE_MS % 60,
        window_ms / MINUTE_MS,
        of(End::In, true) + of(End::In, false),
        of(End::WrongPassword, true),
        of(End::NoAccount, true),
        of(End::WrongPassword, false) + of(End::NoAccount, false),
        names.len(),
        sources.len(),
    );
    let attacks = day.attacks.iter().map(|attack| (attack.class.name(), &attack.tries));
    let innocents = day.innocents.iter().map(|innocent| (innocent.cause, &innocent.tries));
    for (whose, tries) in attacks.chain(innocents) {
        let part = tries.iter().filter(within).filter(|tried| tried.end != End::In).count();
        if part > 0 {
            let _ = write!(text, "; {part} failures of: {whose}");
        }
    }
    text
}

/// Whether a try counts under a key.
fn is_of(key: Key, tried: &Try) -> bool {
    let is = |part: KeyPart| match part {
        KeyPart::User(tag) => naming().tag(&name(tried.user)) == tag,
        KeyPart::Asn(system) => asn(tried.source) == system,
        KeyPart::Agent(tag) => AgentTag::of(&agent(tried)) == tag,
        KeyPart::Global => true,
        part => {
            part == KeyPart::source_ip(tried.source) || part == KeyPart::source_subnet(tried.source)
        }
    };
    is(key.first) && key.second.is_none_or(is)
}
