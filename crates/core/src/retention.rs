//! What is kept of one key, how finely and for how long: the one place where the homes of windows
//! differ. The same types hold the state in memory, where bytes are cheap, and in a shared table,
//! where every started kilobyte of an item is paid for at every write.
//!
//! Counters live in a ladder of panes: the finest ones for the recent past, each older one inside a
//! wider pane of the next rung. Every event is counted once, in the finest pane that reaches back to
//! it, and what grows too old for its rung moves up to the next. Invariant: a rung's panes are whole
//! multiples of those below, so a pane moves up undivided and no total changes.

use crate::detector::Detector;
use crate::limits::{
    DISTINCT_LIST_TAGS_MAX, PANES_PER_WINDOW_MIN, REMEMBERED, REMEMBERED_TAGS_MAX,
    SHARED_LIST_TAGS_MAX, SHARED_SOURCES_MAX, SOURCES_KEPT_MAX,
};
use crate::panes::Resolution;
use crate::sketch::{PRECISION, SHARED_PRECISION};
use crate::time::{Span, Time};

/// Where windows live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The memory of one process.
    Memory,
    /// A table that many processes write.
    Shared,
}

/// How state is kept for the keys of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// Counter panes, finest first.
    pub counters: Vec<Resolution>,
    /// The panes of the sketches behind distinct lists.
    pub sketches: Vec<Resolution>,
    /// log2 of a sketch's registers.
    pub precision: u8,
    /// The most recent tags a distinct list keeps.
    pub list_tags_max: usize,
    /// Last sightings are kept in steps of this, rounded up.
    pub grain: Span,
    /// The bits of a tag that are kept.
    pub tag_mask: u64,
    /// The bits of an event tag's upper half that are kept.
    pub event_mask: u32,
    /// The most recent addresses behind a key that is not one itself.
    pub sources_max: usize,
    /// How far behind a key's newest event another may lie and still count.
    pub kept: Span,
    /// How far behind it the last sighting of a tag in a list of successes may lie, no less than `kept`.
    pub remembered: Span,
    /// The most recent tags such a list keeps.
    pub remembered_tags_max: usize,
    /// How far behind the last raise of a finding, closed or not, detectors may raise that come after it.
    pub followed: Span,
}

/// The rungs of the shared home: pane and reach. Fixed, whatever the detectors are, so that a new
/// detector finds the past that was counted for others.
pub const SHARED_RUNGS: [Resolution; 3] = [
    Resolution { pane: Span::minutes(1), span: Span::minutes(15) },
    Resolution { pane: Span::minutes(10), span: Span::minutes(3 * 60) },
    Resolution { pane: Span::minutes(60), span: Span::minutes(24 * 60) },
];

/// The panes of the sketches that all shards write together.
pub const SHARED_SKETCH: Resolution =
    Resolution { pane: Span::minutes(6 * 60), span: Span::minutes(24 * 60) };

/// The bits of a tag that the shared home keeps: 32. Two of 48 names have the same with a chance of
/// 3 in 10 million.
pub const SHARED_TAG_MASK: u64 = !0 << 32;

/// The bits of an event tag that the shared home keeps: 24.
pub const SHARED_EVENT_MASK: u32 = !0 << 8;

impl Retention {
    /// What `home` keeps for detectors with these windows, at least one, sorted; of counters as much as
    /// `history`, where that is longer.
    pub fn new(home: Home, windows: &[Span], history: Option<Span>) -> Retention {
        let longest = windows.last().copied().unwrap_or(Span(1));
        match home {
            Home::Memory => Retention {
                counters: with_history(rungs(windows), history),
                sketches: windows
                    .iter()
                    .map(|window| Resolution { pane: pane(*window), span: *window })
                    .collect(),
                precision: PRECISION,
                list_tags_max: DISTINCT_LIST_TAGS_MAX,
                grain: Span(1),
                tag_mask: !0,
                event_mask: !0,
                sources_max: SOURCES_KEPT_MAX,
                // Twice, so that an event one whole window late is still judged with its own.
                kept: Span(longest.0 * 2),
                remembered: Span(longest.0 * 2),
                remembered_tags_max: DISTINCT_LIST_TAGS_MAX,
                followed: Span(0),
            },
            Home::Shared => {
                let reaching = SHARED_RUNGS
                    .iter()
                    .take_while(|rung| Some(rung.span) < history.max(Some(longest)))
                    .count();
                Retention {
                    counters: SHARED_RUNGS[..(reaching + 1).min(SHARED_RUNGS.len())].to_vec(),
                    sketches: vec![SHARED_SKETCH],
                    precision: SHARED_PRECISION,
                    list_tags_max: SHARED_LIST_TAGS_MAX,
                    grain: Span::seconds(1),
                    tag_mask: SHARED_TAG_MASK,
                    event_mask: SHARED_EVENT_MASK,
                    sources_max: SHARED_SOURCES_MAX,
                    kept: Span(longest.0 * 2),
                    remembered: Span(longest.0 * 2),
                    remembered_tags_max: SHARED_LIST_TAGS_MAX,
                    followed: Span(0),
                }
            }
        }
    }

