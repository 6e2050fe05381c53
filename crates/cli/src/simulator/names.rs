//! The names attackers try: words for roles and services with endings, most popular first.
//!
//! The words are ours; what is taken from reality is the SHAPE of the popularity. A public honeypot
//! (T-Pot, November 2025: 39,263 tries, 2,083 distinct names) saw one name a third of the time, ten
//! names 58 % and a hundred 78 %; from rank 3 on its counts fall as rank^-1.08. Ours: weight rank^-1.07
//! with the first name lifted to a third, which gives 33 %, 56 % and 79 % (held by a test). The
//! honeypot's thin tail (rank^-1.4 beyond 200) is not followed, and its names are shorter.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Names as a role, most popular first.
const ROLES: [&str; 64] = [
    "admin",
    "shop",
    "sales",
    "manager",
    "owner",
    "office",
    "billing",
    "service",
    "webshop",
    "store",
    "contact",
    "login",
    "account",
    "master",
    "customer",
    "order",
    "api",
    "system",
    "demo",
    "staff",
    "team",
    "mail",
    "marketing",
    "finance",
    "invoice",
    "helpdesk",
    "editor",
    "operator",
    "warehouse",
    "stock",
    "returns",
    "shipping",
    "logistics",
    "newsletter",
    "payments",
    "checkout",
    "partner",
    "vendor",
    "supplier",
    "reseller",
    "catalog",
    "pricing",
    "promo",
    "coupon",
    "giftcard",
    "loyalty",
    "reviews",
    "content",
    "design",
    "photo",
    "print",
    "desk",
    "front",
    "reception",
    "cashier",
    "audit",
    "legal",
    "people",
    "jobs",
    "press",
    "events",
    "travel",
    "security",
    "robot",
];

/// Endings, most popular first.
const ENDINGS: [&str; 16] = [
    "", "1", "123", "01", "2", "-dev", "_old", "2026", "-test", "99", ".eu", "-app", "007", "_bot",
    "-prod", "x",
];

/// The popularity falls as rank to the power of minus this.
const EXPONENT: f64 = 1.07;

/// The weight of the first name: a third of the sum of all.
const FIRST_WEIGHT: f64 = 2.5;

/// Names with their weights, most popular first.
pub(super) struct Wordlist {
    names: Vec<(String, f64)>,
    /// Running sums of the weights.
    cumulative: Vec<f64>,
}

impl Wordlist {
    /// All roles with all endings. A name's rank is that of the product of its two ranks, so plain roles
    /// come early and rare roles with odd endings last.
    pub(super) fn new() -> Wordlist {
        let mut ranked: Vec<(usize, String)> = Vec::new();
        for (role_rank, role) in ROLES.iter().enumerate() {
            for (ending_rank, ending) in ENDINGS.iter().enumerate() {
                ranked
                    .push(((role_rank + 1) * (ending_rank + 1).pow(2), format!("{role}{ending}")));
            }
        }
        ranked.sort();
        let weight = |index: usize| match index {
            0 => FIRST_WEIGHT,
            _ => ((index + 1) as f64).powf(-EXPONENT),
        };
        let names = ranked.into_iter().enumerate();
        let names: Vec<_> = names.map(|(index, (_, name))| (name, weight(index))).collect();
        let mut sum = 0.0;
        let cumulative = names.iter().map(|(_, weight)| {
            sum += weight;
            sum
        });
        Wordlist { cumulative: cumulative.collect(), names }
    }

    /// One name by popularity, whatever was drawn before.
    pub(super) fn pick(&self, rng: &mut ChaCha8Rng) -> &str {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let roll = rng.random::<f64>() * total;
        let index = self.cumulative.partition_point(|&sum| sum <= roll);
        &self.names[index.min(self.names.len() - 1)].0
    }

    /// The first `count` names of one attacker's list: a weighted draw without repetition, so popular
    /// names tend to come early and no two lists are the same. (Efraimidis and Spirakis 2006: sort by
    /// an exponential variate divided by the weight.)
    pub(super) fn draw(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<&str> {
        let mut order: Vec<(f64, &str)> = self
            .names
            .iter()
            .map(|(name, weight)| (-(1.0 - rng.random::<f64>()).ln() / weight, name.as_str()))
            .collect();
        order.sort_by(|one, other| one.0.total_cmp(&other.0));
        order.truncate(count);
        order.into_iter().map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::simulator::{Strand, strand};

    #[test]
    fn names_are_distinct_and_plain() {
        let list = Wordlist::new();
        let names: HashSet<&str> = list.names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), ROLES.len() * ENDINGS.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_graphic() && b != b'"')));
        assert!(names.iter().all(|name| !name.bytes().any(|b| b.is_ascii_uppercase())));
    }

    /// First picks are draws by popularity: they must have the shares the honeypot had.
    #[test]
    fn popularity_has_the_shape_of_a_real_honeypot() {
        let list = Wordlist::new();
        let mut rng = strand(1, Strand::Visits, 0);
        let mut counts: HashMap<String, u32> = HashMap::new();
        for _ in 0..3_000 {
            *counts.entry(list.pick(&mut rng).to_owned()).or_default() += 1;
            *counts.entry(list.draw(1, &mut rng)[0].to_owned()).or_default() += 1;
        }
        let mut counts: Vec<u32> = counts.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let share = |top: usize| f64::from(counts[..top].iter().sum::<u32>()) / 6_000.0;
        for (top, real) in [(1, 0.33), (10, 0.58), (100, 0.78)] {
            assert!((share(top) - real).abs() < 0.04, "top {top}: {} against {real}", share(top));
        }
    }
}
