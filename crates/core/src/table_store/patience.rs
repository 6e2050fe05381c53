//! How long and how often anything outside is asked: one policy for every request, to the table and to
//! any other service, under the invocation's deadline.
//!
//! Waits grow from [`WAIT_MS_FIRST`] to [`WAIT_MS_MAX`] and are drawn between nothing and that, so that
//! those who were refused together do not come back together ("full jitter",
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). What the deadline cuts
//! off is given back to whoever delivered it, and never tried for ever.

use crate::store::StoreError;
use crate::table_store::table::{Pace, TableError};
use crate::time::{Span, Time};

/// The first wait is at most this.
pub const WAIT_MS_FIRST: i64 = 20;

/// No wait is longer than this.
pub const WAIT_MS_MAX: i64 = 2_000;

/// The deadline comes before another try would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} (tried {tries} times until the deadline)")]
pub struct OutOfTime {
    /// Why there is need of another try.
    pub why: String,
    /// How often it was tried.
    pub tries: u32,
}

/// What the deadline cuts off from the store is worth another batch.
impl From<OutOfTime> for StoreError {
    fn from(cut: OutOfTime) -> StoreError {
        StoreError::Retryable(cut.to_string())
    }
}

/// One request's patience.
#[derive(Debug)]
pub struct Patience<'a, P> {
    pace: &'a P,
    deadline: Time,
    tries: u32,
}

impl<'a, P: Pace> Patience<'a, P> {
    /// Patience until `deadline`, on the clock of `pace`.
    pub fn new(pace: &'a P, deadline: Time) -> Patience<'a, P> {
        Patience { pace, deadline, tries: 0 }
    }

    /// The time by which a batch's last key must have its turn: half of what is left is for telling
    /// what the keys say, or a table that is too slow for all of them would leave no finding any.
    pub fn turns_end(&self) -> Time {
        let now = self.pace.now();
        let left = self.deadline.0.saturating_sub(now.0).max(0);
        now.plus(Span(left - left / 2))
    }

    /// Says whether there is time to begin.
    ///
    /// # Errors
    /// If the deadline has passed.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.begin_before(self.deadline)
    }

    /// The same, with an earlier deadline.
    ///
    /// # Errors
    /// If it has passed.
    pub fn begin_before(&self, end: Time) -> Result<(), StoreError> {
        if self.pace.now() < end {
            return Ok(());
        }
        Err(StoreError::Retryable("the table is too slow for all of it until the deadline".into()))
    }

    /// Waits before another try, if `error` lets one hope and there is time.
    ///
    /// # Errors
    /// If another try would not help, or would come too late.
    pub async fn after(&mut self, error: TableError) -> Result<(), StoreError> {
        match error {
            TableError::Throttled(_) | TableError::Unanswered(_) => Ok(self.pause(error).await?),
            TableError::Unusable(_) => Err(StoreError::Unusable(error.to_string())),
            TableError::TooLarge(_) | TableError::Fatal(_) => {
                Err(StoreError::Fatal(error.to_string()))
            }
        }
    }

    /// Waits before another try after somebody else was faster; the first time not at all.
    ///
    /// # Errors
    /// If it would come too late.
    pub async fn after_refusal(&mut self) -> Result<(), StoreError> {
        if self.tries == 0 && self.pace.now() < self.deadline {
            self.tries = 1;
            return Ok(());
        }
        Ok(self.pause("others keep changing the item").await?)
    }

    /// Waits before another try; `why` says what was wrong with the last one.
    ///
    /// # Errors
    /// If it would come too late.
    pub async fn pause(&mut self, why: impl std::fmt::Display) -> Result<(), OutOfTime> {
        let most = (WAIT_MS_FIRST << self.tries.min(10)).min(WAIT_MS_MAX);
        self.tries += 1;
        let wait = Span((self.pace.chance() * most as f64) as i64 + 1);
        if self.pace.now().plus(wait) >= self.deadline {
            return Err(OutOfTime { why: why.to_string(), tries: self.tries });
        }
        self.pace.wait(wait).await;
        Ok(())
    }
}
