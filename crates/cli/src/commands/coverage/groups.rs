//! What log groups of an account carry: so many of the events that were written to each lately are read back, and
//! surveyed as envelopes of a subscription are; and whether each is sent to a stack.
//!
//! One log group that cannot be read costs that one.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::json;
use tidewatch_alert::printable;
use tidewatch_aws::failure::Failure as AwsFailure;
use tidewatch_aws::log_groups::{Event, LogGroup, LogGroups, by_name};
use tidewatch_aws::stack::Stack;
use tidewatch_aws::subscriptions::{AccountPolicy, Subscriptions, Way};
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::signal::LogStream;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;
use tidewatch_ingest::{Batch, Buffers, Ingest, InputKind};

use super::{Shared, held};
use crate::args::CoverageArgs;
use crate::output::say;

/// Events of one envelope, and bytes of their messages, at most: far below what a line of envelopes may have.
const ENVELOPE_EVENTS_MAX: usize = 500;
const ENVELOPE_BYTES_MAX: usize = 1 << 20;

/// After how many log groups it is said how far it has come.
const SAID_EVERY: usize = 50;

/// Log groups that were looked at.
#[derive(Debug, Default)]
pub struct Account {
    /// The stack they may be sent to.
    pub stack: Option<String>,
    /// Each, by name.
    pub looked: Vec<Looked>,
}

/// A log group that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// Its name.
    pub name: String,
    /// How it is sent to the stack; `None` where there is no stack to ask about, or it is unknown why not.
    pub way: Option<Way>,
    /// Whether it is the stack's own.
    pub is_own: bool,
    /// Whether more was written than was read.
    pub is_cut: bool,
    /// What could not be asked about it, a sentence each.
    pub faults: Vec<String>,
}

/// Whom to ask.
pub struct Asking {
    log_groups: LogGroups,
    subscriptions: Option<Subscriptions>,
    policy: Result<Option<AccountPolicy>, AwsFailure>,
    groups: Vec<LogGroup>,
    since: Time,
    until: Time,
}

/// Finds the stack and the log groups.
///
/// # Errors
/// If there are none, or they cannot be asked for.
pub async fn begin(args: &CoverageArgs, since: Time) -> Result<Asking> {
    let config = client::from_environment().await?;
    let pace = TokioPace::start()?;
    let until = pace.now();
    let subscriptions = match &args.stack {
        None => None,
        Some(name) => {
            let stack = Stack::describe(&config, name, &pace).await?;
            Some(Subscriptions::new(&config, &stack, "", pace.clone())?)
        }
    };
    let policy = match &subscriptions {
        None => Ok(None),
        Some(ours) => ours.policy().await,
    };
    let log_groups = LogGroups::new(&config, pace);
    let all = ["*".to_owned()];
    let globs = if args.group.is_empty() { &all[..] } else { &args.group };
    let found = log_groups.fitting(globs).await?;
    if let Some((glob, _)) = found.iter().find(|(_, groups)| groups.is_empty()) {
        bail!("no log group fits {glob} in this account and Region");
    }
    let groups = by_name(found).into_values().collect();
    Ok(Asking { log_groups, subscriptions, policy, groups, since, until })
}

impl Asking {
    /// Looks at all log groups; what was found of each is in `account` and `shared` as soon as it is.
    pub async fn look(&self, ingest: &Ingest, shared: &Shared, account: &mut Account) {
        let total = self.groups.len();
        for (nth, group) in self.groups.iter().enumerate() {
            let (way, mut faults) = self.way(&group.name).await;
            let own = self.subscriptions.as_ref();
            let is_own = own.is_some_and(|ours| ours.is_own(&group.name));
            let mut is_cut = false;
            // What the stack says itself carries nothing of anybody's.
            if !is_own {
                match self.log_groups.lately(&group.name, self.since, self.until).await {
                    Ok(lately) => {
                        survey(group, &lately.events, ingest, &mut held(shared));
                        is_cut = lately.is_cut;
                    }
                    Err(failure) => faults.push(failure.to_string()),
                }
            }
            let name = group.name.clone();
            account.looked.push(Looked { name, way, is_own, is_cut, faults });
            if (nth + 1) % SAID_EVERY == 0 {
                say(format_args!("tidewatch: {} of {total} log groups", nth + 1));
            }
        }
    }

    /// How a log group is sent to the stack, and what is unknown about that.
    async fn way(&self, group: &str) -> (Option<Way>, Vec<String>) {
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

/// Takes events down as those of envelopes.
fn survey(group: &LogGroup, events: &[Event], ingest: &Ingest, batch: &mut Batch) {
    let source = Arc::new(LogStream { stream: group.name.clone(), ..LogStream::default() });
    let mut buffers = Buffers::default();
    for events in enveloped(events) {
        let stream = &events[0].stream;
        let all = events.iter().map(
            |event| json!({ "id": event.id, "timestamp": event.time.0, "message": event.message }),
        );
        let envelope = json!({
            "messageType": "DATA_MESSAGE", "owner": group.account, "logGroup": group.name, "logStream": stream,
            "subscriptionFilters": [], "logEvents": all.collect::<Vec<_>>(),
        })
        .to_string();
        let bytes = envelope.as_bytes();
        ingest.lines(InputKind::Envelopes, bytes, 0, &source, &mut buffers, batch);
    }
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
