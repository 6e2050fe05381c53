//! The attacks of a simulated day. Their sizes and paces go over orders of magnitude, below what anybody could
//! detect and far above; [`super::bound`] says which are which. No threshold of a detector went into any of them.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::innocents::PLACES;
use super::laws::{Names, log_uniform, pause_ms, times_in_a_row};
use super::people::Shop;
use super::world::{
    DAY_MS, End, HOUR_MS, LEAKED, Log, MINUTE_MS, Try, WORD, home, planted, rented,
};

/// A way to attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One source works through a list of names, to learn which exist.
    Scan,
    /// The same with a name every few minutes to hours; each day one of them every 20 minutes.
    SlowScan,
    /// One source tries leaked pairs of name and password.
    Stuffing,
    /// One source tries some passwords on many accounts.
    Spray,
    /// The same with an account every few minutes.
    SlowSpray,
    /// The addresses of a /24 try some passwords on many accounts.
    NetworkSpray,
    /// One source guesses one account's password.
    BruteForce,
    /// Many addresses guess one account's password.
    ManyOnOne,
    /// Thousands of addresses, a try each, of names they share.
    Shared,
    /// Thousands of addresses, a try each, every one with a name of its own.
    Disjoint,
    /// Addresses all over one hosting company, a try each, of names that hardly exist.
    Rented,
}

impl Class {
    /// All, and how often a day has each.
    pub const ALL: [(Class, usize); 11] = [
        (Class::Scan, 4),
        (Class::SlowScan, 3),
        (Class::Stuffing, 3),
        (Class::Spray, 3),
        (Class::SlowSpray, 2),
        (Class::NetworkSpray, 2),
        (Class::BruteForce, 3),
        (Class::ManyOnOne, 3),
        (Class::Shared, 2),
        (Class::Disjoint, 2),
        (Class::Rented, 2),
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Class::Scan => "scan",
            Class::SlowScan => "slow scan",
            Class::Stuffing => "stuffing",
            Class::Spray => "spray",
            Class::SlowSpray => "slow spray",
            Class::NetworkSpray => "spray from a /24",
            Class::BruteForce => "brute force",
            Class::ManyOnOne => "many on one account",
            Class::Shared => "thousands, shared names",
            Class::Disjoint => "thousands, own names",
            Class::Rented => "all over one provider",
        }
    }
}

/// One attack.
pub struct Attack {
    /// Its kind.
    pub class: Class,
    /// The log of the application it is about.
    pub log: Log,
    /// Its tries, in order of time.
    pub tries: Vec<Try>,
}

impl Attack {
    /// When somebody got in first.
    pub fn got_in(&self) -> Option<&Try> {
        self.tries.iter().find(|tried| tried.end == End::In)
    }
}

/// What an attack may look at.
struct Scene<'a> {
    shop: &'a Shop,
    names: &'a Names,
    place: u64,
    log: Log,
}

/// The day's attacks. Half of them get in at their end.
pub fn of_a_day(shop: &Shop, names: &Names, rng: &mut ChaCha8Rng) -> Vec<Attack> {
    let classes = Class::ALL.iter().flat_map(|(class, count)| (0..*count).map(|nth| (*class, nth)));
    let play = |(place, (class, nth)): (u64, (Class, usize))| {
        let log = match rng.random::<f64>() {
            roll if roll < 0.5 => Log::Tells,
            roll if roll < 0.8 => Log::Hides,
            roll if roll < 0.9 => Log::FailuresTell,
            _ => Log::FailuresHide,
        };
        let scene = Scene { shop, names, place: PLACES + place, log };
        let mut tries = match class {
            Class::Scan => scan(&scene, rng),
            Class::SlowScan => slow_scan(&scene, nth == 0, rng),
            Class::Stuffing => stuffing(&scene, rng),
            Class::Spray => spray(&scene, [6.0, 300.0], 20, rng),
            Class::SlowSpray => slow_spray(&scene, rng),
            Class::NetworkSpray => network_spray(&scene, rng),
            Class::BruteForce => brute_force(&scene, rng),
            Class::ManyOnOne => many_on_one(&scene, rng),
            Class::Shared => thousands(&scene, true, rng),
            Class::Disjoint => thousands(&scene, false, rng),
            Class::Rented => rented_out(&scene, rng),
        };
        tries.retain(|tried| tried.ms < DAY_MS);
        tries.sort_by_key(|tried| tried.ms);
        if rng.random_bool(0.5) {
            gets_in(&scene, class, &mut tries, rng);
        }
        Attack { class, log, tries }
    };
    (0..).zip(classes).map(play).collect()
}

