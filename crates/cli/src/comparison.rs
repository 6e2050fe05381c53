//! Two sets of detectors over the same signals, and what became of the findings.
//!
//! Episodes are the same if their detector has the same id, their key is the same, and they overlap in
//! time: a threshold that is lower opens earlier, and the uid of an episode depends on when it opened.

use tidewatch_core::detector::Severity;
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::key::Key;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::signal::Signal;
use tidewatch_core::time::Time;

/// Both engines.
pub struct Comparison {
    /// With the detectors that are tried out.
    pub ours: Engine<MemoryStore, Episodes>,
    /// With those they are compared with.
    pub theirs: Engine<MemoryStore, Episodes>,
}

/// A sink that keeps one entry for each episode.
pub type Episodes = Vec<Finding>;

/// An episode: the first message about it, at its worst.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub uid: String,
    pub detector: String,
    pub key: Key,
    pub severity: Severity,
    pub opened: Time,
    pub last: Time,
}

/// What became of an episode.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Only the detectors that are tried out find it.
    Appears(Episode),
    /// Only those they are compared with find it.
    Vanishes(Episode),
    /// Both do, with another severity.
    Severity { ours: Episode, theirs: Episode },
    /// Both do, alike.
    Same { ours: Episode, theirs: Episode },
}

impl Comparison {
    /// Passes a signal to both.
    pub async fn observe(&mut self, signal: &Signal) -> Result<(), Fault> {
        self.ours.observe(signal).await?;
        self.theirs.observe(signal).await
    }

    /// Says to both that the inputs have ended.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        self.ours.ended().await?;
        self.theirs.ended().await
    }

    /// What changes, in order of time.
    pub fn changes(&mut self) -> Vec<Change> {
        let ours = episodes(self.ours.sink());
        changes(ours, episodes(self.theirs.sink()))
    }
}

/// One entry for each episode of the messages.
fn episodes(messages: &[Finding]) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    let mut at: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for message in messages {
        match at.get(message.uid.as_str()) {
            Some(at) => {
                let known = &mut episodes[*at];
                known.severity = known.severity.max(message.severity);
                known.last = known.last.max(message.last);
            }
            None if message.activity == Activity::Close => {}
            None => {
                at.insert(&message.uid, episodes.len());
                episodes.push(Episode {
                    uid: message.uid.clone(),
                    detector: message.detector.clone(),
                    key: message.key,
                    severity: message.severity,
                    opened: message.start,
                    last: message.last,
                });
            }
        }
    }
    episodes
}

/// Pairs episodes up: each with the first of the other side that it overlaps.
fn changes(ours: Vec<Episode>, theirs: Vec<Episode>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut left: std::collections::BTreeMap<(String, Key), Vec<Episode>> = Default::default();
    for episode in theirs {
        left.entry((episode.detector.clone(), episode.key)).or_default().push(episode);
    }
    for ours in ours {
        let same = left.get_mut(&(ours.detector.clone(), ours.key));
        let overlaps = |theirs: &Episode| theirs.opened <= ours.last && ours.opened <= theirs.last;
        let pair = same.and_then(|same| {
            let at = same.iter().position(overlaps)?;
            Some(same.remove(at))
        });
        changes.push(match pair {
            None => Change::Appears(ours),
            Some(theirs) if theirs.severity == ours.severity => Change::Same { ours, theirs },
            Some(theirs) => Change::Severity { ours, theirs },
        });
    }
    changes.extend(left.into_values().flatten().map(Change::Vanishes));
    changes.sort_by_key(|change| {
        let episode = change.episode();
        (episode.opened, episode.detector.clone(), episode.key)
    });
    changes
}

impl Change {
    /// The episode it is about, ours where there are two.
    pub fn episode(&self) -> &Episode {
        match self {
            Change::Appears(episode) | Change::Vanishes(episode) => episode,
            Change::Severity { ours, .. } | Change::Same { ours, .. } => ours,
        }
    }

    /// How text and JSON call it.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Appears(_) => "appears",
            Change::Vanishes(_) => "vanishes",
            Change::Severity { .. } => "severity",
            Change::Same { .. } => "same",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(key: [u8; 4], severity: Severity, opened: i64, last: i64) -> Episode {
        Episode {
            uid: format!("{opened}"),
            detector: "d".to_owned(),
            key: Key::source_ip(key.into()),
            severity,
            opened: Time(opened),
            last: Time(last),
        }
    }

    #[test]
    fn episodes_that_overlap_are_the_same_and_each_is_paired_once() {
        let [a, b] = [[192, 0, 2, 1], [192, 0, 2, 2]];
        let (low, high) = (Severity::Low, Severity::High);
        let check = |ours: &[Episode], theirs: &[Episode], expected: &[&str]| {
            let changes = changes(ours.to_vec(), theirs.to_vec());
            assert_eq!(changes.iter().map(Change::name).collect::<Vec<_>>(), expected);
        };
        check(&[], &[], &[]);
        check(&[episode(a, low, 0, 9)], &[episode(a, low, 5, 9)], &["same"]);
        check(&[episode(a, low, 0, 9)], &[episode(a, high, 9, 20)], &["severity"]);
        check(&[episode(a, low, 0, 9)], &[episode(a, low, 10, 20)], &["appears", "vanishes"]);
        check(&[episode(a, low, 0, 9)], &[episode(b, low, 0, 9)], &["appears", "vanishes"]);
        let two = [episode(a, low, 0, 3), episode(a, low, 5, 9)];
        check(&two, &[episode(a, low, 0, 9)], &["same", "appears"]);
        check(&[episode(a, low, 0, 9)], &two, &["same", "vanishes"]);
    }
}
