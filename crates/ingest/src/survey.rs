//! What the lines of each log group say, and what they leave out or should not say: for whoever decides which
//! groups to subscribe, and what to log otherwise.
//!
//! A group's lines are all looked at, or a sample: one of each 2^k lines in turn, with the least k that gives no
//! more than were asked for. Which one is a function of its number alone: of two halves one is drawn, and of that
//! again, so what is drawn of 2^(k+1) lines is one of what was drawn of 2^k. So a sample is spread over the input,
//! can be taken without knowing its length beforehand, and is the same however the input is cut. A fixed step would
//! be simpler, and wrong: logs are periodic, and one of START, END and REPORT would be all that it sees.
//!
//! What an event should tell is OWASP's list (Logging Cheat Sheet, "Event attributes"): when, where from, who and
//! what.

use std::collections::BTreeMap;

use tidewatch_core::signal::{Auth, Origin, Outcome, SignalKind};

use crate::Ingest;
use crate::batch::Batch;
use crate::format::Said;
use crate::limits::SURVEYED_GROUPS_MAX;
use crate::problem::Problem;
use crate::secrets::{Held, Secret, look};
use crate::tally::Place;

/// The name of the group in which those beyond [`SURVEYED_GROUPS_MAX`] are counted.
pub const FURTHER: &str = "(further log groups)";

/// What an authentication event should tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// When it was.
    Time,
    /// The address it came from.
    Source,
    /// The name that was tried.
    User,
    /// How it ended.
    Outcome,
    /// Of a login that failed, whether there is such an account.
    Account,
}

impl Attribute {
    /// All of them.
    pub const ALL: [Attribute; 5] = [
        Attribute::Time,
        Attribute::Source,
        Attribute::User,
        Attribute::Outcome,
        Attribute::Account,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::Time => "time",
            Attribute::Source => "source",
            Attribute::User => "user",
            Attribute::Outcome => "outcome",
            Attribute::Account => "account_exists",
        }
    }
}

/// Lines that are taken down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Lines a group of which no more are kept; `None` for all.
    sample: Option<usize>,
    groups: BTreeMap<(String, String), Group>,
    /// Of formats and problems; facts name them by their place.
    names: Vec<String>,
}

/// What has been taken down of one group.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    is_log_group: bool,
    lines: u64,
    /// Of so many lines one is looked at, as a power of two.
    every_log2: u32,
    /// Of a sample each line's number in its group, and what it says, in order.
    kept: Vec<(u64, Facts)>,
    sums: Coverage,
}

/// What a group's lines say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// The account of the log group; empty for an input.
    pub account: String,
    /// The log group, or the input where lines name none.
    pub name: String,
    /// Whether it is a log group.
    pub is_log_group: bool,
    /// Its lines.
    pub lines: u64,
    /// Those that were looked at; all other counts are of these.
    pub looked_at: u64,
    /// Of so many lines one was looked at.
    pub every: u64,
    /// Lines that carry authentication signals, by the format that reads them.
    pub auth: BTreeMap<String, u64>,
    /// Lines that name a login and do not tell how it ended: they carry no signal.
    pub undecided: u64,
    /// Lines that report an invocation, or how one ended.
    pub invocations: u64,
    /// Lines that say who asked for something, and are neither of the above.
    pub access: u64,
    /// Lines that a format should read and cannot, by its id, or by the name of the [`Problem`].
    pub unread: BTreeMap<String, u64>,
    /// Authentication events (signals and undecided ones) that lack each [`Attribute`].
    pub lacks: [u64; Attribute::ALL.len()],
    /// What should not be there.
    pub secrets: BTreeMap<Secret, Spilled>,
    /// Numbers like those of cards that nothing labels.
    numbers: u64,
    like_cards: Option<Spilled>,
}

/// How much of one kind should not be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Spilled {
    /// Lines that hold it.
    pub lines: u64,
    /// How often it is there.
    pub values: u64,
    /// The first of those lines.
    pub first: Origin,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    what: What,
    /// A bit for each [`Attribute`] it lacks.
    lacks: u8,
    held: Option<Box<(Held, Origin)>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Nothing,
    /// By a format's place among the names.
    Auth(u16),
    Undecided,
    Invocation,
    Access,
    /// By the place of a format or a problem among the names.
    Unread(u16),
}

