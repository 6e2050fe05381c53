//! Findings matched with what was planted.
//!
//! A finding is an attack's if its key is: one of its sources, the /24 it has for itself, or a name it tries from many
//! addresses; one about a system or everything if attackers try half of the unknown names it opens with ([`crowd`]). Any
//! other finding is false, whatever it says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use tidewatch_core::detector::{Condition, Detector, Measure, Operand};
use tidewatch_core::key::KeyPart;
use tidewatch_core::tag::UserTag;

use super::Day;
use super::attacks::{Attack, Class};
use super::behind;
use super::bound::{self, Bound, Traffic};
use super::crowd::{self, Behind};
use super::play::{Told, naming};
use super::systems::asn;
use super::world::{End, HOUR_MS, MINUTE_MS, Try, name};

/// What came of some days with thresholds of one scale.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By how much thresholds were multiplied.
    pub scale: f64,
    /// Days played.
    pub days: u64,
    /// Attacks by class, and whether their log says which accounts exist.
    pub classes: BTreeMap<(Class, bool), Tally>,
    /// Findings about nobody who attacks, by cause and detector.
    pub falsely: BTreeMap<(String, String), u64>,
    /// The same of what documentation says is raised.
    pub documented: BTreeMap<(String, String), u64>,
    /// Attacks above the bound that were not found: how they were.
    pub missed: Vec<String>,
    /// Findings about nobody who attacks: the traffic behind each.
    pub behind: Vec<String>,
}

/// What came of the attacks of one class.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Above the bound: planted and found.
    pub above: [u64; 2],
    /// Below it.
    pub below: [u64; 2],
    /// Of those above the bound somebody got in: how many, and how many were told.
    pub takeovers: [u64; 2],
    /// Said to have got in though nobody had.
    pub wrong_takeovers: u64,
    /// Over those found above the bound.
    pub soon: Soon,
}

/// Sums over attacks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Soon {
    /// How many.
    pub count: f64,
    /// Tries until the first finding, of the source or account it is about.
    pub tries: f64,
    /// Seconds since its first.
    pub seconds: f64,
    /// How many of them the sequential test is about.
    pub walked: f64,
    /// Different names of those until then.
    pub contacts: f64,
    /// Names the sequential test needs on average at the shipped threshold.
    pub bound: f64,
}

impl Score {
    /// Nothing played yet.
    pub fn new(scale: f64) -> Score {
        Score { scale, ..Score::default() }
    }

    /// What came of one day.
    pub fn of_day(
        scale: f64,
        day: &Day,
        traffic: &Traffic,
        told: &[Told],
        detectors: &[Detector],
    ) -> Score {
        let mut score = Score { days: 1, ..Score::new(scale) };
        let owners = Owners::of(day);
        let mut of_attack: Vec<Vec<&Told>> = vec![Vec::new(); day.attacks.len()];
        for told in told {
            let (cause, is_documented) = match owners.behind(told, day) {
                Behind::Attacks(found) => {
                    found.into_iter().for_each(|attack| of_attack[attack].push(told));
                    continue;
                }
                Behind::Documented(cause) => (cause.to_owned(), true),
                Behind::Nobody => owners.cause(told, day),
            };
            if !is_documented {
                score.behind.push(behind::described(told, day, detectors));
            }
            let list = if is_documented { &mut score.documented } else { &mut score.falsely };
            *list.entry((cause, told.detector.clone())).or_default() += 1;
        }
        for (attack, told) in day.attacks.iter().zip(&of_attack) {
            score.note(attack, &bound::over(attack, traffic), told, detectors);
        }
        for missed in &mut score.missed {
            missed.insert_str(0, &format!("seed {}: ", day.seed));
        }
        score
    }

