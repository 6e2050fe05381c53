//! How long invocations took, as counts by size: eight buckets to each doubling, from a microsecond on.
//!
//! Counts of two sets of invocations add to those of both, and a quantile of them is off by no more than half
//! a bucket: [`ERROR`] of the true one. The scheme is that of HdrHistogram (Tene), with whole numbers only, so
//! that equal durations share a bucket everywhere.

/// Buckets to a doubling, as a power of two.
const SUB_BITS: u32 = 3;

/// The largest relative error of a quantile: a bucket of width 1/8 of its lower end, told by the value that is
/// relatively as far from both its ends, 1/17 away.
pub const ERROR: f64 = 1.0 / 17.0;

/// The buckets that a duration of 32 bits may fall into.
pub const BUCKETS_MAX: usize = 30 * (1 << SUB_BITS);

/// Counts of durations, by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Bucket and count, by bucket; none is 0.
    counts: Vec<(u8, u32)>,
}

impl Durations {
    /// Counts a duration in microseconds. Where its bucket is not there and `may_grow` is false it is not
    /// counted; says whether it was.
    pub fn note(&mut self, us: u32, may_grow: bool) -> bool {
        self.add_to(bucket(us), 1, may_grow)
    }

    fn add_to(&mut self, bucket: u8, count: u32, may_grow: bool) -> bool {
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(count),
            Err(at) if may_grow => {
                if self.counts.len() == self.counts.capacity() {
                    self.counts.reserve_exact((self.counts.len() / 2).max(4));
                }
                self.counts.insert(at, (bucket, count));
            }
            Err(_) => return false,
        }
        true
    }

    /// Adds the counts of other invocations.
    pub fn add(&mut self, other: &Durations) {
        for (bucket, count) in &other.counts {
            self.add_to(*bucket, *count, true);
        }
    }

    /// The buckets with their counts, by bucket.
    pub(crate) fn buckets(&self) -> &[(u8, u32)] {
        &self.counts
    }

    /// What [`Durations::buckets`] gave; `None` where they are out of order, or one is empty.
    pub(crate) fn of_buckets(counts: Vec<(u8, u32)>) -> Option<Durations> {
        let ordered = counts.windows(2).all(|two| two[0].0 < two[1].0);
        let whole = counts.iter().all(|(_, count)| *count > 0);
        (ordered && whole).then_some(Durations { counts })
    }

    /// How many durations are counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The duration in microseconds that the share `at` (0 to 1) of them does not exceed: that of rank
    /// ⌈at · count⌉, within [`ERROR`]; `None` of nothing.
    pub fn quantile(&self, at: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((at.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let found = self.counts.iter().find(|(_, count)| {
            below += u64::from(*count);
            below >= rank
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<(u8, u32)>()
    }
}

/// The bucket of a duration: below 16 µs each has its own.
fn bucket(us: u32) -> u8 {
    let octave = us.max(1).ilog2();
    let bucket = match octave.checked_sub(SUB_BITS) {
        None => us,
        Some(shift) => (shift << SUB_BITS) + (us >> shift),
    };
    bucket as u8
}

/// The lowest duration of a bucket.
fn lower(bucket: u64) -> u64 {
    match bucket >> SUB_BITS {
        0 => bucket,
        octave => ((bucket & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS)) << (octave - 1),
    }
}

/// What stands for a bucket: as far from its lower end as from its upper one, relative to each.
fn middle(bucket: u8) -> f64 {
    let low = lower(u64::from(bucket)) as f64;
    let high = (lower(u64::from(bucket) + 1) - 1) as f64;
    if low + high == 0.0 { 0.0 } else { 2.0 * low * high / (low + high) }
}

// A bucket's number is a byte.
const _: () = assert!(BUCKETS_MAX <= 256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_without_a_gap() {
        let holds = |us: u32| {
            let of = u64::from(bucket(us));
            assert!(lower(of) <= u64::from(us) && u64::from(us) < lower(of + 1), "{us} in {of}");
            of
        };
        let mut last = 0;
        for us in 0..70_000 {
            let of = holds(us);
            assert!(of == last || of == last + 1, "{us}");
            last = of;
        }
        for bit in 17..32u32 {
            let at = 1u32 << bit;
            for us in [at - 1, at, at + at / 8 - 1, at + at / 8] {
                holds(us);
            }
        }
        assert!(usize::from(bucket(u32::MAX)) < BUCKETS_MAX);
    }

    #[test]
    fn a_full_bucket_takes_more_and_no_other_is_opened() {
        let mut durations = Durations::default();
        assert!(!durations.note(100, false));
        assert!(durations.note(100, true) && durations.note(100, false));
        assert_eq!(durations.count(), 2);
        assert_eq!(Durations::default().quantile(0.5), None);
    }
}
