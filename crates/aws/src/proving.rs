//! What it takes to prove that a log line becomes a message: log groups and log streams to write to, and a
//! queue that hears the alert topic. All of it is taken away again.
//!
//! Invariants: whatever is made is noted before it is asked for, so that it is removed although the answer is
//! lost or nobody waits for it any more; nothing is ever removed that was not made here; nobody but the alert
//! topic may put anything into the queue.

use std::cell::Cell;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::stack::{PATIENCE, Stack, StackError};
use crate::subscriptions::Subscriptions;

/// How the names of log groups begin that are made for a proof.
pub const GROUPS: &str = "/tidewatch/prove/";

/// How the names of queues begin that are made for a proof.
pub const QUEUES: &str = "tidewatch-prove-";

/// How long a request waits for a message at most: SQS allows 20 seconds, and a request must end before its own
/// limit ([`client::OPERATOR_TIMEOUT`]).
const LISTENED: Span = Span::seconds(10);

/// How long a message stays hidden that was received: longer than any proof, so that none is received twice.
const HIDDEN_SECONDS: &str = "43200";

/// How long what nobody receives is kept, should the queue outlive the proof.
const KEPT_SECONDS: &str = "3600";

/// Something that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    LogGroup(String),
    Filter(String),
    LogStream { group: String, stream: String },
    Queue { name: String },
    Subscription { queue_arn: String },
}

/// As a person looks for it.
impl std::fmt::Display for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Made::LogGroup(name) => write!(f, "log group `{name}`"),
            Made::Filter(group) => write!(f, "the subscription filter of log group `{group}`"),
            Made::LogStream { group, stream } => {
                write!(f, "log stream `{stream}` of log group `{group}`")
            }
            Made::Queue { name } => write!(f, "queue `{name}`"),
            Made::Subscription { queue_arn } => {
                write!(f, "the subscription of queue `{queue_arn}` to the alert topic")
            }
        }
    }
}

/// A message of the alert topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it was received.
    pub at: Time,
    /// The document.
    pub body: String,
    /// Whether its attribute says that it is about a rehearsal.
    pub is_marked: bool,
}

/// Something that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// Makes what a proof needs, and removes it.
#[derive(Debug)]
pub struct Prover {
    logs: aws_sdk_cloudwatchlogs::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    pace: TokioPace,
    topic: String,
    subscriptions: Subscriptions,
    queue_url: Option<String>,
    made: Vec<Made>,
}

impl Prover {
    /// For `stack`. Sends nothing yet.
    ///
    /// # Errors
    /// If the stack is none of ours.
    pub fn new(config: &SdkConfig, stack: &Stack, pace: TokioPace) -> Result<Prover, StackError> {
        Ok(Prover {
            logs: client::logs(config),
            sns: client::sns(config),
            sqs: client::sqs(config),
            topic: stack.output("AlertTopicArn")?.to_owned(),
            subscriptions: Subscriptions::new(config, stack, "", pace.clone())?,
            pace,
            queue_url: None,
            made: Vec::new(),
        })
    }

    /// The log groups of the stack.
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Makes a queue of [`QUEUES`] and `id`, and subscribes it to the alert topic.
    ///
    /// # Errors
    /// If it cannot be made, or not be subscribed.
    pub async fn listen(&mut self, id: &str) -> Result<(), Failure> {
        let name = format!("{QUEUES}{id}");
        let queue_arn = self.queue_arn(&name);
        self.made.push(Made::Queue { name: name.clone() });
        self.queue_url = Some(self.make_queue(&name, &queue_arn).await?);
        self.made.push(Made::Subscription { queue_arn: queue_arn.clone() });
        self.subscribe(&queue_arn).await.map(drop)
    }

    /// A queue of the topic's account and Region.
    fn queue_arn(&self, name: &str) -> String {
        let place: Vec<&str> = self.topic.split(':').collect();
        let part = |nth: usize| place.get(nth).copied().unwrap_or_default();
        format!("arn:{}:sqs:{}:{}:{name}", part(1), part(3), part(4))
    }

