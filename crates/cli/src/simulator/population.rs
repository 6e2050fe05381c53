//! The shop's own people: customers at home and on their way, and the operators on the bastion.
//!
//! Their volumes are Zipf-like: source number i makes a share of 1/(i + 20)^0.9, so the busiest one, a
//! carrier's NAT, makes about half a percent of all logins and most make a few. Each source stands for
//! as many accounts as its volume suggests. These numbers are assumptions, not measurements. Customers
//! succeed in 92 % of their attempts (held by a test); a failed one is mostly tried again seconds later.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::attempt::{Attempt, Door, Outcome};
use super::{Days, Scale};

const GIVEN: [&str; 40] = [
    "ada", "alma", "anton", "bela", "bruno", "carla", "dario", "edda", "elin", "emil", "enzo",
    "fay", "finn", "greta", "hana", "hugo", "ida", "ilja", "iris", "jon", "juna", "karl", "lena",
    "liv", "marek", "mila", "nico", "nora", "olaf", "petra", "quinn", "rosa", "sami", "sina",
    "tara", "theo", "uma", "vera", "wim", "zoe",
];

const FAMILY: [&str; 40] = [
    "abel", "adler", "baker", "berg", "bosch", "brandt", "carver", "dahl", "dorn", "ebner", "falk",
    "farmer", "fischer", "gruber", "haas", "hagen", "holm", "jansen", "keller", "kovac", "lang",
    "lind", "maier", "meadow", "moreau", "novak", "olsen", "pohl", "quist", "reed", "rossi",
    "sand", "stein", "thorn", "ulrich", "vogel", "weaver", "winter", "young", "zeller",
];

/// Mail domains reserved for examples (RFC 2606).
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// An office's people. There are two offices of that size.
pub(super) const STAFF: u32 = 400;

/// The account a broken program keeps trying.
pub(super) const STALE_ACCOUNT: &str = "stock-sync@example.net";

/// The operators come to the bastion through one VPN gateway.
const GATEWAY: [u8; 4] = [203, 0, 113, 30];

/// What browsers and apps call themselves; customers at one source use one of them.
const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/143.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
];

/// What the browsers of an office call themselves.
pub(super) const OFFICE_AGENT: &str = AGENTS[1];

/// Addresses a carrier has for its customers: 100.64.0.0/10.
pub(super) const CARRIER_ADDRESSES: u32 = 1 << CARRIER_BITS;

const CARRIER_BITS: u32 = 22;

/// Who has an account, and where the logins come from.
pub(super) struct Population {
    scale: Scale,
    known: HashSet<String>,
    /// Running sums of the sources' weights.
    cumulative: Vec<f64>,
}

impl Population {
    pub(super) fn new(scale: &Scale) -> Population {
        let customers = (0..scale.accounts).map(customer);
        let known = customers.chain((0..2 * STAFF).map(staff)).chain([STALE_ACCOUNT.to_owned()]);
        let mut sum = 0.0;
        let cumulative = (0..scale.sources).map(|source| {
            sum += weight(source);
            sum
        });
        Population { scale: *scale, known: known.collect(), cumulative: cumulative.collect() }
    }

    /// How many customers have an account.
    pub(super) fn accounts(&self) -> u32 {
        self.scale.accounts
    }

    /// Visits an hour in which a customer logs in, averaged over a day.
    pub(super) fn visits_per_hour(&self) -> u32 {
        self.scale.visits_per_hour
    }

    /// How many addresses customers have; the address after them belongs to nobody.
    pub(super) fn sources(&self) -> u32 {
        self.cumulative.len() as u32
    }

    /// `name` with a slip of the finger in it: a letter lost, doubled or swapped with its neighbour.
    /// Never anybody's name, so the shop calls it unknown.
    pub(super) fn typo(&self, name: &str, rng: &mut ChaCha8Rng) -> String {
        let end = name.find('@').unwrap_or(name.len());
        loop {
            let mut letters: Vec<char> = name.chars().collect();
            let at = rng.random_range(0..end - 1);
            match rng.random_range(0..3u8) {
                0 => drop(letters.remove(at)),
                1 => letters.insert(at, letters[at]),
                _ => letters.swap(at, at + 1),
            }
            let slipped: String = letters.into_iter().collect();
            if slipped != name && !self.known.contains(&slipped) {
                return slipped;
            }
        }
    }

