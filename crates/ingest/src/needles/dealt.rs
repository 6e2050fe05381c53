//! Needles as Teddy is given them: which part of each, and in which order.
//!
//! Teddy (`aho_corasick::packed`) looks at the first three or four bytes of its patterns. It keeps the
//! patterns in 8 or 16 buckets, and knows of a bucket, for each of these places, which upper and which lower
//! halves of a byte may stand there. Wherever all places fit one bucket it stops and compares that bucket's
//! patterns. So it stops for nothing the more often, the commoner these bytes are and the less alike the
//! patterns are that share a bucket. Both can be chosen: a needle is cut in front of its rarest bytes, and
//! what stands before them is compared afterwards; and Teddy fills its buckets in turn, in the order of the
//! patterns, but for those with equal lower halves, which it keeps together.
//!
//! Only speed depends on how well all this is guessed.

/// Bytes of log text, the commonest first, as counted in the cases of the shipped formats.
const COMMON: &[u8] =
    b"\"e n:srao2.t0i1uclmd,-p79=5Tf36g4h_IvAy{}Sw>E/NxP8RbLkO@[]CDUZMFGW()HzV'<+\
    YqJ#B|K;X*j$?!%&Q^`~";

/// Within so many places of [`COMMON`] bytes become rarer by a factor of e.
const PLACES_TO_E: f32 = 12.0;

/// How many bytes of a pattern Teddy looks at, at most.
const WIDTH_MAX: usize = 4;

/// With so many patterns Teddy takes 16 buckets, where the processor has the instructions for it.
#[cfg(target_arch = "x86_64")]
const MANY_PATTERNS: usize = 33;

/// A needle in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut<'n> {
    /// The needle's place.
    pub(super) needle: usize,
    /// What must stand in front of the rest.
    pub(super) front: &'n [u8],
    /// What Teddy looks for.
    pub(super) rest: &'n [u8],
}

/// The needles as patterns, in order; a pattern may come twice.
pub(super) fn dealt<'n>(needles: &[&'n str]) -> Vec<Cut<'n>> {
    let shortest = needles.iter().map(|needle| needle.len()).min().unwrap_or(0);
    let guess = Guess { width: shortest.min(WIDTH_MAX), shares: shares() };
    let mut buckets = vec![Bucket::default(); buckets_of(needles.len())];
    // The costliest first, each to where it adds least.
    for (_, group) in guess.groups(guess.cuts(needles)) {
        let costs = buckets
            .iter()
            .map(|bucket| guess.cost(bucket.groups.iter().flatten().chain(&group)) - bucket.cost);
        let cheapest = costs.enumerate().min_by(|one, other| one.1.total_cmp(&other.1));
        if let Some((nth, added)) = cheapest {
            buckets[nth].groups.push(group);
            buckets[nth].cost += added;
        }
    }
    in_turn(buckets)
}

/// Patterns that share a bucket.
#[derive(Clone, Debug, Default)]
struct Bucket<'n> {
    /// Those of a group have equal lower halves.
    groups: Vec<Vec<Cut<'n>>>,
    cost: f32,
}

/// How many buckets Teddy has, as far as can be told from outside.
fn buckets_of(patterns: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if patterns >= MANY_PATTERNS && std::arch::is_x86_feature_detected!("avx2") {
        return 16;
    }
    let _ = patterns;
    8
}

/// The share of each byte in log text, about.
fn shares() -> [f32; 256] {
    let share = |place: usize| (-(place as f32) / PLACES_TO_E).exp();
    let mut shares = [share(COMMON.len()); 256];
    for (place, byte) in COMMON.iter().enumerate() {
        shares[usize::from(*byte)] = share(place);
    }
    let all: f32 = shares.iter().sum();
    shares.map(|share| share / all)
}

/// What is guessed about how often Teddy stops.
struct Guess {
    /// How many bytes of a pattern are looked at.
    width: usize,
    shares: [f32; 256],
}

