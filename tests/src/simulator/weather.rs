//! Chance, and the weather it makes: how often what goes wrong. All chance of a run comes from one
//! seed, in streams of their own, so that switching a safeguard off does not change the world itself.
//!
//! Bad weather ends at a time; after it everything works, so that every run can come to rest.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::executor::{Clock, lock};

/// A stream of chance.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<ChaCha8Rng>>);

/// What the streams are for.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// What people and attackers do.
    World = 0,
    /// What goes wrong.
    Weather = 1,
    /// When the key of tags is replaced, and who learns of it when.
    Keys = 2,
}

impl Chance {
    /// A stream of `seed`.
    pub fn new(seed: u64, stream: Stream) -> Chance {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        Chance(Arc::new(Mutex::new(rng)))
    }

    /// A number in the range, which must not be empty.
    pub fn within(&self, range: Range<i64>) -> i64 {
        lock(&self.0).random_range(range)
    }

    /// An index below `len`, which must not be 0.
    pub fn below(&self, len: usize) -> usize {
        lock(&self.0).random_range(0..len)
    }

    /// True with this probability.
    pub fn happens(&self, probability: f64) -> bool {
        probability > 0.0 && lock(&self.0).random_bool(probability)
    }

    /// In 0.0..1.0.
    pub fn unit(&self) -> f64 {
        lock(&self.0).random()
    }

    /// Small mostly, up to the end of the range sometimes.
    pub fn skewed(&self, range: Range<i64>) -> i64 {
        let unit = self.unit();
        range.start + ((range.end - range.start) as f64 * unit * unit * unit) as i64
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing goes wrong.
    Calm,
    /// A little does.
    Light,
    /// Much does.
    Heavy,
    /// Hardly anything works at once.
    Wild,
}

/// How often what goes wrong, while it does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Odds {
    /// A request never arrives.
    pub request_lost: f64,
    /// It is applied, but its answer never arrives.
    pub answer_lost: f64,
    /// It is refused for want of capacity.
    pub throttled: f64,
    /// A journey takes hundreds of times as long as usual.
    pub slow: f64,
    /// An invocation's process dies.
    pub crash: f64,
    /// An invocation's process stands still for longer than it may take.
    pub freeze: f64,
    /// The platform does not learn how an invocation ended.
    pub ending_lost: f64,
    /// An invocation may take hardly any time at all.
    pub hasty: f64,
    /// An environment is replaced between invocations.
    pub replaced: f64,
    /// A finding is refused by the topic.
    pub topic_refuses: f64,
}

/// The weather of a run.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Its chance.
    pub chance: Chance,
    /// How bad it is.
    pub level: Level,
    clock: Clock,
    odds: Odds,
    ends: Arc<Mutex<Ends>>,
}

#[derive(Debug)]
struct Ends {
    over: bool,
    /// Stretches in which the table refuses nearly everything.
    throttled: Vec<(i64, i64)>,
}

/// How a request fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Arrives,
    /// It never arrives.
    Lost,
    /// Its answer never arrives.
    AnswerLost,
    /// It is refused for want of capacity.
    Throttled,
}

/// A request's journey.
#[derive(Clone, Copy, Debug)]
pub struct Journey {
    /// How it fares.
    pub fate: Fate,
    /// How long it takes to get there.
    pub there_ms: i64,
    /// How long its answer takes, or for how long it is waited for in vain.
    pub back_ms: i64,
}

impl Weather {
    /// Draws the weather of a run, of a level if one is given.
    pub fn new(clock: Clock, chance: Chance, level: Option<Level>) -> Weather {
        let drawn = match chance.below(10) {
            0..=2 => Level::Calm,
            3..=5 => Level::Light,
            6..=8 => Level::Heavy,
            _ => Level::Wild,
        };
        Weather::of(clock, chance, level.unwrap_or(drawn))
    }

    /// Weather of a level.
    pub fn of(clock: Clock, chance: Chance, level: Level) -> Weather {
        let factor = match level {
            Level::Calm => 0.0,
            Level::Light => 0.2,
            Level::Heavy => 1.0,
            Level::Wild => 3.0,
        };
        // Each kind of fault is absent in some runs and common in others, so that they meet in all
        // combinations.
        let odds =
            |most: f64| if chance.happens(0.3) { 0.0 } else { most * factor * chance.unit() };
        let odds = Odds {
            request_lost: odds(0.03),
            answer_lost: odds(0.03),
            throttled: odds(0.04),
            slow: odds(0.03),
            crash: odds(0.10),
            freeze: odds(0.06),
            ending_lost: odds(0.05),
            hasty: odds(0.05),
            replaced: odds(0.10),
            topic_refuses: odds(0.06),
        };
        let ends = Ends { over: level == Level::Calm, throttled: Vec::new() };
        Weather { chance, level, clock, odds, ends: Arc::new(Mutex::new(ends)) }
    }

    /// The odds now.
    pub fn odds(&self) -> Odds {
        if lock(&self.ends).over { Odds::default() } else { self.odds }
    }

    /// From `at_ms` on, the table refuses nearly everything for `for_ms`.
    pub fn throttle(&self, at_ms: i64, for_ms: i64) {
        lock(&self.ends).throttled.push((at_ms, at_ms + for_ms));
    }

    /// Nothing goes wrong any more.
    pub fn clear_up(&self) {
        lock(&self.ends).over = true;
    }

    /// A journey to the table and back.
    pub fn journey(&self) -> Journey {
        let odds = self.odds();
        let now_ms = self.clock.now_ms();
        let stretch = {
            let ends = lock(&self.ends);
            !ends.over && ends.throttled.iter().any(|(from, to)| (*from..*to).contains(&now_ms))
        };
        let unit = self.chance.unit();
        let fate = if stretch && self.chance.happens(0.95) || unit < odds.throttled {
            Fate::Throttled
        } else if unit < odds.throttled + odds.request_lost {
            Fate::Lost
        } else if unit < odds.throttled + odds.request_lost + odds.answer_lost {
            Fate::AnswerLost
        } else {
            Fate::Arrives
        };
        let there_ms = self.leg(odds.slow);
        let back_ms = match fate {
            Fate::Lost | Fate::AnswerLost => self.chance.within(300..3_000),
            Fate::Arrives | Fate::Throttled => self.leg(odds.slow),
        };
        Journey { fate, there_ms, back_ms }
    }

    fn leg(&self, slow: f64) -> i64 {
        if self.chance.happens(slow) {
            self.chance.within(200..8_000)
        } else {
            self.chance.within(1..8)
        }
    }
}
