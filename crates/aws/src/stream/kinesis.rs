//! The stream that AWS runs.

use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};

use super::{Entry, NotTaken, Page, Position, ReadError, Record, Shard, Stream};
use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;

/// A stream by its name or ARN.
#[derive(Clone, Debug)]
pub struct KinesisStream {
    client: Client,
    name: String,
}

impl KinesisStream {
    /// The stream `name`, which may be an ARN. Sends nothing yet.
    pub fn new(config: &SdkConfig, name: &str) -> KinesisStream {
        KinesisStream { client: client::kinesis(config), name: name.to_owned() }
    }

    fn asked(&self, operation: &'static str) -> Asked<'_> {
        Asked { service: Service::Kinesis, operation, resource: &self.name }
    }

    /// Its name and its ARN, of which the API takes either.
    fn named(&self) -> (Option<String>, Option<String>) {
        let name = self.name.clone();
        if name.starts_with("arn:") { (None, Some(name)) } else { (Some(name), None) }
    }
}

impl Stream for KinesisStream {
    async fn shards(&self) -> Result<Vec<Shard>, Failure> {
        let asked = self.asked("ListShards");
        let mut shards = Vec::new();
        let mut token: Option<String> = None;
        loop {
            // A further page is asked for by its token alone.
            let request = self.client.list_shards();
            let request = match token {
                Some(_) => request.set_next_token(token),
                None => {
                    let (name, arn) = self.named();
                    request.set_stream_name(name).set_stream_arn(arn)
                }
            };
            let answer = request.send().await.map_err(|error| asked.failed(&error))?;
            for shard in answer.shards() {
                let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
                let parents = parents.into_iter().flatten().map(str::to_owned).collect();
                shards.push(Shard { id: shard.shard_id().to_owned(), parents });
            }
            token = answer.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn iterator(&self, shard: &str, position: &Position) -> Result<String, Failure> {
        let asked = self.asked("GetShardIterator");
        let (name, arn) = self.named();
        let request = self.client.get_shard_iterator();
        let request = request.set_stream_name(name).set_stream_arn(arn).shard_id(shard);
        let request = match position {
            Position::Start => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Position::At(time) => request
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(DateTime::from_millis(time.0)),
            Position::After(sequence) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(sequence),
        };
        let answer = request.send().await.map_err(|error| asked.failed(&error))?;
        answer.shard_iterator.ok_or_else(|| asked.incomplete("iterator"))
    }

    async fn records(&self, iterator: &str) -> Result<Page, ReadError> {
        let asked = self.asked("GetRecords");
        // For streams shared with another account, the ARN decides whose is meant.
        let (_, arn) = self.named();
        let request = self.client.get_records().shard_iterator(iterator).set_stream_arn(arn);
        let answer = request.send().await.map_err(|error| {
            let refused = error.as_service_error();
            if refused.is_some_and(|refused| refused.is_expired_iterator_exception()) {
                return ReadError::Expired;
            }
            ReadError::Failed(asked.failed(&error))
        })?;
        let records = answer.records.into_iter().map(|record| Record {
            sequence: record.sequence_number,
            partition_key: record.partition_key,
            data: record.data.into_inner(),
        });
        Ok(Page {
            records: records.collect(),
            next: answer.next_shard_iterator,
            behind_ms: answer.millis_behind_latest.unwrap_or(0),
        })
    }

    async fn put(&self, entries: &[&Entry]) -> Result<Vec<Result<(), NotTaken>>, Failure> {
        let asked = self.asked("PutRecords");
        let (name, arn) = self.named();
        let mut request = self.client.put_records().set_stream_name(name).set_stream_arn(arn);
        for entry in entries {
            let record = PutRecordsRequestEntry::builder()
                .partition_key(&entry.partition_key)
                .explicit_hash_key(entry.hash_key.to_string())
                .data(Blob::new(entry.data.as_slice()))
                .build();
            let record = record.map_err(|defect| Failure::Refused(format!("{asked}: {defect}")))?;
            request = request.records(record);
        }
        let answer = request.send().await.map_err(|error| asked.failed(&error))?;
        if answer.records().len() != entries.len() {
            return Err(asked.incomplete("word on each record"));
        }
        let became = answer.records().iter().map(|record| match record.error_code() {
            None => Ok(()),
            Some(code) => {
                let why = record.error_message().unwrap_or("no reason given");
                Err(NotTaken { why: format!("{asked}: {code}: {why}") })
            }
        });
        Ok(became.collect())
    }
}
