//! Where findings leave: one topic for machines, one for people.
//!
//! The alert topic gets the OCSF document, the notice topic readable text with a subject, both with the
//! same message attributes. They are two topics because one message cannot be both: a body for each
//! protocol (`MessageStructure` = `json`) goes without attributes
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>).
//!
//! Invariant: a finding counts as published once its alert has left, whatever becomes of its notice. A
//! notice is told apart and late, never at the expense of an alert: what does not leave at once waits
//! until [`SnsSink::finish`].

use std::collections::VecDeque;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use tidewatch_alert::{Attribute, Context, attributes, notice, ocsf};
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::{insist, once};
use crate::pace::TokioPace;

/// What is left of an invocation when the last try to publish ends: time to confirm it in the latch.
pub const CONFIRM_MARGIN: Span = Span(500);

/// How long a batch's waiting notices are tried for, all together, once its findings have left. The answer
/// waits for them, and with it the rest of the shard, so this is as long as one request may take and no
/// longer.
pub const NOTICES_TIME_MAX: Span = Span::seconds(3);

/// Notices that wait for a better moment; one more is given up.
pub const NOTICES_WAITING_MAX: usize = 100;

/// The two topics; made once, used by every batch.
#[derive(Clone, Debug)]
pub struct Topics {
    client: Client,
    alert: String,
    notice: Option<String>,
    context: Context,
}

/// A sink for one batch.
#[derive(Debug)]
pub struct SnsSink<'a> {
    topics: &'a Topics,
    pace: &'a TokioPace,
    deadline: Time,
    told: Told,
    waiting: VecDeque<Message>,
}

/// What a sink did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Alerts that left.
    pub published: u64,
    /// Alerts that did not; their batch comes again.
    pub failed: u64,
    /// Tries after the first, of alerts and of notices.
    pub retried: u64,
    /// Of the alerts that left, those that opened a finding, by severity: the first is informational,
    /// the last critical.
    pub opened: [u64; 5],
    /// For each alert that left and does not close a finding, the milliseconds from the time of the
    /// latest event behind it until it had left; never below 0, also where the event's clock is ahead.
    /// A closing one is sent because nothing happened for a while, and would say nothing of speed.
    pub event_to_publish_ms: Vec<i64>,
    /// Notices that left.
    pub noticed: u64,
    /// Notices that did not, and will not: the alerts they belong to have left.
    pub notices_failed: u64,
    /// Why the first of these did not, and what to do.
    pub notice_fault: Option<String>,
}

/// A message for one of the topics.
#[derive(Clone, Debug)]
struct Message {
    subject: Option<String>,
    body: String,
    attributes: Vec<Attribute>,
}

impl Topics {
    /// Publishes alerts to the topic `alert` and, where there is one, notices to `notice`, both ARNs.
    /// Sends nothing yet.
    pub fn new(
        config: &SdkConfig,
        alert: String,
        notice: Option<String>,
        context: Context,
    ) -> Topics {
        Topics { client: client::sns(config), alert, notice, context }
    }

    /// A sink until `deadline`, on the clock of `pace`: the last moment of the batch, of which it leaves
    /// the caller [`CONFIRM_MARGIN`].
    pub fn sink<'a>(&'a self, pace: &'a TokioPace, deadline: Time) -> SnsSink<'a> {
        let deadline = deadline.minus(CONFIRM_MARGIN);
        SnsSink { topics: self, pace, deadline, told: Told::default(), waiting: VecDeque::new() }
    }

    async fn send(&self, topic: &str, message: &Message) -> Result<(), Failure> {
        let asked = publishing(topic);
        let mut request = self
            .client
            .publish()
            .topic_arn(topic)
            .set_subject(message.subject.clone())
            .message(&message.body);
        for Attribute { name, value, is_number } in &message.attributes {
            let kind = if *is_number { "Number" } else { "String" };
            let value =
                MessageAttributeValue::builder().data_type(kind).string_value(value).build();
            let value = value.map_err(|defect| Failure::Refused(format!("{asked}: {defect}")))?;
            request = request.message_attributes(*name, value);
        }
        request.send().await.map_err(|error| asked.failed(&error))?;
        Ok(())
    }
}

fn publishing(topic: &str) -> Asked<'_> {
    Asked { service: Service::Sns, operation: "Publish", resource: topic }
}

impl SnsSink<'_> {
    /// What it did so far.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// Tries the notices that still wait, for [`NOTICES_TIME_MAX`] and no longer than until the deadline.
    /// What is not sent then is given up and counted: call this when a batch's findings have been
    /// published.
    pub async fn finish(&mut self) {
        let Some(topic) = self.topics.notice.as_deref() else { return };
        let deadline = self.deadline.min(self.pace.now().plus(NOTICES_TIME_MAX));
        while let Some(message) = self.waiting.pop_front() {
            let ask = || self.topics.send(topic, &message);
            let insisted = insist(publishing(topic), self.pace, deadline, ask).await;
            self.told.retried += 1 + u64::from(insisted.retried);
            match insisted.answer {
                Ok(()) => self.told.noticed += 1,
                Err(failure) => self.give_up(&failure),
            }
        }
    }

    /// Sends a notice, once; if that fails for a reason that may pass, it waits. While one waits, so do
    /// all after it: a topic that does not answer costs one timeout, not one for each finding.
    async fn tell(&mut self, topic: &str, message: Message) {
        if self.waiting.is_empty() {
            let send = self.topics.send(topic, &message);
            match once(publishing(topic), self.pace, self.deadline, send).await {
                Ok(()) => {
                    self.told.noticed += 1;
                    return;
                }
                Err(failure) if !failure.is_passing() => return self.give_up(&failure),
                Err(_) => {}
            }
        }
        if self.waiting.len() < NOTICES_WAITING_MAX {
            self.waiting.push_back(message);
        } else {
            let full = format!("{}: {NOTICES_WAITING_MAX} others wait already", publishing(topic));
            self.give_up(&Failure::Unanswered(full));
        }
    }

    fn give_up(&mut self, failure: &Failure) {
        self.told.notices_failed += 1;
        self.told.notice_fault.get_or_insert_with(|| failure.to_string());
    }

    fn count(&mut self, finding: &Finding) {
        self.told.published += 1;
        if finding.activity == Activity::Create {
            self.told.opened[finding.severity as usize - 1] += 1;
        }
        if finding.activity != Activity::Close {
            let took = self.pace.now().0.saturating_sub(finding.last.0);
            self.told.event_to_publish_ms.push(took.max(0));
        }
    }
}

impl AlertSink for SnsSink<'_> {
    /// Publishes the alert, trying again what may pass until the deadline; then the notice, once.
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        let topics = self.topics;
        let attributes = attributes(finding, &topics.context);
        let body = ocsf(finding, &topics.context).to_string();
        let alert = Message { subject: None, body, attributes };
        let ask = || topics.send(&topics.alert, &alert);
        let insisted = insist(publishing(&topics.alert), self.pace, self.deadline, ask).await;
        self.told.retried += u64::from(insisted.retried);
        if let Err(failure) = insisted.answer {
            self.told.failed += 1;
            return Err(SinkError::Failed(failure.to_string()));
        }
        self.count(finding);
        if let Some(topic) = &topics.notice {
            let notice = notice(finding, &topics.context);
            let (subject, body) = (Some(notice.subject), notice.body);
            self.tell(topic, Message { subject, body, attributes: alert.attributes }).await;
        }
        Ok(())
    }
}
