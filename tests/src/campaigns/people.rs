//! The customers of a shop: who they are, where they log in from, and how they go wrong.
//!
//! Shares are assumptions, on the side of more trouble; the first is held by a test:
//! * 92 of 100 visits begin with a success. 2.1 % begin with a slip in the name and 5 % with a wrong password;
//!   most try again within seconds, one in twenty gives up.
//! * Three in a thousand visitors have forgotten the password: three to twelve wrong ones, then a reset, or not.
//! * One in a thousand does not know which address the account has and tries those they own. People own 1.86
//!   on average (Radicati, Email Statistics Report); the number is Poisson around that. A third gives up.
//! * Homes of two or three, a quarter of visits through a carrier's address that thousands share (their
//!   volumes fall as (rank + 20)^-0.9), a tenth of customers in offices of 3 to 2,000, most between eight and ten.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::laws::{log_uniform, poisson};
use super::world::{End, HOUR_MS, Log, MINUTE_MS, TYPO, Try, WORD, carrier, home, office};

/// How likely a visit goes wrong at first, and how; shares of 1.
#[derive(Clone, Copy, Debug)]
pub struct Slips {
    /// A slip in the name.
    pub typo: f64,
    /// A wrong password.
    pub wrong: f64,
    /// The password is forgotten.
    pub forgotten: f64,
    /// The account's address is.
    pub confused: f64,
    /// There is no account, and never was: newcomers, a third of whom sign up then.
    pub newcomer: f64,
}

/// An ordinary visit.
pub const USUAL: Slips =
    Slips { typo: 0.021, wrong: 0.05, forgotten: 0.003, confused: 0.001, newcomer: 0.0 };

/// Visits in a hurry.
pub const HURRIED: Slips = Slips { typo: 0.04, wrong: 0.06, ..USUAL };

/// Addresses people own beside the first, on average.
const MORE_ADDRESSES: f64 = 0.86;

/// Who has an account, and where the logins come from.
pub struct Shop {
    /// Logins a day.
    pub logins_per_day: u64,
    /// Accounts there are.
    pub accounts: u64,
    /// Running sums of the carriers' weights.
    carriers: Vec<f64>,
    /// The first employee of each office; they are customers from 0 on.
    offices: Vec<u64>,
    staff: u64,
}

impl Shop {
    /// A shop in which everything but people's habits grows with the number of logins.
    pub fn new(logins_per_day: u64, rng: &mut ChaCha8Rng) -> Shop {
        let accounts = (logins_per_day * 2 / 5).max(100);
        let staff = accounts / 10;
        let (mut offices, mut first) = (Vec::new(), 0);
        while first < staff {
            offices.push(first);
            first += log_uniform(3.0, 2_000.0, rng) as u64;
        }
        let carriers = (0..(logins_per_day / 2_500).max(2)).scan(0.0, |sum, rank| {
            *sum += (rank as f64 + 20.0).powf(-0.9);
            Some(*sum)
        });
        Shop { logins_per_day, accounts, carriers: carriers.collect(), offices, staff }
    }

    /// The day's tries of all customers.
    pub fn day(&self, rng: &mut ChaCha8Rng) -> Vec<Try> {
        let mut tries = Vec::with_capacity(self.logins_per_day as usize * 9 / 8);
        let mut owed = 0.0;
        for minute in 0..24 * 60 {
            // One sine a day, quietest at 3:00 and busiest at 15:00, with a mean of 1.
            let phase = (minute as f64 / 60.0 - 3.0) / 24.0 * std::f64::consts::TAU;
            owed += self.logins_per_day as f64 / 1_440.0 * (1.0 - 0.65 * phase.cos());
            let due = owed as usize;
            owed -= due as f64;
            for _ in 0..due {
                let ms = minute * MINUTE_MS + rng.random_range(0..MINUTE_MS);
                self.visit_from_anywhere(ms, USUAL, rng, &mut tries);
            }
        }
        tries
    }

    /// Any customer's visit, from wherever that customer is.
    pub fn visit_from_anywhere(
        &self,
        ms: i64,
        slips: Slips,
        rng: &mut ChaCha8Rng,
        tries: &mut Vec<Try>,
    ) {
        let account = self.account(rng);
        let (mut ms, mut source) = (ms, self.home_of(account));
        let roll: f64 = rng.random();
        if roll < 0.25 {
            source = self.some_carrier(rng);
        } else if account < self.staff && roll < 0.85 {
            source = office(self.offices.partition_point(|first| *first <= account) as u64 - 1);
            ms = office_hour(rng);
        }
        let who = Who { source, account, log: Log::of_account(account) };
        visit(who, ms, slips, rng, tries);
    }

    /// Somebody's account.
    pub fn account(&self, rng: &mut ChaCha8Rng) -> u64 {
        rng.random_range(0..self.accounts)
    }

    /// An account whose application writes this log.
    pub fn account_of(&self, log: Log, rng: &mut ChaCha8Rng) -> u64 {
        loop {
            let account = self.account(rng);
            if Log::of_account(account) == log {
                return account;
            }
        }
    }