    /// What `home` keeps for the detectors on one key.
    pub(crate) fn of_key<'a>(
        home: Home,
        detectors: impl Iterator<Item = &'a Detector> + Clone,
    ) -> Retention {
        let history = detectors.clone().filter_map(Detector::history).max();
        let asks_since = detectors.clone().any(Detector::asks_since);
        let retention = Retention::new(home, &Retention::windows(detectors), history);
        if asks_since { retention.remembering(home) } else { retention }
    }

    /// The same where a detector asks since when tags are seen.
    fn remembering(self, home: Home) -> Retention {
        let remembered_tags_max = match home {
            Home::Memory => REMEMBERED_TAGS_MAX,
            Home::Shared => self.remembered_tags_max,
        };
        Retention { remembered: self.kept.max(REMEMBERED), remembered_tags_max, ..self }
    }

    /// The rung whose panes the counters of a window of `span` end in.
    pub fn rung(&self, span: Span) -> usize {
        let reaching = self.counters.iter().position(|rung| rung.span >= span);
        reaching.unwrap_or(self.counters.len().saturating_sub(1))
    }

    /// The first pane of rung `rung` that is kept at `head`: before it panes have moved up, or are
    /// forgotten.
    pub fn first_kept(&self, rung: usize, head: Time) -> i64 {
        let resolution = self.counters[rung];
        let oldest = Time(head.minus(resolution.span).0 + 1);
        match self.counters.get(rung + 1) {
            None => resolution.index(oldest),
            // A pane of the next rung must not be split between the two.
            Some(next) => next.index(oldest) * (next.pane.0 / resolution.pane.0),
        }
    }

    /// Until when, inclusive, panes are kept on the rungs they are kept on at `head`: see
    /// [`Retention::first_kept`].
    pub fn settled_until(&self, head: Time) -> Time {
        let settled = |rung: usize| {
            let resolution = self.counters[rung];
            let above = self.counters.get(rung + 1).unwrap_or(&resolution);
            let oldest = above.index(Time(head.minus(resolution.span).0 + 1));
            (oldest + 1) * above.pane.0 + resolution.span.0 - 2
        };
        Time((0..self.counters.len()).map(settled).min().unwrap_or(i64::MAX))
    }

    /// Until when, inclusive, a window of `span` that ends at the newest event has the panes it has at `at`.
    pub fn steady_until(&self, at: Time, span: Span) -> Time {
        let steady = |resolution: &Resolution| {
            let (first, last) = resolution.window(at, span);
            let leaves = (first + 1) * resolution.pane.0 + span.0 - 2;
            let enters = (last + 1) * resolution.pane.0 - 1;
            Time(leaves.min(enters))
        };
        self.counters.iter().map(steady).fold(self.settled_until(at), Time::min)
    }

    /// Until when, inclusive, no pane leaves a window of `span` that ends at the newest event, nor comes back into it
    /// inside a wider one: so no sum over it changes by itself. `at` is that event's time, and `span` one of those that
    /// memory is laid out for.
    pub fn leaves_at(&self, at: Time, span: Span) -> Time {
        let leaves = self.counters.iter().enumerate().map(|(rung, resolution)| {
            let (first, _) = resolution.window(at, span);
            let above = self.counters.get(rung + 1).unwrap_or(resolution);
            // Where a rung ends just within the window, a pane that has left it is part of a wider one soon.
            let beyond = span.0 - resolution.span.0;
            if beyond > 0 && beyond < above.pane.0 {
                return self.settled_until(at);
            }
            // So far back panes have moved up long ago, whatever is cut off where.
            let moved = first + above.pane.0 / resolution.pane.0 < self.first_kept(rung, at);
            match moved {
                true => Time(i64::MAX),
                false => Time((first + 1) * resolution.pane.0 + span.0 - 2),
            }
        });
        leaves.fold(Time(i64::MAX), Time::min)
    }

    /// `time` as a last sighting is kept.
    pub fn step(&self, time: Time) -> Time {
        match self.grain.0 {
            1 => time,
            grain => Time((time.0 + grain - 1).div_euclid(grain) * grain),
        }
    }

    /// The windows of `detectors`, each once, sorted.
    pub fn windows<'a>(detectors: impl IntoIterator<Item = &'a Detector>) -> Vec<Span> {
        let mut windows: Vec<Span> = detectors.into_iter().map(|d| d.window).collect();
        windows.sort();
        windows.dedup();
        windows
    }
}

/// The pane of a window in memory.
fn pane(window: Span) -> Span {
    Span((window.0 / PANES_PER_WINDOW_MIN).max(1))
}

