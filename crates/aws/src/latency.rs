//! How long requests to the table took: counted whole, and a sample of them for a distribution.
//!
//! The sample is every n-th request since the last look, n a power of two that doubles whenever the
//! sample is full: evenly spread over the time it stands for, of bounded size, and without chance.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Values of a sample; a metric in CloudWatch's embedded format takes as many
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
pub const SAMPLE_MAX: usize = 100;

/// What requests took since the last look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Of these, the ones that were refused because the table was too busy.
    pub throttled: u64,
    /// The milliseconds of all together.
    pub total_ms: f64,
    /// The milliseconds of some, in the order in which they ended, at most [`SAMPLE_MAX`].
    pub sample_ms: Vec<f64>,
}

/// Takes the time of requests, of many at once.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    latencies: Latencies,
    /// Every 2^this-th request is in the sample.
    stride_log2: u32,
}

impl Meter {
    /// Notes one request.
    pub(crate) fn note(&self, took: Duration) {
        let mut running = self.running();
        let Running { latencies, stride_log2 } = &mut *running;
        let ms = took.as_secs_f64() * 1_000.0;
        if latencies.requests.is_multiple_of(1 << *stride_log2) {
            if latencies.sample_ms.len() == SAMPLE_MAX {
                let mut index = 0;
                latencies.sample_ms.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                *stride_log2 += 1;
            }
            // The sample was of even length: what comes now is in the wider stride too.
            latencies.sample_ms.push(ms);
        }
        latencies.requests += 1;
        latencies.total_ms += ms;
    }

    /// Notes that one of the noted requests was refused.
    pub(crate) fn note_throttled(&self) {
        self.running().latencies.throttled += 1;
    }

    /// What was noted; begins anew.
    pub(crate) fn take(&self) -> Latencies {
        std::mem::take(&mut *self.running()).latencies
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_evenly_spread_and_bounded() {
        for requests in [0, 1, 99, 100, 101, 102, 199, 200, 201, 399, 400, 401, 100_000] {
            let meter = Meter::default();
            for n in 0..requests {
                meter.note(Duration::from_millis(n));
            }
            let found = meter.take();
            assert_eq!(found.requests, requests);
            assert_eq!(found.total_ms, (0..requests).sum::<u64>() as f64);
            let stride = (requests as usize).div_ceil(SAMPLE_MAX).next_power_of_two();
            let expected: Vec<f64> = (0..requests).step_by(stride).map(|n| n as f64).collect();
            assert_eq!(found.sample_ms, expected, "of {requests}");
            assert!(found.sample_ms.len() <= SAMPLE_MAX);
            assert_eq!(meter.take(), Latencies::default());
        }
    }
}
