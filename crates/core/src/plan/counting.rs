//! The counters of a plan: which slots of a pane hold what measures count, in either home.
//!
//! In memory there is one for each filter and part of a number. In the shared home there is one a kind of signal, so
//! that what is stored does not depend on the detectors; of accesses only two kinds occur, and the two slots behind
//! each hold the bytes that were sent back.

use smallvec::SmallVec;

use super::{DetectorId, DetectorPlan, KeyPlan, KeyPlanId, Plan, ShapePlan};
use crate::contribution::Point;
use crate::detector::{Detector, DistinctField, Filter, Measure, NumberField};
use crate::key::{KeyField, KeyFields, KeyPart};
use crate::limits::MEASURES_PER_KEY_MAX;
use crate::panes::{Part, Slots, Sum};
use crate::refusal::PlanError;
use crate::retention::{Home, Retention};
use crate::shape::{Class, KINDS, Shape};
use crate::signal::{Outcome, Role, SignalKind};
use crate::time::Span;

/// The kinds of signal that accesses are of: refused or not, and nothing is known of users.
const ACCESS_KINDS: u64 = 0b1001;

impl KeyPlan {
    /// The counter of what has this role and passes the filter, made where it is missing.
    pub(super) fn counter(&mut self, role: Role, filter: Filter) -> Slots {
        self.part(role, filter, Part::Whole)
    }

    /// The counters of the bytes of what passes the filter.
    pub(super) fn sum(&mut self, filter: Filter) -> Sum {
        let part = |of| self.part(Role::Attempt, filter, of);
        let [kibs, ones] = [Part::Kibs, Part::Rest].map(part);
        Sum { ones, kibs }
    }

    /// The class of what passes the filter.
    pub(super) fn class(&mut self, field: DistinctField, filter: Filter) -> Class {
        let measure = index_of(&mut self.distinct, (field, filter));
        match self.home {
            Home::Memory => bit(measure),
            Home::Shared => kinds(filter),
        }
    }

    fn part(&mut self, role: Role, filter: Filter, part: Part) -> Slots {
        let slot = index_of(&mut self.counters, (role, filter, part));
        self.slots_at(slot)
    }

    /// The slots that together hold what the counter at `slot` counts.
    fn slots_at(&self, slot: usize) -> Slots {
        let (_, filter, part) = self.counters[slot];
        match (self.home, self.signal) {
            (Home::Memory, _) => bit(slot),
            // What follows the two kinds of access are their parts.
            (Home::Shared, SignalKind::Access) => (kinds(filter) & ACCESS_KINDS) << part as u32,
            (Home::Shared, _) => kinds(filter),
        }
    }

    /// The counters that hold what a measure counts; `None` of what no counter does, or none here.
    pub(crate) fn sum_of(&self, measure: Measure) -> Option<Sum> {
        let part = |role, filter, part| {
            let slot = self.counters.iter().position(|of| *of == (role, filter, part))?;
            Some(self.slots_at(slot))
        };
        match measure {
            Measure::Sum(NumberField::Bytes, filter) => {
                let of = |of| part(Role::Attempt, filter, of);
                Some(Sum { ones: of(Part::Rest)?, kibs: of(Part::Kibs)? })
            }
            Measure::Sum(NumberField::Attempts, filter) => {
                Some(Sum::of_ones(part(Role::Attempt, filter, Part::Whole)?))
            }
            Measure::Count(role, filter) => Some(Sum::of_ones(part(role, filter, Part::Whole)?)),
            _ => None,
        }
    }

    /// The counters that together count just this; `None` where no detector asks for it.
    pub(crate) fn slots_of(&self, role: Role, filter: Filter) -> Option<Slots> {
        let counter = (role, filter, Part::Whole);
        let slot = self.counters.iter().position(|of| *of == counter)?;
        Some(self.slots_at(slot))
    }

    /// Whether the key itself tells the whole source address, so that none need be kept.
    pub fn tells_source(&self, first: KeyPart) -> bool {
        self.fields[0] == KeyField::SourceIp && matches!(first, KeyPart::Ipv4(_))
    }

    /// Whether the address of a signal is kept behind a key: not where it tells its own, nor where no finding can name
    /// it; and behind everything only of who fails, since most get in there.
    pub(crate) fn lists_source(&self, first: KeyPart, shape: Shape) -> bool {
        if first == KeyPart::Global && shape.outcome() == Outcome::Success {
            return false;
        }
        let is_told = self.tells_source(first) || matches!(first, KeyPart::Log(_));
        !is_told && (self.home == Home::Shared || !self.detectors.is_empty())
    }

    /// Whether one of its keys takes nearly all that is counted: everything, or a log.
    pub(crate) fn is_of_all(&self) -> bool {
        matches!(self.fields.as_slice(), [KeyField::Global | KeyField::Log])
    }

