//! The topic that findings are published to. Like every request, a publish travels: the message is out
//! when it arrives, whether or not its sender learns of it.

use std::sync::{Arc, Mutex};

use tidewatch_core::finding::Finding;
use tidewatch_core::sink::{AlertSink, SinkError};

use super::executor::{Clock, Reply, lock};
use super::trace::Trace;
use super::weather::{Fate, Weather};

/// What subscribers get.
#[derive(Clone, Debug, Default)]
pub struct Topic(Arc<Mutex<Vec<Message>>>);

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was out.
    pub at_ms: i64,
    /// What it says.
    pub finding: Finding,
}

/// One process's way to the topic.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// The topic.
    pub topic: Topic,
    /// Virtual time.
    pub clock: Clock,
    /// What goes wrong.
    pub weather: Weather,
    /// Where it is noted.
    pub trace: Trace,
    /// Who publishes.
    pub caller: Arc<str>,
}

impl Topic {
    /// All messages so far, in the order they were out.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.0).clone()
    }
}

impl AlertSink for Publisher {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        let mut journey = self.weather.journey();
        if self.weather.chance.happens(self.weather.odds().topic_refuses) {
            journey.fate = Fate::Throttled;
        }
        let reply = Reply::new();
        let given = reply.clone();
        let Publisher { topic, clock, trace, caller, .. } = self.clone();
        let finding = finding.clone();
        self.clock.call_in(journey.there_ms, move || {
            let out = matches!(journey.fate, Fate::Arrives | Fate::AnswerLost);
            trace.note(&caller, || told(&finding, journey.fate));
            if out {
                lock(&topic.0).push(Message { at_ms: clock.now_ms(), finding });
            }
            let answer = match journey.fate {
                Fate::Arrives => Ok(()),
                fate => Err(SinkError::Failed(format!("{fate:?}"))),
            };
            clock.call_in(journey.back_ms, move || given.give(answer));
        });
        reply.await
    }
}

fn told(finding: &Finding, fate: Fate) -> String {
    let Finding { activity, detector, key, uid, start, last, .. } = finding;
    let (uid, outcome) = (&uid[..8], if fate == Fate::Arrives { "" } else { " " });
    let fate = if fate == Fate::Arrives { String::new() } else { format!("({fate:?})") };
    format!(
        "publish {activity:?} {detector} {key} uid {uid} start {} last {}{outcome}{fate}",
        start.0, last.0
    )
}
