//! What looks like an attack and is none: planted once a day or oftener, each with its cause.
//!
//! Some of it nobody can tell from an attack by counting. The README says so, and says that it is raised once;
//! of these, findings are listed apart.

use std::net::IpAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::laws::{Names, pause_ms};
use super::people::{HURRIED, Shop, USUAL, Who, nine_o_clock, visit};
use super::world::{DAY_MS, End, HOUR_MS, Log, MINUTE_MS, Try, WORD, planted};

/// Something that means no harm.
pub struct Innocent {
    /// What it is, as tables name it.
    pub cause: &'static str,
    /// Whether documentation says that it is raised.
    pub is_documented: bool,
    /// Its addresses, which are nobody else's; none for a crowd of customers.
    pub sources: Vec<IpAddr>,
    /// What it does.
    pub tries: Vec<Try>,
}

/// Places in the planted addresses that innocents have; attacks have those behind them.
pub const PLACES: u64 = 32;

/// People of an office where the log tells of successes.
const STAFF: u64 = 400;

/// People behind one address where it does not: more look like password spraying, says the README.
const STAFF_UNSEEN: u64 = 120;

/// Everything of one day. Numbers of people and programs do not depend on the size of the shop.
pub fn of_a_day(shop: &Shop, names: &Names, rng: &mut ChaCha8Rng) -> Vec<Innocent> {
    let mut all = Vec::new();
    let logs = [Log::Tells, Log::Hides, Log::FailuresTell, Log::FailuresHide];
    for log in logs {
        let place = all.len() as u64;
        let count = if log.has_successes() { STAFF } else { STAFF_UNSEEN };
        all.push(office(place, log, [count, 0], shop, rng));
        all.push(carrier_nat(place + 1, log, shop, rng));
    }
    for log in [Log::Tells, Log::Hides] {
        all.push(office(all.len() as u64, log, [STAFF, 1], shop, rng));
    }
    all.push(rush(shop, rng));
    for pause_ms in [5_000, 30_000, 5 * MINUTE_MS] {
        all.push(broken_client(all.len() as u64, pause_ms, shop, rng));
    }
    for _ in 0..3 {
        all.push(hasty_client(all.len() as u64, shop, rng));
    }
    all.push(pentest(all.len() as u64, shop, names, rng));
    assert!(all.len() as u64 <= PLACES, "attacks have the places behind");
    all
}

/// An office on a Monday morning; where `expired` is 1, on the day when a third of its passwords has expired:
/// whoever is told so tries once or twice more, sets a new one, and gets in minutes later.
fn office(
    place: u64,
    log: Log,
    [people, expired]: [u64; 2],
    shop: &Shop,
    rng: &mut ChaCha8Rng,
) -> Innocent {
    let source = planted(place, 1);
    let mut tries = Vec::new();
    for _ in 0..people {
        let who = Who { source, account: shop.account(rng), log };
        let mut ms = nine_o_clock(rng);
        if expired == 1 && rng.random_bool(1.0 / 3.0) {
            for _ in 0..rng.random_range(1..=3) {
                tries.push(Try { ms, source, user: who.account, log, end: End::WrongPassword });
                ms += rng.random_range(5_000..30_000);
            }
            ms += rng.random_range(MINUTE_MS..6 * MINUTE_MS);
        }
        visit(who, ms, HURRIED, rng, &mut tries);
    }
    let cause = match (expired, log.has_successes()) {
        (0, true) => "office of 400 on a Monday",
        (0, false) => "office of 120, log of failures only",
        _ => "password-expiry office",
    };
    Innocent { cause, is_documented: expired == 1, sources: vec![source], tries }
}

/// A carrier's address with customers of one application: 3,000 logins over the day, and where the log has
/// failures only, 600.
fn carrier_nat(place: u64, log: Log, shop: &Shop, rng: &mut ChaCha8Rng) -> Innocent {
    let source = planted(place, 1);
    let count = if log.has_successes() { 3_000 } else { 600 };
    let mut tries = Vec::new();
    for _ in 0..count {
        let who = Who { source, account: shop.account(rng), log };
        visit(who, rng.random_range(6 * HOUR_MS..23 * HOUR_MS), USUAL, rng, &mut tries);
    }
    let cause = match log.has_successes() {
        true => "carrier's NAT",
        false => "carrier's NAT, log of failures only",
    };
    Innocent { cause, is_documented: false, sources: vec![source], tries }
}

