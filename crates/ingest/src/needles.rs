//! One pass over the bytes that finds the few places worth reading.
//!
//! The needles are literal pieces that every line of a format holds. They contain nothing that a JSON
//! encoder escapes, so they are found in a raw line and in a line inside an envelope alike, and
//! whatever holds none of them is never parsed. Teddy does it where the processor has the vector
//! instructions, an Aho-Corasick automaton elsewhere. What Teddy is given, and in which order, decides
//! how often it stops for nothing: see [`dealt`].

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, Span, packed};
use memchr::memmem;

use dealt::dealt;

mod dealt;

/// Those of the needles that hold no other: whatever holds a needle holds all that is in it.
pub(crate) fn shortest<'n>(needles: impl Iterator<Item = &'n str>) -> BTreeSet<&'n str> {
    let all: BTreeSet<&str> = needles.collect();
    let within = |other: &str, needle: &str| {
        other.len() < needle.len() && memmem::find(needle.as_bytes(), other.as_bytes()).is_some()
    };
    all.iter().copied().filter(|needle| !all.iter().any(|other| within(other, needle))).collect()
}

/// A set of needles, compiled.
#[derive(Clone, Debug)]
pub(crate) enum Needles {
    Teddy {
        searcher: packed::Searcher,
        /// Of each pattern of the searcher: the needle's place, and what stands before the pattern in it.
        patterns: Vec<(usize, Box<[u8]>)>,
    },
    Automaton(AhoCorasick),
}

/// A needle that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Its place among those that were compiled.
    pub(crate) needle: usize,
    /// Where it starts.
    start: usize,
    /// Where that part of it starts that was looked for.
    seen: usize,
}

impl Needles {
    /// Compiles a few short needles; none may be empty.
    pub(crate) fn new<'n>(needles: impl IntoIterator<Item = &'n str>) -> Needles {
        let needles: Vec<&str> = needles.into_iter().collect();
        let cuts = dealt(&needles);
        // Its own limits on how many patterns are worth it are for patterns as they come.
        let mut builder = packed::Config::new().heuristic_pattern_limits(false).builder();
        match builder.extend(cuts.iter().map(|cut| cut.rest)).build() {
            Some(searcher) => {
                let patterns = cuts.iter().map(|cut| (cut.needle, Box::from(cut.front)));
                Needles::Teddy { searcher, patterns: patterns.collect() }
            }
            None => Needles::automaton(&needles),
        }
    }

    fn automaton(needles: &[&str]) -> Needles {
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(AhoCorasickKind::DFA))
            .build(needles);
        Needles::Automaton(built.expect("a few short literals always make an automaton"))
    }

    /// Where a needle starts that starts at or after `from`: of all that do, one that stands before
    /// whichever begins behind its end.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.seen(bytes, from, from).map(|hit| hit.start)
    }

    /// All needles, of those that hold no other, one by one.
    pub(crate) fn all<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = Hit> + 'b {
        let next = |hit: &Hit| self.seen(bytes, 0, hit.seen + 1);
        std::iter::successors(self.seen(bytes, 0, 0), next)
    }

    /// The first that starts at or after `from` and is seen at or after `at`.
    #[inline]
    fn seen(&self, bytes: &[u8], from: usize, at: usize) -> Option<Hit> {
        let mut span = Span { start: at, end: bytes.len() };
        match self {
            Needles::Teddy { searcher, patterns } => loop {
                let hit = searcher.find_in(bytes, span)?;
                let (needle, front) = &patterns[hit.pattern().as_usize()];
                if stands_before(&bytes[from..hit.start()], front) {
                    let start = hit.start() - front.len();
                    return Some(Hit { needle: *needle, start, seen: hit.start() });
                }
                span.start = hit.start() + 1;
            },
            Needles::Automaton(automaton) => {
                let hit = automaton.find(aho_corasick::Input::new(bytes).span(span))?;
                let needle = hit.pattern().as_usize();
                Some(Hit { needle, start: hit.start(), seen: hit.start() })
            }
        }
    }
}

