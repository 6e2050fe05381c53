//! HyperLogLog++ behind our own registers: how many different tags, when a list is too short to say.
//!
//! Registers are bytes that only ever grow, so that merging is a maximum: commutative, associative and
//! idempotent (Flajolet et al. 2007). The estimate, with its empirical bias correction and linear
//! counting, is the `hyperloglogplus` crate's (Heule, Nunkesser and Hall 2013, section 5). That crate
//! shows no registers and counts a sparse set differently until it is dense, so an estimate feeds
//! the registers as synthetic hashes to a copy of an already dense, otherwise empty sketch.
//!
//! Invariant: two sketches over the same set of tags are equal, however the set was split or ordered.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use hyperloglogplus::{HyperLogLog, HyperLogLogPlus};

/// The precision of the sketches behind distinct lists: 2^11 registers.
pub const PRECISION: u8 = 11;

/// The precision of the sketches that all shards write together: 2^8 registers.
pub const SHARED_PRECISION: u8 = 8;

/// The smallest precision a sketch may have.
pub const PRECISION_MIN: u8 = 6;

/// The largest precision a sketch may have: above it the crate's sparse form cannot be outgrown with
/// hashes that all say the same (see [`densified`]).
pub const PRECISION_MAX: u8 = 12;

/// 2^precision registers: each the largest rank (position of the first 1 bit, from 1) seen among the
/// tags whose upper bits name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    registers: Box<[u8]>,
}

impl Sketch {
    /// An empty sketch. Panics if `precision` is outside `PRECISION_MIN..=PRECISION_MAX`.
    pub fn new(precision: u8) -> Sketch {
        assert!((PRECISION_MIN..=PRECISION_MAX).contains(&precision), "precision {precision}");
        Sketch { registers: vec![0; 1 << precision].into_boxed_slice() }
    }

    /// log2 of the number of registers.
    pub fn precision(&self) -> u8 {
        self.registers.len().trailing_zeros() as u8
    }

    /// Adds a tag, which must be a uniform hash. Says whether that changed anything.
    pub fn insert(&mut self, tag: u64) -> bool {
        let precision = self.precision();
        let index = (tag >> (64 - precision)) as usize;
        let rank = ((tag << precision) | (1 << (precision - 1))).leading_zeros() as u8 + 1;
        let register = &mut self.registers[index];
        let grows = rank > *register;
        if grows {
            *register = rank;
        }
        grows
    }

    /// Takes in everything `other` has seen. Panics if the precisions differ.
    pub fn merge(&mut self, other: &Sketch) {
        assert_eq!(self.registers.len(), other.registers.len(), "sketches of two precisions");
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// About how many different tags went in. The relative standard error is
    /// [`Sketch::relative_error`].
    pub fn estimate(&self) -> f64 {
        let precision = self.precision();
        let Some(set) = self.registers.iter().position(|rank| *rank > 0) else { return 0.0 };
        // The estimate depends on the multiset of ranks alone, so indices may be exchanged: the
        // register that the dense start has already set is exchanged with one of ours that is set.
        let mut dense = DENSE[usize::from(precision - PRECISION_MIN)].clone();
        for (index, rank) in self.registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
            dense.insert_any(&synthetic(precision, index ^ set, *rank));
        }
        dense.count()
    }

    /// 1.04 / √m, the relative standard error (Flajolet et al. 2007, theorem 1).
    pub fn relative_error(&self) -> f64 {
        1.04 / (self.registers.len() as f64).sqrt()
    }

    /// The registers, one byte each.
    pub fn registers(&self) -> &[u8] {
        &self.registers
    }

    /// A sketch with these registers, if their number and their ranks are possible ones.
    pub fn from_registers(registers: Vec<u8>) -> Option<Sketch> {
        let precision = registers.len().trailing_zeros() as u8;
        let sized = registers.len().is_power_of_two()
            && (PRECISION_MIN..=PRECISION_MAX).contains(&precision);
        let ranked = registers.iter().all(|rank| u32::from(*rank) <= 65 - u32::from(precision));
        (sized && ranked).then(|| Sketch { registers: registers.into_boxed_slice() })
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.registers.len()
    }
}

/// A 64-bit hash that sets register `index` to `rank`.
fn synthetic(precision: u8, index: usize, rank: u8) -> u64 {
    let first_one = 64 - precision - rank;
    let tail = if u32::from(precision + rank) > 64 { 0 } else { 1u64 << first_one };
    ((index as u64) << (64 - precision)) | tail
}

