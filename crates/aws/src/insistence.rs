//! Asking until there is an answer or the deadline comes: what every request goes through that is not
//! the table's, whose store has the same patience.

use std::future::Future;
use std::time::Duration;

use tidewatch_core::table_store::patience::Patience;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::pace::TokioPace;

/// An answer, and how often it was asked for again.
#[derive(Debug)]
pub(crate) struct Insisted<T> {
    /// The last answer.
    pub answer: Result<T, Failure>,
    /// Tries after the first.
    pub retried: u32,
}

/// Asks, and asks again after what may pass, until `deadline` on the clock of `pace`; what is under way
/// then is given up, so that it does not outlive an invocation.
pub(crate) async fn insist<T, F>(
    asked: Asked<'_>,
    pace: &TokioPace,
    deadline: Time,
    mut ask: impl FnMut() -> F,
) -> Insisted<T>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut patience = Patience::new(pace, deadline);
    let mut retried = 0;
    loop {
        let answer = once(asked, pace, deadline, ask()).await;
        let failure = match answer {
            Err(failure) if failure.is_passing() => failure,
            answer => return Insisted { answer, retried },
        };
        if let Err(cut) = patience.pause(&failure).await {
            return Insisted { answer: Err(failure.says(cut.to_string())), retried };
        }
        retried += 1;
    }
}

/// Asks once, until `deadline`.
pub(crate) async fn once<T>(
    asked: Asked<'_>,
    pace: &TokioPace,
    deadline: Time,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let left = u64::try_from(deadline.0.saturating_sub(pace.now().0)).unwrap_or(0);
    if left == 0 {
        return Err(Failure::Unanswered(format!("{asked}: not sent, no time is left for it")));
    }
    match tokio::time::timeout(Duration::from_millis(left), answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::Unanswered(format!("{asked}: no answer until the deadline"))),
    }
}
