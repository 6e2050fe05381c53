//! The plan: what all loaded detectors together need counted, grouped by key.
//!
//! Detectors on the same key share one state. Equal measures are counted once. A class is the set of
//! a key's distinct measures that a signal satisfies, as bits; it depends only on the signal's shape
//! (role, outcome, whether the user is known), so all of it is looked up, never computed per signal.
//!
//! Invariant: a signal that no measure selects has an empty [`Shape`] plan and touches no state.

use smallvec::SmallVec;

use crate::detector::{Detector, DistinctField, Filter, Measure};
use crate::key::{KeyField, KeyFields, KeyPart};
use crate::limits::{MEASURES_PER_KEY_MAX, PANES_PER_WINDOW_MIN};
use crate::panes::Resolution;
use crate::signal::{Auth, Outcome, Role};
use crate::time::Span;

/// A set of distinct measures: bit i is the i-th of [`KeyPlan::distinct`].
pub type Class = u64;

/// All detectors, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The detectors, in the order they were loaded.
    pub detectors: Vec<Detector>,
    /// One entry for each different key, in order of first use.
    pub keys: Vec<KeyPlan>,
}

/// Names a [`KeyPlan`] of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPlanId(pub u16);

/// Names a detector of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DetectorId(pub u16);

/// What is kept for each value of one key.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// What the key is made of.
    pub fields: KeyFields,
    /// The distinct measures, each with its field; at most 64.
    pub distinct: Vec<(DistinctField, Filter)>,
    /// The counters; counts and sums alike.
    pub counters: Vec<Filter>,
    /// The pane widths, one for each different window.
    pub resolutions: Vec<Resolution>,
    /// The detectors on this key.
    pub detectors: Vec<DetectorPlan>,
    /// How far behind a key's newest event another may lie and still count: twice the longest
    /// window, so that an event one whole window late is still judged with its own whole window.
    pub kept: Span,
    shapes: Vec<ShapePlan>,
}

/// Where a detector's measures are found in its key's state.
#[derive(Clone, Debug)]
pub struct DetectorPlan {
    /// Which detector.
    pub id: DetectorId,
    /// Index into [`KeyPlan::resolutions`].
    pub ring: usize,
    /// One entry for each of [`Detector::measures`].
    pub measures: Vec<Counted>,
}

/// Where one measure is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The union of the classes of this field that have this bit.
    Distinct(DistinctField, Class),
    /// This counter's slot.
    Counter(usize),
}

/// Everything a filter can ask of a signal, in one small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(u8);

/// What a signal of one shape adds to.
#[derive(Clone, Debug, Default)]
pub struct ShapePlan {
    /// The classes its fields go to, none of them empty.
    pub classes: SmallVec<[(DistinctField, Class); 2]>,
    /// The counter slots it is added to.
    pub counters: SmallVec<[usize; 4]>,
}

impl ShapePlan {
    /// Whether no measure selects the shape.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.counters.is_empty()
    }
}

impl Shape {
    /// How many shapes there are.
    const COUNT: u8 = 12;

    /// The shape of an authentication signal.
    pub fn of(auth: &Auth) -> Shape {
        let known = match auth.user_known {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        let outcome = u8::from(auth.outcome == Outcome::Success);
        let role = u8::from(auth.role == Role::Mention);
        Shape(known + 3 * outcome + 6 * role)
    }

    fn is_attempt(self) -> bool {
        self.0 < 6
    }

    fn passes(self, filter: Filter) -> bool {
        let outcome = if self.0 / 3 % 2 == 1 { Outcome::Success } else { Outcome::Failure };
        let known = [None, Some(false), Some(true)][usize::from(self.0 % 3)];
        filter.outcome.is_none_or(|wanted| wanted == outcome)
            && filter.user_known.is_none_or(|wanted| known == Some(wanted))
    }
}

impl Plan {
    /// Groups the measures of `detectors` by key.
    ///
    /// # Errors
    /// Names the detector whose measures would be more than [`MEASURES_PER_KEY_MAX`] of a kind on
    /// its key.
    pub fn new(detectors: Vec<Detector>) -> Result<Plan, TooManyMeasures> {
        let mut keys: Vec<KeyPlan> = Vec::new();
        for (index, detector) in detectors.iter().enumerate() {
            let at = keys.iter().position(|key| key.fields == detector.key).unwrap_or_else(|| {
                keys.push(KeyPlan::empty(detector.key.clone()));
                keys.len() - 1
            });
            keys[at].add(DetectorId(index as u16), detector)?;
        }
        keys.iter_mut().for_each(KeyPlan::finish);
        Ok(Plan { detectors, keys })
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

/// One key has too many measures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "detector `{detector}` brings its key to more than {MEASURES_PER_KEY_MAX} different measures of a kind"
)]
pub struct TooManyMeasures {
    /// The first detector that does not fit.
    pub detector: String,
}

impl KeyPlan {
    fn empty(fields: KeyFields) -> KeyPlan {
        KeyPlan {
            fields,
            distinct: Vec::new(),
            counters: Vec::new(),
            resolutions: Vec::new(),
            detectors: Vec::new(),
            kept: Span(0),
            shapes: Vec::new(),
        }
    }