    fn note(&mut self, attack: &Attack, over: &[Bound], told: &[&Told], detectors: &[Detector]) {
        let tally = self.classes.entry((attack.class, attack.log.tells())).or_default();
        let is_takeover =
            |told: &&&Told| detectors.iter().any(|d| d.id == told.detector && !d.after.is_empty());
        let first = told.iter().find(|told| !is_takeover(told));
        let found = u64::from(first.is_some());
        let got_in = attack.got_in().filter(|tried| tried.is_logged());
        let said = told.iter().filter(is_takeover).count() as u64;
        tally.wrong_takeovers += if got_in.is_none() { said } else { 0 };
        if over.is_empty() {
            tally.below = [tally.below[0] + 1, tally.below[1] + found];
            return;
        }
        tally.above = [tally.above[0] + 1, tally.above[1] + found];
        if let Some(first) = first {
            tally.soon.add(Soon::of(attack, first, detectors));
            if got_in.is_some() && can_be_followed(attack.class) {
                let told = u64::from(said > 0);
                tally.takeovers = [tally.takeovers[0] + 1, tally.takeovers[1] + told];
                if told == 0 {
                    self.missed.push(format!("takeover after {}", described(attack, over)));
                }
            }
        } else {
            self.missed.push(described(attack, over));
        }
    }

    /// Takes other days in.
    pub fn add(&mut self, other: Score) {
        self.days += other.days;
        for (class, tally) in other.classes {
            self.classes.entry(class).or_default().add(tally);
        }
        for (all, more) in
            [(&mut self.falsely, other.falsely), (&mut self.documented, other.documented)]
        {
            more.into_iter().for_each(|(why, count)| *all.entry(why).or_default() += count);
        }
        self.missed.extend(other.missed);
        self.behind.extend(other.behind);
    }

    /// Attacks above the bound: planted and found.
    pub fn above(&self) -> [u64; 2] {
        let add = |all: [u64; 2], tally: &Tally| [all[0] + tally.above[0], all[1] + tally.above[1]];
        self.classes.values().fold([0, 0], add)
    }

    /// Takeovers after attacks that were found: planted and told.
    pub fn takeovers(&self) -> [u64; 2] {
        let add = |all: [u64; 2], of: &Tally| [all[0] + of.takeovers[0], all[1] + of.takeovers[1]];
        self.classes.values().fold([0, 0], add)
    }

    /// False findings a day.
    pub fn false_a_day(&self) -> f64 {
        self.falsely.values().sum::<u64>() as f64 / self.days.max(1) as f64
    }
}

/// Whether a success can be connected with the attack. One of thousands of addresses with a try each gets in:
/// that is what a customer does who mistyped a name at first.
fn can_be_followed(class: Class) -> bool {
    !matches!(class, Class::Shared | Class::Disjoint | Class::Rented)
}

fn described(attack: &Attack, over: &[Bound]) -> String {
    let [first, last] =
        [attack.tries.first(), attack.tries.last()].map(|tried| tried.map_or(0, |t| t.ms));
    let names: HashSet<u64> = attack.tries.iter().map(|tried| tried.user).collect();
    let sources: HashSet<IpAddr> = attack.tries.iter().map(|tried| tried.source).collect();
    format!(
        "{} ({}): {} tries of {} names from {} sources in {} min from {:02}:{:02} on, over: {}",
        attack.class.name(),
        attack.log.name(),
        attack.tries.len(),
        names.len(),
        sources.len(),
        (last - first) / MINUTE_MS,
        first / HOUR_MS,
        first / MINUTE_MS % 60,
        over.iter().map(|bound| bound.what).collect::<Vec<_>>().join("; "),
    )
}

impl Tally {
    fn add(&mut self, other: Tally) {
        for (all, more) in [
            (&mut self.above, other.above),
            (&mut self.below, other.below),
            (&mut self.takeovers, other.takeovers),
        ] {
            *all = [all[0] + more[0], all[1] + more[1]];
        }
        self.wrong_takeovers += other.wrong_takeovers;
        self.soon.add(other.soon);
    }
}

