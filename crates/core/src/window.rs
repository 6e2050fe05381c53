//! A window: one key's merged state, looked at over a span that ends at a time.
//!
//! Windows are lent, not copied: a store merges a contribution and shows the result to a pure
//! function while it holds it. A distinct count is first an interval, cheap and certain; only where an
//! interval does not decide is a sketch asked.
//!
//! A window that ends before the newest event (its event came late) is an interval even where nothing
//! was evicted: only last sightings are kept, so a tag seen again since may have been in it or not.

use std::collections::BTreeMap;

use crate::change::{Change, Tries, rush};
use crate::detector::DistinctField;
use crate::distinct::DistinctList;
use crate::finding::{Accuracy, Value};
use crate::first_seen::Since;
use crate::key::Key;
use crate::panes::{Ring, Slots, Sum};
use crate::plan::{Counted, DetectorPlan, KeyPlan};
use crate::seen::Seen;
use crate::shape::Class;
use crate::sketch::Sketch;
use crate::state::{ClassList, End, KeyState};
use crate::time::{Span, Time};
use crate::walk::odds;

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
    /// The newest event of the window: `at`, or for the end of a counter pane the newest one known in it.
    pub told: Time,
    /// Which version of the state this is, where its home counts them.
    pub version: u64,
}

/// A number known to lie in `low..=high`; `high` may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// At least this.
    pub low: f64,
    /// At most this.
    pub high: f64,
}

impl<'a> Window<'a> {
    /// The windows of the key that may have changed since an event at `from` was counted, in the order of their ends.
    pub(crate) fn changed_since(self, from: Time) -> impl Iterator<Item = Window<'a>> {
        let ends = self.state.ends_since(self.plan, from).into_iter();
        ends.map(move |End { at, told }| Window { at, told, ..self })
    }
}

