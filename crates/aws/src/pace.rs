//! The clock and the chance of a running program.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};
use tokio::time::Instant;

/// Tokio's time: a monotonic clock, set by the wall clock once, so that a step of the wall clock moves
/// no deadline.
///
/// A Lambda environment is frozen between invocations, and nothing promises that a monotonic clock
/// runs on meanwhile: call [`TokioPace::anchor`] as each invocation begins. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct TokioPace(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    begun: Instant,
    /// The wall clock's milliseconds when the monotonic clock stood at `begun`.
    origin_ms: AtomicI64,
    chance: AtomicU64,
}

/// The system has no source of chance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers ({0}): is there a /dev/urandom?")]
pub struct NoChance(String);

impl TokioPace {
    /// A clock set by the wall clock now, and a fresh seed of chance.
    ///
    /// # Errors
    /// If the system gives no random numbers. Writers that all wait alike would collide for ever, so
    /// there is no seed to fall back on.
    pub fn start() -> Result<TokioPace, NoChance> {
        let seed = getrandom::u64().map_err(|error| NoChance(error.to_string()))?;
        let pace = TokioPace(Arc::new(Clock {
            begun: Instant::now(),
            origin_ms: AtomicI64::new(0),
            chance: AtomicU64::new(seed),
        }));
        pace.anchor();
        Ok(pace)
    }

    /// Sets the clock by the wall clock again.
    pub fn anchor(&self) {
        self.0.origin_ms.store(wall_ms() - self.elapsed_ms(), Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> i64 {
        whole_ms(self.0.begun.elapsed())
    }
}

impl Pace for TokioPace {
    fn now(&self) -> Time {
        Time(self.0.origin_ms.load(Ordering::Relaxed).saturating_add(self.elapsed_ms()))
    }

    async fn wait(&self, span: Span) {
        let milliseconds = u64::try_from(span.0).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a
    /// counter and a mixing function, so threads share it without a lock. For jitter only.
    fn chance(&self) -> f64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.chance.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The 53 upper bits fill a mantissa exactly, so the result stays below 1.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The wall clock; one that stands before 1970 reads as 1970.
fn wall_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, whole_ms)
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_moves_the_clock_by_as_much() {
        let pace = TokioPace::start().unwrap();
        let before = pace.now();
        assert!(before.0 >= wall_ms() - 60_000, "set by the wall clock");
        for span in [Span(250), Span(0), Span(-5), Span::minutes(3)] {
            let begun = pace.now();
            pace.wait(span).await;
            assert_eq!(pace.now(), begun.plus(Span(span.0.max(0))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn anchoring_sets_the_clock_by_the_wall_clock_again() {
        let pace = TokioPace::start().unwrap();
        // Virtual time runs ahead of the wall clock by an hour; a frozen clock would lag behind it.
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let ahead = pace.now();
        pace.anchor();
        let back = ahead.0 - pace.now().0;
        assert!((3_500_000..=3_600_000).contains(&back), "{back} ms");
    }

    #[test]
    fn chance_is_spread_over_its_range_and_differs_between_two() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let (a, b) = (TokioPace::start().unwrap(), TokioPace::start().unwrap());
        let drawn: Vec<f64> = (0..10_000).map(|_| a.chance()).collect();
        assert!(drawn.iter().all(|chance| (0.0..1.0).contains(chance)));
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let hits = drawn.iter().filter(|chance| (low..low + 0.1).contains(*chance)).count();
            // Expected 1,000 with a deviation of 30: ten deviations off does not happen.
            assert!((700..1_300).contains(&hits), "{hits} of 10,000 from {low}");
        }
        let other: Vec<f64> = (0..10).map(|_| b.chance()).collect();
        assert_ne!(drawn[..10], other[..]);
    }
}