impl Soon {
    fn of(attack: &Attack, told: &Told, detectors: &[Detector]) -> Soon {
        let about = |tried: &&Try| {
            let parts = [KeyPart::source_ip(tried.source), KeyPart::source_subnet(tried.source)];
            match told.key.first {
                KeyPart::User(tag) => naming().tag(&name(tried.user)) == tag,
                KeyPart::Global => true,
                KeyPart::Asn(system) => asn(tried.source) == system,
                part => parts.contains(&part),
            }
        };
        let first = attack.tries.iter().find(about).map_or(told.ms, |tried| tried.ms);
        // A finding about everything may have been open before.
        let found = told.ms.max(first);
        let until: Vec<&Try> =
            attack.tries.iter().filter(about).take_while(|tried| tried.ms <= found).collect();
        let names: HashSet<u64> = until.iter().map(|tried| tried.user).collect();
        let share = |end| {
            let ended = attack.tries.iter().filter(|tried| tried.end == end);
            ended.count() as f64 / attack.tries.len() as f64
        };
        // Whether an account exists tells of an attack whose names are none.
        let tells = attack.log.tells() && share(End::NoAccount) >= 0.5;
        let bound = names_needed(share(End::In), tells, detectors);
        // Where a log shows failures only, everybody's first contacts fail.
        let is_walked = (attack.log.has_successes() || tells)
            && matches!(told.key.first, KeyPart::Ipv4(_) | KeyPart::Ipv6Net(_))
            && names.len() > 2;
        let of_walk = |number: f64| if is_walked { number } else { 0.0 };
        Soon {
            count: 1.0,
            tries: until.len() as f64,
            seconds: (found - first) as f64 / 1_000.0,
            walked: of_walk(1.0),
            contacts: of_walk(names.len() as f64),
            bound: of_walk(bound),
        }
    }

    fn add(&mut self, other: Soon) {
        self.count += other.count;
        self.tries += other.tries;
        self.seconds += other.seconds;
        self.walked += other.walked;
        self.contacts += other.contacts;
        self.bound += other.bound;
    }
}

/// How many first contacts Wald's test takes on average (Jung et al. 2004, section 4: the threshold over the mean
/// step) for an attacker of whose names this share gets in, at the lowest threshold a detector has; without those that
/// ask for names that are no accounts, unless it `tells` which are.
fn names_needed(gets_in: f64, tells: bool, detectors: &[Detector]) -> f64 {
    let mut least = f64::INFINITY;
    for detector in detectors {
        let asks_existence = |condition: &Condition| {
            let filter = match detector.measures[condition.measure].measure {
                Measure::Distinct(_, filter) | Measure::Count(_, filter) => filter,
                _ => return false,
            };
            filter.user_known == Some(false)
        };
        for raise in &detector.raises {
            if !tells && raise.when.iter().any(asks_existence) {
                continue;
            }
            for condition in &raise.when {
                let measure = detector.measures[condition.measure].measure;
                if let (Measure::Sequential(rates), Operand::Number(odds)) =
                    (measure, condition.operand)
                {
                    let step = (1.0 - gets_in) * rates.failure() + gets_in * rates.success();
                    // Contacts are whole, and so is the number that decides without a success.
                    least = least.min((odds / step).max((odds / rates.failure()).ceil()));
                }
            }
        }
    }
    least
}

/// A name is an attack's if it tries it from so many addresses.
const ADDRESSES_MIN: usize = 5;

/// Who is behind a key.
struct Owners {
    sources: HashMap<KeyPart, Vec<usize>>,
    networks: HashMap<KeyPart, usize>,
    users: HashMap<UserTag, Vec<usize>>,
    innocents: HashMap<KeyPart, usize>,
}