type Dense = HyperLogLogPlus<u64, PassThrough>;

/// For each precision a sketch that is dense and has nothing but register 0 set, to rank 1.
static DENSE: LazyLock<Vec<Dense>> =
    LazyLock::new(|| (PRECISION_MIN..=PRECISION_MAX).map(densified).collect());

/// Grows the sparse form past its limit with hashes that all say "register 0, rank 1".
fn densified(precision: u8) -> Dense {
    let Ok(mut sketch) = Dense::new(precision, PassThrough) else {
        unreachable!("the crate takes precisions 4 to 18");
    };
    let rank_one = synthetic(precision, 0, 1);
    // The sparse form tells 25 bits of a hash apart: those after rank 1's bit may vary freely, and
    // are enough codes to outgrow it.
    let free_bits = 25 - u32::from(precision) - 1;
    for code in 0..(1u64 << free_bits) {
        sketch.insert_any(&(rank_one | (code << 39)));
    }
    // Counting moves the codes still waiting into the sparse form, which is when it gives way.
    sketch.count();
    sketch
}

/// Takes the u64 it is given for the hash: tags are keyed hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct PassThrough;

impl BuildHasher for PassThrough {
    type Hasher = PassThroughHasher;

    fn build_hasher(&self) -> PassThroughHasher {
        PassThroughHasher(0)
    }
}

struct PassThroughHasher(u64);

impl Hasher for PassThroughHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 values are hashed");
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64, a uniform 64-bit hash (Steele, Lea and Flood 2014).
    fn hash(n: u64) -> u64 {
        let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn every_dense_start_is_dense_and_holds_one_register() {
        for dense in DENSE.iter() {
            // One of m registers set: linear counting says m ln(m / (m − 1)), about 1. The sparse
            // form would say how many codes it holds.
            let count = dense.clone().count();
            assert!((0.9..1.1).contains(&count), "{count}");
        }
    }

    #[test]
    fn an_estimate_equals_the_crates_own_once_it_is_dense() {
        for precision in PRECISION_MIN..=PRECISION_MAX {
            let n = 40u64 << precision;
            let mut ours = Sketch::new(precision);
            let mut theirs = Dense::new(precision, PassThrough).unwrap();
            for i in 0..n {
                ours.insert(hash(i));
                theirs.insert_any(&hash(i));
            }
            assert_eq!(ours.estimate(), theirs.count(), "precision {precision}");
        }
    }

    #[test]
    fn the_error_keeps_its_law_over_many_seeds() {
        let seeds = 300u64;
        for n in [100u64, 1_000, 5_000, 20_000, 100_000] {
            let mut squares = 0.0;
            let mut worst: f64 = 0.0;
            let mut bound = 0.0;
            for seed in 0..seeds {
                let mut sketch = Sketch::new(10);
                for i in 0..n {
                    sketch.insert(hash(seed.wrapping_mul(0x1_0000_0001) ^ hash(i)));
                }
                let error = sketch.estimate() / n as f64 - 1.0;
                squares += error * error;
                worst = worst.max(error.abs());
                bound = sketch.relative_error();
            }
            let rms = (squares / seeds as f64).sqrt();
            assert!(rms <= 1.1 * bound, "n {n}: RMS {rms} > 1.1 × {bound}");
            assert!(worst <= 5.0 * bound, "n {n}: worst {worst} > 5 × {bound}");
        }
    }

    #[test]
    fn merging_is_commutative_associative_idempotent_and_equals_inserting_all() {
        let of = |numbers: std::ops::Range<u64>| {
            let mut sketch = Sketch::new(8);
            numbers.for_each(|i| {
                sketch.insert(hash(i));
            });
            sketch
        };
        let merged = |mut a: Sketch, b: &Sketch| {
            a.merge(b);
            a
        };
        let (a, b, c) = (of(0..900), of(500..2_000), of(1_900..5_000));
        assert_eq!(merged(a.clone(), &b), merged(b.clone(), &a));
        assert_eq!(merged(merged(a.clone(), &b), &c), merged(a.clone(), &merged(b.clone(), &c)));
        assert_eq!(merged(a.clone(), &a), a);
        assert_eq!(merged(merged(a, &b), &c), of(0..5_000));
        assert_eq!(Sketch::new(8).estimate(), 0.0);
    }
}
