//! Lists of names from elsewhere, leaked ones above all: how many of the names tried stand on which of them.
//! That tells where an attacker has his names from, and an attack from a morning of typos.
//!
//! A tag is all that is kept of a name, so it says itself on which lists the name stands: in a few bits among
//! those that every home keeps, below those that sketches sort by. With other lists a name on one of them has
//! another tag, so a run keeps its lists from its beginning to its end. In the shared home, which outlives them,
//! the bits are kept free also where there is no list: whoever begins with one changes the tags of the names on it.
//!
//! Whether a share is odd is decided against the operator's own users, some of whom stand on every large list:
//! by the chance that as many of as many names, each drawn from them, would (the binomial distribution's tail).

use crate::accounts::Account;
use crate::signal::Outcome;
use crate::tag::UserTag;

/// Lists in a run.
pub const LISTS_MAX: usize = 6;

/// The lowest of the bits: the shared home keeps the upper 32 of a tag.
const FIRST_BIT: u32 = 32;

const BITS: u64 = ((1 << LISTS_MAX) - 1) << FIRST_BIT;

/// Of fewer names nothing is told.
pub const NAMES_MIN: u64 = 10;

/// A share is told where chance would bring it, or a larger one, less often than this, shared by all lists.
pub const CHANCE_MAX: f64 = 0.001;

/// Without a word about the operator's own users, a share is told from here on.
pub const SHARE_MIN: f64 = 0.5;

/// The 97.5 % quantile of the normal distribution: of a two-sided interval of 95 %.
const QUANTILE: f64 = 1.96;

/// One list, without its names.
#[derive(Clone, Debug, PartialEq)]
pub struct NameList {
    /// What it is called.
    pub name: String,
    /// Which bit of a tag tells of it, less than [`LISTS_MAX`].
    pub place: usize,
    /// The operator's own users, where they were compared with it: those on it, and all.
    pub own: Option<(u64, u64)>,
    /// The share of names that pass for names on it.
    pub foreign: f64,
}

impl NameList {
    /// The share of the operator's users that stand on it, 0 to 1; of 50 it is told a little higher than it was
    /// counted, so that nobody of 50 is not nobody at all (Laplace's rule of succession).
    pub fn usual(&self) -> Option<f64> {
        let (on, of) = self.own?;
        Some(((on + 1) as f64 / (of + 2) as f64).clamp(self.foreign, 1.0))
    }
}

/// The names behind a finding, as far as they stand on one list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The list's name.
    pub list: String,
    /// Names on it.
    pub on: u64,
    /// All names tried that did not get in, as far as they are kept.
    pub of: u64,
    /// The share of the operator's own users on it, where that is known, 0 to 1.
    pub usual: Option<f64>,
    /// How likely as many would be among as many users of the operator's; told with `usual`.
    pub chance: Option<f64>,
}

impl Listed {
    /// The share, 0 to 1.
    pub fn share(&self) -> f64 {
        self.on as f64 / self.of as f64
    }

