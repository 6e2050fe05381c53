//! What invokes the function: a batch of a Kinesis stream, the scheduled tick, or a step of the
//! rotation of its key.
//!
//! The records' base64 is decoded while the JSON is read, so that a batch of 6 MB is held once and not
//! twice. A record that lacks something is still a record: it is quarantined, and its neighbours are
//! read. Fields that are not used are passed over unread.
//!
//! Source: AWS, "Process Amazon Kinesis Data Streams records with Lambda" and "Rotation by Lambda
//! function". `aws_lambda_events` is the oracle of the tests.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::time::Time;

/// What an invocation is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Records of one shard, in order.
    Batch(Vec<Record>),
    /// A minute has passed.
    Tick,
    /// One of the four steps of a rotation.
    Rotation(RotationStep),
}

/// A record as Lambda delivers it; empty where the event does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// `shardId-000000000006:49590338271490256608559692538361571095921575989136588898`.
    pub event_id: String,
    /// Its place in the shard, in decimal digits.
    pub sequence: String,
    /// Its partition key.
    pub partition_key: String,
    /// `approximateArrivalTimestamp`, which the event gives in seconds with a fraction.
    pub arrival: Option<Time>,
    /// What the producer put.
    pub data: Data,
}

/// A record's data.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Out of base64.
    Bytes(Vec<u8>),
    /// Not base64; the text as it came.
    Undecoded(String),
}

/// What Secrets Manager asks of a rotation function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationStep {
    /// `createSecret`, `setSecret`, `testSecret` or `finishSecret`.
    pub step: String,
    /// The secret's ARN.
    pub secret: String,
    /// Names the version that is being made.
    pub token: String,
}

impl Default for Data {
    fn default() -> Data {
        Data::Bytes(Vec::new())
    }
}

impl Record {
    /// The shard, as the event id tells it.
    pub fn shard(&self) -> Option<ShardId> {
        let (shard, _) = self.event_id.split_once(':')?;
        ShardId::parse(shard).ok()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an event of a Kinesis stream (Records), the tick ({\"tidewatch\":\"tick\"}) or a \
             rotation (Step, SecretId, ClientRequestToken)",
        )
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Event, M::Error> {
        let (mut records, mut tidewatch) = (None, None::<String>);
        let (mut step, mut secret, mut token) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "Records" => records = Some(map.next_value::<Vec<Record>>()?),
                "tidewatch" => tidewatch = Some(map.next_value()?),
                "Step" => step = Some(map.next_value()?),
                "SecretId" => secret = Some(map.next_value()?),
                "ClientRequestToken" => token = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some(records) = records {
            return Ok(Event::Batch(records));
        }
        if let (Some(step), Some(secret), Some(token)) = (step, secret, token) {
            return Ok(Event::Rotation(RotationStep { step, secret, token }));
        }
        match tidewatch.as_deref() {
            Some("tick") => Ok(Event::Tick),
            Some(other) => Err(M::Error::custom(format!(
                "no such task: {}; there is `tick`",
                other.chars().take(40).collect::<String>()
            ))),
            None => Err(M::Error::custom(
                "an event of a kind that this function is not for: map a Kinesis stream to it, or \
                 schedule it with the input {\"tidewatch\":\"tick\"}",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            #[serde(rename = "eventID", default)]
            event_id: String,
            #[serde(default)]
            kinesis: Kinesis,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Kinesis {
            sequence_number: String,
            partition_key: String,
            approximate_arrival_timestamp: Option<f64>,
            data: Data,
        }
        let Fields { event_id, kinesis } = Fields::deserialize(deserializer)?;
        Ok(Record {
            event_id,
            sequence: kinesis.sequence_number,
            partition_key: kinesis.partition_key,
            arrival: kinesis.approximate_arrival_timestamp.and_then(milliseconds),
            data: kinesis.data,
        })
    }
}

/// Seconds with a fraction as a time; `None` where no clock shows that.
fn milliseconds(seconds: f64) -> Option<Time> {
    let milliseconds = (seconds * 1_000.0).round();
    (0.0..1e15).contains(&milliseconds).then_some(Time(milliseconds as i64))
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
        deserializer.deserialize_str(DataVisitor)
    }
}

struct DataVisitor;

impl Visitor<'_> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record's data in base64")
    }

    fn visit_str<E: Error>(self, base64: &str) -> Result<Data, E> {
        Ok(match base64_simd::STANDARD.decode_to_vec(base64) {
            Ok(bytes) => Data::Bytes(bytes),
            Err(_) => Data::Undecoded(base64.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;
