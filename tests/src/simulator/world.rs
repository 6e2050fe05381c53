//! What people and attackers do in one run, and how their log events reach the stream: as CloudWatch
//! sends them, in records of one log stream each, late, out of order, and now and then twice.
//!
//! A run has one phase or a few. A phase begins only when everything of the one before it has been
//! dealt with, so that an attacker who returns does so on settled ground.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tidewatch_core::signal::{
    Auth, Body, EventId, LogStream, Origin, Outcome, Role, Signal, SignalKind,
};
use tidewatch_core::tag::{EventTag, TagKey};
use tidewatch_core::time::Time;

use super::source::HASHES;
use super::weather::{Chance, Level};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What happens in one run.
#[derive(Debug)]
pub struct World {
    /// Shards at the beginning.
    pub shards: u32,
    /// In order.
    pub phases: Vec<Phase>,
}

/// A stretch of a run.
#[derive(Debug, Default)]
pub struct Phase {
    /// How long nothing happens before it.
    pub pause_ms: i64,
    /// What is put into the stream, by time since the phase began.
    pub puts: Vec<Put>,
    /// When shards split, or merge.
    pub reshards: Vec<(i64, usize, bool)>,
    /// When the table is throttled, and for how long.
    pub throttled: Vec<(i64, i64)>,
}

/// A record on its way.
#[derive(Clone, Debug)]
pub struct Put {
    /// When it arrives, since the phase began.
    pub at_ms: i64,
    /// The hash of its partition key.
    pub hash: u32,
    /// How far its sequence number is from the last.
    pub gap: u64,
    /// Its log events.
    pub tries: Vec<Try>,
}

/// One log event.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// Its number in the run.
    pub id: u64,
    /// Event time, since the phase began.
    pub time_ms: i64,
    source: IpAddr,
    user: u64,
    success: bool,
    known: Option<bool>,
    mention: bool,
    attempts: u32,
}

/// Draws a world.
struct Drawing<'a> {
    chance: &'a Chance,
    tries: Vec<Try>,
    ids: u64,
    names: u64,
}

impl World {
    /// The world of a run, and how untidily its logs arrive.
    pub fn new(chance: &Chance, level: Level) -> World {
        let phases = 1 + usize::from(chance.happens(0.35));
        let returning = chance.happens(0.6).then(|| attacker(chance, 200));
        let mut drawing = Drawing { chance, tries: Vec::new(), ids: 0, names: 0 };
        let mut world = World { shards: chance.skewed(1..7) as u32, phases: Vec::new() };
        for phase in 0..phases {
            drawing.people();
            if let Some(source) = returning {
                drawing.attack(source);
            }
            for other in 0..chance.skewed(0..4) {
                drawing.attack(attacker(chance, 210 + other as u8));
            }
            let tries = std::mem::take(&mut drawing.tries);
            let pause_ms =
                [5 * MINUTE, 40 * MINUTE, 3 * HOUR, 7 * HOUR, 26 * HOUR][chance.below(5)];
            let mut made =
                Phase { pause_ms: if phase == 0 { 0 } else { pause_ms }, ..Phase::default() };
            made.puts = sent(chance, tries);
            let length_ms = made.puts.last().map_or(1, |put| put.at_ms.max(1));
            for _ in 0..chance.skewed(0..4) {
                made.reshards.push((
                    chance.within(0..length_ms),
                    chance.below(8),
                    chance.happens(0.5),
                ));
            }
            made.reshards.sort_unstable();
            if level >= Level::Heavy {
                for _ in 0..chance.skewed(0..3) {
                    let for_ms = chance.within(10 * SECOND..5 * MINUTE);
                    made.throttled.push((chance.within(0..length_ms), for_ms));
                }
            }
            world.phases.push(made);
        }
        world
    }
}

impl World {
    /// About how long it goes on.
    pub fn length_ms(&self) -> i64 {
        let of = |phase: &Phase| phase.pause_ms + phase.puts.last().map_or(0, |put| put.at_ms);
        self.phases.iter().map(of).sum()
    }
}

fn attacker(chance: &Chance, last: u8) -> IpAddr {
    match chance.below(5) {
        0 => Ipv6Addr::new(0x2001, 0xdb8, 0, u16::from(last), 0, 0, 0, 1).into(),
        1 => Ipv4Addr::new(198, 51, 100, last).into(),
        _ => Ipv4Addr::new(203, 0, 113, last).into(),
    }
}

