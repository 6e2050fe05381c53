//! The plan: what all loaded detectors together need counted, grouped by kind of signal and key.
//!
//! Detectors on the same signals and key share one state. Equal measures are counted once. A class is what a
//! measure takes or leaves as a whole; it depends only on the signal's shape (role, outcome, whether
//! the user is known), so all of it is looked up, never computed per signal.
//!
//! In memory a class is the set of a key's distinct measures that a signal satisfies: as few lists as
//! the detectors need. In the shared home it is the signal's own kind (outcome and whether the user is
//! known), so that what is stored does not depend on which detectors are loaded: a table outlives them.
//!
//! Invariant: a signal that no measure selects has an empty [`Shape`] plan and touches no state.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::agents::AgentNames;
use crate::allow::{Allowlist, Who};
use crate::change::Change;
use crate::detector::{Detector, DistinctField, Filter, Measure, NumberField};
use crate::first_seen::Since;
use crate::key::{KeyField, KeyFields};
use crate::key_ring::Generation;
use crate::limits::MEASURES_PER_KEY_MAX;
use crate::lists::NameList;
use crate::panes::{Part, Slots, Sum};
pub use crate::refusal::PlanError;
use crate::refusal::{beyond_lists, decidable};
use crate::retention::{Home, Retention};
use crate::shape::{Class, KINDS, Shape};
use crate::signal::{Auth, Outcome, Role, SignalKind};
use crate::slack::of_failures;
use crate::time::Span;
use crate::umbrella::Umbrella;
use crate::walk::Rates;

pub(crate) mod counting;
mod shape_plan;

pub use counting::Selecting;
use counting::{bit, count_grounds, index_of, others, remember_followed};
pub use shape_plan::ShapePlan;

/// All detectors, ready to run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The detectors, in the order they were loaded.
    pub detectors: Vec<Detector>,
    /// One entry for each different kind of signal and key, in order of first use.
    pub keys: Vec<KeyPlan>,
    /// What stands for each detector in a table: the first 4 bytes of SHA-256 of its id.
    pub names: Vec<u32>,
    /// Whether of several detectors that raise about one key only the worst tells: see
    /// [`crate::standing`].
    pub folds: bool,
    /// The detectors that speak for findings by other keys.
    pub umbrellas: Vec<Umbrella>,
    /// Whose findings are held back.
    pub allow: Allowlist,
    /// The lists of names from elsewhere that tags tell of.
    pub lists: Vec<NameList>,
    /// What clients call themselves.
    pub agents: AgentNames,
    /// Which keys a signal adds to.
    pub selecting: Selecting,
}

/// Names a [`KeyPlan`] of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPlanId(pub u16);

/// Names a detector of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DetectorId(pub u16);

/// What is kept for each value of one key, of one kind of signal.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// The only signals it takes.
    pub signal: SignalKind,
    /// What the key is made of.
    pub fields: KeyFields,
    /// The distinct measures, each with its field; at most 64.
    pub distinct: Vec<(DistinctField, Filter)>,
    /// The counters, and what of each number they count. In the shared home none of mentions.
    pub counters: Vec<(Role, Filter, Part)>,
    /// How many counters a pane has: in memory one a filter, in the shared home one a kind.
    pub slots: usize,
    /// What is kept for how long.
    pub retention: Retention,
    /// In the shared home, the lists behind which sketches are kept, of both generations: some condition
    /// compares their measure with more than a list holds.
    pub sketched: Vec<(DistinctField, Class)>,
    /// The detectors on this key.
    pub detectors: Vec<DetectorPlan>,
    /// How many different measures over different spans its detectors look at.
    pub(crate) looks: usize,
    /// The lists of even generations that hold only who got in, and from where.
    firsts: SmallVec<[(DistinctField, Class); 4]>,
    home: Home,
    shapes: Vec<ShapePlan>,
}

