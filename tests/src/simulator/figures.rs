//! What is measured over many runs: how late findings are, what an exact judge would have seen in
//! addition, and what it all asks of the table.

use std::collections::BTreeMap;

use tidewatch_core::finding::Activity;
use tidewatch_core::plan::Plan;
use tidewatch_core::time::Time;

use super::environment::{Fleet, Misfortunes};
use super::executor::lock;
use super::laws::{by_detector, is_hot};
use super::oracle::Histories;
use super::poller::Mapping;
use super::table::{Calls, Requests};
use super::topic::Message;
use super::weather::Level;

/// A cache in which every key of a run has room.
const CACHED_KEYS_WARM: usize = 1_000;

/// What was measured, of one run or of many.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Runs by weather.
    pub runs: BTreeMap<Level, u64>,
    /// Requests by kind.
    pub requests: Requests,
    /// What befell invocations.
    pub misfortunes: Misfortunes,
    /// Shards there ever were.
    pub shards: u64,
    /// Deliveries, those that failed as a whole, and those dealt with in part.
    pub deliveries: (u64, u64, u64),
    /// Log events by way of records, copies included, once for each key.
    pub sightings: u64,
    /// Episodes opened.
    pub episodes: u64,
    /// Messages.
    pub messages: u64,
    /// By weather, and whether it is judged at the tick: from the arrival of the record that made it
    /// certain to its message.
    pub delays_ms: BTreeMap<(Level, bool), Vec<i64>>,
    /// The longest of them, and its seed.
    pub slowest: (i64, u64),
    /// Raises certain to an exact judge at some event, which nobody published.
    pub seen_by_exact_judge_only: u64,
    /// Of calm runs with a warm cache, requests about a key and batch and how many there were of these:
    /// nothing known, an episode known before, one begun, or shares that live apart.
    pub calls: [(u64, u64); 4],
}

impl Figures {
    /// Measures the run of a seed.
    pub fn of(
        seed: u64,
        plan: &Plan,
        histories: &Histories,
        messages: &[Message],
        (fleet, mapping): (&Fleet, &Mapping),
    ) -> Figures {
        let log = lock(&mapping.log);
        let level = fleet.weather.level;
        let items = lock(&fleet.items);
        let mut figures = Figures {
            requests: items.requests,
            misfortunes: *lock(&fleet.misfortunes),
            shards: mapping.source.shards().all.len() as u64,
            deliveries: (log.deliveries, log.failures, log.partial),
            sightings: histories.values().map(|history| history.sightings.len() as u64).sum(),
            messages: messages.len() as u64,
            ..Figures::default()
        };
        figures.runs.insert(level, 1);
        if level == Level::Calm && fleet.settings.cached_keys_max >= CACHED_KEYS_WARM {
            for calls in items.calls() {
                let kind = match calls {
                    Calls { apart: true, .. } => 3,
                    Calls { indexed_before: true, .. } => 1,
                    Calls { indexed_since: true, .. } => 2,
                    _ => 0,
                };
                figures.calls[kind].0 += calls.requests;
                figures.calls[kind].1 += 1;
            }
        }
        let mut opened: BTreeMap<(&str, String), BTreeMap<Time, i64>> = BTreeMap::new();
        for message in messages.iter().filter(|m| m.finding.activity == Activity::Create) {
            let finding = &message.finding;
            let of = opened.entry((&finding.detector, finding.key.to_string())).or_default();
            of.entry(finding.start).or_insert(message.at_ms);
        }
        figures.episodes = opened.values().map(|starts| starts.len() as u64).sum();
        for ((detector, key), history) in by_detector(plan, histories) {
            if !history.may_raise_ever(detector) {
                continue;
            }
            let starts = opened.get(&(detector.id.as_str(), key.to_string()));
            match (history.certain_since(detector), starts) {
                (Some(arrived_ms), Some(starts)) => {
                    let first = starts.values().min().copied().unwrap_or(i64::MAX);
                    let delays =
                        figures.delays_ms.entry((level, is_hot(plan, detector))).or_default();
                    let delay_ms = (first - arrived_ms).max(0);
                    delays.push(delay_ms);
                    figures.slowest = figures.slowest.max((delay_ms, seed));
                }
                (Some(_), None) => figures.seen_by_exact_judge_only += 1,
                (None, _) => {}
            }
        }
        figures
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: Figures) {
        for (level, runs) in other.runs {
            *self.runs.entry(level).or_default() += runs;
        }
        for (level, delays) in other.delays_ms {
            self.delays_ms.entry(level).or_default().extend(delays);
        }
        self.slowest = self.slowest.max(other.slowest);
        let (mine, theirs) = (&mut self.requests, other.requests);
        mine.applied += theirs.applied;
        mine.refused += theirs.refused;
        mine.gets += theirs.gets;
        mine.queries += theirs.queries;
        mine.index_reads += theirs.index_reads;
        mine.throttled += theirs.throttled;
        mine.unanswered += theirs.unanswered;
        mine.too_large += theirs.too_large;
        let (mine, theirs) = (&mut self.misfortunes, other.misfortunes);
        mine.died += theirs.died;
        mine.timed_out += theirs.timed_out;
        mine.resumed += theirs.resumed;
        mine.endings_lost += theirs.endings_lost;
        self.shards += other.shards;
        self.deliveries.0 += other.deliveries.0;
        self.deliveries.1 += other.deliveries.1;
        self.deliveries.2 += other.deliveries.2;
        self.sightings += other.sightings;
        self.episodes += other.episodes;
        self.messages += other.messages;
        self.seen_by_exact_judge_only += other.seen_by_exact_judge_only;
        for (mine, theirs) in self.calls.iter_mut().zip(other.calls) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "runs: {:?}", self.runs)?;
        let (deliveries, failed, partial) = self.deliveries;
        writeln!(f, "deliveries: {deliveries}, of which {failed} failed and {partial} in part")?;
        writeln!(f, "{:?}, {} shards", self.misfortunes, self.shards)?;
        writeln!(f, "sightings: {}; {:?}", self.sightings, self.requests)?;
        writeln!(f, "episodes: {}, messages: {}", self.episodes, self.messages)?;
        for ((level, hot), delays) in &self.delays_ms {
            let judged = if *hot { "tick" } else { "batch" };
            let mut delays = delays.clone();
            delays.sort_unstable();
            let at =
                |part: f64| delays[((delays.len() - 1) as f64 * part) as usize] as f64 / 1_000.0;
            writeln!(
                f,
                "from arrival to message, {level:?}, judged at the {judged}: median {:.1} s, 99 % {:.1} s, most {:.1} s of {}",
                at(0.5),
                at(0.99),
                at(1.0),
                delays.len()
            )?;
        }
        writeln!(f, "the slowest is of seed {}", self.slowest.1)?;
        writeln!(
            f,
            "seen by an exact judge at every event only: {}",
            self.seen_by_exact_judge_only
        )?;
        for (name, (requests, pairs)) in
            ["quiet", "already open", "crossing", "apart"].iter().zip(self.calls)
        {
            let each = requests as f64 / pairs.max(1) as f64;
            writeln!(f, "requests a key and batch while calm, {name}: {each:.3} of {pairs}")?;
        }
        Ok(())
    }
}
