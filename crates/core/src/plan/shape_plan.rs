//! What a signal of one shape adds to the keys of a plan: looked up for each signal and key, never computed.

use crate::detector::DistinctField;
use crate::panes::Part;
use crate::shape::Class;

/// What a signal of one shape adds to.
#[derive(Clone, Debug, Default)]
pub struct ShapePlan {
    /// The classes its fields go to, none of them empty.
    pub classes: Vec<(DistinctField, Class)>,
    /// The counter slots it is added to.
    pub counters: Vec<usize>,
    /// The slots its number is added to, in parts.
    pub sums: Vec<(usize, Part)>,
    /// Of which of the classes, as bits, lists of an even generation keep since when their tags are seen: see
    /// [`KeyPlan::keeps_firsts`](super::KeyPlan::keeps_firsts).
    pub(super) firsts: u8,
}

impl ShapePlan {
    /// Whether no measure selects the shape.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && !self.counts()
    }

    /// Whether it is added to any counter.
    pub fn counts(&self) -> bool {
        !self.counters.is_empty() || !self.sums.is_empty()
    }
}