/// Where a detector's measures are found in its key's state.
#[derive(Clone, Debug)]
pub struct DetectorPlan {
    /// Which detector.
    pub id: DetectorId,
    /// Its window.
    pub span: Span,
    /// How much longer an open episode must have grown before that is worth a write.
    pub lengthen: Span,
    /// The rung of counters its window ends in.
    pub rung: usize,
    /// The sketches that can answer its window, if any.
    pub sketch: Option<usize>,
    /// One entry for each of [`Detector::measures`].
    pub measures: Vec<Counted>,
    /// Of each its place among all that the detectors of the key look at: those of one place are one measure over one
    /// span.
    pub(crate) looks_at: Vec<usize>,
    /// Of each whether only failures add to it.
    pub(crate) of_failures: Vec<bool>,
    /// See [`Detector::after`].
    pub after: Vec<DetectorId>,
    /// See [`Detector::after_within`].
    pub after_within: Span,
    /// See [`Detector::unless`].
    pub unless: Vec<DetectorId>,
    /// Those of [`Detector::after`] that read other signals, with the plans of their keys.
    pub beyond: Vec<(KeyPlanId, DetectorId)>,
    /// Whether the window alone decides whether it raises: see [`crate::grounds`].
    pub is_grounded: bool,
}

impl DetectorPlan {
    /// Whether it tells of the key itself, so that of several that do one tells for all.
    pub(crate) fn leads(&self) -> bool {
        self.after.is_empty() && self.is_grounded
    }
}

/// Where one measure is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The union of the classes of this field that have this bit.
    Distinct(DistinctField, Class),
    /// The same of those that are new, or known, by when they were seen first.
    FirstSeen(DistinctField, Class, Since),
    /// The sum of these counters.
    Counter(Slots),
    /// The sum that these counters hold together.
    Sum(Sum),
    /// The walk over the users of these classes.
    Sequential {
        /// Of those that failed.
        failed: Class,
        /// Of those that got in.
        succeeded: Class,
        /// What their first contacts say.
        rates: Rates,
    },
    /// The change of the share that the first counters have of the second.
    Change {
        /// Those selected.
        selected: Slots,
        /// All.
        all: Slots,
        /// From what, and to what.
        change: Change,
    },
    /// The most that these counters came to in the day before.
    Busiest(Sum),
}

impl Plan {
    /// Groups the measures of `detectors` by key, for state in memory.
    ///
    /// # Errors
    /// Names the detector whose measures would be more than [`MEASURES_PER_KEY_MAX`] of a kind on
    /// its key.
    pub fn new(detectors: Vec<Detector>) -> Result<Plan, PlanError> {
        Plan::of(Home::Memory, detectors)
    }

    /// Groups the measures of `detectors` by key, for state in a shared table.
    ///
    /// # Errors
    /// Names the detector that has too many measures, or that the shared home could never decide.
    pub fn shared(detectors: Vec<Detector>) -> Result<Plan, PlanError> {
        detectors.iter().try_for_each(decidable)?;
        Plan::of(Home::Shared, detectors)
    }

    fn of(home: Home, detectors: Vec<Detector>) -> Result<Plan, PlanError> {
        let mut keys: Vec<KeyPlan> = Vec::new();
        for detector in &detectors {
            if !keys.iter().any(|key| key.is_of(detector)) {
                let alike = |other: &&Detector| {
                    other.signal == detector.signal && other.key == detector.key
                };
                let same = detectors.iter().filter(alike);
                keys.push(KeyPlan::empty(detector, home, Retention::of_key(home, same)));
            }
        }
        for (index, detector) in detectors.iter().enumerate() {
            for key in keys.iter_mut().filter(|key| key.is_of(detector)) {
                key.add(DetectorId(index as u16), detector)?;
            }
        }
        for detector in &detectors {
            count_grounds(home, &mut keys, detector)?;
        }
        for index in 0..keys.len() {
            let others = others(&keys, index);
            keys[index].relate(&detectors, &others)?;
            keys[index].finish();
        }
        remember_followed(&mut keys);
        let names = detectors.iter().map(|detector| name(&detector.id)).collect();
        let umbrellas = umbrellas(&keys, &detectors);
        let selecting = Selecting::of(&keys);
        Ok(Plan { detectors, keys, names, umbrellas, selecting, ..Plan::default() })
    }

