//! How attackers pace themselves and repeat names: figures fitted to a public honeypot.
//!
//! Source: samdavi/SSH-Honeypot-Dataset (T-Pot, 15 to 30 November 2025): 39,263 dated names, without addresses,
//! so its pauses are those of all attackers together and a single one's are, if anything, longer.
//!
//! | what | honeypot | here |
//! |---|---|---|
//! | pauses: 10 %, median, 90 %, 99 % | 1.0 s, 6.7 s, 36.9 s, 164 s | log-normal, median 6.7 s, sigma 1.4: 1.1 s, 6.7 s, 40 s, 174 s |
//! | pauses in bursts (20 tries or more, none over 10 s apart): 10 %, median, 75 %, 90 %, 99 % | 1.01, 1.05, 1.11, 3.5, 6.1 s | 1.01, 1.06, 1.11, 4.1, 6.0 s |
//! | a name is tried once, twice, three times, oftener in a row | 90.2, 6.5, 1.8, 1.5 % | the same |
//! | share of the first name, ten, a hundred | 33, 58, 78 % | [`super::super::names`] |
//!
//! No detector's threshold went into any of these: what an attacker's pace makes of a window is for the
//! detector to see.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The pause in which half of the honeypot's tries come.
const GAP_MEDIAN_MS: f64 = 6_660.0;

/// The deviation of a pause's logarithm.
const GAP_SIGMA: f64 = 1.4;

/// The pause before an attacker's next try. Its mean is 17.7 s.
pub(super) fn gap_ms(rng: &mut ChaCha8Rng) -> i64 {
    // Box and Muller 1958: two uniform variates make a normal one.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
    (GAP_MEDIAN_MS * (GAP_SIGMA * normal).exp()) as i64
}

/// The pause inside a burst, of a tool that paces itself at one try a second and is kept waiting at times.
pub(super) fn burst_gap_ms(rng: &mut ChaCha8Rng) -> i64 {
    match rng.random_bool(0.78) {
        true => rng.random_range(1_000..1_115),
        false => rng.random_range(1_115..6_200),
    }
}

/// How many times in a row a name is tried.
pub(super) fn times_in_a_row(rng: &mut ChaCha8Rng) -> u32 {
    match rng.random::<f64>() {
        roll if roll < 0.902 => 1,
        roll if roll < 0.967 => 2,
        roll if roll < 0.985 => 3,
        _ => rng.random_range(4..=10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{Strand, strand};

    /// The `shares` of `draws` sorted draws, in seconds.
    fn quantiles(draw: fn(&mut ChaCha8Rng) -> i64, shares: &[f64]) -> Vec<f64> {
        let mut rng = strand(1, Strand::Visits, 0);
        let mut drawn: Vec<i64> = (0..20_000).map(|_| draw(&mut rng)).collect();
        drawn.sort_unstable();
        shares.iter().map(|share| drawn[(20_000.0 * share) as usize] as f64 / 1_000.0).collect()
    }

    #[test]
    fn pauses_have_the_honeypots_quantiles() {
        let check = |found: Vec<f64>, real: &[f64]| {
            for (found, real) in found.iter().zip(real) {
                assert!((found / real - 1.0).abs() < 0.25, "{found} s against {real} s");
            }
        };
        check(quantiles(gap_ms, &[0.1, 0.5, 0.9, 0.99]), &[1.016, 6.66, 36.9, 164.5]);
        check(
            quantiles(burst_gap_ms, &[0.1, 0.5, 0.75, 0.9, 0.99]),
            &[1.01, 1.05, 1.11, 3.5, 6.07],
        );
    }

    #[test]
    fn nine_names_in_ten_are_tried_once() {
        let mut rng = strand(2, Strand::Visits, 0);
        let once = (0..20_000).filter(|_| times_in_a_row(&mut rng) == 1).count();
        assert!((0.89..0.915).contains(&(once as f64 / 20_000.0)), "{once} of 20,000");
    }
}