    /// Half the 95 % interval of the share of all his names, these being drawn from them (Wilson 1927, "Probable
    /// Inference, the Law of Succession, and Statistical Inference").
    pub fn error(&self) -> f64 {
        let (n, share, z2) = (self.of as f64, self.share(), QUANTILE * QUANTILE);
        let spread = (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        QUANTILE * spread / (1.0 + z2 / n)
    }
}

/// The tag of a name that stands on the lists `on`, one bit each.
pub fn marked(UserTag(tag): UserTag, on: u8) -> UserTag {
    UserTag(tag & !BITS | u64::from(on) << FIRST_BIT & BITS)
}

/// A tag without what it says of lists, to be compared with another such.
pub fn unmarked(tag: u64) -> u64 {
    tag & !BITS
}

/// Whether a tag says that its name stands on the list of this place.
fn is_on(tag: u64, place: usize) -> bool {
    tag >> (FIRST_BIT + place as u32) & 1 == 1
}

/// The lists on which more of these accounts' names stand than chance brings there, in the order of `lists`.
pub fn listed(lists: &[NameList], accounts: &[Account]) -> Vec<Listed> {
    let tried = || accounts.iter().filter(|account| account.outcome != Some(Outcome::Success));
    let of = tried().count() as u64;
    if lists.is_empty() || of < NAMES_MIN {
        return Vec::new();
    }
    let all = lists.iter().map(|list| {
        let on = tried().filter(|account| is_on(account.tag, list.place)).count() as u64;
        let usual = list.usual();
        let chance = usual.map(|usual| at_least(on, of, usual));
        Listed { list: list.name.clone(), on, of, usual, chance }
    });
    let is_odd = |listed: &Listed| match listed.chance {
        Some(chance) => chance * lists.len() as f64 <= CHANCE_MAX,
        None => listed.share() >= SHARE_MIN,
    };
    all.filter(is_odd).collect()
}

/// The chance of at least `on` hits in `of` tries of a chance of `p` each: the sum of the binomial
/// distribution's upper tail.
fn at_least(on: u64, of: u64, p: f64) -> f64 {
    if on == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    let ways: f64 = (1..=on).map(|i| (((of - on + i) as f64) / i as f64).ln()).sum();
    let mut term = (ways + on as f64 * p.ln() + (of - on) as f64 * (1.0 - p).ln()).exp();
    let mut sum = 0.0;
    for hits in on..=of {
        sum += term;
        term *= (of - hits) as f64 / (hits + 1) as f64 * p / (1.0 - p);
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn list(own: Option<(u64, u64)>) -> NameList {
        NameList { name: "leak".to_owned(), place: 0, own, foreign: 1.0 / 65_536.0 }
    }

    fn accounts(on: u64, of: u64) -> Vec<Account> {
        let tag = |n| marked(UserTag(n << 40 | n), u8::from(n < on)).0;
        let account = |n| Account {
            tag: tag(n),
            outcome: None,
            known: None,
            last: Time(0),
            first: None,
            as_ever: false,
        };
        (0..of).map(account).collect()
    }

    #[test]
    fn a_tag_says_which_lists_its_name_is_on_and_no_more() {
        for tag in [0, !0, 0x0123_4567_89ab_cdef] {
            for on in 0..1 << LISTS_MAX {
                let UserTag(said) = marked(UserTag(tag), on);
                assert_eq!(unmarked(said), unmarked(tag));
                let back = (0..LISTS_MAX).map(|nth| u8::from(is_on(said, nth)) << nth).sum::<u8>();
                assert_eq!(back, on);
            }
        }
        // The shared home keeps what a tag says, and sketches sort by bits above it.
        assert_eq!(BITS & !crate::retention::SHARED_TAG_MASK, 0);
        assert!(BITS.leading_zeros() > u32::from(crate::sketch::PRECISION));
    }

    #[test]
    fn the_tail_is_that_of_counting_all_cases() {
        // Every outcome of ten tries, by hand.
        for p in [0.03, 0.5, 0.9] {
            for on in 0..=10u64 {
                let of_case = |case: u64| {
                    let hits = i32::try_from(case.count_ones()).unwrap();
                    f64::powi(p, hits) * f64::powi(1.0 - p, 10 - hits)
                };
                let cases = (0..1u64 << 10).filter(|case| u64::from(case.count_ones()) >= on);
                let counted: f64 = cases.map(of_case).sum();
                assert!((at_least(on, 10, p) - counted).abs() < 1e-12, "{on} of 10, {p}");
            }
        }
        assert!(at_least(1_000, 1_000, 0.5) < 1e-300);
    }

    #[test]
    fn what_chance_brings_is_not_told() {
        let usual = [list(Some((30, 1_000)))];
        assert_eq!(listed(&usual, &accounts(3, 60)), []);
        let told = listed(&usual, &accounts(49, 60));
        assert_eq!((told[0].on, told[0].of), (49, 60));
        assert!(told[0].chance < Some(1e-50) && (told[0].error() - 0.098).abs() < 0.005);
        // Where half of one's own users stand on it, most of an attacker's names there tell less.
        let common = [list(Some((500, 1_000)))];
        assert_eq!(listed(&common, &accounts(35, 60)), []);
        assert_eq!(listed(&common, &accounts(49, 60)).len(), 1);
    }

    #[test]
    fn without_a_word_about_own_users_most_must_be_on_it_and_of_a_few_nothing_is_told() {
        assert_eq!(listed(&[list(None)], &accounts(29, 60)), []);
        assert_eq!(listed(&[list(None)], &accounts(30, 60))[0].chance, None);
        assert_eq!(listed(&[list(None)], &accounts(9, 9)), []);
    }

    #[test]
    fn who_got_in_is_not_counted() {
        let mut all = accounts(20, 20);
        all[0].outcome = Some(Outcome::Success);
        assert_eq!(listed(&[list(None)], &all)[0].of, 19);
    }
}
