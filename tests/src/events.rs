//! Logins as data, how an application or an sshd would log them, and what is true about them: counted
//! by definition and from the whole list, in none of the ways that Tidewatch counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use rand::Rng;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Where generated time begins: 2024-05-14T06:00:00Z, long past on every clock.
pub const START_MS: i64 = 1_715_666_400_000;

/// The window of the profiles in tests/profiles.
pub const PROFILE_SPAN_MS: i64 = 300_000;

/// What a log says of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The password was right.
    In,
    /// The account exists, the password was wrong.
    BadPassword,
    /// There is no such account.
    UnknownUser,
}

/// One try to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since the epoch.
    pub ms: i64,
    /// The address as the log writes it.
    pub source: String,
    /// The name as the log writes it.
    pub user: String,
    /// What came of it.
    pub said: Said,
}

impl Event {
    /// As an application logs it.
    pub fn json(&self) -> String {
        let (event, reason) = match self.said {
            Said::In => ("login_success", "ok"),
            Said::BadPassword => ("login_failed", "bad_password"),
            Said::UnknownUser => ("login_failed", "unknown_user"),
        };
        let user = serde_json::Value::from(self.user.as_str());
        format!(
            "{{\"timestamp\":\"{}\",\"event\":\"{event}\",\"reason\":\"{reason}\",\"user\":{user},\
             \"src_ip\":\"{}\",\"request_id\":\"{:x}\"}}",
            self.time(),
            self.source,
            self.ms
        )
    }

    /// As sshd logs it, behind a time with a year.
    pub fn sshd(&self) -> String {
        let what = match self.said {
            Said::In => "Accepted password for ",
            Said::BadPassword => "Failed password for ",
            Said::UnknownUser => "Failed password for invalid user ",
        };
        let Event { user, source, .. } = self;
        format!("{} web-1 sshd[4711]: {what}{user} from {source} port 50022 ssh2", self.time())
    }

    /// RFC 3339 in UTC, always with milliseconds.
    pub fn time(&self) -> String {
        let time = Timestamp::from_millisecond(self.ms).expect("a time");
        time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// The key of its source, as Tidewatch prints it.
    pub fn key(&self) -> String {
        match self.source.parse().expect("an address") {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => {
                    let [a, b, c, d, ..] = v6.segments();
                    format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
                }
            },
        }
    }
}

/// When each key first had `threshold` different unknown names in (t − `span_ms`, t], looking at every
/// event in the order given.
pub fn crossings(events: &[Event], span_ms: i64, threshold: usize) -> BTreeMap<String, i64> {
    let mut tries: HashMap<String, Vec<(i64, &str)>> = HashMap::new();
    let mut crossings = BTreeMap::new();
    for event in events.iter().filter(|event| event.said == Said::UnknownUser) {
        let key = event.key();
        let tries = tries.entry(key.clone()).or_default();
        tries.retain(|(ms, _)| *ms > event.ms - span_ms);
        tries.push((event.ms, &event.user));
        let names: BTreeSet<&str> = tries.iter().map(|(_, user)| *user).collect();
        if names.len() >= threshold {
            crossings.entry(key).or_insert(event.ms);
        }
    }
    crossings
}

/// How a source behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Logs in, mistypes now and then.
    Customer,
    /// Works through a long list, this many milliseconds between tries.
    List { gap_ms: i64 },
    /// Tries few names over and over.
    Loop { names: usize },
    /// 20 names, the last one this long after the first.
    Boundary { last_after_ms: i64 },
}

/// Two hours of logins in order of time: sources of every kind of address and of manners on both
/// sides of the profiles' thresholds, and exactly on them.
pub fn shop(seed: u64) -> Vec<Event> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut events = Vec::new();
    for index in 0..60 {
        let manner = match index {
            0 => Manner::Boundary { last_after_ms: PROFILE_SPAN_MS },
            1 => Manner::Boundary { last_after_ms: PROFILE_SPAN_MS - 1 },
            _ => match random.random_range(0..4) {
                0 | 1 => Manner::Customer,
                2 => Manner::List { gap_ms: random.random_range(500..30_000) },
                _ => Manner::Loop { names: random.random_range(1..26) },
            },
        };
        let addresses = addresses(&mut random, index);
        tries(&mut random, manner, &addresses, &mut events);
    }
    events.sort_by_key(|event| event.ms);
    events
}

/// The addresses one source is logged with.
fn addresses(random: &mut ChaCha8Rng, index: u16) -> Vec<String> {
    let net = index + 1;
    match random.random_range(0..3) {
        0 => vec![format!("198.51.{}.{}", net, random.random_range(1..255))],
        1 => {
            let v4 = format!("203.0.{}.{}", net, random.random_range(1..255));
            vec![format!("::ffff:{v4}"), v4]
        }
        _ => (0..9).map(|_| format!("2001:db8:{net:x}:2::{:x}", random.random::<u16>())).collect(),
    }
}

fn tries(random: &mut ChaCha8Rng, manner: Manner, addresses: &[String], events: &mut Vec<Event>) {
    let mut ms = START_MS + random.random_range(0..3_600_000);
    let mut push = |random: &mut ChaCha8Rng, ms: i64, user: String, said: Said| {
        let source = addresses.choose(random).expect("an address").clone();
        events.push(Event { ms, source, user, said });
    };
    let first = random.random_range(0..1_000_000);
    match manner {
        Manner::Customer => {
            for _ in 0..random.random_range(1..120) {
                let said = match random.random_range(0..20) {
                    0 => Said::UnknownUser,
                    1 | 2 => Said::BadPassword,
                    _ => Said::In,
                };
                let user = format!("customer{}", random.random_range(0..40));
                push(random, ms, user, said);
                ms += random.random_range(100..60_000);
            }
        }
        Manner::List { gap_ms } => {
            for nth in 0..random.random_range(10..150) {
                push(random, ms, format!("name{}", first + nth), Said::UnknownUser);
                ms += random.random_range(0..2 * gap_ms);
            }
        }
        Manner::Loop { names } => {
            for nth in 0..200 {
                push(random, ms, format!("name{}", first + nth % names), Said::UnknownUser);
                ms += random.random_range(0..8_000);
            }
        }
        Manner::Boundary { last_after_ms } => {
            for nth in 0..20 {
                let at = ms + nth * last_after_ms / 19;
                push(random, at, format!("name{nth}"), Said::UnknownUser);
            }
        }
    }
}

/// The lines that `write` makes of events, each with its end.
pub fn log(events: &[Event], write: impl Fn(&Event) -> String) -> String {
    events.iter().map(|event| write(event) + "\n").collect()
}

/// A scan that opens one finding under distinct20, and when it does: 25 unknown names, a second apart.
pub fn scan(source: &str) -> (Vec<Event>, i64) {
    let name = |nth: i64| Event {
        ms: START_MS + nth * 1_000,
        source: source.to_owned(),
        user: format!("nobody{nth}"),
        said: Said::UnknownUser,
    };
    ((0..25).map(name).collect(), START_MS + 19_000)
}