/// Which group a line is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surveyed<'a> {
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
    pub(crate) is_log_group: bool,
}

/// What readers made of a line.
pub(crate) struct Sayings<'a, A> {
    pub(crate) heard: (Said, Option<&'a str>),
    /// Whether it has its time from outside the message.
    pub(crate) is_timed: bool,
    /// Whether it says who asked for something.
    pub(crate) asks: A,
    /// See [`crate::format::lacks_outcome`].
    pub(crate) lacks_outcome: bool,
}

impl Survey {
    /// An empty one that looks at no more than `sample` lines of a group.
    pub fn new(sample: Option<usize>) -> Survey {
        Survey { sample, ..Survey::default() }
    }

    /// What all groups say, by account and name.
    pub fn coverage(&self) -> Vec<Coverage> {
        let each = self.groups.iter().map(|((account, name), group)| {
            let mut sums = group.sums.clone();
            (sums.account, sums.name) = (account.clone(), name.clone());
            group.kept.iter().for_each(|(_, facts)| sums.add(facts, &self.names));
            sums.is_log_group = group.is_log_group;
            sums.lines = group.lines;
            sums.every = 1 << group.every_log2;
            sums.settled()
        });
        each.collect()
    }

    /// Counts a line of a group; its key if it is to be looked at.
    fn count(&mut self, group: Surveyed<'_>) -> Option<(String, String)> {
        let mut key = (group.account.to_owned(), group.name.to_owned());
        let is_full = self.groups.len() >= SURVEYED_GROUPS_MAX;
        if is_full && !self.groups.contains_key(&key) {
            key = (String::new(), FURTHER.to_owned());
        }
        let known = self.groups.entry(key.clone()).or_default();
        known.is_log_group = group.is_log_group;
        let nth = known.lines;
        known.lines += 1;
        (1..=known.every_log2).all(|level| is_drawn(nth, level)).then_some(key)
    }

    fn add(&mut self, key: (String, String), facts: Facts) {
        let group = self.groups.entry(key).or_default();
        let Some(most) = self.sample else { return group.sums.add(&facts, &self.names) };
        group.kept.push((group.lines - 1, facts));
        while group.kept.len() > most.max(1) {
            group.every_log2 += 1;
            group.kept.retain(|(nth, _)| is_drawn(*nth, group.every_log2));
        }
    }

    /// The place of a name.
    fn place_of(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }
}

impl Coverage {
    fn add(&mut self, facts: &Facts, names: &[String]) {
        self.looked_at += 1;
        let name = |place: u16| names.get(usize::from(place)).cloned().unwrap_or_default();
        match facts.what {
            What::Nothing => {}
            What::Auth(format) => *self.auth.entry(name(format)).or_default() += 1,
            What::Undecided => self.undecided += 1,
            What::Invocation => self.invocations += 1,
            What::Access => self.access += 1,
            What::Unread(why) => *self.unread.entry(name(why)).or_default() += 1,
        }
        for (nth, lacks) in self.lacks.iter_mut().enumerate() {
            *lacks += u64::from(facts.lacks >> nth & 1);
        }
        let Some((held, origin)) = facts.held.as_deref() else { return };
        let spilled = |values| Spilled { lines: 1, values, first: origin.clone() };
        for kind in Secret::ALL.into_iter().filter(|kind| held.of(*kind) > 0) {
            let new = spilled(held.of(kind));
            self.secrets.entry(kind).and_modify(|known| known.add(&new)).or_insert(new);
        }
        self.numbers += u64::from(held.numbers);
        if held.like_cards > 0 {
            let new = spilled(u64::from(held.like_cards));
            match &mut self.like_cards {
                Some(known) => known.add(&new),
                None => self.like_cards = Some(new),
            }
        }
    }

    /// With those numbers counted as cards that nothing labels, if at least half of all that are as long and
    /// begin alike pass as cards: of random numbers one in ten does at most.
    fn settled(mut self) -> Coverage {
        if let Some(cards) = self.like_cards.take().filter(|it| 2 * it.values >= self.numbers) {
            match self.secrets.get_mut(&Secret::CardNumber) {
                Some(known) => known.add(&cards),
                None => drop(self.secrets.insert(Secret::CardNumber, cards)),
            }
        }
        self
    }

    /// Lines that carry authentication signals.
    pub fn auth_lines(&self) -> u64 {
        self.auth.values().sum()
    }
}