impl Guess {
    /// The needles, each cut in front of its rarest bytes. Where one rest begins another, Teddy would find
    /// only one of them: then it is not cut.
    fn cuts<'n>(&self, needles: &[&'n str]) -> Vec<Cut<'n>> {
        let at = |needle: usize, at: usize| {
            let (front, rest) = needles[needle].as_bytes().split_at(at);
            Cut { needle, front, rest }
        };
        let mut cuts: Vec<Cut<'n>> = (0..needles.len()).map(|needle| at(needle, 0)).collect();
        for (nth, needle) in needles.iter().enumerate() {
            let rarity = |at: &usize| -> f32 {
                let window = &needle.as_bytes()[*at..*at + self.width];
                window.iter().map(|byte| self.shares[usize::from(*byte)]).product()
            };
            let places = 0..=needle.len() - self.width;
            let rarest = places.min_by(|one, other| rarity(one).total_cmp(&rarity(other)));
            let cut = at(nth, rarest.unwrap_or(0));
            let clash = |(other, known): (usize, &Cut<'n>)| {
                other != nth
                    && (known.rest.starts_with(cut.rest) || cut.rest.starts_with(known.rest))
            };
            if !cuts.iter().enumerate().any(clash) {
                cuts[nth] = cut;
            }
        }
        cuts
    }

    /// The patterns that Teddy keeps together, with their cost, the costliest group first.
    fn groups<'n>(&self, cuts: Vec<Cut<'n>>) -> Vec<(f32, Vec<Cut<'n>>)> {
        let lower = |cut: &Cut<'n>| cut.rest.iter().take(self.width).map(|byte| byte & 0xf);
        let mut groups: Vec<Vec<Cut<'n>>> = Vec::new();
        for cut in cuts {
            match groups.iter_mut().find(|group| lower(&group[0]).eq(lower(&cut))) {
                Some(group) => group.push(cut),
                None => groups.push(vec![cut]),
            }
        }
        let costs = groups.into_iter().map(|group| (self.cost(group.iter()), group));
        let mut groups: Vec<(f32, Vec<Cut<'n>>)> = costs.collect();
        groups.sort_by(|one, other| other.0.total_cmp(&one.0));
        groups
    }

    /// What a bucket of these patterns costs: how often Teddy stops for it, each time to find the place and
    /// to compare all of them.
    fn cost<'c>(&self, bucket: impl Iterator<Item = &'c Cut<'c>> + Clone) -> f32 {
        let stops = (0..self.width).map(|place| {
            let halves = bucket.clone().fold((0u16, 0u16), |(upper, lower), cut| {
                (upper | 1 << (cut.rest[place] >> 4), lower | 1 << (cut.rest[place] & 0xf))
            });
            let those = |halves: u16| (0..16).filter(move |half| halves >> half & 1 == 1);
            let of =
                |upper: usize| those(halves.1).map(move |lower| self.shares[upper << 4 | lower]);
            those(halves.0).flat_map(of).sum::<f32>()
        });
        stops.product::<f32>() * (1 + bucket.clone().count()) as f32
    }
}

/// The patterns in an order in which each group falls into its bucket: one group of each bucket in turn.
/// Where a bucket has none left, what follows others of its group stands in, or a pattern again.
fn in_turn<'n>(mut buckets: Vec<Bucket<'n>>) -> Vec<Cut<'n>> {
    buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.groups.len()));
    let mut left: usize = buckets.iter().map(|bucket| bucket.groups.len()).sum();
    let (mut order, mut followers) = (Vec::new(), Vec::new());
    let rounds = (0..left).flat_map(|round| buckets.iter().map(move |bucket| (round, bucket)));
    for (round, bucket) in rounds {
        if left == 0 {
            break;
        }
        match bucket.groups.get(round) {
            Some(group) => {
                order.push(group[0]);
                followers.extend(&group[1..]);
                left -= 1;
            }
            None => order.extend(followers.pop().or(order.first().copied())),
        }
    }
    order.extend(followers);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Which bucket each pattern falls into, as Teddy fills them: the nth into the nth, but where one with
    /// the same lower halves went before.
    fn filled(order: &[Cut<'_>], width: usize, buckets: usize) -> Vec<usize> {
        let lower = |cut: &Cut<'_>| cut.rest[..width].iter().map(|b| b & 0xf).collect::<Vec<u8>>();
        let first = |cut: &Cut<'_>| order.iter().position(|known| lower(known) == lower(cut));
        order.iter().map(|cut| first(cut).expect("itself") % buckets).collect()
    }

    #[test]
    fn needles_are_cut_before_what_is_rare_and_kept_apart() {
        let cut = |needles: &[&'static str]| {
            let mut cuts = dealt(needles);
            cuts.sort_by_key(|cut| cut.rest);
            let text = |bytes| std::str::from_utf8(bytes).expect("letters");
            cuts.iter().map(|cut| (text(cut.front), text(cut.rest))).collect::<Vec<_>>()
        };
        assert_eq!(cut(&["reset is WXYZ"]), [("reset is ", "WXYZ")]);
        // One rest would begin the other, until the other is whole.
        assert_eq!(cut(&["e WXYZ", "t WXYZ no"]), [("e ", "WXYZ"), ("", "t WXYZ no")]);
        assert!(dealt(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn every_needle_is_there_and_shares_its_bucket_with_those_it_was_dealt_to(
            needles in proptest::collection::hash_set("[a-zA-Z_ ]{3,9}", 1..90)) {
            let mut needles: Vec<&str> = needles.iter().map(String::as_str).collect();
            needles.sort();
            let order = dealt(&needles);
            let mut whole: Vec<Vec<u8>> =
                order.iter().map(|cut| [cut.front, cut.rest].concat()).collect();
            whole.sort();
            whole.dedup();
            prop_assert!(whole.iter().map(Vec::as_slice).eq(needles.iter().map(|n| n.as_bytes())));
            // Dealt as guessed: no order by chance costs less than the one that was chosen for cost.
            let shortest = needles.iter().map(|needle| needle.len()).min().expect("one");
            let guess = Guess { width: shortest.min(WIDTH_MAX), shares: shares() };
            let buckets = buckets_of(needles.len());
            let cost = |order: &[Cut<'_>]| -> f32 {
                let of = filled(order, guess.width, buckets);
                let in_bucket = |nth| {
                    order.iter().zip(&of).filter(move |(_, of)| **of == nth).map(|(cut, _)| cut)
                };
                (0..buckets).map(|nth| guess.cost(in_bucket(nth))).sum()
            };
            let plain = guess.cuts(&needles);
            prop_assert!(needles.len() < 20 || cost(&order) <= cost(&plain));
        }
    }
}
