//! How near each key came to being raised: the engine, and beside it what its detectors weigh after
//! each signal.
//!
//! Only the nearest keys of each detector are kept, so a flood of keys takes no memory here. That is exact:
//! a key is looked at whenever it may have come nearer.

use std::sync::Arc;

use tidewatch_core::detector::Comparison;
use tidewatch_core::engine::Engine;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::Finding;
use tidewatch_core::judge::{Weighed, WeighedRaise, weigh};
use tidewatch_core::key::Key;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::{DetectorId, KeyPlanId, Plan};
use tidewatch_core::signal::{Body, Signal};
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::reasons::Explained;
use tidewatch_core::store::{Place, WindowStore};
use tidewatch_core::time::Time;

use crate::commands::explain::functions;

/// Keys that are kept of each detector.
pub const NEAREST_MAX: usize = 5;

/// Engine and lookout.
pub struct Standing {
    pub plan: Arc<Plan>,
    pub engine: Engine<MemoryStore, Vec<Finding>>,
    /// Of each detector, by its place in the plan: the nearest keys, the nearest first.
    pub nearest: Vec<Vec<Near>>,
    /// The finding whose windows are wanted, and those windows.
    pub wanted: Option<String>,
    pub behind: Vec<Behind>,
    /// Of all findings, each once: uid, detector and key.
    pub found: Vec<Finding>,
    /// What was kept of functions, once the log has ended.
    functions: Option<Functions>,
}

/// What was kept of functions.
pub struct Functions {
    /// The detectors.
    pub detectors: Vec<SpendDetector>,
    /// What was asked for, of what they made of panes.
    pub explained: Vec<Explained>,
    /// How many functions were watched.
    pub watched: usize,
}

/// A key, when it came nearest, and what its window came to then.
#[derive(Clone, Debug)]
pub struct Near {
    pub place: Place,
    pub at: Time,
    pub nearness: f64,
    pub weighed: Weighed,
}

/// A message of the wanted finding, and the window behind it.
#[derive(Clone, Debug)]
pub struct Behind {
    pub finding: Finding,
    pub weighed: Weighed,
    /// Of each measure what each pane holds.
    pub panes: Vec<Vec<(Time, u64)>>,
}

impl Standing {
    pub fn new(
        plan: Arc<Plan>,
        engine: Engine<MemoryStore, Vec<Finding>>,
        wanted: Option<String>,
    ) -> Standing {
        let nearest = vec![Vec::new(); plan.detectors.len()];
        let (behind, found) = (Vec::new(), Vec::new());
        Standing { plan, engine, nearest, wanted, behind, found, functions: None }
    }

    /// Passes a signal on, and looks at every key it belongs to.
    pub async fn observe(&mut self, signal: &Signal) -> Result<(), Fault> {
        self.engine.observe(signal).await?;
        let messages = std::mem::take(self.engine.sink());
        for place in self.places(signal) {
            let (plan, nearest) = (Arc::clone(&self.plan), &mut self.nearest);
            let places = [place];
            let look = self.engine.store().read(&places, |window| {
                for detector in &window.plan.detectors {
                    let weighed = weigh(&plan, detector, window);
                    let near = Near { place, at: window.at, nearness: nearness(&weighed), weighed };
                    keep(&mut nearest[usize::from(detector.id.0)], near);
                }
            });
            look.await?;
        }
        for finding in messages {
            self.take(finding, Some(signal)).await?;
        }
        Ok(())
    }

    /// Lets time pass to `now`, and takes what follows from that.
    pub async fn end(&mut self, now: Time) -> Result<(), Fault> {
        // Where the log ends functions are not silent: they are looked at to there, and no farther.
        self.engine.ended().await?;
        let mut messages = std::mem::take(self.engine.sink());
        self.functions = self.engine.watch().map(|watch| Functions {
            detectors: watch.detectors().to_vec(),
            explained: watch.explained().to_vec(),
            watched: watch.watched().0,
        });
        self.engine.tick(now).await?;
        let later = std::mem::take(self.engine.sink()).into_iter();
        messages.extend(later.filter(|finding| finding.spending.is_none()));
        for finding in messages {
            self.take(finding, None).await?;
        }
        Ok(())
    }

