//! What a batch of one shard contributes, by key.

use std::collections::BTreeMap;

use crate::contribution::{Again, Contribution, Part, Point};
use crate::sequence::Sequence;
use crate::signal::Origin;
use crate::store::Place;
use crate::time::Time;

/// A batch, sorted by key.
#[derive(Default)]
pub(crate) struct Gathered<'a> {
    by_key: BTreeMap<Place, (Contribution, Vec<&'a Origin>)>,
}

impl<'a> Gathered<'a> {
    /// Adds a point of one log event, and what it is under the other key.
    pub(crate) fn add(
        &mut self,
        place: Place,
        (point, again): (Point, Option<Again>),
        judged: bool,
        (sequence, origin): (Sequence, &'a Origin),
    ) {
        let (plan, key) = place;
        let (contribution, origins) = self.by_key.entry(place).or_insert_with(|| {
            (Contribution { judged, ..Contribution::to(plan, key) }, Vec::new())
        });
        contribution.points.push(point);
        contribution.again.extend(again);
        origins.push(origin);
        let end = contribution.points.len();
        match contribution.parts.last_mut().filter(|part| part.sequence == sequence) {
            Some(part) => part.end = end,
            None => contribution.parts.push(Part { sequence, end }),
        }
    }

    /// The contributions in the order of their places, and the log events behind the points of each.
    pub(crate) fn finish(self) -> (Vec<Contribution>, Vec<Vec<&'a Origin>>) {
        self.by_key.into_values().unzip()
    }
}

/// The log event that stands for a window that ends at `time`: the newest one of the batch in it.
pub(crate) fn sample(
    contribution: &Contribution,
    origins: &[&Origin],
    time: Time,
) -> Option<Origin> {
    let points = contribution.points.iter().zip(origins);
    let within = points.filter(|(point, _)| point.time <= time);
    let newest = within.max_by_key(|(point, _)| point.time);
    newest.map(|(_, origin)| (*origin).clone())
}
