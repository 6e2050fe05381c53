//! Episodes of one detector about one function: from the first raised pane until it has been quiet, and no new one
//! for as long as [`crate::series::episode`] says.

use crate::detector::Severity;
use crate::finding::Activity;
use crate::series::episode::{TIMES_TOLD, lasts};
use crate::spend::detector::{Rule, SpendDetector};
use crate::time::{Span, Time};

/// What is known of the newest episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latch {
    pub(crate) episode: Option<Episode>,
}

/// An episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Episode {
    /// When the pane that opened it began.
    pub(crate) start: Time,
    /// How bad it was at its worst.
    pub(crate) severity: Severity,
    /// The largest number that was raised.
    pub(crate) peak: f64,
    pub(crate) opened: i64,
    pub(crate) last: i64,
    pub(crate) told_excess: f64,
    /// Whether anybody was told: not so where another finding about the function says as much.
    pub(crate) told: bool,
    pub(crate) closed: bool,
}

/// A pane that raises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Raise {
    pub(crate) pane: i64,
    pub(crate) severity: Severity,
    pub(crate) amount: f64,
    pub(crate) excess: f64,
}

impl Latch {
    /// What of a pane that raises is news, where the worst other finding about the function that says what goes
    /// on is as bad as `others`.
    pub(crate) fn raised(
        &mut self,
        raise: Raise,
        rule: &SpendDetector,
        others: Option<Severity>,
        width: Span,
    ) -> Option<(Activity, Episode)> {
        let lasting = |known: &Episode| lasts(known.opened, raise.pane, width) || !known.closed;
        let mut known = self.episode.filter(lasting).unwrap_or(Episode {
            start: Time(raise.pane * width.0),
            severity: raise.severity,
            peak: raise.amount,
            opened: raise.pane,
            last: raise.pane,
            told_excess: raise.excess,
            told: false,
            closed: false,
        });
        known.last = known.last.max(raise.pane);
        known.peak = known.peak.max(raise.amount);
        // How much there is of silence grows by itself, and of what runs away by the second.
        let counts = matches!(rule.rule, Rule::Above | Rule::Driven | Rule::Riding);
        let grown = counts && raise.excess >= TIMES_TOLD * known.told_excess;
        let worse = raise.severity > known.severity || grown;
        known.severity = known.severity.max(raise.severity);
        let activity = match (known.told, worse) {
            (false, _) if others < Some(known.severity) => Some(Activity::Create),
            (true, true) => Some(Activity::Update),
            _ => None,
        };
        if worse || activity.is_some() {
            known.told_excess = raise.excess.max(known.told_excess);
            known.closed = false;
        }
        known.told |= activity.is_some();
        self.episode = Some(known);
        activity.map(|activity| (activity, known))
    }

    /// The episode, if with a pane that does not raise it has been quiet for long enough.
    pub(crate) fn quiet(
        &mut self,
        pane: i64,
        rule: &SpendDetector,
        width: Span,
    ) -> Option<Episode> {
        let known = self.episode.as_mut().filter(|known| !known.closed)?;
        if (pane - known.last) * width.0 < rule.quiet.0 {
            return None;
        }
        known.closed = true;
        known.told.then_some(*known)
    }

    /// What of a raise is news that belongs to the episode with a given start: there is one of it.
    pub(crate) fn raised_for(&mut self, start: Time, raise: Raise) -> Option<(Activity, Episode)> {
        let known = self.episode.filter(|known| known.start == start);
        let is_new = known.is_none();
        let mut known = known.unwrap_or(Episode {
            start,
            severity: raise.severity,
            peak: raise.amount,
            opened: raise.pane,
            last: raise.pane,
            told_excess: raise.excess,
            told: true,
            closed: false,
        });
        let worse =
            raise.severity > known.severity || raise.excess >= TIMES_TOLD * known.told_excess;
        let is_news = is_new || worse || known.closed;
        known.severity = known.severity.max(raise.severity);
        known.peak = known.peak.max(raise.amount);
        known.last = known.last.max(raise.pane);
        known.closed = false;
        if is_news {
            known.told_excess = known.told_excess.max(raise.excess);
        }
        self.episode = Some(known);
        is_news.then_some((if is_new { Activity::Create } else { Activity::Update }, known))
    }

    /// Closes the finding that is open, if one is.
    pub(crate) fn close(&mut self) -> Option<Episode> {
        let known = self.episode.as_mut().filter(|known| known.told && !known.closed)?;
        known.closed = true;
        Some(*known)
    }

    /// How many panes ago one raised.
    pub(crate) fn since(&self, pane: i64) -> i64 {
        self.episode.map_or(0, |known| pane - known.last)
    }

    /// The finding that is open, if one is.
    pub(crate) fn open(&self) -> Option<&Episode> {
        self.episode.as_ref().filter(|known| known.told && !known.closed)
    }
}

impl Episode {
    /// The last pane that raised.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }
}