    /// Whether its keys are made of a user's tag, so that a user has another one under another key.
    pub fn names_users(&self) -> bool {
        self.fields.contains(&KeyField::User)
    }

    /// Whether some measure counts attempts or mentions.
    pub fn counts(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Whether some measure counts different source addresses.
    pub fn counts_sources(&self) -> bool {
        self.distinct.iter().any(|(field, _)| *field == DistinctField::SourceIp)
    }

    /// How many tries a point stands for.
    pub fn tries(&self, point: &Point) -> u32 {
        match self.signal {
            SignalKind::Access => 1,
            _ => point.amount.weight(),
        }
    }

    /// Whether the numbers of signals are summed, beside how many there are.
    pub fn sums(&self) -> bool {
        self.counters.iter().any(|(_, _, part)| *part != Part::Whole)
    }

    /// The lists of an even generation that hold only who got in, and from where.
    pub(super) fn lists_of_successes(&self) -> SmallVec<[(DistinctField, Class); 4]> {
        let classes = |outcome: Outcome| {
            let of = move |shape: &Shape| shape.outcome() == outcome;
            let shapes = (0..Shape::COUNT).map(Shape).filter(of);
            shapes.flat_map(|shape| &self.shape(shape).classes)
        };
        let failed: Vec<_> = classes(Outcome::Failure).collect();
        let mut firsts: SmallVec<[(DistinctField, Class); 4]> = SmallVec::new();
        for class in classes(Outcome::Success).filter(|class| !failed.contains(class)) {
            if class.0 != DistinctField::Resource && !firsts.contains(class) {
                firsts.push(*class);
            }
        }
        firsts
    }

    /// Whether the list of an even generation that a signal of `shape` goes to by the n-th of its classes keeps since
    /// when its tags are seen: only lists of who got in, and from where, do.
    #[inline]
    pub(crate) fn keeps_firsts(&self, shape: Shape, nth: usize) -> bool {
        self.shape(shape).firsts >> nth & 1 == 1
    }

    /// The same of all classes of a shape, of which there are no more than fields to tell values by.
    pub(super) fn keep_firsts(&self, shape: Shape) -> u8 {
        let keeps = |list| shape.outcome() == Outcome::Success && self.firsts.contains(list);
        let classes = self.shape(shape).classes.iter().enumerate();
        classes.map(|(nth, list)| u8::from(keeps(list)) << nth).sum()
    }

    pub(super) fn shape_plan(&self, shape: Shape) -> ShapePlan {
        let mut plan = ShapePlan::default();
        let distinct = self.distinct.iter().enumerate();
        for (measure, (field, _)) in distinct.filter(|(_, (_, filter))| shape.passes(*filter)) {
            let class = match self.home {
                Home::Memory => bit(measure),
                Home::Shared => bit(shape.kind()),
            };
            match plan.classes.iter_mut().find(|(of, _)| of == field) {
                Some((_, classes)) => *classes |= class,
                None => plan.classes.push((*field, class)),
            }
        }
        let counters = self.counters.iter().enumerate();
        let counted = counters
            .filter(|(_, (role, filter, _))| *role == shape.role() && shape.passes(*filter))
            .map(|(slot, (_, _, part))| match self.home {
                Home::Memory => (slot, *part),
                Home::Shared => (shape.kind() + *part as usize, *part),
            });
        for (slot, part) in counted {
            match part {
                Part::Whole if !plan.counters.contains(&slot) => plan.counters.push(slot),
                Part::Whole => {}
                _ if plan.sums.contains(&(slot, part)) => {}
                _ if slot < self.slots => plan.sums.push((slot, part)),
                // Of what no line says there are no bytes.
                _ => {}
            }
        }
        plan
    }
}

/// Which plans select a signal, by its kind and shape: it is asked for each signal, and most plans do not.
#[derive(Clone, Debug, Default)]
pub struct Selecting(Vec<SmallVec<[KeyPlanId; 8]>>);

impl Selecting {
    pub(super) fn of(keys: &[KeyPlan]) -> Selecting {
        let all = SignalKind::ALL.iter().flat_map(|signal| {
            (0..Shape::COUNT).map(Shape).map(move |shape| {
                let selects =
                    |key: &&KeyPlan| key.signal == *signal && !key.shape(shape).is_empty();
                (0..)
                    .map(KeyPlanId)
                    .zip(keys)
                    .filter(|(_, key)| selects(key))
                    .map(|(id, _)| id)
                    .collect()
            })
        });
        Selecting(all.collect())
    }