impl Window<'_> {
    /// What is certain about a measure without asking a sketch.
    pub fn bounds(&self, counted: Counted, detector: &DetectorPlan) -> Bounds {
        match counted {
            Counted::Counter(slots) => self.counted(Sum::of_ones(slots), detector),
            Counted::Sum(sum) => self.counted(sum, detector),
            Counted::Change { selected, all, change } => {
                let evidence = self.changed((selected, all), change, detector);
                Bounds { low: evidence, high: evidence }
            }
            Counted::Busiest(sum) => {
                let most = self.busiest(sum, detector.span);
                Bounds { low: most, high: most }
            }
            Counted::Distinct(field, class) => {
                let (after, until) = self.ends(detector);
                let low = self.listed(field, class, after, until) as f64;
                let whole = self.lists(field, class).all(|list| list.is_exact(after));
                let high = match whole {
                    false => f64::INFINITY,
                    true if self.at < self.state.head => {
                        self.listed(field, class, after, self.newest()) as f64
                    }
                    true => low,
                };
                Bounds { low, high }
            }
            Counted::FirstSeen(field, class, since) => {
                self.since_bounds((field, class), since, detector)
            }
            Counted::Sequential { failed, succeeded, rates } => {
                // In a window that ends before the newest event, who has failed since may have got in then.
                if self.at < self.state.head {
                    return Bounds { low: 0.0, high: f64::INFINITY };
                }
                let (mut after, until) = self.ends(detector);
                let names = |class| self.lists(DistinctField::User, class);
                let whole = names(failed).chain(names(succeeded)).all(|l| l.is_exact(after));
                // Before this, who got in may be listed no more, and would look as if they had failed.
                let forgotten = names(succeeded).filter_map(|list| list.evicted()).max();
                after = forgotten.map_or(after, |forgotten| after.max(forgotten));
                let within = |class| names(class).map(move |list| list.within(after, until));
                let low = odds(within(failed), within(succeeded), rates);
                // The listed names are the latest, and the stretch that counts may be a longer one.
                Bounds { low, high: if whole { low } else { f64::INFINITY } }
            }
        }
    }

    /// What a measure cannot be more than, found without telling names apart; infinite where lists do not say.
    pub fn at_most(&self, counted: Counted, detector: &DetectorPlan) -> f64 {
        let after = self.ends(detector).0;
        let whole = |field, class| self.lists(field, class).all(|list| list.is_exact(after));
        // Of lists of all windows the lengths do where they are short; else what lies in this one.
        let listed = |field, class| -> usize {
            self.lists(field, class).map(|list| list.within(after, self.newest()).count()).sum()
        };
        match counted {
            Counted::Distinct(field, class) if whole(field, class) => listed(field, class) as f64,
            Counted::FirstSeen(field, class, since) => {
                self.new_at_most((field, class), since, detector)
            }
            Counted::Sequential { failed, rates, .. } if whole(DistinctField::User, failed) => {
                listed(DistinctField::User, failed) as f64 * rates.failure()
            }
            _ => f64::INFINITY,
        }
    }

    /// What a distinct measure cannot be less than in any window that ends from now to `until`, without telling
    /// names apart: those seen lately enough. Of other measures 0.
    pub fn at_least(&self, counted: Counted, detector: &DetectorPlan, until: Time) -> f64 {
        let Counted::Distinct(field, class) = counted else { return 0.0 };
        let (after, at) = (until.minus(detector.span), self.newest());
        let lists = self.lists(field, class).map(|list| list.within(after, at).count());
        lists.max().unwrap_or(0) as f64
    }

    /// What a walk cannot come to more than in any window that ends from now to `until`, if nothing is added:
    /// whoever got in too long ago for that may look as if they had failed. Infinite where lists do not say.
    pub fn odds_at_most(&self, counted: Counted, detector: &DetectorPlan, until: Time) -> f64 {
        let Counted::Sequential { failed, succeeded, rates } = counted else {
            return f64::INFINITY;
        };
        let after = self.ends(detector).0;
        let names = |class| self.lists(DistinctField::User, class);
        if !names(failed).all(|list| list.is_exact(after)) {
            return f64::INFINITY;
        }
        let newest = self.newest();
        let within = |class, after| names(class).map(move |list| list.within(after, newest));
        odds(within(failed, after), within(succeeded, until.minus(detector.span)), rates)
    }

    /// At most how many different values the second measure counts that the first cannot, by the lists
    /// that only the second has; infinite where they do not say.
    pub fn only_in_second(&self, measures: (Counted, Counted), detector: &DetectorPlan) -> f64 {
        let (Counted::Distinct(field, first), Counted::Distinct(of, second)) = measures else {
            return f64::INFINITY;
        };
        if field != of {
            return f64::INFINITY;
        }
        let after = self.ends(detector).0;
        let only = self.state.lists.iter().filter(|list| {
            list.field == field && list.class & second != 0 && list.class & first == 0
        });
        only.map(|ClassList { list, .. }| match list.is_exact(after) {
            true => list.within(after, self.newest()).count() as f64,
            false => f64::INFINITY,
        })
        .sum()
    }

    /// The measure's number, by sketch where the lists are too short.
    pub fn value(&self, counted: Counted, detector: &DetectorPlan) -> Value {
        let bounds = self.bounds(counted, detector);
        let certain = bounds.low == bounds.high;
        match counted {
            Counted::Counter(_)
            | Counted::Sum(_)
            | Counted::Change { .. }
            | Counted::Busiest(_)
                if certain =>
            {
                let pane = self.plan.pane(detector);
                Value { amount: bounds.low, error: Accuracy::Pane(pane) }
            }
            Counted::Counter(_)
            | Counted::Sum(_)
            | Counted::Change { .. }
            | Counted::Busiest(_) => Value { amount: bounds.low, error: Accuracy::AtLeast },
            // Of those whose list has lost values some may be known.
            Counted::FirstSeen(field, class, _) if certain && self.has_lost(field, class) => {
                Value { amount: bounds.low, error: Accuracy::AtMost }
            }
            Counted::Distinct(..) | Counted::FirstSeen(..) | Counted::Sequential { .. }
                if certain =>
            {
                Value { amount: bounds.low, error: Accuracy::Exact }
            }
            Counted::Sequential { .. } | Counted::FirstSeen(.., Since::KnownFor(_)) => {
                Value { amount: bounds.low, error: Accuracy::AtLeast }
            }
            // Those that are known are all listed.
            Counted::FirstSeen(field, class, Since::NewWithin(span)) => {
                let all = self.value(Counted::Distinct(field, class), detector);
                let known = self.known_within((field, class), span, detector) as f64;
                Value { amount: (all.amount - known).max(bounds.low), error: all.error }
            }
            Counted::Distinct(field, class) => {
                let short = bounds.high.is_infinite();
                let sketch = detector.sketch.filter(|_| short);
                match sketch
                    .and_then(|ring| Some((ring, self.sketch(field, class, ring, detector)?)))
                {
                    // The list is certain, so an estimate below it is moved up to it.
                    Some((ring, sketch)) => Value {
                        amount: sketch.estimate().max(bounds.low).round(),
                        error: Accuracy::Sketch {
                            relative: sketch.relative_error(),
                            pane: self.plan.retention.sketches[ring].pane,
                        },
                    },
                    None => Value { amount: bounds.low, error: Accuracy::AtLeast },
                }
            }
        }
    }

    /// How many addresses stand behind the key in the window.
    pub fn sources_total(&self, detector: &DetectorPlan) -> u64 {
        let Some(sources) = &self.state.sources else { return 1 };
        let all = sources.all();
        let (after, until) = self.ends(detector);
        let listed = all.within(after, until).count() as u64;
        if all.is_exact(after) {
            return listed;
        }
        let Some(ring) = detector.sketch else { return listed };
        let mut union = Sketch::new(self.plan.retention.precision);
        let panes = self.plan.retention.sketches[ring].window(self.at, detector.span);
        match all.sketch_into(&mut union, ring, panes) {
            true => listed.max(union.estimate().round() as u64),
            false => listed,
        }
    }

    /// The earliest event of the window that is still known: a listed tag's last sighting, or the
    /// first of a pane, but never before the window.
    pub fn first_seen(&self, detector: &DetectorPlan) -> Time {
        let (after, until) = self.ends(detector);
        let lists = self.state.lists.iter();
        let listed = lists.flat_map(|list| list.list.within(after, until)).map(Seen::last);
        let counted = self.rungs(detector.span).filter_map(|(ring, panes)| ring.first(panes));
        let counted = counted.map(|time| time.max(Time(after.0 + 1)));
        listed.chain(counted).min().unwrap_or(self.at).min(self.at)
    }

    /// The measure over the window, pane by pane, oldest first: what a counter counted in each, or how many
    /// tags were last seen in it (of a walk, those that failed), as far as the lists reach. Empty panes are
    /// left out.
    pub fn timeline(&self, counted: Counted, detector: &DetectorPlan) -> Vec<(Time, u64)> {
        let mut panes: BTreeMap<Time, u64> = BTreeMap::new();
        match counted {
            Counted::Busiest(_) => {}
            Counted::Counter(_) | Counted::Sum(_) | Counted::Change { .. } => {
                let sum = match counted {
                    Counted::Sum(sum) => sum,
                    Counted::Counter(slots) | Counted::Change { selected: slots, .. } => {
                        Sum::of_ones(slots)
                    }
                    _ => return Vec::new(),
                };
                let rungs = self.plan.retention.counters.iter();
                for ((ring, (first, last)), rung) in self.rungs(detector.span).zip(rungs) {
                    for (index, _, _) in
                        ring.panes().filter(|pane| (first..=last).contains(&pane.0))
                    {
                        let amount = sum.over(ring, (index, index));
                        *panes.entry(Time(index * rung.pane.0)).or_default() += amount;
                    }
                }
            }
            Counted::Sequential { failed: class, .. }
            | Counted::Distinct(_, class)
            | Counted::FirstSeen(_, class, _) => {
                let field = match counted {
                    Counted::Distinct(field, _) | Counted::FirstSeen(field, ..) => field,
                    _ => DistinctField::User,
                };
                let (after, until) = self.ends(detector);
                let pane = self.plan.pane(detector).0;
                let seen: Vec<Seen> = match counted {
                    Counted::FirstSeen(_, _, since) => {
                        self.since((field, class), since, (after, until))
                    }
                    _ => {
                        let lists = self.lists(field, class);
                        lists.flat_map(|list| list.within(after, until)).copied().collect()
                    }
                };
                let last: BTreeMap<u64, Time> =
                    seen.iter().fold(BTreeMap::new(), |mut last, seen| {
                        let known = last.entry(seen.tag).or_insert(seen.last());
                        *known = seen.last().max(*known);
                        last
                    });
                for time in last.into_values() {
                    *panes.entry(Time(time.0.div_euclid(pane) * pane)).or_default() += 1;
                }
            }
        }
        panes.into_iter().filter(|(_, amount)| *amount > 0).collect()
    }

    /// How many of the widest panes before the span have something in them.
    pub(crate) fn panes_before(&self, span: Span) -> usize {
        let last = self.rungs(span).skip(1).last();
        last.map_or(0, |(ring, (first, _))| {
            ring.panes().take_while(|(index, ..)| *index < first).count()
        })
    }

    /// What counters hold of the span that ends with the window, with the oldest pane whole.
    pub(crate) fn sum(&self, of: Sum, span: Span) -> f64 {
        let sums = self.rungs(span).map(|(ring, panes)| of.over(ring, panes));
        sums.fold(0, u64::saturating_add) as f64
    }

    /// The window as lists read it: after the first, up to the second.
    pub(crate) fn ends(&self, detector: &DetectorPlan) -> (Time, Time) {
        (self.at.minus(detector.span), self.plan.retention.step(self.at))
    }

    /// The newest sighting a list can hold.
    pub(crate) fn newest(&self) -> Time {
        self.plan.retention.step(self.state.head)
    }

    /// Each rung of counters with the panes of it that the window touches, finest first.
    fn rungs(&self, span: Span) -> impl Iterator<Item = (&Ring, (i64, i64))> {
        let rungs = self.state.rings.iter().zip(&self.plan.retention.counters);
        rungs.map(move |(ring, resolution)| (ring, resolution.window(self.at, span)))
    }

    /// A sum of counters: no less than the window's and no more than with its oldest pane whole. Where
    /// that pane has moved up to a wider one than the detector reckons with, only bounds are known.
    fn counted(&self, of: Sum, detector: &DetectorPlan) -> Bounds {
        if let ([ring], [resolution]) =
            (self.state.rings.as_slice(), self.plan.retention.counters.as_slice())
        {
            let sum = of.over(ring, resolution.window(self.at, detector.span)) as f64;
            return Bounds { low: sum, high: sum };
        }
        let mut sums = [0u64; 2];
        for (rung, (ring, panes)) in self.rungs(detector.span).enumerate() {
            let wider = usize::from(rung > detector.rung);
            sums[wider] = sums[wider].saturating_add(of.over(ring, panes));
        }
        let [low, wider] = sums.map(|sum| sum as f64);
        Bounds { low, high: low + wider }
    }

    /// The evidence that the share of the first counters among the second has risen within the window. Where
    /// panes of different rungs meet, one that lies in the window and before it counts for both.
    fn changed(&self, of: (Slots, Slots), change: Change, detector: &DetectorPlan) -> f64 {
        let tries = |pane: (i64, Time, &[u32])| {
            let sum = |slots: Slots| {
                let counts = pane.2.iter().enumerate();
                counts
                    .filter(|(slot, _)| slots >> slot & 1 == 1)
                    .map(|(_, amount)| u64::from(*amount))
                    .sum()
            };
            Tries { selected: sum(of.0), all: sum(of.1) }
        };
        let before = self.rungs(detector.span).flat_map(|(ring, (first, _))| {
            ring.panes().take_while(move |pane| pane.0 < first).map(tries)
        });
        let usual = change.usual(before);
        let busiest = self.busiest(Sum::of_ones(of.1), detector.span);
        let rungs = self.rungs(detector.span).zip(&self.plan.retention.counters);
        let within = rungs.flat_map(|((ring, (first, last)), rung)| {
            let rush = rush(busiest * rung.pane.0 as f64 / detector.span.0 as f64);
            let ending = ring.panes().rev().skip_while(move |pane| pane.0 > last);
            ending.take_while(move |pane| pane.0 >= first).map(move |pane| (tries(pane), rush))
        });
        change.evidence(within, usual)
    }

    /// The most that counters came to in a span as long as the window, by the widest panes of the day before it;
    /// 0 where there is no such day yet.
    pub(crate) fn busiest(&self, of: Sum, span: Span) -> f64 {
        let rungs = self.rungs(span).zip(&self.plan.retention.counters).skip(1);
        let Some(((ring, (first, _)), rung)) = rungs.last() else { return 0.0 };
        let before = ring.panes().map(|(index, _, _)| index).take_while(|index| *index < first);
        let most = before.map(|index| of.over(ring, (index, index))).max().unwrap_or(0);
        most as f64 * span.0 as f64 / rung.pane.0 as f64
    }

    pub(crate) fn lists(
        &self,
        field: DistinctField,
        class: Class,
    ) -> impl Iterator<Item = &DistinctList> {
        self.state
            .lists
            .iter()
            .filter(move |list| list.field == field && list.class & class != 0)
            .map(|list| &list.list)
    }

    /// How many different tags the lists hold that were last seen in (after, until].
    fn listed(&self, field: DistinctField, class: Class, after: Time, until: Time) -> usize {
        let mut lists = self.lists(field, class).filter(|list| !list.is_empty());
        let Some(first) = lists.next() else { return 0 };
        let Some(second) = lists.next() else { return first.within(after, until).count() };
        let mut tags: Vec<u64> = [first, second]
            .into_iter()
            .chain(lists)
            .flat_map(|list| list.within(after, until))
            .map(|seen| seen.tag)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags.len()
    }

    /// The union of a measure's lists as a sketch, if a sketch stands behind every list that is short,
    /// and the window ends with the newest event: the newest pane holds all up to that.
    fn sketch(
        &self,
        field: DistinctField,
        class: Class,
        ring: usize,
        detector: &DetectorPlan,
    ) -> Option<Sketch> {
        if self.at < self.state.head {
            return None;
        }
        let panes = self.plan.retention.sketches[ring].window(self.at, detector.span);
        let after = self.ends(detector).0;
        let mut union = Sketch::new(self.plan.retention.precision);
        for list in self.lists(field, class) {
            for seen in list.within(after, self.newest()) {
                union.insert(seen.tag);
            }
            if !list.is_exact(after) && !list.sketch_into(&mut union, ring, panes) {
                return None;
            }
        }
        Some(union)
    }
}