impl Scene<'_> {
    fn host(&self, number: u64) -> IpAddr {
        planted(self.place, number)
    }

    /// A member of a botnet: in one of two cases a customer's own address, else a neighbour's.
    fn bot(&self, rng: &mut ChaCha8Rng) -> IpAddr {
        home(rng.random_range(0..2 * self.shop.homes().max(20_000)))
    }

    fn account(&self, rng: &mut ChaCha8Rng) -> u64 {
        self.shop.account_of(self.log, rng)
    }

    /// A name of a leak: a fifth of them have an account here.
    fn leaked(&self, rng: &mut ChaCha8Rng) -> u64 {
        match rng.random_bool(0.2) {
            true => self.account(rng),
            false => LEAKED + rng.random_range(0..1 << 30),
        }
    }

    fn fails(&self, ms: i64, source: IpAddr, user: u64) -> Try {
        let end = if user < super::world::TYPO { End::WrongPassword } else { End::NoAccount };
        Try { ms, source, user, log: self.log, end }
    }

    /// One source, these names, pauses of this mean, beginning at a time that leaves `room_ms` of the day.
    fn list(
        &self,
        users: Vec<u64>,
        mean_ms: f64,
        repeat: fn(&mut ChaCha8Rng) -> u32,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Try> {
        let long_ms = (mean_ms * users.len() as f64 * 1.2) as i64;
        let mut ms = rng.random_range(0..(DAY_MS - long_ms).max(2 * HOUR_MS));
        let mut tries = Vec::new();
        for user in users {
            for _ in 0..repeat(rng) {
                tries.push(self.fails(ms, self.host(1), user));
                ms += pause_ms(mean_ms, rng);
            }
        }
        tries
    }
}

/// Names of a word list, up to one in seven of which are accounts.
fn words(scene: &Scene, count: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let exist = rng.random_range(0.0..0.15);
    let ranks = scene.names.list(count, rng);
    let name = |rank| if rng.random_bool(exist) { scene.account(rng) } else { WORD + rank };
    ranks.into_iter().map(name).collect()
}

fn scan(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(4.0, 600.0, rng) as usize;
    let mean_ms = log_uniform(1_000.0, 300_000.0, rng);
    scene.list(words(scene, count, rng), mean_ms, times_in_a_row, rng)
}

fn slow_scan(scene: &Scene, is_every_20_min: bool, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let mean = if is_every_20_min { 20.0 } else { log_uniform(5.0, 120.0, rng) };
    let mean_ms = mean * MINUTE_MS as f64;
    let mut ms = rng.random_range(0..4 * HOUR_MS);
    let mut tries = Vec::new();
    for user in words(scene, 300, rng) {
        tries.push(scene.fails(ms, scene.host(1), user));
        // Timers tick evenly, give or take a quarter.
        ms += (mean_ms * rng.random_range(0.75..1.25)) as i64;
    }
    tries
}

/// A fifth of a leak's addresses have an account here, and one in twenty of these still has that password: 1 %,
/// the middle of what sellers of protection report (0.1 to 2 %).
fn stuffing(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(6.0, 1_500.0, rng) as usize;
    let mean_ms = log_uniform(1_000.0, 120_000.0, rng);
    let users = (0..count).map(|_| scene.leaked(rng)).collect();
    let mut tries = scene.list(users, mean_ms, |_| 1, rng);
    for tried in &mut tries {
        if tried.end == End::WrongPassword && rng.random_bool(0.05) {
            tried.end = End::In;
        }
    }
    tries
}

/// One to four rounds over some accounts, a password each, a round in so many minutes.
fn spray(scene: &Scene, [least, most]: [f64; 2], minutes: i64, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(least, most, rng) as usize;
    let users: Vec<u64> = (0..count).map(|_| scene.account(rng)).collect();
    let rounds = rng.random_range(1..=4);
    let from = rng.random_range(0..DAY_MS - 4 * minutes * MINUTE_MS);
    let mut tries = Vec::new();
    for round in 0..rounds {
        for user in &users {
            let ms =
                from + (round * minutes * MINUTE_MS) + rng.random_range(0..minutes * MINUTE_MS);
            tries.push(scene.fails(ms, scene.host(1), *user));
        }
    }
    tries
}