impl Owners {
    fn of(day: &Day) -> Owners {
        let (mut sources, mut users) = (HashMap::new(), HashMap::new());
        let mut networks = HashMap::new();
        for (index, attack) in day.attacks.iter().enumerate() {
            let own: HashSet<IpAddr> = attack.tries.iter().map(|tried| tried.source).collect();
            for source in own {
                let part = KeyPart::source_ip(source);
                sources.entry(part).or_insert_with(Vec::new).push(index);
                if is_planted(source) {
                    networks.insert(KeyPart::source_subnet(source), index);
                }
            }
            let mut tried_from: HashMap<u64, HashSet<IpAddr>> = HashMap::new();
            for tried in &attack.tries {
                tried_from.entry(tried.user).or_default().insert(tried.source);
            }
            for (user, _) in tried_from.iter().filter(|(_, from)| from.len() >= ADDRESSES_MIN) {
                let tag = naming().tag(&name(*user));
                users.entry(tag).or_insert_with(Vec::new).push(index);
            }
        }
        let mut innocents = HashMap::new();
        for (index, innocent) in day.innocents.iter().enumerate() {
            for source in &innocent.sources {
                innocents.insert(KeyPart::source_ip(*source), index);
                innocents.insert(KeyPart::source_subnet(*source), index);
            }
        }
        Owners { sources, networks, users, innocents }
    }

    /// Whom a finding is about.
    fn behind(&self, told: &Told, day: &Day) -> Behind {
        let of = match told.key.first {
            part @ (KeyPart::Ipv4(_) | KeyPart::Ipv6Net(_)) => {
                self.sources.get(&part).cloned().unwrap_or_default()
            }
            part @ (KeyPart::SubnetIpv4(_) | KeyPart::SubnetIpv6(_)) => {
                self.networks.get(&part).copied().into_iter().collect()
            }
            KeyPart::User(tag) => self.users.get(&tag).cloned().unwrap_or_default(),
            KeyPart::Asn(system) => return crowd::behind(told, day, Some(system)),
            KeyPart::Agent(_) | KeyPart::Function(_) | KeyPart::Log(_) => Vec::new(),
            KeyPart::Global => return crowd::behind(told, day, None),
        };
        let first = |index: &usize| day.attacks[*index].tries.first();
        let begun = |index: &usize| first(index).is_some_and(|tried| tried.ms <= told.ms);
        let of: Vec<usize> = of.into_iter().filter(begun).collect();
        if of.is_empty() { Behind::Nobody } else { Behind::Attacks(of) }
    }

    /// Why a finding with nobody known behind it was raised, and whether documentation says that it is.
    fn cause(&self, told: &Told, day: &Day) -> (String, bool) {
        if let Some(index) = self.innocents.get(&told.key.first) {
            let innocent = &day.innocents[*index];
            return (innocent.cause.to_owned(), innocent.is_documented);
        }
        let spike = day.innocents.iter().find(|innocent| innocent.cause == "marketing spike");
        let is_in_spike = spike.is_some_and(|spike| {
            let times = spike.tries.iter().map(|tried| tried.ms);
            let [from, until] = [times.clone().min(), times.max()].map(Option::unwrap_or_default);
            (from..until + HOUR_MS).contains(&told.ms)
        });
        let cause = match told.key.first {
            KeyPart::Global if is_in_spike => "marketing spike",
            KeyPart::Global => "everybody",
            KeyPart::Asn(_) => "a network",
            KeyPart::Agent(_) => "a client",
            KeyPart::Function(_) => "a function",
            KeyPart::Log(_) => "a log",
            KeyPart::User(_) => "a customer's name",
            KeyPart::Ipv4(v4) | KeyPart::SubnetIpv4(v4) => match v4.octets()[0] {
                0x50 => "some office",
                0x64 => "a carrier's address",
                _ => "somebody's home",
            },
            KeyPart::Ipv6Net(_) | KeyPart::SubnetIpv6(_) => "somebody's home",
        };
        (cause.to_owned(), false)
    }
}

/// Whether an address is one of [`super::world::planted`] or [`super::world::rented`], in a /24 that nobody shares.
fn is_planted(source: IpAddr) -> bool {
    matches!(source, IpAddr::V4(v4) if matches!(v4.octets()[0], 198 | 45))
}
