//! One pass over the bytes that finds the few places worth reading.
//!
//! The needles are literal pieces that every line of a format holds. They contain nothing that a JSON
//! encoder escapes, so they are found in a raw line and in a line inside an envelope alike, and
//! whatever holds none of them is never parsed. Teddy does it where the processor has the vector
//! instructions, an Aho-Corasick automaton elsewhere.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, Span, packed};

/// A set of needles, compiled.
pub(crate) enum Needles {
    Teddy(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Needles {
    /// Compiles a few short needles; none may be empty.
    pub(crate) fn new<'n>(needles: impl IntoIterator<Item = &'n str>) -> Needles {
        let needles: Vec<&str> = needles.into_iter().collect();
        match packed::Searcher::new(&needles) {
            Some(teddy) => Needles::Teddy(teddy),
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

    /// Where the first needle that starts at or after `from` starts.
    #[inline]
    pub(crate) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let span = Span { start: from, end: bytes.len() };
        match self {
            Needles::Teddy(teddy) => teddy.find_in(bytes, span).map(|hit| hit.start()),
            Needles::Automaton(automaton) => {
                automaton.find(aho_corasick::Input::new(bytes).span(span)).map(|hit| hit.start())
            }
        }
    }
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

    const NEEDLES: [&str; 3] = ["abc", "bca", "\"id\""];

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
            bytes in proptest::collection::vec(0..4u8, 0..200), from in 0..200usize) {
            let bytes: Vec<u8> = bytes.iter().map(|b| b"abcx"[usize::from(*b)]).collect();
            let from = from.min(bytes.len());
            let plain = (from..bytes.len())
                .find(|at| NEEDLES.iter().any(|n| bytes[*at..].starts_with(n.as_bytes())));
            prop_assert_eq!(Needles::new(NEEDLES).find(&bytes, from), plain);
            prop_assert_eq!(Needles::automaton(&NEEDLES).find(&bytes, from), plain);
        }
    }
}
