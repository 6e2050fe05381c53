//! Whose the unknown names are that a finding about a system or about everything opens with: many people have a part in
//! them, so the key does not say whom it is about.
//!
//! Attackers must try half of all over the whole span, or many and half of all in its last minutes: what has just
//! begun may be told by a share that is still small in all of it. How many each attack tries does not matter here: two
//! small ones may raise together what neither does alone.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::Day;
use super::attacks::Attack;
use super::play::Told;
use super::systems::asn;
use super::world::{HOUR_MS, MINUTE_MS, Try};

/// Unknown names that make an attack a part of a finding.
pub const MANY: u64 = 50;

/// Who is behind a finding about a crowd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Attackers: the attacks that it finds, those that try many unknown names until it closes.
    Attacks(Vec<usize>),
    /// Attackers and, more than they, something of which documentation says that it is raised.
    Documented(&'static str),
    /// People.
    Nobody,
}

/// Who is behind a finding about one system, or about everything.
pub fn behind(told: &Told, day: &Day, system: Option<u32>) -> Behind {
    // As long as what opens it: the last panes of everything, a window of a system.
    let span_ms = if system.is_some() { HOUR_MS } else { 10 * MINUTE_MS };
    let opens_with = (told.ms - span_ms + 1)..=told.ms;
    let crowd = Crowd { system, minutes: (span_ms / MINUTE_MS) as usize, until: told.ms };
    let all = crowd.minutes(&day.tries);
    let mut theirs = vec![0; crowd.minutes];
    let add = |tries: &[Try], to: &mut Vec<u64>| {
        to.iter_mut().zip(crowd.minutes(tries)).for_each(|(sum, more)| *sum += more);
    };
    day.attacks.iter().for_each(|attack| add(&attack.tries, &mut theirs));
    if is_half(&theirs, &all) {
        let while_open = *opens_with.start()..=told.until;
        // One about everything tells of whoever comes later, too.
        let begun = |attack: &Attack| attack.tries.first().is_some_and(|t| t.ms <= told.ms);
        let many = |nth: &usize| {
            let attack = &day.attacks[*nth];
            (system.is_none() || begun(attack))
                && crowd.unknown(&attack.tries, &while_open).count() as u64 >= MANY
        };
        return Behind::Attacks((0..day.attacks.len()).filter(many).collect());
    }
    let attacked: u64 = theirs.iter().sum();
    let mut documented = BTreeMap::new();
    for innocent in day.innocents.iter().filter(|innocent| innocent.is_documented) {
        add(&innocent.tries, &mut theirs);
        let part = crowd.unknown(&innocent.tries, &opens_with).count();
        documented.insert((part, innocent.cause), innocent.cause);
    }
    match documented.pop_last() {
        Some(((part, _), cause)) if part as u64 > attacked && is_half(&theirs, &all) => {
            Behind::Documented(cause)
        }
        _ => Behind::Nobody,
    }
}

/// Whether `part` makes half of `all`: in all minutes, or in the first of them, the newest, if it is many there.
fn is_half(part: &[u64], all: &[u64]) -> bool {
    let (mut of_part, mut of_all) = (0, 0);
    let mut is_half_until = |nth: usize| {
        (of_part, of_all) = (of_part + part[nth], of_all + all[nth]);
        of_part * 2 >= of_all && (of_part >= MANY || (nth + 1 == all.len() && of_part > 0))
    };
    (0..all.len()).any(&mut is_half_until)
}

/// Some minutes of a system, or of everything.
struct Crowd {
    system: Option<u32>,
    minutes: usize,
    until: i64,
}

impl Crowd {
    /// The tries of the crowd within a span, in milliseconds after midnight, whose log says that they are no account's.
    fn unknown<'a>(
        &self,
        tries: &'a [Try],
        within: &RangeInclusive<i64>,
    ) -> impl Iterator<Item = &'a Try> {
        let (system, within) = (self.system, within.clone());
        tries.iter().filter(move |tried| {
            tried.is_known_to_be_none()
                && within.contains(&tried.ms)
                && system.is_none_or(|system| asn(tried.source) == system)
        })
    }

    /// How many of them are in each minute, back from the newest.
    fn minutes(&self, tries: &[Try]) -> Vec<u64> {
        let mut minutes = vec![0; self.minutes];
        let from = self.until - self.minutes as i64 * MINUTE_MS + 1;
        for tried in self.unknown(tries, &(from..=self.until)) {
            minutes[((self.until - tried.ms) / MINUTE_MS) as usize] += 1;
        }
        minutes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::attacks::Class;
    use crate::campaigns::innocents::Innocent;
    use crate::campaigns::world::{End, Log, WORD, rented};
    use tidewatch_core::key::{Key, KeyPart};

    /// So many unknown names, evenly over the hour until a finding opens, from addresses of one system.
    fn names(count: u64, place: u64) -> Vec<Try> {
        let one = |nth: u64| {
            let (source, ms) =
                (rented(place, nth), 2 * HOUR_MS - nth as i64 * (HOUR_MS / count as i64));
            Try { ms, source, user: WORD + nth, log: Log::Tells, end: End::NoAccount }
        };
        (0..count).rev().map(one).collect()
    }

    fn check(attacks: &[u64], pentest: u64, people: u64, expected: Behind) {
        let attack =
            |count: &u64| Attack { class: Class::Rented, log: Log::Tells, tries: names(*count, 0) };
        let attacks: Vec<Attack> = attacks.iter().map(attack).collect();
        let (cause, tries) = ("pentest", names(pentest, 0));
        let innocents = vec![Innocent { cause, is_documented: true, sources: Vec::new(), tries }];
        let mut tries = names(people, 0);
        // Elsewhere there is more of it.
        tries.extend(names(500, 1));
        tries.extend(attacks.iter().flat_map(|attack| &attack.tries));
        tries.extend(innocents.iter().flat_map(|innocent| &innocent.tries));
        let day = Day { seed: 0, tries, attacks, innocents, homes: 0 };
        let system = asn(rented(0, 0));
        let key = Key::of(KeyPart::Asn(system));
        let told = Told { ms: 2 * HOUR_MS, until: 3 * HOUR_MS, detector: "asn-spray".into(), key };
        assert_eq!(behind(&told, &day, Some(system)), expected, "of {people} people's");
    }

    #[test]
    fn whoever_tries_half_of_the_names_is_behind_it_and_many_are_found() {
        check(&[60, 20], 0, 80, Behind::Attacks(vec![0]));
        check(&[60, 20], 0, 100, Behind::Nobody);
        // Two small ones together: nobody's mistake, and neither is found by it.
        check(&[25, 22], 0, 10, Behind::Attacks(vec![]));
        check(&[25], 30, 40, Behind::Documented("pentest"));
        check(&[25], 5, 40, Behind::Nobody);
        check(&[45], 5, 50, Behind::Nobody);
        check(&[], 0, 40, Behind::Nobody);
    }

    #[test]
    fn what_has_just_begun_is_half_of_the_last_minutes() {
        let people = vec![10; 60];
        let begun = |theirs: u64| {
            let part = [[theirs; 3].as_slice(), &[0; 57]].concat();
            let all: Vec<u64> = people.iter().zip(&part).map(|(one, other)| one + other).collect();
            is_half(&part, &all)
        };
        assert!(begun(20), "sixty of ninety in three minutes, of 660 in the hour");
        assert!(!begun(12), "36 are few");
    }
}