    /// Whether something is counted by a field.
    pub fn counts_by(&self, field: KeyField) -> bool {
        self.keys.iter().any(|key| key.fields.contains(&field))
    }

    /// The plans whose measures select a signal of a kind and shape, in order.
    pub(crate) fn selecting(&self, signal: SignalKind, shape: Shape) -> &[KeyPlanId] {
        self.selecting.of_signal(signal, shape)
    }

    /// Whether something is counted of a kind of signal.
    pub fn counts(&self, signal: SignalKind) -> bool {
        self.keys.iter().any(|key| key.signal == signal)
    }

    /// Whether it matters what clients call themselves.
    pub fn needs_agents(&self) -> bool {
        let is_named = self.allow.entries.iter().any(|entry| matches!(entry.who, Who::Agent(..)));
        is_named || self.counts_by(KeyField::UserAgent)
    }

    /// The detectors that count by a field, by their ids.
    pub fn detectors_by(&self, field: KeyField) -> impl Iterator<Item = &str> {
        let by = self.detectors.iter().filter(move |detector| detector.key.contains(&field));
        by.map(|detector| detector.id.as_str())
    }

    /// The same plan, by which one key has one finding at a time, told by the worst of its detectors.
    pub fn folding(self) -> Plan {
        Plan { folds: true, ..self }
    }

    /// The detector `id` names.
    pub fn detector(&self, id: DetectorId) -> &Detector {
        &self.detectors[usize::from(id.0)]
    }

    /// The key plan `id` names.
    pub fn key(&self, id: KeyPlanId) -> &KeyPlan {
        &self.keys[usize::from(id.0)]
    }
}

