//! A window: one key's merged state, looked at over a span that ends at a time.
//!
//! Windows are lent, not copied: a store merges a contribution and shows the result to a pure
//! function while it holds it. A distinct count is first an interval, cheap and certain; only where an
//! interval does not decide is a sketch asked.
//!
//! A window that ends before the newest event (its event came late) is an interval even where nothing
//! was evicted: only last sightings are kept, so a tag seen again since may have been in it or not.

use crate::detector::DistinctField;
use crate::distinct::DistinctList;
use crate::finding::{Accuracy, Value};
use crate::key::Key;
use crate::panes::Resolution;
use crate::plan::{Class, Counted, KeyPlan};
use crate::sketch::{PRECISION, Sketch};
use crate::state::{ClassList, KeyState};
use crate::time::{Span, Time};

/// One key's state as of a time.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// What the state is made of.
    pub plan: &'a KeyPlan,
    /// Whose state.
    pub key: &'a Key,
    /// The merged state.
    pub state: &'a KeyState,
    /// Where windows end.
    pub at: Time,
}

/// A number known to lie in `low..=high`; `high` may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
}

impl Bounds {
    fn exact(amount: f64) -> Bounds {
        Bounds { low: amount, high: amount }
    }
}

impl Window<'_> {
    /// What is certain about a measure without asking a sketch.
    pub fn bounds(&self, counted: Counted, ring: usize) -> Bounds {
        let resolution = self.plan.resolutions[ring];
        match counted {
            Counted::Counter(slot) => {
                let panes = resolution.window(self.at, resolution.span);
                let sum = self.state.rings.get(ring).map_or(0, |ring| ring.sum(slot, panes));
                Bounds::exact(sum as f64)
            }
            Counted::Distinct(field, class) => {
                let low = self.listed(field, class, self.at, resolution.span) as f64;
                let whole =
                    self.lists(field, class).all(|list| list.is_exact(self.at, resolution.span));
                let high = match whole {
                    false => f64::INFINITY,
                    true if self.at < self.state.head => {
                        self.listed(field, class, self.state.head, self.since(resolution)) as f64
                    }
                    true => low,
                };
                Bounds { low, high }
            }
        }
    }

    /// At most how many different values the second measure counts that the first cannot, by the lists
    /// that only the second has; infinite where they do not say.
    pub fn only_in_second(&self, measures: (Counted, Counted), ring: usize) -> f64 {
        let (Counted::Distinct(field, first), Counted::Distinct(of, second)) = measures else {
            return f64::INFINITY;
        };
        if field != of {
            return f64::INFINITY;
        }
        let resolution = self.plan.resolutions[ring];
        let only = self.state.lists.iter().filter(|list| {
            list.field == field && list.class & second != 0 && list.class & first == 0
        });
        only.map(|ClassList { list, .. }| match list.is_exact(self.at, resolution.span) {
            true => list.within(self.state.head, self.since(resolution)).count() as f64,
            false => f64::INFINITY,
        })
        .sum()
    }

    /// The measure's number, by sketch where the lists are too short.
    pub fn value(&self, counted: Counted, ring: usize) -> Value {
        let resolution = self.plan.resolutions[ring];
        let bounds = self.bounds(counted, ring);
        match counted {
            Counted::Counter(_) => {
                Value { amount: bounds.low, error: Accuracy::Pane(resolution.pane) }
            }
            Counted::Distinct(..) if bounds.low == bounds.high => {
                Value { amount: bounds.low, error: Accuracy::Exact }
            }
            Counted::Distinct(field, class) => {
                let short = bounds.high.is_infinite();
                match short.then(|| self.sketch(field, class, ring)).flatten() {
                    // The list is certain, so an estimate below it is moved up to it.
                    Some(sketch) => Value {
                        amount: sketch.estimate().max(bounds.low).round(),
                        error: Accuracy::Sketch {
                            relative: sketch.relative_error(),
                            pane: resolution.pane,
                        },
                    },
                    None => Value { amount: bounds.low, error: Accuracy::AtLeast },
                }
            }
        }
    }

    /// How many addresses stand behind the key in the window.
    pub fn sources_total(&self, ring: usize) -> u64 {
        let resolution = self.plan.resolutions[ring];
        let Some(sources) = &self.state.sources else { return 1 };
        let all = sources.all();
        let listed = all.within(self.at, resolution.span).count() as u64;
        if all.is_exact(self.at, resolution.span) {
            return listed;
        }
        let mut union = Sketch::new(PRECISION);
        let panes = resolution.window(self.at, resolution.span);
        match all.sketch_into(&mut union, ring, panes) {
            true => listed.max(union.estimate().round() as u64),
            false => listed,
        }
    }

    /// The earliest event of the window that is still known: a listed tag's last sighting, or the
    /// first of a pane, but never before the window.
    pub fn first_seen(&self, ring: usize) -> Time {
        let resolution = self.plan.resolutions[ring];
        let after = self.at.minus(resolution.span);
        let listed = self
            .state
            .lists
            .iter()
            .flat_map(|list| list.list.within(self.at, resolution.span))
            .map(|seen| seen.last);
        let panes = resolution.window(self.at, resolution.span);
        let counted = self.state.rings.get(ring).and_then(|ring| ring.first(panes));
        let counted = counted.map(|time| time.max(Time(after.0 + 1)));
        listed.chain(counted).min().unwrap_or(self.at)
    }

    fn lists(&self, field: DistinctField, class: Class) -> impl Iterator<Item = &DistinctList> {
        self.state
            .lists
            .iter()
            .filter(move |list| list.field == field && list.class & class != 0)
            .map(|list| &list.list)
    }

    /// From where the window begins to the newest event.
    fn since(&self, resolution: Resolution) -> Span {
        Span(self.state.head.0 - self.at.minus(resolution.span).0)
    }

    /// How many different tags the lists hold in (at − span, at].
    fn listed(&self, field: DistinctField, class: Class, at: Time, span: Span) -> usize {
        let mut lists = self.lists(field, class).filter(|list| !list.is_empty());
        let Some(first) = lists.next() else { return 0 };
        let Some(second) = lists.next() else { return first.within(at, span).count() };
        let mut tags: Vec<u64> = [first, second]
            .into_iter()
            .chain(lists)
            .flat_map(|list| list.within(at, span))
            .map(|seen| seen.tag)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags.len()
    }

    /// The union of a measure's lists as a sketch, if a sketch stands behind every list that is short
    /// and all panes of the window are kept: they are for one that ends in the newest event's pane.
    /// Lists are then read up to the newest event too, so that all measures err to the same side.
    fn sketch(&self, field: DistinctField, class: Class, ring: usize) -> Option<Sketch> {
        let resolution = self.plan.resolutions[ring];
        let panes = resolution.window(self.at, resolution.span);
        if panes != resolution.window(self.state.head, resolution.span) {
            return None;
        }
        let mut union = Sketch::new(PRECISION);
        for list in self.lists(field, class) {
            if list.is_exact(self.at, resolution.span) {
                for seen in list.within(self.state.head, self.since(resolution)) {
                    union.insert(seen.tag);
                }
            } else if !list.sketch_into(&mut union, ring, panes) {
                return None;
            }
        }
        Some(union)
    }
}