/// Ten times the usual logins for half an hour, by people in more of a hurry, one in fourteen of whom has no
/// account yet.
fn rush(shop: &Shop, rng: &mut ChaCha8Rng) -> Innocent {
    let from = rng.random_range(10 * HOUR_MS..20 * HOUR_MS);
    let slips = super::people::Slips { typo: 0.06, wrong: 0.1, newcomer: 0.07, ..USUAL };
    let mut tries = Vec::new();
    for _ in 0..shop.logins_per_day * 10 / 48 {
        let ms = from + rng.random_range(0..30 * MINUTE_MS);
        shop.visit_from_anywhere(ms, slips, rng, &mut tries);
    }
    // Nobody is told from other customers.
    tries.retain(|found| (from..from + HOUR_MS).contains(&found.ms));
    Innocent { cause: "marketing spike", is_documented: false, sources: Vec::new(), tries }
}

/// A program with a stale password that tries again and again for eight hours.
fn broken_client(place: u64, every_ms: i64, shop: &Shop, rng: &mut ChaCha8Rng) -> Innocent {
    let (source, user) = (planted(place, 1), shop.account(rng));
    let mut ms = rng.random_range(0..16 * HOUR_MS);
    let (until, mut tries) = (ms + 8 * HOUR_MS, Vec::new());
    while ms < until {
        tries.push(Try { ms, source, user, log: Log::of_account(user), end: End::WrongPassword });
        ms += every_ms + rng.random_range(-every_ms / 20..=every_ms / 20);
    }
    let (cause, is_documented) = match every_ms {
        5_000 => ("broken client, every 5 s for 8 h", true),
        30_000 => ("broken client, every 30 s for 8 h", false),
        _ => ("broken client, every 5 min for 8 h", false),
    };
    Innocent { cause, is_documented, sources: vec![source], tries }
}

/// A program whose token has run out: it tries four times a second for five seconds, and then has a new one.
fn hasty_client(place: u64, shop: &Shop, rng: &mut ChaCha8Rng) -> Innocent {
    let (source, user) = (planted(place, 1), shop.account(rng));
    let log = Log::of_account(user);
    let mut ms = rng.random_range(0..DAY_MS - HOUR_MS);
    let until = ms + 5_000;
    let mut tries = Vec::new();
    while ms < until {
        tries.push(Try { ms, source, user, log, end: End::WrongPassword });
        ms += rng.random_range(230..330);
    }
    tries.push(Try { ms: until + 2_000, source, user, log, end: End::In });
    let cause = "client that retries for 5 s";
    Innocent { cause, is_documented: false, sources: vec![source], tries }
}

/// Testers from a range they have named beforehand scan, spray and guess: an attack in all but intent.
fn pentest(place: u64, shop: &Shop, names: &Names, rng: &mut ChaCha8Rng) -> Innocent {
    let sources: Vec<IpAddr> = (10..13).map(|host| planted(place, host)).collect();
    let from = rng.random_range(8 * HOUR_MS..16 * HOUR_MS);
    let mut tries = Vec::new();
    let mut ms = from;
    for rank in names.list(200, rng) {
        let (user, end) = (WORD + rank, End::NoAccount);
        tries.push(Try { ms, source: sources[0], user, log: Log::Tells, end });
        ms += pause_ms(17_000.0, rng);
    }
    let victim = shop.account(rng);
    for nth in 0..300 {
        let (source, user) =
            if nth < 100 { (sources[1], shop.account(rng)) } else { (sources[2], victim) };
        let ms = from + nth * 3_000;
        tries.push(Try { ms, source, user, log: Log::Tells, end: End::WrongPassword });
    }
    Innocent { cause: "announced penetration test", is_documented: true, sources, tries }
}