impl Drawing<'_> {
    /// Those who mean no harm: some mistype, and many share one address.
    fn people(&mut self) {
        let span_ms = self.chance.within(20 * MINUTE..3 * HOUR);
        for person in 0..self.chance.within(2..7) {
            let source = Ipv4Addr::new(192, 0, 2 + (person % 3) as u8, person as u8).into();
            let user = 1_000 + person as u64;
            let mut at_ms = self.chance.within(0..span_ms);
            for _ in 0..self.chance.skewed(0..4) {
                self.add(at_ms, source, user, false, Some(true));
                at_ms += self.chance.within(2 * SECOND..40 * SECOND);
            }
            self.add(at_ms, source, user, true, Some(true));
        }
        if self.chance.happens(0.3) {
            let office = Ipv4Addr::new(192, 0, 2, 77).into();
            for user in 0..self.chance.within(10..70) as u64 {
                let at_ms = self.chance.within(0..span_ms);
                if self.chance.happens(0.1) {
                    self.add(at_ms, office, user, false, Some(true));
                }
                self.add(
                    at_ms + self.chance.within(2 * SECOND..30 * SECOND),
                    office,
                    user,
                    true,
                    Some(true),
                );
            }
        }
    }

    /// One attack from `source`, of some kind.
    fn attack(&mut self, source: IpAddr) {
        let chance = self.chance;
        let at_ms = chance.within(0..30 * MINUTE);
        match chance.below(9) {
            // Fast, and one that pauses within its episode.
            0 | 1 => {
                self.names(source, at_ms, chance.within(10..30), chance.within(MINUTE..6 * MINUTE))
            }
            2 => {
                self.names(source, at_ms, chance.within(10..20), 4 * MINUTE);
                let again_ms = at_ms + chance.within(10 * MINUTE..25 * MINUTE);
                self.names(source, again_ms, chance.within(10..20), 4 * MINUTE);
            }
            // Slow, over a day.
            3 | 4 => self.names(
                source,
                at_ms,
                chance.within(22..36),
                chance.within(16 * HOUR..24 * HOUR),
            ),
            // Grows.
            5 => {
                let mut begin_ms = at_ms;
                for names in [9, 18, 40] {
                    self.names(source, begin_ms, names, 5 * MINUTE);
                    begin_ms += chance.within(3 * MINUTE..8 * MINUTE);
                }
            }
            // More names than a list holds.
            6 => self.names(
                source,
                at_ms,
                chance.within(60..150),
                chance.skewed(5 * SECOND..9 * MINUTE),
            ),
            // Few names, many guesses.
            7 => {
                let span_ms = chance.within(10 * MINUTE..50 * MINUTE);
                for _ in 0..chance.within(26..60) {
                    let user = 2_000 + chance.below(3) as u64;
                    self.add(at_ms + chance.within(0..span_ms), source, user, false, Some(true));
                }
            }
            // One try from each of many addresses of a subnet.
            _ => {
                for host in 0..chance.within(14..30) as u8 {
                    let source = Ipv4Addr::new(203, 0, 113, host).into();
                    self.unknown(at_ms + chance.within(0..40 * MINUTE), source);
                }
            }
        }
    }

    /// Tries on `names` new names, spread evenly over `span_ms`.
    fn names(&mut self, source: IpAddr, at_ms: i64, names: i64, span_ms: i64) {
        let step_ms = span_ms / names;
        for name in 0..names {
            let jitter_ms = self.chance.within(0..step_ms.max(1));
            self.unknown(at_ms + name * step_ms + jitter_ms, source);
        }
    }

    fn unknown(&mut self, at_ms: i64, source: IpAddr) {
        self.names += 1;
        let known = (!self.chance.happens(0.05)).then_some(false);
        self.add(at_ms, source, 10_000 + self.names, false, known.or(Some(false)));
    }

    fn add(&mut self, time_ms: i64, source: IpAddr, user: u64, success: bool, known: Option<bool>) {
        self.ids += 1;
        let attempts = if self.chance.happens(0.05) { 3 } else { 1 };
        let one =
            Try { id: self.ids, time_ms, source, user, success, known, mention: false, attempts };
        self.tries.push(one);
        if self.chance.happens(0.05) {
            self.ids += 1;
            let id = self.ids;
            self.tries.push(Try { id, mention: true, time_ms: time_ms - 300, attempts: 1, ..one });
        }
    }
}

