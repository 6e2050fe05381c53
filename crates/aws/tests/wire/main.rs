//! What goes over the wire, to the byte, and what each answer means; one file a service.

mod lists;
mod log_groups;
mod overrides;
mod proving;
mod quarantine;
mod replay;
mod rotation;
mod secret;
mod subscriptions;
mod table;
mod tls;
mod topics;

use tidewatch_aws::TokioPace;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

/// A clock, and the time `seconds` from now on it.
fn until(seconds: i64) -> (TokioPace, Time) {
    let pace = TokioPace::start().expect("chance");
    let deadline = pace.now().plus(Span::seconds(seconds));
    (pace, deadline)
}