/// An account every two to twenty minutes, once.
fn slow_spray(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let mean_ms = log_uniform(2.0, 20.0, rng) * MINUTE_MS as f64;
    let mut ms = rng.random_range(0..4 * HOUR_MS);
    let mut tries = Vec::new();
    while ms < DAY_MS {
        tries.push(scene.fails(ms, scene.host(1), scene.account(rng)));
        ms += (mean_ms * rng.random_range(0.75..1.25)) as i64;
    }
    tries
}

fn network_spray(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let hosts = log_uniform(4.0, 250.0, rng) as u64;
    let mut tries = spray(scene, [30.0, 600.0], 30, rng);
    for tried in &mut tries {
        tried.source = scene.host(rng.random_range(1..=hosts));
    }
    tries
}

fn brute_force(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(20.0, 2_000.0, rng) as usize;
    let mean_ms = log_uniform(500.0, 60_000.0, rng);
    scene.list(vec![scene.account(rng); count], mean_ms, |_| 1, rng)
}

fn many_on_one(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let user = scene.account(rng);
    let long_ms = (log_uniform(0.5, 20.0, rng) * HOUR_MS as f64) as i64;
    let from = rng.random_range(0..DAY_MS - long_ms);
    let mut tries = Vec::new();
    for _ in 0..log_uniform(8.0, 400.0, rng) as u64 {
        let source = scene.bot(rng);
        let mut ms = from + rng.random_range(0..long_ms);
        for _ in 0..rng.random_range(1..=4) {
            tries.push(scene.fails(ms, source, user));
            ms += pause_ms(17_000.0, rng);
        }
    }
    tries
}

/// Up to ten thousand addresses, a try each, at random times of up to sixteen hours.
fn thousands(scene: &Scene, is_shared: bool, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(300.0, 10_001.0, rng) as u64;
    let long_ms = (log_uniform(0.5, 16.0, rng) * HOUR_MS as f64) as i64;
    let from = rng.random_range(0..DAY_MS - long_ms);
    let one = |_| {
        let user = match is_shared {
            true => WORD + scene.names.pick(rng),
            false => LEAKED + rng.random_range(0..1 << 30),
        };
        let source = scene.bot(rng);
        scene.fails(from + rng.random_range(0..long_ms), source, user)
    };
    (0..count).map(one).collect()
}

/// Up to three thousand addresses of one hosting company, each used once: what a cloud's functions or a seller of
/// proxies give. Names are a word list's or a leak's, as of one source.
fn rented_out(scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Try> {
    let count = log_uniform(40.0, 3_000.0, rng) as usize;
    let long_ms = (log_uniform(0.5, 16.0, rng) * HOUR_MS as f64) as i64;
    let from = rng.random_range(0..DAY_MS - long_ms);
    let users: Vec<u64> = match rng.random_bool(0.5) {
        true => words(scene, count, rng),
        false => (0..count).map(|_| scene.leaked(rng)).collect(),
    };
    let one = |user| {
        let source = rented(scene.place, rng.random_range(0..1 << 16));
        scene.fails(from + rng.random_range(0..long_ms), source, user)
    };
    users.into_iter().map(one).collect()
}

/// Somebody gets in, from where the last try came: minutes later, and once more.
fn gets_in(scene: &Scene, class: Class, tries: &mut Vec<Try>, rng: &mut ChaCha8Rng) {
    let Some(last) = tries.last().copied() else { return };
    let user = match class {
        Class::Spray | Class::SlowSpray | Class::NetworkSpray | Class::BruteForce => last.user,
        Class::ManyOnOne => last.user,
        _ => scene.account(rng),
    };
    let mut ms = last.ms;
    for _ in 0..2 {
        ms += 1_000 + pause_ms(60_000.0, rng).min(10 * MINUTE_MS);
        if ms < DAY_MS {
            tries.push(Try { ms, user, end: End::In, ..last });
        }
    }
}