    /// Everybody's logins but those the acts add, of visits that begin in `days`, in no order. A visit may go
    /// on after them.
    pub(super) fn visits(&self, days: Days, rng: &mut ChaCha8Rng) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        let slips = Slips { typo: 0.021, wrong: 0.05, expired: 0.0 };
        for time_ms in days.times(self.scale.visits_per_hour, rng) {
            self.visit_from_anywhere(time_ms, slips, rng, &mut attempts);
        }
        // An operator every few minutes; operators use keys, which do not expire or slip.
        for time_ms in days.times(12, rng) {
            attempts.push(Attempt {
                time_ms: time_ms - time_ms.rem_euclid(1_000),
                source: GATEWAY.into(),
                user: format!("ops-{}", GIVEN[rng.random_range(0..6)]),
                outcome: Outcome::Success,
                door: Door::Bastion,
                agent: "",
            });
        }
        attempts
    }

    /// Some customer's visit, by chance as sources and accounts are used.
    pub(super) fn visit_from_anywhere(
        &self,
        time_ms: i64,
        slips: Slips,
        rng: &mut ChaCha8Rng,
        attempts: &mut Vec<Attempt>,
    ) {
        let number = self.source_by_volume(rng);
        let user = customer(self.account_behind(number, rng));
        let source = address(number, rng);
        let door = Door::of_shop(rng.random());
        let agent = AGENTS[number as usize % AGENTS.len()];
        self.play(&Visit { time_ms, source, door, agent, slips }, &user, rng, attempts);
    }

    /// One person's visit: tries until it works or the person gives up.
    pub(super) fn play(
        &self,
        visit: &Visit,
        user: &str,
        rng: &mut ChaCha8Rng,
        attempts: &mut Vec<Attempt>,
    ) {
        let Visit { mut time_ms, source, door, agent, slips } = *visit;
        // Where agents are not told, nobody's is.
        let agent = if self.scale.agents { agent } else { "" };
        let mut outcome = slips.first_try(rng.random());
        loop {
            let user = match outcome {
                Outcome::UnknownUser => self.typo(user, rng),
                _ => user.to_owned(),
            };
            attempts.push(Attempt { time_ms, source, user, outcome, door, agent });
            // One in twenty gives up. The others look twice: a fifth of them is wrong about the
            // password again, nobody mistypes the name a second time.
            if outcome == Outcome::Success || rng.random_bool(0.05) {
                return;
            }
            time_ms += rng.random_range(4_000..30_000);
            outcome = match rng.random_bool(0.2) {
                true => Outcome::WrongPassword,
                false => Outcome::Success,
            };
        }
    }

    fn source_by_volume(&self, rng: &mut ChaCha8Rng) -> u32 {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let roll = rng.random::<f64>() * total;
        let source = self.cumulative.partition_point(|&sum| sum <= roll);
        source.min(self.cumulative.len() - 1) as u32
    }

    /// One of the accounts used from this source: one for every two visits it makes in an hour, at
    /// least one. Neighbouring sources share some, as home and mobile do.
    fn account_behind(&self, source: u32, rng: &mut ChaCha8Rng) -> u32 {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let share = weight(source) / total;
        let accounts = 1 + (share * f64::from(self.scale.visits_per_hour) / 2.0) as u32;
        let first = source.wrapping_mul(7) % self.scale.accounts;
        (first + rng.random_range(0..accounts)) % self.scale.accounts
    }
}

/// A source's volume, in proportion.
fn weight(source: u32) -> f64 {
    (f64::from(source) + 20.0).powf(-0.9)
}

/// When and where a person comes to log in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) time_ms: i64,
    pub(super) source: IpAddr,
    pub(super) door: Door,
    pub(super) agent: &'static str,
    pub(super) slips: Slips,
}

/// How likely a person's first try goes wrong, and how; shares of 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slips {
    pub(super) typo: f64,
    pub(super) wrong: f64,
    pub(super) expired: f64,
}

impl Slips {
    fn first_try(self, roll: f64) -> Outcome {
        let Slips { typo, wrong, expired } = self;
        match roll {
            roll if roll < typo => Outcome::UnknownUser,
            roll if roll < typo + wrong => Outcome::WrongPassword,
            roll if roll < typo + wrong + expired => Outcome::ExpiredPassword,
            _ => Outcome::Success,
        }
    }
}

/// The name of a customer's account. No two have the same.
pub(super) fn customer(number: u32) -> String {
    let given = GIVEN[number as usize % GIVEN.len()];
    let family = FAMILY[number as usize / GIVEN.len() % FAMILY.len()];
    let series = number as usize / GIVEN.len() / FAMILY.len();
    let domain = DOMAINS[number as usize % DOMAINS.len()];
    format!("{given}.{family}{series}@{domain}")
}

/// The name of an office worker's account.
pub(super) fn staff(number: u32) -> String {
    let given = GIVEN[number as usize % GIVEN.len()];
    let family = FAMILY[number as usize / GIVEN.len() % FAMILY.len()];
    format!("{given}.{family}@office.example")
}

/// A customer's address: one in seven is an IPv6 /64 whose host part changes (RFC 8981), the others
/// are IPv4 addresses from the range carriers use behind their NAT (RFC 6598), which is nobody's.
fn address(source: u32, rng: &mut ChaCha8Rng) -> IpAddr {
    if source % 7 == 3 {
        let high = scatter(source, 32);
        let net = [0x1000 | (high >> 16) as u16 & 0xfff, high as u16];
        let host: u64 = rng.random();
        let host = [host >> 48, host >> 32, host >> 16, host].map(|part| part as u16);
        return Ipv6Addr::new(0x2001, 0xdb8, net[0], net[1], host[0], host[1], host[2], host[3])
            .into();
    }
    carrier_address(source)
}

/// The IPv4 address of a source number below 2^22 in 100.64.0.0/10. No two have the same.
pub(super) fn carrier_address(source: u32) -> IpAddr {
    Ipv4Addr::from_bits(u32::from_be_bytes([100, 64, 0, 0]) | scatter(source, CARRIER_BITS)).into()
}

/// Spreads numbers over `bits` bits without a collision: multiplying by an odd number is a bijection
/// modulo a power of two.
fn scatter(number: u32, bits: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1) & (u32::MAX >> (32 - bits))
}
