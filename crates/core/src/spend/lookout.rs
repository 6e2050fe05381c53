//! Who wants to know why: what detectors made of panes, kept for somebody who asks. Nothing is kept of the other panes.

use std::cell::RefCell;

use crate::meter::ledger::Function;
use crate::spend::detector::SpendDetector;
use crate::spend::reasons::Explained;

/// Functions that are kept of each detector.
pub const NEAREST_MAX: usize = 5;

/// Panes of one answer that are kept.
pub const ASKED_MAX: usize = 10_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Of each detector the functions that came nearest, each at the pane that did.
    Nearest,
    /// The panes behind each message of a finding, by its uid.
    Finding(String),
    /// All detectors of a pane, of functions of this name.
    At(Box<str>, i64),
}

/// What is found for who asks.
#[derive(Clone, Debug)]
pub struct Lookout {
    asked: Asked,
    /// In the order they came; of the nearest, by detector and the nearest first.
    pub found: Vec<Explained>,
}

/// Where a course notes what was made of its panes, if somebody asks.
pub(crate) type Notes = RefCell<Vec<Explained>>;

impl Lookout {
    /// One that has found nothing.
    pub fn new(asked: Asked) -> Lookout {
        Lookout { asked, found: Vec::new() }
    }

    /// Keeps what was asked for.
    pub(crate) fn take(&mut self, notes: Vec<Explained>, detectors: &[SpendDetector]) {
        for explained in notes {
            let wanted = match &self.asked {
                Asked::Nearest => {
                    self.keep_nearest(explained, detectors);
                    continue;
                }
                Asked::Finding(uid) => explained.told.as_ref().is_some_and(|(of, _)| of == uid),
                Asked::At(name, pane) => {
                    explained.pane == *pane && *explained.function.name == **name
                }
            };
            if wanted && self.found.len() < ASKED_MAX {
                self.found.push(explained);
            }
        }
    }

    /// Keeps it if it is among the nearest of its detector, once a function.
    fn keep_nearest(&mut self, explained: Explained, detectors: &[SpendDetector]) {
        let near = |of: &Explained| of.reasons.nearness(&detectors[of.nth]);
        let same = |of: &Explained| {
            let of_function: (&Function, usize) = (&of.function, of.nth);
            of_function == (&explained.function, explained.nth)
        };
        match self.found.iter().position(same) {
            Some(at) if near(&self.found[at]) >= near(&explained) => return,
            Some(at) => self.found[at] = explained,
            None if near(&explained) <= 0.0 => return,
            None => self.found.push(explained),
        }
        self.found.sort_by(|a, b| {
            a.nth.cmp(&b.nth).then(near(b).total_cmp(&near(a))).then(a.function.cmp(&b.function))
        });
        let mut before = (usize::MAX, 0);
        self.found.retain(|of| {
            before = if of.nth == before.0 { (of.nth, before.1 + 1) } else { (of.nth, 0) };
            before.1 < NEAREST_MAX
        });
    }
}
