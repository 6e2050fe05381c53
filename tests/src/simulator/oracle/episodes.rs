//! Which episodes the records of a run allow, and which they ask for.

use std::collections::BTreeSet;

use tidewatch_core::detector::Detector;

use super::{History, Sighting, pane_ms};

/// Times at which a key was at rest: everything that had arrived about it was dealt with, and nothing
/// else arrived for `rest_ms`. Gives the time until which its records had arrived.
pub fn rests(history: &History, rest_ms: i64) -> Vec<i64> {
    let arrivals: BTreeSet<(i64, i64)> =
        history.sightings.iter().map(|s| (s.arrived_ms, s.acknowledged_ms)).collect();
    let arrivals: Vec<(i64, i64)> = arrivals.into_iter().collect();
    let mut settled_ms = i64::MIN;
    let mut rests = Vec::new();
    for (at, (arrived_ms, acknowledged_ms)) in arrivals.iter().enumerate() {
        settled_ms = settled_ms.max(*acknowledged_ms);
        let next_ms = arrivals.get(at + 1).map_or(i64::MAX, |(next_ms, _)| *next_ms);
        if settled_ms < i64::MAX - rest_ms && next_ms > settled_ms + rest_ms {
            rests.push(*arrived_ms);
        }
    }
    rests
}

impl History {
    /// Whether `detector` can have raised at all: the cheap question that spares most keys the dear
    /// ones.
    pub fn may_raise_ever(&self, detector: &Detector) -> bool {
        let (Some(first), Some(last)) = (self.sightings.first(), self.sightings.last()) else {
            return false;
        };
        let all = Detector {
            window: tidewatch_core::time::Span(last.time_ms - first.time_ms + 1),
            ..detector.clone()
        };
        self.may_raise(&all, last.time_ms)
    }

    /// Where an episode that covers the newest event can have begun at the earliest: back from raise
    /// to possible raise, as long as less than the quiet time lies between; each time as far as goes.
    pub fn chain_start(&self, detector: &Detector) -> i64 {
        let reach_ms = detector.quiet.0 + pane_ms(detector.window.0);
        let mut start_ms = self.head_ms();
        loop {
            let reached = self.within(start_ms - reach_ms, start_ms - 1);
            let earliest = reached.iter().find(|s| self.may_raise(detector, s.time_ms));
            match earliest {
                Some(earliest) => start_ms = earliest.time_ms,
                None => return start_ms,
            }
        }
    }

    /// Whether everybody must see one episode between two times: it is raised again and again, with
    /// less than half of the quiet time between.
    pub fn goes_on(&self, detector: &Detector, (from_ms, to_ms): (i64, i64)) -> bool {
        let mut last_ms = from_ms;
        for sighting in self.within(from_ms, to_ms) {
            if sighting.time_ms - last_ms >= detector.quiet.0 / 2 {
                return false;
            }
            if self.must_raise_at(detector, sighting.time_ms) {
                last_ms = sighting.time_ms;
            }
        }
        to_ms - last_ms < detector.quiet.0 / 2
    }
}

impl History {
    /// When the record arrived with which an exact judge who judges at every event would first have
    /// raised for certain, going by what had arrived.
    pub fn certain_since(&self, detector: &Detector) -> Option<i64> {
        let mut arriving: Vec<&Sighting> = self.sightings.iter().collect();
        arriving.sort_by_key(|sighting| sighting.arrived_ms);
        let mut arrived = History::default();
        for together in arriving.chunk_by(|a, b| a.arrived_ms == b.arrived_ms) {
            arrived.sightings.extend(together.iter().copied().copied());
            arrived.sightings.sort_by_key(|sighting| (sighting.time_ms, sighting.event));
            if arrived.must_raise(detector) {
                return Some(together[0].arrived_ms);
            }
        }
        None
    }
}