impl Spilled {
    fn add(&mut self, later: &Spilled) {
        self.lines += later.lines;
        self.values += later.values;
    }
}

impl Ingest {
    /// Takes a line down, if its turn comes; `found` says what it holds.
    pub(crate) fn survey(
        &self,
        group: Surveyed<'_>,
        found: impl FnOnce(&mut Survey) -> Result<Facts, Problem>,
        place: Place<'_>,
        batch: &mut Batch,
    ) {
        let Some(survey) = batch.survey.as_deref_mut() else { return };
        let Some(key) = survey.count(group) else { return };
        let facts = found(survey).unwrap_or_else(|problem| {
            batch.tally.reject(problem, place);
            Facts { what: What::Unread(survey.place_of(problem.name())), lacks: 0, held: None }
        });
        survey.add(key, facts);
    }

    /// What `text` says and holds, after readers have made something of it.
    pub(crate) fn facts(
        &self,
        survey: &mut Survey,
        text: &str,
        said: Sayings<'_, impl FnOnce() -> bool>,
        origin: impl FnOnce() -> Origin,
    ) -> Facts {
        let (heard, by) = said.heard;
        let mut lacks = 0;
        let mut user = None;
        let undecided = said.lacks_outcome.then_some(What::Undecided);
        let what = match heard {
            Said::Signal { when, auth, .. } => {
                user = auth.user;
                lacks = lacking(&auth, said.is_timed || when.is_some());
                What::Auth(survey.place_of(by.unwrap_or_default()))
            }
            Said::Invocation { .. } => What::Invocation,
            Said::PassedOver(format) => undecided
                .unwrap_or_else(|| What::Unread(survey.place_of(&self.formats.all()[format].id))),
            Said::Unreadable(problem) => What::Unread(survey.place_of(problem.name())),
            Said::Nothing | Said::HostnameSource => undecided
                .unwrap_or_else(|| if (said.asks)() { What::Access } else { What::Nothing }),
        };
        if what == What::Undecided {
            lacks = 1 << Attribute::Outcome as u8;
        }
        let is_user = |address: &str| user.is_some_and(|user| self.names.tag(address) == user);
        let held = look(text, is_user);
        let held = (held != Held::default()).then(|| Box::new((held, origin())));
        Facts { what, lacks, held }
    }
}

/// Whether line `nth` is in the half that is drawn of the 2^`level` lines around it.
fn is_drawn(nth: u64, level: u32) -> bool {
    // The finalizer of SplitMix64: each bit of what goes in turns half of those that come out.
    let mut mixed = (nth >> level).wrapping_add(u64::from(level) << 58);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) & 1 == (nth >> (level - 1)) & 1
}

/// A bit for each [`Attribute`] that a signal lacks.
fn lacking(auth: &Auth, is_timed: bool) -> u8 {
    let is_failed_login = auth.action == SignalKind::Auth && auth.outcome == Outcome::Failure;
    let bit = |attribute: Attribute, lacks: bool| u8::from(lacks) << attribute as u8;
    bit(Attribute::Time, !is_timed)
        | bit(Attribute::Source, auth.source.is_none())
        | bit(Attribute::User, auth.user.is_none())
        | bit(Attribute::Account, is_failed_login && auth.user_known.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_so_many_lines_is_drawn_and_was_drawn_before() {
        let drawn = |level: u32| {
            let is = move |nth: &u64| (1..=level).all(|level| is_drawn(*nth, level));
            (0..1u64 << 16).filter(is).collect::<Vec<u64>>()
        };
        for level in 1..=16 {
            let (now, before) = (drawn(level), drawn(level - 1));
            let blocks: Vec<u64> = now.iter().map(|nth| nth >> level).collect();
            assert_eq!(blocks, (0..1 << (16 - level)).collect::<Vec<u64>>(), "{level}");
            assert!(now.iter().all(|nth| before.contains(nth)), "{level}");
        }
        // None of the places within a short period is preferred.
        for period in 2..=16 {
            let counts: Vec<usize> = (0..period)
                .map(|place| drawn(4).iter().filter(|nth| *nth % period == place).count())
                .collect();
            let even = drawn(4).len() / counts.len();
            assert!(counts.iter().all(|count| count.abs_diff(even) < even / 3), "{counts:?}");
        }
    }
}