    pub(super) fn of_signal(&self, signal: SignalKind, shape: Shape) -> &[KeyPlanId] {
        let place = signal as usize * usize::from(Shape::COUNT) + usize::from(shape.0);
        // A plan without detectors has none.
        self.0.get(place).map_or(&[], |ids| ids)
    }
}

impl Plan {
    /// The plan of the keys that are made of one field of these signals, if anything is counted by them.
    pub(crate) fn counted_by(&self, signal: SignalKind, field: KeyField) -> Option<KeyPlanId> {
        place_of(&self.keys, signal, field).map(|index| KeyPlanId(index as u16))
    }
}

fn place_of(keys: &[KeyPlan], signal: SignalKind, field: KeyField) -> Option<usize> {
    keys.iter().position(|key| key.signal == signal && key.fields.as_slice() == [field])
}

/// Successes and all tries: what tells whether a log holds the ones among the others.
pub(crate) const OF_LOGS: [Filter; 2] = [
    Filter { outcome: Some(Outcome::Success), user_known: None },
    Filter { outcome: None, user_known: None },
];

/// Has the findings by a key remembered for as long as they count for detectors that come after them, on whichever key.
pub(super) fn remember_followed(keys: &mut [KeyPlan]) {
    for at in 0..keys.len() {
        let plan = KeyPlanId(at as u16);
        let own: Vec<DetectorId> = keys[at].detectors.iter().map(|detector| detector.id).collect();
        let all = keys.iter().flat_map(|key| &key.detectors);
        let follows = |detector: &&DetectorPlan| {
            detector.after.iter().any(|id| own.contains(id))
                || detector.beyond.iter().any(|(beyond, _)| *beyond == plan)
        };
        let followed = all.filter(follows).map(|detector| detector.after_within).max();
        keys[at].retention.followed = followed.unwrap_or(Span(0));
    }
}

/// Has counted what a detector asks for beside its conditions: over everything that it asks a share of, with the day
/// before; and of each log its successes and all its tries.
pub(super) fn count_grounds(
    home: Home,
    keys: &mut Vec<KeyPlan>,
    detector: &Detector,
) -> Result<(), PlanError> {
    if detector.log_holds_successes {
        let log = counted_by(KeyField::Log, None, home, keys, detector);
        for filter in OF_LOGS {
            log.counter(Role::Attempt, filter);
        }
    }
    let Some(share) = detector.share else { return Ok(()) };
    let all = counted_by(KeyField::Global, detector.history(), home, keys, detector);
    match detector.measures[share.measure].measure {
        Measure::Sum(NumberField::Bytes, filter) => {
            all.sum(filter);
        }
        Measure::Sum(NumberField::Attempts, filter) => {
            all.counter(Role::Attempt, filter);
        }
        Measure::Count(role, filter) => {
            all.counter(role, filter);
        }
        _ => {}
    }
    match all.counters.len() > MEASURES_PER_KEY_MAX {
        true => Err(PlanError::TooManyMeasures { detector: detector.id.clone() }),
        false => Ok(()),
    }
}

/// The plan of what is counted of a detector's signals by a field, made where it is missing.
fn counted_by<'k>(
    field: KeyField,
    history: Option<Span>,
    home: Home,
    keys: &'k mut Vec<KeyPlan>,
    detector: &Detector,
) -> &'k mut KeyPlan {
    let at = place_of(keys, detector.signal, field).unwrap_or_else(|| {
        let retention = Retention::new(home, &[detector.window], history);
        let of = Detector { key: KeyFields::from_slice(&[field]), ..detector.clone() };
        keys.push(KeyPlan::empty(&of, home, retention));
        keys.len() - 1
    });
    &mut keys[at]
}

/// Of a key that accesses are counted by the detectors on the same key that read other signals, with the plans of their
/// keys: what somebody has got may be told after what he did.
pub(super) fn others(keys: &[KeyPlan], index: usize) -> Vec<(KeyPlanId, DetectorId)> {
    let (signal, fields) = (keys[index].signal, &keys[index].fields);
    if signal != SignalKind::Access {
        return Vec::new();
    }
    let others = keys.iter().enumerate().filter(|(_, key)| key.signal != signal);
    let others = others.filter(|(_, key)| key.fields == *fields);
    let all = others.flat_map(|(at, key)| {
        key.detectors.iter().map(move |detector| (KeyPlanId(at as u16), detector.id))
    });
    all.collect()
}

/// The n-th bit; none beyond 64, which [`PlanError::TooManyMeasures`] refuses.
pub(super) fn bit(n: usize) -> u64 {
    1u64.checked_shl(n as u32).unwrap_or(0)
}

/// The kinds a filter takes, as bits.
pub(super) fn kinds(filter: Filter) -> u64 {
    (0..KINDS as u8).filter(|kind| Shape(*kind).passes(filter)).map(|kind| 1 << kind).sum()
}

/// Where `item` stands in `items`, appended if it is new.
pub(super) fn index_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