    fn add(&mut self, id: DetectorId, detector: &Detector) -> Result<(), TooManyMeasures> {
        let resolution = resolution(detector.window);
        let ring = index_of(&mut self.resolutions, resolution);
        let measures = detector
            .measures
            .iter()
            .map(|named| match named.measure {
                // The only number of an authentication signal is its attempts, which a count sums.
                Measure::Count(filter) | Measure::Sum(_, filter) => {
                    Counted::Counter(index_of(&mut self.counters, filter))
                }
                Measure::Distinct(field, filter) => {
                    let bit = index_of(&mut self.distinct, (field, filter));
                    Counted::Distinct(field, 1u64.checked_shl(bit as u32).unwrap_or(0))
                }
            })
            .collect();
        if self.distinct.len().max(self.counters.len()) > MEASURES_PER_KEY_MAX {
            return Err(TooManyMeasures { detector: detector.id.clone() });
        }
        self.detectors.push(DetectorPlan { id, ring, measures });
        self.kept = self.kept.max(Span(detector.window.0 * 2));
        Ok(())
    }

    fn finish(&mut self) {
        self.shapes = (0..Shape::COUNT).map(|shape| self.shape_plan(Shape(shape))).collect();
    }

    fn shape_plan(&self, shape: Shape) -> ShapePlan {
        let mut plan = ShapePlan::default();
        for (bit, (field, filter)) in self.distinct.iter().enumerate() {
            if shape.passes(*filter) {
                match plan.classes.iter_mut().find(|(of, _)| of == field) {
                    Some((_, class)) => *class |= 1 << bit,
                    None => plan.classes.push((*field, 1 << bit)),
                }
            }
        }
        if shape.is_attempt() {
            let slots = self.counters.iter().enumerate();
            plan.counters =
                slots.filter(|(_, filter)| shape.passes(**filter)).map(|(slot, _)| slot).collect();
        }
        plan
    }

    /// What a signal of `shape` adds to.
    pub fn shape(&self, shape: Shape) -> &ShapePlan {
        &self.shapes[usize::from(shape.0)]
    }

    /// Where the measures of detector `id` are found; `None` if it is not one of this key's.
    pub fn detector(&self, id: DetectorId) -> Option<&DetectorPlan> {
        self.detectors.iter().find(|detector| detector.id == id)
    }

    /// Whether the key itself tells the whole source address, so that none need be kept.
    pub fn tells_source(&self, first: KeyPart) -> bool {
        self.fields[0] == KeyField::SourceIp && matches!(first, KeyPart::Ipv4(_))
    }

    /// Whether some measure counts different source addresses.
    pub fn counts_sources(&self) -> bool {
        self.distinct.iter().any(|(field, _)| *field == DistinctField::SourceIp)
    }
}

/// Panes of whole milliseconds, at least [`PANES_PER_WINDOW_MIN`] a window.
fn resolution(window: Span) -> Resolution {
    Resolution { pane: Span((window.0 / PANES_PER_WINDOW_MIN).max(1)), span: window }
}

/// Where `item` stands in `items`, appended if it is new.
fn index_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
