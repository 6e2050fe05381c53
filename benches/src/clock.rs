//! CPU time of the calling thread, for what is measured inside the bench itself.

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of this thread so far.
pub fn thread_cpu_s() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// CPU seconds that `work` takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = thread_cpu_s();
    let result = work();
    (thread_cpu_s() - begun, result)
}

/// The middle of some measurements, the upper one of two; 0 of none.
pub fn median(mut measured: Vec<f64>) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![9.0]), 9.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