fn name(id: &str) -> u32 {
    let digest = Sha256::digest(id.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

impl KeyPlan {
    fn empty(of: &Detector, home: Home, retention: Retention) -> KeyPlan {
        KeyPlan {
            signal: of.signal,
            fields: of.key.clone(),
            distinct: Vec::new(),
            counters: Vec::new(),
            slots: 0,
            retention,
            sketched: Vec::new(),
            detectors: Vec::new(),
            looks: 0,
            firsts: SmallVec::new(),
            home,
            shapes: Vec::new(),
        }
    }

    /// Whether it is the plan of a detector.
    fn is_of(&self, detector: &Detector) -> bool {
        self.signal == detector.signal && self.fields == detector.key
    }

    fn add(&mut self, id: DetectorId, detector: &Detector) -> Result<(), PlanError> {
        let span = detector.window;
        let sketches = &self.retention.sketches;
        let sketch = match self.home {
            Home::Memory => sketches.iter().position(|ring| ring.span == span),
            Home::Shared => sketches.iter().position(|ring| ring.pane <= span),
        };
        let rung = self.retention.rung(span);
        let home = self.home;
        let measures = detector
            .measures
            .iter()
            .map(|named| match named.measure {
                Measure::Count(role, filter) => Counted::Counter(self.counter(role, filter)),
                // A count sums attempts.
                Measure::Sum(NumberField::Attempts, filter) => {
                    Counted::Counter(self.counter(Role::Attempt, filter))
                }
                Measure::Sum(NumberField::Bytes, filter) => Counted::Sum(self.sum(filter)),
                Measure::Busiest(NumberField::Attempts, filter) => {
                    Counted::Busiest(Sum::of_ones(self.counter(Role::Attempt, filter)))
                }
                Measure::Busiest(NumberField::Bytes, filter) => Counted::Busiest(self.sum(filter)),
                Measure::Change(change) => Counted::Change {
                    selected: self.counter(Role::Attempt, change.filter),
                    all: self.counter(Role::Attempt, Filter::default()),
                    change,
                },
                Measure::Distinct(field, filter) => {
                    Counted::Distinct(field, self.class(field, filter))
                }
                Measure::FirstSeen(field, filter, since) => {
                    Counted::FirstSeen(field, self.class(field, filter), since)
                }
                Measure::Sequential(rates) => {
                    let [failed, succeeded] = [Outcome::Failure, Outcome::Success].map(|outcome| {
                        let filter = Filter { outcome: Some(outcome), ..Filter::default() };
                        self.class(DistinctField::User, filter)
                    });
                    Counted::Sequential { failed, succeeded, rates }
                }
            })
            .collect();
        if self.distinct.len().max(self.counters.len()) > MEASURES_PER_KEY_MAX {
            return Err(PlanError::TooManyMeasures { detector: detector.id.clone() });
        }
        let lengthen = match home {
            Home::Memory => Span(0),
            Home::Shared => Span(span.min(detector.quiet).0 / 2),
        };
        let [after, unless] = [Vec::new(), Vec::new()];
        let (beyond, is_grounded) = (Vec::new(), !detector.asks_of_others());
        let lists = (rung, sketch, measures);
        let plan = DetectorPlan {
            id,
            span,
            lengthen,
            rung: lists.0,
            sketch: lists.1,
            measures: lists.2,
            looks_at: Vec::new(),
            of_failures: Vec::new(),
            after,
            after_within: detector.after_within,
            unless,
            beyond,
            is_grounded,
        };
        if home == Home::Shared && beyond_lists(detector).next().is_some() {
            // Its conditions compare all its measures with one another.
            self.sketched.extend(plan.measures.iter().filter_map(|counted| match counted {
                Counted::Distinct(field, class) | Counted::FirstSeen(field, class, _) => {
                    let classes = Generation::ALL.map(|generation| generation.class(*class));
                    Some((*field, classes[0] | classes[1]))
                }
                Counted::Counter(_)
                | Counted::Sum(_)
                | Counted::Sequential { .. }
                | Counted::Change { .. }
                | Counted::Busiest(_) => None,
            }));
        }
        self.detectors.push(plan);
        Ok(())
    }

    /// Finds the detectors that others of this key name. One that is quiet beside a detector that is not
    /// loaded has nothing to be quiet about. `others` count other signals by the same key.
    fn relate(
        &mut self,
        detectors: &[Detector],
        others: &[(KeyPlanId, DetectorId)],
    ) -> Result<(), PlanError> {
        let own: Vec<(DetectorId, &str)> = self
            .detectors
            .iter()
            .map(|plan| (plan.id, detectors[usize::from(plan.id.0)].id.as_str()))
            .collect();
        let find = |names: &[String]| -> Vec<DetectorId> {
            let named = own.iter().filter(|(_, id)| names.iter().any(|name| name == id));
            named.map(|(id, _)| *id).collect()
        };
        for plan in &mut self.detectors {
            let detector = &detectors[usize::from(plan.id.0)];
            (plan.after, plan.unless) = (find(&detector.after), find(&detector.unless));
            let id = |other: DetectorId| &detectors[usize::from(other.0)].id;
            let named = others.iter().filter(|(_, other)| detector.after.contains(id(*other)));
            plan.beyond = named.copied().collect();
            plan.is_grounded &= plan.beyond.is_empty();
            let alone = plan.after.is_empty() && plan.beyond.is_empty();
            if alone && !detector.after.is_empty() {
                let after = detector.after.join(", ");
                return Err(PlanError::Alone { detector: detector.id.clone(), after });
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.slots = match self.home {
            Home::Memory => self.counters.len(),
            Home::Shared => KINDS,
        };
        self.shapes = (0..Shape::COUNT).map(|shape| self.shape_plan(Shape(shape))).collect();
        self.firsts = self.lists_of_successes();
        let keep_firsts: Vec<u8> =
            (0..Shape::COUNT).map(|shape| self.keep_firsts(Shape(shape))).collect();
        for (shape, firsts) in self.shapes.iter_mut().zip(keep_firsts) {
            shape.firsts = firsts;
        }
        let mut looks: Vec<(Counted, Span)> = Vec::new();
        for DetectorPlan { looks_at, measures, span, .. } in &mut self.detectors {
            let places = measures.iter().map(|counted| index_of(&mut looks, (*counted, *span)));
            *looks_at = places.collect();
        }
        self.looks = looks.len();
        let of_failures = |plan: &DetectorPlan| {
            plan.measures.iter().map(|counted| of_failures(self, *counted)).collect()
        };
        let of_failures: Vec<Vec<bool>> = self.detectors.iter().map(of_failures).collect();
        for (detector, of_failures) in self.detectors.iter_mut().zip(of_failures) {
            detector.of_failures = of_failures;
        }
    }

    /// Whether a sketch is kept behind the list of (field, class) of the shared home.
    pub fn is_sketched(&self, field: DistinctField, class: Class) -> bool {
        self.sketched.iter().any(|(of, classes)| *of == field && classes & class != 0)
    }

    /// Whether keys of this plan are written by every batch of every shard, so that they are judged at
    /// the tick only: everything, subnets, and what is even wider.
    pub fn is_hot(&self) -> bool {
        let is_wide = |field: &KeyField| {
            use KeyField::{Global, Log, SourceAsn, SourceSubnet, UserAgent};
            matches!(field, Global | Log | SourceSubnet | SourceAsn | UserAgent)
        };
        self.fields.iter().all(is_wide)
    }

    /// The widest step a counter of `detector` is counted in.
    pub fn pane(&self, detector: &DetectorPlan) -> Span {
        self.retention.counters[detector.rung].pane
    }

    /// What a signal of `shape` adds to, if it is one that this plan takes.
    pub fn shape(&self, shape: Shape) -> &ShapePlan {
        &self.shapes[usize::from(shape.0)]
    }

    /// Whether some measure selects a signal.
    pub fn takes(&self, auth: &Auth) -> bool {
        self.signal == auth.action && !self.shape(Shape::of(auth)).is_empty()
    }

    /// Where the measures of detector `id` are found; `None` if it is not one of this key's.
    pub fn detector(&self, id: DetectorId) -> Option<&DetectorPlan> {
        self.detectors.iter().find(|detector| detector.id == id)
    }

    /// What the tags in the list of (field, class) have in common: whether their tries failed or got in, and
    /// whether their accounts exist; `None` where measures do not tell.
    pub fn told_by(&self, field: DistinctField, class: Class) -> (Option<Outcome>, Option<bool>) {
        let shapes = (0..Shape::COUNT).map(Shape).filter(|shape| match self.home {
            Home::Memory => self.shape(*shape).classes.contains(&(field, class)),
            Home::Shared => Generation::ALL.iter().any(|g| g.class(bit(shape.kind())) == class),
        });
        let mut told = shapes.map(|shape| (Some(shape.outcome()), shape.known()));
        let first = told.next().unwrap_or_default();
        told.fold(first, |common, (outcome, known)| {
            (common.0.filter(|_| common.0 == outcome), common.1.filter(|_| common.1 == known))
        })
    }
}

fn umbrellas(keys: &[KeyPlan], detectors: &[Detector]) -> Vec<Umbrella> {
    let all = keys.iter().enumerate().flat_map(|(index, key)| {
        let plan = KeyPlanId(index as u16);
        key.detectors.iter().map(move |detector| Umbrella { detector: detector.id, plan })
    });
    all.filter(|umbrella| !detectors[usize::from(umbrella.detector.0)].covers.is_empty()).collect()
}