/// Whether `bytes` end with `front`; most do not, as their last byte tells.
#[inline]
fn stands_before(bytes: &[u8], front: &[u8]) -> bool {
    bytes.len() >= front.len() && front.iter().rev().eq(bytes.iter().rev().take(front.len()))
}

/// A walk over ranges of the bytes, in order, asking of each whether it holds a needle. The bytes are
/// searched once, and not at all where no range is asked about.
pub(crate) struct Hits<'n> {
    needles: &'n Needles,
    bytes: &'n [u8],
    /// The first needle at or after the last place searched from.
    next: Option<usize>,
    searched: bool,
}

impl<'n> Hits<'n> {
    /// A walk from the start of `bytes`.
    pub(crate) fn new(needles: &'n Needles, bytes: &'n [u8]) -> Hits<'n> {
        Hits { needles, bytes, next: None, searched: false }
    }

    /// Whether a needle starts in `start..end`. The ranges asked about must not go backwards; a range
    /// must end where no needle can reach over (a line end, a quote).
    #[inline]
    pub(crate) fn any_in(&mut self, start: usize, end: usize) -> bool {
        if !self.searched || self.next.is_some_and(|hit| hit < start) {
            self.next = self.needles.find(self.bytes, start);
            self.searched = true;
        }
        self.next.is_some_and(|hit| hit < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEEDLES: [&str; 4] = ["abc", "bca", "\"id\"", "bxaaac"];

    #[test]
    fn a_walk_sees_each_range_by_itself() {
        let needles = Needles::new(NEEDLES);
        let mut hits = Hits::new(&needles, b"abc..x..bca.abcabc");
        let seen = [(0, 4), (4, 8), (8, 11), (11, 12), (12, 18)].map(|(s, e)| hits.any_in(s, e));
        assert_eq!(seen, [true, false, true, false, true]);
        assert!(!Hits::new(&needles, b"").any_in(0, 0));
    }

    proptest! {
        #[test]
        fn teddy_and_the_automaton_agree(
            bytes in proptest::collection::vec(0..5u8, 0..200), from in 0..200usize) {
            let bytes: Vec<u8> = bytes.iter().map(|b| b"abcx "[usize::from(*b)]).collect();
            let from = from.min(bytes.len());
            let starts = |at: &usize| NEEDLES.iter().any(|n| bytes[*at..].starts_with(n.as_bytes()));
            let plain = (from..bytes.len()).find(starts);
            prop_assert_eq!(Needles::automaton(&NEEDLES).find(&bytes, from), plain);
            // Teddy may see the rare part of one before that of another that starts earlier.
            let teddy = Needles::new(NEEDLES);
            let found = teddy.find(&bytes, from);
            prop_assert_eq!(found.is_some(), plain.is_some());
            prop_assert!(found.is_none_or(|at| at >= from && starts(&at)));
            // Both see each needle, and where it stands.
            for needles in [&teddy, &Needles::automaton(&NEEDLES)] {
                let mut all: Vec<_> = needles.all(&bytes).map(|hit| (hit.start, hit.needle)).collect();
                all.sort();
                let stands = |at: usize, nth: usize| bytes[at..].starts_with(NEEDLES[nth].as_bytes());
                let each = (0..bytes.len()).flat_map(|at| (0..NEEDLES.len()).map(move |nth| (at, nth)));
                let plain: Vec<_> = each.filter(|(at, nth)| stands(*at, *nth)).collect();
                prop_assert_eq!(all, plain);
            }
            // Asked for each word, it answers for each word.
            let mut hits = Hits::new(&teddy, &bytes);
            let mut start = 0;
            for word in bytes.split(|byte| *byte == b' ') {
                let end = start + word.len();
                prop_assert_eq!(hits.any_in(start, end), (start..end).any(|at| starts(&at)));
                start = end + 1;
            }
        }
    }
}
