//! What log groups of an account carry: so many of the events that were written to each lately are read back, and
//! surveyed as envelopes of a subscription are; and whether each is sent to a stack.
//!
//! One log group that cannot be read costs that one.

use std::sync::Arc;

use anyhow::Result;
use tidewatch_aws::log_groups::{Event, LogGroup};
use tidewatch_aws::subscriptions::Way;
use tidewatch_aws::{TokioPace, client};
use tidewatch_core::signal::LogStream;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;
use tidewatch_ingest::{Batch, Buffers, Ingest, InputKind};

use super::{Shared, held};
use crate::args::CoverageArgs;
use crate::log_groups::{Chosen, SAID_EVERY, envelopes};
use crate::output::say;

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

/// Whom to ask, and about what time.
pub struct Asking {
    chosen: Chosen,
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
    let all = ["*".to_owned()];
    let globs = if args.group.is_empty() { &all[..] } else { &args.group };
    let chosen = Chosen::find(&config, pace, args.stack.as_deref(), globs).await?;
    Ok(Asking { chosen, since, until })
}

impl Asking {
    /// Looks at all log groups; what was found of each is in `account` and `shared` as soon as it is.
    pub async fn look(&self, ingest: &Ingest, shared: &Shared, account: &mut Account) {
        let chosen = &self.chosen;
        let total = chosen.groups.len();
        for (nth, group) in chosen.groups.iter().enumerate() {
            let (way, mut faults) = chosen.way(&group.name).await;
            let is_own = chosen.is_own(&group.name);
            let mut is_cut = false;
            // What the stack says itself carries nothing of anybody's.
            if !is_own {
                match chosen.log_groups.lately(&group.name, self.since, self.until).await {
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
}

/// Takes events down as those of envelopes.
fn survey(group: &LogGroup, events: &[Event], ingest: &Ingest, batch: &mut Batch) {
    let source = Arc::new(LogStream { stream: group.name.clone(), ..LogStream::default() });
    let mut buffers = Buffers::default();
    for envelope in envelopes(group, events) {
        let bytes = envelope.as_bytes();
        ingest.lines(InputKind::Envelopes, bytes, 0, &source, &mut buffers, batch);
    }
}
