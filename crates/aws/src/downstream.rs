//! Who reads on: the log groups that are written by whatever reads what a stack writes. To send one of them to the
//! stack would close a circle, in which each line makes the next one for ever. The stack's own log groups are the
//! shortest such circle; two stacks that read each other's logs are another.
//!
//! From log groups the way goes along subscription filters and the account's policy to streams and functions, from
//! streams to the functions that read them, and from functions to the log groups they write. What reads a stream
//! without Lambda cannot be seen.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use tidewatch_core::table_store::table::Pace;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::stack::PATIENCE;
use crate::subscriptions::{AccountPolicy, Subscriptions};

/// How many log groups are followed at most; so many in a row mean that no end is in sight.
const LOG_GROUPS_MAX: usize = 100;

/// Follows what a stack writes.
#[derive(Debug)]
pub struct Downstream<'a> {
    ours: &'a Subscriptions,
    lambda: aws_sdk_lambda::Client,
    pace: TokioPace,
}

impl Downstream<'_> {
    /// Of the stack of `ours`. Sends nothing yet.
    pub fn new<'a>(config: &SdkConfig, ours: &'a Subscriptions, pace: TokioPace) -> Downstream<'a> {
        Downstream { ours, lambda: client::lambda(config), pace }
    }

    /// The log groups, others than the stack's own, that would close a circle, while the account has `policy`.
    ///
    /// # Errors
    /// If somebody does not tell: then any log group might.
    pub async fn log_groups(
        &self,
        policy: Option<&AccountPolicy>,
    ) -> Result<BTreeSet<String>, Failure> {
        let mut waiting: Vec<String> = self.ours.own().to_vec();
        let mut reached: BTreeSet<String> = waiting.iter().cloned().collect();
        let mut asked = BTreeSet::new();
        while let Some(group) = waiting.pop() {
            for destination in self.destinations(&group, policy).await? {
                // What the stack's own stream gets is read by the stack.
                let is_ours = destination == self.ours.wanted().destination;
                if is_ours || !asked.insert(destination.clone()) {
                    continue;
                }
                for function in self.readers(&destination).await? {
                    let written = self.written_by(&function).await?;
                    if reached.len() < LOG_GROUPS_MAX && reached.insert(written.clone()) {
                        waiting.push(written);
                    }
                }
            }
        }
        reached.retain(|group| !self.ours.is_own(group));
        Ok(reached)
    }

    /// Where a log group is sent, as ARNs.
    async fn destinations(
        &self,
        group: &str,
        policy: Option<&AccountPolicy>,
    ) -> Result<Vec<String>, Failure> {
        let filters = match self.ours.filters(group).await {
            Ok(filters) => filters,
            // A log group that nobody has written to yet.
            Err(Failure::Missing(_)) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let by_policy = policy.filter(|policy| !policy.leaves_out(group));
        let by_policy = by_policy.and_then(|policy| policy.document["DestinationArn"].as_str());
        let all = filters.into_iter().map(|filter| filter.destination);
        Ok(all.chain(by_policy.map(str::to_owned)).collect())
    }

    /// The functions that read what is sent to `destination`.
    async fn readers(&self, destination: &str) -> Result<Vec<String>, Failure> {
        match destination.split(':').nth(2) {
            Some("lambda") => return Ok(vec![destination.to_owned()]),
            Some("kinesis") => {}
            // A delivery stream, or another account's: what it is read by is not for us to see.
            _ => return Ok(Vec::new()),
        }
        let asked = Asked {
            service: Service::Lambda,
            operation: "ListEventSourceMappings",
            resource: destination,
        };
        let ask = || async {
            let request = self.lambda.list_event_source_mappings().event_source_arn(destination);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let functions = answer.event_source_mappings().iter();
        Ok(functions.filter_map(|mapping| mapping.function_arn().map(str::to_owned)).collect())
    }

    /// The log group that a function writes.
    async fn written_by(&self, function: &str) -> Result<String, Failure> {
        let asked =
            Asked { service: Service::Lambda, operation: "GetFunction", resource: function };
        let ask = || async {
            let request = self.lambda.get_function().function_name(function);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let about = answer.configuration();
        let set = about.and_then(|about| about.logging_config()).and_then(|logs| logs.log_group());
        let name = about.and_then(|about| about.function_name()).unwrap_or(function);
        Ok(set.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned))
    }

    async fn insist<T, F>(&self, asked: Asked<'_>, ask: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        insist(asked, &self.pace, self.pace.now().plus(PATIENCE), ask).await.answer
    }
}