/// The rungs of memory: for each window panes of at most a thirtieth, and a whole multiple of the
/// rung below, kept for twice the window.
fn rungs(windows: &[Span]) -> Vec<Resolution> {
    let mut below = 1;
    windows
        .iter()
        .map(|window| {
            below = (pane(*window).0 / below).max(1) * below;
            Resolution { pane: Span(below), span: Span(window.0 * 2) }
        })
        .collect()
}

/// One rung more where the others do not reach as far as `history`.
fn with_history(mut rungs: Vec<Resolution>, history: Option<Span>) -> Vec<Resolution> {
    let Some((history, last)) = history.zip(rungs.last().copied()) else { return rungs };
    if last.span < history {
        let pane = (pane(history).0 / last.pane.0).max(1) * last.pane.0;
        rungs.push(Resolution { pane: Span(pane), span: history });
    }
    rungs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rung_is_a_multiple_of_the_one_below_and_fine_enough() {
        let minutes = |n: &[i64]| n.iter().map(|n| Span::minutes(*n)).collect::<Vec<_>>();
        for windows in [minutes(&[10]), minutes(&[5, 7, 10, 60, 1_440]), minutes(&[1, 10_080])] {
            let rungs = Retention::new(Home::Memory, &windows, None).counters;
            assert_eq!(rungs.len(), windows.len());
            for (rung, window) in rungs.iter().zip(&windows) {
                assert!(rung.pane.0 * PANES_PER_WINDOW_MIN <= window.0, "{rung:?} for {window}");
                assert!(rung.pane.0 * PANES_PER_WINDOW_MIN * 2 > window.0, "{rung:?} for {window}");
            }
            assert!(rungs.windows(2).all(|pair| pair[1].pane.0 % pair[0].pane.0 == 0), "{rungs:?}");
        }
        assert!(SHARED_RUNGS.windows(2).all(|pair| pair[1].pane.0 % pair[0].pane.0 == 0));
    }

    #[test]
    fn a_history_is_one_rung_more_where_windows_do_not_reach_it() {
        let day = Some(Span::minutes(24 * 60));
        let of = |home, minutes| Retention::new(home, &[Span::minutes(minutes)], day).counters;
        let rungs = of(Home::Memory, 60);
        assert_eq!((rungs.len(), rungs[1].span), (2, Span::minutes(24 * 60)));
        assert_eq!(rungs[1].pane.0 % rungs[0].pane.0, 0);
        assert_eq!(of(Home::Memory, 24 * 60).len(), 1);
        assert_eq!(of(Home::Shared, 60), SHARED_RUNGS);
    }

    #[test]
    fn a_window_has_the_same_panes_until_it_is_steady_no_more() {
        let minutes = [10, 60, 1_440].map(Span::minutes);
        let memory = Retention::new(Home::Memory, &minutes, Some(Span::minutes(3 * 1_440)));
        for at in (0..200_000_000).step_by(7_654_321).map(Time) {
            for span in minutes {
                let panes = |at: Time| {
                    let rungs = memory.counters.iter().enumerate();
                    let of = |(nth, rung): (usize, &Resolution)| {
                        (rung.window(at, span), memory.first_kept(nth, at))
                    };
                    rungs.map(of).collect::<Vec<_>>()
                };
                let until = memory.steady_until(at, span);
                assert!(until >= at && panes(at) == panes(until), "{at:?} {span}");
                assert_ne!(panes(at), panes(Time(until.0 + 1)), "{at:?} {span}");
            }
        }
    }

    #[test]
    fn the_shared_home_keeps_the_rungs_its_longest_window_needs() {
        let rungs = |minutes: i64| {
            Retention::new(Home::Shared, &[Span::minutes(minutes)], None).counters.len()
        };
        assert_eq!([10, 15, 16, 180, 181, 1_440].map(rungs), [1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn who_got_in_is_remembered_for_four_days_and_no_shorter_than_anything_else() {
        let of = |home, minutes| {
            let plain = Retention::new(home, &[Span::minutes(minutes)], None);
            let asked = plain.clone().remembering(home);
            assert_eq!((plain.remembered, asked.kept), (plain.kept, plain.kept));
            (asked.remembered, asked.remembered_tags_max)
        };
        assert_eq!(of(Home::Memory, 60), (REMEMBERED, REMEMBERED_TAGS_MAX));
        assert_eq!(of(Home::Shared, 60), (REMEMBERED, SHARED_LIST_TAGS_MAX));
        assert_eq!(of(Home::Memory, 7 * 1_440).0, Span::minutes(14 * 1_440));
    }

    #[test]
    fn a_sighting_is_kept_as_the_second_that_ends_it() {
        let shared = Retention::new(Home::Shared, &[Span::minutes(10)], None);
        let stepped = [0, 1, 999, 1_000, 1_001, -1].map(|ms| shared.step(Time(ms)).0);
        assert_eq!(stepped, [0, 1_000, 1_000, 1_000, 2_000, 0]);
        assert_eq!(Retention::new(Home::Memory, &[Span(1)], None).step(Time(7)), Time(7));
    }
}