    async fn make_queue(&self, name: &str, arn: &str) -> Result<String, Failure> {
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": self.topic } },
        }] })
        .to_string();
        let asked = Asked { service: Service::Sqs, operation: "CreateQueue", resource: name };
        let ask = || async {
            let request = self.sqs.create_queue().queue_name(name);
            let request = request.attributes(QueueAttributeName::Policy, &policy);
            let request = request.attributes(QueueAttributeName::VisibilityTimeout, HIDDEN_SECONDS);
            let request =
                request.attributes(QueueAttributeName::MessageRetentionPeriod, KEPT_SECONDS);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        answer.queue_url.ok_or_else(|| asked.incomplete("URL"))
    }

    /// Subscribes a queue; where it is subscribed already, SNS only says by what.
    async fn subscribe(&self, queue_arn: &str) -> Result<String, Failure> {
        let asked = Asked { service: Service::Sns, operation: "Subscribe", resource: &self.topic };
        let ask = || async {
            let request = self.sns.subscribe().topic_arn(&self.topic).protocol("sqs");
            let request = request.endpoint(queue_arn).return_subscription_arn(true);
            let request = request.attributes("RawMessageDelivery", "true");
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        answer.subscription_arn.ok_or_else(|| asked.incomplete("subscription"))
    }

    /// Makes the log group `name`, and its subscription filter where `filtered`: not where the account's policy
    /// sends it.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn make_group(&mut self, name: &str, filtered: bool) -> Result<(), Failure> {
        self.made.push(Made::LogGroup(name.to_owned()));
        let asked = self.asked("CreateLogGroup", name);
        let ask = || async {
            let request = self.logs.create_log_group().log_group_name(name);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await?;
        if filtered {
            self.made.push(Made::Filter(name.to_owned()));
            self.subscriptions.put(name).await?;
        }
        Ok(())
    }

    /// Makes a log stream.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn make_stream(&mut self, group: &str, stream: &str) -> Result<(), Failure> {
        let (noted, named) = (group.to_owned(), stream.to_owned());
        self.made.push(Made::LogStream { group: noted, stream: named });
        let asked = self.asked("CreateLogStream", group);
        let ask = || async {
            let request = self.logs.create_log_stream();
            let request = request.log_group_name(group).log_stream_name(stream);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    /// Writes lines, all at one time; which, on the clock of this machine.
    ///
    /// # Errors
    /// If CloudWatch Logs does not take all of them.
    pub async fn write(
        &self,
        group: &str,
        stream: &str,
        lines: &[String],
    ) -> Result<Time, Failure> {
        let asked = self.asked("PutLogEvents", group);
        let at = Cell::new(self.pace.now());
        let ask = || async {
            at.set(self.pace.now());
            let mut request = self.logs.put_log_events();
            request = request.log_group_name(group).log_stream_name(stream);
            for line in lines {
                let event = InputLogEvent::builder().timestamp(at.get().0).message(line).build();
                let event = event.map_err(|why| Failure::Refused(format!("{asked}: {why}")))?;
                request = request.log_events(event);
            }
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        match answer.rejected_log_events_info() {
            None => Ok(at.get()),
            Some(_) => Err(Failure::Refused(format!(
                "{asked}: CloudWatch Logs did not take the events for their time: set this machine's clock"
            ))),
        }
    }

    /// What has come to the queue; waits for something until `deadline`, and for some seconds at most.
    ///
    /// # Errors
    /// If there is no queue, or it does not answer.
    pub async fn heard(&self, deadline: Time) -> Result<Vec<Heard>, Failure> {
        let url = self.queue_url.as_deref().unwrap_or_default();
        let asked = Asked { service: Service::Sqs, operation: "ReceiveMessage", resource: url };
        let left = Span(deadline.0.saturating_sub(self.pace.now().0)).min(LISTENED);
        let seconds = i32::try_from(left.0.max(0) / 1_000).unwrap_or(0);
        let ask = || async {
            let request = self.sqs.receive_message().queue_url(url).max_number_of_messages(10);
            let request = request.message_attribute_names("All").wait_time_seconds(seconds);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let at = self.pace.now();
        let heard = answer.messages().iter().map(|message| {
            let mark = message.message_attributes().and_then(|all| all.get("simulated"));
            let is_marked = mark.and_then(|mark| mark.string_value()) == Some("true");
            Heard { at, body: message.body().unwrap_or_default().to_owned(), is_marked }
        });
        Ok(heard.collect())
    }

    /// Removes all that was made, the last first; what is still there then, and why.
    pub async fn remove(&mut self) -> Vec<Left> {
        let mut left = Vec::new();
        while let Some(made) = self.made.last().cloned() {
            if let Err(failure) = self.unmake(&made).await {
                // What is not there is as good as removed.
                if !matches!(failure, Failure::Missing(_)) {
                    left.push(Left { what: made.to_string(), why: failure.to_string() });
                }
            }
            self.made.pop();
        }
        left
    }

    /// What was made and not removed yet.
    pub fn standing(&self) -> Vec<String> {
        self.made.iter().rev().map(Made::to_string).collect()
    }

    async fn unmake(&self, made: &Made) -> Result<(), Failure> {
        match made {
            Made::LogGroup(name) => {
                let asked = self.asked("DeleteLogGroup", name);
                let ask = || async {
                    let request = self.logs.delete_log_group().log_group_name(name);
                    request.send().await.map_err(|error| asked.failed(&error))
                };
                self.insist(asked, ask).await.map(drop)
            }
            Made::Filter(group) => self.subscriptions.delete(group).await,
            Made::LogStream { group, stream } => {
                let asked = self.asked("DeleteLogStream", group);
                let ask = || async {
                    let request = self.logs.delete_log_stream();
                    let request = request.log_group_name(group).log_stream_name(stream);
                    request.send().await.map_err(|error| asked.failed(&error))
                };
                self.insist(asked, ask).await.map(drop)
            }
            Made::Queue { name } => self.delete_queue(name).await,
            Made::Subscription { queue_arn } => self.unsubscribe(queue_arn).await,
        }
    }

    async fn delete_queue(&self, name: &str) -> Result<(), Failure> {
        let asked = Asked { service: Service::Sqs, operation: "DeleteQueue", resource: name };
        let url = match &self.queue_url {
            Some(url) => url.clone(),
            // Nobody waited for its URL. To make it again with what it has tells it, and harms nothing.
            None => self.make_queue(name, &self.queue_arn(name)).await?,
        };
        let ask = || async {
            let request = self.sqs.delete_queue().queue_url(&url);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    async fn unsubscribe(&self, queue_arn: &str) -> Result<(), Failure> {
        let arn = self.subscribe(queue_arn).await?;
        let asked = Asked { service: Service::Sns, operation: "Unsubscribe", resource: &arn };
        let ask = || async {
            let request = self.sns.unsubscribe().subscription_arn(&arn);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    fn asked<'a>(&self, operation: &'static str, group: &'a str) -> Asked<'a> {
        Asked { service: Service::Logs, operation, resource: group }
    }

    async fn insist<T, F>(&self, asked: Asked<'_>, ask: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        insist(asked, &self.pace, self.pace.now().plus(PATIENCE), ask).await.answer
    }
}
