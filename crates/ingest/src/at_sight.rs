//! Events that are read where they stand, still escaped, and lines that are not taken to every format: flat
//! objects that no declared format is for.
//!
//! Where an application logs its logins one login follows the other, and all look alike. There the passes that
//! are made to skip what is of no interest skip nothing: they stop in each message and are begun anew behind it.
//! So behind a few logins the next event is read *at sight*: first, and only then it is asked what the passes
//! would have told. The names of its fields mostly answer that, and a search for a few needles does the rest.
//!
//! Invariant: what is read here says what it says the long way, and what the long way would not have read is
//! not read here; a test holds both. What stood before an event decides only which way is tried first.

use crate::batch::{Piece, TextBuffers};
use crate::declared::Formats;
use crate::envelope::Event;
use crate::format::{self, Memos, Said, Seen};
use crate::needles::{Hits, Needles};
use crate::{Asked, Ingest, function_of};

/// Behind so many logins the next event is taken for one.
const LOGINS_BEFORE: u8 = 4;

/// What an event that is read at sight must not hold.
pub(crate) fn needles_elsewhere(formats: &Formats, others: &[&str]) -> Option<Needles> {
    let mut all = formats.textual().chain(others.iter().copied()).peekable();
    all.peek().is_some().then(|| Needles::new(crate::needles::shortest(all)))
}

impl Ingest {
    /// Whether events of a log group may be read at sight: not where all are asked who asked for something.
    pub(crate) fn reads_at_sight(&self, log_group: &str) -> bool {
        let asks_all = matches!(self.hears_access, Asked::All);
        !asks_all && (self.callers.is_none() || function_of(log_group).is_none())
    }

    /// What an event says behind other logins, if it is a login too and nobody else has to do with it.
    #[inline]
    pub(crate) fn read_at_sight(
        &self,
        payload: Piece<'_>,
        event: &Event,
        hits: &mut Hits<'_>,
        buffers: &mut TextBuffers,
    ) -> Option<Said> {
        if buffers.logins < LOGINS_BEFORE {
            return None;
        }
        let said = self.login_at_sight(payload, event, hits, buffers);
        if said.is_none() {
            buffers.logins = 0;
        }
        said
    }

    fn login_at_sight(
        &self,
        payload: Piece<'_>,
        event: &Event,
        hits: &mut Hits<'_>,
        buffers: &mut TextBuffers,
    ) -> Option<Said> {
        let range = event.message.range.clone();
        let raw = payload.text?.get(range.clone()).filter(|_| event.message.escaped)?;
        let (said, seen) = self.read_flat(raw, buffers)?;
        let elsewhere = self.elsewhere.as_ref();
        let is_ours = matches!(said, Said::Signal { .. })
            && !buffers.memos.may_fit(seen.asked, |fields| self.formats.may_fit(fields))
            && elsewhere.is_none_or(|needles| needles.find(raw.as_bytes(), 0).is_none())
            && (seen.holds_needle || hits.any_in(range.start, range.end));
        is_ours.then_some(said)
    }

    /// What a promising message says that is still escaped, as far as that can be told without going all of the
    /// way.
    pub(crate) fn said_escaped(&self, raw: &str, buffers: &mut TextBuffers) -> Option<Said> {
        let (said, seen) = self.read_flat(raw, buffers)?;
        if !self.is_all(raw, &said, seen) {
            return None;
        }
        if said != Said::Nothing {
            buffers.logins = buffers.logins.saturating_add(1);
        }
        Some(said)
    }

    /// The same of a promising line as it stands.
    pub(crate) fn said_in_line(&self, line: &str, memos: &mut Memos) -> Option<Said> {
        let object = Some(line).filter(|line| line.starts_with('{'))?;
        memos.ask_for(self.formats.asked());
        let (said, seen) = format::read_flat::<false>(object, false, &self.names, memos)?;
        self.is_all(object, &said, seen).then_some(said)
    }

    /// Whether what a flat object says is all that is to be said of it, as far as needles and names tell.
    fn is_all(&self, raw: &str, said: &Said, seen: Seen) -> bool {
        // What somebody claims and nobody reads is counted as passed over: that takes all of the way, and so
        // does what a declared format may read, which is asked first.
        match said {
            Said::Nothing => {
                let imitates = self.hears_invocations && format::imitates_report(raw);
                !imitates && !self.formats.may_claim(raw)
            }
            _ => !self.formats.may_read(raw, seen.asked),
        }
    }

    /// What a flat object says that is still escaped, and what its names tell.
    fn read_flat(&self, raw: &str, buffers: &mut TextBuffers) -> Option<(Said, Seen)> {
        // Formats that take it for text are told from the others by how their patterns begin.
        let line = Some(without_line_end(raw)).filter(|line| line.starts_with('{'))?;
        buffers.memos.ask_for(self.formats.asked());
        format::read_flat::<true>(line, true, &self.names, &mut buffers.memos)
    }
}

/// A message that is still escaped, without its line end. An escaped backslash before an `n` looks the
/// same; it leaves a backslash behind, with which nothing is read.
fn without_line_end(mut raw: &str) -> &str {
    while let Some(rest) = raw.strip_suffix("\\n").or_else(|| raw.strip_suffix("\\r")) {
        raw = rest;
    }
    raw
}