    /// What was kept of functions, where they are weighed and the log has ended.
    pub fn functions(&self) -> Option<functions::Shown<'_>> {
        let functions = self.functions.as_ref()?;
        Some(functions::Shown { functions, allow: &self.plan.allow })
    }

    /// What of the plan's keys a signal belongs to.
    pub fn places(&self, signal: &Signal) -> Vec<Place> {
        let Body::Auth(auth) = &signal.body else { return Vec::new() };
        let allow = &self.plan.allow;
        let is_allowed = allow.of_signal(auth, signal.time).is_some();
        let of = |(index, key): (usize, &tidewatch_core::plan::KeyPlan)| {
            let place = key.takes(auth).then(|| Key::of_auth(&key.fields, auth))??;
            let counts = !is_allowed || allow.counts(&place, signal.time);
            counts.then_some((KeyPlanId(index as u16), place))
        };
        self.plan.keys.iter().enumerate().filter_map(of).collect()
    }

    async fn take(&mut self, finding: Finding, signal: Option<&Signal>) -> Result<(), Fault> {
        if self.wanted.as_ref() == Some(&finding.uid) {
            let mut seen = None;
            let plan = &self.plan;
            let of = |place: &Place| place.1 == finding.key;
            // A finding that closes is about another key than the signal that let time pass.
            let places = signal.map_or(Vec::new(), |signal| self.places(signal));
            let place = places.into_iter().find(of).or_else(|| self.place_of(&finding));
            if let Some(place) = place {
                let places = [place];
                let look = self.engine.store().read(&places, |window| {
                    let own = |id: DetectorId| plan.detector(id).id == finding.detector;
                    if let Some(detector) = window.plan.detectors.iter().find(|d| own(d.id)) {
                        let measures = detector.measures.iter();
                        let panes = measures.map(|counted| window.timeline(*counted, detector));
                        seen = Some((weigh(plan, detector, window), panes.collect()));
                    }
                });
                look.await?;
            }
            if let Some((weighed, panes)) = seen {
                self.behind.push(Behind { finding: finding.clone(), weighed, panes });
            }
        }
        match self.found.iter_mut().find(|known| known.uid == finding.uid) {
            Some(known) => known.severity = known.severity.max(finding.severity),
            None => self.found.push(finding),
        }
        Ok(())
    }

    fn place_of(&self, finding: &Finding) -> Option<Place> {
        let detectors = self.plan.detectors.iter();
        let nth = detectors.clone().position(|detector| detector.id == finding.detector)?;
        let id = DetectorId(nth as u16);
        let plan = self.plan.keys.iter().position(|key| key.detector(id).is_some())?;
        Some((KeyPlanId(plan as u16), finding.key))
    }
}

/// Keeps `near` if it is among the nearest, once a key.
fn keep(nearest: &mut Vec<Near>, near: Near) {
    match nearest.iter().position(|known| known.place == near.place) {
        Some(at) if nearest[at].nearness >= near.nearness => return,
        Some(at) => nearest[at] = near,
        None => nearest.push(near),
    }
    nearest.sort_by(|a, b| b.nearness.total_cmp(&a.nearness).then(a.place.cmp(&b.place)));
    nearest.truncate(NEAREST_MAX);
}

/// How near a window is to some severity: 0 to below 1 for the share of the way its farthest condition has
/// come, and more for what is raised, the worse the more.
fn nearness(weighed: &Weighed) -> f64 {
    if let Some(severity) = weighed.raised() {
        return f64::from(severity as u8) + 1.0;
    }
    let severities = weighed.raises.iter().map(|raise| match raise.holds() {
        true => 0.999,
        false => way(raise),
    });
    severities.fold(0.0, f64::max)
}

fn way(raise: &WeighedRaise) -> f64 {
    let of = |(decided, holds): &(tidewatch_core::finding::Decided, bool)| {
        let rising = matches!(decided.comparison, Comparison::AtLeast | Comparison::MoreThan);
        match (holds, rising) {
            (true, _) => 1.0,
            (false, true) if decided.threshold > 0.0 => decided.amount / decided.threshold,
            (false, false) if decided.amount > 0.0 => decided.threshold / decided.amount,
            _ => 0.0,
        }
    };
    raise.when.iter().map(of).fold(1.0, f64::min).min(0.999)
}
