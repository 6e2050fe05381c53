//! The log groups of the account that a command reads: which of them, how each is sent to a stack, and their events as
//! envelopes, so that lines that are read back are read as those of a subscription are.

use anyhow::{Result, bail};
use serde_json::json;
use tidewatch_alert::printable;
use tidewatch_aws::TokioPace;
use tidewatch_aws::client::SdkConfig;
use tidewatch_aws::failure::Failure;
use tidewatch_aws::log_groups::{Event, LogGroup, LogGroups, by_name};
use tidewatch_aws::stack::Stack;
use tidewatch_aws::subscriptions::{AccountPolicy, Subscriptions, Way};

use crate::output::say;

/// Events of one envelope, and bytes of their messages, at most: far below what a line of envelopes may have.
const ENVELOPE_EVENTS_MAX: usize = 500;
const ENVELOPE_BYTES_MAX: usize = 1 << 20;

/// After how many log groups it is said how far it has come.
pub const SAID_EVERY: usize = 50;

/// Log groups, and whom to ask about them.
pub struct Chosen {
    /// Each once, by name.
    pub groups: Vec<LogGroup>,
    /// Whom to ask what was written.
    pub log_groups: LogGroups,
    /// Those to the stack, where there is one to ask about.
    pub subscriptions: Option<Subscriptions>,
    /// What the account's policy says, as far as it is told.
    pub policy: Result<Option<AccountPolicy>, Failure>,
}

impl Chosen {
    /// The log groups that fit `globs`, and the subscriptions to `stack`.
    ///
    /// # Errors
    /// If there are none, or they cannot be asked for.
    pub async fn find(
        config: &SdkConfig,
        pace: TokioPace,
        stack: Option<&str>,
        globs: &[String],
    ) -> Result<Chosen> {
        let subscriptions = match stack {
            None => None,
            Some(name) => {
                let stack = Stack::describe(config, name, &pace).await?;
                Some(Subscriptions::new(config, &stack, "", pace.clone())?)
            }
        };
        let policy = match &subscriptions {
            None => Ok(None),
            Some(ours) => ours.policy().await,
        };
        let log_groups = LogGroups::new(config, pace);
        let found = log_groups.fitting(globs).await?;
        if let Some((glob, _)) = found.iter().find(|(_, groups)| groups.is_empty()) {
            bail!("no log group fits {glob} in this account and Region");
        }
        let groups = by_name(found).into_values().collect();
        Ok(Chosen { groups, log_groups, subscriptions, policy })
    }

    /// Whether `group` is written by the stack itself.
    pub fn is_own(&self, group: &str) -> bool {
        self.subscriptions.as_ref().is_some_and(|ours| ours.is_own(group))
    }

    /// How a log group is sent to the stack, and what is unknown about that.
    pub async fn way(&self, group: &str) -> (Option<Way>, Vec<String>) {
        let Some(ours) = &self.subscriptions else { return (None, Vec::new()) };
        let filters = match ours.filters(group).await {
            Ok(filters) => filters,
            Err(failure) => return (None, vec![failure.to_string()]),
        };
        match &self.policy {
            Ok(policy) => (Some(ours.way(group, &filters, policy.as_ref())), Vec::new()),
            Err(failure) => match ours.way(group, &filters, None) {
                Way::None => (None, vec![failure.to_string()]),
                way => (Some(way), Vec::new()),
            },
        }
    }
}

/// Events of a log group as envelopes, a line each.
pub fn envelopes<'e>(group: &'e LogGroup, events: &'e [Event]) -> impl Iterator<Item = String> {
    enveloped(events).map(|events| {
        let all = events.iter().map(
            |event| json!({ "id": event.id, "timestamp": event.time.0, "message": event.message }),
        );
        json!({
            "messageType": "DATA_MESSAGE", "owner": group.account, "logGroup": group.name,
            "logStream": events[0].stream, "subscriptionFilters": [], "logEvents": all.collect::<Vec<_>>(),
        })
        .to_string()
    })
}

/// Cuts events where the log stream changes, or an envelope is full.
fn enveloped(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    let (mut count, mut bytes) = (0, 0);
    events.chunk_by(move |one, next| {
        count += 1;
        bytes += one.message.len();
        let is_full = count >= ENVELOPE_EVENTS_MAX || bytes >= ENVELOPE_BYTES_MAX;
        let goes_on = one.stream == next.stream && !is_full;
        if !goes_on {
            (count, bytes) = (0, 0);
        }
        goes_on
    })
}

/// Says why nothing could be begun.
pub fn refused(error: &anyhow::Error) {
    say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
}

#[cfg(test)]
mod tests {
    use tidewatch_core::time::Time;

    use super::*;

    #[test]
    fn envelopes_are_of_one_log_stream_and_no_larger_than_they_may_be() {
        let event = |stream: &str, bytes: usize| Event {
            id: String::new(),
            stream: stream.to_owned(),
            time: Time(0),
            message: "x".repeat(bytes),
        };
        let check = |events: &[Event], expected: &[usize]| {
            assert_eq!(enveloped(events).map(<[Event]>::len).collect::<Vec<_>>(), expected);
        };
        check(&[], &[]);
        check(&[event("a", 1), event("a", 1), event("b", 1), event("a", 1)], &[2, 1, 1]);
        check(&vec![event("a", 1); ENVELOPE_EVENTS_MAX + 1], &[ENVELOPE_EVENTS_MAX, 1]);
        check(&vec![event("a", ENVELOPE_BYTES_MAX / 2); 3], &[2, 1]);
    }
}
