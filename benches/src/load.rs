//! Seeded loads on the shared state: who tries what, and when. Every load is one source unless it says
//! otherwise, because a key is what an item is.

use std::net::Ipv4Addr;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::time::{Span, Time};

/// When loads begin: no pane begins exactly then.
pub const START: Time = Time(1_794_290_400_777);

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// One log event.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// When.
    pub at: Time,
    /// From where.
    pub source: Ipv4Addr,
    /// The name tried, by number.
    pub name: u64,
    /// Whether it is an account.
    pub known: bool,
    /// Whether it got in.
    pub success: bool,
}

/// Events over some shards.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its name in a table.
    pub name: String,
    /// Shards of the stream.
    pub shards: u32,
    /// The events.
    pub tries: Vec<Try>,
}

/// The names an attacker works through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The same few over and over.
    Of(u64),
    /// A new one each time.
    New,
}

fn source(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + n)
}

/// A failure on a name that is no account, `ms` after the start.
fn unknown(ms: i64, name: u64) -> Try {
    Try { at: START.plus(Span(ms)), source: source(9), name, known: false, success: false }
}

/// `count` failures `every` ms.
fn failures(every: i64, count: i64, names: Names) -> Vec<Try> {
    let name = |n: i64| match names {
        Names::Of(names) => n as u64 % names,
        Names::New => n as u64,
    };
    (0..count).map(|n| unknown(n * every, name(n))).collect()
}

/// Three failures within one batch.
pub fn three_failures() -> Load {
    Load {
        name: "3 failures in one batch".to_owned(),
        shards: 1,
        tries: failures(200, 3, Names::New),
    }
}

/// One failure a second for an hour.
pub fn hour(names: Names, shards: u32) -> Load {
    let told = match names {
        Names::Of(names) => format!("{names} names"),
        Names::New => "a new name each".to_owned(),
    };
    let name = format!("1 a second for 1 h, {told}, {shards} {}", plural(shards));
    Load { name, shards, tries: failures(SECOND, HOUR / SECOND, names) }
}

/// A new name every so many minutes for a day.
pub fn slow(minutes: i64, shards: u32) -> Load {
    let name = format!("slow scan, every {minutes} min for 24 h, {shards} {}", plural(shards));
    let tries = failures(minutes * MINUTE, 24 * 60 / minutes, Names::New);
    Load { name, shards, tries }
}

/// An office of 400 behind one address for an hour: everybody logs in three times, and in one of twelve
/// cases mistypes first, half of them the password and half the name.
pub fn office(shards: u32, seed: u64) -> Load {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tries = Vec::new();
    for user in 0..400u64 {
        for _ in 0..3 {
            let ms = random.random_range(0..HOUR - 10 * SECOND);
            let success = Try { known: true, success: true, ..unknown(ms + 4 * SECOND, user) };
            if random.random_range(0..12) == 0 {
                let typo = random.random_range(1_000..1_000_000);
                let (name, known) =
                    if random.random_bool(0.5) { (user, true) } else { (typo, false) };
                tries.push(Try { known, ..unknown(ms, name) });
            }
            tries.push(success);
        }
    }
    tries.sort_by_key(|t| t.at);
    Load { name: format!("office of 400 for 1 h, {shards} {}", plural(shards)), shards, tries }
}

/// 100,000 names in ten minutes.
pub fn flood(shards: u32) -> Load {
    let tries = failures(6, 100_000, Names::New);
    Load { name: format!("100,000 names in 10 min, {shards} {}", plural(shards)), shards, tries }
}

/// `sources` scanners, started one after the other over half an hour, each with a new name every 6 s for
/// 20 minutes.
pub fn scanners(sources: u32, shards: u32) -> Load {
    let mut tries = Vec::new();
    for n in 0..sources {
        let begin = i64::from(n) * 30 * MINUTE / i64::from(sources);
        let mine = failures(6 * SECOND, 200, Names::New).into_iter();
        tries.extend(mine.map(|t| Try {
            at: t.at.plus(Span(begin)),
            source: source(100 + n),
            ..t
        }));
    }
    tries.sort_by_key(|t| (t.at, t.source));
    Load { name: format!("{sources} scanners, {shards} {}", plural(shards)), shards, tries }
}

fn plural(shards: u32) -> &'static str {
    if shards == 1 { "shard" } else { "shards" }
}
