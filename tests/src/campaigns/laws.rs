//! How attackers choose names and pace themselves: laws fitted to a public honeypot, as numbers.
//!
//! Source: samdavi/SSH-Honeypot-Dataset (T-Pot, 15 to 30 November 2025), 39,263 dated tries of 2,083 names,
//! without addresses.
//!
//! | what | honeypot | law here |
//! |---|---|---|
//! | share of the first name, of ten, a hundred, five hundred | 33, 58, 78, 91 % | rank^-1.08, the first name lifted to a third of all: 32, 54, 76, 89 % |
//! | pauses, 10 %, median, 90 %, 99 % | 1.0, 6.7, 37, 165 s | log-normal, sigma 1.4, median 6.7 s: 1.1, 6.7, 40, 174 s |
//! | a name is tried once, twice, three times, oftener in a row | 90.2, 6.5, 1.8, 1.5 % | the same |
//!
//! The pauses are those of all attackers together; one attacker's have the same shape here and a mean of their
//! own. No detector's threshold went into any of these.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Names on a list: as many as the honeypot saw.
const NAMES: usize = 2_083;

/// Counts fall as the rank to the power of minus this, from rank 3 to 200 (least squares on logarithms).
const EXPONENT: f64 = 1.08;

/// The weight that makes the first name a third of all tries.
const FIRST_WEIGHT: f64 = 2.5;

/// The deviation of a pause's logarithm.
const PAUSE_SIGMA: f64 = 1.4;

/// The ranks of names by popularity.
pub struct Names {
    weights: Vec<f64>,
    /// Running sums of the weights.
    cumulative: Vec<f64>,
}

impl Names {
    /// All of them.
    #[allow(clippy::new_without_default, reason = "it computes something")]
    pub fn new() -> Names {
        let weight = |rank: usize| match rank {
            0 => FIRST_WEIGHT,
            _ => ((rank + 1) as f64).powf(-EXPONENT),
        };
        let weights: Vec<f64> = (0..NAMES).map(weight).collect();
        let running = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Names { cumulative: running.collect(), weights }
    }

    /// One rank by popularity, whatever was drawn before: nobody keeps account.
    pub fn pick(&self, rng: &mut ChaCha8Rng) -> u64 {
        let all = self.cumulative.last().copied().unwrap_or_default();
        let roll = rng.random::<f64>() * all;
        self.cumulative.partition_point(|sum| *sum <= roll).min(NAMES - 1) as u64
    }

    /// One attacker's list of `count` ranks: a weighted draw without repetition, popular ones early (Efraimidis
    /// and Spirakis 2006).
    pub fn list(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
        let key = |weight: &f64| -(1.0 - rng.random::<f64>()).ln() / weight;
        let mut order: Vec<(f64, u64)> = self.weights.iter().map(key).zip(0..).collect();
        order.sort_by(|one, other| one.0.total_cmp(&other.0));
        order.into_iter().take(count).map(|(_, rank)| rank).collect()
    }
}

/// A pause of the honeypot's shape with this mean, in milliseconds, and at least 20.
pub fn pause_ms(mean_ms: f64, rng: &mut ChaCha8Rng) -> i64 {
    // Box and Muller 1958: two uniform variates make a normal one.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
    let median_ms = mean_ms / (PAUSE_SIGMA * PAUSE_SIGMA / 2.0).exp();
    ((median_ms * (PAUSE_SIGMA * normal).exp()) as i64).max(20)
}

/// How many times in a row a name is tried.
pub fn times_in_a_row(rng: &mut ChaCha8Rng) -> u32 {
    match rng.random::<f64>() {
        roll if roll < 0.902 => 1,
        roll if roll < 0.967 => 2,
        roll if roll < 0.985 => 3,
        _ => rng.random_range(4..=10),
    }
}

/// A number between these two, its logarithm uniform: sizes and paces of attacks go over orders of magnitude.
pub fn log_uniform(from: f64, to: f64, rng: &mut ChaCha8Rng) -> f64 {
    from * (to / from).powf(rng.random())
}

/// A Poisson variate of a small mean (Knuth's multiplication).
pub fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> u32 {
    let limit = (-mean).exp();
    let (mut count, mut product) = (0, rng.random::<f64>());
    while product > limit {
        count += 1;
        product *= rng.random::<f64>();
    }
    count
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn popularity_and_pauses_have_the_honeypots_shape() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let names = Names::new();
        let mut counts = vec![0u32; NAMES];
        for _ in 0..40_000 {
            counts[names.pick(&mut rng) as usize] += 1;
        }
        counts.sort_unstable_by(|one, other| other.cmp(one));
        for (top, real) in [(1, 0.333), (10, 0.58), (100, 0.776), (500, 0.909)] {
            let share = f64::from(counts[..top].iter().sum::<u32>()) / 40_000.0;
            assert!((share - real).abs() < 0.05, "top {top}: {share} against {real}");
        }
        let mean_ms = 6_660.0 * (PAUSE_SIGMA * PAUSE_SIGMA / 2.0).exp();
        let mut pauses: Vec<i64> = (0..40_000).map(|_| pause_ms(mean_ms, &mut rng)).collect();
        pauses.sort_unstable();
        for (share, real) in [(0.1, 1.016), (0.5, 6.66), (0.9, 36.9), (0.99, 164.5)] {
            let pause = pauses[(40_000.0 * share) as usize] as f64 / 1_000.0;
            assert!((pause / real - 1.0).abs() < 0.2, "{share}: {pause} s against {real} s");
        }
    }
}