    /// The address at which an account's owner lives, with one or two others.
    pub fn home_of(&self, account: u64) -> IpAddr {
        home(account.wrapping_mul(7_919) % self.homes())
    }

    /// How many homes there are; the number after them belongs to nobody.
    pub fn homes(&self) -> u64 {
        self.accounts * 9 / 20
    }

    fn some_carrier(&self, rng: &mut ChaCha8Rng) -> IpAddr {
        let all = self.carriers.last().copied().unwrap_or_default();
        let roll = rng.random::<f64>() * all;
        let rank = self.carriers.partition_point(|sum| *sum <= roll);
        carrier(rank.min(self.carriers.len() - 1) as u64)
    }
}

/// Who comes, and where from.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    /// The address.
    pub source: IpAddr,
    /// The account.
    pub account: u64,
    /// The log of its application.
    pub log: Log,
}

impl Who {
    fn tries(self, ms: i64, user: u64, end: End) -> Try {
        Try { ms, source: self.source, user, log: self.log, end }
    }
}

/// Around nine, or any time until evening.
pub fn office_hour(rng: &mut ChaCha8Rng) -> i64 {
    if rng.random_bool(0.6) {
        nine_o_clock(rng)
    } else {
        rng.random_range(9 * HOUR_MS..18 * HOUR_MS)
    }
}

/// The sum of three uniform variates: a bell 20 minutes wide (one sigma), no tail beyond an hour.
pub fn nine_o_clock(rng: &mut ChaCha8Rng) -> i64 {
    9 * HOUR_MS + (0..3).map(|_| rng.random_range(-20 * MINUTE_MS..20 * MINUTE_MS)).sum::<i64>()
}

/// One visit: tries until it works or the person gives up.
pub fn visit(who: Who, ms: i64, slips: Slips, rng: &mut ChaCha8Rng, tries: &mut Vec<Try>) {
    let roll: f64 = rng.random();
    let Slips { typo, wrong, forgotten, confused, newcomer } = slips;
    let wrong_until = typo + wrong;
    let mut ms = ms;
    if roll < typo {
        tries.push(who.tries(ms, slip(rng), End::NoAccount));
        ms += rng.random_range(4_000..30_000);
    } else if roll < wrong_until {
        tries.push(who.tries(ms, who.account, End::WrongPassword));
        ms += rng.random_range(4_000..30_000);
    } else if roll < wrong_until + forgotten {
        return forgets(who, ms, rng, tries);
    } else if roll < wrong_until + forgotten + confused {
        return is_confused(who, ms, rng, tries);
    } else if roll < wrong_until + forgotten + confused + newcomer {
        tries.push(who.tries(ms, slip(rng), End::NoAccount));
        if rng.random_bool(1.0 / 3.0) {
            ms += rng.random_range(MINUTE_MS..5 * MINUTE_MS);
            tries.push(who.tries(ms, who.account, End::In));
        }
        return;
    } else {
        return tries.push(who.tries(ms, who.account, End::In));
    }
    // One in twenty gives up each time; a fifth of the others is wrong about the password once more.
    while !rng.random_bool(0.05) {
        let end = if rng.random_bool(0.2) { End::WrongPassword } else { End::In };
        tries.push(who.tries(ms, who.account, end));
        if end == End::In {
            return;
        }
        ms += rng.random_range(4_000..30_000);
    }
}

fn forgets(who: Who, mut ms: i64, rng: &mut ChaCha8Rng, tries: &mut Vec<Try>) {
    for nth in 0..12 {
        if nth >= 3 && rng.random_bool(0.3) {
            break;
        }
        tries.push(who.tries(ms, who.account, End::WrongPassword));
        ms += rng.random_range(5_000..60_000);
    }
    if rng.random_bool(0.75) {
        ms += rng.random_range(2 * MINUTE_MS..10 * MINUTE_MS);
        tries.push(who.tries(ms, who.account, End::In));
    }
}

fn is_confused(who: Who, mut ms: i64, rng: &mut ChaCha8Rng, tries: &mut Vec<Try>) {
    for _ in 0..1 + poisson(MORE_ADDRESSES, rng) {
        let user = slip(rng);
        for _ in 0..rng.random_range(1..=2) {
            tries.push(who.tries(ms, user, End::NoAccount));
            ms += rng.random_range(5_000..60_000);
        }
    }
    if rng.random_bool(2.0 / 3.0) {
        tries.push(who.tries(ms, who.account, End::In));
    }
}

/// A name that is nobody's, and never the same.
fn slip(rng: &mut ChaCha8Rng) -> u64 {
    TYPO + rng.random_range(0..WORD - TYPO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::world::strand;

    #[test]
    fn customers_mostly_get_in() {
        let mut rng = strand(1, 0);
        let shop = Shop::new(20_000, &mut rng);
        let tries = shop.day(&mut rng);
        let share = |end: End| {
            tries.iter().filter(|found| found.end == end).count() as f64 / tries.len() as f64
        };
        assert!((0.88..0.93).contains(&share(End::In)), "{} get in", share(End::In));
        assert!((0.015..0.03).contains(&share(End::NoAccount)), "{}", share(End::NoAccount));
    }
}
