//! Episodes, not points: a raised pane opens an episode, and what is raised while it lasts is the same news.
//!
//! Without that each pane of an incident would be an alert of its own. An episode lasts [`PANES_MIN`] panes and
//! at least [`SPAN_MIN`]. Within it only one thing is news again: an excess [`TIMES_TOLD`] times the largest that
//! was told of, so that an incident cannot hide a worse one, and what goes untold inside an episode is bounded
//! too. What is here is the step of a latch: it belongs to whoever keeps the episode.

use super::weighed::Weighed;
use crate::time::Span;

/// How many panes an episode lasts at least.
pub const PANES_MIN: i64 = 24;

/// How long it lasts at least.
pub const SPAN_MIN: Span = Span::minutes(12 * 60);

/// How many times the excess that was told of is told again.
pub const TIMES_TOLD: f64 = 2.0;

/// An episode, as far as it was told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The pane that opened it.
    pub opened: i64,
    /// The largest number above usual that was told of.
    pub excess: f64,
}

/// What is new about a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// An episode opens.
    Opens,
    /// The open one has become much worse.
    Worsens,
}

/// How many panes of `width` an episode lasts.
pub const fn panes(width: Span) -> i64 {
    let panes = (SPAN_MIN.0 + width.0 - 1) / width.0;
    if panes > PANES_MIN { panes } else { PANES_MIN }
}

/// Whether an episode that began at `opened` still lasts in `pane`.
pub const fn lasts(opened: i64, pane: i64, width: Span) -> bool {
    pane - opened < panes(width)
}

/// What is new about a pane that was weighed, after the episode before it.
pub fn news(before: Option<Episode>, weighed: &Weighed, width: Span) -> Option<(News, Episode)> {
    if !weighed.raised.at_once() {
        return None;
    }
    let excess = weighed.excess();
    match before.filter(|episode| lasts(episode.opened, weighed.pane, width)) {
        None => Some((News::Opens, Episode { opened: weighed.pane, excess })),
        Some(episode) if excess > 0.0 && excess >= TIMES_TOLD * episode.excess => {
            Some((News::Worsens, Episode { excess, ..episode }))
        }
        Some(_) => None,
    }
}