/// How log events reach the stream: each in the record of its log stream that is sent next.
fn sent(chance: &Chance, mut tries: Vec<Try>) -> Vec<Put> {
    let streams = chance.within(1..9) as usize;
    let hashes: Vec<u32> =
        (0..streams).map(|_| chance.within(0..i64::from(HASHES)) as u32).collect();
    let untidy = if chance.happens(0.6) { 1.0 } else { 0.0 };
    let stalled = chance.happens(0.3 * untidy).then(|| chance.below(streams));
    let stalled_ms = chance.within(MINUTE..8 * MINUTE);
    let flush_ms = chance.within(SECOND..20 * SECOND);
    let events_max = chance.skewed(1..60) as usize;
    let mut arriving: Vec<(i64, usize, Try)> = Vec::with_capacity(tries.len());
    tries.sort_by_key(|one| (one.time_ms, one.id));
    for mut one in tries {
        let stream = chance.below(streams);
        let mut at_ms = one.time_ms + chance.within(100..3 * SECOND);
        if stalled == Some(stream) {
            at_ms += stalled_ms;
        }
        if chance.happens(0.02 * untidy) {
            at_ms += chance.skewed(MINUTE..2 * HOUR);
        }
        if chance.happens(0.02 * untidy) {
            one.time_ms = at_ms + chance.skewed(0..3 * MINUTE);
        }
        arriving.push((at_ms.max(0), stream, one));
    }
    arriving.sort_by_key(|(at_ms, stream, one)| (*at_ms, *stream, one.id));
    let mut puts = records(&arriving, streams, &hashes, (flush_ms, events_max));
    let again = chance.unit() * 0.12 * untidy;
    for at in 0..puts.len() {
        puts[at].gap = chance.skewed(1..5_000) as u64;
        if chance.happens(again) {
            let mut copy = puts[at].clone();
            copy.at_ms += match chance.below(3) {
                0 => chance.skewed(10 * MINUTE..3 * HOUR),
                _ => chance.within(SECOND..MINUTE),
            };
            if chance.happens(0.3) {
                copy.hash = chance.within(0..i64::from(HASHES)) as u32;
            }
            puts.push(copy);
        }
    }
    puts.sort_by_key(|put| put.at_ms);
    puts
}

/// Gathers what arrives by log stream, for `flush_ms` or until a record is full.
fn records(
    arriving: &[(i64, usize, Try)],
    streams: usize,
    hashes: &[u32],
    (flush_ms, events_max): (i64, usize),
) -> Vec<Put> {
    let mut puts = Vec::new();
    for (stream, &hash) in hashes.iter().enumerate().take(streams) {
        let mut tries: Vec<Try> = Vec::new();
        let mut since_ms = 0;
        for (at_ms, _, one) in arriving.iter().filter(|(_, of, _)| *of == stream) {
            if tries.len() == events_max || !tries.is_empty() && *at_ms > since_ms + flush_ms {
                let tries = std::mem::take(&mut tries);
                puts.push(Put { at_ms: since_ms + flush_ms, hash, gap: 1, tries });
            }
            if tries.is_empty() {
                since_ms = *at_ms;
            }
            tries.push(*one);
        }
        if !tries.is_empty() {
            puts.push(Put { at_ms: since_ms + flush_ms, hash, gap: 1, tries });
        }
    }
    puts.sort_by_key(|put| put.at_ms);
    puts
}

impl Try {
    /// As ingest would have read it.
    pub fn signal(&self, begun_ms: i64, key: &TagKey, stream: &Arc<LogStream>) -> Signal {
        // Any 24 bits in a row are different for different events, as a good hash's are but for a
        // chance of 2^-24, which over a hundred thousand runs would come true.
        let tag = self.id | self.id << 24 | self.id << 48;
        Signal {
            time: Time(begun_ms + self.time_ms),
            event: EventTag(tag),
            origin: Origin { stream: Arc::clone(stream), id: EventId::Offset(self.id) },
            body: Body::Auth(Auth {
                action: SignalKind::Auth,
                role: if self.mention { Role::Mention } else { Role::Attempt },
                outcome: if self.success { Outcome::Success } else { Outcome::Failure },
                user_known: self.known,
                user: Some(key.user(&self.user.to_be_bytes())),
                source: Some(self.source),
                asn: None,
                agent: None,
                attempts: self.attempts,
            }),
        }
    }
}
